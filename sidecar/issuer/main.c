/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The issuer child: puts key, store, HTTP server and administration socket on one event loop and
 * follows the supervisor (sidecar/role.h).  Order at start: key and store, the key set to the
 * supervisor, its word that the file is written, then "ready".  Ends when the supervisor says drain
 * or is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include <postern-private/clock.h>

#include "admin_socket.h"
#include "clients.h"
#include "http.h"
#include "key_ring.h"
#include "log.h"
#include "metadata.h"
#include "own_token.h"
#include "revocations.h"
#include "role.h"
#include "routes.h"
#include "supervisor_line.h"
#include "timer.h"

#define PURGE_S       3600 /* removals are purged at each new helper too; this bounds a quiet month */
#define DRAIN_POLL_MS 20   /* while the last answers go out */
#define DRAIN_MAX_MS  3000 /* a removal may wait REVOCATION_WAIT_MS for the helper */

struct issuer_process {
    struct issuer is;
    struct issuer_settings settings;
    postern_config *config;
    bool is_ready;                   /* said so */
    int keys_awaited;                /* key sets sent that are not written yet */
    bool keys_are_stale;             /* the last one could not be sent */
    struct event_base *base;
    struct supervisor_line *supervisor;
    struct work *work; /* passwords */
    struct http_server *http;
    struct admin_socket *admin;
    struct revocations *revocations; /* to the helper */
    struct revocations *doors;       /* the same to the door child; NULL: no doors */
    struct event *purge, *drain_poll, *keys_tick;
    int64_t drain_end_ms; /* 0: not draining */
    int status;           /* exit status */
};

/* ---- clock: the default one of this process ---- */

static int64_t system_now_s(void *arg)
{
    (void)arg;
    return clock_wall_s();
}

static int64_t system_mono_ms(void *arg)
{
    (void)arg;
    return clock_mono_ms();
}

/* ---- draining ---- */

static void on_drain_poll(evutil_socket_t fd, short what, void *arg)
{
    struct issuer_process *p = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if ((http_server_is_idle(p->http) && admin_socket_is_idle(p->admin)) ||
        issuer_mono_ms(&p->is) >= p->drain_end_ms)
        (void)event_base_loopbreak(p->base); /* fails without a base only */
    else
        timer_schedule(p->drain_poll, DRAIN_POLL_MS);
}

static void drain(void *arg)
{
    struct issuer_process *p = arg;

    if (p->drain_end_ms != 0)
        return;
    p->drain_end_ms = issuer_mono_ms(&p->is) + DRAIN_MAX_MS;
    http_server_drain(p->http);
    admin_socket_drain(p->admin);
    timer_schedule(p->drain_poll, 0);
}

static void give_up(struct issuer_process *p, const char *what, const postern_error *err)
{
    log_error(what, err);
    p->status = EXIT_FAILURE;
    drain(p);
}

/* ---- what the supervisor says ---- */

/* Our own tokens are validated like at every other service: from the file that the supervisor wrote,
 * not from our own memory. */
static postern_err load_own_keys(struct issuer_process *p, postern_error *err)
{
    const postern_section *server = postern_config_section(p->config, POSTERN_SECTION_SERVER, NULL);

    return own_token_load_keys(&p->is, postern_section_text(server, "jwks_file"), err);
}

/* Only what the last set held can be read by now. */
static void note_written(struct issuer_process *p)
{
    postern_error err = { 0 };

    if (p->keys_awaited > 0)
        p->keys_awaited--;
    if (p->keys_awaited == 0 && !p->keys_are_stale &&
        key_ring_note_published(p->is.keys, issuer_now_s(&p->is), &err) != POSTERN_OK)
        log_error("signing keys", &err); /* a later set is noted again */
}

static void obey_jwks_written(void *arg)
{
    struct issuer_process *p = arg;
    postern_error err = { 0 };

    note_written(p);
    if (p->is_ready)
        return;
    if (load_own_keys(p, &err) != POSTERN_OK ||
        supervisor_line_say_ready(p->supervisor, &err) != POSTERN_OK)
        give_up(p, "start", &err);
    p->is_ready = true;
}

/* Until there is one, the helper (or the door) keeps refusing our tokens. */
static void want_line(void *arg)
{
    struct issuer_process *p = arg;

    supervisor_line_want_lines(p->supervisor);
}

static void take_helper(void *arg, int take_fd)
{
    struct issuer_process *p = arg;

    revocations_set_line(p->revocations, take_fd);
}

static void take_door(void *arg, int take_fd)
{
    struct issuer_process *p = arg;

    if (p->doors == NULL)
        (void)close(take_fd); /* an old door, which drains */
    else
        revocations_set_line(p->doors, take_fd);
}

static const struct supervisor_message messages[] = {
    { "jwks_written", .obey = obey_jwks_written },
    { "helper", .take = take_helper },
    { "door", .take = take_door },
};

static postern_err send_keys(struct issuer_process *p, postern_error *err)
{
    POSTERN_AUTO_BUF keys = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    POSTERN_AUTO_BUF message = POSTERN_BUF_INIT(CHANNEL_MESSAGE_MAX);
    postern_json_writer w = { &message, false };

    POSTERN_TRY(metadata_write_keys(&p->is, &keys, err));
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "type", "jwks");
    postern_json_put_raw(&w, "jwks", postern_buf_bytes(&keys));
    postern_json_close_object(&w);
    if (message.failed)
        return POSTERN_FAIL(err, NOMEM, "key set message");
    POSTERN_TRY(channel_send(supervisor_line_channel(p->supervisor), postern_buf_bytes(&message),
                             -1, err));
    p->keys_awaited++;
    return POSTERN_OK;
}

/* ---- keys ---- */

#define KEYS_TICK_MS     60000 /* rotation is a matter of days */
#define KEYS_TICK_MIN_MS 1000  /* a key that is announced: seconds matter to tests alone */

static void publish_keys(void *arg)
{
    struct issuer_process *p = arg;
    postern_error err = { 0 };

    p->keys_are_stale = send_keys(p, &err) != POSTERN_OK;
    if (p->keys_are_stale)
        log_error("publishing the key set", &err); /* the next tick tries again */
    if (key_ring_next(p->is.keys) != NULL)
        timer_schedule(p->keys_tick, KEYS_TICK_MIN_MS);
}

static void on_keys_tick(evutil_socket_t fd, short what, void *arg)
{
    struct issuer_process *p = arg;
    const struct key_times times = { p->settings.key_rotation_s, p->settings.key_announcement_s };
    postern_error err = { 0 };
    bool is_changed = false;
    int64_t announce_ms = times.announce_s * 1000;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if (p->drain_end_ms != 0)
        return; /* the issuer after us does it */
    if (key_ring_step(p->is.keys, &times, issuer_now_s(&p->is), &is_changed, &err) != POSTERN_OK)
        log_error("signing keys", &err);
    if (p->is.key != key_ring_signer(p->is.keys))
        log_note("tokens are signed with key %s",
                 postern_signing_key_kid(key_ring_signer(p->is.keys)));
    p->is.key = key_ring_signer(p->is.keys);
    timer_schedule(p->keys_tick, key_ring_next(p->is.keys) != NULL && announce_ms < KEYS_TICK_MS ?
                                     KEYS_TICK_MIN_MS : KEYS_TICK_MS);
    if (is_changed || p->keys_are_stale)
        publish_keys(p);
}

static void tell_revoked(void *arg, const struct revocation *what)
{
    struct issuer_process *p = arg;

    if (p->doors != NULL)
        revocations_push(p->doors, what, NULL, NULL);
    if (p->revocations != NULL)
        revocations_push(p->revocations, what, NULL, NULL);
}

/* ---- start and end ---- */

static void on_purge(evutil_socket_t fd, short what, void *arg)
{
    struct issuer_process *p = arg;
    postern_error err = { 0 };

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if (issuer_forget_what_is_over(&p->is, &err) != POSTERN_OK)
        log_error("purging removals", &err);
}

static void answer_request(void *arg, const struct http_request *rq, struct answer *a)
{
    routes_answer(arg, rq, a);
}

static void log_libevent(int severity, const char *message)
{
    if (severity >= EVENT_LOG_WARN)
        log_problem("libevent: %s", message);
}

static postern_err start_state(struct issuer_process *p, const struct role_setup *setup,
                               postern_error *err)
{
    uint64_t seed = 0;

    p->is.clock = (postern_clock){ system_now_s, system_mono_ms, NULL };
    p->is.settings = &p->settings;
    p->is.tell_revoked = tell_revoked;
    p->is.tell_arg = p;
    POSTERN_TRY(issuer_settings_load(&p->settings, p->config, err));
    if (!issuer_random(&seed, sizeof seed) ||
        !issuer_random(p->is.no_client_sha256, sizeof p->is.no_client_sha256))
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    POSTERN_TRY(rate_table_new(seed, &p->is.rates, err));
    POSTERN_TRY(store_open(setup->state_dir, &p->is.store, err));
    POSTERN_TRY(key_ring_open(p->is.store, setup->state_dir_fd, issuer_now_s(&p->is), &p->is.keys,
                              err));
    p->is.key = key_ring_signer(p->is.keys);
    p->is.keys_changed = publish_keys;
    return issuer_forget_what_is_over(&p->is, err);
}

static postern_err make_timers(struct issuer_process *p, postern_error *err)
{
    static const struct timeval purge_interval = { PURGE_S, 0 };

    p->purge = event_new(p->base, -1, EV_PERSIST, on_purge, p);
    p->drain_poll = evtimer_new(p->base, on_drain_poll, p);
    p->keys_tick = evtimer_new(p->base, on_keys_tick, p);
    if (p->purge == NULL || p->drain_poll == NULL || p->keys_tick == NULL || event_add(p->purge, &purge_interval) != 0)
        return POSTERN_FAIL(err, NOMEM, "timers");
    timer_schedule(p->keys_tick, KEYS_TICK_MIN_MS);
    return POSTERN_OK;
}

/* Descriptors of `setup` are taken one by one; after a failure the process ends and the kernel
 * closes the rest. */
static postern_err start(struct issuer_process *p, struct role_setup *setup, postern_error *err)
{
    const postern_section *server = postern_config_section(p->config, POSTERN_SECTION_SERVER, NULL);
    struct http_setup http = { .clock = &p->is.clock, .handler = answer_request, .arg = &p->is };
    struct admin_setup admin = { .is = &p->is, .server = server };

    event_set_log_callback(log_libevent);
    p->base = event_base_new();
    if (p->base == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    http.base = admin.base = p->base;
    POSTERN_TRY(start_state(p, setup, err));
    POSTERN_TRY(supervisor_line_new(
        p->base, setup->supervisor_fd,
        (struct supervisor_line_owner){ messages, sizeof messages / sizeof *messages, drain, p },
        &p->supervisor, err));
    POSTERN_TRY(make_timers(p, err));
    POSTERN_TRY(revocations_new(p->base, &p->is, want_line, p, &p->revocations, err));
    if (postern_config_section_at(p->config, POSTERN_SECTION_DOOR, 0) != NULL)
        POSTERN_TRY(revocations_new(p->base, &p->is, want_line, p, &p->doors, err));
    POSTERN_TRY(work_new(p->base, &p->work, err));
    http.work = admin.work = p->work;
    admin.helper = p->revocations;
    admin.doors = p->doors;
    POSTERN_TRY(admin_socket_new(&admin, setup->admin_fd, &p->admin, err));
    POSTERN_TRY(http_server_new(&http, setup->listen_fds, setup->listen_count, &p->http, err));
    return send_keys(p, err);
}

static void stop(struct issuer_process *p)
{
    http_server_free(p->http);
    admin_socket_free(p->admin);
    work_free(p->work);
    revocations_free(p->revocations);
    revocations_free(p->doors);
    timer_free(p->purge);
    timer_free(p->drain_poll);
    timer_free(p->keys_tick);
    supervisor_line_free(p->supervisor);
    postern_context_free(p->is.whoami_tokens);
    key_ring_free(p->is.keys);
    postern_context_free(p->is.own_tokens);
    store_close(p->is.store);
    rate_table_free(p->is.rates);
    issuer_settings_free(&p->settings);
    postern_config_free(p->config);
    if (p->base != NULL)
        event_base_free(p->base);
}

int issuer_main(struct role_setup *setup)
{
    struct issuer_process p = { .config = setup->take_config, .status = EXIT_SUCCESS };
    postern_error err = { 0 };

    setup->take_config = NULL;
    if (start(&p, setup, &err) != POSTERN_OK) {
        log_error("start", &err);
        p.status = EXIT_FAILURE;
    } else if (event_base_dispatch(p.base) < 0) {
        log_problem("the event loop failed");
        p.status = EXIT_FAILURE;
    }
    stop(&p);
    return p.status;
}
