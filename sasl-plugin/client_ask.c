/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and token at the client.  Order for the token: the application's password callback, when it
 * answers at once; what is found without asking (client_token.c); the application's user, by
 * SASL_INTERACT.
 *
 * OAUTHBEARER needs no name, the token says whose it is.  A name is therefore prompted for only
 * where a token is, too, as other mechanisms do, and for XOAUTH2, whose message must hold one.
 */
#include "client.h"

enum answer { ANSWER_NONE = 0, ANSWER_GIVEN, ANSWER_BY_PROMPT, ANSWER_BAD };

static enum answer copy_name(const char *text, size_t len, char *to)
{
    if (text == NULL || len == 0)
        return ANSWER_NONE;
    if (len >= POSTERN_AUTHZID_MAX || memchr(text, '\0', len) != NULL)
        return ANSWER_BAD;
    memcpy(to, text, len);
    to[len] = '\0';
    return ANSWER_GIVEN;
}

static enum answer ask_name(sasl_client_params_t *params, unsigned long id, char *to)
{
    sasl_callback_ft proc = NULL;
    void *context = NULL;
    const char *text = NULL;
    int code = params->utils->getcallback(params->utils->conn, id, &proc, &context);

    if (to[0] != '\0')
        return ANSWER_GIVEN;
    if (code == SASL_INTERACT)
        return ANSWER_BY_PROMPT;
    if (code != SASL_OK || proc == NULL)
        return ANSWER_NONE;
    if (((sasl_getsimple_t *)(void (*)(void))proc)(context, (int)id, &text, NULL) != SASL_OK)
        return ANSWER_NONE;
    return copy_name(text, text == NULL ? 0 : strlen(text), to);
}

static enum answer copy_token(const void *text, size_t len, postern_secret **ret)
{
    if (text == NULL || len == 0)
        return ANSWER_NONE;
    return postern_secret_new((postern_bytes){ text, len }, ret, NULL) == POSTERN_OK ? ANSWER_GIVEN
                                                                                     : ANSWER_BAD;
}

static enum answer ask_token(struct client_conn *conn, sasl_client_params_t *params)
{
    sasl_callback_ft proc = NULL;
    void *context = NULL;
    sasl_secret_t *secret = NULL; /* stays the application's */
    int code = params->utils->getcallback(params->utils->conn, SASL_CB_PASS, &proc, &context);

    if (conn->token != NULL)
        return ANSWER_GIVEN;
    if (code == SASL_INTERACT)
        return ANSWER_BY_PROMPT;
    if (code != SASL_OK || proc == NULL)
        return ANSWER_NONE;
    code = ((sasl_getsecret_t *)(void (*)(void))proc)(params->utils->conn, context, SASL_CB_PASS,
                                                      &secret);
    if (code != SASL_OK || secret == NULL)
        return ANSWER_NONE;
    return copy_token(secret->data, secret->len, &conn->token);
}

static enum answer read_prompt(struct client_conn *conn, const sasl_interact_t *p)
{
    switch (p->id) {
    case SASL_CB_USER:
        return copy_name(p->result, p->len, conn->authzid);
    case SASL_CB_AUTHNAME:
        return copy_name(p->result, p->len, conn->authname);
    case SASL_CB_PASS:
        return copy_token(p->result, p->len, &conn->token);
    default:
        return ANSWER_NONE;
    }
}

static bool read_prompts(struct client_conn *conn, sasl_interact_t **prompt_need)
{
    if (prompt_need == NULL || *prompt_need == NULL)
        return true;
    for (const sasl_interact_t *p = *prompt_need; p->id != SASL_CB_LIST_END; p++)
        if (read_prompt(conn, p) == ANSWER_BAD)
            return false;
    *prompt_need = NULL; /* ours: it lives in conn */
    conn->was_prompted = true;
    return true;
}

static void add_prompt(sasl_interact_t **next, unsigned long id, const char *challenge,
                       const char *prompt)
{
    *(*next)++ = (sasl_interact_t){ .id = id, .challenge = challenge, .prompt = prompt };
}

static int prompt(struct client_conn *conn, bool for_user, bool for_name, bool for_token,
                  sasl_interact_t **prompt_need)
{
    sasl_interact_t *next = conn->prompts;

    if (for_user)
        add_prompt(&next, SASL_CB_USER, "Authorization Name",
                   "Authorization name, empty for the token's own");
    if (for_name)
        add_prompt(&next, SASL_CB_AUTHNAME, "Authentication Name", "User name");
    if (for_token)
        add_prompt(&next, SASL_CB_PASS, "Token", "OAuth 2.0 bearer token");
    add_prompt(&next, SASL_CB_LIST_END, NULL, NULL);
    *prompt_need = conn->prompts;
    return SASL_INTERACT;
}

/*
 * Once for a connection.  A token that is there but cannot be used ends the login: no silent change
 * to another source.
 */
static postern_err search_token(struct client_conn *conn, const sasl_client_params_t *params,
                                postern_error *err)
{
    if (conn->token != NULL || conn->has_searched)
        return POSTERN_OK;
    conn->has_searched = true;
    POSTERN_TRY(client_check_way(params, err));
    return client_find_token(params, &conn->token, err);
}

static int give_up(const sasl_client_params_t *params, int code, const char *why)
{
    plugin_set_error(params->utils, "%s", why);
    return code;
}

int client_gather(struct client_conn *conn, sasl_client_params_t *params,
                  sasl_interact_t **prompt_need)
{
    enum answer user, name, token;
    postern_error err = { .detail = "no token: none was given, and none was found" };
    postern_err found;

    if (!read_prompts(conn, prompt_need))
        return give_up(params, SASL_BADPARAM, "name or token is too long");
    user = ask_name(params, SASL_CB_USER, conn->authzid);
    name = ask_name(params, SASL_CB_AUTHNAME, conn->authname);
    token = ask_token(conn, params);
    if (user == ANSWER_BAD || name == ANSWER_BAD || token == ANSWER_BAD)
        return give_up(params, SASL_BADPARAM, "name or token is too long");

    found = search_token(conn, params, &err);
    if (found != POSTERN_OK && found != POSTERN_ERR_NO_TOKEN)
        return give_up(params, SASL_FAIL, err.detail);
    if (!conn->was_prompted && prompt_need != NULL) {
        bool for_token = conn->token == NULL && token == ANSWER_BY_PROMPT;
        bool for_name = name == ANSWER_BY_PROMPT &&
                        (for_token || (conn->mech == POSTERN_MECH_XOAUTH2 && user != ANSWER_GIVEN));

        if (for_token)
            plugin_set_error(params->utils, "%s",
                             err.detail); /* for an application that will not ask anybody */
        if (for_token || for_name || user == ANSWER_BY_PROMPT)
            return prompt(conn, user == ANSWER_BY_PROMPT, for_name, for_token, prompt_need);
    }
    if (conn->token == NULL)
        return give_up(params, SASL_FAIL, err.detail);
    return SASL_OK;
}
