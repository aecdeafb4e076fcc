/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of people who log in at the issuer's pages, and of their browsers' sessions.  Clients and
 * people share one case-folded name space (RFC 9068 §5). */
#ifndef POSTERN_ISSUER_STORE_USERS_H
#define POSTERN_ISSUER_STORE_USERS_H

#include "store_clients.h"
#include "store_revocations.h"

#define USER_NAME_MAX 65       /* bytes with NUL, like CLIENT_NAME_MAX: one name space */
#define USER_SALT 16           /* bytes */
#define USER_PASSWORD_HASH 32  /* bytes: scrypt's output */
#define USERS_MAX 100000       /* one machine's people; more belong to an organisation's server */
#define SESSION_ID_HASH 32     /* SHA-256 of the cookie's value */

struct user_record {
    char     name[USER_NAME_MAX];
    uint8_t  salt[USER_SALT];
    uint8_t  password[USER_PASSWORD_HASH];
    int      log_n, r, p; /* scrypt's, as it was hashed: may be raised later (passwords.h) */
    int64_t  created_s;
};

struct session_record {
    uint8_t id_sha256[SESSION_ID_HASH];
    char    user[USER_NAME_MAX];
    int64_t authenticated_s; /* when the password was given: auth_time */
    int64_t seen_s;
    int64_t ends_s;
};

/* All: POSTERN_OK · POSTERN_ERR_SYSTEM (disk) · POSTERN_ERR_NOMEM.  Names compare byte for byte,
 * but are unique ignoring case, among clients too. */
POSTERN_MUST_USE postern_err store_user_find(struct store *s, const char *name, bool *ret_found,
                                             struct user_record *ret, postern_error *err);
/* The first `max` people whose name follows `after`, in order of name. */
POSTERN_MUST_USE postern_err store_user_list(struct store *s, const char *after,
                                             struct user_record *ret, size_t max,
                                             size_t *ret_count, postern_error *err);
POSTERN_MUST_USE postern_err store_user_add(struct store *s, const struct user_record *user,
                                            store_add *ret, postern_error *err);
/* Another password: of `was`, unless that was changed or removed meanwhile (*ret_found false). */
POSTERN_MUST_USE postern_err store_user_set_password(struct store *s,
                                                     const struct user_record *was,
                                                     const struct user_record *now,
                                                     bool *ret_found, postern_error *err);
/*
 * Delete a person with all sessions, end the grants, and remember a POSTERN_REVOCATION_GRANT for each until
 * `until_s`, in one transaction.
 *
 *   ret_ended   what was remembered; the caller free()s it (NULL when there was none)
 */
POSTERN_MUST_USE postern_err store_user_remove(struct store *s, const char *name, int64_t now_s,
                                               int64_t until_s, bool *ret_found,
                                               struct revocation **ret_ended, size_t *ret_count,
                                               postern_error *err);

/* A new session; more than SESSIONS_MAX of that person: the one that was used last longest ago
 * ends. */
#define SESSIONS_MAX 20 /* of one person: browsers, phones, and forgotten ones */
POSTERN_MUST_USE postern_err store_session_add(struct store *s, const struct session_record *session,
                                               postern_error *err);
POSTERN_MUST_USE postern_err store_session_find(struct store *s,
                                                const uint8_t id_sha256[SESSION_ID_HASH],
                                                bool *ret_found, struct session_record *ret,
                                                postern_error *err);
/* It was used just now. */
POSTERN_MUST_USE postern_err store_session_touch(struct store *s,
                                                 const uint8_t id_sha256[SESSION_ID_HASH],
                                                 int64_t now_s, postern_error *err);
POSTERN_MUST_USE postern_err store_session_end(struct store *s,
                                               const uint8_t id_sha256[SESSION_ID_HASH],
                                               postern_error *err);
/* Every session of `user` but this one: the password was changed. */
POSTERN_MUST_USE postern_err store_session_end_others(struct store *s, const char *user,
                                                      const uint8_t id_sha256[SESSION_ID_HASH],
                                                      postern_error *err);
/* Forget sessions that ended before now_s. */
POSTERN_MUST_USE postern_err store_sessions_forget(struct store *s, int64_t now_s,
                                                   postern_error *err);

#endif
