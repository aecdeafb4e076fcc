/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One issuer's keys, from a file or fetched: what is in force, its generation, and how long it
 * stays so when its source fails.  Swapped whole under a lock.  A broken replacement leaves the old
 * keys in force for a bounded time; without any key nothing is verified.  RFC 7517 §5.
 */
#ifndef POSTERN_LIB_KEYRING_H
#define POSTERN_LIB_KEYRING_H

#include "fetch.h"
#include "grant/op.h"
#include "jose/jwks.h"

/* While a source cannot be used, an event each hour: the first of a night is scrolled away by
 * morning. */
#define POSTERN_KEYRING_REMIND_MS 3600000

struct keyring; /* thread-safe */

/* AGAIN: a token names a kid that is not among them.  AHEAD: upkeep, before they are old. */
enum keyring_look { KEYRING_LOOK_WHEN_DUE = 0, KEYRING_LOOK_AGAIN, KEYRING_LOOK_AHEAD };

struct key_look {
    enum keyring_look how;
    postern_bytes kid; /* of LOOK_AGAIN; a stranger's word */
    int64_t asked_ms;  /* of LOOK_AGAIN: when this token came (postern_op_mono_ms()) */
};

/* Whose keys; keyring.c is alone in knowing when they count. */
struct key_source;

/* What came of a look. */
struct key_news {
    enum { KEY_NEWS_NONE = 0, KEY_NEWS_SAME, KEY_NEWS_FRESH, KEY_NEWS_BROKEN } kind;
    postern_jwks *fresh; /* FRESH: the keyring's */
    postern_error why;   /* BROKEN */
};

struct key_source_class {
    const char *field;       /* what events call `shown` */
    int64_t stale_ms;        /* how long keys outlive their source */
    bool is_stale_from_good; /* counted from when it was last good, not from when it broke */
    /*
     * Look if it is time to.  Called with the keyring's lock held.
     *   has_keys   some are in force: what says "not changed" will do
     *   ret_wait   set on AGAIN alone
     *   POSTERN_OK · AGAIN · NOMEM (which says nothing about the source)
     */
    postern_err (*look)(struct key_source *s, postern_op *op, const struct key_look *look,
                        bool has_keys, struct key_news *ret, struct fetch **ret_wait,
                        postern_error *err);
    /* Until LOOK_AHEAD has something to do; -1: never. */
    int64_t (*due_in_ms)(struct key_source *s, int64_t now_ms);
    void (*free)(struct key_source *s);
};

/* A source embeds it as its first member. */
struct key_source {
    const struct key_source_class *class;
    const char *shown; /* file or URL, for people */
};

/* take_source is freed with it, also on failure.  Asks nothing yet.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_keyring_new(struct key_source *take_source,
                                                 struct keyring **ret, postern_error *err);
void postern_keyring_free(struct keyring *k); /* NULL is fine */
/*
 * The keys in force, or where to wait for them.  Events (keys.loaded, keys.unusable, keys.dropped)
 * go to op.  A fetch that is under way is stepped: ask again when its descriptor is readable.
 *
 *   ret              the caller's own reference: postern_jwks_free()
 *   ret_generation   another one each time that other keys came into force
 *   ret_wait         set on AGAIN alone; the caller's to postern_fetch_free()
 *   POSTERN_OK · AGAIN · KEYS_UNAVAILABLE · NOMEM
 */
POSTERN_MUST_USE postern_err postern_keyring_get(struct keyring *k, postern_op *op,
                                                 const struct key_look *look, postern_jwks **ret,
                                                 uint64_t *ret_generation, struct fetch **ret_wait,
                                                 postern_error *err);
/* The same look, when it is due, for whoever has a proof by keys of a generation already. */
POSTERN_MUST_USE postern_err postern_keyring_generation(struct keyring *k, postern_op *op,
                                                        uint64_t *ret_generation,
                                                        struct fetch **ret_wait,
                                                        postern_error *err);
/* Milliseconds until LOOK_AHEAD has something to do; 0: now; -1: never. */
int64_t postern_keyring_due_in_ms(struct keyring *k, int64_t now_ms);

#endif
