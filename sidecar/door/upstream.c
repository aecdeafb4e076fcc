/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One attempt to reach a backend (sidecar/door/upstream.h): name → addresses → the next address →
 * connect → TLS.  What fails at one address goes on with the next; the last one's reason is the
 * attempt's.  One timer: for the name, then for each address its share.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event_struct.h>
#include <event2/util.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <postern-private/clock.h>

#include "tls.h"
#include "upstream.h"

#define ADDRESS_TEXT 128 /* of "[v6 address%interface]:port", or a unix socket's path */

/* Outlives the attempt: evdns calls back even for what was cancelled. */
struct lookup {
    struct upstream *owner; /* NULL: nobody waits any more */
};

struct upstream {
    struct event_base *base;
    struct evdns_base *dns;
    const struct upstream_target *target;
    struct upstream_owner owner;
    struct event timer, io;
    struct lookup *lookup;
    struct evdns_getaddrinfo_request *request;
    struct sockaddr_storage addresses[UPSTREAM_TRIES_MAX];
    socklen_t lens[UPSTREAM_TRIES_MAX];
    unsigned count, next; /* addresses; the one to be tried next */
    int64_t deadline_ms;
    struct leg leg; /* fd -1: none yet */
    bool is_connected;
    bool is_busy; /* the timer ends a pause before the same address again */
    postern_error why;
};

static void try_next(struct upstream *u);
static void shake_hands(struct upstream *u);

/* ---- outcomes ---- */

static void stop_watching(struct upstream *u)
{
    if (event_initialized(&u->io))
        (void)event_del(&u->io);
}

static void drop_leg(struct upstream *u)
{
    stop_watching(u);
    SSL_free(u->leg.ssl);
    if (u->leg.fd >= 0)
        (void)close(u->leg.fd);
    u->leg = (struct leg){ .fd = -1 };
    u->is_connected = false;
}

/* The owner frees u in it. */
static void give_up(struct upstream *u)
{
    drop_leg(u);
    (void)event_del(&u->timer);
    u->owner.done(u->owner.arg, u->leg, &u->why);
}

static void succeed(struct upstream *u)
{
    struct leg leg = u->leg;

    stop_watching(u);
    (void)event_del(&u->timer);
    u->leg = (struct leg){ .fd = -1 };
    u->owner.done(u->owner.arg, leg, NULL);
}

static void fail_here(struct upstream *u)
{
    drop_leg(u);
    try_next(u);
}

static void run_out_of_memory(struct upstream *u)
{
    (void)POSTERN_FAIL(&u->why, NOMEM, "connection to the backend");
    give_up(u);
}

/* Whom we are trying, for an error. */
static const char *address_text(const struct upstream *u, char *room, size_t room_size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    unsigned at = u->next - 1;
    int n;

    if (u->target->path[0] != '\0')
        n = snprintf(room, room_size, "unix:%s", u->target->path);
    else if (u->next != 0 &&
             getnameinfo((const struct sockaddr *)&u->addresses[at], u->lens[at], host, sizeof host,
                         port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        n = snprintf(room, room_size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    else
        n = snprintf(room, room_size, "%s", u->target->host);
    if (n < 0)
        room[0] = '\0';
    return room;
}

static void fail_of_errno(struct upstream *u, int error)
{
    char room[ADDRESS_TEXT];

    (void)POSTERN_FAIL(&u->why, BACKEND, "%s: %s", address_text(u, room, sizeof room),
                       strerror(error));
    fail_here(u);
}

static bool arm_timer(struct upstream *u, int64_t ms)
{
    struct timeval t = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

    return event_add(&u->timer, &t) == 0;
}

static int64_t left_ms(const struct upstream *u)
{
    int64_t left = u->deadline_ms - clock_mono_ms();

    return left < 0 ? 0 : left;
}

/* ---- TLS ---- */

/* Which name the certificate must bear. */
static bool expect_name(SSL *ssl, const struct upstream_target *t)
{
    struct sockaddr_storage literal;
    socklen_t len;

    if (upstream_target_address(t, &literal, &len))
        return t->tls != UPSTREAM_VERIFY_FULL ||
               X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), t->host) == 1;
    if (t->host[0] == '\0') /* a unix socket */
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, t->host) == 1 &&
           (t->tls != UPSTREAM_VERIFY_FULL || SSL_set1_host(ssl, t->host) == 1);
}

static void start_tls(struct upstream *u)
{
    const struct upstream_target *t = u->target;

    if (t->tls_ctx == NULL || (t->tls == UPSTREAM_VERIFY_FULL && t->host[0] == '\0')) {
        (void)POSTERN_FAIL(&u->why, BACKEND,
                           t->tls_ctx == NULL ? "no TLS settings for this backend"
                                              : "a unix socket has no name for verify-full");
        give_up(u);
        return;
    }
    ERR_clear_error();
    if ((u->leg.ssl = SSL_new(t->tls_ctx)) == NULL || SSL_set_fd(u->leg.ssl, u->leg.fd) != 1 ||
        !expect_name(u->leg.ssl, t)) {
        ERR_clear_error();
        run_out_of_memory(u);
        return;
    }
    SSL_set_verify(u->leg.ssl, SSL_VERIFY_PEER, NULL); /* whatever the context says */
    SSL_set_read_ahead(u->leg.ssl, 1); /* one recv(2) a flight, not two a record */
    SSL_set_connect_state(u->leg.ssl);
    shake_hands(u);
}

static void fail_of_tls(struct upstream *u, int error)
{
    long verdict = SSL_get_verify_result(u->leg.ssl);
    char address[ADDRESS_TEXT], room[128];
    const char *where = address_text(u, address, sizeof address);

    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
        (void)POSTERN_FAIL(&u->why, BACKEND, "%s: its certificate is not for %s", where,
                           u->target->host);
    else if (verdict != X509_V_OK)
        (void)POSTERN_FAIL(&u->why, BACKEND, "%s: its certificate is not valid: %s", where,
                           X509_verify_cert_error_string(verdict));
    else if (ERR_peek_error() == 0)
        (void)POSTERN_FAIL(&u->why, BACKEND, "%s: it ended the TLS handshake: %s", where,
                           error == 0 ? "connection closed" : strerror(error));
    else
        (void)POSTERN_FAIL(&u->why, BACKEND, "%s: TLS: %s", where,
                           tls_error_text(room, sizeof room));
    ERR_clear_error();
    fail_here(u);
}

static void on_io(evutil_socket_t fd, short what, void *arg);

static void wait_for(struct upstream *u, short what)
{
    if (event_assign(&u->io, u->base, u->leg.fd, what, on_io, u) != 0 ||
        event_add(&u->io, NULL) != 0)
        run_out_of_memory(u);
}

static void shake_hands(struct upstream *u)
{
    int n, error;

    ERR_clear_error();
    errno = 0;
    n = SSL_do_handshake(u->leg.ssl);
    error = errno;
    if (n == 1) {
        succeed(u);
        return;
    }
    switch (SSL_get_error(u->leg.ssl, n)) {
    case SSL_ERROR_WANT_READ:
        wait_for(u, EV_READ);
        break;
    case SSL_ERROR_WANT_WRITE:
        wait_for(u, EV_WRITE);
        break;
    default:
        fail_of_tls(u, error);
    }
}

/* ---- one address ---- */

/* Network byte order; 0: none. */
static in_port_t port_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_port;
    return a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port : 0;
}

/* A port of this machine that nobody listens on can be the very one that connect(2) chose for our
 * end: TCP then connects the socket with itself, and a client would talk to its own echo.  Hardly
 * ever are the two ports the same; who is at the other end is asked only then. */
static bool is_connected_to_itself(int fd, const struct sockaddr_storage *wanted)
{
    struct sockaddr_storage here, there;
    socklen_t here_len = sizeof here, there_len = sizeof there;

    if (port_of(wanted) == 0)
        return false;
    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    return getsockname(fd, (struct sockaddr *)&here, &here_len) == 0 &&
           port_of(&here) == port_of(wanted) &&
           getpeername(fd, (struct sockaddr *)&there, &there_len) == 0 && here_len == there_len &&
           memcmp(&here, &there, here_len) == 0;
}

static void enter(struct upstream *u)
{
    u->is_connected = true;
    if (is_connected_to_itself(u->leg.fd, &u->addresses[u->next - 1]))
        fail_of_errno(u, ECONNREFUSED);
    else if (u->target->tls == UPSTREAM_PLAIN)
        succeed(u);
    else
        start_tls(u);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *u = arg;
    socklen_t len = sizeof(int);
    int error = 0;

    (void)what;
    if (u->is_connected)
        shake_hands(u);
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        fail_of_errno(u, errno);
    else if (error != 0)
        fail_of_errno(u, error);
    else
        enter(u);
}

static void pause_for_busy(struct upstream *u)
{
    int64_t left = left_ms(u);

    drop_leg(u);
    u->next--;
    u->is_busy = true;
    if (!arm_timer(u, left < UPSTREAM_BUSY_MS ? left : UPSTREAM_BUSY_MS))
        run_out_of_memory(u);
}

/* Keep-alive: a backend that vanished is noticed within the system's hours, not never.  No delay:
 * answers of many protocols are small and awaited. */
static bool open_socket(struct upstream *u, int family)
{
    int on = 1;

    u->leg.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return u->leg.fd >= 0 &&
           (family == AF_UNIX ||
            (setsockopt(u->leg.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
             setsockopt(u->leg.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0));
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return address->sa_family == AF_INET &&
           ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* connect(2): 0, or errno.  Over loopback it has its answer before it says that it has none yet, so
 * that it is asked again there. */
static int begin_connecting(int fd, const struct sockaddr *address, socklen_t len)
{
    int error = connect(fd, address, len) == 0 ? 0 : errno;

    if (error == EINPROGRESS && is_loopback(address))
        error = connect(fd, address, len) == 0 ? 0 : errno;
    return error == EALREADY || error == EINTR ? EINPROGRESS : error;
}

static void try_address(struct upstream *u, const struct sockaddr *address, socklen_t len)
{
    int error;

    if (!open_socket(u, address->sa_family)) {
        fail_of_errno(u, errno);
        return;
    }
    error = begin_connecting(u->leg.fd, address, len);
    if (error == 0)
        enter(u);
    else if (error == EINPROGRESS)
        wait_for(u, EV_WRITE);
    else if (error == EAGAIN && address->sa_family == AF_UNIX)
        pause_for_busy(u);
    else
        fail_of_errno(u, error);
}

static void try_next(struct upstream *u)
{
    unsigned at = u->next;

    if (at == u->count) {
        give_up(u);
        return;
    }
    if (!arm_timer(u, left_ms(u) / (u->count - at))) {
        run_out_of_memory(u);
        return;
    }
    u->next++;
    try_address(u, (const struct sockaddr *)&u->addresses[at], u->lens[at]);
}

/* ---- addresses ---- */

static void on_found(int result, struct evutil_addrinfo *found, void *arg)
{
    struct lookup *l = arg;
    struct upstream *u = l->owner;

    free(l);
    if (u != NULL) {
        u->lookup = NULL;
        u->request = NULL;
        for (const struct evutil_addrinfo *a = found; a != NULL && u->count < UPSTREAM_TRIES_MAX;
             a = a->ai_next) {
            if (a->ai_addrlen > sizeof u->addresses[0])
                continue;
            memcpy(&u->addresses[u->count], a->ai_addr, a->ai_addrlen);
            u->lens[u->count++] = (socklen_t)a->ai_addrlen;
        }
        (void)POSTERN_FAIL(&u->why, BACKEND, "%s: the name does not resolve: %s", u->target->host,
                           result != 0 ? evutil_gai_strerror(result) : "no address");
    }
    if (found != NULL)
        evutil_freeaddrinfo(found);
    if (u != NULL)
        try_next(u);
}

static void look_up(struct upstream *u)
{
    const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
                                           .ai_socktype = SOCK_STREAM,
                                           .ai_protocol = IPPROTO_TCP };
    struct lookup *l;
    struct evdns_getaddrinfo_request *request;

    if (u->dns == NULL) {
        (void)POSTERN_FAIL(&u->why, BACKEND, "%s: no resolver", u->target->host);
        give_up(u);
        return;
    }
    if ((l = malloc(sizeof *l)) == NULL) {
        run_out_of_memory(u);
        return;
    }
    l->owner = u;
    u->lookup = l;
    request = evdns_getaddrinfo(u->dns, u->target->host, u->target->port, &hints, on_found, l);
    if (request != NULL) /* else on_found() has run, and u may be gone */
        u->request = request;
}

static void begin(struct upstream *u)
{
    const struct upstream_target *t = u->target;

    if (t->path[0] != '\0') {
        struct sockaddr_un *a = (struct sockaddr_un *)&u->addresses[0];

        a->sun_family = AF_UNIX;
        memcpy(a->sun_path, t->path, sizeof t->path);
        u->lens[0] = sizeof *a;
        u->count = 1;
        try_next(u);
    } else if (upstream_target_address(t, &u->addresses[0], &u->lens[0])) {
        u->count = 1;
        try_next(u);
    } else {
        look_up(u);
    }
}

/* ---- the attempt ---- */

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *u = arg;
    char room[ADDRESS_TEXT];
    const char *where, *stage;

    (void)fd;
    if ((what & EV_TIMEOUT) == 0) { /* of upstream_connect(); that took the time-out with it */
        if (arm_timer(u, left_ms(u)))
            begin(u);
        else
            run_out_of_memory(u);
        return;
    }
    if (u->is_busy && left_ms(u) > 0) {
        u->is_busy = false;
        try_next(u);
        return;
    }
    where = address_text(u, room, sizeof room);
    stage = u->lookup != NULL ? "the name server did not answer in time"
            : u->is_connected ? "no TLS handshake in time"
            : u->is_busy      ? "too busy to take a connection in time"
                              : "no answer in time";
    (void)POSTERN_FAIL(&u->why, BACKEND, "%s: %s", where, stage);
    if (u->lookup != NULL || u->is_busy)
        give_up(u);
    else
        fail_here(u);
}

postern_err upstream_connect(struct event_base *base, struct evdns_base *dns,
                             const struct upstream_target *target, struct upstream_owner owner,
                             struct upstream **ret, postern_error *err)
{
    struct upstream *u = calloc(1, sizeof *u);

    if (u == NULL)
        return POSTERN_FAIL(err, NOMEM, "connection to the backend");
    u->base = base;
    u->dns = dns;
    u->target = target;
    u->owner = owner;
    u->leg.fd = -1;
    u->deadline_ms = clock_mono_ms() + UPSTREAM_CONNECT_MS;
    if (event_assign(&u->timer, base, -1, 0, on_time, u) != 0) {
        free(u);
        return POSTERN_FAIL(err, NOMEM, "connection to the backend");
    }
    event_active(&u->timer, EV_READ, 0); /* begin, from the loop */
    *ret = u;
    return POSTERN_OK;
}

void upstream_free(struct upstream *u)
{
    if (u == NULL)
        return;
    drop_leg(u);
    (void)event_del(&u->timer);
    if (u->lookup != NULL)
        u->lookup->owner = NULL; /* on_found() frees it */
    if (u->request != NULL)
        evdns_getaddrinfo_cancel(u->request);
    free(u);
}
