/* SPDX-License-Identifier: BSD-2-Clause */
/* One JWK: which are taken, and the reason for each that is not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "jose/jwk.h"
#include "../support/jose_judge.h"
#include "../support/test_keys.h"

/* The verdict on a JWK; the key itself is thrown away. */
static postern_err judge_jwk(const char *json)
{
    POSTERN_AUTO_JSON doc = { 0 };
    struct postern_jwk k = { 0 };
    postern_err e = postern_json_scan(&doc, postern_bytes_str(json), NULL);

    if (e == POSTERN_OK)
        e = postern_jwk_parse(&doc, 0, &k, NULL);
    if (e == POSTERN_OK)
        e = k.usable;
    postern_jwk_clear(&k);
    return e;
}

/* A key of `kind` with `more` members. */
static postern_err judge_with(const char *kind, const char *more)
{
    test_key *k = strcmp(kind, "RSA") == 0 ? NULL : test_key_new(kind);
    char *jwk = test_key_jwk(k == NULL ? test_key_rsa() : k, more);
    postern_err e = judge_jwk(jwk);

    free(jwk);
    test_key_free(k);
    return e;
}

struct case_of_members {
    const char *kind, *more;
    postern_err want;
};

static void judge_all(const struct case_of_members *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        postern_err got = judge_with(cases[i].kind, cases[i].more);

        if (got != cases[i].want)
            fail_msg("%s with %s: %s", cases[i].kind,
                     cases[i].more == NULL ? "nothing more" : cases[i].more,
                     postern_err_reason(got));
    }
}
#define JUDGE_ALL(cases) judge_all(cases, sizeof cases / sizeof *cases)

static void keys_of_every_kind_are_taken(void **state)
{
    static const struct case_of_members cases[] = {
        { "RSA", NULL, POSTERN_OK },
        { "P-256", NULL, POSTERN_OK },
        { "P-384", NULL, POSTERN_OK },
        { "P-521", NULL, POSTERN_OK },
        { "Ed25519", NULL, POSTERN_OK },
        { "RSA-3072", NULL, POSTERN_OK },
        { "RSA", "\"kid\":\"a\",\"unknown\":[1,{\"x\":2}],\"x5c\":[\"MII\"],\"x5t\":\"a\"",
          POSTERN_OK },
    };

    (void)state;
    JUDGE_ALL(cases);
}

static void the_alg_of_a_key_must_fit_it(void **state)
{
    static const struct case_of_members cases[] = {
        { "RSA", "\"alg\":\"RS256\"", POSTERN_OK },
        { "RSA", "\"alg\":\"PS512\"", POSTERN_OK },
        { "P-256", "\"alg\":\"ES256\"", POSTERN_OK },
        { "Ed25519", "\"alg\":\"EdDSA\"", POSTERN_OK },
        { "Ed25519", "\"alg\":\"Ed25519\"", POSTERN_OK },
        { "RSA", "\"alg\":\"ES256\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "RSA", "\"alg\":\"RSA-OAEP\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "RSA", "\"alg\":\"HS256\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "RSA", "\"alg\":\"none\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "RSA", "\"alg\":\"\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "RSA", "\"alg\":null", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "RSA", "\"alg\":[\"RS256\"]", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "P-256", "\"alg\":\"ES384\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "P-384", "\"alg\":\"ES256\"", POSTERN_ERR_ALG_KEY_MISMATCH },
        { "P-256", "\"alg\":\"ES256K\"", POSTERN_ERR_ALG_KEY_MISMATCH },
    };

    (void)state;
    JUDGE_ALL(cases);
}

static void keys_for_something_else_are_not_for_signatures(void **state)
{
    static const struct case_of_members cases[] = {
        { "P-256", "\"use\":\"sig\"", POSTERN_OK },
        { "P-256", "\"key_ops\":[\"verify\"]", POSTERN_OK },
        { "P-256", "\"key_ops\":[\"sign\",\"verify\"],\"use\":\"sig\"", POSTERN_OK },
        { "P-256", "\"use\":\"enc\"", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "P-256", "\"use\":\"SIG\"", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "P-256", "\"use\":1", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "RSA", "\"use\":\"enc\",\"key_ops\":[\"verify\"]", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "RSA", "\"use\":\"sig\",\"key_ops\":[\"encrypt\"]", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "P-256", "\"key_ops\":[]", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "P-256", "\"key_ops\":\"verify\"", POSTERN_ERR_KEY_NOT_FOR_SIG },
        { "P-256", "\"key_ops\":[[\"verify\"]]", POSTERN_ERR_KEY_NOT_FOR_SIG },
    };

    (void)state;
    JUDGE_ALL(cases);
}

static void a_published_private_key_is_weak(void **state)
{
    static const struct case_of_members cases[] = {
        { "P-256", "\"d\":\"AA\"", POSTERN_ERR_WEAK_KEY },
        { "RSA", "\"d\":\"AA\"", POSTERN_ERR_WEAK_KEY },
        { "Ed25519", "\"d\":null", POSTERN_ERR_WEAK_KEY },
        { "RSA", "\"p\":\"AA\"", POSTERN_ERR_WEAK_KEY },
        { "RSA", "\"oth\":[]", POSTERN_ERR_WEAK_KEY },
        { "P-256", "\"k\":\"AA\"", POSTERN_ERR_WEAK_KEY },
    };

    (void)state;
    JUDGE_ALL(cases);
}

static void a_kid_that_no_token_can_name_makes_a_key_unusable(void **state)
{
    char longest[POSTERN_KID_MAX + 16], too_long[POSTERN_KID_MAX + 17], far_too_long[8000];

    (void)state;
    assert_true(snprintf(longest, sizeof longest, "\"kid\":\"%0*d\"", POSTERN_KID_MAX, 0) > 0);
    assert_true(snprintf(too_long, sizeof too_long, "\"kid\":\"%0*d\"", POSTERN_KID_MAX + 1, 0) >
                0);
    assert_true(snprintf(far_too_long, sizeof far_too_long, "\"kid\":\"%07000d\"", 0) > 0);
    assert_reason(judge_with("P-256", longest), POSTERN_OK);
    assert_reason(judge_with("P-256", "\"kid\":\"\""), POSTERN_OK);
    assert_reason(judge_with("P-256", too_long), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_with("P-256", far_too_long), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_with("P-256", "\"kid\":7"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_with("P-256", "\"kid\":null"), POSTERN_ERR_WEAK_KEY);
}

static void a_kid_is_kept_unescaped(void **state)
{
    POSTERN_AUTO_JSON doc = { 0 };
    struct postern_jwk k = { 0 };
    test_key *key = test_key_new("P-256");
    char *jwk = test_key_jwk(key, "\"kid\":\"a\\/b\\u00e4\"");

    (void)state;
    assert_reason(postern_json_scan(&doc, postern_bytes_str(jwk), NULL), POSTERN_OK);
    assert_reason(postern_jwk_parse(&doc, 0, &k, NULL), POSTERN_OK);
    assert_true(k.has_kid);
    assert_true(postern_bytes_equal_str(postern_jwk_kid(&k), "a/b\xc3\xa4"));
    postern_jwk_clear(&k);
    free(jwk);
    test_key_free(key);
}

static void kinds_without_an_algorithm_here_fit_nothing(void **state)
{
    static const struct case_of_members curve[] = { { "secp256k1", NULL,
                                                      POSTERN_ERR_ALG_KEY_MISMATCH } };
    static const char *const jwks[] = {
        "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODw\"}",
        "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODw\",\"alg\":\"HS256\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AA\"}",
        "{\"kty\":\"ec\",\"crv\":\"P-256\"}",
        "{\"kty\":\"EC\",\"crv\":\"p-256\"}",
        "{\"kty\":1}",
        "{}",
    };

    (void)state;
    JUDGE_ALL(curve);
    for (size_t i = 0; i < sizeof jwks / sizeof *jwks; i++)
        assert_reason(judge_jwk(jwks[i]), POSTERN_ERR_ALG_KEY_MISMATCH);
}

static void what_is_not_an_object_is_malformed(void **state)
{
    static const char *const jwks[] = { "[]", "\"kty\"", "1", "null", "true" };

    (void)state;
    for (size_t i = 0; i < sizeof jwks / sizeof *jwks; i++)
        assert_reason(judge_jwk(jwks[i]), POSTERN_ERR_MALFORMED);
}

/* ---- RSA ---- */

/* An RSA JWK with a modulus of `len` octets of `fill`, first and last octet as given, and this
 * exponent. */
static postern_err judge_rsa(size_t len, uint8_t first, uint8_t last, const char *e_text)
{
    uint8_t n[2048];
    char *text, *jwk;
    postern_err verdict;

    assert_true(len <= sizeof n);
    memset(n, 0xa5, sizeof n);
    n[0] = first;
    n[len - 1] = last;
    text = test_base64url(n, len);
    jwk = test_printf("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", text, e_text);
    verdict = judge_jwk(jwk);
    free(text);
    free(jwk);
    return verdict;
}

static void rsa_moduli_have_2048_to_8192_bits_and_are_odd(void **state)
{
    (void)state;
    assert_reason(judge_rsa(256, 0x80, 1, "AQAB"), POSTERN_OK);
    assert_reason(judge_rsa(256, 0x7f, 1, "AQAB"), POSTERN_ERR_WEAK_KEY); /* 2047 bits */
    assert_reason(judge_rsa(128, 0xff, 1, "AQAB"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_rsa(64, 0xff, 1, "AQAB"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_rsa(1, 3, 3, "AQAB"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_rsa(1024, 0xff, 1, "AQAB"), POSTERN_OK);
    assert_reason(judge_rsa(1025, 0x01, 1, "AQAB"), POSTERN_ERR_WEAK_KEY); /* 8193 bits */
    assert_reason(judge_rsa(2048, 0xff, 1, "AQAB"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_rsa(256, 0x80, 2, "AQAB"), POSTERN_ERR_WEAK_KEY); /* even */
}

/* RFC 7518 §6.3.1.1 wants no zero octets in front; some providers send one. */
static void zero_octets_before_an_rsa_modulus_do_not_count(void **state)
{
    (void)state;
    assert_reason(judge_rsa(257, 0x00, 1, "AQAB"), POSTERN_OK);
    assert_reason(judge_rsa(256, 0x00, 1, "AQAB"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_rsa(256, 0x80, 1, "AAEAAQ"), POSTERN_OK);
}

static void rsa_exponents_are_odd_from_3_to_below_2_to_the_64th(void **state)
{
    static const struct {
        const char *e;
        postern_err want;
    } cases[] = {
        { "Aw", POSTERN_OK },                     /* 3 */
        { "AQAB", POSTERN_OK },                   /* 65537 */
        { "__________8", POSTERN_OK },            /* 2^64 - 1 */
        { "AQAAAAAAAAAB", POSTERN_ERR_WEAK_KEY }, /* 2^64 + 1 */
        { "AQ", POSTERN_ERR_WEAK_KEY },           /* 1: every number is its own signature */
        { "AAE", POSTERN_ERR_WEAK_KEY },          /* 1 with a zero in front */
        { "AA", POSTERN_ERR_WEAK_KEY },           /* 0 */
        { "", POSTERN_ERR_WEAK_KEY },
        { "Ag", POSTERN_ERR_WEAK_KEY },   /* 2 */
        { "AQAA", POSTERN_ERR_WEAK_KEY }, /* 65536 */
        { "AQAB=", POSTERN_ERR_WEAK_KEY },
        { "AQA", POSTERN_ERR_WEAK_KEY }, /* 0x0100 */
        { "AR", POSTERN_ERR_WEAK_KEY },  /* pad bits set */
        { "A+AB", POSTERN_ERR_WEAK_KEY },
        { "AQ\\u0041B", POSTERN_ERR_WEAK_KEY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_reason(judge_rsa(256, 0x80, 1, cases[i].e), cases[i].want);
}

static void rsa_keys_without_their_numbers_are_weak(void **state)
{
    (void)state;
    assert_reason(judge_jwk("{\"kty\":\"RSA\"}"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_jwk("{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_jwk("{\"kty\":\"RSA\",\"n\":5,\"e\":65537}"), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_jwk("{\"kty\":\"RSA\",\"e\":\"AQAB\"}"), POSTERN_ERR_WEAK_KEY);
}

/* ---- EC ---- */

/* RFC 7515 appendix A.3.1 */
#define X_OF_P256 "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y_OF_P256 "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static postern_err judge_ec(const char *crv, const char *x, const char *y)
{
    char *jwk = test_printf("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", crv, x, y);
    postern_err e = judge_jwk(jwk);

    free(jwk);
    return e;
}

static void points_off_the_curve_are_weak(void **state)
{
    (void)state;
    assert_reason(judge_ec("P-256", X_OF_P256, Y_OF_P256), POSTERN_OK);
    assert_reason(judge_ec("P-256", Y_OF_P256, X_OF_P256), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-256", X_OF_P256, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw"),
                  POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                  POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-256", "__________________________________________8", Y_OF_P256),
                  POSTERN_ERR_WEAK_KEY); /* x >= p */
    assert_reason(judge_ec("P-384", X_OF_P256, Y_OF_P256), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-521", X_OF_P256, Y_OF_P256), POSTERN_ERR_WEAK_KEY);
}

/* RFC 7518 §6.2.1.2: the full size of a coordinate, neither less nor more. */
static void coordinates_of_another_length_are_weak(void **state)
{
    (void)state;
    assert_reason(judge_ec("P-256", "", ""), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-256", X_OF_P256, ""), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-256", "AH_NzidxhzQ", Y_OF_P256), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ec("P-256", "AH_NzidwdsRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF", Y_OF_P256),
                  POSTERN_ERR_WEAK_KEY); /* 33 octets */
    assert_reason(judge_ec("P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA", Y_OF_P256),
                  POSTERN_ERR_WEAK_KEY); /* 31 octets */
    assert_reason(judge_ec("P-256", X_OF_P256 "=", Y_OF_P256), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_jwk("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X_OF_P256 "\"}"),
                  POSTERN_ERR_WEAK_KEY); /* compressed */
}

/* ---- Ed25519 ---- */

static postern_err judge_ed25519(const uint8_t *x, size_t len)
{
    char *text = test_base64url(x, len);
    char *jwk = test_printf("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", text);
    postern_err e = judge_jwk(jwk);

    free(text);
    free(jwk);
    return e;
}

static void ed25519_keys_of_another_length_are_weak(void **state)
{
    uint8_t x[34] = { 0xd7, 0x5a, 0x98 };

    (void)state;
    assert_reason(judge_ed25519(x, 32), POSTERN_OK);
    assert_reason(judge_ed25519(x, 31), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ed25519(x, 33), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ed25519(x, 34), POSTERN_ERR_WEAK_KEY);
    assert_reason(judge_ed25519(x, 0), POSTERN_ERR_WEAK_KEY);
}

static void ed25519_points_of_small_order_are_weak(void **state)
{
    static const char *const hex[] = {
        /* y, little-endian; RFC 7748 §6 and the ed25519 literature name these five */
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    };

    (void)state;
    for (size_t i = 0; i < sizeof hex / sizeof *hex; i++) {
        uint8_t x[32];

        for (size_t at = 0; at < sizeof x; at++) {
            char digits[3] = { hex[i][2 * at], hex[i][2 * at + 1], '\0' };

            x[at] = (uint8_t)strtoul(digits, NULL, 16);
        }
        assert_reason(judge_ed25519(x, sizeof x), POSTERN_ERR_WEAK_KEY);
        x[31] |= 0x80; /* the same y with the other sign of x */
        assert_reason(judge_ed25519(x, sizeof x), POSTERN_ERR_WEAK_KEY);
    }
}

/* RFC 8032 §5.1.3: y must be below p; p, p + 1 and 2^255 - 1 are not. */
static void ed25519_points_that_are_not_canonical_are_weak(void **state)
{
    uint8_t x[32];

    (void)state;
    memset(x, 0xff, sizeof x);
    x[31] = 0x7f;
    for (unsigned low = 0xed; low <= 0xff; low++) {
        x[0] = (uint8_t)low;
        assert_reason(judge_ed25519(x, sizeof x), POSTERN_ERR_WEAK_KEY);
    }
    x[0] = 0xeb; /* p - 2 */
    assert_reason(judge_ed25519(x, sizeof x), POSTERN_OK);
}

/*
 * Why small order matters: with the neutral point as the key, R = neutral and S = 0 verify for
 * every message.  The JWK is refused, so the signature is never looked at.
 */
static void a_small_order_key_cannot_vouch_for_anything(void **state)
{
    (void)state;
    assert_reason(judge_token("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                              "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
                              "eyJhbGciOiJFZERTQSJ9.e30."
                              "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                              "AAAAAAAAAAAAAAAAAA"),
                  POSTERN_ERR_WEAK_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_every_kind_are_taken),
        cmocka_unit_test(the_alg_of_a_key_must_fit_it),
        cmocka_unit_test(keys_for_something_else_are_not_for_signatures),
        cmocka_unit_test(a_published_private_key_is_weak),
        cmocka_unit_test(a_kid_that_no_token_can_name_makes_a_key_unusable),
        cmocka_unit_test(a_kid_is_kept_unescaped),
        cmocka_unit_test(kinds_without_an_algorithm_here_fit_nothing),
        cmocka_unit_test(what_is_not_an_object_is_malformed),
        cmocka_unit_test(rsa_moduli_have_2048_to_8192_bits_and_are_odd),
        cmocka_unit_test(zero_octets_before_an_rsa_modulus_do_not_count),
        cmocka_unit_test(rsa_exponents_are_odd_from_3_to_below_2_to_the_64th),
        cmocka_unit_test(rsa_keys_without_their_numbers_are_weak),
        cmocka_unit_test(points_off_the_curve_are_weak),
        cmocka_unit_test(coordinates_of_another_length_are_weak),
        cmocka_unit_test(ed25519_keys_of_another_length_are_weak),
        cmocka_unit_test(ed25519_points_of_small_order_are_weak),
        cmocka_unit_test(ed25519_points_that_are_not_canonical_are_weak),
        cmocka_unit_test(a_small_order_key_cannot_vouch_for_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
