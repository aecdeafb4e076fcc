/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy show --agent X`: what an agent may do, rule by rule: what at once, what once
 * somebody approves, what is denied, which rights are over.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>

#include <postern-private/clock.h>

#include "cli.h"
#include "policy.h"

struct show_request {
    struct policy_source from;
    postern_policy_about about;
    const char *fault;
    bool is_json, wants_help;
};

static void print_show_help(FILE *out)
{
    fputs("usage: postern policy show --agent NAME [OPTION ...] FILE...|DOOR\n"
          "\n"
          "Lists what the policy lets an agent do, rule by rule with its conditions and duties,\n"
          "what waits for an approval, what is denied, and which rights are over.\n"
          "\n"
          "  --agent NAME    who acts\n"
          "  --for USER      for which human [whomever, or nobody]\n"
          "  --at TIME       RFC 3339, like 2026-12-01T10:00Z [now]\n"
          "  --json          one JSON object instead of lines\n"
          "  --door NAME     a door or service of the configuration, in place of files\n"
          "  --config DIR    the configuration [" POSTERN_SYSCONFDIR ", where a door is named]\n"
          "\n"
          "Exit status: 0 it may do something, 1 nothing, 2 usage, 3 nothing was decided.\n",
          out);
}

static bool refuse(struct show_request *rq, const char *why)
{
    rq->fault = why;
    return false;
}

static bool take_option(struct show_request *rq, int option, const char *value)
{
    switch (option) {
    case 'a':
        rq->about.agent = value;
        return value[0] != '\0' || refuse(rq, "--agent wants a name");
    case 'u':
        rq->about.user = value;
        return value[0] != '\0' || refuse(rq, "--for wants a name");
    case 't':
        return postern_policy_read_time(value, &rq->about.now_s) ||
               refuse(rq, "--at is a time like 2026-12-01T10:00Z");
    case 'j':
        rq->is_json = true;
        return true;
    case 'h':
        rq->wants_help = true;
        return true;
    default:
        return policy_source_option(&rq->from, option, value) || refuse(rq, "bad option or value");
    }
}

static bool read_show_options(int argc, char **argv, struct show_request *rq)
{
    static const struct option options[] = {
        { "agent", required_argument, NULL, 'a' },
        { "for", required_argument, NULL, 'u' },
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
    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!take_option(rq, option, optarg))
            return false;
    if (rq->wants_help)
        return true;
    if (rq->about.agent == NULL)
        return refuse(rq, "show wants --agent");
    return policy_source_names(&rq->from, argc, argv, optind) ||
           refuse(rq, "show takes rules files or a door");
}

/* ---- which rules ---- */

enum section { SECTION_ALLOWED = 0, SECTION_HELD, SECTION_DENIED, SECTION_OVER, SECTION_COUNT };
static const struct {
    const char *title, *name;
} sections[SECTION_COUNT] = {
    [SECTION_ALLOWED] = { "may", "allowed" },
    [SECTION_HELD] = { "may, once somebody approves", "held" },
    [SECTION_DENIED] = { "is denied", "denied" },
    [SECTION_OVER] = { "could, until it was over", "over" },
};

static bool may_decide(const struct show_request *rq, const postern_policy *p, size_t i,
                       const postern_policy_rule *r)
{
    for (unsigned list = 1; list <= r->lists; list <<= 1)
        if ((r->lists & list) != 0 && postern_policy_may_decide(p, i, list, &rq->about))
            return true;
    return false;
}

static bool is_over(const struct show_request *rq, const postern_policy *p, size_t i,
                    const postern_policy_rule *r)
{
    postern_policy_about any_time = rq->about;

    any_time.now_s = -1;
    return r->verdict != POSTERN_VERDICT_DENY && r->ends_s >= 0 && r->ends_s <= rq->about.now_s &&
           postern_policy_bears(p, i, &any_time) != POSTERN_POLICY_NEVER;
}

static bool is_in_section(const struct show_request *rq, const postern_policy *p, size_t i,
                          enum section section, postern_policy_rule *r)
{
    static const postern_verdict verdicts[] = {
        [SECTION_ALLOWED] = POSTERN_VERDICT_ALLOW,
        [SECTION_HELD] = POSTERN_VERDICT_HOLD,
        [SECTION_DENIED] = POSTERN_VERDICT_DENY,
    };

    if (!postern_policy_rule_at(p, i, r))
        return false;
    if (section == SECTION_OVER)
        return is_over(rq, p, i, r);
    return r->verdict == verdicts[section] && may_decide(rq, p, i, r);
}

/* A rule above that says less, and may be in the way. */
static bool is_in_the_way(const struct show_request *rq, const postern_policy *p, size_t above,
                          size_t i, const postern_policy_rule *r, postern_policy_rule *ret)
{
    return r->verdict != POSTERN_VERDICT_DENY && postern_policy_rule_at(p, above, ret) &&
           ret->verdict != POSTERN_VERDICT_ALLOW && ret->verdict != r->verdict &&
           (ret->lists & r->lists) != 0 &&
           postern_policy_takes(p, above, i, &rq->about) != POSTERN_POLICY_NEVER;
}

/* ---- lines ---- */

/* The rules above with that verdict that may be in the way of rule i, by name. */
static void add_ways(const struct show_request *rq, const postern_policy *p, size_t i,
                     const postern_policy_rule *r, postern_verdict verdict, const char *words,
                     postern_buf *out)
{
    const char *before = words;
    postern_policy_rule above;

    for (size_t j = 0; j < i; j++)
        if (is_in_the_way(rq, p, j, i, r, &above) && above.verdict == verdict) {
            postern_buf_addf(out, "%s%s", before, above.rule);
            before = ", ";
        }
    postern_buf_add_str(out, before == words ? "" : "\n");
}

static void add_rule(const struct show_request *rq, const postern_policy *p, size_t i,
                     const postern_policy_rule *r, postern_buf *out)
{
    postern_buf_add_str(out, "  ");
    (void)postern_policy_print_part(p, i, POSTERN_POLICY_TARGET, 0, out); /* every rule has one */
    postern_buf_addf(out, "\n    by %s (%s:%d), as ", r->rule, r->path, r->line);
    (void)postern_policy_print_part(p, i, POSTERN_POLICY_WHO, 0, out);
    if (postern_policy_lists(p) != POSTERN_POLICY_LIST_AGENT)
        postern_buf_add_str(out, r->lists == POSTERN_POLICY_LIST_AGENT  ? ", in the agent's list"
                                 : r->lists == POSTERN_POLICY_LIST_USER ? ", in the user's list"
                                                                        : ", in both lists");
    postern_buf_add_byte(out, '\n');
    policy_add_conditions(p, i, "    ", true, out);
    if (r->because[0] != '\0')
        postern_buf_addf(out, "    because %s\n", r->because);
    if (r->ends_s >= 0) {
        postern_buf_add_str(out, "    ends ");
        policy_add_time(r->ends_s, out);
        postern_buf_add_byte(out, '\n');
    }
    add_ways(rq, p, i, r, POSTERN_VERDICT_DENY, "    unless denied by ", out);
    add_ways(rq, p, i, r, POSTERN_VERDICT_HOLD, "    once approved where held by ", out);
}

static size_t add_section(const struct show_request *rq, const postern_policy *p,
                          enum section section, postern_buf *out)
{
    postern_policy_rule r;
    size_t rows = 0;

    for (size_t i = 0; postern_policy_rule_at(p, i, &r); i++) {
        if (!is_in_section(rq, p, i, section, &r))
            continue;
        if (rows++ == 0)
            postern_buf_addf(out, "%s %s:\n", rq->about.agent, sections[section].title);
        add_rule(rq, p, i, &r, out);
    }
    return rows;
}

static bool add_lines(const void *arg, const postern_policy *p, postern_buf *out)
{
    const struct show_request *rq = arg;
    size_t rows[SECTION_COUNT];

    if (postern_policy_lists(p) != POSTERN_POLICY_LIST_AGENT)
        postern_buf_add_str(out,
                            "There are two lists, the agent's and the user's; both must allow.\n");
    for (int s = 0; s < SECTION_COUNT; s++)
        rows[s] = add_section(rq, p, (enum section)s, out);
    if (rows[SECTION_ALLOWED] + rows[SECTION_HELD] == 0)
        postern_buf_addf(out, "%s may do nothing: no rule lets it\n", rq->about.agent);
    else
        postern_buf_add_str(out, "Whatever is not listed is denied, but for what every client says "
                                 "first (@session).\n");
    return rows[SECTION_ALLOWED] + rows[SECTION_HELD] != 0;
}

/* ---- JSON ---- */

static void put_rule(const struct show_request *rq, const postern_policy *p, size_t i,
                     const postern_policy_rule *r, postern_json_writer *w)
{
    postern_policy_rule above;

    postern_json_open_object(w, NULL);
    policy_put_rule_members(p, i, w);
    postern_json_open_array(w, "lists");
    if ((r->lists & POSTERN_POLICY_LIST_AGENT) != 0)
        postern_json_put_str(w, NULL, "agent");
    if ((r->lists & POSTERN_POLICY_LIST_USER) != 0)
        postern_json_put_str(w, NULL, "user");
    postern_json_close_array(w);
    postern_json_open_array(w, "unless");
    for (size_t j = 0; j < i; j++)
        if (is_in_the_way(rq, p, j, i, r, &above))
            postern_json_put_str(w, NULL, above.rule);
    postern_json_close_array(w);
    postern_json_close_object(w);
}

static bool add_json(const void *arg, const postern_policy *p, postern_buf *out)
{
    const struct show_request *rq = arg;
    postern_json_writer w = { .out = out };
    postern_policy_rule r;
    bool may = false;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "agent", rq->about.agent);
    if (rq->about.user != NULL)
        postern_json_put_str(&w, "user", rq->about.user);
    for (int s = 0; s < SECTION_COUNT; s++) {
        postern_json_open_array(&w, sections[s].name);
        for (size_t i = 0; postern_policy_rule_at(p, i, &r); i++) {
            if (!is_in_section(rq, p, i, (enum section)s, &r))
                continue;
            put_rule(rq, p, i, &r, &w);
            may = may || s == SECTION_ALLOWED || s == SECTION_HELD;
        }
        postern_json_close_array(&w);
    }
    postern_json_close_object(&w);
    return may;
}

/* ---- the command ---- */

int policy_show(int argc, char **argv)
{
    struct show_request rq = { .is_json = false };

    if (!read_show_options(argc, argv, &rq))
        return policy_fail_usage(rq.fault, "");
    if (rq.wants_help) {
        print_show_help(stdout);
        return CLI_PROVED;
    }
    return policy_describe(&rq.from, rq.is_json, rq.is_json ? add_json : add_lines, &rq);
}
