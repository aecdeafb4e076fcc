/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and asking a map of user names; see the header.  Expressions are compiled in the "C"
 * locale, whatever the host has set: [a-z] is 26 letters everywhere.  Which ones may be compiled is
 * map_pattern.c's business.
 */
#include "username_map.h"

#include <locale.h>
#include <regex.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/plain_text.h"
#include "grant/grant.h"
#include "map_pattern.h"

#define NO_SLOT SIZE_MAX

struct map_line {
    int line;
    const char *name; /* as the file has it, with the slash of an expression */
    size_t name_len;
    const char *user;
    size_t slot; /* of \1 in it */
    regex_t *pattern;
};

struct username_map {
    postern_arena arena;
    const char *shown;
    struct map_line *lines;
    size_t count, pattern_count;
};

/* Two passes: lines are counted, then read. */
struct parse {
    struct username_map *map;
    bool is_dump;
    int line;        /* from 1, of the text */
    int origin_line; /* of the file that was dumped; 0: unknown */
    postern_bytes text;
    postern_reader rest; /* of the line */
    postern_error *err;
};

/* One word of a line. */
struct word {
    char *text;
    size_t len;
    const uint8_t *begin; /* in the text, for columns */
    bool is_quoted;
};

static void free_pattern(regex_t *pattern)
{
    if (pattern != NULL)
        regfree(pattern);
    free(pattern);
}

void postern_username_map_free(struct username_map *m)
{
    postern_arena arena;

    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        free_pattern(m->lines[i].pattern);
    arena = m->arena;
    free(m);
    postern_arena_free(&arena);
}

/* ---- words ---- */

/* From 1, in bytes since the line's begin. */
static int get_column(const struct parse *p, const uint8_t *at)
{
    const uint8_t *begin = at;

    while (begin != p->text.ptr && begin[-1] != '\n')
        begin--;
    return (int)(at - begin) + 1;
}

static postern_err fail_at(const struct parse *p, const uint8_t *at, const char *what)
{
    return POSTERN_FAIL(p->err, CONFIG_SYNTAX, "%s:%d:%d: %s", p->map->shown, p->line,
                        get_column(p, at), what);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(postern_reader *r)
{
    while (r->rest.len != 0 && is_blank(r->rest.ptr[0])) {
        r->rest.ptr++;
        r->rest.len--;
    }
}

/* A '#' begins a comment outside of quotation marks, as in pg_ident.conf. */
static bool is_line_done(const struct parse *p)
{
    return p->rest.rest.len == 0 || p->rest.rest.ptr[0] == '#';
}

/* Between quotation marks everything stands for itself; two of them for one. */
static postern_err take_quoted(struct parse *p, struct word *w)
{
    postern_reader *r = &p->rest;
    const uint8_t *open = r->rest.ptr;
    uint8_t c;

    (void)postern_reader_take_byte(r, '"'); /* the caller saw it */
    w->is_quoted = true;
    while (r->rest.len != 0) {
        c = r->rest.ptr[0];
        r->rest.ptr++;
        r->rest.len--;
        if (c == '"' && !postern_reader_take_byte(r, '"'))
            return POSTERN_OK;
        w->text[w->len++] = (char)c;
    }
    return fail_at(p, open, "a quotation mark without its end");
}

static postern_err take_word(struct parse *p, struct word *ret)
{
    postern_reader *r = &p->rest;
    struct word w = { .begin = r->rest.ptr };

    w.text = postern_arena_alloc(&p->map->arena, r->rest.len + 1);
    if (w.text == NULL)
        return POSTERN_FAIL(p->err, NOMEM, "%s", p->map->shown);
    while (!is_line_done(p) && !is_blank(r->rest.ptr[0])) {
        if (r->rest.ptr[0] == ',' || (r->rest.ptr[0] == '@' && w.begin == r->rest.ptr))
            return fail_at(p, r->rest.ptr,
                           "a comma, and an @ in front, must stand in quotation marks");
        if (r->rest.ptr[0] == '"') {
            POSTERN_TRY(take_quoted(p, &w));
            continue;
        }
        w.text[w.len++] = (char)r->rest.ptr[0];
        r->rest.ptr++;
        r->rest.len--;
    }
    if (w.len > POSTERN_IDENTITY_MAX)
        return fail_at(p, w.begin, "longer than 1024 bytes");
    if (w.len == 0)
        return fail_at(p, w.begin, "an empty name");
    *ret = w;
    return POSTERN_OK;
}

/* ---- lines ---- */

static postern_err compile_in_c_locale(const struct parse *p, const struct word *w, regex_t *ret)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before;
    int e;

    if (c == (locale_t)0)
        return POSTERN_FAIL(p->err, NOMEM, "%s", p->map->shown);
    before = uselocale(c);
    e = regcomp(ret, w->text + 1, REG_EXTENDED);
    (void)uselocale(before);
    freelocale(c);
    if (e == REG_ESPACE)
        return POSTERN_FAIL(p->err, NOMEM, "%s", p->map->shown);
    return e == 0 ? POSTERN_OK : fail_at(p, w->begin, "no regular expression");
}

static postern_err read_pattern(struct parse *p, const struct word *w, struct map_line *l,
                                size_t *ret_groups)
{
    postern_bytes text = { (const uint8_t *)w->text + 1, w->len - 1 };
    size_t at;
    const char *fault = postern_map_pattern_fault(text, &at, ret_groups);
    postern_err e;

    if (fault != NULL)
        return fail_at(p, w->begin + (w->is_quoted ? 0 : at + 1), fault);
    if (++p->map->pattern_count > POSTERN_MAP_PATTERNS_MAX)
        return fail_at(p, w->begin, "more than 64 regular expressions");
    l->pattern = malloc(sizeof *l->pattern);
    if (l->pattern == NULL)
        return POSTERN_FAIL(p->err, NOMEM, "%s", p->map->shown);
    e = compile_in_c_locale(p, w, l->pattern);
    if (e != POSTERN_OK) {
        free(l->pattern);
        l->pattern = NULL;
    }
    return e;
}

/* What PostgreSQL reads as something else than a name must not look like one here. */
static const char *find_user_fault(const struct word *w)
{
    if (w->text[0] == '/')
        return "the local user is a name, not a regular expression";
    if (!w->is_quoted && w->text[0] == '+')
        return "membership of a role (+) is not understood: name the local user";
    if (!w->is_quoted && strcmp(w->text, "all") == 0)
        return "\"all\" is not understood as anybody: name the local user";
    return NULL;
}

/* The one \1; no other backslash. */
static postern_err find_slot(struct parse *p, const struct word *w, bool has_group, size_t *ret)
{
    const char *slash = strchr(w->text, '\\');

    *ret = NO_SLOT;
    if (slash == NULL)
        return POSTERN_OK;
    if (slash[1] != '1' || strchr(slash + 1, '\\') != NULL)
        return fail_at(p, w->begin, "of backslashes a local user may hold one, as \\1");
    if (!has_group)
        return fail_at(p, w->begin, "\\1 wants a regular expression with a group, /^(...)$");
    *ret = (size_t)(slash - w->text);
    return POSTERN_OK;
}

static postern_err read_words(struct parse *p, struct map_line *l)
{
    struct word name, user;
    const char *fault;
    size_t groups = 0;

    POSTERN_TRY(take_word(p, &name));
    skip_blanks(&p->rest);
    if (is_line_done(p))
        return fail_at(p, p->rest.rest.ptr, "the local user is missing");
    POSTERN_TRY(take_word(p, &user));
    skip_blanks(&p->rest);
    if (!is_line_done(p))
        return fail_at(p, p->rest.rest.ptr,
                       "a line has two words: name and local user (no name of a map before them)");
    if (name.text[0] == '/')
        POSTERN_TRY(read_pattern(p, &name, l, &groups));
    fault = find_user_fault(&user);
    if (fault != NULL)
        return fail_at(p, user.begin, fault);
    l->name = name.text;
    l->name_len = name.len;
    l->user = user.text;
    return find_slot(p, &user, groups != 0, &l->slot);
}

/* "# line 12" of a dump: the next line's own number. */
static void read_origin(struct parse *p)
{
    postern_reader r = p->rest;
    int n = 0;

    if (!postern_reader_take_lit(&r, "# line "))
        return;
    for (; r.rest.len != 0 && r.rest.ptr[0] >= '0' && r.rest.ptr[0] <= '9' && n < 100000000;
         r.rest.ptr++, r.rest.len--)
        n = n * 10 + (r.rest.ptr[0] - '0');
    p->origin_line = r.rest.len == 0 ? n : 0;
}

static postern_err read_line(struct parse *p)
{
    struct username_map *m = p->map;
    struct map_line *l = &m->lines[m->count];

    skip_blanks(&p->rest);
    if (is_line_done(p)) {
        if (p->is_dump)
            read_origin(p);
        return POSTERN_OK;
    }
    if (m->count == POSTERN_MAP_LINES_MAX)
        return fail_at(p, p->rest.rest.ptr, "more than 10000 lines");
    l->line = p->origin_line != 0 ? p->origin_line : p->line;
    p->origin_line = 0;
    m->count++; /* from here on postern_username_map_free() knows it */
    return read_words(p, l);
}

static size_t count_lines(postern_bytes text)
{
    size_t lines = 1;

    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines < POSTERN_MAP_LINES_MAX ? lines : POSTERN_MAP_LINES_MAX;
}

static postern_err check_bytes(const struct parse *p)
{
    struct postern_text_fault fault;
    size_t max = p->is_dump ? POSTERN_MAP_DUMP_MAX : POSTERN_MAP_FILE_MAX;

    if (p->text.len > max)
        return POSTERN_FAIL(p->err, CONFIG_SYNTAX, "%s: more than %zu bytes", p->map->shown, max);
    if (postern_plain_text_check(p->text, &fault))
        return POSTERN_OK;
    return POSTERN_FAIL(p->err, CONFIG_SYNTAX, "%s:%d:%d: %s", p->map->shown, fault.line,
                        fault.column, fault.what);
}

static postern_err read_text(struct parse *p)
{
    postern_reader r = { p->text };

    POSTERN_TRY(check_bytes(p));
    p->map->lines =
        postern_arena_alloc(&p->map->arena, (count_lines(p->text) + 1) * sizeof *p->map->lines);
    if (p->map->lines == NULL)
        return POSTERN_FAIL(p->err, NOMEM, "%s", p->map->shown);
    for (p->line = 1; !postern_reader_is_done(&r); p->line++) {
        if (!postern_reader_take_until(&r, '\n', &p->rest.rest))
            (void)postern_reader_take_len(&r, r.rest.len, &p->rest.rest); /* the last line */
        POSTERN_TRY(read_line(p));
    }
    return POSTERN_OK;
}

/* Words are copied out of lines, each with room for the rest of its line; twice the text and the
 * lines. */
#define MAP_MEMORY_MAX                                                                             \
    (3 * POSTERN_MAP_DUMP_MAX + (POSTERN_MAP_LINES_MAX + 1) * (sizeof(struct map_line) + 64))

static postern_err parse(const char *shown, postern_bytes text, bool is_dump,
                         struct username_map **ret, postern_error *err)
{
    struct username_map *m = calloc(1, sizeof *m);
    struct parse p = { .map = m, .is_dump = is_dump, .text = text, .err = err };
    postern_err e;

    if (m == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", shown);
    m->arena = POSTERN_ARENA_INIT(MAP_MEMORY_MAX);
    m->shown = postern_arena_text(&m->arena, postern_bytes_str(shown));
    e = m->shown != NULL ? read_text(&p) : POSTERN_FAIL(err, NOMEM, "%s", shown);
    if (e == POSTERN_OK)
        *ret = m;
    else
        postern_username_map_free(m);
    return e;
}

postern_err postern_username_map_parse(const char *shown, postern_bytes text,
                                       struct username_map **ret, postern_error *err)
{
    return parse(shown, text, false, ret, err);
}

postern_err postern_username_map_parse_dump(const char *shown, postern_bytes text,
                                            struct username_map **ret, postern_error *err)
{
    return parse(shown, text, true, ret, err);
}

const char *postern_username_map_shown(const struct username_map *m)
{
    return m->shown;
}

static void dump_word(const char *word, postern_buf *out)
{
    postern_buf_add_byte(out, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"')
            postern_buf_add_byte(out, '"');
        postern_buf_add_byte(out, (uint8_t)*word);
    }
    postern_buf_add_byte(out, '"');
}

void postern_username_map_dump(const struct username_map *m, postern_buf *out)
{
    for (size_t i = 0; i < m->count; i++) {
        postern_buf_addf(out, "# line %d\n", m->lines[i].line);
        dump_word(m->lines[i].name, out);
        postern_buf_add_byte(out, ' ');
        dump_word(m->lines[i].user, out);
        postern_buf_add_byte(out, '\n');
    }
}

/* ---- asking ---- */

/* Of a name with a NUL behind it (REG_STARTEND would do without, but is GNU's).  REG_ESPACE is no
 * "does not match". */
static postern_err match_pattern(const struct map_line *l, postern_bytes name, bool *ret,
                                 postern_bytes *ret_group, postern_error *err)
{
    regmatch_t found[2] = { { -1, -1 }, { -1, -1 } };
    int e = regexec(l->pattern, (const char *)name.ptr, 2, found, 0);

    *ret = false;
    if (e == REG_NOMATCH)
        return POSTERN_OK;
    if (e != 0)
        return POSTERN_FAIL(err, NOMEM, "line %d of the map", l->line);
    *ret = found[0].rm_so == 0 && found[0].rm_eo == (regoff_t)name.len;
    *ret_group = POSTERN_BYTES_NONE;
    if (found[1].rm_so >= 0)
        *ret_group =
            (postern_bytes){ name.ptr + found[1].rm_so, (size_t)(found[1].rm_eo - found[1].rm_so) };
    return POSTERN_OK;
}

static postern_err match(const struct map_line *l, postern_bytes name, bool *ret,
                         postern_bytes *ret_group, postern_error *err)
{
    if (l->pattern != NULL)
        return match_pattern(l, name, ret, ret_group, err);
    *ret = name.len == l->name_len && memcmp(name.ptr, l->name, name.len) == 0;
    return POSTERN_OK;
}

static postern_err put_user(const struct username_map *m, const struct map_line *l,
                            postern_bytes group, postern_buf *out, postern_error *err)
{
    size_t len = strlen(l->user);

    if (l->slot == NO_SLOT) {
        postern_buf_add_str(out, l->user);
    } else if (group.len == 0) {
        return POSTERN_FAIL(err, NO_MAPPING, "%s:%d: \\1 is empty", m->shown, l->line);
    } else if (len - 2 + group.len > POSTERN_IDENTITY_MAX) {
        return POSTERN_FAIL(err, NO_MAPPING, "%s:%d: the mapped name is longer than %d bytes",
                            m->shown, l->line, POSTERN_IDENTITY_MAX);
    } else {
        postern_buf_add(out, (postern_bytes){ (const uint8_t *)l->user, l->slot });
        postern_buf_add(out, group);
        postern_buf_add_str(out, l->user + l->slot + 2);
    }
    return out->failed ? POSTERN_FAIL(err, NOMEM, "mapped name") : POSTERN_OK;
}

postern_err postern_username_map_find(const struct username_map *m, postern_bytes name,
                                      postern_buf *out, int *ret_line, postern_error *err)
{
    postern_bytes group = POSTERN_BYTES_NONE, text = { NULL, name.len };
    char room[POSTERN_IDENTITY_MAX + 1];
    bool is_match = false;

    if (name.len == 0 || name.len >= sizeof room)
        return POSTERN_FAIL(err, NO_MAPPING, "a name of %zu bytes is in no map", name.len);
    memcpy(room, name.ptr, name.len);
    room[name.len] = '\0';
    text.ptr = (const uint8_t *)room;
    for (size_t i = 0; i < m->count; i++) {
        POSTERN_TRY(match(&m->lines[i], text, &is_match, &group, err));
        if (!is_match)
            continue;
        *ret_line = m->lines[i].line;
        return put_user(m, &m->lines[i], group, out, err);
    }
    return POSTERN_FAIL(err, NO_MAPPING, "no line of %s matches the name", m->shown);
}

size_t postern_username_map_count(const struct username_map *m)
{
    return m->count;
}

bool postern_username_map_user(const struct username_map *m, size_t i,
                               struct username_map_user *ret)
{
    const struct map_line *l = i < m->count ? &m->lines[i] : NULL;

    if (l == NULL)
        return false;
    *ret = (struct username_map_user){ .before = postern_bytes_str(l->user),
                                       .behind = postern_bytes_str(""),
                                       .is_whole = l->slot == NO_SLOT,
                                       .line = l->line };
    if (ret->is_whole)
        return true;
    ret->before.len = l->slot;
    ret->behind = postern_bytes_str(l->user + l->slot + 2); /* behind "\1" */
    return true;
}
