/* SPDX-License-Identifier: BSD-2-Clause */
/* Find one record in posternd's audit log (JSON lines), newest first.  Reads only; the fields
 * are in postern-helper(7). */
#ifndef POSTERN_CLI_AUDIT_FIND_H
#define POSTERN_CLI_AUDIT_FIND_H

#include <postern-private/json.h>

#define AUDIT_REF_MAX 64 /* bytes of a reference, far above what posternd makes */

struct audit_found {
    bool         is_found;
    /* Looked like the record but are not one JSON object: somebody changed the file. */
    uint64_t     damaged_lines;
    postern_buf  line;          /* the record, without its newline */
    postern_json json;          /* of `line` */
};

/*
 * Read `fd` backwards, in blocks, until the newest record with that "ref" is found.  Lines above
 * 256 KiB are skipped.
 *
 *   fd    a regular file; its offset does not move
 *   ref   1..AUDIT_REF_MAX characters of [A-Za-z0-9-]
 *   ret   freed by audit_found_free(), in every case
 *   POSTERN_OK (found or not) · POSTERN_ERR_USAGE (ref) · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_find(int fd, const char *ref, struct audit_found *ret,
                                        postern_error *err);
void audit_found_free(struct audit_found *f);

#endif
