/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's list of TCP sockets, /proc/net/tcp and tcp6 (proc(5)): addresses, state, owner and
 * inode of each.  One reader for who listens on a loopback port (lib/http/listener.c) and for who
 * connected to one (cli/connect_peer.c).  Whatever is not exactly as the kernel writes it is an
 * error, never skipped.  Not installed.
 */
#ifndef POSTERN_PRIVATE_PROC_TCP_H
#define POSTERN_PRIVATE_PROC_TCP_H

#include <sys/socket.h>
#include <sys/types.h>

#include <postern/bytes.h>

/* States, from the kernel's tcp_states.h. */
#define POSTERN_TCP_ESTABLISHED 0x01
#define POSTERN_TCP_FIN_WAIT1   0x04
#define POSTERN_TCP_FIN_WAIT2   0x05
#define POSTERN_TCP_LISTEN      0x0a

/* Sockets of a network namespace that are read before we give up. */
#define POSTERN_PROC_TCP_LINES 1000000

struct postern_tcp_address {
    uint8_t ip[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

struct postern_tcp_socket {
    struct postern_tcp_address local, remote;
    unsigned state;
    uid_t uid;      /* 0 where nobody holds the socket any more: look at the inode */
    uint64_t inode; /* 0: not accepted yet, or closed by its process */
};

/* False: no IP address. */
bool postern_tcp_address_from(const struct sockaddr *sa, socklen_t len,
                              struct postern_tcp_address *ret);
bool postern_tcp_address_equal(const struct postern_tcp_address *a,
                               const struct postern_tcp_address *b);
/* One line without its newline; false: not as the kernel writes it. */
bool postern_proc_tcp_read_line(postern_bytes line, struct postern_tcp_socket *ret);
/*
 * Every line of both files, without the headings.  Blocking reads of /proc, which never wait.  The
 * list moves while it is read: a socket may be missed, or come twice.
 *
 *   visit   any code but POSTERN_OK ends the walk and is returned
 *   POSTERN_OK · POSTERN_ERR_SYSTEM (a file cannot be read, an overlong line, too many)
 */
POSTERN_MUST_USE postern_err postern_proc_tcp_walk(postern_err (*visit)(void *arg,
                                                                        postern_bytes line,
                                                                        postern_error *err),
                                                   void *arg, postern_error *err);

#endif
