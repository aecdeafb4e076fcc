/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/helper/server.c and login.c on a real loop and real sockets, with a validation that waits
 * until the test lets it go: this file's postern_validate_start() takes the place of lib/oauth's.
 * No time passes: the loop only ever looks at what is ready.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern-private/frame.h>
#include <postern/client.h>
#include <postern/validate.h>

#include "grant/grant.h"
#include "grant/op.h"
#include "grant/reply.h"
#include "helper/server.h"

#include "../support/audit_child.h"
#include "../support/test_policy.h"

#define NONCE    "AAECAwQFBgcICQoLDA0ODw"
#define STRANGER 64711 /* a uid that no service file names */
#define LOGINS   200

/* ---- a validation that waits ---- */

struct held {
    postern_op op;
    int fd;
    postern_err verdict; /* UNSET: not yet */
};
static struct held *held[LOGINS + 8];
static size_t held_count, freed_count;

static postern_err step_held(postern_op *op, postern_error *err)
{
    struct held *h = (struct held *)op;
    static const struct postern_grant_facts facts = {
        .service = { (const uint8_t *)"imap", 4 },
        .issuer = { (const uint8_t *)"https://as.example", 18 },
        .subject = { (const uint8_t *)"alice", 5 },
        .client_id = { (const uint8_t *)"agent-7", 7 },
        .user = { (const uint8_t *)"alice", 5 },
        .audience = { (const uint8_t *)"https://mail.example/imap", 25 },
        .jti = { (const uint8_t *)"j-1", 3 },
        .exp_s = 9,
        .iat_s = 1,
    };

    if (h->verdict == POSTERN_ERR_UNSET)
        return POSTERN_AGAIN;
    if (h->verdict == POSTERN_OK)
        return postern_grant_from_proof(&facts, &op->grant, err);
    if (postern_op_tell(op) == NULL)
        return POSTERN_FAIL(err, NOMEM, "failure");
    memcpy(op->failure->scope, "mail", 5);
    memcpy(op->failure->issuer, "https://as.example", 19);
    return postern_error_set(err, h->verdict, __FILE__, __LINE__, "as the test says");
}

static int fd_of_held(const postern_op *op)
{
    return ((const struct held *)op)->fd;
}

static void destroy_held(postern_op *op)
{
    (void)close(((struct held *)op)->fd);
    freed_count++;
}

static const struct postern_op_class held_class = {
    .name = "held",
    .size = sizeof(struct held),
    .step = step_held,
    .fd = fd_of_held,
    .destroy = destroy_held,
};

postern_err postern_validate_start(postern_context *ctx, const postern_request *rq,
                                   postern_op **ret_op, postern_error *err)
{
    struct held *h;

    (void)ctx;
    POSTERN_TRY(postern_op_new(&held_class, NULL, 0, ret_op, err));
    h = (struct held *)*ret_op;
    h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!postern_bytes_equal_str(rq->token, "hold"))
        h->verdict = rq->token.len == 0                           ? POSTERN_ERR_NO_TOKEN
                     : postern_bytes_equal_str(rq->token, "good") ||
                             postern_bytes_equal_str(rq->token, "eyJ.good.b")
                         ? POSTERN_OK
                         : POSTERN_ERR_AUD;
    assert_true(h->fd >= 0 && held_count < sizeof held / sizeof held[0]);
    held[held_count++] = h;
    return POSTERN_OK;
}

/* ---- a word that comes meanwhile: these take the place of lib/oauth's, too ---- */

static uint64_t words;
static postern_err verdict_of_now;

uint64_t postern_context_words(const postern_context *ctx)
{
    (void)ctx;
    return words;
}

postern_err postern_context_judge_again(postern_context *ctx, const postern_grant *g,
                                        postern_failure *ret_failure, postern_error *err)
{
    (void)ctx;
    assert_string_equal(postern_grant_client_id(g), "agent-7");
    *ret_failure = (postern_failure){ .code = verdict_of_now };
    if (verdict_of_now == POSTERN_OK)
        return POSTERN_OK;
    return postern_error_set(err, verdict_of_now, __FILE__, __LINE__, "as the test says");
}

void postern_context_describe(const postern_context *ctx, const char *service, postern_failure *ret)
{
    (void)ctx;
    *ret = (postern_failure){ .scope = "mail" };
    assert_true(snprintf(ret->openid_configuration, sizeof ret->openid_configuration,
                         "https://as.example/%s", service) > 0);
}

static void release(size_t i, postern_err verdict)
{
    held[i]->verdict = verdict;
    assert_int_equal(eventfd_write(held[i]->fd, 1), 0);
}

/* ---- the world ---- */

struct world {
    struct helper helper;
    struct server *server;
    postern_config *config;
    struct login_policy policies[2];
    struct login_policies all_policies;
    char folder[64], path[96], stream_path[96];
    int listener, stream_listener; /* the second speaks saslauthd's protocol */
    struct audit_child audit; /* the real one */
    int wish_count;           /* how often a line to it was asked for */
};

static void put_file(const struct world *w, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", w->folder, name) < sizeof path);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void put_folder(const struct world *w, const char *name)
{
    char path[128];

    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", w->folder, name) < sizeof path);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void load_config(struct world *w)
{
    char text[256];
    postern_error err = { 0 };

    put_folder(w, "issuers");
    put_folder(w, "services");
    put_file(w, "postern.conf", "helper_max_connections: 512\n"
             "saslauthd_socket: /run/mux\nservices: imap judged\n");
    put_file(w, "issuers/test.conf",
             "issuer: https://as.example\njwks_file: /nonexistent/jwks.json\n");
    assert_true((size_t)snprintf(text, sizeof text,
                                 "# who\nhelper_peers: %u\naudience: "
                                 "https://mail.example/imap\nmech_list: OAUTHBEARER\nopaque_prefix: opaq_\n",
                                 (unsigned)getuid()) < sizeof text);
    put_file(w, "services/imap.conf", text);
    assert_true((size_t)snprintf(text, sizeof text,
                                 "helper_peers: %u\naudience: https://mail.example/judged\npolicy: t\n",
                                 (unsigned)getuid()) < sizeof text);
    put_file(w, "services/judged.conf", text);
    assert_true((size_t)snprintf(text, sizeof text,
                                 "helper_peers: %u\naudience: https://mail.example/shadow\npolicy: t\n"
                                 "policy_mode: shadow\n",
                                 (unsigned)getuid()) < sizeof text);
    put_file(w, "services/shadow.conf", text);
    put_file(w, "services/ldap.conf",
             "audience: https://mail.example/ldap\nhelper_peers: 64799 group:64798\n");
    if (postern_config_load(w->folder, &w->config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static int listen_at(const struct world *w, char *path, size_t size, const char *name, int type)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true((size_t)snprintf(path, size, "%s/%s", w->folder, name) < size);
    memcpy(a.sun_path, path, strlen(path) + 1);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(listen(fd, 1024), 0);
    return fd;
}

static void listen_world(struct world *w)
{
    w->listener = listen_at(w, w->path, sizeof w->path, "helper.sock", SOCK_SEQPACKET);
    w->stream_listener = listen_at(w, w->stream_path, sizeof w->stream_path, "mux", SOCK_STREAM);
}

static void count_wish(void *arg)
{
    ((struct world *)arg)->wish_count++;
}

static void note_idle(void *arg)
{
    server_note_idle_audit(((struct world *)arg)->server);
}

static struct world *make_world(size_t connections_max)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    memcpy(w->folder, "/tmp/postern-server.XXXXXX", 27);
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(chmod(w->folder, 0755), 0);
    load_config(w);
    listen_world(w);
    w->helper.config = w->config;
    w->helper.policies = &w->all_policies;
    w->all_policies = (struct login_policies){ w->policies, 0 };
    w->helper.base = event_base_new();
    assert_non_null(w->helper.base);
    audit_child_start(&w->audit, w->helper.base);
    assert_int_equal(audit_line_new(w->helper.base, (struct audit_line_owner){ .want_line = count_wish, .idle = note_idle, .arg = w },
                                    &w->helper.audit, NULL),
                     POSTERN_OK);
    audit_line_set(w->helper.audit, audit_child_writer(&w->audit));
    assert_int_equal(peers_new(w->config, &w->helper.peers, NULL), POSTERN_OK);
    assert_int_equal(handles_new(w->helper.base, &w->helper.handles, NULL), POSTERN_OK);
    assert_int_equal(server_new(&w->helper,
                                &(struct server_sockets){ &w->listener, 1, w->stream_listener },
                                connections_max, &w->server, NULL),
                     POSTERN_OK);
    server_begin(w->server);
    held_count = freed_count = 0;
    return w;
}

static int set_up(void **state)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    *state = make_world(512);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];
    static const char *const files[] = {
        "services/imap.conf", "services/ldap.conf", "services/judged.conf", "services/shadow.conf",
        "services", "issuers/test.conf", "issuers",
        "postern.conf",       "helper.sock",        "mux"
    };

    server_free(w->server);
    audit_line_free(w->helper.audit);
    audit_child_stop(&w->audit);
    for (size_t i = 0; i < w->all_policies.count; i++)
        postern_policy_free(w->policies[i].policy);
    handles_free(w->helper.handles);
    event_base_free(w->helper.base);
    peers_free(w->helper.peers);
    postern_config_free(w->config);
    (void)close(w->listener);
    (void)close(w->stream_listener);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_true((size_t)snprintf(command, sizeof command, "%s/%s", w->folder, files[i]) <
                    sizeof command);
        (void)remove(command);
    }
    (void)rmdir(w->folder);
    free(w);
    return 0;
}

/* Until nothing is ready any more: every look serves at least one event of each descriptor that has
 * one. */
static void spin(struct world *w)
{
    for (int i = 0; i < 20; i++)
        assert_in_range(event_base_loop(w->helper.base, EVLOOP_NONBLOCK), 0, 1);
}

/* The same, until the server looks also at callers whose request is in flight. */
static void spin_until_freed(struct world *w, size_t count)
{
    for (int i = 0; i < 100 && freed_count != count; i++)
        assert_in_range(event_base_loop(w->helper.base, EVLOOP_ONCE), 0, 1);
    spin(w);
}

/* The same, and the loop was told to end. */
static bool spin_to_exit(struct world *w)
{
    for (int i = 0; i < 20; i++) {
        assert_in_range(event_base_loop(w->helper.base, EVLOOP_NONBLOCK), 0, 1);
        if (event_base_got_exit(w->helper.base))
            return true;
    }
    return false;
}

static int dial(const struct world *w)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(a.sun_path, w->path, strlen(w->path) + 1);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Connect as a user whom no service names; root can, and anyone else is such a user already where
 * `own` is not allowed. */
static int dial_as_stranger(const struct world *w)
{
    int fd;

    if (geteuid() != 0)
        return dial(w);
    assert_int_equal(seteuid(STRANGER), 0);
    fd = dial(w);
    assert_int_equal(seteuid(0), 0);
    return fd;
}

static void say(int fd, const char *frame)
{
    assert_int_equal(send(fd, frame, strlen(frame), MSG_NOSIGNAL), (ssize_t)strlen(frame));
}

static void ask_by(int fd, const char *carrier, const char *service, const char *token)
{
    char text[512];

    assert_true((size_t)snprintf(text, sizeof text,
                                 "{\"v\":1,\"op\":\"verify\",\"nonce\":\"" NONCE
                                 "\",\"service\":\"%s\",\"token\":\"%s\","
                                 "\"carrier\":\"%s\",\"tls\":\"on\",\"peer\":\"192.0.2.1\"}",
                                 service, token, carrier) < sizeof text);
    say(fd, text);
}

static void ask(int fd, const char *service, const char *token)
{
    ask_by(fd, "sasl", service, token);
}

/* The verdict that a client would see. */
static postern_err hear_of(int fd, const char *service, postern_failure *ret_failure)
{
    uint8_t room[POSTERN_HELPER_FRAME_MAX];
    ssize_t got = recv(fd, room, sizeof room, MSG_DONTWAIT);
    POSTERN_AUTO(grant) g = NULL;

    assert_true(got > 0);
    return postern_grant_from_reply((postern_bytes){ room, (size_t)got }, POSTERN_BYTES_LIT(NONCE),
                                    service, &g, ret_failure, NULL);
}

static postern_err hear(int fd, postern_failure *ret_failure)
{
    return hear_of(fd, "imap", ret_failure);
}

static postern_err hear_verdict(int fd)
{
    postern_failure failure;

    return hear(fd, &failure);
}

static void assert_nothing_yet(int fd)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void assert_closed(int fd)
{
    char c;
    ssize_t got = recv(fd, &c, 1, MSG_DONTWAIT);

    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    (void)close(fd);
}

/* A stream's verdict is told before. */
static void spin_until_written(struct world *w)
{
    while (!audit_line_is_idle(w->helper.audit))
        assert_in_range(event_base_loop(w->helper.base, EVLOOP_ONCE), 0, 1);
}

static void read_record(struct world *w, char line[AUDIT_LINE_MAX])
{
    spin_until_written(w);
    assert_true(audit_child_line(&w->audit, line));
}

/* The line has this member with this text. */
static void assert_member(const char *line, const char *name, const char *want)
{
    POSTERN_AUTO_JSON j = { 0 };
    uint32_t node;

    assert_int_equal(postern_json_scan(&j, postern_bytes_str(line), NULL), POSTERN_OK);
    node = postern_json_member(&j, 0, name);
    if (node == POSTERN_JSON_ABSENT || !postern_json_string_is(&j, node, want))
        fail_msg("%s is not %s in %s", name, want, line);
}

static void assert_no_record(struct world *w)
{
    char line[AUDIT_LINE_MAX];

    assert_false(audit_child_line(&w->audit, line));
}

/* ---- one login ---- */

static void a_login_is_answered_and_recorded(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    ask(fd, "imap", "good");
    spin(w);
    assert_int_equal(hear(fd, &failure), POSTERN_OK);
    read_record(w, line);
    assert_member(line, "outcome", "proved");
    assert_member(line, "event", "verify");
    assert_member(line, "service", "imap");
    assert_member(line, "peer", "192.0.2.1");
    assert_member(line, "ref", failure.ref);
    assert_member(line, "jti", "j-1");
    assert_member(line, "user", "alice");
    assert_member(line, "agent", "agent-7");
    assert_member(line, "human", "alice");
    assert_null(strstr(line, "authcid")); /* login_as: user */
    assert_null(strstr(line, "fingerprint"));
    ask(fd, "imap", "good"); /* the connection stays usable */
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK);
    (void)close(fd);
}

static void a_refusal_names_the_line_that_decided(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    ask(fd, "imap", "CANARY");
    spin(w);
    assert_int_equal(hear(fd, &failure), POSTERN_ERR_AUD);
    assert_string_equal(failure.scope, "mail");
    assert_int_equal(strlen(failure.ref), 12);
    assert_int_equal(strncmp(failure.ref, "R-", 2), 0);
    read_record(w, line);
    assert_member(line, "outcome", "rejected");
    assert_member(line, "reason", "aud");
    assert_member(line, "ref", failure.ref);
    assert_member(line, "setting", "audience");
    assert_member(line, "origin", "services/imap.conf:3");
    assert_member(line, "iss", "https://as.example");
    assert_non_null(strstr(line, "\"fingerprint\":\""));
    assert_null(strstr(line, "CANARY"));
    (void)close(fd);
}

static void what_may_be_a_persons_password_is_not_even_hashed(void **state)
{
    static const struct {
        const char *password;
        bool is_token;
    } cases[] = {
        { "correct.horse.battery", false },
        { "eyJhbGciOiJFUzI1NiJ9", false },
        { "eyJ..", false },
        { "eyJhbGciOiJFUzI1NiJ9.e30.", false },
        { "eyJhbGciOiJFUzI1NiJ9.e30.c2ln", true },
    };
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask_by(fd, "password", "imap", cases[i].password);
        spin(w);
        assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUD);
        read_record(w, line);
        assert_member(line, "carrier", "password");
        assert_int_equal(strstr(line, "fingerprint") != NULL, cases[i].is_token);
    }
    (void)close(fd);
}

static void a_stranger_may_not_ask_as_ldap(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX], text[32];
    uint8_t room[4096];
    ssize_t got;
    POSTERN_AUTO(grant) g = NULL;
    int fd = dial_as_stranger(w);

    ask(fd, "ldap", "good");
    spin(w);
    got = recv(fd, room, sizeof room, MSG_DONTWAIT);
    assert_true(got > 0);
    assert_int_equal(postern_grant_from_reply((postern_bytes){ room, (size_t)got },
                                              POSTERN_BYTES_LIT(NONCE), "ldap", &g, &failure, NULL),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(held_count, 0); /* the token was not looked at */
    read_record(w, line);
    assert_member(line, "reason", "peer_not_allowed");
    assert_member(line, "setting", "helper_peers");
    assert_member(line, "origin", "services/ldap.conf:2");
    assert_true((size_t)snprintf(text, sizeof text, "\"uid\":%u,",
                                 geteuid() == 0 ? STRANGER : (unsigned)geteuid()) < sizeof text);
    assert_non_null(strstr(line, text));
    (void)close(fd);
}

/* One local process must not fill the disk with its refusals, nor keep a verdict out of the log by trying. */
static void a_stranger_fills_neither_the_log_nor_a_verdicts_place_in_it(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX], room[4096];
    int stranger = dial_as_stranger(w), host = dial(w);
    int records = 0;

    for (int i = 0; i < QUOTA_BURST + 40; i++) {
        ask(stranger, i % 2 == 0 ? "ldap" : "pop", "good");
        spin(w);
        assert_true(recv(stranger, room, sizeof room, MSG_DONTWAIT) > 0); /* refused all the same */
    }
    spin_until_written(w);
    while (audit_child_line(&w->audit, line))
        records++;
    assert_in_range(records, QUOTA_BURST, QUOTA_BURST + 20); /* one more a second, were it so slow */
    ask(host, "imap", "CANARY");
    spin(w);
    assert_int_equal(hear_verdict(host), POSTERN_ERR_AUD);
    read_record(w, line);
    assert_member(line, "reason", "aud");
    ask(host, "imap", "good");
    spin(w);
    assert_int_equal(hear_verdict(host), POSTERN_OK);
    read_record(w, line);
    assert_member(line, "outcome", "proved");
    w->helper.strangers.refill_us = 0; /* long ago */
    ask(stranger, "ldap", "good");
    spin(w);
    read_record(w, line);
    assert_member(line, "reason", "peer_not_allowed");
    assert_non_null(strstr(line, ",\"missed\":"));
    (void)close(stranger);
    (void)close(host);
}

static void a_service_without_a_file_is_undecided(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX], room[4096] = "";
    int fd = dial(w);

    ask(fd, "pop", "good");
    spin(w);
    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "\"reason\":\"service_unknown\""));
    read_record(w, line);
    assert_member(line, "reason", "service_unknown");
    assert_int_equal(held_count, 0);
    (void)close(fd);
}

static void a_service_is_described_without_a_record(void **state)
{
    struct world *w = *state;
    char room[4096] = "";
    int fd = dial(w);

    say(fd, "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE "\",\"service\":\"imap\"}");
    spin(w);
    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "\"known\":true"));
    assert_non_null(strstr(room, "\"mech_list\":[\"OAUTHBEARER\"]"));
    assert_non_null(strstr(room, "\"scope\":\"mail\""));
    memset(room, 0, sizeof room);
    say(fd, "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE "\",\"service\":\"pop\"}");
    spin(w);
    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "\"known\":false"));
    assert_no_record(w);
    (void)close(fd);
}

static void a_description_is_not_given_to_a_stranger(void **state)
{
    struct world *w = *state;
    char room[4096] = "", line[AUDIT_LINE_MAX];
    int fd = dial_as_stranger(w);

    say(fd, "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE "\",\"service\":\"ldap\"}");
    spin(w);
    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "\"reason\":\"peer_not_allowed\""));
    assert_null(strstr(room, "scope"));
    read_record(w, line);
    assert_member(line, "event", "describe");
    (void)close(fd);
}

/* ---- without a record ---- */

static void use_file(struct world *w, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    audit_child_use(&w->audit, fd);
    (void)close(fd);
    spin(w);
}

static void without_its_record_a_verdict_is_undecided(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    int fd = dial(w);

    spin(w);
    use_file(w, "/dev/full");
    ask(fd, "imap", "good");
    spin(w);
    assert_int_equal(hear(fd, &failure), POSTERN_ERR_AUDIT);
    assert_int_equal(failure.ref[0], 'R');
    ask(fd, "imap", "bad");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUDIT);
    audit_child_use(&w->audit, w->audit.fd);
    ask(fd, "imap", "good"); /* the disk has room again */
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK);
    (void)close(fd);
}

/* What refuses anyway goes on refusing, with the reason that it has. */
static void without_its_record_a_refusal_that_is_no_verdict_stays_what_it_is(void **state)
{
    struct world *w = *state;
    char room[4096] = "";
    int fd = dial(w);

    spin(w);
    use_file(w, "/dev/full");
    ask(fd, "pop", "good");
    spin(w);
    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "\"reason\":\"service_unknown\""));
    assert_int_equal(held_count, 0);
    (void)close(fd);
}

static void without_a_line_to_the_audit_child_logins_are_undecided(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    spin(w);
    audit_child_stop(&w->audit);
    spin(w);
    assert_int_equal(w->wish_count, 1); /* and then once a second */
    ask(fd, "imap", "good");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUDIT);
    ask(fd, "imap", "bad");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUDIT);
    audit_child_start(&w->audit, w->helper.base);
    audit_line_set(w->helper.audit, audit_child_writer(&w->audit));
    ask(fd, "imap", "good");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK);
    read_record(w, line); /* that a proved login got nothing is told when it can be */
    assert_member(line, "outcome", "undecided");
    assert_member(line, "reason", "audit");
    read_record(w, line);
    assert_member(line, "outcome", "proved");
    assert_no_record(w);
    (void)close(fd);
}

/* A line whose other end the test holds: nothing is confirmed but by say(). */
static int hold_line(struct world *w)
{
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    audit_line_set(w->helper.audit, fds[0]);
    return fds[1];
}

/* A record came along this line: its id, counted on the line since its beginning. */
static void take_record(int line_fd, const char *want)
{
    char room[AUDIT_LINE_MAX + 256];
    ssize_t got = recv(line_fd, room, sizeof room - 1, MSG_DONTWAIT);

    assert_true(got > 0);
    room[got] = '\0';
    assert_int_equal(strncmp(room, "{\"type\":\"record\",\"id\":", 22), 0);
    assert_non_null(strstr(room, want));
}

/* What nobody waits for is sent by a timer. */
static void await_record(struct world *w, int line_fd)
{
    char c;

    while (recv(line_fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        assert_in_range(event_base_loop(w->helper.base, EVLOOP_ONCE), 0, 1);
}

static void an_answer_waits_for_its_record(void **state)
{
    struct world *w = *state;
    int fd = dial(w), line_fd = hold_line(w);

    ask(fd, "imap", "good");
    spin(w);
    take_record(line_fd, "\"outcome\":\"proved\"");
    assert_nothing_yet(fd);
    say(line_fd, "{\"type\":\"done\",\"id\":2}"); /* another's */
    spin(w);
    assert_nothing_yet(fd);
    say(line_fd, "{\"type\":\"done\",\"id\":1}");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK);
    ask(fd, "imap", "bad"); /* a refusal waits, too */
    spin(w);
    take_record(line_fd, "\"outcome\":\"rejected\"");
    assert_nothing_yet(fd);
    say(line_fd, "{\"type\":\"done\",\"id\":2}");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUD);
    (void)close(line_fd);
    (void)close(fd);
}

static void what_is_taken_back_while_its_record_is_written_does_not_get_in(void **state)
{
    static const postern_err verdicts[] = { POSTERN_ERR_REVOKED, POSTERN_ERR_BLOCKED,
                                            POSTERN_ERR_NOMEM };
    static const char *const outcomes[] = { "\"outcome\":\"rejected\"", "\"outcome\":\"rejected\"",
                                            "\"outcome\":\"undecided\"" };
    struct world *w = *state;
    int fd = dial(w), line_fd = hold_line(w);
    char done[64];

    for (int i = 0; i < 3; i++) {
        ask(fd, "imap", "good");
        spin(w);
        take_record(line_fd, "\"outcome\":\"proved\"");
        words++;
        verdict_of_now = verdicts[i];
        assert_true(snprintf(done, sizeof done, "{\"type\":\"done\",\"id\":%d}", 2 * i + 1) > 0);
        say(line_fd, done);
        spin(w);
        assert_nothing_yet(fd); /* that it is refused is on record first */
        take_record(line_fd, outcomes[i]);
        assert_true(snprintf(done, sizeof done, "{\"type\":\"done\",\"id\":%d}", 2 * i + 2) > 0);
        say(line_fd, done);
        spin(w);
        assert_int_equal(hear_verdict(fd), verdicts[i]);
    }
    (void)close(line_fd);
    (void)close(fd);
}

static void a_word_about_somebody_else_changes_no_verdict(void **state)
{
    struct world *w = *state;
    int fd = dial(w), line_fd = hold_line(w);

    ask(fd, "imap", "good");
    spin(w);
    take_record(line_fd, "\"outcome\":\"proved\"");
    words++;
    verdict_of_now = POSTERN_OK;
    say(line_fd, "{\"type\":\"done\",\"id\":1}");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK);
    (void)close(line_fd);
    (void)close(fd);
}

static void a_proved_login_whose_record_failed_is_undecided_and_says_so_in_the_log(void **state)
{
    struct world *w = *state;
    int fd = dial(w), line_fd = hold_line(w);

    ask(fd, "imap", "good");
    spin(w);
    take_record(line_fd, "\"outcome\":\"proved\"");
    say(line_fd, "{\"type\":\"failed\",\"id\":1,\"detail\":\"No space left on device\"}");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUDIT); /* not after a second confirmation */
    await_record(w, line_fd);
    take_record(line_fd, "\"outcome\":\"undecided\",\"reason\":\"audit\"");
    say(line_fd, "{\"type\":\"failed\",\"id\":2}");
    spin(w);
    assert_nothing_yet(fd);
    (void)close(line_fd);
    (void)close(fd);
}

static void a_record_that_is_not_confirmed_in_time_leaves_the_login_undecided(void **state)
{
    struct world *w = *state;
    struct timespec now;
    int fd = dial(w), line_fd = hold_line(w);
    int64_t now_ms;

    ask(fd, "imap", "good");
    spin(w);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    now_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
    audit_line_expire(w->helper.audit, now_ms);
    assert_nothing_yet(fd);
    audit_line_expire(w->helper.audit, now_ms + AUDIT_CONFIRM_MS + 1);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_AUDIT);
    say(line_fd, "{\"type\":\"done\",\"id\":1}"); /* too late, and harmless */
    spin(w);
    assert_nothing_yet(fd);
    (void)close(line_fd);
    (void)close(fd);
}

static void an_audit_child_that_dies_leaves_its_logins_undecided(void **state)
{
    struct world *w = *state;
    int fds[3], line_fd = hold_line(w);

    for (size_t i = 0; i < 3; i++) {
        fds[i] = dial(w);
        ask(fds[i], "imap", i == 0 ? "bad" : "good");
    }
    spin(w);
    (void)close(line_fd);
    spin(w);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(hear_verdict(fds[i]), POSTERN_ERR_AUDIT);
        (void)close(fds[i]);
    }
    assert_int_equal(w->wish_count, 1);
}

static void a_caller_that_hangs_up_while_its_record_is_written_is_forgotten(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w), line_fd = hold_line(w);

    ask(fd, "imap", "good");
    spin(w);
    take_record(line_fd, "\"outcome\":\"proved\"");
    (void)close(fd);
    spin_until_freed(w, 1);
    assert_int_equal(freed_count, 1);
    assert_false(audit_line_is_idle(w->helper.audit)); /* it is written all the same */
    say(line_fd, "{\"type\":\"done\",\"id\":1}");
    spin(w);
    assert_true(audit_line_is_idle(w->helper.audit));
    (void)close(line_fd);
    assert_false(audit_child_line(&w->audit, line));
}

static void draining_waits_for_the_records_of_callers_that_are_gone(void **state)
{
    struct world *w = *state;
    int fd = dial(w), line_fd = hold_line(w);

    ask(fd, "imap", "good");
    spin(w);
    (void)close(fd);
    spin_until_freed(w, 1);
    server_drain(w->server, NULL, NULL);
    assert_false(spin_to_exit(w));
    say(line_fd, "{\"type\":\"done\",\"id\":1}");
    assert_true(spin_to_exit(w));
    (void)close(line_fd);
}

/* ---- frames ---- */

static void another_version_is_refused_with_a_sentence_and_the_connection_ends(void **state)
{
    struct world *w = *state;
    char room[4096] = "", line[AUDIT_LINE_MAX];
    int fd = dial(w);

    say(fd, "{\"v\":2,\"op\":\"verify\",\"nonce\":\"" NONCE
            "\",\"service\":\"imap\",\"token\":\"CANARY\"}");
    spin(w);
    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "\"reason\":\"helper_protocol\""));
    assert_non_null(strstr(room, "protocol version 2"));
    assert_closed(fd);
    read_record(w, line);
    assert_member(line, "reason", "helper_protocol");
    assert_null(strstr(line, "CANARY"));
}

static void what_is_no_single_frame_ends_the_connection_unanswered(void **state)
{
    struct world *w = *state;
    static char big[POSTERN_HELPER_FRAME_MAX + 1];
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { (void *)"{}", 2 };
    struct msghdr m = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof control.room };
    int fd = dial(w);

    memset(big, ' ', sizeof big);
    assert_int_equal(send(fd, big, sizeof big, 0), sizeof big);
    spin(w);
    assert_closed(fd);
    fd = dial(w);
    CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
    CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
    CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
    assert_int_equal(sendmsg(fd, &m, 0), 2);
    spin(w);
    assert_closed(fd);
    assert_int_equal(held_count, 0);
}

static void a_second_frame_before_the_answer_ends_the_connection(void **state)
{
    struct world *w = *state;
    int fd = dial(w);

    ask(fd, "imap", "hold");
    spin(w);
    assert_nothing_yet(fd);
    ask(fd, "imap", "good");
    spin_until_freed(w, 1);
    assert_closed(fd);
    assert_int_equal(freed_count, 1);
    assert_int_equal(held_count, 1);
    assert_no_record(w);
}

static void a_caller_that_hangs_up_takes_its_request_with_it(void **state)
{
    struct world *w = *state;
    int fd = dial(w);

    ask(fd, "imap", "hold");
    spin(w);
    (void)close(fd);
    spin_until_freed(w, 1);
    assert_int_equal(freed_count, 1);
    assert_no_record(w);
}

static void a_caller_that_never_reads_is_closed_when_its_buffer_is_full(void **state)
{
    struct world *w = *state;
    int fd = dial(w), small = 4096;
    bool is_closed = false;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (int i = 0; i < 5000 && !is_closed; i++) {
        static const char frame[] =
            "{\"v\":1,\"op\":\"describe\",\"nonce\":\"" NONCE "\",\"service\":\"imap\"}";
        is_closed =
            send(fd, frame, sizeof frame - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
        (void)event_base_loop(w->helper.base, EVLOOP_NONBLOCK);
        held_count = 0;
    }
    assert_true(is_closed);
    (void)close(fd);
}

static void a_connection_ends_behind_the_answer_to_its_last_request(void **state)
{
    struct world *w = *state;
    int fd = dial(w);

    say(fd, "{\"v\":1,\"op\":\"verify\",\"nonce\":\"" NONCE "\",\"service\":\"imap\",\"token\":\"good\","
            "\"carrier\":\"sasl\",\"tls\":\"on\",\"last\":true}");
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK);
    assert_closed(fd);
    fd = dial(w);
    for (int i = 0; i < 2; i++) { /* and not behind another's */
        ask(fd, "imap", "good");
        spin(w);
        assert_int_equal(hear_verdict(fd), POSTERN_OK);
        assert_nothing_yet(fd);
    }
    (void)close(fd);
}

/* ---- many ---- */

static void two_hundred_logins_are_in_flight_while_one_connection_stalls(void **state)
{
    struct world *w = *state;
    int fds[LOGINS], silent = dial(w), deaf = dial(w), proved = 0;

    ask(deaf, "imap", "good"); /* and never reads the answer */
    spin(w);
    held_count = freed_count = 0;
    for (size_t i = 0; i < LOGINS; i++) {
        fds[i] = dial(w);
        ask(fds[i], "imap", "hold");
    }
    spin(w);
    assert_int_equal(held_count, LOGINS);
    for (size_t i = 0; i < LOGINS; i++)
        assert_nothing_yet(fds[i]);
    for (size_t i = LOGINS; i-- > 0;) /* in another order than they came */
        release(i, i % 2 == 0 ? POSTERN_OK : POSTERN_ERR_EXPIRED);
    spin(w);
    for (size_t i = 0; i < LOGINS; i++) {
        postern_err e = hear_verdict(fds[i]);
        assert_true(e == POSTERN_OK || e == POSTERN_ERR_EXPIRED);
        proved += e == POSTERN_OK;
        (void)close(fds[i]);
    }
    assert_int_equal(proved, LOGINS / 2);
    assert_int_equal(freed_count, LOGINS);
    assert_nothing_yet(silent);
    ask(silent, "imap", "good"); /* late, and still welcome */
    spin(w);
    assert_int_equal(hear_verdict(silent), POSTERN_OK);
    (void)close(silent);
    (void)close(deaf);
}

static void assert_turned_away(int fd, const char *whose)
{
    char room[POSTERN_HELPER_FRAME_MAX] = "";

    assert_true(recv(fd, room, sizeof room - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(room, "{\"v\":1,\"op\":\"error\",\"reason\":\"busy\",\"detail\":\""));
    assert_non_null(strstr(room, whose));
    assert_non_null(strstr(room, "try again later"));
    assert_closed(fd);
}

static void who_has_hung_up_takes_no_share(void **state)
{
    struct world *w;
    int fds[4], fifth;

    (void)tear_down(state);
    *state = w = make_world(8);
    for (size_t i = 0; i < 4; i++)
        fds[i] = dial(w);
    spin(w);
    fifth = dial(w); /* the listener is readable before any of the ends is */
    ask(fifth, "imap", "good");
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
    spin(w);
    assert_int_equal(hear_verdict(fifth), POSTERN_OK);
    (void)close(fifth);
}

static void who_is_turned_away_reads_why_also_when_his_frame_was_there_already(void **state)
{
    struct world *w;
    int fds[4], late;

    (void)tear_down(state);
    *state = w = make_world(8);
    for (size_t i = 0; i < 4; i++)
        fds[i] = dial(w);
    spin(w);
    late = dial(w);
    ask(late, "imap", "good");
    spin(w);
    assert_turned_away(late, "one user holds");
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
}

static void one_user_cannot_take_all_connections(void **state)
{
    struct world *w;
    int fds[6];

    (void)tear_down(state);
    *state = w = make_world(8);
    for (size_t i = 0; i < 6; i++) {
        fds[i] = dial(w);
        spin(w);
    }
    for (size_t i = 0; i < 4; i++)
        assert_nothing_yet(fds[i]);
    assert_turned_away(fds[4], "one user holds");
    assert_turned_away(fds[5], "one user holds");
    (void)close(fds[0]);
    spin(w);
    fds[0] = dial(w);
    ask(fds[0], "imap", "good");
    spin(w);
    assert_int_equal(hear_verdict(fds[0]), POSTERN_OK);
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
}

static void draining_answers_what_is_in_flight_and_takes_nothing_more(void **state)
{
    struct world *w = *state;
    int busy = dial(w), late;

    ask(busy, "imap", "hold");
    spin(w);
    server_drain(w->server, NULL, NULL);
    late = dial(w); /* in the backlog: for the helper after us */
    assert_false(spin_to_exit(w));
    assert_nothing_yet(late);
    release(0, POSTERN_OK);
    assert_true(spin_to_exit(w));
    assert_int_equal(hear_verdict(busy), POSTERN_OK);
    assert_closed(busy);
    (void)close(late);
}

static void count_retired(void *arg)
{
    ++*(int *)arg;
}

static void who_has_nothing_but_requests_in_flight_has_retired(void **state)
{
    struct world *w = *state;
    int busy = dial(w), retired = 0;

    ask(busy, "imap", "hold");
    spin(w);
    server_drain(w->server, count_retired, &retired);
    assert_int_equal(retired, 1);
    server_drain(w->server, count_retired, &retired);
    release(0, POSTERN_OK);
    assert_true(spin_to_exit(w));
    assert_int_equal(hear_verdict(busy), POSTERN_OK);
    assert_int_equal(retired, 1);
    (void)close(busy);
}

/* ---- saslauthd's protocol ---- */

static int dial_stream(const struct world *w)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(a.sun_path, w->stream_path, strlen(w->stream_path) + 1);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say_counted(int fd, const char *text)
{
    const uint8_t length[2] = { (uint8_t)(strlen(text) >> 8), (uint8_t)strlen(text) };

    assert_int_equal(send(fd, length, 2, MSG_NOSIGNAL), 2);
    say(fd, text);
}

static void ask_stream(int fd, const char *password, const char *service)
{
    say_counted(fd, "alice");
    say_counted(fd, password);
    say_counted(fd, service);
    say_counted(fd, "");
}

static void assert_heard(int fd, const char *want)
{
    char answer[8] = "";

    assert_int_equal(recv(fd, answer, sizeof answer, MSG_DONTWAIT), 4);
    assert_memory_equal(answer, "\0\2", 2);
    assert_string_equal(answer + 2, want);
    assert_closed(fd);
}

static void a_password_is_answered_in_one_word_and_recorded(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int held_one = dial_stream(w), refused = dial_stream(w), person = dial_stream(w);

    ask_stream(held_one, "opaq_1", "imap"); /* AUD, as the fake says */
    ask_stream(refused, "eyJ.a.b", "imap");
    spin(w);
    assert_heard(held_one, "NO");
    assert_heard(refused, "NO");
    read_record(w, line);
    assert_member(line, "carrier", "password");
    assert_member(line, "authzid", "alice");
    assert_int_equal(held_count, 2);
    ask_stream(person, "correct-horse-battery", "imap");
    spin(w);
    assert_heard(person, "NO");
    assert_int_equal(held_count, 2); /* nobody was asked about a person's password */
}

static void what_is_undecided_ends_the_connection_without_a_word(void **state)
{
    struct world *w = *state;
    int unlisted = dial_stream(w), unknown = dial_stream(w), unrecorded = dial_stream(w);

    ask_stream(unlisted, "eyJ.a.b", "ldap");
    ask_stream(unknown, "eyJ.a.b", "nowhere");
    spin(w);
    assert_closed(unlisted);
    assert_closed(unknown);
    assert_int_equal(held_count, 0);
    audit_child_stop(&w->audit);
    spin(w);
    ask_stream(unrecorded, "eyJ.a.b", "imap");
    spin(w);
    assert_closed(unrecorded);
}

static void a_request_in_pieces_is_one_and_two_at_once_are_none(void **state)
{
    struct world *w = *state;
    int pieces = dial_stream(w), two = dial_stream(w), late = dial_stream(w);

    for (size_t i = 0; i < 4; i++) {
        static const char *const fields[] = { "alice", "eyJ.a.b", "imap", "" };
        spin(w);
        assert_nothing_yet(pieces);
        say_counted(pieces, fields[i]);
    }
    spin(w);
    assert_heard(pieces, "NO");
    assert_int_equal(held_count, 1);
    ask_stream(two, "eyJ.a.b", "imap");
    ask_stream(two, "eyJ.a.b", "imap");
    spin(w);
    assert_heard(two, "NO");
    assert_int_equal(held_count, 1); /* refused as it is */
    assert_int_equal(send(late, "\xff\xff", 2, MSG_NOSIGNAL), 2);
    spin(w);
    assert_heard(late, "NO");
}

static void a_caller_who_may_still_ask_keeps_the_server_from_retiring(void **state)
{
    struct world *w = *state;
    int asks = dial(w), hangs_up = dial(w), drips = dial_stream(w), retired = 0;

    say_counted(drips, "alice");
    spin(w);
    server_drain(w->server, count_retired, &retired);
    ask(asks, "imap", "hold");
    spin(w);
    assert_int_equal(retired, 0);
    (void)close(hangs_up);
    spin(w);
    assert_int_equal(retired, 0); /* half a request */
    say_counted(drips, "eyJ.a.b");
    say_counted(drips, "imap");
    say_counted(drips, "");
    spin(w);
    assert_heard(drips, "NO");
    assert_int_equal(retired, 1);
    release(0, POSTERN_OK);
    assert_true(spin_to_exit(w));
    assert_int_equal(hear_verdict(asks), POSTERN_OK);
    assert_int_equal(retired, 1);
    (void)close(asks);
}

static void a_server_that_is_taken_apart_does_not_retire(void **state)
{
    struct world *w = *state;
    int quiet = dial(w), retired = 0;

    spin(w);
    server_drain(w->server, count_retired, &retired);
    server_free(POSTERN_STEAL(w->server));
    assert_int_equal(retired, 0);
    assert_closed(quiet);
}

/* ---- handles ---- */

static void ask_for_handle(int fd, const char *token)
{
    char text[512];

    assert_true((size_t)snprintf(text, sizeof text,
                                 "{\"v\":1,\"op\":\"handle\",\"nonce\":\"" NONCE
                                 "\",\"service\":\"imap\",\"token\":\"%s\"}",
                                 token) < sizeof text);
    say(fd, text);
}

/* The text of the handle, "" for a refusal. */
static postern_err hear_handle(int fd, char ret[HANDLE_LEN + 1])
{
    POSTERN_AUTO_FRAME f = { 0 };
    uint8_t room[POSTERN_HELPER_FRAME_MAX];
    ssize_t got = recv(fd, room, sizeof room, MSG_DONTWAIT);
    postern_failure failure = { 0 };
    postern_bytes text = POSTERN_BYTES_NONE;
    postern_err e;

    assert_true(got > 0);
    assert_int_equal(postern_frame_open(&f, (postern_bytes){ room, (size_t)got }, NULL), POSTERN_OK);
    e = postern_reply_read_handle(&f, POSTERN_BYTES_LIT(NONCE), "imap", &text, &failure, NULL);
    assert_in_range(text.len, 0, HANDLE_LEN);
    memcpy(ret, text.ptr != NULL ? text.ptr : (const uint8_t *)"", text.len);
    ret[text.len] = '\0';
    return e;
}

static void a_handle_comes_back_as_its_token_and_once(void **state)
{
    struct world *w = *state;
    char text[HANDLE_LEN + 1], line[AUDIT_LINE_MAX];
    int fd = dial(w);

    ask_for_handle(fd, "good");
    spin(w);
    assert_int_equal(hear_handle(fd, text), POSTERN_OK);
    read_record(w, line);
    assert_member(line, "event", "handle");
    assert_null(strstr(line, text));
    ask_by(fd, "password", "imap", text);
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_OK); /* "good" is what was judged */
    ask(fd, "imap", text);
    spin(w);
    assert_int_equal(hear_verdict(fd), POSTERN_ERR_HANDLE);
    (void)close(fd);
}

static void no_handle_is_minted_for_a_refused_token_or_without_a_record(void **state)
{
    struct world *w = *state;
    char text[HANDLE_LEN + 1];
    int fd = dial(w), stranger = dial_as_stranger(w);

    ask_for_handle(fd, "bad");
    spin(w);
    assert_int_equal(hear_handle(fd, text), POSTERN_ERR_AUD);
    assert_string_equal(text, "");
    assert_int_equal(handles_count(w->helper.handles), 0);
    if (geteuid() == 0) {
        ask_for_handle(stranger, "good");
        spin(w);
        assert_int_equal(hear_handle(stranger, text), POSTERN_ERR_PEER_NOT_ALLOWED);
    }
    audit_child_stop(&w->audit);
    spin(w);
    ask_for_handle(fd, "good");
    spin(w);
    assert_int_equal(hear_handle(fd, text), POSTERN_ERR_AUDIT);
    assert_string_equal(text, "");
    (void)close(fd);
    (void)close(stranger);
}

/* ---- policy: who may act as whom ---- */

static void judge_by(struct world *w, const char *rules)
{
    static const char *const services[] = { "judged", "shadow" };

    for (size_t i = 0; i < 2; i++)
        w->policies[i] = (struct login_policy){ services[i], test_policy_make(rules) };
    w->all_policies.count = 2;
}

static void a_login_that_the_policy_allows_names_its_rule(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    judge_by(w, "ours: allow agent agent-7 for user alice to judged:login on alice "
                "if source in (192.0.2.0/24)\n");
    ask(fd, "judged", "good");
    spin(w);
    assert_int_equal(hear_of(fd, "judged", &failure), POSTERN_OK);
    read_record(w, line);
    assert_member(line, "outcome", "proved");
    assert_member(line, "action", "judged:login");
    assert_member(line, "resource", "alice");
    assert_member(line, "rule", "t:ours");
    assert_null(strstr(line, "would"));
    (void)close(fd);
}

static void a_login_that_the_policy_denies_is_refused_with_its_words(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    judge_by(w, "# who\nno: deny agent agent-7 to judged:login because \"ask postmaster\"\n"
                "allow anyone to *\n");
    ask(fd, "judged", "good");
    spin(w);
    assert_int_equal(hear_of(fd, "judged", &failure), POSTERN_ERR_POLICY);
    assert_string_equal(failure.because, "ask postmaster");
    assert_string_equal(failure.openid_configuration, "https://as.example/judged");
    assert_string_equal(failure.scope, "mail");
    assert_int_equal(strncmp(failure.ref, "R-", 2), 0);
    read_record(w, line);
    assert_member(line, "outcome", "rejected");
    assert_member(line, "reason", "policy");
    assert_member(line, "ref", failure.ref);
    assert_member(line, "detail", "rule t:no (policies/t.rules:2)");
    assert_member(line, "setting", "policy");
    assert_member(line, "origin", "services/judged.conf:3");
    assert_member(line, "rule", "t:no");
    assert_member(line, "because", "ask postmaster");
    assert_member(line, "resource", "alice");
    assert_member(line, "agent", "agent-7"); /* proved, and refused all the same */
    assert_member(line, "jti", "j-1");
    assert_null(strstr(line, "fingerprint"));
    (void)close(fd);
}

static void a_scope_that_the_policy_wants_is_told(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    judge_by(w, "allow anyone to judged:login if scope has mail.read\n");
    ask(fd, "judged", "good");
    spin(w);
    assert_int_equal(hear_of(fd, "judged", &failure), POSTERN_ERR_INSUFFICIENT_SCOPE);
    assert_string_equal(failure.scope, "mail.read");
    read_record(w, line);
    assert_member(line, "setting", "policy"); /* and not required_scopes */
    (void)close(fd);
}

static void a_shadow_lets_in_and_says_what_it_would_do(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    judge_by(w, "no: deny agent agent-7 to shadow:login because \"ask postmaster\"\n");
    ask(fd, "shadow", "good");
    spin(w);
    assert_int_equal(hear_of(fd, "shadow", &failure), POSTERN_OK);
    read_record(w, line);
    assert_member(line, "outcome", "proved");
    assert_member(line, "would", "deny");
    assert_member(line, "rule", "t:no");
    assert_member(line, "detail", "rule t:no (policies/t.rules:1)");
    (void)close(fd);
}

static void a_policy_that_is_not_there_leaves_logins_undecided(void **state)
{
    static const char *const services[] = { "judged", "shadow" };
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    for (size_t i = 0; i < 2; i++) {
        ask(fd, services[i], "good");
        spin(w);
        assert_int_equal(hear_of(fd, services[i], &failure), POSTERN_ERR_INTERNAL);
        read_record(w, line);
        assert_member(line, "outcome", "undecided");
    }
    (void)close(fd);
}

/* Its peer's address is not the client's, and the time is not that of the login. */
static void a_handle_is_judged_when_it_comes_back(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    POSTERN_AUTO_FRAME f = { 0 };
    uint8_t room[POSTERN_HELPER_FRAME_MAX];
    char line[AUDIT_LINE_MAX], text[HANDLE_LEN + 1] = "";
    postern_bytes handle;
    ssize_t got;
    int fd = dial(w);

    judge_by(w, "no: deny agent agent-7 to judged:login\n");
    say(fd, "{\"v\":1,\"op\":\"handle\",\"nonce\":\"" NONCE
            "\",\"service\":\"judged\",\"token\":\"good\"}");
    spin(w);
    got = recv(fd, room, sizeof room, MSG_DONTWAIT);
    assert_true(got > 0);
    assert_int_equal(postern_frame_open(&f, (postern_bytes){ room, (size_t)got }, NULL), POSTERN_OK);
    assert_int_equal(postern_reply_read_handle(&f, POSTERN_BYTES_LIT(NONCE), "judged", &handle,
                                               &failure, NULL),
                     POSTERN_OK);
    memcpy(text, handle.ptr, handle.len < HANDLE_LEN ? handle.len : HANDLE_LEN);
    read_record(w, line);
    assert_null(strstr(line, "action"));
    ask_by(fd, "password", "judged", text);
    spin(w);
    assert_int_equal(hear_of(fd, "judged", &failure), POSTERN_ERR_POLICY);
    read_record(w, line);
    assert_member(line, "rule", "t:no");
    (void)close(fd);
}

/* A rule did not refuse it, so none is named. */
static void what_is_taken_back_behind_an_allow_names_no_rule(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    char line[AUDIT_LINE_MAX];
    int fd = dial(w);

    judge_by(w, "ours: allow anyone to judged:login\n");
    ask(fd, "judged", "hold");
    spin(w);
    words++;
    verdict_of_now = POSTERN_ERR_BLOCKED;
    release(0, POSTERN_OK);
    spin(w);
    assert_int_equal(hear_of(fd, "judged", &failure), POSTERN_ERR_BLOCKED);
    verdict_of_now = POSTERN_OK;
    read_record(w, line);
    assert_member(line, "rule", "t:ours");
    read_record(w, line);
    assert_member(line, "reason", "blocked");
    assert_null(strstr(line, "\"rule\""));
    (void)close(fd);
}

/* Where a host sends the token as a password, by saslauthd's protocol: the same rules. */
static void a_password_is_judged_by_the_policy_too(void **state)
{
    struct world *w = *state;
    char line[AUDIT_LINE_MAX];
    int allowed, denied;

    judge_by(w, "allow user alice to judged:login on alice if not source in (10.0.0.0/8)\n"
                "allow user alice to judged:login on alice if chain = 0\n");
    allowed = dial_stream(w);
    ask_stream(allowed, "eyJ.good.b", "judged");
    spin(w);
    assert_heard(allowed, "OK");
    read_record(w, line);
    assert_member(line, "rule", "t:2"); /* where it comes from is not known */
    assert_member(line, "carrier", "password");
    postern_policy_free(w->policies[0].policy);
    w->policies[0].policy = test_policy_make("allow user alice to judged:login on bob\n");
    denied = dial_stream(w);
    ask_stream(denied, "eyJ.good.b", "judged");
    spin(w);
    assert_heard(denied, "NO");
    read_record(w, line);
    assert_member(line, "reason", "policy");
    assert_member(line, "detail", "no rule of the policy allows it");
}

static void without_its_record_a_deny_is_undecided(void **state)
{
    struct world *w = *state;
    postern_failure failure;
    int fd = dial(w);

    judge_by(w, "");
    spin(w);
    use_file(w, "/dev/full");
    ask(fd, "judged", "good");
    spin(w);
    assert_int_equal(hear_of(fd, "judged", &failure), POSTERN_ERR_AUDIT);
    (void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_password_is_answered_in_one_word_and_recorded),
        TEST(what_is_undecided_ends_the_connection_without_a_word),
        TEST(a_request_in_pieces_is_one_and_two_at_once_are_none),
        TEST(a_handle_comes_back_as_its_token_and_once),
        TEST(no_handle_is_minted_for_a_refused_token_or_without_a_record),
        TEST(a_login_that_the_policy_allows_names_its_rule),
        TEST(a_login_that_the_policy_denies_is_refused_with_its_words),
        TEST(a_scope_that_the_policy_wants_is_told),
        TEST(a_shadow_lets_in_and_says_what_it_would_do),
        TEST(a_policy_that_is_not_there_leaves_logins_undecided),
        TEST(a_handle_is_judged_when_it_comes_back),
        TEST(what_is_taken_back_behind_an_allow_names_no_rule),
        TEST(a_password_is_judged_by_the_policy_too),
        TEST(without_its_record_a_deny_is_undecided),
        TEST(a_login_is_answered_and_recorded),
        TEST(a_refusal_names_the_line_that_decided),
        TEST(what_may_be_a_persons_password_is_not_even_hashed),
        TEST(a_stranger_may_not_ask_as_ldap),
        TEST(a_stranger_fills_neither_the_log_nor_a_verdicts_place_in_it),
        TEST(a_service_without_a_file_is_undecided),
        TEST(a_service_is_described_without_a_record),
        TEST(a_description_is_not_given_to_a_stranger),
        TEST(without_its_record_a_verdict_is_undecided),
        TEST(without_its_record_a_refusal_that_is_no_verdict_stays_what_it_is),
        TEST(without_a_line_to_the_audit_child_logins_are_undecided),
        TEST(an_answer_waits_for_its_record),
        TEST(what_is_taken_back_while_its_record_is_written_does_not_get_in),
        TEST(a_word_about_somebody_else_changes_no_verdict),
        TEST(a_proved_login_whose_record_failed_is_undecided_and_says_so_in_the_log),
        TEST(a_record_that_is_not_confirmed_in_time_leaves_the_login_undecided),
        TEST(an_audit_child_that_dies_leaves_its_logins_undecided),
        TEST(a_caller_that_hangs_up_while_its_record_is_written_is_forgotten),
        TEST(draining_waits_for_the_records_of_callers_that_are_gone),
        TEST(another_version_is_refused_with_a_sentence_and_the_connection_ends),
        TEST(what_is_no_single_frame_ends_the_connection_unanswered),
        TEST(a_second_frame_before_the_answer_ends_the_connection),
        TEST(a_caller_that_hangs_up_takes_its_request_with_it),
        TEST(a_connection_ends_behind_the_answer_to_its_last_request),
        TEST(a_caller_that_never_reads_is_closed_when_its_buffer_is_full),
        TEST(two_hundred_logins_are_in_flight_while_one_connection_stalls),
        TEST(one_user_cannot_take_all_connections),
        TEST(who_has_hung_up_takes_no_share),
        TEST(who_is_turned_away_reads_why_also_when_his_frame_was_there_already),
        TEST(draining_answers_what_is_in_flight_and_takes_nothing_more),
        TEST(who_has_nothing_but_requests_in_flight_has_retired),
        TEST(a_caller_who_may_still_ask_keeps_the_server_from_retiring),
        TEST(a_server_that_is_taken_apart_does_not_retire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
