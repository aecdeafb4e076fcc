/* SPDX-License-Identifier: BSD-2-Clause */
/* Cookie headers, form tokens and texts for pages: a cookie has our form or is none, no token is guessed, no markup survives. */
#include <stdlib.h>

#include "issuer/cookies.h"
#include "issuer/form_token.h"
#include "issuer/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_html(postern_bytes text)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 20);

    html_escape(&out, text);
    if (out.failed)
        return;
    for (size_t i = 0; i < out.len; i++)
        if (out.ptr[i] < 0x20 || strchr("<>\"'", out.ptr[i]) != NULL)
            abort();
    if (!postern_bytes_is_utf8(postern_buf_bytes(&out)))
        abort();
}

/* A form's own token fits it and no other, for as long as it lives. */
static void check_token(const char *text)
{
    static const char *const cookie = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const uint8_t bytes[FORM_TOKEN_NONCE_BYTES] = { 1, 2, 3 };
    char token[FORM_TOKEN_MAX], nonce[FORM_TOKEN_NONCE_MAX];
    const int64_t now_s = 1700000000;

    if (!form_token_make(cookie, "consent", text, bytes, now_s, token))
        return; /* longer than any form */
    if (!form_token_fits(token, cookie, "consent", text, now_s, nonce) || strstr(token, nonce) == NULL)
        abort();
    if (form_token_fits(token, cookie, "login", text, now_s, nonce) ||
        form_token_fits(token, cookie, "consent", text, now_s - 61, nonce) ||
        form_token_fits(token, cookie, "consent", text, now_s + FORM_TOKEN_LIFE_S + 1, nonce))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1 << 20);
    char value[COOKIE_VALUE_MAX], nonce[FORM_TOKEN_NONCE_MAX];
    const char *header;

    check_html((postern_bytes){ data, size });
    postern_buf_add(&text, (postern_bytes){ data, size });
    header = postern_buf_cstr(&text);
    if (header == NULL)
        return 0;
    check_token(header);
    if (cookie_read(header, "postern", value)) {
        if (strlen(value) != COOKIE_VALUE_MAX - 1 || strstr(header, value) == NULL)
            abort();
        if (form_token_fits(header, value, "login", "", 1700000000, nonce))
            abort();
    }
    if (form_token_fits(header, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "login", "", 1700000000, nonce))
        abort();
    return 0;
}
