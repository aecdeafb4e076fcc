/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One token's journey, in the order of doc/design/token-flow.md: transport, form, issuer, key,
 * signature, claims, revocation, local user, grant.  The first failure ends it.  A phase that needs
 * what has to be fetched waits, and is entered again; with keys from files none does, so one step()
 * brings the verdict.  RFC 9068 §4, RFC 7519 §7.2, RFC 8725 §3.
 * What was proved within the last minute (cache.h) is spared form and signature, and nothing else.
 * Where the issuer is asked (RFC 7662): a token that only it can read has its word in place of
 * form, key and signature; a signed one is asked about when everything else was found good.
 */
#include <postern/validate.h>

#include <postern/oauthbearer.h>
#include <stdio.h>
#include <stdlib.h>

#include "fetch.h"
#include "introspecting.h"
#include "judge.h"
#include "validate_request.h"

struct validate_op;

/* OK: the next one.  AGAIN: it waits for v->wait. */
typedef postern_err (*validate_phase)(struct validate_op *v, postern_error *err);

struct validate_op {
    postern_op op;
    postern_context *ctx;
    const struct service_rules *rules; /* NULL: no such service */
    const struct trust *trust; /* NULL: several count, and it is not known yet whose token it is */
    const validate_phase *phase; /* NULL in the list: all are done */
    struct fetch *wait;          /* NULL: nothing is waited for */
    int64_t began_ms;            /* monotonic */
    struct request_copy rq;
    bool is_opaque;       /* the token: its issuer's word is all that there is */
    postern_trail *trail; /* the caller's, or NULL */
    uint64_t words;       /* of revocation and block, that had come when this began */
    struct cache_key key; /* of the token, when has_key */
    bool has_key;
    struct cached_token *cached; /* NULL: it has to be proved */
    uint64_t keys_generation;    /* of the keys that proved it now */
    postern_jwt *jwt;            /* workspace, borrowed from the context */
    const postern_json *claims;  /* proved: of jwt, or of cached */
    struct introspecting asking; /* its claims: what the issuer says */
    postern_buf scratch;         /* unescaped claims */
    postern_buf answer_scratch, scope;
};

/* ---- steps ---- */

static postern_err check_transport(const struct validate_op *v, postern_error *err)
{
    if (v->rules->needs_tls && v->rq.tls != POSTERN_TLS_ON && v->rq.tls != POSTERN_TLS_LOCAL)
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
    if (!copy_field(v->rq.message_host, m.host, sizeof m.host) ||
        !copy_field(v->rq.message_port, m.port, sizeof m.port))
        return POSTERN_FAIL(err, MESSAGE_SERVER, "host or port of the message is too long");
    return postern_sasl_message_check_server(&m, v->rules->server_names, v->rules->server_port,
                                             err);
}

static postern_err check_size(const struct validate_op *v, postern_error *err)
{
    if (v->rq.is_too_long)
        return POSTERN_FAIL(err, LIMIT, "token has more than %d bytes", POSTERN_TOKEN_MAX);
    if (v->rq.token.len == 0)
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

static postern_err verify_with(struct validate_op *v, enum keyring_look how, postern_error *err)
{
    POSTERN_AUTO(jwks) keys = NULL;
    struct key_look look = { .how = how, .asked_ms = v->began_ms };

    if (!postern_jwt_kid(v->jwt, &look.kid))
        look.kid = POSTERN_BYTES_NONE;
    POSTERN_TRY(postern_keyring_get(v->trust->issuer->keys, &v->op, &look, &keys,
                                    &v->keys_generation, &v->wait, err));
    note_key(v);
    POSTERN_TRY(postern_jwt_prove(v->jwt, keys, err));
    postern_trail_enter(v->trail, TRAIL_PAYLOAD);
    return postern_jwt_read(v->jwt, &v->claims, err);
}

/* A kid that is not known yet may be in a key set that was replaced this instant: one more look,
 * rate-limited, that a fetched set is waited for. */
static postern_err prove_signature(struct validate_op *v, postern_error *err)
{
    postern_err e;

    postern_trail_enter(v->trail, TRAIL_KEYS);
    postern_trail_note(v->trail, "%s", v->trust->keys_source);
    e = verify_with(v, KEYRING_LOOK_WHEN_DUE, err);
    return e == POSTERN_ERR_UNKNOWN_KID ? verify_with(v, KEYRING_LOOK_AGAIN, err) : e;
}

/* Among several issuers, the one that the token names: from here on its algorithms, its keys and
 * its rules count, and nobody else's (RFC 8725 §3.8).  What it says is proved by the signature. */
static postern_err choose_trust(struct validate_op *v, postern_error *err)
{
    size_t i;

    if (v->trust != NULL)
        return POSTERN_OK;
    postern_trail_enter(v->trail, TRAIL_WHOSE);
    POSTERN_TRY(
        postern_jwt_choose_issuer(v->jwt, v->rules->issuers, v->rules->trust_count, &i, err));
    v->trust = &v->rules->trusts[i];
    postern_trail_note(v->trail, "it says %s: %s", v->trust->claims.issuer, v->trust->issuer_file);
    return POSTERN_OK;
}

/* Everything before the signature, with the workspace. */
static postern_err check_form(struct validate_op *v, postern_error *err)
{
    postern_trail_enter(v->trail, TRAIL_FORM);
    POSTERN_TRY(postern_context_take_jwt(v->ctx, &v->jwt, err));
    POSTERN_TRY(postern_jwt_parse(v->jwt, v->rq.token, err));
    POSTERN_TRY(choose_trust(v, err));
    postern_trail_enter(v->trail, TRAIL_ALGORITHM);
    postern_trail_note(v->trail, "alg %s", postern_alg_name(postern_jwt_alg(v->jwt)));
    POSTERN_TRY(check_algorithm(v, err));
    postern_trail_enter(v->trail, TRAIL_TYPE);
    note_type(v);
    return check_type(v, err);
}

/* By that issuer's keys?  An entry is one issuer's alone: that of another proves nothing here. */
static struct cached_token *find_proved_by(struct validate_op *v, const struct trust *trust)
{
    v->key.issuer = trust->issuer;
    return postern_cache_find(postern_context_cache(v->ctx), &v->key, postern_op_mono_ms(&v->op));
}

/* Was it proved lately, by keys that are still the ones in force?  Then it is known whose it is. */
static postern_err find_proved(struct validate_op *v, postern_error *err)
{
    const struct trust *trust = v->rules->trusts, *end = trust + v->rules->trust_count;
    struct cached_token *found = NULL;
    uint64_t generation;
    postern_err e;

    v->has_key =
        postern_cache_key_make(postern_context_cache(v->ctx), v->rq.token, NULL, v->rules, &v->key);
    for (; v->has_key && found == NULL && trust != end; trust++)
        found = find_proved_by(v, trust);
    if (found == NULL)
        return POSTERN_OK;
    trust--;
    e = postern_keyring_generation(trust->issuer->keys, &v->op, &generation, &v->wait, err);
    if (e != POSTERN_OK || generation != postern_cached_keys_generation(found)) {
        postern_cached_release(found);
        return e;
    }
    v->trust = trust;
    v->cached = found;
    return POSTERN_OK;
}

static void remember(struct validate_op *v, int64_t now_s)
{
    const struct cache_proof proof = {
        .claims = v->claims,
        .keys_generation = v->keys_generation,
        .words = v->words,
        .now_ms = postern_op_mono_ms(&v->op),
        .life_s = postern_grant_exp_s(v->op.grant) - now_s,
    };

    v->key.issuer = v->trust->issuer;
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

/* Everything that is asked of a proved token. */
static postern_err judge_claims(struct validate_op *v, postern_trail *trail,
                                struct postern_grant_facts *ret, postern_error *err)
{
    int64_t now_s = postern_op_now_s(&v->op);
    postern_failure judged; /* four texts of it */
    const struct judge j = {
        .ctx = v->ctx,
        .trust = v->trust,
        .is_answer = v->is_opaque,
        .now_s = now_s,
        .life_s = now_s,
        .mono_ms = postern_op_mono_ms(&v->op),
        .extra_scopes = v->rq.extra_scopes,
        .client_cert_sha256 = v->rq.client_cert_sha256,
        .authzid = v->rq.authzid,
        .scratch = &v->scratch,
        .trail = trail,
        .failure = &judged,
    };
    postern_err e;

    judged.because[0] = judged.contact[0] = judged.agent[0] = judged.human[0] = '\0';
    postern_buf_reset(&v->scratch);
    e = postern_judge_claims(&j, v->claims, ret, err);
    return e == POSTERN_OK ? e : tell_judged(v, &judged, e, err);
}

/* ---- the issuer's word ---- */

static bool asks_issuer(const struct validate_op *v)
{
    return v->is_opaque || v->trust->issuer->introspection == INTROSPECT_ALWAYS;
}

/* A token that would be refused in any case is no reason to ask. */
static postern_err judge_before_asking(struct validate_op *v, postern_error *err)
{
    struct postern_grant_facts facts;

    if (v->is_opaque || !asks_issuer(v))
        return POSTERN_OK;
    return judge_claims(v, v->trail, &facts, err);
}

static postern_err ask_issuer(struct validate_op *v, postern_error *err)
{
    if (!asks_issuer(v))
        return POSTERN_OK;
    v->asking.trust = v->trust;
    v->asking.trail_step = v->is_opaque ? TRAIL_INTROSPECTION : TRAIL_ACTIVE;
    POSTERN_TRY(postern_introspecting_step(&v->asking, &v->wait, err));
    if (v->is_opaque)
        v->claims = v->asking.claims;
    return POSTERN_OK;
}

/* The word on a signed token.  What must be there was signed, and names of local users come from
 * the token alone. */
static postern_err hear_issuer(struct validate_op *v, struct postern_grant_facts *facts,
                               postern_error *err)
{
    struct claim_rules rules = v->trust->answer_claims;
    const struct claim_login login = {
        .now_s = postern_op_now_s(&v->op),
        .extra_scopes = v->rq.extra_scopes,
        .client_cert_sha256 = v->rq.client_cert_sha256,
    };
    struct postern_grant_facts told;

    rules.required_count = 0;
    POSTERN_TRY(postern_introspection_check_type(v->asking.claims, err));
    POSTERN_TRY(postern_claims_check(&rules, v->asking.claims, &login, &v->answer_scratch, NULL,
                                     &told, err));
    return postern_introspection_narrow(&told, facts, &v->scope, err);
}

/* ---- the verdict ---- */

/* Again where the issuer was waited for: meanwhile time passed, and words came. */
static postern_err judge(struct validate_op *v, postern_error *err)
{
    bool was_judged = asks_issuer(v) && !v->is_opaque;
    struct postern_grant_facts facts;

    POSTERN_TRY(judge_claims(v, was_judged ? NULL : v->trail, &facts, err));
    if (was_judged)
        POSTERN_TRY(hear_issuer(v, &facts, err));
    if (asks_issuer(v) && !v->asking.is_embedded) /* that one tells what it takes back */
        facts.introspected_s = postern_introspecting_told_s(&v->asking);
    facts.is_answer = v->is_opaque;
    POSTERN_TRY(postern_grant_from_proof(&facts, &v->op.grant, err));
    if (asks_issuer(v))
        postern_introspecting_remember(&v->asking, facts.exp_s);
    if (!v->is_opaque)
        remember(v, postern_op_now_s(&v->op));
    return POSTERN_OK;
}

static void note_service(const struct validate_op *v)
{
    postern_trail_note(v->trail, "%s", v->rules->section->file);
    for (size_t i = 0; i < v->rules->trust_count; i++)
        postern_trail_note(v->trail, "trusts %s by %s", v->rules->trusts[i].claims.issuer,
                           v->rules->trusts[i].issuer_file);
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
    if (v->rules->trust_count == 1)
        v->trust = v->rules->trusts;
    note_service(v);
    postern_trail_enter(v->trail, TRAIL_TRANSPORT);
    postern_trail_note(v->trail, "%s, TLS %s", v->rules->needs_tls ? "wanted" : "not wanted",
                       get_tls_word(v->rq.tls));
    POSTERN_TRY(check_transport(v, err));
    postern_trail_enter(v->trail, TRAIL_MESSAGE);
    POSTERN_TRY(check_message(v, err));
    postern_trail_enter(v->trail, TRAIL_SIZE);
    postern_trail_note(v->trail, v->rq.is_too_long ? "more than %d bytes" : "at most %d bytes",
                       POSTERN_TOKEN_MAX);
    if (!v->rq.is_too_long)
        postern_trail_note(v->trail, "%zu bytes", v->rq.token.len);
    return check_size(v, err);
}

/* What a person types is no token: where one would stand in its place, an opaque one must be known
 * by how it begins.  Of an issuer elsewhere also one that looks like ours: it may be, of another
 * service. */
static bool may_be_opaque(const struct validate_op *v)
{
    const char *prefix = v->rules->opaque_prefix;
    bool is_password =
        v->rq.carrier != POSTERN_CARRIER_SASL && v->rq.carrier != POSTERN_CARRIER_RAW;

    if (!postern_introspection_takes(v->rq.token))
        return false;
    if (!is_password || v->asking.is_embedded)
        return true;
    return prefix != NULL && v->rq.token.len > strlen(prefix) &&
           memcmp(v->rq.token.ptr, prefix, strlen(prefix)) == 0;
}

static bool is_asked(const struct trust *trust)
{
    return trust->issuer->introspection != INTROSPECT_NOTHING;
}

/* By its form alone, never because something was wrong with it as a JWT.  It does not say whose it
 * is: where several issuers are asked, none is shown it.  What looks like the embedded issuer's is
 * shown to nobody else where that one is trusted, whatever others are asked. */
static postern_err find_reader(struct validate_op *v, postern_error *err)
{
    const struct trust *reader = postern_service_only_trust(v->rules, is_asked);

    (void)err;
    v->asking.is_embedded = v->rules->embedded != NULL && postern_token_is_opaque(v->rq.token);
    if (v->asking.is_embedded)
        reader = v->rules->embedded;
    if (reader == NULL || !may_be_opaque(v))
        return POSTERN_OK;
    v->trust = reader;
    v->is_opaque = true;
    return POSTERN_OK;
}

/* In front of the proof, which is skipped then. */
static postern_err recall(struct validate_op *v, postern_error *err)
{
    if (v->is_opaque)
        return POSTERN_OK;
    postern_trail_enter(v->trail, TRAIL_CACHE);
    POSTERN_TRY(find_proved(v, err));
    postern_trail_note(v->trail, v->cached != NULL ? "proved a moment ago" : "not proved lately");
    if (v->cached == NULL)
        return POSTERN_OK;
    if (v->rules->trust_count != 1)
        postern_trail_note(v->trail, "by the keys of %s", v->trust->claims.issuer);
    v->claims = postern_cached_claims(v->cached);
    return POSTERN_OK;
}

static postern_err prove_form(struct validate_op *v, postern_error *err)
{
    return v->is_opaque || v->claims != NULL ? POSTERN_OK : check_form(v, err);
}

static postern_err prove_origin(struct validate_op *v, postern_error *err)
{
    return v->is_opaque || v->claims != NULL ? POSTERN_OK : prove_signature(v, err);
}

static const validate_phase phases[] = { check_login, find_reader,  recall,
                                         prove_form,  prove_origin, judge_before_asking,
                                         ask_issuer,  judge,        NULL };

static postern_err validate(struct validate_op *v, postern_error *err)
{
    for (; *v->phase != NULL; v->phase++) {
        struct fetch *waited =
            POSTERN_STEAL(v->wait); /* not let go before it was looked at again */
        postern_err e = (*v->phase)(v, err);

        postern_fetch_free(waited);
        if (e != POSTERN_OK)
            return e;
    }
    return POSTERN_OK;
}

/* ---- the operation ---- */

/* The scopes of this login in particular behind the service's own, when there is room for all of
 * them. */
static void tell_extra_scopes(const struct validate_op *v, char scope[POSTERN_SCOPE_MAX])
{
    size_t used = strlen(scope), len = v->rq.extra_scopes.len;

    if (len == 0 || used + 1 + len > POSTERN_SCOPE_MAX)
        return;
    if (used != 0)
        scope[used++] = ' ';
    memcpy(scope + used, v->rq.extra_scopes.ptr,
           len - 1); /* without the blank behind the last one */
    scope[used + len - 1] = '\0';
}

/* Where a token for this service comes from, beside what the judge has told. */
static postern_err tell_challenge(struct validate_op *v, postern_err verdict, postern_error *err)
{
    postern_failure *told = postern_op_tell(&v->op);
    /* the first issuer is where a client that has none is sent */
    const postern_failure *d = &(v->trust != NULL ? v->trust : v->rules->trusts)->challenge;

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
    postern_introspecting_end(&v->asking);
    v->claims = NULL;
}

static postern_err step(postern_op *op, postern_error *err)
{
    struct validate_op *v = (struct validate_op *)op;
    postern_err verdict = validate(v, err);

    if (verdict == POSTERN_AGAIN)
        return verdict;
    if (verdict != POSTERN_OK && v->rules != NULL)
        verdict = tell_challenge(v, verdict, err);
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
    postern_buf_free(&v->answer_scratch);
    postern_buf_free(&v->scope);
    postern_request_copy_drop(&v->rq);
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

static postern_err check_request(const postern_context *ctx, const postern_request *rq,
                                 postern_error *err)
{
    if (ctx == NULL || rq == NULL || rq->size < sizeof *rq || rq->service == NULL ||
        rq->service[0] == '\0')
        return POSTERN_FAIL(err, USAGE, "a request needs its size and a service");
    if (rq->token.ptr == NULL && rq->token.len != 0)
        return POSTERN_FAIL(err, USAGE, "a token without bytes");
    if (rq->client_cert_sha256.len != 0 && rq->client_cert_sha256.len != POSTERN_BOUND_CERT_LEN)
        return POSTERN_FAIL(err, USAGE, "a certificate's SHA-256 has 32 bytes");
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
    v->began_ms = postern_op_mono_ms(&v->op);
    v->scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    v->answer_scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    v->scope = POSTERN_BUF_INIT(POSTERN_SCOPE_CLAIM_MAX);
    v->rules = postern_context_rules(ctx, rq->service);
    POSTERN_TRY(postern_request_copy_make(rq, &v->rq, err));
    v->trail = rq->trail;
    v->asking = (struct introspecting){
        .ctx = v->ctx,
        .op = &v->op,
        .token = v->rq.token,
        .peer = v->rq.peer,
        .max_age_ms = rq->introspected_within_ms,
        .is_look_again = rq->is_look_again,
        .trail = v->trail,
    };
    *ret_op = POSTERN_STEAL(op);
    return POSTERN_OK;
}
