/* SPDX-License-Identifier: BSD-2-Clause */
/* `postern block`, `unblock` and `blocks`.  What a block did not reach is said as plainly as what
 * it did. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "admin_call.h"
#include "cli.h"
#include "control.h"

/* ---- what is in force where ---- */

static const struct {
    const char *word, *text;
} news_texts[] = {
    { "knows", "knows" },
    { "none", "none is configured" },
    { "away", "away at the moment; it learns of it as soon as it is back" },
    { "silent", "was told and has not confirmed yet: see posternd's log" },
};

/* False: whether it is in force there is not known. */
static bool print_news(const postern_json *j, const char *child)
{
    uint32_t node = postern_json_member(j, 0, child);

    for (size_t i = 0; i < sizeof news_texts / sizeof *news_texts; i++)
        if (postern_json_string_is(j, node, news_texts[i].word)) {
            printf("  %s: %s\n", child, news_texts[i].text);
            return strcmp(news_texts[i].word, "silent") != 0;
        }
    printf("  %s: answered what this postern does not know\n", child);
    return false;
}

static void print_login(const postern_json *j, uint32_t login)
{
    char service[CONTROL_TEXT_MAX], last[CONTROL_TIME_MAX];
    int64_t count = control_number(j, login, "count", 0);

    printf("    %s: %" PRId64 " %s, the last at %s\n", control_text(j, login, "service", service),
           count, count == 1 ? "login" : "logins",
           control_time(control_number(j, login, "last", 0), last));
}

/* Sessions of SASL, PAM and PostgreSQL hosts belong to their host. */
static void print_logins(const postern_json *j)
{
    uint32_t list = postern_json_member(j, 0, "logins"), n = postern_json_first(j, list);

    if (list == POSTERN_JSON_ABSENT) {
        puts("  whether it has sessions at hosts that ask the helper is not known");
        return;
    }
    if (n == POSTERN_JSON_ABSENT) {
        puts("  no login at hosts that ask the helper since that was started");
        return;
    }
    puts("  logins whose sessions, if they last, only their hosts can end:");
    for (; n != POSTERN_JSON_ABSENT; n = postern_json_next(j, n))
        print_login(j, n);
}

static int print_result(const struct control_call *call, const postern_json *j, const char *what)
{
    char agent[CONTROL_TEXT_MAX], ref[CONTROL_TEXT_MAX], until[CONTROL_TIME_MAX];
    int64_t until_s = control_number(j, 0, "until", 0);
    bool is_known;

    printf("%s is %s%s%s (%s)\n", control_text(j, 0, "agent", agent), what,
           until_s == 0 ? "" : " until ", until_s == 0 ? "" : control_time(until_s, until),
           control_text(j, 0, "ref", ref));
    is_known = print_news(j, "door");
    is_known = print_news(j, "helper") && is_known;
    if (strcmp(call->command, "block") == 0) {
        printf("  sessions ended at doors: %" PRId64 "\n", control_number(j, 0, "ended", 0));
        print_logins(j);
    }
    return is_known ? CLI_PROVED : CLI_UNDECIDED;
}

static int change(const struct control_call *call, const char *what)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", call->command);
    postern_json_put_str(&w, "agent", call->agent);
    postern_json_put_str(&w, "reason", call->reason);
    if (call->for_s != 0)
        postern_json_put_integer(&w, "for", call->for_s);
    postern_json_close_object(&w);
    status = control_ask(call, &request, &reply, &j);
    return status == CLI_PROVED ? print_result(call, &j, what) : status;
}

int control_block(const struct control_call *call)
{
    return change(call, "blocked");
}

int control_unblock(const struct control_call *call)
{
    return change(call, "not blocked any more");
}

/* ---- blocks ---- */

static void print_block(const postern_json *j, uint32_t block)
{
    char agent[CONTROL_TEXT_MAX], reason[CONTROL_TEXT_MAX], until[CONTROL_TIME_MAX];
    int64_t until_s = control_number(j, block, "until", 0);

    printf("%-24s %-20s %s\n", control_text(j, block, "agent", agent),
           until_s == 0 ? "-" : control_time(until_s, until),
           control_text(j, block, "reason", reason));
}

static void warn_of_trouble(const postern_json *j)
{
    char trouble[CONTROL_TEXT_MAX];

    if (control_text(j, 0, "trouble", trouble)[0] != '\0')
        fprintf(stderr,
                "postern blocks: the file of blocks cannot be used (%s); these of before are in "
                "force\n",
                trouble);
}

/* One page from *from on; *from is -1 behind the last. */
static int list_page(const struct control_call *call, int64_t *from, bool *has_printed)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    int64_t next;
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "blocks");
    postern_json_put_integer(&w, "from", *from);
    postern_json_close_object(&w);
    status = control_ask(call, &request, &reply, &j);
    if (status != CLI_PROVED)
        return status;
    if (*from == 0)
        warn_of_trouble(&j);
    for (uint32_t n = postern_json_first(&j, postern_json_member(&j, 0, "blocks"));
         n != POSTERN_JSON_ABSENT; n = postern_json_next(&j, n)) {
        postern_bytes raw = postern_json_raw(&j, n);

        if (call->is_json)
            printf("%s%.*s", *has_printed ? ",\n" : "[", (int)raw.len, (const char *)raw.ptr);
        else
            print_block(&j, n);
        *has_printed = true;
    }
    next = control_number(&j, 0, "next", -1);
    *from = next > *from ? next : -1; /* an answer that goes back would never end */
    return CLI_PROVED;
}

int control_blocks(const struct control_call *call)
{
    bool has_printed = false;
    int64_t from = 0;
    int status;

    do
        status = list_page(call, &from, &has_printed);
    while (status == CLI_PROVED && from >= 0);
    if (status == CLI_PROVED && call->is_json)
        puts(has_printed ? "]" : "[]");
    else if (status == CLI_PROVED && !has_printed)
        fputs("no blocks\n", stderr); /* a script counts lines of standard output */
    return status;
}
