/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/url.c: what we take for a URL that can be read in one way only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/url.h"

static struct postern_url split(const char *text)
{
    struct postern_url u = { 0 };
    postern_error err = { 0 };

    if (postern_url_split(postern_bytes_str(text), &u, &err) != POSTERN_OK)
        fail_msg("%s: %s", text, err.detail);
    return u;
}

static void parts_are_found(void **state)
{
    static const struct {
        const char *text;
        bool is_https;
        postern_url_host kind;
        const char *host;
        unsigned port;
        const char *origin, *path, *query;
    } cases[] = {
        { "https://sso.example.org", true, POSTERN_URL_HOST_NAME, "sso.example.org", 443,
          "https://sso.example.org", "", NULL },
        { "https://SSO.Example.org/", true, POSTERN_URL_HOST_NAME, "sso.example.org", 443,
          "https://SSO.Example.org", "/", NULL },
        { "https://h:8443/realms/a%20b", true, POSTERN_URL_HOST_NAME, "h", 8443, "https://h:8443",
          "/realms/a%20b", NULL },
        { "http://127.0.0.1:8414/oauth?x=1&y", false, POSTERN_URL_HOST_IPV4, "127.0.0.1", 8414,
          "http://127.0.0.1:8414", "/oauth", "x=1&y" },
        { "http://[::1]:80/", false, POSTERN_URL_HOST_IPV6, "::1", 80, "http://[::1]:80", "/",
          NULL },
        { "http://localhost?", false, POSTERN_URL_HOST_NAME, "localhost", 80, "http://localhost",
          "", "" },
        { "https://a_b-c.x1/;p=1/@:!$&'()*+,=~", true, POSTERN_URL_HOST_NAME, "a_b-c.x1", 443,
          "https://a_b-c.x1", "/;p=1/@:!$&'()*+,=~", NULL },
        { "https://1.2.3.example", true, POSTERN_URL_HOST_NAME, "1.2.3.example", 443,
          "https://1.2.3.example", "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_url u = split(cases[i].text);

        assert_int_equal(u.is_https, cases[i].is_https);
        assert_int_equal(u.kind, cases[i].kind);
        assert_string_equal(u.host, cases[i].host);
        assert_int_equal(u.port, cases[i].port);
        assert_true(postern_bytes_equal_str(u.origin, cases[i].origin));
        assert_true(postern_bytes_equal_str(u.path, cases[i].path));
        assert_int_equal(u.has_query, cases[i].query != NULL);
        assert_true(postern_bytes_equal(u.query, postern_bytes_str(cases[i].query)));
    }
}

#define LIT(s) POSTERN_BYTES_LIT(s)

static void what_two_programs_could_read_differently_is_malformed(void **state)
{
    static const struct {
        const char *why;
        postern_bytes text;
    } cases[] = {
        { "empty", LIT("") },
        { "no scheme", LIT("sso.example.org") },
        { "other scheme", LIT("ftp://h/") },
        { "upper-case scheme", LIT("HTTPS://h/") },
        { "blank in front", LIT(" https://h/") },
        { "no host", LIT("https://") },
        { "no host before the path", LIT("https:///x") },
        { "no host before the port", LIT("https://:443/") },
        { "user", LIT("https://user@h/") },
        { "user and password", LIT("https://u:p@h/") },
        { "user that looks like a host", LIT("https://good.example:443@evil.example/") },
        { "backslash", LIT("https://h\\@evil/") },
        { "backslash in the path", LIT("https://h/\\evil") },
        { "fragment", LIT("https://h/#x") },
        { "fragment without path", LIT("https://h#@evil") },
        { "blank", LIT("https://h/a b") },
        { "newline", LIT("https://h/\r\nHost: x") },
        { "NUL in the path", LIT("https://h/\0x") },
        { "NUL in the host", LIT("https://h\0x/") },
        { "not ASCII in the path", LIT("https://h/\xc3\xa9") },
        { "not ASCII in the host", LIT("https://\xc3\xa9.example/") },
        { "percent in the host", LIT("https://%68/") },
        { "broken percent", LIT("https://h/%4") },
        { "percent without hex", LIT("https://h/%zz") },
        { "empty port", LIT("https://h:/") },
        { "port 0", LIT("https://h:0/") },
        { "port 65536", LIT("https://h:65536/") },
        { "port with leading zero", LIT("https://h:0443/") },
        { "port with sign", LIT("https://h:+443/") },
        { "two ports", LIT("https://h:1:2/") },
        { "trailing dot", LIT("https://h./") },
        { "leading dot", LIT("https://.h/") },
        { "two dots", LIT("https://a..b/") },
        { "short IPv4", LIT("https://127.1/") },
        { "decimal IPv4", LIT("https://2130706433/") },
        { "hex IPv4", LIT("https://0x7f000001/") },
        { "octal IPv4", LIT("https://0177.0.0.1/") },
        { "hex last label", LIT("https://127.0.0.0x1/") },
        { "IPv4 out of range", LIT("https://256.0.0.1/") },
        { "IPv6 without brackets", LIT("https://::1/") },
        { "IPv6 without end", LIT("https://[::1/") },
        { "IPv6 with zone", LIT("https://[fe80::1%25eth0]/") },
        { "IPv4 in brackets", LIT("https://[127.0.0.1]/") },
        { "text behind the bracket", LIT("https://[::1]x/") },
        { "empty brackets", LIT("https://[]/") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_url u = { .port = 7 };
        postern_error err = { 0 };

        if (postern_url_split(cases[i].text, &u, &err) != POSTERN_ERR_MALFORMED)
            fail_msg("%s was not malformed", cases[i].why);
        assert_int_equal(u.port, 7);
        assert_int_equal(err.code, POSTERN_ERR_MALFORMED);
    }
}

/* "https://" + host of `host_len` + path up to `len`. */
static postern_err split_long(size_t host_len, size_t len)
{
    uint8_t text[POSTERN_HTTP_URL_MAX + 1];
    struct postern_url u;

    memset(text, 'p', sizeof text);
    memcpy(text, "https://", 8);
    for (size_t i = 0; i < host_len; i++)
        text[8 + i] = i % 50 == 49 ? '.' : 'h';
    text[8 + host_len] = '/';
    return postern_url_split((postern_bytes){ text, len }, &u, NULL);
}

static void limits_hold_by_value(void **state)
{
    char label[80] = "https://";

    (void)state;
    assert_int_equal(split_long(20, POSTERN_HTTP_URL_MAX - 1), POSTERN_OK);
    assert_int_equal(split_long(20, POSTERN_HTTP_URL_MAX), POSTERN_ERR_LIMIT);
    assert_int_equal(split_long(POSTERN_HTTP_HOST_MAX - 1, 1000), POSTERN_OK);
    assert_int_equal(split_long(POSTERN_HTTP_HOST_MAX, 1000), POSTERN_ERR_LIMIT);
    memset(label + 8, 'l', 63);
    (void)split(label);
    label[8 + 63] = 'l';
    assert_int_equal(postern_url_split(postern_bytes_str(label), &(struct postern_url){ 0 }, NULL),
                     POSTERN_ERR_MALFORMED);
}

static void origins_are_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool want;
    } cases[] = {
        { "https://h/a", "https://h:443/b?c", true },
        { "https://H/", "https://h/", true },
        { "http://127.0.0.1:80", "http://127.0.0.1/", true },
        { "https://h/", "http://h:443/", false },
        { "https://h/", "https://h:444/", false },
        { "https://h/", "https://h.evil/", false },
        { "https://h/", "https://g/", false },
        { "http://[::1]/", "http://127.0.0.1/", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_url a = split(cases[i].a), b = split(cases[i].b);

        assert_int_equal(postern_url_is_same_origin(&a, &b), cases[i].want);
    }
}

static void loopback_is_a_literal_or_localhost(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } cases[] = {
        { "http://127.0.0.1/", true },
        { "http://127.255.255.254/", true },
        { "http://[::1]/", true },
        { "http://LOCALHOST:8414/", true },
        { "http://128.0.0.1/", false },
        { "http://[::]/", false },
        { "http://[::ffff:127.0.0.1]/", false },
        { "http://localhost.evil/", false },
        { "http://a.localhost/", false },
        { "http://0.0.0.0/", false },
        { "http://[::2]/", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_url u = split(cases[i].text);

        if (postern_url_is_loopback(&u) != cases[i].want)
            fail_msg("%s", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(what_two_programs_could_read_differently_is_malformed),
        cmocka_unit_test(limits_hold_by_value),
        cmocka_unit_test(origins_are_scheme_host_and_port),
        cmocka_unit_test(loopback_is_a_literal_or_localhost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
