/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern token` says: the token on standard output, everything else in plain words on
 * standard error. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <postern-private/json.h>
#include <postern/exchange.h>

#include "cli.h"
#include "token.h"

#define OUTPUT_MAX 20480 /* bytes: the longest token, scope and names */

static void write_json(postern_bytes token, const postern_token_info *info, const char *issued_type,
                       postern_buf *out)
{
    postern_json_writer w = { .out = out };

    postern_json_open_object(&w, NULL);
    postern_json_put_string(&w, "access_token", token);
    postern_json_put_str(&w, "issued_token_type", issued_type);
    postern_json_put_str(&w, "token_type", "Bearer");
    if (info->expires_in_s >= 0)
        postern_json_put_integer(&w, "expires_in", info->expires_in_s);
    postern_json_put_str(&w, "scope", info->scope);
    postern_json_close_object(&w);
}

/* Not by stdio: its buffer is never wiped. */
static postern_err write_out(const postern_buf *out, postern_error *err)
{
    if (out->failed)
        return POSTERN_FAIL(err, NOMEM, "a token to print");
    for (size_t at = 0; at < out->len;) {
        ssize_t n = write(STDOUT_FILENO, out->ptr + at, out->len - at);

        if (n < 0 && errno != EINTR)
            return POSTERN_FAIL(err, SYSTEM, "writing the token: %m");
        at += n > 0 ? (size_t)n : 0;
    }
    return POSTERN_OK;
}

static postern_err print(postern_bytes token, const postern_token_info *info,
                         const char *issued_type, bool is_json, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OUTPUT_MAX);

    if (is_json)
        write_json(token, info, issued_type, &out);
    else
        postern_buf_add(&out, token);
    postern_buf_add_byte(&out, '\n');
    return write_out(&out, err);
}

postern_err token_print(postern_bytes token, const postern_token_info *info, bool is_json,
                        postern_error *err)
{
    return print(token, info, NULL, is_json, err);
}

postern_err token_print_exchanged(postern_bytes token, const postern_token_info *info, bool is_json,
                                  postern_error *err)
{
    return print(token, info, POSTERN_TOKEN_TYPE_ACCESS, is_json, err);
}

/* First fit; oauth_error NULL: for every refusal. */
static const struct {
    postern_err code;
    const char *oauth_error, *advice;
} advices[] = {
    { POSTERN_ERR_TOKEN_REFUSED, "invalid_client",
      "The server does not know this client or this secret.  Compare client_id and the secret file "
      "with `postern client list` "
      "on the issuer's machine; a removed agent must be added again." },
    { POSTERN_ERR_TOKEN_REFUSED, "invalid_target",
      "The resource must be one that this client may ask for: name it with --resource or in the "
      "client file." },
    { POSTERN_ERR_TOKEN_REFUSED, "invalid_scope",
      "Ask for scopes that the client was registered with." },
    { POSTERN_ERR_TOKEN_REFUSED, "access_denied",
      "The person or the server said no; nothing was stored." },
    { POSTERN_ERR_TOKEN_REFUSED, "unauthorized_client",
      "The client is registered, but not for this grant: have it registered with it." },
    { POSTERN_ERR_TOKEN_REFUSED, "invalid_grant",
      "What was presented is used, expired, ended or another client's: log in again with `postern "
      "login`." },
    { POSTERN_ERR_TOKEN_REFUSED, "invalid_request",
      "Of an exchange: the token that was sent is used, expired or ended; let the person log in "
      "again with `postern login`." },
    { POSTERN_ERR_LOGIN_NEEDED, NULL,
      "Let the person run `postern login`; `postern status` shows what is stored." },
    { POSTERN_ERR_TOKEN_REFUSED, NULL,
      "The words behind the colon are the server's own; its log says more." },
    { POSTERN_ERR_INSUFFICIENT_SCOPE, NULL,
      "The client may not have that scope: ask for fewer, or have it registered with more." },
    { POSTERN_ERR_POLICY, NULL,
      "Add the server's name to hosts: in the client file if it may have this agent's tokens." },
    { POSTERN_ERR_ISSUER_UNREACHABLE, NULL,
      "Is the authorization server running, and is issuer: right?  Try again later." },
    { POSTERN_ERR_ISSUER_UNTRUSTED, NULL,
      "The secret was not sent.  Over loopback http the listener must belong to root or to "
      "loopback_user:; elsewhere the "
      "certificate, the address and the issuer's metadata must be the authorization server's "
      "own." },
    { POSTERN_ERR_ISSUER_ANSWER, NULL, "Is issuer: exactly the server's issuer identifier?" },
    { POSTERN_ERR_TIMEOUT, NULL, "Try again later." },
};

const char *token_advice(postern_err code, const char *oauth_error)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (advices[i].code == code &&
            (advices[i].oauth_error == NULL || strcmp(advices[i].oauth_error, oauth_error) == 0))
            return advices[i].advice;
    return NULL;
}

int token_explain(const struct token_options *o, const struct token_settings *s,
                  const char *oauth_error, const postern_error *err)
{
    const char *advice = token_advice(err->code, oauth_error);
    int status = cli_fail(o->command == NULL ? "token" : o->command, err);

    if (o->is_quiet)
        return status;
    if (s->client_id != NULL && s->issuer != NULL)
        fprintf(stderr, "  for:    %s at %s\n", s->client_id, s->issuer);
    if (s->resource != NULL)
        fprintf(stderr, "  target: %s\n", s->resource);
    fprintf(stderr, "  reason: %s\n", postern_err_reason(err->code));
    if (advice != NULL)
        fprintf(stderr, "  to do:  %s\n", advice);
    return status;
}
