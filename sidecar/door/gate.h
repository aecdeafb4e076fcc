/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One login's verdict: is the target one of ours, is the token proved, does the policy allow it.
 * Asynchronous; holds no socket, writes no record, sends nothing.
 */
#ifndef POSTERN_SIDECAR_DOOR_GATE_H
#define POSTERN_SIDECAR_DOOR_GATE_H

#include "loop.h"

/* Who knocks, and where; borrowed for gate_new(). */
struct gate_visit {
    struct door_settings *settings;
    const struct door    *door;
    postern_tls           tls;
    const char           *peer;   /* address and port, for records */
    postern_bytes         client_cert_sha256; /* that the client showed; empty: none */
    const char           *source; /* literal address, NULL for unix sockets: for the policy */
    bool                  is_look_again; /* at a session that lives */
};

struct gate_result {
    postern_err      code;
    postern_failure  failure;  /* unless POSTERN_OK */
    postern_error    error;    /* likewise */
    postern_decision decision; /* the policy's, where it was asked */
    uint64_t         words;    /* postern_context_words() before the verdict began */
    postern_grant   *grant;    /* proved; also when the policy then said no.  Taken or freed */
    /* With a grant at a door with revocation_check: (CLOCK_BOOTTIME): what its issuer said of it was said
     * then, or later; 0: it was not asked. */
    int64_t          word_ms;
};
void gate_result_clear(struct gate_result *r);

struct gate;
struct gate_owner {
    void (*done)(void *arg, struct gate_result *take_result); /* once, as its last act */
    void *arg;
};
/*
 *   login   token and texts are copied
 *   NULL: out of memory
 */
struct gate *gate_new(struct loop *loop, const struct gate_visit *visit,
                      const struct adapter_login *login, struct gate_owner owner);
/* `done` may be called before this returns, and may free the gate. */
void gate_begin(struct gate *g);
void gate_free(struct gate *g); /* cancels; NULL is fine */

/* Ask a door's policy whether `grant` may connect from `source`.  POSTERN_OK (with
 * policy_mode: shadow perhaps against ret's word) · POLICY · INSUFFICIENT_SCOPE
 * (ret->missing_scope) */
POSTERN_MUST_USE postern_err gate_ask_policy(const struct door *door, const postern_grant *grant,
                                             const char *source, int64_t now_s,
                                             postern_decision *ret, postern_error *err);

#endif
