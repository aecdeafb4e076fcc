/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The `key: value` parser.  Two passes: every byte is judged first (so that nothing below meets a
 * NUL, a control or half a character), then lines become entries.  Opens no file and knows no key:
 * lib/oauth/config.c does both.
 */
#include "base/keyfile.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/plain_text.h"

struct postern_keyfile {
    postern_keyfile_entry *entries;
    size_t count;
    postern_arena arena; /* the values */
};

struct parse {
    const char *name; /* of the file, for errors */
    postern_keyfile *file;
    postern_buf *value; /* of the last entry, while lines may still continue it */
    int line, key_line; /* from 1 */
    bool is_open;       /* an entry is being collected */
    postern_error *err;
};

static postern_err fail_at(struct parse *p, postern_err code, int line, int column,
                           const char *what)
{
    return postern_error_set(p->err, code, __FILE__, __LINE__, "%s:%d:%d: %s", p->name, line,
                             column, what);
}

/* ---- first pass: bytes ---- */

static postern_err check_bytes(struct parse *p, postern_bytes text, size_t *ret_lines)
{
    struct postern_text_fault fault;

    if (!postern_plain_text_check(text, &fault))
        return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, fault.line, fault.column, fault.what);
    /* The last line may lack its end, or be the nothing behind it. */
    if (fault.line > POSTERN_KEYFILE_LINES + 1)
        return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, POSTERN_KEYFILE_LINES + 1, 1,
                       "too many lines");
    *ret_lines = (size_t)fault.line;
    return POSTERN_OK;
}

/* ---- second pass: lines ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static size_t count_blanks(postern_bytes b)
{
    size_t n = 0;

    while (n < b.len && is_blank(b.ptr[n]))
        n++;
    return n;
}

static uint8_t fold_key_byte(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c | 0x20);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? c : 0;
}

static postern_err check_new_key(struct parse *p, const char *key)
{
    const postern_keyfile *f = p->file;

    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->entries[i].key, key) == 0)
            return POSTERN_FAIL(p->err, CONFIG_KEY,
                                "%s:%d:1: \"%s\" stands twice, first in line %d", p->name, p->line,
                                key, f->entries[i].line);
    return POSTERN_OK;
}

/* The key in front of the ':', in lower case. */
static postern_err take_key(struct parse *p, postern_reader *line, char *key)
{
    size_t len = 0;
    uint8_t c;

    while (line->rest.len != 0 && (c = fold_key_byte(line->rest.ptr[0])) != 0) {
        if (len == POSTERN_KEY_MAX - 1)
            return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, p->line, 1, "the key is too long");
        key[len++] = (char)c;
        (void)postern_reader_take_byte(line, line->rest.ptr[0]); /* cannot fail */
    }
    key[len] = '\0';
    if (len == 0 || !postern_reader_take_byte(line, ':'))
        return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, p->line, (int)len + 1,
                       "expected `key: value`");
    return check_new_key(p, key);
}

/* Join the rest of a line, which begins in `column`, to the value of the open entry. */
static void add_to_value(struct parse *p, postern_bytes rest, int column)
{
    postern_keyfile_entry *e = &p->file->entries[p->file->count - 1];
    size_t blanks = count_blanks(rest);

    rest.ptr += blanks;
    rest.len -= blanks;
    while (rest.len != 0 && is_blank(rest.ptr[rest.len - 1]))
        rest.len--;
    if (rest.len == 0)
        return;
    if (p->value->len == 0) {
        e->line = p->line;
        e->column = column + (int)blanks;
    } else {
        postern_buf_add_byte(p->value, ' ');
    }
    postern_buf_add(p->value, rest);
}

static postern_err close_entry(struct parse *p)
{
    postern_keyfile_entry *e;

    if (!p->is_open)
        return POSTERN_OK;
    p->is_open = false;
    e = &p->file->entries[p->file->count - 1];
    if (p->value->failed)
        return fail_at(p, POSTERN_ERR_NOMEM, p->key_line, 1, "no memory for the value");
    if (p->value->len == 0)
        return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, p->key_line, (int)strlen(e->key) + 2,
                       "the value is missing");
    e->value = postern_arena_text(&p->file->arena, postern_buf_bytes(p->value));
    if (e->value == NULL)
        return fail_at(p, POSTERN_ERR_NOMEM, p->key_line, 1, "no memory for the value");
    postern_buf_reset(p->value);
    return POSTERN_OK;
}

static postern_err open_entry(struct parse *p, postern_bytes line)
{
    postern_reader r = { line };
    postern_keyfile_entry *e = &p->file->entries[p->file->count];

    POSTERN_TRY(take_key(p, &r, e->key));
    p->file->count++;
    p->is_open = true;
    p->key_line = e->line = p->line;
    add_to_value(p, r.rest, (int)strlen(e->key) + 2);
    return POSTERN_OK;
}

static postern_err parse_line(struct parse *p, postern_bytes line)
{
    size_t blanks = count_blanks(line);

    if (blanks == line.len || line.ptr[0] == '#')
        return POSTERN_OK;
    if (blanks == 0) {
        POSTERN_TRY(close_entry(p));
        return open_entry(p, line);
    }
    if (line.ptr[blanks] == '#')
        return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, p->line, (int)blanks + 1,
                       "a comment begins in column 1");
    if (!p->is_open)
        return fail_at(p, POSTERN_ERR_CONFIG_SYNTAX, p->line, 1,
                       "a line that begins with a blank continues nothing");
    add_to_value(p, line, 1);
    return POSTERN_OK;
}

static postern_err parse_lines(struct parse *p, postern_bytes text)
{
    postern_reader r = { text };
    postern_bytes line;

    for (p->line = 1; !postern_reader_is_done(&r); p->line++) {
        if (!postern_reader_take_until(&r, '\n', &line))
            (void)postern_reader_take_len(&r, r.rest.len,
                                          &line); /* the last line without its end */
        POSTERN_TRY(parse_line(p, line));
    }
    return close_entry(p);
}

postern_err postern_keyfile_parse(const char *name, postern_bytes text, postern_keyfile **ret,
                                  postern_error *err)
{
    POSTERN_AUTO(keyfile) f = NULL;
    POSTERN_AUTO_BUF value = POSTERN_BUF_INIT(POSTERN_KEYFILE_MAX);
    struct parse p = { .name = name, .value = &value, .err = err };
    size_t lines = 0;

    if (text.len > POSTERN_KEYFILE_MAX)
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "%s: %zu bytes, at most %d", name, text.len,
                            POSTERN_KEYFILE_MAX);
    POSTERN_TRY(check_bytes(&p, text, &lines));
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", name);
    f->arena = POSTERN_ARENA_INIT(POSTERN_KEYFILE_MAX +
                                  64 * lines); /* each value ends in a NUL and is aligned */
    f->entries = calloc(lines, sizeof *f->entries);
    if (f->entries == NULL)
        return POSTERN_FAIL(err, NOMEM, "%s", name);
    p.file = f;
    POSTERN_TRY(parse_lines(&p, text));
    *ret = POSTERN_STEAL(f);
    return POSTERN_OK;
}

size_t postern_keyfile_count(const postern_keyfile *f)
{
    return f->count;
}

const postern_keyfile_entry *postern_keyfile_at(const postern_keyfile *f, size_t i)
{
    return i < f->count ? &f->entries[i] : NULL;
}

void postern_keyfile_free(postern_keyfile *f)
{
    if (f == NULL)
        return;
    postern_arena_free(&f->arena);
    free(f->entries);
    free(f);
}
