/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks where two issuers count: what is read to learn whose a token is.  RFC 8725 §3.8.  Those
 * on the algorithms, types and keys of the one in the name of the other stand with these checks.
 */
#include "config.h"

#include "attack_table.h"

#define WHOSE(place, json, words)                                                                  \
    ATTACK_CLAIM_AT(SITE_TWO, ISS, WHOSE, "iss, of two issuers/" place, "iss", json, words)
#define JSON(place, payload, words)                                                                \
    {                                                                                              \
        .reason = POSTERN_ERR_MALFORMED, .check = TRAIL_WHOSE,                                     \
        .field = "payload.json, of two issuers/" place, .done = words, .make = attack_by_payload,  \
        .a = payload, .site = SITE_TWO                                                             \
    }

static const struct attack rows[] = {
    WHOSE("missing", NULL, "no iss"),
    WHOSE("third", "\"https://third.example\"", "one that is not trusted here"),
    WHOSE("slash", "\"" ATTACK_PARTNER "/\"", "a slash behind"),
    WHOSE("case", "\"https://LOGIN.partner.example\"", "upper case in the host"),
    WHOSE("array", "[\"" TEST_ISSUER "\",\"" ATTACK_PARTNER "\"]", "both in an array"),
    WHOSE("null", "null", "null"),
    WHOSE("both in one", "\"" TEST_ISSUER " " ATTACK_PARTNER "\"", "both in one string"),
    JSON("array", "[]", "an array"),
    JSON("form", "iss=" ATTACK_PARTNER, "a form"),
    JSON("iss twice", "{\"iss\":\"" ATTACK_PARTNER "\",\"iss\":\"" TEST_ISSUER "\"}",
         "two issuers named"),
};

const struct attack_group attacks_on_whose = ATTACK_GROUP(rows);
