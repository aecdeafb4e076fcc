/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/mailbox.c: order, many senders, wake-ups, and what becomes of mail at the end. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/mailbox.h"

#define SENDERS 4
#define MAILS 3000 /* of each */

struct letter {
    struct mail mail;
    size_t sender, number;
};

struct reader {
    struct event_base *base;
    struct mailbox *box;
    size_t next[SENDERS]; /* number that must come next of each */
    size_t count, wanted;
    size_t answers; /* letters that a delivered one sends, one after the other */
};

static void put(struct mailbox *box, size_t sender, size_t number);

static void deliver(struct mail *take_mail, void *receiver)
{
    struct letter *l = (struct letter *)take_mail;
    struct reader *r = receiver;

    assert_int_equal(l->number, r->next[l->sender]);
    r->next[l->sender]++;
    if (r->answers > 0) {
        r->answers--;
        put(r->box, l->sender, l->number + 1);
    }
    free(l);
    if (++r->count == r->wanted)
        assert_int_equal(event_base_loopbreak(r->base), 0);
}

static void put(struct mailbox *box, size_t sender, size_t number)
{
    struct letter *l = calloc(1, sizeof *l);

    if (l == NULL)
        abort();
    l->mail.deliver = deliver;
    l->sender = sender;
    l->number = number;
    mailbox_put(box, &l->mail);
}

static void open_box(struct reader *r, size_t wanted)
{
    *r = (struct reader){ .wanted = wanted, .base = event_base_new() };
    assert_non_null(r->base);
    assert_int_equal(mailbox_new(r->base, r, &r->box, NULL), POSTERN_OK);
}

static void close_box(struct reader *r)
{
    mailbox_free(r->box);
    event_base_free(r->base);
}

static void mail_is_delivered_in_order_on_the_loop(void **state)
{
    struct reader r;

    (void)state;
    open_box(&r, 0);
    for (size_t i = 0; i < 100; i++)
        put(r.box, 0, i);
    assert_int_equal(r.count, 0); /* not by the sender */
    assert_int_equal(event_base_loop(r.base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(r.count, 100);
    assert_int_equal(event_base_loop(r.base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(r.count, 100);
    close_box(&r);
}

/* What is sent while mail is delivered wakes the loop again, also where the list was empty then. */
static void mail_that_brings_mail_is_a_round_of_its_own(void **state)
{
    struct reader r;

    (void)state;
    open_box(&r, 6);
    r.answers = 5;
    put(r.box, 0, 0);
    assert_int_equal(event_base_dispatch(r.base), 0); /* or it hangs */
    assert_int_equal(r.count, 6);
    close_box(&r);
}

struct sender {
    pthread_t thread;
    struct mailbox *box;
    size_t number;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (size_t i = 0; i < MAILS; i++)
        put(s->box, s->number, i);
    return NULL;
}

/* The loop sleeps between mails; were one wake-up lost, it would sleep for ever. */
static void many_threads_send_and_nothing_is_lost(void **state)
{
    struct sender senders[SENDERS];
    struct reader r;

    (void)state;
    open_box(&r, (size_t)SENDERS * MAILS);
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .box = r.box, .number = i };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    assert_int_equal(event_base_dispatch(r.base), 0);
    for (size_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(r.next[i], MAILS);
    }
    close_box(&r);
}

struct echo {
    struct reader here;
    struct mailbox *there;
    size_t rounds;
};

static void bounce(struct mail *take_mail, void *receiver)
{
    struct echo *e = receiver;

    if (e->rounds-- == 0) {
        free(take_mail);
        (void)event_base_loopbreak(e->here.base);
        return;
    }
    mailbox_put(e->there, take_mail);
}

static void *run_echo(void *arg)
{
    struct echo *e = arg;

    (void)event_base_dispatch(e->here.base);
    return NULL;
}

/* One mail to and fro between two sleeping loops: each round is a wake-up that must not be lost. */
static void two_loops_wake_each_other(void **state)
{
    struct echo a = { .rounds = 3000 }, b = { .rounds = 100000 };
    struct mail *m = calloc(1, sizeof *m);
    pthread_t thread;

    (void)state;
    assert_non_null(m);
    a.here.base = event_base_new();
    b.here.base = event_base_new();
    assert_int_equal(mailbox_new(a.here.base, &a, &a.here.box, NULL), POSTERN_OK);
    assert_int_equal(mailbox_new(b.here.base, &b, &b.here.box, NULL), POSTERN_OK);
    a.there = b.here.box;
    b.there = a.here.box;
    assert_int_equal(pthread_create(&thread, NULL, run_echo, &b), 0);
    m->deliver = bounce;
    mailbox_put(a.here.box, m);
    assert_int_equal(event_base_dispatch(a.here.base), 0);
    b.rounds = 0; /* after the last mail b only sleeps */
    m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->deliver = bounce;
    mailbox_put(b.here.box, m);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_box(&a.here);
    close_box(&b.here);
}

static void what_is_not_delivered_is_delivered_at_the_end(void **state)
{
    struct reader r;

    (void)state;
    open_box(&r, 0);
    r.answers = 3; /* and what that brings */
    put(r.box, 0, 0);
    mailbox_free(r.box);
    assert_int_equal(r.count, 4);
    event_base_free(r.base);
    mailbox_free(NULL);
}

static void mail_can_be_fetched_without_the_loop(void **state)
{
    struct reader r;

    (void)state;
    open_box(&r, 0);
    assert_false(mailbox_deliver(r.box));
    r.answers = 1;
    put(r.box, 0, 0);
    assert_true(mailbox_deliver(r.box));
    assert_int_equal(r.count, 1);
    assert_true(mailbox_deliver(r.box));
    assert_int_equal(r.count, 2);
    assert_false(mailbox_deliver(r.box));
    assert_int_equal(event_base_loop(r.base, EVLOOP_NONBLOCK), 0); /* the wake-ups find nothing */
    assert_int_equal(r.count, 2);
    close_box(&r);
}

static postern_err make_once(void *arg, postern_error *err)
{
    struct mailbox *b = NULL;

    POSTERN_TRY(mailbox_new(arg, NULL, &b, err));
    mailbox_free(b);
    return POSTERN_OK;
}

static void without_memory_there_is_no_box(void **state)
{
    struct event_base *base = event_base_new();

    (void)state;
    assert_true(alloc_fail_sweep(make_once, base, POSTERN_OK) > 0);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_is_delivered_in_order_on_the_loop),
        cmocka_unit_test(mail_that_brings_mail_is_a_round_of_its_own),
        cmocka_unit_test(many_threads_send_and_nothing_is_lost),
        cmocka_unit_test(two_loops_wake_each_other),
        cmocka_unit_test(what_is_not_delivered_is_delivered_at_the_end),
        cmocka_unit_test(mail_can_be_fetched_without_the_loop),
        cmocka_unit_test(without_memory_there_is_no_box),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
