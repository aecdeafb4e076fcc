/* SPDX-License-Identifier: BSD-2-Clause */
/* A door's answer: whatever it is, a grant has a lease and a session that a RENEW line can carry, and every text ends. */
#include <stdlib.h>

#include <postern/oauthbearer.h>

#include "connect_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void judge(postern_bytes line, bool is_renewal)
{
    struct connect_answer a;
    postern_error err = { 0 };
    postern_err e = connect_answer_parse(line, is_renewal, &a, &err);

    demand(e == POSTERN_OK || e == POSTERN_ERR_DOOR_ANSWER || e == POSTERN_ERR_NOMEM);
    demand(e == POSTERN_OK || (!a.is_granted && a.session[0] == '\0'));
    if (a.is_granted) {
        demand(a.lease_s >= 0 && a.lease_s <= ANSWER_LEASE_MAX_S);
        demand(is_renewal == (a.session[0] == '\0'));
        demand(is_renewal || postern_token_is_token68(postern_bytes_str(a.session)));
    }
    demand(strlen(a.because) < sizeof a.because && strlen(a.session) <= ANSWER_SESSION_MAX);
    connect_answer_wipe(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes in = { data, size }, line = POSTERN_BYTES_NONE;
    size_t used = 0;

    if (connect_answer_find(in, &line, &used, NULL) == POSTERN_OK) {
        demand(used <= size && used <= ANSWER_LINE_MAX && line.len + 2 == used);
        judge(line, false);
        judge(line, true);
    }
    return 0;
}
