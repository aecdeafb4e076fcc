/* SPDX-License-Identifier: BSD-2-Clause */
/* See crypto_errors.h. */
#include "jose/crypto_errors.h"

#include <openssl/err.h>
#include <openssl/evp.h>

/* OpenSSL since 3.4 (err.h of 3.0 does not know it): what EVP queues behind every verification that
 * did not say yes, for its own sake ("provider signature failure"). */
#ifndef EVP_R_PROVIDER_SIGNATURE_FAILURE
#define EVP_R_PROVIDER_SIGNATURE_FAILURE 234
#endif

struct postern_crypto_errors postern_crypto_errors_begin(void)
{
    struct postern_crypto_errors before = { ERR_peek_last_error() };

    if (before.last != 0)
        ERR_set_mark();
    return before;
}

/* Reasons that all libraries share ("malloc failure", "EC lib") say nothing about keys or
 * signatures; RSA's and EC's own do.  EVP's answer to a "no" adds nothing to what is there. */
static postern_blame blame_of(unsigned long e)
{
    int lib = ERR_GET_LIB(e);

    if (lib == ERR_LIB_EVP && ERR_GET_REASON(e) == EVP_R_PROVIDER_SIGNATURE_FAILURE)
        return POSTERN_BLAME_NOBODY;
    if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
        return POSTERN_BLAME_MEMORY;
    if ((ERR_GET_RFLAGS(e) & ERR_RFLAG_COMMON) == 0 &&
        (lib == ERR_LIB_RSA || lib == ERR_LIB_EC || lib == ERR_LIB_PROV))
        return POSTERN_BLAME_INPUT;
    return POSTERN_BLAME_OPENSSL;
}

/*
 * The queue can only be read from its oldest end without losing anything, so behind errors of the
 * host's just the newest of ours is seen, mostly an outer layer's.  It is held against the input
 * then, unless it is plainly about memory.
 */
static postern_blame blame_newest(unsigned long newest, unsigned long before)
{
    if (newest == before)
        return POSTERN_BLAME_NOBODY;
    return blame_of(newest) == POSTERN_BLAME_MEMORY ? POSTERN_BLAME_MEMORY : POSTERN_BLAME_INPUT;
}

postern_blame postern_crypto_errors_end(struct postern_crypto_errors before)
{
    postern_blame blame = POSTERN_BLAME_NOBODY;
    unsigned long e;

    if (before.last != 0) {
        blame = blame_newest(ERR_peek_last_error(), before.last);
        ERR_pop_to_mark();
        return blame;
    }
    while ((e = ERR_get_error()) != 0) {
        postern_blame next = blame_of(e);

        if (blame != POSTERN_BLAME_MEMORY && (next == POSTERN_BLAME_MEMORY || next > blame))
            blame = next;
    }
    return blame;
}
