/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords by scrypt; see passwords.h.  RFC 7914 §2 and §6. */
#include "passwords.h"

#include <openssl/evp.h>

/* What a row may ask for: a damaged one must not take all memory. */
#define LOG_N_MAX 20
#define R_MAX 32
#define P_MAX 16
#define MEMORY_MAX (UINT64_C(1) << 30)

const char *password_fault(postern_bytes password)
{
    if (password.len < PASSWORD_MIN)
        return "A password has at least 15 bytes: four or five words that belong together for "
               "you alone are one.";
    if (password.len > PASSWORD_MAX)
        return "A password has at most 256 bytes.";
    if (!postern_bytes_is_utf8(password) || postern_bytes_has_control(password))
        return "A password is text (UTF-8) without control characters.";
    return NULL;
}

void password_prepare(struct user_record *user, const uint8_t salt[USER_SALT])
{
    memcpy(user->salt, salt, USER_SALT);
    user->log_n = PASSWORD_LOG_N;
    user->r = PASSWORD_R;
    user->p = PASSWORD_P;
}

static bool is_in_range(const struct user_record *as)
{
    return as->log_n >= 1 && as->log_n <= LOG_N_MAX && as->r >= 1 && as->r <= R_MAX &&
           as->p >= 1 && as->p <= P_MAX;
}

bool password_hash(postern_bytes password, const struct user_record *as,
                   uint8_t ret[USER_PASSWORD_HASH])
{
    if (!is_in_range(as))
        return false;
    return EVP_PBE_scrypt(password.len == 0 ? "" : (const char *)password.ptr, password.len,
                          as->salt, USER_SALT, UINT64_C(1) << as->log_n, (uint64_t)as->r,
                          (uint64_t)as->p, MEMORY_MAX, ret, USER_PASSWORD_HASH) == 1;
}

bool password_is_weakly_hashed(const struct user_record *user)
{
    return user->log_n < PASSWORD_LOG_N || user->r < PASSWORD_R || user->p < PASSWORD_P;
}
