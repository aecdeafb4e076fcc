/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The raw login.  The first byte says how the rest is cut into pieces.  However it is cut, the
 * verdict is the same; what is accepted is what raw_judge.c finds in the bytes; every answer is
 * well formed.
 */
#include <stdio.h>
#include <stdlib.h>

#include <postern/oauthbearer.h>

#include "../support/raw_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    const struct adapter *adapter;
    void *state;
    uint8_t *piece; /* what feed() saw last: views point into it */
    adapter_feed verdict;
    struct adapter_login login;
    size_t used, seen;
    postern_error err;
};

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void require_null(const char *complaint)
{
    if (complaint != NULL) {
        (void)fprintf(stderr, "%s\n", complaint);
        abort();
    }
}

static void open_run(struct run *r)
{
    *r = (struct run){ .adapter = adapter_find("raw"), .used = SIZE_MAX };
    r->state = calloc(1, r->adapter->state_size);
    require(r->state != NULL);
}

static void close_run(struct run *r)
{
    r->adapter->wipe(r->state);
    for (size_t i = 0; i < r->adapter->state_size; i++)
        require(((uint8_t *)r->state)[i] == 0);
    free(r->state);
    free(r->piece);
}

/* The first `len` bytes in a block of their own: an overread by one is seen. */
static void give(struct run *r, const uint8_t *data, size_t len)
{
    free(r->piece);
    r->piece = malloc(len == 0 ? 1 : len);
    require(r->piece != NULL);
    memcpy(r->piece, data, len);
    r->seen = len;
    r->verdict =
        r->adapter->feed(r->state, (postern_bytes){ r->piece, len }, &r->used, &r->login, &r->err);
}

/* step 0: all at once; else pieces that grow, so that long inputs stay quick. */
static void run_in_pieces(struct run *r, const uint8_t *data, size_t size, size_t step)
{
    size_t len = step == 0 ? size : 0;

    open_run(r);
    give(r, data, len);
    while (r->verdict == ADAPTER_MORE && len < size) {
        len += step + len / 64;
        give(r, data, len < size ? len : size);
    }
}

static void check_same(const struct run *a, const struct run *b)
{
    require(a->verdict == b->verdict);
    if (a->verdict == ADAPTER_MORE)
        return;
    if (a->verdict == ADAPTER_REJECT) {
        require(a->login.code == b->login.code && strcmp(a->err.detail, b->err.detail) == 0);
        return;
    }
    require(a->used == b->used && a->login.carrier == b->login.carrier);
    require(postern_bytes_equal(a->login.token, b->login.token));
    require(postern_bytes_equal(a->login.session, b->login.session));
    require(strcmp(a->login.authzid, b->login.authzid) == 0);
    require(strcmp(a->login.host, b->login.host) == 0 && strcmp(a->login.port, b->login.port) == 0);
}

static bool is_connect(const uint8_t *data, size_t size)
{
    return size >= 8 && memcmp(data, "CONNECT ", 8) == 0;
}

static void check_denied(struct run *r, bool is_http, const struct adapter_denied *d)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);

    r->adapter->deny(r->state, d, &out);
    require(!out.failed);
    require_null(raw_judge_answer(postern_buf_bytes(&out), is_http, false));
}

/* Any code, and texts made of the input: what a policy file or a configuration holds is not ours.
 */
static void check_answers(struct run *r, const uint8_t *data, size_t size)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    postern_failure f = { .code = (postern_err)(size % POSTERN_ERR_COUNT), .ref = "R-7Q2M4XKD90" };
    struct adapter_granted g = { "cache", 1780000000, 300, POSTERN_BYTES_LIT("c2VjcmV0"), f.ref };
    char text[1200];
    size_t len = size < sizeof text ? size : sizeof text - 1;
    bool is_http = is_connect(data, size);

    memcpy(text, data, len);
    text[len] = '\0';
    check_denied(r, is_http, &(struct adapter_denied){ &f, text, text + len / 2, (int64_t)size });
    memcpy(f.scope, text, sizeof f.scope - 1);
    memcpy(f.resource_metadata, text, sizeof f.resource_metadata - 1);
    memcpy(f.openid_configuration, text + len / 3, sizeof f.openid_configuration - 1);
    check_denied(r, is_http, &(struct adapter_denied){ &f, text, NULL, 0 });
    r->adapter->grant(r->state, &g, &out);
    require(!out.failed);
    require_null(raw_judge_answer(postern_buf_bytes(&out), is_http, true));
}

static void check_verdict(struct run *r)
{
    switch (r->verdict) {
    case ADAPTER_MORE:
        require(r->seen < ADAPTER_LOGIN_MAX);
        break;
    case ADAPTER_REJECT:
        require(r->used == SIZE_MAX && r->err.code == r->login.code && r->err.detail[0] != '\0');
        require(r->login.token.len == 0 && r->login.session.len == 0);
        require(r->login.code == POSTERN_ERR_LIMIT || r->login.code == POSTERN_ERR_MALFORMED ||
                r->login.code == POSTERN_ERR_NO_TOKEN ||
                r->login.code == POSTERN_ERR_MESSAGE_MALFORMED);
        break;
    case ADAPTER_LOGIN:
    case ADAPTER_RENEW:
        require_null(
            raw_judge_login((postern_bytes){ r->piece, r->seen }, r->verdict, &r->login, r->used));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole, cut;

    if (size == 0)
        return 0;
    run_in_pieces(&whole, data + 1, size - 1, 0);
    run_in_pieces(&cut, data + 1, size - 1, 1 + data[0] % 32);
    check_verdict(&whole);
    check_verdict(&cut);
    check_same(&whole, &cut);
    check_answers(&cut, data + 1, size - 1);
    close_run(&whole);
    close_run(&cut);
    return 0;
}
