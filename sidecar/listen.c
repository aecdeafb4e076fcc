/* SPDX-License-Identifier: BSD-2-Clause */
/* Make the listening sockets: unix(7) ones in folders that only root can change, TCP ones on
 * loopback alone. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/util.h>

#include "folder.h"
#include "listen.h"
#include "role.h"

/* A burst of logins while a child is restarted waits here; the kernel caps it at somaxconn. */
#define BACKLOG 1024

static int socket_type(listener_kind kind)
{
    return (kind == LISTENER_HELPER ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
}

/* ---- TCP ---- */

static bool is_loopback(const struct sockaddr_storage *a)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;

    if (a->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* 1..65535 in digits alone, no leading zero. */
static bool parse_port(const char *text, in_port_t *ret)
{
    unsigned long n = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 5 || text[0] == '0' || strspn(text, "0123456789") != len)
        return false;
    n = strtoul(text, NULL, 10);
    *ret = htons((uint16_t)n);
    return n <= UINT16_MAX;
}

/* A literal address: "127.0.0.1", or "[::1]", whose brackets are cut here.  0: neither. */
static socklen_t parse_host(char *host, size_t len, in_port_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof *ret);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? sizeof *v4 : 0;
}

postern_err listen_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len,
                         postern_error *err)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    struct sockaddr_storage a;
    socklen_t a_len;
    in_port_t port;
    size_t len;

    if (colon == NULL || !parse_port(colon + 1, &port) || (size_t)(colon - text) >= sizeof host)
        return POSTERN_FAIL(err, CONFIG_VALUE, "listen: \"%.60s\" is not ADDRESS:PORT", text);
    len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    a_len = parse_host(host, len, port, &a);
    if (a_len == 0)
        return POSTERN_FAIL(err, CONFIG_VALUE, "listen: \"%.60s\" is no literal address, such as "
                            "127.0.0.1:8414 or [::1]:8414", text);
    *ret = a;
    *ret_len = a_len;
    return POSTERN_OK;
}

postern_err listen_parse_loopback(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len,
                                  postern_error *err)
{
    struct sockaddr_storage a;

    POSTERN_TRY(listen_parse(text, &a, ret_len, err));
    if (!is_loopback(&a))
        return POSTERN_FAIL(err, CONFIG_VALUE, "listen: %.60s is not loopback; without TLS the embedded "
                            "authorization server stays on 127.0.0.1 or [::1] (OAuth 2.1 section 1.5)", text);
    *ret = a;
    return POSTERN_OK;
}

/* Any local user can sit on the port while we are down.  That is no wrong setting: a service
 * manager must try again. */
static postern_err fail_bind(const char *address, postern_error *err)
{
    if (errno == EADDRINUSE)
        return POSTERN_FAIL(err, SYSTEM, "listen: %s: %m; `ss -ltnp` names the process", address);
    return POSTERN_FAIL(err, CONFIG_CONFLICT, "listen: %s: %m", address);
}

static postern_err parse_tcp(const struct listener *l, struct sockaddr_storage *ret,
                             socklen_t *ret_len, postern_error *err)
{
    if (l->kind == LISTENER_HTTP)
        return listen_parse_loopback(l->address, ret, ret_len, err);
    return listen_parse(l->address, ret, ret_len, err);
}

/* Are these one host and one port? */
static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
           IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

/* Loops share an address: each has a socket of its own, and the kernel spreads connections over
 * them. */
typedef enum tcp_use { TCP_USE_LISTEN, TCP_USE_PROBE } tcp_use;

/* A door's connections inherit TCP_NODELAY: answers of many protocols are small and awaited. */
static bool set_options(int fd, const struct listener *l, tcp_use use)
{
    const int yes = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
        return false;
    return l->kind != LISTENER_DOOR || use == TCP_USE_PROBE ||
           (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0 &&
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
}

static postern_err bind_tcp(const struct listener *l, tcp_use use, int *ret_fd,
                            postern_error *err)
{
    struct sockaddr_storage a;
    socklen_t len;
    postern_err e;
    int fd;

    POSTERN_TRY(parse_tcp(l, &a, &len, err));
    fd = socket(a.ss_family, socket_type(l->kind), 0);
    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket for %s: %m", l->address);
    if (set_options(fd, l, use) && bind(fd, (const struct sockaddr *)&a, len) == 0 &&
        (use == TCP_USE_PROBE || listen(fd, BACKLOG) == 0)) {
        *ret_fd = fd;
        return POSTERN_OK;
    }
    e = fail_bind(l->address, err);
    (void)close(fd);
    return e;
}

/* SO_REUSEPORT would let a second posternd, or whatever else runs as our user, have every other
 * connection of a door: first see that nobody is there. */
static postern_err open_tcp(const struct listener *l, int *ret_fd, postern_error *err)
{
    int probe;

    if (l->kind == LISTENER_DOOR && l->loop == 0) {
        POSTERN_TRY(bind_tcp(l, TCP_USE_PROBE, &probe, err));
        (void)close(probe);
    }
    return bind_tcp(l, TCP_USE_LISTEN, ret_fd, err);
}

/* ---- unix ---- */

static bool fill_unix_address(const char *path, struct sockaddr_un *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof ret->sun_path)
        return false;
    memcpy(ret->sun_path, path, strlen(path) + 1);
    return true;
}

/* What stands at `path` may be replaced: nothing, or a socket that nobody listens on. */
static postern_err check_stale(const char *path, const struct sockaddr_un *a, listener_kind kind,
                               postern_error *err)
{
    struct stat st;
    int fd, failed;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? POSTERN_OK : POSTERN_FAIL(err, CONFIG_FILE, "socket %s: %m", path);
    if (!S_ISSOCK(st.st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s is there and is no socket; move it away", path);
    fd = socket(AF_UNIX, socket_type(kind), 0);
    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket for %s: %m", path);
    failed = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 ? 0 : errno;
    (void)close(fd);
    if (failed == ECONNREFUSED || failed == ENOENT)
        return POSTERN_OK;
    return POSTERN_FAIL(err, CONFIG_CONFLICT, "somebody answers on %s already; is another posternd running?",
                        path);
}

/* Bind beside `path` and move it there, so that at no moment there is no socket file (SASL hosts
 * would say NOMECH). */
static postern_err bind_and_move(int fd, const char *path, postern_error *err)
{
    struct sockaddr_un a;
    char temporary[sizeof a.sun_path];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    mode_t mask;
    int bound;

    if (n < 0 || (size_t)n >= sizeof temporary || !fill_unix_address(temporary, &a))
        return POSTERN_FAIL(err, CONFIG_VALUE, "socket path %s is too long by %zu bytes", path,
                            (size_t)n + 1 - sizeof temporary);
    (void)unlink(temporary);
    mask = umask(0177);
    bound = bind(fd, (const struct sockaddr *)&a, sizeof a);
    (void)umask(mask);
    if (bound != 0)
        return POSTERN_FAIL(err, SYSTEM, "binding %s: %m", temporary);
    if (listen(fd, BACKLOG) == 0 && chmod(temporary, 0666) == 0 && rename(temporary, path) == 0)
        return POSTERN_OK;
    (void)POSTERN_FAIL(err, SYSTEM, "socket %s: %m", path);
    (void)unlink(temporary);
    return POSTERN_ERR_SYSTEM;
}

/* With several sockets the folder alone would not say whose fault it is. */
static postern_err make_socket_folder(const char *path, postern_error *err)
{
    postern_error why = { 0 };
    const char *name;
    int folder;
    postern_err e = folder_open_parent(path, FOLDER_TRUST_CHAIN, 0755, &folder, &name, &why);

    if (e != POSTERN_OK)
        return postern_error_set(err, e, __FILE__, __LINE__, "socket %s: %s", path, why.detail);
    (void)close(folder);
    return POSTERN_OK;
}

static postern_err open_unix(const char *path, listener_kind kind, int *ret_fd, postern_error *err)
{
    struct sockaddr_un a;
    postern_err e;
    int fd;

    if (!fill_unix_address(path, &a))
        return POSTERN_FAIL(err, CONFIG_VALUE, "socket path of %zu bytes; unix(7) has room for %zu",
                            strlen(path), sizeof a.sun_path - 1);
    POSTERN_TRY(make_socket_folder(path, err));
    POSTERN_TRY(check_stale(path, &a, kind, err));
    fd = socket(AF_UNIX, socket_type(kind), 0);
    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket for %s: %m", path);
    e = bind_and_move(fd, path, err);
    if (e != POSTERN_OK) {
        (void)close(fd);
        return e;
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

/* ---- sockets that a service manager made (sd_listen_fds(3)) ---- */

#define ACTIVATED_FIRST 3

/* How many descriptors from 3 on are for this process; the variables are left for nobody else. */
static int count_activated(void)
{
    static int count = -1;
    const char *pid = secure_getenv("LISTEN_PID"), *fds = secure_getenv("LISTEN_FDS");
    char *end = NULL;

    if (count >= 0)
        return count;
    count = 0;
    if (pid != NULL && fds != NULL && strtol(pid, &end, 10) == (long)getpid() && *end == '\0') {
        long n = strtol(fds, &end, 10);

        if (*end == '\0' && n > 0 && n <= LISTENERS_MAX)
            count = (int)n;
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return count;
}

static bool is_listening(int fd)
{
    int is_it = 0;
    socklen_t size = sizeof is_it;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_it, &size) == 0 && is_it != 0;
}

static bool is_bound_to_tcp(int fd, const struct listener *l)
{
    struct sockaddr_storage want, have = { 0 };
    socklen_t want_len, have_len = sizeof have;

    return parse_tcp(l, &want, &want_len, NULL) == POSTERN_OK &&
           getsockname(fd, (struct sockaddr *)&have, &have_len) == 0 &&
           is_same_address(&have, &want);
}

/* A socket of the service manager's for a TCP address that we want; -1: none.  All loops of a door
 * share it.  It blocks by default, and whoever loses the race for a connection would wait for the next. */
static int find_activated(const struct listener *l)
{
    int count = count_activated();

    for (int fd = ACTIVATED_FIRST; fd < ACTIVATED_FIRST + count; fd++)
        if (is_listening(fd) && is_bound_to_tcp(fd, l) &&
            evutil_make_socket_nonblocking(fd) == 0)
            return fd;
    return -1;
}

/* ---- the whole set ---- */

static bool is_unix(const struct listener *l)
{
    return l->kind == LISTENER_HELPER || l->kind == LISTENER_ADMIN ||
           l->kind == LISTENER_CONTROL || l->kind == LISTENER_SASLAUTHD ||
           (l->kind == LISTENER_DOOR && strncmp(l->address, "unix:", 5) == 0);
}

static const char *unix_path(const struct listener *l)
{
    return l->kind == LISTENER_DOOR ? l->address + 5 : l->address;
}

static postern_err note(struct listeners *ls, struct listener l, postern_error *err)
{
    if (ls->count == LISTENERS_MAX)
        return POSTERN_FAIL(err, CONFIG_VALUE, "more than %d listening sockets", LISTENERS_MAX);
    if (ls->count == ls->room) {
        size_t room = ls->room == 0 ? 32 : ls->room * 2;
        struct listener *grown = reallocarray(ls->list, room, sizeof *grown);

        if (grown == NULL)
            return POSTERN_FAIL(err, NOMEM, "%zu listening sockets", room);
        ls->list = grown;
        ls->room = room;
    }
    l.fd = -1;
    ls->list[ls->count++] = l;
    return POSTERN_OK;
}

static postern_err note_list(struct listeners *ls, const postern_section *s, listener_kind kind,
                             const char *key, postern_error *err)
{
    const char *address;

    for (size_t i = 0; (address = postern_section_item(s, key, i)) != NULL; i++) {
        if (i >= ROLE_LISTEN_MAX)
            return POSTERN_FAIL(err, CONFIG_VALUE, "%s: at most %d sockets", key, ROLE_LISTEN_MAX);
        POSTERN_TRY(note(ls, (struct listener){ .kind = kind, .address = address }, err));
    }
    return POSTERN_OK;
}

static postern_err note_door(struct listeners *ls, const postern_section *s, size_t loops,
                             postern_error *err)
{
    const char *address;

    for (size_t i = 0; (address = postern_section_item(s, "listen", i)) != NULL; i++)
        for (size_t loop = 0; loop < loops; loop++)
            POSTERN_TRY(note(ls,
                             (struct listener){ .kind = LISTENER_DOOR,
                                                .address = address,
                                                .door = postern_section_name(s),
                                                .loop = loop },
                             err));
    return POSTERN_OK;
}

static postern_err note_daemon(struct listeners *ls, const postern_section *daemon,
                               postern_error *err)
{
    const char *status = postern_section_text(daemon, "status_listen");
    const char *saslauthd = postern_section_text(daemon, "saslauthd_socket");

    POSTERN_TRY(note_list(ls, daemon, LISTENER_HELPER, "helper_socket", err));
    if (strcmp(saslauthd, "off") != 0)
        POSTERN_TRY(
            note(ls, (struct listener){ .kind = LISTENER_SASLAUTHD, .address = saslauthd }, err));
    POSTERN_TRY(note(ls,
                     (struct listener){ .kind = LISTENER_CONTROL,
                                        .address = postern_section_text(daemon, "control_socket") },
                     err));
    if (strcmp(status, "off") == 0)
        return POSTERN_OK;
    return note(ls, (struct listener){ .kind = LISTENER_STATUS, .address = status }, err);
}

/* Addresses of a configuration, no descriptors yet. */
static postern_err note_all(const postern_config *c, size_t loops, struct listeners *ls,
                            postern_error *err)
{
    const postern_section *server = postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
    const postern_section *door;

    *ls = (struct listeners){ 0 };
    POSTERN_TRY(note_daemon(ls, postern_config_section(c, POSTERN_SECTION_DAEMON, NULL), err));
    for (size_t i = 0; (door = postern_config_section_at(c, POSTERN_SECTION_DOOR, i)) != NULL; i++)
        POSTERN_TRY(note_door(ls, door, loops, err));
    if (server == NULL)
        return POSTERN_OK;
    POSTERN_TRY(note_list(ls, server, LISTENER_HTTP, "listen", err));
    return note(ls,
                (struct listener){ .kind = LISTENER_ADMIN,
                                   .address = postern_section_text(server, "admin_socket") },
                err);
}

static bool is_same_place(const struct listener *l, const struct listener *other)
{
    struct sockaddr_storage a, b;
    socklen_t len;

    if (is_unix(l) || is_unix(other))
        return is_unix(l) && is_unix(other) && strcmp(unix_path(l), unix_path(other)) == 0;
    return parse_tcp(l, &a, &len, NULL) == POSTERN_OK &&
           parse_tcp(other, &b, &len, NULL) == POSTERN_OK && is_same_address(&a, &b);
}

/* Two that want one address are two mistakes in one: which would a caller reach? */
static postern_err check_twice(const struct listeners *ls, size_t i, postern_error *err)
{
    const struct listener *l = &ls->list[i];

    for (size_t k = 0; k < i; k++) {
        const struct listener *other = &ls->list[k];

        if (is_same_place(other, l) &&
            !(other->door != NULL && l->door != NULL && strcmp(other->door, l->door) == 0 &&
              other->loop != l->loop))
            return POSTERN_FAIL(err, CONFIG_CONFLICT, "two listeners want %s", l->address);
    }
    return POSTERN_OK;
}

static postern_err check_noted(const struct listeners *ls, postern_error *err)
{
    struct sockaddr_storage a;
    socklen_t len;

    for (size_t i = 0; i < ls->count; i++) {
        if (!is_unix(&ls->list[i]))
            POSTERN_TRY(parse_tcp(&ls->list[i], &a, &len, err));
        POSTERN_TRY(check_twice(ls, i, err));
    }
    return POSTERN_OK;
}

postern_err listeners_check(const postern_config *c, postern_error *err)
{
    struct listeners ls;
    postern_err e = note_all(c, 1, &ls, err);

    if (e == POSTERN_OK)
        e = check_noted(&ls, err);
    listeners_close(&ls);
    return e;
}

static const struct listener *find_same(const struct listeners *ls, const struct listener *want)
{
    for (size_t i = 0; ls != NULL && i < ls->count; i++)
        if (ls->list[i].kind == want->kind && ls->list[i].loop == want->loop &&
            strcmp(ls->list[i].address, want->address) == 0)
            return &ls->list[i];
    return NULL;
}

static postern_err keep(int fd, struct listener *l, postern_error *err)
{
    l->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (l->fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "keeping the socket %s: %m", l->address);
    return POSTERN_OK;
}

/* All loops of a door wait on one unix socket. */
static const struct listener *find_first_loop(const struct listeners *ls, const struct listener *l)
{
    for (size_t i = 0; l->loop != 0 && is_unix(l) && i < ls->count; i++)
        if (ls->list[i].kind == l->kind && ls->list[i].loop == 0 && ls->list[i].fd >= 0 &&
            strcmp(ls->list[i].address, l->address) == 0)
            return &ls->list[i];
    return NULL;
}

static postern_err open_one(const struct listeners *ls, struct listener *l,
                            const struct listeners *old, postern_error *err)
{
    const struct listener *same = find_same(old, l);
    int activated;

    if (same == NULL)
        same = find_first_loop(ls, l);
    if (same != NULL)
        return keep(same->fd, l, err);
    if (is_unix(l))
        return open_unix(unix_path(l), l->kind, &l->fd, err);
    activated = find_activated(l);
    return activated >= 0 ? keep(activated, l, err) : open_tcp(l, &l->fd, err);
}

/* A reload that fails leaves no socket file behind. */
static void unlink_made(const struct listeners *ls, const struct listeners *old)
{
    for (size_t i = 0; i < ls->count; i++)
        if (ls->list[i].fd >= 0 && is_unix(&ls->list[i]) && find_same(old, &ls->list[i]) == NULL)
            (void)unlink(unix_path(&ls->list[i]));
}

postern_err listeners_open(const postern_config *c, size_t loops, const struct listeners *old,
                           struct listeners *ret, postern_error *err)
{
    struct listeners ls;
    postern_err e = note_all(c, loops, &ls, err);

    if (e == POSTERN_OK)
        e = check_noted(&ls, err); /* before anything is made */
    for (size_t i = 0; e == POSTERN_OK && i < ls.count; i++)
        e = open_one(&ls, &ls.list[i], old, err);
    if (e != POSTERN_OK) {
        /* At a start, what was there before stays: hosts ask by it whether to offer us. */
        if (old != NULL)
            unlink_made(&ls, old);
        listeners_close(&ls);
        return e;
    }
    *ret = ls;
    return POSTERN_OK;
}

void listeners_close(struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        if (ls->list[i].fd >= 0)
            (void)close(ls->list[i].fd);
    free(ls->list);
    *ls = (struct listeners){ 0 };
}

void listeners_unlink_gone(const struct listeners *old, const struct listeners *now)
{
    for (size_t i = 0; i < old->count; i++)
        if (is_unix(&old->list[i]) && old->list[i].loop == 0 &&
            find_same(now, &old->list[i]) == NULL)
            (void)unlink(unix_path(&old->list[i]));
}
