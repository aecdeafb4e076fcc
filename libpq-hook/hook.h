/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of libpostern-libpq.so share: a library for LD_PRELOAD (or to link) that gives libpq
 * 18 a token where it would send a person to a browser.  Calls libpq by weak references: in a program
 * without one (the wrapper around psql, a pager) it does nothing.
 */
#ifndef LIBPQ_HOOK_HOOK_H
#define LIBPQ_HOOK_HOOK_H

#include <postern/bytes.h>

/* ---- target.c: where the token would go; pure ---- */
struct hook_connection {
    const char *host;     /* name, address, or folder of a unix socket; NULL: unknown */
    const char *hostaddr; /* address that is connected; NULL or "": unknown */
    const char *sslmode;  /* NULL: unknown */
    bool is_tls;
};
/* Where it may go, if `is_here` only to whom hook_peer() allows. */
struct hook_goal {
    const char *host; /* what `hosts:` of a client file is compared with; borrowed */
    bool is_here;     /* this machine, and no certificate says who answers */
};
/*
 * A token may go over TLS whose certificate was checked for the host's name; or on this machine, to
 * a unix socket or to loopback that is written as such (`localhost` or an address), whatever a
 * resolver says.
 *   POSTERN_OK · TLS_REQUIRED · NO_TOKEN (no host)
 */
POSTERN_MUST_USE postern_err hook_target(const struct hook_connection *c, struct hook_goal *ret,
                                         postern_error *err);

/* ---- peer.c: whose process answers on this machine ---- */
#define SERVER_USER_DEFAULT "postgres" /* whom packages run PostgreSQL as */
/*
 * The other end must be held by root, by our own user, or by the server's.  Reads /proc and the
 * user database.
 *
 *   fd             connected, to a unix socket or within this machine
 *   require_peer   name or number of the server's user, libpq's requirepeer; NULL or "": the default
 *   POSTERN_OK · TLS_REQUIRED (another user's, or not known)
 */
POSTERN_MUST_USE postern_err hook_peer(int fd, const char *require_peer, postern_error *err);

#endif
