/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy check`: mistakes, expects that fail and rules that can never decide, as lines
 * that editors jump to or as JSON.
 */
#include "policy.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/json.h>

#include "cli.h"

/* Bytes: each file in one spelling (quotes, blanks), and each of its lines in a warning. */
#define OUTPUT_MAX (64 * 1024 * 1024)

struct check_request {
    char **paths;
    size_t count;
    bool is_json, wants_print, wants_help;
};

static void print_check_help(FILE *out)
{
    fputs("usage: postern policy check [--json | --print] FILE...\n"
          "\n"
          "Reads rules files as one policy, in this order, runs their `expect` lines and warns of\n"
          "rules that can never decide.\n"
          "\n"
          "  --print    print the rules as they were understood\n"
          "  --json     one JSON object: ok, errors and warnings\n"
          "\n"
          "Exit status: 0 fine, 1 faulty, 2 usage, 3 a file cannot be read.\n",
          out);
}

static bool read_check_options(int argc, char **argv, struct check_request *rq)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "print", no_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return false;
        rq->is_json = rq->is_json || option == 'j';
        rq->wants_print = rq->wants_print || option == 'p';
        rq->wants_help = rq->wants_help || option == 'h';
    }
    rq->paths = argv + optind;
    rq->count = (size_t)(argc - optind);
    return rq->wants_help || rq->count != 0;
}

/* ---- lines ---- */

static void print_fault(void *arg, const postern_error *err)
{
    (void)arg;
    fprintf(stderr, "%s\n", err->detail);
}

static int print_buf(postern_buf *out, FILE *to)
{
    const char *text = postern_buf_cstr(out);

    if (text == NULL) {
        fputs("postern policy: out of memory\n", stderr);
        return CLI_UNDECIDED;
    }
    return fputs(text, to) < 0 || fflush(to) != 0 ? CLI_UNDECIDED : CLI_PROVED;
}

static int print_rules(const postern_policy *p)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);

    for (size_t i = 0; postern_policy_print(p, i, &out); i++)
        ;
    return print_buf(&out, stdout);
}

static int check_in_lines(const struct check_request *rq)
{
    POSTERN_AUTO_BUF warnings = POSTERN_BUF_INIT(OUTPUT_MAX);
    POSTERN_AUTO(policy) p = NULL;
    postern_err e = policy_load(rq->paths, rq->count, print_fault, NULL, &p);
    int status;

    if (e != POSTERN_OK)
        return policy_exit_code(e);
    postern_policy_warnings(p, &warnings);
    status = print_buf(&warnings, stderr);
    return status == CLI_PROVED && rq->wants_print ? print_rules(p) : status;
}

/* ---- JSON ---- */

struct faults {
    const struct check_request *rq;
    postern_json_writer *w;
};

/* "PATH:LINE:COLUMN: what": the place that follows the path, if it does. */
static bool find_place(const char *text, const char *path, long *ret_line, long *ret_column,
                       const char **ret_what)
{
    size_t len = strlen(path);
    char *end;

    if (strncmp(text, path, len) != 0 || text[len] != ':')
        return false;
    *ret_line = strtol(text + len + 1, &end, 10);
    if (*ret_line <= 0 || *end != ':')
        return false;
    *ret_column = strtol(end + 1, &end, 10);
    if (*ret_column <= 0 || strncmp(end, ": ", 2) != 0)
        return false;
    *ret_what = end + 2;
    return true;
}

static void put_message(const struct check_request *rq, postern_json_writer *w, const char *text)
{
    const char *what = text;
    long line, column;

    postern_json_open_object(w, NULL);
    for (size_t i = 0; i < rq->count; i++)
        if (find_place(text, rq->paths[i], &line, &column, &what)) {
            postern_json_put_str(w, "file", rq->paths[i]);
            postern_json_put_integer(w, "line", line);
            postern_json_put_integer(w, "column", column);
            break;
        }
    postern_json_put_str(w, "message", what);
    postern_json_close_object(w);
}

static void put_fault(void *arg, const postern_error *err)
{
    struct faults *faults = arg;

    put_message(faults->rq, faults->w, err->detail);
}

static void put_warnings(const struct check_request *rq, const postern_policy *p,
                         postern_json_writer *w)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(OUTPUT_MAX);
    postern_reader r;
    postern_bytes line;
    char message[1024]; /* two paths that are longer are cut */

    if (p != NULL)
        postern_policy_warnings(p, &text);
    w->out->failed = w->out->failed || text.failed;
    r.rest = postern_buf_bytes(&text);
    while (postern_reader_take_until(&r, '\n', &line)) {
        (void)snprintf(message, sizeof message, "%.*s", (int)line.len, (const char *)line.ptr);
        put_message(rq, w, message);
    }
}

static int check_in_json(const struct check_request *rq)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);
    POSTERN_AUTO(policy) p = NULL;
    postern_json_writer w = { .out = &out };
    struct faults faults = { rq, &w };
    postern_err e;
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_open_array(&w, "errors");
    e = policy_load(rq->paths, rq->count, put_fault, &faults, &p);
    postern_json_close_array(&w);
    postern_json_open_array(&w, "warnings");
    put_warnings(rq, p, &w);
    postern_json_close_array(&w);
    postern_json_put_flag(&w, "ok", e == POSTERN_OK);
    postern_json_close_object(&w);
    postern_buf_add_byte(&out, '\n');
    status = print_buf(&out, stdout);
    return status == CLI_PROVED ? policy_exit_code(e) : status;
}

int policy_check(int argc, char **argv)
{
    struct check_request rq = { 0 };

    if (!read_check_options(argc, argv, &rq))
        return policy_fail_usage("check takes rules files, --json and --print", "");
    if (rq.wants_help) {
        print_check_help(stdout);
        return CLI_PROVED;
    }
    if (rq.is_json && rq.wants_print)
        return policy_fail_usage("--print has no JSON", "");
    return rq.is_json ? check_in_json(&rq) : check_in_lines(&rq);
}
