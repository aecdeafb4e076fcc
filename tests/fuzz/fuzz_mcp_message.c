/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line of an MCP session: the first byte says whose.  What is a message has one reading: the
 * same when it is read again, behind blanks, and from another place; what it is called and touches
 * is text that stands in it.
 */
#include <stdlib.h>

#include "adapters/mcp_action.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    uint8_t *block;
    postern_json j;
    postern_buf room;
    struct mcp_message m;
    struct mcp_said said;
    struct adapter_action a;
};

static void require(bool claim)
{
    if (!claim)
        abort();
}

/* `blanks` before the line, in a block of its own. */
static void open_reading(struct reading *r, enum adapter_side from, const uint8_t *line, size_t len,
                         size_t blanks)
{
    *r = (struct reading){ .room = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX) };
    r->j.nodes_max = POSTERN_JSON_NODES_LARGE;
    r->block = malloc(blanks + len + 1);
    require(r->block != NULL);
    memset(r->block, ' ', blanks);
    memcpy(r->block + blanks, line, len);
    require(mcp_message_read((postern_bytes){ r->block, blanks + len }, &r->j, &r->room, &r->m,
                             NULL) == POSTERN_OK);
    if (r->m.kind == MCP_REQUEST || r->m.kind == MCP_NOTIFICATION)
        require(mcp_action_read(&r->m, from, &r->room, &r->said, &r->a));
}

static void close_reading(struct reading *r)
{
    postern_json_free(&r->j);
    postern_buf_free(&r->room);
    free(r->block);
}

static void check_kind(const struct reading *r, const uint8_t *line, size_t len)
{
    const struct mcp_message *m = &r->m;
    bool is_call = m->kind == MCP_REQUEST || m->kind == MCP_NOTIFICATION;

    require(m->kind != MCP_UNSOUND || (m->code != 0 && m->why[0] != '\0'));
    require(m->id.raw.len <= MCP_ID_MAX && m->id.value_len <= MCP_ID_MAX);
    if (m->kind == MCP_UNSOUND || m->kind == MCP_BLANK || m->kind == MCP_NOISE)
        return;
    require(memchr(line, '\r', len == 0 ? 0 : len - 1) == NULL && memchr(line, '\0', len) == NULL);
    require(postern_bytes_is_utf8((postern_bytes){ line, len }));
    require(is_call == (m->method != POSTERN_JSON_ABSENT));
    require((m->kind == MCP_RESULT) == (m->result != POSTERN_JSON_ABSENT));
    require((m->kind == MCP_ERROR) == (m->error != POSTERN_JSON_ABSENT));
}

static void check_action(const struct reading *r)
{
    require((r->a.name == NULL) == (r->m.code != 0));
    require(r->a.resource_count <= 1 && r->a.digested_count <= 3);
    if (r->a.name == NULL)
        return;
    require(postern_json_string_is(r->m.json, r->m.method, r->a.name));
    require(r->a.claimed_purpose == NULL ||
            postern_bytes_is_printable(postern_bytes_str(r->a.claimed_purpose)));
}

static void check_same(const struct reading *a, const struct reading *b)
{
    require(a->m.kind == b->m.kind);
    if (a->m.kind == MCP_REQUEST || a->m.kind == MCP_RESULT)
        require(mcp_id_equal(&a->m.id, &b->m.id));
    if (a->m.kind != MCP_REQUEST && a->m.kind != MCP_NOTIFICATION)
        return;
    require(a->m.code == b->m.code && a->a.name == b->a.name);
    require(postern_bytes_equal(a->said.resource, b->said.resource));
    require(a->a.args.kind == b->a.args.kind && a->a.args.object == b->a.args.object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum adapter_side from;
    struct reading plain, moved;

    if (size == 0 || memchr(data + 1, '\n', size - 1) != NULL || size > ADAPTER_MESSAGE_MAX - 8)
        return 0;
    from = data[0] % 2 == 0 ? ADAPTER_CLIENT : ADAPTER_BACKEND;
    open_reading(&plain, from, data + 1, size - 1, 0);
    open_reading(&moved, from, data + 1, size - 1, 3);
    check_kind(&plain, data + 1, size - 1);
    if (plain.m.kind == MCP_REQUEST || plain.m.kind == MCP_NOTIFICATION)
        check_action(&plain);
    check_same(&plain, &moved);
    close_reading(&plain);
    close_reading(&moved);
    return 0;
}
