/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoints as the audit child makes them: when one is due, the file that they are handed out to.
 * The clock is a parameter, timers are audit/server.c's.
 */
#ifndef POSTERN_SIDECAR_AUDIT_CHECKPOINTS_H
#define POSTERN_SIDECAR_AUDIT_CHECKPOINTS_H

#include "file.h"

/* After so many records one is made at once: at full speed two a second, of which a signature
 * costs a thousandth. */
#define CHECKPOINT_RECORDS 10000

struct checkpoints;

POSTERN_MUST_USE postern_err checkpoints_new(struct checkpoints **ret, postern_error *err);
void checkpoints_free(struct checkpoints *c); /* NULL is fine */
/*
 * Sign with this key from now on; there is no file to hand out to any more.
 *   take_fd   of a PEM file, read from its beginning
 *   every_s   above 0
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE, SYSTEM, NOMEM (the key before stays)
 */
POSTERN_MUST_USE postern_err checkpoints_use_key(struct checkpoints *c, int take_fd, int64_t every_s,
                                                 postern_error *err);
void checkpoints_use_file(struct checkpoints *c, int take_fd); /* O_APPEND */
/* POSTERN_OK · POSTERN_ERR_USAGE (no key yet) · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err checkpoints_public(const struct checkpoints *c, postern_buf *out,
                                                postern_error *err);
/* How long after a record, in milliseconds; 0: there is no key, none is made. */
int64_t checkpoints_every_ms(const struct checkpoints *c);
/* Records stand there that no checkpoint covers. */
bool checkpoints_has_work(const struct checkpoints *c, const struct audit_file *f);
/* So many of them, since the last or the last try, that it is time. */
bool checkpoints_is_full(const struct checkpoints *c, const struct audit_file *f);
/*
 * Sign where the chain stands, hand it out, write it down.  The file's batch must be empty.
 *   ret_line   the line that was handed out, without newline; for the log
 *   POSTERN_OK (ret_line is empty: there was nothing to do) · POSTERN_ERR_AUDIT, SYSTEM, NOMEM
 *   (with a ret_line it was signed all the same)
 */
POSTERN_MUST_USE postern_err checkpoints_make(struct checkpoints *c, struct audit_file *f,
                                              int64_t now_ms, postern_buf *ret_line,
                                              postern_error *err);

#endif
