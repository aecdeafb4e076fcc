/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/control/act_approve.c: the door says whether somebody may, the record is written, the door is
 * told; in this order and no other.  This file plays door and audit child.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <postern-private/json.h>

#include "control/act.h"
#include "control_fixture.h"

#define APPROVE "{\"verb\":\"approve\",\"ref\":\"R-1\",\"reason\":\"ticket 42\"}"
#define DENY "{\"verb\":\"deny\",\"ref\":\"R-1\",\"reason\":\"no\"}"
#define NO_USER 4000000000u /* nobody has that number */
#define HELD                                                                                       \
    "\"ref\":\"R-1\",\"door\":\"cache\",\"session\":\"S-1\",\"agent\":\"agent-7\",\"human\":\"alice\","          \
    "\"action\":\"redis:SET\",\"resource\":\"held:a\",\"args_digest\":\"d\",\"database\":\"3\",\"rule\":\"cache:change\""

struct asked {
    struct act *act;
    char reply[65536]; /* "": not yet */
};

static void keep_reply(void *arg, postern_bytes reply)
{
    struct asked *q = arg;

    assert_in_range(reply.len, 1, sizeof q->reply - 1);
    memcpy(q->reply, reply.ptr, reply.len);
    q->reply[reply.len] = '\0';
    act_free(q->act);
    q->act = NULL;
}

static void ask_as(struct fixture *f, struct asked *q, uid_t uid, control_role role,
                   const char *line)
{
    gid_t groups[] = { 0, 1 };
    const struct peer peer = { .pid = 7, .uid = uid, .gid = 0, .groups = groups, .group_count = 2 };

    q->reply[0] = '\0';
    q->act = act_new(&f->control, &peer, role, postern_bytes_str(line), keep_reply, q);
    assert_non_null(q->act);
    act_start(q->act);
    fixture_turn(f);
}

/* root is on every machine. */
static void ask(struct fixture *f, struct asked *q, control_role role, const char *line)
{
    ask_as(f, q, 0, role, line);
}

static void assert_says(const struct asked *q, const char *part)
{
    if (strstr(q->reply, part) == NULL)
        fail_msg("%s is not in %s", part, q->reply);
}

static void answer_hold(struct fixture *f, const char *verdict)
{
    fixture_say(f, f->door, "{\"type\":\"hold\",\"id\":%jd," HELD ",\"verdict\":\"%s\",\"detail\":\"why\"}",
                (intmax_t)fixture_expect(f->door, "hold"), verdict);
}

static void an_approval_is_judged_recorded_and_then_told(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    char text[300];
    int64_t id, n;

    fixture_connect_both(f);
    fake_audit_mode = FAKE_AUDIT_HOLDS;
    ask(f, &q, CONTROL_ADMIN, APPROVE);
    id = fixture_expect(f->door, "hold");
    assert_true(channel_text(f->door, "user", text, sizeof text));
    assert_string_equal(text, "root");
    assert_true(channel_text(f->door, "groups", text, sizeof text));
    assert_string_equal(text, "root:daemon"); /* each once */
    assert_true(channel_integer(f->door, "admin", &n));
    assert_int_equal(n, 1);
    assert_int_equal(fake_audit_count, 0);
    fixture_say(f, f->door, "{\"type\":\"hold\",\"id\":%jd," HELD ",\"verdict\":\"may\"}", (intmax_t)id);
    assert_int_equal(fake_audit_count, 1);
    assert_string_equal(fake_audit_records[0].event, "approve");
    assert_string_equal(fake_audit_records[0].agent, "agent-7");
    assert_string_equal(fake_audit_records[0].action, "redis:SET");
    assert_string_equal(fake_audit_records[0].resource, "held:a");
    assert_string_equal(fake_audit_records[0].database, "3");
    assert_string_equal(fake_audit_records[0].because, "ticket 42");
    assert_int_equal(fake_audit_records[0].code, POSTERN_OK);
    fixture_expect_silence(f->door); /* not before the record */
    fake_audit_release();
    fixture_turn(f);
    id = fixture_expect(f->door, "settle");
    assert_true(channel_integer(f->door, "approve", &n));
    assert_int_equal(n, 1);
    assert_true(channel_text(f->door, "reason", text, sizeof text));
    assert_string_equal(text, "ticket 42");
    assert_string_equal(q.reply, "");
    fixture_say(f, f->door, "{\"type\":\"settle\",\"id\":%jd,\"settled\":1}", (intmax_t)id);
    assert_says(&q, "{\"ok\":true,\"held\":\"R-1\",\"by\":\"root\",\"ref\":\"R-");
}

static void a_denial_is_a_refusal_on_record(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    int64_t id, n;

    fixture_connect_both(f);
    ask(f, &q, CONTROL_NOBODY, DENY);
    id = fixture_expect(f->door, "hold");
    assert_true(channel_integer(f->door, "admin", &n));
    assert_int_equal(n, 0);
    fixture_say(f, f->door, "{\"type\":\"hold\",\"id\":%jd," HELD ",\"verdict\":\"may\"}", (intmax_t)id);
    assert_int_equal(fake_audit_records[0].code, POSTERN_ERR_POLICY);
    id = fixture_expect(f->door, "settle");
    assert_true(channel_integer(f->door, "approve", &n));
    assert_int_equal(n, 0);
    fixture_say(f, f->door, "{\"type\":\"settle\",\"id\":%jd,\"settled\":1}", (intmax_t)id);
    assert_says(&q, "\"ok\":true");
}

static void who_may_not_changes_nothing_and_is_on_record(void **state)
{
    static const struct {
        const char *verdict;
        postern_err code; /* POSTERN_OK: no record */
        const char *says;
    } cases[] = {
        { "not_allowed", POSTERN_ERR_PEER_NOT_ALLOWED, "its `approver`, or without one control_admins:, says whose" },
        { "own_request", POSTERN_ERR_AUTHZID, "Nobody approves his own request" },
        { "not_held", POSTERN_OK, "`postern held`" },
        { "perhaps", POSTERN_ERR_PEER_NOT_ALLOWED, "not_allowed" }, /* a word that nobody knows is a no */
    };
    struct fixture *f = *state;

    fixture_connect_both(f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t before = fake_audit_count;
        struct asked q;

        ask(f, &q, CONTROL_ADMIN, APPROVE);
        answer_hold(f, cases[i].verdict);
        assert_says(&q, "{\"ok\":false,\"error\":\"");
        assert_says(&q, cases[i].says);
        fixture_expect_silence(f->door);
        assert_int_equal(fake_audit_count, before + (cases[i].code != POSTERN_OK));
        if (cases[i].code != POSTERN_OK)
            assert_int_equal(fake_audit_records[before].code, cases[i].code);
    }
}

/* The door compares names: what it takes for another may be the same number. */
static void another_name_of_the_same_user_is_no_second_person(void **state)
{
    static const char *const own[] = { "user", "human", "agent", "client" };
    struct fixture *f = *state;

    fixture_connect_both(f);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        size_t before = fake_audit_count;
        struct asked q;

        ask(f, &q, CONTROL_ADMIN, APPROVE); /* uid 0 */
        fixture_say(f, f->door,
                    "{\"type\":\"hold\",\"id\":%jd,\"ref\":\"R-1\",\"%s\":\"root\",\"verdict\":\"may\"}",
                    (intmax_t)fixture_expect(f->door, "hold"), own[i]);
        assert_says(&q, "\"own_request\"");
        fixture_expect_silence(f->door);
        assert_int_equal(fake_audit_count, before + 1);
        assert_int_equal(fake_audit_records[before].code, POSTERN_ERR_AUTHZID);
    }
}

static void a_user_without_a_name_is_nobody(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    fixture_connect_both(f);
    ask_as(f, &q, NO_USER, CONTROL_ADMIN, APPROVE);
    assert_says(&q, "\"not_allowed\"");
    fixture_expect_silence(f->door);
}

static void without_its_record_nothing_is_approved(void **state)
{
    static const enum fake_audit_mode modes[] = { FAKE_AUDIT_REFUSES, FAKE_AUDIT_FAILS };
    struct fixture *f = *state;

    fixture_connect_both(f);
    for (size_t i = 0; i < 2; i++) {
        struct asked q;

        fake_audit_mode = modes[i];
        ask(f, &q, CONTROL_ADMIN, APPROVE);
        answer_hold(f, "may");
        assert_says(&q, "\"audit\"");
        fixture_expect_silence(f->door);
    }
}

static void what_waits_no_more_is_not_approved_and_the_record_says_so(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    fixture_connect_both(f);
    ask(f, &q, CONTROL_ADMIN, APPROVE);
    answer_hold(f, "may");
    fixture_say(f, f->door, "{\"type\":\"settle\",\"id\":%jd,\"settled\":0}",
                (intmax_t)fixture_expect(f->door, "settle"));
    assert_says(&q, "\"not_held\"");
    assert_int_equal(fake_audit_count, 2);
    assert_int_equal(fake_audit_records[1].code, POSTERN_ERR_HANDLE);
    assert_string_equal(fake_audit_records[1].ref, fake_audit_records[0].ref);
}

static void a_door_that_is_away_is_said_to_be_away(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    ask(f, &q, CONTROL_ADMIN, APPROVE);
    assert_says(&q, "\"door_away\"");
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"held\"}");
    assert_says(&q, "\"door_away\"");
    f->control.has_doors = false;
    ask(f, &q, CONTROL_ADMIN, APPROVE);
    assert_says(&q, "\"no_doors\"");
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"held\"}");
    assert_string_equal(q.reply, "{\"ok\":true,\"held\":[]}");
}

static void what_is_held_is_copied_member_by_member(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    fixture_connect_both(f);
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"held\",\"after\":\"R-0\"}");
    fixture_say(f, f->door,
                "{\"type\":\"held\",\"id\":%jd,\"held\":[{" HELD ",\"state\":\"waits\",\"asked\":1,\"until\":2,\"x\":3}],\"more\":true}",
                (intmax_t)fixture_expect(f->door, "held"));
    assert_says(&q, "{\"ok\":true,\"held\":[{\"ref\":\"R-1\",\"door\":\"cache\"");
    assert_says(&q, "\"until\":2}],\"next\":\"R-1\"}");
    assert_null(strstr(q.reply, "\"x\""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(an_approval_is_judged_recorded_and_then_told),
        T(a_denial_is_a_refusal_on_record),
        T(who_may_not_changes_nothing_and_is_on_record),
        T(another_name_of_the_same_user_is_no_second_person),
        T(a_user_without_a_name_is_nobody),
        T(without_its_record_nothing_is_approved),
        T(what_waits_no_more_is_not_approved_and_the_record_says_so),
        T(a_door_that_is_away_is_said_to_be_away),
        T(what_is_held_is_copied_member_by_member),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as in every child of posternd */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
