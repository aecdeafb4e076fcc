/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a proved login costs beside its signature: postern_validate_start() to the grant, all checks
 * of RFC 9068, against OpenSSL's verification alone with every context made beforehand
 * (`evp-prepared`), same keys, same tokens.  One JSON object a line.  The two take turns in short
 * batches, so that a busy machine slows both; figures are medians of the thread's CPU time.
 *
 * The same once more with a token that was proved lately (`cached`), against the least that such a
 * look-up can cost: SHA-256 of the token and a look into a table (`hash-and-table`).
 *
 *     tests/bench/verify [ROUNDS]
 */
#include "config.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <postern/validate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "jose/jwk.h"
#include "jose/jwt.h"
#include "oauth/cache.h"
#include "../support/test_keys.h"

#define ISSUER     "https://as.example.com"
#define AUDIENCE   "https://mail.example.com/imap"
#define TOKENS     256 /* distinct: no branch predictor learns a token by heart */
#define ROUNDS     401
#define ROUNDS_MAX 2001
#define BATCH      32 /* checks in a turn: a millisecond or a few */
#define SIG_ROOM   512

static void __attribute__((noreturn)) die(const char *what, const postern_error *err)
{
    fprintf(stderr, "verify: %s%s%s\n", what, err == NULL ? "" : ": ",
            err == NULL ? "" : err->detail);
    exit(1);
}

static double now_s(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        die("clock_gettime", NULL);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- what is measured ---- */

struct token {
    char *text;
    postern_bytes whole, input, parts[3];
    uint8_t sig[SIG_ROOM]; /* as OpenSSL wants it: DER for ECDSA */
    size_t sig_len;
    uint8_t hash[32]; /* in the table */
};

struct bench {
    const char *alg;
    test_key *key;
    const EVP_MD *md; /* NULL: EdDSA */
    struct token tokens[TOKENS];
    EVP_PKEY_CTX *verify; /* prepared and kept */
    EVP_MD_CTX *hash;     /* likewise; for EdDSA the whole verification */
    postern_context *ctx;
    postern_jwks *set;
    postern_jwt *jwt;
    postern_json json;
    char dir[sizeof "/tmp/postern-bench-XXXXXX"], *path; /* of the key set */
    int64_t forward_ms; /* of the context's clock: what it has proved lies so far back */
    struct token *table[TOKENS * 2]; /* by digest, open addressing */
    EVP_MD *sha256;
};

typedef void (*check_fn)(struct bench *b, struct token *t);

static void digest(struct bench *b, struct token *t, uint8_t out[EVP_MAX_MD_SIZE],
                   unsigned *ret_len)
{
    if (EVP_DigestInit_ex2(b->hash, b->md, NULL) != 1 ||
        EVP_DigestUpdate(b->hash, t->input.ptr, t->input.len) != 1 ||
        EVP_DigestFinal_ex(b->hash, out, ret_len) != 1)
        die("digest", NULL);
}

static void check_bare(struct bench *b, struct token *t)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned len;

    if (b->md == NULL) {
        if (EVP_DigestVerify(b->hash, t->sig, t->sig_len, t->input.ptr, t->input.len) != 1)
            die("bare EdDSA", NULL);
        return;
    }
    digest(b, t, out, &len);
    if (EVP_PKEY_verify(b->verify, t->sig, t->sig_len, out, len) != 1)
        die("bare verify", NULL);
}

static void check_full(struct bench *b, struct token *t)
{
    const postern_request rq = { .size = sizeof rq,
                                 .service = "token",
                                 .token = t->whole,
                                 .carrier = POSTERN_CARRIER_SASL,
                                 .tls = POSTERN_TLS_ON };
    postern_op *op = NULL;
    postern_grant *g;
    postern_error err;

    if (postern_validate_start(b->ctx, &rq, &op, &err) != POSTERN_OK ||
        postern_op_step(op, &err) != POSTERN_OK)
        die("validate", &err);
    if ((g = postern_op_take_grant(op)) == NULL)
        die("no grant", NULL);
    postern_grant_free(g);
    postern_op_free(op);
}

/* Nothing in the context's cache is young enough. */
static void forget_proofs(struct bench *b)
{
    b->forward_ms += POSTERN_CACHE_KEEP_MS;
}

static void check_table(struct bench *b, struct token *t)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    size_t i;

    if (EVP_Digest(t->whole.ptr, t->whole.len, hash, NULL, b->sha256, NULL) != 1)
        die("hash", NULL);
    for (i = hash[0] | (size_t)(hash[1] & 1) << 8; b->table[i] != NULL; i = (i + 1) % (2 * TOKENS))
        if (memcmp(b->table[i]->hash, hash, sizeof t->hash) == 0)
            return;
    memcpy(t->hash, hash, sizeof t->hash); /* the first time */
    b->table[i] = t;
}

static void check_jwt(struct bench *b, struct token *t)
{
    const postern_json *claims;
    postern_error err;

    if (postern_jwt_parse(b->jwt, t->whole, &err) != POSTERN_OK ||
        !postern_jwt_typ_is(b->jwt, "at+jwt") ||
        postern_jwt_verify(b->jwt, b->set, &claims, &err) != POSTERN_OK)
        die("jwt", &err);
}

/* The same, but the batch does not begin with nothing proved. */
static void check_cached(struct bench *b, struct token *t)
{
    check_full(b, t);
}

static void do_digest(struct bench *b, struct token *t)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned len;

    if (b->md != NULL)
        digest(b, t, out, &len);
}

static void do_base64(struct bench *b, struct token *t)
{
    uint8_t out[4096];
    size_t len;

    (void)b;
    for (size_t i = 0; i < 3; i++)
        if (postern_base64url_decode(t->parts[i], out, &len, NULL) != POSTERN_OK)
            die("base64", NULL);
}

/* Decodes too: the caller takes do_base64() off. */
static void do_base64_and_scan(struct bench *b, struct token *t)
{
    uint8_t out[4096];
    size_t len;

    for (size_t i = 0; i < 3; i++)
        if (postern_base64url_decode(t->parts[i], out, &len, NULL) != POSTERN_OK ||
            (i < 2 && postern_json_scan(&b->json, (postern_bytes){ out, len }, NULL) != POSTERN_OK))
            die("scan", NULL);
}

/* ---- making it ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        die(path, NULL);
}

static int64_t wall_s(void *arg)
{
    (void)arg;
    return (int64_t)now_s(CLOCK_REALTIME);
}

static int64_t mono_ms(void *arg)
{
    return (int64_t)(now_s(CLOCK_MONOTONIC) * 1e3) + ((const struct bench *)arg)->forward_ms;
}

static void make_context(struct bench *b, const char *jwks)
{
    const postern_clock clock = { wall_s, mono_ms, b };
    postern_config *config = NULL;
    postern_error err;

    memcpy(b->dir, "/tmp/postern-bench-XXXXXX", sizeof b->dir);
    if (mkdtemp(b->dir) == NULL)
        die("mkdtemp", NULL);
    b->path = test_printf("%s/jwks.json", b->dir);
    write_file(b->path, jwks);
    if (postern_config_new_token_check(ISSUER, AUDIENCE, b->path, NULL, &config, &err) !=
            POSTERN_OK ||
        postern_context_new(config, &clock, &b->ctx, &err) != POSTERN_OK)
        die("context", &err);
    check_full(b, &b->tokens[0]); /* reads the keys */
}

/* The signature as EVP_PKEY_verify() reads it. */
static void decode_signature(const struct bench *b, struct token *t)
{
    uint8_t raw[SIG_ROOM];
    size_t len;

    if (postern_base64url_decode(t->parts[2], raw, &len, NULL) != POSTERN_OK)
        die("signature", NULL);
    if (b->alg[0] == 'E' && b->alg[1] == 'S') {
        ECDSA_SIG *rs = ECDSA_SIG_new();
        uint8_t *at = t->sig;

        if (rs == NULL || ECDSA_SIG_set0(rs, BN_bin2bn(raw, (int)len / 2, NULL),
                                         BN_bin2bn(raw + len / 2, (int)len / 2, NULL)) != 1)
            die("r || s", NULL);
        t->sig_len = (size_t)i2d_ECDSA_SIG(rs, &at);
        ECDSA_SIG_free(rs);
        return;
    }
    memcpy(t->sig, raw, len);
    t->sig_len = len;
}

static void make_token(struct bench *b, struct token *t, size_t number)
{
    long long epoch_s = (long long)now_s(CLOCK_REALTIME);
    char *more =
        test_printf("\"scope\":\"mail.read mail.send "
                    "calendar.read\",\"auth_time\":%lld,\"acr\":\"1\",\"sid\":\"session-%08zu\"",
                    epoch_s, number);
    char *claims = test_claims(ISSUER, AUDIENCE, "agent-7", epoch_s, more);
    const char *first, *second;

    t->text = test_token(b->key, b->alg, "2026-11-key-of-the-bench", claims);
    t->whole = postern_bytes_str(t->text);
    first = strchr(t->text, '.');
    second = strchr(first + 1, '.');
    t->parts[0] = (postern_bytes){ (const uint8_t *)t->text, (size_t)(first - t->text) };
    t->parts[1] = (postern_bytes){ (const uint8_t *)first + 1, (size_t)(second - first - 1) };
    t->parts[2] = postern_bytes_str(second + 1);
    t->input = (postern_bytes){ (const uint8_t *)t->text, (size_t)(second - t->text) };
    decode_signature(b, t);
    free(more);
    free(claims);
}

static void prepare_bare(struct bench *b)
{
    EVP_PKEY *pkey = test_key_pkey(b->key);

    if ((b->hash = EVP_MD_CTX_new()) == NULL)
        die("prepare", NULL);
    if (b->md == NULL) {
        if (EVP_DigestVerifyInit(b->hash, NULL, NULL, NULL, pkey) != 1)
            die("prepare EdDSA", NULL);
        return;
    }
    if ((b->verify = EVP_PKEY_CTX_new(pkey, NULL)) == NULL ||
        EVP_PKEY_verify_init(b->verify) != 1 ||
        (b->alg[0] == 'P' &&
         (EVP_PKEY_CTX_set_rsa_padding(b->verify, RSA_PKCS1_PSS_PADDING) != 1 ||
          EVP_PKEY_CTX_set_rsa_pss_saltlen(b->verify, RSA_PSS_SALTLEN_DIGEST) != 1)) ||
        EVP_PKEY_CTX_set_signature_md(b->verify, b->md) != 1)
        die("prepare", NULL);
}

static void make_bench(struct bench *b, const char *alg, const char *kind)
{
    char *jwks;
    postern_error err;

    *b = (struct bench){ .alg = alg };
    b->key = strcmp(kind, "RSA") == 0 ? test_key_rsa() : test_key_new(kind);
    b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    b->md = alg[0] == 'E' && alg[1] == 'd' ? NULL : EVP_MD_fetch(NULL, "SHA256", NULL);
    jwks = test_key_jwks(b->key, "2026-11-key-of-the-bench", alg);
    for (size_t i = 0; i < TOKENS; i++)
        make_token(b, &b->tokens[i], i);
    prepare_bare(b);
    if (postern_jwks_parse(postern_bytes_str(jwks), &b->set, &err) != POSTERN_OK ||
        postern_jwt_new(&b->jwt, &err) != POSTERN_OK)
        die("jwks", &err);
    make_context(b, jwks);
    free(jwks);
}

static void free_bench(struct bench *b)
{
    for (size_t i = 0; i < TOKENS; i++)
        free(b->tokens[i].text);
    EVP_PKEY_CTX_free(b->verify);
    EVP_MD_CTX_free(b->hash);
    EVP_MD_free((EVP_MD *)b->md);
    EVP_MD_free(b->sha256);
    postern_jwks_free(b->set);
    postern_jwt_free(b->jwt);
    postern_json_free(&b->json);
    postern_context_free(b->ctx);
    unlink(b->path);
    rmdir(b->dir);
    free(b->path);
    if (b->key != test_key_rsa())
        test_key_free(b->key);
}

/* ---- measuring ---- */

static double run_batch(struct bench *b, check_fn check, size_t *next)
{
    double start;

    if (check == check_full)
        forget_proofs(b);
    start = now_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < BATCH; i++)
        check(b, &b->tokens[(*next)++ % TOKENS]);
    return now_s(CLOCK_THREAD_CPUTIME_ID) - start;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

struct result {
    double ns, base_ns, ratio; /* medians; ratio is base / ours, round by round */
};

/* Turn by turn; each turn of `check` is held against those of `base` just before and just after it.
 */
static struct result measure(struct bench *b, check_fn check, check_fn base, int rounds)
{
    double ns[ROUNDS_MAX], base_ns[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t at = 0, base_at = 0;
    double before_s = run_batch(b, base, &base_at);

    for (int r = 0; r < rounds; r++) {
        double ours_s = run_batch(b, check, &at), after_s = run_batch(b, base, &base_at);

        ns[r] = ours_s * 1e9 / BATCH;
        base_ns[r] = (before_s + after_s) / 2 * 1e9 / BATCH;
        ratio[r] = base_ns[r] / ns[r];
        before_s = after_s;
    }
    return (struct result){ median(ns, rounds), median(base_ns, rounds), median(ratio, rounds) };
}

static void print_cost(const char *alg, const char *part, double ns)
{
    printf("{\"name\":\"verify/%s/%s\",\"value\":%.0f,\"unit\":\"ns\"}\n", alg, part, ns);
}

static void run(const char *alg, const char *kind, int rounds)
{
    static struct bench b;
    struct result full, jwt, base64, scan, hash, cached;
    int split_rounds = 1 + rounds / 4;

    make_bench(&b, alg, kind);
    full = measure(&b, check_full, check_bare, rounds);
    jwt = measure(&b, check_jwt, check_bare, rounds);
    base64 = measure(&b, do_base64, check_bare, split_rounds);
    scan = measure(&b, do_base64_and_scan, check_bare, split_rounds);
    hash = measure(&b, do_digest, check_bare, split_rounds);
    for (size_t i = 0; i < TOKENS; i++)
        check_cached(&b, &b.tokens[i]);
    cached = measure(&b, check_cached, check_table, rounds);
    printf("{\"name\":\"verify/%s\",\"value\":%.0f,\"unit\":\"1/"
           "s\",\"ratio\":%.3f,\"against\":\"evp-prepared\"}\n",
           alg, 1e9 / full.ns, full.ratio);
    printf("{\"name\":\"verify/%s/evp-prepared\",\"value\":%.0f,\"unit\":\"1/s\"}\n", alg,
           1e9 / full.base_ns);
    printf("{\"name\":\"verify/%s/jwt\",\"value\":%.0f,\"unit\":\"1/"
           "s\",\"ratio\":%.3f,\"against\":\"evp-prepared\"}\n",
           alg, 1e9 / jwt.ns, jwt.ratio);
    printf("{\"name\":\"verify/%s/cached\",\"value\":%.0f,\"unit\":\"1/"
           "s\",\"ratio\":%.3f,\"against\":\"hash-and-table\"}\n",
           alg, 1e9 / cached.ns, cached.ratio);
    print_cost(alg, "base64", base64.ns);
    print_cost(alg, "scan", scan.ns - base64.ns);
    print_cost(alg, "digest", hash.ns);
    print_cost(alg, "verify", full.base_ns - hash.ns);
    print_cost(alg, "claims",
               full.ns - full.base_ns -
                   (jwt.ns - jwt.base_ns)); /* claims, mapping, grant, the operation itself */
    fflush(stdout);
    free_bench(&b);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        die("usage: verify [ROUNDS]", NULL);
    run("RS256", "RSA", rounds);
    run("PS256", "RSA", rounds);
    run("ES256", "P-256", rounds);
    run("EdDSA", "Ed25519", rounds);
    return 0;
}
