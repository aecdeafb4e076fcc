/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor hands to a child role, and the roles' entry points.  A role starts after
 * fork, user change, no_new_privs and PR_SET_DUMPABLE 0; everything it needs from the file
 * system is here as a descriptor.
 */
#ifndef POSTERN_SIDECAR_ROLE_H
#define POSTERN_SIDECAR_ROLE_H

#include <stddef.h>

#include <postern/config.h>

#define ROLE_LISTEN_MAX 8

struct role_setup {
    postern_config *take_config;              /* the role's own from now on */
    /* Helper: SEQPACKET sockets; issuer: HTTP sockets; bound and listening. */
    int             listen_fds[ROLE_LISTEN_MAX];
    size_t          listen_count;
    /* SOCK_SEQPACKET pair with the supervisor; end of file = stop. */
    int             supervisor_fd;
    int             audit_fd;                 /* helper: O_APPEND; issuer: -1 */
    int             admin_fd;                 /* issuer: listening unix stream socket; helper: -1 */
    int             state_dir_fd;             /* issuer: O_DIRECTORY of its store; helper: -1 */
    const char     *state_dir;                /* the same as a path (SQLite wants one) */
};

/*
 * Exit status of the child: 0 on request.  SIGTERM, SIGINT, SIGHUP and SIGPIPE are ignored
 * there: a role ends by "drain" or by end of file on supervisor_fd (both mean the same), and is
 * killed after drain_timeout.  The working folder is /, umask 077.
 */
int helper_main(struct role_setup *setup);
int issuer_main(struct role_setup *setup);

/*
 * Messages on supervisor_fd and between roles: one JSON object a datagram, "type" first
 * (sidecar/channel.h reads and writes them).
 *
 *   supervisor → helper   {"type":"issuer"} + descriptor
 *                           SEQPACKET pair whose other end the issuer got
 *   supervisor → issuer   {"type":"helper"} + descriptor
 *                           may come before "ready" and any time later: a new one replaces the one
 *                           before, and the issuer tells every revocation again
 *   supervisor → role     {"type":"drain"}
 *                           finish what is in flight, then exit 0
 *   role → supervisor     {"type":"ready"}
 *                           once, within 30 s of its start; the issuer after "jwks_written", the
 *                           helper when it knows what was revoked (helper/helper.h)
 *   role → supervisor     {"type":"link"}
 *                           the line to the other role is gone: make a new one (granted once a
 *                           second; the issuer asks until it has one)
 *   issuer → supervisor   {"type":"jwks","jwks":{…}}
 *                           write it to the embedded issuer's jwks_file, root-owned.  The first
 *                           helper starts when the issuer is ready (or after 5 s)
 *   supervisor → issuer   {"type":"jwks_written"}
 *   issuer → helper       {"type":"revoke","id":n,"issuer":URL,"client":NAME,"before":EPOCH}
 *   issuer → helper       {"type":"revocations_ready","id":n,"issuer":URL}
 *   helper → issuer       {"type":"done","id":n}
 */

#endif
