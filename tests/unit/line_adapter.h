/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A protocol of lines for tests of judged sessions: it calls itself redis, so that policies may name
 * its words.  Compiled into tests alone.
 *
 *   client   TOKEN <token>          the login
 *            WORD [key …]           an action on these keys; each has one answer, in order
 *            WAIT WORD [key …]      the same, and it may wait for its approval
 *            ANY WORD [key …]       the same, on something more that it does not name
 *            MANY WORD n            n actions of one line, each on key 1..n; one answer each
 *            SIZE n                 and n bytes, which are passed without being judged
 *            AGAIN <token>          a longer lease
 *            BROKEN                 nobody knows what that means
 *            DENIED                 what goes on is allowed no more
 *   backend  HELLO                  its greeting, answered with USER <user> <password>; then OK
 *            $n                     and n bytes: an answer
 *            <anything>             an answer
 *            !WORD                  an action of its own
 *   door     OK <lease>  -<reason> <ref> <retry after> <because>  BYE <reason>
 */
#ifndef TESTS_UNIT_LINE_ADAPTER_H
#define TESTS_UNIT_LINE_ADAPTER_H

#include "adapters/adapter.h"

#define LINE_PENDING_MAX 16

extern const struct adapter line_adapter;
/* A state as a login leaves it; the caller's. */
void *line_state_new(void);

#endif
