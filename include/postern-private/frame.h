/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strict reading of one JSON frame between processes of ours (postern-helper(7)): members by a
 * table, anything the table does not name is refused.  Both ends of the helper's socket use it, so
 * that neither is more liberal than the other.  Not installed.
 */
#ifndef POSTERN_PRIVATE_FRAME_H
#define POSTERN_PRIVATE_FRAME_H

#include <postern-private/json.h>

#define POSTERN_FRAME_VERSION 1
/* Bytes: 128 bits, so that no earlier reply can be taken for this one. */
#define POSTERN_NONCE_LEN 16
#define POSTERN_NONCE_TEXT_LEN 22 /* the same in base64url */

struct postern_frame_member {
    const char *name;
    postern_json_type type; /* POSTERN_JSON_FALSE stands for either flag */
    bool is_required;
    size_t max; /* bytes of a string (1..max after unescaping), elements of an array */
};

/* One frame being read.  Holds whatever the frame held (tokens too): wiped on free. */
typedef struct postern_frame {
    postern_json json;
    postern_buf scratch;
    char *text; /* unescaped strings, each with a NUL; as large as the frame, so it never moves */
    size_t text_used, text_size;
} postern_frame;

/*
 * Scan `bytes` (borrowed while the frame is read) into a zeroed `f`.
 *   POSTERN_OK · HELPER_PROTOCOL (not strict JSON; too deep; empty) · NOMEM
 */
POSTERN_MUST_USE postern_err postern_frame_open(postern_frame *f, postern_bytes bytes,
                                                postern_error *err);
/*
 * Compare the members of `object` (0: the root) with the table.
 *
 *   ret_nodes   `count` nodes in the table's order, POSTERN_JSON_ABSENT where the frame has none
 *   POSTERN_OK · HELPER_PROTOCOL (which member and why; never its value)
 */
POSTERN_MUST_USE postern_err postern_frame_members(const postern_frame *f, uint32_t object,
                                                   const struct postern_frame_member *table,
                                                   size_t count, uint32_t *ret_nodes,
                                                   postern_error *err);
/*
 * Unescaped text of a string of 1..max bytes, NUL behind it, alive as long as `f`; an absent node
 * gives the empty view.  Control characters are refused: nothing in our frames has a use for them,
 * and logs would suffer. POSTERN_OK · HELPER_PROTOCOL · NOMEM
 */
POSTERN_MUST_USE postern_err postern_frame_text(postern_frame *f, uint32_t node, size_t max,
                                                postern_bytes *ret, postern_error *err);
/* A frame of another version is refused with a sentence that names both. */
POSTERN_MUST_USE postern_err postern_frame_check_version(const postern_frame *f,
                                                         postern_error *err);
void postern_frame_free(postern_frame *f);
static inline void postern_auto_frame_(postern_frame *f)
{
    postern_frame_free(f);
}
#define POSTERN_AUTO_FRAME __attribute__((cleanup(postern_auto_frame_))) postern_frame

#endif
