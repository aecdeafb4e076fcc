/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines for the host's log and for sasl_errdetail().  Callers pass reason codes, references and
 * operators' sentences only.
 */
#include <stdarg.h>
#include <stdio.h>

#include "plugin.h"

#define LINE_MAX_BYTES 1024 /* syslog(3) senders cut near here; ours are a third of it */

void plugin_log(const sasl_utils_t *utils, int level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    int len;

    if (utils == NULL || utils->log == NULL)
        return;
    va_start(args, fmt);
    len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (len > 0) /* a longer line is cut, not lost */
        utils->log(utils->conn, level, "%s", line);
}

void plugin_set_error(const sasl_utils_t *utils, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    int len;

    if (utils == NULL || utils->seterror == NULL)
        return;
    va_start(args, fmt);
    len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (len > 0)
        utils->seterror(utils->conn, SASL_NOLOG, "%s", line);
}
