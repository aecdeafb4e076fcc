/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a rule says that another one may cover it: its names, patterns, actions and tests as keys.
 * Pure; the index of them is above.c, and nobody else's.
 */
#ifndef POSTERN_LIB_POLICY_ABOVE_KEYS_H
#define POSTERN_LIB_POLICY_ABOVE_KEYS_H

#include "policy/rules.h"

#define ACTIONS_MAX 8  /* of one rule, filed one by one; a rule for more is filed for its protocol */
#define BEGIN_MAX   64 /* bytes of a name that are hashed: one bit each says that there is such a key */
#define RUN_LENGTHS 10 /* that are hashed of a run of bytes */

/* What a key is of: names of one kind of list never meet those of another. */
enum space {
    SPACE_PARTY = 0, /* and its kind */
    SPACE_HUMAN = PARTY_KINDS,
    SPACE_RESOURCE = 2 * PARTY_KINDS,
    SPACE_SERVICE,
    SPACE_ACTION,
    SPACE_TEST,
    SPACE_PROTOCOL,
    SPACE_COUNT
};
/* Of a pattern: all of it, what it begins with, or some of its bytes, wherever they stand. */
enum form { FORM_WHOLE = 0, FORM_BEGINNING, FORM_RUN, FORM_COUNT };

struct key {
    uint64_t hash;
    unsigned space;
    enum form form;
    size_t len; /* of what was hashed */
};

/* A list of names, and what they are of. */
struct way {
    unsigned space;
    const struct list *list;
};
#define WAYS_MAX 3

/* FNV-1a, 64 bits. */
static inline uint64_t above_hash_begin(unsigned space, enum form form)
{
    return (UINT64_C(14695981039346656037) ^ (space * FORM_COUNT + form)) * UINT64_C(1099511628211);
}

static inline uint64_t above_hash_add(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * UINT64_C(1099511628211);
}

struct key postern_above_key(unsigned space, enum form form, const char *text, size_t len);
struct key postern_above_key_of_protocol(size_t protocol);
struct key postern_above_key_of_service(const struct target *t);
/* `row` of the protocol's table; behind the last row: one for those that mean none of it. */
struct key postern_above_key_of_action(const struct target *t, size_t row);
struct key postern_above_key_of_test(uint64_t test);
/*
 * Words that are the same are the same test, where it is compared at all: in one file.
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_above_hash_test(const struct test *test, uint64_t *ret,
                                                     postern_error *err);
/* Its lists of names; any rule that it covers has the same kinds of them. */
size_t postern_above_lists(const struct rule *r, struct way ret[WAYS_MAX]);
/* A pattern without a glob covers its like alone; with one, what has its bytes where they stand.  0: it
 * covers anything. */
size_t postern_above_keys_of_pattern(unsigned space, const struct pattern *p, struct key ret[2]);
/* The actions that it means, and one for rules that mean none of the table.  0: too many, or all. */
size_t postern_above_keys_of_actions(const struct target *t, struct key ret[ACTIONS_MAX + 1]);

#endif
