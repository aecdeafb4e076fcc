/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/trail.c: where a validation went, and that notes stay in their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "oauth/trail.h"

static postern_trail_step at(const postern_trail *t, enum trail_step i)
{
    postern_trail_step s;

    assert_true(postern_trail_at(t, i, &s));
    return s;
}

static void a_trail_stops_where_the_verdict_fell(void **state)
{
    POSTERN_AUTO(trail) t = NULL;
    postern_trail_step s;

    (void)state;
    assert_int_equal(postern_trail_new(&t, NULL), POSTERN_OK);
    for (size_t i = 0; postern_trail_at(t, i, &s); i++)
        assert_int_equal(s.state, POSTERN_TRAIL_NOT_REACHED);
    postern_trail_note(t, "before anything");
    postern_trail_enter(t, TRAIL_SERVICE);
    postern_trail_enter(t, TRAIL_AUDIENCE);
    postern_trail_note(t, "aud %d", 7);
    postern_trail_note_value(t, "wanted", postern_bytes_str("a\nb"));
    postern_trail_note_value(t, "nothing", POSTERN_BYTES_NONE);
    postern_trail_end(t, POSTERN_ERR_AUD);
    assert_int_equal(at(t, TRAIL_SERVICE).state, POSTERN_TRAIL_PASSED);
    assert_string_equal(at(t, TRAIL_SERVICE).facts, "");
    assert_int_equal(at(t, TRAIL_SIGNATURE).state, POSTERN_TRAIL_SKIPPED);
    assert_int_equal(at(t, TRAIL_AUDIENCE).state, POSTERN_TRAIL_STOPPED);
    assert_string_equal(at(t, TRAIL_AUDIENCE).facts, "aud 7; wanted \"a\\x0ab\"");
    assert_int_equal(at(t, TRAIL_TIMES).state, POSTERN_TRAIL_NOT_REACHED);
    assert_false(postern_trail_at(t, TRAIL_STEPS, &s));
    postern_trail_end(t, POSTERN_OK);
    assert_int_equal(at(t, TRAIL_AUDIENCE).state, POSTERN_TRAIL_PASSED);
}

/* As when a key is not known and the keys are looked at once more. */
static void a_step_that_is_taken_again_begins_anew(void **state)
{
    POSTERN_AUTO(trail) t = NULL;

    (void)state;
    assert_int_equal(postern_trail_new(&t, NULL), POSTERN_OK);
    postern_trail_enter(t, TRAIL_FORM);
    postern_trail_note(t, "kept");
    postern_trail_enter(t, TRAIL_KEYS);
    postern_trail_note(t, "first look");
    postern_trail_enter(t, TRAIL_SIGNATURE);
    postern_trail_note(t, "kid \"b\"");
    postern_trail_enter(t, TRAIL_KEYS);
    postern_trail_note(t, "second look");
    postern_trail_end(t, POSTERN_ERR_KEYS_UNAVAILABLE);
    assert_int_equal(at(t, TRAIL_FORM).state, POSTERN_TRAIL_PASSED);
    assert_string_equal(at(t, TRAIL_FORM).facts, "kept");
    assert_int_equal(at(t, TRAIL_KEYS).state, POSTERN_TRAIL_STOPPED);
    assert_string_equal(at(t, TRAIL_KEYS).facts, "second look");
    assert_int_equal(at(t, TRAIL_SIGNATURE).state, POSTERN_TRAIL_NOT_REACHED);
    assert_string_equal(at(t, TRAIL_SIGNATURE).facts, "");
}

static void notes_are_printable_and_end_in_their_room(void **state)
{
    POSTERN_AUTO(trail) t = NULL;

    (void)state;
    assert_int_equal(postern_trail_new(&t, NULL), POSTERN_OK);
    postern_trail_enter(t, TRAIL_FORM);
    postern_trail_note(t, "a\x1b[2J\xc3\xa4");
    assert_string_equal(at(t, TRAIL_FORM).facts, "a?[2J??");
    for (int i = 0; i < 1000; i++)
        postern_trail_note(t, "%d some words", i);
    assert_int_equal(strlen(at(t, TRAIL_FORM).facts), 1023);
    postern_trail_note(NULL, "nobody asks");
    postern_trail_enter(NULL, TRAIL_FORM);
    postern_trail_end(NULL, POSTERN_OK);
}

static void every_step_has_a_name_and_a_source(void **state)
{
    POSTERN_AUTO(trail) t = NULL;

    (void)state;
    assert_int_equal(postern_trail_new(&t, NULL), POSTERN_OK);
    for (int i = 0; i < TRAIL_STEPS; i++) {
        assert_true(at(t, (enum trail_step)i).name[0] != '\0');
        assert_true(at(t, (enum trail_step)i).source[0] != '\0');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(at(t, (enum trail_step)i).name, at(t, (enum trail_step)k).name);
    }
    assert_string_equal(postern_trail_state_name(POSTERN_TRAIL_STOPPED), "stopped");
    assert_string_equal(postern_trail_state_name((postern_trail_state)99), "not reached");
}

static void the_design_page_has_the_same_steps_in_the_same_order(void **state)
{
    const char *top = getenv("top_srcdir");
    POSTERN_AUTO(trail) t = NULL;
    char path[512], line[2048], want[64];
    int step = 0;
    FILE *in;

    (void)state;
    assert_int_equal(postern_trail_new(&t, NULL), POSTERN_OK);
    assert_true(snprintf(path, sizeof path, "%s/doc/design/token-flow.md", top == NULL ? "." : top) > 0);
    in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL) {
        if (line[0] < '0' || line[0] > '9')
            continue;
        assert_true(step < TRAIL_STEPS);
        assert_true(snprintf(want, sizeof want, "%d. %s", step + 1,
                             at(t, (enum trail_step)step).name) > 0);
        if (strncmp(line, want, strlen(want)) != 0 || strchr(":,", line[strlen(want)]) == NULL)
            fail_msg("wanted \"%s\", the page has %.60s", want, line);
        step++;
    }
    assert_int_equal(step, TRAIL_STEPS);
    fclose(in);
}

static postern_err make(void *arg, postern_error *err)
{
    POSTERN_AUTO(trail) t = NULL;

    (void)arg;
    return postern_trail_new(&t, err);
}

static void a_failing_allocation_says_so(void **state)
{
    (void)state;
    assert_int_equal(alloc_fail_sweep(make, NULL, POSTERN_OK), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trail_stops_where_the_verdict_fell),
        cmocka_unit_test(a_step_that_is_taken_again_begins_anew),
        cmocka_unit_test(notes_are_printable_and_end_in_their_room),
        cmocka_unit_test(every_step_has_a_name_and_a_source),
        cmocka_unit_test(the_design_page_has_the_same_steps_in_the_same_order),
        cmocka_unit_test(a_failing_allocation_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
