/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logging in; see login.h.  Whether a name exists is not to be learned from it: an unknown one
 * costs the same hash and gets the same page, and who has to wait is told so before anybody is
 * looked up.  The hash is a job (work.h), so that nobody waits for somebody's login.
 */
#include "login.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "known_browser.h"
#include "log.h"
#include "page.h"
#include "passwords.h"

/* ---- the page ---- */

static void put_heading(const struct login_page *page, postern_buf *out)
{
    HTML_TEXTLESS(out, "<h1>Log in</h1>");
    if (page->asks == NULL)
        HTML_TEXTLESS(out, "<p class=\"lead\">to see what you allowed agents to do for you.</p>");
    else
        HTML(out,
             "<p class=\"lead\">The agent <b>{}</b> asks to act for you. You decide on the next page."
             "</p>",
             page->asks->client.name);
}

static void put_fields(const struct login_page *page, postern_buf *out)
{
    const char *mark =
        page->is_wrong ? " aria-invalid=\"true\" aria-describedby=\"login-error\"" : "";

    if (page->is_wrong)
        HTML_TEXTLESS(out, "<p class=\"note bad\" role=\"alert\" id=\"login-error\">Name or password "
                           "is wrong. Try again.</p>");
    HTML(out,
         "<div class=\"field\"><label for=\"name\">Name</label>"
         "<input type=\"text\" id=\"name\" name=\"name\" value=\"{}\" maxlength=\"64\" required "
         "autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\"",
         page->name == NULL ? "" : page->name);
    postern_buf_add_str(out, mark);
    HTML_TEXTLESS(out,
                  "></div><div class=\"field\"><label for=\"password\">Password</label>"
                  "<input type=\"password\" id=\"password\" name=\"password\" required "
                  "autocomplete=\"current-password\"");
    postern_buf_add_str(out, mark);
    HTML_TEXTLESS(out, "></div><div class=\"actions\"><button class=\"primary\">Log in</button>"
                       "</div></form>");
}

void login_show(struct issuer *is, const struct visitor *v, const struct login_page *page,
                struct answer *a)
{
    struct page frame = { .title = "Log in",
                          .leads_to = page->asks == NULL ? "" : page->asks->redirect };
    char token[FORM_TOKEN_MAX];

    if (!visitor_make_token(is, v, "login", page->request, token)) {
        page_internal(is, a);
        return;
    }
    page_open(is, &frame, a);
    put_heading(page, &a->body);
    HTML(&a->body,
         "<form method=\"post\" action=\"{}/oauth/login\">"
         "<input type=\"hidden\" name=\"form_token\" value=\"{}\">"
         "<input type=\"hidden\" name=\"request\" value=\"{}\">",
         is->settings->path, token, page->request);
    put_fields(page, &a->body);
    page_close(is, page->is_wrong ? 403 : 200, a);
    if (v->is_cookie_new)
        cookie_set(is->settings, v->cookie, a);
}

/* ---- an attempt ---- */

/*
 * A guesser gets ten guesses and then one in half a minute for one name from one address, and a
 * few names' worth from one address altogether.  Buckets of an address hold up nobody elsewhere;
 * but behind a proxy, or on one machine, all have the same: who logged in before in this browser
 * has a bucket that is the browser's.
 */
static const struct rate_rule name_rule = { "login", 10, 30000 };
static const struct rate_rule source_rule = { "login-source", 100, 2000 };
static const struct rate_rule known_rule = { "login-known", 10, 30000 };

struct attempt {
    struct answer_job job;
    struct issuer *is;
    struct visitor visitor;
    struct user_record user, renewed; /* renewed: with today's parameters, when they were weak */
    bool is_known, is_hashed, is_right, is_renewed;
    char source[INET6_ADDRSTRLEN];
    char browser[COOKIE_VALUE_MAX]; /* known_browser_find()'s; "": not known */
    char name[USER_NAME_MAX];
    char password[PASSWORD_MAX + 1];
    char *request;
};

/* One more attempt may be made now; else seconds to wait. */
static int wait_s_of(const struct attempt *t)
{
    struct rate_table *rates = t->is->rates;
    int64_t now_ms = issuer_mono_ms(t->is);
    int wait_s;

    if (t->browser[0] != '\0')
        return rate_take(rates, &known_rule, t->name, t->browser, now_ms);
    wait_s = rate_take(rates, &source_rule, "", t->source, now_ms);
    return wait_s != 0 ? wait_s : rate_take(rates, &name_rule, t->name, t->source, now_ms);
}

/* Who knows the password is held up by nobody's guesses but those that are ahead of him. */
static void give_back(const struct attempt *t)
{
    struct rate_table *rates = t->is->rates;
    int64_t now_ms = issuer_mono_ms(t->is);

    if (t->browser[0] != '\0') {
        rate_give_back(rates, &known_rule, t->name, t->browser, now_ms);
        return;
    }
    rate_give_back(rates, &source_rule, "", t->source, now_ms);
    rate_give_back(rates, &name_rule, t->name, t->source, now_ms);
}

static void free_attempt(struct job *j)
{
    struct attempt *t = (struct attempt *)j;

    free(t->request);
    postern_wipe(t, sizeof *t);
    free(t);
}

static void hash_attempt(struct job *j)
{
    struct attempt *t = (struct attempt *)j;
    postern_bytes password = postern_bytes_str(t->password);
    uint8_t hash[USER_PASSWORD_HASH];

    t->is_hashed = password_hash(password, &t->user, hash);
    t->is_right = t->is_hashed && t->is_known &&
                  postern_bytes_equal_ct((postern_bytes){ hash, sizeof hash },
                                         (postern_bytes){ t->user.password, sizeof hash });
    postern_wipe(hash, sizeof hash);
    if (t->is_right && password_is_weakly_hashed(&t->user))
        t->is_renewed = password_hash(password, &t->renewed, t->renewed.password);
}

/* The person is still there with this very password: both may have gone while it was hashed. */
static postern_err check_again(struct attempt *t, bool *ret, postern_error *err)
{
    struct user_record now;
    bool is_found = false;

    POSTERN_TRY(store_user_find(t->is->store, t->name, &is_found, &now, err));
    *ret = is_found && memcmp(now.password, t->user.password, sizeof now.password) == 0;
    postern_wipe(&now, sizeof now);
    return POSTERN_OK;
}

static postern_err enter(struct attempt *t, struct answer *a, postern_error *err)
{
    bool is_still_right = false, is_found = false;

    POSTERN_TRY(check_again(t, &is_still_right, err));
    t->is_right = is_still_right;
    if (!t->is_right)
        return POSTERN_OK;
    if (t->is_renewed)
        POSTERN_TRY(store_user_set_password(t->is->store, &t->user, &t->renewed, &is_found, err));
    POSTERN_TRY(visitor_log_in(t->is, t->visitor.cookie, t->name, a, err));
    known_browser_set(t->is, t->name, t->is_renewed && is_found ? &t->renewed : &t->user, a);
    return POSTERN_OK;
}

/* The page again; the request was fine when its form was made, and is told only if it still is. */
static void show_again(struct attempt *t, struct answer *a)
{
    struct login_page page = { .request = t->request, .name = t->name, .is_wrong = true };
    struct authorize_request r;

    if (t->request[0] != '\0' &&
        authorize_request_read(t->is, t->request, &r, NULL) == AUTHORIZE_GOOD)
        page.asks = &r;
    login_show(t->is, &t->visitor, &page, a);
}

static void finish_attempt(struct answer_job *j, struct answer *a)
{
    struct attempt *t = (struct attempt *)j;
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    if (!t->is_hashed)
        e = POSTERN_FAIL(&err, NOMEM, "hashing a password");
    else if (t->is_right)
        e = enter(t, a, &err);
    if (e != POSTERN_OK) {
        log_error("login", &err);
        page_internal(t->is, a);
        return;
    }
    if (!t->is_right) {
        /* An unknown name may be a password in the wrong field. */
        log_note("a login of %s failed", t->is_known ? t->name : "somebody unknown");
        show_again(t, a);
        return;
    }
    log_note("%s logged in", t->name);
    give_back(t);
    page_redirect(t->is, t->request[0] == '\0' ? "/oauth/account" : "/oauth/authorize", t->request,
                  a);
}

/* Unknown people are hashed with a salt of nobody's. */
static postern_err find_user(struct attempt *t, postern_error *err)
{
    POSTERN_TRY(store_user_find(t->is->store, t->name, &t->is_known, &t->user, err));
    if (!t->is_known)
        password_prepare(&t->user, t->is->no_client_sha256);
    password_prepare(&t->renewed, t->user.salt);
    if (!issuer_random(t->renewed.salt, sizeof t->renewed.salt))
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    return POSTERN_OK;
}

/*
 * May it be made now?  Any number of refusals costs nothing, so that they must not differ in time:
 * the look-up comes behind the buckets, but for who shows a cookie, and there an unknown name's
 * costs an HMAC as well.
 */
static postern_err admit(struct attempt *t, const char *cookie, int *ret_wait_s, postern_error *err)
{
    bool may_be_known = known_browser_is_claimed(t->is, cookie);

    *ret_wait_s = may_be_known ? 0 : wait_s_of(t);
    if (*ret_wait_s != 0)
        return POSTERN_OK;
    POSTERN_TRY(find_user(t, err));
    if (!may_be_known)
        return POSTERN_OK;
    known_browser_find(t->is, cookie, &t->user, t->browser);
    if (!t->is_known)
        t->browser[0] = '\0';
    *ret_wait_s = wait_s_of(t);
    return POSTERN_OK;
}

static struct attempt *make_attempt(struct issuer *is, const struct visitor *v,
                                    const struct http_request *rq, const postern_form *form)
{
    const char *name = postern_form_value(form, "name");
    const char *password = postern_form_value(form, "password");
    const char *request = postern_form_value(form, "request");
    struct attempt *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->job = (struct answer_job){ { hash_attempt, free_attempt }, finish_attempt };
    t->is = is;
    t->visitor = *v;
    t->request = strdup(request == NULL ? "" : request);
    if (t->request == NULL) {
        free_attempt(&t->job.work);
        return NULL;
    }
    (void)snprintf(t->source, sizeof t->source, "%s", rq->source); /* an address fits */
    /* Too long: "" is nobody's, neither as a name nor as a password. */
    if (name != NULL && strlen(name) < USER_NAME_MAX)
        memcpy(t->name, name, strlen(name) + 1);
    if (password != NULL && strlen(password) <= PASSWORD_MAX)
        memcpy(t->password, password, strlen(password) + 1);
    return t;
}

static void attempt(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    char nonce[FORM_TOKEN_NONCE_MAX];
    postern_error err = { 0 };
    struct attempt *t;
    struct visitor v;
    int wait_s = 0;

    if (!visitor_find(is, rq, &v, a) ||
        !visitor_read_form(is, rq, &v, "login", "request", &form, nonce, a))
        return;
    t = make_attempt(is, &v, rq, form);
    if (t == NULL || admit(t, rq->cookie, &wait_s, &err) != POSTERN_OK) {
        log_error("login", &err);
        if (t != NULL)
            free_attempt(&t->job.work);
        page_internal(is, a);
        return;
    }
    if (wait_s == 0) {
        a->take_job = &t->job;
        return;
    }
    free_attempt(&t->job.work);
    page_too_many(is, wait_s, a);
}

void login(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    struct visitor v;

    if (strcmp(rq->method, "POST") == 0) {
        attempt(is, rq, a);
        return;
    }
    if (!visitor_find(is, rq, &v, a))
        return;
    if (v.is_logged_in)
        page_redirect(is, "/oauth/account", "", a);
    else
        login_show(is, &v, &(struct login_page){ .request = "" }, a);
}

void logout(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    char nonce[FORM_TOKEN_NONCE_MAX];
    struct visitor v;

    if (!visitor_find(is, rq, &v, a) ||
        !visitor_read_form(is, rq, &v, "logout", NULL, &form, nonce, a))
        return;
    if (visitor_log_out(is, &v, a))
        page_redirect(is, "/oauth/login", "", a);
}
