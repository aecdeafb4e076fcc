/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/accounts.c: which lines of passwd(5) name a system account, and when the file is looked
 * at again.  lib/oauth/trusted_file.c: who may have written a file, and when two are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <unistd.h>

#include "../support/alloc_fail.h"
#include "../support/test_folder.h"
#include "grant/grant.h"
#include "oauth/accounts.h"
#include "oauth/identity.h"
#include "oauth/trusted_file.h"

static test_folder folder;
static struct accounts *accounts;
static int64_t mono_ms;

static int set_up(void **state)
{
    static char path[100];

    (void)state;
    test_folder_make(&folder);
    (void)snprintf(path, sizeof path, "%s/passwd", folder.path);
    mono_ms = 1000;
    return postern_accounts_new(path, &accounts, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    postern_accounts_free(accounts);
    test_folder_remove(&folder);
    return 0;
}

static bool is_system_bytes(postern_bytes name)
{
    postern_error err = { 0 };
    bool is_system = false;

    if (postern_accounts_is_system(accounts, mono_ms, name, &is_system, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return is_system;
}

static bool is_system(const char *name)
{
    return is_system_bytes(postern_bytes_str(name));
}

/* Another file, and a second later, when it is looked at. */
static void put(const char *text)
{
    test_folder_put(&folder, "passwd", text);
    mono_ms += POSTERN_ACCOUNTS_RECHECK_MS;
}

static void a_line_with_a_low_uid_is_a_system_account(void **state)
{
    (void)state;
    put("root:x:0:0:root:/root:/bin/sh\nlast:x:999:\nFirst:x:1000:100::/:\ntoo:x:10000:1::/:\n"
        "Backup:*:34:34::/:/no\nwithout:x:7:7::/:");
    assert_true(is_system("root"));
    assert_true(is_system("ROOT"));
    assert_true(is_system("last"));
    assert_true(is_system("backup"));
    assert_true(is_system("without")); /* a newline at its end */
    assert_false(is_system("first"));
    assert_false(is_system("too"));
    assert_false(is_system("roo"));
    assert_false(is_system("root:x"));
}

static void a_line_that_is_no_account_is_passed_over(void **state)
{
    static const char *const lines[] = {
        "a\n",         "a:x\n",       "a:x:1\n",
        "a:x::1:\n",   "a:x:-1:1:\n", "a:x:1 :1:\n",
        "a:x:+1:1:\n", "a:x:x:1:\n",  "a:x:99999999999999999999:1:\n",
        ":x:1:1:\n",   "\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put(lines[i]);
        if (is_system("a") || is_system(""))
            fail_msg("%s", lines[i]);
    }
    put("a:x:1:1:\n");
    assert_true(is_system("a"));
}

static void a_name_with_a_nul_is_no_account(void **state)
{
    FILE *f = fopen(test_folder_at(&folder, "passwd"), "w");
    static const char text[] = "ro\0ot:x:0:0::/:\nok:x:1:1::/:\n";

    (void)state;
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, sizeof text - 1, f), sizeof text - 1);
    assert_int_equal(fclose(f), 0);
    assert_true(is_system("ok"));
    assert_false(is_system("ro"));
    assert_false(is_system_bytes((postern_bytes){ (const uint8_t *)text, 5 }));
}

static void a_name_longer_than_any_identity_is_no_account(void **state)
{
    char name[POSTERN_IDENTITY_MAX + 2];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    put("root:x:0:0::/:\n");
    assert_false(is_system(name));
    name[POSTERN_IDENTITY_MAX] = '\0';
    assert_false(is_system(name));
}

/* More than the list has room for at first. */
static void two_hundred_accounts_are_all_known(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(10000);
    char name[16];

    (void)state;
    for (int i = 0; i < 200; i++)
        postern_buf_addf(&text, "s%d:x:%d:0::/:\n", i, i);
    put(postern_buf_cstr(&text));
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        if (!is_system(name))
            fail_msg("%s", name);
    }
    assert_false(is_system("s200"));
}

static void no_file_and_an_empty_one_name_nobody(void **state)
{
    (void)state;
    assert_false(is_system("root"));
    put("");
    assert_false(is_system("root"));
    put("root:x:0:0::/:\n");
    assert_true(is_system("root"));
    test_folder_drop(&folder, "passwd");
    assert_true(is_system("root")); /* looked at a moment ago */
    mono_ms += POSTERN_ACCOUNTS_RECHECK_MS;
    assert_false(is_system("root"));
}

/* One that cannot be used must not make a system account an ordinary one. */
static void a_file_that_cannot_be_used_leaves_it_undecided(void **state)
{
    struct accounts *behind_a_file = NULL;
    postern_error err = { 0 };
    bool is_it = true;
    char path[100], want[200];

    (void)state;
    put("root:x:0:0::/:\n");
    assert_true(is_system("root"));
    test_folder_mode(&folder, "passwd", 0666);
    test_folder_put(&folder, "passwd", "other:x:0:0::/:\n");
    test_folder_mode(&folder, "passwd", 0666);
    mono_ms += POSTERN_ACCOUNTS_RECHECK_MS;
    for (int i = 0; i < 2; i++) { /* the second time too: it is tried again each time */
        assert_int_equal(
            postern_accounts_is_system(accounts, mono_ms, POSTERN_BYTES_LIT("root"), &is_it, &err),
            POSTERN_ERR_SYSTEM);
        (void)snprintf(want, sizeof want, "%s/passwd cannot be used", folder.path);
        assert_string_equal(err.detail, want);
    }
    (void)snprintf(path, sizeof path, "%s/passwd/x", folder.path);
    assert_int_equal(postern_accounts_new(path, &behind_a_file, NULL), POSTERN_OK);
    assert_int_equal(
        postern_accounts_is_system(behind_a_file, mono_ms, POSTERN_BYTES_LIT("root"), &is_it, &err),
        POSTERN_ERR_SYSTEM);
    (void)snprintf(want, sizeof want, "%s/passwd/x: Not a directory", folder.path);
    assert_string_equal(err.detail, want);
    postern_accounts_free(behind_a_file);
    postern_accounts_free(NULL);
    assert_true(is_it); /* what it was: nobody decided */
}

static postern_err ask_once(void *arg, postern_error *err)
{
    struct accounts *a = NULL;
    bool is_it;
    postern_err e;

    POSTERN_TRY(postern_accounts_new(arg, &a, err));
    e = postern_accounts_is_system(a, 0, POSTERN_BYTES_LIT("s64"), &is_it, err);
    if (e == POSTERN_OK)
        assert_true(is_it);
    postern_accounts_free(a);
    return e;
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(10000);
    char path[100];

    (void)state;
    for (int i = 0; i < 65; i++) /* one more than the list begins with */
        postern_buf_addf(&text, "s%d:x:%d:0::/:\n", i, i);
    put(postern_buf_cstr(&text));
    (void)snprintf(path, sizeof path, "%s/passwd", folder.path);
    assert_true(alloc_fail_sweep(ask_once, path, POSTERN_OK) > 4);
}

/* ---- trusted_file.c ---- */

static void a_file_is_trusted_by_its_owner_group_and_mode(void **state)
{
    uid_t us = geteuid(), stranger = us + 12345;
    const struct {
        const char *why;
        struct stat st;
        postern_err want;
    } cases[] = {
        { "ours", { .st_uid = us, .st_gid = stranger, .st_mode = 0644 }, POSTERN_OK },
        { "root's", { .st_uid = 0, .st_gid = stranger, .st_mode = 0644 }, POSTERN_OK },
        { "a stranger's", { .st_uid = stranger, .st_mode = 0600 }, POSTERN_ERR_CONFIG_FILE },
        { "everybody's", { .st_uid = us, .st_mode = 0602 }, POSTERN_ERR_CONFIG_FILE },
        { "root's group", { .st_uid = us, .st_gid = 0, .st_mode = 0664 }, POSTERN_OK },
        { "another group",
          { .st_uid = us, .st_gid = stranger, .st_mode = 0664 },
          POSTERN_ERR_CONFIG_FILE },
        { "that group may read",
          { .st_uid = us, .st_gid = stranger, .st_mode = 0640 },
          POSTERN_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (postern_trusted_file_check(&cases[i].st, "it", NULL) != cases[i].want)
            fail_msg("%s", cases[i].why);
}

static void a_file_is_the_same_when_nothing_that_stat_tells_has_changed(void **state)
{
    const struct stat one = {
        .st_dev = 1, .st_ino = 2, .st_size = 3, .st_mtim = { 4, 5 }, .st_ctim = { 6, 7 }
    };
    struct stat others[7] = { one, one, one, one, one, one, one };

    (void)state;
    others[0].st_dev++;
    others[1].st_ino++;
    others[2].st_size++;
    others[3].st_mtim.tv_sec++;
    others[4].st_mtim.tv_nsec++;
    others[5].st_ctim.tv_sec++;
    others[6].st_ctim.tv_nsec++;
    assert_true(postern_file_is_same(&one, &one));
    for (size_t i = 0; i < 7; i++)
        if (postern_file_is_same(&one, &others[i]))
            fail_msg("difference %zu", i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_with_a_low_uid_is_a_system_account),
        TEST(a_line_that_is_no_account_is_passed_over),
        TEST(a_name_with_a_nul_is_no_account),
        TEST(a_name_longer_than_any_identity_is_no_account),
        TEST(two_hundred_accounts_are_all_known),
        TEST(no_file_and_an_empty_one_name_nobody),
        TEST(a_file_that_cannot_be_used_leaves_it_undecided),
        TEST(every_failing_allocation_is_out_of_memory),
        TEST(a_file_is_trusted_by_its_owner_group_and_mode),
        TEST(a_file_is_the_same_when_nothing_that_stat_tells_has_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
