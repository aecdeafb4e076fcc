/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/whoami.c: whom a token stands for, and a 401 that says what to do.  Tokens that are wrong are not our own mint's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/test_keys.h"
#include "issuer/keys.h"
#include "issuer/own_token.h"
#include "issuer_fixture.h"

#define WHOAMI FIXTURE_ISSUER "/oauth/whoami"

/* The fixture with a key that tests can sign with, and the key set in a file as the supervisor writes it. */
struct whoami_fixture {
    struct fixture *f;
    test_key *key;
    char *header;
    char jwks_file[96];
};

static void write_keys(struct whoami_fixture *w)
{
    POSTERN_AUTO_BUF header = POSTERN_BUF_INIT(512);
    char *jwks = test_key_jwks(w->key, postern_signing_key_kid(w->f->key), "ES256");
    FILE *file;

    assert_true(snprintf(w->jwks_file, sizeof w->jwks_file, "%s/jwks.json", w->f->dir) > 0);
    file = fopen(w->jwks_file, "w");
    assert_non_null(file);
    assert_true(fputs(jwks, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(jwks);
    postern_buf_addf(&header, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", postern_signing_key_kid(w->f->key));
    w->header = strdup(postern_buf_cstr(&header));
    assert_non_null(w->header);
}

static void make_context(struct whoami_fixture *w)
{
    postern_error err = { 0 };

    if (own_token_load_keys(&w->f->is, w->jwks_file, &err) != POSTERN_OK)
        fail_msg("context: %s", err.detail);
}

static int set_up(void **state)
{
    struct whoami_fixture *w = calloc(1, sizeof *w);
    void *inner = NULL;
    char *pem;

    if (w == NULL || fixture_set_up(&inner) != 0)
        return -1;
    w->f = inner;
    w->key = test_key_new("P-256");
    pem = test_key_private_pem(w->key);
    postern_signing_key_free(w->f->key);
    if (postern_signing_key_from_pem(postern_bytes_str(pem), &w->f->key, NULL) != POSTERN_OK)
        return -1;
    free(pem);
    w->f->is.key = w->f->key;
    write_keys(w);
    make_context(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct whoami_fixture *w = *state;
    void *inner = w->f;

    test_key_free(w->key);
    free(w->header);
    if (unlink(w->jwks_file) != 0)
        return -1;
    free(w);
    return fixture_tear_down(&inner);
}

/* A token of agent-7 signed by the test's own code, with `more` members. */
static void present(struct whoami_fixture *w, const char *aud, int64_t iat_s, int64_t exp_s, const char *client)
{
    POSTERN_AUTO_BUF claims = POSTERN_BUF_INIT(2048);
    POSTERN_AUTO_BUF authorization = POSTERN_BUF_INIT(4096);
    char *token;

    postern_buf_addf(&claims,
                     "{\"iss\":\"" FIXTURE_ISSUER "\",\"sub\":\"%s\",\"client_id\":\"%s\",\"aud\":\"%s\",\"scope\":\"a b\","
                     "\"iat\":%lld,\"exp\":%lld,\"jti\":\"j1\"}", client, client, aud, (long long)iat_s, (long long)exp_s);
    token = test_sign(w->key, "ES256", w->header, postern_buf_cstr(&claims));
    postern_buf_add_str(&authorization, "bearer ");
    postern_buf_add_str(&authorization, token);
    free(token);
    fixture_ask(w->f, (struct http_request){ .method = "GET", .path = "/oauth/whoami",
                                             .authorization = postern_buf_cstr(&authorization) });
}

static void assert_invalid_token(struct whoami_fixture *w, const char *description)
{
    assert_error(w->f, 401, "invalid_token");
    assert_text(w->f, "error_description", description);
    assert_non_null(strstr(w->f->answer.challenge, "error=\"invalid_token\""));
    assert_non_null(strstr(w->f->answer.challenge, description));
    assert_non_null(strstr(w->f->answer.challenge, "resource_metadata=\"" FIXTURE_ISSUER));
}

static void a_good_token_is_answered_with_its_identity(void **state)
{
    struct whoami_fixture *w = *state;
    int64_t exp_s = 0;

    postern_secret_free(fixture_add_client(w->f, "agent-7", "a b", FIXTURE_IMAP));
    present(w, WHOAMI, FIXTURE_NOW_S, FIXTURE_NOW_S + 300, "agent-7");
    assert_status(w->f, 200);
    assert_text(w->f, "sub", "agent-7");
    assert_text(w->f, "client_id", "agent-7");
    assert_text(w->f, "iss", FIXTURE_ISSUER);
    assert_text(w->f, "aud", WHOAMI);
    assert_text(w->f, "scope", "a b");
    assert_text(w->f, "jti", "j1");
    assert_true(postern_json_integer(&w->f->json, postern_json_member(&w->f->json, 0, "exp"), &exp_s));
    assert_int_equal(exp_s, FIXTURE_NOW_S + 300);
    assert_string_equal(w->f->answer.cache_control, "no-store");
}

static void a_token_for_another_resource_expired_or_broken_is_401(void **state)
{
    struct whoami_fixture *w = *state;

    postern_secret_free(fixture_add_client(w->f, "agent-7", "a b", FIXTURE_IMAP));
    present(w, FIXTURE_IMAP, FIXTURE_NOW_S, FIXTURE_NOW_S + 300, "agent-7");
    assert_invalid_token(w, "the token is meant for another resource");
    present(w, WHOAMI, FIXTURE_NOW_S - 1000, FIXTURE_NOW_S - 700, "agent-7");
    assert_invalid_token(w, "the token has expired");
    fixture_ask(w->f, (struct http_request){ .method = "GET", .path = "/oauth/whoami", .authorization = "Bearer a.b.c" });
    assert_invalid_token(w, "the token is not valid here");
    fixture_ask(w->f, (struct http_request){ .method = "GET", .path = "/oauth/whoami", .authorization = "Bearer x y\"z" });
    assert_invalid_token(w, "the token is not valid here");
}

static void a_token_of_another_key_is_401(void **state)
{
    struct whoami_fixture *w = *state;

    postern_secret_free(fixture_add_client(w->f, "agent-7", "a b", FIXTURE_IMAP));
    test_key_free(w->key);
    w->key = test_key_new("P-256");
    present(w, WHOAMI, FIXTURE_NOW_S, FIXTURE_NOW_S + 300, "agent-7");
    assert_invalid_token(w, "the token is not valid here");
}

static void a_removed_clients_token_is_refused_at_once_and_for_good(void **state)
{
    struct whoami_fixture *w = *state;
    struct clients_refusal refusal = { 0 };
    int64_t removed_s = 0;

    postern_secret_free(fixture_add_client(w->f, "agent-7", "a b", FIXTURE_IMAP));
    assert_int_equal(clients_remove(&w->f->is, "agent-7", &removed_s, &refusal, NULL), CLIENTS_DONE);
    present(w, WHOAMI, FIXTURE_NOW_S, FIXTURE_NOW_S + 300, "agent-7");
    assert_invalid_token(w, "the token was revoked");
    postern_secret_free(fixture_add_client(w->f, "agent-7", "a b", FIXTURE_IMAP));
    present(w, WHOAMI, FIXTURE_NOW_S, FIXTURE_NOW_S + 300, "agent-7");
    assert_invalid_token(w, "the token was revoked");
    present(w, WHOAMI, FIXTURE_NOW_S + 1, FIXTURE_NOW_S + 300, "agent-7");
    assert_status(w->f, 200);
    present(w, WHOAMI, FIXTURE_NOW_S, FIXTURE_NOW_S + 300, "agent-8"); /* never registered */
    assert_invalid_token(w, "the token was revoked");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_good_token_is_answered_with_its_identity),
        TEST(a_token_for_another_resource_expired_or_broken_is_401),
        TEST(a_token_of_another_key_is_401),
        TEST(a_removed_clients_token_is_refused_at_once_and_for_good),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
