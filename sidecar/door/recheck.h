/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking the issuer again about a live session (revocation_check:), by the token that it began or was
 * renewed with: when, and not all at once.  Ends nobody and knows no lease: the session does, by what
 * is said.  On its loop alone.
 */
#ifndef POSTERN_SIDECAR_DOOR_RECHECK_H
#define POSTERN_SIDECAR_DOOR_RECHECK_H

#include "gate.h"

/* Looks begun before the loop serves its sessions again: each is a request to write, and with a signed
 * token perhaps a signature to verify. */
#define RECHECKS_PER_WAKE 16
/* Waiting ones that are passed over in a wake-up, because their issuer has just had no room. */
#define RECHECKS_PASSED_PER_WAKE 256
/* After a look without a verdict; doubled each time up to an eighth of revocation_check, or this. */
#define RECHECK_RETRY_FIRST_MS LOOP_TICK_MS
#define RECHECK_RETRY_LONGEST_MS 10000

struct recheck_owner {
    /* A look begins: fill what it is about, everything borrowed.  is_look_again is set already. */
    void (*describe)(void *arg, struct gate_visit *visit);
    const char *(*issuer)(void *arg); /* who will be asked */
    /* As gate_owner.done: proved, rejected, undecided for another reason than BUSY, which only waits. */
    void (*heard)(void *arg, struct gate_result *take_result);
    void *arg;
};

struct recheck {
    TAILQ_ENTRY(recheck) in_queue;
    struct loop          *loop;
    struct recheck_owner  owner;
    postern_secret       *token; /* NULL: nobody is asked */
    struct gate          *gate;  /* NULL: no question is on its way */
    bool                  is_queued;
    int64_t               word_ms; /* CLOCK_BOOTTIME: the issuer's last word is of then, or later */
    int64_t               due_ms;
    unsigned              failures; /* in a row */
    postern_err           last_failure; /* POSTERN_OK: none */
};

/* The word of `interval_ms` is to be renewed between a half and two thirds of it. */
int64_t recheck_due_ms(int64_t word_ms, int64_t interval_ms, uint32_t dice);
/* Pause after the nth failure in a row, 1 or more. */
int64_t recheck_pause_ms(unsigned failures, int64_t interval_ms, uint32_t dice);

/* From now on, about this token (NULL: about none); recheck_note_word() follows.  What was on its
 * way about another is dropped. */
void recheck_watch(struct recheck *c, postern_secret *take_token);
/* Nobody is asked any more, and the token is wiped.  Fine on zeroes. */
void recheck_stop(struct recheck *c);
/* Its last word is of word_ms. */
void recheck_note_word(struct recheck *c, int64_t word_ms, int64_t interval_ms);
void recheck_note_failure(struct recheck *c, postern_err code, int64_t interval_ms);
/* Is it due?  Then it waits for its turn. */
void recheck_tick(struct recheck *c, int64_t now_ms);

/* The loop's: begin looks that wait for their turn. */
void recheck_run(struct loop *l);

#endif
