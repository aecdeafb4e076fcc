/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One audit record: a JSON object for one decision, allowed or refused.  Formats only; the audit
 * child adds the chain members and writes the line (audit/line.h, lib/audit).  The fields are
 * documented in postern-helper(7) and read by `postern why` and `postern audit`.
 */
#ifndef POSTERN_SIDECAR_AUDIT_RECORD_H
#define POSTERN_SIDECAR_AUDIT_RECORD_H

#include <sys/types.h>

#include <postern/grant.h>
#include <postern/request.h>

#include <postern-private/audit_chain.h>

/* Strings are borrowed, UTF-8, NULL or "" when unknown; long ones are cut in the log, and "cut"
 * says so. */
struct audit_record {
    int64_t time_ms;   /* since 1970 */
    /* static: "verify" "describe" (helper) · "login" "renew" "action" "actions" "held" "approve" "end"
     * "refused" (doors; "actions" counts what `log summary` allowed, "refused" sums up what
     * strangers sent) · "block" "unblock" "kill" (administration) */
    const char *event;
    const char *ref;
    const char *service; /* name of its file; as asked when there is none */
    const char *peer;    /* the client's address, as the host told */
    pid_t pid;           /* of the process that asked; 0: left out, and uid with it */
    uid_t uid;
    const char *carrier;        /* "sasl" "password" "raw" */
    const char *tls;            /* "on" "local" "none" "unknown" */
    const char *authzid;        /* wanted identity */
    bool is_by_handle;          /* a token handle came in the token's place */
    /* POSTERN_OK: proved.  POSTERN_ERR_UNSET: left out of "end", "held", "approve", "block",
     * "unblock" and "kill", which need not be verdicts; anywhere else it is undecided. */
    postern_err code;
    const char *detail;         /* postern_error.detail */
    const char *setting;        /* which key decided: "helper_peers" */
    const char *origin;         /* where it stands: "services/imap.conf:4" or "default" */
    const char *issuer;         /* configured issuer that was chosen, when there is no grant */
    const char *fingerprint;    /* of the token, keyed per boot; when there is no grant */
    const postern_grant *grant; /* NULL: not proved */
    int64_t latency_us; /* 0: left out */
    /* Doors and administration; empty ones are left out. */
    const char *session;  /* public id of a session, not its secret */
    const char *agent;    /* who acts, as the policy sees it; of a block: whom it is for */
    const char *human;    /* for whom; NULL: for itself */
    const char *authcid;  /* whom the host logs in for the user (login_as: both); "" else */
    const char *action;   /* "raw:connect", "imap:login" */
    const char *resource; /* what it is done to; of several the one that decided, else the first */
    int64_t more_resources; /* how many more of them there are; 0: left out */
    const char *database; /* in which of several it happens, as digits: "3"; NULL, "": the first */
    const char *purpose;  /* of the token, where no grant is here to tell it ("actions") */
    const char *args_digest; /* of its arguments (postern-private/args_digest.h), below ARGS_DIGEST_MAX bytes */
    const char *claimed_purpose; /* what the call itself said; never judged */
    const char *approver; /* who approved or denied what was held */
    const char *rule;     /* "cache:write": policy's label */
    const char *user_rule; /* likewise of the user's list, with `judge agent and user` */
    const char *would;    /* "deny": what the policy says and is not obeyed in (policy_mode: shadow) */
    const char *because;  /* the rule's or the administrator's words */
    const char *end;      /* why a session ended: "client" "backend" "expired" "revoked" "killed" … */
    int64_t lease_end_s;  /* since 1970; 0: left out */
    int64_t until_s;      /* of a block; 0: left out */
    int64_t duration_ms;  /* of a session; with up and down: left out unless event is "end" */
    uint64_t up, down;    /* bytes to the backend, to the client */
    int64_t count;        /* of refusals or actions summed up, of sessions ended; 0: left out */
    int64_t first_ms, last_ms; /* of what is summed up, since 1970; 0: left out */
    int64_t missed; /* refusals of strangers before this one that have no record; 0: left out */
};

/*
 * The record as one JSON object of at most AUDIT_RECORD_MAX bytes, without newline.  Long texts
 * are cut so that it fits.
 *   out   POSTERN_BUF_INIT(AUDIT_RECORD_MAX)
 *   False: out of memory
 */
bool audit_format(const struct audit_record *r, postern_buf *out);
/*
 * {"time":…,"event":"chain","reason":REASON}: the audit child's own, about its file.  False: out
 * of memory.
 */
bool audit_format_chain(int64_t time_ms, const char *reason, postern_buf *out);

#endif
