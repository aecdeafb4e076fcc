/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/init_files.c: what is written, and that a folder never holds half of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/alloc_fail.h"
#include "init_files.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/postern-init.XXXXXX", sizeof "/tmp/postern-init.XXXXXX");
    return mkdtemp(folder) == NULL;
}

static void remove_at(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    remove_at("services/a.conf");
    remove_at("services/target");
    remove_at("services");
    return rmdir(folder); /* not empty: something was left behind */
}

static struct init_file file_of(const char *text)
{
    struct init_file f = { .text = POSTERN_BUF_INIT(INIT_TEXT_MAX) };

    (void)snprintf(f.path, sizeof f.path, "%s/services/a.conf", folder);
    postern_buf_add_str(&f.text, text);
    return f;
}

static void assert_content(const char *path, const char *want, mode_t mode)
{
    char room[256];
    struct stat st;
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    n = fread(room, 1, sizeof room - 1, f);
    room[n] = '\0';
    assert_int_equal(fstat(fileno(f), &st), 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(room, want);
    assert_int_equal(st.st_mode & 07777, mode);
}

static size_t count_files(void)
{
    char path[128];
    size_t n = 0;
    DIR *d;

    (void)snprintf(path, sizeof path, "%s/services", folder);
    if ((d = opendir(path)) == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n - 2;
}

static void a_new_file_comes_with_its_folder_and_goes_when_taken_back(void **state)
{
    struct init_file f = file_of("one\n");

    (void)state;
    assert_int_equal(init_file_put(&f, false, NULL), POSTERN_OK);
    assert_content(f.path, "one\n", 0644);
    assert_int_equal(count_files(), 1);
    assert_int_equal(init_file_take_back(&f, NULL), POSTERN_OK);
    assert_int_equal(access(f.path, F_OK), -1);
    assert_int_equal(init_file_take_back(&f, NULL), POSTERN_OK); /* nothing more to take back */
    init_file_free(&f);
}

static void what_is_there_stays_unless_it_may_be_replaced(void **state)
{
    struct init_file first = file_of("one\n"), second = file_of("two\n"), third = file_of("three\n");

    (void)state;
    assert_int_equal(init_file_put(&first, false, NULL), POSTERN_OK);
    assert_int_equal(chmod(first.path, 0640), 0);
    assert_int_equal(init_file_put(&second, false, NULL), POSTERN_ERR_CONFIG_CONFLICT);
    assert_content(first.path, "one\n", 0640);
    assert_int_equal(init_file_take_back(&second, NULL), POSTERN_OK); /* was not done */
    assert_content(first.path, "one\n", 0640);
    assert_int_equal(init_file_put(&third, true, NULL), POSTERN_OK);
    assert_content(first.path, "three\n", 0640);
    assert_int_equal(init_file_take_back(&third, NULL), POSTERN_OK);
    assert_content(first.path, "one\n", 0640);
    assert_int_equal(count_files(), 1);
    init_file_free(&first);
    init_file_free(&second);
    init_file_free(&third);
}

static void modes_that_let_others_write_are_not_kept(void **state)
{
    struct init_file first = file_of("one\n"), second = file_of("two\n");

    (void)state;
    assert_int_equal(init_file_put(&first, false, NULL), POSTERN_OK);
    assert_int_equal(chmod(first.path, 0666), 0);
    assert_int_equal(init_file_put(&second, true, NULL), POSTERN_OK);
    assert_content(first.path, "two\n", 0644);
    init_file_free(&first);
    init_file_free(&second);
}

static void a_link_is_neither_followed_nor_replaced(void **state)
{
    struct init_file f = file_of("one\n");
    char services[128], target[128];

    (void)state;
    (void)snprintf(services, sizeof services, "%s/services", folder);
    (void)snprintf(target, sizeof target, "%s/services/target", folder);
    assert_int_equal(mkdir(services, 0755), 0);
    assert_int_equal(symlink(target, f.path), 0);
    assert_int_equal(init_file_put(&f, true, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(init_file_put(&f, false, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(access(target, F_OK), -1);
    assert_int_equal(count_files(), 1);
    init_file_free(&f);
}

static void a_text_without_memory_is_not_written(void **state)
{
    struct init_file f = file_of("one\n");

    (void)state;
    f.text.failed = true;
    assert_int_equal(init_file_put(&f, true, NULL), POSTERN_ERR_NOMEM);
    assert_int_equal(access(f.path, F_OK), -1);
    init_file_free(&f);
}

static void the_issuers_file_says_what_is_not_default(void **state)
{
    static const struct init_issuer_text least = { "https://h", "keycloak", NULL, NULL, false };
    static const struct init_issuer_text most = { "http://127.0.0.1:1", "rfc9068", "/ca.pem",
                                                  "/jwks.json", true };
    POSTERN_AUTO_BUF a = POSTERN_BUF_INIT(INIT_TEXT_MAX);
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(INIT_TEXT_MAX);

    (void)state;
    init_write_issuer(&least, &a);
    assert_string_equal(strchr(postern_buf_cstr(&a), '\n') + 1,
                        "issuer: https://h\nprovider: keycloak\n");
    init_write_issuer(&most, &b);
    assert_string_equal(strchr(postern_buf_cstr(&b), '\n') + 1,
                        "issuer: http://127.0.0.1:1\nprovider: rfc9068\njwks_file: /jwks.json\n"
                        "tls_ca_file: /ca.pem\nallow_loopback_http: yes\n");
}

static void the_services_file_names_tls_and_letters_only_where_the_host_wants_it(void **state)
{
    static const struct init_service_text least = { "https://h/svn", "sso", "svn", "", "yes", "", "" };
    static const struct init_service_text most = { "https://h/smtp", "sso", "postfix", "a b", "host",
                                                    "OAUTHBEARER XOAUTH2", "a-z" };
    POSTERN_AUTO_BUF a = POSTERN_BUF_INIT(INIT_TEXT_MAX);
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(INIT_TEXT_MAX);

    (void)state;
    init_write_service(&least, &a);
    assert_string_equal(strchr(postern_buf_cstr(&a), '\n') + 1,
                        "audience: https://h/svn\nissuers: sso\nhelper_peers: svn\n");
    init_write_service(&most, &b);
    assert_non_null(strstr(postern_buf_cstr(&b), "\nrequired_scopes: a b\n"));
    assert_non_null(strstr(postern_buf_cstr(&b), "\nmech_list: OAUTHBEARER XOAUTH2\n"));
    assert_non_null(strstr(postern_buf_cstr(&b), "\nrequire_tls: host\n"));
    assert_non_null(strstr(postern_buf_cstr(&b), "\nusername_chars: a-z\n"));
}

static postern_err put_once(void)
{
    struct init_file f = file_of("two\n");
    postern_err e = init_file_put(&f, true, NULL);

    init_file_free(&f);
    return e;
}

static void out_of_memory_leaves_the_file_as_it_was(void **state)
{
    struct init_file f = file_of("one\n");

    (void)state;
    assert_int_equal(init_file_put(&f, false, NULL), POSTERN_OK);
    for (unsigned n = 1; n < 3; n++) {
        alloc_fail_arm(n);
        assert_int_not_equal(put_once(), POSTERN_OK);
        assert_true(alloc_fail_disarm());
        assert_content(f.path, "one\n", 0644);
    }
    assert_int_equal(count_files(), 1);
    init_file_free(&f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_comes_with_its_folder_and_goes_when_taken_back),
        TEST(what_is_there_stays_unless_it_may_be_replaced),
        TEST(modes_that_let_others_write_are_not_kept),
        TEST(a_link_is_neither_followed_nor_replaced),
        TEST(a_text_without_memory_is_not_written),
        TEST(the_issuers_file_says_what_is_not_default),
        TEST(the_services_file_names_tls_and_letters_only_where_the_host_wants_it),
        TEST(out_of_memory_leaves_the_file_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
