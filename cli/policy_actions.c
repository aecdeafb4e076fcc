/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy actions`: what rules can name of a protocol: each action with its classes and
 * what its resource is, or each class with its actions.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "policy.h"

#define CLASSES_MAX 64                         /* of one protocol: Redis has 21 */
#define CLASS_MAX   POSTERN_POLICY_CLASSES_MAX /* bytes with NUL of a name */

struct actions_request {
    const char *protocol; /* NULL: list the protocols */
    const char *class;    /* "@read"; NULL: all actions */
    bool is_json, wants_help;
};

static void print_actions_help(FILE *out)
{
    fputs("usage: postern policy actions [OPTION ...] [PROTOCOL]\n"
          "\n"
          "Lists what a rule can name behind `to PROTOCOL:`: classes, then actions with what `on`\n"
          "compares and with their classes.  Without PROTOCOL it lists the protocols.  A service\n"
          "has SERVICE:login, on the local user.\n"
          "\n"
          "  --class CLASS   the actions of one class alone, like @read\n"
          "  --json          one JSON object instead of lines\n"
          "\n"
          "Exit status: 0 done, 1 there is no such protocol or class, 2 usage.\n",
          out);
}

static bool read_actions_options(int argc, char **argv, struct actions_request *rq)
{
    static const struct option options[] = {
        { "class", required_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return false;
        rq->class = option == 'c' ? optarg : rq->class;
        rq->is_json = rq->is_json || option == 'j';
        rq->wants_help = rq->wants_help || option == 'h';
    }
    rq->protocol = optind < argc ? argv[optind] : NULL;
    return rq->wants_help || (optind + 1 >= argc && (rq->protocol != NULL || rq->class == NULL));
}

/* ---- classes ---- */

/* The next of "@read @string"; false at the end. */
static bool take_class(postern_reader *r, postern_bytes *ret)
{
    while (r->rest.len != 0) {
        if (!postern_reader_take_until(r, ' ', ret)) {
            *ret = r->rest;
            r->rest.len = 0;
        }
        if (ret->len != 0)
            return true;
    }
    return false;
}

static bool is_of_class(const postern_policy_action *a, const char *class)
{
    postern_reader r = { postern_bytes_str(a->classes) };
    postern_bytes one;

    if (class == NULL)
        return true;
    while (take_class(&r, &one))
        if (postern_bytes_equal_str(one, class))
            return true;
    return false;
}

struct class_count {
    char name[CLASS_MAX];
    size_t actions;
};

static size_t add_classes(const postern_policy_action *a, struct class_count *list, size_t count)
{
    postern_reader r = { postern_bytes_str(a->classes) };
    postern_bytes one;

    while (take_class(&r, &one)) {
        size_t i = 0;

        while (i < count && !postern_bytes_equal_str(one, list[i].name))
            i++;
        if (i == CLASSES_MAX || one.len >= CLASS_MAX)
            continue;
        memcpy(list[i].name, one.ptr, one.len); /* zeroed behind it */
        list[i].actions += 1;
        count = i == count ? count + 1 : count;
    }
    return count;
}

static size_t count_classes(const char *protocol, struct class_count *ret)
{
    postern_policy_action a;
    size_t count = 0;

    for (size_t i = 0; postern_policy_action_at(protocol, i, &a); i++)
        count = add_classes(&a, ret, count);
    return count;
}

/* ---- lines ---- */

static bool add_class_lines(const char *protocol, postern_buf *out)
{
    struct class_count classes[CLASSES_MAX] = { { .actions = 0 } };
    size_t count = count_classes(protocol, classes);

    for (size_t i = 0; i < count; i++)
        postern_buf_addf(out, "%s:%s  %zu actions\n", protocol, classes[i].name,
                         classes[i].actions);
    return count != 0;
}

static size_t add_action_lines(const struct actions_request *rq, postern_buf *out)
{
    postern_policy_action a;
    size_t count = 0;

    if (rq->class == NULL && add_class_lines(rq->protocol, out))
        postern_buf_add_byte(out, '\n');
    for (size_t i = 0; postern_policy_action_at(rq->protocol, i, &a); i++) {
        if (!is_of_class(&a, rq->class))
            continue;
        count++;
        postern_buf_addf(out, "%s:%s%s%s%s%s\n", rq->protocol, a.name,
                         a.resource[0] == '\0' ? "" : "  on ", a.resource,
                         a.classes[0] == '\0' ? "" : "  ", a.classes);
    }
    return count;
}

static size_t add_lines(const struct actions_request *rq, postern_buf *out)
{
    size_t i = 0;

    if (rq->protocol != NULL)
        return add_action_lines(rq, out);
    for (const char *p; (p = postern_policy_protocol(i)) != NULL; i++)
        postern_buf_addf(out, "%s\n", p);
    return i;
}

/* ---- JSON ---- */

static void put_action(const postern_policy_action *a, postern_json_writer *w)
{
    postern_reader r = { postern_bytes_str(a->classes) };
    postern_bytes one;

    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "action", a->name);
    postern_json_open_array(w, "classes");
    while (take_class(&r, &one))
        postern_json_put_string(w, NULL, one);
    postern_json_close_array(w);
    postern_json_put_str(w, "resource", a->resource);
    postern_json_close_object(w);
}

static size_t put_protocol(const char *protocol, const char *class, postern_json_writer *w)
{
    postern_policy_action a;
    size_t count = 0;

    postern_json_open_array(w, protocol);
    for (size_t i = 0; postern_policy_action_at(protocol, i, &a); i++)
        if (is_of_class(&a, class)) {
            put_action(&a, w);
            count++;
        }
    postern_json_close_array(w);
    return count;
}

static size_t add_json(const struct actions_request *rq, postern_buf *out)
{
    postern_json_writer w = { .out = out };
    const char *p;
    size_t count = 0;

    postern_json_open_object(&w, NULL);
    for (size_t i = 0; (p = postern_policy_protocol(i)) != NULL; i++)
        if (rq->protocol == NULL || strcmp(rq->protocol, p) == 0)
            count += put_protocol(p, rq->class, &w);
    postern_json_close_object(&w);
    return count;
}

/* ---- the command ---- */

static int run_actions(const struct actions_request *rq)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    size_t count = (rq->is_json ? add_json : add_lines)(rq, &out);

    if (count == 0) {
        fputs("postern policy actions: there is no such protocol or class; without one they are listed\n", stderr);
        return CLI_REJECTED;
    }
    return rq->is_json ? policy_put_json(&out) : policy_put(&out, stdout);
}

int policy_actions(int argc, char **argv)
{
    struct actions_request rq = { .protocol = NULL };

    if (!read_actions_options(argc, argv, &rq))
        return policy_fail_usage("actions takes one protocol, --class and --json", "");
    if (rq.wants_help) {
        print_actions_help(stdout);
        return CLI_PROVED;
    }
    return run_actions(&rq);
}
