/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/html.c, describe.c, form_token.c, passwords.c: what pages are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "issuer/describe.h"
#include "issuer/form_token.h"
#include "issuer/html.h"
#include "issuer/passwords.h"
#include "issuer_fixture.h"

static void texts_are_escaped_for_content_and_attributes(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        { "plain", "plain" },
        { "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;" },
        { "a\r\n\tb\x7F", "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" "b\xEF\xBF\xBD" },
        { "caf\xC3\xA9 \xE4\xBD\xA0 \xF0\x9F\x9A\xAA", "caf\xC3\xA9 \xE4\xBD\xA0 \xF0\x9F\x9A\xAA" },
        { "\xE2\x80\xAEtxet\xE2\x81\xA6\xE2\x80\x8F\xEF\xBB\xBF\xD8\x9C", /* marks of direction */
          "\xEF\xBF\xBDtxet\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xC2\x85", "\xEF\xBF\xBD" },            /* a C1 control */
        { "\xFF<\xC3", "\xEF\xBF\xBD&lt;\xEF\xBF\xBD" }, /* no UTF-8 */
        { "{}", "{}" },                           /* no template */
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(256);
        POSTERN_AUTO_BUF want = POSTERN_BUF_INIT(256);

        HTML(&out, "<p title=\"{}\">{}</p>", cases[i].text, "x");
        postern_buf_addf(&want, "<p title=\"%s\">x</p>", cases[i].want);
        assert_string_equal(postern_buf_cstr(&out), postern_buf_cstr(&want));
    }
}

static void a_template_with_more_or_fewer_holes_than_texts_fails(void **state)
{
    POSTERN_AUTO_BUF more = POSTERN_BUF_INIT(256);
    POSTERN_AUTO_BUF fewer = POSTERN_BUF_INIT(256);

    (void)state;
    HTML(&more, "{} {}", "a");
    assert_true(more.failed);
    HTML(&fewer, "{}", "a", "b");
    assert_true(fewer.failed);
}

static void scopes_services_and_addresses_are_said_in_words(void **state)
{
    static const struct { const char *scope, *words; } scopes[] = {
        { "mail.read", "Read mail" },       { "files:write", "Read and change files" },
        { "org.mail.send", "Send org.mail" }, { "mail", "mail" }, { ".read", ".read" }, { "mail.", "mail." },
        { "mail.fly", "mail.fly" },
    };
    static const struct { const char *uri, *words; } places[] = {
        { "http://127.0.0.1:40123/cb", "a program on this computer (127.0.0.1:40123)" },
        { "http://[::1]/cb", "a program on this computer ([::1])" },
        { "https://agent.example:8443/cb?x", "agent.example:8443" },
        { "com.example.app:/cb", "the app com.example.app" },
    };
    struct fixture *f = *state;
    char words[DESCRIBE_MAX];

    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        describe_scope(postern_bytes_str(scopes[i].scope), words);
        assert_string_equal(words, scopes[i].words);
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        describe_redirect(places[i].uri, words);
        assert_string_equal(words, places[i].words);
    }
    describe_service(&f->settings, POSTERN_BYTES_LIT(FIXTURE_IMAP), words);
    assert_string_equal(words, "imap");
    describe_service(&f->settings, POSTERN_BYTES_LIT(FIXTURE_ISSUER "/oauth/whoami"), words);
    assert_non_null(strstr(words, "login server"));
    describe_service(&f->settings, POSTERN_BYTES_LIT("https://gone.example/x"), words);
    assert_non_null(strstr(words, "not there any more"));
    describe_time(FIXTURE_NOW_S, words);
    assert_string_equal(words, "14 November 2023, 22:13 UTC");
}

#define COOKIE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void a_form_token_fits_its_cookie_purpose_text_and_hour(void **state)
{
    static const uint8_t nonce[FORM_TOKEN_NONCE_BYTES] = { 1, 2, 3 };
    char token[FORM_TOKEN_MAX], got[FORM_TOKEN_NONCE_MAX], changed[FORM_TOKEN_MAX];

    (void)state;
    assert_true(form_token_make(COOKIE, "consent", "text", nonce, 1000000, token));
    assert_true(form_token_fits(token, COOKIE, "consent", "text", 1000000, got));
    assert_int_equal(strlen(got), 22);
    assert_true(form_token_fits(token, COOKIE, "consent", "text", 1000000 + FORM_TOKEN_LIFE_S, got));
    assert_true(form_token_fits(token, COOKIE, "consent", "text", 1000000 - 60, got));
    assert_false(form_token_fits(token, COOKIE, "consent", "text", 1000000 - 61, got));
    assert_false(form_token_fits(token, COOKIE, "consent", "text", 1000000 + FORM_TOKEN_LIFE_S + 1, got));
    assert_false(form_token_fits(token, COOKIE, "consent", "tex", 1000000, got));
    assert_false(form_token_fits(token, COOKIE, "consen", "ttext", 1000000, got));
    assert_false(form_token_fits(token, COOKIE "A", "consent", "text", 1000000, got));
    assert_false(form_token_fits(token, "", "consent", "text", 1000000, got));
    assert_false(form_token_fits(NULL, COOKIE, "consent", "text", 1000000, got));
    for (size_t i = 0; i < strlen(token); i++) {
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_false(form_token_fits(changed, COOKIE, "consent", "text", 1000000, got));
        memcpy(changed, token, sizeof changed);
        changed[i] = '\0';
        assert_false(form_token_fits(changed, COOKIE, "consent", "text", 1000000, got));
    }
}

static void a_password_hashes_the_same_with_the_same_salt_only(void **state)
{
    struct user_record user = { .log_n = 4, .r = 8, .p = 1 };
    uint8_t first[USER_PASSWORD_HASH], second[USER_PASSWORD_HASH];
    postern_bytes password = POSTERN_BYTES_LIT("correct horse battery staple");

    (void)state;
    assert_true(password_hash(password, &user, first));
    assert_true(password_hash(password, &user, second));
    assert_memory_equal(first, second, sizeof first);
    user.salt[0] = 1;
    assert_true(password_hash(password, &user, second));
    assert_memory_not_equal(first, second, sizeof first);
    user.salt[0] = 0;
    user.log_n = 5;
    assert_true(password_hash(password, &user, second));
    assert_memory_not_equal(first, second, sizeof first);
    assert_true(password_is_weakly_hashed(&user));
}

static void parameters_out_of_range_are_refused(void **state)
{
    static const struct { int log_n, r, p; } bad[] = { { 0, 8, 1 },  { 21, 8, 1 }, { 10, 0, 1 },
                                                      { 10, 33, 1 }, { 10, 8, 0 }, { 10, 8, 17 }, { -1, -1, -1 } };
    uint8_t hash[USER_PASSWORD_HASH];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct user_record user = { .log_n = bad[i].log_n, .r = bad[i].r, .p = bad[i].p };

        assert_false(password_hash(POSTERN_BYTES_LIT("x"), &user, hash));
    }
}

static void a_password_has_fifteen_bytes_of_text(void **state)
{
    char longest[PASSWORD_MAX + 2];

    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_null(password_fault(POSTERN_BYTES_LIT("fifteen bytes!!")));
    assert_null(password_fault((postern_bytes){ (uint8_t *)longest, PASSWORD_MAX }));
    assert_non_null(password_fault((postern_bytes){ (uint8_t *)longest, PASSWORD_MAX + 1 }));
    assert_non_null(password_fault(POSTERN_BYTES_LIT("fourteen bytes")));
    assert_non_null(password_fault(POSTERN_BYTES_NONE));
    assert_non_null(password_fault(POSTERN_BYTES_LIT("a line\nand another one")));
    assert_non_null(password_fault(POSTERN_BYTES_LIT("no UTF-8 at all: \xFF\xFE\xFD")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped_for_content_and_attributes),
        cmocka_unit_test(a_template_with_more_or_fewer_holes_than_texts_fails),
        TEST(scopes_services_and_addresses_are_said_in_words),
        cmocka_unit_test(a_form_token_fits_its_cookie_purpose_text_and_hour),
        cmocka_unit_test(a_password_hashes_the_same_with_the_same_salt_only),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(a_password_has_fifteen_bytes_of_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
