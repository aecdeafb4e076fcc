/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a login or renewal that is refused, whoever carries it: the failure's words, its
 * record, what its client is told.  conn.c carries a connection, renew_within.c what is asked inside
 * a session.  Each decides nothing here and sends nothing.
 */
#ifndef POSTERN_SIDECAR_DOOR_REFUSAL_H
#define POSTERN_SIDECAR_DOOR_REFUSAL_H

#include "audit.h"

/* Borrowed; made for one call. */
struct refusal {
    struct loop          *loop;
    struct door_settings *settings;
    const struct door    *door;
    struct gate_result   *result;
    const char           *ref;
    postern_bytes         token; /* for its fingerprint, where no grant names it */
    char                 *fingerprint; /* FINGERPRINT_LEN + 1 bytes; also the record's */
};

/* The result is this one now, in the door's words.  What it was before is the caller's. */
void refusal_set(const struct refusal *r, postern_err code, const postern_error *err);
/* result->code counts, and goes on record.  `done` may be called before this returns. */
void refusal_put_on_record(const struct refusal *r, const struct login_record *record,
                           audit_done done, void *arg);
/* For `done`.  A rejection is a verdict too: without its record it is undecided. */
void refusal_note_record(const struct refusal *r, postern_err e, const postern_error *err);
/* What the adapter tells the client; views into the result and the settings. */
struct adapter_denied refusal_answer(const struct refusal *r);

#endif
