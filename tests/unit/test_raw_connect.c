/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/adapters/raw_connect.c, connect_target.c, connect_answer.c, credential.c: the login as an
 * HTTP CONNECT.  Rows are those of the table of attacks on doors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "adapters/raw_connect.h"
#include "../support/alloc_fail.h"
#include "../support/raw_judge.h"
#include "raw_fixture.h"

#define MALFORMED POSTERN_ERR_MESSAGE_MALFORMED
#define LIMIT POSTERN_ERR_LIMIT
#define NO_TOKEN POSTERN_ERR_NO_TOKEN
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define LINE10 "CONNECT cache.example.org:6380 HTTP/1.0\r\n"
#define LINE11 "CONNECT cache.example.org:6380 HTTP/1.1\r\nHost: cache.example.org:6380\r\n"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"
#define PROXY_BEARER "Proxy-Authorization: Bearer " TOKEN "\r\n"
#define END "\r\n"

/* ---- what is accepted ---- */

static void a_head_yields_token_and_target(void **state)
{
    static const struct { const char *why; postern_bytes in; const char *host, *port; } cases[] = {
        { "as curl sends it", RAW("CONNECT cache.example.org:6380 HTTP/1.1\r\nHost: cache.example.org:6380\r\nUser-Agent: curl/7.88.1\r\n"
                                  "Proxy-Connection: Keep-Alive\r\n" PROXY_BEARER END), "cache.example.org", "6380" },
        { "Authorization", RAW(LINE11 BEARER END), "cache.example.org", "6380" },
        { "HTTP/1.0 needs no Host", RAW(LINE10 BEARER END), "cache.example.org", "6380" },
        { "Host without port, in capitals", RAW("CONNECT h.org:1 HTTP/1.1\r\nhost:H.ORG\r\n" BEARER END), "h.org", "1" },
        { "names of headers and scheme in any case", RAW(LINE10 "AUTHORIZATION: bEARER " TOKEN END END), "cache.example.org", "6380" },
        { "blanks around the value, several before the token", RAW(LINE10 "Authorization: \t Bearer   " TOKEN " \t\r\n" END), "cache.example.org", "6380" },
        { "no blank behind the colon", RAW(LINE10 "Authorization:Bearer " TOKEN END END), "cache.example.org", "6380" },
        { "lines end in LF", RAW("CONNECT h.org:1 HTTP/1.1\nHost: h.org:1\nAuthorization: Bearer " TOKEN "\n\n"), "h.org", "1" },
        { "IPv4", RAW("CONNECT 192.0.2.7:65535 HTTP/1.0\r\n" BEARER END), "192.0.2.7", "65535" },
        { "IPv6", RAW("CONNECT [2001:db8::7]:22 HTTP/1.1\r\nHost: [2001:db8::7]:22\r\n" BEARER END), "2001:db8::7", "22" },
        { "a name of a container network", RAW("CONNECT my_redis:6379 HTTP/1.0\r\n" BEARER END), "my_redis", "6379" },
        { "a dot behind the name", RAW("CONNECT h.org.:1 HTTP/1.0\r\n" BEARER END), "h.org.", "1" },
        { "digits in the name", RAW("CONNECT 7.h1:1 HTTP/1.0\r\n" BEARER END), "7.h1", "1" },
        { "bytes beyond ASCII in a header that nobody reads", RAW(LINE10 "X: \xC3\xA9\r\nEmpty:\r\n" BEARER END), "cache.example.org", "6380" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_login(cases[i].why, cases[i].in, TOKEN, "", cases[i].host, cases[i].port);
}

static void a_token_in_a_password_is_marked_as_such(void **state)
{
    static const struct { const char *credentials, *authzid; } cases[] = {
        { "alice:" TOKEN, "alice" }, { ":" TOKEN, "" }, { "j\xC3\xA9:" TOKEN, "j\xC3\xA9" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);
        struct raw_login l;

        raw_put_basic(&in, cases[i].credentials);
        assert_login(cases[i].credentials, postern_buf_bytes(&in), TOKEN, cases[i].authzid, "h", "1");
        raw_open(&l);
        assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), ADAPTER_LOGIN);
        assert_int_equal(l.login.carrier, POSTERN_CARRIER_PASSWORD);
        raw_close(&l);
    }
}

static void a_bearer_token_is_marked_as_such(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW(LINE10 PROXY_BEARER END)), ADAPTER_LOGIN);
    assert_int_equal(l.login.carrier, POSTERN_CARRIER_RAW);
    raw_close(&l);
}

/* ---- what is refused ---- */

static void a_request_line_that_is_not_exactly_connect_is_refused(void **state)
{
    static const char *const lines[] = {
        "CONNECT  h:1 HTTP/1.1", "CONNECT h:1  HTTP/1.1", "CONNECT h:1\tHTTP/1.1", "CONNECT h:1 HTTP/1.1 ", "CONNECT h:1", "CONNECT ",
        "CONNECT h:1 HTTP/2", "CONNECT h:1 HTTP/2.0", "CONNECT h:1 HTTP/1.2", "CONNECT h:1 HTTP/0.9", "CONNECT h:1 http/1.1",
        "CONNECT h:1 HTTP/1.10", "CONNECT h:1 HTTP/11", "CONNECT h:1 HTTPS/1.1", "CONNECT HTTP/1.1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        char in[256];
        int len = snprintf(in, sizeof in, "%s\r\nHost: h:1\r\n" BEARER END, lines[i]);

        assert_refused(lines[i], (postern_bytes){ (uint8_t *)in, (size_t)len }, MALFORMED, strlen(lines[i]) + 2);
    }
}

/* Row 17 too: nothing here that a resolver would read as another address. */
static void a_target_that_is_not_host_and_port_is_refused(void **state)
{
    static const char *const targets[] = {
        "h", "h:", ":1", "h:0", "h:65536", "h:01", "h:99999", "h:100000", "h:1x", "h:+1", "h:-1", "h: 1", "h:1:1", "h:0x10",
        "/", "*", "http://h:1", "http://h:1/", "h:1/", "h:1?x", "h:1#x", "user@h:1", "user:pw@h:1", "h%2e:1", "h\\:1", "a,b:1",
        "-h:1", "h-:1", "h..i:1", ".h:1", ".:1", "..:1", "h\xC3\xA9:1", "a b:1",
        "127.1:1", "2130706433:1", "0x7f.0.0.1:1", "0x7f000001:1", "0177.0.0.1:1", "127.0.0.01:1", "256.0.0.1:1", "1.2.3.4.5:1", "127.0.0.1.:1",
        "h.0x7f:1", "h.1:1",
        "[]:1", "[::1]", "[::1]:", "[::1]:0", "[::1:1", "::1:1", "[::1]]:1", "[::1%eth0]:1", "[::1%25eth0]:1", "[127.0.0.1]:1", "[h]:1", "[::1]x:1",
        "[v1.x]:1", "[0:0:0:0:0:0:0:0:0]:1", "[::ffff:1.2.3.256]:1",
        "a123456789012345678901234567890123456789012345678901234567890123:1", /* a label of 64 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        char in[512];
        int len = snprintf(in, sizeof in, "CONNECT %s HTTP/1.0\r\n" BEARER END, targets[i]);

        assert_refused(targets[i], (postern_bytes){ (uint8_t *)in, (size_t)len }, MALFORMED, 0);
    }
}

static void a_name_may_be_as_long_as_dns_allows_and_no_byte_longer(void **state)
{
    char name[253], in[1024];

    (void)state;
    for (size_t i = 0; i < sizeof name - 1; i++)
        name[i] = "a."[i % 2];
    name[sizeof name - 1] = '\0';
    for (int extra = 0; extra < 2; extra++) {
        for (int dot = 0; dot < 2; dot++) {
            int len = snprintf(in, sizeof in, "CONNECT %s%s%s:1 HTTP/1.0\r\n" BEARER END, name, extra == 0 ? "b" : "bb", dot == 0 ? "" : ".");
            char host[512];

            (void)snprintf(host, sizeof host, "%s%s%s", name, extra == 0 ? "b" : "bb", dot == 0 ? "" : ".");
            if (extra == 0)
                assert_login("253", (postern_bytes){ (uint8_t *)in, (size_t)len }, TOKEN, "", host, "1");
            else
                assert_refused("254", (postern_bytes){ (uint8_t *)in, (size_t)len }, MALFORMED, 0);
        }
    }
}

/* Each of these is read in one way here and in another by some proxy, so nobody reads it (RFC 9112 §2.2, §5,
 * §6.3, §11.2). */
#define REFUSES(name, what)                                                                        \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        assert_refused(#name, RAW(what), MALFORMED, 0);                                            \
    }
REFUSES(smuggling_a_bare_cr_is_refused, LINE10 "X: a\rAuthorization: Bearer other\r\n" BEARER END)
REFUSES(smuggling_a_bare_cr_at_the_end_of_a_line_is_refused, LINE10 "X: a\r\r\n" BEARER END)
REFUSES(smuggling_a_nul_is_refused, LINE10 "X: a\0b\r\n" BEARER END)
REFUSES(smuggling_a_nul_in_a_name_is_refused, LINE10 "Authorization\0: Bearer " TOKEN END END)
REFUSES(smuggling_a_folded_line_is_refused, LINE10 "X: a\r\n Authorization: Bearer other\r\n" BEARER END)
REFUSES(smuggling_a_folded_line_with_a_tab_is_refused, LINE10 "Authorization: Bearer\r\n\t" TOKEN END END)
REFUSES(smuggling_a_blank_before_the_first_header_is_refused, LINE10 " " BEARER END)
REFUSES(smuggling_a_blank_before_the_colon_is_refused, LINE10 "Authorization : Bearer " TOKEN END END)
REFUSES(smuggling_a_tab_before_the_colon_is_refused, LINE10 "Authorization\t: Bearer " TOKEN END END)
REFUSES(smuggling_a_line_without_colon_is_refused, LINE10 "Authorization\r\n" BEARER END)
REFUSES(smuggling_a_line_without_name_is_refused, LINE10 ": x\r\n" BEARER END)
REFUSES(smuggling_a_name_with_a_foreign_byte_is_refused, LINE10 "X(y): a\r\n" BEARER END)
REFUSES(smuggling_a_name_beyond_ascii_is_refused, LINE10 "\xC5\xBF: a\r\n" BEARER END)
REFUSES(smuggling_two_hosts_are_refused, LINE11 "Host: cache.example.org:6380\r\n" BEARER END)
REFUSES(smuggling_two_authorizations_are_refused, LINE10 BEARER "Authorization: Bearer other\r\n" END)
REFUSES(smuggling_the_same_authorization_twice_is_refused, LINE10 BEARER BEARER END)
REFUSES(smuggling_two_authorizations_in_two_cases_are_refused, LINE10 BEARER "aUTHORIZATION: Bearer other\r\n" END)
REFUSES(smuggling_two_proxy_authorizations_are_refused, LINE10 PROXY_BEARER PROXY_BEARER END)
REFUSES(smuggling_both_authorizations_are_refused, LINE10 BEARER PROXY_BEARER END)
REFUSES(smuggling_both_authorizations_of_two_schemes_are_refused, LINE10 "Authorization: Negotiate YQ==\r\n" PROXY_BEARER END)
REFUSES(smuggling_a_content_length_is_refused, LINE10 BEARER "Content-Length: 5\r\n" END "PING\n")
REFUSES(smuggling_a_content_length_of_zero_is_refused, LINE10 "content-length: 0\r\n" BEARER END)
REFUSES(smuggling_a_transfer_encoding_is_refused, LINE10 BEARER "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n")
REFUSES(smuggling_a_transfer_encoding_of_identity_is_refused, LINE10 "TRANSFER-ENCODING: identity\r\n" BEARER END)
REFUSES(smuggling_line_ends_of_two_kinds_are_refused, LINE10 "X: a\n" BEARER END)
REFUSES(smuggling_an_end_of_another_kind_is_refused, LINE10 BEARER "\n")
REFUSES(smuggling_a_crlf_among_lf_is_refused, "CONNECT h:1 HTTP/1.0\nAuthorization: Bearer t\r\n\n")
REFUSES(a_missing_host_is_refused, "CONNECT h:1 HTTP/1.1\r\n" BEARER END)
REFUSES(an_empty_host_is_refused, "CONNECT h:1 HTTP/1.1\r\nHost:\r\n" BEARER END)
REFUSES(another_host_is_refused, "CONNECT h:1 HTTP/1.1\r\nHost: i:1\r\n" BEARER END)
REFUSES(another_port_in_host_is_refused, "CONNECT h:1 HTTP/1.1\r\nHost: h:2\r\n" BEARER END)
REFUSES(a_longer_host_is_refused, "CONNECT h:1 HTTP/1.1\r\nHost: h:11\r\n" BEARER END)
REFUSES(another_host_is_refused_in_http_1_0_too, "CONNECT h:1 HTTP/1.0\r\nHost: i:1\r\n" BEARER END)
REFUSES(a_control_character_in_a_value_is_refused, LINE10 "X: a\x08\r\n" BEARER END)
REFUSES(an_escape_sequence_in_a_value_is_refused, LINE10 "X: \x1B[2J\r\n" BEARER END)

/* The sentences that tell an implementer what happened: the refusals above have two reasons each. */
static void folding_is_called_by_its_name(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW(LINE10 "X: a\r\n b: c\r\n")), ADAPTER_REJECT);
    assert_string_equal(l.err.detail, "a header line begins with a blank");
    raw_close(&l);
}

/* Every byte up to the empty line counts; whatever follows it is the backend's. */
static void row_4_bytes_behind_the_head_are_exactly_the_rest(void **state)
{
    static const char *const heads[] = { LINE10 BEARER END, "CONNECT h:1 HTTP/1.0\nAuthorization: Bearer t\n\n" };
    static const char *const rests[] = { "\r\n", "\n", "Content-Length: 5\r\n\r\n", "PING", LINE10 BEARER END, " x" };

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++)
        for (size_t k = 0; k < COUNT(rests); k++) {
            POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);
            struct raw_login l;

            postern_buf_add_str(&in, heads[i]);
            postern_buf_add_str(&in, rests[k]);
            raw_open(&l);
            assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), ADAPTER_LOGIN);
            assert_int_equal(l.used, strlen(heads[i]));
            raw_close(&l);
        }
}

static void nothing_is_said_before_the_empty_line(void **state)
{
    static const postern_bytes cases[] = { RAW(LINE10 BEARER), RAW(LINE10 BEARER "\r"), RAW(LINE11), RAW(LINE10 "Authorization: Bearer " TOKEN) };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct raw_login l;

        raw_open(&l);
        assert_int_equal(raw_give_slowly(&l, cases[i]), ADAPTER_MORE);
        raw_close(&l);
    }
}

/* Row 18: credentials that would be more than one, or something else. */
static void row_18_credentials_with_more_in_them_are_refused(void **state)
{
    static const struct { const char *value; postern_err want; } cases[] = {
        { "Bearer", MALFORMED }, { "Bearer ", MALFORMED }, { "", MALFORMED }, { "Bearer a b", MALFORMED }, { "Bearer a,b", MALFORMED },
        { "Bearer a, Basic b", MALFORMED }, { "Bearer \"a\"", MALFORMED }, { "Bearer\ta", MALFORMED }, { "Bearer =", MALFORMED },
        { "Bearer a\xC3\xA9", MALFORMED }, { ",Bearer a", MALFORMED }, { "Bearer: a", MALFORMED }, { "Bearer \ta", MALFORMED },
        { "Bearertoken a", NO_TOKEN }, { "Negotiate YQ==", NO_TOKEN }, { "Negotiate", NO_TOKEN }, { "Digest username=\"a\"", NO_TOKEN },
        { "DPoP a", NO_TOKEN },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int proxy = 0; proxy < 2; proxy++) {
            char in[512];
            int len = snprintf(in, sizeof in, LINE10 "%sAuthorization: %s\r\n" END, proxy == 0 ? "" : "Proxy-", cases[i].value);

            assert_refused(cases[i].value, (postern_bytes){ (uint8_t *)in, (size_t)len }, cases[i].want, 0);
        }
    assert_refused("nothing", RAW(LINE10 END), NO_TOKEN, 0);
    assert_refused("nothing in HTTP/1.1", RAW(LINE11 END), NO_TOKEN, 0);
    assert_refused("Basic is for proxies", RAW(LINE10 "Authorization: Basic OmV5Si5leUouYw==\r\n" END), NO_TOKEN, 0);
}

/* A person's password is refused unused, whatever it looks like. */
static void a_password_that_is_no_token_is_refused(void **state)
{
    static const struct { const char *credentials; postern_err want; } cases[] = {
        { "alice:hunter2", POSTERN_ERR_MALFORMED }, { "alice:", POSTERN_ERR_MALFORMED }, { "alice:hunter2.b", POSTERN_ERR_MALFORMED },
        { "alice:eyJ.eyJ.c.d", POSTERN_ERR_MALFORMED }, { "alice:eyJ..c", POSTERN_ERR_MALFORMED }, { "alice:.eyJ.c", POSTERN_ERR_MALFORMED },
        { "alice:eyJ.eyJ.", POSTERN_ERR_MALFORMED }, { "alice:..", POSTERN_ERR_MALFORMED }, { "alice:eyJ.eyJ.c=", POSTERN_ERR_MALFORMED },
        { "alice:eyJ.eyJ.c d", POSTERN_ERR_MALFORMED }, { "alice:eyJ.eyJ.c\n", POSTERN_ERR_MALFORMED }, { "alice:eyJ.eyJ+x.c", POSTERN_ERR_MALFORMED },
        { "alice:x:eyJ.eyJ.c", POSTERN_ERR_MALFORMED }, { "alice:eyJ.eyJ.c:x", POSTERN_ERR_MALFORMED }, { "alice:Bearer eyJ.eyJ.c", POSTERN_ERR_MALFORMED },
        { "alice:correct.horse.battery", POSTERN_ERR_MALFORMED }, { "alice:eyJ.horse.battery", POSTERN_ERR_MALFORMED },
        { "alice:a.eyJ.c", POSTERN_ERR_MALFORMED }, { "alice:e.eyJ.c", POSTERN_ERR_MALFORMED }, { "alice:evJ.eyJ.c", POSTERN_ERR_MALFORMED },
        { "alice:eyJ.EyJ.c", POSTERN_ERR_MALFORMED },
        { "alice", MALFORMED }, { "", MALFORMED }, { "x\r\ny:eyJ.eyJ.c", MALFORMED }, { "\xC0\xAF:eyJ.eyJ.c", MALFORMED }, { "\xC2\x85:eyJ.eyJ.c", MALFORMED },
    };
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_put_basic(&in, cases[i].credentials);
        assert_refused(cases[i].credentials, postern_buf_bytes(&in), cases[i].want, 0);
    }
    assert_refused("no padding", RAW(LINE10 "Proxy-Authorization: Basic OmV5Si5leUouYw==ZA\r\n" END), MALFORMED, 0);
    assert_refused("two words", RAW(LINE10 "Proxy-Authorization: Basic OmEu Yi5j\r\n" END), MALFORMED, 0);
}

static void a_user_name_may_be_as_long_as_an_authzid(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096), in = POSTERN_BUF_INIT(8192);

    (void)state;
    raw_fill(&text, "", 'u', POSTERN_AUTHZID_MAX - 1, ":eyJ.eyJ.c");
    raw_put_basic(&in, postern_buf_cstr(&text));
    text.len -= strlen(":eyJ.eyJ.c");
    assert_login("1023", postern_buf_bytes(&in), "eyJ.eyJ.c", postern_buf_cstr(&text), "h", "1");
    raw_fill(&text, "", 'u', POSTERN_AUTHZID_MAX, ":eyJ.eyJ.c");
    raw_put_basic(&in, postern_buf_cstr(&text));
    assert_refused("1024", postern_buf_bytes(&in), LIMIT, 0);
}

/* ---- limits ---- */

static void the_longest_token_fits_in_each_header(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(2 * ADAPTER_LOGIN_MAX), text = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX);
    struct raw_login l;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        raw_fill(&in, LINE11 "Authorization: Bearer ", 'a', POSTERN_TOKEN_MAX + extra, END END);
        raw_open(&l);
        assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), extra == 0 ? ADAPTER_LOGIN : ADAPTER_REJECT);
        assert_int_equal(l.login.code, extra == 0 ? POSTERN_ERR_UNSET : LIMIT);
        raw_close(&l);
        raw_fill(&text, "u:eyJ.eyJ.", 'c', POSTERN_TOKEN_MAX - 8 + extra, "");
        raw_put_basic(&in, postern_buf_cstr(&text));
        raw_open(&l);
        assert_int_equal(raw_give(&l, postern_buf_bytes(&in)), extra == 0 ? ADAPTER_LOGIN : ADAPTER_REJECT);
        assert_int_equal(l.login.code, extra == 0 ? POSTERN_ERR_UNSET : LIMIT);
        raw_close(&l);
    }
}

static void a_head_has_a_number_of_lines_and_no_more(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(ADAPTER_LOGIN_MAX);

        postern_buf_add_str(&in, LINE10 BEARER);
        for (int i = 0; i < CONNECT_LINES_MAX - 2 + extra; i++)
            postern_buf_add_str(&in, "X: y\r\n");
        postern_buf_add_str(&in, END);
        if (extra == 0)
            assert_login("64", postern_buf_bytes(&in), TOKEN, "", "cache.example.org", "6380");
        else
            assert_refused("65", postern_buf_bytes(&in), LIMIT, 0);
    }
}

static void a_head_that_does_not_end_is_too_long(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(2 * ADAPTER_LOGIN_MAX);

    (void)state;
    raw_fill(&in, LINE10 "X: ", 'a', ADAPTER_LOGIN_MAX, "");
    assert_refused("one line", postern_buf_bytes(&in), LIMIT, ADAPTER_LOGIN_MAX);
    raw_fill(&in, LINE10 BEARER "X: ", 'a', ADAPTER_LOGIN_MAX - sizeof(LINE10 BEARER) + 1 - 3 - 4, END END);
    assert_int_equal(in.len, ADAPTER_LOGIN_MAX);
    assert_login("the longest head", postern_buf_bytes(&in), TOKEN, "", "cache.example.org", "6380");
    raw_fill(&in, LINE10 BEARER "X: ", 'a', ADAPTER_LOGIN_MAX - sizeof(LINE10 BEARER) + 2 - 3 - 4, END END);
    assert_refused("one byte more", postern_buf_bytes(&in), LIMIT, ADAPTER_LOGIN_MAX);
}

/* ---- attacks ---- */

static void row_14_no_mutation_of_a_head_yields_another_login_than_its_bytes(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4096);

    (void)state;
    assert_in_range(assert_mutations_are_honest(RAW("CONNECT h.org:63 HTTP/1.1\r\nHost: h.org\r\nAuthorization: Bearer a.b.c\r\nX: y\r\n\r\n")), 1, 100000);
    assert_in_range(assert_mutations_are_honest(RAW("CONNECT [::1]:63 HTTP/1.0\nProxy-Authorization: Bearer a.b.c\n\n")), 1, 100000);
    raw_put_basic(&in, "al:eyJ.eyJ.cc");
    assert_in_range(assert_mutations_are_honest(postern_buf_bytes(&in)), 1, 100000);
}

/* Row 14: outside of target and token no byte may change either. */
static void row_14_a_byte_elsewhere_changes_neither_token_nor_target(void **state)
{
    static const char login[] = "CONNECT h.org:63 HTTP/1.1\r\nHost: h.org:63\r\nX: y\r\nAuthorization: Bearer a.b.c\r\nY: z\r\n\r\n";
    const char *target = strstr(login, "h.org:63"), *token = strstr(login, "a.b.c");

    (void)state;
    for (size_t i = 0; i < sizeof login - 1; i++)
        for (unsigned c = 0; c < 256; c++) {
            char mutated[sizeof login];
            struct raw_login l;

            if ((login + i >= target && login + i < target + 8) || (login + i >= token && login + i < token + 5))
                continue;
            memcpy(mutated, login, sizeof login);
            mutated[i] = (char)c;
            raw_open(&l);
            if (raw_give(&l, (postern_bytes){ (uint8_t *)mutated, sizeof login - 1 }) == ADAPTER_LOGIN &&
                (!postern_bytes_equal_str(l.login.token, "a.b.c") || strcmp(l.login.host, "h.org") != 0 ||
                 strcmp(l.login.port, "63") != 0 || l.used != sizeof login - 1))
                fail_msg("byte %zu as %u made another login", i, c);
            raw_close(&l);
        }
}

/* ---- answers ---- */

static void a_granted_client_gets_its_lease_in_headers_and_no_body(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW(LINE11 BEARER END)), ADAPTER_LOGIN);
    assert_string_equal(raw_granted(&l), "HTTP/1.1 200 Connection established\r\nPostern-Lease-End: 1780000000\r\nPostern-Lease: 300\r\n"
                                         "Postern-Session: c2VjcmV0\r\nPostern-Ref: R-7Q2M4XKD90\r\n\r\n");
    assert_null(raw_judge_answer(postern_buf_bytes(&l.answer), true, true));
    raw_close(&l);
}

/* ncat sends its credentials after these bytes and not before; curl --proxy-anyauth too. */
static void who_sends_nothing_is_told_both_ways_to_send_a_token(void **state)
{
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW(LINE10 END)), ADAPTER_REJECT);
    assert_string_equal(raw_denied(&l, l.login.code),
                        "HTTP/1.1 407 Proxy Authentication Required\r\n"
                        "Proxy-Authenticate: Bearer realm=\"postern\"\r\n"
                        "Proxy-Authenticate: Basic realm=\"postern\"\r\n"
                        "Postern-Ref: R-7Q2M4XKD90\r\n"
                        "Content-Type: application/json\r\n"
                        "Content-Length: 144\r\n"
                        "Cache-Control: no-store\r\n"
                        "Connection: close\r\n\r\n"
                        "{\"error\":\"invalid_request\",\"error_description\":\"the request holds no bearer token\","
                        "\"reason\":\"no_token\",\"ref\":\"R-7Q2M4XKD90\",\"retry\":\"new_token\"}");
    raw_close(&l);
}

static const postern_failure narrow = {
    .code = POSTERN_ERR_INSUFFICIENT_SCOPE,
    .ref = "R-7Q2M4XKD90",
    .scope = "cache.read cache.write",
    .resource_metadata = "https://h.example/.well-known/oauth-protected-resource/cache",
};

static const char *denied_after(struct raw_login *l, postern_bytes in, const struct adapter_denied *d)
{
    raw_open(l);
    (void)raw_give(l, in);
    l->adapter->deny(l->state, d, &l->answer);
    assert_null(raw_judge_answer(postern_buf_bytes(&l->answer), true, false));
    return postern_buf_cstr(&l->answer);
}

static void a_narrow_token_is_told_the_scope_and_where_to_learn_more(void **state)
{
    struct adapter_denied d = { .failure = &narrow };
    struct raw_login l;
    const char *answer = denied_after(&l, RAW(LINE10 PROXY_BEARER END), &d);

    (void)state;
    assert_ptr_equal(strstr(answer, "HTTP/1.1 403 Forbidden\r\n"), answer);
    assert_non_null(strstr(answer, "\r\nWWW-Authenticate: Bearer realm=\"postern\", error=\"insufficient_scope\", "
                                   "error_description=\"required scope is missing\", scope=\"cache.read cache.write\", "
                                   "resource_metadata=\"https://h.example/.well-known/oauth-protected-resource/cache\"\r\n"));
    assert_null(strstr(answer, "Proxy-Authenticate"));
    raw_close(&l);
}

static void a_bad_token_is_refused_where_it_stood(void **state)
{
    postern_failure f = { .code = POSTERN_ERR_EXPIRED };
    struct adapter_denied d = { .failure = &f };
    struct raw_login l;
    const char *answer = denied_after(&l, RAW(LINE10 BEARER END), &d);

    (void)state;
    assert_ptr_equal(strstr(answer, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"postern\", error=\"invalid_token\", "
                                    "error_description=\"token has expired\"\r\n"), answer);
    assert_null(strstr(answer, "Proxy-Authenticate"));
    raw_close(&l);
    answer = denied_after(&l, RAW(LINE10 PROXY_BEARER END), &d);
    assert_ptr_equal(strstr(answer, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Bearer realm=\"postern\", "
                                    "error=\"invalid_token\", "), answer);
    assert_null(strstr(answer, "WWW-Authenticate"));
    raw_close(&l);
}

static void an_undecided_login_is_told_when_to_come_again(void **state)
{
    postern_failure f = { .code = POSTERN_ERR_ISSUER_UNREACHABLE };
    struct adapter_denied d = { .failure = &f };
    struct raw_login l;
    const char *answer = denied_after(&l, RAW(LINE10 BEARER END), &d);

    (void)state;
    assert_ptr_equal(strstr(answer, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 6\r\n"), answer);
    assert_null(strstr(answer, "Authenticate"));
    raw_close(&l);
    d.retry_after_s = 60;
    assert_non_null(strstr(denied_after(&l, RAW(LINE10 BEARER END), &d), "\r\nRetry-After: 60\r\n"));
    raw_close(&l);
}

/* What a configuration holds cannot end a header, nor a quoted string in it. */
static void a_text_that_does_not_fit_between_quotes_is_left_out(void **state)
{
    static const char *const texts[] = { "a\" , error=\"x", "a\\", "a\r\nX: y", "\xC3\xA9", "a\x01" };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        postern_failure f = { .code = POSTERN_ERR_EXPIRED };
        struct adapter_denied d = { .failure = &f };
        struct raw_login l;
        const char *answer;

        (void)snprintf(f.scope, sizeof f.scope, "%s", texts[i]);
        (void)snprintf(f.resource_metadata, sizeof f.resource_metadata, "%s", texts[i]);
        (void)snprintf(f.ref, sizeof f.ref, "%s", texts[i]);
        answer = denied_after(&l, RAW(LINE10 BEARER END), &d);
        assert_null(strstr(answer, " scope="));
        assert_null(strstr(answer, "resource_metadata="));
        assert_null(strstr(answer, "\r\nX: y"));
        assert_non_null(strstr(answer, "error=\"invalid_token\""));
        raw_close(&l);
    }
}

static void a_session_secret_that_could_end_its_header_is_left_out(void **state)
{
    struct adapter_granted g = { "cache", 1, 1, RAW("a\r\nX: y"), "r" };
    struct raw_login l;

    (void)state;
    raw_open(&l);
    assert_int_equal(raw_give(&l, RAW(LINE10 BEARER END)), ADAPTER_LOGIN);
    l.adapter->grant(l.state, &g, &l.answer);
    assert_string_equal(postern_buf_cstr(&l.answer), "HTTP/1.1 200 Connection established\r\nPostern-Lease-End: 1\r\nPostern-Lease: 1\r\n"
                                                     "Postern-Ref: r\r\n\r\n");
    raw_close(&l);
}

static void a_head_that_was_not_read_to_its_end_is_answered_in_http(void **state)
{
    static const struct { postern_bytes in; postern_err code; const char *status; } cases[] = {
        { RAW("CONNECT "), POSTERN_ERR_TIMEOUT, "HTTP/1.1 503 " },
        { RAW("CONNECT x HTTP/1.1\r\n"), MALFORMED, "HTTP/1.1 400 Bad Request\r\n" },
        { RAW(LINE10), POSTERN_ERR_TLS_REQUIRED, "HTTP/1.1 400 " },
        { RAW(LINE10), LIMIT, "HTTP/1.1 431 Request Header Fields Too Large\r\n" },
        { RAW(LINE10 BEARER), POSTERN_ERR_BUSY, "HTTP/1.1 503 " },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_failure f = { .code = cases[i].code };
        struct raw_login l;
        const char *answer = denied_after(&l, cases[i].in, &(struct adapter_denied){ .failure = &f });

        if (strncmp(answer, cases[i].status, strlen(cases[i].status)) != 0)
            fail_msg("%.*s", 40, answer);
        raw_close(&l);
    }
}

static int want_status(postern_err e, bool is_origin, bool is_read)
{
    if (postern_err_outcome(e) != POSTERN_REJECTED)
        return 503;
    if (e == MALFORMED || e == POSTERN_ERR_TLS_REQUIRED)
        return 400;
    if (e == POSTERN_ERR_MESSAGE_SERVER)
        return 421;
    if (postern_err_class(e) != POSTERN_CLASS_TOKEN)
        return 403;
    if (e == LIMIT && !is_read)
        return 431;
    return is_origin && e != NO_TOKEN ? 401 : 407;
}

static void every_code_has_a_status_that_is_no_success(void **state)
{
    (void)state;
    for (int code = -1; code <= POSTERN_ERR_COUNT; code++)
        for (int i = 0; i < 4; i++) {
            int status = connect_status((postern_err)code, (i & 1) != 0, (i & 2) != 0);

            if (status != want_status((postern_err)code, (i & 1) != 0, (i & 2) != 0) || status < 400)
                fail_msg("%s: %d", postern_err_reason((postern_err)code), status);
        }
}

/* The longest of everything: POSTERN_URL_MAX, POSTERN_SCOPE_MAX, a session secret, each code. */
static void every_answer_fits(void **state)
{
    (void)state;
    for (int code = 0; code < POSTERN_ERR_COUNT; code++) {
        postern_failure f = { .code = (postern_err)code };
        char because[2000];
        struct adapter_denied d = { &f, because, because, INT64_MAX };
        struct raw_login l;

        memset(because, 'b', sizeof because - 1);
        because[sizeof because - 1] = '\0';
        memset(f.ref, 'R', sizeof f.ref - 1);
        memset(f.scope, 's', sizeof f.scope - 1);
        memset(f.openid_configuration, 'o', sizeof f.openid_configuration - 1);
        memset(f.resource_metadata, 'm', sizeof f.resource_metadata - 1);
        (void)denied_after(&l, RAW(LINE10 PROXY_BEARER END), &d);
        raw_close(&l);
    }
}

/* ---- memory ---- */

static void a_password_without_memory_is_undecided(void **state)
{
    postern_bytes basic = RAW(LINE10 "Proxy-Authorization: Basic OmV5Si5leUouYw==\r\n" END), bearer = RAW(LINE10 BEARER END);

    (void)state;
    assert_int_equal(alloc_fail_sweep(raw_read_once, &basic, POSTERN_OK), 1);
    assert_int_equal(alloc_fail_sweep(raw_read_once, &bearer, POSTERN_OK), 0);
}

static void without_memory_there_is_no_half_answer(void **state)
{
    struct adapter_denied d = { .failure = &narrow };
    bool has_fired = true;
    unsigned nth = 1;

    (void)state;
    for (; has_fired; nth++) {
        struct raw_login l;

        raw_open(&l);
        (void)raw_give(&l, RAW(LINE10 BEARER END));
        alloc_fail_arm(nth);
        l.adapter->deny(l.state, &d, &l.answer);
        has_fired = alloc_fail_disarm();
        if (!l.answer.failed)
            assert_null(raw_judge_answer(postern_buf_bytes(&l.answer), true, false));
        raw_close(&l);
    }
    assert_in_range(nth, 4, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_yields_token_and_target),
        cmocka_unit_test(a_token_in_a_password_is_marked_as_such),
        cmocka_unit_test(a_bearer_token_is_marked_as_such),
        cmocka_unit_test(a_request_line_that_is_not_exactly_connect_is_refused),
        cmocka_unit_test(a_target_that_is_not_host_and_port_is_refused),
        cmocka_unit_test(a_name_may_be_as_long_as_dns_allows_and_no_byte_longer),
        cmocka_unit_test(smuggling_a_bare_cr_is_refused),
        cmocka_unit_test(smuggling_a_bare_cr_at_the_end_of_a_line_is_refused),
        cmocka_unit_test(smuggling_a_nul_is_refused),
        cmocka_unit_test(smuggling_a_nul_in_a_name_is_refused),
        cmocka_unit_test(smuggling_a_folded_line_is_refused),
        cmocka_unit_test(smuggling_a_folded_line_with_a_tab_is_refused),
        cmocka_unit_test(smuggling_a_blank_before_the_first_header_is_refused),
        cmocka_unit_test(smuggling_a_blank_before_the_colon_is_refused),
        cmocka_unit_test(smuggling_a_tab_before_the_colon_is_refused),
        cmocka_unit_test(smuggling_a_line_without_colon_is_refused),
        cmocka_unit_test(smuggling_a_line_without_name_is_refused),
        cmocka_unit_test(smuggling_a_name_with_a_foreign_byte_is_refused),
        cmocka_unit_test(smuggling_a_name_beyond_ascii_is_refused),
        cmocka_unit_test(smuggling_two_hosts_are_refused),
        cmocka_unit_test(smuggling_two_authorizations_are_refused),
        cmocka_unit_test(smuggling_the_same_authorization_twice_is_refused),
        cmocka_unit_test(smuggling_two_authorizations_in_two_cases_are_refused),
        cmocka_unit_test(smuggling_two_proxy_authorizations_are_refused),
        cmocka_unit_test(smuggling_both_authorizations_are_refused),
        cmocka_unit_test(smuggling_both_authorizations_of_two_schemes_are_refused),
        cmocka_unit_test(smuggling_a_content_length_is_refused),
        cmocka_unit_test(smuggling_a_content_length_of_zero_is_refused),
        cmocka_unit_test(smuggling_a_transfer_encoding_is_refused),
        cmocka_unit_test(smuggling_a_transfer_encoding_of_identity_is_refused),
        cmocka_unit_test(smuggling_line_ends_of_two_kinds_are_refused),
        cmocka_unit_test(smuggling_an_end_of_another_kind_is_refused),
        cmocka_unit_test(smuggling_a_crlf_among_lf_is_refused),
        cmocka_unit_test(a_missing_host_is_refused),
        cmocka_unit_test(an_empty_host_is_refused),
        cmocka_unit_test(another_host_is_refused),
        cmocka_unit_test(another_port_in_host_is_refused),
        cmocka_unit_test(a_longer_host_is_refused),
        cmocka_unit_test(another_host_is_refused_in_http_1_0_too),
        cmocka_unit_test(a_control_character_in_a_value_is_refused),
        cmocka_unit_test(an_escape_sequence_in_a_value_is_refused),
        cmocka_unit_test(folding_is_called_by_its_name),
        cmocka_unit_test(row_4_bytes_behind_the_head_are_exactly_the_rest),
        cmocka_unit_test(nothing_is_said_before_the_empty_line),
        cmocka_unit_test(row_18_credentials_with_more_in_them_are_refused),
        cmocka_unit_test(a_password_that_is_no_token_is_refused),
        cmocka_unit_test(a_user_name_may_be_as_long_as_an_authzid),
        cmocka_unit_test(the_longest_token_fits_in_each_header),
        cmocka_unit_test(a_head_has_a_number_of_lines_and_no_more),
        cmocka_unit_test(a_head_that_does_not_end_is_too_long),
        cmocka_unit_test(row_14_no_mutation_of_a_head_yields_another_login_than_its_bytes),
        cmocka_unit_test(row_14_a_byte_elsewhere_changes_neither_token_nor_target),
        cmocka_unit_test(a_granted_client_gets_its_lease_in_headers_and_no_body),
        cmocka_unit_test(who_sends_nothing_is_told_both_ways_to_send_a_token),
        cmocka_unit_test(a_narrow_token_is_told_the_scope_and_where_to_learn_more),
        cmocka_unit_test(a_bad_token_is_refused_where_it_stood),
        cmocka_unit_test(an_undecided_login_is_told_when_to_come_again),
        cmocka_unit_test(a_text_that_does_not_fit_between_quotes_is_left_out),
        cmocka_unit_test(a_session_secret_that_could_end_its_header_is_left_out),
        cmocka_unit_test(a_head_that_was_not_read_to_its_end_is_answered_in_http),
        cmocka_unit_test(every_code_has_a_status_that_is_no_success),
        cmocka_unit_test(every_answer_fits),
        cmocka_unit_test(a_password_without_memory_is_undecided),
        cmocka_unit_test(without_memory_there_is_no_half_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
