/* SPDX-License-Identifier: BSD-2-Clause */
/* See verify_rig.h. */
#include "config.h"

#include "verify_rig.h"

#include <malloc.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "jose/jwk.h"

#define BATCH 64 /* checks in a turn: a millisecond or a few */
#define WARM  4  /* checks before each turn: caches that the other candidate has filled are no news */

void rig_die(const char *what, const postern_error *err)
{
    fprintf(stderr, "verify: %s%s%s\n", what, err == NULL ? "" : ": ",
            err == NULL ? "" : err->detail);
    exit(1);
}

double rig_now_s(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        rig_die("clock_gettime", NULL);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- making it ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        rig_die(path, NULL);
}

/* The clocks that a context has by itself, but for forward_ms. */
static int64_t wall_s(void *arg)
{
    struct timespec t;

    (void)arg;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0)
        rig_die("clock_gettime", NULL);
    return t.tv_sec;
}

static int64_t mono_ms(void *arg)
{
    struct bench *b = arg;
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &t) != 0)
        rig_die("clock_gettime", NULL);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 +
           atomic_load_explicit(&b->forward_ms, memory_order_relaxed);
}

int64_t rig_mono_ms(const struct bench *b)
{
    return mono_ms((void *)(uintptr_t)b);
}

void rig_forget_proofs(struct bench *b)
{
    atomic_fetch_add(&b->forward_ms, POSTERN_CACHE_KEEP_MS);
}

static void make_context(struct bench *b, const char *jwks)
{
    const postern_clock clock = { wall_s, mono_ms, b };
    postern_config *config = NULL;
    postern_error err;

    memcpy(b->dir, "/tmp/postern-bench-XXXXXX", sizeof b->dir);
    if (mkdtemp(b->dir) == NULL)
        rig_die("mkdtemp", NULL);
    b->path = test_printf("%s/jwks.json", b->dir);
    write_file(b->path, jwks);
    if (postern_config_new_token_check(ISSUER, AUDIENCE, b->path, NULL, &config, &err) !=
            POSTERN_OK ||
        postern_context_new(config, &clock, &b->ctx, &err) != POSTERN_OK)
        rig_die("context", &err);
}

/* The signature as EVP_PKEY_verify() reads it. */
static void decode_signature(const struct bench *b, struct token *t)
{
    uint8_t raw[SIG_ROOM];
    size_t len;

    if (postern_base64url_decode(t->parts[2], raw, &len, NULL) != POSTERN_OK)
        rig_die("signature", NULL);
    if (b->alg[0] == 'E' && b->alg[1] == 'S') {
        ECDSA_SIG *rs = ECDSA_SIG_new();
        uint8_t *at = t->sig;

        if (rs == NULL || ECDSA_SIG_set0(rs, BN_bin2bn(raw, (int)len / 2, NULL),
                                         BN_bin2bn(raw + len / 2, (int)len / 2, NULL)) != 1)
            rig_die("r || s", NULL);
        t->sig_len = (size_t)i2d_ECDSA_SIG(rs, &at);
        ECDSA_SIG_free(rs);
        return;
    }
    memcpy(t->sig, raw, len);
    t->sig_len = len;
}

char *rig_claims(size_t number, const char *issuer, const char *audience, const char *scope,
                 long long issued_s)
{
    char *more = test_printf("\"scope\":\"%s mail.send calendar.read\",\"auth_time\":%lld,"
                             "\"acr\":\"1\",\"sid\":\"session-%08zu\"",
                             scope, issued_s, number);
    char *claims = test_claims(issuer, audience, "agent-7", issued_s, more);

    free(more);
    return claims;
}

char *rig_sign(const struct bench *b, const char *typ, const char *claims)
{
    char *header =
        test_printf("{\"typ\":\"%s\",\"alg\":\"%s\",\"kid\":\"%s\"}", typ, b->alg, KID);
    char *text = test_sign(b->key, b->alg, header, claims);

    free(header);
    return text;
}

static void make_token(struct bench *b, struct token *t, size_t number)
{
    char *claims = rig_claims(number, ISSUER, AUDIENCE, SCOPE, wall_s(NULL));
    const char *first, *second;

    t->text = rig_sign(b, "at+jwt", claims);
    t->whole = postern_bytes_str(t->text);
    first = strchr(t->text, '.');
    second = strchr(first + 1, '.');
    t->parts[0] = (postern_bytes){ (const uint8_t *)t->text, (size_t)(first - t->text) };
    t->parts[1] = (postern_bytes){ (const uint8_t *)first + 1, (size_t)(second - first - 1) };
    t->parts[2] = postern_bytes_str(second + 1);
    t->input = (postern_bytes){ (const uint8_t *)t->text, (size_t)(second - t->text) };
    decode_signature(b, t);
    free(claims);
}

static void prepare_bare(struct bench *b)
{
    EVP_PKEY *pkey = test_key_pkey(b->key);

    if ((b->hash = EVP_MD_CTX_new()) == NULL)
        rig_die("prepare", NULL);
    if (b->md == NULL) {
        if (EVP_DigestVerifyInit(b->hash, NULL, NULL, NULL, pkey) != 1)
            rig_die("prepare EdDSA", NULL);
        return;
    }
    if ((b->verify = EVP_PKEY_CTX_new(pkey, NULL)) == NULL ||
        EVP_PKEY_verify_init(b->verify) != 1 ||
        (b->alg[0] == 'P' &&
         (EVP_PKEY_CTX_set_rsa_padding(b->verify, RSA_PKCS1_PSS_PADDING) != 1 ||
          EVP_PKEY_CTX_set_rsa_pss_saltlen(b->verify, RSA_PSS_SALTLEN_DIGEST) != 1)) ||
        EVP_PKEY_CTX_set_signature_md(b->verify, b->md) != 1)
        rig_die("prepare", NULL);
}

static void put_token(struct bench *b, const struct token *t)
{
    struct cache_proof proof = { .keys_generation = 1,
                                 .now_ms = rig_mono_ms(b) + 86400000,
                                 .life_s = 86400 };
    struct cache_key key;
    postern_error err;

    if (postern_jwt_parse(b->jwt, t->whole, &err) != POSTERN_OK ||
        postern_jwt_verify(b->jwt, b->set, &proof.claims, &err) != POSTERN_OK)
        rig_die("cache", &err);
    if (!postern_cache_key_make(b->cache, t->whole, b, b, &key))
        rig_die("cache", NULL);
    postern_cache_put(b->cache, &key, &proof);
}

/* Every token is in it, for longer than a run takes. */
static void fill_cache(struct bench *b)
{
    postern_error err;
    size_t before;

    if (postern_cache_new(&b->cache, &err) != POSTERN_OK)
        rig_die("cache", &err);
    put_token(b, &b->tokens[0]); /* with what is kept for later ones */
    before = mallinfo2().uordblks;
    for (size_t i = 1; i < TOKENS; i++)
        put_token(b, &b->tokens[i]);
    b->bytes_cached = (mallinfo2().uordblks - before) / (TOKENS - 1);
}

void rig_make(struct bench *b, const char *alg, const char *kind)
{
    char *jwks;
    postern_error err;

    *b = (struct bench){ .alg = alg };
    b->key = strcmp(kind, "RSA") == 0 ? test_key_rsa() : test_key_new(kind);
    b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    b->digest = EVP_MD_CTX_new();
    if (b->sha256 == NULL || b->digest == NULL)
        rig_die("SHA-256", NULL);
    b->md = strcmp(alg, "EdDSA") == 0 ? NULL : b->sha256;
    jwks = test_key_jwks(b->key, KID, alg);
    for (size_t i = 0; i < TOKENS; i++)
        make_token(b, &b->tokens[i], i);
    prepare_bare(b);
    if (postern_jwks_parse(postern_bytes_str(jwks), &b->set, &err) != POSTERN_OK ||
        postern_jwt_new(&b->jwt, &err) != POSTERN_OK)
        rig_die("jwks", &err);
    b->scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    make_context(b, jwks);
    fill_cache(b);
    free(jwks);
}

void rig_free(struct bench *b)
{
    for (size_t i = 0; i < TOKENS; i++)
        free(b->tokens[i].text);
    EVP_PKEY_CTX_free(b->verify);
    EVP_MD_CTX_free(b->hash);
    EVP_MD_CTX_free(b->digest);
    EVP_MD_free(b->sha256);
    postern_jwks_free(b->set);
    postern_jwt_free(b->jwt);
    postern_json_free(&b->json);
    postern_buf_free(&b->scratch);
    postern_cache_free(b->cache);
    postern_context_free(b->ctx);
    unlink(b->path);
    rmdir(b->dir);
    free(b->path);
    if (b->key != test_key_rsa())
        test_key_free(b->key);
}

/* ---- measuring ---- */

static double run_turn(struct bench *b, struct candidate c, size_t *next)
{
    double start;

    if (c.prepare != NULL)
        c.prepare(b);
    for (int i = 0; i < WARM; i++)
        c.check(b, &b->tokens[(*next)++ % TOKENS]);
    start = rig_now_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < BATCH; i++)
        c.check(b, &b->tokens[(*next)++ % TOKENS]);
    return rig_now_s(CLOCK_THREAD_CPUTIME_ID) - start;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double rig_median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

struct result rig_measure(struct bench *b, struct candidate ours, struct candidate base, int rounds)
{
    double ns[RIG_ROUNDS_MAX], base_ns[RIG_ROUNDS_MAX], ratio[RIG_ROUNDS_MAX];
    size_t at = 0, base_at = 0;
    double before_s = run_turn(b, base, &base_at);

    for (int r = 0; r < rounds; r++) {
        double ours_s = run_turn(b, ours, &at), after_s = run_turn(b, base, &base_at);

        ns[r] = ours_s * 1e9 / BATCH;
        base_ns[r] = (before_s + after_s) / 2 * 1e9 / BATCH;
        ratio[r] = base_ns[r] / ns[r];
        before_s = after_s;
    }
    return (struct result){ rig_median(ns, rounds), rig_median(base_ns, rounds),
                            rig_median(ratio, rounds) };
}
