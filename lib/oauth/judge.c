/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proved claims against a service's rules, the revocations, the blocks and the local accounts
 * (lib/oauth/judge.h).  The first failure ends it.  RFC 9068 §4, RFC 7519 §7.2.
 */
#include "judge.h"

#include "base/ascii.h"

static postern_err check_clock(const struct judge *j, postern_error *err)
{
    if (!postern_context_clock_is_sane(j->ctx, j->now_s))
        return POSTERN_FAIL(err, SYSTEM, "the clock of this machine is not set");
    return POSTERN_OK;
}

/* One name of the token's.  POSTERN_OK: not known to be taken back; *undecided says when nobody
 * knows yet, so that the names behind it are looked at all the same. */
static postern_err check_one(const struct judge *j, postern_revocation_kind kind,
                             postern_bytes name, int64_t iat_s, postern_err *undecided,
                             postern_error *err)
{
    postern_error why; /* written with every refusal */
    postern_err e =
        postern_revocations_check(j->trust->issuer->revocations, kind, name, iat_s, &why);
    bool is_certain = e != POSTERN_OK && postern_err_outcome(e) == POSTERN_REJECTED;

    if (e == POSTERN_OK)
        return POSTERN_OK;
    if (err != NULL && (is_certain || *undecided == POSTERN_OK))
        *err = why;
    if (is_certain)
        return e;
    *undecided = e;
    return POSTERN_OK;
}

/* Who handed the token on, the token itself, those it was exchanged from and the person's
 * authorization: each was taken back or was not.  (A block names who acts: check_names().) */
static postern_err check_lineage(const struct judge *j, const struct postern_grant_facts *facts,
                                 postern_error *err)
{
    int64_t iat_s = facts->iat_s;
    postern_err undecided = POSTERN_OK;

    for (size_t i = 1; i < facts->act_depth; i++)
        POSTERN_TRY(check_one(j, POSTERN_REVOCATION_CLIENT, facts->act[i], iat_s, &undecided, err));
    POSTERN_TRY(check_one(j, POSTERN_REVOCATION_JTI, facts->jti, iat_s, &undecided, err));
    for (size_t i = 0; i < facts->derived_count; i++)
        POSTERN_TRY(
            check_one(j, POSTERN_REVOCATION_JTI, facts->derived_from[i], iat_s, &undecided, err));
    POSTERN_TRY(check_one(j, POSTERN_REVOCATION_GRANT, facts->grant_id, iat_s, &undecided, err));
    return undecided;
}

/* ---- who ---- */

/* Removed by its issuer, or blocked here.  One of the two that is certain counts, though nobody
 * knows of the other yet. */
static postern_err check_name(const struct judge *j, postern_bytes agent, int64_t iat_s,
                              postern_error *err)
{
    postern_error blocked; /* written with every refusal */
    postern_err removal = postern_revocations_check(j->trust->issuer->revocations,
                                                    POSTERN_REVOCATION_CLIENT, agent, iat_s, err);
    postern_err block;

    if (removal != POSTERN_OK && postern_err_outcome(removal) == POSTERN_REJECTED)
        return removal;
    block =
        postern_blocks_check(postern_context_blocks(j->ctx), agent, j->now_s, j->failure, &blocked);
    if (block == POSTERN_OK ||
        (removal != POSTERN_OK && postern_err_outcome(block) != POSTERN_REJECTED))
        return removal;
    if (err != NULL)
        *err = blocked;
    return block;
}

/* The client, by the name that the issuer knows it by and by the one that agent_claim prefers, and
 * whoever acts for it: any of them removed or blocked ends the token.  A token that names nobody
 * but its subject is that one's own: there is no other name to block it by. */
static postern_err check_names(const struct judge *j, const struct postern_grant_facts *facts,
                               postern_error *err)
{
    bool has_agent =
        facts->registered_client.len != 0 || facts->client_id.len != 0 || facts->act_depth != 0;
    const postern_bytes names[] = {
        facts->registered_client,
        facts->client_id,
        facts->act_depth != 0 ? facts->act[0] : POSTERN_BYTES_NONE,
        has_agent ? POSTERN_BYTES_NONE : facts->subject,
    };
    postern_err undecided = POSTERN_OK;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        postern_error why; /* written with every refusal */
        postern_err e = check_name(j, names[i], facts->iat_s, &why);

        if (e == POSTERN_OK ||
            (undecided != POSTERN_OK && postern_err_outcome(e) != POSTERN_REJECTED))
            continue;
        if (err != NULL)
            *err = why;
        if (postern_err_outcome(e) == POSTERN_REJECTED)
            return e;
        undecided = e;
    }
    return undecided;
}

/* What is certainly refused counts before what nobody knows yet. */
static postern_err check_taken_back(const struct judge *j, const struct postern_grant_facts *facts,
                                    postern_error *err)
{
    postern_error why; /* written with every refusal */
    postern_err names = check_names(j, facts, err), lineage;

    if (names != POSTERN_OK && postern_err_outcome(names) == POSTERN_REJECTED)
        return names;
    lineage = check_lineage(j, facts, &why);
    if (lineage == POSTERN_OK ||
        (names != POSTERN_OK && postern_err_outcome(lineage) != POSTERN_REJECTED))
        return names;
    if (err != NULL)
        *err = why;
    return lineage;
}

/* ---- local names ---- */

static postern_err map_name(const struct judge *j, const struct identity_rules *rules,
                            postern_bytes name, postern_bytes *ret, postern_error *err)
{
    const struct identity_means by = { postern_context_accounts(j->ctx), j->mono_ms, j->scratch,
                                       j->trail };

    return postern_identity_map(rules, &by, name, ret, err);
}

static postern_err map_human(const struct judge *j, const postern_json *claims, postern_bytes *ret,
                             postern_error *err)
{
    postern_bytes name;

    postern_trail_note(j->trail, "username_claim %s", j->trust->username.text);
    POSTERN_TRY(postern_claims_username(&j->trust->username, claims, j->scratch, &name, err));
    return map_name(j, &j->trust->identity, name, ret, err);
}

/*
 * By the rules for people's names, but with its domain: "alice@agents.example" must not become
 * alice.
 */
static postern_err map_agent(const struct judge *j, const struct postern_grant_facts *facts,
                             postern_bytes *ret, postern_error *err)
{
    struct identity_rules rules = j->trust->identity;
    postern_bytes name = facts->act_depth > 0 ? facts->act[0] : facts->client_id;

    if (name.len == 0)
        return POSTERN_FAIL(err, NO_MAPPING, "token names no agent (login_as)");
    rules.strip_count = 0;
    return map_name(j, &rules, name, ret, err);
}

/* Under one name, which is nobody else's. */
static postern_err map_agent_alone(const struct judge *j, struct postern_grant_facts *facts,
                                   postern_error *err)
{
    POSTERN_TRY(map_agent(j, facts, &facts->authcid, err));
    facts->user = facts->authcid;
    return POSTERN_OK;
}

/* As hosts compare that fold user names (Cyrus imapd does by default). */
static bool is_one_name(postern_bytes a, postern_bytes b)
{
    return a.len == b.len && postern_ascii_equal_nocase(a.ptr, b.ptr, a.len);
}

/* Two names that are one would keep the host's proxy policy from being asked. */
static postern_err map_both(const struct judge *j, const postern_json *claims,
                            struct postern_grant_facts *facts, postern_error *err)
{
    POSTERN_TRY(map_agent_alone(j, facts, err));
    if (facts->act_depth == 0 && !postern_grant_facts_have_human(facts))
        return POSTERN_OK; /* an agent for itself stands under one name */
    POSTERN_TRY(map_human(j, claims, &facts->user, err));
    if (is_one_name(facts->user, facts->authcid))
        return POSTERN_FAIL(err, USER_DENIED,
                            "the agent and the human have one local name (login_as: both)");
    return POSTERN_OK;
}

static postern_err map_user(const struct judge *j, const postern_json *claims,
                            struct postern_grant_facts *facts, postern_error *err)
{
    postern_trail_enter(j->trail, TRAIL_USER);
    if (!j->trust->service->maps_user)
        return POSTERN_OK;
    if (j->trust->makes_names)
        POSTERN_TRY(postern_claims_reserve(claims, j->scratch, err));
    if (j->trust->service->login_as == LOGIN_AS_BOTH)
        POSTERN_TRY(map_both(j, claims, facts, err));
    else if (j->trust->service->login_as == LOGIN_AS_AGENT)
        POSTERN_TRY(map_agent_alone(j, facts, err));
    else
        POSTERN_TRY(map_human(j, claims, &facts->user, err));
    if (j->authzid[0] != '\0')
        postern_trail_enter(j->trail, TRAIL_AUTHZID);
    if (j->authzid[0] != '\0' && !postern_bytes_equal_str(facts->user, j->authzid))
        return POSTERN_FAIL(err, AUTHZID, "the wanted identity is another than the token's user");
    return POSTERN_OK;
}

static void copy_name(postern_bytes name, char room[POSTERN_FAILURE_AGENT_MAX])
{
    size_t len = name.len < POSTERN_FAILURE_AGENT_MAX ? name.len : POSTERN_FAILURE_AGENT_MAX - 1;

    while (len > 0 && len < name.len && (name.ptr[len] & 0xc0) == 0x80)
        len--; /* not inside of a character */
    if (len != 0)
        memcpy(room, name.ptr, len);
    room[len] = '\0';
}

/* From here on a refusal is of somebody whose token was proved: the record says whose, and for
 * whom. */
static void name_parties(const struct judge *j, const struct postern_grant_facts *facts)
{
    postern_bytes agent = facts->act_depth > 0 ? facts->act[0] : facts->client_id;

    if (j->failure == NULL)
        return;
    copy_name(agent, j->failure->agent);
    copy_name(postern_grant_facts_have_human(facts) ? facts->subject : POSTERN_BYTES_NONE,
              j->failure->human);
}

postern_err postern_judge_claims(const struct judge *j, const postern_json *claims,
                                 struct postern_grant_facts *ret, postern_error *err)
{
    const struct claim_login login = { .now_s = j->life_s,
                                       .is_live_session = j->is_live_session,
                                       .extra_scopes = j->extra_scopes,
                                       .client_cert_sha256 = j->client_cert_sha256 };
    const struct claim_rules *rules = j->is_answer ? &j->trust->answer_claims : &j->trust->claims;

    postern_trail_enter(j->trail, TRAIL_CLOCK);
    POSTERN_TRY(check_clock(j, err));
    if (j->is_answer)
        POSTERN_TRY(postern_introspection_check_type(claims, err));
    POSTERN_TRY(postern_claims_check(rules, claims, &login, j->scratch, j->trail, ret, err));
    postern_trail_enter(j->trail, TRAIL_REVOCATION);
    postern_trail_note(j->trail, "what this process was told of clients, tokens and blocks");
    name_parties(j, ret);
    POSTERN_TRY(check_taken_back(j, ret, err));
    POSTERN_TRY(map_user(j, claims, ret, err));
    ret->service = postern_bytes_str(j->trust->service->service);
    return POSTERN_OK;
}

/* ---- again, of a live session ---- */

/*
 * The last second in which a login would have found the token alive: it was proved at that time or
 * before, so that no "not before" lies behind it, wherever the clock stands now.  Ending its life
 * is the lease's business.  exp is a date of JSON, below 2^53.
 */
static int64_t get_last_second(const postern_grant *g, const struct claim_rules *r)
{
    return postern_grant_exp_s(g) + r->skew_s - 1;
}

/* A grant keeps NULL for what the token had not. */
static bool is_same(postern_bytes now, const char *then)
{
    return postern_bytes_equal_str(now, then == NULL ? "" : then);
}

/* Policy has seen the agent and the purpose that the settings of then found in the token.  (The
 * user is judged as a wanted one is.) */
static postern_err check_same(const postern_grant *g, const struct postern_grant_facts *facts,
                              postern_error *err)
{
    if (!is_same(facts->client_id, postern_grant_client_id(g)))
        return POSTERN_FAIL(err, AUTHZID, "agent_claim finds another agent in the token now");
    if (facts->is_clients_own != postern_grant_is_clients_own(g))
        return POSTERN_FAIL(err, AUTHZID, "provider finds another party in the token now");
    if (!is_same(facts->purpose, postern_grant_purpose(g)))
        return POSTERN_FAIL(err, AUTHZID, "purpose_claim finds another purpose in the token now");
    return POSTERN_OK;
}

static postern_err judge_grant(const struct judge *j, const postern_grant *g, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    POSTERN_AUTO_JSON claims = { 0 };
    struct postern_grant_facts facts;
    struct judge own = *j;

    own.is_answer = postern_grant_is_answer(g);
    own.life_s = get_last_second(g, &j->trust->claims);
    own.is_live_session = true;
    own.client_cert_sha256 = postern_grant_bound_cert(g); /* shown on the session's connection */
    own.authzid = postern_grant_user(g) == NULL ? "" : postern_grant_user(g);
    own.scratch = &scratch;
    POSTERN_TRY(postern_json_scan(&claims, postern_grant_claims(g), err));
    POSTERN_TRY(postern_judge_claims(&own, &claims, &facts, err));
    return check_same(g, &facts, err);
}

/* By the file's own name: a file that lists it in service_names is another one. */
static const struct service_rules *find_rules(const postern_context *ctx, const postern_grant *g)
{
    const char *service = postern_grant_service(g);
    const struct service_rules *rules =
        service == NULL ? NULL : postern_context_rules(ctx, service);

    if (rules == NULL || rules->service == NULL || strcmp(rules->service, service) != 0)
        return NULL;
    return rules;
}

/* What an issuer said of an opaque token need not name it: only here is it known whose word that
 * was, and another issuer's rules are not for it. */
static postern_err check_source(const struct trust *trust, const postern_grant *g,
                                postern_error *err)
{
    if (trust == NULL)
        return POSTERN_FAIL(err, ISS, "the service does not trust the token's issuer any more");
    if (postern_grant_is_answer(g) && trust->issuer->introspection == INTROSPECT_NOTHING &&
        trust->issuer->embedded == NULL)
        return POSTERN_FAIL(err, MALFORMED, "the issuer is not asked about tokens any more");
    return POSTERN_OK;
}

static postern_err judge_again(postern_context *ctx, const postern_grant *g,
                               postern_failure *failure, postern_error *err)
{
    const postern_clock *clock = postern_context_clock(ctx);
    const struct service_rules *rules;
    struct judge j = { .ctx = ctx,
                       .now_s = clock->now_s(clock->arg),
                       .mono_ms = clock->mono_ms(clock->arg),
                       .failure = failure };

    if (!postern_context_is_ours(ctx))
        return POSTERN_FAIL(err, USAGE, "the context was made before fork(2)");
    if (postern_grant_origin(g) != POSTERN_ORIGIN_LOCAL_PROOF)
        return POSTERN_FAIL(err, USAGE, "a helper's grant cannot be judged again here");
    rules = find_rules(ctx, g);
    if (rules == NULL)
        return POSTERN_FAIL(err, SERVICE_UNKNOWN, "no file in services/ or doors/ has that name");
    j.trust = postern_service_trust(rules, postern_grant_issuer(g));
    *failure = (j.trust != NULL ? j.trust : &rules->trusts[0])->challenge;
    POSTERN_TRY(check_source(j.trust, g, err));
    return judge_grant(&j, g, err);
}

postern_err postern_context_judge_again(postern_context *ctx, const postern_grant *g,
                                        postern_failure *ret_failure, postern_error *err)
{
    postern_failure failure = { 0 };
    postern_err verdict = judge_again(ctx, g, &failure, err);

    failure.code = verdict;
    if (ret_failure != NULL)
        *ret_failure = failure;
    return verdict;
}
