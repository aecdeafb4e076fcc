/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The algorithms and the check of one signature.  Knows keys and bytes, no JSON and no tokens.
 * Called by jwks.c (verify) and jwk.c (verifiers).  RFC 7518 §3.3 to §3.5, RFC 8037 §3.1.
 *
 * Setting up an OpenSSL verification costs a fifth of an RSA check, so each (key, algorithm) has
 * one initialised context that is never used itself: a check borrows a copy that an earlier check
 * left behind, or makes one.
 */
#include "jose/jws.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "jose/crypto_errors.h"
#include "jose/jwk.h"

static const struct algorithm {
    const char *name;
    postern_key_kind kind;
    const char *digest; /* NULL: the algorithm hashes by itself */
    int padding;        /* RSA only */
} algorithms[POSTERN_ALG_COUNT] = {
    [POSTERN_ALG_NONE] = { "", POSTERN_KEY_NONE, NULL, 0 },
    [POSTERN_ALG_RS256] = { "RS256", POSTERN_KEY_RSA, "SHA256", RSA_PKCS1_PADDING },
    [POSTERN_ALG_RS384] = { "RS384", POSTERN_KEY_RSA, "SHA384", RSA_PKCS1_PADDING },
    [POSTERN_ALG_RS512] = { "RS512", POSTERN_KEY_RSA, "SHA512", RSA_PKCS1_PADDING },
    [POSTERN_ALG_PS256] = { "PS256", POSTERN_KEY_RSA, "SHA256", RSA_PKCS1_PSS_PADDING },
    [POSTERN_ALG_PS384] = { "PS384", POSTERN_KEY_RSA, "SHA384", RSA_PKCS1_PSS_PADDING },
    [POSTERN_ALG_PS512] = { "PS512", POSTERN_KEY_RSA, "SHA512", RSA_PKCS1_PSS_PADDING },
    [POSTERN_ALG_ES256] = { "ES256", POSTERN_KEY_P256, "SHA256", 0 },
    [POSTERN_ALG_ES384] = { "ES384", POSTERN_KEY_P384, "SHA384", 0 },
    [POSTERN_ALG_ES512] = { "ES512", POSTERN_KEY_P521, "SHA512", 0 },
    [POSTERN_ALG_EDDSA] = { "EdDSA", POSTERN_KEY_ED25519, NULL, 0 },
    [POSTERN_ALG_ED25519] = { "Ed25519", POSTERN_KEY_ED25519, NULL, 0 },
};

const char *postern_alg_name(postern_alg alg)
{
    return alg < POSTERN_ALG_COUNT ? algorithms[alg].name : "";
}

postern_alg postern_alg_from_name(postern_bytes name)
{
    for (postern_alg alg = POSTERN_ALG_NONE + 1; alg < POSTERN_ALG_COUNT; alg++)
        if (postern_bytes_equal_str(name, algorithms[alg].name))
            return alg;
    return POSTERN_ALG_NONE;
}

postern_alg_set postern_alg_set_of(postern_key_kind kind)
{
    postern_alg_set set = 0;

    for (postern_alg alg = POSTERN_ALG_NONE + 1; alg < POSTERN_ALG_COUNT; alg++)
        if (kind != POSTERN_KEY_NONE && algorithms[alg].kind == kind)
            set |= 1u << alg;
    return set;
}

/* ---- verifiers ---- */

/* More threads than that in one check at a time make copies of their own. */
#define IDLE_SESSIONS 4

/* Contexts that one check uses at a time. */
struct session {
    EVP_MD_CTX *hash;     /* digest of the input; for EdDSA the whole verification */
    EVP_PKEY_CTX *verify; /* NULL for EdDSA */
};

struct postern_verifier {
    const struct algorithm *alg;
    EVP_MD *digest;             /* fetched once */
    EVP_PKEY_CTX *prepared;     /* RSA, EC: initialised, only ever copied */
    EVP_MD_CTX *prepared_eddsa; /* likewise */
    _Atomic(struct session *) idle[IDLE_SESSIONS];
};

static void free_session(struct session *s)
{
    if (s == NULL)
        return;
    EVP_MD_CTX_free(s->hash);
    EVP_PKEY_CTX_free(s->verify);
    free(s);
}

void postern_verifier_free(postern_verifier *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < IDLE_SESSIONS; i++)
        free_session(atomic_load_explicit(&v->idle[i], memory_order_acquire));
    EVP_PKEY_CTX_free(v->prepared);
    EVP_MD_CTX_free(v->prepared_eddsa);
    EVP_MD_free(v->digest);
    free(v);
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct algorithm *alg)
{
    if (alg->kind != POSTERN_KEY_RSA)
        return true;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, alg->padding) != 1)
        return false;
    if (alg->padding != RSA_PKCS1_PSS_PADDING)
        return true;
    /* OpenSSL would take any salt length; RFC 7518 §3.5 wants the digest's.  MGF1 follows the
     * digest by default. */
    return EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool prepare_digested(postern_verifier *v, EVP_PKEY *pkey)
{
    return (v->digest = EVP_MD_fetch(NULL, v->alg->digest, NULL)) != NULL &&
           (v->prepared = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL)) != NULL &&
           EVP_PKEY_verify_init(v->prepared) == 1 && set_padding(v->prepared, v->alg) &&
           EVP_PKEY_CTX_set_signature_md(v->prepared, v->digest) == 1;
}

static bool prepare_eddsa(postern_verifier *v, EVP_PKEY *pkey)
{
    return (v->prepared_eddsa = EVP_MD_CTX_new()) != NULL &&
           EVP_DigestVerifyInit(v->prepared_eddsa, NULL, NULL, NULL, pkey) == 1;
}

postern_err postern_verifier_new(const struct postern_jwk *key, postern_alg alg,
                                 postern_verifier **ret, postern_error *err)
{
    struct postern_crypto_errors before = postern_crypto_errors_begin();
    postern_verifier *v = calloc(1, sizeof *v);
    bool is_ready = false;
    postern_blame blame;

    if (v != NULL) {
        v->alg = &algorithms[alg];
        is_ready =
            v->alg->digest == NULL ? prepare_eddsa(v, key->pkey) : prepare_digested(v, key->pkey);
    }
    blame = postern_crypto_errors_end(before);
    if (!is_ready) {
        bool is_nomem = v == NULL || blame == POSTERN_BLAME_MEMORY;

        postern_verifier_free(v);
        return is_nomem
                   ? POSTERN_FAIL(err, NOMEM, "preparing %s", postern_alg_name(alg))
                   : POSTERN_FAIL(err, INTERNAL, "OpenSSL cannot do %s", postern_alg_name(alg));
    }
    *ret = v;
    return POSTERN_OK;
}

/* A session that no other thread has: one left behind, or a new copy.  NULL: out of memory. */
static struct session *borrow_session(postern_verifier *v)
{
    struct session *s;

    for (size_t i = 0; i < IDLE_SESSIONS; i++)
        if (atomic_load_explicit(&v->idle[i], memory_order_relaxed) != NULL &&
            (s = atomic_exchange_explicit(&v->idle[i], NULL, memory_order_acquire)) != NULL)
            return s;
    if ((s = calloc(1, sizeof *s)) == NULL)
        return NULL;
    s->hash = EVP_MD_CTX_new();
    s->verify = v->prepared == NULL ? NULL : EVP_PKEY_CTX_dup(v->prepared);
    if (s->hash != NULL && (s->verify != NULL || v->prepared == NULL))
        return s;
    free_session(s);
    return NULL;
}

static void give_session_back(postern_verifier *v, struct session *s)
{
    for (size_t i = 0; i < IDLE_SESSIONS; i++) {
        struct session *nobody = NULL;

        if (atomic_compare_exchange_strong_explicit(&v->idle[i], &nobody, s, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
    free_session(s);
}

/* ---- one check ---- */

/* SEQUENCE (with a two-byte length for P-521) of two INTEGERs with a sign byte each. */
#define DER_MAX (3 + 2 * (2 + 1 + POSTERN_EC_OCTETS_MAX))

/* 0 < number < n, both big-endian of `len` bytes. */
static bool is_in_order(const uint8_t *number, const uint8_t *order, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= number[i];
    return any != 0 && memcmp(number, order, len) < 0; /* public values: no secret to time */
}

/* Append a positive INTEGER (X.690 §8.3): no needless zeros in front, one where the top bit would
 * make it negative. */
static uint8_t *put_der_integer(uint8_t *at, const uint8_t *number, size_t len)
{
    while (len > 1 && number[0] == 0) {
        number++;
        len--;
    }
    *at++ = 0x02;
    *at++ = (uint8_t)(len + (number[0] >> 7));
    if (number[0] >> 7)
        *at++ = 0;
    memcpy(at, number, len);
    return at + len;
}

/* r || s to the DER that OpenSSL reads.  Both were checked to be below the order. */
static postern_bytes put_der_signature(const uint8_t *rs, size_t half, uint8_t der[DER_MAX])
{
    uint8_t *body = der + 3;
    uint8_t *end = put_der_integer(put_der_integer(body, rs, half), rs + half, half);
    size_t len = (size_t)(end - body);

    if (len < 0x80) {
        der[1] = 0x30;
        der[2] = (uint8_t)len;
        return (postern_bytes){ der + 1, len + 2 };
    }
    der[0] = 0x30;
    der[1] = 0x81;
    der[2] = (uint8_t)len;
    return (postern_bytes){ der, len + 3 };
}

/* The signature as OpenSSL wants it; empty when it cannot be one by this key. */
static postern_bytes shape_signature(const struct postern_jwk *key, postern_bytes sig,
                                     uint8_t der[DER_MAX])
{
    size_t half = key->sig_len / 2;

    if (sig.len != key->sig_len) /* RFC 8017 §8.1.2 step 1, RFC 7518 §3.4, RFC 8032 §5.1.7 */
        return POSTERN_BYTES_NONE;
    if (key->kind == POSTERN_KEY_RSA || key->kind == POSTERN_KEY_ED25519)
        return sig;
    if (!is_in_order(sig.ptr, key->order, half) || !is_in_order(sig.ptr + half, key->order, half))
        return POSTERN_BYTES_NONE;
    return put_der_signature(sig.ptr, half, der);
}

/* 1 verifies · 0 or less does not · SET_UP_FAILED: the signature was not looked at */
#define SET_UP_FAILED (-100)

static int check_digested(const postern_verifier *v, struct session *s, postern_bytes input,
                          postern_bytes sig)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;

    if (EVP_DigestInit_ex2(s->hash, v->digest, NULL) != 1 ||
        EVP_DigestUpdate(s->hash, input.ptr, input.len) != 1 ||
        EVP_DigestFinal_ex(s->hash, digest, &len) != 1)
        return SET_UP_FAILED;
    return EVP_PKEY_verify(s->verify, sig.ptr, sig.len, digest, len);
}

static int check_eddsa(const postern_verifier *v, struct session *s, postern_bytes input,
                       postern_bytes sig)
{
    if (EVP_MD_CTX_copy_ex(s->hash, v->prepared_eddsa) !=
        1) /* one-shot: each check needs a fresh one */
        return SET_UP_FAILED;
    return EVP_DigestVerify(s->hash, sig.ptr, sig.len, input.ptr, input.len);
}

/*
 * Why a check did not say yes.  OpenSSL answers "no" and "I could not" with the same values, so a
 * rejection needs an error that is about the signature, or none at all (ECDSA and EdDSA say no in
 * silence).  PKCS #1 v1.5 has refusals without a reason of their own, of a block that holds nothing
 * for one: there whatever is not memory is the signature's fault.
 */
static postern_err explain(const struct algorithm *alg, int verified, postern_blame blame,
                           postern_error *err)
{
    bool is_no = blame != POSTERN_BLAME_OPENSSL || alg->padding == RSA_PKCS1_PADDING;

    if (blame == POSTERN_BLAME_MEMORY)
        return POSTERN_FAIL(err, NOMEM, "verifying %s", alg->name);
    if (verified == SET_UP_FAILED || !is_no)
        return POSTERN_FAIL(err, INTERNAL, "OpenSSL failed, not the %s signature", alg->name);
    return POSTERN_FAIL(err, BAD_SIGNATURE, "%s does not verify", alg->name);
}

postern_err postern_jws_verify(const struct postern_jwk *key, postern_alg alg, postern_bytes input,
                               postern_bytes sig, postern_error *err)
{
    postern_verifier *v = alg < POSTERN_ALG_COUNT ? key->verifiers[alg] : NULL;
    struct postern_crypto_errors before;
    struct session *s;
    uint8_t der[DER_MAX];
    postern_blame blame;
    int verified;

    if (v == NULL)
        return POSTERN_FAIL(err, ALG_KEY_MISMATCH, "the key is not for %s", postern_alg_name(alg));
    sig = shape_signature(key, sig, der);
    if (sig.len == 0)
        return POSTERN_FAIL(err, BAD_SIGNATURE, "not of the form of %s", postern_alg_name(alg));

    before = postern_crypto_errors_begin();
    s = borrow_session(v);
    verified = s == NULL           ? SET_UP_FAILED
               : v->digest == NULL ? check_eddsa(v, s, input, sig)
                                   : check_digested(v, s, input, sig);
    blame = postern_crypto_errors_end(before);
    postern_wipe(der, sizeof der); /* with its signature a token is whole again */
    if (verified == 1) {
        give_session_back(v, s);
        return POSTERN_OK;
    }
    free_session(s); /* what a failed check left in it is not worth knowing */
    return explain(v->alg, verified, s == NULL ? POSTERN_BLAME_MEMORY : blame, err);
}
