/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy check`: mistakes, expects that fail and rules that can never decide, as lines
 * that editors jump to or as JSON.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/clock.h>

#include "cli.h"
#include "policy.h"

struct check_request {
    struct policy_source from;
    bool is_json, wants_print, wants_help;
};

static void print_check_help(FILE *out)
{
    fputs(
        "usage: postern policy check [OPTION ...] FILE...|DOOR\n"
        "\n"
        "Reads rules files as one policy, in this order, or the policy of a door or service, runs\n"
        "its `expect` lines and warns of rules that can never decide, that contradict one above\n"
        "them, that deny a URI and nothing with a query behind it, whose time is over, or (with a\n"
        "configuration) whose service is not there.\n"
        "\n"
        "  --print         print the rules as they were understood\n"
        "  --json          one JSON object: ok, errors and warnings\n"
        "  --door NAME     a door or service of the configuration, in place of files\n"
        "  --config DIR    the configuration [" POSTERN_SYSCONFDIR ", where a door is named]\n"
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
        POLICY_SOURCE_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    int option;

    rq->from.config_dir = POSTERN_SYSCONFDIR;
    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return false;
        (void)policy_source_option(&rq->from, option, optarg);
        rq->is_json = rq->is_json || option == 'j';
        rq->wants_print = rq->wants_print || option == 'p';
        rq->wants_help = rq->wants_help || option == 'h';
    }
    return policy_source_names(&rq->from, argc, argv, optind) || rq->wants_help;
}

/* ---- warnings ---- */

/* Where the configuration is known, so are the services. */
static postern_err add_warnings(const struct policy_opened *opened, postern_buf *out,
                                postern_error *err)
{
    postern_policy_place place = { .size = sizeof place, .now_s = clock_wall_s() };
    const postern_section *s;
    const char **services = NULL;
    size_t count = 0;

    if (opened->config != NULL) {
        while (postern_config_section_at(opened->config, POSTERN_SECTION_SERVICE, count) != NULL)
            count++;
        services = calloc(count + 1, sizeof *services);
        if (services == NULL)
            return POSTERN_FAIL(err, NOMEM, "%zu services", count);
        for (size_t i = 0;
             (s = postern_config_section_at(opened->config, POSTERN_SECTION_SERVICE, i)) != NULL;
             i++)
            services[i] = postern_section_name(s);
    }
    place.services = services;
    place.service_count = count;
    postern_policy_warnings_at(opened->policy, &place, out);
    free(services);
    return out->failed ? POSTERN_FAIL(err, NOMEM, "warnings") : POSTERN_OK;
}

/* ---- lines ---- */

static int print_rules(const postern_policy *p)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);

    for (size_t i = 0; postern_policy_print(p, i, &out); i++)
        ;
    return policy_put(&out, stdout);
}

static int check_in_lines(const struct check_request *rq, const struct policy_opened *opened)
{
    POSTERN_AUTO_BUF warnings = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    postern_error err = { 0 };
    int status;

    if (add_warnings(opened, &warnings, &err) != POSTERN_OK) {
        policy_print_fault(NULL, &err);
        return CLI_UNDECIDED;
    }
    status = policy_put(&warnings, stderr);
    return status == CLI_PROVED && rq->wants_print ? print_rules(opened->policy) : status;
}

/* ---- JSON ---- */

/* "PATH:LINE:COLUMN: what" */
struct place {
    postern_bytes path;
    long line, column;
    const char *what;
};

static bool read_place_at(const char *text, const char *colon, struct place *ret)
{
    char *end;

    ret->path = (postern_bytes){ (const uint8_t *)text, (size_t)(colon - text) };
    ret->line = strtol(colon + 1, &end, 10);
    if (ret->line <= 0 || *end != ':')
        return false;
    ret->column = strtol(end + 1, &end, 10);
    ret->what = end + 2;
    return ret->column > 0 && strncmp(end, ": ", 2) == 0;
}

static bool find_place(const char *text, struct place *ret)
{
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':'))
        if (read_place_at(text, colon, ret))
            return true;
    return false;
}

static void put_message(postern_json_writer *w, const char *text)
{
    struct place place;

    postern_json_open_object(w, NULL);
    if (find_place(text, &place)) {
        postern_json_put_string(w, "file", place.path);
        postern_json_put_integer(w, "line", place.line);
        postern_json_put_integer(w, "column", place.column);
        text = place.what;
    }
    postern_json_put_str(w, "message", text);
    postern_json_close_object(w);
}

static void put_fault(void *arg, const postern_error *err)
{
    put_message(arg, err->detail);
}

static void put_warnings(const struct policy_opened *opened, postern_json_writer *w)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    postern_error err = { 0 };
    postern_reader r;
    postern_bytes line;
    char message[1024]; /* two paths that are longer are cut */

    if (opened->policy != NULL && add_warnings(opened, &text, &err) != POSTERN_OK)
        w->out->failed = true;
    r.rest = postern_buf_bytes(&text);
    while (postern_reader_take_until(&r, '\n', &line)) {
        (void)snprintf(message, sizeof message, "%.*s", (int)line.len, (const char *)line.ptr);
        put_message(w, message);
    }
}

static int check_in_json(const struct check_request *rq)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    postern_json_writer w = { .out = &out };
    struct policy_opened opened;
    postern_err e;
    int status;

    postern_json_open_object(&w, NULL);
    postern_json_open_array(&w, "errors");
    e = policy_open(&rq->from, put_fault, &w, &opened);
    postern_json_close_array(&w);
    postern_json_open_array(&w, "warnings");
    if (e == POSTERN_OK)
        put_warnings(&opened, &w);
    postern_json_close_array(&w);
    postern_json_put_flag(&w, "ok", e == POSTERN_OK);
    postern_json_close_object(&w);
    policy_close(&opened);
    status = policy_put_json(&out);
    return status == CLI_PROVED ? policy_exit_code(e) : status;
}

static int run_check(const struct check_request *rq)
{
    struct policy_opened opened;
    postern_err e;
    int status;

    if (rq->is_json)
        return check_in_json(rq);
    e = policy_open(&rq->from, policy_print_fault, NULL, &opened);
    status = e == POSTERN_OK ? check_in_lines(rq, &opened) : policy_exit_code(e);
    policy_close(&opened);
    return status;
}

int policy_check(int argc, char **argv)
{
    struct check_request rq = { .is_json = false };

    if (!read_check_options(argc, argv, &rq))
        return policy_fail_usage("check takes rules files or a door, --json and --print", "");
    if (rq.wants_help) {
        print_check_help(stdout);
        return CLI_PROVED;
    }
    if (rq.is_json && rq.wants_print)
        return policy_fail_usage("--print has no JSON", "");
    return run_check(&rq);
}
