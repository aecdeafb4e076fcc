/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_message.h. */
#include "mcp_message.h"

static const char *const root_names[] = { "jsonrpc", "id",    "method", "params",
                                          "result",  "error", NULL };

/* ---- ids ---- */

/* An integer in the one way in which every writer writes it: what a server echoes is what came. */
static bool is_canonical_integer(postern_bytes raw)
{
    postern_reader r = { raw };
    bool is_negative = postern_reader_take_byte(&r, '-');

    if (r.rest.len == 0 || r.rest.len > 15) /* below 2^53 */
        return false;
    for (size_t i = 0; i < r.rest.len; i++)
        if (r.rest.ptr[i] < '0' || r.rest.ptr[i] > '9')
            return false;
    return r.rest.ptr[0] != '0' || (r.rest.len == 1 && !is_negative);
}

bool mcp_id_read(const postern_json *j, uint32_t node, postern_buf *room, struct mcp_id *ret)
{
    postern_bytes raw = postern_json_raw(j, node), value = raw;
    bool is_string = postern_json_type_of(j, node) == POSTERN_JSON_STRING;

    if (raw.len == 0 || raw.len > MCP_ID_MAX)
        return false;
    if (is_string && !postern_json_string(j, node, room, &value))
        return false;
    if (!is_string &&
        (postern_json_type_of(j, node) != POSTERN_JSON_NUMBER || !is_canonical_integer(raw)))
        return false;
    ret->raw = raw;
    ret->is_string = is_string;
    ret->value_len = value.len; /* no longer than raw */
    if (value.len != 0)
        memcpy(ret->value, value.ptr, value.len);
    return true;
}

bool mcp_id_equal(const struct mcp_id *a, const struct mcp_id *b)
{
    return a->is_string == b->is_string && a->value_len == b->value_len &&
           memcmp(a->value, b->value, a->value_len) == 0;
}

/* ---- lines ---- */

static postern_bytes trim(postern_bytes line)
{
    while (line.len != 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t')) {
        line.ptr++;
        line.len--;
    }
    return line;
}

/* Some readers end a line at any CR: behind one there could begin another message.  One before the
 * LF is a blank to all. */
static bool has_inner_cr(postern_bytes line)
{
    size_t at = postern_bytes_find(line, '\r');

    return at != line.len && at + 1 != line.len;
}

static mcp_kind look(postern_bytes line)
{
    postern_bytes text = trim(line);

    if (text.len == 0 || postern_bytes_equal_str(text, "\r"))
        return MCP_BLANK;
    return text.ptr[0] == '{' || text.ptr[0] == '[' ? MCP_UNSOUND : MCP_NOISE;
}

static void refuse(struct mcp_message *m, int code, const char *why)
{
    m->kind = MCP_UNSOUND;
    m->code = code;
    m->why = why;
}

/* ---- members ---- */

static bool check_id(struct mcp_message *m, uint32_t node, postern_buf *room)
{
    if (node == POSTERN_JSON_ABSENT)
        return true;
    /* An answer to what could not be read has the id null (JSON-RPC 2.0 §5). */
    if (m->error != POSTERN_JSON_ABSENT && postern_json_type_of(m->json, node) == POSTERN_JSON_NULL)
        return true;
    if (mcp_id_read(m->json, node, room, &m->id))
        return true;
    refuse(m, MCP_INVALID_REQUEST, "the id is neither a string nor an integer, or is too long");
    return false;
}

static bool is_object(const struct mcp_message *m, uint32_t node)
{
    return postern_json_type_of(m->json, node) == POSTERN_JSON_OBJECT;
}

static void sort_call(struct mcp_message *m)
{
    if (m->result != POSTERN_JSON_ABSENT || m->error != POSTERN_JSON_ABSENT)
        refuse(m, MCP_INVALID_REQUEST, "it is a request and an answer");
    else if (postern_json_type_of(m->json, m->method) != POSTERN_JSON_STRING)
        refuse(m, MCP_INVALID_REQUEST, "the method is not a string");
    else if (m->params != POSTERN_JSON_ABSENT && !is_object(m, m->params))
        refuse(m, MCP_INVALID_REQUEST, "params is not an object");
    else
        m->kind = m->id.raw.ptr == NULL ? MCP_NOTIFICATION : MCP_REQUEST;
}

static void sort_answer(struct mcp_message *m)
{
    bool has_result = m->result != POSTERN_JSON_ABSENT, has_error = m->error != POSTERN_JSON_ABSENT;

    if (has_result == has_error || (has_result && m->id.raw.ptr == NULL))
        refuse(m, MCP_INVALID_REQUEST, "it is neither a request nor one answer");
    else if (!is_object(m, has_result ? m->result : m->error))
        refuse(m, MCP_INVALID_REQUEST, "the answer is not an object");
    else
        m->kind = has_result ? MCP_RESULT : MCP_ERROR;
}

/* In a call twins are looked for at every depth: arguments are read by servers' own code.  An
 * answer may quote a document with such names; only what the door reads of it must be clear. */
static bool has_twins(const struct mcp_message *m, postern_buf *room)
{
    const postern_json *j = m->json;

    if (m->method == POSTERN_JSON_ABSENT)
        return mcp_has_twins(j, 0, room) ||
               (m->result != POSTERN_JSON_ABSENT && mcp_has_twins(j, m->result, room));
    for (uint32_t node = 0; node < j->count; node++)
        if (mcp_has_twins(j, node, room))
            return true;
    return false;
}

static void read_members(struct mcp_message *m, postern_buf *room)
{
    const postern_json *j = m->json;

    m->method = postern_json_member(j, 0, "method");
    m->params = postern_json_member(j, 0, "params");
    m->result = postern_json_member(j, 0, "result");
    m->error = postern_json_member(j, 0, "error");
    if (mcp_has_near_name(j, 0, root_names, room) || has_twins(m, room)) {
        refuse(m, MCP_INVALID_REQUEST, "names differ by case alone");
        return;
    }
    if (!check_id(m, postern_json_member(j, 0, "id"), room))
        return;
    if (!postern_json_string_is(j, postern_json_member(j, 0, "jsonrpc"), "2.0"))
        refuse(m, MCP_INVALID_REQUEST, "jsonrpc is not \"2.0\"");
    else if (m->method != POSTERN_JSON_ABSENT)
        sort_call(m);
    else
        sort_answer(m);
}

static postern_err scan(postern_bytes line, postern_json *j, struct mcp_message *m,
                        postern_error *err)
{
    postern_err e;

    if (has_inner_cr(line)) {
        refuse(m, MCP_PARSE_ERROR, "a carriage return stands inside the line");
        return POSTERN_OK;
    }
    e = postern_json_scan(j, line, err);
    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e == POSTERN_ERR_LIMIT)
        refuse(m, MCP_INVALID_REQUEST, "the message is too deep or holds too many values");
    else if (e != POSTERN_OK)
        refuse(m, MCP_PARSE_ERROR,
               "the line is not JSON as RFC 8259 has it, or a name stands twice");
    else if (postern_json_type_of(j, 0) == POSTERN_JSON_ARRAY)
        refuse(m, MCP_INVALID_REQUEST, "batches are not taken here");
    else
        m->kind = MCP_NOTIFICATION; /* for now: it is an object */
    return POSTERN_OK;
}

postern_err mcp_message_read(postern_bytes line, postern_json *j, postern_buf *room,
                             struct mcp_message *ret, postern_error *err)
{
    struct mcp_message m = { .line = line,
                             .json = j,
                             .code = MCP_PARSE_ERROR,
                             .why = "",
                             .method = POSTERN_JSON_ABSENT,
                             .params = POSTERN_JSON_ABSENT,
                             .result = POSTERN_JSON_ABSENT,
                             .error = POSTERN_JSON_ABSENT };

    postern_buf_reset(room);
    m.kind = look(line);
    if (m.kind == MCP_NOISE)
        m.why = "the line is no JSON object";
    if (m.kind == MCP_UNSOUND) {
        POSTERN_TRY(scan(line, j, &m, err));
        if (m.kind != MCP_UNSOUND)
            read_members(&m, room);
        if (room->failed)
            return POSTERN_FAIL(err, NOMEM, "text of a message");
    }
    *ret = m;
    return POSTERN_OK;
}
