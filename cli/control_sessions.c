/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern sessions` and `postern kill`: who is behind which door, page by page, and its end. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

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

static void print_text(const postern_json *j, uint32_t session, const char *name, int width)
{
    char room[CONTROL_TEXT_MAX];

    control_text(j, session, name, room);
    printf("%-*s ", width, room[0] == '\0' ? "-" : room);
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

    print_text(j, session, "id", 12);
    print_text(j, session, "agent", 16);
    print_text(j, session, "human", 16);
    print_text(j, session, "door", 12);
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

struct listing {
    char after[CONTROL_TEXT_MAX]; /* "": from the first on */
    bool has_printed;
    int64_t now_s;
};

static void write_request(const struct control_call *call, const struct listing *l,
                          postern_buf *request)
{
    postern_json_writer w = { request, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "sessions");
    postern_json_put_str(&w, "agent", call->agent);
    postern_json_put_str(&w, "door", call->door);
    postern_json_put_str(&w, "user", call->user);
    postern_json_put_str(&w, "after", l->after);
    postern_json_close_object(&w);
}

static void print_one(const struct control_call *call, struct listing *l, const postern_json *j,
                      uint32_t session)
{
    postern_bytes raw = postern_json_raw(j, session);

    if (call->is_json)
        printf("%s%.*s", l->has_printed ? ",\n" : "[", (int)raw.len, (const char *)raw.ptr);
    else if (!l->has_printed)
        print_heading();
    if (!call->is_json)
        print_session(j, session, l->now_s);
    l->has_printed = true;
}

static int list_page(const struct control_call *call, struct listing *l)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    int status;

    write_request(call, l, &request);
    status = control_ask(call, &request, &reply, &j);
    if (status != CLI_PROVED)
        return status;
    for (uint32_t n = postern_json_first(&j, postern_json_member(&j, 0, "sessions"));
         n != POSTERN_JSON_ABSENT; n = postern_json_next(&j, n))
        print_one(call, l, &j, n);
    admin_call_text(&j, 0, "next", l->after, sizeof l->after);
    return CLI_PROVED;
}

static int64_t read_clock_s(void)
{
    struct timespec t = { 0, 0 };

    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this one */
    return (int64_t)t.tv_sec;
}

int control_sessions(const struct control_call *call)
{
    struct listing l = { .now_s = read_clock_s() };
    int status;

    do
        status = list_page(call, &l);
    while (status == CLI_PROVED && l.after[0] != '\0');
    if (status == CLI_PROVED && call->is_json)
        puts(l.has_printed ? "]" : "[]");
    else if (status == CLI_PROVED && !l.has_printed)
        fputs("no sessions\n", stderr); /* a script counts lines of standard output */
    return status;
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
