/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME "." NONCE "." MAC; see form_token.h.  Called by visitor.c. */
#include "form_token.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MAC_BYTES 32
#define TIME_DIGITS 11
#define NONCE_LEN (FORM_TOKEN_NONCE_MAX - 1)
#define HEAD_LEN (TIME_DIGITS + 1 + NONCE_LEN) /* what is signed of the token itself */
#define TEXT_MAX 65536 /* POSTERN_FORM_BODY_MAX */

/* Purpose, head and text, a NUL behind each: no two triples have the same bytes. */
static bool make_mac(const char *cookie, const char *purpose, const char *head, const char *text,
                     postern_buf *out)
{
    POSTERN_AUTO_BUF message = POSTERN_BUF_INIT(TEXT_MAX + 256);
    uint8_t mac[MAC_BYTES];
    unsigned len = 0;

    postern_buf_add(&message, (postern_bytes){ (const uint8_t *)purpose, strlen(purpose) + 1 });
    postern_buf_add(&message, (postern_bytes){ (const uint8_t *)head, HEAD_LEN });
    postern_buf_add_byte(&message, 0);
    postern_buf_add_str(&message, text);
    if (message.failed || HMAC(EVP_sha256(), cookie, (int)strlen(cookie), message.ptr, message.len,
                               mac, &len) == NULL)
        return false;
    postern_base64url_encode((postern_bytes){ mac, len }, out);
    postern_wipe(mac, sizeof mac);
    return !out->failed;
}

bool form_token_make(const char *cookie, const char *purpose, const char *text,
                     const uint8_t nonce[FORM_TOKEN_NONCE_BYTES], int64_t now_s,
                     char ret[FORM_TOKEN_MAX])
{
    POSTERN_AUTO_BUF nonce_text = POSTERN_BUF_INIT(64);
    POSTERN_AUTO_BUF mac = POSTERN_BUF_INIT(64);
    const char *head;
    int n;

    postern_base64url_encode((postern_bytes){ nonce, FORM_TOKEN_NONCE_BYTES }, &nonce_text);
    head = postern_buf_cstr(&nonce_text);
    if (head == NULL)
        return false;
    n = snprintf(ret, FORM_TOKEN_MAX, "%0*lld.%s", TIME_DIGITS, (long long)now_s, head);
    if (n != HEAD_LEN || !make_mac(cookie, purpose, ret, text, &mac))
        return false;
    n = snprintf(ret + HEAD_LEN, FORM_TOKEN_MAX - HEAD_LEN, ".%s", postern_buf_cstr(&mac));
    return n > 0 && n < FORM_TOKEN_MAX - HEAD_LEN;
}

/* Digits only, as they are written. */
static bool read_time(const char *token, int64_t *ret_s)
{
    int64_t value = 0;

    for (int i = 0; i < TIME_DIGITS; i++) {
        if (token[i] < '0' || token[i] > '9')
            return false;
        value = 10 * value + (token[i] - '0');
    }
    *ret_s = value;
    return true;
}

bool form_token_fits(const char *token, const char *cookie, const char *purpose, const char *text,
                     int64_t now_s, char ret_nonce[FORM_TOKEN_NONCE_MAX])
{
    POSTERN_AUTO_BUF mac = POSTERN_BUF_INIT(64);
    int64_t made_s = 0;

    if (token == NULL || cookie[0] == '\0' || strlen(token) <= HEAD_LEN + 1 ||
        token[TIME_DIGITS] != '.' || token[HEAD_LEN] != '.' || !read_time(token, &made_s))
        return false;
    if (!make_mac(cookie, purpose, token, text, &mac) ||
        !postern_bytes_equal_ct(postern_buf_bytes(&mac), postern_bytes_str(token + HEAD_LEN + 1)))
        return false;
    if (made_s > now_s + 60 || now_s - made_s > FORM_TOKEN_LIFE_S) /* a clock set back a little */
        return false;
    memcpy(ret_nonce, token + TIME_DIGITS + 1, NONCE_LEN);
    ret_nonce[NONCE_LEN] = '\0';
    return true;
}
