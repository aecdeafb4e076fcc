/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `expect`: one question and its answer.  Read like a rule, but each part names one thing: what is
 * asked must be said in full.  Called by read.c.
 */
#include "policy/read.h"

#include <stdlib.h>

static postern_err parse_text_pair(struct parser *p, struct pair *ret)
{
    char room[POSTERN_POLICY_TEXT_MAX];

    POSTERN_TRY(postern_parse_value(p, "a value", room));
    return postern_parse_keep(p, postern_bytes_str(room), &ret->text);
}

static postern_err parse_read_pair(struct parser *p, struct pair *ret,
                                   const char *(*read)(const char *text, int64_t *ret))
{
    const struct token *t = p->at;
    const char *fault;

    POSTERN_TRY(parse_text_pair(p, ret));
    fault = read(ret->text, &ret->number);
    return fault == NULL ? POSTERN_OK : postern_parse_fail(p, t, "\"%s\" %s", ret->text, fault);
}

static const char *read_count(const char *text, int64_t *ret)
{
    const char *fault = postern_value_read_number(text, ret);

    return fault == NULL && *ret < 0 ? "is less than none" : fault;
}

static const char *read_address(const char *text, int64_t *ret)
{
    struct net address;

    *ret = 0;
    return postern_net_read_address(text, &address) ? NULL : "is no address";
}

static const char *read_time(const char *text, int64_t *ret)
{
    return postern_policy_read_time(text, ret) ? NULL : "is no time: write 2026-12-01T10:00Z";
}

static const char *read_scopes(const char *text, int64_t *ret)
{
    *ret = 0;
    for (const char *c = text; *c != '\0'; c++)
        if (*c != ' ' && !postern_parse_is_scope((char[]){ *c, '\0' }))
            return "is no list of scopes (RFC 6749 section 3.3)";
    return NULL;
}

static const struct {
    const char *word;
    enum pair_kind kind;
    bool may_repeat;
    const char *(*read)(const char *text, int64_t *ret); /* NULL: any text */
} kinds[] = {
    { "scope", PAIR_SCOPE, false, read_scopes },
    { "purpose", PAIR_PURPOSE, false, NULL },
    { "acr", PAIR_CLAIM, false, NULL },
    { "source", PAIR_SOURCE, false, read_address },
    { "chain", PAIR_CHAIN, false, read_count },
    { "auth_age", PAIR_AUTH_AGE, false, postern_value_read_duration },
    { "client", PAIR_CLIENT, false, NULL },
    { "issuer", PAIR_ISSUER, false, NULL },
    { "group", PAIR_GROUP, true, NULL },
    { "time", PAIR_TIME, false, read_time },
};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)
#define KIND_WORDS                                                                                \
    "scope purpose acr source chain auth_age client issuer group time claim.NAME detail.TYPE.NAME "  \
    "arg.NAME"

static postern_err check_new_pair(struct parser *p, const struct token *t, const struct pair *pairs,
                                  size_t kind)
{
    for (const struct pair *other = pairs; other != NULL; other = other->next)
        if (other->kind == kinds[kind].kind && other->kind != PAIR_CLAIM && !kinds[kind].may_repeat)
            return postern_parse_fail(p, t, "`%s` stands twice", kinds[kind].word);
    return POSTERN_OK;
}

static postern_err take_equals(struct parser *p)
{
    if (p->at->kind != TOKEN_OPERATOR || !postern_bytes_equal_str(p->at->text, "="))
        return postern_parse_expected(p, "=");
    p->at++;
    return POSTERN_OK;
}

static postern_err parse_claim_pair(struct parser *p, struct pair *ret)
{
    ret->kind = PAIR_CLAIM;
    POSTERN_TRY(postern_parse_path(p, "claim.", &ret->claim));
    POSTERN_TRY(take_equals(p));
    return parse_text_pair(p, ret);
}

/* A bare 500 is a number and true is true; in quotes they are texts. */
static postern_err parse_typed_value(struct parser *p, struct pair *ret)
{
    POSTERN_TRY(take_equals(p));
    if (p->at->kind == TOKEN_WORD && postern_decimal_is_too_long(p->at->text))
        return postern_parse_fail_long_number(p, p->at);
    if (p->at->kind == TOKEN_WORD)
        POSTERN_TRY(postern_parse_literal(p, &ret->literal));
    return parse_text_pair(p, ret);
}

static postern_err parse_detail_pair(struct parser *p, struct pair *ret)
{
    ret->kind = PAIR_DETAIL;
    POSTERN_TRY(postern_parse_path(p, "detail.", &ret->claim));
    return parse_typed_value(p, ret);
}

static postern_err parse_arg_pair(struct parser *p, const struct target *target, struct pair *ret)
{
    ret->kind = PAIR_ARG;
    POSTERN_TRY(postern_parse_argument(p, target, &ret->claim));
    return parse_typed_value(p, ret);
}

/* `others`: the pairs before this one. */
static postern_err parse_pair(struct parser *p, const struct target *target,
                              const struct pair *others, struct pair *ret)
{
    const struct token *t = p->at;

    if (postern_parse_starts_with(p, "claim."))
        return parse_claim_pair(p, ret);
    if (postern_parse_starts_with(p, "detail."))
        return parse_detail_pair(p, ret);
    if (postern_parse_starts_with(p, "arg.") && target == NULL)
        return postern_parse_fail(p, t,
                                  "arguments are those of one action: write them into the expect");
    if (postern_parse_starts_with(p, "arg."))
        return parse_arg_pair(p, target, ret);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!postern_parse_take_word(p, kinds[i].word))
            continue;
        POSTERN_TRY(check_new_pair(p, t, others, i));
        POSTERN_TRY(take_equals(p));
        ret->kind = kinds[i].kind;
        if (ret->kind == PAIR_CLAIM)
            ret->claim = (struct claim_name){ { kinds[i].word }, 1 };
        return kinds[i].read == NULL ? parse_text_pair(p, ret)
                                     : parse_read_pair(p, ret, kinds[i].read);
    }
    return t->kind == TOKEN_WORD ? postern_parse_unknown(p, t, "attribute", KIND_WORDS)
                                 : postern_parse_expected(p, "an attribute");
}

/* Behind those that *first has.  `target`: NULL where it is not known. */
static postern_err parse_pairs(struct parser *p, const struct target *target, struct pair **first)
{
    struct pair *pair, **end = first;
    size_t count = 0;
    void *memory;

    for (; *end != NULL; end = &(*end)->next)
        count++;
    do {
        if (count++ == POLICY_GIVEN_MAX)
            return postern_parse_fail(p, p->at, "more than %d pairs", POLICY_GIVEN_MAX);
        POSTERN_TRY(postern_parse_alloc(p, sizeof *pair, &memory));
        pair = memory;
        POSTERN_TRY(parse_pair(p, target, *first, pair));
        *end = pair;
        end = &pair->next;
    } while (postern_parse_take(p, TOKEN_COMMA));
    return POSTERN_OK;
}

postern_err postern_parse_given(struct parser *p)
{
    return parse_pairs(p, NULL, &p->policy->given);
}

/* ---- one question ---- */

static bool is_one_name(const struct list *list)
{
    return list->first != NULL && list->first->next == NULL && list->first->set == NULL &&
           list->first->pattern.kind == PATTERN_LITERAL;
}

static bool has_names(const struct party *party)
{
    return party->kind != PARTY_NONE && party->kind != PARTY_ANYONE && party->kind != PARTY_NOBODY;
}

/* Named in full: what is a command by itself, too, is one action. */
static bool is_one_action(const struct target *t)
{
    return t->items != NULL && t->items->next == NULL && t->items->kind == ACTION_NAME;
}

static postern_err check_question(struct parser *p, const struct expect *e)
{
    const struct token *t = &p->tokens[0];

    if ((has_names(&e->who.party) && !is_one_name(&e->who.party.list)) ||
        (has_names(&e->who.human) && !is_one_name(&e->who.human.list)) ||
        (e->target.has_resources && !is_one_name(&e->target.resources)))
        return postern_parse_fail(p, t,
                                  "an expect asks one question: name one of each, without "
                                  "patterns and sets");
    if (!is_one_action(&e->target))
        return postern_parse_fail(p, t, "an expect asks about one action, like raw:connect");
    return POSTERN_OK;
}

postern_err postern_parse_expect(struct parser *p)
{
    struct expect *e;
    void *memory;

    if (p->policy->expect_count == POSTERN_POLICY_EXPECTS_MAX)
        return postern_parse_fail(p, &p->tokens[0], "more than %d expects in one policy",
                                  POSTERN_POLICY_EXPECTS_MAX);
    POSTERN_TRY(postern_parse_alloc(p, sizeof *e, &memory));
    e = memory;
    *e = (struct expect){ .file = p->file, .line = p->tokens[0].line };
    POSTERN_TRY(postern_parse_verdict(p, &e->verdict));
    POSTERN_TRY(postern_parse_who(p, &e->who));
    POSTERN_TRY(postern_parse_target(p, POSTERN_VERDICT_DENY, &e->target));
    if (postern_parse_take_word(p, "given"))
        POSTERN_TRY(parse_pairs(p, &e->target, &e->pairs));
    POSTERN_TRY(check_question(p, e));
    *p->policy->expects_end = e;
    p->policy->expects_end = &e->next;
    p->policy->expect_count++;
    return POSTERN_OK;
}
