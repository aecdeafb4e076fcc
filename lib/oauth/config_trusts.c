/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several issuers of one service: proved at load that no two of them can ever name the same local
 * user, so that a token of the one is never somebody of the other.  What an issuer can name is a
 * set of forms, each a text with a gap or without; two issuers are apart when each form of the one
 * is apart from each of the other: by a byte that differs in front of the gap or behind it, or by
 * one that the other's username_chars lack.  Case is ignored, because hosts fold user names.  Pure;
 * called by config_load.c and config_text.c behind the maps. doc/decisions/0054-several-issuers.md.
 */
#include "settings.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "identity.h"
#include "rules.h"
#include "username.h"
#include "username_map.h"

/* Bytes: the forms of POSTERN_TRUSTS_MAX maps, each line with its domain and without it. */
#define FORMS_MEMORY_MAX ((size_t)64 << 20)

/* Names that an issuer can give: before, then anything unless is_whole, then behind. */
struct form {
    size_t issuer; /* which of the service's */
    postern_bytes before, behind;
    bool is_whole; /* behind is empty then */
    bool is_agent; /* an agent's, which no setting shapes */
    int line;      /* of the issuer's map; 0: of username_claim */
};

struct proof {
    postern_arena arena;
    const postern_config *config;
    const postern_section *service;
    struct username_chars chars[POSTERN_TRUSTS_MAX]; /* of each issuer's names */
    struct form *forms;
    size_t count;
};

static const postern_section *get_issuer(const struct proof *p, size_t i)
{
    return postern_config_issuer_of(p->config, p->service, i);
}

/* ---- what an issuer can name ---- */

static size_t get_shorter(postern_bytes a, postern_bytes b)
{
    return a.len < b.len ? a.len : b.len;
}

static bool begin_alike(postern_bytes a, postern_bytes b)
{
    return postern_ascii_equal_nocase(a.ptr, b.ptr, get_shorter(a, b));
}

static bool end_alike(postern_bytes a, postern_bytes b)
{
    size_t len = get_shorter(a, b);

    return postern_ascii_equal_nocase(a.ptr + a.len - len, b.ptr + b.len - len, len);
}

/* Where the last '@' stands; SIZE_MAX: nowhere. */
static size_t find_last_at(postern_bytes text)
{
    size_t i = text.len;

    while (i != 0 && text.ptr[i - 1] != '@')
        i--;
    return i - 1; /* SIZE_MAX for 0 */
}

/*
 * One domain of username_strip_domain: what may be left of the form without it is another form.  A
 * last '@' of the form's own decides.  Where it may stand in the gap, all that is sure of the rest
 * is what comes before the first.
 */
static void add_stripped(struct proof *p, struct form f, postern_bytes domain)
{
    postern_bytes *end = f.is_whole ? &f.before : &f.behind;
    size_t at = find_last_at(*end);

    if (at != SIZE_MAX) {
        if (end->len - at - 1 != domain.len || !end_alike(*end, domain))
            return;
        end->len = at;
    } else {
        if (f.is_whole || !end_alike(f.behind, domain))
            return;
        f.before.len = postern_bytes_find(f.before, '@');
        f.behind = postern_bytes_str("");
    }
    p->forms[p->count++] = f;
}

static void add_form(struct proof *p, struct form f)
{
    const struct config_value *strip = postern_section_value(p->service, "username_strip_domain");

    p->forms[p->count++] = f;
    for (size_t i = 0; i < strip->count; i++)
        add_stripped(p, f, postern_bytes_str(strip->items[i]));
}

static void add_map(struct proof *p, size_t issuer, const struct username_map *map)
{
    struct username_map_user u;

    for (size_t i = 0; postern_username_map_user(map, i, &u); i++)
        add_form(p, (struct form){ .issuer = issuer,
                                   .before = u.before,
                                   .behind = u.behind,
                                   .is_whole = u.is_whole,
                                   .line = u.line });
}

static bool is_login_as(const postern_section *service, const char *word)
{
    return service->kind == POSTERN_SECTION_SERVICE &&
           strcmp(postern_section_text(service, "login_as"), word) == 0;
}

/* An agent's name is its client_id or act.sub as it stands: anything. */
static postern_err add_names(struct proof *p, size_t issuer, postern_error *err)
{
    const char *text = postern_section_text(get_issuer(p, issuer), "username_claim");
    postern_bytes none = postern_bytes_str("");
    struct username_template t;

    if (is_login_as(p->service, "agent") || is_login_as(p->service, "both"))
        add_form(
            p, (struct form){ .issuer = issuer, .before = none, .behind = none, .is_agent = true });
    if (is_login_as(p->service, "agent"))
        return POSTERN_OK;
    POSTERN_TRY(postern_username_parse(&p->arena, text, &t, err));
    add_form(p, (struct form){ .issuer = issuer,
                               .before = postern_bytes_str(t.claims[0].before),
                               .behind = postern_bytes_str(t.after) });
    return POSTERN_OK;
}

static const struct username_map *get_map(const struct proof *p, size_t issuer)
{
    const char *path = postern_config_map_path(p->service, get_issuer(p, issuer));

    return path == NULL ? NULL : postern_config_map(p->config, path);
}

static size_t count_names(const struct proof *p, size_t issuer)
{
    const struct username_map *map = get_map(p, issuer);

    return map == NULL ? 2 : postern_username_map_count(map);
}

static postern_err collect(struct proof *p, postern_error *err)
{
    size_t issuers = postern_config_issuer_count(p->service), room = 0;

    for (size_t i = 0; i < issuers; i++) {
        room += count_names(p, i);
        POSTERN_TRY(postern_config_username_chars(p->service, get_issuer(p, i), &p->chars[i], err));
    }
    room *= 1 + postern_section_count(p->service, "username_strip_domain");
    p->forms = postern_arena_alloc(&p->arena, room * sizeof *p->forms);
    if (p->forms == NULL)
        return POSTERN_FAIL(err, NOMEM, "the names of %zu issuers", issuers);
    for (size_t i = 0; i < issuers; i++) {
        const struct username_map *map = get_map(p, i);

        if (map != NULL)
            add_map(p, i, map);
        else
            POSTERN_TRY(add_names(p, i, err));
    }
    return POSTERN_OK;
}

/* ---- are they apart ---- */

static bool is_in(postern_bytes whole, const struct form *f)
{
    return whole.len >= f->before.len + f->behind.len && begin_alike(whole, f->before) &&
           end_alike(whole, f->behind);
}

/* A host that folds case makes one letter of two. */
static bool is_allowed(const struct username_chars *chars, uint8_t c)
{
    uint8_t lower = postern_ascii_to_lower(c), other = lower != c             ? lower
                                                       : c >= 'a' && c <= 'z' ? (uint8_t)(c & 0xdf)
                                                                              : c;

    return c < sizeof chars->allowed && (chars->allowed[c] || chars->allowed[other]);
}

static bool are_allowed(const struct username_chars *chars, postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_allowed(chars, text.ptr[i]))
            return false;
    return true;
}

/* What a name of that form holds in any case may stand in one of the other issuer's. */
static bool is_allowed_to(const struct proof *p, const struct form *f, const struct form *other)
{
    const struct username_chars *chars = &p->chars[other->issuer];

    return are_allowed(chars, f->before) && are_allowed(chars, f->behind);
}

/* Of two, one with a gap at least. */
static bool may_be_one(const struct proof *p, const struct form *a, const struct form *b)
{
    if (!is_allowed_to(p, a, b) || !is_allowed_to(p, b, a))
        return false;
    if (a->is_whole)
        return is_in(a->before, b);
    if (b->is_whole)
        return is_in(b->before, a);
    return begin_alike(a->before, b->before) && end_alike(a->behind, b->behind);
}

static void show_form(const struct proof *p, const struct form *f, postern_buf *out)
{
    const postern_section *issuer = get_issuer(p, f->issuer);

    postern_buf_addf(out, "\"%.*s%s%.*s\" by ", (int)f->before.len, (const char *)f->before.ptr,
                     f->is_whole ? "" : "*", (int)f->behind.len, (const char *)f->behind.ptr);
    if (f->line != 0)
        postern_buf_addf(out, "%s:%d", postern_username_map_shown(get_map(p, f->issuer)), f->line);
    else
        postern_buf_addf(out, "username_claim (%s)",
                         postern_section_origin(issuer, "username_claim"));
}

#define SHOWN_MAX 2048 /* bytes of two forms with the files that they stand in */

static postern_err fail(const struct proof *p, const struct form *a, const struct form *b,
                        postern_error *err)
{
    const struct config_value *v = postern_section_value(p->service, "issuers");
    const char *one = get_issuer(p, a->issuer)->name, *other = get_issuer(p, b->issuer)->name;
    POSTERN_AUTO_BUF shown = POSTERN_BUF_INIT(SHOWN_MAX);

    if (a->is_agent || b->is_agent)
        return POSTERN_FAIL(
            err, CONFIG_CONFLICT,
            "%s:%d:%d: issuers: an agent of one of %s and %s may have the name of somebody of the "
            "other (login_as: %s); give each a username_map_file of its own, or say "
            "\"login_as: user\"",
            p->service->file, v->line, v->column, one, other,
            postern_section_text(p->service, "login_as"));
    show_form(p, a, &shown);
    postern_buf_add_str(&shown, ", ");
    show_form(p, b, &shown);
    if (postern_buf_cstr(&shown) == NULL)
        return POSTERN_FAIL(err, NOMEM, "the names of two issuers");
    return POSTERN_FAIL(
        err, CONFIG_CONFLICT,
        "%s:%d:%d: issuers: %s and %s may name one local user; give each a username_claim that "
        "says "
        "whose it is (%s-${sub}, %s-${sub}), or a username_map_file of its own.  Now: %s",
        p->service->file, v->line, v->column, one, other, one, other, postern_buf_cstr(&shown));
}

/* Whole names first, in their order, those of one name in their issuers'. */
static int compare(const void *one, const void *other)
{
    const struct form *a = one, *b = other;
    size_t len = get_shorter(a->before, b->before);

    if (!a->is_whole || !b->is_whole)
        return (int)b->is_whole - (int)a->is_whole;
    for (size_t i = 0; i < len; i++) {
        int difference =
            postern_ascii_to_lower(a->before.ptr[i]) - postern_ascii_to_lower(b->before.ptr[i]);

        if (difference != 0)
            return difference;
    }
    if (a->before.len != b->before.len)
        return a->before.len < b->before.len ? -1 : 1;
    return a->issuer < b->issuer ? -1 : a->issuer > b->issuer;
}

static bool is_one_name(const struct form *a, const struct form *b)
{
    return a->is_whole && b->is_whole && a->before.len == b->before.len &&
           begin_alike(a->before, b->before);
}

/* Equal whole names stand side by side; each form with a gap is held against every other one. */
static postern_err check_forms(struct proof *p, postern_error *err)
{
    qsort(p->forms, p->count, sizeof *p->forms, compare);
    for (size_t i = 0; i + 1 < p->count; i++) {
        const struct form *a = &p->forms[i], *b = a + 1;

        if (a->issuer != b->issuer && is_one_name(a, b))
            return fail(p, a, b, err);
    }
    for (size_t i = p->count; i-- != 0 && !p->forms[i].is_whole;)
        for (size_t j = 0; j < i; j++)
            if (p->forms[j].issuer != p->forms[i].issuer &&
                may_be_one(p, &p->forms[j], &p->forms[i]))
                return fail(p, &p->forms[j], &p->forms[i], err);
    return POSTERN_OK;
}

/* ---- a service ---- */

static postern_err limit_chars(const postern_section *s, struct username_chars *chars,
                               postern_error *err)
{
    struct username_chars own;

    if (postern_username_chars_parse(postern_section_text(s, "username_chars"), &own) != NULL)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: username_chars", s->file);
    postern_username_chars_limit(chars, &own);
    return POSTERN_OK;
}

/* An issuer's file that does not speak of it limits nothing, whatever the default is. */
postern_err postern_config_username_chars(const postern_section *service,
                                          const postern_section *issuer, struct username_chars *ret,
                                          postern_error *err)
{
    memset(ret->allowed, true, sizeof ret->allowed);
    POSTERN_TRY(limit_chars(service, ret, err));
    return postern_section_has(issuer, "username_chars") ? limit_chars(issuer, ret, err)
                                                         : POSTERN_OK;
}

bool postern_config_names_have_one_case(const postern_config *c, const postern_section *service)
{
    const postern_section *issuer;
    struct username_chars chars;

    for (size_t i = 0; (issuer = postern_config_trusted_by(c, service, i)) != NULL; i++) {
        if (postern_config_username_chars(service, issuer, &chars, NULL) != POSTERN_OK)
            return false; /* a loaded configuration holds nothing that cannot be read */
        for (uint8_t letter = 'a'; letter <= 'z'; letter++)
            if (chars.allowed[letter] && chars.allowed[letter - 'a' + 'A'])
                return false;
    }
    return true;
}

static postern_err check_list(const postern_section *s, postern_error *err)
{
    const struct config_value *v = postern_section_value(s, "issuers");

    if (v->count > POSTERN_TRUSTS_MAX)
        return postern_config_value_fail(s, "issuers", err, "has more than %d names",
                                         POSTERN_TRUSTS_MAX);
    for (size_t i = 0; i < v->count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(v->items[i], v->items[j]) == 0)
                return postern_config_value_fail(s, "issuers", err, "\"%s\" stands twice",
                                                 v->items[i]);
    return POSTERN_OK;
}

/* One map for all would lead names of two issuers to one user. */
static postern_err check_map(const postern_section *s, postern_error *err)
{
    const struct config_value *map = postern_section_value(s, "username_map_file");

    if (map->text == NULL)
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_CONFLICT,
                        "%s:%d:%d: username_map_file: one map for several issuers could lead names "
                        "of two to one user: set it in each issuer's own file",
                        s->file, map->line, map->column);
}

static postern_err prove(struct proof *p, postern_error *err)
{
    POSTERN_TRY(check_list(p->service, err));
    if (postern_config_issuer_count(p->service) == 1)
        return POSTERN_OK;
    POSTERN_TRY(check_map(p->service, err));
    POSTERN_TRY(collect(p, err));
    return check_forms(p, err);
}

static postern_err check_all_of(const postern_config *c, postern_section_kind kind,
                                postern_error *err)
{
    for (const postern_section *s = c->first[kind]; s != NULL; s = s->next) {
        struct proof p = { .arena = POSTERN_ARENA_INIT(FORMS_MEMORY_MAX),
                           .config = c,
                           .service = s };
        postern_err e = prove(&p, err);

        postern_arena_free(&p.arena);
        POSTERN_TRY(e);
    }
    return POSTERN_OK;
}

postern_err postern_config_check_trusts(const postern_config *c, postern_error *err)
{
    POSTERN_TRY(check_all_of(c, POSTERN_SECTION_SERVICE, err));
    return check_all_of(c, POSTERN_SECTION_DOOR, err);
}
