/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sasl/oauthbearer.c, pairs.c, gs2.c: the client's messages, against RFC 7628, RFC 5801 and what real clients send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/oauthbearer.h>

#define OB POSTERN_MECH_OAUTHBEARER
#define XO POSTERN_MECH_XOAUTH2
#define MALFORMED POSTERN_ERR_MESSAGE_MALFORMED
#define LIMIT POSTERN_ERR_LIMIT
/* A literal with NULs and separators inside. */
#define RAW(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void accepted_messages_give_their_fields(void **state)
{
    static const struct {
        const char *why;
        postern_mech m;
        postern_bytes raw;
        const char *token, *authzid, *host, *port;
    } cases[] = {
        { "example of RFC 7628 §4.1", OB,
          RAW("n,a=user@example.com,\x01host=server.example.com\x01port=143\x01" "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"),
          "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "user@example.com", "server.example.com", "143" },
        { "libpq sends no authzid, host or port", OB, RAW("n,,\x01" "auth=Bearer T\x01\x01"), "T", "", "", "" },
        { "curl leaves the port out", OB, RAW("n,a=al,\x01host=h\x01" "auth=Bearer a.b.c\x01\x01"), "a.b.c", "al", "h", "" },
        { "client that knows channel binding", OB, RAW("y,,\x01" "auth=Bearer T\x01\x01"), "T", "", "", "" },
        { "any order", OB, RAW("n,,\x01" "auth=Bearer T\x01port=1\x01host=h\x01\x01"), "T", "", "h", "1" },
        { "unknown keys are skipped", OB, RAW("n,,\x01qs=a\tb\r\n c\x01mthd=\x01mthd=x\x01" "auth=Bearer T\x01\x01"), "T", "", "", "" },
        { "scheme in lower case", OB, RAW("n,,\x01" "auth=bearer T\x01\x01"), "T", "", "", "" },
        { "scheme in upper case, three blanks", OB, RAW("n,,\x01" "auth=BEARER   T\x01\x01"), "T", "", "", "" },
        { "escapes are decoded once", OB, RAW("n,a=a=2Cb=3D=3D2C,\x01" "auth=Bearer T\x01\x01"), "T", "a,b==2C", "", "" },
        { "authzid in UTF-8", OB, RAW("n,a=j\xc3\xb8rgen,\x01" "auth=Bearer T\x01\x01"), "T", "j\xc3\xb8rgen", "", "" },
        { "all bytes of token68", OB, RAW("n,,\x01" "auth=Bearer Az09-._~+/==\x01\x01"), "Az09-._~+/==", "", "", "" },
        { "empty host names none", OB, RAW("n,,\x01host=\x01" "auth=Bearer T\x01\x01"), "T", "", "", "" },
        { "highest port", OB, RAW("n,,\x01port=65535\x01" "auth=Bearer T\x01\x01"), "T", "", "", "65535" },
        { "keys are case-sensitive: Host is another key", OB, RAW("n,,\x01Host=x y\x01" "auth=Bearer T\x01\x01"), "T", "", "", "" },
        { "XOAUTH2 as Google prints it", XO, RAW("user=someuser@example.com\x01" "auth=Bearer ya29.vF9\x01\x01"), "ya29.vF9", "someuser@example.com", "", "" },
        { "XOAUTH2 escapes nothing", XO, RAW("user=a=2C,b\x01" "auth=Bearer T\x01\x01"), "T", "a=2C,b", "", "" },
        { "XOAUTH2 in the other order", XO, RAW("auth=Bearer T\x01user=u\x01\x01"), "T", "u", "", "" },
        { "XOAUTH2 user in UTF-8", XO, RAW("user=\xe6\x97\xa5\x01" "auth=Bearer T\x01\x01"), "T", "\xe6\x97\xa5", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_message m;
        postern_error err = { 0 };

        if (postern_sasl_message_parse(cases[i].m, cases[i].raw, &m, &err) != POSTERN_OK)
            fail_msg("%s: refused: %s", cases[i].why, err.detail);
        if (!postern_bytes_equal_str(m.token, cases[i].token) || m.is_discovery)
            fail_msg("%s: wrong token", cases[i].why);
        if (strcmp(m.authzid, cases[i].authzid) != 0 || m.has_authzid != (cases[i].authzid[0] != '\0'))
            fail_msg("%s: authzid is \"%s\"", cases[i].why, m.authzid);
        if (strcmp(m.host, cases[i].host) != 0 || strcmp(m.port, cases[i].port) != 0)
            fail_msg("%s: host \"%s\" port \"%s\"", cases[i].why, m.host, m.port);
    }
}

static void an_empty_auth_is_a_discovery_request(void **state)
{
    static const struct { postern_mech m; postern_bytes raw; } cases[] = {
        { OB, RAW("n,,\x01" "auth=\x01\x01") },
        { OB, RAW("n,a=al,\x01host=h\x01port=5432\x01" "auth=\x01\x01") },
        { XO, RAW("user=al\x01" "auth=\x01\x01") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_message m;

        assert_int_equal(postern_sasl_message_parse(cases[i].m, cases[i].raw, &m, NULL), POSTERN_OK);
        assert_true(m.is_discovery);
        assert_int_equal(m.token.len, 0);
    }
}

static void malformed_messages_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *why;
        postern_mech m;
        postern_bytes raw;
        postern_err want;
    } cases[] = {
        { "nothing", OB, { NULL, 0 }, MALFORMED },
        { "lone separator before any error", OB, RAW("\x01"), MALFORMED },
        { "cancel", OB, RAW("*"), MALFORMED },
        { "no GS2 header", OB, RAW("auth=Bearer T\x01\x01"), MALFORMED },
        { "channel binding", OB, RAW("p=tls-exporter,,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "non-standard flag", OB, RAW("F,n,,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "flag in upper case", OB, RAW("N,,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "one comma", OB, RAW("n,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "empty authzid", OB, RAW("n,a=,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "the misprint of RFC 7628 §4.4", OB, RAW("n,user=someuser@example.com,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "authzid without a=", OB, RAW("n,alice,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "escape in lower case", OB, RAW("n,a=a=2cb,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "unknown escape", OB, RAW("n,a=a=41,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "not an escape", OB, RAW("n,a=a=zz,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "cut escape", OB, RAW("n,a=a=2,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "third comma", OB, RAW("n,a=a,b,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "authzid is not UTF-8", OB, RAW("n,a=\xff\xfe,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "authzid is overlong UTF-8", OB, RAW("n,a=\xc0\xaf,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "separator in the authzid", OB, RAW("n,a=a\x01" "b,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "newline in the authzid", OB, RAW("n,a=a\nb,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "DEL in the authzid", OB, RAW("n,a=a\x7f,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "C1 control in the authzid", OB, RAW("n,a=a\xc2\x85,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "NUL in the authzid", OB, RAW("n,a=a\0b,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "no first separator", OB, RAW("n,," "auth=Bearer T\x01\x01"), MALFORMED },
        { "no second separator", OB, RAW("n,,\x01" "auth=Bearer T"), MALFORMED },
        { "no final separator", OB, RAW("n,,\x01" "auth=Bearer T\x01"), MALFORMED },
        { "separator too many", OB, RAW("n,,\x01" "auth=Bearer T\x01\x01\x01"), MALFORMED },
        { "newline behind", OB, RAW("n,,\x01" "auth=Bearer T\x01\x01\n"), MALFORMED },
        { "NUL behind", OB, RAW("n,,\x01" "auth=Bearer T\x01\x01\0"), MALFORMED },
        { "message behind the message", OB, RAW("n,,\x01" "auth=Bearer T\x01\x01" "auth=Bearer U\x01\x01"), MALFORMED },
        { "empty pair in front", OB, RAW("n,,\x01\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "no pair", OB, RAW("n,,\x01\x01"), MALFORMED },
        { "no auth", OB, RAW("n,,\x01host=h\x01\x01"), MALFORMED },
        { "AUTH is another key", OB, RAW("n,,\x01" "AUTH=Bearer T\x01\x01"), MALFORMED },
        { "auth twice", OB, RAW("n,,\x01" "auth=Bearer T\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "auth twice, first empty", OB, RAW("n,,\x01" "auth=\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "host twice", OB, RAW("n,,\x01host=a\x01host=a\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "port twice", OB, RAW("n,,\x01port=1\x01port=1\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "key with a digit", OB, RAW("n,,\x01k1=a\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "empty key", OB, RAW("n,,\x01=a\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "pair without '='", OB, RAW("n,,\x01host\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "blank behind a key", OB, RAW("n,,\x01" "auth =Bearer T\x01\x01"), MALFORMED },
        { "NUL in a value", OB, RAW("n,,\x01x=a\0b\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "byte above 7E in a value", OB, RAW("n,,\x01x=\xc3\xb8\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "another scheme", OB, RAW("n,,\x01" "auth=Basic T\x01\x01"), MALFORMED },
        { "DPoP", OB, RAW("n,,\x01" "auth=DPoP T\x01\x01"), MALFORMED },
        { "tab after the scheme", OB, RAW("n,,\x01" "auth=Bearer\tT\x01\x01"), MALFORMED },
        { "no blank after the scheme", OB, RAW("n,,\x01" "auth=BearerT\x01\x01"), MALFORMED },
        { "scheme alone", OB, RAW("n,,\x01" "auth=Bearer\x01\x01"), MALFORMED },
        { "scheme and a blank", OB, RAW("n,,\x01" "auth=Bearer \x01\x01"), MALFORMED },
        { "blank before the scheme", OB, RAW("n,,\x01" "auth= Bearer T\x01\x01"), MALFORMED },
        { "blank behind the token", OB, RAW("n,,\x01" "auth=Bearer T \x01\x01"), MALFORMED },
        { "two tokens", OB, RAW("n,,\x01" "auth=Bearer T U\x01\x01"), MALFORMED },
        { "'=' inside the token", OB, RAW("n,,\x01" "auth=Bearer T=U\x01\x01"), MALFORMED },
        { "only padding", OB, RAW("n,,\x01" "auth=Bearer ==\x01\x01"), MALFORMED },
        { "comma in the token", OB, RAW("n,,\x01" "auth=Bearer T,U\x01\x01"), MALFORMED },
        { "newline in the token", OB, RAW("n,,\x01" "auth=Bearer T\nU\x01\x01"), MALFORMED },
        { "blank in the host", OB, RAW("n,,\x01host=a b\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "newline in the host", OB, RAW("n,,\x01host=a\n\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "port 0", OB, RAW("n,,\x01port=0\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "port with leading zero", OB, RAW("n,,\x01port=0143\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "port too high", OB, RAW("n,,\x01port=65536\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "negative port", OB, RAW("n,,\x01port=-1\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "empty port", OB, RAW("n,,\x01port=\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "port with a name", OB, RAW("n,,\x01port=imap\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 message for OAUTHBEARER", OB, RAW("user=u\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "OAUTHBEARER message for XOAUTH2", XO, RAW("n,a=u,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 without user", XO, RAW("auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 with empty user", XO, RAW("user=\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 with two users", XO, RAW("user=u\x01user=v\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 user with a separator", XO, RAW("user=u\x01v\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 user with NUL", XO, RAW("user=u\0v\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 user is not UTF-8", XO, RAW("user=\x80\x01" "auth=Bearer T\x01\x01"), MALFORMED },
        { "XOAUTH2 without auth", XO, RAW("user=u\x01\x01"), MALFORMED },
        { "XOAUTH2 one final separator", XO, RAW("user=u\x01" "auth=Bearer T\x01"), MALFORMED },
        { "no mechanism", POSTERN_MECH_NONE, RAW("n,,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_message m = { .port = "42" };
        postern_error err = { 0 };
        postern_err e = postern_sasl_message_parse(cases[i].m, cases[i].raw, &m, &err);

        if (e != cases[i].want || err.code != e)
            fail_msg("%s: %s", cases[i].why, postern_err_reason(e));
        if (strcmp(m.port, "42") != 0 || m.token.len != 0)
            fail_msg("%s: output was touched", cases[i].why);
    }
}

/* prefix, `count` times c, suffix */
static void fill(postern_buf *b, const char *prefix, char c, size_t count, const char *suffix)
{
    postern_buf_reset(b);
    postern_buf_add_str(b, prefix);
    for (size_t i = 0; i < count; i++)
        postern_buf_add_byte(b, (uint8_t)c);
    postern_buf_add_str(b, suffix);
    assert_false(b->failed);
}

static void every_limit_holds_by_one_byte(void **state)
{
    static const struct {
        const char *why, *prefix, *suffix;
        size_t good;
        postern_err beyond;
    } cases[] = {
        { "token", "n,,\x01" "auth=Bearer ", "\x01\x01", POSTERN_TOKEN_MAX, LIMIT },
        { "authzid", "n,a=", ",\x01" "auth=Bearer T\x01\x01", POSTERN_AUTHZID_MAX - 1, LIMIT },
        { "host", "n,,\x01host=", "\x01" "auth=Bearer T\x01\x01", POSTERN_HOST_MAX - 1, MALFORMED },
        { "message", "n,,\x01x=", "\x01" "auth=Bearer T\x01\x01", POSTERN_SASL_MESSAGE_MAX - 4 - 2 - 16, LIMIT },
    };
    POSTERN_AUTO_BUF raw = POSTERN_BUF_INIT(65536);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_message m;

        fill(&raw, cases[i].prefix, 'a', cases[i].good, cases[i].suffix);
        if (postern_sasl_message_parse(OB, postern_buf_bytes(&raw), &m, NULL) != POSTERN_OK)
            fail_msg("%s: %zu bytes refused", cases[i].why, cases[i].good);
        fill(&raw, cases[i].prefix, 'a', cases[i].good + 1, cases[i].suffix);
        if (postern_sasl_message_parse(OB, postern_buf_bytes(&raw), &m, NULL) != cases[i].beyond)
            fail_msg("%s: %zu bytes accepted", cases[i].why, cases[i].good + 1);
    }
    fill(&raw, "user=", 'a', POSTERN_AUTHZID_MAX, "\x01" "auth=Bearer T\x01\x01");
    postern_sasl_message m;
    assert_int_equal(postern_sasl_message_parse(XO, postern_buf_bytes(&raw), &m, NULL), LIMIT);
}

static void pairs_are_counted(void **state)
{
    POSTERN_AUTO_BUF raw = POSTERN_BUF_INIT(65536);
    postern_sasl_message m;

    (void)state;
    for (size_t count = POSTERN_SASL_PAIRS_MAX - 1; count <= POSTERN_SASL_PAIRS_MAX; count++) {
        postern_buf_reset(&raw);
        postern_buf_add_str(&raw, "n,,\x01");
        for (size_t i = 0; i < count; i++)
            postern_buf_add_str(&raw, "x=\x01");
        postern_buf_add_str(&raw, "auth=Bearer T\x01\x01");
        assert_int_equal(postern_sasl_message_parse(OB, postern_buf_bytes(&raw), &m, NULL),
                         count < POSTERN_SASL_PAIRS_MAX ? POSTERN_OK : LIMIT);
    }
}

static void step_two_is_one_separator_or_nothing(void **state)
{
    static const struct { postern_bytes raw; postern_err want; } cases[] = {
        { RAW("\x01"), POSTERN_OK },       { RAW(""), POSTERN_OK },
        { RAW("\x01\x01"), MALFORMED },    { RAW("*"), MALFORMED },
        { RAW("\\001"), MALFORMED },       { RAW("\0"), MALFORMED },
        { RAW("\x01\n"), MALFORMED },      { RAW("n,,\x01" "auth=Bearer T\x01\x01"), MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(postern_sasl_step2_parse(OB, cases[i].raw, NULL), cases[i].want);
        assert_int_equal(postern_sasl_step2_parse(XO, cases[i].raw, NULL), cases[i].want);
    }
}

static void host_and_port_are_compared_where_both_sides_know_them(void **state)
{
    static const char *const names[] = { "mail.example.org", "imap.example.org.", NULL };
    static const struct { const char *why, *host, *port, *own_port; postern_err want; } cases[] = {
        { "message without host passes", "", "", "143", POSTERN_OK },
        { "same", "mail.example.org", "143", "143", POSTERN_OK },
        { "second name", "imap.example.org", "", "143", POSTERN_OK },
        { "case and final dot do not count", "MAIL.Example.ORG.", "143", "143", POSTERN_OK },
        { "own port unknown", "mail.example.org", "9", "", POSTERN_OK },
        { "other host", "mail.example.com", "143", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "prefix", "mail.example.or", "", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "name with more behind", "mail.example.org.evil", "", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "two dots", "mail.example.org..", "", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "@ and ` differ by the case bit only", "m`il.example.org", "", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "other port", "mail.example.org", "1143", "143", POSTERN_ERR_MESSAGE_SERVER },
        { "other port without host", "", "993", "143", POSTERN_ERR_MESSAGE_SERVER },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        postern_sasl_message m = { 0 };
        postern_err e;

        assert_in_range(snprintf(m.host, sizeof m.host, "%s", cases[i].host), 0, sizeof m.host - 1);
        assert_in_range(snprintf(m.port, sizeof m.port, "%s", cases[i].port), 0, sizeof m.port - 1);
        e = postern_sasl_message_check_server(&m, names, cases[i].own_port, NULL);
        if (e != cases[i].want)
            fail_msg("%s: %s", cases[i].why, postern_err_reason(e));
    }
    postern_sasl_message other = { .host = "other" };
    assert_int_equal(postern_sasl_message_check_server(&other, NULL, NULL, NULL), POSTERN_OK);
}

static void what_a_client_builds_is_what_a_server_reads(void **state)
{
    static const struct { postern_mech m; const char *authzid, *host, *port; const char *want; } cases[] = {
        { OB, NULL, NULL, NULL, "n,,\x01" "auth=Bearer T.U-V\x01\x01" },
        { OB, "a,b=c", "h.example", "143", "n,a=a=2Cb=3Dc,\x01host=h.example\x01port=143\x01" "auth=Bearer T.U-V\x01\x01" },
        { XO, "a,b=c", "h.example", "143", "user=a,b=c\x01" "auth=Bearer T.U-V\x01\x01" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_SASL_MESSAGE_MAX);
        postern_sasl_message m;

        assert_int_equal(postern_sasl_message_build(cases[i].m, cases[i].authzid, cases[i].host, cases[i].port,
                                                    POSTERN_BYTES_LIT("T.U-V"), &out, NULL), POSTERN_OK);
        assert_string_equal(postern_buf_cstr(&out), cases[i].want);
        assert_int_equal(postern_sasl_message_parse(cases[i].m, postern_buf_bytes(&out), &m, NULL), POSTERN_OK);
        assert_string_equal(m.authzid, cases[i].authzid == NULL ? "" : cases[i].authzid);
    }
}

static void a_client_never_builds_what_breaks_the_grammar(void **state)
{
    static const struct { const char *why; postern_mech m; const char *authzid, *host, *port, *token; } cases[] = {
        { "no token", OB, "", "", "", "" },
        { "separator in the token", OB, "", "", "", "T\x01" "auth=Bearer U" },
        { "newline behind the token", OB, "", "", "", "T\n" },
        { "separator in the authzid", OB, "a\x01" "b", "", "", "T" },
        { "authzid is not UTF-8", OB, "\xff", "", "", "T" },
        { "blank in the host", OB, "", "a b", "", "T" },
        { "port with a name", OB, "", "", "imap", "T" },
        { "XOAUTH2 without user", XO, "", "", "", "T" },
        { "no mechanism", POSTERN_MECH_NONE, "a", "", "", "T" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POSTERN_SASL_MESSAGE_MAX);
        postern_error err = { 0 };

        if (postern_sasl_message_build(cases[i].m, cases[i].authzid, cases[i].host, cases[i].port,
                                       postern_bytes_str(cases[i].token), &out, &err) != POSTERN_ERR_USAGE)
            fail_msg("%s: built", cases[i].why);
        if (out.len != 0 || err.code != POSTERN_ERR_USAGE)
            fail_msg("%s: output or error is wrong", cases[i].why);
    }
}

static void a_message_that_does_not_fit_is_an_error(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(8);

    (void)state;
    assert_int_equal(postern_sasl_message_build(OB, "alice", "h", "1", POSTERN_BYTES_LIT("T"), &out, NULL), POSTERN_ERR_NOMEM);
}

static void mechanisms_have_exact_names(void **state)
{
    (void)state;
    assert_string_equal(postern_mech_name(OB), "OAUTHBEARER");
    assert_string_equal(postern_mech_name(XO), "XOAUTH2");
    assert_string_equal(postern_mech_name(POSTERN_MECH_NONE), "");
    assert_int_equal(postern_mech_from_name("OAUTHBEARER"), OB);
    assert_int_equal(postern_mech_from_name("XOAUTH2"), XO);
    assert_int_equal(postern_mech_from_name("oauthbearer"), POSTERN_MECH_NONE);
    assert_int_equal(postern_mech_from_name("OAUTHBEARER-PLUS"), POSTERN_MECH_NONE);
    assert_int_equal(postern_mech_from_name(""), POSTERN_MECH_NONE);
    assert_int_equal(postern_mech_from_name(NULL), POSTERN_MECH_NONE);
}

static void a_compact_jws_is_told_from_what_a_person_types(void **state)
{
    static const char *const tokens[] = { "eyJ.a.b", "eyJhbGciOiJub25lIn0.e30.x", "eyJ-_.A-_9.z" };
    static const char *const passwords[] = {
        "", "e", "eyJ", "eyJ.a", "eyJ.a.", "eyJ..b", "eyJ.a.b.", "eyJ.a.b.c", "eyJ.a.b.c.d", "eyK.a.b", "EYJ.a.b", " eyJ.a.b", "eyJ.a.b ",
        "eyJ.a.b=", "eyJ.a+.b", "eyJ.a/.b", "eyJ.a.~b", "a.b.c", ".eyJ.a.b", "eyJ.a.\xc3\xa4",
    };

    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        assert_true(postern_token_is_compact_jws(postern_bytes_str(tokens[i])));
    for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++)
        assert_false(postern_token_is_compact_jws(postern_bytes_str(passwords[i])));
    assert_false(postern_token_is_compact_jws((postern_bytes){ (const uint8_t *)"eyJ.a.b\0c", 9 }));
    assert_false(postern_token_is_compact_jws(POSTERN_BYTES_NONE));
}

static void a_handle_is_told_from_what_a_person_types(void **state)
{
    static const char *const others[] = {
        "", "pst_", "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pst-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "pst_AAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAA", "pst_AAAAAAAAAAAAAAAA AAAAAAAAAAAAAAA",
        "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.A",
    };

    (void)state;
    assert_true(postern_token_is_handle(POSTERN_BYTES_LIT("pst_AZaz09-_AAAAAAAAAAAAAAAAAAAAAAAA")));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(postern_token_is_handle(postern_bytes_str(others[i])));
    assert_false(postern_token_is_handle(POSTERN_BYTES_NONE));
}

static void an_opaque_token_of_ours_is_told_from_what_a_person_types(void **state)
{
    static const char *const others[] = {
        "", "pot_", "pot_Geheimnis", "pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "pot_AAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAAA", "pot_AAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA",
        "pot_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "pot_AAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA",
    };

    (void)state;
    assert_true(postern_token_is_opaque(POSTERN_BYTES_LIT("pot_AZaz09-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(postern_token_is_opaque(postern_bytes_str(others[i])));
    assert_false(postern_token_is_opaque(POSTERN_BYTES_NONE));
    assert_false(postern_token_is_handle(POSTERN_BYTES_LIT("pot_AZaz09-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
}

/* RFC 6750 §2.1, byte by byte. */
static void a_token_is_of_the_bytes_of_token68_alone(void **state)
{
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool is_one = c != 0 && strchr(all, (int)c) != NULL;
        uint8_t alone = (uint8_t)c, last[] = { 'a', 'b', (uint8_t)c }, first[] = { (uint8_t)c, 'a' };

        assert_int_equal(postern_token_is_token68((postern_bytes){ &alone, 1 }), is_one);
        assert_int_equal(postern_token_is_token68((postern_bytes){ first, sizeof first }), is_one);
        assert_int_equal(postern_token_is_token68((postern_bytes){ last, sizeof last }),
                         is_one || c == '=');
    }
    assert_false(postern_token_is_token68(POSTERN_BYTES_NONE));
    assert_false(postern_token_is_token68(POSTERN_BYTES_LIT("a=b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compact_jws_is_told_from_what_a_person_types),
        cmocka_unit_test(a_handle_is_told_from_what_a_person_types),
        cmocka_unit_test(an_opaque_token_of_ours_is_told_from_what_a_person_types),
        cmocka_unit_test(accepted_messages_give_their_fields),
        cmocka_unit_test(an_empty_auth_is_a_discovery_request),
        cmocka_unit_test(malformed_messages_are_refused_with_the_reason),
        cmocka_unit_test(every_limit_holds_by_one_byte),
        cmocka_unit_test(pairs_are_counted),
        cmocka_unit_test(step_two_is_one_separator_or_nothing),
        cmocka_unit_test(host_and_port_are_compared_where_both_sides_know_them),
        cmocka_unit_test(what_a_client_builds_is_what_a_server_reads),
        cmocka_unit_test(a_client_never_builds_what_breaks_the_grammar),
        cmocka_unit_test(a_message_that_does_not_fit_is_an_error),
        cmocka_unit_test(mechanisms_have_exact_names),
        cmocka_unit_test(a_token_is_of_the_bytes_of_token68_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
