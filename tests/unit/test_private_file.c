/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/private_file.c: a new file that nobody else may read, or none. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private_file.h"
#include "tests/support/test_folder.h"

static test_folder folder;
static int folder_fd;

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    folder_fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(folder_fd);
    test_folder_remove(&folder);
    return 0;
}

static void assert_content(const char *name, const char *want)
{
    char text[100] = "";
    int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    assert_int_equal(close(fd), 0);
    assert_string_equal(text, want);
}

static void a_file_is_written_whole_for_its_owner_alone(void **state)
{
    mode_t before = umask(0);
    struct stat st;

    (void)state;
    assert_true(
        private_file_write(folder_fd, "a", POSTERN_BYTES_LIT("token"), PRIVATE_FILE_WRITTEN));
    assert_true(
        private_file_write(folder_fd, "b", POSTERN_BYTES_LIT("login"), PRIVATE_FILE_SYNCED));
    (void)umask(before);
    assert_int_equal(fstatat(folder_fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_content("a", "token");
    assert_content("b", "login");
}

/* Whoever may write in the folder could have put it there. */
static void what_is_there_already_is_neither_followed_nor_overwritten(void **state)
{
    (void)state;
    test_folder_put(&folder, "there", "mine");
    assert_int_equal(symlinkat("there", folder_fd, "link"), 0);
    assert_int_equal(symlinkat("nowhere", folder_fd, "dangling"), 0);
    assert_false(
        private_file_write(folder_fd, "there", POSTERN_BYTES_LIT("x"), PRIVATE_FILE_SYNCED));
    assert_int_equal(errno, EEXIST);
    assert_false(
        private_file_write(folder_fd, "link", POSTERN_BYTES_LIT("x"), PRIVATE_FILE_SYNCED));
    assert_false(
        private_file_write(folder_fd, "dangling", POSTERN_BYTES_LIT("x"), PRIVATE_FILE_WRITTEN));
    assert_content("there", "mine");
    assert_int_equal(faccessat(folder_fd, "nowhere", F_OK, 0), -1);
}

static void a_file_that_cannot_be_written_says_so(void **state)
{
    (void)state;
    assert_false(private_file_write(-1, "a", POSTERN_BYTES_LIT("x"), PRIVATE_FILE_SYNCED));
    assert_int_equal(errno, EBADF);
    assert_false(
        private_file_write(folder_fd, "no/folder", POSTERN_BYTES_LIT("x"), PRIVATE_FILE_WRITTEN));
    assert_int_equal(errno, ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_written_whole_for_its_owner_alone),
        TEST(what_is_there_already_is_neither_followed_nor_overwritten),
        TEST(a_file_that_cannot_be_written_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
