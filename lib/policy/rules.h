/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy in memory: what the reader makes, the printer prints and decide.c asks.  Everything
 * lives in the policy's arena and is never changed after postern_policy_finish().
 */
#ifndef POSTERN_LIB_POLICY_RULES_H
#define POSTERN_LIB_POLICY_RULES_H

#include <postern/policy.h>

#include "base/arena.h"
#include "policy/pattern.h"
#include "policy/values.h"

#define POLICY_ITEMS_MAX  256  /* names of one list, sets counted out: longer lists are groups */
#define POLICY_SETS_MAX   64   /* of one file: each is scanned for by name */
#define POLICY_TESTS_MAX  16   /* of one rule: it must be readable aloud */
#define POLICY_PATH_MAX   8    /* names in claim.A.B: half of what JSON may nest */
#define POLICY_GIVEN_MAX  32   /* pairs of one expect: a test is short */
#define POLICY_TOKENS_MAX 2048 /* of one statement: three full lists */

/* Zero is what counts against the agent. */
enum match { MATCH_UNKNOWN = 0, MATCH_NO, MATCH_YES };

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

#define PROTOCOL_ANY   0 /* `to *` */
#define PROTOCOL_LOGIN 1 /* SERVICE:login; the service is the target's */
struct protocol {
    const char *name;
    const char *actions; /* with blanks between, at most 32 */
};
extern const struct protocol policy_protocols[]; /* ends with name NULL */
#define POLICY_PROTOCOLS_NAMED 2 /* from here on each has a name of its own */
/* NAME of services/NAME.conf, and of no protocol above. */
bool postern_policy_is_service(postern_bytes name);
/* The bit of an action, 0 when the protocol has none of that name. */
uint32_t postern_policy_action_bit(const struct protocol *protocol, postern_bytes name);

struct target {
    size_t protocol;  /* in policy_protocols */
    const char *service; /* PROTOCOL_LOGIN */
    uint32_t actions; /* bits of its actions; UINT32_MAX: all */
    bool has_resources;
    struct list resources;
};

/* ---- tests ---- */

enum op { OP_NONE = 0, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_HAS, OP_LIKE, OP_COUNT };
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
    ATTR_TIME,
    ATTR_COUNT
};
extern const char *const policy_attr_names[ATTR_COUNT];
extern const char *const policy_op_names[OP_COUNT];

struct claim_name {
    const char *parts[POLICY_PATH_MAX];
    size_t count;
};

struct test {
    struct test *next;
    enum attr attr;
    enum op op;
    bool is_not;
    struct claim_name claim; /* ATTR_CLAIM */
    struct pattern value;    /* texts */
    struct list list;        /* OP_IN, as written */
    int64_t number;          /* chain, auth_age, claims compared by size */
    struct net *nets;        /* source */
    size_t net_count;
    struct span span; /* ATTR_TIME */
};

/* ---- statements ---- */

struct rule {
    struct rule *next;
    struct file *file;
    const char *label; /* NULL: none */
    int line;
    unsigned lists; /* POSTERN_POLICY_LIST_… */
    postern_verdict verdict;
    struct who who;
    struct target target;
    struct test *tests;
    int64_t lease_s; /* 0: none */
    bool logs_each;
    const char *because; /* NULL: none */
};

/* `given`: an attribute and what it is; also what a claim is, in place of JSON. */
enum pair_kind {
    PAIR_NONE = 0,
    PAIR_CLAIM,
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
    struct expect *expects, **expects_end;
    size_t expect_count;
    enum judge judge;
    struct rule **by_index; /* made by finish */
    bool is_broken, is_finished;
};

/* read.c: the statements of one file into p. */
POSTERN_MUST_USE postern_err postern_policy_read(postern_policy *p, struct file *file,
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
void postern_policy_print_target(const struct target *t, postern_buf *out);  /* " to …" */
void postern_policy_print_duties(const struct rule *r, postern_buf *out); /* " with …", or nothing */
void postern_policy_print_expect(const struct expect *e, postern_buf *out);

/* warn.c: is everything that `narrow` takes in these parts taken by `wide` too?  False when in doubt.
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
/* decide.c: as postern_policy_decide(), also of a policy of which an expect fails. */
void postern_policy_judge(const postern_policy *p, const postern_policy_question *q,
                          postern_decision *ret);
/* Since 1970, from when on the rule never matches because a time has passed; -1: no such time. */
int64_t postern_rule_end(const struct rule *r);

#endif
