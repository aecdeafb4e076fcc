/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads of requests to the status listener: a page is named only by a GET, and more bytes never take back what was said. */
#include <stdlib.h>

#include "control/status_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes head = { data, size };
    status_page page = status_request_read(head);

    if (page > STATUS_NOT_ALLOWED && (size < 4 || memcmp(data, "GET ", 4) != 0))
        abort();
    if (page == STATUS_MORE && size >= STATUS_HEAD_MAX)
        abort();
    for (size_t len = 0; len < size && size <= 512; len++) {
        status_page before = status_request_read((postern_bytes){ data, len });

        if (before != STATUS_MORE && before != page)
            abort();
    }
    return 0;
}
