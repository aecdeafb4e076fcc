/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of members that differ by case alone.  JSON keeps them apart; readers that bind members to
 * the fields of a struct often do not, and take the last.  So that the door and such a server never
 * read two different calls out of one line, a line with such names is no message.
 */
#include <stdlib.h>

#include "bytes_hash.h"
#include "mcp_message.h"

#define NAME_MAX_FOLDED 64 /* bytes: more than any name that the door looks for */
#define FEW             16 /* members that are compared each with each */

/* Characters that Unicode folds, or upper- or lowercases, to one ASCII letter. */
static const struct {
    uint8_t bytes[3];
    uint8_t len, letter;
} strangers[] = {
    { { 0xC5, 0xBF }, 2, 's' },       /* U+017F long s */
    { { 0xE2, 0x84, 0xAA }, 3, 'k' }, /* U+212A Kelvin */
    { { 0xC4, 0xB0 }, 2, 'i' },       /* U+0130 I with dot */
    { { 0xC4, 0xB1 }, 2, 'i' },       /* U+0131 dotless i */
};

/* Of a name that goes on with what is not ASCII. */
static uint8_t take_stranger(postern_bytes *name)
{
    uint8_t c = name->ptr[0];
    size_t len = 1;

    for (size_t i = 0; c >= 0x80 && i < sizeof strangers / sizeof *strangers; i++) {
        if (name->len < strangers[i].len ||
            memcmp(name->ptr, strangers[i].bytes, strangers[i].len) != 0)
            continue;
        len = strangers[i].len;
        c = strangers[i].letter;
    }
    name->ptr += len;
    name->len -= len;
    return c;
}

static inline uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The next folded byte of a name that is not at its end. */
static inline uint8_t take_folded(postern_bytes *name)
{
    uint8_t c = name->ptr[0];

    if (c >= 0x80)
        return take_stranger(name);
    name->ptr++;
    name->len--;
    return lower(c);
}

/* Names that the door looks for are ASCII. */
static bool folds_to(postern_bytes name, const char *want)
{
    while (name.len != 0 && *want != '\0')
        if (take_folded(&name) != lower((uint8_t)*want++))
            return false;
    return name.len == 0 && *want == '\0';
}

static bool is_near_one(postern_bytes name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (folds_to(name, *names))
            return !postern_bytes_equal_str(name, *names);
    return false;
}

bool mcp_has_near_name(const postern_json *j, uint32_t object, const char *const *names,
                       postern_buf *room)
{
    if (postern_json_type_of(j, object) != POSTERN_JSON_OBJECT)
        return false;
    for (uint32_t m = postern_json_first(j, object); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(j, m)) {
        size_t before = room->len;
        postern_bytes name;

        if (j->nodes[m].key_end - j->nodes[m].key > NAME_MAX_FOLDED * 6) /* all of it \uXXXX */
            continue;
        if (!postern_json_name(j, m, room, &name) || is_near_one(name, names))
            return true;
        room->len = before;
    }
    return false;
}

/* ---- twins ---- */

/* Two names with one hash count as one; whoever makes such names is refused. */
static uint64_t hash_folded(postern_bytes name)
{
    uint64_t h = BYTES_HASH_START;

    while (name.len != 0)
        h = bytes_hash_byte(h, take_folded(&name));
    return h;
}

static bool hash_names(const postern_json *j, uint32_t object, uint64_t *hashes, postern_buf *room)
{
    uint32_t count = 0;

    for (uint32_t m = postern_json_first(j, object); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(j, m)) {
        size_t before = room->len;
        postern_bytes name;

        if (!postern_json_name(j, m, room, &name))
            return false;
        hashes[count++] = hash_folded(name);
        room->len = before;
    }
    return true;
}

static bool has_equal(const uint64_t *hashes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (hashes[i] == hashes[k])
                return true;
    return false;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool has_twins_among_many(const postern_json *j, uint32_t object, postern_buf *room)
{
    uint32_t count = j->nodes[object].child_count;
    uint64_t *hashes = calloc(count, sizeof *hashes);
    bool has_twins = true;

    if (hashes == NULL) {
        room->failed = true;
        return true;
    }
    if (hash_names(j, object, hashes, room)) {
        qsort(hashes, count, sizeof *hashes, compare_hashes);
        has_twins = false;
        for (uint32_t i = 1; i < count && !has_twins; i++)
            has_twins = hashes[i] == hashes[i - 1];
    }
    free(hashes);
    return has_twins;
}

bool mcp_has_twins(const postern_json *j, uint32_t object, postern_buf *room)
{
    uint64_t hashes[FEW];

    if (postern_json_type_of(j, object) != POSTERN_JSON_OBJECT || j->nodes[object].child_count < 2)
        return false;
    if (j->nodes[object].child_count > FEW)
        return has_twins_among_many(j, object, room);
    return !hash_names(j, object, hashes, room) || has_equal(hashes, j->nodes[object].child_count);
}
