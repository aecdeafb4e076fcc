/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rules can match a question at all.  Every rule is filed once, under what sets it apart best:
 * names that begin so, resources that begin so, or actions.  A decision looks only at what is filed
 * under the beginnings of its own names, so that its cost does not grow with rules about others.
 */
#ifndef POSTERN_LIB_POLICY_INDEX_H
#define POSTERN_LIB_POLICY_INDEX_H

#include "policy/match.h"

struct rule_index; /* immutable; in memory of its own */

/* POSTERN_OK · POSTERN_ERR_NOMEM.  The rules must stay where they are. */
POSTERN_MUST_USE postern_err postern_index_make(struct rule *const *rules, size_t count,
                                                struct rule_index **ret, postern_error *err);
void postern_index_free(struct rule_index *x); /* NULL is fine */

/* Numbers of rules in ascending order, views into the index.  More than enough: 256 groups and the
 * lengths of a name, many times over, share a few lists. */
#define INDEX_LISTS_MAX 512
struct index_answer {
    struct index_list {
        const uint32_t *rules;
        size_t count;
    } lists[INDEX_LISTS_MAX];
    size_t count;
    bool is_overfull; /* more lists than there is room for: ask every rule */
};
/* Every rule that can match, or want nothing but scopes, is in one of the lists. */
void postern_index_find(const struct rule_index *x, const struct asking *a,
                        struct index_answer *ret);

#endif
