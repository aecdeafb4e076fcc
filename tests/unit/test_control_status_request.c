/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/control/status_request.c: three pages by GET, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/status_request.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void each_head_has_its_page(void **state)
{
    static const struct { const char *head; status_page want; } cases[] = {
        { "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", STATUS_HEALTHZ },
        { "GET /healthz HTTP/1.0\n\n", STATUS_HEALTHZ },
        { "GET /readyz HTTP/1.1\r\nAccept:*/*\r\nContent-Length: 0\r\n\r\n", STATUS_READYZ },
        { "GET /metrics?format=x HTTP/1.1\r\n\r\n", STATUS_METRICS },
        { "GET /metrics HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n", STATUS_METRICS },
        { "", STATUS_MORE },
        { "GET /healthz HTTP/1.1\r\n", STATUS_MORE },
        { "GET /healthz HTTP/1.1\r\nHost: x\r\n", STATUS_MORE },
        { "GET /healthz HTTP/1.1\r\nHost: x", STATUS_MORE },
        { "GET / HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "GET /healthz/ HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "GET //healthz HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "GET /Healthz HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "GET /%68ealthz HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "GET http://h/metrics HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "GET ?/metrics HTTP/1.1\r\n\r\n", STATUS_NOT_FOUND },
        { "POST /healthz HTTP/1.1\r\n\r\n", STATUS_NOT_ALLOWED },
        { "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", STATUS_NOT_ALLOWED },
        { "HEAD /healthz HTTP/1.1\r\n\r\n", STATUS_NOT_ALLOWED },
        { "DELETE /nothing HTTP/1.1\r\n\r\n", STATUS_NOT_ALLOWED },
        { "get /healthz HTTP/1.1\r\n\r\n", STATUS_NOT_ALLOWED },
        { "GET /healthz HTTP/2.0\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.2\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1 \r\n\r\n", STATUS_BAD },
        { "GET  /healthz HTTP/1.1\r\n\r\n", STATUS_BAD },
        { " GET /healthz HTTP/1.1\r\n\r\n", STATUS_BAD },
        { "GET /healthz\r\n\r\n", STATUS_BAD },
        { "\r\n\r\n", STATUS_BAD },
        { "GET /heal\thz HTTP/1.1\r\n\r\n", STATUS_BAD },
        { "G\"T /healthz HTTP/1.1\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\ncontent-LENGTH: +0\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\nHost: x\ry\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\nnonsense\r\n\r\n", STATUS_BAD },
        { "GET /healthz HTTP/1.1\r\n: x\r\n\r\n", STATUS_BAD },
        { "\x16\x03\x01\x02\n\n", STATUS_BAD },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (status_request_read(postern_bytes_str(cases[i].head)) != cases[i].want)
            fail_msg("%s", cases[i].head);
}

static void a_head_without_end_is_refused_at_its_limit(void **state)
{
    static uint8_t head[STATUS_HEAD_MAX];

    (void)state;
    memset(head, 'x', sizeof head);
    assert_int_equal(status_request_read((postern_bytes){ head, sizeof head - 1 }), STATUS_MORE);
    assert_int_equal(status_request_read((postern_bytes){ head, sizeof head }), STATUS_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head_has_its_page),
        cmocka_unit_test(a_head_without_end_is_refused_at_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
