/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May this connection go to that address?  Judged for every resolved address, in the open-socket
 * callback, so that a name cannot mean one thing when it is checked and another when it is used.
 * Pure; called by http_curl.c alone.
 */
#ifndef POSTERN_LIB_URL_GUARD_H
#define POSTERN_LIB_URL_GUARD_H

#include <sys/socket.h>

#include "http/url.h"

/*
 *   url                  what is fetched: http goes to loopback only; a literal host only to itself
 *   is_host_configured   the host stands in our own configuration, so private and loopback
 * addresses are what its owner meant; a host that a fetched document named gets public addresses
 * only POSTERN_OK · POSTERN_ERR_ISSUER_UNTRUSTED
 */
POSTERN_MUST_USE postern_err postern_url_guard_check(const struct postern_url *url,
                                                     bool is_host_configured,
                                                     const struct sockaddr *to, socklen_t to_len,
                                                     postern_error *err);

#endif
