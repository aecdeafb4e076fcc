/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/login_store.c: what is stored is read back whole, is nobody else's, and is one process's at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "login_store.h"
#include "tests/support/test_folder.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static test_folder folder;

static int make_folder(void **state)
{
    (void)state;
    test_folder_make(&folder);
    assert_int_equal(setenv("XDG_STATE_HOME", folder.path, 1), 0);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static struct login_store *open_store(void)
{
    struct login_store *s = NULL;
    postern_error err = { 0 };

    if (login_store_open(&s, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    return s;
}

/* An entry as a login makes it; its name in `name`. */
static struct login_entry entry(const char *resource, const char *person,
                                char name[LOGIN_NAME_ROOM])
{
    const struct login_key key = { "https://h", "agent-7", resource, person };
    struct login_entry e = { .issuer = "https://h",
                             .client_id = "agent-7",
                             .subject = "alice",
                             .scope = "mail.read",
                             .expires_s = 1700000300 };

    (void)snprintf(e.resource, sizeof e.resource, "%s", resource == NULL ? "" : resource);
    (void)snprintf(e.person, sizeof e.person, "%s", person == NULL ? "" : person);
    assert_int_equal(postern_secret_new(POSTERN_BYTES_LIT("acc.ess"), &e.access_token, NULL),
                     POSTERN_OK);
    assert_int_equal(postern_secret_new(POSTERN_BYTES_LIT("r \"3\\"), &e.refresh_token, NULL),
                     POSTERN_OK);
    assert_int_equal(login_store_name(&key, name, NULL), POSTERN_OK);
    return e;
}

static void put(struct login_store *s, const char *resource, const char *person)
{
    char name[LOGIN_NAME_ROOM];
    struct login_entry e = entry(resource, person, name);

    assert_int_equal(login_store_write(s, name, &e, NULL), POSTERN_OK);
    login_entry_free(&e);
}

static const char *at(const char *name)
{
    static char room[256];

    (void)snprintf(room, sizeof room, "%s/postern/logins/%s", folder.path, name);
    return room;
}

static void what_is_stored_is_read_back_and_is_private(void **state)
{
    struct login_store *s = open_store();
    char name[LOGIN_NAME_ROOM];
    struct login_entry e = entry("https://x/imap", "alice", name), got;
    struct stat st;

    (void)state;
    e.is_refreshing = true;
    assert_int_equal(login_store_write(s, name, &e, NULL), POSTERN_OK);
    assert_int_equal(login_store_read(s, name, &got, NULL), POSTERN_OK);
    assert_string_equal(got.issuer, e.issuer);
    assert_string_equal(got.client_id, e.client_id);
    assert_string_equal(got.resource, e.resource);
    assert_string_equal(got.person, e.person);
    assert_string_equal(got.subject, e.subject);
    assert_string_equal(got.scope, e.scope);
    assert_int_equal(got.expires_s, e.expires_s);
    assert_true(got.is_refreshing);
    assert_true(postern_bytes_equal_str(postern_secret_bytes(got.access_token), "acc.ess"));
    assert_true(postern_bytes_equal_str(postern_secret_bytes(got.refresh_token), "r \"3\\"));
    assert_int_equal(stat(at(name), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(at(""), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    login_entry_free(&e);
    login_entry_free(&got);
    login_store_close(s);
}

static void two_keys_never_have_one_name(void **state)
{
    static const struct login_key keys[] = {
        { "https://h", "a", "r", "p" }, { "https://h", "a", "rp", NULL },
        { "https://h", "a", NULL, "rp" }, { "https://ha", "", "r", "p" },
        { "https://h", "ar", NULL, "p" }, { "https://h", "a", "r", NULL },
    };
    char names[COUNT(keys)][LOGIN_NAME_ROOM];

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_int_equal(login_store_name(&keys[i], names[i], NULL), POSTERN_OK);
        for (size_t n = 0; n < i; n++)
            assert_string_not_equal(names[i], names[n]);
    }
}

static void one_login_is_found_and_several_are_not_guessed_at(void **state)
{
    static const struct {
        struct login_key key;
        postern_err want;
    } cases[] = {
        { { "https://h", "agent-7", "https://x/imap", NULL }, POSTERN_ERR_USAGE },
        { { "https://h", "agent-7", "https://x/imap", "alice" }, POSTERN_OK },
        { { "https://h", "agent-7", "https://x/ldap", NULL }, POSTERN_OK },
        { { "https://h", "agent-7", NULL, "bob" }, POSTERN_OK },
        { { "https://h", "agent-7", NULL, NULL }, POSTERN_ERR_USAGE },
        { { "https://h", "agent-7", NULL, "carol" }, POSTERN_ERR_LOGIN_NEEDED },
        { { "https://h/", "agent-7", NULL, "bob" }, POSTERN_ERR_LOGIN_NEEDED },
        { { "https://h", "agent-8", NULL, "bob" }, POSTERN_ERR_LOGIN_NEEDED },
    };
    struct login_store *s = open_store();
    char name[LOGIN_NAME_ROOM];

    (void)state;
    put(s, "https://x/imap", "alice");
    put(s, "https://x/imap", "bob");
    put(s, "https://x/ldap", "dave");
    for (size_t i = 0; i < COUNT(cases); i++)
        if (login_store_find(s, &cases[i].key, name, NULL) != cases[i].want)
            fail_msg("case %zu", i);
    login_store_close(s);
}

static void a_file_that_others_may_read_or_that_is_damaged_is_no_login(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "{}", "{\"issuer\":1}", "{\"issuer\":\"https://h\",\"expires\":\"x\"}",
        "{\"issuer\":\"https://h\",\"access_token\":7}",
        "{\"issuer\":\"https://h\",\"refresh_token\":\"\"}",
    };
    struct login_store *s = open_store();
    char name[LOGIN_NAME_ROOM], file[128];
    struct login_entry e = entry("r", NULL, name), got;

    (void)state;
    (void)snprintf(file, sizeof file, "postern/logins/%s", name);
    for (size_t i = 0; i < COUNT(bad); i++) {
        test_folder_put(&folder, file, bad[i]);
        test_folder_mode(&folder, file, 0600);
        if (login_store_read(s, name, &got, NULL) != POSTERN_ERR_CONFIG_FILE)
            fail_msg("%s", bad[i]);
        login_entry_free(&got);
    }
    assert_int_equal(login_store_write(s, name, &e, NULL), POSTERN_OK);
    test_folder_mode(&folder, file, 0640);
    assert_int_equal(login_store_read(s, name, &got, NULL), POSTERN_ERR_CONFIG_FILE);
    login_entry_free(&got);
    assert_int_equal(login_store_remove(s, name, NULL), POSTERN_OK);
    assert_int_equal(login_store_read(s, name, &got, NULL), POSTERN_ERR_LOGIN_NEEDED);
    assert_int_equal(login_store_remove(s, name, NULL), POSTERN_OK);
    login_entry_free(&got);
    login_entry_free(&e);
    login_store_close(s);
}

static void a_link_in_place_of_a_login_is_not_followed(void **state)
{
    struct login_store *s = open_store();
    char name[LOGIN_NAME_ROOM];
    struct login_entry e = entry("r", NULL, name), got;

    (void)state;
    assert_int_equal(symlink("/etc/passwd", at(name)), 0);
    assert_int_equal(login_store_read(s, name, &got, NULL), POSTERN_ERR_CONFIG_FILE);
    login_entry_free(&got);
    login_entry_free(&e);
    login_store_close(s);
}

static void a_folder_that_others_may_enter_is_refused(void **state)
{
    struct login_store *s = open_store();

    (void)state;
    login_store_close(s);
    s = NULL;
    test_folder_mode(&folder, "postern/logins", 0750);
    assert_int_equal(login_store_open(&s, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    assert_int_equal(setenv("HOME", "relative", 1), 0);
    assert_int_equal(login_store_open(&s, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_null(s);
}

/* A child that has the lock until its pipe is closed. */
static pid_t hold_lock(const char *name, int *ret_release_fd)
{
    int ready[2], release[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(release), 0);
    if ((pid = fork()) == 0) {
        struct login_store *s = NULL;
        struct login_lock *l = NULL;

        (void)close(release[1]);
        if (login_store_open(&s, NULL) != POSTERN_OK ||
            login_store_lock(s, name, &l, NULL) != POSTERN_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        (void)!read(release[0], &byte, 1);
        _exit(login_store_remove(s, name, NULL) == POSTERN_OK ? 0 : 1);
    }
    assert_true(pid > 0);
    (void)close(release[0]);
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    *ret_release_fd = release[1];
    return pid;
}

static void whoever_waits_for_a_lock_gets_it_when_the_holder_removed_the_login(void **state)
{
    struct login_store *s = open_store();
    struct login_lock *l = NULL;
    char name[LOGIN_NAME_ROOM], file[LOGIN_NAME_ROOM + 8];
    struct login_entry e = entry("r", NULL, name);
    struct stat st;
    int release_fd, status;
    pid_t holder;

    (void)state;
    holder = hold_lock(name, &release_fd);
    (void)close(release_fd);
    assert_int_equal(login_store_lock(s, name, &l, NULL), POSTERN_OK);
    (void)snprintf(file, sizeof file, "%s.lock", name);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(status, 0);
    login_store_unlock(l);
    assert_int_equal(login_store_lock(s, name, &l, NULL), POSTERN_OK);
    assert_int_equal(stat(at(file), &st), 0); /* the lock is on a file that has the name */
    login_store_unlock(l);
    login_entry_free(&e);
    login_store_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_stored_is_read_back_and_is_private),
        TEST(two_keys_never_have_one_name),
        TEST(one_login_is_found_and_several_are_not_guessed_at),
        TEST(a_file_that_others_may_read_or_that_is_damaged_is_no_login),
        TEST(a_link_in_place_of_a_login_is_not_followed),
        TEST(whoever_waits_for_a_lock_gets_it_when_the_holder_removed_the_login),
        TEST(a_folder_that_others_may_enter_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
