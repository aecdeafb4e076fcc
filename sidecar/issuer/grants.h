/* SPDX-License-Identifier: BSD-2-Clause */
/* What ends before its time, and who hears of it: a person's authorization with everything that hangs
 * on it, one access token with everything exchanged from it.  RFC 7009, OAuth 2.1 §4.3.1. */
#ifndef POSTERN_ISSUER_GRANTS_H
#define POSTERN_ISSUER_GRANTS_H

#include "access_token.h"
#include "token_request.h"

#define REFRESH_IDLE_S 1209600 /* 14 days: a refresh token that nobody used for so long is void */

/* Remembered first, then told to helper and doors.  A grant that does not stand is nothing new.
 * POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err grants_end(struct issuer *is, const char *id, postern_error *err);
/* An access token that ends at `exp_s`. */
POSTERN_MUST_USE postern_err grants_end_token(struct issuer *is, const char *jti, int64_t exp_s,
                                              postern_error *err);
/* A new refresh token of a grant, not stored yet. */
POSTERN_MUST_USE postern_err grants_new_refresh(const struct grant_record *grant, int64_t now_s,
                                                postern_secret **ret,
                                                struct refresh_record *ret_record,
                                                postern_error *err);
/* What an access token of the grant says, for t->resource and t->scope; views into both. */
void grants_write_claims(const struct grant_record *grant, const struct token_request *t,
                         struct access_claims *ret);

#endif
