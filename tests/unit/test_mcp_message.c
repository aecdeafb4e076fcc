/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/adapters/mcp_message.c, mcp_names.c, mcp_action.c, mcp_uri.c: which lines are messages, and what
 * they ask for. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "adapters/mcp_action.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define LIT POSTERN_BYTES_LIT

struct reading {
    postern_json j;
    postern_buf room;
    struct mcp_message m;
    struct mcp_said said;
    struct adapter_action a;
};

static void open_reading(struct reading *r)
{
    memset(r, 0, sizeof *r);
    r->j.nodes_max = POSTERN_JSON_NODES_LARGE;
    r->room = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX);
}

static void close_reading(struct reading *r)
{
    postern_json_free(&r->j);
    postern_buf_free(&r->room);
}

static mcp_kind read_line(struct reading *r, postern_bytes line)
{
    postern_error err;

    assert_int_equal(mcp_message_read(line, &r->j, &r->room, &r->m, &err), POSTERN_OK);
    return r->m.kind;
}

/* ---- messages ---- */

static void lines_are_sorted(void **state)
{
    static const struct { const char *why; postern_bytes line; mcp_kind want; } cases[] = {
        { "a request", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), MCP_REQUEST },
        { "with a CR before its LF", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r"), MCP_REQUEST },
        { "blanks around", LIT(" \t{\"jsonrpc\":\"2.0\", \"id\" : \"a\",\"method\":\"ping\"} "), MCP_REQUEST },
        { "escapes in names", LIT("{\"jsonr\\u0070c\":\"2.0\",\"id\":1,\"\\u006dethod\":\"ping\"}"), MCP_REQUEST },
        { "a notification", LIT("{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{}}"), MCP_NOTIFICATION },
        { "a result", LIT("{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":0}"), MCP_RESULT },
        { "an error", LIT("{\"jsonrpc\":\"2.0\",\"id\":-5,\"error\":{\"code\":1,\"message\":\"m\"}}"), MCP_ERROR },
        { "an error of nobody's", LIT("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}"), MCP_ERROR },
        { "an error without an id", LIT("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1}}"), MCP_ERROR },
        { "names that differ by case in an answer's document",
          LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":{\"A\":1,\"a\":2}}}"), MCP_RESULT },
        { "nothing", LIT(""), MCP_BLANK },
        { "blanks", LIT(" \t \r"), MCP_BLANK },
        { "a log line", LIT("listening on stdio"), MCP_NOISE },
        { "a mark of byte order", LIT("\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), MCP_NOISE },
        { "UTF-16", LIT("{\0\"\0"), MCP_UNSOUND },
        { "NUL first", LIT("\0{}"), MCP_NOISE },
        { "a string", LIT("\"x\""), MCP_NOISE },
    };
    struct reading r;

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (read_line(&r, cases[i].line) != cases[i].want)
            fail_msg("%s: %d, %s", cases[i].why, (int)r.m.kind, r.m.why);
    close_reading(&r);
}

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
static void what_two_readers_could_read_in_two_ways_is_no_message(void **state)
{
    static const struct { const char *why; postern_bytes line; int code; } cases[] = {
        { "a batch", LIT("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]"), MCP_INVALID_REQUEST },
        { "an empty batch", LIT("[]"), MCP_INVALID_REQUEST },
        { "cut off", LIT("{\"jsonrpc\":\"2.0\""), MCP_PARSE_ERROR },
        { "two messages", LIT(HEAD "\"params\":{}}" HEAD "\"params\":{}}"), MCP_PARSE_ERROR },
        { "trailing comma", LIT(HEAD "\"params\":{},}"), MCP_PARSE_ERROR },
        { "comment", LIT("{/**/\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), MCP_PARSE_ERROR },
        { "single quotes", LIT("{'jsonrpc':'2.0','id':1,'method':'ping'}"), MCP_PARSE_ERROR },
        { "NaN", LIT(HEAD "\"params\":{\"x\":NaN}}"), MCP_PARSE_ERROR },
        { "leading zero", LIT(HEAD "\"params\":{\"x\":01}}"), MCP_PARSE_ERROR },
        { "raw tab in a string", LIT(HEAD "\"params\":{\"x\":\"a\tb\"}}"), MCP_PARSE_ERROR },
        { "NUL in a string", LIT(HEAD "\"params\":{\"x\":\"a\0b\"}}"), MCP_PARSE_ERROR },
        { "NUL escaped", LIT(HEAD "\"params\":{\"x\":\"a\\u0000b\"}}"), MCP_PARSE_ERROR },
        { "lone surrogate", LIT(HEAD "\"params\":{\"x\":\"\\ud800\"}}"), MCP_PARSE_ERROR },
        { "overlong UTF-8", LIT(HEAD "\"params\":{\"x\":\"\xC0\xAF\"}}"), MCP_PARSE_ERROR },
        { "Latin-1", LIT(HEAD "\"params\":{\"x\":\"\xE9\"}}"), MCP_PARSE_ERROR },
        { "a name twice", LIT(HEAD "\"method\":\"ping\"}"), MCP_PARSE_ERROR },
        { "a name twice, once escaped", LIT(HEAD "\"meth\\u006fd\":\"ping\"}"), MCP_PARSE_ERROR },
        { "a name twice in params", LIT(HEAD "\"params\":{\"name\":\"a\",\"name\":\"b\"}}"), MCP_PARSE_ERROR },
        { "a CR inside", LIT("{\"jsonrpc\":\"2.0\",\r\"id\":1,\"method\":\"ping\"}"), MCP_PARSE_ERROR },
        { "a message between two CRs", LIT(HEAD "\"params\":{\"a\":\r{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\r}}"), MCP_PARSE_ERROR },
        { "two CRs at the end", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\r"), MCP_PARSE_ERROR },
        { "METHOD beside method", LIT(HEAD "\"METHOD\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "Params alone", LIT(HEAD "\"Params\":{}}"), MCP_INVALID_REQUEST },
        { "Method alone", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"Method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "ID", LIT("{\"jsonrpc\":\"2.0\",\"ID\":1,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "params with a long s", LIT(HEAD "\"param\xC5\xBF\":{}}"), MCP_INVALID_REQUEST },
        { "params with a long s, escaped", LIT(HEAD "\"param\\u017f\":{}}"), MCP_INVALID_REQUEST },
        { "id with a dotless i", LIT("{\"jsonrpc\":\"2.0\",\"\xC4\xB1" "d\":1,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "twins in arguments", LIT(HEAD "\"params\":{\"name\":\"n\",\"arguments\":{\"path\":\"/a\",\"Path\":\"/b\"}}}"), MCP_INVALID_REQUEST },
        { "twins deep in arguments", LIT(HEAD "\"params\":{\"arguments\":{\"x\":[{\"k\":1,\"\\u212a\":2}]}}}"), MCP_INVALID_REQUEST },
        { "Result beside result", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"Result\":{}}"), MCP_INVALID_REQUEST },
        { "Tools beside tools", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[],\"Tools\":[]}}"), MCP_INVALID_REQUEST },
        { "jsonrpc 1.0", LIT("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "jsonrpc as a number", LIT("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "no jsonrpc", LIT("{\"id\":1,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "id null", LIT("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "id 1.0", LIT("{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "id 1e0", LIT("{\"jsonrpc\":\"2.0\",\"id\":1e0,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "id -0", LIT("{\"jsonrpc\":\"2.0\",\"id\":-0,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "id 2^53", LIT("{\"jsonrpc\":\"2.0\",\"id\":9007199254740992,\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "id of an object", LIT("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}"), MCP_INVALID_REQUEST },
        { "a request and an answer", LIT(HEAD "\"result\":{}}"), MCP_INVALID_REQUEST },
        { "two answers", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}"), MCP_INVALID_REQUEST },
        { "neither", LIT("{\"jsonrpc\":\"2.0\",\"id\":1}"), MCP_INVALID_REQUEST },
        { "a result of nobody's", LIT("{\"jsonrpc\":\"2.0\",\"result\":{}}"), MCP_INVALID_REQUEST },
        { "a result that is no object", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}"), MCP_INVALID_REQUEST },
        { "a method that is no string", LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":[\"ping\"]}"), MCP_INVALID_REQUEST },
        { "params of an array", LIT(HEAD "\"params\":[]}"), MCP_INVALID_REQUEST },
        { "params null", LIT(HEAD "\"params\":null}"), MCP_INVALID_REQUEST },
        { "too deep", LIT(HEAD "\"params\":{\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}}"), MCP_INVALID_REQUEST },
    };
    struct reading r;

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (read_line(&r, cases[i].line) != MCP_UNSOUND)
            fail_msg("%s: taken for a message", cases[i].why);
        if (r.m.code != cases[i].code || r.m.why[0] == '\0')
            fail_msg("%s: %d, %s", cases[i].why, r.m.code, r.m.why);
    }
    close_reading(&r);
}

static void twins_are_found_among_many_names(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX);
    struct reading r;

    (void)state;
    open_reading(&r);
    for (int has_twin = 0; has_twin < 2; has_twin++) {
        postern_buf_reset(&b);
        postern_buf_add_str(&b, HEAD "\"params\":{\"name\":\"n\",\"arguments\":{");
        for (int i = 0; i < 20000; i++)
            postern_buf_addf(&b, "\"key%d\":0,", i);
        postern_buf_addf(&b, "\"%s\":0}}}", has_twin ? "KEY17" : "key");
        assert_false(b.failed);
        assert_int_equal(read_line(&r, postern_buf_bytes(&b)), has_twin ? MCP_UNSOUND : MCP_REQUEST);
    }
    close_reading(&r);
}

static void ids_are_one_when_kind_and_value_are(void **state)
{
    static const struct { const char *a, *b; bool is_one; } cases[] = {
        { "1", "1", true },     { "\"1\"", "1", false },          { "\"a\"", "\"\\u0061\"", true },
        { "1", "2", false },    { "\"a\"", "\"A\"", false },      { "\"\"", "\"\"", true },
        { "-1", "1", false },   { "\"\"", "\"a\"", false },       { "0", "\"0\"", false },
    };
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(1000);
    struct reading r;

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mcp_id a;

        postern_buf_reset(&line);
        postern_buf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}", cases[i].a);
        assert_int_equal(read_line(&r, postern_buf_bytes(&line)), MCP_REQUEST);
        a = r.m.id;
        postern_buf_reset(&line);
        postern_buf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}", cases[i].b);
        assert_int_equal(read_line(&r, postern_buf_bytes(&line)), MCP_REQUEST);
        if (mcp_id_equal(&a, &r.m.id) != cases[i].is_one)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
    close_reading(&r);
}

/* ---- actions ---- */

static void read_action(struct reading *r, enum adapter_side from, postern_bytes line)
{
    mcp_kind kind = read_line(r, line);

    if (kind != MCP_REQUEST && kind != MCP_NOTIFICATION)
        fail_msg("no call: %s", r->m.why);
    assert_true(mcp_action_read(&r->m, from, &r->room, &r->said, &r->a));
}

#define CALL(method, params) LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}")
#define NOTE(method, params) LIT("{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":" params "}")

static void every_method_has_a_name_and_what_it_touches(void **state)
{
    static const struct { enum adapter_side from; postern_bytes line; const char *name, *resource, *args; } cases[] = {
        { 0, CALL("tools/call", "{\"name\":\"read_file\",\"arguments\":{\"path\":\"/a\"}}"), "tools/call", "read_file", "{\"path\":\"/a\"}" },
        { 0, CALL("tools/call", "{\"name\":\"r\\u0065ad\"}"), "tools/call", "read", "{}" },
        { 0, CALL("tools/call", "{\"name\":\"\",\"arguments\":null}"), "tools/call", "", NULL },
        { 0, CALL("tools/call", "{\"name\":\"x\",\"arguments\":[1]}"), "tools/call", "x", NULL },
        { 0, CALL("prompts/get", "{\"name\":\"p\",\"arguments\":{\"a\":\"b\"}}"), "prompts/get", "p", "{\"a\":\"b\"}" },
        { 0, CALL("resources/read", "{\"uri\":\"file:///a\"}"), "resources/read", "file:///a", "{\"uri\":\"file:///a\"}" },
        { 0, CALL("resources/subscribe", "{\"uri\":\"x://a\"}"), "resources/subscribe", "x://a", "{\"uri\":\"x://a\"}" },
        { 0, CALL("resources/read", "{\"uri\":\"file:///a/../b\"}"), "resources/read", NULL, "{\"uri\":\"file:///a/../b\"}" },
        { 0, CALL("completion/complete", "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"}}"), "completion/complete", "p", "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"}}" },
        { 0, CALL("completion/complete", "{\"ref\":{\"type\":\"ref/resource\",\"uri\":\"x://{a}\"}}"), "completion/complete", "x://{a}", "{\"ref\":{\"type\":\"ref/resource\",\"uri\":\"x://{a}\"}}" },
        { 0, CALL("tasks/get", "{\"taskId\":\"t\"}"), "tasks/get", "t", "{\"taskId\":\"t\"}" },
        { 1, CALL("tasks/cancel", "{\"taskId\":\"t\"}"), "tasks/cancel", "t", "{\"taskId\":\"t\"}" },
        { 0, CALL("logging/setLevel", "{\"level\":\"debug\"}"), "logging/setLevel", NULL, "{\"level\":\"debug\"}" },
        { 0, LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), "tools/list", NULL, "{}" },
        { 0, CALL("initialize", "{\"protocolVersion\":\"2025-11-25\"}"), "initialize", NULL, "{\"protocolVersion\":\"2025-11-25\"}" },
        { 0, NOTE("notifications/initialized", "{}"), "notifications/initialized", NULL, "{}" },
        { 1, CALL("sampling/createMessage", "{\"maxTokens\":1}"), "sampling/createMessage", NULL, "{\"maxTokens\":1}" },
        { 1, CALL("elicitation/create", "{}"), "elicitation/create", NULL, "{}" },
        { 1, CALL("roots/list", "{}"), "roots/list", NULL, "{}" },
        { 1, CALL("ping", "{}"), "ping", NULL, "{}" },
        { 1, NOTE("notifications/resources/updated", "{\"uri\":\"x://a\"}"), "notifications/resources/updated", "x://a", "{\"uri\":\"x://a\"}" },
    };
    struct reading r;

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        read_action(&r, cases[i].from, cases[i].line);
        if (r.m.code != 0 || r.a.name == NULL)
            fail_msg("%s: %s", cases[i].name, r.m.why);
        assert_string_equal(r.a.name, cases[i].name);
        assert_int_equal(r.a.resource_count, cases[i].resource != NULL);
        if (cases[i].resource != NULL)
            assert_true(postern_bytes_equal_str(r.a.resources[0], cases[i].resource));
        assert_int_equal(r.a.args.kind == POSTERN_POLICY_ARGS_JSON, cases[i].args != NULL);
        if (cases[i].args != NULL)
            assert_true(postern_bytes_equal_str(postern_json_raw(r.a.args.json, r.a.args.object), cases[i].args));
    }
    close_reading(&r);
}

static void what_nobody_can_name_has_no_name(void **state)
{
    static const struct { const char *why; enum adapter_side from; postern_bytes line; int code; } cases[] = {
        { "unknown", 0, CALL("tools/call2", "{}"), MCP_METHOD_NOT_FOUND },
        { "another case", 0, CALL("Tools/call", "{\"name\":\"x\"}"), MCP_METHOD_NOT_FOUND },
        { "a server's from a client", 0, CALL("sampling/createMessage", "{}"), MCP_METHOD_NOT_FOUND },
        { "a client's from a server", 1, CALL("tools/call", "{\"name\":\"x\"}"), MCP_METHOD_NOT_FOUND },
        { "a later revision's", 0, CALL("subscriptions/listen", "{}"), MCP_METHOD_NOT_FOUND },
        { "a call as a notification", 0, NOTE("tools/call", "{\"name\":\"x\"}"), MCP_INVALID_REQUEST },
        { "a notification as a call", 0, CALL("notifications/initialized", "{}"), MCP_INVALID_REQUEST },
        { "a tool without a name", 0, CALL("tools/call", "{}"), MCP_INVALID_PARAMS },
        { "no params", 0, LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}"), MCP_INVALID_PARAMS },
        { "a tool's name in an array", 0, CALL("tools/call", "{\"name\":[\"x\"]}"), MCP_INVALID_PARAMS },
        { "Name", 0, CALL("tools/call", "{\"Name\":\"x\"}"), MCP_INVALID_PARAMS },
        { "Arguments", 0, CALL("tools/call", "{\"name\":\"x\",\"Arguments\":{}}"), MCP_INVALID_PARAMS },
        { "argument\xC5\xBF", 0, CALL("tools/call", "{\"name\":\"x\",\"argument\xC5\xBF\":{}}"), MCP_INVALID_PARAMS },
        { "a URI of a number", 0, CALL("resources/read", "{\"uri\":1}"), MCP_INVALID_PARAMS },
        { "a ref with both", 0, CALL("completion/complete", "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\",\"uri\":\"x://a\"}}"), MCP_INVALID_PARAMS },
        { "a ref of another type", 0, CALL("completion/complete", "{\"ref\":{\"type\":\"ref/tool\",\"name\":\"p\"}}"), MCP_INVALID_PARAMS },
        { "Type in a ref", 0, CALL("completion/complete", "{\"ref\":{\"Type\":\"ref/prompt\",\"name\":\"p\"}}"), MCP_INVALID_PARAMS },
        { "discovery", 0, CALL("server/discover", "{}"), MCP_UNSUPPORTED_VERSION },
        { "a later revision in _meta", 0, CALL("tools/list", "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}"), MCP_UNSUPPORTED_VERSION },
        { "a revision of a number", 0, CALL("tools/list", "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":1}}"), MCP_UNSUPPORTED_VERSION },
        { "initialize with a later one", 0, CALL("initialize", "{\"protocolVersion\":\"2026-07-28\"}"), MCP_UNSUPPORTED_VERSION },
        { "initialize with none", 0, CALL("initialize", "{}"), MCP_INVALID_PARAMS },
    };
    struct reading r;

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        read_action(&r, cases[i].from, cases[i].line);
        if (r.m.code != cases[i].code || r.a.name != NULL)
            fail_msg("%s: %d, %s", cases[i].why, r.m.code, r.a.name == NULL ? r.m.why : r.a.name);
    }
    close_reading(&r);
}

static void a_purpose_is_taken_when_it_is_plain_text(void **state)
{
    static const struct { postern_bytes line; const char *want; } cases[] = {
        { CALL("tools/call", "{\"name\":\"x\",\"_meta\":{\"postern/purpose\":\"invoice-7\"}}"), "invoice-7" },
        { CALL("tools/call", "{\"name\":\"x\",\"_meta\":{\"postern/purpose\":\"a\\nb\"}}"), NULL },
        { CALL("tools/call", "{\"name\":\"x\",\"_meta\":{\"postern/purpose\":\"\xC3\xA9\"}}"), NULL },
        { CALL("tools/call", "{\"name\":\"x\",\"_meta\":{\"postern/purpose\":7}}"), NULL },
        { CALL("tools/call", "{\"name\":\"x\",\"_meta\":[\"postern/purpose\"]}"), NULL },
        { CALL("tools/call", "{\"name\":\"x\"}"), NULL },
    };
    struct reading r;

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        read_action(&r, ADAPTER_CLIENT, cases[i].line);
        if (cases[i].want == NULL)
            assert_null(r.a.claimed_purpose);
        else
            assert_string_equal(r.a.claimed_purpose, cases[i].want);
    }
    close_reading(&r);
}

static void the_digest_is_of_everything_but_the_progress_token(void **state)
{
    POSTERN_AUTO_BUF a = POSTERN_BUF_INIT(1000), b = POSTERN_BUF_INIT(1000);
    struct reading r;

    (void)state;
    open_reading(&r);
    read_action(&r, ADAPTER_CLIENT, CALL("tools/call", "{\"name\":\"x\",\"_meta\":{\"progressToken\":12},\"arguments\":{}}"));
    for (size_t i = 0; i < r.a.digested_count; i++)
        postern_buf_add(&a, r.a.digested[i]);
    read_action(&r, ADAPTER_CLIENT, CALL("tools/call", "{\"name\":\"x\",\"_meta\":{\"progressToken\":\"13\"},\"arguments\":{}}"));
    assert_int_equal(r.a.digested_count, 2);
    for (size_t i = 0; i < r.a.digested_count; i++)
        postern_buf_add(&b, r.a.digested[i]);
    assert_string_equal(postern_buf_cstr(&a), postern_buf_cstr(&b));
    assert_string_equal(postern_buf_cstr(&a), "{\"name\":\"x\",\"_meta\":{\"progressToken\":},\"arguments\":{}}");
    close_reading(&r);
}

/* As `postern audit digest --json-args PARAMS mcp:tools/call` makes it. */
static void the_digest_of_a_call_is_of_its_params_as_they_came(void **state)
{
    static const char *const params[] = {
        "{\"name\":\"x\",  \"arguments\":{\"a\" : 1}}",
        "{\"name\":\"x\",\"arguments\":{\"_meta\":{\"progressToken\":1}}}",
        "{\"name\":\"x\",\"_meta\":{\"progressToken\":{\"more\":\"than a number\"}}}",
        "{\"name\":\"x\",\"_meta\":{\"progressToken\":null}}",
    };
    struct reading r;
    char line[300];

    (void)state;
    open_reading(&r);
    for (size_t i = 0; i < COUNT(params); i++) {
        snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":%s}",
                 params[i]);
        read_action(&r, ADAPTER_CLIENT, postern_bytes_str(line));
        assert_int_equal(r.a.digested_count, 1);
        assert_true(postern_bytes_equal_str(r.a.digested[0], params[i]));
    }
    read_action(&r, ADAPTER_CLIENT, LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"));
    assert_int_equal(r.a.digested_count, 0);
    close_reading(&r);
}

/* ---- URIs ---- */

static void a_uri_of_two_spellings_is_not_plain(void **state)
{
    static const struct { const char *uri; bool want; } cases[] = {
        { "file:///srv/reports/q3.csv", true }, { "file:///srv/my%20report", true },
        { "file:///srv/m%C3%BCller", true },    { "https://example.org:8443/a?b=c#d", true },
        { "demo://resource/{id}", true },       { "postgres://db/sales", true },
        { "urn:isbn:0451450523", true },        { "plain", true },
        { "file:///a..b/.c", true },            { "https://h/a,b", true },
        { "https://h/a%2Cb", true },            { "file:///srv/a%23b", true },
        { "", false },                          { "file:///srv/../etc/passwd", false },
        { "file:///srv/.", false },             { "file:///srv/..", false },
        { "file:///srv/%2e%2e/etc", false },    { "file:///srv/%2E%2E/etc", false },
        { "file:///srv%2Fetc", false },         { "file:///srv%5Cetc", false },
        { "file:///%73rv", false },             { "file:///srv\\..\\etc", false },
        { "file:////etc/passwd", false },       { "file:///srv//x", false },
        { "file://localhost/etc", false },      { "FILE:///etc", false },
        { "File:///etc", false },               { "https://EXAMPLE.org/", false },
        { "file:///srv/a%2Cb", false },         { "file:///a%00b", false },
        { "file:///a b", false },               { "file:///a\tb", false },
        { "file:///a%2", false },               { "file:///a%zz", false },
        { "file:///a%c3", false },              { "file:///m\xC3\xBCller", false },
        { "x:..", false },                      { "../etc/passwd", false },
        { "a?p=..", false },                    { "\x7F", false },
        { "file:///a\"", false },               { "file:///a%22", true },
        { "file:///<a", false },                { "file:///a>", false },
        { "file:///a^", false },                { "file:///a`", false },
        { "file:///a|b", false },               { "file:///a%7Cb", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (mcp_uri_is_plain(postern_bytes_str(cases[i].uri)) != cases[i].want)
            fail_msg("%s", cases[i].uri);
}

/* What a browser's parser reads as another one, and so a server on Node. */
static void a_place_has_one_spelling(void **state)
{
    static const struct { const char *uri; bool want; } cases[] = {
        { "http://169.254.169.254/latest", true },  { "http://169.254.169.254:8080/", true },
        { "https://example.org/", true },           { "https://h:80/", true },
        { "http://h:443/", true },                  { "http://h:8000/", true },
        { "ws://h/x", true },                       { "wss://h/x", true },
        { "ftp://h/x", true },                      { "http://[::1]/", true },
        { "http://[2001:db8::1]:8080/a", true },    { "http://a.b-c_d.e/", true },
        { "http://x1/", true },                     { "http://1.x/", true },
        { "http://0xg/", true },                    { "https://{tenant}.example.org/a", true },
        { "https://h/a@b", true },                  { "https://h/a:80", true },
        { "httpx:/h", true },                       { "demo://h.", true },
        { "postgres://u@db/sales", true },          { "files:etc", true },
        /* slashes */
        { "file:/etc/passwd", false },              { "file:etc/passwd", false },
        { "file:", false },                         { "file://", false },
        { "file://?x", false },                     { "file://etc/passwd", false },
        { "http:/169.254.169.254/latest", false },  { "http:169.254.169.254/latest", false },
        { "http:///169.254.169.254/latest", false }, { "http:////169.254.169.254/", false },
        { "https:h/", false },                      { "ws:h/", false },
        { "wss:/h/", false },                       { "ftp:h/", false },
        { "http:", false },                         { "http://", false },
        { "http:\\\\h\\", false },                  { "http:/\\h/", false },
        { "HTTP:/h/", false },                      { "Http://h/", false },
        /* a path */
        { "http://h", false },                      { "http://h?a", false },
        { "http://h#a", false },                    { "http://h?a/b", false },
        { "http://h#a/b", false },                  { "http://h:8080", false },
        /* who */
        { "http://x@169.254.169.254/", false },     { "http://@h/", false },
        { "http://x:y@h/", false },                 { "http://h@/", false },
        /* ports */
        { "http://169.254.169.254:80/", false },    { "https://h:443/", false },
        { "ws://h:80/", false },                    { "wss://h:443/", false },
        { "ftp://h:21/", false },                   { "http://h:/", false },
        { "http://h:080/", false },                 { "http://h:08080/", false },
        { "http://h:8080:/", false },               { "http://h:x/", false },
        { "http://h:65616/", false },               { "http://h:65535/", true },
        { "http://h:4294967376/", false },          { "http://h:18446744073709551696/", false },
        { "http://h:0/", false },                   { "http://:8080/", false },
        { "http://[::1]:80/", false },              { "http://[::1]:/", false },
        /* names */
        { "http://169.254.169.254./", false },      { "http://h./", false },
        { "http://h.:8080/", false },               { "http://H/", false },
        { "http://%68/", false },                   { "http://h%20/", false },
        { "http://169.254.169%2E254/", false },     { "http://[::1]x/", false },
        /* addresses */
        { "http://2852039166/", false },            { "http://0xa9fea9fe/", false },
        { "http://169.254.43518/", false },         { "http://169.16689662/", false },
        { "http://0251.254.169.254/", false },      { "http://0xa9.0xfe.0xa9.0xfe/", false },
        { "http://169.254.169.0xfe/", false },      { "http://169.254.169.0254/", false },
        { "http://127.1/", false },                 { "http://0/", false },
        { "http://0x/", false },                    { "http://1.2.3.256/", false },
        { "http://1.2.3.4.5/", false },             { "http://[::ffff:169.254.169.254]/", false },
        { "http://[::ffff:a9fe:a9fe]/", false },    { "http://[::a9fe:a9fe]/", false },
        { "http://[0:0:0:0:0:0:0:1]/", false },     { "http://[::01]/", false },
        { "http://[2001:DB8::1]/", false },         { "http://[::1%25lo]/", false },
        { "http://[::1/", false },                  { "http://[]/", false },
        { "http://::1/", false },                   { "http://[127.0.0.1]/", false },
        { "http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]/", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (mcp_uri_is_plain(postern_bytes_str(cases[i].uri)) != cases[i].want)
            fail_msg("%s", cases[i].uri);
}

/* ---- memory ---- */

static postern_err read_once(void *arg, postern_error *err)
{
    POSTERN_AUTO_JSON j = { .nodes_max = POSTERN_JSON_NODES_LARGE };
    POSTERN_AUTO_BUF room = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX);
    struct mcp_message m;
    struct mcp_said said;
    struct adapter_action a;

    POSTERN_TRY(mcp_message_read(*(const postern_bytes *)arg, &j, &room, &m, err));
    assert_int_equal(m.kind, MCP_REQUEST);
    if (!mcp_action_read(&m, ADAPTER_CLIENT, &room, &said, &a))
        return POSTERN_FAIL(err, NOMEM, "room");
    assert_non_null(a.name);
    return POSTERN_OK;
}

static void without_memory_nothing_is_a_message(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(4000);
    postern_bytes line;

    (void)state;
    postern_buf_add_str(&b, "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0061\",\"method\":\"tools/call\",\"params\":{\"name\":\"\\u0062\",\"arguments\":{");
    for (int i = 0; i < 30; i++)
        postern_buf_addf(&b, "\"k\\u0065y%d\":0,", i);
    postern_buf_add_str(&b, "\"x\":0}}}");
    line = postern_buf_bytes(&b);
    assert_true(alloc_fail_sweep(read_once, &line, POSTERN_OK) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_sorted),
        cmocka_unit_test(what_two_readers_could_read_in_two_ways_is_no_message),
        cmocka_unit_test(twins_are_found_among_many_names),
        cmocka_unit_test(ids_are_one_when_kind_and_value_are),
        cmocka_unit_test(every_method_has_a_name_and_what_it_touches),
        cmocka_unit_test(what_nobody_can_name_has_no_name),
        cmocka_unit_test(a_purpose_is_taken_when_it_is_plain_text),
        cmocka_unit_test(the_digest_is_of_everything_but_the_progress_token),
        cmocka_unit_test(the_digest_of_a_call_is_of_its_params_as_they_came),
        cmocka_unit_test(a_uri_of_two_spellings_is_not_plain),
        cmocka_unit_test(a_place_has_one_spelling),
        cmocka_unit_test(without_memory_nothing_is_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
