/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to a backend that is a program (backend: exec:): the spawner child is asked for one, and
 * the leg is a socket to its standard input and output (sidecar/role.h).  Never blocks.
 */
#ifndef POSTERN_SIDECAR_DOOR_PROGRAM_START_H
#define POSTERN_SIDECAR_DOOR_PROGRAM_START_H

#include "upstream.h"

#define PROGRAM_START_MS UPSTREAM_CONNECT_MS /* the same person waits for the same login */

/* ---- the line to the spawner: one in a process, any thread ---- */

struct spawner_line;
/* Nobody is at its end yet.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err spawner_line_new(struct spawner_line **ret, postern_error *err);
/* Who is at its end from now on; what the one before was asked is answered by that one.
 *   fd   stays the caller's; -1: nobody */
void spawner_line_set(struct spawner_line *l, int fd);
void spawner_line_free(struct spawner_line *l); /* NULL is fine */

/* ---- one program ---- */

struct program_start;
/*
 * Ask for one.  owner.done is never called before this returns; its leg has no TLS.
 *
 *   door      which says what is started; nothing else of the request reaches the program
 *   session   id, for the log
 *   err of done   BACKEND, its detail saying what: not executable, too many, the spawner is gone
 *   POSTERN_OK · POSTERN_ERR_BACKEND (nobody can be asked) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err program_start_new(struct event_base *base, struct spawner_line *line,
                                               const char *door, const char *session,
                                               struct upstream_owner owner,
                                               struct program_start **ret, postern_error *err);
/* Cancels: a program that comes all the same is ended.  NULL is fine. */
void program_start_free(struct program_start *p);

#endif
