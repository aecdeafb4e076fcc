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
} cases[] = {
    { "TLS with a name that was checked", { "db.example.org", "192.0.2.1", "verify-full", true }, POSTERN_OK, "db.example.org" },
    { "no name was checked", { "db.example.org", "192.0.2.1", "verify-ca", true }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "no certificate was checked", { "db.example.org", "192.0.2.1", "require", true }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "TLS by luck", { "db.example.org", "192.0.2.1", "prefer", true }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "verify-full, and yet no TLS", { "db.example.org", "192.0.2.1", "verify-full", false }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "nothing is known of TLS", { "db.example.org", "192.0.2.1", NULL, true }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "in clear", { "db.example.org", "192.0.2.1", "disable", false }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "loopback", { "db.example.org", "127.0.0.1", "disable", false }, POSTERN_OK, "db.example.org" },
    { "loopback, version 6", { "localhost", "::1", "prefer", false }, POSTERN_OK, "localhost" },
    { "not loopback, though it looks so", { "localhost", "192.0.2.127", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "a name says nothing", { "localhost", "", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "nor one that reads as an address", { "127.0.0.1", NULL, "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "an address that is none", { "localhost", "127.0.0.1.example.org", "prefer", false }, POSTERN_ERR_TLS_REQUIRED, NULL },
    { "a unix socket", { "/run/postgresql", "", "prefer", false }, POSTERN_OK, "localhost" },
    { "an abstract one", { "@postgresql", NULL, NULL, false }, POSTERN_OK, "localhost" },
    { "no host", { NULL, "127.0.0.1", "verify-full", true }, POSTERN_ERR_NO_TOKEN, NULL },
    { "an empty one", { "", "127.0.0.1", "verify-full", true }, POSTERN_ERR_NO_TOKEN, NULL },
};

static void a_token_goes_where_it_is_protected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *host = NULL;
        postern_err e = hook_target(&cases[i].c, &host, NULL);

        if (e != cases[i].want)
            fail_msg("%s: %s", cases[i].why, postern_err_reason(e));
        if (cases[i].host == NULL)
            assert_null(host);
        else
            assert_string_equal(host, cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_token_goes_where_it_is_protected) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
