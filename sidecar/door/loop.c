/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread's loop (loop.h): accepting, ticking, and what other threads ask of it. */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "../audit/tally_memory.h"
#include "../log.h"
#include "../timer.h"
#include "conn.h"
#include "loop.h"
#include "main.h"
#include "audit.h"
#include "recheck.h"
#include "reserve.h"
#include "session.h"

/* 64 bytes each: 4 MiB, for as many sessions as one machine serves. */
#define RESERVED_DESCRIPTORS_MAX 65536
/* When so many sessions have gone since the peak, their memory goes back to the system: below that
 * it is not worth a walk through the heap. */
#define TRIM_SESSIONS_MIN 64
#define RESOLV_CONF "/etc/resolv.conf"

struct lease_clock loop_now(void)
{
    return (struct lease_clock){ .now_s = clock_wall_s(), .boot_ms = clock_boot_ms() };
}

void loop_want_audit_line(void *arg)
{
    struct loop *l = arg;

    main_want_lines(l->process);
}

/* ---- accepting ---- */

static void on_recheck_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a timer */
    (void)what; /* likewise */
    recheck_run(arg);
}

static void set_accepting(struct loop *l, bool is_accepting)
{
    if (l->is_accepting == is_accepting || (is_accepting && l->drain_end_ms != 0))
        return;
    l->is_accepting = is_accepting;
    for (size_t i = 0; i < l->accept_count; i++)
        (void)(is_accepting ? event_add(l->accepts[i], NULL) : event_del(l->accepts[i]));
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;   /* a timer */
    (void)what; /* likewise */
    set_accepting(arg, true);
}

bool loop_may_log(_Atomic int64_t *logged_ms)
{
    int64_t now_ms = clock_boot_ms(), before_ms = atomic_load(logged_ms);

    /* Another loop was faster: it has said so. */
    return (before_ms == 0 || now_ms - before_ms >= LOOP_LOG_MS) &&
           atomic_compare_exchange_strong(logged_ms, &before_ms, now_ms);
}

static void log_pause(struct door_process *p, const char *why)
{
    if (loop_may_log(&p->pause_logged_ms))
        log_problem("door: no more connections for a moment: %s", why);
}

static void pause_accepting(struct loop *l, const char *why)
{
    struct timeval pause = { .tv_usec = LOOP_ACCEPT_PAUSE_MS * 1000 };

    log_pause(l->process, why);
    if (event_add(l->resume, &pause) == 0)
        set_accepting(l, false);
}

/* Another loop's descriptors are that loop's to change: they are not even looked at. */
static const struct door_listener *find_listener(const struct loop *l, int fd)
{
    for (size_t i = 0; i < settings_listener_count(l->settings); i++) {
        const struct door_listener *from = settings_listener(l->settings, i);

        if (from->loop == l->index && from->fd == fd)
            return from;
    }
    return NULL;
}

static void on_caller(evutil_socket_t listener, short what, void *arg)
{
    struct loop *l = arg;
    const struct door_listener *from = find_listener(l, listener);

    (void)what; /* only EV_READ is asked for */
    for (int i = 0; from != NULL && i < LOOP_ACCEPTS_PER_WAKE && l->is_accepting; i++) {
        struct sockaddr_storage address = { 0 };
        socklen_t len = sizeof address;
        int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
            conn_new(l, from, fd, (const struct sockaddr *)&address, len);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(l, strerror(errno));
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static void stop_listening(struct loop *l)
{
    for (size_t i = 0; i < l->accept_count; i++)
        if (l->accepts[i] != NULL)
            event_free(l->accepts[i]);
    free(l->accepts);
    l->accepts = NULL;
    l->accept_count = 0;
    l->is_accepting = false;
    if (l->settings != NULL)
        settings_close_listeners(l->settings, l->index);
}

static bool start_listening(struct loop *l)
{
    size_t count = settings_listener_count(l->settings);

    l->accepts = calloc(count + 1, sizeof *l->accepts);
    if (l->accepts == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct door_listener *from = settings_listener(l->settings, i);

        if (from->loop != l->index)
            continue;
        l->accepts[l->accept_count] =
            event_new(l->base, from->fd, EV_READ | EV_PERSIST, on_caller, l);
        if (l->accepts[l->accept_count] == NULL)
            return false;
        l->accept_count++;
    }
    set_accepting(l, true);
    return true;
}

/* ---- batches ---- */

void batch_finish(struct batch *b)
{
    if (atomic_fetch_sub(&b->left, 1) == 1)
        mailbox_put(b->reply_to, &b->reply);
}

/* ---- mails ---- */

struct loop_mail {
    struct mail           mail;
    struct batch         *batch;
    struct door_settings *settings;
    int64_t               number;
    int                   fd;
    char                  id[SESSION_ID_MAX];
    const char           *end; /* static */
    char                  because[POSTERN_BECAUSE_MAX];
};

static struct mail *make_mail(void (*deliver)(struct mail *, void *), struct loop_mail content)
{
    struct loop_mail *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    *m = content;
    m->mail.deliver = deliver;
    return &m->mail;
}

static void judge_all(struct loop *l)
{
    struct session *s = LIST_FIRST(&l->sessions);

    l->untold.unfit = 0; /* by renewals: nobody asked */
    while (s != NULL) {
        struct session *next = session_next(s);

        (void)session_judge(s); /* counted in l->untold */
        s = next;
    }
}

static void tell(atomic_size_t *sum, size_t *untold)
{
    atomic_fetch_add(sum, *untold);
    *untold = 0;
}

/* A login has UPSTREAM_CONNECT_MS for name, connection and TLS: a name server that is silent leaves
 * time for the next one.  An answer that comes later than that still counts. */
static bool hurry_resolver(struct loop *l)
{
    return evdns_base_set_option(l->dns, "timeout", "1") == 0 &&
           evdns_base_set_option(l->dns, "attempts", "4") == 0;
}

/* A machine that moved has other name servers; what is being asked goes on with them. */
static void reread_name_servers(struct loop *l)
{
    if (l->dns == NULL)
        return;
    if (evdns_base_clear_nameservers_and_suspend(l->dns) != 0 ||
        evdns_base_resolv_conf_parse(l->dns, DNS_OPTIONS_ALL, RESOLV_CONF) != 0 ||
        evdns_base_resume(l->dns) != 0 || !hurry_resolver(l))
        log_problem("door: " RESOLV_CONF " cannot be used: names of backends may not resolve");
}

static void deliver_settings(struct mail *take_mail, void *receiver)
{
    struct loop_mail *m = (struct loop_mail *)take_mail;
    struct loop *l = receiver;
    struct door_settings *old = l->settings;

    stop_listening(l);
    l->settings = m->settings;
    if (old != NULL)
        reread_name_servers(l);
    if (!start_listening(l)) {
        log_problem("door: out of memory for its listeners");
        abort(); /* the supervisor starts another; half a door must not stand */
    }
    judge_all(l);
    tell(&m->batch->unfit, &l->untold.unfit); /* the rest is for whoever took it back */
    batch_finish(m->batch);
    settings_unref(old);
    free(m);
}

struct mail *loop_mail_settings(struct door_settings *take_settings, struct batch *b)
{
    return make_mail(deliver_settings,
                     (struct loop_mail){ .settings = take_settings, .batch = b });
}

static void deliver_judge(struct mail *take_mail, void *receiver)
{
    struct loop_mail *m = (struct loop_mail *)take_mail;
    struct loop *l = receiver;

    judge_all(l);
    tell(&m->batch->blocked, &l->untold.blocked);
    tell(&m->batch->revoked, &l->untold.revoked);
    tell(&m->batch->unfit, &l->untold.unfit);
    batch_finish(m->batch);
    free(m);
}

struct mail *loop_mail_judge(struct batch *b)
{
    return make_mail(deliver_judge, (struct loop_mail){ .batch = b });
}

static void deliver_audit(struct mail *take_mail, void *receiver)
{
    struct loop_mail *m = (struct loop_mail *)take_mail;
    struct loop *l = receiver;

    audit_line_set(l->audit, m->fd);
    free(m);
}

struct mail *loop_mail_audit(int take_fd)
{
    struct mail *m = make_mail(deliver_audit, (struct loop_mail){ .fd = take_fd });

    if (m == NULL)
        (void)close(take_fd);
    return m;
}

static void deliver_end(struct mail *take_mail, void *receiver)
{
    struct loop_mail *m = (struct loop_mail *)take_mail;
    struct session *s = session_find(receiver, m->id);

    if (s != NULL)
        session_end(s, &(struct session_ending){ .how = m->end, .because = m->because, .code = POSTERN_OK });
    atomic_fetch_add(&m->batch->killed, s != NULL);
    batch_finish(m->batch);
    free(m);
}

struct mail *loop_mail_end(const char *session_id, const char *end, const char *because,
                           struct batch *b)
{
    struct loop_mail content = { .end = end, .batch = b };

    memcpy(content.id, session_id, strnlen(session_id, sizeof content.id - 1));
    if (because != NULL)
        memcpy(content.because, because, strnlen(because, sizeof content.because - 1));
    return make_mail(deliver_end, content);
}

static void deliver_drain(struct mail *take_mail, void *receiver)
{
    struct loop_mail *m = (struct loop_mail *)take_mail;
    struct loop *l = receiver;
    struct conn *c = LIST_FIRST(&l->conns);

    if (l->drain_end_ms == 0)
        l->drain_end_ms = clock_boot_ms() + m->number;
    stop_listening(l);
    while (c != NULL) {
        struct conn *next = conn_next(c);

        conn_drain(c);
        c = next;
    }
    batch_finish(m->batch);
    loop_note_end(l);
    free(m);
}

struct mail *loop_mail_drain(int64_t drain_ms, struct batch *b)
{
    return make_mail(deliver_drain, (struct loop_mail){ .number = drain_ms, .batch = b });
}

static void deliver_stop(struct mail *take_mail, void *receiver)
{
    struct loop *l = receiver;

    (void)event_base_loopbreak(l->base); /* fails without a base only */
    free(take_mail);
}

struct mail *loop_mail_stop(void)
{
    return make_mail(deliver_stop, (struct loop_mail){ 0 });
}

/* ---- time ---- */

/* glibc keeps what was freed for the next session; after a rush it goes back.  The relays see to it in
 * the rush, but what the records of ended sessions took on their way to the audit child is free only
 * when that has confirmed them: 3,000 sessions with TLS left 16 MiB, with this 1. */
static void trim(struct loop *l)
{
    bool is_calm = l->session_count == l->sessions_before && audit_line_is_idle(l->audit);

    l->sessions_before = l->session_count;
    if (l->session_count > l->session_peak)
        l->session_peak = l->session_count;
    if (!is_calm || l->session_peak - l->session_count < TRIM_SESSIONS_MIN)
        return;
    l->session_peak = l->session_count;
    (void)malloc_trim(0); /* nothing to give back is fine */
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    struct lease_clock now = loop_now();
    struct session *s = LIST_FIRST(&l->sessions);
    struct conn *c = LIST_FIRST(&l->conns);

    (void)fd;   /* a timer */
    (void)what; /* likewise */
    while (s != NULL) {
        struct session *next = session_next(s);

        session_tick(s, now);
        s = next;
    }
    recheck_run(l);
    while (c != NULL) {
        struct conn *next = conn_next(c);

        conn_tick(c, now);
        c = next;
    }
    record_denials(l);
    trim(l);
    loop_note_end(l);
}

void loop_count_verdict(struct loop *l, postern_err code)
{
    switch (postern_err_outcome(code)) {
    case POSTERN_PROVED:
        atomic_fetch_add(&l->counters.proved, 1);
        return;
    case POSTERN_REJECTED:
        atomic_fetch_add(&l->counters.rejected, 1);
        return;
    case POSTERN_UNDECIDED:
        atomic_fetch_add(&l->counters.undecided, 1);
    }
}

void loop_note_end(struct loop *l)
{
    if (l->drain_end_ms != 0 && !l->has_drained && LIST_EMPTY(&l->sessions) &&
        LIST_EMPTY(&l->conns) && audit_line_is_idle(l->audit)) {
        l->has_drained = true;
        main_note_drained(l->process, l->index);
    }
}

/* ---- the thread ---- */

static void run_last(struct loop *l)
{
    struct session *s;

    while (!LIST_EMPTY(&l->conns))
        conn_free(LIST_FIRST(&l->conns));
    while ((s = LIST_FIRST(&l->sessions)) != NULL)
        session_end(s, &(struct session_ending){ .how = SESSION_END_DRAINED, .code = POSTERN_OK });
    record_denials_rest(l);
}

static void *run(void *arg)
{
    struct loop *l = arg;
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    (void)prctl(PR_SET_NAME, "door-loop", 0, 0, 0);
    if (event_base_dispatch(l->base) < 0) {
        log_problem("door: an event loop failed");
        abort(); /* the supervisor starts another; this one would obey no revocation any more */
    }
    run_last(l);
    return NULL;
}

/* As many as this process may have: numbers are given out from the lowest. */
static size_t count_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > RESERVED_DESCRIPTORS_MAX)
        return RESERVED_DESCRIPTORS_MAX;
    return (size_t)limit.rlim_cur;
}

static bool make_resolver(struct loop *l)
{
    l->dns = evdns_base_new(l->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                         EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    /* NULL, there is no /etc/resolv.conf: names do not resolve, addresses need none. */
    return l->dns == NULL || hurry_resolver(l);
}

static postern_err fill(struct loop *l, postern_error *err)
{
    static const struct timeval tick = { LOOP_TICK_MS / 1000, LOOP_TICK_MS % 1000 * 1000 };

    l->base = event_base_new();
    if (l->base == NULL)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    if (!make_resolver(l))
        return POSTERN_FAIL(err, NOMEM, "resolver");
    POSTERN_TRY(reserve_descriptors(l->base, count_descriptors(), err));
    POSTERN_TRY(relay_pool_new(l->base, &l->pool, err));
    POSTERN_TRY(mailbox_new(l->base, l, &l->box, err));
    POSTERN_TRY(audit_line_new(
        l->base, (struct audit_line_owner){ .want_line = loop_want_audit_line, .arg = l },
        &l->audit, err));
    l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
    l->resume = event_new(l->base, -1, 0, on_resume, l);
    l->recheck_wake = event_new(l->base, -1, 0, on_recheck_wake, l);
    if (l->tick == NULL || l->resume == NULL || l->recheck_wake == NULL ||
        event_add(l->tick, &tick) != 0)
        return POSTERN_FAIL(err, NOMEM, "event loop");
    return POSTERN_OK;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    timer_free(l->tick); /* first: the look-ups below need a turn of the loop, and it would be due */
    timer_free(l->resume);
    timer_free(l->recheck_wake);
    mailbox_free(l->box);
    stop_listening(l);
    audit_line_free(l->audit);
    relay_pool_free(l->pool);
    if (l->dns != NULL) {
        evdns_base_free(l->dns, 1);
        (void)event_base_loop(l->base, EVLOOP_NONBLOCK); /* look-ups that were cancelled end here */
    }
    if (l->base != NULL)
        event_base_free(l->base);
    settings_unref(l->settings);
    tally_free(l->tally);
    args_digest_maker_free(l->digests);
    free(l);
}

postern_err loop_new(struct door_process *process, size_t index, struct loop **ret,
                     postern_error *err)
{
    struct loop *l = calloc(1, sizeof *l);
    postern_err e;

    if (l == NULL)
        return POSTERN_FAIL(err, NOMEM, "loop of a door");
    l->index = index;
    l->process = process;
    LIST_INIT(&l->conns);
    LIST_INIT(&l->sessions);
    TAILQ_INIT(&l->rechecks);
    e = fill(l, err);
    if (e != POSTERN_OK) {
        loop_free(l);
        return e;
    }
    *ret = l;
    return POSTERN_OK;
}

postern_err loop_start(struct loop *l, postern_error *err)
{
    if (pthread_create(&l->thread, NULL, run, l) != 0)
        return POSTERN_FAIL(err, SYSTEM, "pthread_create for a loop of a door");
    l->is_running = true;
    return POSTERN_OK;
}

void loop_join(struct loop *l)
{
    if (l->is_running)
        (void)pthread_join(l->thread, NULL); /* fails for no thread of ours */
    l->is_running = false;
}
