/* SPDX-License-Identifier: BSD-2-Clause */
/* Token handles (sidecar/helper/handles.h).  What is kept of a handle is its SHA-256: of 192 random bits no
 * timing of a comparison tells anything that helps to find another. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <postern-private/clock.h>
#include <postern-private/sha256.h>

#include "handles.h"

struct handle {
    uint8_t hash[SHA256_LEN];
    uid_t uid;
    int64_t uses; /* left */
    int64_t end_ms;
    postern_secret *token;
};

struct handles {
    struct event *timer;
    size_t count;
    struct handle list[HANDLES_MAX]; /* the first `count`, in no order */
};

static void drop(struct handles *h, size_t i)
{
    postern_secret_free(h->list[i].token);
    h->list[i] = h->list[--h->count];
    h->list[h->count] = (struct handle){ 0 };
}

void handles_sweep(struct handles *h, int64_t now_ms)
{
    for (size_t i = h->count; i-- > 0;)
        if (h->list[i].end_ms <= now_ms)
            drop(h, i);
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

/* All live as long, so that one wait after the last minting ends everything; those that are over before are
 * wiped when somebody comes. */
static bool set_timer(struct handles *h)
{
    struct timeval wait = { .tv_sec = HANDLE_LIFE_MS / 1000 };

    return h->count == 0 || event_pending(h->timer, EV_TIMEOUT, NULL) ||
           event_add(h->timer, &wait) == 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct handles *h = arg;

    (void)fd;
    (void)what;
    handles_sweep(h, clock_mono_ms());
    if (!set_timer(h))
        handles_sweep(h, INT64_MAX); /* nobody would wipe them */
}

postern_err handles_new(struct event_base *base, struct handles **ret, postern_error *err)
{
    struct handles *h = calloc(1, sizeof *h);

    if (h == NULL)
        return POSTERN_FAIL(err, NOMEM, "token handles");
    h->timer = event_new(base, -1, 0, on_timer, h);
    if (h->timer == NULL) {
        free(h);
        return POSTERN_FAIL(err, NOMEM, "token handles");
    }
    *ret = h;
    return POSTERN_OK;
}

void handles_free(struct handles *h)
{
    if (h == NULL)
        return;
    handles_sweep(h, INT64_MAX);
    event_free(h->timer);
    free(h);
}

size_t handles_count(const struct handles *h)
{
    return h->count;
}

/* ---- minting ---- */

static size_t count_of_user(const struct handles *h, uid_t uid)
{
    size_t count = 0;

    for (size_t i = 0; i < h->count; i++)
        count += h->list[i].uid == uid;
    return count;
}

static postern_err check_room(struct handles *h, const struct handle_order *o, postern_error *err)
{
    if (o->uses < 1 || o->uses > HANDLE_USES_MAX)
        return POSTERN_FAIL(err, USAGE, "a handle has 1..%d uses", HANDLE_USES_MAX);
    handles_sweep(h, o->now_ms);
    if (h->count == HANDLES_MAX)
        return POSTERN_FAIL(err, BUSY, "%d handles are out", HANDLES_MAX);
    if (count_of_user(h, o->uid) >= HANDLES_PER_USER_MAX)
        return POSTERN_FAIL(err, BUSY, "uid %ju has %d handles out", (uintmax_t)o->uid,
                            HANDLES_PER_USER_MAX);
    return POSTERN_OK;
}

static postern_err make_text(char ret[HANDLE_LEN + 1], postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(HANDLE_LEN + 1);
    uint8_t random[HANDLE_RANDOM];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    postern_buf_add(&text, POSTERN_BYTES_LIT(POSTERN_HANDLE_PREFIX));
    postern_base64url_encode((postern_bytes){ random, sizeof random }, &text);
    postern_wipe(random, sizeof random);
    if (text.failed || text.len != HANDLE_LEN)
        return POSTERN_FAIL(err, NOMEM, "a token handle");
    memcpy(ret, text.ptr, HANDLE_LEN);
    ret[HANDLE_LEN] = '\0';
    return POSTERN_OK;
}

postern_err handles_mint(struct handles *h, const struct handle_order *o, char ret[HANDLE_LEN + 1],
                         postern_error *err)
{
    struct handle made = { .uid = o->uid, .uses = o->uses, .end_ms = o->now_ms + HANDLE_LIFE_MS };
    char text[HANDLE_LEN + 1];

    POSTERN_TRY(check_room(h, o, err));
    POSTERN_TRY(make_text(text, err));
    if (!sha256_make(postern_bytes_str(text), made.hash))
        return POSTERN_FAIL(err, NOMEM, "a token handle");
    POSTERN_TRY(postern_secret_new(o->token, &made.token, err));
    h->list[h->count++] = made;
    if (!set_timer(h)) {
        drop(h, h->count - 1);
        return POSTERN_FAIL(err, NOMEM, "a token handle");
    }
    memcpy(ret, text, sizeof text);
    postern_wipe(text, sizeof text);
    return POSTERN_OK;
}

/* ---- redeeming ---- */

static struct handle *find(struct handles *h, postern_bytes text)
{
    uint8_t hash[SHA256_LEN];

    if (!postern_token_is_handle(text) || !sha256_make(text, hash))
        return NULL;
    for (size_t i = 0; i < h->count; i++)
        if (postern_bytes_equal_ct((postern_bytes){ hash, sizeof hash },
                                   (postern_bytes){ h->list[i].hash, SHA256_LEN }))
            return &h->list[i];
    return NULL;
}

postern_err handles_redeem(struct handles *h, postern_bytes text, int64_t now_ms,
                           postern_secret **ret, postern_error *err)
{
    struct handle *found;

    handles_sweep(h, now_ms);
    found = find(h, text);
    if (found == NULL)
        return POSTERN_FAIL(err, HANDLE, "no such handle is out");
    if (found->uses > 1) {
        POSTERN_TRY(postern_secret_new(postern_secret_bytes(found->token), ret, err));
        found->uses--;
        return POSTERN_OK;
    }
    *ret = POSTERN_STEAL(found->token);
    drop(h, (size_t)(found - h->list));
    return POSTERN_OK;
}
