/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/audit/record.c: one object on one line; what does not fit is cut and said to be cut. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <postern-private/json.h>

#include "audit/record.h"
#include "grant/grant.h"

static const struct audit_record refusal = {
    .time_ms = 1764000000123,
    .event = "verify",
    .ref = "R-0123456789",
    .service = "imap",
    .peer = "192.0.2.1",
    .pid = 42,
    .uid = 1000,
    .carrier = "sasl",
    .tls = "on",
    .authzid = "bob",
    .code = POSTERN_ERR_AUD,
    .detail = "token is for \"ldap\"",
    .setting = "audience",
    .origin = "services/imap.conf:4",
    .issuer = "https://as.example",
    .fingerprint = "0123456789ab",
    .latency_us = 77,
};

static void a_refusal_is_one_line_with_the_reason_and_where_it_stands(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&refusal, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"ref\":\"R-0123456789\",\"event\":"
                        "\"verify\",\"service\":\"imap\","
                        "\"peer\":\"192.0.2.1\",\"pid\":42,\"uid\":1000,\"carrier\":\"sasl\","
                        "\"tls\":\"on\",\"authzid\":\"bob\","
                        "\"outcome\":\"rejected\",\"reason\":\"aud\",\"detail\":\"token is for "
                        "\\\"ldap\\\"\",\"setting\":\"audience\","
                        "\"origin\":\"services/imap.conf:4\",\"iss\":\"https://"
                        "as.example\",\"fingerprint\":\"0123456789ab\",\"latency_us\":77}");
}

static void a_login_by_a_handle_says_so(void **state)
{
    struct audit_record r = refusal;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    r.is_by_handle = true;
    assert_true(audit_format(&r, &out));
    assert_non_null(strstr(postern_buf_cstr(&out), "\"authzid\":\"bob\",\"handle\":true,\"outcome\""));
}

static postern_grant *make_grant(const char *filler)
{
    struct postern_grant_facts facts = {
        .service = POSTERN_BYTES_LIT("imap"),
        .issuer = POSTERN_BYTES_LIT("https://as.example"),
        .subject = postern_bytes_str(filler),
        .client_id = postern_bytes_str(filler),
        .grant_id = (postern_bytes){ (const uint8_t *)filler, strnlen(filler, 255) / 3 * 3 },
        .user = POSTERN_BYTES_LIT("alice"),
        .audience = POSTERN_BYTES_LIT("https://mail.example/imap"),
        .jti = postern_bytes_str(filler),
        .scope = postern_bytes_str(filler),
        .exp_s = 1764000300,
        .iat_s = 1764000000,
    };
    postern_grant *g = NULL;

    for (facts.act_depth = 0; facts.act_depth < POSTERN_ACT_DEPTH_MAX; facts.act_depth++)
        facts.act[facts.act_depth] = postern_bytes_str(filler);
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    return g;
}

static void a_proved_token_is_named_by_its_jti(void **state)
{
    postern_grant *g = make_grant("j-1");
    struct audit_record r = refusal;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    POSTERN_AUTO_JSON j = { 0 };

    (void)state;
    r.code = POSTERN_OK;
    r.grant = g;
    assert_true(audit_format(&r, &out));
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "outcome"), "proved"));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "jti"), "j-1"));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "user"), "alice"));
    assert_int_equal(j.nodes[postern_json_member(&j, 0, "act")].child_count, 8);
    assert_int_equal(postern_json_member(&j, 0, "fingerprint"), POSTERN_JSON_ABSENT);
    assert_int_equal(postern_json_member(&j, 0, "cut"), POSTERN_JSON_ABSENT);
    postern_grant_free(g);
}

static void the_longest_record_is_cut_to_one_line_and_says_so(void **state)
{
    static const char *const fillers[] = { "\"", "\\", "a", "\xe2\x82\xac", "\xe2\x80\xae", "\x01" };
    char filler[1024];

    (void)state;
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
        struct audit_record r = refusal;
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
        POSTERN_AUTO_JSON j = { 0 };
        postern_grant *g;
        size_t len = strlen(fillers[i]);

        for (size_t at = 0; at < 1020; at += len)
            memcpy(filler + at, fillers[i], len);
        filler[1020] = '\0';
        g = make_grant(fillers[i][0] == '\x01' ? "a" : filler); /* a claim holds no control */
        r.code = POSTERN_OK;
        r.grant = g;
        r.peer = r.authzid = r.service = r.detail = r.carrier = r.tls = r.setting = r.origin = filler;
        r.session = r.agent = r.human = r.action = r.resource = r.rule = r.because = r.end = filler;
        r.authcid = r.user_rule = r.claimed_purpose = r.approver = r.would = filler;
        r.args_digest = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        r.first_ms = r.last_ms = 1764000000123;
        r.more_resources = AUDIT_SEQ_MAX;
        r.database = "18446744073709551615";
        r.lease_end_s = r.until_s = r.count = r.missed = r.duration_ms = r.latency_us = AUDIT_SEQ_MAX;
        r.up = r.down = UINT64_MAX;
        r.event = "end";
        assert_true(audit_format(&r, &out));
        assert_in_range(out.len, 1, AUDIT_RECORD_MAX);
        assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
        assert_int_equal(postern_json_type_of(&j, postern_json_member(&j, 0, "cut")),
                         POSTERN_JSON_TRUE);
        assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "ref"), "R-0123456789"));
        assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "args_digest"), r.args_digest));
        postern_grant_free(g);
    }
}

static void a_newline_in_a_value_stays_inside_the_line(void **state)
{
    struct audit_record r = refusal;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    r.authzid = "bob\n{\"ref\":\"R-forged\"}";
    assert_true(audit_format(&r, &out));
    assert_int_equal(postern_bytes_find(postern_buf_bytes(&out), '\n'), out.len);
}

/* Programs that read lines split at more than '\n', and a terminal follows marks of direction: a
 * wanted identity is a stranger's. */
static void nothing_in_a_value_passes_for_a_line_end_or_turns_the_text_around(void **state)
{
    static const char *const texts[] = {
        "\xe2\x80\xa8{\"ref\":\"R-forged\"}",
        "\xe2\x80\xa9x",
        "\xe2\x80\xae"
        "bob",
        "\xe2\x81\xa6x",
        "\xd8\x9cx",
        "\xe2\x80\x8ex",
    };
    static const char *const plain[] = { "\xe2\x80\xa7x", "\xe2\x80\xafx", "\xe2\x82\xac",
                                         "\xd8\x9d", "J\xc3\xbcrgen" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct audit_record r = refusal;
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
        POSTERN_AUTO_JSON j = { 0 };

        r.authzid = texts[i];
        assert_true(audit_format(&r, &out));
        assert_true(postern_bytes_is_printable(postern_buf_bytes(&out)));
        assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
        assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "authzid"), texts[i]));
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        struct audit_record r = refusal;
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

        r.authzid = plain[i];
        assert_true(audit_format(&r, &out));
        assert_non_null(strstr(postern_buf_cstr(&out), plain[i]));
    }
}

/* A long scope or a chain of actors must not cost the record its jti. */
static void a_long_record_keeps_as_much_of_its_names_as_fits(void **state)
{
    static const char uuid[] = "123e4567-e89b-12d3-a456-426614174000";
    char filler[300];
    struct postern_grant_facts facts = {
        .service = POSTERN_BYTES_LIT("imap"),
        .issuer = POSTERN_BYTES_LIT("https://as.example"),
        .user = POSTERN_BYTES_LIT("alice"),
        .jti = postern_bytes_str(uuid),
        .exp_s = 1764000300,
        .iat_s = 1764000000,
        .act_depth = POSTERN_ACT_DEPTH_MAX,
    };
    struct audit_record r = refusal;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_grant *g = NULL;

    (void)state;
    memset(filler, '"', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    facts.subject = postern_bytes_str(filler);
    for (size_t i = 0; i < facts.act_depth; i++)
        facts.act[i] = postern_bytes_str(filler);
    assert_int_equal(postern_grant_from_proof(&facts, &g, NULL), POSTERN_OK);
    r.code = POSTERN_OK;
    r.grant = g;
    assert_true(audit_format(&r, &out));
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "jti"), uuid));
    postern_grant_free(g);
}

/* ---- doors and administration ---- */

static void a_login_at_a_door_says_who_for_whom_what_and_by_which_rule(void **state)
{
    const struct audit_record r = {
        .time_ms = 1764000000123,
        .event = "login",
        .ref = "R-0123456789",
        .service = "cache",
        .peer = "192.0.2.1",
        .carrier = "raw",
        .tls = "on",
        .code = POSTERN_OK,
        .session = "S-1",
        .agent = "agent-7",
        .human = "alice",
        .action = "raw:connect",
        .resource = "cache",
        .rule = "cache:write",
        .user_rule = "cache:staff",
        .because = "the cache team's",
        .lease_end_s = 1764000300,
        .latency_us = 5,
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&r, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"ref\":\"R-0123456789\",\"event\":\"login\","
                        "\"service\":\"cache\",\"peer\":\"192.0.2.1\",\"carrier\":\"raw\",\"tls\":\"on\","
                        "\"outcome\":\"proved\",\"reason\":\"ok\",\"session\":\"S-1\",\"agent\":\"agent-7\","
                        "\"human\":\"alice\",\"action\":\"raw:connect\",\"resource\":\"cache\","
                        "\"rule\":\"cache:write\",\"user_rule\":\"cache:staff\",\"because\":\"the cache team's\",\"lease_end\":1764000300,"
                        "\"latency_us\":5}");
}

static void an_action_names_its_resource_its_arguments_digest_and_what_the_call_said(void **state)
{
    const struct audit_record r = {
        .time_ms = 1764000000123, .event = "action", .ref = "R-1", .service = "cache",
        .code = POSTERN_OK, .session = "S-1", .agent = "agent-7", .action = "redis:MGET",
        .resource = "a", .more_resources = 2, .database = "3", .args_digest = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        .claimed_purpose = "invoice-7", .rule = "cache:read",
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&r, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"ref\":\"R-1\",\"event\":\"action\","
                        "\"service\":\"cache\",\"outcome\":\"proved\",\"reason\":\"ok\",\"session\":\"S-1\","
                        "\"agent\":\"agent-7\",\"action\":\"redis:MGET\",\"resource\":\"a\",\"more_resources\":2,"
                        "\"database\":3,\"args_digest\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
                        "\"claimed_purpose\":\"invoice-7\",\"rule\":\"cache:read\"}");
}

/* The first is the one that everybody has who never chose. */
static void a_database_is_a_number_and_the_first_is_left_out(void **state)
{
    static const struct {
        const char *database, *want; /* NULL: left out */
    } cases[] = {
        { "1", "\"database\":1," },
        { "2147483647", "\"database\":2147483647," },
        { "99999999999999999999", "\"database\":9007199254740991," }, /* no server has it */
        { NULL, NULL },
        { "", NULL },
        { "0", NULL },
        { "three", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct audit_record r = { .event = "action", .code = POSTERN_OK, .action = "redis:GET",
                                        .database = cases[i].database, .rule = "cache:read" };
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
        const char *want = cases[i].want == NULL ? "\"database\"" : cases[i].want;

        assert_true(audit_format(&r, &out));
        if ((strstr(postern_buf_cstr(&out), want) != NULL) != (cases[i].want != NULL))
            fail_msg("case %zu: %s", i, postern_buf_cstr(&out));
    }
}

static void a_sum_of_actions_says_how_many_and_from_when_to_when(void **state)
{
    const struct audit_record r = {
        .time_ms = 1764000001000, .event = "actions", .service = "cache", .code = POSTERN_OK,
        .session = "S-1", .agent = "agent-7", .human = "alice", .purpose = "invoices",
        .action = "redis:GET", .rule = "cache:read", .count = 42,
        .first_ms = 1764000000123, .last_ms = 1764000000999,
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&r, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"2025-11-24T16:00:01.000Z\",\"event\":\"actions\",\"service\":\"cache\","
                        "\"outcome\":\"proved\",\"reason\":\"ok\",\"session\":\"S-1\",\"agent\":\"agent-7\","
                        "\"human\":\"alice\",\"purpose\":\"invoices\",\"action\":\"redis:GET\","
                        "\"rule\":\"cache:read\",\"count\":42,\"first\":\"2025-11-24T16:00:00.123Z\","
                        "\"last\":\"2025-11-24T16:00:00.999Z\"}");
}

static void who_approved_stands_in_the_record_of_it(void **state)
{
    const struct audit_record r = { .event = "approve", .ref = "R-1", .agent = "agent-7",
                                    .approver = "olga", .because = "fine" };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&r, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"ref\":\"R-1\",\"event\":\"approve\","
                        "\"agent\":\"agent-7\",\"approver\":\"olga\",\"because\":\"fine\"}");
}

static void the_end_of_a_session_is_no_verdict_and_counts_its_bytes(void **state)
{
    const struct audit_record r = {
        .time_ms = 1764000000123, .event = "end", .service = "cache", .session = "S-1",
        .end = "expired",         .duration_ms = 300000, .up = 12, .down = UINT64_MAX,
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&r, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"end\",\"service\":\"cache\","
                        "\"session\":\"S-1\",\"end\":\"expired\",\"duration_ms\":300000,\"up\":12,"
                        "\"down\":9007199254740991}");
}

static void a_block_names_its_agent_its_end_and_who_set_it(void **state)
{
    const struct audit_record r = {
        .time_ms = 1764000000123, .event = "block",    .pid = 7, .uid = 0, .agent = "agent-7",
        .because = "runs wild",   .until_s = 1764043200, .count = 2,
    };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);

    (void)state;
    assert_true(audit_format(&r, &out));
    assert_string_equal(postern_buf_cstr(&out),
                        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"block\",\"pid\":7,\"uid\":0,"
                        "\"agent\":\"agent-7\",\"because\":\"runs wild\",\"until\":1764043200,\"count\":2}");
}

/* A verdict that nobody has set must not pass for one that there is none of. */
static void a_login_without_a_verdict_is_undecided(void **state)
{
    static const char *const verdicts[] = { "verify", "describe", "login",   "renew",
                                            "action", "actions",  "refused" };
    static const char *const deeds[] = { "end", "held", "approve", "block", "unblock", "kill" };

    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
        struct audit_record r = { .event = verdicts[i] };

        assert_true(audit_format(&r, &out));
        assert_non_null(strstr(postern_buf_cstr(&out), "\"outcome\":\"undecided\""));
    }
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
        struct audit_record r = { .event = deeds[i] };

        assert_true(audit_format(&r, &out));
        assert_null(strstr(postern_buf_cstr(&out), "outcome"));
        r.code = POSTERN_ERR_PEER_NOT_ALLOWED; /* an administrator who may not */
        assert_true(audit_format(&r, &out));
        assert_non_null(strstr(postern_buf_cstr(&out), "\"reason\":\"peer_not_allowed\""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_one_line_with_the_reason_and_where_it_stands),
        cmocka_unit_test(a_login_by_a_handle_says_so),
        cmocka_unit_test(a_proved_token_is_named_by_its_jti),
        cmocka_unit_test(the_longest_record_is_cut_to_one_line_and_says_so),
        cmocka_unit_test(a_newline_in_a_value_stays_inside_the_line),
        cmocka_unit_test(nothing_in_a_value_passes_for_a_line_end_or_turns_the_text_around),
        cmocka_unit_test(a_long_record_keeps_as_much_of_its_names_as_fits),
        cmocka_unit_test(a_login_at_a_door_says_who_for_whom_what_and_by_which_rule),
        cmocka_unit_test(an_action_names_its_resource_its_arguments_digest_and_what_the_call_said),
        cmocka_unit_test(a_database_is_a_number_and_the_first_is_left_out),
        cmocka_unit_test(a_sum_of_actions_says_how_many_and_from_when_to_when),
        cmocka_unit_test(who_approved_stands_in_the_record_of_it),
        cmocka_unit_test(the_end_of_a_session_is_no_verdict_and_counts_its_bytes),
        cmocka_unit_test(a_block_names_its_agent_its_end_and_who_set_it),
        cmocka_unit_test(a_login_without_a_verdict_is_undecided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
