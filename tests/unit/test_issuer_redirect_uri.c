/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/redirect_uri.c: what may be registered, and what matches it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "issuer/redirect_uri.h"

static void assert_all(const char *const *uris, size_t count, bool want)
{
    for (size_t i = 0; i < count; i++)
        if (redirect_uri_is_good(postern_bytes_str(uris[i])) != want)
            fail_msg("%s: %s", want ? "refused" : "accepted", uris[i]);
}
#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static void https_addresses_are_good(void **state)
{
    static const char *const good[] = {
        "https://app.example.org/cb", "https://app.example.org", "https://a", "https://A.example.org/cb",
        "https://app.example.org:8443/cb?tenant=a%20b", "https://app.example.org?x=1",
        "https://192.0.2.1/cb", "https://app.example.org/@alice",
    };
    static const char *const bad[] = {
        "", "https:", "https://", "https:///cb", "https:/app.example.org/cb", "HTTPS://app.example.org/cb",
        "https://app.example.org/cb#top", "https://app.example.org/cb#", "https://*.example.org/cb",
        "https://app.example.org/*", "https://user@app.example.org/cb", "https://user:pw@app.example.org/cb",
        "https://app.example.org:0/cb", "https://app.example.org:/cb", "https://app.example.org:65536/cb",
        "https://app.example.org:08443/cb", "https://app.example.org:99999999999999999999/cb",
        "https://app.example.org\\@evil.example/cb", "https://app..example.org/cb", "https://.example.org/cb",
        "https://app.example.org./cb", "https://[::1]/cb", "https://app.example.org/a b",
        "https://app.example.org/\xc3\xa9", "https://\xc3\xa9.example.org/", "https://app.example.org/%",
        "https://app.example.org/%4", "https://app.example.org/%zz", "https://app.example.org/\t",
        "https://app.example.org/\r\nLocation:%20x", "https://app.example.org/\"><script>",
        "https://app_1.example.org/cb",
    };

    (void)state;
    assert_all(good, COUNT_OF(good), true);
    assert_all(bad, COUNT_OF(bad), false);
}

static void http_is_for_loopback_literals_alone(void **state)
{
    static const char *const good[] = { "http://127.0.0.1", "http://127.0.0.1:8080/cb", "http://[::1]/cb",
                                        "http://[::1]:1/cb?x=y" };
    static const char *const bad[] = {
        "http://localhost/cb", "http://app.example.org/cb", "http://127.0.0.2/cb", "http://127.0.0.1.example.org/cb",
        "http://127.0.0.1@evil.example/cb", "http://127.0.0.1:80@evil.example/", "http://127.1/cb",
        "http://0x7f.0.0.1/cb", "http://[::1].evil.example/cb", "http://[0:0::1]/cb", "http://[::1%25lo]/cb",
        "http://127.0.0.1:/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1/cb#x", "http:127.0.0.1/cb",
    };

    (void)state;
    assert_all(good, COUNT_OF(good), true);
    assert_all(bad, COUNT_OF(bad), false);
}

static void private_schemes_have_a_dot(void **state)
{
    static const char *const good[] = { "com.example.app:/cb", "org.example.agent-7:cb", "com.example.app://cb" };
    static const char *const bad[] = {
        "myapp:/cb", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd",
        "vbscript:x", "about:blank", "blob:https://a/b", "com.example.app:", ".example:/cb", "com.:/cb",
        "com..example:/cb", "Com.example.app:/cb", "1.com:/cb", "com.example.app:/cb#x",
        "com.example.app://user@host/cb", "java.script", "com.ex_ample:/cb", "java%73cript.a:/x",
    };

    (void)state;
    assert_all(good, COUNT_OF(good), true);
    assert_all(bad, COUNT_OF(bad), false);
}

static void a_longer_address_than_browsers_carry_is_refused(void **state)
{
    char uri[REDIRECT_URI_MAX + 1];

    (void)state;
    memset(uri, 'a', sizeof uri);
    memcpy(uri, "https://a/", 10);
    assert_true(redirect_uri_is_good((postern_bytes){ (uint8_t *)uri, REDIRECT_URI_MAX }));
    assert_false(redirect_uri_is_good((postern_bytes){ (uint8_t *)uri, REDIRECT_URI_MAX + 1 }));
    uri[20] = '\0';
    assert_false(redirect_uri_is_good((postern_bytes){ (uint8_t *)uri, REDIRECT_URI_MAX }));
}

static void a_match_is_exact_but_for_the_port_on_loopback(void **state)
{
    static const struct {
        const char *registered, *presented;
        bool want;
    } cases[] = {
        { "https://app.example.org/cb", "https://app.example.org/cb", true },
        { "https://app.example.org/cb", "https://app.example.org/cb/", false },
        { "https://app.example.org/cb", "https://app.example.org/cb?x=1", false },
        { "https://app.example.org/cb", "https://app.example.org/CB", false },
        { "https://app.example.org/cb", "https://APP.example.org/cb", false },
        { "https://app.example.org/cb", "https://app.example.org:443/cb", false },
        { "https://app.example.org/cb", "https://app.example.org:8443/cb", false },
        { "https://app.example.org/cb", "https://app.example.org.evil.example/cb", false },
        { "https://app.example.org/cb", "https://app.example.org/cb/../evil", false },
        { "https://app.example.org/cb", "https://app.example.org/%63b", false },
        { "https://app.example.org/cb", "http://app.example.org/cb", false },
        { "https://app.example.org/cb", "", false },
        { "http://127.0.0.1/cb", "http://127.0.0.1:51234/cb", true },
        { "http://127.0.0.1:1234/cb", "http://127.0.0.1:51234/cb", true },
        { "http://127.0.0.1:1234/cb", "http://127.0.0.1/cb", true },
        { "http://[::1]/cb", "http://[::1]:51234/cb", true },
        { "http://127.0.0.1/cb", "http://[::1]:51234/cb", false },
        { "http://127.0.0.1/cb", "http://localhost:51234/cb", false },
        { "http://127.0.0.1/cb", "http://127.0.0.1:51234/other", false },
        { "http://127.0.0.1/cb", "http://127.0.0.1:51234/cb?x", false },
        { "http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false },
        { "http://127.0.0.1/cb", "http://127.0.0.1:51234@evil.example/cb", false },
        { "http://127.0.0.1/cb", "https://127.0.0.1:51234/cb", false },
        { "http://localhost/cb", "http://localhost/cb", false }, /* was never good */
        { "com.example.app:/cb", "com.example.app:/cb", true },
        { "com.example.app:/cb", "com.example.app:/cb2", false },
        { "com.example.app://127.0.0.1:1/cb", "com.example.app://127.0.0.1:2/cb", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (redirect_uri_matches(postern_bytes_str(cases[i].registered), postern_bytes_str(cases[i].presented)) !=
            cases[i].want)
            fail_msg("%s and %s", cases[i].registered, cases[i].presented);
}

static void any_of_a_clients_addresses_matches_and_no_other(void **state)
{
    const char *list = "https://app.example.org/cb http://127.0.0.1/cb";

    (void)state;
    assert_true(redirect_uri_is_registered(list, POSTERN_BYTES_LIT("https://app.example.org/cb")));
    assert_true(redirect_uri_is_registered(list, POSTERN_BYTES_LIT("http://127.0.0.1:9/cb")));
    assert_false(redirect_uri_is_registered(list, POSTERN_BYTES_LIT("https://app.example.org/")));
    assert_false(redirect_uri_is_registered(list, POSTERN_BYTES_LIT("https://app.example.org/cb http://127.0.0.1/cb")));
    assert_false(redirect_uri_is_registered(list, POSTERN_BYTES_NONE));
    assert_false(redirect_uri_is_registered("", POSTERN_BYTES_LIT("https://app.example.org/cb")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(https_addresses_are_good),
        cmocka_unit_test(http_is_for_loopback_literals_alone),
        cmocka_unit_test(private_schemes_have_a_dot),
        cmocka_unit_test(a_longer_address_than_browsers_carry_is_refused),
        cmocka_unit_test(a_match_is_exact_but_for_the_port_on_loopback),
        cmocka_unit_test(any_of_a_clients_addresses_matches_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
