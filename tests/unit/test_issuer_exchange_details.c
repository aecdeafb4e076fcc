/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/exchange_details.c: fewer elements or the same, compared as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "issuer/exchange_details.h"

#define HAVE "[{\"type\":\"imap\",\"n\":1,\"a\":[\"r\",\"w\"],\"x\":null},{\"type\":\"ldap\",\"on\":true}, 7]"

static const struct {
    const char *why, *have, *wanted, *want; /* NULL: refused */
} cases[] = {
    { "all", HAVE, HAVE, "[{\"type\":\"imap\",\"n\":1,\"a\":[\"r\",\"w\"],\"x\":null},{\"type\":\"ldap\",\"on\":true},7]" },
    { "one", HAVE, "[{\"type\":\"ldap\",\"on\":true}]", "[{\"type\":\"ldap\",\"on\":true}]" },
    { "members in another order, blanks, escapes", HAVE, " [ { \"on\" : true , \"ty\\u0070e\" : \"ld\\u0061p\" } ] ",
      "[{\"type\":\"ldap\",\"on\":true}]" },
    { "twice is once", HAVE, "[7,7]", "[7]" },
    { "in the token's order", HAVE, "[7,{\"type\":\"ldap\",\"on\":true}]", "[{\"type\":\"ldap\",\"on\":true},7]" },
    { "one more member", HAVE, "[{\"type\":\"ldap\",\"on\":true,\"more\":1}]", NULL },
    { "one member fewer", HAVE, "[{\"type\":\"ldap\"}]", NULL },
    { "another value", HAVE, "[{\"type\":\"ldap\",\"on\":false}]", NULL },
    { "another type", HAVE, "[{\"type\":\"ldap\",\"on\":\"true\"}]", NULL },
    { "array longer", HAVE, "[{\"type\":\"imap\",\"n\":1,\"a\":[\"r\",\"w\",\"x\"],\"x\":null}]", NULL },
    { "array shorter", HAVE, "[{\"type\":\"imap\",\"n\":1,\"a\":[\"r\"],\"x\":null}]", NULL },
    { "array turned around", HAVE, "[{\"type\":\"imap\",\"n\":1,\"a\":[\"w\",\"r\"],\"x\":null}]", NULL },
    { "another number", HAVE, "[{\"type\":\"imap\",\"n\":2,\"a\":[\"r\",\"w\"],\"x\":null}]", NULL },
    { "one good, one not", HAVE, "[7,8]", NULL },
    { "empty", HAVE, "[]", NULL },
    { "no array", HAVE, "{\"type\":\"ldap\",\"on\":true}", NULL },
    { "no JSON", HAVE, "[7", NULL },
    { "a name twice", HAVE, "[{\"type\":\"x\",\"type\":\"ldap\",\"on\":true}]", NULL },
    { "the token has none", "", "[7]", NULL },
    { "the token's is no array", "{}", "[7]", NULL },
    { "the token's is empty", "[]", "[7]", NULL },
};

static void elements_can_only_become_fewer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(1024);
        exchange_details e = exchange_details_narrow(postern_bytes_str(cases[i].have), postern_bytes_str(cases[i].wanted),
                                                     &got, NULL);

        if (e != (cases[i].want == NULL ? EXCHANGE_DETAILS_REFUSED : EXCHANGE_DETAILS_NARROWED))
            fail_msg("%s: outcome %d", cases[i].why, (int)e);
        if (cases[i].want != NULL && !postern_bytes_equal_str(postern_buf_bytes(&got), cases[i].want))
            fail_msg("%s: %s", cases[i].why, postern_buf_cstr(&got));
    }
}

static void more_elements_than_anybody_needs_are_not_looked_through(void **state)
{
    POSTERN_AUTO_BUF have = POSTERN_BUF_INIT(1024);
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(1024);

    (void)state;
    postern_buf_add_str(&have, "[0");
    for (int i = 1; i < 65; i++)
        postern_buf_addf(&have, ",%d", i);
    postern_buf_add_str(&have, "]");
    assert_int_equal(exchange_details_narrow(postern_buf_bytes(&have), POSTERN_BYTES_LIT("[63]"), &got, NULL),
                     EXCHANGE_DETAILS_NARROWED);
    assert_int_equal(exchange_details_narrow(postern_buf_bytes(&have), POSTERN_BYTES_LIT("[64]"), &got, NULL),
                     EXCHANGE_DETAILS_REFUSED);
}

static void a_result_that_does_not_fit_is_a_failure(void **state)
{
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(2);
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(exchange_details_narrow(POSTERN_BYTES_LIT("[7]"), POSTERN_BYTES_LIT("[7]"), &got, &err),
                     EXCHANGE_DETAILS_FAILED);
    assert_int_equal(err.code, POSTERN_ERR_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_can_only_become_fewer),
        cmocka_unit_test(more_elements_than_anybody_needs_are_not_looked_through),
        cmocka_unit_test(a_result_that_does_not_fit_is_a_failure),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
