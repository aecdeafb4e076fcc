/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the control protocol, read strictly, and who may send which (postern-control(7)).
 * Pure. */
#ifndef POSTERN_CONTROL_REQUEST_H
#define POSTERN_CONTROL_REQUEST_H

#include "blocks_text.h"

/* Bytes: the longest name with every byte escaped, and room. */
#define CONTROL_REQUEST_MAX 16384
#define CONTROL_NAME_MAX    1025 /* bytes with NUL: POSTERN_IDENTITY_MAX */
#define CONTROL_ID_MAX      65   /* of a session's public id, of a door's name */
/* Seconds: ten years.  What is meant to last longer has no end. */
#define CONTROL_BLOCK_FOR_MAX_S 315360000

typedef enum control_verb {
    CONTROL_VERB_NONE = 0,
    CONTROL_SESSIONS,
    CONTROL_KILL,
    CONTROL_BLOCK,
    CONTROL_UNBLOCK,
    CONTROL_BLOCKS,
    CONTROL_STATUS,
    CONTROL_HELD,
    CONTROL_APPROVE,
    CONTROL_DENY,
    CONTROL_VERBS
} control_verb;

typedef enum control_role {
    CONTROL_NOBODY = 0, /* whom no list names */
    CONTROL_WATCHER,    /* control_watchers: may look */
    CONTROL_ADMIN,      /* control_admins: may change */
    CONTROL_ROLES
} control_role;

/* The one table of rights: what is not in it is not allowed.  Anybody may ask to approve or deny: the
 * rule that holds an action says who may. */
bool control_may(control_role role, control_verb verb);
const char *control_verb_name(control_verb verb); /* as in a request; "none" */
const char *control_role_name(control_role role); /* "admin" "watcher" "nobody" */

struct control_request {
    control_verb verb;
    char agent[CONTROL_NAME_MAX]; /* block, unblock: whom; sessions: filter, "" all */
    char door[CONTROL_ID_MAX];    /* filter */
    char user[CONTROL_NAME_MAX];  /* filter */
    char after[CONTROL_ID_MAX];   /* sessions, held: id or reference of the last one seen */
    const char *by;               /* kill: static, "session" "sub" "client" "jti" "agent" */
    char value[CONTROL_NAME_MAX]; /* kill: whose */
    char ref[CONTROL_ID_MAX];     /* approve, deny: what is held */
    char reason[POSTERN_BECAUSE_MAX];
    int64_t for_s; /* block: seconds from now, 0 without end */
    int64_t from;  /* blocks: how many to leave out */
};

/*
 * A member that no verb knows, or that this verb does not take, is refused: a typing mistake must
 * not end the wrong sessions.
 *   POSTERN_OK · POSTERN_ERR_MALFORMED (detail: for the administrator) · POSTERN_ERR_LIMIT ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err control_request_parse(postern_bytes line, struct control_request *ret,
                                                   postern_error *err);

#endif
