/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's handlers when memory runs out: never a half answer that looks whole, never a client that nobody knows of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_keys.h"
#include "issuer/admin.h"
#include "issuer/admin_request.h"
#include "issuer/routes.h"
#include "issuer_fixture.h"

#define SWEEP_MAX 500 /* more allocations than one request makes */

static postern_err parse_once(void *arg, postern_error *err)
{
    struct admin_request rq;

    return admin_request_parse(postern_bytes_str(arg), &rq, err);
}

static void parsing_a_request_says_out_of_memory(void **state)
{
    char line[] = "{\"verb\":\"client_\\u0061dd\",\"name\":\"\\u0061\",\"scopes\":[\"\\u0062\"],\"resources\":[\"\\u0063\"],"
                  "\"title\":\"\\u0064\",\"redirect_uris\":[\"\\u0065\"],\"public\":true}";

    (void)state;
    assert_true(alloc_fail_sweep(parse_once, line, POSTERN_OK) >= 3);
}

/* Ask with the nth allocation failing; false when no allocation was left to fail. */
static bool ask_with_failure(struct fixture *f, const struct http_request *rq, unsigned nth)
{
    bool was_refused;

    answer_free(&f->answer);
    f->answer = ANSWER_INIT;
    alloc_fail_arm(nth);
    routes_answer(&f->is, rq, &f->answer);
    was_refused = alloc_fail_disarm();
    return was_refused;
}

/* What http.c sends as it is: a complete 200, or an error.  What is `failed` goes out as 500. */
static void assert_whole(struct fixture *f)
{
    if (f->answer.status != 200 || f->answer.body.failed)
        return;
    assert_int_equal(postern_json_scan(&f->json, postern_buf_bytes(&f->answer.body), NULL), POSTERN_OK);
}

static void sweep(struct fixture *f, const struct http_request *rq, const char *member)
{
    unsigned nth = 1;

    while (ask_with_failure(f, rq, nth)) {
        assert_whole(f);
        assert_true(++nth < SWEEP_MAX);
    }
    assert_true(nth > 1);
    assert_int_equal(f->answer.status, 200);
    assert_false(f->answer.body.failed);
    assert_whole(f);
    assert_int_not_equal(postern_json_member(&f->json, 0, member), POSTERN_JSON_ABSENT);
}

static void a_token_is_issued_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    postern_secret *secret = fixture_add_client(f, "agent-7", "a b", FIXTURE_IMAP);
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(1024);
    struct http_request rq = { .method = "POST", .path = "/oauth/token", .host = FIXTURE_HOST, .source = "::1",
                               .content_type = "application/x-www-form-urlencoded" };

    postern_buf_add_str(&body, "grant_type=client_credentials&client_id=agent-7&client_secret=");
    postern_buf_add(&body, postern_secret_bytes(secret));
    postern_secret_free(secret);
    rq.body = postern_buf_bytes(&body);
    sweep(f, &rq, "access_token");
}

static void documents_are_whole_or_an_error(void **state)
{
    static const struct { const char *path, *member; } documents[] = {
        { "/.well-known/oauth-authorization-server", "protected_resources" },
        { "/.well-known/oauth-protected-resource/imap", "resource" },
        { "/oauth/jwks", "keys" },
        { "/openapi.json", "paths" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct http_request rq = { .method = "GET", .path = documents[i].path, .host = FIXTURE_HOST, .source = "::1" };

        sweep(f, &rq, documents[i].member);
    }
}

static bool is_registered(struct fixture *f, const char *name)
{
    struct client_record c;
    bool found = false;

    assert_int_equal(store_client_find(f->is.store, name, &found, &c, NULL), POSTERN_OK);
    return found;
}

static void a_secret_is_told_or_the_client_is_not_there(void **state)
{
    static const char line[] = "{\"verb\":\"client_add\",\"name\":\"agent-7\",\"resources\":[\"" FIXTURE_IMAP "\"]}";
    struct fixture *f = *state;
    bool was_refused = true;

    for (unsigned nth = 1; was_refused; nth++) {
        struct admin_reply r = ADMIN_REPLY_INIT;
        bool is_told;

        assert_true(nth < SWEEP_MAX);
        alloc_fail_arm(nth);
        admin_answer(&f->is, postern_bytes_str(line), &r);
        was_refused = alloc_fail_disarm();
        is_told = !r.text.failed && strstr(postern_buf_cstr(&r.text), "client_secret") != NULL;
        admin_reply_free(&r);
        assert_int_equal(is_told, is_registered(f, "agent-7"));
        if (is_told) {
            bool found = false;
            int64_t removed_s;

            assert_int_equal(store_client_remove(f->is.store, "agent-7", f->now_s, f->now_s + 9, &found, &removed_s, NULL), POSTERN_OK);
        }
    }
}

static size_t count_clients(struct fixture *f)
{
    struct client_record *page = calloc(ADMIN_PAGE, sizeof *page);
    size_t count = 0;

    assert_non_null(page);
    assert_int_equal(store_client_list(f->is.store, "", page, ADMIN_PAGE, &count, NULL), POSTERN_OK);
    free(page);
    return count;
}

static void who_registers_is_told_or_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct http_request rq = { .method = "POST", .path = "/oauth/register", .host = FIXTURE_HOST, .source = "::1",
                               .content_type = "application/json",
                               .body = POSTERN_BYTES_LIT("{\"grant_types\":[\"client_\\u0063redentials\"],\"scope\":\"\\u0061\"}") };
    size_t before = 0;
    bool was_refused = true;

    f->settings.registration = REGISTRATION_OPEN;
    f->settings.registration_scopes = strdup("a");
    f->settings.registration_resources = strdup(FIXTURE_IMAP);
    f->settings.registration_max = 1000;
    for (unsigned nth = 1; was_refused; nth++, f->mono_ms += 60000) {
        assert_true(nth < SWEEP_MAX);
        was_refused = ask_with_failure(f, &rq, nth);
        assert_int_equal(count_clients(f) - before, f->answer.status == 201 && !f->answer.body.failed ? 1 : 0);
        before = count_clients(f);
    }
    assert_int_equal(f->answer.status, 201);
}

/* Every time another assertion: a jti may be taken though the token was not issued, never the other way round. */
static void an_assertion_without_memory_is_nobodys(void **state)
{
    struct fixture *f = *state;
    test_key *key = test_key_new("P-256");
    char *jwks = test_key_jwks(key, "k", NULL);
    struct clients_refusal refusal = { 0 };
    postern_secret *secret = NULL;
    bool was_refused = true;

    assert_int_equal(clients_add(&f->is, &(struct client_wish){ .name = "a", .resources = FIXTURE_IMAP, .jwks = jwks,
                                                                .auth = CLIENT_AUTH_BY_KEY }, &secret, &refusal, NULL), CLIENTS_DONE);
    for (unsigned nth = 1; was_refused; nth++, f->mono_ms += 60000) {
        char *claims = test_printf("{\"iss\":\"a\",\"sub\":\"a\",\"aud\":\"" FIXTURE_ISSUER "\",\"exp\":1700000060,\"jti\":\"%u\"}", nth);
        char *text = test_sign(key, "ES256", "{\"alg\":\"ES256\",\"kid\":\"k\"}", claims);
        char *body = test_printf("grant_type=client_credentials&client_assertion=%s&client_assertion_type="
                                 "urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer", text);
        struct http_request rq = { .method = "POST", .path = "/oauth/token", .host = FIXTURE_HOST, .source = "::1",
                                   .content_type = "application/x-www-form-urlencoded", .body = postern_bytes_str(body) };

        assert_true(nth < SWEEP_MAX);
        was_refused = ask_with_failure(f, &rq, nth);
        assert_whole(f);
        assert_int_not_equal(f->answer.status, 401); /* undecided, not refused */
        free(claims);
        free(text);
        free(body);
    }
    assert_int_equal(f->answer.status, 200);
    free(jwks);
    test_key_free(key);
}

struct ring_try {
    struct fixture *f;
    int dir_fd;
};

static postern_err ring_once(void *arg, postern_error *err)
{
    struct ring_try *t = arg;
    const struct key_times times = { 0, 1 };
    struct key_ring *ring = NULL;
    bool is_changed = false;
    postern_err e = key_ring_open(t->f->is.store, t->dir_fd, t->f->now_s, &ring, err);

    if (e == POSTERN_OK)
        e = key_ring_make_next(ring, t->f->now_s, &is_changed, err);
    if (e == POSTERN_OK)
        e = key_ring_note_published(ring, t->f->now_s, err);
    if (e == POSTERN_OK)
        e = key_ring_step(ring, &times, t->f->now_s, &is_changed, err);
    key_ring_free(ring);
    return e;
}

static void keys_are_whole_when_memory_runs_out(void **state)
{
    static const char *const names[] = { "signing-key.pem", "signing-key-next.pem", "signing-key.pem.new" };
    struct fixture *f = *state;
    struct ring_try t = { f, open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

    assert_true(t.dir_fd >= 0);
    assert_true(alloc_fail_sweep(ring_once, &t, POSTERN_OK) >= 3);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (unlinkat(t.dir_fd, names[i], 0) != 0)
            assert_int_equal(errno, ENOENT);
    assert_int_equal(close(t.dir_fd), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_a_request_says_out_of_memory),
        TEST(a_token_is_issued_whole_or_not_at_all),
        TEST(documents_are_whole_or_an_error),
        TEST(a_secret_is_told_or_the_client_is_not_there),
        TEST(who_registers_is_told_or_is_not_there),
        TEST(an_assertion_without_memory_is_nobodys),
        TEST(keys_are_whole_when_memory_runs_out),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
