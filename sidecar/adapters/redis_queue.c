/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of a Redis session.  Requests are sent in the order in which they came, each when it and
 * all before it have their verdict; answers go to the client in the same order, ours among the
 * backend's.  A transaction of which a command was refused is discarded at its EXEC, as Redis does
 * with a command that it refuses itself: the backend never heard of that one.
 */
#include "redis_state.h"

#include <stdlib.h>

#define RING_FIRST 16 /* entries: what clients that do not pipeline never outgrow */

#define DISCARD_REQUEST "*1\r\n$7\r\nDISCARD\r\n"
#define ABORTED_ANSWER "-EXECABORT Transaction discarded because of previous errors.\r\n"
#define RIGHTS_ANSWER "-EXECABORT Transaction discarded because what is allowed was changed\r\n"

static struct redis_entry *at(struct redis_state *s, size_t i)
{
    return &s->ring[(s->ring_head + i) % s->ring_size];
}

static bool grow(struct redis_state *s)
{
    size_t size = s->ring_size == 0 ? RING_FIRST : s->ring_size * 2;
    struct redis_entry *ring = calloc(size, sizeof *ring);

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++)
        ring[i] = *at(s, i);
    free(s->ring);
    s->ring = ring;
    s->ring_size = size;
    s->ring_head = 0;
    return true;
}

struct redis_entry *redis_queue_push(struct redis_state *s, enum redis_kind kind,
                                     postern_bytes request)
{
    struct redis_entry *e;

    if (s->count == s->ring_size && !grow(s))
        return NULL;
    e = at(s, s->count);
    *e = (struct redis_entry){ .kind = kind, .owed = 1,
                               .request = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX),
                               .answer = POSTERN_BUF_INIT(REDIS_REFUSAL_MAX) };
    postern_buf_add(&e->request, request);
    if (e->request.failed) {
        postern_buf_free(&e->request);
        return NULL;
    }
    s->waiting += e->request.len;
    s->count++;
    return e;
}

struct redis_entry *redis_queue_find(struct redis_state *s, uint64_t id)
{
    return id >= s->head_id && id - s->head_id < s->count ? at(s, (size_t)(id - s->head_id)) : NULL;
}

struct redis_entry *redis_queue_head(struct redis_state *s)
{
    return s->passed != 0 && at(s, 0)->stage == REDIS_SENT ? at(s, 0) : NULL;
}

static void drop_request(struct redis_state *s, struct redis_entry *e)
{
    s->waiting -= e->request.len;
    postern_buf_free(&e->request);
}

void redis_queue_pop(struct redis_state *s)
{
    struct redis_entry *e = at(s, 0);

    drop_request(s, e);
    postern_buf_free(&e->answer);
    s->awaited -= e->is_awaited;
    s->ring_head = (s->ring_head + 1) % s->ring_size;
    s->head_id++;
    s->count--;
    s->passed--;
}

void redis_queue_refuse(struct redis_state *s, struct redis_entry *e)
{
    drop_request(s, e);
    e->stage = REDIS_ANSWERED;
    e->is_refused = true;
}

/* ---- transactions ---- */

/* What would make the answers of EXEC unreadable, count where nothing can be counted, or let what
 * follows happen in a database that only EXEC's answer tells. */
static const char *what_forbids(const struct redis_entry *e)
{
    if (e->kind == REDIS_HELLO || e->kind == REDIS_SELECT || e->kind == REDIS_MONITOR ||
        (e->kind >= REDIS_SUBSCRIBE && e->kind != REDIS_TRACKING))
        return "-ERR Command not allowed inside a transaction\r\n";
    if (e->rows_max != 0 || e->bytes_max != 0)
        return "-NOPERM The answer of this command is bounded here: not inside a transaction\r\n";
    return NULL;
}

/* Something else is sent, and something else is answered. */
static void put_discard(struct redis_state *s, struct redis_entry *e, const char *answer)
{
    if (e->answer.len == 0)
        postern_buf_add_str(&e->answer, answer);
    drop_request(s, e);
    postern_buf_add_str(&e->request, DISCARD_REQUEST);
    s->waiting += e->request.len;
    e->stage = REDIS_READY;
}

/* What it does was judged when it was queued, perhaps long ago: Redis too asks its ACL again. */
static void pass_exec(struct redis_state *s, struct redis_entry *e)
{
    if (s->is_lost || e->is_refused)
        put_discard(s, e, ABORTED_ANSWER);
    else if (redis_rights(s) != s->multi_rights)
        put_discard(s, e, RIGHTS_ANSWER);
    s->in_multi = false;
}

static void pass_inside(struct redis_state *s, struct redis_entry *e)
{
    const char *forbids = e->stage == REDIS_READY ? what_forbids(e) : NULL;

    if (forbids != NULL) {
        postern_buf_add_str(&e->answer, forbids);
        redis_queue_refuse(s, e);
    }
    if (e->kind == REDIS_EXEC) {
        pass_exec(s, e);
    } else if (e->kind == REDIS_DISCARD && !e->is_refused) {
        s->in_multi = false;
    } else if (e->is_refused) {
        s->is_lost = true;
    }
}

/* In their order: here and nowhere else is it known what is open. */
static void pass(struct redis_state *s, struct redis_entry *e)
{
    if (s->is_monitor && e->stage == REDIS_READY) {
        postern_buf_add_str(&e->answer, "-ERR Nothing can be asked behind MONITOR\r\n");
        redis_queue_refuse(s, e);
    }
    if (s->in_multi) {
        pass_inside(s, e);
    } else if (e->kind == REDIS_MULTI && !e->is_refused) {
        s->in_multi = true;
        s->is_lost = false;
        s->multi_rights = e->rights;
    }
    if (e->kind == REDIS_MONITOR && e->stage == REDIS_READY)
        s->is_monitor = true;
    if (e->is_large)
        s->stream = e->is_refused ? REDIS_STREAM_DROPPED : REDIS_STREAM_PASSES;
    s->passed++;
}

/* ---- turns ---- */

static void send_on(struct redis_state *s, struct redis_entry *e, struct adapter_flow *out)
{
    postern_buf_add(out->to_backend, postern_buf_bytes(&e->request));
    if (!redis_may_go_on(e->kind))
        drop_request(s, e);
    e->stage = REDIS_SENT;
}

/* Nothing that the backend answers is under way: ours may stand there. */
static void answer_ours(struct redis_state *s, struct adapter_flow *out)
{
    while (s->passed != 0 && at(s, 0)->stage == REDIS_ANSWERED) {
        postern_buf_add(out->to_client, postern_buf_bytes(&at(s, 0)->answer));
        redis_queue_pop(s);
    }
}

void redis_queue_advance(struct redis_state *s, struct adapter_flow *out)
{
    while (s->passed < s->count && at(s, s->passed)->stage != REDIS_WAITS) {
        struct redis_entry *e = at(s, s->passed);

        pass(s, e);
        if (e->request.failed || e->answer.failed)
            s->is_out_of_memory = true;
        if (e->stage == REDIS_READY)
            send_on(s, e, out);
    }
    if (s->fate == REDIS_FATE_HELD)
        answer_ours(s, out);
    if (s->is_out_of_memory)
        out->to_client->failed = out->to_backend->failed = true;
}

void redis_queue_free(struct redis_state *s)
{
    for (size_t i = 0; i < s->count; i++) {
        postern_buf_free(&at(s, i)->request);
        postern_buf_free(&at(s, i)->answer);
    }
    free(s->ring);
    free(s->words);
    free(s->keys);
    redis_kept_free(&s->kept);
}
