/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token endpoint as a pure function: request bytes in, answer out; the store and the clock come
 * with `is`.  Order: form, grant type, client, limits, resource, scope, token; the first failure
 * answers.  Never says whether a client exists. RFC 6749 §4.4 and §5.2, OAuth 2.1 §3.2, RFC 8707
 * §2, RFC 9068 §2.2.
 */
#include "token_endpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include <postern-private/form.h>

#include "client_assertion.h"
#include "client_auth.h"
#include "clients.h"
#include "words.h"
#include "log.h"

#define CLAIMS_MAX 8192 /* issuer, audience, scopes and names at their own limits stay below */

/* An agent that keeps its token asks every few minutes; a fleet behind one name starts at once. */
static const struct rate_rule client_rule = { "client", 200, 20 };
/* A typing mistake or a stale file, not a search; whoever holds the secret is never held up by this
 * one. */
static const struct rate_rule failure_rule = { "failure", 10, 6000 };
/* Guesses under ever new names come from one source all the same. */
static const struct rate_rule source_failure_rule = { "source-failure", 100, 100 };

/* Parameters that must not stand twice (OAuth 2.1 §3.2); `resource` may (RFC 8707 §2) and has its
 * own answer. */
static const char *const single_parameters[] = {
    "grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type",
    "scope",
};

struct token_request {
    const char *source;
    postern_form *form;
    struct client_record client;
    char resource[POSTERN_URL_MAX];
    char scope[CLIENT_SCOPES_MAX];
};

/* ---- the form ---- */

/* Media type without parameters, case ignored (RFC 9110 §8.3.1). */
static bool is_form_type(const char *content_type)
{
    static const char form_type[] = "application/x-www-form-urlencoded";
    size_t len = content_type == NULL ? 0 : strcspn(content_type, "; \t");

    return len == sizeof form_type - 1 && strncasecmp(content_type, form_type, len) == 0;
}

static bool read_form(const struct http_request *rq, postern_form **ret, struct answer *a)
{
    if (!is_form_type(rq->content_type)) {
        answer_error(
            a, 415, "invalid_request", "the body is not application/x-www-form-urlencoded",
            "Send grant_type=client_credentials as a form body, not JSON and not in the URL.");
        return false;
    }
    switch (postern_form_parse(rq->body, ret, NULL)) {
    case POSTERN_OK:
        return true;
    case POSTERN_ERR_MALFORMED:
        answer_error(a, 400, "invalid_request", "the form is not well formed",
                     "Percent-encode names and values as UTF-8 (RFC 6749 appendix B).");
        return false;
    case POSTERN_ERR_LIMIT:
        answer_error(a, 413, "invalid_request", "the form is too large",
                     "Send only grant_type, resource, scope and the client's credentials.");
        return false;
    default:
        answer_internal(a);
        return false;
    }
}

static bool check_form(const postern_form *form, struct answer *a)
{
    const char *grant_type = postern_form_value(form, "grant_type");

    for (size_t i = 0; i < sizeof single_parameters / sizeof *single_parameters; i++)
        if (postern_form_count(form, single_parameters[i]) > 1) {
            answer_error(a, 400, "invalid_request", "a parameter is repeated",
                         "Send each parameter once.");
            return false;
        }
    if (grant_type == NULL) {
        answer_error(a, 400, "invalid_request", "grant_type is missing",
                     "Send grant_type=client_credentials.");
        return false;
    }
    if (strcmp(grant_type, "client_credentials") != 0) {
        answer_error(a, 400, "unsupported_grant_type", "only client_credentials is supported",
                     "Send grant_type=client_credentials with the client's name and secret.");
        return false;
    }
    return true;
}

/* ---- the client ---- */

static const struct {
    int status;
    const char *error, *description, *message;
} auth_failures[] = {
    [CLIENT_AUTH_UNSET] = { 500, "server_error", "internal error", "Try again later." },
    [CLIENT_AUTH_FOUND] = { 401, "invalid_client", "client name or secret is wrong",
                            "Check client_id and the secret file; an administrator can register "
                            "the "
                            "client again with `postern client add`." },
    [CLIENT_AUTH_NONE] = { 401, "invalid_client", "the client did not authenticate",
                           "Send the client's name and secret by HTTP Basic, or as client_id and "
                           "client_secret in the form." },
    [CLIENT_AUTH_MALFORMED] = { 401, "invalid_client",
                                "the client's credentials are not well formed",
                                "Send Authorization: Basic with base64 of NAME:SECRET, both "
                                "form-encoded first (RFC 6749 section 2.3.1)." },
    [CLIENT_AUTH_ASSERTION] = { 401, "invalid_client", "the client's assertion does not count",
                                "Sign a JWT with a key registered for this client: iss and sub its "
                                "client_id, aud the issuer's URL alone, exp at most 5 minutes ahead, "
                                "a jti that was never used." },
    [CLIENT_AUTH_METHOD] = { 401, "invalid_client",
                             "this way of client authentication is not supported",
                             "Use client_secret_basic, client_secret_post or private_key_jwt." },
    [CLIENT_AUTH_TWO] = { 400, "invalid_request", "two ways of client authentication at once",
                          "Send the client's credentials in the Authorization header or in the "
                          "form, "
                          "not in both." },
};

static void answer_auth_failure(client_auth_result why, struct answer *a)
{
    answer_error(a, auth_failures[why].status, auth_failures[why].error,
                 auth_failures[why].description, auth_failures[why].message);
    if (auth_failures[why].status ==
        401) /* RFC 9110 §15.5.2 wants one on every 401; RFC 6749 §5.2 on this one */
        (void)snprintf(a->challenge, sizeof a->challenge,
                       "Basic realm=\"postern\", charset=\"UTF-8\""); /* a literal: fits */
}

/* Wrong secrets are counted per client and source, so that a guesser slows nobody else down. */
static void refuse_client(struct issuer *is, const struct token_request *t, const char *name,
                          client_auth_result why, struct answer *a)
{
    int wait_s = rate_take(is->rates, &failure_rule, name, t->source, issuer_mono_ms(is));

    if (wait_s == 0)
        wait_s = rate_take(is->rates, &source_failure_rule, "", t->source, issuer_mono_ms(is));
    if (wait_s == 0)
        answer_auth_failure(why, a);
    else
        answer_too_many(a, wait_s, "too many failed authentications");
}

static bool authenticate_by_key(struct issuer *is, struct token_request *t,
                                struct client_auth *auth, struct answer *a)
{
    const char *client_id = auth->name.len == 0 ? NULL : postern_buf_cstr(&auth->name);
    char name[CLIENT_NAME_MAX];
    postern_error err = { 0 };
    bool is_proved = false;

    if ((auth->name.len != 0 && client_id == NULL) ||
        client_assertion_check(is, client_id, auth->assertion, name, &is_proved, &t->client,
                               &err) != POSTERN_OK) {
        log_error("token endpoint", &err);
        answer_internal(a);
        return false;
    }
    if (!is_proved)
        refuse_client(is, t, name, CLIENT_AUTH_ASSERTION, a);
    return is_proved;
}

static bool authenticate(struct issuer *is, const struct http_request *rq, struct token_request *t,
                         struct answer *a)
{
    AUTO_CLIENT_AUTH auth = CLIENT_AUTH_INIT;
    client_auth_result found = client_auth_find(rq->authorization, t->form, &auth);
    postern_error err = { 0 };
    bool is_known = false;
    const char *name;

    if (found == CLIENT_AUTH_ASSERTION)
        return authenticate_by_key(is, t, &auth, a);
    if (found != CLIENT_AUTH_FOUND) {
        refuse_client(is, t, "", found, a);
        return false;
    }
    name = postern_buf_cstr(&auth.name);
    if (name == NULL || clients_authenticate(is, name, postern_buf_bytes(&auth.secret), &is_known,
                                             &t->client, &err) != POSTERN_OK) {
        log_error("token endpoint", &err);
        answer_internal(a);
        return false;
    }
    if (!is_known)
        refuse_client(is, t, name, found, a);
    return is_known;
}

static bool check_rate(struct issuer *is, const struct token_request *t, struct answer *a)
{
    int wait_s = rate_take(is->rates, &client_rule, t->client.name, "", issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "this client asks for tokens too often");
    return wait_s == 0;
}

/* ---- what for ---- */

static bool answer_invalid_target(struct answer *a, const struct token_request *t,
                                  const char *description)
{
    char message[CLIENT_RESOURCES_MAX + 64];

    /* Fits: resources is bounded. */
    (void)snprintf(message, sizeof message, "Send one resource= parameter out of: %s",
                   t->client.resources);
    answer_error(a, 400, "invalid_target", description, message);
    return false;
}

/* RFC 8707 §2: what a client that names no resource gets is ours to say: the only one, never all.
 */
static bool choose_default_resource(const struct token_request *t, postern_bytes *ret,
                                    struct answer *a)
{
    const char *cursor = t->client.resources;

    if (words_count(t->client.resources) != 1 || !words_next(&cursor, ret))
        return answer_invalid_target(a, t,
                                     "several resources are allowed to this client: name one");
    return true;
}

/* Our own whoami is open to every client.  What the store allows must still be configured. */
static bool choose_resource(const struct issuer *is, struct token_request *t, struct answer *a)
{
    size_t count = postern_form_count(t->form, "resource");
    postern_bytes wanted = postern_bytes_str(postern_form_value(t->form, "resource"));

    if (count == 0 && !choose_default_resource(t, &wanted, a))
        return false;
    if (count > 1)
        return answer_invalid_target(a, t, "a token is for one resource");
    if (!word_is_resource(wanted))
        return answer_invalid_target(a, t, "resource must be an absolute URI without fragment");
    if (!words_has(t->client.resources, wanted) &&
        !postern_bytes_equal_str(wanted, is->settings->whoami))
        return answer_invalid_target(a, t, "this client may not ask for that resource");
    if (!issuer_settings_has_resource(is->settings, wanted))
        return answer_invalid_target(a, t, "no service is configured for that resource any more");
    return words_append(t->resource, sizeof t->resource,
                        wanted) || /* t->resource is empty until now */
           answer_invalid_target(a, t, "resource is too long");
}

static bool answer_invalid_scope(struct answer *a, const struct token_request *t,
                                 const char *description)
{
    char message[CLIENT_SCOPES_MAX + 128];

    (void)snprintf(message, sizeof message,
                   "Ask for some of these scopes, with one space between, or leave scope out: %s",
                   t->client.scopes); /* fits: scopes is bounded */
    answer_error(a, 400, "invalid_scope", description, message);
    return false;
}

/* scope = scope-token *( SP scope-token ): exactly one space between, none at the ends. */
static bool is_scope_list(const char *list)
{
    size_t len = strlen(list);

    return list[0] != ' ' && (len == 0 || list[len - 1] != ' ') && strstr(list, "  ") == NULL;
}

static bool choose_scope(struct token_request *t, struct answer *a)
{
    const char *wanted = postern_form_value(t->form, "scope");
    postern_bytes word;

    t->scope[0] = '\0';
    if (wanted == NULL) {
        memcpy(t->scope, t->client.scopes, strlen(t->client.scopes) + 1);
        return true;
    }
    if (!is_scope_list(wanted))
        return answer_invalid_scope(a, t, "scope is not a list of words with one space between");
    while (words_next(&wanted, &word)) {
        if (!word_is_scope(word))
            return answer_invalid_scope(a, t, "scope holds characters that no scope has");
        if (!words_has(t->client.scopes, word))
            return answer_invalid_scope(a, t, "a scope is unknown or not allowed to this client");
        if (!words_has(t->scope, word) && !words_append(t->scope, sizeof t->scope, word))
            return answer_invalid_scope(a, t, "scope is too long");
    }
    return true;
}

/*
 * A client that was removed and added again within one second waits for the next: revocation
 * compares whole seconds (iat ≤ removal), so a token of this second would be refused everywhere.
 */
static bool check_removal(struct issuer *is, const struct token_request *t, int64_t now_s,
                          struct answer *a)
{
    int64_t removed_s = STORE_NEVER;
    postern_error err = { 0 };

    if (store_client_removed_at(is->store, t->client.name, &removed_s, &err) != POSTERN_OK) {
        log_error("token endpoint", &err);
        answer_internal(a);
        return false;
    }
    if (now_s > removed_s)
        return true;
    answer_error(a, 503, "temporarily_unavailable", "a client of this name was removed just now",
                 "Try again in a second.");
    a->retry_after_s = 1;
    return false;
}

/* ---- the token ---- */

static bool write_claims(struct issuer *is, const struct token_request *t, int64_t now_s,
                         postern_buf *claims)
{
    POSTERN_AUTO_BUF jti = POSTERN_BUF_INIT(POSTERN_BASE64_ENCODED_MAX(TOKEN_JTI_BYTES) + 1);
    postern_json_writer w = { claims, false };
    uint8_t raw[TOKEN_JTI_BYTES];

    if (!issuer_random(raw, sizeof raw))
        return false;
    postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &jti);
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "iss", is->settings->issuer);
    /* RFC 9068 §2.2: no end user takes part, so the subject is the client itself. */
    postern_json_put_str(&w, "sub", t->client.name);
    postern_json_put_str(&w, "client_id", t->client.name);
    postern_json_put_str(&w, "aud", t->resource);
    postern_json_put_str(&w, "scope", t->scope);
    postern_json_put_integer(&w, "iat", now_s);
    postern_json_put_integer(&w, "exp", now_s + is->settings->token_lifetime_s);
    postern_json_put_string(&w, "jti", postern_buf_bytes(&jti));
    postern_json_close_object(&w);
    return !jti.failed && !claims->failed;
}

/* RFC 6749 §5.1 */
static void answer_token(struct issuer *is, const struct token_request *t,
                         const postern_secret *token, struct answer *a)
{
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_string(&w, "access_token", postern_secret_bytes(token));
    postern_json_put_str(&w, "token_type", "Bearer");
    postern_json_put_integer(&w, "expires_in", is->settings->token_lifetime_s);
    postern_json_put_str(&w, "scope", t->scope);
    postern_json_close_object(&w);
    if (a->body.failed)
        answer_internal(a);
    else
        a->status = 200;
}

static void issue(struct issuer *is, const struct token_request *t, int64_t now_s, struct answer *a)
{
    POSTERN_AUTO_BUF claims = POSTERN_BUF_INIT(CLAIMS_MAX);
    POSTERN_AUTO(secret) token = NULL;
    postern_error err = { 0 };

    if (!write_claims(is, t, now_s, &claims)) {
        answer_internal(a);
        return;
    }
    if (postern_mint_token(is->key, "at+jwt", postern_buf_bytes(&claims), &token, &err) !=
        POSTERN_OK) {
        log_error("signing a token", &err);
        answer_internal(a);
        return;
    }
    if (now_s > is->newest_iat_s)
        is->newest_iat_s = now_s;
    answer_token(is, t, token, a);
}

void token_endpoint(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    struct token_request t = { .source = rq->source };
    POSTERN_AUTO(form) form = NULL;
    int64_t now_s = issuer_now_s(is);

    if (!read_form(rq, &form, a) || !check_form(form, a))
        return;
    t.form = form;
    if (authenticate(is, rq, &t, a) && check_rate(is, &t, a) && choose_resource(is, &t, a) &&
        choose_scope(&t, a) && check_removal(is, &t, now_s, a))
        issue(is, &t, now_s, a);
}
