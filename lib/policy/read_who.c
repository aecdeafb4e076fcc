/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdict, lists and who: what rules and expects have in common.  Targets: read_target.c.
 */
#include "policy/read.h"

#include "base/nearest.h"

/* ---- verdict ---- */

postern_err postern_parse_verdict(struct parser *p, postern_verdict *ret)
{
    for (int v = POSTERN_VERDICT_DENY; v <= POSTERN_VERDICT_HOLD; v++)
        if (postern_parse_take_word(p, postern_verdict_name((postern_verdict)v))) {
            *ret = (postern_verdict)v;
            return POSTERN_OK;
        }
    return p->at->kind == TOKEN_WORD ? postern_parse_unknown(p, p->at, "verdict", "allow deny hold")
                                     : postern_parse_expected(p, "allow, deny or hold");
}

/* ---- lists ---- */

/* What the next token is beside its text; a string is nothing else. */
static postern_err read_literal(struct parser *p, struct pattern *ret)
{
    POSTERN_TRY(postern_parse_literal(p, &ret->literal));
    ret->is_long_number = ret->literal == NULL && postern_decimal_is_too_long(p->at->text);
    if ((ret->literal == NULL && !ret->is_long_number) || p->at->kind == TOKEN_WORD)
        return POSTERN_OK;
    ret->literal = NULL;
    ret->is_long_number = false;
    ret->is_quoted = true;
    return POSTERN_OK;
}

postern_err postern_parse_literal(struct parser *p, const struct literal **ret)
{
    struct literal literal;
    void *memory;

    *ret = NULL;
    if (!postern_literal_read(p->at->text, &literal))
        return POSTERN_OK;
    POSTERN_TRY(postern_parse_alloc(p, sizeof literal, &memory));
    memcpy(memory, &literal, sizeof literal);
    *ret = memory;
    return POSTERN_OK;
}

postern_err postern_parse_pattern(struct parser *p, struct pattern *ret)
{
    char room[POSTERN_POLICY_TEXT_MAX];
    const char *fault;

    if (p->at->kind != TOKEN_WORD && p->at->kind != TOKEN_STRING)
        return postern_parse_expected(p, "a name");
    if (p->at->kind == TOKEN_WORD && postern_word_is_reserved(p->at->text))
        return postern_parse_fail(p, p->at,
                                  "expected a name, found the word `%.*s`; a name that is a word "
                                  "of the language stands in quotes",
                                  (int)p->at->text.len, (const char *)p->at->text.ptr);
    fault = postern_pattern_read(p->at->text, room, ret);
    if (fault != NULL)
        return postern_parse_fail(p, p->at, "the string %s", fault);
    POSTERN_TRY(read_literal(p, ret));
    p->at++;
    return postern_parse_keep(p, (postern_bytes){ (const uint8_t *)room, ret->len }, &ret->ops);
}

static postern_err fail_unknown_set(const struct parser *p)
{
    char name[POSTERN_POLICY_NAME_MAX] = "";
    const char *nearest = NULL;
    size_t best = POSTERN_NEAREST_MAX;

    memcpy(name, p->at->text.ptr, p->at->text.len); /* the lexer bounded it */
    for (const struct set *s = p->file->sets; s != NULL; s = s->next)
        if (postern_nearest_is_slip(name, s->name, &best))
            nearest = s->name;
    if (nearest != NULL)
        return postern_parse_fail(p, p->at, "no set $%s stands above; did you mean $%s?", name,
                                  nearest);
    return postern_parse_fail(p, p->at, "no set $%s stands above in this file", name);
}

static postern_err parse_set_item(struct parser *p, struct item *ret)
{
    for (const struct set *s = p->file->sets; s != NULL; s = s->next)
        if (postern_bytes_equal_str(p->at->text, s->name)) {
            ret->set = s;
            p->at++;
            return POSTERN_OK;
        }
    return fail_unknown_set(p);
}

static postern_err parse_item(struct parser *p, struct list *list, struct item **ret)
{
    const struct token *t = p->at;
    struct item *item;
    void *memory;

    POSTERN_TRY(postern_parse_alloc(p, sizeof *item, &memory));
    item = memory;
    POSTERN_TRY(t->kind == TOKEN_SET ? parse_set_item(p, item)
                                     : postern_parse_pattern(p, &item->pattern));
    list->count += item->set != NULL ? item->set->list.count : 1;
    if (list->count > POLICY_ITEMS_MAX)
        return postern_parse_fail(p, t, "more than %d names in one list", POLICY_ITEMS_MAX);
    *ret = item;
    return POSTERN_OK;
}

postern_err postern_parse_list(struct parser *p, struct list *ret)
{
    struct item **end = &ret->first;

    do {
        POSTERN_TRY(parse_item(p, ret, end));
        end = &(*end)->next;
    } while (postern_parse_take(p, TOKEN_COMMA));
    return POSTERN_OK;
}

/* ---- who ---- */

static const char *const party_words[PARTY_KINDS] = {
    [PARTY_NONE] = "",         [PARTY_ANYONE] = "anyone", [PARTY_NOBODY] = "nobody",
    [PARTY_AGENT] = "agent",   [PARTY_USER] = "user",     [PARTY_GROUP] = "group",
    [PARTY_CLIENT] = "client", [PARTY_ISSUER] = "issuer",
};

static bool has_names(enum party_kind kind)
{
    return kind != PARTY_NONE && kind != PARTY_ANYONE && kind != PARTY_NOBODY;
}

postern_err postern_parse_party(struct parser *p, const char *choices, struct party *ret)
{
    for (int kind = PARTY_ANYONE; kind < PARTY_KINDS; kind++) {
        if (!postern_parse_is_word(p, party_words[kind]))
            continue;
        if (strstr(choices, party_words[kind]) == NULL)
            break;
        ret->kind = (enum party_kind)kind;
        p->at++;
        return has_names(ret->kind) ? postern_parse_list(p, &ret->list) : POSTERN_OK;
    }
    return p->at->kind == TOKEN_WORD ? postern_parse_unknown(p, p->at, "party here", choices)
                                     : postern_parse_expected(p, "a party");
}

/* A user or a group is the human already, and `anyone` asks for nothing. */
static bool may_act_for(enum party_kind kind)
{
    return kind == PARTY_AGENT || kind == PARTY_CLIENT || kind == PARTY_ISSUER;
}

postern_err postern_parse_who(struct parser *p, struct who *ret)
{
    const struct token *t;

    POSTERN_TRY(postern_parse_party(p, "anyone agent user group client issuer", &ret->party));
    t = p->at;
    if (!postern_parse_take_word(p, "for"))
        return POSTERN_OK;
    if (!may_act_for(ret->party.kind))
        return postern_parse_fail(p, t,
                                  "`for` stands behind agent, client or issuer: it says for "
                                  "which human they act");
    return postern_parse_party(p, "anyone nobody user group", &ret->human);
}
