/* SPDX-License-Identifier: BSD-2-Clause */
/* See login_store.h. */
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

#include "login_store.h"
#include "private_file.h"

#define PATH_ROOM    4096  /* bytes: PATH_MAX */
#define ENTRY_MAX    65536 /* bytes: two of the longest tokens, escaped a little, and names */
#define KEY_MAX      8192  /* bytes: what an entry is for */
#define LOCK_POLL_MS 20    /* between two looks at a lock that is held */

struct login_store {
    int folder_fd;
};

struct login_lock {
    int fd;
};

/* ---- the folder ---- */

/* "$XDG_STATE_HOME", else "~/.local/state" (made when missing). */
static postern_err find_parent(postern_buf *path, postern_error *err)
{
    static const char *const parts[] = { "/.local", "/state" };
    const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");

    if (state != NULL && state[0] == '/') {
        postern_buf_add_str(path, state);
        return POSTERN_OK;
    }
    if (home == NULL || home[0] != '/')
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "neither XDG_STATE_HOME nor HOME names a folder for logins");
    postern_buf_add_str(path, home);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        postern_buf_add_str(path, parts[i]);
        if (postern_buf_cstr(path) == NULL)
            return POSTERN_FAIL(err, CONFIG_FILE, "HOME is too long");
        if (mkdir(postern_buf_cstr(path), 0700) != 0 && errno != EEXIST)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", postern_buf_cstr(path));
    }
    return POSTERN_OK;
}

static postern_err make_folder(postern_buf *path, postern_error *err)
{
    static const char *const parts[] = { "/postern", "/logins" };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        postern_buf_add_str(path, parts[i]);
        if (postern_buf_cstr(path) == NULL)
            return POSTERN_FAIL(err, CONFIG_FILE, "the folder's name is too long");
        if (mkdir(postern_buf_cstr(path), 0700) != 0 && errno != EEXIST)
            return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", postern_buf_cstr(path));
    }
    return POSTERN_OK;
}

static postern_err open_folder(const char *path, int *ret_fd, postern_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: %m", path);
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)close(fd);
        return POSTERN_FAIL(err, CONFIG_FILE,
                            "%s: must be yours and closed to everybody else: chmod 700 it", path);
    }
    *ret_fd = fd;
    return POSTERN_OK;
}

postern_err login_store_open(struct login_store **ret, postern_error *err)
{
    POSTERN_AUTO_BUF path = POSTERN_BUF_INIT(PATH_ROOM);
    struct login_store *s;
    int fd = -1;

    POSTERN_TRY(find_parent(&path, err));
    POSTERN_TRY(make_folder(&path, err));
    POSTERN_TRY(open_folder(postern_buf_cstr(&path), &fd, err));
    if ((s = calloc(1, sizeof *s)) == NULL) {
        (void)close(fd);
        return POSTERN_FAIL(err, NOMEM, "the store of logins");
    }
    s->folder_fd = fd;
    *ret = s;
    return POSTERN_OK;
}

void login_store_close(struct login_store *s)
{
    if (s == NULL)
        return;
    (void)close(s->folder_fd);
    free(s);
}

/* ---- names ---- */

/* Length in front, so that two lists of texts never give the same bytes. */
static void add_key(postern_buf *key, const char *text)
{
    postern_bytes b = postern_bytes_str(text);

    postern_buf_addf(key, "%zu:", b.len);
    postern_buf_add(key, b);
}

postern_err login_store_name(const struct login_key *key, char ret_name[LOGIN_NAME_ROOM],
                             postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(KEY_MAX);
    POSTERN_AUTO_BUF hex = POSTERN_BUF_INIT(LOGIN_NAME_ROOM);
    uint8_t digest[SHA256_LEN];

    add_key(&text, key->issuer);
    add_key(&text, key->client_id);
    add_key(&text, key->resource);
    add_key(&text, key->person);
    if (text.failed || !sha256_make(postern_buf_bytes(&text), digest))
        return POSTERN_FAIL(err, NOMEM, "a login's name");
    postern_hex_encode((postern_bytes){ digest, sizeof digest }, &hex);
    if (postern_buf_cstr(&hex) == NULL || hex.len != LOGIN_NAME_ROOM - 1)
        return POSTERN_FAIL(err, NOMEM, "a login's name");
    memcpy(ret_name, hex.ptr, LOGIN_NAME_ROOM);
    return POSTERN_OK;
}

static bool is_entry_name(const char *name)
{
    return strlen(name) == LOGIN_NAME_ROOM - 1 &&
           strspn(name, "0123456789abcdef") == LOGIN_NAME_ROOM - 1;
}

/* ---- one process at a time ---- */

/* True when the file that `fd` is open on still has the name: whoever removed an entry removed its
 * lock too. */
static bool is_still_there(const struct login_store *s, const char *name, int fd)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 &&
           fstatat(s->folder_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* -1 with errno EWOULDBLOCK: somebody has it. */
static int try_lock(const struct login_store *s, const char *name)
{
    int fd = openat(s->folder_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int why;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(s, name, fd))
        return fd;
    why = errno == 0 || errno == ENOENT ? EWOULDBLOCK : errno;
    (void)close(fd);
    errno = why;
    return -1;
}

postern_err login_store_lock(const struct login_store *s, const char *name, struct login_lock **ret,
                             postern_error *err)
{
    char file[LOGIN_NAME_ROOM + 8];
    struct login_lock *l;
    int fd = -1;

    (void)snprintf(file, sizeof file, "%s.lock", name);
    for (int waited_ms = 0; waited_ms <= LOGIN_LOCK_WAIT_MS; waited_ms += LOCK_POLL_MS) {
        errno = 0;
        if ((fd = try_lock(s, file)) >= 0 || errno != EWOULDBLOCK)
            break;
        (void)poll(NULL, 0, LOCK_POLL_MS);
    }
    if (fd < 0 && errno == EWOULDBLOCK)
        return POSTERN_FAIL(err, BUSY, "another postern uses this login for more than %d s",
                            LOGIN_LOCK_WAIT_MS / 1000);
    if (fd < 0)
        return POSTERN_FAIL(err, SYSTEM, "locking a login: %m");
    if ((l = calloc(1, sizeof *l)) == NULL) {
        (void)close(fd);
        return POSTERN_FAIL(err, NOMEM, "a lock");
    }
    l->fd = fd;
    *ret = l;
    return POSTERN_OK;
}

void login_store_unlock(struct login_lock *l)
{
    if (l == NULL)
        return;
    (void)close(l->fd);
    free(l);
}

/* ---- reading ---- */

void login_entry_free(struct login_entry *e)
{
    postern_secret_free(e->access_token);
    postern_secret_free(e->refresh_token);
    *e = (struct login_entry){ 0 };
}

static bool is_private_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 && st.st_size > 0 && st.st_size <= ENTRY_MAX;
}

static postern_err read_file(const struct login_store *s, const char *name, postern_buf *out,
                             postern_error *err)
{
    uint8_t chunk[4096];
    ssize_t n = -1;
    int fd = openat(s->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return POSTERN_FAIL(err, LOGIN_NEEDED, "no such login is stored");
    if (fd < 0)
        return POSTERN_FAIL(err, CONFIG_FILE, "a stored login: %m");
    if (is_private_file(fd))
        while ((n = read(fd, chunk, sizeof chunk)) > 0)
            postern_buf_add(out, (postern_bytes){ chunk, (size_t)n });
    postern_wipe(chunk, sizeof chunk);
    (void)close(fd);
    return n == 0 && !out->failed
               ? POSTERN_OK
               : POSTERN_FAIL(err, CONFIG_FILE, "a stored login is not readable or not private");
}

/* "" when absent; false: of another type, or too long. */
static bool read_text(const postern_json *j, const char *name, char *room, size_t size)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ENTRY_MAX);
    uint32_t node = postern_json_member(j, 0, name);
    postern_bytes text;

    room[0] = '\0';
    if (node == POSTERN_JSON_ABSENT)
        return true;
    if (!postern_json_string(j, node, &scratch, &text) || text.len >= size)
        return false;
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return true;
}

static postern_err read_token(const postern_json *j, const char *name, postern_secret **ret,
                              postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(ENTRY_MAX);
    uint32_t node = postern_json_member(j, 0, name);
    postern_bytes text;

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    if (!postern_json_string(j, node, &scratch, &text) || text.len == 0 ||
        text.len > POSTERN_TOKEN_MAX)
        return POSTERN_FAIL(err, CONFIG_FILE, "a stored login holds no token where one should be");
    return postern_secret_new(text, ret, err);
}

static postern_err parse_entry(postern_bytes text, struct login_entry *e, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    uint32_t expires;

    if (postern_json_scan(&j, text, NULL) != POSTERN_OK ||
        !read_text(&j, "issuer", e->issuer, sizeof e->issuer) ||
        !read_text(&j, "client_id", e->client_id, sizeof e->client_id) ||
        !read_text(&j, "resource", e->resource, sizeof e->resource) ||
        !read_text(&j, "person", e->person, sizeof e->person) ||
        !read_text(&j, "subject", e->subject, sizeof e->subject) ||
        !read_text(&j, "scope", e->scope, sizeof e->scope) || e->issuer[0] == '\0')
        return POSTERN_FAIL(err, CONFIG_FILE, "a stored login is damaged");
    expires = postern_json_member(&j, 0, "expires");
    if (expires != POSTERN_JSON_ABSENT && !postern_json_integer(&j, expires, &e->expires_s))
        return POSTERN_FAIL(err, CONFIG_FILE, "a stored login is damaged");
    e->is_refreshing = postern_json_type_of(&j, postern_json_member(&j, 0, "refreshing")) ==
                       POSTERN_JSON_TRUE;
    POSTERN_TRY(read_token(&j, "access_token", &e->access_token, err));
    return read_token(&j, "refresh_token", &e->refresh_token, err);
}

postern_err login_store_read(const struct login_store *s, const char *name, struct login_entry *ret,
                             postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ENTRY_MAX);

    *ret = (struct login_entry){ 0 };
    POSTERN_TRY(read_file(s, name, &text, err));
    return parse_entry(postern_buf_bytes(&text), ret, err);
}

/* ---- looking for one ---- */

static bool fits_text(const char *want, const char *is)
{
    return want == NULL || strcmp(want, is) == 0;
}

static bool fits(const struct login_key *key, const struct login_entry *e)
{
    return fits_text(key->issuer, e->issuer) && fits_text(key->client_id, e->client_id) &&
           fits_text(key->resource, e->resource) && fits_text(key->person, e->person);
}

/* False: stop. */
static bool visit_file(const struct login_store *s, const char *name, const struct login_key *key,
                       bool (*visit)(void *arg, const char *name, const struct login_entry *e),
                       void *arg)
{
    __attribute__((cleanup(login_entry_auto))) struct login_entry e = { 0 };

    if (!is_entry_name(name) || login_store_read(s, name, &e, NULL) != POSTERN_OK || !fits(key, &e))
        return true;
    return visit(arg, name, &e);
}

postern_err login_store_walk(const struct login_store *s, const struct login_key *key,
                             bool (*visit)(void *arg, const char *name,
                                           const struct login_entry *e),
                             void *arg, postern_error *err)
{
    int fd = openat(s->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *d;

    if (folder == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return POSTERN_FAIL(err, SYSTEM, "reading the folder of logins: %m");
    }
    while ((d = readdir(folder)) != NULL)
        if (!visit_file(s, d->d_name, key, visit, arg))
            break;
    (void)closedir(folder);
    return POSTERN_OK;
}

struct search {
    size_t count;
    char *name;
};

static bool count_entry(void *arg, const char *name, const struct login_entry *e)
{
    struct search *found = arg;

    (void)e;
    memcpy(found->name, name, LOGIN_NAME_ROOM);
    return ++found->count < 2;
}

postern_err login_store_find(const struct login_store *s, const struct login_key *key,
                             char ret_name[LOGIN_NAME_ROOM], postern_error *err)
{
    struct search found = { 0, ret_name };

    POSTERN_TRY(login_store_walk(s, key, count_entry, &found, err));
    if (found.count == 0)
        return POSTERN_FAIL(err, LOGIN_NEEDED, "nobody has authorized %s at %s%s%s%s%s",
                            key->client_id, key->issuer, key->resource == NULL ? "" : " for ",
                            key->resource == NULL ? "" : key->resource,
                            key->person == NULL ? "" : " as ",
                            key->person == NULL ? "" : key->person);
    if (found.count > 1)
        return POSTERN_FAIL(err, USAGE, "several stored logins fit: say which with --person%s",
                            key->resource == NULL ? " or --login-resource" : "");
    return POSTERN_OK;
}

/* ---- writing ---- */

static void put_token(postern_json_writer *w, const char *name, const postern_secret *token)
{
    if (token != NULL)
        postern_json_put_string(w, name, postern_secret_bytes(token));
}

static void build_entry(const struct login_entry *e, postern_buf *out)
{
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "issuer", e->issuer);
    postern_json_put_str(&w, "client_id", e->client_id);
    postern_json_put_str(&w, "resource", e->resource);
    postern_json_put_str(&w, "person", e->person);
    postern_json_put_str(&w, "subject", e->subject);
    postern_json_put_str(&w, "scope", e->scope);
    postern_json_put_integer(&w, "expires", e->expires_s);
    if (e->is_refreshing)
        postern_json_put_flag(&w, "refreshing", true);
    put_token(&w, "access_token", e->access_token);
    put_token(&w, "refresh_token", e->refresh_token);
    postern_json_close_object(&w);
}

postern_err login_store_write(const struct login_store *s, const char *name,
                              const struct login_entry *e, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(ENTRY_MAX);
    char fresh[LOGIN_NAME_ROOM + 8];

    (void)snprintf(fresh, sizeof fresh, "%s.new", name);
    build_entry(e, &text);
    if (text.failed)
        return POSTERN_FAIL(err, NOMEM, "a login of more than %d bytes, or no memory", ENTRY_MAX);
    (void)unlinkat(s->folder_fd, fresh, 0); /* of a run that was killed; under the entry's lock */
    if (private_file_write(s->folder_fd, fresh, postern_buf_bytes(&text), PRIVATE_FILE_SYNCED) &&
        renameat(s->folder_fd, fresh, s->folder_fd, name) == 0 && fsync(s->folder_fd) == 0)
        return POSTERN_OK;
    (void)POSTERN_FAIL(err, SYSTEM, "storing a login: %m");
    (void)unlinkat(s->folder_fd, fresh, 0);
    return POSTERN_ERR_SYSTEM;
}

postern_err login_store_remove(const struct login_store *s, const char *name, postern_error *err)
{
    char lock[LOGIN_NAME_ROOM + 8];

    if (unlinkat(s->folder_fd, name, 0) != 0 && errno != ENOENT)
        return POSTERN_FAIL(err, SYSTEM, "removing a login: %m");
    (void)snprintf(lock, sizeof lock, "%s.lock", name);
    (void)unlinkat(s->folder_fd, lock, 0); /* whoever waits for it looks whether it is still there */
    if (fsync(s->folder_fd) != 0)
        return POSTERN_FAIL(err, SYSTEM, "removing a login: %m");
    return POSTERN_OK;
}
