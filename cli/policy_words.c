/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules and times as `postern policy` prints them, for people and as JSON. */
#include "config.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "policy.h"
#include "safe_text.h"

/* ---- output ---- */

static int write_text(postern_buf *out, FILE *to)
{
    const char *text = postern_buf_cstr(out);

    if (text == NULL) {
        fputs("postern policy: out of memory\n", stderr);
        return CLI_UNDECIDED;
    }
    return fputs(text, to) < 0 || fflush(to) != 0 ? CLI_UNDECIDED : CLI_PROVED;
}

/* Line by line: a line's end is the only byte below a blank that may stay. */
static void add_safe_lines(postern_bytes text, postern_buf *out)
{
    postern_reader r = { text };
    postern_bytes line;

    while (postern_reader_take_until(&r, '\n', &line)) {
        safe_text_add(line, out);
        postern_buf_add_byte(out, '\n');
    }
    safe_text_add(r.rest, out);
}

int policy_put(postern_buf *out, FILE *to)
{
    POSTERN_AUTO_BUF safe = POSTERN_BUF_INIT(4 * (size_t)POLICY_OUTPUT_MAX);

    if (out->failed || isatty(fileno(to)) != 1)
        return write_text(out, to);
    add_safe_lines(postern_buf_bytes(out), &safe);
    return write_text(&safe, to);
}

int policy_put_json(postern_buf *out)
{
    POSTERN_AUTO_BUF safe = POSTERN_BUF_INIT(6 * (size_t)POLICY_OUTPUT_MAX);

    postern_buf_add_byte(out, '\n');
    if (out->failed || isatty(STDOUT_FILENO) != 1)
        return write_text(out, stdout);
    safe_json_add(postern_buf_bytes(out), &safe);
    postern_buf_add_byte(&safe, '\n');
    return write_text(&safe, stdout);
}

/* ---- times ---- */

void policy_add_time(int64_t s, postern_buf *out)
{
    time_t at = (time_t)s;
    char text[32];
    struct tm utc;

    if (gmtime_r(&at, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        postern_buf_add_str(out, "a time of no calendar");
    else
        postern_buf_add_str(out, text);
}

bool policy_split_action(const char *text, char *room, const char **ret)
{
    size_t len = strcspn(text, ":");

    if (text[len] == '\0' || len >= POSTERN_POLICY_NAME_MAX)
        return false;
    memcpy(room, text, len);
    room[len] = '\0';
    *ret = text + len + 1;
    return true;
}

/* ---- rules ---- */

void policy_add_conditions(const postern_policy *p, size_t i, const char *indent,
                           bool with_resources, postern_buf *out)
{
    static const char *const before[] = { "on", "if", "and", "with" };
    bool is_test = false;

    for (int part = with_resources ? POSTERN_POLICY_RESOURCES : POSTERN_POLICY_TEST;
         part <= POSTERN_POLICY_DUTIES; part++)
        for (size_t n = 0;; n++) {
            POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

            if ((n != 0 && part != POSTERN_POLICY_TEST) ||
                !postern_policy_print_part(p, i, (postern_policy_part)part, n, &text))
                break;
            is_test = part == POSTERN_POLICY_TEST;
            postern_buf_addf(out, "%s%s ", indent,
                             before[part == POSTERN_POLICY_RESOURCES ? 0
                                    : !is_test                       ? 3
                                    : n == 0                         ? 1
                                                                     : 2]);
            out->failed = out->failed || text.failed;
            postern_buf_add(out, postern_buf_bytes(&text));
            postern_buf_add_byte(out, '\n');
        }
}

static void put_part(const postern_policy *p, size_t i, postern_policy_part part, size_t n,
                     const char *name, postern_json_writer *w)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

    (void)postern_policy_print_part(p, i, part, n, &text); /* "": it has none */
    w->out->failed = w->out->failed || text.failed;
    postern_json_put_string(w, name, postern_buf_bytes(&text));
}

static bool has_test(const postern_policy *p, size_t i, size_t n)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

    return postern_policy_print_part(p, i, POSTERN_POLICY_TEST, n, &text);
}

void policy_put_rule_members(const postern_policy *p, size_t i, postern_json_writer *w)
{
    POSTERN_AUTO_BUF ends = POSTERN_BUF_INIT(64);
    postern_policy_rule r;

    if (!postern_policy_rule_at(p, i, &r))
        return;
    postern_json_put_str(w, "rule", r.rule);
    postern_json_put_str(w, "file", r.path);
    postern_json_put_integer(w, "line", r.line);
    postern_json_put_str(w, "verdict", postern_verdict_name(r.verdict));
    put_part(p, i, POSTERN_POLICY_WHO, 0, "who", w);
    put_part(p, i, POSTERN_POLICY_TARGET, 0, "action", w);
    put_part(p, i, POSTERN_POLICY_RESOURCES, 0, "resources", w);
    postern_json_open_array(w, "tests");
    for (size_t n = 0; has_test(p, i, n); n++)
        put_part(p, i, POSTERN_POLICY_TEST, n, NULL, w);
    postern_json_close_array(w);
    put_part(p, i, POSTERN_POLICY_DUTIES, 0, "duties", w);
    postern_json_put_str(w, "because", r.because);
    if (r.ends_s < 0)
        return;
    policy_add_time(r.ends_s, &ends);
    postern_json_put_string(w, "ends", postern_buf_bytes(&ends));
}
