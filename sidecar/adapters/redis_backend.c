/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Redis server answers: each reply to the request that it belongs to, messages and pushes in
 * between, ours where the backend was not asked.  Replies pass as they come, but for those of which
 * something has to be known first: errors, which may lead around the door; what is bounded; and
 * what may be a message.  Nothing that is answered is ever read as a request.
 */
#include "redis_state.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes of a reply that are waited for before some of it is let through. */
#define HELD_MAX ADAPTER_MESSAGE_MAX
/* Bytes that are rather copied than handed through by themselves. */
#define COPIED_MAX 4096

#define ELSEWHERE_ANSWER "-NOPERM The backend sends to another server, and the door leads to one\r\n"
#define LONG_ANSWER "-NOPERM The answer is longer than is allowed here\r\n"

/* What is known of a reply that is read. */
enum sight {
    SIGHT_BROKEN = 0,
    SIGHT_WAIT,  /* more of it is needed */
    SIGHT_PUSH,  /* nobody's answer: it passes */
    SIGHT_REPLY, /* the first request's: it passes */
    SIGHT_ELSEWHERE,
    SIGHT_LONG,
    SIGHT_OURS   /* the first request's, which has another answer */
};

static adapter_step fail(postern_error *err, const char *why)
{
    (void)POSTERN_FAIL(err, BACKEND, "%s", why);
    return ADAPTER_STEP_BROKEN;
}

/* ---- messages ---- */

static const struct {
    const char *label;
    enum redis_kind kind;
} confirmations[] = {
    { "subscribe", REDIS_SUBSCRIBE },       { "unsubscribe", REDIS_UNSUBSCRIBE },
    { "psubscribe", REDIS_PSUBSCRIBE },     { "punsubscribe", REDIS_PUNSUBSCRIBE },
    { "ssubscribe", REDIS_SSUBSCRIBE },     { "sunsubscribe", REDIS_SUNSUBSCRIBE },
};

/* PLAIN: no confirmation. */
static enum redis_kind confirmed_kind(const char *label)
{
    for (size_t i = 0; i < sizeof confirmations / sizeof *confirmations; i++)
        if (strcmp(confirmations[i].label, label) == 0)
            return confirmations[i].kind;
    return REDIS_PLAIN;
}

static bool is_message(const char *label)
{
    return strcmp(label, "message") == 0 || strcmp(label, "pmessage") == 0 ||
           strcmp(label, "smessage") == 0;
}

static bool is_subscription(enum redis_kind kind)
{
    return kind >= REDIS_SUBSCRIBE && kind <= REDIS_SUNSUBSCRIBE;
}

static bool is_subscribed(const struct redis_state *s)
{
    return s->channels + s->patterns + s->shards != 0;
}

static bool confirms(const struct redis_entry *head, const char *label)
{
    return head != NULL && is_subscription(head->kind) && confirmed_kind(label) == head->kind;
}

static void step_count(uint64_t *count, uint64_t before, uint64_t after)
{
    if (after > before)
        (*count)++;
    else if (after < before && *count != 0)
        (*count)--;
}

/* The server says how many there are of both kinds: one of them changed by one. */
static void count_subscriptions(struct redis_state *s, enum redis_kind kind, uint64_t after)
{
    uint64_t before = s->channels + s->patterns;

    if (kind == REDIS_SSUBSCRIBE || kind == REDIS_SUNSUBSCRIBE)
        s->shards = after;
    else if (kind == REDIS_SUBSCRIBE || kind == REDIS_UNSUBSCRIBE)
        step_count(&s->channels, before, after);
    else
        step_count(&s->patterns, before, after);
}

/* UNSUBSCRIBE without a channel is answered for each, and once where there is none. */
static uint64_t answers_for_all(const struct redis_state *s, enum redis_kind kind)
{
    uint64_t count = kind == REDIS_UNSUBSCRIBE    ? s->channels
                     : kind == REDIS_PUNSUBSCRIBE ? s->patterns
                                                  : s->shards;

    return count == 0 ? 1 : count;
}

/* ---- what a reply is ---- */

static enum sight see_array(const struct redis_state *s, const struct redis_entry *head,
                            redis_reply_end end)
{
    const struct redis_reply *r = &s->reply;

    if (end != REDIS_REPLY_DONE && r->index == 0)
        return SIGHT_WAIT;
    if (confirms(head, r->label))
        return end == REDIS_REPLY_DONE ? SIGHT_REPLY : SIGHT_WAIT;
    if (r->type == '>')
        return SIGHT_PUSH;
    return is_subscribed(s) && (is_message(r->label) || confirmed_kind(r->label) != REDIS_PLAIN)
               ? SIGHT_PUSH
               : SIGHT_REPLY;
}

static bool may_be_a_message(const struct redis_state *s, const struct redis_entry *head)
{
    if (s->reply.type == '>')
        return true;
    return s->reply.type == '*' && !s->is_resp3 &&
           (is_subscribed(s) || (head != NULL && is_subscription(head->kind)));
}

/* A client that follows them goes around the door. */
static bool leads_elsewhere(const struct redis_reply *r)
{
    static const char *const words[] = { "MOVED ", "ASK ", "REDIRECT " };

    for (size_t i = 0; r->is_error && i < sizeof words / sizeof *words; i++)
        if (strncmp(r->label, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* Done, or not; QUEUED, where the door knows of no transaction, is neither. */
static bool is_vague(const struct redis_entry *head, const struct redis_reply *r)
{
    return head->kind == REDIS_SELECT && !r->is_error && !r->is_ok;
}

/* XAUTOCLAIM: a cursor, what was found, and what is gone. */
static uint64_t rows_of(const struct redis_entry *head, const struct redis_reply *r)
{
    return head->counts_found && r->rows <= 3 ? r->found : r->rows;
}

static bool is_too_long(const struct redis_entry *head, const struct redis_reply *r)
{
    return (head->rows_max > 0 && rows_of(head, r) > (uint64_t)head->rows_max) ||
           (head->bytes_max > 0 && r->bytes + r->rest > (uint64_t)head->bytes_max);
}

static enum sight see(struct redis_state *s, redis_reply_end end)
{
    struct redis_entry *head = redis_queue_head(s);
    const struct redis_reply *r = &s->reply;

    if (end == REDIS_REPLY_BROKEN)
        return SIGHT_BROKEN;
    if (r->type == 0)
        return SIGHT_WAIT;
    if (may_be_a_message(s, head)) {
        enum sight sight = see_array(s, head, end);

        if (sight != SIGHT_REPLY)
            return sight;
    }
    if (head == NULL)
        return s->is_monitor && r->type == '+' ? SIGHT_PUSH : SIGHT_BROKEN;
    if (head->answer.len != 0)
        return SIGHT_OURS;
    if (is_vague(head, r))
        return SIGHT_BROKEN;
    if (is_too_long(head, r) && !r->is_error)
        return SIGHT_LONG;
    if (leads_elsewhere(r))
        return end == REDIS_REPLY_DONE ? SIGHT_ELSEWHERE : SIGHT_WAIT;
    if (end != REDIS_REPLY_DONE && (r->is_error || head->rows_max != 0 || head->bytes_max != 0))
        return SIGHT_WAIT;
    return SIGHT_REPLY;
}

/* ---- its end ---- */

static void set_database(struct redis_state *s)
{
    int n = s->asked_database == 0 ? 0
                                   : snprintf(s->database, sizeof s->database, "%" PRIu64,
                                              s->asked_database);

    if (n <= 0)
        s->database[0] = '\0';
}

/* One answer fewer is owed. */
static void take_turn(struct redis_state *s, struct redis_entry *head)
{
    const struct redis_reply *r = &s->reply;

    if (head->kind == REDIS_HELLO && !r->is_error)
        s->is_resp3 = r->type == '%';
    if (head->kind == REDIS_SELECT && r->is_ok)
        set_database(s);
    if (head->kind == REDIS_MONITOR && r->is_error)
        s->is_monitor = false;
    if (is_subscription(head->kind) && !r->is_error && confirms(head, r->label)) {
        if (head->owed == 0)
            head->owed = answers_for_all(s, head->kind);
        count_subscriptions(s, head->kind, r->third);
        redis_kept_note(s, head, --head->owed == 0);
        if (head->owed != 0)
            return;
    }
    if ((head->kind == REDIS_MONITOR || head->kind == REDIS_TRACKING) && !r->is_error)
        redis_kept_note(s, head, true);
    redis_queue_pop(s);
}

static void finish(struct redis_state *s, struct adapter_flow *out)
{
    struct redis_entry *head = redis_queue_head(s);

    if (!s->is_push && head != NULL)
        take_turn(s, head);
    memset(&s->reply, 0, sizeof s->reply);
    s->fate = REDIS_FATE_HELD;
    s->is_push = false;
    s->seen = 0;
    redis_queue_advance(s, out);
}

/* ---- bytes ---- */

/* Something of ours stands there instead. */
static void drop(struct redis_state *s, enum sight sight, struct adapter_flow *out)
{
    if (sight == SIGHT_OURS)
        postern_buf_add(out->to_client, postern_buf_bytes(&redis_queue_head(s)->answer));
    else
        postern_buf_add_str(out->to_client,
                            sight == SIGHT_LONG ? LONG_ANSWER : ELSEWHERE_ANSWER);
    s->fate = REDIS_FATE_DROPPED;
}

/* More than HELD_MAX bytes would be needed to know. */
static enum sight see_no_more(struct redis_state *s, enum sight sight)
{
    if (sight != SIGHT_WAIT)
        return sight;
    return s->reply.type != 0 && !may_be_a_message(s, redis_queue_head(s)) ? SIGHT_REPLY
                                                                           : SIGHT_BROKEN;
}

/* A reply of which nothing was used so far. */
static adapter_step read_held(struct redis_state *s, postern_bytes in, bool is_first,
                              size_t *ret_used, struct adapter_flow *out, postern_error *err)
{
    size_t room = in.len < HELD_MAX ? in.len : HELD_MAX, len;
    redis_reply_end end = redis_reply_step(
        &s->reply, (postern_bytes){ in.ptr + s->seen, room - s->seen }, &len);
    enum sight sight;

    s->seen += len;
    sight = see(s, end);
    if (in.len >= HELD_MAX)
        sight = see_no_more(s, sight);
    if (sight == SIGHT_BROKEN)
        return fail(err, "the backend's answer is none, or nobody asked for it");
    if (sight == SIGHT_WAIT)
        return ADAPTER_STEP_MORE;
    if (sight == SIGHT_PUSH && !redis_kept_stands(s)) {
        (void)POSTERN_FAIL(err, POLICY, "what it listens to is allowed no more"); /* told */
        return ADAPTER_STEP_BROKEN;
    }
    s->is_push = sight == SIGHT_PUSH;
    if (sight != SIGHT_PUSH && sight != SIGHT_REPLY)
        drop(s, sight, out);
    else if (end == REDIS_REPLY_DONE || s->seen <= COPIED_MAX)
        postern_buf_add(out->to_client, (postern_bytes){ in.ptr, s->seen });
    else if (!is_first)
        return ADAPTER_STEP_FULL; /* it goes by itself, at the next call */
    *ret_used = s->seen;
    s->seen = 0;
    if (end == REDIS_REPLY_DONE) {
        finish(s, out);
        return ADAPTER_STEP_AGAIN;
    }
    if (s->fate == REDIS_FATE_DROPPED)
        return ADAPTER_STEP_AGAIN;
    s->fate = REDIS_FATE_PASSES;
    return *ret_used <= COPIED_MAX ? ADAPTER_STEP_AGAIN : ADAPTER_STEP_PASS;
}

/* The rest of one. */
static adapter_step read_begun(struct redis_state *s, postern_bytes in, bool is_first,
                               size_t *ret_used, struct adapter_flow *out, postern_error *err)
{
    struct redis_entry *head = redis_queue_head(s);
    redis_reply_end end;

    if (in.len > COPIED_MAX && !is_first && s->fate == REDIS_FATE_PASSES)
        return ADAPTER_STEP_FULL;
    end = redis_reply_step(&s->reply, in, ret_used);
    if (end == REDIS_REPLY_BROKEN)
        return fail(err, "the backend's answer is none");
    if (s->fate == REDIS_FATE_PASSES && !s->is_push && head != NULL && !s->reply.is_error &&
        is_too_long(head, &s->reply))
        return fail(err, "the backend's answer is longer than the policy allows");
    if (s->fate == REDIS_FATE_PASSES && end == REDIS_REPLY_MORE && *ret_used > COPIED_MAX)
        return ADAPTER_STEP_PASS;
    if (s->fate == REDIS_FATE_PASSES)
        postern_buf_add(out->to_client, (postern_bytes){ in.ptr, *ret_used });
    if (end == REDIS_REPLY_DONE)
        finish(s, out);
    return *ret_used == 0 ? ADAPTER_STEP_MORE : ADAPTER_STEP_AGAIN;
}

/* FULL is between these functions: what follows wants a call of its own. */
adapter_step redis_read_backend(struct redis_state *s, postern_bytes in, size_t *ret_used,
                                struct adapter_flow *out, postern_error *err)
{
    adapter_step step = ADAPTER_STEP_AGAIN;

    while (step == ADAPTER_STEP_AGAIN && *ret_used < in.len) {
        postern_bytes rest = { in.ptr + *ret_used, in.len - *ret_used };
        bool is_first = *ret_used == 0;
        size_t used = 0;

        step = s->fate == REDIS_FATE_HELD ? read_held(s, rest, is_first, &used, out, err)
                                          : read_begun(s, rest, is_first, &used, out, err);
        *ret_used += used;
    }
    if (*ret_used == in.len && step == ADAPTER_STEP_AGAIN)
        return ADAPTER_STEP_MORE;
    return step == ADAPTER_STEP_FULL ? ADAPTER_STEP_AGAIN : step;
}
