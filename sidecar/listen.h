/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets that posternd listens on, all made by the supervisor before any child and any
 * secret exists: the helper's SEQPACKET sockets and its saslauthd one, the issuer's loopback HTTP and its
 * administration socket, each door's addresses once for each loop, control and status.  A reload
 * takes over what stays the same; a service manager may have made some before us.
 */
#ifndef POSTERN_SIDECAR_LISTEN_H
#define POSTERN_SIDECAR_LISTEN_H

#include <sys/socket.h>

#include <postern/config.h>

/* Each is a descriptor here and one in a child: some hundred doors on two loops. */
#define LISTENERS_MAX 1024

typedef enum listener_kind {
    LISTENER_NONE = 0,
    LISTENER_HELPER, /* unix SEQPACKET, 0666: helper_peers: decide by SO_PEERCRED */
    LISTENER_HTTP,   /* TCP on loopback */
    LISTENER_ADMIN,  /* unix stream, 0666: admin_peers: decide by SO_PEERCRED */
    LISTENER_DOOR,   /* TCP anywhere or unix stream, 0666: tokens decide */
    LISTENER_CONTROL, /* unix stream, 0666: control_admins: and control_watchers: by SO_PEERCRED */
    LISTENER_STATUS, /* TCP: changes nothing */
    LISTENER_SASLAUTHD /* unix stream, 0666: helper_peers: decide by SO_PEERCRED */
} listener_kind;

struct listener {
    listener_kind kind;
    int           fd;
    const char   *address; /* owned by the configuration it was made from */
    const char   *door;    /* name of its section; NULL for the others */
    size_t        loop;    /* of the door role; 0 for the others */
};

struct listeners {
    struct listener *list;
    size_t           count, room;
};

/*
 * Bind and listen on everything that a configuration names.  A stale socket file is replaced
 * when nobody answers there.
 *
 *   c     must live as long as *ret
 *   loops of the door role
 *   old   of the configuration before (its descriptors are duplicated where kind and address are
 *         the same), or NULL
 *   ret   on POSTERN_OK closed by listeners_close()
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE (not an address of loopback, too many) · CONFIG_FILE
 *   (folder not trusted, not a socket) · CONFIG_CONFLICT (somebody answers there already) ·
 *   SYSTEM
 */
POSTERN_MUST_USE postern_err listeners_open(const postern_config *c, size_t loops,
                                            const struct listeners *old, struct listeners *ret,
                                            postern_error *err);
/* Judge the addresses without touching anything: posternd --check. */
POSTERN_MUST_USE postern_err listeners_check(const postern_config *c, postern_error *err);
void listeners_close(struct listeners *ls);
/* Remove the socket files of `old` that `now` does not have: the administrator took them out of
 * the configuration. */
void listeners_unlink_gone(const struct listeners *old, const struct listeners *now);

/* A literal address and a port from 1, anywhere.  POSTERN_OK · POSTERN_ERR_CONFIG_VALUE */
POSTERN_MUST_USE postern_err listen_parse(const char *text, struct sockaddr_storage *ret,
                                          socklen_t *ret_len, postern_error *err);
/*
 * "127.0.0.1:8414", "[::1]:8414": a literal address of loopback (127.0.0.0/8, ::1) and a port
 * from 1.  Nothing else, because bearer tokens and client secrets travel here without TLS.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE
 */
POSTERN_MUST_USE postern_err listen_parse_loopback(const char *text, struct sockaddr_storage *ret,
                                                   socklen_t *ret_len, postern_error *err);

#endif
