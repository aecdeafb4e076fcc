/* SPDX-License-Identifier: BSD-2-Clause */
/* See introspection.h.  RFC 7662 §2.2 and §4. */
#include "introspection.h"

#include "claims.h"
#include "scope.h"

#define JWS_DOTS 2
#define JWE_DOTS 4

/* ---- the answer ---- */

/* The index counts from the beginning of its text, wherever that lies. */
static postern_err keep_text(struct introspection *i, postern_error *err)
{
    postern_buf_add(&i->text, i->claims.text);
    if (i->text.failed)
        return POSTERN_FAIL(err, NOMEM, "introspection answer");
    i->claims.text = postern_buf_bytes(&i->text);
    return POSTERN_OK;
}

postern_err postern_introspection_read(const struct postern_http_response *r,
                                       struct introspection *ret, postern_error *err)
{
    postern_json_type active;

    if (r->body.len > POSTERN_INTROSPECTION_MAX)
        return POSTERN_FAIL(err, ISSUER_ANSWER, "introspection answer has more than %d bytes",
                            POSTERN_INTROSPECTION_MAX);
    POSTERN_TRY(postern_answer_scan(r, &ret->claims, err));
    active = postern_json_type_of(&ret->claims, postern_json_member(&ret->claims, 0, "active"));
    if (active != POSTERN_JSON_TRUE && active != POSTERN_JSON_FALSE)
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "introspection answer's \"active\" is neither true nor false");
    if (active == POSTERN_JSON_FALSE)
        return POSTERN_OK;
    POSTERN_TRY(keep_text(ret, err));
    ret->is_active = true;
    return POSTERN_OK;
}

void postern_introspection_free(struct introspection *i)
{
    postern_json_free(&i->claims);
    postern_buf_free(&i->text);
}

/* ---- what kind of token ---- */

static const char *const token_types[] = { "Bearer", "access_token",
                                           "urn:ietf:params:oauth:token-type:access_token",
                                           "at+jwt", "JWT" };

/* RFC 6749 §5.1: a token type is compared without case. */
static bool is_word(postern_bytes text, const char *word)
{
    postern_reader r = { text };

    return postern_reader_take_lit_nocase(&r, word) && postern_reader_is_done(&r);
}

static postern_err judge_type(const char *name, postern_bytes type, postern_error *err)
{
    char quoted[300];

    for (size_t i = 0; i < sizeof token_types / sizeof *token_types; i++)
        if (is_word(type, token_types[i]))
            return POSTERN_OK;
    if (is_word(type, "DPoP")) /* RFC 9449 §6.2 */
        return POSTERN_FAIL(err, CNF, "introspection answer: the token needs a DPoP proof");
    return POSTERN_FAIL(err, TYP, "introspection answer: %s is \"%s\"", name,
                        postern_error_quote(type.ptr, type.len, quoted, sizeof quoted));
}

/* As it stands: what has to be unescaped is none of the words above. */
postern_err postern_introspection_check_type(const postern_json *claims, postern_error *err)
{
    static const char *const names[] = { "token_type", "typ" }; /* Keycloak says "Refresh" in typ */

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t node = postern_json_member(claims, 0, names[i]);
        postern_bytes raw;

        if (node == POSTERN_JSON_ABSENT)
            continue;
        if (postern_json_type_of(claims, node) != POSTERN_JSON_STRING)
            return POSTERN_FAIL(err, TYP, "introspection answer: %s is not a string", names[i]);
        raw = postern_json_raw(claims, node);
        POSTERN_TRY(judge_type(names[i], (postern_bytes){ raw.ptr + 1, raw.len - 2 }, err));
    }
    return POSTERN_OK;
}

/* ---- beside signed claims ---- */

/* What one of the two leaves out contradicts nothing. */
static postern_err demand_same(const char *name, postern_bytes token, postern_bytes told,
                               postern_error *err)
{
    if (token.len == 0 || told.len == 0 || postern_bytes_equal(token, told))
        return POSTERN_OK;
    return POSTERN_FAIL(err, ISSUER_ANSWER,
                        "introspection answer is of another token: its %s differs", name);
}

static postern_err demand_same_actors(const struct postern_grant_facts *told,
                                      const struct postern_grant_facts *facts, postern_error *err)
{
    if (told->act_depth != 0 && told->act_depth != facts->act_depth)
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "introspection answer is of another token: its act differs");
    for (size_t i = 0; i < told->act_depth; i++)
        POSTERN_TRY(demand_same("act", facts->act[i], told->act[i], err));
    return POSTERN_OK;
}

static postern_err narrow_scope(postern_bytes told, struct postern_grant_facts *facts,
                                postern_buf *scratch, postern_error *err)
{
    postern_bytes rest = facts->scope;

    postern_buf_reset(scratch);
    while (rest.len != 0) {
        postern_bytes word = postern_scope_next(&rest);

        if (!postern_scope_has(told, word))
            continue;
        if (scratch->len != 0)
            postern_buf_add_byte(scratch, ' ');
        postern_buf_add(scratch, word);
    }
    if (scratch->failed)
        return POSTERN_FAIL(err, NOMEM, "scope");
    facts->scope = postern_buf_bytes(scratch);
    return POSTERN_OK;
}

postern_err postern_introspection_narrow(const struct postern_grant_facts *told,
                                         struct postern_grant_facts *facts, postern_buf *scratch,
                                         postern_error *err)
{
    POSTERN_TRY(demand_same("sub", facts->subject, told->subject, err));
    POSTERN_TRY(demand_same("client_id", facts->registered_client, told->registered_client, err));
    POSTERN_TRY(demand_same("jti", facts->jti, told->jti, err));
    POSTERN_TRY(demand_same_actors(told, facts, err));
    if (told->exp_s > facts->exp_s)
        return POSTERN_FAIL(err, ISSUER_ANSWER,
                            "introspection answer is of another token: its exp is later");
    facts->exp_s = told->exp_s;
    if (facts->bound_cert.len == 0) /* it was judged: what was shown is what the answer binds to */
        facts->bound_cert = told->bound_cert;
    return narrow_scope(told->scope, facts, scratch, err);
}

/* ---- opaque tokens ---- */

bool postern_introspection_takes(postern_bytes token)
{
    size_t dots = 0;

    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return false;
        dots += token.ptr[i] == '.';
    }
    return token.len != 0 && dots != JWS_DOTS && dots != JWE_DOTS;
}
