/* SPDX-License-Identifier: BSD-2-Clause */
/* The digest of an action's arguments, as doors and the command line make it. */
#ifndef POSTERN_SIDECAR_DOOR_ARGS_DIGEST_H
#define POSTERN_SIDECAR_DOOR_ARGS_DIGEST_H

#include <postern-private/args_digest.h>

#endif
