/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has to be fetched once for everybody who waits for it: one HTTP exchange after another until
 * a job is done.  It belongs to no operation; each one that waits steps it, so there is no leader
 * to lose.  Locks inside.  Knows no keys and no tokens; key_fetch.c, discovery.c and
 * introspection_call.c bring jobs.
 */
#ifndef POSTERN_LIB_FETCH_H
#define POSTERN_LIB_FETCH_H

#include "http/http.h"

/* A fetch that nobody waits for any more is taken up by who comes next; after so long without a
 * step he begins anew, because the server has seen a client that fell silent. */
#define POSTERN_FETCH_ABANDONED_MS 1000

struct fetch; /* refcounted, thread-safe */

/* A job's memory is the fetch's.  ask() and take() are called with its lock held, never two at
 * once. */
struct fetch_kind {
    const char *name;
    /* What to ask next.  Texts and bytes in rq are borrowed until take() or the end; deadline_ms is
     * filled in by the fetch. */
    postern_err (*ask)(void *job, struct postern_http_request *rq, postern_error *err);
    /* OK: done · AGAIN: there is more to ask · a failure, which is the fetch's. */
    postern_err (*take)(void *job, const struct postern_http_response *r, postern_error *err);
    void (*free)(void *job); /* wipes what is secret; not of NULL */
};

/*
 * Nothing is sent before the first step.
 *   take_job      freed with the fetch, also on failure
 *   transport     must outlive the fetch
 *   deadline_ms   of all exchanges together
 *   POSTERN_OK · NOMEM · SYSTEM
 */
POSTERN_MUST_USE postern_err postern_fetch_new(const struct fetch_kind *kind, void *take_job,
                                               const postern_http_transport *transport,
                                               const postern_clock *clock, int deadline_ms,
                                               struct fetch **ret, postern_error *err);
struct fetch *postern_fetch_ref(struct fetch *f);
void postern_fetch_free(struct fetch *f); /* one reference; the last one cancels; NULL is fine */
/*
 * As far as it gets.  A verdict is final and the same for everybody who asks.
 *   POSTERN_OK · AGAIN · what the transport or the job said · TIMEOUT
 */
POSTERN_MUST_USE postern_err postern_fetch_step(struct fetch *f, postern_error *err);
/* The job, when the verdict is there: nobody changes it any more.  NULL before. */
void *postern_fetch_job(struct fetch *f);
/* Readable when a step has work, and for good once there is a verdict; the fetch's own. */
int postern_fetch_fd(const struct fetch *f);
int postern_fetch_wait_ms(struct fetch *f); /* 0 or more */
/* For its owner, who has one reference, and under whose lock others are given out: no verdict, nobody
 * else has one, and the last step was long ago. */
bool postern_fetch_is_abandoned(struct fetch *f);

#endif
