/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdict, lists, who and target: what rules and expects have in common.  The protocols that a
 * rule may name are one table; a door that inspects actions adds its row.
 */
#include "policy/read.h"

#include "base/ascii.h"
#include "base/nearest.h"

const struct protocol policy_protocols[] = {
    [PROTOCOL_ANY] = { "*", "" },
    [PROTOCOL_LOGIN] = { "", "login" },
    { "raw", "connect" },
    { NULL, NULL },
};
#define PROTOCOL_WORDS "raw"

/* No globs: a deny for "imap*:login" would be read aloud as more than it is. */
bool postern_policy_is_service(postern_bytes name)
{
    static const char allowed[] = "._-";

    for (size_t i = POLICY_PROTOCOLS_NAMED; policy_protocols[i].name != NULL; i++)
        if (postern_bytes_equal_str(name, policy_protocols[i].name))
            return false;
    for (size_t i = 0; i < name.len; i++)
        if (!postern_ascii_is_alnum(name.ptr[i]) &&
            (name.ptr[i] == '\0' || strchr(allowed, name.ptr[i]) == NULL))
            return false;
    return name.len != 0;
}

uint32_t postern_policy_action_bit(const struct protocol *protocol, postern_bytes name)
{
    uint32_t bit = 1;

    for (const char *rest = protocol->actions; *rest != '\0'; bit <<= 1) {
        size_t len = strcspn(rest, " ");

        if (postern_bytes_equal(name, (postern_bytes){ (const uint8_t *)rest, len }))
            return bit;
        rest += len + strspn(rest + len, " ");
    }
    return 0;
}

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

/* `choices`: the words that may stand here. */
static postern_err parse_party(struct parser *p, const char *choices, struct party *ret)
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

    POSTERN_TRY(parse_party(p, "anyone agent user group client issuer", &ret->party));
    t = p->at;
    if (!postern_parse_take_word(p, "for"))
        return POSTERN_OK;
    if (!may_act_for(ret->party.kind))
        return postern_parse_fail(p, t,
                                  "`for` stands behind agent, client or issuer: it says for "
                                  "which human they act");
    return parse_party(p, "anyone nobody user group", &ret->human);
}

/* ---- target ---- */

static postern_err find_protocol(struct parser *p, postern_bytes name, size_t *ret)
{
    struct token t = *p->at;

    for (size_t i = POLICY_PROTOCOLS_NAMED; policy_protocols[i].name != NULL; i++)
        if (postern_bytes_equal_str(name, policy_protocols[i].name)) {
            *ret = i;
            return POSTERN_OK;
        }
    t.text = name;
    return postern_parse_unknown(p, &t, "protocol of this version (a service has SERVICE:login)",
                                 PROTOCOL_WORDS);
}

/* A service is called what its administrator likes, so only the action tells that one is meant: it is
 * `login`, spelled out. */
static postern_err take_protocol(struct parser *p, postern_bytes name, postern_bytes action,
                                 struct target *ret)
{
    if (!postern_bytes_equal_str(action, policy_protocols[PROTOCOL_LOGIN].actions) ||
        !postern_policy_is_service(name))
        return find_protocol(p, name, &ret->protocol);
    ret->protocol = PROTOCOL_LOGIN;
    return postern_parse_keep(p, name, &ret->service);
}

static postern_err parse_action(struct parser *p, const struct token *t, postern_bytes name,
                                struct target *ret)
{
    const struct protocol *protocol = &policy_protocols[ret->protocol];
    struct token action = *t;
    uint32_t bit;

    if (postern_bytes_equal_str(name, "*") && ret->protocol != PROTOCOL_LOGIN) {
        ret->actions = UINT32_MAX;
        return POSTERN_OK;
    }
    bit = postern_policy_action_bit(protocol, name);
    action.text = name;
    if (bit == 0 && name.len == 0)
        return postern_parse_fail(p, t, "an action of %s is missing: %s, or *", protocol->name,
                                  protocol->actions);
    if (bit == 0)
        return postern_parse_unknown(p, &action, "action of it", protocol->actions);
    ret->actions |= bit;
    return POSTERN_OK;
}

static postern_err parse_actions(struct parser *p, struct target *ret)
{
    const struct token *t = p->at;
    postern_bytes name = t->text;
    size_t colon = postern_bytes_find(name, ':');

    if (t->kind != TOKEN_WORD)
        return postern_parse_expected(p, "an action like raw:connect");
    if (postern_parse_take_word(p, "*")) {
        ret->actions = UINT32_MAX;
        return POSTERN_OK;
    }
    if (colon == name.len)
        return postern_parse_fail(p, t, "expected an action like raw:connect or imap:login, or *");
    name = (postern_bytes){ name.ptr + colon + 1, name.len - colon - 1 };
    POSTERN_TRY(take_protocol(p, (postern_bytes){ t->text.ptr, colon }, name, ret));
    p->at++;
    for (;;) {
        POSTERN_TRY(parse_action(p, t, name, ret));
        if (!postern_parse_take(p, TOKEN_COMMA))
            return POSTERN_OK;
        t = p->at;
        name = t->text;
        if (!postern_parse_take(p, TOKEN_WORD))
            return postern_parse_expected(p, "an action");
    }
}

postern_err postern_parse_target(struct parser *p, struct target *ret)
{
    if (!postern_parse_take_word(p, "to"))
        return postern_parse_expected(p, "`to`");
    POSTERN_TRY(parse_actions(p, ret));
    if (!postern_parse_take_word(p, "on"))
        return POSTERN_OK;
    ret->has_resources = true;
    return postern_parse_list(p, &ret->resources);
}
