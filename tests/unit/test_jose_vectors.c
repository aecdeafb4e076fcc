/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The examples of the RFCs (rfc_vectors.h), each with a counter-check.  Claims of RFC 8693 and RFC
 * 9068 are in test_oauth_vectors.c.
 *
 * What is not here, and why:
 *   RFC 7517 appendix C, RFC 7518 appendix B   encryption, which no code here does
 *   RFC 7518 appendix C, RFC 8037 A.6 and A.7  key agreement; of the latter the public keys are
 * here RFC 7638 3.1, RFC 8037 A.3                 thumbprints of an RSA and an OKP key: the one
 *                                              thumbprint that is computed here is an EC key's, for
 *                                              the issuer's kids (test_sign.c); a token that is
 * bound to one (cnf.jkt) is refused RFC 7520 5 but 5.6, 6                      more encryption,
 * refused for its shape as 5.6 is
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../support/jose_judge.h"
#include "../support/test_keys.h"
#include "jose/jwks.h"
#include "rfc_vectors.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static postern_err judge(const char *jwk, const char *input, const char *sig)
{
    char *set = test_jwks(jwk, NULL), *token = test_printf("%s.%s", input, sig);
    postern_err e = judge_signature(set, postern_bytes_str(token));

    free(set);
    free(token);
    return e;
}

static void the_examples_of_the_rfcs_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_signatures); i++) {
        const struct rfc_signature *v = &rfc_signatures[i];
        postern_err e = judge(v->jwk, v->input, v->sig);

        if (e != POSTERN_OK)
            fail_msg("%s: %s", v->source, postern_err_reason(e));
    }
}

static void an_examples_signature_verifies_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_signatures); i++)
        for (size_t j = 0; j < COUNT(rfc_signatures); j++) {
            const struct rfc_signature *a = &rfc_signatures[i], *b = &rfc_signatures[j];
            postern_err e = judge(a->jwk, a->input, b->sig);

            if (i != j && e != POSTERN_ERR_BAD_SIGNATURE)
                fail_msg("%s by %s: %s", a->source, b->source, postern_err_reason(e));
        }
}

static void an_example_verifies_with_no_other_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_signatures); i++)
        for (size_t j = 0; j < COUNT(rfc_signatures); j++) {
            const struct rfc_signature *a = &rfc_signatures[i], *b = &rfc_signatures[j];
            postern_err e = judge(a->jwk, b->input, b->sig);

            if (strcmp(a->jwk, b->jwk) != 0 && postern_err_outcome(e) != POSTERN_REJECTED)
                fail_msg("%s with the key of %s: %s", b->source, a->source, postern_err_reason(e));
        }
}

/* RFC 7520 gives an RSA key and an EC key one kid. */
static void a_kid_that_two_keys_share_is_tried_with_the_one_that_fits(void **state)
{
    static const char both[] = COOKBOOK_EC "," COOKBOOK_RSA;

    (void)state;
    for (size_t i = 0; i < COUNT(rfc_signatures); i++) {
        const struct rfc_signature *v = &rfc_signatures[i];

        if (strncmp(v->source, "RFC 7520", 8) == 0)
            assert_reason(judge(both, v->input, v->sig), POSTERN_OK);
    }
}

static void what_the_rfcs_show_and_nobody_should_take_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_refused); i++) {
        const struct rfc_refused *v = &rfc_refused[i];
        char *set = test_jwks(v->jwk, NULL);
        postern_err e = judge_token(set, v->token);

        if (e != v->want)
            fail_msg("%s: wanted %s, got %s", v->source, postern_err_reason(v->want),
                     postern_err_reason(e));
        free(set);
    }
}

static void of_the_rfcs_key_sets_those_count_that_check_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_key_sets); i++) {
        const struct rfc_key_set *v = &rfc_key_sets[i];
        POSTERN_AUTO(jwks) set = NULL;
        char *text = test_jwks(v->keys, NULL);

        assert_reason(postern_jwks_parse(postern_bytes_str(text), &set, NULL), POSTERN_OK);
        if (postern_jwks_count(set) != v->usable || postern_jwks_skipped(set) != v->skipped)
            fail_msg("%s: %zu and %zu", v->source, postern_jwks_count(set),
                     postern_jwks_skipped(set));
        free(text);
    }
}

/* RFC 7518 appendix A.1: JOSE's name is taken, the others of the same algorithm are not. */
static void an_algorithm_has_the_name_that_jose_gives_it(void **state)
{
    static const char *const table[][4] = {
        { "RS256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "SHA256withRSA",
          "1.2.840.113549.1.1.11" },
        { "RS384", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", "SHA384withRSA",
          "1.2.840.113549.1.1.12" },
        { "RS512", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "SHA512withRSA",
          "1.2.840.113549.1.1.13" },
        { "ES256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "SHA256withECDSA",
          "1.2.840.10045.4.3.2" },
        { "ES384", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "SHA384withECDSA",
          "1.2.840.10045.4.3.3" },
        { "ES512", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", "SHA512withECDSA",
          "1.2.840.10045.4.3.4" },
        { "PS256", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "SHA256withRSAandMGF1",
          "1.2.840.113549.1.1.10" },
        { "PS384", "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", "SHA384withRSAandMGF1",
          "1.2.840.113549.1.1.10" },
        { "PS512", "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", "SHA512withRSAandMGF1",
          "1.2.840.113549.1.1.10" },
    };
    static const char *const not_taken[] = { "HS256", "HS384", "HS512", "none" };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        postern_alg alg = postern_alg_from_name(postern_bytes_str(table[i][0]));

        assert_int_not_equal(alg, POSTERN_ALG_NONE);
        assert_string_equal(postern_alg_name(alg), table[i][0]);
        for (size_t other = 1; other < COUNT(table[i]); other++)
            assert_int_equal(postern_alg_from_name(postern_bytes_str(table[i][other])),
                             POSTERN_ALG_NONE);
    }
    for (size_t i = 0; i < COUNT(not_taken); i++)
        assert_int_equal(postern_alg_from_name(postern_bytes_str(not_taken[i])), POSTERN_ALG_NONE);
}

/* RFC 7515 appendix C. */
static void five_octets_are_seven_characters_without_padding(void **state)
{
    static const uint8_t octets[] = { 3, 236, 255, 224, 193 };
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(64);
    uint8_t back[POSTERN_BASE64URL_DECODED_MAX(8)];
    size_t len;

    (void)state;
    postern_base64url_encode((postern_bytes){ octets, sizeof octets }, &text);
    assert_string_equal(postern_buf_cstr(&text), "A-z_4ME");
    assert_reason(postern_base64url_decode(POSTERN_BYTES_LIT("A-z_4ME"), back, &len, NULL),
                  POSTERN_OK);
    assert_int_equal(len, sizeof octets);
    assert_memory_equal(back, octets, len);
    assert_reason(postern_base64url_decode(POSTERN_BYTES_LIT("A-z_4ME="), back, &len, NULL),
                  POSTERN_ERR_MALFORMED);
    assert_reason(postern_base64url_decode(POSTERN_BYTES_LIT("A+z/4ME"), back, &len, NULL),
                  POSTERN_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfcs_verify),
        cmocka_unit_test(an_examples_signature_verifies_nothing_else),
        cmocka_unit_test(an_example_verifies_with_no_other_key),
        cmocka_unit_test(a_kid_that_two_keys_share_is_tried_with_the_one_that_fits),
        cmocka_unit_test(what_the_rfcs_show_and_nobody_should_take_is_refused),
        cmocka_unit_test(of_the_rfcs_key_sets_those_count_that_check_signatures),
        cmocka_unit_test(an_algorithm_has_the_name_that_jose_gives_it),
        cmocka_unit_test(five_octets_are_seven_characters_without_padding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
