/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern held`, `approve` and `deny`: what a policy holds until somebody says yes. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "admin_call.h"
#include "cli.h"
#include "control.h"

/* ---- held ---- */

static void print_text(const postern_json *j, uint32_t held, const char *name, int width)
{
    char room[CONTROL_TEXT_MAX];

    control_text(j, held, name, room);
    printf("%-*s ", width, room[0] == '\0' ? "-" : room);
}

static void print_held(const postern_json *j, uint32_t held)
{
    char until[CONTROL_TIME_MAX];

    print_text(j, held, "ref", 14);
    print_text(j, held, "state", 8);
    printf("%-20s ", control_time(control_number(j, held, "until", 0), until));
    print_text(j, held, "agent", 16);
    print_text(j, held, "human", 12);
    print_text(j, held, "door", 12);
    print_text(j, held, "action", 20);
    print_text(j, held, "rule", 16);
    print_text(j, held, "resource", 0);
    putchar('\n');
}

static void print_heading(void)
{
    printf("%-14s %-8s %-20s %-16s %-12s %-12s %-20s %-16s %s\n", "REF", "STATE", "UNTIL", "AGENT",
           "FOR", "DOOR", "ACTION", "RULE", "ON");
}

struct listing {
    char after[CONTROL_TEXT_MAX]; /* "": from the first on */
    bool has_printed;
};

static void print_one(const struct control_call *call, struct listing *l, const postern_json *j,
                      uint32_t held)
{
    postern_bytes raw = postern_json_raw(j, held);

    if (call->is_json)
        printf("%s%.*s", l->has_printed ? ",\n" : "[", (int)raw.len, (const char *)raw.ptr);
    else if (!l->has_printed)
        print_heading();
    if (!call->is_json)
        print_held(j, held);
    l->has_printed = true;
}

static int list_page(const struct control_call *call, struct listing *l)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "held");
    postern_json_put_str(&w, "after", l->after);
    postern_json_close_object(&w);
    status = control_ask(call, &request, &reply, &j);
    if (status != CLI_PROVED)
        return status;
    for (uint32_t n = postern_json_first(&j, postern_json_member(&j, 0, "held"));
         n != POSTERN_JSON_ABSENT; n = postern_json_next(&j, n))
        print_one(call, l, &j, n);
    admin_call_text(&j, 0, "next", l->after, sizeof l->after);
    return CLI_PROVED;
}

int control_held(const struct control_call *call)
{
    struct listing l = { .after = "" };
    int status;

    do
        status = list_page(call, &l);
    while (status == CLI_PROVED && l.after[0] != '\0');
    if (status == CLI_PROVED && call->is_json)
        puts(l.has_printed ? "]" : "[]");
    else if (status == CLI_PROVED && !l.has_printed)
        fputs("nothing is held\n", stderr); /* a script counts lines of standard output */
    return status;
}

/* ---- approve and deny ---- */

static int settle(const struct control_call *call, const char *what)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    char held[CONTROL_TEXT_MAX], by[CONTROL_TEXT_MAX], ref[CONTROL_TEXT_MAX];
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", call->command);
    postern_json_put_str(&w, "ref", call->ref);
    postern_json_put_str(&w, "reason", call->reason);
    postern_json_close_object(&w);
    status = control_ask(call, &request, &reply, &j);
    if (status != CLI_PROVED)
        return status;
    if (call->is_json)
        printf("%.*s\n", (int)postern_json_raw(&j, 0).len,
               (const char *)postern_json_raw(&j, 0).ptr);
    else
        printf("%s is %s by %s (%s)\n", control_text(&j, 0, "held", held), what,
               control_text(&j, 0, "by", by), control_text(&j, 0, "ref", ref));
    return CLI_PROVED;
}

int control_approve(const struct control_call *call)
{
    return settle(call, "approved");
}

int control_deny(const struct control_call *call)
{
    return settle(call, "denied");
}
