/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes between two sockets (sidecar/door/relay.h).
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

#include "../clock.h"
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
    SSL *ssl;
    uint8_t *unsent; /* waits for this side to take it; NULL: nothing */
    uint32_t unsent_at, unsent_len;
    uint32_t piped; /* bytes in `pipe` for this side */
    int pipe[2];    /* -1: none; held while there are bytes in it */
    int fd;
    bool is_watched_in : 1;  /* `readable` is added */
    bool is_watched_out : 1; /* `writable` is added */
    bool is_drained : 1;     /* its SSL holds nothing complete */
    bool is_bulk : 1;        /* the last read was a big one */
    bool is_short : 1;       /* the last read took all that there was */
    bool has_ended : 1;      /* it said that nothing more comes from it */
    bool is_told : 1;        /* that the other has ended; it may still be in `unsent` */
    struct event readable, writable;
};

struct relay {
    struct relay_pool *pool;
    struct relay_owner owner;
    _Atomic uint64_t bytes_up, bytes_down;
    _Atomic int64_t last_byte_ms;
    relay_end why;
    bool has_moved;  /* a byte, since touch() */
    bool is_spliced; /* neither leg has TLS, and the kernel has not said no */
    struct side client, backend;
};

/* Thousands of these lie idle. */
_Static_assert(sizeof(struct relay) <= 4 * sizeof(struct event) + 192, "an idle relay is small");

/* What a turn came to. */
typedef enum step {
    STEP_END = 0, /* of the relay: r->why */
    STEP_MORE,    /* perhaps more to do at once */
    STEP_DRY,     /* nothing to read for now */
    STEP_BLOCKED  /* the receiver is full */
} step;

/* ---- small things ---- */

static struct side *other(const struct side *s)
{
    return s == &s->relay->client ? &s->relay->backend : &s->relay->client;
}

static const char *name_of(const struct side *s)
{
    return s == &s->relay->client ? "client" : "backend";
}

static bool is_owed(const struct side *s)
{
    return s->piped != 0 || s->unsent != NULL;
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

static step fail(struct side *s, relay_end why, const char *what)
{
    struct relay_pool *p = s->relay->pool;

    if (snprintf(p->end_text, sizeof p->end_text, "%s: %s", name_of(s), what) < 0)
        p->end_text[0] = '\0';
    s->relay->why = why;
    return STEP_END;
}

static step gone(struct side *s, const char *what)
{
    return fail(s, s == &s->relay->client ? RELAY_CLIENT_GONE : RELAY_BACKEND_GONE, what);
}

static step fail_of_errno(struct side *s, int error)
{
    if (error == ENOMEM || error == ENOBUFS || error == EIO)
        return fail(s, RELAY_FAILED, strerror(error));
    return gone(s, strerror(error)); /* ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH … */
}

static step fail_of_tls(struct side *s)
{
    char room[128];

    return fail(s, RELAY_FAILED, tls_error_text(room, sizeof room));
}

static bool is_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- sending ---- */

/* What `s` did not take: kept until it does. */
static step keep(struct side *s, postern_bytes rest)
{
    size_t old_len = s->unsent_len - s->unsent_at;
    uint8_t *room;

    if (rest.len > RELAY_UNSENT_MAX - old_len)
        return fail(s, RELAY_FAILED, "asks for answers and does not read them");
    if ((room = malloc(old_len + rest.len)) == NULL)
        return fail(s, RELAY_FAILED, "out of memory");
    if (old_len != 0)
        memcpy(room, s->unsent + s->unsent_at, old_len);
    memcpy(room + old_len, rest.ptr, rest.len);
    free(s->unsent);
    s->unsent = room;
    s->unsent_at = 0;
    s->unsent_len = (uint32_t)(old_len + rest.len);
    return STEP_BLOCKED;
}

static step transmit(struct side *s, postern_bytes bytes)
{
    ssize_t n = 0;

    if (bytes.len == 0)
        return STEP_MORE;
    if (s->unsent == NULL) {
        do
            n = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0 && !is_later(errno))
            return fail_of_errno(s, errno);
        if (n < 0)
            n = 0;
        if ((size_t)n == bytes.len)
            return STEP_MORE;
    }
    return keep(s, (postern_bytes){ bytes.ptr + n, bytes.len - (size_t)n });
}

/* What an SSL wrote. */
static step transmit_records(struct side *s)
{
    struct records *x = s->relay->pool->records;
    size_t len = x->out_len;

    x->out_len = 0;
    return transmit(s, (postern_bytes){ x->out, len });
}

static step deliver(struct side *to, postern_bytes plain)
{
    if (to->ssl == NULL)
        return transmit(to, plain);
    if (!records_encrypt(to->relay->pool->records, to->ssl, plain))
        return fail_of_tls(to);
    return transmit_records(to);
}

static step flush_pipe(struct side *to)
{
    while (to->piped > 0) {
        ssize_t n =
            splice(to->pipe[0], NULL, to->fd, NULL, to->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && is_later(errno))
            return STEP_BLOCKED;
        if (n <= 0)
            return fail_of_errno(to, n == 0 ? EPIPE : errno);
        to->piped -= (uint32_t)n;
        to->relay->has_moved = true;
    }
    return STEP_MORE;
}

static step flush_unsent(struct side *to)
{
    while (to->unsent != NULL) {
        ssize_t n = send(to->fd, to->unsent + to->unsent_at, to->unsent_len - to->unsent_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return is_later(errno) ? STEP_BLOCKED : fail_of_errno(to, errno);
        to->unsent_at += (uint32_t)n;
        to->relay->has_moved = true;
        if (to->unsent_at < to->unsent_len)
            return STEP_BLOCKED; /* it took a part: it is full */
        free(to->unsent);
        to->unsent = NULL;
        to->unsent_at = to->unsent_len = 0;
    }
    return STEP_MORE;
}

static step flush(struct side *to)
{
    return to->piped > 0 ? flush_pipe(to) : flush_unsent(to);
}

static step send_end(struct side *to)
{
    if (to->ssl == NULL)
        return shutdown(to->fd, SHUT_WR) == 0 ? STEP_MORE : fail_of_errno(to, errno);
    if (!records_encrypt_end(to->relay->pool->records, to->ssl))
        return fail_of_tls(to);
    return transmit_records(to);
}

/* That nothing more comes: FIN, or close_notify with TCP left open for what `to` still says. */
static step tell_end(struct side *to)
{
    if (!to->is_told && send_end(to) == STEP_END)
        return STEP_END;
    to->is_told = true;
    return is_owed(to) ? STEP_BLOCKED : STEP_DRY;
}

/* ---- reading ---- */

/* STEP_MORE: *ret_len bytes are in x->plain, or `from` has ended. */
static step read_plain(struct side *from, size_t *ret_len)
{
    ssize_t n = recv(from->fd, from->relay->pool->records->plain, RELAY_GATHER_BYTES, MSG_DONTWAIT);

    if (n < 0 && is_later(errno))
        return STEP_DRY;
    if (n < 0 && errno != EINTR)
        return fail_of_errno(from, errno);
    if (n == 0)
        from->has_ended = true;
    *ret_len = n < 0 ? 0 : (size_t)n;
    from->is_bulk = n >= RELAY_BULK_BYTES;
    from->is_short = n > 0 && n < RELAY_GATHER_BYTES;
    return STEP_MORE;
}

/* Nothing came but what the socket itself has to say. */
static step judge_silence(struct side *from)
{
    const struct records *x = from->relay->pool->records;

    if (x->error != 0)
        return fail_of_errno(from, x->error);
    if (x->is_cut) /* RFC 8446 §6.1: what came may have been cut by anybody on the way */
        return gone(from, "TLS connection was cut without close_notify");
    return STEP_DRY;
}

static step read_records(struct side *from, size_t *ret_len)
{
    struct records *x = from->relay->pool->records;
    bool is_received = from->is_drained;
    records_read got = records_decrypt(x, from->ssl, is_received ? from->fd : -1, ret_len);

    if (got == RECORDS_BROKEN) {
        step s = fail_of_tls(from);

        (void)transmit_records(from); /* the alert that says why */
        return s;
    }
    from->is_drained = got != RECORDS_FULL;
    from->has_ended = got == RECORDS_END;
    /* An end or error behind what came is met again at the next turn. */
    from->is_short = is_received && x->is_dry && !x->is_cut && x->error == 0;
    if (transmit_records(from) == STEP_END) /* KeyUpdate answers */
        return STEP_END;
    if (is_received && *ret_len == 0 && !from->has_ended && x->received == 0)
        return judge_silence(from);
    return STEP_MORE;
}

/* ---- a turn ---- */

static step move_by_gather(struct side *from, struct side *to)
{
    struct records *x = from->relay->pool->records;
    size_t len = 0;
    step s;

    from->is_short = false;
    s = from->ssl == NULL ? read_plain(from, &len) : read_records(from, &len);

    if (s != STEP_MORE)
        return s;
    if (len != 0) {
        count(from, len);
        s = deliver(to, (postern_bytes){ x->plain, len });
    }
    if (s == STEP_MORE && from->is_short && from->is_drained && !from->has_ended)
        return STEP_DRY; /* the loop says when there is more */
    return s;
}

/* STEP_MORE with to->piped 0: no pipe, or not for this kind of socket; copy. */
static step fill_pipe(struct side *from, struct side *to)
{
    ssize_t n;

    if (to->pipe[0] < 0 && !pipes_take(&from->relay->pool->pipes, to->pipe))
        return STEP_MORE;
    n = splice(from->fd, NULL, to->pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        to->piped = (uint32_t)n;
        from->is_bulk = n >= RELAY_BULK_BYTES;
        return STEP_MORE;
    }
    if (n == 0) {
        from->has_ended = true;
        return STEP_MORE;
    }
    if (errno == EINVAL)
        from->relay->is_spliced = false;
    if (errno == EINVAL || errno == EINTR)
        return STEP_MORE;
    return is_later(errno) ? STEP_DRY : fail_of_errno(from, errno);
}

static step move_by_pipe(struct side *from, struct side *to)
{
    step s = fill_pipe(from, to);

    if (s != STEP_MORE || from->has_ended)
        return s;
    if (to->piped == 0)
        return move_by_gather(from, to);
    count(from, to->piped);
    s = flush(to);
    return s == STEP_MORE && !from->is_bulk ? STEP_DRY : s;
}

static step take_turn(struct side *from, struct side *to)
{
    if (is_owed(to)) {
        step s = flush(to);

        if (s != STEP_MORE)
            return s;
    }
    if (from->has_ended)
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
static bool settle(struct side *from, struct side *to, step s)
{
    if (s != STEP_BLOCKED && !watch_in(from, !from->has_ended))
        return false;
    if (from->has_ended && !watch_in(from, false))
        return false;
    if (s == STEP_MORE && (!from->is_drained || from->has_ended))
        event_active(&from->readable, EV_READ, 0); /* no socket would say so */
    return watch_out(to, is_owed(to)) && watch_out(from, is_owed(from));
}

static bool is_finished(const struct relay *r)
{
    return r->client.is_told && r->backend.is_told && !is_owed(&r->client) && !is_owed(&r->backend);
}

static void end(struct relay *r)
{
    r->owner.ended(r->owner.arg, r->why); /* frees r */
}

static void pump(struct side *from)
{
    struct relay *r = from->relay;
    struct side *to = other(from);
    step s = STEP_MORE;

    for (int i = 0; i < RELAY_TURNS && s == STEP_MORE; i++)
        s = take_turn(from, to);
    if (r->has_moved)
        touch(r);
    if (to->pipe[0] >= 0 && to->piped == 0)
        pipes_give(&r->pool->pipes, to->pipe, true);
    if (s != STEP_END && !settle(from, to, s))
        s = fail(from, RELAY_FAILED, "cannot be watched: out of memory");
    if (s != STEP_END && is_finished(r)) {
        r->why = RELAY_FINISHED;
        r->pool->end_text[0] = '\0';
        s = STEP_END;
    }
    if (s == STEP_END)
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
    struct pollfd p = { .fd = from->fd };
    socklen_t len = sizeof(int);
    int error = 0;

    if (from->has_ended || poll(&p, 1, 0) != 1 || (p.revents & POLLERR) == 0)
        return;
    if (getsockopt(from->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error == 0)
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

void leg_close(struct leg *leg)
{
    SSL_free(leg->ssl);
    if (leg->fd >= 0)
        (void)close(leg->fd);
    *leg = (struct leg){ .fd = -1 };
}

static void prepare_side(struct relay *r, struct side *s, struct leg leg)
{
    s->relay = r;
    s->fd = leg.fd;
    s->ssl = leg.ssl;
    s->pipe[0] = s->pipe[1] = -1;
    s->is_drained = leg.ssl == NULL || SSL_has_pending(leg.ssl) == 0;
    if (leg.ssl != NULL)
        records_attach(r->pool->records, leg.ssl);
}

static bool prepare_events(struct relay *r, struct side *s)
{
    struct event_base *base = r->pool->base;

    if (event_assign(&s->readable, base, s->fd, EV_READ | EV_PERSIST, on_readable, s) != 0 ||
        event_assign(&s->writable, base, s->fd, EV_WRITE | EV_PERSIST, on_writable, s) != 0)
        return false;
    if (!watch_in(s, true) || !watch_out(s, is_owed(s)))
        return false;
    if (!s->is_drained) /* after event_add(), which would not watch an active event's socket */
        event_active(&s->readable, EV_READ, 0); /* what the login's reading left in the SSL */
    return true;
}

/* Not sent yet: how that goes is the loop's to tell the owner. */
static postern_err keep_early(struct relay *r, postern_bytes early, postern_error *err)
{
    struct records *x = r->pool->records;
    step s;

    if (early.len == 0)
        return POSTERN_OK;
    count(&r->client, early.len);
    if (r->backend.ssl == NULL) {
        s = keep(&r->backend, early);
    } else {
        if (!records_encrypt(x, r->backend.ssl, early)) {
            char room[128];

            x->out_len = 0;
            return POSTERN_FAIL(err, SYSTEM, "first bytes for the backend: %s",
                                tls_error_text(room, sizeof room));
        }
        s = keep(&r->backend, (postern_bytes){ x->out, x->out_len });
        x->out_len = 0;
    }
    if (s == STEP_END)
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
    static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (event_initialized(&s->readable))
        (void)event_del(&s->readable);
    if (event_initialized(&s->writable))
        (void)event_del(&s->writable);
    if (!s->is_told || is_owed(s))
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (s->pipe[0] >= 0)
        pipes_give(&s->relay->pool->pipes, s->pipe, s->piped == 0);
    free(s->unsent);
    leg_close(&(struct leg){ s->fd, s->ssl });
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
    if ((!is_owed(s) || flush(s) == STEP_MORE) && !s->is_told)
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
    return !is_owed(&r->client) && !is_owed(&r->backend) && r->client.is_drained &&
           r->backend.is_drained;
}
