/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/audit_print.c and line_reader.c: the records that were asked for, one line each, in which nothing steers a terminal. */
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

#include "audit_print.h"
#include "line_reader.h"
#include "safe_text.h"

#define NOW_S INT64_C(1764000000) /* 2025-11-24T16:00:00Z */

static const char *print(const char *record)
{
    static char text[4096];
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO_JSON j = { 0 };

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(record), NULL), POSTERN_OK);
    audit_print_record(&j, &out);
    assert_false(out.failed);
    memcpy(text, out.ptr, out.len);
    text[out.len] = '\0';
    return text;
}

static bool takes(const struct audit_filter *f, const char *record)
{
    POSTERN_AUTO_JSON j = { 0 };

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(record), NULL), POSTERN_OK);
    return audit_filter_takes(f, &j);
}

#define LOGIN                                                                                      \
    "{\"time\":\"2025-11-24T16:00:00.123Z\",\"ref\":\"R-1\",\"event\":\"login\",\"service\":\"cache\"," \
    "\"peer\":\"192.0.2.7\",\"outcome\":\"proved\",\"reason\":\"ok\",\"client_id\":\"c\",\"session\":\"S-1\"," \
    "\"agent\":\"agent-7\",\"human\":\"alice\",\"rule\":\"cache:write\"}"
#define VERIFY                                                                                     \
    "{\"time\":\"2025-11-24T15:00:00.000Z\",\"ref\":\"R-2\",\"event\":\"verify\",\"service\":\"imap\"," \
    "\"outcome\":\"rejected\",\"reason\":\"aud\",\"sub\":\"alice\",\"client_id\":\"agent-8\",\"user\":\"al\"," \
    "\"act\":[\"agent-7\",\"agent-9\"]}"
#define END                                                                                        \
    "{\"time\":\"2025-11-24T17:00:00.000Z\",\"event\":\"end\",\"service\":\"cache\",\"session\":\"S-1\"," \
    "\"agent\":\"agent-7\",\"end\":\"expired\",\"duration_ms\":3,\"up\":1,\"down\":2}"

/* Of a host that sees both names. */
#define BOTH                                                                                       \
    "{\"time\":\"2025-11-24T15:00:00.000Z\",\"ref\":\"R-3\",\"event\":\"verify\",\"service\":\"ldap\"," \
    "\"outcome\":\"proved\",\"sub\":\"alice@example.org\",\"client_id\":\"agent-8\",\"user\":\"alice\"," \
    "\"purpose\":\"x\",\"grant_id\":\"g-1\",\"act\":[\"agent-7\",\"agent-8\"],\"agent\":\"agent-7\"," \
    "\"human\":\"alice\",\"authcid\":\"agent-7\"}"
/* Of an agent for itself, which has a person's name. */
#define SELF "{\"event\":\"verify\",\"sub\":\"alice\",\"client_id\":\"alice\",\"user\":\"alice\",\"agent\":\"alice\"}"

static void a_human_is_found_by_either_name_and_no_agent_is_one(void **state)
{
    static const struct {
        struct audit_filter f;
        bool both, self;
    } cases[] = {
        { { .human = "alice" }, true, false },
        { { .human = "alice@example.org" }, true, false },
        { { .human = "bob" }, false, false },
        { { .human = "agent-7" }, false, false },
        { { .agent = "agent-7", .human = "alice" }, true, false },
        { { .agent = "agent-8", .human = "alice" }, false, false },
        { { .agent = "alice" }, false, true },
        { { .purpose = "x" }, true, false },
        { { .purpose = "y" }, false, false },
        { { .grant_id = "g-1" }, true, false },
        { { .grant_id = "g-" }, false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (takes(&cases[i].f, BOTH) != cases[i].both || takes(&cases[i].f, SELF) != cases[i].self)
            fail_msg("case %zu", i);
}

static void a_record_is_one_aligned_line(void **state)
{
    (void)state;
    assert_string_equal(print(LOGIN), "2025-11-24T16:00:00.123Z login    proved    cache        agent-7 for alice, from 192.0.2.7, "
                                      "session S-1, rule cache:write, R-1\n");
    assert_string_equal(print(VERIFY), "2025-11-24T15:00:00.000Z verify   rejected  imap         agent-8 as al, aud, R-2\n");
    assert_string_equal(print(END), "2025-11-24T17:00:00.000Z end      -         cache        agent-7, end: expired, "
                                    "session S-1, ms 3, up 1, down 2\n");
    assert_string_equal(print(BOTH), "2025-11-24T15:00:00.000Z verify   proved    ldap         agent-7 for alice, purpose x, R-3\n");
    assert_string_equal(print("{\"agent\":\"a\",\"rule\":\"t:a\",\"user_rule\":\"t:u\"}"),
                        "-                        -        -         -            a, rule t:a and t:u\n");
    assert_string_equal(print("{}"), "-                        -        -         -            -\n");
}

static void nothing_of_a_record_steers_a_terminal_or_makes_a_line(void **state)
{
    static const char *const texts[] = { "\\u001b[2J", "\\n", "\xc2\x9b" "31m", "\xe2\x80\xae", "\\u0000x", "\x7f" };
    char record[128];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        POSTERN_AUTO_JSON j = { 0 };
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);

        memcpy(record, "{\"agent\":\"", 10);
        memcpy(record + 10, texts[i], strlen(texts[i]));
        memcpy(record + 10 + strlen(texts[i]), "\",\"time\":[\"\xc2\x9b\"]}", 17);
        if (postern_json_scan(&j, postern_bytes_str(record), NULL) != POSTERN_OK)
            continue; /* NUL is no JSON of ours */
        audit_print_record(&j, &out);
        assert_true(out.len > 1 && out.ptr[out.len - 1] == '\n');
        assert_true(postern_bytes_is_printable((postern_bytes){ out.ptr, out.len - 1 }));
        postern_buf_reset(&out);
        safe_json_add(postern_bytes_str(record), &out);
        assert_true(postern_bytes_is_printable(postern_buf_bytes(&out)));
        assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK); /* and it is JSON still */
    }
}

static void a_filter_takes_what_was_asked_for(void **state)
{
    static const struct {
        struct audit_filter f;
        bool login, verify, end;
    } cases[] = {
        { { .agent = NULL }, true, true, true },
        { { .agent = "" }, true, true, true },
        { { .agent = "agent-7" }, true, true, true }, /* VERIFY: by its outermost actor */
        { { .agent = "agent-8" }, false, true, false }, /* and by its client */
        { { .agent = "agent-9" }, false, false, false }, /* inner actors are history */
        { { .agent = "c" }, false, false, false }, /* LOGIN says who the agent is */
        { { .human = "alice" }, true, true, false },
        { { .human = "al" }, false, true, false },
        { { .service = "cache" }, true, false, true },
        { { .session = "S-1" }, true, false, true },
        { { .session = "S-" }, false, false, false },
        { { .event = "end" }, false, false, true },
        { { .only_denied = true }, false, true, false },
        { { .only_denied = true, .service = "cache" }, false, false, false },
        { { .since = "2025-11-24" }, true, true, true },
        { { .since = "2025-11-24T16" }, true, false, true },
        { { .since = "2025-11-24T16:00:00.123" }, true, false, true },
        { { .since = "2025-11-24T16:00:00.124" }, false, false, true },
        { { .since = "2025-11-25" }, false, false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (takes(&cases[i].f, LOGIN) != cases[i].login || takes(&cases[i].f, VERIFY) != cases[i].verify ||
            takes(&cases[i].f, END) != cases[i].end)
            fail_msg("case %zu", i);
    assert_true(takes(&(struct audit_filter){ .since = "2025-11-24" }, "{\"time\":5}")); /* rather too much than too little */
    assert_true(takes(&(struct audit_filter){ .since = "2025-11-24" }, "{}"));
}

#define ACTION                                                                                     \
    "{\"time\":\"2026-11-28T16:00:00.123Z\",\"ref\":\"R-9\",\"event\":\"action\",\"service\":\"cache\"," \
    "\"outcome\":\"rejected\",\"reason\":\"policy\",\"agent\":\"agent-7\",\"action\":\"redis:CONFIG|GET\","  \
    "\"resource\":\"a\",\"more_resources\":2,\"database\":3,\"args_digest\":\"dGVzdA\",\"rule\":\"guardrails:no-admin\"," \
    "\"claimed_purpose\":\"x\\u001b\"}"
#define TRIAL                                                                                      \
    "{\"event\":\"action\",\"outcome\":\"proved\",\"action\":\"mcp:tools/call\",\"would\":\"deny\"}"

static void actions_are_found_by_name_and_on_trial(void **state)
{
    static const struct {
        struct audit_filter f;
        bool action, trial, login;
    } cases[] = {
        { { .action = "redis:CONFIG|GET" }, true, false, false },
        { { .action = "redis:*" }, true, false, false },
        { { .action = "*" }, true, true, false },
        { { .action = "mcp:tools/*" }, false, true, false }, /* a slash is a character */
        { { .action = "redis:CONFIG" }, false, false, false },
        { { .action = "redis:config|get" }, false, false, false },
        { { .action = "\\redis:*" }, false, false, false },
        { { .only_denied = true }, true, false, false },
        { { .only_would_deny = true }, false, true, false },
        { { .only_would_deny = true, .action = "redis:*" }, false, false, false },
        { { .only_denied = true, .service = "cache", .agent = "agent-7" }, true, false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (takes(&cases[i].f, ACTION) != cases[i].action || takes(&cases[i].f, TRIAL) != cases[i].trial ||
            takes(&cases[i].f, LOGIN) != cases[i].login)
            fail_msg("case %zu", i);
}

static void an_action_is_printed_whole(void **state)
{
    POSTERN_AUTO_JSON j = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);

    (void)state;
    assert_int_equal(postern_json_scan(&j, postern_bytes_str(ACTION), NULL), POSTERN_OK);
    audit_print_record(&j, &out);
    assert_string_equal(postern_buf_cstr(&out),
                        "2026-11-28T16:00:00.123Z action   rejected  cache        agent-7, policy, "
                        "redis:CONFIG|GET a and more: 2 in database 3, arguments dGVzdA, rule guardrails:no-admin, "
                        "says it is for x\\x1b, R-9\n");
}

static void a_time_is_a_day_or_more_or_how_long_ago(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "2025-11-24", "2025-11-24" },
        { "2025-11-24T16:00", "2025-11-24T16:00" },
        { "2025-11-24T16:00:00Z", "2025-11-24T16:00:00" },
        { "2025-11-24T16:00:00.123Z", "2025-11-24T16:00:00.123" },
        { "0s", "2025-11-24T16:00:00" },
        { "90s", "2025-11-24T15:58:30" },
        { "30m", "2025-11-24T15:30:00" },
        { "12h", "2025-11-24T04:00:00" },
        { "7d", "2025-11-17T16:00:00" },
        { "", NULL },
        { "2025-11", NULL },
        { "2025-11-24 16:00", NULL },
        { "2025-11-24T16:00:00+01:00", NULL },
        { "2025-11-24T16:00:00.1234", NULL },
        { "12", NULL },
        { "h", NULL },
        { "-1h", NULL },
        { "1w", NULL },
        { "1hh", NULL },
        { "99999999999999999999d", NULL },
        { "999999999999999d", NULL },
        { "yesterday", NULL },
    };
    char since[AUDIT_SINCE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(audit_since_parse(cases[i].text, NOW_S, since), cases[i].want != NULL);
        if (cases[i].want != NULL)
            assert_string_equal(since, cases[i].want);
    }
}

/* ---- lines ---- */

static void lines_come_whole_in_any_size_and_the_file_may_grow(void **state)
{
    static char big[3 * LINE_READER_MAX * 4];
    int fd = memfd_create("lines", MFD_CLOEXEC), out = -1;
    char path[64];
    struct line_reader r;
    postern_bytes line;

    (void)state;
    assert_true(snprintf(path, sizeof path, "/proc/self/fd/%d", fd) > 0);
    out = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(line_reader_start(&r, fd, NULL), POSTERN_OK);
    assert_int_equal(line_reader_next(&r, &line, NULL), LINE_NO_MORE);
    assert_int_equal(line_reader_piece(&r).len, 0);
    assert_int_equal(write(out, "one\n\ntw", 7), 7);
    assert_int_equal(line_reader_next(&r, &line, NULL), LINE_WHOLE);
    assert_true(postern_bytes_equal_str(line, "one"));
    assert_int_equal(line_reader_next(&r, &line, NULL), LINE_WHOLE);
    assert_int_equal(line.len, 0);
    assert_int_equal(line_reader_next(&r, &line, NULL), LINE_NO_MORE);
    assert_true(postern_bytes_equal_str(line_reader_piece(&r), "tw"));
    assert_int_equal(write(out, "o\n", 2), 2);
    assert_int_equal(line_reader_next(&r, &line, NULL), LINE_WHOLE);
    assert_true(postern_bytes_equal_str(line, "two"));
    assert_int_equal(r.number, 3);
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 3; i++) { /* at the limit, above it, far above it */
        static const size_t sizes[] = { LINE_READER_MAX, LINE_READER_MAX + 1, sizeof big - 1 };

        big[sizes[i]] = '\n';
        assert_int_equal(write(out, big, sizes[i] + 1), (ssize_t)sizes[i] + 1);
        big[sizes[i]] = 'x';
        assert_int_equal(line_reader_next(&r, &line, NULL), i == 0 ? LINE_WHOLE : LINE_TOO_LONG);
        assert_int_equal(write(out, "next\n", 5), 5);
        assert_int_equal(line_reader_next(&r, &line, NULL), LINE_WHOLE);
        assert_true(postern_bytes_equal_str(line, "next"));
    }
    assert_int_equal(r.number, 9);
    assert_int_equal(r.offset, lseek(fd, 0, SEEK_CUR));
    assert_int_equal(write(out, big, sizeof big), (ssize_t)sizeof big); /* no end at all */
    assert_int_equal(line_reader_next(&r, &line, NULL), LINE_NO_MORE);
    assert_true(line_reader_piece(&r).len != 0);
    line_reader_end(&r);
    (void)close(fd);
    (void)close(out);
}

static void what_cannot_be_read_fails(void **state)
{
    struct line_reader r;
    postern_bytes line;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(line_reader_start(&r, -1, NULL), POSTERN_OK);
    assert_int_equal(line_reader_next(&r, &line, &err), LINE_FAILED);
    assert_int_equal(err.code, POSTERN_ERR_SYSTEM);
    line_reader_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_aligned_line),
        cmocka_unit_test(actions_are_found_by_name_and_on_trial),
        cmocka_unit_test(an_action_is_printed_whole),
        cmocka_unit_test(a_human_is_found_by_either_name_and_no_agent_is_one),
        cmocka_unit_test(nothing_of_a_record_steers_a_terminal_or_makes_a_line),
        cmocka_unit_test(a_filter_takes_what_was_asked_for),
        cmocka_unit_test(a_time_is_a_day_or_more_or_how_long_ago),
        cmocka_unit_test(lines_come_whole_in_any_size_and_the_file_may_grow),
        cmocka_unit_test(what_cannot_be_read_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
