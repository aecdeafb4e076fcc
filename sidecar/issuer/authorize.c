/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The authorization endpoint; see authorize.h.  The request travels through login and consent as
 * the query that it came in, and is judged anew each time: nothing of it is stored before the
 * person has agreed.  There is no consent by itself, whatever was agreed before (OAuth 2.1 §7.3).
 */
#include "authorize.h"

#include <stdio.h>

#include <postern-private/sha256.h>

#include "authorize_request.h"
#include "consent.h"
#include "describe.h"
#include "log.h"
#include "login.h"
#include "page.h"
#include "visitor.h"
#include "words.h"

#define LOGIN_FRESH_S 60 /* prompt=login: just now is now */

/* Each answer is a row on disk; a person with many agents answers all of them in the morning. */
static const struct rate_rule answer_rule = { "answer", 60, 10000 };

/* ---- to the redirect URI ---- */

static void open_redirect(const struct authorize_request *r, postern_buf *query)
{
    if (r->state[0] != '\0')
        postern_form_add(query, "state", postern_bytes_str(r->state));
}

/* Values are percent-encoded, the URI is a registered one: no byte of either ends the header. */
static void send_back(const struct issuer *is, const struct authorize_request *r,
                      postern_buf *query, struct answer *a)
{
    postern_form_add(query, "iss", postern_bytes_str(is->settings->issuer)); /* RFC 9207 §2 */
    postern_buf_reset(&a->location);
    postern_buf_add_str(&a->location, r->redirect);
    postern_buf_add_byte(&a->location, strchr(r->redirect, '?') == NULL ? '?' : '&');
    postern_buf_add(&a->location, postern_buf_bytes(query));
    if (query->failed)
        a->location.failed = true;
    a->status = 303;
}

/* OAuth 2.1 §4.1.2.1 */
static void send_error(const struct issuer *is, const struct authorize_request *r,
                       const char *error, const char *why, struct answer *a)
{
    POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(ANSWER_LOCATION_MAX);

    postern_form_add(&query, "error", postern_bytes_str(error));
    postern_form_add(&query, "error_description", postern_bytes_str(why));
    open_redirect(r, &query);
    send_back(is, r, &query, a);
}

/*
 * An error that the person has not caused.  Where anybody may register, to send them on without a
 * word would make us an open redirector: they are shown where it goes (RFC 9700 §4.11.2).
 */
static void tell_error(const struct issuer *is, const struct authorize_request *r,
                       const char *error, const char *why, struct answer *a)
{
    POSTERN_AUTO_BUF target = POSTERN_BUF_INIT(ANSWER_LOCATION_MAX);
    struct page page = { .title = "This request does not work", .leads_to = "" };
    char place[DESCRIBE_MAX];
    const char *uri;

    send_error(is, r, error, why, a);
    if ((r->client.flags & CLIENT_SELF_REGISTERED) == 0)
        return;
    postern_buf_add(&target, postern_buf_bytes(&a->location));
    uri = a->location.failed ? NULL : postern_buf_cstr(&target);
    if (uri == NULL) {
        page_internal(is, a);
        return;
    }
    describe_redirect(r->redirect, place);
    page_open(is, &page, a);
    HTML(&a->body,
         "<h1>This request does not work</h1><p class=\"lead\">The agent that sent you here is "
         "refused: {}.</p><p class=\"note warn\"><b>Not verified.</b> This agent registered "
         "itself; nobody here has checked who runs it. Go on only if you started this yourself.</p>"
         "<p class=\"after\"><a href=\"{}\" rel=\"noreferrer\">Back to <bdi>{}</bdi></a></p>",
         why, uri, place);
    page_close(is, 400, a);
}

/* ---- reading ---- */

/* False: answered. */
static bool read_request(struct issuer *is, const char *query, struct authorize_request *ret,
                         struct answer *a)
{
    postern_error err = { 0 };

    switch (authorize_request_read(is, query, ret, &err)) {
    case AUTHORIZE_GOOD:
        return true;
    case AUTHORIZE_REFUSED:
        tell_error(is, ret, ret->error, ret->why, a);
        return false;
    case AUTHORIZE_BAD:
        page_problem(is, 400, "This link does not work", ret->why, a);
        return false;
    case AUTHORIZE_FAILED:
        break;
    }
    log_error("authorization", &err);
    page_internal(is, a);
    return false;
}

static bool needs_login(const struct issuer *is, const struct authorize_request *r,
                        const struct visitor *v)
{
    return !v->is_logged_in ||
           (r->wants_login && issuer_now_s(is) - v->session.authenticated_s > LOGIN_FRESH_S);
}

static void show(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    struct authorize_request r;
    struct visitor v;

    if (!read_request(is, rq->query, &r, a) || !visitor_find(is, rq, &v, a))
        return;
    if (needs_login(is, &r, &v) && r.is_silent)
        tell_error(is, &r, "login_required", "nobody is logged in", a);
    else if (needs_login(is, &r, &v))
        login_show(is, &v, &(struct login_page){ .request = rq->query, .asks = &r }, a);
    else if (r.is_silent)
        tell_error(is, &r, "consent_required", "the person has to agree each time", a);
    else
        consent_show(is, &v, rq->query, &r, NULL, a);
}

/* ---- the person's word ---- */

static bool make_code(char ret[POSTERN_BASE64_ENCODED_MAX(CODE_BYTES) + 1],
                      uint8_t ret_sha256[GRANT_HASH])
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_BASE64_ENCODED_MAX(CODE_BYTES) + 1);
    uint8_t raw[CODE_BYTES];
    const char *code = NULL;

    if (issuer_random(raw, sizeof raw)) {
        postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &text);
        code = postern_buf_cstr(&text);
    }
    postern_wipe(raw, sizeof raw);
    if (code == NULL || !sha256_make(postern_buf_bytes(&text), ret_sha256))
        return false;
    memcpy(ret, code, text.len + 1);
    return true;
}

static bool make_grant_id(char ret[GRANT_ID_MAX])
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(GRANT_ID_MAX + 2);
    uint8_t raw[16];
    const char *id;

    if (!issuer_random(raw, sizeof raw))
        return false;
    postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &text);
    id = postern_buf_cstr(&text);
    if (id == NULL || text.len != GRANT_ID_MAX - 1)
        return false;
    memcpy(ret, id, GRANT_ID_MAX);
    return true;
}

static void fill_grant(const struct authorize_request *r, const struct visitor *v, int64_t now_s,
                       int64_t life_s, struct grant_record *g)
{
    memcpy(g->user, v->session.user, sizeof g->user);
    memcpy(g->client, r->client.name, sizeof g->client);
    memcpy(g->scopes, r->scopes, sizeof g->scopes);
    memcpy(g->resources, r->resources, sizeof g->resources);
    memcpy(g->purpose, r->purpose, sizeof g->purpose);
    memcpy(g->details, r->details, sizeof g->details);
    g->created_s = now_s;
    g->auth_time_s = v->session.authenticated_s;
    g->ends_s = now_s + life_s;
}

/* `r` holds what the person left of it. */
static void approve(struct issuer *is, const struct visitor *v, const struct authorize_request *r,
                    int64_t life_s, struct answer *a)
{
    POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(ANSWER_LOCATION_MAX);
    char text[POSTERN_BASE64_ENCODED_MAX(CODE_BYTES) + 1];
    int64_t now_s = issuer_now_s(is);
    struct code_record code = { .expires_s = now_s + CODE_LIFE_S };
    struct grant_record grant = { .id = "" };
    postern_error err = { 0 };
    postern_err e;

    fill_grant(r, v, now_s, life_s, &grant);
    memcpy(code.redirect, r->redirect, sizeof code.redirect);
    memcpy(code.challenge, r->challenge, sizeof code.challenge);
    if (!make_grant_id(grant.id) || !make_code(text, code.sha256)) {
        e = POSTERN_FAIL(&err, SYSTEM, "a new code");
    } else {
        memcpy(code.grant, grant.id, sizeof code.grant);
        postern_form_add(&query, "code", postern_bytes_str(text));
        postern_wipe(text, sizeof text);
        open_redirect(r, &query);
        send_back(is, r, &query, a); /* whole before there is anything to tell */
        e = a->location.failed ? POSTERN_FAIL(&err, NOMEM, "a redirect")
                               : store_grant_add(is->store, &grant, &code, &err);
    }
    if (e != POSTERN_OK) {
        log_error("authorization", &err);
        page_internal(is, a);
        return;
    }
    log_note("%s authorized %s until %lld (grant %s)", grant.user, grant.client,
             (long long)grant.ends_s, grant.id);
}

static bool check_rate(struct issuer *is, const struct visitor *v, struct answer *a)
{
    int wait_s = rate_take(is->rates, &answer_rule, v->session.user, "", issuer_mono_ms(is));

    if (wait_s == 0)
        return true;
    page_problem(is, 429, "Slow down, please",
                 "You have answered many agents in a short time. Wait a little, then try again.", a);
    a->retry_after_s = wait_s;
    return false;
}

static bool has_room(struct issuer *is, const struct visitor *v, struct answer *a)
{
    postern_error err = { 0 };
    int64_t count = 0;

    if (store_grant_count(is->store, v->session.user, issuer_now_s(is), &count, &err) !=
        POSTERN_OK) {
        log_error("authorization", &err);
        page_internal(is, a);
        return false;
    }
    if (count < GRANTS_OF_PERSON_MAX)
        return true;
    page_problem(is, 400, "There are too many agents that may act for you",
                 "Nothing was granted. End some of them under your account, then let the agent ask "
                 "again.",
                 a);
    return false;
}

/* A form is good for one answer: coming back to it and pressing again makes no second grant. */
static bool take_form(struct issuer *is, const char *nonce, struct answer *a)
{
    postern_error err = { 0 };
    bool is_first = false;

    if (store_once(is->store, "form:consent", nonce, issuer_now_s(is) + FORM_TOKEN_LIFE_S + 60,
                   &is_first, &err) != POSTERN_OK) {
        log_error("authorization", &err);
        page_internal(is, a);
        return false;
    }
    if (!is_first)
        page_problem(is, 400, "You have answered this already",
                     "The agent was told what you decided. If it still waits, let it ask again.",
                     a);
    return is_first;
}

static void decide(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    char nonce[FORM_TOKEN_NONCE_MAX];
    struct authorize_request r;
    struct consent_choice choice;
    struct visitor v;
    const char *request;

    if (!visitor_find(is, rq, &v, a) ||
        !visitor_read_form(is, rq, &v, "consent", "request", &form, nonce, a))
        return;
    request = postern_form_value(form, "request");
    if (!read_request(is, request, &r, a))
        return;
    if (!v.is_logged_in) { /* the session ended while the page was open */
        page_redirect(is, "/oauth/authorize", request, a);
        return;
    }
    if (!consent_read(form, &r, &choice)) {
        page_problem(is, 400, "This form does not fit the request",
                     "It asks for something that the agent did not ask for. Nothing was granted.",
                     a);
        return;
    }
    if (choice.fault != NULL)
        consent_show(is, &v, request, &r, &choice, a);
    else if (!check_rate(is, &v, a) || (choice.is_approved && !has_room(is, &v, a)) ||
             !take_form(is, nonce, a))
        return;
    else if (!choice.is_approved)
        send_error(is, &r, "access_denied", "the person said no", a);
    else {
        memcpy(r.scopes, choice.scopes, sizeof r.scopes);
        memcpy(r.resources, choice.resources, sizeof r.resources);
        approve(is, &v, &r, choice.life_s, a);
    }
}

void authorize(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    if (strcmp(rq->method, "POST") == 0)
        decide(is, rq, a);
    else
        show(is, rq, a);
}
