/* SPDX-License-Identifier: BSD-2-Clause */
/* A control child without its main.c: settings, file of blocks, lines whose other ends the test holds, and an audit line that
 * does as it is told (tests/support/fake_audit_line.h).  Nothing waits: the loop only looks at what is ready. */
#ifndef POSTERN_TESTS_CONTROL_FIXTURE_H
#define POSTERN_TESTS_CONTROL_FIXTURE_H

#include "control/control.h"
#include "fake_audit_line.h"
#include "tests/support/test_folder.h"

#define FIXTURE_WATCHER  64712 /* uid in control_watchers: */
#define FIXTURE_ADMIN    64713 /* uid in control_admins: */
#define FIXTURE_STRANGER 64711

struct fixture {
    struct control control;
    test_folder folder;
    postern_config *config;
    struct channel *door, *helper; /* the test's ends; NULL: away */
    int folder_fd;
};

int fixture_set_up(void **state);
int fixture_tear_down(void **state);
void fixture_turn(struct fixture *f);
/* A line, with the list of blocks read from it and confirmed. */
void fixture_connect(struct fixture *f, struct link *l, struct channel **ret_other);
void fixture_connect_both(struct fixture *f);
/* The next message is of this type; returns its "id" (0: none). */
int64_t fixture_expect(struct channel *other, const char *type);
void fixture_expect_silence(struct channel *other);
/* Send, and let the control child hear it. */
void fixture_say(struct fixture *f, struct channel *other, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
