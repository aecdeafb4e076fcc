/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client side of the plugin, in four files: the exchange (client.c), names and prompts
 * (client_ask.c), tokens found without asking (client_token.c), where those may go (client_way.c).
 */
#ifndef SASL_PLUGIN_CLIENT_H
#define SASL_PLUGIN_CLIENT_H

#include "plugin.h"

enum client_state { CLIENT_FAILED = 0, CLIENT_START, CLIENT_SENT, CLIENT_REFUSED };

struct client_conn {
    postern_mech mech;
    enum client_state state;
    char authzid[POSTERN_AUTHZID_MAX];  /* SASL_CB_USER; "" none */
    char authname[POSTERN_AUTHZID_MAX]; /* SASL_CB_AUTHNAME; "" none */
    postern_secret *token;
    bool was_prompted;          /* the application answered our prompts once: no second round */
    bool has_searched;          /* for a token without asking */
    sasl_interact_t prompts[4]; /* lives as long as the connection: nothing to free when an
                                   application walks away */
    postern_buf out;            /* heap: virsh writes into what it is given */
    char why[512];              /* for sasl_errdetail() after a refusal */
};

/* ---- client_ask.c ---- */
/*
 * Names and token from the application's callbacks, then without asking, then by prompting.
 *   SASL_OK: conn has what it needs · SASL_INTERACT with *prompt_need set · a SASL error,
 * seterror'd
 */
int client_gather(struct client_conn *conn, sasl_client_params_t *params,
                  sasl_interact_t **prompt_need);

/* ---- client_way.c ---- */
/*
 * Where a token that nobody typed may go (SASL-18): TLS; or both ends on this machine, the server named
 * as of this machine, and its end held by root, our own user or that of POSTERN_SERVER_USER.
 *   POSTERN_OK · NO_TOKEN (not there; err says why)
 */
POSTERN_MUST_USE postern_err client_check_way(const sasl_client_params_t *params,
                                              postern_error *err);

/* ---- client_token.c ---- */
/*
 * A token found without asking: BEARER_TOKEN, BEARER_TOKEN_FILE, bt_u$UID (WLCG bearer token
 * discovery), `postern token`. POSTERN_OK · NO_TOKEN (nothing found; go on) · CONFIG_FILE,
 * MALFORMED, LIMIT, NOMEM, SYSTEM (found, but not usable)
 */
POSTERN_MUST_USE postern_err client_find_token(const sasl_client_params_t *params,
                                               postern_secret **ret, postern_error *err);

#endif
