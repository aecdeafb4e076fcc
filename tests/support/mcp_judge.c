/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the MCP adapter makes of lines: each line of standard input in a session of its own,
 * everything allowed.  One line of JSON for each: {"sent":false}, or what it was judged as
 * {"sent":true,"method", "resource","args"}; "resource" is left out where it is not known.  Then
 * what json-c reads in the line that was sent, {"c_method","c_name"}, for the third opinion.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <postern-private/json.h>

#include "mcp_rig.h"

#define LINE_MAX_BYTES 65536

static const char *text_of(struct json_object *o, const char *name)
{
    struct json_object *member = NULL;

    return json_object_object_get_ex(o, name, &member) &&
                   json_object_is_type(member, json_type_string)
               ? json_object_get_string(member)
               : NULL;
}

static void put_third_opinion(const char *line, postern_json_writer *w)
{
    struct json_object *o = json_tokener_parse(line), *params = NULL;

    postern_json_put_str(w, "c_method", text_of(o, "method"));
    if (json_object_object_get_ex(o, "params", &params))
        postern_json_put_str(w, "c_name", text_of(params, "name"));
    json_object_put(o);
}

static void judge(const char *line)
{
    static struct mcp_rig rig;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4 * LINE_MAX_BYTES);
    postern_json_writer w = { &out, false };
    const struct mcp_rig_action *a;
    const char *sent;

    if (!mcp_rig_open(&rig, "door"))
        exit(2);
    mcp_rig_say(&rig, ADAPTER_CLIENT, line);
    sent = mcp_rig_heard(&rig, ADAPTER_BACKEND);
    a = mcp_rig_last(&rig);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "sent", sent[0] != '\0');
    if (sent[0] != '\0' && a != NULL) {
        if (strncmp(sent, line, strlen(line)) != 0 || strcmp(sent + strlen(line), "\n") != 0)
            exit(3); /* it is not what came */
        postern_json_put_str(&w, "method", a->name);
        if (strcmp(a->resource, "?") != 0)
            postern_json_put_string(&w, "resource", postern_bytes_str(a->resource));
        postern_json_put_str(&w, "args", a->args);
        put_third_opinion(line, &w);
    }
    postern_json_close_object(&w);
    (void)printf("%s\n", postern_buf_cstr(&out));
    mcp_rig_close(&rig);
}

int main(void)
{
    static char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t len = strlen(line);

        if (len == 0 || line[len - 1] != '\n')
            return 2; /* NUL or too long: not for this test */
        line[len - 1] = '\0';
        judge(line);
    }
    return 0;
}
