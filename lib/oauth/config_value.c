/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One value: text by the type of its key into what the program asks for.  Looks at no other key
 * (config_check.c does) and at no file.
 */
#include "settings.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_DIGITS_MAX 9    /* below 2^30: times a day's seconds it cannot overflow 64 bits */
#define LIST_ITEMS_MAX    1024 /* words of one list: more belong in a file of their own */

/* A key's value on its way in. */
struct parse {
    postern_config *config;
    const postern_section *section; /* for errors, with value.line and value.column set */
    const struct config_key *key;
    struct config_value value;
};

static postern_err record_fault(const struct parse *p, postern_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* `at` says where in the section's file. */
static postern_err fail_at(const postern_section *s, const struct config_value *at, const char *key,
                           postern_error *err, const char *fmt, va_list args)
{
    char why[256] = "";

    if (vsnprintf(why, sizeof why, fmt, args) < 0)
        why[0] = '\0';
    return POSTERN_FAIL(err, CONFIG_VALUE, "%s:%d:%d: %s: %s", s->file, at->line, at->column, key,
                        why);
}

static postern_err record_fault(const struct parse *p, postern_error *err, const char *fmt, ...)
{
    postern_err e;
    va_list args;

    va_start(args, fmt);
    e = fail_at(p->section, &p->value, p->key->name, err, fmt, args);
    va_end(args);
    return e;
}

postern_err postern_config_value_fail(const postern_section *s, const char *key, postern_error *err,
                                      const char *fmt, ...)
{
    postern_err e;
    va_list args;

    va_start(args, fmt);
    e = fail_at(s, postern_section_value(s, key), key, err, fmt, args);
    va_end(args);
    return e;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_choice(const char *choices, const char *word, size_t len)
{
    while (*choices != '\0') {
        size_t choice_len = strcspn(choices, " ");

        if (choice_len == len && memcmp(choices, word, len) == 0)
            return true;
        choices += choice_len + strspn(choices + choice_len, " ");
    }
    return false;
}

static postern_err check_choice(const struct parse *p, const char *word, postern_error *err)
{
    char quoted[300];

    if (p->key->choices == NULL || is_choice(p->key->choices, word, strlen(word)))
        return POSTERN_OK;
    return record_fault(p, err, "\"%s\" is not one of: %s",
                        postern_error_quote(word, strlen(word), quoted, sizeof quoted),
                        p->key->choices);
}

/* Digits at the start of `text`; false without any or with too many. */
static bool take_digits(const char **text, int64_t *ret)
{
    size_t digits = strspn(*text, "0123456789");

    if (digits == 0 || digits > NUMBER_DIGITS_MAX)
        return false;
    *ret = 0;
    for (size_t i = 0; i < digits; i++)
        *ret = *ret * 10 + ((*text)[i] - '0');
    *text += digits;
    return true;
}

static postern_err check_range(const struct parse *p, const char *unit, postern_error *err)
{
    if (p->value.number >= p->key->lowest && p->value.number <= p->key->highest)
        return POSTERN_OK;
    return record_fault(p, err, "%" PRId64 "%s is outside %" PRId64 "%s to %" PRId64 "%s",
                        p->value.number, unit, p->key->lowest, unit, p->key->highest, unit);
}

static postern_err parse_count(struct parse *p, postern_error *err)
{
    const char *rest = p->value.text;

    if (!take_digits(&rest, &p->value.number) || *rest != '\0')
        return record_fault(p, err, "a whole number of at most %d digits is wanted",
                            NUMBER_DIGITS_MAX);
    return check_range(p, "", err);
}

static postern_err parse_duration(struct parse *p, postern_error *err)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    const char *rest = p->value.text;

    if (p->key->choices != NULL && is_choice(p->key->choices, rest, strlen(rest)))
        return POSTERN_OK; /* in place of a number: 0 */
    if (!take_digits(&rest, &p->value.number))
        return record_fault(p, err, "a duration is a whole number with a unit, like 30s");
    if (*rest == '\0')
        return record_fault(p, err, "a duration needs a unit: s, m, h or d, like 30s");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (rest[0] != units[i].letter || rest[1] != '\0')
            continue;
        p->value.number *= units[i].seconds;
        return check_range(p, "s", err);
    }
    return record_fault(p, err, "a duration's unit is s, m, h or d, like 30s");
}

static postern_err parse_flag(struct parse *p, postern_error *err)
{
    if (is_choice("yes on true 1", p->value.text, strlen(p->value.text)))
        p->value.number = 1;
    else if (is_choice("no off false 0", p->value.text, strlen(p->value.text)))
        p->value.number = 0;
    else
        return record_fault(p, err, "yes or no is wanted (or on, off, true, false, 1, 0)");
    return POSTERN_OK;
}

static postern_err parse_path(struct parse *p, postern_error *err)
{
    POSTERN_AUTO_BUF path = POSTERN_BUF_INIT(PATH_MAX);
    bool is_relative = p->value.text[0] != '/' && strcmp(p->value.text, "-") != 0 &&
                       p->config->dir != NULL;

    if (strlen(p->value.text) + (is_relative ? strlen(p->config->dir) + 1 : 0) >= PATH_MAX)
        return record_fault(p, err, "the path is too long");
    if (!is_relative)
        return POSTERN_OK;
    postern_buf_addf(&path, "%s/%s", p->config->dir, p->value.text);
    p->value.text =
        path.failed ? NULL : postern_arena_text(&p->config->arena, postern_buf_bytes(&path));
    return p->value.text != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "configuration");
}

static size_t count_words(const char *text)
{
    size_t words = 0;

    for (size_t i = 0; text[i] != '\0'; i++)
        words += !is_blank(text[i]) && (i == 0 || is_blank(text[i - 1]));
    return words;
}

static postern_err parse_list(struct parse *p, postern_error *err)
{
    const char *rest = p->value.text + strspn(p->value.text, " \t");
    size_t words = count_words(rest);

    if (words > LIST_ITEMS_MAX)
        return record_fault(p, err, "more than %d words", LIST_ITEMS_MAX);
    p->value.items = postern_arena_alloc(&p->config->arena, (words + 1) * sizeof *p->value.items);
    if (p->value.items == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    while (*rest != '\0') {
        size_t len = strcspn(rest, " \t");
        const char *word =
            postern_arena_text(&p->config->arena, (postern_bytes){ (const uint8_t *)rest, len });

        if (word == NULL)
            return POSTERN_FAIL(err, NOMEM, "configuration");
        POSTERN_TRY(check_choice(p, word, err));
        p->value.items[p->value.count++] = word;
        rest += len + strspn(rest + len, " \t");
    }
    return POSTERN_OK;
}

static postern_err parse_text(struct parse *p, postern_error *err)
{
    return check_choice(p, p->value.text, err);
}

static postern_err parse_by_type(struct parse *p, postern_error *err)
{
    static postern_err (*const parsers[])(struct parse *, postern_error *) = {
        [CONFIG_TEXT] = parse_text,   [CONFIG_URL] = parse_text,
        [CONFIG_PATH] = parse_path,   [CONFIG_LIST] = parse_list,
        [CONFIG_FLAG] = parse_flag,   [CONFIG_DURATION] = parse_duration,
        [CONFIG_COUNT] = parse_count,
    };

    return parsers[p->key->type](p, err);
}

/* "services/imap.conf:3", or "default" for what no file says. */
static postern_err set_origin(struct parse *p, postern_error *err)
{
    POSTERN_AUTO_BUF origin = POSTERN_BUF_INIT(4096);

    p->value.origin = "default";
    if (p->value.line == 0)
        return POSTERN_OK;
    postern_buf_addf(&origin, "%s:%d", p->section->file, p->value.line);
    p->value.origin =
        origin.failed ? NULL : postern_arena_text(&p->config->arena, postern_buf_bytes(&origin));
    return p->value.origin != NULL ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "configuration");
}

postern_err postern_config_value_set(postern_config *c, postern_section *s, int key,
                                     const char *text, int line, int column, postern_error *err)
{
    struct parse p = { c, s, &postern_config_keys[key], { .line = line, .column = column } };

    p.value.text = postern_arena_text(&c->arena, postern_bytes_str(text));
    if (p.value.text == NULL)
        return POSTERN_FAIL(err, NOMEM, "configuration");
    POSTERN_TRY(parse_by_type(&p, err));
    POSTERN_TRY(set_origin(&p, err));
    s->values[key] = p.value;
    return POSTERN_OK;
}
