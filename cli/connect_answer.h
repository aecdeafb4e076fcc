/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one line that a raw door answers to a login or a renewal (doc/design/doors.md).  The door is
 * a stranger until it has proved its name, and may be hostile after that: sizes and types are
 * checked, and texts are for plain_print_text().  Pure.
 */
#ifndef POSTERN_CLI_CONNECT_ANSWER_H
#define POSTERN_CLI_CONNECT_ANSWER_H

#include <postern-private/json.h>

#define ANSWER_LINE_MAX    4096 /* bytes with CR LF: ADAPTER_ANSWER_MAX of the door */
#define ANSWER_SESSION_MAX 256  /* bytes of a session's secret: 256 bits in any spelling */
/* Seconds; no lease is longer than a door's session_max:, and none needs a calendar. */
#define ANSWER_LEASE_MAX_S (366 * 86400LL)

/* What the door advises, as doors and MCP errors spell it. */
typedef enum answer_retry {
    ANSWER_RETRY_UNSAID = 0,
    ANSWER_RETRY_NEW_TOKEN,
    ANSWER_RETRY_MORE_SCOPE,
    ANSWER_RETRY_LOGIN, /* a person has to authenticate again */
    ANSWER_RETRY_LATER, /* undecided: nothing is wrong with the token */
    ANSWER_RETRY_APPROVAL,
    ANSWER_RETRY_NEVER
} answer_retry;

struct connect_answer {
    bool is_granted;
    int64_t lease_s;                      /* granted: from now */
    char session[ANSWER_SESSION_MAX + 1]; /* granted: the secret; "" in a renewal's answer */
    answer_retry retry;                   /* the rest: refused */
    int64_t retry_after_s;                /* 0: not said */
    char error[64], reason[64], scope[256], because[512], contact[256], ref[64]; /* "": not said */
    postern_bytes json; /* the object, a view into the line */
};

/*
 * Find the line in what has come so far.
 *
 *   ret_line   without CR LF
 *   ret_used   bytes with CR LF: what stands behind them belongs to the backend's stream
 *   POSTERN_OK · POSTERN_AGAIN (not whole yet) · POSTERN_ERR_DOOR_ANSWER (too long, or cannot
 * become an answer any more)
 */
POSTERN_MUST_USE postern_err connect_answer_find(postern_bytes in, postern_bytes *ret_line,
                                                 size_t *ret_used, postern_error *err);
/*
 *   line         without CR LF
 *   is_renewal   then no session's secret is expected
 *   ret          wipe it with connect_answer_wipe()
 *   POSTERN_OK (granted or refused) · POSTERN_ERR_DOOR_ANSWER · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err connect_answer_parse(postern_bytes line, bool is_renewal,
                                                  struct connect_answer *ret, postern_error *err);
void connect_answer_wipe(struct connect_answer *a);

#endif
