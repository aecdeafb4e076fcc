/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program says on standard error: whatever comes, in whatever pieces, lines are short and few, and
 * those that are left out are counted. */
#include <stdlib.h>
#include <string.h>

#include "spawner/said.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    int64_t lines, missed;
};

static void note(void *arg, const char *line, bool is_cut, int64_t missed)
{
    struct seen *s = arg;

    if (missed < 0 || (line == NULL && missed == 0))
        abort();
    s->missed += missed;
    if (line == NULL)
        return;
    s->lines++;
    if (line[0] == '\0' || strlen(line) > SAID_LINE_MAX || strchr(line, '\n') != NULL)
        abort();
    if (is_cut && strlen(line) != SAID_LINE_MAX)
        abort();
}

/* Lines that are not empty. */
static int64_t count_lines(const uint8_t *data, size_t size)
{
    int64_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += data[i] != '\n' && (i == 0 || data[i - 1] == '\n');
    return n;
}

/* The first byte: how large pieces are; the second: how long each takes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct said s = { .len = 0 };
    struct seen seen = { 0, 0 };
    int64_t now_ms = 0;
    size_t step, wait_ms;

    if (size < 2)
        return 0;
    step = (size_t)data[0] * 4 + 1;
    wait_ms = (size_t)data[1] * 100;
    data += 2;
    size -= 2;
    for (size_t at = 0; at < size; at += step, now_ms += (int64_t)wait_ms)
        said_add(&s, (postern_bytes){ data + at, size - at < step ? size - at : step }, now_ms, note,
                 &seen);
    said_finish(&s, now_ms, note, &seen);
    if (seen.lines + seen.missed != count_lines(data, size) ||
        seen.lines > SAID_BURST + 1 + now_ms / SAID_REFILL_MS)
        abort();
    return 0;
}
