/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the control child (sidecar/helper/blocks.h).  A list comes item by item and is put in
 * force at its end, whole; a "blocks_begin" throws away what came before it.  A list that cannot be
 * obeyed ends this helper, as a revocation does (links.c): the next one is told everything.
 */
#include "config.h"

#include <stdlib.h>

#include "../channel_watch.h"
#include "../log.h"
#include "blocks.h"
#include "logins.h"

#define AGENT_MAX   1025 /* bytes with NUL: POSTERN_IDENTITY_MAX */
#define METRICS_MAX 4096

struct block_line {
    struct helper *helper;
    struct block_line_owner owner;
    struct channel_watch watch; /* closed: away */
    postern_block *list; /* the one that is coming */
    size_t count, cap;
    bool is_coming;
    postern_buf answer; /* not sent yet: no further message is taken until it is */
};

static void drop_line(struct block_line *l)
{
    channel_watch_close(&l->watch);
    l->is_coming = false;
    l->count = 0;
}

static void leave(struct block_line *l, const postern_error *err)
{
    log_error("line to the control child, leaving for a new start", err);
    drop_line(l);
    l->owner.stop(l->owner.arg);
}

/* ---- the list ---- */

static postern_err grow(struct block_line *l, postern_error *err)
{
    size_t cap = l->cap == 0 ? 16 : l->cap * 2;
    postern_block *grown;

    if (l->count == POSTERN_BLOCKS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d blocked agents", POSTERN_BLOCKS_MAX);
    if (l->count < l->cap)
        return POSTERN_OK;
    grown = reallocarray(l->list, cap, sizeof *grown);
    if (grown == NULL)
        return POSTERN_FAIL(err, NOMEM, "%zu blocks", cap);
    l->list = grown;
    l->cap = cap;
    return POSTERN_OK;
}

static postern_err take_block(struct block_line *l, postern_error *err)
{
    postern_block b = { .until_s = -1 };

    if (!l->is_coming || !channel_text(l->watch.channel, "agent", b.agent, sizeof b.agent) ||
        b.agent[0] == '\0' || !channel_text(l->watch.channel, "reason", b.reason, sizeof b.reason) ||
        !channel_text(l->watch.channel, "contact", b.contact, sizeof b.contact) ||
        !channel_integer(l->watch.channel, "until", &b.until_s) || b.until_s < 0)
        return POSTERN_FAIL(err, MALFORMED,
                            "block needs a list that began, agent, until, reason and contact");
    POSTERN_TRY(grow(l, err));
    l->list[l->count++] = b;
    return POSTERN_OK;
}

static void write_head(struct block_line *l, postern_json_writer *w, const char *type, int64_t id)
{
    postern_buf_reset(&l->answer);
    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "type", type);
    postern_json_put_integer(w, "id", id);
}

static postern_err end_list(struct block_line *l, int64_t id, postern_error *err)
{
    postern_json_writer w = { &l->answer, false };

    if (!l->is_coming)
        return POSTERN_FAIL(err, MALFORMED, "blocks_end without blocks_begin");
    l->is_coming = false;
    POSTERN_TRY(postern_context_set_blocks(l->helper->context, l->list, l->count, err));
    l->owner.told(l->owner.arg);
    write_head(l, &w, "done", id);
    postern_json_close_object(&w);
    return POSTERN_OK;
}

/* ---- questions ---- */

static postern_err answer_logins(struct block_line *l, int64_t id, postern_error *err)
{
    postern_json_writer w = { &l->answer, false };
    char agent[AGENT_MAX];

    if (!channel_text(l->watch.channel, "agent", agent, sizeof agent))
        return POSTERN_FAIL(err, MALFORMED, "logins needs agent");
    write_head(l, &w, "logins", id);
    logins_write(l->helper->logins, agent, "logins", &w);
    postern_json_close_object(&w);
    return POSTERN_OK;
}

static postern_err answer_metrics(struct block_line *l, int64_t id, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(METRICS_MAX);
    postern_json_writer w = { &l->answer, false };

    logins_write_metrics(l->helper->logins, &text);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "metrics");
    write_head(l, &w, "metrics", id);
    postern_json_put_string(&w, "text", postern_buf_bytes(&text));
    postern_json_close_object(&w);
    return POSTERN_OK;
}

/* Messages that are answered. */
static const struct {
    const char *type;
    postern_err (*answer)(struct block_line *l, int64_t id, postern_error *err);
} questions[] = {
    { "blocks_end", end_list },
    { "logins", answer_logins },
    { "metrics", answer_metrics },
};

/* ---- the line ---- */

/* Say l->answer, now or when the control child reads again. */
static postern_err send_answer(struct block_line *l, postern_error *err)
{
    if (l->answer.failed)
        return POSTERN_FAIL(err, NOMEM, "an answer");
    if (channel_send(l->watch.channel, postern_buf_bytes(&l->answer), -1, err) == POSTERN_AGAIN) {
        if (event_del(l->watch.readable) == 0 && event_add(l->watch.writable, NULL) == 0)
            return POSTERN_OK;
        return POSTERN_FAIL(err, NOMEM, "waiting for the control child");
    }
    /* Said; or the control child has left this line for a newer one: its end is read next. */
    return POSTERN_OK;
}

static postern_err take_question(struct block_line *l, postern_error *err)
{
    int64_t id = 0;

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        if (!channel_type_is(l->watch.channel, questions[i].type))
            continue;
        if (!channel_integer(l->watch.channel, "id", &id))
            return POSTERN_FAIL(err, MALFORMED, "%s without id", questions[i].type);
        POSTERN_TRY(questions[i].answer(l, id, err));
        return send_answer(l, err);
    }
    return POSTERN_FAIL(err, MALFORMED, "message of a type that the control child does not send");
}

static postern_err take_message(struct block_line *l, postern_error *err)
{
    if (channel_type_is(l->watch.channel, "block"))
        return take_block(l, err);
    if (!channel_type_is(l->watch.channel, "blocks_begin"))
        return take_question(l, err);
    l->is_coming = true;
    l->count = 0;
    return POSTERN_OK;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct block_line *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    switch (channel_receive(l->watch.channel, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        if (take_message(l, &err) == POSTERN_OK)
            return;
        break;
    case CHANNEL_CLOSED:
        drop_line(l);
        return;
    case CHANNEL_BROKEN:
        break;
    }
    leave(l, &err);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct block_line *l = arg;
    postern_error err = { 0 };

    (void)fd;
    (void)what;
    if (event_add(l->watch.readable, NULL) != 0)
        (void)POSTERN_FAIL(&err, NOMEM, "reading the control child");
    else if (send_answer(l, &err) == POSTERN_OK)
        return;
    leave(l, &err);
}

void block_line_set(struct block_line *l, int take_fd)
{
    struct channel_watch_calls calls = { on_readable, on_writable, l };
    postern_error err = { 0 };

    drop_line(l);
    if (channel_watch_open(&l->watch, l->helper->base, take_fd, calls, &err) != POSTERN_OK)
        leave(l, &err);
}

postern_err block_line_new(struct helper *h, struct block_line_owner owner, struct block_line **ret,
                           postern_error *err)
{
    struct block_line *l = calloc(1, sizeof *l);

    if (l == NULL)
        return POSTERN_FAIL(err, NOMEM, "line to the control child");
    *l = (struct block_line){ .helper = h,
                              .owner = owner,
                              .answer = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX) };
    *ret = l;
    return POSTERN_OK;
}

void block_line_free(struct block_line *l)
{
    if (l == NULL)
        return;
    drop_line(l);
    postern_buf_free(&l->answer);
    free(l->list);
    free(l);
}
