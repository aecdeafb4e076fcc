/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client library against the real helper role, across processes and users: run as root by
 * tests/component/test_helper.sh.  The helper is helper_main() in a child that became another user,
 * with its sockets prepared here as posternd's supervisor does it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern/client.h>

#include "../support/test_keys.h"
#include "channel.h"
#include "helper/helper.h"
#include "helper/server.h"
#include "role.h"

#define ISSUER       "https://sso.test.example"
#define HELPER_UID   64710 /* nobody's account: numbers need none */
#define LDAP_UID     64711 /* named by services/ldap.conf */
#define STRANGER_UID 64712 /* named by nobody */
#define LDAP_GID     64720 /* named by services/ldap.conf as a group */
#define LOGINS       200
#define FORKS        1000

static char folder[] = "/tmp/postern-helper.XXXXXX";
static char socket_path[96], audit_path[96];
static test_key *key;
static pid_t helper_pid, audit_pid;
static struct channel *helper_line, *audit_line; /* the supervisor's ends */
static struct channel *control_line; /* the control child's end; NULL: it is silent */
static int early_silent = -1;
static int64_t early_silent_ms;

static int64_t mono_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- files ---- */

static void path_of(char *room, size_t size, const char *name)
{
    assert_true((size_t)snprintf(room, size, "%s/%s", folder, name) < size);
}

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    path_of(path, sizeof path, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void put_folder(const char *name)
{
    char path[128];

    path_of(path, sizeof path, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void put_config(void)
{
    char text[512];
    char *jwks = test_key_jwks(key, "k1", "ES256");

    put_folder("issuers");
    put_folder("services");
    put("jwks.json", jwks);
    free(jwks);
    put("postern.conf", "helper_max_connections: 1024\n");
    assert_true((size_t)snprintf(text, sizeof text, "issuer: " ISSUER "\njwks_file: %s/jwks.json\n",
                                 folder) < sizeof text);
    put("issuers/test.conf", text);
    put("services/imap.conf", "audience: https://localhost/imap\nissuers: test\nhelper_peers: "
                              "0\nrequired_scopes: mail\n");
    put("services/ldap.conf",
        "audience: https://localhost/ldap\nissuers: test\nhelper_peers: 64711 group:64720\n");
}

/* ---- the helper ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && strlen(path) < sizeof a.sun_path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(listen(fd, 512), 0);
    return fd;
}

static void run_helper(struct role_setup *setup)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setresgid(HELPER_UID, HELPER_UID, HELPER_UID) != 0 ||
        setresuid(HELPER_UID, HELPER_UID, HELPER_UID) != 0)
        _exit(99);
    _exit(helper_main(setup));
}

static void await_type(struct channel *c, const char *type)
{
    struct pollfd p = { .fd = channel_fd(c), .events = POLLIN };
    postern_error err = { 0 };

    assert_int_equal(poll(&p, 1, 40000), 1);
    assert_int_equal(channel_receive(c, &err), CHANNEL_MESSAGE);
    assert_true(channel_type_is(c, type));
}

/* The other end of a new line of this type to the helper. */
static struct channel *link_helper(const char *type)
{
    struct channel *c;
    int line[2];

    assert_int_equal(channel_pair(line, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(helper_line, type, line[1], NULL), POSTERN_OK);
    (void)close(line[1]);
    assert_int_equal(channel_new(line[0], &c, NULL), POSTERN_OK);
    return c;
}

static void say(struct channel *c, const char *message)
{
    assert_int_equal(channel_send(c, postern_bytes_str(message), -1, NULL), POSTERN_OK);
}

/* "" or one block as it travels. */
static void tell_blocks(const char *block)
{
    if (control_line == NULL)
        control_line = link_helper("control");
    say(control_line, "{\"type\":\"blocks_begin\"}");
    if (block[0] != '\0')
        say(control_line, block);
    say(control_line, "{\"type\":\"blocks_end\",\"id\":1}");
    await_type(control_line, "done");
}

/* The real audit child, for as long as the test runs. */
static void start_audit(void)
{
    struct role_setup setup = { .admin_fd = -1, .status_fd = -1, .saslauthd_fd = -1, .state_dir_fd = -1 };
    int file = open(audit_path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600), line[2];

    assert_true(file >= 0);
    assert_int_equal(channel_pair(line, NULL), POSTERN_OK);
    setup.supervisor_fd = line[1];
    audit_pid = fork();
    assert_true(audit_pid >= 0);
    if (audit_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(audit_main(&setup));
    }
    (void)close(line[1]);
    assert_int_equal(channel_new(line[0], &audit_line, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(audit_line, "file", file, NULL), POSTERN_OK);
    (void)close(file);
    await_type(audit_line, "ready");
}

static void stop_audit(void)
{
    int status = 0;

    assert_int_equal(channel_send_type(audit_line, "drain", -1, NULL), POSTERN_OK);
    assert_int_equal(waitpid(audit_pid, &status, 0), audit_pid);
    assert_int_equal(status, 0);
    channel_free(audit_line);
}

/* The supervisor's part: a line between helper and audit child. */
static void link_audit(void)
{
    int line[2];

    assert_int_equal(channel_pair(line, NULL), POSTERN_OK);
    assert_int_equal(channel_send(audit_line,
                                  POSTERN_BYTES_LIT("{\"type\":\"writer\",\"role\":\"helper\"}"),
                                  line[0], NULL),
                     POSTERN_OK);
    assert_int_equal(channel_send(helper_line, POSTERN_BYTES_LIT("{\"type\":\"audit\",\"loop\":0}"),
                                  line[1], NULL),
                     POSTERN_OK);
    (void)close(line[0]);
    (void)close(line[1]);
}

static void launch_untold_helper(void)
{
    struct role_setup setup = {
        .admin_fd = -1, .status_fd = -1, .saslauthd_fd = -1, .state_dir_fd = -1, .listen_count = 1
    };
    postern_error err = { 0 };
    int line[2];

    if (postern_config_load(folder, &setup.take_config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    setup.listen_fds[0] = listen_at(socket_path);
    assert_int_equal(channel_pair(line, &err), POSTERN_OK);
    setup.supervisor_fd = line[1];
    helper_pid = fork();
    assert_true(helper_pid >= 0);
    if (helper_pid == 0)
        run_helper(&setup);
    postern_config_free(setup.take_config);
    (void)close(setup.listen_fds[0]);
    (void)close(line[1]);
    assert_int_equal(channel_new(line[0], &helper_line, &err), POSTERN_OK);
    link_audit();
}

static void launch_helper(void)
{
    launch_untold_helper();
    tell_blocks("");
}

static void start_helper(void)
{
    launch_helper();
    await_type(helper_line, "ready");
}

/* The issuer's end of a new line to the helper. */
static struct channel *link_issuer(void)
{
    return link_helper("issuer");
}

static void stop_helper(void)
{
    int status = 0;

    assert_int_equal(channel_send_type(helper_line, "drain", -1, NULL), POSTERN_OK);
    assert_int_equal(waitpid(helper_pid, &status, 0), helper_pid);
    assert_int_equal(status, 0);
    channel_free(helper_line);
    channel_free(control_line);
    helper_line = control_line = NULL;
}

static int set_up_all(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_error("this test becomes other users: run it as root\n");
        return -1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    path_of(socket_path, sizeof socket_path, "helper.sock");
    path_of(audit_path, sizeof audit_path, "audit.jsonl");
    key = test_key_new("P-256");
    put_config();
    start_audit();
    start_helper();
    return 0;
}

static int tear_down_all(void **state)
{
    static const char *const names[] = { "services/imap.conf",
                                         "services/ldap.conf",
                                         "services",
                                         "issuers/test.conf",
                                         "issuers",
                                         "postern.conf",
                                         "issuer.conf",
                                         "jwks.json",
                                         "helper.sock",
                                         "audit.jsonl",
                                         "fake.sock",
                                         "open" };
    char path[128];

    (void)state;
    if (helper_line != NULL)
        stop_helper();
    stop_audit();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(path, sizeof path, names[i]);
        (void)remove(path);
    }
    test_key_free(key);
    return rmdir(folder);
}

/* ---- logins ---- */

static char *make_token(const char *service, const char *subject)
{
    char audience[64];
    char *claims, *token;

    assert_true((size_t)snprintf(audience, sizeof audience, "https://localhost/%s", service) <
                sizeof audience);
    claims =
        test_claims(ISSUER, audience, subject, (long long)time(NULL), "\"scope\":\"mail ldap\"");
    token = test_token(key, "ES256", "k1", claims);
    free(claims);
    return token;
}

static postern_op *start_login(const char *path, const char *service, const char *token)
{
    postern_helper_address where = { .path = path, .server_uid = 0 };
    postern_request rq = { .size = sizeof rq,
                           .service = service,
                           .token = postern_bytes_str(token),
                           .carrier = POSTERN_CARRIER_SASL,
                           .tls = POSTERN_TLS_LOCAL };
    postern_op *op = NULL;

    return postern_client_verify_start(&where, &rq, &op, NULL) == POSTERN_OK ? op : NULL;
}

/* The verdict; proved for another user than `user` is INTERNAL, which no test expects. */
static postern_err finish_login(postern_op *op, const char *user)
{
    postern_err e = op == NULL ? POSTERN_ERR_NOMEM : postern_op_run(op, NULL);
    POSTERN_AUTO(grant) g = e == POSTERN_OK ? postern_op_take_grant(op) : NULL;

    postern_op_free(op);
    if (e == POSTERN_OK && (g == NULL || strcmp(postern_grant_user(g), user) != 0))
        return POSTERN_ERR_INTERNAL;
    return e;
}

/* The first step: sent, and perhaps answered already. */
static postern_err step_once(postern_op *op)
{
    postern_err e = postern_op_step(op, NULL);

    assert_true(e == POSTERN_AGAIN || e == POSTERN_OK);
    return e;
}

static postern_err login(const char *service, const char *token, const char *user)
{
    return finish_login(start_login(socket_path, service, token), user);
}

/* The same by another process that is another user. */
static postern_err login_as(uid_t uid, gid_t gid, const char *service, const char *token,
                            const char *user)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
            _exit(255);
        _exit((int)login(service, token, user));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (postern_err)WEXITSTATUS(status);
}

/* The last line of the audit log. */
static void last_record(char *line, size_t size)
{
    char text[2 * AUDIT_LINE_MAX];
    int fd = open(audit_path, O_RDONLY | O_CLOEXEC);
    off_t end = lseek(fd, 0, SEEK_END),
          from = end > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : 0;
    ssize_t got = pread(fd, text, sizeof text - 1, from);
    char *start;

    assert_true(fd >= 0 && got > 1);
    (void)close(fd);
    text[got - 1] = '\0';
    start = strrchr(text, '\n');
    start = start == NULL ? text : start + 1;
    assert_true(strlen(start) < size);
    memcpy(line, start, strlen(start) + 1);
}

static void assert_recorded(const char *part)
{
    char line[AUDIT_LINE_MAX];

    last_record(line, sizeof line);
    if (strstr(line, part) == NULL)
        fail_msg("%s is not in %s", part, line);
}

static int dial(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, socket_path, strlen(socket_path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* ---- who asks ---- */

static void a_token_logs_in_and_is_recorded(void **state)
{
    char *token = make_token("imap", "alice"), *other = make_token("ldap", "alice");

    (void)state;
    early_silent = dial(); /* looked at again by the last test */
    early_silent_ms = mono_us() / 1000;
    assert_int_equal(login("imap", token, "alice"), POSTERN_OK);
    assert_recorded("\"outcome\":\"proved\"");
    assert_recorded("\"user\":\"alice\"");
    assert_recorded("\"jti\":\"");
    assert_int_equal(login("imap", other, "alice"), POSTERN_ERR_AUD);
    assert_recorded("\"setting\":\"audience\",\"origin\":\"services/imap.conf:1\"");
    free(token);
    free(other);
}

static void a_process_of_another_user_may_not_ask_as_ldap(void **state)
{
    char *token = make_token("ldap", "alice");

    (void)state;
    assert_int_equal(login_as(STRANGER_UID, STRANGER_UID, "ldap", token, "alice"),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_recorded("\"reason\":\"peer_not_allowed\"");
    assert_recorded("\"uid\":64712");
    assert_recorded("\"setting\":\"helper_peers\",\"origin\":\"services/ldap.conf:3\"");
    assert_int_equal(login_as(LDAP_UID, STRANGER_UID, "imap", token, "alice"),
                     POSTERN_ERR_PEER_NOT_ALLOWED);
    assert_int_equal(login_as(LDAP_UID, STRANGER_UID, "ldap", token, "alice"), POSTERN_OK);
    assert_int_equal(login_as(STRANGER_UID, LDAP_GID, "ldap", token, "alice"), POSTERN_OK);
    free(token);
}

/* ---- who answers ---- */

/* Bytes that reached a listener whose client has given up. */
static size_t bytes_heard(int listener)
{
    char room[POSTERN_HELPER_FRAME_MAX];
    int fd;
    ssize_t got;

    assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return 0;
    got = recv(fd, room, sizeof room, 0);
    (void)close(fd);
    return got > 0 ? (size_t)got : 0;
}

static void a_fake_helper_of_another_user_never_sees_a_token(void **state)
{
    char path[128], *token = make_token("imap", "alice");
    postern_op *op;
    int listener;

    (void)state;
    path_of(path, sizeof path, "fake.sock");
    listener = listen_at(path);
    assert_int_equal(seteuid(STRANGER_UID), 0);
    assert_int_equal(listen(listener, 16),
                     0); /* SO_PEERCRED of the client names who said this last */
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(finish_login(start_login(path, "imap", token), "alice"),
                     POSTERN_ERR_HELPER_UNTRUSTED);
    assert_int_equal(bytes_heard(listener), 0);
    (void)close(listener);
    listener = listen_at(path); /* the same socket of root is asked */
    op = start_login(path, "imap", token);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    postern_op_free(op);
    assert_true(bytes_heard(listener) > strlen(token));
    (void)close(listener);
    free(token);
}

static void a_socket_below_a_folder_of_others_never_sees_a_token(void **state)
{
    static const struct {
        mode_t mode;
        uid_t owner;
    } folders[] = { { 0777, 0 }, { 0775, 0 }, { 0755, STRANGER_UID } };
    char open_folder[128], path[160], *token = make_token("imap", "alice");

    (void)state;
    path_of(open_folder, sizeof open_folder, "open");
    assert_true((size_t)snprintf(path, sizeof path, "%s/s", open_folder) < sizeof path);
    assert_int_equal(mkdir(open_folder, 0755), 0);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        int listener = listen_at(path);
        assert_int_equal(chmod(open_folder, folders[i].mode), 0);
        assert_int_equal(chown(open_folder, folders[i].owner, 0), 0);
        assert_int_equal(finish_login(start_login(path, "imap", token), "alice"),
                         POSTERN_ERR_HELPER_UNTRUSTED);
        assert_int_equal(bytes_heard(listener), 0);
        (void)close(listener);
    }
    (void)unlink(path);
    (void)rmdir(open_folder);
    free(token);
}

static void a_helper_that_is_down_is_undecided_at_once_and_recovers_by_itself(void **state)
{
    char *token = make_token("imap", "alice");
    int64_t before_us, took_us;

    (void)state;
    (void)close(early_silent);
    stop_helper();
    before_us = mono_us();
    assert_int_equal(login("imap", token, "alice"),
                     POSTERN_ERR_HELPER_UNAVAILABLE); /* a socket file that nobody serves */
    (void)unlink(socket_path);
    assert_int_equal(login("imap", token, "alice"), POSTERN_ERR_HELPER_UNAVAILABLE); /* none */
    took_us = mono_us() - before_us;
    assert_in_range(took_us, 0, (POSTERN_OP_DEADLINE_MS - 100) * 1000); /* nothing was waited for */
    start_helper();
    assert_int_equal(login("imap", token, "alice"), POSTERN_OK);
    early_silent = dial();
    early_silent_ms = mono_us() / 1000;
    free(token);
}

/* ---- many ---- */

static void two_hundred_logins_pass_beside_stalled_connections(void **state)
{
    char *tokens[2] = { make_token("imap", "alice"), make_token("imap", "bob") };
    postern_op *ops[LOGINS];
    int silent = dial(), deaf = dial();
    int64_t before_us = mono_us();

    (void)state;
    for (int i = 0; i < 64; i++)
        (void)send(deaf,
                   "{\"v\":1,\"op\":\"describe\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"service\":"
                   "\"imap\"}",
                   73, MSG_DONTWAIT);
    for (size_t i = 0; i < LOGINS; i++) {
        ops[i] = start_login(socket_path, "imap", tokens[i % 2]);
        (void)step_once(ops[i]);
    }
    for (size_t i = LOGINS; i-- > 0;)
        assert_int_equal(finish_login(ops[i], i % 2 == 0 ? "alice" : "bob"), POSTERN_OK);
    print_message("# %d logins at once, two connections stalled: %lld ms\n", LOGINS,
                  (long long)(mono_us() - before_us) / 1000);
    assert_in_range(mono_us() - before_us, 0, 5000000);
    (void)close(silent);
    (void)close(deaf);
    free(tokens[0]);
    free(tokens[1]);
}

static void parent_and_child_after_fork_never_swap_users(void **state)
{
    char *alice = make_token("imap", "alice"), *bob = make_token("imap", "bob");
    int in_flight = 0;

    (void)state;
    for (int i = 0; i < FORKS; i++) {
        postern_op *op = start_login(socket_path, "imap", alice);
        bool is_in_flight = step_once(op) == POSTERN_AGAIN;
        int status = 0;
        pid_t child;

        in_flight += is_in_flight;
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            postern_err inherited =
                is_in_flight ? postern_op_step(op, NULL) : POSTERN_ERR_HELPER_UNAVAILABLE;
            postern_op_free(op);
            _exit(inherited == POSTERN_ERR_HELPER_UNAVAILABLE ? (int)login("imap", bob, "bob")
                                                              : 254);
        }
        assert_int_equal(finish_login(op, "alice"), POSTERN_OK);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), POSTERN_OK);
    }
    print_message("# %d of %d logins were in flight when the process forked\n", in_flight, FORKS);
    assert_true(in_flight > FORKS / 10);
    free(alice);
    free(bob);
}

static void two_processes_of_different_users_log_in_at_the_same_time(void **state)
{
    char *alice = make_token("imap", "alice"), *bob = make_token("ldap", "bob");
    pid_t child = fork();
    int status = 0;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        if (setresuid(LDAP_UID, LDAP_UID, LDAP_UID) != 0)
            _exit(255);
        for (int i = 0; i < FORKS; i++)
            if (login("ldap", bob, "bob") != POSTERN_OK)
                _exit(1);
        _exit(0);
    }
    int64_t before_us = mono_us();
    for (int i = 0; i < FORKS; i++)
        assert_int_equal(login("imap", alice, "alice"), POSTERN_OK);
    print_message(
        "# a login (ES256, connect to close, audited): %lld us with another process at it\n",
        (long long)(mono_us() - before_us) / FORKS);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(alice);
    free(bob);
}

static void no_token_is_in_the_log(void **state)
{
    char *token = make_token("imap", "mallory"), *broken = make_token("ldap", "mallory"), *text;
    FILE *f;
    long size;

    (void)state;
    assert_int_equal(login("imap", token, "mallory"), POSTERN_OK);
    assert_int_equal(login("imap", broken, "mallory"), POSTERN_ERR_AUD);
    f = fopen(audit_path, "r");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    rewind(f);
    text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, f), (size_t)size);
    assert_null(strstr(text, strrchr(token, '.') + 1));
    assert_null(strstr(text, strrchr(broken, '.') + 1));
    free(text);
    (void)fclose(f);
    free(token);
    free(broken);
}

static void a_silent_connection_is_closed_after_its_time(void **state)
{
    struct pollfd p = { .fd = early_silent, .events = POLLIN };
    int64_t took_ms;
    char c;

    (void)state;
    assert_int_equal(poll(&p, 1, (SERVER_IDLE_S + 40) * 1000), 1);
    took_ms = mono_us() / 1000 - early_silent_ms;
    assert_int_equal(recv(early_silent, &c, 1, 0), 0);
    assert_true(took_ms >=
                SERVER_IDLE_S * 1000 - 200); /* seen late at most: others ran meanwhile */
    (void)close(early_silent);
}

/* ---- revocations and the end ---- */

static void tell_helper(struct channel *c, const char *message)
{
    postern_error err = { 0 };

    assert_int_equal(channel_send(c, postern_bytes_str(message), -1, &err), POSTERN_OK);
    await_type(c, "done");
}

static void embed_issuer(void)
{
    char text[256];

    assert_true((size_t)snprintf(text, sizeof text, "issuer: " ISSUER "\njwks_file: %s/jwks.json\n",
                                 folder) < sizeof text);
    put("issuer.conf", text);
}

static bool is_silent(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 0;
}

/* Nothing came from the helper, or its own patience, since `begun_us`, is over. */
static bool still_waits(int64_t begun_us)
{
    return is_silent(channel_fd(helper_line)) ||
           mono_us() - begun_us >= HELPER_PATIENCE_MS * 1000;
}

/* The verdict on a caller who came before the helper knew.  It has waited for two seconds when it does
 * not know by then. */
static postern_err log_in_before_the_helper_knows(const char *token)
{
    struct channel *issuer;
    int64_t begun_us;
    postern_err verdict;
    postern_op *op;

    stop_helper();
    embed_issuer();
    begun_us = mono_us();
    launch_helper();
    issuer = link_issuer();
    op = start_login(socket_path, "imap", token);
    assert_non_null(op);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    tell_helper(issuer, "{\"type\":\"revoke\",\"id\":1,\"issuer\":\"" ISSUER
                        "\",\"client\":\"someone-else\",\"before\":4102444800}");
    tell_helper(
        issuer,
        "{\"type\":\"revocations_ready\",\"id\":2,\"issuer\":\"https://not.trusted.example\"}");
    assert_true(still_waits(begun_us));
    tell_helper(issuer, "{\"type\":\"revocations_ready\",\"id\":3,\"issuer\":\"" ISSUER "\"}");
    await_type(helper_line, "ready");
    verdict = finish_login(op, "alice");
    tell_helper(issuer, "{\"type\":\"revocations_ready\",\"id\":4,\"issuer\":\"" ISSUER "\"}");
    assert_true(is_silent(channel_fd(helper_line))); /* "ready" is said once */
    channel_free(issuer);
    return verdict;
}

static void callers_wait_until_the_helper_knows_what_was_revoked(void **state)
{
    char *token = make_token("imap", "alice");
    postern_err verdict = POSTERN_ERR_REVOCATIONS_UNKNOWN;

    (void)state;
    /* Again where this machine stood still for longer than the helper is patient. */
    for (int i = 0; i < 5 && verdict == POSTERN_ERR_REVOCATIONS_UNKNOWN; i++)
        verdict = log_in_before_the_helper_knows(token);
    assert_int_equal(verdict, POSTERN_OK);
    free(token);
}

static void a_helper_that_waits_for_revocations_drains_at_once(void **state)
{
    (void)state;
    stop_helper();
    embed_issuer();
    launch_helper();
    stop_helper();
    start_helper();
}

static void tokens_are_undecided_when_the_issuer_stays_silent(void **state)
{
    char *token = make_token("imap", "alice");
    struct channel *issuer;
    int64_t begun_us;

    (void)state;
    stop_helper();
    embed_issuer();
    begun_us = mono_us();
    launch_helper();
    issuer = link_issuer(); /* silent: await_type() waits longer than the helper */
    await_type(helper_line, "ready");
    assert_true(mono_us() - begun_us >= HELPER_PATIENCE_MS * 1000 - 100000);
    assert_int_equal(login("imap", token, "alice"), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    tell_helper(issuer, "{\"type\":\"revoke\",\"id\":1,\"issuer\":\"" ISSUER
                        "\",\"client\":\"someone-else\",\"before\":4102444800}");
    assert_int_equal(login("imap", token, "alice"), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    tell_helper(issuer, "{\"type\":\"revocations_ready\",\"id\":2,\"issuer\":\"" ISSUER "\"}");
    assert_int_equal(login("imap", token, "alice"), POSTERN_OK);
    tell_helper(
        issuer,
        "{\"type\":\"revocations_ready\",\"id\":3,\"issuer\":\"https://not.trusted.example\"}");
    tell_helper(issuer, "{\"type\":\"revoke\",\"id\":4,\"issuer\":\"" ISSUER
                        "\",\"client\":\"alice\",\"before\":4102444800}");
    assert_int_equal(login("imap", token, "alice"), POSTERN_ERR_REVOKED);
    /* Far more revocations than answers fit the line: the helper waits until they are read. */
    for (int told = 0, done = 0; done < 2000;) {
        char one[256];
        assert_true((size_t)snprintf(one, sizeof one,
                                     "{\"type\":\"revoke\",\"id\":%d,\"issuer\":\"" ISSUER
                                     "\",\"client\":\"c%d\",\"before\":1}",
                                     told + 5, told) < sizeof one);
        if (told < 2000 && channel_send(issuer, postern_bytes_str(one), -1, NULL) == POSTERN_OK) {
            told++;
            continue;
        }
        await_type(issuer, "done");
        done++;
    }
    assert_int_equal(login("imap", token, "alice"), POSTERN_ERR_REVOKED);
    channel_free(issuer); /* the issuer is gone: what was revoked stays revoked */
    assert_int_equal(login("imap", token, "alice"), POSTERN_ERR_REVOKED);
    free(token);
}

static void tokens_are_undecided_when_the_control_child_stays_silent(void **state)
{
    char *token = make_token("imap", "bob");
    struct channel *issuer;
    int64_t begun_us;

    (void)state;
    stop_helper();
    embed_issuer();
    begun_us = mono_us();
    launch_untold_helper();
    issuer = link_issuer();
    tell_helper(issuer, "{\"type\":\"revocations_ready\",\"id\":1,\"issuer\":\"" ISSUER "\"}");
    assert_true(still_waits(begun_us)); /* that alone is not enough */
    await_type(helper_line, "ready");                /* HELPER_PATIENCE_MS */
    assert_int_equal(login("imap", token, "bob"), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    tell_blocks("");
    assert_int_equal(login("imap", token, "bob"), POSTERN_OK);
    channel_free(issuer);
    free(token);
}

static void a_blocked_agent_is_told_whom_to_ask(void **state)
{
    char *token = make_token("imap", "bob");
    postern_op *op;

    (void)state;
    tell_blocks("{\"type\":\"block\",\"agent\":\"bob\",\"until\":0,\"reason\":\"stolen\","
                "\"contact\":\"ops@example.org\"}");
    op = start_login(socket_path, "imap", token);
    assert_int_equal(postern_op_run(op, NULL), POSTERN_ERR_BLOCKED);
    assert_string_equal(postern_op_failure(op)->because, "stolen");
    assert_string_equal(postern_op_failure(op)->contact, "ops@example.org");
    postern_op_free(op);
    say(control_line, "{\"type\":\"logins\",\"id\":2,\"agent\":\"bob\"}");
    await_type(control_line, "logins");
    assert_non_null(memmem(channel_message(control_line)->text.ptr,
                           channel_message(control_line)->text.len,
                           "{\"service\":\"imap\",\"count\":1,", 28));
    tell_blocks("");
    assert_int_equal(login("imap", token, "bob"), POSTERN_OK);
    free(token);
}

static void a_revocation_that_cannot_be_obeyed_ends_the_helper(void **state)
{
    struct channel *issuer = link_issuer();
    int status = 0;

    (void)state;
    assert_int_equal(
        channel_send(issuer,
                     POSTERN_BYTES_LIT("{\"type\":\"revoke\",\"id\":1,\"issuer\":\"" ISSUER "\"}"),
                     -1, NULL),
        POSTERN_OK);
    assert_int_equal(waitpid(helper_pid, &status, 0), helper_pid);
    assert_int_equal(status, 0);
    channel_free(issuer);
    channel_free(helper_line);
    helper_line = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_logs_in_and_is_recorded),
        cmocka_unit_test(a_process_of_another_user_may_not_ask_as_ldap),
        cmocka_unit_test(a_fake_helper_of_another_user_never_sees_a_token),
        cmocka_unit_test(a_socket_below_a_folder_of_others_never_sees_a_token),
        cmocka_unit_test(a_helper_that_is_down_is_undecided_at_once_and_recovers_by_itself),
        cmocka_unit_test(two_hundred_logins_pass_beside_stalled_connections),
        cmocka_unit_test(parent_and_child_after_fork_never_swap_users),
        cmocka_unit_test(two_processes_of_different_users_log_in_at_the_same_time),
        cmocka_unit_test(no_token_is_in_the_log),
        cmocka_unit_test(a_silent_connection_is_closed_after_its_time),
        cmocka_unit_test(callers_wait_until_the_helper_knows_what_was_revoked),
        cmocka_unit_test(a_helper_that_waits_for_revocations_drains_at_once),
        cmocka_unit_test(tokens_are_undecided_when_the_issuer_stays_silent),
        cmocka_unit_test(tokens_are_undecided_when_the_control_child_stays_silent),
        cmocka_unit_test(a_blocked_agent_is_told_whom_to_ask),
        cmocka_unit_test(a_revocation_that_cannot_be_obeyed_ends_the_helper),
    };

    return cmocka_run_group_tests_name("helper", tests, set_up_all, tear_down_all);
}
