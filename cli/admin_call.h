/* SPDX-License-Identifier: BSD-2-Clause */
/* One question to an administration socket of posternd (postern-issuer(7), postern-control(7)): a
 * JSON line there, a JSON line back. */
#ifndef POSTERN_CLI_ADMIN_CALL_H
#define POSTERN_CLI_ADMIN_CALL_H

#include <postern-private/json.h>

/* Who is at the other end, for messages. */
struct admin_peer {
    const char *name;                   /* "the issuer" */
    const char *hint;                   /* why it may not be there: a question */
    postern_err unreachable, no_answer; /* codes of these two failures */
};
extern const struct admin_peer admin_issuer, admin_control;

/*
 * Ask and wait for the answer, at most ADMIN_CALL_TIMEOUT_S.
 *
 *   path     of the socket
 *   request  one JSON object without newline
 *   reply    gets the answer's line; `j` is its scan: an object with "ok" and, when that is false,
 *            "error" and "message"
 *   POSTERN_OK · peer->unreachable (nothing was asked) · peer->no_answer (perhaps done: no answer,
 *   or none that can be read) · POSTERN_ERR_NOMEM
 */
/* posternd waits 3 s for the audit child and 2 s for others, and may reload meanwhile. */
#define ADMIN_CALL_TIMEOUT_S 10
#define ADMIN_CALL_REPLY_MAX 1048577 /* ADMIN_REPLY_MAX and CONTROL_REPLY_MAX, and the newline */
POSTERN_MUST_USE postern_err admin_call(const struct admin_peer *peer, const char *path,
                                        postern_bytes request, postern_buf *reply, postern_json *j,
                                        postern_error *err);
/* {"ok":true…} */
bool admin_call_is_ok(const postern_json *j);
/* A string member, printed as it is, into room; "" when it is not there or does not fit. */
const char *admin_call_text(const postern_json *j, uint32_t object, const char *name, char *room,
                            size_t room_size);

#endif
