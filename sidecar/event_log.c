/* SPDX-License-Identifier: BSD-2-Clause */
/* See event_log.h. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include <postern/bytes.h>

#include "event_log.h"
#include "log.h"

/* What an administrator should look at, and what to think of it. */
static const struct {
    const char *name, *meaning;
} problems[] = {
    { "keys.unusable", "the issuer's keys cannot be read; those in force stay so for a while" },
    { "keys.dropped", "the issuer's keys are withdrawn; its tokens are undecided until they can be "
                      "read again" },
    { "metadata.unusable", "the issuer's metadata cannot be read" },
    { "metadata.moved", "the issuer names another host for its keys than before" },
};

static const char *find_problem(const char *name)
{
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        if (strcmp(problems[i].name, name) == 0)
            return problems[i].meaning;
    return NULL;
}

static void put_fields(const postern_event *e, postern_buf *out)
{
    for (size_t i = 0; i < POSTERN_EVENT_FIELDS && e->fields[i].name != NULL; i++)
        if (e->fields[i].text[0] != '\0')
            postern_buf_addf(out, " %s=%s", e->fields[i].name, e->fields[i].text);
        else
            postern_buf_addf(out, " %s=%" PRId64, e->fields[i].name, e->fields[i].number);
}

static void log_event(const postern_event *e)
{
    POSTERN_AUTO_BUF fields = POSTERN_BUF_INIT(LOG_LINE_MAX);
    const char *problem = find_problem(e->name), *text;

    put_fields(e, &fields);
    if ((text = postern_buf_cstr(&fields)) == NULL)
        text = "";
    if (problem != NULL)
        log_problem("%s:%s: %s", e->name, text, problem);
    else
        log_note("%s:%s", e->name, text);
}

void log_events(postern_op *op)
{
    postern_event e;

    while (postern_op_next_event(op, &e))
        log_event(&e);
}
