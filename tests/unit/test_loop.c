/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/loop.c: the end of a loop that no thread runs any more. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "door/loop.h"

/* Look-ups that are cancelled need a turn of the event base; what else is due then finds nothing. */
static void a_tick_that_is_due_while_a_loop_is_freed_does_not_run(void **state)
{
    struct door_process process = { .denials_lock = PTHREAD_MUTEX_INITIALIZER };
    postern_error err = { 0 };
    struct loop *l = NULL;

    (void)state;
    assert_int_equal(limits_new(&process.limits, &err), POSTERN_OK);
    assert_int_equal(registry_new(&process.registry, &err), POSTERN_OK);
    assert_int_equal(denials_new(DENIALS_OF_STRANGERS, &process.denials, &err), POSTERN_OK);
    assert_int_equal(denials_new(DENIALS_OF_AGENTS, &process.agent_denials, &err), POSTERN_OK);
    if (loop_new(&process, 0, &l, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    l->drain_end_ms = 1; /* and has not drained, so that each tick asks the line to the audit child */
    event_active(l->tick, EV_TIMEOUT, 0); /* as 250 ms after the last */
    event_active(l->resume, EV_TIMEOUT, 0);
    loop_free(l); /* a sanitizer sees what is touched */
    registry_free(process.registry);
    limits_free(process.limits);
    denials_free(process.denials);
    denials_free(process.agent_denials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_that_is_due_while_a_loop_is_freed_does_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
