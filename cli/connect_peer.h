/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose process connected to a loopback port of ours.  Unlike an accepted socket (decision 0011)
 * one that connected has had its owner since socket(2).
 */
#ifndef POSTERN_CLI_CONNECT_PEER_H
#define POSTERN_CLI_CONNECT_PEER_H

#include <postern-private/tcp_peer.h>

/*
 *   fd   accepted, on a loopback address
 *   POSTERN_OK (the other end is `uid`'s) · POSTERN_ERR_PEER_NOT_ALLOWED (another user's, or gone
 *   already) · POSTERN_ERR_SYSTEM (not known)
 */
POSTERN_MUST_USE postern_err connect_peer_check(int fd, uid_t uid, postern_error *err);

#endif
