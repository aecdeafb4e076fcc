/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_calls.h. */
#include "mcp_calls.h"

#include <stdlib.h>

static struct mcp_call *oldest_forgettable(struct mcp_calls *c)
{
    struct mcp_call *found = NULL;

    for (struct mcp_call *call = c->newest; call != NULL; call = call->older)
        if (call->state == MCP_CALL_GONE && call->was_sent)
            found = call;
    return found;
}

bool mcp_calls_have_room(struct mcp_calls *c, size_t line_len)
{
    if (c->count >= ADAPTER_PENDING_MAX) {
        struct mcp_call *gone = oldest_forgettable(c);

        if (gone == NULL)
            return false;
        mcp_calls_remove(c, gone);
    }
    return c->waiting + line_len <= MCP_WAITING_MAX;
}

struct mcp_call *mcp_calls_by_id(struct mcp_calls *c, const struct mcp_id *id)
{
    for (struct mcp_call *call = c->newest; call != NULL; call = call->older)
        if (call->has_id && mcp_id_equal(&call->id, id))
            return call;
    return NULL;
}

struct mcp_call *mcp_calls_by_number(struct mcp_calls *c, uint64_t number)
{
    for (struct mcp_call *call = c->newest; call != NULL; call = call->older)
        if (call->number == number)
            return call;
    return NULL;
}

static void keep_id(struct mcp_call *call, const struct mcp_id *id)
{
    call->has_id = true;
    call->id = *id;
    memcpy(call->id_raw, id->raw.ptr, id->raw.len); /* at most MCP_ID_MAX */
    call->id.raw.ptr = call->id_raw;
}

struct mcp_call *mcp_calls_add(struct mcp_calls *c, const struct mcp_message *m, uint64_t number)
{
    struct mcp_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->line_len = m->line.len + 1;
    call->line = malloc(call->line_len);
    if (call->line == NULL) {
        free(call);
        return NULL;
    }
    memcpy(call->line, m->line.ptr, m->line.len);
    call->line[m->line.len] = '\n';
    call->number = number;
    if (m->id.raw.ptr != NULL)
        keep_id(call, &m->id);
    call->older = c->newest;
    c->newest = call;
    c->count++;
    c->waiting += call->line_len;
    return call;
}

void mcp_calls_drop_line(struct mcp_calls *c, struct mcp_call *call)
{
    if (call->line == NULL)
        return;
    c->waiting -= call->line_len;
    free(call->line);
    call->line = NULL;
}

static void free_call(struct mcp_call *call)
{
    free(call->line);
    free(call->tool);
    free(call);
}

void mcp_calls_remove(struct mcp_calls *c, struct mcp_call *call)
{
    struct mcp_call **at = &c->newest;

    while (*at != call)
        at = &(*at)->older;
    mcp_calls_drop_line(c, call);
    *at = call->older;
    c->count--;
    free_call(call);
}

bool mcp_calls_are_quiet(const struct mcp_calls *c)
{
    for (const struct mcp_call *call = c->newest; call != NULL; call = call->older)
        if (call->state != MCP_CALL_GONE)
            return false;
    return true;
}

void mcp_calls_clear(struct mcp_calls *c)
{
    while (c->newest != NULL) {
        struct mcp_call *call = c->newest;

        c->newest = call->older;
        free_call(call);
    }
    *c = (struct mcp_calls){ .newest = NULL };
}
