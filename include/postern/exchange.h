/* SPDX-License-Identifier: BSD-2-Clause */
/* One token for another (RFC 8693): a person's token for one that another service takes, in which
 * the agent's name stands beside the person's. */
#ifndef POSTERN_EXCHANGE_H
#define POSTERN_EXCHANGE_H

#include <postern/agent.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_TOKEN_TYPE_ACCESS "urn:ietf:params:oauth:token-type:access_token"
#define POSTERN_TOKEN_TYPE_JWT    "urn:ietf:params:oauth:token-type:jwt"
#define POSTERN_TOKEN_TYPE_ID     "urn:ietf:params:oauth:token-type:id_token"

/* What is asked for; everything is copied. */
typedef struct postern_exchange {
    size_t        size;                  /* sizeof(postern_exchange) */
    postern_agent agent;
    postern_bytes subject_token;         /* 1..POSTERN_TOKEN_MAX bytes */
    const char   *subject_token_type;    /* NULL: POSTERN_TOKEN_TYPE_ACCESS */
    postern_bytes actor_token;           /* empty: the server takes the asking client as actor */
    const char   *actor_token_type;      /* NULL: POSTERN_TOKEN_TYPE_ACCESS */
    const char   *resource;              /* RFC 8707; the one audience of the new token */
    const char   *scope;                 /* space-separated; NULL: the server's choice */
    const char   *purpose;               /* why, 1..256 printable bytes; NULL: not said */
    const char   *authorization_details; /* RFC 9396, a JSON array; NULL: none */
} postern_exchange;

/*
 * Begin an exchange.  Only a bearer access token is taken as the answer: issued_token_type must be
 * POSTERN_TOKEN_TYPE_ACCESS and token_type Bearer; a refresh token in it is dropped.
 *
 *   clock    NULL: the system's
 *   ret_op   POSTERN_OK from step(): postern_op_take_token(), postern_acquire_info()
 *   POSTERN_OK · USAGE (a member is missing or malformed) · CONFIG_FILE · NOMEM · SYSTEM
 *   step():  as postern_acquire_start()
 *
 * RFC 8693 §2.
 */
POSTERN_MUST_USE postern_err postern_exchange_start(const postern_clock *clock,
                                                    const postern_exchange *rq, postern_op **ret_op,
                                                    postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
