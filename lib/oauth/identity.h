/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a proved name to a local user: look it up in the map, strip the domain, check the
 * characters, refuse the accounts that no token may be.  Pure but for the list of system accounts,
 * which the caller brings.
 */
#ifndef POSTERN_LIB_IDENTITY_H
#define POSTERN_LIB_IDENTITY_H

#include <postern/bytes.h>

#include "trail.h"

#define POSTERN_SYSTEM_UID_END 1000 /* Debian policy §9.2.2: uids below belong to the system */

/* Which bytes a user name may have. */
struct username_chars {
    bool allowed[128];
};
/* `text` as in username_chars: "a-zA-Z0-9._@-".  NULL when it was understood, else why not. */
const char *postern_username_chars_parse(const char *text, struct username_chars *ret);
/* What both allow, into *chars. */
void postern_username_chars_limit(struct username_chars *chars, const struct username_chars *by);

struct accounts;
struct username_map;

struct identity_rules {
    const struct username_map *map; /* NULL: a name stands for itself */
    struct username_chars chars;
    const char *const *strip_domains;
    size_t strip_count;
    const char *const *allow_users; /* patterns, of which one must fit; none: every name may */
    size_t allow_count;
    const char *const *deny_users;
    size_t deny_count;
    bool allow_system_users;
};

struct identity_means {
    struct accounts *accounts;
    int64_t mono_ms;
    postern_buf *scratch;
    postern_trail *trail; /* may be NULL */
};
/*
 * From the whole name: map, strip, judge.
 *   name      free of control characters
 *   scratch   with room for a name (postern_claims_reserve()) where there is a map
 *   ret_user  a view into name or scratch
 *   POSTERN_OK · NO_MAPPING (no line of the map, empty, forbidden character) · USER_DENIED ·
 *   SYSTEM, NOMEM (accounts)
 */
POSTERN_MUST_USE postern_err postern_identity_map(const struct identity_rules *rules,
                                                  const struct identity_means *by,
                                                  postern_bytes name, postern_bytes *ret_user,
                                                  postern_error *err);

#endif
