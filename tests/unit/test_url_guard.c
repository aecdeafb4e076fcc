/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/url_guard.c and the judge that asks it: which URL goes to which address.  No socket is
 * opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "http/judge.h"
#include "http/url_guard.h"

static postern_err check(const char *text, bool is_configured, const char *ip)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct postern_url url;

    assert_int_equal(postern_url_split(postern_bytes_str(text), &url, NULL), POSTERN_OK);
    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        return postern_url_guard_check(&url, is_configured, (struct sockaddr *)&v4, sizeof v4,
                                       NULL);
    assert_int_equal(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
    return postern_url_guard_check(&url, is_configured, (struct sockaddr *)&v6, sizeof v6, NULL);
}

static void public_addresses_are_open_to_every_https_host(void **state)
{
    static const char *const ips[] = { "1.1.1.1",      "100.63.255.255", "100.128.0.0",
                                       "172.15.0.1",   "172.32.0.1",     "223.255.255.255",
                                       "2606:4700::1", "192.0.1.1",      "64:ff9b::101:101",
                                       "2001:200::1",  "3fff:ffff::1" };

    (void)state;
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        if (check("https://sso.example.org/", false, ips[i]) != POSTERN_OK)
            fail_msg("%s", ips[i]);
        assert_int_equal(check("https://sso.example.org/", true, ips[i]), POSTERN_OK);
    }
}

static void private_addresses_are_open_to_configured_hosts_only(void **state)
{
    static const char *const ips[] = { "10.0.0.1",    "172.16.0.1", "172.31.255.255", "127.0.0.1",
                                       "192.168.1.1", "100.64.0.1", "127.8.8.8",      "::1",
                                       "fc00::1",     "fdff::1" };

    (void)state;
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        assert_int_equal(check("https://sso.example.org/", true, ips[i]), POSTERN_OK);
        if (check("https://sso.example.org/", false, ips[i]) != POSTERN_ERR_ISSUER_UNTRUSTED)
            fail_msg("%s", ips[i]);
    }
}

static void link_local_metadata_multicast_and_mapped_are_open_to_nobody(void **state)
{
    static const char *const ips[] = {
        "169.254.169.254",
        "169.254.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "::",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "::ffff:1.1.1.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "fd00:ec2::254",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::1",
        "100::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "4000::1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++)
        if (check("https://sso.example.org/", true, ips[i]) != POSTERN_ERR_ISSUER_UNTRUSTED)
            fail_msg("%s", ips[i]);
}

static void http_goes_to_loopback_only(void **state)
{
    (void)state;
    assert_int_equal(check("http://localhost/", true, "127.0.0.1"), POSTERN_OK);
    assert_int_equal(check("http://localhost/", true, "::1"), POSTERN_OK);
    assert_int_equal(check("http://localhost/", true, "1.1.1.1"), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(check("http://localhost/", true, "10.0.0.1"), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(check("http://localhost/", false, "127.0.0.1"), POSTERN_ERR_ISSUER_UNTRUSTED);
}

static void a_literal_goes_to_itself_only(void **state)
{
    (void)state;
    assert_int_equal(check("https://1.1.1.1/", false, "1.1.1.1"), POSTERN_OK);
    assert_int_equal(check("https://1.1.1.1/", true, "1.1.1.2"), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(check("http://127.0.0.1/", true, "127.0.0.1"), POSTERN_OK);
    assert_int_equal(check("http://127.0.0.1/", true, "127.0.0.2"), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(check("http://127.0.0.1/", true, "::1"), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(check("https://[2606:4700::1]/", false, "2606:4700:0::1"), POSTERN_OK);
    assert_int_equal(check("https://[2606:4700::1]/", false, "2606:4700::2"),
                     POSTERN_ERR_ISSUER_UNTRUSTED);
}

static void only_whole_ip_addresses_are_judged(void **state)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01010101) };
    struct postern_url url;

    (void)state;
    assert_int_equal(postern_url_split(POSTERN_BYTES_LIT("https://h/"), &url, NULL), POSTERN_OK);
    assert_int_equal(postern_url_guard_check(&url, true, (struct sockaddr *)&un, sizeof un, NULL),
                     POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(
        postern_url_guard_check(&url, true, (struct sockaddr *)&v4, sizeof v4 - 1, NULL),
        POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(postern_url_guard_check(&url, true, (struct sockaddr *)&v4, sizeof v4, NULL),
                     POSTERN_OK);
}

static void the_judge_refuses_http_where_it_was_not_allowed(void **state)
{
    static const struct {
        const char *url;
        bool is_allowed;
        postern_err want;
    } cases[] = {
        { "https://sso.example.org/", false, POSTERN_OK },
        { "http://127.0.0.1:8414/", true, POSTERN_OK },
        { "http://localhost:8414/", true, POSTERN_OK },
        { "http://127.0.0.1:8414/", false, POSTERN_ERR_ISSUER_UNTRUSTED },
        { "http://sso.example.org/", true, POSTERN_ERR_ISSUER_UNTRUSTED },
        { "http://10.0.0.1/", true, POSTERN_ERR_ISSUER_UNTRUSTED },
        { "https://user@sso.example.org/", true, POSTERN_ERR_ISSUER_UNTRUSTED },
        { "file:///etc/passwd", true, POSTERN_ERR_ISSUER_UNTRUSTED },
        { "", true, POSTERN_ERR_ISSUER_UNTRUSTED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_http_request rq = { .url = cases[i].url,
                                           .allow_loopback_http = cases[i].is_allowed,
                                           .check_listener = true };
        struct postern_judge j;

        if (postern_judge_url(&rq, &j, NULL) != cases[i].want)
            fail_msg("%s", cases[i].url);
        if (cases[i].want == POSTERN_OK)
            assert_int_equal(j.check_listener, !j.url.is_https);
    }
}

static void the_judge_refuses_a_connection_it_never_judged(void **state)
{
    struct postern_http_request rq = { .url = "http://127.0.0.1:8414/",
                                       .allow_loopback_http = true,
                                       .check_listener = true };
    struct postern_judge j;

    (void)state;
    assert_int_equal(postern_judge_url(&rq, &j, NULL), POSTERN_OK);
    assert_int_equal(postern_judge_connected(&j, "127.0.0.1", 8414, NULL),
                     POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(postern_judge_connected(&j, "::1", 8414, NULL), POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(postern_judge_connected(&j, "", 8414, NULL), POSTERN_ERR_ISSUER_UNTRUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses_are_open_to_every_https_host),
        cmocka_unit_test(private_addresses_are_open_to_configured_hosts_only),
        cmocka_unit_test(link_local_metadata_multicast_and_mapped_are_open_to_nobody),
        cmocka_unit_test(http_goes_to_loopback_only),
        cmocka_unit_test(a_literal_goes_to_itself_only),
        cmocka_unit_test(only_whole_ip_addresses_are_judged),
        cmocka_unit_test(the_judge_refuses_http_where_it_was_not_allowed),
        cmocka_unit_test(the_judge_refuses_a_connection_it_never_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
