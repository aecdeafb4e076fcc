/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of authorization servers that people run: how their access tokens differ from RFC
 * 9068, as settings that `provider:` fills in (config_provider.c), and by what they tell a token
 * that an agent got for itself from one for a human (claims.c).
 * doc/decisions/0040-providers-and-maps.md says where each row comes from.
 */
#ifndef POSTERN_LIB_PROVIDER_H
#define POSTERN_LIB_PROVIDER_H

#include "claims.h"

struct provider_setting {
    const char *key, *text;
};

#define POSTERN_PROVIDER_SETTINGS_MAX 6

struct provider {
    const char *name; /* as in `provider:` */
    struct provider_setting settings[POSTERN_PROVIDER_SETTINGS_MAX];
    /*
     * Is the token the client's own, of which no human knows?  Asked of claims that are there and
     * safe, of a token without `act`.  NULL: when its subject is the client (RFC 9068 §5).
     *   POSTERN_OK · ACTOR_UNCLEAR · CLAIM_MISSING · TYP
     */
    postern_err (*find_party)(const postern_json *j, const struct postern_grant_facts *facts,
                              bool *ret_is_clients_own, postern_error *err);
    const char *token_id; /* the claim that names a token without jti; NULL: none does */
};

/* NULL: nobody knows that name. */
const struct provider *postern_provider(const char *name);
/* NULL: rfc9068. */
const char *postern_provider_name(const struct provider *p);
/* NULL: jti alone. */
const char *postern_provider_token_id(const struct provider *p);
/* The party of checked facts into facts->is_clients_own.  `p` NULL: rfc9068. */
POSTERN_MUST_USE postern_err postern_provider_judge(const struct provider *p, const postern_json *j,
                                                    struct postern_grant_facts *facts,
                                                    postern_error *err);

#endif
