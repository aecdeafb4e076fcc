/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which records `postern audit show` and `follow` are asked for, and one line for a person of
 * each.  Pure.
 */
#ifndef POSTERN_CLI_AUDIT_PRINT_H
#define POSTERN_CLI_AUDIT_PRINT_H

#include <postern-private/json.h>

#define AUDIT_SINCE_MAX 32 /* bytes with NUL of a time */

/* NULL or "": not asked for. */
struct audit_filter {
    const char *agent;   /* record's agent; without one, act[0] or client_id */
    const char *human;   /* record's human, also by his sub; without an agent, sub or user */
    const char *service, *session, *event, *purpose, *grant_id;
    const char *action;      /* "redis:GET", "imap:login"; * stands for any characters, ? for one */
    bool        only_denied; /* outcome is there and is not "proved" */
    bool        only_would_deny; /* of a policy on trial: would is "deny" */
    char        since[AUDIT_SINCE_MAX];
};

/*
 * A point in time for audit_filter.since.
 *
 *   text    RFC 3339 in UTC, or its beginning from the day on ("2026-11-21", "2026-11-21T10:30");
 *           or how long ago: "90s" "30m"
 *           "12h" "7d"
 *   now_s   since 1970
 *   False: neither
 */
bool audit_since_parse(const char *text, int64_t now_s, char ret[AUDIT_SINCE_MAX]);
bool audit_filter_takes(const struct audit_filter *f, const postern_json *j);
/*
 * "TIME EVENT OUTCOME SERVICE WHO DETAILS\n"; every text of the record is escaped.  Check
 * out->failed.
 */
void audit_print_record(const postern_json *j, postern_buf *out);

#endif
