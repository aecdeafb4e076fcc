/* SPDX-License-Identifier: BSD-2-Clause */
/* See freshness.h. */
#include "http/freshness.h"

#include <stdbool.h>

#include "base/ascii.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static postern_bytes trim(postern_bytes b)
{
    while (b.len != 0 && is_blank(b.ptr[0])) {
        b.ptr++;
        b.len--;
    }
    while (b.len != 0 && (is_blank(b.ptr[b.len - 1]) || b.ptr[b.len - 1] == '\r' ||
                          b.ptr[b.len - 1] == '\n'))
        b.len--;
    return b;
}

static bool is_word(postern_bytes b, const char *word)
{
    postern_reader r = { b };

    return postern_reader_take_lit_nocase(&r, word) && postern_reader_is_done(&r);
}

/* Digits alone; false: none, or something else. */
static bool read_seconds(postern_bytes b, int *ret)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < b.len; i++) {
        if (!postern_ascii_is_digit(b.ptr[i]))
            return false;
        seconds = seconds * 10 + (b.ptr[i] - '0');
        if (seconds > POSTERN_FRESHNESS_MAX_S)
            seconds = POSTERN_FRESHNESS_MAX_S;
    }
    *ret = (int)seconds;
    return b.len != 0;
}

/* The next directive, up to a comma outside of quotation marks; moves *rest past it. */
static postern_bytes take_directive(postern_bytes *rest)
{
    bool is_quoted = false;
    size_t i = 0;
    postern_bytes found;

    for (; i < rest->len && (is_quoted || rest->ptr[i] != ','); i++) {
        if (rest->ptr[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->ptr[i] == '\\' && i + 1 < rest->len)
            i++;
    }
    found = (postern_bytes){ rest->ptr, i };
    i += i < rest->len;
    *rest = (postern_bytes){ rest->ptr + i, rest->len - i };
    return trim(found);
}

/* NAME=VALUE; the value without its quotation marks. */
static postern_bytes split_value(postern_bytes *name)
{
    size_t i = 0;
    postern_bytes value;

    while (i < name->len && name->ptr[i] != '=')
        i++;
    value = i < name->len ? trim((postern_bytes){ name->ptr + i + 1, name->len - i - 1 })
                          : POSTERN_BYTES_NONE;
    name->len = i;
    *name = trim(*name);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = (postern_bytes){ value.ptr + 1, value.len - 2 };
    return value;
}

static int get_shorter(int a, int b)
{
    return a < 0 || b < a ? b : a;
}

int postern_freshness_read(postern_bytes cache_control, int before)
{
    while (cache_control.len != 0) {
        postern_bytes name = take_directive(&cache_control);
        postern_bytes value = split_value(&name);
        int seconds;

        if (is_word(name, "no-store") || is_word(name, "no-cache"))
            before = 0;
        if (is_word(name, "max-age"))
            before = get_shorter(before, read_seconds(value, &seconds) ? seconds : 0);
    }
    return before;
}

int postern_freshness_less_age(int max_age_s, postern_bytes age)
{
    int seconds;

    if (max_age_s < 0 || !read_seconds(trim(age), &seconds))
        return max_age_s;
    return seconds < max_age_s ? max_age_s - seconds : 0;
}
