/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/control/act*.c and control_socket.c: who may what, that a record comes before each change, and that an answer says what
 * is in force and what is not.  This file plays door, helper and audit child; no time passes but where a test says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <postern-private/json.h>

#include "control/control_socket.h"
#include "control_fixture.h"
#include "tests/support/alloc_fail.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW_S    1780000000

/* ---- one act ---- */

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

static void ask(struct fixture *f, struct asked *q, control_role role, const char *line)
{
    const struct peer peer = { .pid = 7, .uid = FIXTURE_ADMIN };

    q->reply[0] = '\0';
    q->act = act_new(&f->control, &peer, role, postern_bytes_str(line), keep_reply, q);
    assert_non_null(q->act);
    act_start(q->act);
    fixture_turn(f);
}

static void assert_reply(const struct asked *q, const char *want)
{
    if (strcmp(q->reply, want) != 0)
        fail_msg("got  %s\nwant %s", q->reply, want);
}

static bool says(const struct asked *q, const char *part)
{
    return strstr(q->reply, part) != NULL;
}

/* A reply up to its reference, which is random. */
static void assert_says(const struct asked *q, const char *part)
{
    if (!says(q, part))
        fail_msg("%s is not in %s", part, q->reply);
}

static const char *const each_verb[CONTROL_VERBS] = {
    [CONTROL_SESSIONS] = "{\"verb\":\"sessions\"}",
    [CONTROL_KILL] = "{\"verb\":\"kill\",\"by\":\"sub\",\"value\":\"s\"}",
    [CONTROL_BLOCK] = "{\"verb\":\"block\",\"agent\":\"a\"}",
    [CONTROL_UNBLOCK] = "{\"verb\":\"unblock\",\"agent\":\"b\"}",
    [CONTROL_BLOCKS] = "{\"verb\":\"blocks\"}",
    [CONTROL_STATUS] = "{\"verb\":\"status\"}",
    [CONTROL_HELD] = "{\"verb\":\"held\"}",
    [CONTROL_APPROVE] = "{\"verb\":\"approve\",\"ref\":\"R-1\"}",
    [CONTROL_DENY] = "{\"verb\":\"deny\",\"ref\":\"R-1\"}",
};

/* Attack row 9 (CVE-2026-6667): no verb without its right, by table; a denial changes nothing, reaches no child, and is on record. */
static void every_verb_is_denied_to_whom_the_table_does_not_name(void **state)
{
    struct fixture *f = *state;

    test_folder_put(&f->folder, "blocks", "b -\n");
    fixture_turn(f);
    fixture_connect_both(f);
    for (control_role role = CONTROL_NOBODY; role < CONTROL_ROLES; role++)
        for (control_verb verb = CONTROL_VERB_NONE + 1; verb < CONTROL_VERBS; verb++) {
            struct asked q;
            size_t before = fake_audit_count;

            if (control_may(role, verb))
                continue;
            ask(f, &q, role, each_verb[verb]);
            assert_says(&q, "{\"ok\":false,\"error\":\"not_allowed\"");
            assert_int_equal(fake_audit_count, before + 1);
            assert_int_equal(fake_audit_records[before].code, POSTERN_ERR_PEER_NOT_ALLOWED);
            assert_int_equal(fake_audit_records[before].uid, FIXTURE_ADMIN);
            assert_int_equal(fake_audit_records[before].pid, 7);
            assert_int_equal(f->control.requests[verb][CONTROL_DENIED], role + 1u > 1u ? 2 : 1);
        }
    fixture_expect_silence(f->door);
    fixture_expect_silence(f->helper);
    assert_int_equal(blocks_file_list(f->control.blocks)->count, 1);
    assert_int_equal(fake_audit_count, 7 + 3);
}

static void a_denied_change_is_recorded_as_what_it_was(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"kill\",\"by\":\"session\",\"value\":\"S-1\",\"reason\":\"r\"}");
    assert_string_equal(fake_audit_records[0].event, "kill");
    assert_string_equal(fake_audit_records[0].session, "S-1");
    assert_string_equal(fake_audit_records[0].action, "kill:session");
    ask(f, &q, CONTROL_NOBODY, "{\"verb\":\"status\"}");
    assert_string_equal(fake_audit_records[1].event, "control");
    assert_string_equal(fake_audit_records[1].action, "status");
    ask(f, &q, CONTROL_NOBODY, "nonsense"); /* says nothing of what would have been understood */
    assert_says(&q, "\"not_allowed\"");
    assert_false(says(&q, "JSON"));
    ask(f, &q, CONTROL_WATCHER, "nonsense");
    assert_says(&q, "\"bad_request\"");
}

static void a_flood_of_strangers_does_not_fill_the_audit_log(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    for (int i = 0; i < QUOTA_BURST + 100; i++) {
        ask(f, &q, CONTROL_NOBODY, "{\"verb\":\"status\"}");
        assert_says(&q, "\"not_allowed\"");
    }
    assert_in_range(fake_audit_count, QUOTA_BURST, QUOTA_BURST + 50); /* and one a second */
}

static void a_denial_stands_when_its_record_cannot_be_written(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    fake_audit_mode = FAKE_AUDIT_REFUSES;
    ask(f, &q, CONTROL_WATCHER, each_verb[CONTROL_BLOCK]);
    assert_says(&q, "\"not_allowed\"");
    fake_audit_mode = FAKE_AUDIT_FAILS;
    ask(f, &q, CONTROL_WATCHER, each_verb[CONTROL_BLOCK]);
    assert_says(&q, "\"not_allowed\"");
}

/* ---- block ---- */

static int64_t take_list(struct channel *other, const char *agent)
{
    char text[300];

    fixture_expect(other, "blocks_begin");
    if (agent != NULL) {
        fixture_expect(other, "block");
        assert_true(channel_text(other, "agent", text, sizeof text));
        assert_string_equal(text, agent);
    }
    return fixture_expect(other, "blocks_end");
}

static void a_block_is_recorded_written_told_and_then_answered(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    int64_t door, helper, logins;

    fixture_connect_both(f);
    fake_audit_mode = FAKE_AUDIT_HOLDS;
    ask(f, &q, CONTROL_ADMIN, "{\"verb\":\"block\",\"agent\":\"agent-7\",\"for\":3600,\"reason\":\"stolen\"}");
    assert_int_equal(fake_audit_count, 1);
    assert_string_equal(fake_audit_records[0].event, "block");
    assert_string_equal(fake_audit_records[0].agent, "agent-7");
    assert_string_equal(fake_audit_records[0].because, "stolen");
    assert_int_equal(fake_audit_records[0].code, POSTERN_OK);
    assert_in_range(fake_audit_records[0].until_s, time(NULL) + 3590, time(NULL) + 3600);
    assert_int_equal(blocks_file_list(f->control.blocks)->count, 0); /* not before the record */
    fixture_expect_silence(f->door);
    fake_audit_release();
    fixture_turn(f);
    assert_true(block_list_has(blocks_file_list(f->control.blocks), "agent-7", time(NULL)));
    assert_string_equal(q.reply, "");
    door = take_list(f->door, "agent-7");
    helper = take_list(f->helper, "agent-7");
    logins = fixture_expect(f->helper, "logins");
    fixture_say(f, f->door, "{\"type\":\"done\",\"id\":%jd,\"ended\":3}", (intmax_t)door);
    fixture_say(f, f->helper, "{\"type\":\"done\",\"id\":%jd}", (intmax_t)helper);
    assert_string_equal(q.reply, "");
    fixture_say(f, f->helper,
                "{\"type\":\"logins\",\"id\":%jd,\"logins\":[{\"service\":\"imap\",\"count\":2,\"last\":9,\"x\":1},{\"service\":1}]}",
                (intmax_t)logins);
    assert_says(&q, "{\"ok\":true,\"agent\":\"agent-7\",\"ref\":\"R-");
    assert_says(&q, "\"door\":\"knows\",\"helper\":\"knows\",\"until\":");
    assert_says(&q, ",\"ended\":3,\"logins\":[{\"service\":\"imap\",\"count\":2,\"last\":9}]}");
    assert_says(&q, fake_audit_records[0].ref);
}

static void who_is_away_is_said_to_be_away(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_BLOCK]);
    assert_says(&q, "\"door\":\"away\",\"helper\":\"away\",\"until\":0,\"ended\":0}"); /* and no word of logins */
    f->control.has_doors = false;
    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_BLOCK]);
    assert_says(&q, "\"door\":\"none\",\"helper\":\"away\"");
    fixture_connect(f, f->control.door, &f->door); /* expects the list with the block in it */
}

static void who_is_silent_is_said_to_be_silent(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    fixture_connect_both(f);
    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_BLOCK]);
    while (q.reply[0] == '\0') /* LINK_WAIT_MS */
        assert_int_equal(event_base_loop(f->control.base, EVLOOP_ONCE), 0);
    assert_says(&q, "\"door\":\"silent\",\"helper\":\"silent\"");
    assert_false(says(&q, "logins"));
}

static void without_its_record_nothing_is_changed(void **state)
{
    static const enum fake_audit_mode modes[] = { FAKE_AUDIT_REFUSES, FAKE_AUDIT_FAILS };
    struct fixture *f = *state;
    struct asked q;

    test_folder_put(&f->folder, "blocks", "b -\n");
    fixture_turn(f);
    fixture_connect_both(f);
    for (size_t i = 0; i < COUNT(modes); i++) {
        fake_audit_mode = modes[i];
        ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_BLOCK]);
        assert_says(&q, "{\"ok\":false,\"error\":\"audit\"");
        ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_UNBLOCK]);
        assert_says(&q, "\"audit\"");
        ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_KILL]);
        assert_says(&q, "\"audit\"");
    }
    assert_int_equal(blocks_file_list(f->control.blocks)->count, 1);
    assert_string_equal(blocks_file_list(f->control.blocks)->entries[0].agent, "b");
    fixture_expect_silence(f->door);
    fixture_expect_silence(f->helper);
}

static void a_block_that_cannot_be_written_is_taken_back_on_record(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    test_folder_put(&f->folder, "shared", "");
    assert_int_equal(symlink("shared", test_folder_at(&f->folder, "blocks")), 0);
    fixture_connect_both(f);
    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_BLOCK]);
    assert_says(&q, "{\"ok\":false,\"error\":\"blocks_file\"");
    assert_says(&q, "symbolic link");
    assert_int_equal(fake_audit_count, 2);
    assert_int_equal(fake_audit_records[0].code, POSTERN_OK);
    assert_int_equal(fake_audit_records[1].code, POSTERN_ERR_CONFIG_FILE);
    assert_string_equal(fake_audit_records[1].ref, fake_audit_records[0].ref);
    assert_int_equal(f->control.requests[CONTROL_BLOCK][CONTROL_FAILED], 1);
    fixture_expect_silence(f->door);
}

static void an_unblock_needs_a_block(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    test_folder_put(&f->folder, "blocks", "b -\nold 2020-01-01T00:00:00Z\n");
    fixture_turn(f);
    ask(f, &q, CONTROL_ADMIN, "{\"verb\":\"unblock\",\"agent\":\"a\"}");
    assert_says(&q, "\"not_blocked\"");
    ask(f, &q, CONTROL_ADMIN, "{\"verb\":\"unblock\",\"agent\":\"old\"}");
    assert_says(&q, "\"not_blocked\"");
    assert_int_equal(fake_audit_count, 0);
    fixture_connect_both(f);
    ask(f, &q, CONTROL_ADMIN, "{\"verb\":\"unblock\",\"agent\":\"b\"}");
    fixture_say(f, f->door, "{\"type\":\"done\",\"id\":%jd,\"ended\":0}", (intmax_t)take_list(f->door, NULL));
    fixture_say(f, f->helper, "{\"type\":\"done\",\"id\":%jd}", (intmax_t)take_list(f->helper, NULL));
    assert_says(&q, "\"door\":\"knows\",\"helper\":\"knows\"}");
    assert_string_equal(fake_audit_records[0].event, "unblock");
    fixture_expect_silence(f->helper); /* nobody asks for logins */
}

/* ---- kill ---- */

static void a_kill_says_how_many_ended(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    char text[64];
    int64_t id;

    fixture_connect_both(f);
    ask(f, &q, CONTROL_ADMIN, "{\"verb\":\"kill\",\"by\":\"agent\",\"value\":\"x\",\"reason\":\"r\"}");
    assert_string_equal(fake_audit_records[0].event, "kill");
    assert_string_equal(fake_audit_records[0].agent, "x");
    id = fixture_expect(f->door, "kill");
    assert_true(channel_text(f->door, "by", text, sizeof text));
    assert_string_equal(text, "agent");
    assert_true(channel_text(f->door, "value", text, sizeof text));
    assert_string_equal(text, "x");
    assert_true(channel_text(f->door, "reason", text, sizeof text));
    assert_string_equal(text, "r");
    fixture_say(f, f->door, "{\"type\":\"done\",\"id\":%jd,\"ended\":2}", (intmax_t)id);
    assert_says(&q, "{\"ok\":true,\"ended\":2,\"ref\":\"R-");
}

static void a_kill_without_a_door_says_so(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    int64_t id;

    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_KILL]);
    assert_says(&q, "\"door_away\"");
    f->control.has_doors = false;
    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_KILL]);
    assert_says(&q, "\"no_doors\"");
    assert_int_equal(fake_audit_count, 0);
    fixture_connect_both(f);
    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_KILL]);
    id = fixture_expect(f->door, "kill");
    fixture_say(f, f->door, "{\"type\":\"done\",\"id\":%jd}", (intmax_t)id); /* no "ended": not an answer */
    assert_says(&q, "\"door_silent\"");
    ask(f, &q, CONTROL_ADMIN, each_verb[CONTROL_KILL]);
    channel_free(f->door);
    f->door = NULL;
    fixture_turn(f);
    assert_says(&q, "\"door_away\"");
}

/* ---- looking ---- */

static void sessions_are_filtered_and_copied_member_by_member(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    char text[64];
    int64_t id, limit = 0;

    fixture_connect_both(f);
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"sessions\",\"agent\":\"a\",\"after\":\"S-0\"}");
    id = fixture_expect(f->door, "sessions");
    assert_true(channel_text(f->door, "after", text, sizeof text));
    assert_string_equal(text, "S-0");
    assert_true(channel_integer(f->door, "limit", &limit));
    assert_int_equal(limit, CONTROL_SESSIONS_PAGE);
    fixture_say(f, f->door,
                "{\"type\":\"sessions\",\"id\":%jd,\"more\":true,\"sessions\":["
                "{\"id\":\"S-1\",\"agent\":\"a\",\"human\":\"h\",\"secret\":\"s\",\"up\":1,\"down\":2.5,\"sub\":\"x\\\"\\u0001\"},"
                "{\"id\":\"S-2\",\"agent\":\"b\"},7]}",
                (intmax_t)id);
    assert_reply(&q, "{\"ok\":true,\"sessions\":[{\"id\":\"S-1\",\"agent\":\"a\",\"human\":\"h\",\"sub\":\"x\\\"\\u0001\",\"up\":1}]}");
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"sessions\",\"door\":\"none\"}");
    id = fixture_expect(f->door, "sessions");
    fixture_say(f, f->door, "{\"type\":\"sessions\",\"id\":%jd,\"more\":true,\"sessions\":[{\"id\":\"S-2\",\"door\":\"d\"}]}",
                (intmax_t)id);
    assert_reply(&q, "{\"ok\":true,\"sessions\":[],\"next\":\"S-2\"}"); /* a filtered page is not the end */
    assert_int_equal(fake_audit_count, 0);
}

static void sessions_without_a_door(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    ask(f, &q, CONTROL_WATCHER, each_verb[CONTROL_SESSIONS]);
    assert_says(&q, "\"door_away\"");
    f->control.has_doors = false;
    ask(f, &q, CONTROL_WATCHER, each_verb[CONTROL_SESSIONS]);
    assert_reply(&q, "{\"ok\":true,\"sessions\":[]}");
    fixture_connect_both(f);
    ask(f, &q, CONTROL_WATCHER, each_verb[CONTROL_SESSIONS]);
    fixture_say(f, f->door, "{\"type\":\"done\",\"id\":%jd}", (intmax_t)fixture_expect(f->door, "sessions"));
    assert_says(&q, "\"door_silent\"");
}

static void blocks_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1048576);
    struct asked q;
    char list[32];

    postern_buf_add_str(&text, "a 2099-01-01T00:00:00Z x\nold 2020-01-01T00:00:00Z\n");
    for (int i = 2; i < CONTROL_BLOCKS_PAGE; i++)
        postern_buf_addf(&text, "n%d -\n", i);
    postern_buf_add_str(&text, "last - \"y\"\n");
    test_folder_put(&f->folder, "blocks", postern_buf_cstr(&text));
    fixture_turn(f);
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"blocks\"}");
    assert_says(&q, "{\"ok\":true,\"blocks\":[{\"agent\":\"a\",\"until\":4070908800,\"reason\":\"x\"},{\"agent\":\"n2\",\"until\":0}");
    assert_says(&q, "],\"next\":500,\"list\":\"");
    (void)snprintf(list, sizeof list, "%s", strstr(q.reply, "\"list\":"));
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"blocks\",\"from\":500}");
    assert_says(&q, "{\"ok\":true,\"blocks\":[{\"agent\":\"last\",\"until\":0,\"reason\":\"\\\"y\\\"\"}],\"list\":");
    assert_says(&q, list);
    postern_buf_add_str(&text, "more -\n");
    test_folder_put(&f->folder, "blocks", postern_buf_cstr(&text));
    fixture_turn(f);
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"blocks\",\"from\":500}");
    assert_says(&q, "{\"agent\":\"more\",\"until\":0}],\"list\":");
    assert_false(says(&q, list)); /* it is another one now */
    test_folder_put(&f->folder, "blocks", "broken\n");
    fixture_turn(f);
    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"blocks\",\"from\":502}");
    assert_says(&q, "{\"ok\":true,\"blocks\":[],\"list\":");
    assert_says(&q, "\"trouble\":\"blocks: line 1: ");
}

static void status_says_who_is_there(void **state)
{
    struct fixture *f = *state;
    struct asked q;

    ask(f, &q, CONTROL_WATCHER, "{\"verb\":\"status\"}");
    assert_reply(&q, "{\"ok\":true,\"role\":\"watcher\",\"door\":\"away\",\"helper\":\"away\",\"audit\":\"connected\",\"blocks\":0}");
    fixture_connect(f, f->control.helper, &f->helper);
    f->control.has_doors = f->control.is_audited = false;
    ask(f, &q, CONTROL_ADMIN, "{\"verb\":\"status\"}");
    assert_reply(&q, "{\"ok\":true,\"role\":\"admin\",\"door\":\"none\",\"helper\":\"told\",\"audit\":\"away\",\"blocks\":0}");
}

/* ---- the socket ---- */

struct socket_world {
    struct fixture *f;
    struct control_socket *socket;
    char path[108];
};

static void open_socket(struct socket_world *s, struct fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    s->f = f;
    (void)snprintf(s->path, sizeof s->path, "%s", test_folder_at(&f->folder, "control.sock"));
    memcpy(address.sun_path, s->path, strlen(s->path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(chmod(s->path, 0666), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(control_socket_new(&f->control, fd, &s->socket, NULL), POSTERN_OK);
}

static int connect_as(const struct socket_world *s, uid_t uid)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, s->path, strlen(s->path) + 1);
    if (geteuid() == 0)
        assert_int_equal(seteuid(uid), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (uid != geteuid() || getuid() == 0)
        assert_int_equal(seteuid(getuid()), 0);
    return fd;
}

/* What came so far; the connection is over when *ret_over. */
static const char *read_some(const struct socket_world *s, int fd, bool *ret_over)
{
    static char text[65536];
    ssize_t n, len = 0;

    fixture_turn(s->f);
    while ((n = recv(fd, text + len, sizeof text - 1 - (size_t)len, MSG_DONTWAIT)) > 0)
        len += n;
    *ret_over = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    text[len] = '\0';
    return text;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void the_peers_uid_decides_its_role(void **state)
{
    static const struct { uid_t uid; const char *want; } cases[] = {
        { 0, "{\"ok\":true,\"role\":\"admin\"" },
        { FIXTURE_ADMIN, "{\"ok\":true,\"role\":\"admin\"" },
        { FIXTURE_WATCHER, "{\"ok\":true,\"role\":\"watcher\"" },
        { FIXTURE_STRANGER, "{\"ok\":false,\"error\":\"not_allowed\"" },
    };
    struct socket_world s;
    bool is_over = false;

    if (geteuid() != 0)
        skip();
    open_socket(&s, *state);
    assert_int_equal(chmod(s.f->folder.path, 0755), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int fd = connect_as(&s, cases[i].uid);
        const char *got;

        send_text(fd, "{\"verb\":\"status\"}\n");
        got = read_some(&s, fd, &is_over);
        if (strncmp(got, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("uid %d: %s", (int)cases[i].uid, got);
        assert_int_equal(got[strlen(got) - 1], '\n');
        assert_true(is_over);
        close(fd);
    }
    fixture_turn(s.f);
    assert_true(control_socket_is_idle(s.socket));
    control_socket_free(s.socket);
}

static void one_line_is_one_request_and_the_rest_is_never_read(void **state)
{
    struct socket_world s;
    bool is_over = false;
    const char *got;
    int fd;

    if (geteuid() != 0)
        skip();
    open_socket(&s, *state);
    fd = connect_as(&s, 0);
    send_text(fd, "{\"verb\":\"sta");
    got = read_some(&s, fd, &is_over);
    assert_string_equal(got, "");
    assert_false(is_over);
    send_text(fd, "tus\"}\n{\"verb\":\"block\",\"agent\":\"a\"}\n");
    got = read_some(&s, fd, &is_over);
    assert_non_null(strstr(got, "\"role\":\"admin\""));
    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
    assert_int_equal(fake_audit_count, 0);
    close(fd);
    fd = connect_as(&s, 0);
    send_text(fd, "{\"verb\":\"status\"}\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0); /* as socat does */
    assert_non_null(strstr(read_some(&s, fd, &is_over), "\"role\":\"admin\""));
    assert_true(is_over);
    close(fd);
    fixture_turn(s.f);
    assert_true(control_socket_is_idle(s.socket));
    control_socket_free(s.socket);
}

static void an_endless_line_is_refused(void **state)
{
    static char line[CONTROL_REQUEST_MAX + 2];
    struct socket_world s;
    bool is_over = false;
    int fd;

    if (geteuid() != 0)
        skip();
    open_socket(&s, *state);
    fd = connect_as(&s, 0);
    memset(line, 'x', sizeof line - 1);
    send_text(fd, line);
    assert_non_null(strstr(read_some(&s, fd, &is_over), "too long"));
    assert_true(is_over);
    close(fd);
    control_socket_free(s.socket);
}

/* Every local user may connect: those who may not change anything hold a few places and never the administrators'. */
static void strangers_keep_no_administrator_out(void **state)
{
    struct socket_world s;
    int fds[CONTROL_OTHERS_MAX + 3], admin;
    bool is_over = false;

    if (geteuid() != 0)
        skip();
    open_socket(&s, *state);
    assert_int_equal(chmod(s.f->folder.path, 0755), 0);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = connect_as(&s, FIXTURE_STRANGER);
        (void)read_some(&s, fds[i], &is_over);
        assert_int_equal(is_over, i >= CONTROL_OTHERS_MAX);
    }
    admin = connect_as(&s, FIXTURE_ADMIN);
    send_text(admin, "{\"verb\":\"status\"}\n");
    assert_non_null(strstr(read_some(&s, admin, &is_over), "\"ok\":true"));
    close(admin);
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    fixture_turn(s.f);
    assert_true(control_socket_is_idle(s.socket));
    control_socket_free(s.socket);
}

static void a_change_is_finished_when_the_administrator_is_gone(void **state)
{
    struct socket_world s;
    int fd;

    if (geteuid() != 0)
        skip();
    open_socket(&s, *state);
    fake_audit_mode = FAKE_AUDIT_HOLDS;
    fd = connect_as(&s, 0);
    send_text(fd, "{\"verb\":\"block\",\"agent\":\"a\"}\n");
    fixture_turn(s.f);
    assert_int_equal(fake_audit_count, 1);
    close(fd);
    fixture_turn(s.f);
    control_socket_drain(s.socket);
    assert_false(control_socket_is_idle(s.socket));
    fake_audit_release();
    fixture_turn(s.f);
    assert_true(block_list_has(blocks_file_list(s.f->control.blocks), "a", time(NULL)));
    assert_true(control_socket_is_idle(s.socket));
    control_socket_free(s.socket);
}

static void it_can_be_taken_apart_in_the_middle_of_everything(void **state)
{
    struct socket_world s;
    int audit, child;

    if (geteuid() != 0)
        skip();
    open_socket(&s, *state);
    fixture_connect_both(s.f);
    audit = connect_as(&s, 0);
    child = connect_as(&s, 0);
    send_text(child, "{\"verb\":\"block\",\"agent\":\"a\"}\n");
    fixture_turn(s.f);
    fake_audit_mode = FAKE_AUDIT_HOLDS;
    send_text(audit, "{\"verb\":\"block\",\"agent\":\"b\"}\n");
    fixture_turn(s.f);
    assert_int_equal(fake_audit_count, 2);
    control_socket_free(s.socket);
    fake_audit_release();
    fixture_turn(s.f);
    close(audit);
    close(child);
}

/* Whatever allocation fails: there is one answer, and one that says "ok" is true of file, door and helper. */
static void without_memory_an_answer_claims_nothing_that_is_not_so(void **state)
{
    struct fixture *f = *state;
    struct asked q;
    bool was_refused = true;
    char line[128], agent[16];
    unsigned nth;

    for (nth = 1; was_refused; nth++) {
        const struct peer peer = { .pid = 7, .uid = FIXTURE_ADMIN };

        f->control.has_doors = true;
        fixture_connect_both(f);
        (void)snprintf(line, sizeof line, "{\"verb\":\"block\",\"agent\":\"a%u\",\"reason\":\"\\u0061\"}", nth);
        q.reply[0] = '\0';
        alloc_fail_arm(nth);
        q.act = act_new(&f->control, &peer, CONTROL_ADMIN, postern_bytes_str(line), keep_reply, &q);
        if (q.act != NULL)
            act_start(q.act);
        for (int i = 0; i < 8; i++)
            (void)event_base_loop(f->control.base, EVLOOP_NONBLOCK);
        was_refused = alloc_fail_disarm();
        for (int i = 0; i < 2; i++) { /* door and helper confirm whatever they were told, and nothing else */
            struct channel *other = i == 0 ? f->door : f->helper;
            int64_t id = 0;

            while (channel_receive(other, NULL) == CHANNEL_MESSAGE)
                if (channel_type_is(other, "blocks_end") && channel_integer(other, "id", &id))
                    fixture_say(f, other, "{\"type\":\"done\",\"id\":%jd,\"ended\":0}", (intmax_t)id);
                else if (channel_type_is(other, "logins") && channel_integer(other, "id", &id))
                    fixture_say(f, other, "{\"type\":\"logins\",\"id\":%jd,\"logins\":[]}", (intmax_t)id);
        }
        while (q.act != NULL) /* some answers never come: LINK_WAIT_MS */
            assert_int_equal(event_base_loop(f->control.base, EVLOOP_ONCE), 0);
        (void)snprintf(agent, sizeof agent, "a%u", nth);
        assert_true(!says(&q, "\"ok\":true") || block_list_has(blocks_file_list(f->control.blocks), agent, NOW_S));
        assert_true(!says(&q, "\"audit\"") || !block_list_has(blocks_file_list(f->control.blocks), agent, NOW_S));
    }
    assert_true(nth > 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(every_verb_is_denied_to_whom_the_table_does_not_name),
        T(a_denied_change_is_recorded_as_what_it_was),
        T(a_flood_of_strangers_does_not_fill_the_audit_log),
        T(a_denial_stands_when_its_record_cannot_be_written),
        T(a_block_is_recorded_written_told_and_then_answered),
        T(who_is_away_is_said_to_be_away),
        T(who_is_silent_is_said_to_be_silent),
        T(without_its_record_nothing_is_changed),
        T(a_block_that_cannot_be_written_is_taken_back_on_record),
        T(an_unblock_needs_a_block),
        T(a_kill_says_how_many_ended),
        T(a_kill_without_a_door_says_so),
        T(sessions_are_filtered_and_copied_member_by_member),
        T(sessions_without_a_door),
        T(blocks_are_listed_in_pages),
        T(status_says_who_is_there),
        T(the_peers_uid_decides_its_role),
        T(one_line_is_one_request_and_the_rest_is_never_read),
        T(an_endless_line_is_refused),
        T(strangers_keep_no_administrator_out),
        T(a_change_is_finished_when_the_administrator_is_gone),
        T(it_can_be_taken_apart_in_the_middle_of_everything),
        T(without_memory_an_answer_claims_nothing_that_is_not_so),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as in every child of posternd */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
