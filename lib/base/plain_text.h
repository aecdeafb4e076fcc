/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this a text file that people wrote?  The first pass of every reader of such files, so that
 * the second meets no NUL, no control and no half character. */
#ifndef POSTERN_LIB_PLAIN_TEXT_H
#define POSTERN_LIB_PLAIN_TEXT_H

#include <postern/bytes.h>

struct postern_text_fault {
    const char *what; /* NULL: none */
    /* From 1; columns count characters, as editors do.  Without a fault: where the text ends. */
    int line, column;
};

/* UTF-8, lines that end in a newline, no control character but the tab.  `text` is less than 2 GiB. */
bool postern_plain_text_check(postern_bytes text, struct postern_text_fault *ret);

#endif
