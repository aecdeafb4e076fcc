/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An MCP session, line by line: every request and notification of either side is judged, and its
 * line goes on as it came when it is released; every answer belongs to a request.  What is no
 * message never goes on; see mcp_message.h for what is one, and decision 0107.
 */
#include "mcp_session.h"

#include <stdlib.h>

#include "mcp_error.h"

/* Requests that are told why their session ends; a client with more has lost them anyway. */
#define GOODBYES_MAX 64

static enum adapter_side other(enum adapter_side side)
{
    return side == ADAPTER_CLIENT ? ADAPTER_BACKEND : ADAPTER_CLIENT;
}

static postern_buf *flow_to(const struct adapter_flow *out, enum adapter_side side)
{
    return side == ADAPTER_CLIENT ? out->to_client : out->to_backend;
}

/* ---- before the first message ---- */

static postern_err mcp_greet(void *state, const struct adapter_backend_login *as,
                             postern_buf *to_backend, postern_error *err)
{
    (void)state;
    (void)to_backend;
    if (as != NULL && ((as->user != NULL && as->user[0] != '\0') || as->password.len != 0))
        return POSTERN_FAIL(err, USAGE, "an MCP server takes no login on this transport");
    return POSTERN_OK;
}

static adapter_step mcp_greeted(void *state, postern_bytes in, size_t *ret_used,
                                postern_buf *to_backend, postern_error *err)
{
    (void)state;
    (void)in;
    (void)to_backend;
    (void)err;
    *ret_used = 0; /* the client speaks first */
    return ADAPTER_STEP_PASS;
}

static void mcp_begin(void *state, const struct adapter_host *host)
{
    struct mcp_state *s = state;

    login_wipe(&s->login); /* the token is not needed any more */
    s->host = host;
    s->json.nodes_max = POSTERN_JSON_NODES_LARGE;
    s->room = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX);
}

/* ---- calls ---- */

static adapter_step out_of_memory(postern_error *err, size_t len)
{
    (void)POSTERN_FAIL(err, NOMEM, "a message of %zu bytes", len);
    return ADAPTER_STEP_BROKEN;
}

static bool is_changed_tool(const struct mcp_state *s, const struct adapter_action *a,
                            uint8_t ret_now[MCP_TOOL_DIGEST])
{
    if (a->name == NULL || strcmp(a->name, "tools/call") != 0)
        return false;
    return s->pins == NULL || pins_is_changed(s->pins, s->said.resource, ret_now);
}

/* A tool that changed is a tool that no rule names: one more decision, on something not known. */
static bool look_at_tool(struct mcp_state *s, struct mcp_call *call, struct adapter_action *a)
{
    call->is_changed = is_changed_tool(s, a, call->tool_now);
    if (!call->is_changed)
        return true;
    a->has_unnamed = true;
    call->tool_len = s->said.resource.len;
    call->tool = malloc(call->tool_len + 1);
    if (call->tool == NULL)
        return false;
    memcpy(call->tool, s->said.resource.ptr, call->tool_len);
    return true;
}
_Static_assert(PINS_DIGEST_LEN == MCP_TOOL_DIGEST, "one digest");

/* An error that answers two requests of one id answers neither. */
static void forget_shared_id(struct mcp_state *s, enum adapter_side from, struct mcp_message *m)
{
    if (m->id.raw.ptr == NULL || !mcp_calls_expect(&s->calls[from], &m->id))
        return;
    m->id.raw = POSTERN_BYTES_NONE;
    if (m->code == 0) {
        m->code = MCP_INVALID_REQUEST;
        m->why = "a request of this id is not answered yet";
    }
}

/* Whatever `a` says already; m->code is 0 for what may go on. */
static adapter_step judge(struct mcp_state *s, struct mcp_message *m, struct adapter_action *a,
                          postern_error *err)
{
    struct mcp_calls *calls = &s->calls[a->from];
    bool is_answered = m->kind != MCP_NOTIFICATION;
    struct mcp_call *call;

    forget_shared_id(s, a->from, m);
    if (m->code != 0)
        a->name = NULL;
    call = mcp_calls_add(calls, m, ++s->last_number);
    if (call == NULL)
        return out_of_memory(err, m->line.len);
    call->is_answered = is_answered;
    call->code = m->code;
    call->why = m->why;
    call->is_initialize = a->name != NULL && strcmp(a->name, "initialize") == 0;
    if (!look_at_tool(s, call, a))
        return out_of_memory(err, m->line.len);
    a->id = call->number;
    a->can_wait = m->kind == MCP_REQUEST && m->code == 0;
    return ADAPTER_STEP_JUDGE;
}

static adapter_step no_room(const struct mcp_calls *c, postern_error *err)
{
    if (!mcp_calls_are_flooded(c))
        return ADAPTER_STEP_FULL;
    (void)POSTERN_FAIL(err, LIMIT, "more than %d calls were cancelled and never answered",
                       MCP_FORGOTTEN_MAX);
    return ADAPTER_STEP_BROKEN;
}

/* What is no message is somebody's attempt: it is judged as an action that nobody can name. */
static adapter_step judge_unsound(struct mcp_state *s, enum adapter_side from,
                                  struct mcp_message *m, struct adapter_action *ret,
                                  postern_error *err)
{
    if (from == ADAPTER_BACKEND) {
        (void)POSTERN_FAIL(err, BACKEND, "the server sent what is no MCP message: %s", m->why);
        return ADAPTER_STEP_BROKEN;
    }
    if (!mcp_calls_have_room(&s->calls[from], m->line.len + 1))
        return no_room(&s->calls[from], err);
    s->said.digested[0] = m->line;
    *ret =
        (struct adapter_action){ .from = from, .digested = s->said.digested, .digested_count = 1 };
    return judge(s, m, ret, err);
}

/* A verdict that is still to come finds it GONE. */
static void withdraw(struct mcp_state *s, enum adapter_side from, struct mcp_call *call)
{
    bool is_held = call->state == MCP_CALL_HELD;

    call->state = MCP_CALL_GONE;
    mcp_calls_drop_line(&s->calls[from], call);
    if (s->host != NULL && s->host->withdrawn != NULL)
        s->host->withdrawn(s->host->arg, call->number);
    if (is_held)
        mcp_calls_remove(&s->calls[from], call);
}

/* Notifications of what was cancelled: a call that still waits here is dropped, and its other side,
 * which never saw it, hears nothing. */
static bool cancel(struct mcp_state *s, enum adapter_side from, const struct mcp_message *m)
{
    struct mcp_call *call;
    struct mcp_id id;

    if (!postern_json_string_is(m->json, m->method, "notifications/cancelled") ||
        m->params == POSTERN_JSON_ABSENT ||
        !mcp_id_read(m->json, postern_json_member(m->json, m->params, "requestId"), &s->room, &id))
        return false;
    call = mcp_calls_by_id(&s->calls[from], &id);
    if (call == NULL || call->state == MCP_CALL_GONE)
        return false;
    if (call->state != MCP_CALL_SENT) {
        withdraw(s, from, call);
        return true;
    }
    call->state = MCP_CALL_GONE;
    call->was_sent = true;
    return false;
}

static adapter_step take_call(struct mcp_state *s, enum adapter_side from, struct mcp_message *m,
                              struct adapter_action *ret, postern_error *err)
{
    if (!mcp_calls_have_room(&s->calls[from], m->line.len + 1))
        return no_room(&s->calls[from], err);
    if (!mcp_action_read(m, from, &s->room, &s->said, ret))
        return out_of_memory(err, m->line.len);
    if (m->kind == MCP_NOTIFICATION && m->code == 0 && cancel(s, from, m))
        return ADAPTER_STEP_AGAIN;
    if (s->room.failed)
        return out_of_memory(err, m->line.len);
    return judge(s, m, ret, err);
}

/* ---- lines ---- */

static adapter_step take_message(struct mcp_state *s, enum adapter_side from, struct mcp_message *m,
                                 struct adapter_action *ret, struct adapter_flow *out,
                                 postern_error *err)
{
    switch (m->kind) {
    case MCP_BLANK:
        return ADAPTER_STEP_AGAIN;
    case MCP_NOISE: /* servers log to the wrong place; nobody takes it for a message */
        return from == ADAPTER_BACKEND ? ADAPTER_STEP_AGAIN : judge_unsound(s, from, m, ret, err);
    case MCP_REQUEST:
    case MCP_NOTIFICATION:
        return take_call(s, from, m, ret, err);
    case MCP_RESULT:
    case MCP_ERROR:
        return mcp_take_answer(s, from, m, out, err);
    case MCP_UNSOUND:
        break;
    }
    return judge_unsound(s, from, m, ret, err);
}

static adapter_step refuse_length(enum adapter_side from, struct adapter_flow *out,
                                  postern_error *err)
{
    if (from == ADAPTER_CLIENT)
        mcp_put_error(POSTERN_BYTES_NONE, MCP_INVALID_REQUEST, "the message is too long",
                      POSTERN_BYTES_NONE, out->to_client);
    if (from == ADAPTER_CLIENT)
        (void)POSTERN_FAIL(err, LIMIT, "a message is longer than %u bytes", ADAPTER_MESSAGE_MAX);
    else
        (void)POSTERN_FAIL(err, BACKEND, "the server sent a message longer than %u bytes",
                           ADAPTER_MESSAGE_MAX);
    return ADAPTER_STEP_BROKEN;
}

/* A large index is not kept for small messages. */
static void trim_index(struct mcp_state *s)
{
    if (s->json.cap > POSTERN_JSON_NODES_MAX)
        postern_json_free(&s->json);
    s->json.nodes_max = POSTERN_JSON_NODES_LARGE;
}

/* Of the line that `in` begins with: its LF, or in.len. */
static size_t find_end(postern_bytes in, size_t searched)
{
    if (searched >= in.len)
        return in.len;
    return searched +
           postern_bytes_find((postern_bytes){ in.ptr + searched, in.len - searched }, '\n');
}

static adapter_step mcp_read(void *state, enum adapter_side from, postern_bytes in,
                             size_t *ret_used, struct adapter_action *ret,
                             struct adapter_login *login, struct adapter_flow *out,
                             postern_error *err)
{
    struct mcp_state *s = state;
    struct mcp_message m;
    adapter_step step;
    size_t at;

    (void)login;
    *ret_used = 0;
    at = find_end(in, s->searched[from]);
    if (at > ADAPTER_MESSAGE_MAX)
        return refuse_length(from, out, err);
    s->searched[from] = at;
    if (at == in.len)
        return ADAPTER_STEP_MORE;
    trim_index(s);
    if (mcp_message_read((postern_bytes){ in.ptr, at }, &s->json, &s->room, &m, err) != POSTERN_OK)
        return ADAPTER_STEP_BROKEN;
    step = take_message(s, from, &m, ret, out, err);
    if (step == ADAPTER_STEP_FULL || step == ADAPTER_STEP_BROKEN)
        return step;
    s->searched[from] = 0;
    *ret_used = at + 1;
    return step;
}

/* ---- verdicts ---- */

static void refuse_call(const struct mcp_call *call, enum adapter_side from,
                        const struct adapter_denied *d, struct adapter_flow *out)
{
    postern_bytes id = call->has_id ? call->id.raw : POSTERN_BYTES_NONE;

    if (!call->is_answered)
        return;
    if (call->code == MCP_UNSUPPORTED_VERSION)
        mcp_put_versions(id, flow_to(out, from));
    else if (from == ADAPTER_BACKEND || d == NULL ||
             d->failure == NULL) /* servers need no advice */
        mcp_put_error(id, call->code != 0 ? call->code : MCP_DENIED,
                      call->code != 0 ? call->why : postern_err_text(POSTERN_ERR_POLICY),
                      POSTERN_BYTES_NONE, flow_to(out, from));
    else if (call->code != 0)
        mcp_put_denial(id, call->code, call->why, d, out->to_client);
    else
        mcp_put_denial(id, MCP_DENIED,
                       call->is_changed
                           ? "the tool's description has changed; calls of it wait for "
                             "an approval"
                           : NULL,
                       d, out->to_client);
}

static void release_call(struct mcp_state *s, struct mcp_call *call, enum adapter_side from,
                         const struct adapter_verdict *v, struct adapter_flow *out)
{
    struct mcp_calls *calls = &s->calls[from];

    postern_buf_add(flow_to(out, other(from)), (postern_bytes){ call->line, call->line_len });
    if (call->is_changed && call->state == MCP_CALL_HELD && s->pins != NULL)
        pins_accept(s->pins, (postern_bytes){ call->tool, call->tool_len }, call->tool_now);
    if (!call->has_id) {
        mcp_calls_remove(calls, call);
        return;
    }
    mcp_calls_drop_line(calls, call);
    call->state = MCP_CALL_SENT;
    call->rows_max = v->rows_max;
    call->bytes_max = v->bytes_max;
}

static struct mcp_call *find_call(struct mcp_state *s, uint64_t id, enum adapter_side *ret_from)
{
    struct mcp_call *call = mcp_calls_by_number(&s->calls[ADAPTER_CLIENT], id);

    *ret_from = call == NULL ? ADAPTER_BACKEND : ADAPTER_CLIENT;
    return call != NULL ? call : mcp_calls_by_number(&s->calls[ADAPTER_BACKEND], id);
}

static void mcp_settle(void *state, uint64_t id, const struct adapter_verdict *v,
                       struct adapter_flow *out)
{
    struct mcp_state *s = state;
    enum adapter_side from;
    struct mcp_call *call = find_call(s, id, &from);

    if (call == NULL || call->state == MCP_CALL_SENT)
        return;
    if (v->ruling == ADAPTER_HOLD) {
        if (call->state == MCP_CALL_JUDGED)
            call->state = MCP_CALL_HELD;
        return;
    }
    if (call->state == MCP_CALL_GONE) {
        if (!call->was_sent)
            mcp_calls_remove(&s->calls[from], call);
        return;
    }
    if (v->ruling == ADAPTER_RELEASE && call->code == 0) {
        release_call(s, call, from, v, out);
        return;
    }
    refuse_call(call, from, v->ruling == ADAPTER_REFUSE ? &v->denied : NULL, out);
    mcp_calls_remove(&s->calls[from], call);
}

/* From the bytes that would go on.  A tool may have changed since. */
static bool mcp_again(void *state, uint64_t id, struct adapter_action *ret)
{
    struct mcp_state *s = state;
    uint8_t now[MCP_TOOL_DIGEST];
    enum adapter_side from;
    const struct mcp_call *call = find_call(s, id, &from);
    struct mcp_message m;

    if (call == NULL || call->state != MCP_CALL_HELD || call->line == NULL)
        return false;
    trim_index(s);
    if (mcp_message_read((postern_bytes){ call->line, call->line_len - 1 }, &s->json, &s->room, &m,
                         NULL) != POSTERN_OK ||
        m.kind != MCP_REQUEST || !mcp_action_read(&m, from, &s->room, &s->said, ret) ||
        m.code != 0 || s->room.failed)
        return false;
    ret->id = id;
    ret->has_unnamed = is_changed_tool(s, ret, now) || call->is_changed;
    ret->can_wait = true;
    return true;
}

static void mcp_renewed(void *state, const struct adapter_granted *g,
                        const struct adapter_denied *d, struct adapter_flow *out)
{
    (void)state; /* a lease is renewed on a connection of its own */
    (void)g;
    (void)d;
    (void)out;
}

/* ---- the end ---- */

/* Whoever waits for an answer is told why there is none. */
static void mcp_goodbye(void *state, const struct adapter_denied *why, struct adapter_flow *out)
{
    struct mcp_state *s = state;
    size_t told = 0;

    for (struct mcp_call *call = s->calls[ADAPTER_CLIENT].newest; call != NULL;
         call = call->older) {
        if (call->state == MCP_CALL_GONE)
            continue;
        if (call->is_answered && told++ < GOODBYES_MAX)
            mcp_put_denial(call->has_id ? call->id.raw : POSTERN_BYTES_NONE, MCP_DENIED, NULL, why,
                           out->to_client);
        call->was_sent = call->state == MCP_CALL_SENT;
        call->state = MCP_CALL_GONE;
        mcp_calls_drop_line(&s->calls[ADAPTER_CLIENT], call);
    }
}

/* What a server asks on its own account keeps nobody: a client that left never answers it. */
static bool mcp_is_quiet(const void *state)
{
    const struct mcp_state *s = state;

    return mcp_calls_are_quiet(&s->calls[ADAPTER_CLIENT]);
}

void mcp_session_wipe(struct mcp_state *s)
{
    mcp_calls_clear(&s->calls[ADAPTER_CLIENT]);
    mcp_calls_clear(&s->calls[ADAPTER_BACKEND]);
    postern_json_free(&s->json);
    postern_buf_free(&s->room);
}

const struct adapter_inspector mcp_inspector = {
    .greet = mcp_greet,
    .greeted = mcp_greeted,
    .begin = mcp_begin,
    .read = mcp_read,
    .settle = mcp_settle,
    .again = mcp_again,
    .renewed = mcp_renewed,
    .goodbye = mcp_goodbye,
    .tells_end = true,
    .is_quiet = mcp_is_quiet,
};
