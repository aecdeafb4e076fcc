/* SPDX-License-Identifier: BSD-2-Clause */
/* Random text and its hash; see opaque.h.  Called by whoever makes or takes a code, a refresh token
 * or an opaque access token. */
#include "opaque.h"

#include <postern-private/sha256.h>

postern_err opaque_hash(postern_bytes text, uint8_t ret_sha256[GRANT_HASH], postern_error *err)
{
    if (!sha256_make(text, ret_sha256))
        return POSTERN_FAIL(err, NOMEM, "hashing a code or token");
    return POSTERN_OK;
}

static postern_err make(const char *prefix, postern_secret **ret, uint8_t ret_sha256[GRANT_HASH],
                        postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(sizeof POSTERN_OPAQUE_TOKEN_PREFIX +
                                             POSTERN_BASE64_ENCODED_MAX(OPAQUE_BYTES));
    uint8_t raw[OPAQUE_BYTES];
    bool is_made = issuer_random(raw, sizeof raw);

    postern_buf_add_str(&text, prefix);
    if (is_made)
        postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &text);
    postern_wipe(raw, sizeof raw);
    if (!is_made)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "code or token");
    POSTERN_TRY(opaque_hash(postern_buf_bytes(&text), ret_sha256, err));
    return postern_secret_new(postern_buf_bytes(&text), ret, err);
}

postern_err opaque_new(postern_secret **ret, uint8_t ret_sha256[GRANT_HASH], postern_error *err)
{
    return make("", ret, ret_sha256, err);
}

postern_err opaque_new_access(postern_secret **ret, uint8_t ret_sha256[GRANT_HASH],
                              postern_error *err)
{
    return make(POSTERN_OPAQUE_TOKEN_PREFIX, ret, ret_sha256, err);
}

postern_err opaque_check_verifier(const char *verifier, const char *challenge, bool *ret_is_equal,
                                  postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_BASE64_ENCODED_MAX(GRANT_HASH) + 1);
    uint8_t hash[GRANT_HASH];

    POSTERN_TRY(opaque_hash(postern_bytes_str(verifier), hash, err));
    postern_base64url_encode((postern_bytes){ hash, sizeof hash }, &text);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "code challenge");
    *ret_is_equal =
        postern_bytes_equal_ct(postern_buf_bytes(&text), postern_bytes_str(challenge));
    return POSTERN_OK;
}
