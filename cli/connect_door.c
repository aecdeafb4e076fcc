/* SPDX-License-Identifier: BSD-2-Clause */
/* See connect_door.h. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "connect_door.h"

/* A peer that vanished is noticed after two minutes, whether bytes are under way or not. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES     6
#define UNACKNOWLEDGED_MS    120000

/* POSTERN_OK: ready, or an error that the next call will tell. */
static postern_err wait_for(int fd, short events, int64_t deadline_ms, postern_error *err)
{
    struct pollfd p = { .fd = fd, .events = events };

    for (;;) {
        int64_t left_ms = deadline_ms - clock_boot_ms();

        if (left_ms <= 0)
            return POSTERN_FAIL(err, TIMEOUT, "the door did not answer in time");
        if (poll(&p, 1, (int)left_ms) > 0)
            return POSTERN_OK;
    }
}

/* ---- TCP ---- */

static void watch_peer(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
        { IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS },
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) /* none of them is needed */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof options[i].value);
}

static postern_err finish_connect(int fd, int64_t deadline_ms, postern_error *err)
{
    int error = 0;
    socklen_t len = sizeof error;

    POSTERN_TRY(wait_for(fd, POLLOUT, deadline_ms, err));
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    errno = error;
    return error == 0 ? POSTERN_OK : POSTERN_FAIL(err, DOOR_UNREACHABLE, "%m");
}

static postern_err connect_to(const struct sockaddr *to, socklen_t len, int64_t deadline_ms,
                              int *ret_fd, postern_error *err)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    postern_err e;

    if (fd < 0)
        return POSTERN_FAIL(err, DOOR_UNREACHABLE, "socket: %m");
    if (connect(fd, to, len) == 0)
        e = POSTERN_OK;
    else if (errno == EINPROGRESS)
        e = finish_connect(fd, deadline_ms, err);
    else
        e = POSTERN_FAIL(err, DOOR_UNREACHABLE, "%m");
    if (e == POSTERN_OK)
        *ret_fd = fd;
    else
        (void)close(fd);
    return e;
}

/* One address after the other; each gets an equal share of the time that is left. */
static postern_err connect_to_any(const struct addrinfo *list, int64_t deadline_ms, int *ret_fd,
                                  postern_error *err)
{
    postern_err e = POSTERN_FAIL(err, DOOR_UNREACHABLE, "the name has no address");
    int64_t count = 0;

    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        count++;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next, count--) {
        int64_t now_ms = clock_boot_ms();

        e = connect_to(a->ai_addr, a->ai_addrlen, now_ms + (deadline_ms - now_ms) / count, ret_fd,
                       err);
        if (e == POSTERN_OK)
            break;
    }
    return e;
}

static postern_err open_tcp(const struct connect_target *target, struct connect_door *ret,
                            postern_error *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    int e = getaddrinfo(target->host, target->port, &hints, &list);
    postern_err done;

    if (e != 0)
        return POSTERN_FAIL(err, DOOR_UNREACHABLE, "%s: %s", target->host, gai_strerror(e));
    ret->deadline_ms = clock_boot_ms() + DOOR_LOGIN_MS;
    done = connect_to_any(list, ret->deadline_ms, &ret->fd, err);
    freeaddrinfo(list);
    if (done == POSTERN_OK)
        watch_peer(ret->fd);
    return done;
}

/* ---- TLS ---- */

static bool is_address(const char *host)
{
    unsigned char room[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, room) == 1 || inet_pton(AF_INET6, host, room) == 1;
}

/* RFC 9525 §6: the name or address as it was written, in the certificate's subjectAltName. */
static bool expect_name(SSL *ssl, const char *host)
{
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static postern_err explain_handshake(const struct connect_door *d, int result, postern_error *err)
{
    long verdict = SSL_get_verify_result(d->ssl);
    int kind = SSL_get_error(d->ssl, result);
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (verdict != X509_V_OK)
        return POSTERN_FAIL(err, DOOR_UNTRUSTED, "its certificate: %s",
                            X509_verify_cert_error_string(verdict));
    if (kind == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return POSTERN_FAIL(err, DOOR_UNTRUSTED, "no TLS: %s", reason != NULL ? reason : "unknown");
    return POSTERN_FAIL(err, DOOR_UNREACHABLE, "the connection ended while TLS began");
}

static postern_err shake_hands(struct connect_door *d, postern_error *err)
{
    for (;;) {
        int n, kind;

        ERR_clear_error();
        if ((n = SSL_connect(d->ssl)) == 1)
            return POSTERN_OK;
        kind = SSL_get_error(d->ssl, n);
        if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE)
            return explain_handshake(d, n, err);
        POSTERN_TRY(
            wait_for(d->fd, kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, d->deadline_ms, err));
    }
}

static postern_err start_tls(struct connect_door *d, const char *host, SSL_CTX *tls,
                             postern_error *err)
{
    if ((d->ssl = SSL_new(tls)) == NULL || SSL_set_fd(d->ssl, d->fd) != 1 ||
        !expect_name(d->ssl, host))
        return POSTERN_FAIL(err, NOMEM, "TLS");
    POSTERN_TRY(shake_hands(d, err));
    if (SSL_get_verify_result(d->ssl) != X509_V_OK) /* SSL_VERIFY_PEER says so already */
        return POSTERN_FAIL(err, DOOR_UNTRUSTED, "its certificate was not verified");
    return POSTERN_OK;
}

/* ---- unix sockets ---- */

/* Who listened there, by SO_PEERCRED. */
static postern_err check_owner(int fd, uid_t uid, postern_error *err)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return POSTERN_FAIL(err, DOOR_UNTRUSTED, "whose socket it is: %m");
    if (peer.uid != 0 && peer.uid != uid && peer.uid != geteuid())
        return POSTERN_FAIL(
            err, DOOR_UNTRUSTED,
            "uid %lu listens there, not root, you or loopback_user:", (unsigned long)peer.uid);
    return POSTERN_OK;
}

static postern_err open_unix(const struct connect_target *target, const struct connect_trust *trust,
                             struct connect_door *ret, postern_error *err)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    memcpy(to.sun_path, target->path, sizeof to.sun_path);
    ret->deadline_ms = clock_boot_ms() + DOOR_LOGIN_MS;
    POSTERN_TRY(connect_to((struct sockaddr *)&to, sizeof to, ret->deadline_ms, &ret->fd, err));
    return check_owner(ret->fd, trust->socket_uid, err);
}

/* ---- both ---- */

postern_err connect_door_open(const struct connect_target *target,
                              const struct connect_trust *trust, struct connect_door *ret,
                              postern_error *err)
{
    *ret = CONNECT_DOOR_NONE;
    if (target->path[0] != '\0')
        return open_unix(target, trust, ret, err);
    POSTERN_TRY(open_tcp(target, ret, err));
    return start_tls(ret, target->host, trust->tls, err);
}

static postern_err send_line(struct connect_door *d, postern_bytes line, postern_error *err)
{
    while (line.len != 0) {
        size_t n = 0;
        short events = 0;
        door_io done = connect_door_write(d, line, &n, &events);

        if (done == DOOR_IO_FAILED || done == DOOR_IO_END)
            return POSTERN_FAIL(err, DOOR_UNREACHABLE, "the door closed the connection");
        if (done == DOOR_IO_WAIT)
            POSTERN_TRY(wait_for(d->fd, events, d->deadline_ms, err));
        line = (postern_bytes){ line.ptr + n, line.len - n };
    }
    return POSTERN_OK;
}

/* Read once more into `in`. */
static postern_err read_more(struct connect_door *d, postern_buf *in, postern_error *err)
{
    uint8_t chunk[ANSWER_LINE_MAX];
    size_t n = 0;
    short events = 0;
    door_io done = connect_door_read(d, chunk, sizeof chunk - in->len, &n, &events);

    if (done == DOOR_IO_WAIT)
        return wait_for(d->fd, events, d->deadline_ms, err);
    if (done != DOOR_IO_DONE)
        return POSTERN_FAIL(err, DOOR_UNREACHABLE, "the door closed the connection");
    postern_buf_add(in, (postern_bytes){ chunk, n });
    postern_wipe(chunk, n);
    return in->failed ? POSTERN_FAIL(err, NOMEM, "the door's answer") : POSTERN_OK;
}

postern_err connect_door_ask(struct connect_door *d, postern_bytes line, postern_buf *in,
                             postern_bytes *ret_line, postern_bytes *ret_rest, postern_error *err)
{
    size_t used = 0;
    postern_err e;

    POSTERN_TRY(send_line(d, line, err));
    while ((e = connect_answer_find(postern_buf_bytes(in), ret_line, &used, err)) == POSTERN_AGAIN)
        POSTERN_TRY(read_more(d, in, err));
    if (e == POSTERN_OK)
        *ret_rest = (postern_bytes){ in->ptr + used, in->len - used };
    return e;
}
