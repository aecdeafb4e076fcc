/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/published_file.c: a file that everybody reads is replaced whole or not at all. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "published_file.h"

static size_t count_files(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static void the_file_is_replaced_whole_with_its_mode(void **state)
{
    char dir[] = "/tmp/postern-file.XXXXXX", path[64], text[32] = "";
    struct stat st;
    int old;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/jwks.json", dir);
    umask(077);
    assert_int_equal(published_file_write(path, POSTERN_BYTES_LIT("{\"keys\":1}"), NULL), POSTERN_OK);
    old = open(path, O_RDONLY);
    assert_true(old >= 0);
    assert_int_equal(published_file_write(path, POSTERN_BYTES_LIT("{\"keys\":2}"), NULL), POSTERN_OK);
    assert_int_equal(read(old, text, sizeof text - 1), 11);
    assert_string_equal(text, "{\"keys\":1}\n"); /* who has the old one open goes on reading it */
    close(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(st.st_size, 11);
    assert_int_equal(count_files(dir), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void a_folder_that_others_can_write_gets_no_file(void **state)
{
    char dir[] = "/tmp/postern-file.XXXXXX", path[64];
    postern_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0777), 0);
    snprintf(path, sizeof path, "%s/jwks.json", dir);
    assert_int_equal(published_file_write(path, POSTERN_BYTES_LIT("{}"), &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(published_file_write("jwks.json", POSTERN_BYTES_LIT("{}"), &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(count_files(dir), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_replaced_whole_with_its_mode),
        cmocka_unit_test(a_folder_that_others_can_write_gets_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
