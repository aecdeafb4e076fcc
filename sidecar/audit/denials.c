/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets per source and for all (sidecar/audit/denials.h).  The table is searched from end
 * to end: 1024 keys of nine bytes are a fraction of what a refused connection costs.  When it is
 * full, the source that was silent longest makes room, and what was counted of it goes to
 * DENIALS_OTHERS: no refusal is forgotten.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "denials.h"

/* Zero-initialised is full. */
struct bucket {
    int64_t spent;
    int64_t refill_ms; /* `spent` was right then */
};

struct tally {
    int64_t count; /* 0: nothing is counted */
    int64_t since_ms, due_ms;
    postern_err first, last;
};

struct slot {
    struct denial_source source;
    bool is_used;
    int64_t seen_ms;
    struct bucket records;
    struct tally tally;
};

struct limits {
    int64_t source_burst, source_refill_ms; /* of one source */
    int64_t burst, refill_ms;               /* of all */
};

struct denials {
    const struct limits *limits;
    struct bucket records, summaries; /* of all sources */
    struct slot others;               /* its source and records are not used */
    size_t used_count;
    struct slot slots[DENIALS_SOURCES_MAX];
};

/* ---- sources ---- */

struct denial_source denial_source_of(const struct sockaddr *address, socklen_t len)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96 */
    struct denial_source s = { 0 };
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    if (len >= sizeof in && address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        s.family = 4;
        memcpy(s.prefix, &in.sin_addr, 4);
    } else if (len >= sizeof in6 && address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        s.family = memcmp(&in6.sin6_addr, mapped, sizeof mapped) == 0 ? 4 : 6;
        memcpy(s.prefix, (const uint8_t *)&in6.sin6_addr + (s.family == 4 ? 12 : 0),
               s.family == 4 ? 4 : 8);
    } else if (len >= sizeof address->sa_family && address->sa_family == AF_UNIX) {
        s.family = 1;
    }
    return s;
}

struct denial_source denial_source_of_agent(uint64_t identity, const char *name)
{
    struct denial_source s = { .family = 3 };
    size_t len = strnlen(name, sizeof s.agent);

    if (len == sizeof s.agent) /* not within a character of UTF-8 */
        for (len--; len > 0 && ((uint8_t)name[len] & 0xC0) == 0x80; len--)
            ;
    memcpy(s.prefix, &identity, sizeof s.prefix);
    memcpy(s.agent, name, len);
    return s;
}

struct denial_source denial_source_of_user(uid_t uid)
{
    struct denial_source s = { .family = 2 };

    memcpy(s.prefix, &uid, sizeof uid);
    return s;
}
_Static_assert(sizeof(uid_t) <= sizeof((struct denial_source *)0)->prefix, "a user fits");

static void write_user(const struct denial_source *s, char ret[DENIALS_SOURCE_TEXT])
{
    uid_t uid;

    memcpy(&uid, s->prefix, sizeof uid);
    (void)snprintf(ret, DENIALS_SOURCE_TEXT, "unix uid %ju", (uintmax_t)uid); /* has room */
}

void denial_source_text(const struct denial_source *s, char ret[DENIALS_SOURCE_TEXT])
{
    uint8_t whole[16] = { 0 };
    char text[INET6_ADDRSTRLEN] = "";

    if (s->family == 3) {
        memcpy(ret, s->agent, sizeof s->agent);
        return;
    }
    memcpy(whole, s->prefix, sizeof s->prefix);
    if (s->family == 4 || s->family == 6)
        (void)inet_ntop(s->family == 4 ? AF_INET : AF_INET6, whole, text,
                        sizeof text); /* else "" */
    if (s->family == 2)
        write_user(s, ret);
    else if (s->family == 6)
        (void)snprintf(ret, DENIALS_SOURCE_TEXT, "%.40s/64", text);
    else
        (void)snprintf(ret, DENIALS_SOURCE_TEXT, "%.40s",
                       s->family == 4   ? text
                       : s->family == 1 ? "unix"
                                        : "unknown");
}

/* ---- buckets ---- */

static void refill(struct bucket *b, int64_t now_ms, int64_t each_ms)
{
    int64_t earned = (now_ms - b->refill_ms) / each_ms;

    if (b->spent == 0) { /* a full bucket earns nothing */
        b->refill_ms = now_ms;
    } else if (earned > 0) {
        b->spent = earned < b->spent ? b->spent - earned : 0;
        b->refill_ms += earned * each_ms;
    }
}

/* ---- refusals in ---- */

static bool is_same(const struct denial_source *a, const struct denial_source *b)
{
    return a->family == b->family && memcmp(a->prefix, b->prefix, sizeof a->prefix) == 0;
}

static void count(struct slot *s, int64_t how_many, postern_err first, postern_err last,
                  int64_t now_ms)
{
    struct tally *t = &s->tally;

    if (t->count == 0) {
        t->since_ms = now_ms;
        t->first = first;
        t->due_ms = now_ms + DENIALS_SUMMARY_MS; /* and then its last summary is as long ago, too */
    }
    t->count += how_many;
    t->last = last;
}

/* What was counted of a source goes to the others. */
static void merge(struct denials *d, struct slot *s, int64_t now_ms)
{
    const struct tally *t = &s->tally;

    if (t->count == 0)
        return;
    count(&d->others, t->count, t->first, t->last, now_ms);
    if (t->since_ms < d->others.tally.since_ms)
        d->others.tally.since_ms = t->since_ms;
    s->tally = (struct tally){ 0 };
}

/* The source's slot; a new one, or that of whoever was silent longest. */
static struct slot *find_slot(struct denials *d, const struct denial_source *source, int64_t now_ms)
{
    struct slot *oldest = &d->slots[0];

    for (size_t i = 0; i < d->used_count; i++) {
        struct slot *s = &d->slots[i];

        if (is_same(&s->source, source))
            return s;
        if (s->seen_ms < oldest->seen_ms)
            oldest = s;
    }
    if (d->used_count < DENIALS_SOURCES_MAX)
        oldest = &d->slots[d->used_count++];
    else
        merge(d, oldest, now_ms);
    *oldest = (struct slot){ .source = *source, .seen_ms = now_ms };
    return oldest;
}

bool denials_note(struct denials *d, const struct denial_source *source, postern_err reason,
                  int64_t now_ms)
{
    struct slot *s = find_slot(d, source, now_ms);

    s->seen_ms = now_ms;
    refill(&s->records, now_ms, d->limits->source_refill_ms);
    refill(&d->records, now_ms, d->limits->refill_ms);
    if (s->records.spent >= d->limits->source_burst || d->records.spent >= d->limits->burst) {
        count(s, 1, reason, reason, now_ms);
        return false;
    }
    s->records.spent++;
    d->records.spent++;
    return true;
}

/* ---- summaries out ---- */

/* Whose tally is due first; NULL: nobody has one. */
static const struct slot *find_due(const struct denials *d)
{
    const struct slot *first = d->others.tally.count > 0 ? &d->others : NULL;

    for (size_t i = 0; i < d->used_count; i++) {
        const struct slot *s = &d->slots[i];

        if (s->tally.count > 0 && (first == NULL || s->tally.due_ms < first->tally.due_ms))
            first = s;
    }
    return first;
}

static void take_tally(const struct denials *d, struct slot *s, struct denial_summary *ret)
{
    *ret = (struct denial_summary){
        .count = s->tally.count,
        .since_ms = s->tally.since_ms,
        .first = s->tally.first,
        .last = s->tally.last,
    };
    if (s == &d->others)
        memcpy(ret->source, DENIALS_OTHERS, sizeof DENIALS_OTHERS);
    else
        denial_source_text(&s->source, ret->source);
    s->tally = (struct tally){ 0 };
}

bool denials_take_due(struct denials *d, int64_t now_ms, struct denial_summary *ret)
{
    const struct slot *s = find_due(d);

    refill(&d->summaries, now_ms, DENIALS_REFILL_MS);
    if (s == NULL || s->tally.due_ms > now_ms || d->summaries.spent != 0)
        return false;
    d->summaries.spent++;
    take_tally(d, s == &d->others ? &d->others : &d->slots[s - d->slots], ret);
    return true;
}

bool denials_take_rest(struct denials *d, struct denial_summary *ret)
{
    struct slot *only = NULL;
    size_t tally_count = d->others.tally.count > 0;

    for (size_t i = 0; i < d->used_count; i++) {
        if (d->slots[i].tally.count == 0)
            continue;
        only = &d->slots[i];
        tally_count++;
    }
    if (tally_count == 0)
        return false;
    if (tally_count == 1 && only != NULL) {
        take_tally(d, only, ret);
        return true;
    }
    for (size_t i = 0; i < d->used_count; i++)
        merge(d, &d->slots[i], d->slots[i].tally.since_ms);
    take_tally(d, &d->others, ret);
    return true;
}

/* ---- the whole ---- */

postern_err denials_new(denials_of whom, struct denials **ret, postern_error *err)
{
    static const struct limits limits[] = {
        [DENIALS_OF_STRANGERS] = { DENIALS_SOURCE_BURST, DENIALS_SOURCE_REFILL_MS, DENIALS_BURST,
                                   DENIALS_REFILL_MS },
        [DENIALS_OF_AGENTS] = { DENIALS_AGENT_BURST, DENIALS_AGENT_REFILL_MS, DENIALS_AGENTS_BURST,
                                DENIALS_AGENTS_REFILL_MS },
    };
    struct denials *d = calloc(1, sizeof *d);

    if (d == NULL)
        return POSTERN_FAIL(err, NOMEM, "table of refused sources");
    d->limits = &limits[whom];
    *ret = d;
    return POSTERN_OK;
}

void denials_free(struct denials *d)
{
    free(d);
}
