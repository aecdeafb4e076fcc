/* SPDX-License-Identifier: BSD-2-Clause */
/* See introspection_call.h. */
#include "introspection_call.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include <postern-private/form.h>

/* The token, percent-encoded at worst wholly, and an assertion. */
#define BODY_MAX (3 * POSTERN_TOKEN_MAX + 2 * POSTERN_ASSERTION_MAX + 4096)

static void wipe_question(struct introspection_call *c)
{
    postern_secret_free(POSTERN_STEAL(c->token));
    postern_buf_free(&c->authorization);
    postern_buf_free(&c->body);
    postern_buf_free(&c->assertion);
}

static void free_call(void *job)
{
    struct introspection_call *c = job;

    wipe_question(c);
    postern_introspection_free(&c->answer);
    free(c);
}

postern_err postern_introspection_call_new(const struct server *server,
                                           const struct introspection_client *client,
                                           const struct postern_metadata *metadata,
                                           postern_bytes token, struct introspection_call **ret,
                                           postern_error *err)
{
    struct introspection_call *c = calloc(1, sizeof *c);
    postern_err e;

    if (c == NULL)
        return POSTERN_FAIL(err, NOMEM, "introspection");
    c->server = server;
    c->client = client;
    if (metadata != NULL) {
        c->endpoint = metadata->introspection;
        c->takes = metadata->introspection_auth;
    }
    c->authorization = POSTERN_BUF_INIT(POSTERN_BASIC_MAX);
    c->body = POSTERN_BUF_INIT(BODY_MAX);
    c->assertion = POSTERN_BUF_INIT(POSTERN_ASSERTION_MAX);
    c->answer = POSTERN_INTROSPECTION_INIT;
    c->retry_after_s = -1;
    e = postern_secret_new(token, &c->token, err);
    if (e != POSTERN_OK) {
        free_call(c);
        return e;
    }
    *ret = c;
    return POSTERN_OK;
}

/* ---- the question ---- */

static postern_err ask(void *job, struct postern_http_request *rq, postern_error *err)
{
    struct introspection_call *c = job;
    const postern_agent *agent = &c->client->agent;
    const struct postern_client_proof proof = {
        .auth = agent->auth,
        .issuer = agent->issuer,
        .client_id = agent->client_id,
        .secret = agent->credential,
        .signer = c->client->signer,
    };

    postern_form_add(&c->body, "token", postern_secret_bytes(c->token));
    postern_form_add(&c->body, "token_type_hint", POSTERN_BYTES_LIT("access_token"));
    POSTERN_TRY(postern_client_auth_add(&proof, c->takes,
                                        c->server->clock.now_s(c->server->clock.arg),
                                        &c->authorization, &c->body, &c->assertion, err));
    postern_server_request(c->server, rq);
    rq->method = "POST";
    rq->url = c->endpoint.url;
    rq->is_host_configured = c->endpoint.is_host_configured;
    rq->authorization = postern_buf_bytes(&c->authorization);
    rq->body = postern_buf_bytes(&c->body);
    rq->body_max = POSTERN_INTROSPECTION_MAX;
    rq->listener_uid = agent->loopback_uid;
    return POSTERN_OK;
}

#define SHA256_BYTES 32

/* By its hash, which is all that the issuer has of it: the token stays here. */
static postern_err ask_line(void *job, struct postern_http_request *rq, postern_error *err)
{
    struct introspection_call *c = job;
    postern_bytes token = postern_secret_bytes(c->token);
    uint8_t digest[SHA256_BYTES];

    if (EVP_Digest(token.ptr, token.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return POSTERN_FAIL(err, NOMEM, "hashing a token");
    postern_base64url_encode((postern_bytes){ digest, sizeof digest }, &c->body);
    if (c->body.failed)
        return POSTERN_FAIL(err, NOMEM, "introspection");
    rq->body = postern_buf_bytes(&c->body);
    rq->body_max = POSTERN_INTROSPECTION_MAX;
    return POSTERN_OK;
}

/* ---- the answer ---- */

/* It is our own proof that the server does not take, not the token (RFC 7662 §2.3). */
static postern_err refuse_us(struct introspection_call *c, int status, postern_error *err)
{
    char quoted[300];

    /* 403 is also what a guard in front of the server says to a token that looks like an attack: were
     * that everybody's pause, one stranger could keep everybody out. */
    c->refused_us = status == 401;
    return POSTERN_FAIL(err, ISSUER_ANSWER,
                        "introspection: status %d to our own credentials: look at client: of the "
                        "issuer file and at clients/, client_id \"%s\"",
                        status,
                        postern_error_quote(c->client->agent.client_id,
                                            strlen(c->client->agent.client_id), quoted,
                                            sizeof quoted));
}

/* What a server may say in place of an answer (RFC 6749 §5.2, RFC 7009 §2.2.1).  A word of its own is
 * not repeated: it might be the token. */
static const struct refusal {
    const char *word;
    bool is_about_us;
} refusals[] = {
    { "invalid_client", true },
    { "unauthorized_client", true },
    { "unsupported_token_type", false },
    { "invalid_request", false },
};

/* NULL: none of those. */
static const struct refusal *read_refusal(const postern_json *j)
{
    uint32_t error = postern_json_member(j, 0, "error");

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (postern_json_type_of(j, error) == POSTERN_JSON_STRING &&
            postern_json_string_is(j, error, refusals[i].word))
            return &refusals[i];
    return NULL;
}

static postern_err refuse_question(struct introspection_call *c,
                                   const struct postern_http_response *r, postern_error *err)
{
    POSTERN_AUTO_JSON j = { 0 };
    const struct refusal *said = NULL;
    postern_err e = postern_answer_scan(r, &j, err);

    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e == POSTERN_OK)
        said = read_refusal(&j);
    if (said == NULL)
        return postern_answer_refuse_status(r, "introspection", err);
    if (said->is_about_us)
        return refuse_us(c, r->status, err);
    return POSTERN_FAIL(err, ISSUER_ANSWER, "introspection: status %d, %s", r->status, said->word);
}

static postern_err take(void *job, const struct postern_http_response *r, postern_error *err)
{
    struct introspection_call *c = job;

    wipe_question(c);
    c->retry_after_s = r->retry_after_s;
    c->stumbled = r->status == 500;
    switch (r->status) {
    case 200:
        return postern_introspection_read(r, &c->answer, err);
    case 401:
    case 403:
        return refuse_us(c, r->status, err);
    case 400:
        return refuse_question(c, r, err);
    default:
        return postern_answer_refuse_status(r, "introspection", err);
    }
}

static postern_err take_line(void *job, const struct postern_http_response *r, postern_error *err)
{
    struct introspection_call *c = job;

    wipe_question(c);
    return postern_introspection_read(r, &c->answer, err);
}

const struct fetch_kind postern_introspection_call_kind = { "introspection", ask, take, free_call };
const struct fetch_kind postern_introspection_line_kind = { "introspection", ask_line, take_line,
                                                            free_call };
