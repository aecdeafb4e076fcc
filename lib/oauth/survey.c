/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See <postern/survey.h>.  One fetch: the places of the metadata, one after the other, then the key
 * set; its job is the survey.  A key set in a file is read instead, by the first step.
 */
#include "oauth/survey.h"

#include <stdlib.h>

#include "grant/op.h"
#include "jose/jwks.h"
#include "oauth/fetch.h"
#include "oauth/key_fetch.h"
#include "oauth/metadata.h"
#include "oauth/server.h"
#include "oauth/trusted_file.h"

/* A person waits; three places and a key set, each of which answers in a second or not at all. */
#define SURVEY_DEADLINE_MS 20000

/* Bytes that the longest place of metadata adds to an issuer (metadata.c). */
#define PLACE_MAX (sizeof "/.well-known/oauth-authorization-server" - 1)

_Static_assert(POSTERN_SURVEY_URL_MAX >= POSTERN_HTTP_URL_MAX, "a URL that is fetched fits");

struct look {
    postern_survey found;
    char issuer_text[POSTERN_SURVEY_URL_MAX], file[POSTERN_SURVEY_URL_MAX];
    char ca_file[POSTERN_SURVEY_URL_MAX];
    struct server server;
    struct postern_issuer issuer;
    bool asks_keys; /* the metadata is there, or nobody wants it */
    bool is_own_host;
    size_t place;
    postern_clock clock;
};

struct survey_op {
    postern_op op;
    struct fetch *fetch; /* its job is `look` */
    struct look *look;   /* the fetch's */
};

/* ---- what an answer says ---- */

static void note_date(struct look *l, const struct postern_http_response *r)
{
    if (r->date_s < 0)
        return;
    l->found.date_s = r->date_s;
    l->found.came_s = l->clock.now_s(l->clock.arg);
}

static void list_algorithms(postern_alg_set algs, char *room, size_t size)
{
    size_t used = 0;

    room[0] = '\0';
    for (postern_alg alg = POSTERN_ALG_RS256; alg < POSTERN_ALG_COUNT; alg++) {
        const char *name = postern_alg_name(alg);
        size_t len = strlen(name);

        if ((algs & (1u << alg)) == 0 || used + len + 2 > size)
            continue;
        if (used != 0)
            room[used++] = ' ';
        memcpy(room + used, name, len + 1);
        used += len;
    }
}

static postern_err take_keys(struct look *l, postern_bytes text, postern_error *err)
{
    POSTERN_AUTO(jwks) keys = NULL;
    postern_error why = { 0 };
    postern_err e = postern_jwks_parse(text, &keys, &why);

    if (e == POSTERN_ERR_NOMEM || e == POSTERN_ERR_INTERNAL)
        return postern_error_set(err, e, __FILE__, __LINE__, "%s", why.detail);
    if (e != POSTERN_OK)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s is no key set: %s", l->found.jwks_uri,
                            why.detail);
    l->found.has_keys = true;
    l->found.key_count = postern_jwks_count(keys);
    l->found.skipped_count = postern_jwks_skipped(keys);
    list_algorithms(postern_jwks_algs(keys), l->found.algorithms, sizeof l->found.algorithms);
    return POSTERN_OK;
}

/* Endpoints that a document may lack: what cannot be used counts as not there. */
static postern_err read_endpoint(const struct postern_http_response *r,
                                 const struct postern_issuer *issuer, unsigned need, char *room,
                                 postern_error *err)
{
    struct postern_metadata m = { 0 };
    postern_err e = postern_metadata_read(r, issuer, need, &m, err);
    const char *url = need == POSTERN_NEED_TOKEN ? m.token.url : m.introspection.url;

    memcpy(room, url, strlen(url) + 1);
    return e == POSTERN_ERR_NOMEM ? e : POSTERN_OK;
}

static postern_err take_metadata(struct look *l, const struct postern_http_response *r,
                                 postern_error *err)
{
    struct postern_metadata m = { 0 };

    if (r->status == 404) {
        l->place++;
        l->found.metadata_url[0] = '\0';
        return POSTERN_AGAIN;
    }
    if (r->status != 200)
        return postern_answer_refuse_status(r, l->found.metadata_url, err);
    POSTERN_TRY(postern_metadata_read(r, &l->issuer, POSTERN_NEED_JWKS, &m, err));
    memcpy(l->found.jwks_uri, m.jwks.url, strlen(m.jwks.url) + 1);
    l->is_own_host = m.jwks.is_host_configured;
    POSTERN_TRY(read_endpoint(r, &l->issuer, POSTERN_NEED_TOKEN, l->found.token_endpoint, err));
    POSTERN_TRY(
        read_endpoint(r, &l->issuer, POSTERN_NEED_INTROSPECTION, l->found.introspection, err));
    l->asks_keys = true;
    return POSTERN_AGAIN;
}

/* ---- the job ---- */

static postern_err find_place(struct look *l, postern_error *err)
{
    POSTERN_AUTO_BUF url = POSTERN_BUF_INIT(POSTERN_HTTP_URL_MAX);
    const char *text;

    if (!postern_metadata_place(&l->issuer, l->place, &url))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s has no metadata (RFC 8414, OpenID Connect)",
                            l->issuer.text);
    if ((text = postern_buf_cstr(&url)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "metadata of %s", l->issuer.text);
    memcpy(l->found.metadata_url, text, url.len);
    l->found.metadata_url[url.len] = '\0';
    return POSTERN_OK;
}

static postern_err ask(void *job, struct postern_http_request *rq, postern_error *err)
{
    struct look *l = job;

    if (!l->asks_keys)
        POSTERN_TRY(find_place(l, err));
    rq->url = l->asks_keys ? l->found.jwks_uri : l->found.metadata_url;
    rq->is_host_configured = !l->asks_keys || l->is_own_host;
    postern_server_request(&l->server, rq);
    if (l->asks_keys)
        rq->accept = POSTERN_KEY_FETCH_ACCEPT;
    return POSTERN_OK;
}

static postern_err take(void *job, const struct postern_http_response *r, postern_error *err)
{
    struct look *l = job;

    note_date(l, r);
    if (!l->asks_keys)
        return take_metadata(l, r, err);
    POSTERN_TRY(postern_key_fetch_judge(r, l->found.jwks_uri, err));
    l->found.max_age_s = r->max_age_s;
    return take_keys(l, postern_buf_bytes(&r->body), err);
}

static void free_look(void *job)
{
    free(job);
}

static const struct fetch_kind kind = {
    .name = "survey", .ask = ask, .take = take, .free = free_look
};

/* ---- the operation ---- */

static postern_err read_file(struct look *l, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_JWKS_MAX);
    struct stat st;

    POSTERN_TRY(postern_trusted_file_read(l->file, l->file, FILE_OF_ROOT_OR_SELF, &text, &st, err));
    l->found.written_s = st.st_mtime;
    l->found.came_s = l->clock.now_s(l->clock.arg);
    return take_keys(l, postern_buf_bytes(&text), err);
}

static postern_err step(postern_op *op, postern_error *err)
{
    struct survey_op *s = (struct survey_op *)op;

    return s->look->file[0] != '\0' ? read_file(s->look, err) : postern_fetch_step(s->fetch, err);
}

static int get_fd(const postern_op *op)
{
    return postern_fetch_fd(((const struct survey_op *)op)->fetch);
}

static int get_wait_ms(const postern_op *op)
{
    return postern_fetch_wait_ms(((const struct survey_op *)op)->fetch);
}

static void destroy(postern_op *op)
{
    postern_fetch_free(((struct survey_op *)op)->fetch);
}

static const struct postern_op_class survey_class = {
    .name = "survey",
    .size = sizeof(struct survey_op),
    .step = step,
    .fd = get_fd,
    .wait_ms = get_wait_ms,
    .destroy = destroy,
};

static postern_err copy(const char *from, const char *name, char *room, postern_error *err)
{
    size_t len = from == NULL ? 0 : strlen(from);

    if (len >= POSTERN_SURVEY_URL_MAX || (from != NULL && len == 0))
        return POSTERN_FAIL(err, USAGE, "%s has 1 to %d bytes", name, POSTERN_SURVEY_URL_MAX - 1);
    if (len != 0)
        memcpy(room, from, len);
    room[len] = '\0';
    return POSTERN_OK;
}

static postern_err fill(struct look *l, const postern_http_transport *transport,
                        const postern_survey_target *t, postern_error *err)
{
    l->found.max_age_s = l->found.written_s = l->found.date_s = l->found.came_s = -1;
    if (t->issuer == NULL)
        return POSTERN_FAIL(err, USAGE, "an issuer is required");
    POSTERN_TRY(copy(t->issuer, "issuer", l->issuer_text, err));
    POSTERN_TRY(copy(t->tls_ca_file, "tls_ca_file", l->ca_file, err));
    POSTERN_TRY(copy(t->jwks_file, "jwks_file", l->file, err));
    POSTERN_TRY(copy(t->jwks_file == NULL ? t->jwks_uri : t->jwks_file, "jwks_uri",
                     l->found.jwks_uri, err));
    POSTERN_TRY(postern_issuer_read(l->issuer_text, &l->issuer, err));
    l->asks_keys = l->found.jwks_uri[0] != '\0';
    if (!l->asks_keys && strlen(l->issuer_text) + PLACE_MAX >= POSTERN_HTTP_URL_MAX)
        return POSTERN_FAIL(err, USAGE, "issuer: its metadata would have too long a URL");
    l->server = (struct server){
        .issuer = l->issuer_text,
        .tls_ca_file = t->tls_ca_file == NULL ? NULL : l->ca_file,
        .allow_loopback_http = t->allow_loopback_http,
        .listener_uid = t->listener_uid,
        .transport = transport,
        .clock = l->clock,
    };
    l->is_own_host = true; /* a jwks_uri that an administrator wrote */
    return POSTERN_OK;
}

postern_err postern_survey_start_with(const postern_http_transport *transport,
                                      const postern_survey_target *target,
                                      const postern_clock *clock, postern_op **ret_op,
                                      postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    struct look *look;
    struct survey_op *s;
    postern_err e;

    POSTERN_TRY(postern_op_new(&survey_class, clock, SURVEY_DEADLINE_MS, &op, err));
    s = (struct survey_op *)op;
    if ((look = calloc(1, sizeof *look)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "survey");
    look->clock = s->op.clock;
    if ((e = fill(look, transport, target, err)) != POSTERN_OK) {
        free(look);
        return e;
    }
    POSTERN_TRY(postern_fetch_new(&kind, look, transport, &look->clock, SURVEY_DEADLINE_MS,
                                  &s->fetch, err));
    s->look = look;
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}

postern_err postern_survey_start(const postern_survey_target *target, const postern_clock *clock,
                                 postern_op **ret_op, postern_error *err)
{
    return postern_survey_start_with(&postern_http_curl, target, clock, ret_op, err);
}

const postern_survey *postern_survey_result(const postern_op *op)
{
    if (op == NULL || op->class != &survey_class || op->verdict == POSTERN_ERR_UNSET)
        return NULL;
    return &((const struct survey_op *)op)->look->found;
}
