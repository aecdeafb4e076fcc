/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of people who log in at the issuer's pages, and of their browsers' sessions.  Clients and
 * people share one case-folded name space (RFC 9068 §5). */
#ifndef POSTERN_ISSUER_STORE_USERS_H
#define POSTERN_ISSUER_STORE_USERS_H

#include "store.h"

#define USER_NAME_MAX 65       /* bytes with NUL, like CLIENT_NAME_MAX: one name space */
#define USER_SALT 16           /* bytes */
#define USER_PASSWORD_HASH 32  /* bytes: scrypt's output */
#define USERS_MAX 100000       /* one machine's people; more belong to an organisation's server */
#define SESSION_ID_HASH 32     /* SHA-256 of the cookie's value */

struct user_record {
    char     name[USER_NAME_MAX];
    uint8_t  salt[USER_SALT];
    uint8_t  password[USER_PASSWORD_HASH];
    int      scrypt_log_n, scrypt_r, scrypt_p; /* as it was hashed: may be raised later */
    int64_t  created_s;
};

struct session_record {
    uint8_t id_sha256[SESSION_ID_HASH];
    char    user[USER_NAME_MAX];
    int64_t authenticated_s; /* when the password was given: auth_time */
    int64_t seen_s;
    int64_t ends_s;
};

#endif
