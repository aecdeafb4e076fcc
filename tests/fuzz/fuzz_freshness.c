/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/freshness.c: any Cache-Control line gives -1, what was there, or seconds within the bound; a
 * line never makes a life longer than the lines before it said. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "http/freshness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(postern_bytes line, int before)
{
    int got = postern_freshness_read(line, before), left;

    if (got < -1 || got > POSTERN_FRESHNESS_MAX_S || (before >= 0 && (got > before || got < 0)))
        abort();
    left = postern_freshness_less_age(got, line);
    if (got < 0 ? left != got : left < 0 || left > got)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const postern_bytes line = { data, size };

    check(line, -1);
    check(line, 0);
    check(line, 600);
    check(line, POSTERN_FRESHNESS_MAX_S);
    return 0;
}
