/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose process connected to a loopback port of ours.  TCP has no SO_PEERCRED; the kernel's list of
 * sockets tells the owner of the other end, which made its own socket: unlike an accepted one
 * (decision 0011) it has had its owner since socket(2).
 */
#ifndef POSTERN_CLI_CONNECT_PEER_H
#define POSTERN_CLI_CONNECT_PEER_H

#include <postern-private/proc_tcp.h>

/* Shown for every user that a user namespace does not know: it names nobody. */
#define PEER_OVERFLOW_UID 65534

struct peer_search {
    struct postern_tcp_address peer, self; /* of the accepted socket */
    bool is_found;
    uid_t uid;
};

/*
 * One line of the list: when it is the other end, held by a process, note its owner.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (not a line as the kernel writes it)
 */
POSTERN_MUST_USE postern_err peer_search_add_line(struct peer_search *s, postern_bytes line,
                                                  postern_error *err);
/*
 *   fd   accepted, on a loopback address
 *   POSTERN_OK (the other end is `uid`'s) · POSTERN_ERR_PEER_NOT_ALLOWED (another user's, or gone
 *   already) · POSTERN_ERR_SYSTEM (not known)
 */
POSTERN_MUST_USE postern_err connect_peer_check(int fd, uid_t uid, postern_error *err);

#endif
