/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judgement of one pattern, byte by byte; see the header.  A subset of POSIX extended regular
 * expressions (XBD §9.4), chosen so that nothing in it means something else in pg_ident.conf, where
 * PostgreSQL's own syntax rules: no \d and no back-reference, no backslash in brackets, no lazy
 * repetition.  ^ and $ are wanted, and alternatives only inside of a group, because an expression
 * that matches a part of a name is the usual way to let in the wrong people.
 */
#include "map_pattern.h"

enum atom {
    ATOM_NONE = 0, /* nothing that could be repeated */
    ATOM_SINGLE,   /* a character, a point, a bracket */
    ATOM_GROUP
};

struct scan {
    postern_bytes text;
    size_t at;
    size_t depth, groups, repeats;
    enum atom last;
};

static bool is_one_of(uint8_t c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static uint8_t peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->text.len ? s->text.ptr[s->at + ahead] : '\0';
}

/* GNU gives \< \> \` \' and letters a meaning, PostgreSQL others, POSIX none. */
static const char *take_escape(struct scan *s)
{
    if (!is_one_of(peek(s, 1), ".[]{}()*+?^$|\\/-@"))
        return "behind a backslash only punctuation may stand (no \\d, no back-reference)";
    s->at += 2;
    s->last = ATOM_SINGLE;
    return NULL;
}

/* "[:alpha:]" inside of a bracket, s->at at its '['. */
static const char *take_class(struct scan *s)
{
    if (peek(s, 1) != ':')
        return "collating elements are not understood";
    for (size_t i = s->at + 2; i + 1 < s->text.len; i++)
        if (s->text.ptr[i] == ':' && s->text.ptr[i + 1] == ']') {
            s->at = i + 2;
            return NULL;
        }
    return "[: without :]";
}

static const char *take_bracket(struct scan *s)
{
    const char *fault;

    s->at += peek(s, 1) == '^' ? 2 : 1;
    if (peek(s, 0) == ']')
        s->at++; /* the first one stands for itself */
    while (s->at < s->text.len && s->text.ptr[s->at] != ']') {
        if (s->text.ptr[s->at] == '\\')
            return "a backslash inside of [ ] means two things: leave it out";
        if (s->text.ptr[s->at] != '[' || !is_one_of(peek(s, 1), ":.=")) {
            s->at++;
            continue;
        }
        fault = take_class(s);
        if (fault != NULL)
            return fault;
    }
    if (s->at == s->text.len)
        return "[ without ]";
    s->at++;
    s->last = ATOM_SINGLE;
    return NULL;
}

/* Digits; false without any, or for more than POSTERN_MAP_BOUND_MAX. */
static bool take_bound(struct scan *s, unsigned *ret)
{
    size_t begin = s->at;

    *ret = 0;
    for (; is_one_of(peek(s, 0), "0123456789"); s->at++) {
        *ret = *ret * 10 + (unsigned)(peek(s, 0) - '0');
        if (*ret > POSTERN_MAP_BOUND_MAX)
            return false;
    }
    return s->at != begin;
}

static const char *take_braces(struct scan *s)
{
    static const char fault[] = "a repetition is {N}, {N,} or {N,M}, at most 64 times";
    unsigned lowest, highest;

    s->at++;
    if (!take_bound(s, &lowest))
        return fault;
    highest = lowest;
    if (peek(s, 0) == ',') {
        s->at++;
        if (peek(s, 0) != '}' && (!take_bound(s, &highest) || highest < lowest))
            return fault;
    }
    if (peek(s, 0) != '}')
        return fault;
    s->at++;
    return NULL;
}

/* A repeated group is a loop around a loop, which is what makes matching slow. */
static const char *take_repeat(struct scan *s)
{
    const char *fault = NULL;

    if (s->last == ATOM_NONE)
        return "nothing to repeat stands before it (and no *? or (?: is understood)";
    if (s->last == ATOM_GROUP && peek(s, 0) != '?')
        return "a group may be optional, by ?, but not repeated";
    if (++s->repeats > POSTERN_MAP_REPEATS_MAX)
        return "more than 16 repetitions";
    if (peek(s, 0) == '{')
        fault = take_braces(s);
    else
        s->at++;
    s->last = ATOM_NONE;
    return fault;
}

static const char *take_group(struct scan *s)
{
    if (peek(s, 0) == '(') {
        s->depth++;
        s->groups++;
        s->last = ATOM_NONE;
    } else if (s->depth == 0) {
        return ") without (";
    } else {
        s->depth--;
        s->last = ATOM_GROUP;
    }
    s->at++;
    return NULL;
}

static const char *take_next(struct scan *s)
{
    uint8_t c = s->text.ptr[s->at];

    if (c == '\\')
        return take_escape(s);
    if (c == '[')
        return take_bracket(s);
    if (is_one_of(c, "*+?{"))
        return take_repeat(s);
    if (is_one_of(c, "()"))
        return take_group(s);
    if (c == '^')
        return "^ stands only at the beginning";
    if (c == '$')
        return "$ stands only at the end";
    if (c == '|' && s->depth == 0)
        return "alternatives must stand in ( ), so that ^ and $ belong to both";
    s->last = c == '|' ? ATOM_NONE : ATOM_SINGLE;
    s->at++;
    return NULL;
}

static const char *scan_pattern(struct scan *s)
{
    const char *fault = NULL;

    if (s->text.len > POSTERN_MAP_PATTERN_MAX)
        return "a pattern has at most 256 bytes";
    if (s->text.len == 0 || s->text.ptr[0] != '^')
        return "a pattern begins with ^, so that it matches the whole name";
    s->at = 1;
    while (fault == NULL && s->at < s->text.len &&
           !(s->at + 1 == s->text.len && s->text.ptr[s->at] == '$'))
        fault = take_next(s);
    if (fault != NULL)
        return fault;
    if (s->at >= s->text.len)
        return "a pattern ends with $, so that it matches the whole name";
    return s->depth != 0 ? "( without )" : NULL;
}

const char *postern_map_pattern_fault(postern_bytes text, size_t *ret_at, size_t *ret_groups)
{
    struct scan s = { .text = text };
    const char *fault = scan_pattern(&s);

    *ret_at = s.at;
    *ret_groups = s.groups;
    return fault;
}
