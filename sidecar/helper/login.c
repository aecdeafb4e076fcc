/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request, from frame to answer (sidecar/helper/login.h).  The order is the decision's: the
 * frame is well formed, the peer may ask as that service, the token is valid, the audit record is
 * written, the answer goes out.  The record is the audit child's to write, so the answer waits; a
 * verdict without its record becomes undecided.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <postern-private/clock.h>
#include <postern-private/human.h>
#include <postern-private/reply.h>
#include <postern/oauthbearer.h>
#include <postern/validate.h>

#include "../event_log.h"
#include "../log.h"
#include "login.h"
#include "login_policy.h"
#include "request.h"
#include "../policy_ask.h"
#include "../setting.h"

#define HANDLE_PEERS "handle_peers"
#define ANSWER_MAX 4 /* bytes of a saslauthd answer: a length and two letters */

struct login {
    struct helper *helper;
    const struct peer *peer;
    struct login_owner owner;
    struct helper_request request;
    postern_err refusal; /* of the request itself, before any validation; POSTERN_OK: none */
    postern_error error;
    const postern_section *service; /* NULL: no file names it */
    uint64_t words; /* of revocation and block, that had come when the validation began */
    postern_secret *token; /* for which its handle came; NULL: came itself */
    bool is_by_handle;     /* a handle came, good or not */
    char handle[HANDLE_LEN + 1]; /* minted; "" else */
    postern_op *op;
    struct event *ready;     /* of op: its descriptor or its time */
    postern_grant *grant;    /* proved; NULL: not, or not any more */
    postern_grant *denied;   /* proved, and its policy says no: for the record alone */
    struct login_verdict policy;
    postern_failure failure; /* what the record and the answer say */
    bool is_recording;       /* the record is on its way; then the answer */
    postern_buf proved_answer; /* made before the record; empty: not made, or not so any more */
    char ref[POSTERN_REF_MAX];
    int64_t started_us;
};

static struct login *new_login(struct helper *h, const struct peer *peer, struct login_owner owner)
{
    struct login *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    *l =
        (struct login){ .helper = h, .peer = peer, .owner = owner, .started_us = clock_mono_us() };
    if (!make_ref(l->ref)) {
        free(l);
        return NULL;
    }
    return l;
}

struct login *login_new(struct helper *h, const struct peer *peer, postern_bytes frame,
                        struct login_owner owner)
{
    struct login *l = new_login(h, peer, owner);

    if (l != NULL)
        l->refusal = helper_request_read(frame, &l->request, &l->error);
    return l;
}

struct login *login_new_saslauthd(struct helper *h, const struct peer *peer,
                                  const struct saslauthd_request *request, struct login_owner owner)
{
    struct login *l = new_login(h, peer, owner);

    if (l == NULL)
        return NULL;
    l->request.is_saslauthd = true;
    l->refusal = request == NULL ?
                     POSTERN_FAIL(&l->error, LIMIT, "a field is too long, or there are too many") :
                     helper_request_from_saslauthd(request, &l->request, &l->error);
    return l;
}

void login_free(struct login *l)
{
    if (l == NULL)
        return;
    if (l->is_recording)
        audit_line_cancel(l->helper->audit, l);
    if (l->ready != NULL)
        event_free(l->ready);
    postern_grant_free(l->grant);
    postern_grant_free(l->denied);
    postern_op_free(l->op);
    postern_secret_free(l->token);
    postern_wipe(l->handle, sizeof l->handle);
    postern_buf_free(&l->proved_answer);
    helper_request_free(&l->request);
    free(l);
}

/* ---- the record ---- */

/* What came as a password may be a person's: it is named in a log only when it has the form of a JWS,
 * or of an opaque token of ours. */
static bool is_certainly_token(const postern_request *rq)
{
    if (rq->carrier != POSTERN_CARRIER_PASSWORD)
        return rq->token.len != 0;
    return postern_token_is_compact_jws(rq->token) || postern_token_is_opaque(rq->token);
}

/* Whom the host is told besides the user; NULL: nobody. */
static const char *other_name(const postern_grant *g)
{
    const char *authcid = postern_grant_authcid(g), *user = postern_grant_user(g);

    return authcid != NULL && user != NULL && strcmp(authcid, user) == 0 ? NULL : authcid;
}

static const char *get_event(const struct login *l)
{
    if (l->request.is_handle)
        return "handle";
    return l->request.is_describe ? "describe" : "verify";
}

/* Refused a handle for who he is: another list decided than at a login. */
static bool is_strange_minter(const struct login *l)
{
    return l->request.is_handle && l->service != NULL &&
           l->failure.code == POSTERN_ERR_PEER_NOT_ALLOWED;
}

/* `done` and codes as for audit_line_send(). */
static postern_err send_record(struct login *l, int64_t missed, audit_done done, postern_error *err)
{
    const postern_request *rq = &l->request.rq;
    const postern_grant *g = l->grant != NULL ? l->grant : l->denied;
    const postern_decision *d = &l->policy.decision;
    const char *would = policy_would(l->failure.code, d);
    char fingerprint[FINGERPRINT_LEN + 1] = "";
    struct deciding_setting setting =
        find_deciding_setting(l->helper->config, l->service, DECIDING_SERVICE, l->failure.issuer,
                              policy_decided_by(l->failure.code, d));

    if (g == NULL && is_certainly_token(rq))
        fingerprint_token(&l->helper->fingerprint, rq->token, fingerprint);
    return audit_line_send(
        l->helper->audit,
        &(struct audit_record){
            .time_ms = clock_wall_ms(),
            .event = get_event(l),
            .ref = l->ref,
            .service = l->service != NULL ? postern_section_name(l->service) : rq->service,
            .peer = rq->peer,
            .pid = l->peer->pid,
            .uid = l->peer->uid,
            .carrier = helper_carrier_word(rq->carrier),
            .tls = l->request.is_describe ? NULL : helper_tls_word(rq->tls),
            .authzid = rq->authzid,
            .is_by_handle = l->is_by_handle,
            .code = l->failure.code,
            .detail = l->grant == NULL || would != NULL ? l->error.detail : NULL,
            .setting = is_strange_minter(l) ? HANDLE_PEERS : setting.key,
            .origin = is_strange_minter(l) ? postern_section_origin(l->service, HANDLE_PEERS) :
                                             setting.origin,
            .issuer = l->failure.issuer,
            .fingerprint = fingerprint,
            .grant = g,
            .agent = g != NULL ? postern_grant_actor(g) : l->failure.agent,
            .human = g != NULL ? postern_grant_human(g) : l->failure.human,
            .authcid = g != NULL ? other_name(g) : NULL,
            .action = l->policy.action,
            .resource = g != NULL && l->policy.action[0] != '\0' ? postern_grant_user(g) : NULL,
            .rule = d->rule,
            .user_rule = d->user_rule,
            .would = would,
            .because = d->because,
            .latency_us = clock_mono_us() - l->started_us,
            .missed = missed,
        },
        done, l, err);
}

/* Nobody whom a service file names, or nothing that can be read: no token was looked at. */
static bool is_strangers(const struct login *l)
{
    return l->refusal != POSTERN_OK || l->failure.code == POSTERN_ERR_PEER_NOT_ALLOWED ||
           l->failure.code == POSTERN_ERR_SERVICE_UNKNOWN;
}

/* ---- the answer ---- */

static void give(struct login *l, const postern_buf *out, bool is_last)
{
    l->owner.answer(l->owner.arg, out->failed ? POSTERN_BYTES_NONE : postern_buf_bytes(out),
                    is_last || out->failed);
}

/* The frame could not be read: nothing of it is echoed, and the connection ends. */
static void give_unreadable(struct login *l)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    postern_reply_write_error(l->error.detail, &out);
    give(l, &out, true);
}

/* NULL: there is none to give. */
static const struct postern_handle *get_handle(const struct login *l, struct postern_handle *room)
{
    *room = (struct postern_handle){ l->handle, l->request.uses, HANDLE_LIFE_MS / 1000 };
    return l->grant != NULL ? room : NULL;
}

/* As l->grant and l->failure say. */
static void write_verdict(struct login *l, postern_buf *out)
{
    postern_bytes nonce = postern_bytes_str(l->request.nonce);
    struct postern_handle room;

    memcpy(l->failure.ref, l->ref, sizeof l->failure.ref);
    if (l->request.is_describe)
        postern_reply_write_info(&(postern_service_info){ 0 }, &l->failure, nonce,
                                 l->request.rq.service, out);
    else if (l->request.is_handle)
        postern_reply_write_handle(get_handle(l, &room), &l->failure, nonce, l->request.rq.service, out);
    else
        postern_reply_write(l->grant, &l->failure, nonce, l->request.rq.service, out);
}

/* Undecided has no word there: the connection ends without one, and libsasl reports a failure of its
 * own, not of the password. */
static void give_saslauthd(struct login *l)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ANSWER_MAX);

    if (l->grant != NULL)
        postern_buf_add(&out, POSTERN_BYTES_LIT("\0\2OK"));
    else if (postern_err_outcome(l->failure.code) == POSTERN_REJECTED)
        postern_buf_add(&out, POSTERN_BYTES_LIT("\0\2NO"));
    logins_note(l->helper->logins, l->grant, l->failure.code, clock_wall_s());
    give(l, &out, true);
}

static void give_verdict(struct login *l)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);

    if (l->request.is_saslauthd) {
        give_saslauthd(l);
        return;
    }
    if (l->refusal != POSTERN_OK) {
        give_unreadable(l);
        return;
    }
    if (l->proved_answer.len == 0)
        write_verdict(l, &out);
    if (!l->request.is_describe && !l->request.is_handle)
        logins_note(l->helper->logins, l->grant, l->failure.code, clock_wall_s());
    give(l, l->proved_answer.len == 0 ? &out : &l->proved_answer, l->request.is_last);
}

/* ---- record, then answer ---- */

/* Proved no more. */
static void drop_grant(struct login *l)
{
    postern_buf_free(&l->proved_answer);
    postern_grant_free(POSTERN_STEAL(l->grant));
}

/*
 * There will be no record.  A rejection is a verdict too, so either becomes undecided; what is
 * undecided already stays as it is.  That a token was proved and did not get in is worth another
 * try, for which the answer does not wait any longer.
 */
static void go_without_record(struct login *l, const postern_error *err)
{
    bool was_proved = l->grant != NULL;
    postern_err again;

    log_error(l->ref, err);
    drop_grant(l);
    if (was_proved || postern_err_outcome(l->failure.code) == POSTERN_REJECTED)
        l->failure.code = POSTERN_ERR_AUDIT;
    if (was_proved) {
        l->error = *err;
        again = send_record(l, 0, NULL, NULL);
        (void)again; /* why it fails was logged just now */
    }
    give_verdict(l);
}

static void record_and_give(struct login *l, int64_t missed);

/* A revocation or block came while the record was on its way, and whoever sent it was told that it is
 * obeyed: what was proved before is judged by it. */
static bool is_taken_back(struct login *l)
{
    postern_failure failure = { 0 };

    if (l->grant == NULL || postern_context_words(l->helper->context) == l->words ||
        postern_context_judge_again(l->helper->context, l->grant, &failure, &l->error) ==
            POSTERN_OK)
        return false;
    l->failure = failure;
    l->policy = (struct login_verdict){ .action = "" }; /* a rule is not what refuses */
    drop_grant(l);
    return true;
}

static void on_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct login *l = arg;

    l->is_recording = false;
    if (e != POSTERN_OK)
        go_without_record(l, err);
    else if (is_taken_back(l))
        record_and_give(l, 0); /* a second record: what stands in the first is not so */
    else
        give_verdict(l);
}

static void record_and_give(struct login *l, int64_t missed)
{
    postern_error err = { 0 };

    if (send_record(l, missed, on_recorded, &err) == POSTERN_OK)
        l->is_recording = true;
    else
        go_without_record(l, &err);
}

/* l->failure says why; l->refusal is set when the frame could not be read. */
static void answer_refusal(struct login *l)
{
    int64_t missed = 0;

    if (l->refusal != POSTERN_OK)
        l->request.rq = (postern_request){ 0 }; /* nor is anything of it recorded */
    if (is_strangers(l) &&
        !quota_take(&l->helper->strangers, clock_mono_us(), &missed))
        give_verdict(l); /* counted in a later one's record */
    else
        record_and_give(l, missed);
}

/* A grant that no reply frame holds must not stand as "proved" in the log. */
static bool make_proved_answer(struct login *l)
{
    if (l->request.is_saslauthd)
        return true;
    l->proved_answer = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    write_verdict(l, &l->proved_answer);
    return !l->proved_answer.failed;
}

/* Before its record: one that could not be written leaves a handle that nobody was told. */
static postern_err mint(struct login *l)
{
    return handles_mint(l->helper->handles,
                        &(struct handle_order){ .token = l->request.rq.token,
                                                .uid = l->peer->uid,
                                                .uses = l->request.uses,
                                                .now_ms = clock_mono_ms() },
                        l->handle, &l->error);
}

/* Not of a handle: the login for which it is redeemed is asked about, with the client's address and
 * at that time. */
static postern_err judge_by_policy(struct login *l, const postern_grant *g)
{
    const struct login_visit visit = { l->service, g, l->request.rq.peer, clock_wall_s() };

    return l->request.is_handle ? POSTERN_OK
                                : login_policy_ask(l->helper->policies, &visit, &l->policy,
                                                   &l->error);
}

/* What a refused client may know is the same as at a bad token. */
static void answer_denied(struct login *l, postern_err code, postern_grant *take_grant)
{
    l->denied = take_grant;
    postern_context_describe(l->helper->context, postern_section_name(l->service), &l->failure);
    policy_tell(&l->policy.decision, &l->failure);
    l->failure.code = code;
    answer_refusal(l);
}

static void answer_proved(struct login *l, postern_grant *take_grant)
{
    postern_err verdict = judge_by_policy(l, take_grant);

    if (verdict != POSTERN_OK) {
        answer_denied(l, verdict, take_grant);
        return;
    }
    l->grant = take_grant;
    l->failure = (postern_failure){ .code = l->request.is_handle ? mint(l) : POSTERN_OK };
    if (l->failure.code != POSTERN_OK) {
        postern_grant_free(POSTERN_STEAL(l->grant));
        answer_refusal(l);
        return;
    }
    if (make_proved_answer(l)) {
        record_and_give(l, 0);
        return;
    }
    drop_grant(l);
    l->failure.code = POSTERN_FAIL(&l->error, NOMEM, "the grant does not fit a reply frame");
    answer_refusal(l);
}

/* What the service would tell a client that sent no token (RFC 7628 §4.3). */
static void answer_described(struct login *l, const postern_failure *discovery)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_HELPER_FRAME_MAX);
    postern_service_info info = { .is_known = l->service != NULL, .discovery = *discovery };
    const char *mech, *prefix = NULL;

    if (info.is_known)
        prefix = postern_section_text(l->service, "opaque_prefix");
    if (prefix != NULL && strlen(prefix) < sizeof info.opaque_prefix) /* the configuration's check */
        memcpy(info.opaque_prefix, prefix, strlen(prefix) + 1);
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

/* Does saslauthd_socket: serve it?  (services:) */
static bool is_served_there(const struct login *l)
{
    const postern_section *daemon =
        postern_config_section(l->helper->config, POSTERN_SECTION_DAEMON, NULL);
    const char *name;

    for (size_t i = 0; (name = postern_section_item(daemon, "services", i)) != NULL; i++)
        if (strcmp(name, postern_section_name(l->service)) == 0)
            return true;
    return false;
}

/* A realm of the host's is cut off as a domain of the token's user is. */
static void cut_realm(struct login *l)
{
    char *at = strrchr(l->request.rq.authzid, '@');
    const char *domain;

    for (size_t i = 0; at != NULL && (domain = postern_section_item(
                                          l->service, "username_strip_domain", i)) != NULL;
         i++)
        if (strcasecmp(domain, at + 1) == 0) {
            *at = '\0';
            return;
        }
}

/* A person's password ends here: it is not parsed, not looked up, not hashed, and no issuer sees it. */
static bool may_be_token(const struct login *l)
{
    const char *prefix = postern_section_text(l->service, "opaque_prefix");
    postern_bytes token = l->request.rq.token;

    if (!postern_token_is_token68(token))
        return false;
    return is_certainly_token(&l->request.rq) || postern_token_is_handle(token) ||
           (prefix != NULL && token.len > strlen(prefix) &&
            memcmp(token.ptr, prefix, strlen(prefix)) == 0);
}

static postern_err judge_saslauthd(struct login *l)
{
    if (!is_served_there(l))
        return POSTERN_FAIL(&l->error, SERVICE_UNKNOWN,
                            "services: of saslauthd_socket: does not name this service");
    cut_realm(l);
    if (l->request.rq.token.len == 0)
        return POSTERN_FAIL(&l->error, NO_TOKEN, "the password is empty");
    if (!may_be_token(l))
        return POSTERN_FAIL(&l->error, MALFORMED, "the password is neither token nor handle");
    return POSTERN_OK;
}

static bool is_allowed(const struct login *l)
{
    return l->request.is_handle ? peers_allow_handles(l->helper->peers, l->service, l->peer) :
                                  peers_allow(l->helper->peers, l->service, l->peer);
}

static postern_err judge_peer(struct login *l)
{
    if (l->refusal != POSTERN_OK)
        return l->refusal;
    l->service = postern_config_service_for(l->helper->config, l->request.rq.service);
    if (l->service == NULL)
        return POSTERN_FAIL(&l->error, SERVICE_UNKNOWN, "no service file names this service");
    if (!is_allowed(l))
        return POSTERN_FAIL(
            &l->error, PEER_NOT_ALLOWED,
            "processes of uid %ju may not ask as %s: %s does not name them",
            (uintmax_t)l->peer->uid, postern_section_name(l->service),
            l->request.is_handle ? HANDLE_PEERS : "helper_peers");
    return l->request.is_saslauthd ? judge_saslauthd(l) : POSTERN_OK;
}

/* A handle in the token's place: from here on the token is what came. */
static postern_err redeem(struct login *l)
{
    if (l->request.is_handle || l->request.is_describe || !postern_token_is_handle(l->request.rq.token))
        return POSTERN_OK;
    l->is_by_handle = true;
    POSTERN_TRY(handles_redeem(l->helper->handles, l->request.rq.token, clock_mono_ms(), &l->token,
                               &l->error));
    l->request.rq.token = postern_secret_bytes(l->token);
    return POSTERN_OK;
}

static void finish(struct login *l, postern_err code)
{
    postern_grant *g = NULL;

    l->failure = l->op != NULL ? *postern_op_failure(l->op) : (postern_failure){ 0 };
    if (l->request.is_describe) {
        answer_described(l, &l->failure);
        return;
    }
    if (code == POSTERN_OK)
        g = postern_op_take_grant(l->op);
    if (g != NULL) {
        answer_proved(l, g);
        return;
    }
    l->failure.code =
        code == POSTERN_OK ? POSTERN_FAIL(&l->error, INTERNAL, "a verdict without a grant") : code;
    answer_refusal(l);
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

    log_events(l->op);
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
    postern_err code;

    l->words = postern_context_words(l->helper->context);
    l->failure.code = judge_peer(l);
    if (l->failure.code == POSTERN_OK)
        l->failure.code = redeem(l);
    if (l->failure.code == POSTERN_ERR_SERVICE_UNKNOWN && l->request.is_describe)
        answer_described(l, &l->failure);
    else if (l->failure.code != POSTERN_OK)
        answer_refusal(l);
    else if ((code = postern_validate_start(l->helper->context, &l->request.rq, &l->op,
                                            &l->error)) != POSTERN_OK)
        finish(l, code);
    else
        advance(l);
}
