/* SPDX-License-Identifier: BSD-2-Clause */
/* See doctor_report.h. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/json.h>

#include "doctor_report.h"
#include "safe_text.h"

static const char *const level_names[] = { "problem", "warning", "ok", "note" };

static struct doctor_finding *make_room(struct doctor_report *r)
{
    struct doctor_finding *more = NULL;

    if (r->count < DOCTOR_FINDINGS_MAX)
        more = realloc(r->list, (r->count + 1) * sizeof *more); /* bounded just now */
    if (more == NULL) {
        r->is_incomplete = true;
        return NULL;
    }
    r->list = more;
    more[r->count] = (struct doctor_finding){ .level = DOCTOR_PROBLEM };
    return &more[r->count++];
}

static void copy(char *room, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len >= size)
        len = size - 1;
    memcpy(room, text, len);
    room[len] = '\0';
}

void doctor_add(struct doctor_report *r, const char *check, enum doctor_level level,
                const char *advice, const char *what_format, ...)
{
    struct doctor_finding *f = make_room(r);
    va_list values;

    if (f == NULL)
        return;
    copy(f->service, sizeof f->service, r->service == NULL ? "" : r->service);
    copy(f->check, sizeof f->check, check);
    copy(f->advice, sizeof f->advice, advice);
    f->level = level;
    va_start(values, what_format);
    if (vsnprintf(f->what, sizeof f->what, what_format, values) < 0)
        f->what[0] = '\0';
    va_end(values);
}

bool doctor_is_well(const struct doctor_report *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].level == DOCTOR_PROBLEM)
            return false;
    return !r->is_incomplete;
}

/* ---- text ---- */

static void put_finding(const struct doctor_finding *f, postern_buf *out)
{
    postern_buf_addf(out, "  %-8s %-14s ", level_names[f->level], f->check);
    safe_text_add(postern_bytes_str(f->what), out);
    postern_buf_add_byte(out, '\n');
    if (f->advice[0] == '\0')
        return;
    postern_buf_addf(out, "  %-8s %-14s -> ", "", "");
    safe_text_add(postern_bytes_str(f->advice), out);
    postern_buf_add_byte(out, '\n');
}

static size_t count_level(const struct doctor_report *r, enum doctor_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++)
        n += r->list[i].level == level;
    return n;
}

static void put_count(size_t n, const char *word, postern_buf *out)
{
    postern_buf_addf(out, "%zu %s%s", n, word, n == 1 ? "" : "s");
}

void doctor_put_text(const struct doctor_report *r, postern_buf *out)
{
    const char *service = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_finding *f = &r->list[i];

        if (service == NULL || strcmp(service, f->service) != 0)
            postern_buf_addf(out, "%s%s\n", i == 0 ? "" : "\n",
                             f->service[0] == '\0' ? "posternd" : f->service);
        service = f->service;
        put_finding(f, out);
    }
    postern_buf_add_byte(out, '\n');
    put_count(count_level(r, DOCTOR_PROBLEM), "problem", out);
    postern_buf_add_str(out, ", ");
    put_count(count_level(r, DOCTOR_WARNING), "warning", out);
    postern_buf_add_str(out, r->is_incomplete ? "; there was no room for all of it\n" : "\n");
}

/* ---- JSON ---- */

void doctor_put_json(const struct doctor_report *r, postern_buf *out)
{
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", doctor_is_well(r));
    postern_json_put_integer(&w, "problems", (int64_t)count_level(r, DOCTOR_PROBLEM));
    postern_json_put_integer(&w, "warnings", (int64_t)count_level(r, DOCTOR_WARNING));
    postern_json_open_array(&w, "checks");
    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_finding *f = &r->list[i];

        postern_json_open_object(&w, NULL);
        if (f->service[0] != '\0')
            postern_json_put_str(&w, "service", f->service);
        postern_json_put_str(&w, "check", f->check);
        postern_json_put_str(&w, "state", level_names[f->level]);
        postern_json_put_str(&w, "what", f->what);
        if (f->advice[0] != '\0')
            postern_json_put_str(&w, "advice", f->advice);
        postern_json_close_object(&w);
    }
    postern_json_close_array(&w);
    postern_json_close_object(&w);
    postern_buf_add_byte(out, '\n');
}

void doctor_report_free(struct doctor_report *r)
{
    free(r->list);
    *r = (struct doctor_report){ 0 };
}
