/* SPDX-License-Identifier: BSD-2-Clause */
/* See token_call.h. */
#include "oauth/token_call.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "oauth/scope.h"

/* Bytes of the copied request: names, issuer, CA file, and a login's address and redirect. */
#define STRINGS_MAX 32768
/* The form, a secret or an assertion beside it, percent-encoded. */
#define BODY_MAX (POSTERN_FORM_BODY_MAX + 16384)

/* One exchange: what is asked, and what its answer means.  finish: OK = the op is done, AGAIN = go
 * on with call->phase. */
struct postern_call_phase {
    postern_err (*start)(struct postern_call *c, postern_error *err);
    postern_err (*finish)(struct postern_call *c, const struct postern_http_response *r,
                          postern_error *err);
};

static const struct postern_call_phase metadata_phase, request_phase;

static const struct postern_call_kind *kind_of(const struct postern_call *c)
{
    return (const struct postern_call_kind *)c->op.class; /* its first member */
}

/* ---- starting an exchange ---- */

static postern_err start_exchange(struct postern_call *c, struct postern_http_request *rq,
                                  postern_error *err)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int64_t left_ms = c->op.deadline_mono_ms - postern_op_mono_ms(&c->op);
    int fd;

    rq->tls_ca_file = c->agent.tls_ca_file;
    rq->allow_loopback_http = c->agent.allow_loopback_http;
    rq->check_listener = true;
    rq->listener_uid = c->agent.loopback_uid;
    rq->deadline_ms = left_ms > 0 ? (int)left_ms : 1;
    POSTERN_TRY(c->transport->start(c->transport, rq, &c->exchange, err));
    fd = c->transport->fd(c->exchange);
    if (fd >= 0 && epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_ctl: %m");
    return POSTERN_OK;
}

static void end_exchange(struct postern_call *c)
{
    int fd;

    if (c->exchange == NULL)
        return;
    if ((fd = c->transport->fd(c->exchange)) >= 0)
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it is about to be closed anyway */
    c->transport->free(c->exchange);
    c->exchange = NULL;
}

static postern_err start_metadata(struct postern_call *c, postern_error *err)
{
    POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(POSTERN_HTTP_URL_MAX);
    struct postern_http_request rq = { .method = "GET", .is_host_configured = true };

    if (!postern_metadata_place(&c->issuer, c->place, &url))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s publishes no metadata (RFC 8414)",
                            c->issuer.text);
    if ((rq.url = postern_buf_cstr(&url)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "metadata URL");
    return start_exchange(c, &rq, err);
}

static postern_err start_request(struct postern_call *c, postern_error *err)
{
    POSTERN_AUTO_BUF authorization = POSTERN_BUF_INIT(POSTERN_BASIC_MAX);
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(BODY_MAX);
    unsigned takes;
    const struct postern_endpoint *to = kind_of(c)->endpoint(c, &takes);
    struct postern_client_proof proof = {
        .auth = c->agent.auth,
        .issuer = c->agent.issuer,
        .client_id = c->agent.client_id,
        .secret = c->agent.credential,
        .signer = c->signer,
    };
    struct postern_http_request rq = { .method = "POST",
                                       .url = to->url,
                                       .is_host_configured = to->is_host_configured };

    postern_buf_add(&body, postern_buf_bytes(&c->form));
    POSTERN_TRY(postern_client_auth_add(&proof, takes, postern_op_now_s(&c->op), &authorization,
                                        &body, &c->assertion, err));
    rq.authorization = postern_buf_bytes(&authorization);
    rq.body = postern_buf_bytes(&body);
    return start_exchange(c, &rq, err);
}

/* ---- what answers mean ---- */

static postern_err finish_metadata(struct postern_call *c, const struct postern_http_response *r,
                                   postern_error *err)
{
    if (r->status == 404) {
        c->place++;
        return POSTERN_AGAIN;
    }
    if (r->status != 200)
        return postern_answer_refuse_status(r, "metadata", err);
    POSTERN_TRY(postern_metadata_read(r, &c->issuer, kind_of(c)->needs, &c->metadata, err));
    if (kind_of(c)->endpoint == NULL)
        return kind_of(c)->accept(c, NULL, err);
    c->phase = &request_phase;
    return POSTERN_AGAIN;
}

static postern_err refuse(struct postern_call *c, const struct postern_http_response *r,
                          postern_error *err)
{
    postern_bytes sent[POSTERN_CALL_SECRETS + 2] = { c->agent.credential,
                                                     postern_buf_bytes(&c->assertion) };

    for (size_t i = 0; i < POSTERN_CALL_SECRETS; i++)
        if (c->secrets[i] != NULL)
            sent[i + 2] = postern_secret_bytes(c->secrets[i]);
    return postern_token_answer_refuse(r, sent, POSTERN_CALL_SECRETS + 2, c->oauth_error, err);
}

static postern_err finish_request(struct postern_call *c, const struct postern_http_response *r,
                                  postern_error *err)
{
    postern_err e;

    switch (r->status) {
    case 200:
        return kind_of(c)->accept(c, r, err);
    case 400:
    case 401:
    case 403: /* RFC 6749 knows 400 and 401; some servers say so for unauthorized_client */
        e = refuse(c, r, err);
        c->is_spent = e != POSTERN_ERR_TOKEN_REFUSED;
        return e;
    case 429:
    case 503: /* turned away at the door; any other failure may have come after the work */
        c->is_spent = false;
        return postern_answer_refuse_status(r, "token endpoint", err);
    default:
        return postern_answer_refuse_status(r, "token endpoint", err);
    }
}

static const struct postern_call_phase metadata_phase = { start_metadata, finish_metadata };
static const struct postern_call_phase request_phase = { start_request, finish_request };

const struct postern_endpoint *postern_call_token_endpoint(const struct postern_call *call,
                                                           unsigned *ret_takes)
{
    *ret_takes = call->metadata.token_auth;
    return &call->metadata.token;
}

postern_err postern_call_accept_token(struct postern_call *call,
                                      const struct postern_http_response *r, postern_error *err)
{
    POSTERN_TRY(postern_token_answer_read(r, &call->asked, &call->answer, err));
    call->op.token = POSTERN_STEAL(call->answer.token);
    return POSTERN_OK;
}

/* ---- the operation ---- */

static postern_err begin(struct postern_call *c, postern_error *err)
{
    if (c->has_begun)
        return POSTERN_OK;
    c->has_begun = true;
    return kind_of(c)->begin == NULL ? POSTERN_OK : kind_of(c)->begin(c, err);
}

/* The exchange as far as it gets; AGAIN: it waits, and is still there. */
static postern_err step_exchange(struct postern_call *c, postern_error *err)
{
    postern_err e = c->transport->step(c->exchange, err);

    if (e == POSTERN_AGAIN)
        return e;
    if (c->phase == &request_phase)
        c->is_spent = e == POSTERN_OK || c->transport->was_sent(c->exchange);
    if (e == POSTERN_OK)
        e = c->phase->finish(c, c->transport->response(c->exchange), err);
    end_exchange(c);
    return e;
}

postern_err postern_call_step(postern_op *op, postern_error *err)
{
    struct postern_call *c = (struct postern_call *)op;
    postern_err e;

    POSTERN_TRY(begin(c, err));
    do { /* at most four exchanges: three places for metadata, one request */
        if (c->exchange == NULL)
            POSTERN_TRY(c->phase->start(c, err));
        e = step_exchange(c, err);
    } while (e == POSTERN_AGAIN && c->exchange == NULL);
    return e;
}

int postern_call_fd(const postern_op *op)
{
    const struct postern_call *c = (const struct postern_call *)op;

    return c->exchange != NULL && c->transport->fd(c->exchange) >= 0 ? c->epoll_fd : -1;
}

int postern_call_wait_ms(const postern_op *op)
{
    const struct postern_call *c = (const struct postern_call *)op;

    return c->exchange != NULL ? c->transport->wait_ms(c->exchange) : 0;
}

void postern_call_destroy(postern_op *op)
{
    struct postern_call *c = (struct postern_call *)op;

    if (kind_of(c)->destroy != NULL)
        kind_of(c)->destroy(c);
    end_exchange(c);
    for (size_t i = 0; i < POSTERN_CALL_SECRETS; i++)
        postern_secret_free(c->secrets[i]);
    postern_secret_free(c->answer.token);
    postern_secret_free(c->answer.refresh_token);
    postern_signer_free(c->signer);
    postern_secret_free(c->credential);
    postern_buf_free(&c->form);
    postern_buf_free(&c->assertion);
    postern_arena_free(&c->strings);
    if (c->epoll_fd >= 0)
        (void)close(c->epoll_fd);
}

/* ---- what is asked ---- */

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

static postern_err check_credential(const postern_agent *a, postern_error *err)
{
    size_t len = a->credential.len;

    switch (a->auth) {
    case POSTERN_CLIENT_AUTH_SECRET:
        if (len == 0 || len > POSTERN_CLIENT_SECRET_MAX)
            return POSTERN_FAIL(err, USAGE, "client secret is empty or longer than %d bytes",
                                POSTERN_CLIENT_SECRET_MAX);
        return POSTERN_OK;
    case POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT:
        if (len == 0 || len > POSTERN_SIGNER_PEM_MAX)
            return POSTERN_FAIL(err, USAGE, "private key is empty or longer than %d bytes",
                                POSTERN_SIGNER_PEM_MAX);
        return POSTERN_OK;
    case POSTERN_CLIENT_AUTH_NONE:
        if (len != 0)
            return POSTERN_FAIL(err, USAGE, "a client without authentication has no credential");
        return POSTERN_OK;
    }
    return POSTERN_FAIL(err, USAGE, "client authentication of no kind that there is");
}

static postern_err check_agent(const postern_agent *a, postern_error *err)
{
    postern_bytes client_id = postern_bytes_str(a->client_id);

    if (a->issuer == NULL || strlen(a->issuer) >= POSTERN_URL_MAX)
        return POSTERN_FAIL(err, USAGE, "issuer is missing or longer than %d bytes",
                            POSTERN_URL_MAX - 1);
    if (client_id.len == 0 || client_id.len > POSTERN_CLIENT_ID_MAX)
        return POSTERN_FAIL(err, USAGE, "client_id is missing or longer than %d bytes",
                            POSTERN_CLIENT_ID_MAX);
    return check_credential(a, err);
}

postern_err postern_call_copy(struct postern_call *call, const char *from, const char **ret,
                              postern_error *err)
{
    *ret = from == NULL ? NULL : postern_arena_text(&call->strings, postern_bytes_str(from));
    return from != NULL && *ret == NULL ? POSTERN_FAIL(err, NOMEM, "%s", call->op.class->name)
                                        : POSTERN_OK;
}

static postern_err copy_agent(struct postern_call *c, const postern_agent *a, postern_error *err)
{
    postern_failure *failure = postern_op_tell(&c->op);

    if (failure == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", c->op.class->name);
    c->agent = *a;
    c->agent.credential = POSTERN_BYTES_NONE;
    POSTERN_TRY(postern_call_copy(c, a->issuer, &c->agent.issuer, err));
    POSTERN_TRY(postern_issuer_read(c->agent.issuer, &c->issuer, err));
    POSTERN_TRY(postern_call_copy(c, a->client_id, &c->agent.client_id, err));
    POSTERN_TRY(postern_call_copy(c, a->tls_ca_file, &c->agent.tls_ca_file, err));
    POSTERN_TRY(postern_secret_new(a->credential, &c->credential, err));
    c->agent.credential = postern_secret_bytes(c->credential);
    c->asked.issuer = c->agent.issuer;
    c->asked.client_id = c->agent.client_id;
    memcpy(failure->issuer, c->agent.issuer,
           strlen(c->agent.issuer) + 1); /* check_agent() bounded it by POSTERN_URL_MAX */
    if (a->auth == POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT)
        return postern_signer_from_pem(c->agent.credential, &c->signer, err);
    return POSTERN_OK;
}

postern_err postern_call_new(const struct postern_call_kind *kind,
                             const postern_http_transport *transport, const postern_clock *clock,
                             const postern_agent *agent, struct postern_call **ret,
                             postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    struct postern_call *c;

    POSTERN_TRY(check_agent(agent, err));
    POSTERN_TRY(postern_op_new(&kind->class, clock, agent->deadline_ms, &op, err));
    c = (struct postern_call *)op;
    c->transport = transport;
    c->phase = &metadata_phase;
    c->strings = POSTERN_ARENA_INIT(STRINGS_MAX);
    c->form = POSTERN_BUF_INIT(POSTERN_FORM_BODY_MAX);
    c->assertion = POSTERN_BUF_INIT(POSTERN_ASSERTION_MAX);
    if ((c->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "epoll_create1: %m");
    POSTERN_TRY(copy_agent(c, agent, err));
    op = NULL;
    *ret = c;
    return POSTERN_OK;
}

postern_err postern_call_hand_over(struct postern_call *take_call, postern_op **ret_op,
                                   postern_error *err)
{
    if (take_call->form.failed) {
        postern_op_free(&take_call->op);
        return POSTERN_FAIL(err, NOMEM, "a request of more than %d bytes, or no memory for it",
                            POSTERN_FORM_BODY_MAX);
    }
    *ret_op = &take_call->op;
    return POSTERN_OK;
}

void postern_call_set_metadata(struct postern_call *call, const struct postern_metadata *metadata)
{
    call->metadata = *metadata;
    call->phase = &request_phase;
}

void postern_call_add(struct postern_call *call, const char *name, const char *value)
{
    if (value != NULL)
        postern_form_add(&call->form, name, postern_bytes_str(value));
}

postern_err postern_call_add_secret(struct postern_call *call, const char *name,
                                    postern_bytes value, postern_error *err)
{
    size_t i = 0;

    while (i < POSTERN_CALL_SECRETS && call->secrets[i] != NULL)
        i++;
    if (i == POSTERN_CALL_SECRETS)
        return POSTERN_FAIL(err, INTERNAL, "%s: too many secrets", call->op.class->name);
    postern_form_add(&call->form, name, value);
    return postern_secret_new(value, &call->secrets[i], err);
}

postern_err postern_call_add_target(struct postern_call *call, const char *resource,
                                    const char *scope, postern_error *err)
{
    if (resource != NULL && (resource[0] == '\0' || strlen(resource) >= POSTERN_HTTP_URL_MAX))
        return POSTERN_FAIL(err, USAGE, "resource is empty or longer than %d bytes",
                            POSTERN_HTTP_URL_MAX - 1);
    if (scope != NULL && (strlen(scope) >= sizeof((postern_token_info *)NULL)->scope ||
                          !is_scope(postern_bytes_str(scope))))
        return POSTERN_FAIL(
            err, USAGE,
            "scope is not a list of scopes with one blank between two (RFC 6749 section 3.3)");
    postern_call_add(call, "resource", resource);
    postern_call_add(call, "scope", scope);
    return postern_call_copy(call, scope, &call->asked.scope, err);
}

/* ---- what came of it ---- */

struct postern_call *postern_call_of(postern_op *op)
{
    return op->class->step == postern_call_step ? (struct postern_call *)op : NULL;
}

const postern_token_info *postern_acquire_info(const postern_op *op)
{
    const struct postern_call *c = (const struct postern_call *)op;

    return op->class->step == postern_call_step && op->verdict == POSTERN_OK ? &c->answer.info
                                                                             : NULL;
}

const char *postern_acquire_oauth_error(const postern_op *op)
{
    const struct postern_call *c = (const struct postern_call *)op;

    return op->class->step == postern_call_step && c->oauth_error[0] != '\0' ? c->oauth_error
                                                                             : NULL;
}

postern_secret *postern_acquire_take_refresh_token(postern_op *op)
{
    struct postern_call *c = postern_call_of(op);

    return c != NULL && op->verdict == POSTERN_OK ? POSTERN_STEAL(c->answer.refresh_token) : NULL;
}

bool postern_acquire_was_sent(const postern_op *op)
{
    const struct postern_call *c = (const struct postern_call *)op;

    if (op->class->step != postern_call_step)
        return false;
    if (c->exchange != NULL && c->phase == &request_phase) /* in flight: cancelled, or too late */
        return c->transport->was_sent(c->exchange);
    return c->is_spent;
}
