/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A person's authorization: the address for the browser, the judgement of what the browser brings
 * back, the redemption of the code.  Authorization code with PKCE S256 (OAuth 2.1 §4.1, RFC 7636),
 * `iss` in the answer (RFC 9207).  See <postern/login.h>.
 */
#include "oauth/login.h"

#include "oauth/pkce.h"
#include "oauth/token_call.h"

#define URL_MAX          32768 /* bytes: the longest endpoint, resources, redirect, scope, encoded */
#define REDIRECT_URI_MAX 512   /* bytes */
#define LOGIN_HINT_MAX   256   /* bytes */
#define QUERY_MAX        8192  /* bytes: a code, a state, an issuer, an error's description */
#define CODE_MAX         4096  /* bytes: ours has 43, some are tokens of their own */

struct login {
    struct postern_call call;
    const char *redirect_uri, *resource, *scope, *login_hint;
    const char *more_resources[POSTERN_LOGIN_RESOURCES_MAX]; /* NULL: no more */
    char state[POSTERN_PKCE_TEXT + 1], verifier[POSTERN_PKCE_TEXT + 1];
    postern_buf url;
    bool is_redeemed;
};

struct redemption {
    struct postern_call call;
    char state[POSTERN_PKCE_TEXT + 1];
    postern_secret *query;
};

/* ---- the address for the browser ---- */

/* A server gives a refresh token for offline_access only when the person sees it asked
 * (OpenID Connect Core §11). */
static bool asks_offline(const char *scope)
{
    const char *at = scope == NULL ? NULL : strstr(scope, "offline_access");
    size_t len = strlen("offline_access");

    return at != NULL && (at == scope || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' ');
}

static void write_query(const struct login *l, const char *challenge, postern_buf *out)
{
    const struct {
        const char *name, *value;
    } parameters[] = {
        { "response_type", "code" },
        { "client_id", l->call.agent.client_id },
        { "redirect_uri", l->redirect_uri },
        { "state", l->state },
        { "code_challenge", challenge },
        { "code_challenge_method", "S256" },
        { "resource", l->resource },
        { "scope", l->scope },
        { "login_hint", l->login_hint },
        { "prompt", asks_offline(l->scope) ? "consent" : NULL },
    };

    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (parameters[i].value != NULL)
            postern_form_add(out, parameters[i].name, postern_bytes_str(parameters[i].value));
    for (size_t i = 0; i < POSTERN_LOGIN_RESOURCES_MAX && l->more_resources[i] != NULL; i++)
        postern_form_add(out, "resource", postern_bytes_str(l->more_resources[i]));
}

static postern_err write_url(struct login *l, postern_error *err)
{
    POSTERN_AUTO_BUF query = POSTERN_BUF_INIT(URL_MAX);
    const char *endpoint = l->call.metadata.authorization.url;
    char challenge[POSTERN_PKCE_TEXT + 1];

    POSTERN_TRY(postern_pkce_challenge(l->verifier, challenge, err));
    write_query(l, challenge, &query);
    postern_buf_add_str(&l->url, endpoint); /* RFC 6749 §3.1: it may have a query of its own */
    postern_buf_add_byte(&l->url, strchr(endpoint, '?') == NULL ? '?' : '&');
    postern_buf_add(&l->url, postern_buf_bytes(&query));
    return query.failed || postern_buf_cstr(&l->url) == NULL
               ? POSTERN_FAIL(err, NOMEM, "the address of the login page")
               : POSTERN_OK;
}

static postern_err accept_metadata(struct postern_call *call, const struct postern_http_response *r,
                                   postern_error *err)
{
    (void)r;
    return write_url((struct login *)call, err);
}

static void destroy_login(struct postern_call *call)
{
    postern_buf_free(&((struct login *)call)->url);
}

static const struct postern_call_kind login_kind = {
    .class = POSTERN_CALL_CLASS("login", struct login),
    .needs = POSTERN_NEED_AUTHORIZATION | POSTERN_NEED_TOKEN,
    .accept = accept_metadata,
    .destroy = destroy_login,
};

/* ---- what the browser brings back ---- */

/* The one value of a name; NULL when it is absent or stands twice (RFC 6749 §3.1). */
static const char *single(const postern_form *f, const char *name)
{
    return postern_form_count(f, name) == 1 ? postern_form_value(f, name) : NULL;
}

static bool has_state(const postern_form *f, const char *state)
{
    const char *said = single(f, "state");

    return said != NULL &&
           postern_bytes_equal_ct(postern_bytes_str(said), postern_bytes_str(state));
}

static postern_err parse_query(postern_bytes query, postern_form **ret, postern_error *err)
{
    postern_error why = { 0 };
    postern_err e = query.len > QUERY_MAX ? POSTERN_FAIL(&why, LIMIT, "too long")
                                          : postern_form_parse(query, ret, &why);

    if (e == POSTERN_OK)
        return e;
    if (e == POSTERN_ERR_NOMEM)
        return POSTERN_FAIL(err, NOMEM, "the browser's answer");
    return POSTERN_FAIL(err, ISSUER_ANSWER, "the browser's answer: %s", why.detail);
}

/* RFC 9207 §2.4: compared byte for byte, in answers with an error too. */
static postern_err check_issuer(const struct postern_call *call, const postern_form *f,
                                postern_error *err)
{
    const char *iss = single(f, "iss");
    char room[260];

    if (postern_form_count(f, "iss") == 0 && !call->metadata.says_iss)
        return POSTERN_OK;
    if (iss == NULL)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED,
                            "the answer does not say once which server it is from, as this one's "
                            "metadata promises (RFC 9207)");
    if (strcmp(iss, call->agent.issuer) != 0)
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the answer is from another server: %s",
                            postern_error_quote(iss, strlen(iss), room, sizeof room));
    return POSTERN_OK;
}

static postern_err refuse_error(struct postern_call *call, const postern_form *f,
                                postern_error *err)
{
    const char *error = single(f, "error"), *text = single(f, "error_description");
    char room[POSTERN_DESCRIPTION_MAX + 1] = "";

    if (error == NULL || strlen(error) >= sizeof call->oauth_error ||
        !postern_bytes_is_printable(postern_bytes_str(error)))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the answer holds neither one code nor one error");
    memcpy(call->oauth_error, error, strlen(error) + 1);
    if (text != NULL)
        postern_description_show(postern_bytes_str(text), room);
    return POSTERN_FAIL(err, TOKEN_REFUSED, "%s%s%s", error, room[0] == '\0' ? "" : ": ", room);
}

static postern_err read_answer(struct postern_call *call, postern_error *err)
{
    const struct redemption *r = (const struct redemption *)call;
    POSTERN_AUTO(form) f = NULL;
    const char *code;

    POSTERN_TRY(parse_query(postern_secret_bytes(r->query), &f, err));
    if (!has_state(f, r->state))
        return POSTERN_FAIL(err, ISSUER_UNTRUSTED, "the answer is not to this login: wrong state");
    POSTERN_TRY(check_issuer(call, f, err));
    code = single(f, "code");
    if (code == NULL || postern_form_count(f, "error") != 0)
        return refuse_error(call, f, err);
    if (strlen(code) > CODE_MAX || !postern_bytes_is_printable(postern_bytes_str(code)))
        return POSTERN_FAIL(err, ISSUER_ANSWER, "the code is too long or not printable");
    POSTERN_TRY(postern_call_add_secret(call, "code", postern_bytes_str(code), err));
    return call->form.failed ? POSTERN_FAIL(err, NOMEM, "a code") : POSTERN_OK;
}

static void destroy_redemption(struct postern_call *call)
{
    postern_secret_free(((struct redemption *)call)->query);
}

static const struct postern_call_kind redemption_kind = {
    .class = POSTERN_CALL_CLASS("redemption", struct redemption),
    .needs = POSTERN_NEED_TOKEN,
    .begin = read_answer,
    .endpoint = postern_call_token_endpoint,
    .accept = postern_call_accept_token,
    .destroy = destroy_redemption,
};

/* ---- beginning ---- */

static postern_err check_text(const char *text, size_t max, const char *what, postern_error *err)
{
    if (text != NULL && (text[0] == '\0' || strlen(text) > max ||
                         !postern_bytes_is_printable(postern_bytes_str(text))))
        return POSTERN_FAIL(err, USAGE, "%s is empty, longer than %zu bytes or not printable", what,
                            max);
    return POSTERN_OK;
}

static postern_err copy_resources(struct login *l, const char *const *more, postern_error *err)
{
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        if (i == POSTERN_LOGIN_RESOURCES_MAX || l->resource == NULL)
            return POSTERN_FAIL(err, USAGE, "more than %d more resources, or no first one",
                                POSTERN_LOGIN_RESOURCES_MAX);
        POSTERN_TRY(check_text(more[i], POSTERN_HTTP_URL_MAX - 1, "resource", err));
        POSTERN_TRY(postern_call_copy(&l->call, more[i], &l->more_resources[i], err));
    }
    return POSTERN_OK;
}

static postern_err fill_login(struct login *l, const postern_login *rq, postern_error *err)
{
    struct postern_call *call = &l->call;

    l->url = POSTERN_BUF_INIT(URL_MAX);
    POSTERN_TRY(check_text(rq->redirect_uri, REDIRECT_URI_MAX, "redirect_uri", err));
    POSTERN_TRY(check_text(rq->login_hint, LOGIN_HINT_MAX, "login_hint", err));
    POSTERN_TRY(postern_call_add_target(call, rq->resource, rq->scope, err));
    POSTERN_TRY(postern_call_copy(call, rq->redirect_uri, &l->redirect_uri, err));
    POSTERN_TRY(postern_call_copy(call, rq->resource, &l->resource, err));
    POSTERN_TRY(copy_resources(l, rq->more_resources, err));
    POSTERN_TRY(postern_call_copy(call, rq->scope, &l->scope, err));
    POSTERN_TRY(postern_call_copy(call, rq->login_hint, &l->login_hint, err));
    POSTERN_TRY(postern_pkce_random(l->state, err));
    return postern_pkce_random(l->verifier, err);
}

postern_err postern_login_start_with(const postern_http_transport *transport,
                                     const postern_clock *clock, const postern_login *rq,
                                     postern_op **ret_op, postern_error *err)
{
    struct postern_call *call;
    postern_err e;

    if (rq->size != sizeof *rq || rq->redirect_uri == NULL)
        return POSTERN_FAIL(err, USAGE, "postern_login of another version, or no redirect_uri");
    POSTERN_TRY(postern_call_new(&login_kind, transport, clock, &rq->agent, &call, err));
    if ((e = fill_login((struct login *)call, rq, err)) == POSTERN_OK)
        return postern_call_hand_over(call, ret_op, err);
    postern_op_free(&call->op);
    return e;
}

postern_err postern_login_start(const postern_clock *clock, const postern_login *rq,
                                postern_op **ret_op, postern_error *err)
{
    return postern_login_start_with(&postern_http_curl, clock, rq, ret_op, err);
}

/* The login in an op that is one and is done; NULL otherwise. */
static const struct login *login_of(const postern_op *op)
{
    return op->class == &login_kind.class && op->verdict == POSTERN_OK ? (const struct login *)op
                                                                       : NULL;
}

const char *postern_login_url(const postern_op *login)
{
    const struct login *l = login_of(login);

    return l == NULL ? NULL : (const char *)l->url.ptr; /* write_url() put a NUL behind it */
}

bool postern_login_is_answer(const postern_op *login, postern_bytes query)
{
    const struct login *l = login_of(login);
    POSTERN_AUTO(form) f = NULL;

    return l != NULL && parse_query(query, &f, NULL) == POSTERN_OK && has_state(f, l->state);
}

/* The answer is judged by the first step: verdicts never come from a start. */
static postern_err fill_redemption(struct redemption *r, const struct login *l, postern_bytes query,
                                   postern_error *err)
{
    struct postern_call *call = &r->call;

    memcpy(r->state, l->state, sizeof r->state);
    call->asked.wants_refresh = true;
    call->asked.may_be_narrowed = true;
    postern_call_set_metadata(call, &l->call.metadata);
    POSTERN_TRY(postern_secret_new(query, &r->query, err));
    postern_call_add(call, "grant_type", "authorization_code");
    postern_call_add(call, "redirect_uri", l->redirect_uri);
    postern_call_add(call, "resource", l->resource);
    POSTERN_TRY(
        postern_call_add_secret(call, "code_verifier", postern_bytes_str(l->verifier), err));
    return postern_call_copy(call, l->scope, &call->asked.scope, err);
}

postern_err postern_login_redeem_start(postern_op *login, postern_bytes query, postern_op **ret_op,
                                       postern_error *err)
{
    struct login *l = (struct login *)login;
    struct postern_call *call;
    postern_err e;

    if (login_of(login) == NULL || l->is_redeemed)
        return POSTERN_FAIL(err, USAGE, "no login that waits for its answer");
    POSTERN_TRY(postern_call_new(&redemption_kind, l->call.transport, &l->call.op.clock,
                                 &l->call.agent, &call, err));
    if ((e = fill_redemption((struct redemption *)call, l, query, err)) == POSTERN_OK)
        e = postern_call_hand_over(call, ret_op, err);
    else
        postern_op_free(&call->op);
    l->is_redeemed = e == POSTERN_OK;
    return e;
}
