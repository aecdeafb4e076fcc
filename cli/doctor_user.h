/* SPDX-License-Identifier: BSD-2-Clause */
/* Users as helper_peers: names them, and whether we can see with their eyes. */
#ifndef POSTERN_CLI_DOCTOR_USER_H
#define POSTERN_CLI_DOCTOR_USER_H

#include "child_run.h"

/* A name, a number, or group:NAME (somebody of that group alone); false: not on this machine. */
bool doctor_user_find(const char *name, struct child_user *ret);
/* root can be anybody, everybody else only himself. */
bool doctor_user_can_be(const struct child_user *u);

#endif
