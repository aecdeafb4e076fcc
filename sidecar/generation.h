/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One configuration at work: its listeners, files and children.  A reload makes a second one
 * beside the first; the supervisor decides which serves.  Everything here runs in the
 * supervisor.
 */
#ifndef POSTERN_SIDECAR_GENERATION_H
#define POSTERN_SIDECAR_GENERATION_H

#include "child.h"
#include "listen.h"

typedef enum generation_state {
    GENERATION_STARTING = 0, /* until each child has said "ready" once */
    GENERATION_SERVING,
    GENERATION_RETIRING      /* its children drain */
} generation_state;

struct generation {
    struct generation *next; /* the one before it, still draining */
    generation_state   state;
    bool               has_failed; /* a child ended or broke the rules while STARTING */
    postern_config    *config;
    struct listeners   listeners;
    int                audit_fd;
    int                state_dir_fd; /* -1: no embedded issuer */
    log_target         log;
    int64_t            drain_ms;
    int64_t            linked_ms;    /* issuer and helper were connected last */
    int64_t            link_due_ms;  /* and will be again; INT64_MAX: no reason */
    struct child       children[ROLE_COUNT];
};

/*
 * Open everything that a configuration needs outside its children; start nothing yet.
 *
 *   take_config   freed with the generation, and here on failure
 *   old           whose listeners are taken over where they are the same; NULL at first
 *   roles         ROLE_COUNT of them, static
 *   ret           freed with generation_free()
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE, CONFIG_FILE, CONFIG_CONFLICT · SYSTEM · NOMEM
 */
POSTERN_MUST_USE postern_err generation_new(postern_config *take_config,
                                            const struct generation *old, const struct role *roles,
                                            int64_t now_ms, struct generation **ret,
                                            postern_error *err);
/* Judge what generation_new() would, as far as that changes nothing: posternd --check. */
POSTERN_MUST_USE postern_err generation_check(const postern_config *c, const struct role *roles,
                                              postern_error *err);
/* Its children have ended. */
void generation_free(struct generation *g);

/* Log what an administrator wants to know at start: relaxed settings, users, sockets, audit
 * file. */
void generation_log(const struct generation *g);

/* Start, give up or kill whatever is due. */
void generation_run_due(struct generation *g, int64_t now_ms);
/* When generation_run_due() wants to be called again; INT64_MAX: never. */
int64_t generation_next_due_ms(const struct generation *g);
/* Read and answer everything that child `id` has sent. */
void generation_receive(struct generation *g, role_id id, int64_t now_ms);
/* Connect issuer and helper anew, if both run: the issuer then tells the helper every revocation
 * again. */
void generation_link(struct generation *g, int64_t now_ms);
/* The process `pid` has ended; false: it is not of this generation. */
bool generation_note_end(struct generation *g, pid_t pid, int status, int64_t now_ms);

bool generation_is_ready(const struct generation *g); /* every child that it has */
bool generation_is_over(const struct generation *g);  /* no child is left */
void generation_drain(struct generation *g, int64_t now_ms);
void generation_kill(struct generation *g);

#endif
