/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/key_set.c: only public key sets reach the root-owned file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "key_set.h"

#define EC_KEY "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"a\"}"

static postern_err check(const char *set)
{
    POSTERN_AUTO_JSON j = { .count = 0 };
    char text[16384];
    int n = snprintf(text, sizeof text, "{\"type\":\"jwks\",\"jwks\":%s}", set);

    assert_true(n > 0 && (size_t)n < sizeof text);
    if (postern_json_scan(&j, postern_bytes_str(text), NULL) != POSTERN_OK)
        fail_msg("no JSON: %s", text);
    return key_set_check(&j, postern_json_member(&j, 0, "jwks"), NULL);
}

static void public_sets_are_taken(void **state)
{
    (void)state;
    assert_int_equal(check("{\"keys\":[" EC_KEY "]}"), POSTERN_OK);
    assert_int_equal(check("{\"keys\":[" EC_KEY "," EC_KEY "],\"more\":1}"), POSTERN_OK);
    assert_int_equal(check("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"},{\"kty\":\"OKP\"}]}"), POSTERN_OK);
}

static void private_symmetric_and_broken_sets_are_refused(void **state)
{
    static const char *const bad[] = {
        "null", "[]", "\"keys\"", "{}", "{\"keys\":null}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1]}",
        "{\"keys\":[[]]}", "{\"keys\":[{}]}", "{\"keys\":[{\"kty\":1}]}", "{\"keys\":[{\"kty\":\"ec\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"oct\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"d\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"EC\",\"\\u0064\":\"AA\"}]}",
        "{\"keys\":[" EC_KEY ",{\"kty\":\"OKP\",\"d\":\"\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"p\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"q\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"dp\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"dq\":\"AA\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"qi\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"oth\":[]}]}", "{\"keys\":[{\"kty\":\"RSA\",\"k\":\"AA\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (check(bad[i]) != POSTERN_ERR_MALFORMED)
            fail_msg("taken: %s", bad[i]);
}

static void a_hundred_keys_are_the_limit(void **state)
{
    char set[8192] = "{\"keys\":[{\"kty\":\"EC\"}";
    size_t len = strlen(set);

    (void)state;
    for (int i = 1; i < KEY_SET_MAX; i++)
        len += (size_t)snprintf(set + len, sizeof set - len, ",{\"kty\":\"EC\"}");
    snprintf(set + len, sizeof set - len, "]}");
    assert_int_equal(check(set), POSTERN_OK);
    snprintf(set + len, sizeof set - len, ",{\"kty\":\"EC\"}]}");
    assert_int_equal(check(set), POSTERN_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_sets_are_taken),
        cmocka_unit_test(private_symmetric_and_broken_sets_are_refused),
        cmocka_unit_test(a_hundred_keys_are_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
