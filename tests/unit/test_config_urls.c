/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/url.c by itself: URLs, listeners and targets as a file may write them.  What they are
 * called in a complaint, test_config.c says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_keys.h"
#include "oauth/url.h"

#define COUNT(a)   (sizeof(a) / sizeof *(a))
#define PORT_FAULT "is not ADDRESS:PORT with a port from 1 to 65535"

static void assert_fault(const char *text, const char *got, const char *want)
{
    if ((got == NULL) != (want == NULL) || (got != NULL && strcmp(got, want) != 0))
        fail_msg("%s: wanted %s, got %s", text, want == NULL ? "none" : want,
                 got == NULL ? "none" : got);
}

static void a_url_has_448_bytes_and_whole_escapes(void **state)
{
    char *longest = test_printf("https://h/%0*d", 438, 0), *longer = test_printf("%sx", longest);

    (void)state;
    assert_fault("448", postern_url_fault(longest, URL_LOOPBACK_HTTP_REFUSED), NULL);
    assert_fault("449", postern_url_fault(longer, URL_LOOPBACK_HTTP_REFUSED),
                 "is longer than 448 bytes");
    assert_fault("%2", postern_url_fault("https://h/%2", URL_LOOPBACK_HTTP_REFUSED),
                 "holds a '%' without two hexadecimal digits");
    assert_fault("%2g", postern_url_fault("https://h/%2g", URL_LOOPBACK_HTTP_REFUSED),
                 "holds a '%' without two hexadecimal digits");
    assert_fault("%g2", postern_url_fault("https://h/%g2", URL_LOOPBACK_HTTP_REFUSED),
                 "holds a '%' without two hexadecimal digits");
    assert_fault("%2f", postern_url_fault("https://h/%2f", URL_LOOPBACK_HTTP_REFUSED), NULL);
    free(longest), free(longer);
}

static void only_http_to_this_machine_is_loopback_http(void **state)
{
    static const char *const here[] = { "http://127.0.0.1:8414", "http://[::1]/x" };
    static const char *const elsewhere[] = { "http://127.0.0.2:8414", "http://localhost:8414", "http://127.0.0.1:8414/?x" };

    (void)state;
    for (size_t i = 0; i < COUNT(here); i++) {
        assert_null(postern_url_fault(here[i], URL_LOOPBACK_HTTP_ALLOWED));
        assert_non_null(postern_url_fault(here[i], URL_LOOPBACK_HTTP_REFUSED));
    }
    for (size_t i = 0; i < COUNT(elsewhere); i++)
        assert_non_null(postern_url_fault(elsewhere[i], URL_LOOPBACK_HTTP_ALLOWED));
}

static void the_embedded_issuer_listens_on_loopback_with_a_port(void **state)
{
    (void)state;
    assert_fault("v4", postern_listen_fault("127.0.0.1:8414"), NULL);
    assert_fault("v6", postern_listen_fault("[::1]:8414"), NULL);
    assert_fault("no port", postern_listen_fault("127.0.0.1"), PORT_FAULT);
    assert_fault("port 0", postern_listen_fault("127.0.0.1:0"), PORT_FAULT);
    assert_fault("half a literal", postern_listen_fault("[::1:8414"), PORT_FAULT);
    assert_fault("behind the bracket", postern_listen_fault("[::1]8414"), PORT_FAULT);
    assert_fault("everywhere", postern_listen_fault("0.0.0.0:8414"),
                 "is not loopback: 127.0.0.1:PORT or [::1]:PORT in this version");
}

static void a_literal_address_is_one_that_the_machine_could_have(void **state)
{
    static const char fault[] = "is no literal address, such as 192.0.2.1:6380 or [::]:6380";
    static const struct {
        const char *text, *fault;
    } cases[] = {
        { "192.0.2.1:6380", NULL },
        { "[::]:6380", NULL },
        { "[2001:db8::1]:6380", NULL },
        { "192.0.2.1", PORT_FAULT },
        { "192.0.2.1:", PORT_FAULT },
        { "192.0.2.256:1", fault },
        { "h.example:1", fault },
        { "[192.0.2.1]:1", fault },
        { "[::1x:1", PORT_FAULT },
        { "[]:1", fault },
        { "[:1", PORT_FAULT },
        { ":1", fault },
        { "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1", fault }, /* longer than any */
        { "a-name-that-is-longer-than-any-address-could-be.example:1", fault },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fault(cases[i].text, postern_address_fault(cases[i].text), cases[i].fault);
}

static void two_addresses_are_one_place_however_they_are_written(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        { "[::1]:80", "[0::1]:80", true },         { "[::1]:80", "[0:0:0:0:0:0:0:1]:80", true },
        { "unix:/run/a", "unix:/run/a", true },    { "[::1]:80", "[::2]:80", false },
        { "[::1]:80", "[0::1]:81", false },        { "[::]:80", "0.0.0.0:80", false },
        { "unix:/run/a", "unix:/run/b", false },   { "h.example:80", "[::1]:80", false },
        { "h.example:80", "127.0.0.1:80", false }, { "127.0.0.1:80", "h.example:80", false },
        { "127.0.0.1:80", "127.0.0.2:80", false }, { "127.0.0.1:x", "127.0.0.1:80", false },
        { "127.0.0.1:80", "127.0.0.1:x", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (postern_address_is_same(cases[i].a, cases[i].b) != cases[i].is_same)
            fail_msg("%s, %s", cases[i].a, cases[i].b);
}

static void a_target_is_a_name_or_an_address_in_brackets(void **state)
{
    static const char port_fault[] = "is not HOST:PORT with a port from 1 to 65535";
    static const char host_fault[] = "has no valid host name";
    char *longest = test_printf("%0*d:1", 253, 0), *longer = test_printf("0%s", longest);

    (void)state;
    assert_fault("a name", postern_target_fault("db.example:5432"), NULL);
    assert_fault("v6", postern_target_fault("[2001:db8::1]:5432"), NULL);
    assert_fault("253", postern_target_fault(longest), NULL);
    assert_fault("254", postern_target_fault(longer), host_fault);
    assert_fault("no port", postern_target_fault("db.example"), port_fault);
    assert_fault("no host", postern_target_fault(":5432"), host_fault);
    assert_fault("no address", postern_target_fault("[12:34]:5432"), host_fault);
    assert_fault("a path", postern_target_fault("db/x:5432"), host_fault);
    free(longest), free(longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_448_bytes_and_whole_escapes),
        cmocka_unit_test(only_http_to_this_machine_is_loopback_http),
        cmocka_unit_test(the_embedded_issuer_listens_on_loopback_with_a_port),
        cmocka_unit_test(a_literal_address_is_one_that_the_machine_could_have),
        cmocka_unit_test(two_addresses_are_one_place_however_they_are_written),
        cmocka_unit_test(a_target_is_a_name_or_an_address_in_brackets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
