/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/store_grants.c: what is used once is used once, also by two issuers, over a restart, and when the disk refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/test_folder.h"
#include "issuer/store_grants.h"
#include "issuer/store_revocations.h"

#define NOW_S 1700000000
#define DAY_S 86400

struct fixture {
    char dir[64];
    struct store *store, *other; /* of the issuer before us, at a reload */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL || snprintf(f->dir, sizeof f->dir, "%s/postern-grants-XXXXXX", test_folder_fast()) < 0 || mkdtemp(f->dir) == NULL)
        return -1;
    *state = f;
    return store_open(f->dir, &f->store, NULL) == POSTERN_OK && store_open(f->dir, &f->other, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "clients.db", "clients.db-wal", "clients.db-shm" };
    struct fixture *f = *state;
    char path[128];

    store_close(f->store);
    store_close(f->other);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (snprintf(path, sizeof path, "%s/%s", f->dir, names[i]) > 0 && unlink(path) != 0 && errno != ENOENT)
            return -1;
    if (rmdir(f->dir) != 0)
        return -1;
    free(f);
    return 0;
}

/* The hash of the code or refresh token `n`. */
static const uint8_t *hash(uint8_t n)
{
    static uint8_t room[4][GRANT_HASH];
    static size_t turn;
    uint8_t *h = room[turn++ % 4];

    memset(h, n, GRANT_HASH);
    return h;
}

static struct grant_record make_grant(const char *id, int64_t ends_s)
{
    struct grant_record g = { .user = "alice", .client = "agent-7", .scopes = "a b", .resources = "https://m.example/imap",
                              .purpose = "p", .details = "[7]", .created_s = NOW_S, .auth_time_s = NOW_S - 5, .ends_s = ends_s };

    assert_true(snprintf(g.id, sizeof g.id, "%s", id) > 0);
    return g;
}

static postern_err try_add(struct store *s, const char *id, uint8_t code, int64_t ends_s)
{
    struct grant_record g = make_grant(id, ends_s);
    struct code_record c = { .redirect = "http://127.0.0.1/cb", .challenge = "x", .expires_s = NOW_S + 60 };

    memcpy(c.sha256, hash(code), GRANT_HASH);
    memcpy(c.grant, g.id, sizeof c.grant);
    return store_grant_add(s, &g, &c, NULL);
}

static void add(struct store *s, const char *id, uint8_t code, int64_t ends_s)
{
    assert_int_equal(try_add(s, id, code, ends_s), POSTERN_OK);
}

static struct refresh_record make_refresh(const char *id, uint8_t n, int64_t expires_s)
{
    struct refresh_record r = { .created_s = NOW_S, .expires_s = expires_s };

    memcpy(r.sha256, hash(n), GRANT_HASH);
    assert_true(snprintf(r.grant, sizeof r.grant, "%s", id) > 0);
    return r;
}

static grant_use redeem(struct store *s, uint8_t code, int64_t now_s, const struct refresh_record *r)
{
    grant_use use = GRANT_USE_UNSET;

    assert_int_equal(store_code_redeem(s, hash(code), now_s, r, &use, NULL), POSTERN_OK);
    return use;
}

static grant_use look_at_code(struct store *s, uint8_t code, int64_t now_s)
{
    struct code_record c;
    struct grant_record g = { 0 };
    grant_use use = GRANT_USE_UNSET;

    assert_int_equal(store_code_find(s, hash(code), now_s, &use, &c, &g, NULL), POSTERN_OK);
    return use;
}

static grant_use look_at_refresh(struct store *s, uint8_t n, int64_t now_s)
{
    struct refresh_record r;
    struct grant_record g = { 0 };
    grant_use use = GRANT_USE_UNSET;

    assert_int_equal(store_refresh_find(s, hash(n), now_s, &use, &r, &g, NULL), POSTERN_OK);
    return use;
}

static grant_use rotate(struct store *s, uint8_t old, int64_t now_s, uint8_t next)
{
    struct refresh_record r = make_refresh("g1", next, now_s + 14 * DAY_S);
    grant_use use = GRANT_USE_UNSET;

    assert_int_equal(store_refresh_rotate(s, hash(old), now_s, &r, &use, NULL), POSTERN_OK);
    return use;
}

static void what_was_put_in_comes_out(void **state)
{
    struct fixture *f = *state;
    struct grant_record want = make_grant("g1", NOW_S + 3600), g = { 0 };
    struct code_record c;
    grant_use use = GRANT_USE_UNSET;
    bool is_found = false;

    add(f->store, "g1", 1, NOW_S + 3600);
    assert_int_equal(store_grant_find(f->store, "g1", &is_found, &g, NULL), POSTERN_OK);
    assert_true(is_found);
    assert_string_equal(g.user, want.user);
    assert_string_equal(g.client, want.client);
    assert_string_equal(g.scopes, want.scopes);
    assert_string_equal(g.resources, want.resources);
    assert_string_equal(g.purpose, want.purpose);
    assert_string_equal(g.details, want.details);
    assert_int_equal(g.auth_time_s, want.auth_time_s);
    assert_int_equal(g.ends_s, want.ends_s);
    assert_int_equal(g.ended_s, 0);
    assert_int_equal(store_grant_find(f->store, "G1", &is_found, &g, NULL), POSTERN_OK);
    assert_false(is_found); /* byte for byte */
    assert_int_equal(store_code_find(f->store, hash(1), NOW_S, &use, &c, &g, NULL), POSTERN_OK);
    assert_int_equal(use, GRANT_USED);
    assert_string_equal(c.redirect, "http://127.0.0.1/cb");
    assert_string_equal(c.challenge, "x");
    assert_string_equal(g.id, "g1");
}

static void a_grant_comes_with_its_code_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct grant_record g;
    bool is_found = true;

    add(f->store, "g1", 1, NOW_S + 3600);
    assert_int_equal(try_add(f->store, "g2", 1, NOW_S + 3600), POSTERN_ERR_SYSTEM); /* the code is there */
    assert_int_equal(store_grant_find(f->store, "g2", &is_found, &g, NULL), POSTERN_OK);
    assert_false(is_found);
    assert_int_equal(try_add(f->store, "g1", 2, NOW_S + 3600), POSTERN_ERR_SYSTEM); /* the grant is there */
    assert_int_equal(look_at_code(f->store, 2, NOW_S), GRANT_UNKNOWN);
}

static void a_code_is_used_once_by_whichever_issuer(void **state)
{
    struct fixture *f = *state;
    struct refresh_record r = make_refresh("g1", 10, NOW_S + DAY_S), second = make_refresh("g1", 11, NOW_S + DAY_S);

    add(f->store, "g1", 1, NOW_S + 3600);
    assert_int_equal(look_at_code(f->other, 1, NOW_S), GRANT_USED); /* to look is not to use */
    assert_int_equal(look_at_code(f->store, 1, NOW_S), GRANT_USED);
    assert_int_equal(redeem(f->other, 1, NOW_S, &r), GRANT_USED);
    assert_int_equal(redeem(f->store, 1, NOW_S, &second), GRANT_REUSED);
    assert_int_equal(redeem(f->other, 1, NOW_S, &second), GRANT_REUSED);
    assert_int_equal(look_at_refresh(f->store, 10, NOW_S), GRANT_USED);
    assert_int_equal(look_at_refresh(f->store, 11, NOW_S), GRANT_UNKNOWN); /* the loser's was not kept */
}

static void a_code_ends_and_its_reuse_is_known_for_a_day_longer(void **state)
{
    struct fixture *f = *state;

    add(f->store, "g1", 1, NOW_S + 30 * DAY_S);
    add(f->store, "g2", 2, NOW_S + 30 * DAY_S);
    assert_int_equal(look_at_code(f->store, 1, NOW_S + 59), GRANT_USED);
    assert_int_equal(redeem(f->store, 1, NOW_S + 60, NULL), GRANT_EXPIRED);
    assert_int_equal(redeem(f->store, 2, NOW_S + 1, NULL), GRANT_USED);
    assert_int_equal(look_at_code(f->store, 2, NOW_S + 1000), GRANT_REUSED); /* also behind its end */
    assert_int_equal(store_grants_forget(f->store, NOW_S + 60 + DAY_S, NULL), POSTERN_OK);
    assert_int_equal(look_at_code(f->store, 2, NOW_S + 60 + DAY_S), GRANT_REUSED);
    assert_int_equal(store_grants_forget(f->store, NOW_S + 61 + DAY_S, NULL), POSTERN_OK);
    assert_int_equal(look_at_code(f->store, 2, NOW_S + 61 + DAY_S), GRANT_UNKNOWN);
}

static void a_refresh_token_is_rotated_once_and_remembered_as_used(void **state)
{
    struct fixture *f = *state;
    struct refresh_record r = make_refresh("g1", 10, NOW_S + 14 * DAY_S);

    add(f->store, "g1", 1, NOW_S + 90 * DAY_S);
    assert_int_equal(redeem(f->store, 1, NOW_S, &r), GRANT_USED);
    assert_int_equal(rotate(f->other, 10, NOW_S + 1, 11), GRANT_USED);
    assert_int_equal(rotate(f->store, 10, NOW_S + 2, 12), GRANT_REUSED);
    assert_int_equal(look_at_refresh(f->store, 12, NOW_S + 2), GRANT_UNKNOWN);
    assert_int_equal(rotate(f->store, 99, NOW_S + 2, 12), GRANT_UNKNOWN);
    assert_int_equal(rotate(f->store, 11, NOW_S + 1 + 14 * DAY_S, 12), GRANT_EXPIRED);
    assert_int_equal(rotate(f->store, 11, NOW_S + 14 * DAY_S, 12), GRANT_USED);
}

static void a_rotation_that_cannot_keep_the_new_one_leaves_the_old(void **state)
{
    struct fixture *f = *state;
    struct refresh_record r = make_refresh("g1", 10, NOW_S + 14 * DAY_S), stranger = make_refresh("g9", 11, NOW_S + DAY_S);
    grant_use use = GRANT_USE_UNSET;

    add(f->store, "g1", 1, NOW_S + 90 * DAY_S);
    assert_int_equal(redeem(f->store, 1, NOW_S, &r), GRANT_USED);
    assert_int_equal(store_refresh_rotate(f->store, hash(10), NOW_S, &r, &use, NULL), POSTERN_ERR_SYSTEM); /* there already */
    assert_int_equal(use, GRANT_USE_UNSET);
    assert_int_equal(store_refresh_rotate(f->store, hash(10), NOW_S, &stranger, &use, NULL), POSTERN_ERR_SYSTEM); /* no such grant */
    assert_int_equal(look_at_refresh(f->store, 10, NOW_S), GRANT_USED);
    assert_int_equal(rotate(f->store, 10, NOW_S, 12), GRANT_USED);
}

static void an_ended_grant_takes_everything_along_and_is_revoked(void **state)
{
    struct fixture *f = *state;
    struct refresh_record r = make_refresh("g1", 10, NOW_S + 14 * DAY_S);
    struct revocation *all = NULL;
    size_t count = 0;
    bool is_found = false;

    add(f->store, "g1", 1, NOW_S + 90 * DAY_S);
    add(f->store, "g2", 2, NOW_S + 90 * DAY_S);
    assert_int_equal(redeem(f->store, 1, NOW_S, &r), GRANT_USED);
    assert_int_equal(store_grant_end(f->store, "g1", NOW_S + 5, NOW_S + 500, &is_found, NULL), POSTERN_OK);
    assert_true(is_found);
    assert_int_equal(look_at_code(f->other, 1, NOW_S + 5), GRANT_UNKNOWN);
    assert_int_equal(rotate(f->other, 10, NOW_S + 5, 11), GRANT_UNKNOWN);
    assert_int_equal(look_at_code(f->other, 2, NOW_S + 5), GRANT_USED);
    assert_int_equal(store_revocation_find(f->other, POSTERN_REVOCATION_GRANT, "g1", &is_found, NULL), POSTERN_OK);
    assert_true(is_found);
    assert_int_equal(store_revocations_list(f->other, &all, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 1);
    assert_int_equal(all[0].before_s, NOW_S + 5);
    assert_int_equal(all[0].until_s, NOW_S + 500);
    free(all);
    assert_int_equal(store_grant_end(f->store, "g1", NOW_S + 6, NOW_S + 600, &is_found, NULL), POSTERN_OK);
    assert_false(is_found); /* once */
    assert_int_equal(store_grant_end(f->store, "g9", NOW_S + 6, NOW_S + 600, &is_found, NULL), POSTERN_OK);
    assert_false(is_found);
    assert_int_equal(store_grants_forget(f->store, NOW_S + 7, NULL), POSTERN_OK);
    assert_int_equal(store_revocation_find(f->store, POSTERN_REVOCATION_GRANT, "g1", &is_found, NULL), POSTERN_OK);
    assert_true(is_found); /* the grant is forgotten, its end is not */
}

static void the_end_of_a_grant_is_the_end_of_its_code_and_refresh_token(void **state)
{
    struct fixture *f = *state;
    struct refresh_record r = make_refresh("g1", 10, NOW_S + 14 * DAY_S);

    add(f->store, "g1", 1, NOW_S + 100);
    add(f->store, "g2", 2, NOW_S + 10);
    assert_int_equal(redeem(f->store, 1, NOW_S, &r), GRANT_USED);
    assert_int_equal(look_at_refresh(f->store, 10, NOW_S + 99), GRANT_USED);
    assert_int_equal(rotate(f->store, 10, NOW_S + 100, 11), GRANT_EXPIRED);
    assert_int_equal(redeem(f->store, 2, NOW_S + 10, NULL), GRANT_EXPIRED);
    assert_int_equal(redeem(f->store, 2, NOW_S + 9, NULL), GRANT_USED);
}

static void only_standing_grants_of_the_person_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    struct grant_record g = make_grant("b9", NOW_S + 100), page[2];
    struct code_record c = { .expires_s = NOW_S + 60, .grant = "b9" };
    size_t count = 0;
    bool is_found = false;

    add(f->store, "a1", 1, NOW_S + 100);
    add(f->store, "a2", 2, NOW_S + 100);
    add(f->store, "a3", 3, NOW_S + 100);
    add(f->store, "a4", 4, NOW_S + 10);
    memcpy(g.user, "bob", 4);
    memcpy(c.sha256, hash(9), GRANT_HASH);
    assert_int_equal(store_grant_add(f->store, &g, &c, NULL), POSTERN_OK);
    assert_int_equal(store_grant_end(f->store, "a2", NOW_S, NOW_S + 9, &is_found, NULL), POSTERN_OK);
    assert_int_equal(store_grant_list(f->store, "alice", "", NOW_S, page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 2);
    assert_string_equal(page[0].id, "a1");
    assert_string_equal(page[1].id, "a3");
    assert_int_equal(store_grant_list(f->store, "alice", "a3", NOW_S, page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 1);
    assert_string_equal(page[0].id, "a4");
    assert_int_equal(store_grant_list(f->store, "alice", "a3", NOW_S + 10, page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 0);
    assert_int_equal(store_grant_list(f->store, "carol", "", NOW_S, page, 2, &count, NULL), POSTERN_OK);
    assert_int_equal(count, 0);
}

static void a_one_time_identifier_is_taken_once_per_owner_until_its_end(void **state)
{
    struct fixture *f = *state;
    bool is_first = false;

    assert_int_equal(store_once(f->store, "agent-7", "j1", NOW_S + 60, &is_first, NULL), POSTERN_OK);
    assert_true(is_first);
    assert_int_equal(store_once(f->other, "agent-7", "j1", NOW_S + 60, &is_first, NULL), POSTERN_OK);
    assert_false(is_first);
    assert_int_equal(store_once(f->store, "agent-8", "j1", NOW_S + 60, &is_first, NULL), POSTERN_OK);
    assert_true(is_first);
    assert_int_equal(store_grants_forget(f->store, NOW_S + 60, NULL), POSTERN_OK);
    assert_int_equal(store_once(f->store, "agent-7", "j1", NOW_S + 60, &is_first, NULL), POSTERN_OK);
    assert_false(is_first);
    assert_int_equal(store_grants_forget(f->store, NOW_S + 61, NULL), POSTERN_OK);
    assert_int_equal(store_once(f->store, "agent-7", "j1", NOW_S + 90, &is_first, NULL), POSTERN_OK);
    assert_true(is_first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_in_comes_out),
        TEST(a_grant_comes_with_its_code_or_not_at_all),
        TEST(a_code_is_used_once_by_whichever_issuer),
        TEST(a_code_ends_and_its_reuse_is_known_for_a_day_longer),
        TEST(a_refresh_token_is_rotated_once_and_remembered_as_used),
        TEST(a_rotation_that_cannot_keep_the_new_one_leaves_the_old),
        TEST(an_ended_grant_takes_everything_along_and_is_revoked),
        TEST(the_end_of_a_grant_is_the_end_of_its_code_and_refresh_token),
        TEST(only_standing_grants_of_the_person_are_listed_in_pages),
        TEST(a_one_time_identifier_is_taken_once_per_owner_until_its_end),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
