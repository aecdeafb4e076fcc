/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Patterns: compile, match, compare, print.  Matching needs no memory and ends after at most
 * pattern × text steps where the text is short; what is longer behind a star is glob.c's.
 */
#include "policy/pattern.h"

#include "base/ascii.h"
#include "policy/glob.h"

/* Bytes behind a star: most names are no longer, and so many are compared while glob.c prepares. */
#define SHORT_MAX 64

/* ---- words ---- */

bool postern_word_has_byte(uint8_t c)
{
    return c != '\0' && (postern_ascii_is_alnum(c) || strchr("_-.:/@*?+|%~", c) != NULL);
}

bool postern_word_is_reserved(postern_bytes word)
{
    static const char *const words[] = { "to",  "on",  "if",    "with", "because",
                                         "and", "for", "given", "in",   "not" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (postern_bytes_equal_str(word, words[i]))
            return true;
    return false;
}

/* ---- compiling ---- */

struct compiler {
    postern_reader in;
    char *room;
    struct pattern pattern;
};

static void put(struct compiler *c, uint8_t op, enum pattern_kind kind)
{
    struct pattern *p = &c->pattern;

    c->room[p->len++] = (char)op;
    if (kind > p->kind)
        p->kind = kind;
    if (p->kind == PATTERN_LITERAL)
        p->prefix_len = p->len;
    p->has_agent = p->has_agent || op == PATTERN_AGENT;
    p->has_user = p->has_user || op == PATTERN_USER;
}

static const char *take_escape(struct compiler *c)
{
    static const char escapable[] = "\"\\*?$";

    for (const char *e = escapable; *e != '\0'; e++)
        if (postern_reader_take_byte(&c->in, (uint8_t)*e)) {
            put(c, (uint8_t)*e, PATTERN_LITERAL);
            return NULL;
        }
    return "holds a backslash: it stands before \", \\, *, ? or $ only";
}

static const char *take_variable(struct compiler *c)
{
    if (postern_reader_take_lit(&c->in, "{agent}"))
        put(c, PATTERN_AGENT, PATTERN_TEMPLATE);
    else if (postern_reader_take_lit(&c->in, "{user}"))
        put(c, PATTERN_USER, PATTERN_TEMPLATE);
    else
        return "holds a $: only ${agent} and ${user} are known, and \\$ is a dollar";
    return NULL;
}

static const char *take_one(struct compiler *c)
{
    postern_bytes one;

    if (postern_reader_take_byte(&c->in, '\\'))
        return take_escape(c);
    if (postern_reader_take_byte(&c->in, '$'))
        return take_variable(c);
    if (postern_reader_take_byte(&c->in, '*'))
        put(c, PATTERN_STAR, PATTERN_GLOB);
    else if (postern_reader_take_byte(&c->in, '?'))
        put(c, PATTERN_ANY, PATTERN_GLOB);
    else if (postern_reader_take_len(&c->in, 1, &one))
        put(c, one.ptr[0], PATTERN_LITERAL);
    return NULL;
}

const char *postern_pattern_read(postern_bytes raw, char *room, struct pattern *ret)
{
    struct compiler c = { .in = { raw }, .room = room, .pattern = { .ops = room } };

    if (raw.len == 0)
        return "is empty";
    if (postern_bytes_has_control(raw))
        return "holds a control character";
    while (!postern_reader_is_done(&c.in)) {
        const char *fault;

        if (c.pattern.len == POSTERN_POLICY_TEXT_MAX - 1)
            return "is longer than 255 bytes";
        fault = take_one(&c);
        if (fault != NULL)
            return fault;
    }
    room[c.pattern.len] = '\0';
    *ret = c.pattern;
    return NULL;
}

const char *postern_text_read_string(postern_bytes raw, char *room, size_t *ret_len)
{
    postern_reader in = { raw };
    postern_bytes one;
    size_t len = 0;

    if (raw.len == 0)
        return "is empty";
    if (postern_bytes_has_control(raw))
        return "holds a control character";
    while (!postern_reader_is_done(&in)) {
        if (len == POSTERN_POLICY_TEXT_MAX - 1)
            return "is longer than 255 bytes";
        if (postern_reader_take_byte(&in, '\\') && in.rest.len != 0 && in.rest.ptr[0] != '"' &&
            in.rest.ptr[0] != '\\')
            return "holds a backslash: here it stands before \" or \\ only";
        if (!postern_reader_take_len(&in, 1, &one))
            return "ends in a backslash";
        room[len++] = (char)one.ptr[0];
    }
    room[len] = '\0';
    *ret_len = len;
    return NULL;
}

/* ---- matching ---- */

/* A place in a pattern; `in` while it is within the name that stands for a variable. */
struct place {
    const char *op;
    const char *in;
};
#define LITERAL 256 /* added to the byte that must stand there */

/* What the text must have here.  Without names a variable stands for itself. */
static int wanted(struct place *at, const struct pattern_names *names)
{
    uint8_t op = (uint8_t)*at->op;

    if (at->in == NULL && names != NULL && (op == PATTERN_AGENT || op == PATTERN_USER))
        at->in = op == PATTERN_AGENT ? names->agent : names->user;
    if (at->in != NULL)
        return LITERAL + (uint8_t)*at->in;
    return op <= PATTERN_USER ? op : LITERAL + op;
}

/* Names are never empty here, so a variable has one byte at least. */
static void step(struct place *at)
{
    if (at->in != NULL && *++at->in != '\0')
        return;
    at->in = NULL;
    at->op++;
}

static bool is_same_byte(uint8_t a, uint8_t b, const struct pattern_names *names)
{
    return a == b || (names != NULL && names->folds_case &&
                      postern_ascii_to_lower(a) == postern_ascii_to_lower(b));
}

/* How much of the text at `i` the op takes; 0: it does not match. */
static size_t take(int op, postern_bytes text, size_t i, const struct pattern_names *names)
{
    bool is_pattern = names == NULL;
    uint8_t c = text.ptr[i];

    if (op == PATTERN_ANY)
        return !is_pattern || c == PATTERN_ANY || c > PATTERN_USER ? postern_glob_char_len(text, i)
                                                                   : 0;
    if (op >= LITERAL)
        return is_same_byte((uint8_t)(op - LITERAL), c, names);
    return is_pattern && op == c ? 1 : 0; /* the same variable */
}

/*
 * Everything behind the prefix, which was compared.  The last star is the only one to come back to:
 * what an earlier one could give, it can too.
 */
static enum pattern_match run(const struct pattern *p, postern_bytes text,
                              const struct pattern_names *names)
{
    struct place at = { p->ops + p->prefix_len, NULL }, behind_star = { NULL, NULL };
    size_t i = p->prefix_len, star_i = 0, taken;

    for (;;) {
        int op = wanted(&at, names);

        if (op == PATTERN_STAR) {
            at.op++;
            if (*at.op == PATTERN_END)
                return PATTERN_YES;
            if (names != NULL && text.len - i > SHORT_MAX)
                return postern_glob_match(at.op, (postern_bytes){ text.ptr + i, text.len - i },
                                          names);
            behind_star = at;
            star_i = i;
            continue;
        }
        if (i == text.len)
            return op == PATTERN_END ? PATTERN_YES : PATTERN_NO;
        taken = op == PATTERN_END ? 0 : take(op, text, i, names);
        if (taken != 0) {
            step(&at);
            i += taken;
            continue;
        }
        if (behind_star.op == NULL)
            return PATTERN_NO;
        at = behind_star;
        star_i += postern_glob_char_len(text, star_i);
        i = star_i;
    }
}

static bool has_prefix(const struct pattern *p, postern_bytes text,
                       const struct pattern_names *names)
{
    if (p->prefix_len == 0) /* then the text may be NULL */
        return true;
    if (text.len < p->prefix_len)
        return false;
    if (names == NULL || !names->folds_case)
        return memcmp(p->ops, text.ptr, p->prefix_len) == 0;
    return postern_ascii_equal_nocase((const uint8_t *)p->ops, text.ptr, p->prefix_len);
}

static bool is_unknown(const struct pattern *p, const struct pattern_names *names)
{
    return (p->has_agent && (names->agent == NULL || names->agent[0] == '\0')) ||
           (p->has_user && (names->user == NULL || names->user[0] == '\0'));
}

enum pattern_match postern_pattern_match(const struct pattern *p, postern_bytes text,
                                         const struct pattern_names *names)
{
    if (!has_prefix(p, text, names))
        return PATTERN_NO;
    if (p->kind == PATTERN_LITERAL)
        return p->len == text.len ? PATTERN_YES : PATTERN_NO;
    if (is_unknown(p, names))
        return PATTERN_NOT_KNOWN;
    return run(p, text, names);
}

bool postern_pattern_covers(const struct pattern *wide, const struct pattern *narrow)
{
    postern_bytes text = { (const uint8_t *)narrow->ops, narrow->len };

    return has_prefix(wide, text, NULL) && run(wide, text, NULL) == PATTERN_YES;
}

/* ---- printing ---- */

static bool is_word(const struct pattern *p)
{
    for (size_t i = 0; i < p->len; i++) {
        uint8_t c = (uint8_t)p->ops[i];

        if (c == PATTERN_AGENT || c == PATTERN_USER || c == '*' || c == '?' ||
            (c > PATTERN_USER && !postern_word_has_byte(c)))
            return false;
    }
    return !postern_word_is_reserved((postern_bytes){ (const uint8_t *)p->ops, p->len });
}

static void print_op(uint8_t op, postern_buf *out)
{
    static const char *const operators[] = { "", "*", "?", "${agent}", "${user}" };

    if (op <= PATTERN_USER) {
        postern_buf_add_str(out, operators[op]);
        return;
    }
    if (strchr("\"\\*?$", op) != NULL)
        postern_buf_add_byte(out, '\\');
    postern_buf_add_byte(out, op);
}

void postern_pattern_print(const struct pattern *p, postern_buf *out)
{
    const char *quote = is_word(p) && !p->is_quoted ? "" : "\"";

    postern_buf_add_str(out, quote);
    for (size_t i = 0; i < p->len; i++)
        print_op((uint8_t)p->ops[i], out);
    postern_buf_add_str(out, quote);
}

void postern_text_print(const char *text, postern_buf *out)
{
    postern_buf_add_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            postern_buf_add_byte(out, '\\');
        postern_buf_add_byte(out, (uint8_t)*text);
    }
    postern_buf_add_byte(out, '"');
}
