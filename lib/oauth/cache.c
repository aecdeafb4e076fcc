/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See the header.  A part of the digest chooses a shard, another one a chain of it.  Each shard has
 * its entries in the order in which they came: who lives equally long and came first goes first,
 * by age and for want of room.  An entry is counted by those who read it, so a login judges without
 * a lock, and it is wiped by whoever lets go of it last.
 */
#include "cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#define SHARD_TOKENS_MAX (POSTERN_CACHE_TOKENS_MAX / POSTERN_CACHE_SHARDS)
#define SHARD_BYTES_MAX  (POSTERN_CACHE_BYTES_MAX / POSTERN_CACHE_SHARDS)
#define CHAINS           256 /* of a shard: two entries each when it is full */
#define IDLE_CONTEXTS    4   /* more threads than that in one hash at a time make their own */

struct cached_token {
    TAILQ_ENTRY(cached_token) by_age;
    LIST_ENTRY(cached_token) in_chain;
    atomic_uint refs; /* readers, and the shard while it has it */
    size_t size;      /* of the whole */
    struct cache_key key;
    int64_t proved_ms, end_ms; /* monotonic */
    uint64_t keys_generation;
    postern_json claims;       /* nodes and text are below */
    postern_json_node nodes[]; /* then the text */
};
TAILQ_HEAD(token_queue, cached_token);
LIST_HEAD(token_chain, cached_token);

struct shard {
    pthread_mutex_t lock;
    struct token_queue by_age; /* the oldest first */
    struct token_chain chains[CHAINS];
    size_t tokens, bytes;
    uint64_t found, kept, refused;
};

struct cache {
    EVP_MD *sha256; /* fetched once: a third of what hashing a token costs */
    /* Left behind by earlier hashes; making one costs a tenth of hashing a token. */
    _Atomic(EVP_MD_CTX *) idle[IDLE_CONTEXTS];
    atomic_uint_least64_t words;
    size_t shard_count; /* whose lock is made */
    struct shard shards[POSTERN_CACHE_SHARDS];
};

_Static_assert(POSTERN_CACHE_ENTRY_MAX <= SHARD_BYTES_MAX, "every entry fits");

/* ---- life ---- */

postern_err postern_cache_new(struct cache **ret, postern_error *err)
{
    struct cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return POSTERN_FAIL(err, NOMEM, "cache of verified tokens");
    atomic_init(&c->words, 0);
    c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    while (c->sha256 != NULL && c->shard_count < POSTERN_CACHE_SHARDS) {
        struct shard *s = &c->shards[c->shard_count];

        TAILQ_INIT(&s->by_age);
        if (pthread_mutex_init(&s->lock, NULL) != 0)
            break;
        c->shard_count++;
    }
    if (c->shard_count < POSTERN_CACHE_SHARDS) {
        ERR_clear_error();
        postern_cache_free(c);
        return POSTERN_FAIL(err, NOMEM, "cache of verified tokens");
    }
    *ret = c;
    return POSTERN_OK;
}

void postern_cached_release(struct cached_token *t)
{
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    postern_wipe(t, t->size); /* no secret, but what somebody may do */
    free(t);
}

/* Out of the shard; whoever reads it goes on reading. */
static void take_out(struct shard *s, struct cached_token *t)
{
    TAILQ_REMOVE(&s->by_age, t, by_age);
    LIST_REMOVE(t, in_chain);
    s->tokens--;
    s->bytes -= t->size;
    postern_cached_release(t);
}

static void empty(struct shard *s)
{
    while (!TAILQ_EMPTY(&s->by_age))
        take_out(s, TAILQ_FIRST(&s->by_age));
}

/* A lock that is held here is another thread's of the process before fork(2): it will never let go,
 * and what it was changing is not to be read. */
void postern_cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->shard_count; i++) {
        struct shard *s = &c->shards[i];

        if (pthread_mutex_trylock(&s->lock) != 0)
            continue;
        empty(s);
        pthread_mutex_unlock(&s->lock);
        (void)pthread_mutex_destroy(&s->lock);
    }
    for (size_t i = 0; i < IDLE_CONTEXTS; i++)
        EVP_MD_CTX_free(atomic_load(&c->idle[i]));
    EVP_MD_free(c->sha256);
    free(c);
}

/* ---- keys ---- */

/* One that no other thread has.  NULL: out of memory. */
static EVP_MD_CTX *borrow_context(struct cache *c)
{
    EVP_MD_CTX *ctx;

    for (size_t i = 0; i < IDLE_CONTEXTS; i++)
        if (atomic_load_explicit(&c->idle[i], memory_order_relaxed) != NULL &&
            (ctx = atomic_exchange_explicit(&c->idle[i], NULL, memory_order_acquire)) != NULL)
            return ctx;
    return EVP_MD_CTX_new();
}

static void give_context_back(struct cache *c, EVP_MD_CTX *take_ctx)
{
    for (size_t i = 0; i < IDLE_CONTEXTS; i++) {
        EVP_MD_CTX *nobody = NULL;

        if (atomic_compare_exchange_strong_explicit(&c->idle[i], &nobody, take_ctx,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    EVP_MD_CTX_free(take_ctx);
}

static bool hash(struct cache *c, postern_bytes token, uint8_t ret[POSTERN_CACHE_DIGEST_LEN])
{
    EVP_MD_CTX *ctx = borrow_context(c);

    if (ctx != NULL && EVP_DigestInit_ex2(ctx, c->sha256, NULL) == 1 &&
        EVP_DigestUpdate(ctx, token.ptr, token.len) == 1 &&
        EVP_DigestFinal_ex(ctx, ret, NULL) == 1) {
        give_context_back(c, ctx);
        return true;
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return false;
}

bool postern_cache_key_make(struct cache *c, postern_bytes token, const void *issuer,
                            const void *service, struct cache_key *ret)
{
    *ret = (struct cache_key){ .issuer = issuer, .service = service };
    return hash(c, token, ret->digest);
}

/* Not in constant time: who measures how far a digest agrees with one of ours learns bits of a
 * hash, from which no token can be made, and has to bring the token itself to be found. */
static bool is_same(const struct cache_key *a, const struct cache_key *b)
{
    return a->issuer == b->issuer && a->service == b->service &&
           memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static struct shard *shard_of(struct cache *c, const struct cache_key *key)
{
    return &c->shards[key->digest[0] % POSTERN_CACHE_SHARDS];
}

static struct token_chain *chain_of(struct shard *s, const struct cache_key *key)
{
    return &s->chains[key->digest[1] % CHAINS];
}

/* ---- looking ---- */

static void drop_old(struct shard *s, int64_t now_ms)
{
    struct cached_token *t;

    while ((t = TAILQ_FIRST(&s->by_age)) != NULL && now_ms >= t->end_ms)
        take_out(s, t);
}

/* Some live shorter than the ones before them. */
static void sweep_shard(struct shard *s, int64_t now_ms)
{
    struct cached_token *t = TAILQ_FIRST(&s->by_age), *next;

    for (; t != NULL; t = next) {
        next = TAILQ_NEXT(t, by_age);
        if (now_ms >= t->end_ms)
            take_out(s, t);
    }
}

void postern_cache_sweep(struct cache *c, int64_t now_ms)
{
    for (size_t i = 0; i < c->shard_count; i++) {
        pthread_mutex_lock(&c->shards[i].lock);
        sweep_shard(&c->shards[i], now_ms);
        pthread_mutex_unlock(&c->shards[i].lock);
    }
}

static struct cached_token *look(struct shard *s, const struct cache_key *key)
{
    struct cached_token *t;

    LIST_FOREACH (t, chain_of(s, key), in_chain)
        if (is_same(&t->key, key))
            return t;
    return NULL;
}

/* One whose exp is near may be over behind an older one that is not. */
static struct cached_token *find(struct shard *s, const struct cache_key *key, int64_t now_ms)
{
    struct cached_token *t;

    drop_old(s, now_ms);
    t = look(s, key);
    if (t == NULL)
        return NULL;
    if (now_ms >= t->end_ms) {
        take_out(s, t);
        return NULL;
    }
    atomic_fetch_add(&t->refs, 1);
    s->found++;
    return t;
}

struct cached_token *postern_cache_find(struct cache *c, const struct cache_key *key,
                                        int64_t now_ms)
{
    struct shard *s = shard_of(c, key);
    struct cached_token *t;

    pthread_mutex_lock(&s->lock);
    t = find(s, key, now_ms);
    pthread_mutex_unlock(&s->lock);
    return t;
}

const postern_json *postern_cached_claims(const struct cached_token *t)
{
    return &t->claims;
}

uint64_t postern_cached_keys_generation(const struct cached_token *t)
{
    return t->keys_generation;
}

int64_t postern_cached_proved_ms(const struct cached_token *t)
{
    return t->proved_ms;
}

/* ---- keeping ---- */

static int64_t get_end_ms(const struct cache_proof *proof)
{
    int64_t keep_ms = proof->keep_ms != 0 ? proof->keep_ms : POSTERN_CACHE_KEEP_MS;

    if (proof->life_s >= keep_ms / 1000)
        return proof->now_ms + keep_ms;
    return proof->life_s <= 0 ? proof->now_ms : proof->now_ms + proof->life_s * 1000;
}

/* One allocation: the index of the scan and the text that it is of.  NULL: too big, or no memory.
 */
static struct cached_token *make(const struct cache_key *key, const struct cache_proof *proof)
{
    const postern_json *j = proof->claims;
    size_t nodes_len = j->count * sizeof *j->nodes, size;
    struct cached_token *t;
    uint8_t *text;

    if (j->text.len > POSTERN_CACHE_ENTRY_MAX || nodes_len > POSTERN_CACHE_ENTRY_MAX)
        return NULL;
    size = sizeof *t + nodes_len + j->text.len;
    if (size > POSTERN_CACHE_ENTRY_MAX || (t = malloc(size)) == NULL)
        return NULL;
    memset(t, 0, sizeof *t);
    text = (uint8_t *)t->nodes + nodes_len;
    memcpy(t->nodes, j->nodes, nodes_len);
    memcpy(text, j->text.ptr, j->text.len);
    atomic_init(&t->refs, 1);
    t->size = size;
    t->key = *key;
    t->proved_ms = proof->now_ms;
    t->end_ms = get_end_ms(proof);
    t->keys_generation = proof->keys_generation;
    t->claims =
        (postern_json){ .text = { text, j->text.len }, .nodes = t->nodes, .count = j->count };
    return t;
}

/* The oldest go, as many as it takes. */
static void make_room(struct shard *s, size_t size)
{
    while (s->tokens >= SHARD_TOKENS_MAX || s->bytes + size > SHARD_BYTES_MAX)
        take_out(s, TAILQ_FIRST(&s->by_age));
}

static void put_in(struct shard *s, struct cached_token *take_token)
{
    struct cached_token *before = look(s, &take_token->key);

    if (before != NULL)
        take_out(s, before);
    make_room(s, take_token->size);
    TAILQ_INSERT_TAIL(&s->by_age, take_token, by_age);
    LIST_INSERT_HEAD(chain_of(s, &take_token->key), take_token, in_chain);
    s->tokens++;
    s->bytes += take_token->size;
    s->kept++;
}

/* The word is looked for under the lock, as late as can be.  One that comes later still is of no
 * harm: it is asked at every find. */
void postern_cache_put(struct cache *c, const struct cache_key *key,
                       const struct cache_proof *proof)
{
    struct shard *s = shard_of(c, key);
    struct cached_token *t = proof->life_s > 0 ? make(key, proof) : NULL;

    if (t == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    drop_old(s, proof->now_ms);
    if (postern_cache_words(c) == proof->words) {
        put_in(s, t);
        t = NULL;
    } else {
        s->refused++;
    }
    pthread_mutex_unlock(&s->lock);
    postern_cached_release(t);
}

/* ---- forgetting ---- */

static void drop_all_of(struct shard *s, const struct cache_key *key)
{
    struct cached_token *t = LIST_FIRST(chain_of(s, key));

    while (t != NULL) {
        struct cached_token *next = LIST_NEXT(t, in_chain);

        if (t->key.issuer == key->issuer &&
            memcmp(t->key.digest, key->digest, sizeof key->digest) == 0)
            take_out(s, t);
        t = next;
    }
}

void postern_cache_forget(struct cache *c, const struct cache_key *key)
{
    struct shard *s = shard_of(c, key);

    pthread_mutex_lock(&s->lock);
    drop_all_of(s, key);
    pthread_mutex_unlock(&s->lock);
}

/* ---- words ---- */

uint64_t postern_cache_words(const struct cache *c)
{
    return atomic_load(&c->words);
}

void postern_cache_note_word(struct cache *c)
{
    atomic_fetch_add(&c->words, 1);
}

struct cache_counts postern_cache_counts(struct cache *c)
{
    struct cache_counts sum = { 0 };

    for (size_t i = 0; i < POSTERN_CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_lock(&s->lock);
        sum.found += s->found;
        sum.kept += s->kept;
        sum.refused += s->refused;
        sum.tokens += s->tokens;
        sum.bytes += s->bytes;
        pthread_mutex_unlock(&s->lock);
    }
    return sum;
}
