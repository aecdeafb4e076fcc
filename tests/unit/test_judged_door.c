/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole door (door_rig.h) of which every action is judged, with a protocol of lines (line_adapter.h):
 * greeting, policy, records, approvals, renewals, ends.  The rig's own clients and backend.
 */
#include "config.h"

#include <setjmp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/together.h"
#include "door_rig.h"
#include "line_adapter.h"

#define RULES                                                                                      \
    "sum: allow agent bot* to redis:GET on \"s*\" with rate 2/1h and log summary\n"                \
    "in: allow agent bot* to redis:connect on cache\n"                                             \
    "read: allow agent bot* to redis:GET,PING on \"k*\"\n"                                         \
    "del: allow agent bot* to redis:DEL on \"k*\" with rate 2/1h\n"                                \
    "set: hold agent bot* to redis:SET on \"k*\" with wait 5m\n"                                   \
    "off: deny agent bot* to redis:HSET on \"k*\" if scope has off\n"                             \
    "put: hold agent bot* to redis:HSET on \"k*\" if scope has put with wait 5m\n"                \
    "often: hold agent bot* to redis:APPEND on \"k*\" with rate 1/1h\n"                            \
    "never: deny anyone to redis:GET on \"no*\" because \"not that\"\n"

static struct rig rig;
static void (*chat)(void *state, postern_buf *out); /* of the protocol, before its login */

const struct adapter *__wrap_adapter_find(const char *protocol);

const struct adapter *__wrap_adapter_find(const char *protocol)
{
    static struct adapter other, talkative;

    other = line_adapter;
    other.name = "mcp";
    if (strcmp(protocol, "mcp") == 0)
        return &other;
    talkative = line_adapter;
    talkative.chat = chat;
    return strcmp(protocol, "redis") == 0 ? &talkative : NULL;
}

static void begin_with(const char *more)
{
    rig_make(&rig);
    rig.protocol = "redis";
    snprintf(rig.rules, sizeof rig.rules, "%s", RULES);
    test_folder_put(&rig.folder, "password", "secret-word\nnot this\n");
    assert_int_equal(chmod(test_folder_at(&rig.folder, "password"), 0600), 0);
    snprintf(rig.door_lines, sizeof rig.door_lines,
             "backend_auth: password\nbackend_user: postern\nbackend_password_file: %s\n%s",
             test_folder_at(&rig.folder, "password"), more);
    rig_start(&rig);
}

static void begin(void)
{
    begin_with("");
}

struct talk {
    int client, backend;
};

static struct talk open_with(const char *token, const char *behind)
{
    char *text = test_printf("TOKEN %s\n%s", token, behind);
    struct talk t = { .client = rig_dial(&rig, 0) };

    rig_say(t.client, text);
    free(text);
    t.backend = rig_accept(&rig);
    rig_say(t.backend, "HELLO\n");
    rig_assert_hears(t.backend, "USER postern secret-word\n");
    rig_say(t.backend, "OK\n");
    assert_string_equal(rig_hear(t.client), "OK cache");
    return t;
}

static struct talk open_session(const char *agent)
{
    char *token = rig_token(&rig, agent, 300);
    struct talk t = open_with(token, "");

    free(token);
    return t;
}

static void close_talk(struct talk *t)
{
    assert_int_equal(close(t->client) + close(t->backend), 0);
}

static void says(int fd, const char *part)
{
    const char *line = rig_hear(fd);

    if (strstr(line, part) == NULL)
        fail_msg("\"%s\" does not say %s", line, part);
}

static void what_is_allowed_passes_behind_its_record(void **state)
{
    struct talk t;
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_hold_audit(&rig, true);
    rig_say(t.client, "GET k1\nGET no1\nGET k2\n");
    rig_await_record(&rig, n, "redis:GET", "\"resource\":\"k2\"", NULL);
    rig_say(t.backend, "push\n"); /* that way nothing waits, and nothing was told before it */
    assert_string_equal(rig_hear(t.client), "push");
    rig_hold_audit(&rig, false);
    rig_assert_hears(t.backend, "GET k1\nGET k2\n");
    rig_say(t.backend, "1\n2\n");
    assert_string_equal(rig_hear(t.client), "1");
    says(t.client, "-policy R-");
    assert_string_equal(rig_hear(t.client), "2");
    rig_await_record(&rig, n, "\"rule\":\"cache:read\"", "\"outcome\":\"proved\"", "args_digest");
    rig_await_record(&rig, n, "\"rule\":\"cache:never\"", "\"outcome\":\"rejected\"", "not that");
    close_talk(&t);
    rig_end(&rig);
}

static void what_came_with_the_login_is_judged_too(void **state)
{
    char *token;
    struct talk t;

    (void)state;
    begin();
    token = rig_token(&rig, "bot-1", 300);
    t = open_with(token, "GET no1\nGET k1\n");
    rig_assert_hears(t.backend, "GET k1\n");
    says(t.client, "-policy R-");
    close_talk(&t);
    free(token);
    rig_end(&rig);
}

static void each_resource_is_a_decision_and_so_is_what_is_not_named(void **state)
{
    struct talk t;
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "GET k1 k2 k3\nGET k1 x k2\nANY GET k1\nGET\nFLY k1\n");
    rig_assert_hears(t.backend, "GET k1 k2 k3\n");
    rig_say(t.backend, "1\n");
    assert_string_equal(rig_hear(t.client), "1");
    for (int i = 0; i < 4; i++)
        says(t.client, "-policy R-");
    rig_await_record(&rig, n, "\"resource\":\"x\"", "\"more_resources\":2", NULL);
    close_talk(&t);
    rig_end(&rig);
}

static void without_a_line_to_the_audit_child_nothing_passes(void **state)
{
    struct talk t;

    (void)state;
    begin();
    t = open_session("bot-1");
    rig_take_audit(&rig);
    rig_say(t.client, "GET k1\n");
    says(t.client, "-audit");
    rig_give_audit(&rig);
    rig_block(&rig, NULL); /* every loop has heard of what came before */
    rig_say(t.client, "GET k2\n");
    rig_assert_hears(t.backend, "GET k2\n");
    close_talk(&t);
    rig_end(&rig);
}

static void a_flood_of_refusals_is_summed_up(void **state)
{
    struct talk t;
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    for (int i = 0; i < 200; i++)
        rig_say(t.client, "GET no1\n");
    for (int i = 0; i < 200; i++)
        says(t.client, "-policy R-");
    close_talk(&t);
    rig_await_record(&rig, n, "\"event\":\"refused\"", "\"session\":\"S-", "\"count\":");
    assert_in_range(rig_count_records(&rig, "\"event\":\"action\"", "rejected"), 60, 150);
    rig_end(&rig);
}

/* This door was given no tally: what is to be counted only has a record, with all that others have;
 * so has what is refused for its rate, which nobody could know when the policy allowed it. */
static void what_cannot_be_counted_is_recorded_with_its_digest(void **state)
{
    struct talk t;
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "GET s1\nGET s2\nGET s3\n");
    rig_assert_hears(t.backend, "GET s1\nGET s2\n");
    rig_await_record(&rig, n, "\"resource\":\"s1\"", "\"outcome\":\"proved\"", "args_digest");
    rig_await_record(&rig, n, "\"resource\":\"s3\"", "\"reason\":\"rate\"", "args_digest");
    close_talk(&t);
    rig_end(&rig);
}

static void a_rate_holds_over_sessions_and_loops(void **state)
{
    struct talk t;
    char *token;

    (void)state;
    begin();
    t = open_session("bot-1");
    rig_say(t.client, "DEL k1 k2\nDEL k1\nDEL k1\nGET k1\n");
    rig_assert_hears(t.backend, "DEL k1 k2\nDEL k1\nGET k1\n");
    rig_say(t.backend, "1\n2\n3\n");
    says(t.client, "1");
    says(t.client, "2");
    says(t.client, "-rate R-");
    says(t.client, "3");
    close_talk(&t);
    token = rig_token(&rig, "bot-1", 300);
    t.client = rig_dial(&rig, 1);
    rig_say(t.client, "TOKEN ");
    rig_say(t.client, token);
    rig_say(t.client, "\nDEL k1\n");
    t.backend = rig_accept(&rig);
    rig_say(t.backend, "HELLO\nOK\n");
    rig_assert_hears(t.backend, "USER postern secret-word\n");
    assert_string_equal(rig_hear(t.client), "OK cache");
    says(t.client, "-rate R-");
    close_talk(&t);
    free(token);
    rig_end(&rig);
}

static void a_rule_says_how_often_one_may_connect(void **state)
{
    char *token;
    struct talk t;

    (void)state;
    rig_make(&rig);
    rig.protocol = "redis";
    snprintf(rig.rules, sizeof rig.rules, "in: allow agent bot* to redis:connect on cache with rate 1/1h\n");
    test_folder_put(&rig.folder, "password", "secret-word");
    assert_int_equal(chmod(test_folder_at(&rig.folder, "password"), 0600), 0);
    snprintf(rig.door_lines, sizeof rig.door_lines,
             "backend_auth: password\nbackend_user: postern\nbackend_password_file: %s\n",
             test_folder_at(&rig.folder, "password"));
    rig_start(&rig);
    t = open_session("bot-1");
    close_talk(&t);
    token = rig_token(&rig, "bot-1", 300);
    t.client = rig_dial(&rig, 1);
    rig_say(t.client, "TOKEN ");
    rig_say(t.client, token);
    rig_say(t.client, "\n");
    says(t.client, "-rate R-");
    assert_int_equal(close(t.client), 0);
    free(token);
    rig_end(&rig);
}

/* The reference in "-held R-… 0 ". */
static void hear_ref(int fd, char ret[32])
{
    const char *line = rig_hear(fd), *at = strstr(line, "R-");

    if (strncmp(line, "-held ", 6) != 0 || at == NULL)
        fail_msg("\"%s\" is not held", line);
    snprintf(ret, 32, "%.12s", at);
}

static void settle(const char *ref, int is_approved)
{
    char *more = test_printf(",\"ref\":\"%s\",\"user\":\"boss\",\"reason\":\"r\",\"approve\":%d", ref, is_approved);
    int64_t n = -1;

    assert_true(channel_integer(rig_ask(&rig, "settle", more), "settled", &n));
    assert_int_equal(n, 1);
    free(more);
}

static const char *judge(const char *ref, const char *user, int is_admin)
{
    static char verdict[64];
    char *more = test_printf(",\"ref\":\"%s\",\"user\":\"%s\",\"groups\":\"a:b\",\"admin\":%d", ref, user, is_admin);

    assert_true(channel_text(rig_ask(&rig, "hold", more), "verdict", verdict, sizeof verdict));
    free(more);
    return verdict;
}

static void what_is_held_passes_once_when_it_is_approved(void **state)
{
    struct talk t;
    char ref[32], again[32];
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "SET k1\n");
    hear_ref(t.client, ref);
    rig_await_record(&rig, n, "\"event\":\"held\"", "\"rule\":\"cache:set\"", ref);
    rig_say(t.client, "SET k1\n");
    hear_ref(t.client, again);
    assert_string_equal(ref, again);
    assert_string_equal(judge(ref, "boss", 1), "may");
    assert_string_equal(judge(ref, "boss", 0), "not_allowed");
    assert_string_equal(judge(ref, "bot-1", 1), "own_request");
    assert_string_equal(judge("R-0", "boss", 1), "not_held");
    settle(ref, 1);
    rig_say(t.client, "SET k2\nSET k1\n");
    rig_assert_hears(t.backend, "SET k1\n");
    hear_ref(t.client, again);
    assert_string_not_equal(ref, again);
    rig_say(t.backend, "done\n");
    says(t.client, "done");
    rig_await_record(&rig, n, "\"approver\":\"boss\"", "\"outcome\":\"proved\"", "\"resource\":\"k1\"");
    rig_say(t.client, "SET k1\n");
    hear_ref(t.client, again); /* used up */
    settle(again, 0);
    rig_say(t.client, "SET k1\n");
    says(t.client, "-policy R-");
    close_talk(&t);
    rig_end(&rig);
}

/* Only its beginning is seen: another end would pass for the one that was approved. */
static void what_is_seen_in_part_is_not_approved(void **state)
{
    struct talk t;
    char ref[32];
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "PART SET k1\n");
    says(t.client, "-policy R-");
    n = rig_await_record(&rig, n, "\"resource\":\"k1\"", "too large to be approved", NULL);
    assert_null(strstr(rig.records[n], "args_digest"));
    rig_say(t.client, "SET k1\n"); /* the same first words, and whole */
    hear_ref(t.client, ref);
    settle(ref, 1);
    rig_say(t.client, "PART SET k1\n");
    says(t.client, "-policy R-");
    rig_say(t.client, "SET k1\n");
    rig_assert_hears(t.backend, "SET k1\n");
    rig_say(t.client, "PART GET k1\n"); /* what needs no approval passes */
    rig_assert_hears(t.backend, "PART GET k1\n");
    close_talk(&t);
    rig_end(&rig);
}

/* The reference of what waits in its session. */
static void await_ref(size_t from, const char *resource, char ret[32])
{
    char *part = test_printf("\"resource\":\"%s\"", resource);
    size_t n = rig_await_record(&rig, from, "\"event\":\"held\"", part, NULL);

    snprintf(ret, 32, "%.12s", strstr(rig.records[n], "\"ref\":\"") + 7);
    free(part);
}

static void an_approval_is_no_leave_to_do_it_more_often(void **state)
{
    struct talk t;
    char ref[32];
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "WAIT APPEND k1\n");
    says(t.client, "HELD");
    await_ref(n, "k1", ref);
    settle(ref, 1);
    rig_assert_hears(t.backend, "WAIT APPEND k1\n");
    rig_say(t.backend, "done\n");
    says(t.client, "done");
    rig_say(t.client, "WAIT APPEND k2\n");
    says(t.client, "HELD");
    await_ref(n, "k2", ref);
    settle(ref, 1);
    says(t.client, "-rate ");
    rig_await_record(&rig, n, "\"resource\":\"k2\"", "\"reason\":\"rate\"", ref);
    close_talk(&t);
    rig_end(&rig);
}

static void what_can_wait_waits_in_its_session(void **state)
{
    struct talk t;
    size_t n, from;
    char ref[32];

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "WAIT SET k1\nGET k2\n");
    says(t.client, "HELD");
    rig_assert_hears(t.backend, "GET k2\n");
    from = rig_await_record(&rig, n, "\"event\":\"held\"", "\"resource\":\"k1\"", NULL);
    snprintf(ref, sizeof ref, "%.12s", strstr(rig.records[from], "\"ref\":\"") + 7);
    settle(ref, 1);
    rig_assert_hears(t.backend, "WAIT SET k1\n");
    rig_await_record(&rig, n, "\"approver\":\"boss\"", "\"outcome\":\"proved\"", ref);
    rig_say(t.backend, "answer\n");
    says(t.client, "answer");
    rig_say(t.client, "WAIT SET k3\n"); /* now: nobody knows which of the two would come first */
    says(t.client, "HELD");
    from = rig_await_record(&rig, n, "\"event\":\"held\"", "\"resource\":\"k3\"", NULL);
    snprintf(ref, sizeof ref, "%.12s", strstr(rig.records[from], "\"ref\":\"") + 7);
    settle(ref, 0);
    says(t.client, "-policy ");
    /* What waits when its session ends waits no more. */
    rig_say(t.client, "WAIT SET k4\n");
    says(t.client, "HELD");
    from = rig_await_record(&rig, n, "\"event\":\"held\"", "\"resource\":\"k4\"", NULL);
    snprintf(ref, sizeof ref, "%.12s", strstr(rig.records[from], "\"ref\":\"") + 7);
    from = rig_record_count(&rig);
    close_talk(&t);
    rig_await_record(&rig, from, "\"event\":\"end\"", NULL, NULL);
    assert_string_equal(judge(ref, "boss", 1), "not_held");
    rig_end(&rig);
}

/* By the words of the session itself. */
static void what_waits_is_judged_by_the_token_that_renewed_its_session(void **state)
{
    static const struct {
        const char *scope, *answer;
    } renewals[] = { { "put more", NULL }, { "more", "-insufficient_scope R-" },
                     { "put off", "-policy R-" } };

    (void)state;
    for (size_t i = 0; i < sizeof renewals / sizeof renewals[0]; i++) {
        char ref[32], *more = test_printf(",\"scope\":\"%s\"", renewals[i].scope), *token, *text;
        struct talk t;
        size_t n;

        begin();
        token = rig_token_with(&rig, "bot-1", 300, RIG_AUDIENCE, ",\"scope\":\"put\"");
        t = open_with(token, "");
        n = rig_record_count(&rig);
        rig_say(t.client, "WAIT HSET k1\n");
        says(t.client, "HELD");
        await_ref(n, "k1", ref);
        free(token);
        token = rig_token_with(&rig, "bot-1", 900, RIG_AUDIENCE, more);
        text = test_printf("AGAIN %s\n", token);
        rig_say(t.client, text);
        says(t.client, "RENEWED ");
        settle(ref, 1);
        if (renewals[i].answer == NULL)
            rig_assert_hears(t.backend, "WAIT HSET k1\n");
        else
            says(t.client, renewals[i].answer);
        rig_await_record(&rig, n, "\"event\":\"action\"", "\"approver\":\"boss\"", ref);
        rig_say(t.client, "GET k2\n");
        rig_assert_hears(t.backend, "GET k2\n");
        free(more);
        free(text);
        free(token);
        close_talk(&t);
        rig_end(&rig);
    }
}

static void what_waits_is_refused_when_the_configuration_changes(void **state)
{
    struct talk t;

    (void)state;
    begin();
    t = open_session("bot-1");
    rig_say(t.client, "WAIT SET k1\n");
    says(t.client, "HELD");
    assert_true(rig_prepare(&rig));
    rig_commit(&rig);
    says(t.client, "-policy ");
    close_talk(&t);
    rig_end(&rig);
}

static void a_new_policy_counts_for_the_next_action(void **state)
{
    struct talk t;

    (void)state;
    begin();
    t = open_session("bot-1");
    rig_say(t.client, "GET k1\n");
    rig_assert_hears(t.backend, "GET k1\n");
    snprintf(rig.rules, sizeof rig.rules,
             "in: allow agent bot* to redis:connect on cache\nread: allow agent bot* to redis:GET on \"z*\"\n");
    assert_true(rig_prepare(&rig));
    rig_commit(&rig);
    rig_block(&rig, NULL);
    rig_say(t.backend, "1\n");
    says(t.client, "1");
    rig_say(t.client, "GET k1\nGET z\n");
    rig_assert_hears(t.backend, "GET z\n");
    close_talk(&t);
    rig_end(&rig);
}

/* Nobody stays inside by the rules of another protocol. */
static void a_door_that_speaks_another_protocol_ends_what_lives(void **state)
{
    struct talk t;

    (void)state;
    begin();
    t = open_session("bot-1");
    rig.protocol = "mcp"; /* here: the same lines by another name */
    rig.door_lines[0] = '\0';
    snprintf(rig.rules, sizeof rig.rules, "allow anyone to *\n");
    assert_true(rig_prepare(&rig));
    rig_commit(&rig);
    rig_assert_ended(t.backend);
    assert_int_equal(close(t.client), 0);
    rig_end(&rig);
}

static void a_session_is_renewed_for_its_own_identity_alone(void **state)
{
    struct talk t;
    char *token, *text;
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    token = rig_token(&rig, "bot-1", 900);
    text = test_printf("AGAIN %s\nGET k1\n", token);
    rig_say(t.client, text);
    says(t.client, "RENEWED ");
    rig_assert_hears(t.backend, "GET k1\n");
    rig_await_record(&rig, n, "\"event\":\"renew\"", "\"outcome\":\"proved\"", NULL);
    free(text);
    free(token);
    rig_say(t.backend, "1\n");
    says(t.client, "1");
    token = rig_token(&rig, "bot-2", 900);
    text = test_printf("AGAIN %s\nAGAIN no.token.here\nGET k2\n", token);
    rig_say(t.client, text);
    says(t.client, "-renewal ");
    says(t.client, "-"); /* malformed */
    rig_assert_hears(t.backend, "GET k2\n");
    free(text);
    free(token);
    close_talk(&t);
    rig_end(&rig);
}

static void who_is_blocked_hears_it_and_is_gone(void **state)
{
    struct talk t;

    (void)state;
    begin();
    t = open_session("bot-1");
    rig_say(t.client, "GET k1\n");
    rig_assert_hears(t.backend, "GET k1\n");
    assert_int_equal(rig_block(&rig, "bot-1"), 1);
    assert_string_equal(rig_hear(t.client), "BYE blocked");
    rig_assert_ended(t.client);
    rig_assert_ended(t.backend);
    rig_end(&rig);
}

static void what_nobody_understands_ends_it_and_the_record_says_so(void **state)
{
    struct talk t;
    size_t n;

    (void)state;
    begin();
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "BROKEN\n");
    assert_string_equal(rig_hear(t.client), "BYE broken");
    rig_await_record(&rig, n, "\"event\":\"end\"", "\"end\":\"protocol\"", "message_malformed");
    rig_assert_ended(t.client);
    rig_assert_ended(t.backend);
    rig_end(&rig);
}

static void a_backend_that_does_not_want_the_door_grants_nothing(void **state)
{
    static const char *const answers[] = { "HELLO\nNO\n", "NO\n", "" };
    char *token;

    (void)state;
    begin();
    token = rig_token(&rig, "bot-1", 300);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        int client = rig_dial(&rig, 0), backend;

        rig_say(client, "TOKEN ");
        rig_say(client, token);
        rig_say(client, "\nGET k1\n");
        backend = rig_accept(&rig);
        rig_say(backend, answers[i]);
        if (answers[i][0] == '\0')
            assert_int_equal(close(backend), 0);
        says(client, "-backend ");
        if (answers[i][0] != '\0')
            assert_int_equal(close(backend), 0);
        assert_int_equal(close(client), 0);
    }
    free(token);
    rig_end(&rig);
}

static void in_shadow_mode_everything_passes_and_is_said(void **state)
{
    struct talk t;
    size_t n;

    (void)state;
    begin_with("policy_mode: shadow\n");
    t = open_session("bot-1");
    n = rig_record_count(&rig);
    rig_say(t.client, "GET no1\nSET k1\nDEL k1\nDEL k1\nDEL k1\n");
    rig_assert_hears(t.backend, "GET no1\nSET k1\nDEL k1\nDEL k1\nDEL k1\n");
    rig_await_record(&rig, n, "\"would\":\"deny\"", "\"outcome\":\"proved\"", "no1");
    rig_await_record(&rig, n, "\"would\":\"hold\"", "\"outcome\":\"proved\"", "k1");
    rig_await_record(&rig, n, "\"would\":\"rate\"", "\"outcome\":\"proved\"", "k1");
    close_talk(&t);
    rig_end(&rig);
}

/* ---- what a client is told before its login ---- */

static void say_wait(void *state, postern_buf *out)
{
    (void)state;
    postern_buf_add_str(out, "wait\n");
}

static void say_much(void *state, postern_buf *out)
{
    char text[ADAPTER_ANSWER_MAX];

    (void)state;
    memset(text, '.', sizeof text);
    postern_buf_add(out, (postern_bytes){ (uint8_t *)text, sizeof text });
}

static void run_out_of_memory(void *state, postern_buf *out)
{
    (void)state;
    out->failed = true;
}

static void begin_talkative(void (*how)(void *state, postern_buf *out))
{
    chat = how;
    begin_with("login_timeout: 2m\n");
}

static void end_talkative(void)
{
    rig_end(&rig);
    chat = NULL;
}

static void a_client_that_talks_before_its_login_is_answered_until_the_verdict(void **state)
{
    char *token, *rest;
    struct talk t;

    (void)state;
    begin_talkative(say_wait);
    token = rig_token(&rig, "bot-1", 300);
    rest = test_printf("N %s\nGET k1\n", token);
    t.client = rig_dial(&rig, 0);
    rig_say(t.client, "TO");
    rig_assert_hears(t.client, "wait\n");
    rig_say(t.client, "KE");
    rig_assert_hears(t.client, "wait\n");
    assert_int_equal(rig_record_count(&rig), 0); /* nothing was decided */
    rig_say(t.client, rest);
    t.backend = rig_accept(&rig);
    rig_say(t.backend, "HELLO\nOK\n");
    rig_assert_hears(t.client, "OK cache\n"); /* and no more waiting */
    rig_assert_hears(t.backend, "USER postern secret-word\nGET k1\n");
    rig_say(t.backend, "1\n");
    rig_assert_hears(t.client, "1\n");
    close_talk(&t);
    t.client = rig_dial(&rig, 0);
    rig_say(t.client, "TO");
    rig_assert_hears(t.client, "wait\n");
    rig_say(t.client, "LD\n");
    rig_assert_hears(t.client, "-message_malformed ");
    rig_assert_ended(t.client);
    free(rest);
    free(token);
    end_talkative();
}

/* One byte after the other, until the connection is over; it has a byte more than a login may have. */
static bool is_ended_while_it_talks(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLRDHUP };

    for (int i = 0; i < ADAPTER_LOGIN_MAX; i++) {
        if (send(fd, "T", 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, 1) != 0)
            return true;
    }
    return false;
}

static void who_does_not_read_what_it_is_told_is_ended(void **state)
{
    const int room = 4096, yes = 1;
    int client;
    size_t n;

    (void)state;
    begin_talkative(say_much);
    n = rig_record_count(&rig);
    client = rig_dial(&rig, 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    assert_int_equal(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), 0);
    assert_true(is_ended_while_it_talks(client));
    assert_int_equal(rig_record_count(&rig), n); /* not as a refusal */
    assert_int_equal(close(client), 0);
    end_talkative();
}

static void without_memory_for_what_it_is_told_a_client_is_ended(void **state)
{
    int client;

    (void)state;
    begin_talkative(run_out_of_memory);
    client = rig_dial(&rig, 0);
    rig_say(client, "TO");
    rig_assert_ended(client);
    assert_int_equal(rig_record_count(&rig), 0);
    end_talkative();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allowed_passes_behind_its_record),
        cmocka_unit_test(what_came_with_the_login_is_judged_too),
        cmocka_unit_test(each_resource_is_a_decision_and_so_is_what_is_not_named),
        cmocka_unit_test(without_a_line_to_the_audit_child_nothing_passes),
        cmocka_unit_test(a_flood_of_refusals_is_summed_up),
        cmocka_unit_test(what_cannot_be_counted_is_recorded_with_its_digest),
        cmocka_unit_test(a_rate_holds_over_sessions_and_loops),
        cmocka_unit_test(a_rule_says_how_often_one_may_connect),
        cmocka_unit_test(what_is_held_passes_once_when_it_is_approved),
        cmocka_unit_test(what_is_seen_in_part_is_not_approved),
        cmocka_unit_test(an_approval_is_no_leave_to_do_it_more_often),
        cmocka_unit_test(what_can_wait_waits_in_its_session),
        cmocka_unit_test(what_waits_is_judged_by_the_token_that_renewed_its_session),
        cmocka_unit_test(what_waits_is_refused_when_the_configuration_changes),
        cmocka_unit_test(a_new_policy_counts_for_the_next_action),
        cmocka_unit_test(a_door_that_speaks_another_protocol_ends_what_lives),
        cmocka_unit_test(a_session_is_renewed_for_its_own_identity_alone),
        cmocka_unit_test(who_is_blocked_hears_it_and_is_gone),
        cmocka_unit_test(what_nobody_understands_ends_it_and_the_record_says_so),
        cmocka_unit_test(a_backend_that_does_not_want_the_door_grants_nothing),
        cmocka_unit_test(in_shadow_mode_everything_passes_and_is_said),
        cmocka_unit_test(a_client_that_talks_before_its_login_is_answered_until_the_verdict),
        cmocka_unit_test(who_does_not_read_what_it_is_told_is_ended),
        cmocka_unit_test(without_memory_for_what_it_is_told_a_client_is_ended),
    };

    return run_tests_together(tests, sizeof tests / sizeof *tests, NULL);
}
