/* SPDX-License-Identifier: BSD-2-Clause */
/* See timer.h. */
#include "config.h"

#include "log.h"
#include "timer.h"

bool timer_start(struct event *timer, int64_t ms)
{
    struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

    return event_add(timer, &wait) == 0;
}

void timer_schedule(struct event *timer, int64_t ms)
{
    if (!timer_start(timer, ms))
        log_problem("a timer could not be set");
}

void timer_free(struct event *timer)
{
    if (timer != NULL)
        event_free(timer);
}
