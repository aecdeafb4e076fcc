/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of Redis's protocol, and their keys.  The first byte says how the rest is cut; however it
 * is cut, the answer is the same.  What is taken, written anew, is what was received; every key is a
 * word of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "adapters/redis_keys.h"
#include "adapters/redis_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 512 /* bytes that are taken whole here: what is larger is tried too */

static void require(bool claim)
{
    if (!claim)
        abort();
}

struct run {
    struct redis_scan scan;
    redis_scan_end end;
};

/* step 0: all at once. */
static void scan(struct run *r, const uint8_t *data, size_t size, size_t step)
{
    size_t len = step == 0 ? size : 0;

    *r = (struct run){ .end = REDIS_SCAN_MORE };
    for (;;) {
        uint8_t *piece = malloc(len == 0 ? 1 : len);

        require(piece != NULL);
        memcpy(piece, data, len);
        r->end = redis_scan_step(&r->scan, (postern_bytes){ piece, len }, MAX);
        free(piece);
        if (r->end != REDIS_SCAN_MORE || len == size)
            return;
        len = len + step < size ? len + step : size;
    }
}

/* The rest of a large one: byte by byte, and all at once. */
static void check_rest(const struct run *r, const uint8_t *data, size_t size)
{
    struct redis_scan whole = r->scan, slow = r->scan;
    size_t used, total = 0, at = r->scan.at;
    postern_bytes in = { data + at, size - at };
    redis_scan_end end = redis_scan_rest(&whole, in, &used), slow_end = REDIS_SCAN_MORE;

    require(used <= in.len);
    for (size_t have = 0; have <= in.len && slow_end == REDIS_SCAN_MORE; have++) {
        size_t n;

        slow_end = redis_scan_rest(&slow, (postern_bytes){ in.ptr + total, have - total }, &n);
        total += n;
    }
    require(end == slow_end && (end == REDIS_SCAN_BROKEN || total == used));
}

static void check_written(postern_bytes request, const postern_bytes *words, size_t count)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(SIZE_MAX / 2);

    postern_buf_addf(&out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        postern_buf_addf(&out, "$%zu\r\n", words[i].len);
        postern_buf_add(&out, words[i]);
        postern_buf_add_str(&out, "\r\n");
    }
    require(postern_bytes_equal(postern_buf_bytes(&out), request));
}

static bool is_a_word(postern_bytes key, const postern_bytes *words, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (words[i].ptr == key.ptr && words[i].len == key.len)
            return true;
    return false;
}

static void check_keys(const postern_bytes *words, size_t count)
{
    static const struct redis_keys unknown = KEYS_UNKNOWN;
    postern_bytes *keys = calloc(count, sizeof *keys);
    struct redis_found found = { .keys = keys, .max = count };
    struct redis_words w = { words, count };
    struct redis_name name;

    require(keys != NULL);
    redis_name_of(w, &name);
    require(name.text[0] == '\0' || (name.words >= 1 && name.words <= count));
    redis_keys_find(name.command == NULL ? &unknown : &name.command->keys, w, &found);
    require(name.command != NULL || found.has_unnamed);
    require(found.count <= count && !found.is_full);
    for (size_t i = 0; i < found.count; i++)
        require(keys[i].ptr != NULL && is_a_word(keys[i], words, count));
    found.max = 1;
    redis_keys_find(name.command == NULL ? &unknown : &name.command->keys, w, &found);
    require(found.count <= 1);
    free(keys);
}

static void check_done(const struct run *r, const uint8_t *data)
{
    postern_bytes *words = calloc(r->scan.count, sizeof *words);

    require(words != NULL && r->scan.known == r->scan.count && r->scan.at <= MAX);
    redis_scan_words((postern_bytes){ data, r->scan.at }, r->scan.count, words);
    check_written((postern_bytes){ data, r->scan.at }, words, r->scan.count);
    check_keys(words, r->scan.count);
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole, cut;

    if (size == 0)
        return 0;
    scan(&whole, data + 1, size - 1, 0);
    scan(&cut, data + 1, size - 1, 1 + data[0] % 16);
    require(whole.end == cut.end);
    if (whole.end == REDIS_SCAN_DONE || whole.end == REDIS_SCAN_LARGE)
        require(memcmp(&whole.scan, &cut.scan, sizeof whole.scan) == 0);
    if (whole.end == REDIS_SCAN_DONE)
        check_done(&whole, data + 1);
    if (whole.end == REDIS_SCAN_LARGE)
        check_rest(&whole, data + 1, size - 1);
    return 0;
}
