/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit child's loop (sidecar/role.h): takes records from all writers in turn, appends them as
 * one batch (audit/file.h), confirms each.  While nothing comes it looks once a second at what doors
 * have counted (audit/sums.h), and at nothing else; where its chain stands it signs when records
 * are there that no checkpoint covers (audit/checkpoints.h).
 */
#ifndef POSTERN_SIDECAR_AUDIT_SERVER_H
#define POSTERN_SIDECAR_AUDIT_SERVER_H

#include <event2/event.h>

#include "file.h"

/*
 * Helpers and controls of two generations, and a line for each loop of two doors' generations:
 * 256 cores and some.
 */
#define AUDIT_WRITERS_MAX 520
/*
 * Records that a writer may bring in before the next one's turn: it can fill a batch when it is
 * alone, and not when others wait.
 */
#define AUDIT_TURN_MAX 8
/*
 * After the first byte that is not synced yet.  fdatasync(2) runs on the loop, so decisions wait
 * for the disk twice a second: measured 0.1 ms on NVMe, 1 to 10 ms on a cloud's or a spinning
 * disk, which is 0.02 to 2 % of the time.  In a thread of its own they would not wait, but a disk
 * that takes no more would then go unnoticed, and decisions would rest on records that are in
 * memory only.  Half a second, so that the sync is over within the second that is promised.
 */
#define AUDIT_SYNC_MS 500

/*
 * A writer whose records nobody waits for (audit/line.h) is read again after this, whatever it
 * sends meanwhile: one wake-up, one write(2) and one answer for all of it, where each record had
 * its own.  Four milliseconds: timers here see the clock once in a tick of the kernel, and a shorter
 * one is asked three times whether it is due.
 */
#define AUDIT_REST_MS 4

struct audit_server;

struct audit_server_owner {
    void (*ended)(void *arg); /* drained and synced; called once */
    void *arg;
};

/*
 *   take_supervisor_fd   owned from the call on
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_SYSTEM
 */
POSTERN_MUST_USE postern_err audit_server_new(struct event_base *base, int take_supervisor_fd,
                                              struct audit_server_owner owner,
                                              struct audit_server **ret, postern_error *err);
/* What is not written yet is lost.  NULL is fine. */
void audit_server_free(struct audit_server *s);

#endif
