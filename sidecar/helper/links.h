/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper's lines to the supervisor (drain, a line to the issuer) and to the issuer child
 * (revocations); sidecar/role.h. */
#ifndef POSTERN_SIDECAR_HELPER_LINKS_H
#define POSTERN_SIDECAR_HELPER_LINKS_H

#include "helper.h"

struct links;

/*
 *   take_supervisor_fd   owned from the call on
 *   on_stop              called at "drain" and when the supervisor is gone; again, harmlessly
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err links_new(struct helper *h, int take_supervisor_fd,
                                       void (*on_stop)(void *arg), void *arg, struct links **ret,
                                       postern_error *err);
/* Tell the supervisor that logins are answered from now on.  POSTERN_OK · POSTERN_ERR_SYSTEM */
POSTERN_MUST_USE postern_err links_say_ready(struct links *l, postern_error *err);
void links_free(struct links *l);

#endif
