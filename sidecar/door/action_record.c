/* SPDX-License-Identifier: BSD-2-Clause */
/* See action_record.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <postern-private/clock.h>
#include <postern-private/human.h>

#include "../audit/tally.h"
#include "../log.h"
#include "action_record.h"
#include "session_inner.h"

struct action_session action_session_of(const struct session *s)
{
    return (struct action_session){ s->entry.id, s->entry.door, s->entry.peer, s->entry.grant };
}

void action_resource_text(postern_bytes from, char ret[ACTIONS_RESOURCE_MAX])
{
    static const char hex[] = "0123456789abcdef";
    bool is_text = postern_bytes_is_utf8(from);
    size_t at = 0;

    for (size_t i = 0; i < from.len && at + 5 < ACTIONS_RESOURCE_MAX; i++) {
        uint8_t c = from.ptr[i];

        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_text)) {
            ret[at++] = '\\';
            ret[at++] = 'x';
            ret[at++] = hex[c >> 4];
            ret[at++] = hex[c & 15];
        } else {
            ret[at++] = (char)c;
        }
    }
    while (is_text && at > 0 && !postern_bytes_is_utf8((postern_bytes){ (uint8_t *)ret, at }))
        at--; /* cut in the middle of a character */
    ret[at] = '\0';
}

static int64_t more_than_one(size_t count)
{
    return count > 1 ? (int64_t)count - 1 : 0;
}

postern_err action_record(struct loop *l, const struct action_session *s,
                          const struct action_facts *f, postern_err code, audit_done done,
                          void *arg, postern_error *err)
{
    char resource[ACTIONS_RESOURCE_MAX] = "";
    struct audit_record a = {
        .time_ms = clock_wall_ms(),
        .event = f->event == NULL ? "action" : f->event,
        .ref = f->ref,
        .service = s->door,
        .peer = s->peer,
        .code = code,
        .detail = code == POSTERN_OK && f->would == NULL ? NULL : f->error.detail,
        .session = s->id,
        .grant = s->grant,
        .agent = postern_grant_actor(s->grant),
        .human = postern_grant_human(s->grant),
        .action = f->action,
        .resource = resource,
        .more_resources = more_than_one(f->count),
        .database = f->database,
        .args_digest = f->digest,
        .claimed_purpose = f->claimed_purpose,
        .approver = f->approver,
        .rule = f->decision.rule,
        .user_rule = f->decision.user_rule,
        .would = f->would,
        .because = f->decision.because,
    };

    action_resource_text(f->resource, resource);
    return audit_line_send_together(l->audit, &a, done, arg, err);
}

bool action_count(struct loop *l, const struct action_session *s, const struct action_facts *f)
{
    const struct tally_of what = {
        .session = s->id,
        .door = s->door,
        .agent = registry_agent(s->grant),
        .human = postern_grant_human(s->grant),
        .purpose = postern_grant_purpose(s->grant),
        .action = f->action,
        .rule = f->decision.rule,
        .user_rule = f->decision.user_rule,
    };

    return l->tally != NULL && tally_add(l->tally, &what, clock_wall_ms());
}

/* ---- refusals without a record of their own ---- */

bool action_refusals_note(struct action_refusals *r, postern_err code, int64_t now_ms)
{
    const int64_t full_ms = (int64_t)ACTIONS_REFUSED_BURST * ACTIONS_REFUSED_REFILL_MS;

    r->tokens_ms = r->is_begun ? r->tokens_ms + (now_ms - r->as_of_ms) : full_ms;
    if (r->tokens_ms > full_ms)
        r->tokens_ms = full_ms;
    r->is_begun = true;
    r->as_of_ms = now_ms;
    if (r->tokens_ms >= ACTIONS_REFUSED_REFILL_MS) {
        r->tokens_ms -= ACTIONS_REFUSED_REFILL_MS;
        return true;
    }
    if (r->count++ == 0) {
        r->since_ms = now_ms;
        r->first = code;
    }
    r->last = code;
    return false;
}

void action_refusals_write(struct loop *l, const struct action_session *s,
                           struct action_refusals *r, int64_t now_ms, bool is_last)
{
    char detail[160];
    struct audit_record a = {
        .time_ms = clock_wall_ms(),
        .event = "refused",
        .service = s->door,
        .peer = s->peer,
        .agent = registry_agent(s->grant),
        .human = postern_grant_human(s->grant),
        .session = s->id,
        .code = r->last,
        .detail = detail,
        .count = r->count,
    };
    postern_error err = { 0 };

    if (r->count == 0 || (!is_last && now_ms - r->since_ms < ACTIONS_SUMMARY_MS))
        return;
    if (snprintf(detail, sizeof detail,
                 "actions of this session that were refused without a record of their own; the "
                 "first: %s",
                 postern_err_reason(r->first)) < 0)
        detail[0] = '\0';
    if (audit_line_send(l->audit, &a, NULL, NULL, &err) != POSTERN_OK)
        log_error("a summary of refused actions is not in the audit log", &err);
    r->count = 0;
}
