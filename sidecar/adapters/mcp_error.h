/* SPDX-License-Identifier: BSD-2-Clause */
/* The errors that an MCP door answers with (JSON-RPC 2.0 §5.1); postern-mcp(7) lists them. */
#ifndef POSTERN_ADAPTERS_MCP_ERROR_H
#define POSTERN_ADAPTERS_MCP_ERROR_H

#include "answer.h"
#include "mcp_message.h"

/* Of the codes that are an implementation's own: AuthZEN's MCP profile calls a denial -32001. */
#define MCP_DENIED    (-32001)
#define MCP_TOO_LARGE (-32003)
#define MCP_INTERNAL  (-32603)

/* One line.  `id` as it came, empty: null; `data` JSON, empty: none. */
void mcp_put_error(postern_bytes id, int code, const char *message, postern_bytes data,
                   postern_buf *out);
/* A refusal, with the object of answer.h as its data; `message` NULL: the refusal's own sentence.
 */
void mcp_put_denial(postern_bytes id, int code, const char *message, const struct adapter_denied *d,
                    postern_buf *out);
/* MCP_UNSUPPORTED_VERSION and the revisions that are spoken. */
void mcp_put_versions(postern_bytes id, postern_buf *out);

#endif
