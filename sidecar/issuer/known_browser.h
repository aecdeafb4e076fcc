/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A browser in which a person logged in before: it has a cookie that says so, and its attempts are
 * counted by themselves, so that nobody's guesses from the same address hold it up.  The cookie is
 * a nonce and an HMAC under the stored hash of the password: nothing is stored, nobody without the
 * store makes one, and it is good until the password changes.  It lets nobody in.
 */
#ifndef POSTERN_ISSUER_KNOWN_BROWSER_H
#define POSTERN_ISSUER_KNOWN_BROWSER_H

#include "answer.h"
#include "cookies.h"
#include "issuer.h"
#include "store_users.h"

/* It shows a cookie of our form, whosever it is. */
bool known_browser_is_claimed(const struct issuer *is, const char *header);
/*
 * Is it one of `user`, a record of the store?
 *
 *   header   Cookie; NULL: absent
 *   ret_id   the cookie's value: whose attempts to count; "": it is not
 */
void known_browser_find(const struct issuer *is, const char *header, const struct user_record *user,
                        char ret_id[COOKIE_VALUE_MAX]);
/* It is from now on, with the answer: `user` gave the password whose hash is in `as`.  Without
 * memory or randomness it just is not: the login is good all the same. */
void known_browser_set(const struct issuer *is, const char *user, const struct user_record *as,
                       struct answer *a);

#endif
