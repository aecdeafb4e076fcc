/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of routes and what is checked before each: host (DNS rebinding), method, rate of
 * strangers.  Paths are compared as received: none of ours needs percent-encoding, so an encoded
 * one is another path.
 */
#include "routes.h"

#include <strings.h>

#include "account.h"
#include "authorize.h"
#include "introspect.h"
#include "login.h"
#include "metadata.h"
#include "openapi.h"
#include "page.h"
#include "password_change.h"
#include "register.h"
#include "revoke.h"
#include "token_endpoint.h"
#include "whoami.h"

/* Refusals and what finds nothing.  Local users share one address: documents, which every agent
 * needs and which cost no more than a refusal, are not counted, or one user could keep all others
 * from their tokens. */
static const struct rate_rule source_rule = { "source", 400, 10 };

#define WELL_KNOWN "/.well-known/"

struct route {
    const char *path; /* behind the prefix */
    const char *method;      /* NULL: GET and POST, the handler looks */
    const char *allow;       /* what a 405 names */
    bool is_well_known;      /* also at origin + WELL_KNOWN name + issuer path (RFC 8414 §3.1) */
    bool is_rated_by_itself; /* a document, or the handler knows better whom to slow down */
    void (*answer)(struct issuer *is, const struct http_request *rq, struct answer *a);
};

static void answer_keys(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    (void)rq; /* the same for everybody */
    metadata_keys(is, a);
}

static void answer_server(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    (void)rq; /* the same for everybody */
    metadata_server(is->settings, a);
}

static void answer_whoami_resource(struct issuer *is, const struct http_request *rq,
                                   struct answer *a)
{
    (void)rq; /* the same for everybody */
    metadata_whoami(is->settings, a);
}

static void answer_openapi(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    (void)rq; /* the same for everybody */
    openapi_document(is, a);
}

static const struct route routes[] = {
    { "/oauth/token", "POST", "POST", false, true, token_endpoint },
    { "/oauth/register", "POST", "POST", false, false, register_endpoint },
    { "/oauth/introspect", "POST", "POST", false, true, introspect },
    { "/oauth/revoke", "POST", "POST", false, true, revoke },
    { "/oauth/jwks", "GET", "GET, HEAD", false, true, answer_keys },
    { "/oauth/whoami", "GET", "GET, HEAD", false, false, whoami },
    /* Pages for people: a login has limits of its own. */
    { "/oauth/authorize", NULL, "GET, HEAD, POST", false, true, authorize },
    { "/oauth/login", NULL, "GET, HEAD, POST", false, true, login },
    { "/oauth/logout", "POST", "POST", false, true, logout },
    { "/oauth/account", NULL, "GET, HEAD, POST", false, true, account },
    { "/oauth/password", NULL, "GET, HEAD, POST", false, true, password_change },
    { "/oauth/style.css", "GET", "GET, HEAD", false, true, page_style },
    { "/account", "GET", "GET, HEAD", false, true, account_short },
    { "/openapi.json", "GET", "GET, HEAD", false, true, answer_openapi },
    { WELL_KNOWN "oauth-authorization-server", "GET", "GET, HEAD", true, true, answer_server },
    { WELL_KNOWN "openid-configuration", "GET", "GET, HEAD", true, true, answer_server },
    { WELL_KNOWN "oauth-protected-resource", "GET", "GET, HEAD", true, true,
      answer_whoami_resource },
};

#define RESOURCE_PREFIX WELL_KNOWN "oauth-protected-resource"
static const struct route service_route = {
    RESOURCE_PREFIX "/", "GET", "GET, HEAD", false, true, NULL
};
/* RFC 9728 §3.1: metadata of whoami stands where whoami's own path was inserted. */
static const struct route whoami_route = { NULL,  "GET", "GET, HEAD",
                                           false, true,  answer_whoami_resource };

const char *routes_path(size_t i)
{
    return i < sizeof routes / sizeof *routes ? routes[i].path : NULL;
}

bool routes_has(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].path, path) == 0)
            return true;
    return false;
}

/* ---- whom a request is addressed to ---- */

/* host[:port] without port; an IPv6 literal keeps its brackets. */
static postern_bytes host_without_port(const char *host)
{
    size_t len =
        host[0] == '[' ? strcspn(host, "]") + (strchr(host, ']') != NULL) : strcspn(host, ":");

    return (postern_bytes){ (const uint8_t *)host, len };
}

static bool is_port_or_nothing(const char *s)
{
    return s[0] == '\0' ||
           (s[0] == ':' && s[1] != '\0' && s[1 + strspn(s + 1, "0123456789")] == '\0');
}

/*
 * The issuer's own authority, or a loopback literal with any port (a forwarded one): no name of a
 * stranger's can be either, so a web page that rebinds its name to 127.0.0.1 gets nothing.
 */
static bool is_our_host(const struct issuer_settings *s, const char *host)
{
    postern_bytes name = host_without_port(host);
    const char *standard_port = strncmp(s->origin, "https:", 6) == 0 ? ":443" : ":80";
    size_t own_len = strlen(s->host);

    if (strncasecmp(host, s->host, own_len) == 0 &&
        (host[own_len] == '\0' || strcmp(host + own_len, standard_port) == 0))
        return true;
    return is_port_or_nothing(host + name.len) &&
           (postern_bytes_equal_str(name, "127.0.0.1") || postern_bytes_equal_str(name, "[::1]"));
}

static bool check_request(const struct issuer *is, const struct http_request *rq, struct answer *a)
{
    if (rq->has_repeated_header || rq->host == NULL) {
        answer_error(a, 400, "invalid_request", "Host is missing, or a header is repeated",
                     "Send one Host header, and Authorization and Content-Type at most once.");
        return false;
    }
    if (!is_our_host(is->settings, rq->host)) {
        answer_error(a, 421, "misdirected_request", "this server does not answer for that host",
                     "Use the issuer's URL exactly as it is configured.");
        return false;
    }
    return true;
}

/* ---- finding a route ---- */

/* `path` begins with `prefix`: what follows, else NULL. */
static const char *after(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

static bool matches(const struct issuer_settings *s, const struct route *r, const char *path)
{
    const char *behind_issuer = after(path, s->path);
    const char *inserted = after(path, r->path);

    if (behind_issuer != NULL && strcmp(behind_issuer, r->path) == 0)
        return true;
    return r->is_well_known && inserted != NULL && strcmp(inserted, s->path) == 0;
}

static const struct route *find_route(const struct issuer_settings *s, const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (matches(s, &routes[i], path))
            return &routes[i];
    return strcmp(path, s->whoami_metadata + strlen(s->origin)) == 0 ? &whoami_route : NULL;
}

/* …/oauth-protected-resource/SERVICE, at the origin and behind the issuer's path. */
static const struct issuer_service *find_service(const struct issuer_settings *s, const char *path)
{
    const char *name = after(path, service_route.path);
    const char *behind_issuer = after(path, s->path);

    if (name == NULL && behind_issuer != NULL)
        name = after(behind_issuer, service_route.path);
    for (size_t i = 0; name != NULL && i < s->service_count; i++)
        if (strcmp(name, s->services[i].name) == 0 &&
            issuer_service_resource(&s->services[i]).len != 0)
            return &s->services[i];
    return NULL;
}

static bool check_method(const struct route *r, const struct http_request *rq, struct answer *a)
{
    bool is_read = strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;
    bool is_post = strcmp(rq->method, "POST") == 0;

    if (r->method == NULL ? is_read || is_post : strcmp(r->method, "GET") == 0 ? is_read : is_post)
        return true;
    answer_error(a, 405, "method_not_allowed", "this path does not have that method",
                 r->method != NULL && strcmp(r->method, "POST") == 0 ? "Use POST." : "Use GET.");
    a->allow = r->allow;
    return false;
}

static bool check_rate(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    int wait_s = rate_take(is->rates, &source_rule, "", rq->source, issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "too many requests from this address");
    return wait_s == 0;
}

static void answer_not_found(const struct issuer *is, struct answer *a)
{
    POSTERN_AUTO_BUF message = POSTERN_BUF_INIT(2 * POSTERN_URL_MAX);
    const char *text;

    postern_buf_addf(
        &message, "Start at %s" WELL_KNOWN "oauth-authorization-server%s: it names every endpoint.",
        is->settings->origin, is->settings->path);
    text = postern_buf_cstr(&message);
    answer_error(a, 404, "not_found", "there is nothing at this path", text == NULL ? "" : text);
}

/* A document, a token and a good bearer are not held up by what others do; everything else counts
 * for its address. */
static bool is_counted(const struct route *route, const struct answer *a)
{
    return route == NULL || (!route->is_rated_by_itself && a->status != 200 && a->status != 201);
}

static void answer_route(struct issuer *is, const struct route *route,
                         const struct issuer_service *service, const struct http_request *rq,
                         struct answer *a)
{
    if (!check_method(route, rq, a))
        return;
    if (route == &service_route)
        metadata_service(is->settings, service, a);
    else
        route->answer(is, rq, a);
}

void routes_answer(struct issuer *is, const struct http_request *rq, struct answer *a)
{
    const struct route *route = find_route(is->settings, rq->path);
    const struct issuer_service *service = find_service(is->settings, rq->path);

    if (!check_request(is, rq, a))
        return;
    if (route == NULL && service != NULL)
        route = &service_route;
    if (route == NULL)
        answer_not_found(is, a);
    else
        answer_route(is, route, service, rq, a);
    if (is_counted(route, a))
        (void)check_rate(is, rq, a); /* the answer becomes "too many" then */
}
