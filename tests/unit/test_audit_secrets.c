/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/audit_secrets.c: keys are made once, whole, for nobody but their owner; one that others can read or change is refused. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern-private/audit_checkpoint.h>

#include "audit_secrets.h"

struct place {
    char top[64], dir[80];
};

static int set_up(void **state)
{
    static struct place p;

    memcpy(p.top, "/tmp/postern-secrets.XXXXXX", sizeof "/tmp/postern-secrets.XXXXXX");
    assert_non_null(mkdtemp(p.top));
    assert_in_range(snprintf(p.dir, sizeof p.dir, "%s/audit", p.top), 1, sizeof p.dir - 1);
    *state = &p;
    return 0;
}

static char *path_of(const struct place *p, const char *name)
{
    char *path = audit_secrets_path(p->dir, name);

    assert_non_null(path);
    return path;
}

static int tear_down(void **state)
{
    const struct place *p = *state;
    static const char *const names[] = { AUDIT_ARGS_KEY, AUDIT_CHECKPOINT_KEY };

    for (size_t i = 0; i < 2; i++) {
        char *path = path_of(p, names[i]);

        (void)unlink(path);
        free(path);
    }
    (void)rmdir(p->dir);
    return rmdir(p->top);
}

static size_t read_fd(int fd, char room[512])
{
    ssize_t len = pread(fd, room, 512, 0);

    assert_in_range(len, 1, 511);
    return (size_t)len;
}

static mode_t mode_of(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_mode & 07777;
}

static size_t count_names(const char *dir)
{
    DIR *d = opendir(dir);
    size_t count = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(d);
    return count;
}

static void keys_are_made_at_first_and_the_same_later(void **state)
{
    const struct place *p = *state;
    struct audit_secrets first, again;
    struct audit_signer *signer = NULL;
    char a[512], b[512], pem[512];
    size_t pem_len;

    assert_int_equal(audit_secrets_open(p->dir, &first, NULL), POSTERN_OK);
    assert_int_equal(audit_secrets_open(p->dir, &again, NULL), POSTERN_OK);
    assert_int_equal(read_fd(first.args_fd, a), 32);
    assert_int_equal(read_fd(again.args_fd, b), 32);
    assert_memory_equal(a, b, 32);
    pem_len = read_fd(first.checkpoint_fd, pem);
    assert_int_equal(audit_signer_new((postern_bytes){ (uint8_t *)pem, pem_len }, &signer, NULL), POSTERN_OK);
    assert_int_equal(mode_of(first.args_fd), 0600);
    assert_int_equal(mode_of(first.checkpoint_fd), 0600);
    assert_int_equal(count_names(p->dir), 2); /* nothing temporary stays */
    audit_signer_free(signer);
    audit_secrets_close(&first);
    audit_secrets_close(&again);
    assert_int_equal(first.args_fd, -1);
}

static void two_places_have_two_keys(void **state)
{
    const struct place *p = *state;
    struct audit_secrets s;
    char *path = path_of(p, AUDIT_ARGS_KEY), a[512], b[512];

    assert_int_equal(audit_secrets_open(p->dir, &s, NULL), POSTERN_OK);
    assert_int_equal(read_fd(s.args_fd, a), 32);
    audit_secrets_close(&s);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(audit_secrets_open(p->dir, &s, NULL), POSTERN_OK);
    assert_int_equal(read_fd(s.args_fd, b), 32);
    audit_secrets_close(&s);
    assert_memory_not_equal(a, b, 32);
    free(path);
}

static void a_key_for_others_to_read_or_write_is_refused(void **state)
{
    static const mode_t modes[] = { 0604, 0620, 0602 };
    const struct place *p = *state;
    struct audit_secrets s;
    static const char *const names[] = { AUDIT_ARGS_KEY, AUDIT_CHECKPOINT_KEY };

    assert_int_equal(audit_secrets_open(p->dir, &s, NULL), POSTERN_OK);
    audit_secrets_close(&s);
    for (size_t i = 0; i < 2; i++) {
        char *path = path_of(p, names[i]);

        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(chmod(path, modes[k]), 0);
            assert_int_equal(audit_secrets_check(p->dir, NULL), POSTERN_ERR_CONFIG_FILE);
            assert_int_equal(audit_secrets_open(p->dir, &s, NULL), POSTERN_ERR_CONFIG_FILE);
            audit_secrets_close(&s);
        }
        assert_int_equal(chmod(path, 0600), 0);
        free(path);
    }
    assert_int_equal(audit_secrets_check(p->dir, NULL), POSTERN_OK);
}

static void a_folder_that_others_can_write_gets_no_key(void **state)
{
    const struct place *p = *state;
    struct audit_secrets s;

    assert_int_equal(mkdir(p->dir, 0700), 0);
    assert_int_equal(chmod(p->dir, 0777), 0);
    assert_int_equal(audit_secrets_open(p->dir, &s, NULL), POSTERN_ERR_CONFIG_FILE);
    audit_secrets_close(&s);
    assert_int_equal(count_names(p->dir), 0);
}

static void a_look_makes_nothing(void **state)
{
    const struct place *p = *state;

    assert_int_equal(audit_secrets_check(p->dir, NULL), POSTERN_OK);
    assert_int_equal(access(p->dir, F_OK), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_made_at_first_and_the_same_later),
        TEST(two_places_have_two_keys),
        TEST(a_key_for_others_to_read_or_write_is_refused),
        TEST(a_folder_that_others_can_write_gets_no_key),
        TEST(a_look_makes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
