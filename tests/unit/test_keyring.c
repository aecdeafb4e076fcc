/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/keyring.c: when a key-set file is read, and how long keys live without a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "../support/op_stub.h"
#include "../support/test_login.h"
#include "oauth/key_file.h"

static test_login t;
static test_key *other;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_login_reload(&t);
    other = test_key_new("P-256");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_key_free(other);
    test_login_remove(&t);
    return 0;
}

static void assert_login(postern_err want, const char *events)
{
    postern_err e = test_login_try(&t, NULL, NULL);

    if (e != want || strcmp(t.events, events) != 0)
        fail_msg("wanted %s with \"%s\", got %s with \"%s\" (%s)", postern_err_reason(want), events,
                 postern_err_reason(e), t.events, t.err.detail);
}

static void a_replaced_file_counts_within_a_second(void **state)
{
    (void)state;
    assert_login(POSTERN_OK, "keys.loaded ");
    test_login_put_key(&t, other, "a");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS - 1;
    assert_login(POSTERN_OK, "");
    t.mono_ms += 1;
    assert_login(POSTERN_ERR_BAD_SIGNATURE, "keys.loaded ");
    test_login_put_key(&t, t.key, "a");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_login(POSTERN_OK, "keys.loaded ");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_login(POSTERN_OK, "");
}

static void an_unknown_kid_earns_one_look_in_a_tenth_of_a_second(void **state)
{
    (void)state;
    test_login_put_key(&t, t.key, "b");
    assert_login(POSTERN_ERR_UNKNOWN_KID, "keys.loaded ");
    test_login_put_key(&t, t.key, "a");
    t.mono_ms += POSTERN_KEYRING_HURRY_MS - 1;
    assert_login(POSTERN_ERR_UNKNOWN_KID, "");
    t.mono_ms += 1;
    assert_login(POSTERN_OK, "keys.loaded ");
}

static void a_broken_file_leaves_the_old_keys_for_five_minutes(void **state)
{
    (void)state;
    assert_login(POSTERN_OK, "keys.loaded ");
    test_folder_put(&t.folder, "keys.json", "{\"keys\":[");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_login(POSTERN_OK, "keys.unusable ");
    t.mono_ms += POSTERN_KEYRING_STALE_MS - 1;
    assert_login(POSTERN_OK, "");
    t.mono_ms += 1;
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "keys.dropped ");
    t.mono_ms += POSTERN_KEYRING_STALE_MS;
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "");
    test_login_put_key(&t, t.key, "a");
    t.mono_ms += POSTERN_KEYRING_HURRY_MS;
    assert_login(POSTERN_OK, "keys.loaded ");
}

static void a_file_that_comes_back_restarts_the_five_minutes(void **state)
{
    (void)state;
    assert_login(POSTERN_OK, "keys.loaded ");
    test_folder_drop(&t.folder, "keys.json");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_login(POSTERN_OK, "keys.unusable ");
    t.mono_ms += POSTERN_KEYRING_STALE_MS / 2;
    test_login_put_key(&t, t.key, "a");
    assert_login(POSTERN_OK, "keys.loaded ");
    test_folder_drop(&t.folder, "keys.json");
    t.mono_ms += POSTERN_KEYRING_RECHECK_MS;
    assert_login(POSTERN_OK, "keys.unusable ");
    t.mono_ms += POSTERN_KEYRING_STALE_MS - 1;
    assert_login(POSTERN_OK, "");
}

static void without_a_usable_file_nothing_is_decided(void **state)
{
    static const struct {
        const char *text;
        unsigned mode;
    } cases[] = {
        { "", 0644 },
        { "not json", 0644 },
        { "[]", 0644 },
        { "{\"keys\":{}}", 0644 },
        { "{\"keys\":[]}", 0666 },
        { "{\"keys\":[]}", 0646 },
    };

    (void)state;
    test_folder_drop(&t.folder, "keys.json");
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "keys.unusable ");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_folder_put(&t.folder, "keys.json", cases[i].text);
        test_folder_mode(&t.folder, "keys.json", cases[i].mode);
        t.mono_ms += POSTERN_KEYRING_HURRY_MS;
        assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "");
    }
    test_folder_put(&t.folder, "keys.json", "{\"keys\":[]}");
    t.mono_ms += POSTERN_KEYRING_HURRY_MS;
    assert_login(POSTERN_ERR_UNKNOWN_KID, "keys.loaded ");
}

static void a_set_larger_than_256_kib_is_not_read(void **state)
{
    char *text = malloc(POSTERN_JWKS_MAX + 2);

    (void)state;
    memset(text, ' ', POSTERN_JWKS_MAX + 1);
    memcpy(text, "{\"keys\":[]}", 11);
    text[POSTERN_JWKS_MAX + 1] = '\0';
    test_folder_put(&t.folder, "keys.json", text);
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "keys.unusable ");
    assert_non_null(strstr(t.err.detail, "holds more than 262144 bytes"));
    text[POSTERN_JWKS_MAX] = '\0';
    test_folder_put(&t.folder, "keys.json", text);
    t.mono_ms += POSTERN_KEYRING_HURRY_MS;
    assert_login(POSTERN_ERR_UNKNOWN_KID, "keys.loaded ");
    free(text);
}

static void a_pipe_or_a_folder_is_no_key_set(void **state)
{
    (void)state;
    test_folder_drop(&t.folder, "keys.json");
    assert_int_equal(mkfifo(test_folder_at(&t.folder, "keys.json"), 0600), 0);
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "keys.unusable "); /* and does not hang */
    test_folder_drop(&t.folder, "keys.json");
    assert_int_equal(mkdir(test_folder_at(&t.folder, "keys.json"), 0700), 0);
    t.mono_ms += POSTERN_KEYRING_HURRY_MS;
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "");
}

static void a_strangers_file_is_no_key_set(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(test_folder_at(&t.folder, "keys.json"), 12345, 0), 0);
    assert_login(POSTERN_ERR_KEYS_UNAVAILABLE, "keys.unusable ");
    assert_non_null(strstr(t.err.detail, "belongs to uid 12345"));
}

/* ---- a source that says what it is told to ---- */

struct told_source {
    struct key_source source;
    int kind;      /* of the news; 0: none */
    bool is_freed; /* with its keyring */
};

static postern_err look_told(struct key_source *s, postern_op *op, const struct key_look *look,
                             bool has_keys, struct key_news *ret, struct fetch **ret_wait,
                             postern_error *err)
{
    struct told_source *told = (struct told_source *)s;
    char *jwks;

    (void)op, (void)look, (void)has_keys, (void)ret_wait, (void)err;
    if (told->kind == KEY_NEWS_FRESH) {
        jwks = test_key_jwks(t.key, "a", NULL);
        assert_int_equal(postern_jwks_parse(postern_bytes_str(jwks), &ret->fresh, NULL), POSTERN_OK);
        free(jwks);
    }
    if (told->kind == KEY_NEWS_BROKEN)
        (void)POSTERN_FAIL(&ret->why, ISSUER_UNREACHABLE, "as told");
    ret->kind = told->kind;
    return POSTERN_OK;
}

static int64_t never_due(struct key_source *s, int64_t now_ms)
{
    (void)s, (void)now_ms;
    return -1;
}

static void free_told(struct key_source *s)
{
    ((struct told_source *)s)->is_freed = true;
}

static const struct key_source_class told_class = { .field = "from",
                                                    .stale_ms = 1000,
                                                    .look = look_told,
                                                    .due_in_ms = never_due,
                                                    .free = free_told };

static void assert_keys(struct keyring *k, struct op_stub *stub, postern_err want, uint64_t generation,
                        const char *events)
{
    uint64_t found = 0;
    postern_error err = { 0 };
    postern_err e = postern_keyring_generation(k, stub->op, &found, NULL, &err);
    const char *seen = op_stub_events(stub);

    if (e != want || found != generation || strcmp(seen, events) != 0)
        fail_msg("wanted %s, %d, \"%s\"; got %s (%s), %d, \"%s\"", postern_err_reason(want),
                 (int)generation, events, postern_err_reason(e), err.detail, (int)found, seen);
}

/* "Not changed" makes no keys of none, and is no news to an administrator. */
static void a_source_that_has_not_changed_brings_back_no_keys_that_were_withdrawn(void **state)
{
    struct told_source told = { .source = { &told_class, "told" } };
    struct keyring *k = NULL;
    struct op_stub stub;

    (void)state;
    op_stub_make(&stub);
    assert_int_equal(postern_keyring_new(&told.source, &k, NULL), POSTERN_OK);
    assert_keys(k, &stub, POSTERN_ERR_KEYS_UNAVAILABLE, 0, ""); /* nobody has looked yet */
    told.kind = KEY_NEWS_FRESH;
    assert_keys(k, &stub, POSTERN_OK, 1, "keys.loaded ");
    told.kind = KEY_NEWS_BROKEN;
    assert_keys(k, &stub, POSTERN_OK, 1, "keys.unusable ");
    told.kind = KEY_NEWS_SAME;
    assert_keys(k, &stub, POSTERN_OK, 1, "keys.loaded "); /* it is usable again */
    assert_keys(k, &stub, POSTERN_OK, 1, "");
    told.kind = KEY_NEWS_BROKEN;
    assert_keys(k, &stub, POSTERN_OK, 1, "keys.unusable ");
    stub.mono_ms += 1000;
    assert_keys(k, &stub, POSTERN_ERR_KEYS_UNAVAILABLE, 0, "keys.dropped ");
    told.kind = KEY_NEWS_SAME;
    assert_keys(k, &stub, POSTERN_ERR_KEYS_UNAVAILABLE, 0, "");
    told.kind = KEY_NEWS_FRESH;
    assert_keys(k, &stub, POSTERN_OK, 3, "keys.loaded ");
    postern_keyring_free(k);
    postern_keyring_free(NULL);
    assert_true(told.is_freed);
    op_stub_remove(&stub);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_replaced_file_counts_within_a_second),
        TEST(an_unknown_kid_earns_one_look_in_a_tenth_of_a_second),
        TEST(a_broken_file_leaves_the_old_keys_for_five_minutes),
        TEST(a_file_that_comes_back_restarts_the_five_minutes),
        TEST(without_a_usable_file_nothing_is_decided),
        TEST(a_set_larger_than_256_kib_is_not_read),
        TEST(a_pipe_or_a_folder_is_no_key_set),
        TEST(a_strangers_file_is_no_key_set),
        TEST(a_source_that_has_not_changed_brings_back_no_keys_that_were_withdrawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
