/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door role as a whole (sidecar/door): door_main() on a thread, two loops, real sockets and
 * real tokens.  Each test ends the door, which must leave no descriptor; under ASan no memory, under TSan
 * no race.
 */
#include "config.h"

#include <semaphore.h>
#include <poll.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include "door_certs.h"
#include "door_rig.h"
#include "../support/together.h"
#include "door/session.h"
#include "role.h"

static struct rig rig, *const r = &rig;

static int set_up(void **state)
{
    (void)state;
    rig_make(r);
    return 0;
}

static size_t count_texts(const char *in, const char *text)
{
    size_t count = 0;

    for (; (in = strstr(in, text)) != NULL; in++)
        count++;
    return count;
}

static void set_text(char *ret, size_t room, const char *text)
{
    assert_true((size_t)snprintf(ret, room, "%s", text) < room);
}

static void start(void)
{
    rig_start(r);
}

/* A session of agent-7 on loop `loop`. */
static struct rig_session open_session(size_t loop)
{
    char *token = rig_token(r, "agent-7", 300);
    struct rig_session s = rig_open(r, loop, token);

    free(token);
    return s;
}

static void assert_session_ended(struct rig_session *s, const char *end)
{
    char *word = test_printf("\"end\":\"%s\"", end);

    rig_assert_ended(s->client);
    rig_assert_ended(s->backend);
    (void)rig_await_record(r, 0, "\"event\":\"end\"", s->id, word);
    free(word);
}

/* Nothing of it is left in the door. */
static void assert_idle(void)
{
    rig_await_metric(r, "postern_door_logins", 0);
    rig_await_metric(r, "postern_door_sessions{state=\"open\"}", 0);
    rig_await_metric(r, "postern_door_sessions{state=\"connecting\"}", 0);
}

/* ---- logging in ---- */

static void a_login_line_opens_a_session(void **state)
{
    char *token;
    struct rig_session s;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    s = rig_open(r, 0, token);
    assert_int_equal(strlen(s.secret), 32);
    rig_assert_lives(&s);
    assert_int_equal(rig_metric(r, "postern_door_sessions{state=\"open\"}"), 1);
    assert_int_equal(rig_metric(r, "postern_door_logins"), 0);
    rig_close(&s);
    (void)rig_await_record(r, 0, "\"event\":\"end\"", s.id, "\"up\":5");
    assert_idle();
    assert_int_equal(rig_count_records(r, s.secret, NULL), 0);
    assert_int_equal(rig_count_records(r, token, NULL), 0);
    free(token);
    rig_end(r);
}

static void connect_opens_one_too(void **state)
{
    char *token, *text;
    int client, backend;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    text = test_printf("CONNECT cache.example.org:1 HTTP/1.1\r\nHost: cache.example.org:1\r\n"
                       "Authorization: Bearer %s\r\n\r\nearly",
                       token);
    client = rig_dial(r, 1);
    rig_say(client, text);
    assert_int_equal(strncmp(rig_hear(client), "HTTP/1.1 200 ", 13), 0);
    while (rig_hear(client)[0] != '\0')
        ;
    backend = rig_accept(r);
    rig_assert_hears(backend, "early");
    rig_say(backend, "answer");
    rig_assert_hears(client, "answer");
    assert_int_equal(close(client) + close(backend), 0);
    free(text);
    text = test_printf("CONNECT db.example.org:1 HTTP/1.1\r\nHost: db.example.org:1\r\n"
                       "Authorization: Bearer %s\r\n\r\n",
                       token);
    client = rig_dial(r, 1);
    rig_say(client, text);
    assert_int_equal(strncmp(rig_hear(client), "HTTP/1.1 4", 10), 0); /* not where this door leads */
    rig_assert_ended(client);
    assert_true(rig_is_untouched(r));
    free(text);
    free(token);
    rig_end(r);
}

/* One after the other at a TLS connection; false: it ended. */
static bool hear_tls(SSL *ssl, char *room, size_t want)
{
    size_t len = 0, n;

    while (len < want && SSL_read_ex(ssl, room + len, want - len, &n) == 1)
        len += n;
    room[len] = '\0';
    return len == want;
}

static SSL *shake_hands(int fd)
{
    BIO *pem = BIO_new_mem_buf(r->pem, -1);
    X509 *ca = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;

    assert_non_null(ca);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ssl = SSL_new(ctx);
    assert_int_equal(SSL_set1_host(ssl, "localhost"), 1);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    SSL_CTX_free(ctx);
    X509_free(ca);
    BIO_free(pem);
    return ssl;
}

static void tls_is_the_clients_choice_on_loopback(void **state)
{
    char *token, *text, room[4096];
    int client, backend;
    SSL *ssl;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    text = rig_login_text(token, "first\n");
    client = rig_dial(r, 0);
    ssl = shake_hands(client);
    assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
    backend = rig_accept(r);
    rig_assert_hears(backend, "first\n");
    assert_true(hear_tls(ssl, room, 4));
    assert_string_equal(room, "OK {");
    while (hear_tls(ssl, room, 1) && room[0] != '\n')
        ;
    rig_say(backend, "secret");
    assert_true(hear_tls(ssl, room, 6));
    assert_string_equal(room, "secret");
    (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"tls\":\"on\"", NULL);
    SSL_free(ssl);
    assert_int_equal(close(client) + close(backend), 0);
    free(text);
    free(token);
    assert_idle();
    rig_end(r);
}

static void from_a_network_it_is_tls_or_nothing(void **state)
{
    char *token;
    int client;

    (void)state;
    r->is_network = true;
    start();
    token = rig_token(r, "agent-7", 300);
    client = rig_dial(r, 0);
    rig_login(client, token, "");
    rig_assert_refused(client, "tls_required", "never");
    assert_true(rig_is_untouched(r));
    client = rig_dial(r, 0);
    {
        SSL *ssl = shake_hands(client);
        char *text = rig_login_text(token, ""), room[8];

        assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
        assert_true(hear_tls(ssl, room, 4));
        assert_string_equal(room, "OK {");
        SSL_free(ssl);
        free(text);
    }
    assert_int_equal(close(client), 0);
    free(token);
    rig_end(r);
}

/* Until its record is confirmed nothing reaches the backend, not even a connection; then what came
 * behind the login comes first. */
static void early_bytes_are_held_until_the_grant_and_come_first(void **state)
{
    char *token;
    int client, backend;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    rig_hold_audit(r, true);
    client = rig_dial(r, 0);
    rig_login(client, token, "one\n");
    (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"outcome\":\"proved\"", NULL);
    rig_say(client, "two\n");
    assert_true(rig_is_untouched(r));
    rig_hold_audit(r, false);
    assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
    backend = rig_accept(r);
    rig_say(client, "three\n");
    rig_assert_hears(backend, "one\ntwo\nthree\n");
    assert_int_equal(close(client) + close(backend), 0);
    free(token);
    rig_end(r);
}

static void a_login_may_come_byte_by_byte(void **state)
{
    char *token, *text;
    int client, backend;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    text = rig_login_text(token, "x");
    client = rig_dial(r, 1);
    for (const char *c = text; *c != '\0'; c++)
        assert_int_equal(send(client, c, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
    backend = rig_accept(r);
    rig_assert_hears(backend, "x");
    assert_int_equal(close(client) + close(backend), 0);
    free(text);
    free(token);
    rig_end(r);
}

/* ---- refusals ---- */

static void what_is_refused_never_reaches_the_backend(void **state)
{
    struct {
        const char *why, *reason, *retry;
        char *text;
    } cases[12];
    test_key *other;
    char *token, *claims;
    size_t n = 0;

    (void)state;
    set_text(r->rules, sizeof r->rules, "deny agent agent-8 to *\nallow anyone to *\n");
    start();
    other = test_key_new("P-256");
#define CASE(what, why_, retry_, make)                                                             \
    token = (make);                                                                                \
    cases[n].why = (what);                                                                         \
    cases[n].reason = (why_);                                                                      \
    cases[n].retry = (retry_);                                                                     \
    cases[n++].text = rig_login_text(token, "DROP TABLE\n");                                       \
    free(token)
    CASE("expired", "expired", "new_token", rig_token(r, "agent-7", -5));
    CASE("another audience", "aud", "new_token",
         rig_token_with(r, "agent-7", 300, "https://x.example", ""));
    CASE("the policy", "policy", "never", rig_token(r, "agent-8", 300));
    claims = test_claims(RIG_ISSUER, RIG_AUDIENCE, "alice", time(NULL), NULL);
    CASE("another key", "bad_signature", "new_token", test_token(other, "ES256", "a", claims));
    CASE("no signature", "alg_not_allowed", "never", test_token(other, "none", "a", claims));
    CASE("an unknown key", "unknown_kid", "new_token", test_token(other, "ES256", "b", claims));
    free(claims);
    claims = test_claims("https://x.example", RIG_AUDIENCE, "alice", time(NULL), NULL);
    CASE("another issuer", "iss", "new_token", test_token(r->key, "ES256", "a", claims));
    free(claims);
    CASE("no token at all", "malformed", "new_token", test_printf("abc"));
#undef CASE
    cases[n].why = "no protocol", cases[n].reason = "message_malformed", cases[n].retry = "never";
    cases[n++].text = test_printf("GET / HTTP/1.1\r\nDROP TABLE\n");
    for (size_t i = 0; i < n; i++) {
        int client = rig_dial(r, i % RIG_LOOPS);

        rig_say(client, cases[i].text);
        print_message("%s\n", cases[i].why);
        rig_assert_refused(client, cases[i].reason, cases[i].retry);
        assert_true(rig_is_untouched(r));
        free(cases[i].text);
    }
    assert_int_equal(rig_count_records(r, "DROP", NULL), 0);
    assert_int_equal(rig_metric(r, "postern_door_proved_total"), 0);
    test_key_free(other);
    assert_idle();
    rig_end(r);
}

static void a_login_without_end_is_refused(void **state)
{
    static char text[60000];
    int client;

    (void)state;
    start();
    memset(text, 'A', sizeof text - 1);
    memcpy(text, "AUTH OAUTHBEARER ", 17);
    client = rig_dial(r, 0);
    (void)!send(client, text, sizeof text - 1, MSG_NOSIGNAL);
    rig_assert_refused(client, "limit", "never");
    assert_idle();
    rig_end(r);
}

/* ---- renewals ---- */

/* RENEW at a loop of its own choice; returns the connection. */
static int renew(size_t loop, const char *secret, const char *token)
{
    char *text = test_printf("RENEW %s %s\r\n", secret, token);
    int client = rig_dial(r, loop);

    rig_say(client, text);
    free(text);
    return client;
}

static long lease_of(const char *line)
{
    const char *at = strstr(line, "\"lease\":");

    return at == NULL ? -1 : strtol(at + 8, NULL, 10);
}

static void a_session_is_renewed_from_any_loop(void **state)
{
    struct rig_session s;

    (void)state;
    start();
    s = open_session(0);
    for (size_t loop = 0; loop < RIG_LOOPS; loop++) {
        char *token = rig_token(r, "agent-7", 1000 + 1000 * (int64_t)loop);
        int client = renew(loop, s.secret, token);
        const char *line = rig_hear(client);

        if (strncmp(line, "OK {", 4) != 0)
            fail_msg("%s", line);
        assert_string_equal(rig_member(line, "session"), ""); /* the secret is not said again */
        assert_in_range(lease_of(line), 900 + 1000 * loop, 1000 + 1000 * loop);
        rig_assert_ended(client);
        rig_assert_lives(&s);
        free(token);
    }
    assert_int_equal(rig_metric(r, "postern_door_renewed_total"), 2);
    (void)rig_await_record(r, 0, "\"event\":\"renew\"", s.id, "\"outcome\":\"proved\"");
    rig_close(&s);
    assert_idle();
    rig_end(r);
}

static void a_renewal_needs_the_secret_and_the_same_identity(void **state)
{
    char *good, *other, *bad, wrong[64];
    struct rig_session s;

    (void)state;
    start();
    s = open_session(0);
    good = rig_token(r, "agent-7", 300);
    other = rig_token(r, "agent-8", 300);
    bad = rig_token(r, "agent-7", -5);
    memcpy(wrong, s.secret, sizeof wrong);
    wrong[5] = wrong[5] == 'A' ? 'B' : 'A';
    for (size_t loop = 0; loop < RIG_LOOPS; loop++) {
        rig_assert_refused(renew(loop, wrong, good), "renewal", "never");
        rig_assert_refused(renew(loop, s.id + 2, good), "renewal", "never");
        rig_assert_refused(renew(loop, s.secret, other), "renewal", "never");
        rig_assert_refused(renew(loop, s.secret, bad), "expired", "new_token");
        rig_assert_lives(&s);
    }
    /* Whose token was proved is named in the record of what he was refused. */
    (void)rig_await_record(r, 0, "\"reason\":\"renewal\"", "\"client_id\":\"agent-8\"", NULL);
    assert_int_equal(rig_metric(r, "postern_door_renewed_total"), 0);
    assert_int_equal(close(s.client), 0);
    rig_assert_ended(s.backend);
    (void)rig_await_record(r, 0, "\"event\":\"end\"", s.id, NULL);
    assert_idle();
    rig_assert_refused(renew(1, s.secret, good), "renewal", "never"); /* after its end */
    free(good);
    free(other);
    free(bad);
    assert_idle();
    rig_end(r);
}

static void a_session_that_ends_while_it_is_renewed_is_not_renewed(void **state)
{
    (void)state;
    start();
    for (size_t loop = 0; loop < RIG_LOOPS; loop++) {
        char *token = rig_token(r, "agent-7", 300);
        struct rig_session s = open_session(0);
        size_t from = rig_record_count(r);
        int client;

        rig_hold_audit(r, true);
        client = renew(loop, s.secret, token);
        (void)rig_await_record(r, from, "\"event\":\"renew\"", s.id, NULL);
        {
            char *more = test_printf(",\"by\":\"session\",\"value\":\"%s\"", s.id);

            assert_int_equal(rig_control(r, "kill", more), 1);
            free(more);
        }
        rig_hold_audit(r, false);
        rig_assert_refused(client, "renewal", "never");
        assert_session_ended(&s, "killed");
        free(token);
    }
    assert_idle();
    rig_end(r);
}

/* The new token's client is revoked while its renewal is written: the session does not go on with it. */
static void a_revocation_while_a_renewal_is_in_flight_ends_the_session(void **state)
{
    char *token;
    struct rig_session s;
    size_t from;
    int client;

    (void)state;
    start();
    s = open_session(0);
    token = rig_token(r, "agent-7", 600);
    from = rig_record_count(r);
    rig_hold_audit(r, true);
    client = renew(1, s.secret, token);
    (void)rig_await_record(r, from, "\"event\":\"renew\"", NULL, NULL);
    rig_issuer_revoke(r, "agent-7");
    rig_hold_audit(r, false);
    rig_assert_refused(client, "renewal", "never");
    assert_session_ended(&s, "revoked");
    free(token);
    assert_idle();
    rig_end(r);
}

/* ---- the lease ---- */

static void a_session_ends_with_its_token(void **state)
{
    char *token;
    struct rig_session s;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "expiry_grace: 0s\n");
    start();
    token = rig_token(r, "agent-7", 4);
    s = rig_open(r, 0, token);
    rig_assert_lives(&s);
    assert_session_ended(&s, "expired"); /* awaits it */
    rig_assert_refused(renew(0, s.secret, token), "expired", "new_token");
    free(token);
    assert_idle();
    rig_end(r);
}

static void in_its_grace_a_session_ends_when_it_falls_silent(void **state)
{
    char *token;
    struct rig_session s;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "expiry_grace: 600s\n");
    start();
    token = rig_token(r, "agent-7", 3);
    s = rig_open(r, 1, token);
    assert_session_ended(&s, "expired");
    free(token);
    rig_end(r);
}

static void in_its_grace_a_session_can_be_renewed(void **state)
{
    char *token;
    struct rig_session s;
    int client;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "expiry_grace: 600s\n");
    start();
    token = rig_token(r, "agent-7", 3);
    s = rig_open(r, 1, token);
    free(token);
    while (rig_metric(r, "postern_door_sessions{state=\"draining\"}") == 0) {
        rig_assert_lives(&s); /* not silent: it goes on */
        (void)poll(NULL, 0, 5);
    }
    token = rig_token(r, "agent-7", 300);
    client = renew(0, s.secret, token);
    assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
    rig_assert_ended(client);
    assert_int_equal(rig_metric(r, "postern_door_sessions{state=\"open\"}"), 1);
    rig_assert_lives(&s);
    rig_close(&s);
    free(token);
    rig_end(r);
}

static void an_idle_session_ends(void **state)
{
    struct rig_session s;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "idle_timeout: 1s\n");
    start();
    s = open_session(0);
    assert_session_ended(&s, "idle");
    rig_end(r);
}

/* ---- taken back ---- */

static int64_t take_back_by_kill(const struct rig_session *s)
{
    (void)s;
    return rig_control(r, "kill", ",\"by\":\"client\",\"value\":\"agent-7\",\"reason\":\"it looped\"");
}

static int64_t take_back_by_revocation(const struct rig_session *s)
{
    (void)s;
    rig_issuer_revoke(r, "agent-7");
    return 1;
}

static int64_t take_back_by_block(const struct rig_session *s)
{
    (void)s;
    return rig_block(r, "agent-7");
}

static const struct way {
    const char *name;
    int64_t (*take_back)(const struct rig_session *s);
    const char *end, *reason, *retry;
} ways[] = {
    { "kill", take_back_by_kill, "killed", "busy", "later" }, /* that session, not the agent */
    { "revocation", take_back_by_revocation, "revoked", "revoked", "new_token" },
    { "block", take_back_by_block, "revoked", "blocked", "never" },
};
#define WAYS (sizeof ways / sizeof ways[0])

/* Fill a way until its sender would block. */
static void fill_up(int fd)
{
    static char room[65536];

    while (send(fd, room, sizeof room, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
}

static void leave_idle(struct rig_session *s)
{
    (void)s;
}

static void stall_backend(struct rig_session *s)
{
    fill_up(s->client);
}

static void stall_client(struct rig_session *s)
{
    fill_up(s->backend);
}

static void stall_both(struct rig_session *s)
{
    fill_up(s->client);
    fill_up(s->backend);
}

static void half_close(struct rig_session *s)
{
    char c;

    assert_int_equal(shutdown(s->client, SHUT_WR), 0);
    assert_int_equal(recv(s->backend, &c, 1, 0), 0);
}

static void whatever_a_session_does_it_can_be_taken_back(void **state)
{
    void (*const doings[])(struct rig_session *) = { leave_idle, stall_backend, stall_client,
                                                     stall_both, half_close };
    size_t from = 0;

    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        for (size_t i = 0; i < sizeof doings / sizeof doings[0]; i++) {
            struct rig_session s, other;
            char *token;

            start();
            token = rig_token(r, "agent-8", 300);
            s = open_session(i % RIG_LOOPS);
            other = rig_open(r, i % RIG_LOOPS, token);
            doings[i](&s);
            from = rig_record_count(r);
            assert_int_equal(ways[w].take_back(&s), 1);
            /* When it is answered, it is done. */
            assert_int_equal(rig_metric(r, "postern_door_sessions{state=\"open\"}"), 1);
            assert_int_equal(rig_metric(r, "postern_door_revoked_total"), 1);
            (void)rig_await_record(r, from, "\"event\":\"end\"", s.id, ways[w].end);
            rig_assert_ended(s.client);
            rig_assert_ended(s.backend);
            rig_assert_lives(&other);
            rig_close(&other);
            free(token);
            rig_end(r);
            rig_make(r);
        }
    }
    start();
    rig_end(r);
}

/* Its verdict is there and its record is not confirmed: the word comes before it is registered. */
static void what_comes_between_verdict_and_registration_counts(void **state)
{
    (void)state;
    for (size_t w = 1; w < WAYS; w++) { /* a kill is for sessions that are there */
        char *token;
        int client;

        start();
        token = rig_token(r, "agent-7", 300);
        rig_hold_audit(r, true);
        client = rig_dial(r, 0);
        rig_login(client, token, "early");
        (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"outcome\":\"proved\"", NULL);
        (void)ways[w].take_back(NULL);
        rig_hold_audit(r, false);
        rig_assert_refused(client, ways[w].reason, ways[w].retry);
        assert_true(rig_is_untouched(r));
        (void)rig_await_record(r, 0, "\"event\":\"end\"", "\"end\":\"revoked\"", NULL);
        assert_idle();
        free(token);
        rig_end(r);
        rig_make(r);
    }
    start();
    rig_end(r);
}

/* A backend that takes the connection and never answers its TLS handshake. */
static void use_silent_backend(void)
{
    char *ca_path = test_printf("backend_tls: verify-full\nbackend_tls_ca_file: %s\n",
                                test_folder_at(&r->folder, "ca.pem"));
    struct test_cert ca = test_cert_new(NULL, NULL, -60, 3600);
    int fd = test_cert_fd(&ca);
    char pem[4096];
    ssize_t n = pread(fd, pem, sizeof pem - 1, 0);

    assert_true(n > 0);
    pem[n] = '\0';
    test_folder_put(&r->folder, "ca.pem", pem);
    set_text(r->door_lines, sizeof r->door_lines, ca_path);
    assert_int_equal(close(fd), 0);
    test_cert_free(&ca);
    free(ca_path);
}

static void a_session_that_is_connecting_can_be_taken_back(void **state)
{
    (void)state;
    for (size_t w = 0; w < WAYS; w++) {
        char *token;
        int client, backend;

        use_silent_backend();
        start();
        token = rig_token(r, "agent-7", 300);
        client = rig_dial(r, 1);
        rig_login(client, token, "early");
        backend = rig_accept(r);
        rig_await_metric(r, "postern_door_sessions{state=\"connecting\"}", 1);
        assert_int_equal(ways[w].take_back(NULL), 1);
        rig_assert_refused(client, ways[w].reason, ways[w].retry);
        rig_assert_ended(backend);
        assert_idle();
        free(token);
        rig_end(r);
        rig_make(r);
    }
    start();
    rig_end(r);
}

static void what_is_blocked_stays_out_until_it_is_not(void **state)
{
    char *token;
    struct rig_session s;
    int client;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    rig_block(r, "agent-7");
    client = rig_dial(r, 0);
    rig_login(client, token, "");
    {
        const char *line = rig_hear(client);

        assert_string_equal(rig_member(line, "reason"), "blocked");
        assert_string_equal(rig_member(line, "because"), "it looped");
        assert_string_equal(rig_member(line, "contact"), "ops@example.org");
    }
    rig_assert_ended(client);
    rig_block(r, NULL);
    s = rig_open(r, 0, token);
    rig_close(&s);
    free(token);
    rig_end(r);
}

/* ---- counting what was taken back ---- */

/* A loop can be stopped when it is about to replace a session's grant by that of a renewal: whatever
 * comes meanwhile is obeyed everywhere else. */
static struct {
    atomic_bool is_wanted;
    sem_t       is_there, may_go;
} stop;

postern_err __real_session_renew(struct session *s, postern_grant **grant,
                                 const postern_decision *decision, postern_error *err);
postern_err __wrap_session_renew(struct session *s, postern_grant **grant,
                                 const postern_decision *decision, postern_error *err);

postern_err __wrap_session_renew(struct session *s, postern_grant **grant,
                                 const postern_decision *decision, postern_error *err)
{
    if (atomic_exchange(&stop.is_wanted, false)) {
        (void)sem_post(&stop.is_there);
        while (sem_wait(&stop.may_go) != 0)
            ;
    }
    return __real_session_renew(s, grant, decision, err);
}

/* Its session is on loop 0, which stands when this returns. */
static int renew_and_stop(const struct rig_session *s, const char *client)
{
    char *token = rig_token(r, client, 600);
    struct timespec until;
    int fd;

    assert_int_equal(sem_init(&stop.is_there, 0, 0) + sem_init(&stop.may_go, 0, 0), 0);
    atomic_store(&stop.is_wanted, true);
    fd = renew(1, s->secret, token);
    free(token);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += RIG_PATIENCE_S;
    assert_int_equal(sem_timedwait(&stop.is_there, &until), 0);
    return fd;
}

static void go_on(void)
{
    assert_int_equal(sem_post(&stop.may_go), 0);
}

/* The first thread has heard what was sent to it before on control's line. */
static void await_first_thread(void)
{
    (void)rig_metric(r, "postern_door_renewed_total");
}

static void a_block_counts_the_session_that_its_own_renewal_ends(void **state)
{
    struct rig_session s[4];
    int client;
    int64_t id;

    (void)state;
    start();
    for (size_t i = 0; i < 4; i++)
        s[i] = open_session(i % RIG_LOOPS);
    client = renew_and_stop(&s[0], "agent-7");
    id = rig_send_block(r, "agent-7");
    await_first_thread();
    go_on();
    assert_int_equal(rig_await_block(r, id), 4);
    rig_assert_refused(client, "renewal", "never");
    for (size_t i = 0; i < 4; i++)
        assert_session_ended(&s[i], "revoked");
    assert_int_equal(rig_block(r, "agent-7"), 0); /* told once */
    assert_int_equal(rig_metric(r, "postern_door_revoked_total"), 4);
    rig_end(r);
}

/* The round for the first word ends what the second is about, before its own round begins. */
static void a_block_counts_what_ends_in_the_round_of_another_word(void **state)
{
    struct rig_session mine, revoked, standing;
    char *token;
    int client;
    int64_t id;

    (void)state;
    start();
    mine = open_session(0);
    token = rig_token(r, "agent-8", 300);
    revoked = rig_open(r, 0, token);
    free(token);
    token = rig_token(r, "agent-9", 300);
    standing = rig_open(r, 0, token);
    free(token);
    client = renew_and_stop(&standing, "agent-9");
    rig_send_revoke(r, "agent-8");
    rig_await_heard_revoke(r, "agent-8");
    id = rig_send_block(r, "agent-7");
    await_first_thread();
    go_on();
    assert_int_equal(rig_await_block(r, id), 1); /* what the issuer took back is not the block's */
    assert_session_ended(&mine, "revoked");
    assert_session_ended(&revoked, "revoked");
    assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
    rig_assert_ended(client);
    rig_assert_lives(&standing);
    rig_close(&standing);
    rig_end(r);
}

/* A reload judges all sessions, too, and is not asked how many were taken back. */
static void a_block_counts_what_ends_in_the_round_of_a_reload(void **state)
{
    struct rig_session mine, standing;
    char *token;
    int client;
    int64_t id;

    (void)state;
    start();
    mine = open_session(0);
    token = rig_token(r, "agent-9", 300);
    standing = rig_open(r, 0, token);
    free(token);
    client = renew_and_stop(&standing, "agent-9");
    assert_true(rig_prepare(r));
    rig_tell(r, "commit");
    assert_true(rig_prepare(r)); /* the commit was heard before it, but not by that loop: not confirmed */
    rig_tell(r, "abandon");
    id = rig_send_block(r, "agent-7");
    await_first_thread();
    go_on();
    rig_await_door(r, "committed");
    assert_int_equal(rig_await_block(r, id), 1);
    assert_session_ended(&mine, "revoked");
    assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
    rig_assert_ended(client);
    rig_assert_lives(&standing);
    rig_close(&standing);
    rig_end(r);
}

static void many_sessions_end_by_one_word(void **state)
{
    enum { SESSIONS = 100 };
    struct rig_session s[SESSIONS];

    (void)state;
    set_text(r->daemon_lines, sizeof r->daemon_lines, "login_max_per_source: 1000\n");
    start();
    for (size_t i = 0; i < SESSIONS; i++)
        s[i] = open_session(i % RIG_LOOPS);
    assert_int_equal(rig_control(r, "kill", ",\"by\":\"sub\",\"value\":\"bob\""), 0);
    assert_int_equal(rig_control(r, "kill", ",\"by\":\"sub\",\"value\":\"alice\""), SESSIONS);
    assert_int_equal(rig_metric(r, "postern_door_sessions{state=\"open\"}"), 0);
    for (size_t i = 0; i < SESSIONS; i++)
        assert_session_ended(&s[i], "killed");
    rig_end(r);
}

/* Told in one go, as a new line does it: each is acknowledged once, in order. */
static void thousands_of_revocations_are_acknowledged(void **state)
{
    enum { REVOCATIONS = 3000 };
    struct rig_session s;

    (void)state;
    start();
    s = open_session(1);
    rig_revoke_many(r, REVOCATIONS);
    rig_assert_lives(&s);
    rig_close(&s);
    rig_end(r);
}

/* The end of the process while all of that is on its way. */
static void the_end_may_come_while_sessions_are_judged(void **state)
{
    (void)state;
    for (size_t round = 0; round < 5; round++) {
        struct rig_session s;
        char client[32];

        start();
        s = open_session(0);
        for (size_t i = 0; i < 50 + round * 20; i++) {
            assert_true(snprintf(client, sizeof client, "gone-%zu", i) > 0);
            rig_send_revoke(r, client);
        }
        rig_send_revoke(r, "agent-7");
        rig_tell(r, "drain");
        rig_assert_ended(s.client);
        rig_assert_ended(s.backend);
        rig_join(r);
        rig_make(r);
    }
    start();
    rig_end(r);
}

/* ---- reloads ---- */

static void a_reload_ends_what_no_longer_passes_and_keeps_the_rest(void **state)
{
    char *token;
    struct rig_session kept, ended;

    (void)state;
    start();
    token = rig_token(r, "agent-8", 300);
    kept = open_session(0);
    ended = rig_open(r, 1, token);
    set_text(r->rules, sizeof r->rules, "deny agent agent-8 to *\nallow anyone to *\n");
    assert_true(rig_prepare(r));
    rig_assert_lives(&ended); /* not before "commit" */
    rig_commit(r);
    assert_session_ended(&ended, "policy");
    rig_assert_lives(&kept);
    {
        int client = rig_dial(r, 1);

        rig_login(client, token, "");
        rig_assert_refused(client, "policy", "never");
    }
    free(token);
    rig_close(&kept);
    rig_end(r);
}

/* policy_mode: shadow: nobody is kept out or thrown out, and each record says who would be; then it
 * counts. */
static void a_policy_on_trial_refuses_nobody_and_says_whom_it_would(void **state)
{
    struct rig_session mine, theirs;
    char *other;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "policy_mode: shadow\n");
    set_text(r->rules, sizeof r->rules,
             "no: deny agent agent-8 to * because \"not yet\"\nyes: allow anyone to *\n");
    start();
    mine = open_session(0);
    (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"rule\":\"cache:yes\"", NULL);
    other = rig_token(r, "agent-8", 300);
    theirs = rig_open(r, 1, other);
    (void)rig_await_record(r, 0, "\"outcome\":\"proved\"", "\"rule\":\"cache:no\"",
                           "\"detail\":\"rule cache:no (policies/cache.rules:1)\"");
    (void)rig_await_record(r, 0, "\"would\":\"deny\"", "\"agent\":\"agent-8\"", NULL);
    set_text(r->rules, sizeof r->rules, "");
    assert_true(rig_prepare(r));
    rig_commit(r);
    rig_assert_lives(&mine);
    rig_assert_lives(&theirs);
    set_text(r->door_lines, sizeof r->door_lines, "");
    set_text(r->rules, sizeof r->rules, "deny agent agent-8 to *\nallow anyone to *\n");
    assert_true(rig_prepare(r));
    rig_commit(r);
    assert_session_ended(&theirs, "policy");
    rig_assert_lives(&mine);
    free(other);
    rig_close(&mine);
    rig_end(r);
}

/* From the next reload on RIG_ISSUER is the embedded issuer, and its list of what was revoked is
 * awaited: until then a look at a session is undecided. */
static void await_revocations(void)
{
    char *text = test_printf("issuer: " RIG_ISSUER "\nstate_dir: %s\njwks_file: %s\n",
                             r->folder.path, test_folder_at(&r->folder, "keys.json"));

    test_folder_put(&r->folder, "issuer.conf", text);
    free(text);
}

/* The session was proved once: it lives on as it was, and ends with the first word against it. */
static void an_undecided_look_ends_no_session_and_the_next_word_counts(void **state)
{
    struct rig_session mine, theirs;
    char *other;

    (void)state;
    start();
    mine = open_session(0);
    other = rig_token(r, "agent-8", 300);
    theirs = rig_open(r, 1, other);
    await_revocations();
    assert_true(rig_prepare(r));
    rig_commit(r);
    assert_int_equal(rig_block(r, NULL), 0); /* each was looked at, twice */
    rig_assert_lives(&mine);
    rig_assert_lives(&theirs);
    assert_int_equal(rig_metric(r, "postern_door_ended_total"), 0);
    assert_int_equal(rig_block(r, "agent-8"), 1); /* one of the two that is certain counts */
    assert_session_ended(&theirs, "revoked");
    rig_issuer_revoke(r, "agent-7");
    assert_session_ended(&mine, "revoked");
    free(other);
    rig_end(r);
}

/* What the policy denies ends, though it is not known what the issuer took back. */
static void an_undecided_look_asks_the_policy_too(void **state)
{
    struct rig_session mine, theirs;
    char *other;

    (void)state;
    start();
    mine = open_session(0);
    other = rig_token(r, "agent-8", 300);
    theirs = rig_open(r, 0, other);
    await_revocations();
    set_text(r->rules, sizeof r->rules, "gone: deny agent agent-8 to *\nallow anyone to *\n");
    assert_true(rig_prepare(r));
    rig_commit(r);
    assert_session_ended(&theirs, "policy");
    rig_assert_lives(&mine);
    rig_close(&mine);
    free(other);
    rig_end(r);
}

/* Its verdict was there, its record was being written; now nobody knows whether it was revoked.  It is
 * not open yet, so it does not open. */
static void an_undecided_look_opens_no_session(void **state)
{
    char *token;
    struct rig_session s;
    int client;

    (void)state;
    for (size_t loop = 0; loop < RIG_LOOPS; loop++) {
        start();
        token = rig_token(r, "agent-7", 300);
        rig_hold_audit(r, true);
        client = rig_dial(r, loop);
        rig_login(client, token, "early");
        (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"outcome\":\"proved\"", NULL);
        await_revocations();
        assert_true(rig_prepare(r));
        rig_commit(r);
        rig_block(r, NULL); /* the loops have heard it */
        rig_hold_audit(r, false);
        rig_assert_refused(client, "revocations_unknown", "later");
        assert_true(rig_is_untouched(r));
        (void)rig_await_record(r, 0, "\"event\":\"end\"", "\"end\":\"failed\"", NULL);
        (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"outcome\":\"undecided\"",
                               "\"reason\":\"revocations_unknown\"");
        assert_idle();
        rig_issuer_ready(r);
        s = rig_open(r, loop, token);
        rig_close(&s);
        free(token);
        rig_end(r);
        rig_make(r);
    }
    start();
    rig_end(r);
}

/* The person ends what she granted: all sessions of it end, wherever in the chain they are, and
 * nobody else's. */
static void an_ended_authorization_ends_its_sessions_and_theirs_alone(void **state)
{
    static const struct {
        const char *claims; /* of the session that goes */
        const char *kind, *name;
    } cases[] = {
        { ",\"grant_id\":\"g-1\"", "grant", "g-1" },
        { ",\"grant_id\":\"g-2\",\"act\":{\"sub\":\"agent-9\"}", "grant", "g-2" },
        { ",\"derived_from\":[\"parent\"]", "jti", "parent" },
        { ",\"derived_from\":[\"x\",\"grandparent\"]", "jti", "grandparent" },
        { ",\"act\":{\"sub\":\"agent-9\",\"act\":{\"sub\":\"planner\"}}", "client", "planner" },
    };

    (void)state;
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *token = rig_token_with(r, "agent-7", 300, RIG_AUDIENCE, cases[i].claims);
        struct rig_session gone = rig_open(r, i % RIG_LOOPS, token), kept = open_session(0);
        int client;

        rig_issuer_revoke_kind(r, cases[i].kind, cases[i].name);
        assert_session_ended(&gone, "revoked");
        rig_assert_lives(&kept);
        client = rig_dial(r, 0);
        rig_login(client, token, "");
        rig_assert_refused(client, "revoked", "new_token");
        rig_close(&kept);
        free(token);
    }
    rig_end(r);
}

/* judge agent and user: the record says which half refused, and both rules of a login. */
static void where_agent_and_user_are_judged_apart_the_record_says_which_refused(void **state)
{
    static const struct {
        const char *agent, *more, *detail;
    } cases[] = {
        { "agent-8", "", "\"detail\":\"the agent's rules: no rule allows it\"" },
        { "agent-9", "", "\"detail\":\"the user's rules: cache:not-nine (policies/cache.rules:4)\"" },
        { "agent-7", ",\"act\":{\"sub\":\"agent-6\"}",
          "\"detail\":\"the agent's rules: cache:direct (policies/cache.rules:2); "
          "the user's rules: cache:direct (policies/cache.rules:2)\"" },
    };
    char *token;
    struct rig_session s;

    (void)state;
    set_text(r->rules, sizeof r->rules,
             "judge agent and user\n"
             "direct: deny anyone to * if chain > 0\n"
             "ours: allow agent agent-7,agent-9 to *\n"
             "not-nine: deny user alice to * if claim.client_id = \"agent-9\"\n"
             "hers: allow user alice to *\n");
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int client = rig_dial(r, 0);

        token = rig_token_with(r, cases[i].agent, 300, RIG_AUDIENCE, cases[i].more);
        rig_login(client, token, "");
        rig_assert_refused(client, "policy", "never");
        (void)rig_await_record(r, 0, cases[i].detail, "\"human\":\"alice\"", NULL);
        free(token);
    }
    s = open_session(0);
    (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"rule\":\"cache:ours\"",
                           "\"user_rule\":\"cache:hers\"");
    rig_close(&s);
    (void)rig_await_record(r, 0, "\"event\":\"end\"", "\"rule\":\"cache:ours\"",
                           "\"user_rule\":\"cache:hers\"");
    rig_end(r);
}

static void a_reload_that_is_abandoned_changes_nothing(void **state)
{
    struct rig_session s;

    (void)state;
    start();
    s = open_session(0);
    set_text(r->rules, sizeof r->rules, "deny anyone to *\n");
    assert_true(rig_prepare(r));
    rig_tell(r, "abandon");
    rig_commit(r); /* of nothing */
    rig_block(r, NULL);
    rig_assert_lives(&s);
    rig_close(&s);
    s = open_session(1);
    rig_close(&s);
    rig_end(r);
}

static void a_shorter_session_max_counts_at_once(void **state)
{
    struct rig_session s;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "expiry_grace: 0s\n");
    start();
    s = open_session(0);
    set_text(r->door_lines, sizeof r->door_lines, "expiry_grace: 0s\nsession_max: 1s\n");
    assert_true(rig_prepare(r));
    rig_commit(r);
    assert_session_ended(&s, "expired");
    rig_end(r);
}

/* One while its login waits for its record, one while it connects: it connects by the settings
 * between them, which nobody else holds. */
static void two_reloads_may_come_while_a_session_begins(void **state)
{
    char *token;
    int client, backend;

    (void)state;
    use_silent_backend();
    start();
    token = rig_token(r, "agent-7", 300);
    rig_hold_audit(r, true);
    client = rig_dial(r, 0);
    rig_login(client, token, "");
    (void)rig_await_record(r, 0, "\"event\":\"login\"", NULL, NULL);
    assert_true(rig_prepare(r));
    rig_commit(r);
    rig_block(r, NULL);
    rig_hold_audit(r, false);
    backend = rig_accept(r);
    rig_await_metric(r, "postern_door_sessions{state=\"connecting\"}", 1);
    assert_true(rig_prepare(r));
    rig_commit(r);
    rig_block(r, NULL);
    rig_say(backend, "this is no TLS\n");
    rig_assert_refused(client, "backend", "later");
    rig_assert_ended(backend);
    assert_idle();
    free(token);
    rig_end(r);
}

static void reloads_while_sessions_come_and_go(void **state)
{
    (void)state;
    start();
    for (size_t i = 0; i < 10; i++) {
        struct rig_session s;

        assert_true(rig_prepare(r));
        rig_commit(r);
        s = open_session(i % RIG_LOOPS);
        assert_true(rig_prepare(r));
        rig_commit(r);
        rig_assert_lives(&s);
        rig_close(&s);
    }
    assert_idle();
    rig_end(r);
}

/* ---- the audit child ---- */

static void without_the_audit_child_nothing_is_decided(void **state)
{
    char *good, *bad;
    struct rig_session s;
    int client;

    (void)state;
    start();
    good = rig_token(r, "agent-7", 300);
    bad = rig_token(r, "agent-7", -5);
    s = rig_open(r, 0, good);
    rig_take_audit(r);
    rig_await_door(r, "link");
    rig_assert_lives(&s); /* sessions go on */
    for (size_t loop = 0; loop < RIG_LOOPS; loop++) {
        client = rig_dial(r, loop);
        rig_login(client, good, "early");
        rig_assert_refused(client, "audit", "later");
        client = rig_dial(r, loop);
        rig_login(client, bad, "early");
        rig_assert_refused(client, "audit", "later"); /* a refusal is a verdict, too */
        rig_assert_refused(renew(loop, s.secret, good), "audit", "later");
    }
    assert_true(rig_is_untouched(r));
    rig_give_audit(r);
    rig_block(r, NULL); /* the loops have their lines */
    rig_assert_lives(&s);
    rig_close(&s);
    s = rig_open(r, 1, good);
    rig_close(&s);
    free(good);
    free(bad);
    assert_idle();
    rig_end(r);
}

/* What was on its way when it went is undecided, not granted. */
static void a_login_whose_record_is_lost_is_undecided(void **state)
{
    char *token;
    int client;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    rig_hold_audit(r, true);
    client = rig_dial(r, 1);
    rig_login(client, token, "early");
    (void)rig_await_record(r, 0, "\"event\":\"login\"", NULL, NULL);
    for (size_t i = 0; i < RIG_LOOPS; i++)
        assert_int_equal(shutdown(r->recorders[i].fd, SHUT_RDWR), 0);
    rig_assert_refused(client, "audit", "later");
    assert_true(rig_is_untouched(r));
    rig_hold_audit(r, false);
    assert_idle();
    free(token);
    rig_end(r);
}

/* The audit role itself, on a thread: the supervisor's line, its file. */
struct audit_child {
    pthread_t thread;
    struct role_setup setup;
    struct channel *line;
    int file;
    int status;
};

static void *run_audit(void *arg)
{
    struct audit_child *a = arg;

    a->status = audit_main(&a->setup);
    return NULL;
}

static void start_audit(struct audit_child *a)
{
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &a->line, NULL), POSTERN_OK);
    a->setup.supervisor_fd = fds[1];
    a->file = memfd_create("audit", MFD_CLOEXEC);
    assert_int_equal(pthread_create(&a->thread, NULL, run_audit, a), 0);
    assert_int_equal(channel_send_type(a->line, "file", a->file, NULL), POSTERN_OK);
}

static void end_audit(struct audit_child *a)
{
    channel_free(a->line);
    assert_int_equal(pthread_join(a->thread, NULL), 0);
    assert_int_equal(a->status, 0);
}

static void the_real_audit_child_has_all_of_it_on_disk(void **state)
{
    struct audit_child audit = { 0 };
    static char text[65536];
    char *token;
    ssize_t n = 0;

    (void)state;
    start();
    start_audit(&audit);
    rig_take_audit(r);
    rig_give_writers(r, audit.line);
    rig_block(r, NULL); /* the loops have their lines */
    token = rig_token(r, "agent-7", 300);
    for (size_t i = 0; i < 10; i++) {
        int client = rig_dial(r, i % RIG_LOOPS), backend;
        ssize_t at_answer;

        rig_login(client, token, "");
        assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
        at_answer = pread(audit.file, text, sizeof text - 1, 0);
        assert_true(at_answer > 0);
        text[at_answer] = '\0';
        backend = rig_accept(r);
        assert_int_equal(count_texts(text, "\"event\":\"login\""), i + 1); /* before the answer */
        assert_int_equal(close(client) + close(backend), 0);
    }
    assert_idle();
    free(token);
    /* A session is open no more when its end is under way to the child. */
    for (int tries = 0; tries < 6000 && count_texts(text, "\"event\":\"end\"") < 10; tries++) {
        assert_int_equal(usleep(10000), 0);
        n = pread(audit.file, text, sizeof text - 1, 0);
        assert_true(n > 0);
        text[n] = '\0';
    }
    r->keeps_fds = true; /* the audit child's */
    rig_end(r);
    end_audit(&audit);
    n = pread(audit.file, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_int_equal(count_texts(text, "\"event\":\"end\""), 10);
    assert_int_equal(close(audit.file), 0);
}

/* ---- backends ---- */

static void a_backend_that_refuses_is_told_as_later(void **state)
{
    char *token;
    int client;
    unsigned port;

    (void)state;
    port = r->backend_port;
    r->backend_port = 1; /* nobody listens there */
    start();
    r->backend_port = port;
    token = rig_token(r, "agent-7", 300);
    client = rig_dial(r, 0);
    rig_login(client, token, "");
    rig_assert_refused(client, "backend", "later");
    (void)rig_await_record(r, 0, "\"event\":\"end\"", "\"end\":\"backend\"", "\"reason\":\"backend\"");
    assert_idle();
    free(token);
    rig_end(r);
}

static void a_backend_that_closes_at_once_ends_the_session(void **state)
{
    (void)state;
    start();
    for (size_t i = 0; i < 4; i++) {
        char *token = rig_token(r, "agent-7", 300);
        int client = rig_dial(r, i % RIG_LOOPS), backend;

        rig_login(client, token, "early");
        backend = rig_accept(r);
        if (i < 2) {
            rig_reset(backend); /* the client is reset too, perhaps before it has read its answer */
        } else {
            rig_assert_hears(backend, "early");
            assert_int_equal(close(backend), 0);
            assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0); /* it was there */
        }
        rig_assert_ended(client);
        free(token);
    }
    assert_idle();
    rig_end(r);
}

/* ---- limits ---- */

static void who_does_not_log_in_in_time_is_closed(void **state)
{
    static const char *const words[] = { "", "A", "AUTH OAUTHBEARER ", "CONNECT x:1 HTTP/1.1\r\n",
                                         "\x16\x03\x01" };
    int clients[sizeof words / sizeof words[0]];

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "login_timeout: 1s\n");
    start();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        clients[i] = rig_dial(r, i % RIG_LOOPS);
        rig_say(clients[i], words[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        rig_assert_ended(clients[i]);
    assert_idle();
    rig_end(r);
}

static void one_source_has_its_share_of_logins(void **state)
{
    int clients[3], late;

    (void)state;
    set_text(r->daemon_lines, sizeof r->daemon_lines, "login_max_per_source: 3\n");
    start();
    for (size_t i = 0; i < 3; i++)
        clients[i] = rig_dial(r, 0);
    rig_await_metric(r, "postern_door_logins", 3);
    late = rig_dial(r, 1);
    rig_assert_ended(late); /* nobody of that source is on its loop, to go instead of it */
    /* One that has its answer and does not hang up keeps its place, until somebody needs it. */
    rig_say(clients[0], "nonsense\r\n");
    assert_int_equal(strncmp(rig_hear(clients[0]), "ERR {", 5), 0);
    late = rig_dial(r, 1);
    rig_assert_ended(late);
    late = rig_dial(r, 0);
    rig_say(late, "nonsense\r\n");
    assert_int_equal(strncmp(rig_hear(late), "ERR {", 5), 0); /* loopback is many people's */
    rig_assert_ended(clients[0]);
    for (size_t i = 1; i < 3; i++)
        assert_int_equal(close(clients[i]), 0);
    assert_int_equal(close(late), 0);
    assert_idle();
    {
        struct rig_session s = open_session(0); /* sessions have no share of it */
        struct rig_session t = open_session(0), u = open_session(0), v = open_session(0);

        rig_close(&s);
        rig_close(&t);
        rig_close(&u);
        rig_close(&v);
    }
    rig_end(r);
}

static void when_all_places_are_taken_the_oldest_goes(void **state)
{
    enum { PLACES = 8 };
    int clients[PLACES], newer;
    struct rig_session s;

    (void)state;
    set_text(r->daemon_lines, sizeof r->daemon_lines, "login_max: 8\n");
    start();
    for (size_t i = 0; i < PLACES; i++) {
        clients[i] = rig_dial(r, 0);
        rig_await_metric(r, "postern_door_logins", (int64_t)i + 1);
    }
    newer = rig_dial(r, 0);
    rig_assert_ended(clients[0]);
    s = open_session(0);
    rig_assert_ended(clients[1]);
    rig_assert_lives(&s);
    for (size_t i = 2; i < PLACES; i++)
        assert_int_equal(close(clients[i]), 0);
    assert_int_equal(close(newer), 0);
    rig_close(&s);
    assert_idle();
    rig_end(r);
}

/* Each waits for its verdict, so none can go: a further caller does. */
static void when_all_places_wait_for_a_verdict_nobody_is_taken(void **state)
{
    enum { PLACES = 8 };
    int clients[PLACES], late;
    char *token;

    (void)state;
    set_text(r->daemon_lines, sizeof r->daemon_lines, "login_max: 8\n");
    start();
    token = rig_token(r, "agent-7", 300);
    rig_hold_audit(r, true);
    for (size_t i = 0; i < PLACES; i++) {
        clients[i] = rig_dial(r, 0);
        rig_login(clients[i], token, "");
    }
    rig_await_metric(r, "postern_door_proved_total", PLACES);
    late = rig_dial(r, 0);
    rig_assert_ended(late);
    rig_hold_audit(r, false);
    for (size_t i = 0; i < PLACES; i++) {
        int backend;

        assert_int_equal(strncmp(rig_hear(clients[i]), "OK {", 4), 0);
        backend = rig_accept(r);
        assert_int_equal(close(clients[i]) + close(backend), 0);
    }
    free(token);
    assert_idle();
    rig_end(r);
}

static void a_door_has_its_number_of_sessions(void **state)
{
    struct rig_session s;
    char *token;
    int client;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "max_connections: 1\n");
    start();
    s = open_session(0);
    token = rig_token(r, "agent-7", 300);
    client = rig_dial(r, 1);
    rig_login(client, token, "");
    rig_assert_refused(client, "busy", "later");
    assert_true(rig_is_untouched(r));
    rig_close(&s);
    assert_idle();
    s = open_session(1);
    rig_close(&s);
    free(token);
    rig_end(r);
}

static void an_agent_has_its_share_of_a_door(void **state)
{
    struct rig_session mine[2], theirs;
    char *token, *other;
    int client;

    (void)state;
    set_text(r->door_lines, sizeof r->door_lines, "max_connections_per_agent: 2\n");
    start();
    for (size_t i = 0; i < 2; i++)
        mine[i] = open_session(i);
    token = rig_token(r, "agent-7", 300);
    other = rig_token(r, "agent-8", 300);
    for (size_t loop = 0; loop < RIG_LOOPS; loop++) {
        client = rig_dial(r, loop);
        rig_login(client, token, "");
        rig_assert_refused(client, "agent_busy", "later");
    }
    assert_true(rig_is_untouched(r));
    (void)rig_await_record(r, 0, "\"event\":\"login\"", "\"reason\":\"agent_busy\"",
                           "\"setting\":\"max_connections_per_agent\"");
    theirs = rig_open(r, 0, other);
    client = renew(1, mine[0].secret, token); /* is no session more */
    assert_int_equal(strncmp(rig_hear(client), "OK {", 4), 0);
    rig_assert_ended(client);
    rig_close(&mine[1]);
    rig_await_metric(r, "postern_door_sessions{state=\"open\"}", 2);
    mine[1] = open_session(0);
    for (size_t i = 0; i < 2; i++)
        rig_close(&mine[i]);
    rig_close(&theirs);
    free(token);
    free(other);
    rig_end(r);
}

/* ---- clients that vanish ---- */

/* What a client says before it resets, in order; at each place of the conversation. */
static void a_client_may_reset_at_any_phase(void **state)
{
    char *token, *text, *renewal;
    struct rig_session s;
    size_t len;

    (void)state;
    start();
    token = rig_token(r, "agent-7", 300);
    text = rig_login_text(token, "early");
    len = strlen(text);
    s = rig_open(r, 0, token);
    renewal = test_printf("RENEW %s %s\r\n", s.secret, token);
    for (size_t i = 0; i < 40; i++) { /* cut the login anywhere */
        int client = rig_dial(r, i % RIG_LOOPS);
        size_t cut = i < 20 ? i : len - (39 - i);

        assert_int_equal(send(client, text, cut, MSG_NOSIGNAL), (ssize_t)cut);
        rig_reset(client);
    }
    for (size_t i = 0; i < 8; i++) { /* while login or renewal waits for its record */
        int client = rig_dial(r, i % RIG_LOOPS);
        size_t from = rig_record_count(r);

        rig_hold_audit(r, true);
        rig_say(client, i < 4 ? text : renewal);
        (void)rig_await_record(r, from, i < 4 ? "\"event\":\"login\"" : "\"event\":\"renew\"", NULL,
                               NULL);
        rig_reset(client);
        rig_hold_audit(r, false);
    }
    for (size_t i = 0; i < 8; i++) { /* refused, granted, with and without reading the answer */
        int client = rig_dial(r, i % RIG_LOOPS);

        rig_say(client, i < 4 ? text : "nonsense\r\n");
        if (i % 4 < 2)
            (void)rig_hear(client);
        rig_reset(client);
    }
    for (size_t i = 0; i < 8; i++) { /* in the middle of a TLS handshake */
        int client = rig_dial(r, i % RIG_LOOPS);
        SSL *ssl = i < 4 ? NULL : shake_hands(client);

        if (i < 4)
            assert_int_equal(send(client, "\x16\x03\x01\x02\x00\x01", 1 + i, MSG_NOSIGNAL),
                             (ssize_t)(1 + i));
        SSL_free(ssl);
        rig_reset(client);
    }
    rig_assert_lives(&s);
    rig_close(&s);
    free(renewal);
    free(text);
    free(token);
    assert_idle();
    rig_end(r);
}

/* ---- the end ---- */

static void the_end_waits_for_a_quiet_moment_of_each_session(void **state)
{
    struct rig_session s;
    int client;

    (void)state;
    start();
    s = open_session(0);
    rig_assert_lives(&s);
    client = rig_dial(r, 0); /* has not logged in: goes at once */
    rig_await_metric(r, "postern_door_logins", 1);
    rig_tell(r, "drain");
    rig_await_door(r, "retired"); /* nobody comes any more */
    rig_assert_ended(client);
    rig_assert_lives(&s); /* it has not been silent for a second yet */
    assert_session_ended(&s, "drained");
    rig_join(r);
}

static void the_end_comes_though_a_session_is_busy_or_a_login_hangs(void **state)
{
    struct rig_session s;
    char *token;
    int client;
    size_t from;

    (void)state;
    start();
    s = open_session(0);
    fill_up(s.client); /* never quiet */
    token = rig_token(r, "agent-7", 300);
    from = rig_record_count(r);
    rig_hold_audit(r, true);
    client = rig_dial(r, 1);
    rig_login(client, token, "");
    (void)rig_await_record(r, from, "\"event\":\"login\"", NULL, NULL);
    rig_tell(r, "drain"); /* drain_timeout is 3 s, and that of a record too */
    rig_await_door(r, "retired"); /* what was begun goes on */
    rig_assert_ended(s.client);
    rig_assert_ended(s.backend);
    rig_assert_ended(client);
    rig_hold_audit(r, false);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    assert_int_equal(r->status, 0);
    free(token);
    rig_free(r);
}

static void without_settings_the_end_is_at_once(void **state)
{
    (void)state;
    rig_start_bare(r);
    rig_end(r);
}

/* ---- what control is told ---- */

static void control_sees_sessions_of_all_loops(void **state)
{
    struct rig_session a, b;

    (void)state;
    start();
    a = open_session(0);
    b = open_session(1);
    {
        const char *page = rig_sessions(r);

        /* Its client hears OK a moment before it is open. */
        for (int i = 0; i < 10000 && strstr(page, "\"state\":\"connecting\"") != NULL; i++)
            page = rig_sessions(r);
        assert_non_null(strstr(page, a.id));
        assert_non_null(strstr(page, b.id));
        assert_null(strstr(page, a.secret));
        assert_null(strstr(page, b.secret));
        assert_non_null(strstr(page, "\"state\":\"open\""));
        assert_non_null(strstr(page, "\"more\":false"));
    }
    rig_close(&a);
    rig_close(&b);
    rig_end(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_login_line_opens_a_session),
        TEST(connect_opens_one_too),
        TEST(tls_is_the_clients_choice_on_loopback),
        TEST(from_a_network_it_is_tls_or_nothing),
        TEST(early_bytes_are_held_until_the_grant_and_come_first),
        TEST(a_login_may_come_byte_by_byte),
        TEST(what_is_refused_never_reaches_the_backend),
        TEST(a_login_without_end_is_refused),
        TEST(a_session_is_renewed_from_any_loop),
        TEST(a_renewal_needs_the_secret_and_the_same_identity),
        TEST(a_session_that_ends_while_it_is_renewed_is_not_renewed),
        TEST(a_revocation_while_a_renewal_is_in_flight_ends_the_session),
        TEST(a_session_ends_with_its_token),
        TEST(in_its_grace_a_session_ends_when_it_falls_silent),
        TEST(in_its_grace_a_session_can_be_renewed),
        TEST(an_idle_session_ends),
        TEST(whatever_a_session_does_it_can_be_taken_back),
        TEST(what_comes_between_verdict_and_registration_counts),
        TEST(a_session_that_is_connecting_can_be_taken_back),
        TEST(what_is_blocked_stays_out_until_it_is_not),
        TEST(a_block_counts_the_session_that_its_own_renewal_ends),
        TEST(a_block_counts_what_ends_in_the_round_of_another_word),
        TEST(a_block_counts_what_ends_in_the_round_of_a_reload),
        TEST(many_sessions_end_by_one_word),
        TEST(thousands_of_revocations_are_acknowledged),
        TEST(the_end_may_come_while_sessions_are_judged),
        TEST(a_reload_ends_what_no_longer_passes_and_keeps_the_rest),
        TEST(an_undecided_look_ends_no_session_and_the_next_word_counts),
        TEST(a_policy_on_trial_refuses_nobody_and_says_whom_it_would),
        TEST(an_undecided_look_asks_the_policy_too),
        TEST(an_undecided_look_opens_no_session),
        TEST(an_ended_authorization_ends_its_sessions_and_theirs_alone),
        TEST(where_agent_and_user_are_judged_apart_the_record_says_which_refused),
        TEST(a_reload_that_is_abandoned_changes_nothing),
        TEST(a_shorter_session_max_counts_at_once),
        TEST(two_reloads_may_come_while_a_session_begins),
        TEST(reloads_while_sessions_come_and_go),
        TEST(without_the_audit_child_nothing_is_decided),
        TEST(a_login_whose_record_is_lost_is_undecided),
        TEST(the_real_audit_child_has_all_of_it_on_disk),
        TEST(a_backend_that_refuses_is_told_as_later),
        TEST(a_backend_that_closes_at_once_ends_the_session),
        TEST(who_does_not_log_in_in_time_is_closed),
        TEST(one_source_has_its_share_of_logins),
        TEST(when_all_places_are_taken_the_oldest_goes),
        TEST(when_all_places_wait_for_a_verdict_nobody_is_taken),
        TEST(a_door_has_its_number_of_sessions),
        TEST(an_agent_has_its_share_of_a_door),
        TEST(a_client_may_reset_at_any_phase),
        TEST(the_end_waits_for_a_quiet_moment_of_each_session),
        TEST(the_end_comes_though_a_session_is_busy_or_a_login_hangs),
        TEST(without_settings_the_end_is_at_once),
        TEST(control_sees_sessions_of_all_loops),
    };

    /* DOOR_TEST: for whoever looks for one test's trouble. */
    return run_tests_together(tests, sizeof tests / sizeof *tests, getenv("DOOR_TEST"));
}
