/* SPDX-License-Identifier: BSD-2-Clause */
/* Services that trust several issuers (lib/oauth/validate.c, rules.c, config_trusts.c): whose token
 * it is, that nothing of one issuer counts for another's, and that no two can name one user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/trail.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"
#include "oauth/context_inner.h"

#define PARTNER "https://login.partner.example"
#define THIRD   "https://third.example"
#define SERVICE                                                                                    \
    "audience: " TEST_AUDIENCE                                                                     \
    "\nhelper_peers: 0\nrequired_scopes: mail.read\nissuers: sso partner\n"

static test_login t;
static test_key *partner; /* kid "p", RS256 */
static test_key *third;   /* of an issuer that imap does not trust */

static void put_issuer(const char *name, const char *issuer, const char *more)
{
    char *file = test_printf("issuers/%s.conf", name);
    char *keys = test_printf("%s.json", name);
    char *text =
        test_printf("issuer: %s\njwks_file: %s\n%s", issuer, test_folder_at(&t.folder, keys), more);

    test_folder_put(&t.folder, file, text);
    free(file);
    free(keys);
    free(text);
}

static void put_keys(const char *file, const test_key *k, const char *kid)
{
    char *jwks = test_key_jwks(k, kid, NULL);

    test_folder_put(&t.folder, file, jwks);
    free(jwks);
}

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    partner = test_key_rsa();
    third = test_key_new("P-256");
    put_issuer("sso", TEST_ISSUER, "algorithms: ES256\nusername_claim: ${sub}@corp\n");
    put_issuer("partner", PARTNER,
               "algorithms: RS256\ntoken_types: JWT\nrequired_claims: sub\nclock_skew: 0s\n"
               "username_claim: ${sub}@partner\n");
    put_issuer("third", THIRD, "");
    put_keys("sso.json", t.key, "a");
    put_keys("partner.json", partner, "p");
    put_keys("third.json", third, "t");
    test_folder_put(&t.folder, "services/imap.conf", SERVICE);
    test_login_reload(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_key_free(third);
    test_login_remove(&t);
    return 0;
}

/* A token of that issuer for alice.  free() it. */
static char *make(const test_key *k, const char *alg, const char *typ, const char *kid,
                  const char *payload)
{
    char *header = test_printf("{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", alg, typ, kid);
    char *token = test_sign(k, alg, header, payload);

    free(header);
    return token;
}

#define CLAIMS(iss, exp)                                                                           \
    "{\"iss\":" iss ",\"aud\":\"" TEST_AUDIENCE "\",\"exp\":" exp                                  \
    ",\"iat\":1799999000,\"sub\":\"alice\",\"client_id\":\"agent-7\",\"jti\":\"t-1\",\"scope\":"   \
    "\"mail.read\"}"
#define OF_SSO     CLAIMS("\"" TEST_ISSUER "\"", "1800000300")
#define OF_PARTNER CLAIMS("\"" PARTNER "\"", "1800000300")

static char *make_sso(void)
{
    return make(t.key, "ES256", "at+jwt", "a", OF_SSO);
}

static char *make_partner(void)
{
    return make(partner, "RS256", "JWT", "p", OF_PARTNER);
}

static postern_err run(char *take_token, postern_grant **ret_grant)
{
    postern_request rq = test_login_request(take_token);
    postern_err e = test_login_run(&t, &rq, ret_grant);

    free(take_token);
    return e;
}

static void assert_verdict(const char *why, postern_err got, postern_err want)
{
    if (got != want)
        fail_msg("%s: wanted %s, got %s (%s)", why, postern_err_reason(want),
                 postern_err_reason(got), t.err.detail);
}

static struct cache_counts counts(void)
{
    return postern_cache_counts(postern_context_cache(t.context));
}

/* ---- whose ---- */

static void each_issuers_token_is_its_own_user(void **state)
{
    POSTERN_AUTO(grant) ours = NULL;
    POSTERN_AUTO(grant) theirs = NULL;

    (void)state;
    assert_verdict("sso", run(make_sso(), &ours), POSTERN_OK);
    assert_verdict("partner", run(make_partner(), &theirs), POSTERN_OK);
    assert_string_equal(postern_grant_issuer(ours), TEST_ISSUER);
    assert_string_equal(postern_grant_issuer(theirs), PARTNER);
    assert_string_equal(postern_grant_user(ours), "alice@corp");
    assert_string_equal(postern_grant_user(theirs), "alice@partner");
}

/* Mix-up: keys come from the issuer that the token names, and from nobody else. */
static void a_token_that_names_one_issuer_and_is_signed_by_the_other_is_refused(void **state)
{
    test_key *twin = test_key_new("P-256");

    (void)state;
    assert_verdict("the kid of the signer", run(make(third, "ES256", "at+jwt", "t", OF_SSO), NULL),
                   POSTERN_ERR_UNKNOWN_KID);
    assert_verdict("the kid of the named", run(make(third, "ES256", "at+jwt", "a", OF_SSO), NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
    put_issuer("partner", PARTNER,
               "token_types: JWT at+jwt\nusername_claim: ${sub}@partner\n"); /* any algorithm */
    put_keys("partner.json", twin, "a");                                     /* the same kid */
    test_login_reload(&t);
    assert_verdict("iss sso, signed by the partner",
                   run(make(twin, "ES256", "at+jwt", "a", OF_SSO), NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
    assert_verdict("iss partner, signed by sso",
                   run(make(t.key, "ES256", "at+jwt", "a", OF_PARTNER), NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
    assert_verdict("iss partner, signed by the partner",
                   run(make(twin, "ES256", "at+jwt", "a", OF_PARTNER), NULL), POSTERN_OK);
    test_key_free(twin);
}

static void an_iss_that_is_no_trusted_issuers_is_refused_before_any_key(void **state)
{
    static const struct {
        const char *why, *payload;
        postern_err want;
    } cases[] = {
        { "of a third whom another service trusts", CLAIMS("\"" THIRD "\"", "1800000300"),
          POSTERN_ERR_ISS },
        { "with a slash more", CLAIMS("\"" PARTNER "/\"", "1800000300"), POSTERN_ERR_ISS },
        { "in capitals", CLAIMS("\"HTTPS://login.partner.example\"", "1800000300"),
          POSTERN_ERR_ISS },
        { "a list of both", CLAIMS("[\"" PARTNER "\",\"" TEST_ISSUER "\"]", "1800000300"),
          POSTERN_ERR_ISS },
        { "null", CLAIMS("null", "1800000300"), POSTERN_ERR_ISS },
        { "none", "{\"sub\":\"alice\"}", POSTERN_ERR_ISS },
        { "twice", CLAIMS("\"" PARTNER "\",\"iss\":\"" TEST_ISSUER "\"", "1800000300"),
          POSTERN_ERR_MALFORMED },
        { "no object", "[]", POSTERN_ERR_MALFORMED },
        { "no JSON", "iss=" PARTNER, POSTERN_ERR_MALFORMED },
    };

    (void)state;
    test_folder_put(&t.folder, "services/pop.conf",
                    "audience: https://mail.example.org/pop\nhelper_peers: 0\nissuers: third\n");
    (void)remove(test_folder_at(&t.folder, "partner.json")); /* keys would be undecided */
    (void)remove(test_folder_at(&t.folder, "sso.json"));
    test_login_reload(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_verdict(cases[i].why,
                       run(make(third, "ES256", "at+jwt", "t", cases[i].payload), NULL),
                       cases[i].want);
    assert_verdict("a trusted one", run(make_sso(), NULL), POSTERN_ERR_KEYS_UNAVAILABLE);
}

static void an_iss_with_escapes_is_what_it_means(void **state)
{
    (void)state;
    assert_verdict("escaped",
                   run(make(partner, "RS256", "JWT", "p",
                            CLAIMS("\"https:\\/\\/login.\\u0070artner.example\"", "1800000300")),
                       NULL),
                   POSTERN_OK);
}

static void one_issuers_algorithms_types_claims_and_clock_are_not_the_others(void **state)
{
    (void)state;
    assert_verdict("RS256 of sso", run(make(partner, "RS256", "at+jwt", "p", OF_SSO), NULL),
                   POSTERN_ERR_ALG_NOT_ALLOWED);
    assert_verdict("ES256 of the partner", run(make(t.key, "ES256", "JWT", "a", OF_PARTNER), NULL),
                   POSTERN_ERR_ALG_NOT_ALLOWED);
    assert_verdict("JWT of sso", run(make(t.key, "ES256", "JWT", "a", OF_SSO), NULL),
                   POSTERN_ERR_TYP);
    assert_verdict("at+jwt of the partner",
                   run(make(partner, "RS256", "at+jwt", "p", OF_PARTNER), NULL), POSTERN_ERR_TYP);
    assert_verdict(
        "expired for sso, within its skew",
        run(make(t.key, "ES256", "at+jwt", "a", CLAIMS("\"" TEST_ISSUER "\"", "1799999950")), NULL),
        POSTERN_OK);
    assert_verdict(
        "expired for the partner, who has none",
        run(make(partner, "RS256", "JWT", "p", CLAIMS("\"" PARTNER "\"", "1799999950")), NULL),
        POSTERN_ERR_EXPIRED);
    assert_verdict("sso without jti",
                   run(make(t.key, "ES256", "at+jwt", "a",
                            "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE
                            "\",\"exp\":1800000300,\"iat\":1799999000,\"sub\":\"alice\","
                            "\"client_id\":\"x\",\"scope\":\"mail.read\"}"),
                       NULL),
                   POSTERN_ERR_CLAIM_MISSING);
    assert_verdict("the partner without jti",
                   run(make(partner, "RS256", "JWT", "p",
                            "{\"iss\":\"" PARTNER "\",\"aud\":\"" TEST_AUDIENCE
                            "\",\"exp\":1800000300,\"iat\":1799999000,\"sub\":\"alice\","
                            "\"client_id\":\"x\",\"scope\":\"mail.read\"}"),
                       NULL),
                   POSTERN_OK);
}

static void a_removal_at_one_issuer_leaves_the_others_client_of_that_name(void **state)
{
    (void)state;
    assert_verdict("revoke",
                   postern_context_revoke(t.context, PARTNER, POSTERN_REVOCATION_CLIENT, "agent-7",
                                          t.now_s, NULL),
                   POSTERN_OK);
    assert_verdict("the partner's", run(make_partner(), NULL), POSTERN_ERR_REVOKED);
    assert_verdict("ours", run(make_sso(), NULL), POSTERN_OK);
}

/* A block is an administrator's, of a name: whoever gave it. */
static void a_block_is_of_the_agent_of_that_name_at_each_issuer(void **state)
{
    const postern_block block = { .agent = "agent-7" };

    (void)state;
    assert_verdict("set", postern_context_set_blocks(t.context, &block, 1, NULL), POSTERN_OK);
    assert_verdict("the partner's", run(make_partner(), NULL), POSTERN_ERR_BLOCKED);
    assert_verdict("ours", run(make_sso(), NULL), POSTERN_ERR_BLOCKED);
}

static void a_refused_client_is_told_of_the_issuer_that_its_token_names(void **state)
{
    postern_request rq = test_login_request("");
    test_key *other = test_key_new("RSA-2048");

    (void)state;
    assert_verdict("no token", test_login_run(&t, &rq, NULL), POSTERN_ERR_NO_TOKEN);
    assert_string_equal(t.failure.issuer, TEST_ISSUER);
    assert_verdict("of the partner", run(make(other, "RS256", "JWT", "p", OF_PARTNER), NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
    assert_string_equal(t.failure.issuer, PARTNER);
    assert_string_equal(t.failure.openid_configuration,
                        PARTNER "/.well-known/openid-configuration");
    assert_string_equal(t.failure.scope, "mail.read");
    test_key_free(other);
}

static bool is_anyone(const struct trust *trust)
{
    return trust != NULL;
}

static bool is_nobody(const struct trust *trust)
{
    return trust == NULL;
}

static bool is_partner(const struct trust *trust)
{
    return strcmp(trust->claims.issuer, PARTNER) == 0;
}

/* A token that names no issuer is shown to one, or to nobody. */
static void an_issuer_is_found_by_what_it_alone_has(void **state)
{
    const struct service_rules *rules = postern_context_rules(t.context, "imap");

    (void)state;
    assert_ptr_equal(postern_service_only_trust(rules, is_partner),
                     postern_service_trust(rules, PARTNER));
    assert_null(postern_service_only_trust(rules, is_anyone));
    assert_null(postern_service_only_trust(rules, is_nobody));
    assert_null(postern_service_trust(rules, THIRD));
    assert_null(postern_service_trust(rules, PARTNER "/"));
}

/* ---- the cache ---- */

static void what_was_proved_for_one_issuer_is_found_again_as_its_own(void **state)
{
    POSTERN_AUTO(grant) first = NULL;
    POSTERN_AUTO(grant) again = NULL;

    (void)state;
    assert_verdict("first", run(make_partner(), &first), POSTERN_OK);
    assert_int_equal(counts().kept, 1);
    assert_verdict("again", run(make_partner(), &again), POSTERN_OK);
    assert_int_equal(counts().found, 1);
    assert_string_equal(postern_grant_issuer(again), PARTNER);
    assert_string_equal(postern_grant_user(again), "alice@partner");
    put_keys("partner.json", third, "p"); /* the keys are others now: nothing is spared */
    t.mono_ms += 600000;
    assert_verdict("others", run(make_partner(), NULL), POSTERN_ERR_ALG_KEY_MISMATCH);
}

static void a_proof_of_one_issuer_proves_nothing_where_the_other_alone_is_trusted(void **state)
{
    char *token = make_partner();
    postern_request rq = test_login_request(token);

    (void)state;
    test_folder_put(&t.folder, "services/pop.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\nissuers: sso\n"
                    "shared_audience: yes\n");
    test_folder_put(&t.folder, "services/imap.conf", SERVICE "shared_audience: yes\n");
    test_login_reload(&t);
    assert_verdict("imap", test_login_run(&t, &rq, NULL), POSTERN_OK);
    rq.service = "pop";
    assert_verdict("pop", test_login_run(&t, &rq, NULL), POSTERN_ERR_ALG_NOT_ALLOWED);
    assert_int_equal(counts().found, 0);
    free(token);
}

/* ---- what people see ---- */

static void the_trail_says_whose_it_is(void **state)
{
    postern_trail *trail = NULL;
    char *token = make_partner();
    postern_request rq = test_login_request(token);
    postern_trail_step step;
    bool is_told = false;

    (void)state;
    assert_verdict("trail", postern_trail_new(&trail, NULL), POSTERN_OK);
    rq.trail = trail;
    assert_verdict("login", test_login_run(&t, &rq, NULL), POSTERN_OK);
    for (size_t i = 0; postern_trail_at(trail, i, &step); i++)
        if (strcmp(step.name, "whose") == 0) {
            assert_int_equal(step.state, POSTERN_TRAIL_PASSED);
            assert_string_equal(step.facts, "it says " PARTNER ": issuers/partner.conf");
            is_told = true;
        }
    assert_true(is_told);
    postern_trail_free(trail);
    free(token);
}

/* With one issuer nothing of the payload is read before the signature. */
static void with_one_issuer_a_strangers_payload_is_not_read(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\nissuers: sso\n");
    test_login_reload(&t);
    assert_verdict("no JSON", run(make(third, "ES256", "at+jwt", "a", "["), NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
    assert_verdict("another iss", run(make(third, "ES256", "at+jwt", "a", OF_PARTNER), NULL),
                   POSTERN_ERR_BAD_SIGNATURE);
}

/* ---- no two name one user ---- */

#define BY(claim) "username_claim: " claim "\n"

static void two_issuers_that_may_name_one_user_are_refused(void **state)
{
    static const struct {
        const char *why, *sso, *partner, *service;
        postern_err want;
    } cases[] = {
        { "suffixes", BY("${sub}@corp"), BY("${sub}@partner"), "", POSTERN_OK },
        { "a suffix within the other", BY("${sub}-a"), BY("${sub}-b-a"), "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "prefixes", BY("c-${sub}"), BY("p-${sub}"), "", POSTERN_OK },
        { "a prefix within the other", BY("a-${sub}"), BY("a-b-${sub}"), "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "prefix and suffix", BY("c-${sub}"), BY("${sub}@partner"), "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "nothing", "", "", "", POSTERN_ERR_CONFIG_CONFLICT },
        { "one has nothing", "", BY("${sub}@partner"), "", POSTERN_ERR_CONFIG_CONFLICT },
        { "other claims", BY("email"), BY("preferred_username"), "", POSTERN_ERR_CONFIG_CONFLICT },
        { "in the middle alone", BY("${azp}.a.${sub}"), BY("${azp}.b.${sub}"), "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "in capitals alone", BY("${sub}@corp"), BY("${sub}@CORP"), "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "one of two that differ", BY("x-${sub}-a"), BY("x-${sub}-b"), "", POSTERN_OK },
        { "a domain that is cut off", BY("${sub}@corp"), BY("${sub}@partner"),
          "username_strip_domain: corp\n", POSTERN_ERR_CONFIG_CONFLICT },
        { "a domain that is cut off, where no name has an @",
          BY("${sub}@corp") "username_chars: a-z0-9\n", BY("${sub}@partner"),
          "username_strip_domain: corp\n", POSTERN_OK },
        { "plain names without a hyphen", "username_chars: a-z0-9\n", BY("p-${sub}"), "",
          POSTERN_OK },
        { "plain names with a hyphen", "username_chars: a-z0-9-\n", BY("p-${sub}"), "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "plain names without the letter but in capitals", "username_chars: A-Z0-9\n",
          BY("p${sub}"), "", POSTERN_ERR_CONFIG_CONFLICT },
        { "plain names without a hyphen, and nobody may have one", "username_chars: a-z\n",
          BY("p-${sub}"), "username_chars: a-z\n", POSTERN_OK },
        { "the service's characters are both's", "", BY("p-${sub}"), "username_chars: a-z\n",
          POSTERN_OK },
        { "the other one's plain names without a hyphen", BY("p-${sub}"), "username_chars: a-z0-9\n",
          "", POSTERN_OK },
        { "a sign behind all letters", "username_chars: a-z\n",
          BY("p~${sub}") "username_chars: a-z~\n", "username_chars: a-z~\n", POSTERN_OK },
        { "the same sign, which both may have", "username_chars: a-z~\n",
          BY("p~${sub}") "username_chars: a-z~\n", "username_chars: a-z~\n",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "both domains are cut off", BY("${sub}@corp"), BY("${sub}@partner"),
          "username_strip_domain: corp Partner\n", POSTERN_ERR_CONFIG_CONFLICT },
        { "cut off the one within the other", BY("${sub}@corp"), BY("${sub}@a@corp"),
          "username_strip_domain: corp\n", POSTERN_ERR_CONFIG_CONFLICT },
        { "cut off at what a claim may hold", BY("a@${sub}"), BY("a-${sub}"),
          "username_strip_domain: corp\n", POSTERN_ERR_CONFIG_CONFLICT },
        { "prefixes before any domain", BY("a-${sub}"), BY("b-${sub}"),
          "username_strip_domain: corp\n", POSTERN_OK },
        { "a domain that no name has", BY("${sub}-a"), BY("${sub}-b"),
          "username_strip_domain: corp\n", POSTERN_OK },
        { "a domain that ends so", BY("${sub}.a"), BY("${sub}.b"), "username_strip_domain: x.a\n",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "agents by their own names", BY("${sub}@corp"), BY("${sub}@partner"), "login_as: agent\n",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "agents beside people", BY("${sub}@corp"), BY("${sub}@partner"), "login_as: both\n",
          POSTERN_ERR_CONFIG_CONFLICT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *service = test_printf(SERVICE "%s", cases[i].service);
        postern_config *c = NULL;

        put_issuer("sso", TEST_ISSUER, cases[i].sso);
        put_issuer("partner", PARTNER, cases[i].partner);
        test_folder_put(&t.folder, "services/imap.conf", service);
        free(service);
        assert_verdict(cases[i].why, postern_config_load(t.folder.path, &c, &t.err), cases[i].want);
        postern_config_free(c);
    }
}

static void put_map(const char *name, const char *text)
{
    char *file = test_printf("%s.map", name);

    test_folder_put(&t.folder, file, text);
    free(file);
}

static void put_mapped(const char *name, const char *issuer, const char *map)
{
    char *file = test_printf("%s.map", name);
    char *more = test_printf("username_map_file: %s\n", test_folder_at(&t.folder, file));

    put_map(name, map);
    put_issuer(name, issuer, more);
    free(file);
    free(more);
}

/* Of two issuers with a map each; "" is no map but partner-${sub}. */
static void maps_are_apart_by_the_users_that_they_name(void **state)
{
    static const struct {
        const char *why, *sso, *partner, *service;
        postern_err want;
    } cases[] = {
        { "other users", "a alice\nb bob\n", "a carol\nb dave\n", "", POSTERN_OK },
        { "one user", "a alice\nb bob\n", "a carol\nz bob\n", "", POSTERN_ERR_CONFIG_CONFLICT },
        { "one user in capitals", "a alice\n", "a ALICE\n", "", POSTERN_ERR_CONFIG_CONFLICT },
        { "one user twice of one issuer", "a alice\nb alice\n", "a carol\n", "", POSTERN_OK },
        { "an expression's gap", "/^(.*)-bot$ \\1_bot\n", "a x_bot\n", "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "an expression's end", "/^(.*)-bot$ \\1_bot\n", "a x_bat\n", "", POSTERN_OK },
        { "too short for the gap", "/^(.*)$ ab\\1ba\n", "a aba\n", "", POSTERN_OK },
        { "two expressions", "/^(.*)$ \\1_a\n", "/^(.*)$ \\1_b\n", "", POSTERN_OK },
        { "two expressions of one form", "/^(.*)$ \\1_a\n", "/^(.*)$ \\1_x_a\n", "",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "a template's", "a partner-alice\n", "", "", POSTERN_ERR_CONFIG_CONFLICT },
        { "none of the template's", "a partnership\n", "", "", POSTERN_OK },
        { "a domain cut off", "a alice@x\n", "a alice\n", "username_strip_domain: x\n",
          POSTERN_ERR_CONFIG_CONFLICT },
        { "another domain", "a alice@y\n", "a alice\n", "username_strip_domain: x\n", POSTERN_OK },
        { "agents by maps", "a bot-a\n", "a bot-b\n", "login_as: agent\n", POSTERN_OK },
        { "agents by one map", "a bot-a\n", "", "login_as: agent\n", POSTERN_ERR_CONFIG_CONFLICT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *service = test_printf(SERVICE "%s", cases[i].service);
        postern_config *c = NULL;

        put_mapped("sso", TEST_ISSUER, cases[i].sso);
        if (cases[i].partner[0] != '\0')
            put_mapped("partner", PARTNER, cases[i].partner);
        else
            put_issuer("partner", PARTNER, BY("partner-${sub}"));
        test_folder_put(&t.folder, "services/imap.conf", service);
        free(service);
        assert_verdict(cases[i].why, postern_config_load(t.folder.path, &c, &t.err), cases[i].want);
        postern_config_free(c);
    }
}

static void assert_complaint(const char *want)
{
    postern_config *c = NULL;

    assert_verdict(want, postern_config_load(t.folder.path, &c, &t.err),
                   POSTERN_ERR_CONFIG_CONFLICT);
    assert_string_equal(t.err.detail, want);
}

static void a_refusal_says_where_and_what_to_write(void **state)
{
    char *text, *want;

    (void)state;
    put_issuer("sso", TEST_ISSUER, BY("${sub}@a@corp"));
    put_issuer("partner", PARTNER, BY("${sub}@corp"));
    assert_complaint(
        "services/imap.conf:4:10: issuers: sso and partner may name one local user; "
        "give each a username_claim that says whose it is (sso-${sub}, partner-${sub}), or a "
        "username_map_file of its own.  Now: \"*@a@corp\" by username_claim "
        "(issuers/sso.conf:3), \"*@corp\" by username_claim (issuers/partner.conf:3)");
    put_mapped("sso", TEST_ISSUER, "a x\nb Alice\n");
    put_mapped("partner", PARTNER, "c alice\n");
    want = test_printf(
        "services/imap.conf:4:10: issuers: sso and partner may name one local user; "
        "give each a username_claim that says whose it is (sso-${sub}, partner-${sub}), or a "
        "username_map_file of its own.  Now: \"Alice\" by %s/sso.map:2, \"alice\" by "
        "%s/partner.map:1",
        t.folder.path, t.folder.path);
    assert_complaint(want);
    free(want);
    text = test_printf(SERVICE "username_map_file: %s\n", test_folder_at(&t.folder, "sso.map"));
    test_folder_put(&t.folder, "services/imap.conf", text);
    free(text);
    assert_complaint(
        "services/imap.conf:5:20: username_map_file: one map for several issuers could "
        "lead names of two to one user: set it in each issuer's own file");
    put_issuer("sso", TEST_ISSUER, BY("${sub}@corp"));
    put_issuer("partner", PARTNER, BY("${sub}@partner"));
    test_folder_put(&t.folder, "services/imap.conf", SERVICE "login_as: both\n");
    assert_complaint(
        "services/imap.conf:4:10: issuers: an agent of one of sso and partner may have "
        "the name of somebody of the other (login_as: both); give each a "
        "username_map_file of its own, or say \"login_as: user\"");
}

static void an_issuers_map_leads_to_its_users_and_the_services_comes_before_it(void **state)
{
    POSTERN_AUTO(grant) ours = NULL;
    POSTERN_AUTO(grant) theirs = NULL;
    POSTERN_AUTO(grant) alone = NULL;
    char *text;

    (void)state;
    put_mapped("sso", TEST_ISSUER, "alice anna\n");
    put_issuer("partner", PARTNER,
               "algorithms: RS256\ntoken_types: JWT\nusername_claim: partner-${sub}\n");
    test_login_reload(&t);
    assert_verdict("ours", run(make_sso(), &ours), POSTERN_OK);
    assert_string_equal(postern_grant_user(ours), "anna");
    assert_verdict("theirs", run(make_partner(), &theirs), POSTERN_OK);
    assert_string_equal(postern_grant_user(theirs), "partner-alice");
    put_map("own", "alice berta\n");
    text = test_printf("audience: " TEST_AUDIENCE
                       "\nhelper_peers: 0\nissuers: sso\nusername_map_file: %s\n",
                       test_folder_at(&t.folder, "own.map"));
    test_folder_put(&t.folder, "services/imap.conf", text);
    free(text);
    test_login_reload(&t);
    assert_verdict("alone", run(make_sso(), &alone), POSTERN_OK);
    assert_string_equal(postern_grant_user(alone), "berta");
}

/* What keeps two issuers apart is asked of each name: here sso's plain names of the partner's. */
static void an_issuers_characters_are_asked_of_each_name(void **state)
{
    POSTERN_AUTO(grant) plain = NULL;

    (void)state;
    put_issuer("sso", TEST_ISSUER,
               "algorithms: ES256\nusername_claim: ${sub}@corp\nusername_chars: a-z0-9\n");
    test_folder_put(&t.folder, "services/imap.conf",
                    SERVICE "username_strip_domain: corp\nusername_chars: a-y0-9@\n");
    test_login_reload(&t);
    assert_verdict("alice", run(make_sso(), &plain), POSTERN_OK);
    assert_string_equal(postern_grant_user(plain), "alice");
    assert_verdict("alice of the partner", run(make_partner(), NULL), POSTERN_OK);
    assert_verdict("with the partner's domain",
                   run(make(t.key, "ES256", "at+jwt", "a",
                            "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE
                            "\",\"exp\":1800000300,\"iat\":1799999000,\"sub\":\"alice@partner\","
                            "\"client_id\":\"x\",\"jti\":\"1\",\"scope\":\"mail.read\"}"),
                       NULL),
                   POSTERN_ERR_NO_MAPPING);
    assert_verdict("with what the service lacks",
                   run(make(t.key, "ES256", "at+jwt", "a",
                            "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE
                            "\",\"exp\":1800000300,\"iat\":1799999000,\"sub\":\"zoe\","
                            "\"client_id\":\"x\",\"jti\":\"1\",\"scope\":\"mail.read\"}"),
                       NULL),
                   POSTERN_ERR_NO_MAPPING);
}

/* What is said to whoever sets up a host that folds names. */
static void names_have_one_case_where_no_issuer_may_say_both(void **state)
{
    static const struct {
        const char *why, *sso, *partner, *service;
        bool want;
    } cases[] = {
        { "what stands there by itself", "", "", "", false },
        { "the service's", "", "", "username_chars: a-z0-9._@-\n", true },
        { "capitals alone", "", "", "username_chars: A-Z0-9._@-\n", true },
        { "each letter in one", "", "", "username_chars: A-Mn-z@\n", true },
        { "one letter in both", "", "", "username_chars: a-zM@\n", false },
        { "a range across both", "", "", "username_chars: @-z\n", false },
        { "each issuer's", "username_chars: a-z@\n", "username_chars: 0-9@\n", "", true },
        { "one issuer's alone", "username_chars: a-z@\n", "", "", false },
        { "the other's alone", "", "username_chars: a-z@\n", "", false },
        { "the service's, whatever an issuer has", "username_chars: a-zA-Z@\n", "",
          "username_chars: a-z@\n", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO(config) c = NULL;
        char *sso = test_printf("%s%s", BY("${sub}@corp"), cases[i].sso);
        char *other = test_printf("%s%s", BY("${sub}@partner"), cases[i].partner);
        char *text = test_printf("%s%s", SERVICE, cases[i].service);

        put_issuer("sso", TEST_ISSUER, sso);
        put_issuer("partner", PARTNER, other);
        test_folder_put(&t.folder, "services/imap.conf", text);
        assert_int_equal(postern_config_load(t.folder.path, &c, NULL), POSTERN_OK);
        if (postern_config_names_have_one_case(c, postern_config_service_for(c, "imap")) !=
            cases[i].want)
            fail_msg("%s", cases[i].why);
        free(sso);
        free(other);
        free(text);
    }
}

/* A child reads the same from the dump, maps and all. */
static void a_dump_of_several_issuers_is_read_again(void **state)
{
    POSTERN_AUTO_BUF dump = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO(config) c = NULL;
    POSTERN_AUTO(config) read = NULL;

    (void)state;
    put_mapped("sso", TEST_ISSUER, "alice anna\n/^(.*)-bot$ \\1_bot\n");
    put_mapped("partner", PARTNER, "alice berta\n");
    assert_verdict("load", postern_config_load(t.folder.path, &c, &t.err), POSTERN_OK);
    postern_config_dump(c, &dump);
    assert_verdict("read", postern_config_load_dump(postern_buf_bytes(&dump), &read, &t.err),
                   POSTERN_OK);
    postern_config_dump(read, &again);
    assert_false(dump.failed || again.failed);
    assert_true(postern_bytes_equal(postern_buf_bytes(&dump), postern_buf_bytes(&again)));
}

static void more_issuers_than_sixteen_and_one_twice_are_refused(void **state)
{
    postern_config *c = NULL;
    char *list = test_printf("audience: x\nhelper_peers: 0\nissuers: sso");

    (void)state;
    for (int i = 0; i < 16; i++) {
        char *name = test_printf("i%d", i), *issuer = test_printf("https://i%d.example", i);
        char *claim = test_printf("username_claim: %d-${sub}\n", i), *longer;

        put_issuer(name, issuer, claim);
        longer = test_printf("%s %s", list, name);
        free(list);
        list = longer;
        free(name);
        free(issuer);
        free(claim);
    }
    test_folder_put(&t.folder, "services/imap.conf", list);
    free(list);
    assert_verdict("17", postern_config_load(t.folder.path, &c, &t.err), POSTERN_ERR_CONFIG_VALUE);
    assert_string_equal(t.err.detail, "services/imap.conf:3:10: issuers: has more than 16 names");
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: x\nhelper_peers: 0\nissuers: sso partner sso\n");
    assert_verdict("twice", postern_config_load(t.folder.path, &c, &t.err),
                   POSTERN_ERR_CONFIG_VALUE);
}

/* ---- memory ---- */

static postern_err load_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(config) c = NULL;

    (void)arg;
    return postern_config_load(t.folder.path, &c, err);
}

static void a_proof_without_memory_is_undecided(void **state)
{
    (void)state;
    put_mapped("sso", TEST_ISSUER, "alice anna\n");
    put_mapped("partner", PARTNER, "alice berta\n");
    assert_true(alloc_fail_sweep(load_once, NULL, POSTERN_OK) > 10);
    put_issuer("partner", PARTNER, BY("partner-${sub}"));
    assert_true(alloc_fail_sweep(load_once, NULL, POSTERN_OK) > 10);
}

/* Each in a context of its own, so that nothing is there from the one before.  One that fails where
 * nothing depends on it, as in the cache, changes no verdict. */
static void a_login_without_memory_is_undecided(void **state)
{
    char *token = make_partner();
    postern_request rq = test_login_request(token);
    bool was_refused = true;

    (void)state;
    for (unsigned nth = 1; was_refused; nth++) {
        postern_err e;

        test_login_reload(&t);
        alloc_fail_arm(nth);
        e = test_login_run(&t, &rq, NULL);
        was_refused = alloc_fail_disarm();
        if (e != POSTERN_OK && postern_err_outcome(e) == POSTERN_REJECTED)
            fail_msg("allocation %u: %s", nth, postern_err_reason(e));
        assert_true(was_refused || e == POSTERN_OK);
    }
    free(token);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_issuers_token_is_its_own_user),
        TEST(a_token_that_names_one_issuer_and_is_signed_by_the_other_is_refused),
        TEST(an_iss_that_is_no_trusted_issuers_is_refused_before_any_key),
        TEST(an_iss_with_escapes_is_what_it_means),
        TEST(one_issuers_algorithms_types_claims_and_clock_are_not_the_others),
        TEST(a_removal_at_one_issuer_leaves_the_others_client_of_that_name),
        TEST(a_block_is_of_the_agent_of_that_name_at_each_issuer),
        TEST(a_refused_client_is_told_of_the_issuer_that_its_token_names),
        TEST(an_issuer_is_found_by_what_it_alone_has),
        TEST(what_was_proved_for_one_issuer_is_found_again_as_its_own),
        TEST(a_proof_of_one_issuer_proves_nothing_where_the_other_alone_is_trusted),
        TEST(the_trail_says_whose_it_is),
        TEST(with_one_issuer_a_strangers_payload_is_not_read),
        TEST(two_issuers_that_may_name_one_user_are_refused),
        TEST(maps_are_apart_by_the_users_that_they_name),
        TEST(a_refusal_says_where_and_what_to_write),
        TEST(an_issuers_map_leads_to_its_users_and_the_services_comes_before_it),
        TEST(an_issuers_characters_are_asked_of_each_name),
        TEST(names_have_one_case_where_no_issuer_may_say_both),
        TEST(a_dump_of_several_issuers_is_read_again),
        TEST(more_issuers_than_sixteen_and_one_twice_are_refused),
        TEST(a_proof_without_memory_is_undecided),
        TEST(a_login_without_memory_is_undecided),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
