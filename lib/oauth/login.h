/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of <postern/login.h> with the transport as a parameter. */
#ifndef POSTERN_LIB_LOGIN_H
#define POSTERN_LIB_LOGIN_H

#include <postern/login.h>

#include "http/http.h"

/* `transport` must outlive the op, and a login's the redemption. */
POSTERN_MUST_USE postern_err postern_login_start_with(const postern_http_transport *transport,
                                                      const postern_clock *clock,
                                                      const postern_login *rq, postern_op **ret_op,
                                                      postern_error *err);
POSTERN_MUST_USE postern_err postern_refresh_start_with(const postern_http_transport *transport,
                                                        const postern_clock *clock,
                                                        const postern_refresh *rq,
                                                        postern_op **ret_op, postern_error *err);
POSTERN_MUST_USE postern_err postern_revoke_start_with(const postern_http_transport *transport,
                                                       const postern_clock *clock,
                                                       const postern_revoke *rq,
                                                       postern_op **ret_op, postern_error *err);

#endif
