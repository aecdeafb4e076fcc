/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of the rules that were filed may take all that another rule takes.  Two rules about different
 * things never meet here, so that comparing thousands of them costs little more than reading them.
 * What it finds is compared by covers.c; what it does not find covers nothing.  warn.c only.
 */
#ifndef POSTERN_LIB_POLICY_ABOVE_H
#define POSTERN_LIB_POLICY_ABOVE_H

#include "policy/rules.h"

struct above;

/* POSTERN_OK · POSTERN_ERR_NOMEM.  The policy must outlive it. */
POSTERN_MUST_USE postern_err postern_above_make(const postern_policy *p, struct above **ret,
                                                postern_error *err);
void postern_above_free(struct above *x); /* NULL is fine */
const struct rule *postern_above_rule(const struct above *x, size_t i);
/*
 * Numbers of filed rules, in their order, each once; every one of them that covers rule `i` is there.
 *   work   as of postern_rule_covers(): at 0 some may be missing
 *   ret    valid until the next call
 */
size_t postern_above_find(struct above *x, size_t i, size_t *work, const uint32_t **ret);
/* Rule `i` may be found from now on. */
void postern_above_file(struct above *x, size_t i);

#endif
