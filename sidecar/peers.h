/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which local processes may ask: `helper_peers:` of each service file, `admin_peers:` of
 * issuer.conf, `control_admins:` and `control_watchers:`, against SO_PEERCRED and SO_PEERGROUPS.
 * Names are resolved once, at start; root may always ask, because root can become anyone.
 */
#ifndef POSTERN_SIDECAR_PEERS_H
#define POSTERN_SIDECAR_PEERS_H

#include <sys/types.h>

#include <postern/config.h>

/* A process at the other end of a unix socket, as it was at connect(2). */
struct peer {
    pid_t  pid;
    uid_t  uid;
    gid_t  gid;
    gid_t *groups; /* supplementary */
    size_t group_count;
};

/*
 * Ask the kernel who is there.
 *   ret   freed by peer_free() on POSTERN_OK
 *   POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err peer_of_socket(int fd, struct peer *ret, postern_error *err);
void peer_free(struct peer *p);

struct peers; /* the rules of one or more sections */
/*
 * Resolve every helper_peers: and handle_peers: of `config` (borrowed for life).  A name that does not exist here
 * admits nobody and is logged.
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err peers_new(const postern_config *config, struct peers **ret,
                                       postern_error *err);
/* The same for one section and its list `key`, for example "admin_peers". */
POSTERN_MUST_USE postern_err peers_new_for(const postern_section *section, const char *key,
                                           struct peers **ret, postern_error *err);
void peers_free(struct peers *p);
/* Does any of the rules name `peer`?  Who is named nowhere is a stranger. */
bool peers_know(const struct peers *p, const struct peer *peer);
/* May `peer` ask as `section` (a service, or issuer.conf)? */
bool peers_allow(const struct peers *p, const postern_section *section, const struct peer *peer);
/* May `peer` have handles minted for a service?  Who may ask as it, and handle_peers:. */
bool peers_allow_handles(const struct peers *p, const postern_section *section,
                         const struct peer *peer);

#endif
