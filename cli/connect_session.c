/* SPDX-License-Identifier: BSD-2-Clause */
/* One session at a door: token, login, relay.  See connect.h. */
#include <stdio.h>
#include <sys/socket.h>

#include <postern/oauthbearer.h>

#include "cli.h"
#include "connect.h"
#include "connect_relay.h"

/* Bytes of a login: the base64 of a 16 KiB token in its message; ADAPTER_LOGIN_MAX of the door. */
#define LINE_MAX_LEN 24576

/* ---- what is said to the door ---- */

/* RFC 7628 §3.1: host and port are those that were asked for, so that a door can refuse a login
 * that was meant for another; over a unix socket there are none. */
static postern_err build_message(const struct connect_target *t, postern_bytes token,
                                 postern_buf *out, postern_error *err)
{
    bool is_unix = t->path[0] != '\0';

    return postern_sasl_message_build(POSTERN_MECH_OAUTHBEARER, NULL, is_unix ? NULL : t->host,
                                      is_unix ? NULL : t->port, token, out, err);
}

static postern_err build_line(const struct connect_login *l, postern_bytes token, postern_buf *out,
                              postern_error *err)
{
    POSTERN_AUTO_BUF message = POSTERN_BUF_INIT(POSTERN_SASL_MESSAGE_MAX);

    if (l->session != NULL) {
        postern_buf_add_str(out, "RENEW ");
        postern_buf_add_str(out, l->session);
        postern_buf_add_byte(out, ' ');
        postern_buf_add(out, token);
    } else {
        POSTERN_TRY(build_message(&l->plan->target, token, &message, err));
        postern_buf_add_str(out, "AUTH OAUTHBEARER ");
        postern_base64_encode(postern_buf_bytes(&message), out);
    }
    postern_buf_add_str(out, "\r\n");
    return out->failed ? POSTERN_FAIL(err, NOMEM, "a login of %zu bytes", token.len) : POSTERN_OK;
}

/* ---- a login ---- */

static postern_err obtain(struct connect_login *l, struct token_got *got, postern_error *err)
{
    postern_err e = token_obtain(&l->plan->settings, &l->want, got, err);

    l->token_was_stored = got->is_stored;
    (void)snprintf(l->oauth_error, sizeof l->oauth_error, "%s", got->oauth_error);
    if (e == POSTERN_OK && !postern_token_is_token68(postern_secret_bytes(got->token)))
        e = POSTERN_FAIL(err, ISSUER_ANSWER, "the token has characters that none may have");
    return e;
}

static postern_err ask(struct connect_login *l, postern_bytes token, postern_error *err)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(LINE_MAX_LEN);
    postern_bytes answer = POSTERN_BYTES_NONE;

    POSTERN_TRY(build_line(l, token, &line, err));
    POSTERN_TRY(connect_door_open(&l->plan->target, &l->plan->trust, &l->door, err));
    POSTERN_TRY(
        connect_door_ask(&l->door, postern_buf_bytes(&line), &l->in, &answer, &l->early, err));
    return connect_answer_parse(answer, l->session != NULL, &l->answer, err);
}

static postern_err try_once(struct connect_login *l, postern_error *err)
{
    struct token_got got;
    postern_err e;

    l->door = CONNECT_DOOR_NONE;
    l->in = POSTERN_BUF_INIT(ANSWER_LINE_MAX);
    l->early = POSTERN_BYTES_NONE;
    l->answer = (struct connect_answer){ .is_granted = false };
    e = obtain(l, &got, err);
    if (e == POSTERN_OK)
        e = ask(l, postern_secret_bytes(got.token), err);
    token_got_free(&got);
    return e;
}

/* A stored token may have been taken back meanwhile; a fresh one is worth one more try, and no
 * more: a door cannot have us ask the server for ever. */
static bool should_fetch_anew(const struct connect_login *l)
{
    return !l->answer.is_granted && l->answer.retry == ANSWER_RETRY_NEW_TOKEN &&
           l->token_was_stored;
}

postern_err connect_login_run(struct connect_login *l, postern_error *err)
{
    POSTERN_TRY(try_once(l, err));
    if (!should_fetch_anew(l))
        return POSTERN_OK;
    connect_login_free(l);
    l->want.must_be_new = true;
    return try_once(l, err);
}

void connect_login_free(struct connect_login *l)
{
    connect_door_close(&l->door);
    connect_answer_wipe(&l->answer);
    postern_buf_free(&l->in);
    l->early = POSTERN_BYTES_NONE;
}

/* ---- the session ---- */

/* The client must not take a cut for an end: a reset, where its socket can say so. */
static void reset_client(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* a pipe has none */
}

static postern_err relay(struct connect_login *l, int in_fd, int out_fd, postern_error *err)
{
    const struct relay_local local = { in_fd, out_fd };
    struct connect_renewal renewal;
    const struct relay_watch watch = { connect_renewal_fd, connect_renewal_wait_ms,
                                       connect_renewal_tick, &renewal };
    relay_end end = RELAY_DOOR_CUT;
    postern_err e;

    connect_renewal_begin(&renewal, l->plan, &l->answer);
    e = connect_relay_run(&local, &l->door, l->early, &watch, &end, err);
    connect_renewal_end(&renewal);
    if (e != POSTERN_OK || end == RELAY_DOOR_CUT)
        reset_client(out_fd);
    if (e == POSTERN_OK && end == RELAY_DOOR_CUT)
        e = POSTERN_FAIL(err, DOOR_UNREACHABLE, "the session was cut");
    return e;
}

int connect_session_run(const struct connect_plan *plan, int in_fd, int out_fd)
{
    struct connect_login l = { .plan = plan,
                               .want.use_no_cache = plan->options->token.use_no_cache };
    postern_error err = { 0 };
    int status = CLI_PROVED;
    postern_err e = connect_login_run(&l, &err);

    if (e == POSTERN_OK && !l.answer.is_granted)
        status = connect_explain_refusal(plan, &l.answer);
    else if (e != POSTERN_OK)
        status = connect_explain(plan, l.oauth_error, &err);
    if (e != POSTERN_OK || !l.answer.is_granted)
        connect_mcp_refuse(plan, e == POSTERN_OK ? &l.answer : NULL, &err, in_fd, out_fd);
    else if (relay(&l, in_fd, out_fd, &err) != POSTERN_OK)
        status = connect_explain(plan, "", &err);
    connect_login_free(&l);
    return status;
}
