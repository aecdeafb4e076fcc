/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/audit/file.c: whole lines, or none; the chain goes on over restarts, rotation, full disks and pieces of lines; nothing
 * that stands in a file is changed.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/file.h"

#include "../support/alloc_fail.h"

#define NOW INT64_C(1764000000123)
#define FILE_MAX 65536

struct world {
    struct audit_file *file;
    int fd; /* in memory, append only */
};

static int memory_file(void)
{
    int fd = memfd_create("audit", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
    return fd;
}

static void take(struct audit_file *f, int fd)
{
    int copy = dup(fd);

    assert_true(copy >= 0);
    assert_int_equal(audit_file_take(f, copy, NOW, NULL), POSTERN_OK);
}

static struct audit_file *new_file(int fd)
{
    struct audit_file *f = NULL;

    assert_int_equal(audit_file_new(&f, NULL), POSTERN_OK);
    take(f, fd);
    return f;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->fd = memory_file();
    w->file = new_file(w->fd);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    audit_file_free(w->file);
    (void)close(w->fd);
    free(w);
    return 0;
}

/* As after kill -9 and a new start. */
static void restart(struct world *w)
{
    audit_file_free(w->file);
    w->file = new_file(w->fd);
}

static postern_err add(struct audit_file *f, const char *record)
{
    POSTERN_AUTO_JSON j = { 0 };

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(record), NULL), POSTERN_OK);
    return audit_file_add(f, &j, 0, NOW, NULL);
}

static void write_records(struct audit_file *f, size_t count)
{
    size_t whole;

    for (size_t i = 0; i < count; i++)
        assert_int_equal(add(f, "{\"event\":\"verify\"}"), POSTERN_OK);
    assert_int_equal(audit_file_write(f, &whole, NULL), POSTERN_OK);
    assert_int_equal(whole, count);
}

static const char *content(int fd)
{
    static char text[FILE_MAX];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);

    assert_true(got >= 0);
    text[got] = '\0';
    return text;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/*
 * The lines of a file in one word: 'r' a record of the chain, the first letter of the reason for a "chain" record, 'R' and '!'
 * for those that do not go on from the chained line before, 'u' unchained, '#' damaged, '~' a piece at the end.
 */
static const char *shape(int fd)
{
    static char word[256];
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 };
    postern_reader r = { postern_bytes_str(content(fd)) };
    bool is_first = true;
    postern_bytes line;
    size_t n = 0;

    while (postern_reader_take_until(&r, '\n', &line)) {
        struct audit_link link;
        bool is_own;

        assert_true(n < sizeof word - 2);
        assert_int_equal(audit_chain_read(line, &j, &link, NULL), POSTERN_OK);
        if (link.kind != AUDIT_LINE_CHAINED) {
            word[n++] = link.kind == AUDIT_LINE_UNCHAINED ? 'u' : '#';
            continue;
        }
        is_own = postern_json_string_is(&j, postern_json_member(&j, 0, "event"), "chain");
        word[n] = is_own ? (char)postern_json_raw(&j, postern_json_member(&j, 0, "reason")).ptr[1] : 'r';
        if (is_own && postern_json_string_is(&j, postern_json_member(&j, 0, "reason"), "replaced"))
            word[n] = 'x';
        if (is_own && postern_json_string_is(&j, postern_json_member(&j, 0, "reason"), "unchained"))
            word[n] = 'o';
        if (!audit_chain_follows(&head, &link) && !is_first)
            word[n] = is_own ? '!' : 'R';
        n++;
        head = link.head;
        is_first = false;
    }
    if (!postern_reader_is_done(&r))
        word[n++] = '~';
    word[n] = '\0';
    return word;
}

/* ---- an ordinary life ---- */

static void a_new_file_begins_a_chain_and_says_so(void **state)
{
    struct world *w = *state;

    assert_string_equal(content(w->fd), "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"chain\",\"reason\":\"new\","
                                        "\"seq\":1,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\"}\n");
    write_records(w->file, 3);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nrrrr");
    assert_int_equal(audit_file_head(w->file).seq, 5);
}

static void without_a_file_nothing_is_taken(void **state)
{
    struct audit_file *f = NULL;
    size_t whole = 7;

    (void)state;
    assert_int_equal(audit_file_new(&f, NULL), POSTERN_OK);
    assert_int_equal(add(f, "{\"a\":1}"), POSTERN_ERR_AUDIT);
    assert_int_equal(audit_file_write(f, &whole, NULL), POSTERN_OK);
    assert_int_equal(whole, 0);
    audit_file_free(f);
}

static void a_bad_record_does_not_harm_the_others_of_its_batch(void **state)
{
    struct world *w = *state;
    size_t whole;

    assert_int_equal(add(w->file, "{\"a\":1}"), POSTERN_OK);
    assert_int_equal(add(w->file, "[]"), POSTERN_ERR_MALFORMED);
    assert_int_equal(add(w->file, "{\"seq\":1}"), POSTERN_ERR_MALFORMED);
    assert_int_equal(add(w->file, "{\"a\":2}"), POSTERN_OK);
    assert_int_equal(audit_file_write(w->file, &whole, NULL), POSTERN_OK);
    assert_int_equal(whole, 2);
    assert_string_equal(shape(w->fd), "nrr");
}

static void a_batch_has_an_end(void **state)
{
    struct world *w = *state;
    size_t whole;

    for (size_t i = 0; i < AUDIT_BATCH_MAX; i++) {
        assert_false(audit_file_is_full(w->file));
        assert_int_equal(add(w->file, "{\"a\":1}"), POSTERN_OK);
    }
    assert_true(audit_file_is_full(w->file));
    assert_int_equal(add(w->file, "{\"a\":1}"), POSTERN_ERR_LIMIT);
    assert_int_equal(audit_file_write(w->file, &whole, NULL), POSTERN_OK);
    assert_int_equal(whole, AUDIT_BATCH_MAX);
    assert_int_equal(audit_file_head(w->file).seq, AUDIT_BATCH_MAX + 1);
}

static void what_was_written_is_synced_once(void **state)
{
    struct world *w = *state;

    assert_true(audit_file_is_dirty(w->file));
    assert_int_equal(audit_file_sync(w->file, NULL), POSTERN_OK);
    assert_false(audit_file_is_dirty(w->file));
    write_records(w->file, 1);
    assert_true(audit_file_is_dirty(w->file));
}

static void a_descriptor_without_append_gets_it(void **state)
{
    int fd = memfd_create("plain", MFD_CLOEXEC), other;
    struct audit_file *f;

    (void)state;
    put(fd, "{\"old\":1}\n");
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    other = dup(fd);
    f = new_file(fd);
    write_records(f, 1);
    assert_string_equal(shape(other), "uor");
    audit_file_free(f);
    (void)close(fd);
    (void)close(other);
}

/* ---- going on ---- */

static void after_a_new_start_the_chain_goes_on(void **state)
{
    struct world *w = *state;

    write_records(w->file, 2);
    restart(w);
    write_records(w->file, 2);
    restart(w);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nrrrrr");
}

static void after_a_reload_it_goes_on_without_a_word(void **state)
{
    struct world *w = *state;

    write_records(w->file, 2);
    take(w->file, w->fd);
    write_records(w->file, 2);
    assert_string_equal(shape(w->fd), "nrrrr");
}

static void a_rotated_file_goes_on_and_says_where_the_chain_stands(void **state)
{
    struct world *w = *state;
    int next = memory_file();
    struct audit_head before;

    write_records(w->file, 2);
    before = audit_file_head(w->file);
    take(w->file, next);
    assert_int_equal(audit_file_head(w->file).seq, before.seq + 1);
    (void)close(w->fd);
    w->fd = next;
    restart(w); /* before any record came: nothing is lost */
    write_records(w->file, 1);
    assert_string_equal(shape(next), "rr"); /* 'r' of "rotated" */
    assert_non_null(strstr(content(next), "\"reason\":\"rotated\",\"seq\":4,"));
    assert_int_equal(audit_file_head(w->file).seq, before.seq + 2);
}

static void behind_lines_of_an_older_posternd_a_chain_begins(void **state)
{
    int fd = memory_file();
    struct audit_file *f;

    (void)state;
    put(fd, "{\"old\":1}\n{\"old\":2}\n");
    f = new_file(fd);
    write_records(f, 1);
    assert_string_equal(shape(fd), "uuor");
    assert_non_null(strstr(content(fd), "\"reason\":\"unchained\",\"seq\":1,\"prev\":\"000"));
    audit_file_free(f);
    (void)close(fd);
}

static void behind_what_is_no_record_a_chain_begins_on_a_line_of_its_own(void **state)
{
    static const struct {
        const char *before, *want;
    } cases[] = {
        { "garbage\n", "#dr" },
        { "\n", "#dr" },
        { "{\"old\":1}\ngarbage\n", "u#dr" },
        { "a piece", "#dr" },
        { "{\"old\":1}", "udr" },
        { "{\"old\":1}\n{\"ol", "u#or" },
        { "{\"a\":1,\"seq\":5,\"prev\":\"no hash\"}\n", "#dr" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = memory_file();
        struct audit_file *f;

        put(fd, cases[i].before);
        f = new_file(fd);
        write_records(f, 1);
        assert_memory_equal(content(fd), cases[i].before, strlen(cases[i].before)); /* nothing is taken away */
        assert_string_equal(shape(fd), cases[i].want);
        audit_file_free(f);
        (void)close(fd);
    }
}

static void a_line_longer_than_any_of_ours_is_no_record(void **state)
{
    static char line[3 * AUDIT_LINE_MAX];
    int fd = memory_file();
    struct audit_file *f;

    (void)state;
    memset(line, 'a', sizeof line - 2);
    memcpy(line, "{\"a\":\"", 6);
    memcpy(line + sizeof line - 5, "\"}\n", 4);
    put(fd, line);
    f = new_file(fd);
    write_records(f, 1);
    assert_string_equal(shape(fd), "#dr");
    audit_file_free(f);
    (void)close(fd);
}

/* Killed in the middle of a write, or the power went. */
static void behind_a_piece_of_a_line_the_chain_goes_on(void **state)
{
    struct world *w = *state;

    write_records(w->file, 2);
    put(w->fd, "{\"time\":\"2025-11-24T16:0");
    restart(w);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nrr#tr");
}

static void a_record_that_lacks_nothing_but_its_line_end_is_one(void **state)
{
    struct world *w = *state;

    write_records(w->file, 2);
    assert_int_equal(ftruncate(w->fd, lseek(w->fd, 0, SEEK_END) - 1), 0);
    restart(w);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nrrtr");
}

/* Somebody takes lines away and has the file opened anew, so that the chain should go on from what he left. */
static void lines_taken_away_before_a_reload_show(void **state)
{
    struct world *w = *state;
    off_t before;

    write_records(w->file, 1);
    before = lseek(w->fd, 0, SEEK_END);
    write_records(w->file, 2);
    assert_int_equal(ftruncate(w->fd, before), 0);
    take(w->file, w->fd);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nr!r");
    assert_non_null(strstr(content(w->fd), "\"reason\":\"replaced\",\"seq\":5,"));
}

static void a_foreign_line_before_a_reload_does_not_begin_a_new_chain(void **state)
{
    struct world *w = *state;

    write_records(w->file, 1);
    put(w->fd, "garbage\n");
    take(w->file, w->fd);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nr#dr");
    assert_int_equal(audit_file_head(w->file).seq, 4);
}

static void a_file_that_cannot_be_read_begins_a_chain(void **state)
{
    char path[] = "/tmp/postern-audit.XXXXXX";
    int fd = mkostemp(path, O_APPEND), blind;
    struct audit_file *f;

    (void)state;
    assert_true(fd >= 0);
    put(fd, "{\"old\":1}\n");
    blind = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(unlink(path), 0);
    f = new_file(blind);
    write_records(f, 1);
    assert_string_equal(shape(fd), "u#ur"); /* an empty line more, 'u' of "unreadable" */
    audit_file_free(f);
    (void)close(blind);
    (void)close(fd);
}

/* ---- a full disk ---- */

static struct rlimit limit_file_size(off_t bytes)
{
    struct rlimit was, tight;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    tight = was;
    tight.rlim_cur = (rlim_t)bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    return was;
}

static struct world disk_world(const char *path)
{
    struct world w = { .fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600) };

    assert_true(w.fd >= 0);
    w.file = new_file(w.fd);
    return w;
}

static void of_a_batch_that_does_not_fit_the_whole_lines_count(void **state)
{
    char folder[] = "/tmp/postern-audit.XXXXXX", path[64];
    struct rlimit was;
    struct world w;
    postern_error err = { 0 };
    size_t whole;
    off_t size;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_true((size_t)snprintf(path, sizeof path, "%s/a", folder) < sizeof path);
    w = disk_world(path);
    write_records(w.file, 1);
    size = lseek(w.fd, 0, SEEK_END);
    was = limit_file_size(size + 400); /* two and a half */
    for (int i = 0; i < 5; i++)
        assert_int_equal(add(w.file, "{\"event\":\"verify\",\"filler\":\"0123456789012345678901234567890\"}"), POSTERN_OK);
    assert_int_equal(audit_file_write(w.file, &whole, &err), POSTERN_ERR_AUDIT);
    assert_non_null(strstr(err.detail, "File too large"));
    assert_int_equal(whole, 2);
    assert_string_equal(shape(w.fd), "nrrr"); /* the piece was cut off */
    for (int i = 0; i < 3; i++) { /* and again */
        assert_int_equal(add(w.file, "{\"event\":\"verify\",\"filler\":\"0123456789012345678901234567890\"}"), POSTERN_OK);
        assert_int_equal(audit_file_write(w.file, &whole, &err), POSTERN_ERR_AUDIT);
        assert_int_equal(whole, 0);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    write_records(w.file, 1);
    assert_string_equal(shape(w.fd), "nrrrr");
    (void)tear_down((void *[]){ memcpy(malloc(sizeof w), &w, sizeof w) });
    (void)unlink(path);
    (void)rmdir(folder);
}

/* What cannot be cut off again stays, as a line that is none: a file that somebody else appended to meanwhile. */
static void a_piece_that_cannot_be_cut_off_gets_a_line_end(void **state)
{
    int fds[2];
    struct audit_file *f;
    int fd = memory_file();
    size_t whole;
    char room[64];

    (void)state;
    /* A stream cannot be cut.  The reader's buffer is small and full but for a few bytes. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    f = new_file(fds[0]);
    assert_true(recv(fds[1], room, sizeof room, 0) > 0); /* the "chain" record */
    (void)close(fds[1]);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(add(f, "{\"a\":1}"), POSTERN_OK);
    assert_int_equal(audit_file_write(f, &whole, NULL), POSTERN_ERR_AUDIT);
    assert_int_equal(whole, 0);
    take(f, fd); /* the chain goes on in a file */
    write_records(f, 1);
    assert_string_equal(shape(fd), "rr");
    audit_file_free(f);
    (void)close(fds[0]);
    (void)close(fd);
}

static void a_pipe_gets_whole_lines_only(void **state)
{
    struct audit_file *f;
    char room[AUDIT_LINE_MAX + 1];
    size_t whole, count = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* blocking, as a standard output may be */
    f = new_file(fds[1]);
    while (audit_file_is_writable(f)) {
        assert_int_equal(add(f, "{\"event\":\"verify\"}"), POSTERN_OK);
        assert_true(audit_file_is_full(f)); /* one at a time */
        assert_int_equal(audit_file_write(f, &whole, NULL), POSTERN_OK);
        assert_int_equal(whole, 1);
        count++;
    }
    assert_in_range(count, 100, 1000); /* 64 KiB less a page */
    assert_true(read(fds[0], room, 4096) == 4096);
    assert_true(audit_file_is_writable(f));
    assert_true(audit_file_is_dirty(f));
    assert_int_equal(audit_file_sync(f, NULL), POSTERN_OK); /* nothing to sync is well */
    audit_file_free(f);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_full_disk_from_the_start_delays_the_first_record_of_the_chain(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fd = memory_file();
    struct audit_file *f = new_file(full);
    size_t whole;

    (void)state;
    assert_int_equal(add(f, "{\"a\":1}"), POSTERN_OK);
    assert_int_equal(audit_file_write(f, &whole, NULL), POSTERN_ERR_AUDIT);
    assert_int_equal(audit_file_head(f).seq, 0);
    take(f, fd);
    write_records(f, 1);
    assert_string_equal(shape(fd), "nr");
    audit_file_free(f);
    (void)close(full);
    (void)close(fd);
}

static void a_descriptor_that_is_none_leaves_the_file_before_in_use(void **state)
{
    struct world *w = *state;

    assert_int_equal(audit_file_take(w->file, 1 << 20, NOW, NULL), POSTERN_ERR_SYSTEM);
    write_records(w->file, 1);
    assert_string_equal(shape(w->fd), "nr");
}

/* ---- memory ---- */

static postern_err write_one(void *arg, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_file *f = NULL;
    size_t whole = 0;
    postern_err e;
    int fd = dup(*(int *)arg);

    e = audit_file_new(&f, err);
    if (e != POSTERN_OK) {
        (void)close(fd);
        return e;
    }
    e = audit_file_take(f, fd, NOW, err);
    if (e == POSTERN_OK)
        e = postern_json_scan(&j, postern_bytes_str("{\"a\":1}"), err);
    if (e == POSTERN_OK)
        e = audit_file_add(f, &j, 0, NOW, err);
    if (e == POSTERN_OK)
        e = audit_file_write(f, &whole, err);
    assert_true(e != POSTERN_OK || whole == 1);
    audit_file_free(f);
    return e;
}

static void without_memory_the_chain_stays_whole(void **state)
{
    struct world *w = *state;

    write_records(w->file, 1);
    assert_in_range(alloc_fail_sweep(write_one, &w->fd, POSTERN_OK), 3, 100);
    assert_string_equal(shape(w->fd), "nrr"); /* the one run with memory */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_begins_a_chain_and_says_so),
        cmocka_unit_test(without_a_file_nothing_is_taken),
        TEST(a_bad_record_does_not_harm_the_others_of_its_batch),
        TEST(a_batch_has_an_end),
        TEST(what_was_written_is_synced_once),
        cmocka_unit_test(a_descriptor_without_append_gets_it),
        TEST(after_a_new_start_the_chain_goes_on),
        TEST(after_a_reload_it_goes_on_without_a_word),
        TEST(a_rotated_file_goes_on_and_says_where_the_chain_stands),
        cmocka_unit_test(behind_lines_of_an_older_posternd_a_chain_begins),
        cmocka_unit_test(behind_what_is_no_record_a_chain_begins_on_a_line_of_its_own),
        cmocka_unit_test(a_line_longer_than_any_of_ours_is_no_record),
        TEST(behind_a_piece_of_a_line_the_chain_goes_on),
        TEST(a_record_that_lacks_nothing_but_its_line_end_is_one),
        TEST(lines_taken_away_before_a_reload_show),
        TEST(a_foreign_line_before_a_reload_does_not_begin_a_new_chain),
        cmocka_unit_test(a_file_that_cannot_be_read_begins_a_chain),
        cmocka_unit_test(of_a_batch_that_does_not_fit_the_whole_lines_count),
        cmocka_unit_test(a_piece_that_cannot_be_cut_off_gets_a_line_end),
        cmocka_unit_test(a_pipe_gets_whole_lines_only),
        cmocka_unit_test(a_full_disk_from_the_start_delays_the_first_record_of_the_chain),
        TEST(a_descriptor_that_is_none_leaves_the_file_before_in_use),
        TEST(without_memory_the_chain_stays_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
