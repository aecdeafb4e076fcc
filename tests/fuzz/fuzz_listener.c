/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of /proc/net/tcp: only a well-formed line with an inode ever adds a listener. */
#include <stdlib.h>

#include "http/listener.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct postern_tcp_address where = {
        { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 }, 8414
    };
    struct postern_listeners set = { 0 };
    postern_error err;
    postern_err e = postern_listeners_add_line(&set, &where, (postern_bytes){ data, size }, &err);

    if (e != POSTERN_OK && e != POSTERN_ERR_ISSUER_UNTRUSTED)
        abort();
    /* The list moved, and shows it twice. */
    if (postern_listeners_add_line(&set, &where, (postern_bytes){ data, size }, &err) != e)
        abort();
    if (set.count > 1 || (set.count == 1 && (e != POSTERN_OK || set.at[0].inode == 0)))
        abort();
    return 0;
}
