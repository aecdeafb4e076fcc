/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's credentials judged; see authenticate.h.  client_auth.c finds them, clients.c compares
 * them, here is what a failure answers and costs.  Never says whether a client exists.
 */
#include "authenticate.h"

#include <stdio.h>

#include "client_assertion.h"
#include "client_auth.h"
#include "clients.h"
#include "log.h"

/* A typing mistake or a stale file, not a search; whoever holds the secret is never held up by this
 * one. */
static const struct rate_rule failure_rule = { "failure", 10, 6000 };
/* Guesses under ever new names come from one source all the same. */
static const struct rate_rule source_failure_rule = { "source-failure", 100, 100 };

static const struct {
    int status;
    const char *error, *description, *message;
} auth_failures[] = {
    [CLIENT_AUTH_FOUND] = { 401, "invalid_client", "client name or secret is wrong",
                            "Check client_id and the secret file; an administrator can register "
                            "the client again with `postern client add`." },
    [CLIENT_AUTH_NAMED] = { 401, "invalid_client", "the client did not authenticate",
                            "Send the client's secret too: only a public client has none." },
    [CLIENT_AUTH_NONE] = { 401, "invalid_client", "the client did not authenticate",
                           "Send the client's name and secret by HTTP Basic, or as client_id and "
                           "client_secret in the form." },
    [CLIENT_AUTH_MALFORMED] = { 401, "invalid_client",
                                "the client's credentials are not well formed",
                                "Send Authorization: Basic with base64 of NAME:SECRET, both "
                                "form-encoded first (RFC 6749 section 2.3.1)." },
    [CLIENT_AUTH_ASSERTION] = { 401, "invalid_client", "the client's assertion does not count",
                                "Sign a JWT with a key registered for this client: iss and sub its "
                                "client_id, aud the issuer's URL alone, exp at most 5 minutes ahead, "
                                "a jti that was never used." },
    [CLIENT_AUTH_METHOD] = { 401, "invalid_client",
                             "this way of client authentication is not supported",
                             "Use client_secret_basic, client_secret_post or private_key_jwt." },
    [CLIENT_AUTH_TWO] = { 400, "invalid_request", "two ways of client authentication at once",
                          "Send the client's credentials in the Authorization header or in the "
                          "form, not in both." },
};

static void answer_auth_failure(client_auth_result why, struct answer *a)
{
    answer_error(a, auth_failures[why].status, auth_failures[why].error,
                 auth_failures[why].description, auth_failures[why].message);
    if (auth_failures[why].status ==
        401) /* RFC 9110 §15.5.2 wants one on every 401; RFC 6749 §5.2 on this one */
        (void)snprintf(a->challenge, sizeof a->challenge,
                       "Basic realm=\"postern\", charset=\"UTF-8\""); /* a literal: fits */
}

/* Wrong proofs are counted per client and source, so that a guesser slows nobody else down. */
void authenticate_rate_failure(struct issuer *is, const char *name, const char *source,
                               struct answer *a)
{
    int wait_s = rate_take(is->rates, &failure_rule, name, source, issuer_mono_ms(is));

    if (wait_s == 0)
        wait_s = rate_take(is->rates, &source_failure_rule, "", source, issuer_mono_ms(is));
    if (wait_s != 0)
        answer_too_many(a, wait_s, "too many failed authentications");
}

static bool refuse(struct issuer *is, const char *name, const char *source, client_auth_result why,
                   struct answer *a)
{
    answer_auth_failure(why, a);
    authenticate_rate_failure(is, name, source, a);
    return false;
}

/* The rest fails without a look into the store; out of memory is no failure of the client's. */
static bool can_be_judged(client_auth_result found)
{
    return found == CLIENT_AUTH_FOUND || found == CLIENT_AUTH_NAMED ||
           found == CLIENT_AUTH_ASSERTION || found == CLIENT_AUTH_UNSET;
}

/* A public client is proved to be one, and nothing else. */
static postern_err judge_name(struct issuer *is, const char *name, bool *ret_proved,
                              struct client_record *ret, postern_error *err)
{
    POSTERN_TRY(store_client_find(is->store, name, ret_proved, ret, err));
    *ret_proved = *ret_proved && ret->auth == CLIENT_AUTH_BY_NOTHING;
    return POSTERN_OK;
}

/* From then on auth->name is whom the assertion names. */
static postern_err judge_assertion(struct issuer *is, struct client_auth *auth, bool *ret_proved,
                                   int *ret_wait_s, struct client_record *ret, postern_error *err)
{
    const char *client_id = auth->name.len == 0 ? NULL : postern_buf_cstr(&auth->name);
    char name[CLIENT_NAME_MAX];

    if (auth->name.failed || (auth->name.len != 0 && client_id == NULL))
        return POSTERN_FAIL(err, NOMEM, "client credentials");
    POSTERN_TRY(client_assertion_check(is, client_id, auth->assertion, name, ret_proved, ret_wait_s,
                                       ret, err));
    postern_buf_reset(&auth->name);
    postern_buf_add_str(&auth->name, name);
    return POSTERN_OK;
}

/* Unknown names take the same path as known ones; a secret counts only for a client that has one.
 */
static postern_err judge(struct issuer *is, client_auth_result found, struct client_auth *auth,
                         bool *ret_proved, int *ret_wait_s, struct client_record *ret,
                         postern_error *err)
{
    const char *name;

    if (found == CLIENT_AUTH_ASSERTION)
        return judge_assertion(is, auth, ret_proved, ret_wait_s, ret, err);
    name = found == CLIENT_AUTH_UNSET ? NULL : postern_buf_cstr(&auth->name);
    if (name == NULL)
        return POSTERN_FAIL(err, NOMEM, "client credentials");
    if (found == CLIENT_AUTH_NAMED)
        return judge_name(is, name, ret_proved, ret, err);
    POSTERN_TRY(clients_authenticate(is, name, postern_buf_bytes(&auth->secret), ret_proved, ret,
                                     err));
    *ret_proved = *ret_proved && ret->auth == CLIENT_AUTH_BY_SECRET;
    return POSTERN_OK;
}

bool authenticate_client(struct issuer *is, const struct http_request *rq,
                         const postern_form *form, struct client_record *ret, struct answer *a)
{
    AUTO_CLIENT_AUTH auth = CLIENT_AUTH_INIT;
    client_auth_result found = client_auth_find(rq->authorization, form, &auth);
    postern_error err = { 0 };
    bool is_proved = false;
    const char *name;
    int wait_s = 0;

    if (!can_be_judged(found))
        return refuse(is, "", rq->source, found, a);
    if (judge(is, found, &auth, &is_proved, &wait_s, ret, &err) != POSTERN_OK) {
        log_error("client authentication", &err);
        answer_internal(a);
        return false;
    }
    if (wait_s != 0) {
        answer_too_many(a, wait_s, "this client authenticates too often");
        return false;
    }
    name = postern_buf_cstr(&auth.name);
    return is_proved || refuse(is, name == NULL ? "" : name, rq->source, found, a);
}

bool authenticate_is_confidential(const struct client_record *client, struct answer *a)
{
    if (client->auth != CLIENT_AUTH_BY_NOTHING)
        return true;
    answer_auth_failure(CLIENT_AUTH_NAMED, a);
    return false;
}
