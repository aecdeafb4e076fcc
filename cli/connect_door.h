/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to a door: resolve, connect, prove that it is the door (TLS with verify-full, or
 * the owner of a unix socket), say one line, read one line.  Blocks until a deadline; what comes
 * after the login does not block and is connect_relay.c's.
 */
#ifndef POSTERN_CLI_CONNECT_DOOR_H
#define POSTERN_CLI_CONNECT_DOOR_H

#include <openssl/ssl.h>
#include <sys/types.h>

#include "connect_answer.h"
#include "connect_target.h"

/* Connect, TLS and the answer together.  Names are resolved before; the resolver has time-outs of
 * its own (resolv.conf(5)). */
#define DOOR_LOGIN_MS 10000

/* By what a door is known; made once, shared by all connections. */
struct connect_trust {
    SSL_CTX *tls;
    uid_t socket_uid; /* besides root and ourselves: who may have made a unix socket */
};

struct connect_door {
    int fd;              /* not blocking; -1: none */
    SSL *ssl;            /* NULL: unix socket */
    int64_t deadline_ms; /* of the login, by clock_boot_ms(); of no meaning afterwards */
};

#define CONNECT_DOOR_NONE ((struct connect_door){ -1, NULL, 0 })

/*
 *   ca_file   PEM; NULL: the system's, as OpenSSL was built, whatever the environment says
 *   own       certificate and key that are shown to a door that asks (RFC 8705); no files: none
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_NOMEM
 */
struct connect_own {
    const char *cert_file, *key_file; /* PEM; both or none */
};
POSTERN_MUST_USE postern_err connect_trust_new(const char *ca_file, struct connect_own own,
                                               uid_t socket_uid, struct connect_trust *ret,
                                               postern_error *err);
void connect_trust_free(struct connect_trust *t);

/*
 *   ret   close with connect_door_close(), in every case
 *   POSTERN_OK · POSTERN_ERR_DOOR_UNREACHABLE · POSTERN_ERR_DOOR_UNTRUSTED · POSTERN_ERR_TIMEOUT ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err connect_door_open(const struct connect_target *target,
                                               const struct connect_trust *trust,
                                               struct connect_door *ret, postern_error *err);
/*
 * Send `line` (with CR LF), and read until the answer is whole.
 *
 *   in         empty; gets what was read, at most ANSWER_LINE_MAX bytes
 *   ret_line   the answer without CR LF, a view into `in`
 *   ret_rest   what came behind it
 *   POSTERN_OK · POSTERN_ERR_DOOR_ANSWER · POSTERN_ERR_DOOR_UNREACHABLE (closed, reset) ·
 *   POSTERN_ERR_TIMEOUT · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err connect_door_ask(struct connect_door *d, postern_bytes line,
                                              postern_buf *in, postern_bytes *ret_line,
                                              postern_bytes *ret_rest, postern_error *err);
void connect_door_close(struct connect_door *d);

/* ---- bytes, without blocking ---- */

typedef enum door_io {
    DOOR_IO_FAILED = 0, /* reset, or cut without TLS's goodbye */
    DOOR_IO_DONE,
    DOOR_IO_WAIT, /* poll(2) for *ret_events, then again */
    DOOR_IO_END   /* read: nothing more will come */
} door_io;

door_io connect_door_read(struct connect_door *d, uint8_t *room, size_t room_len, size_t *ret_len,
                          short *ret_events);
/* After WAIT the next call must begin with the same bytes. */
door_io connect_door_write(struct connect_door *d, postern_bytes bytes, size_t *ret_len,
                           short *ret_events);
/* Say that nothing more comes; reading goes on. */
door_io connect_door_end(struct connect_door *d, short *ret_events);

#endif
