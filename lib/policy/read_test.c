/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of a rule: attribute, operator, value.  Which operators an attribute has is one table.
 * Values: read_value.c, names with dots: read_path.c.
 */
#include "policy/read.h"

const char *const policy_attr_names[ATTR_COUNT] = {
    [ATTR_NONE] = "",     [ATTR_SCOPE] = "scope",       [ATTR_PURPOSE] = "purpose",
    [ATTR_ACR] = "acr",   [ATTR_SOURCE] = "source",     [ATTR_CHAIN] = "chain",
    [ATTR_TIME] = "time", [ATTR_AUTH_AGE] = "auth_age", [ATTR_CLAIM] = "claim",
    [ATTR_ISSUER] = "issuer", [ATTR_DETAIL] = "detail", [ATTR_ARG] = "arg", [ATTR_ARGS] = "args",
    [ATTR_RELATION] = "",
};
#define ATTR_WORDS \
    "scope purpose acr issuer source chain auth_age time claim.NAME detail.TYPE.NAME arg.NAME args"

const char *const policy_op_names[OP_COUNT] = {
    [OP_NONE] = "", [OP_EQ] = "=",  [OP_NE] = "!=", [OP_LT] = "<",    [OP_LE] = "<=",
    [OP_GT] = ">",  [OP_GE] = ">=", [OP_IN] = "in", [OP_HAS] = "has", [OP_LIKE] = "like",
    [OP_UNDER] = "under",
};

#define BIT(op) (1u << (op))
#define EQUAL   (BIT(OP_EQ) | BIT(OP_NE))
#define BY_SIZE (BIT(OP_LT) | BIT(OP_LE) | BIT(OP_GT) | BIT(OP_GE))

#define ANY_VALUE (EQUAL | BY_SIZE | BIT(OP_IN) | BIT(OP_HAS) | BIT(OP_LIKE))

static const unsigned attr_ops[ATTR_COUNT] = {
    [ATTR_SCOPE] = EQUAL | BIT(OP_HAS),
    [ATTR_PURPOSE] = EQUAL | BIT(OP_IN) | BIT(OP_LIKE),
    [ATTR_ACR] = EQUAL | BIT(OP_IN) | BIT(OP_LIKE),
    [ATTR_ISSUER] = EQUAL | BIT(OP_IN) | BIT(OP_LIKE),
    [ATTR_SOURCE] = EQUAL | BIT(OP_IN),
    [ATTR_CHAIN] = EQUAL | BY_SIZE,
    [ATTR_AUTH_AGE] = BY_SIZE,
    [ATTR_CLAIM] = ANY_VALUE,
    [ATTR_DETAIL] = ANY_VALUE | BIT(OP_UNDER),
    [ATTR_ARG] = ANY_VALUE | BIT(OP_UNDER),
};

/* ---- attributes ---- */

static const struct {
    const char *prefix;
    enum attr attr;
} paths[] = { { "claim.", ATTR_CLAIM }, { "detail.", ATTR_DETAIL } };

static postern_err parse_path_attr(struct parser *p, const struct target *target, struct test *ret)
{
    if (postern_parse_starts_with(p, "arg.")) {
        ret->attr = ATTR_ARG;
        return postern_parse_argument(p, target, &ret->claim);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (postern_parse_starts_with(p, paths[i].prefix)) {
            ret->attr = paths[i].attr;
            return postern_parse_path(p, paths[i].prefix, &ret->claim);
        }
    return POSTERN_OK;
}

static bool is_path(enum attr attr)
{
    return attr == ATTR_CLAIM || attr == ATTR_DETAIL || attr == ATTR_ARG || attr == ATTR_RELATION;
}

static postern_err parse_attr(struct parser *p, const struct target *target, struct test *ret)
{
    POSTERN_TRY(parse_path_attr(p, target, ret));
    if (ret->attr != ATTR_NONE)
        return POSTERN_OK;
    if (postern_parse_is_word(p, "claim"))
        return postern_parse_fail(p, p->at, "a claim is claim.NAME, or claim.NAME.NAME");
    for (int attr = ATTR_NONE + 1; attr < ATTR_COUNT; attr++)
        if (!is_path((enum attr)attr) && postern_parse_take_word(p, policy_attr_names[attr])) {
            ret->attr = (enum attr)attr;
            return POSTERN_OK;
        }
    return p->at->kind == TOKEN_WORD ? postern_parse_unknown(p, p->at, "attribute", ATTR_WORDS)
                                     : postern_parse_expected(p, "an attribute");
}

/* ---- operators ---- */

static postern_err fail_operator(struct parser *p, enum attr attr)
{
    char choices[64] = "";
    size_t used = 0;

    for (int op = OP_EQ; op < OP_COUNT; op++)
        if ((attr_ops[attr] & BIT(op)) != 0) { /* all of them are 30 bytes */
            used = (size_t)(stpcpy(choices + used, policy_op_names[op]) - choices);
            choices[used++] = ' ';
            choices[used] = '\0';
        }
    choices[used - 1] = '\0';
    return postern_parse_fail(p, p->at, "`%s` is compared by: %s", policy_attr_names[attr],
                              choices);
}

static postern_err parse_op(struct parser *p, struct test *t)
{
    for (int op = OP_EQ; op < OP_COUNT; op++) {
        if ((attr_ops[t->attr] & BIT(op)) == 0 ||
            !postern_bytes_equal_str(p->at->text, policy_op_names[op]) ||
            (p->at->kind != TOKEN_WORD && p->at->kind != TOKEN_OPERATOR))
            continue;
        t->op = (enum op)op;
        p->at++;
        return POSTERN_OK;
    }
    return fail_operator(p, t->attr);
}

/* ---- time ---- */

static postern_err fail_span(struct parser *p, const struct token *t, const char *text,
                             const char *fault)
{
    return fault == NULL ? POSTERN_OK : postern_parse_fail(p, t, "\"%s\" %s", text, fault);
}

static postern_err parse_date(struct parser *p, struct span *ret)
{
    const struct token *t = p->at;
    char text[POSTERN_POLICY_TEXT_MAX];

    POSTERN_TRY(postern_parse_value(p, "a date like 2027-01-31", text));
    return fail_span(p, t, text, postern_span_read_date(text, &ret->date));
}

static postern_err parse_span(struct parser *p, struct span *ret)
{
    const struct token *t = p->at;
    char text[POSTERN_POLICY_TEXT_MAX];

    *ret = (struct span){ .first_day = SPAN_EVERY_DAY, .last_day = SPAN_EVERY_DAY };
    if (postern_parse_take_word(p, "from"))
        ret->kind = SPAN_FROM;
    else if (postern_parse_take_word(p, "until"))
        ret->kind = SPAN_UNTIL;
    if (ret->kind != SPAN_HOURS)
        return parse_date(p, ret);
    POSTERN_TRY(postern_parse_value(p, "days, hours, `from` or `until`", text));
    if (postern_span_is_day(text)) {
        POSTERN_TRY(fail_span(p, t, text, postern_span_read_days(text, ret)));
        t = p->at;
        POSTERN_TRY(postern_parse_value(p, "hours like 07:00-19:00", text));
    }
    return fail_span(p, t, text, postern_span_read_hours(text, ret));
}

/* ---- tests ---- */

/* The whole set of what may be given; names of members, or positions. */
static postern_err parse_args(struct parser *p, const struct target *target, struct test *ret)
{
    p->at--;
    POSTERN_TRY(postern_parse_check_arguments(p, target));
    p->at++;
    if (!postern_parse_take_word(p, "only"))
        return postern_parse_expected(p, "`only`, as in args only (path, limit)");
    return postern_parse_list_in_parentheses(p, &ret->list);
}

static postern_err parse_test(struct parser *p, const struct target *target, struct test *ret)
{
    ret->is_not = postern_parse_take_word(p, "not");
    if (postern_parse_is_relation(p))
        return postern_parse_relation(p, target, ret);
    POSTERN_TRY(parse_attr(p, target, ret));
    if (ret->attr == ATTR_TIME)
        return parse_span(p, &ret->span);
    if (ret->attr == ATTR_ARGS)
        return parse_args(p, target, ret);
    POSTERN_TRY(parse_op(p, ret));
    return postern_parse_test_value(p, ret);
}

postern_err postern_parse_tests(struct parser *p, const struct target *target, struct test **ret)
{
    struct test **end = ret;
    size_t count = 0;
    void *memory;

    if (!postern_parse_take_word(p, "if"))
        return POSTERN_OK;
    do {
        if (count++ == POLICY_TESTS_MAX)
            return postern_parse_fail(p, p->at, "more than %d tests in one rule", POLICY_TESTS_MAX);
        POSTERN_TRY(postern_parse_alloc(p, sizeof **end, &memory));
        *end = memory;
        POSTERN_TRY(parse_test(p, target, *end));
        end = &(*end)->next;
    } while (postern_parse_take_word(p, "and"));
    return POSTERN_OK;
}
