/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of policies: statements, and rules as a whole.  A file is read statement by statement;
 * the first mistake ends it, with its place and, where one is near, the word that was meant.  The
 * pieces are in read_who.c, read_test.c and read_expect.c.  Called by policy.c.
 */
#include "policy/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/nearest.h"
#include "base/plain_text.h"

#define LABEL_BUCKETS 4096 /* a few labels each where a policy is full */

/* ---- refusing ---- */

postern_err postern_parse_fail(const struct parser *p, const struct token *t, const char *fmt, ...)
{
    char what[sizeof p->err->detail];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(what, sizeof what, fmt, args); /* cut off when too long: not data */
    va_end(args);
    return POSTERN_FAIL(p->err, RULES, "%s:%d:%d: %s", p->file->path, t->line, t->column,
                        len < 0 ? "" : what);
}

static const char *quote(const struct token *t, char *room, size_t room_size)
{
    return postern_error_quote(t->text.ptr, t->text.len, room, room_size);
}

postern_err postern_parse_expected(const struct parser *p, const char *what)
{
    char quoted[300];

    if (p->at->kind == TOKEN_END)
        return postern_parse_fail(p, p->at, "expected %s, found the end of the statement", what);
    return postern_parse_fail(p, p->at, "expected %s, found \"%s\"", what,
                              quote(p->at, quoted, sizeof quoted));
}

postern_err postern_parse_unknown(const struct parser *p, const struct token *t, const char *what,
                                  const char *choices)
{
    char quoted[300], word[POSTERN_NEAREST_MAX] = "", nearest[POSTERN_NEAREST_MAX];
    const char *shown = quote(t, quoted, sizeof quoted);

    if (t->text.len < sizeof word)
        memcpy(word, t->text.ptr, t->text.len);
    if (word[0] != '\0' && postern_nearest_word(word, choices, nearest, sizeof nearest))
        return postern_parse_fail(p, t, "\"%s\" is no %s; did you mean \"%s\"?", shown, what,
                                  nearest);
    return postern_parse_fail(p, t, "\"%s\" is no %s: %s", shown, what, choices);
}

/* ---- moving ---- */

bool postern_parse_is_word(const struct parser *p, const char *word)
{
    return p->at->kind == TOKEN_WORD && postern_bytes_equal_str(p->at->text, word);
}

bool postern_parse_take(struct parser *p, enum token_kind kind)
{
    if (p->at->kind != kind || kind == TOKEN_END)
        return false;
    p->at++;
    return true;
}

bool postern_parse_take_word(struct parser *p, const char *word)
{
    return postern_parse_is_word(p, word) && postern_parse_take(p, TOKEN_WORD);
}

postern_err postern_parse_value(struct parser *p, const char *what, char *room)
{
    const char *fault = NULL;
    size_t len;

    if (p->at->kind == TOKEN_STRING) {
        fault = postern_text_read_string(p->at->text, room, &len);
    } else if (p->at->kind == TOKEN_WORD) {
        memcpy(room, p->at->text.ptr, p->at->text.len);
        room[p->at->text.len] = '\0'; /* POLICY_WORD_MAX is less than the room */
    } else {
        return postern_parse_expected(p, what);
    }
    if (fault != NULL)
        return postern_parse_fail(p, p->at, "the string %s", fault);
    p->at++;
    return POSTERN_OK;
}

/* ---- memory ---- */

postern_err postern_parse_alloc(struct parser *p, size_t len, void **ret)
{
    const postern_arena *a = &p->policy->arena;

    if (len > a->max - a->used)
        return postern_parse_fail(p, p->at, "the policy is too large");
    *ret = postern_arena_alloc(&p->policy->arena, len);
    return *ret != NULL ? POSTERN_OK : POSTERN_FAIL(p->err, NOMEM, "%s", p->file->path);
}

postern_err postern_parse_keep(struct parser *p, postern_bytes text, const char **ret)
{
    void *copy;

    POSTERN_TRY(postern_parse_alloc(p, text.len + 1, &copy));
    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    *ret = copy;
    return POSTERN_OK;
}

/* ---- timezone, judge, set ---- */

static postern_err parse_timezone(struct parser *p)
{
    const struct token *t = p->at;
    char zone[POSTERN_POLICY_TEXT_MAX];
    const char *fault;

    POSTERN_TRY(postern_parse_value(p, "UTC or an offset like +02:00", zone));
    if (p->file->has_timezone)
        return postern_parse_fail(p, t, "a file has one timezone");
    fault = postern_value_read_zone(zone, &p->file->zone_s);
    if (fault != NULL)
        return postern_parse_fail(p, t, "\"%s\" %s", zone, fault);
    p->file->has_timezone = true;
    return POSTERN_OK;
}

static postern_err parse_judge(struct parser *p)
{
    enum judge judge = JUDGE_AGENT;

    if (!postern_parse_take_word(p, "agent"))
        return postern_parse_expected(p, "`agent`, or `agent and user`");
    if (postern_parse_take_word(p, "and")) {
        if (!postern_parse_take_word(p, "user"))
            return postern_parse_expected(p, "`user`");
        judge = JUDGE_BOTH;
    }
    if (p->file->judge != JUDGE_UNSAID)
        return postern_parse_fail(p, &p->tokens[0], "a file says once who is judged");
    p->file->judge = judge;
    p->file->judge_line = p->tokens[0].line;
    return POSTERN_OK;
}

static postern_err check_new_set(const struct parser *p, const struct token *name)
{
    for (const struct set *s = p->file->sets; s != NULL; s = s->next)
        if (postern_bytes_equal_str(name->text, s->name))
            return postern_parse_fail(p, name, "the set $%s stands twice", s->name);
    if (p->file->set_count == POLICY_SETS_MAX)
        return postern_parse_fail(p, name, "more than %d sets", POLICY_SETS_MAX);
    return POSTERN_OK;
}

/* The set gets its name when it is whole, so that it cannot hold itself. */
static postern_err parse_set(struct parser *p)
{
    const struct token *name = p->at;
    struct set *set;
    void *memory;

    if (!postern_parse_take(p, TOKEN_SET))
        return postern_parse_expected(p, "a name with a $ before it");
    POSTERN_TRY(check_new_set(p, name));
    if (p->at->kind != TOKEN_OPERATOR || !postern_bytes_equal_str(p->at->text, "="))
        return postern_parse_expected(p, "=");
    p->at++;
    POSTERN_TRY(postern_parse_alloc(p, sizeof *set, &memory));
    set = memory;
    POSTERN_TRY(postern_parse_keep(p, name->text, &set->name));
    POSTERN_TRY(postern_parse_list(p, &set->list));
    *p->file->sets_end = set;
    p->file->sets_end = &set->next;
    p->file->set_count++;
    return POSTERN_OK;
}

/* ---- rules ---- */

static postern_err parse_because(struct parser *p, struct rule *r)
{
    char text[POSTERN_POLICY_TEXT_MAX];

    if (!postern_parse_take_word(p, "because"))
        return POSTERN_OK;
    if (p->at->kind != TOKEN_STRING)
        return postern_parse_expected(p, "a reason in quotes");
    POSTERN_TRY(postern_parse_value(p, "a reason", text));
    return postern_parse_keep(p, postern_bytes_str(text), &r->because);
}

/* A letter first: "cache:12" is line 12. */
static bool is_label(postern_bytes name)
{
    if (name.len == 0 || name.len >= POSTERN_POLICY_NAME_MAX || !postern_ascii_is_alpha(*name.ptr))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!postern_ascii_is_alnum(name.ptr[i]) && strchr("_-.", name.ptr[i]) == NULL)
            return false;
    return true;
}

static bool ends_in_colon(const struct token *t)
{
    return t->kind == TOKEN_WORD && t->text.ptr[t->text.len - 1] == ':';
}

/* Labels of a file by what they hash to (FNV-1a), so that ten thousand are not compared in pairs. */
static struct rule **bucket_of(struct parser *p, postern_bytes label)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < label.len; i++)
        hash = (hash ^ label.ptr[i]) * 16777619u;
    return &p->labels[hash % LABEL_BUCKETS];
}

static postern_err parse_label(struct parser *p, struct rule *r)
{
    const struct token *t = p->at;
    postern_bytes name = { t->text.ptr, t->text.len - 1 };
    struct rule **bucket;

    if (!ends_in_colon(t))
        return POSTERN_OK;
    bucket = bucket_of(p, name);
    if (!is_label(name))
        return postern_parse_fail(p, t, "a label is a letter and up to 63 of a-z A-Z 0-9 . _ -");
    for (const struct rule *other = *bucket; other != NULL; other = other->same_bucket)
        if (postern_bytes_equal_str(name, other->label))
            return postern_parse_fail(p, t, "the label %s stands twice, first in line %d",
                                      other->label, other->line);
    p->at++;
    r->same_bucket = *bucket;
    *bucket = r;
    return postern_parse_keep(p, name, &r->label);
}

static unsigned lists_of(const struct who *who)
{
    switch (who->party.kind) {
    case PARTY_AGENT:
    case PARTY_CLIENT:
        return POSTERN_POLICY_LIST_AGENT;
    case PARTY_USER:
    case PARTY_GROUP:
        return POSTERN_POLICY_LIST_USER;
    case PARTY_ANYONE:
    case PARTY_ISSUER:
    case PARTY_NONE:
    case PARTY_NOBODY:
    case PARTY_KINDS:
        break;
    }
    return POSTERN_POLICY_LIST_AGENT | POSTERN_POLICY_LIST_USER;
}

static void add_rule(struct parser *p, struct rule *r)
{
    postern_policy *policy = p->policy;

    *policy->rules_end = r;
    policy->rules_end = &r->next;
    policy->rule_count++;
    if (p->file->rule_count++ == 0)
        p->file->rules = r;
}

/* Only what a door looks at one by one can wait. */
static postern_err check_hold(const struct parser *p, const struct token *verdict,
                              const struct rule *r)
{
    if (r->verdict != POSTERN_VERDICT_HOLD || policy_protocols[r->target.protocol].is_inspected)
        return POSTERN_OK;
    if (r->target.protocol == PROTOCOL_ANY)
        return postern_parse_fail(p, verdict,
                                  "`hold` names a protocol whose actions can wait, mcp: or redis:; "
                                  "a raw door and a login cannot wait for an approval");
    return postern_parse_fail(p, verdict, "`hold` is not possible here: %s",
                              r->target.protocol == PROTOCOL_LOGIN
                                  ? "no host keeps a login waiting for an approval"
                                  : "a raw door cannot keep a connection waiting for an approval");
}

static postern_err parse_rule(struct parser *p)
{
    const struct token *verdict;
    struct rule *r;
    void *memory;

    if (p->policy->rule_count == POSTERN_POLICY_RULES_MAX)
        return postern_parse_fail(p, p->at, "more than %d rules in one policy",
                                  POSTERN_POLICY_RULES_MAX);
    POSTERN_TRY(postern_parse_alloc(p, sizeof *r, &memory));
    r = memory;
    *r = (struct rule){ .file = p->file, .line = p->at->line };
    POSTERN_TRY(parse_label(p, r));
    verdict = p->at;
    POSTERN_TRY(postern_parse_verdict(p, &r->verdict));
    POSTERN_TRY(postern_parse_who(p, &r->who));
    POSTERN_TRY(postern_parse_target(p, r->verdict, &r->target));
    POSTERN_TRY(check_hold(p, verdict, r));
    POSTERN_TRY(postern_parse_tests(p, &r->target, &r->tests));
    POSTERN_TRY(postern_parse_duties(p, r));
    POSTERN_TRY(parse_because(p, r));
    r->lists = lists_of(&r->who);
    add_rule(p, r);
    return POSTERN_OK;
}

/* ---- statements ---- */

static const struct {
    const char *word;
    postern_err (*parse)(struct parser *p);
} statements[] = {
    { "timezone", parse_timezone },
    { "judge", parse_judge },
    { "set", parse_set },
    { "expect", postern_parse_expect },
};

static postern_err parse_any(struct parser *p)
{
    static const char *const parties[] = { "user", "group", "agent", "nobody" };

    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (postern_parse_take_word(p, statements[i].word))
            return statements[i].parse(p);
    if (postern_parse_is_word(p, "allow") || postern_parse_is_word(p, "deny") ||
        postern_parse_is_word(p, "hold") || ends_in_colon(p->at))
        return parse_rule(p);
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++)
        if (postern_parse_is_word(p, parties[i])) /* user alice is owner of "doc:q3" */
            return postern_parse_tie(p);
    return postern_parse_unknown(p, p->at, "statement",
                                 "allow deny hold set expect judge timezone user group agent");
}

static postern_err parse_statement(struct parser *p)
{
    POSTERN_TRY(parse_any(p));
    return p->at->kind == TOKEN_END ? POSTERN_OK
                                    : postern_parse_expected(p, "the end of the statement");
}

static postern_err parse_statements(struct parser *p)
{
    size_t count;

    for (;;) {
        POSTERN_TRY(postern_lex_statement(&p->lex, p->tokens, POLICY_TOKENS_MAX, &count, p->err));
        if (count == 0)
            return POSTERN_OK;
        p->at = p->tokens;
        POSTERN_TRY(parse_statement(p));
    }
}

/* ---- texts ---- */

static postern_err check_text(const char *path, postern_bytes text, postern_error *err)
{
    struct postern_text_fault fault;

    if (text.len > POSTERN_POLICY_FILE_MAX)
        return POSTERN_FAIL(err, RULES, "%s:1:1: %zu bytes, at most %d", path, text.len,
                            POSTERN_POLICY_FILE_MAX);
    if (!postern_plain_text_check(text, &fault))
        return POSTERN_FAIL(err, RULES, "%s:%d:%d: %s", path, fault.line, fault.column, fault.what);
    return POSTERN_OK;
}

static postern_err parse_text(postern_policy *policy, struct file *file, postern_bytes text,
                              postern_err (*parse)(struct parser *p), postern_error *err)
{
    struct parser p = { .policy = policy, .file = file, .err = err };
    postern_err e;

    POSTERN_TRY(check_text(file->path, text, err));
    p.lex = (struct lexer){ file->path, text, 1, 1 };
    p.tokens = calloc(POLICY_TOKENS_MAX, sizeof *p.tokens);
    p.labels = calloc(LABEL_BUCKETS, sizeof(struct rule *));
    e = p.tokens == NULL || p.labels == NULL ? POSTERN_FAIL(err, NOMEM, "%s", file->path)
                                             : parse(&p);
    free(p.tokens);
    free(p.labels);
    return e;
}

postern_err postern_policy_read(postern_policy *policy, struct file *file, postern_bytes text,
                                postern_error *err)
{
    return parse_text(policy, file, text, parse_statements, err);
}

/* One line, so that nothing stands behind it. */
static postern_err parse_given(struct parser *p)
{
    size_t count;

    POSTERN_TRY(postern_lex_statement(&p->lex, p->tokens, POLICY_TOKENS_MAX, &count, p->err));
    p->at = p->tokens;
    POSTERN_TRY(postern_parse_given(p));
    return p->at->kind == TOKEN_END ? POSTERN_OK : postern_parse_expected(p, "a comma");
}

postern_err postern_policy_read_given(postern_policy *policy, const char *path, postern_bytes text,
                                      postern_error *err)
{
    struct file file = { .policy = policy, .path = path };

    if (postern_bytes_has_control(text))
        return POSTERN_FAIL(err, RULES, "%s:1:1: it is one line, without tabs", path);
    return parse_text(policy, &file, text, parse_given, err);
}
