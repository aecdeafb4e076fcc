/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Redis client asks for, command by command: each becomes an action with its keys, and waits
 * in the queue.  AUTH is not for the backend: it asks for a longer lease.
 */
#include "redis_state.h"

#include <stdlib.h>

/* Words whose arrays are kept from one action to the next; larger ones are given back. */
#define WORDS_KEPT 1024

static const struct {
    const char *name;
    enum redis_kind kind;
} kinds[] = {
    { "MULTI", REDIS_MULTI },
    { "EXEC", REDIS_EXEC },
    { "DISCARD", REDIS_DISCARD },
    { "HELLO", REDIS_HELLO },
    { "SELECT", REDIS_SELECT },
    { "MONITOR", REDIS_MONITOR },
    { "CLIENT|TRACKING", REDIS_TRACKING },
    { "SUBSCRIBE", REDIS_SUBSCRIBE },
    { "PSUBSCRIBE", REDIS_PSUBSCRIBE },
    { "SSUBSCRIBE", REDIS_SSUBSCRIBE },
    { "UNSUBSCRIBE", REDIS_UNSUBSCRIBE },
    { "PUNSUBSCRIBE", REDIS_PUNSUBSCRIBE },
    { "SUNSUBSCRIBE", REDIS_SUNSUBSCRIBE },
    /* another login's place, or another protocol from here on */
    { "RESET", REDIS_NEVER },
    { "CLIENT|REPLY", REDIS_NEVER },
    { "SCRIPT|DEBUG", REDIS_NEVER },
    { "SYNC", REDIS_NEVER },
    { "PSYNC", REDIS_NEVER },
    { "REPLCONF", REDIS_NEVER },
    { "CLUSTER|SYNCSLOTS", REDIS_NEVER },
};

static enum redis_kind kind_of(const struct redis_name *name)
{
    if (name->text[0] == '\0')
        return REDIS_NEVER;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name->text) == 0)
            return kinds[i].kind;
    return REDIS_PLAIN;
}

/* MULTI, EXEC and DISCARD have no arguments: with some the server refuses them, and whether a
 * transaction is open then is more than the door wants to guess.  So is which database "03" is. */
static bool is_odd(enum redis_kind kind, struct redis_words w)
{
    uint64_t database;

    if (kind == REDIS_SELECT)
        return w.count != 2 || !redis_read_number(w.at[1], &database);
    return w.count != 1 && (kind == REDIS_MULTI || kind == REDIS_EXEC || kind == REDIS_DISCARD);
}

static adapter_step fail(postern_err code, postern_error *err, const char *why)
{
    if (code == POSTERN_ERR_NOMEM)
        (void)POSTERN_FAIL(err, NOMEM, "%s", why);
    else
        (void)POSTERN_FAIL(err, MESSAGE_MALFORMED, "%s", why);
    return ADAPTER_STEP_BROKEN;
}

/* Room for `count` views; what was there is gone. */
static bool make_room(postern_bytes **array, size_t *max, size_t count)
{
    if (*array != NULL && count <= *max && *max <= WORDS_KEPT)
        return true;
    free(*array);
    *max = count < 16 ? 16 : count;
    *array = calloc(*max, sizeof **array);
    if (*array == NULL)
        *max = 0;
    return *array != NULL;
}

static struct redis_words take_words(struct redis_state *s, postern_bytes in, size_t count)
{
    struct redis_words w = { NULL, count };

    if (make_room(&s->words, &s->words_max, w.count))
        w.at = s->words;
    if (w.at != NULL)
        redis_scan_words(in, w.count, s->words);
    return w;
}

/* ---- a longer lease ---- */

/* As a server would answer it, in its turn; nobody has to decide that. */
static adapter_step answer_at_once(struct redis_state *s, enum redis_kind kind,
                                   struct adapter_flow *out, postern_error *err, const char *text)
{
    struct redis_entry *e = redis_queue_push(s, kind, POSTERN_BYTES_NONE);

    if (e == NULL)
        return fail(POSTERN_ERR_NOMEM, err, "an answer");
    postern_buf_add_str(&e->answer, text);
    redis_queue_refuse(s, e);
    redis_queue_advance(s, out);
    return ADAPTER_STEP_AGAIN;
}

/* HELLO goes on without its AUTH when the lease is longer. */
static adapter_step ask_for_login(struct redis_state *s, struct redis_login *l,
                                  struct adapter_login *login, struct adapter_flow *out,
                                  postern_error *err)
{
    struct redis_entry *e;
    postern_err code = redis_login_take(l, &s->authzid, login, NULL);

    if (code == POSTERN_ERR_NOMEM)
        return fail(code, err, "a user name");
    if (code != POSTERN_OK)
        return answer_at_once(s, REDIS_LOGIN, out, err,
                              "-WRONGPASS the password is not a token\r\n");
    e = redis_queue_push(s, REDIS_LOGIN, POSTERN_BYTES_NONE);
    if (e == NULL)
        return fail(POSTERN_ERR_NOMEM, err, "a login");
    l->has_auth = false;
    if (l->protocol != 0)
        redis_put_hello(l, &e->request);
    if (e->request.failed) {
        s->is_out_of_memory = true;
        return fail(POSTERN_ERR_NOMEM, err, "a login");
    }
    s->waiting += e->request.len;
    s->login_id = redis_queue_last_id(s);
    return ADAPTER_STEP_LOGIN;
}

/* ---- commands ---- */

static void count_answers(struct redis_entry *e, size_t words)
{
    if (e->kind >= REDIS_SUBSCRIBE && e->kind <= REDIS_SUNSUBSCRIBE)
        e->owed = words - 1; /* one for each channel; 0 names all */
}

/* Each decision on an action may compare its arguments byte by byte: so many bytes are looked at
 * for a rule, some milliseconds in which no other session has a turn.  One value of a megabyte, or
 * a thousand of 4 KiB, are fine. */
#define ARGS_WORK_MAX (4 * (size_t)ADAPTER_MESSAGE_MAX)

static bool are_args_judged(const struct adapter_action *action)
{
    size_t decisions = action->resource_count + 1, longest = 0;

    for (size_t i = 0; i < action->digested_count; i++)
        longest = action->digested[i].len > longest ? action->digested[i].len : longest;
    return longest <= ARGS_WORK_MAX / decisions;
}

/* Views of what it touches.  False: nobody can say, so it is denied. */
static bool find_resources(struct redis_state *s, const struct redis_name *name,
                           struct redis_words w, bool is_large, struct adapter_action *ret)
{
    static const struct redis_keys unknown = KEYS_UNKNOWN;
    const struct redis_keys *keys = name->command == NULL ? &unknown : &name->command->keys;
    struct redis_found found = { .keys = s->keys, .max = s->keys_max };

    if (is_large && !redis_keys_lead(keys, w.count))
        return false;
    if (found.max > ADAPTER_RESOURCES_MAX)
        found.max = ADAPTER_RESOURCES_MAX;
    redis_keys_find(keys, w, &found);
    ret->resources = found.keys;
    ret->resource_count = found.count;
    ret->has_unnamed = found.has_unnamed;
    return !found.is_full;
}

static void describe(struct redis_state *s, const struct redis_name *name, struct redis_words w,
                     bool is_large, struct adapter_action *ret)
{
    ret->from = ADAPTER_CLIENT;
    ret->name = name->text;
    ret->digested = w.at + name->words;
    ret->digested_count = w.count - name->words;
    ret->database = s->database;
    ret->is_partial = is_large;
    if (!find_resources(s, name, w, is_large, ret)) {
        ret->name = NULL;
        ret->resource_count = 0;
    }
    if (!is_large && are_args_judged(ret))
        ret->args = (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_LIST,
                                           .list = ret->digested,
                                           .count = ret->digested_count };
}

/* False: memory. */
static bool make_action(struct redis_state *s, struct redis_words w, bool is_large,
                        struct adapter_action *ret)
{
    redis_name_of(w, &s->name);
    if (s->name.words > w.count)
        s->name.words = w.count;
    if (!make_room(&s->keys, &s->keys_max,
                   w.count < ADAPTER_RESOURCES_MAX ? w.count : ADAPTER_RESOURCES_MAX))
        return false;
    memset(ret, 0, sizeof *ret);
    describe(s, &s->name, w, is_large, ret);
    return true;
}

struct redis_words redis_words_of(struct redis_state *s, postern_bytes request)
{
    struct redis_scan scan = { 0 };

    if (redis_scan_step(&scan, request, ADAPTER_MESSAGE_MAX) != REDIS_SCAN_DONE)
        return (struct redis_words){ NULL, 0 };
    return take_words(s, request, scan.known);
}

bool redis_action_of(struct redis_state *s, postern_bytes request, struct adapter_action *ret)
{
    struct redis_words w = redis_words_of(s, request);

    return w.at != NULL && make_action(s, w, false, ret);
}

static adapter_step judge(struct redis_state *s, postern_bytes request, struct redis_words w,
                          bool is_large, struct adapter_action *ret, postern_error *err)
{
    enum redis_kind kind;
    struct redis_entry *e;

    if (!make_action(s, w, is_large, ret))
        return fail(POSTERN_ERR_NOMEM, err, "keys of a command");
    kind = kind_of(&s->name);
    if (kind == REDIS_NEVER || (is_large && kind != REDIS_PLAIN) || s->is_monitor ||
        is_odd(kind, w))
        ret->name = NULL;
    e = redis_queue_push(s, ret->name == NULL && kind != REDIS_EXEC ? REDIS_NEVER : kind,
                         ret->name == NULL ? POSTERN_BYTES_NONE : request);
    if (e == NULL)
        return fail(POSTERN_ERR_NOMEM, err, "a command");
    e->is_large = is_large;
    e->rights = redis_rights(s);
    e->counts_found = strcmp(s->name.text, "XAUTOCLAIM") == 0;
    e->is_awaited = e->kind == REDIS_SELECT || redis_may_block(&s->name, w);
    s->awaited += e->is_awaited;
    if (e->kind == REDIS_SELECT)
        (void)redis_read_number(w.at[1], &s->asked_database); /* it is one: is_odd() */
    e->is_denied = ret->name == NULL;
    count_answers(e, w.count);
    if (is_large)
        s->stream = REDIS_STREAM_WAITS;
    ret->id = redis_queue_last_id(s);
    return ADAPTER_STEP_JUDGE;
}

static adapter_step take_command(struct redis_state *s, postern_bytes request, bool is_large,
                                 struct adapter_action *ret, struct adapter_login *login,
                                 struct adapter_flow *out, postern_error *err)
{
    struct redis_words w = take_words(s, request, s->scan.known);
    struct redis_login l;

    if (w.at == NULL)
        return fail(POSTERN_ERR_NOMEM, err, "words of a command");
    if (!is_large)
        switch (redis_login_read(w, &l)) {
        case REDIS_LOGIN_BAD:
            return answer_at_once(s, REDIS_LOGIN, out, err, "-ERR AUTH or HELLO: syntax error\r\n");
        case REDIS_LOGIN_GOOD:
            if (l.has_auth)
                return ask_for_login(s, &l, login, out, err);
            break;
        case REDIS_LOGIN_NONE:
            break;
        }
    return judge(s, request, w, is_large, ret, err);
}

/* ---- bytes ---- */

/* What follows the beginning of a large request. */
static adapter_step read_rest(struct redis_state *s, postern_bytes in, size_t *ret_used,
                              postern_error *err)
{
    redis_scan_end end;
    bool is_dropped;

    if (s->stream == REDIS_STREAM_WAITS)
        return ADAPTER_STEP_FULL;
    end = redis_scan_rest(&s->scan, in, ret_used);
    if (end == REDIS_SCAN_BROKEN)
        return fail(POSTERN_ERR_MESSAGE_MALFORMED, err,
                    "what is sent is not an array of bulk strings");
    if (end == REDIS_SCAN_MORE && *ret_used == 0)
        return ADAPTER_STEP_MORE;
    is_dropped = s->stream == REDIS_STREAM_DROPPED;
    if (end == REDIS_SCAN_DONE) {
        memset(&s->scan, 0, sizeof s->scan);
        s->stream = REDIS_STREAM_NONE;
    }
    return is_dropped ? ADAPTER_STEP_AGAIN : ADAPTER_STEP_PASS;
}

/* Redis passes over an empty line between requests: redis-cli --pipe sends one before its last.
 * It goes no further.  MORE: it may become one; BROKEN: it is none. */
static redis_scan_end skip_empty_line(const struct redis_state *s, postern_bytes in)
{
    if (s->scan.count != 0 || in.len == 0 || in.ptr[0] != '\r')
        return REDIS_SCAN_BROKEN;
    if (in.len == 1)
        return REDIS_SCAN_MORE;
    return in.ptr[1] == '\n' ? REDIS_SCAN_DONE : REDIS_SCAN_BROKEN;
}

adapter_step redis_read_client(struct redis_state *s, postern_bytes in, size_t *ret_used,
                               struct adapter_action *ret, struct adapter_login *login,
                               struct adapter_flow *out, postern_error *err)
{
    adapter_step step;
    redis_scan_end end;
    postern_bytes request;

    if (s->stream != REDIS_STREAM_NONE)
        return read_rest(s, in, ret_used, err);
    if (in.len == 0)
        return ADAPTER_STEP_MORE; /* its end may be seen, whatever waits */
    /* What waits behind a blocking command would happen long after it was judged; behind SELECT
     * nobody knows where. */
    if (s->count >= ADAPTER_PENDING_MAX || s->waiting > REDIS_WAITING_MAX || s->awaited != 0)
        return ADAPTER_STEP_FULL;
    end = skip_empty_line(s, in);
    if (end == REDIS_SCAN_DONE) {
        *ret_used = 2;
        return ADAPTER_STEP_AGAIN;
    }
    if (end == REDIS_SCAN_BROKEN)
        end = redis_scan_step(&s->scan, in, ADAPTER_MESSAGE_MAX);
    if (end == REDIS_SCAN_MORE)
        return ADAPTER_STEP_MORE;
    if (end == REDIS_SCAN_BROKEN)
        return fail(POSTERN_ERR_MESSAGE_MALFORMED, err,
                    "what is sent is not an array of bulk strings");
    request = (postern_bytes){ in.ptr, s->scan.at };
    *ret_used = s->scan.at;
    step = take_command(s, request, end == REDIS_SCAN_LARGE, ret, login, out, err);
    if (end != REDIS_SCAN_LARGE)
        memset(&s->scan, 0, sizeof s->scan);
    return step;
}
