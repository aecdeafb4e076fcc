/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/helper/handles.c: a handle stands for its token as often and as long as was agreed, and nothing else
 * stands for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "helper/handles.h"
#include "../support/alloc_fail.h"

static struct event_base *base;
static struct handles *handles;

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    assert_non_null(base);
    assert_int_equal(handles_new(base, &handles, NULL), POSTERN_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    handles_free(handles);
    event_base_free(base);
    return 0;
}

static postern_err mint(const char *token, uid_t uid, int64_t uses, int64_t now_ms, char ret[HANDLE_LEN + 1])
{
    return handles_mint(handles,
                        &(struct handle_order){ postern_bytes_str(token), uid, uses, now_ms }, ret, NULL);
}

static postern_err redeem(const char *text, int64_t now_ms, const char *want)
{
    POSTERN_AUTO(secret) token = NULL;
    postern_err e = handles_redeem(handles, postern_bytes_str(text), now_ms, &token, NULL);

    if (e == POSTERN_OK)
        assert_true(postern_bytes_equal_str(postern_secret_bytes(token), want));
    else
        assert_null(token);
    return e;
}

static void a_handle_is_good_once(void **state)
{
    char text[HANDLE_LEN + 1], other[HANDLE_LEN + 1];

    (void)state;
    assert_int_equal(mint("eyJ.a.b", 1, 1, 0, text), POSTERN_OK);
    assert_int_equal(mint("eyJ.a.c", 1, 1, 0, other), POSTERN_OK);
    assert_int_equal(strlen(text), HANDLE_LEN);
    assert_true(postern_token_is_handle(postern_bytes_str(text)));
    assert_string_not_equal(text, other);
    assert_int_equal(redeem(text, 1, "eyJ.a.b"), POSTERN_OK);
    assert_int_equal(redeem(text, 1, ""), POSTERN_ERR_HANDLE);
    assert_int_equal(redeem(other, 1, "eyJ.a.c"), POSTERN_OK);
    assert_int_equal(handles_count(handles), 0);
}

static void uses_are_counted(void **state)
{
    char text[HANDLE_LEN + 1];

    (void)state;
    assert_int_equal(mint("eyJ.a.b", 1, HANDLE_USES_MAX, 0, text), POSTERN_OK);
    for (int i = 0; i < HANDLE_USES_MAX; i++)
        assert_int_equal(redeem(text, 1, "eyJ.a.b"), POSTERN_OK);
    assert_int_equal(redeem(text, 1, ""), POSTERN_ERR_HANDLE);
    assert_int_equal(mint("eyJ.a.b", 1, 0, 0, text), POSTERN_ERR_USAGE);
    assert_int_equal(mint("eyJ.a.b", 1, HANDLE_USES_MAX + 1, 0, text), POSTERN_ERR_USAGE);
}

static void a_handle_ends_with_its_minute(void **state)
{
    char text[HANDLE_LEN + 1];

    (void)state;
    assert_int_equal(mint("eyJ.a.b", 1, 2, 1000, text), POSTERN_OK);
    assert_int_equal(redeem(text, 1000 + HANDLE_LIFE_MS - 1, "eyJ.a.b"), POSTERN_OK);
    assert_int_equal(redeem(text, 1000 + HANDLE_LIFE_MS, ""), POSTERN_ERR_HANDLE);
    assert_int_equal(handles_count(handles), 0); /* and is wiped */
}

static void what_was_never_minted_is_refused(void **state)
{
    static const char *const forged[] = {
        "", "pst_", "pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "eyJ.a.b",
    };
    char text[HANDLE_LEN + 1];

    (void)state;
    assert_int_equal(mint("eyJ.a.b", 1, 1, 0, text), POSTERN_OK);
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++)
        assert_int_equal(redeem(forged[i], 1, ""), POSTERN_ERR_HANDLE);
    for (size_t i = 0; i < HANDLE_LEN; i++) { /* one character of it is another's */
        char was = text[i];
        text[i] = was == 'A' ? 'E' : 'A';
        assert_int_equal(redeem(text, 1, ""), POSTERN_ERR_HANDLE);
        text[i] = was;
    }
    assert_int_equal(redeem(text, 1, "eyJ.a.b"), POSTERN_OK);
}

static void one_user_cannot_take_all_and_all_are_so_many(void **state)
{
    char text[HANDLE_LEN + 1];

    (void)state;
    for (uid_t uid = 0; uid < HANDLES_MAX / HANDLES_PER_USER_MAX; uid++) {
        for (int i = 0; i < HANDLES_PER_USER_MAX; i++)
            assert_int_equal(mint("eyJ.a.b", uid, 1, 0, text), POSTERN_OK);
        assert_int_equal(mint("eyJ.a.b", uid, 1, 0, text), POSTERN_ERR_BUSY);
    }
    assert_int_equal(mint("eyJ.a.b", 4711, 1, 0, text), POSTERN_ERR_BUSY);
    assert_int_equal(mint("eyJ.a.b", 4711, 1, HANDLE_LIFE_MS, text), POSTERN_OK); /* a minute later */
    assert_int_equal(handles_count(handles), 1);
}

static postern_err mint_and_redeem(void *arg, postern_error *err)
{
    POSTERN_AUTO(secret) token = NULL;
    char text[HANDLE_LEN + 1];

    (void)arg;
    handles_sweep(handles, INT64_MAX);
    POSTERN_TRY(handles_mint(handles, &(struct handle_order){ POSTERN_BYTES_LIT("eyJ.a.b"), 1, 2, 0 }, text,
                             err));
    return handles_redeem(handles, postern_bytes_str(text), 1, &token, err);
}

static void without_memory_there_is_no_handle(void **state)
{
    (void)state;
    assert_true(alloc_fail_sweep(mint_and_redeem, NULL, POSTERN_OK) >= 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_handle_is_good_once),
        TEST(uses_are_counted),
        TEST(a_handle_ends_with_its_minute),
        TEST(what_was_never_minted_is_refused),
        TEST(one_user_cannot_take_all_and_all_are_so_many),
        TEST(without_memory_there_is_no_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
