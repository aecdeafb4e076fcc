/* SPDX-License-Identifier: BSD-2-Clause */
/* See pkce.h. */
#include "oauth/pkce.h"

#include <sys/random.h>

#include <openssl/evp.h>

#define OCTETS 32 /* RFC 7636 §7.1: 256 bits */

static bool write_text(const uint8_t octets[OCTETS], char ret[POSTERN_PKCE_TEXT + 1])
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_PKCE_TEXT + 1);
    const char *s;

    postern_base64url_encode((postern_bytes){ octets, OCTETS }, &text);
    if ((s = postern_buf_cstr(&text)) == NULL || text.len != POSTERN_PKCE_TEXT)
        return false;
    memcpy(ret, s, POSTERN_PKCE_TEXT + 1);
    return true;
}

postern_err postern_pkce_random(char ret[POSTERN_PKCE_TEXT + 1], postern_error *err)
{
    uint8_t octets[OCTETS];
    bool is_written;

    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    is_written = write_text(octets, ret);
    postern_wipe(octets, sizeof octets);
    return is_written ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "random text");
}

postern_err postern_pkce_challenge(const char *verifier, char ret[POSTERN_PKCE_TEXT + 1],
                                   postern_error *err)
{
    uint8_t digest[OCTETS];

    if (EVP_Digest(verifier, strlen(verifier), digest, NULL, EVP_sha256(), NULL) != 1 ||
        !write_text(digest, ret))
        return POSTERN_FAIL(err, NOMEM, "a code challenge");
    return POSTERN_OK;
}
