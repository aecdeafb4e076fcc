/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of blocks: read at start, watched (inotify, and a look each second as the net below it),
 * replaced as a whole.  What cannot be used leaves the list of before in force.  Reads and writes
 * of a local file of a few kilobytes are the only thing of the control child that may wait.
 */
#ifndef POSTERN_CONTROL_BLOCKS_FILE_H
#define POSTERN_CONTROL_BLOCKS_FILE_H

#include <event2/event.h>

#include "blocks_text.h"

#define BLOCKS_POLL_MS 1000 /* what inotify cannot see (network file systems) is seen after two */
/* Beside the file while it is written; also the lock between two control children of a reload. */
#define BLOCKS_TEMP_NAME ".blocks.new"

struct blocks_file;

struct blocks_file_owner {
    void (*changed)(void *arg); /* there is another list, or other trouble */
    void *arg;
};

/*
 * Read the file for the first time.  No file is an empty list.
 *
 *   folder_fd   O_DIRECTORY, borrowed for life
 *   name        of the file in it, borrowed for life
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err blocks_file_new(struct event_base *base, int folder_fd,
                                             const char *name, struct blocks_file_owner owner,
                                             struct blocks_file **ret, postern_error *err);
void blocks_file_free(struct blocks_file *f); /* NULL is fine */

/* What is in force; valid until the next change (block_list_keep() it). */
struct block_list *blocks_file_list(const struct blocks_file *f);
/* "": the file says what is in force; else one sentence for the administrator. */
const char *blocks_file_trouble(const struct blocks_file *f);

/*
 * Change one agent's lines, on disk (fsync) and then here; owner.changed is called before it
 * returns POSTERN_OK.
 *
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (somebody broke it by hand, a link, too many blocks) ·
 *   POSTERN_ERR_BUSY (another control child writes) · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM; then
 *   nothing was changed
 */
POSTERN_MUST_USE postern_err blocks_file_change(struct blocks_file *f, const struct block_change *c,
                                                postern_error *err);

/* Look at the file as the timer does; for tests. */
void blocks_file_poll(struct blocks_file *f);

#endif
