/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/listen.c, sidecar/options.c: which addresses issuer and doors may listen on, and the command line. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "listen.h"
#include "options.h"

static void addresses_of_loopback_are_taken(void **state)
{
    static const struct { const char *text; int family; unsigned port; } cases[] = {
        { "127.0.0.1:8414", AF_INET, 8414 }, { "127.255.255.254:1", AF_INET, 1 },
        { "[::1]:65535", AF_INET6, 65535 },  { "127.0.0.1:443", AF_INET, 443 },
    };
    struct sockaddr_storage a;
    socklen_t len;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(listen_parse_loopback(cases[i].text, &a, &len, NULL), POSTERN_OK);
        assert_int_equal(a.ss_family, cases[i].family);
        assert_int_equal(ntohs(((struct sockaddr_in *)&a)->sin_port), cases[i].port); /* same place in both */
    }
}

static void everything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "0.0.0.0:8414", "[::]:8414", "192.0.2.1:8414", "10.0.0.1:8414", "[2001:db8::1]:8414", "128.0.0.1:8414",
        "126.255.255.255:8414", "[::ffff:127.0.0.1]:8414", "[fe80::1]:8414", "169.254.1.1:8414",
        "localhost:8414", "example.org:8414", "*:8414", ":8414", "8414", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
        "127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:08414", "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:80x",
        "127.0.0.1:-1", "127.1:80", "0x7f.0.0.1:80", "2130706433:80", "::1:8414", "[127.0.0.1]:80", "[::1:80", "::1]:80",
        "unix:/run/x", "", ":", "[]:80", "[::1]", "127.0.0.1:8414 ",
        "127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1:80",
    };
    struct sockaddr_storage a;
    postern_error err;
    socklen_t len;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (listen_parse_loopback(bad[i], &a, &len, &err) == POSTERN_OK)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, POSTERN_ERR_CONFIG_VALUE);
    }
}

static void addresses_anywhere_are_taken_for_doors(void **state)
{
    static const struct { const char *text; int family; unsigned port; socklen_t len; } cases[] = {
        { "0.0.0.0:993", AF_INET, 993, sizeof(struct sockaddr_in) },
        { "[::]:6380", AF_INET6, 6380, sizeof(struct sockaddr_in6) },
        { "192.0.2.1:65535", AF_INET, 65535, sizeof(struct sockaddr_in) },
        { "[2001:db8::1]:1", AF_INET6, 1, sizeof(struct sockaddr_in6) },
        { "127.0.0.1:6380", AF_INET, 6380, sizeof(struct sockaddr_in) },
    };
    struct sockaddr_storage a;
    socklen_t len;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(listen_parse(cases[i].text, &a, &len, NULL), POSTERN_OK);
        assert_int_equal(a.ss_family, cases[i].family);
        assert_int_equal(ntohs(((struct sockaddr_in *)&a)->sin_port), cases[i].port);
        assert_int_equal(len, cases[i].len);
    }
}

static void what_is_no_literal_address_is_refused_for_doors_too(void **state)
{
    static const char *const bad[] = {
        "example.org:993", "localhost:993", "*:993", ":993", "993", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:65536",
        "::1:993", "[::]", "[::]:", "[0.0.0.0]:993", "0.0.0.0:0993", "0:993", "unix:/run/x", "", "[fe80::1%lo]:993",
    };
    struct sockaddr_storage a;
    postern_error err;
    socklen_t len;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (listen_parse(bad[i], &a, &len, &err) == POSTERN_OK)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, POSTERN_ERR_CONFIG_VALUE);
    }
}

static options_action parse(const char *const *words, size_t count, const char **ret_dir)
{
    char *argv[8];
    struct options o;

    for (size_t i = 0; i < count; i++)
        argv[i] = (char *)(uintptr_t)words[i];
    argv[count] = NULL;
    o = options_parse((int)count, argv);
    if (ret_dir != NULL)
        *ret_dir = o.config_dir;
    return o.action;
}

static void the_command_line_says_what_to_do(void **state)
{
    static const struct { const char *words[5]; size_t count; options_action want; } cases[] = {
        { { "posternd" }, 1, OPTIONS_RUN },
        { { "posternd", "-f" }, 2, OPTIONS_RUN },
        { { "posternd", "--foreground", "--config", "/x" }, 4, OPTIONS_RUN },
        { { "posternd", "-t" }, 2, OPTIONS_CHECK },
        { { "posternd", "--config", "/x", "--check" }, 4, OPTIONS_CHECK },
        { { "posternd", "-T" }, 2, OPTIONS_DUMP },
        { { "posternd", "--dump-config" }, 2, OPTIONS_DUMP },
        { { "posternd", "--version" }, 2, OPTIONS_VERSION },
        { { "posternd", "--help" }, 2, OPTIONS_HELP },
    };
    const char *dir;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(parse(cases[i].words, cases[i].count, NULL), cases[i].want);
    (void)parse(cases[2].words, cases[2].count, &dir);
    assert_string_equal(dir, "/x");
}

static void a_wrong_command_line_does_nothing(void **state)
{
    static const struct { const char *words[3]; size_t count; } cases[] = {
        { { "posternd", "--chek" }, 2 }, { { "posternd", "-x" }, 2 }, { { "posternd", "--config" }, 2 },
        { { "posternd", "stop" }, 2 },   { { "posternd", "-t", "more" }, 3 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(parse(cases[i].words, cases[i].count, NULL), OPTIONS_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_loopback_are_taken),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(addresses_anywhere_are_taken_for_doors),
        cmocka_unit_test(what_is_no_literal_address_is_refused_for_doors_too),
        cmocka_unit_test(the_command_line_says_what_to_do),
        cmocka_unit_test(a_wrong_command_line_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
