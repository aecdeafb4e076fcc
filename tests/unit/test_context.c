/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/context.c: one context under many threads, while keys are replaced and clients removed.
 * TSan is the judge of its locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "../support/test_login.h"

#define THREADS   4
#define LOGINS    150 /* of each thread: some seconds under TSan */
#define ROTATIONS 40

static test_login t;
static char *good, *removed, *unknown;
static atomic_int_least64_t mono_ms = 1000000;

/* Every look at the clock finds 10 ms gone, so that key files are looked at often. */
static int64_t tick(void *arg)
{
    (void)arg;
    return atomic_fetch_add(&mono_ms, 10);
}

static int64_t get_now(void *arg)
{
    (void)arg;
    return TEST_NOW_S;
}

static int set_up(void **state)
{
    const postern_clock clock = { get_now, tick, NULL };
    char *claims;

    (void)state;
    test_login_make(&t);
    t.clock = clock;
    test_login_reload(&t);
    good = test_login_token(&t, NULL, NULL);
    removed = test_login_token(&t, "client_id", "\"removed\"");
    claims = test_login_claims(NULL, NULL);
    unknown = test_token(t.key, "ES256", "z", claims);
    free(claims);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(good), free(removed), free(unknown);
    test_login_remove(&t);
    return 0;
}

static postern_err log_in_once(postern_context *context, const char *token)
{
    postern_request rq = test_login_request(token);
    POSTERN_AUTO(op) op = NULL;
    postern_err e = postern_validate_start(context, &rq, &op, NULL);

    return e == POSTERN_OK ? postern_op_run(op, NULL) : e;
}

/* All threads move the one clock: while one of them does not run, its deadline may pass. */
static postern_err log_in(postern_context *context, const char *token)
{
    postern_err e;

    do
        e = log_in_once(context, token);
    while (e == POSTERN_ERR_TIMEOUT);
    return e;
}

/* The number of verdicts that should not have been. */
static void *log_in_often(void *arg)
{
    postern_context *context = arg;
    intptr_t wrong = 0;

    for (int i = 0; i < LOGINS; i++) {
        postern_err e = log_in(context, removed);

        wrong += log_in(context, good) != POSTERN_OK;
        wrong += log_in(context, unknown) != POSTERN_ERR_UNKNOWN_KID;
        wrong += e != POSTERN_OK && e != POSTERN_ERR_REVOKED;
    }
    postern_context_free(context);
    return (void *)wrong;
}

static void rotate_keys_and_remove_clients(void)
{
    for (int i = 0; i < ROTATIONS; i++) {
        char *client = test_printf("client-%d", i);

        test_login_put_key(&t, t.key, "a");
        assert_int_equal(
            postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, client, TEST_NOW_S, &t.err),
            POSTERN_OK);
        free(client);
    }
    assert_int_equal(
        postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, "removed", TEST_NOW_S, &t.err),
        POSTERN_OK);
}

static void many_threads_share_one_context(void **state)
{
    pthread_t threads[THREADS];
    void *wrong;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, log_in_often, postern_context_ref(t.context)), 0);
    rotate_keys_and_remove_clients();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_int_equal((intptr_t)wrong, 0);
    }
    assert_int_equal(log_in(t.context, removed), POSTERN_ERR_REVOKED);
    assert_int_equal(log_in(t.context, good), POSTERN_OK);
}

static void what_a_context_is_made_of_is_freed_with_it(void **state)
{
    postern_config *config = NULL;
    postern_context *context = NULL;

    (void)state;
    assert_int_equal(postern_config_load(t.folder.path, &config, &t.err), POSTERN_OK);
    assert_int_equal(postern_context_new(config, NULL, &context, &t.err), POSTERN_OK);
    assert_ptr_equal(postern_context_config(context), config);
    assert_ptr_equal(postern_context_ref(context), context);
    postern_context_free(context);
    assert_ptr_equal(postern_context_config(context), config); /* one reference is left */
    postern_context_free(context);
    postern_context_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_threads_share_one_context),
        TEST(what_a_context_is_made_of_is_freed_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
