/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/adapters/raw.c, line.c, credential.c: AUTH and RENEW, and which form a login has.  Rows are
 * those of the table of attacks on doors. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/alloc_fail.h"
#include "../support/raw_judge.h"
#include "raw_fixture.h"

#define MALFORMED POSTERN_ERR_MESSAGE_MALFORMED
#define LIMIT POSTERN_ERR_LIMIT
#define NO_TOKEN POSTERN_ERR_NO_TOKEN
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define BEARER "\x01" "auth=Bearer " TOKEN "\x01\x01"
#define SECRET_64 "abcdefghijklmnopqrstuvwxyz-_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static void only_raw_is_a_protocol(void **state)
{
    (void)state;
    assert_non_null(adapter_find("raw"));
    assert_string_equal(adapter_find("raw")->name, "raw");
    assert_null(adapter_find("RAW"));
    assert_null(adapter_find("ra"));
    assert_null(adapter_find(""));
}

/* ---- AUTH ---- */

static void a_login_line_yields_what_the_message_says(void **state)
{
    static const struct { const char *why; postern_bytes message; const char *end, *token, *authzid, *host, *port; } cases[] = {
        { "everything", RAW("n,a=alice,\x01host=cache.example.org\x01port=6380" BEARER), "\r\n", TOKEN, "alice", "cache.example.org", "6380" },
        { "a token alone", RAW("n,," BEARER), "\r\n", TOKEN, "", "", "" },
        { "line end LF", RAW("n,," BEARER), "\n", TOKEN, "", "", "" },
        { "escapes in the authzid", RAW("y,a=a=2Cb=3D," BEARER), "\r\n", TOKEN, "a,b=", "", "" },
        { "an opaque token", RAW("n,,\x01" "auth=bearer  a/b+c==\x01\x01"), "\n", "a/b+c==", "", "", "" },
    };
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_put_auth(&in, cases[i].message, cases[i].end);
        assert_login(cases[i].why, postern_buf_bytes(&in), cases[i].token, cases[i].authzid, cases[i].host, cases[i].port);
    }
}

static void a_message_that_is_no_login_is_refused(void **state)
{
    static const struct { const char *why; postern_bytes message; postern_err want; } cases[] = {
        { "discovery", RAW("n,,\x01" "auth=\x01\x01"), NO_TOKEN },
        { "empty message", RAW(""), MALFORMED },
        { "no auth", RAW("n,,\x01host=h\x01\x01"), MALFORMED },
        { "two auths", RAW("n,,\x01" "auth=Bearer a" BEARER), MALFORMED },
        { "channel binding", RAW("p=tls-unique,," BEARER), MALFORMED },
        { "bytes behind the message", RAW("n,," BEARER "x"), MALFORMED },
        { "one final separator", RAW("n,,\x01" "auth=Bearer " TOKEN "\x01"), MALFORMED },
        { "XOAUTH2's message", RAW("user=a" BEARER), MALFORMED },
        { "Basic inside", RAW("n,,\x01" "auth=Basic YTpi\x01\x01"), MALFORMED },
        { "NUL in the token", RAW("n,,\x01" "auth=Bearer a\0b\x01\x01"), MALFORMED },
        { "LF in the token", RAW("n,,\x01" "auth=Bearer a\nb\x01\x01"), MALFORMED },
        { "port 0", RAW("n,,\x01port=0" BEARER), MALFORMED },
        /* row 18: a name that would be two names at the backend */
        { "CRLF in the authzid", RAW("n,a=x\r\nX-Admin: 1," BEARER), MALFORMED },
        { "NUL in the authzid", RAW("n,a=x\0postgres," BEARER), MALFORMED },
        { "a bare comma in the authzid", RAW("n,a=a,d=b," BEARER), MALFORMED },
        { "overlong UTF-8 in the authzid", RAW("n,a=x\xC0\xAF," BEARER), MALFORMED },
        { "CRLF in the host", RAW("n,,\x01host=h\r\nx" BEARER), MALFORMED },
    };
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_put_auth(&in, cases[i].message, "\r\n");
        assert_refused(cases[i].why, postern_buf_bytes(&in), cases[i].want, in.len);
    }
}

/* "n,,\1auth=Bearer t\1\1" is bixhPT…; here for what base64 and the line around it may not look like. */
#define GOOD64 "biwsAWF1dGg9QmVhcmVyIHQBAQ=="
static void a_line_that_is_nearly_a_login_is_refused(void **state)
{
    static const struct { const char *why; postern_bytes in; } cases[] = {
        { "no base64", RAW("AUTH OAUTHBEARER \r\n") },
        { "no blank behind the mechanism", RAW("AUTH OAUTHBEARER\r\n") },
        { "two blanks behind AUTH", RAW("AUTH  OAUTHBEARER " GOOD64 "\r\n") },
        { "two blanks behind the mechanism", RAW("AUTH OAUTHBEARER  " GOOD64 "\r\n") },
        { "tab behind the mechanism", RAW("AUTH OAUTHBEARER\t" GOOD64 "\r\n") },
        { "blank behind the base64", RAW("AUTH OAUTHBEARER " GOOD64 " \r\n") },
        { "a second word", RAW("AUTH OAUTHBEARER " GOOD64 " x\r\n") },
        { "mechanism in lower case", RAW("AUTH oauthbearer " GOOD64 "\r\n") },
        { "another mechanism", RAW("AUTH PLAIN AGEAYg==\r\n") },
        { "longer mechanism", RAW("AUTH OAUTHBEARER-PLUS " GOOD64 "\r\n") },
        { "no padding", RAW("AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHQBAQ\r\n") },
        { "padding inside", RAW("AUTH OAUTHBEARER biws=AWF1dGg9QmVhcmVyIHQBAQ=\r\n") },
        { "pad bits set", RAW("AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHQBAR==\r\n") },
        { "base64url", RAW("AUTH OAUTHBEARER biws-WF1dGg9QmVhcmVyIHQBAQ==\r\n") },
        { "only padding", RAW("AUTH OAUTHBEARER ====\r\n") },
        { "SASL's empty response", RAW("AUTH OAUTHBEARER =\r\n") },
        { "a byte beyond ASCII", RAW("AUTH OAUTHBEARER \xC3\xA9" GOOD64 "\r\n") },
    };

    (void)state;
    assert_login("the base64 of these cases", RAW("AUTH OAUTHBEARER " GOOD64 "\r\n"), "t", "", "", "");
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refused(cases[i].why, cases[i].in, MALFORMED, cases[i].in.len);
}

static void xoauth2_is_refused_with_a_sentence_that_says_what_to_send(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW("AUTH XOAUTH2 dXNlcj1hAWF1dGg9QmVhcmVyIHQBAQ==\r\n")), ADAPTER_REJECT);
    assert_string_equal(l.err.detail, "XOAUTH2 is not taken here; send AUTH OAUTHBEARER (RFC 7628)");
    assert_non_null(strstr(raw_denied(&l, l.login.code), l.err.detail));
    raw_close(&l);
    assert_refused("without a message", RAW("AUTH XOAUTH2\r\n"), MALFORMED, 14);
}

/* ---- first bytes ---- */

static void what_fits_no_form_is_refused_at_its_first_foreign_byte(void **state)
{
    static const struct { const char *why; postern_bytes in; size_t at; } cases[] = {
        { "HTTP's GET", RAW("GET / HTTP/1.1\r\n\r\n"), 1 },
        { "a browser's POST", RAW("POST / HTTP/1.1\r\n"), 1 },
        { "a TLS hello", RAW("\x16\x03\x01\x02\x00"), 1 },
        { "an empty line first", RAW("\r\nAUTH OAUTHBEARER " GOOD64 "\r\n"), 1 },
        { "a blank first", RAW(" AUTH OAUTHBEARER " GOOD64 "\r\n"), 1 },
        { "UTF-8's mark first", RAW("\xEF\xBB\xBF" "AUTH OAUTHBEARER " GOOD64 "\r\n"), 1 },
        { "NUL first", RAW("\0AUTH"), 1 },
        { "PROXY protocol", RAW("PROXY TCP4 "), 1 },
        { "lower case", RAW("auth OAUTHBEARER " GOOD64 "\r\n"), 1 },
        { "mixed case", RAW("AUTh OAUTHBEARER " GOOD64 "\r\n"), 4 },
        { "tab behind the verb", RAW("AUTH\tOAUTHBEARER"), 5 },
        { "longer verb", RAW("AUTHX"), 5 },
        { "the verb alone", RAW("AUTH\r\n"), 5 },
        { "Redis", RAW("AUTH\r"), 5 },
        { "RENEW in lower case", RAW("Renew a b\r\n"), 2 },
        { "RESP", RAW("*1\r\n$4\r\nPING\r\n"), 1 },
        { "CONNECTX", RAW("CONNECTX"), 8 },
        { "MQTT-like", RAW("CONNACK"), 5 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refused(cases[i].why, cases[i].in, MALFORMED, cases[i].at);
}

static void nothing_is_said_before_the_line_is_complete(void **state)
{
    static const postern_bytes cases[] = {
        RAW("AUTH OAUTHBEARER " GOOD64), RAW("AUTH OAUTHBEARER " GOOD64 "\r"), RAW("RENEW s t\r"), RAW("C"), RAW("CONNECT"),
        RAW("AUTH "), RAW("R"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct raw_login l;

        raw_open(&l);
        assert_int_equal(raw_give_slowly(&l, cases[i]), ADAPTER_MORE);
        assert_int_equal(l.used, SIZE_MAX);
        raw_close(&l);
    }
}

static void a_control_character_is_refused_where_it_stands(void **state)
{
    static const struct { const char *why; postern_bytes in; size_t at; } cases[] = {
        { "NUL", RAW("AUTH OAUTHBEARER bi\0s"), 20 },
        { "a CR that is no line end", RAW("AUTH OAUTHBEARER bi\rws"), 21 },
        { "two CRs", RAW("RENEW s t\r\r\n"), 11 },
        { "ESC", RAW("RENEW s\x1B[2J t\r\n"), 8 },
        { "DEL", RAW("RENEW s\x7F t\r\n"), 8 },
        { "vertical tab", RAW("AUTH OAUTHBEARER \v"), 18 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refused(cases[i].why, cases[i].in, MALFORMED, cases[i].at);
}

/* ---- RENEW ---- */

static void a_renewal_yields_secret_and_token(void **state)
{
    static const struct { const char *why; postern_bytes in; const char *secret, *token; } cases[] = {
        { "as it is", RAW("RENEW c2Vj-_cmV0 " TOKEN "\r\n"), "c2Vj-_cmV0", TOKEN },
        { "LF, shortest", RAW("RENEW s t\n"), "s", "t" },
        { "longest secret, padded token", RAW("RENEW " SECRET_64 " t==\r\n"), SECRET_64, "t==" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct raw_login l;

        raw_open(&l);
        assert_int_equal(raw_give_slowly(&l, cases[i].in), ADAPTER_RENEW);
        assert_true(postern_bytes_equal_str(l.login.session, cases[i].secret));
        assert_true(postern_bytes_equal_str(l.login.token, cases[i].token));
        assert_null(raw_judge_login((postern_bytes){ l.seen, l.seen_len }, l.verdict, &l.login, l.used));
        assert_int_equal(l.used, cases[i].in.len);
        raw_close(&l);
    }
}

static void what_is_no_renewal_is_refused(void **state)
{
    static const struct { const char *why; postern_bytes in; } cases[] = {
        { "no token", RAW("RENEW s\r\n") },
        { "empty token", RAW("RENEW s \r\n") },
        { "no secret", RAW("RENEW  t\r\n") },
        { "secret and token behind two blanks", RAW("RENEW  s t\r\n") },
        { "two blanks before the token", RAW("RENEW s  t\r\n") },
        { "blank behind the token", RAW("RENEW s t \r\n") },
        { "a third word", RAW("RENEW s t u\r\n") },
        { "tab between", RAW("RENEW s\tt\r\n") },
        { "secret of 65", RAW("RENEW " SECRET_64 "x t\r\n") },
        { "secret in plain base64", RAW("RENEW a+b t\r\n") },
        { "padded secret", RAW("RENEW ab== t\r\n") },
        { "dot in the secret", RAW("RENEW a.b t\r\n") },
        { "token outside the alphabet", RAW("RENEW s t,u\r\n") },
        { "token is padding", RAW("RENEW s ==\r\n") },
        { "byte beyond ASCII", RAW("RENEW s t\xC3\xA9\r\n") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refused(cases[i].why, cases[i].in, MALFORMED, cases[i].in.len);
}

/* ---- limits ---- */

static void a_token_may_be_as_long_as_any_and_no_byte_longer(void **state)
{
    POSTERN_AUTO_BUF message = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX), in = POSTERN_BUF_INIT(2 * ADAPTER_LOGIN_MAX);
    struct raw_login l;

    (void)state;
    raw_fill(&message, "n,,\x01" "auth=Bearer ", 'a', POSTERN_TOKEN_MAX, "\x01\x01");
    raw_put_auth(&in, postern_buf_bytes(&message), "\r\n");
    raw_open(&l);
    assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), ADAPTER_LOGIN);
    assert_int_equal(l.login.token.len, POSTERN_TOKEN_MAX);
    raw_close(&l);
    raw_fill(&message, "n,,\x01" "auth=Bearer ", 'a', POSTERN_TOKEN_MAX + 1, "\x01\x01");
    raw_put_auth(&in, postern_buf_bytes(&message), "\r\n");
    assert_refused("AUTH", postern_buf_bytes(&in), LIMIT, in.len);
    raw_fill(&in, "RENEW s ", 'a', POSTERN_TOKEN_MAX, "\r\n");
    raw_open(&l);
    assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), ADAPTER_RENEW);
    raw_close(&l);
    raw_fill(&in, "RENEW s ", 'a', POSTERN_TOKEN_MAX + 1, "\n");
    assert_refused("RENEW", postern_buf_bytes(&in), LIMIT, in.len);
}

static void a_line_may_fill_the_login_and_no_byte_more(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(2 * ADAPTER_LOGIN_MAX);

    (void)state;
    raw_fill(&in, "AUTH OAUTHBEARER ", '!', ADAPTER_LOGIN_MAX - 18, "\n");
    assert_int_equal(in.len, ADAPTER_LOGIN_MAX);
    assert_refused("the longest line is read", postern_buf_bytes(&in), MALFORMED, ADAPTER_LOGIN_MAX);
    raw_fill(&in, "AUTH OAUTHBEARER ", '!', ADAPTER_LOGIN_MAX - 17, "\n");
    assert_refused("one byte more", postern_buf_bytes(&in), LIMIT, ADAPTER_LOGIN_MAX);
    raw_fill(&in, "AUTH OAUTHBEARER ", '!', ADAPTER_LOGIN_MAX - 18, "\r\n");
    assert_refused("LF one byte too late", postern_buf_bytes(&in), LIMIT, ADAPTER_LOGIN_MAX);
    raw_fill(&in, "AUTH OAUTHBEARER ", 'A', 2 * ADAPTER_LOGIN_MAX - 17, "");
    assert_refused("no end at all", postern_buf_bytes(&in), LIMIT, ADAPTER_LOGIN_MAX);
}

/* The page that was read is made unreadable: a second look at it would end the test. */
static void bytes_that_were_looked_at_are_not_looked_at_again(void **state)
{
    static const char *const starts[] = { "AUTH OAUTHBEARER ", "RENEW ", "CONNECT h:1 HTTP/1.0\nX: " };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++) {
        uint8_t *in = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const struct adapter *raw = adapter_find("raw");
        void *s = calloc(1, raw->state_size);
        struct adapter_login login;
        size_t used;

        assert_ptr_not_equal(in, MAP_FAILED);
        assert_non_null(s);
        memset(in, 'a', 4 * page);
        memcpy(in, starts[i], strlen(starts[i]));
        assert_int_equal(raw->feed(s, (postern_bytes){ in, page + 1 }, &used, &login, NULL), ADAPTER_MORE);
        assert_int_equal(mprotect(in, page, PROT_NONE), 0);
        for (size_t len = page + 1; len < 4 * page; len++)
            assert_int_equal(raw->feed(s, (postern_bytes){ in, len }, &used, &login, NULL), ADAPTER_MORE);
        raw->wipe(s);
        free(s);
        assert_int_equal(munmap(in, 4 * page), 0);
    }
}

/* ---- attacks ---- */

/* Row 4; the backend's bytes may look like a login, begin with a line end, or be a line end. */
static void row_4_bytes_behind_the_login_are_exactly_the_rest(void **state)
{
    static const char *const rests[] = { "PING\r\n", "\n", "\r\n", "AUTH OAUTHBEARER " GOOD64 "\r\n", "\x01\xFF", "RENEW s t\r\n" };
    static const char *const logins[] = { "AUTH OAUTHBEARER " GOOD64 "\r\n", "AUTH OAUTHBEARER " GOOD64 "\n", "RENEW s t\r\n" };

    (void)state;
    for (size_t i = 0; i < COUNT(logins); i++)
        for (size_t k = 0; k < COUNT(rests); k++) {
            POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);
            struct raw_login l;

            postern_buf_add_str(&in, logins[i]);
            postern_buf_add_str(&in, rests[k]);
            raw_open(&l);
            assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), i == 2 ? ADAPTER_RENEW : ADAPTER_LOGIN);
            assert_int_equal(l.used, strlen(logins[i]));
            raw_close(&l);
        }
}

static void row_4_a_login_with_much_behind_it_is_read_alone(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4 * ADAPTER_LOGIN_MAX);
    struct raw_login l;

    (void)state;
    raw_fill(&in, "AUTH OAUTHBEARER " GOOD64 "\r\n", 'x', 3 * ADAPTER_LOGIN_MAX, "");
    raw_open(&l);
    assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), ADAPTER_LOGIN);
    assert_int_equal(l.used, strlen("AUTH OAUTHBEARER " GOOD64 "\r\n"));
    raw_close(&l);
}

/* Row 2: what was injected before or behind the login never becomes another login of this connection. */
static void row_2_one_connection_has_one_login(void **state)
{
    static const char *const firsts[] = { "AUTH OAUTHBEARER " GOOD64 "\r\n", "RENEW s t\r\n", "AUTH OAUTHBEARER x\r\n" };

    (void)state;
    for (size_t i = 0; i < COUNT(firsts); i++) {
        struct raw_login l;
        POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);

        raw_open(&l);
        (void)raw_give(&l, postern_bytes_str(firsts[i]));
        postern_buf_add_str(&in, firsts[i]);
        postern_buf_add_str(&in, "AUTH OAUTHBEARER " GOOD64 "\r\n");
        assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), ADAPTER_REJECT);
        assert_int_equal(l.login.code, POSTERN_ERR_USAGE);
        assert_int_equal(l.login.token.len, 0);
        assert_int_equal(raw_give(&l, RAW("AUTH OAUTHBEARER " GOOD64 "\r\n")), ADAPTER_REJECT);
        raw_close(&l);
    }
}

/* Row 14: a wrong byte anywhere makes a refusal, or a login for what then stands there. */
static void row_14_no_mutation_of_a_login_line_yields_another_login_than_its_bytes(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);

    (void)state;
    raw_put_auth(&in, RAW("n,a=al,\x01host=h.org\x01port=63\x01" "auth=Bearer a.b.c\x01\x01"), "\r\n");
    assert_in_range(assert_mutations_are_honest(postern_buf_bytes(&in)), 1, 100000);
    assert_in_range(assert_mutations_are_honest(RAW("RENEW se-cr_et a.b.c\r\n")), 1, 100000);
    assert_in_range(assert_mutations_are_honest(RAW("RENEW s t\n")), 1, 100000);
}

/* The same inside the base64, where one byte of the message is three quarters of a character. */
static void row_14_no_mutation_of_a_message_yields_another_login_than_its_bytes(void **state)
{
    static const char message[] = "n,a=al,\x01host=h.org\x01port=63\x01" "auth=Bearer a.b.c\x01\x01";
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);
    size_t accepted = 0;

    (void)state;
    for (size_t i = 0; i < sizeof message - 1; i++)
        for (unsigned c = 0; c < 256; c++) {
            uint8_t mutated[sizeof message - 1];
            struct raw_login l;
            const char *complaint;

            memcpy(mutated, message, sizeof mutated);
            mutated[i] = (uint8_t)c;
            raw_put_auth(&in, (postern_bytes){ mutated, sizeof mutated }, "\n");
            raw_open(&l);
            if (raw_give(&l, postern_buf_bytes(&in)) == ADAPTER_LOGIN) {
                accepted++;
                complaint = raw_judge_login((postern_bytes){ l.seen, l.seen_len }, l.verdict, &l.login, l.used);
                if (complaint != NULL)
                    fail_msg("byte %zu as %u: %s", i, c, complaint);
                if (i < 28 && !postern_bytes_equal_str(l.login.token, "a.b.c"))
                    fail_msg("byte %zu as %u made another token", i, c);
            }
            raw_close(&l);
        }
    assert_in_range(accepted, sizeof message - 1, 256 * sizeof message);
}

/* ---- answers ---- */

static void a_line_is_answered_by_a_line(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW("AUTH OAUTHBEARER " GOOD64 "\r\n")), ADAPTER_LOGIN);
    assert_string_equal(raw_granted(&l), "OK {\"service\":\"cache\",\"lease_end\":1780000000,\"lease\":300,"
                                         "\"session\":\"c2VjcmV0\",\"ref\":\"R-7Q2M4XKD90\"}\r\n");
    assert_string_equal(raw_denied(&l, POSTERN_ERR_EXPIRED),
                        "ERR {\"error\":\"invalid_token\",\"error_description\":\"token has expired\",\"reason\":\"expired\","
                        "\"ref\":\"R-7Q2M4XKD90\",\"retry\":\"new_token\"}\r\n");
    raw_close(&l);
}

static void who_has_not_said_anything_is_answered_by_a_line(void **state)
{
    static const postern_bytes cases[] = { RAW(""), RAW("C"), RAW("CONNECT"), RAW("AUTH OAUTHBEARER x"), RAW("R"), RAW("GET / HTTP/1.1\r\n\r\n") };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct raw_login l;

        raw_open(&l);
        (void)raw_give(&l, cases[i]);
        (void)raw_denied(&l, POSTERN_ERR_TIMEOUT);
        assert_null(raw_judge_answer(postern_buf_bytes(&l.answer), false, false));
        assert_non_null(strstr(raw_denied(&l, POSTERN_ERR_TIMEOUT), "\"error\":\"temporarily_unavailable\""));
        raw_close(&l);
    }
}

/* Another reason than the one the login was refused for has its own sentence. */
static void the_sentence_belongs_to_the_refusal_it_was_made_for(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW("AUTH OAUTHBEARER x\r\n")), ADAPTER_REJECT);
    assert_non_null(strstr(raw_denied(&l, l.login.code), "the login is not base64 in its canonical form"));
    assert_non_null(strstr(raw_denied(&l, POSTERN_ERR_AUDIT), "the audit record could not be written"));
    raw_close(&l);
}

/* ---- secrets ---- */

static volatile bool is_watching, has_freed_a_token; /* gcc knows that free(3) looks at neither */
void __real_free(void *block);
void __wrap_free(void *block);

/* Blocks that our objects free (tests/unit/adapters.mk), as the next malloc(3) would find them. */
void __wrap_free(void *block)
{
    if (is_watching && block != NULL && memmem(block, malloc_usable_size(block), TOKEN, sizeof TOKEN - 1) != NULL)
        has_freed_a_token = true;
    __real_free(block);
}

static bool leaves_a_token(postern_bytes in)
{
    struct raw_login l;

    raw_open(&l);
    has_freed_a_token = false;
    is_watching = true;
    (void)l.adapter->feed(l.state, in, &l.used, &l.login, &l.err);
    (void)raw_denied(&l, POSTERN_ERR_EXPIRED);
    l.adapter->wipe(l.state);
    is_watching = false;
    raw_close(&l);
    return has_freed_a_token;
}

static void no_token_is_left_in_memory(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);
    char *volatile block = strdup(TOKEN);

    (void)state;
    is_watching = true;
    free(block);
    is_watching = false;
    assert_true(has_freed_a_token); /* it would be seen */
    raw_put_auth(&in, RAW("n,," BEARER), "\r\n");
    assert_false(leaves_a_token(postern_buf_bytes(&in)));
    raw_put_auth(&in, RAW("n,," BEARER "x"), "\r\n");
    assert_false(leaves_a_token(postern_buf_bytes(&in)));
    raw_put_auth(&in, RAW("n,," BEARER), "*\r\n"); /* not base64 at its very end */
    assert_false(leaves_a_token(postern_buf_bytes(&in)));
    raw_put_basic(&in, "alice:" TOKEN);
    assert_false(leaves_a_token(postern_buf_bytes(&in)));
    raw_put_basic(&in, "alice:hunter2 " TOKEN);
    assert_false(leaves_a_token(postern_buf_bytes(&in)));
}

static void wiping_an_untouched_state_is_fine(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    l.adapter->wipe(l.state);
    raw_close(&l); /* wipes once more */
}

/* ---- memory ---- */

static void a_login_without_memory_is_undecided(void **state)
{
    postern_bytes in = RAW("AUTH OAUTHBEARER " GOOD64 "\r\n");
    struct raw_login l;

    (void)state;
    assert_int_equal(alloc_fail_sweep(raw_read_once, &in, POSTERN_OK), 1);
    raw_open(&l);
    alloc_fail_arm(2); /* the first is the fixture's copy */
    assert_int_equal(raw_give(&l, in), ADAPTER_REJECT);
    assert_true(alloc_fail_disarm());
    assert_non_null(strstr(raw_denied(&l, l.login.code), "\"error_description\":\"out of memory\",\"reason\":\"nomem\""));
    assert_non_null(strstr(raw_denied(&l, l.login.code), "\"retry\":\"later\""));
    raw_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_raw_is_a_protocol),
        cmocka_unit_test(a_login_line_yields_what_the_message_says),
        cmocka_unit_test(a_message_that_is_no_login_is_refused),
        cmocka_unit_test(a_line_that_is_nearly_a_login_is_refused),
        cmocka_unit_test(xoauth2_is_refused_with_a_sentence_that_says_what_to_send),
        cmocka_unit_test(what_fits_no_form_is_refused_at_its_first_foreign_byte),
        cmocka_unit_test(nothing_is_said_before_the_line_is_complete),
        cmocka_unit_test(a_control_character_is_refused_where_it_stands),
        cmocka_unit_test(a_renewal_yields_secret_and_token),
        cmocka_unit_test(what_is_no_renewal_is_refused),
        cmocka_unit_test(a_token_may_be_as_long_as_any_and_no_byte_longer),
        cmocka_unit_test(a_line_may_fill_the_login_and_no_byte_more),
        cmocka_unit_test(bytes_that_were_looked_at_are_not_looked_at_again),
        cmocka_unit_test(row_4_bytes_behind_the_login_are_exactly_the_rest),
        cmocka_unit_test(row_4_a_login_with_much_behind_it_is_read_alone),
        cmocka_unit_test(row_2_one_connection_has_one_login),
        cmocka_unit_test(row_14_no_mutation_of_a_login_line_yields_another_login_than_its_bytes),
        cmocka_unit_test(row_14_no_mutation_of_a_message_yields_another_login_than_its_bytes),
        cmocka_unit_test(a_line_is_answered_by_a_line),
        cmocka_unit_test(who_has_not_said_anything_is_answered_by_a_line),
        cmocka_unit_test(the_sentence_belongs_to_the_refusal_it_was_made_for),
        cmocka_unit_test(no_token_is_left_in_memory),
        cmocka_unit_test(wiping_an_untouched_state_is_fine),
        cmocka_unit_test(a_login_without_memory_is_undecided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
