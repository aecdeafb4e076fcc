/* SPDX-License-Identifier: BSD-2-Clause */
/* See channel_watch.h. */
#include "config.h"

#include "channel_watch.h"

postern_err channel_watch_open(struct channel_watch *w, struct event_base *base, int take_fd,
                               struct channel_watch_calls calls, postern_error *err)
{
    POSTERN_TRY(channel_new(take_fd, &w->channel, err));
    w->readable =
        event_new(base, channel_fd(w->channel), EV_READ | EV_PERSIST, calls.readable, calls.arg);
    if (calls.writable != NULL)
        w->writable = event_new(base, channel_fd(w->channel), EV_WRITE, calls.writable, calls.arg);
    if (w->readable != NULL && (w->writable != NULL || calls.writable == NULL) &&
        event_add(w->readable, NULL) == 0)
        return POSTERN_OK;
    channel_watch_close(w);
    return POSTERN_FAIL(err, NOMEM, "no event");
}

void channel_watch_close(struct channel_watch *w)
{
    if (w->readable != NULL)
        event_free(w->readable);
    if (w->writable != NULL)
        event_free(w->writable);
    channel_free(w->channel);
    *w = (struct channel_watch){ 0 };
}
