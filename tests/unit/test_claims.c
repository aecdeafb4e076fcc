/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/claims.c: which proved claims count, by value at every boundary, and the exact reason
 * for each that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oauth/claims.h"

#define NOW_S  100000
#define SKEW_S 60
#define OK     POSTERN_OK
#define LONG_1K                                                                                    \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"
#define LONG_256                                                                                   \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef0123456789abcdef0123456789abcdef"

/* A token that is accepted; each case changes one member of it. */
static const struct {
    const char *name, *json;
} base[] = {
    { "iss", "\"https://sso.example.org/realms/agents\"" },
    { "aud", "\"https://mail.example.org/imap\"" },
    { "exp", "100300" },
    { "iat", "100000" },
    { "sub", "\"alice\"" },
    { "client_id", "\"agent-7\"" },
    { "jti", "\"t-1\"" },
    { "scope", "\"mail.read mail.write\"" },
};

struct claim_case {
    const char *why, *name;
    const char *json; /* NULL: the member is left out; else it takes the place of the one above, or
                         is added */
    postern_err want;
};

static postern_arena arena = POSTERN_ARENA_INIT(1 << 20);
static struct claim_path paths[8];

static const struct claim_path *parse_paths(size_t first, const char *const *texts, size_t count)
{
    postern_error err = { 0 };

    for (size_t i = 0; i < count; i++)
        assert_int_equal(postern_claim_path_parse(&arena, texts[i], &paths[first + i], &err),
                         POSTERN_OK);
    return &paths[first];
}

static struct claim_rules make_rules(void)
{
    static const char *const audiences[] = { "https://mail.example.org/pop",
                                             "https://mail.example.org/imap" };
    static const char *const required[] = { "sub", "client_id", "jti", "iat" };
    static const char *const agents[] = { "client_id", "azp", "appid" };
    static const char *const purpose[] = { "purpose" };
    static const char *const scopes[] = { "mail.read" };

    return (struct claim_rules){
        .issuer = "https://sso.example.org/realms/agents",
        .audiences = audiences,
        .audience_count = 2,
        .skew_s = SKEW_S,
        .required = parse_paths(0, required, 4),
        .required_count = 4,
        .agents = parse_paths(4, agents, 3),
        .agent_count = 3,
        .purpose = *parse_paths(7, purpose, 1),
        .scopes = scopes,
        .scope_count = 1,
    };
}

static char *payload(const char *name, const char *json)
{
    size_t room = 4096 + (json == NULL ? 0 : strlen(json)), used = 1;
    char *text = malloc(room);
    bool is_new = true;

    text[0] = '{';
    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        bool is_it = name != NULL && strcmp(name, base[i].name) == 0;
        const char *value = is_it ? json : base[i].json;

        is_new = is_new && !is_it;
        if (value != NULL)
            used += (size_t)snprintf(text + used, room - used, "%s\"%s\":%s", used == 1 ? "" : ",",
                                     base[i].name, value);
    }
    if (is_new && name != NULL && json != NULL)
        used += (size_t)snprintf(text + used, room - used, ",\"%s\":%s", name, json);
    assert_true((size_t)snprintf(text + used, room - used, "}") == 1);
    return text;
}

/* One judgement with everything that it needs, kept until the next. */
static struct run {
    char *text;
    postern_json json;
    postern_buf scratch;
    struct postern_grant_facts facts;
    postern_error err;
} run;

static void clear_run(void)
{
    free(run.text);
    postern_json_free(&run.json);
    postern_buf_free(&run.scratch);
    memset(&run, 0, sizeof run);
    run.scratch = POSTERN_BUF_INIT(1 << 20);
}

static postern_err check_login(const struct claim_rules *rules, char *take_text,
                               const struct claim_login *login)
{
    clear_run();
    run.text = take_text;
    if (postern_json_scan(&run.json, postern_bytes_str(run.text), &run.err) != POSTERN_OK)
        fail_msg("%s: %s", run.text, run.err.detail);
    return postern_claims_check(rules, &run.json, login, &run.scratch, NULL, &run.facts, &run.err);
}

static postern_err check_text(const struct claim_rules *rules, char *take_text,
                              const char *extra_scopes)
{
    const struct claim_login login = { .now_s = NOW_S,
                                       .extra_scopes = postern_bytes_str(extra_scopes) };

    return check_login(rules, take_text, &login);
}

static void judge(const struct claim_rules *rules, const struct claim_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        postern_err e = check_text(rules, payload(cases[i].name, cases[i].json), "");

        if (e != cases[i].want || (e != POSTERN_OK && run.err.code != e))
            fail_msg("%s: wanted %s, got %s (%s)", cases[i].why, postern_err_reason(cases[i].want),
                     postern_err_reason(e), run.err.detail);
    }
    clear_run();
}

#define JUDGE(cases)                                                                               \
    do {                                                                                           \
        struct claim_rules rules_ = make_rules();                                                  \
        judge(&rules_, cases, sizeof(cases) / sizeof *(cases));                                    \
    } while (0)

static void a_good_token_yields_its_facts(void **state)
{
    struct claim_rules rules = make_rules();

    (void)state;
    assert_int_equal(check_text(&rules, payload("purpose", "\"read the \\u00fcber mail\""), ""),
                     POSTERN_OK);
    assert_true(postern_bytes_equal_str(run.facts.issuer, "https://sso.example.org/realms/agents"));
    assert_true(postern_bytes_equal_str(run.facts.audience, "https://mail.example.org/imap"));
    assert_true(postern_bytes_equal_str(run.facts.subject, "alice"));
    assert_true(postern_bytes_equal_str(run.facts.client_id, "agent-7"));
    assert_true(postern_bytes_equal_str(run.facts.jti, "t-1"));
    assert_true(postern_bytes_equal_str(run.facts.scope, "mail.read mail.write"));
    assert_true(postern_bytes_equal_str(run.facts.purpose, "read the \xc3\xbc"
                                                           "ber mail"));
    assert_int_equal(run.facts.exp_s, 100300);
    assert_int_equal(run.facts.iat_s, 100000);
    assert_int_equal(run.facts.act_depth, 0);
    assert_true(postern_bytes_equal_str(run.facts.claims, run.text));
    assert_int_equal(run.facts.user.len, 0);
    clear_run();
}

static void the_issuer_is_compared_byte_for_byte(void **state)
{
    static const struct claim_case cases[] = {
        { "with escapes it is the same text", "iss",
          "\"https:\\/\\/sso.example.org\\/realms\\/\\u0061gents\"", OK },
        { "missing", "iss", NULL, POSTERN_ERR_ISS },
        { "a slash more", "iss", "\"https://sso.example.org/realms/agents/\"", POSTERN_ERR_ISS },
        { "a slash less", "iss", "\"https://sso.example.org/realms\"", POSTERN_ERR_ISS },
        { "host in capitals", "iss", "\"https://SSO.example.org/realms/agents\"", POSTERN_ERR_ISS },
        { "default port", "iss", "\"https://sso.example.org:443/realms/agents\"", POSTERN_ERR_ISS },
        { "Entra's template", "iss", "\"https://sso.example.org/{tenantid}\"", POSTERN_ERR_ISS },
        { "empty", "iss", "\"\"", POSTERN_ERR_ISS },
        { "an array", "iss", "[\"https://sso.example.org/realms/agents\"]", POSTERN_ERR_ISS },
        { "null", "iss", "null", POSTERN_ERR_ISS },
        { "true", "iss", "true", POSTERN_ERR_ISS },
    };
    (void)state;
    JUDGE(cases);
}

static void the_audience_must_be_one_of_ours(void **state)
{
    static const struct claim_case cases[] = {
        { "the other one", "aud", "\"https://mail.example.org/pop\"", OK },
        { "an array of it", "aud", "[\"https://mail.example.org/imap\"]", OK },
        { "an array with it at the end", "aud", "[\"a\",\"b\",\"https://mail.example.org/imap\"]",
          OK },
        { "missing", "aud", NULL, POSTERN_ERR_AUD },
        { "empty", "aud", "\"\"", POSTERN_ERR_AUD },
        { "empty array", "aud", "[]", POSTERN_ERR_AUD },
        { "another", "aud", "\"https://mail.example.org/smtp\"", POSTERN_ERR_AUD },
        { "a part of it", "aud", "\"https://mail.example.org/\"", POSTERN_ERR_AUD },
        { "more than it", "aud", "\"https://mail.example.org/imap/x\"", POSTERN_ERR_AUD },
        { "another case", "aud", "\"https://mail.example.org/IMAP\"", POSTERN_ERR_AUD },
        { "array of others", "aud", "[\"a\",\"https://mail.example.org/imap/\"]", POSTERN_ERR_AUD },
        { "array in an array", "aud", "[[\"https://mail.example.org/imap\"]]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "a number beside it", "aud", "[\"https://mail.example.org/imap\",1]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "null before it", "aud", "[null,\"https://mail.example.org/imap\"]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "an object", "aud", "{\"https://mail.example.org/imap\":true}",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "aud", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "a number", "aud", "7", POSTERN_ERR_MALFORMED_CLAIM },
    };
    (void)state;
    JUDGE(cases);
}

/* `count` entries, the last one ours. */
static char *many_audiences(size_t count)
{
    char *json = malloc(count * 4 + 64);
    size_t used = (size_t)snprintf(json, 64, "[");

    for (size_t i = 1; i < count; i++)
        used += (size_t)snprintf(json + used, 8, "\"x\",");
    (void)snprintf(json + used, 60, "\"https://mail.example.org/imap\"]");
    return json;
}

static void an_audience_list_has_at_most_256_entries(void **state)
{
    struct claim_rules rules = make_rules();
    char *json = many_audiences(256);

    (void)state;
    assert_int_equal(check_text(&rules, payload("aud", json), ""), POSTERN_OK);
    free(json);
    json = many_audiences(257);
    assert_int_equal(check_text(&rules, payload("aud", json), ""), POSTERN_ERR_LIMIT);
    free(json);
    json = many_audiences(1000);
    assert_int_equal(check_text(&rules, payload("aud", json), ""), POSTERN_ERR_LIMIT);
    free(json);
    clear_run();
}

static void times_are_judged_with_skew_to_the_second(void **state)
{
    static const struct claim_case cases[] = {
        { "last second of the skew", "exp", "99941", OK },
        { "a fraction is cut off", "exp", "99941.999", OK },
        { "exponent", "exp", "1e15", OK },
        { "largest", "exp", "9007199254740991", OK },
        { "exactly exp + skew is expired", "exp", "99940", POSTERN_ERR_EXPIRED },
        { "a fraction does not round up", "exp", "99940.999", POSTERN_ERR_EXPIRED },
        { "long ago", "exp", "1", POSTERN_ERR_EXPIRED },
        { "the epoch", "exp", "0", POSTERN_ERR_EXPIRED },
        { "missing", "exp", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "negative", "exp", "-1", POSTERN_ERR_MALFORMED_CLAIM },
        { "a string", "exp", "\"100300\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "beyond 2^53-1", "exp", "9007199254740992", POSTERN_ERR_MALFORMED_CLAIM },
        { "2^63", "exp", "9223372036854775808", POSTERN_ERR_MALFORMED_CLAIM },
        { "1e30", "exp", "1e30", POSTERN_ERR_MALFORMED_CLAIM },
        { "1e400", "exp", "1e400", POSTERN_ERR_MALFORMED_CLAIM },
        { "true", "exp", "true", POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "exp", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "an array", "exp", "[100300]", POSTERN_ERR_MALFORMED_CLAIM },
        { "skew - 1 ahead", "nbf", "100059", OK },
        { "exactly skew ahead", "nbf", "100060", OK },
        { "skew + 1 ahead", "nbf", "100061", POSTERN_ERR_NOT_YET_VALID },
        { "far ahead", "nbf", "9007199254740991", POSTERN_ERR_NOT_YET_VALID },
        { "a string", "nbf", "\"0\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "nbf", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "iat exactly skew ahead", "iat", "100060", OK },
        { "iat far in the past", "iat", "0", OK },
        { "iat skew + 1 ahead", "iat", "100061", POSTERN_ERR_NOT_YET_VALID },
        { "iat negative", "iat", "-5", POSTERN_ERR_MALFORMED_CLAIM },
        { "iat a string", "iat", "\"100000\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "iat false", "iat", "false", POSTERN_ERR_MALFORMED_CLAIM },
        { "iat missing", "iat", NULL, POSTERN_ERR_CLAIM_MISSING },
    };
    (void)state;
    JUDGE(cases);
}

static void identities_are_there_and_safe_to_show(void **state)
{
    static const struct claim_case cases[] = {
        { "letters of any language", "sub", "\"J\\u00fcrgen \\u6771\\u4eac\"", OK },
        { "no-break space is no control", "sub", "\"a\\u00a0b\"", OK },
        { "exactly 1 KiB", "sub", "\"" LONG_1K "\"", OK },
        { "a byte more", "sub", "\"" LONG_1K "x\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "missing", "sub", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "empty", "sub", "\"\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "a number", "sub", "7", POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "sub", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "an array", "sub", "[\"alice\"]", POSTERN_ERR_MALFORMED_CLAIM },
        { "newline", "sub", "\"alice\\nroot\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "escape", "sub", "\"\\u001b[2J\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "SASL's separator", "sub", "\"alice\\u0001\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "DEL", "sub", "\"alice\\u007f\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "C1 first", "sub", "\"alice\\u0080\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "C1 last", "sub", "\"alice\\u009f\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "C1 raw", "sub", "\"alice\xc2\x85\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "client_id missing", "client_id", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "client_id empty", "client_id", "\"\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "client_id with a tab", "client_id", "\"a\\tb\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "client_id a list", "client_id", "[\"agent-7\"]", POSTERN_ERR_MALFORMED_CLAIM },
        { "jti missing", "jti", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "jti a number", "jti", "1", POSTERN_ERR_MALFORMED_CLAIM },
        { "jti empty", "jti", "\"\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "azp beside client_id does not count", "azp", "7", OK },
        { "purpose of 256 bytes", "purpose", "\"" LONG_256 "\"", OK },
        { "purpose of 257", "purpose", "\"" LONG_256 "x\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "purpose with a newline", "purpose", "\"a\\nb\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "purpose an object", "purpose", "{}", POSTERN_ERR_MALFORMED_CLAIM },
    };
    (void)state;
    JUDGE(cases);
}

static void a_bound_token_is_refused_without_its_proof(void **state)
{
    static const struct claim_case cases[] = {
        { "certificate", "cnf", "{\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0\"}",
          POSTERN_ERR_CNF },
        /* as printed there, with a bit behind the 256 */
        { "RFC 8705 §3.1", "cnf",
          "{\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2\"}",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "key", "cnf", "{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}",
          POSTERN_ERR_CNF },
        { "no method", "cnf", "{}", POSTERN_ERR_CNF },
        { "unknown method", "cnf", "{\"x\":\"y\"}", POSTERN_ERR_CNF },
        { "a whole key", "cnf", "{\"jwk\":{\"kty\":\"EC\"}}", POSTERN_ERR_CNF },
        { "null", "cnf", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "a string", "cnf", "\"x5t#S256\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "an array", "cnf", "[{\"x5t#S256\":\"x\"}]", POSTERN_ERR_MALFORMED_CLAIM },
        { "who else may act is the exchange's business", "may_act", "{\"sub\":\"someone\"}", OK },
        { "the shape of an ID token is typ's business", "nonce", "\"n\"", OK },
    };
    (void)state;
    JUDGE(cases);
}

/* {"sub":"a1","act":{"sub":"a2",…}} of `depth` actors. */
static char *actors(unsigned depth)
{
    char *json = malloc(depth * 32 + 1);
    size_t used = 0;

    for (unsigned i = 1; i <= depth; i++)
        used +=
            (size_t)snprintf(json + used, 32, "%s{\"sub\":\"a%u\"", i == 1 ? "" : ",\"act\":", i);
    for (unsigned i = 1; i <= depth; i++)
        json[used++] = '}';
    json[used] = '\0';
    return json;
}

static void actors_are_read_from_the_outside_in(void **state)
{
    static const struct claim_case cases[] = {
        { "with its issuer", "act", "{\"sub\":\"a\",\"iss\":\"https://x.example\"}", OK },
        { "no sub", "act", "{\"iss\":\"https://x.example\"}", POSTERN_ERR_MALFORMED_CLAIM },
        { "empty", "act", "{}", POSTERN_ERR_MALFORMED_CLAIM },
        { "a string", "act", "\"a\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "act", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "an array", "act", "[{\"sub\":\"a\"}]", POSTERN_ERR_MALFORMED_CLAIM },
        { "sub a number", "act", "{\"sub\":1}", POSTERN_ERR_MALFORMED_CLAIM },
        { "sub empty", "act", "{\"sub\":\"\"}", POSTERN_ERR_MALFORMED_CLAIM },
        { "sub with a newline", "act", "{\"sub\":\"a\\n\"}", POSTERN_ERR_UNSAFE_IDENTITY },
        { "something else inside", "act", "{\"sub\":\"a\",\"n\":1}", POSTERN_ERR_MALFORMED_CLAIM },
        { "inner actor without sub", "act", "{\"sub\":\"a\",\"act\":{}}",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "inner actor a string", "act", "{\"sub\":\"a\",\"act\":\"b\"}",
          POSTERN_ERR_MALFORMED_CLAIM },
    };
    struct claim_rules rules = make_rules();
    char *json;

    (void)state;
    JUDGE(cases);
    json = actors(5);
    assert_int_equal(check_text(&rules, payload("act", json), ""), POSTERN_OK);
    assert_int_equal(run.facts.act_depth, 5);
    assert_true(postern_bytes_equal_str(run.facts.act[0], "a1"));
    assert_true(postern_bytes_equal_str(run.facts.act[4], "a5"));
    free(json);
    json = actors(8);
    assert_int_equal(check_text(&rules, payload("act", json), ""), POSTERN_OK);
    free(json);
    json = actors(9);
    assert_int_equal(check_text(&rules, payload("act", json), ""), POSTERN_ERR_LIMIT);
    free(json);
    clear_run();
}

static void lineage_is_names_and_nothing_else(void **state)
{
    static const struct claim_case cases[] = {
        { "a grant", "grant_id", "\"g-1\"", OK },
        { "no grant", "grant_id", "\"\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "a number", "grant_id", "7", POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "grant_id", "null", POSTERN_ERR_MALFORMED_CLAIM },
        { "a control character", "grant_id", "\"g\\n1\"", POSTERN_ERR_UNSAFE_IDENTITY },
        { "one parent", "derived_from", "[\"t-0\"]", OK },
        { "sixteen parents", "derived_from",
          "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\","
          "\"15\",\"16\"]",
          OK },
        { "seventeen parents", "derived_from",
          "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\","
          "\"15\",\"16\",\"17\"]",
          POSTERN_ERR_LIMIT },
        { "no parent in the list", "derived_from", "[]", POSTERN_ERR_MALFORMED_CLAIM },
        { "not a list", "derived_from", "\"t-0\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "an empty parent", "derived_from", "[\"t-0\",\"\"]", POSTERN_ERR_MALFORMED_CLAIM },
        { "a parent that is a number", "derived_from", "[\"t-0\",1]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "a list in the list", "derived_from", "[[\"t-0\"]]", POSTERN_ERR_MALFORMED_CLAIM },
        { "a parent with a NUL", "derived_from", "[\"t\\u00010\"]",
          POSTERN_ERR_UNSAFE_IDENTITY },
        { "details", "authorization_details", "[{\"type\":\"db\",\"n\":[1,{}]},{\"type\":\"x\"}]",
          OK },
        { "details without a type", "authorization_details", "[{\"type\":\"db\"},{\"n\":1}]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "a type that is no text", "authorization_details", "[{\"type\":1}]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "details that are no objects", "authorization_details", "[\"db\"]",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "one object", "authorization_details", "{\"type\":\"db\"}",
          POSTERN_ERR_MALFORMED_CLAIM },
        { "no details in the list", "authorization_details", "[]", POSTERN_ERR_MALFORMED_CLAIM },
    };

    (void)state;
    JUDGE(cases);
}

static void lineage_is_kept_as_it_was_signed(void **state)
{
    struct claim_rules rules = make_rules();
    char *text = payload("derived_from", "[\"t-0\",\"t\\u002d9\"],\"grant_id\":\"g-1\","
                                         "\"authorization_details\":[ {\"type\":\"a\\u0062\"} ]");

    (void)state;
    assert_int_equal(check_text(&rules, text, ""), POSTERN_OK);
    assert_int_equal(run.facts.derived_count, 2);
    assert_true(postern_bytes_equal_str(run.facts.derived_from[0], "t-0"));
    assert_true(postern_bytes_equal_str(run.facts.derived_from[1], "t-9"));
    assert_true(postern_bytes_equal_str(run.facts.grant_id, "g-1"));
    assert_true(postern_bytes_equal_str(run.facts.authorization_details,
                                        "[ {\"type\":\"a\\u0062\"} ]"));
    assert_int_equal(check_text(&rules, payload(NULL, NULL), ""), POSTERN_OK);
    assert_int_equal(run.facts.derived_count, 0);
    assert_int_equal(run.facts.grant_id.len, 0);
    assert_int_equal(run.facts.authorization_details.len, 0);
    clear_run();
}

/* A list of `count` times `item`, in brackets. */
static char *list_of(const char *item, size_t count)
{
    size_t len = strlen(item);
    char *json = calloc(1, count * (len + 1) + 3), *at = json;

    *at++ = '[';
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            *at++ = ',';
        memcpy(at, item, len);
        at += len;
    }
    *at = ']';
    return json;
}

static void lineage_beyond_a_bound_is_refused(void **state)
{
    struct claim_rules rules = make_rules();
    char long_id[POSTERN_GRANT_ID_MAX + 4] = "\"";
    char *details = list_of("{\"type\":\"x\"}", POSTERN_DETAILS_ENTRIES_MAX);
    char *more = list_of("{\"type\":\"x\"}", POSTERN_DETAILS_ENTRIES_MAX + 1);
    char *large = calloc(1, POSTERN_DETAILS_MAX + 64);

    (void)state;
    memset(long_id + 1, 'g', POSTERN_GRANT_ID_MAX);
    long_id[POSTERN_GRANT_ID_MAX + 1] = '"';
    assert_int_equal(check_text(&rules, payload("grant_id", long_id), ""), POSTERN_OK);
    memcpy(long_id + POSTERN_GRANT_ID_MAX + 1, "g\"", 3);
    assert_int_equal(check_text(&rules, payload("grant_id", long_id), ""),
                     POSTERN_ERR_UNSAFE_IDENTITY);
    assert_int_equal(check_text(&rules, payload("authorization_details", details), ""), POSTERN_OK);
    assert_int_equal(check_text(&rules, payload("authorization_details", more), ""),
                     POSTERN_ERR_LIMIT);
    memcpy(large, "[{\"type\":\"", 10);
    memset(large + 10, 'x', POSTERN_DETAILS_MAX);
    memcpy(large + 10 + POSTERN_DETAILS_MAX, "\"}]", 4);
    assert_int_equal(check_text(&rules, payload("authorization_details", large), ""),
                     POSTERN_ERR_LIMIT);
    free(details);
    free(more);
    free(large);
    clear_run();
}

static void scopes_are_whole_words_with_one_space_between(void **state)
{
    static const struct claim_case cases[] = {
        { "alone", "scope", "\"mail.read\"", OK },
        { "at the end", "scope", "\"a b mail.read\"", OK },
        { "missing", "scope", NULL, POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "empty", "scope", "\"\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "longer word", "scope", "\"mail.reader\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "shorter word", "scope", "\"mail.rea\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "with a prefix", "scope", "\"xmail.read\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "another case", "scope", "\"Mail.Read\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "Entra's name for it", "scp", "[\"mail.read\"]", OK },
        { "double space", "scope", "\"mail.read  mail.write\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "space in front", "scope", "\" mail.read\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "space behind", "scope", "\"mail.read \"", POSTERN_ERR_MALFORMED_CLAIM },
        { "only a space", "scope", "\" \"", POSTERN_ERR_MALFORMED_CLAIM },
        { "tab", "scope", "\"mail.read\\tmail.write\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "newline", "scope", "\"mail.read\\nx\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "comma is part of a word", "scope", "\"mail.read,mail.write\"",
          POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "quotation mark", "scope", "\"mail.read \\\"\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "backslash", "scope", "\"mail.read \\\\\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "not ASCII", "scope", "\"mail.read \\u00e9\"", POSTERN_ERR_MALFORMED_CLAIM },
        { "an array", "scope", "[\"mail.read\"]", POSTERN_ERR_MALFORMED_CLAIM },
        { "null", "scope", "null", POSTERN_ERR_MALFORMED_CLAIM },
    };
    (void)state;
    JUDGE(cases);
}

static void a_scope_claim_has_at_most_8_kib(void **state)
{
    struct claim_rules rules = make_rules();
    char json[8300];

    (void)state;
    memset(json, 'x', sizeof json);
    memcpy(json, "\"mail.read ", 11);
    memcpy(json + 8193, "\"", 2);
    assert_int_equal(check_text(&rules, payload("scope", json), ""), POSTERN_OK);
    memcpy(json + 8193, "x\"", 3);
    assert_int_equal(check_text(&rules, payload("scope", json), ""), POSTERN_ERR_LIMIT);
    clear_run();
}

static void a_login_may_demand_more_scopes(void **state)
{
    struct claim_rules rules = make_rules();

    (void)state;
    assert_int_equal(check_text(&rules, payload(NULL, NULL), "mail.write "), POSTERN_OK);
    assert_int_equal(check_text(&rules, payload(NULL, NULL), "mail.write mail.admin "),
                     POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(run.err.detail, "scope \"mail.admin\" is missing");
    assert_int_equal(check_text(&rules, payload(NULL, NULL), "mail"),
                     POSTERN_ERR_INSUFFICIENT_SCOPE);
    clear_run();
}

static void the_agent_is_the_first_configured_claim_that_is_there(void **state)
{
    struct claim_rules rules = make_rules();

    (void)state;
    rules.required_count = 1; /* sub */
    assert_int_equal(
        check_text(&rules,
                   strdup("{\"iss\":\"https://sso.example.org/realms/agents\",\"aud\":"
                          "\"https://mail.example.org/imap\",\"exp\":100300,\"sub\":\"s\","
                          "\"appid\":\"third\",\"azp\":\"second\",\"scope\":\"mail.read\"}"),
                   ""),
        POSTERN_OK);
    assert_true(postern_bytes_equal_str(run.facts.client_id, "second"));
    assert_int_equal(run.facts.iat_s, -1);
    assert_int_equal(run.facts.jti.len, 0);
    rules.required_count = 0;
    assert_int_equal(
        check_text(
            &rules,
            strdup("{\"iss\":\"https://sso.example.org/realms/agents\",\"aud\":"
                   "\"https://mail.example.org/imap\",\"exp\":100300,\"scope\":\"mail.read\"}"),
            ""),
        POSTERN_ERR_CLAIM_MISSING);
    clear_run();
}

static void a_claim_name_with_escapes_is_the_same_claim(void **state)
{
    struct claim_rules rules = make_rules();

    (void)state;
    assert_int_equal(check_text(&rules, payload("c\\u006ef", "{}"), ""), POSTERN_ERR_CNF);
    assert_int_equal(check_text(&rules, payload("\\u006ebf", "100061"), ""),
                     POSTERN_ERR_NOT_YET_VALID);
    clear_run();
}

static void escaped_strings_stay_where_they_were_read(void **state)
{
    struct claim_rules rules = make_rules();
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1 << 16);

    (void)state;
    postern_buf_add_str(
        &text, "{\"iss\":\"https:\\/\\/sso.example.org\\/realms\\/agents\",\"aud\":"
               "\"https:\\/\\/mail.example.org\\/"
               "imap\",\"exp\":100300,\"iat\":100000,\"sub\":\"\\u0061lice\","
               "\"client_id\":\"\\u0061gent\",\"jti\":\"\\u0074\",\"scope\":\"mail\\u002eread\","
               "\"purpose\":\"\\u0070\",\"act\":{\"sub\":\"\\u0061\\u0062\"}}");
    assert_int_equal(check_text(&rules, strdup(postern_buf_cstr(&text)), ""), POSTERN_OK);
    assert_true(postern_bytes_equal_str(run.facts.issuer, "https://sso.example.org/realms/agents"));
    assert_true(postern_bytes_equal_str(run.facts.subject, "alice"));
    assert_true(postern_bytes_equal_str(run.facts.client_id, "agent"));
    assert_true(postern_bytes_equal_str(run.facts.scope, "mail.read"));
    assert_true(postern_bytes_equal_str(run.facts.act[0], "ab"));
    clear_run();
}

static void a_claim_path_has_at_most_eight_parts(void **state)
{
    struct claim_path path;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_claim_path_parse(&arena, "a.b.c.d.e.f.g.h", &path, &err), POSTERN_OK);
    assert_int_equal(path.count, 8);
    assert_int_equal(postern_claim_path_parse(&arena, "a.b.c.d.e.f.g.h.i", &path, &err),
                     POSTERN_ERR_CONFIG_VALUE);
}

/* A name that the table has and the look-up misses would be a claim that is never judged. */
static void every_known_claim_is_found_by_its_name_and_by_no_other(void **state)
{
    static const struct {
        const char *text;
        int name;
    } rows[] = {
        { "iss", CLAIM_ISS },
        { "sub", CLAIM_SUB },
        { "aud", CLAIM_AUD },
        { "exp", CLAIM_EXP },
        { "nbf", CLAIM_NBF },
        { "iat", CLAIM_IAT },
        { "jti", CLAIM_JTI },
        { "azp", CLAIM_AZP },
        { "cnf", CLAIM_CNF },
        { "act", CLAIM_ACT },
        { "acr", CLAIM_ACR },
        { "client_id", CLAIM_CLIENT_ID },
        { "may_act", CLAIM_MAY_ACT },
        { "auth_time", CLAIM_AUTH_TIME },
        { "scope", CLAIM_SCOPE },
        { "grant_id", CLAIM_GRANT_ID },
        { "derived_from", CLAIM_DERIVED_FROM },
        { "authorization_details", CLAIM_AUTHORIZATION_DETAILS },
        { "at_hash", CLAIM_AT_HASH },
        { "c_hash", CLAIM_C_HASH },
    };
    size_t count = sizeof rows / sizeof rows[0];

    (void)state;
    assert_int_equal(count, CLAIM_NAMES);
    for (size_t i = 0; i < count; i++) {
        struct claim_path path;
        char near[40];
        size_t len = strlen(rows[i].text);

        assert_int_equal(postern_claim_path_parse(&arena, rows[i].text, &path, NULL), OK);
        assert_int_equal(path.known, rows[i].name);
        for (size_t at = 0; at < len; at++) { /* one letter is another, or in upper case */
            memcpy(near, rows[i].text, len + 1);
            near[at] = near[at] == '_' ? 'x' : (char)(near[at] ^ 0x20);
            assert_int_equal(postern_claim_path_parse(&arena, near, &path, NULL), OK);
            assert_int_equal(path.known, -1);
        }
        memcpy(near, rows[i].text, len);
        memcpy(near + len, "s", 2);
        assert_int_equal(postern_claim_path_parse(&arena, near, &path, NULL), OK);
        assert_int_equal(path.known, -1);
        near[len - 1] = '\0';
        assert_int_equal(postern_claim_path_parse(&arena, near, &path, NULL), OK);
        assert_int_equal(path.known, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_yields_its_facts),
        cmocka_unit_test(the_issuer_is_compared_byte_for_byte),
        cmocka_unit_test(the_audience_must_be_one_of_ours),
        cmocka_unit_test(an_audience_list_has_at_most_256_entries),
        cmocka_unit_test(times_are_judged_with_skew_to_the_second),
        cmocka_unit_test(identities_are_there_and_safe_to_show),
        cmocka_unit_test(a_bound_token_is_refused_without_its_proof),
        cmocka_unit_test(actors_are_read_from_the_outside_in),
        cmocka_unit_test(lineage_is_names_and_nothing_else),
        cmocka_unit_test(lineage_is_kept_as_it_was_signed),
        cmocka_unit_test(lineage_beyond_a_bound_is_refused),
        cmocka_unit_test(scopes_are_whole_words_with_one_space_between),
        cmocka_unit_test(a_scope_claim_has_at_most_8_kib),
        cmocka_unit_test(a_login_may_demand_more_scopes),
        cmocka_unit_test(the_agent_is_the_first_configured_claim_that_is_there),
        cmocka_unit_test(a_claim_name_with_escapes_is_the_same_claim),
        cmocka_unit_test(escaped_strings_stay_where_they_were_read),
        cmocka_unit_test(a_claim_path_has_at_most_eight_parts),
        cmocka_unit_test(every_known_claim_is_found_by_its_name_and_by_no_other),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    clear_run();
    postern_buf_free(&run.scratch);
    postern_arena_free(&arena);
    return failed;
}
