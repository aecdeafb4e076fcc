/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/backend_answer.c: what a backend that is a raw door says to a login of ours. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "door/backend_answer.h"

#define SESSION "c2Vzc2lvbi1zZWNyZXRfMDEyMw"

static postern_err read_line(const char *line, bool is_renewal, struct backend_answer *ret,
                             postern_error *err)
{
    return backend_answer_read(postern_bytes_str(line), is_renewal, ret, err);
}

static void a_grant_has_a_lease_and_a_session(void **state)
{
    struct backend_answer a;

    (void)state;
    assert_int_equal(read_line("OK {\"service\":\"inner\",\"lease_end\":9,\"lease\":300,\"session\":\"" SESSION
                               "\",\"ref\":\"R-1\",\"more\":{\"x\":[1]}}",
                               false, &a, NULL),
                     POSTERN_OK);
    assert_int_equal(a.lease_s, 300);
    assert_string_equal(a.session, SESSION);
}

static void a_renewal_s_grant_has_no_session(void **state)
{
    struct backend_answer a;

    (void)state;
    assert_int_equal(read_line("OK {\"lease\":0}", true, &a, NULL), POSTERN_OK);
    assert_int_equal(a.lease_s, 0);
    assert_string_equal(a.session, "");
    assert_int_equal(read_line("OK {\"lease\":0}", false, &a, NULL), POSTERN_ERR_BACKEND);
}

static void what_is_no_grant_is_none(void **state)
{
    static const char *const lines[] = {
        "",
        "OK",
        "OK ",
        "OK []",
        "OK {}",
        "OK null",
        "OK  {\"lease\":1,\"session\":\"a\"} x",
        "ok {\"lease\":1,\"session\":\"a\"}",
        "OK\t{\"lease\":1,\"session\":\"a\"}",
        "HTTP/1.1 200 OK",
        "OK {\"session\":\"a\"}",
        "OK {\"lease\":\"1\",\"session\":\"a\"}",
        "OK {\"lease\":-1,\"session\":\"a\"}",
        "OK {\"lease\":1.5,\"session\":\"a\"}",
        "OK {\"lease\":1e99,\"session\":\"a\"}",
        "OK {\"lease\":1,\"lease\":2,\"session\":\"a\"}",
        "OK {\"lease\":1}",
        "OK {\"lease\":1,\"session\":\"\"}",
        "OK {\"lease\":1,\"session\":7}",
        "OK {\"lease\":1,\"session\":\"a b\"}",
        "OK {\"lease\":1,\"session\":\"a\\r\\nRENEW\"}",
        "OK {\"lease\":1,\"session\":\"a+b\"}",
        "OK {\"lease\":1,\"session\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
        "ERR",
        "ERR x",
        "ERR {\"lease\":1,\"session\":\"a\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct backend_answer a;
        postern_error err = { 0 };

        if (read_line(lines[i], false, &a, &err) != POSTERN_ERR_BACKEND || err.detail[0] == '\0')
            fail_msg("%s", lines[i]);
    }
}

/* Its words come into our log and record: they are shown, not obeyed. */
static void a_refusal_is_told_escaped_and_cut(void **state)
{
    struct backend_answer a;
    postern_error err = { 0 };
    char line[600] = "ERR {\"reason\":\"";

    (void)state;
    assert_int_equal(read_line("ERR {\"reason\":\"policy\",\"ref\":\"R-7\"}", false, &a, &err),
                     POSTERN_ERR_BACKEND);
    assert_string_equal(err.detail, "it refuses the door's own token: policy, ref R-7");
    assert_int_equal(read_line("ERR {\"reason\":\"a\\n\\u001b[2J\",\"ref\":7}", false, &a, &err),
                     POSTERN_ERR_BACKEND);
    assert_null(strchr(err.detail, '\n'));
    assert_null(strchr(err.detail, '\x1b'));
    assert_non_null(strstr(err.detail, "ref -"));
    memset(line + strlen(line), 'r', 400);
    strcat(line, "\"}");
    assert_int_equal(read_line(line, false, &a, &err), POSTERN_ERR_BACKEND);
    assert_true(strlen(err.detail) < 200);
}

static postern_err read_once(void *arg, postern_error *err)
{
    struct backend_answer a;

    return read_line(arg, false, &a, err);
}

static void without_memory_nothing_is_granted(void **state)
{
    static char grant[] = "OK {\"lease\":1,\"session\":\"a\"}";

    (void)state;
    assert_true(alloc_fail_sweep(read_once, grant, POSTERN_OK) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_has_a_lease_and_a_session),
        cmocka_unit_test(a_renewal_s_grant_has_no_session),
        cmocka_unit_test(what_is_no_grant_is_none),
        cmocka_unit_test(a_refusal_is_told_escaped_and_cut),
        cmocka_unit_test(without_memory_nothing_is_granted),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
