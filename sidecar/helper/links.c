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
#include <unistd.h>

#include "../channel_watch.h"
#include "../log.h"
#include "../revoke_message.h"
#include "../supervisor_line.h"
#include "links.h"

struct links {
    struct helper *helper;
    struct supervisor_line *supervisor;
    struct channel_watch issuer; /* `writable` is pending while it does not read our answers */
    int64_t unsaid_id;           /* of the message being obeyed */
    struct links_owner owner;
};

/* ---- issuer ---- */

static void set_issuer(struct links *l, int fd)
{
    if (l->helper->issuer != NULL)
        postern_issuer_line_set(l->helper->issuer, fd);
}

/* From now on nobody asks it about tokens. */
static void close_issuer(struct links *l)
{
    set_issuer(l, -1);
    channel_watch_close(&l->issuer);
}

/* USAGE: no issuer file trusts that issuer, so none of its tokens opens anything here. */
static postern_err unless_untrusted(postern_err e)
{
    return e == POSTERN_ERR_USAGE ? POSTERN_OK : e;
}

static postern_err obey_revoke(struct links *l, postern_error *err)
{
    struct revoke_message m;

    if (!revoke_message_read(l->issuer.channel, &m))
        return POSTERN_FAIL(err, MALFORMED,
                            "revoke needs issuer, before and one of client, jti and grant");
    return unless_untrusted(
        postern_context_revoke(l->helper->context, m.issuer, m.kind, m.name, m.before_s, err));
}

static postern_err obey_ready(struct links *l, postern_error *err)
{
    char issuer[POSTERN_URL_MAX];

    if (!channel_text(l->issuer.channel, "issuer", issuer, sizeof issuer))
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
    if (channel_send(l->issuer.channel, postern_buf_bytes(&out), -1, err) == POSTERN_AGAIN) {
        if (event_del(l->issuer.readable) == 0 && event_add(l->issuer.writable, NULL) == 0)
            return POSTERN_OK;
        return POSTERN_FAIL(err, NOMEM, "waiting for the issuer");
    }
    /* Said; or the issuer has left this line for a newer one, which is no failure: the end of this
     * one is read next, and on the newer one all is told again. */
    return POSTERN_OK;
}

static postern_err take_issuer_message(struct links *l, postern_error *err)
{
    if (channel_type_is(l->issuer.channel, "revoke"))
        POSTERN_TRY(obey_revoke(l, err));
    else if (channel_type_is(l->issuer.channel, "revocations_ready"))
        POSTERN_TRY(obey_ready(l, err));
    else
        return POSTERN_FAIL(err, MALFORMED, "message of a type that the issuer does not send");
    if (!channel_integer(l->issuer.channel, "id", &l->unsaid_id))
        return POSTERN_FAIL(err, MALFORMED, "message without id");
    return acknowledge(l, err);
}

static void leave(struct links *l, const postern_error *err)
{
    log_error("line to the issuer, leaving for a new start", err);
    close_issuer(l);
    l->owner.stop(l->owner.arg);
}

static void on_issuer_writable(evutil_socket_t fd, short what, void *arg)
{
    struct links *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    if (event_add(l->issuer.readable, NULL) != 0)
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
    switch (channel_receive(l->issuer.channel, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        if (take_issuer_message(l, &err) == POSTERN_OK)
            return;
        break;
    case CHANNEL_CLOSED:
        close_issuer(l);
        return;
    case CHANNEL_BROKEN:
        break;
    }
    leave(l, &err);
}

/* ---- supervisor ---- */

static void take_issuer(void *arg, int take_fd)
{
    struct links *l = arg;
    struct channel_watch_calls calls = { on_issuer, on_issuer_writable, l };
    postern_error err = { 0 };

    close_issuer(l);
    if (channel_watch_open(&l->issuer, l->helper->base, take_fd, calls, &err) == POSTERN_OK)
        set_issuer(l, channel_fd(l->issuer.channel));
    else
        leave(l, &err);
}

static void take_audit(void *arg, int take_fd)
{
    struct links *l = arg;

    audit_line_set(l->helper->audit, take_fd);
    if (audit_line_is_set(l->helper->audit))
        l->owner.recording(l->owner.arg);
}

static void take_control(void *arg, int take_fd)
{
    struct links *l = arg;

    l->owner.control(l->owner.arg, take_fd);
}

static void drain(void *arg)
{
    struct links *l = arg;

    l->owner.stop(l->owner.arg);
}

static const struct supervisor_message messages[] = {
    { "issuer", .take = take_issuer },
    { "audit", .take = take_audit },
    { "control", .take = take_control },
};

postern_err links_new(struct helper *h, int take_supervisor_fd, struct links_owner owner,
                      struct links **ret, postern_error *err)
{
    struct links *l = calloc(1, sizeof *l);
    postern_err e;

    if (l == NULL) {
        (void)close(take_supervisor_fd);
        return POSTERN_FAIL(err, NOMEM, "lines of the helper");
    }
    *l = (struct links){ .helper = h, .owner = owner };
    e = supervisor_line_new(
        h->base, take_supervisor_fd,
        (struct supervisor_line_owner){ messages, sizeof messages / sizeof *messages, drain, l },
        &l->supervisor, err);
    if (e != POSTERN_OK) {
        links_free(l);
        return e;
    }
    *ret = l;
    return POSTERN_OK;
}

postern_err links_say_ready(struct links *l, postern_error *err)
{
    return supervisor_line_say_ready(l->supervisor, err);
}

void links_say_retired(struct links *l)
{
    supervisor_line_tell(l->supervisor, "retired");
}

void links_want_lines(struct links *l)
{
    supervisor_line_want_lines(l->supervisor);
}

void links_free(struct links *l)
{
    if (l == NULL)
        return;
    close_issuer(l);
    supervisor_line_free(l->supervisor);
    free(l);
}
