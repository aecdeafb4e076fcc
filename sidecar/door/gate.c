/* SPDX-License-Identifier: BSD-2-Clause */
/* Target, token, policy, in this order (gate.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <postern/validate.h>

#include "../event_log.h"
#include "../policy_ask.h"
#include "gate.h"

struct gate {
    struct loop          *loop;
    struct gate_owner     owner;
    struct door_settings *settings;
    const struct door    *door;
    char                  source[64]; /* "": unix socket */
    uint64_t              words;
    struct lease_clock    begun;
    postern_op           *op;
    struct event         *ready;
    postern_err           refusal; /* before any validation; POSTERN_OK: none */
    postern_error         error;   /* of the refusal */
};

void gate_result_clear(struct gate_result *r)
{
    postern_grant_free(r->grant);
    *r = (struct gate_result){ 0 };
}

/* ---- where the client wants to go: compared, never resolved ---- */

/* The host of https://HOST[:PORT]/…, as long as it fits. */
static bool audience_host_is(const char *audience, const char *host)
{
    static const char scheme[] = "https://";
    size_t len;

    if (strncmp(audience, scheme, sizeof scheme - 1) != 0)
        return false;
    audience += sizeof scheme - 1;
    audience += audience[0] == '[';
    len = strcspn(audience, audience[-1] == '[' ? "]" : ":/");
    return len == strlen(host) && strncasecmp(audience, host, len) == 0;
}

/* server_names: when they are set; else the hosts that the door's audiences name. */
static bool is_own_name(const postern_section *s, const char *host)
{
    bool has_names = postern_section_count(s, "server_names") != 0;
    const char *key = has_names ? "server_names" : "audience", *word;

    for (size_t i = 0; (word = postern_section_item(s, key, i)) != NULL; i++)
        if (has_names ? strcasecmp(word, host) == 0 : audience_host_is(word, host))
            return true;
    return false;
}

static postern_err check_target(const struct door *door, const struct adapter_login *login,
                                postern_error *err)
{
    const char *port = postern_section_text(door->section, "server_port");

    if (!login->has_target)
        return POSTERN_OK;
    if (!is_own_name(door->section, login->host))
        return POSTERN_FAIL(err, MESSAGE_SERVER, "this door does not lead to that host");
    if (port != NULL && strcmp(port, login->port) != 0)
        return POSTERN_FAIL(err, MESSAGE_SERVER, "this door does not lead to that port");
    return POSTERN_OK;
}

/* ---- policy ---- */

postern_err gate_ask_policy(const struct door *door, const postern_grant *grant, const char *source,
                            int64_t now_s, postern_decision *ret, postern_error *err)
{
    POSTERN_AUTO_POLICY_SUBJECT subject = { 0 };
    const postern_policy_question q = {
        .size = sizeof q,
        .subject = &subject,
        .source = source,
        .protocol = door->adapter->name,
        .action = "connect",
        .resource = postern_bytes_str(door->name),
        .now_s = now_s,
    };

    *ret = (postern_decision){ 0 };
    POSTERN_TRY(postern_policy_subject_of(grant, &subject, err));
    return policy_obey(door->section, policy_ask(door->policy, &q, ret, err), ret);
}

static void judge_by_policy(struct gate *g, struct gate_result *r)
{
    r->code = gate_ask_policy(g->door, r->grant, g->source[0] == '\0' ? NULL : g->source,
                              loop_now().now_s, &r->decision, &r->error);
    if (r->code == POSTERN_OK)
        return;
    /* What a refused client may know is the same as at a bad token. */
    postern_context_describe(settings_context(g->settings), g->door->name, &r->failure);
    policy_tell(&r->decision, &r->failure);
}

/* ---- token ---- */

/* As little of a word's life as that may be over when it is heard: the next one has to be asked for. */
static unsigned within_ms(const struct door *door)
{
    return (unsigned)(door->revocation_check_ms / 4);
}

/* Of the second in which this began, or later: it was asked anew; else it is as old as it may be. */
static int64_t find_word(const struct gate *g, const postern_grant *grant)
{
    int64_t asked_s = postern_grant_introspected_s(grant);

    if (g->door->revocation_check_ms == 0 || asked_s == 0)
        return 0;
    return g->begun.boot_ms - (asked_s >= g->begun.now_s ? 0 : within_ms(g->door));
}

/* Its last act. */
static void finish(struct gate *g, postern_err code, const postern_error *err)
{
    struct gate_result r = { .code = code, .words = g->words };

    if (err != NULL && code != POSTERN_OK)
        r.error = *err;
    if (code != POSTERN_OK && g->op != NULL)
        r.failure = *postern_op_failure(g->op);
    else if (code != POSTERN_OK)
        postern_context_describe(settings_context(g->settings), g->door->name, &r.failure);
    if (code == POSTERN_OK && (r.grant = postern_op_take_grant(g->op)) == NULL)
        r.code = POSTERN_FAIL(&r.error, INTERNAL, "a verdict without a grant");
    if (r.code == POSTERN_OK)
        r.word_ms = find_word(g, r.grant);
    if (r.code == POSTERN_OK)
        judge_by_policy(g, &r);
    r.failure.code = r.code;
    g->owner.done(g->owner.arg, &r);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static bool wait_for_op(struct gate *g)
{
    int fd = postern_op_fd(g->op), wait_ms = postern_op_wait_ms(g->op);
    struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

    if (g->ready == NULL)
        g->ready = event_new(g->loop->base, fd, fd < 0 ? 0 : EV_READ, on_ready, g);
    else if (event_assign(g->ready, g->loop->base, fd, fd < 0 ? 0 : EV_READ, on_ready, g) != 0)
        return false;
    return g->ready != NULL && event_add(g->ready, &wait) == 0;
}

static void advance(struct gate *g)
{
    postern_error err = { 0 };
    postern_err code = postern_op_step(g->op, &err);

    log_events(g->op);
    if (code == POSTERN_AGAIN && !wait_for_op(g))
        code = POSTERN_FAIL(&err, NOMEM, "waiting for a validation");
    if (code != POSTERN_AGAIN)
        finish(g, code, &err);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    advance(arg);
}

struct gate *gate_new(struct loop *loop, const struct gate_visit *visit,
                      const struct adapter_login *login, struct gate_owner owner)
{
    struct gate *g = calloc(1, sizeof *g);
    postern_request rq = {
        .size = sizeof rq,
        .service = visit->door->name,
        .token = login->token,
        .authzid = login->authzid,
        .carrier = login->carrier,
        .tls = visit->tls,
        .peer = visit->peer,
        .message_host = login->host,
        .message_port = login->port,
        .client_cert_sha256 = visit->client_cert_sha256,
        .introspected_within_ms = within_ms(visit->door),
        .is_look_again = visit->is_look_again,
    };

    if (g == NULL)
        return NULL;
    g->loop = loop;
    g->owner = owner;
    g->settings = settings_ref(visit->settings);
    g->door = visit->door;
    g->begun = loop_now();
    g->words = postern_context_words(settings_context(g->settings));
    if (visit->source != NULL)
        memcpy(g->source, visit->source, strnlen(visit->source, sizeof g->source - 1));
    g->refusal = check_target(g->door, login, &g->error);
    if (g->refusal == POSTERN_OK)
        g->refusal =
            postern_validate_start(settings_context(g->settings), &rq, &g->op, &g->error);
    return g;
}

void gate_begin(struct gate *g)
{
    if (g->refusal == POSTERN_OK)
        advance(g);
    else
        finish(g, g->refusal, &g->error);
}

void gate_free(struct gate *g)
{
    if (g == NULL)
        return;
    if (g->ready != NULL)
        event_free(g->ready);
    postern_op_free(g->op);
    settings_unref(g->settings);
    free(g);
}
