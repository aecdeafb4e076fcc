/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sidecar/issuer/grant_exchange.c: who may exchange what for what, and that nothing ever grows.  RFC 8693.
 * alice's agent is agent-7; mcp is a service that takes her token further; nosy has no part in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grants_fixture.h"
#include "issuer/grants.h"

#define SCOPES "mail.read mail.write ldap.read"
#define AS_ACCESS "&subject_token_type=" ACCESS
#define TO_IMAP "&resource=" FIXTURE_IMAP
#define TO_LDAP "&resource=" FIXTURE_LDAP
/* Members of a token that agent-7 has of alice. */
#define ALICE "\"sub\":\"alice\",\"client_id\":\"agent-7\",\"aud\":\"" FIXTURE_IMAP "\",\"scope\":\"mail.read\",\"jti\":\"j1\""

static void allow(struct grants_fixture *g)
{
    grants_client(g, "agent-7", SCOPES, BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "mcp", "mail.read ldap.read", BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "nosy", SCOPES, FIXTURE_LDAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "ghost", SCOPES, BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, CLIENT_MAY_IMPERSONATE);
    grants_allow(g, "g1", "agent-7", "mail.read mail.write", FIXTURE_IMAP, 3600, "c1");
}

static char *alices_token(struct grants_fixture *g)
{
    char *token;

    allow(g);
    grants_redeem(g, "agent-7", "c1", &token, NULL);
    return token;
}

static void exchange(struct grants_fixture *g, const char *client, const char *token, const char *more)
{
    grants_post(g, "/oauth/token", client, EXCHANGE "&subject_token=%s%s", token, more);
}

/* Exchange and give the token up for the new one. */
static char *trade(struct grants_fixture *g, const char *client, char *token, const char *more)
{
    exchange(g, client, token, more);
    assert_status(g->f, 200);
    free(token);
    return grants_take(g, "access_token");
}

static void assert_refused(struct grants_fixture *g, const char *why, const char *error)
{
    if (g->f->answer.status != 400)
        fail_msg("%s: status %d", why, g->f->answer.status);
    assert_error(g->f, 400, error);
    assert_absent(g->f, "access_token");
}

/* ---- what is issued ---- */

static void the_new_token_names_both_and_comes_from_the_old_one(void **state)
{
    struct grants_fixture *g = *state;
    char *old = alices_token(g), *new, *jti = grants_claim(old, "jti");
    char *parents = test_printf("[%s]", jti);

    g->f->now_s += 100;
    exchange(g, "mcp", old, AS_ACCESS TO_LDAP);
    assert_status(g->f, 200);
    assert_text(g->f, "issued_token_type", ACCESS);
    assert_text(g->f, "token_type", "Bearer");
    assert_text(g->f, "scope", "mail.read");
    assert_text(g->f, "sub", "alice");
    assert_absent(g->f, "refresh_token");
    assert_string_equal(g->f->answer.cache_control, "no-store");
    new = grants_take(g, "access_token");
    assert_claim_is(new, "sub", "\"alice\"");
    assert_claim_is(new, "client_id", "\"mcp\"");
    assert_claim_is(new, "aud", "\"" FIXTURE_LDAP "\"");
    assert_claim_is(new, "act", "{\"sub\":\"mcp\",\"act\":{\"sub\":\"agent-7\"}}");
    assert_claim_is(new, "grant_id", "\"g1\"");
    assert_claim_is(new, "derived_from", parents);
    assert_int_equal(grants_number(new, "auth_time"), FIXTURE_NOW_S - 10);
    assert_int_equal(grants_number(new, "iat"), FIXTURE_NOW_S + 100);
    assert_int_equal(grants_number(new, "exp"), FIXTURE_NOW_S + 300); /* the old one's */
    free(parents);
    free(jti);
    free(new);
    free(old);
}

static void an_agent_that_exchanges_its_own_token_is_named_once(void **state)
{
    struct grants_fixture *g = *state;
    char *token = trade(g, "agent-7", alices_token(g), AS_ACCESS TO_IMAP);

    assert_claim_is(token, "act", "{\"sub\":\"agent-7\"}");
    token = trade(g, "agent-7", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "act", "{\"sub\":\"agent-7\"}"); /* again: still the same actor */
    token = trade(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "act", "{\"sub\":\"mcp\",\"act\":{\"sub\":\"agent-7\"}}");
    free(token);
}

static void a_token_without_a_person_keeps_its_subject_and_names_the_next(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    token = grants_own_token(g, "agent-7");
    token = trade(g, "agent-7", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "act", ""); /* it acts for itself */
    token = trade(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "sub", "\"agent-7\"");
    assert_claim_is(token, "act", "{\"sub\":\"mcp\",\"act\":{\"sub\":\"agent-7\"}}");
    assert_claim_is(token, "grant_id", "");
    free(token);
}

static void audience_says_the_same_as_resource(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g);

    exchange(g, "mcp", token, AS_ACCESS "&audience=" FIXTURE_LDAP);
    assert_status(g->f, 200);
    exchange(g, "mcp", token, AS_ACCESS "&audience=" FIXTURE_LDAP TO_LDAP);
    assert_refused(g, "two", "invalid_target");
    exchange(g, "mcp", token, AS_ACCESS "&requested_token_type=" ACCESS "&resource=" WHOAMI);
    assert_status(g->f, 200);
    free(token);
}

/* ---- parameters ---- */

static void what_is_missing_or_of_another_type_is_invalid_request(void **state)
{
    static const struct { const char *why, *body; } bad[] = {
        { "no subject token", AS_ACCESS TO_IMAP },
        { "no type", "&subject_token=%s" TO_IMAP },
        { "refresh token", "&subject_token=%s" TO_IMAP "&subject_token_type=urn:ietf:params:oauth:token-type:refresh_token" },
        { "ID token", "&subject_token=%s" TO_IMAP "&subject_token_type=urn:ietf:params:oauth:token-type:id_token" },
        { "SAML", "&subject_token=%s" TO_IMAP "&subject_token_type=urn:ietf:params:oauth:token-type:saml2" },
        { "two subject tokens", "&subject_token=%s&subject_token=x" AS_ACCESS TO_IMAP },
        { "actor type alone", "&subject_token=%s" AS_ACCESS TO_IMAP "&actor_token_type=" ACCESS },
        { "actor token alone", "&subject_token=%s" AS_ACCESS TO_IMAP "&actor_token=x" },
        { "actor of another type", "&subject_token=%s" AS_ACCESS TO_IMAP "&actor_token=x&actor_token_type=jwt" },
        { "a refresh token wanted", "&subject_token=%s" AS_ACCESS TO_IMAP
          "&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token" },
        { "a JWT wanted", "&subject_token=%s" AS_ACCESS TO_IMAP "&requested_token_type=urn:ietf:params:oauth:token-type:jwt" },
    };
    struct grants_fixture *g = *state;
    char *token = alices_token(g);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *rest = strstr(bad[i].body, "%s");

        grants_post(g, "/oauth/token", "mcp", EXCHANGE "%s%s%s", rest == NULL ? "" : "&subject_token=",
                    rest == NULL ? "" : token, rest == NULL ? bad[i].body : rest + 2);
        assert_refused(g, bad[i].why, "invalid_request");
    }
    exchange(g, "mcp", token, "&subject_token_type=urn:ietf:params:oauth:token-type:jwt" TO_IMAP);
    assert_status(g->f, 200);
    free(token);
}

/* ---- parents that do not count ---- */

static void a_subject_token_that_is_not_ours_or_dead_is_invalid_request(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g), *other;
    test_key *stranger = test_key_new("P-256");

    exchange(g, "mcp", "x", AS_ACCESS TO_IMAP);
    assert_refused(g, "no JWT", "invalid_request");
    token[strlen(token) - 3] = token[strlen(token) - 3] == 'A' ? 'B' : 'A';
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "another signature", "invalid_request");
    free(token);

    token = grants_sign(g, "%s", "\"client_id\":\"agent-7\",\"sub\":\"alice\",\"aud\":\"https://elsewhere.example/\",\"scope\":\"mail.read\",\"jti\":\"j\"");
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "for a resource that is not ours", "invalid_request");
    free(token);
    token = grants_sign(g, "%s", "\"client_id\":\"agent-7\",\"sub\":\"alice\",\"aud\":\"" FIXTURE_IMAP "\"");
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "without jti", "invalid_request");
    free(token);
    other = test_sign(stranger, "ES256", g->header, "{\"iss\":\"" FIXTURE_ISSUER "\",\"iat\":1700000000,\"exp\":1700000300," ALICE "}");
    exchange(g, "mcp", other, AS_ACCESS TO_IMAP);
    assert_refused(g, "of another key", "invalid_request");
    free(other);
    test_key_free(stranger);

    token = grants_sign(g, "%s", ALICE);
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_status(g->f, 200);
    g->f->now_s += 300;
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "expired to the second", "invalid_request");
    free(token);
}

static void a_revoked_parent_gives_nothing_and_takes_its_children_along(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g), *child, *jti = grants_claim(token, "jti");

    exchange(g, "mcp", token, AS_ACCESS "&resource=" WHOAMI);
    child = grants_take(g, "access_token");
    grants_whoami(g, child);
    assert_status(g->f, 200);
    jti[strlen(jti) - 1] = '\0';
    assert_int_equal(grants_end_token(&g->f->is, jti + 1, g->f->now_s + 300, NULL), POSTERN_OK);
    free(jti);
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "revoked parent", "invalid_request");
    exchange(g, "mcp", child, AS_ACCESS TO_IMAP);
    assert_refused(g, "child of a revoked one", "invalid_request");
    grants_whoami(g, child);
    assert_error(g->f, 401, "invalid_token");
    free(token);
    free(child);
}

static void an_ended_grant_or_a_removed_client_ends_what_came_of_it(void **state)
{
    struct grants_fixture *g = *state;
    struct clients_refusal refusal = { 0 };
    char *token = alices_token(g), *child, *own;
    int64_t removed_s = 0;

    exchange(g, "mcp", token, AS_ACCESS "&resource=" WHOAMI);
    child = grants_take(g, "access_token");
    assert_int_equal(grants_end(&g->f->is, "g1", NULL), POSTERN_OK);
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "ended grant", "invalid_request");
    grants_whoami(g, child);
    assert_error(g->f, 401, "invalid_token");
    free(token);
    free(child);

    own = grants_own_token(g, "agent-7");
    child = trade(g, "mcp", own, AS_ACCESS "&resource=" WHOAMI);
    grants_whoami(g, child);
    assert_status(g->f, 200);
    assert_int_equal(clients_remove(&g->f->is, "agent-7", &removed_s, &refusal, NULL), CLIENTS_DONE);
    grants_whoami(g, child); /* agent-7 is an actor of it, further in */
    assert_error(g->f, 401, "invalid_token");
    exchange(g, "mcp", child, AS_ACCESS TO_IMAP);
    assert_refused(g, "removed first client", "invalid_request");
    free(child);
}

/* ---- escalation ---- */

static void who_has_no_part_in_a_token_does_not_exchange_it(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g);

    exchange(g, "nosy", token, AS_ACCESS TO_LDAP);
    assert_refused(g, "neither its own nor for its resources", "invalid_request");
    free(token);
    token = grants_sign(g, "%s,\"may_act\":{\"sub\":\"nosy\"}", ALICE);
    exchange(g, "nosy", token, AS_ACCESS TO_LDAP);
    assert_status(g->f, 200);
    free(token);
}

static void nothing_grows(void **state)
{
    static const struct { const char *why, *client, *more, *error; } bad[] = {
        { "a scope that the subject token has not", "mcp", TO_LDAP "&scope=mail.read+ldap.read", "invalid_scope" },
        { "a scope that the client has not", "mcp", TO_LDAP "&scope=mail.write", "invalid_scope" },
        { "all of them", "mcp", TO_LDAP "&scope=mail.read+mail.write+ldap.read", "invalid_scope" },
        { "a resource that the client has not", "nosy", TO_IMAP, "invalid_target" },
        { "a resource that nobody has", "mcp", "&resource=https://evil.example/", "invalid_target" },
        { "two resources", "mcp", TO_IMAP TO_LDAP, "invalid_target" },
        { "no resource where two are allowed", "mcp", "", "invalid_target" },
        { "a resource that the person did not allow the agent", "agent-7", TO_LDAP, "invalid_target" },
        { "another purpose", "mcp", TO_IMAP "&purpose=pay", "invalid_request" },
        { "details from nothing", "mcp", TO_IMAP "&authorization_details=[{\"type\":\"a\"}]", "invalid_authorization_details" },
        { "impersonation without being allowed", "mcp", TO_IMAP "&impersonation=true", "unauthorized_client" },
    };
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *more = test_printf("%s%s", AS_ACCESS, bad[i].more);

        token = grants_sign(g, "\"sub\":\"alice\",\"client_id\":\"%s\",\"aud\":\"" FIXTURE_IMAP
                            "\",\"scope\":\"mail.read mail.write\",\"jti\":\"j1\",\"grant_id\":\"g1\",\"purpose\":\"read\"",
                            strcmp(bad[i].client, "mcp") == 0 ? "agent-7" : bad[i].client);
        exchange(g, bad[i].client, token, more);
        assert_refused(g, bad[i].why, bad[i].error);
        free(more);
        free(token);
    }
}

static void without_a_common_scope_there_is_no_token(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    token = grants_sign(g, "\"sub\":\"alice\",\"client_id\":\"agent-7\",\"aud\":\"" FIXTURE_IMAP "\",\"scope\":\"mail.write\",\"jti\":\"j\"");
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "mcp has no mail.write", "invalid_scope");
    free(token);
    token = grants_sign(g, "\"sub\":\"alice\",\"client_id\":\"agent-7\",\"aud\":\"" FIXTURE_IMAP "\",\"jti\":\"j\"");
    token = trade(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "scope", ""); /* there was none: there is none */
    free(token);
}

static void purpose_is_carried_or_said_for_the_first_time(void **state)
{
    struct grants_fixture *g = *state;
    char long_purpose[300], *more;
    char *token = trade(g, "agent-7", alices_token(g), AS_ACCESS TO_IMAP "&purpose=sort+the+mail+%26+%C3%A4");

    assert_claim_is(token, "purpose", "\"sort the mail & ä\"");
    token = trade(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "purpose", "\"sort the mail & ä\"");
    token = trade(g, "mcp", token, AS_ACCESS TO_IMAP "&purpose=sort+the+mail+%26+%C3%A4");
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP "&purpose=sort+the+mail");
    assert_refused(g, "another", "invalid_request");
    free(token);

    token = grants_sign(g, "%s", ALICE);
    memset(long_purpose, 'p', 257);
    long_purpose[257] = '\0';
    more = test_printf(AS_ACCESS TO_IMAP "&purpose=%s", long_purpose);
    exchange(g, "mcp", token, more);
    assert_refused(g, "257 bytes", "invalid_request");
    more[strlen(more) - 1] = '\0';
    exchange(g, "mcp", token, more);
    assert_status(g->f, 200);
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP "&purpose=a%0Ab");
    assert_refused(g, "a line break", "invalid_request");
    free(more);
    free(token);
}

static void authorization_details_are_carried_or_narrowed(void **state)
{
    struct grants_fixture *g = *state;
    char *token, *narrow;

    allow(g);
    token = grants_sign(g, "%s,\"authorization_details\":[{\"type\":\"imap\",\"actions\":[\"read\"]},{\"type\":\"ldap\"}]", ALICE);
    narrow = trade(g, "mcp", strdup(token), AS_ACCESS TO_IMAP);
    assert_claim_is(narrow, "authorization_details", "[{\"type\":\"imap\",\"actions\":[\"read\"]},{\"type\":\"ldap\"}]");
    narrow = trade(g, "mcp", narrow, AS_ACCESS TO_IMAP "&authorization_details=[{\"actions\":[\"r\\u0065ad\"],\"type\":\"imap\"}]");
    assert_claim_is(narrow, "authorization_details", "[{\"type\":\"imap\",\"actions\":[\"read\"]}]");
    exchange(g, "mcp", narrow, AS_ACCESS TO_IMAP "&authorization_details=[{\"type\":\"ldap\"}]");
    assert_refused(g, "what was given up is gone", "invalid_authorization_details");
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP "&authorization_details=[{\"type\":\"imap\",\"actions\":[\"read\",\"write\"]}]");
    assert_refused(g, "more of it", "invalid_authorization_details");
    free(token);
    free(narrow);
}

/* ---- may_act ---- */

static void may_act_names_who_may(void **state)
{
    static const struct { const char *may_act, *client; int status; } cases[] = {
        { "{\"sub\":\"mcp\"}", "mcp", 200 },
        { "{\"sub\":\"mcp\",\"iss\":\"" FIXTURE_ISSUER "\"}", "mcp", 200 },
        { "{\"client_id\":\"mcp\"}", "mcp", 200 },
        { "{\"sub\":\"mcp\"}", "agent-7", 400 }, /* also not whom it was issued to */
        { "{\"sub\":\"mcp\",\"iss\":\"https://elsewhere.example\"}", "mcp", 400 },
        { "{\"sub\":\"mcp\",\"client_id\":\"agent-7\"}", "mcp", 400 },
        { "{\"iss\":\"" FIXTURE_ISSUER "\"}", "mcp", 400 }, /* names nobody */
        { "{\"sub\":\"mcp\",\"cnf\":{}}", "mcp", 400 },     /* a limit that we do not know */
        { "{\"sub\":[\"mcp\"]}", "mcp", 400 },
        { "{\"sub\":\"MCP\"}", "mcp", 400 },
        { "\"mcp\"", "mcp", 400 },
        { "[]", "mcp", 400 },
        { "{}", "mcp", 400 },
        { "null", "mcp", 400 },
    };
    struct grants_fixture *g = *state;

    allow(g);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token = grants_sign(g, "%s,\"may_act\":%s", ALICE, cases[i].may_act), *child;

        exchange(g, cases[i].client, token, AS_ACCESS TO_IMAP);
        if (g->f->answer.status != cases[i].status)
            fail_msg("%s by %s: status %d", cases[i].may_act, cases[i].client, g->f->answer.status);
        free(token);
        if (cases[i].status != 200)
            continue;
        child = grants_take(g, "access_token"); /* the limit stays */
        exchange(g, "agent-7", child, AS_ACCESS TO_IMAP);
        assert_refused(g, "child with may_act", "invalid_request");
        free(child);
    }
}

/* ---- actors ---- */

static void an_actor_token_must_be_the_clients_own(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g), *own = grants_own_token(g, "mcp"), *other = grants_own_token(g, "ghost");
    char *more = test_printf(AS_ACCESS TO_IMAP "&actor_token_type=" ACCESS "&actor_token=%s", own);
    char *new, *parents, *jti_a = grants_claim(token, "jti"), *jti_b = grants_claim(own, "jti");

    exchange(g, "mcp", token, more);
    assert_status(g->f, 200);
    new = grants_take(g, "access_token");
    assert_claim_is(new, "act", "{\"sub\":\"mcp\",\"act\":{\"sub\":\"agent-7\"}}");
    parents = test_printf("[%s,%s]", jti_a, jti_b);
    assert_claim_is(new, "derived_from", parents);
    exchange(g, "ghost", token, more);
    assert_refused(g, "of another client", "invalid_request");
    free(more);
    more = test_printf(AS_ACCESS TO_IMAP "&actor_token_type=" ACCESS "&actor_token=%s", new);
    exchange(g, "mcp", token, more);
    assert_refused(g, "that acts for somebody itself", "invalid_request");
    free(more);
    more = test_printf(AS_ACCESS TO_IMAP "&actor_token_type=" ACCESS "&actor_token=%s", token);
    exchange(g, "agent-7", token, more);
    assert_refused(g, "a person's", "invalid_request");
    free(more);
    more = test_printf(AS_ACCESS TO_IMAP "&actor_token_type=" ACCESS "&actor_token=%sx", own);
    exchange(g, "mcp", token, more);
    assert_refused(g, "broken", "invalid_request");
    free(more);
    free(parents);
    free(jti_a);
    free(jti_b);
    free(new);
    free(other);
    free(own);
    free(token);
}

static void the_new_token_ends_with_the_parent_that_ends_first(void **state)
{
    struct grants_fixture *g = *state;
    char *own, *token, *more, *new;

    allow(g);
    own = grants_own_token(g, "mcp");
    g->f->now_s += 200;
    token = grants_sign(g, "%s", ALICE);
    more = test_printf(AS_ACCESS TO_IMAP "&actor_token_type=" ACCESS "&actor_token=%s", own);
    new = trade(g, "mcp", token, more);
    assert_int_equal(grants_number(new, "exp"), FIXTURE_NOW_S + 300);
    free(new);
    g->f->now_s += 100;
    token = grants_sign(g, "%s", ALICE);
    exchange(g, "mcp", token, more);
    assert_refused(g, "dead actor", "invalid_request");
    free(token);
    free(more);
    free(own);
}

static void nobody_vanishes_without_saying_so_and_being_allowed_it(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g), *own = grants_own_token(g, "ghost"), *new, *more;

    exchange(g, "ghost", token, AS_ACCESS TO_IMAP);
    new = grants_take(g, "access_token");
    assert_claim_is(new, "act", "{\"sub\":\"ghost\",\"act\":{\"sub\":\"agent-7\"}}"); /* by default it is named */
    free(new);
    exchange(g, "ghost", token, AS_ACCESS TO_IMAP "&impersonation=true");
    assert_status(g->f, 200);
    new = grants_take(g, "access_token");
    assert_claim_is(new, "act", "{\"sub\":\"agent-7\"}"); /* what was there before is not hidden */
    assert_claim_is(new, "client_id", "\"ghost\"");
    new = trade(g, "mcp", new, AS_ACCESS TO_IMAP);
    assert_claim_is(new, "act", "{\"sub\":\"mcp\",\"act\":{\"sub\":\"ghost\",\"act\":{\"sub\":\"agent-7\"}}}");
    free(new);
    exchange(g, "ghost", token, AS_ACCESS TO_IMAP "&impersonation=yes");
    assert_refused(g, "not true", "invalid_request");
    more = test_printf(AS_ACCESS TO_IMAP "&impersonation=true&actor_token_type=" ACCESS "&actor_token=%s", own);
    exchange(g, "ghost", token, more);
    assert_refused(g, "with an actor", "invalid_request");
    free(more);
    free(own);
    free(token);
}

/* ghost passes mcp's own token on without a word; when mcp goes on with it, it is mcp that acts. */
static void whoever_impersonated_before_does_not_stand_for_who_presents_the_token_now(void **state)
{
    struct grants_fixture *g = *state;
    char *token = trade(g, "mcp", alices_token(g), AS_ACCESS TO_IMAP), *own;

    token = trade(g, "ghost", token, AS_ACCESS TO_IMAP "&impersonation=true");
    assert_claim_is(token, "act", "{\"sub\":\"mcp\",\"act\":{\"sub\":\"agent-7\"}}");
    token = trade(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_claim_is(token, "client_id", "\"mcp\"");
    assert_claim_is(token, "act",
                    "{\"sub\":\"mcp\",\"act\":{\"sub\":\"ghost\",\"act\":{\"sub\":\"mcp\","
                    "\"act\":{\"sub\":\"agent-7\"}}}}");
    own = trade(g, "ghost", grants_own_token(g, "mcp"), AS_ACCESS TO_IMAP "&impersonation=true");
    own = trade(g, "mcp", own, AS_ACCESS TO_IMAP);
    assert_claim_is(own, "act",
                    "{\"sub\":\"mcp\",\"act\":{\"sub\":\"ghost\",\"act\":{\"sub\":\"mcp\"}}}");
    free(own);
    free(token);
}

/* An agent that registers a second time is still the agent that the person allowed one resource. */
static void who_registered_itself_does_not_get_around_the_persons_consent(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g);

    grants_client(g, "c-self", SCOPES, BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, CLIENT_SELF_REGISTERED);
    exchange(g, "c-self", token, AS_ACCESS TO_LDAP);
    assert_refused(g, "not allowed", "invalid_target");
    exchange(g, "c-self", token, AS_ACCESS "&resource=" WHOAMI);
    assert_status(g->f, 200);
    token = trade(g, "c-self", token, AS_ACCESS TO_IMAP); /* where the person allowed it */
    exchange(g, "c-self", token, AS_ACCESS TO_LDAP);
    assert_refused(g, "with its own", "invalid_target");
    exchange(g, "mcp", token, AS_ACCESS TO_LDAP); /* an administrator registered that one */
    assert_status(g->f, 200);
    free(token);
}

/* The administrator allowed plain one resource; its second self, which may have both, changes nothing. */
static void who_registered_itself_takes_no_clients_token_to_another_resource(void **state)
{
    struct grants_fixture *g = *state;
    char *token;

    allow(g);
    grants_client(g, "plain", SCOPES, FIXTURE_IMAP, CLIENT_AUTH_BY_SECRET, 0);
    grants_client(g, "c-self", SCOPES, BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, CLIENT_SELF_REGISTERED);
    token = grants_own_token(g, "plain");
    exchange(g, "c-self", token, AS_ACCESS TO_LDAP);
    assert_refused(g, "another's", "invalid_target");
    token = trade(g, "c-self", token, AS_ACCESS TO_IMAP);
    exchange(g, "c-self", token, AS_ACCESS TO_LDAP);
    assert_refused(g, "another's, in its own name", "invalid_target");
    free(token);
    token = trade(g, "c-self", grants_own_token(g, "c-self"), AS_ACCESS TO_LDAP); /* its own */
    assert_claim_is(token, "sub", "\"c-self\"");
    free(token);
}

static void the_chain_has_at_most_eight_actors(void **state)
{
    struct grants_fixture *g = *state;
    char name[16];
    char *token = alices_token(g);

    for (int i = 0; i < 8; i++) {
        assert_true(snprintf(name, sizeof name, "hop-%d", i) > 0);
        grants_client(g, name, SCOPES, BOTH_RESOURCES, CLIENT_AUTH_BY_SECRET, 0);
    }
    for (int i = 0; i < 7; i++) { /* agent-7 is the innermost */
        assert_true(snprintf(name, sizeof name, "hop-%d", i) > 0);
        token = trade(g, name, token, AS_ACCESS TO_IMAP);
    }
    exchange(g, "hop-7", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "nine", "invalid_request");
    exchange(g, "hop-6", token, AS_ACCESS TO_IMAP); /* the actor of now may go on */
    assert_status(g->f, 200);
    free(token);
}

static void a_token_comes_from_at_most_sixteen(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g);

    for (int i = 0; i < 16; i++)
        token = trade(g, "agent-7", token, AS_ACCESS TO_IMAP);
    exchange(g, "agent-7", token, AS_ACCESS TO_IMAP);
    assert_refused(g, "seventeen", "invalid_request");
    free(token);
}

static void until_keys_are_there_nobody_can_say(void **state)
{
    struct grants_fixture *g = *state;
    char *token = alices_token(g);
    postern_context *own = g->f->is.own_tokens;

    g->f->is.own_tokens = NULL;
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_error(g->f, 503, "temporarily_unavailable");
    g->f->is.own_tokens = own;
    exchange(g, "mcp", token, AS_ACCESS TO_IMAP);
    assert_status(g->f, 200);
    free(token);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, grants_set_up, grants_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_new_token_names_both_and_comes_from_the_old_one),
        TEST(an_agent_that_exchanges_its_own_token_is_named_once),
        TEST(a_token_without_a_person_keeps_its_subject_and_names_the_next),
        TEST(audience_says_the_same_as_resource),
        TEST(what_is_missing_or_of_another_type_is_invalid_request),
        TEST(a_subject_token_that_is_not_ours_or_dead_is_invalid_request),
        TEST(a_revoked_parent_gives_nothing_and_takes_its_children_along),
        TEST(an_ended_grant_or_a_removed_client_ends_what_came_of_it),
        TEST(who_has_no_part_in_a_token_does_not_exchange_it),
        TEST(nothing_grows),
        TEST(without_a_common_scope_there_is_no_token),
        TEST(purpose_is_carried_or_said_for_the_first_time),
        TEST(authorization_details_are_carried_or_narrowed),
        TEST(may_act_names_who_may),
        TEST(an_actor_token_must_be_the_clients_own),
        TEST(the_new_token_ends_with_the_parent_that_ends_first),
        TEST(nobody_vanishes_without_saying_so_and_being_allowed_it),
        TEST(whoever_impersonated_before_does_not_stand_for_who_presents_the_token_now),
        TEST(who_registered_itself_does_not_get_around_the_persons_consent),
        TEST(who_registered_itself_takes_no_clients_token_to_another_resource),
        TEST(the_chain_has_at_most_eight_actors),
        TEST(a_token_comes_from_at_most_sixteen),
        TEST(until_keys_are_there_nobody_can_say),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
