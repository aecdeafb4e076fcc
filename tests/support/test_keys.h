/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and tokens for tests: generated at run time, so that no private key stands in the tree.  Uses OpenSSL and nothing of
 * ours, so that a token never comes from the code under test.  Any failure ends the program: a test without its fixture is
 * no test.  Every char * is malloc()ed, NUL-terminated and freed by the caller.
 */
#ifndef POSTERN_TESTS_TEST_KEYS_H
#define POSTERN_TESTS_TEST_KEYS_H

#include <stddef.h>

#include <openssl/evp.h>

typedef struct test_key test_key;

/* kind: "P-256" "P-384" "P-521" "secp256k1" "Ed25519" "RSA-2048" "RSA-1024" … */
test_key *test_key_new(const char *kind);
/* The RSA-2048 key of this process: made once (a tenth of a second), never freed by the caller. */
test_key *test_key_rsa(void);
void test_key_free(test_key *k);

EVP_PKEY *test_key_pkey(const test_key *k); /* borrowed */
char *test_key_private_pem(const test_key *k);
char *test_key_public_pem(const test_key *k);

/* The public JWK.  `more` is NULL or members to add, for example "\"kid\":\"a\",\"use\":\"sig\"". */
char *test_key_jwk(const test_key *k, const char *more);
/* {"keys":[…]} of the given JWKs; the list ends with NULL. */
char *test_jwks(const char *jwk, ...) __attribute__((sentinel));
/* A set of one key with that kid and alg (either may be NULL). */
char *test_key_jwks(const test_key *k, const char *kid, const char *alg);

/*
 * Compact JWS over exactly these texts.  `alg` chooses how it is signed ("RS256" … "Ed25519"; "PS256/20" = PSS with a salt of 20
 * bytes; "none" = empty signature; "HS256:KEY" = HMAC-SHA-256 with the text KEY); what `header` says may differ.
 */
char *test_sign(const test_key *k, const char *alg, const char *header, const char *payload);
/* The same over bytes, for headers and payloads with NUL or broken UTF-8. */
char *test_sign_bytes(const test_key *k, const char *alg, const void *header, size_t header_len, const void *payload, size_t payload_len);
/* test_sign() with {"typ":"at+jwt","alg":alg,"kid":kid}; kid NULL: none. */
char *test_token(const test_key *k, const char *alg, const char *kid, const char *payload);
/* RFC 9068 claims, all that are required; exp = now_s + 300, iat = now_s.  `more` as above. */
char *test_claims(const char *issuer, const char *audience, const char *subject, long long now_s, const char *more);

/* The signature alone over `input`, raw as JWS carries it (RFC 7518 §3.4: r || s).  Returns its length. */
size_t test_sign_raw(const test_key *k, const char *alg, const void *input, size_t input_len, unsigned char *sig, size_t sig_room);
/* Base64url without padding. */
char *test_base64url(const void *bytes, size_t len);
/* printf() into fresh memory. */
char *test_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
