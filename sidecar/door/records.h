/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS records in, bytes out, and back, in memory: an SSL reads what relay.c received and writes
 * where relay.c sends from, so that one system call carries several records and OpenSSL never waits
 * for a socket.  One for all connections of a thread; nothing of a connection stays in it between
 * two calls.
 */
#ifndef POSTERN_SIDECAR_DOOR_RECORDS_H
#define POSTERN_SIDECAR_DOOR_RECORDS_H

#include <openssl/ssl.h>

#include <postern/bytes.h>

#define RECORDS_IN_MAX 65536
/* What was received now, and a record whose beginning an SSL held already. */
#define RECORDS_PLAIN_MAX (RECORDS_IN_MAX + SSL3_RT_MAX_ENCRYPTED_LENGTH)
/* All of that encrypted again (5 bytes of head and at most 256 more for each of six records), or
 * the answers to so many KeyUpdates as RECORDS_IN_MAX holds. */
#define RECORDS_OUT_MAX (RECORDS_PLAIN_MAX + 16384)

struct records {
    BIO_METHOD *method;
    BIO        *bio;                 /* shared by reference by every SSL */
    size_t      in_at, in_len;       /* of in_room, what no SSL has taken yet */
    size_t      out_len;             /* of out, for the caller to send and set to 0 */
    uint8_t     in_room[RECORDS_IN_MAX];
    uint8_t     plain[RECORDS_PLAIN_MAX]; /* also where plain bytes are received */
    uint8_t     out[RECORDS_OUT_MAX];
};

typedef enum records_read {
    RECORDS_BROKEN = 0, /* tls_error_text() says why */
    RECORDS_DRY,        /* everything that is complete is out */
    RECORDS_FULL,       /* `plain` is full: call again before anything more is received */
    RECORDS_END         /* close_notify came: nothing follows */
} records_read;

POSTERN_MUST_USE postern_err records_new(struct records **ret, postern_error *err);
void records_free(struct records *x); /* after the SSLs; NULL is fine */
/* From now on `ssl` reads and writes here.  What it had buffered stays and comes out first. */
void records_attach(struct records *x, SSL *ssl);
/* `received` bytes of in_room (0: only what the SSL holds) into x->plain; x->out may grow. */
records_read records_decrypt(struct records *x, SSL *ssl, size_t received, size_t *ret_len);
/* Append to x->out; false: broken. */
bool records_encrypt(struct records *x, SSL *ssl, postern_bytes plain);
bool records_encrypt_end(struct records *x, SSL *ssl); /* close_notify */

#endif
