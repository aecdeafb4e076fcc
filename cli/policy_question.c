/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The question of `postern policy explain`: what its options say, and nothing that they do not.  No
 * token is involved and none is proved.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/clock.h>

#include "cli.h"
#include "policy_question.h"

#define CLAIMS_MAX (1 << 16) /* bytes of all --claim: four times the largest token */
#define CHAIN_MAX  1000000   /* more actors than any issuer writes */

/* ---- options ---- */

static bool refuse(struct policy_asked *rq, const char *why)
{
    rq->fault = why;
    return false;
}

static bool add_group(struct policy_asked *rq, const char *name)
{
    if (rq->subject.group_count == POLICY_GROUPS_MAX)
        return refuse(rq, "too many groups: ");
    rq->groups[rq->subject.group_count++] = name;
    return true;
}

static bool add_claim(struct policy_asked *rq, const char *pair)
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

static bool set_action(struct policy_asked *rq, const char *action)
{
    return policy_split_action(action, rq->protocol, &rq->question.action) ||
           refuse(rq, "--action is PROTOCOL:NAME, like redis:GET or imap:login: ");
}

static bool set_chain(struct policy_asked *rq, const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < 0 || n > CHAIN_MAX)
        return refuse(rq, "--chain is a number of actors: ");
    rq->subject.chain = (size_t)n;
    return true;
}

static bool add_resource(struct policy_asked *rq, const char *resource)
{
    if (rq->resource_count == POLICY_RESOURCES_MAX)
        return refuse(rq, "too many resources: ");
    rq->resources[rq->resource_count++] = postern_bytes_str(resource);
    return true;
}

static bool add_argument(struct policy_asked *rq, const char *pair)
{
    if (rq->arguments.count == POLICY_ARGUMENTS_MAX)
        return refuse(rq, "too many arguments: ");
    rq->arguments.pairs[rq->arguments.count++] = pair;
    return true;
}

static bool set_option(int option, const char *value, struct policy_asked *rq)
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
        return add_resource(rq, value);
    case 'r':
        return add_argument(rq, value);
    case 'j':
        rq->is_json = true;
        return true;
    case 'h':
        rq->wants_help = true;
        return true;
    default:
        return policy_source_option(&rq->from, option, value) ||
               refuse(rq, "bad option or value: ");
    }
}

bool policy_asked_read(int argc, char **argv, struct policy_asked *rq)
{
    static const struct option options[] = {
        { "agent", required_argument, NULL, 'a' },
        { "user", required_argument, NULL, 'u' },
        { "client", required_argument, NULL, 'c' },
        { "issuer", required_argument, NULL, 'i' },
        { "group", required_argument, NULL, 'g' },
        { "scope", required_argument, NULL, 's' },
        { "purpose", required_argument, NULL, 'p' },
        { "claim", required_argument, NULL, 'C' },
        { "chain", required_argument, NULL, 'n' },
        { "source", required_argument, NULL, 'S' },
        { "at", required_argument, NULL, 't' },
        { "action", required_argument, NULL, 'A' },
        { "on", required_argument, NULL, 'o' },
        { "resource", required_argument, NULL, 'o' },
        { "arg", required_argument, NULL, 'r' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        POLICY_SOURCE_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!set_option(option, optarg, rq))
            return false;
    rq->from.names = argv + optind;
    rq->from.count = (size_t)(argc - optind);
    return true;
}

/* ---- the question ---- */

/* As an `expect` says it: what is not named is not there. */
void policy_asked_begin(struct policy_asked *rq)
{
    rq->claims = POSTERN_BUF_INIT(CLAIMS_MAX);
    rq->writer = (postern_json_writer){ .out = &rq->claims };
    postern_json_open_object(&rq->writer, NULL);
    rq->subject.scope = "";
    rq->from.config_dir = POSTERN_SYSCONFDIR;
    rq->question = (postern_policy_question){ .size = sizeof rq->question };
    rq->question.now_s = clock_wall_s();
    (void)set_action(rq, "raw:connect"); /* well formed */
}

postern_err policy_asked_finish(struct policy_asked *rq, postern_error *err)
{
    postern_json_close_object(&rq->writer);
    if (postern_buf_cstr(&rq->claims) == NULL)
        return POSTERN_FAIL(err, USAGE, "--claim: the claims are too long");
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
    POSTERN_TRY(policy_arguments_make(&rq->arguments, strcmp(rq->protocol, "redis") == 0, err));
    rq->question.args = rq->arguments.args;
    if (rq->resource_count == 0) /* one question, about nothing known */
        rq->resource_count = 1;
    return POSTERN_OK;
}

const postern_policy_question *policy_asked_about(struct policy_asked *rq, size_t i)
{
    rq->question.resource = rq->resources[i];
    return &rq->question;
}

void policy_asked_end(struct policy_asked *rq)
{
    policy_arguments_free(&rq->arguments);
    postern_policy_subject_clear(&rq->subject);
    postern_buf_free(&rq->claims);
}
