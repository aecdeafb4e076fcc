/* SPDX-License-Identifier: BSD-2-Clause */
/* What a password must be, and its scrypt hash (RFC 7914).  Pure; slow on purpose: only ever in a
 * job (work.h). */
#ifndef POSTERN_ISSUER_PASSWORDS_H
#define POSTERN_ISSUER_PASSWORDS_H

#include "store_users.h"

/* Bytes.  It is the only factor: NIST SP 800-63B-4 §3.1.1.2 asks for 15 characters then. */
#define PASSWORD_MIN 15
#define PASSWORD_MAX 256 /* bytes: a sentence; more would be a load on the reader of the form */

/* OWASP's second row (2^16, r 8, p 2 takes twice the memory): 32 MiB and a tenth of a second for
 * each guess.  Who logs in with fewer gets these. */
#define PASSWORD_LOG_N 15
#define PASSWORD_R 8
#define PASSWORD_P 1

/* NULL: it may be one; else what is wrong, as a sentence. */
const char *password_fault(postern_bytes password);
/* The parameters of today, and `salt` (random), into `user`; no hash yet. */
void password_prepare(struct user_record *user, const uint8_t salt[USER_SALT]);
/* With salt and parameters of `as`.  False: no memory, or parameters out of range. */
POSTERN_MUST_USE bool password_hash(postern_bytes password, const struct user_record *as,
                                    uint8_t ret[USER_PASSWORD_HASH]);
/* It was hashed with less than today's parameters. */
bool password_is_weakly_hashed(const struct user_record *user);

#endif
