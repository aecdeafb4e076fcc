/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of tests, judged here so that a decision meets no bad one: each attribute has its own kind.
 * Called by read_test.c.
 */
#include "policy/read.h"

#include "policy/under.h"

#define BIT(op) (1u << (op))
#define BY_SIZE (BIT(OP_LT) | BIT(OP_LE) | BIT(OP_GT) | BIT(OP_GE))

postern_err postern_parse_fail_long_number(const struct parser *p, const struct token *at)
{
    return postern_parse_fail(p, at,
                              "a number has up to 15 digits, all in all and behind the point: a "
                              "text of digits stands in quotes");
}

postern_err postern_parse_list_in_parentheses(struct parser *p, struct list *ret)
{
    if (!postern_parse_take(p, TOKEN_OPEN))
        return postern_parse_expected(p, "a list in parentheses");
    POSTERN_TRY(postern_parse_list(p, ret));
    return postern_parse_take(p, TOKEN_CLOSE) ? POSTERN_OK : postern_parse_expected(p, ")");
}

static postern_err parse_text(struct parser *p, struct test *t)
{
    const struct token *value = p->at;

    if (t->op == OP_IN)
        return postern_parse_list_in_parentheses(p, &t->list);
    POSTERN_TRY(postern_parse_pattern(p, &t->value));
    if (t->op != OP_LIKE && t->value.kind == PATTERN_GLOB)
        return postern_parse_fail(p, value,
                                  "`%s` compares whole values: write `like` for a "
                                  "pattern, or \\* for a star",
                                  policy_op_names[t->op]);
    return POSTERN_OK;
}

/* RFC 6749 §3.3: scope-token. */
bool postern_parse_is_scope(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text < 0x21 || *text > 0x7E || *text == '"' || *text == '\\')
            return false;
    return true;
}

static postern_err parse_scope(struct parser *p, struct test *t)
{
    const struct token *value = p->at;

    POSTERN_TRY(postern_parse_pattern(p, &t->value));
    if (t->value.kind != PATTERN_LITERAL)
        return postern_parse_fail(p, value, "a scope is written in full, without * or $");
    if (t->op == OP_HAS && !postern_parse_is_scope(t->value.ops))
        return postern_parse_fail(p, value, "not one scope (RFC 6749 section 3.3)");
    return POSTERN_OK;
}

static postern_err add_net(struct parser *p, const struct token *at, const struct pattern *text,
                           struct test *t)
{
    char quoted[300];
    const char *fault;

    if (text->kind != PATTERN_LITERAL)
        return postern_parse_fail(p, at, "a network is written 10.0.0.0/8, without * or $");
    fault = postern_net_read(text->ops, &t->nets[t->net_count++]);
    if (fault == NULL)
        return POSTERN_OK;
    return postern_parse_fail(p, at, "\"%s\" %s",
                              postern_error_quote(text->ops, text->len, quoted, sizeof quoted),
                              fault);
}

/* Sets may hold sets; each stands above its users, so this ends. */
static postern_err add_nets(struct parser *p, const struct token *at, const struct list *list,
                            struct test *t)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        POSTERN_TRY(i->set != NULL ? add_nets(p, at, &i->set->list, t)
                                   : add_net(p, at, &i->pattern, t));
    return POSTERN_OK;
}

static postern_err parse_source(struct parser *p, struct test *t)
{
    const struct token *value = p->at;
    size_t count = 1;
    void *memory;

    POSTERN_TRY(parse_text(p, t));
    if (t->op == OP_IN)
        count = t->list.count;
    POSTERN_TRY(postern_parse_alloc(p, count * sizeof *t->nets, &memory));
    t->nets = memory;
    return t->op == OP_IN ? add_nets(p, value, &t->list, t) : add_net(p, value, &t->value, t);
}

static postern_err parse_number(struct parser *p, struct test *t)
{
    const struct token *value = p->at;
    char text[POSTERN_POLICY_TEXT_MAX];
    const char *fault;

    POSTERN_TRY(postern_parse_value(p, "a number", text));
    fault = t->attr == ATTR_AUTH_AGE ? postern_value_read_duration(text, &t->number)
                                     : postern_value_read_number(text, &t->number);
    return fault == NULL ? POSTERN_OK : postern_parse_fail(p, value, "\"%s\" %s", text, fault);
}

static postern_err parse_claim_value(struct parser *p, struct test *t)
{
    return (BIT(t->op) & BY_SIZE) != 0 ? parse_number(p, t) : parse_text(p, t);
}

/* ---- arguments and details ---- */

/* Whoever wants a text of digits says so; as a number it would be true of nothing. */
static postern_err check_digits(struct parser *p, const struct token *t, const struct pattern *v)
{
    return v->is_long_number ? postern_parse_fail_long_number(p, t) : POSTERN_OK;
}

static postern_err check_all_digits(struct parser *p, const struct token *t,
                                    const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        POSTERN_TRY(i->set != NULL ? check_all_digits(p, t, &i->set->list)
                                   : check_digits(p, t, &i->pattern));
    return POSTERN_OK;
}

/* Behind < and its like: what has a size. */
static postern_err check_number(struct parser *p, const struct token *t, const struct pattern *v)
{
    if (v->literal != NULL && v->literal->kind == LITERAL_NUMBER)
        return POSTERN_OK;
    return postern_parse_fail(p, t, "expected a number, a duration like 15m or a size like 64KiB");
}

/* A path that is absolute, a URI or a name in a directory; without globs, which stop at nothing. */
static postern_err check_base(struct parser *p, const struct token *t, const struct pattern *v)
{
    const char *fault = v->kind == PATTERN_GLOB
                            ? "`under` takes in all that lies below: write it without * and ?"
                            : postern_under_check_base(v);

    return fault == NULL ? POSTERN_OK : postern_parse_fail(p, t, "%s", fault);
}

static postern_err check_bases(struct parser *p, const struct token *t, const struct list *list)
{
    for (const struct item *i = list->first; i != NULL; i = i->next)
        POSTERN_TRY(i->set != NULL ? check_bases(p, t, &i->set->list)
                                   : check_base(p, t, &i->pattern));
    return POSTERN_OK;
}

static postern_err parse_under(struct parser *p, struct test *t)
{
    const struct token *value = p->at;

    if (value->kind == TOKEN_OPEN) {
        POSTERN_TRY(postern_parse_list_in_parentheses(p, &t->list));
        return check_bases(p, value, &t->list);
    }
    POSTERN_TRY(postern_parse_pattern(p, &t->value));
    return check_base(p, value, &t->value);
}

static postern_err parse_typed(struct parser *p, struct test *t)
{
    const struct token *value = p->at;

    if (t->op == OP_UNDER)
        return parse_under(p, t);
    POSTERN_TRY(parse_text(p, t));
    POSTERN_TRY(t->op == OP_IN ? check_all_digits(p, value, &t->list)
                               : check_digits(p, value, &t->value));
    return (BIT(t->op) & BY_SIZE) != 0 ? check_number(p, value, &t->value) : POSTERN_OK;
}

static postern_err (*const value_parsers[ATTR_COUNT])(struct parser *p, struct test *t) = {
    [ATTR_SCOPE] = parse_scope,       [ATTR_PURPOSE] = parse_text, [ATTR_ACR] = parse_text,
    [ATTR_ISSUER] = parse_text,
    [ATTR_SOURCE] = parse_source,     [ATTR_CHAIN] = parse_number, [ATTR_AUTH_AGE] = parse_number,
    [ATTR_CLAIM] = parse_claim_value, [ATTR_DETAIL] = parse_typed, [ATTR_ARG] = parse_typed,
};

postern_err postern_parse_test_value(struct parser *p, struct test *t)
{
    return value_parsers[t->attr](p, t);
}
