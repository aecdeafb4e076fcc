/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper role (sidecar/role.h): validates tokens for SASL, PAM and PostgreSQL plugins on a
 * local socket, postern-helper(7). Here everything is put together and taken apart; no decision is
 * made here.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "../issuer_clients.h"
#include "../log.h"
#include "../role.h"
#include "../timer.h"
#include "../upkeep.h"
#include "blocks.h"
#include "helper.h"
#include "links.h"
#include "server.h"

struct role {
    struct helper helper;
    struct server *server;
    struct links *links;
    struct upkeep *upkeep;
    struct block_line *blocks;
    const char *expected; /* the issuer whose revocations we wait for; NULL: none, or told */
    bool knows_blocks;
    struct event *patience; /* HELPER_PATIENCE_MS */
    struct event *give_up;  /* drain_timeout */
    bool is_serving;
    int status; /* exit status */
};

/* ---- end ---- */

static void on_give_up(evutil_socket_t fd, short what, void *arg)
{
    struct role *r = arg;

    (void)fd;
    (void)what;
    log_problem("drain_timeout is over: leaving requests without an answer");
    (void)event_base_loopexit(r->helper.base, NULL);
}

static void on_retired(void *arg)
{
    links_say_retired(((struct role *)arg)->links);
}

static void stop(void *arg)
{
    struct role *r = arg;
    const postern_section *settings =
        postern_config_section(r->helper.config, POSTERN_SECTION_DAEMON, NULL);
    struct timeval limit = { .tv_sec = postern_section_number(settings, "drain_timeout") };

    if (!event_pending(r->give_up, EV_TIMEOUT, NULL))
        (void)event_add(r->give_up, &limit);
    server_drain(r->server, on_retired, r);
}

/* ---- start ---- */

static void begin_service(struct role *r)
{
    postern_error err = { 0 };

    if (r->is_serving)
        return;
    r->is_serving = true;
    server_begin(r->server);
    if (links_say_ready(r->links, &err) == POSTERN_OK)
        return;
    log_error("line to the supervisor", &err);
    r->status = 1;
    (void)event_base_loopbreak(r->helper.base);
}

/* We know what was revoked and who is blocked, and what we decide can be recorded. */
static void begin_if_complete(struct role *r)
{
    if (r->expected == NULL && r->knows_blocks && audit_line_is_set(r->helper.audit))
        begin_service(r);
}

static void on_told(void *arg, const char *issuer)
{
    struct role *r = arg;

    if (r->expected == NULL || strcmp(r->expected, issuer) != 0)
        return;
    r->expected = NULL;
    begin_if_complete(r);
}

static void on_recording(void *arg)
{
    begin_if_complete(arg);
}

static void on_blocks_told(void *arg)
{
    struct role *r = arg;

    r->knows_blocks = true;
    begin_if_complete(r);
}

static void on_control(void *arg, int take_fd)
{
    struct role *r = arg;

    block_line_set(r->blocks, take_fd);
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
    struct role *r = arg;

    (void)fd;
    (void)what;
    if (!r->is_serving && r->expected != NULL)
        log_problem("the issuer is silent about what was revoked: its tokens are undecided");
    if (!r->is_serving && !audit_line_is_set(r->helper.audit))
        log_problem("there is no line to the audit child: logins are undecided");
    if (!r->is_serving && !r->knows_blocks)
        log_problem("the control child is silent about who is blocked: all tokens are undecided");
    begin_service(r);
}

/* With an embedded issuer its tokens are undecided until it has told what was revoked. */
static postern_err expect_issuer(struct role *r, postern_error *err)
{
    const postern_section *server =
        postern_config_section(r->helper.config, POSTERN_SECTION_SERVER, NULL);
    const char *issuer;
    postern_err e;

    if (server == NULL)
        return POSTERN_OK;
    issuer = postern_section_text(server, "issuer");
    e = postern_context_expect_revocations(r->helper.context, issuer, err);
    if (e == POSTERN_OK)
        r->expected = issuer;
    if (e != POSTERN_ERR_USAGE)
        return e;
    log_note("no issuer file trusts the embedded issuer: its tokens open nothing here");
    return POSTERN_OK;
}

static void on_want_line(void *arg)
{
    links_want_lines(((struct role *)arg)->links);
}

static void on_idle_audit(void *arg)
{
    server_note_idle_audit(((struct role *)arg)->server);
}

static postern_err make_events(struct role *r, postern_error *err)
{
    r->helper.base = event_base_new();
    if (r->helper.base == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    r->patience = event_new(r->helper.base, -1, 0, on_impatient, r);
    r->give_up = event_new(r->helper.base, -1, 0, on_give_up, r);
    if (r->patience == NULL || r->give_up == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    return audit_line_new(r->helper.base,
                          (struct audit_line_owner){
                              .want_line = on_want_line, .idle = on_idle_audit, .arg = r },
                          &r->helper.audit, err);
}

static postern_err take_issuer_clients(struct role *r, const struct issuer_clients *clients,
                                       postern_error *err)
{
    for (size_t i = 0; clients != NULL && i < clients->count; i++) {
        POSTERN_TRY(issuer_client_give(r->helper.context, clients->list[i].issuer,
                                       clients->list[i].fd, err));
        (void)close(clients->list[i].fd);
    }
    return POSTERN_OK;
}

static postern_err start(struct role *r, struct role_setup *setup, postern_error *err)
{
    const struct server_sockets sockets = { setup->listen_fds, setup->listen_count,
                                            setup->saslauthd_fd };
    const postern_section *daemon_section;

    POSTERN_TRY(fingerprint_start(&r->helper.fingerprint, err));
    POSTERN_TRY(
        postern_context_new(POSTERN_STEAL(setup->take_config), NULL, &r->helper.context, err));
    r->helper.config = postern_context_config(r->helper.context);
    r->helper.policies = setup->login_policies;
    POSTERN_TRY(postern_issuer_line_new(&r->helper.issuer, err));
    postern_context_set_issuer_line(r->helper.context, r->helper.issuer);
    POSTERN_TRY(take_issuer_clients(r, setup->issuer_clients, err));
    POSTERN_TRY(expect_issuer(r, err));
    postern_context_expect_blocks(r->helper.context);
    POSTERN_TRY(logins_new(&r->helper.logins, err));
    POSTERN_TRY(peers_new(r->helper.config, &r->helper.peers, err));
    POSTERN_TRY(make_events(r, err));
    POSTERN_TRY(handles_new(r->helper.base, &r->helper.handles, err));
    POSTERN_TRY(upkeep_new(r->helper.base, r->helper.context, &r->upkeep, err));
    daemon_section = postern_config_section(r->helper.config, POSTERN_SECTION_DAEMON, NULL);
    POSTERN_TRY(server_new(&r->helper, &sockets,
                           (size_t)postern_section_number(daemon_section, "helper_max_connections"),
                           &r->server, err));
    POSTERN_TRY(block_line_new(&r->helper, (struct block_line_owner){ stop, on_blocks_told, r },
                               &r->blocks, err));
    POSTERN_TRY(links_new(&r->helper, setup->supervisor_fd,
                          (struct links_owner){ stop, on_told, on_recording, on_control, r },
                          &r->links, err));
    if (!timer_start(r->patience, HELPER_PATIENCE_MS)) /* callers wait until then, in the backlog */
        return POSTERN_FAIL(err, NOMEM, "event loop");
    return POSTERN_OK;
}

static void take_apart(struct role *r)
{
    upkeep_free(r->upkeep);
    links_free(r->links);
    block_line_free(r->blocks);
    server_free(r->server); /* its logins leave the audit line */
    audit_line_free(r->helper.audit);
    handles_free(r->helper.handles);
    timer_free(r->patience);
    timer_free(r->give_up);
    if (r->helper.base != NULL)
        event_base_free(r->helper.base);
    peers_free(r->helper.peers);
    logins_free(r->helper.logins);
    postern_context_free(r->helper.context);
    postern_issuer_line_free(r->helper.issuer);
    postern_wipe(&r->helper.fingerprint, sizeof r->helper.fingerprint);
}

int helper_main(struct role_setup *setup)
{
    struct role r = { 0 };
    postern_error err = { 0 };

    if (start(&r, setup, &err) != POSTERN_OK) {
        log_error("helper cannot start", &err);
        r.status = 1;
    } else if (event_base_dispatch(r.helper.base) != 0) {
        r.status = 1;
    }
    take_apart(&r);
    return r.status;
}
