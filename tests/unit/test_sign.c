/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's key: made, kept as PEM, published as JWK, and tokens that lib/jose proves. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <postern-private/json.h>
#include <postern-private/mint.h>
#include <stdlib.h>

#include "jose/jwt.h"
#include "../support/alloc_fail.h"
#include "../support/jose_judge.h"
#include "../support/test_keys.h"

#define CLAIMS "{\"iss\":\"https://as.example\",\"sub\":\"agent-7\"}"

/* The public example key of RFC 7515 appendix A.3.1 (in PKCS#8); its RFC 7638 thumbprint was
 * computed apart from this program. */
#define RFC_KEY_PEM                                                                                \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"                           \
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"                           \
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"                                   \
    "-----END PRIVATE KEY-----\n"
#define RFC_KEY_KID "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
#define RFC_KEY_X   "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_KEY_Y   "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static char *set_of(const postern_signing_key *k)
{
    POSTERN_AUTO_BUF jwk = POSTERN_BUF_INIT(1024);
    const char *text;

    assert_reason(postern_signing_key_public_jwk(k, &jwk, NULL), POSTERN_OK);
    assert_non_null(text = postern_buf_cstr(&jwk));
    return test_jwks(text, NULL);
}

static char *mint(const postern_signing_key *k, const char *typ, const char *claims)
{
    postern_secret *token = NULL;
    char *text;

    assert_reason(postern_mint_token(k, typ, postern_bytes_str(claims), &token, NULL), POSTERN_OK);
    text = test_printf("%.*s", (int)postern_secret_bytes(token).len,
                       (const char *)postern_secret_bytes(token).ptr);
    postern_secret_free(token);
    return text;
}

static void a_minted_token_is_proved_by_the_published_key(void **state)
{
    postern_signing_key *k = NULL, *stranger = NULL;
    char *set, *token, *foreign;

    (void)state;
    assert_reason(postern_signing_key_generate(&k, NULL), POSTERN_OK);
    assert_reason(postern_signing_key_generate(&stranger, NULL), POSTERN_OK);
    set = set_of(k);
    token = mint(k, "at+jwt", CLAIMS);
    foreign = mint(stranger, "at+jwt", CLAIMS);
    assert_reason(judge_token(set, token), POSTERN_OK);
    assert_reason(judge_token(set, foreign), POSTERN_ERR_UNKNOWN_KID);
    token[strlen(token) / 2] ^= 1;
    assert_int_not_equal(judge_token(set, token), POSTERN_OK);
    assert_string_not_equal(postern_signing_key_kid(k), postern_signing_key_kid(stranger));
    free(set);
    free(token);
    free(foreign);
    postern_signing_key_free(k);
    postern_signing_key_free(stranger);
}

/* One signature in 128 has an r or an s that begins with a zero octet: the halves must keep their
 * width. */
static void every_signature_has_its_full_width(void **state)
{
    postern_signing_key *k = NULL;
    char *set;

    (void)state;
    assert_reason(postern_signing_key_generate(&k, NULL), POSTERN_OK);
    set = set_of(k);
    for (int i = 0; i < 400; i++) {
        char *token = mint(k, "at+jwt", CLAIMS);

        assert_int_equal(strlen(strrchr(token, '.')), 1 + 86);
        assert_reason(judge_token(set, token), POSTERN_OK);
        free(token);
    }
    free(set);
    postern_signing_key_free(k);
}

static void the_header_names_algorithm_type_and_key(void **state)
{
    postern_signing_key *k = NULL;
    postern_jwt *jwt = NULL;
    postern_bytes kid;
    char *token;

    (void)state;
    assert_reason(postern_signing_key_generate(&k, NULL), POSTERN_OK);
    assert_reason(postern_jwt_new(&jwt, NULL), POSTERN_OK);
    token = mint(k, "at+jwt", CLAIMS);
    assert_reason(postern_jwt_parse(jwt, postern_bytes_str(token), NULL), POSTERN_OK);
    assert_int_equal(postern_jwt_alg(jwt), POSTERN_ALG_ES256);
    assert_true(postern_jwt_typ_is(jwt, "at+jwt"));
    assert_true(postern_jwt_kid(jwt, &kid));
    assert_true(postern_bytes_equal_str(kid, postern_signing_key_kid(k)));
    free(token);
    postern_jwt_free(jwt);
    postern_signing_key_free(k);
}

static void the_kid_is_the_thumbprint_of_the_public_key(void **state)
{
    postern_signing_key *k = NULL;
    char *set;

    (void)state;
    assert_reason(postern_signing_key_from_pem(POSTERN_BYTES_LIT(RFC_KEY_PEM), &k, NULL),
                  POSTERN_OK);
    assert_string_equal(postern_signing_key_kid(k), RFC_KEY_KID);
    set = set_of(k);
    assert_string_equal(set, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_KEY_X
                             "\",\"y\":\"" RFC_KEY_Y "\",\"kid\":\"" RFC_KEY_KID
                             "\",\"use\":\"sig\",\"alg\":\"ES256\"}]}");
    free(set);
    postern_signing_key_free(k);
}

static void a_key_survives_being_written_and_read(void **state)
{
    postern_signing_key *k = NULL, *again = NULL;
    postern_secret *pem = NULL;
    char *set, *token;

    (void)state;
    assert_reason(postern_signing_key_generate(&k, NULL), POSTERN_OK);
    assert_reason(postern_signing_key_to_pem(k, &pem, NULL), POSTERN_OK);
    assert_non_null(
        strstr((const char *)postern_secret_bytes(pem).ptr, "-----BEGIN PRIVATE KEY-----"));
    assert_reason(postern_signing_key_from_pem(postern_secret_bytes(pem), &again, NULL),
                  POSTERN_OK);
    assert_string_equal(postern_signing_key_kid(k), postern_signing_key_kid(again));
    set = set_of(k);
    token = mint(again, "at+jwt", CLAIMS);
    assert_reason(judge_token(set, token), POSTERN_OK);
    free(set);
    free(token);
    postern_secret_free(pem);
    postern_signing_key_free(k);
    postern_signing_key_free(again);
}

static void a_pem_that_is_no_p256_private_key_is_refused(void **state)
{
    static const char *const kinds[] = { "P-384", "secp256k1", "Ed25519", "RSA-1024" };
    static const char *const texts[] = {
        "", "x", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    };
    test_key *p256 = test_key_new("P-256");
    char *public = test_key_public_pem(p256);
    postern_signing_key *k = NULL;
    postern_error err;

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        test_key *other = test_key_new(kinds[i]);
        char *pem = test_key_private_pem(other);

        assert_reason(postern_signing_key_from_pem(postern_bytes_str(pem), &k, &err),
                      POSTERN_ERR_CONFIG_FILE);
        free(pem);
        test_key_free(other);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_reason(postern_signing_key_from_pem(postern_bytes_str(texts[i]), &k, &err),
                      POSTERN_ERR_CONFIG_FILE);
    assert_reason(postern_signing_key_from_pem(postern_bytes_str(public), &k, &err),
                  POSTERN_ERR_CONFIG_FILE);
    assert_null(k);
    free(public);
    test_key_free(p256);
}

/* A daemon has no terminal to ask; the call must come back. */
static void a_pem_with_a_passphrase_is_refused_without_asking(void **state)
{
    test_key *p256 = test_key_new("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    postern_signing_key *k = NULL;
    char *pem;
    long len;

    (void)state;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, test_key_pkey(p256), EVP_aes_128_cbc(),
                                                   "pass", 4, NULL, NULL),
                     1);
    len = BIO_get_mem_data(bio, &pem);
    assert_reason(
        postern_signing_key_from_pem((postern_bytes){ (uint8_t *)pem, (size_t)len }, &k, NULL),
        POSTERN_ERR_CONFIG_FILE);
    BIO_free(bio);
    test_key_free(p256);
}

static void claims_too_long_for_a_token_are_over_the_limit(void **state)
{
    postern_signing_key *k = NULL;
    postern_secret *token = NULL;
    char *claims = test_printf("{\"pad\":\"%0*d\"}", 16384, 0);

    (void)state;
    assert_reason(postern_signing_key_generate(&k, NULL), POSTERN_OK);
    assert_reason(postern_mint_token(k, "at+jwt", postern_bytes_str(claims), &token, NULL),
                  POSTERN_ERR_LIMIT);
    assert_null(token);
    free(claims);
    postern_signing_key_free(k);
}

static postern_err mint_once(void *arg, postern_error *err)
{
    postern_signing_key *k = NULL;
    postern_secret *token = NULL, *pem = NULL;
    POSTERN_AUTO_BUF jwk = POSTERN_BUF_INIT(1024);
    postern_err e;

    (void)arg;
    if ((e = postern_signing_key_from_pem(POSTERN_BYTES_LIT(RFC_KEY_PEM), &k, err)) == POSTERN_OK &&
        (e = postern_signing_key_public_jwk(k, &jwk, err)) == POSTERN_OK &&
        (e = postern_signing_key_to_pem(k, &pem, err)) == POSTERN_OK)
        e = postern_mint_token(k, "at+jwt", POSTERN_BYTES_LIT(CLAIMS), &token, err);
    postern_secret_free(token);
    postern_secret_free(pem);
    postern_signing_key_free(k);
    return e;
}

static void every_failed_allocation_is_out_of_memory(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(mint_once, NULL, POSTERN_OK) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minted_token_is_proved_by_the_published_key),
        cmocka_unit_test(every_signature_has_its_full_width),
        cmocka_unit_test(the_header_names_algorithm_type_and_key),
        cmocka_unit_test(the_kid_is_the_thumbprint_of_the_public_key),
        cmocka_unit_test(a_key_survives_being_written_and_read),
        cmocka_unit_test(a_pem_that_is_no_p256_private_key_is_refused),
        cmocka_unit_test(a_pem_with_a_passphrase_is_refused_without_asking),
        cmocka_unit_test(claims_too_long_for_a_token_are_over_the_limit),
        cmocka_unit_test(every_failed_allocation_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
