/* SPDX-License-Identifier: BSD-2-Clause */
/* GET and POST /oauth/password: a person gives the old password and a new one. */
#ifndef POSTERN_ISSUER_PASSWORD_CHANGE_H
#define POSTERN_ISSUER_PASSWORD_CHANGE_H

#include "answer.h"
#include "issuer.h"

void password_change(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
