/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An agent's own token: metadata, then one request by client_credentials (RFC 6749 §4.4, RFC 8707).
 * A state machine over a transport; opens no socket itself.  The client's side: the command line
 * and, later, doors call it through <postern/acquire.h>.
 *
 * The secret goes to the token endpoint that the issuer's own metadata names, after the document
 * proved to be the issuer's.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <postern-private/form.h>

#include "base/arena.h"
#include "grant/op.h"
#include "oauth/client_credentials.h"
#include "oauth/metadata.h"
#include "oauth/scope.h"
#include "oauth/token_answer.h"

#define STRINGS_MAX 16384 /* bytes of the copied request: each part is bounded below */
/* Bytes of "Basic …": id and secret, each byte encoded by three, then by 4/3. */
#define BASIC_MAX 8192
#define BODY_MAX 16384

struct acquire {
    postern_op op;
    const postern_http_transport *transport;
    postern_arena strings;
    struct postern_issuer issuer;
    const char *client_id, *resource, *scope,
        *tls_ca_file; /* resource, scope, tls_ca_file may be NULL */
    postern_secret *secret;
    bool allow_loopback_http;
    uid_t loopback_uid;
    const struct phase *phase;
    size_t place; /* where metadata is looked for */
    struct postern_metadata metadata;
    struct postern_http_exchange *exchange; /* NULL between two */
    int epoll_fd; /* holds the exchange's: one descriptor for the whole op */
    postern_token_info info;
    char oauth_error[POSTERN_OAUTH_ERROR_MAX];
};

/* One exchange: what is asked, and what its answer means.  finish: OK = the op is done, AGAIN = go
 * on with a->phase. */
struct phase {
    postern_err (*start)(struct acquire *a, postern_error *err);
    postern_err (*finish)(struct acquire *a, const struct postern_http_response *r,
                          postern_error *err);
};

static const struct phase metadata_phase, token_phase;

/* ---- starting an exchange ---- */

static postern_err start_exchange(struct acquire *a, struct postern_http_request *rq,
                                  postern_error *err)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int64_t left_ms = a->op.deadline_mono_ms - postern_op_mono_ms(&a->op);
    int fd;

    rq->tls_ca_file = a->tls_ca_file;
    rq->allow_loopback_http = a->allow_loopback_http;
    rq->check_listener = true;
    rq->listener_uid = a->loopback_uid;
    rq->deadline_ms = left_ms > 0 ? (int)left_ms : 1;
    POSTERN_TRY(a->transport->start(a->transport, rq, &a->exchange, err));
    fd = a->transport->fd(a->exchange);
    if (fd >= 0 && epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_ctl: %m");
    return POSTERN_OK;
}

static void end_exchange(struct acquire *a)
{
    int fd;

    if (a->exchange == NULL)
        return;
    if ((fd = a->transport->fd(a->exchange)) >= 0)
        (void)epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it is about to be closed anyway */
    a->transport->free(a->exchange);
    a->exchange = NULL;
}

static postern_err start_metadata(struct acquire *a, postern_error *err)
{
    POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(POSTERN_HTTP_URL_MAX);
    struct postern_http_request rq = { .method = "GET", .is_host_configured = true };

    if (!postern_metadata_place(&a->issuer, a->place, &url))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s publishes no metadata (RFC 8414)",
                            a->issuer.text);
    if ((rq.url = postern_buf_cstr(&url)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "metadata URL");
    return start_exchange(a, &rq, err);
}

/* "Basic " and both parts form-encoded, then base64: RFC 6749 §2.3.1. */
static void write_basic(const struct acquire *a, postern_buf *out)
{
    POSTERN_AUTO_BUF pair = POSTERN_BUF_INIT(BASIC_MAX);

    postern_form_encode(postern_bytes_str(a->client_id), &pair);
    postern_buf_add_byte(&pair, ':');
    postern_form_encode(postern_secret_bytes(a->secret), &pair);
    out->failed = out->failed || pair.failed;
    postern_buf_add_str(out, "Basic ");
    postern_base64_encode(postern_buf_bytes(&pair), out);
}

static postern_err start_token(struct acquire *a, postern_error *err)
{
    POSTERN_AUTO_BUF basic = POSTERN_BUF_INIT(BASIC_MAX);
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(BODY_MAX);
    struct postern_http_request rq = { .method = "POST", .url = a->metadata.token_endpoint };

    write_basic(a, &basic);
    postern_form_add(&body, "grant_type", POSTERN_BYTES_LIT("client_credentials"));
    if (a->resource != NULL)
        postern_form_add(&body, "resource", postern_bytes_str(a->resource));
    if (a->scope != NULL)
        postern_form_add(&body, "scope", postern_bytes_str(a->scope));
    if (basic.failed || body.failed)
        return POSTERN_FAIL(err, NOMEM, "token request");
    rq.authorization = postern_buf_bytes(&basic);
    rq.body = postern_buf_bytes(&body);
    rq.is_host_configured = a->metadata.is_endpoint_host_configured;
    return start_exchange(a, &rq, err);
}

/* ---- what answers mean ---- */

static postern_err finish_metadata(struct acquire *a, const struct postern_http_response *r,
                                   postern_error *err)
{
    if (r->status == 404) {
        a->place++;
        return POSTERN_AGAIN;
    }
    if (r->status != 200)
        return postern_answer_refuse_status(r, "metadata", err);
    POSTERN_TRY(postern_metadata_read(r, &a->issuer, &a->metadata, err));
    a->phase = &token_phase;
    return POSTERN_AGAIN;
}

static postern_err finish_token(struct acquire *a, const struct postern_http_response *r,
                                postern_error *err)
{
    switch (r->status) {
    case 200:
        POSTERN_TRY(postern_token_answer_read(r, a->scope, &a->info, &a->op.token, err));
        return POSTERN_OK;
    case 400:
    case 401:
    case 403: /* RFC 6749 knows 400 and 401; some servers say so for unauthorized_client */
        return postern_token_answer_refuse(r, postern_secret_bytes(a->secret), a->oauth_error, err);
    default:
        return postern_answer_refuse_status(r, "token endpoint", err);
    }
}

static const struct phase metadata_phase = { start_metadata, finish_metadata };
static const struct phase token_phase = { start_token, finish_token };

/* ---- the operation ---- */

static postern_err step_acquire(postern_op *op, postern_error *err)
{
    struct acquire *a = (struct acquire *)op;
    postern_err e;

    do { /* at most four exchanges: three places for metadata, one request */
        if (a->exchange == NULL)
            POSTERN_TRY(a->phase->start(a, err));
        e = a->transport->step(a->exchange, err);
        if (e == POSTERN_AGAIN)
            return e;
        if (e == POSTERN_OK)
            e = a->phase->finish(a, a->transport->response(a->exchange), err);
        end_exchange(a);
    } while (e == POSTERN_AGAIN);
    return e;
}

static int acquire_fd(const postern_op *op)
{
    const struct acquire *a = (const struct acquire *)op;

    return a->exchange != NULL && a->transport->fd(a->exchange) >= 0 ? a->epoll_fd : -1;
}

static int acquire_wait_ms(const postern_op *op)
{
    const struct acquire *a = (const struct acquire *)op;

    return a->exchange != NULL ? a->transport->wait_ms(a->exchange) : 0;
}

static void destroy_acquire(postern_op *op)
{
    struct acquire *a = (struct acquire *)op;

    end_exchange(a);
    postern_secret_free(a->secret);
    postern_arena_free(&a->strings);
    if (a->epoll_fd >= 0)
        (void)close(a->epoll_fd);
}

static const struct postern_op_class acquire_class = {
    .name = "acquire",
    .size = sizeof(struct acquire),
    .step = step_acquire,
    .fd = acquire_fd,
    .wait_ms = acquire_wait_ms,
    .destroy = destroy_acquire,
};

/* RFC 6749 §3.3: words with one blank between two. */
static bool is_scope(postern_bytes s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        bool is_edge = i == 0 || i + 1 == s.len || s.ptr[i - 1] == ' ';

        if (c == ' ' ? is_edge : !postern_is_scope_byte(c))
            return false;
    }
    return s.len != 0;
}

static postern_err check_request(const postern_acquire *rq, postern_error *err)
{
    size_t client_id_len = postern_bytes_str(rq->client_id).len;

    if (rq->size != sizeof *rq)
        return POSTERN_FAIL(err, USAGE, "postern_acquire of another version");
    if (rq->issuer == NULL || strlen(rq->issuer) >= POSTERN_URL_MAX)
        return POSTERN_FAIL(err, USAGE, "issuer is missing or longer than %d bytes",
                            POSTERN_URL_MAX - 1);
    if (client_id_len == 0 || client_id_len > POSTERN_CLIENT_ID_MAX)
        return POSTERN_FAIL(err, USAGE, "client_id is missing or longer than %d bytes",
                            POSTERN_CLIENT_ID_MAX);
    if (rq->client_secret.len == 0 || rq->client_secret.len > POSTERN_CLIENT_SECRET_MAX)
        return POSTERN_FAIL(err, USAGE, "client secret is empty or longer than %d bytes",
                            POSTERN_CLIENT_SECRET_MAX);
    if (rq->resource != NULL &&
        (rq->resource[0] == '\0' || strlen(rq->resource) >= POSTERN_HTTP_URL_MAX))
        return POSTERN_FAIL(err, USAGE, "resource is empty or longer than %d bytes",
                            POSTERN_HTTP_URL_MAX - 1);
    if (rq->scope != NULL && (strlen(rq->scope) >= sizeof((postern_token_info *)NULL)->scope ||
                              !is_scope(postern_bytes_str(rq->scope))))
        return POSTERN_FAIL(
            err, USAGE, "scope is not a list of scopes with one blank between two (RFC 6749 section 3.3)");
    return POSTERN_OK;
}

/* A copy that lives as long as the op; NULL stays NULL. */
static postern_err copy_text(struct acquire *a, const char *from, const char **ret,
                             postern_error *err)
{
    *ret = from == NULL ? NULL : postern_arena_text(&a->strings, postern_bytes_str(from));
    return from != NULL && *ret == NULL ? POSTERN_FAIL(err, NOMEM, "acquire request") : POSTERN_OK;
}

static postern_err copy_request(struct acquire *a, const postern_acquire *rq, postern_error *err)
{
    const char *issuer;

    POSTERN_TRY(copy_text(a, rq->issuer, &issuer, err));
    POSTERN_TRY(postern_issuer_read(issuer, &a->issuer, err));
    POSTERN_TRY(copy_text(a, rq->client_id, &a->client_id, err));
    POSTERN_TRY(copy_text(a, rq->resource, &a->resource, err));
    POSTERN_TRY(copy_text(a, rq->scope, &a->scope, err));
    POSTERN_TRY(copy_text(a, rq->tls_ca_file, &a->tls_ca_file, err));
    POSTERN_TRY(postern_secret_new(rq->client_secret, &a->secret, err));
    a->allow_loopback_http = rq->allow_loopback_http;
    a->loopback_uid = rq->loopback_uid;
    memcpy(a->op.failure.issuer, issuer,
           strlen(issuer) + 1); /* check_request() bounded it by POSTERN_URL_MAX */
    return POSTERN_OK;
}

postern_err postern_acquire_start_with(const postern_http_transport *transport,
                                       const postern_clock *clock, const postern_acquire *rq,
                                       postern_op **ret_op, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    struct acquire *a;

    POSTERN_TRY(check_request(rq, err));
    POSTERN_TRY(postern_op_new(&acquire_class, clock, rq->deadline_ms, &op, err));
    a = (struct acquire *)op;
    a->transport = transport;
    a->phase = &metadata_phase;
    a->strings = POSTERN_ARENA_INIT(STRINGS_MAX);
    if ((a->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_create1: %m");
    POSTERN_TRY(copy_request(a, rq, err));
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}

postern_err postern_acquire_start(const postern_clock *clock, const postern_acquire *rq,
                                  postern_op **ret_op, postern_error *err)
{
    return postern_acquire_start_with(&postern_http_curl, clock, rq, ret_op, err);
}

const postern_token_info *postern_acquire_info(const postern_op *op)
{
    const struct acquire *a = (const struct acquire *)op;

    return op->class == &acquire_class && op->verdict == POSTERN_OK ? &a->info : NULL;
}

const char *postern_acquire_oauth_error(const postern_op *op)
{
    const struct acquire *a = (const struct acquire *)op;

    return op->class == &acquire_class && a->oauth_error[0] != '\0' ? a->oauth_error : NULL;
}
