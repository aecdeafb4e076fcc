/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/revoke.c: RFC 7009.  What ends with what, who hears of it, and who cannot end what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grants_fixture.h"

static void allow(struct grants_fixture *g)
{
    grants_client(g, "agent-7", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_NOTHING, 0);
    grants_client(g, "agent-8", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_NOTHING, 0);
    grants_client(g, "mcp", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_allow(g, "g1", "agent-7", "mail.read", FIXTURE_IMAP, 86400, "c1");
}

static void end(struct grants_fixture *g, const char *client, const char *token)
{
    grants_post(g, "/oauth/revoke", client, "token=%s", token);
}

static bool is_active(struct grants_fixture *g, const char *token)
{
    grants_post(g, "/oauth/introspect", "mcp", "token=%s", token);
    assert_status(g->f, 200);
    return postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")) == POSTERN_JSON_TRUE;
}

static void an_access_token_ends_with_what_was_exchanged_from_it_and_nothing_else(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *refresh, *child, *jti;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, &refresh);
    grants_post(g, "/oauth/token", "mcp", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS, token);
    child = grants_take(g, "access_token");
    assert_true(is_active(g, token));
    assert_true(is_active(g, child));

    end(g, "agent-7", token);
    assert_status(g->f, 200);
    jti = grants_claim(token, "jti");
    assert_int_equal(g->told_count, 1);
    assert_int_equal(g->told[0].kind, POSTERN_REVOCATION_JTI);
    assert_memory_equal(g->told[0].name, jti + 1, strlen(jti) - 2);
    assert_int_equal(g->told[0].until_s, FIXTURE_NOW_S + 300 + ISSUER_SKEW_MAX_S);
    assert_false(is_active(g, token));
    assert_false(is_active(g, child));
    end(g, "agent-7", token);
    assert_status(g->f, 200); /* again: nothing new */
    assert_int_equal(g->told_count, 1);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", refresh);
    assert_status(g->f, 200);
    free(jti);
    free(token);
    free(refresh);
    free(child);
}

static void a_refresh_token_ends_the_whole_grant(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *refresh, *child;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, &refresh);
    grants_post(g, "/oauth/token", "mcp", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS, token);
    child = grants_take(g, "access_token");
    grants_post(g, "/oauth/revoke", "agent-7", "token=%s&token_type_hint=access_token", refresh); /* a wrong hint */
    assert_status(g->f, 200);
    assert_int_equal(g->told_count, 1);
    assert_int_equal(g->told[0].kind, POSTERN_REVOCATION_GRANT);
    assert_string_equal(g->told[0].name, "g1");
    assert_false(is_active(g, token));
    assert_false(is_active(g, child));
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", refresh);
    assert_error(g->f, 400, "invalid_grant");
    end(g, "agent-7", refresh);
    assert_status(g->f, 200);
    assert_int_equal(g->told_count, 1);
    free(token);
    free(refresh);
    free(child);
}

static void a_refresh_token_that_was_used_ends_its_grant_too(void **state)
{
    struct grants_fixture *g = *state;
    char *first, *second;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &first);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", first);
    second = grants_take(g, "refresh_token");
    end(g, "agent-7", first);
    assert_status(g->f, 200);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", second);
    assert_error(g->f, 400, "invalid_grant");
    free(first);
    free(second);
}

static void a_token_of_another_client_is_refused_without_effect(void **state)
{
    static const char *const strangers[] = { "agent-8", "mcp" };
    struct grants_fixture *g = *state;
    char *token, *refresh, *child;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, &refresh);
    for (size_t i = 0; i < 2; i++) {
        end(g, strangers[i], token);
        assert_error(g->f, 400, "invalid_grant");
        end(g, strangers[i], refresh);
        assert_error(g->f, 400, "invalid_grant");
    }
    grants_post(g, "/oauth/token", "mcp", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS, token);
    child = grants_take(g, "access_token");
    end(g, "agent-7", child); /* that mcp got */
    assert_error(g->f, 400, "invalid_grant");
    assert_int_equal(g->told_count, 0);
    assert_true(is_active(g, token));
    assert_true(is_active(g, child));
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", refresh);
    assert_status(g->f, 200);
    free(token);
    free(refresh);
    free(child);
}

static void what_is_no_token_any_more_is_200_and_tells_nobody(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *refresh;

    allow(g);
    end(g, "agent-7", "x");
    assert_status(g->f, 200);
    end(g, "agent-7", "a.b.c");
    assert_status(g->f, 200);
    end(g, "agent-7", "c1"); /* a code is no token: RFC 7009 §2.1 */
    assert_status(g->f, 200);
    grants_redeem(g, "agent-7", "c1", &token, &refresh);
    g->f->now_s += 300 + ISSUER_SKEW_MAX_S;
    end(g, "agent-7", token);
    assert_status(g->f, 200);
    g->f->now_s += 86400;
    end(g, "agent-7", refresh);
    assert_status(g->f, 200);
    assert_int_equal(g->told_count, 0);
    free(token);
    free(refresh);
}

/* Expired here, but taken there for its clock_skew more, and a session of it lives on. */
static void a_token_ends_as_long_as_a_verifier_may_take_it(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    token = grants_own_token(g, "mcp");
    g->f->now_s += 300 + ISSUER_SKEW_MAX_S - 1;
    assert_false(is_active(g, token)); /* and it is good for nothing here */
    end(g, "mcp", token);
    assert_status(g->f, 200);
    assert_int_equal(g->told_count, 1);
    assert_int_equal(g->told[0].until_s, g->f->now_s + 1);
    free(token);
}

static void whoever_does_not_prove_who_it_is_ends_nothing(void **state)
{
    struct grants_fixture *g = *state;
    char *own;

    allow(g);
    own = grants_own_token(g, "mcp");
    for (size_t i = 0; i < 2; i++) {
        char *body = test_printf("token=%s&client_id=%s", own, i == 0 ? "mcp" : "mcp&client_secret=wrong");

        fixture_ask(g->f, (struct http_request){ .path = "/oauth/revoke", .body = postern_bytes_str(body),
                                                 .content_type = "application/x-www-form-urlencoded" });
        assert_error(g->f, 401, "invalid_client");
        free(body);
    }
    grants_post(g, "/oauth/revoke", "mcp", "x=%s", own);
    assert_error(g->f, 400, "invalid_request");
    assert_true(is_active(g, own));
    end(g, "mcp", own);
    assert_status(g->f, 200);
    assert_false(is_active(g, own));
    free(own);
}

static void a_revocation_outlives_a_restart_and_is_not_forgotten_too_early(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    token = grants_own_token(g, "mcp");
    end(g, "mcp", token);
    assert_status(g->f, 200);
    store_close(g->f->is.store);
    assert_int_equal(store_open(g->f->dir, &g->f->is.store, NULL), POSTERN_OK);
    g->f->now_s += 299;
    assert_int_equal(issuer_forget_what_is_over(&g->f->is, NULL), POSTERN_OK);
    assert_false(is_active(g, token));
    free(token);
}

static void who_revokes_too_often_is_slowed_down_alone(void **state)
{
    struct grants_fixture *g = *state;
    int done = 0;

    allow(g);
    do {
        end(g, "agent-7", "x");
    } while (g->f->answer.status == 200 && ++done < 1000);
    assert_int_equal(done, 200);
    assert_error(g->f, 429, "too_many_requests");
    end(g, "mcp", "x");
    assert_status(g->f, 200);
}

/* Doors and helper stop when they are told of more than POSTERN_REVOCATIONS_MAX tokens. */
static int end_many(struct grants_fixture *g, const char *client, int max)
{
    int done = 0;

    do {
        char *token = grants_sign(g, "\"sub\":\"%s\",\"client_id\":\"%s\",\"aud\":\"" FIXTURE_IMAP
                                     "\",\"jti\":\"%s-%d\"", client, client, client, done);

        g->told_count = 0;     /* nobody looks */
        g->f->mono_ms += 20;   /* as often as it may ask */
        end(g, client, token);
        free(token);
    } while (g->f->answer.status == 200 && ++done < max);
    return done;
}

static void a_client_that_mints_and_revokes_does_not_fill_what_verifiers_remember(void **state)
{
    struct grants_fixture *g = *state;
    int done;
    char *token;

    allow(g);
    grants_client(g, "flood", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, CLIENT_SELF_REGISTERED);
    done = end_many(g, "flood", 1000);
    assert_in_range(done, 500, 520);
    assert_error(g->f, 429, "too_many_requests");
    g->told_count = 0;
    token = grants_own_token(g, "mcp");
    end(g, "mcp", token);
    assert_status(g->f, 200);
    assert_false(is_active(g, token));
    free(token);
}

static void until_keys_are_there_nothing_is_said_to_be_done(void **state)
{
    struct grants_fixture *g = *state;
    postern_context *own = g->f->is.own_tokens;
    char *token;

    allow(g);
    token = grants_own_token(g, "mcp");
    g->f->is.own_tokens = NULL;
    end(g, "mcp", token);
    assert_error(g->f, 503, "temporarily_unavailable");
    g->f->is.own_tokens = own;
    assert_true(is_active(g, token));
    free(token);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, grants_set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_access_token_ends_with_what_was_exchanged_from_it_and_nothing_else),
        TEST(a_refresh_token_ends_the_whole_grant),
        TEST(a_refresh_token_that_was_used_ends_its_grant_too),
        TEST(a_token_of_another_client_is_refused_without_effect),
        TEST(what_is_no_token_any_more_is_200_and_tells_nobody),
        TEST(a_token_ends_as_long_as_a_verifier_may_take_it),
        TEST(whoever_does_not_prove_who_it_is_ends_nothing),
        TEST(a_revocation_outlives_a_restart_and_is_not_forgotten_too_early),
        TEST(who_revokes_too_often_is_slowed_down_alone),
        TEST(a_client_that_mints_and_revokes_does_not_fill_what_verifiers_remember),
        TEST(until_keys_are_there_nothing_is_said_to_be_done),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
