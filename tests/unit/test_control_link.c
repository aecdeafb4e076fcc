/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/control/link.c: what the other end is told, in which order, and what whoever asked hears.  This file plays the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/link.h"

struct world {
    struct event_base *base;
    struct link *link;
    struct channel *other; /* our end */
    int lost;
};

struct heard {
    int times;
    link_news news;
    int64_t ended;
};

static void note_loss(void *arg)
{
    ++*(int *)arg;
}

static void hear(void *arg, link_news news, const struct channel *answer)
{
    struct heard *h = arg;

    h->times++;
    h->news = news;
    h->ended = -1;
    assert_true((news == LINK_KNOWS) == (answer != NULL));
    if (answer != NULL)
        (void)channel_integer(answer, "ended", &h->ended);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -1;
    w->base = event_base_new();
    *state = w;
    return link_new(w->base, "door", "ops@example.org", (struct link_owner){ note_loss, &w->lost }, &w->link, NULL) ==
                   POSTERN_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    link_free(w->link);
    channel_free(w->other);
    event_base_free(w->base);
    free(w);
    return 0;
}

static void turn(struct world *w)
{
    for (int i = 0; i < 4; i++)
        assert_true(event_base_loop(w->base, EVLOOP_NONBLOCK) >= 0);
}

static void connect_other(struct world *w)
{
    int fds[2];

    channel_free(w->other);
    w->other = NULL;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &w->other, NULL), POSTERN_OK);
    link_set(w->link, fds[1]);
    turn(w);
}

static void set_blocks(struct world *w, const char *text)
{
    struct block_list *l = NULL;

    assert_int_equal(block_list_parse(postern_bytes_str(text), &l, NULL), POSTERN_OK);
    link_set_blocks(w->link, l);
    block_list_release(l);
}

static void expect(struct world *w, const char *type)
{
    assert_int_equal(channel_receive(w->other, NULL), CHANNEL_MESSAGE);
    if (!channel_type_is(w->other, type))
        fail_msg("not %s: %.*s", type, (int)channel_message(w->other)->text.len,
                 (const char *)channel_message(w->other)->text.ptr);
}

static void expect_text(struct world *w, const char *name, const char *want)
{
    char text[512];

    assert_true(channel_text(w->other, name, text, sizeof text));
    assert_string_equal(text, want);
}

static int64_t read_number(struct world *w, const char *name)
{
    int64_t n = -1;

    assert_true(channel_integer(w->other, name, &n));
    return n;
}

static void expect_block(struct world *w, const char *agent, int64_t until_s, const char *reason)
{
    expect(w, "block");
    expect_text(w, "agent", agent);
    expect_text(w, "reason", reason);
    expect_text(w, "contact", "ops@example.org");
    assert_int_equal(read_number(w, "until"), until_s);
}

static int64_t expect_list(struct world *w, const char *agent)
{
    expect(w, "blocks_begin");
    if (agent != NULL)
        expect_block(w, agent, 0, "");
    expect(w, "blocks_end");
    return read_number(w, "id");
}

static void expect_silence(struct world *w)
{
    assert_int_equal(channel_receive(w->other, NULL), CHANNEL_NOTHING);
}

static void answer(struct world *w, const char *type, int64_t id, int64_t ended)
{
    char text[128];
    int n = snprintf(text, sizeof text, "{\"type\":\"%s\",\"id\":%jd,\"ended\":%jd}", type, (intmax_t)id, (intmax_t)ended);

    assert_int_equal(channel_send(w->other, (postern_bytes){ (uint8_t *)text, (size_t)n }, -1, NULL), POSTERN_OK);
    turn(w);
}

static void a_new_line_hears_the_whole_list(void **state)
{
    struct world *w = *state;

    set_blocks(w, "a 2026-12-01T00:00:00Z stolen\nb - \n");
    connect_other(w);
    expect(w, "blocks_begin");
    expect_block(w, "a", 1796083200, "stolen");
    expect_block(w, "b", 0, "");
    expect(w, "blocks_end");
    assert_false(link_is_told(w->link));
    answer(w, "done", read_number(w, "id"), 0);
    assert_true(link_is_told(w->link));
    connect_other(w);
    assert_false(link_is_told(w->link));
    expect(w, "blocks_begin");
}

static void no_list_goes_out_before_the_file_was_read(void **state)
{
    struct world *w = *state;

    connect_other(w);
    expect_silence(w);
    set_blocks(w, "");
    expect_list(w, NULL);
    expect_silence(w);
}

static void a_change_is_told_and_its_confirmation_heard(void **state)
{
    struct world *w = *state;
    struct heard h = { 0 };
    int64_t id;

    set_blocks(w, "");
    connect_other(w);
    answer(w, "done", expect_list(w, NULL), 0);
    set_blocks(w, "a -\n");
    link_await_blocks(w->link, hear, &h);
    id = expect_list(w, "a");
    assert_int_equal(h.times, 0);
    answer(w, "done", id - 2, 7); /* the list before: not this one */
    assert_int_equal(h.times, 0);
    answer(w, "done", id, 3);
    assert_int_equal(h.times, 1);
    assert_int_equal(h.news, LINK_KNOWS);
    assert_int_equal(h.ended, 3);
    answer(w, "done", id, 3);
    assert_int_equal(h.times, 1);
}

static void a_confirmation_may_come_over_a_new_line(void **state)
{
    struct world *w = *state;
    struct heard h = { 0 };

    set_blocks(w, "a -\n");
    connect_other(w);
    link_await_blocks(w->link, hear, &h);
    channel_free(w->other);
    w->other = NULL;
    turn(w);
    assert_int_equal(w->lost, 1);
    assert_int_equal(h.times, 0);
    connect_other(w);
    answer(w, "done", expect_list(w, "a"), 2);
    assert_int_equal(h.news, LINK_KNOWS);
    assert_int_equal(h.ended, 2);
}

static void without_a_line_everybody_is_told_at_once(void **state)
{
    struct world *w = *state;
    struct heard h = { 0 };

    link_ask(w->link, "kill", NULL, 0, hear, &h);
    assert_int_equal(h.times, 1);
    assert_int_equal(h.news, LINK_AWAY);
    link_await_blocks(w->link, hear, &h);
    assert_int_equal(h.times, 2);
    assert_int_equal(h.news, LINK_AWAY);
    assert_false(link_is_there(w->link));
}

static void a_question_is_answered_by_its_id_alone(void **state)
{
    static const struct link_member members[] = { { "by", "sub", 0 }, { "value", "a\"b", 0 }, { "limit", NULL, 9 } };
    struct world *w = *state;
    struct heard first = { 0 }, second = { 0 };
    int64_t id;

    connect_other(w);
    link_ask(w->link, "kill", members, 3, hear, &first);
    link_ask(w->link, "metrics", NULL, 0, hear, &second);
    expect(w, "kill");
    expect_text(w, "by", "sub");
    expect_text(w, "value", "a\"b");
    assert_int_equal(read_number(w, "limit"), 9);
    id = read_number(w, "id");
    expect(w, "metrics");
    assert_true(read_number(w, "id") != id);
    answer(w, "metrics", read_number(w, "id"), 0);
    assert_int_equal(second.times, 1);
    assert_int_equal(first.times, 0);
    answer(w, "done", id, 5);
    assert_int_equal(first.ended, 5);
    answer(w, "done", id, 6); /* twice is once */
    assert_int_equal(first.times, 1);
}

/* A late "done" of a question must never say that blocks are in force, nor the other way round. */
static void a_done_of_one_kind_is_never_the_others(void **state)
{
    struct world *w = *state;
    struct heard list = { 0 }, question = { 0 };
    int64_t list_id, question_id;

    set_blocks(w, "");
    connect_other(w);
    list_id = expect_list(w, NULL);
    link_await_blocks(w->link, hear, &list);
    link_ask(w->link, "kill", NULL, 0, hear, &question);
    expect(w, "kill");
    question_id = read_number(w, "id");
    answer(w, "done", question_id + 2, 1);
    answer(w, "done", list_id + 2, 1); /* a list that was never sent */
    answer(w, "done", -1, 1);
    answer(w, "done", 0, 1);
    answer(w, "sessions", list_id, 1); /* not how a list is confirmed */
    answer(w, "what", question_id, 1);
    assert_int_equal(list.times + question.times, 0);
    answer(w, "done", question_id, 1);
    assert_int_equal(list.times, 0);
    assert_int_equal(question.times, 1);
    answer(w, "done", list_id, 1);
    assert_int_equal(list.times, 1);
}

static void when_the_line_goes_questions_are_away(void **state)
{
    struct world *w = *state;
    struct heard h = { 0 };

    connect_other(w);
    link_ask(w->link, "kill", NULL, 0, hear, &h);
    connect_other(w); /* a new one in the place of the one before */
    assert_int_equal(h.times, 1);
    assert_int_equal(h.news, LINK_AWAY);
    link_ask(w->link, "kill", NULL, 0, hear, &h);
    assert_int_equal(send(channel_fd(w->other), "broken", 6, MSG_NOSIGNAL), 6);
    turn(w);
    assert_int_equal(h.times, 2);
    assert_int_equal(h.news, LINK_AWAY);
    assert_int_equal(w->lost, 1);
    assert_false(link_is_there(w->link));
}

static void whoever_cancelled_hears_nothing(void **state)
{
    struct world *w = *state;
    struct heard h = { 0 };
    int64_t id;

    set_blocks(w, "");
    connect_other(w);
    id = expect_list(w, NULL);
    link_await_blocks(w->link, hear, &h);
    link_ask(w->link, "kill", NULL, 0, hear, &h);
    link_cancel(w->link, &h);
    answer(w, "done", id, 0);
    expect(w, "kill");
    answer(w, "done", read_number(w, "id"), 0);
    assert_int_equal(h.times, 0);
}

static void who_does_not_answer_is_silent(void **state)
{
    struct world *w = *state;
    struct heard list = { 0 }, question = { 0 };

    set_blocks(w, "");
    connect_other(w);
    link_await_blocks(w->link, hear, &list);
    link_ask(w->link, "kill", NULL, 0, hear, &question);
    while (list.times == 0 || question.times == 0) /* LINK_WAIT_MS */
        assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
    assert_int_equal(list.news, LINK_SILENT);
    assert_int_equal(question.news, LINK_SILENT);
    assert_true(link_is_there(w->link));
}

static void too_many_questions_are_refused_and_not_lost(void **state)
{
    struct world *w = *state;
    struct heard waiting = { 0 }, refused = { 0 };

    connect_other(w);
    for (int i = 0; i < LINK_WAITING_MAX; i++)
        link_ask(w->link, "metrics", NULL, 0, hear, &waiting);
    link_ask(w->link, "metrics", NULL, 0, hear, &refused);
    assert_int_equal(refused.times, 1);
    assert_int_equal(refused.news, LINK_AWAY);
    assert_int_equal(waiting.times, 0);
    channel_free(w->other);
    w->other = NULL;
    turn(w);
    assert_int_equal(waiting.times, LINK_WAITING_MAX);
}

/* More than a socket's buffer holds: the other end reads, the rest follows; what came meanwhile comes after. */
static void a_long_list_goes_out_while_the_other_end_reads(void **state)
{
    struct world *w = *state;
    struct heard h = { 0 };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1048576);
    int64_t first_id;
    size_t blocks = 0;
    channel_event event;

    for (int i = 0; i < 5000; i++)
        postern_buf_addf(&text, "agent-%d - a reason that is not short so that it fills the buffer\n", i);
    set_blocks(w, postern_buf_cstr(&text));
    connect_other(w);
    set_blocks(w, "x -\n"); /* waits unbegun, and gives way to the next */
    set_blocks(w, "y -\n");
    link_await_blocks(w->link, hear, &h);
    expect(w, "blocks_begin");
    while ((event = channel_receive(w->other, NULL)) == CHANNEL_NOTHING || channel_type_is(w->other, "block")) {
        blocks += event == CHANNEL_MESSAGE;
        turn(w);
    }
    assert_int_equal(blocks, 5000);
    assert_true(channel_type_is(w->other, "blocks_end"));
    first_id = read_number(w, "id");
    turn(w);
    answer(w, "done", first_id, 1);
    assert_int_equal(h.times, 0);
    answer(w, "done", expect_list(w, "y"), 0);
    assert_int_equal(h.times, 1);
    expect_silence(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_new_line_hears_the_whole_list),
        T(no_list_goes_out_before_the_file_was_read),
        T(a_change_is_told_and_its_confirmation_heard),
        T(a_confirmation_may_come_over_a_new_line),
        T(without_a_line_everybody_is_told_at_once),
        T(a_question_is_answered_by_its_id_alone),
        T(a_done_of_one_kind_is_never_the_others),
        T(when_the_line_goes_questions_are_away),
        T(whoever_cancelled_hears_nothing),
        T(who_does_not_answer_is_silent),
        T(too_many_questions_are_refused_and_not_lost),
        T(a_long_list_goes_out_while_the_other_end_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
