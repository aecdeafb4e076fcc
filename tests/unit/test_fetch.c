/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/fetch.c: one fetch for everybody who waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "../support/op_stub.h"
#include "oauth/fetch.h"

/* Asks `rounds` times; the verdict of the last is `end`. */
struct job {
    int rounds, asked, taken;
    postern_err ask_err, end;
    bool is_lying; /* fails without saying so */
};

static int freed;

static postern_err ask(void *arg, struct postern_http_request *rq, postern_error *err)
{
    struct job *job = arg;

    job->asked++;
    if (job->ask_err != POSTERN_ERR_UNSET)
        return postern_error_set(err, job->ask_err, __FILE__, __LINE__, "asked");
    rq->method = "GET";
    rq->url = "https://h/";
    return POSTERN_OK;
}

static postern_err take(void *arg, const struct postern_http_response *r, postern_error *err)
{
    struct job *job = arg;

    assert_int_equal(r->status, 200);
    if (++job->taken < job->rounds)
        return POSTERN_AGAIN;
    if (job->end == POSTERN_OK || job->is_lying)
        return job->end;
    return postern_error_set(err, job->end, __FILE__, __LINE__, "taken");
}

static void free_job(void *arg)
{
    freed++;
    free(arg);
}

static const struct fetch_kind kind = { .name = "test", .ask = ask, .take = take, .free = free_job };

static struct op_stub stub;
static struct fake_transport net;

static struct fetch *begin(const struct job *like, const struct fake_answer *answers, size_t count)
{
    struct job *job = malloc(sizeof *job);
    struct fetch *f = NULL;

    assert_non_null(job);
    *job = *like;
    op_stub_make(&stub);
    fake_transport_init(&net, answers, count);
    freed = 0;
    assert_int_equal(postern_fetch_new(&kind, job, &net.transport, &stub.clock, 4000, &f, NULL),
                     POSTERN_OK);
    assert_int_equal(net.started, 0); /* nothing before the first step */
    return f;
}

static void end(struct fetch *f)
{
    postern_fetch_free(f);
    assert_int_equal(freed, 1);
    assert_int_equal(net.open, 0);
    op_stub_remove(&stub);
}

static bool is_readable(const struct fetch *f)
{
    struct pollfd p = { .fd = postern_fetch_fd(f), .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

static const struct fake_answer three[] = { { .status = 200 }, { .again = 2, .status = 200 },
                                            { .status = 200 } };

static void all_who_wait_get_the_same_verdict(void **state)
{
    struct fetch *f = begin(&(struct job){ .rounds = 3, .end = POSTERN_OK }, three, 3);
    struct fetch *other = postern_fetch_ref(f);
    const struct job *job;

    (void)state;
    assert_null(postern_fetch_job(f));
    assert_false(is_readable(f));
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    assert_int_equal(postern_fetch_step(other, NULL), POSTERN_AGAIN);
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_OK);
    assert_true(is_readable(other)); /* the other wakes up, and for good */
    assert_int_equal(postern_fetch_step(other, NULL), POSTERN_OK);
    assert_int_equal(postern_fetch_step(other, NULL), POSTERN_OK);
    assert_true(is_readable(f));
    assert_int_equal(net.started, 3);
    assert_int_equal(net.records[2].deadline_ms, 4000);
    job = postern_fetch_job(other);
    assert_non_null(job);
    assert_int_equal(job->taken, 3);
    postern_fetch_free(other);
    assert_int_equal(freed, 0);
    end(f);
}

static void a_failing_job_fails_for_all_with_its_reason(void **state)
{
    static const struct {
        struct job job;
        struct fake_answer answer;
        postern_err want;
    } cases[] = {
        { { .rounds = 1, .end = POSTERN_ERR_ISSUER_ANSWER },
          { .status = 200 },
          POSTERN_ERR_ISSUER_ANSWER },
        { { .ask_err = POSTERN_ERR_NOMEM }, { .status = 200 }, POSTERN_ERR_NOMEM },
        { { .rounds = 1 }, { .start_err = POSTERN_ERR_ISSUER_UNTRUSTED },
          POSTERN_ERR_ISSUER_UNTRUSTED },
        { { .rounds = 1 }, { .step_err = POSTERN_ERR_ISSUER_UNREACHABLE },
          POSTERN_ERR_ISSUER_UNREACHABLE },
        { { .rounds = 1, .end = POSTERN_ERR_UNSET }, { .status = 200 }, POSTERN_ERR_INTERNAL },
        { { .rounds = 1, .end = POSTERN_ERR_LIMIT, .is_lying = true },
          { .status = 200 },
          POSTERN_ERR_INTERNAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch *f = begin(&cases[i].job, &cases[i].answer, 1);

        for (int n = 0; n < 2; n++) {
            postern_error err = { 0 };

            assert_int_equal(postern_fetch_step(f, &err), cases[i].want);
            assert_int_equal(err.code, cases[i].want);
        }
        assert_true(is_readable(f));
        assert_non_null(postern_fetch_job(f));
        end(f);
    }
}

static void a_silent_server_is_given_up_at_the_deadline(void **state)
{
    static const struct fake_answer silent[] = { { .again = FAKE_FOREVER } };
    struct fetch *f = begin(&(struct job){ .rounds = 1, .end = POSTERN_OK }, silent, 1);
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    stub.mono_ms += 3999;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    stub.mono_ms += 1;
    assert_int_equal(postern_fetch_step(f, &err), POSTERN_ERR_TIMEOUT);
    assert_int_equal(net.open, 0);
    end(f);
}

static void a_later_exchange_has_what_is_left_of_the_time(void **state)
{
    static const struct fake_answer slow[] = { { .again = 1, .status = 200 }, { .status = 200 } };
    struct fetch *f = begin(&(struct job){ .rounds = 2, .end = POSTERN_OK }, slow, 2);

    (void)state;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    stub.mono_ms += 1500;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_OK);
    assert_int_equal(net.records[0].deadline_ms, 4000);
    assert_int_equal(net.records[1].deadline_ms, 2500);
    end(f);
}

static void what_nobody_steps_is_abandoned_and_what_is_done_is_not(void **state)
{
    static const struct fake_answer answers[] = { { .again = 2, .status = 200 } };
    struct fetch *f = begin(&(struct job){ .rounds = 1, .end = POSTERN_OK }, answers, 1);

    (void)state;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    stub.mono_ms += POSTERN_FETCH_ABANDONED_MS;
    assert_false(postern_fetch_is_abandoned(f));
    stub.mono_ms += 1;
    assert_true(postern_fetch_is_abandoned(f));
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    assert_false(postern_fetch_is_abandoned(f));
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_OK);
    stub.mono_ms += 100 * POSTERN_FETCH_ABANDONED_MS;
    assert_false(postern_fetch_is_abandoned(f));
    end(f);
}

static void what_somebody_waits_for_is_not_abandoned_however_long_he_was_busy(void **state)
{
    static const struct fake_answer answers[] = { { .again = 2, .status = 200 } };
    struct fetch *f = begin(&(struct job){ .rounds = 1, .end = POSTERN_OK }, answers, 1);
    struct fetch *waits = postern_fetch_ref(f);

    (void)state;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    stub.mono_ms += 2 * POSTERN_FETCH_ABANDONED_MS;
    assert_false(postern_fetch_is_abandoned(f));
    postern_fetch_free(waits);
    assert_true(postern_fetch_is_abandoned(f));
    end(f);
}

static void the_last_who_leaves_cancels_it(void **state)
{
    static const struct fake_answer silent[] = { { .again = FAKE_FOREVER } };
    struct fetch *f = begin(&(struct job){ .rounds = 1, .end = POSTERN_OK }, silent, 1);

    (void)state;
    assert_int_equal(postern_fetch_step(f, NULL), POSTERN_AGAIN);
    assert_int_equal(net.open, 1);
    end(f);
}

#define THREADS 8

static atomic_uint done;

static void *step_until_done(void *arg)
{
    struct fetch *f = arg;
    postern_err e;

    while ((e = postern_fetch_step(f, NULL)) == POSTERN_AGAIN)
        (void)postern_fetch_wait_ms(f);
    atomic_fetch_add(&done, e == POSTERN_OK && is_readable(f));
    postern_fetch_free(f);
    return NULL;
}

static void threads_that_step_it_together_all_get_it(void **state)
{
    static const struct fake_answer answers[] = { { .again = 500, .status = 200 },
                                                  { .again = 500, .status = 200 } };
    struct fetch *f = begin(&(struct job){ .rounds = 2, .end = POSTERN_OK }, answers, 2);
    pthread_t threads[THREADS];

    (void)state;
    atomic_store(&done, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, step_until_done, postern_fetch_ref(f)), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&done), THREADS);
    assert_int_equal(net.started, 2);
    end(f);
}

static postern_err fetch_once(void *arg, postern_error *err)
{
    static const struct fake_answer answers[] = { { .status = 200 } };
    struct job *job = malloc(sizeof *job);
    struct fake_transport here;
    struct fetch *f = NULL;
    postern_err e;

    (void)arg;
    if (job == NULL)
        return POSTERN_FAIL(err, NOMEM, "job");
    *job = (struct job){ .rounds = 1, .end = POSTERN_OK };
    fake_transport_init(&here, answers, 1);
    POSTERN_TRY(postern_fetch_new(&kind, job, &here.transport, &stub.clock, 4000, &f, err));
    e = postern_fetch_step(f, err);
    postern_fetch_free(f);
    return e;
}

static void out_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    op_stub_make(&stub);
    assert_true(alloc_fail_sweep(fetch_once, NULL, POSTERN_OK) >= 3);
    op_stub_remove(&stub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_wait_get_the_same_verdict),
        cmocka_unit_test(a_failing_job_fails_for_all_with_its_reason),
        cmocka_unit_test(a_silent_server_is_given_up_at_the_deadline),
        cmocka_unit_test(a_later_exchange_has_what_is_left_of_the_time),
        cmocka_unit_test(what_nobody_steps_is_abandoned_and_what_is_done_is_not),
        cmocka_unit_test(what_somebody_waits_for_is_not_abandoned_however_long_he_was_busy),
        cmocka_unit_test(the_last_who_leaves_cancels_it),
        cmocka_unit_test(threads_that_step_it_together_all_get_it),
        cmocka_unit_test(out_of_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
