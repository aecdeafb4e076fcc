/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers.  One goes on when it is the first to a request that was let through; what a server
 * answers is also measured, filtered and looked through for a revision that is not spoken here.
 */
#include "mcp_error.h"
#include "mcp_list.h"
#include "mcp_session.h"

/* MCP 2025-11-25, elicitation: an error that asks the person to visit a page. */
#define URL_ELICITATION (-32042)

/* What one answer needs to be looked at. */
struct reply {
    struct mcp_state *s;
    const struct mcp_message *m;
    const struct mcp_call *call;
    struct adapter_flow *out;
};

static adapter_step replace(const struct reply *r, int code, const char *message)
{
    mcp_put_error(r->call->id.raw, code, message, POSTERN_BYTES_NONE, r->out->to_client);
    return ADAPTER_STEP_AGAIN;
}

static adapter_step say_limit(const struct reply *r, const char *name, int64_t limit)
{
    POSTERN_AUTO_BUF data = POSTERN_BUF_INIT(ANSWER_JSON_MAX);
    postern_json_writer w = { &data, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "error", "too_large");
    postern_json_put_integer(&w, name, limit);
    postern_json_close_object(&w);
    if (data.failed)
        r->out->to_client->failed = true;
    else
        mcp_put_error(r->call->id.raw, MCP_TOO_LARGE, "the answer is larger than the policy allows",
                      postern_buf_bytes(&data), r->out->to_client);
    return ADAPTER_STEP_AGAIN;
}

static adapter_step take_result(const struct reply *r, postern_error *err)
{
    const postern_json *j = r->m->json;

    if (!mcp_list_is_clear(r->m, &r->s->room))
        return replace(r, MCP_INTERNAL, "the server's answer has two readings");
    if (r->call->is_initialize &&
        !mcp_is_version(j, postern_json_member(j, r->m->result, "protocolVersion"))) {
        mcp_put_versions(r->call->id.raw, r->out->to_client);
        return ADAPTER_STEP_AGAIN;
    }
    if (r->call->rows_max > 0 && mcp_list_rows(r->m) > r->call->rows_max)
        return say_limit(r, "rows", r->call->rows_max);
    if (!mcp_list_cut(r->m, r->s->host, r->s->pins, &r->s->room, r->out->to_client))
        return ADAPTER_STEP_PASS;
    if (!r->s->room.failed)
        return ADAPTER_STEP_AGAIN;
    (void)POSTERN_FAIL(err, NOMEM, "a list of %zu bytes", r->m->line.len);
    return ADAPTER_STEP_BROKEN;
}

static bool may_elicit(const struct mcp_state *s)
{
    return s->host != NULL && s->host->may_see != NULL &&
           s->host->may_see(s->host->arg, "elicitation/create", POSTERN_BYTES_NONE);
}

/* A code that the door cannot read, a client may: to JavaScript -3.2042e4 is -32042, and so is
 * -32042.0000000000000001. */
static adapter_step take_error(const struct reply *r)
{
    static const char *const names[] = { "code", "message", "data", NULL };
    const postern_json *j = r->m->json;
    int64_t code;

    if (mcp_has_near_name(j, r->m->error, names, &r->s->room) ||
        !postern_json_integer(j, postern_json_member(j, r->m->error, "code"), &code))
        return replace(r, MCP_INTERNAL, "the server's error has no code, or one of two readings");
    if (code == URL_ELICITATION && !may_elicit(r->s))
        return replace(r, MCP_DENIED, "the server may not ask the person to visit a page");
    return ADAPTER_STEP_PASS;
}

static adapter_step take_reply(const struct reply *r, postern_error *err)
{
    if (r->call->bytes_max > 0 && r->m->line.len > (uint64_t)r->call->bytes_max)
        return say_limit(r, "bytes", r->call->bytes_max);
    return r->m->kind == MCP_RESULT ? take_result(r, err) : take_error(r);
}

/* Nothing else is an answer: not one to what waits here, nor a second one. */
static bool is_awaited(const struct mcp_call *call)
{
    return call != NULL &&
           (call->state == MCP_CALL_SENT || (call->state == MCP_CALL_GONE && call->was_sent));
}

adapter_step mcp_take_answer(struct mcp_state *s, enum adapter_side from,
                             const struct mcp_message *m, struct adapter_flow *out,
                             postern_error *err)
{
    struct mcp_calls *asked = &s->calls[from == ADAPTER_CLIENT ? ADAPTER_BACKEND : ADAPTER_CLIENT];
    struct mcp_call *call = m->id.raw.ptr == NULL ? NULL : mcp_calls_by_id(asked, &m->id);
    adapter_step step = ADAPTER_STEP_PASS;

    if (call == NULL && m->id.raw.ptr != NULL)
        mcp_calls_note_late(asked, &m->id);
    if (!is_awaited(call))
        return ADAPTER_STEP_AGAIN; /* nobody waits for it */
    if (call->state == MCP_CALL_GONE)
        step = ADAPTER_STEP_AGAIN;
    else if (from == ADAPTER_BACKEND)
        step = take_reply(&(struct reply){ s, m, call, out }, err);
    mcp_calls_remove(asked, call);
    return step;
}
