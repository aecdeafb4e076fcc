/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/control/control_request.c: which lines are requests, and every cell of the table of rights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/control_request.h"
#include "tests/support/alloc_fail.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct control_request parse(const char *line)
{
    struct control_request rq;
    postern_error err = { 0 };

    if (control_request_parse(postern_bytes_str(line), &rq, &err) != POSTERN_OK)
        fail_msg("%s: %s", line, err.detail);
    return rq;
}

static void each_verb_has_its_members(void **state)
{
    struct control_request rq;

    (void)state;
    rq = parse("{\"verb\":\"sessions\"}");
    assert_int_equal(rq.verb, CONTROL_SESSIONS);
    assert_string_equal(rq.agent, "");
    rq = parse("{\"agent\":\"a\",\"verb\":\"sessions\",\"door\":\"cache\",\"user\":\"u\",\"after\":\"S-1\"}");
    assert_string_equal(rq.agent, "a");
    assert_string_equal(rq.door, "cache");
    assert_string_equal(rq.user, "u");
    assert_string_equal(rq.after, "S-1");
    rq = parse("{\"verb\":\"kill\",\"by\":\"jti\",\"value\":\"\\u00e4\",\"reason\":\"r s\"}");
    assert_int_equal(rq.verb, CONTROL_KILL);
    assert_string_equal(rq.by, "jti");
    assert_string_equal(rq.value, "\xc3\xa4");
    assert_string_equal(rq.reason, "r s");
    rq = parse("{\"verb\":\"block\",\"agent\":\"a b\",\"for\":43200,\"reason\":\"\"}");
    assert_int_equal(rq.verb, CONTROL_BLOCK);
    assert_int_equal(rq.for_s, 43200);
    rq = parse("{\"verb\":\"block\",\"agent\":\"a\"}");
    assert_int_equal(rq.for_s, 0);
    assert_int_equal(parse("{\"verb\":\"unblock\",\"agent\":\"a\"}").verb, CONTROL_UNBLOCK);
    assert_int_equal(parse("{\"verb\":\"blocks\",\"from\":500}").from, 500);
    assert_int_equal(parse("{\"verb\":\"status\"}").verb, CONTROL_STATUS);
    assert_string_equal(parse("{\"verb\":\"held\",\"after\":\"R-1\"}").after, "R-1");
    rq = parse("{\"verb\":\"approve\",\"ref\":\"R-1\",\"reason\":\"why\"}");
    assert_int_equal(rq.verb, CONTROL_APPROVE);
    assert_string_equal(rq.ref, "R-1");
    assert_string_equal(rq.reason, "why");
    assert_int_equal(parse("{\"verb\":\"deny\",\"ref\":\"R-1\"}").verb, CONTROL_DENY);
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const cases[] = {
        "", "x", "[]", "{}", "\"status\"", "{\"verb\":null}", "{\"verb\":1}", "{\"verb\":\"Status\"}",
        "{\"verb\":\"none\"}", "{\"verb\":\"\"}", "{\"verb\":\"status\"}x", "{\"verb\":\"status\",\"verb\":\"kill\"}",
        "{\"verb\":\"status\",\"\\u0076erb\":\"kill\"}", "{\"verb\":\"status\",\"agent\":\"a\"}",
        "{\"verb\":\"status\",\"x\":1}", "{\"verb\":\"sessions\",\"agent\":\"\"}",
        "{\"verb\":\"sessions\",\"agent\":null}", "{\"verb\":\"sessions\",\"agent\":[\"a\"]}",
        "{\"verb\":\"sessions\",\"value\":\"a\"}", "{\"verb\":\"kill\"}", "{\"verb\":\"kill\",\"by\":\"sub\"}",
        "{\"verb\":\"kill\",\"value\":\"a\"}", "{\"verb\":\"kill\",\"by\":\"all\",\"value\":\"a\"}",
        "{\"verb\":\"kill\",\"by\":\"SUB\",\"value\":\"a\"}", "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"\"}",
        "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"a\\n\"}", "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"a\",\"for\":1}",
        "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"a\",\"agent\":\"a\"}", "{\"verb\":\"block\"}",
        "{\"verb\":\"block\",\"agent\":\"\"}", "{\"verb\":\"block\",\"agent\":\"a\\tb\"}",
        "{\"verb\":\"block\",\"agent\":\"a\",\"for\":0}", "{\"verb\":\"block\",\"agent\":\"a\",\"for\":-1}",
        "{\"verb\":\"block\",\"agent\":\"a\",\"for\":\"12h\"}", "{\"verb\":\"block\",\"agent\":\"a\",\"for\":1.5}",
        "{\"verb\":\"block\",\"agent\":\"a\",\"for\":315360001}", "{\"verb\":\"block\",\"agent\":\"a\",\"for\":null}",
        "{\"verb\":\"block\",\"agent\":\"a\",\"reason\":\"x\\u0000\"}", "{\"verb\":\"block\",\"agent\":\"a\",\"reason\":\"\\u009b\"}",
        "{\"verb\":\"unblock\"}", "{\"verb\":\"unblock\",\"agent\":\"a\",\"reason\":\"x\"}",
        "{\"verb\":\"blocks\",\"from\":-1}", "{\"verb\":\"blocks\",\"from\":16385}", "{\"verb\":\"blocks\",\"agent\":\"a\"}",
        "{\"verb\":\"approve\"}", "{\"verb\":\"approve\",\"ref\":\"\"}", "{\"verb\":\"approve\",\"ref\":1}",
        "{\"verb\":\"approve\",\"ref\":\"R-1\",\"agent\":\"a\"}", "{\"verb\":\"deny\"}", "{\"verb\":\"deny\",\"ref\":\"a\\u0000\"}",
        "{\"verb\":\"held\",\"ref\":\"R-1\"}", "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"a\",\"ref\":\"R-1\"}",
        "{'verb':'status'}", "{\"verb\":\"status\",}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct control_request rq = { .verb = CONTROL_VERB_NONE };
        postern_error err = { 0 };

        if (control_request_parse(postern_bytes_str(cases[i]), &rq, &err) != POSTERN_ERR_MALFORMED)
            fail_msg("%s: %s", cases[i], postern_err_reason(err.code));
        assert_int_equal(rq.verb, CONTROL_VERB_NONE);
        assert_true(err.detail[0] != '\0');
    }
}

static postern_err parse_long(const char *format, size_t count)
{
    char letters[2048], line[4096];
    struct control_request rq;

    memset(letters, 'a', count);
    letters[count] = '\0';
    (void)snprintf(line, sizeof line, format, letters); /* lint: format because the test's own */
    return control_request_parse(postern_bytes_str(line), &rq, NULL);
}

static void texts_have_a_longest_length(void **state)
{
    static const struct { const char *format; size_t max; } cases[] = {
        { "{\"verb\":\"block\",\"agent\":\"%s\"}", POSTERN_AGENT_MAX - 1 },
        { "{\"verb\":\"unblock\",\"agent\":\"%s\"}", POSTERN_AGENT_MAX - 1 },
        { "{\"verb\":\"block\",\"agent\":\"a\",\"reason\":\"%s\"}", 255 },
        { "{\"verb\":\"kill\",\"by\":\"agent\",\"value\":\"%s\"}", 1024 },
        { "{\"verb\":\"sessions\",\"agent\":\"%s\"}", 1024 },
        { "{\"verb\":\"sessions\",\"user\":\"%s\"}", 1024 },
        { "{\"verb\":\"sessions\",\"door\":\"%s\"}", 64 },
        { "{\"verb\":\"sessions\",\"after\":\"%s\"}", 64 },
        { "{\"verb\":\"approve\",\"ref\":\"%s\"}", 64 },
        { "{\"verb\":\"deny\",\"ref\":\"R-1\",\"reason\":\"%s\"}", 255 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(parse_long(cases[i].format, cases[i].max), POSTERN_OK);
        if (parse_long(cases[i].format, cases[i].max + 1) != POSTERN_ERR_MALFORMED)
            fail_msg("%s", cases[i].format);
    }
}

/* Every cell: a verb that is added without a row here fails the count. */
static void who_may_what(void **state)
{
    static const struct { control_verb verb; bool nobody, watcher, admin; } table[] = {
        { CONTROL_VERB_NONE, false, false, false },
        { CONTROL_SESSIONS, false, true, true },
        { CONTROL_KILL, false, false, true },
        { CONTROL_BLOCK, false, false, true },
        { CONTROL_UNBLOCK, false, false, true },
        { CONTROL_BLOCKS, false, true, true },
        { CONTROL_STATUS, false, true, true },
        { CONTROL_HELD, false, true, true },
        /* Anybody may ask: the rule that holds it says who may. */
        { CONTROL_APPROVE, true, true, true },
        { CONTROL_DENY, true, true, true },
    };

    (void)state;
    assert_int_equal(COUNT(table), CONTROL_VERBS);
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(control_may(CONTROL_NOBODY, table[i].verb), table[i].nobody);
        assert_int_equal(control_may(CONTROL_WATCHER, table[i].verb), table[i].watcher);
        assert_int_equal(control_may(CONTROL_ADMIN, table[i].verb), table[i].admin);
        assert_false(control_may(CONTROL_ROLES, table[i].verb));
    }
    assert_false(control_may(CONTROL_ADMIN, CONTROL_VERBS));
}

static postern_err parse_once(void *arg, postern_error *err)
{
    struct control_request rq;

    return control_request_parse(postern_bytes_str(arg), &rq, err);
}

static void no_memory_is_no_request(void **state)
{
    char line[] = "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"\\u0061\"}";

    (void)state;
    assert_true(alloc_fail_sweep(parse_once, line, POSTERN_OK) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verb_has_its_members),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(texts_have_a_longest_length),
        cmocka_unit_test(who_may_what),
        cmocka_unit_test(no_memory_is_no_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
