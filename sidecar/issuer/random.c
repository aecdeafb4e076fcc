/* SPDX-License-Identifier: BSD-2-Clause */
/* Randomness for secrets, jti and seeds: getrandom(2), nothing of ours in between.  RFC 9700 §4.17
 * asks for 128 bits or more. */
#include <errno.h>
#include <sys/random.h>

#include "issuer.h"

bool issuer_random(void *room, size_t len)
{
    uint8_t *p = room;

    while (len != 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}
