/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What arguments and authorization_details say, value by value.  Look-ups need no memory: a string
 * with escapes is written out on the caller's stack.
 */
#ifndef POSTERN_LIB_POLICY_ARGS_H
#define POSTERN_LIB_POLICY_ARGS_H

#include "policy/facts.h"
#include "policy/match.h"

/* Bytes of a string with escapes, or of a member's name: a path has 4096 at most (PATH_MAX).  Longer
 * ones are not known.  Without escapes a string may have any length. */
#define ARG_TEXT_MAX 4096

enum value_kind {
    VALUE_UNKNOWN = 0, /* it is not there, nobody said, or it is of no kind that is compared */
    VALUE_TEXT,
    VALUE_BYTES, /* an argument without a type: a text, or the number or the word that it spells */
    VALUE_NUMBER,
    VALUE_BOOLEAN,
    VALUE_ARRAY
};
struct value {
    enum value_kind kind;
    postern_bytes text; /* TEXT, BYTES */
    struct decimal_range number;
    bool is_true;
    const postern_json *json; /* ARRAY: node; NULL: the pairs from `pair` on */
    uint32_t node;
    const struct pair *pair;
};

struct value postern_arg_find(const struct asking *a, const struct claim_name *name,
                              char room[ARG_TEXT_MAX]);
/* Is every argument among `list`? */
enum match postern_args_are_among(const struct asking *a, const struct list *list);

/* authorization_details (RFC 9396): the objects whose type is the path's first name. */
struct detail_walk {
    const struct postern_policy_facts *facts;
    const struct claim_name *name;
    uint32_t node;
    bool is_begun;
};
/* The next one's value; false past the last. */
bool postern_detail_next(struct detail_walk *w, char room[ARG_TEXT_MAX], struct value *ret);

/* The elements of an ARRAY, from the first; false past the last. */
struct element_walk {
    const struct value *array;
    const struct pair *pair;
    uint32_t node;
    bool is_begun;
};
bool postern_element_next(struct element_walk *w, char room[ARG_TEXT_MAX], struct value *ret);

#endif
