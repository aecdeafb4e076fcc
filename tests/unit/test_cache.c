/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/cache.c by itself: what is found, for how long, how much is kept, and what a word that
 * came meanwhile keeps out.  TSan is the judge of its locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/alloc_fail.h"
#include "../support/test_keys.h"
#include "oauth/cache.h"

#define NOW_MS 1000000
#define LONG_S 3600

static struct cache *cache;
static const int issuer = 1, other_issuer = 2, service = 3, other_service = 4; /* addresses */

static int set_up(void **state)
{
    (void)state;
    return postern_cache_new(&cache, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    postern_cache_free(cache);
    return 0;
}

static struct cache_key key_for(const char *token, const int *of_issuer, const int *of_service)
{
    struct cache_key key;

    assert_true(
        postern_cache_key_make(cache, postern_bytes_str(token), of_issuer, of_service, &key));
    return key;
}

static struct cache_key key_of(const char *token)
{
    return key_for(token, &issuer, &service);
}

/* Keep {"sub":TEXT} under that key. */
static void put(const struct cache_key *key, const char *text, int64_t life_s, uint64_t words)
{
    POSTERN_AUTO_JSON j = { 0 };
    char *json = test_printf("{\"sub\":\"%s\"}", text);
    struct cache_proof proof = { &j, 7, words, NOW_MS, life_s, 0 };

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(json), NULL), POSTERN_OK);
    postern_cache_put(cache, key, &proof);
    memset(json, 'x', strlen(json)); /* it was copied, or the next look shows it */
    free(json);
}

static void put_token(const char *token)
{
    struct cache_key key = key_of(token);

    put(&key, token, LONG_S, postern_cache_words(cache));
}

static bool has(const struct cache_key *key, const char *text, int64_t now_ms)
{
    struct cached_token *t = postern_cache_find(cache, key, now_ms);
    bool is_it;

    if (t == NULL)
        return false;
    is_it = postern_json_string_is(postern_cached_claims(t),
                                   postern_json_member(postern_cached_claims(t), 0, "sub"), text) &&
            postern_cached_keys_generation(t) == 7;
    postern_cached_release(t);
    return is_it;
}

static bool has_token(const char *token)
{
    struct cache_key key = key_of(token);

    return has(&key, token, NOW_MS);
}

static void a_proof_is_found_by_the_same_token_issuer_and_service_alone(void **state)
{
    struct cache_key own = key_of("token"), other = key_of("tokeN"),
                     elsewhere = key_for("token", &issuer, &other_service),
                     others = key_for("token", &other_issuer, &service);

    (void)state;
    assert_false(has(&own, "alice", NOW_MS));
    put(&own, "alice", LONG_S, 0);
    assert_true(has(&own, "alice", NOW_MS));
    assert_false(has(&other, "alice", NOW_MS));
    assert_false(has(&elsewhere, "alice", NOW_MS));
    assert_false(has(&others, "alice", NOW_MS));
}

static void every_byte_of_a_token_counts(void **state)
{
    char token[] = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl";

    (void)state;
    put_token(token);
    assert_true(has_token(token));
    for (size_t i = 0; i < sizeof token - 1; i++) {
        char was = token[i];

        token[i] = (char)(was ^ 1);
        assert_false(has_token(token));
        token[i] = was;
    }
    assert_false(has_token(""));
    assert_false(has_token("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJ"));
}

static void a_proof_lives_a_minute_or_until_exp_if_that_is_nearer(void **state)
{
    static const struct {
        int64_t life_s, last_ms; /* after which it is gone; 0: it is never there */
    } cases[] = { { LONG_S, 60000 },    { 61, 60000 }, { 60, 60000 }, { 59, 59000 },   { 1, 1000 },
                  { INT64_MAX, 60000 }, { 0, 0 },      { -1, 0 },     { INT64_MIN, 0 } };
    struct cache_key key = key_of("token");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(&key, "alice", cases[i].life_s, 0);
        assert_int_equal(has(&key, "alice", NOW_MS), cases[i].last_ms != 0);
        assert_int_equal(has(&key, "alice", NOW_MS + cases[i].last_ms - 1), cases[i].last_ms != 0);
        assert_false(has(&key, "alice", NOW_MS + cases[i].last_ms));
        assert_int_equal(postern_cache_counts(cache).tokens, 0);
    }
}

static void what_is_over_behind_one_that_is_not_is_not_found(void **state)
{
    struct cache_key all[64];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        char name[8];

        assert_true(snprintf(name, sizeof name, "t%zu", i) > 0);
        all[i] = key_of(name);
        put(&all[i], "alice", i % 2 == 0 ? LONG_S : 1, 0);
    }
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(has(&all[i], "alice", NOW_MS + 1000), i % 2 == 0);
    assert_int_equal(postern_cache_counts(cache).tokens, 32);
}

static void a_sweep_wipes_what_is_over_and_nothing_else(void **state)
{
    struct cache_key long_lived = key_of("long"), brief = key_of("brief"), briefer = key_of("briefer");

    (void)state;
    put(&long_lived, "l", LONG_S, 0);
    put(&brief, "b", 20, 0);
    put(&briefer, "c", 5, 0);
    postern_cache_sweep(cache, NOW_MS + 4999);
    assert_int_equal(postern_cache_counts(cache).tokens, 3);
    postern_cache_sweep(cache, NOW_MS + 5000);
    assert_int_equal(postern_cache_counts(cache).tokens, 2);
    postern_cache_sweep(cache, NOW_MS + 20000);
    assert_int_equal(postern_cache_counts(cache).tokens, 1);
    postern_cache_sweep(cache, NOW_MS + POSTERN_CACHE_KEEP_MS);
    assert_int_equal(postern_cache_counts(cache).tokens, 0);
    assert_int_equal(postern_cache_counts(cache).bytes, 0);
    postern_cache_sweep(cache, INT64_MAX);
}

static void a_later_proof_takes_the_place_of_the_one_before(void **state)
{
    struct cache_key key = key_of("token");

    (void)state;
    put(&key, "alice", LONG_S, 0);
    put(&key, "bob", LONG_S, 0);
    assert_true(has(&key, "bob", NOW_MS));
    assert_false(has(&key, "alice", NOW_MS));
    assert_int_equal(postern_cache_counts(cache).tokens, 1);
}

static void a_proof_is_not_kept_across_a_word(void **state)
{
    struct cache_key key = key_of("token");
    uint64_t began = postern_cache_words(cache);

    (void)state;
    postern_cache_note_word(cache);
    put(&key, "alice", LONG_S, began);
    assert_false(has(&key, "alice", NOW_MS));
    assert_int_equal(postern_cache_counts(cache).refused, 1);
    put(&key, "alice", LONG_S, postern_cache_words(cache) + 1); /* of another time altogether */
    assert_false(has(&key, "alice", NOW_MS));
    put(&key, "alice", LONG_S, postern_cache_words(cache));
    assert_true(has(&key, "alice", NOW_MS));
    postern_cache_note_word(cache); /* those who find it ask for themselves */
    assert_true(has(&key, "alice", NOW_MS));
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
    struct cache_counts counts;
    char name[32];
    size_t newest = 0;

    (void)state;
    for (size_t i = 0; i < 4 * POSTERN_CACHE_TOKENS_MAX; i++) {
        assert_true(snprintf(name, sizeof name, "token-%zu", i) > 0);
        put_token(name);
    }
    counts = postern_cache_counts(cache);
    assert_int_equal(counts.tokens, POSTERN_CACHE_TOKENS_MAX); /* each shard is full */
    assert_true(counts.bytes <= POSTERN_CACHE_BYTES_MAX);
    assert_false(has_token("token-0"));
    assert_false(has_token("token-4095"));
    for (size_t i = 3 * POSTERN_CACHE_TOKENS_MAX + 512; i < 4 * POSTERN_CACHE_TOKENS_MAX; i++) {
        assert_true(snprintf(name, sizeof name, "token-%zu", i) > 0);
        newest += has_token(name);
    }
    assert_true(newest > 3500); /* of 3,584: shards do not fill alike */
}

static void bytes_are_bounded_as_entries_are(void **state)
{
    char *big = calloc(1, POSTERN_CACHE_ENTRY_MAX + 1);
    struct cache_key key = key_of("token");
    size_t overhead;

    (void)state;
    assert_non_null(big);
    put(&key, "", LONG_S, 0);
    overhead = postern_cache_counts(cache).bytes;
    memset(big, 'a', POSTERN_CACHE_ENTRY_MAX);
    put(&key, big, LONG_S, 0); /* and the one before stays: it is of the same bytes */
    assert_true(has(&key, "", NOW_MS));
    big[POSTERN_CACHE_ENTRY_MAX - overhead + 1] = '\0';
    put(&key, big, LONG_S, 0);
    assert_true(has(&key, "", NOW_MS));
    big[POSTERN_CACHE_ENTRY_MAX - overhead] = '\0';
    for (int i = 0; i < 2000; i++) {
        char name[16];

        assert_true(snprintf(name, sizeof name, "big-%d", i) > 0);
        key = key_of(name);
        put(&key, big, LONG_S, 0);
        assert_true(has(&key, big, NOW_MS));
    }
    assert_int_equal(postern_cache_counts(cache).bytes, POSTERN_CACHE_BYTES_MAX);
    assert_int_equal(postern_cache_counts(cache).tokens,
                     POSTERN_CACHE_BYTES_MAX / POSTERN_CACHE_ENTRY_MAX);
    free(big);
}

static void who_reads_an_entry_keeps_it_past_its_end(void **state)
{
    struct cache_key key = key_of("token");
    struct cached_token *t;

    (void)state;
    put(&key, "alice", LONG_S, 0);
    t = postern_cache_find(cache, &key, NOW_MS);
    assert_non_null(t);
    put(&key, "bob", LONG_S, 0);
    assert_null(postern_cache_find(cache, &key, NOW_MS + POSTERN_CACHE_KEEP_MS));
    assert_true(postern_json_string_is(postern_cached_claims(t),
                                       postern_json_member(postern_cached_claims(t), 0, "sub"),
                                       "alice"));
    postern_cached_release(t);
    postern_cached_release(NULL);
}

static postern_err make_one(void *arg, postern_error *err)
{
    struct cache *c = NULL;
    postern_err e = postern_cache_new(&c, err);

    (void)arg;
    postern_cache_free(c);
    return e;
}

/* As introspection_cache: says, past the minute of signatures too; never past exp. */
static void a_proof_may_have_a_time_of_its_own(void **state)
{
    struct cache_key key = key_of("token");
    POSTERN_AUTO_JSON j = { 0 };
    struct cache_proof proof = { &j, 7, 0, NOW_MS, LONG_S, 90000 };
    struct cached_token *t;

    (void)state;
    assert_int_equal(postern_json_scan(&j, postern_bytes_str("{\"sub\":\"alice\"}"), NULL),
                     POSTERN_OK);
    postern_cache_put(cache, &key, &proof);
    t = postern_cache_find(cache, &key, NOW_MS + 89999);
    assert_non_null(t);
    assert_int_equal(postern_cached_proved_ms(t), NOW_MS);
    postern_cached_release(t);
    assert_false(has(&key, "alice", NOW_MS + 90000));
    proof.life_s = 80;
    postern_cache_put(cache, &key, &proof);
    assert_true(has(&key, "alice", NOW_MS + 79999));
    assert_false(has(&key, "alice", NOW_MS + 80000));
    proof.keep_ms = 1000;
    postern_cache_put(cache, &key, &proof);
    assert_false(has(&key, "alice", NOW_MS + 1000));
}

static void want_of_memory_keeps_a_proof_out_and_no_more(void **state)
{
    struct cache_key key = key_of("token");
    POSTERN_AUTO_JSON j = { 0 };
    struct cache_proof proof = { &j, 7, 0, NOW_MS, LONG_S, 0 };

    (void)state;
    assert_int_equal(alloc_fail_sweep(make_one, NULL, POSTERN_OK), 1);
    assert_int_equal(postern_json_scan(&j, postern_bytes_str("{\"sub\":\"alice\"}"), NULL),
                     POSTERN_OK);
    alloc_fail_arm(1);
    postern_cache_put(cache, &key, &proof);
    assert_true(alloc_fail_disarm());
    assert_false(has(&key, "alice", NOW_MS));
    postern_cache_put(cache, &key, &proof);
    assert_true(has(&key, "alice", NOW_MS));
    alloc_fail_arm(1); /* looking needs none */
    assert_true(has(&key, "alice", NOW_MS));
    assert_false(alloc_fail_disarm());
}

/* ---- many threads ---- */

#define THREADS 8
#define TURNS   2000
#define TOKENS  32

static void *work(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    intptr_t wrong = 0;

    for (int i = 0; i < TURNS; i++) {
        char name[16];
        struct cache_key key;
        struct cached_token *t;

        seed = seed * 1103515245 + 12345;
        assert_true(snprintf(name, sizeof name, "shared-%u", seed / 65536 % TOKENS) > 0);
        key = key_of(name);
        t = postern_cache_find(cache, &key, NOW_MS + i % 5 * (POSTERN_CACHE_KEEP_MS / 4));
        if (t != NULL)
            wrong += !postern_json_string_is(
                postern_cached_claims(t), postern_json_member(postern_cached_claims(t), 0, "sub"),
                name);
        postern_cached_release(t);
        if (seed % 7 == 0)
            postern_cache_note_word(cache);
        put_token(name);
    }
    return (void *)wrong;
}

static void many_threads_find_and_keep_the_same_tokens(void **state)
{
    pthread_t threads[THREADS];
    struct cache_counts counts;
    void *wrong;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_int_equal((intptr_t)wrong, 0);
    }
    counts = postern_cache_counts(cache);
    assert_true(counts.found > 0 && counts.tokens <= TOKENS);
    assert_int_equal(counts.kept + counts.refused, THREADS * TURNS);
}

/* ---- fork(2) ---- */

static void a_forked_child_frees_it_too(void **state)
{
    pid_t pid;
    int status = 0;

    (void)state;
    put_token("token");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        postern_cache_free(cache);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(has_token("token"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proof_is_found_by_the_same_token_issuer_and_service_alone),
        TEST(every_byte_of_a_token_counts),
        TEST(a_proof_lives_a_minute_or_until_exp_if_that_is_nearer),
        TEST(what_is_over_behind_one_that_is_not_is_not_found),
        TEST(a_sweep_wipes_what_is_over_and_nothing_else),
        TEST(a_later_proof_takes_the_place_of_the_one_before),
        TEST(a_proof_is_not_kept_across_a_word),
        TEST(the_oldest_go_when_there_are_too_many),
        TEST(bytes_are_bounded_as_entries_are),
        TEST(who_reads_an_entry_keeps_it_past_its_end),
        TEST(a_proof_may_have_a_time_of_its_own),
        TEST(want_of_memory_keeps_a_proof_out_and_no_more),
        TEST(many_threads_find_and_keep_the_same_tokens),
        TEST(a_forked_child_frees_it_too),
    };

    postern_cache_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
