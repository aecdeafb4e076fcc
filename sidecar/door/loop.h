/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread of the door: its event base, its listeners, the connections and sessions on it.
 * Everything in here is touched by that thread alone, but for what is marked.
 */
#ifndef POSTERN_SIDECAR_DOOR_LOOP_H
#define POSTERN_SIDECAR_DOOR_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <event2/dns.h>
#include <event2/event.h>

#include <postern-private/args_digest.h>

#include "../audit/denials.h"
#include "../audit/line.h"
#include "../names.h"
#include "lease.h"
#include "limits.h"
#include "mailbox.h"
#include "program_start.h"
#include "registry.h"
#include "relay.h"
#include "settings.h"

/* Leases, time-outs and quiet moments are looked at so often: the precision of all of them. */
#define LOOP_TICK_MS 250
/* Connections accepted per wake-up: the loop serves those it has before it takes more. */
#define LOOP_ACCEPTS_PER_WAKE 64
/* Pause of accept(2) when descriptors or memory ran out. */
#define LOOP_ACCEPT_PAUSE_MS 100
/* What lasts, because strangers keep it so or an issuer is away: the log of all loops says it at most
 * this often. */
#define LOOP_LOG_MS 10000

struct conn;
struct session;
LIST_HEAD(conn_list, conn);
LIST_HEAD(session_list, session);
struct recheck;
TAILQ_HEAD(recheck_list, recheck);

/* Counters for /metrics; any thread. */
struct loop_counters {
    _Atomic uint64_t accepted, refused_early, proved, rejected, undecided, renewed, ended, revoked,
        rechecked, unheard;
};

/* What all loops share; thread-safe or immutable. */
struct door_process {
    struct registry *registry;
    struct limits   *limits;
    struct spawner_line *spawner;
    struct mailbox  *box; /* of the first thread */
    struct loop    **loops; /* all of them, from before the first accept on */
    size_t           loop_count;
    struct fingerprint_key fingerprint;
    /* One quota each, however many loops; denials_lock held. */
    struct denials  *denials, *agent_denials;
    pthread_mutex_t  denials_lock;
    struct args_digest_key args_key;
    bool                   has_args_key; /* without it no action is released */
    struct rates    *rates; /* how often agents did what */
    struct holds    *holds; /* what waits for approval */
    _Atomic int64_t  pause_logged_ms, unheard_logged_ms, unrecorded_logged_ms; /* 0: never */
};

/* Sessions that were judged and ended, by why. */
struct session_ends {
    size_t blocked, revoked, unfit; /* unfit: for the settings of now */
};

struct loop {
    size_t               index;
    struct door_process *process;
    pthread_t            thread;
    bool                 is_running;
    struct event_base   *base;
    struct evdns_base   *dns;
    struct relay_pool   *pool;
    struct mailbox      *box; /* any thread puts */
    struct audit_line   *audit;
    struct args_digest_maker *digests; /* of arguments; NULL: none was made yet */
    struct tally        *tally; /* NULL: nothing can be counted, everything is recorded */
    struct event        *tick, *resume;
    struct door_settings *settings; /* NULL: nothing is committed yet */
    struct event       **accepts;
    size_t               accept_count;
    bool                 is_accepting;
    int64_t              drain_end_ms; /* 0: not draining */
    bool                 has_drained;  /* and said so */
    struct conn_list     conns;
    struct session_list  sessions;
    struct recheck_list  rechecks; /* wait for their turn */
    struct event        *recheck_wake;
    const char          *recheck_busy_issuer; /* had no room in this round; NULL: none */
    size_t               session_count;
    struct session_ends  untold; /* ended between two rounds of judging: the next tells them too */
    size_t               sessions_before, session_peak; /* as of the last tick; since the last trim */
    uint64_t             last_conn_number;
    struct loop_counters counters; /* any thread reads */
    uint8_t              room[16384]; /* what is being read; wiped after each */
};

/* Make one; no thread yet.  POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err loop_new(struct door_process *process, size_t index,
                                      struct loop **ret, postern_error *err);
/* When all of the process are made.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err loop_start(struct loop *l, postern_error *err);
/* After a mail of loop_mail_stop(), or when it was never started: wait for its end. */
void loop_join(struct loop *l);
/* When all have ended and no box of theirs holds a mail, for mails of one go to another.  NULL is
 * fine. */
void loop_free(struct loop *l);

static inline struct loop *loop_at(const struct door_process *p, size_t index)
{
    return p->loops[index];
}
struct lease_clock loop_now(void);

/* ---- mails for a loop; any thread makes them ---- */

/* Whoever sends one thing to all loops learns when the last has done it. */
struct batch {
    atomic_size_t left;
    atomic_size_t killed; /* sessions that ended by it: of kills */
    atomic_size_t blocked, revoked, unfit; /* the same, of judgements */
    struct mailbox *reply_to;
    struct mail     reply;     /* delivered to reply_to when left is 0; frees the batch */
    int64_t         id;        /* for the sender */
    int             kind;      /* likewise */
    uint64_t        started_us;
};
/* By the receiver of each part, when it has counted what ended. */
void batch_finish(struct batch *b);

struct mail *loop_mail_settings(struct door_settings *take_settings, struct batch *b);
struct mail *loop_mail_judge(struct batch *b); /* every session, by the settings of now */
struct mail *loop_mail_audit(int take_fd);
struct mail *loop_mail_drain(int64_t drain_ms, struct batch *b); /* finished: no more logins come */
struct mail *loop_mail_stop(void);
/* End one session, without grace. */
struct mail *loop_mail_end(const char *session_id, const char *end, const char *because,
                           struct batch *b);

/* ---- for conn.c and session.c ---- */

void loop_want_audit_line(void *arg);
/* True once in LOOP_LOG_MS, whichever loop asks; *logged_ms is door_process's. */
bool loop_may_log(_Atomic int64_t *logged_ms);
/* Of a login or renewal, into the loop's counters. */
void loop_count_verdict(struct loop *l, postern_err code);
/* A place is free, or the last one has gone. */
void loop_note_end(struct loop *l);

#endif
