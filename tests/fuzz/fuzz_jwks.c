/* SPDX-License-Identifier: BSD-2-Clause */
/* Key sets from strangers: the limits hold, every member is usable or skipped, and no key says yes
 * to a made-up signature. */
#include <stdlib.h>

#include "jose/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusals(const postern_jwks *set)
{
    static const uint8_t zeros[256];

    for (postern_alg alg = POSTERN_ALG_NONE; alg <= POSTERN_ALG_COUNT; alg++)
        for (size_t len = 64; len <= sizeof zeros; len *= 4)
            if (postern_jwks_verify(set, alg, false, POSTERN_BYTES_NONE, POSTERN_BYTES_LIT("a.b"),
                                    (postern_bytes){ zeros, len }, NULL) == POSTERN_OK)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO(jwks) set = NULL;
    postern_error err;

    if (postern_jwks_parse((postern_bytes){ data, size }, &set, &err) != POSTERN_OK) {
        if (set != NULL || err.code == POSTERN_ERR_UNSET)
            abort();
        return 0;
    }
    if (postern_jwks_count(set) + postern_jwks_skipped(set) > POSTERN_JWKS_KEYS_MAX)
        abort();
    check_refusals(set);
    return 0;
}
