/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/jwks_file.c: only public key sets reach the root-owned file, whole or not at all. */
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

#include "jwks_file.h"

#define EC_KEY "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"a\"}"

static postern_err check(const char *set)
{
    POSTERN_AUTO_JSON j = { .count = 0 };
    char text[16384];
    int n = snprintf(text, sizeof text, "{\"type\":\"jwks\",\"jwks\":%s}", set);

    assert_true(n > 0 && (size_t)n < sizeof text);
    if (postern_json_scan(&j, postern_bytes_str(text), NULL) != POSTERN_OK)
        fail_msg("no JSON: %s", text);
    return jwks_file_check(&j, postern_json_member(&j, 0, "jwks"), NULL);
}

static void public_sets_are_taken(void **state)
{
    (void)state;
    assert_int_equal(check("{\"keys\":[" EC_KEY "]}"), POSTERN_OK);
    assert_int_equal(check("{\"keys\":[" EC_KEY "," EC_KEY "],\"more\":1}"), POSTERN_OK);
    assert_int_equal(check("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"},{\"kty\":\"OKP\"}]}"), POSTERN_OK);
}

static void private_symmetric_and_broken_sets_are_refused(void **state)
{
    static const char *const bad[] = {
        "null", "[]", "\"keys\"", "{}", "{\"keys\":null}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1]}",
        "{\"keys\":[[]]}", "{\"keys\":[{}]}", "{\"keys\":[{\"kty\":1}]}", "{\"keys\":[{\"kty\":\"ec\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"oct\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"d\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"EC\",\"\\u0064\":\"AA\"}]}",
        "{\"keys\":[" EC_KEY ",{\"kty\":\"OKP\",\"d\":\"\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"p\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"q\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"dp\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"dq\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"qi\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"oth\":[]}]}", "{\"keys\":[{\"kty\":\"RSA\",\"k\":\"AA\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check(bad[i]) != POSTERN_ERR_MALFORMED)
            fail_msg("taken: %s", bad[i]);
}

static void a_hundred_keys_are_the_limit(void **state)
{
    char set[8192] = "{\"keys\":[{\"kty\":\"EC\"}";
    size_t len = strlen(set);

    (void)state;
    for (int i = 1; i < JWKS_FILE_KEYS_MAX; i++)
        len += (size_t)snprintf(set + len, sizeof set - len, ",{\"kty\":\"EC\"}");
    snprintf(set + len, sizeof set - len, "]}");
    assert_int_equal(check(set), POSTERN_OK);
    snprintf(set + len, sizeof set - len, ",{\"kty\":\"EC\"}]}");
    assert_int_equal(check(set), POSTERN_ERR_MALFORMED);
}

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
    char dir[] = "/tmp/postern-jwks.XXXXXX", path[64], text[32] = "";
    struct stat st;
    int old;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/jwks.json", dir);
    umask(077);
    assert_int_equal(jwks_file_write(path, POSTERN_BYTES_LIT("{\"keys\":1}"), NULL), POSTERN_OK);
    old = open(path, O_RDONLY);
    assert_true(old >= 0);
    assert_int_equal(jwks_file_write(path, POSTERN_BYTES_LIT("{\"keys\":2}"), NULL), POSTERN_OK);
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

static void a_folder_that_others_can_write_gets_no_key_set(void **state)
{
    char dir[] = "/tmp/postern-jwks.XXXXXX", path[64];
    postern_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0777), 0);
    snprintf(path, sizeof path, "%s/jwks.json", dir);
    assert_int_equal(jwks_file_write(path, POSTERN_BYTES_LIT("{}"), &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(jwks_file_write("jwks.json", POSTERN_BYTES_LIT("{}"), &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(count_files(dir), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_sets_are_taken),
        cmocka_unit_test(private_symmetric_and_broken_sets_are_refused),
        cmocka_unit_test(a_hundred_keys_are_the_limit),
        cmocka_unit_test(the_file_is_replaced_whole_with_its_mode),
        cmocka_unit_test(a_folder_that_others_can_write_gets_no_key_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
