/* SPDX-License-Identifier: BSD-2-Clause */
/* The one line with which a backend that is a raw door answers a login of ours (postern-raw(7)).
 * Pure. */
#ifndef POSTERN_SIDECAR_DOOR_BACKEND_ANSWER_H
#define POSTERN_SIDECAR_DOOR_BACKEND_ANSWER_H

#include <postern/bytes.h>

/* Bytes of a line with its end: a refusal has 1500, a grant less (ADAPTER_ANSWER_MAX). */
#define BACKEND_ANSWER_MAX  4096
#define BACKEND_SESSION_MAX 65 /* bytes with NUL of a session's secret, postern-raw(7) */

struct backend_answer {
    int64_t lease_s;                      /* ≥ 0 */
    char    session[BACKEND_SESSION_MAX]; /* "" after a renewal */
};

/*
 *   line         without its end
 *   is_renewal   no session is expected
 *   POSTERN_OK · POSTERN_ERR_BACKEND (it refused, and with which reason and ref; or this is no raw
 *   door) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err backend_answer_read(postern_bytes line, bool is_renewal,
                                                 struct backend_answer *ret, postern_error *err);

#endif
