/* SPDX-License-Identifier: BSD-2-Clause */
/* One token against one key set, both as text: what tests of lib/jose ask all the time. */
#ifndef POSTERN_TESTS_JOSE_JUDGE_H
#define POSTERN_TESTS_JOSE_JUDGE_H

#include <postern/bytes.h>

/* The whole way of lib/jose: parse the set, parse the token, verify, read the payload. */
postern_err judge_token(const char *jwks, const char *token);
/* Header and signature only: the payload may be anything, also empty (RFC and Wycheproof vectors sign no JWTs). */
postern_err judge_signature(const char *jwks, postern_bytes token);

/* Compare reasons by name, so that a failure reads "bad_signature" != "ok". */
#define assert_reason(got, CODE) assert_string_equal(postern_err_reason(got), postern_err_reason(CODE))

#endif
