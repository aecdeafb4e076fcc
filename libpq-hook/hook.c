/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to PQAUTHDATA_OAUTH_BEARER_TOKEN: `postern token` is run beside libpq's own waiting.
 * The token is for the host that the program connects to and from the issuer of the client file;
 * what the server asks for (request->openid_configuration, ->scope) decides nothing.
 */
#include "config.h" /* first: asks libc for its extensions */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <libpq-fe.h>

#include <postern/run.h>

#include "hook.h"

#define SERVICE_DEFAULT "postgresql"

#define WEAK(name) extern __typeof__(name) name __attribute__((weak))
WEAK(PQsetAuthDataHook);
WEAK(PQgetAuthDataHook);
WEAK(PQhost);
WEAK(PQhostaddr);
WEAK(PQsocket);
WEAK(PQsslInUse);
WEAK(PQconninfo);
WEAK(PQconninfoFree);

/* Whoever hooked in before us; libpq's own otherwise. */
static PQauthDataHook_type previous;

/* One request, from the hook to its cleanup. */
struct request {
    postern_op *op;
    postern_secret *token;
    int wait;     /* epoll(7) on the two below: libpq waits for one descriptor and no time */
    int timer;    /* when the op wants a step anyway */
    int child;    /* the op's descriptor as it is watched; -1: none */
    bool is_deaf; /* SIGCHLD is blocked, by us */
};

static void explain(const postern_error *err)
{
    fprintf(stderr, "postern: %s: %s\n", postern_err_text(err->code), err->detail);
}

/* ---- the connection ---- */

/* A connection parameter; the caller frees.  NULL: not set. */
static char *copy_parameter(PGconn *conn, const char *name)
{
    PQconninfoOption *all = PQconninfo(conn);
    char *value = NULL;

    for (const PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
        if (strcmp(o->keyword, name) == 0 && o->val != NULL)
            value = strdup(o->val);
    PQconninfoFree(all);
    return value;
}

static postern_err check_peer(PGconn *conn, postern_error *err)
{
    char *user = copy_parameter(conn, "requirepeer");
    postern_err e = hook_peer(PQsocket(conn), user, err);

    free(user);
    return e;
}

static postern_err find_target(PGconn *conn, struct hook_goal *ret, postern_error *err)
{
    char *sslmode = copy_parameter(conn, "sslmode");
    const struct hook_connection c = {
        .host = PQhost(conn),
        .hostaddr = PQhostaddr(conn),
        .sslmode = sslmode,
        .is_tls = PQsslInUse(conn) != 0,
    };
    struct hook_goal goal = { .is_here = true };
    postern_err e = hook_target(&c, &goal, err);

    free(sslmode);
    POSTERN_TRY(e);
    if (goal.is_here)
        POSTERN_TRY(check_peer(conn, err));
    *ret = goal;
    return POSTERN_OK;
}

/* ---- SIGCHLD ---- */

/*
 * The end of our child must not end a poll(2) of the program: psql's \\connect takes an interrupted
 * one for a failed connection.  The signal is delivered when nobody waits.
 */
static void block_child_signal(struct request *r)
{
    sigset_t child, before;

    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    r->is_deaf =
        pthread_sigmask(SIG_BLOCK, &child, &before) == 0 && sigismember(&before, SIGCHLD) == 0;
}

static void unblock_child_signal(struct request *r)
{
    sigset_t child;

    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    if (r->is_deaf)
        (void)pthread_sigmask(SIG_UNBLOCK, &child, NULL);
    r->is_deaf = false;
}

/* ---- the request ---- */

static void free_request(struct request *r)
{
    if (r == NULL)
        return;
    postern_op_free(r->op);
    unblock_child_signal(r);
    postern_secret_free(r->token);
    if (r->wait >= 0)
        (void)close(r->wait);
    if (r->timer >= 0)
        (void)close(r->timer);
    free(r);
}

static void clean_up(PGconn *conn, PGoauthBearerRequest *request)
{
    (void)conn;
    free_request(POSTERN_STEAL(request->user));
    request->token = NULL;
}

static postern_err new_request(struct request **ret, postern_error *err)
{
    struct request *r = calloc(1, sizeof *r);
    struct epoll_event readable = { .events = EPOLLIN };

    if (r == NULL)
        return POSTERN_FAIL(err, NOMEM, "a request");
    r->child = -1;
    r->wait = epoll_create1(EPOLL_CLOEXEC);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->wait < 0 || r->timer < 0 ||
        epoll_ctl(r->wait, EPOLL_CTL_ADD, r->timer, &readable) != 0) {
        free_request(r);
        return POSTERN_FAIL(err, SYSTEM, "epoll: %m");
    }
    *ret = r;
    return POSTERN_OK;
}

/* libpq is to come back when the op has work. */
static bool watch(struct request *r)
{
    int fd = postern_op_fd(r->op), wait_ms = postern_op_wait_ms(r->op);
    struct epoll_event readable = { .events = EPOLLIN };
    /* Zero would stop the timer. */
    const struct itimerspec when = { .it_value = { wait_ms / 1000,
                                                   wait_ms % 1000 * 1000000L + 1 } };

    if (r->child >= 0 && fd != r->child)
        (void)epoll_ctl(r->wait, EPOLL_CTL_DEL, r->child,
                        NULL); /* it may be closed: then it is gone */
    if (fd >= 0 && fd != r->child && epoll_ctl(r->wait, EPOLL_CTL_ADD, fd, &readable) != 0)
        return false;
    r->child = fd;
    return timerfd_settime(r->timer, 0, &when, NULL) == 0;
}

/* What the op obtained; it is the request's until its cleanup. */
static postern_err give_token(struct request *r, PGoauthBearerRequest *request, postern_error *err)
{
    r->token = postern_op_take_token(r->op);
    if (r->token == NULL)
        return POSTERN_FAIL(err, INTERNAL, "no token");
    request->token = (char *)(uintptr_t)postern_secret_bytes(r->token).ptr; /* a NUL is behind it */
    return POSTERN_OK;
}

static PostgresPollingStatusType poll_request(PGconn *conn, PGoauthBearerRequest *request,
                                              int *altsock)
{
    struct request *r = request->user;
    postern_error err = { 0 };
    postern_err e = postern_op_step(r->op, &err);

    (void)conn;
    if (e == POSTERN_AGAIN && watch(r)) {
        *altsock = r->wait;
        return PGRES_POLLING_READING;
    }
    unblock_child_signal(r);
    if (e == POSTERN_AGAIN)
        e = POSTERN_FAIL(&err, SYSTEM, "epoll: %m");
    if (e == POSTERN_OK)
        e = give_token(r, request, &err);
    if (e != POSTERN_OK) {
        explain(&err);
        return PGRES_POLLING_FAILED;
    }
    return PGRES_POLLING_OK;
}

/* ---- the hook ---- */

static const char *service_name(void)
{
    const char *named = secure_getenv("POSTERN_PSQL_SERVICE");

    return named != NULL && named[0] != '\0' ? named : SERVICE_DEFAULT;
}

/*
 * A token that libpq has to wait for goes to the server over a new connection, of which we are not
 * told: by then somebody else may have the port.  So where it counts who answers it is not waited
 * for: libpq sends what is there at once over the connection that was judged.
 */
static postern_err finish_here(struct request *r, PGoauthBearerRequest *request, postern_error *err)
{
    postern_err e = postern_op_run(r->op, err);

    unblock_child_signal(r);
    POSTERN_TRY(e);
    return give_token(r, request, err);
}

/* NO_TOKEN: no client is configured for this user, and whoever was asked before is asked again. */
static postern_err begin(PGconn *conn, PGoauthBearerRequest *request, struct request **ret,
                         postern_error *err)
{
    struct hook_goal goal = { .is_here = true };
    postern_err e;

    POSTERN_TRY(new_request(ret, err));
    block_child_signal(*ret);
    POSTERN_TRY(find_target(conn, &goal, err));
    POSTERN_TRY(postern_run_token_start(goal.host, service_name(), &(*ret)->op, err));
    if (goal.is_here)
        return finish_here(*ret, request, err);
    e = postern_op_step((*ret)->op, err);
    return e == POSTERN_AGAIN ? POSTERN_OK : e;
}

static int answer(PGauthData type, PGconn *conn, void *data)
{
    PGoauthBearerRequest *request = data;
    struct request *r = NULL;
    postern_error err = { 0 };
    postern_err e;

    if (type != PQAUTHDATA_OAUTH_BEARER_TOKEN)
        return previous(type, conn, data);
    e = begin(conn, request, &r, &err);
    if (e != POSTERN_OK) {
        free_request(r);
        if (e == POSTERN_ERR_NO_TOKEN)
            return previous(type, conn, data);
        explain(&err);
        return -1;
    }
    request->user = r;
    request->async = poll_request;
    request->cleanup = clean_up;
    return 1;
}

__attribute__((constructor)) static void hook_in(void)
{
    if (PQsetAuthDataHook == NULL || PQgetAuthDataHook == NULL || PQhostaddr == NULL)
        return;
    previous = PQgetAuthDataHook();
    PQsetAuthDataHook(answer);
}
