/* SPDX-License-Identifier: BSD-2-Clause */
/* Judges a configured URL; never rewrites it: an issuer is compared byte for byte (RFC 8414 §3.3).
 */
#ifndef POSTERN_LIB_URL_H
#define POSTERN_LIB_URL_H

#include <postern/grant.h>

/* Bytes: with "/.well-known/oauth-protected-resource/" it still fits a field of postern_failure. */
#define POSTERN_CONFIG_URL_MAX (POSTERN_URL_MAX - 64)

enum url_loopback_http { URL_LOOPBACK_HTTP_REFUSED = 0, URL_LOOPBACK_HTTP_ALLOWED };

/*
 * NULL when `url` is https://HOST[:PORT][/PATH], or http:// to 127.0.0.1 or [::1] where that is
 * allowed; else why not, as the end of a sentence.  No query, fragment, user information or control
 * character.
 */
const char *postern_url_fault(const char *url, enum url_loopback_http loopback_http);
/* NULL when `text` is 127.0.0.1:PORT or [::1]:PORT, else why not. */
const char *postern_listen_fault(const char *text);
/* NULL when `text` is a literal address with a port, 0.0.0.0:PORT and [::]:PORT included. */
const char *postern_address_fault(const char *text);
/* Two of them, or two "unix:/PATH", that name one place; [::1]:80 and [0::1]:80 do. */
bool postern_address_is_same(const char *a, const char *b);
/* NULL when `text` is HOST:PORT, the host a name or a literal address. */
const char *postern_target_fault(const char *text);

#endif
