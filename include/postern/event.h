/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operation noticed on its way: a static name and a few typed fields, never a secret.
 * Hosts render. */
#ifndef POSTERN_EVENT_H
#define POSTERN_EVENT_H

#include <postern/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_EVENT_FIELDS 4 /* more than four facts make a log line nobody reads */

typedef struct postern_event_field {
    const char *name;      /* static; NULL ends the list */
    int64_t     number;    /* when text is empty */
    char        text[120]; /* escaped, NUL-terminated */
} postern_event_field;

typedef struct postern_event {
    const char         *name; /* static, for example "keys.reloaded" */
    postern_event_field fields[POSTERN_EVENT_FIELDS];
} postern_event;

#ifdef __cplusplus
}
#endif
#endif
