/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy who-can`: whom the rules let do something, and under which conditions.  Nobody
 * who can is left out: what depends on more than the question says is a condition, and a deny above
 * that may take something away is told as "unless".
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>

#include <postern-private/clock.h>

#include "cli.h"
#include "policy.h"

struct who_request {
    struct policy_source from;
    postern_policy_about about;
    char protocol[POSTERN_POLICY_NAME_MAX];
    const char *action_text; /* as it was written */
    const char *fault;
    bool is_json, wants_help;
};

static void print_who_can_help(FILE *out)
{
    fputs(
        "usage: postern policy who-can [OPTION ...] ACTION [on RESOURCE] FILE...|DOOR\n"
        "\n"
        "Lists whom the policy lets do ACTION (like redis:GET or imap:login): who, by which rule,\n"
        "under which conditions, and unless which rule above denies it.  Nobody is left out;\n"
        "without `on RESOURCE` it is anything.\n"
        "\n"
        "  --at TIME       RFC 3339, like 2026-12-01T10:00Z [now]: without rights that are over\n"
        "  --json          one JSON object instead of lines\n"
        "  --door NAME     a door or service of the configuration, in place of files\n"
        "  --config DIR    the configuration [" POSTERN_SYSCONFDIR ", where a door is named]\n"
        "\n"
        "Exit status: 0 somebody can, 1 nobody can, 2 usage, 3 nothing was decided.\n",
        out);
}

static bool refuse(struct who_request *rq, const char *why)
{
    rq->fault = why;
    return false;
}

static bool read_words(int argc, char **argv, struct who_request *rq)
{
    int next = optind;

    if (next == argc)
        return refuse(
            rq, "who-can takes an action, perhaps `on` a resource, and rules files or a door");
    rq->action_text = argv[next++];
    if (!policy_split_action(rq->action_text, rq->protocol, &rq->about.action))
        return refuse(rq, "an action is PROTOCOL:NAME, like raw:connect or imap:login");
    rq->about.protocol = rq->protocol;
    if (!postern_policy_has_action(rq->protocol, rq->about.action))
        return refuse(rq,
                      "there is no such action (`postern policy actions` lists them, and a service "
                      "has SERVICE:login)");
    if (next + 1 < argc && strcmp(argv[next], "on") == 0) {
        rq->about.resource = postern_bytes_str(argv[next + 1]);
        next += 2;
    }
    return policy_source_names(&rq->from, argc, argv, next) ||
           refuse(rq, "who-can takes rules files or a door");
}

static bool read_who_options(int argc, char **argv, struct who_request *rq)
{
    static const struct option options[] = {
        { "at", required_argument, NULL, 't' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        POLICY_SOURCE_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    int option;

    rq->from.config_dir = POSTERN_SYSCONFDIR;
    rq->about.size = sizeof rq->about;
    rq->about.now_s = clock_wall_s();
    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return refuse(rq, "bad option or value");
        if (option == 't' && !postern_policy_read_time(optarg, &rq->about.now_s))
            return refuse(rq, "--at is a time like 2026-12-01T10:00Z");
        (void)policy_source_option(&rq->from, option, optarg);
        rq->is_json = rq->is_json || option == 'j';
        rq->wants_help = rq->wants_help || option == 'h';
    }
    return rq->wants_help || read_words(argc, argv, rq);
}

/* ---- which rules ---- */

/* Rule i lets somebody, in this list. */
static bool lets_somebody(const struct who_request *rq, const postern_policy *p, size_t i,
                          unsigned list, postern_policy_rule *ret)
{
    return postern_policy_rule_at(p, i, ret) && ret->verdict != POSTERN_VERDICT_DENY &&
           postern_policy_may_decide(p, i, list, &rq->about);
}

/* A rule above that says less than rule i does: a deny, or a hold above an allow. */
static bool takes_something(const struct who_request *rq, const postern_policy *p, size_t above,
                            size_t i, unsigned list, postern_policy_rule *ret)
{
    postern_policy_rule r;

    return postern_policy_rule_at(p, above, ret) && postern_policy_rule_at(p, i, &r) &&
           (ret->lists & list) != 0 && ret->verdict != POSTERN_VERDICT_ALLOW &&
           ret->verdict != r.verdict &&
           postern_policy_takes(p, above, i, &rq->about) != POSTERN_POLICY_NEVER;
}

/* A rule that takes a client's first words from somebody. */
static bool stops_session(const struct who_request *rq, const postern_policy *p, size_t i,
                          unsigned list, const postern_policy_rule *r)
{
    return r->verdict != POSTERN_VERDICT_ALLOW && postern_policy_may_decide(p, i, list, &rq->about);
}

static const char *list_name(unsigned list)
{
    return list == POSTERN_POLICY_LIST_USER ? "user" : "agent";
}

/* ---- lines ---- */

static void add_who(const postern_policy *p, size_t i, postern_buf *out)
{
    (void)postern_policy_print_part(p, i, POSTERN_POLICY_WHO, 0, out); /* every rule has one */
}

/* "  unless chain > 2: guardrails:no-chains (…) denies it" */
static void add_unless(const postern_policy *p, size_t above, const postern_policy_rule *r,
                       postern_buf *out)
{
    postern_buf_add_str(out, r->verdict == POSTERN_VERDICT_DENY
                                 ? "  unless it is "
                                 : "  only once approved where it is ");
    add_who(p, above, out);
    for (int part = POSTERN_POLICY_RESOURCES; part <= POSTERN_POLICY_TEST; part++)
        for (size_t n = 0; n == 0 || part == POSTERN_POLICY_TEST; n++) {
            POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

            if (!postern_policy_print_part(p, above, (postern_policy_part)part, n, &text))
                break;
            out->failed = out->failed || text.failed;
            postern_buf_add_str(out, part == POSTERN_POLICY_RESOURCES ? " on "
                                     : n == 0                         ? " if "
                                                                      : " and ");
            postern_buf_add(out, postern_buf_bytes(&text));
        }
    postern_buf_addf(out, ": %s (%s:%d) %s it\n", r->rule, r->path, r->line,
                     r->verdict == POSTERN_VERDICT_DENY ? "denies" : "holds");
}

static void add_row(const struct who_request *rq, const postern_policy *p, size_t i, unsigned list,
                    const postern_policy_rule *r, postern_buf *out)
{
    postern_policy_rule above;

    add_who(p, i, out);
    postern_buf_addf(out, "\n  by %s (%s:%d)%s\n", r->rule, r->path, r->line,
                     r->verdict == POSTERN_VERDICT_HOLD ? ", once somebody approves" : "");
    policy_add_conditions(p, i, "  ", true, out);
    for (size_t j = 0; j < i; j++)
        if (takes_something(rq, p, j, i, list, &above))
            add_unless(p, j, &above, out);
}

/* What every client says first needs no rule. */
static bool opens_session(const struct who_request *rq)
{
    return postern_policy_opens_session(rq->protocol, rq->about.action);
}

static void add_session_row(const struct who_request *rq, const postern_policy *p, unsigned list,
                            postern_buf *out)
{
    postern_policy_rule r;

    postern_buf_add_str(out, "anyone who came in\n  by @session: what every client says first\n");
    for (size_t i = 0; postern_policy_rule_at(p, i, &r); i++)
        if (stops_session(rq, p, i, list, &r))
            add_unless(p, i, &r, out);
}

static size_t add_list(const struct who_request *rq, const postern_policy *p, unsigned list,
                       postern_buf *out)
{
    postern_policy_rule r;
    size_t rows = 0;

    for (size_t i = 0; postern_policy_rule_at(p, i, &r); i++) {
        if (!lets_somebody(rq, p, i, list, &r))
            continue;
        add_row(rq, p, i, list, &r, out);
        rows++;
    }
    if (opens_session(rq)) {
        add_session_row(rq, p, list, out);
        rows++;
    }
    if (rows == 0)
        postern_buf_add_str(out, "nobody\n");
    return rows;
}

/* How many lists let somebody. */
static bool add_lines(const void *arg, const postern_policy *p, postern_buf *out)
{
    const struct who_request *rq = arg;
    unsigned lists = postern_policy_lists(p);
    bool can = true;

    for (unsigned list = 1; list <= lists; list <<= 1) {
        if (lists != POSTERN_POLICY_LIST_AGENT)
            postern_buf_addf(out, "%sThe %s's list%s:\n", list == 1 ? "" : "\n", list_name(list),
                             list == 1 ? " (both must allow)" : "");
        can = add_list(rq, p, list, out) != 0 && can;
    }
    return can;
}

/* ---- JSON ---- */

static void put_unless(const struct who_request *rq, const postern_policy *p, size_t i,
                       unsigned list, postern_json_writer *w)
{
    postern_policy_rule above;

    postern_json_open_array(w, "unless");
    for (size_t j = 0; j < i; j++) {
        if (!takes_something(rq, p, j, i, list, &above))
            continue;
        postern_json_open_object(w, NULL);
        policy_put_rule_members(p, j, w);
        postern_json_close_object(w);
    }
    postern_json_close_array(w);
}

static void put_session(const struct who_request *rq, const postern_policy *p, unsigned list,
                        postern_json_writer *w)
{
    postern_policy_rule r;

    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "rule", "@session");
    postern_json_put_str(w, "verdict", postern_verdict_name(POSTERN_VERDICT_ALLOW));
    postern_json_put_str(w, "who", "anyone");
    postern_json_open_array(w, "unless");
    for (size_t i = 0; postern_policy_rule_at(p, i, &r); i++) {
        if (!stops_session(rq, p, i, list, &r))
            continue;
        postern_json_open_object(w, NULL);
        policy_put_rule_members(p, i, w);
        postern_json_close_object(w);
    }
    postern_json_close_array(w);
    postern_json_close_object(w);
}

static bool put_list(const struct who_request *rq, const postern_policy *p, unsigned list,
                     postern_json_writer *w)
{
    postern_policy_rule r;
    bool can = false;

    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "judged", list_name(list));
    postern_json_open_array(w, "who");
    for (size_t i = 0; postern_policy_rule_at(p, i, &r); i++) {
        if (!lets_somebody(rq, p, i, list, &r))
            continue;
        postern_json_open_object(w, NULL);
        policy_put_rule_members(p, i, w);
        put_unless(rq, p, i, list, w);
        postern_json_close_object(w);
        can = true;
    }
    if (opens_session(rq)) {
        put_session(rq, p, list, w);
        can = true;
    }
    postern_json_close_array(w);
    postern_json_close_object(w);
    return can;
}

static bool add_json(const void *arg, const postern_policy *p, postern_buf *out)
{
    const struct who_request *rq = arg;
    unsigned lists = postern_policy_lists(p);
    postern_json_writer w = { .out = out };
    bool can = true;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "action", rq->action_text);
    if (rq->about.resource.ptr != NULL)
        postern_json_put_string(&w, "resource", rq->about.resource);
    postern_json_open_array(&w, "lists");
    for (unsigned list = 1; list <= lists; list <<= 1)
        can = put_list(rq, p, list, &w) && can;
    postern_json_close_array(&w);
    postern_json_put_flag(&w, "somebody", can);
    postern_json_close_object(&w);
    return can;
}

/* ---- the command ---- */

int policy_who_can(int argc, char **argv)
{
    struct who_request rq = { .is_json = false };

    if (!read_who_options(argc, argv, &rq))
        return policy_fail_usage(rq.fault, "");
    if (rq.wants_help) {
        print_who_can_help(stdout);
        return CLI_PROVED;
    }
    return policy_describe(&rq.from, rq.is_json, rq.is_json ? add_json : add_lines, &rq);
}
