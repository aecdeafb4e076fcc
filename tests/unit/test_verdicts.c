/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The edges of a verdict: lib/oauth/validate.c, judge.c, rules.c and context.c where a request
 * leaves something out, a name is longer than what is told of it, or a grant is of another
 * configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/trail.h>

#include "../support/test_login.h"
#include "grant/grant.h"
#include "oauth/context_inner.h"
#include "oauth/judge.h"

static test_login t;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_login_reload(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_login_remove(&t);
    return 0;
}

static void assert_verdict(const char *why, postern_err got, postern_err want)
{
    if (got != want)
        fail_msg("%s: wanted %s, got %s (%s)", why, postern_err_reason(want),
                 postern_err_reason(got), t.err.detail);
}

static void put_service(const char *more)
{
    char *text = test_printf("audience: " TEST_AUDIENCE "\nhelper_peers: 0\n%s", more);

    test_folder_put(&t.folder, "services/imap.conf", text);
    free(text);
}

/* ---- what a request leaves out ---- */

static void a_request_of_nobody_is_misuse(void **state)
{
    postern_request rq = test_login_request("x");
    postern_op *op = NULL;

    (void)state;
    assert_int_equal(postern_validate_start(NULL, &rq, &op, NULL), POSTERN_ERR_USAGE);
    assert_int_equal(postern_validate_start(t.context, NULL, &op, NULL), POSTERN_ERR_USAGE);
    rq.service = "";
    assert_int_equal(postern_validate_start(t.context, &rq, &op, NULL), POSTERN_ERR_USAGE);
    assert_null(op);
}

static void no_bytes_at_all_are_an_empty_token(void **state)
{
    postern_request rq = test_login_request("x");

    (void)state;
    rq.token = POSTERN_BYTES_NONE;
    assert_verdict("NULL", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
}

static void an_operation_that_waits_for_nothing_has_no_descriptor(void **state)
{
    postern_request rq = test_login_request("x");
    postern_op *op = NULL;

    (void)state;
    assert_int_equal(postern_validate_start(t.context, &rq, &op, NULL), POSTERN_OK);
    assert_int_equal(postern_op_fd(op), -1);
    assert_int_equal(postern_op_wait_ms(op), 0);
    postern_op_free(op);
}

static void a_transport_of_no_kind_that_there_is_counts_as_unknown(void **state)
{
    POSTERN_AUTO(trail) trail = NULL;
    postern_request rq = test_login_request("x");
    postern_trail_step step = { 0 };

    (void)state;
    assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
    rq.tls = (postern_tls)9;
    rq.trail = trail;
    assert_verdict("9", test_login_run(&t, &rq, NULL), POSTERN_ERR_TLS_REQUIRED);
    for (size_t i = 0; step.name == NULL || strcmp(step.name, "transport") != 0; i++)
        assert_int_equal(postern_trail_at(trail, i, &step), 1);
    assert_string_equal(step.facts, "wanted, TLS unknown");
}

static void a_host_or_port_longer_than_any_of_ours_is_another_server(void **state)
{
    char *token = test_login_token(&t, NULL, NULL), *long_text = test_printf("%0*d", 600, 0);
    postern_request rq = test_login_request(token);

    (void)state;
    put_service("server_names: mail.example.org\nserver_port: 143\n");
    test_login_reload(&t);
    rq.carrier = POSTERN_CARRIER_SASL;
    rq.message_host = "mail.example.org";
    rq.message_port = "143";
    assert_verdict("ours", test_login_run(&t, &rq, NULL), POSTERN_OK);
    rq.message_port = long_text;
    assert_verdict("port", test_login_run(&t, &rq, NULL), POSTERN_ERR_MESSAGE_SERVER);
    rq.message_port = "143";
    rq.message_host = long_text;
    assert_verdict("host", test_login_run(&t, &rq, NULL), POSTERN_ERR_MESSAGE_SERVER);
    free(token), free(long_text);
}

static void scopes_of_one_login_are_told_where_the_service_has_none(void **state)
{
    static const char *const scopes[] = { "mail.send", "mail.purge", NULL };
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);

    (void)state;
    put_service("");
    test_login_reload(&t);
    rq.extra_scopes = scopes;
    assert_verdict("neither", test_login_run(&t, &rq, NULL), POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(t.failure.scope, "mail.send mail.purge");
    free(token);
}

/* ---- who is named ---- */

/* A name of `len` bytes that ends in an "é", and what is told of it. */
static void assert_told(size_t len, size_t told_len)
{
    char *name = test_printf("%0*d\xc3\xa9", (int)len - 2, 0);
    char *json = test_printf("\"%s\"", name);

    assert_verdict("taken back", test_login_try(&t, "client_id", json), POSTERN_ERR_REVOKED);
    assert_int_equal(strlen(t.failure.agent), told_len);
    assert_memory_equal(t.failure.agent, name, told_len);
    free(name), free(json);
}

static void a_refused_agents_name_is_cut_between_characters(void **state)
{
    (void)state;
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "t-1",
                                            TEST_NOW_S + 1, &t.err),
                     POSTERN_OK);
    assert_told(255, 255); /* fits */
    assert_told(256, 254); /* its last character would be cut in half */
    assert_told(257, 255);
    assert_told(300, 255);
}

static void two_names_of_one_length_are_two(void **state)
{
    static const struct {
        const char *client;
        postern_err want;
    } cases[] = {
        { "\"alicf\"", POSTERN_OK },
        { "\"alic-\"", POSTERN_OK },
        { "\"alic0\"", POSTERN_OK },
        { "\"aliCe\"", POSTERN_ERR_USER_DENIED },
        { "\"alice\"", POSTERN_ERR_USER_DENIED },
    };

    (void)state;
    put_service("login_as: both\nusername_strip_domain: example.org\n");
    test_login_reload(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_verdict(cases[i].client, test_login_try(&t, "client_id", cases[i].client),
                       cases[i].want);
}

/* ---- two lists of which neither has come ---- */

static void what_neither_list_knows_yet_is_undecided(void **state)
{
    (void)state;
    assert_int_equal(postern_context_expect_revocations(t.context, TEST_ISSUER, &t.err),
                     POSTERN_OK);
    postern_context_expect_blocks(t.context);
    assert_verdict("neither", test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_context_set_blocks(t.context, NULL, 0, &t.err), POSTERN_OK);
    assert_verdict("one", test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(postern_context_revocations_ready(t.context, TEST_ISSUER, &t.err), POSTERN_OK);
    assert_verdict("both", test_login_try(&t, NULL, NULL), POSTERN_OK);
}

/* ---- a grant, asked again ---- */

static postern_grant *log_in(void)
{
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);
    postern_grant *g = NULL;

    assert_verdict("login", test_login_run(&t, &rq, &g), POSTERN_OK);
    free(token);
    return g;
}

/* A caller who wants neither reason nor failure gets the verdict all the same. */
static void a_verdict_needs_nobody_who_reads_its_reason(void **state)
{
    POSTERN_AUTO(grant) g = log_in();
    static const postern_block block = { .agent = "agent-7" };

    (void)state;
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), POSTERN_OK);
    assert_int_equal(postern_context_set_blocks(t.context, &block, 1, NULL), POSTERN_OK);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), POSTERN_ERR_BLOCKED);
    assert_int_equal(postern_context_set_blocks(t.context, NULL, 0, NULL), POSTERN_OK);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "t-1",
                                            TEST_NOW_S + 1, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), POSTERN_ERR_REVOKED);
}

static postern_context *make_check(void)
{
    postern_config *config = NULL;
    postern_context *check = NULL;

    assert_int_equal(postern_config_new_token_check(TEST_ISSUER, TEST_AUDIENCE,
                                                    test_folder_at(&t.folder, "keys.json"), NULL,
                                                    &config, &t.err),
                     POSTERN_OK);
    assert_int_equal(postern_context_new(config, &t.clock, &check, &t.err), POSTERN_OK);
    return check;
}

/* A token check maps nobody, so that nobody is logged in by it, whatever its service is called. */
static void a_login_is_not_judged_again_by_a_token_check(void **state)
{
    postern_context *check = make_check();
    postern_grant *g;

    (void)state;
    test_folder_put(&t.folder, "services/token.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\nshared_audience: yes\n"
                    "username_strip_domain: example.org\n");
    put_service("shared_audience: yes\nusername_strip_domain: example.org\n");
    test_login_reload(&t);
    g = log_in();
    assert_int_equal(postern_context_judge_again(check, g, NULL, NULL),
                     POSTERN_ERR_SERVICE_UNKNOWN);
    postern_grant_free(g);
    {
        char *token = test_login_token(&t, NULL, NULL);
        postern_request rq = test_login_request(token);

        rq.service = "token";
        g = NULL;
        assert_verdict("token.conf", test_login_run(&t, &rq, &g), POSTERN_OK);
        assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), POSTERN_OK);
        assert_int_equal(postern_context_judge_again(check, g, NULL, NULL),
                         POSTERN_ERR_SERVICE_UNKNOWN);
        postern_grant_free(g);
        free(token);
    }
    postern_context_free(check);
}

static void a_checked_token_is_no_login_to_judge_again(void **state)
{
    postern_context *check = make_check(), *logins = t.context;
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);
    postern_grant *g = NULL;

    (void)state;
    rq.service = "token";
    t.context = check;
    assert_verdict("checked", test_login_run(&t, &rq, &g), POSTERN_OK);
    t.context = logins;
    assert_int_equal(postern_context_judge_again(check, g, NULL, NULL),
                     POSTERN_ERR_SERVICE_UNKNOWN);
    assert_int_equal(postern_context_judge_again(logins, g, NULL, NULL),
                     POSTERN_ERR_SERVICE_UNKNOWN);
    postern_grant_free(g);
    free(token);
    postern_context_free(check);
}

/* ---- clocks ---- */

static int64_t get_mono_ms(void *arg)
{
    (void)arg;
    return 1000000;
}

static postern_err judge_at(postern_context *context, int64_t now_s)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 17);
    POSTERN_AUTO_JSON j = { 0 };
    char *claims = test_login_claims(NULL, NULL);
    struct postern_grant_facts facts;
    const struct judge judge = { .ctx = context,
                                 .trust = postern_context_rules(context, "imap")->trusts,
                                 .now_s = now_s,
                                 .mono_ms = 1000000,
                                 .life_s = TEST_NOW_S,
                                 .authzid = "",
                                 .scratch = &scratch };
    postern_err e;

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(claims), NULL), POSTERN_OK);
    e = postern_judge_claims(&judge, &j, &facts, &t.err); /* there is no failure to fill either */
    free(claims);
    return e;
}

/* A machine that starts in 1970 would find every token alive that was ever revoked. */
static void the_systems_own_clock_must_have_been_set(void **state)
{
    static const postern_clock only_mono = { .mono_ms = get_mono_ms };
    postern_config *config = NULL;
    postern_context *own = NULL;

    (void)state;
    assert_int_equal(postern_config_load(t.folder.path, &config, &t.err), POSTERN_OK);
    assert_int_equal(postern_context_new(config, &only_mono, &own, &t.err), POSTERN_OK);
    assert_verdict("1970", judge_at(own, 1), POSTERN_ERR_SYSTEM);
    assert_string_equal(t.err.detail, "the clock of this machine is not set");
    assert_verdict("2024-12-31", judge_at(own, 1735689599), POSTERN_ERR_SYSTEM);
    assert_verdict("2025", judge_at(own, 1735689600), POSTERN_OK);
    assert_verdict("a caller's", judge_at(t.context, 1), POSTERN_OK); /* who knows what he does */
    postern_context_free(own);
}

/* ---- what a context is asked ---- */

static void a_service_is_described_and_none_is_nothing(void **state)
{
    postern_failure f = { .code = POSTERN_ERR_SYSTEM };

    (void)state;
    postern_context_describe(t.context, "imap", &f);
    assert_string_equal(f.issuer, TEST_ISSUER);
    assert_string_equal(f.scope, "mail.read");
    postern_context_describe(t.context, "smtp", &f);
    assert_string_equal(f.issuer, "");
    assert_int_equal(f.code, POSTERN_ERR_UNSET);
}

static void an_issuer_that_is_not_asked_has_no_client(void **state)
{
    static const postern_agent client = { .issuer = TEST_ISSUER,
                                          .client_id = "d",
                                          .credential = POSTERN_BYTES_LIT("s") };

    (void)state;
    assert_int_equal(postern_context_set_issuer_client(t.context, "https://h", &client, &t.err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(t.err.detail,
                        "no issuer \"https://h\" is configured that is asked about tokens");
    assert_int_equal(postern_context_set_issuer_client(t.context, TEST_ISSUER, &client, &t.err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(t.err.detail,
                        "no issuer \"" TEST_ISSUER "\" is configured that is asked about tokens");
}

static void a_revocation_at_an_issuer_of_no_file_is_misuse(void **state)
{
    (void)state;
    assert_int_equal(postern_context_expect_revocations(t.context, "https://h", &t.err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(t.err.detail, "no issuer \"https://h\" is configured");
    assert_int_equal(postern_context_revocations_ready(t.context, "https://h", &t.err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(
        postern_context_revoke(t.context, "https://h", POSTERN_REVOCATION_JTI, "t-1", 1, &t.err),
        POSTERN_ERR_USAGE);
    assert_verdict("nothing was taken back", test_login_try(&t, NULL, NULL), POSTERN_OK);
}

static void more_workspaces_than_are_kept_are_freed(void **state)
{
    postern_jwt *all[20];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(postern_context_take_jwt(t.context, &all[i], NULL), POSTERN_OK);
    for (size_t i = 0; i < 20; i++)
        postern_context_give_jwt(t.context, all[i]);
    postern_context_give_jwt(t.context, NULL);
    assert_int_equal(postern_context_take_jwt(t.context, &all[0], NULL), POSTERN_OK);
    assert_ptr_equal(all[0], all[7]); /* the last one that was kept, of eight */
    postern_context_give_jwt(t.context, all[0]);
    assert_verdict("still", test_login_try(&t, NULL, NULL), POSTERN_OK);
}

static void an_authority_file_is_a_regular_file_of_root_or_us(void **state)
{
    char *text = test_printf("issuer: " TEST_ISSUER "\ntls_ca_file: %s\n", t.folder.path);
    char *want = test_printf("tls_ca_file: %s is not a regular file", t.folder.path);
    postern_config *config = NULL;
    postern_context *context = NULL;

    (void)state;
    test_folder_put(&t.folder, "issuers/sso.conf", text);
    assert_int_equal(postern_config_load(t.folder.path, &config, &t.err), POSTERN_OK);
    assert_int_equal(postern_context_new(config, NULL, &context, &t.err), POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(t.err.detail, want);
    assert_null(context);
    free(text), free(want);
}

/* ---- rules ---- */

static void an_issuer_that_no_service_trusts_serves_no_metadata_of_it(void **state)
{
    postern_failure f;

    (void)state;
    test_folder_put(&t.folder, "issuer.conf",
                    "issuer: http://127.0.0.1:8414\njwks_file: keys.json\n");
    test_login_reload(&t);
    postern_context_describe(t.context, "imap", &f);
    assert_string_equal(f.resource_metadata,
                        "https://mail.example.org/.well-known/oauth-protected-resource/imap");
}

/* Cut off, it would lead to something else. */
static void a_metadata_address_that_does_not_fit_is_left_out(void **state)
{
    char *issuer = test_printf("http://127.0.0.1:8414/%0*d", 426, 0);
    char *text =
        test_printf("issuer: %s\nallow_loopback_http: yes\njwks_file: keys.json\n", issuer);
    char *server = test_printf("issuer: %s\njwks_file: keys.json\n", issuer);
    char *fits = test_printf("%s/.well-known/oauth-protected-resource/imap", issuer);
    postern_failure f;

    (void)state;
    test_folder_put(&t.folder, "issuers/sso.conf", text);
    test_folder_put(&t.folder, "issuer.conf", server);
    test_folder_put(&t.folder, "services/a-name-that-is-longer-than-the-rest-of-the-field.conf",
                    "audience: https://other.example.org/imap\nhelper_peers: 0\n");
    test_login_reload(&t);
    postern_context_describe(t.context, "imap", &f);
    assert_string_equal(f.resource_metadata, fits);
    postern_context_describe(t.context, "a-name-that-is-longer-than-the-rest-of-the-field", &f);
    assert_string_equal(f.resource_metadata, "");
    assert_string_equal(f.issuer, issuer);
    free(issuer), free(text), free(server), free(fits);
}

static void a_scope_of_which_one_will_do_is_told_only_when_none_is_required(void **state)
{
    static const struct {
        const char *more, *scope;
    } cases[] = {
        { "required_scopes: a b\nrequired_scopes_any: b c\n", "a b" },
        { "required_scopes: a b\nrequired_scopes_any: c d\n", "a b c" },
        { "required_scopes_any: c d\n", "c" },
        { "", "" },
    };
    postern_failure f;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_service(cases[i].more);
        test_login_reload(&t);
        postern_context_describe(t.context, "imap", &f);
        assert_string_equal(f.scope, cases[i].scope);
    }
}

static postern_err compile(size_t max, struct issuer_rules *issuers)
{
    postern_arena arena = POSTERN_ARENA_INIT(max);
    const postern_config *config = postern_context_config(t.context);
    struct service_rules *rules = NULL;
    postern_err e = postern_service_rules_new(
        &arena, config, postern_config_section(config, POSTERN_SECTION_SERVICE, "imap"), issuers,
        &rules, &t.err);

    assert_int_equal(rules != NULL, e == POSTERN_OK);
    if (e == POSTERN_OK)
        assert_string_equal(rules->server_names[0], "mail.example.org");
    postern_arena_free(&arena);
    return e;
}

static void a_service_is_compiled_whole_or_not_at_all(void **state)
{
    size_t max = 0, failures = 0;

    (void)state;
    put_service("server_names: mail.example.org\nrequired_scopes: mail.read\n"
                "username_strip_domain: example.org\n");
    test_login_reload(&t);
    assert_int_equal(compile((size_t)1 << 20, NULL), POSTERN_ERR_INTERNAL);
    assert_string_equal(t.err.detail, "issuers/sso.conf: an issuer that the context has not");
    for (; max < (size_t)1 << 20; max += 64, failures++) {
        postern_err e = compile(max, postern_context_issuers(t.context));

        if (e == POSTERN_OK)
            break;
        assert_verdict("little memory", e, POSTERN_ERR_NOMEM);
    }
    assert_true(failures > 4);
    assert_int_equal(compile(max, postern_context_issuers(t.context)), POSTERN_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_of_nobody_is_misuse),
        TEST(no_bytes_at_all_are_an_empty_token),
        TEST(an_operation_that_waits_for_nothing_has_no_descriptor),
        TEST(a_transport_of_no_kind_that_there_is_counts_as_unknown),
        TEST(a_host_or_port_longer_than_any_of_ours_is_another_server),
        TEST(scopes_of_one_login_are_told_where_the_service_has_none),
        TEST(a_refused_agents_name_is_cut_between_characters),
        TEST(two_names_of_one_length_are_two),
        TEST(what_neither_list_knows_yet_is_undecided),
        TEST(a_verdict_needs_nobody_who_reads_its_reason),
        TEST(a_login_is_not_judged_again_by_a_token_check),
        TEST(a_checked_token_is_no_login_to_judge_again),
        TEST(the_systems_own_clock_must_have_been_set),
        TEST(a_service_is_described_and_none_is_nothing),
        TEST(an_issuer_that_is_not_asked_has_no_client),
        TEST(a_revocation_at_an_issuer_of_no_file_is_misuse),
        TEST(more_workspaces_than_are_kept_are_freed),
        TEST(an_authority_file_is_a_regular_file_of_root_or_us),
        TEST(an_issuer_that_no_service_trusts_serves_no_metadata_of_it),
        TEST(a_metadata_address_that_does_not_fit_is_left_out),
        TEST(a_scope_of_which_one_will_do_is_told_only_when_none_is_required),
        TEST(a_service_is_compiled_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
