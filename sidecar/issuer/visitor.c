/* SPDX-License-Identifier: BSD-2-Clause */
/* Cookies, sessions and forms together; see visitor.h.  The cookie's value is a secret and stored
 * as its SHA-256 only. */
#include "visitor.h"

#include <strings.h>

#include <postern-private/sha256.h>

#include "log.h"
#include "page.h"

/* ---- sessions ---- */

static bool make_cookie(char ret[COOKIE_VALUE_MAX])
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(COOKIE_VALUE_MAX);
    uint8_t raw[COOKIE_BYTES];
    bool is_made = issuer_random(raw, sizeof raw);

    if (is_made)
        postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &text);
    postern_wipe(raw, sizeof raw);
    if (!is_made || postern_buf_cstr(&text) == NULL || text.len != COOKIE_VALUE_MAX - 1)
        return false;
    memcpy(ret, postern_buf_cstr(&text), COOKIE_VALUE_MAX);
    return true;
}

static bool is_live(const struct session_record *session, int64_t now_s)
{
    return now_s < session->ends_s && now_s - session->seen_s < SESSION_IDLE_S;
}

static postern_err find_session(struct issuer *is, struct visitor *v, postern_error *err)
{
    int64_t now_s = issuer_now_s(is);
    uint8_t id[SESSION_ID_HASH];
    bool is_found = false;

    if (!sha256_make(postern_bytes_str(v->cookie), id))
        return POSTERN_FAIL(err, NOMEM, "hashing a cookie");
    POSTERN_TRY(store_session_find(is->store, id, &is_found, &v->session, err));
    v->is_logged_in = is_found && is_live(&v->session, now_s);
    if (v->is_logged_in && now_s - v->session.seen_s >= SESSION_TOUCH_S)
        return store_session_touch(is->store, id, now_s, err);
    return POSTERN_OK;
}

bool visitor_find(struct issuer *is, const struct http_request *rq, struct visitor *ret,
                  struct answer *a)
{
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    *ret = (struct visitor){ .is_logged_in = false };
    if (cookie_read(rq->cookie, cookie_name(is->settings), ret->cookie)) {
        e = find_session(is, ret, &err);
    } else {
        ret->is_cookie_new = true;
        if (!make_cookie(ret->cookie))
            e = POSTERN_FAIL(&err, SYSTEM, "a new cookie");
    }
    if (e == POSTERN_OK)
        return true;
    log_error("pages", &err);
    page_internal(is, a);
    return false;
}

static postern_err end_session(struct issuer *is, const char *cookie, postern_error *err)
{
    uint8_t id[SESSION_ID_HASH];

    if (!sha256_make(postern_bytes_str(cookie), id))
        return POSTERN_FAIL(err, NOMEM, "hashing a cookie");
    return store_session_end(is->store, id, err);
}

postern_err visitor_log_in(struct issuer *is, const char *old_cookie, const char *user,
                           struct answer *a, postern_error *err)
{
    int64_t now_s = issuer_now_s(is);
    struct session_record session = { .authenticated_s = now_s,
                                      .seen_s = now_s,
                                      .ends_s = now_s + SESSION_LIFE_S };
    char cookie[COOKIE_VALUE_MAX];
    postern_err e;

    if (!make_cookie(cookie) || !sha256_make(postern_bytes_str(cookie), session.id_sha256))
        return POSTERN_FAIL(err, SYSTEM, "a new session");
    memcpy(session.user, user, strlen(user) + 1); /* it was in the store: a name fits */
    e = end_session(is, old_cookie, err);
    if (e == POSTERN_OK)
        e = store_session_add(is->store, &session, err);
    if (e == POSTERN_OK)
        cookie_set(is->settings, cookie, a);
    postern_wipe(cookie, sizeof cookie);
    return e;
}

bool visitor_log_out(struct issuer *is, const struct visitor *v, struct answer *a)
{
    postern_error err = { 0 };

    if (end_session(is, v->cookie, &err) == POSTERN_OK) {
        cookie_set(is->settings, "", a);
        return true;
    }
    log_error("logging out", &err);
    page_internal(is, a);
    return false;
}

/* ---- forms ---- */

bool visitor_make_token(const struct issuer *is, const struct visitor *v, const char *purpose,
                        const char *text, char ret[FORM_TOKEN_MAX])
{
    uint8_t nonce[FORM_TOKEN_NONCE_BYTES];

    return issuer_random(nonce, sizeof nonce) &&
           form_token_make(v->cookie, purpose, text, nonce, issuer_now_s(is), ret);
}

/* Our origin, or that of the loopback address with another port by which the browser found us. */
static bool is_our_origin(const struct issuer *is, const struct http_request *rq)
{
    static const char loopback_scheme[] = "http://";
    size_t len = sizeof loopback_scheme - 1;

    if (strcasecmp(rq->origin, is->settings->origin) == 0)
        return true;
    return !issuer_settings_is_https(is->settings) &&
           strncmp(rq->origin, loopback_scheme, len) == 0 && rq->host != NULL &&
           strcasecmp(rq->origin + len, rq->host) == 0;
}

/* The second belt: browsers say where a form comes from; programs say nothing. */
static bool is_of_our_site(const struct issuer *is, const struct http_request *rq)
{
    if (rq->fetch_site != NULL && strcmp(rq->fetch_site, "same-origin") != 0 &&
        strcmp(rq->fetch_site, "none") != 0) /* "none": the person, as by reloading */
        return false;
    return rq->origin == NULL || is_our_origin(is, rq);
}

static bool is_form_type(const char *content_type)
{
    static const char form_type[] = "application/x-www-form-urlencoded";
    size_t len = content_type == NULL ? 0 : strcspn(content_type, "; \t");

    return len == sizeof form_type - 1 && strncasecmp(content_type, form_type, len) == 0;
}

static bool refuse_form(const struct issuer *is, struct answer *a)
{
    page_problem(is, 403, "This form is not valid any more",
                 "It was open for too long, or it does not come from a page of this browser. "
                 "Nothing was changed. Go back, load the page again, and try once more.",
                 a);
    return false;
}

bool visitor_read_form(struct issuer *is, const struct http_request *rq, const struct visitor *v,
                       const char *purpose, const char *text_name, postern_form **ret,
                       char ret_nonce[FORM_TOKEN_NONCE_MAX], struct answer *a)
{
    POSTERN_AUTO(form) form = NULL;
    const char *text = NULL;

    if (!is_of_our_site(is, rq) || !is_form_type(rq->content_type))
        return refuse_form(is, a);
    switch (postern_form_parse(rq->body, &form, NULL)) {
    case POSTERN_OK:
        break;
    case POSTERN_ERR_NOMEM:
        page_internal(is, a);
        return false;
    default:
        return refuse_form(is, a);
    }
    if (text_name != NULL)
        text = postern_form_value(form, text_name);
    if (postern_form_count(form, "form_token") != 1 ||
        (text_name != NULL && postern_form_count(form, text_name) > 1) ||
        !form_token_fits(postern_form_value(form, "form_token"), v->cookie, purpose,
                         text == NULL ? "" : text, issuer_now_s(is), ret_nonce))
        return refuse_form(is, a);
    *ret = POSTERN_STEAL(form);
    return true;
}
