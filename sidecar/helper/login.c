/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request, from frame to answer (sidecar/helper/login.h).  The order is the decision's: the
 * frame is well formed, the peer may ask as that service, the token is valid, the audit record is
 * written, the answer goes out.  A verdict without its record becomes undecided.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <postern-private/reply.h>
#include <postern/oauthbearer.h>
#include <postern/validate.h>

#include "../log.h"
#include "login.h"
#include "request.h"
#include "setting.h"

struct login {
    struct helper *helper;
    const struct peer *peer;
    struct login_owner owner;
    struct helper_request request;
    postern_err refusal; /* of the request itself, before any validation; POSTERN_OK: none */
    postern_error error;
    const postern_section *service; /* NULL: no file names it */
    postern_op *op;
    struct event *ready; /* of op: its descriptor or its time */
    char ref[POSTERN_REF_MAX];
    int64_t started_us;
};

struct login *login_new(struct helper *h, const struct peer *peer, postern_bytes frame,
                        struct login_owner owner)
{
    struct login *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    *l =
        (struct login){ .helper = h, .peer = peer, .owner = owner, .started_us = helper_mono_us() };
    if (!make_ref(l->ref)) {
        free(l);
        return NULL;
    }
    l->refusal = helper_request_read(frame, &l->request, &l->error);
    return l;
}

void login_free(struct login *l)
{
    if (l == NULL)
        return;
    if (l->ready != NULL)
        event_free(l->ready);
    postern_op_free(l->op);
    helper_request_free(&l->request);
    free(l);
}

/* ---- the record ---- */

/* What came as a password may be a person's: it is named in a log only when it has the form of a
 * JWS, whose header is a JSON object: base64url of {" begins with eyJ. */
static bool is_certainly_token(const postern_request *rq)
{
    postern_reader r = { rq->token };
    postern_bytes part;

    if (rq->carrier != POSTERN_CARRIER_PASSWORD)
        return rq->token.len != 0;
    return postern_reader_take_lit(&r, "eyJ") && postern_reader_take_until(&r, '.', &part) &&
           postern_reader_take_until(&r, '.', &part) && part.len != 0 &&
           postern_token_is_token68(r.rest);
}

static postern_err write_record(struct login *l, const postern_grant *g,
                                const postern_failure *failure, int64_t missed, postern_error *err)
{
    const postern_request *rq = &l->request.rq;
    char fingerprint[FINGERPRINT_LEN + 1] = "";
    struct deciding_setting setting =
        find_deciding_setting(l->helper->config, l->service, failure->issuer, failure->code);

    if (g == NULL && is_certainly_token(rq))
        fingerprint_token(&l->helper->fingerprint, rq->token, fingerprint);
    return audit_write(
        &l->helper->audit,
        &(struct audit_record){
            .time_ms = helper_wall_ms(),
            .event = l->request.is_describe ? "describe" : "verify",
            .ref = l->ref,
            .service = l->service != NULL ? postern_section_name(l->service) : rq->service,
            .peer = rq->peer,
            .pid = l->peer->pid,
            .uid = l->peer->uid,
            .carrier = helper_carrier_word(rq->carrier),
            .tls = l->request.is_describe ? NULL : helper_tls_word(rq->tls),
            .authzid = rq->authzid,
            .code = failure->code,
            .detail = g == NULL ? l->error.detail : NULL,
            .setting = setting.key,
            .origin = setting.origin,
            .issuer = failure->issuer,
            .fingerprint = fingerprint,
            .grant = g,
            .latency_us = helper_mono_us() - l->started_us,
            .missed = missed,
        },
        err);
}

/* Nobody whom a service file names, or nothing that can be read: no token was looked at. */
static bool is_strangers(postern_err code)
{
    return code == POSTERN_ERR_PEER_NOT_ALLOWED || code == POSTERN_ERR_SERVICE_UNKNOWN ||
           code == POSTERN_ERR_HELPER_PROTOCOL;
}

/* The record of a refusal: it refuses either way, but the administrator must hear that the log is
 * not complete. */
static void record_refusal(struct login *l, postern_failure *failure)
{
    postern_error err = { 0 };
    int64_t missed = 0;

    if (is_strangers(failure->code) &&
        !quota_take(&l->helper->strangers, helper_mono_us(), &missed))
        return;
    if (write_record(l, NULL, failure, missed, &err) == POSTERN_OK)
        return;
    log_error(l->ref, &err);
    if (postern_err_outcome(failure->code) == POSTERN_REJECTED)
        failure->code = POSTERN_ERR_AUDIT; /* a rejection is a verdict too: not without record */
}

/* ---- the answer ---- */

static void give(struct login *l, const postern_buf *out, bool is_last)
{
    l->owner.answer(l->owner.arg, out->failed ? POSTERN_BYTES_NONE : postern_buf_bytes(out),
                    is_last || out->failed);
}

static void answer_refusal(struct login *l, postern_failure *failure)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    memcpy(failure->ref, l->ref, sizeof failure->ref);
    record_refusal(l, failure);
    logins_note(l->helper->logins, NULL, failure->code, 0);
    if (l->request.is_describe)
        postern_reply_write_info(&(postern_service_info){ 0 }, failure,
                                 postern_bytes_str(l->request.nonce), l->request.rq.service, &out);
    else
        postern_reply_write(NULL, failure, postern_bytes_str(l->request.nonce),
                            l->request.rq.service, &out);
    give(l, &out, false);
}

/* The frame could not be read: nothing of it is echoed, and the connection ends. */
static void answer_unreadable(struct login *l, postern_failure *failure)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    l->request.rq = (postern_request){ 0 };
    record_refusal(l, failure);
    postern_reply_write_error(l->error.detail, &out);
    give(l, &out, true);
}

static void answer_proved(struct login *l, const postern_grant *g)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    postern_failure failure = { .code = POSTERN_OK };

    memcpy(failure.ref, l->ref, sizeof failure.ref);
    postern_reply_write(g, &failure, postern_bytes_str(l->request.nonce), l->request.rq.service,
                        &out);
    if (out.failed)
        failure.code = POSTERN_FAIL(&l->error, NOMEM, "the grant does not fit a reply frame");
    else if (write_record(l, g, &failure, 0, &l->error) != POSTERN_OK)
        failure.code = POSTERN_ERR_AUDIT;
    if (failure.code == POSTERN_OK)
        logins_note(l->helper->logins, g, POSTERN_OK, helper_wall_ms() / 1000);
    if (failure.code == POSTERN_OK)
        give(l, &out, false);
    else
        answer_refusal(l, &failure);
}

/* What the service would tell a client that sent no token (RFC 7628 §4.3). */
static void answer_described(struct login *l, const postern_failure *discovery)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    postern_service_info info = { .is_known = l->service != NULL, .discovery = *discovery };
    const char *mech;

    for (size_t i = 0;
         info.is_known && (mech = postern_section_item(l->service, "mech_list", i)) != NULL; i++) {
        info.has_oauthbearer |= strcmp(mech, "OAUTHBEARER") == 0;
        info.has_xoauth2 |= strcmp(mech, "XOAUTH2") == 0;
    }
    postern_reply_write_info(&info, NULL, postern_bytes_str(l->request.nonce),
                             l->request.rq.service, &out);
    give(l, &out, false);
}

/* ---- from frame to verdict ---- */

static postern_err judge_peer(struct login *l)
{
    if (l->refusal != POSTERN_OK)
        return l->refusal;
    l->service = postern_config_service_for(l->helper->config, l->request.rq.service);
    if (l->service == NULL)
        return POSTERN_FAIL(&l->error, SERVICE_UNKNOWN, "no service file names this service");
    if (!peers_allow(l->helper->peers, l->service, l->peer))
        return POSTERN_FAIL(
            &l->error, PEER_NOT_ALLOWED,
            "processes of uid %ju may not ask as %s: helper_peers does not name them",
            (uintmax_t)l->peer->uid, postern_section_name(l->service));
    return POSTERN_OK;
}

static void finish(struct login *l, postern_err code)
{
    postern_failure failure = { 0 };
    POSTERN_AUTO(grant) g = NULL;

    if (l->op != NULL)
        failure = *postern_op_failure(l->op);
    if (l->request.is_describe) {
        answer_described(l, &failure);
        return;
    }
    if (code == POSTERN_OK)
        g = postern_op_take_grant(l->op);
    if (g != NULL) {
        answer_proved(l, g);
        return;
    }
    failure.code =
        code == POSTERN_OK ? POSTERN_FAIL(&l->error, INTERNAL, "a verdict without a grant") : code;
    answer_refusal(l, &failure);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* Wait for the op's descriptor or its time, whatever comes first.  False: no memory. */
static bool wait_for_op(struct login *l)
{
    int fd = postern_op_fd(l->op), wait_ms = postern_op_wait_ms(l->op);
    struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

    if (l->ready == NULL)
        l->ready = event_new(l->helper->base, fd, fd < 0 ? 0 : EV_READ, on_ready, l);
    else if (event_assign(l->ready, l->helper->base, fd, fd < 0 ? 0 : EV_READ, on_ready, l) != 0)
        return false;
    return l->ready != NULL && event_add(l->ready, &wait) == 0;
}

static void advance(struct login *l)
{
    postern_err code = postern_op_step(l->op, &l->error);

    if (code == POSTERN_AGAIN && !wait_for_op(l))
        code = POSTERN_FAIL(&l->error, NOMEM, "waiting for a validation");
    if (code != POSTERN_AGAIN)
        finish(l, code);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    advance(arg);
}

void login_start(struct login *l)
{
    postern_failure failure = { .code = judge_peer(l) };

    if (failure.code == POSTERN_ERR_SERVICE_UNKNOWN && l->request.is_describe)
        answer_described(l, &failure);
    else if (l->refusal != POSTERN_OK)
        answer_unreadable(l, &failure);
    else if (failure.code != POSTERN_OK)
        answer_refusal(l, &failure);
    else if ((failure.code = postern_validate_start(l->helper->context, &l->request.rq, &l->op,
                                                    &l->error)) != POSTERN_OK)
        finish(l, failure.code);
    else
        advance(l);
}
