/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include "door_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern-private/args_digest.h>
#include <postern-private/json.h>

#include "audit/record.h"
#include "door_certs.h"
#include "role.h"

#define DESCRIPTORS 1024 /* a hundred sessions, both ends of each */

/* ---- sockets ---- */

static int listen_on_loopback(unsigned *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void await_fd(int fd, short what)
{
    struct pollfd p = { .fd = fd, .events = what };

    if (poll(&p, 1, RIG_PATIENCE_S * 1000) != 1)
        fail_msg("nothing came within %d s", RIG_PATIENCE_S);
}

static void await_message(struct channel *c)
{
    postern_error err = { 0 };

    for (;;)
        switch (channel_receive(c, &err)) {
        case CHANNEL_MESSAGE:
            return;
        case CHANNEL_NOTHING:
            await_fd(channel_fd(c), POLLIN);
            break;
        case CHANNEL_CLOSED:
            fail_msg("the door closed a line");
        case CHANNEL_BROKEN:
            fail_msg("%s", err.detail);
        }
}

static void send_text(struct channel *c, const char *text, int fd)
{
    postern_error err = { 0 };
    postern_err e;

    while ((e = channel_send(c, postern_bytes_str(text), fd, &err)) == POSTERN_AGAIN)
        await_fd(channel_fd(c), POLLOUT);
    if (e != POSTERN_OK)
        fail_msg("%s", err.detail);
}

/* ---- configuration ---- */

static void write_folder(struct rig *r)
{
    char *text = test_printf("drain_timeout: 3s\n%s", r->daemon_lines);

    test_folder_put(&r->folder, "postern.conf", text);
    free(text);
    text = test_printf("issuer: " RIG_ISSUER "\njwks_file: %s\nclock_skew: 0s\n",
                       test_folder_at(&r->folder, "keys.json"));
    test_folder_put(&r->folder, "issuers/sso.conf", text);
    free(text);
    text = test_printf("listen: 127.0.0.1:1\nprotocol: %s\nbackend: 127.0.0.1:%u\n"
                       "audience: " RIG_AUDIENCE "\npolicy: cache\n%s",
                       r->protocol == NULL ? "raw" : r->protocol, r->backend_port, r->door_lines);
    test_folder_put(&r->folder, "doors/cache.conf", text);
    free(text);
    test_folder_put(&r->folder, "policies/cache.rules", r->rules);
}

/* A door has libevent make room for all the descriptors that it may have: where that is a million, it
 * takes longer than most of the tests. */
static void limit_descriptors(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void rig_make(struct rig *r)
{
    char *jwks;

    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    limit_descriptors();
    assert_false(r->is_there); /* a test before has failed; its door may still use it */
    memset(r, 0, sizeof *r);
    r->is_there = true;
    r->fds = test_count_fds();
    test_folder_make(&r->folder);
    r->key = test_key_new("P-256");
    jwks = test_key_jwks(r->key, "a", NULL);
    test_folder_put(&r->folder, "keys.json", jwks);
    free(jwks);
    memcpy(r->rules, "allow anyone to *\n", 19);
    r->backend = listen_on_loopback(&r->backend_port);
    assert_int_equal(pthread_mutex_init(&r->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&r->news, NULL), 0);
    for (size_t i = 0; i < RIG_LOOPS; i++) {
        r->recorders[i] = (struct rig_recorder){ .fd = -1, .rig = r };
        r->listeners[i] = listen_on_loopback(&r->ports[i]);
    }
}

bool rig_prepare(struct rig *r)
{
    struct listener list[RIG_LOOPS];
    struct listeners ls = { list, RIG_LOOPS, RIG_LOOPS };
    struct door_set set;
    POSTERN_AUTO(config) config = NULL;
    postern_error err = { 0 };
    bool is_ready;

    write_folder(r);
    for (size_t i = 0; i < RIG_LOOPS; i++)
        list[i] = (struct listener){ LISTENER_DOOR, r->listeners[i],
                                     r->is_network ? "0.0.0.0:1" : "127.0.0.1:1", "cache", i };
    if (postern_config_load(r->folder.path, &config, &err) != POSTERN_OK ||
        door_set_open(config, &set, &err) != POSTERN_OK ||
        door_set_send(&set, &ls, RIG_LOOPS, r->door, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    door_set_close(&set);
    await_message(r->door);
    if (channel_type_is(r->door, "certificate")) {
        assert_true(channel_text(r->door, "pem", r->pem, sizeof r->pem));
        await_message(r->door);
    }
    is_ready = channel_type_is(r->door, "ready");
    assert_true(is_ready || channel_type_is(r->door, "unready"));
    return is_ready;
}

void rig_tell(struct rig *r, const char *type)
{
    assert_int_equal(channel_send_type(r->door, type, -1, NULL), POSTERN_OK);
}

void rig_commit(struct rig *r)
{
    rig_tell(r, "commit");
    rig_await_door(r, "committed"); /* by every loop */
}

void rig_await_door(struct rig *r, const char *type)
{
    await_message(r->door);
    if (!channel_type_is(r->door, type))
        fail_msg("the door said something else than %s", type);
}

/* ---- the door's life ---- */

static void *run_door(void *arg)
{
    struct rig *r = arg;
    struct role_setup setup = { .admin_fd = -1, .status_fd = -1, .saslauthd_fd = -1, .state_dir_fd = -1 };

    setup.supervisor_fd = r->status;
    r->status = door_main(&setup);
    return NULL;
}

static struct channel *give_line(struct rig *r, const char *message)
{
    struct channel *ours = NULL;
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &ours, NULL), POSTERN_OK);
    send_text(r->door, message, fds[1]);
    assert_int_equal(close(fds[1]), 0);
    return ours;
}

void rig_start_bare(struct rig *r)
{
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &r->door, NULL), POSTERN_OK);
    r->status = fds[1];
    assert_int_equal(pthread_create(&r->thread, NULL, run_door, r), 0);
}

/* For digests of what is done; as long as the supervisor's. */
static void give_args_key(struct rig *r)
{
    char key[ARGS_DIGEST_KEY_LEN + 1] = "a key of thirty-two bytes for it";
    int fd = test_text_fd(key, ARGS_DIGEST_KEY_LEN);

    send_text(r->door, "{\"type\":\"args_key\"}", fd);
    assert_int_equal(close(fd), 0);
}

void rig_start(struct rig *r)
{
    rig_start_bare(r);
    r->issuer = give_line(r, "{\"type\":\"issuer\"}");
    r->control = give_line(r, "{\"type\":\"control\"}");
    give_args_key(r);
    rig_block(r, NULL); /* it is ready when it knows who is blocked */
    assert_true(rig_prepare(r));
    rig_give_audit(r);
    rig_commit(r);
    rig_block(r, NULL); /* answered when every loop has heard it: the settings are in force */
}

void rig_free(struct rig *r)
{
    rig_take_audit(r);
    channel_free(r->door);
    channel_free(r->issuer);
    channel_free(r->control);
    for (size_t i = 0; i < RIG_LOOPS; i++)
        assert_int_equal(close(r->listeners[i]), 0);
    assert_int_equal(close(r->backend), 0);
    for (size_t i = 0; i < r->record_count; i++)
        free(r->records[i]);
    assert_int_equal(pthread_mutex_destroy(&r->lock), 0);
    assert_int_equal(pthread_cond_destroy(&r->news), 0);
    test_key_free(r->key);
    test_folder_remove(&r->folder);
    if (!r->keeps_fds)
        assert_int_equal(test_count_fds(), r->fds);
    r->is_there = false;
}

void rig_join(struct rig *r)
{
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    assert_int_equal(r->status, 0);
    rig_free(r);
}

void rig_end(struct rig *r)
{
    assert_int_equal(shutdown(channel_fd(r->door), SHUT_RDWR), 0);
    rig_join(r);
}

/* ---- audit ---- */

static void keep_record(struct rig *r, const char *text)
{
    assert_true(r->record_count < RIG_RECORDS_MAX);
    r->records[r->record_count] = strdup(text);
    assert_non_null(r->records[r->record_count]);
    r->record_count++;
    (void)pthread_cond_broadcast(&r->news);
}

/* The lock is held, so that confirmations leave in the order of their records. */
static bool confirm(struct rig_recorder *w, int64_t id)
{
    char answer[64];
    int n = snprintf(answer, sizeof answer, "{\"type\":\"done\",\"id\":%lld}", (long long)id);

    return n > 0 && send(w->fd, answer, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Keep it, and confirm it at once or later.  False: the door is gone. */
static bool take_record(struct rig_recorder *w, postern_bytes record, int64_t id)
{
    char text[AUDIT_RECORD_MAX + 1];
    bool is_there = true;

    if (record.len > AUDIT_RECORD_MAX)
        abort();
    memcpy(text, record.ptr, record.len);
    text[record.len] = '\0';
    pthread_mutex_lock(&w->rig->lock);
    keep_record(w->rig, text);
    if (!w->rig->is_held)
        is_there = confirm(w, id);
    else if (w->pending_count < RIG_PENDING_MAX)
        w->pending[w->pending_count++] = id;
    pthread_mutex_unlock(&w->rig->lock);
    return is_there;
}

/* "record", or "records" with a number each. */
static bool take_message(struct rig_recorder *w, postern_bytes message)
{
    POSTERN_AUTO_JSON j = { 0 };
    bool is_there = true;
    int64_t id;
    uint32_t node;

    if (postern_json_scan(&j, message, NULL) != POSTERN_OK ||
        !postern_json_integer(&j, postern_json_member(&j, 0, "id"), &id))
        abort();
    node = postern_json_member(&j, 0, "record");
    if (node != POSTERN_JSON_ABSENT)
        return take_record(w, postern_json_raw(&j, node), id);
    node = postern_json_first(&j, postern_json_member(&j, 0, "records"));
    for (; node != POSTERN_JSON_ABSENT && is_there; node = postern_json_next(&j, node))
        is_there = take_record(w, postern_json_raw(&j, node), id++);
    return is_there;
}

/* Ends when the door is gone, or has a new line. */
static void *record(void *arg)
{
    struct rig_recorder *w = arg;
    static _Thread_local uint8_t room[CHANNEL_MESSAGE_MAX];
    ssize_t n;

    do
        n = recv(w->fd, room, sizeof room, 0);
    while (n > 0 && take_message(w, (postern_bytes){ room, (size_t)n }));
    return NULL;
}

void rig_give_audit(struct rig *r)
{
    for (size_t i = 0; i < RIG_LOOPS; i++) {
        char message[64];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        r->recorders[i].fd = fds[0];
        assert_int_equal(pthread_create(&r->recorders[i].thread, NULL, record, &r->recorders[i]), 0);
        assert_true(snprintf(message, sizeof message, "{\"type\":\"audit\",\"loop\":%zu}", i) > 0);
        send_text(r->door, message, fds[1]);
        assert_int_equal(close(fds[1]), 0);
    }
}

void rig_give_writers(struct rig *r, struct channel *audit)
{
    for (size_t i = 0; i < RIG_LOOPS; i++) {
        char message[64];
        int fds[2];

        assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
        assert_true(snprintf(message, sizeof message, "{\"type\":\"audit\",\"loop\":%zu}", i) > 0);
        send_text(audit, "{\"type\":\"writer\",\"role\":\"door\"}", fds[0]);
        send_text(r->door, message, fds[1]);
        assert_int_equal(close(fds[0]) + close(fds[1]), 0);
    }
}

void rig_take_audit(struct rig *r)
{
    for (size_t i = 0; i < RIG_LOOPS; i++) {
        if (r->recorders[i].fd < 0)
            continue;
        (void)shutdown(r->recorders[i].fd, SHUT_RDWR); /* closed by the door before is fine */
        assert_int_equal(pthread_join(r->recorders[i].thread, NULL), 0);
        assert_int_equal(close(r->recorders[i].fd), 0);
        r->recorders[i].fd = -1;
        r->recorders[i].pending_count = 0;
    }
}

void rig_hold_audit(struct rig *r, bool is_held)
{
    pthread_mutex_lock(&r->lock);
    r->is_held = is_held;
    for (size_t i = 0; !is_held && i < RIG_LOOPS; i++) {
        struct rig_recorder *w = &r->recorders[i];

        for (size_t k = 0; k < w->pending_count; k++)
            (void)confirm(w, w->pending[k]); /* of a line that is gone: nobody waits */
        w->pending_count = 0;
    }
    pthread_mutex_unlock(&r->lock);
}

static bool has_all(const char *text, const char *a, const char *b, const char *c)
{
    return (a == NULL || strstr(text, a) != NULL) && (b == NULL || strstr(text, b) != NULL) &&
           (c == NULL || strstr(text, c) != NULL);
}

size_t rig_await_record(struct rig *r, size_t from, const char *a, const char *b, const char *c)
{
    struct timespec until;
    size_t i = from;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += RIG_PATIENCE_S;
    pthread_mutex_lock(&r->lock);
    for (;; i++) {
        while (i >= r->record_count)
            if (pthread_cond_timedwait(&r->news, &r->lock, &until) == ETIMEDOUT) {
                for (size_t k = 0; k < r->record_count; k++)
                    fprintf(stderr, "%s\n", r->records[k]);
                pthread_mutex_unlock(&r->lock);
                fail_msg("no record with %s %s %s", a, b == NULL ? "" : b, c == NULL ? "" : c);
            }
        if (has_all(r->records[i], a, b, c))
            break;
    }
    pthread_mutex_unlock(&r->lock);
    return i;
}

size_t rig_record_count(struct rig *r)
{
    return rig_count_records(r, NULL, NULL);
}

size_t rig_count_records(struct rig *r, const char *a, const char *b)
{
    size_t count = 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->record_count; i++)
        count += has_all(r->records[i], a, b, NULL);
    pthread_mutex_unlock(&r->lock);
    return count;
}

/* ---- issuer and control ---- */

static int64_t await_done(struct channel *c, int64_t want_id)
{
    int64_t id = -1, ended = 0;

    await_message(c);
    assert_true(channel_type_is(c, "done"));
    assert_true(channel_integer(c, "id", &id));
    assert_int_equal(id, want_id);
    (void)channel_integer(c, "ended", &ended); /* control alone */
    return ended;
}

static int64_t send_control(struct rig *r, const char *type, const char *more)
{
    char *text = test_printf("{\"type\":\"%s\",\"id\":%lld%s}", type, (long long)++r->last_id, more);

    send_text(r->control, text, -1);
    free(text);
    return r->last_id;
}

const struct channel *rig_ask(struct rig *r, const char *type, const char *more)
{
    (void)send_control(r, type, more);
    await_message(r->control);
    return r->control;
}

int64_t rig_control(struct rig *r, const char *type, const char *more)
{
    int64_t id = send_control(r, type, more);

    return await_done(r->control, id);
}

static char *revocation_of(struct rig *r, const char *kind, const char *name, int64_t before_s)
{
    return test_printf("{\"type\":\"revoke\",\"id\":%lld,\"issuer\":\"" RIG_ISSUER
                       "\",\"%s\":\"%s\",\"before\":%lld}",
                       (long long)++r->last_id, kind, name, (long long)before_s);
}

static char *revocation(struct rig *r, const char *client, int64_t before_s)
{
    return revocation_of(r, "client", client, before_s);
}

void rig_send_revoke(struct rig *r, const char *client)
{
    char *text = revocation(r, client, time(NULL));

    send_text(r->issuer, text, -1);
    free(text);
}

/* One that is no news is acknowledged at once. */
void rig_await_heard_revoke(struct rig *r, const char *client)
{
    char *text = revocation(r, client, 1);

    send_text(r->issuer, text, -1);
    free(text);
    (void)await_done(r->issuer, r->last_id);
}

static void take_ack(struct rig *r, int64_t want)
{
    int64_t id = -1;

    await_message(r->issuer);
    assert_true(channel_integer(r->issuer, "id", &id));
    assert_int_equal(id, want);
}

void rig_revoke_many(struct rig *r, size_t count)
{
    int64_t next = r->last_id + 1, last = r->last_id + (int64_t)count;

    for (size_t i = 0; i < count; i++) {
        char *name = test_printf("gone-%zu", i), *text = revocation(r, name, time(NULL));

        while (channel_send(r->issuer, postern_bytes_str(text), -1, NULL) == POSTERN_AGAIN)
            take_ack(r, next++); /* it takes no more until somebody reads */
        free(text);
        free(name);
    }
    while (next <= last)
        take_ack(r, next++);
}

void rig_issuer_revoke(struct rig *r, const char *client)
{
    rig_send_revoke(r, client);
    (void)await_done(r->issuer, r->last_id); /* it is told no number */
}

void rig_issuer_ready(struct rig *r)
{
    char *text = test_printf("{\"type\":\"revocations_ready\",\"id\":%lld,\"issuer\":\"" RIG_ISSUER
                             "\"}",
                             (long long)++r->last_id);

    send_text(r->issuer, text, -1);
    free(text);
    (void)await_done(r->issuer, r->last_id);
}

void rig_issuer_revoke_kind(struct rig *r, const char *kind, const char *name)
{
    char *text = revocation_of(r, kind, name, time(NULL));

    send_text(r->issuer, text, -1);
    free(text);
    (void)await_done(r->issuer, r->last_id);
}

int64_t rig_send_block(struct rig *r, const char *agent)
{
    send_text(r->control, "{\"type\":\"blocks_begin\"}", -1);
    if (agent != NULL) {
        char *text = test_printf("{\"type\":\"block\",\"agent\":\"%s\",\"until\":0,"
                                 "\"reason\":\"it looped\",\"contact\":\"ops@example.org\"}",
                                 agent);

        send_text(r->control, text, -1);
        free(text);
    }
    return send_control(r, "blocks_end", "");
}

int64_t rig_await_block(struct rig *r, int64_t id)
{
    return await_done(r->control, id);
}

int64_t rig_block(struct rig *r, const char *agent)
{
    return rig_await_block(r, rig_send_block(r, agent));
}

const char *rig_sessions(struct rig *r)
{
    static char text[CHANNEL_MESSAGE_MAX + 1];
    char *question = test_printf("{\"type\":\"sessions\",\"id\":%lld}", (long long)++r->last_id);
    postern_bytes raw;

    send_text(r->control, question, -1);
    free(question);
    await_message(r->control);
    assert_true(channel_type_is(r->control, "sessions"));
    raw = postern_json_raw(channel_message(r->control), 0);
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = '\0';
    return text;
}

int64_t rig_metric(struct rig *r, const char *name)
{
    static char text[CHANNEL_MESSAGE_MAX];
    char *question = test_printf("{\"type\":\"metrics\",\"id\":%lld}", (long long)++r->last_id);
    char *line = test_printf("\n%s ", name), *at;
    int64_t n;

    send_text(r->control, question, -1);
    await_message(r->control);
    assert_true(channel_type_is(r->control, "metrics"));
    assert_true(channel_text(r->control, "text", text, sizeof text));
    at = strstr(text, line);
    assert_non_null(at);
    n = strtoll(at + strlen(line), NULL, 10);
    free(question);
    free(line);
    return n;
}

void rig_await_metric(struct rig *r, const char *name, int64_t want)
{
    time_t until = time(NULL) + RIG_PATIENCE_S;
    int64_t is;

    while ((is = rig_metric(r, name)) != want) {
        if (time(NULL) > until)
            fail_msg("%s is %lld, not %lld", name, (long long)is, (long long)want);
        (void)poll(NULL, 0, 5); /* it is a question, there is nothing to wait on */
    }
}

/* ---- clients ---- */

char *rig_token_with(struct rig *r, const char *client, int64_t life_s, const char *audience,
                     const char *more)
{
    int64_t now_s = time(NULL);
    char *claims = test_printf("{\"iss\":\"" RIG_ISSUER "\",\"aud\":\"%s\",\"sub\":\"alice\","
                               "\"client_id\":\"%s\",\"jti\":\"j-%lld\",\"iat\":%lld,\"exp\":%lld%s}",
                               audience, client, (long long)++r->last_id, (long long)now_s,
                               (long long)(now_s + life_s), more);
    char *token = test_token(r->key, "ES256", "a", claims);

    free(claims);
    return token;
}

char *rig_token(struct rig *r, const char *client, int64_t life_s)
{
    return rig_token_with(r, client, life_s, RIG_AUDIENCE, "");
}

int rig_dial(struct rig *r, size_t loop)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { .tv_sec = RIG_PATIENCE_S };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)r->ports[loop]);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

void rig_say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

char *rig_login_text(const char *token, const char *behind)
{
    char *message = test_printf("n,,\001auth=Bearer %s\001\001", token);
    size_t len = strlen(message);
    unsigned char *base64 = malloc(len / 3 * 4 + 5);
    char *text;

    assert_non_null(base64);
    (void)EVP_EncodeBlock(base64, (unsigned char *)message, (int)len);
    text = test_printf("AUTH OAUTHBEARER %s\r\n%s", (char *)base64, behind);
    free(base64);
    free(message);
    return text;
}

void rig_login(int fd, const char *token, const char *behind)
{
    char *text = rig_login_text(token, behind);

    rig_say(fd, text);
    free(text);
}

const char *rig_hear(int fd)
{
    static char line[8192];
    size_t len = 0;
    ssize_t n;

    while (len + 1 < sizeof line && (n = recv(fd, line + len, 1, 0)) == 1 && line[len] != '\n')
        len++;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    return line;
}

const char *rig_member(const char *line, const char *name)
{
    static char value[1024];
    POSTERN_AUTO_JSON j = { 0 };
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(sizeof value);
    const char *object = strchr(line, '{');
    postern_bytes text;

    value[0] = '\0';
    if (object != NULL && postern_json_scan(&j, postern_bytes_str(object), NULL) == POSTERN_OK &&
        postern_json_string(&j, postern_json_member(&j, 0, name), &scratch, &text) &&
        text.len < sizeof value) {
        memcpy(value, text.ptr, text.len);
        value[text.len] = '\0';
    }
    return value;
}

void rig_assert_ended(int fd)
{
    char room[4096];
    ssize_t n;

    while ((n = recv(fd, room, sizeof room, 0)) > 0)
        ;
    if (n < 0 && errno != ECONNRESET)
        fail_msg("the connection did not end: %s", strerror(errno));
    assert_int_equal(close(fd), 0);
}

void rig_assert_refused(int fd, const char *reason, const char *retry)
{
    const char *line = rig_hear(fd);

    if (strncmp(line, "ERR {", 5) != 0 || strcmp(rig_member(line, "reason"), reason) != 0 ||
        strcmp(rig_member(line, "retry"), retry) != 0)
        fail_msg("not %s, retry %s: %s", reason, retry, line);
    rig_assert_ended(fd);
}

void rig_assert_hears(int fd, const char *text)
{
    char room[4096];
    size_t len = strlen(text), got = 0;

    assert_true(len < sizeof room);
    while (got < len) {
        ssize_t n = recv(fd, room + got, len - got, 0);

        if (n <= 0)
            fail_msg("heard %zu bytes instead of \"%s\"", got, text);
        got += (size_t)n;
    }
    assert_memory_equal(room, text, len);
}

void rig_reset(int fd)
{
    struct linger now = { .l_onoff = 1 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    assert_int_equal(close(fd), 0);
}

struct rig_session rig_open(struct rig *r, size_t loop, const char *token)
{
    struct rig_session s = { .client = rig_dial(r, loop) };
    const char *line;
    size_t at;

    rig_login(s.client, token, "");
    line = rig_hear(s.client);
    if (strncmp(line, "OK {", 4) != 0)
        fail_msg("not granted: %s", line);
    assert_true(snprintf(s.secret, sizeof s.secret, "%s", rig_member(line, "session")) > 0);
    at = rig_await_record(r, 0, "\"event\":\"login\"", rig_member(line, "ref"), NULL);
    pthread_mutex_lock(&r->lock);
    line = strstr(r->records[at], "\"session\":\"S-");
    assert_non_null(line);
    memcpy(s.id, line + 11, 12);
    pthread_mutex_unlock(&r->lock);
    s.backend = rig_accept(r);
    return s;
}

void rig_assert_lives(const struct rig_session *s)
{
    rig_say(s->client, "ping\n");
    rig_assert_hears(s->backend, "ping\n");
    rig_say(s->backend, "pong\n");
    rig_assert_hears(s->client, "pong\n");
}

void rig_close(struct rig_session *s)
{
    assert_int_equal(close(s->client), 0);
    assert_int_equal(close(s->backend), 0);
}

/* ---- backend ---- */

int rig_accept(struct rig *r)
{
    struct timeval patience = { .tv_sec = RIG_PATIENCE_S };
    int fd;

    await_fd(r->backend, POLLIN);
    fd = accept4(r->backend, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

bool rig_is_untouched(const struct rig *r)
{
    struct pollfd p = { .fd = r->backend, .events = POLLIN };

    return poll(&p, 1, 0) == 0;
}
