/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The login of protocols that have none of their own, in three forms of which the first bytes say
 * which it is: the line `AUTH OAUTHBEARER <base64>`, the line `RENEW <session> <token>`, or an HTTP
 * CONNECT.  postern-raw(7).  The doors that speak it put its state into their own.
 */
#ifndef POSTERN_ADAPTERS_LOGIN_H
#define POSTERN_ADAPTERS_LOGIN_H

#include "answer.h"
#include "raw_connect.h"

typedef enum login_form {
    LOGIN_FORM_NONE = 0,
    LOGIN_FORM_AUTH,
    LOGIN_FORM_RENEW,
    LOGIN_FORM_CONNECT
} login_form;

/* Zeroed before the first byte; the members are login.c's. */
struct login {
    login_form form;
    bool is_read;                       /* LOGIN or RENEW was said */
    postern_err refusal;                /* what REJECT said; UNSET before */
    char sentence[ANSWER_SENTENCE_MAX]; /* of that refusal, for the client; "": the code's own */
    struct line_scan scan;
    struct connect_head head;
    struct credential *credential; /* of AUTH and Basic, once the login is complete */
};

/* As adapter.feed: MORE, LOGIN, RENEW or REJECT. */
adapter_feed login_feed(struct login *s, postern_bytes in, size_t *ret_used,
                        struct adapter_login *ret, postern_error *err);
/* As adapter.grant and adapter.deny, in the form of the login. */
void login_put_grant(const struct login *s, const struct adapter_granted *g, postern_buf *out);
void login_put_refusal(const struct login *s, const struct adapter_denied *d, postern_buf *out);
void login_wipe(struct login *s);

#endif
