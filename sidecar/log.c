/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posternd's own messages, one line each, so that nothing that a peer sent can forge a second line.
 * The one place of the daemon that keeps a global: a process has one log.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"

static log_target   current_target = LOG_TO_STDERR;
static const char *current_role;

void log_start(log_target target, const char *role)
{
    if (current_target == LOG_TO_SYSLOG)
        closelog(); /* a child closes its parent's connection before it closes all descriptors */
    current_target = target;
    current_role = role;
    if (target == LOG_TO_SYSLOG)
        openlog("posternd", LOG_PID, LOG_DAEMON);
}

void log_forked(void)
{
    log_start(current_target, current_role);
}

const char *log_escape(const char *text, char *room, size_t room_size)
{
    static const char hex[] = "0123456789abcdef";
    const char *cut = "...";
    size_t used = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        bool plain = *p >= 0x20 && *p < 0x7f && *p != '\\';

        if (used + 4 + strlen(cut) + 1 > room_size) {
            memcpy(room + used, cut, strlen(cut));
            used += strlen(cut);
            break;
        }
        if (plain) {
            room[used++] = (char)*p;
            continue;
        }
        room[used++] = '\\';
        room[used++] = 'x';
        room[used++] = hex[*p >> 4];
        room[used++] = hex[*p & 15];
    }
    room[used] = '\0';
    return room;
}

static void __attribute__((format(printf, 2, 0))) write_line(int priority, const char *fmt, va_list args)
{
    char text[LOG_LINE_MAX], safe[LOG_LINE_MAX];

    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        return;
    (void)log_escape(text, safe, sizeof safe);
    if (current_target == LOG_TO_SYSLOG) {
        syslog(priority, "%s%s%s", current_role == NULL ? "" : current_role,
               current_role == NULL ? "" : ": ", safe);
        return;
    }
    /* One write(2) a line: processes share the descriptor. */
    (void)dprintf(STDERR_FILENO, "posternd%s%s: %s\n", current_role == NULL ? "" : " ",
                  current_role == NULL ? "" : current_role, safe);
}

void log_note(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    write_line(LOG_INFO, fmt, args);
    va_end(args);
}

void log_problem(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    write_line(LOG_ERR, fmt, args);
    va_end(args);
}

void log_error(const char *what, const postern_error *err)
{
    log_problem("%s: %s: %s", what, postern_err_text(err->code), err->detail);
}
