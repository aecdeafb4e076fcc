/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See issuer_line.h.  Each exchange has a SEQPACKET pair of its own, one end of which goes along with
 * the question: the other becomes readable with the answer, or with the issuer's end.
 */
#include "issuer_line.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/json.h>

#include "grant/op.h"

#define JSON_TYPE "application/json" /* what every answer is */
#define QUESTION_MAX 128 /* bytes: a type and a hash */

struct postern_issuer_line {
    pthread_mutex_t lock; /* of fd, also while it is used */
    int fd;               /* borrowed; -1: nobody is there */
    postern_http_transport transport;
};

struct postern_http_exchange {
    postern_issuer_line *line;
    postern_buf question; /* empty: sent */
    int fd;               /* our end */
    int far_fd;           /* the issuer's, until the question is sent; -1 */
    int64_t end_ms;       /* monotonic */
    postern_clock clock;
    struct postern_http_response response;
};

/* ---- one question ---- */

static void close_far(struct postern_http_exchange *x)
{
    if (x->far_fd >= 0)
        (void)close(x->far_fd);
    x->far_fd = -1;
}

static void free_exchange(struct postern_http_exchange *x)
{
    if (x == NULL)
        return;
    close_far(x);
    if (x->fd >= 0)
        (void)close(x->fd);
    postern_buf_free(&x->question);
    postern_buf_free(&x->response.body);
    free(x);
}

static inline void auto_free_exchange(struct postern_http_exchange **x)
{
    free_exchange(*x);
}

static postern_err write_question(struct postern_http_exchange *x, postern_bytes sha256,
                                  postern_error *err)
{
    postern_json_writer w = { &x->question, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "introspect");
    postern_json_put_string(&w, "sha256", sha256);
    postern_json_close_object(&w);
    return x->question.failed ? POSTERN_FAIL(err, NOMEM, "question to the issuer") : POSTERN_OK;
}

static postern_err start(const postern_http_transport *t, const struct postern_http_request *rq,
                         struct postern_http_exchange **ret, postern_error *err)
{
    __attribute__((cleanup(auto_free_exchange))) struct postern_http_exchange *x =
        calloc(1, sizeof *x);
    int fds[2];

    if (x == NULL)
        return POSTERN_FAIL(err, NOMEM, "question to the issuer");
    x->line = t->arg;
    x->fd = x->far_fd = -1;
    x->question = POSTERN_BUF_INIT(QUESTION_MAX);
    x->response.body = POSTERN_BUF_INIT(rq->body_max);
    x->response.retry_after_s = x->response.max_age_s = -1;
    x->clock = postern_clock_or_system(NULL);
    x->end_ms = x->clock.mono_ms(x->clock.arg) + rq->deadline_ms;
    POSTERN_TRY(write_question(x, rq->body, err));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return POSTERN_FAIL(err, SYSTEM, "socketpair: %m");
    x->fd = fds[0];
    x->far_fd = fds[1];
    *ret = POSTERN_STEAL(x);
    return POSTERN_OK;
}

static postern_err fail_away(postern_error *err)
{
    return POSTERN_FAIL(err, ISSUER_UNREACHABLE,
                        "posternd's issuer child, which alone knows this token, is not there");
}

static int send_with_fd(int fd, postern_bytes text, int passed_fd)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)text.ptr, .iov_len = text.len };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof control.room };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    ssize_t n;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof passed_fd);
    memcpy(CMSG_DATA(c), &passed_fd, sizeof passed_fd);
    do
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0; /* a datagram goes whole or not at all */
}

/* EAGAIN: it does not read as fast as it is asked, and this login is the one that is told so. */
static postern_err send_question(struct postern_http_exchange *x, postern_error *err)
{
    bool is_away, is_sent;
    int why = 0;

    pthread_mutex_lock(&x->line->lock);
    is_away = x->line->fd < 0;
    is_sent = !is_away && send_with_fd(x->line->fd, postern_buf_bytes(&x->question), x->far_fd) == 0;
    if (!is_sent)
        why = errno;
    pthread_mutex_unlock(&x->line->lock);
    postern_buf_reset(&x->question);
    close_far(x);
    if (is_sent)
        return POSTERN_OK;
    if (!is_away && (why == EAGAIN || why == EWOULDBLOCK))
        return POSTERN_FAIL(err, BUSY, "the issuer child has more questions than it can read");
    if (!is_away && (why == ETOOMANYREFS || why == ENOBUFS || why == ENOMEM))
        return POSTERN_FAIL(err, BUSY, "no room for a question to the issuer child");
    return fail_away(err);
}

static postern_err receive_answer(struct postern_http_exchange *x, postern_error *err)
{
    size_t max = x->response.body.max;
    uint8_t *room = malloc(max + 1);
    ssize_t n;

    if (room == NULL)
        return POSTERN_FAIL(err, NOMEM, "answer of the issuer");
    do
        n = recv(x->fd, room, max + 1, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0 && (size_t)n <= max)
        postern_buf_add(&x->response.body, (postern_bytes){ room, (size_t)n });
    free(room);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return POSTERN_AGAIN;
    if (n <= 0) /* it cannot say, or is gone */
        return POSTERN_FAIL(err, ISSUER_UNREACHABLE, "posternd's issuer child gave no answer");
    if ((size_t)n > max)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "an answer of more than %zu bytes", max);
    if (x->response.body.failed)
        return POSTERN_FAIL(err, NOMEM, "answer of the issuer");
    x->response.status = 200;
    memcpy(x->response.content_type, JSON_TYPE, sizeof JSON_TYPE);
    return POSTERN_OK;
}

static postern_err step(struct postern_http_exchange *x, postern_error *err)
{
    if (x->question.len != 0)
        POSTERN_TRY(send_question(x, err));
    return receive_answer(x, err);
}

static int get_fd(const struct postern_http_exchange *x)
{
    return x->fd;
}

static int get_wait_ms(const struct postern_http_exchange *x)
{
    int64_t left_ms = x->end_ms - x->clock.mono_ms(x->clock.arg);

    return left_ms < 0 ? 0 : (int)left_ms; /* at most deadline_ms, an int */
}

static const struct postern_http_response *get_response(const struct postern_http_exchange *x)
{
    return &x->response;
}

static bool was_sent(const struct postern_http_exchange *x)
{
    return x->question.len == 0;
}

/* ---- the line ---- */

postern_err postern_issuer_line_new(postern_issuer_line **ret, postern_error *err)
{
    postern_issuer_line *l = calloc(1, sizeof *l);

    if (l == NULL || pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return POSTERN_FAIL(err, NOMEM, "line to the issuer");
    }
    l->fd = -1;
    l->transport = (postern_http_transport){ .name = "issuer line",
                                             .start = start,
                                             .step = step,
                                             .fd = get_fd,
                                             .wait_ms = get_wait_ms,
                                             .response = get_response,
                                             .was_sent = was_sent,
                                             .free = free_exchange,
                                             .arg = l };
    *ret = l;
    return POSTERN_OK;
}

void postern_issuer_line_set(postern_issuer_line *l, int fd)
{
    pthread_mutex_lock(&l->lock);
    l->fd = fd;
    pthread_mutex_unlock(&l->lock);
}

void postern_issuer_line_free(postern_issuer_line *l)
{
    if (l == NULL)
        return;
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

const postern_http_transport *postern_issuer_line_transport(const postern_issuer_line *l)
{
    return &l->transport;
}
