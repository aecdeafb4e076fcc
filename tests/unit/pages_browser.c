/* SPDX-License-Identifier: BSD-2-Clause */
/* See pages_browser.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "issuer/passwords.h"
#include "issuer/routes.h"
#include "issuer/visitor.h"
#include "pages_browser.h"

#define FAST_LOG_N 4 /* a test is no guesser */

int __real_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt, size_t salt_len, uint64_t n,
                          uint64_t r, uint64_t p, uint64_t memory_max, unsigned char *key, size_t key_len);
int __wrap_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt, size_t salt_len, uint64_t n,
                          uint64_t r, uint64_t p, uint64_t memory_max, unsigned char *key, size_t key_len);

/* As fast as that whatever is asked for, and another hash for each cost, as it is for each salt.  Today's cost is paid in
 * test_issuer_admin.c; here only the people who would wait for it are not. */
int __wrap_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt, size_t salt_len, uint64_t n,
                          uint64_t r, uint64_t p, uint64_t memory_max, unsigned char *key, size_t key_len)
{
    struct {
        unsigned char salt[USER_SALT];
        uint64_t n, r, p;
    } seasoned = { .n = n, .r = r, .p = p };

    assert_int_equal(salt_len, sizeof seasoned.salt);
    memcpy(seasoned.salt, salt, salt_len);
    return __real_EVP_PBE_scrypt(pass, pass_len, (unsigned char *)&seasoned, sizeof seasoned, UINT64_C(1) << FAST_LOG_N, 1, 1,
                                 memory_max, key, key_len);
}

void browser_add_agent(struct fixture *f, const char *name, const char *title, const char *redirects, unsigned flags)
{
    struct client_record c = { .auth = CLIENT_AUTH_BY_NOTHING,
                               .scopes = "mail.read mail.send",
                               .resources = FIXTURE_IMAP " " FIXTURE_LDAP,
                               .flags = flags,
                               .created_s = f->now_s };
    store_add added = STORE_ADD_UNSET;

    assert_true(snprintf(c.name, sizeof c.name, "%s", name) < (int)sizeof c.name);
    assert_true(snprintf(c.title, sizeof c.title, "%s", title) < (int)sizeof c.title);
    assert_true(snprintf(c.redirects, sizeof c.redirects, "%s", redirects) < (int)sizeof c.redirects);
    assert_int_equal(store_client_add(f->is.store, &c, &added, NULL), POSTERN_OK);
    assert_int_equal(added, STORE_ADDED);
}

void browser_add_user(struct fixture *f, const char *name, const char *password)
{
    struct user_record u = { .log_n = FAST_LOG_N, .r = 8, .p = 1, .created_s = f->now_s };
    store_add added = STORE_ADD_UNSET;

    assert_true(snprintf(u.name, sizeof u.name, "%s", name) < (int)sizeof u.name);
    memset(u.salt, 7, sizeof u.salt);
    assert_true(password_hash(postern_bytes_str(password), &u, u.password));
    assert_int_equal(store_user_add(f->is.store, &u, &added, NULL), POSTERN_OK);
    assert_int_equal(added, STORE_ADDED);
}

void browser_set_up_people(struct fixture *f)
{
    browser_add_agent(f, "agent-7", "Mail helper", AGENT_REDIRECT " https://agent.example/cb?tenant=1", 0);
    browser_add_user(f, "alice", ALICE_PASSWORD);
}

struct browser browser_new(struct fixture *f)
{
    return (struct browser){ .f = f, .source = "192.0.2.1", .origin = NULL };
}

/* Keep what Set-Cookie says. */
static void keep_cookie(struct browser *b)
{
    const char *set = b->f->answer.set_cookie, *known = b->f->answer.set_known_cookie;
    int len = (int)strcspn(set, ";"), known_len = (int)strcspn(known, ";");

    if (known_len != 0)
        assert_true(snprintf(b->known, sizeof b->known, "%.*s", known_len, known) < (int)sizeof b->known);
    if (set[0] == '\0')
        return;
    assert_non_null(strstr(set, "; HttpOnly; SameSite=Lax"));
    if (strstr(set, "Max-Age=0") != NULL)
        b->cookie[0] = '\0';
    else
        assert_true(snprintf(b->cookie, sizeof b->cookie, "%.*s", len, set) < (int)sizeof b->cookie);
}

static void run_job(struct fixture *f)
{
    struct answer_job *job = f->answer.take_job;

    if (job == NULL)
        return;
    f->answer.take_job = NULL;
    job->work.run(&job->work);
    answer_free(&f->answer);
    f->answer = ANSWER_INIT;
    job->finish(job, &f->answer);
    job->work.free(&job->work);
}

/* The job, if there is one, stays in the answer. */
static void ask(struct browser *b, struct http_request rq)
{
    char cookies[sizeof b->cookie + sizeof b->known + 4];

    (void)snprintf(cookies, sizeof cookies, "%s; %s", b->known, b->cookie); /* fits */
    rq.host = FIXTURE_HOST;
    rq.source = b->source;
    rq.cookie = b->cookie[0] == '\0' && b->known[0] == '\0' ? NULL : cookies;
    answer_free(&b->f->answer);
    b->f->answer = ANSWER_INIT;
    routes_answer(&b->f->is, &rq, &b->f->answer);
}

static void ask_and_finish(struct browser *b, struct http_request rq)
{
    struct fixture *f = b->f;

    ask(b, rq);
    run_job(f);
    assert_false(f->answer.body.failed || f->answer.location.failed);
    keep_cookie(b);
}

void browser_get(struct browser *b, const char *path, const char *query)
{
    ask_and_finish(b, (struct http_request){ .method = "GET", .path = path, .query = query });
}

static struct http_request form_request(const struct browser *b, const char *path, const char *body)
{
    return (struct http_request){ .method = "POST",
                                  .path = path,
                                  .content_type = "application/x-www-form-urlencoded",
                                  .origin = b->origin,
                                  .fetch_site = b->fetch_site,
                                  .body = postern_bytes_str(body) };
}

void browser_post(struct browser *b, const char *path, const char *body)
{
    ask_and_finish(b, form_request(b, path, body));
}

struct answer_job *browser_post_and_wait(struct browser *b, const char *path, const char *body)
{
    struct answer_job *job;

    ask(b, form_request(b, path, body));
    job = b->f->answer.take_job;
    b->f->answer.take_job = NULL;
    return job;
}

const char *body_text(struct fixture *f)
{
    const char *text = postern_buf_cstr(&f->answer.body);

    assert_non_null(text);
    return text;
}

static void unescape(char *text)
{
    static const struct {
        const char *entity;
        char byte;
    } entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&#39;", '\'' } };
    char *out = text;

    while (*text != '\0') {
        size_t i = 0;

        while (i < sizeof entities / sizeof *entities &&
               strncmp(text, entities[i].entity, strlen(entities[i].entity)) != 0)
            i++;
        if (i < sizeof entities / sizeof *entities) {
            *out++ = entities[i].byte;
            text += strlen(entities[i].entity);
        } else {
            *out++ = *text++;
        }
    }
    *out = '\0';
}

const char *browser_hidden(struct browser *b, const char *name)
{
    static char value[32768];
    char start[64];
    const char *p;
    size_t len;

    assert_true(snprintf(start, sizeof start, "type=\"hidden\" name=\"%s\" value=\"", name) < (int)sizeof start);
    p = strstr(body_text(b->f), "<main>"); /* the log-out form stands above */
    assert_non_null(p);
    p = strstr(p, start);
    if (p == NULL)
        fail_msg("no field %s in %s", name, body_text(b->f));
    p += strlen(start);
    len = strcspn(p, "\"");
    assert_true(len < sizeof value);
    memcpy(value, p, len);
    value[len] = '\0';
    unescape(value);
    return value;
}

char *browser_form(struct browser *b, const char *more)
{
    POSTERN_AUTO_BUF body = POSTERN_BUF_INIT(65536);
    char *copy;

    postern_form_add(&body, "form_token", postern_bytes_str(browser_hidden(b, "form_token")));
    if (strstr(body_text(b->f), "name=\"request\"") != NULL)
        postern_form_add(&body, "request", postern_bytes_str(browser_hidden(b, "request")));
    postern_buf_add_byte(&body, '&');
    postern_buf_add_str(&body, more);
    copy = strdup(postern_buf_cstr(&body));
    assert_non_null(copy);
    return copy;
}

void browser_log_in(struct browser *b, const char *name, const char *password, const char *query)
{
    POSTERN_AUTO_BUF more = POSTERN_BUF_INIT(4096);
    char *body;

    browser_get(b, query == NULL ? "/oauth/login" : "/oauth/authorize", query);
    assert_int_equal(b->f->answer.status, 200);
    postern_form_add(&more, "name", postern_bytes_str(name));
    postern_form_add(&more, "password", postern_bytes_str(password));
    body = browser_form(b, postern_buf_cstr(&more));
    browser_post(b, "/oauth/login", body);
    free(body);
}

void browser_be_alice(struct browser *b)
{
    answer_free(&b->f->answer);
    b->f->answer = ANSWER_INIT;
    assert_int_equal(visitor_log_in(&b->f->is, "", "alice", &b->f->answer, NULL), POSTERN_OK);
    keep_cookie(b);
}

void assert_page(struct fixture *f, int status, const char *holds)
{
    const struct answer *a = &f->answer;

    if (a->status != status)
        fail_msg("status %d, not %d: %s", a->status, status, body_text(f));
    assert_string_equal(a->content_type, "text/html; charset=utf-8");
    assert_string_equal(a->cache_control, "no-store");
    assert_int_equal(a->location.len, 0);
    assert_non_null(strstr(a->page_policy, "default-src 'none'; style-src 'self'; form-action 'self'"));
    assert_non_null(strstr(a->page_policy, "frame-ancestors 'none'"));
    assert_null(strstr(body_text(f), "<script"));
    if (strstr(body_text(f), holds) == NULL)
        fail_msg("\"%s\" is not in %s", holds, body_text(f));
}

void assert_redirect(struct fixture *f, const char *begins)
{
    const char *location = postern_buf_cstr(&f->answer.location);

    if (f->answer.status != 303 || location == NULL || strncmp(location, begins, strlen(begins)) != 0)
        fail_msg("status %d, location %s, body %s", f->answer.status, location == NULL ? "none" : location,
                 body_text(f));
    for (const char *p = location; *p != '\0'; p++)
        assert_true(*p > 0x20 && *p < 0x7F);
}

const char *location_value(struct fixture *f, const char *name)
{
    static char value[8192];
    const char *query = strchr(postern_buf_cstr(&f->answer.location), '?');
    POSTERN_AUTO(form) form = NULL;
    const char *found;

    assert_non_null(query);
    assert_int_equal(postern_form_parse(postern_bytes_str(query + 1), &form, NULL), POSTERN_OK);
    assert_true(postern_form_count(form, name) <= 1);
    found = postern_form_value(form, name);
    if (found == NULL)
        return NULL;
    assert_true(snprintf(value, sizeof value, "%s", found) < (int)sizeof value);
    return value;
}
