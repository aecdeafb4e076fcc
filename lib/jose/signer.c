/* SPDX-License-Identifier: BSD-2-Clause */
/* See signer.h.  RFC 7515 §7.1, RFC 7518 §3.3 and §3.4, RFC 8037 §3.1. */
#include "jose/signer.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <postern-private/json.h>
#include <postern-private/pem.h>

#include "jose/crypto_errors.h"

#define COORDINATE   32   /* octets of r and of s (RFC 7518 §3.4) */
#define RSA_BITS_MIN 2048 /* RFC 7518 §3.3 */
#define RSA_BITS_MAX 8192 /* as for keys that we verify with: more only costs time */
#define SIG_MAX      1024 /* octets of an RSA signature of 8192 bits; ECDSA in DER has 72 */
#define HEADER_MAX   256  /* alg and a typ of ours */

struct postern_signer {
    EVP_PKEY *pkey;
    postern_alg alg;
};

/* ---- reading ---- */

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[16];

    return EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* NONE: a key that signs nothing here. */
static postern_alg choose_alg(const EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "EC") && is_p256(pkey))
        return POSTERN_ALG_ES256;
    if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN &&
        EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX)
        return POSTERN_ALG_RS256;
    return EVP_PKEY_is_a(pkey, "ED25519") ? POSTERN_ALG_EDDSA : POSTERN_ALG_NONE;
}

static bool is_pair(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool is_one = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return is_one;
}

static postern_err read_key(postern_bytes pem, postern_signer *s, postern_error *err)
{
    struct postern_crypto_errors before = postern_crypto_errors_begin();
    bool is_key = pem.len <= POSTERN_SIGNER_PEM_MAX &&
                  (s->pkey = postern_pem_private_key(pem)) != NULL &&
                  (s->alg = choose_alg(s->pkey)) != POSTERN_ALG_NONE && is_pair(s->pkey);
    postern_blame blame = postern_crypto_errors_end(before);

    if (is_key)
        return POSTERN_OK;
    if (blame == POSTERN_BLAME_MEMORY)
        return POSTERN_FAIL(err, NOMEM, "a private key");
    return POSTERN_FAIL(err, CONFIG_FILE,
                        "not a private key in PEM without passphrase that can sign: P-256, RSA of "
                        "%d to %d bits, or Ed25519",
                        RSA_BITS_MIN, RSA_BITS_MAX);
}

postern_err postern_signer_from_pem(postern_bytes pem, postern_signer **ret, postern_error *err)
{
    POSTERN_AUTO(signer) s = calloc(1, sizeof *s);

    if (s == NULL)
        return POSTERN_FAIL(err, NOMEM, "a private key");
    POSTERN_TRY(read_key(pem, s, err));
    *ret = POSTERN_STEAL(s);
    return POSTERN_OK;
}

void postern_signer_free(postern_signer *s)
{
    if (s == NULL)
        return;
    EVP_PKEY_free(s->pkey); /* wipes the private number */
    free(s);
}

/* ---- signing ---- */

/* r || s of DER (RFC 7518 §3.4). */
static bool unwrap(uint8_t sig[SIG_MAX], size_t *len)
{
    const uint8_t *der = sig;
    ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &der, (long)*len);
    bool is_done = rs != NULL &&
                   BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, COORDINATE) == COORDINATE &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + COORDINATE, COORDINATE) == COORDINATE;

    ECDSA_SIG_free(rs);
    *len = 2 * (size_t)COORDINATE;
    return is_done;
}

static bool sign(const postern_signer *s, postern_bytes input, uint8_t sig[SIG_MAX], size_t *ret_len)
{
    const char *digest = s->alg == POSTERN_ALG_EDDSA ? NULL : "SHA256"; /* Ed25519 has its own */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_done;

    *ret_len = SIG_MAX;
    is_done = ctx != NULL &&
              EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, s->pkey, NULL) == 1 &&
              EVP_DigestSign(ctx, sig, ret_len, input.ptr, input.len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_done && (s->alg != POSTERN_ALG_ES256 || unwrap(sig, ret_len));
}

static void put_header(const postern_signer *s, const char *typ, postern_buf *out)
{
    POSTERN_AUTO_BUF json = POSTERN_BUF_INIT(HEADER_MAX);
    postern_json_writer w = { &json, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "alg", postern_alg_name(s->alg));
    postern_json_put_str(&w, "typ", typ);
    postern_json_close_object(&w);
    out->failed |= json.failed;
    postern_base64url_encode(postern_buf_bytes(&json), out);
}

postern_err postern_signer_sign(const postern_signer *s, const char *typ, postern_bytes claims,
                                postern_buf *out, postern_error *err)
{
    uint8_t sig[SIG_MAX];
    size_t len, start = out->len;
    struct postern_crypto_errors before;
    bool is_signed;

    put_header(s, typ, out);
    postern_buf_add_byte(out, '.');
    postern_base64url_encode(claims, out);
    if (out->failed)
        return POSTERN_FAIL(err, NOMEM, "an assertion of %zu bytes of claims", claims.len);
    before = postern_crypto_errors_begin();
    is_signed = sign(s, (postern_bytes){ out->ptr + start, out->len - start }, sig, &len);
    (void)postern_crypto_errors_end(before); /* a checked key can fail for memory only */
    if (!is_signed)
        return POSTERN_FAIL(err, NOMEM, "signing an assertion");
    postern_buf_add_byte(out, '.');
    postern_base64url_encode((postern_bytes){ sig, len }, out);
    postern_wipe(sig, sizeof sig);
    return out->failed ? POSTERN_FAIL(err, NOMEM, "an assertion of %zu bytes", out->len)
                       : POSTERN_OK;
}
