/* SPDX-License-Identifier: BSD-2-Clause */
/* See token_cache.h.  An entry is written beside its place and renamed, so a reader sees a whole
 * one or none. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern-private/json.h>
#include <postern-private/sha256.h>
#include <postern/oauthbearer.h>

#include "private_file.h"
#include "token_cache.h"

#define PATH_ROOM      4096  /* bytes: PATH_MAX */
#define ENTRY_MAX      20480 /* bytes: the longest token, scope and names */
#define NAME_ROOM      80    /* bytes: 64 hex digits and an ending */
#define KEY_MAX        8192  /* bytes: what an entry is for */
#define LOCK_WAIT_MS   50    /* between two looks at a lock that is held */
#define STALE_S        86400 /* an entry that nobody renewed for a day is litter */
#define LIFETIME_MAX_S 86400

struct token_cache {
    int folder_fd, lock_fd;
    char name[NAME_ROOM];
};

/* ---- the folder ---- */

/* "$XDG_RUNTIME_DIR", else "$XDG_CACHE_HOME", else "~/.cache" (made when missing); false when there
 * is none. */
static bool find_parent(postern_buf *path)
{
    const char *const names[] = { "XDG_RUNTIME_DIR", "XDG_CACHE_HOME" };
    const char *home = secure_getenv("HOME");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = secure_getenv(names[i]);

        if (value != NULL && value[0] == '/') {
            postern_buf_add_str(path, value);
            return true;
        }
    }
    if (home == NULL || home[0] != '/')
        return false;
    postern_buf_add_str(path, home);
    postern_buf_add_str(path, "/.cache");
    return postern_buf_cstr(path) != NULL &&
           (mkdir(postern_buf_cstr(path), 0700) == 0 || errno == EEXIST);
}

/* Ours and closed to everybody else, or -1. */
static int open_folder(void)
{
    POSTERN_AUTO_BUF path = POSTERN_BUF_INIT(PATH_ROOM);
    struct stat st;
    int fd;

    if (!find_parent(&path))
        return -1;
    postern_buf_add_str(&path, "/postern");
    if (postern_buf_cstr(&path) == NULL ||
        (mkdir(postern_buf_cstr(&path), 0700) != 0 && errno != EEXIST))
        return -1;
    if ((fd = open(postern_buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* ---- the entry's name ---- */

/* Length in front, so that two lists of texts never give the same bytes. */
static void add_key(postern_buf *key, const char *text)
{
    postern_buf_addf(key, "%zu:", text == NULL ? (size_t)0 : strlen(text) + 1);
    postern_buf_add_str(key, text == NULL ? "" : text);
}

/* SHA-256 of all that a token depends on; the secret file counts by identity, so that a new secret
 * never gets an old token. */
static bool name_entry(const struct token_settings *s, char room[NAME_ROOM])
{
    POSTERN_AUTO_BUF key = POSTERN_BUF_INIT(KEY_MAX);
    POSTERN_AUTO_BUF hex = POSTERN_BUF_INIT(NAME_ROOM);
    uint8_t digest[SHA256_LEN];
    struct stat st;

    if (s->secret_file == NULL || stat(s->secret_file, &st) != 0)
        return false;
    add_key(&key, s->issuer);
    add_key(&key, s->client_id);
    add_key(&key, s->resource);
    add_key(&key, s->scope);
    add_key(&key, s->tls_ca_file);
    postern_buf_addf(&key, "%llu %llu %lld %ld %d", (unsigned long long)st.st_dev,
                     (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec,
                     st.st_mtim.tv_nsec, s->allow_loopback_http);
    if (key.failed || !sha256_make(postern_buf_bytes(&key), digest))
        return false;
    postern_hex_encode((postern_bytes){ digest, sizeof digest }, &hex);
    return postern_buf_cstr(&hex) != NULL &&
           snprintf(room, NAME_ROOM, "%s", postern_buf_cstr(&hex)) == 64;
}

/* ---- one run at a time ---- */

/* Without the lock two runs fetch the same: a waste, no harm.  So a stuck holder costs one deadline
 * and no more. */
static void lock_entry(struct token_cache *c)
{
    char name[NAME_ROOM + 8];

    if (snprintf(name, sizeof name, "%s.lock", c->name) >= (int)sizeof name)
        return;
    c->lock_fd = openat(c->folder_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    for (int waited_ms = 0; c->lock_fd >= 0 && waited_ms < POSTERN_OP_DEADLINE_MS;
         waited_ms += LOCK_WAIT_MS) {
        if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            return;
        (void)poll(NULL, 0, LOCK_WAIT_MS);
    }
}

struct token_cache *token_cache_open(const struct token_settings *s)
{
    struct token_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->lock_fd = -1;
    c->folder_fd = open_folder();
    if (c->folder_fd < 0 || !name_entry(s, c->name)) {
        token_cache_close(c);
        return NULL;
    }
    lock_entry(c);
    return c;
}

void token_cache_close(struct token_cache *c)
{
    if (c == NULL)
        return;
    if (c->lock_fd >= 0)
        (void)close(c->lock_fd);
    if (c->folder_fd >= 0)
        (void)close(c->folder_fd);
    free(c);
}

/* ---- reading ---- */

static bool is_private_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 && st.st_size > 0 && st.st_size <= ENTRY_MAX;
}

static bool read_entry(const struct token_cache *c, postern_buf *out)
{
    uint8_t chunk[4096];
    ssize_t n = -1;
    int fd = openat(c->folder_fd, c->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return false;
    if (is_private_file(fd))
        while ((n = read(fd, chunk, sizeof chunk)) > 0)
            postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
    postern_wipe(chunk, sizeof chunk);
    (void)close(fd);
    return n == 0 && !out->failed;
}

/* The token's remaining life; false when it is over, or longer than we ever wrote (the clock was
 * set). */
static bool is_fresh(const postern_json *j, int64_t now_s, int64_t min_left_s, int64_t *ret_left_s)
{
    int64_t expires_s;

    if (!postern_json_integer(j, postern_json_member(j, 0, "expires"), &expires_s))
        return false;
    *ret_left_s = expires_s - now_s; /* both within ±2^53 */
    return *ret_left_s > min_left_s && *ret_left_s <= LIFETIME_MAX_S;
}

bool token_cache_find(const struct token_cache *c, int64_t now_s, int64_t min_left_s,
                      postern_secret **ret_token, postern_token_info *ret_info)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ENTRY_MAX);
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ENTRY_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_token_info info = { 0 };
    postern_bytes scope, token;

    if (!read_entry(c, &text) ||
        postern_json_scan(&j, postern_buf_bytes(&text), NULL) != POSTERN_OK ||
        !is_fresh(&j, now_s, min_left_s, &info.expires_in_s))
        return false;
    if (!postern_json_string(&j, postern_json_member(&j, 0, "scope"), &scratch, &scope) ||
        scope.len >= sizeof info.scope)
        return false;
    if (scope.len != 0)
        memcpy(info.scope, scope.ptr, scope.len);
    if (!postern_json_string(&j, postern_json_member(&j, 0, "token"), &scratch, &token) ||
        !postern_token_is_token68(token))
        return false;
    *ret_info = info;
    return postern_secret_new(token, ret_token, NULL) == POSTERN_OK;
}

/* ---- writing ---- */

static void build_entry(int64_t expires_s, postern_bytes token, const char *scope, postern_buf *out)
{
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    postern_json_put_integer(&w, "expires", expires_s);
    postern_json_put_string(&w, "scope", postern_bytes_str(scope));
    postern_json_put_string(&w, "token", token);
    postern_json_close_object(&w);
}

/* No fsync: after a crash a lost entry is fetched again, and a cut one is not JSON. */
static void replace_entry(const struct token_cache *c, postern_bytes text)
{
    char name[NAME_ROOM + 16];

    if (snprintf(name, sizeof name, "%s.%ld", c->name, (long)getpid()) >= (int)sizeof name)
        return;
    if (!private_file_write(c->folder_fd, name, text, PRIVATE_FILE_WRITTEN) ||
        renameat(c->folder_fd, name, c->folder_fd, c->name) != 0)
        (void)unlinkat(c->folder_fd, name, 0);
}

/* Remove what nobody renewed for a day: entries, locks, and what a killed run left half written. */
static void sweep(const struct token_cache *c, int64_t now_s)
{
    int fd = openat(c->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    struct stat st;

    if (folder == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while ((e = readdir(folder)) != NULL)
        if (strlen(e->d_name) >= 64 &&
            fstatat(c->folder_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtim.tv_sec < now_s - STALE_S)
            (void)unlinkat(c->folder_fd, e->d_name, 0);
    (void)closedir(folder);
}

void token_cache_store(const struct token_cache *c, int64_t now_s, postern_bytes token,
                       const postern_token_info *info)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ENTRY_MAX);

    if (info->expires_in_s <= TOKEN_CACHE_MARGIN_S || info->expires_in_s > LIFETIME_MAX_S)
        return;
    build_entry(now_s + info->expires_in_s, token, info->scope, &text);
    if (!text.failed)
        replace_entry(c, postern_buf_bytes(&text));
    sweep(c, now_s);
}
