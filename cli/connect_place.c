/* SPDX-License-Identifier: BSD-2-Clause */
/* See connect_place.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connect_place.h"

#define BACKLOG      128  /* connections that wait while we fork */
#define LOCK_MS      2000 /* another start holds a folder for some milliseconds */
#define LOCK_STEP_MS 20

/* ---- unix sockets ---- */

/* Who may read the folder may hold its lock: that may cost a moment, and no more. */
static bool lock_folder(int fd)
{
    for (int waited_ms = 0; waited_ms < LOCK_MS; waited_ms += LOCK_STEP_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK)
            return false;
        (void)poll(NULL, 0, LOCK_STEP_MS);
    }
    return false;
}

/* The folder of `path`, locked: of two starts at one time one looks and binds after the other.  -1
 * with err. */
static int open_folder(const char *path, postern_error *err)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    size_t len = (size_t)(strrchr(path, '/') - path);
    struct stat st;
    int fd;

    memcpy(folder, path, len);
    folder[len] = '\0';
    fd = open(len == 0 ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !lock_folder(fd))
        (void)POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", folder);
    else if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        (void)POSTERN_FAIL(err, CONFIG_FILE,
                           "%s: not a folder that only you can write; use one below "
                           "$XDG_RUNTIME_DIR",
                           folder);
    else
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int new_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Nobody listens on it: what a killed run leaves behind. */
static bool is_left_over(const struct sockaddr_un *at)
{
    int fd = new_socket(AF_UNIX);
    bool is_refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 &&
                      errno == ECONNREFUSED;

    if (fd >= 0)
        (void)close(fd);
    return is_refused;
}

/* Make room at the path, under the folder's lock. */
static postern_err clear_path(const struct sockaddr_un *at, postern_error *err)
{
    struct stat st;

    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT ? POSTERN_OK
                               : POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", at->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: something else than a socket is there",
                            at->sun_path);
    if (!is_left_over(at))
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: in use by another process", at->sun_path);
    if (unlink(at->sun_path) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", at->sun_path);
    return POSTERN_OK;
}

static postern_err bind_path(const struct sockaddr_un *at, struct connect_place *ret,
                             postern_error *err)
{
    mode_t old = umask(S_IXUSR | S_IRWXG | S_IRWXO); /* 0600 from the first moment on */
    int done = bind(ret->fd, (const struct sockaddr *)at, sizeof *at);
    int error = errno;
    struct stat st;

    (void)umask(old);
    errno = error;
    if (done != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", at->sun_path);
    if (lstat(at->sun_path, &st) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", at->sun_path);
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    return POSTERN_OK;
}

/* Under the folder's lock until it listens: before that it would look left over. */
static postern_err claim_path(const struct sockaddr_un *at, struct connect_place *ret,
                              postern_error *err)
{
    POSTERN_TRY(clear_path(at, err));
    if ((ret->fd = new_socket(AF_UNIX)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket: %m");
    POSTERN_TRY(bind_path(at, ret, err));
    if (listen(ret->fd, BACKLOG) != 0)
        return POSTERN_FAIL(err, SYSTEM, "listen: %m");
    return POSTERN_OK;
}

static postern_err open_unix(const char *path, struct connect_place *ret, postern_error *err)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int folder_fd;
    postern_err e;

    if (path[0] != '/' || strlen(path) >= sizeof at.sun_path)
        return POSTERN_FAIL(err, USAGE,
                            "--listen unix: wants an absolute path of at most %zu bytes",
                            sizeof at.sun_path - 1);
    memcpy(at.sun_path, path, strlen(path) + 1);
    if ((folder_fd = open_folder(path, err)) < 0)
        return POSTERN_ERR_CONFIG_FILE;
    ret->is_unix = true;
    (void)snprintf(ret->text, sizeof ret->text, "unix:%s", path);
    e = claim_path(&at, ret, err);
    (void)close(folder_fd); /* and its lock */
    return e;
}

/* ---- loopback ---- */

static bool read_port(const char *text, in_port_t *ret)
{
    unsigned long port = strtoul(text, NULL, 10);
    size_t len = strlen(text);

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len || port > 65535 ||
        (len > 1 && text[0] == '0'))
        return false;
    *ret = htons((in_port_t)port);
    return true;
}

/* 127.0.0.1 and ::1 alone: no name, whose address somebody else decides. */
static bool read_loopback(const char *where, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    if (strncmp(where, "127.0.0.1:", 10) == 0 && read_port(where + 10, &v4.sin_port)) {
        memcpy(ret, &v4, sizeof v4);
        *ret_len = sizeof v4;
        return true;
    }
    if (strncmp(where, "[::1]:", 6) == 0 && read_port(where + 6, &v6.sin6_port)) {
        memcpy(ret, &v6, sizeof v6);
        *ret_len = sizeof v6;
        return true;
    }
    return false;
}

static in_port_t port_of(const struct sockaddr_storage *at)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, at, sizeof v4);
    memcpy(&v6, at, sizeof v6);
    return ntohs(at->ss_family == AF_INET ? v4.sin_port : v6.sin6_port);
}

static postern_err open_loopback(struct sockaddr_storage *at, socklen_t len,
                                 struct connect_place *ret, postern_error *err)
{
    const int on = 1;

    if ((ret->fd = new_socket(at->ss_family)) < 0)
        return POSTERN_FAIL(err, SYSTEM, "socket: %m");
    /* Old connections may still be there in TIME_WAIT; a second listener is refused all the same.
     */
    if (setsockopt(ret->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(ret->fd, (struct sockaddr *)at, len) != 0 || listen(ret->fd, BACKLOG) != 0 ||
        getsockname(ret->fd, (struct sockaddr *)at, &len) != 0)
        return POSTERN_FAIL(err, SYSTEM, "port %u: %m", (unsigned)port_of(at));
    (void)snprintf(ret->text, sizeof ret->text, "%s:%u",
                   at->ss_family == AF_INET ? "127.0.0.1" : "[::1]", (unsigned)port_of(at));
    return POSTERN_OK;
}

/* ---- both ---- */

postern_err connect_place_open(const char *where, struct connect_place *ret, postern_error *err)
{
    struct sockaddr_storage at = { .ss_family = AF_UNSPEC };
    socklen_t len = 0;

    *ret = (struct connect_place){ .fd = -1 };
    if (strncmp(where, "unix:", 5) == 0)
        return open_unix(where + 5, ret, err);
    if (read_loopback(where, &at, &len))
        return open_loopback(&at, len, ret, err);
    return POSTERN_FAIL(err, USAGE, "--listen takes unix:/PATH, 127.0.0.1:PORT or [::1]:PORT");
}

static void remove_file(const struct connect_place *p)
{
    const char *path = p->text + strlen("unix:");
    int folder_fd = open_folder(path, NULL); /* without its lock somebody may be replacing it */
    struct stat st;

    if (folder_fd < 0)
        return;
    if (lstat(path, &st) == 0 && st.st_dev == p->device && st.st_ino == p->inode)
        (void)unlink(path);
    (void)close(folder_fd);
}

void connect_place_close(struct connect_place *p)
{
    if (p->is_unix && p->inode != 0)
        remove_file(p);
    if (p->fd >= 0)
        (void)close(p->fd);
    *p = (struct connect_place){ .fd = -1 };
}
