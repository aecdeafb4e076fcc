/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/audit_check.c on what sidecar/audit/file.c writes: a chain that was left alone is whole, and any byte that was changed,
 * any line that was removed, put in or moved is found.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/file.h"
#include "audit_check.h"

#define NOW INT64_C(1764000000123)
#define TEXT_MAX 16384

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

/* A file with `count` records behind its "chain" record; written on behind what `t` holds. */
static struct audit_head write_file(struct text *t, int count)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_file *f = NULL;
    struct audit_head head;
    int fd = memfd_create("audit", MFD_CLOEXEC);
    char record[64];
    size_t whole;
    ssize_t got;

    assert_int_equal(write(fd, t->bytes, t->len), (ssize_t)t->len);
    assert_int_equal(audit_file_new(&f, NULL), POSTERN_OK);
    assert_int_equal(audit_file_take(f, dup(fd), NOW, NULL), POSTERN_OK);
    for (int i = 0; i < count; i++) {
        assert_in_range(snprintf(record, sizeof record, "{\"time\":\"t\",\"event\":\"login\",\"n\":%d}", i), 1, 63);
        assert_int_equal(postern_json_scan(&j, postern_bytes_str(record), NULL), POSTERN_OK);
        assert_int_equal(audit_file_add(f, &j, 0, NOW, NULL), POSTERN_OK);
    }
    assert_int_equal(audit_file_write(f, &whole, NULL), POSTERN_OK);
    assert_int_equal(whole, count);
    head = audit_file_head(f);
    got = pread(fd, t->bytes, TEXT_MAX, 0);
    assert_in_range(got, 1, TEXT_MAX - 1);
    t->len = (size_t)got;
    audit_file_free(f);
    (void)close(fd);
    return head;
}

static bool feed(struct audit_check *c, const char *name, const char *bytes, size_t len)
{
    postern_reader r = { { (const uint8_t *)bytes, len } };
    postern_error err = { 0 };
    uint64_t number = 0;
    postern_bytes line;

    while (postern_reader_take_until(&r, '\n', &line))
        if (!audit_check_line(c, name, ++number, line, true, &err))
            return false;
    return postern_reader_is_done(&r) || audit_check_line(c, name, ++number, r.rest, false, &err);
}

/* The sentence about the break, "" when it is whole. */
static const char *verify(const char *bytes, size_t len, const struct audit_head *wanted)
{
    static char said[512];
    struct audit_check c = { 0 };

    if (wanted != NULL) {
        c.has_wanted = c.has_wanted_seq = true;
        memcpy(c.wanted_hash, wanted->hash, sizeof c.wanted_hash);
        c.wanted_seq = wanted->seq;
    }
    said[0] = '\0';
    if (!feed(&c, "a", bytes, len) || !audit_check_finish(&c)) {
        assert_true(c.broken.line != 0 && c.what[0] != '\0');
        assert_in_range(snprintf(said, sizeof said, "%s:%d: %s", c.broken.file, (int)c.broken.line, c.what), 1, 511);
    } else if (wanted != NULL && !c.is_wanted_found) {
        memcpy(said, "head", 5);
    } else if (c.head.seq == 0) {
        memcpy(said, "none", 5);
    }
    audit_check_free(&c);
    return said;
}

static const char *verify_text(const char *text)
{
    return verify(text, strlen(text), NULL);
}

static void assert_says(const char *said, const char *want)
{
    if (strstr(said, want) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", said, want);
}

static void what_was_left_alone_is_whole(void **state)
{
    struct audit_check c = { 0 };
    struct text t = { .len = 0 };
    struct audit_head head = write_file(&t, 5);

    (void)state;
    assert_true(feed(&c, "a", t.bytes, t.len));
    assert_true(audit_check_finish(&c));
    assert_int_equal(c.record_count, 6);
    assert_int_equal(c.first_seq, 1);
    assert_string_equal(c.first_time, "2025-11-24T16:00:00.123Z");
    assert_memory_equal(&c.head, &head, sizeof head);
    audit_check_free(&c);
    assert_string_equal(verify(t.bytes, t.len, &head), "");
    head.seq++;
    assert_string_equal(verify(t.bytes, t.len, &head), "head");
}

/* With the head that was exported every byte counts; without it, all but those of the last line. */
static void any_single_byte_that_was_changed_is_found(void **state)
{
    static const uint8_t changes[] = { 0x01, 0x02, 0x10, 0x20, 0x80, 0xff };
    struct text t = { .len = 0 };
    struct audit_head head = write_file(&t, 4);
    size_t last_line = t.len - 1;

    (void)state;
    while (t.bytes[last_line - 1] != '\n')
        last_line--;
    for (size_t i = 0; i < t.len; i++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            t.bytes[i] = (char)(t.bytes[i] ^ changes[k]);
            if (verify(t.bytes, t.len, &head)[0] == '\0')
                fail_msg("byte %zu changed by %02x is not found", i, changes[k]);
            if (i < last_line && verify(t.bytes, t.len, NULL)[0] == '\0')
                fail_msg("byte %zu changed by %02x is not found without the head", i, changes[k]);
            t.bytes[i] = (char)(t.bytes[i] ^ changes[k]);
        }
    }
}

static void any_single_byte_that_was_removed_or_put_in_is_found(void **state)
{
    static const char put_in[] = { 'x', '1', '"', ',', '\n', ' ', '\\', '\0' };
    struct text t = { .len = 0 };
    struct audit_head head = write_file(&t, 3);
    char room[TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < t.len; i++) {
        memcpy(room, t.bytes, i);
        memcpy(room + i, t.bytes + i + 1, t.len - i - 1);
        if (verify(room, t.len - 1, &head)[0] == '\0')
            fail_msg("byte %zu is gone and nobody knows", i);
        for (size_t k = 0; k < sizeof put_in; k++) {
            room[i] = put_in[k];
            memcpy(room + i + 1, t.bytes + i, t.len - i);
            if (verify(room, t.len + 1, &head)[0] == '\0')
                fail_msg("%02x before byte %zu is not found", put_in[k], i);
        }
    }
}

static void any_line_that_was_removed_doubled_or_moved_is_found(void **state)
{
    struct text t = { .len = 0 };
    struct audit_head head = write_file(&t, 5);
    const char *lines[8];
    size_t count = 0;

    (void)state;
    for (char *at = t.bytes; at < t.bytes + t.len; at = strchr(at, '\n') + 1)
        lines[count++] = at;
    lines[count] = t.bytes + t.len;
    assert_int_equal(count, 6);
    for (size_t gone = 0; gone < count; gone++) {
        char room[TEXT_MAX] = "";
        size_t before = (size_t)(lines[gone] - t.bytes), len = (size_t)(lines[gone + 1] - lines[gone]);
        bool is_found;

        memcpy(room, t.bytes, before);
        memcpy(room + before, lines[gone + 1], t.len - before - len);
        /* without its first line it is a chain that began in an older file; without its last, an older one of itself */
        is_found = verify(room, t.len - len, NULL)[0] != '\0';
        assert_int_equal(is_found, gone != 0 && gone != count - 1);
        if (gone == count - 1)
            assert_string_equal(verify(room, t.len - len, &head), "head");
        memcpy(room, t.bytes, before + len);
        memcpy(room + before + len, lines[gone], t.len - before);
        assert_says(verify(room, t.len + len, NULL), gone == 0 ? "a new chain begins" : "twice");
    }
}

static void several_rotated_files_are_one_chain_and_their_order_counts(void **state)
{
    struct text whole = { .len = 0 };
    struct audit_check c = { 0 };
    const char *middle;

    (void)state;
    (void)write_file(&whole, 6);
    middle = strchr(strchr(strchr(whole.bytes, '\n') + 1, '\n') + 1, '\n') + 1;
    assert_true(feed(&c, "audit.1", whole.bytes, (size_t)(middle - whole.bytes)));
    assert_true(feed(&c, "audit", middle, whole.len - (size_t)(middle - whole.bytes)));
    assert_true(audit_check_finish(&c));
    assert_int_equal(c.record_count, 7);
    audit_check_free(&c);
    c = (struct audit_check){ 0 };
    assert_true(feed(&c, "audit", middle, whole.len - (size_t)(middle - whole.bytes)));
    assert_int_equal(c.first_seq, 4); /* whole since */
    assert_false(feed(&c, "audit.1", whole.bytes, (size_t)(middle - whole.bytes)));
    assert_string_equal(c.broken.file, "audit.1");
    audit_check_free(&c);
}

static void a_head_of_a_file_that_is_not_here_any_more_is_found(void **state)
{
    struct text old = { .len = 0 }, both;
    struct audit_head head = write_file(&old, 2);

    (void)state;
    both = old;
    (void)write_file(&both, 2);
    assert_string_equal(verify(both.bytes + old.len, both.len - old.len, &head), "");
    assert_string_equal(verify(both.bytes, both.len, &head), "");
    head.hash[0] ^= 1;
    assert_string_equal(verify(both.bytes, both.len, &head), "head");
}

static void records_of_an_older_posternd_stand_before_the_chain_and_nowhere_else(void **state)
{
    struct text t = { .bytes = "{\"old\":1}\n{\"old\":2}\n", .len = 20 };
    struct audit_check c = { 0 };

    (void)state;
    (void)write_file(&t, 2);
    assert_true(feed(&c, "a", t.bytes, t.len));
    assert_true(audit_check_finish(&c));
    assert_int_equal(c.unchained_count, 2);
    assert_int_equal(c.record_count, 3);
    audit_check_free(&c);
    memcpy(t.bytes + t.len, "{\"old\":3}\n", 11);
    assert_says(verify(t.bytes, t.len + 10, NULL), "a record without seq and prev within the chain");
    assert_string_equal(verify_text("{\"old\":1}\n"), "none");
    assert_string_equal(verify_text(""), "none");
}

/* Killed in the middle of a write. */
static void a_piece_of_a_line_is_explained_by_the_record_behind_it(void **state)
{
    struct text t = { .len = 0 }, changed;
    struct audit_check c = { 0 };
    const char *piece;

    (void)state;
    (void)write_file(&t, 2);
    memcpy(t.bytes + t.len, "{\"time\":\"2025", 14);
    t.len += 13;
    assert_says(verify(t.bytes, t.len, NULL), "not a whole record");
    (void)write_file(&t, 2);
    assert_true(feed(&c, "a", t.bytes, t.len));
    assert_true(audit_check_finish(&c));
    assert_int_equal(c.torn_count, 1);
    assert_int_equal(c.record_count, 6);
    audit_check_free(&c);
    changed = t; /* a record in its place is not explained */
    piece = strstr(changed.bytes, "{\"time\":\"2025\n");
    memcpy(changed.bytes + (piece - changed.bytes), "{\"time\":1234}\n", 14);
    assert_says(verify(changed.bytes, changed.len, NULL), "without seq and prev within the chain");
    changed = t; /* nor one that was damaged until it looked like a piece */
    *strstr(changed.bytes, "\"n\":1") = 'x';
    assert_says(verify(changed.bytes, changed.len, NULL), "not a record");
}

static void a_chain_that_was_begun_anew_in_the_middle_is_a_break(void **state)
{
    struct text t = { .len = 0 }, other = { .len = 0 };

    (void)state;
    (void)write_file(&t, 2);
    (void)write_file(&other, 2);
    memcpy(t.bytes + t.len, other.bytes, other.len);
    assert_string_equal(verify(t.bytes, t.len + other.len, NULL),
                        "a:4: a new chain begins here; nothing binds the records before it to those behind it");
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static void a_beginning_that_is_none_is_a_break(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "{\"event\":\"chain\",\"seq\":1,\"prev\":\"" ZEROS "\"}\n", "" },
        { "{\"event\":\"login\",\"seq\":7,\"prev\":\"" ONES "\"}\n", "" },
        { "{\"event\":\"login\",\"seq\":1,\"prev\":\"" ZEROS "\"}\n", "a:1: record number 1 is not the beginning" },
        { "{\"event\":\"chain\",\"seq\":1,\"prev\":\"" ONES "\"}\n", "a:1: record number 1 is not the beginning" },
        { "{\"event\":\"login\",\"seq\":7,\"prev\":\"" ZEROS "\"}\n", "a:1: only the first" },
        { "{\"old\":1}\n{\"event\":\"login\",\"seq\":7,\"prev\":\"" ONES "\"}\n", "a:2: the records before this one" },
        { "x\n{\"event\":\"chain\",\"seq\":1,\"prev\":\"" ZEROS "\"}\n", "a:1: this is not a record" },
        { "x\n{\"old\":1}\n", "a:1: this is not a record" },
        { "{\"event\":\"login\",\"seq\":7,\"prev\":\"" ONES "\"}\nx\n{\"a\":1}\n", "a:2: this is not a record" },
        { "\n", "a:1: this is not a whole record" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *said = verify_text(cases[i].text);

        if (cases[i].want[0] == '\0')
            assert_string_equal(said, "");
        else
            assert_says(said, cases[i].want);
    }
}

static void a_break_says_which_record_and_how_many_are_missing(void **state)
{
    struct text t = { .len = 0 };
    char *second, *third, *fifth;

    (void)state;
    (void)write_file(&t, 5);
    second = strchr(t.bytes, '\n') + 1;
    third = strchr(second, '\n') + 1;
    fifth = strchr(strchr(third, '\n') + 1, '\n') + 1;
    strstr(second, "login")[0] = 'L';
    assert_says(verify(t.bytes, t.len, NULL), "a:2: this record was changed");
    strstr(second, "Login")[0] = 'l';
    memmove(third, fifth, t.len - (size_t)(fifth - t.bytes));
    assert_says(verify(t.bytes, t.len - (size_t)(fifth - third), NULL), "a:3: record 5 follows record 2: 2 are missing");
}

static void a_long_file_name_loses_its_beginning_only(void **state)
{
    struct audit_check c = { 0 };
    char name[400];

    (void)state;
    memset(name, 'a', sizeof name);
    memcpy(name + sizeof name - 7, "/audit", 7);
    assert_true(audit_check_line(&c, name, 3, postern_bytes_str("x"), true, NULL));
    assert_false(audit_check_finish(&c));
    assert_int_equal(strlen(c.broken.file), AUDIT_CHECK_FILE_MAX - 1);
    assert_non_null(strstr(c.broken.file, "/audit"));
    audit_check_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_left_alone_is_whole),
        cmocka_unit_test(any_single_byte_that_was_changed_is_found),
        cmocka_unit_test(any_single_byte_that_was_removed_or_put_in_is_found),
        cmocka_unit_test(any_line_that_was_removed_doubled_or_moved_is_found),
        cmocka_unit_test(several_rotated_files_are_one_chain_and_their_order_counts),
        cmocka_unit_test(a_head_of_a_file_that_is_not_here_any_more_is_found),
        cmocka_unit_test(records_of_an_older_posternd_stand_before_the_chain_and_nowhere_else),
        cmocka_unit_test(a_piece_of_a_line_is_explained_by_the_record_behind_it),
        cmocka_unit_test(a_chain_that_was_begun_anew_in_the_middle_is_a_break),
        cmocka_unit_test(a_beginning_that_is_none_is_a_break),
        cmocka_unit_test(a_break_says_which_record_and_how_many_are_missing),
        cmocka_unit_test(a_long_file_name_loses_its_beginning_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
