/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on the signature itself: another signer's, bits turned, parts exchanged, numbers that are
 * none (CVE-2022-21449 and its kind), lengths, encodings, paddings.  RFC 7518 §3.3 to §3.5, RFC
 * 8017 §8, RFC 8032 §5.1.7.  Keys and algorithms are right throughout.
 */
#include "config.h"

#include "attack_table.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define ATTACK_SIG_ROOM 512

static void demand(int is_ok, const char *what)
{
    if (is_ok)
        return;
    fprintf(stderr, "attack_signature: %s\n", what);
    abort();
}

/* ---- whole signatures ---- */

/* Signed by the row's key, which is not the one that its kid names. */
static struct attack_text by_stranger(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);

    return attack_draft_finish(&d);
}

/* Bit `len` from the front, or with `a` from the end, is turned. */
static struct attack_text by_bit(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    size_t bit = a->a == NULL ? a->len : d.len * 8 - 1 - a->len;

    d.sig[bit / 8] ^= (uint8_t)(0x80 >> (bit % 8));
    return attack_draft_finish(&d);
}

/* The signature of the good token in front of which something else stands: header `a` or the good
 * one, and the claims with `b` (NAME=JSON) changed. */
static struct attack_text by_exchange(const struct attack_world *w, const struct attack *a)
{
    static const char good[] = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}";
    struct attack_draft d = attack_draft_make(w, a);
    const char *equal = a->b == NULL ? NULL : strchr(a->b, '=');
    char *name = equal == NULL ? NULL : test_printf("%.*s", (int)(equal - a->b), a->b),
         *claims = attack_claims(a->site, name, equal == NULL ? NULL : equal + 1);

    free(d.input);
    d.input = attack_input(a->a == NULL ? good : a->a, claims);
    free(name);
    free(claims);
    return attack_draft_finish(&d);
}

/* Blanks that JSON does not mind, put in after signing. */
static struct attack_text by_blank_in_payload(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    char *claims = attack_claims(a->site, NULL, NULL), *longer = test_printf("%s ", claims);

    free(d.input);
    d.input = attack_input("{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}", longer);
    free(claims);
    free(longer);
    return attack_draft_finish(&d);
}

/* Byte `a[0]` alone, as many as a signature has. */
static struct attack_text by_constant(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);

    memset(d.sig, a->a[0], d.len);
    return attack_draft_finish(&d);
}

static struct attack_text by_swapped_halves(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    uint8_t half[ATTACK_SIG_ROOM];

    memcpy(half, d.sig, d.len / 2);
    memmove(d.sig, d.sig + d.len / 2, d.len / 2);
    memcpy(d.sig + d.len / 2, half, d.len / 2);
    return attack_draft_finish(&d);
}

static struct attack_text by_reversed_halves(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    struct attack_draft turned = d;

    for (size_t i = 0; i < d.len / 2; i++) {
        turned.sig[i] = d.sig[d.len / 2 - 1 - i];
        turned.sig[d.len / 2 + i] = d.sig[d.len - 1 - i];
    }
    return attack_draft_finish(&turned);
}

/* ---- ECDSA ---- */

/* "0" "1" "n" "n-1" "max", or what stands there. */
static void put_number(const EVP_PKEY *pkey, const char *what, uint8_t *at, size_t len)
{
    BIGNUM *n = NULL;

    if (strcmp(what, "max") == 0)
        memset(at, 0xff, len);
    else if (what[0] == '0' || what[0] == '1') {
        memset(at, 0, len);
        at[len - 1] = (uint8_t)(what[0] - '0');
    } else if (what[0] == 'n') {
        demand(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_ORDER, &n) == 1 &&
                   (what[1] == '\0' || BN_sub_word(n, 1) == 1) &&
                   BN_bn2binpad(n, at, (int)len) == (int)len,
               "order");
        BN_free(n);
    }
}

/* r is `a`, s is `b`. */
static struct attack_text by_numbers(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    const EVP_PKEY *pkey = test_key_pkey(w->keys[a->key]);

    put_number(pkey, a->a, d.sig, d.len / 2);
    put_number(pkey, a->b, d.sig + d.len / 2, d.len / 2);
    return attack_draft_finish(&d);
}

/* As OpenSSL writes it. */
static struct attack_text by_der(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    ECDSA_SIG *rs = ECDSA_SIG_new();
    unsigned char *at = d.sig;
    int len;

    demand(rs != NULL && ECDSA_SIG_set0(rs, BN_bin2bn(d.sig, (int)d.len / 2, NULL),
                                        BN_bin2bn(d.sig + d.len / 2, (int)d.len / 2, NULL)) == 1,
           "ECDSA_SIG");
    len = i2d_ECDSA_SIG(rs, &at);
    demand(len > 0, "DER");
    d.len = (size_t)len;
    ECDSA_SIG_free(rs);
    return attack_draft_finish(&d);
}

/* ---- Ed25519 ---- */

/* S + L: the same number to who does not look (RFC 8032 §5.1.7 wants S < L). */
static struct attack_text by_greater_s(const struct attack_world *w, const struct attack *a)
{
    static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                       0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
    struct attack_draft d = attack_draft_make(w, a);
    unsigned carry = 0;

    for (size_t i = 0; i < sizeof order; i++) {
        carry += d.sig[32 + i] + (unsigned)order[i];
        d.sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    return attack_draft_finish(&d);
}

/* R is the public key or the neutral element, S is 0. */
static struct attack_text by_known_r(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    size_t len = 32;

    memset(d.sig, 0, d.len);
    if (a->a != NULL)
        demand(EVP_PKEY_get_raw_public_key(test_key_pkey(w->keys[a->key]), d.sig, &len) == 1,
               "public key");
    else
        d.sig[0] = 1;
    return attack_draft_finish(&d);
}

/* ---- rows ---- */

#define SIG(place, recipe, of_key, of_alg, what, more, size, words)                                \
    {                                                                                              \
        .reason = POSTERN_ERR_BAD_SIGNATURE, .check = TRAIL_SIGNATURE, .field = place,             \
        .done = words, .make = recipe, .a = what, .b = more, .len = size, .key = of_key,           \
        .alg = of_alg                                                                              \
    }
#define STRANGER(alg, by_key, words)                                                               \
    SIG("signature/by a stranger, " alg, by_stranger, by_key, alg, NULL, NULL, 0, words)
#define BIT(alg, by_key, end, bit, which)                                                          \
    SIG("signature/" which " bit, " alg, by_bit, by_key, alg, end, NULL, bit, "one bit turned")
#define CHANGED(claim, json, words)                                                                \
    SIG("payload." claim "/after signing", by_exchange, KEY_EC, "ES256", NULL, claim "=" json, 0,  \
        words)
#define CHANGED_HEADER(place, by_key, alg, header, words)                                          \
    SIG("header." place "/after signing", by_exchange, by_key, alg, header, NULL, 0, words)
#define NUMBERS(alg, by_key, r, s)                                                                 \
    SIG("signature/r " r ", s " s ", " alg, by_numbers, by_key, alg, r, s, 0, "numbers alone")
#define LENGTH(alg, by_key, size, text)                                                            \
    SIG("signature/" text ", " alg, attack_by_length, by_key, alg, NULL, NULL, size,               \
        "another length")
#define OTHER(says, is, of_key, words)                                                             \
    SIG("signature/" is " as " says, attack_by_other_scheme, of_key, is, says, NULL, 0, words)

static const struct attack rows[] = {
    STRANGER("ES256", KEY_STRANGER, "another P-256 key"),
    STRANGER("ES384", KEY_STRANGER_P384, "another P-384 key"),
    STRANGER("ES512", KEY_STRANGER_P521, "another P-521 key"),
    STRANGER("EdDSA", KEY_STRANGER_ED, "another Ed25519 key"),
    STRANGER("Ed25519", KEY_STRANGER_ED, "another Ed25519 key"),
    STRANGER("RS256", KEY_RSA_1024, "a smaller RSA key"),
    STRANGER("PS256", KEY_RSA_1024, "a smaller RSA key"),
    { .reason = POSTERN_ERR_BAD_SIGNATURE,
      .check = TRAIL_SIGNATURE,
      .field = "header.kid/twin",
      .done = "a stranger's, two keys tried",
      .make = attack_by_header,
      .a = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"twin\"}",
      .key = KEY_STRANGER },
    { .reason = POSTERN_ERR_BAD_SIGNATURE,
      .check = TRAIL_SIGNATURE,
      .field = "header.kid/missing",
      .done = "a stranger's, no kid",
      .make = attack_by_header,
      .a = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}",
      .key = KEY_STRANGER },
    { .reason = POSTERN_ERR_BAD_SIGNATURE,
      .check = TRAIL_SIGNATURE,
      .field = "header.kid/missing, five keys fit",
      .done = "by the fifth: four are tried",
      .make = attack_by_header,
      .a = "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}",
      .site = SITE_FEW_KEYS,
      .key = KEY_STRANGER },

    BIT("ES256", KEY_EC, NULL, 0, "first"),
    BIT("ES256", KEY_EC, NULL, 255, "256th"),
    BIT("ES256", KEY_EC, "end", 0, "last"),
    BIT("ES384", KEY_P384, "end", 0, "last"),
    BIT("ES512", KEY_P521, "end", 0, "last"),
    BIT("EdDSA", KEY_ED, NULL, 0, "first"),
    BIT("EdDSA", KEY_ED, "end", 0, "last"),
    BIT("Ed25519", KEY_ED, NULL, 255, "256th"),
    BIT("RS256", KEY_RSA, NULL, 7, "8th"),
    BIT("RS256", KEY_RSA, "end", 0, "last"),
    BIT("RS512", KEY_RSA, "end", 0, "last"),
    BIT("PS256", KEY_RSA, NULL, 7, "8th"),
    BIT("PS256", KEY_RSA, "end", 0, "last"),
    BIT("PS384", KEY_RSA, "end", 0, "last"),

    CHANGED("sub", "\"bob@example.org\"", "another human"),
    CHANGED("exp", "1900000000", "a longer life"),
    CHANGED("nbf", "1700000000", "an earlier one"),
    CHANGED("iat", "1799999999", "issued before"),
    CHANGED("aud", "[\"" TEST_AUDIENCE "\",\"x\"]", "one audience more"),
    CHANGED("scope", "\"mail.read mail.write mail.admin\"", "one scope more"),
    CHANGED("client_id", "\"agent-8\"", "another agent"),
    CHANGED("act", "{\"sub\":\"agent-8\"}", "an actor"),
    CHANGED("jti", "\"t-2\"", "another token's name"),
    CHANGED("iss", "\"https://evil.example\"", "another issuer"),
    CHANGED("cnf", "{}", "bound after the fact"),
    SIG("payload/blank after signing", by_blank_in_payload, KEY_EC, "ES256", NULL, NULL, 0,
        "a blank that means nothing"),
    CHANGED_HEADER("typ", KEY_EC, "ES256", "{\"typ\":\"AT+JWT\",\"alg\":\"ES256\",\"kid\":\"a\"}",
                   "the same type in upper case"),
    CHANGED_HEADER("json", KEY_EC, "ES256", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"} ",
                   "a blank that means nothing"),
    CHANGED_HEADER("kid", KEY_EC, "ES256",
                   "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"twin\"}",
                   "another name of the same key"),
    CHANGED_HEADER("kid removed", KEY_EC, "ES256", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}",
                   "the name of the key left out"),
    CHANGED_HEADER("alg, RS256 to PS256", KEY_RSA, "RS256",
                   "{\"typ\":\"at+jwt\",\"alg\":\"PS256\",\"kid\":\"rsa\"}", "another padding"),
    CHANGED_HEADER("alg, RS512 to RS256", KEY_RSA, "RS512",
                   "{\"typ\":\"at+jwt\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", "a shorter digest"),
    CHANGED_HEADER("alg, EdDSA to Ed25519", KEY_ED, "EdDSA",
                   "{\"typ\":\"at+jwt\",\"alg\":\"Ed25519\",\"kid\":\"ed\"}", "the other name"),

    NUMBERS("ES256", KEY_EC, "0", "0"),
    NUMBERS("ES256", KEY_EC, "0", "as signed"),
    NUMBERS("ES256", KEY_EC, "as signed", "0"),
    NUMBERS("ES256", KEY_EC, "1", "1"),
    NUMBERS("ES256", KEY_EC, "n", "n"),
    NUMBERS("ES256", KEY_EC, "n", "as signed"),
    NUMBERS("ES256", KEY_EC, "as signed", "n"),
    NUMBERS("ES256", KEY_EC, "n-1", "n-1"),
    NUMBERS("ES256", KEY_EC, "max", "max"),
    NUMBERS("ES256", KEY_EC, "as signed", "max"),
    NUMBERS("ES384", KEY_P384, "0", "0"),
    NUMBERS("ES384", KEY_P384, "n", "as signed"),
    NUMBERS("ES384", KEY_P384, "as signed", "n"),
    NUMBERS("ES512", KEY_P521, "0", "0"),
    NUMBERS("ES512", KEY_P521, "n", "as signed"),
    NUMBERS("ES512", KEY_P521, "as signed", "max"),
    SIG("signature/DER, ES256", by_der, KEY_EC, "ES256", NULL, NULL, 0, "as OpenSSL writes it"),
    SIG("signature/DER, ES384", by_der, KEY_P384, "ES384", NULL, NULL, 0, "as OpenSSL writes it"),
    SIG("signature/DER, ES512", by_der, KEY_P521, "ES512", NULL, NULL, 0, "as OpenSSL writes it"),
    SIG("signature/s before r", by_swapped_halves, KEY_EC, "ES256", NULL, NULL, 0, "turned round"),
    SIG("signature/least octet first", by_reversed_halves, KEY_EC, "ES256", NULL, NULL, 0,
        "each number turned round"),
    LENGTH("ES256", KEY_EC, 1, "1 octet"),
    LENGTH("ES256", KEY_EC, 32, "32 octets"),
    LENGTH("ES256", KEY_EC, 63, "63 octets"),
    LENGTH("ES256", KEY_EC, 65, "65 octets"),
    LENGTH("ES256", KEY_EC, 96, "96 octets"),
    LENGTH("ES384", KEY_P384, 95, "95 octets"),
    LENGTH("ES384", KEY_P384, 97, "97 octets"),
    LENGTH("ES512", KEY_P521, 128, "128 octets"),
    LENGTH("ES512", KEY_P521, 131, "131 octets"),
    LENGTH("ES512", KEY_P521, 133, "133 octets"),
    SIG("signature/zeros in front, ES256", attack_by_length, KEY_EC, "ES256", "front", NULL, 66,
        "two octets of zero in front"),
    SIG("signature/twice, ES256", attack_by_length, KEY_EC, "ES256", NULL, "twice", 128,
        "the same once more behind it"),

    OTHER("ES256", "HS256:secret", KEY_EC, "an HMAC where ES256 is said"),
    SIG("signature/S + L, EdDSA", by_greater_s, KEY_ED, "EdDSA", NULL, NULL, 0,
        "the same number to who does not look"),
    SIG("signature/S + L, Ed25519", by_greater_s, KEY_ED, "Ed25519", NULL, NULL, 0,
        "the same number to who does not look"),
    SIG("signature/zeros, EdDSA", by_constant, KEY_ED, "EdDSA", "\0", NULL, 0, "zeros"),
    SIG("signature/ones, EdDSA", by_constant, KEY_ED, "EdDSA", "\xff", NULL, 0, "ones"),
    SIG("signature/R the key, S 0", by_known_r, KEY_ED, "EdDSA", "key", NULL, 0, "the key as R"),
    SIG("signature/R neutral, S 0", by_known_r, KEY_ED, "EdDSA", NULL, NULL, 0,
        "true under a key of order 1"),
    SIG("signature/S before R", by_swapped_halves, KEY_ED, "EdDSA", NULL, NULL, 0, "turned round"),
    LENGTH("EdDSA", KEY_ED, 32, "32 octets"),
    LENGTH("EdDSA", KEY_ED, 63, "63 octets"),
    LENGTH("EdDSA", KEY_ED, 65, "65 octets"),
    LENGTH("EdDSA", KEY_ED, 114, "114 octets"),
};

const struct attack_group attacks_on_signature = ATTACK_GROUP(rows);
