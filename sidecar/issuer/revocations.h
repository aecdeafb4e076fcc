/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The issuer's line to a verifier of its tokens (the helper, the door): every remembered removal
 * when the line is new, then each removal as it happens.  Messages: sidecar/role.h.  A verifier
 * refuses our tokens until it has heard "revocations_ready".
 */
#ifndef POSTERN_ISSUER_REVOCATIONS_H
#define POSTERN_ISSUER_REVOCATIONS_H

#include <event2/event.h>

#include "issuer.h"
#include "store_revocations.h"

#define REVOCATION_WAIT_MS 2000  /* an administrator waits that long for a verifier's word */
#define REVOCATION_WAITING_MAX 8 /* ADMIN_CONNECTIONS_MAX: who else would wait */

typedef enum verifier_news {
    VERIFIER_AWAY = 0, /* none is connected: it learns of the removal when it is back */
    VERIFIER_SILENT,   /* it was told and did not confirm in time */
    VERIFIER_KNOWS     /* it refuses the client's tokens now */
} verifier_news;

struct revocations;
typedef void (*revocation_callback)(void *arg, verifier_news news);
typedef void (*revocation_link)(void *arg); /* the line is gone: ask the supervisor for a new one */

/* POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err revocations_new(struct event_base *base, struct issuer *is,
                                             revocation_link ask_link, void *ask_arg,
                                             struct revocations **ret, postern_error *err);
void revocations_free(struct revocations *r); /* nobody is called back; NULL is fine */
/* A verifier is there (a new one replaces the old): tell it everything. */
void revocations_set_line(struct revocations *r, int take_fd);
/* Tell it of one more; `done` is called exactly once, perhaps before this returns;
 * NULL: nobody waits. */
void revocations_push(struct revocations *r, const struct revocation *what,
                      revocation_callback done, void *arg);
/* Whoever waits with `arg` waits no more. */
void revocations_cancel(struct revocations *r, const void *arg);

#endif
