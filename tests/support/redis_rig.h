/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Redis session without sockets: what a door does with the adapter, in memory.  Each call sees its
 * bytes in a block of their own, which is gone afterwards.
 */
#ifndef TESTS_SUPPORT_REDIS_RIG_H
#define TESTS_SUPPORT_REDIS_RIG_H

#include "adapters/adapter.h"

struct redis_rig;
/* What the policy says; `ret` is zeroed.  False: it is not known yet, rig_settle() follows. */
typedef bool (*redis_rig_judge)(struct redis_rig *r, const struct adapter_action *a,
                                struct adapter_verdict *ret);
/* NULL: granted. */
typedef const postern_failure *(*redis_rig_renew)(struct redis_rig *r,
                                                  const struct adapter_login *l);

struct redis_rig {
    const struct adapter *adapter;
    void *state;
    postern_buf in[2];                 /* not used so far, by side */
    postern_buf to_client, to_backend; /* everything that was ever said */
    redis_rig_judge judge;
    redis_rig_renew renew;
    void *arg;
    bool is_broken, is_full;
    postern_error err;
    size_t actions, partial_actions;
    uint64_t rights; /* what the adapter is told of them */
    size_t asked_again;
    bool is_asked_again; /* judge() is about what goes on */
    struct adapter_host host;
};

/* False: memory is out. */
bool redis_rig_open(struct redis_rig *r, redis_rig_judge judge, redis_rig_renew renew, void *arg);
/* A login in one piece, granted; `greeting` is what the backend answers.  False: it was refused. */
bool redis_rig_login(struct redis_rig *r, postern_bytes login, postern_bytes greeting);
/* Bytes of a side, `piece` at a time (0: all at once), and what comes of them. */
void redis_rig_give(struct redis_rig *r, enum adapter_side from, postern_bytes bytes, size_t piece);
/* A verdict that was not known. */
void redis_rig_settle(struct redis_rig *r, uint64_t id, const struct adapter_verdict *v);
void redis_rig_goodbye(struct redis_rig *r, const struct adapter_denied *why);
void redis_rig_close(struct redis_rig *r);

#endif
