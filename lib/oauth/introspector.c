/* SPDX-License-Identifier: BSD-2-Clause */
/* See introspector.h. */
#include "introspector.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "retry.h"
#include "source_buckets.h"

#define TEXTS_MAX 8192 /* bytes of the client's name, with the arena's own */

struct question {
    struct fetch *fetch; /* NULL: a free place */
    uint8_t digest[POSTERN_CACHE_DIGEST_LEN];
};

struct inactive {
    struct cache_key key;
    int64_t end_ms; /* monotonic; 0: a free place */
};

struct introspector {
    const struct server *server;
    struct discovery *discovery;        /* the issuer's; the keyring asks it too; NULL: by line */
    struct introspection_client client; /* constant once it is set */
    bool has_client;
    postern_arena texts;
    pthread_mutex_t lock; /* of everything below */
    struct source_buckets *sources;
    unsigned failures; /* in a row, of the issuer */
    int64_t pause_end_ms;
    struct inactive inactive[POSTERN_INACTIVE_MAX];
    size_t places; /* constant */
    struct question in_flight[];
};

/* ---- life ---- */

void postern_introspector_free(struct introspector *i)
{
    if (i == NULL)
        return;
    for (size_t n = 0; n < i->places; n++)
        postern_fetch_free(i->in_flight[n].fetch);
    postern_source_buckets_free(i->sources);
    postern_signer_free(i->client.signer);
    postern_secret_free(i->client.credential);
    postern_arena_free(&i->texts);
    (void)pthread_mutex_destroy(&i->lock);
    free(i);
}

static inline void auto_free_introspector(struct introspector **i)
{
    postern_introspector_free(*i);
}

static struct introspector *allocate(size_t places)
{
    struct introspector *i = calloc(1, sizeof *i + places * sizeof i->in_flight[0]);

    if (i != NULL && pthread_mutex_init(&i->lock, NULL) == 0) {
        i->places = places;
        return i;
    }
    free(i);
    return NULL;
}

/* How many questions at one time, and how often for one source. */
static const struct measure {
    size_t places;
    struct source_rate sources;
} of_network = { POSTERN_INTROSPECTIONS_MAX, { POSTERN_SOURCE_BURST, POSTERN_SOURCE_PER_S } },
  of_line = { POSTERN_INTROSPECTIONS_LINE_MAX,
              { POSTERN_INTROSPECTIONS_LINE_MAX, POSTERN_LINE_GUESSES_PER_S } };

postern_err postern_introspector_new(const struct server *server, struct discovery *discovery,
                                     struct introspector **ret, postern_error *err)
{
    const struct measure *m = discovery == NULL ? &of_line : &of_network;
    __attribute__((cleanup(auto_free_introspector))) struct introspector *i = allocate(m->places);

    if (i == NULL)
        return POSTERN_FAIL(err, NOMEM, "introspection");
    i->server = server;
    i->discovery = discovery;
    i->texts = POSTERN_ARENA_INIT(TEXTS_MAX);
    POSTERN_TRY(postern_source_buckets_new(m->sources, &i->sources, err));
    *ret = POSTERN_STEAL(i);
    return POSTERN_OK;
}

/* ---- as whom ---- */

static postern_err check_client(const struct introspector *i, const postern_agent *a,
                                postern_error *err)
{
    size_t id_len = a->client_id == NULL ? 0 : strlen(a->client_id);

    if (i->has_client)
        return POSTERN_FAIL(err, USAGE, "%s: there is a client already", i->server->issuer);
    if (a->issuer == NULL || strcmp(a->issuer, i->server->issuer) != 0)
        return POSTERN_FAIL(err, USAGE, "%s: the client is registered at another issuer",
                            i->server->issuer);
    if (id_len == 0 || id_len > POSTERN_CLIENT_ID_MAX)
        return POSTERN_FAIL(err, USAGE, "client_id is missing or longer than %d bytes",
                            POSTERN_CLIENT_ID_MAX);
    if (a->auth == POSTERN_CLIENT_AUTH_NONE || a->credential.len == 0)
        return POSTERN_FAIL(err, USAGE,
                            "RFC 7662 section 2.1: a client that proves nothing is told "
                            "nothing");
    if (a->auth == POSTERN_CLIENT_AUTH_SECRET && a->credential.len > POSTERN_CLIENT_SECRET_MAX)
        return POSTERN_FAIL(err, USAGE, "client secret is longer than %d bytes",
                            POSTERN_CLIENT_SECRET_MAX);
    return POSTERN_OK;
}

postern_err postern_introspector_set_client(struct introspector *i, const postern_agent *client,
                                            postern_error *err)
{
    struct introspection_client *own = &i->client;

    POSTERN_TRY(check_client(i, client, err));
    own->agent = *client;
    own->agent.issuer = i->server->issuer;
    own->agent.client_id = postern_arena_text(&i->texts, postern_bytes_str(client->client_id));
    own->agent.tls_ca_file = NULL; /* the issuer file's counts, as for its metadata */
    own->agent.credential = POSTERN_BYTES_NONE;
    if (own->agent.client_id == NULL)
        return POSTERN_FAIL(err, NOMEM, "client");
    if (client->auth == POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT && own->signer == NULL)
        POSTERN_TRY(postern_signer_from_pem(client->credential, &own->signer, err));
    POSTERN_TRY(postern_secret_new(client->credential, &own->credential, err));
    own->agent.credential = postern_secret_bytes(own->credential);
    i->has_client = true;
    return POSTERN_OK;
}

const char *postern_introspector_client_id(const struct introspector *i)
{
    return i->has_client ? i->client.agent.client_id : NULL;
}

/* ---- one question for all who have it; with the lock held ---- */

static int64_t get_now_ms(const struct introspector *i)
{
    return i->server->clock.mono_ms(i->server->clock.arg);
}

static void drop_question(struct question *q)
{
    postern_fetch_free(q->fetch);
    *q = (struct question){ .fetch = NULL };
}

static bool is_alive(struct question *q)
{
    return q->fetch != NULL && postern_fetch_job(q->fetch) == NULL &&
           !postern_fetch_is_abandoned(q->fetch);
}

/* NULL: nobody asks about that token. */
static struct fetch *join(struct introspector *i, const struct introspector_question *q)
{
    for (size_t n = 0; n < i->places; n++) {
        struct question *other = &i->in_flight[n];

        if (other->fetch == NULL ||
            memcmp(other->digest, q->key->digest, sizeof other->digest) != 0)
            continue;
        if (is_alive(other))
            return postern_fetch_ref(other->fetch);
        drop_question(other);
    }
    return NULL;
}

static size_t count_places(const struct introspector *i, bool is_look_again)
{
    return is_look_again ? POSTERN_INTROSPECTIONS_AGAIN_MAX : i->places;
}

static bool is_left(const struct question *q)
{
    return q->fetch != NULL && postern_fetch_is_abandoned(q->fetch);
}

/* A free place, or one whose question was answered.  NULL: none.  What everybody has left is let go
 * first: it holds a connection to the issuer.  Logins begin at the end of the list, so that those
 * about sessions find theirs at its head. */
static struct question *find_place(struct introspector *i, bool is_look_again)
{
    size_t count = count_places(i, is_look_again);

    for (size_t n = 0; n < i->places; n++)
        if (is_left(&i->in_flight[n]))
            drop_question(&i->in_flight[n]);
    for (size_t n = count; n-- > 0;)
        if (i->in_flight[n].fetch == NULL)
            return &i->in_flight[n];
    for (size_t n = count; n-- > 0;) {
        if (is_alive(&i->in_flight[n]))
            continue;
        drop_question(&i->in_flight[n]);
        return &i->in_flight[n];
    }
    return NULL;
}

static postern_err check_pause(const struct introspector *i, int64_t now_ms, postern_error *err)
{
    int64_t left_ms = i->pause_end_ms - now_ms;

    if (left_ms <= 0)
        return POSTERN_OK;
    return POSTERN_FAIL(err, ISSUER_UNREACHABLE,
                        "introspection failed a moment ago: %s is asked again in %d s",
                        i->server->issuer, (int)((left_ms + 999) / 1000));
}

static const struct fetch_kind *get_kind(const struct introspector *i)
{
    return i->discovery == NULL ? &postern_introspection_line_kind :
                                  &postern_introspection_call_kind;
}

static postern_err start_question(struct introspector *i, const postern_op *op,
                                  const struct introspector_question *q,
                                  const struct postern_metadata *metadata, struct question *place,
                                  postern_error *err)
{
    struct introspection_call *call;

    POSTERN_TRY(
        postern_introspection_call_new(i->server, &i->client, metadata, q->token, &call, err));
    call->begun_ms = get_now_ms(i);
    call->words = q->words;
    call->payer = q->is_look_again ? NULL : op;
    POSTERN_TRY(postern_fetch_new(get_kind(i), call, i->server->transport,
                                  &i->server->clock, POSTERN_INTROSPECTION_MS, &place->fetch, err));
    memcpy(place->digest, q->key->digest, sizeof place->digest);
    return POSTERN_OK;
}

static postern_err join_or_start(struct introspector *i, const postern_op *op,
                                 const struct introspector_question *q,
                                 const struct postern_metadata *metadata, struct fetch **ret,
                                 postern_error *err)
{
    int64_t now_ms = get_now_ms(i);
    struct question *place;

    if ((*ret = join(i, q)) != NULL)
        return POSTERN_OK;
    POSTERN_TRY(check_pause(i, now_ms, err));
    if ((place = find_place(i, q->is_look_again)) == NULL)
        return POSTERN_FAIL(err, BUSY, "introspection: %zu questions to %s are in flight",
                            count_places(i, q->is_look_again), i->server->issuer);
    if (!q->is_look_again && !postern_source_buckets_take(i->sources, q->peer, now_ms))
        return POSTERN_FAIL(err, BUSY, "introspection: too many tokens a second from one address");
    POSTERN_TRY(start_question(i, op, q, metadata, place, err));
    *ret = postern_fetch_ref(place->fetch);
    return POSTERN_OK;
}

/* ---- for operations ---- */

static postern_err check_ready(struct introspector *i, postern_error *err)
{
    postern_err e;

    if (i->discovery == NULL)
        return i->server->transport != NULL ?
                   POSTERN_OK :
                   POSTERN_FAIL(err, ISSUER_UNREACHABLE,
                                "an opaque token: only posternd can ask %s, which is embedded in "
                                "it, what it stands for",
                                i->server->issuer);
    if (!i->has_client)
        return POSTERN_FAIL(err, CONFIG_MISSING,
                            "introspection at %s: the credentials of its client: were not given",
                            i->server->issuer);
    pthread_mutex_lock(&i->lock);
    e = check_pause(i, get_now_ms(i), err);
    pthread_mutex_unlock(&i->lock);
    return e;
}

postern_err postern_introspector_ask(struct introspector *i, postern_op *op,
                                     const struct introspector_question *q, struct fetch **ret,
                                     struct fetch **ret_wait, postern_error *err)
{
    struct postern_metadata metadata;
    postern_err e;

    POSTERN_TRY(check_ready(i, err));
    if (i->discovery != NULL)
        POSTERN_TRY(postern_discovery_get(i->discovery, op, DISCOVERY_LOOK_WHEN_OLD, &metadata,
                                          ret_wait, err));
    pthread_mutex_lock(&i->lock);
    e = join_or_start(i, op, q, i->discovery == NULL ? NULL : &metadata, ret, err);
    pthread_mutex_unlock(&i->lock);
    return e;
}

/* It says nothing of the issuer that it cannot use one token's question: else that token would keep
 * everybody out.  That it does not know us concerns everybody. */
static void note_verdict(struct introspector *i, const struct introspection_call *call,
                         postern_err verdict)
{
    bool is_away = verdict == POSTERN_ERR_TIMEOUT || verdict == POSTERN_ERR_ISSUER_UNTRUSTED ||
                   (verdict == POSTERN_ERR_ISSUER_UNREACHABLE && !call->stumbled) ||
                   call->refused_us;

    if (verdict == POSTERN_OK)
        i->failures = 0;
    if (!is_away || i->discovery == NULL) /* over a line it costs nothing to try */
        return;
    postern_discovery_doubt(i->discovery);
    i->failures++;
    i->pause_end_ms = get_now_ms(i) + postern_retry_pause_ms(i->failures, call->retry_after_s,
                                                             postern_retry_dice());
}

void postern_introspector_settle(struct introspector *i, struct fetch *question,
                                 postern_err verdict)
{
    const struct introspection_call *call = postern_fetch_job(question);

    pthread_mutex_lock(&i->lock);
    for (size_t n = 0; n < i->places; n++) {
        if (i->in_flight[n].fetch != question)
            continue;
        if (call != NULL)
            note_verdict(i, call, verdict);
        drop_question(&i->in_flight[n]);
    }
    pthread_mutex_unlock(&i->lock);
}

void postern_introspector_give_back(struct introspector *i, const postern_op *op, const char *peer,
                                    const struct introspection_call *call)
{
    if (call->payer != op)
        return;
    pthread_mutex_lock(&i->lock);
    postern_source_buckets_give_back(i->sources, peer);
    pthread_mutex_unlock(&i->lock);
}

/* ---- what is not active ---- */

static struct inactive *place_of(struct introspector *i, const struct cache_key *key)
{
    return &i->inactive[(key->digest[0] | (unsigned)key->digest[1] << 8) % POSTERN_INACTIVE_MAX];
}

void postern_introspector_note_inactive(struct introspector *i, const struct cache_key *key,
                                        int64_t now_ms)
{
    pthread_mutex_lock(&i->lock);
    *place_of(i, key) = (struct inactive){ *key, now_ms + POSTERN_INACTIVE_KEEP_MS };
    pthread_mutex_unlock(&i->lock);
}

bool postern_introspector_is_inactive(struct introspector *i, const struct cache_key *key,
                                      int64_t now_ms)
{
    const struct inactive *found = place_of(i, key);
    bool is_inactive;

    pthread_mutex_lock(&i->lock);
    is_inactive = now_ms < found->end_ms && found->key.service == key->service &&
                  memcmp(found->key.digest, key->digest, sizeof key->digest) == 0;
    pthread_mutex_unlock(&i->lock);
    return is_inactive;
}
