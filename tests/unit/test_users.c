/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/users.c, sidecar/child.c: names, numbers and ends of children. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "child.h"
#include "users.h"

static void a_number_without_passwd_entry_is_its_own_group(void **state)
{
    struct account a;

    (void)state;
    assert_int_equal(users_resolve("helper_user", "64801", &a, NULL), POSTERN_OK);
    assert_int_equal(a.uid, 64801);
    assert_int_equal(a.gid, 64801);
    assert_string_equal(a.name, "64801");
}

static void a_missing_user_is_an_error_that_names_key_and_fix(void **state)
{
    struct account a;
    postern_error err;

    (void)state;
    assert_int_equal(users_resolve("issuer_user", "no-such-user-here", &a, &err), POSTERN_ERR_CONFIG_VALUE);
    assert_non_null(strstr(err.detail, "issuer_user"));
    assert_non_null(strstr(err.detail, "useradd"));
}

static void root_and_what_is_no_user_are_refused(void **state)
{
    static const char *const bad[] = { "0", "root", "00", "4294967295", "99999999999999999999", "-1", "64801x", "",
        "a-name-of-far-more-than-sixty-four-bytes-that-no-passwd-file-has-ever-seen" };
    struct account a;
    postern_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(users_resolve("helper_user", bad[i], &a, &err), POSTERN_ERR_CONFIG_VALUE);
}

static void a_role_never_stays_root(void **state)
{
    const struct account root = { .uid = 0, .gid = 0, .name = "root" };
    struct account self = users_self();
    postern_error err;

    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(users_become(&root, &err), POSTERN_ERR_INTERNAL);
        return;
    }
    assert_int_equal(users_become(&root, &err), POSTERN_ERR_SYSTEM);
    assert_int_equal(users_become(&self, &err), POSTERN_OK);
}

static const struct role role = { .name = "helper" };

static void the_backoff_doubles_up_to_its_cap_and_begins_anew_after_a_steady_life(void **state)
{
    static const unsigned want[] = { 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
    struct child c = { .role = &role };

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        child_restart_later(&c, 1000);
        assert_int_equal(c.state, CHILD_WAITING);
        assert_int_equal(c.backoff_ms, want[i]);
        assert_int_equal(c.due_ms, 1000 + want[i]);
    }
    c.ready_ms = 1000;
    child_restart_later(&c, 1000 + CHILD_STEADY_MS - 1);
    assert_int_equal(c.backoff_ms, CHILD_BACKOFF_MAX_MS);
    child_restart_later(&c, 1000 + CHILD_STEADY_MS);
    assert_int_equal(c.backoff_ms, CHILD_BACKOFF_MIN_MS);
}

static void an_end_is_told_in_words(void **state)
{
    char room[80];

    (void)state;
    assert_string_equal(child_describe_end(0, room, sizeof room), "exited with status 0");
    assert_string_equal(child_describe_end(78 << 8, room, sizeof room), "exited with status 78");
    assert_string_equal(child_describe_end(SIGKILL, room, sizeof room), "died of signal 9 (Killed)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_without_passwd_entry_is_its_own_group),
        cmocka_unit_test(a_missing_user_is_an_error_that_names_key_and_fix),
        cmocka_unit_test(root_and_what_is_no_user_are_refused),
        cmocka_unit_test(a_role_never_stays_root),
        cmocka_unit_test(the_backoff_doubles_up_to_its_cap_and_begins_anew_after_a_steady_life),
        cmocka_unit_test(an_end_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
