/* SPDX-License-Identifier: BSD-2-Clause */
/* A list under a mutex and an eventfd(2) (mailbox.h). */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mailbox.h"

STAILQ_HEAD(mail_list, mail);

struct mailbox {
    void            *receiver;
    int              wake_fd;
    struct event    *readable;
    pthread_mutex_t  lock;
    struct mail_list list;
};

bool mailbox_deliver(struct mailbox *b)
{
    struct mail_list taken = STAILQ_HEAD_INITIALIZER(taken);
    bool is_any;

    pthread_mutex_lock(&b->lock);
    STAILQ_CONCAT(&taken, &b->list);
    pthread_mutex_unlock(&b->lock);
    is_any = !STAILQ_EMPTY(&taken);
    while (!STAILQ_EMPTY(&taken)) {
        struct mail *m = STAILQ_FIRST(&taken);

        STAILQ_REMOVE_HEAD(&taken, entry);
        m->deliver(m, b->receiver);
    }
    return is_any;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count;

    (void)what; /* only EV_READ is asked for */
    if (read(fd, &count, sizeof count) == (ssize_t)sizeof count)
        (void)mailbox_deliver(arg); /* nothing: the round before took it along */
}

postern_err mailbox_new(struct event_base *base, void *receiver, struct mailbox **ret,
                        postern_error *err)
{
    struct mailbox *b = calloc(1, sizeof *b);

    if (b == NULL || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return POSTERN_FAIL(err, NOMEM, "mailbox");
    }
    STAILQ_INIT(&b->list);
    b->receiver = receiver;
    b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->wake_fd >= 0)
        b->readable = event_new(base, b->wake_fd, EV_READ | EV_PERSIST, on_wake, b);
    if (b->readable == NULL || event_add(b->readable, NULL) != 0) {
        mailbox_free(b);
        return POSTERN_FAIL(err, SYSTEM, "mailbox: %m");
    }
    *ret = b;
    return POSTERN_OK;
}

void mailbox_put(struct mailbox *b, struct mail *take_mail)
{
    const uint64_t one = 1;
    bool was_empty;

    pthread_mutex_lock(&b->lock);
    was_empty = STAILQ_EMPTY(&b->list);
    STAILQ_INSERT_TAIL(&b->list, take_mail, entry);
    pthread_mutex_unlock(&b->lock);
    /* Fails only when the counter is full, and then it is readable anyway. */
    if (was_empty && write(b->wake_fd, &one, sizeof one) < 0)
        return;
}

void mailbox_free(struct mailbox *b)
{
    if (b == NULL)
        return;
    while (mailbox_deliver(b)) /* a mail may bring another */
        ;
    if (b->readable != NULL)
        event_free(b->readable);
    if (b->wake_fd >= 0)
        (void)close(b->wake_fd);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}
