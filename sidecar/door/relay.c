/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes between two sockets (sidecar/door/relay.h).
 *
 * Reading, sending and TLS of either side are leg.c's; here are pipes, turns and events.
 *
 * Each direction is `from` a side `to` the other.  A turn sends what `to` still has to get, or else
 * reads once from `from` and sends that; what `to` does not take waits with it, in a pipe or in a
 * buffer of just that size, and until it is gone nothing more is read.  So a side has one of three
 * states: idle (watched for bytes), busy, stalled (the other is watched for room).  Events are
 * changed late: a side that is not to be read is only unwatched when it fires.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include <postern-private/clock.h>

#include "pipes.h"
#include "records.h"
#include "relay.h"
#include "tls.h"

struct relay_pool {
    struct event_base *base;
    struct records *records;
    const struct timeval *stall_check; /* a common time-out of the base: O(1) */
    struct pipes pipes;
    size_t relay_count, relay_peak; /* the peak since memory was given back */
    char end_text[192];
};

/* One end of a relay; ordered by size. */
struct side {
    struct relay *relay;
    struct leg_io io;
    uint32_t piped; /* bytes in `pipe` for this side */
    int pipe[2];    /* -1: none; held while there are bytes in it */
    bool is_watched_in : 1;  /* `readable` is added */
    bool is_watched_out : 1; /* `writable` is added */
    bool is_bulk : 1;        /* the last read was a big one */
    struct event readable, writable;
};

struct relay {
    struct relay_pool *pool;
    struct relay_owner owner;
    _Atomic uint64_t bytes_up, bytes_down;
    _Atomic int64_t last_byte_ms;
    relay_end why;
    bool has_moved;  /* a byte of theirs, and no answer of TLS alone, since touch() */
    bool is_spliced; /* neither leg has TLS, and the kernel has not said no */
    struct side client, backend;
};

/* Thousands of these lie idle. */
_Static_assert(sizeof(struct relay) <= 4 * sizeof(struct event) + 192, "an idle relay is small");

/* ---- small things ---- */

static struct side *other(const struct side *s)
{
    return s == &s->relay->client ? &s->relay->backend : &s->relay->client;
}

static const char *name_of(const struct side *s)
{
    return s == &s->relay->client ? "client" : "backend";
}

static struct records *records_of(const struct side *s)
{
    return s->relay->pool->records;
}

static bool is_owed(const struct side *s)
{
    return s->piped != 0 || s->io.unsent != NULL;
}

/* Once a wake-up. */
static void touch(struct relay *r)
{
    r->has_moved = false;
    atomic_store_explicit(&r->last_byte_ms, clock_boot_ms(), memory_order_relaxed);
}

static void count(struct side *from, size_t len)
{
    struct relay *r = from->relay;
    _Atomic uint64_t *bytes = from == &r->client ? &r->bytes_up : &r->bytes_down;

    r->has_moved = true;
    /* One writer: no locked addition is needed. */
    atomic_store_explicit(bytes, atomic_load_explicit(bytes, memory_order_relaxed) + len,
                          memory_order_relaxed);
}

static leg_step fail(struct side *s, relay_end why, const char *what)
{
    struct relay_pool *p = s->relay->pool;

    if (snprintf(p->end_text, sizeof p->end_text, "%s: %s", name_of(s), what) < 0)
        p->end_text[0] = '\0';
    s->relay->why = why;
    return LEG_BROKEN;
}

/* What leg.c said of this side: with BROKEN the relay ends. */
static leg_step judge(struct side *s, leg_step step)
{
    relay_end gone = s == &s->relay->client ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE;

    if (step != LEG_BROKEN)
        return step;
    return fail(s, s->io.is_gone ? gone : RELAY_FAILED, records_of(s)->why);
}

static leg_step fail_of_errno(struct side *s, int error)
{
    return judge(s, leg_io_break(&s->io, records_of(s), error));
}

static bool is_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- sending ---- */

static leg_step flush_pipe(struct side *to)
{
    while (to->piped > 0) {
        ssize_t n = splice(to->pipe[0], NULL, to->io.fd, NULL, to->piped,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && is_later(errno))
            return LEG_BLOCKED;
        if (n <= 0)
            return fail_of_errno(to, n == 0 ? EPIPE : errno);
        to->piped -= (uint32_t)n;
        to->relay->has_moved = true;
    }
    return LEG_MORE;
}

static leg_step flush_unsent(struct side *to)
{
    size_t owed = leg_io_owed(&to->io);
    leg_step s = leg_io_flush(&to->io, records_of(to));

    to->relay->has_moved |= leg_io_owed(&to->io) != owed;
    return judge(to, s);
}

static leg_step flush(struct side *to)
{
    return to->piped > 0 ? flush_pipe(to) : flush_unsent(to);
}

/* That nothing more comes: FIN, or close_notify with TCP left open for what `to` still says. */
static leg_step tell_end(struct side *to)
{
    if (!to->io.is_told && judge(to, leg_io_end(&to->io, records_of(to))) == LEG_BROKEN)
        return LEG_BROKEN;
    return is_owed(to) ? LEG_BLOCKED : LEG_DRY;
}

/* ---- a turn ---- */

static leg_step move_by_gather(struct side *from, struct side *to)
{
    struct records *x = records_of(from);
    size_t len;
    leg_step s = judge(from, leg_io_receive(&from->io, x, &len));

    if (s != LEG_MORE)
        return s;
    if (from->io.ssl == NULL)
        from->is_bulk = len >= RELAY_BULK_BYTES;
    if (len != 0) {
        count(from, len);
        s = judge(to, leg_io_send(&to->io, x, (postern_bytes){ x->plain, len }));
    }
    if (s == LEG_MORE && from->io.is_short && from->io.is_drained && !from->io.has_ended)
        return LEG_DRY; /* the loop says when there is more */
    return s;
}

/* LEG_MORE with to->piped 0: no pipe, or not for this kind of socket; copy. */
static leg_step fill_pipe(struct side *from, struct side *to)
{
    ssize_t n;

    if (to->pipe[0] < 0 && !pipes_take(&from->relay->pool->pipes, to->pipe))
        return LEG_MORE;
    n = splice(from->io.fd, NULL, to->pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        to->piped = (uint32_t)n;
        from->is_bulk = n >= RELAY_BULK_BYTES;
        return LEG_MORE;
    }
    if (n == 0) {
        from->io.has_ended = true;
        return LEG_MORE;
    }
    if (errno == EINVAL)
        from->relay->is_spliced = false;
    if (errno == EINVAL || errno == EINTR)
        return LEG_MORE;
    return is_later(errno) ? LEG_DRY : fail_of_errno(from, errno);
}

static leg_step move_by_pipe(struct side *from, struct side *to)
{
    leg_step s = fill_pipe(from, to);

    if (s != LEG_MORE || from->io.has_ended)
        return s;
    if (to->piped == 0)
        return move_by_gather(from, to);
    count(from, to->piped);
    s = flush(to);
    return s == LEG_MORE && !from->is_bulk ? LEG_DRY : s;
}

static leg_step take_turn(struct side *from, struct side *to)
{
    if (is_owed(to)) {
        leg_step s = flush(to);

        if (s != LEG_MORE)
            return s;
    }
    if (from->io.has_ended)
        return tell_end(to);
    if (from->is_bulk && from->relay->is_spliced)
        return move_by_pipe(from, to);
    return move_by_gather(from, to);
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
    return (is_wanted ? event_add(&s->writable, s->relay->pool->stall_check)
                      : event_del(&s->writable)) == 0;
}

/* Watch for what the direction waits for.  False: no memory, or none of the kernel's. */
static bool settle(struct side *from, struct side *to, leg_step s)
{
    if (s != LEG_BLOCKED && !watch_in(from, !from->io.has_ended))
        return false;
    if (from->io.has_ended && !watch_in(from, false))
        return false;
    if (s == LEG_MORE && (!from->io.is_drained || from->io.has_ended))
        event_active(&from->readable, EV_READ, 0); /* no socket would say so */
    return watch_out(to, is_owed(to)) && watch_out(from, is_owed(from));
}

static bool is_finished(const struct relay *r)
{
    return r->client.io.is_told && r->backend.io.is_told && !is_owed(&r->client) &&
           !is_owed(&r->backend);
}

static void end(struct relay *r)
{
    r->owner.ended(r->owner.arg, r->why); /* frees r */
}

static void pump(struct side *from)
{
    struct relay *r = from->relay;
    struct side *to = other(from);
    leg_step s = LEG_MORE;

    for (int i = 0; i < RELAY_TURNS && s == LEG_MORE; i++)
        s = take_turn(from, to);
    if (r->has_moved)
        touch(r);
    if (to->pipe[0] >= 0 && to->piped == 0)
        pipes_give(&r->pool->pipes, to->pipe, true);
    if (s != LEG_BROKEN && !settle(from, to, s))
        s = fail(from, RELAY_FAILED, "cannot be watched: out of memory");
    if (s != LEG_BROKEN && !is_finished(r))
        return;
    if (s != LEG_BROKEN) {
        r->why = RELAY_FINISHED;
        r->pool->end_text[0] = '\0';
    }
    end(r);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct side *from = arg;

    (void)fd;
    (void)what;
    if (!is_owed(other(from)))
        pump(from);
    else if (!watch_in(from, false)) { /* on_writable() of the other goes on */
        (void)fail(from, RELAY_FAILED, "cannot be watched: out of memory");
        end(from->relay);
    }
}

/* The receiver has taken nothing for a while: is the sender, who is not read now, still there? */
static void look_for_reset(struct side *from)
{
    struct pollfd p = { .fd = from->io.fd };
    socklen_t len = sizeof(int);
    int error = 0;

    if (from->io.has_ended || poll(&p, 1, 0) != 1 || (p.revents & POLLERR) == 0)
        return;
    if (getsockopt(from->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error == 0)
        error = ECONNRESET;
    (void)fail_of_errno(from, error);
    end(from->relay);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct side *to = arg;

    (void)fd;
    if ((what & EV_WRITE) == 0)
        look_for_reset(other(to));
    else
        pump(other(to));
}

/* ---- life ---- */

postern_err relay_pool_new(struct event_base *base, struct relay_pool **ret, postern_error *err)
{
    static const struct timeval check = { .tv_sec = RELAY_STALL_CHECK_MS / 1000,
                                          .tv_usec = RELAY_STALL_CHECK_MS % 1000 * 1000 };
    struct relay_pool *p = calloc(1, sizeof *p);
    postern_err e;

    if (p == NULL)
        return POSTERN_FAIL(err, NOMEM, "relays");
    p->base = base;
    if ((p->stall_check = event_base_init_common_timeout(base, &check)) == NULL) {
        free(p);
        return POSTERN_FAIL(err, NOMEM, "time-out of relays");
    }
    if ((e = records_new(&p->records, err)) != POSTERN_OK) {
        free(p);
        return e;
    }
    *ret = p;
    return POSTERN_OK;
}

void relay_pool_free(struct relay_pool *p)
{
    if (p == NULL)
        return;
    pipes_close(&p->pipes);
    records_free(p->records);
    free(p);
}

struct records *relay_pool_records(struct relay_pool *p)
{
    return p->records;
}

struct event_base *relay_pool_base(struct relay_pool *p)
{
    return p->base;
}

const struct timeval *relay_pool_stall_check(struct relay_pool *p)
{
    return p->stall_check;
}

static void prepare_side(struct relay *r, struct side *s, struct leg leg)
{
    s->relay = r;
    s->pipe[0] = s->pipe[1] = -1;
    leg_io_begin(&s->io, r->pool->records, leg);
}

static bool prepare_events(struct relay *r, struct side *s)
{
    struct event_base *base = r->pool->base;

    if (event_assign(&s->readable, base, s->io.fd, EV_READ | EV_PERSIST, on_readable, s) != 0 ||
        event_assign(&s->writable, base, s->io.fd, EV_WRITE | EV_PERSIST, on_writable, s) != 0)
        return false;
    if (!watch_in(s, true) || !watch_out(s, is_owed(s)))
        return false;
    if (!s->io.is_drained) /* after event_add(), which would not watch an active event's socket */
        event_active(&s->readable, EV_READ, 0); /* what the login's reading left in the SSL */
    return true;
}

/* Not sent yet: how that goes is the loop's to tell the owner. */
static postern_err keep_early(struct relay *r, postern_bytes early, postern_error *err)
{
    struct records *x = r->pool->records;
    struct leg_io *io = &r->backend.io;
    leg_step s;

    if (early.len == 0)
        return POSTERN_OK;
    count(&r->client, early.len);
    if (io->ssl == NULL) {
        s = leg_io_keep(io, x, early);
    } else {
        if (!records_encrypt(x, io->ssl, early)) {
            char room[128];

            x->out_len = 0;
            return POSTERN_FAIL(err, SYSTEM, "first bytes for the backend: %s",
                                tls_error_text(room, sizeof room));
        }
        s = leg_io_keep(io, x, (postern_bytes){ x->out, x->out_len });
        x->out_len = 0;
    }
    if (s == LEG_BROKEN)
        return POSTERN_FAIL(err, NOMEM, "first bytes for the backend");
    return POSTERN_OK;
}

static postern_err start(struct relay *r, postern_bytes early, postern_error *err)
{
    if (early.len > RELAY_GATHER_BYTES)
        return POSTERN_FAIL(err, USAGE, "%zu bytes behind a login", early.len);
    POSTERN_TRY(keep_early(r, early, err));
    if (!prepare_events(r, &r->client) || !prepare_events(r, &r->backend))
        return POSTERN_FAIL(err, NOMEM, "events of a relay");
    return POSTERN_OK;
}

postern_err relay_new(struct relay_pool *pool, struct leg take_client, struct leg take_backend,
                      postern_bytes early, struct relay_owner owner, struct relay **ret,
                      postern_error *err)
{
    struct relay *r = calloc(1, sizeof *r);
    postern_err e;

    if (r == NULL) {
        leg_close(&take_client);
        leg_close(&take_backend);
        return POSTERN_FAIL(err, NOMEM, "relay");
    }
    r->pool = pool;
    r->owner = owner;
    r->is_spliced = take_client.ssl == NULL && take_backend.ssl == NULL;
    prepare_side(r, &r->client, take_client);
    prepare_side(r, &r->backend, take_backend);
    relay_pool_count(pool, true);
    touch(r);
    if ((e = start(r, early, err)) != POSTERN_OK) {
        relay_free(r);
        return e;
    }
    *ret = r;
    return POSTERN_OK;
}

static void close_side(struct side *s)
{
    if (event_initialized(&s->readable))
        (void)event_del(&s->readable);
    if (event_initialized(&s->writable))
        (void)event_del(&s->writable);
    if (s->pipe[0] >= 0)
        pipes_give(&s->relay->pool->pipes, s->pipe, s->piped == 0);
    leg_io_close(&s->io, s->piped);
}

/* glibc keeps freed memory in the middle of its heap, where 3,000 ended TLS sessions leave 40 MiB.
 * Halving the mark each time makes it rare: some milliseconds, seldom. */
static void give_memory_back(struct relay_pool *p)
{
    if (p->relay_peak < RELAY_TRIM_FROM || p->relay_count > p->relay_peak / 2)
        return;
    p->relay_peak = p->relay_count;
    (void)malloc_trim(0);
}

void relay_pool_count(struct relay_pool *p, bool is_new)
{
    p->relay_count = is_new ? p->relay_count + 1 : p->relay_count - 1;
    if (p->relay_count > p->relay_peak)
        p->relay_peak = p->relay_count;
    if (!is_new)
        give_memory_back(p);
}

void relay_free(struct relay *r)
{
    struct relay_pool *p;

    if (r == NULL)
        return;
    p = r->pool;
    close_side(&r->client);
    close_side(&r->backend);
    free(r);
    relay_pool_count(p, false);
}

static void say_goodbye_to(struct side *s)
{
    s->io.is_dismissed = true;
    if ((!is_owed(s) || flush(s) == LEG_MORE) && !s->io.is_told)
        (void)tell_end(s); /* what fails is reset by relay_free() */
}

void relay_say_goodbye(struct relay *r)
{
    say_goodbye_to(&r->client);
    say_goodbye_to(&r->backend);
}

/* ---- what others ask ---- */

const char *relay_end_text(const struct relay *r)
{
    return r->pool->end_text;
}

uint64_t relay_bytes_up(const struct relay *r)
{
    return atomic_load_explicit(&r->bytes_up, memory_order_relaxed);
}

uint64_t relay_bytes_down(const struct relay *r)
{
    return atomic_load_explicit(&r->bytes_down, memory_order_relaxed);
}

int64_t relay_last_byte_ms(const struct relay *r)
{
    return atomic_load_explicit(&r->last_byte_ms, memory_order_relaxed);
}

bool relay_is_quiet(const struct relay *r)
{
    return !is_owed(&r->client) && !is_owed(&r->backend) && r->client.io.is_drained &&
           r->backend.io.is_drained;
}
