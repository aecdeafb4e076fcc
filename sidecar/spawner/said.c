/* SPDX-License-Identifier: BSD-2-Clause */
/* See said.h. */
#include "config.h"

#include <string.h>

#include "said.h"

static bool may_tell(struct said *s, int64_t now_ms)
{
    int64_t back = (now_ms - s->refill_ms) / SAID_REFILL_MS;

    if (s->spent == 0 || back >= s->spent) {
        s->spent = 0;
        s->refill_ms = now_ms;
    } else if (back > 0) {
        s->spent -= back;
        s->refill_ms += back * SAID_REFILL_MS;
    }
    if (s->spent >= SAID_BURST)
        return false;
    s->spent++;
    return true;
}

static void end_line(struct said *s, int64_t now_ms, said_tell tell, void *arg)
{
    if (s->len != 0 && !may_tell(s, now_ms)) {
        s->missed++;
    } else if (s->len != 0) {
        s->line[s->len] = '\0';
        tell(arg, s->line, s->is_cut, s->missed);
        s->missed = 0;
    }
    s->len = 0;
    s->is_cut = false;
}

static void keep(struct said *s, postern_bytes part)
{
    size_t room = SAID_LINE_MAX - s->len, len = part.len < room ? part.len : room;

    if (len != 0)
        memcpy(s->line + s->len, part.ptr, len);
    for (size_t i = s->len; i < s->len + len; i++)
        s->line[i] = s->line[i] == '\0' ? '?' : s->line[i];
    s->len += len;
    s->is_cut = s->is_cut || len < part.len;
}

void said_add(struct said *s, postern_bytes more, int64_t now_ms, said_tell tell, void *arg)
{
    postern_reader r = { more };
    postern_bytes part;

    while (postern_reader_take_until(&r, '\n', &part)) {
        keep(s, part);
        end_line(s, now_ms, tell, arg);
    }
    keep(s, r.rest);
}

void said_finish(struct said *s, int64_t now_ms, said_tell tell, void *arg)
{
    end_line(s, now_ms, tell, arg);
    if (s->missed != 0)
        tell(arg, NULL, false, s->missed);
    s->missed = 0;
}
