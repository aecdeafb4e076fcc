/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one exit: nothing else in the tree makes a postern_grant.  Two constructors, from a local
 * proof and from the reply of a verified helper; both end in build_grant(), which holds what every
 * grant promises (bounds, no control characters, someone it stands for).  Does not judge tokens:
 * lib/oauth/validate.c does, or posternd's helper did.  One allocation per grant.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include <postern-private/human.h>

#include "grant/grant.h"
#include "grant/reply.h"

/* What both constructors hand to build_grant(): the facts, and the helper's reference. */
struct sources {
    const struct postern_grant_facts *facts;
    postern_bytes ref;
};

enum text_id {
    TEXT_SERVICE,
    TEXT_REF,
    TEXT_ISSUER,
    TEXT_SUBJECT,
    TEXT_CLIENT_ID,
    TEXT_USER,
    TEXT_AUDIENCE,
    TEXT_JTI,
    TEXT_PURPOSE,
    TEXT_SCOPE,
    TEXT_GRANT_ID,
    TEXT_AUTHCID,
    TEXT_COUNT
};

static const struct {
    size_t at;  /* offset of the postern_bytes in the facts; unused for TEXT_REF */
    size_t max; /* bytes */
    const char *name;
} texts[TEXT_COUNT] = {
#define FACT(member) offsetof(struct postern_grant_facts, member)
    [TEXT_SERVICE] = { FACT(service), POSTERN_IDENTITY_MAX, "service" },
    [TEXT_REF] = { 0, POSTERN_REF_MAX - 1, "ref" },
    [TEXT_ISSUER] = { FACT(issuer), POSTERN_URI_MAX, "iss" },
    [TEXT_SUBJECT] = { FACT(subject), POSTERN_IDENTITY_MAX, "sub" },
    [TEXT_CLIENT_ID] = { FACT(client_id), POSTERN_IDENTITY_MAX, "client_id" },
    [TEXT_USER] = { FACT(user), POSTERN_IDENTITY_MAX, "user" },
    [TEXT_AUDIENCE] = { FACT(audience), POSTERN_URI_MAX, "aud" },
    [TEXT_JTI] = { FACT(jti), POSTERN_URI_MAX, "jti" },
    [TEXT_PURPOSE] = { FACT(purpose), POSTERN_PURPOSE_MAX, "purpose" },
    [TEXT_SCOPE] = { FACT(scope), POSTERN_SCOPE_CLAIM_MAX, "scope" },
    [TEXT_GRANT_ID] = { FACT(grant_id), POSTERN_GRANT_ID_MAX, "grant_id" },
    [TEXT_AUTHCID] = { FACT(authcid), POSTERN_IDENTITY_MAX, "authcid" },
#undef FACT
};

struct postern_grant {
    postern_origin origin;
    size_t size;                  /* of this allocation */
    const char *text[TEXT_COUNT]; /* into store; NULL where the token had none */
    const char *act[POSTERN_ACT_DEPTH_MAX];
    size_t act_depth;
    const char *derived_from[POSTERN_DERIVED_MAX];
    size_t derived_count;
    bool is_clients_own, is_answer;
    int64_t exp_s, iat_s, introspected_s;
    postern_bytes claims, authorization_details;
    uint8_t bound_cert[POSTERN_BOUND_CERT_LEN];
    bool is_bound;
    char store[];
};

static postern_bytes text_of(const struct sources *from, size_t id)
{
    if (id == TEXT_REF)
        return from->ref;
    return *(const postern_bytes *)((const char *)from->facts + texts[id].at);
}

static postern_err check_text(postern_bytes text, size_t max, const char *name, postern_error *err)
{
    if (text.len > max)
        return POSTERN_FAIL(err, LIMIT, "%s is longer than %zu bytes", name, max);
    if (postern_bytes_is_printable(text)) /* nearly all are, and it is one pass */
        return POSTERN_OK;
    if (!postern_bytes_is_utf8(text) || postern_bytes_has_control(text))
        return POSTERN_FAIL(err, UNSAFE_IDENTITY, "%s holds bytes that are not plain text", name);
    return POSTERN_OK;
}

/* They are told as the part of the signed text that they are. */
static bool are_details_within(const struct postern_grant_facts *facts)
{
    postern_bytes details = facts->authorization_details, claims = facts->claims;

    return details.len == 0 ||
           (details.ptr >= claims.ptr && details.len <= claims.len &&
            (size_t)(details.ptr - claims.ptr) <= claims.len - details.len);
}

static postern_err check_list(const postern_bytes *list, size_t count, size_t max, const char *name,
                              postern_error *err)
{
    if (count > max)
        return POSTERN_FAIL(err, LIMIT, "%s has more than %zu entries", name, max);
    for (size_t i = 0; i < count; i++)
        POSTERN_TRY(check_text(list[i], POSTERN_IDENTITY_MAX, name, err));
    return POSTERN_OK;
}

static postern_err check_sources(const struct sources *from, postern_error *err)
{
    const struct postern_grant_facts *facts = from->facts;

    if (facts->subject.len == 0 && facts->client_id.len == 0)
        return POSTERN_FAIL(err, INTERNAL, "a grant must stand for a subject or a client");
    if (facts->exp_s < 0)
        return POSTERN_FAIL(err, INTERNAL, "a grant must end");
    if (facts->bound_cert.len != 0 && facts->bound_cert.len != POSTERN_BOUND_CERT_LEN)
        return POSTERN_FAIL(err, INTERNAL, "a certificate's SHA-256 has another length");
    if (!are_details_within(facts))
        return POSTERN_FAIL(err, INTERNAL, "authorization_details are not the claims' own");
    for (size_t id = 0; id < TEXT_COUNT; id++)
        POSTERN_TRY(check_text(text_of(from, id), texts[id].max, texts[id].name, err));
    POSTERN_TRY(check_list(facts->act, facts->act_depth, POSTERN_ACT_DEPTH_MAX, "act", err));
    return check_list(facts->derived_from, facts->derived_count, POSTERN_DERIVED_MAX,
                      "derived_from", err);
}

/* All lengths were bounded by check_sources() but claims.len, which is that of a buffer in memory:
 * the sum cannot wrap. */
static size_t size_of(const struct sources *from)
{
    size_t size = sizeof(struct postern_grant) + from->facts->claims.len + 1;

    for (size_t id = 0; id < TEXT_COUNT; id++)
        size += text_of(from, id).len + 1;
    for (size_t i = 0; i < from->facts->act_depth; i++)
        size += from->facts->act[i].len + 1;
    for (size_t i = 0; i < from->facts->derived_count; i++)
        size += from->facts->derived_from[i].len + 1;
    return size;
}

/* Copy with a NUL behind it; *at moves on. */
static const char *store_text(char **at, postern_bytes text)
{
    char *copy = *at;

    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

/* A copy of the claims, and the details as the part of it that they are. */
static void store_claims(char **at, const struct postern_grant_facts *facts, postern_grant *g)
{
    postern_bytes details = facts->authorization_details;

    if (facts->claims.len == 0)
        return;
    g->claims =
        (postern_bytes){ (const uint8_t *)store_text(at, facts->claims), facts->claims.len };
    if (details.len != 0)
        g->authorization_details =
            (postern_bytes){ g->claims.ptr + (details.ptr - facts->claims.ptr), details.len };
}

static postern_err build_grant(postern_origin origin, const struct sources *from,
                               postern_grant **ret, postern_error *err)
{
    postern_grant *g;
    char *at;
    size_t size;

    POSTERN_TRY(check_sources(from, err));
    size = size_of(from);
    g = malloc(size);
    if (g == NULL)
        return POSTERN_FAIL(err, NOMEM, "grant of %zu bytes", size);
    memset(g, 0, sizeof *g); /* the store is written once, text by text */
    at = g->store;
    g->origin = origin;
    g->size = size;
    for (size_t id = 0; id < TEXT_COUNT; id++) {
        postern_bytes text = text_of(from, id);
        if (text.len != 0 || id == TEXT_SCOPE)
            g->text[id] = store_text(&at, text);
    }
    g->act_depth = from->facts->act_depth;
    for (size_t i = 0; i < g->act_depth; i++)
        g->act[i] = store_text(&at, from->facts->act[i]);
    g->derived_count = from->facts->derived_count;
    for (size_t i = 0; i < g->derived_count; i++)
        g->derived_from[i] = store_text(&at, from->facts->derived_from[i]);
    g->is_clients_own = from->facts->is_clients_own;
    g->exp_s = from->facts->exp_s;
    g->iat_s = from->facts->iat_s;
    g->introspected_s = from->facts->introspected_s;
    g->is_answer = from->facts->is_answer;
    store_claims(&at, from->facts, g);
    g->is_bound = from->facts->bound_cert.len != 0;
    if (g->is_bound)
        memcpy(g->bound_cert, from->facts->bound_cert.ptr, sizeof g->bound_cert);
    *ret = g;
    return POSTERN_OK;
}

postern_err postern_grant_from_proof(const struct postern_grant_facts *facts, postern_grant **ret,
                                     postern_error *err)
{
    const struct sources from = { .facts = facts };

    return build_grant(POSTERN_ORIGIN_LOCAL_PROOF, &from, ret, err);
}

postern_err postern_grant_from_reply(postern_bytes frame, postern_bytes nonce_text,
                                     const char *service, postern_grant **ret,
                                     postern_failure *ret_failure, postern_error *err)
{
    POSTERN_AUTO_FRAME f = { 0 };
    struct postern_grant_facts facts = { 0 };
    struct sources from = { .facts = &facts };
    postern_err e;

    *ret_failure = (postern_failure){ 0 };
    e = postern_frame_open(&f, frame, err);
    if (e == POSTERN_OK)
        e = postern_reply_read(&f, nonce_text, service, &facts, &from.ref, ret_failure, err);
    if (e == POSTERN_OK)
        e = build_grant(POSTERN_ORIGIN_HELPER, &from, ret, err);
    if (e != POSTERN_OK)
        ret_failure->code = e;
    return e;
}

/* ---- reading a grant ---- */

postern_origin postern_grant_origin(const postern_grant *g)
{
    return g->origin;
}
const char *postern_grant_service(const postern_grant *g)
{
    return g->text[TEXT_SERVICE];
}
const char *postern_grant_issuer(const postern_grant *g)
{
    return g->text[TEXT_ISSUER];
}
const char *postern_grant_subject(const postern_grant *g)
{
    return g->text[TEXT_SUBJECT];
}
const char *postern_grant_client_id(const postern_grant *g)
{
    return g->text[TEXT_CLIENT_ID];
}
postern_bytes postern_grant_bound_cert(const postern_grant *g)
{
    return g->is_bound ? (postern_bytes){ g->bound_cert, sizeof g->bound_cert }
                       : POSTERN_BYTES_NONE;
}
const char *postern_grant_user(const postern_grant *g)
{
    return g->text[TEXT_USER];
}
const char *postern_grant_audience(const postern_grant *g)
{
    return g->text[TEXT_AUDIENCE];
}
const char *postern_grant_jti(const postern_grant *g)
{
    return g->text[TEXT_JTI];
}
const char *postern_grant_purpose(const postern_grant *g)
{
    return g->text[TEXT_PURPOSE];
}
const char *postern_grant_scope(const postern_grant *g)
{
    return g->text[TEXT_SCOPE];
}
const char *postern_grant_ref(const postern_grant *g)
{
    return g->text[TEXT_REF];
}
size_t postern_grant_act_depth(const postern_grant *g)
{
    return g->act_depth;
}
int64_t postern_grant_exp_s(const postern_grant *g)
{
    return g->exp_s;
}
int64_t postern_grant_iat_s(const postern_grant *g)
{
    return g->iat_s;
}
int64_t postern_grant_introspected_s(const postern_grant *g)
{
    return g->introspected_s;
}
bool postern_grant_is_answer(const postern_grant *g)
{
    return g->is_answer;
}
bool postern_grant_is_clients_own(const postern_grant *g)
{
    return g->is_clients_own;
}

const char *postern_grant_grant_id(const postern_grant *g)
{
    return g->text[TEXT_GRANT_ID];
}
postern_bytes postern_grant_authorization_details(const postern_grant *g)
{
    return g->authorization_details;
}

const char *postern_grant_authcid(const postern_grant *g)
{
    return g->text[TEXT_AUTHCID] != NULL ? g->text[TEXT_AUTHCID] : g->text[TEXT_USER];
}

const char *postern_grant_derived_from(const postern_grant *g, size_t i)
{
    return i < g->derived_count ? g->derived_from[i] : NULL;
}

postern_bytes postern_grant_claims(const postern_grant *g)
{
    return g->claims;
}

const char *postern_grant_act(const postern_grant *g, size_t i)
{
    return i < g->act_depth ? g->act[i] : NULL;
}

const char *postern_grant_actor(const postern_grant *g)
{
    return g->act_depth > 0 ? g->act[0] : g->text[TEXT_CLIENT_ID];
}

/* An agent's own token that others take further: it has become one of those who act. */
static bool is_subject_an_actor(const struct postern_grant_facts *facts)
{
    for (size_t i = 0; i < facts->act_depth; i++)
        if (postern_bytes_equal(facts->act[i], facts->subject))
            return true;
    return false;
}

bool postern_grant_facts_have_human(const struct postern_grant_facts *facts)
{
    if (facts->act_depth != 0)
        return !is_subject_an_actor(facts);
    return !facts->is_clients_own && facts->subject.len != 0 &&
           !postern_bytes_equal(facts->subject, facts->client_id);
}

bool postern_grant_has_human(const postern_grant *g)
{
    struct postern_grant_facts names = {
        .subject = postern_bytes_str(g->text[TEXT_SUBJECT]),
        .client_id = postern_bytes_str(g->text[TEXT_CLIENT_ID]),
        .act_depth = g->act_depth,
        .is_clients_own = g->is_clients_own,
    };

    for (size_t i = 0; i < g->act_depth; i++)
        names.act[i] = postern_bytes_str(g->act[i]);
    return postern_grant_facts_have_human(&names);
}

bool postern_grant_has_scope(const postern_grant *g, const char *scope)
{
    postern_bytes want = postern_bytes_str(scope);
    postern_bytes rest = postern_bytes_str(g->text[TEXT_SCOPE]);

    if (want.len == 0 || postern_bytes_find(want, ' ') != want.len)
        return false; /* not one scope-token (RFC 6749 §3.3) */
    while (rest.len != 0) {
        size_t end = postern_bytes_find(rest, ' ');
        if (postern_bytes_equal((postern_bytes){ rest.ptr, end }, want))
            return true;
        end += end < rest.len; /* over the blank */
        rest = (postern_bytes){ rest.ptr + end, rest.len - end };
    }
    return false;
}

void postern_grant_free(postern_grant *g)
{
    if (g == NULL)
        return;
    postern_wipe(g, g->size); /* no secret, but somebody's identity */
    free(g);
}

/* The agent's name stands apart wherever it was mapped (judge.c). */
static bool is_user_the_agent(const postern_grant *g)
{
    const char *agent = g->text[TEXT_AUTHCID], *user = g->text[TEXT_USER];

    return user != NULL && agent != NULL && strcmp(user, agent) == 0;
}

const char *postern_grant_human(const postern_grant *g)
{
    if (!postern_grant_has_human(g))
        return NULL;
    return g->text[TEXT_USER] == NULL || is_user_the_agent(g) ? g->text[TEXT_SUBJECT] :
                                                                g->text[TEXT_USER];
}
