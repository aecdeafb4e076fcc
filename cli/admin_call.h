/* SPDX-License-Identifier: BSD-2-Clause */
/* One question to the issuer's administration socket (postern-issuer(7)): a JSON line there, a
 * JSON line back. */
#ifndef POSTERN_CLI_ADMIN_CALL_H
#define POSTERN_CLI_ADMIN_CALL_H

#include <postern-private/json.h>

/*
 * Ask and wait for the answer, at most ADMIN_CALL_TIMEOUT_S.
 *
 *   path     of the socket
 *   request  one JSON object without newline
 *   reply    gets the answer's line; `j` is its scan: an object with "ok" and, when that is false,
 *            "error" and "message"
 *   POSTERN_OK · POSTERN_ERR_ISSUER_UNREACHABLE (nothing was asked) · POSTERN_ERR_ISSUER_ANSWER
 *   (perhaps done: no answer, or none that can be read) · POSTERN_ERR_NOMEM
 */
/* The issuer waits 2 s for the helper, and may be replaced by a reload meanwhile. */
#define ADMIN_CALL_TIMEOUT_S 10
#define ADMIN_CALL_REPLY_MAX 1048577 /* ADMIN_REPLY_MAX of the issuer, and the newline */
POSTERN_MUST_USE postern_err admin_call(const char *path, postern_bytes request, postern_buf *reply,
                                        postern_json *j, postern_error *err);
/* {"ok":true…} */
bool admin_call_is_ok(const postern_json *j);
/* A string member, printed as it is, into room; "" when it is not there or does not fit. */
const char *admin_call_text(const postern_json *j, uint32_t object, const char *name, char *room,
                            size_t room_size);

#endif
