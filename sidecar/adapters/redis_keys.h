/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which command a Redis request is, and which keys it names: the table redis_commands.def and the
 * few commands whose keys stand behind words.  Pure; knows no connection.  Where the table and a
 * request do not agree, it may touch more than it names.
 */
#ifndef POSTERN_ADAPTERS_REDIS_KEYS_H
#define POSTERN_ADAPTERS_REDIS_KEYS_H

#include <postern/bytes.h>

#define REDIS_NAME_MAX 64 /* bytes with NUL: the longest is 28, modules' are no longer */

/* Where keys stand among the words of a request; word 0 is the command. */
enum redis_keys_form {
    REDIS_KEYS_UNKNOWN = 0, /* nobody knows: it may touch anything */
    REDIS_KEYS_NONE,        /* it names none */
    REDIS_KEYS_RANGE,       /* every step-th word from first to last; below 0: counted from the end */
    REDIS_KEYS_AND_MORE,    /* the same, and it may touch what it does not name */
    REDIS_KEYS_NUMBER,      /* their number is word first, they are every step-th word from last on */
    REDIS_KEYS_NUMBER_AND_MORE,
    REDIS_KEYS_STORE,       /* word 1, and as NUMBER(2, 3, 1) */
    REDIS_KEYS_COPY,        /* words 1 and 2; with DB in another database */
    REDIS_KEYS_SORT,        /* word 1 and what STORE says; BY and GET make names of values */
    REDIS_KEYS_GEO,         /* word 1 and what STORE and STOREDIST say, among options from first on */
    REDIS_KEYS_STREAMS,     /* the first half of what stands behind STREAMS */
    REDIS_KEYS_MIGRATE      /* word 3 or what stands behind KEYS; to a server that it names */
};

struct redis_keys {
    enum redis_keys_form form;
    int first, last, step;
};

#define KEYS_UNKNOWN           { REDIS_KEYS_UNKNOWN, 0, 0, 0 }
#define KEYS_NONE              { REDIS_KEYS_NONE, 0, 0, 0 }
#define KEYS_RANGE(f, l, s)    { REDIS_KEYS_RANGE, (f), (l), (s) }
#define KEYS_AND_MORE(f, l, s) { REDIS_KEYS_AND_MORE, (f), (l), (s) }
#define KEYS_NUMBER(n, f, s)   { REDIS_KEYS_NUMBER, (n), (f), (s) }
#define KEYS_NUMBER_AND_MORE(n, f, s) { REDIS_KEYS_NUMBER_AND_MORE, (n), (f), (s) }
#define KEYS_STORE             { REDIS_KEYS_STORE, 2, 3, 1 }
#define KEYS_COPY              { REDIS_KEYS_COPY, 1, 2, 1 }
#define KEYS_SORT              { REDIS_KEYS_SORT, 1, 1, 1 }
#define KEYS_GEO(f)            { REDIS_KEYS_GEO, (f), 0, 0 }
#define KEYS_STREAMS           { REDIS_KEYS_STREAMS, 0, 0, 0 }
#define KEYS_MIGRATE           { REDIS_KEYS_MIGRATE, 0, 0, 0 }

struct redis_command {
    const char *name; /* as policies write it */
    const char *classes;
    struct redis_keys keys;
};

struct redis_words {
    const postern_bytes *at;
    size_t count;
};

/* What a request is called. */
struct redis_name {
    char text[REDIS_NAME_MAX]; /* upper case, a subcommand behind a bar; "": nobody can say */
    size_t words;              /* of the request that make up the name: 1 or 2 */
    const struct redis_command *command; /* NULL: not in the table */
};

/* The words are compared as Redis does: letters of ASCII in either case, and no other byte. */
void redis_name_of(struct redis_words request, struct redis_name *ret);
bool redis_word_is(postern_bytes word, const char *upper);
/* Its answer may take as long as somebody else likes. */
bool redis_may_block(const struct redis_name *name, struct redis_words request);

/* Keys that a request names. */
struct redis_found {
    postern_bytes *keys; /* the caller's; views into the request, none with ptr NULL */
    size_t count, max;
    bool has_unnamed; /* it may touch more than these */
    bool is_full;     /* there are more than `max` */
};

/* ret->keys and ret->max are set; the rest is filled. */
void redis_keys_find(const struct redis_keys *keys, struct redis_words request,
                     struct redis_found *ret);
/* Are all keys of such a request among its first `known` words, whatever comes behind? */
bool redis_keys_lead(const struct redis_keys *keys, size_t known);

/* Canonical decimal of at most 18 digits, as Redis reads numbers; no sign. */
bool redis_read_number(postern_bytes digits, uint64_t *ret);

/* Row i of the table in the order of the alphabet; NULL past the last one. */
const struct redis_command *redis_command_at(size_t i);

#endif
