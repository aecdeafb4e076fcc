/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on the JOSE header while it is read: JSON, alg, crit, b64, the types of typ and kid.
 * RFC 7515 §4.1, RFC 7797 §6, RFC 8725 §3.1.  All are signed by the issuer's key but those whose
 * algorithm is not one of a public key.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

#define HEADER(more)   "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"" more "}"
#define WITH_ALG(alg)  "{\"typ\":\"at+jwt\",\"kid\":\"a\",\"alg\":" alg "}"
#define WITH_TYP(typ)  "{\"typ\":" typ ",\"alg\":\"ES256\",\"kid\":\"a\"}"
#define WITH_KID(kid)  "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":" kid "}"
#define SEVENTEEN(end) "[[[[[[[[[[[[[[[[" end "]]]]]]]]]]]]]]]]"

/* The header has one more member, of so many bytes. */
static struct attack_text by_long_member(const struct attack_world *w, const struct attack *a)
{
    char *filler = calloc(1, a->len + 1), *header;
    struct attack own = *a;
    struct attack_text t;

    if (filler == NULL)
        abort();
    memset(filler, 'x', a->len);
    own.a = header = test_printf("{\"typ\":\"at+jwt\",\"alg\":\"ES256\",%s\"%s%s\"}", a->a, filler,
                                 a->b == NULL ? "" : a->b);
    own.len = 0;
    t = attack_by_header(w, &own);
    free(header);
    free(filler);
    return t;
}

/* HS256 whose key is what everybody knows. */
static struct attack_text by_hmac(const struct attack_world *w, const struct attack *a)
{
    char *jwk = test_key_jwk(w->keys[KEY_RSA], NULL), *pem = test_key_public_pem(w->keys[KEY_RSA]),
         *set = attack_key_set(w, a->site);
    const char *secret = strcmp(a->b, "pem") == 0   ? pem
                         : strcmp(a->b, "jwk") == 0 ? jwk
                         : strcmp(a->b, "set") == 0 ? set
                                                    : "";
    char *alg = test_printf("HS256:%s", secret);
    struct attack own = *a;
    struct attack_text t;

    own.alg = alg;
    t = attack_by_header(w, &own);
    free(jwk);
    free(pem);
    free(set);
    free(alg);
    return t;
}

#define JSON(place, header, words)      ATTACK_HEADER(MALFORMED, FORM, place, header, words)
#define ALG(place, alg, words)          ATTACK_HEADER(ALG_NOT_ALLOWED, FORM, place, WITH_ALG(alg), words)
#define EXTENSION(place, header, words) ATTACK_HEADER(CRIT, FORM, place, HEADER(header), words)
#define JSON_BYTES(place, header, words)                                                           \
    {                                                                                              \
        .reason = POSTERN_ERR_MALFORMED, .check = TRAIL_FORM, .field = place, .done = words,       \
        .make = attack_by_header, .a = header, .len = sizeof(header) - 1                           \
    }
#define HMAC(place, secret, words)                                                                 \
    {                                                                                              \
        .reason = POSTERN_ERR_ALG_NOT_ALLOWED, .check = TRAIL_FORM, .field = place, .done = words, \
        .make = by_hmac, .a = "{\"typ\":\"at+jwt\",\"kid\":\"rsa\",\"alg\":\"HS256\"}",            \
        .b = secret                                                                                \
    }

static const struct attack rows[] = {
    { .reason = POSTERN_ERR_LIMIT,
      .check = TRAIL_FORM,
      .field = "header/length",
      .done = "x5c of 5000 bytes",
      .make = by_long_member,
      .a = "\"kid\":\"a\",\"x5c\":",
      .len = 5000 },
    ATTACK_HEADER(LIMIT, FORM, "header.json/depth of arrays", HEADER(",\"x\":" SEVENTEEN("1")),
                  "17 levels"),
    ATTACK_HEADER(LIMIT, FORM, "header.json/depth of objects",
                  HEADER(",\"jwk\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
                         "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}}}}}}}"),
                  "17 levels"),

    JSON("header.json/array", "[]", "an array"),
    JSON("header.json/string", "\"ES256\"", "a string"),
    JSON("header.json/number", "256", "a number"),
    JSON("header.json/null", "null", "null"),
    JSON("header.json/blanks", "  ", "nothing but blanks"),
    JSON("header.json/no JSON", "alg=ES256&kid=a", "a form"),
    JSON("header.json/unfinished", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"", "no end"),
    JSON("header.json/behind it", HEADER("") "x", "a letter behind the object"),
    JSON("header.json/second object", HEADER("") "{\"alg\":\"none\"}", "another header behind it"),
    JSON_BYTES("header.json/NUL behind", HEADER("") "\0", "a NUL behind the object"),
    JSON("header.json/trailing comma", HEADER(","), "a comma before the end"),
    JSON("header.json/single quotes", "{'typ':'at+jwt','alg':'ES256','kid':'a'}", "single quotes"),
    JSON("header.json/bare names", "{typ:\"at+jwt\",alg:\"ES256\",kid:\"a\"}", "names bare"),
    JSON("header.json/comment", HEADER("/* */"), "a comment"),
    JSON("header.json/byte order mark", "\xef\xbb\xbf" HEADER(""), "a BOM in front"),
    JSON("header.json/control character", HEADER(",\"x\":\"\n\""), "a raw newline in a string"),
    JSON("header.json/NUL escaped in a name", HEADER(",\"alg\\u0000\":\"none\""),
         "\"alg\\u0000\", which C takes for alg"),
    JSON("header.json/NUL escaped in a value", WITH_ALG("\"ES256\\u0000\""),
         "\"ES256\\u0000\", which C takes for ES256"),
    JSON_BYTES("header.json/NUL in a value", WITH_ALG("\"ES256\0\""), "a raw NUL in alg"),
    JSON("header.json/lone surrogate", HEADER(",\"x\":\"\\ud800\""), "half a character"),
    JSON("header.json/overlong UTF-8", HEADER(",\"x\":\"\xc0\x80\""), "NUL in two bytes"),
    JSON("header.json/UTF-8 surrogate", HEADER(",\"x\":\"\xed\xa0\x80\""), "CESU-8"),
    JSON("header.json/not UTF-8", HEADER(",\"x\":\"\xff\""), "a byte that UTF-8 has not"),
    JSON("header.json/NaN", HEADER(",\"x\":NaN"), "no number of JSON"),
    JSON("header.json/leading zero", HEADER(",\"x\":01"), "a number that C reads as octal"),
    JSON("header.json/escape", HEADER(",\"x\":\"\\x41\""), "an escape of C"),
    JSON("header.json/alg twice", HEADER(",\"alg\":\"ES256\""), "the same alg twice"),
    JSON("header.json/alg twice, different",
         "{\"alg\":\"none\","
         "\"typ\":\"at+jwt\","
         "\"kid\":\"a\",\"alg\":\"ES256\"}",
         "first none, then ES256"),
    JSON("header.json/alg twice, escaped", HEADER(",\"\\u0061lg\":\"none\""),
         "alg, and alg by an escape"),
    JSON("header.json/kid twice", HEADER(",\"kid\":\"b\""), "two keys named"),
    JSON("header.json/typ twice", HEADER(",\"typ\":\"JWT\""), "two types named"),
    JSON("header.json/twice inside", HEADER(",\"jwk\":{\"k\":1,\"k\":2}"),
         "a name twice in a member that nobody reads"),

    JSON("header.alg/missing", "{\"typ\":\"at+jwt\",\"kid\":\"a\"}", "no alg"),
    JSON("header.alg/null", WITH_ALG("null"), "null"),
    JSON("header.alg/number", WITH_ALG("256"), "a number"),
    JSON("header.alg/true", WITH_ALG("true"), "true"),
    JSON("header.alg/array", WITH_ALG("[\"ES256\"]"), "an array of one"),
    JSON("header.alg/object", WITH_ALG("{\"name\":\"ES256\"}"), "an object"),
    { .reason = POSTERN_ERR_ALG_NOT_ALLOWED,
      .check = TRAIL_FORM,
      .field = "header.alg/none",
      .done = "none, without a signature",
      .make = attack_by_header,
      .a = WITH_ALG("\"none\""),
      .alg = "none" },
    ALG("header.alg/none, signed", "\"none\"", "none in front of a good signature"),
    ALG("header.alg/None", "\"None\"", "None"),
    ALG("header.alg/NONE", "\"NONE\"", "NONE"),
    ALG("header.alg/nOnE", "\"nOnE\"", "nOnE"),
    ALG("header.alg/none and a blank", "\"none \"", "\"none \""),
    ALG("header.alg/empty", "\"\"", "an empty string"),
    HMAC("header.alg/HS256 by the PEM", "pem", "HMAC with the text of the public key"),
    HMAC("header.alg/HS256 by the JWK", "jwk", "HMAC with the text of the JWK"),
    HMAC("header.alg/HS256 by the set", "set", "HMAC with the text of the whole key set"),
    HMAC("header.alg/HS256 by nothing", "", "HMAC with the empty key"),
    ALG("header.alg/HS384", "\"HS384\"", "HMAC"),
    ALG("header.alg/HS512", "\"HS512\"", "HMAC"),
    ALG("header.alg/ES256K", "\"ES256K\"", "the curve of Bitcoin"),
    ALG("header.alg/RS1", "\"RS1\"", "SHA-1"),
    ALG("header.alg/RSA1_5", "\"RSA1_5\"", "an algorithm of encryption"),
    ALG("header.alg/RSA-OAEP", "\"RSA-OAEP\"", "an algorithm of encryption"),
    ALG("header.alg/dir", "\"dir\"", "an algorithm of encryption"),
    ALG("header.alg/A128KW", "\"A128KW\"", "an algorithm of encryption"),
    ALG("header.alg/ECDH-ES", "\"ECDH-ES\"", "an algorithm of encryption"),
    ALG("header.alg/PBES2", "\"PBES2-HS256+A128KW\"",
        "a password's, with as many rounds as it says"),
    ALG("header.alg/Ed448", "\"Ed448\"", "a curve that is not offered"),
    ALG("header.alg/ESP256", "\"ESP256\"", "an algorithm of COSE"),
    ALG("header.alg/es256", "\"es256\"", "lower case"),
    ALG("header.alg/EDDSA", "\"EDDSA\"", "upper case"),
    ALG("header.alg/rs256", "\"rs256\"", "lower case"),
    ALG("header.alg/blank behind", "\"ES256 \"", "\"ES256 \""),
    ALG("header.alg/blank in front", "\" ES256\"", "\" ES256\""),
    ALG("header.alg/prefix", "\"ES25\"", "a beginning of a name"),
    ALG("header.alg/longer", "\"ES2560\"", "a name and more"),
    ALG("header.alg/hyphen", "\"ES-256\"", "another spelling"),
    ALG("header.alg/list", "\"ES256,none\"", "two in one string"),
    ALG("header.alg/of Java", "\"SHA256withECDSA\"", "Java's name"),
    ALG("header.alg/of XML", "\"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256\"", "a URI"),
    ALG("header.alg/homoglyph", "\"\xd0\x95S256\"", "a Cyrillic first letter"),
    ALG("header.alg/wide letters", "\"\xef\xbc\xa5S256\"", "a fullwidth first letter"),

    EXTENSION("header.crit/known claim", ",\"crit\":[\"exp\"],\"exp\":1", "a name of a claim"),
    EXTENSION("header.crit/registered name", ",\"crit\":[\"alg\"]", "a name that it may not hold"),
    EXTENSION("header.crit/unknown name", ",\"crit\":[\"http://example.com/x\"]", "a URI"),
    EXTENSION("header.crit/b64", ",\"crit\":[\"b64\"],\"b64\":true", "b64, and it is true"),
    EXTENSION("header.crit/empty", ",\"crit\":[]", "an empty list"),
    EXTENSION("header.crit/null", ",\"crit\":null", "null"),
    EXTENSION("header.crit/string", ",\"crit\":\"exp\"", "a string"),
    EXTENSION("header.crit/number", ",\"crit\":[1]", "a list of numbers"),
    EXTENSION("header.crit/object", ",\"crit\":{}", "an object"),
    EXTENSION("header.crit/twice inside", ",\"crit\":[\"x\",\"x\"]", "the same name twice"),
    EXTENSION("header.crit/escaped", ",\"cr\\u0069t\":[\"exp\"]", "the name by an escape"),
    EXTENSION("header.b64/false", ",\"b64\":false", "the payload would be signed as it is"),
    EXTENSION("header.b64/with crit", ",\"b64\":false,\"crit\":[\"b64\"]", "as RFC 7797 wants it"),
    EXTENSION("header.b64/null", ",\"b64\":null", "null"),
    EXTENSION("header.b64/string", ",\"b64\":\"true\"", "a string"),
    EXTENSION("header.b64/zero", ",\"b64\":0", "a number"),

    JSON("header.typ/number", WITH_TYP("1"), "a number"),
    JSON("header.typ/null", WITH_TYP("null"), "null"),
    JSON("header.typ/array", WITH_TYP("[\"at+jwt\"]"), "an array of one"),
    JSON("header.typ/object", WITH_TYP("{}"), "an object"),
    JSON("header.typ/NUL", WITH_TYP("\"at+jwt\\u0000\""), "a NUL behind it"),
    JSON("header.kid/number", WITH_KID("1"), "a number"),
    JSON("header.kid/null", WITH_KID("null"), "null"),
    JSON("header.kid/false", WITH_KID("false"), "false"),
    JSON("header.kid/array", WITH_KID("[\"a\"]"), "an array of one"),
    JSON("header.kid/object", WITH_KID("{\"a\":\"a\"}"), "an object"),
    JSON("header.kid/NUL", WITH_KID("\"a\\u0000\""), "a NUL behind it"),
    { .reason = POSTERN_ERR_MALFORMED,
      .check = TRAIL_FORM,
      .field = "header.kid/length",
      .done = "257 bytes",
      .make = by_long_member,
      .a = "\"kid\":",
      .len = 257 },
};

const struct attack_group attacks_on_header = ATTACK_GROUP(rows);
