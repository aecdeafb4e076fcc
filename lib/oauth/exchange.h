/* SPDX-License-Identifier: BSD-2-Clause */
/* postern_exchange_start() with the transport as a parameter. */
#ifndef POSTERN_LIB_EXCHANGE_H
#define POSTERN_LIB_EXCHANGE_H

#include <postern/exchange.h>

#include "http/http.h"

#define POSTERN_PURPOSE_TEXT_MAX 256 /* bytes: as the claim (postern-policy(5)) */
/* Bytes; the server's own limit for a body is the next one. */
#define POSTERN_AUTHORIZATION_DETAILS_MAX 8192

/* `transport` must outlive the op. */
POSTERN_MUST_USE postern_err postern_exchange_start_with(const postern_http_transport *transport,
                                                         const postern_clock *clock,
                                                         const postern_exchange *rq,
                                                         postern_op **ret_op, postern_error *err);

#endif
