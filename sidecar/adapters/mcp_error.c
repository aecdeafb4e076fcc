/* SPDX-License-Identifier: BSD-2-Clause */
/* See mcp_error.h. */
#include "mcp_error.h"

#include "mcp_action.h"

void mcp_put_error(postern_bytes id, int code, const char *message, postern_bytes data,
                   postern_buf *out)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "jsonrpc", "2.0");
    postern_json_put_raw(&w, "id", id.len == 0 ? POSTERN_BYTES_LIT("null") : id);
    postern_json_open_object(&w, "error");
    postern_json_put_integer(&w, "code", code);
    postern_json_put_str(&w, "message", message);
    if (data.len != 0)
        postern_json_put_raw(&w, "data", data);
    postern_json_close_object(&w);
    postern_json_close_object(&w);
    postern_buf_add_byte(out, '\n');
}

void mcp_put_denial(postern_bytes id, int code, const char *message, const struct adapter_denied *d,
                    postern_buf *out)
{
    POSTERN_AUTO_BUF data = POSTERN_BUF_INIT(ANSWER_JSON_MAX);

    answer_put_refusal(d, message, &data);
    if (data.failed)
        out->failed = true;
    else
        mcp_put_error(id, code, answer_sentence(d->failure->code, message),
                      postern_buf_bytes(&data), out);
}

void mcp_put_versions(postern_bytes id, postern_buf *out)
{
    POSTERN_AUTO_BUF data = POSTERN_BUF_INIT(ANSWER_JSON_MAX);
    postern_json_writer w = { &data, false };

    postern_json_open_object(&w, NULL);
    postern_json_open_array(&w, "supported");
    for (const char *const *v = mcp_versions; *v != NULL; v++)
        postern_json_put_str(&w, NULL, *v);
    postern_json_close_array(&w);
    postern_json_close_object(&w);
    if (data.failed)
        out->failed = true;
    else
        mcp_put_error(id, MCP_UNSUPPORTED_VERSION, "Unsupported protocol version",
                      postern_buf_bytes(&data), out);
}
