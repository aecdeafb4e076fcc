/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the helper says of a service, remembered for a minute: hosts ask for the list of mechanisms
 * on every connection. Holds no verdicts and nothing secret.  Threads share it; a thread that finds
 * it locked goes and asks instead of waiting, so a child forked while another thread held the lock
 * is slower, never stuck.
 */
#include <pthread.h>

#include "plugin.h"

#define SLOTS 16 /* a process serves one or two services; imapd's cousins at most five */
/* A changed service file is seen within a minute; describing costs a round trip. */
#define KEEP_S 60
/* The deadline of one question: at most half of a host's time is spent waiting. */
#define KEEP_DOWN_S 5

struct slot {
    char socket[POSTERN_HELPER_PATH_MAX];
    uid_t server_uid;
    char service[POSTERN_SERVICE_NAME_MAX];
    int64_t until_s; /* 0: free */
    bool is_down;
    postern_service_info info;
};

static struct slot slots[SLOTS];
static size_t next_slot;
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_slot_of(const struct slot *s, const postern_helper_place *o)
{
    return strcmp(s->service, o->service) == 0 && strcmp(s->socket, o->socket) == 0 &&
           s->server_uid == o->where.server_uid;
}

/* The slot of `o`, live or not; NULL when there is none.  Locked. */
static struct slot *find_slot(const postern_helper_place *o)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].until_s != 0 && is_slot_of(&slots[i], o))
            return &slots[i];
    return NULL;
}

static bool recall(const postern_helper_place *o, int64_t now_s, struct slot *ret)
{
    const struct slot *s;
    bool is_live = false;

    if (pthread_mutex_trylock(&slots_lock) != 0)
        return false;
    s = find_slot(o);
    if (s != NULL && now_s < s->until_s) {
        *ret = *s;
        is_live = true;
    }
    (void)pthread_mutex_unlock(&slots_lock);
    return is_live;
}

/* `info` NULL: the helper did not answer. */
static void remember(const postern_helper_place *o, int64_t now_s,
                     const postern_service_info *info)
{
    struct slot fresh = { .server_uid = o->where.server_uid, .is_down = info == NULL };
    struct slot *s;

    memcpy(fresh.socket, o->socket, sizeof fresh.socket);
    memcpy(fresh.service, o->service, sizeof fresh.service);
    fresh.until_s = now_s + (info == NULL ? KEEP_DOWN_S : KEEP_S);
    if (info != NULL)
        fresh.info = *info;
    if (pthread_mutex_trylock(&slots_lock) != 0)
        return;
    s = find_slot(o);
    if (s == NULL)
        s = &slots[next_slot++ % SLOTS];
    *s = fresh;
    (void)pthread_mutex_unlock(&slots_lock);
}

static postern_err ask(const postern_helper_place *o, postern_service_info *ret,
                       postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    const postern_service_info *info;

    POSTERN_TRY(postern_client_describe_start(&o->where, o->service, &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    info = postern_client_info(op);
    if (info == NULL)
        return POSTERN_FAIL(err, INTERNAL, "helper described nothing");
    *ret = *info;
    return POSTERN_OK;
}

postern_err plugin_service_info(const postern_helper_place *o, int64_t now_s,
                                postern_service_info *ret, postern_error *err)
{
    struct slot s;
    postern_err e;

    if (recall(o, now_s, &s) && !s.is_down) {
        *ret = s.info;
        return POSTERN_OK;
    }
    e = ask(o, ret, err);
    remember(o, now_s, e == POSTERN_OK ? ret : NULL);
    return e;
}

bool plugin_service_is_down(const postern_helper_place *o, int64_t now_s)
{
    struct slot s;

    return recall(o, now_s, &s) && s.is_down;
}

void plugin_service_forget_all(void)
{
    (void)pthread_mutex_lock(&slots_lock);
    memset(slots, 0, sizeof slots); /* holds nothing secret */
    (void)pthread_mutex_unlock(&slots_lock);
}
