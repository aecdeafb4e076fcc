/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_action.h.  The methods of MCP 2024-11-05 to 2025-11-25. */
#include "mcp_action.h"

const char *const mcp_versions[] = { "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", NULL };
#define VERSION_KEY "io.modelcontextprotocol/protocolVersion"

/* Who may say it. */
enum { BY_CLIENT = 1u << ADAPTER_CLIENT, BY_SERVER = 1u << ADAPTER_BACKEND, BY_BOTH = 3 };

typedef enum touched {
    TOUCHES_NOTHING = 0,
    TOUCHES_NAME, /* params.name */
    TOUCHES_URI,  /* params.uri */
    TOUCHES_TASK, /* params.taskId */
    TOUCHES_REF   /* params.ref: the name of a prompt or the URI of a template */
} touched;

static const struct method {
    const char *name;
    unsigned by;
    bool is_request;
    touched touches;
    bool has_arguments; /* params.arguments is what it is given; else params */
} methods[] = {
    { "completion/complete", BY_CLIENT, true, TOUCHES_REF, false },
    { "elicitation/create", BY_SERVER, true, TOUCHES_NOTHING, false },
    { "initialize", BY_CLIENT, true, TOUCHES_NOTHING, false },
    { "logging/setLevel", BY_CLIENT, true, TOUCHES_NOTHING, false },
    { "notifications/cancelled", BY_BOTH, false, TOUCHES_NOTHING, false },
    { "notifications/elicitation/complete", BY_SERVER, false, TOUCHES_NOTHING, false },
    { "notifications/initialized", BY_CLIENT, false, TOUCHES_NOTHING, false },
    { "notifications/message", BY_SERVER, false, TOUCHES_NOTHING, false },
    { "notifications/progress", BY_BOTH, false, TOUCHES_NOTHING, false },
    { "notifications/prompts/list_changed", BY_SERVER, false, TOUCHES_NOTHING, false },
    { "notifications/resources/list_changed", BY_SERVER, false, TOUCHES_NOTHING, false },
    { "notifications/resources/updated", BY_SERVER, false, TOUCHES_URI, false },
    { "notifications/roots/list_changed", BY_CLIENT, false, TOUCHES_NOTHING, false },
    { "notifications/tasks/status", BY_BOTH, false, TOUCHES_TASK, false },
    { "notifications/tools/list_changed", BY_SERVER, false, TOUCHES_NOTHING, false },
    { "ping", BY_BOTH, true, TOUCHES_NOTHING, false },
    { "prompts/get", BY_CLIENT, true, TOUCHES_NAME, true },
    { "prompts/list", BY_CLIENT, true, TOUCHES_NOTHING, false },
    { "resources/list", BY_CLIENT, true, TOUCHES_NOTHING, false },
    { "resources/read", BY_CLIENT, true, TOUCHES_URI, false },
    { "resources/subscribe", BY_CLIENT, true, TOUCHES_URI, false },
    { "resources/templates/list", BY_CLIENT, true, TOUCHES_NOTHING, false },
    { "resources/unsubscribe", BY_CLIENT, true, TOUCHES_URI, false },
    { "roots/list", BY_SERVER, true, TOUCHES_NOTHING, false },
    { "sampling/createMessage", BY_SERVER, true, TOUCHES_NOTHING, false },
    { "tasks/cancel", BY_BOTH, true, TOUCHES_TASK, false },
    { "tasks/get", BY_BOTH, true, TOUCHES_TASK, false },
    { "tasks/list", BY_BOTH, true, TOUCHES_NOTHING, false },
    { "tasks/result", BY_BOTH, true, TOUCHES_TASK, false },
    { "tools/call", BY_CLIENT, true, TOUCHES_NAME, true },
    { "tools/list", BY_CLIENT, true, TOUCHES_NOTHING, false },
};

/* What is read below: in another case it would be read by a server and not by us. */
static const char *const param_names[] = { "name",   "arguments", "uri",
                                           "ref",    "_meta",     "protocolVersion",
                                           "taskId", "requestId", NULL };
static const char *const ref_names[] = { "type", "name", "uri", NULL };
static const char *const meta_names[] = { MCP_PURPOSE_KEY, VERSION_KEY, "progressToken", NULL };

/* Arguments that were left out are none, and not unknown. */
static postern_json_node no_argument = { .end = 2, .type = POSTERN_JSON_OBJECT };
static const postern_json no_arguments = {
    .text = { (const uint8_t *)"{}", 2 }, .nodes = &no_argument, .count = 1, .cap = 1
};

static bool refuse(struct mcp_message *m, int code, const char *why)
{
    m->code = code;
    m->why = why;
    return false;
}

static const struct method *find_method(const struct mcp_message *m)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (postern_json_string_is(m->json, m->method, methods[i].name))
            return &methods[i];
    return NULL;
}

/* ABSENT of an absent object is absent. */
static uint32_t member(const struct mcp_message *m, uint32_t object, const char *name)
{
    return postern_json_type_of(m->json, object) == POSTERN_JSON_OBJECT
               ? postern_json_member(m->json, object, name)
               : POSTERN_JSON_ABSENT;
}

static bool check_names(struct mcp_message *m, postern_buf *room)
{
    const postern_json *j = m->json;

    if (mcp_has_near_name(j, m->params, param_names, room) ||
        mcp_has_near_name(j, member(m, m->params, "ref"), ref_names, room) ||
        mcp_has_near_name(j, member(m, m->params, "_meta"), meta_names, room))
        return refuse(m, MCP_INVALID_PARAMS, "a name differs from one of MCP's by case alone");
    return true;
}

/* ---- revisions ---- */

bool mcp_is_version(const postern_json *j, uint32_t node)
{
    for (const char *const *v = mcp_versions; *v != NULL; v++)
        if (postern_json_string_is(j, node, *v))
            return true;
    return false;
}

/* Sessions of 2026-07-28 have no `initialize`: each request says its revision, the first discovers.
 */
static bool check_version(struct mcp_message *m, const struct method *method)
{
    uint32_t said = member(m, member(m, m->params, "_meta"), VERSION_KEY);

    if (said == POSTERN_JSON_ABSENT && method != NULL && strcmp(method->name, "initialize") == 0) {
        said = member(m, m->params, "protocolVersion");
        if (said == POSTERN_JSON_ABSENT)
            return refuse(m, MCP_INVALID_PARAMS, "initialize says no protocolVersion");
    }
    if (postern_json_string_is(m->json, m->method, "server/discover") ||
        (said != POSTERN_JSON_ABSENT && !mcp_is_version(m->json, said)))
        return refuse(m, MCP_UNSUPPORTED_VERSION, "Unsupported protocol version");
    return true;
}

/* ---- what it touches ---- */

static bool read_text(struct mcp_message *m, uint32_t node, postern_buf *room,
                      struct mcp_said *said)
{
    if (!postern_json_string(m->json, node, room, &said->resource))
        return refuse(m, MCP_INVALID_PARAMS, "a name or URI is missing or no string");
    if (said->resource.ptr == NULL) /* "": a name too */
        said->resource.ptr = (const uint8_t *)"";
    return true;
}

/* A URI of two spellings is no name of a resource. */
static bool read_uri(struct mcp_message *m, uint32_t node, postern_buf *room, struct mcp_said *said)
{
    if (!read_text(m, node, room, said))
        return false;
    if (!mcp_uri_is_plain(said->resource))
        said->resource = POSTERN_BYTES_NONE;
    return true;
}

static bool read_ref(struct mcp_message *m, postern_buf *room, struct mcp_said *said)
{
    uint32_t ref = member(m, m->params, "ref"), type = member(m, ref, "type"),
             name = member(m, ref, "name"), uri = member(m, ref, "uri");

    if (postern_json_string_is(m->json, type, "ref/prompt") && uri == POSTERN_JSON_ABSENT)
        return read_text(m, name, room, said);
    if (postern_json_string_is(m->json, type, "ref/resource") && name == POSTERN_JSON_ABSENT)
        return read_uri(m, uri, room, said);
    return refuse(m, MCP_INVALID_PARAMS, "ref names neither a prompt nor a resource");
}

static bool read_resource(struct mcp_message *m, const struct method *method, postern_buf *room,
                          struct mcp_said *said)
{
    switch (method->touches) {
    case TOUCHES_NOTHING:
        return true;
    case TOUCHES_NAME:
        return read_text(m, member(m, m->params, "name"), room, said);
    case TOUCHES_URI:
        return read_uri(m, member(m, m->params, "uri"), room, said);
    case TOUCHES_TASK:
        return read_text(m, member(m, m->params, "taskId"), room, said);
    case TOUCHES_REF:
        return read_ref(m, room, said);
    }
    return refuse(m, MCP_INVALID_PARAMS, "nobody can say what it touches");
}

/* ---- what it is given ---- */

static postern_policy_args read_args(const struct mcp_message *m, const struct method *method)
{
    uint32_t object = method->has_arguments ? member(m, m->params, "arguments") : m->params;

    if (object == POSTERN_JSON_ABSENT)
        return (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_JSON, .json = &no_arguments };
    if (postern_json_type_of(m->json, object) != POSTERN_JSON_OBJECT)
        return (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_UNKNOWN };
    return (
        postern_policy_args){ .kind = POSTERN_POLICY_ARGS_JSON, .json = m->json, .object = object };
}

static void read_purpose(const struct mcp_message *m, struct mcp_said *said)
{
    uint32_t node = member(m, member(m, m->params, "_meta"), MCP_PURPOSE_KEY);
    postern_bytes raw = postern_json_raw(m->json, node);

    said->purpose[0] = '\0';
    if (postern_json_type_of(m->json, node) != POSTERN_JSON_STRING ||
        m->json->nodes[node].is_escaped)
        return;
    raw.ptr++; /* its quotes */
    raw.len -= 2;
    if (raw.len >= sizeof said->purpose || !postern_bytes_is_printable(raw))
        return;
    memcpy(said->purpose, raw.ptr, raw.len);
    said->purpose[raw.len] = '\0';
}

/* A text or a number, as it must be; anything else would be more than a number of the call. */
static bool is_token(const struct mcp_message *m, uint32_t node)
{
    postern_json_type type = postern_json_type_of(m->json, node);

    return type == POSTERN_JSON_STRING || type == POSTERN_JSON_NUMBER;
}

/* The params as they came (the method is the action's name), but for the progress token: a client
 * numbers each call, and the second try of one that was approved is the same call. */
static size_t read_digested(const struct mcp_message *m, postern_bytes ret[2])
{
    postern_bytes params = postern_json_raw(m->json, m->params), token;
    uint32_t node = member(m, member(m, m->params, "_meta"), "progressToken");
    size_t at;

    ret[0] = params;
    if (node == POSTERN_JSON_ABSENT || !is_token(m, node))
        return params.len != 0;
    token = postern_json_raw(m->json, node);
    at = (size_t)(token.ptr - params.ptr);
    ret[0].len = at;
    ret[1] = (postern_bytes){ token.ptr + token.len, params.len - at - token.len };
    return 2;
}

/* ---- the whole ---- */

static const struct method *check_method(struct mcp_message *m, enum adapter_side from)
{
    const struct method *method = find_method(m);

    if (!check_version(m, method))
        return NULL;
    if (method == NULL || (method->by & 1u << from) == 0) {
        (void)refuse(m, MCP_METHOD_NOT_FOUND, "the door does not know this method");
        return NULL;
    }
    if (method->is_request != (m->kind == MCP_REQUEST)) {
        (void)refuse(m, MCP_INVALID_REQUEST, "a request without an id, or a notification with one");
        return NULL;
    }
    return method;
}

bool mcp_action_read(struct mcp_message *m, enum adapter_side from, postern_buf *room,
                     struct mcp_said *said, struct adapter_action *ret)
{
    const struct method *method;

    *ret = (struct adapter_action){ .from = from };
    *said = (struct mcp_said){ .resource = POSTERN_BYTES_NONE };
    m->code = 0;
    m->why = "";
    ret->digested = said->digested;
    ret->digested_count = read_digested(m, said->digested);
    read_purpose(m, said);
    ret->claimed_purpose = said->purpose[0] == '\0' ? NULL : said->purpose;
    if (!check_names(m, room))
        return !room->failed;
    method = check_method(m, from);
    if (method == NULL || !read_resource(m, method, room, said))
        return !room->failed;
    ret->name = method->name;
    ret->resources = &said->resource;
    ret->resource_count = said->resource.ptr != NULL;
    ret->args = read_args(m, method);
    return true;
}
