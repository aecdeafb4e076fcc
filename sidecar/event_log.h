/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operation noticed on its way, as lines of the log: keys and metadata of issuers. */
#ifndef POSTERN_SIDECAR_EVENT_LOG_H
#define POSTERN_SIDECAR_EVENT_LOG_H

#include <postern/op.h>

/* Pulls all events of op.  After each step of an operation that may note some. */
void log_events(postern_op *op);

#endif
