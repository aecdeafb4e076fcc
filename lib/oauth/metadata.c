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

/* Where our secret will go: judged like a URL that an administrator wrote, and never weaker than
 * the issuer's own. */
static postern_err check_endpoint(const struct postern_issuer *issuer, struct postern_metadata *m,
                                  postern_error *err)
{
    struct postern_url endpoint;
    postern_error why = { 0 };

    if (m->token_endpoint[0] == '\0')
        return POSTERN_FAIL(err, ISSUER_ANSWER, "metadata names no token_endpoint");
    if (postern_url_split(postern_bytes_str(m->token_endpoint), &endpoint, &why) != POSTERN_OK)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "token_endpoint: %s", why.detail);
    if (issuer->url.is_https && !endpoint.is_https)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "token_endpoint is not https");
    if (!issuer->url.is_https && !postern_url_is_same_origin(&issuer->url, &endpoint))
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "token_endpoint of a loopback issuer is at another origin");
    m->is_endpoint_host_configured = strcmp(issuer->url.host, endpoint.host) == 0;
    return POSTERN_OK;
}

postern_err postern_metadata_read(const struct postern_http_response *r,
                                  const struct postern_issuer *issuer, struct postern_metadata *ret,
                                  postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    char said[POSTERN_HTTP_URL_MAX], room[260];
    struct postern_metadata m = { 0 };

    POSTERN_TRY(postern_answer_scan(r, &j, err));
    POSTERN_TRY(postern_answer_text(&j, "issuer", said, sizeof said, err));
    if (strcmp(said, issuer->text) != 0)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "metadata is of issuer %s",
                            postern_error_quote(said, strlen(said), room, sizeof room));
    POSTERN_TRY(
        postern_answer_text(&j, "token_endpoint", m.token_endpoint, sizeof m.token_endpoint, err));
    POSTERN_TRY(check_endpoint(issuer, &m, err));
    *ret = m;
    return POSTERN_OK;
}
