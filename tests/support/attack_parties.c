/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on the sign by which a product tells an agent's own token from a human's (decision 0040),
 * and on where a token comes from: RFC 9396 §9.1.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

/* An array of `len` entries `b` in claim `a`. */
static struct attack_text by_entries(const struct attack_world *w, const struct attack *a)
{
    char *list = test_printf("["), *longer;
    struct attack own = *a;
    struct attack_text t;

    for (size_t i = 0; i < a->len; i++, free(list), list = longer)
        longer = test_printf("%s%s%s", list, i == 0 ? "" : ",", a->b);
    longer = test_printf("%s]", list);
    free(list);
    own.b = longer;
    t = attack_by_claim(w, &own);
    free(longer);
    return t;
}

/* Claim `a` with a string of `len` letters, `b` before it and its end behind. */
static struct attack_text by_long_text(const struct attack_world *w, const struct attack *a)
{
    char *filler = calloc(1, a->len + 1), *json;
    struct attack own = *a;
    struct attack_text t;

    if (filler == NULL)
        abort();
    memset(filler, 'n', a->len);
    own.b = json = test_printf("%s%s\"%s", a->b, filler, a->b[0] == '[' ? "}]" : "");
    t = attack_by_claim(w, &own);
    free(json);
    free(filler);
    return t;
}

#define KEYCLOAK(code, place, name, json, words)                                                   \
    ATTACK_CLAIM_AT(SITE_KEYCLOAK, code, PARTY, "keycloak." place, name, json, words)
#define KEYCLOAK_CLIENT(code, place, name, json, words)                                            \
    ATTACK_CLAIM_AT(SITE_KEYCLOAK_CLIENT, code, PARTY, "keycloak." place, name, json, words)
#define ENTRA(code, place, name, json, words)                                                      \
    ATTACK_CLAIM_AT(SITE_ENTRA, code, PARTY, "entra." place, name, json, words)
#define ENTRA_APP(code, place, name, json, words)                                                  \
    ATTACK_CLAIM_AT(SITE_ENTRA_APP, code, PARTY, "entra." place, name, json, words)
#define OKTA(code, place, name, json, words)                                                       \
    ATTACK_CLAIM_AT(SITE_OKTA, code, PARTY, "okta." place, name, json, words)
#define FROM(code, name, place, json, words)                                                       \
    ATTACK_CLAIM(code, LINEAGE, name "/" place, name, json, words)
#define MANY(code, name, place, recipe, entry, count, words)                                       \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_LINEAGE, .field = name "/" place,             \
        .done = words, .make = recipe, .a = name, .b = entry, .len = count                         \
    }

static const struct attack rows[] = {
    KEYCLOAK(TYP, "typ/ID", "typ", "\"ID\"", "an ID token"),
    KEYCLOAK(TYP, "typ/Refresh", "typ", "\"Refresh\"", "a refresh token"),
    KEYCLOAK(TYP, "typ/Offline", "typ", "\"Offline\"", "an offline token"),
    KEYCLOAK(TYP, "typ/case", "typ", "\"bearer\"", "lower case"),
    KEYCLOAK(TYP, "typ/missing", "typ", NULL, "no typ among the claims"),
    KEYCLOAK(TYP, "typ/array", "typ", "[\"Bearer\"]", "an array of one"),
    KEYCLOAK(ACTOR_UNCLEAR, "preferred_username/missing", "preferred_username", NULL,
             "no sign of whose token it is"),
    KEYCLOAK(MALFORMED_CLAIM, "preferred_username/number", "preferred_username", "7", "a number"),
    KEYCLOAK(MALFORMED_CLAIM, "preferred_username/null", "preferred_username", "null", "null"),
    KEYCLOAK(ACTOR_UNCLEAR, "preferred_username/service account", "preferred_username",
             "\"service-account-agent-7\"", "a person's session under a service account's name"),
    KEYCLOAK(ACTOR_UNCLEAR, "sub/client", "sub", "\"agent-7\"", "the client as the human"),
    KEYCLOAK_CLIENT(ACTOR_UNCLEAR, "sid/service account", "sid", "\"9a6e\"",
                    "a session in a client's own token"),
    KEYCLOAK_CLIENT(ACTOR_UNCLEAR, "session_state/service account", "session_state", "\"9a6e\"",
                    "a session in a client's own token, as older servers write it"),
    ENTRA(ACTOR_UNCLEAR, "scp/missing", "scp", NULL, "neither scopes nor roles"),
    ENTRA(ACTOR_UNCLEAR, "idtyp/app with scp", "idtyp", "\"app\"", "said to be an application's"),
    ENTRA(ACTOR_UNCLEAR, "idtyp/unknown", "idtyp", "\"device\"",
          "neither a user nor an application"),
    ENTRA(ACTOR_UNCLEAR, "idtyp/array", "idtyp", "[\"user\"]", "an array of one"),
    ENTRA_APP(ACTOR_UNCLEAR, "idtyp/user without scp", "idtyp", "\"user\"", "said to be a user's"),
    ENTRA_APP(ACTOR_UNCLEAR, "sub/not oid", "sub", "\"someone\"",
              "a subject that is not the object"),
    ENTRA_APP(ACTOR_UNCLEAR, "roles/missing", "roles", NULL, "an application without a role"),
    OKTA(ACTOR_UNCLEAR, "uid/missing", "uid", NULL, "no user, but a subject that is no client"),
    OKTA(ACTOR_UNCLEAR, "sub/client", "sub", "\"0oabskvc6442nkvQO0h7\"",
         "a user whose name is the client's"),

    FROM(MALFORMED_CLAIM, "grant_id", "empty", "\"\"", "an empty string"),
    FROM(MALFORMED_CLAIM, "grant_id", "null", "null", "null"),
    FROM(MALFORMED_CLAIM, "grant_id", "number", "7", "a number"),
    FROM(MALFORMED_CLAIM, "grant_id", "array", "[\"g-1\"]", "an array of one"),
    FROM(UNSAFE_IDENTITY, "grant_id", "newline", "\"g\\n1\"", "a newline"),
    MANY(UNSAFE_IDENTITY, "grant_id", "length", by_long_text, "\"", 257, "one byte too long"),
    FROM(MALFORMED_CLAIM, "derived_from", "string", "\"t-0\"", "a string"),
    FROM(MALFORMED_CLAIM, "derived_from", "null", "null", "null"),
    FROM(MALFORMED_CLAIM, "derived_from", "object", "{\"jti\":\"t-0\"}", "an object"),
    FROM(MALFORMED_CLAIM, "derived_from", "empty", "[]", "an empty array"),
    FROM(MALFORMED_CLAIM, "derived_from", "number inside", "[\"t-0\",1]", "a number among them"),
    FROM(MALFORMED_CLAIM, "derived_from", "empty inside", "[\"t-0\",\"\"]",
         "an empty string among them"),
    FROM(MALFORMED_CLAIM, "derived_from", "array inside", "[[\"t-0\"]]", "an array in the array"),
    FROM(UNSAFE_IDENTITY, "derived_from", "newline", "[\"t\\n0\"]", "a newline"),
    MANY(LIMIT, "derived_from", "entries", by_entries, "\"t-0\"", 17, "17 of them"),
    FROM(MALFORMED_CLAIM, "authorization_details", "string", "\"mail\"", "a string"),
    FROM(MALFORMED_CLAIM, "authorization_details", "null", "null", "null"),
    FROM(MALFORMED_CLAIM, "authorization_details", "object", "{\"type\":\"mail\"}", "no array"),
    FROM(MALFORMED_CLAIM, "authorization_details", "empty", "[]", "an empty array"),
    FROM(MALFORMED_CLAIM, "authorization_details", "string inside", "[\"mail\"]", "a string in it"),
    FROM(MALFORMED_CLAIM, "authorization_details", "type missing", "[{\"actions\":[\"read\"]}]",
         "no type"),
    FROM(MALFORMED_CLAIM, "authorization_details", "type number", "[{\"type\":7}]",
         "a number as type"),
    FROM(MALFORMED_CLAIM, "authorization_details", "second without type",
         "[{\"type\":\"mail\"},{}]", "no type in the second"),
    MANY(LIMIT, "authorization_details", "entries", by_entries, "{\"type\":\"m\"}", 33,
         "33 of them"),
    MANY(LIMIT, "authorization_details", "length", by_long_text, "[{\"type\":\"", 8192,
         "more than 8192 bytes"),
};

const struct attack_group attacks_on_parties = ATTACK_GROUP(rows);
