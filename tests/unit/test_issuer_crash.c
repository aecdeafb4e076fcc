/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The issuer killed with SIGKILL in the middle of issuance, redemption, rotation and revocation: what it answered stands, nothing
 * is given twice, nothing that was revoked comes back.  A child answers requests through routes_answer() and says down a pipe
 * what it answered; the parent kills it after a number of answers, opens the store again and asks.  Rounds: POSTERN_CRASH_ROUNDS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/effort.h"
#include "../support/test_folder.h"
#include "grants_fixture.h"

#define ROUNDS_FEW  60
#define ROUNDS_MANY 200
#define GRANTS 8        /* of one round; the child gets through some of them */
#define TEXT_MAX 48     /* bytes with NUL: a refresh token */
#define TOKEN_MAX 1024  /* bytes with NUL: an access token */

static char dir[64];

/* What the child did, told when it is done: a record is smaller than PIPE_BUF, so it comes whole. */
struct news {
    enum { REDEEMED = 1, ROTATED, REVOKED_ACCESS, REVOKED_GRANT } what;
    int grant;
    char refresh[TEXT_MAX]; /* the one that is good now */
    char access[TOKEN_MAX];
};

/* What the parent knows of one grant. */
struct known {
    bool is_redeemed, is_access_revoked, is_grant_revoked;
    char spent[TEXT_MAX]; /* a refresh token that was rotated away; "" none */
    char refresh[TEXT_MAX];
    char access[TOKEN_MAX];
};

static void tell(int fd, struct news n)
{
    if (write(fd, &n, sizeof n) != (ssize_t)sizeof n)
        _exit(1);
}

static void copy(struct grants_fixture *g, const char *member, char *room, size_t size)
{
    char *text = grants_take(g, member);

    if (snprintf(room, size, "%s", text) >= (int)size)
        _exit(2);
    free(text);
}

static void redeem(struct grants_fixture *g, int round, int i)
{
    grants_post(g, "/oauth/token", "agent-7", "grant_type=authorization_code&code=c%d-%d&code_verifier=" VERIFIER, round, i);
}

static void rotate(struct grants_fixture *g, const char *token)
{
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", token);
}

static void give_back(struct grants_fixture *g, const char *token)
{
    grants_post(g, "/oauth/revoke", "agent-7", "token=%s", token);
    if (g->f->answer.status != 200)
        _exit(4);
}

/* The child: one grant after the other, all it takes, until it is killed. */
static void work(struct grants_fixture *g, int fd, int round)
{
    for (int i = 0; i < GRANTS; i++) {
        struct news n = { .what = REDEEMED, .grant = i };

        redeem(g, round, i);
        copy(g, "refresh_token", n.refresh, sizeof n.refresh);
        copy(g, "access_token", n.access, sizeof n.access);
        tell(fd, n);
        for (int k = 0; k < i % 4; k++) {
            rotate(g, n.refresh);
            copy(g, "refresh_token", n.refresh, sizeof n.refresh);
            n.what = ROTATED;
            tell(fd, n);
        }
        if (i % 3 == 1)
            give_back(g, n.access);
        if (i % 3 == 2)
            give_back(g, n.refresh);
        n.what = i % 3 == 1 ? REVOKED_ACCESS : REVOKED_GRANT;
        if (i % 3 != 0)
            tell(fd, n);
    }
}

static void note(struct known *known, const struct news *n)
{
    struct known *k = &known[n->grant];

    switch (n->what) {
    case REDEEMED:
        k->is_redeemed = true;
        memcpy(k->access, n->access, sizeof k->access);
        break;
    case ROTATED:
        memcpy(k->spent, k->refresh, sizeof k->spent);
        break;
    case REVOKED_ACCESS:
        k->is_access_revoked = true;
        break;
    case REVOKED_GRANT:
        k->is_grant_revoked = true;
        break;
    }
    memcpy(k->refresh, n->refresh, sizeof k->refresh);
}

static void run_until_killed(struct grants_fixture *g, int round, int answers, struct known *known)
{
    int pipe_fds[2], status = 0;
    struct news n;
    pid_t pid;

    assert_int_equal(pipe(pipe_fds), 0);
    store_close(g->f->is.store); /* SQLite's handle may not cross a fork */
    g->f->is.store = NULL;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        g->f->is.tell_revoked = NULL;
        if (store_open(dir, &g->f->is.store, NULL) != POSTERN_OK ||
            own_token_load_keys(&g->f->is, g->jwks_file, NULL) != POSTERN_OK) /* a context is of one process */
            _exit(3);
        work(g, pipe_fds[1], round);
        (void)close(pipe_fds[1]); /* all is told */
        pause();
    }
    assert_int_equal(close(pipe_fds[1]), 0);
    for (int i = 0; i < answers && read(pipe_fds[0], &n, sizeof n) == (ssize_t)sizeof n; i++)
        note(known, &n);
    /* It goes on with the next request meanwhile: that one is cut in two, now or when it is nearly through. */
    assert_true(poll(&(struct pollfd){ .fd = pipe_fds[0], .events = POLLIN }, 1, round % 3) >= 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(pipe_fds[0], &n, sizeof n) == (ssize_t)sizeof n)
        note(known, &n); /* answered before the kill */
    assert_int_equal(close(pipe_fds[0]), 0);
    assert_int_equal(store_open(dir, &g->f->is.store, NULL), POSTERN_OK);
}

static bool is_active(struct grants_fixture *g, const char *token)
{
    grants_post(g, "/oauth/introspect", "agent-7", "token=%s", token);
    assert_status(g->f, 200);
    return postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")) == POSTERN_JSON_TRUE;
}

/* The newest refresh token: good, unless the one who was killed had rotated it on without an answer. */
static void check_newest(struct grants_fixture *g, const struct known *k)
{
    if (k->is_grant_revoked)
        assert_false(is_active(g, k->refresh));
    rotate(g, k->refresh);
    if (g->f->answer.status != 200)
        assert_error(g->f, 400, "invalid_grant");
    else
        assert_false(k->is_grant_revoked);
}

static void check_grant(struct grants_fixture *g, int round, int i, const struct known *k)
{
    if (!k->is_redeemed) { /* at most once from now on, and perhaps used without an answer */
        redeem(g, round, i);
        if (g->f->answer.status != 200)
            assert_error(g->f, 400, "invalid_grant");
        return;
    }
    if (k->is_access_revoked || k->is_grant_revoked)
        assert_false(is_active(g, k->access));
    check_newest(g, k);
    if (k->spent[0] != '\0') {
        rotate(g, k->spent);
        assert_error(g->f, 400, "invalid_grant");
    }
    redeem(g, round, i);
    assert_error(g->f, 400, "invalid_grant"); /* not a second time */
    assert_false(is_active(g, k->access)); /* the second time ended all of it */
}

static int count_rounds(void)
{
    const char *text = getenv("POSTERN_CRASH_ROUNDS");

    return text == NULL ? (int)test_effort(ROUNDS_FEW, ROUNDS_MANY) : (int)strtol(text, NULL, 10);
}

static void one_round(struct grants_fixture *g, int round)
{
    struct known known[GRANTS] = { { .is_redeemed = false } };
    char id[GRANT_ID_MAX], code[32];

    for (int i = 0; i < GRANTS; i++) {
        assert_true(snprintf(id, sizeof id, "g%d-%d", round, i) > 0 && snprintf(code, sizeof code, "c%d-%d", round, i) > 0);
        grants_allow(g, id, "agent-7", "mail.read", FIXTURE_IMAP, 86400, code);
    }
    run_until_killed(g, round, round % 30, known);
    for (int i = 0; i < GRANTS; i++) {
        g->told_count = 0;
        g->f->mono_ms += 60000; /* rates */
        check_grant(g, round, i, &known[i]);
    }
}

static void nothing_is_given_twice_and_nothing_revoked_comes_back(void **state)
{
    struct grants_fixture *g = *state;
    int rounds = count_rounds();

    assert_true(rounds > 0);
    grants_client(g, "agent-7", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, 0);
    for (int round = 0; round < rounds; round++) {
        one_round(g, round);
        assert_int_equal(store_grants_forget(g->f->is.store, g->f->now_s, NULL), POSTERN_OK);
    }
}

static int set_up(void **state)
{
    struct grants_fixture *g;

    if (grants_set_up(state) != 0 ||
        snprintf(dir, sizeof dir, "%s/postern-crash-XXXXXX", test_folder_fast()) < 0 ||
        mkdtemp(dir) == NULL)
        return -1;
    g = *state;
    store_close(g->f->is.store);
    return store_open(dir, &g->f->is.store, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "clients.db", "clients.db-wal", "clients.db-shm" };
    struct grants_fixture *g = *state;
    char path[128];

    store_close(g->f->is.store);
    g->f->is.store = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) > 0 && unlink(path) != 0 && errno != ENOENT)
            return -1;
    return rmdir(dir) == 0 ? grants_tear_down(state) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_given_twice_and_nothing_revoked_comes_back, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
