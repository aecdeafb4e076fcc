/* SPDX-License-Identifier: BSD-2-Clause */
/* posternd's own messages: one escaped line each, to standard error or syslog(3).  Not the audit
 * (sidecar/audit). */
#ifndef POSTERN_SIDECAR_LOG_H
#define POSTERN_SIDECAR_LOG_H

#include <stdbool.h>

#include <postern/error.h>

/* Text of one line; more is cut off and ends in "...". */
#define LOG_LINE_MAX 1024

typedef enum log_target { LOG_TO_STDERR = 0, LOG_TO_SYSLOG } log_target;

/*
 * Where lines go from now on, in this process.  Before the first call: standard error, no role.
 *
 *   role   static: "helper", "issuer"; NULL for the supervisor.  Lines begin with "posternd: " or
 *          "posternd helper: ".
 */
void log_start(log_target target, const char *role);

/* In a fork that is about to close what it did not open: nothing is said to a descriptor that is
 * another's by then. */
void log_forked(void);

/* What happened, for the record.  Control characters, newlines and bytes that are not ASCII
 * become \xNN. */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What an administrator should look at. */
void log_problem(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "WHAT: operator's sentence: detail". */
void log_error(const char *what, const postern_error *err);

/* Escape `text` into `room` as the log does; returns room. */
const char *log_escape(const char *text, char *room, size_t room_size);

#endif
