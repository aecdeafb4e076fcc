/* SPDX-License-Identifier: BSD-2-Clause */
/* A fixed place for each step; see the headers.  Allocates once, so that what is noted cannot fail
 * in the middle of a judgement. */
#include "trail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes with NUL of one step's facts: the longest are two lists of scopes, each cut at 64. */
#define FACTS_MAX 1024

struct postern_trail {
    int last; /* -1: none yet */
    struct {
        bool is_entered;
        char facts[FACTS_MAX];
    } steps[TRAIL_STEPS];
    postern_err verdict;
};

static const struct {
    const char *name, *source;
} steps[TRAIL_STEPS] = {
#define POSTERN_TRAIL_ROW(code, name, source) [TRAIL_##code] = { name, source },
    POSTERN_TRAIL_LIST(POSTERN_TRAIL_ROW)
#undef POSTERN_TRAIL_ROW
};

postern_err postern_trail_new(postern_trail **ret, postern_error *err)
{
    postern_trail *t = calloc(1, sizeof *t);

    if (t == NULL)
        return POSTERN_FAIL(err, NOMEM, "trail");
    t->last = -1;
    *ret = t;
    return POSTERN_OK;
}

void postern_trail_free(postern_trail *t)
{
    free(t);
}

void postern_trail_put_step(postern_trail *t, enum trail_step step)
{
    if ((unsigned)step >= TRAIL_STEPS)
        return;
    for (int i = (int)step; i <= t->last; i++) { /* entered again: what was noted is void */
        t->steps[i].is_entered = false;
        t->steps[i].facts[0] = '\0';
    }
    t->last = (int)step;
    t->steps[step].is_entered = true;
}

void postern_trail_put(postern_trail *t, const char *fmt, ...)
{
    size_t used;
    char *facts;
    va_list args;

    if (t->last < 0)
        return;
    facts = t->steps[t->last].facts;
    used = strlen(facts);
    if (used != 0 && used + 3 < FACTS_MAX) {
        memcpy(facts + used, "; ", 3);
        used += 2;
    }
    va_start(args, fmt);
    if (vsnprintf(facts + used, FACTS_MAX - used, fmt, args) < 0)
        facts[used] = '\0';
    va_end(args);
    for (char *c = facts + used; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

void postern_trail_put_value(postern_trail *t, const char *name, postern_bytes value)
{
    char quoted[300];

    if (value.len != 0)
        postern_trail_put(t, "%s \"%s\"", name,
                          postern_error_quote(value.ptr, value.len, quoted, sizeof quoted));
}

void postern_trail_end(postern_trail *t, postern_err verdict)
{
    if (t != NULL)
        t->verdict = verdict;
}

static postern_trail_state find_state(const postern_trail *t, int i)
{
    if (t->steps[i].is_entered)
        return i == t->last && t->verdict != POSTERN_OK ? POSTERN_TRAIL_STOPPED
                                                        : POSTERN_TRAIL_PASSED;
    return i < t->last ? POSTERN_TRAIL_SKIPPED : POSTERN_TRAIL_NOT_REACHED;
}

int postern_trail_at(const postern_trail *t, size_t i, postern_trail_step *ret)
{
    if (i >= TRAIL_STEPS)
        return 0;
    *ret = (postern_trail_step){ steps[i].name, steps[i].source, find_state(t, (int)i),
                                 t->steps[i].facts };
    return 1;
}

const char *postern_trail_state_name(postern_trail_state s)
{
    static const char *const names[] = {
        [POSTERN_TRAIL_NOT_REACHED] = "not reached",
        [POSTERN_TRAIL_SKIPPED] = "skipped",
        [POSTERN_TRAIL_STOPPED] = "stopped",
        [POSTERN_TRAIL_PASSED] = "passed",
    };

    return (unsigned)s <= POSTERN_TRAIL_PASSED ? names[s] : names[POSTERN_TRAIL_NOT_REACHED];
}
