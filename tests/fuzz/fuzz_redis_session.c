/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Redis session, both sides as they like.  The input is pieces: a byte that says of whom and
 * what, a byte of length, bytes.  Whether each comes whole or byte by byte, the same is said to
 * both.  What the backend is told are the requests that were let through, in their order, DISCARD
 * in place of EXEC, and HELLO of a new login; nothing else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../support/redis_rig.h"
#include "adapters/redis_keys.h"
#include "adapters/redis_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned long fuzz_replay_runs;
const unsigned long fuzz_replay_runs = 20000; /* an input is two sessions: 40 us */

#define RELEASED_MAX 4096
#define JWS "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"

struct seen {
    uint64_t released[RELEASED_MAX]; /* what they say, in short */
    size_t count, at;
    bool has_large; /* the beginning of a request was let through; an input is too short for its end */
};

static void require(bool claim)
{
    if (!claim)
        abort();
}

static uint64_t digest(const postern_bytes *words, size_t count)
{
    uint64_t d = 1469598103934665603u; /* FNV */

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < words[i].len; k++)
            d = (d ^ words[i].ptr[k]) * 1099511628211u;
        d = (d ^ 256) * 1099511628211u;
    }
    return d;
}

/* Refused: what has an "n" as the first letter of an argument; bounded: "r". */
static bool judge(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    static const postern_failure failure = { .code = POSTERN_ERR_POLICY, .ref = "R-7Q2M4XKD90" };
    struct seen *seen = r->arg;

    v->denied.failure = &failure;
    for (size_t i = 0; i < a->resource_count; i++)
        require(a->resources[i].ptr != NULL);
    if (a->name == NULL || seen->count == RELEASED_MAX)
        return true;
    for (size_t i = 0; i < a->digested_count; i++) {
        if (a->digested[i].len != 0 && a->digested[i].ptr[0] == 'n')
            return true;
        if (a->digested[i].len != 0 && a->digested[i].ptr[0] == 'r')
            v->rows_max = v->bytes_max = 9;
    }
    v->ruling = ADAPTER_RELEASE;
    seen->has_large = seen->has_large || a->is_partial;
    seen->released[seen->count++] = digest(a->digested, a->digested_count);
    return true;
}

static const postern_failure *renew(struct redis_rig *r, const struct adapter_login *l)
{
    static const postern_failure failure = { .code = POSTERN_ERR_EXPIRED, .ref = "R-7Q2M4XKD90" };

    (void)r;
    require(l->token.len != 0 && l->authzid != NULL);
    return l->authzid[0] == 'n' ? &failure : NULL;
}

/* What was sent is the next that was let through, or one after it where those between were taken back. */
static void check_sent(struct seen *seen, struct redis_words w)
{
    struct redis_name name;

    redis_name_of(w, &name);
    if (redis_word_is(w.at[0], "DISCARD") && w.count == 1)
        return;
    if (redis_word_is(w.at[0], "HELLO"))
        return;
    require(name.text[0] != '\0');
    while (seen->at < seen->count &&
           seen->released[seen->at] != digest(w.at + name.words, w.count - name.words))
        seen->at++;
    require(seen->at < seen->count);
    seen->at++;
}

static void check_backend(struct seen *seen, postern_bytes said)
{
    while (said.len != 0) {
        struct redis_scan scan = { 0 };
        postern_bytes *words;
        redis_scan_end found = redis_scan_step(&scan, said, SIZE_MAX / 2);

        if (found == REDIS_SCAN_MORE && seen->has_large)
            return;
        require(found == REDIS_SCAN_DONE);
        words = calloc(scan.count, sizeof *words);
        require(words != NULL);
        redis_scan_words(said, scan.count, words);
        check_sent(seen, (struct redis_words){ words, scan.count });
        free(words);
        said = (postern_bytes){ said.ptr + scan.at, said.len - scan.at };
    }
}

static void log_in(struct redis_rig *r, bool is_resp3)
{
    static const char auth[] = "*2\r\n$4\r\nAUTH\r\n$41\r\n" JWS "\r\n";
    static const char hello[] = "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$41\r\n" JWS "\r\n";

    require(redis_rig_login(r, postern_bytes_str(is_resp3 ? hello : auth),
                            postern_bytes_str(is_resp3 ? "%0\r\n" : "+OK\r\n")));
    postern_buf_reset(&r->to_backend);
}

static void run(struct redis_rig *r, struct seen *seen, const uint8_t *data, size_t size, size_t piece)
{
    memset(seen, 0, sizeof *seen);
    require(redis_rig_open(r, judge, renew, seen));
    log_in(r, data[0] % 2 != 0);
    for (size_t at = 1; at + 2 <= size && !r->is_broken;) {
        size_t len = data[at + 1];

        len = len < size - at - 2 ? len : size - at - 2;
        redis_rig_give(r, data[at] % 2 != 0 ? ADAPTER_BACKEND : ADAPTER_CLIENT,
                       (postern_bytes){ data + at + 2, len }, piece);
        at += 2 + len;
    }
    check_backend(seen, postern_buf_bytes(&r->to_backend));
}

/* The login of strangers: whatever it is, it is the same in one piece and in many. */
static void run_login(const uint8_t *data, size_t size)
{
    for (size_t step = 1; step <= size; step += size / 8 + 1) {
        const struct adapter *a = adapter_find("redis");
        void *slow = calloc(1, a->state_size), *whole = calloc(1, a->state_size);
        struct adapter_login l, w;
        size_t used = 0, whole_used = 0, len = 0;
        adapter_feed f = ADAPTER_MORE, g;

        require(slow != NULL && whole != NULL);
        for (; f == ADAPTER_MORE && len < size;) {
            len = len + step < size ? len + step : size;
            f = a->feed(slow, (postern_bytes){ data, len }, &used, &l, NULL);
        }
        g = a->feed(whole, (postern_bytes){ data, size }, &whole_used, &w, NULL);
        require(f == g && used == whole_used);
        require(f != ADAPTER_LOGIN || (postern_bytes_equal(l.token, w.token) && strcmp(l.authzid, w.authzid) == 0));
        require(f != ADAPTER_REJECT || l.code == w.code);
        a->wipe(slow);
        a->wipe(whole);
        free(slow);
        free(whole);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct seen whole_seen, slow_seen;
    struct redis_rig whole, slow;

    if (size == 0)
        return 0;
    if (data[0] == 'L') {
        run_login(data + 1, size - 1);
        return 0;
    }
    run(&whole, &whole_seen, data, size, 0);
    run(&slow, &slow_seen, data, size, 1);
    require(whole.is_broken == slow.is_broken && whole.actions == slow.actions);
    require(postern_bytes_equal(postern_buf_bytes(&whole.to_backend), postern_buf_bytes(&slow.to_backend)));
    if (!whole.is_broken)
        require(postern_bytes_equal(postern_buf_bytes(&whole.to_client), postern_buf_bytes(&slow.to_client)));
    redis_rig_close(&whole);
    redis_rig_close(&slow);
    return 0;
}
