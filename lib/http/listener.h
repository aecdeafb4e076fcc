/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who listens on a loopback port.  Over http to loopback there is no certificate; what stands in
 * its place is that the listening socket belongs to root or to posternd's user, by /proc/net/tcp
 * and tcp6.
 *
 * The proof for one connection: the same listening sockets, by inode, all of them trusted, before
 * connect(2) and after it.  A port has no second owner while a socket listens on it, and a socket's
 * inode is never used again, so the connection went to one of them.  The uid of the accepted end is
 * no evidence: it is that of the child that accepted (posternd drops its user), or 0 until it is
 * accepted.  doc/decisions/0011-loopback-listener.md.
 */
#ifndef POSTERN_LIB_LISTENER_H
#define POSTERN_LIB_LISTENER_H

#include <sys/socket.h>
#include <sys/types.h>

#include <postern-private/proc_tcp.h>

/* Sockets that listen for one address: SO_REUSEPORT per core; more is unclear. */
#define POSTERN_LISTENERS_MAX 8

struct postern_listeners {
    size_t count;
    struct {
        uid_t uid;
        uint64_t inode;
    } at[POSTERN_LISTENERS_MAX];
};

/* POSTERN_OK · ISSUER_UNTRUSTED (no IP address) */
POSTERN_MUST_USE postern_err postern_listener_address_from(const struct sockaddr *sa, socklen_t len,
                                                           struct postern_tcp_address *ret,
                                                           postern_error *err);
/*
 * One line of /proc/net/tcp or tcp6, without its newline: when it is a socket that listens for
 * `where` (also on the wildcard), add it to `set`. POSTERN_OK · ISSUER_UNTRUSTED (not a line as the
 * kernel writes it, too many, no inode)
 */
POSTERN_MUST_USE postern_err postern_listeners_add_line(struct postern_listeners *set,
                                                        const struct postern_tcp_address *where,
                                                        postern_bytes line, postern_error *err);
/*
 * All listeners for `where`: at least one, each of root or of `uid`.  Blocking reads of /proc,
 * which never wait. POSTERN_OK · ISSUER_UNREACHABLE (nobody listens) · ISSUER_UNTRUSTED (another
 * user does, or unclear)
 */
POSTERN_MUST_USE postern_err postern_listeners_find(const struct postern_tcp_address *where,
                                                    uid_t uid, struct postern_listeners *ret,
                                                    postern_error *err);
/* The same sockets, in any order. */
bool postern_listeners_are_same(const struct postern_listeners *a,
                                const struct postern_listeners *b);

#endif
