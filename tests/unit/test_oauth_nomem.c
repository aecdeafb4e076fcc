/* SPDX-License-Identifier: BSD-2-Clause */
/* The nth-allocation-fails sweep over lib/oauth: every refusal for want of memory says so, and
 * leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"

static test_login t;

static int set_up(void **state)
{
    (void)state;
    test_login_make(&t);
    test_login_reload(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_login_remove(&t);
    return 0;
}

static postern_err load_configuration(void *arg, postern_error *err)
{
    postern_config *c = NULL;
    postern_err e = postern_config_load(arg, &c, err);

    postern_config_free(c);
    return e;
}

static void loading_a_configuration_survives_every_failing_allocation(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "issuer.conf",
                    "issuer: http://127.0.0.1:8414\njwks_file: keys.json\n");
    assert_true(alloc_fail_sweep(load_configuration, t.folder.path, POSTERN_OK) > 10);
}

static postern_err make_token_check(void *arg, postern_error *err)
{
    static const char *const scopes[] = { "a", "b", NULL };
    postern_config *c = NULL;
    postern_err e =
        postern_config_new_token_check(TEST_ISSUER, TEST_AUDIENCE, arg, scopes, &c, err);

    postern_config_free(c);
    return e;
}

static postern_err make_audience_check(void *arg, postern_error *err)
{
    static const char *const audiences[] = { TEST_AUDIENCE, "https://other.example", NULL };
    postern_config *c = NULL;
    postern_err e = postern_config_new_audience_check(TEST_ISSUER, audiences, arg, &c, err);

    postern_config_free(c);
    return e;
}

static void a_check_without_its_words_is_misuse(void **state)
{
    static const char *const none[] = { NULL }, *const blank[] = { "https://a b", NULL },
                            *const good[] = { TEST_AUDIENCE, NULL };
    static const struct {
        const char *issuer, *const *audiences, *keys;
    } cases[] = {
        { NULL, good, "k" },        { "", good, "k" },           { "https://i i", good, "k" },
        { "https://\xc3\xa4", good, "k" }, { TEST_ISSUER, NULL, "k" }, { TEST_ISSUER, none, "k" },
        { TEST_ISSUER, blank, "k" }, { TEST_ISSUER, good, NULL }, { TEST_ISSUER, good, "" },
    };
    postern_config *c = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (postern_config_new_audience_check(cases[i].issuer, cases[i].audiences, cases[i].keys, &c,
                                              NULL) != POSTERN_ERR_USAGE)
            fail_msg("case %zu was taken", i);
    assert_int_equal(postern_config_new_token_check(TEST_ISSUER, NULL, "k", NULL, &c, NULL),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_config_new_token_check("", TEST_AUDIENCE, "k", NULL, &c, NULL),
                     POSTERN_ERR_USAGE);
    assert_null(c);
}

static postern_err load_client(void *arg, postern_error *err)
{
    postern_config *c = NULL;
    postern_err e = postern_config_load_client(arg, &c, err);

    postern_config_free(c);
    return e;
}

static void other_configurations_survive_every_failing_allocation(void **state)
{
    char keys[] = "keys.json", client[256];

    (void)state;
    assert_true(alloc_fail_sweep(make_token_check, keys, POSTERN_OK) > 3);
    assert_true(alloc_fail_sweep(make_audience_check, keys, POSTERN_OK) > 3);
    test_folder_put(&t.folder, "client.conf",
                    "issuer: " TEST_ISSUER "\nclient_id: a\nclient_credential_file: s\n");
    memcpy(client, test_folder_at(&t.folder, "client.conf"),
           strlen(test_folder_at(&t.folder, "client.conf")) + 1);
    assert_true(alloc_fail_sweep(load_client, client, POSTERN_OK) > 5);
}

static postern_err run_login(postern_context *context, const postern_request *rq,
                             postern_error *err)
{
    postern_op *op = NULL;
    postern_err e = postern_validate_start(context, rq, &op, err);

    if (e == POSTERN_OK)
        e = postern_op_run(op, err);
    postern_op_free(op);
    return e;
}

static postern_err log_in_from_scratch(void *arg, postern_error *err)
{
    postern_context *context = NULL;
    postern_config *config = NULL;
    postern_err e = postern_config_load(t.folder.path, &config, err);

    if (e == POSTERN_OK)
        e = postern_context_new(config, &t.clock, &context, err);
    if (e == POSTERN_OK)
        e = run_login(context, arg, err);
    postern_context_free(context);
    return e;
}

static void a_first_login_survives_every_failing_allocation(void **state)
{
    char *token = test_login_token(&t, "purpose", "\"\\u0061\"");
    postern_request rq = test_login_request(token);

    (void)state;
    t.now_s = 1800000300; /* exp: within clock_skew it is good, but its proof is not kept */
    rq.authzid = "alice";
    assert_true(alloc_fail_sweep(log_in_from_scratch, &rq, POSTERN_OK) > 20);
    free(token);
}

static postern_err log_in_again(void *arg, postern_error *err)
{
    return run_login(t.context, arg, err);
}

static void a_login_with_everything_warm_allocates_three_times(void **state)
{
    char *token = test_login_token(&t, NULL, NULL);
    postern_request rq = test_login_request(token);

    (void)state;
    assert_int_equal(test_login_run(&t, &rq, NULL), POSTERN_OK);
    assert_int_equal(alloc_fail_sweep(log_in_again, &rq, POSTERN_OK),
                     3); /* the operation, the request's copy, the grant */
    free(token);
}

static postern_err revoke(void *arg, postern_error *err)
{
    postern_context *context = NULL;
    postern_config *config = NULL;
    postern_err e = postern_config_load(t.folder.path, &config, err);

    if (e == POSTERN_OK)
        e = postern_context_new(config, &t.clock, &context, err);
    if (e == POSTERN_OK)
        e = postern_context_revoke(context, TEST_ISSUER, POSTERN_REVOCATION_CLIENT, arg, 5, err);
    postern_context_free(context);
    return e;
}

static void a_revocation_survives_every_failing_allocation(void **state)
{
    char client[] = "agent-7";

    (void)state;
    assert_true(alloc_fail_sweep(revoke, client, POSTERN_OK) > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loading_a_configuration_survives_every_failing_allocation),
        TEST(a_check_without_its_words_is_misuse),
        TEST(other_configurations_survive_every_failing_allocation),
        TEST(a_first_login_survives_every_failing_allocation),
        TEST(a_login_with_everything_warm_allocates_three_times),
        TEST(a_revocation_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
