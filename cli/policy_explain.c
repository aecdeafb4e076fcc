/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy explain`: one question, its answer, the rules that were passed over on the way,
 * and those that a single part kept from matching.
 */
#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "policy_question.h"

#define NEAR_LINES_MAX 10 /* more of them help nobody; --json has all */

static void print_explain_help(FILE *out)
{
    fputs(
        "usage: postern policy explain [OPTION ...] FILE...|DOOR\n"
        "\n"
        "Says what the policy decides, by which rule, why not by those before it, and which rules\n"
        "a single part keeps from matching.  What is not said is not there; see\n"
        "postern-policy(5).\n"
        "\n"
        "  --agent NAME         who acts\n"
        "  --user NAME          for which human; without it for nobody\n"
        "  --client NAME        client of the token [the agent]\n"
        "  --issuer URL         issuer of the token\n"
        "  --group NAME         a group of the token's subject; may be repeated\n"
        "  --scope SCOPES       scopes of the token, with blanks between\n"
        "  --purpose TEXT       purpose of the token\n"
        "  --claim NAME=JSON    another claim of the token; may be repeated\n"
        "  --chain N            number of actors in the token [0]\n"
        "  --source ADDRESS     where the connection comes from\n"
        "  --at TIME            RFC 3339, like 2026-12-01T10:00Z [now]\n"
        "  --action ACTION      what is done, like imap:login [raw:connect]\n"
        "  --on RESOURCE        to what: a key, a tool, a URI, the door's name of raw:connect,\n"
        "                       the local user of a login; repeated, all must be allowed\n"
        "  --resource RESOURCE  the same\n"
        "  --arg NAME=VALUE     an argument of the action, JSON or a text; of redis 0=VALUE,\n"
        "                       1=VALUE ...; may be repeated\n"
        "  --json               one JSON object instead of lines\n"
        "  --door NAME          a door or service of the configuration, in place of files\n"
        "  --config DIR         the configuration [" POSTERN_SYSCONFDIR ", where a door is named]\n"
        "\n"
        "Exit status: 0 allow, 1 deny or hold, 2 usage, 3 nothing was decided.\n",
        out);
}

/* ---- lines ---- */

static const char *list_name(unsigned list)
{
    return list == POSTERN_POLICY_LIST_USER ? "user" : "agent";
}

/* The rules of one list up to the one that decides; *ret_decides: there is one. */
static size_t find_deciding(const postern_policy *p, const postern_policy_question *q,
                            unsigned list, postern_policy_view *ret, bool *ret_decides)
{
    postern_decision d;
    size_t i;

    postern_policy_decide(p, q, &d);
    i = list == POSTERN_POLICY_LIST_USER ? d.user_rule_index : d.rule_index;
    *ret_decides = postern_policy_look(p, q, i, ret);
    return i;
}

static void print_list(const postern_policy *p, const postern_policy_question *q, unsigned list,
                       postern_buf *out)
{
    postern_policy_view v;
    bool decides;
    size_t end = find_deciding(p, q, list, &v, &decides);

    if (decides)
        postern_buf_addf(out, "  %s by %s (%s:%d)%s%s\n", postern_verdict_name(v.verdict), v.rule,
                         v.path, v.line, v.why[0] == '\0' ? "" : ": ", v.why);
    else
        postern_buf_add_str(out, "  deny: no rule matches\n");
    for (size_t i = 0; i < end && postern_policy_look(p, q, i, &v); i++)
        if ((v.lists & list) != 0)
            postern_buf_addf(out, "    not %s (%s:%d): %s\n", v.rule, v.path, v.line, v.why);
}

/* Would another answer have come, but for one part of this rule? */
static bool is_near(const postern_decision *d, const postern_policy_view *v)
{
    return v->is_near && v->verdict != d->verdict;
}

static void print_near(const postern_policy *p, const postern_policy_question *q,
                       const postern_decision *d, postern_buf *out)
{
    postern_policy_view v;
    size_t count = 0;

    for (size_t i = 0; postern_policy_look(p, q, i, &v); i++) {
        if (!is_near(d, &v))
            continue;
        if (count++ < NEAR_LINES_MAX)
            postern_buf_addf(out, "  near: %s (%s:%d) would %s, but: %s\n", v.rule, v.path, v.line,
                             postern_verdict_name(v.verdict), v.why);
    }
    if (count > NEAR_LINES_MAX)
        postern_buf_addf(out, "  near: %zu more\n", count - NEAR_LINES_MAX);
}

/* What an allow or a hold is bound to. */
static void print_duties(const postern_decision *d, postern_buf *out)
{
    if (d->rate.count != 0)
        postern_buf_addf(out, "  rate: %" PRId64 " in %" PRId64 " s\n", d->rate.count,
                         d->rate.period_s);
    if (d->user_rate.count != 0)
        postern_buf_addf(out, "  rate of the user's list: %" PRId64 " in %" PRId64 " s\n",
                         d->user_rate.count, d->user_rate.period_s);
    if (d->rows != 0)
        postern_buf_addf(out, "  rows: %" PRId64 "\n", d->rows);
    if (d->bytes != 0)
        postern_buf_addf(out, "  bytes: %" PRId64 "\n", d->bytes);
    if (d->wait_s != 0)
        postern_buf_addf(out, "  wait: %" PRId64 " s\n", d->wait_s);
    if (d->lease_s != 0)
        postern_buf_addf(out, "  lease: %" PRId64 " s\n", d->lease_s);
    if (d->logs_summary)
        postern_buf_add_str(out, "  log: summary\n");
}

static void print_lines(const postern_policy *p, const postern_policy_question *q,
                        const postern_decision *d, postern_buf *out)
{
    unsigned lists = postern_policy_lists(p);

    postern_buf_addf(out, "%s\n", postern_verdict_name(d->verdict));
    for (unsigned list = 1; list <= lists; list <<= 1) {
        if (lists != POSTERN_POLICY_LIST_AGENT)
            postern_buf_addf(out, " the %s's list:\n", list_name(list));
        print_list(p, q, list, out);
    }
    if (d->because[0] != '\0')
        postern_buf_addf(out, "  because: %s\n", d->because);
    if (d->missing_scope[0] != '\0')
        postern_buf_addf(out, "  would be allowed with scope: %s\n", d->missing_scope);
    if (d->verdict != POSTERN_VERDICT_ALLOW) /* guardrails are near every allow */
        print_near(p, q, d, out);
    print_duties(d, out);
}

/* ---- JSON ---- */

static void put_rule(postern_json_writer *w, const postern_policy_view *v)
{
    postern_json_put_str(w, "rule", v->rule);
    postern_json_put_str(w, "file", v->path);
    postern_json_put_integer(w, "line", v->line);
}

static void put_list(const postern_policy *p, const postern_policy_question *q, unsigned list,
                     postern_json_writer *w)
{
    postern_policy_view v;
    bool decides;
    size_t end = find_deciding(p, q, list, &v, &decides);

    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "judged", list_name(list));
    postern_json_put_str(w, "verdict",
                         postern_verdict_name(decides ? v.verdict : POSTERN_VERDICT_DENY));
    if (decides) {
        put_rule(w, &v);
        postern_json_put_str(w, "why", v.why); /* a hold that is not known */
    }
    postern_json_open_array(w, "passed_over");
    for (size_t i = 0; i < end && postern_policy_look(p, q, i, &v); i++) {
        if ((v.lists & list) == 0)
            continue;
        postern_json_open_object(w, NULL);
        put_rule(w, &v);
        postern_json_put_str(w, "why", v.why);
        postern_json_close_object(w);
    }
    postern_json_close_array(w);
    postern_json_close_object(w);
}

static void put_near(const postern_policy *p, const postern_policy_question *q,
                     const postern_decision *d, postern_json_writer *w)
{
    postern_policy_view v;

    postern_json_open_array(w, "near");
    for (size_t i = 0; postern_policy_look(p, q, i, &v); i++) {
        if (!is_near(d, &v))
            continue;
        postern_json_open_object(w, NULL);
        put_rule(w, &v);
        postern_json_put_str(w, "verdict", postern_verdict_name(v.verdict));
        postern_json_put_str(w, "why", v.why);
        postern_json_close_object(w);
    }
    postern_json_close_array(w);
}

static void put_number(const char *name, int64_t value, postern_json_writer *w)
{
    if (value != 0)
        postern_json_put_integer(w, name, value);
}

static void put_rate(const char *name, const struct postern_policy_rate *rate,
                     postern_json_writer *w)
{
    if (rate->count == 0)
        return;
    postern_json_open_object(w, name);
    postern_json_put_integer(w, "count", rate->count);
    postern_json_put_integer(w, "period_s", rate->period_s);
    postern_json_close_object(w);
}

static void put_duties(const postern_decision *d, postern_json_writer *w)
{
    put_rate("rate", &d->rate, w);
    put_rate("user_rate", &d->user_rate, w);
    put_number("rows", d->rows, w);
    put_number("bytes", d->bytes, w);
    put_number("wait_s", d->wait_s, w);
    put_number("lease_s", d->lease_s, w);
    if (d->logs_summary)
        postern_json_put_flag(w, "logs_summary", true);
}

/* The members of one decision, in an object that is open. */
static void put_decision(const postern_policy *p, const postern_policy_question *q,
                         const postern_decision *d, postern_json_writer *w)
{
    unsigned lists = postern_policy_lists(p);

    postern_json_put_str(w, "verdict", postern_verdict_name(d->verdict));
    postern_json_open_array(w, "lists");
    for (unsigned list = 1; list <= lists; list <<= 1)
        put_list(p, q, list, w);
    postern_json_close_array(w);
    put_near(p, q, d, w);
    postern_json_put_str(w, "because", d->because);
    postern_json_put_str(w, "missing_scope", d->missing_scope);
    put_duties(d, w);
}

/* ---- one resource, or several of which all must be allowed ---- */

/* Deny before hold before allow. */
static postern_verdict stricter(postern_verdict a, postern_verdict b)
{
    if (a == POSTERN_VERDICT_DENY || b == POSTERN_VERDICT_DENY)
        return POSTERN_VERDICT_DENY;
    return a == POSTERN_VERDICT_HOLD ? a : b;
}

static postern_verdict judge_all(struct policy_asked *rq, const postern_policy *p)
{
    postern_verdict ret = POSTERN_VERDICT_ALLOW;
    postern_decision d;

    for (size_t i = 0; i < rq->resource_count; i++) {
        postern_policy_decide(p, policy_asked_about(rq, i), &d);
        ret = stricter(ret, d.verdict);
    }
    return ret;
}

static void add_lines(struct policy_asked *rq, const postern_policy *p, postern_verdict verdict,
                      postern_buf *out)
{
    postern_decision d;

    if (rq->resource_count > 1)
        postern_buf_addf(out, "%s\n", postern_verdict_name(verdict));
    for (size_t i = 0; i < rq->resource_count; i++) {
        const postern_policy_question *q = policy_asked_about(rq, i);

        if (rq->resource_count > 1) {
            postern_buf_add_str(out, "on ");
            postern_buf_add(out, q->resource);
            postern_buf_add_str(out, ": ");
        }
        postern_policy_decide(p, q, &d);
        print_lines(p, q, &d, out);
    }
}

static void add_json(struct policy_asked *rq, const postern_policy *p, postern_verdict verdict,
                     postern_buf *out)
{
    postern_json_writer w = { .out = out };
    postern_decision d;

    postern_json_open_object(&w, NULL);
    if (rq->resource_count == 1) {
        postern_policy_decide(p, policy_asked_about(rq, 0), &d);
        put_decision(p, policy_asked_about(rq, 0), &d, &w);
        postern_json_close_object(&w);
        return;
    }
    postern_json_put_str(&w, "verdict", postern_verdict_name(verdict));
    postern_json_open_array(&w, "resources");
    for (size_t i = 0; i < rq->resource_count; i++) {
        const postern_policy_question *q = policy_asked_about(rq, i);

        postern_policy_decide(p, q, &d);
        postern_json_open_object(&w, NULL);
        postern_json_put_string(&w, "resource", q->resource);
        put_decision(p, q, &d, &w);
        postern_json_close_object(&w);
    }
    postern_json_close_array(&w);
    postern_json_close_object(&w);
}

/* ---- the command ---- */

static int answer(struct policy_asked *rq, const postern_policy *p)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    postern_verdict verdict = judge_all(rq, p);
    int status;

    (rq->is_json ? add_json : add_lines)(rq, p, verdict, &out);
    status = rq->is_json ? policy_put_json(&out) : policy_put(&out, stdout);
    if (status != CLI_PROVED)
        return status;
    return verdict == POSTERN_VERDICT_ALLOW ? CLI_PROVED : CLI_REJECTED;
}

static int run_explain(struct policy_asked *rq)
{
    struct policy_opened opened;
    postern_error err = { 0 };
    int status = CLI_UNDECIDED;

    if (policy_asked_finish(rq, &err) != POSTERN_OK) {
        fputs("postern policy: ", stderr);
        policy_print_fault(NULL, &err);
        return err.code == POSTERN_ERR_NOMEM ? CLI_UNDECIDED : CLI_USAGE;
    }
    /* A file with a mistake is no deny: nothing was decided. */
    if (policy_open(&rq->from, policy_print_fault, NULL, &opened) == POSTERN_OK)
        status = answer(rq, opened.policy);
    policy_close(&opened);
    return status;
}

int policy_explain(int argc, char **argv)
{
    static struct policy_asked rq; /* it is large, and asked once */
    int status;

    policy_asked_begin(&rq);
    if (!policy_asked_read(argc, argv, &rq)) {
        status = policy_fail_usage(rq.fault, argv[optind - 1]);
    } else if (rq.wants_help) {
        print_explain_help(stdout);
        status = CLI_PROVED;
    } else if ((rq.from.count != 0) == (rq.from.door != NULL)) {
        status = policy_fail_usage("explain takes rules files or a door", "");
    } else {
        status = run_explain(&rq);
    }
    policy_asked_end(&rq);
    return status;
}
