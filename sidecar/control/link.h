/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control child's line to the door or to the helper (sidecar/role.h): the list of blocks whole
 * after each new line and each change, questions with one answer each, both in order and without
 * ever waiting.
 */
#ifndef POSTERN_CONTROL_LINK_H
#define POSTERN_CONTROL_LINK_H

#include <event2/event.h>

#include "blocks_text.h"
#include "channel.h"

/* For an answer: a child that works needs milliseconds, an administrator wants to be told. */
#define LINK_WAIT_MS 2000
/* Questions that may be on their way: every administrator's and the status listener's, twice. */
#define LINK_WAITING_MAX 64

typedef enum link_news {
    LINK_AWAY = 0, /* there is no line at the moment */
    LINK_SILENT,   /* it was told and has not answered in time */
    LINK_KNOWS     /* here is its answer */
} link_news;

struct link_owner {
    void (*lost)(void *arg); /* the line is gone: a new one is wanted */
    void *arg;
};

/*
 * Exactly once for each question that was not cancelled; perhaps before the call that asked
 * returns.
 *   answer   LINK_KNOWS: its message is the answer, valid during the call; else NULL
 */
typedef void (*link_done)(void *arg, link_news news, const struct channel *answer);

/* A member of a question: text, or with text NULL the number. */
struct link_member {
    const char *name, *text;
    int64_t number;
};

struct link;

/*
 *   name      static: "door", "helper"; for the log
 *   contact   for blocked agents, "" none; borrowed for life
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err link_new(struct event_base *base, const char *name,
                                      const char *contact, struct link_owner owner,
                                      struct link **ret, postern_error *err);
/* A new line; the one before is closed, and who waits for an answer on it hears LINK_AWAY.  The
 * list of blocks goes out on it. */
void link_set(struct link *l, int take_fd);
/* The list that counts from now on (a reference is taken); goes out as soon as it can. */
void link_set_blocks(struct link *l, struct block_list *list);
/*
 * Wait until the newest list is in force at the other end, over a new line if need be.
 */
void link_await_blocks(struct link *l, link_done done, void *arg);
/* Ask {"type":TYPE,"id":n,members…}. */
void link_ask(struct link *l, const char *type, const struct link_member *members, size_t count,
              link_done done, void *arg);
/* Whoever waits with `arg` waits no more. */
void link_cancel(struct link *l, const void *arg);

bool link_is_there(const struct link *l);
/* There is a line, and a list that went out on it is in force at its other end. */
bool link_is_told(const struct link *l);
void link_free(struct link *l); /* nobody is called; NULL is fine */

#endif
