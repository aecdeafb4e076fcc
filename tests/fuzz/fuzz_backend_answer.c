/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend answers to a door's own login: nothing but a whole grant opens anything, and what a
 * refusal says reaches a log as plain text.  The first byte: a renewal's answer or a login's. */
#include <stdlib.h>
#include <string.h>

#include "door/backend_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static void check_grant(const struct backend_answer *a, bool is_renewal)
{
    size_t len = strnlen(a->session, sizeof a->session);

    must(a->lease_s >= 0 && len < sizeof a->session && (len == 0) == is_renewal);
    must(strspn(a->session,
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backend_answer a;
    postern_error err = { .code = POSTERN_ERR_UNSET };
    bool is_renewal;
    postern_err e;

    if (size == 0)
        return 0;
    is_renewal = (data[0] & 1) != 0;
    e = backend_answer_read((postern_bytes){ data + 1, size - 1 }, is_renewal, &a, &err);
    if (e == POSTERN_OK) {
        check_grant(&a, is_renewal);
        return 0;
    }
    must(e == POSTERN_ERR_BACKEND && err.code == e);
    for (const char *c = err.detail; *c != '\0'; c++)
        must((uint8_t)*c >= 0x20 && (uint8_t)*c < 0x7f);
    return 0;
}
