/* SPDX-License-Identifier: BSD-2-Clause */
/* An operation that does nothing, under a clock that stands still: for what notes its events in
 * one. */
#ifndef TESTS_SUPPORT_OP_STUB_H
#define TESTS_SUPPORT_OP_STUB_H

#include "grant/op.h"

struct op_stub {
    int64_t now_s, mono_ms; /* set them at will */
    postern_clock clock;    /* reads them */
    postern_op *op;
    char events[512]; /* what op_stub_events() returned last */
};

void op_stub_make(struct op_stub *s); /* asserts (cmocka) */
void op_stub_remove(struct op_stub *s);
/* Names of the events since the last call, each with a blank behind. */
const char *op_stub_events(struct op_stub *s);

#endif
