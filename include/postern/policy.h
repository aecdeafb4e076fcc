/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what: rules of policies/NAME.rules, first match, default deny; see postern-policy(5).
 * Pure: text and a question in, a decision out; no file, no clock.  A decision is never a grant:
 * it says that somebody whose token was proved may act, and proves nothing itself.
 */
#ifndef POSTERN_POLICY_H
#define POSTERN_POLICY_H

#include <postern/grant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of one file: 10,000 rules that a program wrote; what people read is a hundredth of that. */
#define POSTERN_POLICY_FILE_MAX    2097152
#define POSTERN_POLICY_FILES_MAX   64     /* of one policy: guardrails, and one a team */
/* Of all files of a policy: a decision that had to look at each would take some 5 ms. */
#define POSTERN_POLICY_RULES_MAX   16384
/* Of all files: who is what of which.  More belong into a service that is asked. */
#define POSTERN_POLICY_RELATIONS_MAX 65536
#define POSTERN_POLICY_EXPECTS_MAX 1024 /* of all files: each is one decision at load */
#define POSTERN_POLICY_NAME_MAX    65   /* bytes with NUL of a file's name, a label, a set's name */
#define POSTERN_POLICY_LABEL_MAX   130  /* bytes with NUL of "file:label" */
#define POSTERN_POLICY_TEXT_MAX    256 /* bytes with NUL of a name, a pattern, a rule's own words */
#define POSTERN_POLICY_CLASSES_MAX 96 /* bytes with NUL of one action's classes */
#define POSTERN_POLICY_WHY_MAX     384 /* bytes with NUL of why a rule does not match */

typedef struct postern_policy postern_policy; /* immutable after finish; any thread may decide */

typedef enum postern_verdict {
    POSTERN_VERDICT_DENY = 0,
    POSTERN_VERDICT_ALLOW,
    POSTERN_VERDICT_HOLD /* allowed once somebody approves */
} postern_verdict;
const char *postern_verdict_name(postern_verdict v); /* "deny" "allow" "hold" */

/*
 * Who asks.  A zeroed one is a stranger who acts for nobody.  Texts are borrowed; NULL is "not
 * known" (but for user), and what is not known counts against the agent.
 */
typedef struct postern_policy_subject {
    const char *agent; /* who acts: the outermost actor, else the client */
    /* The human for whom it acts, by local user name.  NULL: nobody, it acts for itself.
     * "": somebody whose name is not known. */
    const char *user;
    const char *client; /* client_id */
    const char *issuer;
    const char *const *groups; /* of the token's subject; NULL: not known */
    size_t group_count;
    const char *scope; /* blanks between; "": none */
    const char *purpose;
    size_t chain;         /* actors in `act`; 0: no delegation */
    postern_bytes claims; /* JSON object, for acr, auth_time, groups and claim.*; empty: none */
    struct postern_policy_facts *facts; /* what prepare read from claims; NULL before */
} postern_policy_subject;

/*
 * Read s->claims once, so that decisions need no memory and cannot fail.  Without it every test on
 * a claim is "not known".  Groups come from the claim `groups` (an array of at most 256 strings;
 * anything else is "not known") unless s->groups is set.  s->claims must stay alive until clear.
 *   POSTERN_OK · POSTERN_ERR_MALFORMED (no JSON object) · POSTERN_ERR_LIMIT · POSTERN_ERR_NOMEM ·
 *   POSTERN_ERR_USAGE (prepared already)
 */
POSTERN_MUST_USE postern_err postern_policy_subject_prepare(postern_policy_subject *s,
                                                            postern_error *err);
/*
 * The subject of a proved grant, prepared.  Views into g, which must outlive it.  There is a human
 * when the token names an actor or its `sub` is another than the client: then g's local user.
 *   ret   caller ends it with postern_policy_subject_clear(); zeroed unless POSTERN_OK
 *   As postern_policy_subject_prepare().
 */
POSTERN_MUST_USE postern_err postern_policy_subject_of(const postern_grant *g,
                                                       postern_policy_subject *ret,
                                                       postern_error *err);
/* Frees what prepare made and zeroes s; the texts are the caller's. */
void postern_policy_subject_clear(postern_policy_subject *s);
#define POSTERN_AUTO_POLICY_SUBJECT                                                                \
    __attribute__((cleanup(postern_policy_subject_clear))) postern_policy_subject

struct postern_json; /* of the scan in postern-private/json.h */

/*
 * What an action was given, for arg.PATH and `args only`.  A zeroed one has arguments that are not
 * known, which counts against the agent.
 */
typedef enum postern_policy_args_kind {
    POSTERN_POLICY_ARGS_UNKNOWN = 0,
    POSTERN_POLICY_ARGS_LIST, /* arg.0, arg.1 …: what stands behind the action's name */
    POSTERN_POLICY_ARGS_JSON  /* arg.NAME.NAME: members of an object */
} postern_policy_args_kind;
typedef struct postern_policy_args {
    postern_policy_args_kind kind;
    const postern_bytes *list; /* LIST: any bytes */
    size_t count;
    const struct postern_json *json; /* JSON: scanned, and which of its nodes is the object */
    uint32_t object;
} postern_policy_args;

/* One action that somebody wants to take.  Everything is borrowed. */
typedef struct postern_policy_question {
    size_t size; /* sizeof(postern_policy_question): room to grow */
    const postern_policy_subject *subject;
    const char *source;   /* the client's literal address; NULL: not known, or a unix socket */
    const char *protocol; /* "raw" "redis" "mcp"; of a login the service: NAME of services/NAME.conf */
    const char *action;   /* "connect" "GET" "CONFIG|GET" "tools/call"; "login"; NULL: not known */
    /* The door's name for raw:connect, a key, a tool's name, a URI, the local user whom the host will
     * know for a login; ptr NULL: not known.  A deny of a login is for every spelling that a host may
     * make of that user (postern-policy(5)). */
    postern_bytes resource;
    postern_policy_args args;
    int64_t now_s;        /* seconds since 1970; negative: not known */
    /* May it be shown in a list?  Arguments that are not known then speak for the agent: what some
     * arguments would allow is allowed, what some would deny is not denied yet. */
    bool is_preview;
} postern_policy_question;

/* At most `count` in any `period_s`, of one agent under one rule. */
struct postern_policy_rate {
    int64_t count, period_s;
};

#define POSTERN_POLICY_NO_RULE SIZE_MAX
typedef struct postern_decision {
    postern_verdict verdict;
    char rule[POSTERN_POLICY_LABEL_MAX]; /* "cache:write", "cache:12" without label; "": none */
    /* `judge agent and user`: the rule of the user's list, when both lists had their say. */
    char user_rule[POSTERN_POLICY_LABEL_MAX];
    size_t rule_index, user_rule_index;    /* for postern_policy_look(); NO_RULE: none */
    unsigned refusing_lists; /* POSTERN_POLICY_LIST_…: those that did not allow; 0: all did */
    char because[POSTERN_POLICY_TEXT_MAX]; /* the words of the rule that denies; "": none */
    char missing_scope[POSTERN_SCOPE_MAX]; /* only this was wanting for an allow; "" */
    int64_t lease_s;                       /* longest session; 0: the rule says none */
    /* Duties of an allow or hold, the tighter of two lists; 0: none. */
    struct postern_policy_rate rate, user_rate; /* of `rule`, of `user_rule`: both are kept */
    int64_t rows, bytes;                        /* of the answer */
    int64_t wait_s;                             /* how long a hold waits for its approval */
    bool logs_summary; /* every rule that allowed says `log summary` */
} postern_decision;

/* POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err postern_policy_new(postern_policy **ret, postern_error *err);
/*
 * Read one file's text behind those before it.  After a failure the policy only denies.
 *   name   1..64 of a-z A-Z 0-9 . _ -: "cache" in the labels "cache:write"; once in a policy
 *   path   what errors call the file: "policies/cache.rules"
 *   text   copied
 *   POSTERN_OK · POSTERN_ERR_RULES ("path:line:column: what") · POSTERN_ERR_USAGE (name, or after
 *   finish) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_policy_add(postern_policy *p, const char *name,
                                                const char *path, postern_bytes text,
                                                postern_error *err);
/*
 * What every expect is asked with besides what it says itself; before finish, as often as wanted.
 * For trying expects at another time, from another source and the like: such a policy only denies
 * and is asked with postern_policy_expect_at().
 *   path   what errors call the text
 *   text   one line, as behind `given`: "source = 10.1.2.3, scope = s"; no arguments; copied
 *   POSTERN_OK · POSTERN_ERR_RULES ("path:1:column: what") · POSTERN_ERR_USAGE (after finish) ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_policy_given(postern_policy *p, const char *path,
                                                  postern_bytes text, postern_error *err);
/*
 * No more files; runs each `expect`.
 *   POSTERN_OK · POSTERN_ERR_RULES_EXPECT (one fails: "path:line:1: what") · POSTERN_ERR_RULES (two
 *   files judge differently) · POSTERN_ERR_USAGE (an add failed, or twice)
 */
POSTERN_MUST_USE postern_err postern_policy_finish(postern_policy *p, postern_error *err);
/*
 * For a door or service that trusts several issuers, behind finish: each rule that allows or holds by agent,
 * client, group or ${agent}, which two issuers may give to two parties, says which issuer it means.
 *   POSTERN_OK · POSTERN_ERR_RULES ("path:line:1: what") · POSTERN_ERR_USAGE (not finished)
 */
POSTERN_MUST_USE postern_err postern_policy_check_issuers(const postern_policy *p,
                                                          postern_error *err);
void postern_policy_free(postern_policy *p); /* NULL is fine */
static inline void postern_auto_policy(postern_policy **p)
{
    postern_policy_free(*p);
}

/*
 * Never fails and needs no memory: whatever is wrong or missing is a deny, and so is every question
 * to a policy that is not finished.
 */
void postern_policy_decide(const postern_policy *p, const postern_policy_question *q,
                           postern_decision *ret);

/*
 * A number that is another one when a test on time or auth_age says something else of this subject
 * than before: only then does the clock alone change a decision.  0: there is no such test.
 */
uint64_t postern_policy_clock(const postern_policy *p, const postern_policy_subject *s,
                              int64_t now_s);

/*
 * May this person approve what `held` says: is he of the `approver` of each rule that holds it?  A
 * rule without one takes any administrator.  That nobody approves his own request is the caller's
 * to see to.
 *   approver   user and groups alone are looked at
 */
bool postern_policy_may_approve(const postern_policy *p, const postern_decision *held,
                                const postern_policy_subject *approver);

/* What can be written behind `to PROTOCOL:`. */
typedef struct postern_policy_action {
    const char *name;     /* "GET" "CONFIG|GET" "tools/call" */
    char classes[POSTERN_POLICY_CLASSES_MAX]; /* "@read @string", with blanks between; "": none */
    const char *resource; /* what `on` compares: "key" "tool" "URI"; "": it has none */
} postern_policy_action;
/* Protocol i in the order of the alphabet; NULL past the last one.  Logins are not among them.  Actions
 * in the order of their bytes: "connect" of Redis's doors, which is theirs and no command, is last. */
const char *postern_policy_protocol(size_t i);
/* False past the last action. */
bool postern_policy_action_at(const char *protocol, size_t i, postern_policy_action *ret);

/* With `judge agent and user` there are two lists and a rule may stand in both.  Where there is no
 * human, no rule for a user or a group allows: the user's list then has those for anyone alone. */
enum { POSTERN_POLICY_LIST_AGENT = 1, POSTERN_POLICY_LIST_USER = 2 };
/* The lists that must allow: one, or both. */
unsigned postern_policy_lists(const postern_policy *p);

/* One rule, looked at alone: what `postern policy explain` shows. */
typedef struct postern_policy_view {
    char rule[POSTERN_POLICY_LABEL_MAX];
    const char *path; /* as postern_policy_add() was told; lives as long as the policy */
    int line;
    unsigned lists; /* POSTERN_POLICY_LIST_… in which it stands */
    postern_verdict verdict;
    bool is_match;
    bool may_hold; /* a hold that is not known: it takes the place of an allow below it */
    bool is_near; /* it is about this action, and a single part keeps it from a match */
    char why[POSTERN_POLICY_WHY_MAX]; /* why not; "" for a match */
} postern_policy_view;
/* Rule i in the order of the files; false past the last one. */
bool postern_policy_look(const postern_policy *p, const postern_policy_question *q, size_t i,
                         postern_policy_view *ret);

/* ---- what can be said without a question: lib/policy/bearing.c ---- */

/* One rule, apart from its words. */
typedef struct postern_policy_rule {
    char rule[POSTERN_POLICY_LABEL_MAX];
    const char *path; /* lives as long as the policy, like the texts below */
    int line;
    unsigned lists; /* POSTERN_POLICY_LIST_… in which it stands */
    postern_verdict verdict;
    const char *service; /* of SERVICE:login; "": it is about something else */
    const char *because; /* "": it says none */
    int64_t ends_s;      /* since 1970: from then on it never matches (`time until`); -1: it has no end */
    bool has_tests;
} postern_policy_rule;
/* Rule i in the order of the files; false past the last one, and of a policy that is not finished. */
bool postern_policy_rule_at(const postern_policy *p, size_t i, postern_policy_rule *ret);

/* Words of a rule, in the one spelling: "agent a for anyone", "redis:GET", "\"cache:*\"", a test,
 * "lease 15m and log each". */
typedef enum postern_policy_part {
    POSTERN_POLICY_WHO = 0,
    POSTERN_POLICY_TARGET,
    POSTERN_POLICY_RESOURCES,
    POSTERN_POLICY_TEST, /* the nth */
    POSTERN_POLICY_DUTIES
} postern_policy_part;
/* False when rule i has no such part, or no nth test.  Check out->failed. */
bool postern_policy_print_part(const postern_policy *p, size_t i, postern_policy_part part, size_t n,
                               postern_buf *out);

/* What somebody wants to know about; NULL, and now_s < 0, leave that open.  Borrowed. */
typedef struct postern_policy_about {
    size_t size; /* sizeof(postern_policy_about) */
    const char *agent;
    const char *user;     /* the human for whom it acts */
    const char *protocol; /* as in a question; with action */
    const char *action;
    postern_bytes resource;
    int64_t now_s;
} postern_policy_about;

/* Zero is what leaves nobody out. */
typedef enum postern_policy_bearing {
    POSTERN_POLICY_PERHAPS = 0, /* it depends on what is left open */
    POSTERN_POLICY_NEVER,       /* whatever that is */
    POSTERN_POLICY_ALWAYS
} postern_policy_bearing;

/* Is there such an action?  A login's is "login" of any service; of MCP there may be any. */
bool postern_policy_has_action(const char *protocol, const char *action);
/* Is it what every client says first (@session), which needs no rule?  A deny can name it. */
bool postern_policy_opens_session(const char *protocol, const char *action);
/* Does rule i match?  NEVER past the last rule. */
postern_policy_bearing postern_policy_bears(const postern_policy *p, size_t i,
                                            const postern_policy_about *about);
/*
 * Does rule `above` match what rule i would, so that it decides in its place?
 *   ALWAYS: rule i decides none of it · NEVER: the two have nothing in common
 */
postern_policy_bearing postern_policy_takes(const postern_policy *p, size_t above, size_t i,
                                            const postern_policy_about *about);
/*
 * Can rule i decide some of it, in this list (one bit of POSTERN_POLICY_LIST_…)?  False is proved: no
 * question of that kind has this rule in its decision.
 */
bool postern_policy_may_decide(const postern_policy *p, size_t i, unsigned list,
                               const postern_policy_about *about);

/* One expect and what became of it. */
typedef struct postern_policy_expectation {
    const char *path;
    int line;
    postern_verdict want;
    postern_decision got;
} postern_policy_expectation;
/*
 * Expect i in the order of the files, asked now; also of a policy whose finish said RULES_EXPECT.
 *   out   its text, a line; may be NULL.  Check out->failed
 *   False past the last one, and of a policy that could not be read.
 */
bool postern_policy_expect_at(const postern_policy *p, size_t i, postern_policy_expectation *ret,
                              postern_buf *out);

/* What a policy cannot know of where it is used. */
typedef struct postern_policy_place {
    size_t size;  /* sizeof(postern_policy_place) */
    int64_t now_s; /* negative: not known */
    const char *const *services; /* names of services/NAME.conf; NULL: not known */
    size_t service_count;
} postern_policy_place;
/* As postern_policy_warnings(), and of rules whose time is over and of services that are not there. */
void postern_policy_warnings_at(const postern_policy *p, const postern_policy_place *place,
                                postern_buf *out);

/* One line each, "path:line:1: warning: what", for rules that can never decide and for lists of which
 * none allows.  Check out->failed. */
void postern_policy_warnings(const postern_policy *p, postern_buf *out);
/*
 * File number `file` as it was understood, in one spelling: reading it again gives the same rules.
 * False past the last file.  Check out->failed.
 */
bool postern_policy_print(const postern_policy *p, size_t file, postern_buf *out);

/* RFC 3339 to the second, or to the minute: 2026-12-01T10:00Z, 2026-12-01T10:00:30+01:00. */
bool postern_policy_read_time(const char *text, int64_t *ret_s);

#ifdef __cplusplus
}
#endif
#endif
