/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/host_match.c: which server may have a token without asking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/host_match.h"

static void a_star_stays_within_its_label(void **state)
{
    static const struct {
        const char *pattern, *host;
        bool want;
    } cases[] = {
        { "mail.example.org", "mail.example.org", true },
        { "mail.example.org", "MAIL.Example.ORG", true },
        { "*.example.org", "mail.example.org", true },
        { "mail-*.example.org", "mail-7.example.org", true },
        { "*-*.example.org", "a-b-c.example.org", true },
        { "ma?l.example.org", "mail.example.org", true },
        { "mail.*.org", "mail.example.org", true },
        { "*", "localhost", true },
        { "*.*.org", "mail.example.org", true },
        { "m*l*.org", "mailbox.org", true },
        { "::1", "::1", true },
        { "*.example.org", "example.org", false },
        { "*.example.org", "a.b.example.org", false },
        { "*.example.org", "mail.example.org.evil", false },
        { "*.example.org", "mailxexample.org", false },
        { "*.example.org", "evil.com.example.org", false },
        { "*", "example.org", false },
        { "ma?l.example.org", "ma.l.example.org", false },
        { "mail?example.org", "mail.example.org", false },
        { "mail.example.org", "mail.example.or", false },
        { "mail.example.org", "mail.example.orgs", false },
        { "", "mail", false },
        { "**", "mail.example.org", false },
        { "[a-z]ail", "mail", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (host_matches(cases[i].pattern, cases[i].host) != cases[i].want)
            fail_msg("%s and %s", cases[i].pattern, cases[i].host);
}

static void a_pattern_of_stars_costs_no_more_than_the_product(void **state)
{
    char host[254];

    (void)state;
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    assert_false(host_matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", host));
}

static void names_are_letters_digits_and_dots_or_an_ipv6_address(void **state)
{
    static const char *const good[] = { "localhost", "mail.example.org", "a-b_c.1", "10.0.0.1",
                                        "::1",       "2001:db8::1" };
    static const char *const bad[] = { "",    ".",        "a.",  ".a",          "a..b",
                                       "a b", "a/b",      "a@b", "a:143",       "[::1]",
                                       "a\n", "\xc3\xa9", "a*",  "fe80::1%eth0" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!host_is_name(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (host_is_name(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

static void a_service_is_one_word(void **state)
{
    static const char *const bad[] = {
        "",
        "a.b",
        "a/b",
        "a b",
        "ldap:",
        "\xc3\xa9",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };

    (void)state;
    assert_true(host_is_service("imap"));
    assert_true(host_is_service("x-y_1"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (host_is_service(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_stays_within_its_label),
        cmocka_unit_test(a_pattern_of_stars_costs_no_more_than_the_product),
        cmocka_unit_test(names_are_letters_digits_and_dots_or_an_ipv6_address),
        cmocka_unit_test(a_service_is_one_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
