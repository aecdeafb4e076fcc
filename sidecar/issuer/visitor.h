/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who looks at a page: the browser by its cookie, and the person by the session that belongs to
 * it.  A browser gets a cookie with its first page; a login gives it another one, so that nobody
 * who knew the first is logged in with it (session fixation).
 */
#ifndef POSTERN_ISSUER_VISITOR_H
#define POSTERN_ISSUER_VISITOR_H

#include <postern-private/form.h>

#include "answer.h"
#include "cookies.h"
#include "form_token.h"
#include "issuer.h"
#include "store_users.h"

#define SESSION_LIFE_S 28800 /* a working day, then the password again */
#define SESSION_IDLE_S 1800  /* a browser that was left open */
#define SESSION_TOUCH_S 60   /* its use is written down so seldom: a write waits for the disk */

struct visitor {
    char cookie[COOKIE_VALUE_MAX]; /* never "" */
    bool is_cookie_new;            /* it is to be set with the answer */
    bool is_logged_in;
    struct session_record session; /* when logged in */
};

/* False: answered (no randomness, the store failed). */
POSTERN_MUST_USE bool visitor_find(struct issuer *is, const struct http_request *rq,
                                   struct visitor *ret, struct answer *a);
/* The token of a form for this visitor.  False: no memory, no randomness. */
POSTERN_MUST_USE bool visitor_make_token(const struct issuer *is, const struct visitor *v,
                                         const char *purpose, const char *text,
                                         char ret[FORM_TOKEN_MAX]);
/*
 * Read a POST of a page of ours.  Says no, as a page, when it is no form, comes from another site
 * (Sec-Fetch-Site, Origin), or does not fit its token; `text_name` is the field that the token is
 * bound to, NULL: none.
 *
 *   ret_nonce   of the token
 *   False: answered
 */
POSTERN_MUST_USE bool visitor_read_form(struct issuer *is, const struct http_request *rq,
                                        const struct visitor *v, const char *purpose,
                                        const char *text_name, postern_form **ret,
                                        char ret_nonce[FORM_TOKEN_NONCE_MAX], struct answer *a);
/*
 * Log `user` in: a new session with a new cookie, in the answer; the session of before ends.
 *   POSTERN_OK · POSTERN_ERR_SYSTEM · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err visitor_log_in(struct issuer *is, const char *old_cookie,
                                            const char *user, struct answer *a,
                                            postern_error *err);
/* False: answered. */
POSTERN_MUST_USE bool visitor_log_out(struct issuer *is, const struct visitor *v,
                                      struct answer *a);

#endif
