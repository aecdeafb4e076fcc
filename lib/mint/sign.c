/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The issuer's signing key and its tokens: ES256 and nothing else.  Verifies nothing (lib/jose
 * does) and knows no claim.  Called by sidecar/issuer only.  RFC 7515 §7.1, RFC 7518 §3.4, RFC
 * 7638.
 */
#include <postern-private/mint.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <postern-private/json.h>
#include <postern-private/pem.h>
#include <postern/request.h>
#include <stdlib.h>

#define COORDINATE 32  /* octets of a P-256 coordinate, of r and of s (RFC 7518 §6.2.1.2, §3.4) */
#define THUMBPRINT 32  /* SHA-256 */
#define TEXT_OF_32 43  /* base64url characters of 32 octets */
#define DER_MAX    72  /* SEQUENCE of two INTEGERs of 33 octets at most */
#define JSON_MAX   512 /* a JWK or a header of ours: names, three 43-character values, a typ */
/* Bytes of claims that fit a token beside its header and signature. */
#define CLAIMS_MAX (POSTERN_TOKEN_MAX / 4 * 3 - 2 * JSON_MAX)

struct postern_signing_key {
    EVP_PKEY *pkey;
    char x[TEXT_OF_32 + 1], y[TEXT_OF_32 + 1];
    char kid[TEXT_OF_32 + 1];
};

/* ---- texts of the public half ---- */

static bool write_text(postern_bytes octets, char out[TEXT_OF_32 + 1])
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(TEXT_OF_32 + 1);
    const char *s;

    postern_base64url_encode(octets, &text);
    if ((s = postern_buf_cstr(&text)) == NULL || text.len != TEXT_OF_32)
        return false;
    memcpy(out, s, TEXT_OF_32 + 1);
    return true;
}

static bool write_coordinate(const EVP_PKEY *pkey, const char *param, char out[TEXT_OF_32 + 1])
{
    uint8_t octets[COORDINATE];
    BIGNUM *bn = NULL;
    bool is_done = EVP_PKEY_get_bn_param(pkey, param, &bn) == 1 &&
                   BN_bn2binpad(bn, octets, COORDINATE) == COORDINATE;

    BN_free(bn);
    return is_done && write_text((postern_bytes){ octets, COORDINATE }, out);
}

/* RFC 7638 §3.2: the required members in the order of their names, no blanks. */
static bool write_kid(struct postern_signing_key *k)
{
    POSTERN_AUTO_BUF jwk = POSTERN_BUF_INIT(JSON_MAX);
    uint8_t digest[THUMBPRINT];

    postern_buf_addf(&jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", k->x,
                     k->y);
    return !jwk.failed && EVP_Digest(jwk.ptr, jwk.len, digest, NULL, EVP_sha256(), NULL) == 1 &&
           write_text((postern_bytes){ digest, THUMBPRINT }, k->kid);
}

/* Wrap a P-256 key.  Everything that can fail here is memory. */
static postern_err wrap(EVP_PKEY *take_pkey, postern_signing_key **ret, postern_error *err)
{
    POSTERN_AUTO(signing_key) k = calloc(1, sizeof *k);

    if (k == NULL) {
        EVP_PKEY_free(take_pkey);
        return POSTERN_FAIL(err, NOMEM, "a signing key");
    }
    k->pkey = take_pkey;
    if (!write_coordinate(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, k->x) ||
        !write_coordinate(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, k->y) || !write_kid(k))
        return POSTERN_FAIL(err, NOMEM, "the public half of a signing key");
    *ret = POSTERN_STEAL(k);
    return POSTERN_OK;
}

/* ---- making, reading, writing ---- */

postern_err postern_signing_key_generate(postern_signing_key **ret, postern_error *err)
{
    EVP_PKEY *pkey;

    ERR_set_mark();
    pkey = EVP_EC_gen("P-256");
    ERR_pop_to_mark();
    if (pkey == NULL)
        return POSTERN_FAIL(err, NOMEM, "generating a P-256 key");
    return wrap(pkey, ret, err);
}

/* A private P-256 key whose halves belong together. */
static bool is_signing_key(EVP_PKEY *pkey)
{
    char group[16];
    EVP_PKEY_CTX *ctx;
    bool is_one;

    if (pkey == NULL || !EVP_PKEY_is_a(pkey, "EC") ||
        EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
        strcmp(group, "prime256v1") != 0)
        return false;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    is_one = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return is_one;
}

/* Bytes; a P-256 key in PEM has 241, parameters and comments may stand before it. */
#define PEM_MAX 16384

postern_err postern_signing_key_from_pem(postern_bytes pem, postern_signing_key **ret,
                                         postern_error *err)
{
    EVP_PKEY *pkey = NULL;
    bool is_one;

    ERR_set_mark();
    if (pem.len <= PEM_MAX)
        pkey = postern_pem_private_key(pem);
    is_one = is_signing_key(pkey);
    ERR_pop_to_mark();
    if (!is_one) {
        EVP_PKEY_free(pkey);
        return POSTERN_FAIL(err, CONFIG_FILE, "not a P-256 private key in PEM without passphrase");
    }
    return wrap(pkey, ret, err);
}

postern_err postern_signing_key_to_pem(const postern_signing_key *k, postern_secret **ret,
                                       postern_error *err)
{
    BIO *bio;
    char *pem = NULL;
    long len = 0;
    postern_err e;

    ERR_set_mark();
    bio = BIO_new(BIO_s_secmem()); /* wiped on growth and on free */
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1)
        len = BIO_get_mem_data(bio, &pem);
    ERR_pop_to_mark();
    e = len <= 0
            ? POSTERN_FAIL(err, NOMEM, "writing a signing key")
            : postern_secret_new((postern_bytes){ (const uint8_t *)pem, (size_t)len }, ret, err);
    BIO_free(bio);
    return e;
}

void postern_signing_key_free(postern_signing_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey); /* wipes the private number */
    free(k);
}

const char *postern_signing_key_kid(const postern_signing_key *k)
{
    return k->kid;
}

postern_err postern_signing_key_public_jwk(const postern_signing_key *k, postern_buf *out,
                                           postern_error *err)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "kty", "EC");
    postern_json_put_str(&w, "crv", "P-256");
    postern_json_put_str(&w, "x", k->x);
    postern_json_put_str(&w, "y", k->y);
    postern_json_put_str(&w, "kid", k->kid);
    postern_json_put_str(&w, "use", "sig");
    postern_json_put_str(&w, "alg", "ES256");
    postern_json_close_object(&w);
    return out->failed ? POSTERN_FAIL(err, NOMEM, "a public key as JSON") : POSTERN_OK;
}

/* ---- tokens ---- */

/* r || s of DER (RFC 7518 §3.4). */
static bool unwrap(const uint8_t *der, size_t der_len, uint8_t rs[2 * COORDINATE])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    bool is_done = sig != NULL &&
                   BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, COORDINATE) == COORDINATE &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + COORDINATE, COORDINATE) == COORDINATE;

    ECDSA_SIG_free(sig);
    return is_done;
}

static bool sign(EVP_PKEY *pkey, postern_bytes input, uint8_t rs[2 * COORDINATE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[DER_MAX];
    size_t len = sizeof der;
    bool is_done =
        ctx != NULL && EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) == 1 &&
        EVP_DigestSign(ctx, der, &len, input.ptr, input.len) == 1 && unwrap(der, len, rs);

    EVP_MD_CTX_free(ctx);
    postern_wipe(der, sizeof der);
    return is_done;
}

static void put_header(const postern_signing_key *k, const char *typ, postern_buf *out)
{
    POSTERN_AUTO_BUF json = POSTERN_BUF_INIT(JSON_MAX);
    postern_json_writer w = { &json, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "alg", "ES256");
    postern_json_put_str(&w, "typ", typ);
    postern_json_put_str(&w, "kid", k->kid);
    postern_json_close_object(&w);
    out->failed |= json.failed;
    postern_base64url_encode(postern_buf_bytes(&json), out);
}

postern_err postern_mint_token(const postern_signing_key *k, const char *typ, postern_bytes claims,
                               postern_secret **ret_token, postern_error *err)
{
    POSTERN_AUTO_BUF token = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    uint8_t rs[2 * COORDINATE];
    bool is_signed;

    if (claims.len > CLAIMS_MAX)
        return POSTERN_FAIL(err, LIMIT, "claims of %zu bytes, at most %d", claims.len, CLAIMS_MAX);
    put_header(k, typ, &token);
    postern_buf_add_byte(&token, '.');
    postern_base64url_encode(claims, &token);
    if (token.failed)
        return POSTERN_FAIL(err, NOMEM, "a token of %zu bytes of claims", claims.len);
    ERR_set_mark();
    is_signed = sign(k->pkey, postern_buf_bytes(&token), rs);
    ERR_pop_to_mark();
    if (!is_signed)
        return POSTERN_FAIL(err, NOMEM, "signing a token");
    postern_buf_add_byte(&token, '.');
    postern_base64url_encode((postern_bytes){ rs, sizeof rs }, &token);
    postern_wipe(rs, sizeof rs);
    if (token.failed)
        return POSTERN_FAIL(err, NOMEM, "a token of %zu bytes", token.len);
    return postern_secret_new(postern_buf_bytes(&token), ret_token, err);
}
