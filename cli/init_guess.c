/* SPDX-License-Identifier: BSD-2-Clause */
/* See init_guess.h. */
#include <string.h>
#include <strings.h>

#include "hosts.h"
#include "init_guess.h"

/* Host and path of a URL; both empty where it has none. */
static void split(const char *url, postern_bytes *ret_host, const char **ret_path)
{
    const char *host = strstr(url, "://");
    size_t len;

    *ret_host = POSTERN_BYTES_NONE;
    *ret_path = "";
    if (host == NULL)
        return;
    host += 3;
    len = strcspn(host, "/");
    *ret_path = host + len;
    *ret_host = (postern_bytes){ (const uint8_t *)host, len };
    for (size_t i = len; i > 0 && host[i - 1] != ']'; i--)
        if (host[i - 1] == ':')
            ret_host->len = i - 1;
}

static bool is_host(postern_bytes host, const char *name)
{
    return host.len == strlen(name) && strncasecmp((const char *)host.ptr, name, host.len) == 0;
}

static bool is_below(postern_bytes host, const char *domain)
{
    size_t len = strlen(domain);

    return host.len > len && strncasecmp((const char *)host.ptr + host.len - len, domain, len) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Microsoft's clouds: global, US government, China. */
static bool is_entra(postern_bytes host)
{
    return is_host(host, "login.microsoftonline.com") ||
           is_host(host, "login.microsoftonline.us") ||
           is_host(host, "login.partner.microsoftonline.cn");
}

static bool is_okta(postern_bytes host, const char *path, const char *token_endpoint)
{
    return is_below(host, ".okta.com") || is_below(host, ".oktapreview.com") ||
           is_below(host, ".okta-emea.com") ||
           (strncmp(path, "/oauth2/", 8) == 0 && ends_with(token_endpoint, "/v1/token"));
}

const char *init_guess_provider(const char *issuer, const postern_survey *found)
{
    const char *token_endpoint = found == NULL ? "" : found->token_endpoint, *path;
    postern_bytes host;

    split(issuer, &host, &path);
    if (is_entra(host))
        return "entra";
    if (strstr(path, "/realms/") != NULL &&
        (found == NULL || ends_with(token_endpoint, "/protocol/openid-connect/token")))
        return "keycloak";
    return is_okta(host, path, token_endpoint) ? "okta" : "rfc9068";
}

bool init_guess_is_entra_v1(const char *issuer)
{
    const char *path;
    postern_bytes host;

    split(issuer, &host, &path);
    return is_host(host, "sts.windows.net") || (is_entra(host) && strstr(path, "/v2.0") == NULL);
}

static bool is_digits(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

/* An address has no name in it; www says nothing. */
void init_guess_name(const char *issuer, const char *provider, char room[INIT_NAME_MAX])
{
    const char *path;
    postern_bytes host, label;

    split(issuer, &host, &path);
    label = (postern_bytes){ host.ptr, postern_bytes_find(host, '.') };
    if (label.len != 0 && label.len < INIT_NAME_MAX && !is_entra(host)) {
        memcpy(room, label.ptr, label.len);
        room[label.len] = '\0';
        if (host_is_service_name(room) && !is_digits(room) && strcmp(room, "www") != 0)
            return;
    }
    if (strcmp(provider, "rfc9068") == 0)
        provider = "issuer";
    memcpy(room, provider, strlen(provider) + 1);
}
