/* SPDX-License-Identifier: BSD-2-Clause */
/* A person's own page; see account.h.  Below /oauth, where the cookie is sent (cookies.h). */
#include "account.h"

#include <stdlib.h>

#include "describe.h"
#include "log.h"
#include "login.h"
#include "page.h"
#include "password_change.h"
#include "people.h"
#include "store_grants.h"
#include "visitor.h"
#include "words.h"

/* Then no further grant is put: the largest has some 40 KiB on the page, which must fit. */
#define FULL_PAGE (ANSWER_BODY_MAX / 2)

/* ---- the page ---- */

static void put_scopes(const struct grant_record *g, postern_buf *out)
{
    const char *cursor = g->scopes;
    char words[DESCRIBE_MAX];
    postern_bytes word;

    if (g->scopes[0] == '\0')
        return;
    HTML_TEXTLESS(out, "<dt>May</dt><dd>");
    for (bool is_first = true; words_next(&cursor, &word); is_first = false) {
        describe_scope(word, words);
        postern_buf_add_str(out, is_first ? "" : ", ");
        HTML(out, "{}", words);
    }
    HTML_TEXTLESS(out, "</dd>");
}

static void put_services(const struct issuer *is, const struct grant_record *g, postern_buf *out)
{
    const char *cursor = g->resources;
    char words[DESCRIBE_MAX];
    postern_bytes word;

    HTML_TEXTLESS(out, "<dt>At</dt><dd>");
    for (bool is_first = true; words_next(&cursor, &word); is_first = false) {
        describe_service(is->settings, word, words);
        postern_buf_add_str(out, is_first ? "" : ", ");
        HTML(out, "{}", words);
    }
    HTML_TEXTLESS(out, "</dd>");
}

static void put_times(const struct grant_record *g, postern_buf *out)
{
    char since[DESCRIBE_MAX], until[DESCRIBE_MAX];

    describe_time(g->created_s, since);
    describe_time(g->ends_s, until);
    HTML(out, "<dt>Since</dt><dd>{}</dd><dt>Until</dt><dd>{}</dd>", since, until);
    if (g->purpose[0] != '\0')
        HTML(out, "<dt>It says</dt><dd>“<bdi>{}</bdi>”</dd>", g->purpose);
}

static void put_agent(const struct client_record *c, const struct grant_record *g, postern_buf *out)
{
    HTML(out, "<div class=\"head\"><div><h2 id=\"g-{}\"><bdi>{}</bdi></h2><code>{}</code>", g->id,
         c->title[0] != '\0' ? c->title : g->client, g->client);
    if ((c->flags & CLIENT_SELF_REGISTERED) != 0)
        HTML_TEXTLESS(out, " <span class=\"tag\">not verified</span>");
    HTML_TEXTLESS(out, "</div>");
}

static bool put_grant(struct issuer *is, const char *token, const struct grant_record *g,
                      postern_buf *out)
{
    struct client_record client = { .title = "" };
    postern_error err = { 0 };
    bool is_found = false;

    if (store_client_find(is->store, g->client, &is_found, &client, &err) != POSTERN_OK) {
        log_error("account", &err);
        return false;
    }
    HTML_TEXTLESS(out, "<li>");
    put_agent(&client, g, out);
    HTML(out,
         "<form method=\"post\" action=\"{}/oauth/account\">"
         "<input type=\"hidden\" name=\"form_token\" value=\"{}\">"
         "<input type=\"hidden\" name=\"grant\" value=\"{}\">"
         "<button class=\"small end\" name=\"action\" value=\"end\" aria-describedby=\"g-{}\">End"
         "</button></form></div><dl>",
         is->settings->path, token, g->id, g->id);
    put_scopes(g, out);
    put_services(is, g, out);
    put_times(g, out);
    HTML_TEXTLESS(out, "</dl></li>");
    return true;
}

static bool put_grants(struct issuer *is, const struct visitor *v, const char *token,
                       postern_buf *out)
{
    struct grant_record *grants = calloc(ACCOUNT_GRANTS_MAX, sizeof *grants);
    postern_error err = { 0 };
    size_t count = 0, shown = 0;
    bool is_done = grants != NULL;

    if (is_done && store_grant_list(is->store, v->session.user, "", issuer_now_s(is), grants,
                                    ACCOUNT_GRANTS_MAX, &count, &err) != POSTERN_OK) {
        log_error("account", &err);
        is_done = false;
    }
    if (is_done && count == 0)
        HTML_TEXTLESS(out, "<p class=\"lead\">No agent may act for you at the moment.</p>");
    if (is_done && count != 0)
        HTML_TEXTLESS(out, "<p class=\"lead\">These agents may act for you. What you end is over at "
                           "once, also where they are logged in right now.</p>"
                           "<ul class=\"grants\">");
    for (; is_done && shown < count && out->len < FULL_PAGE; shown++)
        is_done = put_grant(is, token, &grants[shown], out);
    if (is_done && count != 0)
        HTML_TEXTLESS(out, "</ul>");
    if (is_done && (shown < count || count == ACCOUNT_GRANTS_MAX))
        HTML_TEXTLESS(out, "<p>There may be more: end some of these to see them.</p>");
    free(grants);
    return is_done;
}

static void show(struct issuer *is, const struct visitor *v, const char *query, struct answer *a)
{
    char token[FORM_TOKEN_MAX], logout_token[FORM_TOKEN_MAX];
    struct page page = { .title = "Your agents",
                         .leads_to = "",
                         .user = v->session.user,
                         .logout_token = logout_token };

    if (!visitor_make_token(is, v, "account", "", token) ||
        !visitor_make_token(is, v, "logout", "", logout_token)) {
        page_internal(is, a);
        return;
    }
    page_open(is, &page, a);
    HTML_TEXTLESS(&a->body, "<h1>Your agents</h1>");
    if (query != NULL && strcmp(query, "ended") == 0)
        HTML_TEXTLESS(&a->body, "<p class=\"note good\" role=\"status\">It has ended.</p>");
    if (query != NULL && strcmp(query, "changed") == 0)
        HTML_TEXTLESS(&a->body, "<p class=\"note good\" role=\"status\">Your password is changed. "
                                "Other browsers are logged out.</p>");
    if (!put_grants(is, v, token, &a->body)) {
        page_internal(is, a);
        return;
    }
    HTML(&a->body, "<p class=\"after\"><a href=\"{}/oauth/password\">Change your password</a></p>",
         is->settings->path);
    page_close(is, 200, a);
}

/* ---- what is asked ---- */

static void end_grant(struct issuer *is, const struct visitor *v, const postern_form *form,
                      struct answer *a)
{
    const char *id = postern_form_value(form, "grant");
    const char *action = postern_form_value(form, "action");
    postern_error err = { 0 };
    bool is_found = false;

    if (id == NULL || action == NULL || strcmp(action, "end") != 0) {
        page_problem(is, 400, "This form is not complete", "Nothing was changed. Go back and try again.",
                     a);
        return;
    }
    if (people_end_grant(is, v->session.user, id, &is_found, &err) != POSTERN_OK) {
        log_error("ending a grant", &err);
        page_internal(is, a);
        return;
    }
    /* One that had ended already is as good; another person's looks the same. */
    page_redirect(is, "/oauth/account", is_found ? "ended" : "", a);
}

void account(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    char nonce[FORM_TOKEN_NONCE_MAX];
    bool is_post = strcmp(rq->method, "POST") == 0;
    struct visitor v;

    if (!visitor_find(is, rq, &v, a))
        return;
    if (is_post && !visitor_read_form(is, rq, &v, "account", NULL, &form, nonce, a))
        return;
    if (!v.is_logged_in && is_post)
        page_redirect(is, "/oauth/login", "", a);
    else if (!v.is_logged_in)
        login_show(is, &v, &(struct login_page){ .request = "" }, a);
    else if (is_post)
        end_grant(is, &v, form, a);
    else
        show(is, &v, rq->query, a);
}

void account_short(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    (void)rq; /* whoever it is */
    page_redirect(is, "/oauth/account", "", a);
}
