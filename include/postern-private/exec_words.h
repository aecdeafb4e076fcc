/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of `backend: exec:` and `exec_env:` as words (postern.conf(5)): what a program is started
 * with.  No shell: nothing is expanded, and no byte but blank, tab and quotation mark means anything.
 * Not installed; lib/oauth judges with it, sidecar/spawn_set.c makes an argv of it.
 */
#ifndef POSTERN_PRIVATE_EXEC_WORDS_H
#define POSTERN_PRIVATE_EXEC_WORDS_H

#include <postern/bytes.h>

#define POSTERN_EXEC_PREFIX "exec:"
/* Words of one program; far below what execve(2) takes, far above what an MCP host's settings hold. */
#define POSTERN_EXEC_WORDS_MAX 128
#define POSTERN_EXEC_TEXT_MAX 4096 /* bytes of one program's words, as they are written */

/*
 * Split at blanks and tabs.  A word that begins with a quotation mark ends with the next one and may
 * hold blanks, or nothing; in it, \" and \\ stand for a mark and a backslash.  Elsewhere a backslash
 * is a backslash, and a quotation mark is refused.
 *
 *   out         each word and a NUL behind it is appended; `failed` when there is no memory
 *   ret_count   of words; set only on NULL
 *   NULL · the end of a sentence that begins with the text
 */
const char *postern_exec_words_split(const char *text, postern_buf *out, size_t *ret_count);

/* NULL when `text` may stand behind "exec:", else the end of a sentence: its first word is an absolute
 * path. */
const char *postern_exec_fault(const char *text);
/* NULL when each word is NAME=VALUE, no name twice, else the end of a sentence. */
const char *postern_exec_env_fault(const char *text);

#endif
