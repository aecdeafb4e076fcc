/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/audit_find.c, cli/why_advice.c: the record of a reference, and advice for every reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "audit_find.h"
#include "why_advice.h"

static void every_reason_has_its_own_advice(void **state)
{
    static const struct { postern_err code; const char *name; } codes[] = {
#define ROW(code, reason, class, oauth, source, text) { POSTERN_ERR_##code, #code },
        POSTERN_ERR_LIST(ROW)
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const char *advice = why_advice(codes[i].code);

        if (advice == NULL || strlen(advice) < 20 || advice[strlen(advice) - 1] != '.')
            fail_msg("no advice for %s", codes[i].name);
    }
    assert_non_null(why_advice(POSTERN_OK));
    assert_null(why_advice(POSTERN_ERR_UNSET));
    assert_null(why_advice(POSTERN_ERR_COUNT));
    assert_null(why_advice((postern_err)-1));
}

static void an_action_that_was_refused_has_advice_of_its_own(void **state)
{
    static const char *const reasons[] = { "policy", "insufficient_scope", "held", "rate" };

    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        const char *advice = why_advice_action(reasons[i]);

        if (advice == NULL || advice == why_advice(postern_err_from_reason(reasons[i])))
            fail_msg("no advice for %s", reasons[i]);
    }
    assert_null(why_advice_action("expired"));
    assert_null(why_advice_action(""));
}

static FILE *audit_log(void)
{
    FILE *f = tmpfile();

    assert_non_null(f);
    return f;
}

static void look_for(FILE *f, const char *ref, struct audit_found *found)
{
    postern_error err;

    assert_int_equal(fflush(f), 0);
    if (audit_find(fileno(f), ref, found, &err) != POSTERN_OK)
        fail_msg("%s: %s", ref, err.detail);
}

static void assert_found(FILE *f, const char *ref, int64_t want_n)
{
    struct audit_found found;
    int64_t n = -1;

    look_for(f, ref, &found);
    assert_true(found.is_found);
    assert_true(postern_json_integer(&found.json, postern_json_member(&found.json, 0, "n"), &n));
    assert_int_equal(n, want_n);
    audit_found_free(&found);
}

static void assert_not_found(FILE *f, const char *ref, uint64_t want_damaged)
{
    struct audit_found found;

    look_for(f, ref, &found);
    assert_false(found.is_found);
    assert_int_equal(found.damaged_lines, want_damaged);
    audit_found_free(&found);
}

static void the_newest_record_of_a_reference_is_found(void **state)
{
    FILE *f = audit_log();

    (void)state;
    fputs("{\"ref\":\"R-1\",\"n\":1}\n{\"ref\":\"R-2\",\"n\":2}\n{\"ref\":\"R-1\",\"n\":3}\n{\"ref\":\"R-10\",\"n\":4}\n", f);
    assert_found(f, "R-1", 3);
    assert_found(f, "R-2", 2);
    assert_found(f, "R-10", 4);
    assert_not_found(f, "R-", 0);
    assert_not_found(f, "R-3", 0);
    fclose(f);
}

static void a_last_line_without_newline_counts(void **state)
{
    FILE *f = audit_log();

    (void)state;
    assert_not_found(f, "R-1", 0); /* an empty file */
    fputs("\n\n{\"ref\":\"R-1\",\"n\":1}", f);
    assert_found(f, "R-1", 1);
    fclose(f);
}

static void a_reference_inside_other_members_is_not_the_record(void **state)
{
    FILE *f = audit_log();

    (void)state;
    fputs("{\"ref\":\"R-1\",\"n\":1}\n{\"ref\":\"R-9\",\"peer\":\"R-1\",\"n\":2}\n{\"x\":{\"ref\":\"R-1\"},\"n\":3}\n"
          "{\"ref\":[\"R-1\"],\"n\":4}\n", f);
    assert_found(f, "R-1", 1);
    fclose(f);
}

static void damaged_lines_are_counted_and_never_believed(void **state)
{
    FILE *f = audit_log();

    (void)state;
    fputs("{\"ref\":\"R-1\",\"n\":1\n{\"ref\":\"R-1\",\"ref\":\"R-2\"}\n[\"R-1\"]\nR-1\n{\"ref\":\"R-1\",\"n\":01}\n", f);
    assert_not_found(f, "R-1", 5);
    fclose(f);
}

static void a_large_file_is_read_in_blocks(void **state)
{
    FILE *f = audit_log();

    (void)state;
    for (int i = 0; i < 40000; i++) /* about 1.3 MB: several windows, lines across their borders */
        fprintf(f, "{\"ref\":\"R-%d\",\"n\":%d}\n", i, i);
    for (int i = 0; i < 40000; i += 371) {
        char ref[16];

        snprintf(ref, sizeof ref, "R-%d", i);
        assert_found(f, ref, i);
    }
    assert_not_found(f, "R-40000", 0);
    fclose(f);
}

static void an_endless_line_is_passed_over(void **state)
{
    FILE *f = audit_log();

    (void)state;
    fputs("{\"ref\":\"R-1\",\"n\":1}\n", f);
    for (int i = 0; i < 700000; i++)
        fputc('x', f);
    fputs("\n{\"ref\":\"R-2\",\"n\":2}\n", f);
    assert_found(f, "R-2", 2);
    assert_found(f, "R-1", 1);
    assert_not_found(f, "R-3", 0);
    fclose(f);
}

static void what_is_no_reference_is_a_usage_error(void **state)
{
    static const char *const bad[] = { "", "R 1", "R-1\n", "\"", "../x", "R-\xc3\xa9",
        "R-0123456789012345678901234567890123456789012345678901234567890123456789" };
    FILE *f = audit_log();
    struct audit_found found;
    postern_error err;
    int pipe_fds[2];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(audit_find(fileno(f), bad[i], &found, &err), POSTERN_ERR_USAGE);
        audit_found_free(&found);
    }
    fclose(f);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(audit_find(pipe_fds[0], "R-1", &found, &err), POSTERN_ERR_SYSTEM);
    audit_found_free(&found);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_its_own_advice),
        cmocka_unit_test(an_action_that_was_refused_has_advice_of_its_own),
        cmocka_unit_test(the_newest_record_of_a_reference_is_found),
        cmocka_unit_test(a_last_line_without_newline_counts),
        cmocka_unit_test(a_reference_inside_other_members_is_not_the_record),
        cmocka_unit_test(damaged_lines_are_counted_and_never_believed),
        cmocka_unit_test(a_large_file_is_read_in_blocks),
        cmocka_unit_test(an_endless_line_is_passed_over),
        cmocka_unit_test(what_is_no_reference_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
