/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/helper/place.c: how a host's own settings name the helper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <postern/client.h>

static void the_place_is_what_the_host_says(void **state)
{
    postern_helper_place p;

    (void)state;
    assert_int_equal(postern_helper_place_read("imap-2.test_x", "/srv/h.sock", "64711", &p, NULL), POSTERN_OK);
    assert_string_equal(p.service, "imap-2.test_x");
    assert_ptr_equal(p.where.path, p.socket);
    assert_string_equal(p.socket, "/srv/h.sock");
    assert_int_equal(p.where.server_uid, 64711);
    assert_int_equal(postern_helper_place_read("imap", NULL, "root", &p, NULL), POSTERN_OK);
    assert_string_equal(p.socket, POSTERN_HELPER_SOCKET_DEFAULT);
    assert_int_equal(p.where.server_uid, 0);
    assert_int_equal(postern_helper_place_read("imap", NULL, NULL, &p, NULL), POSTERN_OK);
    assert_int_equal(p.where.server_uid, 0);
}

static void a_name_that_no_file_has_is_refused(void **state)
{
    static const char *const names[] = { NULL, "", ".", "..", "-x", ".hidden", "a/b", "../imap", "a b", "a\n", "\xC3\xA4" };
    postern_helper_place p;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(postern_helper_place_read(names[i], NULL, NULL, &p, NULL), POSTERN_ERR_CONFIG_VALUE);
        assert_string_equal(p.service, "");
    }
}

static void what_does_not_fit_is_refused_not_cut(void **state)
{
    char service[POSTERN_SERVICE_NAME_MAX + 1], path[POSTERN_HELPER_PATH_MAX + 1];
    postern_helper_place p;

    (void)state;
    memset(service, 'a', sizeof service);
    memset(path, '/', sizeof path);
    service[POSTERN_SERVICE_NAME_MAX] = path[POSTERN_HELPER_PATH_MAX] = '\0';
    assert_int_equal(postern_helper_place_read(service, NULL, NULL, &p, NULL), POSTERN_ERR_CONFIG_VALUE);
    assert_int_equal(postern_helper_place_read("imap", path, NULL, &p, NULL), POSTERN_ERR_CONFIG_VALUE);
    service[POSTERN_SERVICE_NAME_MAX - 1] = path[POSTERN_HELPER_PATH_MAX - 1] = '\0';
    assert_int_equal(postern_helper_place_read(service, path, NULL, &p, NULL), POSTERN_OK);
}

static void a_relative_socket_is_refused(void **state)
{
    postern_helper_place p;

    (void)state;
    assert_int_equal(postern_helper_place_read("imap", "helper.sock", NULL, &p, NULL), POSTERN_ERR_CONFIG_VALUE);
    assert_int_equal(postern_helper_place_read("imap", "", NULL, &p, NULL), POSTERN_ERR_CONFIG_VALUE);
}

static void a_user_that_is_nobody_is_refused(void **state)
{
    static const char *const users[] = { "", "nobody-of-that-name", "12x", "-1", "4294967295", "99999999999999999999999" };
    postern_helper_place p;

    (void)state;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        assert_int_equal(postern_helper_place_read("imap", NULL, users[i], &p, NULL), POSTERN_ERR_CONFIG_VALUE);
        assert_int_equal(p.where.server_uid, 0); /* root alone */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_place_is_what_the_host_says),
        cmocka_unit_test(a_name_that_no_file_has_is_refused),
        cmocka_unit_test(what_does_not_fit_is_refused_not_cut),
        cmocka_unit_test(a_relative_socket_is_refused),
        cmocka_unit_test(a_user_that_is_nobody_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
