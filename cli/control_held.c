/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern held`, `approve` and `deny`: what a policy holds until somebody says yes. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "admin_call.h"
#include "cli.h"
#include "control.h"

/* ---- held ---- */

/* Of several that a door's backend has; none is said of the first. */
static void print_database(const postern_json *j, uint32_t held)
{
    char database[CONTROL_TEXT_MAX];

    if (control_text(j, held, "database", database)[0] != '\0')
        printf("(database %s)", database);
}

static void print_held(const postern_json *j, uint32_t held, int64_t now_s)
{
    char until[CONTROL_TIME_MAX];

    (void)now_s; /* times are said as such */
    control_print_text(j, held, "ref", 14);
    control_print_text(j, held, "state", 8);
    printf("%-20s ", control_time(control_number(j, held, "until", 0), until));
    control_print_text(j, held, "agent", 16);
    control_print_text(j, held, "human", 12);
    control_print_text(j, held, "door", 12);
    control_print_text(j, held, "action", 20);
    control_print_text(j, held, "rule", 16);
    control_print_text(j, held, "resource", 0);
    print_database(j, held);
    putchar('\n');
}

static void print_heading(void)
{
    printf("%-14s %-8s %-20s %-16s %-12s %-12s %-20s %-16s %s\n", "REF", "STATE", "UNTIL", "AGENT",
           "FOR", "DOOR", "ACTION", "RULE", "ON");
}

static void put_no_filter(const struct control_call *call, postern_json_writer *w)
{
    (void)call; /* whoever may see them sees all */
    (void)w;
}

int control_held(const struct control_call *call)
{
    static const struct control_list held = { "nothing is held", put_no_filter, print_heading,
                                              print_held };

    return control_print_list(call, &held);
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
