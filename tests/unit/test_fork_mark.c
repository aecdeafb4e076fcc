/* SPDX-License-Identifier: BSD-2-Clause */
/* A mark holds in the process that made it and in none of its descendants, with and without the
 * kernel's help. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_mark.h"

/* True when a child of `depth` generations says that the mark is its own, or something went wrong.
 */
static bool is_ours_in_descendant(const struct postern_fork_mark *m, int depth)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(depth > 1 ? is_ours_in_descendant(m, depth - 1) : postern_fork_mark_is_ours(m));
    return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

static void a_mark_is_ours_here_and_in_no_descendant(void **state)
{
    struct postern_fork_mark m;

    (void)state;
    postern_fork_mark_init(&m);
    assert_true(postern_fork_mark_is_ours(&m));
    assert_false(is_ours_in_descendant(&m, 1));
    assert_false(is_ours_in_descendant(&m, 2));
    assert_true(postern_fork_mark_is_ours(&m)); /* forking took nothing from the parent */
    postern_fork_mark_clear(&m);
}

static void without_a_page_the_process_number_decides(void **state)
{
    struct postern_fork_mark m = { NULL, getpid() };

    (void)state;
    assert_true(postern_fork_mark_is_ours(&m));
    assert_false(is_ours_in_descendant(&m, 1));
    m.pid++;
    assert_false(postern_fork_mark_is_ours(&m));
}

static void a_cleared_or_zeroed_mark_is_nobodys(void **state)
{
    struct postern_fork_mark m = { 0 };

    (void)state;
    assert_false(postern_fork_mark_is_ours(&m));
    postern_fork_mark_clear(&m);
    postern_fork_mark_init(&m);
    postern_fork_mark_clear(&m);
    assert_false(postern_fork_mark_is_ours(&m));
    postern_fork_mark_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_ours_here_and_in_no_descendant),
        cmocka_unit_test(without_a_page_the_process_number_decides),
        cmocka_unit_test(a_cleared_or_zeroed_mark_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
