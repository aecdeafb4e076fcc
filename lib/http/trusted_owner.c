/* SPDX-License-Identifier: BSD-2-Clause */
/* See include/postern-private/tcp_peer.h: whose processes are trusted. */
#include "config.h" /* first: asks libc for its extensions */

#include <pwd.h>
#include <unistd.h>

#include <postern-private/tcp_peer.h>

#define PASSWD_ROOM 4096 /* bytes of one user's line, whose name and home have 256 and PATH_MAX */

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

    if (name == NULL || name[0] == '\0')
        return POSTERN_OVERFLOW_UID;
    if (getpwnam_r(name, &pw, room, sizeof room, &found) != 0 || found == NULL)
        return read_uid(name);
    return pw.pw_uid;
}

bool postern_owner_is_trusted(uid_t owner, const char *user)
{
    if (owner == POSTERN_OVERFLOW_UID) /* whom a user namespace does not know */
        return false;
    return owner == 0 || owner == geteuid() || owner == find_user(user);
}
