/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way that one validation took: each check in its order, with the figures that it compared.  For
 * people who ask why (`postern verify --explain`).  Holds what the claims say, never the token nor a
 * piece of it.
 */
#ifndef POSTERN_TRAIL_H
#define POSTERN_TRAIL_H

#include <postern/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct postern_trail postern_trail;

typedef enum postern_trail_state {
    POSTERN_TRAIL_NOT_REACHED = 0, /* an earlier check stopped it, or nothing asked for it */
    POSTERN_TRAIL_SKIPPED,         /* known from a login a moment ago, or not asked of this token */
    POSTERN_TRAIL_STOPPED,         /* here it ended; the verdict says why */
    POSTERN_TRAIL_PASSED
} postern_trail_state;

typedef struct postern_trail_step {
    const char         *name;   /* stable: "audience" */
    const char         *source; /* RFC section, setting or manual page */
    postern_trail_state state;
    const char         *facts;  /* printable ASCII; "" none; cut when there are too many */
} postern_trail_step;

/* POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err postern_trail_new(postern_trail **ret, postern_error *err);
void postern_trail_free(postern_trail *t); /* NULL is fine */
static inline void postern_auto_trail(postern_trail **t) { postern_trail_free(*t); }
/* All that there are, reached or not, in their order; false past the end. */
int postern_trail_at(const postern_trail *t, size_t i, postern_trail_step *ret);
const char *postern_trail_state_name(postern_trail_state s); /* "passed" "stopped" … */

#ifdef __cplusplus
}
#endif
#endif
