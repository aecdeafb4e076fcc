/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How old a token may be, and how and when the person behind it authenticated, where an issuer's or
 * a service's file asks for that.  A live session that is judged again is no older than its token
 * was when it was issued: what it was let in with cannot have aged since.  RFC 9068 §2.2.1, RFC
 * 9470, OpenID Connect Core §2.
 */
#include "claims.h"

#include <inttypes.h>

/* When ages are measured; `then_s` is the earliest moment that could have been it. */
static int64_t get_moment(const struct claim_login *login, int64_t then_s)
{
    return login->is_live_session ? then_s : login->now_s;
}

/* Dates lie in 0..2^53-1, limits within a year: no sum can overflow. */
postern_err postern_claims_age(const struct claim_rules *rules, const struct claim_login *login,
                               const struct postern_grant_facts *facts, postern_trail *trail,
                               postern_error *err)
{
    int64_t life_s = facts->exp_s - facts->iat_s, age_s;

    if (rules->max_token_age_s == 0 && rules->max_lifetime_s == 0)
        return POSTERN_OK;
    if (facts->iat_s < 0)
        return POSTERN_FAIL(err, CLAIM_MISSING,
                            "iat is missing (max_token_age, max_token_lifetime)");
    age_s = get_moment(login, facts->iat_s) - facts->iat_s;
    if (rules->max_lifetime_s != 0)
        postern_trail_note(trail, "max_token_lifetime %" PRId64 " s", rules->max_lifetime_s);
    if (rules->max_lifetime_s != 0 && life_s > rules->max_lifetime_s)
        return POSTERN_FAIL(err, TOKEN_AGE,
                            "the token was given %" PRId64
                            " s to live, max_token_lifetime is %" PRId64 " s",
                            life_s, rules->max_lifetime_s);
    if (rules->max_token_age_s != 0)
        postern_trail_note(trail, "max_token_age %" PRId64 " s", rules->max_token_age_s);
    if (rules->max_token_age_s != 0 && age_s > rules->max_token_age_s + rules->skew_s)
        return POSTERN_FAIL(err, TOKEN_AGE,
                            "the token is %" PRId64 " s old, max_token_age is %" PRId64 " s", age_s,
                            rules->max_token_age_s);
    return POSTERN_OK;
}

static postern_err check_acr(const struct claim_reader *r, const struct claim_rules *rules,
                             postern_trail *trail, postern_error *err)
{
    uint32_t node = r->known[CLAIM_ACR];

    for (size_t i = 0; i < rules->acr_count; i++)
        postern_trail_note(trail, "%s %s", i == 0 ? "wanted acr" : "or", rules->acrs[i]);
    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, ACR, "the token has no acr (required_acr)");
    if (postern_json_type_of(r->j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "acr is not a string");
    for (size_t i = 0; i < rules->acr_count; i++)
        if (postern_json_string_is(r->j, node, rules->acrs[i]))
            return POSTERN_OK;
    return POSTERN_FAIL(err, ACR, "acr is none of required_acr");
}

static postern_err check_auth_age(const struct claim_reader *r, const struct claim_rules *rules,
                                  const struct claim_login *login,
                                  const struct postern_grant_facts *facts, postern_trail *trail,
                                  postern_error *err)
{
    uint32_t node = r->known[CLAIM_AUTH_TIME];
    int64_t auth_time_s = 0, age_s;

    postern_trail_note(trail, "max_auth_age %" PRId64 " s", rules->max_auth_age_s);
    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, AUTH_AGE, "the token has no auth_time (max_auth_age)");
    if (!postern_json_date(r->j, node, &auth_time_s))
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "auth_time is no date");
    age_s = get_moment(login, facts->iat_s < 0 ? auth_time_s : facts->iat_s) - auth_time_s;
    postern_trail_note(trail, "auth_time %" PRId64 " (%" PRId64 " s ago)", auth_time_s, age_s);
    if (age_s < -rules->skew_s)
        return POSTERN_FAIL(err, NOT_YET_VALID, "auth_time is %" PRId64 " s ahead", -age_s);
    if (age_s > rules->max_auth_age_s + rules->skew_s)
        return POSTERN_FAIL(err, AUTH_AGE,
                            "the person authenticated %" PRId64 " s ago, max_auth_age is %" PRId64
                            " s",
                            age_s, rules->max_auth_age_s);
    return POSTERN_OK;
}

postern_err postern_claims_authentication(const struct claim_reader *r,
                                          const struct claim_rules *rules,
                                          const struct claim_login *login,
                                          const struct postern_grant_facts *facts,
                                          postern_trail *trail, postern_error *err)
{
    if (rules->acr_count == 0 && rules->max_auth_age_s == 0)
        return POSTERN_OK;
    /* Whatever an agent's own token says of an authentication, it was nobody's. */
    if (!postern_grant_facts_have_human(facts))
        return rules->acr_count != 0
                   ? POSTERN_FAIL(err, ACR, "an agent's own token: no person authenticated")
                   : POSTERN_FAIL(err, AUTH_AGE, "an agent's own token: no person authenticated");
    if (rules->acr_count != 0)
        POSTERN_TRY(check_acr(r, rules, trail, err));
    return rules->max_auth_age_s == 0 ? POSTERN_OK
                                      : check_auth_age(r, rules, login, facts, trail, err);
}
