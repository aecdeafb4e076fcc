/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/connect_target.c: where a door is, and nothing that two readers could take for two doors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "connect_target.h"

static void a_door_is_a_service_a_host_and_a_port(void **state)
{
    static const struct {
        const char *url, *service, *host, *port, *path, *text;
    } cases[] = {
        { "redis://cache.example.org:6380", "redis", "cache.example.org", "6380", "",
          "redis://cache.example.org:6380" },
        { "MCP://Tools.example.org:7443", "mcp", "Tools.example.org", "7443", "",
          "mcp://Tools.example.org:7443" },
        { "ldap://10.0.0.1:1", "ldap", "10.0.0.1", "1", "", "ldap://10.0.0.1:1" },
        { "x-y_1://[2001:db8::1]:65535", "x-y_1", "2001:db8::1", "65535", "",
          "x-y_1://[2001:db8::1]:65535" },
        { "redis+unix:///run/postern/cache.sock", "redis", "localhost", "",
          "/run/postern/cache.sock", "redis+unix:///run/postern/cache.sock" },
        { "R+unix:///a:b@c%20?d#e", "r", "localhost", "", "/a:b@c%20?d#e",
          "r+unix:///a:b@c%20?d#e" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct connect_target t;
        postern_error err;

        if (connect_target_parse(cases[i].url, &t, &err) != POSTERN_OK)
            fail_msg("%s: %s", cases[i].url, err.detail);
        assert_string_equal(t.service, cases[i].service);
        assert_string_equal(t.host, cases[i].host);
        assert_string_equal(t.port, cases[i].port);
        assert_string_equal(t.path, cases[i].path);
        assert_string_equal(t.text, cases[i].text);
    }
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "redis",
        "redis:",
        "redis:/h:1",
        "redis//h:1",
        "://h:1",
        "redis://",
        "redis://h",
        "redis://h:",
        "redis://:1",
        "redis://h:0",
        "redis://h:00",
        "redis://h:01",
        "redis://h:65536",
        "redis://h:99999",
        "redis://h:100000",
        "redis://h:+1",
        "redis://h:-1",
        "redis://h: 1",
        "redis://h:1 ",
        "redis://h:1/",
        "redis://h:1/x",
        "redis://h:1?x",
        "redis://h:1#x",
        "redis://h:1:2",
        "redis://u@h:1",
        "redis://u:p@h:1",
        "redis://evil.example:1@h:1",
        "redis://h\\@evil:1",
        "redis://h%2eexample:1",
        "redis://h.:1",
        "redis://a..b:1",
        "redis://h_\xc3\xa9:1",
        "redis://[::1]",
        "redis://[::1]1",
        "redis://[::1:1",
        "redis://::1:1",
        "redis://[h]:1",
        "redis://[10.0.0.1]:1",
        "redis://[fe80::1%eth0]:1",
        "redis://[]:1",
        "re dis://h:1",
        "re.dis://h:1",
        "redis\n://h:1",
        "redis+tls://h:1",
        "+unix:///x",
        "redis+unix://",
        "redis+unix://x",
        "redis+unix://h/x",
        "redis+UNIX:///x",
        "redis+unix:///a b",
        "redis+unix:///a\nb",
        "redis+unix:///\xc3\xa9",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa://h:1",
        "redis+unix:///"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxx",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct connect_target t = { .service = "untouched" };
        postern_error err = { 0 };

        if (connect_target_parse(bad[i], &t, &err) != POSTERN_ERR_USAGE)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(t.service, "untouched");
        assert_int_equal(err.code, POSTERN_ERR_USAGE);
    }
}

static void a_name_is_no_url(void **state)
{
    (void)state;
    assert_true(connect_target_is_url("redis://h:1"));
    assert_true(connect_target_is_url("://"));
    assert_false(connect_target_is_url("cache"));
    assert_false(connect_target_is_url("redis:h"));
    assert_false(connect_target_is_url("/etc/postern/clients/cache.conf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_door_is_a_service_a_host_and_a_port),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_name_is_no_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
