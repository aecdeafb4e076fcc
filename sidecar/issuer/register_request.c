/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of a registration; see register_request.h.  Whether a redirect URI, a scope or a key is
 * good is clients.c's to say.  Called by register.c and by its fuzzer. */
#include "register_request.h"

#include <postern-private/json.h>

#include "words.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

const char *const register_grants[REGISTER_GRANTS] = {
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:token-exchange",
};

static const struct {
    const char *word;
    client_auth_method auth;
} auth_methods[] = {
    { "client_secret_basic", CLIENT_AUTH_BY_SECRET },
    { "client_secret_post", CLIENT_AUTH_BY_SECRET },
    { "private_key_jwt", CLIENT_AUTH_BY_KEY },
    { "none", CLIENT_AUTH_BY_NOTHING },
};

struct reading {
    const postern_json *j;
    struct register_request *rq;
    struct register_fault *fault;
};

static register_outcome refuse(struct reading *r, const char *description, const char *message)
{
    *r->fault = (struct register_fault){ "invalid_client_metadata", description, message };
    return REGISTER_REFUSED;
}

static register_outcome refuse_redirect(struct reading *r, const char *description,
                                        const char *message)
{
    *r->fault = (struct register_fault){ "invalid_redirect_uri", description, message };
    return REGISTER_REFUSED;
}

/* REGISTER_READ with *ret a view into `scratch` or the document. */
static register_outcome read_text(struct reading *r, uint32_t node, postern_buf *scratch,
                                  postern_bytes *ret)
{
    postern_buf_reset(scratch);
    if (postern_json_string(r->j, node, scratch, ret))
        return REGISTER_READ;
    if (postern_json_type_of(r->j, node) == POSTERN_JSON_STRING)
        return REGISTER_FAILED;
    return refuse(r, "a member is no string where one is wanted",
                  "Send client_name, scope, token_endpoint_auth_method and application_type as "
                  "strings, the rest as arrays of strings (RFC 7591 section 2).");
}

/* ---- members ---- */

static register_outcome read_title(struct reading *r, uint32_t node)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(REGISTER_BODY_MAX);
    postern_bytes text;
    register_outcome o = read_text(r, node, &scratch, &text);

    if (o != REGISTER_READ)
        return o;
    if (text.len >= sizeof r->rq->title)
        return refuse(r, "client_name is too long", "Use at most 128 bytes.");
    if (text.len != 0)
        memcpy(r->rq->title, text.ptr, text.len);
    r->rq->title[text.len] = '\0';
    return REGISTER_READ;
}

static register_outcome read_scope(struct reading *r, uint32_t node)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(REGISTER_BODY_MAX);
    postern_bytes text;
    register_outcome o = read_text(r, node, &scratch, &text);

    if (o != REGISTER_READ)
        return o;
    if (text.len >= sizeof r->rq->scopes)
        return refuse(r, "scope is too long", "Ask for at most 1000 bytes of scopes.");
    if (text.len != 0)
        memcpy(r->rq->scopes, text.ptr, text.len);
    r->rq->scopes[text.len] = '\0';
    r->rq->has_scope = true;
    return REGISTER_READ;
}

static register_outcome read_auth(struct reading *r, uint32_t node)
{
    for (size_t i = 0; i < COUNT_OF(auth_methods); i++)
        if (postern_json_string_is(r->j, node, auth_methods[i].word)) {
            r->rq->auth_word = auth_methods[i].word;
            r->rq->auth = auth_methods[i].auth;
            return REGISTER_READ;
        }
    return refuse(r, "token_endpoint_auth_method is not supported",
                  "Use client_secret_basic, client_secret_post, private_key_jwt or none.");
}

static register_outcome read_redirects(struct reading *r, uint32_t list)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(REGISTER_BODY_MAX);

    if (postern_json_type_of(r->j, list) != POSTERN_JSON_ARRAY)
        return refuse_redirect(r, "redirect_uris is no array", "Send an array of strings.");
    for (uint32_t n = postern_json_first(r->j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(r->j, n)) {
        postern_bytes word;
        register_outcome o = read_text(r, n, &scratch, &word);

        if (o != REGISTER_READ)
            return o;
        if (word.len == 0 || postern_bytes_find(word, ' ') != word.len ||
            !words_append(r->rq->redirects, sizeof r->rq->redirects, word))
            return refuse_redirect(r, "a redirect URI is empty, holds a space, or is one too many",
                                   "All redirect URIs together have at most 2048 bytes.");
    }
    return REGISTER_READ;
}

static register_outcome read_grants(struct reading *r, uint32_t list)
{
    r->rq->grants = 0;
    if (postern_json_type_of(r->j, list) != POSTERN_JSON_ARRAY)
        return refuse(r, "grant_types is no array", "Send an array of strings.");
    for (uint32_t n = postern_json_first(r->j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(r->j, n)) {
        unsigned bit = 0;

        for (unsigned i = 0; i < REGISTER_GRANTS; i++)
            if (postern_json_string_is(r->j, n, register_grants[i]))
                bit = 1U << i;
        if (bit == 0)
            return refuse(r, "a grant type is not supported",
                          "Use authorization_code, refresh_token, client_credentials or "
                          "urn:ietf:params:oauth:grant-type:token-exchange.");
        r->rq->grants |= bit;
    }
    return REGISTER_READ;
}

static register_outcome read_responses(struct reading *r, uint32_t list)
{
    if (postern_json_type_of(r->j, list) != POSTERN_JSON_ARRAY)
        return refuse(r, "response_types is no array", "Send an array of strings.");
    for (uint32_t n = postern_json_first(r->j, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(r->j, n))
        if (!postern_json_string_is(r->j, n, "code"))
            return refuse(r, "a response type is not supported", "The only response type is code.");
    return REGISTER_READ;
}

static register_outcome read_jwks(struct reading *r, uint32_t node)
{
    postern_bytes raw = postern_json_raw(r->j, node);

    if (postern_json_type_of(r->j, node) != POSTERN_JSON_OBJECT || raw.len >= sizeof r->rq->jwks)
        return refuse(r, "jwks is no object, or too large",
                      "Send a JWK set of public keys with at most 8192 bytes (RFC 7517).");
    memcpy(r->rq->jwks, raw.ptr, raw.len);
    r->rq->jwks[raw.len] = '\0';
    return REGISTER_READ;
}

/* It would have to be fetched from where a stranger says. */
static register_outcome refuse_jwks_uri(struct reading *r, uint32_t node)
{
    (void)node; /* whatever it says */
    return refuse(r, "jwks_uri is not supported", "Send the key set itself, as jwks.");
}

static register_outcome read_type(struct reading *r, uint32_t node)
{
    r->rq->is_web = postern_json_string_is(r->j, node, "web");
    r->rq->is_native = postern_json_string_is(r->j, node, "native");
    if (r->rq->is_web || r->rq->is_native)
        return REGISTER_READ;
    return refuse(r, "application_type is neither web nor native", "Send one of them or none.");
}

static const struct {
    const char *name;
    register_outcome (*read)(struct reading *r, uint32_t node);
} members[] = {
    { "client_name", read_title },
    { "scope", read_scope },
    { "token_endpoint_auth_method", read_auth },
    { "redirect_uris", read_redirects },
    { "grant_types", read_grants },
    { "response_types", read_responses },
    { "jwks", read_jwks },
    { "jwks_uri", refuse_jwks_uri },
    { "application_type", read_type },
};

/* ---- what fits together ---- */

static register_outcome check_grants(struct reading *r)
{
    const struct register_request *rq = r->rq;

    if ((rq->grants & REGISTER_GRANT_CODE) != 0 && rq->redirects[0] == '\0')
        return refuse_redirect(
            r, "authorization_code needs redirect_uris",
            "Send redirect_uris, or grant_types with client_credentials alone for "
            "an agent that acts for itself.");
    if (rq->auth == CLIENT_AUTH_BY_NOTHING &&
        (rq->grants & ~(REGISTER_GRANT_CODE | REGISTER_GRANT_REFRESH)) != 0)
        return refuse(r, "a public client has authorization_code and refresh_token only",
                      "Use client_secret_basic, client_secret_post or private_key_jwt.");
    if ((rq->auth == CLIENT_AUTH_BY_KEY) != (rq->jwks[0] != '\0'))
        return refuse(r, "private_key_jwt needs jwks, and nothing else takes it",
                      "Send the public key set as jwks with "
                      "token_endpoint_auth_method=private_key_jwt.");
    return REGISTER_READ;
}

/* OpenID Dynamic Registration §2, without its rule against https for native ones: RFC 8252 §7.2. */
static register_outcome check_type(struct reading *r)
{
    const char *cursor = r->rq->redirects;
    postern_bytes word;

    while (r->rq->is_web && words_next(&cursor, &word))
        if (word.len < 8 || memcmp(word.ptr, "https://", 8) != 0)
            return refuse_redirect(r, "a web application's redirect URI is not https",
                                   "Use https, or application_type native.");
    return REGISTER_READ;
}

static register_outcome read_members(struct reading *r)
{
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        uint32_t node = postern_json_member(r->j, 0, members[i].name);
        register_outcome o = node == POSTERN_JSON_ABSENT ? REGISTER_READ : members[i].read(r, node);

        if (o != REGISTER_READ)
            return o;
    }
    return REGISTER_READ;
}

register_outcome register_request_read(postern_bytes body, struct register_request *ret,
                                       struct register_fault *ret_fault)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct reading r = { &j, ret, ret_fault };
    register_outcome o;

    /* RFC 7591 §2: the defaults. */
    *ret = (struct register_request){ .auth_word = "client_secret_basic",
                                      .grants = REGISTER_GRANT_CODE };
    switch (postern_json_scan(&j, body, NULL)) {
    case POSTERN_OK:
        break;
    case POSTERN_ERR_NOMEM:
        return REGISTER_FAILED;
    default:
        return refuse(&r, "the body is not well-formed JSON",
                      "Send one JSON object of client metadata without duplicate members (RFC 7591 "
                      "section 2).");
    }
    if (postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT)
        return refuse(&r, "the body is no JSON object",
                      "Send one JSON object of client metadata (RFC 7591 section 2).");
    o = read_members(&r);
    if (o == REGISTER_READ)
        o = check_grants(&r);
    return o == REGISTER_READ ? check_type(&r) : o;
}
