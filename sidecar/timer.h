/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of an event loop, in milliseconds. */
#ifndef POSTERN_SIDECAR_TIMER_H
#define POSTERN_SIDECAR_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

/* From now on; one that runs already starts anew.  False: no memory. */
bool timer_start(struct event *timer, int64_t ms);
/* The same where nothing can be done about a failure: it is logged. */
void timer_schedule(struct event *timer, int64_t ms);
void timer_free(struct event *timer); /* NULL is fine */

#endif
