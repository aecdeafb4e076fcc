/* SPDX-License-Identifier: BSD-2-Clause */
/* Between sidecar/door/tls.c and tls_own.c: a server's context without a certificate yet. */
#ifndef POSTERN_SIDECAR_DOOR_TLS_OWN_H
#define POSTERN_SIDECAR_DOOR_TLS_OWN_H

#include <openssl/ssl.h>

#include <postern/error.h>

POSTERN_MUST_USE postern_err tls_new_server(const char *name, SSL_CTX **ret, postern_error *err);

#endif
