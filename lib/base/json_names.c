/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Duplicate names, at no more than the cost of sorting for any input: a small object compares
 * 64-bit tags, and whatever tags cannot decide (many members, escapes, long names alike at both
 * ends) is sorted once when the object closes.  Called by the scan, json.c, alone.
 */
#include "base/json_names.h"

#include <endian.h>

static inline uint64_t load_8(const uint8_t *from)
{
    uint64_t x;

    memcpy(&x, from, 8);
    return le64toh(x);
}

/* Fewer than 8 bytes as a number; read as 8 and cut where the text allows it (measured: a memcpy of
 * odd length stalls). */
static inline uint64_t load_less(const uint8_t *from, size_t len, const uint8_t *end)
{
    uint64_t x = 0;

    if (end - from >= 8)
        return load_8(from) & ((UINT64_C(1) << (8 * len)) - 1);
    memcpy(&x, from, len);
    return le64toh(x);
}

/*
 * A name of fewer than 8 bytes is its own tag (names hold no NUL; the top byte stays 0).  A longer
 * one is known by its two ends and its length, with the top bit set: equal tags of that kind prove
 * nothing.
 */
#define TAG_IS_VAGUE (UINT64_C(1) << 63)
static uint64_t tag_of(const uint8_t *name, size_t len, const uint8_t *end)
{
    uint64_t last;

    if (len < 8)
        return load_less(name, len, end);
    last = load_8(name + len - 8);
    return (load_8(name) ^ (last << 21 | last >> 43) ^ len) | TAG_IS_VAGUE;
}

bool postern_json_names_add(postern_json_names *names, postern_json_chars name, const uint8_t *end)
{
    uint64_t tag;

    if (name.is_escaped || names->count == POSTERN_JSON_TAGS_MAX)
        names->needs_sort = true;
    if (names->needs_sort)
        return true;
    tag = tag_of(name.at, (size_t)(name.end - name.at), end);
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->tags[i] != tag)
            continue;
        if ((tag & TAG_IS_VAGUE) == 0)
            return false;
        names->needs_sort = true;
    }
    names->tags[names->count++] = tag;
    return true;
}

static int compare_names(const postern_json *j, uint16_t a, uint16_t b)
{
    return postern_json_chars_compare(postern_json_chars_of_name(j, a),
                                      postern_json_chars_of_name(j, b));
}

/* Let order[at] sink to its place among the first `count` of a heap. */
static void sink(const postern_json *j, uint16_t *order, uint32_t at, uint32_t count)
{
    uint32_t child;
    uint16_t moved = order[at];

    for (; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare_names(j, order[child], order[child + 1]) < 0)
            child++;
        if (compare_names(j, moved, order[child]) >= 0)
            break;
        order[at] = order[child];
    }
    order[at] = moved;
}

/* Heap sort: n log n for every input, in place.  qsort(3) promises neither. */
static void sort_names(const postern_json *j, uint16_t *order, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sink(j, order, i, count);
    for (uint32_t i = count; i-- > 1;) {
        uint16_t largest = order[0];

        order[0] = order[i];
        order[i] = largest;
        sink(j, order, 0, i);
    }
}

static bool differ(const postern_json *j, uint32_t object, uint16_t *order)
{
    uint32_t count = 0;

    for (uint32_t i = object + 1; i != 0; i = j->nodes[i].next)
        order[count++] = (uint16_t)i;
    sort_names(j, order, count);
    for (uint32_t i = 1; i < count; i++)
        if (compare_names(j, order[i - 1], order[i]) == 0)
            return false;
    return true;
}

/* 64 KiB of stack, only where a reader asked for so many values. */
_Static_assert(POSTERN_JSON_NODES_LARGE <= UINT16_MAX, "an index fits");
__attribute__((noinline)) static bool differ_in_large(const postern_json *j, uint32_t object)
{
    uint16_t order[POSTERN_JSON_NODES_LARGE];

    return differ(j, object, order);
}

bool postern_json_names_differ(const postern_json *j, uint32_t object)
{
    uint16_t order[POSTERN_JSON_NODES_MAX]; /* 8 KiB of stack, one object at a time */

    if (j->nodes[object].child_count > POSTERN_JSON_NODES_MAX)
        return differ_in_large(j, object);
    return differ(j, object, order);
}
