/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posternd with roles that misbehave on command, for tests/component/test_supervisor.py.  The role
 * NAME reads its orders from the file $FAKE_ORDERS/NAME at each start, the door again at each
 * "prepare": one of the words of `orders` below.  Each message is logged ("fake: MESSAGE …"), and
 * over each line the two ends greet each other ("fake: heard ROLE").  Everything but the roles is the
 * real daemon: sidecar/main.c is linked in.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postern/config.h>

#include "channel.h"
#include "log.h"
#include "role.h"
#include "sandbox.h"

#define PUBLIC_SET "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"fake\"}]}"
#define PRIVATE_SET "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"d\":\"AA\"}]}"
#define CERTIFICATE "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"
#define PRIVATE_KEY "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n"
#define LINES_MAX 256 /* the audit child keeps one for everybody who ever started */
#define SLOW_MS 700
#define STALL_LOOK_MS 20

enum order {
    ORDER_OK = 0, ORDER_EXIT, ORDER_DEAF, ORDER_GARBAGE, ORDER_EARLY, ORDER_PRIVATE, ORDER_STEAL,
    ORDER_CLOSE, ORDER_LINK, ORDER_SLOW, ORDER_UNREADY, ORDER_SILENT, ORDER_DIE, ORDER_CERTIFICATE,
    ORDER_KEY, ORDER_TWICE, ORDER_SLOW_UNREADY, ORDER_STALL, ORDER_LINGER, ORDER_UNCOMMITTED,
    ORDER_COMMITTED
};
static const char *const orders[] = {
    [ORDER_OK] = "ok",           /* as a role should */
    [ORDER_EXIT] = "exit",       /* ends with status 3 before it is ready */
    [ORDER_DEAF] = "deaf",       /* ready, then ignores "drain" */
    [ORDER_GARBAGE] = "garbage", /* ready, then sends what is no message */
    [ORDER_EARLY] = "early",     /* ready before its key set is written */
    [ORDER_PRIVATE] = "private", /* sends a private key */
    [ORDER_STEAL] = "steal",     /* ready, then sends a key set although it is not the issuer */
    [ORDER_LINK] = "link",       /* ready, then asks five times for its lines */
    [ORDER_CLOSE] = "close",     /* ready, then closes its channel and stays */
    [ORDER_SLOW] = "slow",       /* needs SLOW_MS to drain */
    [ORDER_LINGER] = "linger",   /* retires at "drain", and stays until its channel is closed */
    /* Door, at "prepare": */
    [ORDER_UNREADY] = "unready", /* cannot use it */
    [ORDER_SILENT] = "silent",   /* says nothing, until it has other orders: then "unready", late */
    [ORDER_DIE] = "die",         /* ends with status 5 */
    [ORDER_CERTIFICATE] = "certificate", /* sends one and is ready */
    [ORDER_KEY] = "key",         /* sends a private key as one */
    [ORDER_TWICE] = "twice",     /* is ready, and again */
    [ORDER_SLOW_UNREADY] = "slow_unready", /* needs SLOW_MS to find that it cannot use it */
    [ORDER_UNCOMMITTED] = "uncommitted", /* does not confirm "commit" */
    [ORDER_COMMITTED] = "committed",     /* confirms it twice */
    /* Issuer: */
    [ORDER_STALL] = "stall",     /* is not ready before it has other orders */
};

struct line {
    char            type[16]; /* "writer", "helper" … */
    struct channel *channel;
};

struct fake {
    const char        *role;
    struct role_setup *setup;
    struct channel    *supervisor;
    enum order         order;
    struct line        lines[LINES_MAX];
    size_t             line_count;
    unsigned           unanswered; /* "prepare" */
};

static enum order read_order(const char *role)
{
    const char *dir = getenv("FAKE_ORDERS");
    char path[300], word[32] = "";
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir == NULL ? "" : dir, role);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, word, sizeof word - 1) < 0)
            word[0] = '\0';
        close(fd);
    }
    word[strcspn(word, "\n")] = '\0';
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strcmp(orders[i], word) == 0)
            return (enum order)i;
    return ORDER_OK;
}

static void say(struct channel *c, const char *text)
{
    if (channel_send(c, postern_bytes_str(text), -1, NULL) != POSTERN_OK)
        log_problem("fake: cannot send");
}

static void say_with(struct channel *c, const char *format, const char *value)
{
    char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof text, format, value);
#pragma GCC diagnostic pop
    say(c, text);
}

static void say_jwks(struct channel *c, const char *set)
{
    say_with(c, "{\"type\":\"jwks\",\"jwks\":%s}", set);
}

static void say_certificate(struct channel *c, const char *pem)
{
    say_with(c, "{\"type\":\"certificate\",\"pem\":\"%s\"}", pem);
}

/* What the role does once it is ready. */
static void misbehave(struct fake *f)
{
    if (f->order == ORDER_GARBAGE)
        say(f->supervisor, "[1,2");
    if (f->order == ORDER_STEAL)
        say_jwks(f->supervisor, PUBLIC_SET);
    for (int i = 0; f->order == ORDER_LINK && i < 5; i++)
        say(f->supervisor, "{\"type\":\"link\"}");
    if (f->order == ORDER_CLOSE) {
        channel_free(f->supervisor);
        f->supervisor = NULL;
    }
}

static void become_ready(struct fake *f)
{
    say(f->supervisor, "{\"type\":\"ready\"}");
    misbehave(f);
}

/* ---- lines ---- */

static bool is_line(const char *type)
{
    static const char *const types[] = { "issuer", "helper", "door", "control", "audit", "writer" };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static void drop_line(struct fake *f, size_t at)
{
    channel_free(f->lines[at].channel);
    f->lines[at] = f->lines[--f->line_count];
}

/* A new line replaces the one before; the audit child keeps each until its end, the door's to audit
 * are as many as it has loops. */
static void take_line(struct fake *f, const char *type, int fd)
{
    bool is_one = strcmp(type, "writer") != 0 && strcmp(type, "audit") != 0;

    for (size_t i = 0; is_one && i < f->line_count; i++)
        if (strcmp(f->lines[i].type, type) == 0)
            drop_line(f, i);
    if (f->line_count == LINES_MAX ||
        channel_new(fd, &f->lines[f->line_count].channel, NULL) != POSTERN_OK) {
        log_problem("fake: a line too many");
        return;
    }
    (void)snprintf(f->lines[f->line_count].type, sizeof f->lines[0].type, "%s", type);
    say_with(f->lines[f->line_count++].channel, "{\"type\":\"hello\",\"from\":\"%s\"}", f->role);
}

/* false: the line is gone. */
static bool listen_to_line(struct fake *f, struct line *l)
{
    char from[16] = "";

    (void)f;
    for (;;)
        switch (channel_receive(l->channel, NULL)) {
        case CHANNEL_MESSAGE:
            (void)channel_text(l->channel, "from", from, sizeof from);
            log_note("fake: heard %s", from);
            break;
        case CHANNEL_NOTHING:
            return true;
        case CHANNEL_CLOSED:
        case CHANNEL_BROKEN:
            log_note("fake: line gone: %s", l->type);
            return false;
        }
}

static void listen_to_lines(struct fake *f)
{
    for (size_t i = f->line_count; i-- > 0;)
        if (!listen_to_line(f, &f->lines[i]))
            drop_line(f, i);
}

/* ---- the supervisor ---- */

static void log_message(const struct channel *c, const char *type, int fd)
{
    static const char *const texts[] = { "door", "key", "name", "address", "role" };
    static const char *const numbers[] = { "loop", "loops" };
    char line[400] = "", text[200];
    int64_t number;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (channel_text(c, texts[i], text, sizeof text))
            (void)snprintf(line + strlen(line), sizeof line - strlen(line), " %s=%s", texts[i], text);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (channel_integer(c, numbers[i], &number))
            (void)snprintf(line + strlen(line), sizeof line - strlen(line), " %s=%d", numbers[i],
                           (int)number);
    log_note("fake: MESSAGE %s%s descriptor=%s", type, line, fd >= 0 ? "yes" : "no");
}

static void answer_prepare(struct fake *f)
{
    f->order = read_order(f->role);
    if (f->order == ORDER_DIE)
        _exit(5);
    if (f->order == ORDER_SILENT) {
        f->unanswered++;
        return;
    }
    for (; f->unanswered > 0; f->unanswered--)
        say(f->supervisor, "{\"type\":\"unready\",\"detail\":\"late\"}");
    if (f->order == ORDER_SLOW_UNREADY) {
        (void)poll(NULL, 0, SLOW_MS);
        log_note("fake: says unready");
    }
    if (f->order == ORDER_UNREADY || f->order == ORDER_SLOW_UNREADY) {
        say(f->supervisor, "{\"type\":\"unready\",\"detail\":\"fake: no good\"}");
        return;
    }
    if (f->order == ORDER_CERTIFICATE || f->order == ORDER_KEY)
        say_certificate(f->supervisor, f->order == ORDER_KEY ? PRIVATE_KEY : CERTIFICATE);
    if (f->order == ORDER_TWICE)
        say(f->supervisor, "{\"type\":\"ready\"}");
    become_ready(f);
}

static void answer_commit(struct fake *f)
{
    int times = f->order == ORDER_UNCOMMITTED ? 0 : f->order == ORDER_COMMITTED ? 2 : 1;

    while (times-- > 0)
        say(f->supervisor, "{\"type\":\"committed\"}");
}

static void drain(struct fake *f)
{
    if (f->order == ORDER_SLOW)
        (void)poll(NULL, 0, SLOW_MS);
    else if (f->order == ORDER_DEAF)
        return;
    if (f->order == ORDER_LINGER) {
        say(f->supervisor, "{\"type\":\"retired\"}");
        return;
    }
    postern_config_free(f->setup->take_config);
    log_note("fake: goes");
    exit(0);
}

static void take_message(struct fake *f)
{
    struct channel *c = f->supervisor;
    char type[32] = "";
    int fd = channel_take_fd(c);
    bool is_audit = strcmp(f->role, "audit") == 0;

    (void)channel_text(c, "type", type, sizeof type);
    log_message(c, type, fd);
    if (is_line(type) && fd >= 0) {
        take_line(f, type, fd);
        return;
    }
    if (fd >= 0)
        (void)close(fd);
    if (strcmp(type, "jwks_written") == 0 && f->order == ORDER_STALL)
        log_note("fake: stalls");
    else if (strcmp(type, "jwks_written") == 0)
        become_ready(f);
    else if (strcmp(type, "prepare") == 0)
        answer_prepare(f);
    else if (strcmp(type, "file") == 0 && is_audit)
        become_ready(f); /* said again at a reload: nobody minds */
    else if (strcmp(type, "commit") == 0)
        answer_commit(f);
    else if (strcmp(type, "drain") == 0)
        drain(f);
}

static void listen_to_supervisor(struct fake *f)
{
    while (f->supervisor != NULL)
        switch (channel_receive(f->supervisor, NULL)) {
        case CHANNEL_MESSAGE:
            take_message(f);
            break;
        case CHANNEL_NOTHING:
            return;
        case CHANNEL_CLOSED:
        case CHANNEL_BROKEN:
            postern_config_free(f->setup->take_config);
            exit(0);
        }
}

static void wait_for_all(struct fake *f)
{
    int wait_ms = f->order == ORDER_STALL ? STALL_LOOK_MS : -1;
    struct pollfd polls[1 + LINES_MAX];

    polls[0].fd = f->supervisor == NULL ? -1 : channel_fd(f->supervisor);
    for (size_t i = 0; i < f->line_count; i++)
        polls[1 + i].fd = channel_fd(f->lines[i].channel);
    for (size_t i = 0; i <= f->line_count; i++)
        polls[i].events = POLLIN;
    (void)poll(polls, 1 + f->line_count, wait_ms);
    if (f->order == ORDER_STALL && read_order(f->role) != ORDER_STALL) {
        f->order = ORDER_OK;
        become_ready(f);
    }
}

/* Instead of the real one: roles of ours read their orders, wherever the test has put them. */
postern_err sandbox_restrict_files(const struct sandbox_rules *rules, bool *ret_is_complete,
                                   postern_error *err)
{
    (void)rules;
    (void)err;
    *ret_is_complete = true;
    return POSTERN_OK;
}

static int run_fake(struct role_setup *setup, const char *role)
{
    static struct fake f; /* one process, one role */
    bool is_issuer = strcmp(role, "issuer") == 0;

    f = (struct fake){ .role = role, .setup = setup, .order = read_order(role) };
    if (f.order == ORDER_EXIT)
        return 3;
    if (channel_new(setup->supervisor_fd, &f.supervisor, NULL) != POSTERN_OK)
        return 4;
    if (is_issuer && f.order != ORDER_EARLY)
        say_jwks(f.supervisor, f.order == ORDER_PRIVATE ? PRIVATE_SET : PUBLIC_SET);
    else if (is_issuer || strcmp(role, "helper") == 0 || strcmp(role, "control") == 0)
        become_ready(&f); /* the others wait for "file" and "prepare" */
    for (;;) {
        wait_for_all(&f);
        listen_to_supervisor(&f);
        listen_to_lines(&f);
    }
}

int audit_main(struct role_setup *setup)
{
    return run_fake(setup, "audit");
}

int issuer_main(struct role_setup *setup)
{
    return run_fake(setup, "issuer");
}

int helper_main(struct role_setup *setup)
{
    return run_fake(setup, "helper");
}

int door_main(struct role_setup *setup)
{
    return run_fake(setup, "door");
}

int control_main(struct role_setup *setup)
{
    return run_fake(setup, "control");
}
