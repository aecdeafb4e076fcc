/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/adapters/redis_login.c: the client's login, the door's own, and what is said before and instead. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/redis_rig.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TOKEN "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln" /* 41 bytes */
#define W_TOKEN "$41\r\n" TOKEN "\r\n"
#define OPAQUE "pot_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
#define MALFORMED POSTERN_ERR_MESSAGE_MALFORMED
#define AUTH1 "*2\r\n$4\r\nAUTH\r\n" W_TOKEN
#define HELLO3 "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n" W_TOKEN
#define PING "*1\r\n$4\r\nPING\r\n"
#define NOAUTH "-NOAUTH Authentication required.\r\n"

struct login {
    const struct adapter *adapter;
    void *state;
    uint8_t *block;
    adapter_feed verdict;
    size_t used;
    struct adapter_login login;
    postern_error err;
};

static void open_login(struct login *l)
{
    *l = (struct login){ .adapter = adapter_find("redis") };
    l->state = calloc(1, l->adapter->state_size);
    assert_non_null(l->state);
}

static void close_login(struct login *l)
{
    l->adapter->wipe(l->state);
    free(l->state);
    free(l->block);
}

static adapter_feed give(struct login *l, postern_bytes in)
{
    free(l->block);
    l->block = malloc(in.len + 1);
    assert_non_null(l->block);
    memcpy(l->block, in.ptr, in.len);
    l->verdict = l->adapter->feed(l->state, (postern_bytes){ l->block, in.len }, &l->used, &l->login, &l->err);
    return l->verdict;
}

static adapter_feed give_slowly(struct login *l, postern_bytes in)
{
    for (size_t len = 0; len <= in.len; len++)
        if (give(l, (postern_bytes){ in.ptr, len }) != ADAPTER_MORE)
            break;
    return l->verdict;
}

static const char *denied(struct login *l, postern_err code, postern_buf *out)
{
    postern_failure f = { .code = code, .ref = "R-7Q2M4XKD90" };

    l->adapter->deny(l->state, &(struct adapter_denied){ .failure = &f }, out);
    return postern_buf_cstr(out);
}

static void unchanged_clients_log_in(void **state)
{
    static const struct { const char *why, *in, *token, *authzid; size_t used; } cases[] = {
        { "AUTH token", AUTH1, TOKEN, "", sizeof AUTH1 - 1 },
        { "AUTH user token", "*3\r\n$4\r\nauth\r\n$5\r\nalice\r\n" W_TOKEN, TOKEN, "alice", 0 },
        { "libraries' default user", "*3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n" W_TOKEN, TOKEN, "", 0 },
        { "HELLO 3", HELLO3, TOKEN, "", 0 },
        { "HELLO 2 with a name", "*7\r\n$5\r\nhello\r\n$1\r\n2\r\n$7\r\nsetname\r\n$1\r\nx\r\n$4\r\nauth\r\n$1\r\nu\r\n" W_TOKEN, TOKEN, "u", 0 },
        { "an opaque token", "*2\r\n$4\r\nAUTH\r\n$47\r\n" OPAQUE "\r\n", OPAQUE, "", 0 },
        { "commands before it", PING "*2\r\n$7\r\nCOMMAND\r\n$4\r\nDOCS\r\n" AUTH1, TOKEN, "", 0 },
        { "what follows is the session's", AUTH1 "*2\r\n$3\r\nGET", TOKEN, "", sizeof AUTH1 - 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int slow = 0; slow < 2; slow++) {
            struct login l;
            postern_bytes in = postern_bytes_str(cases[i].in);

            open_login(&l);
            if ((slow != 0 ? give_slowly(&l, in) : give(&l, in)) != ADAPTER_LOGIN)
                fail_msg("%s: %s", cases[i].why, l.err.detail);
            assert_true(postern_bytes_equal_str(l.login.token, cases[i].token));
            assert_string_equal(l.login.authzid, cases[i].authzid);
            assert_int_equal(l.login.carrier, POSTERN_CARRIER_PASSWORD);
            assert_int_equal(l.used, cases[i].used != 0 ? cases[i].used : in.len);
            assert_int_equal(give(&l, in), ADAPTER_REJECT);
            close_login(&l);
        }
}

static void what_is_no_login_is_refused_in_redis_words(void **state)
{
    static const struct { const char *why, *in; postern_err want; const char *answer; } cases[] = {
        { "a person's password", "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", POSTERN_ERR_MALFORMED, "-WRONGPASS {" },
        { "an empty password", "*2\r\n$4\r\nAUTH\r\n$0\r\n\r\n", POSTERN_ERR_MALFORMED, "-WRONGPASS {" },
        { "nearly a token", "*2\r\n$4\r\nAUTH\r\n$10\r\neyJhb.eyJz\r\n", POSTERN_ERR_MALFORMED, "-WRONGPASS {" },
        { "a user of two lines", "*3\r\n$4\r\nAUTH\r\n$3\r\na\r\n\r\n" W_TOKEN, MALFORMED, "-ERR " },
        { "a user with a NUL", "*3\r\n$4\r\nAUTH\r\n$1\r\n\x7f\r\n" W_TOKEN, MALFORMED, "-ERR " },
        { "AUTH of four words", "*4\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", MALFORMED, "-ERR " },
        { "HELLO 4", "*2\r\n$5\r\nHELLO\r\n$1\r\n4\r\n", MALFORMED, "-ERR " },
        { "HELLO with AUTH cut short", "*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\na\r\n", MALFORMED, "-ERR " },
        { "HTTP", "POST / HTTP/1.1\r\n", MALFORMED, "-ERR " },
        { "an inline command", "AUTH x\r\n", MALFORMED, "-ERR " },
        { "TLS", "\x16\x03\x01", MALFORMED, "-ERR " },
        { "QUIT", "*1\r\n$4\r\nQUIT\r\n", POSTERN_ERR_NO_TOKEN, "+OK\r\n" },
        { "nothing but questions", PING PING PING PING PING PING PING PING PING PING PING PING PING PING PING PING PING, POSTERN_ERR_NO_TOKEN, NOAUTH },
        { "a login that is too long", "*2\r\n$4\r\nAUTH\r\n$30000\r\n", POSTERN_ERR_LIMIT, "-WRONGPASS {" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int slow = 0; slow < 2; slow++) {
            POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
            struct login l;
            postern_bytes in = postern_bytes_str(cases[i].in);

            open_login(&l);
            if ((slow != 0 ? give_slowly(&l, in) : give(&l, in)) != ADAPTER_REJECT || l.login.code != cases[i].want)
                fail_msg("%s: %d %s", cases[i].why, l.verdict, l.err.detail);
            assert_int_equal(l.err.code, cases[i].want);
            if (strncmp(denied(&l, l.login.code, &out), cases[i].answer, strlen(cases[i].answer)) != 0)
                fail_msg("%s: %s", cases[i].why, postern_buf_cstr(&out));
            close_login(&l);
        }
}

static void each_outcome_has_its_word(void **state)
{
    static const struct { postern_err code; const char *word; } cases[] = {
        { POSTERN_ERR_EXPIRED, "-WRONGPASS {" }, { POSTERN_ERR_POLICY, "-WRONGPASS {" },
        { POSTERN_ERR_KEYS_UNAVAILABLE, "-LOADING {" }, { POSTERN_ERR_TIMEOUT, "-LOADING {" },
        { POSTERN_ERR_INTERNAL, "-LOADING {" }, { POSTERN_ERR_NO_TOKEN, "-NOAUTH {" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
        struct login l;

        open_login(&l);
        assert_int_equal(give(&l, postern_bytes_str(AUTH1)), ADAPTER_LOGIN);
        assert_memory_equal(denied(&l, cases[i].code, &out), cases[i].word, strlen(cases[i].word));
        assert_null(memchr(out.ptr, '\n', out.len - 1));
        assert_string_equal((char *)out.ptr + out.len - 2, "\r\n");
        close_login(&l);
    }
}

static void questions_before_the_login_are_answered_once(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
    struct login l;

    (void)state;
    open_login(&l);
    assert_int_equal(give(&l, postern_bytes_str(PING)), ADAPTER_MORE);
    l.adapter->chat(l.state, &out);
    l.adapter->chat(l.state, &out);
    assert_string_equal(postern_buf_cstr(&out), NOAUTH);
    assert_int_equal(give(&l, postern_bytes_str(PING PING AUTH1)), ADAPTER_LOGIN);
    postern_buf_reset(&out);
    l.adapter->grant(l.state, &(struct adapter_granted){ .service = "x" }, &out);
    assert_string_equal(postern_buf_cstr(&out), NOAUTH "+OK\r\n");
    close_login(&l);
}

/* ---- the backend ---- */

static adapter_step greet_with(struct login *l, const char *user, const char *password, const char *answer, postern_buf *said, size_t piece)
{
    struct adapter_backend_login as = { user, postern_bytes_str(password) };
    postern_bytes in = postern_bytes_str(answer);
    adapter_step step = ADAPTER_STEP_MORE;
    size_t at = 0, have = 0;

    if (l->adapter->inspector->greet(l->state, &as, said, &l->err) != POSTERN_OK)
        return ADAPTER_STEP_BROKEN;
    while (step == ADAPTER_STEP_MORE && have < in.len) {
        size_t used = 0;

        have = piece == 0 || have + piece > in.len ? in.len : have + piece;
        step = l->adapter->inspector->greeted(l->state, (postern_bytes){ in.ptr + at, have - at }, &used, said, &l->err);
        at += used;
    }
    l->used = at;
    return step;
}

static void the_door_logs_in_by_itself(void **state)
{
    static const struct { const char *why, *login, *user, *password, *said, *answer; size_t used; } cases[] = {
        { "a password", AUTH1, NULL, "pw", "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "+OK\r\n+1", 5 },
        { "a user", AUTH1, "door", "pw", "*3\r\n$4\r\nAUTH\r\n$4\r\ndoor\r\n$2\r\npw\r\n", "+OK\r\n", 5 },
        { "nobody", AUTH1, "", "", PING, "+PONG\r\n", 7 },
        { "HELLO", HELLO3, "door", "pw", "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$4\r\ndoor\r\n$2\r\npw\r\n", "%1\r\n+a\r\n+b\r\n", 12 },
        { "HELLO as nobody", HELLO3, "", "", "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", "%0\r\n", 4 },
        { "HELLO with a password", HELLO3, "", "pw", "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$2\r\npw\r\n", "%0\r\n", 4 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 0; piece < 2; piece++) {
            POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(4096), out = POSTERN_BUF_INIT(ADAPTER_ANSWER_MAX);
            struct login l;

            open_login(&l);
            assert_int_equal(give(&l, postern_bytes_str(cases[i].login)), ADAPTER_LOGIN);
            if (greet_with(&l, cases[i].user, cases[i].password, cases[i].answer, &said, piece) != ADAPTER_STEP_PASS)
                fail_msg("%s: %s", cases[i].why, l.err.detail);
            assert_string_equal(postern_buf_cstr(&said), cases[i].said);
            assert_int_equal(l.used, cases[i].used);
            l.adapter->grant(l.state, &(struct adapter_granted){ .service = "x" }, &out);
            assert_string_equal(postern_buf_cstr(&out), cases[i].answer[0] == '%' ? cases[i].answer : "+OK\r\n");
            close_login(&l);
        }
}

static void a_backend_that_will_not_have_the_door_is_no_backend(void **state)
{
    static const struct { const char *why, *login, *password, *answer; } cases[] = {
        { "wrong password", AUTH1, "pw", "-WRONGPASS invalid\r\n" }, { "it wants one", AUTH1, "", "-NOAUTH x\r\n" },
        { "no protocol 3", HELLO3, "pw", "-NOPROTO x\r\n" }, { "another protocol's answer", HELLO3, "pw", "*0\r\n" },
        { "HTTP", AUTH1, "pw", "HTTP/1.1 400\r\n" }, { "something else", AUTH1, "pw", "+MAYBE\r\n" }, { "SSH", AUTH1, "", "SSH-2.0-x\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(4096);
        struct login l;

        open_login(&l);
        assert_int_equal(give(&l, postern_bytes_str(cases[i].login)), ADAPTER_LOGIN);
        if (greet_with(&l, "", cases[i].password, cases[i].answer, &said, 0) != ADAPTER_STEP_BROKEN)
            fail_msg("%s", cases[i].why);
        assert_int_equal(l.err.code, POSTERN_ERR_BACKEND);
        close_login(&l);
    }
}

static void a_greeting_has_an_end(void **state)
{
    POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(4096), answer = POSTERN_BUF_INIT(100000);
    struct login l;

    (void)state;
    postern_buf_add_str(&answer, "%9000\r\n");
    while (answer.len < 40000)
        postern_buf_add_str(&answer, "+a\r\n");
    open_login(&l);
    assert_int_equal(give(&l, postern_bytes_str(HELLO3)), ADAPTER_LOGIN);
    assert_int_equal(greet_with(&l, "", "pw", postern_buf_cstr(&answer), &said, 1000), ADAPTER_STEP_BROKEN);
    close_login(&l);
}

static void a_user_without_a_password_is_no_login(void **state)
{
    POSTERN_AUTO_BUF said = POSTERN_BUF_INIT(4096);
    struct login l;

    (void)state;
    open_login(&l);
    assert_int_equal(give(&l, postern_bytes_str(AUTH1)), ADAPTER_LOGIN);
    assert_int_equal(greet_with(&l, "door", "", "", &said, 0), ADAPTER_STEP_BROKEN);
    assert_int_equal(l.err.code, POSTERN_ERR_USAGE);
    assert_int_equal(said.len, 0);
    close_login(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unchanged_clients_log_in),
        cmocka_unit_test(what_is_no_login_is_refused_in_redis_words),
        cmocka_unit_test(each_outcome_has_its_word),
        cmocka_unit_test(questions_before_the_login_are_answered_once),
        cmocka_unit_test(the_door_logs_in_by_itself),
        cmocka_unit_test(a_backend_that_will_not_have_the_door_is_no_backend),
        cmocka_unit_test(a_greeting_has_an_end),
        cmocka_unit_test(a_user_without_a_password_is_no_login),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
