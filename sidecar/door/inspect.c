/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See inspect.h.
 *
 * One round of work serves both sides: what was read ahead is shown to the adapter, what it lets
 * through is sent, and only then more is read.  A verdict that comes later asks for another round,
 * which sends what many of them released with one call.  Nothing but a round ends the session.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include <postern-private/clock.h>

#include "inspect.h"
#include "wire.h"

/* What is read ahead of one side, with the last turn of a socket with TLS. */
#define IN_MAX (ADAPTER_READ_AHEAD + RECORDS_PLAIN_MAX)

struct side {
    struct inspect *inspect;
    enum adapter_side name;
    struct wire wire;
    postern_buf in; /* read, and not used by the adapter */
    bool is_ready;  /* its socket may have bytes */
    bool is_hungry; /* the adapter has seen all of `in`, and wants more */
    bool is_stuck;  /* the adapter takes nothing until something was settled or came back */
    bool awaits_login; /* a longer lease was asked for */
    bool is_watched_in, is_watched_out;
    struct event readable, writable;
};

struct inspect {
    struct relay_pool *pool;
    struct inspect_owner owner;
    const struct adapter *adapter;
    void *state;
    struct adapter_host host;
    size_t judging, held; /* actions without verdict; those that wait for an approval */
    int actions_left;     /* of this round */
    bool is_over, is_working, has_said_end;
    relay_end why;
    postern_error error;
    _Atomic uint64_t bytes_up, bytes_down;
    _Atomic int64_t last_byte_ms;
    struct event again, leave;
    struct side client, backend;
};

/* ---- small things ---- */

static struct side *other(const struct side *s)
{
    return s == &s->inspect->client ? &s->inspect->backend : &s->inspect->client;
}

static struct adapter_flow flow_of(struct inspect *i)
{
    return (struct adapter_flow){ &i->client.wire.out, &i->backend.wire.out };
}

static const char *name_of(const struct side *s)
{
    return s->name == ADAPTER_CLIENT ? "client" : "backend";
}

static void over(struct inspect *i, relay_end why)
{
    if (i->is_over)
        return;
    i->is_over = true;
    i->why = why;
}

static void over_by(struct side *s)
{
    struct inspect *i = s->inspect;

    if (i->is_over)
        return;
    (void)POSTERN_FAIL(&i->error, SYSTEM, "%s: %s", name_of(s), s->wire.why); /* told */
    if (!s->wire.io.is_gone)
        over(i, RELAY_FAILED);
    else
        over(i, s->name == ADAPTER_CLIENT ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE);
}

static void over_by_memory(struct inspect *i)
{
    if (!i->is_over)
        (void)POSTERN_FAIL(&i->error, NOMEM, "a judged session"); /* told */
    over(i, RELAY_FAILED);
}

/* After each call of the adapter: what it could not say is lost. */
static void check_flow(struct inspect *i)
{
    if (i->client.wire.out.failed || i->backend.wire.out.failed)
        over_by_memory(i);
}

/* Behind a look at the other sockets: what is made active in a callback runs before libevent polls. */
static void ask_again(struct inspect *i)
{
    static const struct timeval at_once = { 0 };

    if (event_add(&i->again, &at_once) != 0)
        event_active(&i->again, EV_TIMEOUT, 0);
}

/* ---- the adapter's turn ---- */

/* What one side gets: by the other, and by its own asking. */
static bool has_room_out(const struct side *from)
{
    return wire_owed(&other(from)->wire) < INSPECT_UNSENT_STOP &&
           wire_owed(&from->wire) < INSPECT_OWN_STOP;
}

static bool may_feed(struct side *from)
{
    struct inspect *i = from->inspect;

    return !i->is_over && !from->is_stuck && !from->awaits_login && i->actions_left > 0 &&
           i->judging < INSPECT_JUDGING_MAX && has_room_out(from);
}

static bool may_judge(struct inspect *i)
{
    static const struct timeval soon = { .tv_usec = INSPECT_RETRY_MS * 1000 };

    if (i->owner.has_room(i->owner.arg))
        return true;
    if (i->judging == 0 && event_add(&i->again, &soon) != 0)
        over_by_memory(i);
    return false;
}

static void note_broken(struct side *from, const postern_error *err)
{
    struct inspect *i = from->inspect;

    i->error = *err;
    if (i->error.code == POSTERN_ERR_UNSET)
        (void)POSTERN_FAIL(&i->error, MESSAGE_MALFORMED, "bytes that mean nothing");
    if (i->error.code == POSTERN_ERR_NOMEM)
        over(i, RELAY_FAILED);
    else
        over(i, i->error.code == POSTERN_ERR_POLICY ? RELAY_DENIED : RELAY_BROKEN);
}

/* A message longer than anybody may send. */
static void check_length(struct side *from, size_t len)
{
    postern_error err = { 0 };

    if (len < ADAPTER_READ_AHEAD)
        return;
    (void)POSTERN_FAIL(&err, LIMIT, "a message of more than %u bytes", ADAPTER_READ_AHEAD);
    note_broken(from, &err);
}

static void judge(struct inspect *i, const struct adapter_action *action)
{
    i->judging++;
    i->actions_left -= 1 + (int)(action->resource_count / INSPECT_DECISIONS_PER_ACTION);
    i->owner.judge(i->owner.arg, action);
}

static void ask_for_lease(struct side *from, const struct adapter_login *login)
{
    from->awaits_login = true;
    from->inspect->owner.login(from->inspect->owner.arg, login);
}

/* One call.  False: nothing more to be had of these bytes now. */
static bool feed_once(struct side *from, postern_bytes in, size_t *ret_used)
{
    struct inspect *i = from->inspect;
    struct adapter_flow flow = flow_of(i);
    struct adapter_action action = { 0 };
    struct adapter_login login = { .authzid = "" };
    postern_error err = { 0 };
    adapter_step step;

    *ret_used = 0;
    from->is_hungry = false;
    i->actions_left--;
    step = i->adapter->inspector->read(i->state, from->name, in, ret_used, &action, &login, &flow,
                                       &err);
    if (*ret_used > in.len)
        step = ADAPTER_STEP_BROKEN; /* a bug of the adapter's: nothing of it is believed */
    check_flow(i);
    if (*ret_used != 0)
        other(from)->is_stuck = false; /* something came back */
    switch (step) {
    case ADAPTER_STEP_MORE:
        from->is_hungry = true;
        check_length(from, in.len - *ret_used);
        return false;
    case ADAPTER_STEP_AGAIN:
        /* it counts: a million blank lines are no reason to let others wait */
        return true;
    case ADAPTER_STEP_PASS:
        i->actions_left++;
        if (wire_pass(&other(from)->wire, (postern_bytes){ in.ptr, *ret_used }) == LEG_BROKEN)
            over_by(other(from));
        return true;
    case ADAPTER_STEP_JUDGE:
        i->actions_left++;
        judge(i, &action);
        return true;
    case ADAPTER_STEP_LOGIN:
        ask_for_lease(from, &login);
        return true;
    case ADAPTER_STEP_FULL:
        from->is_stuck = true;
        return false;
    case ADAPTER_STEP_BROKEN:
        break;
    }
    note_broken(from, &err);
    return false;
}

/* As much as it takes of them now.  Returns how many. */
static size_t feed(struct side *from, postern_bytes in)
{
    size_t at = 0, used = 0;
    bool goes_on = true;

    while (goes_on && may_feed(from) && may_judge(from->inspect)) {
        postern_bytes rest = { at == 0 ? in.ptr : in.ptr + at, in.len - at }; /* NULL: none */

        if (rest.len > ADAPTER_READ_AHEAD)
            rest.len = ADAPTER_READ_AHEAD;
        goes_on = feed_once(from, rest, &used);
        if (from->inspect->is_over)
            break;
        at += used;
    }
    return at;
}

static bool feed_kept(struct side *from)
{
    size_t used = feed(from, postern_buf_bytes(&from->in));

    if (used == 0)
        return false;
    memmove(from->in.ptr, from->in.ptr + used, from->in.len - used);
    from->in.len -= used;
    postern_wipe(from->in.ptr + from->in.len, used);
    if (from->in.len == 0)
        postern_buf_free(&from->in);
    return true;
}

/* Straight from where they were read, and what is left is kept. */
static void feed_fresh(struct side *from, postern_bytes fresh)
{
    size_t used = 0;

    from->is_hungry = from->is_hungry && fresh.len == 0;
    if (from->in.len == 0)
        used = feed(from, fresh);
    if (from->inspect->is_over)
        return;
    if (used < fresh.len)
        postern_buf_add(&from->in, (postern_bytes){ fresh.ptr + used, fresh.len - used });
    if (from->in.failed)
        over_by_memory(from->inspect);
}

/* ---- reading ---- */

/* A client that sends all of a pipeline before it reads an answer is read ahead of what the adapter
 * takes; a backend waits until its client has taken what it said. */
static bool may_receive(const struct side *from)
{
    if (from->wire.io.has_ended || from->in.len >= ADAPTER_READ_AHEAD || !has_room_out(from))
        return false;
    return from->name == ADAPTER_CLIENT || from->is_hungry;
}

static void count(struct side *from, size_t len)
{
    struct inspect *i = from->inspect;
    _Atomic uint64_t *bytes = from->name == ADAPTER_CLIENT ? &i->bytes_up : &i->bytes_down;

    /* One writer: no locked addition is needed. */
    atomic_store_explicit(bytes, atomic_load_explicit(bytes, memory_order_relaxed) + len,
                          memory_order_relaxed);
}

static bool receive(struct side *from)
{
    postern_bytes fresh;

    if (!may_receive(from) || !(from->is_ready || !from->wire.io.is_drained))
        return false;
    switch (wire_receive(&from->wire, &fresh)) {
    case LEG_MORE:
        from->is_ready = !from->wire.io.is_short;
        count(from, fresh.len);
        feed_fresh(from, fresh);
        if (from->name == ADAPTER_CLIENT)
            wire_forget(&from->wire, fresh);
        return true;
    case LEG_DRY:
        from->is_ready = false;
        return false;
    case LEG_BLOCKED:
    case LEG_BROKEN:
        break;
    }
    over_by(from);
    return false;
}

/* ---- a round ---- */

static bool serve(struct side *from)
{
    bool has_fed = false;

    if (!from->is_hungry)
        has_fed = feed_kept(from);
    if (from->inspect->is_over)
        return false;
    return receive(from) || has_fed;
}

static bool flush(struct side *to)
{
    bool was_owed = wire_owed(&to->wire) != 0;
    leg_step s = LEG_MORE;

    if (was_owed)
        s = wire_flush(&to->wire);
    if (s == LEG_BROKEN)
        over_by(to);
    return was_owed && s == LEG_MORE;
}

/* Nothing that `from` said can reach the other side any more. */
static bool is_done(const struct side *from)
{
    return from->wire.io.has_ended && from->is_hungry && from->inspect->judging == 0 &&
           wire_owed(&other(from)->wire) == 0;
}

/* The server is gone: whoever waits for its answer hears so, in the protocol's words, before the end. */
static void say_end_of_backend(struct inspect *i)
{
    static const postern_failure gone = { .code = POSTERN_ERR_BACKEND };
    const struct adapter_denied why = { .failure = &gone };
    struct adapter_flow flow = flow_of(i);

    i->has_said_end = true;
    i->adapter->inspector->goodbye(i->state, &why, &flow);
    check_flow(i);
    if (!i->is_over && wire_owed(&i->client.wire) != 0 && wire_flush(&i->client.wire) == LEG_BROKEN)
        over_by(&i->client);
}

/* What is left of a message whose end never came is dropped: nobody has judged it. */
static void tell_end(struct side *from)
{
    struct side *to = other(from);

    if (!is_done(from) || to->wire.io.is_told)
        return;
    postern_buf_free(&from->in);
    if (from->name == ADAPTER_BACKEND && !from->inspect->has_said_end &&
        from->inspect->adapter->inspector->tells_end)
        say_end_of_backend(from->inspect);
    if (!from->inspect->is_over)
        from->inspect->owner.leaves(from->inspect->owner.arg);
    if (from->inspect->is_over || wire_owed(&to->wire) != 0)
        return; /* when that is sent */
    if (wire_end(&to->wire) == LEG_BROKEN)
        over_by(to);
}

static bool is_finished(const struct inspect *i)
{
    return i->client.wire.io.is_told && i->backend.wire.io.is_told &&
           wire_owed(&i->client.wire) == 0 && wire_owed(&i->backend.wire) == 0;
}

static void touch(struct inspect *i)
{
    if (!i->client.wire.io.has_moved && !i->backend.wire.io.has_moved)
        return;
    i->client.wire.io.has_moved = i->backend.wire.io.has_moved = false;
    atomic_store_explicit(&i->last_byte_ms, clock_boot_ms(), memory_order_relaxed);
}

static bool move(struct inspect *i)
{
    bool has_moved = serve(&i->client);

    if (!i->is_over)
        has_moved = serve(&i->backend) || has_moved;
    if (!i->is_over)
        has_moved = flush(&i->client) || has_moved;
    if (!i->is_over)
        has_moved = flush(&i->backend) || has_moved;
    return has_moved && !i->is_over;
}

/* ---- events ---- */

static bool watch_in(struct side *s, bool is_wanted)
{
    if (s->is_watched_in == is_wanted)
        return true;
    s->is_watched_in = is_wanted;
    return (is_wanted ? event_add(&s->readable, NULL) : event_del(&s->readable)) == 0;
}

static bool watch_out(struct side *s, bool is_wanted)
{
    if (s->is_watched_out == is_wanted)
        return true;
    s->is_watched_out = is_wanted;
    return (is_wanted ? event_add(&s->writable, relay_pool_stall_check(s->inspect->pool))
                      : event_del(&s->writable)) == 0;
}

/* A side that is not to be read is unwatched when it fires, or when it has ended. */
static bool watch(struct side *s)
{
    if (s->wire.io.has_ended && !watch_in(s, false))
        return false;
    if (may_receive(s) && !s->is_ready && !watch_in(s, true))
        return false;
    return watch_out(s, wire_owed(&s->wire) != 0);
}

static void say_goodbye_to(struct wire *w)
{
    w->io.is_dismissed = true;
    if (wire_flush(w) == LEG_MORE && !w->io.is_told)
        (void)wire_end(w); /* what fails is reset by inspect_free() */
}

/* Of the adapter, which has said why. */
static void say_last_words(struct inspect *i)
{
    say_goodbye_to(&i->client.wire);
    say_goodbye_to(&i->backend.wire);
}

/* One side has ended and the other was told.  A server that does not heed it, or a client that waits
 * for one that died, would keep the session, and a program, for as long as the lease. */
static bool watch_leave(struct inspect *i)
{
    static const struct timeval soon = { .tv_sec = INSPECT_LEAVE_MS / 1000 };

    if ((!i->client.wire.io.is_told && !i->backend.wire.io.is_told) ||
        evtimer_pending(&i->leave, NULL))
        return true;
    return event_add(&i->leave, &soon) == 0;
}

static bool has_left(const struct inspect *i)
{
    bool is_silent = clock_boot_ms() - inspect_last_byte_ms(i) >= INSPECT_LEAVE_MS;

    if (!is_silent || i->judging != 0 || wire_owed(&i->client.wire) != 0 ||
        wire_owed(&i->backend.wire) != 0)
        return false;
    /* Nothing more comes from the server; or nothing is asked of it.  What is held goes nowhere. */
    return i->client.wire.io.is_told || i->held != 0 || i->adapter->inspector->is_quiet(i->state);
}

static void finish(struct inspect *i)
{
    i->owner.ended(i->owner.arg, i->why); /* frees i */
}

static void work(struct inspect *i)
{
    bool has_moved = true;

    i->actions_left = INSPECT_ACTIONS_PER_WAKE;
    i->is_working = true;
    for (int turn = 0; turn < INSPECT_TURNS && has_moved; turn++)
        has_moved = move(i);
    if (!i->is_over) {
        tell_end(&i->client);
        tell_end(&i->backend);
    }
    i->is_working = false;
    touch(i);
    if (!i->is_over && is_finished(i))
        over(i, RELAY_FINISHED);
    if (!i->is_over && (!watch(&i->client) || !watch(&i->backend) || !watch_leave(i)))
        over_by_memory(i);
    if (i->is_over && i->why == RELAY_BROKEN)
        say_last_words(i);
    if (i->is_over)
        finish(i);
    else if (has_moved || i->actions_left <= 0)
        ask_again(i);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a timer */
    (void)what; /* likewise */
    work(arg);
}

static void on_leave(evutil_socket_t fd, short what, void *arg)
{
    struct inspect *i = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if (has_left(i))
        over(i, RELAY_FINISHED);
    work(i); /* which asks for the timer again, or ends */
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct side *s = arg;

    (void)fd;
    (void)what;
    s->is_ready = true;
    if (!may_receive(s) && !watch_in(s, false))
        over_by_memory(s->inspect);
    work(s->inspect);
}

/* It has taken nothing for a while: is the other, who is perhaps not read now, still there? */
static void look_for_reset(struct side *from)
{
    struct pollfd p = { .fd = from->wire.io.fd };
    struct inspect *i = from->inspect;

    if (from->wire.io.has_ended || poll(&p, 1, 0) != 1 || (p.revents & POLLERR) == 0)
        return;
    (void)POSTERN_FAIL(&i->error, SYSTEM, "%s: reset", name_of(from)); /* told */
    over(i, from->name == ADAPTER_CLIENT ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct side *s = arg;

    (void)fd;
    if ((what & EV_WRITE) == 0)
        look_for_reset(other(s));
    work(s->inspect);
}

/* ---- verdicts ---- */

/* Nothing of it is there to be read: it takes no turn away from others. */
static bool is_calm(const struct side *s)
{
    return s->is_hungry && !s->is_ready && s->wire.io.is_drained;
}

/* Several are settled in one round of the loop, and what they say goes out together. */
static void note_settled(struct inspect *i)
{
    i->client.is_stuck = i->backend.is_stuck = false;
    check_flow(i);
    if (i->is_working)
        return;
    if (is_calm(&i->client) && is_calm(&i->backend))
        event_active(&i->again, EV_TIMEOUT, 0);
    else
        ask_again(i);
}

void inspect_settle(struct inspect *i, uint64_t id, const struct adapter_verdict *v)
{
    struct adapter_flow flow = flow_of(i);

    i->judging--;
    i->held += v->ruling == ADAPTER_HOLD;
    i->adapter->inspector->settle(i->state, id, v, &flow);
    note_settled(i);
}

void inspect_resume_held(struct inspect *i)
{
    i->held--;
    i->judging++;
}

bool inspect_again(struct inspect *i, uint64_t id, struct adapter_action *ret)
{
    return i->adapter->inspector->again != NULL && i->adapter->inspector->again(i->state, id, ret);
}

void inspect_forget_held(struct inspect *i)
{
    i->held--;
}

void inspect_renewed(struct inspect *i, const struct adapter_granted *g,
                     const struct adapter_denied *d)
{
    struct adapter_flow flow = flow_of(i);

    i->client.awaits_login = i->backend.awaits_login = false;
    i->adapter->inspector->renewed(i->state, g, d, &flow);
    note_settled(i);
}

/* ---- life ---- */

static void prepare_side(struct inspect *i, struct side *s, enum adapter_side name, struct leg leg)
{
    s->inspect = i;
    s->name = name;
    s->in = POSTERN_BUF_INIT(IN_MAX);
    wire_init(&s->wire, relay_pool_records(i->pool), leg);
}

static bool prepare_events(struct inspect *i, struct side *s)
{
    struct event_base *base = relay_pool_base(i->pool);
    int fd = s->wire.io.fd;

    return event_assign(&s->readable, base, fd, EV_READ | EV_PERSIST, on_readable, s) == 0 &&
           event_assign(&s->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, s) == 0 &&
           watch_in(s, true);
}

static postern_err keep_early(struct side *s, postern_bytes early, postern_error *err)
{
    if (early.len > RELAY_GATHER_BYTES)
        return POSTERN_FAIL(err, USAGE, "%zu bytes behind a login", early.len);
    count(s, early.len);
    postern_buf_add(&s->in, early);
    s->is_hungry = early.len == 0;
    return s->in.failed ? POSTERN_FAIL(err, NOMEM, "bytes behind a login") : POSTERN_OK;
}

static postern_err start(struct inspect *i, const struct inspect_parts *p, postern_error *err)
{
    struct event_base *base = relay_pool_base(i->pool);

    if (event_assign(&i->again, base, -1, 0, on_again, i) != 0 ||
        event_assign(&i->leave, base, -1, 0, on_leave, i) != 0 ||
        !prepare_events(i, &i->client) || !prepare_events(i, &i->backend))
        return POSTERN_FAIL(err, NOMEM, "events of a session");
    POSTERN_TRY(keep_early(&i->client, p->early_up, err));
    POSTERN_TRY(keep_early(&i->backend, p->early_down, err));
    i->host = p->host;
    i->adapter->inspector->begin(i->state, &i->host);
    ask_again(i); /* what came with the login, and what its reading left in an SSL */
    return POSTERN_OK;
}

static void free_state(const struct adapter *adapter, void *state)
{
    adapter->wipe(state);
    postern_wipe(state, adapter->state_size);
    free(state);
}

void inspect_drop(const struct inspect_parts *parts)
{
    struct leg client = parts->take_client, backend = parts->take_backend;

    leg_close(&client);
    leg_close(&backend);
    free_state(parts->adapter, parts->take_state);
}

postern_err inspect_new(struct relay_pool *pool, const struct inspect_parts *parts,
                        struct inspect_owner owner, struct inspect **ret, postern_error *err)
{
    struct inspect *i = calloc(1, sizeof *i);
    postern_err e;

    if (i == NULL) {
        inspect_drop(parts);
        return POSTERN_FAIL(err, NOMEM, "a judged session");
    }
    i->pool = pool;
    i->owner = owner;
    i->adapter = parts->adapter;
    i->state = parts->take_state;
    prepare_side(i, &i->client, ADAPTER_CLIENT, parts->take_client);
    prepare_side(i, &i->backend, ADAPTER_BACKEND, parts->take_backend);
    relay_pool_count(pool, true);
    atomic_store_explicit(&i->last_byte_ms, clock_boot_ms(), memory_order_relaxed);
    e = start(i, parts, err);
    if (e != POSTERN_OK) {
        inspect_free(i);
        return e;
    }
    *ret = i;
    return POSTERN_OK;
}

static void free_side(struct side *s)
{
    if (event_initialized(&s->readable))
        (void)event_del(&s->readable);
    if (event_initialized(&s->writable))
        (void)event_del(&s->writable);
    wire_close(&s->wire);
    postern_buf_free(&s->in);
}

void inspect_free(struct inspect *i)
{
    struct relay_pool *pool;

    if (i == NULL)
        return;
    pool = i->pool;
    if (event_initialized(&i->again))
        (void)event_del(&i->again);
    if (event_initialized(&i->leave))
        (void)event_del(&i->leave);
    free_side(&i->client);
    free_side(&i->backend);
    free_state(i->adapter, i->state);
    free(i);
    relay_pool_count(pool, false);
}

void inspect_say_goodbye(struct inspect *i, const struct adapter_denied *why)
{
    struct adapter_flow flow = flow_of(i);

    i->adapter->inspector->goodbye(i->state, why, &flow);
    say_last_words(i);
}

/* ---- what others ask ---- */

const char *inspect_end_text(const struct inspect *i)
{
    return i->error.detail;
}

postern_err inspect_end_code(const struct inspect *i)
{
    return i->why == RELAY_BROKEN || i->why == RELAY_DENIED ? i->error.code : POSTERN_OK;
}

uint64_t inspect_bytes_up(const struct inspect *i)
{
    return atomic_load_explicit(&i->bytes_up, memory_order_relaxed);
}

uint64_t inspect_bytes_down(const struct inspect *i)
{
    return atomic_load_explicit(&i->bytes_down, memory_order_relaxed);
}

int64_t inspect_last_byte_ms(const struct inspect *i)
{
    return atomic_load_explicit(&i->last_byte_ms, memory_order_relaxed);
}

bool inspect_is_quiet(const struct inspect *i)
{
    return i->judging == 0 && i->held == 0 && wire_owed(&i->client.wire) == 0 &&
           wire_owed(&i->backend.wire) == 0 && i->client.in.len == 0 && i->backend.in.len == 0 &&
           i->client.wire.io.is_drained && i->backend.wire.io.is_drained &&
           i->adapter->inspector->is_quiet(i->state);
}

const SSL *inspect_client_ssl(const struct inspect *i)
{
    return i->client.wire.io.ssl;
}
