/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a validation (<postern/trail.h>) for `postern verify --explain`. */
#ifndef POSTERN_CLI_VERIFY_PATH_H
#define POSTERN_CLI_VERIFY_PATH_H

#include <postern-private/json.h>
#include <postern/grant.h>
#include <postern/trail.h>

/* Verdict, what to do, and every check with its figures, for people. */
void verify_path_put_text(postern_err e, const postern_grant *g, const postern_error *err,
                          const postern_trail *trail, postern_buf *out);
/* As member "path" of the object that is open. */
void verify_path_put_json(const postern_trail *trail, postern_json_writer *w);

#endif
