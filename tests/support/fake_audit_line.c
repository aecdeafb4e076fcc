/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_audit_line.h. */
#include "fake_audit_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELD_MAX 64

struct held {
    audit_done done; /* NULL: free */
    void *arg;
};

struct audit_line {
    struct audit_line_owner owner;
    struct event *soon;
    struct held held[HELD_MAX];
    int fd;
};

enum fake_audit_mode fake_audit_mode;
size_t fake_audit_count;
struct fake_audit_record fake_audit_records[256];
static struct audit_line *current;

void fake_audit_reset(void)
{
    fake_audit_mode = FAKE_AUDIT_CONFIRMS;
    fake_audit_count = 0;
    memset(fake_audit_records, 0, sizeof fake_audit_records);
}

static void release(struct audit_line *l)
{
    postern_error err = { .code = POSTERN_ERR_AUDIT, .detail = "as the test says" };
    postern_err e = fake_audit_mode == FAKE_AUDIT_FAILS ? POSTERN_ERR_AUDIT : POSTERN_OK;

    for (size_t i = 0; i < HELD_MAX; i++) {
        struct held h = l->held[i];

        l->held[i] = (struct held){ 0 };
        if (h.done != NULL)
            h.done(h.arg, e, e == POSTERN_OK ? NULL : &err);
    }
}

void fake_audit_release(void)
{
    release(current);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    release(arg);
}

postern_err audit_line_new(struct event_base *base, struct audit_line_owner owner,
                           struct audit_line **ret, postern_error *err)
{
    struct audit_line *l = calloc(1, sizeof *l);

    if (l == NULL || (l->soon = event_new(base, -1, 0, on_soon, l)) == NULL) {
        free(l);
        return POSTERN_FAIL(err, NOMEM, "fake audit line");
    }
    l->owner = owner;
    l->fd = -1;
    current = l;
    *ret = l;
    return POSTERN_OK;
}

void audit_line_set(struct audit_line *l, int take_fd)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = take_fd;
}

static void keep(char *room, size_t room_size, const char *text)
{
    (void)snprintf(room, room_size, "%s", text == NULL ? "" : text);
}

static void note(const struct audit_record *r)
{
    struct fake_audit_record *f = &fake_audit_records[fake_audit_count];

    if (fake_audit_count++ >= sizeof fake_audit_records / sizeof *fake_audit_records)
        return;
    keep(f->event, sizeof f->event, r->event);
    keep(f->agent, sizeof f->agent, r->agent);
    keep(f->because, sizeof f->because, r->because);
    keep(f->session, sizeof f->session, r->session);
    keep(f->action, sizeof f->action, r->action);
    keep(f->resource, sizeof f->resource, r->resource);
    keep(f->database, sizeof f->database, r->database);
    keep(f->ref, sizeof f->ref, r->ref);
    f->code = r->code;
    f->uid = r->uid;
    f->pid = r->pid;
    f->until_s = r->until_s;
    f->missed = r->missed;
}

postern_err audit_line_send(struct audit_line *l, const struct audit_record *r, audit_done done,
                            void *arg, postern_error *err)
{
    if (fake_audit_mode == FAKE_AUDIT_REFUSES)
        return POSTERN_FAIL(err, AUDIT, "no line, as the test says");
    note(r);
    if (done == NULL)
        return POSTERN_OK;
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (l->held[i].done != NULL)
            continue;
        l->held[i] = (struct held){ done, arg };
        if (fake_audit_mode != FAKE_AUDIT_HOLDS)
            event_active(l->soon, 0, 0);
        return POSTERN_OK;
    }
    return POSTERN_FAIL(err, AUDIT, "too many");
}

void audit_line_cancel(struct audit_line *l, const void *arg)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (l->held[i].arg == arg)
            l->held[i] = (struct held){ 0 };
}

bool audit_line_is_idle(const struct audit_line *l)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (l->held[i].done != NULL)
            return false;
    return true;
}

void audit_line_free(struct audit_line *l)
{
    if (l == NULL)
        return;
    event_free(l->soon);
    if (l->fd >= 0)
        (void)close(l->fd);
    if (current == l)
        current = NULL;
    free(l);
}
