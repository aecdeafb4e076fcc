/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever connects to the port of a login: only a whole GET /callback?QUERY is taken, its query is a
 * part of it and holds URI characters alone, and a request that is not whole is never decided early
 * in another way than when it is.
 */
#include <stdlib.h>
#include <string.h>

#include "login_callback.h"

#define AUTHORITY "127.0.0.1:1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned long fuzz_replay_runs;
const unsigned long fuzz_replay_runs = 10000; /* an input is read as often as it is long */

static void check_query(postern_bytes head, postern_bytes query)
{
    if (query.len == 0 || query.ptr < head.ptr || query.ptr + query.len > head.ptr + head.len)
        abort();
    if (memcmp(query.ptr - strlen("GET /callback?"), "GET /callback?", strlen("GET /callback?")) != 0)
        abort();
    for (size_t i = 0; i < query.len; i++)
        if (query.ptr[i] <= 0x20 || query.ptr[i] >= 0x7f || query.ptr[i] == '#')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes head = { data, size }, query = { NULL, 0 };
    enum login_request whole = login_request_read(head, AUTHORITY, &query);

    if (whole == LOGIN_REQUEST_CALLBACK)
        check_query(head, query);
    if (whole == LOGIN_REQUEST_CALLBACK || whole == LOGIN_REQUEST_OTHER)
        for (size_t len = 0; len < size; len++) /* its end comes with its last byte */
            if (login_request_read((postern_bytes){ data, len }, AUTHORITY, &query) !=
                LOGIN_REQUEST_MORE)
                abort();
    return 0;
}
