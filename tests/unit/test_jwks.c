/* SPDX-License-Identifier: BSD-2-Clause */
/* Key sets: what is taken from them, and which key is asked for which token. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "jose/jwks.h"
#include "../support/jose_judge.h"
#include "../support/test_keys.h"

#define PAYLOAD "{\"sub\":\"agent-7\"}"

static test_key *a, *b, *ed, *p384; /* two P-256 keys, one Ed25519, one P-384 */

static int make_keys(void **state)
{
    (void)state;
    a = test_key_new("P-256");
    b = test_key_new("P-256");
    ed = test_key_new("Ed25519");
    p384 = test_key_new("P-384");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    test_key_free(a);
    test_key_free(b);
    test_key_free(ed);
    test_key_free(p384);
    return 0;
}

/* A set of up to four (key, more) pairs; ends with a NULL key. */
static char *make_set(const test_key *k, const char *more, ...)
{
    char *list = NULL, *jwk, *joined;
    va_list ap;

    va_start(ap, more);
    while (k != NULL) {
        jwk = test_key_jwk(k, more);
        joined = list == NULL ? test_printf("%s", jwk) : test_printf("%s,%s", list, jwk);
        free(list);
        free(jwk);
        list = joined;
        if ((k = va_arg(ap, const test_key *)) != NULL)
            more = va_arg(ap, const char *);
    }
    va_end(ap);
    joined = test_printf("{\"keys\":[%s]}", list);
    free(list);
    return joined;
}

/* A token by `signer` against `take_set`. */
static postern_err judge(char *take_set, const test_key *signer, const char *alg, const char *kid)
{
    char *token = test_token(signer, alg, kid, PAYLOAD);
    postern_err e = judge_token(take_set, token);

    free(token);
    free(take_set);
    return e;
}

static postern_err parse(const char *json, size_t *ret_count, size_t *ret_skipped)
{
    POSTERN_AUTO(jwks) set = NULL;
    postern_err e = postern_jwks_parse(postern_bytes_str(json), &set, NULL);

    if (e != POSTERN_OK) {
        assert_null(set);
        return e;
    }
    *ret_count = postern_jwks_count(set);
    *ret_skipped = postern_jwks_skipped(set);
    return e;
}

/* ---- the document ---- */

static void usable_and_skipped_members_are_counted(void **state)
{
    char *set = make_set(a, "\"kid\":\"a\"", b, "\"use\":\"enc\"", test_key_rsa(), "\"d\":\"AA\"",
                         ed, NULL, NULL);
    size_t count = 9, skipped = 9;

    (void)state;
    assert_reason(parse(set, &count, &skipped), POSTERN_OK);
    assert_int_equal(count, 2);
    assert_int_equal(skipped, 2);
    assert_reason(parse("{\"keys\":[]}", &count, &skipped), POSTERN_OK);
    assert_int_equal(count + skipped, 0);
    assert_reason(parse("{\"x\":{},\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", &count, &skipped),
                  POSTERN_OK);
    assert_int_equal(count, 0);
    assert_int_equal(skipped, 1);
    free(set);
}

static void what_is_no_key_set_is_malformed(void **state)
{
    static const char *const documents[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"keys\":null}",
        "{\"keys\":{}}",
        "{\"Keys\":[]}",
        "{\"keys\":[]",
        "{\"keys\":[]}x",
        "{\"keys\":[null]}",
        "{\"keys\":[[]]}",
        "{\"keys\":[\"a\"]}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[],\"k\\u0065ys\":[]}",
        "{\"keys\":[{\"kty\":\"EC\",\"kty\":\"RSA\"}]}",
        "{'keys':[]}",
        "{\"keys\":[],}",
        "\xef\xbb\xbf{\"keys\":[]}",
        "<html><body>404</body></html>",
        "{\"keys\":[{\"kid\":\"\xff\"}]}",
        "{\"keys\":[{\"kid\":\"a\\u0000b\"}]}",
    };
    size_t count, skipped;

    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        postern_err e = parse(documents[i], &count, &skipped);

        if (e != POSTERN_ERR_MALFORMED)
            fail_msg("%s: %s", documents[i], postern_err_reason(e));
    }
}

static char *repeat(const char *head, const char *unit, size_t times, const char *tail)
{
    size_t unit_len = strlen(unit), head_len = strlen(head);
    char *text = malloc(head_len + times * unit_len + strlen(tail) + 1);

    assert_non_null(text);
    memcpy(text, head, head_len);
    for (size_t i = 0; i < times; i++)
        memcpy(text + head_len + i * unit_len, unit, unit_len);
    memcpy(text + head_len + times * unit_len, tail, strlen(tail) + 1);
    return text;
}

static void sets_beyond_the_limits_are_refused(void **state)
{
    size_t count, skipped;
    char *hundred = repeat("{\"keys\":[{}", ",{}", 99, "]}"),
         *more = repeat("{\"keys\":[{}", ",{}", 100, "]}");
    char *three_hundred = repeat("{\"keys\":[{}", ",{}", 299, "]}"),
         *big = repeat("{\"keys\":[]}", " ", POSTERN_JWKS_MAX, "");
    char *deep = repeat("{\"keys\":[", "[", 1000, "]}"),
         *widest = repeat("{\"keys\":[]}", " ", POSTERN_JWKS_MAX - 11, "");

    (void)state;
    assert_reason(parse(hundred, &count, &skipped), POSTERN_OK);
    assert_int_equal(skipped, 100);
    assert_reason(parse(widest, &count, &skipped), POSTERN_OK);
    assert_reason(parse(more, &count, &skipped), POSTERN_ERR_LIMIT);
    assert_reason(parse(three_hundred, &count, &skipped), POSTERN_ERR_LIMIT);
    assert_reason(parse(big, &count, &skipped), POSTERN_ERR_LIMIT);
    assert_reason(parse(deep, &count, &skipped), POSTERN_ERR_LIMIT);
    free(hundred);
    free(more);
    free(three_hundred);
    free(big);
    free(deep);
    free(widest);
}

/* ---- the choice of a key ---- */

static void the_key_that_kid_names_is_asked_and_no_other(void **state)
{
    (void)state;
    assert_reason(judge(make_set(a, "\"kid\":\"a\"", b, "\"kid\":\"b\"", NULL), b, "ES256", "b"),
                  POSTERN_OK);
    assert_reason(judge(make_set(a, "\"kid\":\"a\"", b, "\"kid\":\"b\"", NULL), b, "ES256", "a"),
                  POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(make_set(a, "\"kid\":\"a\"", b, "\"kid\":\"b\"", NULL), b, "ES256", "c"),
                  POSTERN_ERR_UNKNOWN_KID);
    assert_reason(judge(make_set(a, NULL, NULL), a, "ES256", "a"), POSTERN_ERR_UNKNOWN_KID);
}

static void kids_are_compared_as_bytes(void **state)
{
    static const char *const others[] = { "",       "KEY",         "key ",  "ke",        "key1",
                                          "../key", "/etc/passwd", "%6bey", "key\\u0001" };

    (void)state;
    assert_reason(judge(make_set(a, "\"kid\":\"key\"", NULL), a, "ES256", "key"), POSTERN_OK);
    assert_reason(judge(make_set(a, "\"kid\":\"key\"", NULL), a, "ES256", "\\u006bey"), POSTERN_OK);
    assert_reason(judge(make_set(a, "\"kid\":\"\"", NULL), a, "ES256", ""), POSTERN_OK);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_reason(judge(make_set(a, "\"kid\":\"key\"", NULL), a, "ES256", others[i]),
                      POSTERN_ERR_UNKNOWN_KID);
}

static void a_token_without_kid_is_tried_with_keys_that_fit(void **state)
{
    (void)state;
    assert_reason(judge(make_set(a, "\"kid\":\"a\"", NULL), a, "ES256", NULL), POSTERN_OK);
    assert_reason(judge(make_set(ed, NULL, p384, NULL, b, NULL, a, NULL, NULL), a, "ES256", NULL),
                  POSTERN_OK);
    assert_reason(judge(make_set(b, NULL, NULL), a, "ES256", NULL), POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(make_set(ed, NULL, p384, NULL, NULL), a, "ES256", NULL),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(ed, NULL, a, "\"use\":\"enc\"", NULL), a, "ES256", NULL),
                  POSTERN_ERR_KEY_NOT_FOR_SIG);
    assert_reason(judge(test_printf("{\"keys\":[]}"), a, "ES256", NULL), POSTERN_ERR_UNKNOWN_KID);
}

static void a_token_without_kid_is_tried_with_four_keys_at_most(void **state)
{
    (void)state;
    assert_reason(judge(make_set(b, NULL, b, NULL, b, NULL, a, NULL, NULL), a, "ES256", NULL),
                  POSTERN_OK);
    assert_reason(
        judge(make_set(b, NULL, b, NULL, b, NULL, b, NULL, a, NULL, NULL), a, "ES256", NULL),
        POSTERN_ERR_BAD_SIGNATURE);
    /* keys that do not fit are no tries */
    assert_reason(
        judge(make_set(ed, NULL, ed, NULL, ed, NULL, ed, NULL, b, "\"use\":\"enc\"", a, NULL, NULL),
              a, "ES256", NULL),
        POSTERN_OK);
}

static void a_kid_of_several_keys_means_the_one_that_fits(void **state)
{
    (void)state;
    assert_reason(judge(make_set(test_key_rsa(), "\"kid\":\"k\"", ed, "\"kid\":\"k\"", a,
                                 "\"kid\":\"k\"", NULL),
                        a, "ES256", "k"),
                  POSTERN_OK);
    assert_reason(judge(make_set(test_key_rsa(), "\"kid\":\"k\"", ed, "\"kid\":\"k\"", a,
                                 "\"kid\":\"k\"", NULL),
                        test_key_rsa(), "PS256", "k"),
                  POSTERN_OK);
    assert_reason(judge(make_set(b, "\"kid\":\"k\"", a, "\"kid\":\"k\"", NULL), a, "ES256", "k"),
                  POSTERN_OK);
    assert_reason(judge(make_set(b, "\"kid\":\"k\"", p384, "\"kid\":\"k\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(
        judge(make_set(ed, "\"kid\":\"k\"", p384, "\"kid\":\"k\"", NULL), a, "ES256", "k"),
        POSTERN_ERR_ALG_KEY_MISMATCH);
}

static void a_key_of_another_kind_is_a_mismatch(void **state)
{
    (void)state;
    assert_reason(judge(make_set(a, "\"kid\":\"k\"", NULL), test_key_rsa(), "RS256", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(test_key_rsa(), "\"kid\":\"k\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(p384, "\"kid\":\"k\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(ed, "\"kid\":\"k\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
}

static void one_key_has_one_algorithm(void **state)
{
    (void)state;
    assert_reason(judge(make_set(test_key_rsa(), "\"kid\":\"k\",\"alg\":\"PS256\"", NULL),
                        test_key_rsa(), "PS256", "k"),
                  POSTERN_OK);
    assert_reason(judge(make_set(test_key_rsa(), "\"kid\":\"k\",\"alg\":\"PS256\"", NULL),
                        test_key_rsa(), "RS256", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(test_key_rsa(), "\"kid\":\"k\",\"alg\":\"RS256\"", NULL),
                        test_key_rsa(), "RS512", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(ed, "\"kid\":\"k\",\"alg\":\"EdDSA\"", NULL), ed, "Ed25519", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(ed, "\"kid\":\"k\"", NULL), ed, "Ed25519", "k"), POSTERN_OK);
    assert_reason(judge(make_set(ed, "\"kid\":\"k\"", NULL), ed, "EdDSA", "k"), POSTERN_OK);
}

static void a_kid_of_an_unusable_key_tells_why(void **state)
{
    test_key *small = test_key_new("RSA-1024");

    (void)state;
    assert_reason(judge(make_set(small, "\"kid\":\"k\"", NULL), small, "RS256", "k"),
                  POSTERN_ERR_WEAK_KEY);
    assert_reason(judge(make_set(small, "\"kid\":\"k\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge(make_set(a, "\"kid\":\"k\",\"use\":\"enc\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_KEY_NOT_FOR_SIG);
    assert_reason(
        judge(make_set(a, "\"kid\":\"k\",\"key_ops\":[\"encrypt\"]", NULL), a, "ES256", "k"),
        POSTERN_ERR_KEY_NOT_FOR_SIG);
    assert_reason(judge(make_set(a, "\"kid\":\"k\",\"d\":\"AA\"", NULL), a, "ES256", "k"),
                  POSTERN_ERR_WEAK_KEY);
    /* the usable key of that kid speaks for both */
    assert_reason(judge(make_set(small, "\"kid\":\"k\"", test_key_rsa(), "\"kid\":\"k\"", NULL),
                        small, "RS256", "k"),
                  POSTERN_ERR_BAD_SIGNATURE);
    assert_reason(judge(make_set(small, "\"kid\":\"k\"", test_key_rsa(), "\"kid\":\"k\"", NULL),
                        test_key_rsa(), "RS256", "k"),
                  POSTERN_OK);
    test_key_free(small);
}

/* A set that holds a shared secret beside public keys: the secret verifies nothing (RFC 8725 §3.1).
 */
static void an_oct_key_in_a_set_is_never_used(void **state)
{
    char *token = test_sign(a, "HS256:secret", "{\"alg\":\"HS256\",\"kid\":\"k\"}", PAYLOAD);
    char *lied = test_sign(a, "HS256:secret", "{\"alg\":\"ES256\",\"kid\":\"k\"}", PAYLOAD);
    static const char set[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"c2VjcmV0\"}]}";
    static const char set_with_alg[] =
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"c2VjcmV0\",\"alg\":\"ES256\"}]}";

    (void)state;
    assert_reason(judge_token(set, token), POSTERN_ERR_ALG_NOT_ALLOWED);
    assert_reason(judge_token(set, lied), POSTERN_ERR_ALG_KEY_MISMATCH);
    assert_reason(judge_token(set_with_alg, lied), POSTERN_ERR_ALG_KEY_MISMATCH);
    free(token);
    free(lied);
}

/* With e = 1 the padded digest is its own signature. */
static void a_key_with_exponent_one_is_not_asked(void **state)
{
    char *jwk = test_key_jwk(test_key_rsa(), NULL), *e = strstr(jwk, "\"e\":\"AQAB\"");
    char *token = test_token(test_key_rsa(), "RS256", NULL, PAYLOAD), *set;

    (void)state;
    assert_non_null(e);
    memcpy(e, "\"e\":\"AQ\"  ", 10);
    set = test_jwks(jwk, NULL);
    assert_reason(judge_token(set, token), POSTERN_ERR_WEAK_KEY);
    free(jwk);
    free(token);
    free(set);
}

static void an_error_names_algorithm_and_kid_but_no_more(void **state)
{
    POSTERN_AUTO(jwks) set = NULL;
    postern_error err;
    char *json = test_key_jwks(a, "key-1", "ES256");

    (void)state;
    assert_reason(postern_jwks_parse(postern_bytes_str(json), &set, NULL), POSTERN_OK);
    assert_reason(postern_jwks_verify(set, POSTERN_ALG_ES256, true, POSTERN_BYTES_LIT("evil\nkid"),
                                      POSTERN_BYTES_LIT("a.b"), POSTERN_BYTES_LIT("sig"), &err),
                  POSTERN_ERR_UNKNOWN_KID);
    assert_int_equal(err.code, POSTERN_ERR_UNKNOWN_KID);
    assert_non_null(strstr(err.detail, "evil"));
    assert_null(strchr(err.detail, '\n'));
    assert_null(strstr(err.detail, "sig"));
    free(json);
}

/* ---- many threads, one set ---- */

#define THREADS 4
#define ROUNDS  50

struct work {
    postern_jwks *set;
    char *good[3], *bad;
    unsigned wrong;
};

static postern_err verify_once(const postern_jwks *set, const char *token, postern_alg alg)
{
    postern_bytes whole = postern_bytes_str(token);
    const char *dot = strrchr(token, '.');
    uint8_t sig[1024];
    size_t len, input_len = (size_t)(dot - token);

    POSTERN_TRY(postern_base64url_decode(
        (postern_bytes){ whole.ptr + input_len + 1, whole.len - input_len - 1 }, sig, &len, NULL));
    return postern_jwks_verify(set, alg, false, POSTERN_BYTES_NONE,
                               (postern_bytes){ whole.ptr, input_len }, (postern_bytes){ sig, len },
                               NULL);
}

static void *verify_many(void *arg)
{
    static const postern_alg algs[] = { POSTERN_ALG_ES256, POSTERN_ALG_EDDSA, POSTERN_ALG_PS256 };
    const struct work *w = arg;
    postern_jwks *set = postern_jwks_ref(w->set);
    uintptr_t wrong = 0;

    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 3; i++)
            wrong += verify_once(set, w->good[i], algs[i]) != POSTERN_OK;
        wrong += verify_once(set, w->bad, POSTERN_ALG_ES256) != POSTERN_ERR_BAD_SIGNATURE;
    }
    postern_jwks_free(set);
    return (void *)wrong;
}

static void many_threads_verify_with_one_set(void **state)
{
    char *json = make_set(a, NULL, ed, NULL, test_key_rsa(), NULL, NULL);
    struct work w = { 0 };
    pthread_t threads[THREADS];

    (void)state;
    w.good[0] = test_token(a, "ES256", NULL, PAYLOAD);
    w.good[1] = test_token(ed, "EdDSA", NULL, PAYLOAD);
    w.good[2] = test_token(test_key_rsa(), "PS256", NULL, PAYLOAD);
    w.bad = test_token(b, "ES256", NULL, PAYLOAD);
    assert_reason(postern_jwks_parse(postern_bytes_str(json), &w.set, NULL), POSTERN_OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &w), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_int_equal((uintptr_t)wrong, 0);
    }
    postern_jwks_free(w.set);
    for (size_t i = 0; i < 3; i++)
        free(w.good[i]);
    free(w.bad);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usable_and_skipped_members_are_counted),
        cmocka_unit_test(what_is_no_key_set_is_malformed),
        cmocka_unit_test(sets_beyond_the_limits_are_refused),
        cmocka_unit_test(the_key_that_kid_names_is_asked_and_no_other),
        cmocka_unit_test(kids_are_compared_as_bytes),
        cmocka_unit_test(a_token_without_kid_is_tried_with_keys_that_fit),
        cmocka_unit_test(a_token_without_kid_is_tried_with_four_keys_at_most),
        cmocka_unit_test(a_kid_of_several_keys_means_the_one_that_fits),
        cmocka_unit_test(a_key_of_another_kind_is_a_mismatch),
        cmocka_unit_test(one_key_has_one_algorithm),
        cmocka_unit_test(a_kid_of_an_unusable_key_tells_why),
        cmocka_unit_test(an_oct_key_in_a_set_is_never_used),
        cmocka_unit_test(a_key_with_exponent_one_is_not_asked),
        cmocka_unit_test(an_error_names_algorithm_and_kid_but_no_more),
        cmocka_unit_test(many_threads_verify_with_one_set),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
