/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an authorization server answered: a JSON object over HTTP, judged before any member is used.
 * Pure; called by metadata.c, token_answer.c and token_call.c.  Whatever is wrong here is undecided
 * (ISSUER_ANSWER), never a verdict on a token.
 */
#ifndef POSTERN_LIB_ANSWER_H
#define POSTERN_LIB_ANSWER_H

#include <postern-private/json.h>

#include "http/http.h"

/* application/json, one strict JSON object.  POSTERN_OK · ISSUER_ANSWER · NOMEM */
POSTERN_MUST_USE postern_err postern_answer_scan(const struct postern_http_response *r,
                                                 postern_json *j, postern_error *err);
/*
 * A member that is absent or a string of printable ASCII, copied with NUL; "" when absent or empty.
 *   POSTERN_OK · ISSUER_ANSWER (not a string, not printable, room_size bytes or more) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_answer_text(const postern_json *j, const char *name,
                                                 char *room, size_t room_size, postern_error *err);
/* True when member `name` is a list that holds `word`. */
bool postern_answer_lists(const postern_json *j, const char *name, const char *word);
/* What every status but 200 and an OAuth error means.  ISSUER_UNREACHABLE (429 and 5xx: try later)
 * · ISSUER_ANSWER */
POSTERN_MUST_USE postern_err postern_answer_refuse_status(const struct postern_http_response *r,
                                                          const char *what, postern_error *err);

#endif
