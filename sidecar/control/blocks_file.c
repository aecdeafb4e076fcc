/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors and watching; see blocks_file.h.  A file that is being written in place must not be
 * read half: inotify tells when its writer closed it, and the look each second takes a change only
 * when it saw the same twice.
 */
#include "blocks_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define FILE_MODE 0600

/* What says that a file is another one, or the same with another content. */
struct stamp {
    bool is_there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct blocks_file {
    int folder_fd;
    const char *name;
    struct blocks_file_owner owner;
    struct block_list *list;
    struct stamp seen;  /* of what was read, or could not be read */
    struct stamp noted; /* by the last look, when it was another than `seen` */
    bool has_noted;
    char trouble[sizeof(((postern_error *)NULL)->detail) + 128];
    int inotify_fd; /* -1: none */
    struct event *on_inotify, *on_poll;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* what was written is on disk before this */
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

/* ---- stamps ---- */

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    if (!a->is_there || !b->is_there)
        return a->is_there == b->is_there;
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){ true, st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

static struct stamp look(const struct blocks_file *f)
{
    struct stat st;

    return fstatat(f->folder_fd, f->name, &st, 0) == 0 ? stamp_of(&st) : (struct stamp){ 0 };
}

/* ---- reading ---- */

static postern_err read_all(int fd, postern_buf *out, postern_error *err)
{
    uint8_t chunk[16384];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return POSTERN_FAIL(err, SYSTEM, "reading: %m");
        postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
        if (out->failed) /* check_file() has seen a size that fits */
            return POSTERN_FAIL(err, NOMEM, "reading the file of blocks");
    }
    return POSTERN_OK;
}

/* Whoever may write it decides who is blocked. */
static postern_err check_file(const struct stat *st, postern_error *err)
{
    if (!S_ISREG(st->st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE, "it is no regular file");
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return POSTERN_FAIL(err, CONFIG_FILE, "it belongs to uid %ju: root or uid %ju must own it",
                            (uintmax_t)st->st_uid, (uintmax_t)geteuid());
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "others than its owner may write it (mode %03o)",
                            (unsigned)(st->st_mode & 0777));
    if (st->st_size > BLOCKS_TEXT_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "it is longer than %d bytes", BLOCKS_TEXT_MAX);
    return POSTERN_OK;
}

/* *ret_stamp is set in any case; no file is no failure. */
static postern_err read_file(const struct blocks_file *f, postern_buf *out, struct stamp *ret_stamp,
                             postern_error *err)
{
    AUTO_FD fd = openat(f->folder_fd, f->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    *ret_stamp = (struct stamp){ 0 };
    if (fd < 0 && errno == ENOENT)
        return POSTERN_OK;
    if (fd < 0 || fstat(fd, &st) != 0) {
        postern_err e = POSTERN_FAIL(err, SYSTEM, "opening: %m");
        *ret_stamp = look(f);
        return e;
    }
    *ret_stamp = stamp_of(&st);
    POSTERN_TRY(check_file(&st, err));
    return read_all(fd, out, err);
}

static void take_list(struct blocks_file *f, struct block_list *take)
{
    block_list_release(f->list);
    f->list = take;
    f->trouble[0] = '\0';
}

/* The list of before stays; so does an empty one, which only the start can have. */
static void keep_list(struct blocks_file *f, const char *why)
{
    (void)snprintf(f->trouble, sizeof f->trouble, "%s: %s", f->name, why); /* a cut is fine */
    log_problem("file of blocks: %s; the %zu blocks of before stay in force", f->trouble,
                f->list->count);
}

static postern_err load(struct blocks_file *f, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX + 1);
    struct block_list *list = NULL;

    f->has_noted = false;
    POSTERN_TRY(read_file(f, &text, &f->seen, err));
    if (!f->seen.is_there && f->list != NULL && f->list->count != 0)
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "it is gone; to lift all blocks leave an empty file there");
    POSTERN_TRY(block_list_parse(postern_buf_bytes(&text), &list, err));
    take_list(f, list);
    return POSTERN_OK;
}

static void reload(struct blocks_file *f)
{
    postern_error err = { 0 };

    if (load(f, &err) == POSTERN_OK)
        log_note("file of blocks: %zu blocks", f->list->count);
    else
        keep_list(f, err.detail);
    f->owner.changed(f->owner.arg);
}

/* ---- watching ---- */

void blocks_file_poll(struct blocks_file *f)
{
    struct stamp now = look(f);
    bool is_settled = f->has_noted && is_same(&now, &f->noted);

    f->noted = now;
    f->has_noted = !is_same(&now, &f->seen);
    if (f->has_noted && is_settled)
        reload(f);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a timer */
    (void)what; /* likewise */
    blocks_file_poll(arg);
}

/* Our file, or the links by which a ConfigMap is exchanged ("..data"). */
static bool is_ours(const struct blocks_file *f, const struct inotify_event *e)
{
    if ((e->mask & IN_Q_OVERFLOW) != 0)
        return true;
    return e->len != 0 && (strcmp(e->name, f->name) == 0 || strncmp(e->name, "..", 2) == 0);
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
    struct blocks_file *f = arg;
    union {
        struct inotify_event first;
        char room[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    } events;
    bool is_due = false;
    ssize_t n;

    (void)what; /* only EV_READ is asked for */
    while ((n = read(fd, &events, sizeof events)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(events.room + at);

            is_due |= is_ours(f, e);
            at += (ssize_t)(sizeof *e + e->len);
        }
    if (is_due) {
        struct stamp now = look(f);

        if (!is_same(&now, &f->seen))
            reload(f);
    }
}

/* Without it a change is seen two looks later: no reason not to start. */
static void start_inotify(struct blocks_file *f, struct event_base *base)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", f->folder_fd); /* fits */
    f->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (f->inotify_fd >= 0 &&
        inotify_add_watch(f->inotify_fd, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) >= 0)
        f->on_inotify = event_new(base, f->inotify_fd, EV_READ | EV_PERSIST, on_inotify, f);
    if (f->on_inotify == NULL || event_add(f->on_inotify, NULL) != 0)
        log_note("file of blocks: no inotify (%m); a change is seen after two seconds");
}

static postern_err start_poll(struct blocks_file *f, struct event_base *base, postern_error *err)
{
    static const struct timeval interval = { BLOCKS_POLL_MS / 1000,
                                             (BLOCKS_POLL_MS % 1000) * 1000 };

    f->on_poll = event_new(base, -1, EV_PERSIST, on_poll, f);
    if (f->on_poll == NULL || event_add(f->on_poll, &interval) != 0)
        return POSTERN_FAIL(err, NOMEM, "watching the file of blocks");
    return POSTERN_OK;
}

/* ---- writing ---- */

static postern_err fail_write(const struct blocks_file *f, const char *what, postern_error *err)
{
    if (errno == EROFS || errno == EACCES || errno == EPERM)
        return POSTERN_FAIL(err, SYSTEM,
                            "%s: %m; this file is read-only for posternd: change it where it comes "
                            "from (a ConfigMap, a copy), it is watched",
                            f->name);
    return POSTERN_FAIL(err, SYSTEM, "%s: %s: %m", f->name, what);
}

/* The temporary file, ours alone until it is renamed or closed. */
static postern_err open_temp(const struct blocks_file *f, int *ret_fd, postern_error *err)
{
    AUTO_FD fd = openat(f->folder_fd, BLOCKS_TEMP_NAME,
                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
    struct stat mine, there;

    if (fd < 0)
        return fail_write(f, "making a new one", err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &mine) != 0 ||
        fstatat(f->folder_fd, BLOCKS_TEMP_NAME, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        mine.st_ino != there.st_ino)
        return POSTERN_FAIL(err, BUSY,
                            "%s: another process of posternd writes it at this moment; try again",
                            f->name);
    if (ftruncate(fd, 0) != 0)
        return fail_write(f, "making a new one", err);
    *ret_fd = fd;
    fd = -1;
    return POSTERN_OK;
}

static postern_err write_all(const struct blocks_file *f, int fd, postern_bytes text,
                             postern_error *err)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_write(f, "writing", err);
        text = (postern_bytes){ text.ptr + n, text.len - (size_t)n };
    }
    return fsync(fd) == 0 ? POSTERN_OK : fail_write(f, "writing", err);
}

/* A link would be replaced by a file that nobody shares. */
static postern_err check_target(const struct blocks_file *f, postern_error *err)
{
    struct stat st;

    if (fstatat(f->folder_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s is a symbolic link (a ConfigMap?): change what it points to, it is "
                            "watched",
                            f->name);
    return POSTERN_OK;
}

/* What stands in the file now, which may be newer than what was read last. */
static postern_err read_current(const struct blocks_file *f, postern_buf *out, postern_error *err)
{
    struct stamp stamp;

    POSTERN_TRY(read_file(f, out, &stamp, err));
    if (!stamp.is_there)
        block_list_write(f->list, out);
    if (out->failed)
        return POSTERN_FAIL(err, NOMEM, "the file of blocks");
    return POSTERN_OK;
}

/* *ret_list: what the file says now, ret_stamp: how it is known again. */
static postern_err replace(const struct blocks_file *f, const struct block_change *c,
                           struct block_list **ret_list, struct stamp *ret_stamp,
                           postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX + 1);
    POSTERN_AUTO_BUF changed = POSTERN_BUF_INIT(BLOCKS_TEXT_MAX);
    AUTO_FD fd = -1;
    struct stat st;

    POSTERN_TRY(check_target(f, err));
    POSTERN_TRY(open_temp(f, &fd, err)); /* from here on nobody else of ours changes it */
    POSTERN_TRY(read_current(f, &text, err));
    POSTERN_TRY(blocks_text_change(postern_buf_bytes(&text), c, &changed, err));
    POSTERN_TRY(block_list_parse(postern_buf_bytes(&changed), ret_list, err));
    POSTERN_TRY(write_all(f, fd, postern_buf_bytes(&changed), err));
    if (renameat(f->folder_fd, BLOCKS_TEMP_NAME, f->folder_fd, f->name) != 0)
        return fail_write(f, "renaming", err);
    if (fsync(f->folder_fd) != 0)
        log_problem("file of blocks: %s: the folder could not be synced: %m", f->name);
    *ret_stamp = fstat(fd, &st) == 0 ? stamp_of(&st) : (struct stamp){ 0 };
    return POSTERN_OK;
}

postern_err blocks_file_change(struct blocks_file *f, const struct block_change *c,
                               postern_error *err)
{
    struct block_list *list = NULL;
    struct stamp stamp;
    postern_err e = replace(f, c, &list, &stamp, err);

    if (e != POSTERN_OK) {
        block_list_release(list);
        return e;
    }
    f->seen = stamp;
    f->has_noted = false;
    take_list(f, list);
    f->owner.changed(f->owner.arg);
    return POSTERN_OK;
}

/* ---- life ---- */

struct block_list *blocks_file_list(const struct blocks_file *f)
{
    return f->list;
}

const char *blocks_file_trouble(const struct blocks_file *f)
{
    return f->trouble;
}

postern_err blocks_file_new(struct event_base *base, int folder_fd, const char *name,
                            struct blocks_file_owner owner, struct blocks_file **ret,
                            postern_error *err)
{
    struct blocks_file *f = calloc(1, sizeof *f);
    postern_err e;

    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "the file of blocks");
    *f = (struct blocks_file){ folder_fd, name, owner, .inotify_fd = -1 };
    start_inotify(f, base); /* before the first look: no change falls between */
    e = load(f, err);
    if (e == POSTERN_OK)
        e = start_poll(f, base, err);
    if (e != POSTERN_OK) {
        blocks_file_free(f);
        return e;
    }
    *ret = f;
    return POSTERN_OK;
}

void blocks_file_free(struct blocks_file *f)
{
    if (f == NULL)
        return;
    if (f->on_inotify != NULL)
        event_free(f->on_inotify);
    if (f->on_poll != NULL)
        event_free(f->on_poll);
    close_fd(&f->inotify_fd);
    block_list_release(f->list);
    free(f);
}
