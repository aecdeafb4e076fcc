/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/helper/client.c against a listener in the same thread: what is refused before a byte is sent,
 * what counts as an answer. What needs other users and processes is in tests/component/helper.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <postern-private/json.h>
#include <postern-private/reply.h>
#include <postern/client.h>

#include "grant/grant.h"
#include "grant/op.h"
#include "../support/alloc_fail.h"

#define TOKEN "eyJhbGciOiJub25lIn0.e30.c2ln"

struct fake {
    char folder[64];
    char path[96];
    int listener;
};

static postern_helper_address address_of(const struct fake *f)
{
    return (postern_helper_address){ .path = f->path, .server_uid = getuid() };
}

static int listen_at(const char *path, int type, int backlog)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && strlen(path) < sizeof a.sun_path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static int set_up(void **state)
{
    struct fake *f = calloc(1, sizeof *f);
    const char *tmp = "/tmp/postern-client.XXXXXX";

    assert_non_null(f);
    memcpy(f->folder, tmp, strlen(tmp) + 1);
    assert_non_null(mkdtemp(f->folder));
    assert_true((size_t)snprintf(f->path, sizeof f->path, "%s/helper.sock", f->folder) <
                sizeof f->path);
    f->listener = listen_at(f->path, SOCK_SEQPACKET, 8);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fake *f = *state;

    (void)close(f->listener);
    (void)unlink(f->path);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static const char *const two_scopes[] = { "mail.read", "mail", NULL };

static postern_request full_request(void)
{
    return (postern_request){
        .size = sizeof(postern_request),
        .service = "imap",
        .token = POSTERN_BYTES_LIT(TOKEN),
        .authzid = "alice",
        .carrier = POSTERN_CARRIER_SASL,
        .tls = POSTERN_TLS_ON,
        .peer = "192.0.2.1",
        .message_host = "mail.example",
        .message_port = "143",
        .extra_scopes = two_scopes,
        .client_cert_sha256 = POSTERN_BYTES_LIT("0123456789abcdef0123456789abcdef"),
    };
}

static postern_op *start(const struct fake *f, const postern_request *rq)
{
    postern_helper_address where = address_of(f);
    postern_op *op = NULL;
    postern_error err = { 0 };

    if (postern_client_verify_start(&where, rq, &op, &err) != POSTERN_OK)
        fail_msg("start: %s", err.detail);
    return op;
}

static postern_op *start_full(const struct fake *f)
{
    postern_request rq = full_request();

    return start(f, &rq);
}

/* The verdict of the next step; nothing has reached the listener. */
static void assert_refused_unheard(struct fake *f, postern_op *op, postern_err want)
{
    postern_error err = { 0 };

    assert_int_equal(postern_op_step(op, &err), want);
    assert_int_equal(postern_op_failure(op)->code, want);
    assert_int_equal(accept(f->listener, NULL, NULL), -1);
    assert_int_equal(postern_op_step(op, &err), want);
    assert_null(postern_op_take_grant(op));
    postern_op_free(op);
}

static int accept_one(struct fake *f)
{
    int fd = accept(f->listener, NULL, NULL);

    assert_true(fd >= 0);
    return fd;
}

static size_t receive(int fd, char *room, size_t size)
{
    ssize_t got = recv(fd, room, size, MSG_DONTWAIT);

    assert_true(got >= 0);
    return (size_t)got;
}

static void nonce_of_frame(const char *frame, size_t len, char nonce[23])
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes raw;

    assert_int_equal(postern_json_scan(&j, (postern_bytes){ (const uint8_t *)frame, len }, NULL),
                     POSTERN_OK);
    raw = postern_json_raw(&j, postern_json_member(&j, 0, "nonce"));
    assert_int_equal(raw.len, 24);
    memcpy(nonce, raw.ptr + 1, 22);
    nonce[22] = '\0';
}

static void answer_proved(int fd, const char *nonce)
{
    char text[512];
    int len = snprintf(
        text, sizeof text,
        "{\"v\":1,\"op\":\"verify\",\"nonce\":\"%s\",\"service\":\"imap\",\"outcome\":\"proved\","
        "\"ref\":\"R-0123456789\","
        "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"alice\",\"aud\":\"a\",\"exp\":9}}",
        nonce);

    assert_true(len > 0 && (size_t)len < sizeof text);
    assert_int_equal(send(fd, text, (size_t)len, 0), len);
}

/* ---- answers ---- */

static void a_proved_answer_becomes_a_grant_of_the_helper(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    postern_grant *g;
    char frame[POSTERN_HELPER_FRAME_MAX], nonce[23];
    int fd;

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    assert_true(postern_op_fd(op) >= 0);
    assert_int_equal(fcntl(postern_op_fd(op), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    nonce_of_frame(frame, receive(fd, frame, sizeof frame), nonce);
    answer_proved(fd, nonce);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    g = postern_op_take_grant(op);
    assert_non_null(g);
    assert_int_equal(postern_grant_origin(g), POSTERN_ORIGIN_HELPER);
    assert_string_equal(postern_grant_user(g), "alice");
    assert_null(postern_client_info(op));
    postern_grant_free(g);
    postern_op_free(op);
    (void)close(fd);
}

static void the_request_says_all_that_the_host_said(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    char frame[POSTERN_HELPER_FRAME_MAX];
    size_t len;
    int fd;
    POSTERN_AUTO_JSON j = { 0 };
    static const char *const want[][2] = {
        { "op", "verify" },      { "service", "imap" },      { "token", TOKEN },
        { "authzid", "alice" },  { "carrier", "sasl" },      { "tls", "on" },
        { "peer", "192.0.2.1" }, { "host", "mail.example" }, { "port", "143" },
        { "client_cert_sha256", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" },
    };

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    len = receive(fd, frame, sizeof frame);
    assert_int_equal(postern_json_scan(&j, (postern_bytes){ (uint8_t *)frame, len }, NULL),
                     POSTERN_OK);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_true(postern_json_string_is(&j, postern_json_member(&j, 0, want[i][0]), want[i][1]));
    assert_int_equal(j.nodes[postern_json_member(&j, 0, "scopes")].child_count, 2);
    assert_int_equal(postern_json_type_of(&j, postern_json_member(&j, 0, "last")), POSTERN_JSON_TRUE);
    assert_int_equal(j.nodes[0].child_count, 14);
    postern_op_free(op);
    (void)close(fd);
}

static void every_request_has_a_nonce_of_its_own(void **state)
{
    struct fake *f = *state;
    char frame[POSTERN_HELPER_FRAME_MAX], nonces[2][23];

    for (int i = 0; i < 2; i++) {
        postern_op *op = start_full(f);
        int fd;
        assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
        fd = accept_one(f);
        nonce_of_frame(frame, receive(fd, frame, sizeof frame), nonces[i]);
        postern_op_free(op);
        (void)close(fd);
    }
    assert_string_not_equal(nonces[0], nonces[1]);
}

/* One exchange with a prepared answer ("%s" is the nonce); its verdict. */
static postern_err exchange(struct fake *f, const char *answer, postern_failure *ret)
{
    postern_op *op = start_full(f);
    char frame[POSTERN_HELPER_FRAME_MAX], nonce[23], text[1024];
    const char *hole = strstr(answer, "%s");
    int fd, len;
    postern_err e;

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    nonce_of_frame(frame, receive(fd, frame, sizeof frame), nonce);
    len = hole == NULL ? snprintf(text, sizeof text, "%s", answer)
                       : snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - answer), answer,
                                  nonce, hole + 2);
    assert_true(len > 0 && (size_t)len < sizeof text);
    assert_int_equal(send(fd, text, (size_t)len, 0), len);
    e = postern_op_step(op, NULL);
    assert_null(postern_op_take_grant(op));
    *ret = *postern_op_failure(op);
    postern_op_free(op);
    (void)close(fd);
    return e;
}

static void a_refusal_of_the_helper_is_passed_on_with_its_reference(void **state)
{
    postern_failure failure;

    assert_int_equal(
        exchange(
            *state,
            "{\"v\":1,\"op\":\"verify\",\"nonce\":\"%s\",\"service\":\"imap\",\"outcome\":"
            "\"rejected\","
            "\"reason\":\"expired\",\"ref\":\"R-0123456789\",\"failure\":{\"scope\":\"mail\"}}",
            &failure),
        POSTERN_ERR_EXPIRED);
    assert_int_equal(failure.code, POSTERN_ERR_EXPIRED);
    assert_string_equal(failure.ref, "R-0123456789");
    assert_string_equal(failure.scope, "mail");
    assert_int_equal(exchange(*state,
                              "{\"v\":1,\"op\":\"verify\",\"nonce\":\"%s\",\"service\":\"imap\","
                              "\"outcome\":\"undecided\","
                              "\"reason\":\"keys_unavailable\",\"ref\":\"R-0123456780\"}",
                              &failure),
                     POSTERN_ERR_KEYS_UNAVAILABLE);
}

static void an_answer_to_another_question_is_no_verdict(void **state)
{
    static const char *const answers[] = {
        "{\"v\":1,\"op\":\"verify\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"service\":\"imap\","
        "\"outcome\":\"proved\",\"ref\":\"R-1\","
        "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"mallory\",\"aud\":\"a\",\"exp\":9}}",
        "{\"v\":1,\"op\":\"verify\",\"nonce\":\"%s\",\"service\":\"ldap\",\"outcome\":\"proved\","
        "\"ref\":\"R-1\","
        "\"grant\":{\"iss\":\"i\",\"sub\":\"s\",\"user\":\"mallory\",\"aud\":\"a\",\"exp\":9}}",
        "OK",
        "{\"v\":1,\"op\":\"describe\",\"nonce\":\"%s\",\"service\":\"imap\",\"known\":true}",
    };
    postern_failure failure;

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_int_equal(exchange(*state, answers[i], &failure), POSTERN_ERR_HELPER_PROTOCOL);
}

static void an_answer_beyond_the_frame_limit_is_no_verdict(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    static char frame[POSTERN_HELPER_FRAME_MAX + 1];
    int fd;

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    memset(frame, ' ', sizeof frame);
    assert_int_equal(send(fd, frame, sizeof frame, 0), sizeof frame);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_HELPER_PROTOCOL);
    postern_op_free(op);
    (void)close(fd);
}

static void an_answer_with_a_descriptor_is_no_verdict(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { (void *)"{}", 2 };
    struct msghdr m = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof control.room };
    int fd;

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
    CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
    CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
    assert_int_equal(sendmsg(fd, &m, 0), 2);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_HELPER_PROTOCOL);
    postern_op_free(op);
    (void)close(fd);
}

static void a_helper_that_hangs_up_leaves_it_undecided(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    (void)close(accept_one(f));
    assert_int_equal(postern_op_step(op, NULL), POSTERN_ERR_HELPER_UNAVAILABLE);
    postern_op_free(op);
}

static int64_t held_mono_ms;
static int64_t held_clock(void *arg)
{
    (void)arg;
    return held_mono_ms;
}

static void a_silent_helper_is_given_up_at_the_deadline(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    postern_error err = { 0 };

    op->clock.mono_ms = held_clock;
    op->deadline_mono_ms = 5000;
    held_mono_ms = 0;
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    held_mono_ms = 4999;
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    assert_in_range(postern_op_wait_ms(op), 0, 1);
    held_mono_ms = 5000;
    assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_TIMEOUT);
    assert_non_null(strstr(err.detail, "the helper did not answer"));
    postern_op_free(op);
}

static const char busy[] =
    "{\"v\":1,\"op\":\"error\",\"reason\":\"busy\",\"detail\":\"one user holds all\"}";

static void assert_busy(postern_op *op)
{
    postern_error err = { 0 };

    assert_int_equal(postern_op_step(op, &err), POSTERN_ERR_BUSY);
    assert_non_null(strstr(err.detail, "one user holds all"));
    assert_null(postern_op_take_grant(op));
    postern_op_free(op);
}

/* The helper may close before it has read: the kernel resets the connection, and the word is behind. */
static void a_helper_that_turns_away_is_heard_though_it_read_nothing(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    int fd;

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    assert_true(send(fd, busy, sizeof busy - 1, 0) > 0);
    (void)close(fd); /* with the frame unread */
    assert_busy(op);
}

/* ---- before anything is sent ---- */

static void no_socket_is_undecided_at_the_first_step(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);

    assert_int_equal(unlink(f->path), 0);
    assert_refused_unheard(f, op, POSTERN_ERR_HELPER_UNAVAILABLE);
}

static void a_socket_that_nobody_serves_is_undecided_at_the_first_step(void **state)
{
    struct fake *f = *state;

    (void)close(f->listener);
    assert_refused_unheard(f, start_full(f), POSTERN_ERR_HELPER_UNAVAILABLE);
}

static void a_folder_that_others_may_write_is_not_trusted(void **state)
{
    struct fake *f = *state;

    assert_int_equal(chmod(f->folder, 0777), 0);
    assert_refused_unheard(f, start_full(f), POSTERN_ERR_HELPER_UNTRUSTED);
    assert_int_equal(chmod(f->folder, 0770), 0);
    assert_refused_unheard(f, start_full(f), POSTERN_ERR_HELPER_UNTRUSTED);
}

static void a_link_through_a_folder_that_others_may_write_is_not_trusted(void **state)
{
    struct fake *f = *state;
    struct fake through = *f;
    char open_folder[80], link_path[96];

    assert_true((size_t)snprintf(open_folder, sizeof open_folder, "%s/open", f->folder) <
                sizeof open_folder);
    assert_true((size_t)snprintf(link_path, sizeof link_path, "%s/link", f->folder) <
                sizeof link_path);
    assert_true((size_t)snprintf(through.path, sizeof through.path, "%s/link/s", f->folder) <
                sizeof through.path);
    assert_int_equal(mkdir(open_folder, 0700), 0);
    assert_int_equal(chmod(open_folder, 0777), 0);
    assert_int_equal(symlink("open", link_path), 0);
    (void)close(f->listener);
    f->listener = listen_at(through.path, SOCK_SEQPACKET, 8);
    assert_refused_unheard(f, start_full(&through), POSTERN_ERR_HELPER_UNTRUSTED);
    assert_int_equal(chmod(open_folder, 0755), 0);
    postern_op *op = start_full(&through);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    postern_op_free(op);
    (void)unlink(through.path);
    (void)unlink(link_path);
    (void)rmdir(open_folder);
}

static struct fake reached_by(const struct fake *f, const char *tail)
{
    struct fake through = *f;

    assert_true((size_t)snprintf(through.path, sizeof through.path, "%s/%s", f->folder, tail) <
                sizeof through.path);
    return through;
}

static void a_link_to_a_socket_in_a_folder_that_others_may_write_is_not_trusted(void **state)
{
    struct fake *f = *state;
    struct fake open_folder = reached_by(f, "open"), inside = reached_by(f, "open/s"),
                through = reached_by(f, "link");

    assert_int_equal(mkdir(open_folder.path, 0700), 0);
    assert_int_equal(chmod(open_folder.path, 0777), 0);
    assert_int_equal(symlink("open/s", through.path), 0);
    (void)close(f->listener);
    f->listener = listen_at(inside.path, SOCK_SEQPACKET, 8);
    assert_refused_unheard(f, start_full(&through), POSTERN_ERR_HELPER_UNTRUSTED);
    assert_int_equal(chmod(open_folder.path, 0755), 0);
    postern_op *op = start_full(&through);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    postern_op_free(op);
    (void)unlink(through.path);
    (void)unlink(inside.path);
    (void)rmdir(open_folder.path);
}

static void a_path_with_dots_is_looked_at_as_written_and_as_it_resolves(void **state)
{
    static const char *const ways[] = { "open/.././helper.sock", ".//open/../helper.sock",
                                        "inner/../helper.sock" };
    struct fake *f = *state;
    struct fake open_folder = reached_by(f, "open"), other = reached_by(f, "elsewhere"),
                inner = reached_by(f, "inner");

    assert_int_equal(mkdir(open_folder.path, 0700), 0);
    assert_int_equal(mkdir(other.path, 0700), 0);
    assert_int_equal(chmod(open_folder.path, 0777), 0);
    assert_int_equal(symlink("elsewhere", inner.path), 0);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct fake through = reached_by(f, ways[i]);
        postern_op *op;

        if (i < 2)
            assert_refused_unheard(f, start_full(&through), POSTERN_ERR_HELPER_UNTRUSTED);
        assert_int_equal(chmod(open_folder.path, 0755), 0);
        op = start_full(&through);
        assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
        postern_op_free(op);
        (void)close(accept_one(f));
        assert_int_equal(chmod(open_folder.path, 0777), 0);
    }
    (void)unlink(inner.path);
    (void)rmdir(open_folder.path);
    (void)rmdir(other.path);
}

static void a_socket_of_another_type_is_not_trusted(void **state)
{
    struct fake *f = *state;

    (void)close(f->listener);
    (void)unlink(f->path);
    f->listener = listen_at(f->path, SOCK_STREAM, 8);
    assert_refused_unheard(f, start_full(f), POSTERN_ERR_HELPER_UNTRUSTED);
}

static void what_is_no_token_is_refused_without_asking(void **state)
{
    struct fake *f = *state;
    static uint8_t long_token[POSTERN_TOKEN_MAX + 1];
    postern_request rq = full_request();

    memset(long_token, 'a', sizeof long_token);
    rq.token = (postern_bytes){ long_token, sizeof long_token };
    assert_refused_unheard(f, start(f, &rq), POSTERN_ERR_LIMIT);
    rq.token = POSTERN_BYTES_NONE;
    assert_refused_unheard(f, start(f, &rq), POSTERN_ERR_NO_TOKEN);
    rq.token = POSTERN_BYTES_LIT("a b");
    assert_refused_unheard(f, start(f, &rq), POSTERN_ERR_MALFORMED);
    rq.token = POSTERN_BYTES_LIT("a\0b");
    assert_refused_unheard(f, start(f, &rq), POSTERN_ERR_MALFORMED);
    rq = full_request();
    rq.authzid = "alice\n";
    assert_refused_unheard(f, start(f, &rq), POSTERN_ERR_AUTHZID);
    rq = full_request();
    rq.message_port = "123456";
    assert_refused_unheard(f, start(f, &rq), POSTERN_ERR_MESSAGE_MALFORMED);
}

static void the_longest_token_with_the_longest_names_fits_one_frame(void **state)
{
    struct fake *f = *state;
    static uint8_t long_token[POSTERN_TOKEN_MAX];
    static char quotes[256], scope[256];
    const char *scopes[17] = { 0 };
    postern_request rq = full_request();
    postern_op *op;

    memset(long_token, 'a', sizeof long_token);
    memset(quotes, '"', sizeof quotes - 1);
    memset(scope, '"', sizeof scope - 1);
    for (size_t i = 0; i < 16; i++)
        scopes[i] = scope;
    rq.token = (postern_bytes){ long_token, sizeof long_token };
    rq.authzid = rq.peer = rq.message_host = quotes;
    rq.extra_scopes = scopes;
    op = start(f, &rq);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    (void)close(accept_one(f));
    postern_op_free(op);
}

static void a_broken_contract_starts_nothing(void **state)
{
    struct fake *f = *state;
    postern_helper_address where = address_of(f), relative = { .path = "run/helper.sock" };
    postern_request rq = full_request();
    const char *bad_scopes[] = { "", NULL };
    postern_op *op = NULL;

    rq.service = NULL;
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq.service = "";
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq = full_request();
    rq.size--;
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq = full_request();
    rq.carrier = POSTERN_CARRIER_UNKNOWN;
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq = full_request();
    rq.extra_scopes = bad_scopes;
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq = full_request();
    rq.client_cert_sha256.len = 31;
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    rq.client_cert_sha256 = POSTERN_BYTES_LIT("0123456789abcdef0123456789abcdef0");
    assert_int_equal(postern_client_verify_start(&where, &rq, &op, NULL), POSTERN_ERR_USAGE);
    assert_int_equal(postern_client_describe_start(&relative, "imap", &op, NULL),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_client_describe_start(&where, NULL, &op, NULL), POSTERN_ERR_USAGE);
    assert_null(op);
}

static void a_full_backlog_is_waited_for_without_spinning(void **state)
{
    struct fake *f = *state;
    postern_op *ops[8], *late, *patient;
    postern_error err = { 0 };
    size_t count = 0;
    postern_err e = POSTERN_AGAIN;

    assert_int_equal(listen(f->listener, 0), 0);
    late = start_full(f);
    while (count < 8) { /* until one finds no room */
        ops[count] = start_full(f);
        e = postern_op_step(ops[count], NULL);
        assert_int_equal(e, POSTERN_AGAIN);
        if (postern_op_fd(ops[count++]) < 0)
            break;
    }
    assert_in_range(count, 2, 7);
    assert_int_equal(postern_op_step(late, NULL), POSTERN_AGAIN);
    assert_int_equal(postern_op_fd(late), -1);
    assert_in_range(postern_op_wait_ms(late), 1, 50);
    patient = start_full(f);
    assert_int_equal(postern_op_step(patient, NULL), POSTERN_AGAIN);
    patient->deadline_mono_ms = 0; /* its time is over while there is no room */
    assert_int_equal(postern_op_step(patient, &err), POSTERN_ERR_TIMEOUT);
    assert_non_null(strstr(err.detail, "the backlog of the helper's socket was full"));
    postern_op_free(patient);
    (void)close(accept_one(f));
    assert_int_equal(postern_op_step(late, NULL), POSTERN_AGAIN);
    assert_true(postern_op_fd(late) >= 0);
    for (size_t i = 0; i < count; i++)
        postern_op_free(ops[i]);
    postern_op_free(late);
}

static void a_forked_child_never_uses_what_it_inherited(void **state)
{
    struct fake *f = *state;
    postern_op *op = start_full(f);
    char frame[POSTERN_HELPER_FRAME_MAX], nonce[23];
    int fd, status = 0;
    pid_t child;

    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    nonce_of_frame(frame, receive(fd, frame, sizeof frame), nonce);
    answer_proved(fd, nonce);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        postern_err e = postern_op_step(op, NULL);
        postern_grant *g = postern_op_take_grant(op);
        postern_op_free(op);
        _exit(e == POSTERN_ERR_HELPER_UNAVAILABLE && g == NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(postern_op_step(op, NULL),
                     POSTERN_OK); /* the parent's answer is still there */
    postern_op_free(op);
    (void)close(fd);
}

static void a_service_is_described_for_mech_avail(void **state)
{
    struct fake *f = *state;
    postern_helper_address where = address_of(f);
    postern_op *op = NULL;
    char frame[POSTERN_HELPER_FRAME_MAX], nonce[23], text[512];
    int fd, len;

    assert_int_equal(postern_client_describe_start(&where, "imap", &op, NULL), POSTERN_OK);
    assert_null(postern_client_info(op));
    assert_int_equal(postern_op_step(op, NULL), POSTERN_AGAIN);
    fd = accept_one(f);
    nonce_of_frame(frame, receive(fd, frame, sizeof frame), nonce);
    len = snprintf(
        text, sizeof text,
        "{\"v\":1,\"op\":\"describe\",\"nonce\":\"%s\",\"service\":\"imap\",\"known\":true,"
        "\"mech_list\":[\"OAUTHBEARER\"],\"failure\":{\"scope\":\"mail\"}}",
        nonce);
    assert_true(len > 0 && (size_t)len < sizeof text);
    assert_int_equal(send(fd, text, (size_t)len, 0), len);
    assert_int_equal(postern_op_step(op, NULL), POSTERN_OK);
    assert_non_null(postern_client_info(op));
    assert_true(postern_client_info(op)->is_known);
    assert_true(postern_client_info(op)->has_oauthbearer);
    assert_string_equal(postern_client_info(op)->discovery.scope, "mail");
    assert_null(postern_op_take_grant(op));
    postern_op_free(op);
    (void)close(fd);
}

/* ---- memory ---- */

static postern_err one_login(void *arg, postern_error *err)
{
    struct fake *f = arg;
    postern_helper_address where = address_of(f);
    postern_request rq = full_request();
    POSTERN_AUTO(op) op = NULL;
    char frame[POSTERN_HELPER_FRAME_MAX], *at;
    int fd;
    postern_err e = postern_client_verify_start(&where, &rq, &op, err);

    while ((fd = accept(f->listener, NULL, NULL)) >=
           0) /* left by the run before, which failed after it had connected */
        (void)close(fd);
    if (e != POSTERN_OK)
        return e;
    e = postern_op_step(op, err);
    if (e != POSTERN_AGAIN)
        return e;
    fd = accept_one(f);
    frame[receive(fd, frame, sizeof frame - 1)] = '\0';
    at = strstr(frame, "\"nonce\":\"") + 9; /* no allocation here: it would be swept too */
    at[22] = '\0';
    answer_proved(fd, at);
    e = postern_op_step(op, err);
    (void)close(fd);
    return e;
}

static postern_err one_handle(void *arg, postern_error *err)
{
    struct fake *f = arg;
    postern_helper_address where = address_of(f);
    POSTERN_AUTO(op) op = NULL;
    POSTERN_AUTO(secret) handle = NULL;
    char frame[POSTERN_HELPER_FRAME_MAX], text[512], *at;
    int fd, len;
    postern_err e = postern_client_handle_start(&where, "imap", POSTERN_BYTES_LIT(TOKEN), 2, &op, err);

    while ((fd = accept(f->listener, NULL, NULL)) >= 0) /* as in one_login() */
        (void)close(fd);
    if (e != POSTERN_OK)
        return e;
    e = postern_op_step(op, err);
    if (e != POSTERN_AGAIN)
        return e;
    fd = accept_one(f);
    frame[receive(fd, frame, sizeof frame - 1)] = '\0';
    at = strstr(frame, "\"nonce\":\"") + 9;
    len = snprintf(text, sizeof text,
                   "{\"v\":1,\"op\":\"handle\",\"nonce\":\"%.22s\",\"service\":\"imap\",\"outcome\":\"proved\","
                   "\"ref\":\"R-0123456789\",\"handle\":\"pst_x\",\"uses\":2,\"expires_in\":60}",
                   at);
    assert_int_equal(send(fd, text, (size_t)len, 0), len);
    (void)close(fd);
    e = postern_op_step(op, err);
    handle = e == POSTERN_OK ? postern_op_take_token(op) : NULL;
    if (e == POSTERN_OK)
        assert_non_null(handle);
    return e;
}

static void every_allocation_may_fail(void **state)
{
    assert_true(alloc_fail_sweep(one_login, *state, POSTERN_OK) > 4);
    assert_true(alloc_fail_sweep(one_handle, *state, POSTERN_OK) > 4);
}

static void a_handle_is_asked_for_within_its_bounds(void **state)
{
    static const unsigned bad_uses[] = { 0, POSTERN_HANDLE_USES_MAX + 1, 4294967295u };
    static const char *const bad_tokens[] = { "", "two words", "pa\\ss" };
    struct fake *f = *state;
    postern_helper_address where = address_of(f);
    postern_op *op = NULL;

    for (size_t i = 0; i < sizeof bad_uses / sizeof bad_uses[0]; i++)
        assert_int_equal(postern_client_handle_start(&where, "imap", POSTERN_BYTES_LIT(TOKEN), bad_uses[i],
                                                     &op, NULL),
                         POSTERN_ERR_USAGE);
    assert_int_equal(postern_client_handle_start(&where, "", POSTERN_BYTES_LIT(TOKEN), 1, &op, NULL),
                     POSTERN_ERR_USAGE);
    assert_null(op);
    for (size_t i = 0; i < sizeof bad_tokens / sizeof bad_tokens[0]; i++) {
        assert_int_equal(postern_client_handle_start(&where, "imap", postern_bytes_str(bad_tokens[i]), 1,
                                                     &op, NULL),
                         POSTERN_OK);
        assert_refused_unheard(f, op, i == 0 ? POSTERN_ERR_NO_TOKEN : POSTERN_ERR_MALFORMED);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_proved_answer_becomes_a_grant_of_the_helper),
        TEST(the_request_says_all_that_the_host_said),
        TEST(every_request_has_a_nonce_of_its_own),
        TEST(a_refusal_of_the_helper_is_passed_on_with_its_reference),
        TEST(an_answer_to_another_question_is_no_verdict),
        TEST(an_answer_beyond_the_frame_limit_is_no_verdict),
        TEST(an_answer_with_a_descriptor_is_no_verdict),
        TEST(a_helper_that_hangs_up_leaves_it_undecided),
        TEST(a_silent_helper_is_given_up_at_the_deadline),
        TEST(a_helper_that_turns_away_is_heard_though_it_read_nothing),
        TEST(no_socket_is_undecided_at_the_first_step),
        TEST(a_socket_that_nobody_serves_is_undecided_at_the_first_step),
        TEST(a_folder_that_others_may_write_is_not_trusted),
        TEST(a_link_through_a_folder_that_others_may_write_is_not_trusted),
        TEST(a_link_to_a_socket_in_a_folder_that_others_may_write_is_not_trusted),
        TEST(a_path_with_dots_is_looked_at_as_written_and_as_it_resolves),
        TEST(a_socket_of_another_type_is_not_trusted),
        TEST(what_is_no_token_is_refused_without_asking),
        TEST(the_longest_token_with_the_longest_names_fits_one_frame),
        TEST(a_broken_contract_starts_nothing),
        TEST(a_full_backlog_is_waited_for_without_spinning),
        TEST(a_forked_child_never_uses_what_it_inherited),
        TEST(a_service_is_described_for_mech_avail),
        TEST(every_allocation_may_fail),
        TEST(a_handle_is_asked_for_within_its_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
