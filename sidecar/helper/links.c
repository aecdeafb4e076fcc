/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the supervisor and of the issuer child (sidecar/helper/links.h).  A revocation is
 * acknowledged when it is in force; the issuer sends all it knows after every (re)connection and
 * ends with revocations_ready.  When the issuer goes away, what was revoked stays revoked.  A
 * revocation that cannot be obeyed ends this helper: the supervisor starts another, which knows
 * nothing and is told everything.  The line to the audit child is not read here.
 */
#include "config.h"

#include <stdlib.h>

#include "../channel.h"
#include "../log.h"
#include "links.h"

#define CLIENT_MAX 1025 /* bytes with NUL: POSTERN_IDENTITY_MAX */

struct links {
    struct helper *helper;
    struct channel *supervisor, *issuer;
    struct event *from_supervisor, *from_issuer;
    struct event *to_issuer; /* pending while the issuer does not read our answers */
    int64_t unsaid_id;       /* of the message being obeyed */
    struct links_owner owner;
};

static struct event *watch_channel(struct links *l, struct channel *c, event_callback_fn on_message)
{
    struct event *e =
        event_new(l->helper->base, channel_fd(c), EV_READ | EV_PERSIST, on_message, l);

    if (e != NULL && event_add(e, NULL) == 0)
        return e;
    if (e != NULL)
        event_free(e);
    return NULL;
}

/* ---- issuer ---- */

static void drop_issuer(struct links *l)
{
    if (l->from_issuer != NULL)
        event_free(l->from_issuer);
    if (l->to_issuer != NULL)
        event_free(l->to_issuer);
    channel_free(l->issuer);
    l->from_issuer = l->to_issuer = NULL;
    l->issuer = NULL;
}

/* USAGE: no issuer file trusts that issuer, so none of its tokens opens anything here. */
static postern_err unless_untrusted(postern_err e)
{
    return e == POSTERN_ERR_USAGE ? POSTERN_OK : e;
}

static postern_err revoke(struct links *l, postern_error *err)
{
    char issuer[POSTERN_URL_MAX], client[CLIENT_MAX];
    int64_t before_s;

    if (!channel_text(l->issuer, "issuer", issuer, sizeof issuer) ||
        !channel_text(l->issuer, "client", client, sizeof client) ||
        !channel_integer(l->issuer, "before", &before_s))
        return POSTERN_FAIL(err, MALFORMED, "revoke needs issuer, client and before");
    return unless_untrusted(
        postern_context_revoke_client(l->helper->context, issuer, client, before_s, err));
}

static postern_err revocations_ready(struct links *l, postern_error *err)
{
    char issuer[POSTERN_URL_MAX];

    if (!channel_text(l->issuer, "issuer", issuer, sizeof issuer))
        return POSTERN_FAIL(err, MALFORMED, "revocations_ready needs issuer");
    POSTERN_TRY(
        unless_untrusted(postern_context_revocations_ready(l->helper->context, issuer, err)));
    l->owner.told(l->owner.arg, issuer);
    return POSTERN_OK;
}

/* Say "done" for l->unsaid_id, now or when the issuer reads again; no further message is taken
 * until it is said. */
static postern_err acknowledge(struct links *l, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(128);
    postern_json_writer w = { .out = &out };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "done");
    postern_json_put_integer(&w, "id", l->unsaid_id);
    postern_json_close_object(&w);
    if (out.failed)
        return POSTERN_FAIL(err, NOMEM, "acknowledgement");
    if (channel_send(l->issuer, postern_buf_bytes(&out), -1, err) == POSTERN_AGAIN) {
        if (event_del(l->from_issuer) == 0 && event_add(l->to_issuer, NULL) == 0)
            return POSTERN_OK;
        return POSTERN_FAIL(err, NOMEM, "waiting for the issuer");
    }
    /* Said; or the issuer has left this line for a newer one, which is no failure: the end of this
     * one is read next, and on the newer one all is told again. */
    return POSTERN_OK;
}

static postern_err take_issuer_message(struct links *l, postern_error *err)
{
    if (channel_type_is(l->issuer, "revoke"))
        POSTERN_TRY(revoke(l, err));
    else if (channel_type_is(l->issuer, "revocations_ready"))
        POSTERN_TRY(revocations_ready(l, err));
    else
        return POSTERN_FAIL(err, MALFORMED, "message of a type that the issuer does not send");
    if (!channel_integer(l->issuer, "id", &l->unsaid_id))
        return POSTERN_FAIL(err, MALFORMED, "message without id");
    return acknowledge(l, err);
}

static void leave(struct links *l, const postern_error *err)
{
    log_error("line to the issuer, leaving for a new start", err);
    drop_issuer(l);
    l->owner.stop(l->owner.arg);
}

static void on_issuer_writable(evutil_socket_t fd, short what, void *arg)
{
    struct links *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    if (event_add(l->from_issuer, NULL) != 0)
        (void)POSTERN_FAIL(&err, NOMEM, "reading the issuer");
    else if (acknowledge(l, &err) == POSTERN_OK)
        return;
    leave(l, &err);
}

static void on_issuer(evutil_socket_t fd, short what, void *arg)
{
    struct links *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    switch (channel_receive(l->issuer, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        if (take_issuer_message(l, &err) == POSTERN_OK)
            return;
        break;
    case CHANNEL_CLOSED:
        drop_issuer(l);
        return;
    case CHANNEL_BROKEN:
        break;
    }
    leave(l, &err);
}

static void take_issuer(struct links *l, int take_fd)
{
    postern_error err = { 0 };

    drop_issuer(l);
    if (channel_new(take_fd, &l->issuer, &err) != POSTERN_OK) {
        log_error("line to the issuer", &err);
        return;
    }
    l->from_issuer = watch_channel(l, l->issuer, on_issuer);
    l->to_issuer =
        event_new(l->helper->base, channel_fd(l->issuer), EV_WRITE, on_issuer_writable, l);
    if (l->from_issuer == NULL || l->to_issuer == NULL)
        leave(l, &(postern_error){ .code = POSTERN_ERR_NOMEM, .detail = "no event" });
}

/* ---- supervisor ---- */

static void take_audit(struct links *l, int take_fd)
{
    audit_line_set(l->helper->audit, take_fd);
    if (audit_line_is_set(l->helper->audit))
        l->owner.recording(l->owner.arg);
}

static void take_supervisor_message(struct links *l)
{
    int fd = -1;

    if (channel_type_is(l->supervisor, "drain"))
        l->owner.stop(l->owner.arg);
    else if (channel_type_is(l->supervisor, "issuer") && (fd = channel_take_fd(l->supervisor)) >= 0)
        take_issuer(l, fd);
    else if (channel_type_is(l->supervisor, "audit") && (fd = channel_take_fd(l->supervisor)) >= 0)
        take_audit(l, fd);
    else if (channel_type_is(l->supervisor, "control") &&
             (fd = channel_take_fd(l->supervisor)) >= 0)
        l->owner.control(l->owner.arg, fd);
    else
        log_problem("a message of the supervisor has an unknown type or lacks its descriptor");
}

static void on_supervisor(evutil_socket_t fd, short what, void *arg)
{
    struct links *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    switch (channel_receive(l->supervisor, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        take_supervisor_message(l);
        return;
    case CHANNEL_BROKEN:
        log_error("line to the supervisor", &err);
        break;
    case CHANNEL_CLOSED:
        break;
    }
    (void)event_del(l->from_supervisor); /* end of file stays readable for ever */
    l->owner.stop(l->owner.arg);
}

postern_err links_new(struct helper *h, int take_supervisor_fd, struct links_owner owner,
                      struct links **ret, postern_error *err)
{
    struct channel *supervisor = NULL;
    struct links *l;

    POSTERN_TRY(channel_new(take_supervisor_fd, &supervisor, err));
    l = calloc(1, sizeof *l);
    if (l == NULL) {
        channel_free(supervisor);
        return POSTERN_FAIL(err, NOMEM, "line to the supervisor");
    }
    *l = (struct links){ .helper = h, .supervisor = supervisor, .owner = owner };
    l->from_supervisor = watch_channel(l, supervisor, on_supervisor);
    if (l->from_supervisor == NULL) {
        links_free(l);
        return POSTERN_FAIL(err, NOMEM, "line to the supervisor");
    }
    *ret = l;
    return POSTERN_OK;
}

postern_err links_say_ready(struct links *l, postern_error *err)
{
    return channel_send_type(l->supervisor, "ready", -1, err);
}

void links_want_lines(struct links *l)
{
    postern_error err = { 0 };
    postern_err e = channel_send_type(l->supervisor, "link", -1, &err);

    if (e != POSTERN_OK && e != POSTERN_AGAIN) /* AGAIN: it hears of us a second later */
        log_error("line to the supervisor", &err);
}

void links_free(struct links *l)
{
    if (l == NULL)
        return;
    drop_issuer(l);
    if (l->from_supervisor != NULL)
        event_free(l->from_supervisor);
    channel_free(l->supervisor);
    free(l);
}
