/* SPDX-License-Identifier: BSD-2-Clause */
/* postern_survey_start() with the transport as a parameter: tests bring a fake, <postern/survey.h>
 * brings libcurl. */
#ifndef POSTERN_LIB_SURVEY_H
#define POSTERN_LIB_SURVEY_H

#include <postern/survey.h>

#include "http/http.h"

/* `transport` must outlive the op. */
POSTERN_MUST_USE postern_err postern_survey_start_with(const postern_http_transport *transport,
                                                       const postern_survey_target *target,
                                                       const postern_clock *clock,
                                                       postern_op **ret_op, postern_error *err);

#endif
