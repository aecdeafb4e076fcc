/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as every room passes them: a borrowed view, a growing buffer, wiped-on-free secrets,
 * canonical base64url.  libc only; knows nothing of OAuth.  Bounds are checked here so that
 * parsers need no pointer arithmetic of their own.
 */
#ifndef POSTERN_BYTES_H
#define POSTERN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <postern/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed view, never freed; ptr may be NULL when len is 0. */
typedef struct postern_bytes {
    const uint8_t *ptr;
    size_t         len;
} postern_bytes;

#define POSTERN_BYTES_NONE ((postern_bytes){ NULL, 0 })
/* View of a string literal, without its NUL. */
#define POSTERN_BYTES_LIT(s) ((postern_bytes){ (const uint8_t *)("" s), sizeof(s) - 1 })

/* View of a NUL-terminated string; NULL gives the empty view. */
static inline postern_bytes postern_bytes_str(const char *s)
{
    return (postern_bytes){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

/* Equal by value; not constant time: never for secrets. */
bool postern_bytes_equal(postern_bytes a, postern_bytes b);
/* Equal to a NUL-terminated string (length first, so an embedded NUL never matches). */
bool postern_bytes_equal_str(postern_bytes a, const char *s);
/* Constant time in the bytes (not in the lengths): for secrets, digests and nonces. */
bool postern_bytes_equal_ct(postern_bytes a, postern_bytes b);
/* Position of the first `c`, or bytes.len. */
size_t postern_bytes_find(postern_bytes b, uint8_t c);
/* True when well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, at most U+10FFFF). */
bool postern_bytes_is_utf8(postern_bytes b);
/* Length of the well-formed UTF-8 character that b begins with, 1 to 4; 0 when there is none. */
size_t postern_utf8_len(postern_bytes b);
/* True when every byte is 0x20..0x7E. */
bool postern_bytes_is_printable(postern_bytes b);
/* True when `b`, well-formed UTF-8, holds a control character: C0, DEL, or C1 (U+0080 to
 * U+009F). */
bool postern_bytes_has_control(postern_bytes b);

/* Wipe `len` bytes in a way that the compiler keeps. */
void postern_wipe(void *ptr, size_t len);

/*
 * A reader over bytes: each call checks the length before it reads.  `take_*` moves on success
 * only.
 */
typedef struct postern_reader {
    postern_bytes rest;
} postern_reader;

bool postern_reader_take_byte(postern_reader *r, uint8_t want);          /* next byte is `want` */
bool postern_reader_take_lit(postern_reader *r, const char *want);       /* next bytes are `want` */
bool postern_reader_take_lit_nocase(postern_reader *r, const char *want);/* ASCII case ignored */
/* Everything before the next `stop`; the stop byte is consumed, not returned.  False when there
 * is none. */
bool postern_reader_take_until(postern_reader *r, uint8_t stop, postern_bytes *ret);
bool postern_reader_take_len(postern_reader *r, size_t len, postern_bytes *ret);
static inline bool postern_reader_is_done(const postern_reader *r) { return r->rest.len == 0; }

/*
 * A growing buffer with a hard cap.  Old storage is wiped on growth and on free (never realloc),
 * so it may hold secrets.  A failed append leaves it as it was and makes it `failed`: check once
 * at the end.
 */
typedef struct postern_buf {
    uint8_t *ptr;
    size_t   len;
    size_t   cap;
    size_t   max;    /* bytes it may ever hold */
    bool     failed; /* an append did not fit or memory ran out: the content is not complete */
} postern_buf;

#define POSTERN_BUF_INIT(max_bytes) ((postern_buf){ NULL, 0, 0, (max_bytes), false })
void postern_buf_add(postern_buf *b, postern_bytes more);
void postern_buf_add_str(postern_buf *b, const char *s);
void postern_buf_add_byte(postern_buf *b, uint8_t c);
void postern_buf_addf(postern_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Content with a NUL behind it that is not counted; NULL when failed.  Owned by the buffer. */
const char *postern_buf_cstr(postern_buf *b);
static inline postern_bytes postern_buf_bytes(const postern_buf *b)
{
    return (postern_bytes){ b->ptr, b->len };
}
/* Keep the storage, wipe the content, clear `failed`. */
void postern_buf_reset(postern_buf *b);
/* Wipe and free; the struct may be used again.  NULL is fine. */
void postern_buf_free(postern_buf *b);

/* Memory for tokens, keys and client secrets: wiped on free. */
typedef struct postern_secret postern_secret;
/*
 * Copy `from` into wiped-on-free memory.  Empty input is allowed.
 *
 *   ret_secret   caller frees with postern_secret_free(); untouched unless POSTERN_OK
 *   POSTERN_OK · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_secret_new(postern_bytes from, postern_secret **ret_secret,
                                                postern_error *err);
/* Borrowed; a NUL stands behind it, not counted. */
postern_bytes postern_secret_bytes(const postern_secret *s);
void postern_secret_free(postern_secret *s);

/*
 * Base64url without padding (RFC 4648 §5, RFC 7515 §2), canonical form only: no whitespace, no
 * '=', pad bits zero, length mod 4 never 1.
 *
 *   in    0..max text
 *   out   room for POSTERN_BASE64URL_DECODED_MAX(in.len) bytes
 *   POSTERN_OK · POSTERN_ERR_MALFORMED
 */
#define POSTERN_BASE64URL_DECODED_MAX(n) ((n) / 4 * 3 + 2)
#define POSTERN_BASE64_ENCODED_MAX(n) (((n) + 2) / 3 * 4)
POSTERN_MUST_USE postern_err postern_base64url_decode(postern_bytes in, uint8_t *out,
                                                      size_t *ret_len, postern_error *err);
void postern_base64url_encode(postern_bytes in, postern_buf *out);
/* The padded alphabet of RFC 4648 §4, canonical only: SASL lines of IMAP and SMTP, HTTP Basic. */
POSTERN_MUST_USE postern_err postern_base64_decode(postern_bytes in, uint8_t *out, size_t *ret_len,
                                                   postern_error *err);
void postern_base64_encode(postern_bytes in, postern_buf *out);
void postern_hex_encode(postern_bytes in, postern_buf *out); /* lower case */

/*
 * Cleanup on early return: POSTERN_AUTO(secret) s = …;  POSTERN_STEAL(s) hands ownership on.
 */
static inline void postern_auto_secret(postern_secret **s) { postern_secret_free(*s); }
static inline void postern_auto_buf(postern_buf *b) { postern_buf_free(b); }
#define POSTERN_AUTO_BUF __attribute__((cleanup(postern_auto_buf))) postern_buf

#ifdef __cplusplus
}
#endif
#endif
