/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/grant_refresh.c: rotation, reuse, and what may not grow.  OAuth 2.1 §4.3, RFC 9700 §4.14. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grants_fixture.h"

#define DAY_S 86400

static void allow(struct grants_fixture *g)
{
    grants_client(g, "agent-7", "mail.read mail.write", BOTH_RESOURCES, CLIENT_AUTH_BY_NOTHING, 0);
    grants_client(g, "agent-8", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_NOTHING, 0);
    grants_client(g, "service-9", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    grants_allow(g, "g1", "agent-7", "mail.read mail.write", BOTH_RESOURCES, 90 * DAY_S, "c1");
}

static void refresh(struct grants_fixture *g, const char *client, const char *token, const char *more)
{
    grants_post(g, "/oauth/token", client, "grant_type=refresh_token&refresh_token=%s&resource=" FIXTURE_IMAP "%s", token, more);
}

/* Rotate and free the old one. */
static char *rotate(struct grants_fixture *g, char *old)
{
    char *next;

    refresh(g, "agent-7", old, "");
    assert_status(g->f, 200);
    next = grants_take(g, "refresh_token");
    assert_string_not_equal(next, old);
    free(old);
    return next;
}

static void each_refresh_gives_a_new_pair(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *access;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &token);
    for (int i = 0; i < 5; i++) {
        g->f->now_s += 300;
        token = rotate(g, token);
    }
    access = grants_take(g, "access_token");
    assert_claim_is(access, "sub", "\"alice\"");
    assert_claim_is(access, "grant_id", "\"g1\"");
    assert_claim_is(access, "scope", "\"mail.read mail.write\"");
    assert_int_equal(grants_number(access, "iat"), FIXTURE_NOW_S + 1500);
    free(access);
    free(token);
}

/* Each rotation is a row that is kept as long as the refresh token, to know a reuse. */
static void one_grant_is_rotated_so_often_and_its_token_is_good_afterwards(void **state)
{
    struct grants_fixture *g = *state;
    char *token;
    int count = 0;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &token);
    for (; count < 400; count++) {
        g->f->mono_ms += 20; /* within what one client may ask */
        refresh(g, "agent-7", token, "");
        if (g->f->answer.status != 200)
            break;
        free(token);
        token = grants_take(g, "refresh_token");
    }
    assert_in_range(count, 60, 200);
    assert_error(g->f, 429, "too_many_requests");
    g->f->mono_ms += 1000 * g->f->answer.retry_after_s;
    token = rotate(g, token); /* nothing was used up */
    free(token);
}

static void a_reused_token_ends_the_family_and_its_access_tokens(void **state)
{
    struct grants_fixture *g = *state;
    char *first, *second, *access;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &first);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s&resource=" WHOAMI, first);
    assert_status(g->f, 200);
    second = grants_take(g, "refresh_token");
    access = grants_take(g, "access_token");
    grants_whoami(g, access);
    assert_status(g->f, 200);

    refresh(g, "agent-7", first, "");
    assert_error(g->f, 400, "invalid_grant");
    assert_int_equal(g->told_count, 1);
    assert_int_equal(g->told[0].kind, POSTERN_REVOCATION_GRANT);
    grants_whoami(g, access);
    assert_error(g->f, 401, "invalid_token");
    refresh(g, "agent-7", second, "");
    assert_error(g->f, 400, "invalid_grant");
    free(first);
    free(second);
    free(access);
}

static void another_client_can_neither_use_nor_end_it(void **state)
{
    static const char *const others[] = { "agent-8", "service-9" };
    struct grants_fixture *g = *state;
    char *first, *second;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &first);
    for (size_t i = 0; i < 2; i++) {
        refresh(g, others[i], first, "");
        assert_error(g->f, 400, "invalid_grant");
    }
    refresh(g, "agent-7", first, "");
    assert_status(g->f, 200);
    second = grants_take(g, "refresh_token");
    refresh(g, "service-9", first, ""); /* used: still none of its business */
    assert_error(g->f, 400, "invalid_grant");
    assert_int_equal(g->told_count, 0);
    refresh(g, "agent-7", second, "");
    assert_status(g->f, 200);
    free(first);
    free(second);
}

static void scope_and_resource_never_grow_and_a_refusal_uses_nothing_up(void **state)
{
    static const struct { const char *why, *more, *error; } bad[] = {
        { "a scope of the client's that the person did not give", "&scope=admin", "invalid_scope" },
        { "more than there was", "&scope=mail.read+mail.write+admin", "invalid_scope" },
        { "another resource as well", "&resource=" FIXTURE_LDAP, "invalid_target" },
        { "no list", "&scope=+mail.read", "invalid_scope" },
    };
    struct grants_fixture *g = *state;
    char *token, *access;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &token);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refresh(g, "agent-7", token, bad[i].more);
        if (g->f->answer.status != 400)
            fail_msg("%s: status %d", bad[i].why, g->f->answer.status);
        assert_error(g->f, 400, bad[i].error);
    }
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s&resource=https://evil.example/", token);
    assert_error(g->f, 400, "invalid_target");
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", token);
    assert_error(g->f, 400, "invalid_target"); /* two are allowed: which? */
    refresh(g, "agent-7", token, "&scope=mail.read");
    assert_status(g->f, 200);
    access = grants_take(g, "access_token");
    assert_claim_is(access, "scope", "\"mail.read\"");
    free(access);
    free(token);
    token = grants_take(g, "refresh_token");
    refresh(g, "agent-7", token, "&scope=mail.write"); /* what was narrowed once is not lost: RFC 6749 §6 */
    assert_status(g->f, 200);
    free(token);
}

static void a_token_that_is_not_used_for_14_days_is_void_and_use_prolongs_it(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &token);
    g->f->now_s += 14 * DAY_S - 1;
    token = rotate(g, token);
    g->f->now_s += 14 * DAY_S;
    refresh(g, "agent-7", token, "");
    assert_error(g->f, 400, "invalid_grant");
    assert_int_equal(g->told_count, 0);
    g->f->now_s -= 1;
    refresh(g, "agent-7", token, "");
    assert_status(g->f, 200);
    free(token);
}

static void the_end_of_the_grant_is_absolute(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *access;

    allow(g);
    grants_allow(g, "g2", "agent-7", "mail.read", FIXTURE_IMAP, 1000, "c2");
    grants_redeem(g, "agent-7", "c2", NULL, &token);
    g->f->now_s += 900;
    token = rotate(g, token);
    access = grants_take(g, "access_token");
    assert_int_equal(grants_number(access, "exp"), FIXTURE_NOW_S + 1000);
    free(access);
    g->f->now_s += 100;
    refresh(g, "agent-7", token, "");
    assert_error(g->f, 400, "invalid_grant");
    free(token);
}

static void what_is_no_refresh_token_is_refused(void **state)
{
    struct grants_fixture *g = *state;
    char *access;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &access, NULL);
    refresh(g, "agent-7", access, "");
    assert_error(g->f, 400, "invalid_grant");
    refresh(g, "agent-7", "c1", ""); /* a code is not one either */
    assert_error(g->f, 400, "invalid_grant");
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token");
    assert_error(g->f, 400, "invalid_request");
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=a&refresh_token=b");
    assert_error(g->f, 400, "invalid_request");
    free(access);
}

static void a_grant_that_a_person_ended_gives_nothing_any_more(void **state)
{
    struct grants_fixture *g = *state;
    bool is_found = false;
    char *token;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &token);
    assert_int_equal(store_grant_end(g->f->is.store, "g1", g->f->now_s, g->f->now_s + 9, &is_found, NULL), POSTERN_OK);
    refresh(g, "agent-7", token, "");
    assert_error(g->f, 400, "invalid_grant");
    free(token);
}

static void a_token_outlives_a_restart_and_its_use_too(void **state)
{
    struct grants_fixture *g = *state;
    char *first;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &first);
    store_close(g->f->is.store);
    assert_int_equal(store_open(g->f->dir, &g->f->is.store, NULL), POSTERN_OK);
    refresh(g, "agent-7", first, "");
    assert_status(g->f, 200);
    store_close(g->f->is.store);
    assert_int_equal(store_open(g->f->dir, &g->f->is.store, NULL), POSTERN_OK);
    refresh(g, "agent-7", first, "");
    assert_error(g->f, 400, "invalid_grant");
    assert_int_equal(g->told_count, 1);
    free(first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, grants_set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_refresh_gives_a_new_pair),
        TEST(a_reused_token_ends_the_family_and_its_access_tokens),
        TEST(another_client_can_neither_use_nor_end_it),
        TEST(scope_and_resource_never_grow_and_a_refusal_uses_nothing_up),
        TEST(a_token_that_is_not_used_for_14_days_is_void_and_use_prolongs_it),
        TEST(the_end_of_the_grant_is_absolute),
        TEST(what_is_no_refresh_token_is_refused),
        TEST(a_grant_that_a_person_ended_gives_nothing_any_more),
        TEST(a_token_outlives_a_restart_and_its_use_too),
        TEST(one_grant_is_rotated_so_often_and_its_token_is_good_afterwards),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
