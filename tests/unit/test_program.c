/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/spawner/program.c: a message that names a program in full makes one, and no other does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "spawner/program.h"

#define HEAD  "{\"type\":\"program\",\"door\":\"d\","
#define WORDS "\"argv\":[\"/bin/cat\",\"-u\",\"\"],\"env\":[\"A=1\"],"
#define IDS   "\"dir\":\"/srv\",\"uid\":7,\"gid\":8,\"max\":9"

/* One message as it comes, read once. */
static postern_err read_text(const char *text, struct program **ret, postern_error *err)
{
    struct channel *to, *from;
    postern_err e;
    int fds[2];

    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &to, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[1], &from, NULL), POSTERN_OK);
    assert_int_equal(channel_send(to, postern_bytes_str(text), -1, NULL), POSTERN_OK);
    assert_int_equal(channel_receive(from, NULL), CHANNEL_MESSAGE);
    e = program_read(from, ret, err);
    channel_free(to);
    channel_free(from);
    return e;
}

static void a_whole_message_is_a_program(void **state)
{
    struct program *p = NULL;

    (void)state;
    assert_int_equal(read_text(HEAD WORDS IDS ",\"memory\":1,\"processes\":2,\"cpu\":3}", &p, NULL),
                     POSTERN_OK);
    assert_string_equal(p->door, "d");
    assert_string_equal(p->argv[0], "/bin/cat");
    assert_string_equal(p->argv[1], "-u");
    assert_string_equal(p->argv[2], "");
    assert_null(p->argv[3]);
    assert_string_equal(p->env[0], "A=1");
    assert_null(p->env[1]);
    assert_string_equal(p->dir, "/srv");
    assert_int_equal(p->uid, 7);
    assert_int_equal(p->gid, 8);
    assert_int_equal(p->max, 9);
    assert_int_equal(p->memory, 1);
    assert_int_equal(p->processes, 2);
    assert_int_equal(p->cpu_s, 3);
    program_free(p);
    assert_int_equal(read_text(HEAD WORDS IDS "}", &p, NULL), POSTERN_OK);
    assert_int_equal(p->memory + p->processes + p->cpu_s, 0);
    program_free(p);
}

static void anything_less_is_none(void **state)
{
    static const char *const bad[] = {
        "{\"type\":\"program\"}",
        "{\"type\":\"program\"," WORDS IDS "}",
        HEAD "\"env\":[]," IDS "}",
        HEAD "\"argv\":[],\"env\":[]," IDS "}",
        HEAD "\"argv\":\"/bin/cat\",\"env\":[]," IDS "}",
        HEAD "\"argv\":[7],\"env\":[]," IDS "}",
        HEAD "\"argv\":[\"cat\"],\"env\":[]," IDS "}",
        HEAD "\"argv\":[\"\"],\"env\":[]," IDS "}",
        HEAD "\"argv\":[\"/bin/cat\"],\"env\":{}," IDS "}",
        HEAD "\"argv\":[\"/bin/cat\"]," IDS "}",
        HEAD WORDS "\"uid\":7,\"gid\":8,\"max\":9}",
        HEAD WORDS "\"dir\":\"/\",\"gid\":8,\"max\":9}",
        HEAD WORDS "\"dir\":\"/\",\"uid\":-1,\"gid\":8,\"max\":9}",
        HEAD WORDS "\"dir\":\"/\",\"uid\":4294967295,\"gid\":8,\"max\":9}",
        HEAD WORDS "\"dir\":\"/\",\"uid\":7,\"gid\":4294967295,\"max\":9}",
        HEAD WORDS "\"dir\":\"/\",\"uid\":\"7\",\"gid\":8,\"max\":9}",
        HEAD WORDS "\"dir\":\"/\",\"uid\":7,\"gid\":8}",
        HEAD WORDS "\"dir\":\"/\",\"uid\":7,\"gid\":8,\"max\":0}",
        HEAD WORDS IDS ",\"memory\":0}",
        HEAD WORDS IDS ",\"processes\":-1}",
        HEAD WORDS IDS ",\"cpu\":\"1s\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct program *p = NULL;
        postern_err e = read_text(bad[i], &p, NULL);

        if (e != POSTERN_ERR_MALFORMED || p != NULL)
            fail_msg("%s: %s", bad[i], postern_err_reason(e));
    }
}

static postern_err read_once(void *arg, postern_error *err)
{
    struct program *p = NULL;
    postern_err e = program_read(arg, &p, err);

    program_free(p);
    return e;
}

static void without_memory_there_is_none(void **state)
{
    struct channel *to, *from;
    int fds[2];

    (void)state;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[0], &to, NULL), POSTERN_OK);
    assert_int_equal(channel_new(fds[1], &from, NULL), POSTERN_OK);
    assert_int_equal(channel_send(to, POSTERN_BYTES_LIT(HEAD WORDS IDS "}"), -1, NULL), POSTERN_OK);
    assert_int_equal(channel_receive(from, NULL), CHANNEL_MESSAGE);
    assert_true(alloc_fail_sweep(read_once, from, POSTERN_OK) > 5);
    channel_free(to);
    channel_free(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_message_is_a_program),
        cmocka_unit_test(anything_less_is_none),
        cmocka_unit_test(without_memory_there_is_none),
    };

    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
