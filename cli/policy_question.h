/* SPDX-License-Identifier: BSD-2-Clause */
/* One question on the command line: who asks, for what, on which resources, with which arguments.
 */
#ifndef POSTERN_CLI_POLICY_QUESTION_H
#define POSTERN_CLI_POLICY_QUESTION_H

#include "policy.h"

#define POLICY_GROUPS_MAX    256 /* --group, each: as many as a claim may have */
#define POLICY_RESOURCES_MAX 256 /* --on, each: a command of more keys is a script's */

/* Filled in place: parts of it point to each other. */
struct policy_asked {
    struct policy_source from;
    postern_policy_subject subject;
    postern_policy_question question;
    const char *groups[POLICY_GROUPS_MAX];
    postern_bytes resources[POLICY_RESOURCES_MAX];
    size_t resource_count; /* 1 at least once it is finished */
    struct policy_arguments arguments;
    postern_buf claims; /* JSON object, closed when the options are read */
    postern_json_writer writer;
    char protocol[POSTERN_POLICY_NAME_MAX];
    const char *fault; /* of the option that was refused */
    bool is_json, wants_help;
};

void policy_asked_begin(struct policy_asked *rq);
/* False: rq->fault says why, argv[optind - 1] is what was refused. */
bool policy_asked_read(int argc, char **argv, struct policy_asked *rq);
/* POSTERN_OK · POSTERN_ERR_USAGE · POSTERN_ERR_NOMEM · as postern_policy_subject_prepare() */
POSTERN_MUST_USE postern_err policy_asked_finish(struct policy_asked *rq, postern_error *err);
/* The question about one of the resources; valid until the next call. */
const postern_policy_question *policy_asked_about(struct policy_asked *rq, size_t i);
void policy_asked_end(struct policy_asked *rq);

#endif
