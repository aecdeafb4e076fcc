/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of a file from its beginning to its end, and on when it grows; memory has a bound. */
#ifndef POSTERN_CLI_LINE_READER_H
#define POSTERN_CLI_LINE_READER_H

#include <postern/bytes.h>

/* Bytes of the longest line that is given: 16 times the longest of posternd's. */
#define LINE_READER_MAX 65536

struct line_reader {
    int      fd;    /* borrowed */
    uint8_t *room;
    size_t   start, end; /* of what is in room and was not given yet */
    bool     is_skipping;
    uint64_t number; /* of the line that was given last, from 1 */
    uint64_t offset; /* bytes of the file that were given or skipped */
};

typedef enum line_event {
    LINE_FAILED = 0,
    LINE_WHOLE,   /* without its newline; valid until the next call */
    LINE_TOO_LONG,
    LINE_NO_MORE  /* the file ends here (line_reader_piece()); the next call looks again */
} line_event;

/* POSTERN_OK · POSTERN_ERR_NOMEM; freed by line_reader_end() in every case. */
POSTERN_MUST_USE postern_err line_reader_start(struct line_reader *r, int fd, postern_error *err);
/* From the beginning of another file. */
void line_reader_restart(struct line_reader *r, int fd);
line_event line_reader_next(struct line_reader *r, postern_bytes *ret_line, postern_error *err);
/* What stands behind the last newline, after LINE_NO_MORE; empty: nothing. */
postern_bytes line_reader_piece(const struct line_reader *r);
void line_reader_end(struct line_reader *r);

#endif
