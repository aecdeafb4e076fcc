/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How one thread asks another for something: a message is put into the other's mailbox and
 * delivered there, on its event loop, in order.  Messages name sessions by id and connections by
 * number, never by pointer.
 */
#ifndef POSTERN_SIDECAR_DOOR_MAILBOX_H
#define POSTERN_SIDECAR_DOOR_MAILBOX_H

#include <stdbool.h>
#include <sys/queue.h>

#include <event2/event.h>

#include <postern/error.h>

struct mail {
    STAILQ_ENTRY(mail) entry;
    /* Runs on the receiver's thread; the mail is the function's to free. */
    void (*deliver)(struct mail *take_mail, void *receiver);
};

struct mailbox;

/* Of the thread that runs `base`.  POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err mailbox_new(struct event_base *base, void *receiver,
                                         struct mailbox **ret, postern_error *err);
/* From any thread; never fails, never blocks for long. */
void mailbox_put(struct mailbox *b, struct mail *take_mail);
/* On the receiver's thread, or when that has ended: what is there now.  False: nothing was. */
bool mailbox_deliver(struct mailbox *b);
/* On the receiver's thread, when nobody puts any more; what was not delivered is delivered. */
void mailbox_free(struct mailbox *b);

#endif
