/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * People who log in at the issuer's pages: who may be one, and what goes with one that is removed.
 * Rules live here, rows in the store.  Called by admin.c.
 */
#ifndef POSTERN_ISSUER_PEOPLE_H
#define POSTERN_ISSUER_PEOPLE_H

#include "clients.h"
#include "store_users.h"

/* Refusals: "bad_name" "bad_password" "exists" "no_such_user" "full". */
/*
 * May a person of that name be added?  Fills in *ret with name, time, salt and parameters; the
 * hash is for a job to compute.
 */
clients_outcome people_prepare(struct issuer *is, const char *name, postern_bytes password,
                               struct user_record *ret, struct clients_refusal *refusal,
                               postern_error *err);
/* Add the person whose hash is there now; refused when the name was taken meanwhile. */
clients_outcome people_add(struct issuer *is, const struct user_record *user,
                           struct clients_refusal *refusal, postern_error *err);
/* Remove: sessions are gone, grants have ended, and verifiers are told.  *ret_ended: how many. */
clients_outcome people_remove(struct issuer *is, const char *name, size_t *ret_ended,
                              struct clients_refusal *refusal, postern_error *err);
/* End one grant of `user`, tell verifiers.  *ret_found false: there is none that stands.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err people_end_grant(struct issuer *is, const char *user,
                                              const char *grant_id, bool *ret_found,
                                              postern_error *err);

#endif
