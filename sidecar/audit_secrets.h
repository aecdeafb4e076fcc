/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of the audit log (audit_key_dir): made once, opened by the supervisor, read by the child
 * that each is for.  Called by generation.c and generation_children.c.
 */
#ifndef POSTERN_SIDECAR_AUDIT_SECRETS_H
#define POSTERN_SIDECAR_AUDIT_SECRETS_H

#include <postern/error.h>

/* Names in audit_key_dir.  The first is 32 bytes, the others are PEM. */
#define AUDIT_ARGS_KEY       "args.key"       /* door: of digests of arguments */
#define AUDIT_CHECKPOINT_KEY "checkpoint.key" /* audit: of checkpoints */
#define AUDIT_CHECKPOINT_PUB "checkpoint.pub" /* everybody: to verify them */

struct audit_secrets {
    int args_fd, checkpoint_fd; /* -1: none */
};

/*
 * Open both; whichever is missing is made, mode 0600, and on the disk before this returns.
 *   ret   closed by audit_secrets_close() in every case
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err audit_secrets_open(const char *dir, struct audit_secrets *ret,
                                                postern_error *err);
/* Judge those that are there; change nothing.  POSTERN_OK · POSTERN_ERR_CONFIG_FILE · _NOMEM */
POSTERN_MUST_USE postern_err audit_secrets_check(const char *dir, postern_error *err);
void audit_secrets_close(struct audit_secrets *s);

/* "DIR/NAME", freed by the caller; NULL: out of memory. */
char *audit_secrets_path(const char *dir, const char *name);

#endif
