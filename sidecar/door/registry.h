/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All sessions of all loops: who may be renewed, listed, ended.  One mutex, held for microseconds.
 * An entry belongs to its session's loop, which alone adds, changes and removes it; everybody else
 * reads it here and then writes to that loop's mailbox.
 */
#ifndef POSTERN_SIDECAR_DOOR_REGISTRY_H
#define POSTERN_SIDECAR_DOOR_REGISTRY_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <postern-private/json.h>
#include <postern/grant.h>

#include "lease.h"

#define SESSION_ID_MAX 13     /* bytes with NUL: "S-" and ten digits, public */
#define SESSION_SECRET_MAX 33 /* bytes with NUL: base64url of 24 random bytes */
#define REGISTRY_PAGE_MAX 100 /* sessions of one answer: with 500 bytes each it fits a message */

typedef enum session_state {
    SESSION_CONNECTING = 0, /* granted, the backend is not reached yet */
    SESSION_OPEN,
    SESSION_DRAINING        /* in the grace of its lease, or posternd stops */
} session_state;

struct agent_count;

struct registry_entry {
    LIST_ENTRY(registry_entry) in_bucket, in_ids;
    struct agent_count *agent; /* the registry's */
    uint64_t locator; /* first 8 bytes of the secret */
    char     secret[SESSION_SECRET_MAX];
    char     id[SESSION_ID_MAX];
    size_t   loop;
    char     door[64];
    char     peer[64]; /* the client's address with port, or "unix" */
    bool     has_choice; /* its door trusts several issuers: which one's it is, is worth to be told */
    int64_t  since_s;
    /* Changed by the loop under registry_lock(). */
    session_state  state;
    struct lease   lease;
    postern_grant *grant; /* owned by the session */
    /* Any time. */
    _Atomic uint64_t up, down;
};

struct registry;

POSTERN_MUST_USE postern_err registry_new(struct registry **ret, postern_error *err);
void registry_free(struct registry *r);

/* A new id and secret into *e.  POSTERN_OK · POSTERN_ERR_SYSTEM (no random numbers) */
POSTERN_MUST_USE postern_err registry_name(struct registry_entry *e, postern_error *err);
/* Sessions that a door may have, and of those one agent: whoever acts, as its issuer names it. */
struct registry_room {
    size_t door, agent;
};
/*
 * Add.  From now on it can be found.
 *   POSTERN_OK · POSTERN_ERR_BUSY (the door) · POSTERN_ERR_AGENT_BUSY · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err registry_add(struct registry *r, struct registry_entry *e,
                                          struct registry_room room, postern_error *err);
void registry_remove(struct registry *r, struct registry_entry *e);
/* Around changes of an entry by its loop. */
void registry_lock(struct registry *r);
void registry_unlock(struct registry *r);

/*
 * The session of that id, if it lives on loop `loop`; NULL: it does not.  For that loop's thread
 * alone: the entry stays as long as that thread does not remove it.
 */
struct registry_entry *registry_find(struct registry *r, const char *id, size_t loop);

/* Where a session lives. */
struct session_place {
    char         id[SESSION_ID_MAX];
    size_t       loop;
    struct lease lease; /* as it is now; registry_find_renewal() alone fills it */
};
/*
 * The session that a renewal means.  Constant time in the secret once the locator fits.
 *   POSTERN_OK · RENEWAL (no such session, another door or identity, over)
 */
POSTERN_MUST_USE postern_err registry_find_renewal(struct registry *r, postern_bytes secret,
                                                   const char *door, const postern_grant *grant,
                                                   struct session_place *ret, postern_error *err);
/* Who acts, as in the audit log; "" where a token names nobody.  A renewal leaves it as it is. */
const char *registry_agent(const postern_grant *g);
/* Issuer, subject, client, outermost actor (RFC 8693 §4.1), local user and service, and whether the
 * token is bound to a certificate (RFC 8705). */
bool registry_is_same_identity(const postern_grant *a, const postern_grant *b);

typedef enum registry_key {
    REGISTRY_BY_NONE = 0,
    REGISTRY_BY_SESSION,
    REGISTRY_BY_SUB,
    REGISTRY_BY_CLIENT,
    REGISTRY_BY_JTI,
    REGISTRY_BY_AGENT
} registry_key;
/* NONE: no such word. */
registry_key registry_key_of(const char *word);
/*
 * Places of all sessions whose `key` is `value`.
 *   ret   malloc()ed, the caller's; NULL when there is none
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err registry_match(struct registry *r, registry_key key, const char *value,
                                            struct session_place **ret, size_t *ret_count,
                                            postern_error *err);
/* Append "sessions" (those with ids behind `after`, at most `limit`) and "more" to an open
 * object. */
void registry_list(struct registry *r, const char *after, size_t limit, struct lease_clock now,
                   postern_json_writer *w);

struct registry_totals {
    size_t   open, draining, connecting;
    uint64_t up, down; /* of those that live */
};
void registry_totals(struct registry *r, struct registry_totals *ret);

#endif
