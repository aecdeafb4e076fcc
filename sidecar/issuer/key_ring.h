/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of our tokens over their lives: one signs; the next is announced, in the key set, before
 * it does; an old one stays in the set until the last token that it signed has ended.  A kid is the
 * thumbprint of its key and so never comes back.  Every step is on disk before the next begins:
 * after kill -9 it is found where it stood, and goes on.
 */
#ifndef POSTERN_ISSUER_KEY_RING_H
#define POSTERN_ISSUER_KEY_RING_H

#include <postern-private/mint.h>

#include "settings.h"
#include "store_keys.h"

/* Seconds: drain_timeout:'s maximum; the issuer before us may sign with the old key so long. */
#define KEY_DRAIN_MAX_S 600
/* Seconds that an old key is kept: the longest life of a token, clocks that differ, a reload. */
#define KEY_KEEP_S (ISSUER_REMOVAL_KEEP_S + KEY_DRAIN_MAX_S)
/* Keys in the set at one time: an administrator may rotate that often within KEY_KEEP_S; readers
 * take 100. */
#define KEY_RING_MAX 32

struct key_ring;

struct key_times {
    int64_t rotation_s; /* age at which the key is replaced; 0: never by itself */
    int64_t announce_s; /* how long the next one is in the set before it signs */
};

/*
 * Read keys and rows, make the first key.
 *
 *   store, dir_fd   stay the caller's and must stay open
 *   POSTERN_OK · codes of keys.h and store_keys.h · POSTERN_ERR_INTERNAL
 */
POSTERN_MUST_USE postern_err key_ring_open(struct store *store, int dir_fd, int64_t now_s,
                                           struct key_ring **ret, postern_error *err);
void key_ring_free(struct key_ring *r); /* NULL is fine */

/* Owned by the ring; good until the next call that may change it. */
const postern_signing_key *key_ring_signer(const struct key_ring *r);
/* {"keys":[…]}, public members only: what signs, what is announced, what is kept. */
postern_bytes key_ring_public(const struct key_ring *r);
/* Rows, oldest first; the last of them without started_s is the next one. */
const struct key_row *key_ring_rows(const struct key_ring *r, size_t *ret_count);
/* NULL: none is announced. */
const struct key_row *key_ring_next(const struct key_ring *r);

/*
 * Do what is due: read again what the issuer before us may have changed, make the next key when
 * the one that signs is old, let it take over when it was published long enough, drop old ones.
 * Same codes as key_ring_open().
 *   ret_changed   the public set is another one: publish it, then key_ring_note_published()
 */
POSTERN_MUST_USE postern_err key_ring_step(struct key_ring *r, const struct key_times *times,
                                           int64_t now_s, bool *ret_changed, postern_error *err);
/*
 * Announce a next key now; nothing happens when one is announced already.
 *   ret_is_full   KEY_RING_MAX keys are in the set: nothing was done
 */
POSTERN_MUST_USE postern_err key_ring_make_next(struct key_ring *r, int64_t now_s,
                                                bool *ret_is_full, postern_error *err);
/* The set as it is now can be read by everybody. */
POSTERN_MUST_USE postern_err key_ring_note_published(struct key_ring *r, int64_t now_s,
                                                     postern_error *err);

#endif
