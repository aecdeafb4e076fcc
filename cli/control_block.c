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

#define LIST_MAX     (64 * 1024 * 1024) /* all blocks there can be, with their names at the longest */
#define READS_MAX    8                  /* of a list that changes between its pages */

/* All pages of one list, kept until they are known to be of one. */
struct blocks {
    const struct control_call *call;
    postern_buf text;
    int64_t from;                /* of the next page; -1: there is none */
    char list[CONTROL_TEXT_MAX]; /* which; "": posternd is older than that */
    char trouble[CONTROL_TEXT_MAX];
    bool has_changed;
};

static void add_block(const postern_json *j, uint32_t block, struct blocks *b)
{
    char agent[CONTROL_TEXT_MAX], reason[CONTROL_TEXT_MAX], until[CONTROL_TIME_MAX];
    int64_t until_s = control_number(j, block, "until", 0);

    if (b->call->is_json) {
        postern_buf_add_str(&b->text, b->text.len == 0 ? "[" : ",\n");
        postern_buf_add(&b->text, postern_json_raw(j, block));
        return;
    }
    postern_buf_addf(&b->text, "%-24s %-20s %s\n", control_text(j, block, "agent", agent),
                     until_s == 0 ? "-" : control_time(until_s, until),
                     control_text(j, block, "reason", reason));
}

static void add_page(const postern_json *j, struct blocks *b)
{
    char list[CONTROL_TEXT_MAX];
    int64_t next = control_number(j, 0, "next", -1);

    control_text(j, 0, "list", list);
    b->has_changed = b->from != 0 && strcmp(list, b->list) != 0;
    memcpy(b->list, list, sizeof b->list);
    control_text(j, 0, "trouble", b->trouble);
    for (uint32_t n = postern_json_first(j, postern_json_member(j, 0, "blocks"));
         n != POSTERN_JSON_ABSENT && !b->has_changed; n = postern_json_next(j, n))
        add_block(j, n, b);
    b->from = next > b->from ? next : -1; /* an answer that goes back would never end */
}

static int read_page(struct blocks *b)
{
    POSTERN_AUTO_BUF request = POSTERN_BUF_INIT(CONTROL_CALL_MAX);
    POSTERN_AUTO_BUF reply = POSTERN_BUF_INIT(ADMIN_CALL_REPLY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { &request, false };
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verb", "blocks");
    postern_json_put_integer(&w, "from", b->from);
    postern_json_close_object(&w);
    status = control_ask(b->call, &request, &reply, &j);
    if (status == CLI_PROVED)
        add_page(&j, b);
    return status;
}

/* Pages of two lists may leave out what stood between them: then all is read again. */
static int read_pages(struct blocks *b)
{
    int status = CLI_PROVED;

    for (int reads = 0; reads < READS_MAX; reads++) {
        postern_buf_free(&b->text);
        b->has_changed = false;
        b->from = 0;
        while (status == CLI_PROVED && b->from >= 0 && !b->has_changed)
            status = read_page(b);
        if (status != CLI_PROVED || !b->has_changed)
            return status;
    }
    fputs("postern blocks: the list changes while it is read; try again\n", stderr);
    return CLI_UNDECIDED;
}

static int print_blocks(struct blocks *b)
{
    bool is_empty = b->text.len == 0;

    if (b->trouble[0] != '\0')
        fprintf(stderr,
                "postern blocks: the file of blocks cannot be used (%s); these of before are in "
                "force\n",
                b->trouble);
    if (b->call->is_json)
        postern_buf_add_str(&b->text, is_empty ? "[]\n" : "]\n");
    else if (is_empty)
        fputs("no blocks\n", stderr); /* a script counts lines of standard output */
    if (b->text.failed) {
        fputs("postern blocks: out of memory\n", stderr);
        return CLI_UNDECIDED;
    }
    if (b->text.len == 0)
        return CLI_PROVED;
    return fwrite(b->text.ptr, 1, b->text.len, stdout) == b->text.len && fflush(stdout) == 0
               ? CLI_PROVED
               : CLI_UNDECIDED;
}

int control_blocks(const struct control_call *call)
{
    struct blocks b = { .call = call, .text = POSTERN_BUF_INIT(LIST_MAX) };
    int status = read_pages(&b);

    if (status == CLI_PROVED)
        status = print_blocks(&b);
    postern_buf_free(&b.text);
    return status;
}
