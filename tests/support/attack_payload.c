/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on the JSON of a payload, and ID tokens.  All are signed by the issuer's key: what an
 * issuer that can be talked into signing something odd would do to who reads JSON loosely.  RFC
 * 7519 §7.2, RFC 8259, RFC 8725 §3.7.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

#define CLAIMS                                                                                     \
    "\"iss\":\"" TEST_ISSUER "\",\"aud\":\"" TEST_AUDIENCE "\",\"exp\":1800000300,"                \
    "\"iat\":1800000000,\"sub\":\"alice@example.org\",\"client_id\":\"agent-7\",\"jti\":\"t-1\","  \
    "\"scope\":\"mail.read\""
#define WITH(more) "{" CLAIMS more "}"

/* `a` opened `len` times, then closed by `b`. */
static struct attack_text by_depth(const struct attack_world *w, const struct attack *a)
{
    char *text = test_printf("{" CLAIMS ",\"x\":"), *longer;
    struct attack own = *a;
    struct attack_text t;

    for (size_t i = 0; i < a->len; i++, free(text), text = longer)
        longer = test_printf("%s%s", text, a->a);
    longer = test_printf("%s1", text);
    free(text);
    text = longer;
    for (size_t i = 0; i <= a->len; i++, free(text), text = longer)
        longer = test_printf("%s%s", text, i == a->len ? "}" : a->b);
    own.a = text;
    own.len = 0;
    t = attack_by_payload(w, &own);
    free(text);
    return t;
}

/* `len` members, of which the last has the name of the first. */
static struct attack_text by_members(const struct attack_world *w, const struct attack *a)
{
    char *text = test_printf("{" CLAIMS), *longer;
    struct attack own = *a;
    struct attack_text t;

    for (size_t i = 0; i < a->len; i++, free(text), text = longer)
        longer = test_printf("%s,\"m%zu\":1", text, i);
    longer = test_printf("%s,\"%s\":1}", text, a->a);
    free(text);
    own.a = longer;
    own.len = 0;
    t = attack_by_payload(w, &own);
    free(longer);
    return t;
}

/* An array of `len` numbers. */
static struct attack_text by_values(const struct attack_world *w, const struct attack *a)
{
    char *filler = calloc(2, a->len), *text;
    struct attack own = *a;
    struct attack_text t;

    if (filler == NULL)
        abort();
    for (size_t i = 0; i < a->len; i++)
        memcpy(filler + 2 * i, i + 1 == a->len ? "1" : "1,", i + 1 == a->len ? 1 : 2);
    own.a = text = test_printf("{" CLAIMS ",\"x\":[%s]}", filler);
    own.len = 0;
    t = attack_by_payload(w, &own);
    free(text);
    free(filler);
    return t;
}

/* A token inside: RFC 7519 §5.2. */
static struct attack_text by_nesting(const struct attack_world *w, const struct attack *a)
{
    char *inner = attack_good(w, a->site);
    struct attack own = *a;
    struct attack_text t;

    own.a = inner;
    t = attack_by_payload(w, &own);
    free(inner);
    return t;
}

#define JSON(place, payload, words)                                                                \
    {                                                                                              \
        .reason = POSTERN_ERR_MALFORMED, .check = TRAIL_PAYLOAD, .field = "payload.json/" place,   \
        .done = words, .make = attack_by_payload, .a = payload, .len = sizeof(payload) - 1         \
    }
#define TWICE(name, json, words)                                                                   \
    {                                                                                              \
        .reason = POSTERN_ERR_MALFORMED, .check = TRAIL_PAYLOAD,                                   \
        .field = "payload." name "/twice", .done = words, .make = attack_by_payload,               \
        .a = WITH(",\"" name "\":" json)                                                           \
    }
#define BUILT(code, place, recipe, what, more, count, words)                                       \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_PAYLOAD, .field = "payload.json/" place,      \
        .done = words, .make = recipe, .a = what, .b = more, .len = count                          \
    }
#define ID_TOKEN(place, name, json, words)                                                         \
    ATTACK_CLAIM_AT(SITE_JWT, TYP, ID_TOKEN, place, name, json, words)

static const struct attack rows[] = {
    JSON("array",
         "["
         "{" CLAIMS "}]",
         "an array of one"),
    JSON("string", "\"alice\"", "a string"),
    JSON("number", "1", "a number"),
    JSON("true", "true", "true"),
    JSON("null", "null", "null"),
    JSON("blanks", " \t\n", "nothing but blanks"),
    JSON("form", "iss=x&sub=alice", "a form"),
    JSON("XML", "<claims/>", "XML"),
    JSON("CBOR",
         "\xa1\x01\x65"
         "alice",
         "CBOR, as of a CWT"),
    JSON("UTF-16",
         "{\0\"\0a\0\"\0:\0"
         "1\0}\0",
         "UTF-16"),
    JSON("compressed", "\x78\x9c\xab\x56\x4a\x05\x00\x01\x69\x00\xec", "compressed"),
    BUILT(MALFORMED, "nested token", by_nesting, NULL, NULL, 0, "a token inside of a token"),
    JSON("byte order mark", "\xef\xbb\xbf" WITH(""), "a BOM in front"),
    JSON("record separator", "\x1e" WITH("") "\n", "a JSON text sequence"),
    JSON("unfinished", "{" CLAIMS, "no end"),
    JSON("letter behind", WITH("") "x", "a letter behind the object"),
    JSON("second object", WITH("") "{\"sub\":\"root\"}", "more claims behind it"),
    JSON("NUL behind", WITH("") "\0", "a NUL behind the object"),
    JSON("NUL and more", WITH("") "\0{\"sub\":\"root\"}", "what C would not see"),
    JSON("bracket behind", WITH("") "}", "an end too many"),
    JSON("comment", WITH("/* */"), "a comment"),
    JSON("line comment", WITH("//\n"), "a comment up to the end of the line"),
    JSON("hash comment", WITH("#\n"), "a comment of YAML"),
    JSON("trailing comma", WITH(","), "a comma before the end"),
    JSON("comma in front", "{," CLAIMS "}", "a comma behind the beginning"),
    JSON("two commas", WITH(",,\"x\":1"), "two commas"),
    JSON("no comma", WITH("\"x\":1"), "no comma"),
    JSON("no colon", WITH(",\"x\" 1"), "no colon"),
    JSON("equal sign", WITH(",\"x\"=1"), "= in the place of a colon"),
    JSON("no value", WITH(",\"x\":"), "a name without a value"),
    JSON("bare name", WITH(",x:1"), "a name without quotes"),
    JSON("number as a name", WITH(",1:1"), "a number as a name"),
    JSON("single quotes", WITH(",'x':'y'"), "single quotes"),
    JSON("NaN", WITH(",\"x\":NaN"), "no number"),
    JSON("Infinity", WITH(",\"x\":Infinity"), "no number"),
    JSON("-Infinity", WITH(",\"x\":-Infinity"), "no number"),
    JSON("undefined", WITH(",\"x\":undefined"), "no value"),
    JSON("True", WITH(",\"x\":True"), "upper case"),
    JSON("leading zero", WITH(",\"x\":0123"), "a number that C reads as octal"),
    JSON("plus sign", WITH(",\"x\":+1"), "a sign that JSON has not"),
    JSON("bare point", WITH(",\"x\":1."), "nothing behind the point"),
    JSON("point in front", WITH(",\"x\":.5"), "nothing before the point"),
    JSON("hexadecimal", WITH(",\"x\":0x10"), "a number of C"),
    JSON("bare exponent", WITH(",\"x\":1e"), "nothing behind the e"),
    JSON("underscores", WITH(",\"x\":1_000"), "a number in groups"),
    JSON("big integer", WITH(",\"x\":1n"), "a number of JavaScript"),
    JSON("newline", WITH(",\"x\":\"a\nb\""), "a raw newline in a string"),
    JSON("tab", WITH(",\"x\":\"a\tb\""), "a raw tab in a string"),
    JSON("NUL", WITH(",\"x\":\"a\0b\""), "a raw NUL in a string"),
    JSON("control character", WITH(",\"x\":\"\x1f\""), "a raw control character"),
    JSON("NUL outside", WITH(",\0\"x\":1"), "a raw NUL between members"),
    JSON("form feed", WITH(",\f\"x\":1"), "a blank that JSON has not"),
    JSON("no-break space", WITH(",\xc2\xa0\"x\":1"), "a blank of Unicode"),
    JSON("NUL in a name", WITH(",\"sub\\u0000\":\"root\""), "a name that C takes for sub"),
    JSON("NUL in a value",
         "{\"sub\":\"alice\\u0000.evil\","
         "\"x\":1}",
         "what C cuts off"),
    JSON("raw NUL in a name", WITH(",\"sub\0\":\"root\""), "a name that C takes for sub"),
    JSON("overlong, 2 bytes", WITH(",\"x\":\"\xc0\x80\""), "NUL in two bytes"),
    JSON("overlong, slash", WITH(",\"x\":\"\xc0\xaf\""), "a slash in two bytes"),
    JSON("overlong, 3 bytes", WITH(",\"x\":\"\xe0\x80\xaf\""), "a slash in three bytes"),
    JSON("overlong, 4 bytes", WITH(",\"x\":\"\xf0\x80\x80\xaf\""), "a slash in four bytes"),
    JSON("UTF-8 surrogate", WITH(",\"x\":\"\xed\xa0\x80\""), "half a character in UTF-8"),
    JSON("beyond Unicode", WITH(",\"x\":\"\xf4\x90\x80\x80\""), "a character that is none"),
    JSON("lone continuation", WITH(",\"x\":\"\x80\""), "a byte that begins nothing"),
    JSON("cut character", WITH(",\"x\":\"\xe2\x82\""), "a character cut short"),
    JSON("Latin-1", WITH(",\"x\":\"\xe9\""), "a letter of Latin-1"),
    JSON("0xFF", WITH(",\"x\":\"\xff\""), "a byte that UTF-8 has not"),
    JSON("high surrogate", WITH(",\"x\":\"\\ud800\""), "half a character"),
    JSON("low surrogate", WITH(",\"x\":\"\\udc00\""), "the other half"),
    JSON("surrogates turned", WITH(",\"x\":\"\\udc00\\ud800\""), "the halves turned round"),
    JSON("surrogate and letter", WITH(",\"x\":\"\\ud800A\""), "half a character and a letter"),
    JSON("escape of C", WITH(",\"x\":\"\\x41\""), "an escape of C"),
    JSON("escape of a quote", WITH(",\"x\":\"\\'\""), "an escape of JavaScript"),
    JSON("escape cut short", WITH(",\"x\":\"\\u12\""), "two digits of four"),
    JSON("escape, no digit", WITH(",\"x\":\"\\u12G4\""), "a letter that is no digit"),
    JSON("escape in braces", WITH(",\"x\":\"\\u{41}\""), "an escape of Rust"),
    JSON("escape at the end", WITH(",\"x\":\"\\"), "nothing behind the backslash"),
    JSON("string without end", WITH(",\"x\":\"abc"), "no quote at the end"),
    JSON("name twice inside", WITH(",\"x\":{\"a\":1,\"a\":2}"),
         "twice in a claim that nobody reads"),
    JSON("name twice, escaped", WITH(",\"s\\u0075b\":\"root\""), "sub, and sub by an escape"),
    JSON("act.sub twice", WITH(",\"act\":{\"sub\":\"a\",\"sub\":\"b\"}"), "two actors in one"),
    JSON("empty name twice", WITH(",\"\":1,\"\":2"), "the empty name twice"),
    BUILT(MALFORMED, "name twice of many", by_members, "m7", NULL, 300, "one of 300 names twice"),
    TWICE("iss", "\"https://evil.example\"", "a second issuer"),
    TWICE("aud", "\"x\"", "a second audience"),
    TWICE("exp", "1900000000", "a second end"),
    TWICE("iat", "1", "a second date"),
    TWICE("sub", "\"root\"", "a second subject"),
    TWICE("client_id", "\"agent-8\"", "a second client"),
    TWICE("jti", "\"t-2\"", "a second name"),
    TWICE("scope", "\"mail.admin\"", "a second scope"),
    BUILT(LIMIT, "depth of arrays", by_depth, "[", "]", 16, "17 levels"),
    BUILT(LIMIT, "depth of objects", by_depth, "{\"a\":", "}", 16, "17 levels"),
    BUILT(LIMIT, "depth of 1000", by_depth, "[", "]", 1000, "1001 levels"),
    BUILT(LIMIT, "values", by_values, NULL, NULL, 4200, "4200 values"),

    ID_TOKEN("payload.at_hash/string", "at_hash", "\"x\"", "an ID token, where JWT is taken"),
    ID_TOKEN("payload.at_hash/null", "at_hash", "null", "the same, though null"),
    ID_TOKEN("payload.at_hash/escaped", "at_h\\u0061sh", "\"x\"", "the same by an escape"),
    ID_TOKEN("payload.c_hash/string", "c_hash", "\"x\"", "an ID token beside a code"),
    ID_TOKEN("payload.c_hash/object", "c_hash", "{}", "the same, though an object"),
};

const struct attack_group attacks_on_payload = ATTACK_GROUP(rows);
