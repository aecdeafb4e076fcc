/* SPDX-License-Identifier: BSD-2-Clause */
/* One rule against one question. */
#ifndef POSTERN_LIB_POLICY_MATCH_H
#define POSTERN_LIB_POLICY_MATCH_H

#include "policy/rules.h"

static inline enum match postern_match_of(bool is_so)
{
    return is_so ? MATCH_YES : MATCH_NO;
}

/* A question made ready to be asked of many rules. */
struct asking {
    const postern_policy_question *q;
    const postern_policy_subject *s;
    struct pattern_names names;
    size_t protocol;                                     /* in policy_protocols */
    const char *service;                                 /* PROTOCOL_LOGIN */
    char name[POLICY_ACTION_MAX];                        /* of the action, as its table has it */
    size_t action;                                       /* its row; POLICY_NO_ACTION: none */
    bool is_session;                                     /* @session: allowed unless it is named */
    bool is_devious;                                     /* a URI that may mean another */
    postern_bytes agent, user, client, issuer, resource; /* empty: not known, or nobody */
    bool has_source;
    struct net source;
};
/* False when there is no such action: then everything is denied. */
bool postern_asking_make(const postern_policy_question *q, struct asking *ret);

enum part { PART_NONE = 0, PART_ACTION, PART_WHO, PART_HUMAN, PART_RESOURCE, PART_TEST };
struct rule_match {
    bool is_match;
    /* The first part that does not match, and its test. */
    enum part part;
    const struct test *test;
    bool is_unknown;  /* it is not known, and that counts against the agent */
    bool wants_scope; /* an allow to which scopes alone are wanting */
};
/* ---- match_test.c ---- */

enum match postern_test_match(const struct rule *r, const struct test *t, const struct asking *a);
bool postern_scope_is_among(postern_bytes word, postern_bytes words);

/* ---- match.c ---- */

enum match postern_pattern_says(const struct pattern *p, postern_bytes text,
                                const struct pattern_names *names);
enum match postern_list_match(const struct list *list, postern_bytes text,
                              const struct pattern_names *names);
struct rule_match postern_rule_match(const struct rule *r, const struct asking *a);
/* A hold against which nothing speaks but what is not known. */
bool postern_rule_may_hold(const struct rule *r, const struct asking *a);

/* What each part says alone. */
struct rule_parts {
    bool is_action; /* it is about this action */
    enum match who, human, resource;
    size_t failing_count; /* parts, each test one, that keep it from matching */
};
struct rule_parts postern_rule_look_at_parts(const struct rule *r, const struct asking *a);

/* Tests of r that want a scope which is not there: their values, with blanks between. */
void postern_rule_missing_scopes(const struct rule *r, const struct asking *a, char *ret,
                                 size_t ret_size);

#endif
