/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/opaque.c: codes and refresh tokens by their hash, and the verifier of RFC 7636. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "issuer/opaque.h"

/* RFC 7636 appendix B */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static bool is_equal(const char *verifier, const char *challenge)
{
    bool is = false;

    assert_int_equal(opaque_check_verifier(verifier, challenge, &is, NULL), POSTERN_OK);
    return is;
}

static void the_verifier_of_the_rfc_belongs_to_its_challenge_and_no_other(void **state)
{
    (void)state;
    assert_true(is_equal(VERIFIER, CHALLENGE));
    assert_false(is_equal(VERIFIER "x", CHALLENGE));
    assert_false(is_equal("", CHALLENGE));
    assert_false(is_equal(CHALLENGE, CHALLENGE)); /* plain */
    assert_false(is_equal(VERIFIER, VERIFIER));   /* plain, the other way */
    assert_false(is_equal(VERIFIER, ""));         /* a code without a challenge is nobody's */
    assert_false(is_equal(VERIFIER, CHALLENGE "="));
    assert_false(is_equal(VERIFIER, "e9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
}

static void a_new_one_has_256_bits_and_is_known_by_its_hash(void **state)
{
    POSTERN_AUTO(secret) first = NULL;
    POSTERN_AUTO(secret) second = NULL;
    uint8_t hash[GRANT_HASH], other[GRANT_HASH], again[GRANT_HASH];

    (void)state;
    assert_int_equal(opaque_new(&first, hash, NULL), POSTERN_OK);
    assert_int_equal(opaque_new(&second, other, NULL), POSTERN_OK);
    assert_int_equal(postern_secret_bytes(first).len, 43);
    assert_int_equal(postern_bytes_find(postern_secret_bytes(first), '.'), 43); /* never taken for a JWT */
    assert_int_equal(opaque_hash(postern_secret_bytes(first), again, NULL), POSTERN_OK);
    assert_memory_equal(hash, again, GRANT_HASH);
    assert_memory_not_equal(hash, other, GRANT_HASH);
}

static postern_err make_one(void *arg, postern_error *err)
{
    POSTERN_AUTO(secret) s = NULL;
    uint8_t hash[GRANT_HASH];

    (void)arg;
    return opaque_new(&s, hash, err);
}

static postern_err check_one(void *arg, postern_error *err)
{
    return opaque_check_verifier(VERIFIER, CHALLENGE, arg, err);
}

static void out_of_memory_is_neither_equal_nor_different(void **state)
{
    bool is = false;

    (void)state;
    assert_true(alloc_fail_sweep(make_one, NULL, POSTERN_OK) >= 2);
    assert_true(alloc_fail_sweep(check_one, &is, POSTERN_OK) >= 1);
    assert_true(is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_verifier_of_the_rfc_belongs_to_its_challenge_and_no_other),
        cmocka_unit_test(a_new_one_has_256_bits_and_is_known_by_its_hash),
        cmocka_unit_test(out_of_memory_is_neither_equal_nor_different),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
