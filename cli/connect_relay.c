/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See connect_relay.h.  Descriptors 0 and 1 are shared with whoever started us, so they are never
 * made non-blocking: a pipe or terminal is written only when poll(2) says so, and then no more than
 * what fits for certain.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect_relay.h"

/* A sleeping machine's poll(2) does not count: after it, a renewal is late by this at most. */
#define POLL_MAX_MS 30000

enum { AT_IN, AT_OUT, AT_DOOR, AT_WATCH, AT_COUNT };

struct flow {
    uint8_t bytes[RELAY_BUFFER];
    size_t start, len;
    bool has_ended; /* its reader saw the end */
    bool is_done;   /* all was delivered, and the end too */
};

struct relay {
    struct relay_local local;
    struct connect_door *door;
    bool out_is_socket;
    bool is_deaf;                  /* the client takes nothing any more, and may still have sent */
    bool is_cut;                   /* the door is gone; what it sent before is still delivered */
    bool is_moving;                /* something moved in this turn: perhaps there is more */
    short read_wants, write_wants; /* of the door */
    struct flow up, down;
};

typedef enum turn { TURN_CUT = 0, TURN_GOES_ON, TURN_LOCAL_GONE, TURN_FINISHED } turn;

static bool has_room(const struct flow *f)
{
    return !f->has_ended && f->len < sizeof f->bytes;
}

/* Bytes move to the front only when the end of the buffer is reached. */
static uint8_t *room_of(struct flow *f, size_t *ret_len)
{
    if (f->len == 0)
        f->start = 0;
    if (f->start != 0 && f->start + f->len == sizeof f->bytes) {
        memmove(f->bytes, f->bytes + f->start, f->len);
        f->start = 0;
    }
    *ret_len = sizeof f->bytes - f->start - f->len;
    return f->bytes + f->start + f->len;
}

static void drop(struct flow *f, size_t n)
{
    f->start += n;
    f->len -= n;
}

/* ---- from the client to the door ---- */

/* What the client still says has nowhere to go; the door's last words are worth hearing. */
static void cut_up(struct relay *r)
{
    r->is_cut = true;
    r->up.len = 0;
    r->up.has_ended = r->up.is_done = true;
}

static turn read_local(struct relay *r)
{
    size_t room_len;
    uint8_t *room = room_of(&r->up, &room_len);
    ssize_t n = read(r->local.in_fd, room, room_len);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TURN_GOES_ON;
    if (n < 0)
        return TURN_LOCAL_GONE;
    r->is_moving = true;
    r->up.len += (size_t)n;
    r->up.has_ended = n == 0;
    return TURN_GOES_ON;
}

static void write_door(struct relay *r)
{
    size_t n = 0;
    door_io done = connect_door_write(
        r->door, (postern_bytes){ r->up.bytes + r->up.start, r->up.len }, &n, &r->write_wants);

    if (done == DOOR_IO_FAILED)
        cut_up(r);
    r->is_moving = r->is_moving || done != DOOR_IO_WAIT;
    if (done == DOOR_IO_DONE)
        drop(&r->up, n);
}

static void end_door(struct relay *r)
{
    door_io done = connect_door_end(r->door, &r->write_wants);

    if (done == DOOR_IO_FAILED)
        cut_up(r);
    r->up.is_done = done != DOOR_IO_WAIT;
}

static turn move_up(struct relay *r, short in_events)
{
    if (has_room(&r->up) && (in_events & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
        turn t = read_local(r);

        if (t != TURN_GOES_ON)
            return t;
    }
    if (r->up.len != 0)
        write_door(r);
    else if (r->up.has_ended && !r->up.is_done)
        end_door(r);
    return TURN_GOES_ON;
}

/* ---- from the door to the client ---- */

static void read_door(struct relay *r)
{
    size_t room_len, n = 0;
    uint8_t *room = room_of(&r->down, &room_len);
    door_io done = connect_door_read(r->door, room, room_len, &n, &r->read_wants);

    if (done == DOOR_IO_FAILED)
        cut_up(r);
    r->is_moving = r->is_moving || done != DOOR_IO_WAIT;
    r->down.has_ended = done == DOOR_IO_END || done == DOOR_IO_FAILED;
    r->down.len += n;
}

static turn write_local(struct relay *r)
{
    const uint8_t *from = r->down.bytes + r->down.start;
    ssize_t n;

    if (r->out_is_socket)
        n = send(r->local.out_fd, from, r->down.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else /* pipe(7): when it is writable, so much fits without waiting */
        n = write(r->local.out_fd, from, r->down.len < PIPE_BUF ? r->down.len : PIPE_BUF);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TURN_GOES_ON;
    if (n < 0) { /* over a socket it may still have said something before it went */
        r->is_deaf = r->out_is_socket;
        return r->is_deaf ? TURN_GOES_ON : TURN_LOCAL_GONE;
    }
    r->is_moving = true;
    drop(&r->down, (size_t)n);
    return TURN_GOES_ON;
}

/* A socket keeps its other half; a pipe is closed when its only descriptor is.  /dev/null takes its
 * place, so that the number is not given to anything else. */
static void end_local(struct relay *r)
{
    int null_fd;

    r->down.is_done = true;
    if (r->is_deaf)
        return;
    if (r->out_is_socket) {
        (void)shutdown(r->local.out_fd, SHUT_WR); /* fails when the client has gone */
        return;
    }
    if ((null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0)
        return;
    (void)dup2(null_fd, r->local.out_fd);
    (void)close(null_fd);
}

static turn move_down(struct relay *r, short out_events)
{
    if (has_room(&r->down))
        read_door(r);
    if (r->is_deaf)
        r->down.len = 0;
    if (r->down.len != 0 && (r->out_is_socket || (out_events & POLLOUT) != 0)) {
        turn t = write_local(r);

        if (t != TURN_GOES_ON)
            return t;
    }
    if (!r->down.has_ended || r->down.len != 0 || r->down.is_done)
        return TURN_GOES_ON;
    if (r->is_cut) /* the client is not told that this was all */
        return TURN_CUT;
    end_local(r);
    return TURN_GOES_ON;
}

/* ---- waiting ---- */

/* A descriptor that nothing is wanted of is not polled: its hang-up would end every wait at once.
 */
static void fill(const struct relay *r, const struct relay_watch *watch, struct pollfd *p)
{
    short door_events =
        (short)((has_room(&r->down) ? r->read_wants : 0) |
                (r->up.len != 0 || (r->up.has_ended && !r->up.is_done) ? r->write_wants : 0));

    p[AT_IN] = (struct pollfd){ .fd = has_room(&r->up) ? r->local.in_fd : -1, .events = POLLIN };
    p[AT_OUT] = (struct pollfd){ .fd = r->is_deaf || r->down.is_done ? -1 : r->local.out_fd,
                                 .events = r->down.len != 0 ? POLLOUT : 0 };
    p[AT_DOOR] = (struct pollfd){ .fd = door_events != 0 || r->down.is_done ? r->door->fd : -1,
                                  .events = door_events };
    p[AT_WATCH] = (struct pollfd){ .fd = watch->fd(watch->arg), .events = POLLIN };
}

static int timeout_ms(const struct relay *r, const struct relay_watch *watch)
{
    int64_t wait_ms = watch->wait_ms(watch->arg);

    if (r->is_moving)
        return 0;
    return wait_ms < 0 || wait_ms > POLL_MAX_MS ? POLL_MAX_MS : (int)wait_ms;
}

/* The client has closed its reading end: of a pipe it was all there is; over a socket it may have
 * said something before that still is to be delivered. */
static turn judge_hang_up(struct relay *r, short out_events)
{
    if ((out_events & (POLLERR | POLLHUP | POLLNVAL)) == 0)
        return TURN_GOES_ON;
    if (!r->out_is_socket)
        return TURN_LOCAL_GONE;
    r->is_deaf = true;
    return TURN_GOES_ON;
}

/* The door has ended its side, nothing is on its way to it, and now the connection itself is gone:
 * what the client might still say has nowhere to go. */
static bool is_door_gone(const struct relay *r, short door_events)
{
    return r->down.is_done && r->up.len == 0 && (door_events & (POLLERR | POLLHUP)) != 0;
}

static turn take_turn(struct relay *r, const struct pollfd *p)
{
    turn t = judge_hang_up(r, p[AT_OUT].revents);

    r->is_moving = false;
    if (is_door_gone(r, p[AT_DOOR].revents))
        return TURN_FINISHED;
    if (t == TURN_GOES_ON)
        t = move_up(r, p[AT_IN].revents);
    return t == TURN_GOES_ON ? move_down(r, p[AT_OUT].revents) : t;
}

static postern_err run(struct relay *r, const struct relay_watch *watch, relay_end *ret_end,
                       postern_error *err)
{
    struct pollfd p[AT_COUNT];
    turn t = TURN_GOES_ON;

    while (!r->up.is_done || !r->down.is_done) {
        fill(r, watch, p);
        if (poll(p, AT_COUNT, timeout_ms(r, watch)) < 0) {
            if (errno == EINTR)
                continue;
            return POSTERN_FAIL(err, SYSTEM, "poll: %m");
        }
        watch->tick(watch->arg);
        if ((t = take_turn(r, p)) != TURN_GOES_ON)
            break;
    }
    if (t == TURN_CUT || r->is_cut)
        *ret_end = RELAY_DOOR_CUT;
    else
        *ret_end = t == TURN_LOCAL_GONE ? RELAY_LOCAL_GONE : RELAY_FINISHED;
    return POSTERN_OK;
}

static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

postern_err connect_relay_run(const struct relay_local *local, struct connect_door *door,
                              postern_bytes early, const struct relay_watch *watch,
                              relay_end *ret_end, postern_error *err)
{
    struct relay *r = calloc(1, sizeof *r);
    postern_err e;

    if (r == NULL || early.len > RELAY_BUFFER) {
        free(r);
        return POSTERN_FAIL(err, NOMEM, "a relay of %zu bytes", sizeof *r);
    }
    r->local = *local;
    r->door = door;
    r->out_is_socket = is_socket(local->out_fd);
    r->read_wants = POLLIN;
    r->write_wants = POLLOUT;
    if (early.len != 0)
        memcpy(r->down.bytes, early.ptr, early.len);
    r->down.len = early.len;
    r->is_moving = true; /* look before the first wait */
    e = run(r, watch, ret_end, err);
    postern_wipe(r, sizeof *r);
    free(r);
    return e;
}
