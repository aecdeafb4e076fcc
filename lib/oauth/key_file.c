/* SPDX-License-Identifier: BSD-2-Clause */
/* See key_file.h.  The keyring's lock is held around every call. */
#include "key_file.h"

#include <stdlib.h>

#define NEVER (-1)

struct key_file {
    struct key_source source; /* first; `shown` is the path */
    enum file_trust trust;
    struct stat st;     /* of the file that the keys in force came from */
    bool is_broken;     /* at the last look */
    int64_t looked_ms;  /* NEVER: not yet */
    int64_t hurried_ms; /* when an unknown kid last asked for another look */
};

static postern_err read_keys(const struct key_file *f, postern_jwks **ret, struct stat *ret_st,
                             postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_JWKS_MAX);

    POSTERN_TRY(
        postern_trusted_file_read(f->source.shown, f->source.shown, f->trust, &text, ret_st, err));
    return postern_jwks_parse(postern_buf_bytes(&text), ret, err);
}

/* Out of memory says nothing about the file: it is not broken, and the next login tries again. */
static postern_err reload(struct key_file *f, struct key_news *ret, postern_error *err)
{
    struct stat st;
    postern_err e = read_keys(f, &ret->fresh, &st, &ret->why);

    if (e == POSTERN_ERR_NOMEM) {
        f->looked_ms = NEVER;
        return POSTERN_FAIL(err, NOMEM, "key set");
    }
    f->is_broken = e != POSTERN_OK;
    ret->kind = f->is_broken ? KEY_NEWS_BROKEN : KEY_NEWS_FRESH;
    if (!f->is_broken)
        f->st = st;
    return POSTERN_OK;
}

static bool has_passed(int64_t since_ms, int64_t now_ms, int64_t wait_ms)
{
    return since_ms == NEVER || now_ms - since_ms >= wait_ms;
}

static bool is_due(struct key_file *f, int64_t now_ms, enum keyring_look how, bool has_keys)
{
    bool is_usable = has_keys && !f->is_broken;

    if (how == KEYRING_LOOK_AGAIN && has_passed(f->hurried_ms, now_ms, POSTERN_KEYRING_HURRY_MS)) {
        f->hurried_ms = now_ms;
        return true;
    }
    return has_passed(f->looked_ms, now_ms,
                      is_usable ? POSTERN_KEYRING_RECHECK_MS : POSTERN_KEYRING_HURRY_MS);
}

/* What a pipe held is gone: it is never read twice. */
static bool is_unchanged(const struct key_file *f)
{
    struct stat st;

    return !S_ISREG(f->st.st_mode) ||
           (stat(f->source.shown, &st) == 0 && postern_file_is_same(&st, &f->st));
}

static postern_err look(struct key_source *s, postern_op *op, const struct key_look *how,
                        bool has_keys, struct key_news *ret, struct fetch **ret_wait,
                        postern_error *err)
{
    struct key_file *f = (struct key_file *)s;

    (void)ret_wait;
    if (!is_due(f, postern_op_mono_ms(op), how->how, has_keys))
        return POSTERN_OK;
    f->looked_ms = postern_op_mono_ms(op);
    if (!has_keys || !is_unchanged(f))
        return reload(f, ret, err);
    f->is_broken = false;
    ret->kind = KEY_NEWS_SAME;
    return POSTERN_OK;
}

/* The next login reads it. */
static int64_t get_due_in_ms(struct key_source *s, int64_t now_ms)
{
    (void)s;
    (void)now_ms;
    return -1;
}

static void free_source(struct key_source *s)
{
    free(s);
}

static const struct key_source_class file_class = {
    .field = "file",
    .stale_ms = POSTERN_KEYRING_STALE_MS,
    .look = look,
    .due_in_ms = get_due_in_ms,
    .free = free_source,
};

postern_err postern_key_file_new(const char *path, enum file_trust trust, struct key_source **ret,
                                 postern_error *err)
{
    struct key_file *f = calloc(1, sizeof *f);

    if (f == NULL)
        return POSTERN_FAIL(err, NOMEM, "keyring");
    f->source = (struct key_source){ &file_class, path };
    f->trust = trust;
    f->looked_ms = f->hurried_ms = NEVER;
    *ret = &f->source;
    return POSTERN_OK;
}
