/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/spawn_set.c: which programs may stand behind a door, and what the spawner is told of them.  The
 * files are in a folder of the test's own, which nobody else can change. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/test_folder.h"
#include "../support/test_keys.h"
#include "spawn_set.h"

#define ISSUER "issuer: https://sso.example.org/realms/agents\njwks_file: /run/keys.json\n"
#define PROGRAM_UID 64752

static test_folder folder;

static int make_folder(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_put(&folder, "issuers/sso.conf", ISSUER);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static char *path_of(const char *name)
{
    return test_printf("%s/%s", folder.path, name);
}

static void put_door(const char *name, const char *port, const char *backend, const char *more)
{
    char *file = test_printf("doors/%s.conf", name);
    char *text = test_printf("audience: https://tools.example.org/%s\nprotocol: %s\npolicy: all\n"
                             "listen: 127.0.0.1:%s\nbackend: %s\n%s%s",
                             name, strncmp(backend, "exec:", 5) == 0 ? "mcp" : "raw", port, backend,
                             strncmp(backend, "exec:", 5) == 0 ? "exec_user: 64752\n" : "", more);

    test_folder_put(&folder, file, text);
    free(file);
    free(text);
}

static postern_err open_set(const struct spawn_forbidden *forbidden, size_t count,
                            struct spawn_set *ret, postern_error *err)
{
    postern_config *c = NULL;
    postern_err e;

    if (postern_config_load(folder.path, &c, err) != POSTERN_OK)
        fail_msg("%s", err->detail);
    e = spawn_set_open(c, forbidden, count, ret, err);
    postern_config_free(c);
    return e;
}

static bool wants_program(void)
{
    postern_config *c = NULL;
    bool is_wanted;

    assert_int_equal(postern_config_load(folder.path, &c, NULL), POSTERN_OK);
    is_wanted = spawn_set_is_wanted(c);
    postern_config_free(c);
    return is_wanted;
}

static void assert_message(const struct spawn_set *s, size_t i, const char *want)
{
    postern_buf text = s->messages[i];

    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.ptr, want, text.len);
}

static void the_spawner_is_told_each_word_and_number(void **state)
{
    unsigned long uid = PROGRAM_UID, gid = PROGRAM_UID;
    struct spawn_set s;
    postern_error err = { 0 };
    char *want;

    (void)state;
    if (geteuid() != 0)
        return; /* HOME and USER are then of whoever runs this */
    put_door("cache", "6380", "127.0.0.1:9", "");
    put_door("files", "6381", "exec:/bin/cat \"a b\" $HOME \"\"",
             "exec_env: LANG=C \"A=b \\\"c\\\"\"\nmax_connections: 5\n");
    put_door("mail", "6382", "exec:/bin/cat",
             "exec_dir: /srv\nexec_memory_max: 2\nexec_processes_max: 3\nexec_cpu_max: 4m\n");
    if (open_set(NULL, 0, &s, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
    assert_int_equal(s.count, 2);
    want = test_printf("{\"type\":\"program\",\"door\":\"files\",\"argv\":[\"/bin/cat\",\"a b\",\"$HOME\",\"\"],"
                       "\"env\":[\"PATH=/usr/local/bin:/usr/bin:/bin\",\"HOME=/\",\"USER=64752\","
                       "\"LOGNAME=64752\",\"LANG=C\",\"A=b \\\"c\\\"\"],\"dir\":\"/\",\"uid\":%lu,"
                       "\"gid\":%lu,\"max\":5}",
                       uid, gid);
    assert_message(&s, 0, want);
    free(want);
    want = test_printf("{\"type\":\"program\",\"door\":\"mail\",\"argv\":[\"/bin/cat\"],"
                       "\"env\":[\"PATH=/usr/local/bin:/usr/bin:/bin\",\"HOME=/\",\"USER=64752\","
                       "\"LOGNAME=64752\",\"LANG=C.UTF-8\"],\"dir\":\"/srv\",\"uid\":%lu,"
                       "\"gid\":%lu,\"max\":1000,\"memory\":2097152,\"processes\":3,\"cpu\":240}",
                       uid, gid);
    assert_message(&s, 1, want);
    free(want);
    spawn_set_close(&s);
}

static void without_programs_there_is_nothing_to_tell(void **state)
{
    struct spawn_set s;
    postern_error err = { 0 };
    struct channel *from, *to;
    int fds[2];

    (void)state;
    put_door("cache", "6380", "127.0.0.1:9", "");
    assert_int_equal(open_set(NULL, 0, &s, &err), POSTERN_OK);
    assert_int_equal(s.count, 0);
    assert_false(wants_program());
    put_door("files", "6381", "exec:/bin/cat", "");
    assert_true(wants_program());
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &to, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[1], &from, NULL), POSTERN_OK);
    assert_int_equal(spawn_set_send(&s, 25000, to, NULL), POSTERN_OK);
    assert_int_equal(channel_receive(from, NULL), CHANNEL_MESSAGE);
    assert_true(channel_type_is(from, "programs"));
    channel_free(from);
    assert_int_equal(spawn_set_send(&s, 25000, to, NULL), POSTERN_ERR_SYSTEM); /* nobody reads */
    channel_free(to);
    spawn_set_close(&s);
}

static void assert_fails(const char *backend, postern_err want, const char *format)
{
    struct spawn_set s;
    postern_error err = { 0 };
    char *detail = test_printf(format, folder.path, folder.path, folder.path);
    postern_err e;

    put_door("files", "6381", backend, "");
    e = open_set(NULL, 0, &s, &err);
    if (e != want || strcmp(err.detail, detail) != 0)
        fail_msg("wanted %s, got %s: %s", detail, postern_err_reason(e), err.detail);
    spawn_set_close(&s);
    free(detail);
}

#define AT "doors/files.conf:5: %s"

static void a_program_is_a_file_that_nobody_else_can_change(void **state)
{
    char *tool = path_of("tool"), *backend = test_printf("exec:%s", tool);

    (void)state;
    test_folder_put(&folder, "tool", "#!/bin/sh\n");
    assert_int_equal(chmod(tool, 0644), 0);
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE, AT "/tool is not executable");
    assert_int_equal(chmod(tool, 0757), 0);
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE, AT "/tool can be written by others: chmod go-w");
    assert_int_equal(chmod(tool, 0775), 0);
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE, AT "/tool can be written by others: chmod go-w");
    free(backend);
    backend = test_printf("exec:%s.gone", tool);
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE, AT "/tool.gone No such file or directory");
    free(backend);
    backend = test_printf("exec:%s/etc", folder.path);
    test_folder_put(&folder, "etc/x", "");
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE, AT "/etc is no regular file");
    free(backend);
    free(tool);
}

/* Where each link stands, and what it leads to. */
static void a_way_to_a_program_that_somebody_could_turn_is_refused(void **state)
{
    char *tool = path_of("tool"), *open = path_of("open"), *link_a = path_of("open/link");
    char *link_b = path_of("link"), *backend = test_printf("exec:%s", link_b);
    char *end = path_of("dead");

    (void)state;
    test_folder_put(&folder, "tool", "#!/bin/sh\n");
    assert_int_equal(chmod(tool, 0755), 0);
    test_folder_put(&folder, "open/x", "");
    assert_int_equal(symlink("../tool", link_a), 0);
    assert_int_equal(symlink(link_a, link_b), 0);
    assert_int_equal(chmod(open, 0777), 0);
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE,
                 AT "/open/link: %s/open can be written by others: chmod go-w %s/open");
    assert_int_equal(symlink("dead", end), 0);
    free(backend);
    backend = test_printf("exec:%s", end);
    assert_fails(backend, POSTERN_ERR_CONFIG_FILE, AT "/dead Too many levels of symbolic links");
    free(backend);
    free(tool);
    free(open);
    free(link_a);
    free(link_b);
    free(end);
}

static void no_program_runs_as_a_child_of_posternd(void **state)
{
    const struct spawn_forbidden forbidden[] = { { 1, "helper_user" }, { PROGRAM_UID, "door_user" } };
    struct spawn_set s;
    postern_error err = { 0 };

    (void)state;
    put_door("files", "6381", "exec:/bin/cat", "");
    if (geteuid() != 0) { /* they are one user anyway, which the start log says */
        assert_int_equal(open_set(forbidden, 2, &s, &err), POSTERN_OK);
        spawn_set_close(&s);
        return;
    }
    assert_int_equal(open_set(forbidden, 2, &s, &err), POSTERN_ERR_CONFIG_CONFLICT);
    assert_string_equal(err.detail,
                        "doors/files.conf:6: exec_user is the user of door_user: a program must not be able "
                        "to touch posternd's own processes; give it a user of its own");
    spawn_set_close(&s);
    assert_int_equal(open_set(forbidden, 1, &s, &err), POSTERN_OK);
    spawn_set_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
        TEST(the_spawner_is_told_each_word_and_number),
        TEST(without_programs_there_is_nothing_to_tell),
        TEST(a_program_is_a_file_that_nobody_else_can_change),
        TEST(a_way_to_a_program_that_somebody_could_turn_is_refused),
        TEST(no_program_runs_as_a_child_of_posternd),
#undef TEST
    };

    return cmocka_run_group_tests_name("spawn_set", tests, NULL, NULL);
}
