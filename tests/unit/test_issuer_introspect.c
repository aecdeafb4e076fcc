/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/introspect.c: RFC 7662.  Who may look at which token, and that everything else is one and the same answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grants_fixture.h"
#include "issuer/grants.h"

static void allow(struct grants_fixture *g)
{
    grants_client(g, "agent-7", "mail.read", FIXTURE_LDAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "imap", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "ldap", "mail.read", FIXTURE_LDAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "watch", "", FIXTURE_LDAP, CLIENT_AUTH_BY_SECRET, CLIENT_MAY_INTROSPECT);
    grants_client(g, "pub", "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_NOTHING, 0);
    grants_allow(g, "g1", "agent-7", "mail.read", FIXTURE_IMAP, 86400, "c1");
}

static void look(struct grants_fixture *g, const char *client, const char *token)
{
    grants_post(g, "/oauth/introspect", client, "token=%s", token);
}

static void assert_inactive(struct grants_fixture *g, const char *why)
{
    if (g->f->answer.status != 200 ||
        !postern_bytes_equal_str(postern_buf_bytes(&g->f->answer.body), "{\"active\":false}"))
        fail_msg("%s: status %d, %.*s", why, g->f->answer.status, (int)g->f->answer.body.len,
                 (const char *)g->f->answer.body.ptr);
    assert_string_equal(g->f->answer.cache_control, "no-store");
}

static bool is_active(struct grants_fixture *g)
{
    assert_status(g->f, 200);
    return postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")) == POSTERN_JSON_TRUE;
}

static void an_access_token_is_shown_to_its_service_its_client_and_an_overseer(void **state)
{
    static const struct { const char *who; bool may; } callers[] = {
        { "imap", true }, { "agent-7", true }, { "watch", true }, { "ldap", false },
    };
    struct grants_fixture *g = *state;
    int64_t exp_s = 0;
    char *token;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, NULL);
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
        look(g, callers[i].who, token);
        if (!callers[i].may) {
            assert_inactive(g, callers[i].who);
            continue;
        }
        assert_true(is_active(g));
        assert_text(g->f, "iss", FIXTURE_ISSUER);
        assert_text(g->f, "sub", "alice");
        assert_text(g->f, "username", "alice");
        assert_text(g->f, "client_id", "agent-7");
        assert_text(g->f, "aud", FIXTURE_IMAP);
        assert_text(g->f, "scope", "mail.read");
        assert_text(g->f, "token_type", "Bearer");
        assert_text(g->f, "grant_id", "g1");
        assert_true(postern_json_integer(&g->f->json, postern_json_member(&g->f->json, 0, "exp"), &exp_s));
        assert_int_equal(exp_s, FIXTURE_NOW_S + 300);
        assert_absent(g->f, "act");
    }
    free(token);
}

static void an_exchanged_token_shows_its_chain_and_where_it_comes_from(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *child;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, NULL);
    grants_post(g, "/oauth/token", "imap", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS "&purpose=p", token);
    child = grants_take(g, "access_token");
    look(g, "imap", child);
    assert_true(is_active(g));
    assert_int_equal(postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "act")), POSTERN_JSON_OBJECT);
    assert_int_equal(postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "derived_from")), POSTERN_JSON_ARRAY);
    assert_text(g->f, "purpose", "p");
    look(g, "agent-7", child); /* of another client, for another service */
    assert_inactive(g, "the first client");
    free(token);
    free(child);
}

static void only_clients_with_a_proof_may_ask(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, NULL);
    look(g, "pub", token);
    assert_error(g->f, 401, "invalid_client");
    fixture_ask(g->f, (struct http_request){ .path = "/oauth/introspect", .content_type = "application/x-www-form-urlencoded",
                                             .body = POSTERN_BYTES_LIT("token=x") });
    assert_error(g->f, 401, "invalid_client");
    fixture_ask(g->f, (struct http_request){ .path = "/oauth/introspect", .content_type = "application/x-www-form-urlencoded",
                                             .body = POSTERN_BYTES_LIT("token=x&client_id=imap&client_secret=y") });
    assert_error(g->f, 401, "invalid_client");
    assert_non_null(strstr(g->f->answer.challenge, "Basic"));
    fixture_ask(g->f, (struct http_request){ .method = "GET", .path = "/oauth/introspect" });
    assert_error(g->f, 405, "method_not_allowed");
    grants_post(g, "/oauth/introspect", "imap", "x=y");
    assert_error(g->f, 400, "invalid_request");
    grants_post(g, "/oauth/introspect", "imap", "token=a&token=b");
    assert_error(g->f, 400, "invalid_request");
    free(token);
}

static void what_is_unknown_broken_or_over_is_inactive(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    look(g, "imap", "x");
    assert_inactive(g, "unknown");
    look(g, "imap", "a.b.c");
    assert_inactive(g, "broken");
    grants_redeem(g, "agent-7", "c1", &token, NULL);
    look(g, "imap", "c1");
    assert_inactive(g, "a code");
    g->f->now_s += 299;
    look(g, "imap", token);
    assert_true(is_active(g));
    g->f->now_s += 1;
    look(g, "imap", token);
    assert_inactive(g, "expired to the second");
    free(token);
}

static void what_was_taken_back_is_inactive_at_once(void **state)
{
    struct grants_fixture *g = *state;
    struct clients_refusal refusal = { 0 };
    char *token, *own;
    int64_t removed_s = 0;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, NULL);
    assert_int_equal(grants_end(&g->f->is, "g1", NULL), POSTERN_OK);
    look(g, "imap", token);
    assert_inactive(g, "ended grant");
    free(token);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=client_credentials");
    own = grants_take(g, "access_token");
    look(g, "ldap", own);
    assert_true(is_active(g));
    assert_int_equal(clients_remove(&g->f->is, "agent-7", &removed_s, &refusal, NULL), CLIENTS_DONE);
    look(g, "ldap", own);
    assert_inactive(g, "removed client");
    free(own);
}

static void a_refresh_token_is_shown_to_its_client_alone(void **state)
{
    struct grants_fixture *g = *state;
    int64_t exp_s = 0;
    char *first, *second;

    allow(g);
    grants_redeem(g, "agent-7", "c1", NULL, &first);
    look(g, "agent-7", first);
    assert_true(is_active(g));
    assert_text(g->f, "sub", "alice");
    assert_text(g->f, "client_id", "agent-7");
    assert_text(g->f, "grant_id", "g1");
    assert_absent(g->f, "token_type");
    assert_true(postern_json_integer(&g->f->json, postern_json_member(&g->f->json, 0, "exp"), &exp_s));
    assert_int_equal(exp_s, FIXTURE_NOW_S + 86400); /* the grant's end comes first */
    look(g, "imap", first);
    assert_inactive(g, "its service");
    look(g, "watch", first);
    assert_inactive(g, "an overseer");
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s", first);
    second = grants_take(g, "refresh_token");
    look(g, "agent-7", first);
    assert_inactive(g, "used");
    assert_int_equal(g->told_count, 0); /* to look at it is not to use it */
    look(g, "agent-7", second);
    assert_true(is_active(g));
    g->f->now_s += 86400;
    look(g, "agent-7", second);
    assert_inactive(g, "over");
    free(first);
    free(second);
}

static void a_caller_that_asks_too_often_slows_nobody_else_down(void **state)
{
    struct grants_fixture *g = *state;
    int asked = 0;

    allow(g);
    do {
        look(g, "imap", "x");
    } while (g->f->answer.status == 200 && ++asked < 5000);
    assert_int_equal(asked, 1000);
    assert_error(g->f, 429, "too_many_requests");
    look(g, "ldap", "x");
    assert_inactive(g, "another caller");
    g->f->mono_ms += 1000;
    look(g, "imap", "x");
    assert_inactive(g, "a second later");
}

static void until_keys_are_there_nobody_can_say(void **state)
{
    struct grants_fixture *g = *state;
    postern_context *own = g->f->is.own_tokens;

    allow(g);
    g->f->is.own_tokens = NULL;
    look(g, "imap", "a.b.c");
    assert_error(g->f, 503, "temporarily_unavailable");
    g->f->is.own_tokens = own;
    look(g, "imap", "a.b.c");
    assert_inactive(g, "now it is decided");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, grants_set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_access_token_is_shown_to_its_service_its_client_and_an_overseer),
        TEST(an_exchanged_token_shows_its_chain_and_where_it_comes_from),
        TEST(only_clients_with_a_proof_may_ask),
        TEST(what_is_unknown_broken_or_over_is_inactive),
        TEST(what_was_taken_back_is_inactive_at_once),
        TEST(a_refresh_token_is_shown_to_its_client_alone),
        TEST(a_caller_that_asks_too_often_slows_nobody_else_down),
        TEST(until_keys_are_there_nobody_can_say),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
