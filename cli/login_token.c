/* SPDX-License-Identifier: BSD-2-Clause */
/* See login_token.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/clock.h>
#include <postern/login.h>

#include "login_token.h"
#include "token_cache.h"

/* A refresh that is given up after it was sent costs the login: it gets more time than what can be
 * asked again. */
#define REFRESH_DEADLINE_MS 20000

/* ---- refreshing, under the entry's lock ---- */

static bool is_fresh(const struct login_entry *e, int64_t min_left_s)
{
    if (e->access_token == NULL)
        return false;
    if (e->expires_s == 0) /* the server did not say: used until it can be renewed */
        return e->refresh_token == NULL;
    return e->expires_s - clock_wall_s() > min_left_s;
}

static postern_err give(struct login_entry *e, struct token_got *ret)
{
    ret->token = POSTERN_STEAL(e->access_token);
    ret->info = (postern_token_info){ .expires_in_s = -1 };
    if (e->expires_s != 0)
        ret->info.expires_in_s = e->expires_s - clock_wall_s();
    memcpy(ret->info.scope, e->scope, sizeof ret->info.scope);
    memcpy(ret->info.subject, e->subject, sizeof ret->info.subject);
    return POSTERN_OK;
}

static void take_answer(postern_op *op, struct login_entry *e)
{
    const postern_token_info *info = postern_acquire_info(op);
    postern_secret *refresh_token = postern_acquire_take_refresh_token(op);

    postern_secret_free(e->access_token);
    e->access_token = postern_op_take_token(op);
    e->expires_s = info->expires_in_s < 0 ? 0 : clock_wall_s() + info->expires_in_s;
    if (info->scope[0] != '\0')
        memcpy(e->scope, info->scope, sizeof e->scope);
    if (info->subject[0] != '\0')
        memcpy(e->subject, info->subject, sizeof e->subject);
    if (refresh_token != NULL) { /* RFC 6749 §6: without a new one the old one stays good */
        postern_secret_free(e->refresh_token);
        e->refresh_token = refresh_token;
    }
    e->is_refreshing = false;
}

/* The server ended it: nothing of it is worth keeping. */
static void drop_tokens(struct login_entry *e)
{
    postern_secret_free(POSTERN_STEAL(e->access_token));
    postern_secret_free(POSTERN_STEAL(e->refresh_token));
    e->is_refreshing = false;
}

static bool is_ended(const postern_op *op)
{
    const char *word = postern_acquire_oauth_error(op);

    return word != NULL && strcmp(word, "invalid_grant") == 0;
}

/* What a failed refresh leaves: the old token where it is known to be good, none where the server
 * ended it, and the mark where nobody knows. */
static postern_err after_failure(const struct login_store *store, const char *name,
                                 const postern_op *op, struct login_entry *e, postern_err why,
                                 postern_error *err)
{
    char detail[sizeof err->detail];

    if (is_ended(op)) {
        drop_tokens(e);
        POSTERN_TRY(login_store_write(store, name, e, err));
        (void)snprintf(detail, sizeof detail, "%s", err == NULL ? "" : err->detail);
        return POSTERN_FAIL(err, LOGIN_NEEDED, "the authorization server ended the login: %s",
                            detail);
    }
    if (!postern_acquire_was_sent(op)) {
        e->is_refreshing = false;
        POSTERN_TRY(login_store_write(store, name, e, err));
    }
    return why;
}

static postern_err start_refresh(const struct token_settings *s, postern_bytes secret,
                                 const struct login_entry *e, postern_op **ret, postern_error *err)
{
    postern_refresh rq = {
        .size = sizeof rq,
        .agent = token_agent(s, secret),
        .refresh_token = postern_secret_bytes(e->refresh_token),
        .resource = e->resource[0] == '\0' ? NULL : e->resource,
    };

    rq.agent.deadline_ms = REFRESH_DEADLINE_MS;
    return postern_refresh_start(NULL, &rq, ret, err);
}

/*
 * The mark is on the disk before the request leaves: a refresh token that was perhaps used is never
 * sent again, because a server that rotates would take it for theft.
 */
static postern_err refresh(const struct token_settings *s, postern_bytes secret,
                           const struct login_store *store, const char *name,
                           struct login_entry *e, struct token_got *ret, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    postern_err why;

    POSTERN_TRY(start_refresh(s, secret, e, &op, err));
    e->is_refreshing = true;
    POSTERN_TRY(login_store_write(store, name, e, err));
    why = postern_op_run(op, err);
    token_keep_oauth_error(op, ret);
    if (why != POSTERN_OK)
        return after_failure(store, name, op, e, why, err);
    take_answer(op, e);
    if (e->access_token == NULL)
        return POSTERN_FAIL(err, INTERNAL, "a refresh without a token");
    POSTERN_TRY(login_store_write(store, name, e, err));
    return give(e, ret);
}

static postern_err check_refreshable(const struct login_entry *e, postern_error *err)
{
    if (e->refresh_token == NULL)
        return POSTERN_FAIL(err, LOGIN_NEEDED,
                            "the login is over: its token has expired, and there is no refresh "
                            "token");
    if (e->is_refreshing)
        return POSTERN_FAIL(err, LOGIN_NEEDED,
                            "an earlier refresh was cut off before its answer was stored; the "
                            "refresh token may be used up, and using it twice looks like theft");
    return POSTERN_OK;
}

static bool is_same(const postern_secret *a, const postern_secret *b)
{
    return a != NULL && b != NULL &&
           postern_bytes_equal_ct(postern_secret_bytes(a), postern_secret_bytes(b));
}

/* `seen`: the access token before the lock; another one now was fetched while we waited. */
static postern_err obtain_locked(const struct token_settings *s, postern_bytes secret,
                                 const struct login_store *store, const char *name,
                                 const struct token_want *want, const postern_secret *seen,
                                 struct token_got *ret, postern_error *err)
{
    __attribute__((cleanup(login_entry_auto))) struct login_entry e = { 0 };

    POSTERN_TRY(login_store_read(store, name, &e, err));
    if (is_fresh(&e, want->min_left_s) &&
        (!want->must_be_new || !is_same(seen, e.access_token))) {
        ret->is_stored = true;
        return give(&e, ret);
    }
    POSTERN_TRY(check_refreshable(&e, err));
    return refresh(s, secret, store, name, &e, ret, err);
}

static struct token_want with_margin(const struct token_want *want)
{
    struct token_want w = *want;

    if (w.min_left_s < TOKEN_CACHE_MARGIN_S)
        w.min_left_s = TOKEN_CACHE_MARGIN_S;
    return w;
}

/* ---- in a process of its own ---- */

/* What the child tells; written at once (PIPE_BUF), so it comes whole or not at all. */
struct refresh_word {
    postern_err verdict;
    char detail[384], oauth_error[TOKEN_OAUTH_ERROR_ROOM];
};

struct refresh_job {
    const struct token_settings *settings;
    postern_bytes secret;
    const struct login_store *store;
    const char *name;
    const struct token_want *want;
    const postern_secret *seen;
};

/* Nothing of ours but the store, the lock and the pipe: whoever reads our output need not wait. */
static bool leave_terminal(void)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    return null_fd >= 0 && setsid() >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
           dup2(null_fd, STDOUT_FILENO) >= 0 && dup2(null_fd, STDERR_FILENO) >= 0;
}

static void work_apart(const struct refresh_job *j, int pipe_fd)
{
    struct refresh_word word = { .verdict = POSTERN_ERR_SYSTEM, .detail = "a refresh did not begin" };
    struct token_got got = { 0 };
    postern_error err = { 0 };

    if (leave_terminal())
        word.verdict = obtain_locked(j->settings, j->secret, j->store, j->name, j->want, j->seen,
                                     &got, &err);
    if (err.code != POSTERN_ERR_UNSET)
        memcpy(word.detail, err.detail, sizeof word.detail);
    memcpy(word.oauth_error, got.oauth_error, sizeof word.oauth_error);
    token_got_free(&got);
    (void)signal(SIGPIPE, SIG_IGN); /* nobody may be there any more: the work is done all the same */
    (void)!write(pipe_fd, &word, sizeof word);
}

static postern_err hear_word(int pipe_fd, struct token_got *ret, postern_error *err)
{
    struct refresh_word word;
    ssize_t n;

    while ((n = read(pipe_fd, &word, sizeof word)) < 0 && errno == EINTR)
        continue;
    if (n != (ssize_t)sizeof word)
        return POSTERN_FAIL(err, SYSTEM, "a refresh ended without a word");
    memcpy(ret->oauth_error, word.oauth_error, sizeof ret->oauth_error);
    return word.verdict == POSTERN_OK ? POSTERN_OK
                                      : postern_error_set(err, word.verdict, __FILE__, __LINE__,
                                                          "%s", word.detail);
}

/* The token is read back from the disk: what could not be stored is not used. */
static postern_err read_back(const struct refresh_job *j, struct token_got *ret, postern_error *err)
{
    __attribute__((cleanup(login_entry_auto))) struct login_entry e = { 0 };

    POSTERN_TRY(login_store_read(j->store, j->name, &e, err));
    if (e.access_token == NULL)
        return POSTERN_FAIL(err, LOGIN_NEEDED, "the login was ended meanwhile");
    return give(&e, ret);
}

/*
 * Whoever waits for a token may be killed (a SASL host's patience ends, a person presses Ctrl-C);
 * a refresh that has begun must not be, or its answer is lost and the login with it.  The child has
 * the lock too, and keeps it until it is done.
 */
static postern_err refresh_apart(const struct refresh_job *j, struct token_got *ret,
                                 postern_error *err)
{
    int ends[2];
    pid_t pid;
    postern_err e;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return POSTERN_FAIL(err, SYSTEM, "pipe: %m");
    if ((pid = fork()) == 0) {
        work_apart(j, ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    e = pid < 0 ? POSTERN_FAIL(err, SYSTEM, "fork: %m") : hear_word(ends[0], ret, err);
    (void)close(ends[0]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return e == POSTERN_OK ? read_back(j, ret, err) : e;
}

postern_err login_token_obtain(const struct token_settings *s, const struct login_key *key,
                               postern_bytes secret, const struct token_want *want,
                               struct token_got *ret, postern_error *err)
{
    __attribute__((cleanup(login_store_auto))) struct login_store *store = NULL;
    __attribute__((cleanup(login_lock_auto))) struct login_lock *lock = NULL;
    __attribute__((cleanup(login_entry_auto))) struct login_entry seen = { 0 };
    struct token_want w = with_margin(want);
    char name[LOGIN_NAME_ROOM];

    *ret = (struct token_got){ 0 };
    POSTERN_TRY(login_store_open(&store, err));
    POSTERN_TRY(login_store_find(store, key, name, err));
    POSTERN_TRY(login_store_read(store, name, &seen, err));
    if (!w.must_be_new && is_fresh(&seen, w.min_left_s)) {
        ret->is_stored = true;
        return give(&seen, ret);
    }
    POSTERN_TRY(login_store_lock(store, name, &lock, err));
    return refresh_apart(
        &(struct refresh_job){ s, secret, store, name, &w, seen.access_token }, ret, err);
}

/* ---- exchanging ---- */

static postern_err run_exchange(const postern_exchange *rq, struct token_got *ret,
                                postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    postern_err e;

    POSTERN_TRY(postern_exchange_start(NULL, rq, &op, err));
    e = postern_op_run(op, err);
    token_keep_oauth_error(op, ret);
    if (e != POSTERN_OK)
        return e;
    ret->info = *postern_acquire_info(op);
    ret->token = postern_op_take_token(op);
    return ret->token != NULL ? POSTERN_OK
                              : POSTERN_FAIL(err, INTERNAL, "an exchange without a token");
}

postern_err login_token_exchange(const struct token_settings *s, postern_bytes secret,
                                 postern_bytes subject, const struct login_exchange *x,
                                 struct token_got *ret, postern_error *err)
{
    postern_exchange rq = {
        .size = sizeof rq,
        .agent = token_agent(s, secret),
        .subject_token = subject,
        .actor_token = x->actor_token,
        .resource = x->resource,
        .scope = x->scope,
        .purpose = x->purpose,
        .authorization_details = x->authorization_details,
    };
    struct token_got own = { 0 };
    postern_err e = POSTERN_OK;

    *ret = (struct token_got){ 0 };
    rq.agent.deadline_ms = x->deadline_ms;
    if (rq.actor_token.len == 0 && s->is_actor_self) {
        e = token_obtain_own(s, secret, &own, err);
        memcpy(ret->oauth_error, own.oauth_error, sizeof ret->oauth_error);
        if (e == POSTERN_OK)
            rq.actor_token = postern_secret_bytes(own.token);
    }
    if (e == POSTERN_OK)
        e = run_exchange(&rq, ret, err);
    token_got_free(&own);
    return e;
}

postern_err login_token_for(const struct token_settings *s, postern_bytes secret,
                            const struct token_want *want, struct token_got *ret,
                            postern_error *err)
{
    struct login_key key = { s->issuer, s->client_id, s->resource, s->person };
    const struct login_exchange x = { .resource = s->resource, .scope = s->scope };
    struct token_got login;
    postern_error why = { 0 };
    postern_err e = login_token_obtain(s, &key, secret, want, ret, &why);

    if (e != POSTERN_ERR_LOGIN_NEEDED || s->resource == NULL) {
        if (err != NULL)
            *err = why;
        return e;
    }
    key.resource = NULL;
    e = login_token_obtain(s, &key, secret, &(struct token_want){ 0 }, &login, err);
    if (e == POSTERN_OK)
        e = login_token_exchange(s, secret, postern_secret_bytes(login.token), &x, ret, err);
    else
        memcpy(ret->oauth_error, login.oauth_error, sizeof ret->oauth_error);
    token_got_free(&login);
    return e;
}
