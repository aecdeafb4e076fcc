/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records on their way to the audit child: one list, in the order they were sent, which is the order of
 * their ids and of their deadlines, and how many of them are what.  Sends and calls nothing; line.c only.
 */
#ifndef POSTERN_SIDECAR_AUDIT_FLIGHTS_H
#define POSTERN_SIDECAR_AUDIT_FLIGHTS_H

#include <sys/queue.h>

#include "line.h"

typedef enum flight_state {
    FLIGHT_HELD = 0,  /* not sent, or to be sent again */
    FLIGHT_SENT,
    FLIGHT_RELEASING, /* sent in a stream: `done` is about to be called */
    FLIGHT_UNWRITTEN  /* a fact that could not be written: held for AUDIT_RETRY_MS */
} flight_state;

struct flight {
    TAILQ_ENTRY(flight) entry;
    TAILQ_ENTRY(flight) releasing;
    int64_t id;
    int64_t due_ms;  /* monotonic */
    audit_done done; /* NULL: nobody waits (any more) */
    void *arg;
    flight_state state;
    bool is_fact, was_released; /* the latter: a fact since its stream released it */
    postern_buf text; /* the record: of a fact until it is confirmed; of others until they are sent */
};
TAILQ_HEAD(flight_list, flight);

struct flights {
    struct flight_list list, releases; /* the latter: FLIGHT_RELEASING */
    size_t count, fact_count; /* all; those of them that are facts */
    size_t awaited_count, releasing_count; /* of the others */
    size_t released_count, unwritten_count; /* of the facts */
    int64_t last_id;
};

void flights_init(struct flights *x); /* of zeroed memory */
/* Behind all others, with the next id. */
void flights_add(struct flights *x, struct flight *take_f);
void flights_free_one(struct flights *x, struct flight *f);
void flights_set_state(struct flights *x, struct flight *f, flight_state state);
/* Its stream has released it: what was a decision has happened. */
void flights_make_fact(struct flights *x, struct flight *f);
/* The first `count` that could not be written are to be sent again. */
void flights_hold_unwritten(struct flights *x, size_t count);

/* Those that are no facts. */
size_t flights_decisions(const struct flights *x);
/* The first that fails with its line, or by its time-out; NULL: there is none. */
struct flight *flights_find_decision(const struct flights *x);
/* One that is at the audit child; NULL: it timed out before. */
struct flight *flights_find(struct flights *x, int64_t id);
/* It, or the first of those just before it that are held. */
struct flight *flights_first_of(struct flight *f);
/* How many from `f` on may go in one message. */
size_t flights_count_run(const struct flight *f);
bool flights_are_facts(const struct flight *f, size_t count);

#endif
