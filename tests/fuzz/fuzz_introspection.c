/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An introspection answer, hostile: whatever it says, a token is active by the word true alone, its
 * claims are judged, and beside a signed token it makes nothing wider.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oauth/claims.h"
#include "oauth/introspection.h"
#include "oauth/scope.h"

#define NOW_S 1800000000
#define EXP_S 1800000300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so)
        abort();
}

static bool is_subset(postern_bytes words, postern_bytes of)
{
    while (words.len != 0) {
        size_t end = postern_bytes_find(words, ' '), used = end < words.len ? end + 1 : end;

        if (end == 0 || !postern_scope_has(of, (postern_bytes){ words.ptr, end }))
            return false;
        words = (postern_bytes){ words.ptr + used, words.len - used };
    }
    return true;
}

/* A signed token of alice's, and what is left of it. */
static void narrow(const struct postern_grant_facts *told)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(POSTERN_SCOPE_CLAIM_MAX);
    const postern_bytes scope = POSTERN_BYTES_LIT("a b c");
    struct postern_grant_facts facts = { .subject = POSTERN_BYTES_LIT("alice"),
                                         .registered_client = POSTERN_BYTES_LIT("agent"),
                                         .jti = POSTERN_BYTES_LIT("t-1"),
                                         .scope = scope,
                                         .exp_s = EXP_S };

    if (postern_introspection_narrow(told, &facts, &scratch, NULL) != POSTERN_OK)
        return;
    demand(facts.exp_s == told->exp_s && facts.exp_s <= EXP_S);
    demand(is_subset(facts.scope, scope) && is_subset(facts.scope, told->scope));
    demand(told->subject.len == 0 || postern_bytes_equal_str(told->subject, "alice"));
    demand(told->jti.len == 0 || postern_bytes_equal_str(told->jti, "t-1"));
    demand(told->act_depth == 0);
}

static void judge(const postern_json *claims)
{
    static const char *const audiences[] = { "https://a" };
    const struct claim_rules rules = { .issuer = "https://i",
                                       .may_lack_issuer = true,
                                       .audiences = audiences,
                                       .audience_count = 1,
                                       .skew_s = 60 };
    const struct claim_login login = { .now_s = NOW_S };
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(8 * POSTERN_TOKEN_MAX);
    struct postern_grant_facts told;

    if (postern_claims_check(&rules, claims, &login, &scratch, NULL, &told, NULL) != POSTERN_OK)
        return;
    demand(postern_bytes_equal_str(told.issuer, "https://i"));
    demand(postern_bytes_equal_str(told.audience, "https://a") && told.exp_s > NOW_S - 60);
    narrow(&told);
}

/* The token itself: what may be asked about has no shape of its own. */
static void look_at_token(postern_bytes token)
{
    size_t dots = 0;

    for (size_t i = 0; i < token.len; i++)
        dots += token.ptr[i] == '.';
    if (postern_introspection_takes(token))
        demand(token.len != 0 && dots != 2 && dots != 4 && postern_bytes_is_printable(token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct postern_http_response r = { .status = 200,
                                       .content_type = "application/json",
                                       .body = POSTERN_BUF_INIT(POSTERN_HTTP_BODY_MAX) };
    struct introspection answer = POSTERN_INTROSPECTION_INIT;

    look_at_token((postern_bytes){ data, size });
    postern_buf_add(&r.body, (postern_bytes){ data, size });
    if (!r.body.failed && postern_introspection_read(&r, &answer, NULL) == POSTERN_OK &&
        answer.is_active) {
        postern_buf_reset(&r.body); /* the answer stands alone */
        demand(postern_json_type_of(&answer.claims, postern_json_member(&answer.claims, 0, "active")) ==
               POSTERN_JSON_TRUE);
        if (postern_introspection_check_type(&answer.claims, NULL) == POSTERN_OK)
            judge(&answer.claims);
    }
    postern_introspection_free(&answer);
    postern_buf_free(&r.body);
    return 0;
}
