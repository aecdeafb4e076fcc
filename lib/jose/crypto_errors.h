/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's per-thread error queue: read to learn whom to blame for a failure, which return
 * values do not tell, and left as the host had it.  Called around every use of OpenSSL in
 * lib/jose.
 */
#ifndef POSTERN_LIB_CRYPTO_ERRORS_H
#define POSTERN_LIB_CRYPTO_ERRORS_H

typedef enum postern_blame {
    POSTERN_BLAME_NOBODY = 0, /* nothing was queued */
    POSTERN_BLAME_MEMORY,     /* an allocation failed */
    POSTERN_BLAME_OPENSSL,    /* something else that is not the input's fault */
    POSTERN_BLAME_INPUT       /* the key or the signature is bad */
} postern_blame;

struct postern_crypto_errors {
    unsigned long last; /* newest error before we came, 0: the queue was empty */
};
struct postern_crypto_errors postern_crypto_errors_begin(void);
/* Drop what was queued since, and say whom it blames. */
postern_blame postern_crypto_errors_end(struct postern_crypto_errors before);

#endif
