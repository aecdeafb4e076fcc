/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `under`: does a path, a URI or a directory name lie below another?  Segment by segment, never by
 * the beginning of a string.  Pure, without memory.
 */
#ifndef POSTERN_LIB_POLICY_UNDER_H
#define POSTERN_LIB_POLICY_UNDER_H

#include "policy/rules.h"

/* NULL, or what is wrong with what stands behind `under`. */
const char *postern_under_check_base(const struct pattern *base);
/* UNKNOWN: what two readers could read in two ways, on either side: "..", an empty segment, a
 * backslash, a relative path, a percent sign in a URI, an escape in a name. */
enum match postern_under(const struct pattern *base, postern_bytes text,
                         const struct pattern_names *names);
/* May a URI mean something else than it says: a segment of dots, written in full or in percent? */
bool postern_uri_is_devious(postern_bytes uri);

#endif
