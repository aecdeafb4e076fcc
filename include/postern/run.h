/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token from `postern token`, for libraries inside of login programs (the SASL plugin, the hook of
 * libpq): that program reads the client file, compares the host with its `hosts:`, talks to the
 * authorization server and keeps the cache; here it is only run.
 */
#ifndef POSTERN_RUN_H
#define POSTERN_RUN_H

#include <postern/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Start asking for a token that will be sent to `service` of `host`.  Runs `postern token --quiet
 * --for-host HOST --for-service SERVICE` with fixed arguments, no shell, none of the process's
 * descriptors, and a deadline; only where a client is configured at all (POSTERN_CLIENT,
 * client.conf), and never in a set-user-id process.  postern_op_take_token() gives it.
 *
 *   host, service   copied
 *   POSTERN_OK · POSTERN_ERR_NOMEM; from postern_op_step(): NO_TOKEN (no client is configured, or
 *   host or service has no plain name) · SYSTEM · TIMEOUT · TOKEN_REFUSED (it ended with an error) ·
 *   NOMEM
 */
POSTERN_MUST_USE postern_err postern_run_token_start(const char *host, const char *service,
                                                     postern_op **ret_op, postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
