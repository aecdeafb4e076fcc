/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The question to the helper, and the wait for its answer.  The only file where something of the
 * core is alive while the server may unwind: by longjmp (ERROR), or by proc_exit() (FATAL: the
 * backend is to end, a time-out, the postmaster is gone).  PG_ENSURE_ERROR_CLEANUP covers both, so
 * that the token is wiped and the helper's connection closed in every case.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "validator.h"

struct inquiry {
    postern_op *op;
    postern_error err;
};

static void drop(int code, Datum arg)
{
    struct inquiry *i = (struct inquiry *)DatumGetPointer(arg);

    (void)code;
    postern_op_free(POSTERN_STEAL(i->op));
}

/* What pg_stat_activity shows as the backend's wait; made once for a backend. */
static uint32 wait_event(void)
{
    static uint32 event;

    if (event == 0)
        event = WaitEventExtensionNew("PosternHelper");
    return event;
}

/* Until the helper answered, time is up, or a signal came: which is obeyed before anything else. */
static void wait_for(const postern_op *op)
{
    int fd = postern_op_fd(op);
    int events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

    if (fd >= 0)
        events |= WL_SOCKET_READABLE;
    (void)WaitLatchOrSocket(MyLatch, events, fd >= 0 ? fd : PGINVALID_SOCKET,
                            postern_op_wait_ms(op), wait_event());
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

static postern_err drive(struct inquiry *i)
{
    postern_err e;

    while ((e = postern_op_step(i->op, &i->err)) == POSTERN_AGAIN)
        wait_for(i->op);
    return e;
}

/* False: it does not fit, or there is none. */
static bool keep(const char *text, char *room, size_t room_size)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len == 0 || len >= room_size)
        return false;
    memcpy(room, text, len + 1);
    return true;
}

static postern_err keep_grant(const postern_grant *g, struct validator_answer *ret,
                              postern_error *err)
{
    const char *user, *authcid;

    if (g == NULL)
        return POSTERN_FAIL(err, INTERNAL, "a verdict without a grant");
    user = postern_grant_user(g);
    authcid = postern_grant_authcid(g);
    (void)keep(postern_grant_ref(g), ret->ref, sizeof ret->ref);
    if (!keep(user, ret->user, sizeof ret->user) ||
        !keep(postern_grant_issuer(g), ret->issuer, sizeof ret->issuer))
        return POSTERN_FAIL(err, INTERNAL, "helper proved a token but named no user or no issuer");
    ret->has_two_names = authcid != NULL && strcmp(authcid, user) != 0;
    return POSTERN_OK;
}

/* A reference leads to the helper's own record; only what the helper did not see needs a detail. */
static void keep_failure(const struct inquiry *i, struct validator_answer *ret)
{
    if (i->op == NULL || !keep(postern_op_failure(i->op)->ref, ret->ref, sizeof ret->ref))
        (void)keep(i->err.detail, ret->detail, sizeof ret->detail);
}

static postern_err inquire(struct inquiry *i, const postern_helper_place *place,
                           const postern_request *rq, struct validator_answer *ret)
{
    postern_grant *g;
    postern_err e;

    POSTERN_TRY(postern_client_verify_start(&place->where, rq, &i->op, &i->err));
    POSTERN_TRY(drive(i));
    g = postern_op_take_grant(i->op); /* nothing of the server's is called while it lives */
    e = keep_grant(g, ret, &i->err);
    postern_grant_free(g);
    return e;
}

void validator_ask(const postern_helper_place *place, const postern_request *rq,
                   struct validator_answer *ret)
{
    struct inquiry i = { .op = NULL };

    PG_ENSURE_ERROR_CLEANUP(drop, PointerGetDatum(&i));
    {
        ret->code = inquire(&i, place, rq, ret);
        if (ret->code != POSTERN_OK)
            keep_failure(&i, ret);
        drop(0, PointerGetDatum(&i));
    }
    PG_END_ENSURE_ERROR_CLEANUP(drop, PointerGetDatum(&i));
}
