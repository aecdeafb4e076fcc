/* SPDX-License-Identifier: BSD-2-Clause */
/* As whom `postern verify` asks an issuer about a token (RFC 7662): as posternd does, where whoever
 * calls it may read the credential. */
#ifndef POSTERN_CLI_VERIFY_CLIENTS_H
#define POSTERN_CLI_VERIFY_CLIENTS_H

#include <postern/context.h>

/*
 *   service   of services/ or doors/; those of the issuers that it trusts are read
 *   POSTERN_OK · POSTERN_ERR_CONFIG_FILE · POSTERN_ERR_CONFIG_VALUE · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err verify_give_clients(postern_context *ctx, const char *service,
                                                 postern_error *err);

#endif
