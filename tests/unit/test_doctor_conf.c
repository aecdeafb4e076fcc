/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/doctor_conf.c: SASL's settings among a host's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doctor_conf.h"

static const char *find(const char *text, const char *plugin, const char *option)
{
    static char room[256];
    postern_bytes value;

    if (!doctor_conf_find(postern_bytes_str(text), plugin, option, &value))
        return "(none)";
    assert_true(value.len < sizeof room);
    if (value.len != 0)
        memcpy(room, value.ptr, value.len);
    room[value.len] = '\0';
    return room;
}

static void options_are_found_as_imapd_finds_them(void **state)
{
    static const char text[] = "admins: cyrus\n"
                               "# sasl_mech_list: NOTHING\n"
                               "sasl_mech_list:   PLAIN OAUTHBEARER \t\r\n"
                               "sasl_mech_list: LATER\n"
                               "sasl_oauthbearer_postern_service : mail\n"
                               "sasl_postern_service: other\n"
                               "mech_list: NOT THIS\n"
                               "sasl_empty:\n"
                               "sasl_last: end";

    (void)state;
    assert_string_equal(find(text, NULL, "mech_list"), "PLAIN OAUTHBEARER");
    assert_string_equal(find(text, "oauthbearer", "mech_list"), "PLAIN OAUTHBEARER");
    assert_string_equal(find(text, "oauthbearer", "postern_service"), "mail");
    assert_string_equal(find(text, "plain", "postern_service"), "other");
    assert_string_equal(find(text, NULL, "empty"), "");
    assert_string_equal(find(text, NULL, "last"), "end");
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const texts[] = { "", "\n\n", "sasl_mech_list", "sasl_mech_list PLAIN\n",
                                         "#sasl_mech_list: X\n", "xsasl_mech_list: X\n", ":\n",
                                         "sasl_mech_lis: X\nt: Y\n" };
    char longest[400];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(find(texts[i], "oauthbearer", "mech_list"), "(none)");
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(find("sasl_a: b\n", "p", longest), "(none)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_found_as_imapd_finds_them),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
