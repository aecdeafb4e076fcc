/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See key_fetch.h.  One fetch at a time; the keyring's lock is held around every call, so there is
 * no other here.  A set that cannot be used, one without a usable key among them, is a failure: it
 * replaces nothing.
 */
#include "key_fetch.h"

#include <stdlib.h>

#include "retry.h"

#define HURRY_REFILL_MS (3600000 / POSTERN_KEY_FETCH_HURRIES)

struct absent_kid {
    uint64_t hash; /* of the kid; two with the same hash share a fate for a minute */
    int64_t until_ms;
};

struct key_fetch {
    struct key_source source; /* first */
    const struct server *server;
    const char *url; /* NULL: by discovery */
    struct discovery *discovery;
    struct fetch *fetch; /* NULL: none under way */
    int64_t started_ms;  /* of `fetch` */
    postern_buf body;    /* of the set in force */
    char etag[POSTERN_HTTP_ETAG_MAX];
    int64_t old_ms, ahead_ms; /* of that set: when it is old, when it is fetched ahead */
    int64_t good_started_ms;  /* when the fetch began that brought or confirmed it */
    unsigned failures;        /* in a row */
    int64_t retry_ms;         /* not asked before, when there were failures */
    int64_t hurried_ms;       /* the last fetch for the sake of an unknown kid */
    int64_t refilled_ms;      /* `hurries` are counted from here */
    unsigned hurries;         /* left of this hour */
    uint64_t seed;            /* of the hash */
    struct absent_kid absent[POSTERN_KEY_FETCH_ABSENT_MAX];
};

/* ---- the job ---- */

struct job {
    const struct server *server;
    char url[POSTERN_HTTP_URL_MAX];
    bool is_host_configured;
    char etag[POSTERN_HTTP_ETAG_MAX], new_etag[POSTERN_HTTP_ETAG_MAX];
    postern_buf body;
    postern_jwks *keys; /* NULL: not modified */
    int max_age_s, retry_after_s;
};

static postern_err ask(void *arg, struct postern_http_request *rq, postern_error *err)
{
    struct job *job = arg;

    (void)err;
    postern_server_request(job->server, rq);
    rq->url = job->url;
    rq->accept = POSTERN_KEY_FETCH_ACCEPT;
    rq->is_host_configured = job->is_host_configured;
    rq->etag = job->etag[0] == '\0' ? NULL : job->etag;
    rq->body_max = POSTERN_JWKS_MAX;
    return POSTERN_OK;
}

/* RFC 7517 §8.5.2 names the first; most issuers send the second. */
static bool is_key_set_type(const char *content_type)
{
    return strcmp(content_type, "application/jwk-set+json") == 0 ||
           strcmp(content_type, "application/json") == 0;
}

postern_err postern_key_fetch_judge(const struct postern_http_response *r, const char *url,
                                    postern_error *err)
{
    char room[260];

    if (r->status != 200)
        return postern_answer_refuse_status(r, url, err);
    if (!is_key_set_type(r->content_type))
        return POSTERN_FAIL(
            err, ISSUER_ANSWER, "key set is of type \"%s\"",
            postern_error_quote(r->content_type, strlen(r->content_type), room, sizeof room));
    return POSTERN_OK;
}

static postern_err read_keys(struct job *job, postern_error *err)
{
    postern_error why = { 0 };
    postern_err e = postern_jwks_parse(postern_buf_bytes(&job->body), &job->keys, &why);

    if (e == POSTERN_ERR_NOMEM || e == POSTERN_ERR_INTERNAL)
        return postern_error_set(err, e, __FILE__, __LINE__, "%s", why.detail);
    if (e != POSTERN_OK)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "key set: %s: %s", postern_err_text(e), why.detail);
    if (postern_jwks_count(job->keys) == 0)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "a key set without a usable key, of %zu",
                            postern_jwks_skipped(job->keys));
    return POSTERN_OK;
}

static postern_err take(void *arg, const struct postern_http_response *r, postern_error *err)
{
    struct job *job = arg;

    job->retry_after_s = r->retry_after_s;
    job->max_age_s = r->max_age_s;
    memcpy(job->new_etag, r->etag, sizeof job->new_etag);
    if (r->status == 304 && job->etag[0] != '\0')
        return POSTERN_OK;
    POSTERN_TRY(postern_key_fetch_judge(r, job->url, err));
    postern_buf_add(&job->body, postern_buf_bytes(&r->body));
    if (job->body.failed)
        return POSTERN_FAIL(err, NOMEM, "key set");
    return read_keys(job, err);
}

static void free_job(void *arg)
{
    struct job *job = arg;

    postern_jwks_free(job->keys);
    postern_buf_free(&job->body);
    free(job);
}

static const struct fetch_kind kind = {
    .name = "key set", .ask = ask, .take = take, .free = free_job
};

/* ---- begin ---- */

static postern_err fill(struct key_fetch *f, struct job *job, bool has_keys,
                        const struct postern_endpoint *found, postern_error *err)
{
    const char *url = f->url != NULL ? f->url : found->url;
    size_t len = strlen(url);

    if (len >= sizeof job->url)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "a jwks_uri of %zu bytes", len);
    memcpy(job->url, url, len + 1);
    job->server = f->server;
    job->is_host_configured = f->url != NULL || found->is_host_configured;
    job->body = POSTERN_BUF_INIT(POSTERN_JWKS_MAX);
    job->max_age_s = job->retry_after_s = -1;
    if (has_keys)
        memcpy(job->etag, f->etag, sizeof job->etag);
    return POSTERN_OK;
}

static postern_err start(struct key_fetch *f, postern_op *op, bool has_keys,
                         const struct postern_endpoint *found, postern_error *err)
{
    struct job *job = calloc(1, sizeof *job);
    postern_err e;

    if (job == NULL)
        return POSTERN_FAIL(err, NOMEM, "key set");
    if ((e = fill(f, job, has_keys, found, err)) != POSTERN_OK) {
        free_job(job);
        return e;
    }
    f->started_ms = postern_op_mono_ms(op);
    return postern_fetch_new(&kind, job, f->server->transport, &f->server->clock,
                             POSTERN_RETRY_FETCH_MS, &f->fetch, err);
}

/* AGAIN: the issuer's metadata comes first. */
static postern_err begin(struct key_fetch *f, postern_op *op, bool has_keys,
                         struct fetch **ret_wait, postern_error *err)
{
    struct postern_metadata m;

    if (f->url != NULL)
        return start(f, op, has_keys, NULL, err);
    POSTERN_TRY(
        postern_discovery_get(f->discovery, op, DISCOVERY_LOOK_WHEN_OLD, &m, ret_wait, err));
    return start(f, op, has_keys, &m.jwks, err);
}

/* ---- strangers' kids ---- */

/* FNV-1a from a secret start: who would fill one place after the other gets no further than the
 * table. */
static uint64_t hash_kid(const struct key_fetch *f, postern_bytes kid)
{
    uint64_t h = f->seed ^ UINT64_C(14695981039346656037);

    for (size_t i = 0; i < kid.len; i++)
        h = (h ^ kid.ptr[i]) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

static void refill(struct key_fetch *f, int64_t now_ms)
{
    while (f->hurries < POSTERN_KEY_FETCH_HURRIES && now_ms - f->refilled_ms >= HURRY_REFILL_MS) {
        f->hurries++;
        f->refilled_ms += HURRY_REFILL_MS;
    }
    if (f->hurries == POSTERN_KEY_FETCH_HURRIES)
        f->refilled_ms = now_ms;
}

/* May this unknown kid cause a fetch?  Takes it from the hour's. */
static bool may_hurry(struct key_fetch *f, int64_t now_ms, const struct key_look *look)
{
    uint64_t hash = hash_kid(f, look->kid);
    struct absent_kid *place = &f->absent[hash % POSTERN_KEY_FETCH_ABSENT_MAX];

    if (f->good_started_ms >= look->asked_ms) { /* it was looked for, and is not there */
        *place = (struct absent_kid){ hash, now_ms + POSTERN_KEY_FETCH_ABSENT_MS };
        return false;
    }
    if (place->hash == hash && now_ms < place->until_ms)
        return false;
    refill(f, now_ms);
    return f->hurries != 0 && now_ms - f->hurried_ms >= POSTERN_KEY_FETCH_HURRY_MS;
}

static void note_hurry(struct key_fetch *f, int64_t now_ms)
{
    f->hurried_ms = now_ms;
    f->hurries--;
}

/* ---- what came of it ---- */

static void note_good(struct key_fetch *f, int64_t now_ms, const struct job *job)
{
    int64_t ttl_ms =
        postern_retry_ttl_ms(job->max_age_s, POSTERN_KEY_FETCH_TTL_MS, POSTERN_KEY_FETCH_TTL_MIN_MS,
                             POSTERN_KEY_FETCH_TTL_MAX_MS);

    f->old_ms = now_ms + ttl_ms;
    f->ahead_ms = now_ms + postern_retry_ahead_ms(ttl_ms, postern_retry_dice());
    f->good_started_ms = f->started_ms;
    f->failures = 0;
    memcpy(f->etag, job->new_etag, sizeof f->etag);
}

/* Byte for byte what is in force, from an issuer without ETag: no other generation, and the tokens
 * that were proved stay so. */
static bool is_same(const struct key_fetch *f, const struct job *job, bool has_keys)
{
    return has_keys && (job->keys == NULL || postern_bytes_equal(postern_buf_bytes(&f->body),
                                                                 postern_buf_bytes(&job->body)));
}

static void take_set(struct key_fetch *f, struct job *job, bool has_keys, struct key_news *ret)
{
    if (is_same(f, job, has_keys)) {
        ret->kind = KEY_NEWS_SAME;
        return;
    }
    postern_buf_free(&f->body);
    f->body = job->body;
    job->body = POSTERN_BUF_INIT(0);
    ret->kind = KEY_NEWS_FRESH;
    ret->fresh = POSTERN_STEAL(job->keys);
}

static void note_failure(struct key_fetch *f, int64_t now_ms, int retry_after_s)
{
    f->failures++;
    f->retry_ms = now_ms + postern_retry_pause_ms(f->failures, retry_after_s, postern_retry_dice());
    if (f->discovery != NULL)
        postern_discovery_doubt(f->discovery);
}

/* OK: over, see *ret.  AGAIN: under way. */
static postern_err settle(struct key_fetch *f, postern_op *op, bool has_keys, struct key_news *ret,
                          postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(op);
    postern_err e = postern_fetch_step(f->fetch, &ret->why);
    struct fetch *done = f->fetch;
    struct job *job;

    if (e == POSTERN_AGAIN)
        return e;
    f->fetch = NULL;
    job = postern_fetch_job(done);
    if (e == POSTERN_OK && job->keys == NULL && !has_keys)
        e = POSTERN_FAIL(&ret->why, ISSUER_ANSWER, "\"not modified\", while no keys are left");
    if (e == POSTERN_OK) {
        note_good(f, now_ms, job);
        take_set(f, job, has_keys, ret);
    } else if (e == POSTERN_ERR_NOMEM) {
        e = POSTERN_FAIL(err, NOMEM, "%s", ret->why.detail);
    } else {
        note_failure(f, now_ms, job->retry_after_s);
        ret->kind = KEY_NEWS_BROKEN;
        e = POSTERN_OK;
    }
    postern_fetch_free(done);
    return e;
}

/* ---- a look ---- */

static bool is_due(const struct key_fetch *f, int64_t now_ms, const struct key_look *look,
                   bool has_keys)
{
    return !has_keys || now_ms >= (look->how == KEYRING_LOOK_AHEAD ? f->ahead_ms : f->old_ms);
}

static bool may_ask(const struct key_fetch *f, int64_t now_ms)
{
    return f->failures == 0 || now_ms >= f->retry_ms;
}

/* Nobody steps it any more; who comes now begins anew. */
static void drop_abandoned(struct key_fetch *f)
{
    if (f->fetch != NULL && postern_fetch_is_abandoned(f->fetch))
        postern_fetch_free(POSTERN_STEAL(f->fetch));
}

/* Begin what this look may begin.  AGAIN: the metadata is waited for. */
static postern_err begin_if_due(struct key_fetch *f, postern_op *op, const struct key_look *look,
                                bool has_keys, struct key_news *ret, struct fetch **ret_wait,
                                postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(op);
    bool is_hurry = false;
    postern_err e;

    if (f->fetch != NULL || !may_ask(f, now_ms))
        return POSTERN_OK;
    if (!is_due(f, now_ms, look, has_keys)) {
        if (look->how != KEYRING_LOOK_AGAIN || !may_hurry(f, now_ms, look))
            return POSTERN_OK;
        is_hurry = true;
    }
    e = begin(f, op, has_keys, ret_wait, &ret->why);
    if (e == POSTERN_OK && is_hurry)
        note_hurry(f, now_ms);
    if (e == POSTERN_OK || e == POSTERN_AGAIN)
        return e;
    if (e == POSTERN_ERR_NOMEM)
        return POSTERN_FAIL(err, NOMEM, "%s", ret->why.detail);
    note_failure(f, now_ms, -1);
    ret->kind = KEY_NEWS_BROKEN;
    return POSTERN_OK;
}

static postern_err look(struct key_source *s, postern_op *op, const struct key_look *how,
                        bool has_keys, struct key_news *ret, struct fetch **ret_wait,
                        postern_error *err)
{
    struct key_fetch *f = (struct key_fetch *)s;
    postern_err e;

    drop_abandoned(f);
    POSTERN_TRY(begin_if_due(f, op, how, has_keys, ret, ret_wait, err));
    if (f->fetch == NULL)
        return POSTERN_OK;
    e = settle(f, op, has_keys, ret, err);
    if (e != POSTERN_AGAIN)
        return e;
    if (how->how != KEYRING_LOOK_AGAIN && !is_due(f, postern_op_mono_ms(op), how, has_keys))
        return POSTERN_OK; /* it is fetched ahead, or for somebody else's kid */
    *ret_wait = postern_fetch_ref(f->fetch);
    return POSTERN_AGAIN;
}

static int64_t get_due_in_ms(struct key_source *s, int64_t now_ms)
{
    const struct key_fetch *f = (const struct key_fetch *)s;
    int64_t due_ms = f->ahead_ms; /* 0: never asked */

    if (f->fetch != NULL)
        return 0;
    if (f->failures != 0 && f->retry_ms > due_ms)
        due_ms = f->retry_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void free_source(struct key_source *s)
{
    struct key_fetch *f = (struct key_fetch *)s;

    postern_fetch_free(f->fetch);
    postern_buf_free(&f->body);
    free(f);
}

static const struct key_source_class fetch_class = {
    .field = "from",
    .stale_ms = POSTERN_KEY_FETCH_STALE_MS,
    .is_stale_from_good = true,
    .look = look,
    .due_in_ms = get_due_in_ms,
    .free = free_source,
};

postern_err postern_key_fetch_new(const struct server *server, const char *url,
                                  struct discovery *discovery, struct key_source **ret,
                                  postern_error *err)
{
    struct key_fetch *f = calloc(1, sizeof *f);

    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "keyring");
    f->source = (struct key_source){ &fetch_class, url != NULL ? url : server->issuer };
    f->server = server;
    f->url = url;
    f->discovery = discovery;
    f->body = POSTERN_BUF_INIT(0);
    f->hurried_ms = -POSTERN_KEY_FETCH_HURRY_MS;
    f->hurries = POSTERN_KEY_FETCH_HURRIES;
    f->good_started_ms = -1;
    f->seed = (uint64_t)postern_retry_dice() << 32 | postern_retry_dice();
    *ret = &f->source;
    return POSTERN_OK;
}
