/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose process is at the other end of a connection within this machine.  TCP has no SO_PEERCRED;
 * the kernel's list of sockets tells the owner of the other end.  For who connected to a loopback
 * port (cli/connect_peer.c, cli/login_listen.c) and for who accepted there (libpq-hook/peer.c,
 * sasl-plugin/client_way.c).  Not installed.
 *
 * The owner of an end that connected is who called socket(2), that of an accepted one is who called
 * accept(2): decision 0011 says where the listener is asked instead.
 */
#ifndef POSTERN_PRIVATE_TCP_PEER_H
#define POSTERN_PRIVATE_TCP_PEER_H

#include <postern-private/proc_tcp.h>

/* Shown for every user that a user namespace does not know: it names nobody. */
#define POSTERN_OVERFLOW_UID 65534

struct postern_tcp_search {
    struct postern_tcp_address peer, self; /* as our end has them */
    bool is_found;
    uid_t uid;
};

/*
 * One line of the list: when it is the other end, held by a process, note its owner.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (not a line as the kernel writes it)
 */
POSTERN_MUST_USE postern_err postern_tcp_search_add_line(struct postern_tcp_search *s,
                                                         postern_bytes line, postern_error *err);
/*
 * The owner of the other end of `fd`, a connected TCP socket.  Blocking reads of /proc, which never
 * wait.
 *   POSTERN_OK · POSTERN_ERR_PEER_NOT_ALLOWED (no process of this machine's holds it, or not any
 *   more) · POSTERN_ERR_SYSTEM (not known)
 */
POSTERN_MUST_USE postern_err postern_tcp_peer_owner(int fd, uid_t *ret_uid, postern_error *err);
/* The same of a connection whose descriptor somebody else has, of this process's: `self` is its end. */
POSTERN_MUST_USE postern_err postern_tcp_peer_owner_between(const struct postern_tcp_address *self,
                                                            const struct postern_tcp_address *peer,
                                                            uid_t *ret_uid, postern_error *err);
/*
 * Is the other end, which belongs to `owner`, one that may be told what is ours without TLS?  Root's
 * and our own are, and that of `user`, a name or a number (a server in another container may have no
 * name here); NULL or "": nobody's more.  POSTERN_OVERFLOW_UID never is.  Reads the user database.
 */
bool postern_owner_is_trusted(uid_t owner, const char *user);

#endif
