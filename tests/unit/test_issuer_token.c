/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/token_endpoint.c and client_auth.c: RFC 6749 §4.4 and §5.2, RFC 8707, through routes_answer(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern-private/form.h>

#include "issuer_fixture.h"

#define FORM_TYPE "application/x-www-form-urlencoded"
#define BOTH FIXTURE_IMAP " " FIXTURE_LDAP

/* A test's client and the two ways in which it can authenticate. */
struct who {
    postern_buf basic; /* Authorization value */
    postern_buf post;  /* "&client_id=…&client_secret=…" */
};

static struct who make_who(const char *name, postern_bytes secret)
{
    struct who w = { POSTERN_BUF_INIT(1024), POSTERN_BUF_INIT(1024) };
    POSTERN_AUTO_BUF pair = POSTERN_BUF_INIT(512);

    postern_form_encode(postern_bytes_str(name), &pair);
    postern_buf_add_byte(&pair, ':');
    postern_form_encode(secret, &pair);
    postern_buf_add_str(&w.basic, "Basic ");
    postern_base64_encode(postern_buf_bytes(&pair), &w.basic);
    postern_buf_add_str(&w.post, "&client_id=");
    postern_form_encode(postern_bytes_str(name), &w.post);
    postern_buf_add_str(&w.post, "&client_secret=");
    postern_form_encode(secret, &w.post);
    assert_false(w.basic.failed || w.post.failed || pair.failed);
    return w;
}

static void free_who(struct who *w)
{
    postern_buf_free(&w->basic);
    postern_buf_free(&w->post);
}
#define AUTO_WHO __attribute__((cleanup(free_who))) struct who

static struct who register_client(struct fixture *f, const char *name, const char *scopes, const char *resources)
{
    postern_secret *secret = fixture_add_client(f, name, scopes, resources);
    struct who w = make_who(name, postern_secret_bytes(secret));

    postern_secret_free(secret);
    return w;
}

/* POST `body`, with Basic when `basic` is set. */
static void post(struct fixture *f, const char *basic, const char *body, const char *more)
{
    POSTERN_AUTO_BUF all = POSTERN_BUF_INIT(100000);

    postern_buf_add_str(&all, body);
    if (more != NULL)
        postern_buf_add_str(&all, more);
    assert_false(all.failed);
    fixture_ask(f, (struct http_request){ .content_type = FORM_TYPE, .authorization = basic, .body = postern_buf_bytes(&all) });
}

static void post_basic(struct fixture *f, struct who *w, const char *body)
{
    post(f, postern_buf_cstr(&w->basic), body, NULL);
}

static void post_form(struct fixture *f, struct who *w, const char *body)
{
    post(f, NULL, body, postern_buf_cstr(&w->post));
}

/* Part `index` of the compact token of the last answer, decoded and scanned into j; the caller frees the text. */
static char *read_token_part(struct fixture *f, int index, postern_json *j)
{
    uint32_t node = postern_json_member(&f->json, 0, "access_token");
    postern_reader r;
    postern_bytes part;
    char *text;
    size_t len = 0;

    assert_int_equal(postern_json_type_of(&f->json, node), POSTERN_JSON_STRING);
    assert_true(postern_json_string(&f->json, node, NULL, &r.rest));
    for (int i = 0; i <= index; i++)
        assert_true(postern_reader_take_until(&r, '.', &part));
    text = malloc(POSTERN_BASE64URL_DECODED_MAX(part.len));
    assert_non_null(text);
    assert_int_equal(postern_base64url_decode(part, (uint8_t *)text, &len, NULL), POSTERN_OK);
    assert_int_equal(postern_json_scan(j, (postern_bytes){ (uint8_t *)text, len }, NULL), POSTERN_OK);
    return text;
}

static void assert_claim(struct fixture *f, const char *name, const char *want)
{
    POSTERN_AUTO_JSON j = { 0 };
    char *text = read_token_part(f, 1, &j);

    if (!postern_json_string_is(&j, postern_json_member(&j, 0, name), want))
        fail_msg("claim %s is not %s: %.*s", name, want, (int)j.text.len, (const char *)j.text.ptr);
    free(text);
}

static int64_t number_claim(struct fixture *f, const char *name)
{
    POSTERN_AUTO_JSON j = { 0 };
    char *text = read_token_part(f, 1, &j);
    int64_t n = -1;

    assert_true(postern_json_integer(&j, postern_json_member(&j, 0, name), &n));
    free(text);
    return n;
}

/* ---- what is issued ------------------------------------------------------------------------------------------------ */

static void a_token_says_who_for_what_and_how_long(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "mail.read mail.write", FIXTURE_IMAP);
    POSTERN_AUTO_JSON j = { 0 };
    int64_t expires_in = 0;
    char *header;

    post_basic(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
    assert_string_equal(f->answer.cache_control, "no-store");
    assert_text(f, "token_type", "Bearer");
    assert_text(f, "scope", "mail.read mail.write");
    assert_absent(f, "sub"); /* nobody else is involved */
    assert_absent(f, "refresh_token");
    assert_true(postern_json_integer(&f->json, postern_json_member(&f->json, 0, "expires_in"), &expires_in));
    assert_int_equal(expires_in, 300);

    header = read_token_part(f, 0, &j);
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "typ"), "at+jwt"));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "alg"), "ES256"));
    assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, "kid"), postern_signing_key_kid(f->key)));
    free(header);
    assert_claim(f, "iss", FIXTURE_ISSUER);
    assert_claim(f, "sub", "agent-7");
    assert_claim(f, "client_id", "agent-7");
    assert_claim(f, "aud", FIXTURE_IMAP);
    assert_claim(f, "scope", "mail.read mail.write");
    assert_int_equal(number_claim(f, "iat"), FIXTURE_NOW_S);
    assert_int_equal(number_claim(f, "exp"), FIXTURE_NOW_S + 300);
}

static void copy_jti(struct fixture *f, char room[64])
{
    POSTERN_AUTO_JSON j = { 0 };
    char *text = read_token_part(f, 1, &j);
    postern_bytes jti;

    assert_true(postern_json_string(&j, postern_json_member(&j, 0, "jti"), NULL, &jti));
    assert_int_equal(jti.len, 22); /* 128 bits, base64url */
    memcpy(room, jti.ptr, jti.len);
    room[jti.len] = '\0';
    free(text);
}

static void two_tokens_never_share_a_jti(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);
    char first[64], second[64];

    post_form(f, &w, "grant_type=client_credentials");
    copy_jti(f, first);
    post_form(f, &w, "grant_type=client_credentials");
    copy_jti(f, second);
    assert_string_not_equal(first, second);
}

static void a_client_without_scopes_gets_a_token_without_scope(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);

    post_form(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
    assert_absent(f, "scope");
    post_form(f, &w, "grant_type=client_credentials&scope=mail.read");
    assert_error(f, 400, "invalid_scope");
}

/* ---- client authentication ----------------------------------------------------------------------------------------- */

static void both_ways_of_authentication_work_alone(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);

    post_basic(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
    post_basic(f, &w, "grant_type=client_credentials&client_id=agent-7");
    assert_status(f, 200);
    post_form(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
    post_form(f, &w, "grant_type=client_credentials&client_assertion=&unknown=1&unknown=2");
    assert_status(f, 200);
}

static void two_ways_of_authentication_at_once_are_refused(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);

    post(f, postern_buf_cstr(&w.basic), "grant_type=client_credentials", postern_buf_cstr(&w.post));
    assert_error(f, 400, "invalid_request");
    post_basic(f, &w, "grant_type=client_credentials&client_secret=x");
    assert_error(f, 400, "invalid_request");
    post_basic(f, &w, "grant_type=client_credentials&client_id=agent-8");
    assert_error(f, 400, "invalid_request");
    post_form(f, &w, "grant_type=client_credentials&client_assertion=x");
    assert_error(f, 400, "invalid_request");
}

static void wrong_credentials_are_invalid_client_without_saying_which(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {
        "grant_type=client_credentials&client_id=agent-7&client_secret=wrong",
        "grant_type=client_credentials&client_id=agent-8&client_secret=wrong",
        "grant_type=client_credentials&client_id=Agent-7&client_secret=wrong",
        "grant_type=client_credentials&client_id=agent-7%27%20OR%201--&client_secret=wrong",
    };
    POSTERN_AUTO_BUF first = POSTERN_BUF_INIT(4096);

    postern_secret_free(fixture_add_client(f, "agent-7", "", FIXTURE_IMAP));
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        post(f, NULL, bodies[i], NULL);
        assert_error(f, 401, "invalid_client");
        assert_non_null(strstr(f->answer.challenge, "Basic realm="));
        if (i == 0)
            postern_buf_add(&first, postern_buf_bytes(&f->answer.body));
        assert_true(postern_bytes_equal(postern_buf_bytes(&first), postern_buf_bytes(&f->answer.body)));
    }
    post(f, NULL, "grant_type=client_credentials&client_id=agent-7", NULL);
    assert_error(f, 401, "invalid_client");
    post(f, NULL, "grant_type=client_credentials", NULL);
    assert_error(f, 401, "invalid_client");
}

static void a_malformed_authorization_header_is_invalid_client(void **state)
{
    static const char *const headers[] = { "Basic", "Basic ", "Basic !!!", "Bearer abc", "Digest x=1",
                                           "Basic YWdlbnQtNw==" /* no colon */, "Basic OnNlY3JldA==" /* no name */,
                                           "Basic YSU6Yg==" /* bad %xx */, "Basic YSUwMDpi" /* %00 */, "basic" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        f->mono_ms += 60000; /* wrong credentials are rated */
        post(f, headers[i], "grant_type=client_credentials", NULL);
        assert_error(f, 401, "invalid_client");
        assert_non_null(strstr(f->answer.challenge, "Basic"));
    }
}

static void names_and_secrets_in_basic_are_form_decoded(void **state)
{
    struct fixture *f = *state;
    postern_secret *secret = fixture_add_client(f, "a.b_c", "", FIXTURE_IMAP);
    POSTERN_AUTO_BUF pair = POSTERN_BUF_INIT(512);
    POSTERN_AUTO_BUF header = POSTERN_BUF_INIT(1024);

    postern_buf_add_str(&pair, "a%2Eb%5fc:");
    postern_buf_add(&pair, postern_secret_bytes(secret));
    postern_secret_free(secret);
    postern_buf_add_str(&header, "bAsIc  ");
    postern_base64_encode(postern_buf_bytes(&pair), &header);
    post(f, postern_buf_cstr(&header), "grant_type=client_credentials", NULL);
    assert_status(f, 200);
}

static void wrong_secrets_are_slowed_down_and_the_right_one_is_not(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);
    AUTO_WHO wrong = make_who("agent-7", POSTERN_BYTES_LIT("wrong"));
    AUTO_WHO other = make_who("agent-8", POSTERN_BYTES_LIT("wrong"));

    for (int i = 0; i < 10; i++) {
        post_form(f, &wrong, "grant_type=client_credentials");
        assert_error(f, 401, "invalid_client");
    }
    post_form(f, &wrong, "grant_type=client_credentials");
    assert_error(f, 429, "too_many_requests");
    assert_true(f->answer.retry_after_s >= 1);
    post_form(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
    post_form(f, &other, "grant_type=client_credentials");
    assert_error(f, 401, "invalid_client");
    f->mono_ms += 6000;
    post_form(f, &wrong, "grant_type=client_credentials");
    assert_error(f, 401, "invalid_client");
}

static void a_client_that_asks_too_often_is_told_when_to_come_back(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);
    AUTO_WHO other = register_client(f, "agent-8", "", FIXTURE_IMAP);
    int issued = 0;

    do {
        post_form(f, &w, "grant_type=client_credentials");
    } while (f->answer.status == 200 && ++issued < 1000);
    assert_int_equal(issued, 200);
    assert_error(f, 429, "too_many_requests");
    assert_int_equal(f->answer.retry_after_s, 1);
    post_form(f, &other, "grant_type=client_credentials");
    assert_status(f, 200);
    f->mono_ms += 1000;
    post_form(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
}

/* ---- form ---------------------------------------------------------------------------------------------------------- */

static void an_unknown_grant_is_not_supported(void **state)
{
    static const char *const types[] = { "password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "Client_Credentials",
                                         "urn:ietf:params:oauth:grant-type:jwt-bearer" };
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);
    char body[128];

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_true(snprintf(body, sizeof body, "grant_type=%s", types[i]) > 0);
        post_form(f, &w, body);
        assert_error(f, 400, "unsupported_grant_type");
    }
    post_form(f, &w, "scope=mail.read");
    assert_error(f, 400, "invalid_request");
    post_form(f, &w, "grant_type=");
    assert_error(f, 400, "invalid_request");
}

static void a_repeated_known_parameter_is_refused(void **state)
{
    static const char *const repeated[] = { "grant_type=client_credentials", "scope=mail.read&scope=mail.read",
                                            "client_id=agent-7", "client_secret=x" };
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "mail.read", FIXTURE_IMAP);
    char body[160];

    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        assert_true(snprintf(body, sizeof body, "grant_type=client_credentials&%s", repeated[i]) > 0);
        post_form(f, &w, body);
        assert_error(f, 400, "invalid_request");
    }
    post_form(f, &w, "grant_type=client_credentials&scope=&scope=mail.read");
    assert_status(f, 200); /* an empty value counts as absent */
}

static void another_content_type_is_415_and_a_broken_form_400(void **state)
{
    static const char *const types[] = { NULL, "", "application/json", "application/x-www-form-urlencodedx",
                                         "multipart/form-data; boundary=x" };
    static const char *const broken[] = { "grant_type=%zz", "grant_type=%", "grant_type=a%00b", "grant_type=%ff" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        fixture_ask(f, (struct http_request){ .content_type = types[i],
                                              .body = POSTERN_BYTES_LIT("grant_type=client_credentials") });
        assert_error(f, 415, "invalid_request");
    }
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        post(f, NULL, broken[i], NULL);
        assert_error(f, 400, "invalid_request");
    }
    fixture_ask(f, (struct http_request){ .content_type = "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
                                          .body = POSTERN_BYTES_LIT("grant_type=password") });
    assert_error(f, 400, "unsupported_grant_type");
}

static void a_form_beyond_its_limit_is_413(void **state)
{
    struct fixture *f = *state;
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(POSTERN_FORM_BODY_MAX + 1);

    postern_buf_add_str(&body, "grant_type=client_credentials&x=");
    while (body.len < POSTERN_FORM_BODY_MAX)
        postern_buf_add_byte(&body, 'a');
    fixture_ask(f, (struct http_request){ .content_type = FORM_TYPE, .body = postern_buf_bytes(&body) });
    assert_error(f, 401, "invalid_client"); /* at the limit: judged */
    postern_buf_add_byte(&body, 'a');
    fixture_ask(f, (struct http_request){ .content_type = FORM_TYPE, .body = postern_buf_bytes(&body) });
    assert_error(f, 413, "invalid_request");
}

/* ---- resource and scope -------------------------------------------------------------------------------------------- */

static void a_resource_must_be_allowed_to_the_client_and_configured(void **state)
{
    static const struct { const char *why, *parameter; } bad[] = {
        { "of another service", "&resource=https%3A%2F%2Fldap.example.org%2Fldap" },
        { "unknown", "&resource=https://mail.example.org/imap/" },
        { "another case", "&resource=https://MAIL.example.org/imap" },
        { "fragment", "&resource=https://mail.example.org/imap%23x" },
        { "relative", "&resource=/imap" },
        { "not a URI", "&resource=app-id-without-scheme" },
        { "two", "&resource=https://mail.example.org/imap&resource=https://mail.example.org/imap" },
        { "two words", "&resource=https://mail.example.org/imap%20https://mail.example.org/imap" },
    };
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);
    char body[256];

    post_form(f, &w, "grant_type=client_credentials&resource=" FIXTURE_IMAP);
    assert_status(f, 200);
    assert_claim(f, "aud", FIXTURE_IMAP);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(snprintf(body, sizeof body, "grant_type=client_credentials%s", bad[i].parameter) > 0);
        post_form(f, &w, body);
        if (f->answer.status != 400)
            fail_msg("%s: status %d", bad[i].why, f->answer.status);
        assert_error(f, 400, "invalid_target");
    }
}

static void without_a_resource_there_must_be_exactly_one(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO one = register_client(f, "one", "", FIXTURE_LDAP);
    AUTO_WHO two = register_client(f, "two", "", BOTH);

    post_form(f, &one, "grant_type=client_credentials");
    assert_status(f, 200);
    assert_claim(f, "aud", FIXTURE_LDAP);
    post_form(f, &two, "grant_type=client_credentials");
    assert_error(f, 400, "invalid_target");
    post_form(f, &two, "grant_type=client_credentials&resource=");
    assert_error(f, 400, "invalid_target");
    post_form(f, &two, "grant_type=client_credentials&resource=" FIXTURE_LDAP);
    assert_status(f, 200);
}

static void every_client_may_ask_for_whoami(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);

    post_form(f, &w, "grant_type=client_credentials&resource=" FIXTURE_ISSUER "/oauth/whoami");
    assert_status(f, 200);
    assert_claim(f, "aud", FIXTURE_ISSUER "/oauth/whoami");
}

static void a_door_s_audience_is_a_resource_like_a_service_s(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO other = register_client(f, "agent-8", "", FIXTURE_IMAP);
    AUTO_WHO w = (fixture_load_door(f), register_client(f, "agent-7", "", FIXTURE_CACHE));

    post_form(f, &w, "grant_type=client_credentials&resource=" FIXTURE_CACHE);
    assert_status(f, 200);
    assert_claim(f, "aud", FIXTURE_CACHE);
    post_form(f, &w, "grant_type=client_credentials&resource=" FIXTURE_IMAP);
    assert_error(f, 400, "invalid_target");
    post_form(f, &other, "grant_type=client_credentials&resource=" FIXTURE_CACHE);
    assert_error(f, 400, "invalid_target");
    fixture_set_issuer(f, FIXTURE_ISSUER); /* the door is gone */
    post_form(f, &w, "grant_type=client_credentials&resource=" FIXTURE_CACHE);
    assert_error(f, 400, "invalid_target");
}

static void a_resource_whose_service_is_gone_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);

    issuer_settings_free(&f->settings);
    assert_int_equal(issuer_settings_init(&f->settings, FIXTURE_ISSUER, 300, NULL), POSTERN_OK);
    post_form(f, &w, "grant_type=client_credentials");
    assert_error(f, 400, "invalid_target");
    post_form(f, &w, "grant_type=client_credentials&resource=" FIXTURE_IMAP);
    assert_error(f, 400, "invalid_target");
}

static void scopes_are_narrowed_to_what_was_asked(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "a b c", FIXTURE_IMAP);

    post_form(f, &w, "grant_type=client_credentials&scope=c+a");
    assert_text(f, "scope", "c a");
    assert_claim(f, "scope", "c a");
    post_form(f, &w, "grant_type=client_credentials&scope=b%20b");
    assert_text(f, "scope", "b");
}

static void scopes_that_are_not_the_clients_are_refused_as_a_whole(void **state)
{
    static const char *const bad[] = { "d", "a+d", "A", "a+", "+a", "a++b", "a%09b", "a%22", "a%5c", "%c3%a9" };
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "a b c", FIXTURE_IMAP);
    char body[128];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(snprintf(body, sizeof body, "grant_type=client_credentials&scope=%s", bad[i]) > 0);
        post_form(f, &w, body);
        if (f->answer.status != 400)
            fail_msg("scope %s: status %d", bad[i], f->answer.status);
        assert_error(f, 400, "invalid_scope");
    }
}

/* ---- removal ------------------------------------------------------------------------------------------------------- */

static void remove_client(struct fixture *f, const char *name)
{
    struct clients_refusal refusal = { 0 };
    int64_t removed_s = 0;

    assert_int_equal(clients_remove(&f->is, name, &removed_s, &refusal, NULL), CLIENTS_DONE);
    assert_int_equal(removed_s, f->now_s);
}

static void a_removed_client_gets_no_token(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);

    remove_client(f, "agent-7");
    post_form(f, &w, "grant_type=client_credentials");
    assert_error(f, 401, "invalid_client");
}

static void a_clock_set_back_makes_no_removal_older_than_the_tokens_it_ends(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO w = register_client(f, "agent-7", "", FIXTURE_IMAP);
    struct clients_refusal refusal = { 0 };
    int64_t issued_s = f->now_s, removed_s = 0;

    post_form(f, &w, "grant_type=client_credentials");
    assert_status(f, 200);
    f->now_s -= 30;
    assert_int_equal(clients_remove(&f->is, "agent-7", &removed_s, &refusal, NULL), CLIENTS_DONE);
    assert_int_equal(removed_s, issued_s); /* iat ≤ removal: revoked */
    AUTO_WHO again = register_client(f, "agent-7", "", FIXTURE_IMAP);
    post_form(f, &again, "grant_type=client_credentials");
    assert_error(f, 503, "temporarily_unavailable"); /* not a token that nobody takes */
    f->now_s = issued_s + 1;
    post_form(f, &again, "grant_type=client_credentials");
    assert_status(f, 200);
}

static void a_client_added_again_waits_for_the_second_after_its_removal(void **state)
{
    struct fixture *f = *state;
    AUTO_WHO old = register_client(f, "agent-7", "", FIXTURE_IMAP);

    remove_client(f, "agent-7");
    AUTO_WHO new = register_client(f, "agent-7", "", FIXTURE_IMAP);
    post_form(f, &new, "grant_type=client_credentials");
    assert_error(f, 503, "temporarily_unavailable");
    assert_int_equal(f->answer.retry_after_s, 1);
    f->now_s++;
    post_form(f, &old, "grant_type=client_credentials");
    assert_error(f, 401, "invalid_client");
    post_form(f, &new, "grant_type=client_credentials");
    assert_status(f, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_token_says_who_for_what_and_how_long),
        TEST(two_tokens_never_share_a_jti),
        TEST(a_client_without_scopes_gets_a_token_without_scope),
        TEST(both_ways_of_authentication_work_alone),
        TEST(two_ways_of_authentication_at_once_are_refused),
        TEST(wrong_credentials_are_invalid_client_without_saying_which),
        TEST(a_malformed_authorization_header_is_invalid_client),
        TEST(names_and_secrets_in_basic_are_form_decoded),
        TEST(wrong_secrets_are_slowed_down_and_the_right_one_is_not),
        TEST(a_client_that_asks_too_often_is_told_when_to_come_back),
        TEST(an_unknown_grant_is_not_supported),
        TEST(a_repeated_known_parameter_is_refused),
        TEST(another_content_type_is_415_and_a_broken_form_400),
        TEST(a_form_beyond_its_limit_is_413),
        TEST(a_resource_must_be_allowed_to_the_client_and_configured),
        TEST(without_a_resource_there_must_be_exactly_one),
        TEST(every_client_may_ask_for_whoami),
        TEST(a_door_s_audience_is_a_resource_like_a_service_s),
        TEST(a_resource_whose_service_is_gone_is_refused),
        TEST(scopes_are_narrowed_to_what_was_asked),
        TEST(scopes_that_are_not_the_clients_are_refused_as_a_whole),
        TEST(a_removed_client_gets_no_token),
        TEST(a_clock_set_back_makes_no_removal_older_than_the_tokens_it_ends),
        TEST(a_client_added_again_waits_for_the_second_after_its_removal),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
