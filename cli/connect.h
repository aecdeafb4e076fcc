/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern connect`: what its files share. */
#ifndef POSTERN_CLI_CONNECT_H
#define POSTERN_CLI_CONNECT_H

#include <stdio.h>

#include "connect_door.h"
#include "connect_lease.h"
#include "token_fetch.h"

/* Sessions of one listener at a time: each is a process with 200 KiB of buffers. */
#define CONNECT_SESSIONS_MAX 256
/* Bytes of what --json says of a failure: its detail with every byte escaped sixfold, and names. */
#define CONNECT_OBJECT_MAX 4096

struct connect_options {
    struct token_options token;
    const char *door;   /* URL, or a name in the client's configuration; NULL: the client file's */
    const char *listen; /* NULL: standard input and output */
    const char *door_tls_ca_file;
    bool is_stdio;
};

/* What every session needs; does not change after the start, and holds no secret. */
struct connect_plan {
    const struct connect_options *options;
    struct token_settings settings;
    struct connect_target target;
    struct connect_trust trust;
};

/* ---- connect_session.c ---- */

/*
 * Log in, relay until the end, renew meanwhile; says on standard error what went wrong.  Returns
 * the exit status.
 *
 *   in_fd, out_fd   the local client; the same for a socket; stay the caller's
 */
int connect_session_run(const struct connect_plan *plan, int in_fd, int out_fd);

/*
 * "OAUTHBEARER" login, or "RENEW" of a session, with a token of the store or the server.
 *
 *   POSTERN_OK · codes of token_obtain(), connect_door_open(), connect_door_ask()
 */
struct connect_login {
    const struct connect_plan *plan;
    const char *session; /* NULL: a new one */
    struct token_want want;
    struct connect_door door; /* the rest: results */
    struct connect_answer answer;
    postern_buf in;      /* what the answer and `early` look into */
    postern_bytes early; /* bytes behind the answer */
    bool token_was_stored;
    char oauth_error[TOKEN_OAUTH_ERROR_ROOM]; /* "" when the server's answer is not why */
};
POSTERN_MUST_USE postern_err connect_login_run(struct connect_login *l, postern_error *err);
/* Wipes and closes; the door too, unless it was taken out. */
void connect_login_free(struct connect_login *l);

/* ---- connect_renew.c ---- */

/* Keeps a session's lease.  Each try is a short-lived process of its own, because resolving,
 * fetching a token and connecting may take seconds that the relayed bytes should not wait. */
struct connect_renewal {
    const struct connect_plan *plan;
    struct connect_lease lease;
    char session[ANSWER_SESSION_MAX + 1];
    pid_t pid;           /* of a try under way; 0: none */
    int report_fd;       /* its answer; -1: none */
    bool has_complained; /* of this lease */
};
void connect_renewal_begin(struct connect_renewal *r, const struct connect_plan *plan,
                           const struct connect_answer *answer);
/* The functions of a relay_watch. */
int connect_renewal_fd(void *renewal);
int64_t connect_renewal_wait_ms(void *renewal);
void connect_renewal_tick(void *renewal);
/* Ends a try that is under way, and wipes. */
void connect_renewal_end(struct connect_renewal *r);

/* ---- connect_listen.c ---- */

/*
 * Serve `unix:/PATH`, `127.0.0.1:PORT` or `[::1]:PORT` until a signal ends it; each connection is a
 * session, in a process of its own.  Returns the exit status.
 */
int connect_listen_run(const struct connect_plan *plan, const char *where);

/* ---- connect_explain.c ---- */

/* One sentence, or with --json one object, on standard error; returns the exit status. oauth_error:
 * of the authorization server, or "". */
int connect_explain(const struct connect_plan *plan, const char *oauth_error,
                    const postern_error *err);
int connect_explain_refusal(const struct connect_plan *plan, const struct connect_answer *answer);
/* What is said with --json of a failure that is no door's refusal. */
void connect_put_failure(const postern_error *err, postern_buf *out);
/* Why, without the rest; a view into `answer` where the reason is none of ours. */
const char *connect_refusal_text(const struct connect_answer *answer);
/* The same sentence, to anywhere; without the object. */
void connect_print_refusal(FILE *out, const struct connect_plan *plan,
                           const struct connect_answer *answer);
void connect_print_failure(FILE *out, const struct connect_plan *plan, const char *oauth_error,
                           const postern_error *err);
/* Whether trying again could help: `later`, or not decided. */
bool connect_answer_is_final(const struct connect_answer *answer);

/* ---- connect_mcp.c ---- */

/*
 * Where the door is one for MCP, answer the JSON-RPC request that the local host began with, when
 * it comes within two seconds.
 *
 *   answer   the door's refusal, which becomes `data`; NULL: err says why there is no session
 */
void connect_mcp_refuse(const struct connect_plan *plan, const struct connect_answer *answer,
                        const postern_error *err, int in_fd, int out_fd);

#endif
