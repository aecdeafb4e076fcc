/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keep a session's lease: before its end, a short-lived process fetches a token, sends RENEW over a
 * connection of its own and reports.  See connect.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern-private/clock.h>

#include "connect.h"

/* Token, lock, names, door: each has a time-out below it; this one is for all together. */
#define TRY_MAX_S 40

typedef enum verdict { VERDICT_LATER = 0, VERDICT_RENEWED, VERDICT_FINAL } verdict;

/* What a try tells; written at once (PIPE_BUF), so it comes whole or not at all. */
struct report {
    verdict verdict;
    int64_t lease_s, retry_after_s;
    char text[1024]; /* one line for standard error; "" when renewed */
};

static uint32_t draw(void)
{
    uint32_t random = 0;

    /* Jitter, no secret: without it the session only renews at the same time as others. */
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return 0;
    return random;
}

void connect_renewal_begin(struct connect_renewal *r, const struct connect_plan *plan,
                           const struct connect_answer *answer)
{
    *r = (struct connect_renewal){ .plan = plan, .report_fd = -1 };
    memcpy(r->session, answer->session, sizeof r->session);
    lease_begin(&r->lease, clock_boot_ms(), answer->lease_s, draw());
}

/* ---- in the process of a try ---- */

/* Nothing of the session's own descriptors: neither a door nor a client may be kept open by us. */
static bool keep_only(int report_fd)
{
    int null_fd = open("/dev/null", O_RDWR);

    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
        dup2(report_fd, STDERR_FILENO + 1) < 0)
        return false;
    return close_range(STDERR_FILENO + 2, ~0U, 0) == 0;
}

static void write_text(struct report *report, const struct connect_plan *plan,
                       const struct connect_login *l, const postern_error *err)
{
    FILE *out = fmemopen(report->text, sizeof report->text, "w");

    if (out == NULL)
        return;
    if (err != NULL)
        connect_print_failure(out, plan, l->oauth_error, err);
    else
        connect_print_refusal(out, plan, &l->answer);
    (void)fclose(out); /* cut where it does not fit */
    report->text[sizeof report->text - 1] = '\0';
}

static void try_to_renew(struct connect_login *l, struct report *report)
{
    postern_error err = { 0 };
    postern_err e = connect_login_run(l, &err);

    if (e != POSTERN_OK) {
        report->verdict =
            postern_err_outcome(e) == POSTERN_REJECTED ? VERDICT_FINAL : VERDICT_LATER;
        write_text(report, l->plan, l, &err);
    } else if (l->answer.is_granted) {
        report->verdict = VERDICT_RENEWED;
        report->lease_s = l->answer.lease_s;
    } else {
        report->verdict = connect_answer_is_final(&l->answer) ? VERDICT_FINAL : VERDICT_LATER;
        report->retry_after_s = l->answer.retry_after_s;
        write_text(report, l->plan, l, NULL);
    }
}

/* Does not return.  The token must outlive the lease that there is, or it renews nothing. */
static void run_try(const struct connect_renewal *r, int report_fd)
{
    int64_t left_s = lease_left_ms(&r->lease, clock_boot_ms()) / 1000;
    struct connect_login l = { .plan = r->plan,
                               .session = r->session,
                               .want = { .use_no_cache = r->plan->options->token.use_no_cache,
                                         .min_left_s = left_s + LEASE_RESERVE_MS / 1000 } };
    struct report report = { .verdict = VERDICT_LATER };

    (void)alarm(TRY_MAX_S);
    if (!keep_only(report_fd))
        _exit(1);
    try_to_renew(&l, &report);
    (void)!write(STDERR_FILENO + 1, &report, sizeof report); /* fails when the session has ended */
    connect_login_free(&l);
    _exit(0);
}

/* ---- in the session's process ---- */

static void put_off(struct connect_renewal *r, int64_t after_s)
{
    lease_retry(&r->lease, clock_boot_ms(), after_s, draw());
}

static void start_try(struct connect_renewal *r)
{
    pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        put_off(r, 0);
        return;
    }
    if ((r->pid = fork()) == 0) {
        /* A try is worth nothing without its session. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
            run_try(r, ends[1]);
        _exit(1);
    }
    (void)close(ends[1]);
    if (r->pid > 0) {
        r->report_fd = ends[0];
        return;
    }
    r->pid = 0;
    (void)close(ends[0]);
    put_off(r, 0);
}

static void reap(struct connect_renewal *r)
{
    while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    r->pid = 0;
    (void)close(r->report_fd);
    r->report_fd = -1;
}

/* Once a lease while it may still work, once more when it is over. */
static void complain(struct connect_renewal *r, const struct report *report)
{
    bool is_over = r->lease.is_given_up;

    if (r->has_complained && !is_over)
        return;
    r->has_complained = true;
    fputs(report->text, stderr);
    if (!r->plan->options->token.is_quiet)
        fprintf(stderr,
                is_over ? "postern connect: the session is not renewed; the door ends it in "
                          "%lld s\n"
                        : "postern connect: the session is not renewed yet; trying again for "
                          "%lld s\n",
                (long long)(lease_left_ms(&r->lease, clock_boot_ms()) / 1000));
}

static void take_report(struct connect_renewal *r, const struct report *report)
{
    if (report->verdict == VERDICT_RENEWED) {
        lease_begin(&r->lease, clock_boot_ms(), report->lease_s, draw());
        r->has_complained = false;
        return;
    }
    if (report->verdict == VERDICT_FINAL)
        lease_give_up(&r->lease);
    else
        put_off(r, report->retry_after_s);
    complain(r, report);
}

int connect_renewal_fd(void *renewal)
{
    const struct connect_renewal *r = renewal;

    return r->report_fd;
}

int64_t connect_renewal_wait_ms(void *renewal)
{
    const struct connect_renewal *r = renewal;

    return r->pid != 0 ? -1 : lease_wait_ms(&r->lease, clock_boot_ms());
}

static void read_report(struct connect_renewal *r)
{
    struct report report = { .verdict = VERDICT_LATER };
    ssize_t n = read(r->report_fd, &report, sizeof report);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof report) /* ended without a word: killed, or out of something */
        report = (struct report){ .text = "postern connect: a renewal ended without an answer\n" };
    reap(r);
    take_report(r, &report);
}

void connect_renewal_tick(void *renewal)
{
    struct connect_renewal *r = renewal;

    if (r->pid != 0)
        read_report(r);
    else if (lease_wait_ms(&r->lease, clock_boot_ms()) == 0)
        start_try(r);
}

void connect_renewal_end(struct connect_renewal *r)
{
    if (r->pid != 0) {
        (void)kill(r->pid, SIGKILL);
        reap(r);
    }
    postern_wipe(r, sizeof *r);
}
