/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine of operations, driven with a class of our own and a clock that stands still unless it
 * is told to move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "grant/op.h"
#include "../support/alloc_fail.h"

struct hand_clock {
    int64_t now_s, mono_ms;
};

static int64_t hand_now_s(void *arg)
{
    return ((struct hand_clock *)arg)->now_s;
}

static int64_t hand_mono_ms(void *arg)
{
    return ((struct hand_clock *)arg)->mono_ms;
}

/* An operation that says what the test wants. */
struct fake_op {
    postern_op op;
    postern_err says[4]; /* one a step; UNSET at the end */
    unsigned steps;
    bool is_silent; /* gives no details */
    int fd, wait_ms;
    int *destroyed; /* counts */
};

static struct fake_op *fake(postern_op *op)
{
    return (struct fake_op *)op;
}

static postern_err fake_step(postern_op *op, postern_error *err)
{
    postern_err e = fake(op)->says[fake(op)->steps++];

    if (e == POSTERN_OK || e == POSTERN_AGAIN || e == POSTERN_ERR_UNSET || fake(op)->is_silent)
        return e;
    return postern_error_set(err, e, __FILE__, __LINE__, "fake says no");
}

static int fake_fd(const postern_op *op)
{
    return ((const struct fake_op *)op)->fd;
}

static int fake_wait_ms(const postern_op *op)
{
    return ((const struct fake_op *)op)->wait_ms;
}

static void fake_destroy(postern_op *op)
{
    if (fake(op)->destroyed != NULL)
        (*fake(op)->destroyed)++;
}

static const char *fake_awaits(const postern_op *op)
{
    (void)op;
    return "somebody's word";
}

static const struct postern_op_class fake_class = {
    .name = "fake",           .size = sizeof(struct fake_op), .step = fake_step, .fd = fake_fd,
    .wait_ms = fake_wait_ms, .destroy = fake_destroy,        .awaits = fake_awaits,
};
static const struct postern_op_class bare_class = {
    .name = "bare", .size = sizeof(struct fake_op), .step = fake_step,
    .after_fork = POSTERN_ERR_HELPER_UNAVAILABLE,
};

static struct hand_clock hand;

static postern_op *new_op(const struct postern_op_class *class, int deadline_ms, postern_err first,
                          postern_err second)
{
    postern_clock clock = { hand_now_s, hand_mono_ms, &hand };
    postern_op *op = NULL;

    hand = (struct hand_clock){ 1000, 50000 };
    assert_int_equal(postern_op_new(class, &clock, deadline_ms, &op, NULL), POSTERN_OK);
    fake(op)->says[0] = first;
    fake(op)->says[1] = second;
    fake(op)->fd = -1;
    fake(op)->wait_ms = -1;
    return op;
}

static void give_token(postern_op *op)
{
    assert_int_equal(postern_secret_new(POSTERN_BYTES_LIT("t"), &op->token, NULL), POSTERN_OK);
}

static void ok_is_final_and_hands_the_result_out_once(void **state)
{
    POSTERN_AUTO(op) op = new_op(&fake_class, 0, POSTERN_AGAIN, POSTERN_OK);
    POSTERN_AUTO(secret) token = NULL;

    (void)state;
    give_token(op);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    assert_null(postern_op_take_token(op));
    assert_int_equal(postern_op_failure(op)->code, POSTERN_ERR_UNSET);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    assert_int_equal(fake(op)->steps, 2);
    token = postern_op_take_token(op);
    assert_non_null(token);
    assert_null(postern_op_take_token(op));
    assert_null(postern_op_take_grant(op));
}

static void a_rejection_is_final_and_leaves_no_result(void **state)
{
    POSTERN_AUTO(op) op = new_op(&fake_class, 0, POSTERN_ERR_BAD_SIGNATURE, POSTERN_OK);
    postern_error err;

    (void)state;
    give_token(op);
    for (int i = 0; i < 2; i++) {
        err.code = POSTERN_ERR_UNSET;
        assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_BAD_SIGNATURE);
        assert_int_equal(err.code, POSTERN_ERR_BAD_SIGNATURE);
        assert_string_equal(err.detail, "fake says no");
    }
    assert_int_equal(fake(op)->steps, 1);
    assert_int_equal(postern_op_failure(op)->code, POSTERN_ERR_BAD_SIGNATURE);
    assert_null(op->token);
    assert_null(postern_op_take_token(op));
    assert_int_equal(postern_op_wait_ms(op), 0);
    assert_int_equal(postern_op_fd(op), -1);
}

static void a_failure_without_details_gets_its_code(void **state)
{
    POSTERN_AUTO(op) op = new_op(&fake_class, 0, POSTERN_ERR_EXPIRED, POSTERN_OK);
    postern_error err;

    (void)state;
    fake(op)->is_silent = true;
    assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_EXPIRED);
    assert_int_equal(err.code, POSTERN_ERR_EXPIRED);
    assert_string_equal(err.detail, "fake");
}

static void a_step_without_a_result_is_an_internal_error(void **state)
{
    static const postern_err odd[] = { POSTERN_ERR_UNSET, POSTERN_ERR_COUNT, (postern_err)9999 };

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        POSTERN_AUTO(op) op = new_op(&fake_class, 0, odd[i], POSTERN_OK);

        fake(op)->is_silent = true;
        give_token(op);
        assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_INTERNAL);
        assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_INTERNAL);
        assert_null(postern_op_take_token(op));
    }
}

static void the_deadline_is_a_timeout_also_when_a_result_lies_ready(void **state)
{
    static const struct {
        int deadline_ms;
        int64_t passed_ms;
        postern_err want;
    } cases[] = {
        { 0, POSTERN_OP_DEADLINE_MS - 1, POSTERN_OK },
        { 0, POSTERN_OP_DEADLINE_MS, POSTERN_ERR_TIMEOUT },
        { 10, 9, POSTERN_OK },
        { 10, 10, POSTERN_ERR_TIMEOUT },
        { 10, 1000000, POSTERN_ERR_TIMEOUT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        POSTERN_AUTO(op) op = new_op(&fake_class, cases[i].deadline_ms, POSTERN_OK, POSTERN_OK);

        postern_error err = { 0 };

        hand.mono_ms += cases[i].passed_ms;
        assert_int_equal(postern_op_step(op, &err), cases[i].want);
        if (cases[i].want == POSTERN_ERR_TIMEOUT)
            assert_string_equal(err.detail, "fake: not done in time: somebody's word");
    }
}

static postern_err late_step(postern_op *op, postern_error *err)
{
    (void)err;
    fake(op)->steps++;
    hand.mono_ms += 2 * POSTERN_OP_DEADLINE_MS;
    return POSTERN_AGAIN;
}

static void again_past_the_deadline_is_a_timeout(void **state)
{
    static const struct postern_op_class late_class = {
        .name = "late", .size = sizeof(struct fake_op), .step = late_step,
    };
    POSTERN_AUTO(op) op = new_op(&late_class, 0, POSTERN_OK, POSTERN_OK);
    postern_error err;

    (void)state;
    assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_TIMEOUT);
    assert_string_equal(err.detail, "late: not done in time"); /* nothing to add */
    assert_string_equal(err.detail, "late: not done in time");
    assert_int_equal(fake(op)->steps, 1);
}

static void waiting_is_never_negative_and_never_past_the_deadline(void **state)
{
    static const struct {
        int wants_ms;
        int64_t passed_ms;
        int want;
    } cases[] = {
        { -1, 0, 5000 },   { 0, 0, 0 },     { 100, 0, 100 },  { 100, 4950, 50 },
        { 9999, 0, 5000 }, { -1, 5000, 0 }, { 100, 6000, 0 }, { -1, -1000, 6000 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        POSTERN_AUTO(op) op = new_op(&fake_class, 0, POSTERN_AGAIN, POSTERN_AGAIN);

        fake(op)->wait_ms = cases[i].wants_ms;
        hand.mono_ms += cases[i].passed_ms;
        assert_int_equal(postern_op_wait_ms(op), cases[i].want);
    }
}

static void a_negative_deadline_is_misuse(void **state)
{
    postern_op *op = NULL;
    postern_error err;

    (void)state;
    assert_int_equal(postern_op_new(&fake_class, NULL, -1, &op, &err), POSTERN_ERR_USAGE);
    assert_int_equal(err.code, POSTERN_ERR_USAGE);
    assert_null(op);
}

static void run_polls_until_the_verdict(void **state)
{
    POSTERN_AUTO(op) op = new_op(&fake_class, 0, POSTERN_AGAIN, POSTERN_OK);
    int pipe_fds[2];

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    fake(op)->fd = pipe_fds[0];
    assert_int_equal(postern_op_run(op, NULL), POSTERN_OK);
    assert_int_equal(fake(op)->steps, 2);
    assert_int_equal(postern_op_run(op, NULL), POSTERN_OK);
    assert_int_equal(fake(op)->steps, 2);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static postern_err again_step(postern_op *op, postern_error *err)
{
    (void)err;
    fake(op)->steps++;
    return POSTERN_AGAIN;
}

static const struct postern_op_class never_class = {
    .name = "never", .size = sizeof(struct fake_op), .step = again_step, .fd = fake_fd,
};

static void run_ends_although_the_clock_stands_still(void **state)
{
    POSTERN_AUTO(op) op = new_op(&never_class, 5, POSTERN_AGAIN, POSTERN_AGAIN);
    postern_error err;

    (void)state;
    assert_int_equal(postern_op_run(op, &err), POSTERN_ERR_TIMEOUT);
    assert_int_equal(err.code, POSTERN_ERR_TIMEOUT);
    assert_int_equal(postern_op_failure(op)->code, POSTERN_ERR_TIMEOUT);
}

static void run_refuses_to_spin_on_a_closed_descriptor(void **state)
{
    POSTERN_AUTO(op) op = new_op(&never_class, 0, POSTERN_AGAIN, POSTERN_AGAIN);

    (void)state;
    fake(op)->fd = 1000000;
    assert_int_equal(postern_op_run(op, NULL), POSTERN_ERR_INTERNAL);
    assert_int_equal(fake(op)->steps, 1);
}

/* What the child saw, as its exit code. */
static int in_a_child(const struct postern_op_class *class)
{
    POSTERN_AUTO(op) op = new_op(class, 0, POSTERN_OK, POSTERN_OK);
    int status = -1;
    pid_t pid;

    give_token(op);
    fake(op)->fd = 0;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        postern_err e = POSTERN_OK;

        if (postern_op_fd(op) == -1 && postern_op_wait_ms(op) == 0)
            e = postern_op_run(op, NULL);
        _exit(postern_op_take_token(op) != NULL || fake(op)->steps != 0 ? 1 : (int)e);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK); /* the parent's own is unharmed */
    return WEXITSTATUS(status);
}

static void a_forked_child_gets_no_step_and_no_result(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(&fake_class), POSTERN_ERR_USAGE);
    assert_int_equal(in_a_child(&bare_class), POSTERN_ERR_HELPER_UNAVAILABLE);
}

static void events_come_in_order_and_the_oldest_is_lost(void **state)
{
    static const char *const names[] = {
        "e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9"
    };
    POSTERN_AUTO(op) op = new_op(&fake_class, 0, POSTERN_OK, POSTERN_OK);
    postern_event event;

    (void)state;
    assert_false(postern_op_next_event(op, &event));
    postern_op_emit(op, "first")->fields[0] = (postern_event_field){ "n", 7, "" };
    assert_true(postern_op_next_event(op, &event));
    assert_string_equal(event.name, "first");
    assert_int_equal(event.fields[0].number, 7);
    for (size_t i = 0; i < 10; i++)
        assert_null(postern_op_emit(op, names[i])->fields[0].name);
    for (size_t i = 10 - POSTERN_OP_EVENTS; i < 10; i++) {
        assert_true(postern_op_next_event(op, &event));
        assert_string_equal(event.name, names[i]);
    }
    assert_false(postern_op_next_event(op, &event));
}

static postern_err emit_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;

    (void)arg;
    POSTERN_TRY(postern_op_new(&fake_class, NULL, 0, &op, err));
    return postern_op_emit(op, "event") != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "event");
}

static void only_an_operation_with_events_has_memory_for_them(void **state)
{
    (void)state;
    assert_int_equal(alloc_fail_sweep(emit_once, NULL, POSTERN_OK), 2);
}

static void free_destroys_once_and_takes_null(void **state)
{
    postern_op *op = new_op(&fake_class, 0, POSTERN_OK, POSTERN_OK);
    int destroyed = 0;

    (void)state;
    fake(op)->destroyed = &destroyed;
    give_token(op);
    postern_op_free(op);
    assert_int_equal(destroyed, 1);
    postern_op_free(NULL);
}

static void the_clock_is_the_callers_or_the_systems(void **state)
{
    POSTERN_AUTO(op) op = new_op(&bare_class, 0, POSTERN_OK, POSTERN_OK);
    postern_clock half = { hand_now_s, NULL, &hand }, filled = postern_clock_or_system(&half);

    (void)state;
    assert_int_equal(postern_op_now_s(op), 1000);
    assert_int_equal(postern_op_mono_ms(op), 50000);
    assert_ptr_equal(filled.now_s, hand_now_s);
    assert_non_null(filled.mono_ms);
    filled = postern_clock_or_system(NULL);
    assert_true(filled.now_s(NULL) > 1700000000); /* any date after this was written */
    assert_true(filled.mono_ms(NULL) >= 0);
}

static postern_err new_once(void *arg, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;

    (void)arg;
    return postern_op_new(&bare_class, NULL, 0, &op, err);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(alloc_fail_sweep(new_once, NULL, POSTERN_OK), 1);
}

static void what_cannot_be_told_for_want_of_memory_is_undecided(void **state)
{
    postern_op *op = new_op(&fake_class, 0, POSTERN_ERR_EXPIRED, POSTERN_ERR_UNSET);
    postern_error err;

    (void)state;
    alloc_fail_arm(1);
    assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_NOMEM);
    assert_true(alloc_fail_disarm());
    assert_int_equal(err.code, POSTERN_ERR_NOMEM);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_NOMEM);
    assert_int_equal(postern_op_failure(op)->code, POSTERN_ERR_NOMEM);
    assert_null(postern_op_take_grant(op));
    postern_op_free(op);
}

static void an_operation_that_has_nothing_to_tell_still_has_a_failure_to_look_at(void **state)
{
    postern_op *op = new_op(&fake_class, 0, POSTERN_AGAIN, POSTERN_OK);

    (void)state;
    assert_int_equal(postern_op_failure(op)->code, POSTERN_ERR_UNSET);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    assert_int_equal(postern_op_failure(op)->code, POSTERN_ERR_UNSET);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    assert_int_equal(postern_op_failure(op)->code, POSTERN_OK);
    assert_string_equal(postern_op_failure(op)->agent, "");
    postern_op_free(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ok_is_final_and_hands_the_result_out_once),
        cmocka_unit_test(a_rejection_is_final_and_leaves_no_result),
        cmocka_unit_test(a_failure_without_details_gets_its_code),
        cmocka_unit_test(a_step_without_a_result_is_an_internal_error),
        cmocka_unit_test(the_deadline_is_a_timeout_also_when_a_result_lies_ready),
        cmocka_unit_test(again_past_the_deadline_is_a_timeout),
        cmocka_unit_test(waiting_is_never_negative_and_never_past_the_deadline),
        cmocka_unit_test(a_negative_deadline_is_misuse),
        cmocka_unit_test(run_polls_until_the_verdict),
        cmocka_unit_test(run_ends_although_the_clock_stands_still),
        cmocka_unit_test(run_refuses_to_spin_on_a_closed_descriptor),
        cmocka_unit_test(a_forked_child_gets_no_step_and_no_result),
        cmocka_unit_test(events_come_in_order_and_the_oldest_is_lost),
        cmocka_unit_test(free_destroys_once_and_takes_null),
        cmocka_unit_test(the_clock_is_the_callers_or_the_systems),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(what_cannot_be_told_for_want_of_memory_is_undecided),
        cmocka_unit_test(an_operation_that_has_nothing_to_tell_still_has_a_failure_to_look_at),
        cmocka_unit_test(only_an_operation_with_events_has_memory_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
