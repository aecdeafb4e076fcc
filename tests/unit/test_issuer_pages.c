/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's pages: login, consent, account, and every attack on them that we thought of. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>

#include "issuer/people.h"
#include "issuer/store_grants.h"
#include "issuer/store_inner.h"
#include "issuer/visitor.h"
#include "pages_browser.h"

#define APPROVE                                                                                    \
    "decision=approve&life=1h&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=mail.read&"      \
    "scope=mail.send"

static int set_up(void **state)
{
    if (fixture_set_up(state) != 0)
        return -1;
    browser_set_up_people(*state);
    return 0;
}

/* ---- helpers ---- */

static void post_form(struct browser *b, const char *path, const char *more)
{
    char *body = browser_form(b, more);

    browser_post(b, path, body);
    free(body);
}

/* The grant that the code of the last redirect belongs to. */
static grant_use find_grant(struct fixture *f, struct code_record *ret_code, struct grant_record *ret)
{
    const char *code = location_value(f, "code");
    uint8_t sha256[GRANT_HASH];
    grant_use use = GRANT_USE_UNSET;

    assert_non_null(code);
    assert_int_equal(EVP_Digest(code, strlen(code), sha256, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(store_code_find(f->is.store, sha256, f->now_s, &use, ret_code, ret, NULL), POSTERN_OK);
    return use;
}

static size_t count_grants(struct fixture *f, const char *user)
{
    static struct grant_record grants[10];
    size_t count = 0;

    assert_int_equal(store_grant_list(f->is.store, user, "", f->now_s, grants, 10, &count, NULL), POSTERN_OK);
    return count;
}

/* alice approves REQUEST. */
static void approve(struct fixture *f, struct browser *b)
{
    browser_get(b, "/oauth/authorize", REQUEST);
    assert_page(f, 200, "act for you?");
    post_form(b, "/oauth/authorize", APPROVE);
    assert_redirect(f, AGENT_REDIRECT_SENT "?");
}

/* ---- the way through ---- */

static void a_person_logs_in_approves_and_the_agent_gets_a_code(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct code_record code;
    struct grant_record grant;

    browser_log_in(&b, "alice", ALICE_PASSWORD, REQUEST);
    assert_redirect(f, "/oauth/authorize?" REQUEST);
    approve(f, &b);
    assert_string_equal(location_value(f, "state"), "xyz");
    assert_string_equal(location_value(f, "iss"), FIXTURE_ISSUER);
    assert_int_equal(strlen(location_value(f, "code")), 43);
    assert_int_equal(find_grant(f, &code, &grant), GRANT_USED);
    assert_string_equal(code.redirect, AGENT_REDIRECT_SENT);
    assert_string_equal(code.challenge, CHALLENGE);
    assert_int_equal(code.expires_s, f->now_s + 60);
    assert_string_equal(grant.user, "alice");
    assert_string_equal(grant.client, "agent-7");
    assert_string_equal(grant.scopes, "mail.read mail.send");
    assert_string_equal(grant.resources, FIXTURE_IMAP);
    assert_int_equal(grant.auth_time_s, f->now_s);
    assert_int_equal(grant.ends_s, f->now_s + 3600);
}

static void what_is_unticked_is_not_granted(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct code_record code;
    struct grant_record grant;

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST "&resource=https%3A%2F%2Fldap.example.org%2Fldap");
    assert_page(f, 200, FIXTURE_LDAP);
    post_form(&b, "/oauth/authorize",
              "decision=approve&life=8h&resource=https%3A%2F%2Fldap.example.org%2Fldap&scope=mail.send");
    assert_redirect(f, AGENT_REDIRECT_SENT "?");
    assert_int_equal(find_grant(f, &code, &grant), GRANT_USED);
    assert_string_equal(grant.scopes, "mail.send");
    assert_string_equal(grant.resources, FIXTURE_LDAP);
    assert_int_equal(grant.ends_s, f->now_s + 8 * 3600);
}

static void nothing_left_ticked_shows_the_page_again_with_the_reason(void **state)
{
    static const struct { const char *form, *error; } cases[] = {
        { "decision=approve&life=8h&scope=mail.read", "id=\"resources-error\"" },
        { "decision=approve&life=8h&resource=https%3A%2F%2Fmail.example.org%2Fimap", "id=\"scopes-error\"" },
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        post_form(&b, "/oauth/authorize", cases[i].form);
        assert_page(f, 400, cases[i].error);
        assert_page(f, 400, "aria-describedby=\"");
        assert_page(f, 400, "value=\"8h\" checked");
        assert_int_equal(count_grants(f, "alice"), 0);
    }
    post_form(&b, "/oauth/authorize", APPROVE); /* and that page works */
    assert_redirect(f, AGENT_REDIRECT_SENT "?code=");
}

static void a_person_denies_and_the_agent_is_told(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    post_form(&b, "/oauth/authorize", "decision=deny&life=1h");
    assert_redirect(f, AGENT_REDIRECT_SENT "?error=access_denied&");
    assert_string_equal(location_value(f, "state"), "xyz");
    assert_string_equal(location_value(f, "iss"), FIXTURE_ISSUER);
    assert_null(location_value(f, "code"));
    assert_int_equal(count_grants(f, "alice"), 0);
}

static void every_request_is_asked_about_whatever_was_agreed_before(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    approve(f, &b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    assert_page(f, 200, "act for you?");
}

static void the_shortest_time_is_the_default(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    assert_page(f, 200, "value=\"1h\" checked");
    assert_null(strstr(body_text(f), "value=\"90d\" checked"));
}

/* ---- narrowing never widens ---- */

static void a_form_that_holds_more_than_was_asked_for_grants_nothing(void **state)
{
    static const char *const forms[] = {
        APPROVE "&scope=mail.admin",
        APPROVE "&scope=mail.read%20mail.send",
        APPROVE "&resource=https%3A%2F%2Fldap.example.org%2Fldap", /* the client's, but not asked for */
        APPROVE "&resource=https%3A%2F%2Fmail.example.org%2Fimap%20https%3A%2F%2Fldap.example.org%2Fldap",
        APPROVE "&life=90d",
        APPROVE "&decision=deny",
        "decision=approve&life=10y&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=mail.read",
        "decision=approve&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=mail.read",
        "decision=Approve&life=1h",
        "life=1h",
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        browser_get(&b, "/oauth/authorize", REQUEST);
        post_form(&b, "/oauth/authorize", forms[i]);
        assert_page(f, 400, "Nothing was granted");
        assert_int_equal(count_grants(f, "alice"), 0);
    }
}

static void a_form_whose_request_was_changed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(65536);

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    postern_form_add(&body, "form_token", postern_bytes_str(browser_hidden(&b, "form_token")));
    postern_form_add(&body, "request",
                     postern_bytes_str(REQUEST "&resource=https%3A%2F%2Fldap.example.org%2Fldap"));
    postern_buf_add_str(&body, "&" APPROVE);
    browser_post(&b, "/oauth/authorize", postern_buf_cstr(&body));
    assert_page(f, 403, "not valid any more");
    assert_int_equal(count_grants(f, "alice"), 0);
}

static void a_consent_form_is_good_for_one_answer(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char *body;

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    body = browser_form(&b, APPROVE);
    browser_post(&b, "/oauth/authorize", body);
    assert_redirect(f, AGENT_REDIRECT_SENT "?code=");
    browser_post(&b, "/oauth/authorize", body);
    assert_page(f, 400, "answered this already");
    assert_int_equal(count_grants(f, "alice"), 1);
    free(body);
}

static void a_page_that_stood_open_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char *body;

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    body = browser_form(&b, APPROVE);
    f->now_s += 3601;
    browser_be_alice(&b);
    browser_post(&b, "/oauth/authorize", body);
    assert_page(f, 403, "not valid any more");
    assert_int_equal(count_grants(f, "alice"), 0);
    free(body);
}

/* Each answer and each grant is a row on disk. */
static void nobody_fills_the_store_with_answers(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    size_t answers = 0;

    browser_be_alice(&b);
    for (; answers < 1000; answers++) {
        browser_get(&b, "/oauth/authorize", REQUEST);
        post_form(&b, "/oauth/authorize", "decision=deny&life=1h");
        if (f->answer.status != 303)
            break;
    }
    assert_in_range(answers, 20, 100);
    assert_page(f, 429, "Slow down");
    assert_true(f->answer.retry_after_s > 0);
    f->mono_ms += 1000 * f->answer.retry_after_s;
    browser_get(&b, "/oauth/authorize", REQUEST);
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_redirect(f, AGENT_REDIRECT_SENT "?code=");
}

static void a_person_has_so_many_grants_and_then_ends_some(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct grant_record g = { .user = "alice", .client = "agent-7", .resources = FIXTURE_IMAP };

    g.created_s = f->now_s;
    g.ends_s = f->now_s + 3600;
    for (unsigned i = 0; i < GRANTS_OF_PERSON_MAX; i++) {
        struct code_record code = { .redirect = AGENT_REDIRECT, .challenge = CHALLENGE };

        memcpy(code.sha256, &i, sizeof i);
        (void)snprintf(g.id, sizeof g.id, "grant%017u", i);
        memcpy(code.grant, g.id, sizeof code.grant);
        assert_int_equal(store_grant_add(f->is.store, &g, &code, NULL), POSTERN_OK);
    }
    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_page(f, 400, "too many agents");
    assert_int_equal(f->answer.location.len, 0);
    browser_get(&b, "/oauth/account", NULL);
    post_form(&b, "/oauth/account", "action=end&grant=grant00000000000000000");
    approve(f, &b);
}

/* ---- cross-site request forgery ---- */

static void a_form_without_token_is_refused(void **state)
{
    static const char *const paths[] = { "/oauth/authorize", "/oauth/login", "/oauth/logout", "/oauth/account",
                                         "/oauth/password" };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        browser_post(&b, paths[i], "request=x&" APPROVE "&name=alice&action=end&grant=g");
        assert_page(f, 403, "not valid any more");
        browser_post(&b, paths[i], "form_token=00000000000.aaaaaaaaaaaaaaaaaaaaaa."
                                   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_page(f, 403, "not valid any more");
    }
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "Your agents"); /* still logged in */
}

static void the_form_of_another_session_is_refused(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), attacker = browser_new(f);
    char *body;

    browser_be_alice(&b);
    browser_add_user(f, "mallory", "mallory mallory mallory");
    browser_log_in(&attacker, "mallory", "mallory mallory mallory", NULL);
    browser_get(&attacker, "/oauth/authorize", REQUEST);
    body = browser_form(&attacker, APPROVE);
    browser_post(&b, "/oauth/authorize", body);
    assert_page(f, 403, "not valid any more");
    assert_int_equal(count_grants(f, "alice"), 0);
    free(body);
}

static void a_token_of_one_purpose_is_none_of_another(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char *body;

    browser_be_alice(&b);
    browser_get(&b, "/oauth/password", NULL);
    body = browser_form(&b, "action=end&grant=x");
    browser_post(&b, "/oauth/account", body);
    assert_page(f, 403, "not valid any more");
    browser_post(&b, "/oauth/logout", body);
    assert_page(f, 403, "not valid any more");
    free(body);
}

static void a_login_form_needs_the_cookie_of_its_page(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), other = browser_new(f);
    char *body;

    browser_get(&b, "/oauth/login", NULL);
    body = browser_form(&b, "name=alice&password=correct+horse+battery+staple");
    browser_post(&other, "/oauth/login", body); /* no cookie */
    assert_page(f, 403, "not valid any more");
    browser_get(&other, "/oauth/login", NULL); /* another cookie: an attacker's form (login CSRF) */
    browser_post(&other, "/oauth/login", body);
    assert_page(f, 403, "not valid any more");
    free(body);
}

static void a_form_from_another_site_is_refused_even_with_its_token(void **state)
{
    static const struct { const char *origin, *fetch_site; } strange[] = {
        { "https://evil.example", NULL },     { "null", NULL },      { "", NULL },
        { NULL, "cross-site" },               { NULL, "same-site" }, { FIXTURE_ISSUER, "cross-site" },
        { "http://127.0.0.1:9999", NULL },    { "https://127.0.0.1:8414", NULL },
        { FIXTURE_ISSUER ".evil.example", NULL },
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        browser_get(&b, "/oauth/authorize", REQUEST);
        b.origin = strange[i].origin;
        b.fetch_site = strange[i].fetch_site;
        post_form(&b, "/oauth/authorize", APPROVE);
        assert_page(f, 403, "not valid any more");
    }
    b.origin = FIXTURE_ISSUER;
    b.fetch_site = "same-origin";
    browser_get(&b, "/oauth/authorize", REQUEST);
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_redirect(f, AGENT_REDIRECT_SENT "?code=");
}

/* ---- clickjacking, caches ---- */

static void no_page_may_be_framed_cached_or_run_a_script(void **state)
{
    static const struct { const char *path, *query; int status; } pages[] = {
        { "/oauth/login", NULL, 200 },    { "/oauth/authorize", REQUEST, 200 }, { "/oauth/authorize", NULL, 400 },
        { "/oauth/account", NULL, 200 },
    };
    struct fixture *f = *state;

    for (int is_alice = 0; is_alice < 2; is_alice++) {
        struct browser b = browser_new(f);

        if (is_alice)
            browser_be_alice(&b);
        for (size_t i = is_alice ? 1 : 0; i < sizeof pages / sizeof *pages; i++) {
            browser_get(&b, pages[i].path, pages[i].query);
            assert_page(f, pages[i].status, "<html lang=\"en\">"); /* looks at the headers */
        }
    }
}

static void the_policy_lets_a_form_lead_to_the_redirect_uri_and_nowhere_else(void **state)
{
    static const struct { const char *registered, *source; } cases[] = {
        { "https://agent.example:8443/cb?x=1", "form-action 'self' https://agent.example:8443;" },
        { "https://agent.example?x=1", "form-action 'self' https://agent.example;" },
        { "http://127.0.0.1/cb", "form-action 'self' http://127.0.0.1;" },
        { "http://[::1]/cb", "form-action 'self' http:;" }, /* a source has no IPv6 literals */
        { "com.example.app:/cb", "form-action 'self' com.example.app:;" },
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(2048);
        char name[32];

        assert_true(snprintf(name, sizeof name, "agent-p%zu", i) > 0);
        browser_add_agent(f, name, "", cases[i].registered, 0);
        postern_buf_addf(&query, "response_type=code&client_id=%s&code_challenge=" CHALLENGE
                                 "&code_challenge_method=S256&resource=https://ldap.example.org/ldap", name);
        postern_form_add(&query, "redirect_uri", postern_bytes_str(cases[i].registered));
        browser_get(&b, "/oauth/authorize", postern_buf_cstr(&query));
        assert_page(f, 200, "act for you?");
        if (strstr(f->answer.page_policy, cases[i].source) == NULL)
            fail_msg("%s: %s", cases[i].registered, f->answer.page_policy);
    }
    browser_get(&b, "/oauth/account", NULL);
    assert_non_null(strstr(f->answer.page_policy, "form-action 'self';"));
}

/* ---- no open redirector ---- */

#define REST "&response_type=code&code_challenge=" CHALLENGE "&code_challenge_method=S256"

static void a_bad_client_or_redirect_uri_gets_a_page_and_never_a_redirect(void **state)
{
    static const char *const queries[] = {
        "",
        "client_id=agent-7" REST, /* nowhere to go */
        "client_id=nobody&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback" REST,
        "client_id=AGENT-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback" REST,
        "client_id=agent-7&client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback" REST,
        "redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&redirect_uri=https%3A%2F%2Fevil.example" REST,
        "client_id=agent-7&redirect_uri=https%3A%2F%2Fevil.example%2F" REST,
        "client_id=agent-7&redirect_uri=https%3A%2F%2Fagent.example%2Fcb" REST, /* the query is part of it */
        "client_id=agent-7&redirect_uri=https%3A%2F%2Fagent.example%2Fcb%3Ftenant%3D1%26x%3D2" REST,
        "client_id=agent-7&redirect_uri=https%3A%2F%2Fagent.example%3A8443%2Fcb%3Ftenant%3D1" REST,
        "client_id=agent-7&redirect_uri=https%3A%2F%2Fagent.example.evil.example%2Fcb%3Ftenant%3D1" REST,
        "client_id=agent-7&redirect_uri=https%3A%2F%2FAGENT.example%2Fcb%3Ftenant%3D1" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2Fagent.example%2Fcb%3Ftenant%3D1" REST,
        "client_id=agent-7&redirect_uri=https%3A%2F%2Fagent.example%2F%2E%2E%2Fcb%3Ftenant%3D1" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback%2F..%2Fx" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%3A0%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%3A99999%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%3A80%40evil.example%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1.evil.example%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2Flocalhost%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%2Fcallback" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback%23x" REST,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback%0D%0ASet-Cookie%3Ax" REST,
        "client_id=agent-7&redirect_uri=javascript%3Aalert(1)" REST,
        "client_id=agent-7&redirect_uri=%2F%2Fevil.example" REST,
        "client_id=agent-7&redirect_uri=%zz" REST,
        "client_id=agent-7&redirect_uri=http://127.0.0.1/callback\x01" REST,
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        browser_get(&b, "/oauth/authorize", queries[i]);
        if (f->answer.status != 400)
            fail_msg("%s: %d", queries[i], f->answer.status);
        assert_page(f, 400, "This link does not work");
    }
    browser_get(&b, "/oauth/authorize", NULL);
    assert_page(f, 400, "This link does not work");
}

static void a_client_without_redirect_uris_has_no_code_flow(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_add_agent(f, "batch", "", "", 0);
    browser_get(&b, "/oauth/authorize", "client_id=batch&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback" REST);
    assert_page(f, 400, "This link does not work");
    browser_get(&b, "/oauth/authorize", "client_id=batch&redirect_uri=" REST);
    assert_page(f, 400, "This link does not work");
}

static void a_query_that_is_too_long_gets_a_page(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char *query = malloc(20000);

    assert_non_null(query);
    memset(query, 'a', 20000);
    query[19999] = '\0';
    memcpy(query, REQUEST "&x=", strlen(REQUEST "&x="));
    browser_get(&b, "/oauth/authorize", query);
    assert_page(f, 400, "This link does not work");
    free(query);
}

/* Cookies know no ports: a program behind another port of the issuer's own address would get the session. */
static void a_redirect_below_our_own_cookies_path_is_refused_on_loopback(void **state)
{
    static const char *const uris[] = {
        "http://127.0.0.1/oauth/cb", "http://127.0.0.1/oauth", "http://127.0.0.1/x/../oauth/cb",
        "http://127.0.0.1/x/%2e%2e/oauth/cb", "http://127.0.0.1/x/%2E./oauth", "http://[::1]/oauth/x",
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(2048);
        char name[32];

        assert_true(snprintf(name, sizeof name, "agent-o%zu", i) > 0);
        browser_add_agent(f, name, "", uris[i], 0);
        postern_buf_addf(&query, "client_id=%s", name);
        postern_form_add(&query, "redirect_uri", postern_bytes_str(uris[i]));
        browser_get(&b, "/oauth/authorize", postern_buf_cstr(&query));
        assert_page(f, 400, "not allowed");
    }
}

static void a_login_leads_to_paths_of_ours_only(void **state)
{
    static const char *const requests[] = { "//evil.example", "https://evil.example/", "x%0d%0aSet-Cookie:a=b" };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(4096);

        browser_get(&b, "/oauth/login", NULL); /* its token is for no request */
        postern_form_add(&body, "form_token", postern_bytes_str(browser_hidden(&b, "form_token")));
        postern_form_add(&body, "request", postern_bytes_str(requests[i]));
        postern_buf_add_str(&body, "&name=alice&password=correct+horse+battery+staple");
        browser_post(&b, "/oauth/login", postern_buf_cstr(&body));
        assert_page(f, 403, "not valid any more");
    }
}

/* ---- errors to the redirect URI ---- */

#define START "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%3A40123%2Fcallback&state=s1"
#define PKCE "&code_challenge=" CHALLENGE "&code_challenge_method=S256"
#define TYPE "&response_type=code"
#define AT "&resource=https%3A%2F%2Fmail.example.org%2Fimap"

static void other_faults_are_told_to_the_redirect_uri_with_state_and_iss(void **state)
{
    static const struct { const char *query, *error; } cases[] = {
        { START PKCE AT, "invalid_request" },
        { START PKCE AT "&response_type=token", "unsupported_response_type" },
        { START PKCE AT "&response_type=code%20token", "unsupported_response_type" },
        { START PKCE AT "&response_type=code&response_type=token", "invalid_request" },
        { START PKCE AT TYPE "&response_mode=fragment", "invalid_request" },
        { START PKCE AT TYPE "&request=a.b.c", "request_not_supported" },
        { START PKCE AT TYPE "&request_uri=https%3A%2F%2Fevil.example", "request_uri_not_supported" },
        { START TYPE AT, "invalid_request" },
        { START TYPE AT "&code_challenge=" CHALLENGE, "invalid_request" }, /* means plain */
        { START TYPE AT "&code_challenge=" CHALLENGE "&code_challenge_method=plain", "invalid_request" },
        { START TYPE AT "&code_challenge=" CHALLENGE "&code_challenge_method=s256", "invalid_request" },
        { START TYPE AT "&code_challenge_method=S256", "invalid_request" },
        { START TYPE AT "&code_challenge=short&code_challenge_method=S256", "invalid_request" },
        { START TYPE AT PKCE "x", "invalid_request" },
        { START TYPE AT PKCE PKCE, "invalid_request" },
        { START TYPE AT "&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c!",
          "invalid_request" },
        { START TYPE PKCE, "invalid_target" }, /* two resources: which? */
        { START TYPE PKCE "&resource=https%3A%2F%2Fcache.example.org%2Fcache", "invalid_target" },
        { START TYPE PKCE AT "&resource=https%3A%2F%2Fcache.example.org%2Fcache", "invalid_target" },
        { START TYPE PKCE "&resource=https%3A%2F%2Fmail.example.org%2Fimap%23x", "invalid_target" },
        { START TYPE PKCE "&resource=mail", "invalid_target" },
        { START TYPE PKCE AT "&scope=root", "invalid_scope" },
        { START TYPE PKCE AT "&scope=mail.read%20%20mail.send", "invalid_scope" },
        { START TYPE PKCE AT "&scope=mail.read%22", "invalid_scope" },
        { START TYPE PKCE AT "&purpose=a%0Ab", "invalid_request" },
        { START TYPE PKCE AT "&purpose=%C2%85", "invalid_request" },
        { START TYPE PKCE AT "&purpose=a&purpose=b", "invalid_request" },
        { START TYPE PKCE AT "&authorization_details=x", "invalid_authorization_details" },
        { START TYPE PKCE AT "&authorization_details=%5B%5D", "invalid_authorization_details" },
        { START TYPE PKCE AT "&authorization_details=%7B%22type%22%3A%22a%22%7D", "invalid_authorization_details" },
        { START TYPE PKCE AT "&authorization_details=%5B%7B%22typ%22%3A%22a%22%7D%5D", "invalid_authorization_details" },
        { START TYPE PKCE AT "&authorization_details=%5B%7B%22type%22%3A1%7D%5D", "invalid_authorization_details" },
        { START TYPE PKCE AT "&authorization_details=%5B%7B%22type%22%3A%22a%22%2C%22type%22%3A%22b%22%7D%5D",
          "invalid_authorization_details" },
        { START TYPE PKCE AT "&prompt=none%20login", "invalid_request" },
        { START TYPE PKCE AT "&prompt=none", "login_required" },
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        browser_get(&b, "/oauth/authorize", cases[i].query);
        if (f->answer.status != 303)
            fail_msg("%s: %d", cases[i].query, f->answer.status);
        assert_redirect(f, AGENT_REDIRECT_SENT "?error=");
        if (strcmp(location_value(f, "error"), cases[i].error) != 0)
            fail_msg("%s: %s", cases[i].query, location_value(f, "error"));
        assert_string_equal(location_value(f, "state"), "s1");
        assert_string_equal(location_value(f, "iss"), FIXTURE_ISSUER);
        assert_non_null(location_value(f, "error_description"));
        assert_null(location_value(f, "code"));
    }
    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", START TYPE PKCE AT "&prompt=none");
    assert_string_equal(location_value(f, "error"), "consent_required");
}

/* An open redirector (RFC 9700 §4.11.2): anybody may register https://evil.example where registration is open. */
static void an_agent_that_registered_itself_cannot_send_people_on_without_their_doing(void **state)
{
#define SELF "client_id=self&state=s1&redirect_uri=https%3A%2F%2Fevil.example%2Fcb"
    static const char *const queries[] = {
        SELF, SELF "&state=s2", SELF TYPE PKCE AT "&scope=root", SELF TYPE PKCE AT "&prompt=none",
        SELF TYPE PKCE AT "&prompt=none%20login", SELF TYPE PKCE "&resource=mail",
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_add_agent(f, "self", "Your bank", "https://evil.example/cb", CLIENT_SELF_REGISTERED);
    for (size_t round = 0; round < 2; round++) { /* a stranger, and alice */
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
            browser_get(&b, "/oauth/authorize", queries[i]);
            assert_page(f, 400, "Not verified.");
            assert_page(f, 400, "href=\"https://evil.example/cb?error=");
            assert_page(f, 400, "<bdi>evil.example</bdi>");
            assert_int_equal(f->answer.location.len, 0);
        }
        browser_be_alice(&b);
    }
    browser_get(&b, "/oauth/authorize", SELF TYPE PKCE AT);
    post_form(&b, "/oauth/authorize", "decision=deny&life=1h"); /* her own word leads on */
    assert_redirect(f, "https://evil.example/cb?error=access_denied&");
}

static void a_purpose_or_details_that_are_too_long_are_refused(void **state)
{
    static const struct { const char *name; size_t most; const char *error; } cases[] = {
        { "purpose", 256, "invalid_request" }, { "authorization_details", 4096, "invalid_authorization_details" },
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t more = 0; more < 2; more++) {
            POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(16384);
            char value[8192];

            memset(value, 'a', cases[i].most + more);
            memcpy(value, "[{\"type\":\"", 10);
            memcpy(value + cases[i].most + more - 3, "\"}]", 4);
            postern_buf_add_str(&query, START TYPE PKCE AT);
            postern_form_add(&query, cases[i].name, postern_bytes_str(value));
            browser_get(&b, "/oauth/authorize", postern_buf_cstr(&query));
            if (more == 0)
                assert_page(f, 200, "aaaa");
            else
                assert_string_equal(location_value(f, "error"), cases[i].error);
        }
}

static void a_repeated_or_strange_state_is_not_sent_back(void **state)
{
    static const char *const queries[] = {
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&state=a&state=b" TYPE PKCE AT,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&state=a%0D%0ALocation%3A%20x" TYPE PKCE AT,
        "client_id=agent-7&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&state=%C3%A9" TYPE PKCE AT,
    };
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        browser_get(&b, "/oauth/authorize", queries[i]);
        assert_redirect(f, AGENT_REDIRECT "?error=invalid_request&");
        assert_null(location_value(f, "state"));
    }
}

static void a_state_full_of_tricks_comes_back_as_it_was(void **state)
{
    static const char trick[] = "\"><script>alert(1)</script>&error=x&code=stolen#frag;%0d%0aSet-Cookie: a=b";
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(4096);

    postern_buf_add_str(&query, "client_id=agent-7&redirect_uri=https%3A%2F%2Fagent.example%2Fcb%3Ftenant%3D1"
                                TYPE PKCE AT);
    postern_form_add(&query, "state", postern_bytes_str(trick));
    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", postern_buf_cstr(&query));
    assert_page(f, 200, "act for you?");
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_redirect(f, "https://agent.example/cb?tenant=1&code=");
    assert_string_equal(location_value(f, "state"), trick);
    assert_int_equal(strlen(location_value(f, "code")), 43);
    assert_null(location_value(f, "error"));
}

/* ---- scripts in what strangers wrote ---- */

static void what_an_agent_wrote_is_text_on_every_page(void **state)
{
    static const char evil[] = "<img src=x onerror=alert(1)>\"'&\xE2\x80\xAE";
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(8192);
    char name[] = "evil";

    browser_add_agent(f, name, evil, AGENT_REDIRECT, CLIENT_SELF_REGISTERED);
    postern_buf_add_str(&query, "client_id=evil&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&state=%3Cb%3E%22"
                                TYPE PKCE AT);
    postern_form_add(&query, "purpose", postern_bytes_str(evil));
    postern_form_add(&query, "authorization_details",
                     postern_bytes_str("[{\"type\":\"</pre><script>alert(2)</script>\"}]"));
    browser_get(&b, "/oauth/authorize", postern_buf_cstr(&query)); /* login: its name alone */
    assert_page(f, 200, "The agent <b>evil</b>");
    assert_null(strstr(body_text(f), "<img"));
    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", postern_buf_cstr(&query)); /* consent */
    assert_page(f, 200, "&lt;/pre&gt;&lt;script&gt;");
    assert_page(f, 200, "itself “<bdi>&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\xEF\xBF\xBD</bdi>”");
    assert_null(strstr(body_text(f), "<img"));
    assert_null(strstr(body_text(f), "\xE2\x80\xAE"));
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_redirect(f, AGENT_REDIRECT "?code=");
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "&lt;img src=x");
    assert_null(strstr(body_text(f), "<img"));
}

static void what_a_person_types_is_text_on_the_page(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_log_in(&b, "\"><script>alert(1)</script>", "x", REQUEST);
    assert_page(f, 403, "value=\"&quot;&gt;&lt;script&gt;");
}

static void an_agent_that_registered_itself_is_marked_with_where_the_answer_goes(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_add_agent(f, "self", "Your bank", "https://evil.example/cb", CLIENT_SELF_REGISTERED);
    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", "client_id=self&redirect_uri=https%3A%2F%2Fevil.example%2Fcb" TYPE PKCE AT);
    assert_page(f, 200, "Not verified.");
    assert_page(f, 200, "<bdi>evil.example</bdi>");
    assert_page(f, 200, "<h1>Let an unverified agent act for you?</h1>");
    assert_page(f, 200, "<b>self</b>");
    browser_get(&b, "/oauth/authorize", REQUEST);
    assert_null(strstr(body_text(f), "Not verified."));
}

/* ---- sessions ---- */

static void a_login_changes_the_cookie(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), attacker = browser_new(f);

    browser_get(&b, "/oauth/login", NULL);
    attacker = b; /* whoever planted the cookie knows it */
    browser_log_in(&b, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
    assert_string_not_equal(b.cookie, attacker.cookie);
    browser_get(&attacker, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "Your agents");
}

static void a_new_login_ends_the_session_of_before(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), before;

    browser_be_alice(&b);
    before = b;
    f->now_s += 61;
    browser_log_in(&b, "alice", ALICE_PASSWORD, REQUEST "&prompt=login");
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "Your agents");
    browser_get(&before, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
}

static void a_cookie_is_stored_as_a_hash_only(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char path[128], *bytes;
    size_t len;
    FILE *file;

    browser_be_alice(&b);
    assert_true(snprintf(path, sizeof path, "%s/clients.db-wal", f->dir) > 0);
    file = fopen(path, "rb");
    assert_non_null(file);
    bytes = malloc(4 << 20);
    assert_non_null(bytes);
    len = fread(bytes, 1, 4 << 20, file);
    assert_int_equal(fclose(file), 0);
    assert_true(len > 1000);
    assert_null(memmem(bytes, len, strchr(b.cookie, '=') + 1, 43));
    free(bytes);
}

static void a_session_ends_when_it_idles_and_after_a_day_of_work(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    for (int i = 0; i < 16; i++) { /* used every 29 minutes: 7 h 44 min */
        f->now_s += 29 * 60;
        browser_get(&b, "/oauth/account", NULL);
        assert_page(f, 200, "Your agents");
    }
    f->now_s += 16 * 60;
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
    browser_be_alice(&b);
    f->now_s += 1800;
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
}

static void a_session_that_ended_while_the_consent_page_was_open_asks_for_the_password(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    browser_get(&b, "/oauth/authorize", REQUEST);
    f->now_s += 1800;
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_redirect(f, "/oauth/authorize?" REQUEST);
    assert_int_equal(count_grants(f, "alice"), 0);
}

static void logging_out_ends_the_session(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), copy;
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(4096);
    struct visitor v = { .is_logged_in = true };
    char token[FORM_TOKEN_MAX];

    browser_be_alice(&b);
    copy = b;
    memcpy(v.cookie, strchr(b.cookie, '=') + 1, COOKIE_VALUE_MAX);
    assert_true(visitor_make_token(&f->is, &v, "logout", "", token));
    postern_form_add(&body, "form_token", postern_bytes_str(token));
    browser_post(&b, "/oauth/logout", postern_buf_cstr(&body));
    assert_redirect(f, "/oauth/login");
    assert_string_equal(b.cookie, "");
    browser_get(&copy, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
}

static void prompt_login_wants_the_password_again_and_once(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_be_alice(&b);
    f->now_s += 61;
    browser_log_in(&b, "alice", ALICE_PASSWORD, REQUEST "&prompt=login");
    assert_redirect(f, "/oauth/authorize?" REQUEST "&prompt=login");
    browser_get(&b, "/oauth/authorize", REQUEST "&prompt=login");
    assert_page(f, 200, "act for you?");
    f->now_s += 600; /* who reads carefully is not sent back to the password */
    post_form(&b, "/oauth/authorize", APPROVE);
    assert_redirect(f, AGENT_REDIRECT_SENT "?code=");
}

static void a_person_has_twenty_sessions_and_the_oldest_goes(void **state)
{
    struct fixture *f = *state;
    struct browser first = browser_new(f), second, b = browser_new(f);

    browser_be_alice(&first);
    f->now_s++;
    browser_be_alice(&b);
    second = b;
    for (int i = 0; i < SESSIONS_MAX - 1; i++) {
        f->now_s++;
        browser_be_alice(&b);
    }
    browser_get(&first, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
    browser_get(&second, "/oauth/account", NULL);
    assert_page(f, 200, "Your agents");
}

static void the_cookie_of_https_is_bound_to_the_host(void **state)
{
    struct fixture *f = *state;
    struct answer a = ANSWER_INIT;
    char value[COOKIE_VALUE_MAX];

    cookie_set(&f->settings, "v", &a);
    assert_string_equal(a.set_cookie, "postern=v; Path=/oauth; HttpOnly; SameSite=Lax");
    fixture_set_issuer(f, "https://auth.example/t");
    cookie_set(&f->settings, "v", &a);
    assert_string_equal(a.set_cookie, "__Host-postern=v; Path=/; HttpOnly; SameSite=Lax; Secure");
    cookie_set_known(&f->settings, "v", &a);
    assert_string_equal(a.set_known_cookie,
                        "__Host-postern-known=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=7776000");
    assert_false(cookie_read("postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", cookie_name(&f->settings), value));
    assert_true(cookie_read("a=b; __Host-postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                            cookie_name(&f->settings), value));
    answer_free(&a);
}

static void a_cookie_that_is_not_of_our_form_is_no_cookie(void **state)
{
    static const char *const bad[] = {
        "postern=", "postern", "postern=AAAA", "postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", /* pad bits */
        "postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+A",
        "Postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "xpostern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a=postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", ";;;", "postern=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
    };
    char value[COOKIE_VALUE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cookie_read(bad[i], "postern", value))
            fail_msg("taken: %s", bad[i]);
    assert_false(cookie_read(NULL, "postern", value));
    assert_true(cookie_read("postern=x; postern=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; a=b", "postern", value));
}

/* ---- guessing ---- */

static void a_wrong_password_and_an_unknown_name_look_the_same(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char wrong[8192];

    browser_log_in(&b, "alice", "wrong wrong wrong wrong", REQUEST);
    assert_page(f, 403, "Name or password is wrong");
    assert_true(snprintf(wrong, sizeof wrong, "%s", strstr(body_text(f), "id=\"login-error\"")) > 0);
    *strstr(wrong, "value=\"") = '\0';
    browser_log_in(&b, "nobody", ALICE_PASSWORD, REQUEST);
    assert_page(f, 403, "Name or password is wrong");
    assert_non_null(strstr(body_text(f), wrong));
    assert_page(f, 403, "aria-describedby=\"login-error\"");
    browser_log_in(&b, "ALICE", ALICE_PASSWORD, REQUEST);
    assert_page(f, 403, "Name or password is wrong");
}

static void an_unknown_name_costs_the_same_hash(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct answer_job *job;
    char *body;

    browser_get(&b, "/oauth/login", NULL);
    body = browser_form(&b, "name=nobody&password=correct+horse+battery+staple");
    job = browser_post_and_wait(&b, "/oauth/login", body);
    assert_non_null(job); /* as for a known one */
    job->work.free(&job->work);
    free(body);
}

static void a_guesser_is_slowed_down_and_the_person_elsewhere_is_not(void **state)
{
    struct fixture *f = *state;
    struct browser guesser = browser_new(f), alice = browser_new(f);
    int guesses = 0;

    alice.source = "198.51.100.7";
    do {
        browser_log_in(&guesser, "alice", "guess guess guess guess", NULL);
    } while (f->answer.status == 403 && ++guesses < 50);
    assert_int_equal(guesses, 10);
    assert_page(f, 429, "Slow down");
    assert_int_equal(f->answer.retry_after_s, 30);
    browser_log_in(&guesser, "alice", ALICE_PASSWORD, NULL); /* the right one is not told apart either */
    assert_page(f, 429, "Slow down");
    browser_log_in(&alice, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
    f->mono_ms += 30000;
    browser_log_in(&guesser, "alice", ALICE_PASSWORD, NULL); /* nor is the source locked out for good */
    assert_redirect(f, "/oauth/account");
}

static void whoever_knows_the_password_uses_up_nothing(void **state)
{
    struct fixture *f = *state;
    struct browser alice = browser_new(f);

    for (int i = 0; i < 9; i++)
        browser_log_in(&alice, "alice", "guess guess guess guess", NULL);
    for (int i = 0; i < 20; i++) {
        struct browser another = browser_new(f); /* from the same address */

        browser_log_in(&another, "alice", ALICE_PASSWORD, NULL);
        assert_redirect(f, "/oauth/account");
    }
    browser_log_in(&alice, "alice", "guess guess guess guess", NULL); /* the tenth of those that count */
    assert_page(f, 403, "Name or password is wrong");
    browser_log_in(&alice, "alice", ALICE_PASSWORD, NULL);
    assert_page(f, 429, "Slow down");
}

/* What the name's bucket refuses empties the address's all the same, and costs no hash. */
static void guess_until_it_is_slowed_down(struct fixture *f, const char *name)
{
    struct browser guesser = browser_new(f);

    for (int i = 0; i < 200; i++)
        browser_log_in(&guesser, name, "guess guess guess guess", NULL);
    assert_page(f, 429, "Slow down");
}

static void a_guesser_at_the_same_address_does_not_hold_up_a_browser_that_is_known(void **state)
{
    struct fixture *f = *state;
    struct browser alice = browser_new(f), other = browser_new(f);

    browser_log_in(&alice, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
    guess_until_it_is_slowed_down(f, "alice");
    browser_log_in(&other, "alice", ALICE_PASSWORD, NULL);
    assert_page(f, 429, "Slow down");
    alice.cookie[0] = '\0'; /* the browser was closed */
    browser_log_in(&alice, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
}

static void a_known_browser_guesses_no_faster_and_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct browser thief = browser_new(f), alice = browser_new(f);
    int guesses = 0;

    browser_add_user(f, "bob", ALICE_PASSWORD);
    browser_log_in(&thief, "alice", ALICE_PASSWORD, NULL);
    thief.cookie[0] = '\0';
    guess_until_it_is_slowed_down(f, "bob");
    browser_log_in(&thief, "bob", ALICE_PASSWORD, NULL);
    assert_page(f, 429, "Slow down");
    do {
        browser_log_in(&thief, "alice", "guess guess guess guess", NULL);
    } while (f->answer.status == 403 && ++guesses < 50);
    assert_int_equal(guesses, 10);
    browser_log_in(&thief, "alice", ALICE_PASSWORD, NULL);
    assert_page(f, 429, "Slow down");
    thief.known[strlen(thief.known) - 3] ^= 1; /* another than was made */
    browser_log_in(&thief, "alice", ALICE_PASSWORD, NULL);
    assert_page(f, 429, "Slow down");
    alice.source = "198.51.100.7";
    browser_log_in(&alice, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
}

static void another_password_forgets_the_browsers_that_are_known(void **state)
{
    struct fixture *f = *state;
    struct browser alice = browser_new(f), old = browser_new(f);
    char *body;

    browser_log_in(&old, "alice", ALICE_PASSWORD, NULL);
    old.cookie[0] = '\0';
    browser_log_in(&alice, "alice", ALICE_PASSWORD, NULL);
    browser_get(&alice, "/oauth/password", NULL);
    body = browser_form(&alice, "old=correct+horse+battery+staple&new=another+horse+battery+staple"
                                "&again=another+horse+battery+staple");
    browser_post(&alice, "/oauth/password", body);
    free(body);
    assert_redirect(f, "/oauth/account");
    guess_until_it_is_slowed_down(f, "alice");
    browser_log_in(&old, "alice", "another horse battery staple", NULL);
    assert_page(f, 429, "Slow down");
    alice.cookie[0] = '\0';
    browser_log_in(&alice, "alice", "another horse battery staple", NULL); /* the one it was changed in */
    assert_redirect(f, "/oauth/account");
}

static void guesses_at_the_login_do_not_hold_up_who_is_in(void **state)
{
    struct fixture *f = *state;
    struct browser alice = browser_new(f);
    char *body;

    browser_be_alice(&alice);
    guess_until_it_is_slowed_down(f, "alice");
    browser_get(&alice, "/oauth/password", NULL);
    body = browser_form(&alice, "old=correct+horse+battery+staple&new=another+horse+battery+staple"
                                "&again=another+horse+battery+staple");
    browser_post(&alice, "/oauth/password", body);
    free(body);
    assert_redirect(f, "/oauth/account");
}

static void who_stole_a_session_does_not_keep_the_person_from_a_new_password(void **state)
{
    struct fixture *f = *state;
    struct browser thief = browser_new(f), alice = browser_new(f);
    int guesses = 0;

    browser_be_alice(&thief);
    do {
        browser_get(&thief, "/oauth/password", NULL);
        post_form(&thief, "/oauth/password", "old=guess+guess+guess+guess&new=thief+horse+battery+staple"
                                             "&again=thief+horse+battery+staple");
    } while (f->answer.status == 400 && ++guesses < 50);
    assert_int_equal(guesses, 10);
    browser_get(&thief, "/oauth/password", NULL);
    post_form(&thief, "/oauth/password", "old=correct+horse+battery+staple&new=thief+horse+battery+staple"
                                         "&again=thief+horse+battery+staple");
    assert_page(f, 429, "Slow down");
    browser_be_alice(&alice);
    browser_get(&alice, "/oauth/password", NULL);
    post_form(&alice, "/oauth/password", "old=correct+horse+battery+staple&new=another+horse+battery+staple"
                                         "&again=another+horse+battery+staple");
    assert_redirect(f, "/oauth/account");
    browser_get(&thief, "/oauth/password", NULL);
    assert_redirect(f, "/oauth/login");
}

/* ---- what a refusal costs ---- */

static int hmac_count;

unsigned char *__real_HMAC(const EVP_MD *md, const void *key, int key_len, const unsigned char *text, size_t text_len,
                           unsigned char *ret, unsigned *ret_len);
unsigned char *__wrap_HMAC(const EVP_MD *md, const void *key, int key_len, const unsigned char *text, size_t text_len,
                           unsigned char *ret, unsigned *ret_len);

unsigned char *__wrap_HMAC(const EVP_MD *md, const void *key, int key_len, const unsigned char *text, size_t text_len,
                           unsigned char *ret, unsigned *ret_len)
{
    hmac_count++;
    return __real_HMAC(md, key, key_len, text, text_len, ret, ret_len);
}

static int count_look_up(unsigned type, void *arg, void *statement, void *text)
{
    (void)type;
    (void)text;
    if (strstr(sqlite3_sql(statement), " FROM user ") != NULL)
        ++*(int *)arg;
    return 0;
}

struct cost {
    int look_ups, hmacs;
};

/* Of one attempt that is told to wait. */
static struct cost cost_of_refusal(struct browser *b, const char *name)
{
    struct cost cost = { 0 };
    char more[128], *body;

    assert_true(snprintf(more, sizeof more, "name=%s&password=guess+guess+guess+guess", name) < (int)sizeof more);
    browser_get(b, "/oauth/login", NULL);
    body = browser_form(b, more);
    hmac_count = 0;
    assert_int_equal(sqlite3_trace_v2(b->f->is.store->db, SQLITE_TRACE_STMT, count_look_up, &cost.look_ups), SQLITE_OK);
    browser_post(b, "/oauth/login", body);
    assert_int_equal(sqlite3_trace_v2(b->f->is.store->db, 0, NULL, NULL), SQLITE_OK);
    cost.hmacs = hmac_count;
    free(body);
    assert_page(b->f, 429, "Slow down");
    return cost;
}

static void a_refusal_costs_the_same_whether_the_name_exists_or_not(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct cost known, unknown;

    guess_until_it_is_slowed_down(f, "alice");
    assert_int_equal(cost_of_refusal(&b, "alice").look_ups, 0);
    assert_int_equal(cost_of_refusal(&b, "nobody").look_ups, 0);
    (void)snprintf(b.known, sizeof b.known, "postern-known=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"); /* fits */
    known = cost_of_refusal(&b, "alice");
    unknown = cost_of_refusal(&b, "nobody");
    assert_int_equal(known.look_ups, 1);
    assert_int_equal(unknown.look_ups, 1);
    assert_int_equal(known.hmacs, unknown.hmacs);
}

static void a_password_hashed_with_less_is_hashed_anew_at_login(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct user_record before, after;
    bool found = false;

    assert_int_equal(store_user_find(f->is.store, "alice", &found, &before, NULL), POSTERN_OK);
    assert_int_equal(before.log_n, 4);
    browser_log_in(&b, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
    assert_int_equal(store_user_find(f->is.store, "alice", &found, &after, NULL), POSTERN_OK);
    assert_int_equal(after.log_n, 15);
    assert_memory_not_equal(before.salt, after.salt, sizeof after.salt);
    b = browser_new(f);
    browser_log_in(&b, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
}

/* ---- the account ---- */

static int told;
static struct revocation told_last;
static void hear(void *arg, const struct revocation *what)
{
    (void)arg;
    told++;
    told_last = *what;
}

static void a_person_ends_a_grant_and_verifiers_are_told(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct code_record code;
    struct grant_record grant = { .id = "" };
    POSTERN_AUTO_BUF more = POSTERN_BUF_INIT(256);
    bool found = false;

    told = 0;
    f->is.tell_revoked = hear;
    browser_be_alice(&b);
    approve(f, &b);
    assert_int_equal(find_grant(f, &code, &grant), GRANT_USED);
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "Mail helper");
    assert_page(f, 200, grant.id);
    postern_buf_addf(&more, "action=end&grant=%s", grant.id);
    post_form(&b, "/oauth/account", postern_buf_cstr(&more));
    assert_redirect(f, "/oauth/account?ended");
    assert_int_equal(told, 1);
    assert_int_equal(told_last.kind, POSTERN_REVOCATION_GRANT);
    assert_string_equal(told_last.name, grant.id);
    assert_int_equal(store_revocation_find(f->is.store, POSTERN_REVOCATION_GRANT, grant.id, &found, NULL), POSTERN_OK);
    assert_true(found);
    browser_get(&b, "/oauth/account", "ended");
    assert_page(f, 200, "No agent may act for you");
}

/* Grants as large as an agent can make them: the account must show some, or nobody could end any. */
static void an_account_full_of_large_grants_can_still_be_emptied(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct grant_record g = { .user = "alice", .client = "agent-7", .resources = FIXTURE_IMAP };
    size_t len = 0;

    for (int i = 0; len + 5 < sizeof g.scopes; i++)
        len += (size_t)snprintf(g.scopes + len, sizeof g.scopes - len, "%s&%c%c", i == 0 ? "" : " ", 'a' + i / 26,
                                'a' + i % 26);
    memset(g.purpose, '"', sizeof g.purpose - 1);
    g.created_s = f->now_s;
    g.ends_s = f->now_s + 3600;
    for (unsigned char i = 0; i < 100; i++) {
        struct code_record code = { .sha256 = { i }, .redirect = AGENT_REDIRECT, .challenge = CHALLENGE };

        (void)snprintf(g.id, sizeof g.id, "grant%017u", i);
        memcpy(code.grant, g.id, sizeof code.grant);
        assert_int_equal(store_grant_add(f->is.store, &g, &code, NULL), POSTERN_OK);
    }
    browser_be_alice(&b);
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "Your agents");
    assert_page(f, 200, "There may be more");
    post_form(&b, "/oauth/account", "action=end&grant=grant00000000000000000");
    assert_redirect(f, "/oauth/account?ended");
}

static void nobody_ends_the_grant_of_somebody_else(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), mallory = browser_new(f);
    struct code_record code;
    struct grant_record grant = { .id = "" };

    browser_add_user(f, "mallory", "mallory mallory mallory");
    browser_be_alice(&b);
    approve(f, &b);
    assert_int_equal(find_grant(f, &code, &grant), GRANT_USED);
    browser_log_in(&mallory, "mallory", "mallory mallory mallory", NULL);
    browser_get(&mallory, "/oauth/account", NULL);
    assert_null(strstr(body_text(f), grant.id));
    /* mallory has no grant, so no form: one of hers with alice's id */
    {
        struct visitor v = { .is_logged_in = true };
        char token[FORM_TOKEN_MAX];
        POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(1024);

        memcpy(v.cookie, strchr(mallory.cookie, '=') + 1, COOKIE_VALUE_MAX);
        assert_true(visitor_make_token(&f->is, &v, "account", "", token));
        postern_form_add(&body, "form_token", postern_bytes_str(token));
        postern_buf_addf(&body, "&action=end&grant=%s", grant.id);
        browser_post(&mallory, "/oauth/account", postern_buf_cstr(&body));
    }
    assert_redirect(f, "/oauth/account");
    assert_null(strstr(postern_buf_cstr(&f->answer.location), "ended"));
    assert_int_equal(count_grants(f, "alice"), 1);
}

static void a_removed_persons_cookie_is_nobodys_and_the_grants_have_ended(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct clients_refusal refusal = { 0 };
    size_t ended = 0;

    told = 0;
    f->is.tell_revoked = hear;
    browser_be_alice(&b);
    approve(f, &b);
    assert_int_equal(people_remove(&f->is, "alice", &ended, &refusal, NULL), CLIENTS_DONE);
    assert_int_equal(ended, 1);
    assert_int_equal(told, 1);
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
    browser_get(&b, "/oauth/authorize", REQUEST);
    assert_page(f, 200, "<h1>Log in</h1>");
    browser_add_user(f, "alice", ALICE_PASSWORD); /* another alice inherits nothing */
    browser_get(&b, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
    assert_int_equal(count_grants(f, "alice"), 0);
}

static void a_person_removed_while_the_password_is_hashed_is_not_logged_in(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    struct clients_refusal refusal = { 0 };
    struct answer_job *job;
    size_t ended = 0;
    char *body;

    browser_get(&b, "/oauth/login", NULL);
    body = browser_form(&b, "name=alice&password=correct+horse+battery+staple");
    job = browser_post_and_wait(&b, "/oauth/login", body);
    free(body);
    assert_non_null(job);
    job->work.run(&job->work);
    assert_int_equal(people_remove(&f->is, "alice", &ended, &refusal, NULL), CLIENTS_DONE);
    job->finish(job, &f->answer);
    job->work.free(&job->work);
    assert_page(f, 403, "Name or password is wrong");
    assert_string_equal(f->answer.set_cookie, "");
}

static void a_password_is_changed_with_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f), other = browser_new(f);

    browser_be_alice(&b);
    browser_be_alice(&other);
    browser_get(&b, "/oauth/password", NULL);
    post_form(&b, "/oauth/password", "old=wrong&new=another+fine+password&again=another+fine+password");
    assert_page(f, 400, "The current password is wrong");
    post_form(&b, "/oauth/password", "old=correct+horse+battery+staple&new=short&again=short");
    assert_page(f, 400, "at least 15 bytes");
    post_form(&b, "/oauth/password", "old=correct+horse+battery+staple&new=another+fine+password&again=another");
    assert_page(f, 400, "not the same both times");
    post_form(&b, "/oauth/password",
              "old=correct+horse+battery+staple&new=another+fine+password&again=another+fine+password");
    assert_redirect(f, "/oauth/account?changed");
    browser_get(&b, "/oauth/account", "changed");
    assert_page(f, 200, "Your password is changed");
    browser_get(&other, "/oauth/account", NULL);
    assert_page(f, 200, "<h1>Log in</h1>");
    other = browser_new(f);
    browser_log_in(&other, "alice", ALICE_PASSWORD, NULL);
    assert_page(f, 403, "Name or password is wrong");
    browser_log_in(&other, "alice", "another fine password", NULL);
    assert_redirect(f, "/oauth/account");
}

/* A crash between the two would leave a thief's session behind the new password. */
static void a_password_is_not_changed_while_other_sessions_cannot_be_ended(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);
    char path[128];
    sqlite3 *db = NULL;

    browser_be_alice(&b);
    (void)snprintf(path, sizeof path, "%s/clients.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TRIGGER stays BEFORE DELETE ON session"
                                      " BEGIN SELECT raise(ABORT, 'stays'); END", NULL, NULL, NULL), SQLITE_OK);
    browser_be_alice(&b);
    browser_get(&b, "/oauth/password", NULL);
    post_form(&b, "/oauth/password",
              "old=correct+horse+battery+staple&new=another+fine+password&again=another+fine+password");
    assert_page(f, 500, "did not work");
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER stays", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    b = browser_new(f);
    browser_log_in(&b, "alice", ALICE_PASSWORD, NULL);
    assert_redirect(f, "/oauth/account");
}

static void the_short_address_leads_to_the_account(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    browser_get(&b, "/account", NULL);
    assert_redirect(f, "/oauth/account");
    browser_get(&b, "/oauth/style.css", NULL);
    assert_int_equal(f->answer.status, 200);
    assert_string_equal(f->answer.content_type, "text/css; charset=utf-8");
}

static void an_issuer_with_a_path_has_its_pages_below_it(void **state)
{
    struct fixture *f = *state;
    struct browser b = browser_new(f);

    fixture_set_issuer(f, FIXTURE_ISSUER "/t");
    browser_get(&b, "/t/oauth/authorize", REQUEST);
    assert_page(f, 200, "action=\"/t/oauth/login\"");
    assert_page(f, 200, "href=\"/t/oauth/style.css\"");
    browser_get(&b, "/oauth/authorize", REQUEST);
    assert_int_equal(f->answer.status, 404);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_person_logs_in_approves_and_the_agent_gets_a_code),
        TEST(what_is_unticked_is_not_granted),
        TEST(nothing_left_ticked_shows_the_page_again_with_the_reason),
        TEST(a_person_denies_and_the_agent_is_told),
        TEST(every_request_is_asked_about_whatever_was_agreed_before),
        TEST(the_shortest_time_is_the_default),
        TEST(a_form_that_holds_more_than_was_asked_for_grants_nothing),
        TEST(a_form_whose_request_was_changed_is_refused),
        TEST(a_consent_form_is_good_for_one_answer),
        TEST(a_page_that_stood_open_too_long_is_refused),
        TEST(nobody_fills_the_store_with_answers),
        TEST(a_person_has_so_many_grants_and_then_ends_some),
        TEST(a_form_without_token_is_refused),
        TEST(the_form_of_another_session_is_refused),
        TEST(a_token_of_one_purpose_is_none_of_another),
        TEST(a_login_form_needs_the_cookie_of_its_page),
        TEST(a_form_from_another_site_is_refused_even_with_its_token),
        TEST(no_page_may_be_framed_cached_or_run_a_script),
        TEST(the_policy_lets_a_form_lead_to_the_redirect_uri_and_nowhere_else),
        TEST(a_bad_client_or_redirect_uri_gets_a_page_and_never_a_redirect),
        TEST(a_client_without_redirect_uris_has_no_code_flow),
        TEST(a_query_that_is_too_long_gets_a_page),
        TEST(a_redirect_below_our_own_cookies_path_is_refused_on_loopback),
        TEST(a_login_leads_to_paths_of_ours_only),
        TEST(other_faults_are_told_to_the_redirect_uri_with_state_and_iss),
        TEST(an_agent_that_registered_itself_cannot_send_people_on_without_their_doing),
        TEST(a_purpose_or_details_that_are_too_long_are_refused),
        TEST(a_repeated_or_strange_state_is_not_sent_back),
        TEST(a_state_full_of_tricks_comes_back_as_it_was),
        TEST(what_an_agent_wrote_is_text_on_every_page),
        TEST(what_a_person_types_is_text_on_the_page),
        TEST(an_agent_that_registered_itself_is_marked_with_where_the_answer_goes),
        TEST(a_login_changes_the_cookie),
        TEST(a_new_login_ends_the_session_of_before),
        TEST(a_cookie_is_stored_as_a_hash_only),
        TEST(a_session_ends_when_it_idles_and_after_a_day_of_work),
        TEST(a_session_that_ended_while_the_consent_page_was_open_asks_for_the_password),
        TEST(logging_out_ends_the_session),
        TEST(prompt_login_wants_the_password_again_and_once),
        TEST(a_person_has_twenty_sessions_and_the_oldest_goes),
        TEST(the_cookie_of_https_is_bound_to_the_host),
        TEST(a_cookie_that_is_not_of_our_form_is_no_cookie),
        TEST(a_wrong_password_and_an_unknown_name_look_the_same),
        TEST(whoever_knows_the_password_uses_up_nothing),
        TEST(a_guesser_at_the_same_address_does_not_hold_up_a_browser_that_is_known),
        TEST(a_known_browser_guesses_no_faster_and_for_nobody_else),
        TEST(another_password_forgets_the_browsers_that_are_known),
        TEST(guesses_at_the_login_do_not_hold_up_who_is_in),
        TEST(who_stole_a_session_does_not_keep_the_person_from_a_new_password),
        TEST(a_refusal_costs_the_same_whether_the_name_exists_or_not),
        TEST(an_unknown_name_costs_the_same_hash),
        TEST(a_guesser_is_slowed_down_and_the_person_elsewhere_is_not),
        TEST(a_password_hashed_with_less_is_hashed_anew_at_login),
        TEST(a_person_ends_a_grant_and_verifiers_are_told),
        TEST(an_account_full_of_large_grants_can_still_be_emptied),
        TEST(nobody_ends_the_grant_of_somebody_else),
        TEST(a_removed_persons_cookie_is_nobodys_and_the_grants_have_ended),
        TEST(a_person_removed_while_the_password_is_hashed_is_not_logged_in),
        TEST(a_password_is_changed_with_the_old_one),
        TEST(a_password_is_not_changed_while_other_sessions_cannot_be_ended),
        TEST(the_short_address_leads_to_the_account),
        TEST(an_issuer_with_a_path_has_its_pages_below_it),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
