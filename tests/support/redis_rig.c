/* SPDX-License-Identifier: BSD-2-Clause */
/* See redis_rig.h. */
#include "redis_rig.h"

#include <stdlib.h>

#define SAID_MAX (64u << 20)

static struct adapter_flow flow_of(struct redis_rig *r)
{
    return (struct adapter_flow){ &r->to_client, &r->to_backend };
}

static uint64_t rights_of(void *arg)
{
    const struct redis_rig *r = arg;

    return r->rights;
}

static adapter_ruling stands(void *arg, const struct adapter_action *a)
{
    struct redis_rig *r = arg;
    struct adapter_verdict v = { 0 };

    r->asked_again++;
    r->is_asked_again = true;
    if (!r->judge(r, a, &v))
        v.ruling = ADAPTER_REFUSE;
    r->is_asked_again = false;
    return v.ruling;
}

static void check_flow(struct redis_rig *r)
{
    if (!r->to_client.failed && !r->to_backend.failed && !r->in[0].failed && !r->in[1].failed)
        return;
    if (!r->is_broken)
        (void)POSTERN_FAIL(&r->err, NOMEM, "a flow");
    r->is_broken = true;
}

bool redis_rig_open(struct redis_rig *r, redis_rig_judge judge, redis_rig_renew renew, void *arg)
{
    *r = (struct redis_rig){ .adapter = adapter_find("redis"), .judge = judge, .renew = renew,
                             .arg = arg, .to_client = POSTERN_BUF_INIT(SAID_MAX),
                             .to_backend = POSTERN_BUF_INIT(SAID_MAX) };
    r->host = (struct adapter_host){ .rights = rights_of, .stands = stands, .arg = r };
    for (int i = 0; i < 2; i++)
        r->in[i] = POSTERN_BUF_INIT(ADAPTER_READ_AHEAD);
    r->state = calloc(1, r->adapter->state_size);
    return r->state != NULL;
}

static bool greet(struct redis_rig *r, postern_bytes greeting)
{
    static const struct adapter_backend_login as = { "door", { (const uint8_t *)"s3cret", 6 } };
    size_t used = 0;

    if (r->adapter->inspector->greet(r->state, &as, &r->to_backend, &r->err) != POSTERN_OK)
        return false;
    return r->adapter->inspector->greeted(r->state, greeting, &used, &r->to_backend, &r->err) ==
               ADAPTER_STEP_PASS && used == greeting.len;
}

bool redis_rig_login(struct redis_rig *r, postern_bytes login, postern_bytes greeting)
{
    struct adapter_login l;
    size_t used = 0;

    if (r->adapter->feed(r->state, login, &used, &l, &r->err) != ADAPTER_LOGIN ||
        used != login.len || !greet(r, greeting))
        return false;
    r->adapter->grant(r->state, &(struct adapter_granted){ .service = "cache" }, &r->to_client);
    r->adapter->inspector->begin(r->state, &r->host);
    check_flow(r);
    return !r->is_broken;
}

void redis_rig_settle(struct redis_rig *r, uint64_t id, const struct adapter_verdict *v)
{
    struct adapter_flow out = flow_of(r);

    r->adapter->inspector->settle(r->state, id, v, &out);
    check_flow(r);
}

static void answer_login(struct redis_rig *r, const struct adapter_login *l)
{
    struct adapter_flow out = flow_of(r);
    const postern_failure *f = r->renew == NULL ? NULL : r->renew(r, l);
    struct adapter_granted g = { .service = "cache", .ref = "R-7Q2M4XKD90" };
    struct adapter_denied d = { .failure = f };

    r->adapter->inspector->renewed(r->state, f == NULL ? &g : NULL, f == NULL ? NULL : &d, &out);
    check_flow(r);
}

static void answer_action(struct redis_rig *r, const struct adapter_action *a)
{
    struct adapter_verdict v = { 0 };
    uint64_t id = a->id;

    r->actions++;
    r->partial_actions += a->is_partial;
    if (r->judge(r, a, &v))
        redis_rig_settle(r, id, &v);
}

static void pass_on(struct redis_rig *r, enum adapter_side from, postern_bytes bytes)
{
    postern_buf_add(from == ADAPTER_CLIENT ? &r->to_backend : &r->to_client, bytes);
}

static void keep_rest(postern_buf *in, const uint8_t *block, size_t len, size_t used)
{
    postern_buf_reset(in);
    postern_buf_add(in, (postern_bytes){ block + used, len - used });
}

/* One call; false: nothing more is to be had. */
static bool call(struct redis_rig *r, enum adapter_side from)
{
    struct adapter_flow out = flow_of(r);
    struct adapter_action action = { 0 };
    struct adapter_login login = { 0 };
    size_t len = r->in[from].len, used = 0;
    uint8_t *block = malloc(len == 0 ? 1 : len);
    adapter_step step;

    if (block == NULL) {
        r->in[from].failed = true;
        check_flow(r);
        return false;
    }
    if (len != 0)
        memcpy(block, r->in[from].ptr, len);
    step = r->adapter->inspector->read(r->state, from, (postern_bytes){ block, len }, &used,
                                       &action, &login, &out, &r->err);
    if (used > len)
        abort();
    check_flow(r);
    if (step == ADAPTER_STEP_PASS)
        pass_on(r, from, (postern_bytes){ block, used });
    if (step == ADAPTER_STEP_JUDGE)
        answer_action(r, &action);
    if (step == ADAPTER_STEP_LOGIN)
        answer_login(r, &login);
    keep_rest(&r->in[from], block, len, used);
    check_flow(r);
    memset(block, 0x5A, len);
    free(block);
    if (step == ADAPTER_STEP_BROKEN)
        r->is_broken = true;
    if (from == ADAPTER_CLIENT)
        r->is_full = step == ADAPTER_STEP_FULL;
    return !r->is_broken && step != ADAPTER_STEP_MORE && step != ADAPTER_STEP_FULL;
}

static void pump(struct redis_rig *r, enum adapter_side from)
{
    while (!r->is_broken && call(r, from))
        ;
}

void redis_rig_give(struct redis_rig *r, enum adapter_side from, postern_bytes bytes, size_t piece)
{
    while (bytes.len != 0 && !r->is_broken) {
        size_t room = r->in[from].max - r->in[from].len;
        size_t len = piece == 0 || piece > bytes.len ? bytes.len : piece;

        if (room == 0)
            return; /* it waits for ever: the test sees what did not come */
        len = len < room ? len : room;
        postern_buf_add(&r->in[from], (postern_bytes){ bytes.ptr, len });
        check_flow(r);
        bytes = (postern_bytes){ bytes.ptr + len, bytes.len - len };
        pump(r, from);
    }
    if (from == ADAPTER_BACKEND && r->is_full) /* not between: it does not depend on the pieces */
        pump(r, ADAPTER_CLIENT);
}

void redis_rig_goodbye(struct redis_rig *r, const struct adapter_denied *why)
{
    struct adapter_flow out = flow_of(r);

    r->adapter->inspector->goodbye(r->state, why, &out);
}

void redis_rig_close(struct redis_rig *r)
{
    if (r->state != NULL)
        r->adapter->wipe(r->state);
    free(r->state);
    for (int i = 0; i < 2; i++)
        postern_buf_free(&r->in[i]);
    postern_buf_free(&r->to_client);
    postern_buf_free(&r->to_backend);
}
