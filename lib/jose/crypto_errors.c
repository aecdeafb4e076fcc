/* SPDX-License-Identifier: BSD-2-Clause */
/* See crypto_errors.h.  Called around every use of OpenSSL in lib/jose. */
#include "jose/crypto_errors.h"

#include <openssl/err.h>

struct postern_crypto_errors postern_crypto_errors_begin(void)
{
    struct postern_crypto_errors before = { ERR_peek_last_error() };

    if (before.last != 0)
        ERR_set_mark();
    return before;
}

/* Newest and, when all of them are ours to take, every error: an outer layer often reports over the one that says malloc. */
bool postern_crypto_errors_end(struct postern_crypto_errors before)
{
    unsigned long e = ERR_peek_last_error();
    bool ran_out = false;

    if (before.last != 0) {
        ran_out = e != before.last && ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
        ERR_pop_to_mark();
        return ran_out;
    }
    while ((e = ERR_get_error()) != 0)
        ran_out |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    return ran_out;
}
