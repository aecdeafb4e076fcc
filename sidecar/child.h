/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One child process of one role: start it as its own user with its own descriptors, drain it,
 * note its end.  What the children say to each other is generation_messages.c's business.
 */
#ifndef POSTERN_SIDECAR_CHILD_H
#define POSTERN_SIDECAR_CHILD_H

#include <stdint.h>

#include "channel.h"
#include "log.h"
#include "role.h"
#include "users.h"

/* Audit first, because nobody decides without it; the issuer before those who read the key set that
 * it writes. */
typedef enum role_id {
    ROLE_AUDIT = 0,
    ROLE_ISSUER,
    ROLE_HELPER,
    ROLE_DOOR,
    ROLE_CONTROL,
    ROLE_SPAWNER,
    ROLE_COUNT
} role_id;

struct role {
    const char *name;      /* "issuer", "helper" … */
    const char *title;     /* of the process, at most 15 bytes (PR_SET_NAME) */
    const char *user_key;  /* setting that names its user */
    int (*main)(struct role_setup *setup);
    bool is_lasting;       /* one process over reloads (doc/decisions/0014) */
    unsigned needs;        /* sandbox_need */
    int ready_max_ms;      /* from its start, or a question, to its word */
};

typedef enum child_state {
    CHILD_NONE = 0, /* this configuration has no such role, or it is over */
    CHILD_WAITING,  /* no process; starts at due_ms */
    CHILD_STARTING, /* has not said "ready"; killed at due_ms */
    CHILD_READY,
    CHILD_DRAINING  /* was told to end; killed at due_ms */
} child_state;

struct child {
    const struct role *role;
    struct account     account;
    child_state        state;
    pid_t              pid;        /* 0: no process */
    struct channel    *channel;    /* NULL: none, or closed by the other end */
    int64_t            due_ms;     /* monotonic clock, as all times here */
    int64_t            ready_ms;   /* since when READY; 0: not yet */
    unsigned           backoff_ms; /* before the next start */
    int64_t            linked_ms;  /* its lines were made last */
    int64_t            link_due_ms; /* and will be again; INT64_MAX: no reason */
    bool               has_jwks_written;
    bool               is_retired; /* said that it takes nothing new any more */
    int64_t            leave_due_ms; /* told to leave the settings before; INT64_MAX: not told */
    /* Door: */
    unsigned           questions;    /* configurations that it has not answered yet */
    bool               is_committed; /* it was told to work by one */
    unsigned           commits;      /* told, and not confirmed yet */
};

/*
 * From "drain" or "commit" to leaving the settings before, mostly milliseconds.  Callers who hold
 * connections open and say nothing make an old issuer take 3 s of it, control 6 s (DRAIN_MAX_MS),
 * a helper 1 s: what takes much longer is no caller's doing.
 */
#define CHILD_LEAVE_MAX_MS 15000
#define CHILD_BACKOFF_MIN_MS 100
#define CHILD_BACKOFF_MAX_MS 10000
/* Lived this long: the next death is a new trouble, backoff begins anew. */
#define CHILD_STEADY_MS 10000

/*
 * Fork and run the role.  In the child this call does not return.
 *
 *   setup        everything but supervisor_fd
 *   descriptors  how many the role may need at one time
 *   POSTERN_OK (state STARTING) · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM (no process; state
 *   unchanged)
 */
POSTERN_MUST_USE postern_err child_start(struct child *c, const struct role_setup *setup,
                                         log_target log, size_t descriptors, int64_t now_ms,
                                         postern_error *err);
/* Tell it to finish what is in flight; it is killed after drain_ms.  Nothing when it drains
 * already or is none. */
void child_drain(struct child *c, int64_t now_ms, int64_t drain_ms);
void child_kill(struct child *c);
void child_close_channel(struct child *c);
/* It broke the rules: it is killed; its end is then noted like any other. */
void child_condemn(struct child *c, const char *why);
/* A message without members.  Who does not read it is condemned; nothing when its channel is closed. */
void child_tell(struct child *c, const char *type, int fd);
/* Its process has ended (waitpid's status): log it, forget it; the state becomes NONE. */
void child_note_end(struct child *c, int status);
/* Start it again after a backoff that doubles with each early death: state WAITING. */
void child_restart_later(struct child *c, int64_t now_ms);
/* "exited with status 1", "died of signal 9 (Killed)". */
const char *child_describe_end(int status, char *room, size_t room_size);

#endif
