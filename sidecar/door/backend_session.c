/* SPDX-License-Identifier: BSD-2-Clause */
/* When to renew at the backend, and with what (backend_session.h). */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../log.h"
#include "backend_session.h"

struct backend_session {
    struct loop *loop;
    postern_secret *token; /* the agent's newest */
    char session[BACKEND_SESSION_MAX];
    int64_t due_ms; /* CLOCK_BOOTTIME: when to renew */
    struct backend_login *login;
    struct door_settings *login_settings; /* whose door it is about; a reload may come */
    char id[SESSION_ID_MAX];              /* of our own session, for the log */
};

/* A lease that its issuer cannot prolong is asked for no more often than that. */
static int64_t due_after(int64_t lease_s)
{
    int64_t lease_ms = lease_s < INT32_MAX ? lease_s * 1000 : INT32_MAX;
    int64_t before_ms = lease_ms / 3;

    if (before_ms > BACKEND_RENEW_BEFORE_MS)
        before_ms = BACKEND_RENEW_BEFORE_MS;
    lease_ms -= before_ms;
    return lease_ms > BACKEND_RENEW_RETRY_MS ? lease_ms : BACKEND_RENEW_RETRY_MS;
}

struct backend_session *backend_session_new(struct loop *l, postern_bytes token,
                                            const struct backend_answer *answer)
{
    struct backend_session *b = calloc(1, sizeof *b);

    if (b == NULL || postern_secret_new(token, &b->token, NULL) != POSTERN_OK) {
        free(b);
        return NULL;
    }
    b->loop = l;
    memcpy(b->session, answer->session, sizeof b->session);
    b->due_ms = loop_now().boot_ms + due_after(answer->lease_s);
    return b;
}

static void drop_login(struct backend_session *b)
{
    backend_login_free(POSTERN_STEAL(b->login));
    settings_unref(POSTERN_STEAL(b->login_settings));
}

void backend_session_set_token(struct backend_session *b, postern_bytes token)
{
    postern_secret *newer = NULL;

    if (postern_secret_new(token, &newer, NULL) != POSTERN_OK)
        return; /* the one before is good until its own end */
    postern_secret_free(b->token);
    b->token = newer;
    drop_login(b); /* with the older one */
    b->due_ms = 0;
}

static void try_later(struct backend_session *b, const postern_error *err)
{
    log_error(b->id, err);
    b->due_ms = loop_now().boot_ms + BACKEND_RENEW_RETRY_MS;
}

static void on_done(void *arg, struct leg leg, const struct backend_answer *answer,
                    const postern_error *err)
{
    struct backend_session *b = arg;

    (void)leg; /* a renewal leaves none */
    if (answer != NULL)
        b->due_ms = loop_now().boot_ms + due_after(answer->lease_s);
    else
        try_later(b, err);
    drop_login(b);
}

static void renew(struct backend_session *b, struct door_settings *settings,
                  const struct door *door)
{
    const struct backend_login_request rq = { .exchange = &door->exchange,
                                              .target = &door->backend,
                                              .token = postern_secret_bytes(b->token),
                                              .session = b->session };
    postern_error err = { 0 };

    if (backend_login_start(b->loop->base, b->loop->dns, &rq,
                            (struct backend_login_owner){ on_done, b }, &b->login,
                            &err) == POSTERN_OK)
        b->login_settings = settings_ref(settings);
    else
        try_later(b, &err);
}

void backend_session_tick(struct backend_session *b, struct door_settings *settings,
                          const struct door *door, const char *session_id)
{
    if (b->login != NULL || loop_now().boot_ms < b->due_ms || door->exchange.resource == NULL)
        return;
    memcpy(b->id, session_id, sizeof b->id); /* as long as registry_entry.id */
    renew(b, settings, door);
}

void backend_session_free(struct backend_session *b)
{
    if (b == NULL)
        return;
    drop_login(b);
    postern_secret_free(b->token);
    postern_wipe(b->session, sizeof b->session);
    free(b);
}
