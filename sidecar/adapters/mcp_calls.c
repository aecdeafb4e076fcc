/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_calls.h. */
#include "mcp_calls.h"

#include "bytes_hash.h"

#include <stdlib.h>

static struct mcp_call *oldest_forgettable(struct mcp_calls *c)
{
    struct mcp_call *found = NULL;

    for (struct mcp_call *call = c->newest; call != NULL; call = call->older)
        if (call->state == MCP_CALL_GONE && call->was_sent)
            found = call;
    return found;
}

/* Two ids of one hash cost whoever made them up an id. */
static uint64_t hash(const struct mcp_id *id)
{
    return bytes_hash_add(bytes_hash_byte(BYTES_HASH_START, id->is_string),
                          (postern_bytes){ id->value, id->value_len });
}

/* False: no room for what has to be known of it. */
static bool forget(struct mcp_calls *c, struct mcp_call *call)
{
    if (c->forgotten_count == c->forgotten_room) {
        size_t room = c->forgotten_room == 0 ? 64 : c->forgotten_room * 2;
        uint64_t *grown = room > MCP_FORGOTTEN_MAX ?
                              NULL :
                              reallocarray(c->forgotten, room, sizeof *grown);

        if (grown == NULL)
            return false;
        c->forgotten = grown;
        c->forgotten_room = room;
    }
    c->forgotten[c->forgotten_count++] = hash(&call->id);
    mcp_calls_remove(c, call);
    return true;
}

bool mcp_calls_have_room(struct mcp_calls *c, size_t line_len)
{
    if (c->count >= ADAPTER_PENDING_MAX) {
        struct mcp_call *gone = oldest_forgettable(c);

        if (gone == NULL || !forget(c, gone))
            return false;
    }
    return c->waiting + line_len <= MCP_WAITING_MAX;
}

bool mcp_calls_are_flooded(const struct mcp_calls *c)
{
    return c->count >= ADAPTER_PENDING_MAX && c->forgotten_count == MCP_FORGOTTEN_MAX;
}

static size_t find_forgotten(const struct mcp_calls *c, const struct mcp_id *id)
{
    uint64_t wanted = c->forgotten_count == 0 ? 0 : hash(id);
    size_t i = 0;

    while (i < c->forgotten_count && c->forgotten[i] != wanted)
        i++;
    return i;
}

bool mcp_calls_expect(const struct mcp_calls *c, const struct mcp_id *id)
{
    return mcp_calls_by_id(c, id) != NULL || find_forgotten(c, id) != c->forgotten_count;
}

void mcp_calls_note_late(struct mcp_calls *c, const struct mcp_id *id)
{
    size_t i = find_forgotten(c, id);

    if (i != c->forgotten_count)
        c->forgotten[i] = c->forgotten[--c->forgotten_count];
}

struct mcp_call *mcp_calls_by_id(const struct mcp_calls *c, const struct mcp_id *id)
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
    free(c->forgotten);
    *c = (struct mcp_calls){ .newest = NULL };
}
