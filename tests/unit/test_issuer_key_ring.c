/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/key_ring.c: announced before it signs, kept until its tokens are over, whole after kill -9 at each step. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "issuer/admin.h"
#include "issuer/key_ring.h"
#include "issuer/keys.h"
#include "issuer_fixture.h"

static const struct key_times times = { .rotation_s = 86400, .announce_s = 600 };

struct world {
    struct fixture *f;
    struct key_ring *ring;
    int dir_fd;
};

static void open_ring(struct world *w)
{
    postern_error err = { 0 };

    if (key_ring_open(w->f->is.store, w->dir_fd, w->f->now_s, &w->ring, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    w->f->is.keys = w->ring;
    w->f->is.key = key_ring_signer(w->ring);
}

/* As a process that was killed and starts anew. */
static void open_again(struct world *w)
{
    key_ring_free(w->ring);
    store_close(w->f->is.store);
    assert_int_equal(store_open(w->f->dir, &w->f->is.store, NULL), POSTERN_OK);
    open_ring(w);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL || fixture_set_up((void **)&w->f) != 0)
        return -1;
    w->dir_fd = open(w->f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir_fd < 0)
        return -1;
    open_ring(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    void *f = w->f;

    w->f->is.key = w->f->key;
    w->f->is.keys = NULL;
    key_ring_free(w->ring);
    if ((unlinkat(w->dir_fd, SIGNING_KEY_FILE, 0) != 0 && errno != ENOENT) ||
        (unlinkat(w->dir_fd, NEXT_KEY_FILE, 0) != 0 && errno != ENOENT) ||
        (unlinkat(w->dir_fd, SIGNING_KEY_FILE ".new", 0) != 0 && errno != ENOENT) || close(w->dir_fd) != 0)
        return -1;
    free(w);
    return fixture_tear_down(&f);
}

static bool step(struct world *w)
{
    postern_error err = { 0 };
    bool is_changed = false;

    if (key_ring_step(w->ring, &times, w->f->now_s, &is_changed, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return is_changed;
}

static void publish(struct world *w)
{
    assert_int_equal(key_ring_note_published(w->ring, w->f->now_s, NULL), POSTERN_OK);
}

static void make_next(struct world *w)
{
    bool is_full = true;

    assert_int_equal(key_ring_make_next(w->ring, w->f->now_s, &is_full, NULL), POSTERN_OK);
    assert_false(is_full);
}

static char *signer(const struct world *w)
{
    char *kid = strdup(postern_signing_key_kid(key_ring_signer(w->ring)));

    assert_non_null(kid);
    return kid;
}

static bool is_published(const struct world *w, const char *kid)
{
    postern_bytes set = key_ring_public(w->ring);

    return memmem(set.ptr, set.len, kid, strlen(kid)) != NULL;
}

static size_t count(const struct world *w)
{
    size_t n = 0;

    (void)key_ring_rows(w->ring, &n);
    return n;
}

static void a_key_is_announced_before_it_signs_and_kept_after(void **state)
{
    struct world *w = *state;
    char *first = signer(w), *second, *next;

    assert_false(step(w));
    w->f->now_s += times.rotation_s - 1;
    assert_false(step(w));
    w->f->now_s += 1;
    assert_true(step(w)); /* old enough: the next one is made */
    next = strdup(key_ring_next(w->ring)->kid);
    assert_true(is_published(w, next) && is_published(w, first));
    w->f->now_s += 10000;
    assert_false(step(w)); /* nobody said that the set can be read: it never signs */
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), first);
    publish(w);
    w->f->now_s += times.announce_s - 1;
    assert_false(step(w));
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), first);
    w->f->now_s += 1;
    assert_false(step(w)); /* it takes over; the set is the same */
    second = signer(w);
    assert_string_equal(second, next);
    assert_null(key_ring_next(w->ring));
    assert_true(is_published(w, first));
    w->f->now_s += KEY_KEEP_S;
    assert_false(step(w));
    assert_true(is_published(w, first));
    w->f->now_s += 1;
    assert_true(step(w)); /* its last token is over */
    assert_false(is_published(w, first));
    assert_true(is_published(w, second));
    free(first);
    free(second);
    free(next);
}

static void without_an_age_only_a_command_rotates(void **state)
{
    static const struct key_times never = { .rotation_s = 0, .announce_s = 600 };
    struct world *w = *state;
    bool is_changed = true;

    w->f->now_s += 10 * 365 * 86400;
    assert_int_equal(key_ring_step(w->ring, &never, w->f->now_s, &is_changed, NULL), POSTERN_OK);
    assert_false(is_changed);
    assert_null(key_ring_next(w->ring));
    make_next(w);
    assert_non_null(key_ring_next(w->ring));
}

static void files_are_the_issuers_alone(void **state)
{
    struct world *w = *state;
    struct stat st;

    make_next(w);
    assert_int_equal(fstatat(w->dir_fd, NEXT_KEY_FILE, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fchmodat(w->dir_fd, NEXT_KEY_FILE, 0644, 0), 0);
    assert_int_equal(key_ring_make_next(w->ring, w->f->now_s, &(bool){ false }, NULL), POSTERN_OK); /* there is one already */
    assert_int_equal(key_ring_step(w->ring, &times, w->f->now_s, &(bool){ false }, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(fchmodat(w->dir_fd, NEXT_KEY_FILE, 0600, 0), 0);
    assert_false(step(w));
}

static void what_was_begun_goes_on_after_a_kill(void **state)
{
    struct world *w = *state;
    char *first = signer(w), *next;

    make_next(w);
    next = strdup(key_ring_next(w->ring)->kid);
    open_again(w); /* before it was published */
    assert_string_equal(key_ring_next(w->ring)->kid, next);
    assert_int_equal(key_ring_next(w->ring)->published_s, 0);
    assert_true(is_published(w, next));
    publish(w);
    w->f->now_s += 599;
    open_again(w); /* while it is announced: the time goes on */
    assert_false(step(w));
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), first);
    w->f->now_s += 1;
    step(w);
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), next);
    open_again(w);
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), next);
    assert_true(is_published(w, first));
    free(first);
    free(next);
}

/* Killed behind the row that says retired, before the file has its new name. */
static void a_key_that_was_retired_too_early_signs_on(void **state)
{
    struct world *w = *state;
    char *first = signer(w);
    const struct key_row *rows;
    size_t n;

    make_next(w);
    publish(w);
    assert_int_equal(store_key_retired(w->f->is.store, first, w->f->now_s, NULL), POSTERN_OK);
    open_again(w);
    rows = key_ring_rows(w->ring, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].kid, first) == 0)
            assert_int_equal(rows[i].retired_s, 0);
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), first);
    w->f->now_s += KEY_KEEP_S + 1;
    step(w); /* takes over now */
    assert_true(is_published(w, first));
    free(first);
}

/* Killed behind the file's new name, before the row that says started. */
static void a_key_that_took_over_signs_after_a_kill(void **state)
{
    struct world *w = *state;
    char *first = signer(w), *next;

    make_next(w);
    publish(w);
    next = strdup(key_ring_next(w->ring)->kid);
    assert_int_equal(store_key_retired(w->f->is.store, first, w->f->now_s, NULL), POSTERN_OK);
    assert_int_equal(next_key_take_over(w->dir_fd, NULL), POSTERN_OK);
    open_again(w);
    assert_string_equal(postern_signing_key_kid(key_ring_signer(w->ring)), next);
    assert_true(is_published(w, first));
    w->f->now_s += KEY_KEEP_S + 1;
    step(w);
    assert_false(is_published(w, first));
    free(first);
    free(next);
}

/* Killed behind the file of the next key, before its row. */
static void a_next_key_without_row_gets_one(void **state)
{
    struct world *w = *state;
    postern_signing_key *key = NULL;

    assert_int_equal(next_key_make(w->dir_fd, &key, NULL), POSTERN_OK);
    assert_true(step(w));
    assert_string_equal(key_ring_next(w->ring)->kid, postern_signing_key_kid(key));
    assert_true(is_published(w, postern_signing_key_kid(key)));
    postern_signing_key_free(key);
}

/* A start that was killed while it wrote. */
static void half_a_file_is_never_a_key(void **state)
{
    struct world *w = *state;
    int fd = openat(w->dir_fd, SIGNING_KEY_FILE ".new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "-----BEGIN", 10), 10);
    assert_int_equal(close(fd), 0);
    make_next(w);
    assert_non_null(key_ring_next(w->ring));
}

static void a_next_key_that_somebody_removed_is_dropped_in_time(void **state)
{
    struct world *w = *state;

    make_next(w);
    publish(w);
    assert_int_equal(count(w), 2);
    assert_int_equal(unlinkat(w->dir_fd, NEXT_KEY_FILE, 0), 0);
    step(w);
    assert_null(key_ring_next(w->ring));
    w->f->now_s += KEY_KEEP_S + 1;
    step(w);
    assert_int_equal(count(w), 1);
}

static void two_issuers_of_a_reload_agree(void **state)
{
    struct world *w = *state;
    struct key_ring *other = NULL;
    bool is_changed = false;

    assert_int_equal(key_ring_open(w->f->is.store, w->dir_fd, w->f->now_s, &other, NULL), POSTERN_OK);
    make_next(w);
    assert_int_equal(key_ring_step(other, &times, w->f->now_s, &is_changed, NULL), POSTERN_OK);
    assert_true(is_changed); /* the other one publishes it too */
    assert_string_equal(key_ring_next(other)->kid, key_ring_next(w->ring)->kid);
    publish(w);
    w->f->now_s += times.announce_s;
    step(w);
    assert_int_equal(key_ring_step(other, &times, w->f->now_s, &is_changed, NULL), POSTERN_OK);
    assert_string_equal(postern_signing_key_kid(key_ring_signer(other)), postern_signing_key_kid(key_ring_signer(w->ring)));
    key_ring_free(other);
}

static void the_set_has_a_limit_and_no_kid_comes_back(void **state)
{
    struct world *w = *state;
    char *seen[KEY_RING_MAX];
    size_t n = 0;
    bool is_full = false;

    while (n < KEY_RING_MAX) {
        seen[n] = signer(w);
        for (size_t i = 0; i < n; i++)
            assert_string_not_equal(seen[i], seen[n]);
        n++;
        assert_int_equal(key_ring_make_next(w->ring, w->f->now_s, &is_full, NULL), POSTERN_OK);
        if (is_full)
            break;
        publish(w);
        w->f->now_s += 1;
        assert_int_equal(key_ring_step(w->ring, &(struct key_times){ 0, 1 }, w->f->now_s, &(bool){ false }, NULL), POSTERN_OK);
    }
    assert_true(is_full);
    assert_int_equal(n, KEY_RING_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true(is_published(w, seen[i]));
        free(seen[i]);
    }
    w->f->now_s += KEY_KEEP_S + 2;
    step(w);
    assert_int_equal(count(w), 1);
}

static int published_calls;

static void count_call(void *arg)
{
    (void)arg;
    published_calls++;
}

static void administrators_see_and_rotate(void **state)
{
    struct world *w = *state;
    struct admin_reply r = ADMIN_REPLY_INIT;

    published_calls = 0;
    w->f->is.keys_changed = count_call;
    w->f->settings.key_announcement_s = 600;
    admin_answer(&w->f->is, POSTERN_BYTES_LIT("{\"verb\":\"keys_rotate\"}"), &r);
    assert_non_null(strstr(postern_buf_cstr(&r.text), "\"announced_for\":600"));
    admin_reply_free(&r);
    assert_int_equal(published_calls, 1);
    r = ADMIN_REPLY_INIT;
    admin_answer(&w->f->is, POSTERN_BYTES_LIT("{\"verb\":\"keys_rotate\"}"), &r);
    assert_non_null(strstr(postern_buf_cstr(&r.text), "already"));
    admin_reply_free(&r);
    assert_int_equal(published_calls, 1);
    r = ADMIN_REPLY_INIT;
    admin_answer(&w->f->is, POSTERN_BYTES_LIT("{\"verb\":\"keys_list\"}"), &r);
    assert_non_null(strstr(postern_buf_cstr(&r.text), "\"signs\""));
    assert_non_null(strstr(postern_buf_cstr(&r.text), "\"announced\""));
    assert_null(strstr(postern_buf_cstr(&r.text), "PRIVATE"));
    admin_reply_free(&r);
    fixture_get(w->f, "/oauth/jwks");
    assert_status(w->f, 200);
    assert_string_equal(w->f->answer.cache_control, "public, max-age=300");
    assert_null(strstr(postern_buf_cstr(&w->f->answer.body), "\"d\""));
    w->f->settings.key_announcement_s = 60;
    fixture_get(w->f, "/oauth/jwks");
    assert_string_equal(w->f->answer.cache_control, "public, max-age=60");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_announced_before_it_signs_and_kept_after),
        TEST(without_an_age_only_a_command_rotates),
        TEST(files_are_the_issuers_alone),
        TEST(what_was_begun_goes_on_after_a_kill),
        TEST(a_key_that_was_retired_too_early_signs_on),
        TEST(a_key_that_took_over_signs_after_a_kill),
        TEST(a_next_key_without_row_gets_one),
        TEST(half_a_file_is_never_a_key),
        TEST(a_next_key_that_somebody_removed_is_dropped_in_time),
        TEST(two_issuers_of_a_reload_agree),
        TEST(the_set_has_a_limit_and_no_kid_comes_back),
        TEST(administrators_see_and_rotate),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
