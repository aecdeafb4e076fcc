/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Redis session was allowed and goes on getting without asking again: messages of its
 * channels and patterns, what others ask (MONITOR), which keys change (CLIENT TRACKING).  It is
 * kept as requests, each channel as one of its own, and asked about once more when the session's
 * rights are others: what is allowed still stays, or every longer lease would cut off every
 * subscriber.
 */
#include "redis_state.h"

#include <stdlib.h>

#include "bytes_hash.h"

/* Of one session; past it the session ends when its rights change, and its client comes anew. */
#define KEPT_MAX       1024  /* each is a decision then, and they are made at once */
#define KEPT_BYTES_MAX 65536 /* of their requests: names of 64 bytes */
#define KEPT_FIRST     8

struct redis_kept_item {
    enum redis_kind kind;
    uint64_t hash; /* of the request */
    bool was_held; /* somebody approved it: that it is held is no news */
    postern_buf request;
};

static const char *const names[] = {
    [REDIS_SUBSCRIBE] = "SUBSCRIBE",
    [REDIS_PSUBSCRIBE] = "PSUBSCRIBE",
    [REDIS_SSUBSCRIBE] = "SSUBSCRIBE",
};

static bool grow(struct redis_kept *k)
{
    size_t max = k->max == 0 ? KEPT_FIRST : k->max * 2;
    struct redis_kept_item *items = calloc(max, sizeof *items);

    if (items == NULL)
        return false;
    for (size_t i = 0; i < k->count; i++)
        items[i] = k->items[i];
    free(k->items);
    k->items = items;
    k->max = max;
    return true;
}

static struct redis_kept_item *find(struct redis_kept *k, enum redis_kind kind,
                                    postern_bytes request)
{
    /* A command may name as many as are kept. */
    uint64_t hash = bytes_hash_add(BYTES_HASH_START, request);

    for (size_t i = 0; i < k->count; i++)
        if (k->items[i].hash == hash && k->items[i].kind == kind &&
            postern_bytes_equal(postern_buf_bytes(&k->items[i].request), request))
            return &k->items[i];
    return NULL;
}

static void drop(struct redis_kept *k, struct redis_kept_item *item)
{
    k->bytes -= item->request.len;
    postern_buf_free(&item->request);
    *item = k->items[--k->count];
}

static void drop_kind(struct redis_kept *k, enum redis_kind kind)
{
    for (size_t i = k->count; i != 0; i--)
        if (k->items[i - 1].kind == kind)
            drop(k, &k->items[i - 1]);
    k->lost &= ~(1u << kind);
}

/* NULL: there is no room for it. */
static struct redis_kept_item *add(struct redis_kept *k, enum redis_kind kind,
                                   postern_bytes request)
{
    struct redis_kept_item *item;

    if (k->count == KEPT_MAX || request.len > KEPT_BYTES_MAX - k->bytes ||
        (k->count == k->max && !grow(k)))
        return NULL;
    item = &k->items[k->count];
    *item = (struct redis_kept_item){ .kind = kind,
                                      .hash = bytes_hash_add(BYTES_HASH_START, request),
                                      .request = POSTERN_BUF_INIT(KEPT_BYTES_MAX) };
    postern_buf_add(&item->request, request);
    if (item->request.failed) {
        postern_buf_free(&item->request);
        return NULL;
    }
    k->count++;
    k->bytes += request.len;
    return item;
}

/* ---- what is said of it now ---- */

static adapter_ruling ask(struct redis_state *s, const struct redis_kept_item *item)
{
    struct adapter_action action;

    if (s->host == NULL || s->host->stands == NULL ||
        !redis_action_of(s, postern_buf_bytes(&item->request), &action))
        return ADAPTER_REFUSE;
    return s->host->stands(s->host->arg, &action);
}

static bool is_empty(const struct redis_kept *k)
{
    return k->count == 0 && k->lost == 0;
}

bool redis_kept_stands(struct redis_state *s)
{
    struct redis_kept *k = &s->kept;
    uint64_t rights = redis_rights(s);

    if (is_empty(k) || k->rights == rights)
        return true;
    if (k->lost != 0)
        return false;
    for (size_t i = 0; i < k->count; i++) {
        adapter_ruling ruling = ask(s, &k->items[i]);

        if (ruling != ADAPTER_RELEASE && !(ruling == ADAPTER_HOLD && k->items[i].was_held))
            return false;
    }
    k->rights = rights;
    return true;
}

/* ---- what begins, and what is over ---- */

/* It was let through under the rights of `e`: where those are others now, all is asked about again
 * before anything of it is let through. */
static void keep(struct redis_state *s, const struct redis_entry *e, postern_bytes request)
{
    struct redis_kept *k = &s->kept;
    uint64_t rights = redis_rights(s);
    struct redis_kept_item *item = find(k, e->kind, request);

    if (item != NULL && e->rights == rights && k->rights == rights)
        return; /* it was asked about by these already */
    if (is_empty(k) || e->rights != rights)
        k->rights = e->rights;
    if (item == NULL)
        item = add(k, e->kind, request);
    if (item == NULL)
        k->lost |= 1u << e->kind;
    else if (e->rights == rights)
        item->was_held = ask(s, item) == ADAPTER_HOLD;
}

static void forget(struct redis_state *s, enum redis_kind kind, postern_bytes request)
{
    struct redis_kept_item *item = find(&s->kept, kind, request);

    if (item != NULL)
        drop(&s->kept, item);
}

/* As if it were asked for alone. */
static bool put_request(enum redis_kind kind, postern_bytes channel, postern_buf *out)
{
    postern_buf_reset(out);
    postern_buf_addf(out, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(names[kind]), names[kind],
                     channel.len);
    postern_buf_add(out, channel);
    postern_buf_add_str(out, "\r\n");
    return !out->failed;
}

/* What was not noted for want of room is allowed no more when anything is others. */
static void lose(struct redis_state *s, const struct redis_entry *e, enum redis_kind kind)
{
    if (is_empty(&s->kept) || e->rights != redis_rights(s))
        s->kept.rights = e->rights;
    s->kept.lost |= 1u << kind;
}

static void note_each(struct redis_state *s, const struct redis_entry *e, enum redis_kind kind,
                      struct redis_words w)
{
    POSTERN_AUTO_BUF one = POSTERN_BUF_INIT(ADAPTER_MESSAGE_MAX + REDIS_NAME_MAX);
    bool begins = kind == e->kind;

    if (w.count - 1 > KEPT_MAX) {
        if (begins) /* each would be a decision, and PSUBSCRIBE was one for all */
            lose(s, e, kind);
        return; /* who leaves so many by name keeps them until there is none of their kind */
    }
    for (size_t i = 1; i < w.count && (s->kept.lost & (1u << kind)) == 0; i++) {
        if (!put_request(kind, w.at[i], &one))
            lose(s, e, kind);
        else if (begins)
            keep(s, e, postern_buf_bytes(&one));
        else
            forget(s, kind, postern_buf_bytes(&one));
    }
}

static void note_channels(struct redis_state *s, const struct redis_entry *e, enum redis_kind kind)
{
    struct redis_words w = redis_words_of(s, postern_buf_bytes(&e->request));
    postern_bytes *words = s->words;

    if (w.at == NULL) {
        lose(s, e, kind);
        return;
    }
    s->words = NULL; /* those of what is asked meanwhile are others */
    s->words_max = 0;
    note_each(s, e, kind, w);
    free(words);
}

static uint64_t count_of(const struct redis_state *s, enum redis_kind kind)
{
    return kind == REDIS_SUBSCRIBE    ? s->channels
           : kind == REDIS_PSUBSCRIBE ? s->patterns
                                      : s->shards;
}

static void note_subscription(struct redis_state *s, struct redis_entry *e, bool is_last)
{
    bool begins = e->kind <= REDIS_SSUBSCRIBE;
    enum redis_kind kind =
        begins ? e->kind : (enum redis_kind)(e->kind - REDIS_UNSUBSCRIBE + REDIS_SUBSCRIBE);

    if (begins && !e->is_kept)
        note_channels(s, e, kind);
    else if (!begins && is_last && count_of(s, kind) == 0)
        drop_kind(&s->kept, kind);
    else if (!begins && is_last)
        note_channels(s, e, kind);
    e->is_kept = true;
}

static void note_tracking(struct redis_state *s, const struct redis_entry *e)
{
    struct redis_words w = redis_words_of(s, postern_buf_bytes(&e->request));

    if (w.at == NULL || w.count < 3 || !redis_word_is(w.at[2], "OFF"))
        keep(s, e, postern_buf_bytes(&e->request));
    else if (s->reply.is_ok) /* not QUEUED */
        drop_kind(&s->kept, REDIS_TRACKING);
}

void redis_kept_note(struct redis_state *s, struct redis_entry *e, bool is_last)
{
    if (e->kind == REDIS_TRACKING)
        note_tracking(s, e);
    else if (e->kind == REDIS_MONITOR)
        keep(s, e, postern_buf_bytes(&e->request));
    else
        note_subscription(s, e, is_last);
}

void redis_kept_free(struct redis_kept *k)
{
    while (k->count != 0)
        drop(k, &k->items[k->count - 1]);
    free(k->items);
}
