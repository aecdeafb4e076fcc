/* SPDX-License-Identifier: BSD-2-Clause */
/* Two lines: what is registered, what is presented.  Whatever is good is a URI of one of three forms; what matches differs
 * in a loopback port at most, and each good one matches itself. */
#include <stdlib.h>

#include "issuer/redirect_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static bool begins(postern_bytes b, const char *with)
{
    return b.len >= strlen(with) && memcmp(b.ptr, with, strlen(with)) == 0;
}

static void check_good(postern_bytes uri)
{
    size_t scheme = postern_bytes_find(uri, ':');

    for (size_t i = 0; i < uri.len; i++)
        require(uri.ptr[i] > 0x20 && uri.ptr[i] < 0x7F && strchr("#*\\\"<>", uri.ptr[i]) == NULL);
    require(scheme < uri.len);
    require(begins(uri, "https://") || begins(uri, "http://127.0.0.1") || begins(uri, "http://[::1]") ||
            postern_bytes_find((postern_bytes){ uri.ptr, scheme }, '.') < scheme);
    require(redirect_uri_matches(uri, uri));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes all = { data, size };
    size_t end = postern_bytes_find(all, '\n');
    postern_bytes registered = { data, end };
    postern_bytes presented = end < size ? (postern_bytes){ data + end + 1, size - end - 1 } : POSTERN_BYTES_NONE;

    if (redirect_uri_is_good(registered))
        check_good(registered);
    if (redirect_uri_matches(registered, presented)) {
        check_good(presented);
        require(postern_bytes_equal(registered, presented) ||
                (begins(presented, "http://") && begins(registered, "http://")));
        require(redirect_uri_matches(presented, registered));
    }
    return 0;
}
