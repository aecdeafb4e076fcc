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
/*
 * The name that `hosts:` of a client file is compared with, where a token may go there at all: over
 * TLS whose certificate was checked for that name, loopback, or a unix socket.
 *   POSTERN_OK · TLS_REQUIRED · NO_TOKEN (no host)
 */
POSTERN_MUST_USE postern_err hook_target(const struct hook_connection *c, const char **ret_host,
                                         postern_error *err);

#endif
