/* SPDX-License-Identifier: BSD-2-Clause */
/* Text of strangers (a door's words, audit records) in a form that cannot steer a terminal. */
#ifndef POSTERN_CLI_SAFE_TEXT_H
#define POSTERN_CLI_SAFE_TEXT_H

#include <stdio.h>

#include <postern-private/json.h>

/* Append: printable ASCII as it is, any other byte as \xNN. */
void safe_text_add(postern_bytes text, postern_buf *out);
/* Append JSON that was scanned, with \u for what is not printable ASCII: it means the same. */
void safe_json_add(postern_bytes json, postern_buf *out);
/*
 * Append a member as text: strings unescaped, anything else as it stands.  False: it is not
 * there.
 */
bool safe_member_add(const postern_json *j, const char *name, postern_buf *out);

/* The same to a stream; "(out of memory)" instead when there is none. */
void safe_text_print(FILE *out, postern_bytes text);
void safe_json_print(FILE *out, postern_bytes json);

#endif
