/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/child_run.c: a child speaks, crashes, hangs or floods, and the parent goes on. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_run.h"

static postern_err run(void (*work)(void *, FILE *), const struct child_user *as, int deadline_ms,
                       postern_buf *out, int *ret_status)
{
    const struct child_job job = { work, NULL, as, deadline_ms };

    return child_run(&job, out, ret_status, NULL);
}

static void speak(void *arg, FILE *out)
{
    char number[32];

    (void)arg;
    child_say(out, "word", "first");
    child_say(out, "word", "second\n\x1b[2J");
    child_say(out, "words", "other");
    child_say(out, "empty", "");
    (void)snprintf(number, sizeof number, "%d %d", (int)getuid(), (int)read(STDIN_FILENO, number, 1));
    child_say(out, "uid", number);
}

static void what_a_child_says_is_read_by_key_and_number(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    char value[CHILD_VALUE_MAX], number[32];
    int status = -1;

    (void)state;
    assert_int_equal(run(speak, NULL, 60000, &out, &status), POSTERN_OK);
    assert_int_equal(status, 0);
    assert_true(child_said(postern_buf_bytes(&out), "word", 0, value));
    assert_string_equal(value, "first");
    assert_true(child_said(postern_buf_bytes(&out), "word", 1, value));
    assert_string_equal(value, "second??[2J");
    assert_false(child_said(postern_buf_bytes(&out), "word", 2, value));
    assert_true(child_said(postern_buf_bytes(&out), "empty", 0, value));
    assert_string_equal(value, "");
    assert_false(child_said(postern_buf_bytes(&out), "wor", 0, value));
    assert_true(child_said(postern_buf_bytes(&out), "uid", 0, value));
    (void)snprintf(number, sizeof number, "%d 0", (int)getuid()); /* its standard input is empty */
    assert_string_equal(value, number);
}

static void a_child_can_be_somebody_else(void **state)
{
    const struct child_user nobody = { .is_other = true, .uid = 65533, .gid = 65533 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    char value[CHILD_VALUE_MAX];
    int status = -1;

    (void)state;
    assert_int_equal(run(speak, &nobody, 60000, &out, &status), POSTERN_OK);
    if (geteuid() != 0) { /* nobody becomes nobody but root */
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        assert_int_equal(out.len, 0);
        return;
    }
    assert_int_equal(status, 0);
    assert_true(child_said(postern_buf_bytes(&out), "uid", 0, value));
    assert_string_equal(value, "65533 0");
}

static void crash(void *arg, FILE *out)
{
    (void)arg;
    child_say(out, "word", "lost");
    (void)kill(getpid(), SIGKILL);
}

static void a_child_that_crashes_is_told(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    int status = 0;

    (void)state;
    assert_int_equal(run(crash, NULL, 60000, &out, &status), POSTERN_OK);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void hang(void *arg, FILE *out)
{
    (void)arg;
    (void)out;
    for (;;)
        (void)pause();
}

static void a_child_that_hangs_is_ended(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    int status = 0;

    (void)state;
    assert_int_equal(run(hang, NULL, 50, &out, &status), POSTERN_ERR_TIMEOUT);
    assert_true(WIFSIGNALED(status));
}

/* Whatever it holds of the pipe is gone, and it goes on. */
static void hang_silently(void *arg, FILE *out)
{
    (void)fclose(out);
    hang(arg, NULL);
}

static void a_child_that_says_no_more_and_does_not_end_is_ended(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    int status = 0;

    (void)state;
    assert_int_equal(run(hang_silently, NULL, 50, &out, &status), POSTERN_ERR_TIMEOUT);
    assert_true(WIFSIGNALED(status));
}

/* A process of its own that holds the pipe, and `arg`, and would stay behind. */
static void leave_one_behind(void *arg, FILE *out)
{
    if (fork() == 0)
        hang(NULL, NULL);
    (void)close(*(const int *)arg);
    child_say(out, "word", "left");
}

static void what_a_child_leaves_behind_is_ended_with_it(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    int ends[2], status = 0;
    char room[1];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    /* On a busy machine it may take longer until it has said something. */
    for (int limit_ms = 200; limit_ms <= 20000 && out.len == 0; limit_ms *= 10) {
        const struct child_job job = { leave_one_behind, &ends[1], NULL, limit_ms };

        assert_int_equal(child_run(&job, &out, &status, NULL), POSTERN_ERR_TIMEOUT);
    }
    assert_true(postern_bytes_equal_str(postern_buf_bytes(&out), "word left\n"));
    (void)close(ends[1]);
    assert_int_equal(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, 60000), 1);
    assert_int_equal(read(ends[0], room, 1), 0); /* nobody holds its other end any more */
    (void)close(ends[0]);
}

/* A plugin's words go nowhere but through child_say(), and its user gets no terminal of root's. */
static void show_standard_three(void *arg, FILE *out)
{
    struct stat null = { 0 }, st;

    (void)arg;
    (void)stat("/dev/null", &null);
    for (int fd = 0; fd <= 2; fd++)
        child_say(out, "null", fstat(fd, &st) == 0 && st.st_rdev == null.st_rdev ? "yes" : "no");
    child_say(out, "session", getsid(0) == getpid() ? "own" : "the caller's");
}

static void expect_no_terminal(void)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    char value[CHILD_VALUE_MAX] = "";
    int status = -1;

    assert_int_equal(run(show_standard_three, NULL, 60000, &out, &status), POSTERN_OK);
    assert_int_equal(status, 0);
    for (size_t i = 0; i <= 2; i++) {
        assert_true(child_said(postern_buf_bytes(&out), "null", i, value));
        assert_string_equal(value, "yes");
    }
    assert_true(child_said(postern_buf_bytes(&out), "session", 0, value));
    assert_string_equal(value, "own");
}

static void a_child_has_no_terminal_and_none_of_the_standard_three(void **state)
{
    int kept = dup(STDIN_FILENO);

    (void)state;
    expect_no_terminal();
    (void)close(STDIN_FILENO); /* then the pipe itself may be one of the three */
    expect_no_terminal();
    assert_int_equal(kept < 0 ? 0 : dup2(kept, STDIN_FILENO), STDIN_FILENO);
    (void)close(kept);
}

static void flood(void *arg, FILE *out)
{
    (void)arg;
    while (fputs("a long line that never ends\n", out) >= 0)
        continue;
}

static void a_child_that_floods_is_ended(void **state)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    int status = 0;

    (void)state;
    assert_int_equal(run(flood, NULL, 60000, &out, &status), POSTERN_ERR_LIMIT);
    assert_true(WIFSIGNALED(status));
}

static void programs_are_run_without_a_shell(void **state)
{
    static const char *const argv[] = { "/bin/echo", "$HOME", NULL };
    static const char *const missing[] = { "/nowhere/program", NULL };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CHILD_OUTPUT_MAX);
    int status = -1;

    (void)state;
    assert_int_equal(child_run_program((char *const *)(uintptr_t)argv, &out, &status, NULL),
                     POSTERN_OK);
    assert_int_equal(status, 0);
    assert_true(postern_bytes_equal_str(postern_buf_bytes(&out), "$HOME\n"));
    assert_int_equal(child_run_program((char *const *)(uintptr_t)missing, &out, &status, NULL),
                     POSTERN_OK);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NOT_RUN);
}

static void the_folder_of_a_library_is_found(void **state)
{
    char folder[CHILD_PATH_MAX];

    (void)state;
    assert_true(child_find_folder(dlsym(RTLD_DEFAULT, "malloc"), folder) ||
                child_find_folder(dlsym(RTLD_DEFAULT, "getpid"), folder));
    assert_true(folder[0] == '/');
    assert_false(child_find_folder(NULL, folder));
    assert_false(child_find_folder(&folder, folder)); /* the stack is of no library */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_child_says_is_read_by_key_and_number),
        cmocka_unit_test(a_child_can_be_somebody_else),
        cmocka_unit_test(a_child_that_crashes_is_told),
        cmocka_unit_test(a_child_that_hangs_is_ended),
        cmocka_unit_test(a_child_that_says_no_more_and_does_not_end_is_ended),
        cmocka_unit_test(what_a_child_leaves_behind_is_ended_with_it),
        cmocka_unit_test(a_child_has_no_terminal_and_none_of_the_standard_three),
        cmocka_unit_test(a_child_that_floods_is_ended),
        cmocka_unit_test(programs_are_run_without_a_shell),
        cmocka_unit_test(the_folder_of_a_library_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
