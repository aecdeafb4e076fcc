/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of self-registration (RFC 7591): invitations (its initial access tokens), names, and what
 * is forgotten. */
#ifndef POSTERN_ISSUER_REGISTRATIONS_H
#define POSTERN_ISSUER_REGISTRATIONS_H

#include "clients.h"
#include "store_registrations.h"

#define INVITATION_USES_MAX 1000      /* clients by one invitation: a fleet's image */
#define INVITATION_LIFE_S 86400       /* when nothing is said: a day's work */
#define INVITATION_LIFE_MAX_S 2592000 /* 30 days: who keeps it longer wants registration: open */
/* Seconds: a registered client that never asked for a token is an attempt, not an agent. */
#define REGISTRATION_TRIAL_S 86400

/*
 * Make an invitation.
 *   uses, for_s   0: one use, INVITATION_LIFE_S
 *   ret_text      base64url, 256 random bits, shown this once; caller frees
 */
clients_outcome registrations_invite(struct issuer *is, int64_t uses, int64_t for_s,
                                     postern_secret **ret_text, int64_t *ret_expires_s,
                                     struct clients_refusal *refusal, postern_error *err);
/* A client_id that nobody chose: "c-" and 128 random bits.  False: no randomness. */
bool registrations_make_name(char ret[CLIENT_NAME_MAX]);
/* Add what clients_prepare() made; `invitation` is NULL unless registration: token. */
POSTERN_MUST_USE postern_err registrations_add(struct issuer *is,
                                               const struct client_record *client,
                                               const postern_bytes *invitation,
                                               store_register *ret, postern_error *err);
/* Forget clients that registered themselves and are not used, invitations that are over. */
POSTERN_MUST_USE postern_err registrations_forget(struct issuer *is, postern_error *err);

#endif
