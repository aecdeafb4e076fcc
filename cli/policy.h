/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern policy check` and `explain` share: files into a policy. */
#ifndef POSTERN_CLI_POLICY_H
#define POSTERN_CLI_POLICY_H

#include <postern/policy.h>

/* Says what is wrong: `path` as the command line names it. */
typedef void policy_fault(void *arg, const postern_error *err);

/*
 * Read the files, in this order, and finish the policy.  Each file is read even when one before it
 * has a mistake: `fault` is called once for every one that cannot be used.
 *   POSTERN_OK · the first fault's code, e.g. CONFIG_FILE · RULES · RULES_EXPECT · NOMEM
 */
POSTERN_MUST_USE postern_err policy_load(char **paths, size_t count, policy_fault *fault, void *arg,
                                         postern_policy **ret);
/* 3 when a file cannot be opened or memory is out, 1 when what is in it is wrong. */
int policy_exit_code(postern_err e);

int policy_check(int argc, char **argv);   /* argv[0] is "check" */
int policy_explain(int argc, char **argv); /* argv[0] is "explain" */
/* "postern policy: what, which; `postern policy --help` explains"; returns CLI_USAGE. */
int policy_fail_usage(const char *what, const char *which);

#endif
