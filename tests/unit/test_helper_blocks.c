/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/helper/blocks.c: a list counts whole and at its end, what it cannot obey ends the helper, and a token's verdict follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel.h"
#include "helper/blocks.h"
#include "tests/support/test_login.h"

struct world {
    struct helper helper;
    test_login login;
    struct block_line *line;
    struct channel *control; /* our end */
    int stops, told;
};

static void note_stop(void *arg)
{
    ((struct world *)arg)->stops++;
}

static void note_told(void *arg)
{
    ((struct world *)arg)->told++;
}

static void connect_control(struct world *w)
{
    int fds[2];

    channel_free(w->control);
    w->control = NULL;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &w->control, NULL), POSTERN_OK);
    block_line_set(w->line, fds[1]);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -1;
    test_login_make(&w->login);
    test_login_reload(&w->login);
    w->helper.base = event_base_new();
    w->helper.context = w->login.context;
    postern_context_expect_blocks(w->helper.context);
    assert_int_equal(logins_new(&w->helper.logins, NULL), POSTERN_OK);
    assert_int_equal(block_line_new(&w->helper, (struct block_line_owner){ note_stop, note_told, w }, &w->line, NULL), POSTERN_OK);
    connect_control(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    block_line_free(w->line);
    channel_free(w->control);
    logins_free(w->helper.logins);
    event_base_free(w->helper.base);
    test_login_remove(&w->login);
    free(w);
    return 0;
}

static void turn(struct world *w)
{
    for (int i = 0; i < 16; i++)
        assert_true(event_base_loop(w->helper.base, EVLOOP_NONBLOCK) >= 0);
}

static void say(struct world *w, const char *text)
{
    assert_int_equal(channel_send(w->control, postern_bytes_str(text), -1, NULL), POSTERN_OK);
    turn(w);
}

static int64_t expect(struct world *w, const char *type)
{
    int64_t id = 0;

    assert_int_equal(channel_receive(w->control, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(w->control, type));
    assert_true(channel_integer(w->control, "id", &id));
    return id;
}

#define BEGIN "{\"type\":\"blocks_begin\"}"
#define BLOCK "{\"type\":\"block\",\"agent\":\"agent-7\",\"until\":0,\"reason\":\"stolen\",\"contact\":\"ops\"}"
#define END   "{\"type\":\"blocks_end\",\"id\":3}"

static void tokens_are_undecided_until_the_list_is_complete(void **state)
{
    struct world *w = *state;

    assert_int_equal(test_login_try(&w->login, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    say(w, BEGIN);
    say(w, BLOCK);
    assert_int_equal(test_login_try(&w->login, NULL, NULL), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(w->told, 0);
    say(w, END);
    assert_int_equal(w->told, 1);
    assert_int_equal(expect(w, "done"), 3);
    assert_int_equal(test_login_try(&w->login, "client_id", "\"agent-8\""), POSTERN_OK);
    assert_int_equal(test_login_try(&w->login, "client_id", "\"agent-7\""), POSTERN_ERR_BLOCKED);
    assert_string_equal(w->login.failure.because, "stolen");
    assert_string_equal(w->login.failure.contact, "ops");
}

static void a_newer_list_takes_the_place_of_the_one_before(void **state)
{
    struct world *w = *state;

    say(w, BEGIN);
    say(w, BLOCK);
    say(w, END);
    say(w, BEGIN);
    assert_int_equal(test_login_try(&w->login, "client_id", "\"agent-7\""), POSTERN_ERR_BLOCKED); /* until the end */
    say(w, END);
    assert_int_equal(test_login_try(&w->login, "client_id", "\"agent-7\""), POSTERN_OK);
    say(w, BEGIN);
    say(w, BLOCK);
    say(w, BEGIN); /* again from the beginning */
    say(w, END);
    assert_int_equal(test_login_try(&w->login, "client_id", "\"agent-7\""), POSTERN_OK);
}

static void the_end_of_the_line_lifts_no_block(void **state)
{
    struct world *w = *state;

    say(w, BEGIN);
    say(w, BLOCK);
    say(w, END);
    channel_free(w->control);
    w->control = NULL;
    turn(w);
    assert_int_equal(w->stops, 0);
    assert_int_equal(test_login_try(&w->login, "client_id", "\"agent-7\""), POSTERN_ERR_BLOCKED);
    connect_control(w);
    say(w, BLOCK); /* of a list that never began on this line */
    assert_int_equal(w->stops, 1);
}

static void what_cannot_be_obeyed_ends_the_helper(void **state)
{
    static const char *const cases[] = {
        BLOCK, END, "{\"type\":\"what\"}", "{\"type\":\"logins\",\"id\":1}", "{\"type\":\"logins\",\"agent\":\"a\"}",
        "{\"type\":\"metrics\"}",
        BEGIN "|{\"type\":\"block\",\"agent\":\"\",\"until\":0,\"reason\":\"\",\"contact\":\"\"}",
        BEGIN "|{\"type\":\"block\",\"agent\":\"a\",\"reason\":\"\",\"contact\":\"\"}",
        BEGIN "|{\"type\":\"block\",\"agent\":\"a\",\"until\":-1,\"reason\":\"\",\"contact\":\"\"}",
        BEGIN "|{\"type\":\"block\",\"agent\":\"a\",\"until\":0,\"contact\":\"\"}",
        BEGIN "|{\"type\":\"block\",\"agent\":7,\"until\":0,\"reason\":\"\",\"contact\":\"\"}",
        BEGIN "|{\"type\":\"blocks_end\"}",
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512], *rest = text, *message;
        int stops = w->stops;

        (void)snprintf(text, sizeof text, "%s", cases[i]);
        connect_control(w);
        while ((message = strsep(&rest, "|")) != NULL)
            say(w, message);
        if (w->stops != stops + 1)
            fail_msg("%s", cases[i]);
        assert_int_equal(w->told, 0);
    }
}

static void an_agent_longer_than_a_block_holds_ends_the_helper(void **state)
{
    struct world *w = *state;
    char name[POSTERN_AGENT_MAX + 1], text[POSTERN_AGENT_MAX + 256];

    memset(name, 'a', POSTERN_AGENT_MAX);
    name[POSTERN_AGENT_MAX] = '\0';
    say(w, BEGIN);
    (void)snprintf(text, sizeof text, "{\"type\":\"block\",\"agent\":\"%s\",\"until\":0,\"reason\":\"\",\"contact\":\"\"}", name + 1);
    say(w, text);
    assert_int_equal(w->stops, 0);
    (void)snprintf(text, sizeof text, "{\"type\":\"block\",\"agent\":\"%s\",\"until\":0,\"reason\":\"\",\"contact\":\"\"}", name);
    say(w, text);
    assert_int_equal(w->stops, 1);
}

static void questions_are_answered(void **state)
{
    struct world *w = *state;
    char text[1024];

    say(w, "{\"type\":\"logins\",\"id\":8,\"agent\":\"nobody\"}");
    assert_int_equal(expect(w, "logins"), 8);
    assert_int_equal(postern_json_type_of(channel_message(w->control), postern_json_member(channel_message(w->control), 0, "logins")),
                     POSTERN_JSON_ARRAY);
    say(w, BEGIN);
    say(w, "{\"type\":\"metrics\",\"id\":10}"); /* also in the middle of a list */
    assert_int_equal(expect(w, "metrics"), 10);
    assert_true(channel_text(w->control, "text", text, sizeof text));
    assert_non_null(strstr(text, "postern_helper_verdicts_total{outcome=\"proved\"} 0\n"));
    say(w, END);
    assert_int_equal(expect(w, "done"), 3);
}

/* Whoever asks and does not read waits for itself, not for us; every question is answered once. */
static void a_control_child_that_does_not_read_is_waited_for(void **state)
{
    struct world *w = *state;
    int asked = 0, answered = 0;

    while (channel_send(w->control, POSTERN_BYTES_LIT("{\"type\":\"metrics\",\"id\":2}"), -1, NULL) == POSTERN_OK) {
        asked++;
        turn(w);
    }
    assert_true(asked > 10);
    for (int i = 0; i < asked * 2; i++) {
        while (channel_receive(w->control, NULL) == CHANNEL_MESSAGE)
            answered++;
        turn(w);
    }
    assert_int_equal(answered, asked);
    assert_int_equal(w->stops, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(tokens_are_undecided_until_the_list_is_complete),
        T(a_newer_list_takes_the_place_of_the_one_before),
        T(the_end_of_the_line_lifts_no_block),
        T(what_cannot_be_obeyed_ends_the_helper),
        T(an_agent_longer_than_a_block_holds_ends_the_helper),
        T(questions_are_answered),
        T(a_control_child_that_does_not_read_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
