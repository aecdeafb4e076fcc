/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and tokens for tests; see test_keys.h.  Signs with OpenSSL alone, never with lib/mint. */
#include "config.h"

#include "test_keys.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_key {
    EVP_PKEY *pkey;
};

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "test fixture: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

#define NEED(call)                                                                                 \
    do {                                                                                           \
        if (!(call))                                                                               \
            die(#call);                                                                            \
    } while (0)

char *test_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    NEED(vasprintf(&text, fmt, ap) >= 0);
    va_end(ap);
    return text;
}

char *test_base64url(const void *bytes, size_t len)
{
    char *text = malloc(len / 3 * 4 + 5);
    int used;

    NEED(text != NULL);
    used = EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
    for (int i = 0; i < used; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    while (used > 0 && text[used - 1] == '=')
        text[--used] = '\0';
    return text;
}

/* ---- keys ---- */

static test_key *wrap(EVP_PKEY *take_pkey)
{
    test_key *k = calloc(1, sizeof *k);

    NEED(k != NULL && take_pkey != NULL);
    k->pkey = take_pkey;
    return k;
}

/* Of three primes where OpenSSL makes such keys (RFC 8017 section 3): found in a third of the time, and to who has the public key the
 * same as any other. */
static EVP_PKEY *find_rsa(int bits)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;

    NEED(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1);
    NEED(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) == 1);
    NEED(EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, bits < 2048 ? 2 : 3) == 1);
    NEED(EVP_PKEY_keygen(ctx, &pkey) == 1);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

test_key *test_key_new(const char *kind)
{
    if (strncmp(kind, "RSA-", 4) == 0)
        return wrap(find_rsa((int)strtoul(kind + 4, NULL, 10)));
    if (strcmp(kind, "Ed25519") == 0)
        return wrap(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    return wrap(EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind));
}

test_key *test_key_rsa(void)
{
    static test_key *shared;

    if (shared == NULL)
        shared = test_key_new("RSA-2048");
    return shared;
}

void test_key_free(test_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

EVP_PKEY *test_key_pkey(const test_key *k)
{
    return k->pkey;
}

static char *take_bio_text(BIO *take_bio)
{
    char *data, *text;
    long len = BIO_get_mem_data(take_bio, &data);

    text = test_printf("%.*s", (int)len, data);
    BIO_free(take_bio);
    return text;
}

char *test_key_private_pem(const test_key *k)
{
    BIO *bio = BIO_new(BIO_s_mem());

    NEED(bio != NULL &&
         PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1);
    return take_bio_text(bio);
}

char *test_key_public_pem(const test_key *k)
{
    BIO *bio = BIO_new(BIO_s_mem());

    NEED(bio != NULL && PEM_write_bio_PUBKEY(bio, k->pkey) == 1);
    return take_bio_text(bio);
}

/* ---- JWKs ---- */

/* A big number of the key as base64url, on `width` bytes (0: as many as it needs). */
static char *number_text(const EVP_PKEY *pkey, const char *param, int width)
{
    unsigned char bytes[2048];
    BIGNUM *bn = NULL;
    char *text;

    NEED(EVP_PKEY_get_bn_param(pkey, param, &bn) == 1);
    if (width == 0)
        width = BN_num_bytes(bn);
    NEED(width <= (int)sizeof bytes && BN_bn2binpad(bn, bytes, width) == width);
    BN_free(bn);
    text = test_base64url(bytes, (size_t)width);
    return text;
}

static char *rsa_members(const EVP_PKEY *pkey)
{
    char *n = number_text(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
    char *e = number_text(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    char *text = test_printf("\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", n, e);

    free(n);
    free(e);
    return text;
}

static char *ec_members(const EVP_PKEY *pkey)
{
    int width = (EVP_PKEY_get_bits(pkey) + 7) / 8;
    char *x = number_text(pkey, OSSL_PKEY_PARAM_EC_PUB_X, width);
    char *y = number_text(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, width);
    char group[64];
    char *text;

    NEED(EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1);
    text = test_printf("\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"",
                       strcmp(group, "prime256v1") == 0  ? "P-256"
                       : strcmp(group, "secp384r1") == 0 ? "P-384"
                       : strcmp(group, "secp521r1") == 0 ? "P-521"
                                                         : group,
                       x, y);
    free(x);
    free(y);
    return text;
}

static char *okp_members(const EVP_PKEY *pkey)
{
    unsigned char raw[32];
    size_t len = sizeof raw;
    char *x, *text;

    NEED(EVP_PKEY_get_raw_public_key(pkey, raw, &len) == 1);
    x = test_base64url(raw, len);
    text = test_printf("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", x);
    free(x);
    return text;
}

char *test_key_jwk(const test_key *k, const char *more)
{
    char *members = EVP_PKEY_is_a(k->pkey, "RSA")  ? rsa_members(k->pkey)
                    : EVP_PKEY_is_a(k->pkey, "EC") ? ec_members(k->pkey)
                                                   : okp_members(k->pkey);
    char *text =
        test_printf("{%s%s%s}", members, more == NULL ? "" : ",", more == NULL ? "" : more);

    free(members);
    return text;
}

char *test_jwks(const char *jwk, ...)
{
    char *list = test_printf("%s", jwk == NULL ? "" : jwk);
    const char *next;
    char *text;
    va_list ap;

    va_start(ap, jwk);
    while (jwk != NULL && (next = va_arg(ap, const char *)) != NULL) {
        text = test_printf("%s,%s", list, next);
        free(list);
        list = text;
    }
    va_end(ap);
    text = test_printf("{\"keys\":[%s]}", list);
    free(list);
    return text;
}

char *test_key_jwks(const test_key *k, const char *kid, const char *alg)
{
    char *more =
        test_printf("\"use\":\"sig\"%s%s%s%s%s%s", kid ? ",\"kid\":\"" : "", kid ? kid : "",
                    kid ? "\"" : "", alg ? ",\"alg\":\"" : "", alg ? alg : "", alg ? "\"" : "");
    char *jwk = test_key_jwk(k, more);
    char *set = test_jwks(jwk, NULL);

    free(more);
    free(jwk);
    return set;
}

/* ---- signatures ---- */

static const EVP_MD *digest_of(const char *alg)
{
    return strncmp(alg + 2, "512", 3) == 0   ? EVP_sha512()
           : strncmp(alg + 2, "384", 3) == 0 ? EVP_sha384()
                                             : EVP_sha256();
}

static size_t sign_hmac(const char *key, const void *input, size_t input_len, unsigned char *sig)
{
    unsigned len = 0;

    NEED(HMAC(EVP_sha256(), key, (int)strlen(key), input, input_len, sig, &len) != NULL);
    return len;
}

/* r || s, each as wide as the curve's order (RFC 7518 §3.4). */
static size_t unwrap_ecdsa(const EVP_PKEY *pkey, const unsigned char *der, size_t der_len,
                           unsigned char *sig)
{
    int width = (EVP_PKEY_get_bits(pkey) + 7) / 8;
    ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &der, (long)der_len);

    NEED(rs != NULL);
    NEED(BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, width) == width);
    NEED(BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + width, width) == width);
    ECDSA_SIG_free(rs);
    return 2 * (size_t)width;
}

static void set_pss(EVP_PKEY_CTX *ctx, const char *alg)
{
    const char *slash = strchr(alg, '/');
    int salt_len = slash == NULL ? RSA_PSS_SALTLEN_DIGEST : (int)strtol(slash + 1, NULL, 10);

    NEED(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1);
    NEED(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_len) == 1);
}

size_t test_sign_raw(const test_key *k, const char *alg, const void *input, size_t input_len,
                     unsigned char *sig, size_t sig_room)
{
    bool is_eddsa = strncmp(alg, "Ed", 2) == 0;
    unsigned char out[2048];
    size_t len = sizeof out;
    EVP_PKEY_CTX *pctx;
    EVP_MD_CTX *ctx;

    if (strcmp(alg, "none") == 0)
        return 0;
    if (strncmp(alg, "HS256:", 6) == 0)
        return sign_hmac(alg + 6, input, input_len, sig);
    NEED((ctx = EVP_MD_CTX_new()) != NULL);
    NEED(EVP_DigestSignInit(ctx, &pctx, is_eddsa ? NULL : digest_of(alg), NULL, k->pkey) == 1);
    if (alg[0] == 'P')
        set_pss(pctx, alg);
    NEED(EVP_DigestSign(ctx, out, &len, input, input_len) == 1);
    EVP_MD_CTX_free(ctx);
    NEED(len <= sig_room);
    if (EVP_PKEY_is_a(k->pkey, "EC"))
        return unwrap_ecdsa(k->pkey, out, len, sig);
    memcpy(sig, out, len);
    return len;
}

char *test_sign_bytes(const test_key *k, const char *alg, const void *header, size_t header_len,
                      const void *payload, size_t payload_len)
{
    char *h = test_base64url(header, header_len);
    char *p = test_base64url(payload, payload_len);
    char *input = test_printf("%s.%s", h, p);
    unsigned char sig[2048];
    size_t len = test_sign_raw(k, alg, input, strlen(input), sig, sizeof sig);
    char *s = test_base64url(sig, len);
    char *token = test_printf("%s.%s", input, s);

    free(h);
    free(p);
    free(s);
    free(input);
    return token;
}

char *test_sign(const test_key *k, const char *alg, const char *header, const char *payload)
{
    return test_sign_bytes(k, alg, header, strlen(header), payload, strlen(payload));
}

char *test_token(const test_key *k, const char *alg, const char *kid, const char *payload)
{
    char *header = test_printf("{\"typ\":\"at+jwt\",\"alg\":\"%s\"%s%s%s}", alg,
                               kid ? ",\"kid\":\"" : "", kid ? kid : "", kid ? "\"" : "");
    char *token = test_sign(k, alg, header, payload);

    free(header);
    return token;
}

char *test_claims(const char *issuer, const char *audience, const char *subject, long long now_s,
                  const char *more)
{
    return test_printf("{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"client_id\":\"%s\",\"iat\":"
                       "%lld,\"exp\":%lld,"
                       "\"jti\":\"jti-%s-%lld\"%s%s}",
                       issuer, audience, subject, subject, now_s, now_s + 300, subject, now_s,
                       more == NULL ? "" : ",", more == NULL ? "" : more);
}
