/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of a megabyte are the agent's to choose, and one that matches nearly everywhere made a star
 * come back from each of its bytes.  So each piece of a pattern between two stars is looked for
 * with one bit a byte of the piece: all its beginnings that end here are told from those that ended
 * one byte before (Baeza-Yates and Gonnet, "A new approach to text searching", 1992).  The first
 * place where a piece fits is the best one for what comes behind it.
 */
#include "policy/glob.h"

#include "base/ascii.h"

#define PIECE_WORDS 4
#define PIECE_MAX   (64 * PIECE_WORDS) /* bytes and `?` of one piece */
#define NOWHERE     SIZE_MAX

struct piece {
    uint64_t takes[PIECE_WORDS][256]; /* bit t: its part t may be this byte */
    uint64_t wide[PIECE_WORDS];       /* bit t: its part t is a `?`, of one byte or more */
    size_t len, words;
    uint8_t first;      /* the byte that it begins with */
    bool has_one_first; /* and no other */
    bool has_wide, ends_wide;
};

/* ---- characters ---- */

static bool is_within_char(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

size_t postern_glob_char_len(postern_bytes text, size_t i)
{
    size_t len = 1;

    while (i + len < text.len && is_within_char(text.ptr[i + len]))
        len++;
    return len;
}

/* ---- reading a piece ---- */

static bool begin_part(struct piece *p)
{
    if (p->len == PIECE_MAX)
        return false;
    if (p->len % 64 == 0)
        memset(p->takes[p->words++], 0, sizeof p->takes[0]);
    p->len++;
    return true;
}

static void let_take(struct piece *p, uint8_t c)
{
    p->takes[p->words - 1][c] |= UINT64_C(1) << (p->len - 1) % 64;
}

/* A `?` has taken all of its character, so what continues one cannot come next. */
static bool add_byte(struct piece *p, uint8_t c, const struct pattern_names *names)
{
    uint8_t lower = postern_ascii_to_lower(c);
    bool is_behind_wide = p->ends_wide;

    if (!begin_part(p) || (p->len == 1 && is_within_char(c)))
        return false;
    p->ends_wide = false;
    if (is_behind_wide && is_within_char(c))
        return true;
    let_take(p, c);
    if (names->folds_case && postern_ascii_is_alpha(c)) {
        let_take(p, lower);
        let_take(p, (uint8_t)(lower ^ 0x20));
    }
    if (p->len == 1) {
        p->first = c;
        p->has_one_first = !names->folds_case;
    }
    return true;
}

static bool add_wide(struct piece *p)
{
    bool is_behind_wide = p->ends_wide;

    if (!begin_part(p))
        return false;
    for (unsigned c = 0; c < 256; c++)
        if (!is_behind_wide || !is_within_char((uint8_t)c))
            let_take(p, (uint8_t)c);
    p->wide[p->words - 1] |= UINT64_C(1) << (p->len - 1) % 64;
    p->has_wide = p->ends_wide = true;
    return true;
}

static bool add_name(struct piece *p, const char *name, const struct pattern_names *names)
{
    for (; *name != '\0'; name++)
        if (!add_byte(p, (uint8_t)*name, names))
            return false;
    return true;
}

static bool add_op(struct piece *p, uint8_t op, const struct pattern_names *names)
{
    if (op == PATTERN_ANY)
        return add_wide(p);
    if (op == PATTERN_AGENT || op == PATTERN_USER)
        return add_name(p, op == PATTERN_AGENT ? names->agent : names->user, names);
    return add_byte(p, op, names);
}

/* Up to the next star, or the end.  False: see NOT_KNOWN. */
static bool read_piece(const char **ops, const struct pattern_names *names, struct piece *ret)
{
    memset(ret->wide, 0, sizeof ret->wide);
    ret->len = ret->words = 0;
    ret->has_wide = ret->ends_wide = ret->has_one_first = false;
    while (**ops != PATTERN_STAR && **ops != PATTERN_END)
        if (!add_op(ret, (uint8_t) * (*ops)++, names))
            return false;
    return ret->len != 0;
}

/* ---- looking for it ---- */

/* Beginnings of the piece that end with the byte before; now with this one. */
static inline void step(const struct piece *p, uint64_t ends[PIECE_WORDS], size_t words, uint8_t c)
{
    uint64_t carry = 1; /* it may begin anywhere */

    for (size_t w = 0; w < words; w++) {
        uint64_t before = ends[w];

        ends[w] = (before << 1 | carry) & p->takes[w][c];
        if (is_within_char(c))
            ends[w] |= before & p->wide[w];
        carry = before >> 63;
    }
}

static inline bool is_idle(const uint64_t ends[PIECE_WORDS], size_t words)
{
    uint64_t any = 0;

    for (size_t w = 0; w < words; w++)
        any |= ends[w];
    return any == 0;
}

static size_t find_byte(postern_bytes text, size_t from, uint8_t c)
{
    const uint8_t *at = memchr(text.ptr + from, c, text.len - from);

    return at == NULL ? NOWHERE : (size_t)(at - text.ptr);
}

/* Behind the first place where it fits at `from` or later. */
static inline size_t find_within(const struct piece *p, postern_bytes text, size_t from,
                                 bool is_last, size_t words)
{
    uint64_t ends[PIECE_WORDS] = { 0 }, whole = UINT64_C(1) << (p->len - 1) % 64;

    for (size_t i = from; i < text.len; i++) {
        if (is_idle(ends, words) && p->has_one_first && text.ptr[i] != p->first) {
            i = find_byte(text, i, p->first);
            if (i == NOWHERE)
                return NOWHERE;
        }
        step(p, ends, words, text.ptr[i]);
        if ((ends[words - 1] & whole) != 0 && (!is_last || i + 1 == text.len))
            return p->ends_wide ? i + postern_glob_char_len(text, i) : i + 1;
    }
    return NOWHERE;
}

/* The same.  `is_last`: that ends the text.  One word is most pieces (measured: half the time). */
static size_t find(const struct piece *p, postern_bytes text, size_t from, bool is_last)
{
    if (is_last && !p->has_wide && text.len - from > p->len)
        from = text.len - p->len;
    return p->words == 1 ? find_within(p, text, from, is_last, 1)
                         : find_within(p, text, from, is_last, p->words);
}

/* `?` behind a star are as good as before it.  False: there are not so many characters. */
static bool skip_wide(const char **ops, postern_bytes text, size_t *i)
{
    for (; **ops == PATTERN_STAR || **ops == PATTERN_ANY; ++*ops) {
        if (**ops == PATTERN_STAR)
            continue;
        if (*i == text.len)
            return false;
        *i += postern_glob_char_len(text, *i);
    }
    return true;
}

enum pattern_match postern_glob_match(const char *ops, postern_bytes text,
                                      const struct pattern_names *names)
{
    struct piece piece;
    size_t i = 0;

    while (skip_wide(&ops, text, &i)) {
        if (*ops == PATTERN_END)
            return PATTERN_YES;
        if (!read_piece(&ops, names, &piece))
            return PATTERN_NOT_KNOWN;
        i = find(&piece, text, i, *ops == PATTERN_END);
        if (i == NOWHERE)
            return PATTERN_NO;
        if (*ops == PATTERN_END)
            return PATTERN_YES;
    }
    return PATTERN_NO;
}
