/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hidden field that proves that a form came from a page of ours, shown to this very browser for
 * this very purpose (RFC 9700 §4.7, RFC 6749 §10.12): HMAC-SHA256, its key the value of the
 * browser's cookie, which no other site can read.  Nothing is stored.  Pure.
 */
#ifndef POSTERN_ISSUER_FORM_TOKEN_H
#define POSTERN_ISSUER_FORM_TOKEN_H

#include <postern/bytes.h>

#define FORM_TOKEN_MAX 128       /* bytes with NUL: 11 digits, 22 and 43 characters, dots */
#define FORM_TOKEN_NONCE_BYTES 16
#define FORM_TOKEN_NONCE_MAX 23  /* bytes with NUL */
#define FORM_TOKEN_LIFE_S 3600   /* a page may stand open over lunch */

/*
 *   purpose   static: "login", "consent" …
 *   text      what the form is about; a token for another text does not fit
 *   nonce     random
 *   False: no memory
 */
POSTERN_MUST_USE bool form_token_make(const char *cookie, const char *purpose, const char *text,
                                      const uint8_t nonce[FORM_TOKEN_NONCE_BYTES], int64_t now_s,
                                      char ret[FORM_TOKEN_MAX]);
/*
 *   token       NULL: absent
 *   ret_nonce   for who takes a form once only; set when it fits
 */
POSTERN_MUST_USE bool form_token_fits(const char *token, const char *cookie, const char *purpose,
                                      const char *text, int64_t now_s,
                                      char ret_nonce[FORM_TOKEN_NONCE_MAX]);

#endif
