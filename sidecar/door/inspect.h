/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session of which every action is judged: bytes of two connected sockets through an adapter's
 * inspector (sidecar/adapters/adapter.h), both ways, until both have ended.  What the adapter was
 * shown is what is sent on.  Back-pressure, half-close, TLS on either leg, as relay.h.  Decides
 * nothing: its owner is asked about each action and settles it, at once or later.
 */
#ifndef POSTERN_SIDECAR_DOOR_INSPECT_H
#define POSTERN_SIDECAR_DOOR_INSPECT_H

#include "../adapters/adapter.h"
#include "relay.h"

/* Actions that wait for their record: with so many on their way a pipeline never waits for the audit
 * child, and the sessions of one loop share what that takes. */
#define INSPECT_JUDGING_MAX 128
/* Before other sessions have their turn: some hundred microseconds of judging. */
#define INSPECT_ACTIONS_PER_WAKE 128
/* An action that names more counts as several: a DEL of a thousand keys is a thousand decisions. */
#define INSPECT_DECISIONS_PER_ACTION 8
#define INSPECT_TURNS            4
/* Bytes that wait for one side, from which on the other one is not read; what a side is answered by
 * ourselves counts more mildly, for many clients send all of a pipeline before they read. */
#define INSPECT_UNSENT_STOP 131072
#define INSPECT_OWN_STOP    ADAPTER_MESSAGE_MAX
/* When nothing can be judged now (the line to the audit child is full), it is tried again. */
#define INSPECT_RETRY_MS 10
/* When one side has ended and nothing is under way, the other has so long to end, too: MCP's own
 * clients give a server two seconds. */
#define INSPECT_LEAVE_MS 2000

struct inspect_owner {
    /* Settle it: in here, or later; exactly once.  Everything in *a is valid until the first. */
    void (*judge)(void *arg, const struct adapter_action *a);
    /* May an action be judged now?  False: it is asked again, soon. */
    bool (*has_room)(void *arg);
    /* A longer lease is asked for: inspect_renewed() follows, in here or later. */
    void (*login)(void *arg, const struct adapter_login *login);
    /* One side has ended, and the other is about to hear so: what is held is settled now, for later
     * it goes nowhere.  Perhaps more than once. */
    void (*leaves)(void *arg);
    void (*ended)(void *arg, relay_end why); /* once, as the last act: free it here */
    void *arg;
};

struct inspect_parts {
    struct leg             take_client, take_backend;
    const struct adapter  *adapter;
    void                  *take_state; /* its, of a login that was granted; wiped and freed here */
    postern_bytes          early_up;   /* behind the login; copied, at most RELAY_GATHER_BYTES */
    postern_bytes          early_down; /* behind the backend's greeting; likewise */
    struct adapter_host    host;
};

struct inspect;
/*
 * Start.  Legs and state are taken in every case.  Nobody is called before this returns, but for
 * host.may_see.
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_USAGE (early)
 */
POSTERN_MUST_USE postern_err inspect_new(struct relay_pool *pool, const struct inspect_parts *parts,
                                         struct inspect_owner owner, struct inspect **ret,
                                         postern_error *err);
/* Legs and state of one that does not begin. */
void inspect_drop(const struct inspect_parts *parts);
void inspect_free(struct inspect *i); /* closes both at once; NULL is fine */

/* A verdict on action `id` of judge(), or the second one on one whose first was ADAPTER_HOLD. */
void inspect_settle(struct inspect *i, uint64_t id, const struct adapter_verdict *v);
/* One that was held is judged again: its second verdict is on its way, and no side is told of the
 * other's end before that is there. */
void inspect_resume_held(struct inspect *i);
/* What is held, to be judged again; see adapter_inspector.  Not inside of judge(). */
bool inspect_again(struct inspect *i, uint64_t id, struct adapter_action *ret);
/* One that was held gets no second verdict. */
void inspect_forget_held(struct inspect *i);
/* What became of login(); one of them is NULL. */
void inspect_renewed(struct inspect *i, const struct adapter_granted *g,
                     const struct adapter_denied *d);

/* As those of a relay. */
const char *inspect_end_text(const struct inspect *i);
/* RELAY_BROKEN, RELAY_DENIED: what the adapter calls it. */
postern_err inspect_end_code(const struct inspect *i);
uint64_t inspect_bytes_up(const struct inspect *i);
uint64_t inspect_bytes_down(const struct inspect *i);
int64_t inspect_last_byte_ms(const struct inspect *i);
bool inspect_is_quiet(const struct inspect *i);
/* The protocol's last word, as far as it may be said now, then as relay_say_goodbye(). */
void inspect_say_goodbye(struct inspect *i, const struct adapter_denied *why);
const SSL *inspect_client_ssl(const struct inspect *i); /* NULL: plain */

#endif
