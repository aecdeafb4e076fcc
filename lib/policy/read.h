/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the reader share: the place in a statement, refusals, and the pieces of which
 * rules and expects are made.  lib/policy/read*.c only. */
#ifndef POSTERN_LIB_POLICY_READ_H
#define POSTERN_LIB_POLICY_READ_H

#include "policy/lex.h"
#include "policy/rules.h"

struct parser {
    postern_policy *policy;
    struct file *file;
    struct lexer lex;
    struct token *tokens;   /* of the statement; ends with TOKEN_END, which is never passed */
    const struct token *at; /* the next one */
    postern_error *err;
};

/* ---- read.c ---- */

/* RULES as "path:line:column: what". */
postern_err postern_parse_fail(const struct parser *p, const struct token *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "expected WHAT, found …" at the next token. */
postern_err postern_parse_expected(const struct parser *p, const char *what);
/* "\"x\" is no WHAT; did you mean …?"  `choices`: words with blanks between. */
postern_err postern_parse_unknown(const struct parser *p, const struct token *t, const char *what,
                                  const char *choices);
bool postern_parse_is_word(const struct parser *p, const char *word);
bool postern_parse_take_word(struct parser *p, const char *word);
bool postern_parse_take(struct parser *p, enum token_kind kind);
/* Zeroed, from the policy's arena.  RULES (too large) · NOMEM */
POSTERN_MUST_USE postern_err postern_parse_alloc(struct parser *p, size_t len, void **ret);
POSTERN_MUST_USE postern_err postern_parse_keep(struct parser *p, postern_bytes text,
                                                const char **ret);
/* The next token as a short text with NUL: a word, or a string without escapes. */
POSTERN_MUST_USE postern_err postern_parse_value(struct parser *p, const char *what, char *room);

/* ---- read_who.c ---- */

POSTERN_MUST_USE postern_err postern_parse_verdict(struct parser *p, postern_verdict *ret);
POSTERN_MUST_USE postern_err postern_parse_list(struct parser *p, struct list *ret);
POSTERN_MUST_USE postern_err postern_parse_pattern(struct parser *p, struct pattern *ret);
POSTERN_MUST_USE postern_err postern_parse_who(struct parser *p, struct who *ret);
POSTERN_MUST_USE postern_err postern_parse_target(struct parser *p, struct target *ret);

/* ---- read_test.c ---- */

POSTERN_MUST_USE postern_err postern_parse_tests(struct parser *p, struct test **ret);
POSTERN_MUST_USE postern_err postern_parse_claim_name(struct parser *p, struct claim_name *ret);
/* arg.*, args and detail.*: what no door of this version can see.  RULES, or POSTERN_OK. */
POSTERN_MUST_USE postern_err postern_parse_refuse_arguments(struct parser *p);
bool postern_parse_is_scope(const char *text);

/* ---- read_expect.c ---- */

POSTERN_MUST_USE postern_err postern_parse_expect(struct parser *p);

#endif
