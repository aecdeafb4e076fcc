/* SPDX-License-Identifier: BSD-2-Clause */
/* Secrets on their way out: text that may hold a token moves into libevent's buffer without a
 * copy. */
#ifndef POSTERN_ISSUER_OUTPUT_H
#define POSTERN_ISSUER_OUTPUT_H

#include <postern/bytes.h>

struct evbuffer;

/*
 * Append the text to `out`; it is wiped when it was sent or `out` is freed.  `text` is empty then.
 * False: out of memory; the text is wiped, too.
 */
bool output_move(postern_buf *text, struct evbuffer *out);

#endif
