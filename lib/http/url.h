/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict split of the URLs that we connect to (RFC 3986, http and https only).  What curl,
 * getaddrinfo(3) or a reader of the log could take in two ways is refused: user info, fragments,
 * backslashes, blanks, anything outside ASCII, a trailing dot, "0x7f.1" and its kin, an empty port,
 * zone identifiers.  Pure; called by http_curl.c, lib/oauth/metadata.c and the command line.
 */
#ifndef POSTERN_LIB_HTTP_URL_H
#define POSTERN_LIB_HTTP_URL_H

#include <postern/bytes.h>

#define POSTERN_HTTP_URL_MAX  2048 /* bytes with NUL: what servers and proxies agree to carry */
#define POSTERN_HTTP_HOST_MAX 254  /* bytes with NUL: RFC 1035 §2.3.4 less the root's dot */

typedef enum postern_url_host {
    POSTERN_URL_HOST_NONE = 0,
    POSTERN_URL_HOST_NAME, /* letters, digits, '-', '_' and dots */
    POSTERN_URL_HOST_IPV4, /* canonical dotted quad */
    POSTERN_URL_HOST_IPV6  /* written in brackets */
} postern_url_host;

struct postern_url {
    bool is_https;
    postern_url_host kind;
    char host[POSTERN_HTTP_HOST_MAX]; /* lower case, no brackets */
    uint8_t address[16];              /* network order; 4 or 16 bytes used, by kind */
    uint16_t port;                    /* the scheme's default when none is written */
    postern_bytes origin;             /* views into the text: "https://host:port" as written */
    postern_bytes path;               /* "" or begins with '/' */
    postern_bytes query;              /* without '?'; empty when absent */
    bool has_query;
};

/*
 *   text   must stay alive while ret's views are read
 *   ret    untouched unless POSTERN_OK
 *   POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_MALFORMED
 */
POSTERN_MUST_USE postern_err postern_url_split(postern_bytes text, struct postern_url *ret,
                                               postern_error *err);
/* Scheme, host and port are the same (RFC 6454 §5). */
bool postern_url_is_same_origin(const struct postern_url *a, const struct postern_url *b);
/* 127.0.0.0/8, ::1, or the name "localhost" (whose addresses are judged again when they are known).
 */
bool postern_url_is_loopback(const struct postern_url *u);

#endif
