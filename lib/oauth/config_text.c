/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A dump back into a configuration: the text that config_dump.c wrote, split at its section lines,
 * each value with the origin that stands above it.  For processes that may open no configuration
 * file; reads none.
 */
#include "settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/keyfile.h"

#define SECTION_BEGIN "# == "
#define SECTION_END " =="
#define FILE_NAME_MAX 160 /* bytes with NUL: "services/", a name of 63 bytes, ".conf" */

/* One section's lines, and where each begins. */
struct section_text {
    char file[FILE_NAME_MAX];
    postern_bytes body;
};

/* Line `number` (from 1) of a text, without its newline; empty past the end. */
static postern_bytes get_line(postern_bytes text, int number)
{
    postern_reader r = { text };
    postern_bytes line = POSTERN_BYTES_NONE;

    for (int i = 0; i < number; i++)
        if (!postern_reader_take_until(&r, '\n', &line))
            return POSTERN_BYTES_NONE;
    return line;
}

/* "# services/imap.conf:3" is 3; "# default" is 0; anything else is no dump. */
static bool read_origin(postern_bytes comment, const char *file, int *ret_line)
{
    postern_reader r = { comment };
    int line = 0;

    if (!postern_reader_take_lit(&r, "# "))
        return false;
    *ret_line = 0;
    if (postern_bytes_equal_str(r.rest, "default"))
        return true;
    if (!postern_reader_take_lit(&r, file) || !postern_reader_take_byte(&r, ':') ||
        r.rest.len == 0 || r.rest.len > 9)
        return false;
    for (size_t i = 0; i < r.rest.len; i++) {
        if (r.rest.ptr[i] < '0' || r.rest.ptr[i] > '9')
            return false;
        line = line * 10 + (r.rest.ptr[i] - '0');
    }
    *ret_line = line;
    return line > 0;
}

static postern_err read_value(postern_config *c, postern_section *s, const struct section_text *t,
                              const postern_keyfile_entry *e, postern_error *err)
{
    int key = postern_config_key_index(e->key, s->kind), line;

    if (key < 0 || !postern_config_key_is_for(key, s->kind))
        return POSTERN_FAIL(err, CONFIG_KEY, "dump of %s: no key \"%s\" there", s->file, e->key);
    if (!read_origin(get_line(t->body, e->line - 1), s->file, &line))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump of %s: \"%s\" without origin", s->file, e->key);
    if (line == 0)
        return postern_config_value_set(c, s, key, e->value, 0, 0, err);
    return postern_config_value_set(c, s, key, e->value, line, 1, err);
}

static postern_err read_section(postern_config *c, const struct section_text *t, postern_error *err)
{
    POSTERN_AUTO(keyfile) f = NULL;
    char name[POSTERN_CONFIG_NAME_MAX];
    postern_section_kind kind;
    postern_section *s;

    if (!postern_config_kind_of_file(t->file, &kind, name))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump with a section that no file has");
    POSTERN_TRY(postern_config_add_section(c, kind, name, t->file, &s, err));
    POSTERN_TRY(postern_keyfile_parse(s->file, t->body, &f, err));
    for (size_t i = 0; i < postern_keyfile_count(f); i++)
        POSTERN_TRY(read_value(c, s, t, postern_keyfile_at(f, i), err));
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

static bool has_one_of(const postern_config *c, postern_section_kind kind)
{
    return c->first[kind] != NULL && c->first[kind]->next == NULL;
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
    if (!has_one_of(c, POSTERN_SECTION_DAEMON))
        return POSTERN_FAIL(err, CONFIG_SYNTAX, "dump without postern.conf");
    POSTERN_TRY(postern_config_check_all(c, err));
    *ret = POSTERN_STEAL(c);
    return POSTERN_OK;
}
