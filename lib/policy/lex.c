/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lexer.  Knows the shapes of words and where statements end, and no word of the language.
 * Called by read.c.
 */
#include "policy/lex.h"

#include <postern/policy.h>

#include "base/ascii.h"
#include "policy/pattern.h"

static postern_err fail_here(const struct lexer *lex, postern_error *err, const char *what)
{
    return POSTERN_FAIL(err, RULES, "%s:%d:%d: %s", lex->path, lex->line, lex->column, what);
}

/* ---- moving ---- */

static uint8_t peek(const struct lexer *lex)
{
    return lex->rest.len == 0 ? '\0' : lex->rest.ptr[0];
}

static void step(struct lexer *lex)
{
    bool is_end = peek(lex) == '\n';

    lex->rest = (postern_bytes){ lex->rest.ptr + 1, lex->rest.len - 1 };
    if (is_end) {
        lex->line++;
        lex->column = 1;
    } else if ((peek(lex) & 0xC0) != 0x80) { /* the last byte of a character */
        lex->column++;
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct lexer *lex)
{
    while (is_blank(peek(lex)))
        step(lex);
}

static void skip_line(struct lexer *lex)
{
    while (lex->rest.len != 0 && peek(lex) != '\n')
        step(lex);
}

/* Comments and empty lines, from column 1; stops at a line with something in it, behind its blanks.
 */
static void skip_to_text(struct lexer *lex)
{
    while (lex->rest.len != 0) {
        if (lex->column == 1 && peek(lex) == '#')
            skip_line(lex);
        skip_blanks(lex);
        if (peek(lex) != '\n')
            return;
        step(lex);
    }
}

/* At the end of a line: does the statement go on?  Then at its next word. */
static bool goes_on(struct lexer *lex)
{
    skip_to_text(lex);
    return lex->rest.len != 0 && lex->column != 1;
}

/* ---- tokens ---- */

static postern_err lex_word(struct lexer *lex, struct token *t, postern_error *err)
{
    const struct lexer start = *lex;

    t->kind = TOKEN_WORD;
    t->text.ptr = lex->rest.ptr;
    for (; postern_word_has_byte(peek(lex)); t->text.len++)
        step(lex);
    if (t->text.len > POLICY_WORD_MAX)
        return fail_here(&start, err, "the word is longer than 255 bytes");
    return POSTERN_OK;
}

static postern_err lex_string(struct lexer *lex, struct token *t, postern_error *err)
{
    const struct lexer start = *lex;

    t->kind = TOKEN_STRING;
    step(lex);
    t->text.ptr = lex->rest.ptr;
    for (; peek(lex) != '"'; t->text.len++) {
        if (lex->rest.len > 1 && peek(lex) == '\\' && lex->rest.ptr[1] != '\n') {
            step(lex);
            t->text.len++;
        }
        if (lex->rest.len == 0 || peek(lex) == '\n')
            return fail_here(&start, err, "the string does not end in its line");
        step(lex);
    }
    step(lex);
    if (t->text.len > POLICY_STRING_MAX)
        return fail_here(&start, err, "the string is too long");
    return POSTERN_OK;
}

static postern_err lex_set(struct lexer *lex, struct token *t, postern_error *err)
{
    const struct lexer start = *lex;

    t->kind = TOKEN_SET;
    step(lex);
    t->text.ptr = lex->rest.ptr;
    for (; postern_ascii_is_alnum(peek(lex)) || peek(lex) == '_' || peek(lex) == '-'; t->text.len++)
        step(lex);
    if (peek(lex) == '{')
        return fail_here(&start, err, "${agent} and ${user} stand in strings: \"${agent}\"");
    if (t->text.len == 0 || t->text.len >= POSTERN_POLICY_NAME_MAX)
        return fail_here(&start, err, "a set's name is $ and 1 to 64 of a-z A-Z 0-9 _ -");
    return POSTERN_OK;
}

/* = < > and != <= >= */
static postern_err lex_operator(struct lexer *lex, struct token *t, postern_error *err)
{
    uint8_t first = peek(lex);

    t->kind = TOKEN_OPERATOR;
    t->text = (postern_bytes){ lex->rest.ptr, 1 };
    if (first != '=' && lex->rest.len > 1 && lex->rest.ptr[1] == '=')
        t->text.len = 2;
    if (first == '!' && t->text.len == 1)
        return fail_here(lex, err, "a ! alone means nothing: write `not`, or !=");
    for (size_t i = 0; i < t->text.len; i++)
        step(lex);
    return POSTERN_OK;
}

static postern_err lex_mark(struct lexer *lex, struct token *t, postern_error *err)
{
    static const struct {
        char c;
        enum token_kind kind;
    } marks[] = { { ',', TOKEN_COMMA }, { '(', TOKEN_OPEN }, { ')', TOKEN_CLOSE } };

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (peek(lex) == marks[i].c) {
            t->kind = marks[i].kind;
            t->text = (postern_bytes){ lex->rest.ptr, 1 };
            step(lex);
            return POSTERN_OK;
        }
    if (peek(lex) == '#')
        return fail_here(lex, err, "a comment is a line of its own, with the # in column 1");
    return fail_here(lex, err, "this character stands in strings only: put the name in quotes");
}

static postern_err lex_token(struct lexer *lex, struct token *t, postern_error *err)
{
    uint8_t c = peek(lex);

    if (postern_word_has_byte(c))
        return lex_word(lex, t, err);
    if (c == '"')
        return lex_string(lex, t, err);
    if (c == '$')
        return lex_set(lex, t, err);
    if (c == '=' || c == '!' || c == '<' || c == '>')
        return lex_operator(lex, t, err);
    return lex_mark(lex, t, err);
}

/* Is there another token of this statement?  Then at it.  *ret_is_glued: nothing stands before. */
static bool find_token(struct lexer *lex, bool *ret_is_glued)
{
    const uint8_t *before = lex->rest.ptr;
    bool is_there;

    skip_blanks(lex);
    is_there = lex->rest.len != 0 && (peek(lex) != '\n' || goes_on(lex));
    *ret_is_glued = lex->rest.ptr == before;
    return is_there;
}

postern_err postern_lex_statement(struct lexer *lex, struct token *tokens, size_t max,
                                  size_t *ret_count, postern_error *err)
{
    struct token end = { .kind = TOKEN_END };
    size_t count = 0;
    bool is_glued;

    skip_to_text(lex);
    if (lex->rest.len != 0 && lex->column != 1)
        return fail_here(lex, err, "a line that begins with a blank continues nothing");
    for (;;) {
        end.line = lex->line;
        end.column = lex->column;
        if (!find_token(lex, &is_glued))
            break;
        if (count == max - 1)
            return fail_here(lex, err, "the statement is too long");
        tokens[count] =
            (struct token){ .is_glued = is_glued, .line = lex->line, .column = lex->column };
        POSTERN_TRY(lex_token(lex, &tokens[count++], err));
    }
    tokens[count] = end;
    *ret_count = count;
    return POSTERN_OK;
}
