/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a subject's claims say, read once.  Look-ups need no memory.  NULL facts know nothing.
 */
#ifndef POSTERN_LIB_POLICY_FACTS_H
#define POSTERN_LIB_POLICY_FACTS_H

#include <postern-private/json.h>

#include "policy/rules.h"

#define FACTS_GROUPS_MAX 256 /* Entra ID sends 200 at most; more are "not known" */
#define FACTS_DIGITS     24  /* room for an integer as text */

struct postern_policy_facts {
    postern_json claims;
    const char **texts; /* by node: strings that were escaped; NULL: as they stand in the JSON */
    const char **groups;
    postern_arena arena;      /* texts, groups */
    const struct pair *given; /* of an expect, in place of JSON */
    bool is_expect;           /* what `given` does not say is not there */
};

/* The first pair of an expect of that kind and name from `pair` on; NULL: none. */
const struct pair *postern_pair_find(const struct pair *pair, enum pair_kind kind,
                                     const struct claim_name *name);

/*
 * A claim as text: strings as they are, whole numbers in decimal (into room), true, false.  False
 * when it is missing or of another type.
 */
bool postern_facts_text(const struct postern_policy_facts *f, const struct claim_name *name,
                        char *room, postern_bytes *ret);
bool postern_facts_number(const struct postern_policy_facts *f, const struct claim_name *name,
                          int64_t *ret);
/* Is there such a string in the array?  UNKNOWN: it is no array, or something else is in it. */
enum match postern_facts_has(const struct postern_policy_facts *f, const struct claim_name *name,
                             const struct pattern *value, const struct pattern_names *names);
/* Seconds since the human proved to be one (auth_time); false: not known. */
bool postern_facts_auth_age(const struct postern_policy_facts *f, int64_t now_s, int64_t *ret_s);

#endif
