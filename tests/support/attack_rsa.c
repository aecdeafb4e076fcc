/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on signatures by RSA: numbers that are none, lengths, blocks of PKCS #1 v1.5 that are
 * built another way and run through the private key, salts and masks of PSS.  RFC 8017 §8, RFC 7518
 * §3.3 and §3.5.
 */
#include "config.h"

#include "attack_table.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static void demand(int is_ok, const char *what)
{
    if (is_ok)
        return;
    fprintf(stderr, "attack_rsa: %s\n", what);
    abort();
}

/* ---- RSA ---- */

#define RSA_OCTETS 256
static const uint8_t info_sha256[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
static const uint8_t info_sha512[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x20 };
static const uint8_t info_without_null[] = { 0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                             0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20 };
static const uint8_t info_long_length[] = { 0x30, 0x81, 0x31, 0x30, 0x0d, 0x06, 0x09,
                                            0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                                            0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };

/* How a block that the private key is used on differs from the one of RFC 8017 §9.2. */
struct block {
    const char *name;
    const uint8_t *info;
    size_t info_len;
    size_t garbage; /* octets behind the digest */
    uint8_t type;   /* second octet */
    uint8_t filler;
    bool is_other_digest, has_no_digest;
};

static const struct block blocks[] = {
    { "right", info_sha256, sizeof info_sha256, 0, 1, 0xff, false, false },
    { "no info", NULL, 0, 0, 1, 0xff, false, false },
    { "other info", info_sha512, sizeof info_sha512, 0, 1, 0xff, false, false },
    { "no NULL", info_without_null, sizeof info_without_null, 0, 1, 0xff, false, false },
    { "long length", info_long_length, sizeof info_long_length, 0, 1, 0xff, false, false },
    { "garbage", info_sha256, sizeof info_sha256, 100, 1, 0xff, false, false },
    { "type 2", info_sha256, sizeof info_sha256, 0, 2, 0xff, false, false },
    { "filler", info_sha256, sizeof info_sha256, 0, 1, 0x01, false, false },
    { "another digest", info_sha256, sizeof info_sha256, 0, 1, 0xff, true, false },
    { "no digest", info_sha256, sizeof info_sha256, 0, 1, 0xff, false, true },
};

static void build_block(const struct block *b, const char *input, uint8_t out[RSA_OCTETS])
{
    uint8_t digest[32], *at;

    demand(EVP_Digest(input, strlen(input) - b->is_other_digest, digest, NULL, EVP_sha256(),
                      NULL) == 1,
           "digest");
    memset(out, b->filler, RSA_OCTETS);
    out[0] = 0;
    out[1] = b->type;
    at = out + RSA_OCTETS - b->garbage - (b->has_no_digest ? 0 : sizeof digest) - b->info_len;
    at[-1] = 0;
    if (b->info_len != 0)
        memcpy(at, b->info, b->info_len);
    if (!b->has_no_digest)
        memcpy(at + b->info_len, digest, sizeof digest);
}

static void use_private_key(EVP_PKEY *pkey, const uint8_t block[RSA_OCTETS],
                            uint8_t out[RSA_OCTETS])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    size_t len = RSA_OCTETS;

    demand(ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
               EVP_PKEY_sign(ctx, out, &len, block, RSA_OCTETS) == 1 && len == RSA_OCTETS,
           "private key");
    EVP_PKEY_CTX_free(ctx);
}

/* PKCS #1 v1.5 over block `a`. */
static struct attack_text by_block(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    uint8_t block[RSA_OCTETS];
    size_t i = 0;

    while (strcmp(blocks[i].name, a->a) != 0)
        i++;
    build_block(&blocks[i], d.input, block);
    use_private_key(test_key_pkey(w->keys[KEY_RSA]), block, d.sig);
    return attack_draft_finish(&d);
}

struct attack_text attack_right_block(const struct attack_world *w)
{
    static const struct attack right = { .a = "right", .key = KEY_RSA, .alg = "RS256" };

    return by_block(w, &right);
}

/* The signature is number `a`: "0" "1" "n" "n-1" "n+1" "max". */
static struct attack_text by_rsa_number(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    BIGNUM *n = NULL;

    memset(d.sig, strcmp(a->a, "max") == 0 ? 0xff : 0, d.len);
    d.sig[d.len - 1] = a->a[0] == '1' ? 1 : d.sig[d.len - 1];
    if (a->a[0] == 'n') {
        demand(EVP_PKEY_get_bn_param(test_key_pkey(w->keys[a->key]), OSSL_PKEY_PARAM_RSA_N, &n) ==
                       1 &&
                   (a->a[1] != '-' || BN_sub_word(n, 1) == 1) &&
                   (a->a[1] != '+' || BN_add_word(n, 1) == 1) &&
                   BN_bn2binpad(n, d.sig, (int)d.len) == (int)d.len,
               "modulus");
        BN_free(n);
    }
    return attack_draft_finish(&d);
}

/* PSS with a mask of SHA-1, or with `b` all of SHA-1. */
static struct attack_text by_mask(const struct attack_world *w, const struct attack *a)
{
    struct attack_draft d = attack_draft_make(w, a);
    const EVP_MD *digest = a->b == NULL ? EVP_sha256() : EVP_sha1();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;

    d.len = sizeof d.sig;
    demand(ctx != NULL &&
               EVP_DigestSignInit(ctx, &pctx, digest, NULL, test_key_pkey(w->keys[KEY_RSA])) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha1()) == 1 &&
               EVP_DigestSign(ctx, d.sig, &d.len, (const unsigned char *)d.input,
                              strlen(d.input)) == 1,
           "PSS");
    EVP_MD_CTX_free(ctx);
    return attack_draft_finish(&d);
}

/* ---- rows ---- */

#define SIG(place, recipe, of_key, of_alg, what, more, size, words)                                \
    {                                                                                              \
        .reason = POSTERN_ERR_BAD_SIGNATURE, .check = TRAIL_SIGNATURE, .field = place,             \
        .done = words, .make = recipe, .a = what, .b = more, .len = size, .key = of_key,           \
        .alg = of_alg                                                                              \
    }
#define LENGTH(alg, by_key, size, text)                                                            \
    SIG("signature/" text ", " alg, attack_by_length, by_key, alg, NULL, NULL, size,               \
        "another length")
#define BLOCK(name, words)                                                                         \
    SIG("signature.block/" name, by_block, KEY_RSA, "RS256", name, NULL, 0, words)
#define OTHER(says, is, of_key, words)                                                             \
    SIG("signature/" is " as " says, attack_by_other_scheme, of_key, is, says, NULL, 0, words)

static const struct attack rows[] = {
    LENGTH("RS256", KEY_RSA, 255, "255 octets"),
    LENGTH("RS256", KEY_RSA, 257, "257 octets"),
    SIG("signature/zero in front, RS256", attack_by_length, KEY_RSA, "RS256", "front", NULL, 257,
        "an octet of zero in front"),
    SIG("signature/zero in front, PS256", attack_by_length, KEY_RSA, "PS256", "front", NULL, 257,
        "an octet of zero in front"),
    SIG("signature/0, RS256", by_rsa_number, KEY_RSA, "RS256", "0", NULL, 0, "zero"),
    SIG("signature/1, RS256", by_rsa_number, KEY_RSA, "RS256", "1", NULL, 0, "one"),
    SIG("signature/n, RS256", by_rsa_number, KEY_RSA, "RS256", "n", NULL, 0, "the modulus"),
    SIG("signature/n-1, RS256", by_rsa_number, KEY_RSA, "RS256", "n-1", NULL, 0, "one below it"),
    SIG("signature/n+1, RS256", by_rsa_number, KEY_RSA, "RS256", "n+1", NULL, 0, "one above it"),
    SIG("signature/max, RS256", by_rsa_number, KEY_RSA, "RS256", "max", NULL, 0, "all ones"),
    SIG("signature/0, PS256", by_rsa_number, KEY_RSA, "PS256", "0", NULL, 0, "zero"),
    SIG("signature/n, PS256", by_rsa_number, KEY_RSA, "PS256", "n", NULL, 0, "the modulus"),
    SIG("signature/max, PS256", by_rsa_number, KEY_RSA, "PS256", "max", NULL, 0, "all ones"),
    BLOCK("no info", "the bare digest, padded"),
    BLOCK("other info", "the digest said to be of SHA-512"),
    BLOCK("no NULL", "the algorithm without its NULL"),
    BLOCK("long length", "a length of BER that DER has not"),
    BLOCK("garbage", "a hundred octets behind the digest"),
    BLOCK("type 2", "the padding of encryption"),
    BLOCK("filler", "ones that are not all ones"),
    BLOCK("another digest", "of a text one letter shorter"),
    BLOCK("no digest", "the algorithm and nothing behind it"),
    OTHER("RS256", "PS256", KEY_RSA, "PSS where PKCS #1 v1.5 is said"),
    OTHER("PS256", "RS256", KEY_RSA, "PKCS #1 v1.5 where PSS is said"),
    OTHER("RS256", "RS512", KEY_RSA, "a longer digest than is said"),
    OTHER("RS512", "RS256", KEY_RSA, "a shorter digest than is said"),
    OTHER("PS384", "PS256", KEY_RSA, "a shorter digest than is said"),
    OTHER("PS256", "PS256/0", KEY_RSA, "no salt"),
    OTHER("PS256", "PS256/20", KEY_RSA, "the salt of SHA-1"),
    OTHER("PS256", "PS256/31", KEY_RSA, "one octet of salt too few"),
    OTHER("PS256", "PS256/222", KEY_RSA, "as much salt as fits"),
    OTHER("PS384", "PS384/32", KEY_RSA, "the salt of SHA-256"),
    OTHER("PS512", "PS512/0", KEY_RSA, "no salt"),
    SIG("signature/mask of SHA-1, PS256", by_mask, KEY_RSA, "PS256", NULL, NULL, 0,
        "the mask by another digest"),
    SIG("signature/all of SHA-1, PS256", by_mask, KEY_RSA, "PS256", NULL, "all", 0,
        "digest and mask of SHA-1"),
};

const struct attack_group attacks_on_rsa = ATTACK_GROUP(rows);
