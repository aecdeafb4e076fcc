/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One name, glob or template: `worker-*`, "stream:${agent}:*".  Compiled to bytes in which four
 * control characters, which no file may hold, are the operators.
 */
#ifndef POSTERN_LIB_POLICY_PATTERN_H
#define POSTERN_LIB_POLICY_PATTERN_H

#include <postern/policy.h>

enum pattern_op { PATTERN_END = 0, PATTERN_STAR, PATTERN_ANY, PATTERN_AGENT, PATTERN_USER };

enum pattern_kind {
    PATTERN_LITERAL = 0, /* bytes and nothing else */
    PATTERN_TEMPLATE,    /* also ${agent} or ${user}, but no glob */
    PATTERN_GLOB         /* also * or ? */
};

struct literal; /* values.h */
struct pattern {
    const char *ops; /* NUL-terminated; operators and bytes */
    size_t len;
    size_t prefix_len; /* bytes before the first operator: most texts differ in them */
    enum pattern_kind kind;
    bool has_agent, has_user; /* ${agent}, ${user} */
    bool is_quoted;           /* and would be more than its text without quotes */
    bool is_long_number;      /* a bare word that is a number of too many digits */
    const struct literal *literal; /* what a bare word is beside its text; NULL: nothing */
};

/* What ${agent} and ${user} stand for; NULL or "": not known. */
struct pattern_names {
    const char *agent, *user;
    bool folds_case; /* of ASCII letters: Alice is alice */
};

/* NOT_KNOWN: it depends on a name that is not known. */
enum pattern_match { PATTERN_NO = 0, PATTERN_YES, PATTERN_NOT_KNOWN };

/*
 * Compile the text of a word, or of a string without its quotes, into `room` of
 * POSTERN_POLICY_TEXT_MAX bytes; *ret views it.  NULL, or what is wrong with it.
 */
const char *postern_pattern_read(postern_bytes raw, char *room, struct pattern *ret);
/* A string that is no pattern: \" and \\ alone are escapes.  NULL, or what is wrong with it. */
const char *postern_text_read_string(postern_bytes raw, char *room, size_t *ret_len);

/* A name that is put in for ${agent} is compared as it is: a star in it is a star. */
enum pattern_match postern_pattern_match(const struct pattern *p, postern_bytes text,
                                         const struct pattern_names *names);
/* True when everything that `narrow` matches is matched by `wide` too; false when in doubt. */
bool postern_pattern_covers(const struct pattern *wide, const struct pattern *narrow);

/* As a word where that means the same, else as a string in quotes. */
void postern_pattern_print(const struct pattern *p, postern_buf *out);
void postern_text_print(const char *text, postern_buf *out);

/* Which bytes a word may have, and whether a word has a meaning of its own in the language. */
bool postern_word_has_byte(uint8_t c);
bool postern_word_is_reserved(postern_bytes word);

#endif
