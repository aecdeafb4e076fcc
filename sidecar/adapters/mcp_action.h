/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What somebody wants who sends a request or notification: its method, what that touches, and with
 * which arguments.  postern-mcp(7) has the table for people.
 */
#ifndef POSTERN_ADAPTERS_MCP_ACTION_H
#define POSTERN_ADAPTERS_MCP_ACTION_H

#include "mcp_message.h"

#define MCP_PURPOSE_MAX 257 /* bytes with NUL: as long as a token's */
/* MCP 2026-07-28, basic: the revision is not spoken here. */
#define MCP_UNSUPPORTED_VERSION (-32022)
#define MCP_PURPOSE_KEY         "postern/purpose"

/* What an action points to; views into the line or `room`. */
struct mcp_said {
    postern_bytes resource;
    postern_bytes digested[2];
    char purpose[MCP_PURPOSE_MAX];
};

/*
 * The action of a REQUEST or NOTIFICATION.  One that says what nobody can be sure of gets m->code
 * and m->why, and an action without a name.
 *
 *   ret    number and can_wait are the caller's
 *   room   for unescaped text; not reset
 *   False: memory (room->failed).
 */
bool mcp_action_read(struct mcp_message *m, enum adapter_side from, postern_buf *room,
                     struct mcp_said *said, struct adapter_action *ret);

/* Revisions that are spoken here, the newest first; NULL ends the list. */
extern const char *const mcp_versions[];
bool mcp_is_version(const postern_json *j, uint32_t node);

/* Does a URI name what it says, in the one spelling that a rule can be about?  mcp_uri.c */
bool mcp_uri_is_plain(postern_bytes uri);

#endif
