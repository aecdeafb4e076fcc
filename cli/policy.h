/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs of `postern policy` share: files or a door into a policy, and output. */
#ifndef POSTERN_CLI_POLICY_H
#define POSTERN_CLI_POLICY_H

#include <stdio.h>

#include <postern/config.h>
#include <postern/policy.h>

#include <postern-private/json.h>

/* Bytes of what a verb prints: each file in one spelling, and each of its lines in a warning. */
#define POLICY_OUTPUT_MAX (64 * 1024 * 1024)

/* ---- policy_load.c ---- */

/* Says what is wrong: `path` as the command line names it. */
typedef void policy_fault(void *arg, const postern_error *err);
void policy_print_fault(void *arg, const postern_error *err); /* a line on standard error */

/* Which policy: rules files, in this order, or the one of a door or service of the configuration.
 */
struct policy_source {
    char **names;
    size_t count;
    const char *door;       /* --door; NULL: a single name that is no file is one */
    const char *config_dir; /* --config */
    bool has_config_dir;
    const char *const *expects; /* more of them: what stands behind the word; NULL: none */
    size_t expect_count;
    const char *const *given; /* to each expect: what stands behind that word; NULL: nothing */
    size_t given_count;
};
struct policy_opened {
    postern_policy *policy; /* also when an expect fails; NULL: there is none */
    postern_config *config; /* NULL: no door, and no --config */
};
/*
 * Read the files, in this order, and finish the policy.  Each file is read even when one before it
 * has a mistake: `fault` is called once for every one that cannot be used.
 *   ret   ended by policy_close(), in every case
 *   POSTERN_OK · the first fault's code, e.g. CONFIG_FILE · RULES · RULES_EXPECT · NOMEM
 */
POSTERN_MUST_USE postern_err policy_open(const struct policy_source *from, policy_fault *fault,
                                         void *arg, struct policy_opened *ret);
void policy_close(struct policy_opened *opened);
/* 3 when a file cannot be opened or memory is out, 1 when what is in it is wrong. */
int policy_exit_code(postern_err e);
/* Takes --door and --config (letters 'D' and 'F'); false: another option. */
bool policy_source_option(struct policy_source *from, int letter, const char *value);
/* The names from argv[next] on.  False: neither files nor a door, or both. */
bool policy_source_names(struct policy_source *from, int argc, char **argv, int next);
/* What a verb says of a policy, into `out`; false: nobody may do anything. */
typedef bool policy_writer(const void *rq, const postern_policy *p, postern_buf *out);
/*
 * Open the policy, have it described and print that.  A file with a mistake is no answer.
 *   ret   the exit status: CLI_REJECTED where the writer says false
 */
int policy_describe(const struct policy_source *from, bool is_json, policy_writer *write,
                    const void *rq);
#define POLICY_SOURCE_OPTIONS                                                                      \
    { "door", required_argument, NULL, 'D' },                                                      \
    {                                                                                              \
        "config", required_argument, NULL, 'F'                                                     \
    }

/* ---- policy_words.c ---- */

/* Print it, so that no byte steers a terminal; returns CLI_PROVED or CLI_UNDECIDED. */
int policy_put(postern_buf *out, FILE *to);
int policy_put_json(postern_buf *out); /* to standard output */
/* "  if TEST\n  and TEST\n  with DUTIES\n", each line behind `indent`; the resources too where
 * `with_resources`. */
void policy_add_conditions(const postern_policy *p, size_t i, const char *indent,
                           bool with_resources, postern_buf *out);
/* "2027-02-01T00:00:00Z" */
void policy_add_time(int64_t s, postern_buf *out);

/* rule, file, line, verdict, who, action, resources, tests, duties, because, ends: into the object.
 */
void policy_put_rule_members(const postern_policy *p, size_t i, postern_json_writer *w);
/* "redis:GET": the part before the colon into `room` of POSTERN_POLICY_NAME_MAX, the rest as *ret.
 */
bool policy_split_action(const char *text, char *room, const char **ret);

/* ---- policy_arguments.c ---- */

#define POLICY_ARGUMENTS_MAX 256 /* --arg, each; far more than a command line that people type */
/* The arguments of the action that is asked about. */
struct policy_arguments {
    postern_policy_args args;
    postern_bytes list[POLICY_ARGUMENTS_MAX];
    const char *pairs[POLICY_ARGUMENTS_MAX]; /* NAME=VALUE */
    size_t count;
    postern_buf text; /* JSON */
    postern_json json;
};
/*
 * Make args: a list where the names are 0, 1, 2 …, else an object.  None: an empty one of both.
 *   POSTERN_OK · POSTERN_ERR_USAGE (detail: which) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err policy_arguments_make(struct policy_arguments *a, bool is_list,
                                                   postern_error *err);
void policy_arguments_free(struct policy_arguments *a);

/* argv[0] is the verb. */
int policy_actions(int argc, char **argv);
int policy_check(int argc, char **argv);
int policy_explain(int argc, char **argv);
int policy_show(int argc, char **argv);
int policy_test(int argc, char **argv);
int policy_who_can(int argc, char **argv);
/* "postern policy: what, which; `postern policy --help` explains"; returns CLI_USAGE. */
int policy_fail_usage(const char *what, const char *which);

#endif
