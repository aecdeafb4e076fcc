/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/audit/server.c on a real loop: each record is confirmed when it stands in the file; nobody who floods, sleeps or talks
 * nonsense harms another; rotation and drain lose nothing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/record.h"
#include "../support/alloc_fail.h"
#include "../support/audit_child.h"

struct world {
    struct event_base *base;
    struct audit_child child;
};

/* By descriptor: what the latest confirmation said and no assertion has asked for yet. */
#define DESCRIPTORS 4096
static struct {
    int next, last;
} confirmed[DESCRIPTORS];

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    for (int i = 0; i < DESCRIPTORS; i++)
        confirmed[i].next = 0, confirmed[i].last = -1;

    assert_non_null(w);
    w->base = event_base_new();
    assert_non_null(w->base);
    audit_child_start(&w->child, w->base);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    audit_child_stop(&w->child);
    event_base_free(w->base);
    free(w);
    return 0;
}

static void spin(struct world *w)
{
    audit_child_spin(w->base);
}

static void say(int fd, const char *message)
{
    assert_int_equal(send(fd, message, strlen(message), MSG_NOSIGNAL), (ssize_t)strlen(message));
}

/* False: the socket takes no more. */
static bool say_record(int fd, int id)
{
    char message[128];
    int len = snprintf(message, sizeof message, "{\"type\":\"record\",\"id\":%d,\"record\":{\"event\":\"verify\",\"n\":%d}}",
                       id, id);

    assert_in_range(len, 1, sizeof message - 1);
    return send(fd, message, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len;
}

/* The next confirmation, "" for none. */
static const char *hear(int fd)
{
    static char room[1024];
    ssize_t got = recv(fd, room, sizeof room - 1, MSG_DONTWAIT);

    room[got < 0 ? 0 : got] = '\0';
    assert_true(got > 0 || (got < 0 && errno == EAGAIN));
    return room;
}

static bool is_closed(int fd)
{
    char c;
    ssize_t got = recv(fd, &c, 1, MSG_DONTWAIT);

    return got == 0 || (got < 0 && errno == ECONNRESET);
}

/* In a message of its own, or as one of a run of several. */
static void assert_done(int fd, int id)
{
    static const char one[] = "{\"type\":\"done\",\"id\":", run[] = "{\"type\":\"done\",\"from\":";
    const char *message;
    char *end;

    assert_in_range(fd, 0, DESCRIPTORS - 1);
    if (confirmed[fd].next > confirmed[fd].last) {
        message = hear(fd);
        if (strncmp(message, run, sizeof run - 1) == 0) {
            confirmed[fd].next = (int)strtol(message + sizeof run - 1, &end, 10);
            assert_memory_equal(end, ",\"id\":", 6);
            confirmed[fd].last = (int)strtol(end + 6, &end, 10);
            assert_true(confirmed[fd].last > confirmed[fd].next);
        } else if (strncmp(message, one, sizeof one - 1) == 0) {
            confirmed[fd].last = confirmed[fd].next = (int)strtol(message + sizeof one - 1, &end, 10);
        } else {
            fail_msg("no confirmation: %s", message);
        }
        assert_string_equal(end, "}");
    }
    assert_int_equal(confirmed[fd].next++, id);
}

static const char *hear_supervisor(struct world *w)
{
    return hear(channel_fd(w->child.supervisor));
}

/* Every line of the file is one of the chain; returns how many are records of writers. */
static int count_records(int fd)
{
    static char text[1 << 21];
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 };
    postern_reader r;
    postern_bytes line;
    int count = 0;
    ssize_t got = pread(fd, text, sizeof text, 0);

    assert_true(got >= 0 && (size_t)got < sizeof text);
    r.rest = (postern_bytes){ (const uint8_t *)text, (size_t)got };
    while (postern_reader_take_until(&r, '\n', &line)) {
        struct audit_link link;

        assert_int_equal(audit_chain_read(line, &j, &link, NULL), POSTERN_OK);
        if (head.seq != 0)
            assert_true(audit_chain_follows(&head, &link));
        assert_int_equal(link.kind, AUDIT_LINE_CHAINED);
        head = link.head;
        count += !postern_json_string_is(&j, postern_json_member(&j, 0, "event"), "chain");
    }
    assert_true(postern_reader_is_done(&r));
    return count;
}

/* ---- an ordinary life ---- */

static void the_child_is_ready_with_its_first_file_and_says_so_once(void **state)
{
    struct world *w = *state;

    spin(w);
    assert_string_equal(hear_supervisor(w), "{\"type\":\"ready\"}");
    audit_child_use(&w->child, w->child.fd);
    spin(w);
    assert_string_equal(hear_supervisor(w), "");
}

static void a_record_is_confirmed_and_stands_in_the_file(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int fd = audit_child_writer(&w->child);

    say(fd, "{\"type\":\"record\",\"id\":17,\"record\":{\"event\":\"login\",\"agent\":\"a\"}}");
    spin(w);
    assert_done(fd, 17);
    assert_true(audit_child_line(&w->child, line));
    assert_int_equal(strncmp(line, "{\"event\":\"login\",\"agent\":\"a\",\"seq\":2,\"prev\":\"", 45), 0);
    assert_false(audit_child_line(&w->child, line));
    (void)close(fd);
}

static void before_there_is_a_file_a_record_fails(void **state)
{
    struct event_base *base = event_base_new();
    struct audit_server *server;
    struct channel *supervisor;
    int fds[2], line[2];

    (void)state;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_pair(line, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &supervisor, NULL), POSTERN_OK);
    assert_int_equal(audit_server_new(base, fds[1], (struct audit_server_owner){ 0 }, &server, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(supervisor, "writer", line[0], NULL), POSTERN_OK);
    assert_true(say_record(line[1], 1));
    audit_child_spin(base);
    assert_string_equal(hear(line[1]), "{\"type\":\"failed\",\"id\":1,\"detail\":\"there is no audit file yet\"}");
    assert_string_equal(hear(channel_fd(supervisor)), "");
    audit_server_free(server);
    channel_free(supervisor);
    (void)close(line[0]);
    (void)close(line[1]);
    event_base_free(base);
}

static void nothing_to_do_is_nothing_pending_but_the_lines(void **state)
{
    struct world *w = *state;

    spin(w);
    assert_int_equal(event_base_get_num_events(w->base, EVENT_BASE_COUNT_ACTIVE), 0);
    assert_int_equal(event_base_get_num_events(w->base, EVENT_BASE_COUNT_ADDED), 2); /* supervisor, and the sync to come */
}

/* ---- writers ---- */

static void many_writers_are_served_in_one_batch_each_with_its_own_ids(void **state)
{
    struct world *w = *state;
    int fds[40];

    for (int i = 0; i < 40; i++) {
        fds[i] = audit_child_writer(&w->child);
        for (int k = 0; k < 5; k++)
            assert_true(say_record(fds[i], 100 * i + k));
    }
    spin(w);
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 5; k++)
            assert_done(fds[i], 100 * i + k);
        assert_string_equal(hear(fds[i]), "");
        (void)close(fds[i]);
    }
    assert_int_equal(count_records(w->child.fd), 200);
}

/* One message for the records of a batch that were written one after the other. */
static void a_run_of_records_has_one_confirmation(void **state)
{
    struct world *w = *state;
    static const char empty[] = "{\"type\":\"record\",\"id\":12,\"record\":{}}";
    int fd = audit_child_writer(&w->child);

    assert_true(say_record(fd, 7));
    assert_true(say_record(fd, 8));
    assert_true(say_record(fd, 9));
    assert_true(say_record(fd, 11));
    assert_int_equal(send(fd, empty, sizeof empty - 1, 0), sizeof empty - 1);
    assert_true(say_record(fd, 13));
    assert_true(say_record(fd, 14));
    spin(w);
    assert_string_equal(hear(fd), "{\"type\":\"done\",\"from\":7,\"id\":9}");
    assert_string_equal(hear(fd), "{\"type\":\"done\",\"id\":11}");
    assert_memory_equal(hear(fd), "{\"type\":\"refused\",\"id\":12,", 26);
    assert_string_equal(hear(fd), "{\"type\":\"done\",\"from\":13,\"id\":14}");
    assert_string_equal(hear(fd), "");
    assert_int_equal(count_records(w->child.fd), 6);
    (void)close(fd);
}

/* Whoever sends as fast as the socket takes it is one of many. */
static void a_flood_of_one_writer_does_not_delay_another(void **state)
{
    struct world *w = *state;
    int flood = audit_child_writer(&w->child), quiet = audit_child_writer(&w->child), id = 0;

    spin(w);
    while (say_record(flood, ++id))
        ;
    assert_in_range(id, AUDIT_TURN_MAX * 4, 100000);
    assert_true(say_record(quiet, 1));
    assert_in_range(event_base_loop(w->base, EVLOOP_NONBLOCK), 0, 1); /* one turn */
    assert_done(quiet, 1);
    (void)close(flood);
    (void)close(quiet);
}

/* It keeps nothing and is kept nothing for: its records wait in its own socket. */
static void a_writer_that_does_not_read_is_not_read_and_disturbs_nobody(void **state)
{
    struct world *w = *state;
    int deaf = audit_child_writer(&w->child), other = audit_child_writer(&w->child), sent = 0, heard = 0;

    spin(w);
    for (int round = 0; round < 200; round++) {
        while (say_record(deaf, 2 * (sent + 1))) /* with gaps: each has a confirmation of its own */
            sent++;
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    assert_in_range(sent, 100, 100000);
    assert_false(say_record(deaf, 0)); /* stuck */
    assert_true(say_record(other, 5));
    spin(w);
    assert_done(other, 5);
    while (heard < sent) { /* it wakes up: nothing is lost, in order */
        assert_done(deaf, 2 * ++heard);
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(count_records(w->child.fd), sent + 1);
    (void)close(deaf);
    (void)close(other);
}

static void a_writer_that_leaves_does_not_take_its_records_along(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child);

    assert_true(say_record(fd, 1));
    assert_true(say_record(fd, 2));
    (void)close(fd);
    spin(w);
    assert_int_equal(count_records(w->child.fd), 2);
}

static void a_record_that_is_none_fails_alone(void **state)
{
    static const char *const bad[] = {
        "{\"type\":\"record\",\"id\":2}",
        "{\"type\":\"record\",\"id\":2,\"record\":[]}",
        "{\"type\":\"record\",\"id\":2,\"record\":{}}",
        "{\"type\":\"record\",\"id\":2,\"record\":\"{\\\"a\\\":1}\"}",
        "{\"type\":\"record\",\"id\":2,\"record\":{\"seq\":1}}",
        "{\"type\":\"record\",\"id\":2,\"record\":{\"a\":\n1}}",
    };
    struct world *w = *state;
    int fd = audit_child_writer(&w->child);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(say_record(fd, 1));
        say(fd, bad[i]);
        assert_true(say_record(fd, 3));
        spin(w);
        assert_done(fd, 1);
        assert_int_equal(strncmp(hear(fd), "{\"type\":\"refused\",\"id\":2,\"detail\":\"", 35), 0);
        assert_done(fd, 3);
    }
    assert_int_equal(count_records(w->child.fd), 2 * (int)(sizeof bad / sizeof bad[0]));
    (void)close(fd);
}

static void a_record_above_the_limit_fails_and_one_at_it_does_not(void **state)
{
    struct world *w = *state;
    char message[AUDIT_LINE_MAX + 256], record[AUDIT_RECORD_MAX + 2];
    int fd = audit_child_writer(&w->child);

    memset(record, 'a', sizeof record);
    memcpy(record, "{\"a\":\"", 6);
    for (int over = 0; over < 2; over++) {
        memcpy(record + AUDIT_RECORD_MAX - 2 + over, "\"}", 3);
        assert_true((size_t)snprintf(message, sizeof message, "{\"type\":\"record\",\"id\":%d,\"record\":%s}", over, record) <
                    sizeof message);
        say(fd, message);
        record[AUDIT_RECORD_MAX - 2] = record[AUDIT_RECORD_MAX - 1] = 'a';
    }
    spin(w);
    assert_done(fd, 0);
    assert_int_equal(strncmp(hear(fd), "{\"type\":\"refused\",\"id\":1,", 25), 0);
    assert_int_equal(count_records(w->child.fd), 1);
    (void)close(fd);
}

static void a_writer_that_talks_nonsense_is_left_and_what_it_said_before_is_kept(void **state)
{
    static const char *const bad[] = {
        "garbage",
        "{\"type\":\"record\",\"record\":{\"a\":1}}",
        "{\"type\":\"record\",\"id\":\"1\",\"record\":{\"a\":1}}",
        "{\"type\":\"drain\"}",
        "{\"id\":1,\"type\":\"record\",\"record\":{\"a\":1}}",
        "{\"type\":\"record\",\"id\":1,\"record\":{\"a\":1,\"a\":2}}",
    };
    struct world *w = *state;
    int good = audit_child_writer(&w->child);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = audit_child_writer(&w->child);

        assert_true(say_record(fd, 1));
        say(fd, bad[i]);
        assert_true(say_record(good, 9));
        spin(w);
        while (!is_closed(fd))
            ;
        assert_done(good, 9);
        (void)close(fd);
    }
    assert_int_equal(count_records(w->child.fd), 2 * (int)(sizeof bad / sizeof bad[0]));
    assert_false(w->child.has_ended);
    (void)close(good);
}

static void more_writers_than_the_limit_are_turned_away(void **state)
{
    struct world *w = *state;
    int fds[AUDIT_WRITERS_MAX + 2];

    for (int i = 0; i < AUDIT_WRITERS_MAX + 2; i++) {
        fds[i] = audit_child_writer(&w->child);
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    assert_true(is_closed(fds[AUDIT_WRITERS_MAX + 1]));
    (void)close(fds[0]);
    spin(w);
    fds[0] = audit_child_writer(&w->child);
    spin(w);
    assert_true(say_record(fds[0], 1));
    assert_true(say_record(fds[AUDIT_WRITERS_MAX - 1], 1));
    spin(w);
    assert_done(fds[0], 1);
    assert_done(fds[AUDIT_WRITERS_MAX - 1], 1);
    for (int i = 0; i < AUDIT_WRITERS_MAX + 2; i++)
        (void)close(fds[i]);
}

/* ---- the file ---- */

static void a_full_disk_fails_each_record_with_its_reason_and_room_ends_it(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child), full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    spin(w);
    audit_child_use(&w->child, full);
    spin(w);
    for (int i = 1; i < 4; i++)
        assert_true(say_record(fd, i));
    spin(w);
    for (int i = 1; i < 4; i++) {
        const char *said = hear(fd);

        assert_int_equal(strncmp(said, "{\"type\":\"failed\",\"id\":", 22), 0);
        assert_int_equal(said[22], '0' + i);
        assert_non_null(strstr(said, "No space left on device"));
    }
    audit_child_use(&w->child, w->child.fd);
    assert_true(say_record(fd, 4));
    spin(w);
    assert_done(fd, 4);
    assert_int_equal(count_records(w->child.fd), 1);
    (void)close(full);
    (void)close(fd);
}

static void rotation_under_load_loses_nothing(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child), files[3], sum = 0, id = 0;

    spin(w);
    for (int i = 0; i < 3; i++) {
        files[i] = memfd_create("next", MFD_CLOEXEC);
        for (int k = 0; k < 50; k++)
            assert_true(say_record(fd, ++id));
        audit_child_use(&w->child, files[i]);
        for (int k = 0; k < 50; k++)
            assert_true(say_record(fd, ++id));
        spin(w);
        for (int k = id - 99; k <= id; k++)
            assert_done(fd, k);
    }
    sum = count_records(w->child.fd);
    for (int i = 0; i < 3; i++) {
        sum += count_records(files[i]);
        (void)close(files[i]);
    }
    assert_int_equal(sum, id);
    (void)close(fd);
}

static void a_pipe_that_is_full_is_waited_for_and_nobody_is_lost(void **state)
{
    struct world *w = *state;
    char room[65536];
    int fd = audit_child_writer(&w->child), pipes[2], sent = 0, done = 0;
    ssize_t got, taken = 0;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0); /* blocking: the loop must not hang in it */
    audit_child_use(&w->child, pipes[1]);
    for (int round = 0; round < 400; round++) {
        while (sent < 1500 && say_record(fd, sent + 1))
            sent++;
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        while (hear(fd)[0] != '\0')
            done++;
    }
    assert_in_range(done, 100, 1000); /* the pipe is full */
    assert_int_equal(event_base_get_num_events(w->base, EVENT_BASE_COUNT_ACTIVE), 0); /* and the loop at rest */
    assert_int_equal(fcntl(pipes[0], F_SETFL, O_NONBLOCK), 0);
    while (done < 1500) {
        while ((got = read(pipes[0], room, sizeof room)) > 0)
            taken += got;
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        while (sent < 1500 && say_record(fd, sent + 1))
            sent++;
        while (hear(fd)[0] != '\0')
            done++;
    }
    assert_true(taken > 65536);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)close(fd);
}

static void a_file_that_is_replaced_by_one_with_room_ends_the_waiting(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child), pipes[2];

    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(pipes[1], "x", 1) == 1)
        ;
    audit_child_use(&w->child, pipes[1]);
    assert_true(say_record(fd, 1));
    spin(w);
    assert_string_equal(hear(fd), "");
    audit_child_use(&w->child, w->child.fd);
    spin(w);
    assert_done(fd, 1);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)close(fd);
}

static void what_the_supervisor_does_not_send_changes_nothing(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child);

    assert_int_equal(channel_send_type(w->child.supervisor, "file", -1, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(w->child.supervisor, "writer", -1, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(w->child.supervisor, "issuer", w->child.fd, NULL), POSTERN_OK);
    assert_true(say_record(fd, 1));
    spin(w);
    assert_done(fd, 1);
    (void)close(fd);
}

/* ---- the end ---- */

static void drain_writes_what_was_sent_before_it(void **state)
{
    struct world *w = *state;
    int a = audit_child_writer(&w->child), b = audit_child_writer(&w->child);

    for (int i = 1; i <= 100; i++)
        assert_true(say_record(i % 2 == 0 ? a : b, i));
    audit_child_drain(&w->child);
    for (int i = 0; i < 100 && !w->child.has_ended; i++)
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_true(w->child.has_ended);
    for (int i = 1; i <= 100; i++)
        assert_done(i % 2 == 0 ? a : b, i);
    assert_int_equal(count_records(w->child.fd), 100);
    (void)close(a);
    (void)close(b);
}

static void the_end_of_the_supervisor_is_a_drain(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child);

    spin(w);
    assert_true(say_record(fd, 1));
    channel_free(w->child.supervisor);
    w->child.supervisor = NULL;
    spin(w);
    assert_true(w->child.has_ended);
    assert_done(fd, 1);
    (void)close(fd);
}

static void a_drain_does_not_wait_for_a_writer_that_does_not_read(void **state)
{
    struct world *w = *state;
    int deaf = audit_child_writer(&w->child);

    spin(w);
    for (int round = 0; round < 100; round++) {
        while (say_record(deaf, 1))
            ;
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    audit_child_drain(&w->child);
    spin(w);
    assert_true(w->child.has_ended);
    (void)close(deaf);
}

static void a_drain_writes_what_one_that_does_not_read_has_sent(void **state)
{
    struct world *w = *state;
    int deaf = audit_child_writer(&w->child), sent = 0;

    spin(w);
    for (int round = 0; round < 100; round++) {
        while (say_record(deaf, 2 * sent)) /* with gaps: each has a confirmation of its own */
            sent++;
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    audit_child_drain(&w->child);
    spin(w);
    assert_true(w->child.has_ended);
    assert_int_equal(count_records(w->child.fd), sent);
    (void)close(deaf);
}

/* Who waits for a confirmation that cannot be made hears the end of its line, and so asks for another. */
static void without_memory_nobody_is_left_without_answer_and_end(void **state)
{
    struct world *w = *state;
    bool was_short = true;

    for (unsigned n = 1; was_short && n < 100; n++) {
        int fd = audit_child_writer(&w->child);
        char room[256];
        ssize_t got;

        spin(w);
        assert_true(say_record(fd, 1));
        alloc_fail_arm(n);
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        was_short = alloc_fail_disarm();
        spin(w);
        got = recv(fd, room, sizeof room, MSG_DONTWAIT);
        assert_true(got >= 0 || errno == ECONNRESET);
        (void)close(fd);
        spin(w);
    }
    assert_false(was_short);
}

/* kill -9 and a new start: what was confirmed stands there, and the chain goes on. */
static void a_new_child_goes_on_where_the_old_one_was_killed(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child), file;

    assert_true(say_record(fd, 1));
    spin(w);
    assert_done(fd, 1);
    file = dup(w->child.fd);
    audit_child_stop(&w->child);
    assert_true(is_closed(fd));
    (void)close(fd);
    audit_child_start_in(&w->child, w->base, dup(file));
    fd = audit_child_writer(&w->child);
    assert_true(say_record(fd, 2));
    spin(w);
    assert_done(fd, 2);
    assert_int_equal(count_records(file), 2);
    (void)close(fd);
    (void)close(file);
}

/* ---- rest ---- */

static void say_patient(int fd, int id)
{
    char message[160];

    assert_in_range(snprintf(message, sizeof message, "{\"type\":\"record\",\"id\":%d,\"patient\":true,\"record\":{\"n\":1}}", id), 1,
                    sizeof message - 1);
    say(fd, message);
}

static void whoever_is_patient_is_answered_for_all_it_sent_meanwhile(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child);

    spin(w);
    say_patient(fd, 1);
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_done(fd, 1);
    for (int i = 2; i < 10; i++)
        say_patient(fd, i);
    while (count_records(w->child.fd) < 9) /* by the timer: nothing else would say so */
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    assert_string_equal(hear(fd), "{\"type\":\"done\",\"from\":2,\"id\":9}");
    (void)close(fd);
}

/* The one that rests is not listened to, and everybody else is: also that same one, when it waits. */
static void whoever_waits_is_answered_at_once_beside_one_that_rests(void **state)
{
    struct world *w = *state;
    int patient = audit_child_writer(&w->child), other = audit_child_writer(&w->child);

    spin(w);
    for (int i = 1; i < 50; i++) {
        say_patient(patient, i);
        assert_true(say_record(other, i));
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        assert_done(other, i);
    }
    assert_true(say_record(patient, 50));
    while (count_records(w->child.fd) < 99)
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    for (int i = 1; i <= 50; i++)
        assert_done(patient, i);
    assert_true(say_record(patient, 51)); /* it did not rest after one that it waited for */
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_done(patient, 51);
    (void)close(patient);
    (void)close(other);
}

/* A batch for a pipe is one record.  What stands behind it in the queue is no reason to rest: of many, the last would be
 * confirmed when whoever waits for it has given up. */
static void whose_batch_was_full_does_not_rest(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child), pipes[2], done = 0;

    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    audit_child_use(&w->child, pipes[1]);
    spin(w);
    for (int i = 1; i <= 100; i++)
        say_patient(fd, i);
    for (int i = 0; i < 110; i++)
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    while (hear(fd)[0] != '\0')
        done++;
    assert_int_equal(done, 100);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)close(fd);
}

/* False: its rest was over meanwhile, or it had none. */
static bool rests_while_another_brings(struct world *w)
{
    int a = audit_child_writer(&w->child), b = audit_child_writer(&w->child);
    bool has_rested;

    spin(w);
    say_patient(a, 1);
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_done(a, 1);
    say_patient(b, 1);
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_done(b, 1);
    say_patient(a, 2);
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    has_rested = hear(a)[0] == '\0';
    while (has_rested && hear(a)[0] == '\0') /* and its turn comes */
        assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1);
    (void)close(a);
    (void)close(b);
    spin(w);
    confirmed[a].next = confirmed[b].next = 0;
    confirmed[a].last = confirmed[b].last = -1;
    return has_rested;
}

static void whoever_rests_is_not_woken_by_what_another_brings(void **state)
{
    int rounds = 1;

    while (rounds < 1000 && !rests_while_another_brings(*state))
        rounds++;
    assert_in_range(rounds, 1, 999);
}

/* After its rest it is listened to again, and nothing runs any more. */
static void a_rest_ends_when_nothing_came(void **state)
{
    struct world *w = *state;
    int fd = audit_child_writer(&w->child);

    spin(w);
    say_patient(fd, 1);
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_done(fd, 1);
    assert_in_range(event_base_loop(w->base, EVLOOP_ONCE), 0, 1); /* the timer */
    spin(w);
    assert_true(say_record(fd, 2));
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_done(fd, 2);
    (void)close(fd);
}

static void what_one_that_rests_has_sent_is_written_when_it_ends_and_when_all_ends(void **state)
{
    struct world *w = *state;
    int gone = audit_child_writer(&w->child), fd = audit_child_writer(&w->child);

    spin(w);
    say_patient(gone, 1);
    say_patient(fd, 1);
    (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    for (int i = 2; i < 5; i++) {
        say_patient(gone, i);
        say_patient(fd, i);
    }
    (void)close(gone);
    audit_child_drain(&w->child);
    spin(w);
    assert_true(w->child.has_ended);
    assert_int_equal(count_records(w->child.fd), 8);
    (void)close(fd);
}

static void patience_that_is_no_flag_is_none(void **state)
{
    struct world *w = *state;
    static const char *const other[] = { "false", "1", "\"true\"", "null", "[true]" };
    int fd = audit_child_writer(&w->child);
    char message[160];

    spin(w);
    for (int i = 1; i <= 5; i++) {
        assert_in_range(snprintf(message, sizeof message, "{\"type\":\"record\",\"id\":%d,\"patient\":%s,\"record\":{\"n\":1}}", i, other[i - 1]), 1,
                        sizeof message - 1);
        say(fd, message);
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
        assert_done(fd, i);
    }
    (void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_child_is_ready_with_its_first_file_and_says_so_once),
        TEST(a_record_is_confirmed_and_stands_in_the_file),
        cmocka_unit_test(before_there_is_a_file_a_record_fails),
        TEST(nothing_to_do_is_nothing_pending_but_the_lines),
        TEST(many_writers_are_served_in_one_batch_each_with_its_own_ids),
        TEST(a_run_of_records_has_one_confirmation),
        TEST(a_flood_of_one_writer_does_not_delay_another),
        TEST(a_writer_that_does_not_read_is_not_read_and_disturbs_nobody),
        TEST(a_writer_that_leaves_does_not_take_its_records_along),
        TEST(a_record_that_is_none_fails_alone),
        TEST(a_record_above_the_limit_fails_and_one_at_it_does_not),
        TEST(a_writer_that_talks_nonsense_is_left_and_what_it_said_before_is_kept),
        TEST(more_writers_than_the_limit_are_turned_away),
        TEST(a_full_disk_fails_each_record_with_its_reason_and_room_ends_it),
        TEST(rotation_under_load_loses_nothing),
        TEST(a_pipe_that_is_full_is_waited_for_and_nobody_is_lost),
        TEST(a_file_that_is_replaced_by_one_with_room_ends_the_waiting),
        TEST(what_the_supervisor_does_not_send_changes_nothing),
        TEST(whoever_is_patient_is_answered_for_all_it_sent_meanwhile),
        TEST(whoever_waits_is_answered_at_once_beside_one_that_rests),
        TEST(whose_batch_was_full_does_not_rest),
        TEST(whoever_rests_is_not_woken_by_what_another_brings),
        TEST(a_rest_ends_when_nothing_came),
        TEST(what_one_that_rests_has_sent_is_written_when_it_ends_and_when_all_ends),
        TEST(patience_that_is_no_flag_is_none),
        TEST(drain_writes_what_was_sent_before_it),
        TEST(the_end_of_the_supervisor_is_a_drain),
        TEST(a_drain_does_not_wait_for_a_writer_that_does_not_read),
        TEST(a_drain_writes_what_one_that_does_not_read_has_sent),
        TEST(without_memory_nobody_is_left_without_answer_and_end),
        TEST(a_new_child_goes_on_where_the_old_one_was_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
