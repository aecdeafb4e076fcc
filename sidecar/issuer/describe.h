/* SPDX-License-Identifier: BSD-2-Clause */
/* Scopes, services, addresses and times in words for people.  Pure; what they return is text, not
 * HTML. */
#ifndef POSTERN_ISSUER_DESCRIBE_H
#define POSTERN_ISSUER_DESCRIBE_H

#include "settings.h"

#define DESCRIBE_MAX 1024 /* bytes with NUL; what is longer is cut at a character */

/* "Read mail" for mail.read; the scope itself when its last part is no verb that we know. */
void describe_scope(postern_bytes scope, char ret[DESCRIBE_MAX]);
/* The name of the service or door; "this server itself" for whoami. */
void describe_service(const struct issuer_settings *s, postern_bytes resource,
                      char ret[DESCRIBE_MAX]);
/* Where a redirect URI leads: a host, "a program on this computer", or an app. */
void describe_redirect(const char *uri, char ret[DESCRIBE_MAX]);
/* "28 November 2026, 06:45 UTC" */
void describe_time(int64_t when_s, char ret[DESCRIBE_MAX]);

#endif
