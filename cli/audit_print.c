/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters and one-line form of audit records (cli/audit_print.h). */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_print.h"
#include "safe_text.h"

#define ACTION_TEXT_MAX 16384 /* bytes: a line of posternd's, each byte escaped */

/* ---- since when ---- */

static int64_t seconds_of_unit(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

/* "12h" ago. */
static bool parse_ago(const char *text, int64_t now_s, char ret[AUDIT_SINCE_MAX])
{
    char *end;
    int64_t count;
    time_t then;
    struct tm utc;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    count = strtoll(text, &end, 10);
    if (errno != 0 || end[0] == '\0' || end[1] != '\0' || seconds_of_unit(end[0]) == 0 ||
        count > now_s / seconds_of_unit(end[0]))
        return false;
    then = (time_t)(now_s - count * seconds_of_unit(end[0]));
    return gmtime_r(&then, &utc) != NULL &&
           strftime(ret, AUDIT_SINCE_MAX, "%Y-%m-%dT%H:%M:%S", &utc) != 0;
}

/* The beginning of "2026-11-21T10:30:00.123", at least the day; a Z at its end is not kept: it
 * sorts wrongly. */
static bool parse_beginning(const char *text, char ret[AUDIT_SINCE_MAX])
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.ddd";
    size_t len = strlen(text);

    if (len > 0 && text[len - 1] == 'Z')
        len--;
    if (len < 10 || len > sizeof form - 1)
        return false;
    for (size_t i = 0; i < len; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    memcpy(ret, text, len);
    ret[len] = '\0';
    return true;
}

bool audit_since_parse(const char *text, int64_t now_s, char ret[AUDIT_SINCE_MAX])
{
    return parse_ago(text, now_s, ret) || parse_beginning(text, ret);
}

/* ---- filter ---- */

static bool is_asked(const char *want)
{
    return want != NULL && want[0] != '\0';
}

static bool member_is(const postern_json *j, const char *name, const char *want)
{
    return postern_json_string_is(j, postern_json_member(j, 0, name), want);
}

static bool has(const postern_json *j, const char *name)
{
    return postern_json_member(j, 0, name) != POSTERN_JSON_ABSENT;
}

/* The outermost actor, ABSENT when there is no delegation. */
static uint32_t first_actor(const postern_json *j)
{
    uint32_t act = postern_json_member(j, 0, "act");

    return postern_json_type_of(j, act) == POSTERN_JSON_ARRAY ? postern_json_first(j, act)
                                                              : POSTERN_JSON_ABSENT;
}

static bool is_agent(const postern_json *j, const char *want)
{
    if (has(j, "agent"))
        return member_is(j, "agent", want);
    return postern_json_string_is(j, first_actor(j), want) || member_is(j, "client_id", want);
}

/* By his local name or by his issuer's; an agent for itself is no human, whatever its name. */
static bool is_human(const postern_json *j, const char *want)
{
    if (!has(j, "human") && has(j, "agent"))
        return false;
    return member_is(j, "human", want) || member_is(j, "sub", want) || member_is(j, "user", want);
}

/* Times have one form, so that they sort as texts; a time of another form is shown. */
static bool is_since(const postern_json *j, const char *since)
{
    postern_bytes time = postern_json_raw(j, postern_json_member(j, 0, "time"));
    size_t len = strlen(since);

    return time.len < len + 2 || memcmp(time.ptr + 1, since, len) >= 0;
}

/* By its name as audit_print_record() prints it: a name has no control characters. */
static bool is_action(const postern_json *j, const char *want)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ACTION_TEXT_MAX);
    const char *action;

    if (!safe_member_add(j, "action", &text))
        return false;
    action = postern_buf_cstr(&text);
    return action != NULL && fnmatch(want, action, FNM_NOESCAPE) == 0;
}

bool audit_filter_takes(const struct audit_filter *f, const postern_json *j)
{
    if (f->only_denied && (!has(j, "outcome") || member_is(j, "outcome", "proved")))
        return false;
    if (f->only_would_deny && !member_is(j, "would", "deny"))
        return false;
    return (!is_asked(f->agent) || is_agent(j, f->agent)) &&
           (!is_asked(f->human) || is_human(j, f->human)) &&
           (!is_asked(f->service) || member_is(j, "service", f->service)) &&
           (!is_asked(f->session) || member_is(j, "session", f->session)) &&
           (!is_asked(f->action) || is_action(j, f->action)) &&
           (!is_asked(f->event) || member_is(j, "event", f->event)) &&
           (!is_asked(f->purpose) || member_is(j, "purpose", f->purpose)) &&
           (!is_asked(f->grant_id) || member_is(j, "grant_id", f->grant_id)) &&
           (!is_asked(f->since) || is_since(j, f->since));
}

/* ---- one line ---- */

/* A column: at least `width` wide, "-" when empty, and one blank behind it. */
static void add_column(const postern_json *j, const char *name, size_t width, postern_buf *out)
{
    size_t start = out->len;

    if (!safe_member_add(j, name, out) || out->len == start)
        postern_buf_add_byte(out, '-');
    while (out->len - start < width && !out->failed)
        postern_buf_add_byte(out, ' ');
    postern_buf_add_byte(out, ' ');
}

static bool is_same(const postern_json *j, const char *a, const char *b)
{
    return postern_bytes_equal(postern_json_raw(j, postern_json_member(j, 0, a)),
                               postern_json_raw(j, postern_json_member(j, 0, b)));
}

static void add_who(const postern_json *j, postern_buf *out)
{
    static const char *const agents[] = { "agent", "client_id", "sub" };
    static const char *const humans[] = { "human", "user" };
    size_t start = out->len;

    for (size_t i = 0; i < 3 && out->len == start; i++)
        (void)safe_member_add(j, agents[i], out);
    if (out->len == start)
        postern_buf_add_byte(out, '-');
    for (size_t i = 0; i < 2; i++) {
        if (!has(j, humans[i]) || (i == 1 && is_same(j, humans[0], humans[1])))
            continue;
        postern_buf_add_str(out, i == 0 ? " for " : " as ");
        (void)safe_member_add(j, humans[i], out);
    }
}

static const struct {
    const char *name, *before;
} details[] = {
    { "end", ", end: " },
    { "reason", ", " },
    { "peer", ", from " },
    { "session", ", session " },
    { "action", ", " },
    { "resource", " " },
    { "more_resources", " and more: " },
    { "database", " in database " },
    { "args_digest", ", arguments " },
    { "rule", ", rule " },
    { "user_rule", " and " },
    { "would", ", would " },
    { "because", ", because " },
    { "approver", ", by " },
    { "purpose", ", purpose " },
    { "claimed_purpose", ", says it is for " },
    { "duration_ms", ", ms " },
    { "up", ", up " },
    { "down", ", down " },
    { "count", ", count " },
    { "missed", ", missed " },
    { "detail", ", " },
    { "origin", ", " },
    { "ref", ", " },
};

void audit_print_record(const postern_json *j, postern_buf *out)
{
    bool is_proved = member_is(j, "outcome", "proved");

    add_column(j, "time", 24, out);
    add_column(j, "event", 8, out);
    add_column(j, "outcome", 9, out);
    add_column(j, "service", 12, out);
    add_who(j, out);
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        if (!has(j, details[i].name) || (is_proved && strcmp(details[i].name, "reason") == 0))
            continue;
        postern_buf_add_str(out, details[i].before);
        (void)safe_member_add(j, details[i].name, out);
    }
    postern_buf_add_byte(out, '\n');
}
