/* SPDX-License-Identifier: BSD-2-Clause */
/* See client_auth.h. */
#include "oauth/client_auth.h"

#include <sys/random.h>

#include <postern-private/form.h>
#include <postern-private/json.h>

#include "oauth/metadata.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_TYP  "client-authentication+jwt" /* rfc7523bis §4.1 */
#define JTI_OCTETS     16                          /* 128 bits */

/* "Basic " and both parts form-encoded, then base64: RFC 6749 §2.3.1. */
static void write_basic(const struct postern_client_proof *p, postern_buf *out)
{
    POSTERN_AUTO_BUF pair = POSTERN_BUF_INIT(POSTERN_BASIC_MAX);

    postern_form_encode(postern_bytes_str(p->client_id), &pair);
    postern_buf_add_byte(&pair, ':');
    postern_form_encode(p->secret, &pair);
    out->failed = out->failed || pair.failed;
    postern_buf_add_str(out, "Basic ");
    postern_base64_encode(postern_buf_bytes(&pair), out);
}

static void add_secret(const struct postern_client_proof *p, unsigned takes,
                       postern_buf *authorization, postern_buf *body)
{
    if (takes != POSTERN_TAKES_POST) {
        write_basic(p, authorization);
        return;
    }
    postern_form_add(body, "client_id", postern_bytes_str(p->client_id));
    postern_form_add(body, "client_secret", p->secret);
}

static postern_err write_claims(const struct postern_client_proof *p, int64_t now_s,
                                postern_buf *out, postern_error *err)
{
    POSTERN_AUTO_BUF jti = POSTERN_BUF_INIT(64);
    postern_json_writer w = { out, false };
    uint8_t random[JTI_OCTETS];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return POSTERN_FAIL(err, SYSTEM, "getrandom: %m");
    postern_base64url_encode((postern_bytes){ random, sizeof random }, &jti);
    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "iss", p->client_id);
    postern_json_put_str(&w, "sub", p->client_id);
    postern_json_put_str(&w, "aud", p->issuer); /* one string: never a list, never an endpoint */
    postern_json_put_string(&w, "jti", postern_buf_bytes(&jti));
    postern_json_put_integer(&w, "iat", now_s);
    postern_json_put_integer(&w, "exp", now_s + POSTERN_ASSERTION_LIFE_S);
    postern_json_close_object(&w);
    return jti.failed || out->failed ? POSTERN_FAIL(err, NOMEM, "an assertion") : POSTERN_OK;
}

static postern_err add_assertion(const struct postern_client_proof *p, int64_t now_s,
                                 postern_buf *body, postern_buf *assertion, postern_error *err)
{
    POSTERN_AUTO_BUF claims = POSTERN_BUF_INIT(POSTERN_ASSERTION_MAX);

    POSTERN_TRY(write_claims(p, now_s, &claims, err));
    POSTERN_TRY(
        postern_signer_sign(p->signer, ASSERTION_TYP, postern_buf_bytes(&claims), assertion, err));
    postern_form_add(body, "client_assertion_type", POSTERN_BYTES_LIT(ASSERTION_TYPE));
    postern_form_add(body, "client_assertion", postern_buf_bytes(assertion));
    return POSTERN_OK;
}

postern_err postern_client_auth_add(const struct postern_client_proof *proof, unsigned takes,
                                    int64_t now_s, postern_buf *authorization, postern_buf *body,
                                    postern_buf *assertion, postern_error *err)
{
    switch (proof->auth) {
    case POSTERN_CLIENT_AUTH_SECRET:
        add_secret(proof, takes, authorization, body);
        break;
    case POSTERN_CLIENT_AUTH_PRIVATE_KEY_JWT:
        POSTERN_TRY(add_assertion(proof, now_s, body, assertion, err));
        break;
    case POSTERN_CLIENT_AUTH_NONE: /* RFC 6749 §3.2.1 */
        postern_form_add(body, "client_id", postern_bytes_str(proof->client_id));
        break;
    }
    return authorization->failed || body->failed ? POSTERN_FAIL(err, NOMEM, "client authentication")
                                                 : POSTERN_OK;
}
