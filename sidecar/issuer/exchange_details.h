/* SPDX-License-Identifier: BSD-2-Clause */
/* authorization_details (RFC 9396) at an exchange: as they are, or fewer of them.  Pure. */
#ifndef POSTERN_ISSUER_EXCHANGE_DETAILS_H
#define POSTERN_ISSUER_EXCHANGE_DETAILS_H

#include <postern-private/json.h>

typedef enum exchange_details {
    EXCHANGE_DETAILS_FAILED = 0, /* no memory: `err` says */
    EXCHANGE_DETAILS_REFUSED,    /* not JSON, no array, empty, or an element the token has not */
    EXCHANGE_DETAILS_NARROWED
} exchange_details;

/*
 * `wanted` is an array of elements that `have` (the token's; empty: none) has too, compared as JSON:
 * the order of members and the way they are written do not matter.  Appended to `ret` as the token
 * has them, each once.
 */
exchange_details exchange_details_narrow(postern_bytes have, postern_bytes wanted, postern_buf *ret,
                                         postern_error *err);

#endif
