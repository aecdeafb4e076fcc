/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a proved login costs beside its signature: postern_validate_start() to the grant, all checks
 * of RFC 9068, against OpenSSL's verification alone with every context made beforehand
 * (`evp-prepared`), same keys, same tokens; and other libraries at the same work.  One JSON object
 * a line.  Two take turns in short batches, so that a busy machine slows both; figures are medians
 * of the thread's CPU time.
 *
 * Then tokens that were proved lately: the cache alone (`cache`) and the whole login (`cached`),
 * against the least that such a look-up can cost: SHA-256 of the token and a look into a table
 * (`hash-and-table`); what the cache keeps of each; and several threads at once.
 *
 *     tests/bench/verify [ROUNDS [FOLDER]]
 *
 * FOLDER has the other libraries, as verify_peers/build leaves them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oauth/context_inner.h"
#include "oauth/rules.h"
#include "verify_many.h"
#include "verify_peers.h"

#define ROUNDS       401
#define PEERS_FOLDER "tests/bench/verify_peers"

/* ---- what is measured ---- */

static void digest(struct bench *b, struct token *t, uint8_t out[EVP_MAX_MD_SIZE],
                   unsigned *ret_len)
{
    if (EVP_DigestInit_ex2(b->hash, b->md, NULL) != 1 ||
        EVP_DigestUpdate(b->hash, t->input.ptr, t->input.len) != 1 ||
        EVP_DigestFinal_ex(b->hash, out, ret_len) != 1)
        rig_die("digest", NULL);
}

static void check_bare(struct bench *b, struct token *t)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned len;

    if (b->md == NULL) {
        if (EVP_DigestVerify(b->hash, t->sig, t->sig_len, t->input.ptr, t->input.len) != 1)
            rig_die("bare EdDSA", NULL);
        return;
    }
    digest(b, t, out, &len);
    if (EVP_PKEY_verify(b->verify, t->sig, t->sig_len, out, len) != 1)
        rig_die("bare verify", NULL);
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
        rig_die("validate", &err);
    if ((g = postern_op_take_grant(op)) == NULL)
        rig_die("no grant", NULL);
    postern_grant_free(g);
    postern_op_free(op);
}

static void check_table(struct bench *b, struct token *t)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    size_t i;

    if (EVP_DigestInit_ex2(b->digest, b->sha256, NULL) != 1 ||
        EVP_DigestUpdate(b->digest, t->whole.ptr, t->whole.len) != 1 ||
        EVP_DigestFinal_ex(b->digest, hash, NULL) != 1)
        rig_die("hash", NULL);
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
        rig_die("jwt", &err);
}

/* What the other libraries do: form, signature, and the claims of RFC 9068 as the service wants
 * them. */
static void check_rfc9068(struct bench *b, struct token *t)
{
    const struct trust *trust = &postern_context_rules(b->ctx, "token")->trusts[0];
    const struct claim_login login = { .now_s = (int64_t)time(NULL) };
    struct postern_grant_facts facts;
    const postern_json *claims;
    postern_error err;

    postern_buf_reset(&b->scratch);
    if (postern_jwt_parse(b->jwt, t->whole, &err) != POSTERN_OK ||
        !postern_jwt_typ_is(b->jwt, "at+jwt") ||
        postern_jwt_verify(b->jwt, b->set, &claims, &err) != POSTERN_OK ||
        postern_claims_check(&trust->claims, claims, &login, &b->scratch, NULL, &facts, &err) !=
            POSTERN_OK)
        rig_die("RFC 9068", &err);
}

/* A hit as validate.c looks for it: digest, table, end of the proof, generation of the keys. */
static void check_hit(struct bench *b, struct token *t)
{
    struct cached_token *found;
    struct cache_key key;

    if (!postern_cache_key_make(b->cache, t->whole, b, b, &key) ||
        (found = postern_cache_find(b->cache, &key, rig_mono_ms(b))) == NULL ||
        postern_cached_keys_generation(found) != 1)
        rig_die("not in the cache", NULL);
    postern_cached_release(found);
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
            rig_die("base64", NULL);
}

/* Decodes too: the caller takes do_base64() off. */
static void do_base64_and_scan(struct bench *b, struct token *t)
{
    uint8_t out[4096];
    size_t len;

    for (size_t i = 0; i < 3; i++)
        if (postern_base64url_decode(t->parts[i], out, &len, NULL) != POSTERN_OK ||
            (i < 2 && postern_json_scan(&b->json, (postern_bytes){ out, len }, NULL) != POSTERN_OK))
            rig_die("scan", NULL);
}

static const struct candidate bare = { check_bare, NULL }, table = { check_table, NULL },
                              full = { check_full, rig_forget_proofs },
                              cached = { check_full, NULL };

/* ---- what is told ---- */

static void print_ratio(const char *alg, const char *part, struct result r, const char *against)
{
    printf("{\"name\":\"verify/%s%s\",\"value\":%.0f,\"unit\":\"1/s\",\"ratio\":%.3f,"
           "\"against\":\"%s\"}\n",
           alg, part, 1e9 / r.ns, r.ratio, against);
}

static void print_cost(const char *alg, const char *part, double ns)
{
    printf("{\"name\":\"verify/%s/%s\",\"value\":%.0f,\"unit\":\"ns\"}\n", alg, part, ns);
}

static void measure_proof(struct bench *b, int rounds)
{
    struct result whole = rig_measure(b, full, bare, rounds);
    struct result jwt = rig_measure(b, (struct candidate){ check_jwt, NULL }, bare, rounds);
    struct result checks = rig_measure(b, (struct candidate){ check_rfc9068, NULL }, bare, rounds);
    int few = 1 + rounds / 4;
    struct result base64 = rig_measure(b, (struct candidate){ do_base64, NULL }, bare, few);
    struct result scan = rig_measure(b, (struct candidate){ do_base64_and_scan, NULL }, bare, few);
    struct result hash = rig_measure(b, (struct candidate){ do_digest, NULL }, bare, few);

    print_ratio(b->alg, "", whole, "evp-prepared");
    printf("{\"name\":\"verify/%s/evp-prepared\",\"value\":%.0f,\"unit\":\"1/s\"}\n", b->alg,
           1e9 / whole.base_ns);
    print_ratio(b->alg, "/checks", checks, "evp-prepared");
    print_ratio(b->alg, "/jwt", jwt, "evp-prepared");
    print_cost(b->alg, "base64", base64.ns);
    print_cost(b->alg, "scan", scan.ns - base64.ns);
    print_cost(b->alg, "digest", hash.ns);
    print_cost(b->alg, "verify", whole.base_ns - hash.ns);
    /* claims, mapping, cache, grant, the operation itself */
    print_cost(b->alg, "claims", whole.ns - whole.base_ns - (jwt.ns - jwt.base_ns));
}

static void measure_cache(struct bench *b, int rounds)
{
    struct result hit = rig_measure(b, (struct candidate){ check_hit, NULL }, table, rounds);
    struct result login;

    for (size_t i = 0; i < TOKENS; i++)
        check_full(b, &b->tokens[i]);
    login = rig_measure(b, cached, table, rounds);
    print_ratio(b->alg, "/cache", hit, "hash-and-table");
    print_ratio(b->alg, "/cached", login, "hash-and-table");
    printf("{\"name\":\"verify/%s/cache/memory\",\"value\":%zu,\"unit\":\"bytes/token\"}\n", b->alg,
           b->bytes_cached);
}

static void run(const char *alg, const char *kind, const char *peers, int rounds)
{
    static struct bench b;
    int few = 1 + rounds / 8;

    rig_make(&b, alg, kind);
    measure_proof(&b, rounds);
    measure_cache(&b, rounds);
    verify_measure_threads(&b, "proof", full, few);
    for (size_t i = 0; i < TOKENS; i++)
        check_full(&b, &b.tokens[i]);
    verify_measure_threads(&b, "cached", cached, few);
    verify_measure_peers(&b, peers, bare, few);
    fflush(stdout);
    rig_free(&b);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
    const char *peers = argc > 2 ? argv[2] : PEERS_FOLDER;

    if (rounds < 1 || rounds > RIG_ROUNDS_MAX)
        rig_die("usage: verify [ROUNDS [FOLDER]]", NULL);
    run("RS256", "RSA", peers, rounds);
    run("PS256", "RSA", peers, rounds);
    run("ES256", "P-256", peers, rounds);
    run("EdDSA", "Ed25519", peers, rounds);
    return 0;
}
