/* SPDX-License-Identifier: BSD-2-Clause */
/* posternd's first process: stays root, holds no secret, speaks with its children only. */
#ifndef POSTERN_SIDECAR_SUPERVISOR_H
#define POSTERN_SIDECAR_SUPERVISOR_H

#include "child.h"

/*
 * Start the roles of a configuration and keep them running until SIGTERM or SIGINT; SIGHUP reads
 * the folder again.
 *
 *   config_dir    absolute
 *   take_config   read from there already; freed
 *   roles         ROLE_COUNT of them, static
 *
 * Exit status for main(): 0 stopped on request, 1 a child did not start, 78 (EX_CONFIG) what the
 * configuration names cannot be used.
 */
int supervisor_run(const char *config_dir, postern_config *take_config, const struct role *roles);

#endif
