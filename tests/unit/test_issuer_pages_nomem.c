/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages when memory runs out: a whole page, a whole redirect, or an error; never a grant that nobody was told of, never a
 * login without its cookie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "issuer/routes.h"
#include "issuer/store_grants.h"
#include "pages_browser.h"

#define SWEEP_MAX 500 /* more allocations than one request makes */

#define APPROVE "decision=approve&life=1h&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=mail.read"

static int set_up(void **state)
{
    if (fixture_set_up(state) != 0)
        return -1;
    browser_set_up_people(*state);
    return 0;
}

/* Ask with the nth allocation failing, the job included; false when no allocation was left to fail. */
static bool ask_with_failure(struct fixture *f, const struct http_request *rq, unsigned nth)
{
    struct answer_job *job;
    bool was_refused;

    answer_free(&f->answer);
    f->answer = ANSWER_INIT;
    alloc_fail_arm(nth);
    routes_answer(&f->is, rq, &f->answer);
    job = f->answer.take_job;
    f->answer.take_job = NULL;
    if (job != NULL) {
        job->work.run(&job->work);
        job->finish(job, &f->answer);
        job->work.free(&job->work);
    }
    was_refused = alloc_fail_disarm();
    return was_refused;
}

/* What http.c does with it: what is not whole goes out as 500. */
static bool is_whole(const struct fixture *f)
{
    return f->answer.status != 0 && !f->answer.body.failed && !f->answer.location.failed;
}

static void a_page_is_whole_or_an_error(void **state)
{
    static const struct { const char *path, *query; bool is_alice; } pages[] = {
        { "/oauth/login", NULL, false },      { "/oauth/authorize", REQUEST, false },
        { "/oauth/authorize", REQUEST "&purpose=x&authorization_details=%5B%7B%22type%22%3A%22a%22%7D%5D", true },
        { "/oauth/account", NULL, true },     { "/oauth/password", NULL, true },
        { "/oauth/style.css", NULL, false },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct browser b = browser_new(f);
        struct http_request rq = { .method = "GET", .path = pages[i].path, .query = pages[i].query,
                                   .host = FIXTURE_HOST, .source = "::1" };
        unsigned nth = 1;

        if (pages[i].is_alice) {
            browser_be_alice(&b);
            rq.cookie = b.cookie;
        }
        while (ask_with_failure(f, &rq, nth)) {
            if (is_whole(f) && f->answer.status == 200 && strcmp(pages[i].path, "/oauth/style.css") != 0)
                assert_non_null(strstr(body_text(f), "</html>"));
            assert_true(++nth < SWEEP_MAX);
        }
        assert_true(nth > 1);
        assert_true(is_whole(f));
        assert_int_equal(f->answer.status, 200);
    }
}

static size_t count_grants(struct fixture *f)
{
    static struct grant_record grants[SWEEP_MAX];
    size_t count = 0;

    assert_int_equal(store_grant_list(f->is.store, "alice", "", f->now_s, grants, SWEEP_MAX, &count, NULL), POSTERN_OK);
    return count;
}

static void a_grant_is_told_to_the_agent_or_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    size_t before = 0;
    bool was_refused = true;

    browser_be_alice(&b);
    for (unsigned nth = 1; was_refused; nth++) {
        struct http_request rq = { .method = "POST", .path = "/oauth/authorize", .host = FIXTURE_HOST, .source = "::1",
                                   .cookie = b.cookie, .content_type = "application/x-www-form-urlencoded" };
        bool is_told;
        char *body;

        assert_true(nth < SWEEP_MAX);
        browser_get(&b, "/oauth/authorize", REQUEST);
        body = browser_form(&b, APPROVE);
        rq.body = postern_bytes_str(body);
        was_refused = ask_with_failure(f, &rq, nth);
        is_told = is_whole(f) && f->answer.status == 303 && strstr(postern_buf_cstr(&f->answer.location), "code=") != NULL;
        free(body);
        assert_int_equal(count_grants(f), before + is_told);
        before = count_grants(f);
    }
    assert_true(before >= 1);
}

static void a_login_has_a_cookie_or_is_none(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    bool was_refused = true;

    for (unsigned nth = 1; was_refused; nth++) {
        struct http_request rq = { .method = "POST", .path = "/oauth/login", .host = FIXTURE_HOST,
                                   .content_type = "application/x-www-form-urlencoded" };
        char *body;

        assert_true(nth < SWEEP_MAX);
        f->mono_ms += 60000;
        rq.source = "::1";
        browser_get(&b, "/oauth/login", NULL);
        body = browser_form(&b, "name=alice&password=correct+horse+battery+staple");
        rq.body = postern_bytes_str(body);
        rq.cookie = b.cookie;
        was_refused = ask_with_failure(f, &rq, nth);
        free(body);
        if (f->answer.status == 303)
            assert_true(strstr(f->answer.set_cookie, "postern=") == f->answer.set_cookie);
        else
            assert_string_equal(f->answer.set_cookie, "");
    }
    assert_int_equal(f->answer.status, 303);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_whole_or_an_error),
        TEST(a_grant_is_told_to_the_agent_or_is_not_there),
        TEST(a_login_has_a_cookie_or_is_none),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
