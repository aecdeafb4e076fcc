/* SPDX-License-Identifier: BSD-2-Clause */
/* NONCE MAC, 16 bytes each, in base64url; see known_browser.h. */
#include "known_browser.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define NONCE_BYTES 16
#define MAC_BYTES (COOKIE_BYTES - NONCE_BYTES) /* 2^128 tries, one in two seconds */

/* The salt is in the key too: who steals the cookie cannot try passwords at home. */
static bool make_mac(const char *name, const struct user_record *as, const uint8_t *nonce,
                     uint8_t ret[MAC_BYTES])
{
    static const char purpose[] = "known browser";
    uint8_t key[USER_SALT + USER_PASSWORD_HASH], mac[EVP_MAX_MD_SIZE];
    uint8_t text[sizeof purpose + NONCE_BYTES + USER_NAME_MAX] = { 0 };
    bool is_made;

    memcpy(key, as->salt, USER_SALT);
    memcpy(key + USER_SALT, as->password, USER_PASSWORD_HASH);
    memcpy(text, purpose, sizeof purpose);
    memcpy(text + sizeof purpose, nonce, NONCE_BYTES);
    memcpy(text + sizeof purpose + NONCE_BYTES, name, strnlen(name, USER_NAME_MAX - 1));
    is_made = HMAC(EVP_sha256(), key, sizeof key, text, sizeof text, mac, NULL) != NULL;
    if (is_made)
        memcpy(ret, mac, MAC_BYTES);
    postern_wipe(key, sizeof key);
    postern_wipe(mac, sizeof mac);
    return is_made;
}

bool known_browser_is_claimed(const struct issuer *is, const char *header)
{
    char value[COOKIE_VALUE_MAX];

    return cookie_read(header, cookie_known_name(is->settings), value);
}

void known_browser_find(const struct issuer *is, const char *header, const struct user_record *user,
                        char ret_id[COOKIE_VALUE_MAX])
{
    uint8_t raw[POSTERN_BASE64URL_DECODED_MAX(COOKIE_VALUE_MAX - 1)], mac[MAC_BYTES];
    char value[COOKIE_VALUE_MAX];
    size_t len = 0;

    ret_id[0] = '\0';
    if (!cookie_read(header, cookie_known_name(is->settings), value) ||
        postern_base64url_decode(postern_bytes_str(value), raw, &len, NULL) != POSTERN_OK)
        return;
    if (make_mac(user->name, user, raw, mac) &&
        postern_bytes_equal_ct((postern_bytes){ raw + NONCE_BYTES, MAC_BYTES },
                               (postern_bytes){ mac, sizeof mac }))
        memcpy(ret_id, value, sizeof value);
}

void known_browser_set(const struct issuer *is, const char *user, const struct user_record *as,
                       struct answer *a)
{
    POSTERN_AUTO_BUF value = POSTERN_BUF_INIT(COOKIE_VALUE_MAX);
    uint8_t raw[COOKIE_BYTES];

    if (!issuer_random(raw, NONCE_BYTES) || !make_mac(user, as, raw, raw + NONCE_BYTES))
        return;
    postern_base64url_encode((postern_bytes){ raw, sizeof raw }, &value);
    if (postern_buf_cstr(&value) != NULL)
        cookie_set_known(is->settings, postern_buf_cstr(&value), a);
}
