/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key sets from files; see the header.  Reading happens under the lock, so that a replaced file is
 * read once and not by every login at the same time.  Called by validate.c.
 */
#include "keyring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER (-1)

struct keyring {
    pthread_mutex_t lock;
    const char *path;
    enum file_trust trust;
    postern_jwks *current; /* NULL: none in force */
    uint64_t generation;   /* of `current` */
    struct stat st;        /* of the file that `current` came from */
    int64_t looked_ms;     /* NEVER: not yet */
    int64_t hurried_ms;    /* when an unknown kid last asked for another look */
    int64_t broken_ms;     /* since when the file cannot be used; NEVER: it can */
    char why[256];         /* why it cannot */
};

postern_err postern_keyring_new(const char *path, enum file_trust trust, struct keyring **ret,
                                postern_error *err)
{
    struct keyring *k = calloc(1, sizeof *k);

    if (k == NULL || pthread_mutex_init(&k->lock, NULL) != 0) {
        free(k);
        return POSTERN_FAIL(err, NOMEM, "keyring");
    }
    k->path = path;
    k->trust = trust;
    k->looked_ms = k->hurried_ms = k->broken_ms = NEVER;
    *ret = k;
    return POSTERN_OK;
}

void postern_keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    postern_jwks_free(k->current);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

static postern_err emit(struct keyring *k, postern_op *op, const char *static_name, const char *why,
                        postern_error *err)
{
    postern_event *event = postern_op_emit(op, static_name);

    if (event == NULL)
        return POSTERN_FAIL(err, NOMEM, "event");
    event->fields[0].name = "file";
    if (snprintf(event->fields[0].text, sizeof event->fields[0].text, "%s", k->path) < 0)
        event->fields[0].text[0] = '\0';
    event->fields[1].name = "keys";
    event->fields[1].number = k->current == NULL ? 0 : (int64_t)postern_jwks_count(k->current);
    event->fields[2].name = why == NULL ? "skipped" : "why";
    event->fields[2].number = k->current == NULL ? 0 : (int64_t)postern_jwks_skipped(k->current);
    if (why != NULL && snprintf(event->fields[2].text, sizeof event->fields[2].text, "%s", why) < 0)
        event->fields[2].text[0] = '\0';
    return POSTERN_OK;
}

static postern_err read_keys(const struct keyring *k, postern_jwks **ret, struct stat *ret_st,
                             postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_JWKS_MAX);

    POSTERN_TRY(postern_trusted_file_read(k->path, k->path, k->trust, &text, ret_st, err));
    return postern_jwks_parse(postern_buf_bytes(&text), ret, err);
}

static postern_err note_broken(struct keyring *k, postern_op *op, const postern_error *why,
                               postern_error *err)
{
    bool is_news = k->broken_ms == NEVER;

    if (snprintf(k->why, sizeof k->why, "%s: %s", postern_err_text(why->code), why->detail) < 0)
        k->why[0] = '\0';
    if (!is_news)
        return POSTERN_OK;
    k->broken_ms = postern_op_mono_ms(op);
    return emit(k, op, "keys.unusable", k->why, err);
}

/* Out of memory says nothing about the file: it is not broken, and the next login tries again. */
static postern_err reload(struct keyring *k, postern_op *op, postern_error *err)
{
    postern_error why = { POSTERN_ERR_UNSET, 0, NULL, "" };
    postern_jwks *fresh = NULL;
    struct stat st;
    postern_err e = read_keys(k, &fresh, &st, &why);

    if (e == POSTERN_ERR_NOMEM) {
        k->looked_ms = NEVER;
        return POSTERN_FAIL(err, NOMEM, "key set");
    }
    if (e != POSTERN_OK)
        return note_broken(k, op, &why, err);
    postern_jwks_free(k->current);
    k->current = fresh;
    k->generation++;
    k->st = st;
    k->broken_ms = NEVER;
    return emit(k, op, "keys.loaded", NULL, err);
}

static bool has_passed(int64_t since_ms, int64_t now_ms, int64_t wait_ms)
{
    return since_ms == NEVER || now_ms - since_ms >= wait_ms;
}

static bool is_due(struct keyring *k, int64_t now_ms, enum keyring_look look)
{
    bool is_usable = k->current != NULL && k->broken_ms == NEVER;

    if (look == KEYRING_LOOK_AGAIN && has_passed(k->hurried_ms, now_ms, POSTERN_KEYRING_HURRY_MS)) {
        k->hurried_ms = now_ms;
        return true;
    }
    return has_passed(k->looked_ms, now_ms,
                      is_usable ? POSTERN_KEYRING_RECHECK_MS : POSTERN_KEYRING_HURRY_MS);
}

/* What a pipe held is gone: it is never read twice. */
static bool is_unchanged(const struct keyring *k)
{
    struct stat st;

    if (k->current == NULL)
        return false;
    return !S_ISREG(k->st.st_mode) ||
           (stat(k->path, &st) == 0 && postern_file_is_same(&st, &k->st));
}

static postern_err look_at_file(struct keyring *k, postern_op *op, postern_error *err)
{
    k->looked_ms = postern_op_mono_ms(op);
    if (!is_unchanged(k))
        return reload(k, op, err);
    k->broken_ms = NEVER;
    return POSTERN_OK;
}

/* Keys whose file has been unusable for too long are withdrawn: fail closed. */
static postern_err drop_stale(struct keyring *k, postern_op *op, postern_error *err)
{
    if (k->current == NULL || k->broken_ms == NEVER ||
        postern_op_mono_ms(op) - k->broken_ms < POSTERN_KEYRING_STALE_MS)
        return POSTERN_OK;
    postern_jwks_free(k->current);
    k->current = NULL;
    k->generation++;
    return emit(k, op, "keys.dropped", k->why, err);
}

static postern_err look_locked(struct keyring *k, postern_op *op, enum keyring_look look,
                               postern_error *err)
{
    if (is_due(k, postern_op_mono_ms(op), look))
        POSTERN_TRY(look_at_file(k, op, err));
    POSTERN_TRY(drop_stale(k, op, err));
    if (k->current == NULL)
        return POSTERN_FAIL(err, KEYS_UNAVAILABLE, "%s", k->why);
    return POSTERN_OK;
}

postern_err postern_keyring_get(struct keyring *k, postern_op *op, enum keyring_look look,
                                postern_jwks **ret, uint64_t *ret_generation, postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&k->lock);
    e = look_locked(k, op, look, err);
    if (e == POSTERN_OK) {
        *ret = postern_jwks_ref(k->current);
        *ret_generation = k->generation;
    }
    pthread_mutex_unlock(&k->lock);
    return e;
}

postern_err postern_keyring_generation(struct keyring *k, postern_op *op, uint64_t *ret_generation,
                                       postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&k->lock);
    e = look_locked(k, op, KEYRING_LOOK_WHEN_DUE, err);
    if (e == POSTERN_OK)
        *ret_generation = k->generation;
    pthread_mutex_unlock(&k->lock);
    return e;
}
