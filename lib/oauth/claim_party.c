/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose tokens count at all: the client that a token was issued to against allowed_clients, and the
 * actor of a delegated token against the token's own may_act.  RFC 9068 §2.2, OpenID Connect Core
 * §2 (azp), RFC 8693 §4.4.
 */
#include "claims.h"

static bool is_allowed(const struct claim_rules *rules, postern_bytes client)
{
    for (size_t i = 0; i < rules->client_count; i++)
        if (postern_bytes_equal_str(client, rules->clients[i]))
            return true;
    return false;
}

/* A token may name its client several times over, and who signs it may mean different clients: no
 * name is trusted to be the right one, so all of them have to be. */
postern_err postern_claims_client(struct claim_reader *r, const struct claim_rules *rules,
                                  const struct postern_grant_facts *facts, postern_trail *trail,
                                  postern_error *err)
{
    postern_bytes names[] = { facts->registered_client, POSTERN_BYTES_NONE, facts->client_id };
    static const char *const claims[] = { "client_id", "azp", "the client of agent_claim" };
    bool is_named = false;

    postern_trail_note(trail, "%s",
                       rules->client_count == 0 ? "every client" : "those of allowed_clients");
    if (rules->client_count == 0)
        return POSTERN_OK;
    if (r->known[CLAIM_AZP] != POSTERN_JSON_ABSENT)
        POSTERN_TRY(postern_claim_identity(r, r->known[CLAIM_AZP], "azp", POSTERN_IDENTITY_MAX,
                                           &names[1], err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].len == 0)
            continue;
        is_named = true;
        postern_trail_note_value(trail, claims[i], names[i]);
        if (!is_allowed(rules, names[i]))
            return POSTERN_FAIL(err, CLIENT_NOT_ALLOWED, "%s is not one of allowed_clients",
                                claims[i]);
    }
    if (!is_named)
        return POSTERN_FAIL(err, CLIENT_NOT_ALLOWED, "the token names no client");
    return POSTERN_OK;
}

/* ---- may_act ---- */

struct named_actor {
    postern_bytes sub, client_id, iss;
    bool has_more; /* a member that limits something which cannot be judged here */
};

static postern_err read_named(struct claim_reader *r, uint32_t may_act, struct named_actor *ret,
                              postern_error *err)
{
    const postern_json *j = r->j;

    if (postern_json_type_of(j, may_act) != POSTERN_JSON_OBJECT)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "may_act is not an object");
    for (uint32_t m = postern_json_first(j, may_act); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(j, m)) {
        postern_bytes *field = postern_json_name_is(j, m, "sub")         ? &ret->sub
                               : postern_json_name_is(j, m, "client_id") ? &ret->client_id
                               : postern_json_name_is(j, m, "iss")       ? &ret->iss
                                                                         : NULL;

        if (postern_json_type_of(j, m) != POSTERN_JSON_STRING)
            return POSTERN_FAIL(err, MALFORMED_CLAIM,
                                "may_act holds something that is not a string");
        if (field == NULL)
            ret->has_more = true;
        else
            POSTERN_TRY(postern_claim_identity(r, m, "may_act", POSTERN_IDENTITY_MAX, field, err));
    }
    if (ret->sub.len == 0 && ret->client_id.len == 0)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "may_act names nobody");
    return POSTERN_OK;
}

/* Whose name for the actor it is: act's own issuer, or the token's (RFC 8693 §4.1). */
static postern_err read_actor_issuer(struct claim_reader *r,
                                     const struct postern_grant_facts *facts, postern_bytes *ret,
                                     postern_error *err)
{
    uint32_t iss = postern_json_member(r->j, r->known[CLAIM_ACT], "iss");

    *ret = facts->issuer;
    return iss == POSTERN_JSON_ABSENT ? POSTERN_OK
                                      : postern_claim_string(r, iss, "act.iss", ret, err);
}

/* Is a name that may_act gives, if it does, this one? */
static bool fits(postern_bytes named, postern_bytes actual)
{
    return named.len == 0 || postern_bytes_equal(named, actual);
}

postern_err postern_claims_may_act(struct claim_reader *r, const struct postern_grant_facts *facts,
                                   postern_trail *trail, postern_error *err)
{
    uint32_t may_act = r->known[CLAIM_MAY_ACT];
    struct named_actor named = { 0 };
    postern_bytes issuer;

    if (may_act == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    POSTERN_TRY(read_named(r, may_act, &named, err));
    postern_trail_note_value(trail, "may_act", named.sub.len != 0 ? named.sub : named.client_id);
    if (facts->act_depth == 0)
        return POSTERN_OK; /* who may exchange it is the issuer's business */
    POSTERN_TRY(read_actor_issuer(r, facts, &issuer, err));
    if (named.has_more || !fits(named.iss, issuer) || !fits(named.sub, facts->act[0]) ||
        !fits(named.client_id, facts->act[0]))
        return POSTERN_FAIL(err, ACTOR_NOT_ALLOWED, "may_act does not name who acts");
    return POSTERN_OK;
}
