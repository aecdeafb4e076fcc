/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is held at a whole door (door_rig.h) with the real protocols, MCP, whose calls wait in their
 * session, and Redis, whose requests are tried again: what an approval is still good for when
 * something else has changed meanwhile, and that it passes once.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/together.h"
#include "door/rates.h"
#include "door_rig.h"

#define MCP_RULES                                                                                  \
    "in: allow agent bot* to mcp:connect,@session\n"                                               \
    "frozen: deny anyone to mcp:tools/call on write_file if scope has files.frozen because \"it is frozen\"\n" \
    "all: allow agent bot* to mcp:tools/call on write_file if scope has files.all\n"               \
    "strict: hold agent bot* to mcp:tools/call on write_file if scope has files.strict\n"          \
    "write: hold agent bot* to mcp:tools/call on write_file if scope has files.write and arg.path under \"/srv\" with wait 5m and rate 100/1s\n" \
    "ask: hold agent bot* to mcp:sampling/createMessage\n"
#define REDIS_RULES                                                                                \
    "in: allow agent bot* to redis:connect on cache\n"                                             \
    "read: allow agent bot* to redis:GET on \"k*\"\n"                                              \
    "set: hold agent bot* to redis:SET on \"k*\" with wait 5m and rate 100/1s\n"
#define WRITE(id, path)                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"write_file\",\"arguments\":{\"path\":\"" path "\"}}}\n"
#define CANCEL(id)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}\n"
#define SAMPLE "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"sampling/createMessage\",\"params\":{}}\n"
#define PING(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"ping\"}\n"

static struct rig rig;
static bool is_too_often; /* whoever asks for a rate */

postern_err __real_rates_take(struct rates *r, const char *issuer, const char *agent,
                              const struct rate_use *uses, size_t count, int64_t now_ms,
                              int64_t *ret_wait_ms, postern_error *err);
postern_err __wrap_rates_take(struct rates *r, const char *issuer, const char *agent,
                              const struct rate_use *uses, size_t count, int64_t now_ms,
                              int64_t *ret_wait_ms, postern_error *err);

postern_err __wrap_rates_take(struct rates *r, const char *issuer, const char *agent,
                              const struct rate_use *uses, size_t count, int64_t now_ms,
                              int64_t *ret_wait_ms, postern_error *err)
{
    if (!__atomic_load_n(&is_too_often, __ATOMIC_SEQ_CST))
        return __real_rates_take(r, issuer, agent, uses, count, now_ms, ret_wait_ms, err);
    *ret_wait_ms = 7000;
    return POSTERN_FAIL(err, RATE, "too often, for this test");
}

static void set_too_often(bool is)
{
    __atomic_store_n(&is_too_often, is, __ATOMIC_SEQ_CST);
}

/* ---- the world ---- */

static void begin(const char *protocol, const char *rules)
{
    set_too_often(false);
    rig_make(&rig);
    rig.protocol = protocol;
    assert_true(snprintf(rig.rules, sizeof rig.rules, "%s", rules) < (int)sizeof rig.rules);
    rig_start(&rig);
}

static char *token_with(const char *agent, const char *scope)
{
    char *more = test_printf(",\"scope\":\"%s\"", scope);
    char *token = rig_token_with(&rig, agent, 300, RIG_AUDIENCE, more);

    free(more);
    return token;
}

static struct rig_session open_mcp(size_t loop, const char *agent)
{
    char *token = token_with(agent, "files.write");
    struct rig_session s = rig_open(&rig, loop, token);

    free(token);
    return s;
}

static void renew(const struct rig_session *s, const char *scope)
{
    char *token = token_with("bot-1", scope);
    char *text = test_printf("RENEW %s %s\r\n", s->secret, token);
    int client = rig_dial(&rig, 1); /* of any loop */
    const char *line;

    rig_say(client, text);
    line = rig_hear(client);
    if (strncmp(line, "OK {", 4) != 0)
        fail_msg("not renewed: %s", line);
    rig_assert_ended(client);
    free(text);
    free(token);
}

static void says(int fd, const char *a, const char *b)
{
    const char *line = rig_hear(fd);

    if (strstr(line, a) == NULL || strstr(line, b) == NULL)
        fail_msg("\"%s\" does not say %s and %s", line, a, b);
}

/* The other side is there, and hears nothing that was said before this. */
static void hears_nothing_but_a_ping(const struct rig_session *s)
{
    rig_say(s->client, PING("\"p\""));
    rig_assert_hears(s->backend, PING("\"p\""));
    rig_say(s->backend, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}\n");
    says(s->client, "\"p\"", "result");
}

/* ---- approvals ---- */

static void await_ref(size_t from, const char *resource, char ret[32])
{
    char *part = test_printf("\"resource\":\"%s\"", resource);
    size_t n = rig_await_record(&rig, from, "\"event\":\"held\"", part, NULL);

    assert_true(snprintf(ret, 32, "%.12s", strstr(rig.records[n], "\"ref\":\"") + 7) == 12);
    free(part);
}

static int64_t settle(const char *ref, int is_approved)
{
    char *more = test_printf(",\"ref\":\"%s\",\"user\":\"boss\",\"reason\":\"r\",\"approve\":%d", ref, is_approved);
    int64_t n = -1;

    assert_true(channel_integer(rig_ask(&rig, "settle", more), "settled", &n));
    free(more);
    return n;
}

static bool may_be_approved(const char *ref)
{
    char verdict[64], *more = test_printf(",\"ref\":\"%s\",\"user\":\"boss\",\"groups\":\"a\",\"admin\":1", ref);

    assert_true(channel_text(rig_ask(&rig, "hold", more), "verdict", verdict, sizeof verdict));
    free(more);
    if (strcmp(verdict, "may") == 0)
        return true;
    assert_string_equal(verdict, "not_held");
    return false;
}

static void assert_gone(const char *ref)
{
    postern_bytes list;

    assert_false(may_be_approved(ref));
    assert_int_equal(settle(ref, 1), 0);
    list = postern_json_raw(channel_message(rig_ask(&rig, "held", "")), 0);
    if (memmem(list.ptr, list.len, ref, strlen(ref)) != NULL)
        fail_msg("%s is still listed", ref);
}

/* Of whom it is told a moment earlier. */
static void await_gone(const char *ref)
{
    time_t start = time(NULL);

    while (may_be_approved(ref) && time(NULL) - start < RIG_PATIENCE_S)
        ;
    assert_gone(ref);
}

static void assert_listed(const char *ref)
{
    postern_bytes list = postern_json_raw(channel_message(rig_ask(&rig, "held", "")), 0);

    if (memmem(list.ptr, list.len, ref, strlen(ref)) == NULL)
        fail_msg("%s is not listed", ref);
}

static void hold_a_call(const struct rig_session *s, const char *call, char ref[32])
{
    size_t n = rig_record_count(&rig);

    rig_say(s->client, call);
    await_ref(n, "write_file", ref);
}

/* ---- judged again ---- */

static const struct {
    const char *scope; /* of the token that renews it while the call waits */
    bool passes;
    const char *code, *text;
    const char *record;
} renewals[] = {
    { "files.write", true, NULL, NULL, "\"rule\":\"cache:write\"" },
    { "files.write other", true, NULL, NULL, "\"rule\":\"cache:write\"" },
    { "files.all", true, NULL, NULL, "\"rule\":\"cache:all\"" },
    { "other", false, "-32001", "more_scope", "\"reason\":\"insufficient_scope\"" },
    { "files.frozen files.write", false, "-32001", "it is frozen", "\"rule\":\"cache:frozen\"" },
    { "files.strict files.write", false, "-32001", "access_denied", "\"rule\":\"cache:strict\"" },
};

static void what_is_approved_is_judged_by_the_rights_of_that_moment(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof renewals / sizeof renewals[0]; i++) {
        struct rig_session s;
        char ref[32];
        size_t n;

        begin("mcp", MCP_RULES);
        s = open_mcp(0, "bot-1");
        hold_a_call(&s, WRITE("1", "/srv/a"), ref);
        n = rig_record_count(&rig);
        renew(&s, renewals[i].scope);
        assert_listed(ref);
        assert_int_equal(settle(ref, 1), 1);
        if (renewals[i].passes)
            rig_assert_hears(s.backend, WRITE("1", "/srv/a"));
        else
            says(s.client, renewals[i].code, renewals[i].text);
        rig_await_record(&rig, n, "\"event\":\"action\"", "\"approver\":\"boss\"", renewals[i].record);
        assert_gone(ref);
        if (!renewals[i].passes)
            hears_nothing_but_a_ping(&s);
        rig_close(&s);
        rig_end(&rig);
    }
}

/* Nobody knows what a new policy says of it: it is asked for again. */
static void what_is_held_does_not_outlive_its_policy(void **state)
{
    struct rig_session s;
    char ref[32];

    (void)state;
    begin("mcp", MCP_RULES);
    s = open_mcp(0, "bot-1");
    hold_a_call(&s, WRITE("1", "/srv/a"), ref);
    assert_true(rig_prepare(&rig));
    rig_commit(&rig);
    says(s.client, "-32001", "access_denied");
    assert_gone(ref);
    hears_nothing_but_a_ping(&s);
    rig_close(&s);
    rig_end(&rig);
}

/* ---- wanted no more ---- */

static void what_is_cancelled_is_not_held_any_more(void **state)
{
    struct rig_session s;
    char ref[32], other[32];
    size_t n;

    (void)state;
    begin("mcp", MCP_RULES);
    s = open_mcp(0, "bot-1");
    hold_a_call(&s, WRITE("1", "/srv/a"), ref);
    hold_a_call(&s, WRITE("2", "/srv/b"), other);
    n = rig_record_count(&rig);
    rig_say(s.client, CANCEL("1"));
    rig_await_record(&rig, n, "\"outcome\":\"rejected\"", "cancelled it", ref);
    assert_gone(ref);
    assert_listed(other);
    hears_nothing_but_a_ping(&s);
    rig_say(s.client, WRITE("1", "/srv/a")); /* its id is free, and the old approval is not its */
    await_ref(n, "write_file", ref);
    assert_listed(ref);
    assert_int_equal(settle(other, 1), 1);
    rig_assert_hears(s.backend, WRITE("2", "/srv/b"));
    rig_close(&s);
    rig_end(&rig);
}

/* Before anybody could know that it waits. */
static void what_is_cancelled_before_its_record_is_not_held_either(void **state)
{
    struct rig_session s;
    char ref[32];
    size_t n;

    (void)state;
    begin("mcp", MCP_RULES);
    s = open_mcp(0, "bot-1");
    n = rig_record_count(&rig);
    rig_hold_audit(&rig, true);
    rig_say(s.client, WRITE("1", "/srv/a") CANCEL("1"));
    await_ref(n, "write_file", ref);
    rig_await_record(&rig, n, "cancelled it", ref, NULL);
    assert_gone(ref);
    rig_hold_audit(&rig, false);
    hears_nothing_but_a_ping(&s);
    assert_gone(ref);
    rig_close(&s);
    rig_end(&rig);
}

/* Whichever comes first: it passes once, or not at all, and nobody else passes for it. */
static void an_approval_and_a_cancellation_at_once_are_one_of_them(void **state)
{
    struct rig_session s, other;
    char ref[32];

    (void)state;
    begin("mcp", MCP_RULES);
    s = open_mcp(0, "bot-1");
    other = open_mcp(1, "bot-1");
    for (int i = 0; i < 6; i++) { /* HOLDS_AGENT_MAX: cancelled ones count for a while */
        const char *line;
        char again[32];

        hold_a_call(&s, WRITE("1", "/srv/a"), ref);
        if (i % 2 != 0)
            rig_say(s.client, CANCEL("1"));
        (void)settle(ref, 1);
        if (i % 2 == 0)
            rig_say(s.client, CANCEL("1"));
        hold_a_call(&other, WRITE("9", "/srv/a"), again);
        assert_string_not_equal(ref, again);
        rig_say(s.client, PING("2"));
        while (strstr(line = rig_hear(s.backend), "\"ping\"") == NULL)
            if (strstr(line, "/srv/a") == NULL && strstr(line, "cancelled") == NULL)
                fail_msg("%s", line);
        rig_say(s.backend, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
        says(s.client, "\"id\":2", "result");
        assert_gone(ref);
        rig_say(other.client, CANCEL("9"));
        hears_nothing_but_a_ping(&other);
        assert_gone(again);
        rig_close(&s);
        s = open_mcp(0, "bot-1");
    }
    rig_close(&s);
    rig_close(&other);
    rig_end(&rig);
}

static void what_is_held_goes_with_its_session(void **state)
{
    (void)state;
    begin("mcp", MCP_RULES);
    for (int how = 0; how < 4; how++) {
        struct rig_session s = open_mcp(0, "bot-1");
        char ref[32];
        size_t n;

        hold_a_call(&s, WRITE("1", "/srv/a"), ref);
        assert_listed(ref);
        n = rig_record_count(&rig);
        switch (how) {
        case 0: /* it is done, and still hears; its server does not care */
            assert_int_equal(shutdown(s.client, SHUT_WR), 0);
            says(s.client, "\"id\":1", "-32001");
            assert_gone(ref);
            assert_string_equal(rig_hear(s.backend), "");
            rig_await_record(&rig, n, "\"event\":\"end\"", NULL, NULL);
            rig_close(&s);
            break;
        case 1: /* the server is done */
            assert_int_equal(close(s.backend), 0);
            says(s.client, "\"id\":1", "-32001");
            await_gone(ref);
            assert_int_equal(close(s.client), 0);
            break;
        case 2:
            rig_reset(s.client);
            assert_int_equal(close(s.backend), 0);
            break;
        default:
            assert_int_equal(rig_block(&rig, "bot-1"), 1);
            rig_block(&rig, NULL); /* and every loop has obeyed */
            assert_gone(ref);
            rig_close(&s);
        }
        rig_await_record(&rig, n, "\"event\":\"end\"", NULL, NULL);
        assert_gone(ref);
        rig_await_record(&rig, n, "cancelled it, or left", ref, NULL);
    }
    rig_end(&rig);
}

/* A server that asks when its client has left: nobody would hear what was approved. */
static void nothing_is_held_for_who_has_left(void **state)
{
    struct rig_session s;
    size_t n;

    (void)state;
    begin("mcp", MCP_RULES);
    do { /* a session that is silent ends; one whose server was too slow for that says nothing here */
        s = open_mcp(0, "bot-1");
        n = rig_record_count(&rig);
        assert_int_equal(shutdown(s.client, SHUT_WR), 0);
        assert_string_equal(rig_hear(s.backend), "");
        (void)send(s.backend, SAMPLE, sizeof SAMPLE - 1, MSG_NOSIGNAL);
        rig_await_record(&rig, n, "\"event\":\"end\"", NULL, NULL);
        rig_close(&s);
    } while (rig_count_records(&rig, "mcp:sampling/createMessage", NULL) == 0);
    assert_int_equal(rig_count_records(&rig, "mcp:sampling/createMessage", "session is ending"), 1);
    assert_int_equal(rig_count_records(&rig, "\"event\":\"held\"", NULL), 0);
    rig_end(&rig);
}

/* ---- rates ---- */

static void an_approval_of_a_call_is_not_lost_to_its_rate(void **state)
{
    struct rig_session s, other;
    char ref[32], again[32];
    size_t n;

    (void)state;
    begin("mcp", MCP_RULES);
    s = open_mcp(0, "bot-1");
    other = open_mcp(1, "bot-1");
    hold_a_call(&s, WRITE("1", "/srv/a"), ref);
    n = rig_record_count(&rig);
    set_too_often(true);
    assert_int_equal(settle(ref, 1), 1);
    says(s.client, "\"id\":1", "\"retry_after\":7");
    rig_await_record(&rig, n, "\"reason\":\"rate\"", "\"approver\":\"boss\"", ref);
    assert_listed(ref);
    rig_say(s.client, WRITE("2", "/srv/a")); /* too early */
    says(s.client, "\"id\":2", "\"retry_after\":7");
    set_too_often(false);
    hold_a_call(&s, WRITE("3", "/srv/b"), again); /* another call is another call */
    rig_say(other.client, WRITE("4", "/srv/a"));  /* of the same agent, in another session */
    rig_assert_hears(other.backend, WRITE("4", "/srv/a"));
    assert_gone(ref);
    hold_a_call(&s, WRITE("5", "/srv/a"), again); /* it has passed once */
    assert_string_not_equal(ref, again);
    hold_a_call(&other, WRITE("6", "/srv/a"), again);
    hears_nothing_but_a_ping(&s);
    rig_close(&s);
    rig_close(&other);
    rig_end(&rig);
}

#define SET "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
#define GET "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"

static struct rig_session open_redis(size_t loop)
{
    struct rig_session s = { .client = rig_dial(&rig, loop) };
    char *token = rig_token(&rig, "bot-1", 300);
    char *text = test_printf("*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(token), token);

    rig_say(s.client, text);
    s.backend = rig_accept(&rig);
    rig_assert_hears(s.backend, "*1\r\n$4\r\nPING\r\n");
    rig_say(s.backend, "+PONG\r\n");
    rig_assert_hears(s.client, "+OK\r\n");
    free(text);
    free(token);
    return s;
}

static void hear_ref(int fd, char ret[32])
{
    const char *line = rig_hear(fd), *at = strstr(line, "\"ref\":\"");

    if (strncmp(line, "-NOPERM ", 8) != 0 || strstr(line, "approval") == NULL || at == NULL)
        fail_msg("\"%s\" is not held", line);
    snprintf(ret, 32, "%.12s", at + 7);
}

static void redis_passes_nothing_but_a_read(const struct rig_session *s)
{
    rig_say(s->client, GET);
    rig_assert_hears(s->backend, GET);
    rig_say(s->backend, "$1\r\nv\r\n");
    rig_assert_hears(s->client, "$1\r\nv\r\n");
}

static void an_approval_of_a_redis_command_is_not_lost_to_its_rate(void **state)
{
    struct rig_session s, other;
    char ref[32], again[32];

    (void)state;
    begin("redis", REDIS_RULES);
    s = open_redis(0);
    other = open_redis(1);
    rig_say(s.client, SET);
    hear_ref(s.client, ref);
    assert_int_equal(settle(ref, 1), 1);
    set_too_often(true);
    for (int i = 0; i < 3; i++) {
        rig_say(s.client, SET);
        says(s.client, "-NOPERM", "\"retry_after\":7");
        assert_listed(ref);
    }
    set_too_often(false);
    redis_passes_nothing_but_a_read(&s);
    rig_say(other.client, SET);
    rig_assert_hears(other.backend, SET);
    rig_say(other.backend, "+OK\r\n");
    rig_assert_hears(other.client, "+OK\r\n");
    assert_gone(ref);
    rig_say(s.client, SET);
    hear_ref(s.client, again);
    assert_string_not_equal(ref, again);
    rig_say(other.client, SET);
    hear_ref(other.client, ref);
    assert_string_equal(ref, again);
    redis_passes_nothing_but_a_read(&s);
    rig_close(&s);
    rig_close(&other);
    rig_end(&rig);
}

/* Of SET GET: whether the first reached the server.  The second always does. */
static bool has_passed(const struct rig_session *s)
{
    char first[sizeof GET];
    bool is_set;

    assert_int_equal(recv(s->backend, first, sizeof first - 1, MSG_WAITALL), sizeof first - 1);
    is_set = memcmp(first, SET, 4) == 0;
    if (is_set) {
        rig_assert_hears(s->backend, &(SET GET)[sizeof first - 1]);
        rig_say(s->backend, "+OK\r\n");
    }
    rig_say(s->backend, "$1\r\nv\r\n");
    says(s->client, is_set ? "+OK" : "-NOPERM", "");
    rig_assert_hears(s->client, "$1\r\nv\r\n");
    return is_set;
}

/* Two sessions of two loops try at once what was approved once. */
static void one_approval_passes_one_of_two_at_once(void **state)
{
    struct rig_session s[2];
    char ref[32];

    (void)state;
    begin("redis", REDIS_RULES);
    s[0] = open_redis(0);
    s[1] = open_redis(1);
    for (int i = 0; i < 16; i++) {
        int passed = 0;

        rig_say(s[0].client, SET);
        hear_ref(s[0].client, ref);
        assert_int_equal(settle(ref, 1), 1);
        rig_say(s[0].client, SET GET);
        rig_say(s[1].client, SET GET);
        for (int k = 0; k < 2; k++)
            passed += has_passed(&s[k]);
        assert_int_equal(passed, 1);
    }
    rig_close(&s[0]);
    rig_close(&s[1]);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_approved_is_judged_by_the_rights_of_that_moment),
        cmocka_unit_test(what_is_held_does_not_outlive_its_policy),
        cmocka_unit_test(what_is_cancelled_is_not_held_any_more),
        cmocka_unit_test(what_is_cancelled_before_its_record_is_not_held_either),
        cmocka_unit_test(an_approval_and_a_cancellation_at_once_are_one_of_them),
        cmocka_unit_test(what_is_held_goes_with_its_session),
        cmocka_unit_test(nothing_is_held_for_who_has_left),
        cmocka_unit_test(an_approval_of_a_call_is_not_lost_to_its_rate),
        cmocka_unit_test(an_approval_of_a_redis_command_is_not_lost_to_its_rate),
        cmocka_unit_test(one_approval_passes_one_of_two_at_once),
    };

    return run_tests_together(tests, sizeof tests / sizeof *tests, NULL);
}
