/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on issuer, audience and times: RFC 7519 §4.1, RFC 9068 §4, RFC 8725 §3.8, §3.9.  The
 * clock stands at 1800000000; clock_skew is 60 s, or 0 s where a row says so.
 */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

#define HOST "sso.example.org"

/* An array of `len` audiences, ours the last. */
static struct attack_text by_audiences(const struct attack_world *w, const struct attack *a)
{
    char *list = test_printf("["), *longer;
    struct attack own = *a;
    struct attack_text t;

    for (size_t i = 0; i + 1 < a->len; i++, free(list), list = longer)
        longer = test_printf("%s\"a%zu\",", list, i);
    longer = test_printf("%s\"" TEST_AUDIENCE "\"]", list);
    free(list);
    own.a = "aud";
    own.b = longer;
    t = attack_by_claim(w, &own);
    free(longer);
    return t;
}

#define ISSUED(place, json, words) ATTACK_CLAIM(ISS, ISSUER, "iss/" place, "iss", json, words)
#define MEANT(place, json, words)  ATTACK_CLAIM(AUD, AUDIENCE, "aud/" place, "aud", json, words)
#define MEANT_BADLY(place, json, words)                                                            \
    ATTACK_CLAIM(MALFORMED_CLAIM, AUDIENCE, "aud/" place, "aud", json, words)
#define NO_DATE(name, place, json, words)                                                          \
    ATTACK_CLAIM(MALFORMED_CLAIM, TIMES, name "/" place, name, json, words)
#define NO_DATES(name)                                                                             \
    NO_DATE(name, "string", "\"1800000000\"", "digits in a string"),                               \
        NO_DATE(name, "date", "\"2027-01-15T08:00:00Z\"", "a date of ISO 8601"),                   \
        NO_DATE(name, "null", "null", "null"), NO_DATE(name, "true", "true", "true"),              \
        NO_DATE(name, "array", "[1800000000]", "an array of one"),                                 \
        NO_DATE(name, "object", "{}", "an object"), NO_DATE(name, "negative", "-1", "below zero"), \
        NO_DATE(name, "1e400", "1e400", "more than a double holds"),                               \
        NO_DATE(name, "2^53", "9007199254740992", "more than is exact everywhere"),                \
        NO_DATE(name, "2^64", "18446744073709551616", "more than 64 bits hold")
#define GONE(place, json, words) ATTACK_CLAIM(EXPIRED, TIMES, "exp/" place, "exp", json, words)
#define EARLY(name, place, json, words)                                                            \
    ATTACK_CLAIM(NOT_YET_VALID, TIMES, name "/" place, name, json, words)
#define EXACT(code, name, json, words)                                                             \
    ATTACK_CLAIM_AT(SITE_EXACT, code, TIMES, name "/boundary, clock_skew 0s", name, json, words)

#define AGE(name, place, json, words)                                                              \
    ATTACK_CLAIM_AT(SITE_AGE, TOKEN_AGE, TIMES, name "/" place, name, json, words)

static const struct attack rows[] = {
    ISSUED("missing", NULL, "no iss"),
    ISSUED("empty", "\"\"", "an empty string"),
    ISSUED("another", "\"https://login.example.com\"", "another issuer"),
    ISSUED("null", "null", "null"),
    ISSUED("number", "1", "a number"),
    ISSUED("true", "true", "true"),
    ISSUED("array", "[\"" TEST_ISSUER "\"]", "an array of one"),
    ISSUED("object", "{\"iss\":\"" TEST_ISSUER "\"}", "an object"),
    ISSUED("slash", "\"" TEST_ISSUER "/\"", "a slash behind"),
    ISSUED("path missing", "\"https://" HOST "\"", "the host alone"),
    ISSUED("path cut", "\"https://" HOST "/realms/agent\"", "one letter short"),
    ISSUED("path longer", "\"" TEST_ISSUER "-2\"", "a longer name of a realm"),
    ISSUED("path case", "\"https://" HOST "/realms/Agents\"", "upper case in the path"),
    ISSUED("path, two slashes", "\"https://" HOST "//realms/agents\"", "a slash twice"),
    ISSUED("path, dots", "\"https://" HOST "/realms/x/../agents\"", "a way round"),
    ISSUED("path, percent-encoded", "\"https://" HOST "/realms/%61gents\"", "a letter encoded"),
    ISSUED("scheme", "\"http://" HOST "/realms/agents\"", "http"),
    ISSUED("scheme missing", "\"" HOST "/realms/agents\"", "no scheme"),
    ISSUED("scheme case", "\"HTTPS://" HOST "/realms/agents\"", "upper case in the scheme"),
    ISSUED("host case", "\"https://SSO.example.org/realms/agents\"", "upper case in the host"),
    ISSUED("host, final dot", "\"https://" HOST "./realms/agents\"", "a dot behind the host"),
    ISSUED("host, suffix", "\"https://" HOST ".evil.example/realms/agents\"", "a longer domain"),
    ISSUED("host, prefix", "\"https://evil-" HOST "/realms/agents\"", "another host at its end"),
    ISSUED("host, user", "\"https://" HOST "@evil.example/realms/agents\"",
           "ours as a user's name"),
    ISSUED("host, homoglyph", "\"https://ss\xd0\xbe.example.org/realms/agents\"",
           "a Cyrillic letter"),
    ISSUED("host, punycode", "\"https://xn--ss-nmc.example.org/realms/agents\"", "an encoded one"),
    ISSUED("port", "\"https://" HOST ":443/realms/agents\"", "the default port"),
    ISSUED("port, another", "\"https://" HOST ":8443/realms/agents\"", "another port"),
    ISSUED("query", "\"" TEST_ISSUER "?\"", "an empty query"),
    ISSUED("fragment", "\"" TEST_ISSUER "#x\"", "a fragment"),
    ISSUED("blank in front", "\" " TEST_ISSUER "\"", "a blank in front"),
    ISSUED("blank behind", "\"" TEST_ISSUER " \"", "a blank behind"),
    ISSUED("newline", "\"" TEST_ISSUER "\\n\"", "a newline behind"),
    ISSUED("backslash", "\"https:\\\\\\\\" HOST "\\\\realms\\\\agents\"", "backslashes"),
    ISSUED("template", "\"https://" HOST "/realms/{tenantid}\"", "a template, as Entra has one"),

    ATTACK_CLAIM(AUD, AUDIENCE, "aud/missing", "aud", NULL, "no aud"),
    MEANT("empty", "\"\"", "an empty string"),
    MEANT("empty array", "[]", "an empty array"),
    MEANT("array of nothing", "[\"\"]", "an array of an empty string"),
    MEANT("another", "\"https://mail.example.org/smtp\"", "another service of the same host"),
    MEANT("others", "[\"https://a.example\",\"https://b.example\"]", "an array of others"),
    MEANT("prefix", "\"https://mail.example.org\"", "the host alone"),
    MEANT("cut", "\"https://mail.example.org/ima\"", "one letter short"),
    MEANT("longer", "\"" TEST_AUDIENCE "s\"", "one letter more"),
    MEANT("below", "\"" TEST_AUDIENCE "/inbox\"", "a path below"),
    MEANT("slash", "\"" TEST_AUDIENCE "/\"", "a slash behind"),
    MEANT("host case", "\"https://MAIL.example.org/imap\"", "upper case in the host"),
    MEANT("path case", "\"https://mail.example.org/IMAP\"", "upper case in the path"),
    MEANT("scheme", "\"http://mail.example.org/imap\"", "http"),
    MEANT("port", "\"https://mail.example.org:443/imap\"", "the default port"),
    MEANT("query", "\"" TEST_AUDIENCE "?\"", "an empty query"),
    MEANT("fragment", "\"" TEST_AUDIENCE "#\"", "an empty fragment"),
    MEANT("list in a string", "\"x " TEST_AUDIENCE "\"", "ours behind a blank"),
    MEANT("comma in a string", "\"" TEST_AUDIENCE ",x\"", "ours before a comma"),
    MEANT("blank behind", "\"" TEST_AUDIENCE " \"", "a blank behind"),
    MEANT("any", "\"*\"", "a star"),
    MEANT("pattern", "\"https://*.example.org/imap\"", "a pattern"),
    MEANT("account", "\"account\"", "what Keycloak sends without a mapper"),
    MEANT("issuer", "\"" TEST_ISSUER "\"", "the issuer itself"),
    MEANT("client", "\"agent-7\"", "the client, as in an ID token"),
    MEANT_BADLY("null", "null", "null"),
    MEANT_BADLY("number", "1", "a number"),
    MEANT_BADLY("true", "true", "true"),
    MEANT_BADLY("object", "{\"" TEST_AUDIENCE "\":true}", "an object"),
    MEANT_BADLY("null in the array", "[\"" TEST_AUDIENCE "\",null]", "null beside ours"),
    MEANT_BADLY("number in the array", "[1,\"" TEST_AUDIENCE "\"]", "a number beside ours"),
    MEANT_BADLY("array in the array", "[[\"" TEST_AUDIENCE "\"]]", "an array in the array"),
    MEANT_BADLY("object in the array", "[\"" TEST_AUDIENCE "\",{}]", "an object beside ours"),
    { .reason = POSTERN_ERR_LIMIT,
      .check = TRAIL_AUDIENCE,
      .field = "aud/entries",
      .done = "257 of them, ours the last",
      .make = by_audiences,
      .len = 257 },

    ATTACK_CLAIM(CLAIM_MISSING, TIMES, "exp/missing", "exp", NULL,
                 "no exp: it would last for ever"),
    NO_DATES("exp"),
    NO_DATES("nbf"),
    NO_DATES("iat"),
    GONE("boundary", "1799999940", "the second in which the skew is over"),
    GONE("boundary, fraction", "1799999940.999", "a fraction does not make it longer"),
    GONE("boundary, exponent", "1.79999994e9", "the same second by an exponent"),
    GONE("past", "1700000000", "years ago"),
    GONE("zero", "0", "1970"),
    GONE("minus zero", "-0", "1970, and a sign"),
    GONE("fraction", "0.9", "before the first second"),
    GONE("small exponent", "18e-1", "a number that looks larger"),
    EXACT(EXPIRED, "exp", "1800000000", "the second in which it ends"),
    EARLY("nbf", "boundary", "1800000061", "one second beyond the skew"),
    EARLY("nbf", "boundary, fraction", "1800000061.5", "the same and a half"),
    EARLY("nbf", "boundary, exponent", "180000006100e-2", "the same by an exponent"),
    EARLY("nbf", "future", "1900000000", "years ahead"),
    EARLY("nbf", "milliseconds", "1800000000000", "now, in milliseconds"),
    EARLY("nbf", "largest", "9007199254740991", "the largest date"),
    EXACT(NOT_YET_VALID, "nbf", "1800000001", "one second ahead"),
    EARLY("iat", "boundary", "1800000061", "issued one second beyond the skew"),
    EARLY("iat", "future", "1900000000", "issued years ahead"),
    EARLY("iat", "milliseconds", "1800000000000", "now, in milliseconds"),
    EARLY("iat", "largest", "9007199254740991", "the largest date"),
    EXACT(NOT_YET_VALID, "iat", "1800000001", "issued one second ahead"),
    AGE("iat", "too old", "1799999339", "one second older than max_token_age and the skew"),
    AGE("iat", "years ago", "1700000000", "issued years ago"),
    AGE("exp", "too long", "1800001201", "one second longer than max_token_lifetime"),
    AGE("exp", "for ever", "9007199254740991", "the largest date"),
};

const struct attack_group attacks_on_claims = ATTACK_GROUP(rows);
