/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judgement of proved claims, one small check per step and in that order; see the header.
 * Nothing here looks at a signature, a file or a clock of its own.
 */
#include "claims.h"

#include <inttypes.h>

#include "provider.h"
#include "scope.h"

/* One judgement on its way. */
struct check {
    const struct claim_rules *rules;
    const struct claim_login *login;
    struct claim_reader reader;
    postern_trail *trail;
    struct postern_grant_facts *out; /* the caller's: too large to be copied for every login */
};

/* An issuer whose access tokens have the typ of plain JWT gives its ID tokens the same; only those
 * vouch for another token or a code by its hash (OpenID Connect Core §3.1.3.6, §3.3.2.11). */
static postern_err check_is_no_id_token(struct check *c, postern_error *err)
{
    if (c->reader.known[CLAIM_AT_HASH] != POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, TYP, "an ID token: it has at_hash");
    if (c->reader.known[CLAIM_C_HASH] != POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, TYP, "an ID token: it has c_hash");
    return POSTERN_OK;
}

static postern_err check_count(struct check *c, postern_error *err)
{
    uint32_t count = c->reader.j->nodes[0].child_count;

    postern_trail_note(c->trail, "%" PRIu32 ", at most %d", count, POSTERN_CLAIMS_MAX);
    if (count > POSTERN_CLAIMS_MAX)
        return POSTERN_FAIL(err, LIMIT, "more than %d claims", POSTERN_CLAIMS_MAX);
    return POSTERN_OK;
}

/* Byte for byte: no slash, case, port or Unicode form is evened out (RFC 9068 §4, RFC
 * 8414 §3.3). */
static postern_err check_issuer(struct check *c, postern_error *err)
{
    uint32_t node = c->reader.known[CLAIM_ISS];
    char quoted[300];
    postern_bytes iss;

    if (node == POSTERN_JSON_ABSENT && c->rules->may_lack_issuer) {
        c->out->issuer = postern_bytes_str(c->rules->issuer);
        return POSTERN_OK;
    }
    if (postern_json_type_of(c->reader.j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, ISS, "iss is missing or not a string");
    POSTERN_TRY(postern_claim_string(&c->reader, node, "iss", &iss, err));
    postern_trail_note_value(c->trail, "iss", iss);
    postern_trail_note(c->trail, "wanted \"%s\"", c->rules->issuer);
    if (!postern_bytes_equal_str(iss, c->rules->issuer))
        return POSTERN_FAIL(err, ISS, "iss is \"%s\"",
                            postern_error_quote(iss.ptr, iss.len, quoted, sizeof quoted));
    c->out->issuer = iss;
    return POSTERN_OK;
}

static postern_err judge_audience(struct check *c, uint32_t node, postern_error *err)
{
    if (postern_json_type_of(c->reader.j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "aud holds something that is not a string");
    for (size_t i = 0; i < c->rules->audience_count && c->out->audience.len == 0; i++)
        if (postern_json_string_is(c->reader.j, node, c->rules->audiences[i]))
            c->out->audience = postern_bytes_str(c->rules->audiences[i]);
    return POSTERN_OK;
}

/* Every entry is looked at, also behind one that matched: a token of which a part is malformed is
 * malformed. */
static postern_err judge_audiences(struct check *c, uint32_t array, postern_error *err)
{
    const postern_json *j = c->reader.j;

    if (j->nodes[array].child_count > POSTERN_AUD_ENTRIES_MAX)
        return POSTERN_FAIL(err, LIMIT, "aud has more than %d entries", POSTERN_AUD_ENTRIES_MAX);
    for (uint32_t node = postern_json_first(j, array); node != POSTERN_JSON_ABSENT;
         node = postern_json_next(j, node))
        POSTERN_TRY(judge_audience(c, node, err));
    return POSTERN_OK;
}

/* As it stands in the claims, cut. */
static void note_raw(const struct check *c, const char *name, uint32_t node)
{
    char quoted[300];
    postern_bytes raw;

    if (c->trail == NULL || node == POSTERN_JSON_ABSENT)
        return;
    raw = postern_json_raw(c->reader.j, node);
    postern_trail_note(c->trail, "%s %s", name,
                       postern_error_quote(raw.ptr, raw.len, quoted, sizeof quoted));
}

/* A string or an array of strings (RFC 7519 §4.1.3); none at all is never "any". */
static postern_err check_audience(struct check *c, postern_error *err)
{
    uint32_t aud = c->reader.known[CLAIM_AUD];

    note_raw(c, "aud", aud);
    for (size_t i = 0; i < c->rules->audience_count; i++)
        postern_trail_note(c->trail, "%s \"%s\"", i == 0 ? "wanted" : "or", c->rules->audiences[i]);
    if (aud == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, AUD, "aud is missing");
    if (postern_json_type_of(c->reader.j, aud) == POSTERN_JSON_ARRAY)
        POSTERN_TRY(judge_audiences(c, aud, err));
    else
        POSTERN_TRY(judge_audience(c, aud, err));
    if (c->out->audience.len == 0)
        return POSTERN_FAIL(err, AUD, "aud does not name \"%s\"", c->rules->audiences[0]);
    return POSTERN_OK;
}

/* NumericDate of 0..2^53-1, so that adding a skew of 300 s cannot overflow; *ret is untouched when
 * the claim is absent. */
static postern_err read_date(const struct check *c, enum claim_name claim, const char *name,
                             int64_t *ret, postern_error *err)
{
    uint32_t node = c->reader.known[claim];

    if (node != POSTERN_JSON_ABSENT && !postern_json_date(c->reader.j, node, ret))
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "%s is no date", name);
    return POSTERN_OK;
}

#define TIME_ABSENT (-1)

static void note_times(const struct check *c, int64_t exp_s, int64_t nbf_s, int64_t iat_s)
{
    postern_trail_note(c->trail, "now %" PRId64 ", clock_skew %" PRId64 " s", c->login->now_s,
                       c->rules->skew_s);
    if (exp_s != TIME_ABSENT)
        postern_trail_note(c->trail, "exp %" PRId64 " (%+" PRId64 " s)", exp_s,
                           exp_s - c->login->now_s);
    if (nbf_s != TIME_ABSENT)
        postern_trail_note(c->trail, "nbf %" PRId64 " (%+" PRId64 " s)", nbf_s,
                           nbf_s - c->login->now_s);
    if (iat_s != TIME_ABSENT)
        postern_trail_note(c->trail, "iat %" PRId64 " (%+" PRId64 " s)", iat_s,
                           iat_s - c->login->now_s);
}

static postern_err check_times(struct check *c, postern_error *err)
{
    int64_t exp_s = TIME_ABSENT, nbf_s = TIME_ABSENT, iat_s = TIME_ABSENT,
            skew_s = c->rules->skew_s;

    POSTERN_TRY(read_date(c, CLAIM_EXP, "exp", &exp_s, err));
    POSTERN_TRY(read_date(c, CLAIM_NBF, "nbf", &nbf_s, err));
    POSTERN_TRY(read_date(c, CLAIM_IAT, "iat", &iat_s, err));
    note_times(c, exp_s, nbf_s, iat_s);
    if (exp_s == TIME_ABSENT) /* RFC 9068 §2.2: exp REQUIRED */
        return POSTERN_FAIL(err, CLAIM_MISSING, "exp is missing");
    if (c->login->now_s >= exp_s + skew_s) /* RFC 7519 §4.1.4: "on or after" */
        return POSTERN_FAIL(err, EXPIRED, "exp was %" PRId64 " s ago, clock_skew is %" PRId64 " s",
                            c->login->now_s - exp_s, skew_s);
    if (nbf_s > c->login->now_s + skew_s) /* RFC 7519 §4.1.5 */
        return POSTERN_FAIL(err, NOT_YET_VALID,
                            "nbf is %" PRId64 " s ahead, clock_skew is %" PRId64 " s",
                            nbf_s - c->login->now_s, skew_s);
    if (iat_s > c->login->now_s + skew_s)
        return POSTERN_FAIL(err, NOT_YET_VALID,
                            "iat is %" PRId64 " s ahead, clock_skew is %" PRId64 " s",
                            iat_s - c->login->now_s, skew_s);
    c->out->exp_s = exp_s;
    c->out->iat_s = iat_s;
    return postern_claims_age(c->rules, c->login, c->out, c->trail, err);
}

static postern_err check_required(const struct check *c, postern_error *err)
{
    for (size_t i = 0; i < c->rules->required_count; i++)
        if (postern_claim_find(&c->reader, &c->rules->required[i]) == POSTERN_JSON_ABSENT)
            return POSTERN_FAIL(err, CLAIM_MISSING, "%s is missing", c->rules->required[i].whole);
    return POSTERN_OK;
}

static postern_err read_identity(struct check *c, enum claim_name claim, const char *name,
                                 postern_bytes *ret, postern_error *err)
{
    uint32_t node = c->reader.known[claim];

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    return postern_claim_identity(&c->reader, node, name, POSTERN_IDENTITY_MAX, ret, err);
}

/* client_id, azp or appid, in the configured order (agent_claim without act.sub, which check_actors
 * reads). */
static postern_err read_agent(struct check *c, postern_error *err)
{
    for (size_t i = 0; i < c->rules->agent_count; i++) {
        const struct claim_path *path = &c->rules->agents[i];
        uint32_t node = postern_claim_find(&c->reader, path);

        if (node != POSTERN_JSON_ABSENT)
            return postern_claim_identity(&c->reader, node, path->whole, POSTERN_IDENTITY_MAX,
                                          &c->out->client_id, err);
    }
    return POSTERN_OK;
}

static postern_err read_purpose(struct check *c, postern_error *err)
{
    const struct claim_path *path = &c->rules->purpose;
    uint32_t node = postern_claim_find(&c->reader, path);

    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    return postern_claim_identity(&c->reader, node, path->whole, POSTERN_PURPOSE_MAX,
                                  &c->out->purpose, err);
}

/* What takes the token back by its name finds it by the one that its issuer gives (Entra: uti). */
static postern_err read_token_id(struct check *c, postern_error *err)
{
    const char *name = postern_provider_token_id(c->rules->provider);
    uint32_t node;

    POSTERN_TRY(read_identity(c, CLAIM_JTI, "jti", &c->out->jti, err));
    if (c->out->jti.len != 0 || name == NULL)
        return POSTERN_OK;
    node = postern_json_member(c->reader.j, 0, name);
    if (node == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    return postern_claim_identity(&c->reader, node, name, POSTERN_IDENTITY_MAX, &c->out->jti, err);
}

/* client_id is judged even where agent_claim prefers another claim. */
static postern_err check_identities(struct check *c, postern_error *err)
{
    for (size_t i = 0; i < c->rules->required_count; i++)
        postern_trail_note(c->trail, "%s %s", i == 0 ? "required" : "and",
                           c->rules->required[i].whole);
    POSTERN_TRY(check_required(c, err));
    POSTERN_TRY(read_identity(c, CLAIM_SUB, "sub", &c->out->subject, err));
    POSTERN_TRY(read_identity(c, CLAIM_CLIENT_ID, "client_id", &c->out->registered_client, err));
    POSTERN_TRY(read_token_id(c, err));
    POSTERN_TRY(read_agent(c, err));
    POSTERN_TRY(read_purpose(c, err));
    postern_trail_note_value(c->trail, "sub", c->out->subject);
    postern_trail_note_value(c->trail, "client", c->out->client_id);
    postern_trail_note_value(c->trail, "jti", c->out->jti);
    if (c->out->subject.len == 0 && c->out->client_id.len == 0)
        return POSTERN_FAIL(err, CLAIM_MISSING, "token names neither a subject nor a client");
    return POSTERN_OK;
}

static postern_err check_client(struct check *c, postern_error *err)
{
    return postern_claims_client(&c->reader, c->rules, c->out, c->trail, err);
}

static postern_err check_binding(struct check *c, postern_error *err)
{
    return postern_claims_binding(&c->reader, c->login, c->out, c->trail, err);
}

/* One actor: its sub into the facts, the nested act (or ABSENT) into *ret_inner; other members must
 * be strings. */
static postern_err read_actor(struct check *c, uint32_t actor, uint32_t *ret_inner,
                              postern_error *err)
{
    const postern_json *j = c->reader.j;
    uint32_t sub = POSTERN_JSON_ABSENT;

    *ret_inner = POSTERN_JSON_ABSENT;
    for (uint32_t m = postern_json_first(j, actor); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(j, m)) {
        if (postern_json_name_is(j, m, "act"))
            *ret_inner = m;
        else if (postern_json_type_of(j, m) != POSTERN_JSON_STRING)
            return POSTERN_FAIL(err, MALFORMED_CLAIM, "act holds something that is not a string");
        else if (postern_json_name_is(j, m, "sub"))
            sub = m;
    }
    if (sub == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "an actor has no sub");
    return postern_claim_identity(&c->reader, sub, "act.sub", POSTERN_IDENTITY_MAX,
                                  &c->out->act[c->out->act_depth], err);
}

/* The outermost actor acts; inner ones are history (RFC 8693 §4.1). */
static postern_err check_actors(struct check *c, postern_error *err)
{
    uint32_t actor = c->reader.known[CLAIM_ACT], inner;

    for (; actor != POSTERN_JSON_ABSENT; actor = inner) {
        if (postern_json_type_of(c->reader.j, actor) != POSTERN_JSON_OBJECT)
            return POSTERN_FAIL(err, MALFORMED_CLAIM, "act is not an object");
        if (c->out->act_depth == POSTERN_ACT_DEPTH_MAX)
            return POSTERN_FAIL(err, LIMIT, "more than %d actors", POSTERN_ACT_DEPTH_MAX);
        POSTERN_TRY(read_actor(c, actor, &inner, err));
        postern_trail_note_value(c->trail, c->out->act_depth == 0 ? "acts" : "acted earlier",
                                 c->out->act[c->out->act_depth]);
        c->out->act_depth++;
    }
    return postern_claims_may_act(&c->reader, c->out, c->trail, err);
}

static postern_err check_party(struct check *c, postern_error *err)
{
    postern_trail_note(c->trail, "provider %s", postern_provider_name(c->rules->provider));
    POSTERN_TRY(postern_provider_judge(c->rules->provider, c->reader.j, c->out, err));
    postern_trail_note(c->trail, "%s",
                       postern_grant_facts_have_human(c->out) ? "for a human" : "for itself");
    return POSTERN_OK;
}

static postern_err check_lineage(struct check *c, postern_error *err)
{
    return postern_claims_lineage(&c->reader, c->out, err);
}

static postern_err check_authentication(struct check *c, postern_error *err)
{
    return postern_claims_authentication(&c->reader, c->rules, c->login, c->out, c->trail, err);
}

static postern_err demand_scope(const struct check *c, postern_bytes wanted, postern_error *err)
{
    char quoted[300];

    postern_trail_note_value(c->trail, "wanted", wanted);
    if (wanted.len == 0 || postern_scope_has(c->out->scope, wanted))
        return POSTERN_OK;
    return POSTERN_FAIL(err, INSUFFICIENT_SCOPE, "scope \"%s\" is missing",
                        postern_error_quote(wanted.ptr, wanted.len, quoted, sizeof quoted));
}

static postern_err demand_scopes(const struct check *c, postern_error *err)
{
    postern_bytes rest = c->login->extra_scopes;

    for (size_t i = 0; i < c->rules->scope_count; i++)
        POSTERN_TRY(demand_scope(c, postern_bytes_str(c->rules->scopes[i]), err));
    while (rest.len != 0)
        POSTERN_TRY(demand_scope(c, postern_scope_next(&rest), err));
    return POSTERN_OK;
}

/* Any of them; the sentence names them all, as far as it has room. */
static postern_err demand_any_scope(const struct check *c, postern_error *err)
{
    POSTERN_AUTO_BUF list = POSTERN_BUF_INIT(sizeof err->detail);

    for (size_t i = 0; i < c->rules->any_scope_count; i++) {
        postern_bytes wanted = postern_bytes_str(c->rules->any_scopes[i]);

        postern_trail_note_value(c->trail, i == 0 ? "wanted one of" : "or", wanted);
        if (postern_scope_has(c->out->scope, wanted))
            return POSTERN_OK;
        postern_buf_addf(&list, "%s\"%s\"", i == 0 ? "" : ", ", c->rules->any_scopes[i]);
    }
    if (c->rules->any_scope_count == 0)
        return POSTERN_OK;
    if (list.failed) /* they are too many to be named */
        return POSTERN_FAIL(err, INSUFFICIENT_SCOPE,
                            "none of the %zu scopes of which one is wanted",
                            c->rules->any_scope_count);
    return POSTERN_FAIL(err, INSUFFICIENT_SCOPE, "one of the scopes %s is wanted",
                        postern_buf_cstr(&list));
}

/* Whole words, case-sensitive: "administrator" is not "admin" (RFC 6749 §3.3). */
static postern_err check_scope(struct check *c, postern_error *err)
{
    POSTERN_TRY(postern_claims_scope(&c->reader, c->rules, &c->out->scope, err));
    if (c->out->scope.len > POSTERN_SCOPE_CLAIM_MAX)
        return POSTERN_FAIL(err, LIMIT, "scope is longer than %d bytes", POSTERN_SCOPE_CLAIM_MAX);
    if (!postern_scope_is_list(c->out->scope))
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "scope is not words with one space between");
    postern_trail_note_value(c->trail, "scope", c->out->scope);
    POSTERN_TRY(demand_scopes(c, err));
    return demand_any_scope(c, err);
}

postern_err postern_claims_check(const struct claim_rules *rules, const postern_json *j,
                                 const struct claim_login *login, postern_buf *scratch,
                                 postern_trail *trail, struct postern_grant_facts *ret,
                                 postern_error *err)
{
    static postern_err (*const steps[])(struct check *, postern_error *) = {
        check_is_no_id_token, check_count,          check_issuer,  check_audience, check_times,
        check_identities,     check_client,         check_binding, check_actors,   check_party,
        check_lineage,        check_authentication, check_scope,
    };
    struct check c = { .rules = rules, .login = login, .trail = trail, .out = ret };

    memset(ret, 0, sizeof *ret);
    postern_claim_reader_init(&c.reader, j, scratch);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        postern_trail_enter(trail, TRAIL_ID_TOKEN + (enum trail_step)i);
        POSTERN_TRY(steps[i](&c, err));
    }
    ret->claims = j->text;
    return POSTERN_OK;
}
