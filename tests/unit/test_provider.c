/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/provider.c and claim_scope.c: claim sets as the products send them, signed by a key of
 * our own, through the whole of a login: who acts, for whom, with which scopes; and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"
#include "oauth/provider.h"

static test_login t;

#define AUD "\"aud\":\"" TEST_AUDIENCE "\","
#define ISS "\"iss\":\"" TEST_ISSUER "\","
#define TIMES "\"iat\":1800000000,\"exp\":1800000300,"

/* Keycloak 26: access token of a person, by the code flow. */
#define KC_PERSON                                                                                  \
    TIMES "\"auth_time\":1799999990,\"jti\":\"onrtac:1\"," ISS                                     \
          "\"aud\":[\"" TEST_AUDIENCE "\",\"account\"],\"sub\":\"0b7ae1de-7d2c-4f4b-a7b1-"         \
          "5fba30edd1d2\",\"typ\":\"Bearer\",\"azp\":\"agent-7\",\"sid\":\"9a6e\",\"acr\":\"1\","  \
          "\"allowed-origins\":[\"*\"],\"realm_access\":{\"roles\":[\"offline_access\"]},"         \
          "\"resource_access\":{\"account\":{\"roles\":[\"view-profile\"]}},"                      \
          "\"scope\":\"profile mail.read email\",\"email_verified\":true,\"name\":\"Alice A\","    \
          "\"preferred_username\":\"alice\",\"email\":\"alice@example.org\""
/* The same realm: client_credentials of the client agent-7. */
#define KC_CLIENT                                                                                  \
    TIMES "\"jti\":\"trrtcc:2\"," ISS "\"aud\":[\"" TEST_AUDIENCE "\",\"account\"],"               \
          "\"sub\":\"d952cf23-bf92-4c8f-a3ff-4972b4f2bc5b\",\"typ\":\"Bearer\","                   \
          "\"azp\":\"agent-7\",\"acr\":\"1\",\"realm_access\":{\"roles\":[\"offline_access\"]},"   \
          "\"scope\":\"profile mail.read email\",\"clientHost\":\"192.0.2.7\","                    \
          "\"email_verified\":false,\"preferred_username\":\"service-account-agent-7\","           \
          "\"clientAddress\":\"192.0.2.7\",\"client_id\":\"agent-7\""
#define OID "\"7a1a2a3a-1111-2222-3333-444455556666\""
#define APP "\"15cb020f-3984-482a-864d-1d92265e8268\""
/* Entra, v2.0: an application for itself; a person through one. */
#define ENTRA_BASE                                                                                 \
    AUD ISS TIMES "\"nbf\":1800000000,\"aio\":\"E2ZgYL\",\"azp\":" APP ",\"azpacr\":\"1\","        \
                  "\"oid\":" OID ",\"rh\":\"0.AX\",\"tid\":\"72f988bf-86f1-41af-91ab-"              \
                  "2d7cd011db47\",\"uti\":\"bsK\",\"ver\":\"2.0\""
#define ENTRA_APP ENTRA_BASE ",\"sub\":" OID ",\"roles\":[\"mail.read\",\"mail.write\"]"
#define ENTRA_PERSON                                                                               \
    ENTRA_BASE ",\"sub\":\"AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ\",\"name\":\"Alice\","       \
               "\"preferred_username\":\"alice@example.org\",\"scp\":\"mail.read User.Read\""
/* Okta, custom authorization server. */
#define OKTA_BASE                                                                                  \
    "\"ver\":1,\"jti\":\"AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE\"," ISS AUD TIMES          \
    "\"cid\":\"0oabskvc6442nkvQO0h7\",\"scp\":[\"mail.read\",\"profile\"]"
#define OKTA_PERSON                                                                                \
    OKTA_BASE ",\"uid\":\"00uoxpswWkx0IAjfE0h7\",\"auth_time\":1799999990,"                        \
              "\"sub\":\"alice@example.org\""
#define OKTA_CLIENT OKTA_BASE ",\"sub\":\"0oabskvc6442nkvQO0h7\""
/* RFC 9068 §3, figures 2 and 3; for a client itself, its sub is the client (§2.2). */
#define RFC9068_BASE(sub)                                                                          \
    ISS "\"sub\":\"" sub "\"," AUD TIMES "\"client_id\":\"s6BhdRkqt3\","                            \
        "\"scope\":\"openid mail.read\""
#define RFC9068_JTI    ",\"jti\":\"dbe39bf3a3ba4238a513f51d6e1691c4\""
#define RFC9068_PERSON RFC9068_BASE("5ba552d67") RFC9068_JTI
#define RFC9068_CLIENT RFC9068_BASE("s6BhdRkqt3") RFC9068_JTI

#define TYPED   "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"a\"}"
#define AT_JWT  "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"a\"}"
#define UNTYPED "{\"kid\":\"a\",\"alg\":\"ES256\"}"

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_login_remove(&t);
    return 0;
}

static void use_provider(const char *name, const char *more)
{
    char *text = test_printf("issuer: " TEST_ISSUER "\njwks_file: %s\nprovider: %s\n%s",
                             test_folder_at(&t.folder, "keys.json"), name, more);

    test_folder_put(&t.folder, "issuers/sso.conf", text);
    free(text);
    test_login_reload(&t);
}

static postern_err log_in(const char *header, const char *members, postern_grant **ret_grant)
{
    char *claims = test_printf("{%s}", members);
    char *token = test_sign(t.key, "ES256", header, claims);
    postern_request rq = test_login_request(token);
    postern_err e = test_login_run(&t, &rq, ret_grant);

    free(claims);
    free(token);
    return e;
}

static const struct {
    const char *why, *provider, *header, *claims, *agent, *user, *scope;
    bool has_human;
} accepted[] = {
    { "a person at RFC 9068", "rfc9068", AT_JWT, RFC9068_PERSON, "s6BhdRkqt3", "5ba552d67",
      "openid mail.read", true },
    { "a client at RFC 9068", "rfc9068", AT_JWT, RFC9068_CLIENT, "s6BhdRkqt3", "s6BhdRkqt3",
      "openid mail.read", false },
    { "a person at Keycloak", "keycloak", TYPED, KC_PERSON, "agent-7", "alice",
      "profile mail.read email", true },
    { "its at+jwt switch", "keycloak", AT_JWT, KC_PERSON, "agent-7", "alice",
      "profile mail.read email", true },
    { "an agent of Keycloak", "keycloak", TYPED, KC_CLIENT, "agent-7", "service-account-agent-7",
      "profile mail.read email", false },
    { "an application of Entra", "entra", TYPED, ENTRA_APP, "15cb020f-3984-482a-864d-1d92265e8268",
      "7a1a2a3a-1111-2222-3333-444455556666", "mail.read mail.write", false },
    { "the same with idtyp", "entra", TYPED, ENTRA_APP ",\"idtyp\":\"app\"",
      "15cb020f-3984-482a-864d-1d92265e8268", "7a1a2a3a-1111-2222-3333-444455556666",
      "mail.read mail.write", false },
    { "a person at Entra", "entra", TYPED, ENTRA_PERSON, "15cb020f-3984-482a-864d-1d92265e8268",
      "7a1a2a3a-1111-2222-3333-444455556666", "mail.read User.Read", true },
    { "the same with idtyp", "entra", TYPED, ENTRA_PERSON ",\"idtyp\":\"user\"",
      "15cb020f-3984-482a-864d-1d92265e8268", "7a1a2a3a-1111-2222-3333-444455556666",
      "mail.read User.Read", true },
    { "a person's roles are no scopes", "entra", TYPED, ENTRA_PERSON ",\"roles\":[\"mail.admin\"]",
      "15cb020f-3984-482a-864d-1d92265e8268", "7a1a2a3a-1111-2222-3333-444455556666",
      "mail.read User.Read", true },
    { "a person at Okta", "okta", UNTYPED, OKTA_PERSON, "0oabskvc6442nkvQO0h7", "alice",
      "mail.read profile", true },
    { "a client of Okta", "okta", UNTYPED, OKTA_CLIENT, "0oabskvc6442nkvQO0h7",
      "0oabskvc6442nkvQO0h7", "mail.read profile", false },
};

static void products_tokens_name_agent_and_human(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        POSTERN_AUTO(grant) g = NULL;

        use_provider(accepted[i].provider, "");
        if (log_in(accepted[i].header, accepted[i].claims, &g) != POSTERN_OK)
            fail_msg("%s: %s", accepted[i].why, t.err.detail);
        assert_string_equal(postern_grant_actor(g), accepted[i].agent);
        assert_string_equal(postern_grant_user(g), accepted[i].user);
        assert_string_equal(postern_grant_scope(g), accepted[i].scope);
        if (postern_grant_has_human(g) != accepted[i].has_human)
            fail_msg("%s: human %d", accepted[i].why, postern_grant_has_human(g));
    }
}

#define E(code) POSTERN_ERR_##code
static const struct {
    const char *why, *provider, *header, *claims;
    postern_err want;
} refused[] = {
    { "RFC 9068's without a name of its own", "rfc9068", AT_JWT, RFC9068_BASE("5ba552d67"),
      E(CLAIM_MISSING) },
    { "RFC 9068's claims in a plain JWT", "rfc9068", TYPED, RFC9068_PERSON, E(TYP) },
    { "RFC 9068's claims in a JWT without a type", "rfc9068", UNTYPED, RFC9068_PERSON, E(TYP) },
    { "RFC 9068's at keycloak", "keycloak", AT_JWT, RFC9068_PERSON, E(CLAIM_MISSING) },
    { "Keycloak's tokens at rfc9068", "rfc9068", TYPED, KC_PERSON, E(TYP) },
    { "the same with typ", "rfc9068", AT_JWT, KC_PERSON, E(CLAIM_MISSING) },
    { "Entra's at rfc9068", "rfc9068", AT_JWT, ENTRA_APP, E(CLAIM_MISSING) },
    { "Okta's at rfc9068", "rfc9068", UNTYPED, OKTA_PERSON, E(TYP) },
    { "Okta's at keycloak", "keycloak", UNTYPED, OKTA_PERSON, E(TYP) },
    { "a typ of that name", "okta", "{\"alg\":\"ES256\",\"typ\":\"untyped\",\"kid\":\"a\"}",
      OKTA_PERSON, E(TYP) },
    { "a plain JWT at Okta", "okta", TYPED, OKTA_PERSON, E(TYP) },
    { "Keycloak's ID token", "keycloak", TYPED,
      TIMES ISS AUD "\"jti\":\"i\",\"sub\":\"u\",\"typ\":\"ID\",\"azp\":\"agent-7\","
                    "\"scope\":\"mail.read\",\"preferred_username\":\"alice\"",
      E(TYP) },
    { "a token of Keycloak without its own typ", "keycloak", TYPED,
      TIMES ISS AUD "\"jti\":\"i\",\"sub\":\"u\",\"azp\":\"agent-7\",\"scope\":\"mail.read\","
                    "\"preferred_username\":\"alice\"",
      E(TYP) },
    { "a person called like a service account", "keycloak", TYPED,
      TIMES ISS AUD "\"jti\":\"i\",\"sub\":\"u\",\"typ\":\"Bearer\",\"azp\":\"agent-7\","
                    "\"sid\":\"s\",\"scope\":\"mail.read\","
                    "\"preferred_username\":\"service-account-agent-7\"",
      POSTERN_ERR_ACTOR_UNCLEAR },
    { "nobody's name", "keycloak", TYPED,
      TIMES ISS AUD "\"jti\":\"i\",\"sub\":\"u\",\"typ\":\"Bearer\",\"azp\":\"agent-7\","
                    "\"scope\":\"mail.read\"",
      POSTERN_ERR_ACTOR_UNCLEAR },
    { "a name that is no text", "keycloak", TYPED,
      TIMES ISS AUD "\"jti\":\"i\",\"sub\":\"u\",\"typ\":\"Bearer\",\"azp\":\"agent-7\","
                    "\"scope\":\"mail.read\",\"preferred_username\":[\"a\"]",
      E(MALFORMED_CLAIM) },
    { "an ID token of Entra", "entra", TYPED,
      AUD ISS TIMES "\"sub\":\"x\",\"oid\":" OID ",\"tid\":\"t\",\"roles\":[\"mail.read\"]",
      E(CLAIM_MISSING) },
    { "an application by idtyp, delegated by scp", "entra", TYPED,
      ENTRA_PERSON ",\"idtyp\":\"app\"", POSTERN_ERR_ACTOR_UNCLEAR },
    { "a user by idtyp to whom nothing was delegated", "entra", TYPED,
      ENTRA_APP ",\"idtyp\":\"user\"", POSTERN_ERR_ACTOR_UNCLEAR },
    { "a device", "entra", TYPED, ENTRA_PERSON ",\"idtyp\":\"device\"",
      POSTERN_ERR_ACTOR_UNCLEAR },
    { "idtyp that is no text", "entra", TYPED, ENTRA_APP ",\"idtyp\":true",
      POSTERN_ERR_ACTOR_UNCLEAR },
    { "no scp, and another object than the subject", "entra", TYPED,
      ENTRA_BASE ",\"sub\":\"x\",\"roles\":[\"mail.read\"]", POSTERN_ERR_ACTOR_UNCLEAR },
    { "no scp and no roles", "entra", TYPED, ENTRA_BASE ",\"sub\":" OID, POSTERN_ERR_ACTOR_UNCLEAR },
    { "no tenant", "entra", TYPED, AUD ISS TIMES "\"sub\":" OID ",\"oid\":" OID, E(CLAIM_MISSING) },
    { "Okta: no user, no client as subject", "okta", UNTYPED, OKTA_BASE ",\"sub\":\"alice\"",
      POSTERN_ERR_ACTOR_UNCLEAR },
    { "Okta: a user that is the client", "okta", UNTYPED, OKTA_CLIENT ",\"uid\":\"00u\"",
      POSTERN_ERR_ACTOR_UNCLEAR },
    { "Okta's ID token", "okta", UNTYPED,
      ISS AUD TIMES "\"sub\":\"00u\",\"jti\":\"ID.r\",\"amr\":[\"pwd\"],\"auth_time\":1",
      E(CLAIM_MISSING) },
    { "a scope less than wanted", "okta", UNTYPED,
      "\"jti\":\"AT.1\"," ISS AUD TIMES "\"cid\":\"c\",\"sub\":\"c\",\"scp\":[\"profile\"]",
      E(INSUFFICIENT_SCOPE) },
    { "two scopes in one entry", "okta", UNTYPED,
      "\"jti\":\"AT.1\"," ISS AUD TIMES "\"cid\":\"c\",\"sub\":\"c\",\"scp\":[\"x mail.read\"]",
      E(MALFORMED_CLAIM) },
    { "an empty entry", "okta", UNTYPED,
      "\"jti\":\"AT.1\"," ISS AUD TIMES "\"cid\":\"c\",\"sub\":\"c\",\"scp\":[\"mail.read\",\"\"]",
      E(MALFORMED_CLAIM) },
    { "an entry that is no text", "okta", UNTYPED,
      "\"jti\":\"AT.1\"," ISS AUD TIMES "\"cid\":\"c\",\"sub\":\"c\",\"scp\":[\"mail.read\",7]",
      E(MALFORMED_CLAIM) },
    { "no array at all", "okta", UNTYPED,
      "\"jti\":\"AT.1\"," ISS AUD TIMES "\"cid\":\"c\",\"sub\":\"c\",\"scp\":{\"mail.read\":1}",
      E(MALFORMED_CLAIM) },
    { "no scopes", "okta", UNTYPED,
      "\"jti\":\"AT.1\"," ISS AUD TIMES "\"cid\":\"c\",\"sub\":\"c\",\"scp\":[]",
      E(INSUFFICIENT_SCOPE) },
    { "an array where a string is wanted", "keycloak", TYPED,
      TIMES ISS AUD "\"jti\":\"i\",\"sub\":\"u\",\"typ\":\"Bearer\",\"azp\":\"agent-7\","
                    "\"scope\":[\"mail.read\"],\"preferred_username\":\"alice\"",
      E(MALFORMED_CLAIM) },
};

static void what_gives_no_clear_sign_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        postern_err e;

        use_provider(refused[i].provider, "");
        e = log_in(refused[i].header, refused[i].claims, NULL);
        if (e != refused[i].want)
            fail_msg("%s: wanted %s, got %s (%s)", refused[i].why,
                     postern_err_reason(refused[i].want), postern_err_reason(e), t.err.detail);
    }
}

/* So that a revocation by name finds it: Entra sends no jti. */
static void a_token_of_entra_is_named_by_its_uti(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    use_provider("entra", "");
    assert_int_equal(log_in(TYPED, ENTRA_PERSON, &g), POSTERN_OK);
    assert_string_equal(postern_grant_jti(g), "bsK");
}

static void a_key_in_the_file_wins_over_the_provider(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    use_provider("keycloak", "username_claim: email\n");
    assert_int_equal(log_in(TYPED, KC_PERSON, &g), POSTERN_OK);
    assert_string_equal(postern_grant_user(g), "alice");
    use_provider("keycloak", "token_types: at+jwt\n");
    assert_int_equal(log_in(TYPED, KC_PERSON, NULL), POSTERN_ERR_TYP);
    use_provider("keycloak", "required_claims: act\n");
    assert_int_equal(log_in(TYPED, KC_PERSON, NULL), POSTERN_ERR_CLAIM_MISSING);
    use_provider("keycloak", "username_claim: email\n");
    assert_int_equal(log_in(TYPED, KC_CLIENT, NULL), POSTERN_ERR_NO_MAPPING);
}

/* A live session: a provider's name that changes may change who stands behind it. */
static void a_grant_whose_party_changed_is_not_given_again(void **state)
{
    POSTERN_AUTO(grant) g = NULL;

    (void)state;
    use_provider("keycloak", "");
    assert_int_equal(log_in(AT_JWT, KC_CLIENT, &g), POSTERN_OK);
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), POSTERN_OK);
    use_provider("rfc9068", "agent_claim: act.sub azp\nrequired_claims: sub\n"
                            "username_claim: preferred_username\n");
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, NULL), POSTERN_ERR_AUTHZID);
}

/* ---- the judgement alone, of facts that claims.c checked ---- */

#define BEARER "\"typ\":\"Bearer\","

/* POSTERN_OK and whose it is, or why nobody can tell. */
static const struct {
    const char *why, *provider, *client, *claims;
    postern_err want;
    bool is_clients_own;
} parties[] = {
    { "a service account", "keycloak", "agent-7",
      "{" BEARER "\"preferred_username\":\"service-account-agent-7\"}", POSTERN_OK, true },
    { "a client's name in capitals", "keycloak", "Agent-Z",
      "{" BEARER "\"preferred_username\":\"service-account-agent-z\"}", POSTERN_OK, true },
    { "another client's service account", "keycloak", "agent-7",
      "{" BEARER "\"preferred_username\":\"service-account-agent-8\"}", POSTERN_OK, false },
    { "a longer name", "keycloak", "agent-7",
      "{" BEARER "\"preferred_username\":\"service-account-agent-77\"}", POSTERN_OK, false },
    { "a name that only begins like one", "keycloak", "agent-7",
      "{" BEARER "\"preferred_username\":\"service-accountagent-7\"}", POSTERN_OK, false },
    { "[ is no capital of {", "keycloak", "agent[",
      "{" BEARER "\"preferred_username\":\"service-account-agent{\"}", POSTERN_OK, false },
    { "no name", "keycloak", "agent-7", "{\"typ\":\"Bearer\"}", E(ACTOR_UNCLEAR), false },
    { "a name that is a number", "keycloak", "agent-7", "{" BEARER "\"preferred_username\":7}",
      E(MALFORMED_CLAIM), false },
    { "an application", "entra", "app", "{\"roles\":[],\"oid\":\"o\",\"sub\":\"o\"}", POSTERN_OK,
      true },
    { "no object", "entra", "app", "{\"roles\":[],\"sub\":\"o\"}", E(ACTOR_UNCLEAR), false },
    { "no subject", "entra", "app", "{\"roles\":[],\"oid\":\"o\"}", E(ACTOR_UNCLEAR), false },
    { "two objects", "entra", "app", "{\"roles\":[],\"oid\":\"o\",\"sub\":\"p\"}",
      E(ACTOR_UNCLEAR), false },
    { "no client", "entra", "", "{\"roles\":[],\"oid\":\"o\",\"sub\":\"o\"}", E(CLAIM_MISSING),
      false },
};

static postern_err judge_party(const char *provider, const char *client, const char *claims,
                               bool *ret_is_clients_own)
{
    struct postern_grant_facts facts = { .subject = POSTERN_BYTES_LIT("somebody"),
                                         .client_id = postern_bytes_str(client) };
    POSTERN_AUTO_JSON j = { 0 };
    postern_err e;

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(claims), NULL), POSTERN_OK);
    e = postern_provider_judge(postern_provider(provider), &j, &facts, NULL);
    *ret_is_clients_own = facts.is_clients_own;
    return e;
}

static void whose_a_token_is_depends_on_each_part_of_the_sign(void **state)
{
    bool is_clients_own;

    (void)state;
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++) {
        postern_err e = judge_party(parties[i].provider, parties[i].client, parties[i].claims,
                                    &is_clients_own);

        if (e != parties[i].want || (e == POSTERN_OK && is_clients_own != parties[i].is_clients_own))
            fail_msg("%s: %s, %d", parties[i].why, postern_err_reason(e), is_clients_own);
    }
}

static void a_name_longer_than_any_is_no_sign(void **state)
{
    char *longest = test_printf("{" BEARER "\"preferred_username\":\"%0*d\"}", 6142, 0);
    char *longer = test_printf("{" BEARER "\"preferred_username\":\"%0*d\"}", 6143, 0);
    bool is_clients_own;

    (void)state;
    assert_int_equal(judge_party("keycloak", "agent-7", longest, &is_clients_own), POSTERN_OK);
    assert_int_equal(judge_party("keycloak", "agent-7", longer, &is_clients_own),
                     E(UNSAFE_IDENTITY));
    free(longest), free(longer);
}

/* Who was delegated to is who acts; no sign of the provider's says otherwise. */
static void an_actor_is_asked_for_no_sign(void **state)
{
    struct postern_grant_facts facts = { .act_depth = 1, .act = { POSTERN_BYTES_LIT("agent-7") } };
    POSTERN_AUTO_JSON j = { 0 };

    (void)state;
    assert_int_equal(postern_json_scan(&j, POSTERN_BYTES_LIT("{}"), NULL), POSTERN_OK);
    assert_int_equal(postern_provider_judge(postern_provider("keycloak"), &j, &facts, NULL),
                     POSTERN_OK);
    assert_false(facts.is_clients_own);
    facts.act_depth = 0;
    assert_int_equal(postern_provider_judge(postern_provider("keycloak"), &j, &facts, NULL),
                     E(CLAIM_MISSING));
}

static void a_provider_of_no_name_that_is_known_is_none(void **state)
{
    (void)state;
    assert_null(postern_provider("Keycloak"));
    assert_null(postern_provider(""));
    assert_string_equal(postern_provider_name(postern_provider("okta")), "okta");
    assert_string_equal(postern_provider_name(NULL), "rfc9068");
}

static postern_err judge_escaped(void *arg, postern_error *err)
{
    struct postern_grant_facts facts = { .client_id = POSTERN_BYTES_LIT("agent-7") };

    return postern_provider_judge(postern_provider("keycloak"), arg, &facts, err);
}

static void a_sign_for_which_memory_lacks_is_not_read_as_another(void **state)
{
    POSTERN_AUTO_JSON j = { 0 };

    (void)state;
    assert_int_equal(
        postern_json_scan(&j, POSTERN_BYTES_LIT("{" BEARER "\"preferred_username\":\"\\u0061\"}"), NULL),
        POSTERN_OK);
    assert_true(alloc_fail_sweep(judge_escaped, &j, POSTERN_OK) >= 1);
}

static postern_err log_in_to_okta(void *arg, postern_error *err)
{
    postern_request rq = test_login_request(arg);
    postern_err e = test_login_run(&t, &rq, NULL);

    *err = t.err;
    return e;
}

static void every_failing_allocation_says_so(void **state)
{
    char *token;

    (void)state;
    use_provider("okta", "");
    /* Refused in the end: what was proved is kept when there is memory for it, and else not. */
    token = test_sign(t.key, "ES256", UNTYPED,
                      "{\"jti\":\"AT.1\"," ISS AUD TIMES
                      "\"cid\":\"c\",\"sub\":\"c\",\"scp\":[\"\\u0070rofile\",\"x\"]}");
    assert_int_equal(log_in(UNTYPED, OKTA_PERSON, NULL), POSTERN_OK); /* keys are read */
    assert_true(alloc_fail_sweep(log_in_to_okta, token, POSTERN_ERR_INSUFFICIENT_SCOPE) >= 3);
    free(token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(products_tokens_name_agent_and_human),
        TEST(what_gives_no_clear_sign_is_refused),
        TEST(a_key_in_the_file_wins_over_the_provider),
        TEST(a_token_of_entra_is_named_by_its_uti),
        TEST(a_grant_whose_party_changed_is_not_given_again),
        TEST(whose_a_token_is_depends_on_each_part_of_the_sign),
        TEST(a_name_longer_than_any_is_no_sign),
        TEST(an_actor_is_asked_for_no_sign),
        TEST(a_provider_of_no_name_that_is_known_is_none),
        TEST(a_sign_for_which_memory_lacks_is_not_read_as_another),
        TEST(every_failing_allocation_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
