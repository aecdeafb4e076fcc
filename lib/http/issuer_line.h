/* SPDX-License-Identifier: BSD-2-Clause */
/* The line to the embedded issuer as a transport: see <postern-private/issuer_line.h>. */
#ifndef POSTERN_LIB_ISSUER_LINE_H
#define POSTERN_LIB_ISSUER_LINE_H

#include <postern-private/issuer_line.h>

#include "http.h"

/* Of a request its body alone counts: base64url of the token's SHA-256.  The answer has status 200.
 * The line's own. */
const postern_http_transport *postern_issuer_line_transport(const postern_issuer_line *l);

#endif
