/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often each source of logins may make us ask an issuer: a token bucket for each, in fixed
 * memory.  Not thread-safe; introspector.c locks.
 */
#ifndef POSTERN_LIB_SOURCE_BUCKETS_H
#define POSTERN_LIB_SOURCE_BUCKETS_H

#include <postern/bytes.h>

/* An issuer elsewhere.  At once: what a host that starts its agents together sends. */
#define POSTERN_SOURCE_BURST 64
/* Then: four times what a busy agent needs whose answers are kept for no longer than a second. */
#define POSTERN_SOURCE_PER_S 16
/* Sources remembered: of more at the same time, those that asked least are forgotten first, and the
 * issuer's own cap is what is left. */
#define POSTERN_SOURCES_MAX 2048
#define POSTERN_SOURCE_WAYS 4 /* places where one source may stand */

struct source_rate {
    int burst; /* drops of a full bucket */
    int per_s; /* that run in */
};

struct source_buckets; /* 64 KiB */

/* POSTERN_OK · NOMEM · SYSTEM (no random numbers) */
POSTERN_MUST_USE postern_err postern_source_buckets_new(struct source_rate rate,
                                                        struct source_buckets **ret,
                                                        postern_error *err);
void postern_source_buckets_free(struct source_buckets *b); /* NULL is fine */
/*
 * One drop.  False: the bucket is empty.
 *   peer   a client's address in a host's own words: "192.0.2.7", "[2001:db8::1]:25",
 *          "192.0.2.7;25" (Cyrus); an IPv6 /64 is one source, a mapped address is IPv4.  NULL or
 * "": the host does not say, and all of those are one source
 */
bool postern_source_buckets_take(struct source_buckets *b, const char *peer, int64_t now_ms);
/* It was no guess: the drop goes back; nothing where the source was forgotten meanwhile. */
void postern_source_buckets_give_back(struct source_buckets *b, const char *peer);

#endif
