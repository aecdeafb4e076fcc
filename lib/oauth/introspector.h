/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to one issuer about tokens (RFC 7662): as whom, at which endpoint, how many at a time,
 * how often for whom, and when not at all.  One question however many wait for its answer.  Knows
 * no claims and no verdict; introspecting.c, on behalf of an operation, asks it.
 */
#ifndef POSTERN_LIB_INTROSPECTOR_H
#define POSTERN_LIB_INTROSPECTOR_H

#include "cache.h"
#include "discovery.h"
#include "introspection_call.h"

/* Questions in flight: at an issuer that answers in 50 ms, more than a thousand logins a second. */
#define POSTERN_INTROSPECTIONS_MAX 64
/* To the embedded issuer, whose answer takes less than a millisecond: agents that log in at the same
 * moment.  The line's socket holds some 270 that are not read yet (net.core.wmem_default). */
#define POSTERN_INTROSPECTIONS_LINE_MAX 256
/* Guesses of one source there: a look-up by hash each.  Fewer, and whoever guesses would keep out all
 * that are behind his address, or on this host. */
#define POSTERN_LINE_GUESSES_PER_S 256
/* Of these about sessions that live: logins have the rest, however many sessions are due. */
#define POSTERN_INTROSPECTIONS_AGAIN_MAX 32
/* One question, metadata apart: a person waits for his login. */
#define POSTERN_INTROSPECTION_MS 3000
/* For how long "not active" is remembered: a token that is made a moment later has another name. */
#define POSTERN_INACTIVE_KEEP_MS 5000
/* Of so many tokens; each has one place, where the next one pushes it out. */
#define POSTERN_INACTIVE_MAX 1024

struct introspector; /* thread-safe */

/*
 *   server, discovery   the issuer's, kept, not copied; they outlive it.  discovery was made with
 *                       POSTERN_NEED_INTROSPECTION; NULL: the embedded issuer, asked over the line
 *                       that is server's transport by then, as nobody, and never paused
 *   POSTERN_OK · NOMEM · SYSTEM (no random numbers)
 */
POSTERN_MUST_USE postern_err postern_introspector_new(const struct server *server,
                                                      struct discovery *discovery,
                                                      struct introspector **ret,
                                                      postern_error *err);
void postern_introspector_free(struct introspector *i); /* NULL is fine */
/* Before the first question.  As postern_context_set_issuer_client(). */
POSTERN_MUST_USE postern_err postern_introspector_set_client(struct introspector *i,
                                                             const postern_agent *client,
                                                             postern_error *err);
/* NULL: none was set. */
const char *postern_introspector_client_id(const struct introspector *i);

struct introspector_question {
    const struct cache_key *key; /* of the token at its issuer and a service */
    postern_bytes token;
    const char *peer; /* whose login it is: postern_source_buckets_take() */
    bool is_look_again; /* none: about a session that lives, whose host bounds how often */
    uint64_t words;   /* postern_cache_words() of now */
};

/*
 * The question about a token: one that is in flight, or a new one.
 *   op         for events
 *   ret        a fetch whose job is a struct introspection_call; step it, then settle it; the
 *              caller's to postern_fetch_free()
 *   ret_wait   set on AGAIN alone: metadata is waited for; as of postern_discovery_get()
 *   POSTERN_OK · AGAIN · BUSY (too many in flight, of that kind or of that source) ·
 *   ISSUER_UNREACHABLE (it asked for a pause, or was not there a moment ago; no
 *   line) · CONFIG_MISSING (no client) · what postern_discovery_get() says · NOMEM · SYSTEM
 */
POSTERN_MUST_USE postern_err postern_introspector_ask(struct introspector *i, postern_op *op,
                                                      const struct introspector_question *q,
                                                      struct fetch **ret, struct fetch **ret_wait,
                                                      postern_error *err);
/* The question has its verdict: no longer in flight, and what it says of the issuer is noted.  Each
 * that waited calls it; the first one counts. */
void postern_introspector_settle(struct introspector *i, struct fetch *question,
                                 postern_err verdict);

/* A token of the embedded issuer that is one: only guesses are counted as their source's, because the
 * question itself costs next to nothing.
 *   call   of `op`'s question, perhaps begun by another */
void postern_introspector_give_back(struct introspector *i, const postern_op *op, const char *peer,
                                    const struct introspection_call *call);

void postern_introspector_note_inactive(struct introspector *i, const struct cache_key *key,
                                        int64_t now_ms);
bool postern_introspector_is_inactive(struct introspector *i, const struct cache_key *key,
                                      int64_t now_ms);

#endif
