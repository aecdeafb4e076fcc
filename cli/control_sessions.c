/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern sessions` and `postern kill`: who is behind which door, page by page, and its end. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "admin_call.h"
#include "cli.h"
#include "control.h"

/* ---- one session ---- */

/* "4m05s": what is left of a lease; "over" behind its end, while it drains. */
static void print_left(int64_t left_s)
{
    char text[32];

    if (left_s < 0)
        (void)snprintf(text, sizeof text, "over");
    else if (left_s < 3600)
        (void)snprintf(text, sizeof text, "%" PRId64 "m%02ds", left_s / 60, (int)(left_s % 60));
    else
        (void)snprintf(text, sizeof text, "%" PRId64 "h%02dm", left_s / 3600,
                       (int)(left_s / 60 % 60));
    printf(" %-8s", text);
}

/* "12s": how long ago the issuer was last asked about it; "-": it is not. */
static void print_asked(int64_t asked_s, int64_t now_s)
{
    char text[32] = "-";

    if (asked_s != 0)
        (void)snprintf(text, sizeof text, "%" PRId64 "s", now_s > asked_s ? now_s - asked_s : 0);
    printf(" %6s ", text);
}

static void print_session(const postern_json *j, uint32_t session, int64_t now_s)
{
    char since[CONTROL_TIME_MAX], state[CONTROL_TEXT_MAX], issuer[CONTROL_TEXT_MAX];

    control_print_text(j, session, "id", 12);
    control_print_text(j, session, "agent", 16);
    control_print_text(j, session, "human", 16);
    control_print_text(j, session, "door", 12);
    printf("%-20s", control_time(control_number(j, session, "since", 0), since));
    print_left(control_number(j, session, "lease_end", 0) - now_s);
    printf(" %12" PRId64 " %12" PRId64 " %-10s", control_number(j, session, "up", 0),
           control_number(j, session, "down", 0), control_text(j, session, "state", state));
    print_asked(control_number(j, session, "asked", 0), now_s);
    puts(*control_text(j, session, "issuer", issuer) == '\0' ? "-" : issuer);
}

static void print_heading(void)
{
    printf("%-12s %-16s %-16s %-12s %-20s %-8s %12s %12s %-10s %6s %s\n", "SESSION", "AGENT", "FOR",
           "DOOR", "SINCE", "LEASE", "UP", "DOWN", "STATE", "ASKED", "ISSUER");
}

/* ---- all of them ---- */

static void put_filters(const struct control_call *call, postern_json_writer *w)
{
    postern_json_put_str(w, "agent", call->agent);
    postern_json_put_str(w, "door", call->door);
    postern_json_put_str(w, "user", call->user);
}

int control_sessions(const struct control_call *call)
{
    static const struct control_list sessions = { "no sessions", put_filters, print_heading,
                                                  print_session };

    return control_print_list(call, &sessions);
}

/* ---- kill ---- */

int control_kill(const struct control_call *call)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    char ref[CONTROL_TEXT_MAX];
    int64_t ended;
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "kill");
    postern_json_put_str(&w, "by", call->by);
    postern_json_put_str(&w, "value", call->value);
    postern_json_put_str(&w, "reason", call->reason);
    postern_json_close_object(&w);
    status = control_ask(call, &request, &reply, &j);
    if (status != CLI_PROVED)
        return status;
    ended = control_number(&j, 0, "ended", 0);
    if (ended == 0) {
        fprintf(stderr, "postern kill: no session matched\n");
        return CLI_REJECTED;
    }
    printf("%" PRId64 " %s ended (%s)\n", ended, ended == 1 ? "session" : "sessions",
           control_text(&j, 0, "ref", ref));
    return CLI_PROVED;
}
