/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The strict scan of RFC 8259 into a flat index: one pass, no recursion, no allocation once the
 * index is large enough.  It sits on the path of every token, so strings are walked eight bytes at
 * a time.  Duplicate names: json_names.c; what is read out of the index: json_value.c.
 */
#include <endian.h>
#include <stdlib.h>

#include "base/json_names.h"
#include "base/json_text.h"
#include "base/ascii.h"
#include "base/eight_bytes.h"

#define NODES_FIRST 64 /* first allocation: a token's claims fit, a key set grows six times */

/* An open object or array. */
struct frame {
    uint32_t node, last_child; /* last_child 0: none yet, for 0 is the root */
    bool is_object;
    postern_json_names names;
};

struct scan {
    const uint8_t *base, *at, *end;
    postern_json *j;
    struct frame frames[POSTERN_JSON_DEPTH_MAX];
    unsigned depth;
    bool wants_value; /* else a comma or the end of the innermost frame */
    postern_err code; /* of the failure, with `what` and the place it was found at */
    const char *what;
};

struct span {
    uint32_t start, end;
    bool is_escaped;
};

static bool stop(struct scan *s, const char *what)
{
    s->code = POSTERN_ERR_MALFORMED;
    s->what = what;
    return false;
}

static bool stop_with(struct scan *s, postern_err code, const char *what)
{
    s->code = code;
    s->what = what;
    return false;
}

/* The next byte; NUL, which fits nowhere, at the end. */
static inline uint8_t peek(const struct scan *s)
{
    return s->at < s->end ? *s->at : 0;
}

static inline void skip_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static inline uint32_t offset(const struct scan *s)
{
    return (uint32_t)(s->at - s->base);
}

/* ---- strings ---- */

/* Top bits of the bytes that are '"', '\\', a control or not ASCII.  The lowest one set is exact;
 * those above may be false. */
static inline uint64_t find_special(uint64_t x)
{
    uint64_t quote = x ^ EACH_BYTE('"'), backslash = x ^ EACH_BYTE('\\');

    return (((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash) |
            ((x - EACH_BYTE(0x20)) & ~x) | x) &
           EACH_BYTE(0x80);
}

static inline bool is_special(uint8_t c)
{
    return c == '"' || c == '\\' || c < 0x20 || c >= 0x80;
}

static inline void skip_plain(struct scan *s)
{
    while (s->end - s->at >= 8) {
        uint64_t special = find_special(le64toh(postern_eight_at(s->at)));

        if (special != 0) {
            s->at += __builtin_ctzll(special) / 8;
            return;
        }
        s->at += 8;
    }
    while (s->at < s->end && !is_special(*s->at))
        s->at++;
}

/* What skip_plain() stopped at, the closing quote apart. */
__attribute__((noinline)) static bool scan_special(struct scan *s, bool *ret_is_escaped)
{
    size_t len = 0;

    if (s->at == s->end)
        return stop(s, "a string does not end");
    if (*s->at == '\\') {
        if (postern_json_decode_escape(s->at, s->end, &len) == POSTERN_JSON_NO_CHAR)
            return stop(s, "no escape, a lone surrogate or NUL");
        *ret_is_escaped = true;
    } else if (*s->at < 0x20) {
        return stop(s, "a control character in a string");
    } else if ((len = postern_utf8_len((postern_bytes){ s->at, (size_t)(s->end - s->at) })) == 0) {
        return stop(s, "not UTF-8");
    }
    s->at += len;
    return true;
}

/* Inlined, so that spans stay in registers (measured: two stores read back as one load cost a
 * quarter of the scan). */
__attribute__((always_inline)) static inline bool scan_string(struct scan *s, struct span *ret)
{
    bool is_escaped = false;

    s->at++;
    ret->start = offset(s);
    for (;;) {
        skip_plain(s);
        if (peek(s) == '"')
            break;
        if (!scan_special(s, &is_escaped))
            return false;
    }
    ret->end = offset(s);
    ret->is_escaped = is_escaped;
    s->at++;
    return true;
}

/* ---- numbers and words ---- */

static bool scan_digits(struct scan *s)
{
    if (!postern_ascii_is_digit(peek(s)))
        return stop(s, "a digit is missing");
    while (postern_ascii_is_digit(peek(s)))
        s->at++;
    return true;
}

/* RFC 8259 §6: no plus sign, no leading zero, no bare point. */
static bool scan_number(struct scan *s)
{
    if (peek(s) == '-')
        s->at++;
    if (peek(s) == '0') {
        s->at++;
        if (postern_ascii_is_digit(peek(s)))
            return stop(s, "a number with a leading zero");
    } else if (!scan_digits(s)) {
        return false;
    }
    if (peek(s) == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        return scan_digits(s);
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return stop(s, "no value");
    s->at += len;
    return true;
}

/* ---- names ---- */

/* `"name" :` in front of a member's value. */
static bool scan_name(struct scan *s, struct frame *f, struct span *ret)
{
    postern_json_chars name;

    if (peek(s) != '"')
        return stop(s, "a name is missing");
    if (!scan_string(s, ret))
        return false;
    name = (postern_json_chars){ s->base + ret->start, s->base + ret->end, ret->is_escaped };
    if (!postern_json_names_add(&f->names, name, s->end))
        return stop(s, "a name stands twice");
    skip_space(s);
    if (peek(s) != ':')
        return stop(s, "a colon is missing");
    s->at++;
    skip_space(s);
    return true;
}

/* ---- values ---- */

static bool grow_nodes(struct scan *s)
{
    uint32_t cap = s->j->cap == 0 ? NODES_FIRST : s->j->cap * 2, most = s->j->nodes_max;
    postern_json_node *bigger;

    if (most == 0)
        most = POSTERN_JSON_NODES_MAX;
    if (s->j->cap >= most || s->j->cap >= POSTERN_JSON_NODES_LARGE)
        return stop_with(s, POSTERN_ERR_LIMIT, "too many values");
    bigger = realloc(s->j->nodes, cap * sizeof *bigger); /* offsets only: nothing to wipe */
    if (bigger == NULL)
        return stop_with(s, POSTERN_ERR_NOMEM, "no memory for the index");
    s->j->nodes = bigger;
    s->j->cap = cap;
    return true;
}

static struct frame *top_frame(struct scan *s)
{
    return s->depth == 0 ? NULL : &s->frames[s->depth - 1];
}

/* A node at the end of the index, hung behind its elder sibling. */
static postern_json_node *add_node(struct scan *s, struct frame *parent, const struct span *name)
{
    postern_json_node *n;

    if (s->j->count == s->j->cap && !grow_nodes(s))
        return NULL;
    n = &s->j->nodes[s->j->count];
    *n = (postern_json_node){ .start = offset(s),
                              .key = name->start,
                              .key_end = name->end,
                              .key_is_escaped = name->is_escaped };
    if (parent != NULL) {
        if (parent->last_child != 0)
            s->j->nodes[parent->last_child].next = s->j->count;
        parent->last_child = s->j->count;
        s->j->nodes[parent->node].child_count++;
    }
    s->j->count++;
    return n;
}

static bool scan_text_value(struct scan *s, postern_json_node *n)
{
    struct span text;

    if (!scan_string(s, &text))
        return false;
    n->type = POSTERN_JSON_STRING;
    n->start = text.start;
    n->end = text.end;
    n->is_escaped = text.is_escaped;
    return true;
}

static bool scan_scalar(struct scan *s, postern_json_node *n)
{
    bool ok;

    switch (peek(s)) {
    case '"':
        return scan_text_value(s, n);
    case 't':
        n->type = POSTERN_JSON_TRUE;
        ok = scan_word(s, "true");
        break;
    case 'f':
        n->type = POSTERN_JSON_FALSE;
        ok = scan_word(s, "false");
        break;
    case 'n':
        n->type = POSTERN_JSON_NULL;
        ok = scan_word(s, "null");
        break;
    default:
        if (peek(s) != '-' && !postern_ascii_is_digit(peek(s)))
            return stop(s, "no value");
        n->type = POSTERN_JSON_NUMBER;
        ok = scan_number(s);
        break;
    }
    n->end = offset(s);
    return ok;
}

static bool open_frame(struct scan *s, postern_json_node *n)
{
    bool is_object = peek(s) == '{';
    struct frame *f;

    if (s->depth == POSTERN_JSON_DEPTH_MAX)
        return stop_with(s, POSTERN_ERR_LIMIT, "nested too deeply");
    f = &s->frames[s->depth++];
    f->node = (uint32_t)(n - s->j->nodes);
    f->last_child = 0;
    f->is_object = is_object;
    f->names.count = 0;
    f->names.needs_sort = false;
    n->type = is_object ? POSTERN_JSON_OBJECT : POSTERN_JSON_ARRAY;
    s->at++;
    skip_space(s);
    s->wants_value = peek(s) != (is_object ? '}' : ']');
    return true;
}

/* One value, with its name in an object; of a container only the opening. */
static bool scan_value(struct scan *s)
{
    struct frame *parent = top_frame(s);
    struct span name = { 0, 0, false };
    postern_json_node *n;

    if (parent != NULL && parent->is_object && !scan_name(s, parent, &name))
        return false;
    n = add_node(s, parent, &name);
    if (n == NULL)
        return false;
    s->wants_value = false;
    if (peek(s) == '{' || peek(s) == '[')
        return open_frame(s, n);
    return scan_scalar(s, n);
}

/* A comma, or the end of the innermost frame. */
static bool scan_separator(struct scan *s)
{
    struct frame *f = top_frame(s);

    if (peek(s) == ',') {
        s->at++;
        skip_space(s);
        s->wants_value = true;
        return true;
    }
    if (peek(s) != (f->is_object ? '}' : ']'))
        return stop(s, "a comma or the end of an object or array is missing");
    if (f->names.needs_sort && !postern_json_names_differ(s->j, f->node))
        return stop(s, "a name stands twice in the object that ends here");
    s->at++;
    s->j->nodes[f->node].end = offset(s);
    s->depth--;
    return true;
}

static bool scan_document(struct scan *s)
{
    skip_space(s);
    if (!scan_value(s))
        return false;
    while (s->depth != 0) {
        skip_space(s);
        if (!(s->wants_value ? scan_value(s) : scan_separator(s)))
            return false;
    }
    skip_space(s);
    return s->at == s->end || stop(s, "something stands behind the value");
}

postern_err postern_json_scan(postern_json *j, postern_bytes text, postern_error *err)
{
    struct scan s;

    *j = (postern_json){ .nodes = j->nodes, .cap = j->cap, .nodes_max = j->nodes_max };
    if (text.len > POSTERN_JSON_TEXT_MAX)
        return POSTERN_FAIL(err, LIMIT, "JSON text of %zu bytes, at most %d", text.len,
                            POSTERN_JSON_TEXT_MAX);
    if (text.len == 0)
        return POSTERN_FAIL(err, MALFORMED, "JSON byte 0: no value");
    s.base = s.at = text.ptr; /* not zeroed as a whole: frames are set when they open */
    s.end = text.ptr + text.len;
    s.j = j;
    s.depth = 0;
    s.wants_value = true;
    s.code = POSTERN_ERR_UNSET;
    s.what = "";
    j->text = text;
    if (scan_document(&s))
        return POSTERN_OK;
    *j = (postern_json){ .nodes = j->nodes, .cap = j->cap, .nodes_max = j->nodes_max };
    return postern_error_set(err, s.code, __FILE__, __LINE__, "JSON byte %u: %s", offset(&s),
                             s.what);
}

void postern_json_free(postern_json *j)
{
    if (j == NULL)
        return;
    free(j->nodes);
    *j = (postern_json){ .nodes = NULL };
}
