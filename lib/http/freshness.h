/* SPDX-License-Identifier: BSD-2-Clause */
/* How long an answer may be kept: Cache-Control and Age (RFC 9111 §5.2, §5.1).  Pure; called by
 * http_curl.c. */
#ifndef POSTERN_LIB_FRESHNESS_H
#define POSTERN_LIB_FRESHNESS_H

#include <postern/bytes.h>

/* Seconds: more is "for as long as you like" to us. */
#define POSTERN_FRESHNESS_MAX_S 31536000

/*
 * max-age of one Cache-Control line; the shorter one of several; 0 for no-store and no-cache, and
 * for a max-age that is no number (RFC 9111 §4.2.1); `before` where the line says nothing about it.
 *   before   what the lines before it said; -1: nothing
 */
int postern_freshness_read(postern_bytes cache_control, int before);
/* What is left of max_age_s (-1: stays so) after the time that the answer spent in other caches; an
 * Age that is no number counts as none. */
int postern_freshness_less_age(int max_age_s, postern_bytes age);

#endif
