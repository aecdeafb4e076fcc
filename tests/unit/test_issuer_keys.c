/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/keys.c: made once, kept, and refused when others could read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "issuer/keys.h"

struct folder {
    char path[64];
    int fd;
};

static int set_up(void **state)
{
    struct folder *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    *state = f;
    *f = (struct folder){ .path = "/tmp/postern-keys-XXXXXX" };
    f->fd = mkdtemp(f->path) == NULL ? -1 : open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct folder *f = *state;

    if ((unlinkat(f->fd, SIGNING_KEY_FILE, 0) != 0 && errno != ENOENT) || close(f->fd) != 0 || rmdir(f->path) != 0)
        return -1;
    free(f);
    return 0;
}

static postern_signing_key *load(const struct folder *f)
{
    postern_signing_key *key = NULL;
    postern_error err = { 0 };

    if (signing_key_load(f->fd, &key, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return key;
}

static void write_file(const struct folder *f, const char *name, const char *text, mode_t mode)
{
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_refused(const struct folder *f)
{
    postern_signing_key *key = NULL;

    assert_int_equal(signing_key_load(f->fd, &key, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_null(key);
}

static void a_key_is_made_once_and_kept(void **state)
{
    postern_signing_key *first = load(*state), *second = load(*state);
    struct folder *f = *state;
    struct stat st;

    assert_string_equal(postern_signing_key_kid(first), postern_signing_key_kid(second));
    assert_int_equal(fstatat(f->fd, SIGNING_KEY_FILE, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    postern_signing_key_free(first);
    postern_signing_key_free(second);
}

static void what_a_killed_start_left_behind_is_never_used(void **state)
{
    struct folder *f = *state;
    postern_signing_key *key;

    write_file(f, SIGNING_KEY_FILE ".new", "half a key", 0600);
    key = load(f);
    assert_int_not_equal(faccessat(f->fd, SIGNING_KEY_FILE ".new", F_OK, 0), 0);
    postern_signing_key_free(key);
}

static void a_key_that_others_can_read_is_refused_and_not_replaced(void **state)
{
    struct folder *f = *state;
    postern_signing_key *key = load(f);

    postern_signing_key_free(key);
    assert_int_equal(fchmodat(f->fd, SIGNING_KEY_FILE, 0640, 0), 0);
    assert_refused(f);
    assert_int_equal(fchmodat(f->fd, SIGNING_KEY_FILE, 0604, 0), 0);
    assert_refused(f);
    assert_int_equal(fchmodat(f->fd, SIGNING_KEY_FILE, 0600, 0), 0);
    key = load(f);
    postern_signing_key_free(key);
}

static void a_file_that_is_no_key_is_refused_and_not_replaced(void **state)
{
    struct folder *f = *state;
    char large[9000];

    write_file(f, SIGNING_KEY_FILE, "", 0600);
    assert_refused(f);
    write_file(f, SIGNING_KEY_FILE, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0600);
    assert_refused(f);
    memset(large, 'a', sizeof large);
    large[sizeof large - 1] = '\0';
    write_file(f, SIGNING_KEY_FILE, large, 0600);
    assert_refused(f);
    assert_int_equal(unlinkat(f->fd, SIGNING_KEY_FILE, 0), 0);
    assert_int_equal(symlinkat("/dev/null", f->fd, SIGNING_KEY_FILE), 0);
    assert_refused(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_made_once_and_kept),
        TEST(what_a_killed_start_left_behind_is_never_used),
        TEST(a_key_that_others_can_read_is_refused_and_not_replaced),
        TEST(a_file_that_is_no_key_is_refused_and_not_replaced),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
