/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/program_start.c: a door's question to the spawner, and whatever may come of it.  The test is
 * the spawner. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "channel.h"
#include "door/program_start.h"

struct world {
    struct event_base *base;
    struct spawner_line *line;
    struct channel *spawner; /* our end */
    struct program_start *start;
    struct leg leg;
    char detail[sizeof ((postern_error *)0)->detail];
    postern_err code;
    int done;
};

static void on_done(void *arg, struct leg leg, const postern_error *err)
{
    struct world *w = arg;

    w->done++;
    w->leg = leg;
    w->code = err == NULL ? POSTERN_OK : err->code;
    if (err != NULL)
        memcpy(w->detail, err->detail, sizeof w->detail);
    program_start_free(w->start);
    w->start = NULL;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    int fds[2];

    assert_non_null(w);
    w->leg.fd = -1;
    w->base = event_base_new();
    assert_non_null(w->base);
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &w->spawner, NULL), POSTERN_OK);
    assert_int_equal(spawner_line_new(&w->line, NULL), POSTERN_OK);
    spawner_line_set(w->line, fds[1]);
    assert_int_equal(close(fds[1]), 0); /* the line has its own */
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    program_start_free(w->start);
    if (w->leg.fd >= 0)
        assert_int_equal(close(w->leg.fd), 0);
    spawner_line_free(w->line);
    channel_free(w->spawner);
    event_base_free(w->base);
    free(w);
    return 0;
}

static postern_err start(struct world *w, postern_error *err)
{
    return program_start_new(w->base, w->line, "files", "S-1", (struct upstream_owner){ on_done, w },
                             &w->start, err);
}

/* What the door asks; its answer's end. */
static struct channel *take_question(struct world *w)
{
    struct channel *answer = NULL;
    char text[64];

    assert_int_equal(channel_receive(w->spawner, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(w->spawner, "spawn"));
    assert_true(channel_text(w->spawner, "door", text, sizeof text));
    assert_string_equal(text, "files");
    assert_true(channel_text(w->spawner, "session", text, sizeof text));
    assert_string_equal(text, "S-1");
    assert_int_equal(channel_new(channel_take_fd(w->spawner), &answer, NULL), POSTERN_OK);
    return answer;
}

static struct channel *ask(struct world *w)
{
    assert_int_equal(start(w, NULL), POSTERN_OK);
    assert_int_equal(w->done, 0); /* never before it returns */
    return take_question(w);
}

static void answer_with(struct channel *take_answer, const char *text, int fd)
{
    assert_int_equal(channel_send(take_answer, postern_bytes_str(text), fd, NULL), POSTERN_OK);
    channel_free(take_answer);
}

static void spin(struct world *w)
{
    assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
}

static void assert_failed(struct world *w, const char *detail)
{
    spin(w);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->leg.fd, -1);
    assert_int_equal(w->code, POSTERN_ERR_BACKEND);
    assert_string_equal(w->detail, detail);
}

static void a_program_is_a_leg_without_tls_that_never_blocks(void **state)
{
    struct world *w = *state;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    answer_with(ask(w), "{\"type\":\"spawned\"}", pair[0]);
    assert_int_equal(close(pair[0]), 0);
    spin(w);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->code, POSTERN_OK);
    assert_null(w->leg.ssl);
    assert_true((fcntl(w->leg.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(w->leg.fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(write(w->leg.fd, "x", 1), 1);
    assert_int_equal(read(pair[1], &(char){ 0 }, 1), 1);
    assert_int_equal(close(pair[1]), 0);
}

static void a_refusal_says_why(void **state)
{
    struct world *w = *state;

    answer_with(ask(w), "{\"type\":\"refused\",\"detail\":\"exec /x: No such file\"}", -1);
    assert_failed(w, "its program was not started: exec /x: No such file");
}

static void an_answer_that_is_none_is_a_refusal(void **state)
{
    struct world *w = *state;

    answer_with(ask(w), "{\"type\":\"spawned\"}", -1);
    assert_failed(w, "its program came without a descriptor");
}

/* Nobody is served by a descriptor that came with a no. */
static void a_refusal_with_a_descriptor_is_a_refusal(void **state)
{
    struct world *w = *state;

    answer_with(ask(w), "{\"type\":\"refused\",\"detail\":\"no\"}", STDERR_FILENO);
    assert_failed(w, "its program was not started: no");
}

static void a_spawner_that_dies_is_a_refusal(void **state)
{
    struct world *w = *state;

    channel_free(ask(w));
    assert_failed(w, "the spawner child went away: ");
}

static void a_question_that_nobody_reads_dies_with_the_spawner(void **state)
{
    struct world *w = *state;

    assert_int_equal(start(w, NULL), POSTERN_OK);
    channel_free(w->spawner);
    w->spawner = NULL;
    assert_failed(w, "the spawner child went away: ");
}

static void without_a_spawner_nobody_is_asked(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };

    spawner_line_set(w->line, -1);
    assert_int_equal(start(w, &err), POSTERN_ERR_BACKEND);
    assert_string_equal(err.detail, "the spawner child, which starts programs, is not there");
    assert_null(w->start);
    assert_int_equal(w->done, 0);
}

static void a_spawner_that_is_gone_is_not_there(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };

    channel_free(w->spawner);
    w->spawner = NULL;
    assert_int_equal(start(w, &err), POSTERN_ERR_BACKEND);
    assert_string_equal(err.detail, "the spawner child, which starts programs, is not there");
}

static void a_spawner_that_reads_nothing_is_busy(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    for (int i = 0; i < 100000 && e == POSTERN_OK; i++) {
        e = start(w, &err);
        program_start_free(w->start);
        w->start = NULL;
    }
    assert_int_equal(e, POSTERN_ERR_BACKEND);
    assert_string_equal(err.detail, "the spawner child is asked for more programs than it can start");
}

/* The next one answers the next question, and the one before its own. */
static void a_new_spawner_is_asked_from_then_on(void **state)
{
    struct world *w = *state;
    struct channel *answer = ask(w), *old = w->spawner;
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &w->spawner, NULL), POSTERN_OK);
    spawner_line_set(w->line, fds[1]);
    assert_int_equal(close(fds[1]), 0);
    answer_with(answer, "{\"type\":\"refused\",\"detail\":\"late\"}", -1);
    assert_failed(w, "its program was not started: late");
    assert_int_equal(channel_receive(old, NULL), CHANNEL_CLOSED);
    channel_free(old);
    w->done = 0;
    channel_free(ask(w));
    assert_failed(w, "the spawner child went away: ");
}

static void who_cancels_is_not_called_and_what_comes_is_closed(void **state)
{
    struct world *w = *state;
    struct channel *answer = ask(w);
    int pair[2];

    program_start_free(w->start);
    w->start = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(channel_send_type(answer, "spawned", pair[0], NULL), POSTERN_ERR_SYSTEM);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(read(pair[1], &(char){ 0 }, 1), 0);
    assert_int_equal(close(pair[1]), 0);
    channel_free(answer);
    assert_int_equal(event_base_loop(w->base, EVLOOP_NONBLOCK), 1); /* nothing is waited for */
    assert_int_equal(w->done, 0);
}

static postern_err start_once(void *arg, postern_error *err)
{
    struct world *w = arg;
    postern_err e = start(w, err);

    program_start_free(w->start);
    w->start = NULL;
    return e;
}

static void without_memory_nothing_is_left_behind(void **state)
{
    assert_true(alloc_fail_sweep(start_once, *state, POSTERN_OK) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_program_is_a_leg_without_tls_that_never_blocks),
        TEST(a_refusal_says_why),
        TEST(an_answer_that_is_none_is_a_refusal),
        TEST(a_refusal_with_a_descriptor_is_a_refusal),
        TEST(a_spawner_that_dies_is_a_refusal),
        TEST(a_question_that_nobody_reads_dies_with_the_spawner),
        TEST(without_a_spawner_nobody_is_asked),
        TEST(a_spawner_that_is_gone_is_not_there),
        TEST(a_spawner_that_reads_nothing_is_busy),
        TEST(a_new_spawner_is_asked_from_then_on),
        TEST(who_cancels_is_not_called_and_what_comes_is_closed),
        TEST(without_memory_nothing_is_left_behind),
#undef TEST
    };

    return cmocka_run_group_tests_name("program_start", tests, NULL, NULL);
}
