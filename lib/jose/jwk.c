/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one JSON object to a prepared public key, or to the reason why not.  Numbers are judged here
 * before OpenSSL sees them: it takes RSA keys of any size and exponent, and Ed25519 points of small
 * order.  RFC 7517 §4, RFC 7518 §6.2 and §6.3, RFC 8037 §2.
 */
#include "jose/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "jose/crypto_errors.h"

#define RSA_OCTETS_MAX   (POSTERN_RSA_BITS_MAX / 8)
#define NUMBER_ROOM      (RSA_OCTETS_MAX + 8) /* some providers put zero octets in front */
#define ED25519_OCTETS   32
#define ESCAPED_MAX(len) (6 * (len) + 2) /* \u00XX for each byte, and the quotes */

static const struct kind {
    const char *kty;
    const char *crv;   /* NULL: the kty has none */
    const char *group; /* OpenSSL's name of the curve */
    size_t octets;     /* of a coordinate */
} kinds[] = {
    [POSTERN_KEY_NONE] = { "", NULL, NULL, 0 },
    [POSTERN_KEY_RSA] = { "RSA", NULL, NULL, 0 },
    [POSTERN_KEY_P256] = { "EC", "P-256", "P-256", 32 },
    [POSTERN_KEY_P384] = { "EC", "P-384", "P-384", 48 },
    [POSTERN_KEY_P521] = { "EC", "P-521", "P-521", 66 },
    [POSTERN_KEY_ED25519] = { "OKP", "Ed25519", NULL, ED25519_OCTETS },
};

/* ---- members ---- */

/* Decode a base64url member.  False: not there, not canonical, or more than `room` octets. */
static bool read_octets(const postern_json *doc, uint32_t jwk, const char *name, uint8_t *out,
                        size_t room, size_t *ret_len)
{
    uint32_t node = postern_json_member(doc, jwk, name);
    postern_bytes text;

    if (postern_json_type_of(doc, node) != POSTERN_JSON_STRING || doc->nodes[node].is_escaped)
        return false; /* an escape inside base64url is legal JSON and nobody's */
    text = postern_json_raw(doc, node);
    text = (postern_bytes){ text.ptr + 1, text.len - 2 };
    return POSTERN_BASE64URL_DECODED_MAX(text.len) <= room &&
           postern_base64url_decode(text, out, ret_len, NULL) == POSTERN_OK;
}

static postern_key_kind read_kind(const postern_json *doc, uint32_t jwk)
{
    uint32_t kty = postern_json_member(doc, jwk, "kty"), crv = postern_json_member(doc, jwk, "crv");

    for (postern_key_kind k = POSTERN_KEY_NONE + 1; k < sizeof kinds / sizeof *kinds; k++)
        if (postern_json_string_is(doc, kty, kinds[k].kty) &&
            (kinds[k].crv == NULL || postern_json_string_is(doc, crv, kinds[k].crv)))
            return k;
    return POSTERN_KEY_NONE;
}

/* `alg` of the JWK narrows what its kind admits: one key, one algorithm (RFC 8725 §3.1). */
static postern_alg_set read_algs(const postern_json *doc, uint32_t jwk, postern_key_kind kind)
{
    uint32_t alg = postern_json_member(doc, jwk, "alg");
    postern_alg_set admitted = postern_alg_set_of(kind);

    if (alg == POSTERN_JSON_ABSENT)
        return admitted;
    for (postern_alg a = POSTERN_ALG_NONE + 1; a < POSTERN_ALG_COUNT; a++)
        if (postern_json_string_is(doc, alg, postern_alg_name(a)))
            return admitted & (1u << a);
    return 0;
}

/* POSTERN_OK (ret_is_fit false: a kid that no token can name, being no string or longer than a
 * token's may be) · NOMEM */
static postern_err read_kid(const postern_json *doc, uint32_t jwk, struct postern_jwk *k,
                            bool *ret_is_fit, postern_error *err)
{
    uint32_t node = postern_json_member(doc, jwk, "kid");
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ESCAPED_MAX(POSTERN_KID_MAX));
    postern_bytes kid;

    *ret_is_fit = node == POSTERN_JSON_ABSENT;
    if (postern_json_type_of(doc, node) != POSTERN_JSON_STRING ||
        postern_json_raw(doc, node).len > scratch.max)
        return POSTERN_OK;
    if (!postern_json_string(doc, node, &scratch, &kid)) /* it is a string and it fits: memory */
        return POSTERN_FAIL(err, NOMEM, "a kid");
    if (kid.len > sizeof k->kid)
        return POSTERN_OK;
    if (kid.len != 0)
        memcpy(k->kid, kid.ptr, kid.len);
    k->kid_len = kid.len;
    k->has_kid = *ret_is_fit = true;
    return POSTERN_OK;
}

/* RFC 7517 §4.2, §4.3: absent, or saying that signatures are checked with it. */
static bool is_for_signatures(const postern_json *doc, uint32_t jwk)
{
    uint32_t use = postern_json_member(doc, jwk, "use"),
             ops = postern_json_member(doc, jwk, "key_ops");

    if (use != POSTERN_JSON_ABSENT && !postern_json_string_is(doc, use, "sig"))
        return false;
    if (ops == POSTERN_JSON_ABSENT)
        return true;
    if (postern_json_type_of(doc, ops) != POSTERN_JSON_ARRAY)
        return false;
    for (uint32_t op = postern_json_first(doc, ops); op != POSTERN_JSON_ABSENT;
         op = postern_json_next(doc, op))
        if (postern_json_string_is(doc, op, "verify"))
            return true;
    return false;
}

/* A private key that was published is anybody's. */
static bool has_private_member(const postern_json *doc, uint32_t jwk)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (postern_json_member(doc, jwk, names[i]) != POSTERN_JSON_ABSENT)
            return true;
    return false;
}

/* ---- OpenSSL keys ---- */

/* What came of building a key: refused by our own checks, or OpenSSL would not. */
enum built { BUILD_FAILED = 0, BUILD_WEAK, BUILD_DONE };

static EVP_PKEY *build_pkey(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static postern_bytes strip_zeros(postern_bytes number)
{
    while (number.len != 0 && number.ptr[0] == 0) {
        number.ptr++;
        number.len--;
    }
    return number;
}

static size_t count_bits(postern_bytes number)
{
    size_t bits = number.len * 8;

    for (uint8_t top = number.len == 0 ? 0xff : number.ptr[0]; (top & 0x80) == 0;
         top = (uint8_t)(top << 1))
        bits--;
    return bits;
}

static bool is_odd(postern_bytes number)
{
    return number.len != 0 && (number.ptr[number.len - 1] & 1) != 0;
}

/* 2048..8192 bits, both odd, 3 <= e < 2^64 (RFC 7518 §3.3, FIPS 186-5 §5.4; one more bit of e only
 * costs time). */
static bool is_sane_rsa(postern_bytes n, postern_bytes e)
{
    size_t bits = count_bits(n);

    return bits >= POSTERN_RSA_BITS_MIN && bits <= POSTERN_RSA_BITS_MAX && is_odd(n) && is_odd(e) &&
           e.len <= 8 && count_bits(e) >= 2;
}

/* OSSL_PARAM numbers are in the machine's byte order. */
static bool flip_to_native(postern_bytes number, uint8_t *out)
{
    BIGNUM *bn = BN_bin2bn(number.ptr, (int)number.len, NULL);
    bool is_done = bn != NULL && BN_bn2nativepad(bn, out, (int)number.len) == (int)number.len;

    BN_free(bn);
    return is_done;
}

static enum built build_rsa(const postern_json *doc, uint32_t jwk, struct postern_jwk *k)
{
    uint8_t n_octets[NUMBER_ROOM], e_octets[NUMBER_ROOM], n_native[NUMBER_ROOM],
        e_native[NUMBER_ROOM];
    postern_bytes n = { n_octets, 0 }, e = { e_octets, 0 };

    if (!read_octets(doc, jwk, "n", n_octets, sizeof n_octets, &n.len) ||
        !read_octets(doc, jwk, "e", e_octets, sizeof e_octets, &e.len))
        return BUILD_WEAK;
    n = strip_zeros(n);
    e = strip_zeros(e);
    if (!is_sane_rsa(n, e))
        return BUILD_WEAK;
    if (!flip_to_native(n, n_native) || !flip_to_native(e, e_native))
        return BUILD_FAILED;
    k->sig_len = n.len;
    k->pkey = build_pkey(
        "RSA", (OSSL_PARAM[]){ OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n_native, n.len),
                               OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e_native, e.len),
                               OSSL_PARAM_construct_end() });
    return k->pkey != NULL ? BUILD_DONE : BUILD_FAILED;
}

/* On the curve, not infinity, of the right order (RFC 8725 §3.4, SP 800-56A §5.6.2.3). */
static bool is_valid_point(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool is_valid = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return is_valid;
}

static bool read_order(EVP_PKEY *pkey, uint8_t *out, size_t octets)
{
    BIGNUM *order = NULL;
    bool is_done = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1 &&
                   BN_bn2binpad(order, out, (int)octets) == (int)octets;

    BN_free(order);
    return is_done;
}

static enum built build_ec(const postern_json *doc, uint32_t jwk, struct postern_jwk *k)
{
    const struct kind *kind = &kinds[k->kind];
    uint8_t point[1 + 2 * (POSTERN_EC_OCTETS_MAX + 2)] = { POINT_CONVERSION_UNCOMPRESSED };
    char group[8];
    size_t x_len, y_len;

    if (!read_octets(doc, jwk, "x", point + 1, kind->octets + 2, &x_len) || x_len != kind->octets ||
        !read_octets(doc, jwk, "y", point + 1 + x_len, kind->octets + 2, &y_len) ||
        y_len != kind->octets)
        return BUILD_WEAK;
    memcpy(group, kind->group, sizeof "P-256");
    k->pkey = build_pkey(
        "EC",
        (OSSL_PARAM[]){
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x_len + y_len),
            OSSL_PARAM_construct_end() });
    k->sig_len = 2 * kind->octets;
    return k->pkey != NULL && is_valid_point(k->pkey) && read_order(k->pkey, k->order, kind->octets)
               ? BUILD_DONE
               : BUILD_FAILED;
}

/*
 * RFC 8032 §5.1.3: y below p = 2^255 - 19; and not one of the points whose order divides 8, with
 * which one signature verifies for every message.  `y` little-endian, sign bit cleared.
 */
static bool is_sane_ed25519(const uint8_t y[ED25519_OCTETS])
{
    static const uint8_t p[ED25519_OCTETS] = { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
    static const uint8_t small_order[][ED25519_OCTETS] = {
        { 0 }, /* order 4 */
        { 1 }, /* order 1 */
        { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }, /* order 2 */
        { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
          0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
          0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 }, /* order 8 */
        { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
          0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
          0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a } /* order 8 */
    };

    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++)
        if (memcmp(y, small_order[i], ED25519_OCTETS) == 0)
            return false;
    for (size_t i = ED25519_OCTETS; i-- > 0;)
        if (y[i] != p[i])
            return y[i] < p[i];
    return false;
}

static enum built build_ed25519(const postern_json *doc, uint32_t jwk, struct postern_jwk *k)
{
    uint8_t raw[ED25519_OCTETS + 2], y[ED25519_OCTETS];
    size_t len;

    if (!read_octets(doc, jwk, "x", raw, sizeof raw, &len) || len != ED25519_OCTETS)
        return BUILD_WEAK;
    memcpy(y, raw, sizeof y);
    y[ED25519_OCTETS - 1] &= 0x7f;
    if (!is_sane_ed25519(y))
        return BUILD_WEAK;
    k->sig_len = 2 * ED25519_OCTETS;
    k->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, raw, len);
    return k->pkey != NULL ? BUILD_DONE : BUILD_FAILED;
}

/* ---- the key ---- */

/* POSTERN_OK (k->usable says whether there is a key) · NOMEM · INTERNAL */
static postern_err build_key(const postern_json *doc, uint32_t jwk, struct postern_jwk *k,
                             postern_error *err)
{
    struct postern_crypto_errors before = postern_crypto_errors_begin();
    enum built built = k->kind == POSTERN_KEY_RSA       ? build_rsa(doc, jwk, k)
                       : k->kind == POSTERN_KEY_ED25519 ? build_ed25519(doc, jwk, k)
                                                        : build_ec(doc, jwk, k);
    postern_blame blame = postern_crypto_errors_end(before);

    if (built == BUILD_FAILED && blame == POSTERN_BLAME_OPENSSL)
        return POSTERN_FAIL(err, INTERNAL, "OpenSSL made no %s key", kinds[k->kind].kty);
    if (built == BUILD_FAILED && blame != POSTERN_BLAME_INPUT)
        return POSTERN_FAIL(err, NOMEM, "a %s key of a set", kinds[k->kind].kty);
    k->usable = built == BUILD_DONE ? POSTERN_OK : POSTERN_ERR_WEAK_KEY;
    return POSTERN_OK;
}

static postern_err prepare_verifiers(struct postern_jwk *k, postern_error *err)
{
    for (postern_alg a = POSTERN_ALG_NONE + 1; a < POSTERN_ALG_COUNT; a++)
        if ((k->algs & (1u << a)) != 0)
            POSTERN_TRY(postern_verifier_new(k, a, &k->verifiers[a], err));
    return POSTERN_OK;
}

postern_err postern_jwk_parse(const postern_json *doc, uint32_t node, struct postern_jwk *ret,
                              postern_error *err)
{
    bool has_fit_kid;

    if (postern_json_type_of(doc, node) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "a member of `keys` is not an object");
    POSTERN_TRY(read_kid(doc, node, ret, &has_fit_kid, err));
    ret->kind = read_kind(doc, node);
    ret->algs = read_algs(doc, node, ret->kind);
    ret->usable = ret->algs == 0                                  ? POSTERN_ERR_ALG_KEY_MISMATCH
                  : !is_for_signatures(doc, node)                 ? POSTERN_ERR_KEY_NOT_FOR_SIG
                  : !has_fit_kid || has_private_member(doc, node) ? POSTERN_ERR_WEAK_KEY
                                                                  : POSTERN_OK;
    if (ret->usable != POSTERN_OK)
        return POSTERN_OK;
    POSTERN_TRY(build_key(doc, node, ret, err));
    return ret->usable == POSTERN_OK ? prepare_verifiers(ret, err) : POSTERN_OK;
}

void postern_jwk_clear(struct postern_jwk *key)
{
    for (size_t a = 0; a < POSTERN_ALG_COUNT; a++) {
        postern_verifier_free(key->verifiers[a]);
        key->verifiers[a] = NULL;
    }
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
}
