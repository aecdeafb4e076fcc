/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many connections may be busy logging in, all together and from one source.  Shared by the
 * loops of a door; counted at accept, given back when the connection is a session or closed.
 */
#ifndef POSTERN_SIDECAR_DOOR_LIMITS_H
#define POSTERN_SIDECAR_DOOR_LIMITS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <postern/error.h>

#define LIMITS_SOURCE_MAX 48 /* bytes with NUL: an IPv6 /64, or "uid" and a number */

typedef enum limits_verdict {
    LIMITS_REFUSE = 0,  /* this source has its share */
    LIMITS_MAKE_ROOM,   /* all places are taken: the oldest of this loop goes, or this one */
    LIMITS_ADMIT
} limits_verdict;

struct limits;

POSTERN_MUST_USE postern_err limits_new(struct limits **ret, postern_error *err);
void limits_free(struct limits *l);
void limits_set(struct limits *l, size_t total_max, size_t per_source_max); /* at each reload */

/* Whose share an address counts for: IPv4 whole, IPv6 its /64, unix sockets together. */
void limits_source_of(const struct sockaddr *address, char ret[LIMITS_SOURCE_MAX]);
/* The same of a unix socket whose user is known: no user of this machine has another's share. */
void limits_source_of_user(uid_t uid, char ret[LIMITS_SOURCE_MAX]);
/*
 * Do many people who have nothing to do with each other come from there?  All users of a machine
 * reach its loopback by one address, so a share that is used up must not shut out the rest of them.
 */
bool limits_source_is_shared(const struct sockaddr *address);

/* ADMIT and MAKE_ROOM are counted: limits_release() gives back. */
limits_verdict limits_take(struct limits *l, const char *source);
void limits_release(struct limits *l, const char *source);
size_t limits_in_use(struct limits *l);

#endif
