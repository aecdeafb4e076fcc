/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the place of sidecar/audit/line.c: keeps what was sent, and confirms, refuses or keeps
 * silent as a test says.  Compiled into the test; nothing is written anywhere.
 */
#ifndef POSTERN_TESTS_FAKE_AUDIT_LINE_H
#define POSTERN_TESTS_FAKE_AUDIT_LINE_H

#include "audit/line.h"

enum fake_audit_mode {
    FAKE_AUDIT_CONFIRMS, /* from the loop, as the real one */
    FAKE_AUDIT_FAILS,    /* likewise, with POSTERN_ERR_AUDIT */
    FAKE_AUDIT_REFUSES,  /* audit_line_send() itself fails: no line */
    FAKE_AUDIT_HOLDS     /* until fake_audit_release() */
};

struct fake_audit_record {
    char event[32], agent[300], because[300], session[100], action[64], resource[300], database[24], ref[32];
    postern_err code;
    uid_t uid;
    pid_t pid;
    int64_t until_s, missed;
};

extern enum fake_audit_mode fake_audit_mode;
extern size_t fake_audit_count;
extern struct fake_audit_record fake_audit_records[256]; /* the first ones */

void fake_audit_reset(void);
/* Confirm what is held. */
void fake_audit_release(void);

#endif
