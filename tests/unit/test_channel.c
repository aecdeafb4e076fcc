/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/channel.c: one JSON object a datagram between posternd's processes, perhaps with a descriptor. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel.h"
#include "tests/support/alloc_fail.h"

struct ends {
    struct channel *ours;
    int             theirs;
};

static int open_ends(void **state)
{
    struct ends *e = calloc(1, sizeof *e);
    int fds[2];

    if (e == NULL || channel_pair(fds, NULL) != POSTERN_OK)
        return -1;
    e->theirs = fds[1];
    *state = e;
    return channel_new(fds[0], &e->ours, NULL) == POSTERN_OK ? 0 : -1;
}

static int close_ends(void **state)
{
    struct ends *e = *state;

    channel_free(e->ours);
    if (e->theirs >= 0)
        close(e->theirs);
    free(e);
    return 0;
}

static void say_text(struct ends *e, const char *text)
{
    assert_int_equal(send(e->theirs, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void say(struct ends *e, const void *bytes, size_t len)
{
    assert_int_equal(send(e->theirs, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* A datagram with `count` descriptors, raw. */
static void say_with_fds(struct ends *e, const char *text, const int *fds, size_t count)
{
    char room[CMSG_SPACE(8 * sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
                          .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *cmsg;

    memset(room, 0, sizeof room);
    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
    assert_int_equal(sendmsg(e->theirs, &msg, 0), (ssize_t)strlen(text));
}

static int count_open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

static void a_message_arrives_with_its_members(void **state)
{
    struct ends *e = *state;
    postern_error err;
    char text[32];
    int64_t n = 0;

    say_text(e, "{\"type\":\"revoke\",\"id\":7,\"client\":\"agent-7\"}");
    assert_int_equal(channel_receive(e->ours, &err), CHANNEL_MESSAGE);
    assert_true(channel_type_is(e->ours, "revoke"));
    assert_false(channel_type_is(e->ours, "revok"));
    assert_true(channel_integer(e->ours, "id", &n));
    assert_int_equal(n, 7);
    assert_true(channel_text(e->ours, "client", text, sizeof text));
    assert_string_equal(text, "agent-7");
    assert_int_equal(channel_take_fd(e->ours), -1);
    assert_int_equal(channel_receive(e->ours, &err), CHANNEL_NOTHING);
    assert_false(channel_type_is(e->ours, "revoke"));
}

static void members_of_another_type_or_size_are_not_given(void **state)
{
    struct ends *e = *state;
    char text[8];
    int64_t n;

    say_text(e, "{\"type\":\"x\",\"a\":\"12345678\",\"b\":\"1\",\"c\":1.5}");
    assert_int_equal(channel_receive(e->ours, NULL), CHANNEL_MESSAGE);
    assert_false(channel_text(e->ours, "a", text, sizeof text)); /* no room for the NUL */
    assert_false(channel_text(e->ours, "c", text, sizeof text));
    assert_false(channel_text(e->ours, "absent", text, sizeof text));
    assert_false(channel_integer(e->ours, "b", &n));
    assert_false(channel_integer(e->ours, "c", &n));
    assert_false(channel_integer(e->ours, "absent", &n));
}

static void what_is_sent_is_received_with_its_descriptor(void **state)
{
    struct ends *e = *state;
    struct channel *other;
    int pipe_fds[2], got;
    char c;

    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(channel_new(e->theirs, &other, NULL), POSTERN_OK);
    e->theirs = -1;
    assert_int_equal(channel_send_type(other, "issuer", pipe_fds[0], NULL), POSTERN_OK);
    close(pipe_fds[0]);
    assert_int_equal(channel_receive(e->ours, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(e->ours, "issuer"));
    got = channel_take_fd(e->ours);
    assert_true(got >= 0);
    assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
    assert_int_equal(channel_take_fd(e->ours), -1);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    assert_int_equal(read(got, &c, 1), 1);
    close(got);
    close(pipe_fds[1]);
    channel_free(other);
}

static void a_descriptor_that_nobody_takes_is_closed(void **state)
{
    struct ends *e = *state;
    int fd = 0, before = count_open_fds();

    say_with_fds(e, "{\"type\":\"issuer\"}", &fd, 1);
    assert_int_equal(channel_receive(e->ours, NULL), CHANNEL_MESSAGE);
    assert_int_equal(count_open_fds(), before + 1);
    assert_int_equal(channel_receive(e->ours, NULL), CHANNEL_NOTHING);
    assert_int_equal(count_open_fds(), before);
}

static void several_descriptors_break_the_channel_and_leak_nothing(void **state)
{
    static const int fds[6] = { 0, 1, 2, 0, 1, 2 };
    struct ends *e = *state;
    int before = count_open_fds();
    postern_error err;

    for (size_t count = 2; count <= 6; count++) {
        say_with_fds(e, "{\"type\":\"issuer\"}", fds, count);
        assert_int_equal(channel_receive(e->ours, &err), CHANNEL_BROKEN);
        assert_int_equal(err.code, POSTERN_ERR_LIMIT);
        assert_int_equal(channel_take_fd(e->ours), -1);
        assert_int_equal(count_open_fds(), before);
    }
}

static void what_is_no_message_breaks_the_channel(void **state)
{
    static const char *const bad[] = {
        "x", "[]", "\"type\"", "{}", "{\"id\":1}", "{\"id\":1,\"type\":\"revoke\"}", "{\"type\":1}", "{\"type\":null}",
        "{\"type\":\"a\",\"type\":\"b\"}", "{\"type\":\"a\"}{\"type\":\"b\"}", "{\"type\":\"a\"} x", "{'type':'a'}",
        "{\"type\":\"a\",\"n\":NaN}", "{\"type\":\"a\",\"n\":01}", "{\"type\":\"\xff\"}", "{\"type\":\"a\\u0000\"}",
    };
    struct ends *e = *state;
    postern_error err;
    int fd = 0, before = count_open_fds();

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        say_with_fds(e, bad[i], &fd, 1);
        assert_int_equal(channel_receive(e->ours, &err), CHANNEL_BROKEN);
        assert_int_equal(err.code, POSTERN_ERR_MALFORMED);
        assert_false(channel_type_is(e->ours, "a"));
        assert_int_equal(channel_take_fd(e->ours), -1);
        assert_int_equal(count_open_fds(), before);
    }
}

static void the_largest_message_passes_and_one_byte_more_does_not(void **state)
{
    static const char head[] = "{\"type\":\"jwks\",\"pad\":\"";
    struct ends *e = *state;
    char *text = malloc(CHANNEL_MESSAGE_MAX + 1);
    struct channel *other;
    postern_error err;

    assert_non_null(text);
    memset(text, 'a', CHANNEL_MESSAGE_MAX + 1);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + CHANNEL_MESSAGE_MAX - 2, "\"}", 2);
    say(e, text, CHANNEL_MESSAGE_MAX);
    assert_int_equal(channel_receive(e->ours, &err), CHANNEL_MESSAGE);
    memcpy(text + CHANNEL_MESSAGE_MAX - 2, "a\"}", 3);
    say(e, text, CHANNEL_MESSAGE_MAX + 1);
    assert_int_equal(channel_receive(e->ours, &err), CHANNEL_BROKEN);
    assert_int_equal(err.code, POSTERN_ERR_LIMIT);

    assert_int_equal(channel_new(e->theirs, &other, NULL), POSTERN_OK);
    e->theirs = -1;
    assert_int_equal(channel_send(other, (postern_bytes){ (uint8_t *)text, CHANNEL_MESSAGE_MAX + 1 }, -1, &err),
                     POSTERN_ERR_LIMIT);
    assert_int_equal(channel_send(other, POSTERN_BYTES_NONE, -1, &err), POSTERN_ERR_LIMIT);
    channel_free(other);
    free(text);
}

static void a_closed_other_end_is_seen_on_both_ways(void **state)
{
    struct ends *e = *state;
    postern_error err;

    close(e->theirs);
    e->theirs = -1;
    assert_int_equal(channel_receive(e->ours, &err), CHANNEL_CLOSED);
    assert_int_equal(channel_send_type(e->ours, "ready", -1, &err), POSTERN_ERR_SYSTEM);
}

static void a_slow_other_end_is_not_waited_for(void **state)
{
    struct ends *e = *state;
    postern_err last = POSTERN_OK;
    int sent = 0;

    while (last == POSTERN_OK && sent < 100000) {
        last = channel_send_type(e->ours, "ready", -1, NULL);
        sent++;
    }
    assert_int_equal(last, POSTERN_AGAIN);
}

static postern_err make_and_talk(void *arg, postern_error *err)
{
    struct channel *c;
    postern_err e;
    int fds[2];

    (void)arg;
    POSTERN_TRY(channel_pair(fds, err));
    e = channel_new(fds[0], &c, err);
    if (e == POSTERN_OK) {
        e = send(fds[1], "{\"type\":\"a\"}", 12, 0) == 12 && channel_receive(c, err) == CHANNEL_MESSAGE ? POSTERN_OK : POSTERN_ERR_NOMEM;
        if (e == POSTERN_OK)
            e = channel_send_type(c, "ready", -1, err);
        channel_free(c);
    }
    close(fds[1]);
    return e;
}

static void each_allocation_may_fail(void **state)
{
    int before = count_open_fds();

    (void)state;
    assert_true(alloc_fail_sweep(make_and_talk, NULL, POSTERN_OK) >= 2);
    assert_int_equal(count_open_fds(), before);
}

#define WITH_ENDS(f) cmocka_unit_test_setup_teardown(f, open_ends, close_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ENDS(a_message_arrives_with_its_members),
        WITH_ENDS(members_of_another_type_or_size_are_not_given),
        WITH_ENDS(what_is_sent_is_received_with_its_descriptor),
        WITH_ENDS(a_descriptor_that_nobody_takes_is_closed),
        WITH_ENDS(several_descriptors_break_the_channel_and_leak_nothing),
        WITH_ENDS(what_is_no_message_breaks_the_channel),
        WITH_ENDS(the_largest_message_passes_and_one_byte_more_does_not),
        WITH_ENDS(a_closed_other_end_is_seen_on_both_ways),
        WITH_ENDS(a_slow_other_end_is_not_waited_for),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
