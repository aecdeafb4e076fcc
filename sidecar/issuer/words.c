/* SPDX-License-Identifier: BSD-2-Clause */
/* Space-separated lists and the grammar of their words; see words.h.  RFC 6749 §3.3, RFC 8707 §2,
 * RFC 3986 §4.3. */
#include "words.h"

bool words_next(const char **cursor, postern_bytes *ret_word)
{
    const char *from = *cursor + strspn(*cursor, " ");
    size_t len = strcspn(from, " ");

    *cursor = from + len;
    *ret_word = (postern_bytes){ (const uint8_t *)from, len };
    return len != 0;
}

size_t words_count(const char *list)
{
    postern_bytes word;
    size_t n = 0;

    while (words_next(&list, &word))
        n++;
    return n;
}

bool words_has(const char *list, postern_bytes word)
{
    postern_bytes have;

    while (words_next(&list, &have))
        if (postern_bytes_equal(have, word))
            return true;
    return false;
}

bool words_append(char *list, size_t room, postern_bytes word)
{
    size_t len = strlen(list), space = len == 0 ? 0 : 1;

    if (word.len >= room || len + space >= room - word.len)
        return false;
    if (space != 0)
        list[len] = ' ';
    memcpy(list + len + space, word.ptr, word.len);
    list[len + space + word.len] = '\0';
    return true;
}

void words_write(postern_json_writer *w, const char *name, const char *list)
{
    postern_bytes word;

    postern_json_open_array(w, name);
    while (words_next(&list, &word))
        postern_json_put_string(w, NULL, word);
    postern_json_close_array(w);
}

static bool is_scope_byte(uint8_t c)
{
    return c == 0x21 || (c >= 0x23 && c <= 0x5B) || (c >= 0x5D && c <= 0x7E);
}

bool word_is_scope(postern_bytes word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!is_scope_byte(word.ptr[i]))
            return false;
    return word.len != 0;
}

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme_byte(uint8_t c)
{
    return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

bool word_is_resource(postern_bytes word)
{
    size_t colon = postern_bytes_find(word, ':');

    if (colon == 0 || colon + 1 >= word.len || !is_alpha(word.ptr[0]))
        return false;
    for (size_t i = 0; i < colon; i++)
        if (!is_scheme_byte(word.ptr[i]))
            return false;
    for (size_t i = colon + 1; i < word.len; i++)
        if (word.ptr[i] <= 0x20 || word.ptr[i] >= 0x7F || word.ptr[i] == '#')
            return false;
    return true;
}
