/* SPDX-License-Identifier: BSD-2-Clause */
/* application/x-www-form-urlencoded (WHATWG URL §5, RFC 6749 appendix B), both ways.  Not
 * installed. */
#ifndef POSTERN_PRIVATE_FORM_H
#define POSTERN_PRIVATE_FORM_H

#include <postern/bytes.h>

/* An exchange carries two tokens of 16 KiB, percent-encoded at worst partly. */
#define POSTERN_FORM_BODY_MAX 65536
#define POSTERN_FORM_FIELDS_MAX 64

typedef struct postern_form postern_form; /* decoded fields, wiped on free */

/*
 * Parse a request body.  A repeated name is kept (postern_form_count); an empty value counts as
 * absent (OAuth 2.1 §3.2).
 *   POSTERN_OK · POSTERN_ERR_MALFORMED (bad %xx, NUL, not UTF-8) · POSTERN_ERR_LIMIT ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_form_parse(postern_bytes body, postern_form **ret,
                                                postern_error *err);
/* How many non-empty values. */
size_t      postern_form_count(const postern_form *f, const char *name);
/* First; NULL when absent. */
const char *postern_form_value(const postern_form *f, const char *name);
const char *postern_form_value_at(const postern_form *f, const char *name, size_t i);
void        postern_form_free(postern_form *f);                                  /* NULL is fine */
static inline void postern_auto_form(postern_form **f) { postern_form_free(*f); }

/* Encodes; adds '&' as needed. */
void postern_form_add(postern_buf *body, const char *name, postern_bytes value);
/* One component, for HTTP Basic. */
void postern_form_encode(postern_bytes value, postern_buf *out);
/* Decode one component (HTTP Basic user and password), appended to `out`, which may hold a part of
 * it on failure.
 * POSTERN_OK · POSTERN_ERR_MALFORMED · POSTERN_ERR_LIMIT (out->max) · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err postern_form_decode(postern_bytes in, postern_buf *out,
                                                 postern_error *err);

#endif
