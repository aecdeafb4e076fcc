/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of attacks (tests/support/attack_table.h), token by token through the whole of a login.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "../support/attack_table.h"

#define ROWS_MIN 300 /* as the work on validation promised */

static struct attack_world w;
static uint8_t shown_cert[32]; /* the fingerprint that SITE_CERT's tokens are bound to */

static int set_up(void **state)
{
    (void)state;
    memset(shown_cert, 7, sizeof shown_cert);
    attack_world_make(&w);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    attack_world_remove(&w);
    return 0;
}

static postern_trail_state state_at(const postern_trail *t, size_t step)
{
    postern_trail_step s;

    return postern_trail_at(t, step, &s) ? s.state : POSTERN_TRAIL_NOT_REACHED;
}

/* `a`: NULL, or whose authzid and scope are asked for. */
static postern_err judge(struct attack_text token, const struct attack *a, postern_trail *trail,
                         postern_grant **ret_grant)
{
    const char *scopes[] = { a == NULL ? NULL : a->extra_scope, NULL };
    postern_request rq = test_login_request("");

    rq.token = (postern_bytes){ (const uint8_t *)token.text, token.len };
    rq.authzid = a == NULL ? NULL : a->authzid;
    rq.extra_scopes = scopes;
    if (w.site == SITE_CERT)
        rq.client_cert_sha256 = (postern_bytes){ shown_cert, sizeof shown_cert };
    rq.trail = trail;
    return test_login_run(&w.login, &rq, ret_grant);
}

/* ---- what is accepted ---- */

/* Which checks a token that nobody changed passes at each site. */
static bool passes[ATTACK_SITES][TRAIL_STEPS];

static void a_token_that_nobody_changed_is_accepted_by_every_configuration(void **state)
{
    (void)state;
    for (int site = 0; site < ATTACK_SITES; site++) {
        POSTERN_AUTO(trail) trail = NULL;
        POSTERN_AUTO(grant) grant = NULL;
        struct attack_text token;

        attack_world_enter(&w, (enum attack_site)site);
        assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
        token.text = attack_good(&w, (enum attack_site)site);
        token.len = strlen(token.text);
        if (judge(token, NULL, trail, &grant) != POSTERN_OK)
            fail_msg("%s: %s (%s)", attack_site_name((enum attack_site)site),
                     postern_err_reason(w.login.failure.code), w.login.err.detail);
        assert_non_null(grant);
        for (size_t step = 0; step < TRAIL_STEPS; step++)
            passes[site][step] = state_at(trail, step) == POSTERN_TRAIL_PASSED;
        assert_true(passes[site][TRAIL_SIGNATURE]);
        assert_true(passes[site][TRAIL_USER]);
        free(token.text);
    }
}

static void assert_accepted(const char *what, struct attack_text token)
{
    postern_err e = judge(token, NULL, NULL, NULL);

    if (e != POSTERN_OK)
        fail_msg("%s: %s (%s)", what, postern_err_reason(e), w.login.err.detail);
    free(token.text);
}

/* The keys that attacks are made with are good for something, and what builds odd signatures builds
 * a right one when nothing odd is asked for. */
static void each_key_and_algorithm_has_tokens_that_are_accepted(void **state)
{
    static const struct {
        const char *alg, *kid;
        enum attack_key key;
    } cases[] = {
        { "RS256", "rsa", KEY_RSA },   { "RS384", "rsa", KEY_RSA },   { "RS512", "rsa", KEY_RSA },
        { "PS256", "rsa", KEY_RSA },   { "PS384", "rsa", KEY_RSA },   { "PS512", "rsa", KEY_RSA },
        { "ES256", "a", KEY_EC },      { "ES256", "twin", KEY_EC },   { "ES384", "p384", KEY_P384 },
        { "ES384", "twin", KEY_P384 }, { "ES512", "p521", KEY_P521 }, { "EdDSA", "ed", KEY_ED },
        { "Ed25519", "ed", KEY_ED },
    };

    (void)state;
    attack_world_enter(&w, SITE_PLAIN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *header = test_printf("{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"%s\"}",
                                   cases[i].alg, cases[i].kid);
        const struct attack none = { .a = header, .key = cases[i].key, .alg = cases[i].alg };

        assert_accepted(cases[i].alg, attack_by_header(&w, &none));
        free(header);
    }
    assert_accepted("a block of PKCS #1", attack_right_block(&w));
}

/* ---- what is refused ---- */

static const char *check_trail(const struct attack *a, const postern_trail *trail)
{
    for (size_t step = 0; step < (size_t)a->check; step++)
        if (passes[a->site][step] && state_at(trail, step) != POSTERN_TRAIL_PASSED)
            return "an earlier check did not pass";
    if (state_at(trail, a->check) != POSTERN_TRAIL_STOPPED)
        return "that check did not stop it";
    for (size_t step = (size_t)a->check + 1; step < TRAIL_STEPS; step++)
        if (state_at(trail, step) != POSTERN_TRAIL_NOT_REACHED)
            return "a later check was reached";
    return NULL;
}

static void print_trail(const postern_trail *trail)
{
    postern_trail_step s;

    for (size_t i = 0; postern_trail_at(trail, i, &s); i++)
        print_message("  %s %s: %s\n", s.name, postern_trail_state_name(s.state), s.facts);
}

/* NULL when it was refused as the row says. */
static const char *find_fault(const struct attack *a, struct attack_text token,
                              postern_trail *trail)
{
    POSTERN_AUTO(grant) grant = NULL;
    postern_err e = judge(token, a, trail, &grant);

    return e != a->reason ? "another reason" : grant != NULL ? "a grant" : check_trail(a, trail);
}

/* Twice: nothing of a refused token is remembered.  False when it was not refused as the row says.
 */
static bool try_row(size_t i, const struct attack *a)
{
    struct attack_text token;
    const char *fault = NULL;

    if (w.site != (int)a->site)
        attack_world_enter(&w, a->site);
    token = a->make(&w, a);
    for (int time = 0; time < 2 && fault == NULL; time++) {
        POSTERN_AUTO(trail) trail = NULL;

        assert_int_equal(postern_trail_new(&trail, NULL), POSTERN_OK);
        fault = find_fault(a, token, trail);
        if (fault != NULL)
            print_trail(trail);
    }
    free(token.text);
    if (fault != NULL)
        print_message("row %zu, %s: %s: wanted %s, got %s (%s)\n", i + 1, a->field, fault,
                      postern_err_reason(a->reason), postern_err_reason(w.login.failure.code),
                      w.login.err.detail);
    return fault == NULL;
}

static void each_is_refused_for_its_reason_by_its_check_and_passes_those_before(void **state)
{
    const struct attack *a;
    size_t failed = 0;

    (void)state;
    for (size_t i = 0; (a = attack_at(i)) != NULL; i++)
        failed += !try_row(i, a);
    assert_int_equal(failed, 0);
}

/* ---- the table ---- */

static size_t count_rows(void)
{
    size_t count = 0;

    while (attack_at(count) != NULL)
        count++;
    return count;
}

static int compare_rows(const void *x, const void *y)
{
    const struct attack *a = *(const struct attack *const *)x,
                        *b = *(const struct attack *const *)y;

    if (a->reason != b->reason)
        return a->reason < b->reason ? -1 : 1;
    if (a->check != b->check)
        return a->check < b->check ? -1 : 1;
    return strcmp(a->field, b->field);
}

static void there_are_three_hundred_and_no_two_share_reason_check_and_field(void **state)
{
    size_t count = count_rows();
    const struct attack **sorted = calloc(count, sizeof *sorted);

    (void)state;
    assert_non_null(sorted);
    assert_true(count >= ROWS_MIN);
    for (size_t i = 0; i < count; i++)
        sorted[i] = attack_at(i);
    qsort(sorted, count, sizeof *sorted, compare_rows);
    for (size_t i = 1; i < count; i++)
        if (compare_rows(&sorted[i - 1], &sorted[i]) == 0)
            fail_msg("twice: %s, %s", postern_err_reason(sorted[i]->reason), sorted[i]->field);
    free(sorted);
}

static void the_rows_stand_in_the_order_of_the_checks(void **state)
{
    (void)state;
    for (size_t i = 1; attack_at(i) != NULL; i++)
        if (attack_at(i)->check < attack_at(i - 1)->check)
            fail_msg("row %zu (%s) is out of order", i + 1, attack_at(i)->field);
}

/* One of them makes a token that another makes too: then it is one attack with two names. */
static void no_two_rows_make_the_same_token(void **state)
{
    size_t count = count_rows();
    struct attack_text *made = calloc(count, sizeof *made);

    (void)state;
    assert_non_null(made);
    for (size_t i = 0; i < count; i++) {
        const struct attack *a = attack_at(i);

        if (a->make == attack_by_nothing)
            continue; /* the request differs */
        made[i] = a->make(&w, a);
        for (size_t k = 0; k < i; k++)
            if (attack_at(k)->site == a->site && made[k].text != NULL &&
                made[k].len == made[i].len && memcmp(made[k].text, made[i].text, made[i].len) == 0)
                fail_msg("rows %zu and %zu make one token", k + 1, i + 1);
    }
    for (size_t i = 0; i < count; i++)
        free(made[i].text);
    free(made);
}

static char *read_text(const char *name)
{
    FILE *f = fopen(name, "r");
    char *text = calloc(1, 1 << 20);

    assert_non_null(text);
    if (f == NULL)
        fail_msg("%s: %m", name);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    (void)fclose(f);
    return text;
}

static void the_document_is_the_table(void **state)
{
    const char *top = getenv("top_srcdir");
    char *name = test_printf("%s/doc/design/attack-tokens.md", top == NULL ? "." : top),
         *written = read_text(name), *printed = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&printed, &len);

    (void)state;
    assert_non_null(out);
    attack_table_print(out);
    assert_int_equal(fclose(out), 0);
    if (strcmp(written, printed) != 0)
        fail_msg("%s is old: tests/support/attack_table prints it anew", name);
    free(name);
    free(written);
    free(printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_nobody_changed_is_accepted_by_every_configuration),
        cmocka_unit_test(each_key_and_algorithm_has_tokens_that_are_accepted),
        cmocka_unit_test(each_is_refused_for_its_reason_by_its_check_and_passes_those_before),
        cmocka_unit_test(there_are_three_hundred_and_no_two_share_reason_check_and_field),
        cmocka_unit_test(the_rows_stand_in_the_order_of_the_checks),
        cmocka_unit_test(no_two_rows_make_the_same_token),
        cmocka_unit_test(the_document_is_the_table),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
