/* SPDX-License-Identifier: BSD-2-Clause */
/* Two tables of the same entries: by secret for renewals, by id for lists (registry.h).  Beside them
 * two of numbers: of each door, and of each agent at each door. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <postern-private/human.h>

#include "../text_hash.h"
#include "registry.h"

#define BUCKETS 8192 /* a power of two: with 65,536 sessions a walk is eight long */
#define SECRET_BYTES 24
#define ID_DIGITS 10 /* 50 bits: no collision among sessions that people look at */

LIST_HEAD(entry_list, registry_entry);

struct door_count {
    LIST_ENTRY(door_count) entry;
    char   door[64];
    size_t count;
};

/* Of an agent that has a session there. */
struct agent_count {
    LIST_ENTRY(agent_count) entry;
    const struct door_count *door;
    size_t      count;
    const char *agent; /* behind the issuer */
    char        issuer[];
};
LIST_HEAD(agent_list, agent_count);

struct registry {
    pthread_mutex_t   lock;
    struct entry_list by_secret[BUCKETS];
    struct entry_list by_id[BUCKETS];
    struct agent_list agents[BUCKETS];
    LIST_HEAD(door_list, door_count) doors;
};

postern_err registry_new(struct registry **ret, postern_error *err)
{
    struct registry *r = calloc(1, sizeof *r); /* a zeroed LIST_HEAD is empty */

    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return POSTERN_FAIL(err, NOMEM, "registry of sessions");
    }
    *ret = r;
    return POSTERN_OK;
}

void registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    while (!LIST_EMPTY(&r->doors)) {
        struct door_count *d = LIST_FIRST(&r->doors);

        LIST_REMOVE(d, entry);
        free(d);
    }
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

void registry_lock(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
}

void registry_unlock(struct registry *r)
{
    pthread_mutex_unlock(&r->lock);
}

/* ---- names ---- */

static void write_id(const uint8_t random[ID_DIGITS], char ret[SESSION_ID_MAX])
{
    static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    memcpy(ret, "S-", 2);
    for (size_t i = 0; i < ID_DIGITS; i++)
        ret[2 + i] = crockford[random[i] % 32];
    ret[2 + ID_DIGITS] = '\0';
}

postern_err registry_name(struct registry_entry *e, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(SESSION_SECRET_MAX);
    uint8_t random[SECRET_BYTES + ID_DIGITS];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    postern_base64url_encode((postern_bytes){ random, SECRET_BYTES }, &text);
    memcpy(&e->locator, random, sizeof e->locator);
    write_id(random + SECRET_BYTES, e->id);
    postern_wipe(random, sizeof random);
    if (text.failed || text.len != SESSION_SECRET_MAX - 1)
        return POSTERN_FAIL(err, NOMEM, "secret of a session");
    memcpy(e->secret, text.ptr, text.len);
    e->secret[text.len] = '\0';
    return POSTERN_OK;
}

static size_t bucket_of_locator(uint64_t locator)
{
    return (size_t)(locator & (BUCKETS - 1)); /* random already */
}

static size_t bucket_of_id(const char *id)
{
    return text_hash(id) & (BUCKETS - 1);
}

/* ---- adding and removing ---- */

static struct door_count *find_door(struct registry *r, const char *door)
{
    struct door_count *d;

    LIST_FOREACH (d, &r->doors, entry)
        if (strcmp(d->door, door) == 0)
            return d;
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    memcpy(d->door, door, strlen(door) + 1); /* as long as registry_entry.door */
    LIST_INSERT_HEAD(&r->doors, d, entry);
    return d;
}

const char *registry_agent(const postern_grant *g)
{
    const char *actor = postern_grant_actor(g), *subject = postern_grant_subject(g);

    if (actor != NULL)
        return actor;
    return subject != NULL ? subject : ""; /* who names nobody shares one number */
}

static const char *issuer_name(const postern_grant *g)
{
    const char *issuer = postern_grant_issuer(g);

    return issuer != NULL ? issuer : "";
}

static struct agent_count *find_agent(const struct registry *r, const struct door_count *d,
                                      const postern_grant *g)
{
    const char *agent = registry_agent(g);
    struct agent_count *a;

    LIST_FOREACH (a, &r->agents[text_hash(agent) & (BUCKETS - 1)], entry)
        if (a->door == d && strcmp(a->agent, agent) == 0 &&
            strcmp(a->issuer, issuer_name(g)) == 0)
            return a;
    return NULL;
}

static struct agent_count *new_agent(struct registry *r, const struct door_count *d,
                                     const postern_grant *g)
{
    const char *issuer = issuer_name(g), *agent = registry_agent(g);
    size_t issuer_size = strlen(issuer) + 1, agent_size = strlen(agent) + 1;
    struct agent_count *a = calloc(1, sizeof *a + issuer_size + agent_size);

    if (a == NULL)
        return NULL;
    a->door = d;
    memcpy(a->issuer, issuer, issuer_size);
    a->agent = memcpy(a->issuer + issuer_size, agent, agent_size);
    LIST_INSERT_HEAD(&r->agents[text_hash(agent) & (BUCKETS - 1)], a, entry);
    return a;
}

static void leave_agent(struct agent_count *a)
{
    if (--a->count > 0)
        return;
    LIST_REMOVE(a, entry);
    free(a);
}

static postern_err add(struct registry *r, struct registry_entry *e, struct registry_room room,
                       postern_error *err)
{
    struct door_count *d = find_door(r, e->door);
    struct agent_count *a;

    if (d == NULL)
        return POSTERN_FAIL(err, NOMEM, "registry of sessions");
    a = find_agent(r, d, e->grant);
    if (a != NULL && a->count >= room.agent)
        return POSTERN_FAIL(err, AGENT_BUSY,
                            "the agent has %zu sessions at %s: max_connections_per_agent", a->count,
                            e->door);
    if (d->count >= room.door)
        return POSTERN_FAIL(err, BUSY, "%s has %zu sessions: max_connections", e->door, d->count);
    if (a == NULL && (a = new_agent(r, d, e->grant)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "registry of sessions");
    d->count++;
    a->count++;
    e->agent = a;
    LIST_INSERT_HEAD(&r->by_secret[bucket_of_locator(e->locator)], e, in_bucket);
    LIST_INSERT_HEAD(&r->by_id[bucket_of_id(e->id)], e, in_ids);
    return POSTERN_OK;
}

postern_err registry_add(struct registry *r, struct registry_entry *e, struct registry_room room,
                         postern_error *err)
{
    postern_err result;

    registry_lock(r);
    result = add(r, e, room, err);
    registry_unlock(r);
    return result;
}

void registry_remove(struct registry *r, struct registry_entry *e)
{
    struct door_count *d;

    registry_lock(r);
    LIST_REMOVE(e, in_bucket);
    LIST_REMOVE(e, in_ids);
    leave_agent(e->agent);
    e->agent = NULL;
    d = find_door(r, e->door);
    if (d != NULL && d->count > 0)
        d->count--;
    registry_unlock(r);
}

/* ---- finding ---- */

static const struct registry_entry *find_by_secret(const struct registry *r, postern_bytes secret)
{
    uint8_t raw[POSTERN_BASE64URL_DECODED_MAX(SESSION_SECRET_MAX)];
    const struct registry_entry *e;
    uint64_t locator;
    size_t len = 0;

    if (secret.len != SESSION_SECRET_MAX - 1 ||
        postern_base64url_decode(secret, raw, &len, NULL) != POSTERN_OK || len != SECRET_BYTES)
        return NULL;
    memcpy(&locator, raw, sizeof locator);
    postern_wipe(raw, sizeof raw);
    LIST_FOREACH (e, &r->by_secret[bucket_of_locator(locator)], in_bucket)
        if (e->locator == locator && postern_bytes_equal_ct(secret, postern_bytes_str(e->secret)))
            return e;
    return NULL;
}

static struct registry_entry *find_by_id(struct registry *r, const char *id)
{
    struct registry_entry *e;

    LIST_FOREACH (e, &r->by_id[bucket_of_id(id)], in_ids)
        if (strcmp(e->id, id) == 0)
            return e;
    return NULL;
}

struct registry_entry *registry_find(struct registry *r, const char *id, size_t loop)
{
    struct registry_entry *e;

    registry_lock(r);
    e = find_by_id(r, id);
    if (e != NULL && e->loop != loop)
        e = NULL; /* another thread's, which may free it at any time */
    registry_unlock(r);
    return e;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Who began with a token that is worth nothing without its key goes on with such a one.  The key may
 * be another: certificates are renewed as well. */
static bool is_bound(const postern_grant *g)
{
    return postern_grant_bound_cert(g).len != 0;
}

bool registry_is_same_identity(const postern_grant *a, const postern_grant *b)
{
    return is_same_text(postern_grant_issuer(a), postern_grant_issuer(b)) &&
           is_same_text(postern_grant_subject(a), postern_grant_subject(b)) &&
           is_same_text(postern_grant_client_id(a), postern_grant_client_id(b)) &&
           is_same_text(postern_grant_actor(a), postern_grant_actor(b)) &&
           is_same_text(postern_grant_user(a), postern_grant_user(b)) &&
           is_same_text(postern_grant_service(a), postern_grant_service(b)) &&
           is_bound(a) == is_bound(b);
}

/* Who does not know the secret learns nothing about the session: one sentence for all of it. */
static postern_err find_renewal(const struct registry *r, postern_bytes secret, const char *door,
                                const postern_grant *grant, struct session_place *ret,
                                postern_error *err)
{
    const struct registry_entry *e = find_by_secret(r, secret);

    if (e == NULL || strcmp(e->door, door) != 0)
        return POSTERN_FAIL(err, RENEWAL, "there is no such session at this door");
    if (!registry_is_same_identity(e->grant, grant))
        return POSTERN_FAIL(err, RENEWAL, "the token is for another identity than the session's");
    memcpy(ret->id, e->id, sizeof ret->id);
    ret->loop = e->loop;
    ret->lease = e->lease;
    return POSTERN_OK;
}

postern_err registry_find_renewal(struct registry *r, postern_bytes secret, const char *door,
                                  const postern_grant *grant, struct session_place *ret,
                                  postern_error *err)
{
    postern_err e;

    registry_lock(r);
    e = find_renewal(r, secret, door, grant, ret, err);
    registry_unlock(r);
    return e;
}

static const struct {
    const char  *word;
    registry_key key;
} key_words[] = {
    { "session", REGISTRY_BY_SESSION }, { "sub", REGISTRY_BY_SUB },
    { "client", REGISTRY_BY_CLIENT },   { "jti", REGISTRY_BY_JTI },
    { "agent", REGISTRY_BY_AGENT },
};

registry_key registry_key_of(const char *word)
{
    for (size_t i = 0; i < sizeof key_words / sizeof key_words[0]; i++)
        if (strcmp(key_words[i].word, word) == 0)
            return key_words[i].key;
    return REGISTRY_BY_NONE;
}

static bool is_text(const char *text, const char *value)
{
    return text != NULL && strcmp(text, value) == 0;
}

/* Who has no client is its own agent (lib/oauth/judge.c blocks by the same names). */
static bool is_agent(const postern_grant *g, const char *value)
{
    const char *actor = postern_grant_actor(g), *client = postern_grant_client_id(g);

    if (actor == NULL && client == NULL)
        return is_text(postern_grant_subject(g), value);
    return is_text(actor, value) || is_text(client, value);
}

static bool matches(const struct registry_entry *e, registry_key key, const char *value)
{
    switch (key) {
    case REGISTRY_BY_SESSION:
        return strcmp(e->id, value) == 0;
    case REGISTRY_BY_SUB:
        return is_text(postern_grant_subject(e->grant), value);
    case REGISTRY_BY_CLIENT:
        return is_text(postern_grant_client_id(e->grant), value);
    case REGISTRY_BY_JTI:
        return is_text(postern_grant_jti(e->grant), value);
    case REGISTRY_BY_AGENT:
        return is_agent(e->grant, value);
    case REGISTRY_BY_NONE:
        break;
    }
    return false;
}

struct places {
    struct session_place *list;
    size_t                count, room;
};

static bool add_place(struct places *p, const struct registry_entry *e)
{
    if (p->count == p->room) {
        size_t room = p->room == 0 ? 16 : p->room * 2;
        struct session_place *grown = reallocarray(p->list, room, sizeof *grown);

        if (grown == NULL)
            return false;
        p->list = grown;
        p->room = room;
    }
    memcpy(p->list[p->count].id, e->id, sizeof e->id);
    p->list[p->count++].loop = e->loop;
    return true;
}

postern_err registry_match(struct registry *r, registry_key key, const char *value,
                           struct session_place **ret, size_t *ret_count, postern_error *err)
{
    struct places found = { NULL, 0, 0 };
    const struct registry_entry *e;
    bool is_complete = true;

    registry_lock(r);
    for (size_t i = 0; i < BUCKETS; i++)
        LIST_FOREACH (e, &r->by_id[i], in_ids)
            if (matches(e, key, value))
                is_complete &= add_place(&found, e);
    registry_unlock(r);
    if (!is_complete) {
        free(found.list);
        return POSTERN_FAIL(err, NOMEM, "%zu sessions to end", found.count);
    }
    *ret = found.list;
    *ret_count = found.count;
    return POSTERN_OK;
}

/* ---- listing ---- */

static const char *const state_words[] = {
    [SESSION_CONNECTING] = "connecting",
    [SESSION_OPEN] = "open",
    [SESSION_DRAINING] = "draining",
};

static void put_session(const struct registry_entry *e, struct lease_clock now,
                        postern_json_writer *w)
{
    const postern_grant *g = e->grant;

    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "id", e->id);
    postern_json_put_str(w, "door", e->door);
    postern_json_put_str(w, "agent", postern_grant_actor(g));
    postern_json_put_str(w, "human", postern_grant_human(g));
    postern_json_put_str(w, "user", postern_grant_user(g));
    postern_json_put_str(w, "client", postern_grant_client_id(g));
    postern_json_put_str(w, "sub", postern_grant_subject(g));
    postern_json_put_str(w, "jti", postern_grant_jti(g));
    postern_json_put_str(w, "purpose", postern_grant_purpose(g));
    postern_json_put_str(w, "peer", e->peer);
    if (e->has_choice)
        postern_json_put_str(w, "issuer", postern_grant_issuer(g));
    if (postern_grant_introspected_s(g) != 0)
        postern_json_put_integer(w, "asked", postern_grant_introspected_s(g));
    postern_json_put_integer(w, "since", e->since_s);
    postern_json_put_integer(w, "lease_end", e->lease.end_s);
    postern_json_put_integer(w, "lease_left", lease_left_s(&e->lease, now));
    postern_json_put_integer(w, "up", (int64_t)atomic_load_explicit(&e->up, memory_order_relaxed));
    postern_json_put_integer(w, "down",
                             (int64_t)atomic_load_explicit(&e->down, memory_order_relaxed));
    postern_json_put_str(w, "state", state_words[e->state]);
    postern_json_close_object(w);
}

/* The `limit` smallest ids behind `after`, in order. */
static size_t select_page(const struct registry *r, const char *after, size_t limit,
                          const struct registry_entry **page, bool *ret_more)
{
    const struct registry_entry *e;
    size_t count = 0;

    *ret_more = false;
    for (size_t i = 0; i < BUCKETS; i++)
        LIST_FOREACH (e, &r->by_id[i], in_ids) {
            size_t at = count;

            if (strcmp(e->id, after) <= 0)
                continue;
            while (at > 0 && strcmp(page[at - 1]->id, e->id) > 0)
                at--;
            if (at == limit) {
                *ret_more = true;
                continue;
            }
            *ret_more |= count == limit;
            count -= count == limit;
            memmove(&page[at + 1], &page[at], (count - at) * sizeof page[0]);
            page[at] = e;
            count++;
        }
    return count;
}

void registry_list(struct registry *r, const char *after, size_t limit, struct lease_clock now,
                   postern_json_writer *w)
{
    const struct registry_entry *page[REGISTRY_PAGE_MAX + 1];
    bool has_more;
    size_t count;

    if (limit > REGISTRY_PAGE_MAX)
        limit = REGISTRY_PAGE_MAX;
    registry_lock(r);
    count = select_page(r, after, limit, page, &has_more);
    postern_json_open_array(w, "sessions");
    for (size_t i = 0; i < count; i++)
        put_session(page[i], now, w);
    postern_json_close_array(w);
    registry_unlock(r);
    postern_json_put_flag(w, "more", has_more);
}

static void add_bucket(const struct entry_list *bucket, struct registry_totals *ret)
{
    for (const struct registry_entry *e = LIST_FIRST(bucket); e != NULL; e = LIST_NEXT(e, in_ids)) {
        ret->open += e->state == SESSION_OPEN;
        ret->draining += e->state == SESSION_DRAINING;
        ret->connecting += e->state == SESSION_CONNECTING;
        ret->up += atomic_load_explicit(&e->up, memory_order_relaxed);
        ret->down += atomic_load_explicit(&e->down, memory_order_relaxed);
    }
}

void registry_totals(struct registry *r, struct registry_totals *ret)
{
    *ret = (struct registry_totals){ 0 };
    registry_lock(r);
    for (size_t i = 0; i < BUCKETS; i++)
        add_bucket(&r->by_id[i], ret);
    registry_unlock(r);
}
