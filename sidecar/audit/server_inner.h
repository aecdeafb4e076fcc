/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the audit child's loop and its writers share: the batch that is being made, and whose records
 * are in it.  server.c and writers.c only.
 */
#ifndef POSTERN_SIDECAR_AUDIT_SERVER_INNER_H
#define POSTERN_SIDECAR_AUDIT_SERVER_INNER_H

#include <sys/queue.h>

#include "../supervisor_line.h"
#include "checkpoints.h"
#include "server.h"
#include "sums.h"

typedef enum fate { FATE_WRITTEN = 0, FATE_FAILED, FATE_REFUSED } fate;

struct writer; /* writers.c */
TAILQ_HEAD(writer_list, writer);

/* A record of this batch. */
struct taken {
    struct writer *writer; /* NULL: gone meanwhile */
    int64_t id;
    fate fate; /* FATE_WRITTEN: it is in the batch; else why it is not: writer->detail */
};

struct audit_server {
    struct event_base *base;
    struct audit_server_owner owner;
    struct supervisor_line *supervisor;
    struct event *turn; /* made active by whatever brings work */
    struct event *sync; /* AUDIT_SYNC_MS */
    struct event *room; /* a pipe that was full; NULL: a write does not wait */
    struct event *sum;  /* TALLY_PERIOD_MS, and at once while there is more */
    struct event *rest; /* AUDIT_REST_MS, while writers rest */
    struct event *sign; /* checkpoints_every_ms() after a record that no checkpoint covers */
    struct audit_file *file;
    struct sums sums;
    struct checkpoints *checkpoints;
    struct writer_list writers;
    size_t writer_count;
    struct taken taken[AUDIT_BATCH_MAX];
    size_t taken_count;
    bool is_ready, is_draining, has_ended;
    int64_t trouble_ms; /* monotonic, of the last line of log about it; 0: none */
};

/* ---- writers.c ---- */

/* In a message of the supervisor: `take_fd` is the line of a writer. */
POSTERN_MUST_USE postern_err writers_add(struct audit_server *s, int take_fd, postern_error *err);
void writers_drop_all(struct audit_server *s);
/* A few records of each writer that has some; again, until all are dry or the batch is full.  Who
 * was served goes to the end of the list. */
void writers_gather(struct audit_server *s);
/* Those of the batch hear what became of it: the first `whole_count` stand in the file. */
void writers_confirm(struct audit_server *s, size_t whole_count, const postern_error *err);
/* After a batch: who may rest does so until s->rest, also while others bring theirs; all others are
 * listened to. */
void writers_send_to_rest(struct audit_server *s);
void writers_end_rest(struct audit_server *s);
/* A pipe that is full: nobody is read. */
void writers_set_reading(struct audit_server *s, bool is_reading);
/* Records that were received and found no room in the batch, and whose writer can be answered: no
 * socket would say so. */
bool writers_have_rest(const struct audit_server *s);
/* At the end: who has not read its confirmations by now never will, and what it sent behind them is
 * written too.  False: there is nobody. */
bool writers_give_up_on_silent(struct audit_server *s);

#endif
