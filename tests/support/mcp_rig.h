/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One session at the MCP adapter without a door around it: what each side sends is given to it,
 * each action is settled by a function of the test's, and what comes out is kept.
 */
#ifndef TESTS_SUPPORT_MCP_RIG_H
#define TESTS_SUPPORT_MCP_RIG_H

#include "adapters/adapter.h"

#define MCP_RIG_ACTIONS 64 /* the last ones; their ids count from 1 */
#define MCP_RIG_TEXT    160

/* An action as it was judged; texts are cut where they are longer. */
struct mcp_rig_action {
    uint64_t id;
    enum adapter_side from;
    char name[MCP_RIG_TEXT];     /* "": nobody can say */
    char resource[MCP_RIG_TEXT]; /* "?": not known */
    char args[MCP_RIG_TEXT];     /* the object as it came; "?": not known */
    char purpose[MCP_RIG_TEXT];
    char digested[2 * MCP_RIG_TEXT]; /* its pieces, a | between */
    bool has_unnamed, can_wait;
};

typedef enum mcp_rig_ruling {
    MCP_RIG_REFUSE = 0,
    MCP_RIG_RELEASE,
    MCP_RIG_HOLD,
    MCP_RIG_LATER /* mcp_rig_settle() */
} mcp_rig_ruling;

struct mcp_rig {
    const struct adapter *adapter;
    void *state;
    postern_buf to_client, to_backend;
    postern_buf in[2]; /* of each side, what was not used yet */
    adapter_step last; /* of the last read() */
    postern_error err; /* BROKEN */
    size_t action_count;
    struct mcp_rig_action *actions; /* MCP_RIG_ACTIONS */
    /* NULL: everything is released. */
    mcp_rig_ruling (*decide)(void *arg, const struct mcp_rig_action *a);
    /* NULL: everything may be seen. */
    bool (*may_see)(void *arg, const char *action, postern_bytes resource);
    void *arg;
    int64_t rows_max, bytes_max; /* of what is released */
    struct adapter_host host;
    size_t withdrawn_count; /* of actions that are wanted no more, and the last one's id */
    uint64_t withdrawn;
    size_t step; /* not 0: bytes come in pieces of so many */
};

/* A session of the door `door` behind its login and greeting; false: memory. */
bool mcp_rig_open(struct mcp_rig *r, const char *door);
void mcp_rig_close(struct mcp_rig *r);
/* Bytes from one side, dealt with as far as that goes. */
void mcp_rig_give(struct mcp_rig *r, enum adapter_side from, postern_bytes bytes);
/* The same, one message, its LF added. */
void mcp_rig_say(struct mcp_rig *r, enum adapter_side from, const char *message);
/* Both sides again: after something was settled. */
void mcp_rig_go_on(struct mcp_rig *r);
void mcp_rig_settle(struct mcp_rig *r, uint64_t id, mcp_rig_ruling ruling);
/* What is held once more, as the last action is kept.  False: nothing. */
bool mcp_rig_again(struct mcp_rig *r, uint64_t id, struct mcp_rig_action *ret);
void mcp_rig_goodbye(struct mcp_rig *r, postern_err code);
/* What has come out for a side since the last call; valid until the next. */
const char *mcp_rig_heard(struct mcp_rig *r, enum adapter_side by);
/* The last action; NULL: none yet. */
const struct mcp_rig_action *mcp_rig_last(const struct mcp_rig *r);

#endif
