/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proved claims against a service's rules, the revocations, the blocks and the local accounts
 * (lib/oauth/judge.h).  The first failure ends it.  RFC 9068 §4, RFC 7519 §7.2.
 */
#include "judge.h"

static postern_err check_clock(const struct judge *j, postern_error *err)
{
    if (!postern_context_clock_is_sane(j->ctx, j->now_s))
        return POSTERN_FAIL(err, SYSTEM, "the clock of this machine is not set");
    return POSTERN_OK;
}

/* An issuer whose access tokens have the typ of plain JWT gives its ID tokens the same; only those
 * vouch for another token or a code by its hash (OpenID Connect Core §3.1.3.6, §3.3.2.11). */
static postern_err check_is_no_id_token(const postern_json *claims, postern_error *err)
{
    static const char *const names[] = { "at_hash", "c_hash" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (postern_json_member(claims, 0, names[i]) != POSTERN_JSON_ABSENT)
            return POSTERN_FAIL(err, TYP, "an ID token: it has %s", names[i]);
    return POSTERN_OK;
}

/* Removed by its issuer, or blocked here. */
static postern_err check_name(const struct judge *j, postern_bytes agent, int64_t iat_s,
                              postern_error *err)
{
    POSTERN_TRY(postern_revocations_check(j->rules->issuer->revocations, agent, iat_s, err));
    return postern_blocks_check(postern_context_blocks(j->ctx), agent, j->now_s, j->failure, err);
}

/* The client, by the name that the issuer knows it by and by the one that agent_claim prefers, and
 * whoever acts for it: any of them removed or blocked ends the token. */
static postern_err check_taken_back(const struct judge *j, const struct postern_grant_facts *facts,
                                    postern_error *err)
{
    POSTERN_TRY(check_name(j, facts->registered_client, facts->iat_s, err));
    POSTERN_TRY(check_name(j, facts->client_id, facts->iat_s, err));
    if (facts->act_depth == 0)
        return POSTERN_OK;
    return check_name(j, facts->act[0], facts->iat_s, err);
}

static postern_err map_user(const struct judge *j, const postern_json *claims,
                            struct postern_grant_facts *facts, postern_error *err)
{
    postern_bytes name;

    if (!j->rules->maps_user)
        return POSTERN_OK;
    POSTERN_TRY(postern_claims_username(&j->rules->username, claims, j->scratch, &name, err));
    POSTERN_TRY(postern_identity_map(&j->rules->identity, postern_context_accounts(j->ctx),
                                     j->mono_ms, name, &facts->user, err));
    if (j->authzid[0] != '\0' && !postern_bytes_equal_str(facts->user, j->authzid))
        return POSTERN_FAIL(err, AUTHZID, "the wanted identity is another than the token's user");
    return POSTERN_OK;
}

postern_err postern_judge_claims(const struct judge *j, const postern_json *claims,
                                 struct postern_grant_facts *ret, postern_error *err)
{
    POSTERN_TRY(check_clock(j, err));
    POSTERN_TRY(check_is_no_id_token(claims, err));
    POSTERN_TRY(postern_claims_check(&j->rules->claims, claims, j->now_s, j->extra_scopes,
                                     j->scratch, ret, err));
    POSTERN_TRY(check_taken_back(j, ret, err));
    POSTERN_TRY(map_user(j, claims, ret, err));
    ret->service = postern_bytes_str(j->rules->service);
    return POSTERN_OK;
}

/* ---- again, of a live session ---- */

/* The end of its life is the session's lease, not this function's; and a clock that was set back
 * makes no proved token "not yet valid". */
static int64_t clamp_to_life(const postern_grant *g, int64_t now_s)
{
    if (now_s < postern_grant_iat_s(g))
        return postern_grant_iat_s(g);
    return now_s < postern_grant_exp_s(g) ? now_s : postern_grant_exp_s(g) - 1;
}

postern_err postern_context_judge_again(postern_context *ctx, const postern_grant *g,
                                        postern_failure *ret_failure, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    POSTERN_AUTO_JSON claims = { 0 };
    const char *service = postern_grant_service(g), *user = postern_grant_user(g);
    const postern_clock *clock = postern_context_clock(ctx);
    struct postern_grant_facts facts;
    struct judge j = { .ctx = ctx,
                       .rules = service == NULL ? NULL : postern_context_rules(ctx, service),
                       .now_s = clamp_to_life(g, clock->now_s(clock->arg)),
                       .mono_ms = clock->mono_ms(clock->arg),
                       .authzid = user == NULL ? "" : user,
                       .scratch = &scratch,
                       .failure = ret_failure };

    if (ret_failure != NULL)
        *ret_failure = j.rules != NULL ? j.rules->discovery : (postern_failure){ 0 };
    if (j.rules == NULL)
        return POSTERN_FAIL(err, SERVICE_UNKNOWN, "no file in services/ or doors/ answers to that name");
    if (postern_grant_claims(g).len == 0)
        return POSTERN_FAIL(err, USAGE, "a helper's grant cannot be judged again here");
    POSTERN_TRY(postern_json_scan(&claims, postern_grant_claims(g), err));
    return postern_judge_claims(&j, &claims, &facts, err);
}
