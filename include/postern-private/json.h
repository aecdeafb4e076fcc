/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The strict JSON scan (RFC 8259) and its flat index, and a small writer.  Not installed.  One
 * pass refuses what json-c lets through: duplicate names (after unescaping, at any depth), NUL
 * in names or strings, raw controls, bad UTF-8, lone surrogates, NaN, leading zeros, depth and
 * size beyond the limits, anything after the value.
 */
#ifndef POSTERN_PRIVATE_JSON_H
#define POSTERN_PRIVATE_JSON_H

#include <postern/bytes.h>

#define POSTERN_JSON_DEPTH_MAX 16     /* deeper is an attack on the reader's stack, not a token */
/* Values in one document (a name belongs to its value): a 100-key JWK set needs 800. */
#define POSTERN_JSON_NODES_MAX 4096
/* The most that a reader of larger documents may ask for: a tool server's list of 500 tools, each
 * with the schema of its arguments; 1 MiB of index. */
#define POSTERN_JSON_NODES_LARGE 32768
/* Bytes: four times the largest document that is read, a JWK set; offsets fit 32 bits. */
#define POSTERN_JSON_TEXT_MAX 1048576

typedef enum postern_json_type {
    POSTERN_JSON_NONE = 0, POSTERN_JSON_NULL, POSTERN_JSON_FALSE, POSTERN_JSON_TRUE,
    POSTERN_JSON_NUMBER, POSTERN_JSON_STRING, POSTERN_JSON_ARRAY, POSTERN_JSON_OBJECT
} postern_json_type;

typedef struct postern_json_node {
    uint32_t start, end;  /* bytes of the value in the text; a string's without its quotes */
    /* Start of the member's name (inside the quotes); 0, which no name has, in arrays and at the
     * root. */
    uint32_t key;
    uint32_t key_end;
    uint32_t next;        /* index of the next sibling, 0 = last */
    uint32_t child_count; /* members or elements; the first child is this index + 1 */
    uint8_t  type;        /* postern_json_type */
    bool     is_escaped;  /* the string holds a backslash */
    bool     key_is_escaped;
} postern_json_node;

typedef struct postern_json {
    postern_bytes      text;
    postern_json_node *nodes; /* nodes[0] is the root value */
    uint32_t           count;
    uint32_t           cap;
    uint32_t           nodes_max; /* at most NODES_LARGE; 0: POSTERN_JSON_NODES_MAX */
} postern_json;

/*
 * Scan `text` into j.  A zeroed or used-before j is fine; its node storage is kept and grown
 * (one allocation serves many scans).  `text` must stay alive while j is read.  After a failure
 * j is empty: every look-up says ABSENT or false.
 *   POSTERN_OK · POSTERN_ERR_MALFORMED (detail: byte offset and what) · POSTERN_ERR_LIMIT ·
 *   POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_json_scan(postern_json *j, postern_bytes text,
                                               postern_error *err);
void postern_json_free(postern_json *j);
static inline void postern_auto_json_(postern_json *j) { postern_json_free(j); }
#define POSTERN_AUTO_JSON __attribute__((cleanup(postern_auto_json_))) postern_json

#define POSTERN_JSON_ABSENT UINT32_MAX
/* NONE for ABSENT. */
postern_json_type postern_json_type_of(const postern_json *j, uint32_t node);
/* ABSENT when not there. */
uint32_t postern_json_member(const postern_json *j, uint32_t object, const char *name);
/* ABSENT when empty. */
uint32_t postern_json_first(const postern_json *j, uint32_t container);
/* ABSENT after the last. */
uint32_t postern_json_next(const postern_json *j, uint32_t node);
/* The value's own bytes; strings with quotes. */
postern_bytes postern_json_raw(const postern_json *j, uint32_t node);
/* Unescaped string: a view into the text when it has no escape, else appended to `scratch` and a
 * view into that.
 * False when the node is no string or scratch failed.  Views into scratch move when scratch
 * grows: use at once. */
bool postern_json_string(const postern_json *j, uint32_t node, postern_buf *scratch,
                         postern_bytes *ret);
/* Unescaped compare. */
bool postern_json_string_is(const postern_json *j, uint32_t node, const char *want);
bool postern_json_name_is(const postern_json *j, uint32_t node, const char *want);
bool postern_json_name(const postern_json *j, uint32_t node, postern_buf *scratch,
                       postern_bytes *ret);
/* Integer within ±2^53-1, written without fraction or exponent (or with a fraction of zeros);
 * false otherwise. */
bool postern_json_integer(const postern_json *j, uint32_t node, int64_t *ret);
/* NumericDate (RFC 7519 §2): any finite number in 0..2^53-1, fraction cut off. */
bool postern_json_date(const postern_json *j, uint32_t node, int64_t *ret_s);

/* Writer: builds into a buf; commas are the writer's business.  Strings must be UTF-8 (anything
 * else becomes U+FFFD). */
typedef struct postern_json_writer {
    postern_buf *out;
    bool         needs_comma;
} postern_json_writer;
/* Name NULL in arrays and at the root. */
void postern_json_open_object(postern_json_writer *w, const char *name);
void postern_json_close_object(postern_json_writer *w);
void postern_json_open_array(postern_json_writer *w, const char *name);
void postern_json_close_array(postern_json_writer *w);
void postern_json_put_string(postern_json_writer *w, const char *name, postern_bytes value);
/* NULL or "": member left out. */
void postern_json_put_str(postern_json_writer *w, const char *name, const char *value);
void postern_json_put_integer(postern_json_writer *w, const char *name, int64_t value);
void postern_json_put_flag(postern_json_writer *w, const char *name, bool value);
/* Already valid JSON. */
void postern_json_put_raw(postern_json_writer *w, const char *name, postern_bytes json);

#endif
