/* SPDX-License-Identifier: BSD-2-Clause */
/* Work in a process of its own, perhaps as another user: what a host would see, and what may crash
 * there.  The parent has a deadline and the last word. */
#ifndef POSTERN_CLI_CHILD_RUN_H
#define POSTERN_CLI_CHILD_RUN_H

#include <stdio.h>
#include <sys/types.h>

#include <postern/bytes.h>

#define CHILD_OUTPUT_MAX 65536 /* a list of mechanisms, messages of a plugin: a page or two */
#define CHILD_VALUE_MAX  1024
/* Exit status of a child that could not begin, or whose program is not there: nothing was done. */
#define CHILD_NOT_RUN  125
#define CHILD_PATH_MAX 4096 /* PATH_MAX */

struct child_user {
    bool is_other; /* false: as whoever runs this */
    bool has_name; /* `name` is of /etc/passwd: its groups count */
    char name[64];
    uid_t uid;
    gid_t gid;
};

struct child_job {
    /* In the child, which holds no terminal and none of the standard three; ends the process by
     * returning. */
    void (*work)(void *arg, FILE *out);
    void *arg;
    const struct child_user *as; /* NULL: no other */
    int deadline_ms;             /* then it is killed */
};

/*
 * Run `job` and collect what it wrote.
 *   out          gets it; its max is the limit
 *   ret_status   as waitpid(2) says
 *   POSTERN_OK (the child ended, however) · SYSTEM · TIMEOUT · LIMIT · NOMEM
 */
POSTERN_MUST_USE postern_err child_run(const struct child_job *job, postern_buf *out,
                                       int *ret_status, postern_error *err);
/* Run a program without a shell; both of its outputs are collected.  argv ends with NULL. */
POSTERN_MUST_USE postern_err child_run_program(char *const *argv, postern_buf *out, int *ret_status,
                                               postern_error *err);

/* "KEY VALUE\n": how a child says something.  What does not print becomes "?". */
void child_say(FILE *out, const char *key, const char *value);
/* The nth value of that key, cut to the room; false: there is none. */
bool child_said(postern_bytes text, const char *key, size_t n, char room[CHILD_VALUE_MAX]);
/* The folder of the library that a symbol of it was loaded from, without links in its path; false:
 * it is not known.  symbol may be NULL. */
bool child_find_folder(const void *symbol, char room[CHILD_PATH_MAX]);

#endif
