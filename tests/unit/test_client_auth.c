/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/client_auth.c, lib/jose/signer.c and lib/oauth/pkce.c: how an agent proves itself, and what an assertion says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern-private/form.h>
#include <postern-private/json.h>

#include "jose/jwt.h"
#include "oauth/client_auth.h"
#include "oauth/metadata.h"
#include "oauth/pkce.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/test_keys.h"

#define LIT(s)   POSTERN_BYTES_LIT(s)
#define ISSUER   "https://as.example/r"
#define NOW      1700000000
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct {
    const char *kind, *alg;
    postern_alg want;
} keys[] = {
    { "P-256", "ES256", POSTERN_ALG_ES256 },
    { "RSA-2048", "RS256", POSTERN_ALG_RS256 },
    { "Ed25519", "EdDSA", POSTERN_ALG_EDDSA },
};

static test_key *make_key(const char *kind)
{
    return strcmp(kind, "RSA-2048") == 0 ? test_key_rsa() : test_key_new(kind);
}

static void drop_key(test_key *k)
{
    if (k != test_key_rsa())
        test_key_free(k);
}

struct proof {
    postern_buf authorization, body, assertion;
};

static void proof_init(struct proof *p)
{
    p->authorization = POSTERN_BUF_INIT(POSTERN_BASIC_MAX);
    p->body = POSTERN_BUF_INIT(POSTERN_FORM_BODY_MAX);
    p->assertion = POSTERN_BUF_INIT(POSTERN_ASSERTION_MAX);
    postern_buf_add_str(&p->body, "grant_type=x");
}

static void proof_free(struct proof *p)
{
    postern_buf_free(&p->authorization);
    postern_buf_free(&p->body);
    postern_buf_free(&p->assertion);
}

static postern_err prove(const struct postern_client_proof *how, unsigned takes, struct proof *p,
                         postern_error *err)
{
    return postern_client_auth_add(how, takes, NOW, &p->authorization, &p->body, &p->assertion, err);
}

/* ---- secrets and nothing ---- */

static void a_secret_goes_into_one_place_alone(void **state)
{
    static const struct {
        unsigned takes;
        const char *authorization, *body;
    } cases[] = {
        { POSTERN_TAKES_BASIC, "Basic YSs3OnMlMjY=", "grant_type=x" },
        { POSTERN_TAKES_BASIC | POSTERN_TAKES_POST, "Basic YSs3OnMlMjY=", "grant_type=x" },
        { 0, "Basic YSs3OnMlMjY=", "grant_type=x" },
        { POSTERN_TAKES_POST, "", "grant_type=x&client_id=a+7&client_secret=s%26" },
    };
    const struct postern_client_proof how = { .auth = POSTERN_CLIENT_AUTH_SECRET,
                                              .issuer = ISSUER,
                                              .client_id = "a 7",
                                              .secret = LIT("s&") };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct proof p;

        proof_init(&p);
        assert_int_equal(prove(&how, cases[i].takes, &p, NULL), POSTERN_OK);
        assert_true(postern_bytes_equal_str(postern_buf_bytes(&p.authorization),
                                            cases[i].authorization));
        assert_string_equal(postern_buf_cstr(&p.body), cases[i].body);
        assert_int_equal(p.assertion.len, 0);
        proof_free(&p);
    }
}

static void a_public_client_names_itself_and_proves_nothing(void **state)
{
    const struct postern_client_proof how = { .auth = POSTERN_CLIENT_AUTH_NONE,
                                              .issuer = ISSUER,
                                              .client_id = "agent-7" };
    struct proof p;

    (void)state;
    proof_init(&p);
    assert_int_equal(prove(&how, POSTERN_TAKES_BASIC, &p, NULL), POSTERN_OK);
    assert_int_equal(p.authorization.len, 0);
    assert_string_equal(postern_buf_cstr(&p.body), "grant_type=x&client_id=agent-7");
    proof_free(&p);
}

/* ---- assertions ---- */

/* The one value of a form field. */
static const char *field(const postern_form *f, const char *name)
{
    assert_int_equal(postern_form_count(f, name), 1);
    return postern_form_value(f, name);
}

static int64_t integer(const postern_json *claims, const char *name)
{
    int64_t n = -1;

    assert_true(postern_json_integer(claims, postern_json_member(claims, 0, name), &n));
    return n;
}

static void check_claims(const postern_json *claims, char jti[64])
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1024);
    postern_bytes text;

    assert_int_equal(claims->nodes[0].child_count, 6);
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "iss"), "agent-7"));
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "sub"), "agent-7"));
    assert_true(postern_json_string_is(claims, postern_json_member(claims, 0, "aud"), ISSUER));
    assert_int_equal(integer(claims, "iat"), NOW);
    assert_int_equal(integer(claims, "exp"), NOW + 60);
    assert_true(postern_json_string(claims, postern_json_member(claims, 0, "jti"), &scratch, &text));
    assert_int_equal(text.len, 22); /* 128 bits */
    memcpy(jti, text.ptr, text.len);
    jti[text.len] = '\0';
}

/* Verified by lib/jose with the public half alone. */
static void verify(const char *assertion, const test_key *key, const char *alg, char jti[64])
{
    POSTERN_AUTO(jwt) jwt = NULL;
    char *set = test_key_jwks(key, NULL, alg);
    struct postern_jwks *jwks = NULL;
    const postern_json *claims;

    assert_int_equal(postern_jwks_parse(postern_bytes_str(set), &jwks, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_jwt_new(&jwt, NULL), POSTERN_OK);
    assert_int_equal(postern_jwt_parse(jwt, postern_bytes_str(assertion), NULL), POSTERN_OK);
    assert_true(postern_bytes_equal_str(postern_jwt_typ(jwt), "client-authentication+jwt"));
    assert_int_equal(postern_jwt_verify(jwt, jwks, &claims, NULL), POSTERN_OK);
    check_claims(claims, jti);
    postern_jwks_free(jwks);
    free(set);
}

static void an_assertion_is_for_the_configured_issuer_alone_and_never_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        test_key *key = make_key(keys[i].kind);
        char *pem = test_key_private_pem(key), jti[2][64];
        POSTERN_AUTO(signer) signer = NULL;
        struct postern_client_proof how = { .auth = POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT,
                                            .issuer = ISSUER,
                                            .client_id = "agent-7" };

        assert_int_equal(postern_signer_from_pem(postern_bytes_str(pem), &signer, NULL), POSTERN_OK);
        how.signer = signer;
        for (int n = 0; n < 2; n++) {
            POSTERN_AUTO(form) f = NULL;
            struct proof p;

            proof_init(&p);
            assert_int_equal(prove(&how, POSTERN_TAKES_BASIC, &p, NULL), POSTERN_OK);
            assert_int_equal(p.authorization.len, 0);
            assert_int_equal(postern_form_parse(postern_buf_bytes(&p.body), &f, NULL), POSTERN_OK);
            assert_string_equal(field(f, "client_assertion_type"),
                                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
            assert_true(postern_bytes_equal_str(postern_buf_bytes(&p.assertion),
                                                field(f, "client_assertion")));
            verify(field(f, "client_assertion"), key, keys[i].alg, jti[n]);
            assert_int_equal(postern_form_count(f, "client_secret"), 0);
            proof_free(&p);
        }
        assert_string_not_equal(jti[0], jti[1]);
        free(pem);
        drop_key(key);
    }
}

static void a_key_that_cannot_sign_is_refused_when_it_is_read(void **state)
{
    static const char *const kinds[] = { "P-384", "P-521", "secp256k1", "RSA-1024" };
    static const char *const texts[] = { "", "s3cr3t",
                                         "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE "
                                         "KEY-----\n" };
    POSTERN_AUTO(signer) signer = NULL;
    test_key *good = test_key_new("P-256");
    char *public_pem = test_key_public_pem(good);

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        test_key *k = test_key_new(kinds[i]);
        char *pem = test_key_private_pem(k);

        if (postern_signer_from_pem(postern_bytes_str(pem), &signer, NULL) !=
            POSTERN_ERR_CONFIG_FILE)
            fail_msg("%s was taken", kinds[i]);
        free(pem);
        test_key_free(k);
    }
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(postern_signer_from_pem(postern_bytes_str(texts[i]), &signer, NULL),
                         POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(postern_signer_from_pem(postern_bytes_str(public_pem), &signer, NULL),
                     POSTERN_ERR_CONFIG_FILE);
    assert_null(signer);
    free(public_pem);
    test_key_free(good);
}

/* ---- PKCE ---- */

static void the_challenge_is_that_of_rfc_7636_appendix_b(void **state)
{
    char challenge[POSTERN_PKCE_TEXT + 1];

    (void)state;
    assert_int_equal(postern_pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                                            challenge, NULL),
                     POSTERN_OK);
    assert_string_equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void two_verifiers_are_never_the_same_and_have_43_characters(void **state)
{
    char a[POSTERN_PKCE_TEXT + 1], b[POSTERN_PKCE_TEXT + 1];

    (void)state;
    assert_int_equal(postern_pkce_random(a, NULL), POSTERN_OK);
    assert_int_equal(postern_pkce_random(b, NULL), POSTERN_OK);
    assert_int_equal(strlen(a), 43);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     43);
    assert_string_not_equal(a, b);
}

/* ---- memory ---- */

static postern_err prove_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(signer) signer = NULL;
    struct postern_client_proof how = { .auth = POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT,
                                        .issuer = ISSUER,
                                        .client_id = "agent-7" };
    struct proof p;
    postern_err e;

    POSTERN_TRY(postern_signer_from_pem(postern_bytes_str(arg), &signer, err));
    how.signer = signer;
    proof_init(&p);
    e = prove(&how, POSTERN_TAKES_BASIC, &p, err);
    proof_free(&p);
    return e;
}

static postern_err make_pkce_once(void *arg, postern_error *err)
{
    char verifier[POSTERN_PKCE_TEXT + 1], challenge[POSTERN_PKCE_TEXT + 1];

    (void)arg;
    POSTERN_TRY(postern_pkce_random(verifier, err));
    return postern_pkce_challenge(verifier, challenge, err);
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    test_key *key = test_key_new("P-256");
    char *pem = test_key_private_pem(key);

    (void)state;
    assert_true(alloc_fail_sweep(prove_once, pem, POSTERN_OK) > 5);
    assert_true(alloc_fail_sweep(make_pkce_once, NULL, POSTERN_OK) >= 2);
    free(pem);
    test_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_goes_into_one_place_alone),
        cmocka_unit_test(a_public_client_names_itself_and_proves_nothing),
        cmocka_unit_test(an_assertion_is_for_the_configured_issuer_alone_and_never_the_same),
        cmocka_unit_test(a_key_that_cannot_sign_is_refused_when_it_is_read),
        cmocka_unit_test(the_challenge_is_that_of_rfc_7636_appendix_b),
        cmocka_unit_test(two_verifiers_are_never_the_same_and_have_43_characters),
        cmocka_unit_test(every_failing_allocation_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
