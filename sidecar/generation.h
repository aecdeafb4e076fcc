/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One configuration at work: its listeners, files and children.  A reload makes a second one
 * beside the first; the supervisor decides which serves.  Everything here runs in the
 * supervisor.
 */
#ifndef POSTERN_SIDECAR_GENERATION_H
#define POSTERN_SIDECAR_GENERATION_H

#include "audit/tally_memory.h"
#include "door/rates_memory.h"
#include "audit_secrets.h"
#include "child.h"
#include "door_set.h"
#include "issuer_clients.h"
#include "login_policies.h"
#include "listen.h"
#include "spawn_set.h"

typedef enum generation_state {
    GENERATION_STARTING = 0, /* until each child has said "ready" once */
    GENERATION_SERVING,
    GENERATION_RETIRING      /* its children drain */
} generation_state;

struct generation {
    struct generation *next; /* the one before it, still draining */
    /* Who holds the lasting children (audit, door) now; NULL: this one. */
    struct generation *keeper;
    generation_state   state;
    bool               has_failed; /* a child ended or broke the rules while STARTING */
    bool               door_is_awaited;  /* the keeper's door was sent this configuration */
    pid_t              asked_pid;        /* that one; another, started meanwhile, knows nothing */
    bool               door_is_prepared; /* and can use it */
    int64_t            door_due_ms;      /* has said so by then */
    bool               is_draining, is_killed;
    postern_config    *config;
    struct listeners   listeners;
    struct door_set    door_set;
    struct issuer_clients issuer_clients;
    struct login_policies login_policies;
    struct spawn_set   spawn_set;
    size_t             loops;        /* of the door role, for as long as its process lives */
    int                audit_fd;
    int                checkpoint_file_fd; /* -1: none */
    struct audit_secrets audit_secrets;
    int                tally_fd; /* the same memory in all generations */
    struct tally_memory *tally;
    struct rates_memory *rates; /* likewise one */
    int                state_dir_fd; /* -1: no embedded issuer */
    int                blocks_dir_fd;
    log_target         log;
    int64_t            drain_ms;
    struct child       children[ROLE_COUNT];
};

/*
 * Open everything that a configuration needs outside its children; start nothing yet.
 *
 *   take_config   freed with the generation, and here on failure
 *   old           whose listeners are taken over where they are the same, and whose lasting
 *                 children go on; NULL at first
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
/* Read and answer everything that child `id` has sent.  newest: of all generations, perhaps `g`. */
void generation_receive(struct generation *g, role_id id, struct generation *newest,
                        int64_t now_ms);
/* Make the lines of one role anew: the issuer, for example, then tells every revocation again.
 * Nothing where it has no process. */
void generation_link(struct generation *g, role_id id, int64_t now_ms);
/* `g` serves from now on: the lasting children of its keeper become its own and work by its
 * configuration. */
void generation_take_over(struct generation *g, int64_t now_ms);
/* `g` will never serve: the keeper's door forgets what it prepared and works by what was before. */
void generation_give_up(struct generation *g, int64_t now_ms);
/* The process `pid` has ended; false: it is not of this generation. */
bool generation_note_end(struct generation *g, pid_t pid, int status, int64_t now_ms);

bool generation_is_ready(const struct generation *g); /* every child that it has */
bool generation_is_over(const struct generation *g);  /* no child is left */
bool generation_has_only_audit(const struct generation *g); /* or nothing */
/* Somebody may still be let in by what was before `g` (SERVING: its door has not confirmed its
 * settings) or by `g` itself (RETIRING: one that answers callers has neither retired nor gone). */
bool generation_is_behind(const struct generation *g);
/* When the first of those children that were told so should have left; INT64_MAX: none was. */
int64_t generation_behind_due_ms(const struct generation *g);
/* Kill those that should have, and say so. */
void generation_end_who_is_behind(struct generation *g, int64_t now_ms);
/* All but audit, which writes what the others say last. */
void generation_drain(struct generation *g, int64_t now_ms);
void generation_kill(struct generation *g);

#endif
