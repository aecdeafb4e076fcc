/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grants, exchange, introspection and revocation when memory runs out: a whole answer or an error, and what an error leaves
 * behind can still be used: no code and no refresh token is lost on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "grants_fixture.h"
#include "issuer/routes.h"

#define SWEEP_MAX 1000 /* more allocations than one request makes */

static void allow(struct grants_fixture *g)
{
    grants_client(g, "agent-7", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_allow(g, "g1", "agent-7", "mail.read", FIXTURE_IMAP, 86400, "c1");
}

/* Ask until no allocation is left to fail; every answer before is an error, whole, or refused for being broken by http.c. */
static void sweep(struct grants_fixture *g, const char *path, const char *body)
{
    struct http_request rq = { .method = "POST", .path = path, .host = FIXTURE_HOST, .source = "::1",
                               .content_type = "application/x-www-form-urlencoded", .body = postern_bytes_str(body) };
    bool was_refused = true;

    for (unsigned nth = 1; was_refused; nth++) {
        assert_true(nth < SWEEP_MAX);
        g->f->mono_ms += 60000; /* rates */
        answer_free(&g->f->answer);
        g->f->answer = ANSWER_INIT;
        alloc_fail_arm(nth);
        routes_answer(&g->f->is, &rq, &g->f->answer);
        was_refused = alloc_fail_disarm();
        /* A proof that is not kept for the next time is none the worse. */
        if (was_refused && g->f->answer.status == 200 && !g->f->answer.body.failed)
            assert_int_equal(postern_json_scan(&g->f->json, postern_buf_bytes(&g->f->answer.body), NULL), POSTERN_OK);
        else if (was_refused && !g->f->answer.body.failed && g->f->answer.status < 500)
            fail_msg("allocation %u: status %d: %.*s", nth, g->f->answer.status, (int)g->f->answer.body.len,
                     (const char *)g->f->answer.body.ptr);
    }
    assert_status(g->f, 200);
    assert_int_equal(postern_json_scan(&g->f->json, postern_buf_bytes(&g->f->answer.body), NULL), POSTERN_OK);
}

#define CREDENTIALS "&client_id=agent-7&client_secret=secret-of-agent-7"

static void a_code_survives_every_failure_before_its_answer(void **state)
{
    struct grants_fixture *g = *state;

    allow(g);
    sweep(g, "/oauth/token", "grant_type=authorization_code&code=c1&code_verifier=" VERIFIER CREDENTIALS);
    free(grants_take(g, "refresh_token"));
    assert_int_equal(g->told_count, 0);
}

static void a_refresh_token_survives_every_failure_before_its_answer(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *body;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &token);
    body = test_printf("grant_type=refresh_token&refresh_token=%s" CREDENTIALS, token);
    sweep(g, "/oauth/token", body);
    assert_int_equal(g->told_count, 0);
    free(body);
    free(token);
}

static void an_exchange_is_whole_or_an_error(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *own, *body;

    allow(g);
    token = grants_sign(g, "%s", "\"sub\":\"alice\",\"client_id\":\"agent-7\",\"aud\":\"" FIXTURE_IMAP "\",\"scope\":\"mail.read\","
                        "\"jti\":\"j\\u0031\",\"authorization_details\":[{\"type\":\"\\u0061\"}]");
    own = grants_own_token(g, "agent-7");
    body = test_printf(EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS "&actor_token=%s&actor_token_type=" ACCESS
                       "&purpose=p&authorization_details=[{\"t\\u0079pe\":\"a\"}]" CREDENTIALS, token, own);
    sweep(g, "/oauth/token", body);
    free(grants_take(g, "access_token"));
    free(body);
    free(token);
    free(own);
}

static void introspection_never_says_inactive_for_want_of_memory(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *refresh, *body;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, &refresh);
    for (int i = 0; i < 2; i++) {
        body = test_printf("token=%s" CREDENTIALS, i == 0 ? token : refresh);
        sweep(g, "/oauth/introspect", body);
        assert_int_equal(postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")), POSTERN_JSON_TRUE);
        free(body);
    }
    free(token);
    free(refresh);
}

static void a_revocation_is_done_when_it_says_so(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *refresh, *body;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, &refresh);
    for (int i = 0; i < 2; i++) {
        body = test_printf("token=%s" CREDENTIALS, i == 0 ? token : refresh);
        sweep(g, "/oauth/revoke", body);
        free(body);
        grants_post(g, "/oauth/introspect", "agent-7", "token=%s", i == 0 ? token : refresh);
        assert_int_equal(postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")), POSTERN_JSON_FALSE);
    }
    free(token);
    free(refresh);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, grants_set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_code_survives_every_failure_before_its_answer),
        TEST(a_refresh_token_survives_every_failure_before_its_answer),
        TEST(an_exchange_is_whole_or_an_error),
        TEST(introspection_never_says_inactive_for_want_of_memory),
        TEST(a_revocation_is_done_when_it_says_so),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
