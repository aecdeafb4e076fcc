/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists as OAuth writes them: words with one space between (RFC 6749 §3.3).  The store keeps a
 * client's scopes and resources in this form.  Pure; nothing here is secret.
 */
#ifndef POSTERN_ISSUER_WORDS_H
#define POSTERN_ISSUER_WORDS_H

#include <postern-private/json.h>

/* Next word of `*cursor` (moved past it); false at the end. */
bool   words_next(const char **cursor, postern_bytes *ret_word);
size_t words_count(const char *list);
bool   words_has(const char *list, postern_bytes word); /* whole word, byte for byte */
/* Append with a space before it unless the list is empty; false (list unchanged) when it does
 * not fit. */
bool   words_append(char *list, size_t room, postern_bytes word);
/* The list as a JSON array, a member `name` of the object being written. */
void words_write(postern_json_writer *w, const char *name, const char *list);

/* scope-token = 1*( %x21 / %x23-5B / %x5D-7E ), RFC 6749 §3.3 */
bool word_is_scope(postern_bytes word);
/* An absolute URI without fragment (RFC 8707 §2) in printable ASCII. */
bool word_is_resource(postern_bytes word);

#endif
