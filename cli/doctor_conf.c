/* SPDX-License-Identifier: BSD-2-Clause */
/* See doctor_conf.h. */
#include <stdio.h>
#include <string.h>

#include "doctor_conf.h"

#define KEY_MAX 256 /* longer names are no option's */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static postern_bytes trim(postern_bytes b)
{
    while (b.len != 0 && is_blank(b.ptr[0]))
        b = (postern_bytes){ b.ptr + 1, b.len - 1 };
    while (b.len != 0 && is_blank(b.ptr[b.len - 1]))
        b.len--;
    return b;
}

/* `text` is cut after the line. */
static postern_bytes take_line(postern_bytes *text)
{
    size_t len = postern_bytes_find(*text, '\n'), used = len < text->len ? len + 1 : len;
    postern_bytes line = { text->ptr, len };

    *text = (postern_bytes){ text->ptr + used, text->len - used };
    return line;
}

static bool find_key(postern_bytes text, const char *key, postern_bytes *ret_value)
{
    while (text.len != 0) {
        postern_bytes line = take_line(&text);
        size_t colon = postern_bytes_find(line, ':');

        if (colon == line.len || line.ptr[0] == '#' ||
            !postern_bytes_equal_str(trim((postern_bytes){ line.ptr, colon }), key))
            continue;
        *ret_value = trim((postern_bytes){ line.ptr + colon + 1, line.len - colon - 1 });
        return true;
    }
    return false;
}

bool doctor_conf_find(postern_bytes text, const char *plugin, const char *option,
                      postern_bytes *ret_value)
{
    char key[KEY_MAX];
    int len = plugin == NULL ? -1 : snprintf(key, sizeof key, "sasl_%s_%s", plugin, option);

    if (len > 0 && (size_t)len < sizeof key && find_key(text, key, ret_value))
        return true;
    len = snprintf(key, sizeof key, "sasl_%s", option);
    return len > 0 && (size_t)len < sizeof key && find_key(text, key, ret_value);
}
