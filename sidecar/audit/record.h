/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit log: one JSON line per decision, allowed or refused, appended by one write(2).  Part of
 * the decision: a verdict whose record cannot be written is undecided (POSTERN_ERR_AUDIT).  Opens
 * no file and rotates none: the supervisor does.  The fields are documented in postern-helper(7)
 * and read by `postern why`.
 */
#ifndef POSTERN_SIDECAR_AUDIT_RECORD_H
#define POSTERN_SIDECAR_AUDIT_RECORD_H

#include <sys/types.h>

#include <postern/grant.h>
#include <postern/request.h>

/* Bytes of a line with its newline: PIPE_BUF, so that a line on a pipe or a shared file is whole or
 * not there. */
#define AUDIT_LINE_MAX 4096

struct audit {
    int fd;       /* O_APPEND, borrowed */
    bool is_torn; /* the last write was cut short: the next record begins on a line of its own */
};

/* Strings are borrowed, UTF-8, NULL or "" when unknown; long ones are cut in the log, and "cut"
 * says so. */
struct audit_record {
    int64_t time_ms;   /* since 1970 */
    /* static: "verify" "describe" (helper) · "login" "renew" "end" "refused" (doors; "refused" sums
     * up what strangers sent) · "block" "unblock" "kill" (administration) */
    const char *event;
    const char *ref;
    const char *service; /* name of its file; as asked when there is none */
    const char *peer;    /* the client's address, as the host told */
    pid_t pid;           /* of the host process that asked */
    uid_t uid;
    const char *carrier;        /* "sasl" "password" "raw" */
    const char *tls;            /* "on" "local" "none" "unknown" */
    const char *authzid;        /* wanted identity */
    postern_err code;           /* POSTERN_OK: proved */
    const char *detail;         /* postern_error.detail */
    const char *setting;        /* which key decided: "helper_peers" */
    const char *origin;         /* where it stands: "services/imap.conf:4" or "default" */
    const char *issuer;         /* configured issuer that was chosen, when there is no grant */
    const char *fingerprint;    /* of the token, keyed per boot; when there is no grant */
    const postern_grant *grant; /* NULL: not proved */
    int64_t latency_us;
    /* Doors and administration; empty ones are left out. */
    const char *session;  /* public id of a session, not its secret */
    const char *agent;    /* who acts, from the grant; of a block: whom it is for */
    const char *human;    /* for whom; NULL: for itself */
    const char *action;   /* "raw:connect" */
    const char *resource; /* what it is done to */
    const char *rule;     /* "cache:write": policy's label */
    const char *because;  /* the rule's or the administrator's words */
    const char *end;      /* why a session ended: "client" "backend" "expired" "revoked" "killed" … */
    int64_t lease_end_s;  /* since 1970; 0: left out */
    int64_t until_s;      /* of a block; 0: left out */
    int64_t duration_ms;  /* of a session; with up and down: left out unless event is "end" */
    uint64_t up, down;    /* bytes to the backend, to the client */
    int64_t count;        /* of refusals summed up, of sessions ended; 0: left out */
    int64_t missed; /* refusals of strangers before this one that have no record; 0: left out */
};

/*
 * Append one record.
 *   POSTERN_OK · POSTERN_ERR_AUDIT (the record is not there: the decision must not be "proved")
 */
POSTERN_MUST_USE postern_err audit_write(struct audit *a, const struct audit_record *r,
                                         postern_error *err);
/* The line alone, without writing: at most AUDIT_LINE_MAX bytes; for tests.  False: memory. */
bool audit_format(const struct audit_record *r, postern_buf *out);

#endif
