/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one side of a session asked for: from the line that was read to its verdict, and a request
 * from there to its answer.  One table a side; its ids are that side's own.
 */
#ifndef POSTERN_ADAPTERS_MCP_CALLS_H
#define POSTERN_ADAPTERS_MCP_CALLS_H

#include "mcp_message.h"

/* Bytes of lines of one side that wait for their verdict: two messages of the largest size, and the
 * approvals of a busy hour. */
#define MCP_WAITING_MAX (4 * (size_t)ADAPTER_MESSAGE_MAX)
#define MCP_TOOL_DIGEST 32
/* Ids of one side that were cancelled, forgotten and never answered: 128 KiB.  With one more the
 * session ends, to which in its life nobody but a flood comes. */
#define MCP_FORGOTTEN_MAX 16384

typedef enum mcp_call_state {
    MCP_CALL_JUDGED = 0, /* waits for settle() */
    MCP_CALL_HELD,       /* settle() said that it waits */
    MCP_CALL_SENT,       /* a request that is with the other side */
    MCP_CALL_GONE        /* its asker cancelled it: no answer is owed */
} mcp_call_state;

struct mcp_call {
    struct mcp_call *older;
    uint64_t number; /* adapter_action.id */
    mcp_call_state state;
    bool was_sent;    /* GONE: an answer may still come */
    bool has_id;      /* id is set */
    bool is_answered; /* a request, or what is no message: an error answers a refusal */
    struct mcp_id id; /* its raw points into this block */
    int code;         /* not 0: never sent, whatever the verdict; JSON-RPC's error */
    const char *why;  /* static */
    bool is_initialize;
    bool is_changed; /* the tool says of itself what nobody approved */
    uint8_t tool_now[MCP_TOOL_DIGEST];
    int64_t rows_max, bytes_max;
    size_t line_len, tool_len;
    uint8_t *line; /* with its LF; NULL once it was sent or dropped */
    uint8_t *tool; /* its name, where it is_changed */
    uint8_t id_raw[MCP_ID_MAX];
};

struct mcp_calls {
    struct mcp_call *newest;
    size_t count, waiting; /* calls; bytes of their lines */
    /* Hashes of ids that were with the other side when they were forgotten: an answer may still come, and
     * must not be taken for that of a later call of the same id. */
    uint64_t *forgotten;
    size_t forgotten_count, forgotten_room;
};

/* Is there room for one more of so many bytes?  Makes it where one that is GONE can be forgotten.
 */
bool mcp_calls_have_room(struct mcp_calls *c, size_t line_len);
/* There never will be, for want of answers to what was cancelled. */
bool mcp_calls_are_flooded(const struct mcp_calls *c);
/* Is this the id of a call whose answer may still come? */
bool mcp_calls_expect(const struct mcp_calls *c, const struct mcp_id *id);
/* The answer to one that was forgotten, perhaps, has come. */
void mcp_calls_note_late(struct mcp_calls *c, const struct mcp_id *id);
/* What has that id and is not over; NULL: nothing. */
struct mcp_call *mcp_calls_by_id(const struct mcp_calls *c, const struct mcp_id *id);
struct mcp_call *mcp_calls_by_number(struct mcp_calls *c, uint64_t number);
/* A new one, JUDGED, with copies of m's line and id and an LF behind the line; NULL: no memory. */
struct mcp_call *mcp_calls_add(struct mcp_calls *c, const struct mcp_message *m, uint64_t number);
/* Its line is not needed any more. */
void mcp_calls_drop_line(struct mcp_calls *c, struct mcp_call *call);
void mcp_calls_remove(struct mcp_calls *c, struct mcp_call *call);
/* Does somebody wait for something? */
bool mcp_calls_are_quiet(const struct mcp_calls *c);
void mcp_calls_clear(struct mcp_calls *c);

#endif
