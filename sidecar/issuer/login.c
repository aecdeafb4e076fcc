/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logging in; see login.h.  Whether a name exists is not to be learned from it: an unknown one
 * costs the same hash and gets the same page.  The hash is a job (work.h), so that nobody waits
 * for somebody's login.
 */
#include "login.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "page.h"
#include "passwords.h"

/*
 * A guesser gets ten guesses and then one in half a minute for one name from one address, and a
 * few names' worth from one address altogether.  Buckets of an address hold up nobody elsewhere.
 */
static const struct rate_rule name_rule = { "login", 10, 30000 };
static const struct rate_rule source_rule = { "login-source", 100, 2000 };

int login_wait_s(struct issuer *is, const char *name, const char *source)
{
    int wait_s = rate_take(is->rates, &source_rule, "", source, issuer_mono_ms(is));

    return wait_s != 0 ? wait_s
                       : rate_take(is->rates, &name_rule, name, source, issuer_mono_ms(is));
}

/* Who knows the password is held up by nobody's guesses but those that are ahead of him. */
static void give_back(struct issuer *is, const char *name, const char *source)
{
    int64_t now_ms = issuer_mono_ms(is);

    rate_give_back(is->rates, &source_rule, "", source, now_ms);
    rate_give_back(is->rates, &name_rule, name, source, now_ms);
}

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

struct attempt {
    struct answer_job job;
    struct issuer *is;
    struct visitor visitor;
    struct user_record user, renewed; /* renewed: with today's parameters, when they were weak */
    bool is_known, is_hashed, is_right, is_renewed;
    char source[INET6_ADDRSTRLEN];
    char name[USER_NAME_MAX];
    char password[PASSWORD_MAX + 1];
    char *request;
};

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
    return visitor_log_in(t->is, t->visitor.cookie, t->name, a, err);
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
    give_back(t->is, t->name, t->source);
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
    if (t->is_known && !issuer_random(t->renewed.salt, sizeof t->renewed.salt))
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    return POSTERN_OK;
}

static struct attempt *make_attempt(struct issuer *is, const struct visitor *v, const char *name,
                                    const char *password, const char *request)
{
    struct attempt *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->job = (struct answer_job){ { hash_attempt, free_attempt }, finish_attempt };
    t->is = is;
    t->visitor = *v;
    t->request = strdup(request);
    if (t->request == NULL) {
        free_attempt(&t->job.work);
        return NULL;
    }
    memcpy(t->name, name, strlen(name) + 1);
    memcpy(t->password, password, strlen(password) + 1);
    return t;
}

static void attempt(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    char nonce[FORM_TOKEN_NONCE_MAX];
    const char *name, *password, *request;
    postern_error err = { 0 };
    struct attempt *t;
    struct visitor v;
    int wait_s;

    if (!visitor_find(is, rq, &v, a) ||
        !visitor_read_form(is, rq, &v, "login", "request", &form, nonce, a))
        return;
    name = postern_form_value(form, "name");
    password = postern_form_value(form, "password");
    request = postern_form_value(form, "request");
    request = request == NULL ? "" : request;
    if (name == NULL || strlen(name) >= USER_NAME_MAX)
        name = ""; /* nobody's */
    if (password == NULL || strlen(password) > PASSWORD_MAX)
        password = ""; /* likewise */
    wait_s = login_wait_s(is, name, rq->source);
    if (wait_s != 0) {
        page_too_many(is, wait_s, a);
        return;
    }
    t = make_attempt(is, &v, name, password, request);
    if (t != NULL)
        (void)snprintf(t->source, sizeof t->source, "%s", rq->source); /* an address fits */
    if (t == NULL || find_user(t, &err) != POSTERN_OK) {
        log_error("login", &err);
        if (t != NULL)
            free_attempt(&t->job.work);
        page_internal(is, a);
        return;
    }
    a->take_job = &t->job;
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
