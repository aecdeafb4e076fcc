/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own tokens judged; see own_token.h.  RFC 9068 §4 by the library; then the store: the client
 * and every actor registered and not removed since, jti and parents not revoked, the person's
 * authorization standing.
 */
#include "own_token.h"

#include <postern/validate.h>

#include <postern/oauthbearer.h>

#include "clients.h"
#include "opaque.h"
#include "store_grants.h"
#include "store_opaque.h"
#include "store_revocations.h"
#include "words.h"

/* The one service of postern_config_new_token_check(). */
#define TOKEN_CHECK_SERVICE "token"
#define AUDIENCES_MAX 1024 /* words that a list of the configuration may have */

void own_token_free(struct own_token *t)
{
    postern_json_free(&t->claims);
    postern_buf_free(&t->scratch);
    postern_grant_free(t->grant);
    t->grant = NULL;
}

bool own_token_has_form(postern_bytes token)
{
    return postern_token_is_opaque(token) || postern_bytes_find(token, '.') != token.len;
}

/* ---- what they are judged by ---- */

struct audiences {
    postern_buf text; /* every one with a NUL behind */
    size_t starts[AUDIENCES_MAX];
    const char *list[AUDIENCES_MAX + 1];
    size_t count;
};

static bool add_audience(struct audiences *a, postern_bytes word)
{
    if (a->count == AUDIENCES_MAX)
        return false;
    a->starts[a->count++] = a->text.len;
    postern_buf_add(&a->text, word);
    postern_buf_add_byte(&a->text, '\0');
    return !a->text.failed;
}

static bool add_service(struct audiences *a, const char *words)
{
    postern_bytes word;

    while (words_next(&words, &word))
        if (word_is_resource(word) && !add_audience(a, word))
            return false;
    return true;
}

static bool add_all(struct audiences *a, const struct issuer_settings *s)
{
    for (size_t i = 0; i < s->service_count; i++)
        if (!add_service(a, s->services[i].audiences))
            return false;
    if (!add_audience(a, postern_bytes_str(s->whoami)))
        return false;
    for (size_t i = 0; i < a->count; i++)
        a->list[i] = (const char *)a->text.ptr + a->starts[i];
    a->list[a->count] = NULL;
    return true;
}

static postern_err make_context(struct issuer *is, const char *jwks_file,
                                const char *const *audiences, postern_context **ret,
                                postern_error *err)
{
    postern_config *config = NULL;

    POSTERN_TRY(postern_config_new_audience_check(is->settings->issuer, audiences, jwks_file,
                                                  &config, err));
    return postern_context_new(config, &is->clock, ret, err);
}

static postern_err make_own_context(struct issuer *is, const char *jwks_file,
                                    postern_context **ret, postern_error *err)
{
    struct audiences all = { .text = POSTERN_BUF_INIT((size_t)AUDIENCES_MAX * POSTERN_URL_MAX) };
    postern_err e;

    if (add_all(&all, is->settings))
        e = make_context(is, jwks_file, all.list, ret, err);
    else
        e = POSTERN_FAIL(err, CONFIG_VALUE,
                         "more than %d audiences of services, or no memory for them",
                         AUDIENCES_MAX);
    postern_buf_free(&all.text);
    return e;
}

postern_err own_token_load_keys(struct issuer *is, const char *jwks_file, postern_error *err)
{
    const char *const whoami_only[] = { is->settings->whoami, NULL };
    POSTERN_AUTO(context) whoami = NULL;
    POSTERN_AUTO(context) own = NULL;

    POSTERN_TRY(make_context(is, jwks_file, whoami_only, &whoami, err));
    POSTERN_TRY(make_own_context(is, jwks_file, &own, err));
    postern_context_free(is->whoami_tokens);
    postern_context_free(is->own_tokens);
    is->whoami_tokens = POSTERN_STEAL(whoami);
    is->own_tokens = POSTERN_STEAL(own);
    return POSTERN_OK;
}

/* ---- the proof ---- */

static postern_err prove(postern_context *ctx, postern_bytes token, postern_grant **ret,
                         postern_error *err)
{
    postern_request rq = { .size = sizeof rq,
                           .service = TOKEN_CHECK_SERVICE,
                           .token = token,
                           .carrier = POSTERN_CARRIER_RAW,
                           .tls = POSTERN_TLS_LOCAL };
    POSTERN_AUTO(op) op = NULL;
    postern_err e;

    if (ctx == NULL)
        return POSTERN_FAIL(err, KEYS_UNAVAILABLE, "the key set is not written yet");
    POSTERN_TRY(postern_validate_start(ctx, &rq, &op, err));
    e = postern_op_step(op, err);
    if (e == POSTERN_AGAIN) /* keys come from a file: there is nothing to wait for */
        return POSTERN_FAIL(err, INTERNAL, "validation of our own token wants to wait");
    if (e == POSTERN_OK)
        *ret = postern_op_take_grant(op);
    return e;
}

/* What an opaque token stands for is signed for the moment and judged like any other: there is one way
 * in which claims of ours are proved. */
static postern_err prove_opaque(const struct issuer *is, postern_context *ctx,
                                const uint8_t sha256[OPAQUE_HASH], postern_grant **ret,
                                postern_error *err)
{
    POSTERN_AUTO_BUF claims = POSTERN_BUF_INIT(POSTERN_TOKEN_MAX);
    POSTERN_AUTO(secret) token = NULL;
    bool is_found = false;

    POSTERN_TRY(store_opaque_find(is->store, sha256, &is_found, &claims, err));
    if (!is_found)
        return POSTERN_FAIL(err, INACTIVE, "no opaque token of ours, or one that has ended");
    POSTERN_TRY(postern_mint_token(is->key, "at+jwt", postern_buf_bytes(&claims), &token, err));
    return prove(ctx, postern_secret_bytes(token), ret, err);
}

static postern_err prove_any(const struct issuer *is, postern_context *ctx, postern_bytes token,
                             postern_grant **ret, postern_error *err)
{
    uint8_t sha256[OPAQUE_HASH];

    if (!postern_token_is_opaque(token))
        return prove(ctx, token, ret, err);
    POSTERN_TRY(opaque_hash(token, sha256, err));
    return prove_opaque(is, ctx, sha256, ret, err);
}

/* ---- the claims that are ours ---- */

postern_bytes own_token_claim(const struct own_token *t, const char *name)
{
    uint32_t node = postern_json_member(&t->claims, 0, name);

    return node == POSTERN_JSON_ABSENT ? POSTERN_BYTES_NONE : postern_json_raw(&t->claims, node);
}

static bool copy_string(struct own_token *t, uint32_t node, char *room, size_t room_size)
{
    postern_bytes text;

    if (!postern_json_string(&t->claims, node, &t->scratch, &text) || text.len == 0 ||
        text.len >= room_size || !postern_bytes_is_printable(text))
        return false;
    memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return true;
}

static bool read_parents(struct own_token *t)
{
    uint32_t list = postern_json_member(&t->claims, 0, "derived_from");

    if (list == POSTERN_JSON_ABSENT)
        return true;
    if (postern_json_type_of(&t->claims, list) != POSTERN_JSON_ARRAY)
        return false;
    for (uint32_t n = postern_json_first(&t->claims, list); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(&t->claims, n)) {
        if (t->parent_count == TOKEN_PARENTS_MAX ||
            !copy_string(t, n, t->parents[t->parent_count], TOKEN_JTI_MAX))
            return false;
        t->parent_count++;
    }
    return true;
}

/* What the library lets pass because other issuers need not have it. */
static postern_err read_claims(struct own_token *t, postern_error *err)
{
    uint32_t grant_id;

    POSTERN_TRY(postern_json_scan(&t->claims, postern_grant_claims(t->grant), err));
    grant_id = postern_json_member(&t->claims, 0, "grant_id");
    if (postern_grant_subject(t->grant) == NULL || postern_grant_client_id(t->grant) == NULL ||
        postern_grant_iat_s(t->grant) < 0 ||
        !copy_string(t, postern_json_member(&t->claims, 0, "jti"), t->jti, sizeof t->jti) ||
        !read_parents(t) ||
        (grant_id != POSTERN_JSON_ABSENT &&
         !copy_string(t, grant_id, t->grant_id, sizeof t->grant_id)))
        return t->scratch.failed
                   ? POSTERN_FAIL(err, NOMEM, "claims of a token")
                   : POSTERN_FAIL(err, MALFORMED_CLAIM, "no token of this issuer looks like that");
    return POSTERN_OK;
}

/* ---- what was taken back ---- */

/* We are the clock of these tokens: no skew. */
static postern_err check_end(const struct issuer *is, const struct own_token *t,
                             postern_error *err)
{
    if (issuer_now_s(is) >= postern_grant_exp_s(t->grant))
        return POSTERN_FAIL(err, EXPIRED, "the token has expired");
    return POSTERN_OK;
}

static postern_err check_client(struct issuer *is, const struct own_token *t, const char *name,
                                postern_error *err)
{
    bool is_live = false;

    POSTERN_TRY(
        clients_check_live(is, name, postern_grant_iat_s(t->grant), &is_live, err));
    return is_live ? POSTERN_OK : POSTERN_FAIL(err, REVOKED, "the token's client was removed");
}

static postern_err check_clients(struct issuer *is, const struct own_token *t, postern_error *err)
{
    POSTERN_TRY(check_client(is, t, postern_grant_client_id(t->grant), err));
    for (size_t i = 0; i < postern_grant_act_depth(t->grant); i++)
        POSTERN_TRY(check_client(is, t, postern_grant_act(t->grant, i), err));
    return POSTERN_OK;
}

static postern_err check_jti(struct issuer *is, const char *jti, postern_error *err)
{
    bool is_revoked = true;

    POSTERN_TRY(store_revocation_find(is->store, POSTERN_REVOCATION_JTI, jti, &is_revoked, err));
    return is_revoked ? POSTERN_FAIL(err, REVOKED, "the token was revoked") : POSTERN_OK;
}

static postern_err check_parents(struct issuer *is, const struct own_token *t, postern_error *err)
{
    POSTERN_TRY(check_jti(is, t->jti, err));
    for (size_t i = 0; i < t->parent_count; i++)
        POSTERN_TRY(check_jti(is, t->parents[i], err));
    return POSTERN_OK;
}

/* The grant outlives its tokens: one that is not there was ended, and forgotten. */
static postern_err check_grant(struct issuer *is, const struct own_token *t, postern_error *err)
{
    struct grant_record g = { 0 };
    bool is_found = false;

    if (t->grant_id[0] == '\0')
        return POSTERN_OK;
    POSTERN_TRY(store_grant_find(is->store, t->grant_id, &is_found, &g, err));
    if (!is_found || g.ended_s != 0 || issuer_now_s(is) >= g.ends_s)
        return POSTERN_FAIL(err, REVOKED, "the authorization behind the token has ended");
    return POSTERN_OK;
}

static postern_err check_taken_back(struct issuer *is, const struct own_token *t,
                                    postern_error *err)
{
    POSTERN_TRY(check_clients(is, t, err));
    POSTERN_TRY(check_parents(is, t, err));
    return check_grant(is, t, err);
}

postern_err own_token_judge(struct issuer *is, postern_context *ctx, postern_bytes token,
                            struct own_token *ret, postern_error *err)
{
    POSTERN_TRY(prove_any(is, ctx, token, &ret->grant, err));
    POSTERN_TRY(read_claims(ret, err));
    POSTERN_TRY(check_end(is, ret, err));
    return check_taken_back(is, ret, err);
}

postern_err own_token_judge_elsewhere(struct issuer *is, postern_bytes token,
                                      struct own_token *ret, postern_error *err)
{
    POSTERN_TRY(prove_any(is, is->own_tokens, token, &ret->grant, err));
    POSTERN_TRY(read_claims(ret, err));
    return check_taken_back(is, ret, err);
}

postern_err own_token_judge_opaque(struct issuer *is, const uint8_t sha256[OPAQUE_HASH],
                                   struct own_token *ret, postern_error *err)
{
    POSTERN_TRY(prove_opaque(is, is->own_tokens, sha256, &ret->grant, err));
    POSTERN_TRY(read_claims(ret, err));
    return check_taken_back(is, ret, err);
}
