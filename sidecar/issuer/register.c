/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Self-registration as a pure function: request bytes in, answer out.  Order: is it on, is it JSON,
 * how often from there, invitation, body, rules; the answer is written before the client is, so
 * that nobody is registered who is not told.  A client gets a name that it did not choose, of the
 * scopes that it asks for those that registration_scopes: has, and every one of
 * registration_resources:.  RFC 7591 §3.
 */
#include "register.h"

#include <stdio.h>
#include <strings.h>

#include "log.h"
#include "register_request.h"
#include "registrations.h"
#include "words.h"

/* An agent registers once in its life; a fleet behind one address starts at once. */
static const struct rate_rule registration_rule = { "registration", 20, 60000 };
/* Wrong invitations have 256 random bits: a stale one is what this slows down. */
static const struct rate_rule invitation_rule = { "invitation", 10, 6000 };

struct registration {
    struct register_request rq;
    struct client_record client;
    postern_secret *secret; /* NULL: none */
    bool has_invitation;
    postern_bytes invitation; /* a view into the request */
};

static void free_registration(struct registration *g)
{
    postern_secret_free(g->secret);
}
#define AUTO_REGISTRATION __attribute__((cleanup(free_registration))) struct registration

static bool answer_refusal(struct answer *a, const char *error, const char *description,
                           const char *message)
{
    answer_error(a, 400, error, description, message);
    return false;
}

static bool answer_failure(struct answer *a, const postern_error *err)
{
    log_error("registration", err);
    answer_internal(a);
    return false;
}

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t len = content_type == NULL ? 0 : strcspn(content_type, "; \t");

    return len == sizeof json - 1 && strncasecmp(content_type, json, len) == 0;
}

/* Before anything is counted: a page in somebody's browser can send other types without asking us. */
static bool check_type(const struct http_request *rq, struct answer *a)
{
    if (is_json(rq->content_type))
        return true;
    answer_error(a, 415, "invalid_client_metadata", "the body is not application/json",
                 "Send one JSON object of client metadata (RFC 7591 section 2).");
    return false;
}

/* ---- who may ---- */

static bool check_mode(const struct issuer *is, struct answer *a)
{
    if (is->settings->registration != REGISTRATION_OFF)
        return true;
    answer_error(a, 404, "not_found", "clients cannot register themselves here",
                 "Ask the administrator for a client: postern client add.");
    return false;
}

/* Invitations say how often; who has none must not hold up a neighbour at the same address. */
static bool check_rate(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    int wait_s = is->settings->registration == REGISTRATION_TOKEN
                     ? 0
                     : rate_take(is->rates, &registration_rule, "", rq->source, issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "too many registrations from this address");
    return wait_s == 0;
}

/* RFC 6750 §3: no error in the challenge when nothing was brought. */
static bool refuse_invitation(struct issuer *is, const struct http_request *rq, bool was_brought,
                              struct answer *a)
{
    int wait_s = rate_take(is->rates, &invitation_rule, "", rq->source, issuer_mono_ms(is));

    if (wait_s != 0) {
        answer_too_many(a, wait_s, "too many registrations without a good initial access token");
        return false;
    }
    answer_error(a, 401, was_brought ? "invalid_token" : "missing_token",
                 was_brought ? "the initial access token is unknown, used up or over"
                             : "registration needs an initial access token",
                 "Send Authorization: Bearer with what `postern client invite` printed; ask the "
                 "administrator for one.");
    (void)snprintf(a->challenge, sizeof a->challenge, "Bearer realm=\"postern\"%s",
                   was_brought ? ", error=\"invalid_token\"" : ""); /* literals: fit */
    return false;
}

static bool read_invitation(struct issuer *is, const struct http_request *rq,
                            struct registration *g, struct answer *a)
{
    postern_reader r = { postern_bytes_str(rq->authorization == NULL ? "" : rq->authorization) };

    g->has_invitation = is->settings->registration == REGISTRATION_TOKEN;
    if (!g->has_invitation)
        return true;
    if (!postern_reader_take_lit_nocase(&r, "Bearer "))
        return refuse_invitation(is, rq, false, a);
    while (postern_reader_take_byte(&r, ' '))
        continue; /* RFC 9110 §11.4: 1*SP */
    g->invitation = r.rest;
    return r.rest.len != 0 || refuse_invitation(is, rq, false, a);
}

/* ---- what it asks ---- */

static bool read_body(const struct http_request *rq, struct registration *g, struct answer *a)
{
    struct register_fault fault = { 0 };

    if (rq->body.len > REGISTER_BODY_MAX) {
        answer_error(a, 413, "invalid_client_metadata", "the body is too large",
                     "Send at most 32 KiB.");
        return false;
    }
    switch (register_request_read(rq->body, &g->rq, &fault)) {
    case REGISTER_READ:
        return true;
    case REGISTER_REFUSED:
        return answer_refusal(a, fault.error, fault.description, fault.message);
    case REGISTER_FAILED:
        break;
    }
    answer_internal(a);
    return false;
}

/* Those that it may have of those that it wants; without a wish all. */
static bool choose_scopes(const struct issuer *is, struct registration *g, struct answer *a)
{
    const char *cursor = g->rq.scopes, *allowed = is->settings->registration_scopes;
    char scopes[CLIENT_SCOPES_MAX] = "", message[CLIENT_SCOPES_MAX + 64];
    postern_bytes word;

    if (!g->rq.has_scope)
        cursor = allowed;
    while (words_next(&cursor, &word))
        if (words_has(allowed, word) && !words_has(scopes, word))
            (void)words_append(scopes, sizeof scopes, word); /* what does not fit is not given */
    (void)snprintf(message, sizeof message,
                   "Ask for some of these scopes, or leave scope out: %.900s", allowed);
    if (scopes[0] == '\0' && words_count(g->rq.scopes) != 0)
        return answer_refusal(a, "invalid_client_metadata",
                              "none of these scopes is for clients that register themselves",
                              message);
    memcpy(g->rq.scopes, scopes, sizeof scopes);
    return true;
}

static bool prepare(struct issuer *is, struct registration *g, struct answer *a)
{
    char name[CLIENT_NAME_MAX];
    struct client_wish wish = { .name = name,
                                .scopes = g->rq.scopes,
                                .resources = is->settings->registration_resources,
                                .redirects = g->rq.redirects,
                                .title = g->rq.title,
                                .jwks = g->rq.jwks,
                                .auth = g->rq.auth,
                                .flags = CLIENT_SELF_REGISTERED };
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };

    if (!registrations_make_name(name)) {
        answer_internal(a);
        return false;
    }
    switch (clients_prepare(is, &wish, &g->client, &g->secret, &refusal, &err)) {
    case CLIENTS_DONE:
        return true;
    case CLIENTS_REFUSED:
        return answer_refusal(a,
                              strcmp(refusal.error, "bad_redirect_uri") == 0
                                  ? "invalid_redirect_uri"
                                  : "invalid_client_metadata",
                              "the client's metadata cannot be registered", refusal.message);
    case CLIENTS_FAILED:
        break;
    }
    return answer_failure(a, &err);
}

/* ---- the answer ---- */

/* What the issuer will let it do, which may be more than it asked (RFC 7591 §3.2.1). */
static unsigned allowed_grants(const struct client_record *c)
{
    unsigned grants = c->redirects[0] == '\0' ? 0 : REGISTER_GRANT_CODE | REGISTER_GRANT_REFRESH;

    return c->auth == CLIENT_AUTH_BY_NOTHING
               ? grants
               : grants | REGISTER_GRANT_CLIENT | REGISTER_GRANT_EXCHANGE;
}

static void write_grants(postern_json_writer *w, const struct client_record *c)
{
    unsigned grants = allowed_grants(c);

    postern_json_open_array(w, "grant_types");
    for (unsigned i = 0; i < REGISTER_GRANTS; i++)
        if ((grants & (1U << i)) != 0)
            postern_json_put_str(w, NULL, register_grants[i]);
    postern_json_close_array(w);
    words_write(w, "response_types", (grants & REGISTER_GRANT_CODE) != 0 ? "code" : "");
}

static void write_answer(const struct registration *g, struct answer *a)
{
    const struct client_record *c = &g->client;
    postern_json_writer w = { &a->body, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "client_id", c->name);
    postern_json_put_integer(&w, "client_id_issued_at", c->created_s);
    if (g->secret != NULL) {
        postern_json_put_string(&w, "client_secret", postern_secret_bytes(g->secret));
        postern_json_put_integer(&w, "client_secret_expires_at", 0); /* never; but see unused */
    }
    postern_json_put_str(&w, "client_name", c->title);
    postern_json_put_str(&w, "token_endpoint_auth_method", g->rq.auth_word);
    write_grants(&w, c);
    words_write(&w, "redirect_uris", c->redirects);
    postern_json_put_string(&w, "scope", postern_bytes_str(c->scopes));
    words_write(&w, "resources", c->resources);
    if (g->rq.is_web || g->rq.is_native)
        postern_json_put_str(&w, "application_type", g->rq.is_web ? "web" : "native");
    if (c->jwks[0] != '\0')
        postern_json_put_raw(&w, "jwks", postern_bytes_str(c->jwks));
    postern_json_close_object(&w);
    a->status = 201;
}

static void store(struct issuer *is, const struct http_request *rq, const struct registration *g,
                  struct answer *a)
{
    store_register outcome = STORE_REGISTER_UNSET;
    postern_error err = { 0 };

    if (registrations_add(is, &g->client, g->has_invitation ? &g->invitation : NULL, &outcome,
                          &err) != POSTERN_OK) {
        (void)answer_failure(a, &err);
        return;
    }
    switch (outcome) {
    case STORE_REGISTERED:
        log_note("client %s registered itself from %s", g->client.name, rq->source);
        return;
    case STORE_REGISTER_NOT_INVITED:
        (void)refuse_invitation(is, rq, true, a);
        return;
    case STORE_REGISTER_FULL:
        answer_error(a, 503, "temporarily_unavailable", "too many clients have registered",
                     "Try again later: those that are not used are forgotten; or ask the "
                     "administrator for a client.");
        a->retry_after_s = 3600;
        return;
    case STORE_REGISTER_EXISTS: /* 128 random bits: never */
    case STORE_REGISTER_UNSET:
        break;
    }
    answer_internal(a);
}

void register_endpoint(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    AUTO_REGISTRATION g = { .secret = NULL };

    if (!check_mode(is, a) || !check_type(rq, a) || !check_rate(is, rq, a) ||
        !read_invitation(is, rq, &g, a) || !read_body(rq, &g, a) || !choose_scopes(is, &g, a) ||
        !prepare(is, &g, a))
        return;
    write_answer(&g, a);
    if (a->body.failed)
        answer_internal(a);
    else
        store(is, rq, &g, a);
}
