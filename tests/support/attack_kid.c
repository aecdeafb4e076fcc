/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks by the name of a key, and by keys that the token brings itself.  RFC 7515 §4.1.2 to
 * §4.1.8, RFC 8725 §3.10; paths, queries and commands as in CVE-2021-29157 and its kind.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

#define WITH_KID(kid) "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"" kid "\"}"
/* Signed by the issuer's key: the name alone is wrong. */
#define KID(place, kid, words)                                                                     \
    ATTACK_HEADER(UNKNOWN_KID, SIGNATURE, "header.kid/" place, WITH_KID(kid), words)

/* Signed by a stranger, whose key stands in the header: `a` is a header with %s for its JWK. */
static struct attack_text by_own_key(const struct attack_world *w, const struct attack *a)
{
    char *jwk = test_key_jwk(w->keys[KEY_STRANGER], "\"kid\":\"a\""), *header;
    const char *at = strstr(a->a, "%s");
    struct attack own = *a;
    struct attack_text t;

    header = at == NULL ? test_printf("%s", a->a)
                        : test_printf("%.*s%s%s", (int)(at - a->a), a->a, jwk, at + 2);
    own.a = header;
    own.key = KEY_STRANGER;
    t = attack_by_header(w, &own);
    free(jwk);
    free(header);
    return t;
}

#define BROUGHT(place, more, words)                                                                \
    {                                                                                              \
        .reason = POSTERN_ERR_BAD_SIGNATURE, .check = TRAIL_SIGNATURE, .field = "header." place,   \
        .done = words, .make = by_own_key,                                                         \
        .a = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"," more "}"                       \
    }
#define BROUGHT_AS(place, kid, more, words)                                                        \
    {                                                                                              \
        .reason = POSTERN_ERR_UNKNOWN_KID, .check = TRAIL_SIGNATURE,                               \
        .field = "header." place ", own kid", .done = words, .make = by_own_key,                   \
        .a = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"" kid "\"," more "}"                 \
    }
#define PARTNER(code, step, place, kid, name, typ, by_key, words)                                  \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_partner,                                                                 \
        .a = "{\"typ\":\"" typ "\",\"alg\":\"" name "\",\"kid\":\"" kid "\"}", .site = SITE_TWO,   \
        .key = by_key, .alg = name                                                                 \
    }
#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

static const struct attack rows[] = {
    KID("another", "b", "a key that is not there"),
    KID("empty", "", "an empty string"),
    KID("upper case", "A", "upper case"),
    KID("blank behind", "a ", "a blank behind"),
    KID("blank in front", " a", "a blank in front"),
    KID("newline", "a\\n", "a newline behind"),
    KID("control character", "a\\u0001", "a control character behind"),
    KID("homoglyph", "\xd0\xb0", "the Cyrillic letter"),
    KID("combining mark", "a\xcc\x88", "a mark on the letter"),
    KID("longest", K50 K50 K50 K50 K50 "kkkkkk", "256 bytes"),
    KID("dot", ".", "this folder"),
    KID("dots", "..", "the folder above"),
    KID("path", "../../../../../../dev/null", "a path to an empty key"),
    KID("path to itself", "./a", "another way to the same key"),
    KID("absolute path", "/etc/passwd", "a path to a file that is known"),
    KID("path, percent-encoded", "%2e%2e%2fa", "a path for who decodes twice"),
    KID("NUL, percent-encoded", "a%00", "a NUL for who decodes twice"),
    KID("URL", "https://evil.example/keys.json", "a place of other keys"),
    KID("file URL", "file:///dev/null", "a file as a URL"),
    KID("SQL", "x' UNION SELECT 'k' --", "a query"),
    KID("SQL, always true", "a' OR '1'='1", "a condition"),
    KID("LDAP", "*)(uid=*", "a filter"),
    KID("wildcard", "*", "any"),
    KID("shell", "$(id)", "a command"),
    KID("format", "%n%s", "a format of printf(3)"),
    KID("JSON", "{\\\"kid\\\":\\\"a\\\"}", "JSON in a string"),
    KID("key of a path", "keys.a", "a way through an object"),

    PARTNER(UNKNOWN_KID, SIGNATURE, "header.kid/of the other issuer", "p384", "ES384", "JWT",
            KEY_P384, "partner's token by a key of the first issuer's"),
    PARTNER(BAD_SIGNATURE, SIGNATURE, "header.kid/of this issuer, signed by the other", "p",
            "ES384", "JWT", KEY_P384, "the same under partner's kid"),
    BROUGHT("jwk", "\"jwk\":%s", "the stranger's key under the issuer's kid"),
    BROUGHT("jku", "\"jku\":\"https://evil.example/keys.json\"", "a place of other keys"),
    BROUGHT("jku/loopback", "\"jku\":\"http://127.0.0.1:8414/keys.json\"", "a place on loopback"),
    BROUGHT("jku/metadata service", "\"jku\":\"http://169.254.169.254/latest\"", "a cloud's own"),
    BROUGHT("jku/file", "\"jku\":\"file:///etc/passwd\"", "a file"),
    BROUGHT("jku/null", "\"jku\":null", "no string at all"),
    BROUGHT("x5u", "\"x5u\":\"https://evil.example/chain.pem\"", "a place of certificates"),
    BROUGHT("x5c", "\"x5c\":[\"MIIBAA==\"]", "a chain of certificates"),
    BROUGHT("x5c/number", "\"x5c\":7", "no chain at all"),
    BROUGHT("x5t", "\"x5t\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAA\"", "a certificate's fingerprint"),
    BROUGHT("x5t#S256", "\"x5t#S256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
            "a certificate's fingerprint"),
    BROUGHT("iss", "\"iss\":\"https://evil.example\"", "another issuer in the header"),
    BROUGHT("zip", "\"zip\":\"DEF\"", "compression, which JWS has not"),
    BROUGHT("cty", "\"cty\":\"JWT\"", "the payload said to be a token"),
    BROUGHT("enc", "\"enc\":\"A128GCM\"", "a member of JWE"),
    BROUGHT_AS("jwk", "k-1", "\"jwk\":%s", "the stranger's key under its own kid"),
    BROUGHT_AS("jku", "k-1", "\"jku\":\"https://evil.example/keys.json\"", "a place of other keys"),
    BROUGHT_AS("x5u", "k-1", "\"x5u\":\"https://evil.example/chain.pem\"",
               "certificates elsewhere"),
    BROUGHT_AS("x5c", "k-1", "\"x5c\":[\"MIIBAA==\"]", "a chain of certificates"),
    { .reason = POSTERN_ERR_BAD_SIGNATURE,
      .check = TRAIL_SIGNATURE,
      .field = "header.jwk/no kid",
      .done = "the stranger's key and no kid",
      .make = by_own_key,
      .a = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"jwk\":%s}" },
};

const struct attack_group attacks_on_kid = ATTACK_GROUP(rows);
