/* SPDX-License-Identifier: BSD-2-Clause */
/* The consent page; see consent.h.  Everything in it that an agent chose is shown as its own claim
 * (OAuth 2.1 §7.3, RFC 9700 §4.16). */
#include "consent.h"

#include "describe.h"
#include "page.h"
#include "words.h"

/* The shortest is the default: who wants more says so. */
static const struct {
    const char *value, *text;
    int64_t life_s;
} lives[] = {
    { "1h", "1 hour", 3600 },
    { "8h", "8 hours", 8 * 3600 },
    { "30d", "30 days", 30 * 86400 },
    { "90d", "90 days", 90 * 86400 },
};
#define LIVES (sizeof lives / sizeof *lives)

/* ---- the page ---- */

static bool is_self_registered(const struct authorize_request *r)
{
    return (r->client.flags & CLIENT_SELF_REGISTERED) != 0;
}

/* Its own name for itself makes no headline of somebody whom nobody knows. */
static void put_agent(const struct visitor *v, const struct authorize_request *r, postern_buf *out)
{
    bool has_title = r->client.title[0] != '\0';

    if (is_self_registered(r))
        HTML_TEXTLESS(out, "<h1>Let an unverified agent act for you?</h1>");
    else
        HTML(out, "<h1>Let <bdi>{}</bdi> act for you?</h1>",
             has_title ? r->client.title : r->client.name);
    HTML(out, "<p class=\"lead\">You are <b>{}</b>. The agent is known here as <b>{}</b>",
         v->session.user, r->client.name);
    if (is_self_registered(r) && has_title)
        HTML(out, " and calls itself “<bdi>{}</bdi>”", r->client.title);
    HTML_TEXTLESS(out, ".</p>");
}

static void put_origin(const struct authorize_request *r, postern_buf *out)
{
    char place[DESCRIBE_MAX];

    describe_redirect(r->redirect, place);
    if (is_self_registered(r))
        HTML(out,
             "<p class=\"note warn\"><b>Not verified.</b> This agent registered itself; nobody here "
             "has checked who runs it. Your answer goes to <b><bdi>{}</bdi></b>. Go on only if you "
             "started this yourself.</p>",
             place);
}

static void put_fault(const struct consent_choice *again, const char *at, postern_buf *out)
{
    if (again != NULL && again->fault != NULL && strcmp(again->fault_at, at) == 0)
        HTML(out, "<p class=\"note bad\" role=\"alert\" id=\"{}-error\">{}</p>", at, again->fault);
}

/* A row is ticked unless the person unticked it the last time. */
static const char *ticked(const struct consent_choice *again, const char *list, postern_bytes word)
{
    return again == NULL || words_has(list, word) ? " checked" : "";
}

static void open_fieldset(const struct consent_choice *again, const char *at, const char *legend,
                          postern_buf *out)
{
    bool has_fault =
        again != NULL && again->fault != NULL && strcmp(again->fault_at, at) == 0;

    if (has_fault)
        HTML(out, "<fieldset aria-describedby=\"{}-error\"><legend>{}</legend>", at, legend);
    else
        HTML(out, "<fieldset><legend>{}</legend>", legend);
    put_fault(again, at, out);
}

static void put_row(const char *field, const char *value, const char *words, const char *checked,
                    postern_buf *out)
{
    HTML(out, "<label class=\"row\"><input type=\"checkbox\" name=\"{}\" value=\"{}\"", field,
         value);
    postern_buf_add_str(out, checked);
    HTML(out, "><span>{} <code>{}</code></span></label>", words, value);
}

static void put_services(const struct issuer *is, const struct authorize_request *r,
                         const struct consent_choice *again, postern_buf *out)
{
    const char *cursor = r->resources;
    char value[CLIENT_RESOURCES_MAX], words[DESCRIBE_MAX];
    postern_bytes word;

    open_fieldset(again, "resources", "At these services", out);
    while (words_next(&cursor, &word)) {
        value[0] = '\0';
        (void)words_append(value, sizeof value, word); /* it is a part of a list of that size */
        describe_service(is->settings, word, words);
        put_row("resource", value, words,
                ticked(again, again == NULL ? "" : again->resources, word), out);
    }
    HTML_TEXTLESS(out, "</fieldset>");
}

static void put_scopes(const struct authorize_request *r, const struct consent_choice *again,
                       postern_buf *out)
{
    const char *cursor = r->scopes;
    char value[CLIENT_SCOPES_MAX], words[DESCRIBE_MAX];
    postern_bytes word;

    if (r->scopes[0] == '\0')
        return;
    open_fieldset(again, "scopes", "It may", out);
    while (words_next(&cursor, &word)) {
        value[0] = '\0';
        (void)words_append(value, sizeof value, word); /* it is a part of a list of that size */
        describe_scope(word, words);
        put_row("scope", value, words, ticked(again, again == NULL ? "" : again->scopes, word),
                out);
    }
    HTML_TEXTLESS(out, "</fieldset>");
}

static void put_claims(const struct authorize_request *r, postern_buf *out)
{
    if (r->purpose[0] != '\0')
        HTML(out,
             "<figure class=\"quote\"><blockquote>“<bdi>{}</bdi>”</blockquote>"
             "<figcaption>What for, in the agent’s own words</figcaption></figure>",
             r->purpose);
    if (r->details[0] != '\0')
        HTML(out,
             "<details open><summary>Details the agent asks for</summary><pre><bdi>{}</bdi></pre>"
             "</details>",
             r->details);
}

static void put_lives(const struct consent_choice *again, postern_buf *out)
{
    int64_t chosen_s = again == NULL ? lives[0].life_s : again->life_s;

    HTML_TEXTLESS(out, "<fieldset><legend>For how long</legend><div class=\"pills\">");
    for (size_t i = 0; i < LIVES; i++) {
        HTML(out, "<label><input type=\"radio\" name=\"life\" value=\"{}\"", lives[i].value);
        postern_buf_add_str(out, lives[i].life_s == chosen_s ? " checked" : "");
        HTML(out, ">{}</label>", lives[i].text);
    }
    HTML_TEXTLESS(out, "</div></fieldset>");
}

static void put_end(const struct authorize_request *r, postern_buf *out)
{
    char place[DESCRIBE_MAX];

    describe_redirect(r->redirect, place);
    HTML(out,
         "<div class=\"actions\"><button class=\"primary\" name=\"decision\" value=\"approve\">"
         "Allow</button><button name=\"decision\" value=\"deny\">Deny</button></div>"
         "<p class=\"after\">Untick what it should not get. You go back to <bdi>{}</bdi>; you can "
         "end this at any time under your account.</p></form>",
         place);
}

void consent_show(struct issuer *is, const struct visitor *v, const char *query,
                  const struct authorize_request *r, const struct consent_choice *again,
                  struct answer *a)
{
    char token[FORM_TOKEN_MAX], logout[FORM_TOKEN_MAX];
    struct page page = { .title = "Let an agent act for you?",
                         .leads_to = r->redirect,
                         .user = v->session.user,
                         .logout_token = logout };

    if (!visitor_make_token(is, v, "consent", query, token) ||
        !visitor_make_token(is, v, "logout", "", logout)) {
        page_internal(is, a);
        return;
    }
    page_open(is, &page, a);
    put_agent(v, r, &a->body);
    put_origin(r, &a->body);
    put_claims(r, &a->body);
    HTML(&a->body,
         "<form method=\"post\" action=\"{}/oauth/authorize\">"
         "<input type=\"hidden\" name=\"form_token\" value=\"{}\">"
         "<input type=\"hidden\" name=\"request\" value=\"{}\">",
         is->settings->path, token, query);
    put_services(is, r, again, &a->body);
    put_scopes(r, again, &a->body);
    put_lives(again, &a->body);
    put_end(r, &a->body);
    page_close(is, again == NULL ? 200 : 400, a);
}

/* ---- the form ---- */

/* Every value of the field must be one of the words that were asked for, so narrowing never
 * widens. */
static bool read_words(const postern_form *form, const char *field, const char *asked, char *room,
                       size_t room_size)
{
    room[0] = '\0';
    for (size_t i = 0; i < postern_form_count(form, field); i++) {
        postern_bytes word = postern_bytes_str(postern_form_value_at(form, field, i));

        if (!words_has(asked, word))
            return false;
        if (!words_has(room, word) && !words_append(room, room_size, word))
            return false;
    }
    return true;
}

static bool read_life(const postern_form *form, int64_t *ret_s)
{
    const char *value = postern_form_value(form, "life");

    for (size_t i = 0; value != NULL && i < LIVES; i++)
        if (strcmp(value, lives[i].value) == 0) {
            *ret_s = lives[i].life_s;
            return postern_form_count(form, "life") == 1;
        }
    return false;
}

static void find_fault(const struct authorize_request *r, struct consent_choice *c)
{
    if (c->resources[0] == '\0') {
        c->fault = "Leave at least one service ticked, or deny.";
        c->fault_at = "resources";
    } else if (c->scopes[0] == '\0' && r->scopes[0] != '\0') {
        c->fault = "Leave at least one thing ticked, or deny.";
        c->fault_at = "scopes";
    }
}

bool consent_read(const postern_form *form, const struct authorize_request *r,
                  struct consent_choice *ret)
{
    const char *decision = postern_form_value(form, "decision");

    *ret = (struct consent_choice){ .fault_at = "" };
    if (decision == NULL || postern_form_count(form, "decision") != 1)
        return false;
    if (strcmp(decision, "deny") == 0)
        return true;
    if (strcmp(decision, "approve") != 0 ||
        !read_words(form, "resource", r->resources, ret->resources, sizeof ret->resources) ||
        !read_words(form, "scope", r->scopes, ret->scopes, sizeof ret->scopes) ||
        !read_life(form, &ret->life_s))
        return false;
    ret->is_approved = true;
    find_fault(r, ret);
    return true;
}
