/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program says on its standard error, as lines for the log: so long at most, and so many.
 * Pure: the clock is a parameter.
 */
#ifndef POSTERN_SIDECAR_SPAWNER_SAID_H
#define POSTERN_SIDECAR_SPAWNER_SAID_H

#include <stdbool.h>

#include <postern/bytes.h>

/* Bytes of a line that are kept: with the names before it, and each byte escaped, the log's line has
 * room for half of it at least. */
#define SAID_LINE_MAX 400
/* A server says a banner and a backtrace; who says more talks to nobody. */
#define SAID_BURST 40
/* Then one in so long: 17 MB a day of a program that never stops, at the worst. */
#define SAID_REFILL_MS 2000

struct said {
    char    line[SAID_LINE_MAX + 1]; /* without NUL bytes */
    size_t  len;
    bool    is_cut;    /* the line goes on, and nobody keeps it */
    int64_t spent;     /* of SAID_BURST; zeroed is full */
    int64_t refill_ms; /* `spent` was right then */
    int64_t missed;    /* lines since the last that was told */
};

/* Where lines go.  missed: those before it that were left out. */
typedef void (*said_tell)(void *arg, const char *line, bool is_cut, int64_t missed);

void said_add(struct said *s, postern_bytes more, int64_t now_ms, said_tell tell, void *arg);
/* No more comes: a last line without its end, and what was left out. */
void said_finish(struct said *s, int64_t now_ms, said_tell tell, void *arg);

#endif
