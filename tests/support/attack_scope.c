/* SPDX-License-Identifier: BSD-2-Clause */
/* Attacks on scopes: RFC 6749 §3.3, RFC 8693 §4.2, RFC 9068 §2.2.3.  mail.read is required. */
#include "config.h"

#include "attack_table.h"

#include <stdlib.h>

/* mail.read and a scope of `len` letters. */
static struct attack_text by_long_scope(const struct attack_world *w, const struct attack *a)
{
    char *filler = calloc(1, a->len + 1), *json;
    struct attack own = *a;
    struct attack_text t;

    if (filler == NULL)
        abort();
    memset(filler, 's', a->len);
    own.a = "scope";
    own.b = json = test_printf("\"mail.read %s\"", filler);
    t = attack_by_claim(w, &own);
    free(json);
    free(filler);
    return t;
}

#define NARROW(place, json, words)                                                                 \
    ATTACK_CLAIM(INSUFFICIENT_SCOPE, SCOPE, "scope/" place, "scope", json, words)
#define NO_SCOPE(place, json, words)                                                               \
    ATTACK_CLAIM(MALFORMED_CLAIM, SCOPE, "scope/" place, "scope", json, words)
#define ANY(code, place, json, words)                                                              \
    ATTACK_CLAIM_AT(SITE_ANY_SCOPE, code, SCOPE, "scp/" place, "scp", json, words)

#define ASKED(place, scope, words)                                                                 \
    {                                                                                              \
        .reason = POSTERN_ERR_INSUFFICIENT_SCOPE, .check = TRAIL_SCOPE,                            \
        .field = "request.extra_scopes/" place, .done = words, .make = attack_by_nothing,          \
        .extra_scope = scope                                                                       \
    }

#define PERSON(code, name, place, json, words)                                                     \
    ATTACK_CLAIM_AT(SITE_PERSON, code, AUTHENTICATION, name "/" place, name, json, words)
#define ANY_OF(place, json, words)                                                                 \
    ATTACK_CLAIM_AT(SITE_ANY_OF, INSUFFICIENT_SCOPE, SCOPE, "scope, any of/" place, "scope", json, \
                    words)

static const struct attack rows[] = {
    PERSON(ACR, "acr", "missing", NULL, "no acr"),
    PERSON(ACR, "acr", "another", "\"pwd\"", "a password alone"),
    PERSON(ACR, "acr", "case", "\"MFA\"", "upper case"),
    PERSON(ACR, "acr", "two in one", "\"pwd mfa\"", "two in one string"),
    PERSON(ACR, "acr", "empty", "\"\"", "an empty string"),
    PERSON(ACR, "sub", "agent's own token", "\"agent-7\"", "nobody authenticated"),
    PERSON(MALFORMED_CLAIM, "acr", "array", "[\"mfa\"]", "an array of one"),
    PERSON(MALFORMED_CLAIM, "acr", "null", "null", "null"),
    PERSON(AUTH_AGE, "auth_time", "missing", NULL, "no auth_time"),
    PERSON(AUTH_AGE, "auth_time", "boundary", "1799999339", "one second beyond the skew"),
    PERSON(AUTH_AGE, "auth_time", "zero", "0", "1970"),
    PERSON(MALFORMED_CLAIM, "auth_time", "string", "\"1799999900\"", "digits in a string"),
    PERSON(MALFORMED_CLAIM, "auth_time", "null", "null", "null"),
    PERSON(NOT_YET_VALID, "auth_time", "future", "1800000061", "one second beyond the skew"),
    NARROW("missing", NULL, "no scope"),
    NARROW("empty", "\"\"", "an empty string"),
    NARROW("another", "\"mail.write\"", "another one"),
    NARROW("longer", "\"mail.reader\"", "one that begins so"),
    NARROW("shorter", "\"mail.rea\"", "the beginning"),
    NARROW("below", "\"mail.read.all\"", "one below it"),
    NARROW("in front", "\"xmail.read\"", "one that ends so"),
    NARROW("case", "\"Mail.Read\"", "upper case"),
    NARROW("two words", "\"mail read\"", "cut in two"),
    NARROW("comma", "\"mail.read,mail.write\"", "a comma, which makes one word"),
    NARROW("semicolon", "\"mail.read;mail.write\"", "a semicolon"),
    NARROW("star", "\"*\"", "a star"),
    NARROW("pattern", "\"mail.*\"", "a pattern"),
    NARROW("percent-encoded", "\"mail%2Eread\"", "the dot encoded"),
    NARROW("URL", "\"https://mail.example.org/mail.read\"", "at the end of a URL"),
    ATTACK_CLAIM(INSUFFICIENT_SCOPE, SCOPE, "scope/in scp", "scope", "\"x\",\"scp\":\"mail.read\"",
                 "in a claim that is not configured"),
    ATTACK_CLAIM(INSUFFICIENT_SCOPE, SCOPE, "scope/in act", "scope",
                 "\"x\",\"act\":{\"sub\":\"agent-9\",\"scope\":\"mail.read\"}",
                 "in the actor, where it means nothing"),
    NO_SCOPE("array", "[\"mail.read\"]", "an array, where a string is configured"),
    NO_SCOPE("null", "null", "null"),
    NO_SCOPE("number", "7", "a number"),
    NO_SCOPE("true", "true", "true"),
    NO_SCOPE("object", "{\"mail.read\":true}", "an object"),
    NO_SCOPE("two blanks", "\"mail.write  mail.read\"", "two blanks between"),
    NO_SCOPE("blank in front", "\" mail.read\"", "a blank in front"),
    NO_SCOPE("blank behind", "\"mail.read \"", "a blank behind"),
    NO_SCOPE("blank alone", "\" \"", "a blank and nothing else"),
    NO_SCOPE("tab", "\"mail.write\\tmail.read\"", "a tab between"),
    NO_SCOPE("newline", "\"mail.write\\nmail.read\"", "a newline between"),
    NO_SCOPE("no-break space", "\"mail.write\\u00a0mail.read\"", "a blank of Unicode"),
    NO_SCOPE("quote", "\"mail.read \\\"\"", "a quotation mark"),
    NO_SCOPE("backslash", "\"mail.read \\\\\"", "a backslash"),
    NO_SCOPE("not ASCII", "\"mail.read \\u00e4\"", "a letter that is not ASCII"),
    NO_SCOPE("DEL", "\"mail.read \\u007f\"", "a control character"),
    { .reason = POSTERN_ERR_LIMIT,
      .check = TRAIL_SCOPE,
      .field = "scope/length",
      .done = "more than 8192 bytes",
      .make = by_long_scope,
      .len = 8192 },
    ANY_OF("none of them", "\"mail.read\"", "what is always wanted, and none of these"),
    ANY_OF("longer", "\"mail.read mail.writer\"", "one that begins so"),
    ANY_OF("both in one", "\"mail.read mail.write,mail.admin\"", "a comma, which makes one word"),
    ASKED("another", "mail.admin", "this login needs one more"),
    ASKED("longer", "mail.reads", "one letter more than what the token has"),
    ASKED("case", "Mail.read", "upper case"),
    ANY(INSUFFICIENT_SCOPE, "empty array", "[]", "an empty array"),
    ANY(INSUFFICIENT_SCOPE, "array of another", "[\"mail.write\"]", "an array of another one"),
    ANY(INSUFFICIENT_SCOPE, "array, case", "[\"MAIL.READ\"]", "upper case in an array"),
    ANY(INSUFFICIENT_SCOPE, "halves", "[\"mail.\",\"read\"]", "two halves of it"),
    ANY(INSUFFICIENT_SCOPE, "scp before scope", "[\"x\"],\"scope\":\"mail.read\"",
        "in the claim that is not asked for any more"),
    ANY(MALFORMED_CLAIM, "number in the array", "[\"mail.read\",7]", "a number beside it"),
    ANY(MALFORMED_CLAIM, "null in the array", "[\"mail.read\",null]", "null beside it"),
    ANY(MALFORMED_CLAIM, "empty in the array", "[\"mail.read\",\"\"]", "an empty string beside it"),
    ANY(MALFORMED_CLAIM, "array in the array", "[[\"mail.read\"]]", "an array in the array"),
    ANY(MALFORMED_CLAIM, "blank in a word", "[\"mail.write mail.read\"]", "two in one entry"),
    ANY(MALFORMED_CLAIM, "newline in a word", "[\"mail.read\\n\"]", "a newline in one"),
    ANY(MALFORMED_CLAIM, "object", "{\"0\":\"mail.read\"}", "an object"),
    ANY(MALFORMED_CLAIM, "null", "null", "null: scope does not step in"),
};

const struct attack_group attacks_on_scope = ATTACK_GROUP(rows);
