/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service's settings, compiled once so that judging a token looks up no name: what its claims
 * must be, which keys count, who the local user is, and what a refused client is told.  Made by
 * context.c, read by validate.c.
 */
#ifndef POSTERN_LIB_RULES_H
#define POSTERN_LIB_RULES_H

#include "claims.h"
#include "discovery.h"
#include "identity.h"
#include "introspector.h"
#include "jose/jws.h"
#include "keyring.h"
#include "revocations.h"
#include "server.h"
#include "settings.h"
#include "username.h"

/* Issuers of one service: each costs a look-up of every login in the cache of proved tokens. */
#define POSTERN_TRUSTS_MAX 16
/* Whose tokens the issuer is asked about. */
enum introspection_mode { INTROSPECT_NOTHING = 0, INTROSPECT_OPAQUE, INTROSPECT_ALWAYS };

/* An issuer's part, shared by the services that trust it.  What changes has a lock of its own. */
struct issuer_rules {
    const char *issuer;
    struct server server;
    struct discovery *discovery; /* NULL: nothing here needs it */
    struct keyring *keys;
    const char *keys_source; /* file or URL, for people */
    struct revocations *revocations;
    enum introspection_mode introspection;
    struct introspector *introspector; /* NULL: INTROSPECT_NOTHING */
    int64_t introspection_keep_ms;     /* of its answers; 0: none is kept */
    struct introspector *embedded;     /* of its opaque tokens, asked over a line inside posternd;
                                          NULL: it is not the embedded issuer */
    struct server embedded_server;     /* its transport is NULL until there is a line */
    struct issuer_rules *next;
};

enum login_as { LOGIN_AS_USER = 0, LOGIN_AS_AGENT, LOGIN_AS_BOTH };

struct service_rules;

/* What a service asks of the tokens of one issuer. */
struct trust {
    const struct service_rules *service;
    struct issuer_rules *issuer;
    const char *issuer_file, *keys_source; /* for people */
    postern_alg_set algorithms;
    const char *const *token_types;
    size_t token_type_count;
    bool takes_untyped; /* a header without typ */
    struct claim_rules claims;
    struct claim_rules answer_claims; /* the same for what the issuer says of a token */
    struct username_template username;
    struct identity_rules identity; /* the service's, and the map of either */
    bool makes_names;               /* a user's name may be one that stands nowhere in the token */
    postern_failure challenge;      /* what a client that it refuses may know; code unset */
};

struct service_rules {
    const postern_section *section;
    const char *service;  /* for the grant; NULL: token-only check */
    struct trust *trusts; /* in the order of `issuers:` */
    size_t trust_count;   /* 1 to POSTERN_TRUSTS_MAX */
    const struct trust *embedded; /* of the embedded issuer; NULL: it is not trusted here */
    const char **issuers; /* of the trusts, in their order */
    bool needs_tls;
    const char **server_names; /* NULL-terminated; NULL: the message's host is not compared */
    const char *server_port;
    bool maps_user;
    enum login_as login_as;
    const char *opaque_prefix; /* of opaque tokens that come as passwords; NULL: none may */
    struct service_rules *next;
};

/*
 * Compile one service.  Everything lives in `arena` and in `c`.
 *   issuers   of the context; among them those that the service trusts
 *   POSTERN_OK · NOMEM · CONFIG_VALUE
 */
POSTERN_MUST_USE postern_err postern_service_rules_new(
    postern_arena *arena, const postern_config *c, const postern_section *service,
    struct issuer_rules *issuers, struct service_rules **ret, postern_error *err);

/* The trust of that issuer; NULL: the service does not trust it. */
const struct trust *postern_service_trust(const struct service_rules *rules, const char *issuer);
/*
 * The trust of which `is_wanted` holds; NULL: of none, or of several.  For tokens that say nothing
 * of their issuer: shown to one after the other, each issuer would come to hold the others' tokens.
 */
const struct trust *postern_service_only_trust(const struct service_rules *rules,
                                               bool (*is_wanted)(const struct trust *trust));

#endif
