/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a process of posternd asks the embedded issuer, which is another one, what an opaque token of
 * its stands for: over the SEQPACKET pair that joins the two (sidecar/role.h), without HTTP and
 * without a credential.  A question is one datagram with the token's SHA-256 and a descriptor on
 * which the answer comes, so that nothing has to be told apart and nobody waits behind another; an
 * issuer that goes away closes it.  Not installed; sidecar/helper and sidecar/door.
 */
#ifndef POSTERN_PRIVATE_ISSUER_LINE_H
#define POSTERN_PRIVATE_ISSUER_LINE_H

#include <postern/context.h>

typedef struct postern_issuer_line postern_issuer_line; /* thread-safe; one in a process */

/* Nobody is at its end yet.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_issuer_line_new(postern_issuer_line **ret, postern_error *err);
/*
 * Who is at its end from now on; questions to the one before are answered by that one.
 *   fd   borrowed until the next call, which has to come before it is closed; -1: nobody
 */
void postern_issuer_line_set(postern_issuer_line *l, int fd);
void postern_issuer_line_free(postern_issuer_line *l); /* NULL is fine */

/* Tokens of the embedded issuer are asked about over `l`, which outlives ctx.  Before the first
 * operation; without it they are undecided (ISSUER_UNREACHABLE). */
void postern_context_set_issuer_line(postern_context *ctx, postern_issuer_line *l);

#endif
