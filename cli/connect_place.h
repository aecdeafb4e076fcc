/* SPDX-License-Identifier: BSD-2-Clause */
/* Where `postern connect --listen` listens: a unix socket that only the user can reach, or a
 * loopback port. */
#ifndef POSTERN_CLI_CONNECT_PLACE_H
#define POSTERN_CLI_CONNECT_PLACE_H

#include <sys/stat.h>

#include <postern/error.h>

#include <stdbool.h>

#define PLACE_TEXT_ROOM 128 /* bytes: "unix:" and a path, or an address and a port */

struct connect_place {
    int fd; /* listening, not blocking; -1: none */
    bool is_unix;
    char text[PLACE_TEXT_ROOM]; /* as it can be passed on: the port that was chosen for 0 */
    dev_t device;               /* of our socket file, so that no other's is removed */
    ino_t inode;
};

/*
 *   where   "unix:/PATH": its folder must be the user's, and nobody else's to write; a socket that
 *           nobody listens on any more is replaced, anything else there is left alone.
 *           "127.0.0.1:PORT", "[::1]:PORT": 0 lets the kernel choose
 *   ret     close with connect_place_close(), in every case
 *   POSTERN_OK · POSTERN_ERR_USAGE · POSTERN_ERR_CONFIG_FILE (the path cannot be used) ·
 *   POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err connect_place_open(const char *where, struct connect_place *ret,
                                                postern_error *err);
/* Removes the socket file too, when it is still ours. */
void connect_place_close(struct connect_place *p);

#endif
