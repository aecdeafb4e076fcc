/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who answers on this machine, where no certificate says it.  While PostgreSQL is down any user may
 * listen on its port, or in a folder where everybody may make sockets.  As libpq's requirepeer, and
 * by that name, but for loopback too: libpq looks at unix sockets only.
 */
#include "config.h" /* first: asks libc for its extensions */

#include <sys/socket.h>

#include <postern-private/tcp_peer.h>

#include "hook.h"

/* A unix socket belongs to who called listen(2). */
static postern_err find_owner(int fd, uid_t *ret, postern_error *err)
{
    struct sockaddr_storage self;
    struct ucred peer;
    socklen_t self_len = sizeof self, len = sizeof peer;

    if (getsockname(fd, (struct sockaddr *)&self, &self_len) != 0)
        return POSTERN_FAIL(err, SYSTEM, "getsockname: %m");
    if (self.ss_family != AF_UNIX)
        return postern_tcp_peer_owner(fd, ret, err);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return POSTERN_FAIL(err, SYSTEM, "SO_PEERCRED: %m");
    *ret = peer.uid;
    return POSTERN_OK;
}

postern_err hook_peer(int fd, const char *require_peer, postern_error *err)
{
    const char *user =
        require_peer != NULL && require_peer[0] != '\0' ? require_peer : SERVER_USER_DEFAULT;
    uid_t owner = POSTERN_OVERFLOW_UID;
    postern_error why = { 0 };
    char room[260];

    if (find_owner(fd, &owner, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, TLS_REQUIRED, "who answers there is not known (%s)", why.detail);
    if (!postern_owner_is_trusted(owner, user))
        return POSTERN_FAIL(err, TLS_REQUIRED,
                            "uid %lu answers there, not root, you or %s: requirepeer names another "
                            "user of PostgreSQL's",
                            (unsigned long)owner,
                            postern_error_quote(user, strlen(user), room, sizeof room));
    return POSTERN_OK;
}
