/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_list.h. */
#include "mcp_list.h"

#include "mcp_action.h"

static const struct list {
    const char *member; /* of the result */
    const char *key;    /* of an entry: what it is called by */
    const char *action; /* what an agent would do with it */
    bool is_uri, is_tool;
} lists[] = {
    { "tools", "name", "tools/call", false, true },
    { "resources", "uri", "resources/read", true, false },
    { "resourceTemplates", "uriTemplate", "resources/read", true, false },
    { "prompts", "name", "prompts/get", false, false },
};
static const char *const result_names[] = {
    "tools",           "resources", "resourceTemplates", "prompts",
    "protocolVersion", "content",   "contents",          "structuredContent", NULL
};
static const char *const entry_names[] = { "name", "uri", "uriTemplate", NULL };

/* What a list is filtered for, and what is left out so far. */
struct cutter {
    const struct mcp_message *m;
    const struct adapter_host *host;
    struct pins *pins;
    postern_buf *room, *out;
    size_t copied; /* bytes of the line that are in out, or were cut */
    bool has_cut;
};

static size_t offset(const struct cutter *c, const uint8_t *at)
{
    return (size_t)(at - c->m->line.ptr);
}

static void copy_until(struct cutter *c, size_t end)
{
    postern_buf_add(c->out, (postern_bytes){ c->m->line.ptr + c->copied, end - c->copied });
    c->copied = end;
}

static void cut(struct cutter *c, size_t start, size_t end)
{
    copy_until(c, start);
    c->copied = end;
    c->has_cut = true;
}

/* ---- entries ---- */

static bool may_see(const struct cutter *c, const struct list *list, postern_bytes name)
{
    return c->host != NULL && c->host->may_see != NULL &&
           c->host->may_see(c->host->arg, list->action, name);
}

/* An entry that two readers could call by two names is for nobody. */
static bool read_name(const struct cutter *c, const struct list *list, uint32_t entry,
                      postern_bytes *ret)
{
    const postern_json *j = c->m->json;

    if (postern_json_type_of(j, entry) != POSTERN_JSON_OBJECT ||
        mcp_has_near_name(j, entry, entry_names, c->room) || mcp_has_twins(j, entry, c->room) ||
        !postern_json_string(j, postern_json_member(j, entry, list->key), c->room, ret))
        return false;
    if (ret->ptr == NULL)
        ret->ptr = (const uint8_t *)"";
    return true;
}

static bool is_shown(const struct cutter *c, const struct list *list, uint32_t entry)
{
    size_t before = c->room->len;
    postern_bytes name;
    bool is_shown = false;

    if (read_name(c, list, entry, &name)) {
        is_shown =
            may_see(c, list, list->is_uri && !mcp_uri_is_plain(name) ? POSTERN_BYTES_NONE : name);
        if (is_shown && list->is_tool && c->pins != NULL)
            is_shown = pins_see(c->pins, name, postern_json_raw(c->m->json, entry));
    }
    c->room->len = before;
    return is_shown;
}

/* An entry that is cut takes one comma with it: the one before it, or behind it when nothing that
 * stays stands before. */
static void cut_entries(struct cutter *c, const struct list *list, uint32_t array)
{
    const postern_json *j = c->m->json;
    const uint8_t *last_end = NULL; /* of the entry before, when one before was kept */
    bool has_kept = false;

    for (uint32_t e = postern_json_first(j, array), next; e != POSTERN_JSON_ABSENT; e = next) {
        postern_bytes raw = postern_json_raw(j, e);

        next = postern_json_next(j, e);
        if (is_shown(c, list, e))
            has_kept = true;
        else if (has_kept)
            cut(c, offset(c, last_end), offset(c, raw.ptr + raw.len));
        else
            cut(c, offset(c, raw.ptr),
                offset(c, next == POSTERN_JSON_ABSENT ? raw.ptr + raw.len
                                                      : postern_json_raw(j, next).ptr));
        last_end = raw.ptr + raw.len;
    }
}

/* In the order of the bytes, so that what was copied is copied once. */
static void cut_lists(struct cutter *c)
{
    const postern_json *j = c->m->json;

    for (uint32_t member = postern_json_first(j, c->m->result); member != POSTERN_JSON_ABSENT;
         member = postern_json_next(j, member))
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            if (postern_json_name_is(j, member, lists[i].member) &&
                postern_json_type_of(j, member) == POSTERN_JSON_ARRAY)
                cut_entries(c, &lists[i], member);
}

bool mcp_list_cut(const struct mcp_message *m, const struct adapter_host *host, struct pins *pins,
                  postern_buf *room, postern_buf *out)
{
    struct cutter c = { .m = m, .host = host, .pins = pins, .room = room, .out = out };

    cut_lists(&c);
    if (!c.has_cut)
        return room->failed;
    copy_until(&c, m->line.len);
    postern_buf_add_byte(out, '\n');
    return true;
}

/* A table is an array, bare, or behind a name or two: {"result":[…]}, {"data":{"rows":[…],…}}.  Which
 * of several is the table nobody can say: the largest.  What stands in its entries is theirs. */
static int64_t structured_rows(const struct mcp_message *m)
{
    const postern_json *j = m->json;
    uint32_t node = postern_json_member(j, m->result, "structuredContent"), end;
    int64_t rows = 0;

    if (node == POSTERN_JSON_ABSENT)
        return 0;
    for (end = j->nodes[node].end; node < j->count && j->nodes[node].start < end;) {
        const postern_json_node *at = &j->nodes[node++];

        if (at->type != POSTERN_JSON_ARRAY)
            continue;
        rows = at->child_count > rows ? at->child_count : rows;
        while (node < j->count && j->nodes[node].start < at->end)
            node++;
    }
    return rows;
}

int64_t mcp_list_rows(const struct mcp_message *m)
{
    static const char *const contents[] = { "content", "contents" };
    const postern_json *j = m->json;
    int64_t rows = 0, structured;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        uint32_t node = postern_json_member(j, m->result, lists[i].member);

        if (postern_json_type_of(j, node) == POSTERN_JSON_ARRAY)
            rows += j->nodes[node].child_count;
    }
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        uint32_t node = postern_json_member(j, m->result, contents[i]);

        if (postern_json_type_of(j, node) == POSTERN_JSON_ARRAY)
            rows += j->nodes[node].child_count;
    }
    structured = structured_rows(m);
    return structured > rows ? structured : rows;
}

bool mcp_list_is_clear(const struct mcp_message *m, postern_buf *room)
{
    return !mcp_has_near_name(m->json, m->result, result_names, room);
}
