/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the pieces of the helper role share: one process, one event loop, one context.  helper.c
 * makes it, server.c owns the connections, login.c answers one request, links.c listens to the
 * supervisor and the issuer.
 */
#ifndef POSTERN_SIDECAR_HELPER_H
#define POSTERN_SIDECAR_HELPER_H

#include <event2/event.h>

#include <postern-private/issuer_line.h>

#include "../audit/line.h"
#include "../login_policies.h"
#include "../names.h"
#include "../peers.h"
#include "../quota.h"
#include "handles.h"
#include "logins.h"

/*
 * Callers wait that long for a helper that does not know yet what was revoked or who is blocked, or
 * has no line to the audit child yet; all come within milliseconds.  Shorter than a caller's
 * deadline (POSTERN_OP_DEADLINE_MS): when nothing comes they are answered "undecided" and not left
 * without a word.
 */
#define HELPER_PATIENCE_MS 2000

struct helper {
    struct event_base *base;
    postern_context *context;
    const postern_config *config; /* the context's */
    struct peers *peers;
    struct audit_line *audit; /* the line to the audit child, which may be down */
    struct fingerprint_key fingerprint;
    struct quota strangers; /* records of refusals that are no verdict */
    struct logins *logins;  /* NULL: nobody counts (tests) */
    struct handles *handles;
    const struct login_policies *policies; /* NULL: none (tests) */
    postern_issuer_line *issuer; /* the context's; NULL: none (tests) */
};

#endif
