/* SPDX-License-Identifier: BSD-2-Clause */
/* The names that clients and people may have: one name space, because a token's subject may be
 * either (RFC 9068 §5), and local user names too. */
#ifndef POSTERN_ISSUER_NAME_RULES_H
#define POSTERN_ISSUER_NAME_RULES_H

#include <postern/bytes.h>

/* [a-z0-9._-]{1,64}, not beginning with '.' or '-'. */
bool name_is_good(const char *name);
/* It owns a machine or is ours: no token says it, whatever a host's mapping does (RFC 9700 §4.15). */
bool name_is_reserved(const char *name);

#endif
