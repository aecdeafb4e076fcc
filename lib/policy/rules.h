/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy in memory: what the reader makes, the printer prints and decide.c asks.  Everything
 * lives in the policy's arena and is never changed after postern_policy_finish().
 */
#ifndef POSTERN_LIB_POLICY_RULES_H
#define POSTERN_LIB_POLICY_RULES_H

#include <postern/policy.h>

#include "base/arena.h"
#include "policy/actions.h"
#include "policy/pattern.h"
#include "policy/values.h"

#define POLICY_ITEMS_MAX  256  /* names of one list, sets counted out: longer lists are groups */
#define POLICY_SETS_MAX   64   /* of one file: each is scanned for by name */
#define POLICY_TESTS_MAX  16   /* of one rule: it must be readable aloud */
#define POLICY_PATH_MAX   8    /* names in claim.A.B: half of what JSON may nest */
#define POLICY_GIVEN_MAX  32   /* pairs of one expect: a test is short */
#define POLICY_TOKENS_MAX 2048 /* of one statement: three full lists */
#define POLICY_TEST_TEXT_MAX (1 << 18) /* bytes of one in print: 256 names, each byte escaped */
#define POLICY_RELATION_NAMES_MAX 256 /* of one policy: each is scanned for by name */

/* Zero is what counts against the agent. */
enum match {
    MATCH_UNKNOWN = 0,
    MATCH_NO,
    MATCH_YES,
    MATCH_OPEN /* of a preview: it depends on arguments that are still to come */
};

/* ---- lists ---- */

struct list {
    struct item *first;
    size_t count; /* items, sets counted out */
};
struct item {
    struct item *next;
    const struct set *set; /* NULL: a pattern */
    struct pattern pattern;
};
struct set {
    struct set *next;
    const char *name;
    struct list list;
};

/* ---- who, and to what ---- */

enum party_kind {
    PARTY_NONE = 0, /* no `for`: either */
    PARTY_ANYONE,
    PARTY_NOBODY,
    PARTY_AGENT,
    PARTY_USER,
    PARTY_GROUP,
    PARTY_CLIENT,
    PARTY_ISSUER,
    PARTY_KINDS
};
struct party {
    enum party_kind kind;
    struct list list;
};
struct who {
    struct party party;
    struct party human; /* behind `for` */
};

struct target {
    size_t protocol;           /* in policy_protocols */
    const char *service;       /* PROTOCOL_LOGIN */
    struct action_item *items; /* as written; PROTOCOL_ANY: none */
    uint64_t *known;           /* the rows that they mean, a bit each; PROTOCOL_ANY: NULL */
    bool takes_unknown;        /* also actions that no table has: a deny of `*` */
    bool has_resources;
    struct list resources;
};

/* ---- tests ---- */

enum op { OP_NONE = 0, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_HAS, OP_LIKE, OP_UNDER, OP_COUNT };
enum attr {
    ATTR_NONE = 0,
    ATTR_SCOPE,
    ATTR_PURPOSE,
    ATTR_ACR,
    ATTR_ISSUER,
    ATTR_SOURCE,
    ATTR_CHAIN,
    ATTR_AUTH_AGE,
    ATTR_CLAIM,
    ATTR_DETAIL, /* detail.TYPE.NAME of authorization_details */
    ATTR_ARG,
    ATTR_ARGS,     /* args only (...) */
    ATTR_RELATION, /* user is NAME of arg.X */
    ATTR_TIME,
    ATTR_COUNT
};
extern const char *const policy_attr_names[ATTR_COUNT];
extern const char *const policy_op_names[OP_COUNT];

struct claim_name {
    const char *parts[POLICY_PATH_MAX];
    size_t count;
};

/* Who may be said to be it, and whether a line says so of anybody. */
struct relation {
    struct relation *next;
    const char *name;
    bool is_said;
    bool has_groups;
};

struct test {
    struct test *next;
    enum attr attr;
    enum op op;
    bool is_not;
    struct claim_name claim; /* ATTR_CLAIM, _DETAIL, _ARG */
    struct pattern value;    /* texts, and of arguments and details whatever is compared */
    struct list list;        /* OP_IN, OP_UNDER with more than one, ATTR_ARGS; as written */
    int64_t number;          /* chain, auth_age, claims compared by size */
    struct net *nets;        /* source */
    size_t net_count;
    struct span span; /* ATTR_TIME */
    enum party_kind who; /* ATTR_RELATION: PARTY_USER or PARTY_AGENT; claim: of which argument */
    struct relation *relation;
};

/* ---- statements ---- */

/* 0: none. */
struct duties {
    int64_t lease_s;
    struct postern_policy_rate rate;
    int64_t rows, bytes;
    int64_t wait_s;
    struct party approver;
    bool logs_each, logs_summary;
};

struct rule {
    struct rule *next;
    struct file *file;
    const char *label; /* NULL: none */
    struct rule *same_bucket; /* of labels, while its file is read */
    int line;
    unsigned lists; /* POSTERN_POLICY_LIST_… */
    postern_verdict verdict;
    struct who who;
    struct target target;
    struct test *tests;
    struct duties duties;
    const char *because; /* NULL: none */
};

/* A line that says who is what of which. */
struct tie {
    struct tie *next;
    struct file *file;
    struct party party; /* PARTY_NOBODY: it says that there is such a relation */
    struct relation *relation;
    struct list objects;
};

/* `given`: an attribute and what it is; also what a claim is, in place of JSON. */
enum pair_kind {
    PAIR_NONE = 0,
    PAIR_CLAIM,
    PAIR_DETAIL,
    PAIR_ARG,
    PAIR_SCOPE,
    PAIR_PURPOSE,
    PAIR_SOURCE,
    PAIR_CHAIN,
    PAIR_AUTH_AGE,
    PAIR_CLIENT,
    PAIR_ISSUER,
    PAIR_GROUP,
    PAIR_TIME
};
struct pair {
    struct pair *next;
    enum pair_kind kind;
    struct claim_name claim;
    const char *text;
    const struct literal *literal; /* PAIR_DETAIL, PAIR_ARG: what the bare word is; NULL: a text */
    int64_t number;
};

struct expect {
    struct expect *next;
    struct file *file;
    int line;
    postern_verdict verdict;
    struct who who;
    struct target target;
    struct pair *pairs;
};

enum judge { JUDGE_UNSAID = 0, JUDGE_AGENT, JUDGE_BOTH };

struct file {
    struct file *next;
    const struct postern_policy *policy;
    const char *name, *path;
    enum judge judge;
    int judge_line;
    bool has_timezone;
    int32_t zone_s; /* east of UTC */
    struct set *sets, **sets_end;
    size_t set_count;
    struct rule *rules; /* of the policy's chain; NULL: none */
    size_t rule_count;
};

struct postern_policy {
    postern_arena arena;
    struct file *files, **files_end;
    size_t file_count;
    struct rule *rules, **rules_end;
    size_t rule_count;
    struct relation *relations;
    size_t relation_count;
    struct tie *ties, **ties_end;
    size_t tie_pairs; /* that they say together */
    struct expect *expects, **expects_end;
    size_t expect_count;
    struct pair *given; /* to every expect that does not say it; NULL: nothing */
    enum judge judge;
    struct rule **by_index;   /* made by finish */
    struct rule_index *index; /* the same, and the table of relations */
    struct relation_table *relation_table;
    bool heeds_clock; /* some rule tests time or auth_age */
    bool is_broken, is_finished;
};

/* read.c: the statements of one file into p. */
POSTERN_MUST_USE postern_err postern_policy_read(postern_policy *p, struct file *file,
                                                 postern_bytes text, postern_error *err);
/* What stands behind `given`, for every expect. */
POSTERN_MUST_USE postern_err postern_policy_read_given(postern_policy *p, const char *path,
                                                       postern_bytes text, postern_error *err);
/* expect.c: the first expect that fails is RULES_EXPECT. */
POSTERN_MUST_USE postern_err postern_policy_run_expects(const postern_policy *p,
                                                        postern_error *err);
/* "cache:write" or "cache:12"; room for POSTERN_POLICY_LABEL_MAX. */
void postern_policy_label(const struct rule *r, char *ret);

/* print.c: pieces of the canonical text, for reasons and warnings too. */
void postern_policy_print_list(const struct list *list, postern_buf *out);
void postern_policy_print_party(const struct party *party, postern_buf *out);
void postern_policy_print_test(const struct test *test, postern_buf *out);
void postern_policy_print_rule(const struct rule *rule, postern_buf *out);
void postern_policy_print_who(const struct who *who, postern_buf *out);
void postern_policy_print_target(const struct target *t, postern_buf *out); /* " to …" */
void postern_policy_print_duties(const struct rule *r, postern_buf *out);   /* " with …", or "" */
void postern_policy_print_expect(const struct expect *e, postern_buf *out);

/* target.c: does `wide` take every action that `narrow` does?  False when in doubt. */
bool postern_target_covers_actions(const struct target *wide, const struct target *narrow);

/* covers.c: is everything that `narrow` takes in these parts taken by `wide` too?  False when in doubt.
 *   work   comparisons that are left; at 0 everything is in doubt */
enum {
    COVERS_PARTY = 1,
    COVERS_HUMAN = 2,
    COVERS_ACTION = 4,
    COVERS_RESOURCE = 8,
    COVERS_TESTS = 16
};
bool postern_rule_covers(const struct rule *wide, const struct rule *narrow, unsigned parts,
                         size_t *work);
/* What `wide`, which stands above, leaves to `narrow`.  `lists`: those that are told apart. */
enum hiding {
    HIDES_NOTHING = 0,
    HIDES_KNOWN, /* it is left with what is not known */
    HIDES_ALL
};
/* A deny matches what is not known, a hold takes the place of an allow there, and an allow matches
 * nothing of it.  Does `narrow` take what `wide`, which knows as much, lets by? */
bool postern_rule_takes_more(const struct rule *narrow, const struct rule *wide);
enum hiding postern_rule_hides(const struct rule *wide, const struct rule *narrow, unsigned lists,
                               size_t *work);
bool postern_test_is_same(const struct test *a, const struct test *b); /* in words */
/* decide.c: as postern_policy_decide(), also of a policy of which an expect fails. */
void postern_policy_judge(const postern_policy *p, const postern_policy_question *q,
                          postern_decision *ret);
/* Since 1970, from when on the rule never matches because a time has passed; -1: no such time. */
int64_t postern_rule_end(const struct rule *r);

#endif
