/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/control/blocks_file.c: what is read, what is noticed, and that nothing is lost on the way. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/blocks_file.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/test_folder.h"

#define NOW_S 1780000000

struct world {
    test_folder folder;
    int folder_fd;
    struct event_base *base;
    struct blocks_file *file;
    int changes;
};

static void note_change(void *arg)
{
    ++*(int *)arg;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -1;
    test_folder_make(&w->folder);
    w->folder_fd = open(w->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->base = event_base_new();
    *state = w;
    return w->folder_fd >= 0 && w->base != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    blocks_file_free(w->file);
    event_base_free(w->base);
    close(w->folder_fd);
    test_folder_remove(&w->folder);
    free(w);
    return 0;
}

static postern_err open_file(struct world *w, postern_error *err)
{
    return blocks_file_new(w->base, w->folder_fd, "blocks", (struct blocks_file_owner){ note_change, &w->changes },
                           &w->file, err);
}

static void must_open(struct world *w)
{
    postern_error err = { 0 };

    if (open_file(w, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static void turn(struct world *w)
{
    assert_true(event_base_loop(w->base, EVLOOP_NONBLOCK) >= 0);
}

static void assert_list(const struct world *w, const char *agents)
{
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(4096);
    const struct block_list *l = blocks_file_list(w->file);

    for (size_t i = 0; i < l->count; i++)
        postern_buf_addf(&got, "%s%s", i == 0 ? "" : " ", l->entries[i].agent);
    postern_buf_add_byte(&got, '.');
    if (strlen(agents) + 1 != got.len || strncmp((const char *)got.ptr, agents, strlen(agents)) != 0)
        fail_msg("blocked: %s want: %s", postern_buf_cstr(&got), agents);
}

/* In place, as an editor or a shell does, without closing. */
static int begin_writing(struct world *w, const char *text)
{
    int fd = open(test_folder_at(&w->folder, "blocks"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static postern_err change(struct world *w, const char *agent, bool is_added, postern_error *err)
{
    return blocks_file_change(w->file, &(struct block_change){ agent, is_added, 0, "r", NOW_S }, err);
}

static void read_back(struct world *w, const char *name, char room[512])
{
    int fd = open(test_folder_at(&w->folder, name), O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, room, 511);
    assert_true(n >= 0);
    room[n] = '\0';
    close(fd);
}

/* ---- start ---- */

static void no_file_is_an_empty_list(void **state)
{
    struct world *w = *state;

    must_open(w);
    assert_list(w, "");
    assert_string_equal(blocks_file_trouble(w->file), "");
}

static void what_stands_there_at_the_start_is_in_force(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\nb - x\n");
    must_open(w);
    assert_list(w, "a b");
    assert_int_equal(w->changes, 0);
}

static void a_file_that_cannot_be_used_is_no_start(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };

    test_folder_put(&w->folder, "blocks", "a -\nb\n");
    assert_int_equal(open_file(w, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "line 2"));
    test_folder_put(&w->folder, "blocks", "a -\n");
    test_folder_mode(&w->folder, "blocks", 0664);
    assert_int_equal(open_file(w, &err), POSTERN_ERR_CONFIG_FILE);
    test_folder_mode(&w->folder, "blocks", 0646);
    assert_int_equal(open_file(w, &err), POSTERN_ERR_CONFIG_FILE);
    test_folder_drop(&w->folder, "blocks");
    assert_int_equal(mkdir(test_folder_at(&w->folder, "blocks"), 0700), 0);
    assert_int_equal(open_file(w, &err), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(rmdir(test_folder_at(&w->folder, "blocks")), 0);
    assert_int_equal(symlink("blocks", test_folder_at(&w->folder, "blocks")), 0);
    assert_int_equal(open_file(w, &err), POSTERN_ERR_SYSTEM); /* a loop */
    assert_null(w->file);
    assert_int_equal(unlink(test_folder_at(&w->folder, "blocks")), 0);
}

static void a_file_of_somebody_else_is_no_start(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        skip();
    test_folder_put(&w->folder, "blocks", "a -\n");
    assert_int_equal(chown(test_folder_at(&w->folder, "blocks"), 64711, 0), 0);
    assert_int_equal(open_file(w, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_null(w->file);
}

/* ---- changes by others ---- */

static void a_replaced_file_is_noticed_at_once(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    test_folder_put(&w->folder, "blocks", "b -\n");
    turn(w);
    assert_list(w, "b");
    assert_int_equal(w->changes, 1);
}

static void a_file_written_in_place_counts_when_it_is_closed(void **state)
{
    struct world *w = *state;
    int fd;

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    fd = begin_writing(w, "a -\nb");
    turn(w);
    blocks_file_poll(w->file); /* sees a change, and waits */
    assert_list(w, "a");
    assert_int_equal(write(fd, " -\n", 3), 3);
    blocks_file_poll(w->file); /* sees another */
    assert_list(w, "a");
    close(fd);
    turn(w);
    assert_list(w, "a b");
    assert_string_equal(blocks_file_trouble(w->file), "");
}

static void a_config_map_is_exchanged_by_its_links(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "..v1/blocks", "a -\n");
    test_folder_put(&w->folder, "..v2/blocks", "b -\n");
    assert_int_equal(symlink("..v1", test_folder_at(&w->folder, "..data")), 0);
    assert_int_equal(symlink("..data/blocks", test_folder_at(&w->folder, "blocks")), 0);
    must_open(w);
    assert_list(w, "a");
    assert_int_equal(symlink("..v2", test_folder_at(&w->folder, "..tmp")), 0);
    assert_int_equal(rename(test_folder_at(&w->folder, "..tmp"), test_folder_at(&w->folder, "..data")), 0);
    turn(w);
    assert_list(w, "b");
}

static void without_inotify_two_looks_notice_a_change(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    test_folder_put(&w->folder, "blocks", "b -\n");
    blocks_file_poll(w->file);
    assert_list(w, "a");
    blocks_file_poll(w->file);
    assert_list(w, "b");
    blocks_file_poll(w->file);
    blocks_file_poll(w->file);
    assert_int_equal(w->changes, 1);
}

static void a_broken_change_leaves_the_list_and_says_so(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    test_folder_put(&w->folder, "blocks", "a -\nb until tomorrow\n");
    turn(w);
    assert_list(w, "a");
    assert_non_null(strstr(blocks_file_trouble(w->file), "line 2"));
    assert_int_equal(w->changes, 1);
    blocks_file_poll(w->file);
    blocks_file_poll(w->file);
    assert_int_equal(w->changes, 1); /* told once */
    test_folder_put(&w->folder, "blocks", "c -\n");
    turn(w);
    assert_list(w, "c");
    assert_string_equal(blocks_file_trouble(w->file), "");
}

static void a_file_that_vanishes_lifts_no_block(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\nb - x\n");
    must_open(w);
    test_folder_drop(&w->folder, "blocks");
    blocks_file_poll(w->file);
    blocks_file_poll(w->file);
    assert_list(w, "a b");
    assert_non_null(strstr(blocks_file_trouble(w->file), "gone"));
    assert_int_equal(change(w, "c", true, NULL), POSTERN_OK); /* writes what is in force, and one more */
    assert_list(w, "a b c");
    assert_string_equal(blocks_file_trouble(w->file), "");
    test_folder_put(&w->folder, "blocks", "");
    turn(w);
    assert_list(w, "");
}

/* ---- our own changes ---- */

static void a_change_is_in_the_file_and_in_force(void **state)
{
    struct world *w = *state;
    char text[512];

    test_folder_put(&w->folder, "blocks", "# mine\na - x\n");
    must_open(w);
    assert_int_equal(change(w, "b", true, NULL), POSTERN_OK);
    assert_list(w, "a b");
    assert_int_equal(w->changes, 1);
    read_back(w, "blocks", text);
    assert_string_equal(text, "# mine\na - x\nb - r\n");
    assert_int_equal(change(w, "a", false, NULL), POSTERN_OK);
    read_back(w, "blocks", text);
    assert_string_equal(text, "# mine\nb - r\n");
    turn(w); /* inotify's news of our own change is no news */
    blocks_file_poll(w->file);
    blocks_file_poll(w->file);
    assert_int_equal(w->changes, 2);
    assert_int_equal(access(test_folder_at(&w->folder, BLOCKS_TEMP_NAME), F_OK), -1);
}

static void a_change_by_hand_just_before_is_not_lost(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    test_folder_put(&w->folder, "blocks", "a -\nby-hand -\n"); /* not noticed yet */
    assert_int_equal(change(w, "b", true, NULL), POSTERN_OK);
    assert_list(w, "a by-hand b");
}

static void a_broken_file_is_not_overwritten(void **state)
{
    struct world *w = *state;
    char text[512];
    postern_error err = { 0 };

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    test_folder_put(&w->folder, "blocks", "broken\n");
    assert_int_equal(change(w, "b", true, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "line 1"));
    read_back(w, "blocks", text);
    assert_string_equal(text, "broken\n");
    assert_list(w, "a");
}

static void a_link_is_not_replaced_by_a_file(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };

    test_folder_put(&w->folder, "shared", "a -\n");
    assert_int_equal(symlink("shared", test_folder_at(&w->folder, "blocks")), 0);
    must_open(w);
    assert_int_equal(change(w, "b", true, &err), POSTERN_ERR_CONFIG_FILE);
    assert_non_null(strstr(err.detail, "symbolic link"));
    assert_list(w, "a");
}

static void a_link_in_the_place_of_the_temporary_file_is_not_followed(void **state)
{
    struct world *w = *state;
    char text[512];

    test_folder_put(&w->folder, "victim", "precious\n");
    assert_int_equal(symlink("victim", test_folder_at(&w->folder, BLOCKS_TEMP_NAME)), 0);
    must_open(w);
    assert_int_equal(change(w, "b", true, NULL), POSTERN_ERR_SYSTEM);
    read_back(w, "victim", text);
    assert_string_equal(text, "precious\n");
}

static void two_writers_at_one_time_are_one_writer_and_one_refusal(void **state)
{
    struct world *w = *state;
    int fd = open(test_folder_at(&w->folder, BLOCKS_TEMP_NAME), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    must_open(w);
    assert_int_equal(change(w, "b", true, NULL), POSTERN_ERR_BUSY);
    assert_list(w, "");
    close(fd); /* what a killed writer leaves is no obstacle */
    assert_int_equal(change(w, "b", true, NULL), POSTERN_OK);
    assert_list(w, "b");
}

static void a_read_only_folder_says_what_to_do(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };
    uid_t uid = geteuid();

    test_folder_put(&w->folder, "blocks", "a -\n");
    must_open(w);
    assert_int_equal(chmod(w->folder.path, 0555), 0);
    if (uid == 0)
        assert_int_equal(seteuid(64711), 0);
    assert_int_equal(change(w, "b", true, &err), POSTERN_ERR_SYSTEM);
    if (uid == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(w->folder.path, 0755), 0);
    assert_non_null(strstr(err.detail, "read-only"));
    assert_list(w, "a");
}

static postern_err open_and_change(void *arg, postern_error *err)
{
    struct world *w = arg;
    postern_err e = open_file(w, err);

    if (e == POSTERN_OK)
        e = change(w, "b", true, err);
    blocks_file_free(w->file);
    w->file = NULL;
    return e;
}

static void no_memory_is_no_list_and_no_change(void **state)
{
    struct world *w = *state;

    test_folder_put(&w->folder, "blocks", "a -\n");
    assert_true(alloc_fail_sweep(open_and_change, w, POSTERN_OK) >= 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(no_file_is_an_empty_list),
        T(what_stands_there_at_the_start_is_in_force),
        T(a_file_that_cannot_be_used_is_no_start),
        T(a_file_of_somebody_else_is_no_start),
        T(a_replaced_file_is_noticed_at_once),
        T(a_file_written_in_place_counts_when_it_is_closed),
        T(a_config_map_is_exchanged_by_its_links),
        T(without_inotify_two_looks_notice_a_change),
        T(a_broken_change_leaves_the_list_and_says_so),
        T(a_file_that_vanishes_lifts_no_block),
        T(a_change_is_in_the_file_and_in_force),
        T(a_change_by_hand_just_before_is_not_lost),
        T(a_broken_file_is_not_overwritten),
        T(a_link_is_not_replaced_by_a_file),
        T(a_link_in_the_place_of_the_temporary_file_is_not_followed),
        T(two_writers_at_one_time_are_one_writer_and_one_refusal),
        T(a_read_only_folder_says_what_to_do),
        T(no_memory_is_no_list_and_no_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
