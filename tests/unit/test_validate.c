/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/validate.c: one token's journey from bytes to a grant, the order of its steps, and what
 * a refused client is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/human.h>

#include "../support/test_login.h"

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

static void a_good_token_becomes_a_grant(void **state)
{
    char *token =
        test_login_token(&t, "act", "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"agent-8\"}}");
    postern_request rq = test_login_request(token);
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    assert_verdict("good", test_login_run(&t, &rq, &g), POSTERN_OK);
    free(token); /* the grant keeps nothing of the request */
    assert_int_equal(postern_grant_origin(g), POSTERN_ORIGIN_LOCAL_PROOF);
    assert_string_equal(postern_grant_service(g), "imap");
    assert_string_equal(postern_grant_issuer(g), TEST_ISSUER);
    assert_string_equal(postern_grant_audience(g), TEST_AUDIENCE);
    assert_string_equal(postern_grant_subject(g), "alice@example.org");
    assert_string_equal(postern_grant_user(g), "alice");
    assert_string_equal(postern_grant_client_id(g), "agent-7");
    assert_string_equal(postern_grant_actor(g), "agent-9");
    assert_string_equal(postern_grant_act(g, 1), "agent-8");
    assert_true(postern_grant_has_scope(g, "mail.write"));
    assert_int_equal(postern_grant_exp_s(g), 1800000300);
    assert_string_equal(t.events, "keys.loaded ");
}

static void without_tls_the_token_is_not_even_read(void **state)
{
    static const struct {
        const char *setting;
        postern_tls tls;
        postern_err want; /* of garbage: MALFORMED shows that it was read */
    } cases[] = {
        { "yes", POSTERN_TLS_ON, POSTERN_ERR_MALFORMED },
        { "yes", POSTERN_TLS_LOCAL, POSTERN_ERR_MALFORMED },
        { "yes", POSTERN_TLS_NONE, POSTERN_ERR_TLS_REQUIRED },
        { "yes", POSTERN_TLS_UNKNOWN, POSTERN_ERR_TLS_REQUIRED },
        { "host", POSTERN_TLS_UNKNOWN, POSTERN_ERR_MALFORMED },
        { "host", POSTERN_TLS_NONE, POSTERN_ERR_MALFORMED },
        { "no", POSTERN_TLS_NONE, POSTERN_ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text =
            test_printf("audience: x\nhelper_peers: 0\nrequire_tls: %s\n", cases[i].setting);
        postern_request rq = test_login_request("garbage");

        test_folder_put(&t.folder, "services/imap.conf", text);
        test_login_reload(&t);
        rq.tls = cases[i].tls;
        assert_verdict(cases[i].setting, test_login_run(&t, &rq, NULL), cases[i].want);
        free(text);
    }
}

static void a_token_has_1_to_16384_bytes(void **state)
{
    char *text = malloc(POSTERN_TOKEN_MAX + 1);
    postern_request rq = test_login_request("");

    (void)state;
    memset(text, 'a', POSTERN_TOKEN_MAX + 1);
    assert_verdict("none", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    rq.token = (postern_bytes){ (const uint8_t *)text, POSTERN_TOKEN_MAX };
    assert_verdict("longest", test_login_run(&t, &rq, NULL), POSTERN_ERR_MALFORMED);
    rq.token.len++;
    assert_verdict("too long", test_login_run(&t, &rq, NULL), POSTERN_ERR_LIMIT);
    rq.token.len = SIZE_MAX;
    assert_verdict("absurd", test_login_run(&t, &rq, NULL), POSTERN_ERR_LIMIT);
    free(text);
}

static void only_access_tokens_are_taken(void **state)
{
    static const struct {
        const char *header;              /* with alg */
        postern_err want, want_with_jwt; /* by default, and with token_types: at+jwt JWT */
    } cases[] = {
        { "\"typ\":\"at+jwt\",", POSTERN_OK, POSTERN_OK },
        { "\"typ\":\"AT+JWT\",", POSTERN_OK, POSTERN_OK },
        { "\"typ\":\"application/at+jwt\",", POSTERN_OK, POSTERN_OK },
        { "\"typ\":\"JWT\",", POSTERN_ERR_TYP, POSTERN_OK },
        { "\"typ\":\"jwt\",", POSTERN_ERR_TYP, POSTERN_OK },
        { "", POSTERN_ERR_TYP, POSTERN_ERR_TYP },
        { "\"typ\":\"\",", POSTERN_ERR_TYP, POSTERN_ERR_TYP },
        { "\"typ\":\"logout+jwt\",", POSTERN_ERR_TYP, POSTERN_ERR_TYP },
        { "\"typ\":\"dpop+jwt\",", POSTERN_ERR_TYP, POSTERN_ERR_TYP },
        { "\"typ\":\"at+jwtx\",", POSTERN_ERR_TYP, POSTERN_ERR_TYP },
        { "\"typ\":\"text/at+jwt\",", POSTERN_ERR_TYP, POSTERN_ERR_TYP },
    };
    char *claims = test_login_claims("nonce", "\"n\"");

    (void)state;
    for (int with_jwt = 0; with_jwt <= 1; with_jwt++) {
        char *issuer =
            test_printf("issuer: " TEST_ISSUER "\njwks_file: keys.json\ntoken_types: at+jwt%s\n",
                        with_jwt ? " JWT" : "");

        test_folder_put(&t.folder, "issuers/sso.conf", issuer);
        free(issuer);
        test_login_reload(&t);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char *header = test_printf("{%s\"alg\":\"ES256\",\"kid\":\"a\"}", cases[i].header);
            char *token = test_sign(t.key, "ES256", header, claims);
            postern_request rq = test_login_request(token);

            assert_verdict(cases[i].header, test_login_run(&t, &rq, NULL),
                           with_jwt ? cases[i].want_with_jwt : cases[i].want);
            free(header);
            free(token);
        }
    }
    free(claims);
}

static void an_id_token_is_refused_even_where_plain_jwt_is_taken(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER "\njwks_file: keys.json\ntoken_types: at+jwt JWT\n");
    test_login_reload(&t);
    assert_verdict("an access token", test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_verdict("a nonce alone", test_login_try(&t, "nonce", "\"n\""), POSTERN_OK);
    assert_verdict("at_hash", test_login_try(&t, "at_hash", "\"x\""), POSTERN_ERR_TYP);
    assert_verdict("at_hash, null", test_login_try(&t, "at_hash", "null"), POSTERN_ERR_TYP);
    assert_verdict("c_hash", test_login_try(&t, "c_hash", "\"x\""), POSTERN_ERR_TYP);
}

static void the_issuer_file_narrows_the_algorithms(void **state)
{
    (void)state;
    assert_verdict("all", test_login_try(&t, NULL, NULL), POSTERN_OK);
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER "\njwks_file: keys.json\nalgorithms: RS256 EdDSA\n");
    test_login_reload(&t);
    assert_verdict("others", test_login_try(&t, NULL, NULL), POSTERN_ERR_ALG_NOT_ALLOWED);
    assert_string_equal(t.err.detail, "ES256 is not in the issuer's algorithms");
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER "\njwks_file: keys.json\nalgorithms: ES256\n");
    test_login_reload(&t);
    assert_verdict("this one", test_login_try(&t, NULL, NULL), POSTERN_OK);
}

/* A token with several faults is refused for the first of them (doc/design/token-flow.md). */
static void the_first_fault_in_order_is_the_reason(void **state)
{
    static const struct {
        const char *why, *header, *payload;
        bool is_tampered;
        postern_err want;
    } cases[] = {
        { "type before key", "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"b\"}", "{}", false,
          POSTERN_ERR_TYP },
        { "key before signature", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"b\"}", "{}",
          true, POSTERN_ERR_UNKNOWN_KID },
        { "signature before payload", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}", "{,",
          true, POSTERN_ERR_BAD_SIGNATURE },
        { "payload before claims", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}",
          "{\"iss\":1,\"iss\":2}", false, POSTERN_ERR_MALFORMED },
        { "an array is no payload", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}", "[]",
          false, POSTERN_ERR_MALFORMED },
        { "issuer before audience", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}",
          "{\"iss\":\"x\",\"aud\":\"y\",\"exp\":1}", false, POSTERN_ERR_ISS },
        { "audience before time", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}",
          "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"y\",\"exp\":1}", false, POSTERN_ERR_AUD },
        { "time before identity", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}",
          "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE "\",\"exp\":1,\"sub\":7}", false,
          POSTERN_ERR_EXPIRED },
        { "identity before binding", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}",
          "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE
          "\",\"exp\":1800000300,\"cnf\":{}}",
          false, POSTERN_ERR_CLAIM_MISSING },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token = test_sign(t.key, "ES256", cases[i].header, cases[i].payload);
        postern_request rq = test_login_request(token);

        if (cases[i].is_tampered)
            token[strlen(token) - 40] = token[strlen(token) - 40] == 'A' ? 'B' : 'A';
        assert_verdict(cases[i].why, test_login_run(&t, &rq, NULL), cases[i].want);
        free(token);
    }
    assert_verdict("binding before actors", test_login_try(&t, "cnf", "{},\"act\":7"),
                   POSTERN_ERR_CNF);
    assert_verdict("actors before scope", test_login_try(&t, "act", "7,\"x\":1"),
                   POSTERN_ERR_MALFORMED_CLAIM);
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", TEST_NOW_S, &t.err),
        POSTERN_OK);
    assert_verdict("scope before revocation", test_login_try(&t, "scope", "\"x\""),
                   POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_verdict("revocation before mapping", test_login_try(&t, "sub", "\"root\""),
                   POSTERN_ERR_REVOKED);
    assert_string_equal(t.failure.agent, "agent-7"); /* both names, for the record */
    assert_string_equal(t.failure.human, "root");
}

static void the_user_is_mapped_and_must_be_the_wanted_one(void **state)
{
    static const struct {
        const char *sub, *authzid;
        postern_err want;
    } cases[] = {
        { "alice@example.org", NULL, POSTERN_OK },
        { "alice@example.org", "", POSTERN_OK },
        { "alice@example.org", "alice", POSTERN_OK },
        { "alice@example.org", "bob", POSTERN_ERR_AUTHZID },
        { "alice@example.org", "Alice", POSTERN_ERR_AUTHZID },
        { "alice@example.org", "alice@example.org", POSTERN_ERR_AUTHZID },
        { "alice@example.org", "u:alice", POSTERN_ERR_AUTHZID },
        { "alice@example.org", "alicex", POSTERN_ERR_AUTHZID },
        { "alice@example.org", "agent-7", POSTERN_ERR_AUTHZID },
        { "ali ce", NULL, POSTERN_ERR_NO_MAPPING },
        { "../alice", "../alice", POSTERN_ERR_NO_MAPPING },
        { "root", "root", POSTERN_ERR_USER_DENIED },
        { "daemon@example.org", NULL, POSTERN_ERR_USER_DENIED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *sub = test_printf("\"%s\"", cases[i].sub), *token = test_login_token(&t, "sub", sub);
        postern_request rq = test_login_request(token);

        rq.authzid = cases[i].authzid;
        assert_verdict(cases[i].sub, test_login_run(&t, &rq, NULL), cases[i].want);
        free(sub);
        free(token);
    }
}

static void a_very_long_authzid_is_simply_another_one(void **state)
{
    char *token = test_login_token(&t, NULL, NULL), *authzid = calloc(1, 100001);
    postern_request rq = test_login_request(token);

    (void)state;
    memset(authzid, 'a', 100000);
    rq.authzid = authzid;
    assert_verdict("long", test_login_run(&t, &rq, NULL), POSTERN_ERR_AUTHZID);
    free(token);
    free(authzid);
}

static void the_message_is_compared_only_where_the_file_names_the_server(void **state)
{
    static const struct {
        const char *host, *port;
        postern_err want;
    } cases[] = {
        { NULL, NULL, POSTERN_OK },
        { "mail.example.org", "143", POSTERN_OK },
        { "MAIL.example.org", NULL, POSTERN_OK },
        { "evil.example.org", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "mail.example.org", "993", POSTERN_ERR_MESSAGE_SERVER },
        { "mail.example.org.evil.example", NULL, POSTERN_ERR_MESSAGE_SERVER },
    };
    char *token = test_login_token(&t, NULL, NULL), *long_host = calloc(1, 5001);
    postern_request rq = test_login_request(token);

    (void)state;
    memset(long_host, 'a', 5000);
    rq.message_host = "evil.example.org";
    assert_verdict("not compared", test_login_run(&t, &rq, NULL), POSTERN_OK);
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE
                    "\nhelper_peers: 0\nserver_names: mail.example.org\nserver_port: 143\n"
                    "username_strip_domain: example.org\n");
    test_login_reload(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rq.message_host = cases[i].host;
        rq.message_port = cases[i].port;
        assert_verdict(cases[i].host, test_login_run(&t, &rq, NULL), cases[i].want);
    }
    rq.message_host = long_host;
    assert_verdict("long host", test_login_run(&t, &rq, NULL), POSTERN_ERR_MESSAGE_SERVER);
    free(token);
    free(long_host);
}

static void a_removed_client_s_older_tokens_are_refused(void **state)
{
    (void)state;
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", TEST_NOW_S - 1, &t.err),
        POSTERN_OK);
    assert_verdict("issued after", test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", TEST_NOW_S, &t.err),
        POSTERN_OK);
    assert_verdict("issued in that second", test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOKED);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", 5, &t.err),
                     POSTERN_OK);
    assert_verdict("an older removal takes nothing back", test_login_try(&t, NULL, NULL),
                   POSTERN_ERR_REVOKED);
    assert_verdict("another client", test_login_try(&t, "client_id", "\"agent-70\""), POSTERN_OK);
    assert_verdict("newer token", test_login_try(&t, "iat", "1800000001"), POSTERN_OK);
    assert_verdict("removed actor",
                   test_login_try(&t, "client_id", "\"x\",\"act\":{\"sub\":\"agent-7\"}"),
                   POSTERN_ERR_REVOKED);
    assert_verdict("one that handed the token on",
                   test_login_try(&t, "client_id",
                                  "\"x\",\"act\":{\"sub\":\"y\",\"act\":{\"sub\":\"agent-7\"}}"),
                   POSTERN_ERR_REVOKED);
    assert_verdict("none of them",
                   test_login_try(&t, "client_id",
                                  "\"x\",\"act\":{\"sub\":\"y\",\"act\":{\"sub\":\"z\"}}"),
                   POSTERN_OK);
    assert_int_equal(
        postern_context_revoke(t.context, "https://other.example", POSTERN_REVOCATION_CLIENT, "a", 5, &t.err),
        POSTERN_ERR_USAGE);
}

static void take_back(postern_revocation_kind kind, const char *name)
{
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, kind, name, TEST_NOW_S, &t.err),
                     POSTERN_OK);
}

static void a_revoked_token_is_refused_with_all_that_came_from_it(void **state)
{
    (void)state;
    take_back(POSTERN_REVOCATION_JTI, "t-0");
    assert_verdict("another", test_login_try(&t, "jti", "\"t-1\""), POSTERN_OK);
    assert_verdict("itself", test_login_try(&t, "jti", "\"t-0\""), POSTERN_ERR_REVOKED);
    assert_verdict("its child",
                   test_login_try(&t, "jti", "\"t-1\",\"derived_from\":[\"t-0\"]"),
                   POSTERN_ERR_REVOKED);
    assert_verdict("its child's child, first or last in the list",
                   test_login_try(&t, "jti", "\"t-2\",\"derived_from\":[\"t-1\",\"t-0\"]"),
                   POSTERN_ERR_REVOKED);
    assert_verdict("a child of others",
                   test_login_try(&t, "jti", "\"t-2\",\"derived_from\":[\"t-1\",\"t-00\"]"),
                   POSTERN_OK);
    assert_verdict("a client of that name", test_login_try(&t, "client_id", "\"t-0\""),
                   POSTERN_OK);
    assert_verdict("issued later, it says",
                   test_login_try(&t, "jti", "\"t-0\",\"nbf\":1800000001"), POSTERN_ERR_REVOKED);
}

static void all_tokens_of_an_ended_authorization_are_refused(void **state)
{
    (void)state;
    take_back(POSTERN_REVOCATION_GRANT, "g-1");
    assert_verdict("of none", test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_verdict("of another", test_login_try(&t, "grant_id", "\"g-2\""), POSTERN_OK);
    assert_verdict("of it", test_login_try(&t, "grant_id", "\"g-1\""), POSTERN_ERR_REVOKED);
    assert_verdict("of it, exchanged",
                   test_login_try(&t, "grant_id", "\"g-1\",\"act\":{\"sub\":\"agent-9\"}"),
                   POSTERN_ERR_REVOKED);
    assert_verdict("a token of that name", test_login_try(&t, "jti", "\"g-1\""), POSTERN_OK);
}

/* Nobody has told yet who is blocked, and that the token was revoked is certain. */
static void a_revocation_is_certain_whatever_else_is_not_known(void **state)
{
    (void)state;
    take_back(POSTERN_REVOCATION_GRANT, "g-1");
    postern_context_expect_blocks(t.context);
    assert_verdict("no word yet", test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_verdict("revoked", test_login_try(&t, "grant_id", "\"g-1\""), POSTERN_ERR_REVOKED);
}

static void a_login_keeps_its_lineage(void **state)
{
    POSTERN_AUTO(grant) g = NULL;
    char *token = test_login_token(&t, "grant_id",
                                   "\"g-1\",\"derived_from\":[\"t-0\",\"t-1\"],"
                                   "\"authorization_details\":[{\"type\":\"db\"}]");
    postern_request rq = test_login_request(token);

    (void)state;
    assert_verdict("login", test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_string_equal(postern_grant_grant_id(g), "g-1");
    assert_string_equal(postern_grant_derived_from(g, 1), "t-1");
    assert_null(postern_grant_derived_from(g, 2));
    assert_true(postern_bytes_equal_str(postern_grant_authorization_details(g),
                                        "[{\"type\":\"db\"}]"));
    free(token);
}

/* ---- login_as ---- */

static void log_in_as(const char *login_as)
{
    char *service = test_printf("audience: " TEST_AUDIENCE "\nhelper_peers: 0\nlogin_as: %s\n"
                                "username_strip_domain: example.org\n",
                                login_as);

    test_folder_put(&t.folder, "services/imap.conf", service);
    free(service);
    test_login_reload(&t);
}

/* The login of one changed token: whom the host is told, or why not. */
static void assert_names(const char *name, const char *json, const char *authcid, const char *user)
{
    POSTERN_AUTO(grant) g = NULL;
    char *token = test_login_token(&t, name, json);
    postern_request rq = test_login_request(token);

    assert_verdict(json, test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_string_equal(postern_grant_authcid(g), authcid);
    assert_string_equal(postern_grant_user(g), user);
    free(token);
}

#define ALICE_BY(actor) "\"alice@example.org\",\"act\":{\"sub\":\"" actor "\"}"

static void login_as_user_shows_the_host_the_human_alone(void **state)
{
    (void)state;
    log_in_as("user");
    assert_names("sub", "\"alice@example.org\"", "alice", "alice");
    assert_names("sub", ALICE_BY("agent-9"), "alice", "alice");
    assert_names("sub", "\"agent-7\"", "agent-7", "agent-7");
}

static void login_as_agent_shows_the_host_who_acts(void **state)
{
    (void)state;
    log_in_as("agent");
    assert_names("sub", "\"alice@example.org\"", "agent-7", "agent-7");
    assert_names("sub", ALICE_BY("agent-9"), "agent-9", "agent-9");
    assert_names("sub", "\"not a local name\"", "agent-7", "agent-7");
    assert_verdict("the system's own", test_login_try(&t, "client_id", "\"root\""),
                   POSTERN_ERR_USER_DENIED);
    assert_verdict("no local name", test_login_try(&t, "client_id", "\"https://a.example/x\""),
                   POSTERN_ERR_NO_MAPPING);
}

static void log_in_by_map(const char *login_as, const char *map)
{
    char *service = test_printf("audience: " TEST_AUDIENCE "\nhelper_peers: 0\nlogin_as: %s\n"
                                "username_map_file: maps/names\n",
                                login_as);

    test_folder_put(&t.folder, "maps/names", map);
    test_folder_put(&t.folder, "services/imap.conf", service);
    free(service);
    test_login_reload(&t);
}

static void assert_human(const char *subject, const char *human)
{
    POSTERN_AUTO(grant) g = NULL;
    char *token = test_login_token(&t, "sub", subject);
    postern_request rq = test_login_request(token);

    assert_verdict(subject, test_login_run(&t, &rq, &g), POSTERN_OK);
    if (human == NULL)
        assert_null(postern_grant_human(g));
    else
        assert_string_equal(postern_grant_human(g), human);
    free(token);
}

/* Renamed or not, the agent's local name is never told as the human's. */
static void the_human_is_never_the_agents_local_name(void **state)
{
    static const char map[] = "agent-7 svc-mail\nalice@example.org alice\n";

    (void)state;
    log_in_as("agent");
    assert_human("\"alice@example.org\"", "alice@example.org");
    assert_human("\"agent-7\"", NULL);
    log_in_by_map("agent", map);
    assert_names("sub", "\"alice@example.org\"", "svc-mail", "svc-mail");
    assert_human("\"alice@example.org\"", "alice@example.org");
    assert_human("\"agent-7\"", NULL);
    log_in_by_map("both", map);
    assert_human("\"alice@example.org\"", "alice");
    assert_human("\"agent-7\"", NULL);
    log_in_by_map("user", map);
    assert_human("\"alice@example.org\"", "alice");
}

static void login_as_both_shows_the_host_the_agent_and_the_human(void **state)
{
    (void)state;
    log_in_as("both");
    assert_names("sub", "\"alice@example.org\"", "agent-7", "alice");
    assert_names("sub", ALICE_BY("agent-9"), "agent-9", "alice");
    assert_names("sub", ALICE_BY("agent-9\",\"act\":{\"sub\":\"planner\"},\"x\":\"y"), "agent-9",
                 "alice");
    assert_names("sub", "\"agent-7\"", "agent-7", "agent-7"); /* for itself */
}

static void login_as_both_refuses_names_that_would_hide_one_of_the_two(void **state)
{
    static const struct {
        const char *why, *name, *json;
        postern_err want;
    } cases[] = {
        { "one name", "sub", ALICE_BY("alice"), POSTERN_ERR_USER_DENIED },
        { "one name to a host that folds names", "sub", ALICE_BY("Alice"), POSTERN_ERR_USER_DENIED },
        { "an agent with the human's domain keeps it", "sub", ALICE_BY("alice@example.org"),
          POSTERN_OK },
        { "an agent that is root", "sub", ALICE_BY("root"), POSTERN_ERR_USER_DENIED },
        { "an agent that is a system account", "sub", ALICE_BY("daemon"), POSTERN_ERR_USER_DENIED },
        { "an agent that no host could name", "sub", ALICE_BY("a b"), POSTERN_ERR_NO_MAPPING },
        { "a human that is root", "sub", "\"root\"", POSTERN_ERR_USER_DENIED },
        { "a human that no host could name", "sub", "\"a b\"", POSTERN_ERR_NO_MAPPING },
    };

    (void)state;
    log_in_as("both");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_verdict(cases[i].why, test_login_try(&t, cases[i].name, cases[i].json),
                       cases[i].want);
    test_folder_put(&t.folder, "issuers/sso.conf",
                    "issuer: " TEST_ISSUER
                    "\njwks_file: keys.json\nrequired_claims: sub\nagent_claim: azp\n");
    test_login_reload(&t);
    assert_verdict("nobody acts", test_login_try(&t, NULL, NULL), POSTERN_ERR_NO_MAPPING);
}

static void the_wanted_identity_is_the_human_s_under_both(void **state)
{
    static const struct {
        const char *authzid;
        postern_err want;
    } cases[] = {
        { "alice", POSTERN_OK },
        { "", POSTERN_OK },
        { "agent-9", POSTERN_ERR_AUTHZID },
        { "bob", POSTERN_ERR_AUTHZID },
        { "u:alice", POSTERN_ERR_AUTHZID }, /* LDAP's own spelling is its plugin's to take off */
    };
    char *token = test_login_token(&t, "sub", ALICE_BY("agent-9"));
    postern_request rq = test_login_request(token);

    (void)state;
    log_in_as("both");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rq.authzid = cases[i].authzid;
        assert_verdict(cases[i].authzid, test_login_run(&t, &rq, NULL), cases[i].want);
    }
    free(token);
}

/* agent_claim: says who is shown as acting; the issuer removed the client that it knows by
 * client_id. */
static void a_removed_client_is_refused_whatever_agent_claim_prefers(void **state)
{
    static const char *const preferences[] = { "act.sub", "azp", "appid azp", "client_id" };

    (void)state;
    for (size_t i = 0; i < sizeof preferences / sizeof *preferences; i++) {
        char *issuer = test_printf(
            "issuer: " TEST_ISSUER "\njwks_file: keys.json\nagent_claim: %s\n", preferences[i]);

        test_folder_put(&t.folder, "issuers/sso.conf", issuer);
        free(issuer);
        test_login_reload(&t);
        assert_verdict(preferences[i], test_login_try(&t, NULL, NULL), POSTERN_OK);
        assert_int_equal(
            postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "agent-7", TEST_NOW_S, &t.err),
            POSTERN_OK);
        assert_verdict(preferences[i], test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOKED);
        assert_verdict("azp names another", test_login_try(&t, "azp", "\"agent-8\""),
                       POSTERN_ERR_REVOKED);
        assert_verdict("another client", test_login_try(&t, "client_id", "\"agent-8\""),
                       POSTERN_OK);
    }
}

static void revocations_that_must_come_are_waited_for(void **state)
{
    (void)state;
    assert_int_equal(postern_context_expect_revocations(t.context, TEST_ISSUER, &t.err),
                     POSTERN_OK);
    assert_verdict("not told yet", test_login_try(&t, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_verdict("a bad token is bad all the same", test_login_try(&t, "exp", "1"),
                   POSTERN_ERR_EXPIRED);
    assert_int_equal(postern_context_revocations_ready(t.context, TEST_ISSUER, &t.err), POSTERN_OK);
    assert_verdict("told", test_login_try(&t, NULL, NULL), POSTERN_OK);
    assert_int_equal(postern_context_expect_revocations(t.context, "https://other.example", &t.err),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_context_revocations_ready(t.context, TEST_ISSUER "/", &t.err),
                     POSTERN_ERR_USAGE);
}

static void a_refused_client_is_told_what_the_service_wants(void **state)
{
    static const char *const more[] = { "mail.admin", "mail.x", NULL };
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);

    (void)state;
    rq.extra_scopes = more;
    assert_verdict("extra", test_login_run(&t, &rq, NULL), POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(t.failure.scope, "mail.read mail.admin mail.x");
    assert_string_equal(t.failure.issuer, TEST_ISSUER);
    assert_string_equal(t.failure.openid_configuration,
                        TEST_ISSUER "/.well-known/openid-configuration");
    assert_string_equal(t.failure.resource_metadata,
                        "https://mail.example.org/.well-known/oauth-protected-resource/imap");
    assert_string_equal(t.failure.ref, "");
    rq.service = "smtp";
    assert_verdict("unknown", test_login_run(&t, &rq, NULL), POSTERN_ERR_SERVICE_UNKNOWN);
    assert_string_equal(t.failure.issuer, "");
    free(token);
}

static void a_scope_list_for_clients_is_cut_at_a_word(void **state)
{
    static const char *const more[] = { "one.more", NULL };
    char *word = calloc(1, 251), *text;
    postern_request rq = test_login_request("");

    (void)state;
    memset(word, 'x', 250);
    rq.extra_scopes = more;
    text = test_printf("audience: x\nhelper_peers: 0\nrequired_scopes: a %s b\n", word);
    test_folder_put(&t.folder, "services/imap.conf", text);
    test_login_reload(&t);
    free(text);
    assert_verdict("fits", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    text = test_printf("a %s b", word);
    assert_string_equal(t.failure.scope, text);
    free(text);
    text = test_printf("audience: x\nhelper_peers: 0\nrequired_scopes: abc %sy bc\n", word);
    test_folder_put(&t.folder, "services/imap.conf", text);
    test_login_reload(&t);
    free(text);
    assert_verdict("the last does not", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    text = test_printf("abc %sy", word);
    assert_string_equal(t.failure.scope, text);
    free(text);
    free(word);
}

static void the_embedded_issuer_serves_the_metadata_of_services(void **state)
{
    postern_request rq = test_login_request("");

    (void)state;
    test_folder_put(
        &t.folder, "issuers/sso.conf",
        "issuer: http://127.0.0.1:8414/\nallow_loopback_http: yes\njwks_file: keys.json\n");
    test_folder_put(&t.folder, "issuer.conf",
                    "issuer: http://127.0.0.1:8414/\njwks_file: keys.json\n");
    test_login_reload(&t);
    assert_verdict("discovery", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    assert_string_equal(t.failure.issuer, "http://127.0.0.1:8414/");
    assert_string_equal(t.failure.openid_configuration,
                        "http://127.0.0.1:8414/.well-known/openid-configuration");
    assert_string_equal(t.failure.resource_metadata,
                        "http://127.0.0.1:8414/.well-known/oauth-protected-resource/imap");
    test_folder_drop(&t.folder, "issuer.conf");
    test_folder_put(&t.folder, "services/imap.conf", "audience: api://imap\nhelper_peers: 0\n");
    test_login_reload(&t);
    assert_verdict("no URL", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    assert_string_equal(t.failure.resource_metadata, "");
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: https://mail.example.org/\nhelper_peers: 0\n");
    test_login_reload(&t);
    assert_verdict("no path", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    assert_string_equal(t.failure.resource_metadata,
                        "https://mail.example.org/.well-known/oauth-protected-resource");
}

static void a_token_check_maps_nobody(void **state)
{
    static const char *const scopes[] = { "mail.read", NULL };
    postern_config *config = NULL;
    char *token = test_login_token(&t, "sub", "\"root\"");
    postern_request rq = test_login_request(token);
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    assert_int_equal(postern_config_new_token_check(TEST_ISSUER, TEST_AUDIENCE,
                                                    test_folder_at(&t.folder, "keys.json"), scopes,
                                                    &config, &t.err),
                     POSTERN_OK);
    postern_context_free(t.context);
    t.context = NULL;
    assert_int_equal(postern_context_new(config, &t.clock, &t.context, &t.err), POSTERN_OK);
    rq.service = "token";
    rq.tls = POSTERN_TLS_UNKNOWN;
    rq.authzid = "somebody";
    assert_verdict("root", test_login_run(&t, &rq, &g), POSTERN_OK);
    assert_null(postern_grant_user(g));
    assert_null(postern_grant_service(g));
    assert_string_equal(postern_grant_subject(g), "root");
    free(token);
    token = test_login_token(&t, "scope", "\"x\"");
    rq.token = postern_bytes_str(token);
    assert_verdict("scope", test_login_run(&t, &rq, NULL), POSTERN_ERR_INSUFFICIENT_SCOPE);
    free(token);
}

static void misuse_is_told_at_the_start(void **state)
{
    postern_request rq = test_login_request("x");
    postern_op *op = NULL;

    (void)state;
    rq.service = NULL;
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_ERR_USAGE);
    rq.service = "";
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_ERR_USAGE);
    rq.service = "imap";
    rq.size--;
    assert_int_equal(postern_validate_start(t.context, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq.size++;
    rq.token = (postern_bytes){ NULL, 5 };
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_ERR_USAGE);
    rq.token = POSTERN_BYTES_LIT("x");
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("0123456789abcdef0123456789abcde");
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_ERR_USAGE);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("0123456789abcdef0123456789abcdef0");
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_ERR_USAGE);
    assert_null(op);
}

static void a_context_is_of_no_use_after_fork(void **state)
{
    pid_t child;
    int status = -1;

    (void)state;
    child = fork();
    if (child == 0) {
        postern_request rq = test_login_request("x");
        postern_op *op = NULL;

        _exit(postern_validate_start(t.context, &rq, &op, NULL) == POSTERN_ERR_USAGE ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_context_outlives_its_owner_while_an_op_needs_it(void **state)
{
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);
    postern_op *op = NULL;

    (void)state;
    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_OK);
    memset(token, 'x', strlen(token)); /* everything was copied */
    postern_context_free(t.context);
    t.context = NULL;
    assert_verdict("later", postern_op_run(op, &t.err), POSTERN_OK);
    postern_op_free(op);
    free(token);
}

static void a_clock_that_was_never_set_decides_nothing(void **state)
{
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);

    (void)state;
    t.now_s = 0; /* a caller's clock is believed */
    assert_verdict("caller's clock", test_login_run(&t, &rq, NULL), POSTERN_ERR_NOT_YET_VALID);
    free(token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_token_becomes_a_grant),
        TEST(without_tls_the_token_is_not_even_read),
        TEST(a_token_has_1_to_16384_bytes),
        TEST(only_access_tokens_are_taken),
        TEST(an_id_token_is_refused_even_where_plain_jwt_is_taken),
        TEST(the_issuer_file_narrows_the_algorithms),
        TEST(the_first_fault_in_order_is_the_reason),
        TEST(the_user_is_mapped_and_must_be_the_wanted_one),
        TEST(a_very_long_authzid_is_simply_another_one),
        TEST(the_message_is_compared_only_where_the_file_names_the_server),
        TEST(a_removed_client_s_older_tokens_are_refused),
        TEST(a_revoked_token_is_refused_with_all_that_came_from_it),
        TEST(all_tokens_of_an_ended_authorization_are_refused),
        TEST(a_revocation_is_certain_whatever_else_is_not_known),
        TEST(a_login_keeps_its_lineage),
        TEST(login_as_user_shows_the_host_the_human_alone),
        TEST(login_as_agent_shows_the_host_who_acts),
        TEST(the_human_is_never_the_agents_local_name),
        TEST(login_as_both_shows_the_host_the_agent_and_the_human),
        TEST(login_as_both_refuses_names_that_would_hide_one_of_the_two),
        TEST(the_wanted_identity_is_the_human_s_under_both),
        TEST(a_removed_client_is_refused_whatever_agent_claim_prefers),
        TEST(revocations_that_must_come_are_waited_for),
        TEST(a_refused_client_is_told_what_the_service_wants),
        TEST(a_scope_list_for_clients_is_cut_at_a_word),
        TEST(the_embedded_issuer_serves_the_metadata_of_services),
        TEST(a_token_check_maps_nobody),
        TEST(misuse_is_told_at_the_start),
        TEST(a_context_is_of_no_use_after_fork),
        TEST(a_context_outlives_its_owner_while_an_op_needs_it),
        TEST(a_clock_that_was_never_set_decides_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
