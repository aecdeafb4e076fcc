/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/doctor_report.c: what was found, for people and as JSON; and when all is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "doctor_report.h"

#define ROOM (1 << 20)

static void no_finding_and_warnings_are_well_a_problem_is_not(void **state)
{
    struct doctor_report r = { 0 };

    (void)state;
    assert_true(doctor_is_well(&r));
    doctor_add(&r, "keys", DOCTOR_OK, "", "fine");
    doctor_add(&r, "clock", DOCTOR_WARNING, "", "slow");
    doctor_add(&r, "user", DOCTOR_NOTE, "", "you");
    assert_true(doctor_is_well(&r));
    doctor_add(&r, "socket", DOCTOR_PROBLEM, "Start it.", "gone");
    assert_false(doctor_is_well(&r));
    doctor_report_free(&r);
}

static void people_get_a_heading_for_each_service_and_a_count(void **state)
{
    struct doctor_report r = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ROOM);

    (void)state;
    doctor_add(&r, "configuration", DOCTOR_OK, "", "%s is good", "/etc/postern");
    r.service = "ldap";
    doctor_add(&r, "socket", DOCTOR_PROBLEM, "Start it.", "gone");
    doctor_add(&r, "keys", DOCTOR_OK, "", "two");
    doctor_put_text(&r, &out);
    assert_string_equal(postern_buf_cstr(&out),
                        "posternd\n"
                        "  ok       configuration  /etc/postern is good\n"
                        "\nldap\n"
                        "  problem  socket         gone\n"
                        "                          -> Start it.\n"
                        "  ok       keys           two\n"
                        "\n1 problem, 0 warnings\n");
    doctor_report_free(&r);
}

static void what_does_not_print_cannot_steer_a_terminal(void **state)
{
    struct doctor_report r = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ROOM);

    (void)state;
    doctor_add(&r, "keys", DOCTOR_PROBLEM, "a\x1b[2J", "b\x1b[2J\n");
    doctor_put_text(&r, &out);
    assert_null(strchr(postern_buf_cstr(&out), 0x1b));
    assert_non_null(strstr(postern_buf_cstr(&out), "b\\x1b[2J\\x0a"));
    doctor_report_free(&r);
}

static void json_has_every_finding_and_its_state(void **state)
{
    struct doctor_report r = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ROOM);

    (void)state;
    doctor_add(&r, "user", DOCTOR_NOTE, "", "\"you\"");
    r.service = "ldap";
    doctor_add(&r, "socket", DOCTOR_WARNING, "Look.", "old");
    doctor_put_json(&r, &out);
    assert_string_equal(
        postern_buf_cstr(&out),
        "{\"ok\":true,\"problems\":0,\"warnings\":1,\"checks\":["
        "{\"check\":\"user\",\"state\":\"note\",\"what\":\"\\\"you\\\"\"},"
        "{\"service\":\"ldap\",\"check\":\"socket\",\"state\":\"warning\",\"what\":\"old\","
        "\"advice\":\"Look.\"}]}\n");
    doctor_report_free(&r);
}

static void long_words_are_cut_and_too_many_are_told(void **state)
{
    struct doctor_report r = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ROOM);
    char text[2 * DOCTOR_WHAT_MAX];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    doctor_add(&r, text, DOCTOR_OK, text, "%s", text);
    assert_int_equal(strlen(r.list[0].what), DOCTOR_WHAT_MAX - 1);
    assert_int_equal(strlen(r.list[0].advice), DOCTOR_ADVICE_MAX - 1);
    for (size_t i = 1; i < DOCTOR_FINDINGS_MAX; i++)
        doctor_add(&r, "keys", DOCTOR_OK, "", "%zu", i);
    assert_true(doctor_is_well(&r));
    doctor_add(&r, "keys", DOCTOR_OK, "", "one more");
    assert_false(doctor_is_well(&r));
    doctor_put_text(&r, &out);
    assert_non_null(strstr(postern_buf_cstr(&out), "there was no room for all of it"));
    doctor_report_free(&r);
}

static void a_finding_without_memory_is_never_all_well(void **state)
{
    struct doctor_report r = { 0 };

    (void)state;
    alloc_fail_arm(1);
    doctor_add(&r, "keys", DOCTOR_OK, "", "fine");
    assert_true(alloc_fail_disarm());
    assert_false(doctor_is_well(&r));
    doctor_report_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_finding_and_warnings_are_well_a_problem_is_not),
        cmocka_unit_test(people_get_a_heading_for_each_service_and_a_count),
        cmocka_unit_test(what_does_not_print_cannot_steer_a_terminal),
        cmocka_unit_test(json_has_every_finding_and_its_state),
        cmocka_unit_test(long_words_are_cut_and_too_many_are_told),
        cmocka_unit_test(a_finding_without_memory_is_never_all_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
