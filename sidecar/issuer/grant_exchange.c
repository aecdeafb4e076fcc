/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One token for another (RFC 8693): sub stays, the client that asks becomes the actor, everything
 * else can only shrink.  Scopes are what the subject token and the client both have, the end is that
 * of the parent that ends first, and the parents' jti go along, so that the new token dies with any
 * of them.  Without an actor (impersonation) only a client that may, and that says impersonation=true.
 * A parent that does not count is invalid_request (§2.2.2), not invalid_grant.
 */
#include "access_token.h"
#include "exchange_details.h"
#include "own_token.h"
#include "token_request.h"
#include "words.h"

#define TYPE_ACCESS_TOKEN "urn:ietf:params:oauth:token-type:access_token"
#define TYPE_JWT          "urn:ietf:params:oauth:token-type:jwt"

struct exchange {
    struct own_token subject, actor; /* actor.grant NULL: the client itself acts */
    struct access_claims claims;
    char scopes[CLIENT_SCOPES_MAX]; /* what subject token and client both have */
    postern_buf details;
    bool is_impersonation;
};

static void free_exchange(struct exchange *x)
{
    own_token_free(&x->subject);
    own_token_free(&x->actor);
    postern_buf_free(&x->details);
}
#define AUTO_EXCHANGE __attribute__((cleanup(free_exchange))) struct exchange

static bool refuse(struct answer *a, const char *description, const char *message)
{
    return token_request_refuse(a, "invalid_request", description, message);
}

/* ---- parameters ---- */

/* NULL is no type. */
static bool is_our_type(const char *type)
{
    return type != NULL && (strcmp(type, TYPE_ACCESS_TOKEN) == 0 || strcmp(type, TYPE_JWT) == 0);
}

static bool check_types(const struct token_request *t, struct answer *a)
{
    const char *actor_type = postern_form_value(t->form, "actor_token_type");
    const char *wanted = postern_form_value(t->form, "requested_token_type");

    if (postern_form_value(t->form, "subject_token") == NULL)
        return refuse(a, "subject_token is missing", "Send the token to be exchanged.");
    if (!is_our_type(postern_form_value(t->form, "subject_token_type")))
        return refuse(a, "subject_token_type is missing or not known here",
                      "Send subject_token_type=" TYPE_ACCESS_TOKEN);
    if ((postern_form_value(t->form, "actor_token") != NULL) != (actor_type != NULL))
        return refuse(a, "actor_token and actor_token_type belong together",
                      "Send both or neither: without them this client is the actor.");
    if (actor_type != NULL && !is_our_type(actor_type))
        return refuse(a, "actor_token_type is not known here",
                      "Send actor_token_type=" TYPE_ACCESS_TOKEN);
    if (wanted != NULL && strcmp(wanted, TYPE_ACCESS_TOKEN) != 0)
        return refuse(a, "that type of token is not issued",
                      "Leave requested_token_type out, or ask for " TYPE_ACCESS_TOKEN);
    return true;
}

/* Never by leaving something out: who wants to vanish says so, and is allowed it. */
static bool check_impersonation(const struct token_request *t, struct exchange *x,
                                struct answer *a)
{
    const char *flag = postern_form_value(t->form, "impersonation");

    if (flag == NULL)
        return true;
    if (strcmp(flag, "true") != 0 || postern_form_value(t->form, "actor_token") != NULL)
        return refuse(a, "impersonation is true, and without an actor_token, or not there",
                      "Leave impersonation out: then this client is named as the actor.");
    if ((t->client.flags & CLIENT_MAY_IMPERSONATE) == 0)
        return token_request_refuse(a, "unauthorized_client", "this client may not impersonate",
                                    "Leave impersonation out: then it is named as the actor.");
    x->is_impersonation = true;
    return true;
}

/* ---- the parents ---- */

static bool answer_undecided(struct answer *a)
{
    answer_error(a, 503, "temporarily_unavailable", "the token cannot be checked at the moment",
                 "Try again in a few seconds.");
    a->retry_after_s = 1;
    return false;
}

static bool judge_parent(struct issuer *is, const char *token, struct own_token *ret,
                         struct answer *a)
{
    postern_error err = { 0 };
    postern_err e = own_token_judge(is, is->own_tokens, postern_bytes_str(token), ret, &err);

    switch (postern_err_outcome(e)) {
    case POSTERN_PROVED:
        return true;
    case POSTERN_REJECTED:
        break;
    case POSTERN_UNDECIDED:
        (void)token_request_fail(a, &err); /* for the log; the answer is another */
        return answer_undecided(a);
    }
    return refuse(a, "a token that was sent does not count",
                  "Send access tokens of this issuer that live and were not revoked.");
}

/* The actor token says who acts: nobody but the client that presents it, and for itself. */
static bool judge_actor(struct issuer *is, const struct token_request *t, struct exchange *x,
                        struct answer *a)
{
    const char *token = postern_form_value(t->form, "actor_token");

    if (token == NULL)
        return true;
    if (!judge_parent(is, token, &x->actor, a))
        return false;
    if (strcmp(postern_grant_subject(x->actor.grant), t->client.name) != 0 ||
        strcmp(postern_grant_client_id(x->actor.grant), t->client.name) != 0 ||
        postern_grant_act_depth(x->actor.grant) != 0)
        return refuse(a, "the actor token is not this client's own",
                      "Send a token that this client got with client_credentials, or none.");
    return true;
}

/* RFC 8693 §4.4.  A member that we do not know would limit something we cannot judge. */
static bool is_named_in(const struct own_token *subject, uint32_t may_act, const char *name,
                        const char *issuer)
{
    const postern_json *j = &subject->claims;
    bool is_named = false;

    if (postern_json_type_of(j, may_act) != POSTERN_JSON_OBJECT)
        return false;
    for (uint32_t m = postern_json_first(j, may_act); m != POSTERN_JSON_ABSENT;
         m = postern_json_next(j, m)) {
        bool is_name = postern_json_name_is(j, m, "sub") || postern_json_name_is(j, m, "client_id");

        if (!is_name && !postern_json_name_is(j, m, "iss"))
            return false;
        if (!postern_json_string_is(j, m, is_name ? name : issuer))
            return false;
        is_named = is_named || is_name;
    }
    return is_named;
}

/* Who may exchange it: whom it was issued to, or who is named in it, or who may ask for the resource
 * it is for; with may_act in it nobody else than that. */
static bool check_presenter(const struct issuer *is, const struct token_request *t,
                            const struct own_token *subject, struct answer *a)
{
    uint32_t may_act = postern_json_member(&subject->claims, 0, "may_act");

    if (may_act != POSTERN_JSON_ABSENT) {
        if (is_named_in(subject, may_act, t->client.name, is->settings->issuer))
            return true;
        return refuse(a, "the subject token names another actor in may_act",
                      "Only the client that may_act names can exchange this token.");
    }
    if (strcmp(postern_grant_client_id(subject->grant), t->client.name) == 0 ||
        words_has(t->client.resources, postern_bytes_str(postern_grant_audience(subject->grant))))
        return true;
    return refuse(a, "the subject token was issued neither to this client nor for its resources",
                  "Exchange tokens that were issued to this client, or sent to its service.");
}

/* ---- what the new token is for ---- */

static bool narrow_scopes(struct token_request *t, struct exchange *x, struct answer *a)
{
    const char *cursor = postern_grant_scope(x->subject.grant);
    postern_bytes word;

    x->scopes[0] = '\0';
    while (words_next(&cursor, &word))
        if (words_has(t->client.scopes, word) &&
            !words_append(x->scopes, sizeof x->scopes, word)) /* at most the client's: fits */
            return refuse(a, "scope is too long", "Ask for fewer scopes.");
    if (x->scopes[0] == '\0' && postern_grant_scope(x->subject.grant)[0] != '\0')
        return token_request_refuse(
            a, "invalid_scope", "subject token and client have no scope in common",
            "Exchange a token with a scope that this client is registered for.");
    return token_request_choose_scope(t, x->scopes, a);
}

/* Nobody but itself answers for a client that registered itself. */
static bool is_self_registered(const struct token_request *t)
{
    return (t->client.flags & CLIENT_SELF_REGISTERED) != 0;
}

static bool refuse_target(struct answer *a)
{
    return token_request_refuse(a, "invalid_target", "the person did not allow that resource",
                                "Ask the person for it at the authorization endpoint.");
}

/* No person: the subject is a client, which an administrator may have allowed less than this one has.
 */
static bool check_ownership(const struct issuer *is, const struct token_request *t,
                            const struct exchange *x, struct answer *a)
{
    if (!is_self_registered(t) ||
        strcmp(postern_grant_subject(x->subject.grant), t->client.name) == 0 ||
        strcmp(t->resource, postern_grant_audience(x->subject.grant)) == 0 ||
        strcmp(t->resource, is->settings->whoami) == 0)
        return true;
    return token_request_refuse(
        a, "invalid_target", "another client's token stays with its resource here",
        "Ask for the token's own resource; further goes a client that an administrator registered.");
}

/*
 * A person allowed one agent some services.  That agent does not get around it by an exchange, nor by
 * registering itself once more; where another client takes the token further is for the administrator
 * who registered that one.
 */
static bool check_consent(struct issuer *is, const struct token_request *t,
                          const struct exchange *x, struct answer *a)
{
    struct grant_record g = { 0 };
    postern_error err = { 0 };
    bool is_found = false;

    if (x->subject.grant_id[0] == '\0')
        return check_ownership(is, t, x, a);
    if (store_grant_find(is->store, x->subject.grant_id, &is_found, &g, &err) != POSTERN_OK)
        return token_request_fail(a, &err);
    if (!is_found)
        return refuse(a, "the authorization behind the token has ended", "Ask the person again.");
    if ((strcmp(g.client, t->client.name) != 0 && !is_self_registered(t)) ||
        words_has(g.resources, postern_bytes_str(t->resource)) ||
        strcmp(t->resource, is->settings->whoami) == 0)
        return true;
    return refuse_target(a);
}

/* ---- who acts ---- */

static bool add_actor(struct access_claims *c, const char *name, struct answer *a)
{
    if (c->actor_count == TOKEN_ACTORS_MAX)
        return refuse(a, "the chain of actors is too long",
                      "Nobody follows it any more: begin with a token of the person's.");
    c->actors[c->actor_count++] = name;
    return true;
}

static bool is_actor(const postern_grant *g, const char *name)
{
    for (size_t i = 0; i < postern_grant_act_depth(g); i++)
        if (strcmp(postern_grant_act(g, i), name) == 0)
            return true;
    return false;
}

/*
 * The client, then an earlier client that the chain does not know yet, then the chain.  Who exchanges
 * again what it acts in already is not its own predecessor, and who acts for itself is no actor; but
 * where somebody came between (by impersonation), it is named before that one: the first acts.
 */
static bool write_actors(const struct token_request *t, struct exchange *x, struct answer *a)
{
    const postern_grant *g = x->subject.grant;
    const char *earlier = postern_grant_client_id(g);
    size_t depth = postern_grant_act_depth(g);
    bool is_same = depth != 0 ? strcmp(postern_grant_act(g, 0), t->client.name) == 0
                              : strcmp(postern_grant_subject(g), t->client.name) == 0;
    bool is_nested = strcmp(earlier, t->client.name) != 0 && !is_actor(g, earlier);

    if ((!is_same || is_nested) && !x->is_impersonation &&
        !add_actor(&x->claims, t->client.name, a))
        return false;
    if (is_nested && !add_actor(&x->claims, earlier, a))
        return false;
    for (size_t i = 0; i < depth; i++)
        if (!add_actor(&x->claims, postern_grant_act(g, i), a))
            return false;
    return true;
}

/* ---- where it comes from ---- */

static bool add_parent(struct access_claims *c, const char *jti, struct answer *a)
{
    for (size_t i = 0; i < c->parent_count; i++)
        if (strcmp(c->parents[i], jti) == 0)
            return true;
    if (c->parent_count == TOKEN_PARENTS_MAX)
        return refuse(a, "the token was exchanged too often",
                      "Begin with a token that was exchanged fewer times.");
    memcpy(c->parents[c->parent_count++], jti, strlen(jti) + 1); /* own_token.c read it: fits */
    return true;
}

static bool add_parents(struct access_claims *c, const struct own_token *parent, struct answer *a)
{
    if (!add_parent(c, parent->jti, a))
        return false;
    for (size_t i = 0; i < parent->parent_count; i++)
        if (!add_parent(c, parent->parents[i], a))
            return false;
    return true;
}

static bool write_parents(struct exchange *x, struct answer *a)
{
    struct access_claims *c = &x->claims;

    c->ends_s = postern_grant_exp_s(x->subject.grant);
    if (!add_parents(c, &x->subject, a))
        return false;
    if (x->actor.grant == NULL)
        return true;
    if (postern_grant_exp_s(x->actor.grant) < c->ends_s)
        c->ends_s = postern_grant_exp_s(x->actor.grant);
    return add_parents(c, &x->actor, a);
}

/* ---- what it says beside ---- */

/* What was said to the person stays; where nothing was said, the client may say it now. */
static bool write_purpose(const struct token_request *t, struct exchange *x, struct answer *a)
{
    const char *have = postern_grant_purpose(x->subject.grant);
    const char *wanted = postern_form_value(t->form, "purpose");

    x->claims.purpose = have != NULL ? have : wanted;
    if (wanted == NULL)
        return true;
    if (have != NULL && strcmp(have, wanted) != 0)
        return refuse(a, "the subject token has another purpose",
                      "Leave purpose out: it stays what the token says.");
    if (strlen(wanted) >= GRANT_PURPOSE_MAX ||
        postern_bytes_has_control(postern_bytes_str(wanted)))
        return refuse(a, "purpose is longer than 256 bytes or holds a control character",
                      "Say in one line of text what the token is for.");
    return true;
}

static bool write_details(const struct token_request *t, struct exchange *x, struct answer *a)
{
    postern_bytes have = own_token_claim(&x->subject, "authorization_details");
    const char *wanted = postern_form_value(t->form, "authorization_details");
    postern_error err = { 0 };

    x->claims.details = have;
    if (wanted == NULL)
        return true;
    switch (exchange_details_narrow(have, postern_bytes_str(wanted), &x->details, &err)) {
    case EXCHANGE_DETAILS_NARROWED:
        x->claims.details = postern_buf_bytes(&x->details);
        return true;
    case EXCHANGE_DETAILS_REFUSED:
        return token_request_refuse(
            a, "invalid_authorization_details",
            "authorization_details are no part of the subject token's",
            "Send an array with some of the elements that the token has, or leave it out.");
    case EXCHANGE_DETAILS_FAILED:
        break;
    }
    return token_request_fail(a, &err);
}

/* 0: absent, or no date. */
static int64_t get_auth_time_s(const struct own_token *subject)
{
    int64_t s = 0;

    return postern_json_date(&subject->claims,
                             postern_json_member(&subject->claims, 0, "auth_time"), &s)
               ? s
               : 0;
}

static bool write_claims(const struct token_request *t, struct exchange *x, struct answer *a)
{
    struct access_claims *c = &x->claims;

    *c = (struct access_claims){ .subject = postern_grant_subject(x->subject.grant),
                                 .client = t->client.name,
                                 .resource = t->resource,
                                 .scope = t->scope,
                                 .may_act = own_token_claim(&x->subject, "may_act"),
                                 .auth_time_s = get_auth_time_s(&x->subject),
                                 .grant = x->subject.grant_id };
    return write_actors(t, x, a) && write_parents(x, a) && write_purpose(t, x, a) &&
           write_details(t, x, a);
}

void grant_exchange(struct issuer *is, struct token_request *t, struct answer *a)
{
    AUTO_EXCHANGE x = { .subject = OWN_TOKEN_INIT,
                        .actor = OWN_TOKEN_INIT,
                        .details = POSTERN_BUF_INIT(GRANT_DETAILS_MAX) };
    POSTERN_AUTO(secret) token = NULL;

    t->takes_audience = true;
    if (!check_types(t, a) || !check_impersonation(t, &x, a) ||
        !judge_parent(is, postern_form_value(t->form, "subject_token"), &x.subject, a) ||
        !judge_actor(is, t, &x, a) || !check_presenter(is, t, &x.subject, a))
        return;
    if (!token_request_choose_resource(is, t, t->client.resources, a) ||
        !check_consent(is, t, &x, a) || !narrow_scopes(t, &x, a) || !write_claims(t, &x, a))
        return;
    if (access_token_mint(is, &x.claims, t->now_s, &token, a))
        /* False: the answer says so. */
        (void)access_token_answer(is, &x.claims, t->now_s, token,
                                  (struct access_answer){ NULL, TYPE_ACCESS_TOKEN }, a);
}
