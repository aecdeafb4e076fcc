/* SPDX-License-Identifier: BSD-2-Clause */
/* Work for a thread (work.h), as whoever asks for it makes it. */
#ifndef POSTERN_ISSUER_JOB_H
#define POSTERN_ISSUER_JOB_H

struct job {
    void (*run)(struct job *j);  /* in a thread: touches nothing but the job's own memory */
    void (*free)(struct job *j); /* on the loop; wipes what is secret */
};

#endif
