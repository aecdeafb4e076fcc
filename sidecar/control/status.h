/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status listener: GET /healthz, /readyz, /metrics for probes and Prometheus.  It knows no
 * secret, shows none, and can change nothing; so it may be open to a cluster.
 */
#ifndef POSTERN_CONTROL_STATUS_H
#define POSTERN_CONTROL_STATUS_H

#include "control.h"
#include "status_request.h"

/* At one time; for one more the oldest goes, or whoever says nothing would hold up the probes. */
#define STATUS_CONNECTIONS_MAX 16
/* From accept to the end: metrics wait LINK_WAIT_MS for the children. */
#define STATUS_REQUEST_MAX_S 5
#define STATUS_CACHE_MS      1000 /* how often the children are asked at most */

struct status;

/*
 *   take_fd   TCP socket, listening; closed by us, also on failure
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err status_new(struct control *c, int take_fd, struct status **ret,
                                        postern_error *err);
void status_drain(struct status *s); /* accept nobody any more */
bool status_is_idle(const struct status *s);
void status_free(struct status *s); /* NULL is fine */

/* The body of /readyz; false: 503. */
bool status_write_ready(const struct control *c, postern_buf *out);
/* The control child's own part of /metrics. */
void status_write_metrics(const struct control *c, postern_buf *out);

#endif
