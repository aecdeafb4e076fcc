/* SPDX-License-Identifier: BSD-2-Clause */
/* libpq-hook/target.c: where a token may go from a program with libpq. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../libpq-hook/hook.h"

static const struct {
    const char            *why;
    struct hook_connection c;
    postern_err            want;
    const char            *host; /* where OK */
    bool                   is_here;
} cases[] = {
    { "TLS with a name that was checked", { "db.example.org", "192.0.2.1", "verify-full", true }, POSTERN_OK, "db.example.org", false },
    { "no name was checked", { "db.example.org", "192.0.2.1", "verify-ca", true }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "no certificate was checked", { "db.example.org", "192.0.2.1", "require", true }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "TLS by luck", { "db.example.org", "192.0.2.1", "prefer", true }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "verify-full, and yet no TLS", { "db.example.org", "192.0.2.1", "verify-full", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "nothing is known of TLS", { "db.example.org", "192.0.2.1", NULL, true }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "in clear", { "db.example.org", "192.0.2.1", "disable", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "a name that DNS led here", { "db.example.org", "127.0.0.1", "disable", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "by version 6", { "db.example.org", "::1", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "with TLS that nobody checked", { "db.example.org", "127.0.0.1", "require", true }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "with TLS that was checked for it", { "db.example.org", "127.0.0.1", "verify-full", true }, POSTERN_OK, "db.example.org", false },
    { "loopback by its name", { "localhost", "127.0.0.1", "disable", false }, POSTERN_OK, "localhost", true },
    { "however it is written", { "LocalHost", "127.0.0.1", "disable", false }, POSTERN_OK, "LocalHost", true },
    { "loopback, version 6", { "localhost", "::1", "prefer", false }, POSTERN_OK, "localhost", true },
    { "a name that begins like it", { "localhost.example.org", "127.0.0.1", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "one that ends like it", { "db.localhost", "127.0.0.1", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "loopback by its address", { "127.0.0.1", "127.0.0.1", "prefer", false }, POSTERN_OK, "127.0.0.1", true },
    { "another one of the same net", { "127.0.3.1", "127.0.3.1", "prefer", false }, POSTERN_OK, "127.0.3.1", true },
    { "version 6 by its address", { "::1", "::1", "prefer", false }, POSTERN_OK, "::1", true },
    { "the address of another machine that leads here", { "192.0.2.1", "127.0.0.1", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "a name that looks like an address", { "127.0.0.1.example.org", "127.0.0.1", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "an address that resolvers read and others do not", { "127.1", "127.0.0.1", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "not loopback, though it looks so", { "localhost", "192.0.2.127", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "a name says nothing", { "localhost", "", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "nor one that reads as an address", { "127.0.0.1", NULL, "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "an address that is none", { "localhost", "127.0.0.1.example.org", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL, false },
    { "a unix socket", { "/run/postgresql", "", "prefer", false }, POSTERN_OK, "localhost", true },
    { "an abstract one", { "@postgresql", NULL, NULL, false }, POSTERN_OK, "localhost", true },
    { "no host", { NULL, "127.0.0.1", "verify-full", true }, POSTERN_ERR_NO_TOKEN, NULL, false },
    { "an empty one", { "", "127.0.0.1", "verify-full", true }, POSTERN_ERR_NO_TOKEN, NULL, false },
};

static void a_token_goes_where_it_is_protected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hook_goal goal = { 0 };
        postern_err e = hook_target(&cases[i].c, &goal, NULL);

        if (e != cases[i].want)
            fail_msg("%s: %s", cases[i].why, postern_err_reason(e));
        if (goal.is_here != cases[i].is_here)
            fail_msg("%s: is_here %d", cases[i].why, goal.is_here);
        if (cases[i].host == NULL)
            assert_null(goal.host);
        else
            assert_string_equal(goal.host, cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_token_goes_where_it_is_protected) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
