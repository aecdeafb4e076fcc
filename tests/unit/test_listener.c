/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/listener.c: lines of /proc/net/tcp and tcp6, as a little-endian kernel writes them.  The
 * live list is for tests/component. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/listener.h"

#define REST    " 00000000:00000000 00:00000000 00000000 "
#define LOOP4   "0100007F:20DE"
#define ANY4    "00000000:20DE"
#define NONE4   "00000000:0000"
#define LOOP6   "00000000000000000000000001000000:20DE"
#define ANY6    "00000000000000000000000000000000:20DE"
#define NONE6   "00000000000000000000000000000000:0000"
#define MAPPED6 "0000000000000000FFFF00000100007F:20DE"

static struct postern_tcp_address address(const char *ip, uint16_t port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct postern_tcp_address a = { 0 };
    postern_err e;

    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        e = postern_listener_address_from((struct sockaddr *)&v4, sizeof v4, &a, NULL);
    else if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
        e = postern_listener_address_from((struct sockaddr *)&v6, sizeof v6, &a, NULL);
    else
        e = POSTERN_ERR_UNSET;
    assert_int_equal(e, POSTERN_OK);
    return a;
}

static postern_err add(struct postern_listeners *set, const char *ip, const char *line)
{
    struct postern_tcp_address where = address(ip, 8414); /* 0x20DE */

    return postern_listeners_add_line(set, &where, postern_bytes_str(line), NULL);
}

static void little_endian_only(void)
{
    if (htonl(1) == 1)
        skip();
}

static void a_listener_is_found_by_address_or_wildcard(void **state)
{
    static const struct {
        const char *ip, *line;
        size_t want;
    } cases[] = {
        { "127.0.0.1",
          "   0: " LOOP4 " " NONE4 " 0A" REST "  997        0 4711 1 00000000ecd72c94 100 0 0 10 0",
          1 },
        { "127.0.0.1", "   0: " ANY4 " " NONE4 " 0A" REST "  997        0 4711", 1 },
        { "127.0.0.1", "   0: " ANY6 " " NONE6 " 0A" REST "  997        0 4711 ", 1 },
        { "127.0.0.1", "   0: " MAPPED6 " " NONE6 " 0A" REST "  997        0 4711", 1 },
        { "::1", "12345: " LOOP6 " " NONE6 " 0A" REST "  997        0 4711", 1 },
        { "::1", "   0: " ANY6 " " NONE6 " 0A" REST "  997        0 4711", 1 },
        { "::1", "   0: " ANY4 " " NONE4 " 0A" REST "  997        0 4711", 0 },
        { "::1", "   0: " LOOP4 " " NONE4 " 0A" REST "  997        0 4711", 0 },
        { "127.0.0.2", "   0: " LOOP4 " " NONE4 " 0A" REST "  997        0 4711", 0 },
        { "127.0.0.1", "   0: 0100007F:20DF " NONE4 " 0A" REST "  997        0 4711", 0 },
        { "127.0.0.1", "   0: " LOOP4 " 0100007F:8000 01" REST "  997        0 4711", 0 },
        { "127.0.0.1", "   0: " LOOP4 " 0100007F:8000 06" REST "    0        0 0", 0 },
    };

    (void)state;
    little_endian_only();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct postern_listeners set = { 0 };

        assert_int_equal(add(&set, cases[i].ip, cases[i].line), POSTERN_OK);
        if (set.count != cases[i].want)
            fail_msg("%s and %s", cases[i].ip, cases[i].line);
        if (set.count == 1) {
            assert_int_equal(set.at[0].uid, 997);
            assert_int_equal(set.at[0].inode, 4711);
        }
    }
}

static void a_line_that_the_kernel_would_not_write_is_unclear(void **state)
{
    static const char *const lines[] = {
        "",
        "   0",
        "   0:" LOOP4 " " NONE4 " 0A" REST "  997        0 4711",
        "   x: " LOOP4 " " NONE4 " 0A" REST "  997        0 4711",
        "   0: 0100007F20DE " NONE4 " 0A" REST "  997        0 4711",
        "   0: 100007F:20DE " NONE4 " 0A" REST "  997        0 4711",
        "   0: 0100007F00:20DE " NONE4 " 0A" REST "  997        0 4711",
        "   0: 0100007f:20de " NONE4 " 0A" REST "  997        0 4711",
        "   0: 0100007F:20DE0 " NONE4 " 0A" REST "  997        0 4711",
        "   0: " LOOP4 " " NONE4 " A" REST "  997        0 4711",
        "   0: " LOOP4 " " NONE4 " 0A" REST "  -1        0 4711",
        "   0: " LOOP4 " " NONE4 " 0A" REST "  4294967296        0 4711",
        "   0: " LOOP4 " " NONE4 " 0A" REST "  997        0 ",
        "   0: " LOOP4 " " NONE4 " 0A" REST "  997        0 4711x",
        "   0: " LOOP4 " " NONE4 " 0A" REST "  997x        0 4711",
        "   0: " LOOP4 " " NONE4 " 0A 00000000:00000000 00:00000000 0000000   997        0 4711",
        "   0: " LOOP4 " " NONE4 " 0A" REST "  997        0 99999999999999999999",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout inode",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct postern_listeners set = { 0 };

        if (add(&set, "127.0.0.1", lines[i]) != POSTERN_ERR_ISSUER_UNTRUSTED)
            fail_msg("taken: %s", lines[i]);
        assert_int_equal(set.count, 0);
    }
}

static void a_listener_without_inode_is_unclear(void **state)
{
    struct postern_listeners set = { 0 };

    (void)state;
    little_endian_only();
    assert_int_equal(add(&set, "127.0.0.1", "   0: " LOOP4 " " NONE4 " 0A" REST "    0        0 0"),
                     POSTERN_ERR_ISSUER_UNTRUSTED);
    assert_int_equal(set.count, 0);
}

static postern_err add_inode(struct postern_listeners *set, unsigned inode)
{
    char line[160];

    (void)snprintf(line, sizeof line, "   0: " LOOP4 " " NONE4 " 0A" REST "    0        0 %u",
                   inode);
    return add(set, "127.0.0.1", line);
}

static void more_listeners_than_the_limit_are_unclear(void **state)
{
    struct postern_listeners set = { 0 };

    (void)state;
    little_endian_only();
    for (unsigned i = 1; i <= POSTERN_LISTENERS_MAX; i++)
        assert_int_equal(add_inode(&set, i), POSTERN_OK);
    assert_int_equal(set.count, POSTERN_LISTENERS_MAX);
    assert_int_equal(add_inode(&set, 1),
                     POSTERN_OK); /* seen twice: the list moved while it was read */
    assert_int_equal(set.count, POSTERN_LISTENERS_MAX);
    assert_int_equal(add_inode(&set, 99), POSTERN_ERR_ISSUER_UNTRUSTED);
}

static void sets_are_the_same_by_inode_whatever_the_order(void **state)
{
    struct postern_listeners a = { 2, { { 0, 10 }, { 0, 20 } } };
    struct postern_listeners swapped = { 2, { { 0, 20 }, { 0, 10 } } };
    struct postern_listeners restarted = { 2, { { 0, 20 }, { 0, 11 } } };
    struct postern_listeners fewer = { 1, { { 0, 10 } } };
    struct postern_listeners none = { 0 };

    (void)state;
    assert_true(postern_listeners_are_same(&a, &swapped));
    assert_false(postern_listeners_are_same(&a, &restarted));
    assert_false(postern_listeners_are_same(&a, &fewer));
    assert_false(postern_listeners_are_same(&fewer, &a));
    assert_false(postern_listeners_are_same(&none, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_is_found_by_address_or_wildcard),
        cmocka_unit_test(a_line_that_the_kernel_would_not_write_is_unclear),
        cmocka_unit_test(a_listener_without_inode_is_unclear),
        cmocka_unit_test(more_listeners_than_the_limit_are_unclear),
        cmocka_unit_test(sets_are_the_same_by_inode_whatever_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
