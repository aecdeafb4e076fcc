/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading an authorization request; see authorize_request.h.  Order: what would make us an open
 * redirector first (client, redirect URI), then `state`, then the rest in a table; the first fault
 * answers.
 */
#include "authorize_request.h"

#include <postern-private/json.h>

#include "redirect_uri.h"
#include "words.h"

/* Parameters that must not stand twice (OAuth 2.1 §3.1); `resource` may (RFC 8707 §2). */
static const char *const single_parameters[] = {
    "response_type", "response_mode", "scope", "code_challenge", "code_challenge_method",
    "purpose",       "prompt",        "state", "authorization_details",
};

static authorize_outcome bad(struct authorize_request *r, const char *why)
{
    r->why = why;
    return AUTHORIZE_BAD;
}

static authorize_outcome refuse(struct authorize_request *r, const char *error, const char *why)
{
    r->error = error;
    r->why = why;
    return AUTHORIZE_REFUSED;
}

/* ---- client and redirect URI ---- */

static bool is_loopback_place(const char *uri)
{
    return strncmp(uri, "http://127.0.0.1", 16) == 0 || strncmp(uri, "http://[::1]", 12) == 0;
}

/* Browsers resolve these before they look at a cookie's path. */
static bool has_dot_segment(const char *path)
{
    return strstr(path, "/.") != NULL || strstr(path, "%2e") != NULL || strstr(path, "%2E") != NULL;
}

/*
 * Cookies know no ports: those of a loopback issuer would be sent along to a redirect URI on the
 * same address with a path like ours.
 */
static bool gets_our_cookie(const struct issuer_settings *s, const char *uri)
{
    const char *path = strchr(uri + sizeof "http:/", '/');
    size_t len = strlen(s->path);

    if (issuer_settings_is_https(s) || !is_loopback_place(uri) || path == NULL)
        return false;
    return has_dot_segment(path) ||
           (strncmp(path, s->path, len) == 0 && strncmp(path + len, "/oauth", 6) == 0);
}

static authorize_outcome check_redirect(const struct issuer_settings *s, const postern_form *form,
                                        struct authorize_request *r)
{
    const char *uri = postern_form_value(form, "redirect_uri");

    if (postern_form_count(form, "redirect_uri") != 1)
        return bad(r, "The link does not say, or says twice, where you are to be sent back "
                      "(redirect_uri).");
    if (strlen(uri) >= sizeof r->redirect ||
        !redirect_uri_is_registered(r->client.redirects, postern_bytes_str(uri)))
        return bad(r, "The link wants to send you back to an address that is not registered for "
                      "this agent. Nothing was sent there.");
    if (gets_our_cookie(s, uri))
        return bad(r, "The link wants to send you back to an address below /oauth of this very "
                      "computer, which is not allowed.");
    memcpy(r->redirect, uri, strlen(uri) + 1);
    return AUTHORIZE_GOOD;
}

/* ---- the rest ---- */

static authorize_outcome check_state(const postern_form *form, struct authorize_request *r)
{
    const char *state = postern_form_value(form, "state");

    if (postern_form_count(form, "state") > 1)
        return refuse(r, "invalid_request", "state is repeated");
    if (state == NULL)
        return AUTHORIZE_GOOD;
    /* RFC 6749 appendix A.5: VSCHAR */
    if (strlen(state) >= sizeof r->state || !postern_bytes_is_printable(postern_bytes_str(state)))
        return refuse(r, "invalid_request", "state is too long or holds a character it may not");
    memcpy(r->state, state, strlen(state) + 1);
    return AUTHORIZE_GOOD;
}

static authorize_outcome check_type(const postern_form *form, struct authorize_request *r)
{
    const char *type = postern_form_value(form, "response_type");
    const char *mode = postern_form_value(form, "response_mode");

    if (postern_form_value(form, "request") != NULL)
        return refuse(r, "request_not_supported", "request objects are not supported");
    if (postern_form_value(form, "request_uri") != NULL)
        return refuse(r, "request_uri_not_supported", "request_uri is not supported");
    if (type == NULL)
        return refuse(r, "invalid_request", "response_type is missing");
    if (strcmp(type, "code") != 0)
        return refuse(r, "unsupported_response_type", "only response_type=code is supported");
    if (mode != NULL && strcmp(mode, "query") != 0)
        return refuse(r, "invalid_request", "only response_mode=query is supported");
    return AUTHORIZE_GOOD;
}

/* BASE64URL(SHA-256): 32 bytes, canonical. */
static bool is_challenge(const char *text)
{
    uint8_t raw[POSTERN_BASE64URL_DECODED_MAX(GRANT_CHALLENGE_MAX - 1)];
    size_t len = 0;

    return strlen(text) == GRANT_CHALLENGE_MAX - 1 &&
           postern_base64url_decode(postern_bytes_str(text), raw, &len, NULL) == POSTERN_OK &&
           len == 32;
}

/* OAuth 2.1 §7.5.1; an absent method means plain (RFC 7636 §4.3), which shows the verifier. */
static authorize_outcome check_challenge(const postern_form *form, struct authorize_request *r)
{
    const char *challenge = postern_form_value(form, "code_challenge");
    const char *method = postern_form_value(form, "code_challenge_method");

    if (challenge == NULL)
        return refuse(r, "invalid_request", "code_challenge is required (PKCE, RFC 7636)");
    if (method == NULL || strcmp(method, "S256") != 0)
        return refuse(r, "invalid_request", "code_challenge_method must be S256");
    if (!is_challenge(challenge))
        return refuse(r, "invalid_request", "code_challenge is not the base64url of a SHA-256");
    memcpy(r->challenge, challenge, sizeof r->challenge);
    return AUTHORIZE_GOOD;
}

static bool may_have_resource(const struct issuer_settings *s, const struct authorize_request *r,
                              postern_bytes wanted)
{
    return (words_has(r->client.resources, wanted) || postern_bytes_equal_str(wanted, s->whoami)) &&
           issuer_settings_has_resource(s, wanted);
}

/* Never "all that there is": an agent of several services says which. */
static authorize_outcome choose_default_resource(const struct issuer_settings *s,
                                                 struct authorize_request *r)
{
    const char *cursor = r->client.resources;
    postern_bytes only;

    if (words_count(r->client.resources) != 1 || !words_next(&cursor, &only) ||
        !may_have_resource(s, r, only))
        return refuse(r, "invalid_target", "resource is required: name the service (RFC 8707)");
    return words_append(r->resources, sizeof r->resources, only)
               ? AUTHORIZE_GOOD
               : refuse(r, "invalid_target", "resource is too long");
}

static authorize_outcome check_resources(const struct issuer_settings *s, const postern_form *form,
                                         struct authorize_request *r)
{
    size_t count = postern_form_count(form, "resource");

    if (count == 0)
        return choose_default_resource(s, r);
    for (size_t i = 0; i < count; i++) {
        postern_bytes wanted = postern_bytes_str(postern_form_value_at(form, "resource", i));

        if (!word_is_resource(wanted) || !may_have_resource(s, r, wanted))
            return refuse(r, "invalid_target", "this client may not ask for that resource");
        if (!words_has(r->resources, wanted) &&
            !words_append(r->resources, sizeof r->resources, wanted))
            return refuse(r, "invalid_target", "too many resources");
    }
    return AUTHORIZE_GOOD;
}

/* scope = scope-token *( SP scope-token ): exactly one space between, none at the ends. */
static bool is_scope_list(const char *list)
{
    size_t len = strlen(list);

    return list[0] != ' ' && (len == 0 || list[len - 1] != ' ') && strstr(list, "  ") == NULL;
}

static authorize_outcome check_scopes(const postern_form *form, struct authorize_request *r)
{
    const char *wanted = postern_form_value(form, "scope");
    postern_bytes word;

    if (wanted == NULL) { /* RFC 6749 §3.3: a default; the person may take some away */
        memcpy(r->scopes, r->client.scopes, sizeof r->scopes);
        return AUTHORIZE_GOOD;
    }
    if (!is_scope_list(wanted))
        return refuse(r, "invalid_scope", "scope is not a list of words with one space between");
    while (words_next(&wanted, &word)) {
        if (!word_is_scope(word) || !words_has(r->client.scopes, word))
            return refuse(r, "invalid_scope", "a scope is unknown or not allowed to this client");
        if (!words_has(r->scopes, word) && !words_append(r->scopes, sizeof r->scopes, word))
            return refuse(r, "invalid_scope", "scope is too long");
    }
    return AUTHORIZE_GOOD;
}

static authorize_outcome check_purpose(const postern_form *form, struct authorize_request *r)
{
    const char *purpose = postern_form_value(form, "purpose");

    if (purpose == NULL)
        return AUTHORIZE_GOOD;
    if (strlen(purpose) >= sizeof r->purpose ||
        postern_bytes_has_control(postern_bytes_str(purpose)))
        return refuse(r, "invalid_request", "purpose is too long or holds a control character");
    memcpy(r->purpose, purpose, strlen(purpose) + 1);
    return AUTHORIZE_GOOD;
}

/* RFC 9396 §2: an array of objects, each with a string `type`. */
static bool is_details(const postern_json *j)
{
    uint32_t first = postern_json_first(j, 0);

    if (postern_json_type_of(j, 0) != POSTERN_JSON_ARRAY || first == POSTERN_JSON_ABSENT)
        return false;
    for (uint32_t n = first; n != POSTERN_JSON_ABSENT; n = postern_json_next(j, n)) {
        uint32_t type = postern_json_member(j, n, "type");

        if (postern_json_type_of(j, n) != POSTERN_JSON_OBJECT ||
            postern_json_type_of(j, type) != POSTERN_JSON_STRING ||
            postern_json_string_is(j, type, ""))
            return false;
    }
    return true;
}

static authorize_outcome check_details(const postern_form *form, struct authorize_request *r,
                                       postern_error *err)
{
    const char *details = postern_form_value(form, "authorization_details");
    POSTERN_AUTO_JSON j = { 0 };
    postern_err e;

    if (details == NULL)
        return AUTHORIZE_GOOD;
    if (strlen(details) >= sizeof r->details)
        return refuse(r, "invalid_authorization_details", "authorization_details is too long");
    e = postern_json_scan(&j, postern_bytes_str(details), err);
    if (e == POSTERN_ERR_NOMEM)
        return AUTHORIZE_FAILED;
    if (e != POSTERN_OK || !is_details(&j))
        return refuse(r, "invalid_authorization_details",
                      "authorization_details is not an array of objects with a type (RFC 9396)");
    memcpy(r->details, details, strlen(details) + 1);
    return AUTHORIZE_GOOD;
}

static authorize_outcome check_prompt(const postern_form *form, struct authorize_request *r)
{
    const char *prompt = postern_form_value(form, "prompt");
    postern_bytes word;
    bool is_none = false, is_other = false;

    while (prompt != NULL && words_next(&prompt, &word)) {
        is_none |= postern_bytes_equal_str(word, "none");
        r->wants_login |= postern_bytes_equal_str(word, "login");
        is_other |= !postern_bytes_equal_str(word, "none");
    }
    r->is_silent = is_none;
    return is_none && is_other
               ? refuse(r, "invalid_request", "prompt=none stands beside another value")
               : AUTHORIZE_GOOD;
}

static authorize_outcome check_single(const postern_form *form, struct authorize_request *r)
{
    for (size_t i = 0; i < sizeof single_parameters / sizeof *single_parameters; i++)
        if (postern_form_count(form, single_parameters[i]) > 1)
            return refuse(r, "invalid_request", "a parameter is repeated");
    return AUTHORIZE_GOOD;
}

authorize_outcome authorize_request_judge(const struct issuer_settings *s, const postern_form *form,
                                          struct authorize_request *ret, postern_error *err)
{
    authorize_outcome o = check_redirect(s, form, ret);

    if (o == AUTHORIZE_GOOD)
        o = check_state(form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_single(form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_type(form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_challenge(form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_resources(s, form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_scopes(form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_purpose(form, ret);
    if (o == AUTHORIZE_GOOD)
        o = check_details(form, ret, err);
    return o == AUTHORIZE_GOOD ? check_prompt(form, ret) : o;
}

static authorize_outcome find_client(struct issuer *is, const postern_form *form,
                                     struct authorize_request *r, postern_error *err)
{
    const char *name = postern_form_value(form, "client_id");
    bool is_found = false;

    if (postern_form_count(form, "client_id") != 1)
        return bad(r, "The link does not say, or says twice, which agent asks (client_id).");
    if (store_client_find(is->store, name, &is_found, &r->client, err) != POSTERN_OK)
        return AUTHORIZE_FAILED;
    return is_found ? AUTHORIZE_GOOD
                    : bad(r, "There is no such agent here; perhaps it was removed. Nothing was "
                             "sent to it.");
}

/* As browsers send it: anything else is no query that could come back in a Location header. */
static bool is_query(const char *query)
{
    size_t len = strnlen(query, AUTHORIZE_QUERY_MAX + 1);

    for (size_t i = 0; i < len; i++)
        if (query[i] <= 0x20 || query[i] >= 0x7F)
            return false;
    return len <= AUTHORIZE_QUERY_MAX;
}

authorize_outcome authorize_request_read(struct issuer *is, const char *query,
                                         struct authorize_request *ret, postern_error *err)
{
    POSTERN_AUTO(form) form = NULL;
    authorize_outcome o;

    *ret = (struct authorize_request){ .error = "" };
    if (query == NULL || !is_query(query))
        return bad(ret, "The link is empty, too long, or damaged.");
    switch (postern_form_parse(postern_bytes_str(query), &form, err)) {
    case POSTERN_OK:
        break;
    case POSTERN_ERR_NOMEM:
        return AUTHORIZE_FAILED;
    default:
        return bad(ret, "The link is damaged: a part of it is not well formed.");
    }
    o = find_client(is, form, ret, err);
    return o == AUTHORIZE_GOOD ? authorize_request_judge(is->settings, form, ret, err) : o;
}
