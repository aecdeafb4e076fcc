/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One issuer's keys from its jwks_file: read when first asked, read again when the file was
 * replaced, swapped whole under a lock. A broken replacement leaves the old keys in force for a
 * bounded time; without any key nothing is verified.  RFC 7517 §5.
 */
#ifndef POSTERN_LIB_KEYRING_H
#define POSTERN_LIB_KEYRING_H

#include "grant/op.h"
#include "jose/jwks.h"
#include "trusted_file.h"

/* One stat(2) a second at most: a rotated key counts within a second, and a thousand logins a
 * second cost nothing. */
#define POSTERN_KEYRING_RECHECK_MS 1000
/* For a token with an unknown kid, and while no usable file was found: ten looks a second, whatever
 * strangers send. */
#define POSTERN_KEYRING_HURRY_MS 100
/* How long keys outlive their file: an administrator's slip can be mended, a withdrawn key does not
 * live on for long. */
#define POSTERN_KEYRING_STALE_MS 300000

struct keyring; /* thread-safe */

enum keyring_look { KEYRING_LOOK_WHEN_DUE = 0, KEYRING_LOOK_AGAIN };

/* `path` is kept, not copied.  Reads nothing yet.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_keyring_new(const char *path, enum file_trust trust,
                                                 struct keyring **ret, postern_error *err);
void postern_keyring_free(struct keyring *k);
/*
 * The keys in force.  Events (keys.loaded, keys.unusable, keys.dropped) go to op.
 *
 *   ret              the caller's own reference: postern_jwks_free()
 *   ret_generation   another one each time that other keys came into force
 *   POSTERN_OK · KEYS_UNAVAILABLE · NOMEM
 */
POSTERN_MUST_USE postern_err postern_keyring_get(struct keyring *k, postern_op *op,
                                                 enum keyring_look look, postern_jwks **ret,
                                                 uint64_t *ret_generation, postern_error *err);
/* The same look, when it is due, for whoever has a proof by keys of a generation already. */
POSTERN_MUST_USE postern_err postern_keyring_generation(struct keyring *k, postern_op *op,
                                                        uint64_t *ret_generation,
                                                        postern_error *err);

#endif
