/* SPDX-License-Identifier: BSD-2-Clause */
/* The issuer's settings, derived once; see settings.h.  RFC 8414 §2 (issuer identifier), RFC 9728
 * §3 (metadata URL). */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "words.h"

static bool join(char room[POSTERN_URL_MAX], const char *a, const char *b, const char *c)
{
    int n = snprintf(room, POSTERN_URL_MAX, "%s%s%s", a, b, c);

    return n >= 0 && n < POSTERN_URL_MAX;
}

/* scheme "://" authority [path]; RFC 8414 §2: no query, no fragment. */
static bool split_issuer(struct issuer_settings *s)
{
    const char *rest = strstr(s->issuer, "://");
    size_t scheme_len, host_len;

    if (rest == NULL || strpbrk(s->issuer, "?#@ \"\\<>") != NULL ||
        !postern_bytes_is_printable(postern_bytes_str(s->issuer)))
        return false;
    scheme_len = (size_t)(rest - s->issuer) + 3;
    if (strncmp(s->issuer, "https://", scheme_len) != 0 &&
        strncmp(s->issuer, "http://", scheme_len) != 0)
        return false;
    host_len = strcspn(rest + 3, "/");
    if (host_len == 0)
        return false;
    memcpy(s->host, rest + 3, host_len);
    memcpy(s->origin, s->issuer, scheme_len + host_len);
    memcpy(s->base, s->issuer, strlen(s->issuer));
    if (s->base[strlen(s->base) - 1] == '/')
        s->base[strlen(s->base) - 1] = '\0';
    memcpy(s->path, s->base + scheme_len + host_len, strlen(s->base) - scheme_len - host_len);
    return true;
}

postern_err issuer_settings_init(struct issuer_settings *s, const char *issuer,
                                 int64_t token_lifetime_s, postern_error *err)
{
    *s = (struct issuer_settings){ .token_lifetime_s = token_lifetime_s,
                                   .key_announcement_s = ISSUER_KEYS_CACHE_S };
    if (!join(s->issuer, issuer, "", "") || !split_issuer(s))
        return POSTERN_FAIL(
            err, CONFIG_VALUE,
            "issuer: must be http(s)://HOST[:PORT][/PATH] without query or fragment, "
            "at most %d bytes",
            POSTERN_URL_MAX - 1);
    if (!join(s->whoami, s->base, "/oauth/whoami", "") ||
        !join(s->whoami_metadata, s->origin, "/.well-known/oauth-protected-resource",
              s->whoami + strlen(s->origin)))
        return POSTERN_FAIL(err, CONFIG_VALUE, "issuer: is too long: shorten its path");
    return POSTERN_OK;
}

postern_err issuer_settings_add_service(struct issuer_settings *s, const char *name,
                                        const char *audiences, const char *scopes,
                                        postern_error *err)
{
    struct issuer_service *grown =
        reallocarray(s->services, s->service_count + 1, sizeof *s->services);
    struct issuer_service *service;

    if (grown == NULL)
        return POSTERN_FAIL(err, NOMEM, "service %s", name);
    s->services = grown;
    service = &s->services[s->service_count];
    *service = (struct issuer_service){ .name = name,
                                        .audiences = strdup(audiences),
                                        .scopes = strdup(scopes) };
    s->service_count++;
    if (service->audiences == NULL || service->scopes == NULL)
        return POSTERN_FAIL(err, NOMEM, "service %s", name);
    return POSTERN_OK;
}

void issuer_settings_free(struct issuer_settings *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->service_count; i++) {
        free(s->services[i].audiences);
        free(s->services[i].scopes);
        free(s->services[i].issuers);
    }
    free(s->services);
    free(s->registration_scopes);
    free(s->registration_resources);
    *s = (struct issuer_settings){ 0 };
}

bool issuer_settings_has_resource(const struct issuer_settings *s, postern_bytes resource)
{
    if (!word_is_resource(resource))
        return false;
    for (size_t i = 0; i < s->service_count; i++)
        if (words_has(s->services[i].audiences, resource))
            return true;
    return postern_bytes_equal_str(resource, s->whoami);
}

bool issuer_settings_wants_opaque(const struct issuer_settings *s, const char *resource)
{
    for (size_t i = 0; i < s->service_count; i++)
        if (s->services[i].wants_opaque &&
            words_has(s->services[i].audiences, postern_bytes_str(resource)))
            return true;
    return false;
}

bool issuer_settings_is_https(const struct issuer_settings *s)
{
    return strncmp(s->origin, "https:", 6) == 0;
}

postern_bytes issuer_service_resource(const struct issuer_service *service)
{
    const char *cursor = service->audiences;
    postern_bytes word;

    while (words_next(&cursor, &word))
        if (word_is_resource(word))
            return word;
    return POSTERN_BYTES_NONE;
}
