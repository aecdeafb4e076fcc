/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of Redis's protocol as they arrive: an array of bulk strings, which is what every client
 * sends; RESP 2 and 3 are alike here.  Inline commands (a line of text) are not taken: no client
 * library has them, and a line is what HTTP from a misled browser begins with.
 * An empty line between requests is passed over behind the login (redis_client.c), as Redis does.
 * Stricter than Redis, which skips two bytes where CRLF has to stand.
 */
#ifndef POSTERN_ADAPTERS_REDIS_REQUEST_H
#define POSTERN_ADAPTERS_REDIS_REQUEST_H

#include <postern/bytes.h>

#define REDIS_WORDS_MAX 1048576     /* of one request: Redis's own bound */
#define REDIS_BULK_MAX  536870912   /* bytes of one word: Redis's proto-max-bulk-len */

typedef enum redis_scan_end {
    REDIS_SCAN_BROKEN = 0, /* no request */
    REDIS_SCAN_MORE,
    REDIS_SCAN_DONE,
    REDIS_SCAN_LARGE /* word `known` would end behind `max`: those before it are here */
} redis_scan_end;

/* How far a request was looked at, in bytes from its beginning: those may move, and stay the same.
 * Zeroed: not at all. */
struct redis_scan {
    size_t at;        /* behind the last word that is here; LARGE: behind the header of the next */
    size_t count;     /* words of the request; 0: not known yet */
    size_t known;     /* words that are here */
    size_t rest;      /* LARGE: bytes of word `known` with its end that do not stand before `at` */
};

/* Look on.  The answer does not depend on how `in` grew.
 *   max   bytes of a request that is taken whole */
redis_scan_end redis_scan_step(struct redis_scan *s, postern_bytes in, size_t max);
/* The first `count` words of what was looked at, as views. */
void redis_scan_words(postern_bytes in, size_t count, postern_bytes *ret);
/*
 * Behind LARGE: bytes that follow, from the first that was not used.
 *   ret_used   bytes that are certainly of this request
 *   DONE: it ends behind them · MORE · BROKEN
 */
redis_scan_end redis_scan_rest(struct redis_scan *s, postern_bytes in, size_t *ret_used);

#endif
