/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens that must be refused, one attack a row: what is changed, which check stops it, and for
 * which reason.  A row's token is right in everything but what the row says, its signature too
 * where that is possible, so that no other check could have stopped it.
 * tests/unit/test_attack_table.c validates them; doc/design/attack-tokens.md is the table in print.
 * Rows stand in the order of the checks, a file for each few of them; a new one goes behind the
 * last of its check.
 */
#ifndef POSTERN_TESTS_ATTACK_TABLE_H
#define POSTERN_TESTS_ATTACK_TABLE_H

#include <stdio.h>

#include "oauth/trail.h"
#include "test_login.h"

/* Configurations, each of which accepts a token that nobody changed; attack_sites.c. */
enum attack_site {
    SITE_PLAIN = 0, /* what an issuer of RFC 9068 and a mail server have by default */
    SITE_ES256,     /* `algorithms: ES256` */
    SITE_JWT,       /* token_types: at+jwt JWT */
    SITE_FEW_KEYS,  /* five keys of one kind, none of which has a kid */
    SITE_EXACT,     /* clock_skew: 0s */
    SITE_LAX,       /* required_claims: iat */
    SITE_AZP,       /* agent_claim: azp client_id */
    SITE_KEYCLOAK,
    SITE_KEYCLOAK_CLIENT, /* the agent's own token */
    SITE_ENTRA,
    SITE_ENTRA_APP,
    SITE_OKTA,
    SITE_ANY_SCOPE,  /* scope_claim: scp scope, scope_form: any */
    SITE_TAKEN_BACK, /* some are revoked or blocked, the good token is not */
    SITE_EMAIL,      /* username_claim: email */
    SITE_TEMPLATE,   /* username_claim: ${tenant}--${sub} */
    SITE_MAP,        /* username_map_file */
    SITE_TWO,        /* two issuers, of which partner signs ES384 and sends JWT */
    SITE_CERT,       /* bound to the certificate that the client shows */
    SITE_CLIENTS,    /* allowed_clients: agent-7 */
    SITE_AGE,        /* max_token_age: 10m, max_token_lifetime: 20m */
    SITE_PERSON,     /* required_acr: and max_auth_age: */
    SITE_ANY_OF,     /* required_scopes_any: */
    SITE_AGENT,      /* login_as: agent */
    SITE_BOTH,       /* login_as: both */
    ATTACK_SITES
};

/* Private keys; which of them an issuer publishes: attack_keys.c. */
enum attack_key {
    KEY_EC = 0,
    KEY_P384,
    KEY_P521,
    KEY_ED,
    KEY_RSA,
    KEY_RSA_1024,
    KEY_K1,       /* secp256k1 */
    KEY_STRANGER, /* of these nobody publishes the public half */
    KEY_STRANGER_P384,
    KEY_STRANGER_P521,
    KEY_STRANGER_ED,
    ATTACK_KEYS
};

struct attack_world {
    test_login login;
    test_key *keys[ATTACK_KEYS];
    int site; /* whose configuration is loaded; -1: none yet */
};

struct attack;
/* May hold NUL; free() it. */
struct attack_text {
    char *text;
    size_t len;
};
typedef struct attack_text attack_recipe(const struct attack_world *w, const struct attack *a);

struct attack {
    postern_err reason;
    enum trail_step check;
    /* A place in the token, the key set or the request, and behind a slash which property of it. */
    const char *field;
    const char *done; /* for people */
    attack_recipe *make;
    const char *a, *b; /* the recipe's */
    size_t len;        /* the recipe's; of `a`, which has NULs or broken UTF-8: 0: strlen(a) */
    enum attack_site site;
    enum attack_key key;
    const char *alg;                   /* how `key` signs, as of test_sign(); NULL: ES256 */
    const char *authzid, *extra_scope; /* of the request */
};

/* Rows by number, from 0; NULL past the end. */
const struct attack *attack_at(size_t i);
/* The whole table as doc/design/attack-tokens.md. */
void attack_table_print(FILE *out);

void attack_world_make(struct attack_world *w);
void attack_world_remove(struct attack_world *w);
/* Load the configuration of a site, and what it was told. */
void attack_world_enter(struct attack_world *w, enum attack_site site);
const char *attack_site_name(enum attack_site site);
/* The site's good token. */
char *attack_good(const struct attack_world *w, enum attack_site site);
const char *attack_header(enum attack_site site);
/* Its claims with one of them changed, put in or (json NULL) left out; name NULL: none. */
char *attack_claims(enum attack_site site, const char *name, const char *json);
/* The keys that the issuer of a site publishes. */
char *attack_key_set(const struct attack_world *w, enum attack_site site);

/* ---- recipes ---- */

/* Claim `a` has the JSON text `b`, or is left out. */
attack_recipe attack_by_claim;
/* The payload is `a`. */
attack_recipe attack_by_payload;
/* Issuer partner's claims under header `a`, signed by `key` as `alg` says. */
attack_recipe attack_by_partner;
/* The header is `a`, as JSON, signed by `key` as `alg` says. */
attack_recipe attack_by_header;
/* The token is `a`, in which %h, %p and %s are the parts of the good token, %0 is NUL. */
attack_recipe attack_by_text;
/* Likewise of what is signed, in which %p is the payload; a signature is put behind it. */
attack_recipe attack_by_signed_text;
/* The good token and a wanted identity. */
attack_recipe attack_by_nothing;

/* Signs header and payload of the site with the row's key. */
struct attack_text attack_sign(const struct attack_world *w, const struct attack *a,
                               const void *header, size_t header_len, const void *payload,
                               size_t payload_len);
/* Owned text to what a recipe yields. */
struct attack_text attack_text_of(char *take_text);
/* The good token's text up to the last dot, to be signed by whatever a recipe invents. */
char *attack_input(const char *header, const char *payload);
/* `input` and the signature bytes. */
struct attack_text attack_join(char *take_input, const void *sig, size_t sig_len);

/* A token of the row's key and algorithm that nobody has spoiled yet. */
#define ATTACK_SIG_ROOM 512
struct attack_draft {
    char *input;
    uint8_t sig[ATTACK_SIG_ROOM];
    size_t len;
};
struct attack_draft attack_draft_make(const struct attack_world *w, const struct attack *a);
/* Frees the draft. */
struct attack_text attack_draft_finish(struct attack_draft *d);
/* Says algorithm `a`, is signed as `alg` says. */
attack_recipe attack_by_other_scheme;
/* The signature cut to `len` bytes; a longer one is filled up with zeros behind, or in front when
 * `a` says anything; with `b` it stands there twice. */
attack_recipe attack_by_length;

/* No attack: what the blocks of attack_rsa.c are when nothing is wrong with them. */
struct attack_text attack_right_block(const struct attack_world *w);

/* One file's rows. */
struct attack_group {
    const struct attack *rows;
    size_t count;
};
#define ATTACK_GROUP(rows)                                                                         \
    {                                                                                              \
        rows, sizeof(rows) / sizeof(rows)[0]                                                       \
    }
#define ATTACK_PARTNER "https://login.partner.example"
extern const struct attack_group attacks_on_whose, attacks_on_form, attacks_on_header,
    attacks_on_type, attacks_on_kid, attacks_on_keys, attacks_on_signature, attacks_on_rsa,
    attacks_on_payload, attacks_on_claims, attacks_on_identities, attacks_on_parties,
    attacks_on_scope, attacks_on_users;

/* ---- rows ---- */

#define ATTACK_CLAIM(code, step, place, name, json, words)                                         \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_claim, .a = name, .b = json                                              \
    }
#define ATTACK_CLAIM_AT(at, code, step, place, name, json, words)                                  \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_claim, .a = name, .b = json, .site = at                                  \
    }
#define ATTACK_HEADER(code, step, place, header, words)                                            \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_header, .a = header                                                      \
    }
#define ATTACK_TEXT(code, step, place, text, words)                                                \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_text, .a = text                                                          \
    }
#define ATTACK_SIGNED(code, step, place, text, words)                                              \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_##step, .field = place, .done = words,        \
        .make = attack_by_signed_text, .a = text                                                   \
    }

#endif
