/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of providers, and their signs; see the header.  A token that gives no sign, or two that
 * contradict each other, is refused: to take an agent's own token for a human's would put words
 * into somebody's mouth.
 */
#include "provider.h"

#include "base/ascii.h"

static bool is_text(const postern_json *j, const char *name, const char *want)
{
    uint32_t node = postern_json_member(j, 0, name);

    return postern_json_type_of(j, node) == POSTERN_JSON_STRING &&
           postern_json_string_is(j, node, want);
}

static bool has(const postern_json *j, const char *name)
{
    return postern_json_member(j, 0, name) != POSTERN_JSON_ABSENT;
}

static postern_err fail_unclear(const char *what, postern_error *err)
{
    return POSTERN_FAIL(err, ACTOR_UNCLEAR, "%s", what);
}

/* ---- Keycloak ---- */

/* "service-account-CLIENT", in lower case as all user names of Keycloak. */
static bool is_service_account(postern_bytes name, postern_bytes client)
{
    postern_reader r = { name };

    return postern_reader_take_lit(&r, "service-account-") && r.rest.len == client.len &&
           client.len != 0 && postern_ascii_equal_nocase(r.rest.ptr, client.ptr, client.len);
}

/*
 * A client's own token is one of a user that Keycloak made for it, by a name that it alone gives,
 * and without a session.  A person's login through the same client has a session, whatever the
 * person is called.
 */
static postern_err find_party_of_keycloak(const postern_json *j,
                                          const struct postern_grant_facts *facts,
                                          bool *ret_is_clients_own, postern_error *err)
{
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(8 * POSTERN_IDENTITY_MAX);
    uint32_t node = postern_json_member(j, 0, "preferred_username");
    postern_bytes name;

    if (!is_text(j, "typ", "Bearer")) /* in the claims: "ID" and "Refresh" are there too */
        return POSTERN_FAIL(err, TYP, "typ among the claims is not Bearer");
    if (node == POSTERN_JSON_ABSENT)
        return fail_unclear("no preferred_username (client scope profile)", err);
    if (postern_json_type_of(j, node) != POSTERN_JSON_STRING)
        return POSTERN_FAIL(err, MALFORMED_CLAIM, "preferred_username is not a string");
    if (postern_json_raw(j, node).len > 6 * POSTERN_IDENTITY_MAX)
        return POSTERN_FAIL(err, UNSAFE_IDENTITY, "preferred_username is too long");
    if (!postern_json_string(j, node, &scratch, &name))
        return POSTERN_FAIL(err, NOMEM, "claims");
    *ret_is_clients_own = is_service_account(name, facts->client_id);
    if (*ret_is_clients_own && (has(j, "sid") || has(j, "session_state")))
        return fail_unclear("a service account's name in a session of somebody", err);
    return POSTERN_OK;
}

/* ---- Entra ---- */

/*
 * idtyp says it, where the resource's registration asks for that optional claim.  Without it, a
 * token for a user has scp (what was delegated) and one for an application has roles (what the
 * application may), and then the object is the subject.
 */
static postern_err find_party_of_entra(const postern_json *j,
                                       const struct postern_grant_facts *facts,
                                       bool *ret_is_clients_own, postern_error *err)
{
    uint32_t oid = postern_json_member(j, 0, "oid"), sub = postern_json_member(j, 0, "sub");
    bool has_scp = has(j, "scp");

    (void)facts;
    if (has(j, "idtyp")) {
        *ret_is_clients_own = is_text(j, "idtyp", "app");
        if (*ret_is_clients_own == has_scp || !(*ret_is_clients_own || is_text(j, "idtyp", "user")))
            return fail_unclear("idtyp is neither app without scp nor user with scp", err);
        return POSTERN_OK;
    }
    *ret_is_clients_own = !has_scp;
    if (has_scp)
        return POSTERN_OK;
    if (!has(j, "roles") || oid == POSTERN_JSON_ABSENT || sub == POSTERN_JSON_ABSENT ||
        !postern_bytes_equal(postern_json_raw(j, oid), postern_json_raw(j, sub)))
        return fail_unclear("neither scp nor roles of an application whose oid is its sub", err);
    return POSTERN_OK;
}

/* ---- Okta ---- */

/* uid is there when a user is bound to the token; without one the subject is the client. */
static postern_err find_party_of_okta(const postern_json *j,
                                      const struct postern_grant_facts *facts,
                                      bool *ret_is_clients_own, postern_error *err)
{
    bool is_client = postern_bytes_equal(facts->subject, facts->client_id);

    *ret_is_clients_own = !has(j, "uid");
    if (*ret_is_clients_own != is_client)
        return fail_unclear("no uid, but a subject that is not the client; or the reverse", err);
    return POSTERN_OK;
}

/* ---- the table ---- */

static const struct provider providers[] = {
    { "rfc9068",
      { { "token_types", "at+jwt" },
        { "required_claims", "sub client_id jti iat" },
        { "username_claim", "sub" },
        { "agent_claim", "act.sub client_id azp appid" },
        { "scope_claim", "scope" },
        { "scope_form", "string" } },
      NULL,
      NULL },
    { "keycloak",
      { { "token_types", "at+jwt JWT" },
        { "required_claims", "sub azp jti iat" },
        { "username_claim", "preferred_username" },
        { "agent_claim", "act.sub azp" },
        { "scope_claim", "scope" },
        { "scope_form", "string" } },
      find_party_of_keycloak,
      NULL },
    { "entra",
      { { "token_types", "JWT" },
        { "required_claims", "sub oid tid iat" },
        { "username_claim", "oid" },
        { "agent_claim", "act.sub azp appid" },
        { "scope_claim", "scp roles" },
        { "scope_form", "any" } },
      find_party_of_entra,
      "uti" },
    { "okta",
      { { "token_types", "at+jwt untyped" },
        { "required_claims", "sub cid jti iat" },
        { "username_claim", "sub" },
        { "agent_claim", "act.sub cid" },
        { "scope_claim", "scp" },
        { "scope_form", "any" } },
      find_party_of_okta,
      NULL },
};

const struct provider *postern_provider(const char *name)
{
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        if (strcmp(providers[i].name, name) == 0)
            return &providers[i];
    return NULL;
}

const char *postern_provider_name(const struct provider *p)
{
    return p == NULL ? providers[0].name : p->name;
}

const char *postern_provider_token_id(const struct provider *p)
{
    return p == NULL ? NULL : p->token_id;
}

postern_err postern_provider_judge(const struct provider *p, const postern_json *j,
                                   struct postern_grant_facts *facts, postern_error *err)
{
    if (p == NULL || p->find_party == NULL || facts->act_depth != 0)
        return POSTERN_OK;
    if (facts->client_id.len == 0) /* an ID token of these names none */
        return POSTERN_FAIL(err, CLAIM_MISSING, "token names no client (agent_claim)");
    POSTERN_TRY(p->find_party(j, facts, &facts->is_clients_own, err));
    if (!facts->is_clients_own && postern_bytes_equal(facts->subject, facts->client_id))
        return fail_unclear("a human's token has the client as its subject", err);
    return POSTERN_OK;
}
