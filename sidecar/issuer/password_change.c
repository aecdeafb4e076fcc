/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing a password; see password_change.h.  Guesses of the old one are as slow as logins, and
 * only sessions of the person make them, each for itself: who stole one does not keep the person from
 * the change that ends it.  Other browsers are logged out, this one gets another session. */
#include "password_change.h"

#include <stdlib.h>

#include "known_browser.h"
#include "log.h"
#include "page.h"
#include "passwords.h"
#include "visitor.h"

static const struct rate_rule guess_rule = { "password", 10, 30000 };

static void put_field(const char *label, const char *name, const char *autocomplete,
                      const char *fault_at, postern_buf *out)
{
    HTML(out,
         "<div class=\"field\"><label for=\"{}\">{}</label><input type=\"password\" id=\"{}\" "
         "name=\"{}\" required autocomplete=\"{}\"",
         name, label, name, name, autocomplete);
    if (strcmp(fault_at, name) == 0)
        HTML_TEXTLESS(out, " aria-invalid=\"true\" aria-describedby=\"error\"");
    HTML_TEXTLESS(out, "></div>");
}

/* `fault` NULL: nothing was wrong yet; static, as `fault_at`. */
static void show(struct issuer *is, const struct visitor *v, const char *fault,
                 const char *fault_at, struct answer *a)
{
    char token[FORM_TOKEN_MAX], logout_token[FORM_TOKEN_MAX];
    struct page page = { .title = "Change your password",
                         .leads_to = "",
                         .user = v->session.user,
                         .logout_token = logout_token };

    if (!visitor_make_token(is, v, "password", "", token) ||
        !visitor_make_token(is, v, "logout", "", logout_token)) {
        page_internal(is, a);
        return;
    }
    page_open(is, &page, a);
    HTML_TEXTLESS(&a->body, "<h1>Change your password</h1><p class=\"lead\">At least 15 characters: four or "
                            "five words are easy to remember.</p>");
    if (fault != NULL)
        HTML(&a->body, "<p class=\"note bad\" role=\"alert\" id=\"error\">{}</p>", fault);
    HTML(&a->body,
         "<form method=\"post\" action=\"{}/oauth/password\">"
         "<input type=\"hidden\" name=\"form_token\" value=\"{}\">"
         "<input type=\"text\" name=\"name\" value=\"{}\" autocomplete=\"username\" hidden>",
         is->settings->path, token, v->session.user);
    put_field("Current password", "old", "current-password", fault_at, &a->body);
    put_field("New password", "new", "new-password", fault_at, &a->body);
    put_field("New password again", "again", "new-password", fault_at, &a->body);
    HTML(&a->body,
         "<div class=\"actions\"><button class=\"primary\">Change</button></div></form>"
         "<p class=\"after\"><a href=\"{}/oauth/account\">Back to your agents</a></p>",
         is->settings->path);
    page_close(is, fault == NULL ? 200 : 400, a);
}

/* ---- the change ---- */

struct change {
    struct answer_job job;
    struct issuer *is;
    struct visitor visitor;
    struct user_record was, now;
    bool is_hashed, is_right;
    char old[PASSWORD_MAX + 1], new[PASSWORD_MAX + 1];
};

static void free_change(struct job *j)
{
    postern_wipe(j, sizeof(struct change));
    free(j);
}

static void hash_change(struct job *j)
{
    struct change *c = (struct change *)j;
    uint8_t hash[USER_PASSWORD_HASH];

    c->is_hashed = password_hash(postern_bytes_str(c->old), &c->was, hash) &&
                   password_hash(postern_bytes_str(c->new), &c->now, c->now.password);
    c->is_right = c->is_hashed &&
                  postern_bytes_equal_ct((postern_bytes){ hash, sizeof hash },
                                         (postern_bytes){ c->was.password, sizeof hash });
    postern_wipe(hash, sizeof hash);
}

static postern_err keep(struct change *c, struct answer *a, bool *ret_kept, postern_error *err)
{
    struct issuer *is = c->is;

    /* In this order, or a crash between the two leaves a thief's session behind the new password. */
    POSTERN_TRY(store_session_end_others(is->store, c->was.name, c->visitor.session.id_sha256, err));
    POSTERN_TRY(store_user_set_password(is->store, &c->was, &c->now, ret_kept, err));
    if (!*ret_kept)
        return POSTERN_OK;
    POSTERN_TRY(visitor_log_in(is, c->visitor.cookie, c->was.name, a, err));
    known_browser_set(is, c->was.name, &c->now, a);
    return POSTERN_OK;
}

static void finish_change(struct answer_job *j, struct answer *a)
{
    struct change *c = (struct change *)j;
    postern_error err = { 0 };
    bool is_kept = false;
    postern_err e = POSTERN_OK;

    if (!c->is_hashed)
        e = POSTERN_FAIL(&err, NOMEM, "hashing a password");
    else if (c->is_right)
        e = keep(c, a, &is_kept, &err);
    if (e != POSTERN_OK) {
        log_error("changing a password", &err);
        page_internal(c->is, a);
    } else if (is_kept) {
        log_note("%s changed the password", c->was.name);
        page_redirect(c->is, "/oauth/account", "changed", a);
    } else {
        show(c->is, &c->visitor, "The current password is wrong.", "old", a);
    }
}

static void start(struct issuer *is, const struct visitor *v, const char *old, const char *new,
                  struct answer *a)
{
    struct change *c = calloc(1, sizeof *c);
    postern_error err = { 0 };
    uint8_t salt[USER_SALT];
    bool is_found = false;

    if (c == NULL || !issuer_random(salt, sizeof salt) ||
        store_user_find(is->store, v->session.user, &is_found, &c->was, &err) != POSTERN_OK ||
        !is_found) {
        log_error("changing a password", &err);
        free(c);
        page_internal(is, a);
        return;
    }
    c->job = (struct answer_job){ { hash_change, free_change }, finish_change };
    c->is = is;
    c->visitor = *v;
    password_prepare(&c->now, salt);
    memcpy(c->old, old, strlen(old) + 1);
    memcpy(c->new, new, strlen(new) + 1);
    a->take_job = &c->job;
}

static void change(struct issuer *is, const struct visitor *v, const postern_form *form, struct answer *a)
{
    const char *old = postern_form_value(form, "old");
    const char *new = postern_form_value(form, "new");
    const char *again = postern_form_value(form, "again");
    const char *fault = password_fault(postern_bytes_str(new));
    int wait_s;

    if (old == NULL || strlen(old) > PASSWORD_MAX) {
        show(is, v, "The current password is wrong.", "old", a);
        return;
    }
    if (fault != NULL) {
        show(is, v, fault, "new", a);
        return;
    }
    if (again == NULL || strcmp(new, again) != 0) {
        show(is, v, "The new password is not the same both times.", "again", a);
        return;
    }
    wait_s = rate_take(is->rates, &guess_rule, v->session.user, v->cookie, issuer_mono_ms(is));
    if (wait_s != 0)
        page_too_many(is, wait_s, a);
    else
        start(is, v, old, new, a);
}

void password_change(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    char nonce[FORM_TOKEN_NONCE_MAX];
    bool is_post = strcmp(rq->method, "POST") == 0;
    struct visitor v;

    if (!visitor_find(is, rq, &v, a))
        return;
    if (is_post && !visitor_read_form(is, rq, &v, "password", NULL, &form, nonce, a))
        return;
    if (!v.is_logged_in)
        page_redirect(is, "/oauth/login", "", a);
    else if (is_post)
        change(is, &v, form, a);
    else
        show(is, &v, NULL, "", a);
}
