/* SPDX-License-Identifier: BSD-2-Clause */
/* "introspect", as helper and door say it to the issuer child (sidecar/role.h).  The library writes
 * it (lib/http/issuer_line.c). */
#ifndef POSTERN_SIDECAR_INTROSPECT_MESSAGE_H
#define POSTERN_SIDECAR_INTROSPECT_MESSAGE_H

#include "channel.h"

#define INTROSPECT_HASH 32 /* SHA-256 of the token */

/*
 * The message that channel_receive() announced and channel_type_is() called "introspect".
 *   False: it has another member than sha256, or that is no hash; ret_sha256 is untouched
 */
bool introspect_message_read(const struct channel *c, uint8_t ret_sha256[INTROSPECT_HASH]);

#endif
