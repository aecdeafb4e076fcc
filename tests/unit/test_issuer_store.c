/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/store_sqlite.c: what was answered is kept, over a reopen and over kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/test_folder.h"
#include "issuer/store_clients.h"
#include "issuer/store_inner.h"
#include "issuer/store_opaque.h"
#include "issuer/store_revocations.h"

#define CRASH_ADDS_MIN 40 /* how many adds the child acknowledges before it is killed */

struct fixture {
    char dir[64];
    struct store *store;
};

static struct store *open_store(const char *dir)
{
    struct store *s = NULL;
    postern_error err = { 0 };

    if (store_open(dir, &s, &err) != POSTERN_OK)
        fail_msg("open: %s", err.detail);
    return s;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL || snprintf(f->dir, sizeof f->dir, "%s/postern-store-XXXXXX", test_folder_fast()) < 0 ||
        mkdtemp(f->dir) == NULL)
        return -1;
    f->store = open_store(f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "clients.db", "clients.db-wal", "clients.db-shm" };
    struct fixture *f = *state;
    char path[128];

    store_close(f->store);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (snprintf(path, sizeof path, "%s/%s", f->dir, names[i]) > 0 && unlink(path) != 0 &&
            errno != ENOENT)
            return -1;
    if (rmdir(f->dir) != 0)
        return -1;
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = open_store(f->dir);
}

static store_add add(struct store *s, const char *name)
{
    struct client_record c = { .scopes = "mail.read", .resources = "https://m.example/imap", .created_s = 1000 };
    store_add result = STORE_ADD_UNSET;

    assert_true(snprintf(c.name, sizeof c.name, "%s", name) > 0);
    memset(c.secret_sha256, 0x5a, sizeof c.secret_sha256);
    assert_int_equal(store_client_add(s, &c, &result, NULL), POSTERN_OK);
    return result;
}

static bool has(struct store *s, const char *name)
{
    struct client_record c;
    bool found = false;

    assert_int_equal(store_client_find(s, name, &found, &c, NULL), POSTERN_OK);
    return found;
}

static void a_client_is_kept_with_all_it_has(void **state)
{
    struct fixture *f = *state;
    struct client_record c;
    bool found = false;

    assert_int_equal(add(f->store, "agent-7"), STORE_ADDED);
    reopen(f);
    assert_int_equal(store_client_find(f->store, "agent-7", &found, &c, NULL), POSTERN_OK);
    assert_true(found);
    assert_string_equal(c.name, "agent-7");
    assert_string_equal(c.scopes, "mail.read");
    assert_string_equal(c.resources, "https://m.example/imap");
    assert_int_equal(c.created_s, 1000);
    assert_int_equal(c.secret_sha256[31], 0x5a);
}

/* As a posternd without opaque tokens left it. */
static void undo_last_version(struct store *s)
{
    sqlite3_stmt *version = NULL;
    char text[64];

    assert_int_equal(sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &version, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(version), SQLITE_ROW);
    assert_true(snprintf(text, sizeof text, "DROP TABLE opaque; PRAGMA user_version = %d", sqlite3_column_int(version, 0) - 1) > 0);
    assert_int_equal(sqlite3_finalize(version), SQLITE_OK);
    for (size_t i = 0; i < STORE_QUERIES; i++)
        assert_int_equal(sqlite3_reset(s->queries[i]), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s->db, text, NULL, NULL, NULL), SQLITE_OK);
}

static void a_store_from_before_opaque_tokens_takes_them_and_keeps_its_clients(void **state)
{
    static const struct opaque_caps caps = { 1, 1, 1 };
    struct opaque_record o = { .client = "agent-7", .jti = "j-1", .claims = "{}", .exp_s = 2000 };
    POSTERN_AUTO_BUF claims = POSTERN_BUF_INIT(64);
    struct fixture *f = *state;
    store_opaque kept = STORE_OPAQUE_UNSET;
    bool is_found = true;

    assert_int_equal(add(f->store, "agent-7"), STORE_ADDED);
    undo_last_version(f->store);
    reopen(f);
    assert_true(has(f->store, "agent-7"));
    assert_int_equal(store_opaque_add(f->store, &o, &caps, 1000, &kept, NULL), POSTERN_OK);
    assert_int_equal(kept, STORE_OPAQUE_KEPT);
    reopen(f);
    assert_int_equal(store_opaque_find(f->store, o.sha256, &is_found, &claims, NULL), POSTERN_OK);
    assert_true(is_found);
}

static void names_are_unique_ignoring_case_but_found_exactly(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f->store, "agent"), STORE_ADDED);
    assert_int_equal(add(f->store, "agent"), STORE_EXISTS);
    assert_int_equal(add(f->store, "AGENT"), STORE_EXISTS);
    assert_true(has(f->store, "agent"));
    assert_false(has(f->store, "Agent"));
    assert_false(has(f->store, "agent' OR '1'='1"));
    assert_false(has(f->store, ""));
}

static void clients_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    struct client_record page[2];
    size_t count = 0;

    add(f->store, "b");
    add(f->store, "a");
    add(f->store, "c");
    assert_int_equal(store_client_list(f->store, "", page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 2);
    assert_string_equal(page[0].name, "a");
    assert_string_equal(page[1].name, "b");
    assert_int_equal(store_client_list(f->store, "b", page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 1);
    assert_string_equal(page[0].name, "c");
    assert_int_equal(store_client_list(f->store, "c", page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 0);
}

static int64_t remove_at(struct store *s, const char *name, int64_t now_s, bool want_found)
{
    bool found = !want_found;
    int64_t removed_s = 0;

    assert_int_equal(store_client_remove(s, name, now_s, now_s + 10, &found, &removed_s, NULL), POSTERN_OK);
    assert_int_equal(found, want_found);
    return removed_s;
}

static void a_removal_is_remembered_and_never_moves_back(void **state)
{
    struct fixture *f = *state;
    int64_t at = 0;

    add(f->store, "agent");
    assert_int_equal(remove_at(f->store, "agent", 2000, true), 2000);
    assert_false(has(f->store, "agent"));
    remove_at(f->store, "agent", 2001, false);
    add(f->store, "agent");
    assert_int_equal(remove_at(f->store, "agent", 1500, true), 2000); /* the clock was set back */
    reopen(f);
    assert_int_equal(store_client_removed_at(f->store, "agent", &at, NULL), POSTERN_OK);
    assert_int_equal(at, 2000);
    assert_int_equal(store_client_removed_at(f->store, "other", &at, NULL), POSTERN_OK);
    assert_true(at == STORE_NEVER);
}

static void old_removals_are_forgotten_and_younger_ones_listed(void **state)
{
    struct fixture *f = *state;
    struct revocation *removals = NULL;
    size_t count = 9;

    assert_int_equal(store_revocations_list(f->store, &removals, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 0);
    add(f->store, "old");
    add(f->store, "young");
    remove_at(f->store, "old", 1999, true);
    remove_at(f->store, "young", 2000, true);
    assert_int_equal(store_revocations_forget(f->store, 2010, NULL), POSTERN_OK);
    assert_int_equal(store_revocations_list(f->store, &removals, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 1);
    assert_string_equal(removals[0].name, "young");
    assert_int_equal(removals[0].before_s, 2000);
    free(removals);
}

static void files_of_the_store_are_private(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;

    add(f->store, "agent");
    assert_true(snprintf(path, sizeof path, "%s/clients.db", f->dir) > 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(snprintf(path, sizeof path, "%s/clients.db-wal", f->dir) > 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_store_that_others_can_read_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    postern_error err = { 0 };
    char path[128];

    store_close(f->store);
    f->store = NULL;
    assert_true(snprintf(path, sizeof path, "%s/clients.db", f->dir) > 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(store_open(f->dir, &s, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "0600"));
    assert_null(s);
    assert_int_equal(store_open("/nonexistent", &s, &err), POSTERN_ERR_CONFIG_FILE);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    char path[128];
    FILE *file;

    store_close(f->store);
    f->store = NULL;
    assert_true(snprintf(path, sizeof path, "%s/clients.db", f->dir) > 0);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 400; i++)
        assert_true(fputs("not a database. ", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(store_open(f->dir, &s, NULL), POSTERN_ERR_SYSTEM);
    assert_null(s);
}

static void crash_names(int i, char room[32])
{
    assert_true(snprintf(room, 32, "agent-%d", i) > 0);
}

/* Adds clients for ever and says so after each. */
static void add_until_killed(const char *dir, int report_fd)
{
    struct store *s = open_store(dir);
    char name[32];

    for (int i = 0;; i++) {
        crash_names(i, name);
        if (add(s, name) != STORE_ADDED || write(report_fd, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(1);
    }
}

static void every_acknowledged_add_survives_kill_9(void **state)
{
    struct fixture *f = *state;
    int fds[2], last = -1, status = 0;
    char name[32];
    pid_t pid;

    store_close(f->store);
    f->store = NULL;
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        add_until_killed(f->dir, fds[1]);
    assert_int_equal(close(fds[1]), 0);
    while (last < CRASH_ADDS_MIN)
        assert_int_equal(read(fds[0], &last, sizeof last), sizeof last);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(fds[0], &last, sizeof last) == (ssize_t)sizeof last)
        continue;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(close(fds[0]), 0);

    f->store = open_store(f->dir);
    for (int i = 0; i <= last; i++) {
        crash_names(i, name);
        if (!has(f->store, name))
            fail_msg("%s of %d was acknowledged and is gone", name, last + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_is_kept_with_all_it_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_from_before_opaque_tokens_takes_them_and_keeps_its_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_unique_ignoring_case_but_found_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clients_are_listed_in_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removal_is_remembered_and_never_moves_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_removals_are_forgotten_and_younger_ones_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_of_the_store_are_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_that_others_can_read_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_acknowledged_add_survives_kill_9, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
