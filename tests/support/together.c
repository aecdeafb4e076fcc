/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "together.h"

#define AT_A_TIME 4 /* they wait more than they work: twice the processors of a small machine */

struct running {
    pid_t pid; /* 0: none */
    FILE *said;
    const char *name;
};

static void give_up(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void begin(struct running *r, const struct CMUnitTest *test)
{
    *r = (struct running){ .said = tmpfile(), .name = test->name };
    if (r->said == NULL)
        give_up("tmpfile");
    (void)fflush(stdout); /* or the child writes it, too */
    r->pid = fork();
    if (r->pid < 0)
        give_up("fork");
    if (r->pid > 0)
        return;
    if (dup2(fileno(r->said), STDOUT_FILENO) < 0 || dup2(fileno(r->said), STDERR_FILENO) < 0)
        give_up("dup2");
    (void)fclose(r->said);
    exit(_cmocka_run_group_tests(test->name, test, 1, NULL, NULL) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void show(FILE *said)
{
    char room[4096];
    size_t n;

    rewind(said);
    while ((n = fread(room, 1, sizeof room, said)) > 0)
        (void)fwrite(room, 1, n, stdout); /* the verdict does not hang on it */
    (void)fclose(said);
}

/* The end of one of them; 1: it failed. */
static int await_one(struct running *list)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);

    if (pid < 0)
        give_up("waitpid");
    for (size_t i = 0; i < AT_A_TIME; i++) {
        if (list[i].pid != pid)
            continue;
        show(list[i].said);
        list[i].pid = 0;
        if (WIFSIGNALED(status))
            printf("%s: ended by signal %d\n", list[i].name, WTERMSIG(status));
        return !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS;
    }
    return 0; /* somebody else's child */
}

static bool has_running(const struct running *list)
{
    for (size_t i = 0; i < AT_A_TIME; i++)
        if (list[i].pid != 0)
            return true;
    return false;
}

static struct running *find_free(struct running *list)
{
    for (size_t i = 0; i < AT_A_TIME; i++)
        if (list[i].pid == 0)
            return &list[i];
    return NULL;
}

int run_tests_together(const struct CMUnitTest *tests, size_t count, const char *filter)
{
    struct running list[AT_A_TIME] = { 0 };
    size_t next = 0;
    int failed = 0;

    if (filter != NULL) {
        cmocka_set_test_filter(filter);
        return _cmocka_run_group_tests("those", tests, count, NULL, NULL);
    }
    while (next < count || has_running(list)) {
        struct running *free_one = find_free(list);

        if (next < count && free_one != NULL)
            begin(free_one, &tests[next++]);
        else
            failed += await_one(list);
    }
    printf("%zu tests, %d failed\n", count, failed);
    return failed;
}
