/* SPDX-License-Identifier: BSD-2-Clause */
/* A count for each source that has a connection now: at most as many as there are connections
 * (limits.h). */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "../text_hash.h"
#include "limits.h"

#define BUCKETS 1024 /* a power of two */

struct source {
    LIST_ENTRY(source) entry;
    size_t count;
    char   name[LIMITS_SOURCE_MAX];
};
LIST_HEAD(source_list, source);

struct limits {
    pthread_mutex_t    lock;
    size_t             total_max, per_source_max, total;
    struct source_list buckets[BUCKETS];
};

postern_err limits_new(struct limits **ret, postern_error *err)
{
    struct limits *l = calloc(1, sizeof *l);

    if (l == NULL || pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return POSTERN_FAIL(err, NOMEM, "limits");
    }
    *ret = l;
    return POSTERN_OK;
}

void limits_free(struct limits *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&l->buckets[i])) {
            struct source *s = LIST_FIRST(&l->buckets[i]);

            LIST_REMOVE(s, entry);
            free(s);
        }
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

void limits_set(struct limits *l, size_t total_max, size_t per_source_max)
{
    pthread_mutex_lock(&l->lock);
    l->total_max = total_max;
    l->per_source_max = per_source_max;
    pthread_mutex_unlock(&l->lock);
}

static void write_v6(const struct in6_addr *a, char ret[LIMITS_SOURCE_MAX])
{
    struct in6_addr net = *a;
    char text[INET6_ADDRSTRLEN];

    if (IN6_IS_ADDR_V4MAPPED(a)) {
        (void)inet_ntop(AF_INET, a->s6_addr + 12, ret, LIMITS_SOURCE_MAX); /* has room */
        return;
    }
    memset(net.s6_addr + 8, 0, 8); /* whoever has one address of a /64 has them all */
    (void)inet_ntop(AF_INET6, &net, text, sizeof text);
    (void)snprintf(ret, LIMITS_SOURCE_MAX, "%s", text); /* has room */
    if (LIMITS_SOURCE_MAX - strlen(ret) > 3)
        memcpy(ret + strlen(ret), "/64", 4);
}

void limits_source_of(const struct sockaddr *address, char ret[LIMITS_SOURCE_MAX])
{
    memset(ret, 0, LIMITS_SOURCE_MAX);
    if (address->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, ret,
                        LIMITS_SOURCE_MAX); /* has room */
    else if (address->sa_family == AF_INET6)
        write_v6(&((const struct sockaddr_in6 *)address)->sin6_addr, ret);
    else
        memcpy(ret, "unix", 5);
}

void limits_source_of_user(uid_t uid, char ret[LIMITS_SOURCE_MAX])
{
    memset(ret, 0, LIMITS_SOURCE_MAX);
    (void)snprintf(ret, LIMITS_SOURCE_MAX, "uid %ju", (uintmax_t)uid); /* has room */
}

/* 127.0.0.1 and ::1 alone: who takes another address of 127.0.0.0/8 does so on purpose. */
bool limits_source_is_shared(const struct sockaddr *address)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    uint32_t mapped;

    if (address->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) == INADDR_LOOPBACK;
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&mapped, v6->sin6_addr.s6_addr + 12, sizeof mapped);
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && ntohl(mapped) == INADDR_LOOPBACK);
}

static size_t bucket_of(const char *name)
{
    return text_hash(name) & (BUCKETS - 1);
}

static struct source *find(struct limits *l, const char *name)
{
    struct source *s;

    LIST_FOREACH (s, &l->buckets[bucket_of(name)], entry)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static struct source *find_or_add(struct limits *l, const char *name)
{
    struct source *s = find(l, name);

    if (s != NULL || (s = calloc(1, sizeof *s)) == NULL)
        return s;
    memcpy(s->name, name, strnlen(name, LIMITS_SOURCE_MAX - 1));
    LIST_INSERT_HEAD(&l->buckets[bucket_of(name)], s, entry);
    return s;
}

static void forget_idle(struct source *s)
{
    if (s->count != 0)
        return;
    LIST_REMOVE(s, entry);
    free(s);
}

static limits_verdict take(struct limits *l, const char *name)
{
    struct source *s = find_or_add(l, name);

    if (s == NULL)
        return LIMITS_REFUSE;
    if (s->count >= l->per_source_max) {
        forget_idle(s);
        return LIMITS_REFUSE;
    }
    s->count++;
    l->total++;
    return l->total > l->total_max ? LIMITS_MAKE_ROOM : LIMITS_ADMIT;
}

limits_verdict limits_take(struct limits *l, const char *source)
{
    limits_verdict v;

    pthread_mutex_lock(&l->lock);
    v = take(l, source);
    pthread_mutex_unlock(&l->lock);
    return v;
}

void limits_release(struct limits *l, const char *source)
{
    struct source *s;

    pthread_mutex_lock(&l->lock);
    s = find(l, source);
    if (s != NULL && s->count > 0) {
        l->total--;
        s->count--;
        forget_idle(s);
    }
    pthread_mutex_unlock(&l->lock);
}

size_t limits_in_use(struct limits *l)
{
    size_t n;

    pthread_mutex_lock(&l->lock);
    n = l->total;
    pthread_mutex_unlock(&l->lock);
    return n;
}
