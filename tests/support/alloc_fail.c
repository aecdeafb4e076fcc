/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header.  The linker's --wrap sends our calls of malloc(3) and its kin here
 * (tests/support/local.mk). */
#include "alloc_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#define ALLOCATIONS_MAX 100000 /* more in one operation is a loop, not a test */

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void *__real_reallocarray(void *old, size_t count, size_t len);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
void *__wrap_reallocarray(void *old, size_t count, size_t len);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);

static unsigned countdown; /* 0: not armed */
static bool has_fired;

static bool must_fail(void)
{
    if (countdown == 0 || --countdown != 0)
        return false;
    has_fired = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t len)
{
    return must_fail() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return must_fail() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return must_fail() ? NULL : __real_realloc(old, len);
}

void *__wrap_reallocarray(void *old, size_t count, size_t len)
{
    return must_fail() ? NULL : __real_reallocarray(old, count, len);
}

char *__wrap_strdup(const char *s)
{
    return must_fail() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t len)
{
    return must_fail() ? NULL : __real_strndup(s, len);
}

void alloc_fail_arm(unsigned nth)
{
    countdown = nth;
    has_fired = false;
}

bool alloc_fail_disarm(void)
{
    countdown = 0;
    return has_fired;
}

unsigned alloc_fail_sweep(alloc_fail_run run, void *arg, postern_err want)
{
    for (unsigned nth = 1; nth < ALLOCATIONS_MAX; nth++) {
        postern_error err = { .code = POSTERN_ERR_UNSET };
        postern_err e;

        alloc_fail_arm(nth);
        e = run(arg, &err);
        if (!alloc_fail_disarm()) {
            assert_string_equal(postern_err_reason(e), postern_err_reason(want));
            return nth - 1;
        }
        if (e != POSTERN_ERR_NOMEM || err.code != POSTERN_ERR_NOMEM)
            fail_msg("allocation %u refused: returned %s, recorded %s (%s)", nth,
                     postern_err_reason(e), postern_err_reason(err.code), err.detail);
    }
    fail_msg("more than %d allocations", ALLOCATIONS_MAX);
    return 0;
}
