/* SPDX-License-Identifier: BSD-2-Clause */
/* A Redis session as the door sees it: verdicts in, the last word out.  See redis_state.h. */
#include "redis_state.h"

static void redis_begin(void *state, const struct adapter_host *host)
{
    struct redis_state *s = state;

    s->host = host; /* no lists to filter: what SCAN finds is its own resource, unknown */
    s->is_open = true;
    memset(&s->scan, 0, sizeof s->scan);
}

static adapter_step redis_read(void *state, enum adapter_side from, postern_bytes in,
                               size_t *ret_used, struct adapter_action *ret,
                               struct adapter_login *login, struct adapter_flow *out,
                               postern_error *err)
{
    struct redis_state *s = state;

    *ret_used = 0;
    if (!s->is_open) {
        (void)POSTERN_FAIL(err, USAGE, "the session has not begun");
        return ADAPTER_STEP_BROKEN;
    }
    if (s->is_out_of_memory) {
        (void)POSTERN_FAIL(err, NOMEM, "an answer");
        return ADAPTER_STEP_BROKEN;
    }
    return from == ADAPTER_CLIENT ? redis_read_client(s, in, ret_used, ret, login, out, err)
                                  : redis_read_backend(s, in, ret_used, out, err);
}

static void redis_settle(void *state, uint64_t id, const struct adapter_verdict *v,
                         struct adapter_flow *out)
{
    struct redis_state *s = state;
    struct redis_entry *e = redis_queue_find(s, id);

    if (e == NULL || e->stage != REDIS_WAITS || e->kind == REDIS_LOGIN)
        return;
    if (v->ruling == ADAPTER_RELEASE && !e->is_denied) {
        e->stage = REDIS_READY;
        e->rows_max = v->rows_max;
        e->bytes_max = v->bytes_max;
    } else {
        if (v->ruling == ADAPTER_REFUSE && v->denied.failure != NULL)
            redis_put_refusal("NOPERM", &v->denied, &e->answer);
        else
            postern_buf_add_str(&e->answer, "-NOPERM This command is not taken here\r\n");
        redis_queue_refuse(s, e);
    }
    redis_queue_advance(s, out);
}

static void redis_renewed(void *state, const struct adapter_granted *g,
                          const struct adapter_denied *d, struct adapter_flow *out)
{
    struct redis_state *s = state;
    struct redis_entry *e = redis_queue_find(s, s->login_id);

    if (e == NULL || e->stage != REDIS_WAITS || e->kind != REDIS_LOGIN)
        return;
    if (g != NULL && e->request.len != 0) {
        e->kind = REDIS_HELLO;
        e->stage = REDIS_READY;
    } else if (g != NULL) {
        postern_buf_add_str(&e->answer, "+OK\r\n");
        e->stage = REDIS_ANSWERED;
    } else {
        redis_put_refusal(redis_login_word(d->failure->code), d, &e->answer);
        redis_queue_refuse(s, e);
    }
    redis_queue_advance(s, out);
}

/*
 * Whoever waits for an answer is told; to whoever waits for none it would be the answer to what he
 * asks next, and to a reply that has begun it would be its content.
 */
static void redis_goodbye(void *state, const struct adapter_denied *why, struct adapter_flow *out)
{
    struct redis_state *s = state;

    if (why == NULL || s->fate != REDIS_FATE_HELD)
        return;
    for (size_t i = 0; i < s->count; i++)
        redis_put_refusal("NOAUTH", why, out->to_client);
}

static bool redis_is_quiet(const void *state)
{
    const struct redis_state *s = state;

    return s->count == 0 && !s->in_multi && s->stream == REDIS_STREAM_NONE &&
           s->fate == REDIS_FATE_HELD && s->seen == 0;
}

const struct adapter_inspector redis_inspector = {
    .greet = redis_greet,
    .greeted = redis_greeted,
    .begin = redis_begin,
    .read = redis_read,
    .settle = redis_settle,
    .renewed = redis_renewed,
    .goodbye = redis_goodbye,
    .is_quiet = redis_is_quiet,
};
