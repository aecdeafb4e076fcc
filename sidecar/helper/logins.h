/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who logged in where, and how verdicts went: what an administrator is told when he blocks an
 * agent, whose sessions at SASL, PAM and PostgreSQL hosts nobody here can end.  Fixed memory: the
 * logins longest ago are forgotten.  One loop, no clock of its own.
 */
#ifndef POSTERN_SIDECAR_HELPER_LOGINS_H
#define POSTERN_SIDECAR_HELPER_LOGINS_H

#include <postern-private/json.h>
#include <postern/grant.h>

/* Pairs of agent and service; with names of usual length half a megabyte. */
#define LOGINS_MAX 4096
/* Services of one agent in an answer: more than a machine has. */
#define LOGINS_ANSWER_MAX 256

struct logins;

POSTERN_MUST_USE postern_err logins_new(struct logins **ret, postern_error *err);
void logins_free(struct logins *l); /* NULL is fine */
/*
 * A verdict was given.
 *   g   NULL: not proved.  A proved one is remembered under its actor and under its client, because
 *       a block names either; a lack of memory forgets it
 */
void logins_note(struct logins *l, const postern_grant *g, postern_err code, int64_t now_s);
/* [{"service":NAME,"count":k,"last":EPOCH}] as member `name` of the object being written. */
void logins_write(const struct logins *l, const char *agent, const char *name,
                  postern_json_writer *w);
/* Verdicts by outcome in Prometheus' text format. */
void logins_write_metrics(const struct logins *l, postern_buf *out);

#endif
