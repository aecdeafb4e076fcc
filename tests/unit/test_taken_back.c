/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/door/taken_back.c: what was taken back is known to every context that is made later. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/test_login.h"
#include "door/taken_back.h"

#define SERVER "https://sso.example.org/realms/agents" /* TEST_ISSUER, as the embedded one */

struct world {
    test_login login;
    struct taken_back *list;
};

/* The embedded issuer is the one whose tokens are judged. */
static void put_server(struct world *w, const char *issuer)
{
    char *text = test_printf("issuer: %s\nstate_dir: /nonexistent\njwks_file: %s\n", issuer,
                             test_folder_at(&w->login.folder, "keys.json"));

    test_folder_put(&w->login.folder, "issuer.conf", text);
    free(text);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    test_login_make(&w->login);
    test_login_reload(&w->login);
    assert_int_equal(taken_back_new(&w->list, NULL), POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    taken_back_free(w->list);
    test_login_remove(&w->login);
    free(w);
    return 0;
}

/* A context as a reload makes it, told what is known. */
static void reload(struct world *w)
{
    postern_error err = { 0 };

    test_login_reload(&w->login);
    if (taken_back_tell(w->list, w->login.context, &err) != POSTERN_OK)
        fail_msg("%s", err.detail);
}

static postern_err take(struct taken_back *t, postern_revocation_kind kind, const char *issuer,
                        const char *name, int64_t before_s, int64_t now_s, bool *ret_is_new,
                        postern_error *err)
{
    struct revoke_message m = { .kind = kind, .before_s = before_s };

    assert_true(snprintf(m.issuer, sizeof m.issuer, "%s", issuer) < (int)sizeof m.issuer);
    assert_true(snprintf(m.name, sizeof m.name, "%s", name) < (int)sizeof m.name);
    return taken_back_revoke(t, &m, now_s, ret_is_new, err);
}

static void revoke_kind(struct world *w, postern_revocation_kind kind, const char *name,
                        int64_t before_s, bool want_new)
{
    bool is_new = !want_new;

    assert_int_equal(take(w->list, kind, TEST_ISSUER, name, before_s, TEST_NOW_S, &is_new, NULL),
                     POSTERN_OK);
    assert_int_equal(is_new, want_new);
}

static void revoke(struct world *w, const char *issuer, const char *client, int64_t before_s,
                   bool want_new)
{
    bool is_new = !want_new;

    assert_int_equal(take(w->list, POSTERN_REVOCATION_CLIENT, issuer, client, before_s, TEST_NOW_S,
                          &is_new, NULL),
                     POSTERN_OK);
    assert_int_equal(is_new, want_new);
}

static void set_blocks(struct world *w, const char *const *agents, size_t count)
{
    taken_back_begin_blocks(w->list);
    for (size_t i = 0; i < count; i++) {
        postern_block b = { .until_s = 0 };

        memcpy(b.agent, agents[i], strlen(agents[i]) + 1);
        memcpy(b.reason, "because", 8);
        assert_int_equal(taken_back_add_block(w->list, &b, NULL), POSTERN_OK);
    }
    taken_back_end_blocks(w->list);
}

static postern_err try_login(struct world *w)
{
    return test_login_try(&w->login, NULL, NULL);
}

static void until_blocks_are_told_everything_is_undecided(void **state)
{
    struct world *w = *state;

    reload(w);
    assert_int_equal(try_login(w), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    taken_back_begin_blocks(w->list);
    reload(w); /* a list that is not at its end is none */
    assert_int_equal(try_login(w), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    taken_back_end_blocks(w->list);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
}

static void until_the_embedded_issuer_is_ready_its_tokens_are_undecided(void **state)
{
    struct world *w = *state;

    put_server(w, SERVER);
    set_blocks(w, NULL, 0);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    taken_back_set_ready(w->list, "https://other.example");
    reload(w);
    assert_int_equal(try_login(w), POSTERN_ERR_REVOCATIONS_UNKNOWN);
    taken_back_set_ready(w->list, SERVER);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
}

static void a_revocation_is_known_to_every_later_context(void **state)
{
    struct world *w = *state;

    set_blocks(w, NULL, 0);
    revoke(w, TEST_ISSUER, "agent-7", TEST_NOW_S, true); /* iat is TEST_NOW_S */
    for (int i = 0; i < 3; i++) {
        reload(w);
        assert_int_equal(try_login(w), POSTERN_ERR_REVOKED);
    }
}

static void a_revocation_is_of_one_client_of_one_issuer_before_one_time(void **state)
{
    static const struct {
        const char *why, *issuer, *client;
        int64_t before_s;
        postern_err want;
    } cases[] = {
        { "another client", TEST_ISSUER, "agent-8", TEST_NOW_S, POSTERN_OK },
        { "a client whose name begins so", TEST_ISSUER, "agent-77", TEST_NOW_S, POSTERN_OK },
        { "another issuer, whom nobody trusts", "https://x.example", "agent-7", TEST_NOW_S, POSTERN_OK },
        { "before this token was issued", TEST_ISSUER, "agent-7", TEST_NOW_S - 1, POSTERN_OK },
        { "after it", TEST_ISSUER, "agent-7", TEST_NOW_S + 1, POSTERN_ERR_REVOKED },
    };
    struct world *w = *state;

    set_blocks(w, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        postern_err e;

        revoke(w, cases[i].issuer, cases[i].client, cases[i].before_s, true);
        reload(w);
        e = try_login(w);
        if (e != cases[i].want)
            fail_msg("%s: %s", cases[i].why, postern_err_reason(e));
    }
}

static void a_later_time_counts_and_an_earlier_does_not(void **state)
{
    struct world *w = *state;

    set_blocks(w, NULL, 0);
    revoke(w, TEST_ISSUER, "agent-7", TEST_NOW_S - 10, true);
    revoke(w, TEST_ISSUER, "agent-7", TEST_NOW_S - 10, false); /* told again by a new line */
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
    revoke(w, TEST_ISSUER, "agent-7", TEST_NOW_S, true);
    revoke(w, TEST_ISSUER, "agent-7", TEST_NOW_S - 5, false);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_ERR_REVOKED);
}

static void a_list_of_blocks_replaces_the_one_before_whole(void **state)
{
    static const char *const first[] = { "agent-7", "agent-8" }, *const second[] = { "agent-9" };
    struct world *w = *state;
    postern_block b = { .agent = "agent-7" };

    set_blocks(w, first, 2);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_ERR_BLOCKED);
    assert_string_equal(w->login.failure.because, "because");
    set_blocks(w, second, 1);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
    taken_back_begin_blocks(w->list); /* a list that breaks off changes nothing */
    assert_int_equal(taken_back_add_block(w->list, &b, NULL), POSTERN_OK);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
    taken_back_begin_blocks(w->list); /* and is no part of the next */
    taken_back_end_blocks(w->list);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
}

static void a_context_that_lives_hears_of_blocks_alone(void **state)
{
    static const char *const blocked[] = { "agent-7" };
    struct world *w = *state;

    assert_int_equal(taken_back_tell_blocks(w->list, w->login.context, NULL), POSTERN_OK);
    assert_int_equal(try_login(w), POSTERN_OK); /* no list yet: nothing to tell */
    set_blocks(w, blocked, 1);
    assert_int_equal(try_login(w), POSTERN_OK);
    assert_int_equal(taken_back_tell_blocks(w->list, w->login.context, NULL), POSTERN_OK);
    assert_int_equal(try_login(w), POSTERN_ERR_BLOCKED);
    set_blocks(w, NULL, 0);
    assert_int_equal(taken_back_tell_blocks(w->list, w->login.context, NULL), POSTERN_OK);
    assert_int_equal(try_login(w), POSTERN_OK);
}

static void lists_have_their_limits(void **state)
{
    struct world *w = *state;
    postern_block b = { .agent = "a" };
    postern_error err = { 0 };

    taken_back_begin_blocks(w->list);
    for (size_t i = 0; i < POSTERN_BLOCKS_MAX; i++)
        assert_int_equal(taken_back_add_block(w->list, &b, &err), POSTERN_OK);
    assert_int_equal(taken_back_add_block(w->list, &b, &err), POSTERN_ERR_LIMIT);
    taken_back_begin_blocks(w->list);
    assert_int_equal(taken_back_add_block(w->list, &b, &err), POSTERN_OK);
}

/* As many as one issuer may have, in a time that its line waits for. */
static void as_many_revocations_as_a_context_takes(void **state)
{
    struct world *w = *state;
    postern_error err = { 0 };
    char client[16];
    bool is_new;

    for (size_t i = 0; i < POSTERN_REVOCATIONS_MAX; i++) {
        assert_true(snprintf(client, sizeof client, "c-%zu", i) > 0);
        revoke(w, TEST_ISSUER, client, TEST_NOW_S, true);
    }
    assert_int_equal(take(w->list, POSTERN_REVOCATION_CLIENT, TEST_ISSUER, "one-more", TEST_NOW_S,
                          TEST_NOW_S + POSTERN_REVOCATION_KEEP_S, &is_new, &err),
                     POSTERN_ERR_LIMIT);
    revoke_kind(w, POSTERN_REVOCATION_JTI, "one-more", TEST_NOW_S, true); /* its own share */
    revoke(w, TEST_ISSUER, "c-0", TEST_NOW_S, false); /* those that are there stay */
    revoke(w, TEST_ISSUER, "c-65535", TEST_NOW_S + 1, true);
    set_blocks(w, NULL, 0);
    reload(w);
    assert_int_equal(try_login(w), POSTERN_OK);
}

/* A door lives for months: what no token can outlive makes room for what comes. */
static void old_revocations_make_room_for_new_ones(void **state)
{
    struct world *w = *state;
    int64_t later_s = TEST_NOW_S + POSTERN_REVOCATION_KEEP_S + 1;
    char name[16];
    bool is_new;

    for (size_t i = 0; i < POSTERN_REVOCATIONS_MAX; i++) {
        assert_true(snprintf(name, sizeof name, "t-%zu", i) > 0);
        revoke_kind(w, POSTERN_REVOCATION_JTI, name, i == 5 ? later_s : TEST_NOW_S, true);
    }
    revoke_kind(w, POSTERN_REVOCATION_GRANT, "g-1", TEST_NOW_S, true);
    assert_int_equal(take(w->list, POSTERN_REVOCATION_JTI, TEST_ISSUER, "one-more", later_s, later_s,
                          &is_new, NULL),
                     POSTERN_OK);
    assert_true(is_new);
    revoke_kind(w, POSTERN_REVOCATION_JTI, "t-5", later_s, false);
    revoke_kind(w, POSTERN_REVOCATION_JTI, "t-6", later_s, true); /* forgotten */
    revoke_kind(w, POSTERN_REVOCATION_GRANT, "g-1", TEST_NOW_S, false); /* another kind's stay */
}

static void tokens_and_authorizations_are_known_to_every_later_context(void **state)
{
    struct world *w = *state;

    set_blocks(w, NULL, 0);
    revoke_kind(w, POSTERN_REVOCATION_JTI, "t-0", TEST_NOW_S, true);
    revoke_kind(w, POSTERN_REVOCATION_JTI, "t-0", TEST_NOW_S + 9, false); /* named once for ever */
    revoke_kind(w, POSTERN_REVOCATION_GRANT, "g-0", TEST_NOW_S, true);
    for (int i = 0; i < 2; i++) {
        reload(w);
        assert_int_equal(test_login_try(&w->login, "jti", "\"t-1\""), POSTERN_OK);
        assert_int_equal(test_login_try(&w->login, "jti", "\"t-0\""), POSTERN_ERR_REVOKED);
        assert_int_equal(test_login_try(&w->login, "derived_from", "[\"t-0\"]"),
                         POSTERN_ERR_REVOKED);
        assert_int_equal(test_login_try(&w->login, "grant_id", "\"g-0\""), POSTERN_ERR_REVOKED);
        assert_int_equal(test_login_try(&w->login, "grant_id", "\"t-0\""), POSTERN_OK);
    }
}

/* What helper and door take for a revocation, and what they close the line for. */
static void a_revocation_names_one_thing(void **state)
{
    static const struct {
        const char *members;
        bool is_good;
    } cases[] = {
        { "\"id\":1,\"issuer\":\"i\",\"client\":\"a\",\"before\":5", true },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":\"a\",\"before\":5", true },
        { "\"id\":1,\"issuer\":\"i\",\"grant\":\"a\",\"before\":5", true },
        { "\"id\":1,\"issuer\":\"i\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"client\":\"a\",\"jti\":\"b\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":\"\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":7,\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"jti\":\"a\"", false },
        { "\"id\":1,\"jti\":\"a\",\"before\":5", false },
        { "\"issuer\":\"i\",\"jti\":\"a\",\"before\":5", false },
        { "\"id\":1,\"issuer\":\"i\",\"subject\":\"a\",\"before\":5", false },
    };
    struct channel *ends[2];
    struct revoke_message m;
    int fds[2];

    (void)state;
    assert_int_equal(channel_pair(fds, NULL), POSTERN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(channel_new(fds[i], &ends[i], NULL), POSTERN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        int n = snprintf(text, sizeof text, "{\"type\":\"revoke\",%s}", cases[i].members);

        assert_int_equal(channel_send(ends[0], (postern_bytes){ (uint8_t *)text, (size_t)n },
                                      -1, NULL),
                         POSTERN_OK);
        assert_int_equal(channel_receive(ends[1], NULL), CHANNEL_MESSAGE);
        if (revoke_message_read(ends[1], &m) != cases[i].is_good)
            fail_msg("%s", text);
    }
    channel_free(ends[0]);
    channel_free(ends[1]);
}

static postern_err fill_once(void *arg, postern_error *err)
{
    struct taken_back *t = NULL;
    postern_block b = { .agent = "a" };
    bool is_new;
    postern_err e;

    (void)arg;
    POSTERN_TRY(taken_back_new(&t, err));
    e = take(t, POSTERN_REVOCATION_CLIENT, "https://as.example", "agent-7", 1, 1, &is_new, err);
    if (e == POSTERN_OK)
        e = take(t, POSTERN_REVOCATION_JTI, "https://as.example", "t-1", 1, 1, &is_new, err);
    taken_back_begin_blocks(t);
    if (e == POSTERN_OK)
        e = taken_back_add_block(t, &b, err);
    taken_back_free(t);
    return e;
}

static void without_memory_nothing_is_taken_for_known(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(fill_once, NULL, POSTERN_OK) > 2);
    taken_back_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(until_blocks_are_told_everything_is_undecided),
        TEST(until_the_embedded_issuer_is_ready_its_tokens_are_undecided),
        TEST(a_revocation_is_known_to_every_later_context),
        TEST(a_revocation_is_of_one_client_of_one_issuer_before_one_time),
        TEST(a_later_time_counts_and_an_earlier_does_not),
        TEST(a_list_of_blocks_replaces_the_one_before_whole),
        TEST(a_context_that_lives_hears_of_blocks_alone),
        TEST(lists_have_their_limits),
        TEST(a_revocation_names_one_thing),
        TEST(old_revocations_make_room_for_new_ones),
        TEST(tokens_and_authorizations_are_known_to_every_later_context),
        TEST(as_many_revocations_as_a_context_takes),
        TEST(without_memory_nothing_is_taken_for_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
