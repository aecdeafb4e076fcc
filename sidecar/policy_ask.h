/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy of a door or of a service: read from its files, asked, and its refusal put into words.
 * Decides nothing itself; lib/policy does.
 */
#ifndef POSTERN_SIDECAR_POLICY_ASK_H
#define POSTERN_SIDECAR_POLICY_ASK_H

#include <postern/config.h>
#include <postern/policy.h>

/* Sees the text of each file, once it was read without a mistake. */
struct policy_reader {
    postern_err (*see)(void *arg, const char *name, postern_bytes text, postern_error *err);
    void *arg;
};
/*
 * The policy that a door's or service's `policy:` names, judged: its expects hold, and where
 * several issuers are trusted its rules say whose agents they mean.
 *   c        that has its folder: the supervisor's
 *   reader   `see` may be NULL
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE, CONFIG_VALUE · RULES, RULES_EXPECT · NOMEM, and those of
 *   `see`
 */
POSTERN_MUST_USE postern_err policy_read(const postern_config *c, const postern_section *section,
                                         struct policy_reader reader, postern_policy **ret,
                                         postern_error *err);

/*
 * Ask; `ret` is set in every case.
 *   POSTERN_OK · POLICY (the rule, its file and line are err's detail) · INSUFFICIENT_SCOPE
 *   (ret->missing_scope)
 */
POSTERN_MUST_USE postern_err policy_ask(const postern_policy *p, const postern_policy_question *q,
                                        postern_decision *ret, postern_error *err);
/* What a refused client may know of it: scopes that are wanting, the words of the rule. */
void policy_tell(const postern_decision *d, postern_failure *ret);
/*
 * What becomes of policy_ask()'s answer: with `policy_mode: shadow` its refusal is POSTERN_OK, and `d`
 * goes on saying what it would be.  Only what the policy says is spared; a question that could not be
 * asked is undecided in either mode.
 */
POSTERN_MUST_USE postern_err policy_obey(const postern_section *section, postern_err answer,
                                         const postern_decision *d);
/* For the record of whoever came in all the same: "deny"; NULL: it was allowed, or not asked. */
const char *policy_would(postern_err code, const postern_decision *d);
/* Whose word a refusal is: the scope that a rule wants is the policy's, not required_scopes'. */
postern_err policy_decided_by(postern_err code, const postern_decision *d);

#endif
