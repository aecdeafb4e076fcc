/* SPDX-License-Identifier: BSD-2-Clause */
/* See metadata.h.  RFC 8414 §3, OpenID Connect Discovery 1.0 §4. */
#include "oauth/metadata.h"

postern_err postern_issuer_read(const char *text, struct postern_issuer *ret, postern_error *err)
{
    struct postern_issuer issuer = { .text = text };
    postern_error why = { 0 };

    if (postern_url_split(postern_bytes_str(text), &issuer.url, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, USAGE, "issuer: %s", why.detail);
    if (issuer.url.has_query)
        return POSTERN_FAIL(err, USAGE, "issuer: RFC 8414 section 2 allows no query");
    *ret = issuer;
    return POSTERN_OK;
}

static const struct {
    const char *well_known;
    bool is_appended; /* behind the issuer's path, not before it */
} places[] = {
    { "/.well-known/oauth-authorization-server", false },
    { "/.well-known/openid-configuration", false },
    { "/.well-known/openid-configuration", true },
};

bool postern_metadata_place(const struct postern_issuer *issuer, size_t n, postern_buf *ret_url)
{
    postern_bytes path = issuer->url.path;

    if (path.len != 0 && path.ptr[path.len - 1] == '/') /* RFC 8414 §3.1: a terminating "/" goes */
        path.len--;
    if (n >= sizeof places / sizeof *places || (places[n].is_appended && path.len == 0))
        return false;
    postern_buf_add(ret_url, issuer->url.origin);
    if (places[n].is_appended)
        postern_buf_add(ret_url, path);
    postern_buf_add_str(ret_url, places[n].well_known);
    if (!places[n].is_appended)
        postern_buf_add(ret_url, path);
    return true;
}

/* Where our secret or the person's browser will go: judged like a URL that an administrator wrote,
 * and never weaker than the issuer's own. */
static postern_err check_endpoint(const struct postern_issuer *issuer, const char *name,
                                  struct postern_endpoint *e, postern_error *err)
{
    struct postern_url url;
    postern_error why = { 0 };

    if (e->url[0] == '\0')
        return POSTERN_FAIL(err, ISSUER_ANSWER, "metadata names no %s", name);
    if (postern_url_split(postern_bytes_str(e->url), &url, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s: %s", name, why.detail);
    if (issuer->url.is_https && !url.is_https)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s is not https", name);
    if (!issuer->url.is_https && !postern_url_is_same_origin(&issuer->url, &url))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "%s of a loopback issuer is at another origin",
                            name);
    e->is_host_configured = strcmp(issuer->url.host, url.host) == 0;
    return POSTERN_OK;
}

static postern_err read_endpoint(const postern_json *j, const struct postern_issuer *issuer,
                                 const char *name, struct postern_endpoint *e, postern_error *err)
{
    POSTERN_TRY(postern_answer_text(j, name, e->url, sizeof e->url, err));
    return check_endpoint(issuer, name, e, err);
}

static unsigned read_auth(const postern_json *j, const char *name, unsigned otherwise)
{
    unsigned takes = 0;

    if (postern_json_member(j, 0, name) == POSTERN_JSON_ABSENT)
        return otherwise;
    if (postern_answer_lists(j, name, "client_secret_basic"))
        takes |= POSTERN_TAKES_BASIC;
    if (postern_answer_lists(j, name, "client_secret_post"))
        takes |= POSTERN_TAKES_POST;
    return takes;
}

static postern_err read_login(const postern_json *j, const struct postern_issuer *issuer,
                              struct postern_metadata *m, postern_error *err)
{
    uint32_t says_iss = postern_json_member(j, 0, "authorization_response_iss_parameter_supported");

    POSTERN_TRY(read_endpoint(j, issuer, "authorization_endpoint", &m->authorization, err));
    if (!postern_answer_lists(j, "code_challenge_methods_supported", "S256"))
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "metadata does not list S256 in code_challenge_methods_supported: a "
                            "login without PKCE is not begun");
    m->says_iss = postern_json_type_of(j, says_iss) == POSTERN_JSON_TRUE;
    return POSTERN_OK;
}

static postern_err read_needed(const postern_json *j, const struct postern_issuer *issuer,
                               unsigned needs, struct postern_metadata *m, postern_error *err)
{
    if (needs & POSTERN_NEED_TOKEN)
        POSTERN_TRY(read_endpoint(j, issuer, "token_endpoint", &m->token, err));
    if (needs & POSTERN_NEED_REVOCATION)
        POSTERN_TRY(read_endpoint(j, issuer, "revocation_endpoint", &m->revocation, err));
    if (needs & POSTERN_NEED_AUTHORIZATION)
        POSTERN_TRY(read_login(j, issuer, m, err));
    if (needs & POSTERN_NEED_JWKS)
        POSTERN_TRY(read_endpoint(j, issuer, "jwks_uri", &m->jwks, err));
    if (needs & POSTERN_NEED_INTROSPECTION)
        POSTERN_TRY(read_endpoint(j, issuer, "introspection_endpoint", &m->introspection, err));
    m->token_auth = read_auth(j, "token_endpoint_auth_methods_supported", POSTERN_TAKES_BASIC);
    m->revocation_auth = read_auth(j, "revocation_endpoint_auth_methods_supported", m->token_auth);
    m->introspection_auth =
        read_auth(j, "introspection_endpoint_auth_methods_supported", m->token_auth);
    return POSTERN_OK;
}

postern_err postern_metadata_read(const struct postern_http_response *r,
                                  const struct postern_issuer *issuer, unsigned needs,
                                  struct postern_metadata *ret, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    char said[POSTERN_HTTP_URL_MAX], room[260];
    struct postern_metadata m = { 0 };

    POSTERN_TRY(postern_answer_scan(r, &j, err));
    POSTERN_TRY(postern_answer_text(&j, "issuer", said, sizeof said, err));
    if (strcmp(said, issuer->text) != 0)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "metadata is of issuer %s",
                            postern_error_quote(said, strlen(said), room, sizeof room));
    POSTERN_TRY(read_needed(&j, issuer, needs, &m, err));
    *ret = m;
    return POSTERN_OK;
}
