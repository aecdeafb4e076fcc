/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs of the administration socket about invitations and signing keys; see admin_verbs.h and
 * postern-issuer(7).  Called by admin.c's table. */
#include "admin_verbs.h"

#include <postern-private/json.h>

#include "log.h"
#include "registrations.h"

/* ---- invitations ---- */

void admin_client_invite(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };
    POSTERN_AUTO(secret) text = NULL;
    struct clients_refusal refusal = { 0 };
    postern_error err = { 0 };
    int64_t expires_s = 0;
    clients_outcome o;

    if (!admin_reserve(&ret->text))
        return; /* admin_answer() sees that it failed */
    o = registrations_invite(is, rq->uses, rq->for_s, &text, &expires_s, &refusal, &err);
    if (o != CLIENTS_DONE) {
        admin_settle(ret, o, &refusal, &err);
        return;
    }
    log_note("an invitation to register was made");
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_string(&w, "initial_access_token", postern_secret_bytes(text));
    postern_json_put_integer(&w, "expires", expires_s);
    postern_json_close_object(&w);
}

/* ---- keys ---- */

static const char *key_state(const struct issuer *is, const struct key_row *row)
{
    if (strcmp(row->kid, postern_signing_key_kid(key_ring_signer(is->keys))) == 0)
        return "signs";
    return row == key_ring_next(is->keys) ? "announced" : "kept";
}

static void write_key(postern_json_writer *w, const struct issuer *is, const struct key_row *row)
{
    const char *state = key_state(is, row);

    postern_json_open_object(w, NULL);
    postern_json_put_str(w, "kid", row->kid);
    postern_json_put_str(w, "state", state);
    postern_json_put_integer(w, "made", row->made_s);
    if (row->published_s != 0)
        postern_json_put_integer(w, "published", row->published_s);
    if (row->started_s != 0)
        postern_json_put_integer(w, "started", row->started_s);
    if (strcmp(state, "announced") == 0 && row->published_s != 0)
        postern_json_put_integer(w, "signs_from",
                                 row->published_s + is->settings->key_announcement_s);
    if (row->retired_s != 0) {
        postern_json_put_integer(w, "retired", row->retired_s);
        postern_json_put_integer(w, "kept_until", row->retired_s + KEY_KEEP_S);
    }
    postern_json_close_object(w);
}

static bool has_keys(const struct issuer *is, struct admin_reply *ret)
{
    if (is->keys == NULL)
        admin_refuse(ret, "failed", "The issuer has no key ring.");
    return is->keys != NULL;
}

void admin_keys_list(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };
    const struct key_row *rows;
    size_t count = 0;

    (void)rq; /* has nothing to say */
    if (!has_keys(is, ret))
        return;
    rows = key_ring_rows(is->keys, &count);
    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_open_array(&w, "keys");
    for (size_t i = 0; i < count; i++)
        write_key(&w, is, &rows[i]);
    postern_json_close_array(&w);
    postern_json_close_object(&w);
}

static void write_rotation(const struct issuer *is, bool was_announced, struct admin_reply *ret)
{
    postern_json_writer w = { &ret->text, false };
    const struct key_row *next = key_ring_next(is->keys);

    postern_json_open_object(&w, NULL);
    postern_json_put_flag(&w, "ok", true);
    postern_json_put_str(&w, "kid", next == NULL ? NULL : next->kid);
    postern_json_put_integer(&w, "announced_for", is->settings->key_announcement_s);
    postern_json_put_str(
        &w, "message",
        was_announced ? "A key was announced already; it signs when its time has come."
                      : "A new key is announced; it signs when readers of the key set had time "
                        "to read it.");
    postern_json_close_object(&w);
}

void admin_keys_rotate(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret)
{
    bool is_full = false, was_announced;
    postern_error err = { 0 };
    postern_err e;

    (void)rq; /* has nothing to say */
    if (!has_keys(is, ret))
        return;
    was_announced = key_ring_next(is->keys) != NULL;
    e = key_ring_make_next(is->keys, issuer_now_s(is), &is_full, &err);
    is->key = key_ring_signer(is->keys); /* it may have been read again */
    if (e != POSTERN_OK) {
        admin_fail(ret, &err);
        return;
    }
    if (is_full) {
        admin_refuse(ret, "full",
                     "Too many keys are kept already: wait until tokens of the oldest are over, an "
                     "hour or more; `postern keys list` shows when.");
        return;
    }
    write_rotation(is, was_announced, ret);
    if (!was_announced && is->keys_changed != NULL)
        is->keys_changed(is->tell_arg);
}
