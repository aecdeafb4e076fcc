/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names with dots in them: claim.NAME.NAME, detail.TYPE.NAME, arg.NAME.  A name that has a dot of its
 * own stands in quotes.  Called by read_test.c and read_expect.c.
 */
#include "policy/read.h"

#include "base/ascii.h"

bool postern_parse_starts_with(const struct parser *p, const char *prefix)
{
    postern_reader r = { p->at->text };

    return p->at->kind == TOKEN_WORD && postern_reader_take_lit(&r, prefix);
}

struct path_words {
    const char *prefix, *shape, *noun;
};
static const struct path_words path_words[] = {
    { "claim.", "a claim is claim.NAME, or claim.NAME.NAME", "claim" },
    { "detail.", "a detail is detail.TYPE.NAME, or detail.TYPE.NAME.NAME", "detail" },
    { "arg.", "an argument is arg.NAME, or arg.NAME.NAME", "argument" },
};

static const struct path_words *words_of(const char *prefix)
{
    size_t i = 0;

    while (i < sizeof path_words / sizeof *path_words - 1 &&
           strcmp(path_words[i].prefix, prefix) != 0)
        i++;
    return &path_words[i];
}

static postern_err add_part(struct parser *p, const struct token *t, postern_bytes part,
                            const struct path_words *words, struct claim_name *ret)
{
    if (part.len == 0)
        return postern_parse_fail(p, t, "%s", words->shape);
    if (ret->count == POLICY_PATH_MAX)
        return postern_parse_fail(p, t, "more than %d names in one %s", POLICY_PATH_MAX,
                                  words->noun);
    return postern_parse_keep(p, part, &ret->parts[ret->count++]);
}

/* The names in `text`, with dots between; a string that follows is a name of its own. */
static postern_err add_parts(struct parser *p, const struct token *t, postern_bytes text,
                             const struct path_words *words, struct claim_name *ret)
{
    postern_reader r = { text };
    postern_bytes part;

    while (postern_reader_take_until(&r, '.', &part))
        POSTERN_TRY(add_part(p, t, part, words, ret));
    return add_part(p, t, r.rest, words, ret);
}

/* "claim." "https://example.org/roles" ".admin": a name in quotes, glued to what is around it. */
static postern_err add_quoted_part(struct parser *p, const struct path_words *words,
                                   struct claim_name *ret)
{
    const struct token *t = p->at;
    char room[POSTERN_POLICY_TEXT_MAX];

    POSTERN_TRY(postern_parse_value(p, "a name", room));
    return add_part(p, t, postern_bytes_str(room), words, ret);
}

static postern_err parse_parts(struct parser *p, const struct path_words *words,
                               struct claim_name *ret)
{
    const struct token *t = p->at++;
    size_t skip = strlen(words->prefix);
    postern_bytes text = { t->text.ptr + skip, t->text.len - skip };

    for (;;) {
        bool is_quoted_next = p->at->kind == TOKEN_STRING && p->at->is_glued;

        if (is_quoted_next && text.len != 0 && text.ptr[text.len - 1] != '.')
            return postern_parse_fail(p, p->at, "a dot is missing before the string");
        if (is_quoted_next && text.len != 0)
            text.len--;
        if (text.len != 0 || !is_quoted_next)
            POSTERN_TRY(add_parts(p, t, text, words, ret));
        if (!is_quoted_next)
            return POSTERN_OK;
        POSTERN_TRY(add_quoted_part(p, words, ret));
        if (p->at->kind != TOKEN_WORD || !p->at->is_glued)
            return POSTERN_OK;
        t = p->at++;
        if (t->text.ptr[0] != '.')
            return postern_parse_fail(p, t, "a dot is missing behind the string");
        text = (postern_bytes){ t->text.ptr + 1, t->text.len - 1 };
    }
}

postern_err postern_parse_path(struct parser *p, const char *prefix, struct claim_name *ret)
{
    const struct token *t = p->at;
    const struct path_words *words = words_of(prefix);

    POSTERN_TRY(parse_parts(p, words, ret));
    if (ret->count < 2 && strcmp(prefix, "detail.") == 0)
        return postern_parse_fail(p, t, "%s", words->shape);
    return POSTERN_OK;
}

/* ---- arguments ---- */

postern_err postern_parse_check_arguments(struct parser *p, const struct target *target)
{
    switch (target->protocol) {
    case PROTOCOL_ANY:
        return postern_parse_fail(p, p->at,
                                  "a raw door sees no arguments, and `*` takes it in: name mcp: or "
                                  "redis:");
    case PROTOCOL_LOGIN:
        return postern_parse_fail(p, p->at, "a login has no arguments");
    default:
        return policy_protocols[target->protocol].is_inspected
                   ? POSTERN_OK
                   : postern_parse_fail(p, p->at, "a raw door sees no arguments");
    }
}

static bool is_position(const char *part)
{
    size_t len = strspn(part, "0123456789");

    return part[len] == '\0' && len >= 1 && len <= 4 && (part[0] != '0' || len == 1);
}

postern_err postern_parse_argument(struct parser *p, const struct target *target,
                                   struct claim_name *ret)
{
    const struct token *t = p->at;

    POSTERN_TRY(postern_parse_check_arguments(p, target));
    POSTERN_TRY(postern_parse_path(p, "arg.", ret));
    if (!policy_protocols[target->protocol].numbers_args)
        return POSTERN_OK;
    if (ret->count != 1 || !is_position(ret->parts[0]))
        return postern_parse_fail(p, t,
                                  "arguments of %s have numbers: arg.0 stands behind the command",
                                  policy_protocols[target->protocol].name);
    return POSTERN_OK;
}
