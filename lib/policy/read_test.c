/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of a rule: attribute, operator, value.  Which operators an attribute has is one table; a
 * value is judged here, so that a decision meets no bad one.
 */
#include "policy/read.h"

const char *const policy_attr_names[ATTR_COUNT] = {
    [ATTR_NONE] = "",     [ATTR_SCOPE] = "scope",       [ATTR_PURPOSE] = "purpose",
    [ATTR_ACR] = "acr",   [ATTR_SOURCE] = "source",     [ATTR_CHAIN] = "chain",
    [ATTR_TIME] = "time", [ATTR_AUTH_AGE] = "auth_age", [ATTR_CLAIM] = "claim",
    [ATTR_ISSUER] = "issuer",
};
#define ATTR_WORDS "scope purpose acr issuer source chain auth_age time claim.NAME"

const char *const policy_op_names[OP_COUNT] = {
    [OP_NONE] = "", [OP_EQ] = "=",  [OP_NE] = "!=", [OP_LT] = "<",    [OP_LE] = "<=",
    [OP_GT] = ">",  [OP_GE] = ">=", [OP_IN] = "in", [OP_HAS] = "has", [OP_LIKE] = "like",
};

#define BIT(op) (1u << (op))
#define EQUAL   (BIT(OP_EQ) | BIT(OP_NE))
#define BY_SIZE (BIT(OP_LT) | BIT(OP_LE) | BIT(OP_GT) | BIT(OP_GE))

static const unsigned attr_ops[ATTR_COUNT] = {
    [ATTR_SCOPE] = EQUAL | BIT(OP_HAS),
    [ATTR_PURPOSE] = EQUAL | BIT(OP_IN) | BIT(OP_LIKE),
    [ATTR_ACR] = EQUAL | BIT(OP_IN) | BIT(OP_LIKE),
    [ATTR_ISSUER] = EQUAL | BIT(OP_IN) | BIT(OP_LIKE),
    [ATTR_SOURCE] = EQUAL | BIT(OP_IN),
    [ATTR_CHAIN] = EQUAL | BY_SIZE,
    [ATTR_AUTH_AGE] = BY_SIZE,
    [ATTR_CLAIM] = EQUAL | BY_SIZE | BIT(OP_IN) | BIT(OP_HAS) | BIT(OP_LIKE),
};

/* ---- attributes ---- */

static bool starts_with(const struct token *t, const char *prefix)
{
    postern_reader r = { t->text };

    return t->kind == TOKEN_WORD && postern_reader_take_lit(&r, prefix);
}

postern_err postern_parse_refuse_arguments(struct parser *p)
{
    if (starts_with(p->at, "arg.") || postern_parse_is_word(p, "args"))
        return postern_parse_fail(p, p->at, "a raw door sees no arguments");
    if (starts_with(p->at, "detail."))
        return postern_parse_fail(p, p->at, "authorization_details are not read yet");
    return POSTERN_OK;
}

static postern_err add_part(struct parser *p, const struct token *t, postern_bytes part,
                            struct claim_name *ret)
{
    if (part.len == 0)
        return postern_parse_fail(p, t, "a claim is claim.NAME, or claim.NAME.NAME");
    if (ret->count == POLICY_PATH_MAX)
        return postern_parse_fail(p, t, "more than %d names in one claim", POLICY_PATH_MAX);
    return postern_parse_keep(p, part, &ret->parts[ret->count++]);
}

/* The names in `text`, with dots between; a string that follows is a name of its own. */
static postern_err add_parts(struct parser *p, const struct token *t, postern_bytes text,
                             struct claim_name *ret)
{
    postern_reader r = { text };
    postern_bytes part;

    while (postern_reader_take_until(&r, '.', &part))
        POSTERN_TRY(add_part(p, t, part, ret));
    return add_part(p, t, r.rest, ret);
}

/* "claim." "https://example.org/roles" ".admin": a name in quotes, glued to what is around it. */
static postern_err add_quoted_part(struct parser *p, struct claim_name *ret)
{
    const struct token *t = p->at;
    char room[POSTERN_POLICY_TEXT_MAX];

    POSTERN_TRY(postern_parse_value(p, "a claim", room));
    return add_part(p, t, postern_bytes_str(room), ret);
}

postern_err postern_parse_claim_name(struct parser *p, struct claim_name *ret)
{
    const struct token *t = p->at++;
    postern_bytes text = { t->text.ptr + strlen("claim."), t->text.len - strlen("claim.") };

    for (;;) {
        bool is_quoted_next = p->at->kind == TOKEN_STRING && p->at->is_glued;

        if (is_quoted_next && text.len != 0 && text.ptr[text.len - 1] != '.')
            return postern_parse_fail(p, p->at, "a dot is missing before the string");
        if (is_quoted_next && text.len != 0)
            text.len--;
        if (text.len != 0 || !is_quoted_next)
            POSTERN_TRY(add_parts(p, t, text, ret));
        if (!is_quoted_next)
            return POSTERN_OK;
        POSTERN_TRY(add_quoted_part(p, ret));
        if (p->at->kind != TOKEN_WORD || !p->at->is_glued)
            return POSTERN_OK;
        t = p->at++;
        if (t->text.ptr[0] != '.')
            return postern_parse_fail(p, t, "a dot is missing behind the string");
        text = (postern_bytes){ t->text.ptr + 1, t->text.len - 1 };
    }
}

static postern_err parse_attr(struct parser *p, struct test *ret)
{
    POSTERN_TRY(postern_parse_refuse_arguments(p));
    if (postern_parse_is_word(p, "claim"))
        return postern_parse_fail(p, p->at, "a claim is claim.NAME, or claim.NAME.NAME");
    if (starts_with(p->at, "claim.")) {
        ret->attr = ATTR_CLAIM;
        return postern_parse_claim_name(p, &ret->claim);
    }
    for (int attr = ATTR_NONE + 1; attr < ATTR_COUNT; attr++)
        if (attr != ATTR_CLAIM && postern_parse_take_word(p, policy_attr_names[attr])) {
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
    if (postern_parse_is_word(p, "under"))
        return postern_parse_fail(p, p->at,
                                  "`under` compares paths in arguments, and a raw door "
                                  "sees none");
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

/* ---- values ---- */

static postern_err parse_list_in_parentheses(struct parser *p, struct list *ret)
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
        return parse_list_in_parentheses(p, &t->list);
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

static postern_err (*const value_parsers[ATTR_COUNT])(struct parser *p, struct test *t) = {
    [ATTR_SCOPE] = parse_scope,       [ATTR_PURPOSE] = parse_text, [ATTR_ACR] = parse_text,
        [ATTR_ISSUER] = parse_text,
    [ATTR_SOURCE] = parse_source,     [ATTR_CHAIN] = parse_number, [ATTR_AUTH_AGE] = parse_number,
    [ATTR_CLAIM] = parse_claim_value,
};

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

static postern_err parse_test(struct parser *p, struct test *ret)
{
    ret->is_not = postern_parse_take_word(p, "not");
    POSTERN_TRY(parse_attr(p, ret));
    if (ret->attr == ATTR_TIME)
        return parse_span(p, &ret->span);
    POSTERN_TRY(parse_op(p, ret));
    return value_parsers[ret->attr](p, ret);
}

postern_err postern_parse_tests(struct parser *p, struct test **ret)
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
        POSTERN_TRY(parse_test(p, *end));
        end = &(*end)->next;
    } while (postern_parse_take_word(p, "and"));
    return POSTERN_OK;
}
