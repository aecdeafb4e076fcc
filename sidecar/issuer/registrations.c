/* SPDX-License-Identifier: BSD-2-Clause */
/* See registrations.h.  Called by register.c (the endpoint), admin.c (invitations) and the hourly
 * purge. */
#include "registrations.h"

#include <stdio.h>

#define NAME_BYTES 16 /* 128 bits: no two clients, and nobody guesses one */

clients_outcome registrations_invite(struct issuer *is, int64_t uses, int64_t for_s,
                                     postern_secret **ret_text, int64_t *ret_expires_s,
                                     struct clients_refusal *refusal, postern_error *err)
{
    struct invitation i = { .created_s = issuer_now_s(is), .uses = uses == 0 ? 1 : uses };
    POSTERN_AUTO(secret) text = NULL;
    bool is_full = false;

    i.expires_s = i.created_s + (for_s == 0 ? INVITATION_LIFE_S : for_s);
    if (i.uses > INVITATION_USES_MAX || for_s > INVITATION_LIFE_MAX_S)
        return clients_refuse(refusal, "bad_request",
                              "An invitation is for at most %d clients and %d days",
                              INVITATION_USES_MAX, INVITATION_LIFE_MAX_S / 86400);
    if (is->settings->registration == REGISTRATION_OFF)
        return clients_refuse(refusal, "registration_off",
                              "registration: in issuer.conf is off: nobody could use it");
    if (clients_make_secret(i.sha256, &text, err) != POSTERN_OK ||
        store_invitation_add(is->store, &i, &is_full, err) != POSTERN_OK)
        return CLIENTS_FAILED;
    if (is_full)
        return clients_refuse(refusal, "full", "There are %d invitations: wait until some are over",
                              INVITATIONS_MAX);
    *ret_text = POSTERN_STEAL(text);
    *ret_expires_s = i.expires_s;
    return CLIENTS_DONE;
}

bool registrations_make_name(char ret[CLIENT_NAME_MAX])
{
    uint8_t raw[NAME_BYTES];

    if (!issuer_random(raw, sizeof raw))
        return false;
    memcpy(ret, "c-", 2);
    for (size_t i = 0; i < sizeof raw; i++)
        (void)snprintf(ret + 2 + 2 * i, 3, "%02x", raw[i]); /* two digits and NUL: fit */
    return true;
}

postern_err registrations_add(struct issuer *is, const struct client_record *client,
                              const postern_bytes *invitation, store_register *ret,
                              postern_error *err)
{
    uint8_t sha256[INVITATION_HASH];

    if (invitation != NULL && !clients_hash_secret(*invitation, sha256))
        return POSTERN_FAIL(err, NOMEM, "hashing an invitation");
    return store_client_register(is->store, client, invitation == NULL ? NULL : sha256,
                                 is->settings->registration_max, ret, err);
}

postern_err registrations_forget(struct issuer *is, postern_error *err)
{
    int64_t now_s = issuer_now_s(is), unused_s = is->settings->registration_unused_s;

    if (unused_s < REGISTRATION_TRIAL_S) /* 0: settings without it, which has a day as minimum */
        unused_s = REGISTRATION_TRIAL_S;
    return store_registrations_forget(is->store, now_s, now_s - unused_s,
                                      now_s - REGISTRATION_TRIAL_S, err);
}
