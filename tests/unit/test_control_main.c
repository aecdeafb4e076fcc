/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/control/main.c: control_main() in a process of its own, as the supervisor starts it; this file plays supervisor, door,
 * helper and administrator, and waits for each message with a deadline.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "channel.h"
#include "fake_audit_line.h"
#include "role.h"
#include "tests/support/test_folder.h"
#include "tests/support/together.h"

#define DEADLINE_MS 60000

struct world {
    test_folder folder;
    char socket_path[108];
    struct channel *supervisor, *door, *helper;
    pid_t pid; /* 0: not running */
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -1;
    test_folder_make(&w->folder);
    test_folder_put(&w->folder, "etc/postern.conf", "block_contact: security@example.org\nblocks_file: /nowhere/my-blocks\n");
    (void)snprintf(w->socket_path, sizeof w->socket_path, "%s", test_folder_at(&w->folder, "control.sock"));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->pid != 0) {
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
    }
    channel_free(w->supervisor);
    channel_free(w->door);
    channel_free(w->helper);
    test_folder_remove(&w->folder);
    free(w);
    return 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void start(struct world *w)
{
    struct role_setup setup = { .listen_count = 1, .admin_fd = -1, .status_fd = -1, .saslauthd_fd = -1 };
    postern_error err = { 0 };
    int fds[2];

    if (postern_config_load(test_folder_at(&w->folder, "etc"), &setup.take_config, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    setup.listen_fds[0] = listen_at(w->socket_path);
    setup.supervisor_fd = fds[1];
    setup.state_dir_fd = open(w->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0) {
        (void)close(fds[0]);
        (void)signal(SIGPIPE, SIG_IGN);
        fake_audit_reset();
        _exit(control_main(&setup));
    }
    postern_config_free(setup.take_config);
    close(fds[1]);
    close(setup.listen_fds[0]);
    close(setup.state_dir_fd);
    assert_int_equal(channel_new(fds[0], &w->supervisor, NULL), POSTERN_OK);
}

static void expect(struct channel *c, const char *type)
{
    struct pollfd p = { channel_fd(c), POLLIN, 0 };

    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    assert_int_equal(channel_receive(c, NULL), CHANNEL_MESSAGE);
    if (!channel_type_is(c, type))
        fail_msg("not %s: %.*s", type, (int)channel_message(c)->text.len, (const char *)channel_message(c)->text.ptr);
}

static void expect_text(struct channel *c, const char *name, const char *want)
{
    char text[512];

    assert_true(channel_text(c, name, text, sizeof text));
    assert_string_equal(text, want);
}

static int wait_exit(struct world *w)
{
    int status = 0;

    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    w->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void give_line(struct world *w, const char *type, struct channel **ret)
{
    int fds[2];

    channel_free(*ret);
    *ret = NULL;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_send_type(w->supervisor, type, fds[1], NULL), POSTERN_OK);
    close(fds[1]);
    assert_int_equal(channel_new(fds[0], ret, NULL), POSTERN_OK);
}

static void confirm(struct channel *c)
{
    char text[64];
    int64_t id = 0;
    int n;

    assert_true(channel_integer(c, "id", &id));
    n = snprintf(text, sizeof text, "{\"type\":\"done\",\"id\":%jd,\"ended\":1}", (intmax_t)id);
    assert_int_equal(channel_send(c, (postern_bytes){ (uint8_t *)text, (size_t)n }, -1, NULL), POSTERN_OK);
}

static int ask(struct world *w, const char *line)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, w->socket_path, strlen(w->socket_path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    return fd;
}

static void expect_answer(int fd, const char *part)
{
    char text[4096];
    ssize_t n, len = 0;

    while ((n = recv(fd, text + len, sizeof text - 1 - (size_t)len, 0)) > 0)
        len += n;
    text[len] = '\0';
    close(fd);
    if (strstr(text, part) == NULL)
        fail_msg("%s is not in %s", part, text);
}

static void it_is_ready_when_the_blocks_are_known_and_ends_on_request(void **state)
{
    struct world *w = *state;
    struct channel *audit = NULL;

    test_folder_put(&w->folder, "my-blocks", "agent-7 - stolen\n");
    start(w);
    expect(w->supervisor, "ready");
    give_line(w, "audit", &audit);
    give_line(w, "door", &w->door);
    expect(w->door, "blocks_begin");
    expect(w->door, "block");
    expect_text(w->door, "agent", "agent-7");
    expect_text(w->door, "reason", "stolen");
    expect_text(w->door, "contact", "security@example.org");
    expect(w->door, "blocks_end");
    assert_int_equal(channel_send_type(w->supervisor, "drain", -1, NULL), POSTERN_OK);
    assert_int_equal(wait_exit(w), 0);
    channel_free(audit);
}

static void it_ends_when_the_supervisor_is_gone(void **state)
{
    struct world *w = *state;

    start(w);
    expect(w->supervisor, "ready");
    channel_free(w->supervisor);
    w->supervisor = NULL;
    assert_int_equal(wait_exit(w), 0);
}

static void a_file_of_blocks_that_cannot_be_read_is_no_start(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "my-blocks", "agent-7 sometimes\n");
    start(w);
    assert_int_equal(wait_exit(w), 1);
    assert_int_equal(channel_receive(w->supervisor, NULL), CHANNEL_CLOSED); /* and never "ready" */
}

static void a_contact_that_no_answer_can_hold_is_no_start(void **state)
{
    struct world *w = *state;
    char text[300];

    (void)snprintf(text, sizeof text, "block_contact: %0160d\n", 0);
    test_folder_put(&w->folder, "etc/postern.conf", text);
    start(w);
    assert_int_equal(wait_exit(w), 1);
}

static void a_block_reaches_file_door_and_helper(void **state)
{
    struct world *w = *state;
    struct channel *audit = NULL;
    int fd;

    if (geteuid() != 0)
        skip();
    start(w);
    expect(w->supervisor, "ready");
    give_line(w, "audit", &audit);
    give_line(w, "door", &w->door);
    give_line(w, "helper", &w->helper);
    expect(w->door, "blocks_begin");
    expect(w->door, "blocks_end");
    expect(w->helper, "blocks_begin");
    expect(w->helper, "blocks_end");
    fd = ask(w, "{\"verb\":\"block\",\"agent\":\"agent-9\"}\n");
    expect(w->door, "blocks_begin");
    expect(w->door, "block");
    expect_text(w->door, "agent", "agent-9");
    expect(w->door, "blocks_end");
    confirm(w->door);
    expect(w->helper, "blocks_begin");
    expect(w->helper, "block");
    expect(w->helper, "blocks_end");
    confirm(w->helper);
    expect(w->helper, "logins");
    /* Draining takes no new request and finishes this one. */
    assert_int_equal(channel_send_type(w->supervisor, "drain", -1, NULL), POSTERN_OK);
    expect_answer(fd, "\"door\":\"knows\",\"helper\":\"knows\"");
    assert_int_equal(wait_exit(w), 0);
    assert_int_equal(access(test_folder_at(&w->folder, "my-blocks"), R_OK), 0);
    channel_free(audit);
}

static void a_line_that_stays_away_is_asked_for(void **state)
{
    struct world *w = *state;

    start(w);
    expect(w->supervisor, "ready");
    expect(w->supervisor, "link");
    give_line(w, "what", &w->door); /* nothing that it knows: it goes on */
    expect(w->supervisor, "link");
    assert_int_equal(channel_send_type(w->supervisor, "drain", -1, NULL), POSTERN_OK);
    assert_int_equal(wait_exit(w), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(it_is_ready_when_the_blocks_are_known_and_ends_on_request),
        T(it_ends_when_the_supervisor_is_gone),
        T(a_file_of_blocks_that_cannot_be_read_is_no_start),
        T(a_contact_that_no_answer_can_hold_is_no_start),
        T(a_block_reaches_file_door_and_helper),
        T(a_line_that_stays_away_is_asked_for),
    };

    return run_tests_together(tests, sizeof tests / sizeof *tests, NULL);
}
