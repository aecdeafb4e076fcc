/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the issuer publishes, and attacks that count on a key that should not be used: one of
 * another kind, for another purpose, or one that anybody can sign for.  RFC 7517 §4, RFC 7518 §3
 * and §6, RFC 8037 §2, RFC 8725 §3.1 to §3.5.  A key that is spoiled by a row has the row's field
 * as its kid.
 */
#include "config.h"

#include "attack_table.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* ---- JWKs by a pattern ---- */

#define RSA_OCTETS 256

/* A member's value out of a JWK of test_key_jwk(). */
static char *find_value(const char *jwk, char name)
{
    char *wanted = test_printf("\"%c\":\"", name), *value;
    const char *at = strstr(jwk, wanted);

    value = at == NULL ? test_printf("%s", "")
                       : test_printf("%.*s", (int)strcspn(at + 5, "\""), at + 5);
    free(wanted);
    return value;
}

/* A modulus that is spoiled: "2047" bits, "8193" bits, "even". */
static char *make_modulus(const struct attack_world *w, char kind)
{
    uint8_t octets[1025];
    BIGNUM *n = NULL;
    char *text;

    memset(octets, 0xff, sizeof octets);
    if (kind == '1') { /* 2047 bits */
        octets[0] = 0x7f;
        return test_base64url(octets, RSA_OCTETS);
    }
    if (kind == '9') { /* 8193 bits */
        octets[0] = 1;
        return test_base64url(octets, sizeof octets);
    }
    if (EVP_PKEY_get_bn_param(test_key_pkey(w->keys[KEY_RSA]), "n", &n) != 1 ||
        BN_bn2binpad(n, octets, RSA_OCTETS) != RSA_OCTETS)
        abort();
    octets[RSA_OCTETS - 1] &= 0xfe;
    BN_free(n);
    text = test_base64url(octets, RSA_OCTETS);
    return text;
}

/* `pattern` with %n %e %x %y of the public key, %1 and %9 and %v for spoiled moduli. */
static char *fill_jwk(const struct attack_world *w, enum attack_key key, const char *pattern)
{
    char *jwk = test_key_jwk(w->keys[key], NULL), *text = test_printf("%s", "");

    for (const char *p = pattern; *p != '\0'; p++) {
        char *shorter = text, *value = NULL;

        if (*p == '%') {
            p++;
            value = strchr("nexy", *p) != NULL ? find_value(jwk, *p) : make_modulus(w, *p);
        }
        text =
            value != NULL ? test_printf("%s%s", shorter, value) : test_printf("%s%c", shorter, *p);
        free(value);
        free(shorter);
    }
    free(jwk);
    return text;
}

/* Under a key that this row spoils. */
static struct attack_text by_spoiled_key(const struct attack_world *w, const struct attack *a)
{
    struct attack own = *a;
    char *header =
        test_printf("{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"%s\"}", a->alg, a->field);
    struct attack_text t;

    own.a = header;
    t = attack_by_header(w, &own);
    free(header);
    return t;
}

static char *make_spoiled_input(const struct attack *a)
{
    char *claims = attack_claims(a->site, NULL, NULL),
         *header =
             test_printf("{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"%s\"}", a->alg, a->field),
         *input = attack_input(header, claims);

    free(claims);
    free(header);
    return input;
}

/* With e = 1 the padded digest is its own signature. */
static struct attack_text by_exponent_one(const struct attack_world *w, const struct attack *a)
{
    static const uint8_t info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
    char *input = make_spoiled_input(a);
    uint8_t block[RSA_OCTETS];

    (void)w;
    memset(block, 0xff, sizeof block);
    block[0] = 0;
    block[1] = 1;
    block[RSA_OCTETS - 32 - sizeof info - 1] = 0;
    memcpy(block + RSA_OCTETS - 32 - sizeof info, info, sizeof info);
    if (EVP_Digest(input, strlen(input), block + RSA_OCTETS - 32, NULL, EVP_sha256(), NULL) != 1)
        abort();
    return attack_join(input, block, sizeof block);
}

/* R the neutral element and S = 0: true for every message under a key of order 1, and under the
 * others of small order for every few. */
static struct attack_text by_neutral_element(const struct attack_world *w, const struct attack *a)
{
    uint8_t sig[64] = { 1 };

    (void)w;
    return attack_join(make_spoiled_input(a), sig, sizeof sig);
}

/* ---- rows ---- */

#define PAIR(of_key, name, by_key)                                                                 \
    {                                                                                              \
        .reason = POSTERN_ERR_ALG_KEY_MISMATCH, .check = TRAIL_SIGNATURE,                          \
        .field = "header.alg/" name " with " of_key,                                               \
        .done = "signed by a key of the algorithm's kind, which has another kid",                  \
        .make = attack_by_header,                                                                  \
        .a = "{\"typ\":\"at+jwt\",\"alg\":\"" name "\",\"kid\":\"" of_key "\"}", .key = by_key,    \
        .alg = name                                                                                \
    }
#define SPOILED(code, place, by_key, by_alg, jwk, words)                                           \
    {                                                                                              \
        .reason = POSTERN_ERR_##code, .check = TRAIL_SIGNATURE, .field = "key." place,             \
        .done = words, .make = by_spoiled_key, .b = jwk, .key = by_key, .alg = by_alg              \
    }
#define FORGED(place, recipe, by_key, by_alg, jwk, words)                                          \
    {                                                                                              \
        .reason = POSTERN_ERR_WEAK_KEY, .check = TRAIL_SIGNATURE, .field = "key." place,           \
        .done = words, .make = recipe, .b = jwk, .key = by_key, .alg = by_alg                      \
    }

#define EC       "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%x\",\"y\":\"%y\""
#define RSA      "\"kty\":\"RSA\",\"n\":\"%n\",\"e\":\"%e\""
#define ED       "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%x\""
#define POINT(x) "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\""
#define ZEROS_40 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ONES_39  "_______________________________________"
#define ONES_40  ONES_39 "_"
#define EC_SPOILED(code, place, more, words)                                                       \
    SPOILED(code, place, KEY_EC, "ES256", EC "," more, words)
#define RSA_SPOILED(code, place, more, words)                                                      \
    SPOILED(code, place, KEY_RSA, "RS256", RSA "," more, words)

static const struct attack rows[] = {
    PAIR("a", "RS256", KEY_RSA),
    PAIR("a", "RS384", KEY_RSA),
    PAIR("a", "RS512", KEY_RSA),
    PAIR("a", "PS256", KEY_RSA),
    PAIR("a", "PS384", KEY_RSA),
    PAIR("a", "PS512", KEY_RSA),
    PAIR("a", "ES384", KEY_P384),
    PAIR("a", "ES512", KEY_P521),
    PAIR("a", "EdDSA", KEY_ED),
    PAIR("a", "Ed25519", KEY_ED),
    PAIR("p384", "RS256", KEY_RSA),
    PAIR("p384", "PS256", KEY_RSA),
    PAIR("p384", "ES256", KEY_EC),
    PAIR("p384", "ES512", KEY_P521),
    PAIR("p384", "EdDSA", KEY_ED),
    PAIR("p521", "RS256", KEY_RSA),
    PAIR("p521", "PS256", KEY_RSA),
    PAIR("p521", "ES256", KEY_EC),
    PAIR("p521", "ES384", KEY_P384),
    PAIR("p521", "EdDSA", KEY_ED),
    PAIR("ed", "RS256", KEY_RSA),
    PAIR("ed", "PS256", KEY_RSA),
    PAIR("ed", "ES256", KEY_EC),
    PAIR("ed", "ES384", KEY_P384),
    PAIR("ed", "ES512", KEY_P521),
    PAIR("rsa", "ES256", KEY_EC),
    PAIR("rsa", "ES384", KEY_P384),
    PAIR("rsa", "ES512", KEY_P521),
    PAIR("rsa", "EdDSA", KEY_ED),
    PAIR("rsa", "Ed25519", KEY_ED),

    SPOILED(ALG_KEY_MISMATCH, "alg/RS256, used for PS256", KEY_RSA, "PS256",
            RSA ",\"alg\":\"RS256\"", "one key, one algorithm"),
    SPOILED(ALG_KEY_MISMATCH, "alg/RS256, used for RS384", KEY_RSA, "RS384",
            RSA ",\"alg\":\"RS256\"", "one key, one algorithm"),
    SPOILED(ALG_KEY_MISMATCH, "alg/PS256, used for RS256", KEY_RSA, "RS256",
            RSA ",\"alg\":\"PS256\"", "one key, one algorithm"),
    SPOILED(ALG_KEY_MISMATCH, "alg/PS256, used for PS512", KEY_RSA, "PS512",
            RSA ",\"alg\":\"PS256\"", "one key, one algorithm"),
    SPOILED(ALG_KEY_MISMATCH, "alg/EdDSA, used for Ed25519", KEY_ED, "Ed25519",
            ED ",\"alg\":\"EdDSA\"", "one key, one algorithm"),
    SPOILED(ALG_KEY_MISMATCH, "alg/ES384 on P-256", KEY_EC, "ES256", EC ",\"alg\":\"ES384\"",
            "an algorithm of another curve"),
    RSA_SPOILED(ALG_KEY_MISMATCH, "alg/HS256", "\"alg\":\"HS256\"", "an RSA key said to be HMAC's"),
    RSA_SPOILED(ALG_KEY_MISMATCH, "alg/RSA-OAEP", "\"alg\":\"RSA-OAEP\"", "a key of encryption"),
    EC_SPOILED(ALG_KEY_MISMATCH, "alg/none", "\"alg\":\"none\"", "none in the key set"),
    EC_SPOILED(ALG_KEY_MISMATCH, "alg/case", "\"alg\":\"es256\"", "lower case"),
    EC_SPOILED(ALG_KEY_MISMATCH, "alg/null", "\"alg\":null", "null"),
    EC_SPOILED(ALG_KEY_MISMATCH, "alg/array", "\"alg\":[\"ES256\"]", "an array of one"),
    SPOILED(ALG_KEY_MISMATCH, "kty/oct", KEY_EC, "ES256", "\"kty\":\"oct\",\"k\":\"c2VjcmV0\"",
            "a shared secret in a public set"),
    SPOILED(ALG_KEY_MISMATCH, "kty/oct, with RS256", KEY_RSA, "RS256",
            "\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"alg\":\"RS256\"",
            "a shared secret said to be RSA"),
    SPOILED(ALG_KEY_MISMATCH, "kty/missing", KEY_EC, "ES256",
            "\"crv\":\"P-256\",\"x\":\"%x\",\"y\":\"%y\"", "no kty"),
    SPOILED(ALG_KEY_MISMATCH, "kty/case", KEY_EC, "ES256",
            "\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"%x\",\"y\":\"%y\"", "lower case"),
    SPOILED(ALG_KEY_MISMATCH, "kty/OKP on P-256", KEY_EC, "ES256",
            "\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"%x\",\"y\":\"%y\"",
            "kty and crv contradict"),
    SPOILED(ALG_KEY_MISMATCH, "kty/AKP", KEY_EC, "ES256", "\"kty\":\"AKP\",\"pub\":\"%x\"",
            "a kind that is not known"),
    SPOILED(ALG_KEY_MISMATCH, "crv/secp256k1", KEY_K1, "ES256",
            "\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"%x\",\"y\":\"%y\"",
            "the curve of Bitcoin, signed by it"),
    SPOILED(ALG_KEY_MISMATCH, "crv/X25519", KEY_ED, "EdDSA",
            "\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"%x\"", "a curve of key agreement"),
    SPOILED(ALG_KEY_MISMATCH, "crv/Ed448", KEY_ED, "EdDSA",
            "\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"%x\"", "a curve that is not offered"),
    SPOILED(ALG_KEY_MISMATCH, "crv/case", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"p-256\",\"x\":\"%x\",\"y\":\"%y\"", "lower case"),
    SPOILED(ALG_KEY_MISMATCH, "crv/missing", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"x\":\"%x\",\"y\":\"%y\"", "no crv"),
    SPOILED(ALG_KEY_MISMATCH, "crv/of NIST's name", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"prime256v1\",\"x\":\"%x\",\"y\":\"%y\"", "OpenSSL's name"),

    EC_SPOILED(KEY_NOT_FOR_SIG, "use/enc", "\"use\":\"enc\"", "a key of encryption"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "use/case", "\"use\":\"SIG\"", "upper case"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "use/empty", "\"use\":\"\"", "an empty string"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "use/null", "\"use\":null", "null"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "use/array", "\"use\":[\"sig\"]", "an array of one"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/empty", "\"key_ops\":[]", "for nothing"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/sign", "\"key_ops\":[\"sign\"]", "for signing alone"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/encrypt", "\"use\":\"sig\",\"key_ops\":[\"encrypt\"]",
               "against what `use` says"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/case", "\"key_ops\":[\"Verify\"]", "upper case"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/string", "\"key_ops\":\"verify\"", "a string"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/null", "\"key_ops\":null", "null"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "key_ops/nested", "\"key_ops\":[[\"verify\"]]", "a list in a list"),
    EC_SPOILED(KEY_NOT_FOR_SIG, "use/enc, but verify", "\"use\":\"enc\",\"key_ops\":[\"verify\"]",
               "against what `key_ops` says"),
    RSA_SPOILED(KEY_NOT_FOR_SIG, "use/enc, RSA", "\"use\":\"enc\"", "a key of encryption"),

    SPOILED(WEAK_KEY, "n/1024 bits", KEY_RSA_1024, "RS256", RSA, "signed by a key of 1024 bits"),
    SPOILED(WEAK_KEY, "n/1024 bits, PSS", KEY_RSA_1024, "PS256", RSA,
            "signed by a key of 1024 bits"),
    SPOILED(WEAK_KEY, "n/2047 bits", KEY_RSA, "RS256",
            "\"kty\":\"RSA\",\"n\":\"%1\",\"e\":\"AQAB\"", "one bit too few"),
    SPOILED(WEAK_KEY, "n/8193 bits", KEY_RSA, "RS256",
            "\"kty\":\"RSA\",\"n\":\"%9\",\"e\":\"AQAB\"",
            "one bit too many: who checks it stands still"),
    SPOILED(WEAK_KEY, "n/even", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%v\",\"e\":\"AQAB\"",
            "no product of two odd primes"),
    SPOILED(WEAK_KEY, "n/zero", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"",
            "zero"),
    SPOILED(WEAK_KEY, "n/missing", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"e\":\"AQAB\"", "no n"),
    SPOILED(WEAK_KEY, "n/padding", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%n==\",\"e\":\"%e\"",
            "`==` behind it"),
    SPOILED(WEAK_KEY, "n/number", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":65537,\"e\":\"%e\"",
            "a number of JSON"),
    FORGED("e/1", by_exponent_one, KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%n\",\"e\":\"AQ\"",
           "the padded digest is its own signature"),
    SPOILED(WEAK_KEY, "e/0", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%n\",\"e\":\"AA\"", "zero"),
    SPOILED(WEAK_KEY, "e/2", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%n\",\"e\":\"Ag\"", "even"),
    SPOILED(WEAK_KEY, "e/65 bits", KEY_RSA, "RS256",
            "\"kty\":\"RSA\",\"n\":\"%n\",\"e\":\"AQAAAAAAAAAB\"", "2^64 + 1"),
    SPOILED(WEAK_KEY, "e/missing", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%n\"", "no e"),
    SPOILED(WEAK_KEY, "e/number", KEY_RSA, "RS256", "\"kty\":\"RSA\",\"n\":\"%n\",\"e\":65537",
            "a number of JSON"),
    RSA_SPOILED(WEAK_KEY, "d/RSA", "\"d\":\"AQAB\"", "a private exponent: anybody may sign"),
    RSA_SPOILED(WEAK_KEY, "p", "\"p\":\"AQAB\"", "a prime of the modulus"),
    RSA_SPOILED(WEAK_KEY, "q", "\"q\":\"AQAB\"", "a prime of the modulus"),
    RSA_SPOILED(WEAK_KEY, "dp", "\"dp\":\"AQAB\"", "a private member"),
    RSA_SPOILED(WEAK_KEY, "dq", "\"dq\":\"AQAB\"", "a private member"),
    RSA_SPOILED(WEAK_KEY, "qi", "\"qi\":\"AQAB\"", "a private member"),
    RSA_SPOILED(WEAK_KEY, "oth", "\"oth\":[]", "a private member"),
    EC_SPOILED(WEAK_KEY, "d/EC", "\"d\":\"AQAB\"", "a private number: anybody may sign"),
    EC_SPOILED(WEAK_KEY, "k", "\"k\":\"c2VjcmV0\"", "a shared secret beside the point"),
    SPOILED(WEAK_KEY, "d/Ed25519", KEY_ED, "EdDSA", ED ",\"d\":null",
            "a private member, though null"),
    SPOILED(WEAK_KEY, "x/off the curve", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%x\",\"y\":\"%x\"", "a point of no curve"),
    SPOILED(WEAK_KEY, "x/zero", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS_40 "AAA\",\"y\":\"" ZEROS_40 "AAA\"",
            "0, 0"),
    SPOILED(WEAK_KEY, "x/beyond the field", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ONES_40 "__8\",\"y\":\"%y\"", "2^256 - 1"),
    SPOILED(WEAK_KEY, "x/short", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS_40 "AA\",\"y\":\"%y\"", "31 octets"),
    SPOILED(WEAK_KEY, "x/long", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS_40 "AAAA\",\"y\":\"%y\"",
            "33 octets"),
    SPOILED(WEAK_KEY, "x/padding", KEY_EC, "ES256",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%x=\",\"y\":\"%y\"", "`=` behind it"),
    SPOILED(WEAK_KEY, "y/missing", KEY_EC, "ES256", "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%x\"",
            "a compressed point"),
    SPOILED(WEAK_KEY, "crv/P-384 with octets of P-256", KEY_P384, "ES384",
            "\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" ZEROS_40 "AAA\",\"y\":\"" ZEROS_40 "AAA\"",
            "32 octets of 48"),
    FORGED("x/order 1", by_neutral_element, KEY_ED, "EdDSA", POINT("AQ" ZEROS_40 "A"),
           "one signature is true for every message"),
    FORGED("x/order 2", by_neutral_element, KEY_ED, "EdDSA", POINT("7P" ONES_39 "38"),
           "likewise for every other message"),
    FORGED("x/order 4", by_neutral_element, KEY_ED, "EdDSA", POINT(ZEROS_40 "AAA"),
           "likewise for every fourth message"),
    FORGED("x/order 8", by_neutral_element, KEY_ED, "EdDSA",
           POINT("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"),
           "likewise for every eighth message"),
    FORGED("x/order 8, the other", by_neutral_element, KEY_ED, "EdDSA",
           POINT("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"),
           "likewise for every eighth message"),
    SPOILED(WEAK_KEY, "x/Ed25519, not canonical", KEY_ED, "EdDSA", POINT("7v" ONES_39 "38"),
            "1 written as p + 1"),
    SPOILED(WEAK_KEY, "x/Ed25519, short", KEY_ED, "EdDSA", POINT(ZEROS_40 "AA"), "31 octets"),
    SPOILED(WEAK_KEY, "x/Ed25519, long", KEY_ED, "EdDSA", POINT(ZEROS_40 "AAAA"), "33 octets"),
    SPOILED(WEAK_KEY, "x/Ed25519, missing", KEY_ED, "EdDSA", "\"kty\":\"OKP\",\"crv\":\"Ed25519\"",
            "no x"),
};

const struct attack_group attacks_on_keys = ATTACK_GROUP(rows);

/* ---- what is published ---- */

static void add(char **list, char *take_jwk)
{
    char *longer = test_printf("%s%s%s", *list, (*list)[0] == '\0' ? "" : ",", take_jwk);

    free(*list);
    free(take_jwk);
    *list = longer;
}

static void add_named(const struct attack_world *w, char **list, enum attack_key key,
                      const char *kid)
{
    char *more = test_printf("\"use\":\"sig\",\"kid\":\"%s\"", kid);

    add(list, test_key_jwk(w->keys[key], more));
    free(more);
}

static void add_spoiled(const struct attack_world *w, char **list, const struct attack *a)
{
    char *members = fill_jwk(w, a->key, a->b);

    add(list, test_printf("{\"kid\":\"%s\",%s}", a->field, members));
    free(members);
}

/* Five that fit and have no kid; the fifth is one too many to be tried. */
static void add_few(const struct attack_world *w, char **list)
{
    add(list, test_key_jwk(w->keys[KEY_EC], NULL));
    for (int i = 0; i < 3; i++) {
        test_key *k = test_key_new("P-256");

        add(list, test_key_jwk(k, NULL));
        test_key_free(k);
    }
    add(list, test_key_jwk(w->keys[KEY_STRANGER], NULL));
}

char *attack_key_set(const struct attack_world *w, enum attack_site site)
{
    char *list = test_printf("%s", ""), *set;

    if (site == SITE_FEW_KEYS) {
        add_few(w, &list);
    } else {
        add_named(w, &list, KEY_EC, "a");
        add_named(w, &list, KEY_P384, "p384");
        add_named(w, &list, KEY_P521, "p521");
        add_named(w, &list, KEY_ED, "ed");
        add_named(w, &list, KEY_RSA, "rsa");
        add_named(w, &list, KEY_P384, "twin");
        add_named(w, &list, KEY_EC, "twin");
    }
    for (size_t i = 0; site == SITE_PLAIN && i < attacks_on_keys.count; i++)
        if (attacks_on_keys.rows[i].b != NULL)
            add_spoiled(w, &list, &attacks_on_keys.rows[i]);
    set = test_printf("{\"keys\":[%s]}", list);
    free(list);
    return set;
}
