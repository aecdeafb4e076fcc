/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_transport.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_transport.h"

struct postern_http_exchange {
    struct fake_transport *owner;
    const struct fake_answer *answer;
    int again_left, fd;
    struct postern_http_response response;
};

static void record_text(char *to, size_t room, postern_bytes from)
{
    size_t len = from.len < room - 1 ? from.len : room - 1;

    if (len != 0)
        memcpy(to, from.ptr, len);
    to[len] = '\0';
}

static void record_request(struct fake_record *r, const struct postern_http_request *rq)
{
    record_text(r->method, sizeof r->method, postern_bytes_str(rq->method));
    record_text(r->url, sizeof r->url, postern_bytes_str(rq->url));
    record_text(r->authorization, sizeof r->authorization, rq->authorization);
    record_text(r->body, sizeof r->body, rq->body);
    record_text(r->etag, sizeof r->etag, postern_bytes_str(rq->etag == NULL ? "" : rq->etag));
    record_text(r->tls_ca_file, sizeof r->tls_ca_file,
                postern_bytes_str(rq->tls_ca_file == NULL ? "" : rq->tls_ca_file));
    r->is_host_configured = rq->is_host_configured;
    r->allow_loopback_http = rq->allow_loopback_http;
    r->check_listener = rq->check_listener;
    r->listener_uid = rq->listener_uid;
    r->deadline_ms = rq->deadline_ms;
}

static postern_err start_fake(const struct postern_http_transport *t,
                              const struct postern_http_request *rq,
                              struct postern_http_exchange **ret, postern_error *err)
{
    struct fake_transport *f = t->arg;
    const struct fake_answer *a = &f->answers[f->started];
    struct postern_http_exchange *x;

    if (f->started == f->answer_count || f->started == FAKE_RECORDS)
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "the script of the fake is over");
    if (a->url != NULL)
        assert_string_equal(rq->url, a->url);
    if ((x = calloc(1, sizeof *x)) == NULL)
        return POSTERN_FAIL(err, NOMEM, "fake exchange");
    record_request(&f->records[f->started++], rq);
    if (a->start_err != POSTERN_ERR_UNSET) {
        free(x);
        return postern_error_set(err, a->start_err, __FILE__, __LINE__, "scripted");
    }
    f->open++;
    *x = (struct postern_http_exchange){
        .owner = f, .answer = a, .again_left = a->again, .fd = a->has_fd ? eventfd(0, EFD_CLOEXEC) : -1
    };
    assert_true(!a->has_fd || x->fd >= 0);
    x->response.body = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX);
    *ret = x;
    return POSTERN_OK;
}

static postern_err step_fake(struct postern_http_exchange *x, postern_error *err)
{
    const struct fake_answer *a = x->answer;

    if (x->again_left == FAKE_FOREVER)
        return POSTERN_AGAIN;
    if (x->again_left > 0) {
        x->again_left--;
        return POSTERN_AGAIN;
    }
    if (a->step_err != POSTERN_ERR_UNSET)
        return postern_error_set(err, a->step_err, __FILE__, __LINE__, "scripted");
    x->response.status = a->status;
    x->response.retry_after_s = a->retry_after_s == 0 ? -1 : a->retry_after_s;
    x->response.max_age_s = a->max_age_s == 0 ? -1 : a->max_age_s < 0 ? 0 : a->max_age_s;
    x->response.date_s = a->date_s == 0 ? -1 : a->date_s;
    (void)snprintf(x->response.etag, sizeof x->response.etag, "%s", a->etag == NULL ? "" : a->etag);
    (void)snprintf(x->response.content_type, sizeof x->response.content_type, "%s",
                   a->content_type == NULL ? "application/json" : a->content_type);
    postern_buf_add(&x->response.body, a->body);
    return x->response.body.failed ? POSTERN_FAIL(err, NOMEM, "fake body") : POSTERN_OK;
}

static int fake_fd(const struct postern_http_exchange *x)
{
    return x->fd;
}

static int fake_wait_ms(const struct postern_http_exchange *x)
{
    (void)x;
    return 0;
}

static const struct postern_http_response *fake_response(const struct postern_http_exchange *x)
{
    return &x->response;
}

static bool fake_was_sent(const struct postern_http_exchange *x)
{
    return !x->answer->is_unsent;
}

static void free_fake(struct postern_http_exchange *x)
{
    if (x == NULL)
        return;
    x->owner->open--;
    if (x->fd >= 0)
        (void)close(x->fd);
    postern_buf_free(&x->response.body);
    free(x);
}

void fake_transport_init(struct fake_transport *f, const struct fake_answer *answers, size_t count)
{
    *f = (struct fake_transport){ .answers = answers, .answer_count = count };
    f->transport = (postern_http_transport){
        .name = "fake",
        .start = start_fake,
        .step = step_fake,
        .fd = fake_fd,
        .wait_ms = fake_wait_ms,
        .response = fake_response,
        .was_sent = fake_was_sent,
        .free = free_fake,
        .arg = f,
    };
}
