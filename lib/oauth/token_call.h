/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request of an agent to its authorization server: metadata, then a form to an endpoint that
 * the metadata names, with the agent's proof of itself.  The engine behind client_credentials,
 * exchange, refresh, login, redemption and revocation; each brings its parameters and says what an
 * answer means.  A state machine over a transport; opens no socket itself.
 *
 * Whatever is secret goes to the endpoint that the issuer's own metadata names, after the document
 * proved to be the issuer's.
 */
#ifndef POSTERN_LIB_TOKEN_CALL_H
#define POSTERN_LIB_TOKEN_CALL_H

#include <postern-private/form.h>

#include "base/arena.h"
#include "grant/op.h"
#include "oauth/client_auth.h"
#include "oauth/metadata.h"
#include "oauth/token_answer.h"

#define POSTERN_CALL_SECRETS                                                                       \
    3 /* beside client secret and assertion: two tokens, or code and verifier */

struct postern_call;

struct postern_call_kind {
    struct postern_op_class class; /* POSTERN_CALL_CLASS() */
    unsigned needs;                /* POSTERN_NEED_* of the metadata */
    /* NULL: nothing.  Before the first step, with what start() had copied. */
    postern_err (*begin)(struct postern_call *call, postern_error *err);
    /* The endpoint, and what it takes; NULL: metadata is all that is asked for. */
    const struct postern_endpoint *(*endpoint)(const struct postern_call *call,
                                               unsigned *ret_takes);
    /* Status 200, or metadata when there is no endpoint (r NULL). */
    postern_err (*accept)(struct postern_call *call, const struct postern_http_response *r,
                          postern_error *err);
    void (*destroy)(struct postern_call *call); /* of what the kind added; NULL: nothing */
};

struct postern_call_phase;

/* First member of each kind's own struct. */
struct postern_call {
    postern_op op;
    const postern_http_transport *transport;
    postern_arena strings;
    struct postern_issuer issuer;
    postern_agent agent; /* texts in strings, credential in `credential` */
    postern_secret *credential;
    postern_signer *signer;                        /* PRIVATE_KEY_JWT; else NULL */
    postern_buf form;                              /* the grant's own parameters */
    postern_secret *secrets[POSTERN_CALL_SECRETS]; /* what no message may show; NULL: none */
    struct postern_token_asked asked;
    const struct postern_call_phase *phase;
    bool has_begun, is_spent; /* is_spent: postern_acquire_was_sent() */
    size_t place;             /* where metadata is looked for */
    struct postern_metadata metadata;
    struct postern_http_exchange *exchange; /* NULL between two */
    int epoll_fd; /* holds the exchange's: one descriptor for the whole op */
    postern_buf assertion;
    struct postern_token_answer answer; /* its token moves to op.token */
    char oauth_error[POSTERN_OAUTH_ERROR_MAX];
};

postern_err postern_call_step(postern_op *op, postern_error *err);
int postern_call_fd(const postern_op *op);
int postern_call_wait_ms(const postern_op *op);
void postern_call_destroy(postern_op *op);
#define POSTERN_CALL_CLASS(static_name, struct_type)                                               \
    {                                                                                              \
        .name = (static_name), .size = sizeof(struct_type), .step = postern_call_step,             \
        .fd = postern_call_fd, .wait_ms = postern_call_wait_ms, .destroy = postern_call_destroy,   \
    }

/*
 * A call of that kind, freed by postern_op_free(&call->op).
 *   transport   must outlive the call
 *   POSTERN_OK · USAGE · CONFIG_FILE · NOMEM · SYSTEM
 */
POSTERN_MUST_USE postern_err postern_call_new(const struct postern_call_kind *kind,
                                              const postern_http_transport *transport,
                                              const postern_clock *clock,
                                              const postern_agent *agent, struct postern_call **ret,
                                              postern_error *err);
/* The call goes to the caller as an op, when its form is whole; freed otherwise.
 * POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_call_hand_over(struct postern_call *take_call,
                                                    postern_op **ret_op, postern_error *err);
/* Metadata that is known already: the first request goes to the endpoint. */
void postern_call_set_metadata(struct postern_call *call, const struct postern_metadata *metadata);
/* Add a parameter; NULL: left out. */
void postern_call_add(struct postern_call *call, const char *name, const char *value);
/* Add one that no message may show.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_call_add_secret(struct postern_call *call, const char *name,
                                                     postern_bytes value, postern_error *err);
/* A copy that lives as long as the call; NULL stays NULL.  POSTERN_OK · NOMEM */
POSTERN_MUST_USE postern_err postern_call_copy(struct postern_call *call, const char *from,
                                               const char **ret, postern_error *err);
/* `resource` and `scope`, checked, added, and remembered for the answer.  POSTERN_OK · USAGE ·
 * NOMEM */
POSTERN_MUST_USE postern_err postern_call_add_target(struct postern_call *call,
                                                     const char *resource, const char *scope,
                                                     postern_error *err);
/* The token endpoint, and an answer with a token: what most kinds need. */
const struct postern_endpoint *postern_call_token_endpoint(const struct postern_call *call,
                                                           unsigned *ret_takes);
postern_err postern_call_accept_token(struct postern_call *call,
                                      const struct postern_http_response *r, postern_error *err);
/* The op as a call, or NULL when it is another operation. */
struct postern_call *postern_call_of(postern_op *op);

#endif
