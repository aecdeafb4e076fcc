/* SPDX-License-Identifier: BSD-2-Clause */
/* A policy's text into words, one statement after the other. */
#ifndef POSTERN_LIB_POLICY_LEX_H
#define POSTERN_LIB_POLICY_LEX_H

#include <postern/bytes.h>

#define POLICY_WORD_MAX 255 /* bytes: what a pattern may hold */
#define POLICY_STRING_MAX                                                                          \
    1024 /* bytes between the quotes: 255, each perhaps escaped, or ${agent} */

enum token_kind {
    TOKEN_END = 0, /* of the statement */
    TOKEN_WORD,
    TOKEN_STRING,   /* text: without its quotes, escapes as written */
    TOKEN_SET,      /* text: the name behind the $ */
    TOKEN_OPERATOR, /* = != < <= > >= */
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE
};
struct token {
    enum token_kind kind;
    bool is_glued; /* nothing stands between it and the one before */
    postern_bytes text;
    int line, column; /* from 1, in characters */
};

struct lexer {
    const char *path; /* for errors */
    postern_bytes rest;
    int line, column;
};

/*
 * The tokens of the next statement, a TOKEN_END behind them; *ret_count without it, 0 at the end of
 * the text.  A line that begins with a blank continues the one before; empty lines and comments
 * (a # in column 1) stand anywhere.  The text was judged by postern_plain_text_check().
 *   POSTERN_OK · POSTERN_ERR_RULES
 */
POSTERN_MUST_USE postern_err postern_lex_statement(struct lexer *lex, struct token *tokens,
                                                   size_t max, size_t *ret_count,
                                                   postern_error *err);

#endif
