/* SPDX-License-Identifier: BSD-2-Clause */
/* The login page: name and password, slowed down for who guesses, and the way out. */
#ifndef POSTERN_ISSUER_LOGIN_H
#define POSTERN_ISSUER_LOGIN_H

#include "answer.h"
#include "authorize_request.h"
#include "visitor.h"

struct login_page {
    const char *request;                  /* query of the authorization request; "": none */
    const struct authorize_request *asks; /* that request; NULL: none */
    const char *name;                     /* typed before; NULL: nothing */
    bool is_wrong;                        /* name or password were */
};
void login_show(struct issuer *is, const struct visitor *v, const struct login_page *page,
                struct answer *a);
/* GET and POST /oauth/login */
void login(struct issuer *is, const struct http_request *rq, struct answer *a);
/* POST /oauth/logout */
void logout(struct issuer *is, const struct http_request *rq, struct answer *a);

#endif
