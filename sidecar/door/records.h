/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS records in, bytes out, and back.  An SSL writes where leg.c sends from, so that one system
 * call carries several records and OpenSSL never waits for a socket.  It reads the body of a record
 * straight from the socket into its own buffer, with the head of the next one, and small records
 * together through a buffer here.  One for all connections of a thread; nothing of a connection
 * stays in it between two calls.
 */
#ifndef POSTERN_SIDECAR_DOOR_RECORDS_H
#define POSTERN_SIDECAR_DOOR_RECORDS_H

#include <openssl/ssl.h>

#include <postern/bytes.h>

/* Received in one call, before others have their turn; the record under way then is the last. */
#define RECORDS_TURN_MAX 65536
/* That, the record that an SSL held a part of, and the last one. */
#define RECORDS_PLAIN_MAX (RECORDS_TURN_MAX + 2 * SSL3_RT_MAX_ENCRYPTED_LENGTH)
/* All of that encrypted again (5 bytes of head and at most 256 more for each of seven records), or
 * the answers to so many KeyUpdates as a turn receives. */
#define RECORDS_OUT_MAX (RECORDS_PLAIN_MAX + 16384)
#define RECORDS_WHY_MAX 128 /* bytes with NUL: words for people, cut there */

struct records {
    BIO_METHOD *method;
    BIO        *bio;                 /* shared by reference by every SSL */
    int         fd;                  /* of the call that is being made; -1: receive nothing */
    size_t      in_at, in_len;       /* of in_room, what the SSL has not taken yet */
    size_t      received;            /* in this call */
    size_t      asked;               /* how often an SSL has asked, ever */
    bool        is_dry;              /* the socket had less than was asked for */
    bool        is_cut;              /* … but its end */
    int         error;               /* … but this */
    size_t      out_len;             /* of out, for the caller to send and set to 0 */
    uint8_t     in_room[SSL3_RT_MAX_ENCRYPTED_LENGTH]; /* one record or many small ones */
    uint8_t     plain[RECORDS_PLAIN_MAX]; /* also where plain bytes are received */
    uint8_t     out[RECORDS_OUT_MAX];
    char        why[RECORDS_WHY_MAX]; /* leg.c's last LEG_BROKEN, for whoever called */
};

typedef enum records_read {
    RECORDS_BROKEN = 0, /* tls_error_text() says why */
    RECORDS_DRY,        /* everything that is complete is out; is_dry: and the socket empty */
    RECORDS_FULL,       /* `plain` is full: call again before anything more is received */
    RECORDS_END         /* close_notify came: nothing follows */
} records_read;

POSTERN_MUST_USE postern_err records_new(struct records **ret, postern_error *err);
void records_free(struct records *x); /* after the SSLs; NULL is fine */
/* From now on `ssl` reads and writes here.  What it had buffered stays and comes out first. */
void records_attach(struct records *x, SSL *ssl);
/* What the SSL holds, and one turn of what `fd` has (-1: not), into x->plain; x->out may grow.  An
 * end or error of the socket is no failure: what came before it is out, is_cut and error say so. */
records_read records_decrypt(struct records *x, SSL *ssl, int fd, size_t *ret_len);
/* Append to x->out; false: broken. */
bool records_encrypt(struct records *x, SSL *ssl, postern_bytes plain);
bool records_encrypt_end(struct records *x, SSL *ssl); /* close_notify */

#endif
