/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/oauth/claim_binding.c, claim_party.c, claim_age.c, and scopes of which one will do: what an
 * operator may demand beside what every token is asked for.  By value at every boundary, with the
 * exact reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "oauth/claims.h"
#include "oauth/provider.h"

#define NOW_S  100000
#define SKEW_S 60
#define OK     POSTERN_OK
#define HEAD                                                                                       \
    "{\"iss\":\"https://sso.example.org\",\"aud\":\"imap\",\"sub\":\"alice\",\"exp\":100300"
#define BASE HEAD ",\"client_id\":\"agent-7\",\"iat\":100000"

static const char *const audiences[] = { "imap" };
static postern_arena arena = POSTERN_ARENA_INIT(1 << 20);
static struct claim_path paths[4];

/* The certificate whose SHA-256 is 32 times this byte. */
#define CERT_43  "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI"
#define OTHER_43 "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M"
static uint8_t cert[POSTERN_BOUND_CERT_LEN];

static int set_up(void **state)
{
    static const char *const names[] = { "client_id", "azp", "cid", "purpose" };

    (void)state;
    memset(cert, 'B', sizeof cert);
    for (size_t i = 0; i < 4; i++)
        if (postern_claim_path_parse(&arena, names[i], &paths[i], NULL) != POSTERN_OK)
            return -1;
    return 0;
}

static struct claim_rules make_rules(void)
{
    return (struct claim_rules){
        .issuer = "https://sso.example.org",
        .audiences = audiences,
        .audience_count = 1,
        .skew_s = SKEW_S,
        .agents = paths,
        .agent_count = 3,
        .purpose = paths[3],
    };
}

struct claim_case {
    const char *why, *json;
    postern_err want;
};

static postern_err check(const struct claim_rules *rules, const struct claim_login *login,
                         const char *json, struct postern_grant_facts *facts, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO_JSON j = { 0 };

    if (postern_json_scan(&j, postern_bytes_str(json), err) != POSTERN_OK)
        fail_msg("%s: %s", json, err->detail);
    return postern_claims_check(rules, &j, login, &scratch, NULL, facts, err);
}

static void judge(const struct claim_rules *rules, const struct claim_login *login,
                  const struct claim_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct postern_grant_facts facts = { 0 };
        postern_error err = { 0 };
        postern_err e = check(rules, login, cases[i].json, &facts, &err);

        if (e != cases[i].want || (e != POSTERN_OK && err.code != e))
            fail_msg("%s: wanted %s, got %s (%s)", cases[i].why, postern_err_reason(cases[i].want),
                     postern_err_reason(e), err.detail);
    }
}
#define JUDGE(rules, login, cases) judge(rules, login, cases, sizeof(cases) / sizeof *(cases))

static const struct claim_login plain = { .now_s = NOW_S };
static const struct claim_login with_cert = {
    .now_s = NOW_S, .client_cert_sha256 = { cert, sizeof cert }
};

/* ---- cnf ---- */

#define CNF(members) BASE ",\"cnf\":{" members "}}"
#define X5T(value)   CNF("\"x5t#S256\":" value)

static void a_token_counts_with_the_certificate_that_it_is_bound_to(void **state)
{
    static const struct claim_case cases[] = {
        { "the certificate", X5T("\"" CERT_43 "\""), OK },
        { "its name with an escape", CNF("\"x5t\\u0023S256\":\"" CERT_43 "\""), OK },
        { "its value with an escape", X5T("\"\\u0051kJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\""),
          OK },
        { "not bound at all", BASE "}", OK },
        { "another certificate", X5T("\"" OTHER_43 "\""), POSTERN_ERR_CNF },
        { "the last byte", X5T("\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkM\""), POSTERN_ERR_CNF },
        { "a bit behind the last one", X5T("\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ\""),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "the first byte", X5T("\"Q0JCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\""), POSTERN_ERR_CNF },
        { "a byte less", X5T("\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg\""),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "a byte more", X5T("\"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC\""),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "padding", X5T("\"" CERT_43 "=\""), POSTERN_ERR_MALFORMED_CLAIM },
        { "the other alphabet", X5T("\"+kJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\""),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "hexadecimal",
          X5T("\"4242424242424242424242424242424242424242424242424242424242424242\""),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "empty", X5T("\"\""), POSTERN_ERR_MALFORMED_CLAIM },
        { "a number", X5T("42"), POSTERN_ERR_MALFORMED_CLAIM },
        { "null", X5T("null"), POSTERN_ERR_MALFORMED_CLAIM },
        { "an array of it", X5T("[\"" CERT_43 "\"]"), POSTERN_ERR_MALFORMED_CLAIM },
        { "a DPoP key", CNF("\"jkt\":\"" CERT_43 "\""), POSTERN_ERR_CNF },
        { "a DPoP key besides", CNF("\"x5t#S256\":\"" CERT_43 "\",\"jkt\":\"" CERT_43 "\""),
          POSTERN_ERR_CNF },
        { "something unknown besides", CNF("\"x5t#S256\":\"" CERT_43 "\",\"kid\":\"1\""),
          POSTERN_ERR_CNF },
        { "the name in another case", CNF("\"X5T#s256\":\"" CERT_43 "\""), POSTERN_ERR_CNF },
        { "SHA-1", CNF("\"x5t\":\"" CERT_43 "\""), POSTERN_ERR_CNF },
        { "nothing in it", CNF(""), POSTERN_ERR_CNF },
        { "no object", BASE ",\"cnf\":\"" CERT_43 "\"}", POSTERN_ERR_MALFORMED_CLAIM },
        { "false", BASE ",\"cnf\":false}", POSTERN_ERR_MALFORMED_CLAIM },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    JUDGE(&rules, &with_cert, cases);
}

static void a_bound_token_without_a_certificate_is_no_bearer_token(void **state)
{
    static const struct claim_case cases[] = {
        { "not bound", BASE "}", OK },
        { "bound", X5T("\"" CERT_43 "\""), POSTERN_ERR_CNF },
        { "bound to zeros", X5T("\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""), POSTERN_ERR_CNF },
        { "bound to nothing", X5T("\"\""), POSTERN_ERR_MALFORMED_CLAIM },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    JUDGE(&rules, &plain, cases);
}

static void the_facts_keep_the_certificate_of_a_bound_token_alone(void **state)
{
    struct claim_rules rules = make_rules();
    struct postern_grant_facts facts;

    (void)state;
    assert_int_equal(check(&rules, &with_cert, X5T("\"" CERT_43 "\""), &facts, NULL), POSTERN_OK);
    assert_true(postern_bytes_equal(facts.bound_cert, with_cert.client_cert_sha256));
    assert_int_equal(check(&rules, &with_cert, BASE "}", &facts, NULL), POSTERN_OK);
    assert_int_equal(facts.bound_cert.len, 0);
}

/* ---- allowed_clients ---- */

#define NAMED(members) HEAD ",\"iat\":100000," members "}"

static void only_clients_of_the_list_come_in_under_every_name_that_they_have(void **state)
{
    static const char *const clients[] = { "agent-7", "agent-8" };
    static const struct claim_case cases[] = {
        { "client_id", NAMED("\"client_id\":\"agent-7\""), OK },
        { "the second of the list", NAMED("\"client_id\":\"agent-8\""), OK },
        { "azp", NAMED("\"azp\":\"agent-7\""), OK },
        { "what agent_claim finds", NAMED("\"cid\":\"agent-7\""), OK },
        { "both alike", NAMED("\"client_id\":\"agent-7\",\"azp\":\"agent-7\""), OK },
        { "both on the list", NAMED("\"client_id\":\"agent-7\",\"azp\":\"agent-8\""), OK },
        { "another client", NAMED("\"client_id\":\"agent-9\""), POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "another azp", NAMED("\"azp\":\"agent-9\""), POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "a good client_id beside a bad azp", NAMED("\"client_id\":\"agent-7\",\"azp\":\"evil\""),
          POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "a good azp beside a bad client_id", NAMED("\"client_id\":\"evil\",\"azp\":\"agent-7\""),
          POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "a beginning", NAMED("\"client_id\":\"agent-\""), POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "more than the name", NAMED("\"client_id\":\"agent-77\""), POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "in capitals", NAMED("\"client_id\":\"Agent-7\""), POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "the subject is no client", NAMED("\"x\":\"agent-7\""), POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "who acts is another matter", NAMED("\"client_id\":\"evil\",\"act\":{\"sub\":\"agent-7\"}"),
          POSTERN_ERR_CLIENT_NOT_ALLOWED },
        { "azp a number", NAMED("\"client_id\":\"agent-7\",\"azp\":7"), POSTERN_ERR_MALFORMED_CLAIM },
        { "azp a list", NAMED("\"client_id\":\"agent-7\",\"azp\":[\"agent-7\"]"),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "azp empty", NAMED("\"client_id\":\"agent-7\",\"azp\":\"\""), POSTERN_ERR_MALFORMED_CLAIM },
        { "azp with a newline", NAMED("\"client_id\":\"agent-7\",\"azp\":\"agent-7\\n\""),
          POSTERN_ERR_UNSAFE_IDENTITY },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    rules.clients = clients;
    rules.client_count = 2;
    JUDGE(&rules, &plain, cases);
}

/* ---- may_act ---- */

#define ACTS(act, may) BASE ",\"act\":" act ",\"may_act\":" may "}"
#define MAY(may)       BASE ",\"may_act\":" may "}"

static void who_acts_is_whom_the_token_lets_act(void **state)
{
    static const struct claim_case cases[] = {
        { "nobody acts yet", MAY("{\"sub\":\"mcp\"}"), OK },
        { "by client_id", MAY("{\"client_id\":\"mcp\"}"), OK },
        { "with what we do not know, but nobody acts", MAY("{\"sub\":\"mcp\",\"x\":\"y\"}"), OK },
        { "the one who acts", ACTS("{\"sub\":\"mcp\"}", "{\"sub\":\"mcp\"}"), OK },
        { "by client_id", ACTS("{\"sub\":\"mcp\"}", "{\"client_id\":\"mcp\"}"), OK },
        { "of the token's issuer",
          ACTS("{\"sub\":\"mcp\"}", "{\"sub\":\"mcp\",\"iss\":\"https://sso.example.org\"}"), OK },
        { "of another issuer, both say",
          ACTS("{\"sub\":\"mcp\",\"iss\":\"https://x.example\"}",
               "{\"sub\":\"mcp\",\"iss\":\"https://x.example\"}"),
          OK },
        { "act alone", BASE ",\"act\":{\"sub\":\"mcp\"}}", OK },
        { "another acts", ACTS("{\"sub\":\"evil\"}", "{\"sub\":\"mcp\"}"),
          POSTERN_ERR_ACTOR_NOT_ALLOWED },
        { "another client acts", ACTS("{\"sub\":\"evil\"}", "{\"client_id\":\"mcp\"}"),
          POSTERN_ERR_ACTOR_NOT_ALLOWED },
        { "sub fits, client_id does not", ACTS("{\"sub\":\"mcp\"}",
                                               "{\"sub\":\"mcp\",\"client_id\":\"x\"}"),
          POSTERN_ERR_ACTOR_NOT_ALLOWED },
        { "of the same name elsewhere",
          ACTS("{\"sub\":\"mcp\",\"iss\":\"https://x.example\"}",
               "{\"sub\":\"mcp\",\"iss\":\"https://sso.example.org\"}"),
          POSTERN_ERR_ACTOR_NOT_ALLOWED },
        { "history is no excuse", ACTS("{\"sub\":\"evil\",\"act\":{\"sub\":\"mcp\"}}",
                                       "{\"sub\":\"mcp\"}"),
          POSTERN_ERR_ACTOR_NOT_ALLOWED },
        { "a limit that we do not know", ACTS("{\"sub\":\"mcp\"}", "{\"sub\":\"mcp\",\"x\":\"y\"}"),
          POSTERN_ERR_ACTOR_NOT_ALLOWED },
        { "a string", MAY("\"mcp\""), POSTERN_ERR_MALFORMED_CLAIM },
        { "a list", MAY("[{\"sub\":\"mcp\"}]"), POSTERN_ERR_MALFORMED_CLAIM },
        { "null", MAY("null"), POSTERN_ERR_MALFORMED_CLAIM },
        { "names nobody", MAY("{}"), POSTERN_ERR_MALFORMED_CLAIM },
        { "names an issuer alone", MAY("{\"iss\":\"https://x.example\"}"),
          POSTERN_ERR_MALFORMED_CLAIM },
        { "sub a number", MAY("{\"sub\":1}"), POSTERN_ERR_MALFORMED_CLAIM },
        { "something inside it", MAY("{\"sub\":\"mcp\",\"cnf\":{}}"), POSTERN_ERR_MALFORMED_CLAIM },
        { "sub empty", MAY("{\"sub\":\"\"}"), POSTERN_ERR_MALFORMED_CLAIM },
        { "sub with a newline", MAY("{\"sub\":\"a\\n\"}"), POSTERN_ERR_UNSAFE_IDENTITY },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    JUDGE(&rules, &plain, cases);
}

/* ---- ages ---- */

#define TIMES(exp, iat) \
    "{\"iss\":\"https://sso.example.org\",\"aud\":\"imap\",\"sub\":\"alice\",\"client_id\":\"a\"," \
    "\"exp\":" exp iat "}"

static void a_token_may_be_so_old_and_live_so_long(void **state)
{
    static const struct claim_case age[] = {
        { "new", TIMES("200000", ",\"iat\":100000"), OK },
        { "600 s and the skew", TIMES("200000", ",\"iat\":99340"), OK },
        { "from the future, within the skew", TIMES("200000", ",\"iat\":100060"), OK },
        { "a second older", TIMES("200000", ",\"iat\":99339"), POSTERN_ERR_TOKEN_AGE },
        { "of 1970", TIMES("200000", ",\"iat\":0"), POSTERN_ERR_TOKEN_AGE },
        { "without iat", TIMES("200000", ""), POSTERN_ERR_CLAIM_MISSING },
        { "expired counts first", TIMES("99940", ",\"iat\":0"), POSTERN_ERR_EXPIRED },
    };
    static const struct claim_case life[] = {
        { "3600 s", TIMES("103600", ",\"iat\":100000"), OK },
        { "iat a fraction later", TIMES("103600", ",\"iat\":100000.9"), OK },
        { "3601 s", TIMES("103601", ",\"iat\":100000"), POSTERN_ERR_TOKEN_AGE },
        { "old, and for ever", TIMES("9007199254740991", ",\"iat\":0"), POSTERN_ERR_TOKEN_AGE },
        { "without iat", TIMES("103600", ""), POSTERN_ERR_CLAIM_MISSING },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    rules.max_token_age_s = 600;
    JUDGE(&rules, &plain, age);
    rules.max_token_age_s = 0;
    rules.max_lifetime_s = 3600;
    JUDGE(&rules, &plain, life);
}

#define AUTH(members) BASE members "}"

static void a_person_must_have_authenticated_lately(void **state)
{
    static const struct claim_case cases[] = {
        { "now", AUTH(",\"auth_time\":100000"), OK },
        { "900 s and the skew", AUTH(",\"auth_time\":99040"), OK },
        { "within the skew ahead", AUTH(",\"auth_time\":100060"), OK },
        { "a second more", AUTH(",\"auth_time\":99039"), POSTERN_ERR_AUTH_AGE },
        { "of 1970", AUTH(",\"auth_time\":0"), POSTERN_ERR_AUTH_AGE },
        { "not said", AUTH(""), POSTERN_ERR_AUTH_AGE },
        { "a second too far ahead", AUTH(",\"auth_time\":100061"), POSTERN_ERR_NOT_YET_VALID },
        { "a string", AUTH(",\"auth_time\":\"100000\""), POSTERN_ERR_MALFORMED_CLAIM },
        { "null", AUTH(",\"auth_time\":null"), POSTERN_ERR_MALFORMED_CLAIM },
        { "negative", AUTH(",\"auth_time\":-1"), POSTERN_ERR_MALFORMED_CLAIM },
        { "an agent's own token",
          "{\"iss\":\"https://sso.example.org\",\"aud\":\"imap\",\"exp\":100300,\"iat\":100000,"
          "\"sub\":\"agent-7\",\"client_id\":\"agent-7\",\"auth_time\":100000}",
          POSTERN_ERR_AUTH_AGE },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    rules.max_auth_age_s = 900;
    JUDGE(&rules, &plain, cases);
}

static void a_person_must_have_authenticated_in_one_of_these_ways(void **state)
{
    static const char *const acrs[] = { "urn:example:mfa", "2" };
    static const struct claim_case cases[] = {
        { "the first", AUTH(",\"acr\":\"urn:example:mfa\""), OK },
        { "the second", AUTH(",\"acr\":\"2\""), OK },
        { "with an escape", AUTH(",\"acr\":\"\\u0032\""), OK },
        { "another", AUTH(",\"acr\":\"1\""), POSTERN_ERR_ACR },
        { "a beginning", AUTH(",\"acr\":\"urn:example:mf\""), POSTERN_ERR_ACR },
        { "in capitals", AUTH(",\"acr\":\"URN:example:mfa\""), POSTERN_ERR_ACR },
        { "empty", AUTH(",\"acr\":\"\""), POSTERN_ERR_ACR },
        { "not said", AUTH(""), POSTERN_ERR_ACR },
        { "a number is not its text", AUTH(",\"acr\":2"), POSTERN_ERR_MALFORMED_CLAIM },
        { "a list", AUTH(",\"acr\":[\"2\"]"), POSTERN_ERR_MALFORMED_CLAIM },
        { "an agent's own token",
          "{\"iss\":\"https://sso.example.org\",\"aud\":\"imap\",\"exp\":100300,\"iat\":100000,"
          "\"sub\":\"agent-7\",\"client_id\":\"agent-7\",\"acr\":\"2\"}",
          POSTERN_ERR_ACR },
    };
    struct claim_rules rules = make_rules();

    (void)state;
    rules.acrs = acrs;
    rules.acr_count = 2;
    JUDGE(&rules, &plain, cases);
    assert_string_equal(postern_err_oauth(POSTERN_ERR_ACR), "insufficient_user_authentication");
    assert_string_equal(postern_err_oauth(POSTERN_ERR_AUTH_AGE), "insufficient_user_authentication");
}

/* Its login was judged by the clock; what is judged again is what the token says of its issue. */
static void a_live_session_ages_no_further_than_its_token_had(void **state)
{
    static const struct claim_case cases[] = {
        { "authenticated 900 s before the issue", AUTH(",\"auth_time\":99040"), OK },
        { "and a second more", AUTH(",\"auth_time\":99039"), POSTERN_ERR_AUTH_AGE },
        { "not said", AUTH(""), POSTERN_ERR_AUTH_AGE },
    };
    const struct claim_login again = { .now_s = 100300 + SKEW_S - 1, .is_live_session = true };
    struct claim_rules rules = make_rules();

    (void)state;
    rules.max_auth_age_s = 900;
    rules.max_token_age_s = 60; /* the token is 359 s old by then */
    JUDGE(&rules, &again, cases);
}

/* ---- one of several scopes ---- */

#define SCOPE(text) BASE ",\"scope\":\"" text "\"}"

static void one_of_several_scopes_is_enough_and_none_is_not(void **state)
{
    static const char *const any[] = { "mail.read", "mail.admin" }, *const all[] = { "base" };
    static const struct claim_case cases[] = {
        { "the first", SCOPE("base mail.read"), OK },
        { "the second", SCOPE("mail.admin base"), OK },
        { "both", SCOPE("base mail.read mail.admin"), OK },
        { "none of them", SCOPE("base"), POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "more than the word", SCOPE("base mail.reader"), POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "in capitals", SCOPE("base MAIL.READ"), POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "not the one that all must have", SCOPE("mail.read mail.admin"),
          POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "no scope", BASE "}", POSTERN_ERR_INSUFFICIENT_SCOPE },
    };
    struct claim_rules rules = make_rules();
    struct postern_grant_facts facts;
    postern_error err = { 0 };

    (void)state;
    rules.scopes = all;
    rules.scope_count = 1;
    rules.any_scopes = any;
    rules.any_scope_count = 2;
    JUDGE(&rules, &plain, cases);
    assert_int_equal(check(&rules, &plain, SCOPE("base"), &facts, &err),
                     POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(err.detail, "one of the scopes \"mail.read\", \"mail.admin\" is wanted");
}

/* ---- Entra's name of a token ---- */

static void a_provider_may_name_its_tokens_by_another_claim(void **state)
{
    struct claim_rules rules = make_rules();
    struct postern_grant_facts facts;

    (void)state;
    assert_int_equal(check(&rules, &plain, BASE ",\"uti\":\"u-1\"}", &facts, NULL), POSTERN_OK);
    assert_int_equal(facts.jti.len, 0); /* no provider: nobody says what uti is */
    rules.provider = postern_provider("entra");
    assert_int_equal(check(&rules, &plain, BASE ",\"uti\":\"u-1\",\"scp\":\"x\"}", &facts, NULL),
                     POSTERN_OK);
    assert_int_equal(facts.jti.len, 3);
    assert_int_equal(check(&rules, &plain, BASE ",\"uti\":7,\"scp\":\"x\"}", &facts, NULL),
                     POSTERN_ERR_MALFORMED_CLAIM);
    assert_int_equal(check(&rules, &plain, BASE ",\"uti\":\"a\\nb\",\"scp\":\"x\"}", &facts, NULL),
                     POSTERN_ERR_UNSAFE_IDENTITY);
}

static postern_err check_everything(void *arg, postern_error *err)
{
    static const char *const clients[] = { "agent-7" }, *const acrs[] = { "2" }, *const any[] = { "x" };
    struct claim_rules rules = make_rules();
    struct postern_grant_facts facts;
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 20);

    rules.clients = clients;
    rules.acrs = acrs;
    rules.any_scopes = any;
    rules.client_count = rules.acr_count = rules.any_scope_count = 1;
    rules.max_auth_age_s = rules.max_token_age_s = rules.max_lifetime_s = 600;
    return postern_claims_check(&rules, arg, &with_cert, &scratch, NULL, &facts, err);
}

static void without_memory_nothing_is_refused_as_if_it_were_wrong(void **state)
{
    static const char json[] =
        BASE ",\"cnf\":{\"x5t#S256\":\"\\u0051kJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI\"},\"acr\":\"2\","
             "\"auth_time\":100000,\"azp\":\"agent-\\u0037\",\"act\":{\"sub\":\"m\\u0063p\",\"iss\":"
             "\"https://\\u0078\"},\"may_act\":{\"sub\":\"mcp\",\"iss\":\"https://\\u0078\"},"
             "\"scope\":\"x\"}";
    POSTERN_AUTO_JSON j = { 0 };

    (void)state;
    assert_int_equal(postern_json_scan(&j, postern_bytes_str(json), NULL), POSTERN_OK);
    assert_true(alloc_fail_sweep(check_everything, &j, POSTERN_OK) >= 1);
}

static int tear_down(void **state)
{
    (void)state;
    postern_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_counts_with_the_certificate_that_it_is_bound_to),
        cmocka_unit_test(a_bound_token_without_a_certificate_is_no_bearer_token),
        cmocka_unit_test(the_facts_keep_the_certificate_of_a_bound_token_alone),
        cmocka_unit_test(only_clients_of_the_list_come_in_under_every_name_that_they_have),
        cmocka_unit_test(who_acts_is_whom_the_token_lets_act),
        cmocka_unit_test(a_token_may_be_so_old_and_live_so_long),
        cmocka_unit_test(a_person_must_have_authenticated_lately),
        cmocka_unit_test(a_person_must_have_authenticated_in_one_of_these_ways),
        cmocka_unit_test(a_live_session_ages_no_further_than_its_token_had),
        cmocka_unit_test(one_of_several_scopes_is_enough_and_none_is_not),
        cmocka_unit_test(a_provider_may_name_its_tokens_by_another_claim),
        cmocka_unit_test(without_memory_nothing_is_refused_as_if_it_were_wrong),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
