/* SPDX-License-Identifier: BSD-2-Clause */
/* See key_set.h. */
#include "config.h"

#include "key_set.h"

/* Private and symmetric parameters of every key type that RFC 7518 §6 and RFC 8037 §2 define. */
static const char *const secret_members[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
static const char *const public_types[] = { "EC", "RSA", "OKP" };

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static bool is_public_type(const postern_json *m, uint32_t kty)
{
    for (size_t i = 0; i < COUNT_OF(public_types); i++)
        if (postern_json_string_is(m, kty, public_types[i]))
            return true;
    return false;
}

static postern_err check_key(const postern_json *m, uint32_t key, postern_error *err)
{
    if (postern_json_type_of(m, key) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "key set holds something that is no key");
    if (!is_public_type(m, postern_json_member(m, key, "kty")))
        return POSTERN_FAIL(err, MALFORMED,
                            "key set holds a key of another type than EC, RSA, OKP");
    for (size_t i = 0; i < COUNT_OF(secret_members); i++)
        if (postern_json_member(m, key, secret_members[i]) != POSTERN_JSON_ABSENT)
            return POSTERN_FAIL(err, MALFORMED, "key set holds the private member \"%s\"",
                                secret_members[i]);
    return POSTERN_OK;
}

postern_err key_set_check(const postern_json *message, uint32_t set, postern_error *err)
{
    size_t count = 0;
    uint32_t keys;

    if (postern_json_type_of(message, set) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED, "key set is no object");
    keys = postern_json_member(message, set, "keys");
    if (postern_json_type_of(message, keys) != POSTERN_JSON_ARRAY)
        return POSTERN_FAIL(err, MALFORMED, "key set has no array \"keys\"");
    for (uint32_t key = postern_json_first(message, keys); key != POSTERN_JSON_ABSENT;
         key = postern_json_next(message, key), count++)
        POSTERN_TRY(check_key(message, key, err));
    if (count == 0 || count > KEY_SET_MAX)
        return POSTERN_FAIL(err, MALFORMED, "key set holds %zu keys", count);
    return POSTERN_OK;
}
