/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that would hold up the event loop (a password's hash takes a tenth of a second and 32 MiB),
 * done by a few threads, its end told on the loop.  Few, so that whoever floods the login page
 * takes neither the processors nor the memory of the machine.
 */
#ifndef POSTERN_ISSUER_WORK_H
#define POSTERN_ISSUER_WORK_H

#include <event2/event.h>

#include <postern/bytes.h>

#include "job.h"

#define WORK_THREADS 2
/* Waiting jobs: less than a second of patience; more is refused at once. */
#define WORK_QUEUE_MAX 8

struct work;
typedef void (*work_done)(void *arg);

/* Threads start with the first job.  POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err work_new(struct event_base *base, struct work **ret,
                                      postern_error *err);
/*
 * Run it; `done` is called on the loop, once, and the job is the caller's again then.
 * False: nothing was taken, there is too much to do (or no thread).
 */
POSTERN_MUST_USE bool work_submit(struct work *w, struct job *job, work_done done, void *arg);
/* `done` is not called for `arg` any more: its job is freed when it has run. */
void work_cancel(struct work *w, const void *arg);
/* Waits for the jobs that run; all are freed, nobody is told.  NULL is fine. */
void work_free(struct work *w);

#endif
