/* SPDX-License-Identifier: BSD-2-Clause */
/* See verify_run.h. */
#include <postern/validate.h>

#include "verify_clients.h"
#include "verify_run.h"

#define TOKEN_SERVICE "token" /* the service of postern_config_new_token_check() */

static postern_err make_config(const struct verify_run *v, postern_config **ret, postern_error *err)
{
    if (v->service == NULL)
        return postern_config_new_token_check(v->issuer, v->audience, v->jwks_file, NULL, ret, err);
    return postern_config_load(v->config_dir == NULL ? POSTERN_SYSCONFDIR : v->config_dir, ret,
                               err);
}

static int64_t get_fixed_now(void *arg)
{
    return *(const int64_t *)arg;
}

static postern_err make_context(const struct verify_run *v, postern_context **ret,
                                postern_error *err)
{
    postern_clock fixed = { get_fixed_now, NULL, (void *)(uintptr_t)&v->now_s };
    POSTERN_AUTO(config) config = NULL;

    POSTERN_TRY(make_config(v, &config, err));
    POSTERN_TRY(postern_context_new(POSTERN_STEAL(config), v->now_s < 0 ? NULL : &fixed, ret, err));
    return v->service == NULL ? POSTERN_OK : verify_give_clients(*ret, v->service, err);
}

postern_err verify_run(const struct verify_run *v, postern_bytes token, postern_trail *trail,
                       postern_grant **ret, postern_error *err)
{
    POSTERN_AUTO(context) context = NULL; /* set by make_context() also where it fails */
    POSTERN_AUTO(op) op = NULL;
    postern_request request = {
        .size = sizeof request,
        .service = v->service == NULL ? TOKEN_SERVICE : v->service,
        .token = token,
        .carrier = POSTERN_CARRIER_SASL,
        .tls = POSTERN_TLS_LOCAL,
        .extra_scopes = v->scopes,
        .trail = trail,
    };

    POSTERN_TRY(make_context(v, &context, err));
    POSTERN_TRY(postern_validate_start(context, &request, &op, err));
    POSTERN_TRY(postern_op_run(op, err));
    *ret = postern_op_take_grant(op);
    return *ret != NULL ? POSTERN_OK : POSTERN_FAIL(err, INTERNAL, "a proof without a grant");
}
