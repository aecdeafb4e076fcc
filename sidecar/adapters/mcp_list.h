/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of what a server has: an agent sees what it may use.  Whatever is not for it is cut out of
 * the bytes that came; nothing is written anew.
 */
#ifndef POSTERN_ADAPTERS_MCP_LIST_H
#define POSTERN_ADAPTERS_MCP_LIST_H

#include "../pins.h"
#include "mcp_message.h"

/*
 * The line of a RESULT, with its LF, without the tools, resources, templates and prompts that may
 * not be seen: whatever was asked, a result with such a list is one.
 *
 *   pins   what tools say of themselves is noted there; NULL: not
 *   out    untouched when nothing was cut
 *   room   for unescaped text
 *   True when something was cut, or out or room failed.
 */
bool mcp_list_cut(const struct mcp_message *m, const struct adapter_host *host, struct pins *pins,
                  postern_buf *room, postern_buf *out);
/*
 * Entries of a result: of its list, or of the content of what was called or read; 0: it has none.
 * Of what a tool says in structuredContent those of the largest array that stands in no other one;
 * servers say there again what content has as text, so the larger of both counts.
 */
int64_t mcp_list_rows(const struct mcp_message *m);
/* Is it clear to every reader which of these it holds?  Memory: room->failed. */
bool mcp_list_is_clear(const struct mcp_message *m, postern_buf *room);

#endif
