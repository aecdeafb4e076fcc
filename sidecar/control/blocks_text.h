/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of blocks as text: `AGENT UNTIL REASON…`, one a line (postern-control(7)).  Pure: reads
 * it strictly, and changes it as a careful person with an editor would.  The file itself is
 * blocks_file.c's.
 */
#ifndef POSTERN_CONTROL_BLOCKS_TEXT_H
#define POSTERN_CONTROL_BLOCKS_TEXT_H

#include <postern/context.h>

/* Bytes with NUL, as a validation compares them. */
#define BLOCK_AGENT_MAX sizeof(((postern_block *)NULL)->agent)
/* Bytes of one line: a quoted agent with every byte escaped (2050), a time, a reason (255), and
 * room. */
#define BLOCKS_LINE_MAX 2560
/* Bytes of the file: POSTERN_BLOCKS_MAX lines of a kilobyte, comments among them. */
#define BLOCKS_TEXT_MAX 16777216
#define BLOCK_TIME_MAX  24 /* "2026-12-01T00:00:00Z" with NUL, and room for a clock gone mad */

struct blocked {
    const char *agent, *reason; /* the list's; reason "" when there is none */
    int64_t until_s;            /* since 1970, exclusive; 0: until unblocked */
};

/* Immutable and counted: whoever sends it keeps it, however often the file changes meanwhile. */
struct block_list {
    unsigned refs;
    size_t count;
    uint64_t digest; /* of the text: another one, another list */
    struct blocked *entries; /* in the file's order; an agent may stand there more than once */
    char *room;              /* of the texts */
};

/*
 * Read all of it or nothing.
 *
 *   ret   released with block_list_release()
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE (detail begins with "line N: ") · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err block_list_parse(postern_bytes text, struct block_list **ret,
                                              postern_error *err);
struct block_list *block_list_keep(struct block_list *l);
void block_list_release(struct block_list *l); /* NULL is fine */
/* Is there a line about `agent` that is in force at now_s? */
bool block_list_has(const struct block_list *l, const char *agent, int64_t now_s);
/* The list as text of a file that has been lost; `out` fails when memory does. */
void block_list_write(const struct block_list *l, postern_buf *out);

struct block_change {
    const char *agent;
    bool is_added;      /* false: its lines go, and that is all */
    int64_t until_s;    /* as in struct blocked */
    const char *reason; /* likewise */
    int64_t now_s;
};
/*
 * `text` with the lines about c->agent and those that are over taken out, perhaps with a new one at
 * its end; comments and everything else stay as they are, byte for byte.
 *
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE as above · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err blocks_text_change(postern_bytes text, const struct block_change *c,
                                                postern_buf *out, postern_error *err);

/* What a block's line can hold: 1..255 bytes of UTF-8 without control characters. */
bool block_agent_is_fine(postern_bytes agent);
bool block_reason_is_fine(postern_bytes reason); /* the same, and may be empty */
/* RFC 3339 in UTC to the second, or "-" for 0. */
const char *block_time_text(int64_t until_s, char room[BLOCK_TIME_MAX]);

#endif
