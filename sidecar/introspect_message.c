/* SPDX-License-Identifier: BSD-2-Clause */
/* A question about a token by its hash (introspect_message.h). */
#include "config.h"

#include "introspect_message.h"

#define MEMBERS 2 /* the type and the hash */

static size_t count_members(const postern_json *j)
{
    size_t count = 0;

    for (uint32_t n = postern_json_first(j, 0); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n))
        count++;
    return count;
}

bool introspect_message_read(const struct channel *c, uint8_t ret_sha256[INTROSPECT_HASH])
{
    char text[POSTERN_BASE64_ENCODED_MAX(INTROSPECT_HASH) + 1];
    uint8_t hash[POSTERN_BASE64URL_DECODED_MAX(sizeof text)];
    size_t len = 0;

    if (count_members(channel_message(c)) != MEMBERS ||
        !channel_text(c, "sha256", text, sizeof text) ||
        postern_base64url_decode(postern_bytes_str(text), hash, &len, NULL) != POSTERN_OK ||
        len != INTROSPECT_HASH)
        return false;
    memcpy(ret_sha256, hash, INTROSPECT_HASH);
    return true;
}
