/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who answers on this machine, where no certificate says it.  While PostgreSQL is down any user may
 * listen on its port, or in a folder where everybody may make sockets.  As libpq's requirepeer, and
 * by that name, but for loopback too: libpq looks at unix sockets only.
 */
#include "config.h" /* first: asks libc for its extensions */

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/tcp_peer.h>

#include "hook.h"

#define PASSWD_ROOM 4096 /* bytes of one user's line, whose name and home have 256 and PATH_MAX */

/* The user of a server in another container may have no name here. */
static uid_t read_uid(const char *text)
{
    uint64_t uid = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        if ((uid = uid * 10 + (uint64_t)(*text - '0')) > UINT32_MAX)
            return POSTERN_OVERFLOW_UID;
    return *text == '\0' ? (uid_t)uid : POSTERN_OVERFLOW_UID;
}

/* POSTERN_OVERFLOW_UID, which is nobody's, when there is no such user. */
static uid_t find_user(const char *name)
{
    char room[PASSWD_ROOM];
    struct passwd pw, *found = NULL;

    if (getpwnam_r(name, &pw, room, sizeof room, &found) != 0 || found == NULL)
        return read_uid(name);
    return pw.pw_uid;
}

static bool is_trusted(uid_t owner, const char *user)
{
    if (owner == POSTERN_OVERFLOW_UID) /* whom a user namespace does not know */
        return false;
    return owner == 0 || owner == geteuid() || owner == find_user(user);
}

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
    if (!is_trusted(owner, user))
        return POSTERN_FAIL(err, TLS_REQUIRED,
                            "uid %lu answers there, not root, you or %s: requirepeer names another "
                            "user of PostgreSQL's",
                            (unsigned long)owner,
                            postern_error_quote(user, strlen(user), room, sizeof room));
    return POSTERN_OK;
}
