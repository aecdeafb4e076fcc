/* SPDX-License-Identifier: BSD-2-Clause */
/* A setting of a host that keeps SASL's among its own (imapd.conf).  Pure. */
#ifndef POSTERN_CLI_DOCTOR_CONF_H
#define POSTERN_CLI_DOCTOR_CONF_H

#include <postern/bytes.h>

#define DOCTOR_CONF_MAX 1048576 /* bytes of such a file; imapd.conf(5) knows 300 settings */

/*
 * As imapd looks a plugin's option up: sasl_PLUGIN_OPTION, else sasl_OPTION; "key: value" lines,
 * the first one counts, # begins a comment at a line's start, blanks around the value do not count.
 *   plugin      NULL: the library's own
 *   ret_value   within `text`
 */
bool doctor_conf_find(postern_bytes text, const char *plugin, const char *option,
                      postern_bytes *ret_value);

#endif
