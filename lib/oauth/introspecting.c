/* SPDX-License-Identifier: BSD-2-Clause */
/* See introspecting.h. */
#include "introspecting.h"

static struct introspector *introspector_of(const struct introspecting *s)
{
    return s->is_embedded ? s->trust->issuer->embedded : s->trust->issuer->introspector;
}

/* ---- remembered ---- */

static postern_err make_key(struct introspecting *s, postern_error *err)
{
    if (s->has_key)
        return POSTERN_OK;
    s->has_key = postern_cache_key_make(postern_context_answers(s->ctx), s->token, s->trust->issuer,
                                        s->trust->service, &s->key);
    return s->has_key ? POSTERN_OK : POSTERN_FAIL(err, NOMEM, "introspection");
}

static postern_err fail_inactive(const struct introspecting *s, const char *how, postern_error *err)
{
    return POSTERN_FAIL(err, INACTIVE, "%s%s says so", s->trust->issuer->issuer, how);
}

static postern_err recall(struct introspecting *s, postern_error *err)
{
    int64_t now_ms = postern_op_mono_ms(s->op);
    struct cached_token *found;

    POSTERN_TRY(make_key(s, err));
    if (postern_introspector_is_inactive(introspector_of(s), &s->key, now_ms))
        return fail_inactive(s, ", asked within the last seconds,", err);
    found = postern_cache_find(postern_context_answers(s->ctx), &s->key, now_ms);
    if (found == NULL)
        return POSTERN_OK;
    if (s->max_age_ms != 0 && now_ms - postern_cached_proved_ms(found) >= s->max_age_ms) {
        postern_cached_release(found);
        return POSTERN_OK;
    }
    s->cached = found;
    s->claims = postern_cached_claims(found);
    s->told_ms = postern_cached_proved_ms(found);
    postern_trail_note(s->trail, "active, as it said %d s ago",
                       (int)((now_ms - s->told_ms) / 1000));
    return POSTERN_OK;
}

/* ---- asked ---- */

static postern_err begin(struct introspecting *s, struct fetch **ret_wait, postern_error *err)
{
    const struct introspector_question q = {
        .key = &s->key,
        .token = s->token,
        .peer = s->peer,
        .is_look_again = s->is_look_again,
        .words = postern_cache_words(postern_context_answers(s->ctx)),
    };

    return postern_introspector_ask(introspector_of(s), s->op, &q, &s->question, ret_wait, err);
}

/* Whatever it said before is void, also when this is forgotten again. */
static void note_inactive(const struct introspecting *s)
{
    postern_introspector_note_inactive(introspector_of(s), &s->key, postern_op_mono_ms(s->op));
    postern_cache_forget(postern_context_answers(s->ctx), &s->key);
}

static postern_err read_answer(struct introspecting *s, postern_error *err)
{
    const struct introspection_call *call = postern_fetch_job(s->question);

    if (call == NULL)
        return POSTERN_FAIL(err, INTERNAL, "a verdict without its job");
    if (!call->answer.is_active) {
        note_inactive(s);
        return fail_inactive(s, "", err);
    }
    s->claims = &call->answer.claims;
    s->told_ms = call->begun_ms;
    if (s->is_embedded)
        postern_introspector_give_back(introspector_of(s), s->op, s->peer, call);
    postern_trail_note(s->trail, "active");
    return POSTERN_OK;
}

static postern_err wait_for_answer(struct introspecting *s, struct fetch **ret_wait,
                                   postern_error *err)
{
    postern_err e = postern_fetch_step(s->question, err);

    if (e == POSTERN_AGAIN) {
        *ret_wait = postern_fetch_ref(s->question);
        return e;
    }
    postern_introspector_settle(introspector_of(s), s->question, e);
    return e == POSTERN_OK ? read_answer(s, err) : e;
}

static void note_question(const struct introspecting *s)
{
    const char *client_id = postern_introspector_client_id(introspector_of(s));

    postern_trail_enter(s->trail, s->trail_step);
    postern_trail_note(s->trail, "of %s", s->trust->issuer->issuer);
    if (s->is_embedded)
        postern_trail_note(s->trail, "inside posternd");
    if (client_id != NULL)
        postern_trail_note_value(s->trail, "as", postern_bytes_str(client_id));
}

postern_err postern_introspecting_step(struct introspecting *s, struct fetch **ret_wait,
                                       postern_error *err)
{
    if (s->claims != NULL)
        return POSTERN_OK;
    if (!s->has_key)
        note_question(s);
    if (s->question == NULL)
        POSTERN_TRY(recall(s, err));
    if (s->claims != NULL)
        return POSTERN_OK;
    if (s->question == NULL)
        POSTERN_TRY(begin(s, ret_wait, err));
    return wait_for_answer(s, ret_wait, err);
}

int64_t postern_introspecting_told_s(const struct introspecting *s)
{
    return postern_op_now_s(s->op) - (postern_op_mono_ms(s->op) - s->told_ms) / 1000;
}

void postern_introspecting_remember(const struct introspecting *s, int64_t exp_s)
{
    const struct introspection_call *call =
        s->question == NULL ? NULL : postern_fetch_job(s->question);
    struct cache_proof proof = {
        .claims = s->claims,
        .now_ms = s->told_ms,
        .life_s = exp_s - postern_introspecting_told_s(s),
        .keep_ms = s->is_embedded ? 0 : s->trust->issuer->introspection_keep_ms,
    };

    if (call == NULL || proof.keep_ms == 0 ||
        postern_introspector_is_inactive(introspector_of(s), &s->key, postern_op_mono_ms(s->op)))
        return; /* it was asked again meanwhile */
    proof.words = call->words;
    postern_cache_put(postern_context_answers(s->ctx), &s->key, &proof);
}

void postern_introspecting_end(struct introspecting *s)
{
    s->claims = NULL;
    postern_cached_release(POSTERN_STEAL(s->cached));
    postern_fetch_free(POSTERN_STEAL(s->question));
}
