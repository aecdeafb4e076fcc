/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's per-thread error queue, left as the host had it.  Tells "out of memory" from every other failure, which OpenSSL's return
 * values do not.
 */
#ifndef POSTERN_LIB_CRYPTO_ERRORS_H
#define POSTERN_LIB_CRYPTO_ERRORS_H

#include <stdbool.h>

struct postern_crypto_errors {
    unsigned long last; /* newest error before we came, 0: the queue was empty */
};
struct postern_crypto_errors postern_crypto_errors_begin(void);
/* Drop what was queued since; true when some of it was a failed allocation. */
bool postern_crypto_errors_end(struct postern_crypto_errors before);

#endif
