/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is what of which: looked up by a hash. */
#ifndef POSTERN_LIB_POLICY_RELATIONS_H
#define POSTERN_LIB_POLICY_RELATIONS_H

#include "policy/rules.h"

struct relation_table; /* immutable; in memory of its own, its texts in the policy's */

/* RULES: a rule asks for a relation of which no line says anything · NOMEM */
POSTERN_MUST_USE postern_err postern_relations_make(const postern_policy *p,
                                                    struct relation_table **ret,
                                                    postern_error *err);
void postern_relations_free(struct relation_table *t); /* NULL is fine */
bool postern_relation_holds(const struct relation_table *t, const struct relation *relation,
                            enum party_kind kind, postern_bytes who, postern_bytes object);

#endif
