/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request of an administrator, from its line to the answer: read, allowed, audited, done, told
 * to the children, answered.  Holds no socket; control_socket.c gives it a line and takes the
 * answer.  A change that was begun is finished whether or not anybody waits for the answer.
 */
#ifndef POSTERN_CONTROL_ACT_H
#define POSTERN_CONTROL_ACT_H

#include "control.h"
#include "peers.h"

/* A page of blocks, or of sessions with long names. */
#define CONTROL_REPLY_MAX 1048576
/* Sessions asked of the door at one time: with names of usual length they fit its one message. */
#define CONTROL_SESSIONS_PAGE 100
/* Held actions asked of the door at one time: some 900 bytes each. */
#define CONTROL_HELD_PAGE 50
/* Blocks in one answer: four values each, and a reader takes POSTERN_JSON_NODES_MAX. */
#define CONTROL_BLOCKS_PAGE 500
/* Bytes of them, behind which there is room for the longest one: names may be long URLs. */
#define CONTROL_BLOCKS_PAGE_LEN (CONTROL_REPLY_MAX / 2)

struct act;

/* Called once, as the last thing; `reply` is one JSON object, wiped afterwards; empty: no memory.
 */
typedef void (*act_done)(void *arg, postern_bytes reply);

/*
 * Take up a line (borrowed for the call).  act_start() may call `done` before it returns.
 *   NULL: out of memory or random numbers
 */
struct act *act_new(struct control *c, const struct peer *peer, control_role role,
                    postern_bytes line, act_done done, void *arg);
void act_start(struct act *a);
/* Nobody is called any more.  NULL is fine. */
void act_free(struct act *a);

/* Append {"ok":false,"error":…,"message":…}. */
void act_write_refusal(postern_buf *out, const char *error, const char *message);

#endif
