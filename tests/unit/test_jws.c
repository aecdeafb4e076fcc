/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures alone: every algorithm accepts its own and nothing that only looks like it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "jose/jwk.h"
#include "../support/jose_judge.h"
#include "../support/test_keys.h"

#define INPUT    "eyJhbGciOiJ4In0.e30" /* what is signed need not mean anything here */
#define SIG_ROOM 2048

static const struct {
    const char *alg, *kind;
} algorithms[] = {
    { "RS256", "RSA" },   { "RS384", "RSA" },     { "RS512", "RSA" },       { "PS256", "RSA" },
    { "PS384", "RSA" },   { "PS512", "RSA" },     { "ES256", "P-256" },     { "ES384", "P-384" },
    { "ES512", "P-521" }, { "EdDSA", "Ed25519" }, { "Ed25519", "Ed25519" },
};
#define ALGORITHMS (sizeof algorithms / sizeof *algorithms)
static test_key *keys[ALGORITHMS];
static struct postern_jwk parsed[ALGORITHMS];

static test_key *key_of_kind(const char *kind)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (keys[i] != NULL && strcmp(algorithms[i].kind, kind) == 0)
            return keys[i];
    return strcmp(kind, "RSA") == 0 ? test_key_rsa() : test_key_new(kind);
}

static void parse_jwk(const char *jwk, struct postern_jwk *ret)
{
    postern_json doc = { 0 };

    *ret = (struct postern_jwk){ 0 };
    assert_reason(postern_json_scan(&doc, postern_bytes_str(jwk), NULL), POSTERN_OK);
    assert_reason(postern_jwk_parse(&doc, 0, ret, NULL), POSTERN_OK);
    postern_json_free(&doc);
}

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        char *jwk;

        keys[i] = key_of_kind(algorithms[i].kind);
        jwk = test_key_jwk(keys[i], NULL);
        parse_jwk(jwk, &parsed[i]);
        assert_reason(parsed[i].usable, POSTERN_OK);
        free(jwk);
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        postern_jwk_clear(&parsed[i]);
        for (size_t j = i + 1; j < ALGORITHMS; j++)
            keys[j] = keys[j] == keys[i] ? NULL : keys[j];
        test_key_free(keys[i]);
    }
    return 0;
}

static size_t index_of(const char *alg)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (strcmp(algorithms[i].alg, alg) == 0)
            return i;
    fail_msg("no %s", alg);
    return 0;
}

static size_t sign(const char *alg, uint8_t sig[SIG_ROOM])
{
    char name[8] = "";

    memcpy(name, alg, strcspn(alg, "/"));
    return test_sign_raw(keys[index_of(name)], alg, INPUT, strlen(INPUT), sig, SIG_ROOM);
}

/* Does the key of `alg` accept these bytes as its signature? */
static postern_err check(const char *alg, const uint8_t *sig, size_t len)
{
    return postern_jws_verify(&parsed[index_of(alg)], postern_alg_from_name(postern_bytes_str(alg)),
                              POSTERN_BYTES_LIT(INPUT), (postern_bytes){ sig, len }, NULL);
}

static void names_map_both_ways_and_nothing_else_is_a_name(void **state)
{
    static const char *const strangers[] = { "",      "none",   "None",  "NONE",    "HS256",
                                             "HS512", "ES256K", "RS1",   "rs256",   "RS256 ",
                                             "RS25",  "Ed448",  "eddsa", "ED25519", "RSA-OAEP" };

    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        postern_alg alg = postern_alg_from_name(postern_bytes_str(algorithms[i].alg));

        assert_int_not_equal(alg, POSTERN_ALG_NONE);
        assert_string_equal(postern_alg_name(alg), algorithms[i].alg);
    }
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_int_equal(postern_alg_from_name(postern_bytes_str(strangers[i])), POSTERN_ALG_NONE);
    assert_int_equal(postern_alg_from_name(POSTERN_BYTES_LIT("RS256\0")), POSTERN_ALG_NONE);
    assert_string_equal(postern_alg_name(POSTERN_ALG_NONE), "");
    assert_string_equal(postern_alg_name(POSTERN_ALG_COUNT), "");
}

static void each_algorithm_verifies_its_own_signature_and_no_other(void **state)
{
    uint8_t sig[SIG_ROOM];

    (void)state;
    for (size_t made = 0; made < ALGORITHMS; made++)
        for (size_t asked = 0; asked < ALGORITHMS; asked++) {
            size_t len = sign(algorithms[made].alg, sig);
            postern_err e = postern_jws_verify(
                &parsed[made], postern_alg_from_name(postern_bytes_str(algorithms[asked].alg)),
                POSTERN_BYTES_LIT(INPUT), (postern_bytes){ sig, len }, NULL);
            bool is_same_kind = strcmp(algorithms[made].kind, algorithms[asked].kind) == 0;
            bool is_same = made == asked ||
                           (is_same_kind && algorithms[made].alg[0] == 'E'); /* EdDSA is Ed25519 */

            assert_reason(e, is_same        ? POSTERN_OK
                             : is_same_kind ? POSTERN_ERR_BAD_SIGNATURE
                                            : POSTERN_ERR_ALG_KEY_MISMATCH);
        }
}

static void a_number_that_is_no_algorithm_verifies_nothing(void **state)
{
    uint8_t sig[SIG_ROOM];
    postern_bytes view = { sig, sign("ES256", sig) };
    const struct postern_jwk *k = &parsed[index_of("ES256")];

    (void)state;
    assert_reason(postern_jws_verify(k, POSTERN_ALG_NONE, POSTERN_BYTES_LIT(INPUT), view, NULL),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(postern_jws_verify(k, POSTERN_ALG_COUNT, POSTERN_BYTES_LIT(INPUT), view, NULL),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(postern_jws_verify(k, (postern_alg)99, POSTERN_BYTES_LIT(INPUT), view, NULL),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
}

static void other_input_is_a_bad_signature(void **state)
{
    uint8_t sig[SIG_ROOM];

    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        size_t len = sign(algorithms[i].alg, sig);
        postern_alg alg = postern_alg_from_name(postern_bytes_str(algorithms[i].alg));

        assert_reason(postern_jws_verify(&parsed[i], alg, POSTERN_BYTES_LIT(INPUT "A"),
                                         (postern_bytes){ sig, len }, NULL),
                      POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(postern_jws_verify(&parsed[i], alg, POSTERN_BYTES_NONE,
                                         (postern_bytes){ sig, len }, NULL),
                      POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check(algorithms[i].alg, sig, len),
                      POSTERN_OK); /* and a refusal spoils nothing */
    }
}

static void every_flipped_byte_is_a_bad_signature(void **state)
{
    uint8_t sig[SIG_ROOM];

    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        size_t len = sign(algorithms[i].alg, sig);

        for (size_t at = 0; at < len;
             at += strcmp(algorithms[i].kind, "P-384") == 0 ? 13 : 1) { /* P-384 is slow */
            sig[at] ^= 1;
            assert_reason(check(algorithms[i].alg, sig, len), POSTERN_ERR_BAD_SIGNATURE);
            sig[at] ^= 1;
        }
    }
}

static void a_signature_one_byte_shorter_or_longer_is_bad(void **state)
{
    uint8_t sig[1 + SIG_ROOM] = { 0 };

    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        const char *alg = algorithms[i].alg;
        size_t len = sign(alg, sig + 1);

        assert_reason(check(alg, sig + 1, len), POSTERN_OK);
        assert_reason(check(alg, sig + 1, len - 1), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check(alg, sig + 1, len + 1), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check(alg, sig, len + 1), POSTERN_ERR_BAD_SIGNATURE); /* a zero in front */
        assert_reason(check(alg, sig + 2, len - 1), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check(alg, sig + 1, 2 * len), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check(alg, NULL, 0), POSTERN_ERR_BAD_SIGNATURE);
    }
}

static void an_ecdsa_signature_in_der_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        uint8_t der[SIG_ROOM];
        size_t len = sizeof der;
        EVP_MD_CTX *ctx;

        if (algorithms[i].kind[0] != 'P')
            continue;
        ctx = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestSignInit(ctx, NULL,
                                            i == index_of("ES256")   ? EVP_sha256()
                                            : i == index_of("ES384") ? EVP_sha384()
                                                                     : EVP_sha512(),
                                            NULL, test_key_pkey(keys[i])),
                         1);
        assert_int_equal(EVP_DigestSign(ctx, der, &len, (const uint8_t *)INPUT, strlen(INPUT)), 1);
        EVP_MD_CTX_free(ctx);
        assert_reason(check(algorithms[i].alg, der, len), POSTERN_ERR_BAD_SIGNATURE);
    }
}

/* r or s replaced by 0, by n, by n + 1 and by all ones. */
static void r_and_s_outside_of_one_to_n_minus_one_are_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        size_t half = parsed[i].sig_len / 2;

        if (algorithms[i].kind[0] != 'P')
            continue;
        for (int bad = 0; bad < 4; bad++)
            for (int which = 0; which < 2; which++) {
                uint8_t sig[SIG_ROOM];
                size_t len = sign(algorithms[i].alg, sig);
                uint8_t *number = sig + (which == 0 ? 0 : half);

                memcpy(number, parsed[i].order, half);
                if (bad == 0)
                    memset(number, 0, half);
                if (bad == 2)
                    number[half - 1]++; /* the orders end in 0x51, 0x73 and 0x09: no carry */
                if (bad == 3)
                    memset(number, 0xff, half);
                assert_reason(check(algorithms[i].alg, sig, len), POSTERN_ERR_BAD_SIGNATURE);
            }
    }
}

/* Negating s gives another valid signature of the same message: ECDSA allows it, so nothing may
 * rely on signatures being unique. */
static void the_other_s_of_ecdsa_verifies(void **state)
{
    uint8_t sig[SIG_ROOM];
    size_t len = sign("ES256", sig);
    BIGNUM *n = BN_bin2bn(parsed[index_of("ES256")].order, 32, NULL),
           *s = BN_bin2bn(sig + 32, 32, NULL);

    (void)state;
    assert_true(BN_sub(s, n, s) == 1 && BN_bn2binpad(s, sig + 32, 32) == 32);
    assert_reason(check("ES256", sig, len), POSTERN_OK);
    BN_free(n);
    BN_free(s);
}

/* Who has the private key d can choose r = -e/d, so that the verifier meets the point at infinity:
 * OpenSSL reports an error there. */
static void a_signature_that_leads_to_infinity_is_bad_not_an_error_of_ours(void **state)
{
    const struct postern_jwk *k = &parsed[index_of("ES256")];
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_bin2bn(k->order, 32, NULL), *d = NULL, *e, *r = BN_new();
    uint8_t digest[32], sig[64] = { [63] = 1 };

    (void)state;
    assert_int_equal(EVP_Digest(INPUT, strlen(INPUT), digest, NULL, EVP_sha256(), NULL), 1);
    e = BN_bin2bn(digest, sizeof digest, NULL);
    assert_int_equal(
        EVP_PKEY_get_bn_param(test_key_pkey(keys[index_of("ES256")]), OSSL_PKEY_PARAM_PRIV_KEY, &d),
        1);
    assert_non_null(BN_mod_inverse(d, d, n, ctx));
    assert_int_equal(BN_mod_mul(r, e, d, n, ctx), 1);
    assert_int_equal(BN_sub(r, n, r), 1);
    assert_int_equal(BN_bn2binpad(r, sig, 32), 32);
    assert_reason(check("ES256", sig, sizeof sig), POSTERN_ERR_BAD_SIGNATURE);
    BN_free(n);
    BN_free(d);
    BN_free(e);
    BN_free(r);
    BN_CTX_free(ctx);
}

static void a_pss_salt_of_another_length_than_the_digest_is_bad(void **state)
{
    static const char *const salts[] = { "PS256/0",  "PS256/1",  "PS256/20",  "PS256/31",
                                         "PS256/33", "PS256/64", "PS256/222", "PS384/32",
                                         "PS512/32", "PS512/0" };
    uint8_t sig[SIG_ROOM];

    (void)state;
    assert_reason(check("PS256", sig, sign("PS256/32", sig)), POSTERN_OK);
    assert_reason(check("PS384", sig, sign("PS384/48", sig)), POSTERN_OK);
    assert_reason(check("PS512", sig, sign("PS512/64", sig)), POSTERN_OK);
    for (size_t i = 0; i < sizeof salts / sizeof *salts; i++) {
        char alg[6] = "";

        memcpy(alg, salts[i], 5);
        assert_reason(check(alg, sig, sign(salts[i], sig)), POSTERN_ERR_BAD_SIGNATURE);
    }
}

static void pss_with_another_digest_inside_mgf1_is_bad(void **state)
{
    uint8_t sig[SIG_ROOM];
    size_t len = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;

    (void)state;
    assert_int_equal(
        EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, test_key_pkey(test_key_rsa())), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha1()), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)INPUT, strlen(INPUT)), 1);
    EVP_MD_CTX_free(ctx);
    assert_reason(check("PS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
}

/* sig + n is congruent to sig: a verifier that reduces first would take it. */
static void an_rsa_signature_not_below_the_modulus_is_bad(void **state)
{
    uint8_t sig[SIG_ROOM];
    size_t len = sign("RS256", sig);
    BIGNUM *n = NULL, *s = BN_bin2bn(sig, (int)len, NULL);

    (void)state;
    assert_int_equal(
        EVP_PKEY_get_bn_param(test_key_pkey(test_key_rsa()), OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_add(s, s, n), 1);
    if (BN_num_bytes(s) == (int)len) {
        assert_int_equal(BN_bn2binpad(s, sig, (int)len), (int)len);
        assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    }
    memset(sig, 0xff, len);
    assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(check("PS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    BN_bn2binpad(n, sig, (int)len);
    assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    memset(sig, 0, len);
    assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    BN_free(n);
    BN_free(s);
}

/* 00 01 FF … FF 00 and then `tail`: a PKCS #1 v1.5 block as only the private key's owner can make
 * it. */
static size_t sign_block(const char *tail, size_t tail_len, uint8_t sig[SIG_ROOM])
{
    uint8_t block[256] = { 0, 1 };
    size_t len = SIG_ROOM;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(test_key_pkey(test_key_rsa()), NULL);

    memset(block + 2, 0xff, sizeof block - 3 - tail_len);
    block[sizeof block - 1 - tail_len] = 0;
    memcpy(block + sizeof block - tail_len, tail, tail_len);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, block, sizeof block), 1);
    EVP_PKEY_CTX_free(ctx);
    return len;
}

/* OpenSSL refuses some of these without saying why: still a bad signature, not an error of ours. */
static void an_rsa_block_without_a_digest_is_bad(void **state)
{
    static const char *const tails[] = { "", "0", "0123456789abcdef0123456789abcdef",
                                         "0123456789abcdef0123456789abcdefx" };
    uint8_t sig[SIG_ROOM];

    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        size_t len = sign_block(tails[i], strlen(tails[i]), sig);

        assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check("RS512", sig, len), POSTERN_ERR_BAD_SIGNATURE);
        assert_reason(check("PS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    }
}

/* RFC 8032 §5.1.7: S + L verifies the same equation. */
static void an_ed25519_s_not_below_l_is_bad(void **state)
{
    static const uint8_t l_little_endian[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
                                                 0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
                                                 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
    uint8_t sig[SIG_ROOM];
    size_t len = sign("EdDSA", sig);
    unsigned carry = 0;

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + l_little_endian[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_reason(check("EdDSA", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(check("Ed25519", sig, len), POSTERN_ERR_BAD_SIGNATURE);
}

/* The host's own OpenSSL errors are its business. */
static void the_hosts_openssl_errors_are_left_alone(void **state)
{
    uint8_t sig[SIG_ROOM];
    size_t len = sign("RS256", sig);

    (void)state;
    ERR_clear_error();
    sig[0] ^= 1;
    assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, 7);
    assert_reason(check("RS256", sig, len), POSTERN_ERR_BAD_SIGNATURE);
    sig[0] ^= 1;
    assert_reason(check("RS256", sig, len), POSTERN_OK);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 7);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_map_both_ways_and_nothing_else_is_a_name),
        cmocka_unit_test(each_algorithm_verifies_its_own_signature_and_no_other),
        cmocka_unit_test(a_number_that_is_no_algorithm_verifies_nothing),
        cmocka_unit_test(other_input_is_a_bad_signature),
        cmocka_unit_test(every_flipped_byte_is_a_bad_signature),
        cmocka_unit_test(a_signature_one_byte_shorter_or_longer_is_bad),
        cmocka_unit_test(an_ecdsa_signature_in_der_is_bad),
        cmocka_unit_test(r_and_s_outside_of_one_to_n_minus_one_are_bad),
        cmocka_unit_test(the_other_s_of_ecdsa_verifies),
        cmocka_unit_test(a_signature_that_leads_to_infinity_is_bad_not_an_error_of_ours),
        cmocka_unit_test(a_pss_salt_of_another_length_than_the_digest_is_bad),
        cmocka_unit_test(pss_with_another_digest_inside_mgf1_is_bad),
        cmocka_unit_test(an_rsa_signature_not_below_the_modulus_is_bad),
        cmocka_unit_test(an_rsa_block_without_a_digest_is_bad),
        cmocka_unit_test(an_ed25519_s_not_below_l_is_bad),
        cmocka_unit_test(the_hosts_openssl_errors_are_left_alone),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
