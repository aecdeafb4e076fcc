/* SPDX-License-Identifier: BSD-2-Clause */
/* See connect_peer.h; how the other end is found is in lib/http/tcp_peer.c. */
#include "connect_peer.h"

postern_err connect_peer_check(int fd, uid_t uid, postern_error *err)
{
    uid_t owner = POSTERN_OVERFLOW_UID;

    POSTERN_TRY(postern_tcp_peer_owner(fd, &owner, err));
    if (owner != uid || uid == POSTERN_OVERFLOW_UID)
        return POSTERN_FAIL(err, PEER_NOT_ALLOWED,
                            "a process of uid %lu connected; only uid %lu may",
                            (unsigned long)owner, (unsigned long)uid);
    return POSTERN_OK;
}
