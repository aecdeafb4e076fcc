/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/identity.c and accounts.c: who a proved name is on this machine, and who it may never
 * be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_folder.h"
#include "oauth/accounts.h"
#include "oauth/claims.h"
#include "oauth/identity.h"
#include "oauth/username_map.h"

#define PASSWD                                                                                     \
    "root:x:0:0:root:/root:/bin/bash\n"                                                            \
    "daemon:x:1:1::/:/usr/sbin/nologin\n"                                                          \
    "Debian-exim:x:105:110::/:/usr/sbin/nologin\n"                                                 \
    "last:x:999:999::/:\n"                                                                         \
    "alice:x:1000:1000::/home/alice:/bin/bash\n"                                                   \
    "nobody:x:65534:65534::/:\n"                                                                   \
    "broken\n"                                                                                     \
    "nouid:x::0:::\n"                                                                              \
    "baduid:x:1x:0:::\n"                                                                           \
    "huge:x:99999999999999999999:0:::\n"                                                           \
    "end:x:7:7::/:"

static test_folder folder;
static struct accounts *accounts;
static char passwd_path[256];

static int set_up(void **state)
{
    postern_error err = { 0 };

    (void)state;
    test_folder_make(&folder);
    test_folder_put(&folder, "passwd", PASSWD);
    if (snprintf(passwd_path, sizeof passwd_path, "%s", test_folder_at(&folder, "passwd")) < 0)
        return -1;
    return postern_accounts_new(passwd_path, &accounts, &err) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    postern_accounts_free(accounts);
    test_folder_remove(&folder);
    return 0;
}

static postern_buf no_scratch = POSTERN_BUF_INIT(0);
static const char *const domains[] = { "example.org", "corp.example.org" };
static const char *const denied[] = { "root", "cyrus" };

static struct identity_rules make_rules(void)
{
    struct identity_rules rules = {
        .strip_domains = domains, .strip_count = 2, .deny_users = denied, .deny_count = 2
    };

    assert_null(postern_username_chars_parse("a-zA-Z0-9._@-", &rules.chars));
    return rules;
}

static postern_err map_name(const struct identity_rules *rules, const char *name,
                            postern_buf *scratch, postern_bytes *ret, postern_error *err)
{
    const struct identity_means by = { accounts, 0, scratch, NULL };

    return postern_identity_map(rules, &by, postern_bytes_str(name), ret, err);
}

static const struct {
    const char *name;
    postern_err want;
    const char *user;
} names[] = {
    { "alice", POSTERN_OK, "alice" },
    { "alice@example.org", POSTERN_OK, "alice" },
    { "alice@EXAMPLE.org", POSTERN_OK, "alice" },
    { "alice@corp.example.org", POSTERN_OK, "alice" },
    { "alice@other.example", POSTERN_OK, "alice@other.example" },
    { "alice@example.org.evil.example", POSTERN_OK, "alice@example.org.evil.example" },
    { "a@b@example.org", POSTERN_OK, "a@b" },
    { "alice@", POSTERN_ERR_NO_MAPPING, NULL },
    { "alice@@example.org", POSTERN_ERR_NO_MAPPING, NULL },
    { "@alice", POSTERN_ERR_NO_MAPPING, NULL },
    { "agent-7", POSTERN_OK, "agent-7" },
    { "unknown-to-this-machine", POSTERN_OK, "unknown-to-this-machine" },
    { "nobody", POSTERN_OK, "nobody" },
    { "nouid", POSTERN_OK, "nouid" },
    { "baduid", POSTERN_OK, "baduid" },
    { "huge", POSTERN_OK, "huge" },
    { "@example.org", POSTERN_ERR_NO_MAPPING, NULL },
    { "-rf", POSTERN_ERR_NO_MAPPING, NULL },
    { "..", POSTERN_ERR_NO_MAPPING, NULL },
    { ".forward", POSTERN_ERR_NO_MAPPING, NULL },
    { "../alice", POSTERN_ERR_NO_MAPPING, NULL },
    { "alice/../bob", POSTERN_ERR_NO_MAPPING, NULL },
    { "alice bob", POSTERN_ERR_NO_MAPPING, NULL },
    { "alice*", POSTERN_ERR_NO_MAPPING, NULL },
    { "a)(uid=*", POSTERN_ERR_NO_MAPPING, NULL },
    { "alice'--", POSTERN_ERR_NO_MAPPING, NULL },
    { "%s%n", POSTERN_ERR_NO_MAPPING, NULL },
    { "J\xc3\xbcrgen", POSTERN_ERR_NO_MAPPING, NULL },
    { "root", POSTERN_ERR_USER_DENIED, NULL },
    { "ROOT", POSTERN_ERR_USER_DENIED, NULL },
    { "root@example.org", POSTERN_ERR_USER_DENIED, NULL },
    { "root@other.example", POSTERN_ERR_USER_DENIED, NULL },
    { "Cyrus", POSTERN_ERR_USER_DENIED, NULL },
    { "daemon", POSTERN_ERR_USER_DENIED, NULL },
    { "Daemon", POSTERN_ERR_USER_DENIED, NULL },
    { "debian-exim", POSTERN_ERR_USER_DENIED, NULL },
    { "Debian-exim", POSTERN_ERR_USER_DENIED, NULL },
    { "last", POSTERN_ERR_USER_DENIED, NULL },
    { "end", POSTERN_ERR_USER_DENIED, NULL },
    { "daemon@example.org", POSTERN_ERR_USER_DENIED, NULL },
    { "daemon@other.example", POSTERN_ERR_USER_DENIED, NULL },
    { "Daemon@a@other.example", POSTERN_ERR_USER_DENIED, NULL },
    { "root@a@other.example", POSTERN_ERR_USER_DENIED, NULL },
};

static void a_name_maps_to_one_safe_user_or_to_none(void **state)
{
    struct identity_rules rules = make_rules();

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        postern_error err = { 0 };
        postern_bytes user = POSTERN_BYTES_NONE;
        postern_err e = map_name(&rules, names[i].name, &no_scratch, &user, &err);

        if (e != names[i].want ||
            (e == POSTERN_OK && !postern_bytes_equal_str(user, names[i].user)))
            fail_msg("%s: got %s \"%.*s\"", names[i].name, postern_err_reason(e), (int)user.len,
                     user.ptr);
    }
}

static void a_map_comes_first_and_its_users_are_judged_like_others(void **state)
{
    static const struct {
        const char *name;
        postern_err want;
        const char *user;
    } cases[] = {
        { "build-bot", POSTERN_OK, "build_bot" },
        { "alice@example.org", POSTERN_OK, "al" },
        { "bob@corp", POSTERN_OK, "bob" }, /* mapped to bob@example.org, then stripped */
        { "alice", POSTERN_ERR_NO_MAPPING, NULL },
        { "admin@example.org", POSTERN_ERR_USER_DENIED, NULL },
        { "ops", POSTERN_ERR_USER_DENIED, NULL },
        { "a/b-bot", POSTERN_ERR_NO_MAPPING, NULL },
        { "..-bot", POSTERN_ERR_NO_MAPPING, NULL },
    };
    struct identity_rules rules = make_rules();
    struct username_map *map = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_username_map_parse(
                         "m",
                         postern_bytes_str("/^(.*)-bot$ \\1_bot\nalice@example.org al\n"
                                           "/^(.*)@corp$ \\1@example.org\n"
                                           "admin@example.org ROOT\nops daemon\n"),
                         &map, &err),
                     POSTERN_OK);
    rules.map = map;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(8192);
        POSTERN_AUTO_JSON j = { 0 };
        postern_bytes user = POSTERN_BYTES_NONE;
        postern_err e;

        assert_int_equal(postern_json_scan(&j, postern_bytes_str("{}"), &err), POSTERN_OK);
        assert_int_equal(postern_claims_reserve(&j, &scratch, &err), POSTERN_OK);
        e = map_name(&rules, cases[i].name, &scratch, &user, &err);
        if (e != cases[i].want ||
            (e == POSTERN_OK && !postern_bytes_equal_str(user, cases[i].user)))
            fail_msg("%s: %s \"%.*s\"", cases[i].name, postern_err_reason(e), (int)user.len,
                     user.ptr);
    }
    postern_username_map_free(map);
}

static void system_accounts_can_be_allowed_but_denied_ones_stay_denied(void **state)
{
    struct identity_rules rules = make_rules();
    postern_error err = { 0 };
    postern_bytes user;

    (void)state;
    rules.allow_system_users = true;
    assert_int_equal(
        map_name(&rules, "daemon", &no_scratch, &user, &err),
        POSTERN_OK);
    assert_int_equal(
        map_name(&rules, "root", &no_scratch, &user, &err),
        POSTERN_ERR_USER_DENIED);
    assert_int_equal(
        map_name(&rules, "cyrus@x", &no_scratch, &user, &err),
        POSTERN_ERR_USER_DENIED);
}

static void a_new_account_is_noticed_within_a_second(void **state)
{
    postern_error err = { 0 };
    bool is_system = true;

    (void)state;
    assert_int_equal(
        postern_accounts_is_system(accounts, 5000, postern_bytes_str("postgres"), &is_system, &err),
        POSTERN_OK);
    assert_false(is_system);
    test_folder_put(&folder, "passwd", "postgres:x:110:110:::\n");
    assert_int_equal(
        postern_accounts_is_system(accounts, 5999, postern_bytes_str("postgres"), &is_system, &err),
        POSTERN_OK);
    assert_false(is_system);
    assert_int_equal(
        postern_accounts_is_system(accounts, 6000, postern_bytes_str("postgres"), &is_system, &err),
        POSTERN_OK);
    assert_true(is_system);
    assert_int_equal(
        postern_accounts_is_system(accounts, 6001, postern_bytes_str("daemon"), &is_system, &err),
        POSTERN_OK);
    assert_false(is_system);
}

static void no_file_is_no_account_but_a_bad_file_is_no_answer(void **state)
{
    postern_error err = { 0 };
    bool is_system = true;

    (void)state;
    test_folder_drop(&folder, "passwd");
    assert_int_equal(
        postern_accounts_is_system(accounts, 0, postern_bytes_str("daemon"), &is_system, &err),
        POSTERN_OK);
    assert_false(is_system);
    test_folder_put(&folder, "passwd", PASSWD);
    test_folder_mode(&folder, "passwd", 0666);
    assert_int_equal(
        postern_accounts_is_system(accounts, 1000, postern_bytes_str("alice"), &is_system, &err),
        POSTERN_ERR_SYSTEM);
    assert_int_equal(
        postern_accounts_is_system(accounts, 1001, postern_bytes_str("alice"), &is_system, &err),
        POSTERN_ERR_SYSTEM);
    test_folder_mode(&folder, "passwd", 0644);
    assert_int_equal(
        postern_accounts_is_system(accounts, 1002, postern_bytes_str("daemon"), &is_system, &err),
        POSTERN_OK);
    assert_true(is_system);
}

static void character_sets_are_ranges_and_single_characters(void **state)
{
    struct username_chars chars;

    (void)state;
    assert_null(postern_username_chars_parse("a-c", &chars));
    assert_true(chars.allowed['a'] && chars.allowed['b'] && chars.allowed['c']);
    assert_false(chars.allowed['d'] || chars.allowed['-']);
    assert_null(postern_username_chars_parse("-ac-", &chars));
    assert_true(chars.allowed['-'] && chars.allowed['a'] && chars.allowed['c']);
    assert_false(chars.allowed['b']);
    assert_null(postern_username_chars_parse("a-a", &chars));
    assert_non_null(postern_username_chars_parse("c-a", &chars));
    assert_non_null(postern_username_chars_parse("a b", &chars));
    assert_non_null(postern_username_chars_parse("a-\x7f", &chars));
    assert_non_null(postern_username_chars_parse("\xc3\xbc", &chars));
    assert_non_null(postern_username_chars_parse("a\t", &chars));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void only_users_whom_a_pattern_fits_are_allowed(void **state)
{
    static const char *const patterns[] = { "*-bot", "alice", "a?b*c", "x*y*z" };
    static const char *const in[] = { "alice", "mail-bot", "mail-bot@example.org", "a1bc", "a1b22c", "xyz", "x1y2y3z" };
    static const char *const out[] = { "bob", "alicE", "alice2", "malice", "mail-bots", "abc", "a1b", "a12bc", "xz", "xyyx",
                                       "xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaay" };
    struct identity_rules rules = make_rules();
    postern_error err;
    postern_bytes user;

    (void)state;
    rules.allow_users = patterns;
    rules.allow_count = sizeof patterns / sizeof patterns[0];
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        assert_int_equal(map_name(&rules, in[i], &no_scratch, &user, &err), POSTERN_OK);
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        assert_int_equal(map_name(&rules, out[i], &no_scratch, &user, &err), POSTERN_ERR_USER_DENIED);
    assert_non_null(strstr(err.detail, "allow_users"));
    /* a pattern that fits allows nobody whom deny_users, or the system, keeps out */
    rules.allow_users = (const char *const[]){ "*" };
    rules.allow_count = 1;
    assert_int_equal(map_name(&rules, "bob", &no_scratch, &user, &err), POSTERN_OK);
    assert_int_equal(map_name(&rules, "root", &no_scratch, &user, &err), POSTERN_ERR_USER_DENIED);
    assert_int_equal(map_name(&rules, "daemon", &no_scratch, &user, &err), POSTERN_ERR_USER_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_maps_to_one_safe_user_or_to_none),
        TEST(a_map_comes_first_and_its_users_are_judged_like_others),
        TEST(system_accounts_can_be_allowed_but_denied_ones_stay_denied),
        TEST(a_new_account_is_noticed_within_a_second),
        TEST(no_file_is_no_account_but_a_bad_file_is_no_answer),
        TEST(only_users_whom_a_pattern_fits_are_allowed),
        cmocka_unit_test(character_sets_are_ranges_and_single_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
