/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffer, secret and arena when memory runs out: nothing is lost, nothing half-done is called done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "../support/alloc_fail.h"

static postern_err make_a_secret(void *arg, postern_error *err)
{
    POSTERN_AUTO(secret) s = NULL;

    (void)arg;
    return postern_secret_new(POSTERN_BYTES_LIT("token"), &s, err);
}

static void a_secret_without_memory_is_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(alloc_fail_sweep(make_a_secret, NULL, POSTERN_OK), 1);
}

static void a_buffer_that_cannot_grow_keeps_what_it_has(void **state)
{
    POSTERN_AUTO_BUF b = POSTERN_BUF_INIT(1000);

    (void)state;
    postern_buf_add_str(&b, "kept");
    alloc_fail_arm(1);
    for (int i = 0; i < 100 && !b.failed; i++)
        postern_buf_addf(&b, "%s", "0123456789");
    assert_true(alloc_fail_disarm());
    assert_true(b.failed);
    assert_memory_equal(b.ptr, "kept0123456789", 14);
    assert_null(postern_buf_cstr(&b));
    postern_buf_reset(&b);
    postern_buf_add_str(&b, "again");
    assert_string_equal(postern_buf_cstr(&b), "again");
}

static void an_arena_without_memory_gives_null_and_goes_on_later(void **state)
{
    postern_arena a = POSTERN_ARENA_INIT(100);

    (void)state;
    alloc_fail_arm(1);
    assert_null(postern_arena_text(&a, POSTERN_BYTES_LIT("alice")));
    assert_true(alloc_fail_disarm());
    assert_string_equal(postern_arena_text(&a, POSTERN_BYTES_LIT("alice")), "alice");
    postern_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_without_memory_is_out_of_memory),
        cmocka_unit_test(a_buffer_that_cannot_grow_keeps_what_it_has),
        cmocka_unit_test(an_arena_without_memory_gives_null_and_goes_on_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
