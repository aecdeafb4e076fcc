/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/revocations.c: removed clients, revoked tokens and ended authorizations, many of them,
 * and the moment when old ones may be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oauth/revocations.h"

#define NOW_S 1800000000

static struct revocations *r;
static postern_error err;

static int set_up(void **state)
{
    (void)state;
    return postern_revocations_new(&r, &err) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    postern_revocations_free(r);
    return 0;
}

static postern_err add(const char *client, int64_t before_s, int64_t now_s)
{
    return postern_revocations_add(r, POSTERN_REVOCATION_CLIENT, postern_bytes_str(client), before_s,
                                   now_s, &err);
}

static postern_err check(const char *client, int64_t iat_s)
{
    return postern_revocations_check(r, POSTERN_REVOCATION_CLIENT, postern_bytes_str(client), iat_s,
                                     &err);
}

static void a_client_is_refused_up_to_the_second_of_its_removal(void **state)
{
    (void)state;
    assert_int_equal(check("a", 5), POSTERN_OK);
    assert_int_equal(add("a", 100, NOW_S), POSTERN_OK);
    assert_int_equal(check("a", 99), POSTERN_ERR_REVOKED);
    assert_int_equal(check("a", 100), POSTERN_ERR_REVOKED);
    assert_int_equal(check("a", 101), POSTERN_OK);
    assert_int_equal(check("A", 99), POSTERN_OK);
    assert_int_equal(check("a ", 99), POSTERN_OK);
    assert_int_equal(check("", 99), POSTERN_OK);
    assert_int_equal(check("a", -1), POSTERN_ERR_REVOKED);
}

static void the_later_of_two_removals_counts(void **state)
{
    (void)state;
    assert_int_equal(add("a", 100, NOW_S), POSTERN_OK);
    assert_int_equal(add("a", 200, NOW_S), POSTERN_OK);
    assert_int_equal(add("a", 150, NOW_S), POSTERN_OK);
    assert_int_equal(check("a", 200), POSTERN_ERR_REVOKED);
    assert_int_equal(check("a", 201), POSTERN_OK);
}

static void a_full_table_forgets_only_what_no_token_can_outlive(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < POSTERN_REVOCATIONS_MAX; i++) {
        assert_true(snprintf(name, sizeof name, "c%d", i) > 0);
        assert_int_equal(
            add(name,
                i == 7 ? NOW_S - POSTERN_REVOCATION_KEEP_S - 1 : NOW_S - POSTERN_REVOCATION_KEEP_S,
                NOW_S - 9),
            POSTERN_OK);
    }
    assert_int_equal(check("c7", 5), POSTERN_ERR_REVOKED);
    assert_int_equal(check("c65535", 5), POSTERN_ERR_REVOKED);
    assert_int_equal(add("c8", NOW_S, NOW_S), POSTERN_OK); /* known already: needs no room */
    assert_int_equal(add("one more", NOW_S, NOW_S), POSTERN_OK);
    assert_int_equal(check("c7", 5), POSTERN_OK);
    assert_int_equal(check("c6", 5), POSTERN_ERR_REVOKED);
    assert_int_equal(check("one more", 5), POSTERN_ERR_REVOKED);
    assert_int_equal(add("two more", NOW_S, NOW_S), POSTERN_ERR_BUSY);
    assert_int_equal(check("c0", 5), POSTERN_ERR_REVOKED);
    assert_int_equal(check("c65535", 5), POSTERN_ERR_REVOKED);
}

static void until_the_issuer_has_told_all_only_what_it_told_is_known(void **state)
{
    (void)state;
    postern_revocations_expect(r);
    assert_int_equal(check("a", 5), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    assert_int_equal(add("b", 100, NOW_S), POSTERN_OK);
    assert_int_equal(check("b", 5), POSTERN_ERR_REVOKED); /* whatever else comes */
    assert_int_equal(check("b", 101), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    postern_revocations_set_ready(r);
    assert_int_equal(check("a", 5), POSTERN_OK);
    assert_int_equal(check("b", 5), POSTERN_ERR_REVOKED);
}

static postern_err add_kind(postern_revocation_kind kind, const char *name)
{
    return postern_revocations_add(r, kind, postern_bytes_str(name), NOW_S, NOW_S, &err);
}

static postern_err check_kind(postern_revocation_kind kind, const char *name)
{
    return postern_revocations_check(r, kind, postern_bytes_str(name), NOW_S + 1000, &err);
}

/* A token is named once for ever: one that says it was issued later is no other. */
static void a_token_and_a_grant_are_refused_whenever_they_were_issued(void **state)
{
    (void)state;
    assert_int_equal(add_kind(POSTERN_REVOCATION_JTI, "t-1"), POSTERN_OK);
    assert_int_equal(add_kind(POSTERN_REVOCATION_GRANT, "g-1"), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, "t-1"), POSTERN_ERR_REVOKED);
    assert_non_null(strstr(err.detail, "t-1"));
    assert_int_equal(check_kind(POSTERN_REVOCATION_GRANT, "g-1"), POSTERN_ERR_REVOKED);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, "t-2"), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, "T-1"), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, ""), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_GRANT, "g-"), POSTERN_OK);
}

static void one_name_of_three_kinds_is_three_names(void **state)
{
    (void)state;
    assert_int_equal(add_kind(POSTERN_REVOCATION_JTI, "a"), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_CLIENT, "a"), POSTERN_OK);
    assert_int_equal(check("a", 5), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_GRANT, "a"), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, "a"), POSTERN_ERR_REVOKED);
}

static void many_tokens_take_no_room_from_clients(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < POSTERN_REVOCATIONS_MAX; i++) {
        assert_true(snprintf(name, sizeof name, "t%d", i) > 0);
        assert_int_equal(add_kind(POSTERN_REVOCATION_JTI, name), POSTERN_OK);
    }
    assert_int_equal(add_kind(POSTERN_REVOCATION_JTI, "one more"), POSTERN_ERR_BUSY);
    assert_non_null(strstr(err.detail, "by jti"));
    assert_int_equal(add_kind(POSTERN_REVOCATION_GRANT, "g"), POSTERN_OK);
    assert_int_equal(add("c", NOW_S, NOW_S), POSTERN_OK);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, "t0"), POSTERN_ERR_REVOKED);
    assert_int_equal(check_kind(POSTERN_REVOCATION_JTI, "t65535"), POSTERN_ERR_REVOKED);
    assert_int_equal(check_kind(POSTERN_REVOCATION_GRANT, "g"), POSTERN_ERR_REVOKED);
    assert_int_equal(check("c", NOW_S), POSTERN_ERR_REVOKED);
}

static void a_revocation_of_no_kind_is_misuse(void **state)
{
    static const postern_revocation_kind kinds[] = { POSTERN_REVOCATION_NONE,
                                                     POSTERN_REVOCATION_KINDS,
                                                     (postern_revocation_kind)99 };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_int_equal(add_kind(kinds[i], "a"), POSTERN_ERR_USAGE);
        assert_int_equal(check_kind(kinds[i], "a"), POSTERN_ERR_USAGE);
        assert_null(postern_revocation_kind_name(kinds[i]));
    }
    assert_int_equal(add_kind(POSTERN_REVOCATION_JTI, ""), POSTERN_ERR_USAGE);
    assert_string_equal(postern_revocation_kind_name(POSTERN_REVOCATION_GRANT), "grant");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_refused_up_to_the_second_of_its_removal),
        TEST(the_later_of_two_removals_counts),
        TEST(a_full_table_forgets_only_what_no_token_can_outlive),
        TEST(until_the_issuer_has_told_all_only_what_it_told_is_known),
        TEST(a_token_and_a_grant_are_refused_whenever_they_were_issued),
        TEST(one_name_of_three_kinds_is_three_names),
        TEST(many_tokens_take_no_room_from_clients),
        TEST(a_revocation_of_no_kind_is_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
