/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See program_start.h.  Each question has a SEQPACKET pair of its own, one end of which goes along with
 * it: the other becomes readable with the answer, or with the spawner's end.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "../channel.h"
#include "program_start.h"

#define QUESTION_MAX 512 /* bytes: a type, a door's name and a session's */
#define DETAIL_MAX   320 /* bytes with NUL of a refusal */

struct spawner_line {
    pthread_mutex_t lock;    /* of channel, also while it is used */
    struct channel *channel; /* of a descriptor of our own; NULL: nobody is there */
};

struct program_start {
    struct upstream_owner owner;
    struct channel *answer;
    struct event *ready; /* of answer, with the time-out */
    postern_error why;
};

/* ---- the line ---- */

postern_err spawner_line_new(struct spawner_line **ret, postern_error *err)
{
    struct spawner_line *l = calloc(1, sizeof *l);

    if (l == NULL || pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return POSTERN_FAIL(err, NOMEM, "line to the spawner");
    }
    *ret = l;
    return POSTERN_OK;
}

void spawner_line_set(struct spawner_line *l, int fd)
{
    int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    struct channel *channel = NULL, *old;

    /* What fails here is told to whoever asks next. */
    if (own >= 0 && channel_new(own, &channel, NULL) != POSTERN_OK)
        channel = NULL;
    pthread_mutex_lock(&l->lock);
    old = l->channel;
    l->channel = channel;
    pthread_mutex_unlock(&l->lock);
    channel_free(old);
}

void spawner_line_free(struct spawner_line *l)
{
    if (l == NULL)
        return;
    channel_free(l->channel);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static postern_err send_question(struct spawner_line *l, postern_bytes question, int answer_fd,
                                 postern_error *err)
{
    postern_err e = POSTERN_ERR_BACKEND;

    pthread_mutex_lock(&l->lock);
    if (l->channel != NULL)
        e = channel_send(l->channel, question, answer_fd, NULL);
    pthread_mutex_unlock(&l->lock);
    if (e == POSTERN_OK)
        return POSTERN_OK;
    return POSTERN_FAIL(err, BACKEND,
                        e == POSTERN_AGAIN ? "the spawner child is asked for more programs than it "
                                             "can start"
                                           : "the spawner child, which starts programs, is not there");
}

/* ---- one program ---- */

/* The owner frees p in it. */
static void give_up(struct program_start *p)
{
    (void)event_del(p->ready);
    p->owner.done(p->owner.arg, (struct leg){ .fd = -1 }, &p->why);
}

static void take_refusal(struct program_start *p)
{
    char detail[DETAIL_MAX] = "", quoted[DETAIL_MAX];

    (void)channel_text(p->answer, "detail", detail, sizeof detail);
    (void)POSTERN_FAIL(&p->why, BACKEND, "its program was not started: %s",
                       postern_error_quote(detail, strlen(detail), quoted, sizeof quoted));
    give_up(p);
}

static void take_answer(struct program_start *p)
{
    int fd;

    if (!channel_type_is(p->answer, "spawned")) {
        take_refusal(p);
        return;
    }
    fd = channel_take_fd(p->answer);
    if (fd < 0 || evutil_make_socket_nonblocking(fd) != 0) {
        if (fd >= 0)
            (void)close(fd);
        (void)POSTERN_FAIL(&p->why, BACKEND, "its program came without a descriptor");
        give_up(p);
        return;
    }
    (void)event_del(p->ready);
    p->owner.done(p->owner.arg, (struct leg){ .fd = fd }, NULL);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct program_start *p = arg;
    postern_error err = { 0 };

    (void)fd;
    if ((what & EV_TIMEOUT) != 0) {
        (void)POSTERN_FAIL(&p->why, BACKEND, "its program did not start in time");
        give_up(p);
        return;
    }
    switch (channel_receive(p->answer, &err)) {
    case CHANNEL_NOTHING:
        return;
    case CHANNEL_MESSAGE:
        take_answer(p);
        return;
    case CHANNEL_CLOSED:
    case CHANNEL_BROKEN:
        break;
    }
    (void)POSTERN_FAIL(&p->why, BACKEND, "the spawner child went away: %s", err.detail);
    give_up(p);
}

static postern_err ask(struct program_start *p, struct spawner_line *line, const char *door,
                       const char *session, postern_error *err)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(QUESTION_MAX);
    postern_json_writer w = { .out = &b };
    postern_err e;
    int fds[2];

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "spawn");
    postern_json_put_str(&w, "door", door);
    postern_json_put_str(&w, "session", session);
    postern_json_close_object(&w);
    if (b.failed)
        return POSTERN_FAIL(err, NOMEM, "question to the spawner");
    POSTERN_TRY(channel_pair(fds, err));
    e = channel_new(fds[0], &p->answer, err);
    if (e == POSTERN_OK)
        e = send_question(line, postern_buf_bytes(&b), fds[1], err);
    (void)close(fds[1]);
    return e;
}

static postern_err watch(struct program_start *p, struct event_base *base, postern_error *err)
{
    const struct timeval patience = { .tv_sec = PROGRAM_START_MS / 1000 };

    p->ready = event_new(base, channel_fd(p->answer), EV_READ | EV_PERSIST, on_ready, p);
    if (p->ready == NULL || event_add(p->ready, &patience) != 0)
        return POSTERN_FAIL(err, NOMEM, "a program's start");
    return POSTERN_OK;
}

postern_err program_start_new(struct event_base *base, struct spawner_line *line, const char *door,
                              const char *session, struct upstream_owner owner,
                              struct program_start **ret, postern_error *err)
{
    struct program_start *p = calloc(1, sizeof *p);
    postern_err e;

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "a program's start");
    p->owner = owner;
    e = ask(p, line, door, session, err);
    if (e == POSTERN_OK)
        e = watch(p, base, err);
    if (e != POSTERN_OK) {
        program_start_free(p);
        return e;
    }
    *ret = p;
    return POSTERN_OK;
}

void program_start_free(struct program_start *p)
{
    if (p == NULL)
        return;
    if (p->ready != NULL)
        event_free(p->ready);
    channel_free(p->answer);
    free(p);
}
