/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MCP door's login.  It has that of the raw door, so that `postern connect` takes any MCP host
 * to it.  A client that knows nothing of it sends its first message instead, and is told in its own
 * protocol what is missing.
 */
#include "mcp.h"

#include "mcp_error.h"
#include "mcp_session.h"

#define LOGIN_FIRST "log in first: the first line is AUTH OAUTHBEARER, one blank and base64"

static void keep_id(struct mcp_state *s, const struct mcp_message *m)
{
    s->first_id_len = m->id.raw.len;
    if (m->id.raw.len != 0)
        memcpy(s->first_id, m->id.raw.ptr, m->id.raw.len);
}

/* The id of a first message, so that the error has it. */
static postern_err read_first(struct mcp_state *s, postern_bytes in, postern_error *err)
{
    POSTERN_AUTO_BUF room = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX);
    POSTERN_AUTO_JSON j = { .nodes = NULL };
    postern_bytes rest = { in.ptr + s->looked_at, in.len - s->looked_at };
    size_t at = s->looked_at + postern_bytes_find(rest, '\n');
    struct mcp_message m;

    s->looked_at = at;
    if (at == in.len && at < ADAPTER_LOGIN_MAX)
        return POSTERN_AGAIN;
    if (at < in.len) {
        POSTERN_TRY(mcp_message_read((postern_bytes){ in.ptr, at }, &j, &room, &m, err));
        keep_id(s, &m);
    }
    return POSTERN_FAIL(err, NO_TOKEN, LOGIN_FIRST);
}

static bool begins_message(postern_bytes in)
{
    return in.len != 0 && (in.ptr[0] == '{' || in.ptr[0] == '[');
}

static adapter_feed refuse_message(struct mcp_state *s, postern_bytes in, struct adapter_login *ret,
                                   postern_error *err)
{
    postern_error why = { 0 };
    postern_err e = s->is_refused ? POSTERN_FAIL(&why, USAGE, "the login was refused already")
                                  : read_first(s, in, &why);

    if (e == POSTERN_AGAIN)
        return ADAPTER_MORE;
    s->is_refused = true;
    *ret = (struct adapter_login){ .code = e, .authzid = "" };
    if (err != NULL)
        *err = why;
    return ADAPTER_REJECT;
}

static adapter_feed mcp_feed(void *state, postern_bytes in, size_t *ret_used,
                             struct adapter_login *ret, postern_error *err)
{
    struct mcp_state *s = state;

    if (s->login.form == LOGIN_FORM_NONE && s->login.refusal == POSTERN_ERR_UNSET &&
        begins_message(in))
        s->is_message = true;
    if (s->is_message)
        return refuse_message(s, in, ret, err);
    return login_feed(&s->login, in, ret_used, ret, err);
}

static void mcp_grant(void *state, const struct adapter_granted *g, postern_buf *out)
{
    struct mcp_state *s = state;

    s->pins = pins_of(g->service);
    login_put_grant(&s->login, g, out);
}

static void mcp_deny(void *state, const struct adapter_denied *d, postern_buf *out)
{
    struct mcp_state *s = state;

    if (s->is_message)
        mcp_put_denial((postern_bytes){ s->first_id, s->first_id_len }, MCP_DENIED,
                       d->failure->code == POSTERN_ERR_NO_TOKEN ? LOGIN_FIRST : NULL, d, out);
    else
        login_put_refusal(&s->login, d, out);
}

static void mcp_wipe(void *state)
{
    struct mcp_state *s = state;

    login_wipe(&s->login);
    mcp_session_wipe(s);
    postern_wipe(s, sizeof *s);
}

const struct adapter mcp_adapter = {
    .name = "mcp",
    .state_size = sizeof(struct mcp_state),
    .feed = mcp_feed,
    .grant = mcp_grant,
    .deny = mcp_deny,
    .wipe = mcp_wipe,
    .inspector = &mcp_inspector,
};
