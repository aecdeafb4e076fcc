/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See discovery.h.  One lock for what is in force, and one fetch at a time that everybody who needs
 * it waits for.  Order of places and of checks: RFC 8414 §3, OpenID Connect Discovery 1.0 §4.
 */
#include "discovery.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "retry.h"

struct discovery {
    pthread_mutex_t lock;
    const struct server *server;
    struct postern_issuer issuer;
    unsigned needs;
    struct fetch *fetch; /* NULL: none under way */
    bool has_current;
    struct postern_metadata current;
    int64_t fetched_ms, old_ms, ahead_ms; /* of `current`: when it came, is old, is fetched ahead */
    unsigned failures;                    /* in a row */
    int64_t retry_ms;                     /* not asked before, when there were failures */
    int64_t told_ms;                      /* the last metadata.unusable of these failures */
    postern_error why;                    /* of the last failure */
};

postern_err postern_discovery_new(const struct server *server, unsigned needs,
                                  struct discovery **ret, postern_error *err)
{
    struct discovery *d = calloc(1, sizeof *d);
    postern_err e;

    if (d == NULL || pthread_mutex_init(&d->lock, NULL) != 0) {
        free(d);
        return POSTERN_FAIL(err, NOMEM, "discovery");
    }
    d->server = server;
    d->needs = needs;
    e = postern_issuer_read(server->issuer, &d->issuer, err);
    if (e == POSTERN_OK)
        *ret = d;
    else
        postern_discovery_free(d);
    return e;
}

void postern_discovery_free(struct discovery *d)
{
    if (d == NULL)
        return;
    postern_fetch_free(d->fetch);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- the job: one place after the other, until one has a document ---- */

struct job {
    const struct server *server;
    const struct postern_issuer *issuer;
    unsigned needs;
    size_t place;
    postern_buf url;
    struct postern_metadata found;
    int max_age_s, retry_after_s;
};

static postern_err ask(void *arg, struct postern_http_request *rq, postern_error *err)
{
    struct job *job = arg;

    postern_buf_free(&job->url);
    job->url = POSTERN_BUF_INIT(POSTERN_HTTP_URL_MAX);
    if (!postern_metadata_place(job->issuer, job->place, &job->url))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s has no metadata (RFC 8414, OpenID Connect)",
                            job->issuer->text);
    if ((rq->url = postern_buf_cstr(&job->url)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "metadata of %s", job->issuer->text);
    postern_server_request(job->server, rq);
    rq->is_host_configured = true; /* it is the issuer's own */
    return POSTERN_OK;
}

static postern_err take(void *arg, const struct postern_http_response *r, postern_error *err)
{
    struct job *job = arg;

    if (r->status == 404) {
        job->place++;
        return POSTERN_AGAIN;
    }
    job->retry_after_s = r->retry_after_s;
    job->max_age_s = r->max_age_s;
    if (r->status != 200)
        return postern_answer_refuse_status(r, postern_buf_cstr(&job->url), err);
    return postern_metadata_read(r, job->issuer, job->needs, &job->found, err);
}

static void free_job(void *arg)
{
    struct job *job = arg;

    postern_buf_free(&job->url);
    free(job);
}

static const struct fetch_kind kind = {
    .name = "metadata", .ask = ask, .take = take, .free = free_job
};

static postern_err start(struct discovery *d, postern_error *err)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return POSTERN_FAIL(err, NOMEM, "metadata of %s", d->server->issuer);
    job->server = d->server;
    job->issuer = &d->issuer;
    job->needs = d->needs;
    job->url = POSTERN_BUF_INIT(POSTERN_HTTP_URL_MAX);
    job->max_age_s = job->retry_after_s = -1;
    return postern_fetch_new(&kind, job, d->server->transport, &d->server->clock,
                             POSTERN_RETRY_FETCH_MS, &d->fetch, err);
}

/* ---- what came of it; all with the lock held ---- */

/* Cut where it does not fit: a text for people. */
static void put(postern_event *event, size_t n, const char *name, const char *text)
{
    event->fields[n].name = name;
    if (snprintf(event->fields[n].text, sizeof event->fields[n].text, "%s", text) < 0)
        event->fields[n].text[0] = '\0';
}

static postern_err tell_loaded(const struct discovery *d, postern_op *op, postern_error *err)
{
    postern_event *event = postern_op_emit(op, "metadata.loaded");
    size_t n = 0;

    if (event == NULL)
        return POSTERN_FAIL(err, NOMEM, "event");
    put(event, n++, "issuer", d->server->issuer);
    if (d->needs & POSTERN_NEED_JWKS)
        put(event, n++, "keys_at", d->current.jwks.url);
    if (d->needs & POSTERN_NEED_INTROSPECTION)
        put(event, n++, "introspection_at", d->current.introspection.url);
    return POSTERN_OK;
}

static postern_err tell_unusable(const struct discovery *d, postern_op *op, postern_error *err)
{
    postern_event *event = postern_op_emit(op, "metadata.unusable");
    char text[320];

    if (event == NULL)
        return POSTERN_FAIL(err, NOMEM, "event");
    if (snprintf(text, sizeof text, "%s: %s", postern_err_text(d->why.code), d->why.detail) < 0)
        text[0] = '\0';
    put(event, 0, "issuer", d->server->issuer);
    put(event, 1, "why", text);
    return POSTERN_OK;
}

static const char *get_host(const struct postern_endpoint *e, struct postern_url *room)
{
    if (postern_url_split(postern_bytes_str(e->url), room, NULL) != POSTERN_OK)
        return ""; /* not needed, so not there */
    return room->host;
}

/* Keys from another host than yesterday's: mostly a move, once in a while the first sign of a
 * break-in at the issuer. */
static postern_err tell_move(const struct discovery *d, postern_op *op,
                             const struct postern_metadata *now, postern_error *err)
{
    struct postern_url was, is;
    const char *was_host = get_host(&d->current.jwks, &was), *host = get_host(&now->jwks, &is);
    postern_event *event;

    if (!d->has_current || strcmp(was_host, host) == 0)
        return POSTERN_OK;
    if ((event = postern_op_emit(op, "metadata.moved")) == NULL)
        return POSTERN_FAIL(err, NOMEM, "event");
    put(event, 0, "issuer", d->server->issuer);
    put(event, 1, "was", was_host);
    put(event, 2, "is", host);
    return POSTERN_OK;
}

static postern_err put_in_force(struct discovery *d, postern_op *op, const struct job *job,
                                postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(op);
    int64_t ttl_ms = postern_retry_ttl_ms(job->max_age_s, POSTERN_DISCOVERY_TTL_MS,
                                          POSTERN_DISCOVERY_TTL_MS, POSTERN_DISCOVERY_TTL_MAX_MS);
    bool is_news = !d->has_current || d->failures != 0;

    POSTERN_TRY(tell_move(d, op, &job->found, err));
    d->current = job->found;
    d->has_current = true;
    d->fetched_ms = now_ms;
    d->old_ms = now_ms + ttl_ms;
    d->ahead_ms = now_ms + postern_retry_ahead_ms(ttl_ms, postern_retry_dice());
    d->failures = 0;
    return is_news ? tell_loaded(d, op, err) : POSTERN_OK;
}

static postern_err note_failure(struct discovery *d, postern_op *op, int retry_after_s,
                                postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(op);
    bool is_news = d->failures == 0 || now_ms - d->told_ms >= POSTERN_DISCOVERY_REMIND_MS;

    d->failures++;
    d->retry_ms = now_ms + postern_retry_pause_ms(d->failures, retry_after_s, postern_retry_dice());
    if (!is_news)
        return POSTERN_OK;
    d->told_ms = now_ms;
    return tell_unusable(d, op, err);
}

/* Out of memory says nothing about the issuer: the next one tries again. */
static postern_err settle(struct discovery *d, postern_op *op, postern_error *err)
{
    postern_error why = { 0 };
    postern_err e = postern_fetch_step(d->fetch, &why);
    struct fetch *done = d->fetch;
    const struct job *job;

    if (e == POSTERN_AGAIN)
        return POSTERN_OK;
    d->fetch = NULL;
    job = postern_fetch_job(done);
    if (e == POSTERN_OK) {
        e = put_in_force(d, op, job, err);
    } else if (e == POSTERN_ERR_NOMEM) {
        e = POSTERN_FAIL(err, NOMEM, "%s", why.detail);
    } else {
        d->why = why;
        e = note_failure(d, op, job->retry_after_s, err);
    }
    postern_fetch_free(done);
    return e;
}

/* ---- who asks ---- */

static bool may_ask(const struct discovery *d, int64_t now_ms)
{
    return d->failures == 0 || now_ms >= d->retry_ms;
}

static bool is_due(const struct discovery *d, int64_t now_ms, enum discovery_look look)
{
    int64_t due_ms = look == DISCOVERY_LOOK_AHEAD ? d->ahead_ms : d->old_ms;

    return !d->has_current || now_ms >= due_ms;
}

/* OK: nothing is due, or nothing can be done about it now.  AGAIN: it is under way. */
static postern_err look_locked(struct discovery *d, postern_op *op, enum discovery_look look,
                               postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(op);

    if (d->fetch != NULL && postern_fetch_is_abandoned(d->fetch))
        postern_fetch_free(POSTERN_STEAL(d->fetch));
    if (d->fetch == NULL && is_due(d, now_ms, look) && may_ask(d, now_ms))
        POSTERN_TRY(start(d, err));
    if (d->fetch != NULL)
        POSTERN_TRY(settle(d, op, err));
    return d->fetch != NULL && is_due(d, now_ms, look) ? POSTERN_AGAIN : POSTERN_OK;
}

static bool is_usable(const struct discovery *d, int64_t now_ms)
{
    return d->has_current && now_ms - d->fetched_ms < POSTERN_DISCOVERY_STALE_MS;
}

static postern_err get_locked(struct discovery *d, postern_op *op, enum discovery_look look,
                              struct postern_metadata *ret, postern_error *err)
{
    POSTERN_TRY(look_locked(d, op, look, err));
    if (is_usable(d, postern_op_mono_ms(op))) {
        *ret = d->current;
        return POSTERN_OK;
    }
    return postern_error_set(err, d->why.code, __FILE__, __LINE__, "metadata of %s: %s",
                             d->server->issuer, d->why.detail);
}

postern_err postern_discovery_get(struct discovery *d, postern_op *op, enum discovery_look look,
                                  struct postern_metadata *ret, struct fetch **ret_wait,
                                  postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&d->lock);
    e = get_locked(d, op, look, ret, err);
    if (e == POSTERN_AGAIN)
        *ret_wait = postern_fetch_ref(d->fetch);
    pthread_mutex_unlock(&d->lock);
    return e;
}

int64_t postern_discovery_due_in_ms(struct discovery *d, int64_t now_ms)
{
    int64_t due_ms = now_ms;

    pthread_mutex_lock(&d->lock);
    if (d->fetch == NULL && d->has_current)
        due_ms = d->ahead_ms;
    if (d->fetch == NULL && d->failures != 0 && d->retry_ms > due_ms)
        due_ms = d->retry_ms;
    pthread_mutex_unlock(&d->lock);
    return due_ms > now_ms ? due_ms - now_ms : 0;
}
