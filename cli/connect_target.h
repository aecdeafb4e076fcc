/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a door is: SERVICE://HOST:PORT, or SERVICE+unix:///PATH for one on a unix socket.  Pure. */
#ifndef POSTERN_CLI_CONNECT_TARGET_H
#define POSTERN_CLI_CONNECT_TARGET_H

#include <stdbool.h>

#include <postern/error.h>

#include "host_match.h"

#define TARGET_SERVICE_ROOM 64  /* bytes: a DNS label, and the NUL */
#define TARGET_PATH_ROOM    108 /* bytes: sun_path of unix(7) */
#define TARGET_TEXT_ROOM    512 /* bytes: all parts, and what stands between them */

struct connect_target {
    char service[TARGET_SERVICE_ROOM]; /* lower case: schemes ignore case (RFC 3986 §3.1) */
    char host[HOST_NAME_MAX_LEN + 1];  /* as written; IPv6 without brackets; "localhost" for unix */
    char port[6];                      /* "" for unix */
    char path[TARGET_PATH_ROOM];       /* "" for TCP */
    char text[TARGET_TEXT_ROOM];       /* the URL again, for messages: printable ASCII */
};

/* True for words that are meant as a URL; others are names in the client's configuration. */
bool connect_target_is_url(const char *word);
/*
 * No user, no path behind the port, no default port, nothing that two readers could take for two
 * hosts.
 *   POSTERN_OK · POSTERN_ERR_USAGE
 */
POSTERN_MUST_USE postern_err connect_target_parse(const char *url, struct connect_target *ret,
                                                  postern_error *err);

#endif
