/* SPDX-License-Identifier: BSD-2-Clause */
/* Signed claims that say anything.  What is accepted names somebody, is meant for us, in time, and
 * safe to show. */
#include <stdlib.h>

#include "oauth/claims.h"
#include "oauth/scope.h"
#include "oauth/username.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S 1800000000

static void check_text(postern_bytes text, size_t most)
{
    if (text.len > most || !postern_bytes_is_utf8(text))
        abort();
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            abort();
}

static void check_identity(postern_bytes text)
{
    check_text(text, POSTERN_IDENTITY_MAX);
}

/* The array as signed: a part of the claims that is JSON itself. */
static void check_details(const struct postern_grant_facts *f)
{
    POSTERN_AUTO_JSON j = { 0 };
    postern_bytes d = f->authorization_details;

    if (d.len == 0)
        return;
    if (d.len > POSTERN_DETAILS_MAX || d.ptr < f->claims.ptr ||
        d.ptr + d.len > f->claims.ptr + f->claims.len)
        abort();
    if (postern_json_scan(&j, d, NULL) == POSTERN_OK &&
        postern_json_type_of(&j, 0) != POSTERN_JSON_ARRAY)
        abort();
}

static void check_facts(const struct postern_grant_facts *f)
{
    if (!postern_bytes_equal_str(f->issuer, "https://sso.example.org") || f->audience.len == 0)
        abort();
    if (f->exp_s + 60 <= NOW_S || f->iat_s > NOW_S + 60 || f->act_depth > POSTERN_ACT_DEPTH_MAX)
        abort();
    if (f->subject.len == 0 || f->client_id.len == 0 || f->jti.len == 0 ||
        !postern_scope_has(f->scope, POSTERN_BYTES_LIT("mail.read")))
        abort();
    check_identity(f->subject);
    check_identity(f->client_id);
    check_identity(f->purpose);
    check_text(f->scope, POSTERN_SCOPE_CLAIM_MAX);
    for (size_t i = 0; i < f->act_depth; i++)
        check_identity(f->act[i]);
    check_identity(f->grant_id);
    if (f->derived_count > POSTERN_DERIVED_MAX || f->grant_id.len > POSTERN_GRANT_ID_MAX)
        abort();
    for (size_t i = 0; i < f->derived_count; i++) {
        check_identity(f->derived_from[i]);
        if (f->derived_from[i].len == 0)
            abort();
    }
    check_details(f);
}

/* What is accepted with more demands meets them; with another certificate a bound token is refused. */
static void check_demands(const struct claim_rules *rules, const postern_json *j,
                          const struct claim_login *login, postern_buf *scratch,
                          const struct postern_grant_facts *loose)
{
    static const char *const clients[] = { "agent-7" }, *const acrs[] = { "mfa" };
    static const char *const any[] = { "mail.write", "mail.admin" };
    struct claim_rules strict = *rules;
    struct claim_login other = *login;
    struct postern_grant_facts facts;

    other.client_cert_sha256 = POSTERN_BYTES_NONE;
    if (loose->bound_cert.len != 0 &&
        postern_claims_check(rules, j, &other, scratch, NULL, &facts, NULL) != POSTERN_ERR_CNF)
        abort();
    strict.clients = clients;
    strict.client_count = strict.acr_count = 1;
    strict.acrs = acrs;
    strict.any_scopes = any;
    strict.any_scope_count = 2;
    strict.max_auth_age_s = strict.max_token_age_s = strict.max_lifetime_s = 600;
    if (postern_claims_check(&strict, j, login, scratch, NULL, &facts, NULL) != POSTERN_OK)
        return;
    if (!postern_bytes_equal_str(facts.client_id, "agent-7") || facts.iat_s + 660 < NOW_S ||
        facts.exp_s > facts.iat_s + 600 || !postern_grant_facts_have_human(&facts) ||
        !(postern_scope_has(facts.scope, POSTERN_BYTES_LIT("mail.write")) ||
          postern_scope_has(facts.scope, POSTERN_BYTES_LIT("mail.admin"))))
        abort();
}

/* Scopes in an array, as some providers write them: what is accepted is a list of words all the same. */
static void check_arrays(postern_arena *arena, const postern_json *j, postern_buf *scratch,
                         const struct claim_login *login)
{
    static const char *const audiences[] = { "https://mail.example.org/imap" };
    struct claim_path paths[2];
    struct claim_rules rules = { .issuer = "https://sso.example.org",
                                 .may_lack_issuer = true,
                                 .audiences = audiences,
                                 .audience_count = 1,
                                 .skew_s = 60,
                                 .scope_claims = paths,
                                 .scope_claim_count = 2,
                                 .takes_scope_array = true };
    struct postern_grant_facts facts;

    if (postern_claim_path_parse(arena, "scp", &paths[0], NULL) != POSTERN_OK ||
        postern_claim_path_parse(arena, "scope", &paths[1], NULL) != POSTERN_OK ||
        postern_claims_check(&rules, j, login, scratch, NULL, &facts, NULL) != POSTERN_OK)
        return;
    check_text(facts.scope, POSTERN_SCOPE_CLAIM_MAX);
    if (facts.issuer.len == 0 || facts.audience.len == 0)
        abort();
}

static void judge(postern_arena *arena, const postern_json *j, postern_buf *scratch)
{
    static const char *const audiences[] = { "https://mail.example.org/imap" }, *const scopes[] = {
        "mail.read"
    };
    static const char *const names[] = { "sub", "client_id", "jti", "iat", "azp", "purpose" };
    static const char *const templates[] = { "ext.login.name", "${azp}.${sub}" };
    struct claim_path paths[6];
    struct claim_rules rules = { .issuer = "https://sso.example.org",
                                 .audiences = audiences,
                                 .audience_count = 1,
                                 .skew_s = 60,
                                 .required = paths,
                                 .required_count = 4,
                                 .agents = paths + 1,
                                 .agent_count = 4,
                                 .scopes = scopes,
                                 .scope_count = 1 };
    struct postern_grant_facts facts;
    static const uint8_t cert[POSTERN_BOUND_CERT_LEN] = "0123456789abcdef0123456789abcdef";
    const struct claim_login login = { .now_s = NOW_S, .client_cert_sha256 = { cert, sizeof cert } };
    postern_bytes user;
    postern_error err;

    check_arrays(arena, j, scratch, &login);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (postern_claim_path_parse(arena, names[i], &paths[i], &err) != POSTERN_OK)
            return;
    rules.purpose = paths[5];
    if (postern_claims_check(&rules, j, &login, scratch, NULL, &facts, &err) != POSTERN_OK)
        return;
    check_facts(&facts);
    check_demands(&rules, j, &login, scratch, &facts);
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        struct username_template t;

        if (postern_username_parse(arena, templates[i], &t, &err) == POSTERN_OK &&
            postern_claims_username(&t, j, scratch, &user, &err) == POSTERN_OK)
            check_identity(user);
    }
    check_facts(&facts); /* reading more has moved nothing */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_arena arena = POSTERN_ARENA_INIT(1 << 16);
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO_JSON j = { .count = 0 };

    if (postern_json_scan(&j, (postern_bytes){ data, size }, NULL) == POSTERN_OK &&
        postern_json_type_of(&j, 0) == POSTERN_JSON_OBJECT)
        judge(&arena, &j, &scratch);
    postern_arena_free(&arena);
    return 0;
}
