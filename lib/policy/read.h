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
    struct rule **labels;   /* of this file, by hash */
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
/* `choices`: the words that may stand here. */
POSTERN_MUST_USE postern_err postern_parse_party(struct parser *p, const char *choices,
                                                 struct party *ret);
/* What the next token is beside its text; *ret NULL: nothing. */
POSTERN_MUST_USE postern_err postern_parse_literal(struct parser *p, const struct literal **ret);

/* ---- read_target.c ---- */

POSTERN_MUST_USE postern_err postern_parse_target(struct parser *p, postern_verdict verdict,
                                                  struct target *ret);

/* ---- read_path.c ---- */

/* Does the next word begin so? */
bool postern_parse_starts_with(const struct parser *p, const char *prefix);
/* claim.A.B, detail.TYPE.A, arg.A, of which `prefix` with its dot is next. */
POSTERN_MUST_USE postern_err postern_parse_path(struct parser *p, const char *prefix,
                                                struct claim_name *ret);
/* arg.A of an action that has arguments, by names or by numbers. */
POSTERN_MUST_USE postern_err postern_parse_argument(struct parser *p, const struct target *target,
                                                    struct claim_name *ret);
/* Refused where nothing has arguments. */
POSTERN_MUST_USE postern_err postern_parse_check_arguments(struct parser *p,
                                                           const struct target *target);

/* ---- read_test.c ---- */

POSTERN_MUST_USE postern_err postern_parse_tests(struct parser *p, const struct target *target,
                                                 struct test **ret);

/* ---- read_relation.c ---- */

POSTERN_MUST_USE postern_err postern_parse_tie(struct parser *p);
bool postern_parse_is_relation(const struct parser *p);
POSTERN_MUST_USE postern_err postern_parse_relation(struct parser *p, const struct target *target,
                                                    struct test *ret);

/* ---- read_value.c ---- */

/* The value behind t->op. */
POSTERN_MUST_USE postern_err postern_parse_test_value(struct parser *p, struct test *t);
POSTERN_MUST_USE postern_err postern_parse_list_in_parentheses(struct parser *p, struct list *ret);
/* Of a bare word that postern_decimal_is_too_long(). */
postern_err postern_parse_fail_long_number(const struct parser *p, const struct token *at);
bool postern_parse_is_scope(const char *text);

/* ---- read_duty.c ---- */

POSTERN_MUST_USE postern_err postern_parse_duties(struct parser *p, struct rule *r);

/* ---- read_expect.c ---- */

POSTERN_MUST_USE postern_err postern_parse_expect(struct parser *p);
/* Pairs for every expect, into policy->given. */
POSTERN_MUST_USE postern_err postern_parse_given(struct parser *p);

#endif
