/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients that registered themselves (RFC 7591) and the initial access tokens that let them. */
#ifndef POSTERN_ISSUER_STORE_REGISTRATIONS_H
#define POSTERN_ISSUER_STORE_REGISTRATIONS_H

#include "store_clients.h"

#define INVITATION_HASH 32     /* SHA-256 */
#define INVITATIONS_MAX 10000  /* at one time: an administrator's script that runs wild */

struct invitation {
    uint8_t sha256[INVITATION_HASH];
    int64_t created_s, expires_s, uses;
};

typedef enum store_register {
    STORE_REGISTER_UNSET = 0,
    STORE_REGISTERED,
    STORE_REGISTER_EXISTS,
    STORE_REGISTER_FULL,       /* `quota` of them, or CLIENTS_MAX of all */
    STORE_REGISTER_NOT_INVITED /* unknown, used up, over */
} store_register;

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM. */
POSTERN_MUST_USE postern_err store_invitation_add(struct store *s, const struct invitation *i,
                                                  bool *ret_is_full, postern_error *err);
/*
 * Take one use of an invitation and add the client, both or neither.
 *   sha256   of the invitation's text; NULL: none is wanted
 */
POSTERN_MUST_USE postern_err store_client_register(struct store *s,
                                                   const struct client_record *client,
                                                   const uint8_t *sha256, int64_t quota,
                                                   store_register *ret, postern_error *err);
/* Forget self-registered clients that were last used, or made, before `unused_s`, and those made
 * before `never_used_s` that never were; their grants end.  And invitations that are over. */
POSTERN_MUST_USE postern_err store_registrations_forget(struct store *s, int64_t now_s,
                                                        int64_t unused_s, int64_t never_used_s,
                                                        postern_error *err);

#endif
