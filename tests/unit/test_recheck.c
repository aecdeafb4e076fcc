/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/recheck.c: when a live session is looked at again, by value, and the queue of a loop whose
 * gates are ours: they decide at once, later, or not at all. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../support/test_folder.h"
#include "door/recheck.h"

#define WORD_MS INT64_C(5000000)
#define MOST UINT32_MAX

/* ---- when ---- */

static void a_word_is_renewed_between_a_half_and_two_thirds_of_its_life(void **state)
{
    static const struct {
        int64_t interval_ms, first_ms, last_ms; /* behind the word */
    } cases[] = { { 1000, 500, 666 }, { 30000, 15000, 20000 }, { 3600000, 1800000, 2400000 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t interval_ms = cases[i].interval_ms, sixth = interval_ms / 6;

        assert_int_equal(recheck_due_ms(WORD_MS, interval_ms, 0), WORD_MS + cases[i].first_ms);
        assert_int_equal(recheck_due_ms(WORD_MS, interval_ms, (uint32_t)sixth),
                         WORD_MS + cases[i].last_ms);
        assert_int_equal(recheck_due_ms(WORD_MS, interval_ms, (uint32_t)sixth + 1),
                         WORD_MS + cases[i].first_ms); /* a dice with more sides goes round */
        for (uint32_t dice = 0; dice < MOST - 1000003; dice += 1000003)
            assert_in_range(recheck_due_ms(0, interval_ms, dice), cases[i].first_ms, cases[i].last_ms);
    }
}

static void pauses_double_up_to_an_eighth_of_a_words_life_or_ten_seconds(void **state)
{
    static const struct {
        unsigned failures;
        int64_t interval_ms, want_ms;
    } cases[] = {
        { 1, 3600000, 250 },  { 2, 3600000, 500 },    { 6, 3600000, 8000 },
        { 7, 3600000, 10000 }, { 4000000000, 3600000, 10000 }, { 3, 8000, 1000 },
        { 4, 8000, 1000 },     { 1, 1000, 125 },      { 9, 1000, 125 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned n = cases[i].failures;
        int64_t interval_ms = cases[i].interval_ms, want_ms = cases[i].want_ms;

        assert_int_equal(recheck_pause_ms(n, interval_ms, 0), want_ms);
        assert_int_equal(recheck_pause_ms(n, interval_ms, (uint32_t)(want_ms / 2)),
                         want_ms - want_ms / 2);
        assert_true(recheck_pause_ms(n, interval_ms, MOST) >= want_ms - want_ms / 2);
    }
}

/* ---- the queue ---- */

#define SESSIONS 90

struct gate {
    struct gate_owner owner;
    size_t session;
    bool is_there;
};

static struct gate gates[SESSIONS];
static struct recheck checks[SESSIONS];
static postern_err verdicts[SESSIONS]; /* AGAIN: none yet */
static size_t begun[10 * SESSIONS], begun_count, heard[SESSIONS], heard_count;
static postern_err heard_code;
static bool has_no_gate;
static struct loop loop;
static struct door door;
static postern_config *config;
static test_folder folder;

struct lease_clock __wrap_loop_now(void);
struct gate *__wrap_gate_new(struct loop *l, const struct gate_visit *visit,
                             const struct adapter_login *login, struct gate_owner owner);
void __wrap_gate_begin(struct gate *g);
void __wrap_gate_free(struct gate *g);

struct lease_clock __wrap_loop_now(void)
{
    return (struct lease_clock){ 1800000000, WORD_MS };
}

struct gate *__wrap_gate_new(struct loop *l, const struct gate_visit *visit,
                             const struct adapter_login *login, struct gate_owner owner)
{
    size_t i = (size_t)(login->token.ptr[0] - '!');

    assert_ptr_equal(l, &loop);
    assert_true(visit->is_look_again);
    assert_false(login->has_target);
    assert_false(gates[i].is_there);
    if (has_no_gate)
        return NULL;
    gates[i] = (struct gate){ owner, i, true };
    return &gates[i];
}

static void decide(struct gate *g, postern_err code)
{
    struct gate_result r = { .code = code };

    g->owner.done(g->owner.arg, &r);
}

void __wrap_gate_begin(struct gate *g)
{
    begun[begun_count++] = g->session;
    if (verdicts[g->session] != POSTERN_AGAIN)
        decide(g, verdicts[g->session]);
}

void __wrap_gate_free(struct gate *g)
{
    if (g != NULL)
        g->is_there = false;
}

static void describe(void *arg, struct gate_visit *visit)
{
    (void)arg;
    visit->door = &door;
}

static const char *get_issuer(void *arg)
{
    return (struct recheck *)arg - checks < 3 ? "https://slow.example" : "https://sso.example";
}

static void hear(void *arg, struct gate_result *take_result)
{
    heard[heard_count++] = (size_t)((struct recheck *)arg - checks);
    heard_code = take_result->code;
    gate_result_clear(take_result);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    recheck_run(arg);
}

/* `name`: the token, of one character. */
static void watch(struct recheck *c, uint8_t name, int64_t word_ms)
{
    postern_secret *token = NULL;

    assert_int_equal(postern_secret_new((postern_bytes){ &name, 1 }, &token, NULL), POSTERN_OK);
    recheck_watch(c, token);
    recheck_note_word(c, word_ms, 10000);
}

static int set_up(void **state)
{
    postern_error err = { 0 };

    (void)state;
    memset(gates, 0, sizeof gates);
    memset(checks, 0, sizeof checks);
    memset(&loop, 0, sizeof loop);
    has_no_gate = false;
    begun_count = heard_count = 0;
    loop.base = event_base_new();
    loop.recheck_wake = event_new(loop.base, -1, 0, on_wake, &loop);
    TAILQ_INIT(&loop.rechecks);
    test_folder_make(&folder);
    test_folder_put(&folder, "issuers/sso.conf", "issuer: https://sso.example.org\njwks_file: /k\n");
    test_folder_put(&folder, "doors/cache.conf",
                    "listen: 127.0.0.1:1\nprotocol: raw\nbackend: 127.0.0.1:2\n"
                    "audience: x\npolicy: p\n");
    if (postern_config_load(folder.path, &config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    door.section = postern_config_section(config, POSTERN_SECTION_DOOR, "cache");
    for (size_t i = 0; i < SESSIONS; i++) {
        verdicts[i] = POSTERN_AGAIN;
        checks[i].loop = &loop;
        checks[i].owner = (struct recheck_owner){ describe, get_issuer, hear, &checks[i] };
        watch(&checks[i], (uint8_t)('!' + i), WORD_MS - 10000);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < SESSIONS; i++)
        recheck_stop(&checks[i]);
    assert_true(TAILQ_EMPTY(&loop.rechecks));
    for (size_t i = 0; i < SESSIONS; i++)
        assert_false(gates[i].is_there);
    event_free(loop.recheck_wake);
    event_base_free(loop.base);
    postern_config_free(config);
    test_folder_remove(&folder);
    return 0;
}

static void let_all_be_due(size_t count)
{
    for (size_t i = 0; i < count; i++)
        recheck_tick(&checks[i], WORD_MS);
}

/* Until nothing is woken any more. */
static void run_loop(void)
{
    assert_true(event_base_dispatch(loop.base) >= 0);
}

static void a_session_waits_for_its_turn_when_it_is_due_and_not_before(void **state)
{
    (void)state;
    recheck_tick(&checks[0], checks[0].due_ms - 1);
    recheck_run(&loop);
    assert_int_equal(begun_count, 0);
    recheck_tick(&checks[0], checks[0].due_ms);
    recheck_tick(&checks[0], checks[0].due_ms); /* twice is once */
    recheck_run(&loop);
    assert_int_equal(begun_count, 1);
    recheck_tick(&checks[0], WORD_MS); /* the question is on its way */
    recheck_run(&loop);
    assert_int_equal(begun_count, 1);
    decide(&gates[0], POSTERN_OK);
    assert_int_equal(heard_count, 1);
    recheck_stop(&checks[0]);
    recheck_tick(&checks[0], WORD_MS); /* nobody is asked any more */
    recheck_run(&loop);
    assert_int_equal(begun_count, 1);
}

static void a_wake_up_begins_no_more_than_its_share_and_the_rest_follows(void **state)
{
    (void)state;
    let_all_be_due(SESSIONS);
    recheck_run(&loop);
    assert_int_equal(begun_count, RECHECKS_PER_WAKE);
    run_loop();
    assert_int_equal(begun_count, SESSIONS);
    for (size_t i = 0; i < SESSIONS; i++)
        assert_int_equal(begun[i], i); /* first come, first served */
}

static void an_issuer_without_room_keeps_nobody_elses_sessions_waiting(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        verdicts[i] = POSTERN_ERR_BUSY;
    let_all_be_due(5);
    recheck_run(&loop);
    assert_int_equal(begun_count, 3); /* one of it, and then nobody's but the other's */
    assert_true(gates[3].is_there && gates[4].is_there);
    assert_int_equal(heard_count, 0); /* it is no failure */
    run_loop();
    assert_int_equal(begun_count, 3); /* nothing spins */
    recheck_run(&loop);               /* a tick: one is tried, and it is not always the same */
    assert_int_equal(begun[0], 0);
    assert_int_equal(begun_count, 4);
    assert_int_equal(begun[3], 1);
    verdicts[0] = verdicts[1] = verdicts[2] = POSTERN_OK;
    decide(&gates[3], POSTERN_OK); /* there is room for one more */
    run_loop();
    assert_int_equal(heard_count, 4);
    assert_int_equal(checks[0].failures, 0);
}

static const char *get_slow_issuer(void *arg)
{
    (void)arg;
    return "https://slow.example";
}

static void sessions_without_room_are_passed_over_up_to_a_bound(void **state)
{
    static struct recheck many[RECHECKS_PASSED_PER_WAKE];

    (void)state;
    verdicts[0] = POSTERN_ERR_BUSY;
    let_all_be_due(1);
    for (size_t i = 0; i < RECHECKS_PASSED_PER_WAKE; i++) {
        many[i] = (struct recheck){ .loop = &loop,
                                    .owner = { describe, get_slow_issuer, hear, NULL } };
        watch(&many[i], '!', WORD_MS - 10000);
        recheck_tick(&many[i], WORD_MS);
    }
    recheck_tick(&checks[4], WORD_MS); /* of another issuer, behind all of them */
    recheck_run(&loop);
    assert_int_equal(begun_count, 1);
    recheck_run(&loop);
    assert_true(gates[4].is_there);
    for (size_t i = 0; i < RECHECKS_PASSED_PER_WAKE; i++)
        recheck_stop(&many[i]);
}

static void a_session_that_ends_leaves_the_queue_and_its_question(void **state)
{
    (void)state;
    let_all_be_due(RECHECKS_PER_WAKE + 1);
    recheck_run(&loop);
    recheck_stop(&checks[0]);                 /* a question on its way */
    recheck_stop(&checks[RECHECKS_PER_WAKE]); /* in the queue */
    assert_false(gates[0].is_there);
    run_loop();
    assert_int_equal(begun_count, RECHECKS_PER_WAKE);
    assert_null(checks[0].token);
}

static void a_newer_token_drops_the_question_about_the_older_one(void **state)
{
    (void)state;
    let_all_be_due(1);
    recheck_run(&loop);
    assert_true(gates[0].is_there);
    watch(&checks[0], '!', WORD_MS);
    assert_false(gates[0].is_there);
    recheck_tick(&checks[0], WORD_MS); /* its word is new */
    recheck_run(&loop);
    assert_int_equal(begun_count, 1);
}

static void a_failure_puts_it_off_and_a_word_forgets_failures(void **state)
{
    (void)state;
    recheck_note_failure(&checks[0], POSTERN_ERR_ISSUER_UNREACHABLE, 3600000);
    assert_in_range(checks[0].due_ms, WORD_MS + 125, WORD_MS + 250);
    recheck_note_failure(&checks[0], POSTERN_ERR_TIMEOUT, 3600000);
    assert_in_range(checks[0].due_ms, WORD_MS + 250, WORD_MS + 500);
    assert_int_equal(checks[0].last_failure, POSTERN_ERR_TIMEOUT);
    recheck_note_word(&checks[0], WORD_MS, 10000);
    assert_int_equal(checks[0].last_failure, POSTERN_OK);
    assert_int_equal(checks[0].failures, 0);
}

static void without_memory_for_a_look_the_session_hears_that(void **state)
{
    (void)state;
    has_no_gate = true;
    let_all_be_due(1);
    recheck_run(&loop);
    assert_int_equal(heard_count, 1);
    assert_int_equal(heard_code, POSTERN_ERR_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_renewed_between_a_half_and_two_thirds_of_its_life),
        cmocka_unit_test(pauses_double_up_to_an_eighth_of_a_words_life_or_ten_seconds),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_session_waits_for_its_turn_when_it_is_due_and_not_before),
        TEST(a_wake_up_begins_no_more_than_its_share_and_the_rest_follows),
        TEST(an_issuer_without_room_keeps_nobody_elses_sessions_waiting),
        TEST(sessions_without_room_are_passed_over_up_to_a_bound),
        TEST(a_session_that_ends_leaves_the_queue_and_its_question),
        TEST(a_newer_token_drops_the_question_about_the_older_one),
        TEST(a_failure_puts_it_off_and_a_word_forgets_failures),
        TEST(without_memory_for_a_look_the_session_hears_that),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
