/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of system accounts out of passwd(5), sorted, re-read when the file is replaced.  A line
 * that is not NAME:x:UID:… is passed over as libc does.  Called by identity.c.
 */
#include "accounts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "grant/grant.h"
#include "identity.h"
#include "trusted_file.h"

/* One reading of the file. */
struct account_list {
    postern_arena arena;
    const char **names; /* lower case, sorted */
    size_t count, cap;
};

struct accounts {
    pthread_mutex_t lock;
    const char *path;
    struct stat st; /* of what `list` holds; zeroed: nothing */
    bool is_loaded;
    int64_t next_check_ms;
    struct account_list list;
};

static void free_list(struct account_list *list)
{
    free(list->names);
    postern_arena_free(&list->arena);
    list->names = NULL;
    list->count = list->cap = 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void fold_case(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text | 0x20);
}

static bool grow(struct account_list *list)
{
    size_t cap = list->cap == 0 ? 64 : list->cap * 2;
    const char **more = reallocarray(list->names, cap, sizeof *more);

    if (more == NULL)
        return false;
    list->names = more;
    list->cap = cap;
    return true;
}

static bool add_name(struct account_list *list, postern_bytes name)
{
    char *text;

    if (list->count == list->cap && !grow(list))
        return false;
    text = postern_arena_text(&list->arena, name);
    if (text == NULL)
        return false;
    fold_case(text);
    list->names[list->count++] = text;
    return true;
}

/* Decimal below POSTERN_SYSTEM_UID_END. */
static bool is_system_uid(postern_bytes text)
{
    unsigned uid = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || uid >= POSTERN_SYSTEM_UID_END)
            return false;
        uid = uid * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return uid < POSTERN_SYSTEM_UID_END;
}

/* False only when memory runs out. */
static bool read_line(struct account_list *list, postern_bytes line)
{
    postern_reader r = { line };
    postern_bytes name, password, uid;

    if (!postern_reader_take_until(&r, ':', &name) ||
        !postern_reader_take_until(&r, ':', &password) || !postern_reader_take_until(&r, ':', &uid))
        return true;
    if (name.len == 0 || memchr(name.ptr, '\0', name.len) != NULL || !is_system_uid(uid))
        return true;
    return add_name(list, name);
}

static postern_err parse_list(postern_bytes text, struct account_list *ret, postern_error *err)
{
    struct account_list list = { .arena = POSTERN_ARENA_INIT(POSTERN_PASSWD_MAX * 2) };
    postern_reader r = { text };

    while (!postern_reader_is_done(&r)) {
        postern_bytes line;

        if (!postern_reader_take_until(&r, '\n', &line))
            (void)postern_reader_take_len(&r, r.rest.len,
                                          &line); /* the last line may lack its newline */
        if (!read_line(&list, line)) {
            free_list(&list);
            return POSTERN_FAIL(err, NOMEM, "local accounts");
        }
    }
    if (list.count != 0)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    *ret = list;
    return POSTERN_OK;
}

static postern_err reload(struct accounts *a, postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_PASSWD_MAX);
    struct account_list fresh;
    struct stat st;
    postern_err e =
        postern_trusted_file_read(a->path, a->path, FILE_OF_ROOT_OR_SELF, &text, &st, err);

    if (e != POSTERN_OK)
        return e == POSTERN_ERR_NOMEM ? e : POSTERN_FAIL(err, SYSTEM, "%s cannot be used", a->path);
    POSTERN_TRY(parse_list(postern_buf_bytes(&text), &fresh, err));
    free_list(&a->list);
    a->list = fresh;
    a->st = st;
    a->is_loaded = true;
    return POSTERN_OK;
}

/* At most one stat(2) in POSTERN_ACCOUNTS_RECHECK_MS; what cannot be read is tried again each time.
 */
static postern_err refresh(struct accounts *a, int64_t mono_ms, postern_error *err)
{
    struct stat st;

    if (a->is_loaded && mono_ms < a->next_check_ms)
        return POSTERN_OK;
    a->next_check_ms = mono_ms + POSTERN_ACCOUNTS_RECHECK_MS;
    if (stat(a->path, &st) != 0) {
        if (errno != ENOENT)
            return POSTERN_FAIL(err, SYSTEM, "%s: %m", a->path);
        free_list(&a->list);
        a->st = (struct stat){ 0 };
        a->is_loaded = true;
        return POSTERN_OK;
    }
    if (a->is_loaded && postern_file_is_same(&st, &a->st))
        return POSTERN_OK;
    a->is_loaded = false;
    return reload(a, err);
}

/* A name longer than any identity may be is no account. */
static bool is_listed(const struct account_list *list, postern_bytes name)
{
    char folded[POSTERN_IDENTITY_MAX + 1];
    const char *key = folded;

    if (name.len == 0 || name.len > POSTERN_IDENTITY_MAX || list->count == 0)
        return false;
    memcpy(folded, name.ptr, name.len);
    folded[name.len] = '\0';
    fold_case(folded);
    return bsearch(&key, list->names, list->count, sizeof *list->names, compare_names) != NULL;
}

postern_err postern_accounts_is_system(struct accounts *a, int64_t mono_ms, postern_bytes name,
                                       bool *ret, postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&a->lock);
    e = refresh(a, mono_ms, err);
    if (e == POSTERN_OK)
        *ret = is_listed(&a->list, name);
    pthread_mutex_unlock(&a->lock);
    return e;
}

postern_err postern_accounts_new(const char *path, struct accounts **ret, postern_error *err)
{
    struct accounts *a = calloc(1, sizeof *a);

    if (a == NULL || pthread_mutex_init(&a->lock, NULL) != 0) {
        free(a);
        return POSTERN_FAIL(err, NOMEM, "local accounts");
    }
    a->path = path;
    *ret = a;
    return POSTERN_OK;
}

void postern_accounts_free(struct accounts *a)
{
    if (a == NULL)
        return;
    free_list(&a->list);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}
