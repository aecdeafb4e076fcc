/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A dump back into a configuration, for processes that may open no configuration file; reads none.
 * Takes what config_dump.c writes and nothing else: sections in its order, in each the table's keys
 * in the table's order, each under its origin, every default included.  So what was read dumps byte
 * for byte the same.
 */
#include "settings.h"

#include <limits.h>

#include "base/keyfile.h"

#define SECTION_BEGIN "# == "
#define SECTION_END   " =="
/* Bytes with NUL of a section's name: a map has its whole path. */
#define FILE_NAME_MAX   PATH_MAX
#define LINE_DIGITS_MAX 9 /* of a line's number: fits an int */

/* One section's lines, on the way in. */
struct section_text {
    char file[FILE_NAME_MAX];
    postern_bytes body;
};

/* Of one value. */
struct entry {
    int line;                  /* 0: the default */
    bool is_preset;            /* of `provider:` in that line */
    postern_bytes origin;      /* as it stands there */
    postern_buf *value;        /* with room for a NUL */
    char key[POSTERN_KEY_MAX]; /* "" before the first and behind the last */
};

/* "3" of "services/imap.conf:3", as printf() writes it. */
static bool read_number(postern_bytes digits, int *ret)
{
    int n = 0;

    if (digits.len == 0 || digits.len > LINE_DIGITS_MAX || digits.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        n = n * 10 + (digits.ptr[i] - '0');
    }
    *ret = n;
    return true;
}

/* "provider NAME, " in front of an origin; whose preset it is, is known already.  False: it begins so
 * and is something else. */
static bool skip_provider(postern_reader *r, bool *ret_is_preset)
{
    postern_bytes name;

    *ret_is_preset = postern_reader_take_lit(r, "provider ");
    return !*ret_is_preset ||
           (postern_reader_take_until(r, ',', &name) && postern_reader_take_byte(r, ' '));
}

/* "# services/imap.conf:3" is 3; "# default" is 0; anything else is no dump. */
static bool read_origin(postern_bytes comment, const char *file, struct entry *ret)
{
    postern_reader r = { comment };

    ret->line = 0;
    ret->is_preset = false;
    if (!postern_reader_take_lit(&r, "# "))
        return false;
    ret->origin = r.rest;
    if (postern_bytes_equal_str(r.rest, "default"))
        return true;
    return skip_provider(&r, &ret->is_preset) && postern_reader_take_lit(&r, file) &&
           postern_reader_take_byte(&r, ':') && read_number(r.rest, &ret->line);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* What base/keyfile.c could have made of a file: one line of text without blanks at its ends. */
static bool is_value(postern_bytes text)
{
    if (text.len == 0 || is_blank(text.ptr[0]) || is_blank(text.ptr[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] == 0x7F)
            return false;
    return postern_bytes_is_utf8(text);
}

static bool read_value(postern_bytes line, struct entry *ret)
{
    postern_reader r = { line };
    postern_bytes key;

    if (!postern_reader_take_until(&r, ':', &key) || !postern_reader_take_byte(&r, ' ') ||
        key.len == 0 || key.len >= sizeof ret->key || !postern_bytes_is_printable(key) ||
        !is_value(r.rest))
        return false;
    memcpy(ret->key, key.ptr, key.len);
    ret->key[key.len] = '\0';
    postern_buf_reset(ret->value);
    postern_buf_add(ret->value, r.rest);
    return true;
}

/* The next value and its origin; at the end of the section one without a key. */
static postern_err take_entry(postern_reader *body, const char *file, struct entry *ret,
                              postern_error *err)
{
    postern_bytes comment, line;

    ret->key[0] = '\0';
    if (postern_reader_is_done(body))
        return POSTERN_OK;
    if (!postern_reader_take_until(body, '\n', &comment) ||
        !postern_reader_take_until(body, '\n', &line) || !read_origin(comment, file, ret) ||
        !read_value(line, ret))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump of %s: not a value under its origin", file);
    return ret->value->failed ? POSTERN_FAIL(err, NOMEM, "configuration") : POSTERN_OK;
}

/* By the table or by the provider. */
static bool is_given(const struct entry *e)
{
    return e->line == 0 || e->is_preset;
}

/* A default or preset is there already, and must be this version's; a path has no folder to start
 * at. */
static postern_err set_value(postern_config *c, postern_section *s, int key, const struct entry *e,
                             postern_error *err)
{
    const char *text = postern_buf_cstr(e->value), *set = s->values[key].text;

    if (text == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    if (is_given(e) && (set == NULL || strcmp(set, text) != 0 ||
                        !postern_bytes_equal_str(e->origin, s->values[key].origin)))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump of %s: another default of \"%s\"", s->file,
                            e->key);
    if (is_given(e))
        return POSTERN_OK;
    if (postern_config_keys[key].type == CONFIG_PATH && text[0] != '/' && strcmp(text, "-") != 0)
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump of %s: \"%s\" is no whole path", s->file,
                            e->key);
    POSTERN_TRY(postern_config_value_set(c, s, key, text, e->line, 1, err));
    /* The provider's row stands before those that it sets. */
    return strcmp(postern_config_keys[key].name, "provider") == 0
               ? postern_config_apply_provider(c, s, err)
               : POSTERN_OK;
}

/* Row by row of the table. */
static postern_err read_body(postern_config *c, postern_section *s, postern_reader body,
                             struct entry *e, postern_error *err)
{
    POSTERN_TRY(take_entry(&body, s->file, e, err));
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        if (!postern_config_key_is_for(key, s->kind))
            continue;
        if (strcmp(postern_config_keys[key].name, e->key) == 0) {
            POSTERN_TRY(set_value(c, s, key, e, err));
            POSTERN_TRY(take_entry(&body, s->file, e, err));
        } else if (s->values[key].text != NULL) {
            return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump of %s: \"%s\" is missing", s->file,
                                postern_config_keys[key].name);
        }
    }
    if (e->key[0] != '\0')
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump of %s: a key that is not its turn", s->file);
    return POSTERN_OK;
}

/* Files come sorted, so that none comes twice. */
static bool is_next(const postern_config *c, postern_section_kind kind, const char *file)
{
    const postern_section *last = c->first[kind];

    for (int later = kind + 1; later < CONFIG_KINDS; later++)
        if (c->first[later] != NULL)
            return false;
    while (last != NULL && last->next != NULL)
        last = last->next;
    return last == NULL || strcmp(last->file, file) < 0;
}

static postern_err read_section(postern_config *c, const struct section_text *t, postern_error *err)
{
    POSTERN_AUTO_BUF value = POSTERN_BUF_INIT(POSTERN_KEYFILE_MAX + PATH_MAX);
    struct entry e = { .value = &value };
    char name[POSTERN_CONFIG_NAME_MAX];
    postern_section_kind kind;
    postern_section *s;

    if (t->file[0] == '/')
        return postern_config_read_dumped_map(c, t->file, t->body, err);
    if (postern_config_has_maps(c) || !postern_config_kind_of_file(t->file, &kind, name))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump with a section that no file has");
    if (!is_next(c, kind, t->file))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump with %s twice or out of order", t->file);
    POSTERN_TRY(postern_config_add_section(c, kind, name, t->file, &s, err));
    POSTERN_TRY(read_body(c, s, (postern_reader){ t->body }, &e, err));
    return postern_config_check_section(s, err);
}

/* "# == services/imap.conf ==" */
static bool read_section_line(postern_bytes line, char ret_file[FILE_NAME_MAX])
{
    postern_reader r = { line };
    size_t len;

    if (!postern_reader_take_lit(&r, SECTION_BEGIN) || r.rest.len < sizeof SECTION_END)
        return false;
    len = r.rest.len - (sizeof SECTION_END - 1);
    if (len >= FILE_NAME_MAX || memcmp(r.rest.ptr + len, SECTION_END, sizeof SECTION_END - 1) != 0)
        return false;
    memcpy(ret_file, r.rest.ptr, len);
    ret_file[len] = '\0';
    return memchr(ret_file, '\0', len) == NULL;
}

/* The section that `rest` begins with, up to the next section line or the end. */
static bool take_section(postern_reader *r, struct section_text *ret)
{
    char next_file[FILE_NAME_MAX];
    postern_bytes line;
    const uint8_t *begin;

    if (!postern_reader_take_until(r, '\n', &line) || !read_section_line(line, ret->file))
        return false;
    begin = r->rest.ptr;
    while (r->rest.len != 0) {
        postern_reader ahead = *r;

        if (!postern_reader_take_until(&ahead, '\n', &line))
            return false; /* a dump's last line ends too */
        if (read_section_line(line, next_file))
            break;
        *r = ahead;
    }
    ret->body = (postern_bytes){ begin, (size_t)(r->rest.ptr - begin) };
    return true;
}

postern_err postern_config_load_dump(postern_bytes dump, postern_config **ret, postern_error *err)
{
    POSTERN_AUTO(config) c = NULL;
    struct section_text t;
    postern_reader r = { dump };

    POSTERN_TRY(postern_config_new(&c, err));
    while (r.rest.len != 0) {
        if (!take_section(&r, &t))
            return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump without section lines");
        POSTERN_TRY(read_section(c, &t, err));
    }
    if (c->first[POSTERN_SECTION_DAEMON] == NULL)
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump without postern.conf");
    POSTERN_TRY(postern_config_check_all(c, err));
    POSTERN_TRY(postern_config_check_dumped_maps(c, err));
    POSTERN_TRY(postern_config_check_trusts(c, err));
    *ret = POSTERN_STEAL(c);
    return POSTERN_OK;
}
