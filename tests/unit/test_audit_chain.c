/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/audit/chain.c: a line carries the hash of the one before; what was not written so is not read so. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <postern-private/audit_chain.h>

#include "../support/alloc_fail.h"

/* printf '{"a":1,"seq":1,"prev":"%064d"}' 0 | sha256sum */
#define FIRST_LINE_SHA256 "a7cd666700dccad97f225e7f9accb9ca27c087a5d977db08e3a63ed87c106495"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static postern_err add(struct audit_head *head, const char *record, postern_buf *out)
{
    POSTERN_AUTO_JSON j = { 0 };

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(record), NULL), POSTERN_OK);
    return audit_chain_add(head, &j, 0, out, NULL);
}

static audit_line_kind kind_of(const char *line)
{
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_link link;

    assert_int_equal(audit_chain_read(postern_bytes_str(line), &j, &link, NULL), POSTERN_OK);
    assert_int_equal(j.count == 0, link.kind == AUDIT_LINE_DAMAGED);
    return link.kind;
}

static void each_line_holds_the_hash_of_the_line_before(void **state)
{
    static const char want[] =
        "{\"a\":1,\"seq\":1,\"prev\":\"" ZEROS "\"}\n"
        "{\"b\":\"x\",\"seq\":2,\"prev\":\"FIRST\"}\n";
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2 * AUDIT_LINE_MAX);
    struct audit_head head = { 0 };
    char first[AUDIT_HASH_DIGITS + 1];
    const char *mark = strstr(want, "FIRST");
    size_t before = (size_t)(mark - want);

    (void)state;
    assert_int_equal(add(&head, "{\"a\":1}", &out), POSTERN_OK);
    assert_int_equal(head.seq, 1);
    audit_hash_text(head.hash, first);
    assert_string_equal(first, FIRST_LINE_SHA256);
    assert_int_equal(add(&head, "{\"b\":\"x\"}", &out), POSTERN_OK);
    assert_int_equal(head.seq, 2);
    assert_memory_equal(out.ptr, want, before);
    assert_memory_equal(out.ptr + before, first, AUDIT_HASH_DIGITS);
    assert_string_equal(postern_buf_cstr(&out) + before + AUDIT_HASH_DIGITS, mark + 5);
}

static void what_was_written_is_read_and_follows(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(8 * AUDIT_LINE_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 }, seen = { 0 };
    postern_reader r;
    postern_bytes line;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(add(&head, "{\"time\":\"t\",\"act\":[\"a\"]}", &out), POSTERN_OK);
    r.rest = postern_buf_bytes(&out);
    while (postern_reader_take_until(&r, '\n', &line)) {
        struct audit_link link;

        assert_int_equal(audit_chain_read(line, &j, &link, NULL), POSTERN_OK);
        assert_int_equal(link.kind, AUDIT_LINE_CHAINED);
        assert_true(audit_chain_follows(&seen, &link));
        assert_false(audit_chain_follows(&link.head, &link));
        link.prev[31] ^= 1;
        assert_false(audit_chain_follows(&seen, &link));
        seen = link.head;
    }
    assert_memory_equal(&seen, &head, sizeof head);
}

static void only_an_object_on_one_line_without_members_of_the_chain_becomes_a_line(void **state)
{
    static const struct {
        const char *record;
        postern_err want;
    } cases[] = {
        { "{\"a\":{\"seq\":1,\"prev\":2}}", POSTERN_OK },
        { "{ \"a\" : 1 }", POSTERN_OK },
        { "{}", POSTERN_ERR_MALFORMED },
        { "[1]", POSTERN_ERR_MALFORMED },
        { "\"a\"", POSTERN_ERR_MALFORMED },
        { "{\"a\":\n1}", POSTERN_ERR_MALFORMED },
        { "{\"a\":1\t}", POSTERN_ERR_MALFORMED },
        { "{\"seq\":1}", POSTERN_ERR_MALFORMED },
        { "{\"a\":1,\"s\\u0065q\":1}", POSTERN_ERR_MALFORMED },
        { "{\"prev\":\"\",\"a\":1}", POSTERN_ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_LINE_MAX);
        struct audit_head head = { 0 };

        assert_int_equal(add(&head, cases[i].record, &out), cases[i].want);
        assert_int_equal(out.len != 0, cases[i].want == POSTERN_OK);
        assert_int_equal(head.seq, cases[i].want == POSTERN_OK);
        if (out.len != 0) {
            out.ptr[out.len - 1] = '\0';
            assert_int_equal(kind_of((const char *)out.ptr), AUDIT_LINE_CHAINED);
        }
    }
}

static void a_record_that_is_not_there_is_no_line(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_LINE_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 };

    (void)state;
    assert_int_equal(audit_chain_add(&head, &j, POSTERN_JSON_ABSENT, &out, NULL), POSTERN_ERR_MALFORMED);
    assert_int_equal(out.len, 0);
}

static void the_longest_record_with_the_longest_number_fits_a_line_and_no_longer_one(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2 * AUDIT_LINE_MAX);
    struct audit_head head = { .seq = AUDIT_SEQ_MAX - 1 };
    char record[AUDIT_RECORD_MAX + 2];

    (void)state;
    memset(record, 'a', sizeof record);
    memcpy(record, "{\"a\":\"", 6);
    memcpy(record + AUDIT_RECORD_MAX - 2, "\"}", 3);
    assert_int_equal(add(&head, record, &out), POSTERN_OK);
    assert_in_range(out.len, AUDIT_LINE_MAX - 1, AUDIT_LINE_MAX);
    assert_int_equal(add(&head, "{\"a\":1}", &out), POSTERN_ERR_LIMIT); /* no number left */
    memcpy(record + AUDIT_RECORD_MAX - 2, "a\"}", 4);
    head.seq = 0;
    assert_int_equal(add(&head, record, &out), POSTERN_ERR_LIMIT);
    assert_int_equal(head.seq, 0);
}

static void a_line_of_an_older_posternd_is_known_and_a_damaged_one_too(void **state)
{
    static const struct {
        const char *line;
        audit_line_kind want;
    } cases[] = {
        { "{\"a\":1,\"seq\":1,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_CHAINED },
        { "{\"a\":1}", AUDIT_LINE_UNCHAINED },
        { "{}", AUDIT_LINE_UNCHAINED },
        { "", AUDIT_LINE_DAMAGED },
        { "[]", AUDIT_LINE_DAMAGED },
        { "{\"a\":1", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":0,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":-1,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1.0,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":\"1\",\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1,\"prev\":\"" ZEROS "0\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1,\"prev\":0}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1,\"prev\":\"A00000000000000000000000000000000000000000000000000000000000000A\"}",
          AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1,\"prev\":\"" ZEROS "\",\"b\":2}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"prev\":\"" ZEROS "\",\"seq\":1}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\"seq\":1,\"prev\":\"" ZEROS "\"} ", AUDIT_LINE_DAMAGED },
        { "{\"a\":1, \"seq\":1,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"a\":1,\t\"b\":1,\"seq\":1,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
        { "{\"seq\":1,\"a\":1,\"seq\":1,\"prev\":\"" ZEROS "\"}", AUDIT_LINE_DAMAGED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (kind_of(cases[i].line) != cases[i].want)
            fail_msg("%s", cases[i].line);
}

static void a_hash_is_64_lower_case_digits(void **state)
{
    uint8_t hash[AUDIT_HASH_LEN];
    char text[AUDIT_HASH_DIGITS + 1];

    (void)state;
    assert_true(audit_hash_parse(postern_bytes_str(FIRST_LINE_SHA256), hash));
    audit_hash_text(hash, text);
    assert_string_equal(text, FIRST_LINE_SHA256);
    assert_false(audit_hash_parse(postern_bytes_str(""), hash));
    assert_false(audit_hash_parse(postern_bytes_str(ZEROS "0"), hash));
    assert_false(audit_hash_parse((postern_bytes){ (const uint8_t *)ZEROS, 63 }, hash));
    memcpy(text, "g", 1);
    assert_false(audit_hash_parse(postern_bytes_str(text), hash));
}

static postern_err write_and_read(void *arg, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_LINE_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 };
    struct audit_link link;

    (void)arg;
    POSTERN_TRY(postern_json_scan(&j, postern_bytes_str("{\"a\":1}"), err));
    POSTERN_TRY(audit_chain_add(&head, &j, 0, &out, err));
    POSTERN_TRY(audit_chain_read((postern_bytes){ out.ptr, out.len - 1 }, &j, &link, err));
    assert_int_equal(link.kind, AUDIT_LINE_CHAINED);
    return POSTERN_OK;
}

static void without_memory_nothing_is_taken_for_damaged(void **state)
{
    (void)state;
    assert_in_range(alloc_fail_sweep(write_and_read, NULL, POSTERN_OK), 2, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_holds_the_hash_of_the_line_before),
        cmocka_unit_test(what_was_written_is_read_and_follows),
        cmocka_unit_test(only_an_object_on_one_line_without_members_of_the_chain_becomes_a_line),
        cmocka_unit_test(a_record_that_is_not_there_is_no_line),
        cmocka_unit_test(the_longest_record_with_the_longest_number_fits_a_line_and_no_longer_one),
        cmocka_unit_test(a_line_of_an_older_posternd_is_known_and_a_damaged_one_too),
        cmocka_unit_test(a_hash_is_64_lower_case_digits),
        cmocka_unit_test(without_memory_nothing_is_taken_for_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
