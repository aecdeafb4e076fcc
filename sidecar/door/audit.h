/* SPDX-License-Identifier: BSD-2-Clause */
/* What a door writes into the audit log (sidecar/audit/record.h): logins, renewals, refusals,
 * ends. */
#ifndef POSTERN_SIDECAR_DOOR_AUDIT_H
#define POSTERN_SIDECAR_DOOR_AUDIT_H

#include "gate.h"
#include "loop.h"

struct login_record {
    const char            *event; /* "login" "renew" */
    const char            *ref;
    const char            *session; /* NULL: there is none */
    const struct door     *door;
    struct door_settings  *settings;
    const char            *peer;
    const struct denial_source *source; /* whom a refusal is put down to */
    postern_carrier        carrier;
    postern_tls            tls;
    const char            *fingerprint; /* of the token, where no grant names it */
    const struct gate_result *result;
    const postern_grant   *grant; /* where the result's was taken already */
    bool                   is_known; /* his token was proved, though no grant is here any more */
    int64_t                lease_end_s; /* 0: none */
    int64_t                started_us;
};

/*
 * A verdict: `done` when its record is written, and only then it may be told.
 *   POSTERN_OK · POSTERN_ERR_AUDIT (done will not be called)
 */
POSTERN_MUST_USE postern_err record_login(struct loop *l, const struct login_record *r,
                                          audit_done done, void *arg, postern_error *err);

/*
 * The same of a refusal; strangers have a quota of records (sidecar/audit/denials.h).
 *   POSTERN_AGAIN (done follows) · POSTERN_OK (counted; nothing to wait for) · POSTERN_ERR_AUDIT
 */
POSTERN_MUST_USE postern_err record_refusal(struct loop *l, const struct login_record *r,
                                            audit_done done, void *arg, postern_error *err);

struct session_record {
    const char *session, *door, *peer, *rule, *user_rule, *end, *because;
    const char *detail; /* what broke; NULL or empty: nothing */
    const postern_grant *grant;
    postern_err code; /* why it was ended; POSTERN_OK: it ended by itself */
    int64_t lease_end_s, duration_ms;
    uint64_t up, down;
};
/* Nobody waits for it; a loss is logged. */
void record_end(struct loop *l, const struct session_record *r);
/* Summaries of what strangers sent, when they are due. */
void record_denials(struct loop *l);
void record_denials_rest(struct loop *l); /* before the loop ends */

#endif
