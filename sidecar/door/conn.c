/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of one connection (conn.h).  It is in one phase at a time, and each phase knows what ends
 * it: bytes, a verdict, a record, a backend, the clock.  Nothing is sent to a backend before the
 * last of them; nothing is told to a client before its record is written.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include <postern-private/clock.h>

#include "../log.h"
#include "conn.h"
#include "backend_session.h"
#include "greeting.h"
#include "rates.h"
#include "refusal.h"
#include "session.h"
#include "tls.h"

typedef enum conn_phase {
    PHASE_FIRST_BYTE = 0, /* TLS or not? */
    PHASE_TLS,
    PHASE_LOGIN,  /* bytes for the adapter */
    PHASE_GATE,   /* verdict, record, backend: the client is not read */
    PHASE_LINGER  /* answered with a refusal */
} conn_phase;

struct conn {
    LIST_ENTRY(conn)      entry;
    struct loop          *loop;
    uint64_t              number; /* names it in mails */
    struct door_settings *settings;
    const struct door    *door;
    int                   fd;
    SSL                  *ssl;
    struct event         *ready;
    conn_phase            phase;
    int64_t               deadline_ms; /* CLOCK_BOOTTIME */
    bool                  is_local, is_renewal;
    bool                  is_hurried; /* its client, once */
    bool                  is_known; /* its token was proved, whatever came then */
    char                  quota[LIMITS_SOURCE_MAX];
    struct denial_source  stranger;
    char                  peer[64], source[64]; /* source "": unix socket */
    void                 *state; /* the adapter's */
    postern_buf           in;    /* the login as it comes; then what came behind it */
    char                  session_secret[SESSION_SECRET_MAX]; /* of a renewal */
    postern_carrier       carrier;
    postern_buf           token; /* for its fingerprint, should a record need one */
    char                  fingerprint[FINGERPRINT_LEN + 1];
    char                  ref[POSTERN_REF_MAX];
    int64_t               started_us;
    struct gate          *gate;
    struct gate_result    result;
    struct session       *session; /* not open yet */
    char                  session_id[SESSION_ID_MAX]; /* its, also when it is gone; of a renewal */
    struct upstream      *upstream;
    struct backend_login *backend_login; /* in its place, with backend_auth: exchange */
    struct program_start *program_start; /* in its place, with backend: exec: */
    struct door_settings *upstream_settings; /* whose target it connects to; a reload may come */
    struct backend_session *backend_session; /* what came of it, until our session has it */
    struct leg            backend;
    struct greeting      *greeting; /* on its way there, at doors that judge every action */
    postern_buf           early;    /* what came behind it */
    struct session_place  renewal_of;
    size_t                discarded;
};

/* ---- small things ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* Wait for the socket; nothing else waits on it.  It goes on until the next: most connections wait
 * three times for the same, and the relay takes it over.  False, and the connection ends: no memory. */
static bool wait_for(struct conn *c, short what)
{
    if (event_pending(c->ready, what, NULL) != 0)
        return true;
    (void)event_del(c->ready); /* not pending is fine */
    return event_assign(c->ready, c->loop->base, c->fd, what | EV_PERSIST, on_ready, c) == 0 &&
           event_add(c->ready, NULL) == 0;
}

static void stop_waiting(struct conn *c)
{
    (void)event_del(c->ready);
}

static void drop_session(struct conn *c, const char *end, postern_err code)
{
    struct session *s = c->session;

    c->session = NULL;
    if (s != NULL)
        session_end(s, &(struct session_ending){ .how = end, .code = code });
}

static void drop_upstream(struct conn *c)
{
    upstream_free(c->upstream);
    backend_login_free(c->backend_login);
    program_start_free(c->program_start);
    greeting_free(c->greeting);
    settings_unref(c->upstream_settings);
    c->upstream = NULL;
    c->backend_login = NULL;
    c->program_start = NULL;
    c->greeting = NULL;
    c->upstream_settings = NULL;
}

static void free_state(struct conn *c)
{
    if (c->state == NULL)
        return;
    c->door->adapter->wipe(c->state);
    postern_wipe(c->state, c->door->adapter->state_size);
    free(c->state);
}

void conn_free(struct conn *c)
{
    struct loop *l = c->loop;

    limits_release(l->process->limits, c->quota);
    audit_line_cancel(l->audit, c);
    gate_free(c->gate);
    drop_upstream(c);
    session_forget_waiter(c->session);
    drop_session(c, SESSION_END_CLIENT, POSTERN_OK);
    gate_result_clear(&c->result);
    leg_close(&c->backend);
    backend_session_free(c->backend_session);
    if (c->ready != NULL)
        event_free(c->ready);
    SSL_free(c->ssl);
    if (c->fd >= 0)
        (void)close(c->fd);
    free_state(c);
    postern_buf_free(&c->in);
    postern_buf_free(&c->early);
    postern_buf_free(&c->token);
    postern_wipe(c->session_secret, sizeof c->session_secret);
    LIST_REMOVE(c, entry);
    settings_unref(c->settings);
    free(c);
    loop_note_end(l);
}

/* ---- bytes ---- */

/* >0 bytes · 0 nothing now (waits for what TLS wants) · -1 over */
static ssize_t judge_tls(struct conn *c, int result, short *ret_wants)
{
    int e = SSL_get_error(c->ssl, result);

    *ret_wants = e == SSL_ERROR_WANT_WRITE ? EV_WRITE : EV_READ;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return 0;
    ERR_clear_error();
    return -1;
}

static ssize_t receive(struct conn *c, void *room, size_t size, short *ret_wants)
{
    ssize_t n;

    *ret_wants = EV_READ;
    if (c->ssl != NULL) {
        int got;

        tls_forget_errors();
        got = SSL_read(c->ssl, room, (int)size);
        return got > 0 ? got : judge_tls(c, got, ret_wants);
    }
    do
        n = recv(c->fd, room, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return n > 0 ? n : -1;
}

/* A short answer into a socket buffer that is empty, or as good as: it goes whole, or the client is
 * gone. */
static bool send_answer(struct conn *c, const postern_buf *answer)
{
    if (answer->failed || answer->len == 0)
        return false;
    if (c->ssl != NULL) {
        tls_forget_errors();
        return SSL_write(c->ssl, answer->ptr, (int)answer->len) == (int)answer->len;
    }
    return send(c->fd, answer->ptr, answer->len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)answer->len;
}

/* ---- refusing ---- */

/* It keeps its place, or callers who do not hang up would have as many descriptors as they like. */
static void linger(struct conn *c)
{
    if (c->ssl != NULL)
        (void)SSL_shutdown(c->ssl); /* close_notify; its answer is thrown away below */
    ERR_clear_error();
    (void)shutdown(c->fd, SHUT_WR);
    c->phase = PHASE_LINGER;
    c->deadline_ms = loop_now().boot_ms + CONN_LINGER_MS;
    if (!wait_for(c, EV_READ))
        conn_free(c);
}

static struct refusal refusal_of(struct conn *c)
{
    return (struct refusal){
        .loop = c->loop,
        .settings = c->settings,
        .door = c->door,
        .result = &c->result,
        .ref = c->ref,
        .token = postern_buf_bytes(&c->token),
        .fingerprint = c->fingerprint,
    };
}

static const char *policy_source(const struct conn *c)
{
    return c->source[0] == '\0' ? NULL : c->source;
}

static struct login_record record_of(const struct conn *c)
{
    return (struct login_record){
        .event = c->is_renewal ? "renew" : "login",
        .ref = c->ref,
        .session = c->session_id,
        .door = c->door,
        .settings = c->settings,
        .peer = c->peer,
        .source = &c->stranger,
        .carrier = c->carrier,
        .tls = c->ssl != NULL ? POSTERN_TLS_ON : POSTERN_TLS_LOCAL,
        .fingerprint = c->fingerprint,
        .result = &c->result,
        .is_known = c->is_known,
        .started_us = c->started_us,
    };
}

static void on_refusal_recorded(void *arg, postern_err e, const postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    struct conn *c = arg;
    struct refusal refusal = refusal_of(c);
    struct adapter_denied denied;

    refusal_note_record(&refusal, e, err);
    denied = refusal_answer(&refusal);
    c->door->adapter->deny(c->state, &denied, &out);
    if (send_answer(c, &out))
        linger(c);
    else
        conn_free(c);
}

/* c->result says why. */
static void refuse(struct conn *c)
{
    struct refusal refusal = refusal_of(c);
    struct login_record r = record_of(c);

    c->phase = PHASE_GATE;
    c->deadline_ms = loop_now().boot_ms + CONN_GATE_MS;
    stop_waiting(c);
    refusal_put_on_record(&refusal, &r, on_refusal_recorded, c); /* may be the end of it */
}

/* `more`: texts of a policy or block to be told, and who it was; NULL: none.  Who had his token proved
 * before stays named in the record. */
static void refuse_because(struct conn *c, postern_err code, const postern_failure *more,
                           const postern_error *err)
{
    postern_grant *grant = POSTERN_STEAL(c->result.grant);
    struct refusal refusal = refusal_of(c);

    gate_result_clear(&c->result);
    refusal_set(&refusal, code, err);
    if (more != NULL) {
        memcpy(c->result.failure.because, more->because, sizeof more->because);
        memcpy(c->result.failure.contact, more->contact, sizeof more->contact);
        memcpy(c->result.failure.agent, more->agent, sizeof more->agent);
    }
    c->result.grant = grant;
    refuse(c);
}

static void refuse_with(struct conn *c, postern_err code, const postern_error *err)
{
    refuse_because(c, code, NULL, err);
}

/* ---- granted: session, backend, answer ---- */

static void write_grant(struct conn *c, const struct lease *lease, const char *secret,
                        postern_buf *out)
{
    struct adapter_granted g = {
        .service = c->door->name,
        .lease_end_s = lease->end_s,
        .lease_s = lease_left_s(lease, loop_now()),
        .session = postern_bytes_str(secret),
        .ref = c->ref,
    };

    c->door->adapter->grant(c->state, &g, out);
}

static postern_err hand_over(struct conn *c, struct leg client, struct leg backend,
                             postern_error *err)
{
    const struct inspect_parts judged = {
        .take_client = client,
        .take_backend = backend,
        .adapter = c->door->adapter,
        .take_state = c->state,
        .early_up = postern_buf_bytes(&c->in),
        .early_down = postern_buf_bytes(&c->early),
    };
    struct session *s = c->session;

    c->session = NULL;
    if (c->door->adapter->inspector == NULL)
        return session_open(s, client, backend, postern_buf_bytes(&c->in), err);
    c->state = NULL;
    return session_open_judged(s, &judged, err);
}

/* From here on the session has the sockets. */
static void open_session(struct conn *c)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    struct session *s = c->session;
    struct leg client = { c->fd, c->ssl }, backend = c->backend;
    postern_error err = { 0 };
    postern_err e;

    write_grant(c, session_lease(s), session_secret(s), &out);
    if (!send_answer(c, &out)) {
        conn_free(c);
        return;
    }
    c->fd = -1;
    c->ssl = NULL;
    c->backend = (struct leg){ .fd = -1 };
    session_forget_waiter(s);
    session_set_backend(s, POSTERN_STEAL(c->backend_session));
    e = hand_over(c, client, backend, &err);
    stop_waiting(c); /* behind the relay's own event: epoll has one socket of both */
    if (e != POSTERN_OK) {
        log_error("a session", &err);
        session_end(s, &(struct session_ending){ .how = SESSION_END_FAILED, .detail = err.detail, .code = e });
    }
    conn_free(c);
}

static void refuse_without_backend(struct conn *c, const postern_error *err)
{
    postern_error why = *err; /* the attempt's, which goes now */

    drop_upstream(c);
    session_forget_waiter(c->session);
    drop_session(c, SESSION_END_BACKEND, why.code);
    refuse_with(c, why.code, &why);
}

static void on_greeted(void *arg, struct leg leg, postern_bytes rest, const postern_error *err)
{
    struct conn *c = arg;
    postern_error why = { 0 };

    if (err != NULL) {
        refuse_without_backend(c, err);
        return;
    }
    c->backend = leg;
    c->early = POSTERN_BUF_INIT(GREETING_HEARD_MAX);
    postern_buf_add(&c->early, rest);
    if (c->early.failed) {
        (void)POSTERN_FAIL(&why, NOMEM, "the backend's greeting"); /* told below */
        refuse_without_backend(c, &why);
        return;
    }
    drop_upstream(c);
    open_session(c);
}

/* The first words there are said before the client is answered: a door that cannot log in grants
 * nothing. */
static void greet_backend(struct conn *c, struct leg take_leg)
{
    const struct door *door = session_door(c->session);
    const struct adapter_backend_login as = {
        .user = door->backend_user,
        .password = door->backend_password == NULL ? POSTERN_BYTES_NONE
                                                   : postern_secret_bytes(door->backend_password),
    };
    const struct greeting_request rq = { c->door->adapter, c->state, &as };
    postern_error err = { 0 };

    if (greeting_start(c->loop->base, take_leg, &rq, (struct greeting_owner){ on_greeted, c },
                       &c->greeting, &err) != POSTERN_OK)
        refuse_without_backend(c, &err);
}

static void on_backend(void *arg, struct leg leg, const postern_error *err)
{
    struct conn *c = arg;

    if (err != NULL) {
        refuse_without_backend(c, err);
        return;
    }
    drop_upstream(c);
    if (c->door->adapter->inspector != NULL) {
        greet_backend(c, leg);
        return;
    }
    c->backend = leg;
    open_session(c);
}

/* The same where the door logs in there with a token of its own. */
static void on_backend_login(void *arg, struct leg leg, const struct backend_answer *answer,
                             const postern_error *err)
{
    struct conn *c = arg;
    postern_error why = { 0 };

    if (answer == NULL) {
        refuse_without_backend(c, err);
        return;
    }
    c->backend = leg;
    c->backend_session = backend_session_new(c->loop, postern_buf_bytes(&c->token), answer);
    if (c->backend_session == NULL) {
        (void)POSTERN_FAIL(&why, NOMEM, "the backend's session"); /* told below */
        refuse_without_backend(c, &why);
        return;
    }
    drop_upstream(c);
    open_session(c);
}

/* Ended while it waits for its backend: blocked, killed, reloaded. */
static void on_session_refused(void *arg, postern_err code, const postern_failure *failure,
                               const postern_error *err)
{
    struct conn *c = arg;

    c->session = NULL; /* gone already */
    drop_upstream(c);
    refuse_because(c, code, failure, err);
}

static postern_err connect_backend(struct conn *c, postern_error *err)
{
    const struct door *door = session_door(c->session);
    const struct backend_login_request rq = { .exchange = &door->exchange,
                                              .target = &door->backend,
                                              .token = postern_buf_bytes(&c->token) };

    c->upstream_settings = settings_ref(session_settings(c->session));
    if (door->exchange.resource != NULL)
        return backend_login_start(c->loop->base, c->loop->dns, &rq,
                                   (struct backend_login_owner){ on_backend_login, c },
                                   &c->backend_login, err);
    if (door->starts_program)
        return program_start_new(c->loop->base, c->loop->process->spawner, door->name, c->session_id,
                                 (struct upstream_owner){ on_backend, c }, &c->program_start, err);
    return upstream_connect(c->loop->base, c->loop->dns, &door->backend,
                            (struct upstream_owner){ on_backend, c }, &c->upstream, err);
}

/* Of a session that was taken back, or not admitted, before it was one. */
static const char *end_word(postern_err code)
{
    if (code == POSTERN_ERR_REVOKED || code == POSTERN_ERR_BLOCKED)
        return SESSION_END_TAKEN_BACK;
    return postern_err_outcome(code) == POSTERN_REJECTED ? SESSION_END_POLICY : SESSION_END_FAILED;
}

static void on_login_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct conn *c = arg;
    postern_failure failure = { 0 };
    postern_error why = { 0 };

    if (e != POSTERN_OK) {
        session_forget_waiter(c->session);
        session_free(c->session);
        c->session = NULL;
        refuse_with(c, POSTERN_ERR_AUDIT, err);
        return;
    }
    e = session_register(c->session, c->result.words, &failure, &why);
    if (e == POSTERN_OK)
        e = connect_backend(c, &why);
    if (e == POSTERN_OK)
        return; /* on_backend() follows */
    session_forget_waiter(c->session);
    drop_session(c, end_word(e), e);
    refuse_because(c, e, &failure, &why);
}

static void begin_session(struct conn *c)
{
    struct gate_visit visit = { .settings = c->settings,
                                .door = c->door,
                                .peer = c->peer,
                                .source = policy_source(c) };
    postern_grant *grant;
    postern_secret *token = NULL;
    struct login_record r;
    postern_error err = { 0 };

    if (c->result.word_ms != 0 &&
        postern_secret_new(postern_buf_bytes(&c->token), &token, &err) != POSTERN_OK) {
        refuse_with(c, POSTERN_ERR_NOMEM, &err);
        return;
    }
    grant = POSTERN_STEAL(c->result.grant);
    c->session = session_new(c->loop, &visit, grant, &c->result.decision,
                             (struct session_waiter){ on_session_refused, c });
    if (c->session == NULL) {
        postern_secret_free(token);
        (void)POSTERN_FAIL(&err, NOMEM, "a session"); /* told below */
        refuse_with(c, POSTERN_ERR_NOMEM, &err);
        return;
    }
    session_watch(c->session, token, c->result.word_ms);
    memcpy(c->session_id, session_id(c->session), sizeof c->session_id);
    r = record_of(c);
    r.grant = grant; /* the session's now */
    r.lease_end_s = session_lease(c->session)->end_s;
    if (record_login(c->loop, &r, on_login_recorded, c, &err) != POSTERN_OK)
        on_login_recorded(c, POSTERN_ERR_AUDIT, &err);
}

/* ---- renewals ---- */

struct renewal_mail {
    struct mail          mail;
    struct loop         *reply_to;
    uint64_t             conn_number;
    struct session_place place;
    postern_secret      *token; /* for a door that renews at its backend, or asks again; else NULL */
    int64_t              word_ms; /* gate_result's */
    postern_grant       *grant;
    postern_decision     decision;
    postern_err          code;
    postern_error        error;
    struct lease         lease;
};

static void free_renewal(struct renewal_mail *m)
{
    postern_grant_free(m->grant);
    postern_secret_free(m->token);
    free(m);
}

static struct conn *find_conn(struct loop *l, uint64_t number)
{
    struct conn *c;

    LIST_FOREACH (c, &l->conns, entry)
        if (c->number == number)
            return c;
    return NULL;
}

/* On the loop of the connection that asked; it may be gone. */
static void deliver_renewed(struct mail *take_mail, void *receiver)
{
    struct renewal_mail *m = (struct renewal_mail *)take_mail;
    struct conn *c = find_conn(receiver, m->conn_number);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);

    if (c != NULL && m->code != POSTERN_OK) {
        c->result.grant = POSTERN_STEAL(m->grant); /* the record says whose it was */
        refuse_with(c, m->code, &m->error);
    } else if (c != NULL) {
        atomic_fetch_add(&c->loop->counters.renewed, 1);
        write_grant(c, &m->lease, "", &out);
        if (send_answer(c, &out))
            linger(c);
        else
            conn_free(c);
    }
    free_renewal(m);
}

/* On the loop of the session. */
static void deliver_renewal(struct mail *take_mail, void *receiver)
{
    struct renewal_mail *m = (struct renewal_mail *)take_mail;
    struct session *s = session_find(receiver, m->place.id);

    if (s == NULL)
        m->code = POSTERN_FAIL(&m->error, RENEWAL, "the session has just ended");
    else
        m->code = session_renew(s, &m->grant, &m->decision, &m->error);
    if (m->code == POSTERN_OK) {
        if (m->token != NULL)
            session_renew_backend(s, postern_secret_bytes(m->token));
        session_watch(s, POSTERN_STEAL(m->token), m->word_ms);
    }
    if (m->code == POSTERN_OK && session_judge(s)) /* a revocation came after the verdict */
        m->code = POSTERN_FAIL(&m->error, RENEWAL, "the session was taken back meanwhile");
    else if (m->code == POSTERN_OK)
        m->lease = *session_lease(s);
    m->mail.deliver = deliver_renewed;
    mailbox_put(m->reply_to->box, &m->mail);
}

static void on_renewal_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct conn *c = arg;
    struct renewal_mail *m = calloc(1, sizeof *m);
    postern_error why = { 0 };

    if (e != POSTERN_OK || m == NULL) {
        free(m);
        if (e == POSTERN_OK)
            (void)POSTERN_FAIL(&why, NOMEM, "a renewal"); /* told below */
        refuse_with(c, e == POSTERN_OK ? POSTERN_ERR_NOMEM : POSTERN_ERR_AUDIT,
                    e == POSTERN_OK ? &why : err);
        return;
    }
    if ((c->door->exchange.resource != NULL || c->result.word_ms != 0) &&
        postern_secret_new(postern_buf_bytes(&c->token), &m->token, &why) != POSTERN_OK) {
        free(m);
        refuse_with(c, POSTERN_ERR_NOMEM, &why);
        return;
    }
    m->mail.deliver = deliver_renewal;
    m->reply_to = c->loop;
    m->conn_number = c->number;
    m->place = c->renewal_of;
    m->grant = POSTERN_STEAL(c->result.grant);
    m->decision = c->result.decision;
    m->word_ms = c->result.word_ms;
    mailbox_put(loop_at(c->loop->process, m->place.loop)->box, &m->mail);
}

static void begin_renewal(struct conn *c)
{
    postern_error err = { 0 };
    postern_err e = registry_find_renewal(c->loop->process->registry,
                                          postern_bytes_str(c->session_secret), c->door->name,
                                          c->result.grant, &c->renewal_of, &err);
    struct lease_terms terms;
    struct login_record r;

    if (e != POSTERN_OK) {
        refuse_with(c, e, &err);
        return;
    }
    memcpy(c->session_id, c->renewal_of.id, sizeof c->session_id);
    terms = session_terms(c->door, c->result.grant, &c->result.decision);
    r = record_of(c);
    r.grant = c->result.grant;
    r.lease_end_s = lease_renew(&c->renewal_of.lease, &terms, loop_now()).end_s;
    if (record_login(c->loop, &r, on_renewal_recorded, c, &err) != POSTERN_OK)
        on_renewal_recorded(c, POSTERN_ERR_AUDIT, &err);
}

/* ---- the verdict ---- */

/* `with rate` of the rule that lets it connect; a renewal is no connection. */
static postern_err check_rate(struct conn *c, postern_error *err)
{
    const postern_decision *d = &c->result.decision;
    const postern_grant *g = c->result.grant;
    const char *agent = postern_grant_actor(g);
    struct rate_use uses[2];
    size_t count = 0;
    int64_t wait_ms;

    if (d->rate.count != 0)
        uses[count++] = (struct rate_use){ d->rule, d->rate };
    if (d->user_rate.count != 0)
        uses[count++] = (struct rate_use){ d->user_rule, d->user_rate };
    if (count == 0 || c->is_renewal || d->verdict != POSTERN_VERDICT_ALLOW ||
        strcmp(postern_section_text(c->door->section, "policy_mode"), "shadow") == 0)
        return POSTERN_OK;
    return rates_take(c->loop->process->rates, postern_grant_issuer(g),
                      agent != NULL ? agent : postern_grant_subject(g), uses, count,
                      loop_now().boot_ms, &wait_ms, err);
}

static void on_verdict(void *arg, struct gate_result *take_result)
{
    struct conn *c = arg;
    postern_error err = { 0 };

    gate_free(c->gate);
    c->gate = NULL;
    c->result = *take_result;
    c->is_known = c->result.grant != NULL;
    if (c->result.code != POSTERN_OK) {
        refuse(c);
        return;
    }
    if (check_rate(c, &err) != POSTERN_OK) {
        refuse_with(c, POSTERN_ERR_RATE, &err);
        return;
    }
    loop_count_verdict(c->loop, POSTERN_OK);
    if (c->is_renewal)
        begin_renewal(c);
    else
        begin_session(c);
}

/* Keep of the bytes what came behind the login; the token is wiped. */
static bool keep_rest(struct conn *c, size_t used)
{
    POSTERN_AUTO_BUF rest = POSTERN_BUF_INIT(c->in.max);

    postern_buf_add(&rest, (postern_bytes){ c->in.ptr + used, c->in.len - used });
    if (rest.failed)
        return false;
    postern_buf_free(&c->in);
    c->in = rest;
    rest = POSTERN_BUF_INIT(0);
    return true;
}

static void enter_gate(struct conn *c, const struct adapter_login *login, size_t used)
{
    uint8_t cert[TLS_CERT_SHA256_LEN];
    bool has_cert = tls_client_certificate(c->ssl, cert);
    struct gate_visit visit = {
        .settings = c->settings,
        .door = c->door,
        .client_cert_sha256 = { cert, has_cert ? sizeof cert : 0 },
        .tls = c->ssl != NULL ? POSTERN_TLS_ON : POSTERN_TLS_LOCAL,
        .peer = c->peer,
        .source = policy_source(c),
    };

    c->phase = PHASE_GATE;
    c->deadline_ms = loop_now().boot_ms + CONN_GATE_MS;
    c->carrier = login->carrier;
    if (c->is_renewal && login->session.len < sizeof c->session_secret)
        memcpy(c->session_secret, login->session.ptr, login->session.len);
    postern_buf_add(&c->token, login->token);
    c->gate = gate_new(c->loop, &visit, login, (struct gate_owner){ on_verdict, c });
    if (c->gate == NULL || c->token.failed || !keep_rest(c, used)) {
        conn_free(c);
        return;
    }
    gate_begin(c->gate); /* may free the connection */
}

/* ---- the login ---- */

/* True: more may be read. */
static bool feed(struct conn *c)
{
    struct adapter_login login = { .code = POSTERN_ERR_MESSAGE_MALFORMED };
    postern_error err = { 0 };
    size_t used = 0;
    adapter_feed what =
        c->door->adapter->feed(c->state, postern_buf_bytes(&c->in), &used, &login, &err);

    switch (what) {
    case ADAPTER_MORE:
        if (c->in.len <= ADAPTER_LOGIN_MAX)
            return true;
        login.code = POSTERN_FAIL(&err, LIMIT, "a login of more than %d bytes", ADAPTER_LOGIN_MAX);
        break;
    case ADAPTER_LOGIN:
    case ADAPTER_RENEW:
        c->is_renewal = what == ADAPTER_RENEW;
        enter_gate(c, &login, used);
        return false;
    case ADAPTER_REJECT:
        break;
    }
    refuse_with(c, login.code, &err);
    return false;
}

/* Without a ticket nothing of ours follows the client's end of the handshake, so that a client
 * which gathers small segments (Nagle) would keep its login until our delayed ACK, for 40 ms. */
static void hurry_client(struct conn *c)
{
    const int yes = 1;

    if (c->ssl == NULL || c->is_hurried || c->source[0] == '\0')
        return;
    c->is_hurried = true;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes); /* slower without */
}

/* What a client is told that talks before its login: nothing is recorded, since nothing is decided.
 * An adapter has a few lines for it; whoever leaves them unread until they do not fit into the
 * socket is no client that waits for them, and is ended.  False: it is to be. */
static bool answer_chat(struct conn *c)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);

    if (c->door->adapter->chat == NULL)
        return true;
    c->door->adapter->chat(c->state, &out);
    return (!out.failed && out.len == 0) || send_answer(c, &out);
}

static void read_login(struct conn *c)
{
    struct loop *l = c->loop;
    bool has_more = true;
    short wants;
    ssize_t n;

    while (has_more && (n = receive(c, l->room, sizeof l->room, &wants)) != 0) {
        if (n < 0) {
            conn_free(c);
            return;
        }
        postern_buf_add(&c->in, (postern_bytes){ l->room, (size_t)n });
        postern_wipe(l->room, (size_t)n);
        if (c->in.failed) {
            conn_free(c);
            return;
        }
        has_more = feed(c); /* false: the connection may be gone */
    }
    if (!has_more)
        return;
    hurry_client(c);
    if (!answer_chat(c)) {
        atomic_fetch_add(&c->loop->counters.refused_early, 1);
        conn_free(c);
    } else if (!wait_for(c, wants)) {
        conn_free(c);
    }
}

/* OpenSSL keeps 128 KiB of a ClientHello that does not end, of each of thousands of strangers. */
static bool has_said_too_much(const struct conn *c)
{
    return BIO_number_read(SSL_get_rbio(c->ssl)) > CONN_HANDSHAKE_MAX;
}

static void shake_hands(struct conn *c)
{
    short wants;
    int result;

    tls_forget_errors();
    result = SSL_accept(c->ssl);
    if (result == 1 && !tls_resumes_expired(c->ssl, loop_now().now_s)) {
        c->phase = PHASE_LOGIN;
        read_login(c);
        return;
    }
    if (result == 1 || judge_tls(c, result, &wants) < 0 || has_said_too_much(c) ||
        !wait_for(c, wants)) {
        atomic_fetch_add(&c->loop->counters.refused_early, 1);
        conn_free(c);
    }
}

static void begin_tls(struct conn *c)
{
    c->ssl = SSL_new(c->door->tls);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) {
        ERR_clear_error();
        conn_free(c);
        return;
    }
    SSL_set_read_ahead(c->ssl, 1); /* one recv(2) a flight, not two a record */
    c->phase = PHASE_TLS;
    shake_hands(c);
}

#define TLS_HANDSHAKE 0x16 /* ContentType of a TLS record, RFC 8446 §5.1; no login begins so */

static void look_at_first_byte(struct conn *c)
{
    uint8_t first;
    postern_error err = { 0 };
    ssize_t n = recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (!wait_for(c, EV_READ))
            conn_free(c);
        return;
    }
    if (n <= 0) {
        conn_free(c);
    } else if (first == TLS_HANDSHAKE) {
        begin_tls(c);
    } else if (c->is_local) {
        c->phase = PHASE_LOGIN;
        read_login(c);
    } else {
        /* What follows is perhaps a token: it is not read. */
        (void)POSTERN_FAIL(&err, TLS_REQUIRED, "a plain login where TLS is required");
        refuse_with(c, POSTERN_ERR_TLS_REQUIRED, &err);
    }
}

static void throw_away(struct conn *c)
{
    ssize_t n;

    do {
        n = recv(c->fd, c->loop->room, sizeof c->loop->room, MSG_DONTWAIT);
        if (n > 0)
            postern_wipe(c->loop->room, (size_t)n);
        c->discarded += n > 0 ? (size_t)n : 0;
    } while (n > 0 && c->discarded < CONN_LINGER_BYTES);
    if (n > 0 || n == 0 || (errno != EAGAIN && errno != EINTR) || !wait_for(c, EV_READ))
        conn_free(c);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)what; /* a phase asks the socket itself */
    switch (c->phase) {
    case PHASE_FIRST_BYTE:
        look_at_first_byte(c);
        return;
    case PHASE_TLS:
        shake_hands(c);
        return;
    case PHASE_LOGIN:
        read_login(c);
        return;
    case PHASE_LINGER:
        throw_away(c);
        return;
    case PHASE_GATE:
        stop_waiting(c); /* who speaks before the answer waits for it */
        return;
    }
}

/* ---- beginning ---- */

static void name_peer(struct conn *c, const struct sockaddr *address, socklen_t len)
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

    if (address->sa_family == AF_INET && len >= sizeof *v4) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host); /* has room */
        (void)snprintf(c->peer, sizeof c->peer, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6 && len >= sizeof *v6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(c->peer, sizeof c->peer, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        memcpy(c->peer, "unix", 5);
    }
    memcpy(c->source, host, sizeof host);
}

static void end_for_room(struct conn *c)
{
    if (c->phase < PHASE_GATE)
        atomic_fetch_add(&c->loop->counters.refused_early, 1);
    conn_free(c);
}

/* The oldest that has not sent its login, or has its answer: it had its time.  False: there is
 * none, each waits for a verdict. */
static bool make_room(struct loop *l)
{
    struct conn *c, *oldest = NULL;

    LIST_FOREACH (c, &l->conns, entry)
        if (c->phase != PHASE_GATE)
            oldest = c; /* newest first */
    if (oldest == NULL)
        return false;
    end_for_room(oldest);
    return true;
}

/* To whom a connection and its refusals are put down. */
struct caller {
    char                 quota[LIMITS_SOURCE_MAX];
    struct denial_source stranger;
};

static struct caller caller_of(int fd, const struct sockaddr *address, socklen_t address_len)
{
    struct caller c = { .stranger = denial_source_of(address, address_len) };
    struct ucred user;
    socklen_t size = sizeof user;

    limits_source_of(address, c.quota);
    if (address->sa_family == AF_UNIX &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size) == 0 && size == sizeof user) {
        limits_source_of_user(user.uid, c.quota);
        c.stranger = denial_source_of_user(user.uid);
    }
    return c;
}

static struct conn *allocate(struct loop *l, const struct door_listener *from)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->state = calloc(1, from->door->adapter->state_size);
    c->ready = event_new(l->base, -1, 0, on_ready, c);
    if (c->state != NULL && c->ready != NULL && make_ref(c->ref))
        return c;
    if (c->ready != NULL)
        event_free(c->ready);
    free(c->state);
    free(c);
    return NULL;
}

static void begin(struct loop *l, const struct door_listener *from, int take_fd,
                  const struct caller *caller, const struct sockaddr *address,
                  socklen_t address_len)
{
    struct conn *c = allocate(l, from);

    if (c == NULL) {
        limits_release(l->process->limits, caller->quota);
        (void)close(take_fd);
        return;
    }
    c->loop = l;
    c->number = ++l->last_conn_number;
    c->settings = settings_ref(l->settings);
    c->door = from->door;
    c->fd = take_fd;
    c->backend.fd = -1;
    c->is_local = from->is_local;
    memcpy(c->quota, caller->quota, sizeof c->quota);
    c->in = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX + sizeof l->room);
    c->token = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    c->started_us = clock_mono_us();
    c->deadline_ms = loop_now().boot_ms + c->door->login_timeout_ms;
    c->stranger = caller->stranger;
    name_peer(c, address, address_len);
    LIST_INSERT_HEAD(&l->conns, c, entry);
    look_at_first_byte(c);
}

/* Of one source, as above. */
static bool make_room_of(struct loop *l, const char *quota)
{
    struct conn *c, *oldest = NULL;

    LIST_FOREACH (c, &l->conns, entry)
        if (c->phase != PHASE_GATE && strcmp(c->quota, quota) == 0)
            oldest = c;
    if (oldest == NULL)
        return false;
    end_for_room(oldest);
    return true;
}

static bool take_place(struct loop *l, const char *quota, bool is_shared)
{
    limits_verdict v = limits_take(l->process->limits, quota);

    /* One user of this machine who opens connections and says nothing must not keep the others
     * out: whoever sends his login at once is never the oldest. */
    if (v == LIMITS_REFUSE && is_shared && make_room_of(l, quota))
        v = limits_take(l->process->limits, quota);
    if (v == LIMITS_ADMIT || (v == LIMITS_MAKE_ROOM && make_room(l)))
        return true;
    if (v == LIMITS_MAKE_ROOM)
        limits_release(l->process->limits, quota);
    return false;
}

void conn_new(struct loop *l, const struct door_listener *from, int take_fd,
              const struct sockaddr *address, socklen_t address_len)
{
    struct caller caller = caller_of(take_fd, address, address_len);

    if (!take_place(l, caller.quota, limits_source_is_shared(address))) {
        atomic_fetch_add(&l->counters.refused_early, 1);
        (void)close(take_fd);
        return;
    }
    atomic_fetch_add(&l->counters.accepted, 1);
    begin(l, from, take_fd, &caller, address, address_len);
}

/* ---- time ---- */

void conn_tick(struct conn *c, struct lease_clock now)
{
    int64_t drain_end_ms = c->loop->drain_end_ms;

    if (now.boot_ms < c->deadline_ms && (drain_end_ms == 0 || now.boot_ms < drain_end_ms))
        return;
    if (c->phase < PHASE_GATE)
        atomic_fetch_add(&c->loop->counters.refused_early, 1);
    conn_free(c);
}

void conn_drain(struct conn *c)
{
    if (c->phase < PHASE_GATE)
        conn_free(c);
}

struct conn *conn_next(const struct conn *c)
{
    return LIST_NEXT(c, entry);
}
