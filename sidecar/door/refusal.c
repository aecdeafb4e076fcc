/* SPDX-License-Identifier: BSD-2-Clause */
/* See refusal.h. */
#include "config.h"

#include <string.h>

#include "../log.h"
#include "../names.h"
#include "refusal.h"

void refusal_set(const struct refusal *r, postern_err code, const postern_error *err)
{
    postern_context_describe(settings_context(r->settings), r->door->name, &r->result->failure);
    r->result->code = code;
    r->result->error = *err;
}

void refusal_put_on_record(const struct refusal *r, const struct login_record *record,
                           audit_done done, void *arg)
{
    postern_error err = { 0 };
    postern_err e;

    r->result->failure.code = r->result->code;
    loop_count_verdict(r->loop, r->result->code);
    if (r->result->grant == NULL && r->token.len != 0)
        fingerprint_token(&r->loop->process->fingerprint, r->token, r->fingerprint);
    e = record_refusal(r->loop, record, done, arg, &err);
    if (e != POSTERN_AGAIN) /* else it follows */
        done(arg, e, &err);
}

void refusal_note_record(const struct refusal *r, postern_err e, const postern_error *err)
{
    if (e == POSTERN_OK)
        return;
    log_error(r->ref, err);
    if (postern_err_outcome(r->result->failure.code) == POSTERN_REJECTED)
        r->result->failure.code = POSTERN_ERR_AUDIT;
}

struct adapter_denied refusal_answer(const struct refusal *r)
{
    postern_failure *f = &r->result->failure;

    memcpy(f->ref, r->ref, sizeof f->ref);
    return (struct adapter_denied){
        .failure = f,
        .because = f->because,
        .contact = f->contact[0] != '\0' ? f->contact : settings_contact(r->settings),
    };
}
