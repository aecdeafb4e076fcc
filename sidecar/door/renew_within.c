/* SPDX-License-Identifier: BSD-2-Clause */
/* See renew_within.h; the same order as that of a renewal by a connection of its own (conn.c). */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <postern-private/clock.h>

#include "../names.h"
#include "refusal.h"
#include "session_inner.h"
#include "tls.h"

struct renew_within {
    struct session *session;
    struct gate *gate;
    struct gate_result result;
    postern_buf token;
    postern_carrier carrier;
    char ref[POSTERN_REF_MAX];
    char fingerprint[FINGERPRINT_LEN + 1];
    bool is_known;
    bool is_tls;
    struct denial_source source;
    int64_t started_us;
};

/* ---- answers; each is the end of it ---- */

static void finish(struct renew_within *r, const struct adapter_granted *g,
                   const struct adapter_denied *d)
{
    struct session *s = r->session;

    inspect_renewed(s->inspect, g, d);
    s->renewal = NULL;
    renew_within_free(r);
}

static void answer_grant(struct renew_within *r)
{
    struct session *s = r->session;
    const struct adapter_granted granted = {
        .service = s->door->name,
        .lease_end_s = s->entry.lease.end_s,
        .lease_s = lease_left_s(&s->entry.lease, loop_now()),
        .session = POSTERN_BYTES_NONE,
        .ref = r->ref,
    };

    atomic_fetch_add(&s->loop->counters.renewed, 1);
    finish(r, &granted, NULL);
}

/* ---- records ---- */

static struct login_record record_of(const struct renew_within *r)
{
    const struct session *s = r->session;

    return (struct login_record){
        .event = "renew",
        .ref = r->ref,
        .session = s->entry.id,
        .door = s->door,
        .settings = s->settings,
        .peer = s->entry.peer,
        .source = &r->source,
        .carrier = r->carrier,
        .tls = r->is_tls ? POSTERN_TLS_ON : POSTERN_TLS_LOCAL,
        .fingerprint = r->fingerprint,
        .result = &r->result,
        .is_known = r->is_known,
        .started_us = r->started_us,
    };
}

static struct refusal refusal_of(struct renew_within *r)
{
    return (struct refusal){
        .loop = r->session->loop,
        .settings = r->session->settings,
        .door = r->session->door,
        .result = &r->result,
        .ref = r->ref,
        .token = postern_buf_bytes(&r->token),
        .fingerprint = r->fingerprint,
    };
}

static void on_refusal_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct renew_within *r = arg;
    struct refusal refusal = refusal_of(r);
    struct adapter_denied denied;

    refusal_note_record(&refusal, e, err);
    denied = refusal_answer(&refusal);
    finish(r, NULL, &denied);
}

/* r->result says why. */
static void refuse(struct renew_within *r)
{
    struct refusal refusal = refusal_of(r);
    struct login_record record = record_of(r);

    refusal_put_on_record(&refusal, &record, on_refusal_recorded, r);
}

static void refuse_with(struct renew_within *r, postern_err code, const postern_error *err)
{
    struct refusal refusal = refusal_of(r);

    refusal_set(&refusal, code, err);
    refuse(r);
}

/* ---- granted ---- */

static void renew(struct renew_within *r)
{
    struct session *s = r->session;
    postern_secret *token = NULL;
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    if (r->result.word_ms != 0)
        e = postern_secret_new(postern_buf_bytes(&r->token), &token, &err);
    if (e == POSTERN_OK)
        e = session_renew(s, &r->result.grant, &r->result.decision, &err);
    if (e != POSTERN_OK) {
        postern_secret_free(token);
        refuse_with(r, e, &err);
        return;
    }
    session_watch(s, token, r->result.word_ms);
    if (!session_judge(s)) /* a revocation came after the verdict: it is gone, and r with it */
        answer_grant(r);
}

static void on_recorded(void *arg, postern_err e, const postern_error *err)
{
    struct renew_within *r = arg;

    if (e == POSTERN_OK)
        renew(r);
    else
        refuse_with(r, POSTERN_ERR_AUDIT, err);
}

static void put_on_record(struct renew_within *r)
{
    struct session *s = r->session;
    struct lease_terms terms = session_terms(s->door, r->result.grant, &r->result.decision);
    struct login_record record = record_of(r);
    postern_error err = { 0 };

    record.grant = r->result.grant;
    record.lease_end_s = lease_renew(&s->entry.lease, &terms, loop_now()).end_s;
    if (record_login(s->loop, &record, on_recorded, r, &err) != POSTERN_OK)
        on_recorded(r, POSTERN_ERR_AUDIT, &err);
}

static void on_verdict(void *arg, struct gate_result *take_result)
{
    struct renew_within *r = arg;
    postern_error err = { 0 };

    gate_free(r->gate);
    r->gate = NULL;
    r->result = *take_result;
    r->is_known = r->result.grant != NULL;
    if (r->result.code != POSTERN_OK) {
        refuse(r);
    } else if (!registry_is_same_identity(r->session->entry.grant, r->result.grant)) {
        (void)POSTERN_FAIL(&err, RENEWAL, "the token is for another identity than the session's");
        refuse_with(r, POSTERN_ERR_RENEWAL, &err);
    } else {
        loop_count_verdict(r->session->loop, POSTERN_OK);
        put_on_record(r);
    }
}

/* ---- life ---- */

/* Whose session it is, whatever the token turns out to be. */
static struct denial_source source_of(const struct session *s)
{
    const postern_grant *g = s->entry.grant;
    const char *name = postern_grant_actor(g) != NULL ? postern_grant_actor(g)
                                                      : postern_grant_subject(g);

    return denial_source_of_agent((uint64_t)(uintptr_t)s, name == NULL ? "" : name);
}

static struct renew_within *allocate(struct session *s, const struct adapter_login *login)
{
    struct renew_within *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->session = s;
    r->token = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    r->carrier = login->carrier;
    r->started_us = clock_mono_us();
    r->is_tls = inspect_client_ssl(s->inspect) != NULL;
    r->source = source_of(s);
    postern_buf_add(&r->token, login->token);
    if (r->token.failed || !make_ref(r->ref)) {
        renew_within_free(r);
        return NULL;
    }
    return r;
}

static struct gate *make_gate(struct renew_within *r, const struct adapter_login *login)
{
    struct session *s = r->session;
    uint8_t cert[TLS_CERT_SHA256_LEN];
    bool has_cert = r->is_tls && tls_client_certificate(inspect_client_ssl(s->inspect), cert);
    const struct gate_visit visit = {
        .settings = s->settings,
        .door = s->door,
        .client_cert_sha256 = { cert, has_cert ? sizeof cert : 0 },
        .tls = r->is_tls ? POSTERN_TLS_ON : POSTERN_TLS_LOCAL,
        .peer = s->entry.peer,
        .source = s->source[0] == '\0' ? NULL : s->source,
    };

    return gate_new(s->loop, &visit, login, (struct gate_owner){ on_verdict, r });
}

void renew_within_begin(struct session *s, const struct adapter_login *login)
{
    static const postern_failure no_memory = { .code = POSTERN_ERR_NOMEM };
    static const struct adapter_denied denied = { &no_memory, "", "", 0 };
    struct renew_within *r = s->renewal == NULL ? allocate(s, login) : NULL;

    if (r != NULL)
        r->gate = make_gate(r, login);
    if (r == NULL || r->gate == NULL) {
        renew_within_free(r);
        inspect_renewed(s->inspect, NULL, &denied);
        return;
    }
    s->renewal = r;
    gate_begin(r->gate); /* may be the end of r */
}

void renew_within_free(struct renew_within *r)
{
    if (r == NULL)
        return;
    audit_line_cancel(r->session->loop->audit, r);
    gate_free(r->gate);
    gate_result_clear(&r->result);
    postern_buf_free(&r->token);
    free(r);
}
