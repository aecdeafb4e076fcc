/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpq-hook/hook.c: libpq is a fake that calls the hook and waits as libpq does; `postern token` is a shell script of the test's.  The real
 * psql is in tests/component/test_postgresql18.sh.
 */
#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <libpq-fe.h>

#include "../../libpq-hook/hook.h"
#include "../support/test_folder.h"

#define DEADLINE_MS 60000

static test_folder folder;

/* ---- libpq ------------------------------------------------------------------------------------------------------------- */

static PQauthDataHook_type hook; /* set before main() */
static unsigned previous_calls;
static const char *host, *hostaddr;
static PQconninfoOption options[3];
static int is_tls;

static int previous(PGauthData type, PGconn *conn, void *data)
{
    (void)type, (void)conn, (void)data;
    previous_calls++;
    return 0;
}

void PQsetAuthDataHook(PQauthDataHook_type h)
{
    hook = h;
}

PQauthDataHook_type PQgetAuthDataHook(void)
{
    return previous;
}

char *PQhost(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)host;
}

char *PQhostaddr(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)hostaddr;
}

int PQsslInUse(PGconn *conn)
{
    (void)conn;
    return is_tls;
}

#define CONNECTION_FD 4711 /* nobody looks at it */

int PQsocket(const PGconn *conn)
{
    (void)conn;
    return CONNECTION_FD;
}

PQconninfoOption *PQconninfo(PGconn *conn)
{
    (void)conn;
    return options;
}

void PQconninfoFree(PQconninfoOption *o)
{
    assert_ptr_equal(o, options);
}

/* ---- libpq-hook/peer.c, which has a test of its own ---------------------------------------------------------------------- */

static postern_err peer_verdict;
static unsigned peer_calls;
static char peer_user[32]; /* requirepeer, as it was handed over */

postern_err hook_peer(int fd, const char *require_peer, postern_error *err)
{
    assert_int_equal(fd, CONNECTION_FD);
    peer_calls++;
    (void)snprintf(peer_user, sizeof peer_user, "%s", require_peer == NULL ? "(none)" : require_peer);
    return peer_verdict == POSTERN_OK ? POSTERN_OK : POSTERN_FAIL(err, TLS_REQUIRED, "a stranger");
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------- */

static unsigned count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    assert_int_equal(closedir(d), 0);
    return n;
}

static bool hears_children(void)
{
    sigset_t now;

    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    return sigismember(&now, SIGCHLD) == 0;
}

static void install(const char *script)
{
    char text[512];

    (void)snprintf(text, sizeof text, "#!/bin/sh\nprintf '%%s ' \"$@\" >%s\n%s\n", test_folder_at(&folder, "args"), script);
    test_folder_put(&folder, "postern", text);
    test_folder_mode(&folder, "postern", 0755);
    (void)unlink(test_folder_at(&folder, "args"));
    assert_int_equal(setenv("POSTERN_COMMAND", test_folder_at(&folder, "postern"), 1), 0);
    assert_int_equal(setenv("POSTERN_CLIENT", "agent", 1), 0);
}

static bool was_run(void)
{
    return access(test_folder_at(&folder, "args"), F_OK) == 0;
}

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    host = "db.example.org";
    hostaddr = "192.0.2.1";
    options[0] = (PQconninfoOption){ .keyword = (char *)(uintptr_t)"sslmode", .val = (char *)(uintptr_t)"verify-full" };
    options[1] = (PQconninfoOption){ .keyword = NULL };
    is_tls = 1;
    previous_calls = peer_calls = 0;
    peer_verdict = POSTERN_OK;
    assert_int_equal(unsetenv("POSTERN_PSQL_SERVICE"), 0);
    assert_int_equal(setenv("HOME", folder.path, 1), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", folder.path, 1), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static unsigned kills;

/* The archive under test calls this one. */
int kill(pid_t pid, int number)
{
    kills++;
    return (int)syscall(SYS_kill, pid, number);
}

/* As libpq waits: readable, then again. */
static PostgresPollingStatusType wait_for_token(PGoauthBearerRequest *r)
{
    PostgresPollingStatusType status;
    int altsock = -1;

    while ((status = r->async(NULL, r, &altsock)) == PGRES_POLLING_READING) {
        struct pollfd p = { .fd = altsock, .events = POLLIN };

        assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    }
    return status;
}

static void a_token_is_fetched_for_the_host(void **state)
{
    PGoauthBearerRequest r = { .openid_configuration = "https://evil.example/.well-known/openid-configuration", .scope = "admin" };
    unsigned before = count_descriptors();
    char args[200] = "";
    FILE *f;

    (void)state;
    install("echo FETCHED");
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), 1);
    assert_false(hears_children());
    assert_int_equal(wait_for_token(&r), PGRES_POLLING_OK);
    assert_string_equal(r.token, "FETCHED");
    assert_true(hears_children());
    r.cleanup(NULL, &r);
    assert_null(r.token);
    assert_null(r.user);
    assert_int_equal(count_descriptors(), before);
    f = fopen(test_folder_at(&folder, "args"), "r");
    assert_non_null(f);
    assert_true(fread(args, 1, sizeof args - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(peer_calls, 0); /* the certificate told */
    assert_string_equal(args, "token --quiet --for-host db.example.org --for-service postgresql ");
}

static void no_token_is_a_failed_login(void **state)
{
    static const char *const scripts[] = { "exit 1", "echo SECRET; exit 3", "exit 0", "echo two words", "kill -9 $$" };

    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        PGoauthBearerRequest r = { .token = NULL };
        unsigned before = count_descriptors();

        install(scripts[i]);
        if (hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r) == 1) { /* else it had ended already */
            assert_int_equal(wait_for_token(&r), PGRES_POLLING_FAILED);
            r.cleanup(NULL, &r);
        }
        assert_true(was_run());
        assert_null(r.token);
        assert_null(r.user);
        assert_true(hears_children());
        assert_int_equal(count_descriptors(), before);
    }
}

static void a_login_that_is_given_up_leaves_nothing(void **state)
{
    PGoauthBearerRequest r = { .token = NULL };
    unsigned before = count_descriptors();
    int altsock = -1;

    (void)state;
    install("exec sleep 1000");
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), 1);
    assert_int_equal(r.async(NULL, &r, &altsock), PGRES_POLLING_READING);
    r.cleanup(NULL, &r); /* ends the child, or this waits for it */
    assert_true(hears_children());
    assert_int_equal(count_descriptors(), before);
}

/* Its number may be another process by then. */
static void a_child_that_the_program_reaped_is_not_killed(void **state)
{
    PGoauthBearerRequest r = { .token = NULL };
    int altsock = -1;

    (void)state;
    install("sleep 0.2; exit 1"); /* not over within the first step */
    kills = 0;
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), 1);
    assert_true(wait(NULL) > 0);
    r.cleanup(NULL, &r);
    assert_int_equal(kills, 0);
    install("exec sleep 1000");
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), 1);
    assert_int_equal(r.async(NULL, &r, &altsock), PGRES_POLLING_READING);
    r.cleanup(NULL, &r);
    assert_int_equal(kills, 1); /* one that is there is */
    assert_int_equal(wait(NULL), -1);
}

static void nothing_is_fetched_for_an_unverified_server(void **state)
{
    PGoauthBearerRequest r = { .token = NULL };
    unsigned before = count_descriptors();

    (void)state;
    install("echo FETCHED");
    options[0].val = (char *)(uintptr_t)"require";
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), -1);
    assert_false(was_run());
    options[0].val = (char *)(uintptr_t)"verify-full";
    is_tls = 0;
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), -1);
    assert_false(was_run());
    assert_null(r.user);
    assert_int_equal(previous_calls, 0);
    assert_true(hears_children());
    assert_int_equal(count_descriptors(), before);
}

/* Without TLS, to a name that leads to loopback or to the folder of a unix socket. */
static int ask_on_this_machine(const char *script, const char *named, PGoauthBearerRequest *r)
{
    install(script);
    host = named;
    hostaddr = named[0] == '/' ? "" : "127.0.0.1";
    options[0].val = (char *)(uintptr_t)"prefer";
    is_tls = 0;
    return hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, r);
}

static void on_this_machine_it_counts_who_answers(void **state)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "/run/postgresql" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        PGoauthBearerRequest r = { .token = NULL };
        unsigned before = count_descriptors();

        peer_verdict = POSTERN_ERR_TLS_REQUIRED;
        assert_int_equal(ask_on_this_machine("sleep 0.2; echo FETCHED", names[i], &r), -1);
        assert_false(was_run());
        assert_null(r.user);
        assert_true(hears_children());
        peer_verdict = POSTERN_OK;
        assert_int_equal(ask_on_this_machine("sleep 0.2; echo FETCHED", names[i], &r), 1);
        assert_non_null(r.token); /* at once: libpq would wait for it beside the connection, and make a new one */
        assert_string_equal(r.token, "FETCHED");
        assert_true(hears_children());
        r.cleanup(NULL, &r);
        assert_null(r.token);
        assert_int_equal(count_descriptors(), before);
        assert_int_equal(peer_calls, 2 * i + 2);
        assert_string_equal(peer_user, "(none)");
    }
}

static void on_this_machine_no_token_is_a_failed_login(void **state)
{
    static const char *const scripts[] = { "exit 1", "echo SECRET; exit 3", "echo two words", "sleep 0.2; kill -9 $$" };

    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        PGoauthBearerRequest r = { .token = NULL };
        unsigned before = count_descriptors();

        assert_int_equal(ask_on_this_machine(scripts[i], "localhost", &r), -1);
        assert_true(was_run());
        assert_null(r.token);
        assert_null(r.user);
        assert_true(hears_children());
        assert_int_equal(count_descriptors(), before);
    }
}

static void the_connection_may_name_the_servers_user(void **state)
{
    PGoauthBearerRequest r = { .token = NULL };

    (void)state;
    options[1] = (PQconninfoOption){ .keyword = (char *)(uintptr_t)"requirepeer", .val = (char *)(uintptr_t)"pg18" };
    peer_verdict = POSTERN_ERR_TLS_REQUIRED;
    assert_int_equal(ask_on_this_machine("echo FETCHED", "localhost", &r), -1);
    assert_string_equal(peer_user, "pg18");
}

static void a_name_that_leads_here_is_not_this_machine(void **state)
{
    PGoauthBearerRequest r = { .token = NULL };

    (void)state;
    assert_int_equal(ask_on_this_machine("echo FETCHED", "db.example.org", &r), -1);
    assert_false(was_run());
    assert_int_equal(peer_calls, 0); /* whoever it is */
}

static void what_is_not_ours_is_asked_of_who_was_there_before(void **state)
{
    PGoauthBearerRequest r = { .token = NULL };

    (void)state;
    install("echo FETCHED");
    assert_int_equal(hook(PQAUTHDATA_PROMPT_OAUTH_DEVICE, NULL, NULL), 0);
    assert_int_equal(previous_calls, 1);
    assert_int_equal(unsetenv("POSTERN_CLIENT"), 0); /* and there is no client.conf */
    assert_int_equal(hook(PQAUTHDATA_OAUTH_BEARER_TOKEN, NULL, &r), 0);
    assert_int_equal(previous_calls, 2);
    assert_false(was_run());
    assert_true(hears_children());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_fetched_for_the_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_token_is_a_failed_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_login_that_is_given_up_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_that_the_program_reaped_is_not_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_fetched_for_an_unverified_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(on_this_machine_it_counts_who_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(on_this_machine_no_token_is_a_failed_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_connection_may_name_the_servers_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_leads_here_is_not_this_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_asked_of_who_was_there_before, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
