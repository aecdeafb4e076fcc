/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Targets: one protocol, its actions by name, class or glob, and resources.  What names an action is
 * turned into bits of the protocol's table here, so that a decision looks at one bit.  Called by
 * read.c and read_expect.c.
 */
#include "policy/read.h"

#include "base/nearest.h"

/* ---- refusing ---- */

/* They are so few that the nearest one ("mcp" for "imap") would be a guess. */
static postern_err fail_protocol(struct parser *p, postern_bytes name)
{
    char quoted[300];

    return postern_parse_fail(p, p->at,
                              "\"%s\" is no protocol of this version (a service has "
                              "SERVICE:login): " POLICY_PROTOCOL_WORDS,
                              postern_error_quote(name.ptr, name.len, quoted, sizeof quoted));
}

/* A protocol of few actions names them all; of many, the nearest one or where they are listed. */
static postern_err fail_action(struct parser *p, const struct token *t, postern_bytes name,
                               const struct protocol *protocol, const char *folded)
{
    char quoted[300];
    const char *shown = postern_error_quote(name.ptr, name.len, quoted, sizeof quoted);
    const char *nearest = NULL;
    size_t best = POSTERN_NEAREST_MAX;

    for (size_t i = 0; i < protocol->row_count; i++)
        if (postern_nearest_is_slip(folded, protocol->rows[i].name, &best))
            nearest = protocol->rows[i].name;
    if (nearest != NULL)
        return postern_parse_fail(p, t, "\"%s\" is no action of it; did you mean \"%s\"?", shown,
                                  nearest);
    if (protocol->row_count == 1)
        return postern_parse_fail(p, t, "\"%s\" is no action of it: %s", shown,
                                  protocol->rows[0].name);
    return postern_parse_fail(p, t,
                              "\"%s\" is no action of it that is known: `postern policy actions "
                              "%s` lists them, and a glob names one that is not",
                              shown, protocol->name);
}

static postern_err fail_class(struct parser *p, const struct token *t, postern_bytes name,
                              const struct protocol *protocol)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(1024);
    struct token class_name = *t;
    const char *choices;

    class_name.text = name;
    postern_policy_class_words(protocol, &words);
    choices = postern_buf_cstr(&words);
    if (choices == NULL)
        return POSTERN_FAIL(p->err, NOMEM, "%s", p->file->path);
    if (choices[0] == '\0')
        return postern_parse_fail(p, t, "%s has no classes", protocol->name);
    return postern_parse_unknown(p, &class_name, "class of it", choices);
}

/* ---- items ---- */

static bool is_class(const struct protocol *protocol, postern_bytes name)
{
    for (size_t i = 0; i < protocol->row_count; i++)
        if (postern_policy_has_class(&protocol->rows[i], name))
            return true;
    return false;
}

static bool is_glob(postern_bytes name)
{
    return postern_bytes_find(name, '*') != name.len || postern_bytes_find(name, '?') != name.len;
}

static postern_err parse_class(struct parser *p, const struct token *t, postern_bytes name,
                               const struct protocol *protocol, struct action_item *ret)
{
    ret->kind = ACTION_CLASS;
    if (!is_class(protocol, (postern_bytes){ name.ptr + 1, name.len - 1 }))
        return fail_class(p, t, name, protocol);
    return postern_parse_keep(p, name, &ret->text);
}

static postern_err parse_glob(struct parser *p, const char *folded, struct action_item *ret)
{
    char room[POSTERN_POLICY_TEXT_MAX];

    ret->kind = ACTION_GLOB;
    POSTERN_TRY(postern_parse_keep(p, postern_bytes_str(folded), &ret->text));
    (void)postern_pattern_read(postern_bytes_str(ret->text), room, &ret->glob); /* bytes of a word */
    return postern_parse_keep(p, (postern_bytes){ (const uint8_t *)room, ret->glob.len },
                              &ret->glob.ops);
}

static postern_err parse_name(struct parser *p, const struct token *t, postern_bytes name,
                              const struct protocol *protocol, struct action_item *ret)
{
    char folded[POLICY_ACTION_MAX];

    if (!postern_policy_fold_action(protocol, name, folded))
        return postern_parse_fail(p, t, "an action of %s is missing: %s%s, or *", protocol->name,
                                  protocol->row_count == 1 ? "" : "like ",
                                  protocol->rows[0].name);
    if (protocol->is_inspected && is_glob(name))
        return parse_glob(p, folded, ret);
    if (!protocol->is_open && postern_policy_find_action(protocol, folded) == POLICY_NO_ACTION &&
        !postern_policy_is_container(protocol, folded))
        return fail_action(p, t, name, protocol, folded);
    return postern_parse_keep(p, postern_bytes_str(folded), &ret->text);
}

static postern_err parse_item(struct parser *p, const struct token *t, postern_bytes name,
                              const struct target *target, struct action_item *ret)
{
    const struct protocol *protocol = &policy_protocols[target->protocol];

    if (postern_bytes_equal_str(name, "*") && target->protocol != PROTOCOL_LOGIN) {
        ret->kind = ACTION_ALL;
        return postern_parse_keep(p, name, &ret->text);
    }
    if (name.len != 0 && name.ptr[0] == '@')
        return parse_class(p, t, name, protocol, ret);
    return parse_name(p, t, name, protocol, ret);
}

/* Said twice is said once. */
static void add_item(struct target *target, struct action_item *item)
{
    struct action_item **end = &target->items;

    for (; *end != NULL; end = &(*end)->next)
        if ((*end)->kind == item->kind && strcmp((*end)->text, item->text) == 0)
            return;
    *end = item;
    postern_policy_mark_actions(&policy_protocols[target->protocol], item, target->known);
}

static postern_err parse_action(struct parser *p, const struct token *t, postern_bytes name,
                                struct target *ret)
{
    void *memory;

    POSTERN_TRY(postern_parse_alloc(p, sizeof(struct action_item), &memory));
    POSTERN_TRY(parse_item(p, t, name, ret, memory));
    add_item(ret, memory);
    return POSTERN_OK;
}

/* ---- targets ---- */

/* A service is called what its administrator likes, so only the action tells that one is meant: it is
 * `login`, spelled out. */
static postern_err take_protocol(struct parser *p, postern_bytes name, postern_bytes action,
                                 struct target *ret)
{
    void *memory;

    ret->protocol = postern_policy_find_protocol(name);
    if (ret->protocol == PROTOCOL_ANY ||
        (ret->protocol == PROTOCOL_LOGIN && !postern_bytes_equal_str(action, "login")))
        return fail_protocol(p, name);
    POSTERN_TRY(postern_parse_alloc(
        p, postern_policy_action_words(&policy_protocols[ret->protocol]) * sizeof *ret->known,
        &memory));
    ret->known = memory;
    return ret->protocol == PROTOCOL_LOGIN ? postern_parse_keep(p, name, &ret->service)
                                           : POSTERN_OK;
}

static postern_err parse_actions(struct parser *p, struct target *ret)
{
    const struct token *t = p->at;
    postern_bytes name = t->text;
    size_t colon = postern_bytes_find(name, ':'), count = 0;

    if (t->kind != TOKEN_WORD)
        return postern_parse_expected(p, "an action like raw:connect");
    if (postern_parse_take_word(p, "*"))
        return POSTERN_OK;
    if (colon == name.len)
        return postern_parse_fail(p, t, "expected an action like raw:connect or imap:login, or *");
    name = (postern_bytes){ name.ptr + colon + 1, name.len - colon - 1 };
    POSTERN_TRY(take_protocol(p, (postern_bytes){ t->text.ptr, colon }, name, ret));
    p->at++;
    for (;;) {
        if (count++ == POLICY_ITEMS_MAX)
            return postern_parse_fail(p, t, "more than %d names in one list", POLICY_ITEMS_MAX);
        POSTERN_TRY(parse_action(p, t, name, ret));
        if (!postern_parse_take(p, TOKEN_COMMA))
            return POSTERN_OK;
        t = p->at;
        name = t->text;
        if (!postern_parse_take(p, TOKEN_WORD))
            return postern_parse_expected(p, "an action");
    }
}

/* A deny of all is of all that may come; what is allowed was known when the rule was written. */
static bool takes_unknown(postern_verdict verdict, const struct target *t)
{
    bool is_all = t->protocol == PROTOCOL_ANY;

    for (const struct action_item *i = t->items; i != NULL; i = i->next)
        is_all = is_all || i->kind == ACTION_ALL;
    return is_all && verdict == POSTERN_VERDICT_DENY;
}

postern_err postern_parse_target(struct parser *p, postern_verdict verdict, struct target *ret)
{
    if (!postern_parse_take_word(p, "to"))
        return postern_parse_expected(p, "`to`");
    POSTERN_TRY(parse_actions(p, ret));
    ret->takes_unknown = takes_unknown(verdict, ret);
    if (!postern_parse_take_word(p, "on"))
        return POSTERN_OK;
    ret->has_resources = true;
    return postern_parse_list(p, &ret->resources);
}
