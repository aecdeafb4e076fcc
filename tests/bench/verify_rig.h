/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens, keys and contexts for the benchmarks of verification, and how two candidates are held against
 * each other.  Any failure ends the program: a figure of something that failed is none.
 */
#ifndef POSTERN_BENCH_VERIFY_RIG_H
#define POSTERN_BENCH_VERIFY_RIG_H

#include <openssl/evp.h>
#include <postern/validate.h>
#include <stdatomic.h>

#include "../support/test_keys.h"
#include "jose/jwks.h"
#include "jose/jwt.h"
#include "oauth/cache.h"

#define ISSUER   "https://as.example.com"
#define AUDIENCE "https://mail.example.com/imap"
#define SCOPE    "mail.read"
#define KID      "2026-11-key-of-the-bench"
#define TOKENS   256 /* distinct: no branch predictor learns a token by heart */
#define SIG_ROOM 512

struct token {
    char *text;
    postern_bytes whole, input, parts[3];
    uint8_t sig[SIG_ROOM]; /* as OpenSSL wants it: DER for ECDSA */
    size_t sig_len;
    uint8_t hash[32]; /* in the table */
    char *peer_text;  /* with the type that a peer wants */
};

struct bench {
    const char *alg;
    test_key *key;
    EVP_MD *sha256;
    const EVP_MD *md; /* of the signature; NULL: EdDSA */
    struct token tokens[TOKENS];
    EVP_PKEY_CTX *verify; /* prepared and kept */
    EVP_MD_CTX *hash;     /* likewise; for EdDSA the whole verification */
    EVP_MD_CTX *digest;   /* of whole tokens, kept */
    postern_context *ctx;
    postern_jwks *set;
    postern_jwt *jwt;
    postern_json json;
    postern_buf scratch; /* of claims */
    char dir[sizeof "/tmp/postern-bench-XXXXXX"], *path; /* of the key set */
    atomic_int_least64_t forward_ms; /* of the context's clock: what it has proved lies so far back */
    struct token *table[TOKENS * 2]; /* by digest, open addressing */
    struct cache *cache;             /* that holds every token */
    size_t bytes_cached;             /* of the heap, for each of them */
    const struct verify_peer *peer;
    void *peer_state;
};

void __attribute__((noreturn)) rig_die(const char *what, const postern_error *err);
double rig_now_s(clockid_t clock);
int64_t rig_mono_ms(const struct bench *b);

/* kind as test_key_new() */
void rig_make(struct bench *b, const char *alg, const char *kind);
void rig_free(struct bench *b);
/* As all tokens are, but for `typ` and what `claims` say. */
char *rig_sign(const struct bench *b, const char *typ, const char *claims);
char *rig_claims(size_t number, const char *issuer, const char *audience, const char *scope,
                 long long issued_s);
/* Nothing in the context's cache is young enough any more. */
void rig_forget_proofs(struct bench *b);

/* ---- measuring ---- */

typedef void (*check_fn)(struct bench *b, struct token *t);
/* What a check needs before a turn of it, outside of the measured time; NULL: nothing. */
typedef void (*prepare_fn)(struct bench *b);

struct candidate {
    check_fn check;
    prepare_fn prepare;
};

struct result {
    double ns, base_ns, ratio; /* medians; ratio is base / ours, round by round */
};

#define RIG_ROUNDS_MAX 2001
double rig_median(double *numbers, int count);
/* Turn by turn, by the thread's CPU time; each turn is held against those of `base` just before and just
 * after it. */
struct result rig_measure(struct bench *b, struct candidate ours, struct candidate base,
                          int rounds);

#endif
