/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second opinion on what the raw adapter accepts and says, written without its code: is the token
 * it found really the one in the bytes, and is its answer well formed?  For unit tests and the fuzz
 * target.
 */
#ifndef TESTS_SUPPORT_RAW_JUDGE_H
#define TESTS_SUPPORT_RAW_JUDGE_H

#include "adapters/adapter.h"

/* NULL, or what is wrong with LOGIN or RENEW of the first `used` bytes of `in`. */
const char *raw_judge_login(postern_bytes in, adapter_feed verdict, const struct adapter_login *l,
                            size_t used);
/* NULL, or what is wrong with an answer; is_http: to a CONNECT. */
const char *raw_judge_answer(postern_bytes answer, bool is_http, bool is_grant);

#endif
