/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on the names in a token, its binding and its actors: RFC 9068 §2.2, RFC 7800 §3.1, RFC
 * 8693 §4.1.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

/* Claim `a` (or `a` with `b` in front and behind) is a string of `len` letters. */
static struct attack_text by_long_name(const struct attack_world *w, const struct attack *a)
{
    char *filler = calloc(1, a->len + 1), *json;
    struct attack own = *a;
    struct attack_text t;

    if (filler == NULL)
        abort();
    memset(filler, 'n', a->len);
    json =
        a->b == NULL ? test_printf("\"%s\"", filler) : test_printf("{\"%s\":\"%s\"}", a->b, filler);
    own.b = json;
    t = attack_by_claim(w, &own);
    free(json);
    free(filler);
    return t;
}

/* `len` actors, each in the one before. */
static struct attack_text by_actors(const struct attack_world *w, const struct attack *a)
{
    char *json = test_printf("{\"sub\":\"first\"}"), *longer;
    struct attack own = *a;
    struct attack_text t;

    for (size_t i = 1; i < a->len; i++, free(json), json = longer)
        longer = test_printf("{\"sub\":\"agent-%zu\",\"act\":%s}", i, json);
    own.a = "act";
    own.b = json;
    t = attack_by_claim(w, &own);
    free(json);
    return t;
}

#define NAME(code, name, place, json, words)                                                       \
    ATTACK_CLAIM(code, IDENTITIES, name "/" place, name, json, words)
#define NAMES(name)                                                                                \
    NAME(MALFORMED_CLAIM, name, "empty", "\"\"", "an empty string"),                               \
        NAME(MALFORMED_CLAIM, name, "null", "null", "null"),                                       \
        NAME(MALFORMED_CLAIM, name, "number", "7", "a number"),                                    \
        NAME(MALFORMED_CLAIM, name, "true", "true", "true"),                                       \
        NAME(MALFORMED_CLAIM, name, "array", "[\"a\"]", "an array of one"),                        \
        NAME(MALFORMED_CLAIM, name, "object", "{\"a\":\"b\"}", "an object"),                       \
        NAME(UNSAFE_IDENTITY, name, "newline", "\"a\\nb\"", "a newline: a second line in a log"),  \
        NAME(UNSAFE_IDENTITY, name, "escape", "\"a\\u001b[2J\"", "what clears a terminal"),        \
        NAME(UNSAFE_IDENTITY, name, "DEL", "\"a\\u007f\"", "the last control character of ASCII"), \
        NAME(UNSAFE_IDENTITY, name, "C1", "\"a\\u009b\"", "a control character of Latin-1")
#define LONG(name, bytes)                                                                          \
    {                                                                                              \
        .reason = POSTERN_ERR_UNSAFE_IDENTITY, .check = TRAIL_IDENTITIES, .field = name "/length", \
        .done = "one byte too long", .make = by_long_name, .a = name, .len = bytes                 \
    }
#define BOUND(place, json, words)       ATTACK_CLAIM(CNF, BINDING, "cnf/" place, "cnf", json, words)
#define ACTOR(code, place, json, words) ATTACK_CLAIM(code, ACTORS, "act/" place, "act", json, words)

#define CERT(code, place, json, words)                                                             \
    ATTACK_CLAIM_AT(SITE_CERT, code, BINDING, "cnf beside a certificate/" place, "cnf", json, words)
#define MAY_ACT(code, place, json, words)                                                          \
    ATTACK_CLAIM(code, ACTORS, "may_act/" place, "may_act", json, words)
#define CLIENT(name, place, json, words)                                                           \
    ATTACK_CLAIM_AT(SITE_CLIENTS, CLIENT_NOT_ALLOWED, CLIENT, name "/" place, name, json, words)

static const struct attack rows[] = {
    NAME(CLAIM_MISSING, "sub", "missing", NULL, "no sub"),
    NAMES("sub"),
    LONG("sub", 1025),
    NAME(CLAIM_MISSING, "client_id", "missing", NULL, "no client_id"),
    NAMES("client_id"),
    LONG("client_id", 1025),
    NAME(CLAIM_MISSING, "jti", "missing", NULL, "no jti: it could not be revoked"),
    NAMES("jti"),
    LONG("jti", 1025),
    NAME(CLAIM_MISSING, "iat", "missing", NULL, "no iat: a removal would not count"),
    NAMES("purpose"),
    LONG("purpose", 257),
    ATTACK_CLAIM_AT(SITE_AZP, MALFORMED_CLAIM, IDENTITIES, "azp/number", "azp", "7", "a number"),
    ATTACK_CLAIM_AT(SITE_AZP, MALFORMED_CLAIM, IDENTITIES, "azp/empty", "azp", "\"\"",
                    "an empty string: client_id does not step in"),
    ATTACK_CLAIM_AT(SITE_AZP, UNSAFE_IDENTITY, IDENTITIES, "azp/newline", "azp", "\"a\\nb\"",
                    "a newline"),
    ATTACK_CLAIM_AT(SITE_AZP, MALFORMED_CLAIM, IDENTITIES, "client_id/number, azp preferred",
                    "client_id", "7", "read though azp is preferred"),
    { .reason = POSTERN_ERR_CLAIM_MISSING,
      .check = TRAIL_IDENTITIES,
      .field = "sub/missing with client_id",
      .done = "neither, where neither is required",
      .make = attack_by_payload,
      .a = "{\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE
           "\",\"exp\":1800000300,\"iat\":1800000000,\"scope\":\"mail.read\"}",
      .site = SITE_LAX },

    CLIENT("client_id", "another", "\"agent-8\"", "another client"),
    CLIENT("client_id", "case", "\"Agent-7\"", "upper case"),
    CLIENT("client_id", "longer", "\"agent-70\"", "one letter more"),
    CLIENT("azp", "another", "\"agent-8\"", "another party than the client"),

    BOUND("jkt", "{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}",
          "a DPoP key: no proof of it can be sent"),
    BOUND("x5t#S256", "{\"x5t#S256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"}",
          "a certificate that this connection has not shown"),
    BOUND("jwk", "{\"jwk\":{\"kty\":\"EC\"}}", "a key"),
    BOUND("kid", "{\"kid\":\"a\"}", "the name of a key"),
    BOUND("unknown method", "{\"x\":1}", "a method that is not known"),
    BOUND("empty", "{}", "no method at all"),
    ATTACK_CLAIM(MALFORMED_CLAIM, BINDING, "cnf/null", "cnf", "null", "null"),
    ATTACK_CLAIM(MALFORMED_CLAIM, BINDING, "cnf/string", "cnf", "\"x\"", "a string"),
    ATTACK_CLAIM(MALFORMED_CLAIM, BINDING, "cnf/array", "cnf", "[]", "an array"),
    ATTACK_CLAIM(MALFORMED_CLAIM, BINDING, "cnf/false", "cnf", "false", "false"),

    BOUND("two methods",
          "{\"x5t#S256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\",\"jkt\":\"x\"}",
          "a second method that nobody proves"),
    CERT(CNF, "another", "{\"x5t#S256\":\"CAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"}",
         "another certificate than was shown"),
    CERT(CNF, "jkt", "{\"jkt\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"}",
         "the certificate's fingerprint as a DPoP key"),
    CERT(CNF, "two methods",
         "{\"x5t#S256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\",\"jkt\":\"x\"}",
         "one that is proved and one that is not"),
    CERT(CNF, "SHA-1", "{\"x5t\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwc\"}", "a fingerprint of SHA-1"),
    CERT(CNF, "case", "{\"x5t#s256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\"}",
         "the method in lower case"),
    CERT(MALFORMED_CLAIM, "number", "{\"x5t#S256\":7}", "a number"),
    CERT(MALFORMED_CLAIM, "short", "{\"x5t#S256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw\"}",
         "31 bytes"),
    CERT(MALFORMED_CLAIM, "empty", "{\"x5t#S256\":\"\"}", "an empty string"),
    CERT(MALFORMED_CLAIM, "pad bits",
         "{\"x5t#S256\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwd\"}", "a pad bit is 1"),

    ACTOR(MALFORMED_CLAIM, "string", "\"agent-9\"", "a string"),
    ACTOR(MALFORMED_CLAIM, "null", "null", "null"),
    ACTOR(MALFORMED_CLAIM, "number", "7", "a number"),
    ACTOR(MALFORMED_CLAIM, "true", "true", "true"),
    ACTOR(MALFORMED_CLAIM, "array", "[{\"sub\":\"agent-9\"}]", "an array of one"),
    ACTOR(MALFORMED_CLAIM, "empty", "{}", "nobody"),
    ACTOR(MALFORMED_CLAIM, "sub missing", "{\"iss\":\"https://a.example\"}",
          "an actor without sub"),
    ACTOR(MALFORMED_CLAIM, "sub number", "{\"sub\":7}", "a number"),
    ACTOR(MALFORMED_CLAIM, "sub null", "{\"sub\":null}", "null"),
    ACTOR(MALFORMED_CLAIM, "sub array", "{\"sub\":[\"agent-9\"]}", "an array of one"),
    ACTOR(MALFORMED_CLAIM, "sub empty", "{\"sub\":\"\"}", "an empty string"),
    ACTOR(MALFORMED_CLAIM, "number beside", "{\"sub\":\"agent-9\",\"exp\":1}",
          "a date, which means nothing there"),
    ACTOR(MALFORMED_CLAIM, "object beside", "{\"sub\":\"agent-9\",\"x\":{}}",
          "an object beside it"),
    ACTOR(MALFORMED_CLAIM, "inner string", "{\"sub\":\"agent-9\",\"act\":\"agent-8\"}",
          "a string as the earlier actor"),
    ACTOR(MALFORMED_CLAIM, "inner empty", "{\"sub\":\"agent-9\",\"act\":{}}", "an earlier nobody"),
    ACTOR(MALFORMED_CLAIM, "inner null", "{\"sub\":\"agent-9\",\"act\":null}", "null"),
    ACTOR(UNSAFE_IDENTITY, "sub newline", "{\"sub\":\"a\\nb\"}", "a newline"),
    ACTOR(UNSAFE_IDENTITY, "sub C1", "{\"sub\":\"a\\u0085\"}", "a control character of Latin-1"),
    ACTOR(UNSAFE_IDENTITY, "inner newline", "{\"sub\":\"agent-9\",\"act\":{\"sub\":\"a\\nb\"}}",
          "a newline in an earlier one"),
    { .reason = POSTERN_ERR_UNSAFE_IDENTITY,
      .check = TRAIL_ACTORS,
      .field = "act/sub length",
      .done = "one byte too long",
      .make = by_long_name,
      .a = "act",
      .b = "sub",
      .len = 1025 },
    MAY_ACT(MALFORMED_CLAIM, "string", "\"agent-9\"", "a string"),
    MAY_ACT(MALFORMED_CLAIM, "null", "null", "null"),
    MAY_ACT(MALFORMED_CLAIM, "empty", "{}", "nobody"),
    MAY_ACT(MALFORMED_CLAIM, "number", "{\"sub\":7}", "a number"),
    MAY_ACT(MALFORMED_CLAIM, "array", "[{\"sub\":\"agent-9\"}]", "an array of one"),
    MAY_ACT(ACTOR_NOT_ALLOWED, "another", "{\"sub\":\"agent-8\"},\"act\":{\"sub\":\"agent-9\"}",
            "another than who acts"),
    MAY_ACT(ACTOR_NOT_ALLOWED, "the earlier one",
            "{\"sub\":\"agent-8\"},\"act\":{\"sub\":\"agent-9\",\"act\":{\"sub\":\"agent-8\"}}",
            "an earlier actor, not the one who acts"),
    MAY_ACT(ACTOR_NOT_ALLOWED, "another issuer's",
            "{\"sub\":\"agent-9\",\"iss\":\"https://a.example\"},\"act\":{\"sub\":\"agent-9\"}",
            "that name at another issuer"),
    MAY_ACT(ACTOR_NOT_ALLOWED, "case", "{\"sub\":\"Agent-9\"},\"act\":{\"sub\":\"agent-9\"}",
            "upper case"),
    MAY_ACT(ACTOR_NOT_ALLOWED, "more",
            "{\"sub\":\"agent-9\",\"x\":\"y\"},\"act\":{\"sub\":\"agent-9\"}",
            "a limit that is not known"),
    { .reason = POSTERN_ERR_LIMIT,
      .check = TRAIL_ACTORS,
      .field = "act/depth",
      .done = "nine actors",
      .make = by_actors,
      .len = 9 },
};

const struct attack_group attacks_on_identities = ATTACK_GROUP(rows);
