/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of the control socket, page by page (control.h): lines under a heading, or one JSON array. */
#include "config.h"

#include <stdio.h>

#include <postern-private/clock.h>

#include "admin_call.h"
#include "cli.h"
#include "control.h"

struct listing {
    const struct control_call *call;
    const struct control_list *list;
    char after[CONTROL_TEXT_MAX]; /* "": from the first on */
    bool has_printed;
    int64_t now_s;
};

void control_print_text(const postern_json *j, uint32_t node, const char *name, int width)
{
    char room[CONTROL_TEXT_MAX];

    control_text(j, node, name, room);
    printf("%-*s ", width, room[0] == '\0' ? "-" : room);
}

static void print_one(struct listing *l, const postern_json *j, uint32_t node)
{
    postern_bytes raw = postern_json_raw(j, node);

    if (l->call->is_json) {
        printf("%s%.*s", l->has_printed ? ",\n" : "[", (int)raw.len, (const char *)raw.ptr);
    } else {
        if (!l->has_printed)
            l->list->print_heading();
        l->list->print(j, node, l->now_s);
    }
    l->has_printed = true;
}

static int list_page(struct listing *l)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", l->call->command);
    l->list->put_filters(l->call, &w);
    postern_json_put_str(&w, "after", l->after);
    postern_json_close_object(&w);
    status = control_ask(l->call, &request, &reply, &j);
    if (status != CLI_PROVED)
        return status;
    for (uint32_t n = postern_json_first(&j, postern_json_member(&j, 0, l->call->command));
         n != POSTERN_JSON_ABSENT; n = postern_json_next(&j, n))
        print_one(l, &j, n);
    admin_call_text(&j, 0, "next", l->after, sizeof l->after);
    return CLI_PROVED;
}

int control_print_list(const struct control_call *call, const struct control_list *list)
{
    struct listing l = { .call = call, .list = list, .now_s = clock_wall_s() };
    int status;

    do
        status = list_page(&l);
    while (status == CLI_PROVED && l.after[0] != '\0');
    if (status == CLI_PROVED && call->is_json)
        puts(l.has_printed ? "]" : "[]");
    else if (status == CLI_PROVED && !l.has_printed)
        fprintf(stderr, "%s\n", list->none); /* a script counts lines of standard output */
    return status;
}
