/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line of an MCP session, read strictly: what cannot be read in one way only by every parser is
 * no message.  JSON-RPC 2.0 §4, §5; the framing is that of MCP's stdio transport.
 */
#ifndef POSTERN_ADAPTERS_MCP_MESSAGE_H
#define POSTERN_ADAPTERS_MCP_MESSAGE_H

#include <postern-private/json.h>

#include "adapter.h"

/* Bytes of a request's id, as written: SDKs count, or send a UUID. */
#define MCP_ID_MAX 256
/* Bytes with NUL of why a line is no message. */
#define MCP_WHY_MAX 120

/* JSON-RPC 2.0 §5.1. */
#define MCP_PARSE_ERROR      (-32700)
#define MCP_INVALID_REQUEST  (-32600)
#define MCP_METHOD_NOT_FOUND (-32601)
#define MCP_INVALID_PARAMS   (-32602)

typedef enum mcp_kind {
    MCP_UNSOUND = 0, /* `code` and `why` say what to answer */
    MCP_BLANK,       /* nothing but blanks */
    MCP_NOISE,       /* begins with neither { nor [: no reader takes it for a message */
    MCP_REQUEST,
    MCP_NOTIFICATION,
    MCP_RESULT,
    MCP_ERROR
} mcp_kind;

/* Two ids are one when their kind and value are equal; 1 and "1" are two. */
struct mcp_id {
    postern_bytes raw; /* as it was written; ptr NULL: there is none */
    bool is_string;
    size_t value_len;
    uint8_t value[MCP_ID_MAX]; /* a string's without its escapes */
};

/* Views into the line, the index of its JSON, and `room`: valid until the next mcp_message_read().
 */
struct mcp_message {
    mcp_kind kind;
    int code;
    const char *why; /* printable ASCII */
    postern_bytes line;
    const postern_json *json;
    struct mcp_id id; /* of an UNSOUND one where it is sure */
    /* Nodes; ABSENT: there is none. */
    uint32_t method, params, result, error;
};

/*
 * Read one line, its LF left off.
 *
 *   j      its nodes_max is the caller's
 *   room   for unescaped text; reset
 *   POSTERN_OK (also for what is no message: ret->kind) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err mcp_message_read(postern_bytes line, postern_json *j,
                                              postern_buf *room, struct mcp_message *ret,
                                              postern_error *err);

bool mcp_id_equal(const struct mcp_id *a, const struct mcp_id *b);
/* A string or canonical integer of at most MCP_ID_MAX bytes.  False: it is none, or memory
 * (room->failed). */
bool mcp_id_read(const postern_json *j, uint32_t node, postern_buf *room, struct mcp_id *ret);

/*
 * Names that some readers take for one: letters in another case, and the few characters that fold
 * to an ASCII letter (Go's encoding/json matches members so).
 */
/* Does a member's name match one of `names` (NULL ends the list) but for its case?  Then nobody
 * knows who reads it.  An object or anything else; memory: room->failed. */
bool mcp_has_near_name(const postern_json *j, uint32_t object, const char *const *names,
                       postern_buf *room);
/* Do two members of one object differ by case alone? */
bool mcp_has_twins(const postern_json *j, uint32_t object, postern_buf *room);

#endif
