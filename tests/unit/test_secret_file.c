/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/secret_file.c: whose file may hold a client secret, and what is read of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/secret_file.h"
#include "tests/support/test_folder.h"

static test_folder folder;

static int make_folder(void **state)
{
    (void)state;
    test_folder_make(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

/* The secret of a file with this text and mode, or NULL with the code in *ret. */
static postern_secret *read_file(const char *text, unsigned mode, postern_err *ret)
{
    postern_secret *s = NULL;

    test_folder_put(&folder, "secret", text);
    test_folder_mode(&folder, "secret", mode);
    *ret = secret_file_read(test_folder_at(&folder, "secret"), &s, NULL);
    return s;
}

static void one_newline_at_the_end_is_cut_off(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = { { "s3cr3t", "s3cr3t" },
                  { "s3cr3t\n", "s3cr3t" },
                  { "s3cr3t\n\n", "s3cr3t\n" },
                  { " s \r\n", " s \r" } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        postern_err e;
        postern_secret *s = read_file(cases[i].text, 0600, &e);

        assert_int_equal(e, POSTERN_OK);
        assert_true(postern_bytes_equal_str(postern_secret_bytes(s), cases[i].want));
        postern_secret_free(s);
    }
}

static void modes_that_let_others_in_are_refused(void **state)
{
    static const unsigned good[] = { 0600, 0400, 0640, 0440, 0700 };
    static const unsigned bad[] = { 0644, 0604, 0602, 0601, 0660, 0620, 0610, 0666, 0777 };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        postern_err e;
        postern_secret *s = read_file("s", good[i], &e);

        if (e != POSTERN_OK)
            fail_msg("refused: %o", good[i]);
        postern_secret_free(s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        postern_err e;

        if (read_file("s", bad[i], &e) != NULL || e != POSTERN_ERR_CONFIG_FILE)
            fail_msg("taken: %o", bad[i]);
    }
}

static void another_users_file_and_another_groups_readers_are_refused(void **state)
{
    postern_secret *s = NULL;
    const char *path;

    (void)state;
    if (getuid() != 0)
        return; /* only root can give files away */
    test_folder_put(&folder, "theirs", "s");
    test_folder_mode(&folder, "theirs", 0600);
    path = test_folder_at(&folder, "theirs");
    assert_int_equal(chown(path, 65534, 0), 0);
    assert_int_equal(secret_file_read(path, &s, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(chown(path, 0, 64999), 0); /* a group that nobody here is in */
    assert_int_equal(secret_file_read(path, &s, NULL), POSTERN_OK);
    postern_secret_free(s);
    s = NULL;
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(secret_file_read(path, &s, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_null(s);
}

static void a_link_is_judged_by_what_it_points_to(void **state)
{
    postern_err e;
    postern_secret *s = read_file("s", 0600, &e);

    (void)state;
    postern_secret_free(s);
    s = NULL;
    assert_int_equal(symlink("secret", test_folder_at(&folder, "link")), 0);
    assert_int_equal(secret_file_read(test_folder_at(&folder, "link"), &s, NULL), POSTERN_OK);
    postern_secret_free(s);
    s = NULL;
    test_folder_mode(&folder, "secret", 0644);
    assert_int_equal(secret_file_read(test_folder_at(&folder, "link"), &s, NULL),
                     POSTERN_ERR_CONFIG_FILE);
}

static void what_is_no_secret_is_refused(void **state)
{
    char text[SECRET_FILE_MAX + 3];
    postern_secret *s = NULL;
    postern_err e;

    (void)state;
    assert_null(read_file("", 0600, &e));
    assert_int_equal(e, POSTERN_ERR_CONFIG_FILE);
    assert_null(read_file("\n", 0600, &e));
    assert_int_equal(e, POSTERN_ERR_CONFIG_FILE);
    memset(text, 's', sizeof text);
    text[SECRET_FILE_MAX] = '\n';
    text[SECRET_FILE_MAX + 1] = '\0';
    s = read_file(text, 0600, &e);
    assert_int_equal(e, POSTERN_OK);
    assert_int_equal(postern_secret_bytes(s).len, SECRET_FILE_MAX);
    postern_secret_free(s);
    text[SECRET_FILE_MAX] = 's';
    assert_null(read_file(text, 0600, &e));
    assert_int_equal(e, POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(secret_file_read(folder.path, &s, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(secret_file_read(test_folder_at(&folder, "missing"), &s, NULL),
                     POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(mkfifo(test_folder_at(&folder, "fifo"), 0600), 0);
    assert_int_equal(secret_file_read(test_folder_at(&folder, "fifo"), &s, NULL),
                     POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(secret_file_read("/dev/null", &s, NULL), POSTERN_ERR_CONFIG_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_newline_at_the_end_is_cut_off),
        cmocka_unit_test(modes_that_let_others_in_are_refused),
        cmocka_unit_test(another_users_file_and_another_groups_readers_are_refused),
        cmocka_unit_test(a_link_is_judged_by_what_it_points_to),
        cmocka_unit_test(what_is_no_secret_is_refused),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
