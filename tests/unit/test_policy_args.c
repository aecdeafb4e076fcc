/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What actions are given, as doors give it: JSON that was scanned, and bytes by position; lists that
 * are shown before arguments are known; duties; who approves; the tables of actions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern-private/json.h>

#include "../support/test_policy.h"

static test_question q;
static postern_json json;

static int set_up(void **state)
{
    (void)state;
    test_question_make(&q);
    q.question.protocol = "mcp";
    q.question.action = "tools/call";
    q.question.resource = postern_bytes_str("tool");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_question_end(&q);
    postern_json_free(&json);
    return 0;
}

static void give(const char *text)
{
    postern_error err = { 0 };

    if (postern_json_scan(&json, postern_bytes_str(text), &err) != POSTERN_OK)
        fail_msg("%s: %s", text, err.detail);
    q.question.args = (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_JSON, .json = &json };
}

static postern_verdict judge(const char *rules)
{
    postern_policy *p = test_policy_make(rules);
    postern_decision d = test_question_ask(&q, p);

    postern_policy_free(p);
    return d.verdict;
}

/* 'y' true, 'n' false, '?' not known: what an allow, a deny and both under `not` make of a test. */
static char say(const char *test)
{
    static const char *const shapes[] = {
        "allow anyone to %s:* if %s", "deny anyone to %s:* if %s\nallow anyone to %s:*",
        "allow anyone to %s:* if not %s", "deny anyone to %s:* if not %s\nallow anyone to %s:*"
    };
    const char *protocol = q.question.protocol;
    char text[1024];
    unsigned bits = 0;

    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof text, shapes[i], protocol, test, protocol);
        bits |= (unsigned)(judge(text) == POSTERN_VERDICT_ALLOW) << i;
    }
    switch (bits) {
    case 1 | 8: /* allow if so; deny if not so does not match */
        return 'y';
    case 2 | 4:
        return 'n';
    case 0:
        return '?';
    default:
        return '!';
    }
}

struct row {
    const char *args, *test;
    char want;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char got;

        give(rows[i].args);
        got = say(rows[i].test);
        if (got != rows[i].want)
            fail_msg("%s if %s: %c, not %c", rows[i].args, rows[i].test, got, rows[i].want);
    }
}

static void members_are_compared_by_their_own_type(void **state)
{
    static const struct row rows[] = {
        { "{\"n\":5}", "arg.n = 5", 'y' },
        { "{\"n\":5.0}", "arg.n = 5", 'y' },
        { "{\"n\":5.00000000000001}", "arg.n = 5", 'n' },
        { "{\"n\":5.000000000000001}", "arg.n = 5", '?' },
        { "{\"n\":5.000000000000000000000}", "arg.n = 5", 'y' },
        { "{\"n\":-0}", "arg.n = 0", 'y' },
        { "{\"n\":-0.0}", "arg.n >= 0", 'y' },
        { "{\"n\":-5.000000000000001}", "arg.n < 0", 'y' },
        { "{\"n\":123456789.0000000001}", "arg.n = 123456789", '?' },
        { "{\"n\":123456789.000001}", "arg.n = 123456789", 'n' },
        { "{\"n\":123456789.0000001}", "arg.n = 123456789", '?' },
        { "{\"n\":999999.99999999999}", "arg.n < 1000000", '?' },
        { "{\"n\":999999.999999999}", "arg.n < 1000000", 'y' },
        { "{\"n\":100000000000000.5}", "arg.n > 5", 'y' },
        { "{\"n\":0.000000000000001}", "arg.n > 0", 'y' },
        { "{\"n\":0.0000000000000001}", "arg.n > 0", '?' },
        { "{\"n\":0.999999999999999}", "arg.n < 1", 'y' },
        { "{\"n\":0.9999999999999999}", "arg.n < 1", '?' },
        { "{\"n\":0.9999999999999999}", "arg.n != 1", '?' },
        { "{\"n\":999999.99999999999}", "arg.n in (5, 1000000)", '?' },
        { "{\"n\":[999999.99999999999]}", "arg.n has 1000000", '?' },
        { "{\"n\":1e6}", "arg.n = 1000000", '?' },
        { "{\"n\":1E0}", "arg.n = 1", '?' },
        { "{\"n\":1000000000000000}", "arg.n < 1GiB", '?' },
        { "{\"n\":1e2}", "arg.n <= 100", '?' },
        { "{\"n\":100E-2}", "arg.n = 1", '?' },
        { "{\"n\":1234567890123456}", "arg.n > 5", '?' },
        { "{\"n\":123456789012345}", "arg.n > 5", 'y' },
        { "{\"n\":0.1234567890123456}", "arg.n < 1", 'y' },
        { "{\"n\":\"5\"}", "arg.n = 5", '?' },
        { "{\"n\":5}", "arg.n = \"5\"", '?' },
        { "{\"n\":null}", "arg.n = 5", '?' },
        { "{\"n\":{}}", "arg.n = 5", '?' },
        { "{\"n\":[5]}", "arg.n = 5", '?' },
        { "{\"n\":true}", "arg.n = true", 'y' },
        { "{\"n\":false}", "arg.n = true", 'n' },
        { "{\"n\":\"true\"}", "arg.n = true", '?' },
        { "{\"n\":1}", "arg.n = true", '?' },
        { "{}", "arg.n = 5", '?' },
        { "{\"N\":5}", "arg.n = 5", '?' },
        { "{\"s\":\"\\u0061b\"}", "arg.s = ab", 'y' },
        { "{\"s\":\"\\u0061b\"}", "arg.s like \"a*\"", 'y' },
        { "{\"s\":\"a\\u0062c\"}", "arg.s in (abc, d)", 'y' },
        { "{\"\\u0073\":\"x\"}", "arg.s = x", 'y' },
        { "{\"s\":\"\"}", "arg.s = x", 'n' },
        { "{\"s\":\"10.1.2.3\"}", "arg.s in (10.0.0.0/8)", 'y' },
        { "{\"s\":\"::ffff:10.1.2.3\"}", "arg.s = 10.0.0.0/8", 'y' },
        { "{\"s\":\"10.1.2.3 \"}", "arg.s in (10.0.0.0/8)", '?' },
        { "{\"s\":\"11.1.2.3\"}", "arg.s in (10.0.0.0/8)", 'n' },
        { "{\"s\":\"x\"}", "arg.s in (10.0.0.0/8)", '?' },
        { "{\"a\":[1,\"x\"]}", "arg.a has x", 'y' },
        { "{\"a\":[1,\"x\"]}", "arg.a has 1", 'y' },
        { "{\"a\":[\"x\",\"y\"]}", "arg.a has z", 'n' },
        { "{\"a\":[1,\"x\"]}", "arg.a has z", '?' },
        { "{\"a\":[]}", "arg.a has z", 'n' },
        { "{\"a\":\"z\"}", "arg.a has z", '?' },
        { "{\"a\":[{\"b\":\"c\"},\"d\"]}", "arg.a.0.b = c", 'y' },
        { "{\"a\":[{\"b\":\"c\"},\"d\"]}", "arg.a.1 = d", 'y' },
        { "{\"a\":[\"d\"]}", "arg.a.1 = d", '?' },
        { "{\"a\":[\"d\"]}", "arg.a.00 = d", '?' },
        { "{\"a\":{\"0\":\"d\"}}", "arg.a.0 = d", 'y' },
        { "[\"x\"]", "arg.0 = x", 'y' },
        { "\"x\"", "arg.x = x", '?' },
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

/* All from their first 15 digits to one more in the last of them: known away from the rule's number. */
static void a_longer_number_is_known_where_every_reading_says_the_same(void **state)
{
    static const struct row rows[] = {
        { "{\"n\":19.990000000000002}", "arg.n <= 20", 'y' },
        { "{\"n\":19.990000000000002}", "arg.n < 20", 'y' },
        { "{\"n\":19.990000000000002}", "arg.n > 20", 'n' },
        { "{\"n\":19.990000000000002}", "arg.n = 20", 'n' },
        { "{\"n\":19.990000000000002}", "arg.n != 20", 'y' },
        { "{\"n\":19.990000000000002}", "arg.n in (19, 20)", 'n' },
        { "{\"n\":19.990000000000002}", "arg.n in (19.99, 20)", '?' },
        { "{\"n\":19.990000000000002}", "arg.n = 19.99", '?' },
        { "{\"n\":19.990000000000002}", "arg.n != 19.99", '?' },
        { "{\"n\":19.990000000000002}", "arg.n <= 19.99", '?' },
        { "{\"n\":19.990000000000002}", "arg.n > 19.99", '?' },
        { "{\"n\":19.990000000000002}", "arg.n >= 19.99", 'y' },
        { "{\"n\":19.990000000000002}", "arg.n < 19.99", 'n' },
        { "{\"n\":19.989999999999998}", "arg.n <= 19.99", 'y' },
        { "{\"n\":19.989999999999998}", "arg.n < 19.99", '?' },
        { "{\"n\":19.989999999999998}", "arg.n > 19.99", 'n' },
        { "{\"n\":19.989999999999998}", "arg.n >= 19.99", '?' },
        { "{\"n\":19.989999999999998}", "arg.n = 19.99", '?' },
        { "{\"n\":20.000000000000004}", "arg.n <= 20", '?' },
        { "{\"n\":20.000000000000000000000000001}", "arg.n <= 20", '?' },
        { "{\"n\":20.00000000000011}", "arg.n <= 20", 'n' },
        { "{\"n\":-19.990000000000002}", "arg.n >= -20", 'y' },
        { "{\"n\":-19.990000000000002}", "arg.n >= 0", 'n' },
        { "{\"n\":-19.990000000000002}", "arg.n <= -19.99", 'y' },
        { "{\"n\":-19.990000000000002}", "arg.n < -19.99", '?' },
        { "{\"n\":-19.990000000000002}", "arg.n = 19.99", 'n' },
        { "{\"n\":0.30000000000000004}", "arg.n <= 0.3", '?' },
        { "{\"n\":0.30000000000000004}", "arg.n < 0.31", 'y' },
        { "{\"n\":9.9999999999999999}", "arg.n < 10", '?' },
        { "{\"n\":9.9999999999999999}", "arg.n <= 10", 'y' },
        { "{\"n\":-0.00000000000000001}", "arg.n < 0", '?' },
        { "{\"n\":-0.00000000000000001}", "arg.n <= 0", 'y' },
        { "{\"n\":999999999999999.9}", "arg.n <= 999999999999999", '?' },
        { "{\"n\":999999999999999.9}", "arg.n < 8388607GiB", 'y' },
        { "{\"n\":[19.990000000000002,5]}", "arg.n has 19.99", '?' },
        { "{\"n\":[19.990000000000002,5]}", "arg.n has 20", 'n' },
        { "{\"n\":1234567890123456.5}", "arg.n > 5", '?' },
        { "{\"n\":18446744073709551621}", "arg.n > 5", '?' },
        { "{\"n\":-1234567890123456}", "arg.n < 5", '?' },
        { "{\"n\":19.990000000000002e0}", "arg.n <= 20", '?' },
        { "{\"n\":\"19.990000000000002\"}", "arg.n <= 20", '?' },
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void only_closes_the_set_of_arguments(void **state)
{
    static const struct row rows[] = {
        { "{}", "args only (a)", 'y' },
        { "{\"a\":1}", "args only (a, b)", 'y' },
        { "{\"a\":1,\"c\":2}", "args only (a, b)", 'n' },
        { "{\"\\u0061\":1}", "args only (a)", 'y' },
        { "{\"A\":1}", "args only (a)", 'n' },
        { "{\"a\":{\"x\":1}}", "args only (a)", 'y' },
        { "{\"a.b\":1}", "args only (\"a.b\")", 'y' },
        { "{\"a.b\":1}", "args only (a)", 'n' },
        { "{\"bot\":1}", "args only (\"${agent}\")", 'y' },
        { "{\"x\":1}", "args only (\"${user}\")", '?' },
        { "[1]", "args only (a)", '?' },
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
    give("{\"x\":1}");
    q.question.args.object = POSTERN_JSON_ABSENT; /* a call without arguments */
    assert_int_equal(say("args only (a)"), 'y');
    assert_int_equal(say("arg.a = 1"), '?');
    q.question.args = (postern_policy_args){ 0 };
    assert_int_equal(say("args only (a)"), '?');
    assert_int_equal(say("arg.a = 1"), '?');
}

/* What one server reads as the same is not another: an agent that writes it so is not past a deny. */
static void another_spelling_of_a_place_is_not_another_place(void **state)
{
    static const struct row rows[] = {
        { "{\"p\":\"/\"}", "arg.p under \"/\"", 'y' },
        { "{\"p\":\"/a\"}", "arg.p under \"/\"", 'y' },
        { "{\"p\":\"//a\"}", "arg.p under \"/\"", '?' },
        { "{\"p\":\"/srv/\"}", "arg.p under \"/srv\"", 'y' },
        { "{\"p\":\"/srv//a\"}", "arg.p under \"/srv\"", '?' },
        { "{\"p\":\"/srvx\"}", "arg.p under \"/srv\"", 'n' },
        { "{\"p\":\"/srv/%2e%2e/a\"}", "arg.p under \"/srv\"", 'y' },
        { "{\"p\":\"/srv/..\"}", "arg.p under \"/srv\"", '?' },
        { "{\"p\":\"/srv\\\\a\"}", "arg.p under \"/srv\"", '?' },
        { "{\"p\":\"\"}", "arg.p under \"/srv\"", '?' },
        { "{\"p\":\"srv\"}", "arg.p under \"/srv\"", '?' },
        { "{\"p\":\"file:///srv/a\"}", "arg.p under \"file:///srv\"", 'y' },
        { "{\"p\":\"file:///srv\"}", "arg.p under \"file:///srv/\"", 'y' },
        { "{\"p\":\"file:///\"}", "arg.p under \"file:///\"", 'y' },
        { "{\"p\":\"file:///a\"}", "arg.p under \"file:///\"", 'y' },
        { "{\"p\":\"FILE:///srv/a\"}", "arg.p under \"file:///srv\"", '?' },
        { "{\"p\":\"File:///srv\"}", "arg.p under \"file:///srv\"", '?' },
        { "{\"p\":\"file://localhost/srv/a\"}", "arg.p under \"file:///srv\"", '?' },
        { "{\"p\":\"file:///srv/a\"}", "arg.p under \"file://host/srv\"", '?' },
        { "{\"p\":\"file:/srv/a\"}", "arg.p under \"file:///srv\"", '?' },
        { "{\"p\":\"file:////srv/a\"}", "arg.p under \"file:///srv\"", '?' },
        { "{\"p\":\"FILE:///other\"}", "arg.p under \"file:///srv\"", 'n' },
        { "{\"p\":\"https://h/srv/a\"}", "arg.p under \"file:///srv\"", 'n' },
        { "{\"p\":\"https://h/p/a\"}", "arg.p under \"https://h/p\"", 'y' },
        { "{\"p\":\"https://h/pa\"}", "arg.p under \"https://h/p\"", 'n' },
        { "{\"p\":\"https://H/p/a\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"HTTPS://h/p/a\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"https://h:443/p/a\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"https://h./p/a\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"https://u@h/p/a\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"https://h@evil/p/a\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"https://h2/p/a\"}", "arg.p under \"https://h/p\"", 'n' },
        { "{\"p\":\"http://h/p/a\"}", "arg.p under \"https://h/p\"", 'n' },
        { "{\"p\":\"https://[::1]:1/p/a\"}", "arg.p under \"https://[::1]/p\"", '?' },
        { "{\"p\":\"https://[::2]/p/a\"}", "arg.p under \"https://[::1]/p\"", 'n' },
        { "{\"p\":\"https://[::1/p/a\"}", "arg.p under \"https://[::1]/p\"", 'n' },
        { "{\"p\":\"http:///h/p/a\"}", "arg.p under \"http://h/p\"", '?' },
        { "{\"p\":\"http:/h/p/a\"}", "arg.p under \"http://h/p\"", '?' },
        { "{\"p\":\"http:h/p/a\"}", "arg.p under \"http://h/p\"", '?' },
        { "{\"p\":\"db:///0/a\"}", "arg.p under \"db:///0\"", 'y' },
        { "{\"p\":\"http://127.0.0.2/p\"}", "arg.p under \"http://127.0.0.1/p\"", 'n' },
        { "{\"p\":\"http://127.1/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://2130706433/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://0x7f000001/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://0177.0.0.1./p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://127.0.0.0X1/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://[::ffff:7f00:1]/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://[::ffff:7f00:2]/p\"}", "arg.p under \"http://127.0.0.1/p\"", 'n' },
        { "{\"p\":\"http://[0:0::1]/p\"}", "arg.p under \"http://[::1]/p\"", '?' },
        { "{\"p\":\"http://[x]/p\"}", "arg.p under \"http://[::1]/p\"", '?' },
        { "{\"p\":\"http://127.0.0.1.x/p\"}", "arg.p under \"http://127.0.0.1/p\"", 'n' },
        { "{\"p\":\"http://127.0.0.\u00B9/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://127.0.0.\\t1/p\"}", "arg.p under \"http://127.0.0.1/p\"", '?' },
        { "{\"p\":\"http://h/\\np/a\"}", "arg.p under \"http://h/p\"", '?' },
        { "{\"p\":\"https://h/p/%61\"}", "arg.p under \"https://h/p\"", '?' },
        { "{\"p\":\"https://h/p/.\"}", "arg.p under \"https://h/p\"", '?' },
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void another_spelling_of_a_directory_name_is_not_another_name(void **state)
{
    static const struct row rows[] = {
        { "{\"p\":\"uid=a,ou=Top Secret,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'y' },
        { "{\"p\":\"uid=a,OU = top secret , DC=EXAMPLE\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'y' },
        { "{\"p\":\"uid=a,ou=Top  Secret,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", '?' },
        { "{\"p\":\"uid=a,2.5.4.11=Top Secret,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", '?' },
        { "{\"p\":\"uid=a,organizationalUnitName=Top Secret,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", '?' },
        { "{\"p\":\"uid=a,OID.2.5.4.11=Top Secret,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", '?' },
        { "{\"p\":\"uid=a,ou=Top Secret,0.9.2342.19200300.100.1.25=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", '?' },
        { "{\"p\":\"uid=a,ou=Other,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'n' },
        { "{\"p\":\"uid=a,2.5.4.11=Other,dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'n' },
        { "{\"p\":\"uid=a,ou=Top Secret,dc=other\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'n' },
        { "{\"p\":\"uid=a,2.5.4.11=Top Secret,dc=other\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'n' },
        { "{\"p\":\"uid=a,ou=\\u00c4,dc=example\"}", "arg.p under \"ou=ä,dc=example\"", '?' },
        { "{\"p\":\"uid=a,ou=\\u00e4,dc=example\"}", "arg.p under \"ou=ä,dc=example\"", 'y' },
        { "{\"p\":\"uid=a,ou=e\\u0301,dc=example\"}", "arg.p under \"ou=é,dc=example\"", '?' },
        { "{\"p\":\"uid=a,ou=e,dc=example\"}", "arg.p under \"ou=é,dc=example\"", '?' },
        { "{\"p\":\"dc=example\"}", "arg.p under \"ou=Top Secret,dc=example\"", 'n' },
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

/* Written out on the stack, so bounded; without escapes nothing is copied. */
static void a_long_string_with_escapes_is_not_known(void **state)
{
    char text[6000];
    size_t len;

    (void)state;
    for (int i = 0; i < 3; i++) {
        len = i == 0 ? 4095 : i == 1 ? 4096 : 5000;
        (void)snprintf(text, sizeof text, "{\"s\":\"%s", i == 2 ? "x" : "\\u0061");
        memset(text + strlen(text) + 1, 0, 1);
        for (size_t n = strlen(text), k = 1; k < len; k++, n++) {
            text[n] = 'b';
            text[n + 1] = '\0';
        }
        strcat(text, "\"}");
        give(text);
        assert_int_equal(say("arg.s like \"*b\""), 'y');
    }
    (void)snprintf(text, sizeof text, "{\"s\":\"\\u0061%04096d\"}", 0);
    give(text);
    assert_int_equal(say("arg.s like \"a*\""), '?');
}

static void bytes_are_compared_as_they_are(void **state)
{
    static const postern_bytes list[] = { POSTERN_BYTES_LIT("key"), POSTERN_BYTES_LIT("60"),
                                          { (const uint8_t *)"a\0b\xff", 4 }, POSTERN_BYTES_LIT(""),
                                          POSTERN_BYTES_LIT("59.999999999999999"),
                                          POSTERN_BYTES_LIT("12345678901234567"),
                                          POSTERN_BYTES_LIT("060"), POSTERN_BYTES_LIT("6e1") };
    static const struct {
        const char *test;
        char want;
    } cases[] = {
        { "arg.0 = key", 'y' },    { "arg.0 = KEY", 'n' },     { "arg.1 <= 60", 'y' },
        { "arg.1 = \"60\"", 'y' }, { "arg.1 < 1m", 'n' },      { "arg.0 < 5", '?' },
        { "arg.2 like \"a*\"", 'y' }, { "arg.2 = a", 'n' },    { "arg.3 = x", 'n' },
        { "arg.8 = x", '?' },      { "args only (0, 1)", 'n' },
        { "args only (0, 1, 2, 3, 4, 5, 6, 7)", 'y' },
        { "arg.4 < 60", '?' },     { "arg.4 = 60", '?' },       { "arg.4 != 60", '?' },
        { "arg.4 <= 60", 'y' },    { "arg.4 < 61", 'y' },       { "arg.4 > 60", 'n' },
        { "arg.5 > 60", '?' },     { "arg.5 = 12345678", '?' }, { "arg.5 = \"12345678901234567\"", 'y' },
        { "arg.6 = 60", '?' },     { "arg.7 = 60", '?' },
        { "arg.2 in (10.0.0.0/8)", '?' }, { "arg.0 has k", '?' },
    };

    (void)state;
    q.question.protocol = "redis";
    q.question.action = "SET";
    q.question.args =
        (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_LIST, .list = list, .count = 8 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (say(cases[i].test) != cases[i].want)
            fail_msg("%s: %c, not %c", cases[i].test, say(cases[i].test), cases[i].want);
}

/* RFC 9396 §2: each object is a right of its own. */
static void details_of_one_type_must_agree(void **state)
{
    static const struct {
        const char *claims, *test;
        char want;
    } cases[] = {
        { "[{\"type\":\"pay\",\"n\":5}]", "detail.pay.n <= 5", 'y' },
        { "[{\"type\":\"pay\",\"n\":5},{\"type\":\"pay\",\"n\":6}]", "detail.pay.n <= 5", '?' },
        { "[{\"type\":\"pay\",\"n\":5},{\"type\":\"pay\",\"n\":4}]", "detail.pay.n <= 5", 'y' },
        { "[{\"type\":\"pay\",\"n\":5},{\"type\":\"x\",\"n\":6}]", "detail.pay.n <= 5", 'y' },
        { "[{\"type\":\"pay\"}]", "detail.pay.n <= 5", '?' },
        { "[{\"type\":\"pay\",\"n\":5},{\"type\":\"pay\"}]", "detail.pay.n <= 5", '?' },
        { "[{\"n\":5}]", "detail.pay.n <= 5", '?' },
        { "{\"a\":{\"type\":\"pay\",\"n\":5}}", "detail.pay.n <= 5", '?' },
        { "[\"pay\",5,null]", "detail.pay.n <= 5", '?' },
        { "[{\"type\":\"p\\u0061y\",\"l\":[\"a\"],\"p\":\"/srv/x\"}]", "detail.pay.l has a", 'y' },
        { "[{\"type\":\"pay\",\"p\":\"/srv/x\"}]", "detail.pay.p under \"/srv\"", 'y' },
    };
    char claims[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(claims, sizeof claims, "{\"authorization_details\":%s}", cases[i].claims);
        test_question_claims(&q, claims);
        if (say(cases[i].test) != cases[i].want)
            fail_msg("%s: %s", claims, cases[i].test);
        test_question_end(&q);
        set_up(NULL);
    }
}

/* ---- lists that are shown ---- */

static void a_preview_shows_what_some_arguments_would_allow(void **state)
{
    static const struct {
        const char *rules;
        postern_verdict call, preview;
    } cases[] = {
        { "allow anyone to mcp:* if arg.p under \"/a\"", POSTERN_VERDICT_DENY, POSTERN_VERDICT_ALLOW },
        { "allow anyone to mcp:* if not arg.p = x", POSTERN_VERDICT_DENY, POSTERN_VERDICT_ALLOW },
        { "allow anyone to mcp:* if args only (a)", POSTERN_VERDICT_DENY, POSTERN_VERDICT_ALLOW },
        { "hold anyone to mcp:* if arg.p = x", POSTERN_VERDICT_DENY, POSTERN_VERDICT_HOLD },
        { "deny anyone to mcp:* if arg.p = x\nallow anyone to mcp:*", POSTERN_VERDICT_DENY,
          POSTERN_VERDICT_ALLOW },
        { "deny anyone to mcp:*\nallow anyone to mcp:*", POSTERN_VERDICT_DENY, POSTERN_VERDICT_DENY },
        { "allow anyone to mcp:* if arg.p = x and scope has y", POSTERN_VERDICT_DENY,
          POSTERN_VERDICT_DENY },
        { "allow anyone to mcp:* if purpose = x", POSTERN_VERDICT_DENY, POSTERN_VERDICT_DENY },
        { "allow anyone to mcp:tools/call on other if arg.p = x", POSTERN_VERDICT_DENY,
          POSTERN_VERDICT_DENY },
        { "nobody is o\nallow anyone to mcp:* if agent is o of arg.d", POSTERN_VERDICT_DENY,
          POSTERN_VERDICT_ALLOW },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        q.question.is_preview = false;
        if (judge(cases[i].rules) != cases[i].call)
            fail_msg("a call: %s", cases[i].rules);
        q.question.is_preview = true;
        if (judge(cases[i].rules) != cases[i].preview)
            fail_msg("a preview: %s", cases[i].rules);
    }
    give("{\"p\":\"/b\"}"); /* arguments that are known are judged, preview or not */
    assert_int_equal(judge(cases[0].rules), POSTERN_VERDICT_DENY);
}

/* ---- holds ---- */

/* An agent could leave the approval out: 1e9 is more than 100 to the server, and nothing to a test. */
static void a_hold_that_is_not_known_takes_the_place_of_an_allow(void **state)
{
#define PAY "hold anyone to mcp:tools/call on tool if arg.n > 100"
#define ALL "\nallow anyone to mcp:tools/call"
    static const struct {
        const char *rules, *args;
        postern_verdict want;
    } cases[] = {
        { PAY ALL, "{\"n\":100}", POSTERN_VERDICT_ALLOW },
        { PAY ALL, "{\"n\":101}", POSTERN_VERDICT_HOLD },
        { PAY ALL, "{\"n\":1e9}", POSTERN_VERDICT_HOLD },
        { PAY ALL, "{\"n\":100.0000000000001}", POSTERN_VERDICT_HOLD },
        { PAY ALL, "{\"n\":\"500\"}", POSTERN_VERDICT_HOLD },
        { PAY ALL, "{}", POSTERN_VERDICT_HOLD },
        { PAY ALL, NULL, POSTERN_VERDICT_HOLD },
        { PAY " and not arg.n > 100" ALL, "{\"n\":1e9}", POSTERN_VERDICT_HOLD },
        { PAY " and purpose = x" ALL, "{\"n\":1e9}", POSTERN_VERDICT_HOLD },
        { "hold anyone to mcp:tools/call if claim.x = y" ALL, "{}", POSTERN_VERDICT_HOLD },
        /* A part that is known not to be so: no hold. */
        { PAY " and arg.x = 1" ALL, "{\"n\":1e9,\"x\":2}", POSTERN_VERDICT_ALLOW },
        { PAY " and scope has none" ALL, "{\"n\":1e9}", POSTERN_VERDICT_ALLOW },
        { "hold agent other to mcp:tools/call on tool if arg.n > 100" ALL, "{\"n\":1e9}",
          POSTERN_VERDICT_ALLOW },
        { "hold anyone to mcp:tools/call on other if arg.n > 100" ALL, "{\"n\":1e9}",
          POSTERN_VERDICT_ALLOW },
        { "hold anyone to mcp:prompts/get if arg.n > 100" ALL, "{\"n\":1e9}", POSTERN_VERDICT_ALLOW },
        /* It gives nothing: what would be denied without it is, and what is above it stands. */
        { PAY, "{\"n\":1e9}", POSTERN_VERDICT_DENY },
        { PAY "\ndeny anyone to mcp:tools/call" ALL, "{\"n\":1e9}", POSTERN_VERDICT_DENY },
        { PAY "\nallow anyone to mcp:tools/call on other", "{\"n\":1e9}", POSTERN_VERDICT_DENY },
        { "allow anyone to mcp:tools/call\n" PAY, "{\"n\":1e9}", POSTERN_VERDICT_ALLOW },
        { "deny anyone to mcp:tools/call\n" PAY ALL, "{\"n\":1e9}", POSTERN_VERDICT_DENY },
        /* In its own list. */
        { "judge agent and user\nhold agent bot to mcp:* if arg.n > 100\nallow anyone to mcp:*",
          "{\"n\":1e9}", POSTERN_VERDICT_HOLD },
        { "judge agent and user\nhold agent bot to mcp:* if arg.n > 100\nallow agent bot to mcp:*",
          "{\"n\":1e9}", POSTERN_VERDICT_DENY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].args == NULL)
            q.question.args = (postern_policy_args){ .kind = POSTERN_POLICY_ARGS_UNKNOWN };
        else
            give(cases[i].args);
        if (judge(cases[i].rules) != cases[i].want)
            fail_msg("%s, %s: %s", cases[i].rules, cases[i].args, postern_verdict_name(judge(cases[i].rules)));
    }
#undef ALL
#undef PAY
}

/* ---- duties ---- */

static void the_tighter_duty_of_two_lists_holds(void **state)
{
    POSTERN_AUTO(policy)
    p = test_policy_make("judge agent and user\n"
                         "allow agent bot to mcp:* with rate 5/1s and rows 10 and bytes 2KiB and lease "
                         "1h and log summary\n"
                         "hold user al to mcp:* with rate 9/1m and bytes 1KiB and wait 5m and lease "
                         "15m and approver group oncall\n");
    postern_decision d;

    (void)state;
    q.subject.user = "al";
    d = test_question_ask(&q, p);
    assert_int_equal(d.verdict, POSTERN_VERDICT_HOLD);
    assert_int_equal(d.refusing_lists, POSTERN_POLICY_LIST_USER);
    assert_int_equal(d.rate.count, 5);
    assert_int_equal(d.rate.period_s, 1);
    assert_int_equal(d.user_rate.count, 9);
    assert_int_equal(d.user_rate.period_s, 60);
    assert_int_equal(d.rows, 10);
    assert_int_equal(d.bytes, 1024);
    assert_int_equal(d.lease_s, 900);
    assert_int_equal(d.wait_s, 300);
    assert_false(d.logs_summary); /* only one of them says so */
}

static void what_clients_say_first_is_counted_and_that_they_came_is_recorded(void **state)
{
    POSTERN_AUTO(policy) p = test_policy_make("deny anyone to *");
    POSTERN_AUTO(policy) named = test_policy_make("x: allow anyone to mcp:ping with lease 5m\n");
    postern_decision d;

    (void)state;
    q.question.action = "ping";
    d = test_question_ask(&q, p);
    assert_int_equal(d.verdict, POSTERN_VERDICT_ALLOW);
    assert_string_equal(d.rule, "@session");
    assert_true(d.rule_index == POSTERN_POLICY_NO_RULE && d.logs_summary && d.lease_s == 0);
    d = test_question_ask(&q, named);
    assert_string_equal(d.rule, "t:x");
    assert_int_equal(d.lease_s, 300);
    assert_false(d.logs_summary);
    q.question.action = "connect";
    d = test_question_ask(&q, p);
    assert_int_equal(d.verdict, POSTERN_VERDICT_ALLOW);
    assert_false(d.logs_summary);
    q.question.action = "CONNECT"; /* a command of that name is no connection */
    q.question.protocol = "redis";
    assert_int_equal(test_question_ask(&q, p).verdict, POSTERN_VERDICT_DENY);
}

/* ---- approving ---- */

static bool may_approve(const char *rules, const char *user, const char *group)
{
    POSTERN_AUTO(policy) p = test_policy_make(rules);
    postern_decision d = test_question_ask(&q, p);
    const char *const groups[] = { group };
    postern_policy_subject s = { .user = user, .agent = "oncall", .groups = groups, .group_count = 1 };

    return postern_policy_may_approve(p, &d, &s);
}

static void each_rule_that_holds_names_its_approver(void **state)
{
    static const char both[] = "judge agent and user\nhold agent bot to mcp:* with approver group ops\n"
                               "hold user al to mcp:* with approver user eve,\"d*\"\n";

    (void)state;
    assert_true(may_approve("hold anyone to mcp:*", "x", "y"));
    assert_true(may_approve("hold anyone to mcp:* with approver group ops", "x", "ops"));
    assert_false(may_approve("hold anyone to mcp:* with approver group ops", "ops", "y"));
    assert_false(may_approve("hold anyone to mcp:* with approver group ops", NULL, "ops"));
    assert_true(may_approve("hold anyone to mcp:* with approver user x", "x", "y"));
    assert_false(may_approve("hold anyone to mcp:* with approver user x", "", "x"));
    assert_false(may_approve("hold anyone to mcp:* with approver user oncall", "x", "x"));
    assert_false(may_approve("allow anyone to mcp:*", "x", "y"));
    assert_false(may_approve("deny anyone to mcp:*", "x", "y"));
    q.subject.user = "al";
    assert_true(may_approve(both, "eve", "ops"));
    assert_true(may_approve(both, "dan", "ops"));
    assert_false(may_approve(both, "eve", "y"));
    assert_false(may_approve(both, "al", "ops"));
}

/* ---- tables ---- */

static void tables_are_sorted_and_their_classes_fit(void **state)
{
    size_t protocols = 0;

    (void)state;
    for (const char *name; (name = postern_policy_protocol(protocols)) != NULL; protocols++) {
        postern_policy_action action;
        const char *before = "";

        for (size_t i = 0; postern_policy_action_at(name, i, &action); i++) {
            assert_true(strcmp(before, action.name) < 0);
            assert_true(strlen(action.classes) < sizeof action.classes - 2);
            assert_true(action.classes[0] == '\0' || action.classes[0] == '@');
            before = action.name;
        }
        assert_true(before[0] != '\0');
    }
    assert_int_equal(protocols, 3);
}

static void an_action_says_its_classes_and_its_resource(void **state)
{
    postern_policy_action a;
    bool has_get = false, has_ping = false;

    (void)state;
    for (size_t i = 0; postern_policy_action_at("redis", i, &a); i++) {
        if (strcmp(a.name, "GET") == 0) {
            assert_string_equal(a.classes, "@read @string @fast");
            assert_string_equal(a.resource, "key");
            has_get = true;
        }
        if (strcmp(a.name, "PING") == 0) {
            assert_non_null(strstr(a.classes, "@session"));
            assert_string_equal(a.resource, "");
            has_ping = true;
        }
    }
    assert_true(has_get && has_ping);
    assert_true(postern_policy_action_at("mcp", 0, &a));
    assert_false(postern_policy_action_at("imap", 0, &a));
    assert_false(postern_policy_action_at("", 0, &a));
    assert_false(postern_policy_action_at("redis", 100000, &a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_compared_by_their_own_type),
        TEST(a_longer_number_is_known_where_every_reading_says_the_same),
        TEST(only_closes_the_set_of_arguments),
        TEST(another_spelling_of_a_place_is_not_another_place),
        TEST(another_spelling_of_a_directory_name_is_not_another_name),
        TEST(a_long_string_with_escapes_is_not_known),
        TEST(bytes_are_compared_as_they_are),
        TEST(details_of_one_type_must_agree),
        TEST(a_preview_shows_what_some_arguments_would_allow),
        TEST(a_hold_that_is_not_known_takes_the_place_of_an_allow),
        TEST(the_tighter_duty_of_two_lists_holds),
        TEST(what_clients_say_first_is_counted_and_that_they_came_is_recorded),
        TEST(each_rule_that_holds_names_its_approver),
        TEST(tables_are_sorted_and_their_classes_fit),
        TEST(an_action_says_its_classes_and_its_resource),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
