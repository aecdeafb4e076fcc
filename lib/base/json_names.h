/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a name stand twice in an object?  Asked member by member, and once more at its end.  For
 * json.c alone. */
#ifndef POSTERN_LIB_JSON_NAMES_H
#define POSTERN_LIB_JSON_NAMES_H

#include "base/json_text.h"

#define POSTERN_JSON_TAGS_MAX 32 /* members compared by tag: Keycloak tokens have 20-odd */

/* The names of an open object; zeroed when it opens (tags need not be). */
typedef struct postern_json_names {
    uint32_t count;
    bool     needs_sort; /* tags could not decide: ask postern_json_names_differ() at the end */
    uint64_t tags[POSTERN_JSON_TAGS_MAX];
} postern_json_names;

/* False when `name` was there before.  `end` is that of the whole text. */
bool postern_json_names_add(postern_json_names *names, postern_json_chars name, const uint8_t *end);
/* True when no two members of the object (with one at least) have the same name. */
bool postern_json_names_differ(const postern_json *j, uint32_t object);

#endif
