/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS settings of a door: contexts for its clients and for its backend, from descriptors that the
 * supervisor opened; a P-256 certificate of its own for loopback where none is configured.
 */
#ifndef POSTERN_SIDECAR_DOOR_TLS_H
#define POSTERN_SIDECAR_DOOR_TLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <postern/bytes.h>

#define TLS_FILE_MAX (1u << 20) /* bytes of a PEM file: a system's whole CA bundle is 220 KB */

/* A PEM file: its descriptor, read from its beginning and still the caller's (-1: there is none), and
 * what errors call it. */
struct tls_file {
    int         fd;
    const char *name;
};

/* So that SSL_get_error(3) tells of the next call alone.  There hardly ever is one to be forgotten,
 * and ERR_clear_error(3) walks through all sixteen places each time. */
static inline void tls_forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/*
 * Context for clients: TLS 1.2 and later, AES-128 with SHA-256 first in 1.3, the chain of the file and
 * no other, one ticket at most, no renegotiation, buffers released when idle, partial writes from
 * moving buffers.
 *
 *   client_ca   none: no client certificate is asked for
 *   name        of the section, for errors
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (not PEM, key and certificate differ, …) · NOMEM
 */
POSTERN_MUST_USE postern_err tls_server_context(struct tls_file cert, struct tls_file key,
                                                struct tls_file client_ca, const char *name,
                                                SSL_CTX **ret, postern_error *err);
/* A context of its own with the certificate and key of `own`, for clients of `client_ca` (none: no
 * certificate is asked for).  POSTERN_OK · CONFIG_FILE · NOMEM */
POSTERN_MUST_USE postern_err tls_server_context_again(const SSL_CTX *own, struct tls_file client_ca,
                                                      const char *name, SSL_CTX **ret,
                                                      postern_error *err);
/*
 * From now on clients are asked for a certificate.  Whoever shows one proves that it holds the key;
 * who vouches for it, and until when, is not asked, since a token that is bound to it names the
 * certificate itself (RFC 8705 §3).  Each connection proves it anew: there are no tickets.
 *   POSTERN_OK · NOMEM
 */
POSTERN_MUST_USE postern_err tls_ask_for_certificate(SSL_CTX *ctx, const char *name,
                                                     postern_error *err);
#define TLS_CERT_SHA256_LEN 32
/* SHA-256 of the DER of the certificate that the client showed on this connection.  False: none. */
bool tls_client_certificate(const SSL *ssl, uint8_t ret[TLS_CERT_SHA256_LEN]);
/* Was the session resumed, and is the client's certificate that began it out of its time?  OpenSSL
 * asks that in a full handshake alone, and each resumed session has a new ticket. */
bool tls_resumes_expired(const SSL *ssl, int64_t now_s);
/*
 * The same with a fresh self-signed certificate for localhost, 127.0.0.1 and ::1, valid for ten
 * years, its key in this process's memory alone.
 *   ret_pem   the certificate, for clients to trust
 */
POSTERN_MUST_USE postern_err tls_server_context_for_loopback(SSL_CTX **ret, postern_buf *ret_pem,
                                                             postern_error *err);
/*
 * Context for a backend.  Verifies the chain; the caller of SSL_new() says which name to expect
 * (sidecar/door/upstream.c).
 *   ca          none: the system's; see tls_system_ca_open()
 *   cert, key   client certificate (`backend_auth: certificate`); none, or both are there
 */
POSTERN_MUST_USE postern_err tls_client_context(struct tls_file ca, struct tls_file cert,
                                                struct tls_file key, const char *name,
                                                SSL_CTX **ret, postern_error *err);
/* The system's bundle of trust anchors, close-on-exec; -1: none found.  For the supervisor, where a
 * door's child may not open it any more. */
int tls_system_ca_open(void);
/* What OpenSSL's queue says, for an error detail; empties the queue. */
const char *tls_error_text(char *room, size_t room_size);

#endif
