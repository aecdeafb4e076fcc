/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/http/issuer_line.c through validate.c: opaque tokens of the embedded issuer, asked about inside posternd.  The far end, which is
 * the issuer child's, is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <postern-private/issuer_line.h>
#include <postern/oauthbearer.h>

#include "../support/alloc_fail.h"
#include "../support/fake_transport.h"
#include "../support/test_login.h"
#include "oauth/context_inner.h"
#include "oauth/introspector.h"

#define TOKEN    "pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SHA256   "FRhzRWXwHoufLznTf6FMT8qDVwF4ZR3bzO8FiTLNNTk" /* of it, by openssl(1) */
#define TEXT_MAX 20000
#define TOGETHER 200

static test_login t;
static postern_issuer_line *line;
static int near_fd, far_fd; /* the line's ends; -1: closed */
static postern_request rq;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        assert_int_equal(close(*fd), 0);
    *fd = -1;
}

static void connect_line(void)
{
    int fds[2];

    postern_issuer_line_set(line, -1);
    close_fd(&near_fd);
    close_fd(&far_fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    near_fd = fds[0];
    far_fd = fds[1];
    postern_issuer_line_set(line, near_fd);
}

static void reload(void)
{
    test_login_reload(&t);
    postern_context_set_issuer_line(t.context, line);
}

static int set_up(void **state)
{
    (void)state;
    near_fd = far_fd = -1;
    test_login_make(&t);
    test_folder_put(&t.folder, "issuer.conf",
                    "issuer: " TEST_ISSUER "\njwks_file: /run/jwks.json\nlisten: 127.0.0.1:8414\n");
    assert_int_equal(postern_issuer_line_new(&line, NULL), POSTERN_OK);
    connect_line();
    reload();
    rq = test_login_request(TOKEN);
    rq.peer = "192.0.2.7";
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_login_remove(&t);
    postern_issuer_line_free(line);
    close_fd(&near_fd);
    close_fd(&far_fd);
    return 0;
}

/* ---- the far end ---- */

/* The next question, and the descriptor for its answer; -1: there is none. */
static int take_question(char text[TEXT_MAX])
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { text, TEXT_MAX - 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room };
    ssize_t n = recvmsg(far_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *c;
    int fd;

    if (n <= 0)
        return -1;
    text[n] = '\0';
    c = CMSG_FIRSTHDR(&msg);
    assert_true(c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd));
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static char *make_answer(const char *name, const char *json)
{
    char *claims = test_login_claims(name, json);
    char *answer = test_printf("{\"active\":true,\"token_type\":\"Bearer\",%s", claims + 1);

    free(claims);
    return answer;
}

/* Answer the one question there is; NULL: close it without a word. */
static void answer_with(const char *text)
{
    char question[TEXT_MAX];
    int fd = take_question(question);

    assert_true(fd >= 0);
    if (text != NULL)
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static bool has_question(void)
{
    struct pollfd p = { .fd = far_fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

/* ---- a login ---- */

static postern_op *begin(void)
{
    postern_op *op = NULL;

    assert_int_equal(postern_validate_start(t.context, &rq, &op, &t.err), POSTERN_OK);
    return op;
}

static postern_err step(postern_op *op)
{
    return postern_op_step(op, &t.err);
}

/* A whole login that is answered so. */
static postern_err log_in(const char *answer)
{
    POSTERN_AUTO(op) op = begin();
    postern_err e = step(op);

    if (e != POSTERN_AGAIN)
        return e;
    answer_with(answer);
    return step(op);
}

static void assert_login(const char *why, const char *answer, postern_err want)
{
    postern_err got = log_in(answer);

    if (got != want)
        fail_msg("%s: wanted %s, got %s (%s)", why, postern_err_reason(want), postern_err_reason(got), t.err.detail);
}

/* ---- tests ---- */

static void the_answer_is_a_grant_as_from_a_signed_token(void **state)
{
    POSTERN_AUTO(op) op = begin();
    POSTERN_AUTO(grant) g = NULL;
    char *answer = make_answer(NULL, NULL);
    struct pollfd p;

    (void)state;
    assert_int_equal(step(op), POSTERN_AGAIN);
    p = (struct pollfd){ .fd = postern_op_fd(op), .events = POLLIN };
    assert_true(p.fd >= 0 && poll(&p, 1, 0) == 0);
    assert_true(postern_op_wait_ms(op) > 0 && postern_op_wait_ms(op) <= POSTERN_INTROSPECTION_MS);
    answer_with(answer);
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_int_equal(step(op), POSTERN_OK);
    g = postern_op_take_grant(op);
    assert_string_equal(postern_grant_user(g), "alice");
    assert_string_equal(postern_grant_client_id(g), "agent-7");
    assert_string_equal(postern_grant_issuer(g), TEST_ISSUER);
    assert_int_equal(postern_grant_exp_s(g), TEST_NOW_S + 300);
    assert_int_equal(postern_grant_introspected_s(g), 0); /* what is taken back is told: nobody asks again */
    assert_int_equal(postern_context_judge_again(t.context, g, NULL, &t.err), POSTERN_OK);
    free(answer);
}

static void the_question_holds_the_tokens_hash_and_not_the_token(void **state)
{
    POSTERN_AUTO(op) op = begin();
    char question[TEXT_MAX];
    int fd;

    (void)state;
    assert_int_equal(step(op), POSTERN_AGAIN);
    fd = take_question(question);
    assert_true(fd >= 0);
    assert_string_equal(question, "{\"type\":\"introspect\",\"sha256\":\"" SHA256 "\"}");
    assert_null(strstr(question, "pot_"));
    assert_int_equal(close(fd), 0);
}

static void each_claim_is_judged(void **state)
{
    static const struct { const char *name, *json; postern_err want; } cases[] = {
        { NULL, NULL, POSTERN_OK },
        { "aud", "\"https://mail.example.org/smtp\"", POSTERN_ERR_AUD },
        { "aud", NULL, POSTERN_ERR_CLAIM_MISSING },
        { "iss", "\"https://sso.example.org/realms/people\"", POSTERN_ERR_ISS },
        { "exp", "1799999000", POSTERN_ERR_EXPIRED },
        { "scope", "\"mail.write\"", POSTERN_ERR_INSUFFICIENT_SCOPE },
        { "sub", "\"bob/../root\"", POSTERN_ERR_UNSAFE_IDENTITY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *answer = make_answer(cases[i].name, cases[i].json);
        postern_err got = log_in(answer);

        if (postern_err_outcome(got) != postern_err_outcome(cases[i].want) ||
            (cases[i].json != NULL && i != 6 && got != cases[i].want))
            fail_msg("%s %s: %s (%s)", cases[i].name, cases[i].json, postern_err_reason(got), t.err.detail);
        free(answer);
    }
}

static void what_is_not_active_is_refused_and_not_asked_about_again_for_a_moment(void **state)
{
    (void)state;
    assert_login("a guess", "{\"active\":false}", POSTERN_ERR_INACTIVE);
    assert_int_equal(log_in(NULL), POSTERN_ERR_INACTIVE);
    assert_false(has_question());
    t.mono_ms += POSTERN_INACTIVE_KEEP_MS;
    assert_login("asked again", "{\"active\":false}", POSTERN_ERR_INACTIVE);
}

static void nothing_that_is_active_is_remembered(void **state)
{
    char *answer = make_answer(NULL, NULL);

    (void)state;
    assert_login("the first time", answer, POSTERN_OK);
    assert_login("revoked a moment later", "{\"active\":false}", POSTERN_ERR_INACTIVE);
    free(answer);
}

static void what_is_no_answer_is_undecided(void **state)
{
    char *large = test_printf("{\"active\":true,\"x\":\"%*s\"}", 17000, "");

    (void)state;
    assert_login("closed without a word", NULL, POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_login("no JSON", "active", POSTERN_ERR_ISSUER_ANSWER);
    assert_login("no object", "[true]", POSTERN_ERR_ISSUER_ANSWER);
    assert_login("no word", "{}", POSTERN_ERR_ISSUER_ANSWER);
    assert_login("not the word", "{\"active\":\"true\"}", POSTERN_ERR_ISSUER_ANSWER);
    assert_login("cut", "{\"active\":true", POSTERN_ERR_ISSUER_ANSWER);
    assert_login("too long", large, POSTERN_ERR_ISSUER_ANSWER);
    free(large);
}

static void an_issuer_that_is_away_is_undecided_and_the_next_one_is_asked_at_once(void **state)
{
    char *answer = make_answer(NULL, NULL);

    (void)state;
    close_fd(&far_fd);
    assert_int_equal(log_in(NULL), POSTERN_ERR_ISSUER_UNREACHABLE);
    postern_issuer_line_set(line, -1);
    assert_int_equal(log_in(NULL), POSTERN_ERR_ISSUER_UNREACHABLE);
    connect_line();
    assert_login("its successor", answer, POSTERN_OK);
    free(answer);
}

static void an_issuer_that_dies_with_a_question_is_seen_at_once(void **state)
{
    POSTERN_AUTO(op) op = begin();

    (void)state;
    assert_int_equal(step(op), POSTERN_AGAIN);
    close_fd(&far_fd); /* the question, unread, with its descriptor */
    assert_int_equal(step(op), POSTERN_ERR_ISSUER_UNREACHABLE);
}

static void an_issuer_that_says_nothing_is_waited_for_three_seconds(void **state)
{
    POSTERN_AUTO(op) op = begin();

    (void)state;
    assert_int_equal(step(op), POSTERN_AGAIN);
    t.mono_ms += POSTERN_INTROSPECTION_MS - 1;
    assert_int_equal(step(op), POSTERN_AGAIN);
    t.mono_ms += 1;
    assert_int_equal(step(op), POSTERN_ERR_TIMEOUT);
}

static void a_line_that_is_full_is_busy(void **state)
{
    (void)state;
    while (send(near_fd, "{}", 2, MSG_NOSIGNAL) == 2)
        ;
    assert_int_equal(log_in(NULL), POSTERN_ERR_BUSY);
}

static void without_a_line_it_is_undecided(void **state)
{
    (void)state;
    test_login_reload(&t); /* as in postern verify */
    assert_int_equal(log_in(NULL), POSTERN_ERR_ISSUER_UNREACHABLE);
    assert_non_null(strstr(t.err.detail, "only posternd"));
}

static void only_the_whole_form_is_asked_about(void **state)
{
    static const char *const others[] = {
        "pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "POT_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "pot_AAAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAA", "pot_AAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAA",
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        rq = test_login_request(others[i]);
        if (log_in(NULL) != POSTERN_ERR_MALFORMED || has_question())
            fail_msg("%s: %s", others[i], t.err.detail);
    }
}

static void in_a_password_field_it_is_a_token_by_its_form(void **state)
{
    char *answer = make_answer(NULL, NULL);

    (void)state;
    rq.carrier = POSTERN_CARRIER_PASSWORD;
    assert_login("a password field", answer, POSTERN_OK);
    rq = test_login_request("pot_Geheimnis");
    rq.carrier = POSTERN_CARRIER_PASSWORD;
    assert_int_equal(log_in(NULL), POSTERN_ERR_MALFORMED);
    assert_false(has_question());
    free(answer);
}

static void a_service_that_does_not_trust_the_embedded_issuer_asks_nobody(void **state)
{
    (void)state;
    test_folder_put(&t.folder, "issuer.conf",
                    "issuer: https://other.example.org\njwks_file: /run/jwks.json\nlisten: 127.0.0.1:8414\n");
    reload();
    assert_int_equal(log_in(NULL), POSTERN_ERR_MALFORMED);
    assert_false(has_question());
}

static void two_who_bring_one_token_share_one_question(void **state)
{
    POSTERN_AUTO(op) first = begin();
    POSTERN_AUTO(op) second = begin();
    char *answer = make_answer(NULL, NULL);

    (void)state;
    assert_int_equal(step(first), POSTERN_AGAIN);
    assert_int_equal(step(second), POSTERN_AGAIN);
    answer_with(answer);
    assert_false(has_question());
    assert_int_equal(step(second), POSTERN_OK);
    assert_int_equal(step(first), POSTERN_OK);
    free(answer);
}

/* A host that starts its agents together, or a webmail: one source. */
static void two_hundred_tokens_at_one_moment_are_all_asked_about(void **state)
{
    static char tokens[TOGETHER][POSTERN_OPAQUE_TOKEN_LEN + 1];
    postern_op *ops[TOGETHER];
    char *answer = make_answer(NULL, NULL);

    (void)state;
    for (int i = 0; i < TOGETHER; i++) {
        assert_int_equal(snprintf(tokens[i], sizeof tokens[i], "pot_%043d", i), POSTERN_OPAQUE_TOKEN_LEN);
        rq.token = postern_bytes_str(tokens[i]);
        ops[i] = begin();
        assert_int_equal(step(ops[i]), POSTERN_AGAIN);
    }
    for (int i = 0; i < TOGETHER; i++) {
        answer_with(answer);
        assert_int_equal(step(ops[i]), POSTERN_OK);
        postern_op_free(ops[i]);
    }
    assert_false(has_question());
    free(answer);
}

static void guesses_are_counted_as_their_sources_and_logins_are_not(void **state)
{
    char token[POSTERN_OPAQUE_TOKEN_LEN + 1], *answer = make_answer(NULL, NULL);

    (void)state;
    for (int i = 0; i < 3 * POSTERN_INTROSPECTIONS_LINE_MAX; i++)
        assert_login("a token that is one", answer, POSTERN_OK);
    for (int i = 0; i < POSTERN_INTROSPECTIONS_LINE_MAX; i++) {
        assert_int_equal(snprintf(token, sizeof token, "pot_%043d", i), POSTERN_OPAQUE_TOKEN_LEN);
        rq.token = postern_bytes_str(token);
        assert_login("a guess", "{\"active\":false}", POSTERN_ERR_INACTIVE);
    }
    rq.token = postern_bytes_str(TOKEN);
    assert_int_equal(log_in(NULL), POSTERN_ERR_BUSY);
    rq.peer = "192.0.2.8";
    assert_login("from elsewhere", answer, POSTERN_OK);
    rq.peer = "192.0.2.7";
    t.mono_ms += 4;
    assert_login("who shares the guesser's address waits no longer", answer, POSTERN_OK);
    free(answer);
}

static void a_revocation_counts_at_once(void **state)
{
    char *answer = make_answer("jti", "\"j-1\"");

    (void)state;
    assert_login("before", answer, POSTERN_OK);
    assert_int_equal(postern_context_revoke(t.context, TEST_ISSUER, POSTERN_REVOCATION_JTI, "j-1", TEST_NOW_S, NULL), POSTERN_OK);
    assert_login("whatever the answer says", answer, POSTERN_ERR_REVOKED);
    free(answer);
}

static void a_login_that_is_given_up_leaves_nothing(void **state)
{
    char question[TEXT_MAX];
    int fd;

    (void)state;
    for (int i = 0; i < 3; i++) {
        POSTERN_AUTO(op) op = begin();

        assert_int_equal(step(op), POSTERN_AGAIN);
    }
    fd = take_question(question);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void a_file_that_wants_them_needs_the_embedded_issuer(void **state)
{
    POSTERN_AUTO(config) c = NULL;

    (void)state;
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\naccess_token_format: opaque\n");
    assert_int_equal(postern_config_load(t.folder.path, &c, &t.err), POSTERN_OK);
    test_folder_put(&t.folder, "issuer.conf",
                    "issuer: https://other.example.org\njwks_file: /run/jwks.json\nlisten: 127.0.0.1:8414\n");
    assert_int_equal(postern_config_load(t.folder.path, &c, &t.err), POSTERN_ERR_CONFIG_VALUE);
    assert_non_null(strstr(t.err.detail, "services/imap.conf:3:"));
    test_folder_drop(&t.folder, "issuer.conf");
    assert_int_equal(postern_config_load(t.folder.path, &c, &t.err), POSTERN_ERR_CONFIG_VALUE);
    assert_non_null(strstr(t.err.detail, "there is no issuer.conf"));
    test_folder_put(&t.folder, "services/imap.conf",
                    "audience: " TEST_AUDIENCE "\nhelper_peers: 0\naccess_token_format: short\n");
    assert_int_equal(postern_config_load(t.folder.path, &c, &t.err), POSTERN_ERR_CONFIG_VALUE);
}

static postern_err log_in_from_nothing(const char *answer, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    char question[TEXT_MAX];
    postern_err e;
    int fd;

    POSTERN_TRY(postern_validate_start(t.context, &rq, &op, err));
    e = postern_op_step(op, err);
    if (e != POSTERN_AGAIN)
        return e;
    fd = take_question(question);
    if (fd < 0 || send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0 || close(fd) != 0)
        abort();
    return postern_op_step(op, err);
}

static void a_login_survives_every_failing_allocation(void **state)
{
    char *answer = make_answer(NULL, NULL);
    bool was_refused = true;
    unsigned nth;

    (void)state;
    for (nth = 1; was_refused; nth++) {
        postern_error err = { 0 };
        postern_err e;

        alloc_fail_arm(nth);
        e = log_in_from_nothing(answer, &err);
        was_refused = alloc_fail_disarm();
        if (has_question()) /* the memory that was not there was the answer's */
            answer_with(NULL);
        if (e != POSTERN_OK && (e != POSTERN_ERR_NOMEM || err.code != e))
            fail_msg("allocation %u: %s (%s)", nth, postern_err_reason(e), err.detail);
        rq.peer = nth % 2 == 0 ? "192.0.2.9" : "192.0.2.10";
        t.mono_ms += 1000;
    }
    assert_true(nth > 10);
    free(answer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_answer_is_a_grant_as_from_a_signed_token),
        TEST(the_question_holds_the_tokens_hash_and_not_the_token),
        TEST(each_claim_is_judged),
        TEST(what_is_not_active_is_refused_and_not_asked_about_again_for_a_moment),
        TEST(nothing_that_is_active_is_remembered),
        TEST(what_is_no_answer_is_undecided),
        TEST(an_issuer_that_is_away_is_undecided_and_the_next_one_is_asked_at_once),
        TEST(an_issuer_that_dies_with_a_question_is_seen_at_once),
        TEST(an_issuer_that_says_nothing_is_waited_for_three_seconds),
        TEST(a_line_that_is_full_is_busy),
        TEST(without_a_line_it_is_undecided),
        TEST(only_the_whole_form_is_asked_about),
        TEST(in_a_password_field_it_is_a_token_by_its_form),
        TEST(a_service_that_does_not_trust_the_embedded_issuer_asks_nobody),
        TEST(two_who_bring_one_token_share_one_question),
        TEST(two_hundred_tokens_at_one_moment_are_all_asked_about),
        TEST(guesses_are_counted_as_their_sources_and_logins_are_not),
        TEST(a_revocation_counts_at_once),
        TEST(a_login_that_is_given_up_leaves_nothing),
        TEST(a_file_that_wants_them_needs_the_embedded_issuer),
        TEST(a_login_survives_every_failing_allocation),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
