/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what: rules read from policies/NAME.rules, first match, default deny; see
 * postern-policy(5).  Pure: text and a question in, a decision out; no file, no clock.
 */
#ifndef POSTERN_POLICY_H
#define POSTERN_POLICY_H

#include <postern/grant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_POLICY_FILE_MAX 262144 /* bytes of one file: some 2,000 rules that people read */
#define POSTERN_POLICY_RULES_MAX 4096  /* of all files of one policy: a decision stays below 100 us */
#define POSTERN_POLICY_LABEL_MAX 130   /* bytes with NUL of "file:label" */
#define POSTERN_POLICY_BECAUSE_MAX 256 /* bytes with NUL of a rule's own words */

typedef struct postern_policy postern_policy; /* immutable after finish; any thread may decide */

typedef enum postern_verdict {
    POSTERN_VERDICT_DENY = 0,
    POSTERN_VERDICT_ALLOW,
    POSTERN_VERDICT_HOLD /* allowed once somebody approves */
} postern_verdict;

/* One action that somebody wants to take.  Texts are borrowed, NULL when there is none. */
typedef struct postern_policy_question {
    size_t               size;    /* sizeof: room to grow */
    const postern_grant *grant;   /* who: agent, human, scopes, purpose, chain, issuer, claims */
    const char          *source;  /* the client's literal address; NULL: not known */
    const char          *protocol; /* "raw" */
    const char          *action;   /* "connect" */
    const char          *resource; /* the door's name for raw:connect */
    int64_t              now_s;
} postern_policy_question;

typedef struct postern_decision {
    postern_verdict verdict;
    char    rule[POSTERN_POLICY_LABEL_MAX];       /* "cache:write", "cache:12" without label, "" none */
    char    because[POSTERN_POLICY_BECAUSE_MAX];  /* the rule's own words; "" none */
    char    missing_scope[POSTERN_SCOPE_MAX];     /* only this was wanting for an allow; "" */
    int64_t lease_s;                              /* 0: the rule says none */
} postern_decision;

/* POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err postern_policy_new(postern_policy **ret, postern_error *err);
/*
 * Read one file's text behind those before it.
 *   name   "cache", for labels; "policies/cache.rules" is what errors say
 *   POSTERN_OK · POSTERN_ERR_CONFIG_SYNTAX, CONFIG_KEY, CONFIG_VALUE, CONFIG_CONFLICT with
 *   file:line:column · POSTERN_ERR_LIMIT · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_policy_add(postern_policy *p, const char *name,
                                                postern_bytes text, postern_error *err);
/* No more files.  Runs each `expect`: one that fails is CONFIG_CONFLICT and refuses the policy. */
POSTERN_MUST_USE postern_err postern_policy_finish(postern_policy *p, postern_error *err);
void postern_policy_free(postern_policy *p);
static inline void postern_auto_policy(postern_policy **p) { postern_policy_free(*p); }

/* Never fails: whatever is wrong or missing is a deny. */
void postern_policy_decide(const postern_policy *p, const postern_policy_question *q,
                           postern_decision *ret);

#ifdef __cplusplus
}
#endif
#endif
