/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/spawner: the real child as the supervisor starts it, its two lines held by the test, and
 * real programs: which run as they should, and which do what they can to outlive their session.  As
 * root the users are changed too.  Whoever must end is awaited by its pidfd.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/together.h"
#include "child.h"
#include "role.h"
#include "sandbox.h"
#include "users.h"

#define PATIENCE_MS 60000 /* of a machine with much else to do */
#define SPAWNER_UID 64751
#define PROGRAM_UID 64752
#define DRAIN_MS    60000

static const struct role role = { "spawner", "posternd-spawn", "spawner_user", spawner_main, true,
                                  SANDBOX_START, 30000 };

struct rig {
    struct child child;
    struct channel *door;
    uid_t uid; /* of programs */
};

/* ---- waiting ---- */

static void await(int fd, short what, const char *whom)
{
    struct pollfd p = { .fd = fd, .events = what };

    if (poll(&p, 1, PATIENCE_MS) != 1)
        fail_msg("nothing came from %s", whom);
}

static void receive(struct channel *c, const char *whom)
{
    postern_error err = { 0 };
    channel_event e;

    do {
        await(channel_fd(c), POLLIN, whom);
        e = channel_receive(c, &err);
    } while (e == CHANNEL_NOTHING);
    if (e != CHANNEL_MESSAGE)
        fail_msg("%s: no message but %d: %s", whom, (int)e, err.detail);
}

/* ---- the rig ---- */

static void tell(struct rig *r, const char *message, int fd)
{
    assert_int_equal(channel_send(r->child.channel, postern_bytes_str(message), fd, NULL),
                     POSTERN_OK);
}

static void send_program(struct rig *r, const char *door, const char *argv, const char *more)
{
    char text[4096];
    int n = snprintf(text, sizeof text,
                     "{\"type\":\"program\",\"door\":\"%s\",\"argv\":%s,"
                     "\"env\":[\"PATH=/usr/bin:/bin\",\"ONLY=this\"],\"dir\":\"/\",\"uid\":%lu,"
                     "\"gid\":%lu,\"max\":4%s}",
                     door, argv, (unsigned long)r->uid, (unsigned long)r->uid, more);

    assert_in_range(n, 1, sizeof text - 1);
    tell(r, text, -1);
}

static void send_shell(struct rig *r, const char *door, const char *script)
{
    char argv[2048];
    int n = snprintf(argv, sizeof argv, "[\"/bin/sh\",\"-c\",\"%s\"]", script);

    assert_in_range(n, 1, sizeof argv - 1);
    send_program(r, door, argv, "");
}

static void commit(struct rig *r)
{
    char text[64];

    assert_true(snprintf(text, sizeof text, "{\"type\":\"programs\",\"drain\":%d}", DRAIN_MS) > 0);
    tell(r, text, -1);
}

static void make_door_line(struct rig *r)
{
    int fds[2];

    channel_free(r->door);
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &r->door, NULL), POSTERN_OK);
    tell(r, "{\"type\":\"door\"}", fds[1]);
    assert_int_equal(close(fds[1]), 0);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct role_setup setup = { .supervisor_fd = -1, .admin_fd = -1, .status_fd = -1,
                                .saslauthd_fd = -1, .state_dir_fd = -1 };

    assert_non_null(r);
    r->child.role = &role;
    r->child.account = geteuid() == 0 ? (struct account){ SPAWNER_UID, SPAWNER_UID, "spawner" }
                                      : users_self();
    r->uid = geteuid() == 0 ? PROGRAM_UID : geteuid();
    assert_int_equal(child_start(&r->child, &setup, LOG_TO_STDERR, 128, 0, NULL), POSTERN_OK);
    *state = r;
    return 0;
}

/* It ends by itself when its line does, and with status 0. */
static int tear_down(void **state)
{
    struct rig *r = *state;
    int status = -1;

    channel_free(r->door);
    channel_free(r->child.channel);
    if (r->child.pid > 0) {
        assert_int_equal(waitpid(r->child.pid, &status, 0), r->child.pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    free(r);
    return 0;
}

static void be_ready(struct rig *r)
{
    commit(r);
    receive(r->child.channel, "the spawner");
    assert_true(channel_type_is(r->child.channel, "ready"));
    make_door_line(r);
}

/* ---- asking ---- */

/* The other end of the answer's pair. */
static struct channel *ask(struct rig *r, const char *door)
{
    struct channel *answer;
    char text[256];
    int fds[2];

    assert_true(snprintf(text, sizeof text,
                         "{\"type\":\"spawn\",\"door\":\"%s\",\"session\":\"s-1\"}", door) > 0);
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &answer, NULL), POSTERN_OK);
    assert_int_equal(channel_send(r->door, postern_bytes_str(text), fds[1], NULL), POSTERN_OK);
    assert_int_equal(close(fds[1]), 0);
    return answer;
}

/* A program's standard input and output. */
static int get_program(struct rig *r, const char *door)
{
    struct channel *answer = ask(r, door);
    char detail[512] = "";
    int fd;

    receive(answer, "the spawner");
    (void)channel_text(answer, "detail", detail, sizeof detail);
    if (!channel_type_is(answer, "spawned"))
        fail_msg("%s was refused: %s", door, detail);
    fd = channel_take_fd(answer);
    assert_true(fd >= 0);
    channel_free(answer);
    return fd;
}

static void assert_refused(struct rig *r, const char *door, const char *want)
{
    struct channel *answer = ask(r, door);
    char detail[512] = "";

    receive(answer, "the spawner");
    assert_true(channel_type_is(answer, "refused"));
    assert_true(channel_text(answer, "detail", detail, sizeof detail));
    assert_string_equal(detail, want);
    assert_int_equal(channel_take_fd(answer), -1);
    channel_free(answer);
}

/* One line, without its end. */
static void read_line(int fd, char *ret, size_t room)
{
    size_t len = 0;

    for (;;) {
        await(fd, POLLIN, "a program");
        assert_in_range(len, 0, room - 1);
        assert_int_equal(read(fd, ret + len, 1), 1);
        if (ret[len] == '\n')
            break;
        len++;
    }
    ret[len] = '\0';
}

static pid_t read_pid(int fd)
{
    char line[64];
    long pid;

    read_line(fd, line, sizeof line);
    pid = strtol(line, NULL, 10);
    assert_in_range(pid, 2, INT32_MAX);
    return (pid_t)pid;
}

static int open_pid(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    assert_true(fd >= 0); /* it lives still */
    return fd;
}

static void await_end(int take_pidfd, const char *whom)
{
    await(take_pidfd, POLLIN, whom);
    assert_int_equal(close(take_pidfd), 0);
}

static void assert_end_of_file(int fd)
{
    char rest[256];
    ssize_t n;

    do {
        await(fd, POLLIN, "a program's end");
        n = read(fd, rest, sizeof rest);
    } while (n > 0);
    assert_int_equal(n, 0);
}

/* ---- ordinary programs ---- */

static void a_program_is_spoken_to_over_its_descriptor(void **state)
{
    struct rig *r = *state;
    char line[64];
    int a, b;

    send_program(r, "echo", "[\"/bin/cat\"]", "");
    be_ready(r);
    a = get_program(r, "echo");
    b = get_program(r, "echo");
    assert_int_equal(write(b, "b\n", 2), 2);
    assert_int_equal(write(a, "a\n", 2), 2);
    read_line(a, line, sizeof line);
    assert_string_equal(line, "a");
    read_line(b, line, sizeof line);
    assert_string_equal(line, "b");
    assert_int_equal(close(a), 0);
    assert_int_equal(close(b), 0);
}

static void a_program_that_ends_is_the_end_of_its_descriptor(void **state)
{
    struct rig *r = *state;
    char line[64];
    int fd;

    send_shell(r, "once", "echo last words; exit 3");
    be_ready(r);
    fd = get_program(r, "once");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "last words");
    assert_end_of_file(fd);
    assert_int_equal(close(fd), 0);
}

static void arguments_are_passed_as_they_are_and_no_shell_reads_them(void **state)
{
    struct rig *r = *state;
    char line[256];
    int fd;

    send_program(r, "args", "[\"/usr/bin/printf\",\"%s\\n\",\"$(id) ; `id` * ~ $HOME a\\\"b\"]", "");
    be_ready(r);
    fd = get_program(r, "args");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "$(id) ; `id` * ~ $HOME a\"b");
    assert_int_equal(close(fd), 0);
}

static void a_program_has_no_environment_but_what_it_was_given(void **state)
{
    struct rig *r = *state;
    char line[256];
    int fd;

    assert_int_equal(setenv("SECRET_OF_OURS", "1", 1), 0);
    send_program(r, "env", "[\"/usr/bin/env\"]", "");
    be_ready(r);
    fd = get_program(r, "env");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "PATH=/usr/bin:/bin");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "ONLY=this");
    assert_end_of_file(fd);
    assert_int_equal(close(fd), 0);
}

/* ls opens the folder that it lists: that is descriptor 3. */
static void a_program_has_no_descriptor_but_the_first_three(void **state)
{
    struct rig *r = *state;
    char line[256];
    int fd;

    send_shell(r, "fds", "exec ls /proc/self/fd");
    be_ready(r);
    fd = get_program(r, "fds");
    for (int i = 0; i < 4; i++) {
        read_line(fd, line, sizeof line);
        assert_int_equal(strtol(line, NULL, 10), i);
    }
    assert_end_of_file(fd);
    assert_int_equal(close(fd), 0);
}

/* Signals: nothing is ignored or blocked; privileges: none, and none to be had. */
static void a_program_is_nobody_but_its_user(void **state)
{
    struct rig *r = *state;
    char line[256], want[64];
    int fd;

    send_shell(r, "who", "umask; id -u; id -G; "
                         "grep -E '^(SigBlk|SigIgn|CapPrm|CapInh|CapEff|CapAmb|NoNewPrivs)' "
                         "/proc/self/status | tr -d '\\\\t'; ulimit -Hc; readlink /proc/self/cwd");
    be_ready(r);
    fd = get_program(r, "who");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "0077");
    assert_true(snprintf(want, sizeof want, "%lu", (unsigned long)r->uid) > 0);
    read_line(fd, line, sizeof line);
    assert_string_equal(line, want);
    read_line(fd, line, sizeof line);
    if (geteuid() == 0)
        assert_string_equal(line, want);
    for (const char *const *w = (const char *const[]){ "SigBlk:0000000000000000",
                                                       "SigIgn:0000000000000000",
                                                       "CapInh:0000000000000000",
                                                       "CapPrm:0000000000000000",
                                                       "CapEff:0000000000000000",
                                                       "CapAmb:0000000000000000", "NoNewPrivs:1",
                                                       "0", "/", NULL };
         *w != NULL; w++) {
        read_line(fd, line, sizeof line);
        /* Two of libc's own, which posix_spawn(3) leaves ignored and nothing but libc can change:
         * so it is below make(1). */
        if (strcmp(line, "SigIgn:0000000180000000") == 0)
            line[sizeof "SigIgn:0000000" - 1] = line[sizeof "SigIgn:00000001" - 1] = '0';
        assert_string_equal(line, *w);
    }
    assert_end_of_file(fd);
    assert_int_equal(close(fd), 0);
}

static void limits_are_the_programs(void **state)
{
    struct rig *r = *state;
    char line[256];
    int fd;

    send_program(r, "limits",
                 "[\"/bin/sh\",\"-c\",\"ulimit -d; ulimit -t; ulimit -Ht; ulimit -p; ulimit -n\"]",
                 ",\"memory\":67108864,\"processes\":99,\"cpu\":7");
    be_ready(r);
    fd = get_program(r, "limits");
    for (const char *const *w = (const char *const[]){ "65536", "7", "12", "99", NULL }; *w != NULL;
         w++) {
        read_line(fd, line, sizeof line);
        assert_string_equal(line, *w);
    }
    read_line(fd, line, sizeof line);
    assert_in_range(strtol(line, NULL, 10), 1, 1024);
    assert_int_equal(close(fd), 0);
}

/* ---- programs that do not want to end ---- */

static void a_program_ends_with_its_session(void **state)
{
    struct rig *r = *state;
    int fd, pidfd;

    send_shell(r, "sleeper", "echo $$; exec sleep 1000");
    be_ready(r);
    fd = get_program(r, "sleeper");
    pidfd = open_pid(read_pid(fd));
    assert_int_equal(close(fd), 0);
    await_end(pidfd, "a program whose session ended");
}

static void a_program_may_leave_by_itself_before_it_is_told(void **state)
{
    struct rig *r = *state;
    char path[] = "/tmp/postern-spawner-XXXXXX", text[512];
    int fd, pidfd, file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(fchmod(file, 0666), 0);
    assert_true(snprintf(text, sizeof text,
                         "trap 'echo told >%s' TERM; echo $$; read line; echo left >%s", path,
                         path) > 0);
    send_shell(r, "polite", text);
    be_ready(r);
    fd = get_program(r, "polite");
    pidfd = open_pid(read_pid(fd));
    assert_int_equal(close(fd), 0);
    await_end(pidfd, "a polite program");
    memset(text, 0, sizeof text);
    assert_int_equal(read(file, text, sizeof text - 1), 5);
    assert_string_equal(text, "left\n");
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(path), 0);
}

static void who_ignores_sigterm_is_killed(void **state)
{
    struct rig *r = *state;
    int fd, pidfd;

    send_shell(r, "deaf", "trap '' TERM HUP INT; echo $$; while :; do sleep 1000; done");
    be_ready(r);
    fd = get_program(r, "deaf");
    pidfd = open_pid(read_pid(fd));
    assert_int_equal(close(fd), 0);
    await_end(pidfd, "a program that ignores SIGTERM");
}

/* Background jobs, a session of their own, a double fork: each says its number. */
static void nobody_hides_from_the_end_of_a_session(void **state)
{
    static const char script[] =
        "trap '' TERM; sh -c 'echo $$; exec sleep 1000' & "
        "setsid sh -c 'trap \\\"\\\" TERM; echo $$; exec sleep 1000' & "
        "(setsid sh -c '(setsid sh -c \\\"echo \\\\$\\\\$; exec sleep 1000\\\" &) ; exit' &) ; "
        "sh -c 'sh -c \\\"echo \\\\$\\\\$; exec sleep 1000\\\" & exit' ; "
        "while :; do sleep 1000; done";
    struct rig *r = *state;
    int fd, pidfds[4];

    send_shell(r, "hider", script);
    be_ready(r);
    fd = get_program(r, "hider");
    for (int i = 0; i < 4; i++)
        pidfds[i] = open_pid(read_pid(fd));
    assert_int_equal(close(fd), 0);
    for (int i = 0; i < 4; i++)
        await_end(pidfds[i], "a descendant");
}

/* The program ends, its daemon wants to stay, and to speak on. */
static void a_daemon_ends_with_the_program_that_made_it(void **state)
{
    struct rig *r = *state;
    int fd, pidfd;

    send_shell(r, "daemon",
               "(setsid sh -c 'echo $$; exec sleep 1000' &) ; read line; exit 0");
    be_ready(r);
    fd = get_program(r, "daemon");
    pidfd = open_pid(read_pid(fd));
    assert_int_equal(write(fd, "go\n", 3), 3);
    assert_end_of_file(fd);
    await_end(pidfd, "a daemon");
    assert_int_equal(close(fd), 0);
}

/* A chain that is always one process ahead: each link says that it is there, makes the next one, and ends. */
static void a_chain_of_forks_is_caught(void **state)
{
    struct rig *r = *state;
    char line[16];
    int fd;

    send_shell(r, "chain", "S='echo link; (setsid sh -c \\\"$1\\\" sh \\\"$1\\\" &)'; "
                           "(setsid sh -c \\\"$S\\\" sh \\\"$S\\\" &) ; read line");
    be_ready(r);
    fd = get_program(r, "chain");
    for (int i = 0; i < 20; i++) {
        read_line(fd, line, sizeof line);
        assert_string_equal(line, "link");
    }
    assert_int_equal(close(fd), 0);
    /* tear_down() waits for the spawner, which waits for its keepers. */
}

static void a_flood_on_standard_error_stops_nobody(void **state)
{
    struct rig *r = *state;
    char line[64];
    int fd, other;

    send_shell(r, "loud", "head -c 100000000 /dev/zero | tr '\\\\0' 'x' >&2; echo done; "
                          "yes | head -c 20000000 >&2; echo twice");
    send_program(r, "echo", "[\"/bin/cat\"]", "");
    be_ready(r);
    fd = get_program(r, "loud");
    other = get_program(r, "echo");
    assert_int_equal(write(other, "me too\n", 7), 7);
    read_line(other, line, sizeof line);
    assert_string_equal(line, "me too");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "done");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "twice");
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(other), 0);
}

static void who_closes_everything_lives_until_its_session_ends(void **state)
{
    struct rig *r = *state;
    int fd, pidfd;

    send_shell(r, "closed", "echo $$; exec 0<&- 1>&- 2>&-; exec sleep 1000");
    be_ready(r);
    fd = get_program(r, "closed");
    pidfd = open_pid(read_pid(fd));
    assert_int_equal(close(fd), 0);
    await_end(pidfd, "a program without descriptors");
}

/* ---- refusals ---- */

static void what_cannot_be_started_is_refused_with_the_reason(void **state)
{
    struct rig *r = *state;

    send_program(r, "missing", "[\"/nonexistent/program\"]", "");
    send_program(r, "folder", "[\"/tmp\"]", "");
    send_program(r, "text", "[\"/etc/passwd\"]", "");
    be_ready(r);
    assert_refused(r, "missing", "exec /nonexistent/program: No such file or directory");
    assert_refused(r, "folder", "exec /tmp: Permission denied");
    assert_refused(r, "text", "exec /etc/passwd: Permission denied");
    assert_refused(r, "nobodys", "this door starts no program");
    assert_refused(r, "", "this door starts no program");
}

static void a_folder_that_the_user_may_not_enter_is_refused(void **state)
{
    struct rig *r = *state;

    tell(r,
         "{\"type\":\"program\",\"door\":\"lost\",\"argv\":[\"/bin/cat\"],\"env\":[],"
         "\"dir\":\"/nonexistent\",\"uid\":64752,\"gid\":64752,\"max\":1}",
         -1);
    be_ready(r);
    if (geteuid() == 0)
        assert_refused(r, "lost", "exec_dir /nonexistent: No such file or directory");
    else
        assert_refused(r, "lost", "becoming user 64752: Operation not permitted");
}

/* Root would be had back by it. */
static void nothing_is_started_as_root(void **state)
{
    struct rig *r = *state;

    if (geteuid() != 0 || !sandbox_has_call_filter())
        return; /* there is nobody who could become root, or no filter in this build */
    tell(r,
         "{\"type\":\"program\",\"door\":\"root\",\"argv\":[\"/bin/cat\"],\"env\":[],"
         "\"dir\":\"/\",\"uid\":0,\"gid\":64752,\"max\":1}",
         -1);
    tell(r,
         "{\"type\":\"program\",\"door\":\"wheel\",\"argv\":[\"/bin/cat\"],\"env\":[],"
         "\"dir\":\"/\",\"uid\":64752,\"gid\":0,\"max\":1}",
         -1);
    be_ready(r);
    assert_refused(r, "root", "becoming user 0: Operation not permitted");
    assert_refused(r, "wheel", "becoming user 64752: Operation not permitted");
}

static void no_more_run_than_may(void **state)
{
    struct rig *r = *state;
    int fds[4 + 64];
    size_t count = sizeof fds / sizeof fds[0];

    send_program(r, "echo", "[\"/bin/cat\"]", "");
    be_ready(r);
    for (size_t i = 0; i < count; i++) /* four, and those that may be leaving */
        fds[i] = get_program(r, "echo");
    assert_refused(r, "echo",
                   "as many as max_connections run already, and some that will not end");
    for (size_t i = 0; i < count; i++)
        assert_int_equal(close(fds[i]), 0);
}

/* A door that gives up reads no answer. */
static void a_program_that_nobody_waits_for_is_ended(void **state)
{
    struct rig *r = *state;
    char path[] = "/tmp/postern-spawner-XXXXXX", text[256];
    int fifo, file;

    assert_non_null(mkdtemp(path));
    assert_int_equal(chmod(path, 0755), 0);
    assert_true(snprintf(text, sizeof text, "%s/alive", path) > 0);
    assert_int_equal(mkfifo(text, 0666), 0);
    assert_int_equal(chmod(text, 0666), 0);
    fifo = open(text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fifo >= 0);
    assert_true(snprintf(text, sizeof text, "exec 5>%s/alive; echo up >&5; exec sleep 1000", path) >
                0);
    send_shell(r, "lonely", text);
    be_ready(r);
    channel_free(ask(r, "lonely"));
    /* Every writer of the pipe is gone when the program is: it was there, and it has ended. */
    for (ssize_t n = 1; n != 0;) {
        char room[16];

        await(fifo, POLLIN | POLLHUP, "the program");
        n = read(fifo, room, sizeof room);
        if (n < 0)
            assert_int_equal(errno, EAGAIN);
    }
    assert_int_equal(close(fifo), 0);
    assert_true(snprintf(text, sizeof text, "%s/alive", path) > 0);
    file = unlink(text);
    assert_int_equal(file, 0);
    assert_int_equal(rmdir(path), 0);
}

/* ---- lines ---- */

static void a_message_that_breaks_the_rules_closes_the_line_and_ends_no_program(void **state)
{
    static const char *const bad[] = { "{\"type\":\"spawn\",\"door\":\"echo\",\"session\":\"s\"}",
                                       "{\"type\":\"exec\",\"argv\":[\"/bin/sh\"]}",
                                       "{\"type\":\"spawn\",\"session\":\"s\"}" };
    struct rig *r = *state;
    char line[64];
    int fd;

    send_program(r, "echo", "[\"/bin/cat\"]", "");
    be_ready(r);
    fd = get_program(r, "echo");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(channel_send(r->door, postern_bytes_str(bad[i]),
                                      i == 0 ? -1 : STDERR_FILENO, NULL),
                         POSTERN_OK);
        await(channel_fd(r->door), POLLIN, "the spawner's end of the line");
        assert_int_equal(channel_receive(r->door, NULL), CHANNEL_CLOSED);
        make_door_line(r);
    }
    assert_int_equal(write(fd, "still\n", 6), 6);
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "still");
    assert_int_equal(close(fd), 0);
}

static void a_reload_changes_what_is_started_and_not_what_runs(void **state)
{
    struct rig *r = *state;
    char line[64];
    int before, after;

    send_shell(r, "echo", "echo before; exec cat");
    send_program(r, "gone", "[\"/bin/cat\"]", "");
    be_ready(r);
    before = get_program(r, "echo");
    read_line(before, line, sizeof line);
    send_shell(r, "echo", "echo after; exec cat");
    commit(r);
    after = get_program(r, "echo");
    read_line(after, line, sizeof line);
    assert_string_equal(line, "after");
    assert_refused(r, "gone", "this door starts no program");
    assert_int_equal(write(before, "here\n", 5), 5);
    read_line(before, line, sizeof line);
    assert_string_equal(line, "here");
    assert_int_equal(close(before), 0);
    assert_int_equal(close(after), 0);
}

/* Half of a set that never became one. */
static void programs_count_when_all_have_come(void **state)
{
    struct rig *r = *state;

    be_ready(r);
    send_program(r, "early", "[\"/bin/cat\"]", "");
    assert_refused(r, "early", "this door starts no program");
    commit(r);
    assert_int_equal(close(get_program(r, "early")), 0);
}

static void who_drains_starts_nothing_and_waits_for_sessions(void **state)
{
    struct rig *r = *state;
    char line[64];
    int fd;

    send_program(r, "echo", "[\"/bin/cat\"]", "");
    be_ready(r);
    fd = get_program(r, "echo");
    tell(r, "{\"type\":\"drain\"}", -1);
    assert_refused(r, "echo", "posternd is stopping");
    assert_int_equal(write(fd, "still\n", 6), 6);
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "still");
    assert_int_equal(close(fd), 0); /* tear_down(): it ends now */
}

/* SIGKILL to the spawner: the kernel tells its keepers. */
static void the_spawners_death_ends_every_program(void **state)
{
    struct rig *r = *state;
    int fd, pidfds[2], status;

    send_shell(r, "hider",
               "echo $$; (setsid sh -c 'echo $$; exec sleep 1000' &) ; exec sleep 1000");
    be_ready(r);
    fd = get_program(r, "hider");
    pidfds[0] = open_pid(read_pid(fd));
    pidfds[1] = open_pid(read_pid(fd));
    assert_int_equal(kill(r->child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(r->child.pid, &status, 0), r->child.pid);
    r->child.pid = 0;
    await_end(pidfds[0], "the program");
    await_end(pidfds[1], "its daemon");
    assert_end_of_file(fd);
    assert_int_equal(close(fd), 0);
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[256];
    long parent = 0;
    FILE *f;

    assert_true(snprintf(path, sizeof path, "/proc/%ld/status", (long)pid) > 0);
    assert_non_null(f = fopen(path, "re"));
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "PPid:", 5) == 0)
            parent = strtol(line + 5, NULL, 10);
    assert_int_equal(fclose(f), 0);
    assert_in_range(parent, 2, INT32_MAX);
    return (pid_t)parent;
}

static void a_keepers_death_ends_its_program_and_whatever_it_made(void **state)
{
    struct rig *r = *state;
    int fd, pidfds[2];
    pid_t program;

    send_shell(r, "hider",
               "echo $$; (setsid sh -c 'echo $$; exec sleep 1000' &) ; exec sleep 1000");
    be_ready(r);
    fd = get_program(r, "hider");
    program = read_pid(fd);
    pidfds[0] = open_pid(program);
    pidfds[1] = open_pid(read_pid(fd));
    assert_int_equal(kill(parent_of(program), SIGKILL), 0);
    await_end(pidfds[0], "the program");
    await_end(pidfds[1], "its daemon");
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_program_is_spoken_to_over_its_descriptor),
        TEST(a_program_that_ends_is_the_end_of_its_descriptor),
        TEST(arguments_are_passed_as_they_are_and_no_shell_reads_them),
        TEST(a_program_has_no_environment_but_what_it_was_given),
        TEST(a_program_has_no_descriptor_but_the_first_three),
        TEST(a_program_is_nobody_but_its_user),
        TEST(limits_are_the_programs),
        TEST(a_program_ends_with_its_session),
        TEST(a_program_may_leave_by_itself_before_it_is_told),
        TEST(who_ignores_sigterm_is_killed),
        TEST(nobody_hides_from_the_end_of_a_session),
        TEST(a_daemon_ends_with_the_program_that_made_it),
        TEST(a_chain_of_forks_is_caught),
        TEST(a_flood_on_standard_error_stops_nobody),
        TEST(who_closes_everything_lives_until_its_session_ends),
        TEST(what_cannot_be_started_is_refused_with_the_reason),
        TEST(a_folder_that_the_user_may_not_enter_is_refused),
        TEST(nothing_is_started_as_root),
        TEST(no_more_run_than_may),
        TEST(a_program_that_nobody_waits_for_is_ended),
        TEST(a_message_that_breaks_the_rules_closes_the_line_and_ends_no_program),
        TEST(a_reload_changes_what_is_started_and_not_what_runs),
        TEST(programs_count_when_all_have_come),
        TEST(who_drains_starts_nothing_and_waits_for_sessions),
        TEST(the_spawners_death_ends_every_program),
        TEST(a_keepers_death_ends_its_program_and_whatever_it_made),
#undef TEST
    };

    return run_tests_together(tests, sizeof tests / sizeof *tests, NULL);
}
