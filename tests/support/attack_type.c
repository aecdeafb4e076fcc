/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks by an algorithm that the issuer does not use, and by tokens of another type.  RFC 8725
 * §3.1 and §3.11, RFC 9068 §4, RFC 7515 §4.1.9.  Each is signed by the key that it names, as it
 * says.
 */
#include "config.h"

#include "attack_table.h"

#define ALG(of_key, name, by_key)                                                                  \
    {                                                                                              \
        .reason = POSTERN_ERR_ALG_NOT_ALLOWED, .check = TRAIL_ALGORITHM,                           \
        .field = "header.alg/" name,                                                               \
        .done = "rightly signed, but the issuer file says ES256 alone", .make = attack_by_header,  \
        .a = "{\"typ\":\"at+jwt\",\"alg\":\"" name "\",\"kid\":\"" of_key "\"}",                   \
        .site = SITE_ES256, .key = by_key, .alg = name                                             \
    }
#define WITH_TYP(typ)    "{\"typ\":\"" typ "\",\"alg\":\"ES256\",\"kid\":\"a\"}"
#define TYPE(typ, words) ATTACK_HEADER(TYP, TYPE, "header.typ/" typ, WITH_TYP(typ), words)
#define TYPE_AT_JWT(typ, words)                                                                    \
    {                                                                                              \
        .reason = POSTERN_ERR_TYP, .check = TRAIL_TYPE, .field = "header.typ/" typ ", JWT taken",  \
        .done = words, .make = attack_by_header, .a = WITH_TYP(typ), .site = SITE_JWT              \
    }
#define PARTNER(code, step, place, kid, name, typ, by_key, words)                                  \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_partner,                                                                 \
        .a = "{\"typ\":\"" typ "\",\"alg\":\"" name "\",\"kid\":\"" kid "\"}", .site = SITE_TWO,   \
        .key = by_key, .alg = name                                                                 \
    }
#define FIFTY "0123456789012345678901234567890123456789012345678X"

static const struct attack rows[] = {
    ALG("rsa", "RS256", KEY_RSA),
    ALG("rsa", "RS384", KEY_RSA),
    ALG("rsa", "RS512", KEY_RSA),
    ALG("rsa", "PS256", KEY_RSA),
    ALG("rsa", "PS384", KEY_RSA),
    ALG("rsa", "PS512", KEY_RSA),
    ALG("p384", "ES384", KEY_P384),
    ALG("p521", "ES512", KEY_P521),
    ALG("ed", "EdDSA", KEY_ED),
    ALG("ed", "Ed25519", KEY_ED),

    PARTNER(ALG_NOT_ALLOWED, ALGORITHM, "header.alg/of the other issuer", "a", "ES256", "JWT",
            KEY_EC, "partner's token by the first issuer's algorithm and key"),

    PARTNER(TYP, TYPE, "header.typ/of the other issuer", "p", "ES384", "at+jwt", KEY_STRANGER_P384,
            "partner's token of a type that the first issuer alone sends"),
    ATTACK_HEADER(TYP, TYPE, "header.typ/missing", "{\"alg\":\"ES256\",\"kid\":\"a\"}", "no typ"),
    ATTACK_HEADER(TYP, TYPE, "header.typ/empty", WITH_TYP(""), "an empty string"),
    TYPE("JWT", "plain JWT: an ID token may have it"),
    TYPE("jwt", "the same in lower case"),
    TYPE("JOSE", "no type of a token"),
    TYPE("id_token", "an ID token by its name"),
    TYPE("dpop+jwt", "a proof of possession (RFC 9449)"),
    TYPE("logout+jwt", "a logout token"),
    TYPE("secevent+jwt", "a security event (RFC 8417)"),
    TYPE("oauth-id-jag+jwt", "an assertion grant for another server"),
    TYPE("oauth-authz-req+jwt", "a request object (RFC 9101)"),
    TYPE("client-authentication+jwt", "a client's assertion"),
    TYPE("token-introspection+jwt", "an introspection answer (RFC 9701)"),
    TYPE("kb+jwt", "a key binding"),
    TYPE("entity-statement+jwt", "a statement of a federation"),
    TYPE("rt+jwt", "a refresh token"),
    TYPE("at", "the beginning"),
    TYPE("at+jw", "one letter short"),
    TYPE("at+jwtx", "one letter more"),
    TYPE("xat+jwt", "one letter in front"),
    TYPE("at+jwt ", "a blank behind"),
    TYPE(" at+jwt", "a blank in front"),
    TYPE("at jwt", "+ read as a form reads it"),
    TYPE("at%2Bjwt", "+ percent-encoded"),
    TYPE("jwt+at", "turned round"),
    TYPE("at+jwt;v=1", "a parameter of a media type"),
    TYPE("at+jwt,JWT", "two in one string"),
    TYPE("/at+jwt", "a slash in front"),
    TYPE("text/at+jwt", "another media type"),
    TYPE("application/JWT", "plain JWT in full"),
    TYPE("application/application/at+jwt", "the prefix twice"),
    ATTACK_HEADER(TYP, TYPE, "header.typ/homoglyph", WITH_TYP("\xd0\xb0t+jwt"),
                  "a Cyrillic first letter"),
    ATTACK_HEADER(TYP, TYPE, "header.typ/long", WITH_TYP("at+jwt" FIFTY FIFTY FIFTY),
                  "at+jwt and 150 bytes more"),
    { .reason = POSTERN_ERR_TYP,
      .check = TRAIL_TYPE,
      .field = "header.typ/missing, JWT taken",
      .done = "no typ where at+jwt and JWT are taken",
      .make = attack_by_header,
      .a = "{\"alg\":\"ES256\",\"kid\":\"a\"}",
      .site = SITE_JWT },
    { .reason = POSTERN_ERR_TYP,
      .check = TRAIL_TYPE,
      .field = "header.typ/untyped, none taken",
      .done = "the word of the setting that means no typ",
      .make = attack_by_header,
      .a = WITH_TYP("untyped"),
      .site = SITE_OKTA },
    TYPE_AT_JWT("dpop+jwt", "a proof where at+jwt and JWT are taken"),
    TYPE_AT_JWT("logout+jwt", "a logout token there"),
    TYPE_AT_JWT("oauth-id-jag+jwt", "an assertion grant there"),
    TYPE_AT_JWT("id_token+jwt", "a type that ends as JWT does"),
    TYPE_AT_JWT("JWTx", "one letter more"),
};

const struct attack_group attacks_on_type = ATTACK_GROUP(rows);
