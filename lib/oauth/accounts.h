/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which names are system accounts: /etc/passwd itself, not getpwnam(3).  System accounts are local
 * by definition, and a name service behind NSS may block for seconds, or ask the very LDAP server
 * whose login is waiting for us.
 */
#ifndef POSTERN_LIB_ACCOUNTS_H
#define POSTERN_LIB_ACCOUNTS_H

#include <postern/bytes.h>

/* One stat(2) a second notices a package that adds its account. */
#define POSTERN_ACCOUNTS_RECHECK_MS 1000
/* Bytes: some 60,000 accounts; larger sites keep theirs elsewhere. */
#define POSTERN_PASSWD_MAX ((size_t)4 << 20)

struct accounts; /* thread-safe */

/* `path` is kept, not copied.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_accounts_new(const char *path, struct accounts **ret,
                                                  postern_error *err);
void postern_accounts_free(struct accounts *a);
/*
 * True for a name with a uid below POSTERN_SYSTEM_UID_END, also when only its ASCII case differs.
 * No such file: no local accounts (containers). POSTERN_OK · SYSTEM (the file is there and cannot
 * be used) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_accounts_is_system(struct accounts *a, int64_t mono_ms,
                                                        postern_bytes name, bool *ret,
                                                        postern_error *err);

#endif
