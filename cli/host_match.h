/* SPDX-License-Identifier: BSD-2-Clause */
/* Which servers an agent's token may go to: the `hosts:` of a client file against the name that a
 * login program gave.  Pure. */
#ifndef POSTERN_CLI_HOST_MATCH_H
#define POSTERN_CLI_HOST_MATCH_H

#include <stdbool.h>

#define HOST_NAME_MAX_LEN 253 /* bytes: RFC 1035 §2.3.4 less the root's dot */

/* Letters, digits, '-', '_' and dots between labels, or an IPv6 address without brackets. */
bool host_is_name(const char *host);
/* One label of letters, digits, '-', '_': what a SASL service is called. */
bool host_is_service(const char *service);
/*
 * ASCII case ignored.  A pattern is as many labels as the host has; '*' and '?' stand for
 * characters of one label, never for a dot, so that "*.example.org" takes mail.example.org and
 * neither example.org nor a.b.example.org.
 */
bool host_matches(const char *pattern, const char *host);

#endif
