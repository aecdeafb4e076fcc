/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The administration protocol as pure functions: one JSON object in, one out
 * (postern-issuer(7)).  Who may ask was decided before (admin_socket.c).  Verbs: admin_request.c.
 */
#ifndef POSTERN_ISSUER_ADMIN_H
#define POSTERN_ISSUER_ADMIN_H

#include "issuer.h"
#include "job.h"
#include "revocations.h"

#define ADMIN_REPLY_MAX 1048576 /* a page of ADMIN_PAGE clients */
#define ADMIN_PAGE 100          /* clients in one answer; the next is asked with "after" */

struct admin_reply;
/* A reply that takes a while: `work` runs in a thread, then `finish` writes it on the loop. */
struct admin_job {
    struct job work;
    void (*finish)(struct admin_job *job, struct admin_reply *ret);
};

struct admin_reply {
    postern_buf text;                    /* one JSON object; may hold a new secret */
    /* Text is empty yet: push the removal, then admin_finish_removal(). */
    bool        is_removal;
    char        client[CLIENT_NAME_MAX]; /* of a removal, and for the log */
    int64_t     removed_s;
    bool        has_doors; /* of a removal: the door child is told too */
    struct admin_job *take_job; /* not NULL: text is empty yet, the job writes it */
};
#define ADMIN_REPLY_INIT ((struct admin_reply){ .text = POSTERN_BUF_INIT(ADMIN_REPLY_MAX) })
void admin_reply_free(struct admin_reply *r);

/* Do what the line asks.  Always leaves a complete reply, a removal to be pushed, or a
 * job. */
void admin_answer(struct issuer *is, postern_bytes line, struct admin_reply *ret);
/* Write the reply of a removal, now that the words of helper and door are known; the door's counts
 * where has_doors. */
void admin_finish_removal(struct admin_reply *r, verifier_news helper, verifier_news door);
/* Replace the reply by a refusal. */
void admin_refuse(struct admin_reply *r, const char *error, const char *message);

#endif
