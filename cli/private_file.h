/* SPDX-License-Identifier: BSD-2-Clause */
/* Write a file that nobody else may read: stored logins and cached tokens.  Whoever calls renames it
 * to its place. */
#ifndef POSTERN_CLI_PRIVATE_FILE_H
#define POSTERN_CLI_PRIVATE_FILE_H

#include <postern/bytes.h>

/* SYNCED: it survives a crash of the machine. */
enum private_file_lasting { PRIVATE_FILE_WRITTEN = 0, PRIVATE_FILE_SYNCED };

/*
 * A new file of mode 0600 in that folder; nothing of that name, not even a link, may be there.
 * False, with errno: it is not there, or not whole; remove it.
 */
bool private_file_write(int folder_fd, const char *name, postern_bytes text,
                        enum private_file_lasting lasting);

#endif
