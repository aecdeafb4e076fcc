/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One token's journey, in the order of doc/design/token-flow.md: transport, form, key,
 * signature, claims, revocation, local user, grant.  The first failure ends it.  A phase that needs
 * what has to be fetched waits, and is entered again; with keys from files none does, so one step()
 * brings the verdict.  RFC 9068 §4, RFC 7519 §7.2, RFC 8725 §3.
 * What was proved within the last minute (cache.h) is spared form and signature, and nothing else.
 */
#include <postern/validate.h>

#include <postern/oauthbearer.h>
#include <stdio.h>
#include <stdlib.h>

#include "fetch.h"
#include "judge.h"

struct validate_op;

/* OK: the next one.  AGAIN: it waits for v->wait. */
typedef postern_err (*validate_phase)(struct validate_op *v, postern_error *err);

struct validate_op {
    postern_op op;
    postern_context *ctx;
    const struct service_rules *rules; /* NULL: no such service */
    const struct trust *trust;         /* NULL: not known yet whose token it is */
    const validate_phase *phase;       /* NULL in the list: all are done */
    struct fetch *wait;                /* NULL: nothing is waited for */
    uint8_t *block;                    /* copies of everything in the request, wiped with the op */
    size_t block_len;
    postern_bytes token;
    bool is_too_long; /* the token; it was not copied */
    const char *authzid, *message_host, *message_port;
    postern_bytes extra_scopes; /* blank-separated */
    postern_tls tls;
    postern_trail *trail; /* the caller's, or NULL */
    uint64_t words;       /* of revocation and block, that had come when this began */
    struct cache_key key; /* of the token, when has_key */
    bool has_key;
    struct cached_token *cached; /* NULL: it has to be proved */
    uint64_t keys_generation;    /* of the keys that proved it now */
    postern_jwt *jwt;            /* workspace, borrowed from the context */
    const postern_json *claims;  /* proved: of jwt, or of cached */
    postern_buf scratch;         /* unescaped claims */
};

/* ---- steps ---- */

static postern_err check_transport(const struct validate_op *v, postern_error *err)
{
    if (v->rules->needs_tls && v->tls != POSTERN_TLS_ON && v->tls != POSTERN_TLS_LOCAL)
        return POSTERN_FAIL(err, TLS_REQUIRED, "%s: require_tls", v->rules->section->file);
    return POSTERN_OK;
}

/* False when it does not fit: then it cannot be one of ours either. */
static bool copy_field(const char *from, char *field, size_t room)
{
    size_t len = strlen(from);

    if (len >= room)
        return false;
    memcpy(field, from, len + 1);
    return true;
}

/* host= and port= of the SASL message, where the service file says what they must be (RFC 7628
 * §3.2). */
static postern_err check_message(const struct validate_op *v, postern_error *err)
{
    postern_sasl_message m;

    if (v->rules->server_names == NULL)
        return POSTERN_OK;
    memset(&m, 0, sizeof m);
    if (!copy_field(v->message_host, m.host, sizeof m.host) ||
        !copy_field(v->message_port, m.port, sizeof m.port))
        return POSTERN_FAIL(err, MESSAGE_SERVER, "host or port of the message is too long");
    return postern_sasl_message_check_server(&m, v->rules->server_names, v->rules->server_port,
                                             err);
}

static postern_err check_size(const struct validate_op *v, postern_error *err)
{
    if (v->is_too_long)
        return POSTERN_FAIL(err, LIMIT, "token has more than %d bytes", POSTERN_TOKEN_MAX);
    if (v->token.len == 0)
        return POSTERN_FAIL(err, NO_TOKEN, "the token is empty");
    return POSTERN_OK;
}

/* The issuer's own list, within ours; the name is told because it is one of a fixed few. */
static postern_err check_algorithm(const struct validate_op *v, postern_error *err)
{
    postern_alg alg = postern_jwt_alg(v->jwt);

    if ((v->trust->algorithms & (1u << alg)) == 0)
        return POSTERN_FAIL(err, ALG_NOT_ALLOWED, "%s is not in the issuer's algorithms",
                            postern_alg_name(alg));
    return POSTERN_OK;
}

static void note_type(const struct validate_op *v)
{
    postern_trail_note_value(v->trail, "typ", postern_jwt_typ(v->jwt));
    for (size_t i = 0; i < v->trust->token_type_count; i++)
        postern_trail_note(v->trail, "%s %s", i == 0 ? "wanted" : "or", v->trust->token_types[i]);
}

/* Before any key: an ID token or a logout token is not worth a signature check. */
static postern_err check_type(const struct validate_op *v, postern_error *err)
{
    postern_bytes typ = postern_jwt_typ(v->jwt);
    char quoted[300];

    if (typ.len == 0 && v->trust->takes_untyped)
        return POSTERN_OK;
    for (size_t i = 0; i < v->trust->token_type_count; i++)
        if (strcmp(v->trust->token_types[i], "untyped") != 0 &&
            postern_jwt_typ_is(v->jwt, v->trust->token_types[i]))
            return POSTERN_OK;
    return POSTERN_FAIL(err, TYP, "typ is \"%s\"",
                        postern_error_quote(typ.ptr, typ.len, quoted, sizeof quoted));
}

static void note_key(const struct validate_op *v)
{
    postern_bytes kid;

    postern_trail_enter(v->trail, TRAIL_SIGNATURE);
    if (!postern_jwt_kid(v->jwt, &kid))
        postern_trail_note(v->trail, "no kid: every key of the set that fits is tried");
    postern_trail_note_value(v->trail, "kid", kid);
}

static postern_err verify_with(struct validate_op *v, enum keyring_look look, postern_error *err)
{
    POSTERN_AUTO(jwks) keys = NULL;

    POSTERN_TRY(
        postern_keyring_get(v->trust->issuer->keys, &v->op, look, &keys, &v->keys_generation, err));
    note_key(v);
    return postern_jwt_verify(v->jwt, keys, &v->claims, err);
}

/* A kid that is not known yet may be in a key set that was replaced this instant: one more look,
 * rate-limited. */
static postern_err prove_signature(struct validate_op *v, postern_error *err)
{
    postern_err e;

    postern_trail_enter(v->trail, TRAIL_KEYS);
    postern_trail_note(v->trail, "%s", v->trust->keys_file);
    e = verify_with(v, KEYRING_LOOK_WHEN_DUE, err);
    return e == POSTERN_ERR_UNKNOWN_KID ? verify_with(v, KEYRING_LOOK_AGAIN, err) : e;
}

/* Everything before the signature, with the workspace. */
static postern_err check_form(struct validate_op *v, postern_error *err)
{
    postern_trail_enter(v->trail, TRAIL_FORM);
    POSTERN_TRY(postern_context_take_jwt(v->ctx, &v->jwt, err));
    POSTERN_TRY(postern_jwt_parse(v->jwt, v->token, err));
    postern_trail_enter(v->trail, TRAIL_ALGORITHM);
    postern_trail_note(v->trail, "alg %s", postern_alg_name(postern_jwt_alg(v->jwt)));
    POSTERN_TRY(check_algorithm(v, err));
    postern_trail_enter(v->trail, TRAIL_TYPE);
    note_type(v);
    return check_type(v, err);
}

/* Was it proved lately, by keys that are still the ones in force? */
static postern_err find_proved(struct validate_op *v, postern_error *err)
{
    struct cache *cache = postern_context_cache(v->ctx);
    struct cached_token *found;
    uint64_t generation;
    postern_err e;

    v->has_key = postern_cache_key_make(cache, v->token, v->trust->issuer, v->rules, &v->key);
    found = v->has_key ? postern_cache_find(cache, &v->key, postern_op_mono_ms(&v->op)) : NULL;
    if (found == NULL)
        return POSTERN_OK;
    e = postern_keyring_generation(v->trust->issuer->keys, &v->op, &generation, err);
    if (e == POSTERN_OK && generation == postern_cached_keys_generation(found))
        v->cached = found;
    else
        postern_cached_release(found);
    return e;
}

static void remember(const struct validate_op *v, int64_t now_s)
{
    const struct cache_proof proof = {
        .claims = v->claims,
        .keys_generation = v->keys_generation,
        .words = v->words,
        .now_ms = postern_op_mono_ms(&v->op),
        .life_s = postern_grant_exp_s(v->op.grant) - now_s,
    };

    if (v->has_key && v->cached == NULL)
        postern_cache_put(postern_context_cache(v->ctx), &v->key, &proof);
}

/* What the judge said of a token that was proved and refused all the same. */
static postern_err tell_judged(struct validate_op *v, const postern_failure *judged,
                               postern_err verdict, postern_error *err)
{
    postern_failure *told = postern_op_tell(&v->op);

    if (told == NULL)
        return POSTERN_FAIL(err, NOMEM, "what to say of a refusal");
    memcpy(told->because, judged->because, strlen(judged->because) + 1);
    memcpy(told->contact, judged->contact, strlen(judged->contact) + 1);
    memcpy(told->agent, judged->agent, strlen(judged->agent) + 1);
    memcpy(told->human, judged->human, strlen(judged->human) + 1);
    return verdict;
}

/* Everything that is asked of a proved token, and the grant. */
static postern_err judge(struct validate_op *v, postern_error *err)
{
    int64_t now_s = postern_op_now_s(&v->op);
    postern_failure judged; /* four texts of it */
    struct postern_grant_facts facts;
    const struct judge j = {
        .ctx = v->ctx,
        .trust = v->trust,
        .now_s = now_s,
        .life_s = now_s,
        .mono_ms = postern_op_mono_ms(&v->op),
        .extra_scopes = v->extra_scopes,
        .authzid = v->authzid,
        .scratch = &v->scratch,
        .trail = v->trail,
        .failure = &judged,
    };
    postern_err e;

    judged.because[0] = judged.contact[0] = judged.agent[0] = judged.human[0] = '\0';
    e = postern_judge_claims(&j, v->claims, &facts, err);
    if (e != POSTERN_OK)
        return tell_judged(v, &judged, e, err);
    POSTERN_TRY(postern_grant_from_proof(&facts, &v->op.grant, err));
    remember(v, now_s);
    return POSTERN_OK;
}

static void note_service(const struct validate_op *v)
{
    postern_trail_note(v->trail, "%s", v->rules->section->file);
    postern_trail_note(v->trail, "trusts %s by %s", v->trust->claims.issuer,
                       v->trust->issuer_file);
}

static const char *get_tls_word(postern_tls tls)
{
    static const char *const words[] = {
        [POSTERN_TLS_UNKNOWN] = "unknown",
        [POSTERN_TLS_NONE] = "none",
        [POSTERN_TLS_LOCAL] = "local",
        [POSTERN_TLS_ON] = "on",
    };

    return (unsigned)tls <= POSTERN_TLS_ON ? words[tls] : words[POSTERN_TLS_UNKNOWN];
}

/* What is asked before the token is looked into. */
static postern_err check_login(struct validate_op *v, postern_error *err)
{
    postern_trail_enter(v->trail, TRAIL_SERVICE);
    if (v->rules == NULL)
        return POSTERN_FAIL(err, SERVICE_UNKNOWN,
                            "no file in services/ or doors/ answers to that name");
    v->trust = &v->rules->trusts[0];
    note_service(v);
    postern_trail_enter(v->trail, TRAIL_TRANSPORT);
    postern_trail_note(v->trail, "%s, TLS %s", v->rules->needs_tls ? "wanted" : "not wanted",
                       get_tls_word(v->tls));
    POSTERN_TRY(check_transport(v, err));
    postern_trail_enter(v->trail, TRAIL_MESSAGE);
    POSTERN_TRY(check_message(v, err));
    postern_trail_enter(v->trail, TRAIL_SIZE);
    postern_trail_note(v->trail, v->is_too_long ? "more than %d bytes" : "at most %d bytes",
                       POSTERN_TOKEN_MAX);
    if (!v->is_too_long)
        postern_trail_note(v->trail, "%zu bytes", v->token.len);
    return check_size(v, err);
}

/* In front of the proof, which is skipped then. */
static postern_err recall(struct validate_op *v, postern_error *err)
{
    postern_trail_enter(v->trail, TRAIL_CACHE);
    POSTERN_TRY(find_proved(v, err));
    postern_trail_note(v->trail, v->cached != NULL ? "proved a moment ago" : "not proved lately");
    if (v->cached != NULL)
        v->claims = postern_cached_claims(v->cached);
    return POSTERN_OK;
}

static postern_err prove_form(struct validate_op *v, postern_error *err)
{
    return v->claims != NULL ? POSTERN_OK : check_form(v, err);
}

static postern_err prove_origin(struct validate_op *v, postern_error *err)
{
    return v->claims != NULL ? POSTERN_OK : prove_signature(v, err);
}

static const validate_phase phases[] = { check_login, recall, prove_form, prove_origin, judge, NULL };

static postern_err validate(struct validate_op *v, postern_error *err)
{
    for (; *v->phase != NULL; v->phase++) {
        postern_fetch_free(POSTERN_STEAL(v->wait));
        POSTERN_TRY((*v->phase)(v, err));
    }
    return POSTERN_OK;
}

/* ---- the operation ---- */

/* The scopes of this login in particular behind the service's own, when there is room for all of
 * them. */
static void tell_extra_scopes(const struct validate_op *v, char scope[POSTERN_SCOPE_MAX])
{
    size_t used = strlen(scope), len = v->extra_scopes.len;

    if (len == 0 || used + 1 + len > POSTERN_SCOPE_MAX)
        return;
    if (used != 0)
        scope[used++] = ' ';
    memcpy(scope + used, v->extra_scopes.ptr, len - 1); /* without the blank behind the last one */
    scope[used + len - 1] = '\0';
}

/* Where a token for this service comes from, beside what the judge has told. */
static postern_err tell_discovery(struct validate_op *v, postern_err verdict, postern_error *err)
{
    postern_failure *told = postern_op_tell(&v->op);
    const postern_failure *d = &v->rules->discovery;

    if (told == NULL)
        return POSTERN_FAIL(err, NOMEM, "what to say of a refusal");
    memcpy(told->scope, d->scope, sizeof told->scope);
    memcpy(told->openid_configuration, d->openid_configuration, sizeof told->openid_configuration);
    memcpy(told->resource_metadata, d->resource_metadata, sizeof told->resource_metadata);
    memcpy(told->issuer, d->issuer, sizeof told->issuer);
    tell_extra_scopes(v, told->scope);
    return verdict;
}

/* What nobody needs once there is a verdict. */
static void drop_means(struct validate_op *v)
{
    postern_fetch_free(POSTERN_STEAL(v->wait));
    postern_context_give_jwt(v->ctx, POSTERN_STEAL(v->jwt));
    postern_cached_release(POSTERN_STEAL(v->cached));
    v->claims = NULL;
}

static postern_err step(postern_op *op, postern_error *err)
{
    struct validate_op *v = (struct validate_op *)op;
    postern_err verdict = validate(v, err);

    if (verdict == POSTERN_AGAIN)
        return verdict;
    if (verdict != POSTERN_OK && v->rules != NULL)
        verdict = tell_discovery(v, verdict, err);
    postern_trail_end(v->trail, verdict);
    drop_means(v);
    return verdict;
}

static int get_fd(const postern_op *op)
{
    const struct validate_op *v = (const struct validate_op *)op;

    return v->wait == NULL ? -1 : postern_fetch_fd(v->wait);
}

static int get_wait_ms(const postern_op *op)
{
    const struct validate_op *v = (const struct validate_op *)op;

    return v->wait == NULL ? 0 : postern_fetch_wait_ms(v->wait);
}

static void destroy(postern_op *op)
{
    struct validate_op *v = (struct validate_op *)op;

    drop_means(v);
    postern_buf_free(&v->scratch);
    if (v->block != NULL)
        postern_wipe(v->block, v->block_len);
    free(v->block);
    postern_context_free(v->ctx);
}

static bool is_ours(const postern_op *op)
{
    return postern_context_is_ours(((const struct validate_op *)op)->ctx);
}

static const struct postern_op_class validate_class = {
    .name = "validate",
    .size = sizeof(struct validate_op),
    .step = step,
    .fd = get_fd,
    .wait_ms = get_wait_ms,
    .destroy = destroy,
    .is_ours = is_ours,
};

/* ---- the request, copied into one block ---- */

/* Bytes copied of each text: longer than any identity or host name that could match. */
#define TEXT_MAX 4096

static size_t get_text_len(const char *text)
{
    return text == NULL ? 0 : strnlen(text, TEXT_MAX);
}

static size_t get_scopes_len(const char *const *scopes)
{
    size_t len = 0;

    for (size_t i = 0; scopes != NULL && scopes[i] != NULL; i++)
        len += strlen(scopes[i]) + 1;
    return len;
}

/* Copies to *at, with a NUL behind, and moves *at past it. */
static const char *put_text(uint8_t **at, const char *text)
{
    char *copy = (char *)*at;
    size_t len = get_text_len(text);

    if (len != 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

static postern_bytes put_scopes(uint8_t **at, const char *const *scopes)
{
    postern_bytes list = { *at, get_scopes_len(scopes) };

    for (size_t i = 0; scopes != NULL && scopes[i] != NULL; i++) {
        size_t len = strlen(scopes[i]);

        memcpy(*at, scopes[i], len);
        (*at)[len] = ' ';
        *at += len + 1;
    }
    return list;
}

static postern_err copy_request(struct validate_op *v, const postern_request *rq,
                                postern_error *err)
{
    size_t token_len = rq->token.len <= POSTERN_TOKEN_MAX ? rq->token.len : 0;
    uint8_t *at;

    v->block_len = token_len + get_text_len(rq->authzid) + get_text_len(rq->message_host) +
                   get_text_len(rq->message_port) + 3 + get_scopes_len(rq->extra_scopes);
    at = v->block = malloc(v->block_len);
    if (at == NULL)
        return POSTERN_FAIL(err, NOMEM, "request of %zu bytes", v->block_len);
    v->is_too_long = rq->token.len > POSTERN_TOKEN_MAX;
    v->token = (postern_bytes){ at, token_len };
    if (token_len != 0)
        memcpy(at, rq->token.ptr, token_len);
    at += token_len;
    v->authzid = put_text(&at, rq->authzid);
    v->message_host = put_text(&at, rq->message_host);
    v->message_port = put_text(&at, rq->message_port);
    v->extra_scopes = put_scopes(&at, rq->extra_scopes);
    v->tls = rq->tls;
    v->trail = rq->trail;
    return POSTERN_OK;
}

static postern_err check_request(const postern_context *ctx, const postern_request *rq,
                                 postern_error *err)
{
    if (ctx == NULL || rq == NULL || rq->size < sizeof *rq || rq->service == NULL ||
        rq->service[0] == '\0')
        return POSTERN_FAIL(err, USAGE, "a request needs its size and a service");
    if (rq->token.ptr == NULL && rq->token.len != 0)
        return POSTERN_FAIL(err, USAGE, "a token without bytes");
    if (!postern_context_is_ours(ctx))
        return POSTERN_FAIL(err, USAGE, "the context was made before fork(2)");
    return POSTERN_OK;
}

postern_err postern_validate_start(postern_context *ctx, const postern_request *rq,
                                   postern_op **ret_op, postern_error *err)
{
    POSTERN_AUTO(op) op = NULL;
    struct validate_op *v;

    POSTERN_TRY(check_request(ctx, rq, err));
    POSTERN_TRY(postern_op_new(&validate_class, postern_context_clock(ctx), 0, &op, err));
    v = (struct validate_op *)op;
    v->ctx = postern_context_ref(ctx);
    v->phase = phases;
    v->words = postern_cache_words(postern_context_cache(ctx));
    v->scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    v->rules = postern_context_rules(ctx, rq->service);
    POSTERN_TRY(copy_request(v, rq, err));
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}
