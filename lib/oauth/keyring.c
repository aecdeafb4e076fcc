/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See the header.  Looking happens under the lock, so that a replaced file is read once, and a
 * fetch begun once, and not by every login at the same time.  Called by validate.c and upkeep.c.
 */
#include "keyring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER (-1)

struct keyring {
    pthread_mutex_t lock;
    struct key_source *source;
    postern_jwks *current; /* NULL: none in force */
    uint64_t generation;   /* of `current` */
    int64_t good_ms;       /* when the source was last good */
    int64_t broken_ms;     /* since when the source cannot be used; NEVER: it can */
    int64_t told_ms;       /* the last keys.unusable */
    char why[320];         /* why it cannot */
};

postern_err postern_keyring_new(struct key_source *take_source, struct keyring **ret,
                                postern_error *err)
{
    struct keyring *k = calloc(1, sizeof *k);

    if (k == NULL || pthread_mutex_init(&k->lock, NULL) != 0) {
        free(k);
        take_source->class->free(take_source);
        return POSTERN_FAIL(err, NOMEM, "keyring");
    }
    k->source = take_source;
    k->broken_ms = NEVER;
    *ret = k;
    return POSTERN_OK;
}

void postern_keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    postern_jwks_free(k->current);
    k->source->class->free(k->source);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

static void put(postern_event_field *field, const char *name, const char *text)
{
    field->name = name;
    if (snprintf(field->text, sizeof field->text, "%s", text) < 0)
        field->text[0] = '\0';
}

static postern_err emit(struct keyring *k, postern_op *op, const char *static_name, const char *why,
                        postern_error *err)
{
    postern_event *event = postern_op_emit(op, static_name);

    if (event == NULL)
        return POSTERN_FAIL(err, NOMEM, "event");
    put(&event->fields[0], k->source->class->field, k->source->shown);
    event->fields[1].name = "keys";
    event->fields[1].number = k->current == NULL ? 0 : (int64_t)postern_jwks_count(k->current);
    if (why != NULL) {
        put(&event->fields[2], "why", why);
        return POSTERN_OK;
    }
    event->fields[2].name = "skipped";
    event->fields[2].number = k->current == NULL ? 0 : (int64_t)postern_jwks_skipped(k->current);
    return POSTERN_OK;
}

/* ---- what a look brought ---- */

static postern_err note_fresh(struct keyring *k, postern_op *op, postern_jwks *take_fresh,
                              postern_error *err)
{
    postern_jwks_free(k->current);
    k->current = take_fresh;
    k->generation++;
    k->broken_ms = NEVER;
    k->good_ms = postern_op_mono_ms(op);
    return emit(k, op, "keys.loaded", NULL, err);
}

/* Out of a failure, and nothing changed: that is worth a line too, or the last one stands. */
static postern_err note_same(struct keyring *k, postern_op *op, postern_error *err)
{
    bool is_news = k->broken_ms != NEVER;

    k->broken_ms = NEVER;
    k->good_ms = postern_op_mono_ms(op);
    return is_news && k->current != NULL ? emit(k, op, "keys.loaded", NULL, err) : POSTERN_OK;
}

static postern_err note_broken(struct keyring *k, postern_op *op, const postern_error *why,
                               postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(op);
    bool is_news = k->broken_ms == NEVER || now_ms - k->told_ms >= POSTERN_KEYRING_REMIND_MS;

    if (snprintf(k->why, sizeof k->why, "%s: %s", postern_err_text(why->code), why->detail) < 0)
        k->why[0] = '\0';
    if (k->broken_ms == NEVER)
        k->broken_ms = now_ms;
    if (!is_news)
        return POSTERN_OK;
    k->told_ms = now_ms;
    return emit(k, op, "keys.unusable", k->why, err);
}

static postern_err take_news(struct keyring *k, postern_op *op, const struct key_news *news,
                             postern_error *err)
{
    switch (news->kind) {
    case KEY_NEWS_FRESH:
        return note_fresh(k, op, news->fresh, err);
    case KEY_NEWS_SAME:
        return note_same(k, op, err);
    case KEY_NEWS_BROKEN:
        return note_broken(k, op, &news->why, err);
    case KEY_NEWS_NONE:
        break;
    }
    return POSTERN_OK;
}

/* Keys whose source has been unusable for too long are withdrawn: fail closed. */
static postern_err drop_stale(struct keyring *k, postern_op *op, postern_error *err)
{
    int64_t since_ms = k->source->class->is_stale_from_good ? k->good_ms : k->broken_ms;

    if (k->current == NULL || k->broken_ms == NEVER ||
        postern_op_mono_ms(op) - since_ms < k->source->class->stale_ms)
        return POSTERN_OK;
    postern_jwks_free(k->current);
    k->current = NULL;
    k->generation++;
    return emit(k, op, "keys.dropped", k->why, err);
}

static postern_err look_locked(struct keyring *k, postern_op *op, const struct key_look *look,
                               struct fetch **ret_wait, postern_error *err)
{
    struct key_news news = { 0 };

    POSTERN_TRY(
        k->source->class->look(k->source, op, look, k->current != NULL, &news, ret_wait, err));
    POSTERN_TRY(take_news(k, op, &news, err));
    POSTERN_TRY(drop_stale(k, op, err));
    if (k->current == NULL)
        return POSTERN_FAIL(err, KEYS_UNAVAILABLE, "%s", k->why);
    return POSTERN_OK;
}

/* ---- who asks ---- */

postern_err postern_keyring_get(struct keyring *k, postern_op *op, const struct key_look *look,
                                postern_jwks **ret, uint64_t *ret_generation,
                                struct fetch **ret_wait, postern_error *err)
{
    postern_err e;

    pthread_mutex_lock(&k->lock);
    e = look_locked(k, op, look, ret_wait, err);
    if (e == POSTERN_OK) {
        *ret = postern_jwks_ref(k->current);
        *ret_generation = k->generation;
    }
    pthread_mutex_unlock(&k->lock);
    return e;
}

postern_err postern_keyring_generation(struct keyring *k, postern_op *op, uint64_t *ret_generation,
                                       struct fetch **ret_wait, postern_error *err)
{
    const struct key_look look = { .how = KEYRING_LOOK_WHEN_DUE };
    postern_err e;

    pthread_mutex_lock(&k->lock);
    e = look_locked(k, op, &look, ret_wait, err);
    if (e == POSTERN_OK)
        *ret_generation = k->generation;
    pthread_mutex_unlock(&k->lock);
    return e;
}

int64_t postern_keyring_due_in_ms(struct keyring *k, int64_t now_ms)
{
    int64_t due_ms;

    pthread_mutex_lock(&k->lock);
    due_ms = k->source->class->due_in_ms(k->source, now_ms);
    pthread_mutex_unlock(&k->lock);
    return due_ms;
}
