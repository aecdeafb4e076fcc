/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy explain`: one question, its answer, and the rules that were passed over on the
 * way.  What is asked is said on the command line; no token is involved and none is proved.
 */
#include "policy.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <postern-private/json.h>

#include "cli.h"

#define GROUPS_MAX 256       /* --group, each */
#define CLAIMS_MAX (1 << 16) /* bytes of all --claim: four times the largest token */
#define CHAIN_MAX  1000000   /* more actors than any issuer writes */
#define OUTPUT_MAX (16 * 1024 * 1024)

struct explain_request {
    postern_policy_subject subject;
    postern_policy_question question;
    const char *groups[GROUPS_MAX];
    postern_buf claims; /* JSON object, closed when the options are read */
    postern_json_writer writer;
    char protocol[POSTERN_POLICY_NAME_MAX];
    const char *fault; /* of the option that was refused */
    char **paths;
    size_t count;
    bool is_json, wants_help;
};

static void print_explain_help(FILE *out)
{
    fputs(
        "usage: postern policy explain [OPTION ...] FILE...\n"
        "\n"
        "Says what the policy of these files decides, by which rule, and why not by those before\n"
        "it.  What is not said is not there; see postern-policy(5).\n"
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
        "  --on RESOURCE        to what: the door's name; of a login the local user\n"
        "  --json               one JSON object instead of lines\n"
        "\n"
        "Exit status: 0 allow, 1 deny, 2 usage, 3 nothing was decided.\n",
        out);
}

/* ---- options ---- */

static int64_t read_clock_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail with this clock */
    return t.tv_sec;
}

static bool refuse(struct explain_request *rq, const char *why)
{
    rq->fault = why;
    return false;
}

static bool add_group(struct explain_request *rq, const char *name)
{
    if (rq->subject.group_count == GROUPS_MAX)
        return refuse(rq, "too many groups: ");
    rq->groups[rq->subject.group_count++] = name;
    return true;
}

static bool add_claim(struct explain_request *rq, const char *pair)
{
    const char *equals = strchr(pair, '=');
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes json;
    char name[POSTERN_POLICY_TEXT_MAX];

    if (equals == NULL || equals == pair || (size_t)(equals - pair) >= sizeof name)
        return refuse(rq, "--claim is NAME=JSON: ");
    json = postern_bytes_str(equals + 1);
    if (postern_json_scan(&j, json, NULL) != POSTERN_OK)
        return refuse(rq, "no JSON (a text needs its quotes: --claim 'acr=\"high\"'): ");
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = '\0';
    postern_json_put_raw(&rq->writer, name, json);
    return true;
}

static bool set_action(struct explain_request *rq, const char *action)
{
    size_t len = strcspn(action, ":");

    if (action[len] == '\0' || len >= sizeof rq->protocol)
        return refuse(rq, "--action is PROTOCOL:NAME, like raw:connect or imap:login: ");
    memcpy(rq->protocol, action, len);
    rq->protocol[len] = '\0';
    rq->question.action = action + len + 1;
    return true;
}

static bool set_chain(struct explain_request *rq, const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < 0 || n > CHAIN_MAX)
        return refuse(rq, "--chain is a number of actors: ");
    rq->subject.chain = (size_t)n;
    return true;
}

static bool set_option(int option, const char *value, struct explain_request *rq)
{
    switch (option) {
    case 'a':
        rq->subject.agent = value;
        return true;
    case 'u':
        rq->subject.user = value;
        return true;
    case 'c':
        rq->subject.client = value;
        return true;
    case 'i':
        rq->subject.issuer = value;
        return true;
    case 'g':
        return add_group(rq, value);
    case 's':
        rq->subject.scope = value;
        return true;
    case 'p':
        rq->subject.purpose = value;
        return true;
    case 'C':
        return add_claim(rq, value);
    case 'n':
        return set_chain(rq, value);
    case 'S':
        rq->question.source = value;
        return true;
    case 't':
        return postern_policy_read_time(value, &rq->question.now_s) ||
               refuse(rq, "--at is a time like 2026-12-01T10:00Z: ");
    case 'A':
        return set_action(rq, value);
    case 'o':
        rq->question.resource = postern_bytes_str(value);
        return true;
    case 'j':
        rq->is_json = true;
        return true;
    case 'h':
        rq->wants_help = true;
        return true;
    default:
        return refuse(rq, "bad option or value: ");
    }
}

static bool read_explain_options(int argc, char **argv, struct explain_request *rq)
{
    static const struct option options[] = {
        { "agent", required_argument, NULL, 'a' },   { "user", required_argument, NULL, 'u' },
        { "client", required_argument, NULL, 'c' },  { "issuer", required_argument, NULL, 'i' },
        { "group", required_argument, NULL, 'g' },   { "scope", required_argument, NULL, 's' },
        { "purpose", required_argument, NULL, 'p' }, { "claim", required_argument, NULL, 'C' },
        { "chain", required_argument, NULL, 'n' },   { "source", required_argument, NULL, 'S' },
        { "at", required_argument, NULL, 't' },      { "action", required_argument, NULL, 'A' },
        { "on", required_argument, NULL, 'o' },      { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!set_option(option, optarg, rq))
            return false;
    rq->paths = argv + optind;
    rq->count = (size_t)(argc - optind);
    return true;
}

/* ---- the question ---- */

/* As an `expect` says it: what is not named is not there. */
static void begin_request(struct explain_request *rq)
{
    rq->claims = POSTERN_BUF_INIT(CLAIMS_MAX);
    rq->writer = (postern_json_writer){ .out = &rq->claims };
    postern_json_open_object(&rq->writer, NULL);
    rq->subject.scope = "";
    rq->question = (postern_policy_question){ .size = sizeof rq->question };
    rq->question.now_s = read_clock_s();
    (void)set_action(rq, "raw:connect"); /* well formed */
}

static postern_err finish_request(struct explain_request *rq, postern_error *err)
{
    postern_json_close_object(&rq->writer);
    if (postern_buf_cstr(&rq->claims) == NULL)
        return POSTERN_FAIL(err, USAGE, "the claims are too long");
    rq->subject.claims = postern_buf_bytes(&rq->claims);
    if (rq->subject.client == NULL)
        rq->subject.client = rq->subject.agent;
    if (rq->subject.group_count != 0)
        rq->subject.groups = rq->groups;
    POSTERN_TRY(postern_policy_subject_prepare(&rq->subject, err));
    if (rq->subject.groups == NULL) /* neither --group nor a claim: none */
        rq->subject.groups = rq->groups;
    rq->question.protocol = rq->protocol;
    rq->question.subject = &rq->subject;
    return POSTERN_OK;
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
    size_t i = 0;

    *ret_decides = false;
    for (; postern_policy_look(p, q, i, ret); i++)
        if ((ret->lists & list) != 0 && ret->is_match) {
            *ret_decides = true;
            break;
        }
    return i;
}

static void print_list(const postern_policy *p, const postern_policy_question *q, unsigned list,
                       postern_buf *out)
{
    postern_policy_view v;
    bool decides;
    size_t end = find_deciding(p, q, list, &v, &decides);

    if (decides)
        postern_buf_addf(out, "  %s by %s (%s:%d)\n", postern_verdict_name(v.verdict), v.rule,
                         v.path, v.line);
    else
        postern_buf_add_str(out, "  deny: no rule matches\n");
    for (size_t i = 0; i < end && postern_policy_look(p, q, i, &v); i++)
        if ((v.lists & list) != 0)
            postern_buf_addf(out, "    not %s (%s:%d): %s\n", v.rule, v.path, v.line, v.why);
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
    if (d->lease_s != 0)
        postern_buf_addf(out, "  lease: %" PRId64 " s\n", d->lease_s);
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
    if (decides)
        put_rule(w, &v);
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

static void print_json(const postern_policy *p, const postern_policy_question *q,
                       const postern_decision *d, postern_buf *out)
{
    unsigned lists = postern_policy_lists(p);
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "verdict", postern_verdict_name(d->verdict));
    postern_json_open_array(&w, "lists");
    for (unsigned list = 1; list <= lists; list <<= 1)
        put_list(p, q, list, &w);
    postern_json_close_array(&w);
    postern_json_put_str(&w, "because", d->because);
    postern_json_put_str(&w, "missing_scope", d->missing_scope);
    if (d->lease_s != 0)
        postern_json_put_integer(&w, "lease_s", d->lease_s);
    postern_json_close_object(&w);
    postern_buf_add_byte(out, '\n');
}

/* ---- the command ---- */

static void print_fault(void *arg, const postern_error *err)
{
    (void)arg;
    fprintf(stderr, "%s\n", err->detail);
}

static int answer(const struct explain_request *rq, const postern_policy *p)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);
    postern_decision d;

    postern_policy_decide(p, &rq->question, &d);
    (rq->is_json ? print_json : print_lines)(p, &rq->question, &d, &out);
    if (postern_buf_cstr(&out) == NULL || fputs(postern_buf_cstr(&out), stdout) < 0 ||
        fflush(stdout) != 0)
        return CLI_UNDECIDED;
    return d.verdict == POSTERN_VERDICT_ALLOW ? CLI_PROVED : CLI_REJECTED;
}

static int run_explain(struct explain_request *rq)
{
    POSTERN_AUTO(policy) p = NULL;
    postern_error err = { 0 };

    if (finish_request(rq, &err) != POSTERN_OK) {
        fprintf(stderr, "postern policy: --claim: %s\n", err.detail);
        return err.code == POSTERN_ERR_NOMEM ? CLI_UNDECIDED : CLI_USAGE;
    }
    /* A file with a mistake is no deny: nothing was decided. */
    if (policy_load(rq->paths, rq->count, print_fault, NULL, &p) != POSTERN_OK)
        return CLI_UNDECIDED;
    return answer(rq, p);
}

int policy_explain(int argc, char **argv)
{
    struct explain_request rq = { 0 };
    int status;

    begin_request(&rq);
    if (!read_explain_options(argc, argv, &rq)) {
        status = policy_fail_usage(rq.fault, argv[optind - 1]);
    } else if (rq.wants_help) {
        print_explain_help(stdout);
        status = CLI_PROVED;
    } else if (rq.count == 0) {
        status = policy_fail_usage("explain takes rules files", "");
    } else {
        status = run_explain(&rq);
    }
    postern_policy_subject_clear(&rq.subject);
    postern_buf_free(&rq.claims);
    return status;
}
