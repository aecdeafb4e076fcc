/* SPDX-License-Identifier: BSD-2-Clause */
/* See op_stub.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "op_stub.h"

static int64_t get_now_s(void *arg)
{
    return ((struct op_stub *)arg)->now_s;
}

static int64_t get_mono_ms(void *arg)
{
    return ((struct op_stub *)arg)->mono_ms;
}

static postern_err step_never(postern_op *op, postern_error *err)
{
    (void)op;
    return POSTERN_FAIL(err, INTERNAL, "a stub is not stepped");
}

static const struct postern_op_class stub_class = { .name = "stub",
                                                    .size = sizeof(struct postern_op),
                                                    .step = step_never };

void op_stub_make(struct op_stub *s)
{
    *s = (struct op_stub){ .now_s = 1800000000, .mono_ms = 1000000 };
    s->clock = (postern_clock){ get_now_s, get_mono_ms, s };
    assert_int_equal(postern_op_new(&stub_class, &s->clock, 0, &s->op, NULL), POSTERN_OK);
}

void op_stub_remove(struct op_stub *s)
{
    postern_op_free(s->op);
    s->op = NULL;
}

const char *op_stub_events(struct op_stub *s)
{
    postern_event e;

    s->events[0] = '\0';
    while (postern_op_next_event(s->op, &e)) {
        size_t used = strlen(s->events);

        (void)snprintf(s->events + used, sizeof s->events - used, "%s ", e.name);
    }
    return s->events;
}
