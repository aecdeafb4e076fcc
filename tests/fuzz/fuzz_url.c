/* SPDX-License-Identifier: BSD-2-Clause */
/* URLs from metadata documents: what splits is ASCII without blanks, and splits in the same way
 * again from its parts. */
#include <stdlib.h>

#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct postern_url u, origin;
    postern_error err;

    if (postern_url_split((postern_bytes){ data, size }, &u, &err) != POSTERN_OK)
        return 0;
    if (u.kind == POSTERN_URL_HOST_NONE || u.port == 0 || u.host[0] == '\0')
        abort();
    if (!postern_bytes_is_printable((postern_bytes){ data, size }) ||
        memchr(data, ' ', size) != NULL)
        abort();
    if (u.origin.len + u.path.len + u.query.len + (u.has_query ? 1 : 0) != size)
        abort();
    if (postern_url_split(u.origin, &origin, &err) != POSTERN_OK ||
        !postern_url_is_same_origin(&u, &origin))
        abort();
    if (postern_url_is_loopback(&u) != postern_url_is_loopback(&origin))
        abort();
    return 0;
}
