/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation in lib/jose fails once, those inside OpenSSL too: that never becomes a verdict
 * on the token. OpenSSL's allocator is replaced by one that the sweep can fail.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/crypto.h>
#include <stdlib.h>

#include "jose/jwt.h"
#include "../support/alloc_fail.h"
#include "../support/jose_judge.h"
#include "../support/test_keys.h"

static bool is_newer(void)
{
    return OpenSSL_version_num() >= 0x30400000;
}

static void *crypto_malloc(size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(len);
}

static void *crypto_realloc(void *old, size_t len, const char *file, int line)
{
    (void)file, (void)line;
    if (len == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, len);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static const struct algorithm {
    const char *alg, *kind;
    unsigned
        silent; /* failed allocations that OpenSSL reports as a bad signature and as nothing else */
} algorithms[] = {
    { "RS256", "RSA", 0 },     { "PS256", "RSA", 0 },   { "PS512", "RSA", 0 },
    { "ES256", "P-256", 0 },   { "ES384", "P-384", 0 }, { "ES512", "P-521", 0 },
    { "EdDSA", "Ed25519", 1 }, /* OpenSSL 3.0: the digest context inside */
};
/* Since 3.4 an allocation that failed is hidden behind a mere "no" in more places, of any algorithm,
 * and in other ones with each release. */
#define SILENT_NEWER 64
#define ALGORITHMS (sizeof algorithms / sizeof *algorithms)

struct job {
    char *json, *token, *bad;
    const postern_jwks *set; /* NULL: parse `json` */
    unsigned silent;
};

static struct job make_job(const struct algorithm *a)
{
    test_key *k = strcmp(a->kind, "RSA") == 0 ? NULL : test_key_new(a->kind),
             *used = k == NULL ? test_key_rsa() : k;
    char *jwk = test_key_jwk(used, "\"kid\":\"a\\/b\""),
         *header =
             test_printf("{\"alg\":\"%s\",\"typ\":\"\\u0061t+jwt\",\"kid\":\"\\u0061/b\"}", a->alg);
    struct job job = { test_jwks(jwk, NULL),
                       test_sign(used, a->alg, header, "{\"iss\":\"https:\\/\\/as.example\"}"),
                       NULL, NULL,
                       is_newer() ? SILENT_NEWER : a->silent };
    size_t len = strlen(job.token);

    job.bad = test_printf("%s", job.token);
    job.bad[len - 8] = job.bad[len - 8] == 'A' ? 'B' : 'A';
    free(jwk);
    free(header);
    test_key_free(k);
    return job;
}

static void free_job(struct job *job)
{
    free(job->json);
    free(job->token);
    free(job->bad);
}

/* Parse the set (unless it is there), the token, verify. */
static postern_err judge_once(const struct job *job, const char *token, postern_error *err)
{
    POSTERN_AUTO(jwks) set = NULL;
    POSTERN_AUTO(jwt) jwt = NULL;
    const postern_json *claims;

    if (job->set == NULL)
        POSTERN_TRY(postern_jwks_parse(postern_bytes_str(job->json), &set, err));
    POSTERN_TRY(postern_jwt_new(&jwt, err));
    POSTERN_TRY(postern_jwt_parse(jwt, postern_bytes_str(token), err));
    return postern_jwt_verify(jwt, job->set == NULL ? set : job->set, &claims, err);
}

static postern_err judge_good(void *arg, postern_error *err)
{
    const struct job *job = arg;

    return judge_once(job, job->token, err);
}

static postern_err judge_bad(void *arg, postern_error *err)
{
    const struct job *job = arg;

    return judge_once(job, job->bad, err);
}

/*
 * OpenSSL lives through some failed allocations and reports others as something else, so what must
 * hold is: the right answer, or undecided.  Never another verdict on the token.
 */
static void sweep(alloc_fail_run run, struct job *job, postern_err want)
{
    unsigned nth = 0, silent = 0;

    for (bool has_fired = true; has_fired;) {
        postern_error err;
        postern_err e;

        assert_reason(run(job, NULL), want); /* the same state each time: caches of algorithms
                                                filled, a context left behind */
        alloc_fail_arm(++nth);
        e = run(job, &err);
        has_fired = alloc_fail_disarm();
        if (!has_fired)
            assert_reason(e, want);
        else if (e == POSTERN_ERR_BAD_SIGNATURE && want == POSTERN_OK && silent < job->silent)
            silent++;
        else if (e != want && postern_err_outcome(e) != POSTERN_UNDECIDED)
            fail_msg("allocation %u refused: %s (%s)", nth, postern_err_reason(e), err.detail);
    }
    assert_true(nth > 3);
}

/* Without OpenSSL in the way: every failure is told as what it is. */
static postern_err parse_only(void *arg, postern_error *err)
{
    const struct job *job = arg;
    POSTERN_AUTO(jwt) jwt = NULL;

    POSTERN_TRY(postern_jwt_new(&jwt, err));
    return postern_jwt_parse(jwt, postern_bytes_str(job->token), err);
}

static void a_failed_allocation_while_parsing_is_out_of_memory(void **state)
{
    struct job job = make_job(&algorithms[0]);

    (void)state;
    assert_int_equal(alloc_fail_sweep(parse_only, &job, POSTERN_OK),
                     3); /* the workspace, the index of the header, scratch for its strings */
    free_job(&job);
}

static void a_failed_allocation_anywhere_is_no_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct job job = make_job(&algorithms[i]);

        sweep(judge_good, &job, POSTERN_OK);
        free_job(&job);
    }
}

/* With a prepared set: what a daemon does all day. */
static void a_failed_allocation_while_verifying_is_no_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct job job = make_job(&algorithms[i]);
        postern_jwks *set = NULL;

        assert_reason(postern_jwks_parse(postern_bytes_str(job.json), &set, NULL), POSTERN_OK);
        job.set = set;
        sweep(judge_good, &job, POSTERN_OK);
        sweep(judge_bad, &job, POSTERN_ERR_BAD_SIGNATURE);
        postern_jwks_free(set);
        free_job(&job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_while_parsing_is_out_of_memory),
        cmocka_unit_test(a_failed_allocation_anywhere_is_no_verdict),
        cmocka_unit_test(a_failed_allocation_while_verifying_is_no_verdict),
    };

    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
