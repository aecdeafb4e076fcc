/* SPDX-License-Identifier: BSD-2-Clause */
/* postern_acquire_start() with the transport as a parameter: tests bring a fake,
 * <postern/acquire.h> brings libcurl. */
#ifndef POSTERN_LIB_CLIENT_CREDENTIALS_H
#define POSTERN_LIB_CLIENT_CREDENTIALS_H

#include <postern/acquire.h>

#include "http/http.h"

/* `transport` must outlive the op. */
POSTERN_MUST_USE postern_err postern_acquire_start_with(const postern_http_transport *transport,
                                                        const postern_clock *clock,
                                                        const postern_acquire *rq,
                                                        postern_op **ret_op, postern_error *err);

#endif
