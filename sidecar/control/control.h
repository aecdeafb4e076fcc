/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the pieces of the control child share: one process, one event loop.  main.c makes it,
 * control_socket.c owns administrators' connections, act.c does what one asks, status.c answers
 * probes.
 */
#ifndef POSTERN_CONTROL_H
#define POSTERN_CONTROL_H

#include <event2/event.h>

#include <postern/config.h>

#include "../audit/line.h"
#include "blocks_file.h"
#include "control_request.h"
#include "../quota.h"
#include "link.h"

/* How a request ended, for the metrics. */
typedef enum control_end {
    CONTROL_FAILED = 0, /* undecided: audit, disk, a child that is silent */
    CONTROL_DONE,
    CONTROL_REFUSED, /* malformed, or nothing to do */
    CONTROL_DENIED,  /* this user may not */
    CONTROL_ENDS
} control_end;

struct control {
    struct event_base *base;
    const postern_section *settings; /* postern.conf */
    struct blocks_file *blocks;
    struct link *door, *helper;
    bool has_doors; /* false: no door is configured, so that none is missed */
    struct audit_line *audit;
    bool is_audited;      /* there is a line to the audit child */
    struct quota denials; /* records of who may not; see quota.h */
    uint64_t requests[CONTROL_VERBS][CONTROL_ENDS];
};

/* "away" "silent" "knows" */
const char *control_news_word(link_news news);

#endif
