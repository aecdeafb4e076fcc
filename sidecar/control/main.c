/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control child (sidecar/role.h): puts the file of blocks, the lines to door, helper and audit,
 * the control socket and the status listener on one event loop and follows the supervisor.  Ready
 * when the blocks are known.  Ends when the supervisor says drain or is gone.
 */
#include "control.h"

#include <stdlib.h>

#include <postern-private/clock.h>

#include "control_socket.h"
#include "log.h"
#include "role.h"
#include "status.h"
#include "supervisor_line.h"
#include "timer.h"

#define DRAIN_POLL_MS 20 /* while the last answers go out */
/* A change may wait for the audit child and then for the others. */
#define DRAIN_MAX_MS (AUDIT_CONFIRM_MS + LINK_WAIT_MS + 500)
/* A line that was lost is mostly replaced unasked; then it is asked for, less and less often,
 * because all lines are made anew for it. */
#define LINK_ASK_FIRST_MS 1000
#define LINK_ASK_LAST_MS  16000

struct control_process {
    struct control control;
    postern_config *config;
    struct supervisor_line *supervisor;
    struct control_socket *socket;
    struct status *status_listener; /* NULL: none is wanted */
    struct event *drain_poll, *ask;
    int ask_ms;           /* until the next asking */
    int64_t drain_end_us; /* 0: not draining */
    int status;           /* exit status */
};

/* ---- draining ---- */

static bool is_idle(const struct control_process *p)
{
    return control_socket_is_idle(p->socket) &&
           (p->status_listener == NULL || status_is_idle(p->status_listener)) &&
           audit_line_is_idle(p->control.audit);
}

static void on_drain_poll(evutil_socket_t fd, short what, void *arg)
{
    struct control_process *p = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if (is_idle(p) || clock_mono_us() >= p->drain_end_us)
        (void)event_base_loopbreak(p->control.base); /* fails without a base only */
    else
        timer_schedule(p->drain_poll, DRAIN_POLL_MS);
}

static void drain(void *arg)
{
    struct control_process *p = arg;

    if (p->drain_end_us != 0)
        return;
    p->drain_end_us = clock_mono_us() + DRAIN_MAX_MS * 1000;
    control_socket_drain(p->socket);
    if (p->status_listener != NULL)
        status_drain(p->status_listener);
    timer_schedule(p->drain_poll, 0);
}

/* ---- lines ---- */

static bool is_line_missing(const struct control *c)
{
    return !c->is_audited || !link_is_there(c->helper) || (c->has_doors && !link_is_there(c->door));
}

static void on_ask(evutil_socket_t fd, short what, void *arg)
{
    struct control_process *p = arg;

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    if (p->drain_end_us != 0 || !is_line_missing(&p->control))
        return;
    supervisor_line_want_lines(p->supervisor);
    p->ask_ms = p->ask_ms * 2 > LINK_ASK_LAST_MS ? LINK_ASK_LAST_MS : p->ask_ms * 2;
    timer_schedule(p->ask, p->ask_ms);
}

static void on_lost(void *arg)
{
    struct control_process *p = arg;

    if (!event_pending(p->ask, EV_TIMEOUT, NULL))
        timer_schedule(p->ask, p->ask_ms);
}

static void on_audit_lost(void *arg)
{
    struct control_process *p = arg;

    p->control.is_audited = false;
    on_lost(p);
}

static void on_blocks(void *arg)
{
    struct control *c = arg;

    link_set_blocks(c->door, blocks_file_list(c->blocks));
    link_set_blocks(c->helper, blocks_file_list(c->blocks));
}

/* A line that came: once none is missing, the next loss is asked for soon again. */
static void note_line(struct control_process *p)
{
    if (!is_line_missing(&p->control))
        p->ask_ms = LINK_ASK_FIRST_MS;
}

static void take_door(void *arg, int take_fd)
{
    struct control_process *p = arg;

    link_set(p->control.door, take_fd);
    note_line(p);
}

static void take_helper(void *arg, int take_fd)
{
    struct control_process *p = arg;

    link_set(p->control.helper, take_fd);
    note_line(p);
}

static void take_audit(void *arg, int take_fd)
{
    struct control_process *p = arg;

    p->control.is_audited = true; /* before: a line that is dead already says so at once */
    audit_line_set(p->control.audit, take_fd);
    note_line(p);
}

static const struct supervisor_message messages[] = {
    { "door", .take = take_door },
    { "helper", .take = take_helper },
    { "audit", .take = take_audit },
};

/* ---- start and end ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static postern_err find_contact(const postern_section *settings, const char **ret,
                                postern_error *err)
{
    const char *contact = postern_section_text(settings, "block_contact");

    *ret = contact == NULL ? "" : contact;
    if (strlen(*ret) >= POSTERN_CONTACT_MAX)
        return POSTERN_FAIL(err, CONFIG_VALUE, "%s: block_contact is longer than %d bytes",
                            postern_section_origin(settings, "block_contact"),
                            POSTERN_CONTACT_MAX - 1);
    return POSTERN_OK;
}

static postern_err make_timers(struct control_process *p, postern_error *err)
{
    p->drain_poll = evtimer_new(p->control.base, on_drain_poll, p);
    p->ask = evtimer_new(p->control.base, on_ask, p);
    if (p->drain_poll == NULL || p->ask == NULL)
        return POSTERN_FAIL(err, NOMEM, "timers");
    return POSTERN_OK;
}

static postern_err make_lines(struct control_process *p, postern_error *err)
{
    struct control *c = &p->control;
    const char *contact = NULL;

    POSTERN_TRY(find_contact(c->settings, &contact, err));
    POSTERN_TRY(
        link_new(c->base, "door", contact, (struct link_owner){ on_lost, p }, &c->door, err));
    POSTERN_TRY(
        link_new(c->base, "helper", contact, (struct link_owner){ on_lost, p }, &c->helper, err));
    return audit_line_new(
        c->base,
        (struct audit_line_owner){ .want_line = on_audit_lost, .arg = p, .has_no_streams = true },
        &c->audit, err);
}

static postern_err read_blocks(struct control_process *p, int folder_fd, postern_error *err)
{
    struct control *c = &p->control;
    const char *path = postern_section_text(c->settings, "blocks_file");

    if (blocks_file_new(c->base, folder_fd, last_part(path),
                        (struct blocks_file_owner){ on_blocks, c }, &c->blocks,
                        err) != POSTERN_OK) {
        log_problem("%s: %s; posternd does not start without knowing who is blocked", path,
                    err == NULL ? "" : err->detail);
        return err == NULL ? POSTERN_ERR_CONFIG_FILE : err->code;
    }
    log_note("%s: %zu blocks", path, blocks_file_list(c->blocks)->count);
    on_blocks(c);
    return POSTERN_OK;
}

/* Descriptors of `setup` are taken one by one; after a failure the process ends and the kernel
 * closes the rest. */
static postern_err start(struct control_process *p, struct role_setup *setup, postern_error *err)
{
    struct control *c = &p->control;

    c->settings = postern_config_section(p->config, POSTERN_SECTION_DAEMON, NULL);
    c->has_doors = postern_config_section_at(p->config, POSTERN_SECTION_DOOR, 0) != NULL;
    p->ask_ms = LINK_ASK_FIRST_MS;
    c->base = event_base_new();
    if (c->base == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    POSTERN_TRY(supervisor_line_new(
        c->base, setup->supervisor_fd,
        (struct supervisor_line_owner){ messages, sizeof messages / sizeof *messages, drain, p },
        &p->supervisor, err));
    POSTERN_TRY(make_timers(p, err));
    POSTERN_TRY(make_lines(p, err));
    POSTERN_TRY(read_blocks(p, setup->state_dir_fd, err));
    if (setup->listen_count != 1)
        return POSTERN_FAIL(err, INTERNAL, "no control socket");
    POSTERN_TRY(control_socket_new(c, setup->listen_fds[0], &p->socket, err));
    if (setup->status_fd >= 0)
        POSTERN_TRY(status_new(c, setup->status_fd, &p->status_listener, err));
    on_lost(p); /* the lines come with the start; if not, they are asked for */
    return supervisor_line_say_ready(p->supervisor, err);
}

static void stop(struct control_process *p)
{
    struct control *c = &p->control;

    status_free(p->status_listener);
    control_socket_free(p->socket);
    audit_line_free(c->audit);
    link_free(c->door);
    link_free(c->helper);
    blocks_file_free(c->blocks);
    timer_free(p->drain_poll);
    timer_free(p->ask);
    supervisor_line_free(p->supervisor);
    postern_config_free(p->config);
    if (c->base != NULL)
        event_base_free(c->base);
}

int control_main(struct role_setup *setup)
{
    struct control_process p = { .config = setup->take_config, .status = EXIT_SUCCESS };
    postern_error err = { 0 };

    setup->take_config = NULL;
    if (start(&p, setup, &err) != POSTERN_OK) {
        log_error("control child cannot start", &err);
        p.status = EXIT_FAILURE;
    } else if (event_base_dispatch(p.control.base) < 0) {
        log_problem("the event loop failed");
        p.status = EXIT_FAILURE;
    }
    stop(&p);
    return p.status;
}
