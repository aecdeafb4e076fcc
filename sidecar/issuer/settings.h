/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What issuer.conf and the service files mean for the issuer: its identifier cut into the URLs
 * that it serves, and the resources it may issue tokens for.  Read once at start; views into the
 * configuration, which must stay alive.
 */
#ifndef POSTERN_ISSUER_SETTINGS_H
#define POSTERN_ISSUER_SETTINGS_H

#include <postern/config.h>
#include <postern/grant.h>

/*
 * A removal is remembered until no token from before it can pass anywhere: the largest
 * token_lifetime: and clock_skew: that may be set, not those in force, because tokens of
 * yesterday's longer lifetime outlive a reload that shortens it.
 */
#define ISSUER_LIFETIME_MAX_S 3600
#define ISSUER_SKEW_MAX_S 300
#define ISSUER_REMOVAL_KEEP_S (ISSUER_LIFETIME_MAX_S + ISSUER_SKEW_MAX_S)

/* Readers of our key set keep it so long (Cache-Control max-age), and less when a new key is
 * announced for less. */
#define ISSUER_KEYS_CACHE_S 300

/* RFC 7591: who may register a client. */
typedef enum registration_mode {
    REGISTRATION_OFF = 0,
    REGISTRATION_TOKEN, /* who has an initial access token (RFC 7591 §3) */
    REGISTRATION_OPEN
} registration_mode;

struct issuer_service {
    const char *name; /* services/NAME.conf */
    /* Words; the first that is an absolute URI names its metadata document. */
    char       *audiences;
    char       *scopes;    /* words of required_scopes: and required_scopes_any: */
    char       *issuers;   /* words: whose tokens it takes; NULL: ours */
    bool        wants_opaque; /* access_token_format: opaque */
    bool        asks_certificate; /* a door that asks for, or wants, a client certificate */
};

struct issuer_settings {
    char    issuer[POSTERN_URL_MAX];   /* exact `iss` */
    /* Issuer without a trailing slash: endpoints are base + "/oauth/…". */
    char    base[POSTERN_URL_MAX];
    char    origin[POSTERN_URL_MAX];   /* scheme://host[:port] */
    char    host[POSTERN_URL_MAX];     /* host[:port] as written: what Host: must say */
    char    path[POSTERN_URL_MAX];     /* "" or "/tenant": base = origin + path */
    /* Resource identifier of our own protected endpoint. */
    char    whoami[POSTERN_URL_MAX];
    char    whoami_metadata[POSTERN_URL_MAX]; /* its RFC 9728 document */
    int64_t token_lifetime_s;
    int64_t key_rotation_s;     /* 0: only by command */
    int64_t key_announcement_s; /* a new key is published so long before it signs */
    registration_mode registration;
    char   *registration_scopes, *registration_resources; /* words; what a client may have */
    int64_t registration_max, registration_unused_s;
    struct issuer_service *services;
    size_t  service_count;
};

/*
 * Cut `issuer` into its parts; services stay empty.
 *   POSTERN_OK · POSTERN_ERR_CONFIG_VALUE (not http(s), query, fragment, too long)
 */
POSTERN_MUST_USE postern_err issuer_settings_init(struct issuer_settings *s, const char *issuer,
                                                  int64_t token_lifetime_s, postern_error *err);
/* One more service; texts are copied.  POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err issuer_settings_add_service(struct issuer_settings *s,
                                                         const char *name, const char *audiences,
                                                         const char *scopes, postern_error *err);
/* Everything from issuer.conf and services/.  POSTERN_OK · CONFIG_MISSING (no issuer.conf) ·
 * CONFIG_VALUE · NOMEM */
POSTERN_MUST_USE postern_err issuer_settings_load(struct issuer_settings *s,
                                                  const postern_config *c, postern_error *err);
void issuer_settings_free(struct issuer_settings *s);

/* An audience of a service or door that is an absolute URI, or our own whoami. */
bool issuer_settings_has_resource(const struct issuer_settings *s, postern_bytes resource);
/* A service or door with that audience wants opaque access tokens: one is enough, since all of them take
 * both. */
bool issuer_settings_wants_opaque(const struct issuer_settings *s, const char *resource);
/* The pages' cookie may be marked Secure. */
bool issuer_settings_is_https(const struct issuer_settings *s);
/* The URI that names a service (its first absolute-URI audience); empty when it has none. */
postern_bytes issuer_service_resource(const struct issuer_service *service);

#endif
