/* SPDX-License-Identifier: BSD-2-Clause */
/* The raw door: a login of login.h, then the backend's own bytes, of which none is judged. */
#include "raw.h"

#include "login.h"

static adapter_feed raw_feed(void *state, postern_bytes in, size_t *ret_used,
                             struct adapter_login *ret, postern_error *err)
{
    return login_feed(state, in, ret_used, ret, err);
}

static void raw_grant(void *state, const struct adapter_granted *g, postern_buf *out)
{
    login_put_grant(state, g, out);
}

static void raw_deny(void *state, const struct adapter_denied *d, postern_buf *out)
{
    login_put_refusal(state, d, out);
}

static void raw_wipe(void *state)
{
    login_wipe(state);
}

const struct adapter raw_adapter = {
    .name = "raw",
    .state_size = sizeof(struct login),
    .feed = raw_feed,
    .grant = raw_grant,
    .deny = raw_deny,
    .wipe = raw_wipe,
};
