/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/revocations.c: what the helper is told, in which order, and what an administrator hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel.h"
#include "issuer/revocations.h"
#include "revoke_message.h"
#include "issuer_fixture.h"

#define NOT_TOLD 99

struct line {
    struct fixture *f;
    struct event_base *base;
    struct revocations *revocations;
    struct channel *helper; /* our end */
    int news, links_wanted;
};

static void note_news(void *arg, verifier_news news)
{
    *(int *)arg = (int)news;
}

static void note_link(void *arg)
{
    ++*(int *)arg;
}

static int set_up(void **state)
{
    struct line *l = calloc(1, sizeof *l);
    void *inner = NULL;

    if (l == NULL || fixture_set_up(&inner) != 0)
        return -1;
    l->f = inner;
    l->news = NOT_TOLD;
    l->base = event_base_new();
    *state = l;
    return revocations_new(l->base, &l->f->is, note_link, &l->links_wanted, &l->revocations, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct line *l = *state;
    void *inner = l->f;

    revocations_free(l->revocations);
    channel_free(l->helper);
    event_base_free(l->base);
    free(l);
    return fixture_tear_down(&inner);
}

static void turn(struct line *l)
{
    assert_true(event_base_loop(l->base, EVLOOP_NONBLOCK) >= 0);
}

static void connect_helper(struct line *l)
{
    int fds[2];

    channel_free(l->helper);
    l->helper = NULL;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &l->helper, NULL), POSTERN_OK);
    revocations_set_line(l->revocations, fds[1]);
    turn(l);
}

static void push(struct line *l, postern_revocation_kind kind, const char *name, int64_t before_s)
{
    struct revocation what = { .kind = kind, .before_s = before_s };

    assert_true(strlen(name) < sizeof what.name);
    memcpy(what.name, name, strlen(name) + 1);
    revocations_push(l->revocations, &what, note_news, &l->news);
}

static void remove_client(struct line *l, const char *name)
{
    struct clients_refusal refusal = { 0 };
    int64_t removed_s = 0;

    postern_secret_free(fixture_add_client(l->f, name, "", FIXTURE_IMAP));
    assert_int_equal(clients_remove(&l->f->is, name, &removed_s, &refusal, NULL), CLIENTS_DONE);
}

static int64_t expect_kind(struct line *l, const char *kind, const char *want, int64_t before_s)
{
    char issuer[128], name[REVOCATION_NAME_MAX];
    int64_t id = 0, before = 0;

    assert_int_equal(channel_receive(l->helper, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(l->helper, "revoke"));
    assert_true(channel_text(l->helper, "issuer", issuer, sizeof issuer));
    assert_string_equal(issuer, FIXTURE_ISSUER);
    assert_true(channel_text(l->helper, kind, name, sizeof name));
    assert_string_equal(name, want);
    assert_true(channel_integer(l->helper, "before", &before));
    assert_int_equal(before, before_s);
    assert_true(channel_integer(l->helper, "id", &id));
    return id;
}

static int64_t expect_revoke(struct line *l, const char *client, int64_t before_s)
{
    return expect_kind(l, "client", client, before_s);
}

static void expect_ready(struct line *l)
{
    assert_int_equal(channel_receive(l->helper, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(l->helper, "revocations_ready"));
}

static void answer_done(struct line *l, int64_t id)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"type\":\"done\",\"id\":%lld}", (long long)id);

    assert_int_equal(channel_send(l->helper, (postern_bytes){ (uint8_t *)text, (size_t)n }, -1, NULL), POSTERN_OK);
    turn(l);
}

static void a_new_helper_hears_every_removal_and_then_ready(void **state)
{
    struct line *l = *state;

    remove_client(l, "a");
    l->f->now_s += 10;
    remove_client(l, "b");
    connect_helper(l);
    expect_revoke(l, "a", FIXTURE_NOW_S);
    expect_revoke(l, "b", FIXTURE_NOW_S + 10);
    expect_ready(l);
    assert_int_equal(channel_receive(l->helper, NULL), CHANNEL_NOTHING);
    connect_helper(l);
    expect_revoke(l, "a", FIXTURE_NOW_S);
}

static void a_removal_that_no_token_outlives_is_not_told(void **state)
{
    struct line *l = *state;

    remove_client(l, "a");
    l->f->now_s += ISSUER_REMOVAL_KEEP_S + 1;
    connect_helper(l);
    expect_ready(l);
}

/* A token of an hour, its client removed, then token_lifetime: made shorter: the token still has most of its hour. */
static void a_shorter_token_lifetime_forgets_no_removal(void **state)
{
    struct line *l = *state;
    int64_t removed_s;

    l->f->settings.token_lifetime_s = ISSUER_LIFETIME_MAX_S;
    l->f->now_s += 5;
    removed_s = l->f->now_s;
    remove_client(l, "a");
    l->f->now_s += ISSUER_LIFETIME_MAX_S / 2;
    l->f->settings.token_lifetime_s = 5;
    connect_helper(l);
    expect_revoke(l, "a", removed_s);
    expect_ready(l);
}

static void a_push_is_confirmed_by_its_own_id_only(void **state)
{
    struct line *l = *state;
    int64_t id;

    connect_helper(l);
    expect_ready(l);
    push(l, POSTERN_REVOCATION_CLIENT, "a", 5);
    id = expect_revoke(l, "a", 5);
    assert_int_equal(l->news, NOT_TOLD);
    answer_done(l, id - 1);
    answer_done(l, id + 1);
    assert_int_equal(l->news, NOT_TOLD);
    answer_done(l, id);
    assert_int_equal(l->news, VERIFIER_KNOWS);
}

static void a_token_and_an_authorization_are_named_by_their_kind(void **state)
{
    struct line *l = *state;
    struct revoke_message m;

    connect_helper(l);
    expect_ready(l);
    push(l, POSTERN_REVOCATION_JTI, "t-1", 7);
    expect_kind(l, "jti", "t-1", 7);
    assert_true(revoke_message_read(l->helper, &m)); /* as helper and door read it */
    assert_int_equal(m.kind, POSTERN_REVOCATION_JTI);
    assert_string_equal(m.name, "t-1");
    assert_string_equal(m.issuer, FIXTURE_ISSUER);
    push(l, POSTERN_REVOCATION_GRANT, "g-1", 8);
    answer_done(l, expect_kind(l, "grant", "g-1", 8));
    assert_int_equal(l->news, VERIFIER_KNOWS);
}

static void nobody_need_wait_for_the_word(void **state)
{
    static const struct revocation news = { POSTERN_REVOCATION_GRANT, "g-1", 8, 4000 };
    struct line *l = *state;

    revocations_push(l->revocations, &news, NULL, NULL); /* nobody is there */
    connect_helper(l);
    expect_ready(l);
    for (int i = 0; i <= REVOCATION_WAITING_MAX; i++) {
        revocations_push(l->revocations, &news, NULL, NULL);
        answer_done(l, expect_kind(l, "grant", "g-1", 8));
    }
    push(l, POSTERN_REVOCATION_GRANT, "g-1", 8);
    assert_int_equal(l->news, NOT_TOLD);
}

/* What helper and door take for a revocation, and what they close the line for. */
static void a_revocation_names_one_thing(void **state)
{
    static const struct {
        const char *members;
        bool is_good;
    } cases[] = {
        { "\"id\":1,\"issuer\":\"i\",\"client\":\"a\",\"before\":5", true },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":\"a\",\"before\":5", true },
        { "\"id\":1,\"issuer\":\"i\",\"grant\":\"a\",\"before\":5", true },
        { "\"id\":1,\"issuer\":\"i\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"client\":\"a\",\"jti\":\"b\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":\"\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":7,\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":\"a\"", false },
        { "\"id\":1,\"jti\":\"a\",\"before\":5", false },
        { "\"issuer\":\"i\",\"jti\":\"a\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"subject\":\"a\",\"before\":5", false },
    };
    struct channel *ends[2];
    struct revoke_message m;
    int fds[2];

    (void)state;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(channel_new(fds[i], &ends[i], NULL), POSTERN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        int n = snprintf(text, sizeof text, "{\"type\":\"revoke\",%s}", cases[i].members);

        assert_int_equal(channel_send(ends[0], (postern_bytes){ (uint8_t *)text, (size_t)n }, -1, NULL), POSTERN_OK);
        assert_int_equal(channel_receive(ends[1], NULL), CHANNEL_MESSAGE);
        if (revoke_message_read(ends[1], &m) != cases[i].is_good)
            fail_msg("%s", text);
    }
    channel_free(ends[0]);
    channel_free(ends[1]);
}

static void without_a_helper_the_administrator_hears_so_at_once(void **state)
{
    struct line *l = *state;

    push(l, POSTERN_REVOCATION_CLIENT, "a", 5);
    assert_int_equal(l->news, VERIFIER_AWAY);
}

static void a_helper_that_goes_away_leaves_nobody_waiting(void **state)
{
    struct line *l = *state;

    connect_helper(l);
    push(l, POSTERN_REVOCATION_CLIENT, "a", 5);
    channel_free(l->helper);
    l->helper = NULL;
    turn(l);
    assert_int_equal(l->news, VERIFIER_AWAY);
}

/* The loop waits for its next event: the timer, and nothing else is there. */
static void await_timer(struct line *l)
{
    assert_int_equal(event_base_loop(l->base, EVLOOP_ONCE), 0);
}

static void a_line_that_the_helper_closed_is_asked_for_after_a_moment(void **state)
{
    struct line *l = *state;

    connect_helper(l);
    channel_free(l->helper);
    l->helper = NULL;
    turn(l);
    assert_int_equal(l->links_wanted, 0); /* a newer line may be on its way */
    await_timer(l);
    assert_int_equal(l->links_wanted, 1);
    connect_helper(l);
    expect_ready(l);
}

static void a_new_line_ends_the_asking(void **state)
{
    struct line *l = *state;

    connect_helper(l);
    channel_free(l->helper);
    l->helper = NULL;
    turn(l);
    connect_helper(l);
    assert_int_equal(event_base_get_num_events(l->base, EVENT_BASE_COUNT_ADDED), 1); /* the line itself */
    assert_int_equal(l->links_wanted, 0);
}

static void a_line_that_breaks_is_asked_for_anew(void **state)
{
    struct line *l = *state;

    connect_helper(l);
    assert_int_equal(send(channel_fd(l->helper), "junk", 4, 0), 4);
    turn(l);
    assert_int_equal(l->links_wanted, 1);
}

static void whoever_left_is_not_called_back(void **state)
{
    struct line *l = *state;

    connect_helper(l);
    push(l, POSTERN_REVOCATION_CLIENT, "a", 5);
    revocations_cancel(l->revocations, &l->news);
    channel_free(l->helper);
    l->helper = NULL;
    turn(l);
    assert_int_equal(l->news, NOT_TOLD);
}

static void a_slow_helper_gets_everything_in_order(void **state)
{
    struct line *l = *state;
    char name[32];

    connect_helper(l);
    expect_ready(l);
    for (int i = 0; i < 5000; i++) { /* more than a socket's buffer holds */
        assert_true(snprintf(name, sizeof name, "agent-%d", i) > 0);
        push(l, POSTERN_REVOCATION_CLIENT, name, i);
    }
    for (int i = 0; i < 5000; i++) {
        assert_true(snprintf(name, sizeof name, "agent-%d", i) > 0);
        expect_revoke(l, name, i);
        turn(l);
    }
    assert_int_equal(channel_receive(l->helper, NULL), CHANNEL_NOTHING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_helper_hears_every_removal_and_then_ready),
        TEST(a_removal_that_no_token_outlives_is_not_told),
        TEST(a_shorter_token_lifetime_forgets_no_removal),
        TEST(a_push_is_confirmed_by_its_own_id_only),
        TEST(a_token_and_an_authorization_are_named_by_their_kind),
        TEST(nobody_need_wait_for_the_word),
        TEST(a_revocation_names_one_thing),
        TEST(without_a_helper_the_administrator_hears_so_at_once),
        TEST(a_helper_that_goes_away_leaves_nobody_waiting),
        TEST(a_line_that_the_helper_closed_is_asked_for_after_a_moment),
        TEST(a_new_line_ends_the_asking),
        TEST(a_line_that_breaks_is_asked_for_anew),
        TEST(whoever_left_is_not_called_back),
        TEST(a_slow_helper_gets_everything_in_order),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
