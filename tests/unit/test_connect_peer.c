/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/tcp_peer.c and cli/connect_peer.c: whose process is at the other end of a loopback connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>
#include <cmocka.h>

#include "connect_peer.h"

/* 127.0.0.1:40000 connected to 127.0.0.1:6380. */
#define SELF "0100007F:18EC"
#define PEER "0100007F:9C40"
#define REST " 00000000:00000000 00:00000000 00000000 "

static struct postern_tcp_search new_search(void)
{
    struct postern_tcp_search s = { .is_found = false };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    at.sin_port = htons(6380);
    assert_true(postern_tcp_address_from((struct sockaddr *)&at, sizeof at, &s.self));
    at.sin_port = htons(40000);
    assert_true(postern_tcp_address_from((struct sockaddr *)&at, sizeof at, &s.peer));
    return s;
}

static void the_owner_of_the_other_end_is_found(void **state)
{
    static const char *const lines[] = {
        "   3: " PEER " " SELF " 01" REST " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        "   3: " PEER " " SELF " 04" REST " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        "   3: " PEER " " SELF " 05" REST " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        "   3: 0000000000000000FFFF0000" PEER " 0000000000000000FFFF0000" SELF " 01" REST
        " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1", /* IPv4 on an IPv6 socket */
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct postern_tcp_search s = new_search();

        assert_int_equal(postern_tcp_search_add_line(&s, postern_bytes_str(lines[i]), NULL), POSTERN_OK);
        if (!s.is_found || s.uid != 1000)
            fail_msg("not found: %s", lines[i]);
    }
}

static void another_socket_is_not_taken_for_it(void **state)
{
    static const char *const lines[] = {
        /* our own end */
        "   3: " SELF " " PEER " 01" REST " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        /* another port, another address */
        "   3: 0100007F:9C41 " SELF " 01" REST
        " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        "   3: 0200007F:9C40 " SELF " 01" REST
        " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        "   3: " PEER " 0100007F:18ED 01" REST
        " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        /* the port's listener */
        "   3: " PEER " 00000000:0000 0A" REST
        " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
        /* closed by its process: TIME_WAIT, FIN_WAIT2, no inode: uid 0 would be root */
        "   3: " PEER " " SELF " 06" REST " 0        0 0 3 00000000e5c82682",
        "   3: " PEER " " SELF " 05" REST " 0        0 0 1 00000000e5c82682 20 4 30 10 -1",
        /* not connected yet: somebody who comes after the one we accepted */
        "   3: " PEER " " SELF " 02" REST " 1000        0 4711 1 00000000e5c82682 20 4 30 10 -1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct postern_tcp_search s = new_search();

        assert_int_equal(postern_tcp_search_add_line(&s, postern_bytes_str(lines[i]), NULL), POSTERN_OK);
        if (s.is_found)
            fail_msg("taken: %s", lines[i]);
    }
}

static void a_line_that_the_kernel_does_not_write_is_an_error(void **state)
{
    static const char *const lines[] = {
        "",
        "x",
        "   3: " PEER " " SELF,
        "   3: " PEER " " SELF " 01" REST " x        0 4711 1",
        "   3: " PEER " " SELF " 01" REST " 1000        0 4711x",
        "   3: " PEER " " SELF " 01" REST " 4294967296        0 4711 1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct postern_tcp_search s = new_search();

        if (postern_tcp_search_add_line(&s, postern_bytes_str(lines[i]), NULL) != POSTERN_ERR_SYSTEM ||
            s.is_found)
            fail_msg("taken: %s", lines[i]);
    }
}

/* A real pair, at a loopback address of this process alone: nobody else is given a port left there. */
static void make_pair(int *ret_client, int *ret_accepted, int *ret_listener)
{
    const struct sockaddr_in any_port = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(0x7f010000u + ((uint32_t)getpid() & 0x3fffffu) + 1),
    };
    struct sockaddr_in at = any_port;
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *ret_client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*ret_client, (const struct sockaddr *)&any_port, len), 0);
    assert_int_equal(connect(*ret_client, (struct sockaddr *)&at, len), 0);
    *ret_accepted = accept(listener, NULL, NULL);
    assert_true(*ret_accepted >= 0);
    *ret_listener = listener;
}

static void our_own_connection_is_ours_until_it_is_closed(void **state)
{
    int client, accepted, listener;
    postern_error err;

    (void)state;
    make_pair(&client, &accepted, &listener);
    if (geteuid() != POSTERN_OVERFLOW_UID)
        assert_int_equal(connect_peer_check(accepted, geteuid(), &err), POSTERN_OK);
    assert_int_equal(connect_peer_check(accepted, geteuid() + 1, &err),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(connect_peer_check(accepted, POSTERN_OVERFLOW_UID, &err),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    if (geteuid() != POSTERN_OVERFLOW_UID)
        assert_int_equal(connect_peer_check(accepted, geteuid(), &err), POSTERN_OK);
    assert_int_equal(close(client), 0);
    assert_int_equal(connect_peer_check(accepted, geteuid(), &err), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(listener), 0);
}

static struct postern_tcp_address address_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
    struct postern_tcp_address address;
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    assert_int_equal(get(fd, (struct sockaddr *)&at, &len), 0);
    assert_true(postern_tcp_address_from((struct sockaddr *)&at, len, &address));
    return address;
}

static void two_addresses_tell_as_much_while_our_end_stands(void **state)
{
    int client, accepted, listener;
    struct postern_tcp_address self, server;
    uid_t owner = POSTERN_OVERFLOW_UID;

    (void)state;
    make_pair(&client, &accepted, &listener);
    self = address_of(client, getsockname);
    server = address_of(client, getpeername);
    assert_int_equal(postern_tcp_peer_owner_between(&self, &server, &owner, NULL), POSTERN_OK);
    assert_int_equal(owner, geteuid());
    self.port++;
    assert_int_equal(postern_tcp_peer_owner_between(&self, &server, &owner, NULL),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    self.port--;
    assert_int_equal(close(accepted), 0);
    assert_int_equal(postern_tcp_peer_owner_between(&self, &server, &owner, NULL),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(close(client), 0);
    assert_int_equal(postern_tcp_peer_owner_between(&self, &server, &owner, NULL),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(close(listener), 0);
}

static void who_was_not_accepted_knows_nobody(void **state)
{
    struct postern_tcp_address self, server;
    int client, accepted, listener, waiting = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    uid_t owner;

    (void)state;
    make_pair(&client, &accepted, &listener);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&at, len), 0);
    self = address_of(waiting, getsockname);
    server = address_of(waiting, getpeername);
    assert_int_equal(postern_tcp_peer_owner_between(&self, &server, &owner, NULL),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(close(waiting), 0);
    assert_int_equal(close(client), 0);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(listener), 0);
}

static void a_connection_that_was_reset_has_no_owner(void **state)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    int client, accepted, listener;

    (void)state;
    make_pair(&client, &accepted, &listener);
    assert_int_equal(write(client, "FLUSHALL", 8), 8);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    assert_int_equal(close(client), 0);
    assert_int_equal(connect_peer_check(accepted, geteuid(), NULL), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(listener), 0);
}

/* ---- somebody else takes the place while we look ---- */

static int stranger = -1, successor = -1;

postern_err __real_postern_proc_tcp_walk(postern_err (*visit)(void *, postern_bytes,
                                                              postern_error *),
                                         void *arg, postern_error *err);
postern_err __wrap_postern_proc_tcp_walk(postern_err (*visit)(void *, postern_bytes,
                                                              postern_error *),
                                         void *arg, postern_error *err);

/* Reset the stranger's connection, and connect anew from the same port to the same one. */
static void take_its_place(void)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    const int on = 1;
    struct sockaddr_in self, peer;
    socklen_t len = sizeof self;

    assert_int_equal(getsockname(stranger, (struct sockaddr *)&self, &len), 0);
    assert_int_equal(getpeername(stranger, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(setsockopt(stranger, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    assert_int_equal(close(stranger), 0);
    stranger = -1;
    successor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(successor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(successor, (struct sockaddr *)&self, sizeof self), 0);
    assert_int_equal(connect(successor, (struct sockaddr *)&peer, sizeof peer), 0);
}

postern_err __wrap_postern_proc_tcp_walk(postern_err (*visit)(void *, postern_bytes,
                                                              postern_error *),
                                         void *arg, postern_error *err)
{
    if (stranger >= 0)
        take_its_place();
    return __real_postern_proc_tcp_walk(visit, arg, err);
}

static void a_successor_does_not_vouch_for_who_was_there_before(void **state)
{
    int accepted, listener;

    (void)state;
    make_pair(&stranger, &accepted, &listener);
    assert_int_equal(write(stranger, "FLUSHALL", 8), 8);
    assert_int_equal(connect_peer_check(accepted, geteuid(), NULL), POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_true(successor >= 0); /* the list did hold a socket with the right addresses and owner */
    assert_int_equal(close(successor), 0);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(listener), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_of_the_other_end_is_found),
        cmocka_unit_test(another_socket_is_not_taken_for_it),
        cmocka_unit_test(a_line_that_the_kernel_does_not_write_is_an_error),
        cmocka_unit_test(our_own_connection_is_ours_until_it_is_closed),
        cmocka_unit_test(two_addresses_tell_as_much_while_our_end_stands),
        cmocka_unit_test(who_was_not_accepted_knows_nobody),
        cmocka_unit_test(a_connection_that_was_reset_has_no_owner),
        cmocka_unit_test(a_successor_does_not_vouch_for_who_was_there_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
