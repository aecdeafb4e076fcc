/* SPDX-License-Identifier: BSD-2-Clause */
/* "revoke", as the issuer child says it to helper and door (sidecar/role.h). */
#ifndef POSTERN_SIDECAR_REVOKE_MESSAGE_H
#define POSTERN_SIDECAR_REVOKE_MESSAGE_H

#include <postern/context.h>

#include "channel.h"

/* Bytes with NUL: a client's name, a jti or a grant_id, each an identity of a token at most
 * (POSTERN_IDENTITY_MAX). */
#define REVOKE_NAME_MAX 1025

struct revoke_message {
    int64_t                 id, before_s;
    postern_revocation_kind kind;
    char                    issuer[POSTERN_URL_MAX];
    char                    name[REVOKE_NAME_MAX];
};

/*
 * The message that channel_receive() announced and channel_type_is() called "revoke".
 *   False: it names none of client, jti and grant, more than one, or lacks issuer, before or id
 */
bool revoke_message_read(const struct channel *c, struct revoke_message *ret);

#endif
