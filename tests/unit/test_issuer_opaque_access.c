/* SPDX-License-Identifier: BSD-2-Clause */
/* Opaque access tokens at the issuer: access_token.c, own_token.c, store_opaque.c, and what helper and doors are told of them
 * (introspect_line.c, introspect_message.c). */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <postern/oauthbearer.h>

#include "../support/alloc_fail.h"
#include "grants_fixture.h"
#include "introspect_message.h"
#include "issuer/grants.h"
#include "issuer/introspect_line.h"
#include "issuer/opaque.h"
#include "issuer/store_opaque.h"

#define ANSWER_MAX 16384

/* IMAP wants opaque ones, LDAP does not. */
static int set_up(void **state)
{
    struct grants_fixture *g;

    if (grants_set_up(state) != 0)
        return -1;
    g = *state;
    g->f->settings.services[0].wants_opaque = true;
    grants_client(g, "agent-7", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "agent-8", "mail.read", BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    grants_allow(g, "g1", "agent-7", "mail.read", BOTH_RESOURCES, 86400, "c1");
    return 0;
}

static void assert_opaque(const char *token)
{
    assert_true(postern_token_is_opaque(postern_bytes_str(token)));
    assert_true(strlen(token) <= 64); /* issue 6: carriers with short password fields */
}

/* ---- the line ---- */

/* What comes back for the message, NUL-terminated; "" when the descriptor is closed without a word. */
static void send_line(struct grants_fixture *g, const char *message, char room[ANSWER_MAX])
{
    int line[2], own[2];
    struct channel *far = NULL, *near = NULL;
    ssize_t n;

    assert_int_equal(channel_pair(line, NULL), POSTERN_OK);
    assert_int_equal(channel_pair(own, NULL), POSTERN_OK);
    assert_int_equal(channel_new(line[0], &near, NULL), POSTERN_OK);
    assert_int_equal(channel_new(line[1], &far, NULL), POSTERN_OK);
    assert_int_equal(channel_send(near, postern_bytes_str(message), own[1], NULL), POSTERN_OK);
    assert_int_equal(close(own[1]), 0);
    assert_int_equal(channel_receive(far, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(far, "introspect"));
    introspect_line_answer(&g->f->is, far);
    n = recv(own[0], room, ANSWER_MAX - 1, MSG_DONTWAIT);
    assert_true(n >= 0); /* else our descriptor is still open somewhere */
    room[n] = '\0';
    assert_int_equal(close(own[0]), 0);
    channel_free(near);
    channel_free(far);
}

static char *make_question(const char *token)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_BASE64_ENCODED_MAX(OPAQUE_HASH) + 1);
    uint8_t sha256[OPAQUE_HASH];

    assert_int_equal(opaque_hash(postern_bytes_str(token), sha256, NULL), POSTERN_OK);
    postern_base64url_encode((postern_bytes){ sha256, sizeof sha256 }, &text);
    return test_printf("{\"type\":\"introspect\",\"sha256\":\"%s\"}", postern_buf_cstr(&text));
}

static void ask_line(struct grants_fixture *g, const char *token, char room[ANSWER_MAX])
{
    char *question = make_question(token);

    send_line(g, question, room);
    free(question);
}

static void assert_gone(struct grants_fixture *g, const char *token, const char *why)
{
    char answer[ANSWER_MAX];

    ask_line(g, token, answer);
    if (strcmp(answer, "{\"active\":false}") != 0)
        fail_msg("%s: %s", why, answer);
}

static void assert_lives(struct grants_fixture *g, const char *token)
{
    char answer[ANSWER_MAX];

    ask_line(g, token, answer);
    if (strncmp(answer, "{\"active\":true,", 15) != 0)
        fail_msg("it does not live: %s", answer);
}

/* ---- issuing ---- */

static void every_grant_gives_one_where_its_resource_wants_it(void **state)
{
    struct grants_fixture *g = *state;
    char *own = grants_own_token(g, "agent-7"), *access, *refresh, *next, *child, *other;

    assert_opaque(own);
    assert_text(g->f, "token_type", "Bearer");
    grants_redeem(g, "agent-7", "c1", &access, &refresh);
    assert_opaque(access);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=refresh_token&refresh_token=%s&resource=" FIXTURE_IMAP, refresh);
    next = grants_take(g, "access_token");
    assert_opaque(next);
    assert_string_not_equal(next, access);
    grants_post(g, "/oauth/token", "agent-8", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS "&resource=" FIXTURE_IMAP,
                next);
    child = grants_take(g, "access_token");
    assert_opaque(child);
    /* and a signed one where it does not, from an opaque one too */
    grants_post(g, "/oauth/token", "agent-8", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS "&resource=" FIXTURE_LDAP,
                next);
    other = grants_take(g, "access_token");
    assert_claim_is(other, "sub", "\"alice\"");
    assert_claim_is(other, "act", "{\"sub\":\"agent-8\",\"act\":{\"sub\":\"agent-7\"}}");
    assert_claim_is(other, "grant_id", "\"g1\"");
    free(own), free(access), free(refresh), free(next), free(child), free(other);
}

static void it_says_what_the_signed_one_would(void **state)
{
    struct grants_fixture *g = *state;
    char *access, answer[ANSWER_MAX];

    grants_redeem(g, "agent-7", "c1", &access, NULL);
    ask_line(g, access, answer);
    for (const char *const *part = (const char *const[]){ "\"iss\":\"" FIXTURE_ISSUER "\"", "\"sub\":\"alice\"",
             "\"client_id\":\"agent-7\"", "\"aud\":\"" FIXTURE_IMAP "\"", "\"scope\":\"mail.read\"", "\"iat\":1700000000",
             "\"exp\":1700000300", "\"jti\":\"", "\"auth_time\":1699999990", "\"grant_id\":\"g1\"", NULL }; *part != NULL; part++)
        if (strstr(answer, *part) == NULL)
            fail_msg("%s is not in %s", *part, answer);
    free(access);
}

static void the_store_has_its_hash_and_never_itself(void **state)
{
    struct grants_fixture *g = *state;
    char *token = grants_own_token(g, "agent-7"), path[128], *text;
    bool is_found = false;
    FILE *f;
    size_t n;

    for (const char *const *name = (const char *const[]){ "clients.db", "clients.db-wal", NULL }; *name != NULL; name++) {
        assert_true(snprintf(path, sizeof path, "%s/%s", g->f->dir, *name) > 0);
        f = fopen(path, "r");
        text = calloc(1, 1 << 20);
        assert_true(f != NULL && text != NULL);
        n = fread(text, 1, 1 << 20, f);
        is_found |= memmem(text, n, "opaque", 6) != NULL; /* we looked at the right file */
        assert_null(memmem(text, n, token, strlen(token)));
        assert_null(memmem(text, n, token + 4, 12));
        assert_int_equal(fclose(f), 0);
        free(text);
    }
    assert_true(is_found);
    free(token);
}

/* ---- what a client may have ---- */

static store_opaque add(struct grants_fixture *g, const char *client, const struct opaque_caps *caps)
{
    static unsigned made;
    char jti[32];
    struct opaque_record o = { .client = client, .jti = jti, .claims = "{}", .exp_s = g->f->now_s + 300 };
    store_opaque kept = STORE_OPAQUE_UNSET;

    assert_true(snprintf(jti, sizeof jti, "made-%u", made++) > 0);
    memcpy(o.sha256, jti, strlen(jti));
    assert_int_equal(store_opaque_add(g->f->is.store, &o, caps, g->f->now_s, &kept, NULL), POSTERN_OK);
    return kept;
}

static void a_client_has_so_many_and_no_more_until_some_are_over(void **state)
{
    static const struct opaque_caps caps = { .of_client = 3, .of_self_registered = 3, .all = 7 };
    struct grants_fixture *g = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_KEPT);
    assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_FULL_CLIENT);
    assert_int_equal(add(g, "agent-8", &caps), STORE_OPAQUE_KEPT); /* it is no trouble of others */
    g->f->now_s += 300;
    assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_FULL_CLIENT); /* the last second */
    g->f->now_s += 1;
    assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_KEPT);
}

static void those_that_registered_themselves_leave_room_to_the_rest(void **state)
{
    static const struct opaque_caps caps = { .of_client = 3, .of_self_registered = 4, .all = 6 };
    struct grants_fixture *g = *state;

    for (const char *const *name = (const char *const[]){ "self-1", "self-2", "self-3", NULL }; *name != NULL; name++)
        grants_client(g, *name, "mail.read", FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, CLIENT_SELF_REGISTERED);
    for (int i = 0; i < 4; i++)
        assert_int_equal(add(g, i < 2 ? "self-1" : "self-2", &caps), STORE_OPAQUE_KEPT);
    assert_int_equal(add(g, "self-3", &caps), STORE_OPAQUE_FULL);
    assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_KEPT);
    assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_KEPT);
    assert_int_equal(add(g, "agent-8", &caps), STORE_OPAQUE_FULL); /* of all */
}

static void who_has_too_many_is_told_to_wait_or_to_take_some_back(void **state)
{
    static const struct opaque_caps caps = { .of_client = 512, .of_self_registered = 512, .all = 1000 };
    struct grants_fixture *g = *state;
    char *token = grants_own_token(g, "agent-7");

    for (int i = 1; i < 512; i++)
        assert_int_equal(add(g, "agent-7", &caps), STORE_OPAQUE_KEPT);
    grants_post(g, "/oauth/token", "agent-7", "grant_type=client_credentials&resource=" FIXTURE_IMAP);
    assert_status(g->f, 429);
    assert_true(g->f->answer.retry_after_s > 0);
    grants_post(g, "/oauth/revoke", "agent-7", "token=%s", token);
    assert_status(g->f, 200);
    free(token);
    free(grants_own_token(g, "agent-7"));
}

/* ---- its end ---- */

static void it_ends_with_its_time(void **state)
{
    struct grants_fixture *g = *state;
    char *token = grants_own_token(g, "agent-7");

    g->f->now_s += 299;
    grants_post(g, "/oauth/introspect", "agent-7", "token=%s", token);
    assert_int_equal(postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")), POSTERN_JSON_TRUE);
    g->f->now_s += 1;
    grants_post(g, "/oauth/introspect", "agent-7", "token=%s", token);
    assert_int_equal(postern_json_type_of(&g->f->json, postern_json_member(&g->f->json, 0, "active")), POSTERN_JSON_FALSE);
    assert_lives(g, token); /* a verifier's clock_skew is the verifier's to apply */
    g->f->now_s += ISSUER_SKEW_MAX_S;
    assert_gone(g, token, "after the longest clock_skew");
    free(token);
}

static void it_ends_by_its_clients_word_and_no_others(void **state)
{
    struct grants_fixture *g = *state;
    char *token = grants_own_token(g, "agent-7");

    grants_post(g, "/oauth/revoke", "agent-8", "token=%s", token);
    assert_error(g->f, 400, "invalid_grant");
    assert_lives(g, token);
    assert_int_equal(g->told_count, 0);
    grants_post(g, "/oauth/revoke", "agent-7", "token=%s", token);
    assert_status(g->f, 200);
    assert_gone(g, token, "revoked");
    assert_int_equal(g->told_count, 1);
    assert_int_equal(g->told[0].kind, POSTERN_REVOCATION_JTI); /* live sessions end by that */
    grants_post(g, "/oauth/revoke", "agent-7", "token=%s", token);
    assert_status(g->f, 200);
    free(token);
}

static void it_ends_with_its_parent_its_authorization_and_its_client(void **state)
{
    struct grants_fixture *g = *state;
    struct clients_refusal refusal = { 0 };
    char *access, *child, *own = grants_own_token(g, "agent-8");
    int64_t removed_s = 0;

    grants_redeem(g, "agent-7", "c1", &access, NULL);
    grants_post(g, "/oauth/token", "agent-8", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS "&resource=" FIXTURE_IMAP,
                access);
    child = grants_take(g, "access_token");
    assert_lives(g, child);
    grants_post(g, "/oauth/revoke", "agent-7", "token=%s", access);
    assert_gone(g, child, "its parent was revoked");
    free(access), free(child);
    grants_allow(g, "g2", "agent-7", "mail.read", FIXTURE_IMAP, 86400, "c2");
    grants_redeem(g, "agent-7", "c2", &access, NULL);
    assert_lives(g, access);
    assert_int_equal(grants_end(&g->f->is, "g2", NULL), POSTERN_OK);
    assert_gone(g, access, "its authorization has ended");
    assert_lives(g, own);
    assert_int_equal(clients_remove(&g->f->is, "agent-8", &removed_s, &refusal, NULL), CLIENTS_DONE);
    assert_gone(g, own, "its client was removed");
    free(access), free(own);
}

/* ---- what is none ---- */

static void what_is_guessed_or_another_secret_is_inactive(void **state)
{
    struct grants_fixture *g = *state;
    char *access, *refresh, *bad = test_printf("pot_%043d", 7);

    grants_redeem(g, "agent-7", "c1", &access, &refresh);
    assert_gone(g, bad, "a guess");
    assert_gone(g, refresh, "a refresh token");
    assert_gone(g, "c1", "a code");
    access[10] = access[10] == 'A' ? 'B' : 'A';
    assert_gone(g, access, "one letter is another");
    grants_post(g, "/oauth/introspect", "agent-7", "token=%s", bad);
    assert_status(g->f, 200);
    grants_post(g, "/oauth/token", "agent-8", EXCHANGE "&subject_token=%s&subject_token_type=" ACCESS "&resource=" FIXTURE_IMAP,
                bad);
    assert_error(g->f, 400, "invalid_request");
    grants_whoami(g, bad);
    assert_status(g->f, 401);
    free(access), free(refresh), free(bad);
}

static void whoami_takes_none_that_is_for_a_service(void **state)
{
    struct grants_fixture *g = *state;
    char *token = grants_own_token(g, "agent-7");

    grants_whoami(g, token);
    assert_error(g->f, 401, "invalid_token");
    free(token);
}

static void a_question_that_breaks_the_rules_is_closed_without_a_word(void **state)
{
    static const char *const broken[] = {
        "{\"type\":\"introspect\"}",
        "{\"type\":\"introspect\",\"sha256\":7}",
        "{\"type\":\"introspect\",\"sha256\":\"\"}",
        "{\"type\":\"introspect\",\"sha256\":\"AAAA\"}",
        "{\"type\":\"introspect\",\"sha256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\"}", /* pad bits */
        "{\"type\":\"introspect\",\"sha256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
        "{\"type\":\"introspect\",\"sha256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"type\":\"introspect\",\"sha256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"token\":\"x\"}",
        "{\"type\":\"introspect\",\"token\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    };
    struct grants_fixture *g = *state;
    char answer[ANSWER_MAX];

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        send_line(g, broken[i], answer);
        if (answer[0] != '\0')
            fail_msg("%s: %s", broken[i], answer);
    }
    send_line(g, "{\"type\":\"introspect\",\"sha256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", answer);
    assert_string_equal(answer, "{\"active\":false}");
}

static void whoever_cannot_say_does_not_say_inactive(void **state)
{
    struct grants_fixture *g = *state;
    postern_context *keys = POSTERN_STEAL(g->f->is.own_tokens);
    char *token = grants_own_token(g, "agent-7"), answer[ANSWER_MAX];

    ask_line(g, token, answer);
    assert_string_equal(answer, "");
    g->f->is.own_tokens = keys;
    assert_lives(g, token);
    free(token);
}

/* ---- memory ---- */

static void a_question_is_answered_rightly_or_not_at_all_when_memory_runs_out(void **state)
{
    struct grants_fixture *g = *state;
    char *token = grants_own_token(g, "agent-7"), answer[ANSWER_MAX];
    uint8_t sha256[OPAQUE_HASH];
    bool was_refused = true;
    unsigned nth;

    assert_int_equal(opaque_hash(postern_bytes_str(token), sha256, NULL), POSTERN_OK);
    for (nth = 1; was_refused; nth++) {
        AUTO_OWN_TOKEN t = OWN_TOKEN_INIT;
        postern_error err = { 0 };
        postern_err e;

        alloc_fail_arm(nth);
        e = own_token_judge_opaque(&g->f->is, sha256, &t, &err);
        was_refused = alloc_fail_disarm();
        if (postern_err_outcome(e) == POSTERN_REJECTED)
            fail_msg("allocation %u: %s (%s)", nth, postern_err_reason(e), err.detail);
    }
    assert_true(nth > 10);
    ask_line(g, token, answer);
    assert_lives(g, token);
    free(token);
}

static void a_token_is_given_whole_or_not_when_memory_runs_out(void **state)
{
    struct grants_fixture *g = *state;
    const struct access_claims c = { .subject = "agent-7", .client = "agent-7", .resource = FIXTURE_IMAP,
                                     .scope = "mail.read", .ends_s = INT64_MAX };
    bool was_refused = true;

    for (unsigned nth = 1; was_refused; nth++) {
        POSTERN_AUTO(secret) token = NULL;
        AUTO_ANSWER a = ANSWER_INIT;
        bool is_made;

        alloc_fail_arm(nth);
        is_made = access_token_mint(&g->f->is, &c, g->f->now_s, &token, &a);
        was_refused = alloc_fail_disarm();
        assert_int_equal(is_made, token != NULL);
        assert_true(is_made || a.status >= 500 || a.body.failed);
        assert_true(!is_made || postern_token_is_opaque(postern_secret_bytes(token)));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_grant_gives_one_where_its_resource_wants_it),
        TEST(it_says_what_the_signed_one_would),
        TEST(the_store_has_its_hash_and_never_itself),
        TEST(a_client_has_so_many_and_no_more_until_some_are_over),
        TEST(those_that_registered_themselves_leave_room_to_the_rest),
        TEST(who_has_too_many_is_told_to_wait_or_to_take_some_back),
        TEST(it_ends_with_its_time),
        TEST(it_ends_by_its_clients_word_and_no_others),
        TEST(it_ends_with_its_parent_its_authorization_and_its_client),
        TEST(what_is_guessed_or_another_secret_is_inactive),
        TEST(whoami_takes_none_that_is_for_a_service),
        TEST(a_question_that_breaks_the_rules_is_closed_without_a_word),
        TEST(whoever_cannot_say_does_not_say_inactive),
        TEST(a_question_is_answered_rightly_or_not_at_all_when_memory_runs_out),
        TEST(a_token_is_given_whole_or_not_when_memory_runs_out),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
