/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What doors counted and where the chain stands, through the real audit child's loop: written with the next period and at the end,
 * not lost with either process, refused while nothing can be written.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern-private/audit_checkpoint.h>
#include <postern-private/clock.h>

#include "audit/tally_memory.h"
#include "../support/audit_child.h"
#include "../support/together.h"

#define ROUNDS_MAX 1000 /* turns of the loop until what is awaited must be there */

struct world {
    struct event_base *base;
    struct audit_child child;
    int log_fd, tally_fd, key_fd, kept_fd;
    struct tally_memory *memory;
    struct tally *door;
};

static void start_child(struct world *w)
{
    audit_child_start_in(&w->child, w->base, dup(w->log_fd));
    assert_int_equal(channel_send_type(w->child.supervisor, "tally", w->tally_fd, NULL), POSTERN_OK);
    audit_child_spin(w->base);
}

static int make_key(void)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(4096);
    int fd = memfd_create("key", MFD_CLOEXEC);

    assert_int_equal(audit_signing_key_make(&pem, NULL), POSTERN_OK);
    assert_int_equal(write(fd, pem.ptr, pem.len), (ssize_t)pem.len);
    return fd;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->base = event_base_new();
    assert_non_null(w->base);
    w->log_fd = memfd_create("audit", MFD_CLOEXEC);
    w->kept_fd = memfd_create("kept", MFD_CLOEXEC);
    assert_true(w->log_fd >= 0 && w->kept_fd >= 0);
    assert_int_equal(fcntl(w->kept_fd, F_SETFL, O_APPEND), 0);
    w->key_fd = make_key();
    assert_int_equal(tally_memory_make(&w->tally_fd, NULL), POSTERN_OK);
    assert_int_equal(tally_memory_map(w->tally_fd, &w->memory, NULL), POSTERN_OK);
    assert_int_equal(tally_new(w->memory, 100, &w->door, NULL), POSTERN_OK);
    start_child(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    audit_child_stop(&w->child);
    tally_free(w->door);
    tally_memory_free(w->memory);
    (void)close(w->log_fd);
    (void)close(w->kept_fd);
    (void)close(w->key_fd);
    (void)close(w->tally_fd);
    event_base_free(w->base);
    free(w);
    return 0;
}

static bool count(struct world *w, const char *session)
{
    const struct tally_of of = { .session = session, .door = "cache", .agent = "agent-7", .human = "alice",
                                 .purpose = "invoices", .action = "redis:GET", .rule = "cache:read" };

    return tally_add(w->door, &of, clock_wall_ms());
}

/* Until the child has written a line that is not its own about the file. */
static void await_line(struct world *w, char room[AUDIT_LINE_MAX])
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (audit_child_line(&w->child, room))
            return;
        assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
    }
    fail_msg("nothing was written");
}

static void drain(struct world *w)
{
    audit_child_drain(&w->child);
    for (int i = 0; i < ROUNDS_MAX && !w->child.has_ended; i++)
        assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
    assert_true(w->child.has_ended);
}

static void use_key(struct world *w, const char *every)
{
    char message[64];

    assert_in_range(snprintf(message, sizeof message, "{\"type\":\"checkpoint_key\",\"every\":%s}", every), 1, 63);
    assert_int_equal(channel_send(w->child.supervisor, postern_bytes_str(message), w->key_fd, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(w->child.supervisor, "checkpoint_file", w->kept_fd, NULL), POSTERN_OK);
    audit_child_spin(w->base);
}

/* ---- counts ---- */

static void what_was_counted_is_written_with_the_next_period(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];

    for (int i = 0; i < 42; i++)
        assert_true(count(w, "S-1"));
    await_line(w, line);
    assert_non_null(strstr(line, "\"event\":\"actions\",\"service\":\"cache\",\"outcome\":\"proved\""));
    assert_non_null(strstr(line, "\"session\":\"S-1\",\"agent\":\"agent-7\",\"human\":\"alice\",\"purpose\":\"invoices\","
                                 "\"action\":\"redis:GET\",\"rule\":\"cache:read\",\"count\":42,\"first\":\""));
    assert_true(count(w, "S-1"));
    await_line(w, line);
    assert_non_null(strstr(line, "\"count\":1,"));
}

static void what_was_counted_last_is_written_before_the_child_ends(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int lines = 0, counted = 0;

    for (int i = 0; i < 400; i++) { /* more than one batch */
        char session[16];

        assert_in_range(snprintf(session, sizeof session, "S-%d", i), 1, 15);
        counted += count(w, session);
    }
    assert_true(counted > AUDIT_BATCH_MAX);
    drain(w);
    while (audit_child_line(&w->child, line))
        lines += strstr(line, "\"event\":\"actions\"") != NULL;
    assert_int_equal(lines, counted);
}

static void neither_process_takes_what_was_counted_with_it(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    struct tally *next = NULL;

    assert_true(count(w, "S-1"));
    audit_child_stop(&w->child); /* killed before its period */
    tally_free(w->door);
    w->door = NULL;
    tally_memory_orphan(w->memory, 100); /* the door too */
    assert_int_equal(tally_new(w->memory, 101, &next, NULL), POSTERN_OK);
    w->door = next;
    assert_true(count(w, "S-2"));
    start_child(w);
    await_line(w, line);
    assert_non_null(strstr(line, "\"session\":\"S-1\""));
    assert_non_null(strstr(line, "\"count\":1,"));
    await_line(w, line);
    assert_non_null(strstr(line, "\"session\":\"S-2\""));
}

static void while_the_disk_is_full_nothing_is_counted_and_nothing_is_lost(void **state)
{
    struct world *w = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    char line[AUDIT_LINE_MAX];
    bool is_counted = true;
    int counted = 0;

    assert_true(full >= 0);
    audit_child_use(&w->child, full);
    audit_child_spin(w->base);
    for (int i = 0; i < ROUNDS_MAX && is_counted; i++) {
        is_counted = count(w, "S-1");
        counted += is_counted;
        if (is_counted)
            assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
    }
    assert_false(is_counted);
    assert_in_range(counted, 1, 10); /* one a period, at most until it is known */
    audit_child_use(&w->child, w->child.fd);
    await_line(w, line);
    assert_non_null(strstr(line, "\"event\":\"actions\""));
    assert_true(count(w, "S-1"));
    (void)close(full);
}

/* ---- checkpoints ---- */

static void the_public_key_is_told_to_the_supervisor(void **state)
{
    struct world *w = *state;
    char pem[1024];
    postern_error err = { 0 };

    use_key(w, "60");
    while (channel_receive(w->child.supervisor, &err) == CHANNEL_MESSAGE)
        if (channel_type_is(w->child.supervisor, "checkpoint_public"))
            break;
    assert_true(channel_type_is(w->child.supervisor, "checkpoint_public"));
    assert_true(channel_text(w->child.supervisor, "pem", pem, sizeof pem));
    assert_int_equal(strncmp(pem, "-----BEGIN PUBLIC KEY-----\n", 27), 0);
    assert_null(strstr(pem, "PRIVATE"));
}

static void a_checkpoint_comes_by_the_clock_and_stands_in_both_places(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX], kept[AUDIT_LINE_MAX] = "";
    char *end;

    use_key(w, "1");
    assert_true(count(w, "S-1"));
    do
        await_line(w, line);
    while (strstr(line, "\"event\":\"checkpoint\"") == NULL);
    assert_true(pread(w->kept_fd, kept, sizeof kept - 1, 0) > 0);
    end = strchr(kept, '\n');
    assert_non_null(end);
    end[-1] = '\0'; /* the object without its end is how the chain's line begins */
    assert_int_equal(strncmp(line, kept, strlen(kept)), 0);
}

static void the_end_of_the_chain_is_signed_before_the_child_ends_and_before_another_file(void **state)
{
    struct world *w = *state;
    int next = memfd_create("next", MFD_CLOEXEC);
    char line[AUDIT_LINE_MAX], last[AUDIT_LINE_MAX] = "";

    use_key(w, "3600");
    use_key(w, "3600"); /* as a reload: what the key before has to sign, it signs */
    audit_child_use(&w->child, next);
    audit_child_spin(w->base);
    while (audit_child_line(&w->child, line))
        memcpy(last, line, sizeof last);
    assert_non_null(strstr(last, "\"event\":\"checkpoint\""));
    assert_true(count(w, "S-1"));
    drain(w);
    (void)close(w->child.fd);
    w->child.fd = next;
    w->child.seen = 0;
    last[0] = '\0';
    while (audit_child_line(&w->child, line))
        memcpy(last, line, sizeof last);
    assert_non_null(strstr(last, "\"event\":\"checkpoint\""));
}

static void without_a_key_there_is_no_checkpoint_and_all_else_goes_on(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];

    assert_true(ftruncate(w->key_fd, 7) == 0);
    use_key(w, "1");
    assert_true(count(w, "S-1"));
    drain(w);
    assert_true(audit_child_line(&w->child, line));
    assert_non_null(strstr(line, "\"event\":\"actions\""));
    assert_false(audit_child_line(&w->child, line));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_counted_is_written_with_the_next_period),
        TEST(what_was_counted_last_is_written_before_the_child_ends),
        TEST(neither_process_takes_what_was_counted_with_it),
        TEST(while_the_disk_is_full_nothing_is_counted_and_nothing_is_lost),
        TEST(the_public_key_is_told_to_the_supervisor),
        TEST(a_checkpoint_comes_by_the_clock_and_stands_in_both_places),
        TEST(the_end_of_the_chain_is_signed_before_the_child_ends_and_before_another_file),
        TEST(without_a_key_there_is_no_checkpoint_and_all_else_goes_on),
    };

    return run_tests_together(tests, sizeof tests / sizeof *tests, NULL);
}
