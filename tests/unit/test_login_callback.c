/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/login_callback.c: which request is the browser's answer, and what all others are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "login_callback.h"

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define AUTHORITY "127.0.0.1:4711"
#define HOST      "Host: " AUTHORITY "\r\n"
#define END       "\r\n"

static enum login_request read_text(const char *text, postern_bytes *query)
{
    return login_request_read(postern_bytes_str(text), AUTHORITY, query);
}

static void the_browsers_answer_is_found_however_it_is_dressed(void **state)
{
    static const char *const good[] = {
        "GET /callback?code=a&state=b HTTP/1.1\r\n" HOST END,
        "GET /callback?code=a&state=b HTTP/1.0\r\nhost:" AUTHORITY "\r\n" END,
        "GET /callback?code=a&state=b HTTP/1.1\r\nUser-Agent: x (y; z)\r\nHOST: \t" AUTHORITY
        "  \r\nCookie: a=b\r\nContent-Length: 0\r\n" END,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        postern_bytes query = POSTERN_BYTES_NONE;

        if (read_text(good[i], &query) != LOGIN_REQUEST_CALLBACK)
            fail_msg("%s", good[i]);
        assert_true(postern_bytes_equal_str(query, "code=a&state=b"));
    }
}

static void another_resource_or_method_is_not_the_answer(void **state)
{
    static const char *const other[] = {
        "GET / HTTP/1.1\r\n" HOST END,
        "GET /favicon.ico HTTP/1.1\r\n" HOST END,
        "GET /callback HTTP/1.1\r\n" HOST END,
        "GET /callback? HTTP/1.1\r\n" HOST END,
        "GET /callback/?code=a HTTP/1.1\r\n" HOST END,
        "GET /Callback?code=a HTTP/1.1\r\n" HOST END,
        "GET //callback?code=a HTTP/1.1\r\n" HOST END,
        "GET /callback%3Fcode=a HTTP/1.1\r\n" HOST END,
        "GET /start?a HTTP/1.1\r\n" HOST END,
        "GET /start/ HTTP/1.1\r\n" HOST END,
        "GET //start HTTP/1.1\r\n" HOST END,
        "HEAD /start HTTP/1.1\r\n" HOST END,
        "GET http://127.0.0.1:4711/start HTTP/1.1\r\n" HOST END,
        "GET http://127.0.0.1:4711/callback?code=a HTTP/1.1\r\n" HOST END,
        "GET /callback?code=a#b HTTP/1.1\r\n" HOST END,
        "GET /callback?code=\xc3\xa9 HTTP/1.1\r\n" HOST END,
        "HEAD /callback?code=a HTTP/1.1\r\n" HOST END,
        "POST /callback?code=a HTTP/1.1\r\n" HOST END,
        "get /callback?code=a HTTP/1.1\r\n" HOST END,
    };
    postern_bytes query;

    (void)state;
    for (size_t i = 0; i < COUNT(other); i++)
        if (read_text(other[i], &query) != LOGIN_REQUEST_OTHER)
            fail_msg("%s", other[i]);
}

static void whoever_asks_where_the_login_page_is_is_told_apart(void **state)
{
    postern_bytes query;

    (void)state;
    assert_int_equal(read_text("GET /start HTTP/1.1\r\n" HOST END, &query), LOGIN_REQUEST_START);
    assert_int_equal(read_text("GET /start HTTP/1.1\r\nHost: evil.example\r\n" END, &query),
                     LOGIN_REQUEST_BAD);
    assert_int_equal(read_text("GET /start HTTP/1.1\r\n" END, &query), LOGIN_REQUEST_BAD);
}

static void what_is_not_strict_http_for_this_host_is_refused(void **state)
{
    static const char *const bad[] = {
        "\r\n\r\n",
        "GET /callback?a=b\r\n" HOST END,
        "GET /callback?a=b HTTP/2.0\r\n" HOST END,
        "GET /callback?a=b HTTP/1.1 \r\n" HOST END,
        "GET  /callback?a=b HTTP/1.1\r\n" HOST END,
        " GET /callback?a=b HTTP/1.1\r\n" HOST END,
        "GET /callback?a=b HTTP/1.1\n" HOST END,
        "GET /callback?a=b HTTP/1.1\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\n" HOST HOST END,
        "GET /callback?a=b HTTP/1.1\r\nHost: evil.example\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\nHost: localhost:4711\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\nHost : " AUTHORITY "\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\nX: a\r\n folded\r\n" HOST END,
        "GET /callback?a=b HTTP/1.1\r\n: x\r\n" HOST END,
        "GET /callback?a=b HTTP/1.1\r\nno colon\r\n" HOST END,
        "GET /callback?a=b HTTP/1.1\r\nX: \x01\r\n" HOST END,
        "GET /callback?a=b HTTP/1.1\r\n" HOST "Content-Length: 1\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\n" HOST "Content-Length: 00\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n" END,
        "GET /callback?a=b HTTP/1.1\r\n" HOST END "GET / HTTP/1.1\r\n",
    };
    postern_bytes query;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (read_text(bad[i], &query) != LOGIN_REQUEST_BAD)
            fail_msg("%zu: %s", i, bad[i]);
}

static void a_nul_byte_is_refused(void **state)
{
    static const char text[] = "GET /callback?a=b HTTP/1.1\r\n" HOST "X: a\0b\r\n" END;
    postern_bytes query;

    (void)state;
    assert_int_equal(login_request_read((postern_bytes){ (const uint8_t *)text, sizeof text - 1 },
                                        AUTHORITY, &query),
                     LOGIN_REQUEST_BAD);
}

static void every_beginning_of_the_answer_waits_for_more(void **state)
{
    static const char text[] = "GET /callback?code=a&state=b HTTP/1.1\r\n" HOST END;
    postern_bytes query;

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++)
        assert_int_equal(login_request_read((postern_bytes){ (const uint8_t *)text, len },
                                            AUTHORITY, &query),
                         LOGIN_REQUEST_MORE);
}

static void a_request_of_16_kib_is_the_longest(void **state)
{
    static const char head[] = "GET /callback?a=b HTTP/1.1\r\n" HOST "X: ";
    char *text = malloc(LOGIN_REQUEST_MAX + 2);
    postern_bytes query;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', LOGIN_REQUEST_MAX + 2);
    assert_int_equal(login_request_read((postern_bytes){ (uint8_t *)text, LOGIN_REQUEST_MAX - 1 },
                                        AUTHORITY, &query),
                     LOGIN_REQUEST_MORE);
    assert_int_equal(login_request_read((postern_bytes){ (uint8_t *)text, LOGIN_REQUEST_MAX },
                                        AUTHORITY, &query),
                     LOGIN_REQUEST_BAD);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + LOGIN_REQUEST_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(login_request_read((postern_bytes){ (uint8_t *)text, LOGIN_REQUEST_MAX },
                                        AUTHORITY, &query),
                     LOGIN_REQUEST_CALLBACK);
    memcpy(text + LOGIN_REQUEST_MAX - 4, "xx\r\n\r\n", 5);
    text[LOGIN_REQUEST_MAX + 1] = '\n';
    text[LOGIN_REQUEST_MAX] = '\r';
    memcpy(text + LOGIN_REQUEST_MAX - 3, "x\r\n\r\n", 5);
    assert_int_equal(login_request_read((postern_bytes){ (uint8_t *)text, LOGIN_REQUEST_MAX + 2 },
                                        AUTHORITY, &query),
                     LOGIN_REQUEST_BAD);
    free(text);
}

static void the_pages_hold_no_script_and_no_reference(void **state)
{
    static const struct {
        enum login_page page;
        const char *status;
    } cases[] = {
        { LOGIN_PAGE_RECEIVED, "HTTP/1.1 200 OK\r\n" },
        { LOGIN_PAGE_NOT_FOUND, "HTTP/1.1 404 Not Found\r\n" },
        { LOGIN_PAGE_NOT_LED, "HTTP/1.1 404 Not Found\r\n" },
        { LOGIN_PAGE_BAD, "HTTP/1.1 400 Bad Request\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = (const char *)login_page(cases[i].page).ptr; /* a literal */

        assert_ptr_equal(strstr(text, cases[i].status), text);
        assert_non_null(strstr(text, "Content-Security-Policy: default-src 'none'"));
        assert_non_null(strstr(text, "Referrer-Policy: no-referrer"));
        assert_non_null(strstr(text, "Cache-Control: no-store"));
        assert_non_null(strstr(text, "Connection: close"));
        assert_null(strstr(text, "script"));
        assert_null(strstr(text, "href"));
        assert_null(strstr(text, "src="));
    }
}

static void the_way_to_the_login_page_is_one_header_field(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    const char *text;

    (void)state;
    login_lead("https://as.example.org/authorize?a=b&state=c", &out);
    text = postern_buf_cstr(&out);
    assert_non_null(text);
    assert_ptr_equal(strstr(text, "HTTP/1.1 303 See Other\r\n"
                                  "Location: https://as.example.org/authorize?a=b&state=c\r\n"),
                     text);
    assert_non_null(strstr(text, "Cache-Control: no-store"));
    assert_non_null(strstr(text, "Referrer-Policy: no-referrer"));
    assert_null(strstr(text, "href"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_browsers_answer_is_found_however_it_is_dressed),
        cmocka_unit_test(another_resource_or_method_is_not_the_answer),
        cmocka_unit_test(whoever_asks_where_the_login_page_is_is_told_apart),
        cmocka_unit_test(what_is_not_strict_http_for_this_host_is_refused),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(every_beginning_of_the_answer_waits_for_more),
        cmocka_unit_test(a_request_of_16_kib_is_the_longest),
        cmocka_unit_test(the_pages_hold_no_script_and_no_reference),
        cmocka_unit_test(the_way_to_the_login_page_is_one_header_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
