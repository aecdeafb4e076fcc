/* SPDX-License-Identifier: BSD-2-Clause */
/* `posternd --check`, by the posternd that belongs to this postern. */
#ifndef POSTERN_CLI_POSTERND_CHECK_H
#define POSTERN_CLI_POSTERND_CHECK_H

#include "child_run.h"

enum posternd_check_outcome { POSTERND_CHECK_FAULTY = 0, POSTERND_CHECK_GOOD, POSTERND_CHECK_NONE };

/* out: what it said.  NONE: there is no posternd beside this program, or it could not be run. */
enum posternd_check_outcome posternd_check(const char *config_dir, postern_buf *out);

#endif
