/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client side of OAUTHBEARER (RFC 7628) and XOAUTH2: one message with the token, and at most
 * one answer to an error. The first step returns SASL_OK with doneflag 0, because some applications
 * end there (svn) and others step once more (virsh); LDAP and IMAP clients get SASL_CONTINUE
 * (doc/decisions/0005-ldap-second-bind.md, 0082-mbsync-waits-for-nobody.md).
 */
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

/* Stands for the identity that only the server reads from the token; libsasl wants some name. */
#define NAME_IN_TOKEN "bearer"

int plugin_client_new(void *glob, sasl_client_params_t *cparams, void **conn_context)
{
    struct client_conn *conn = calloc(1, sizeof *conn);

    (void)cparams;
    if (conn == NULL)
        return SASL_NOMEM;
    conn->mech = ((const struct plugin_mech *)glob)->mech;
    conn->state = CLIENT_START;
    conn->out = POSTERN_BUF_INIT(
        2 * POSTERN_SASL_MESSAGE_MAX); /* every byte of an authzid may be escaped */
    *conn_context = conn;
    return SASL_OK;
}

void plugin_client_dispose(void *conn_context, const sasl_utils_t *utils)
{
    struct client_conn *conn = conn_context;

    (void)utils;
    if (conn == NULL)
        return;
    postern_secret_free(conn->token);
    postern_buf_free(&conn->out);
    free(conn);
}

static int set_names(const struct client_conn *conn, sasl_client_params_t *params,
                     sasl_out_params_t *oparams)
{
    const char *authid = conn->authname[0] != '\0' ? conn->authname : conn->authzid;
    int code;

    if (authid[0] == '\0')
        authid = NAME_IN_TOKEN;
    if (conn->authzid[0] == '\0' || strcmp(conn->authzid, authid) == 0)
        return params->canon_user(params->utils->conn, authid, 0, SASL_CU_AUTHID | SASL_CU_AUTHZID,
                                  oparams);
    code = params->canon_user(params->utils->conn, conn->authzid, 0, SASL_CU_AUTHZID, oparams);
    if (code != SASL_OK)
        return code;
    return params->canon_user(params->utils->conn, authid, 0, SASL_CU_AUTHID, oparams);
}

/*
 * Gmail and Dovecot want the user's name in the message; where none was given as authzid, the login
 * name says it.
 */
static postern_err build_message(struct client_conn *conn, const sasl_client_params_t *params,
                                 postern_error *err)
{
    const char *authzid = conn->authzid[0] != '\0' ? conn->authzid : conn->authname;
    struct plugin_peer server = plugin_peer_parse(params->ipremoteport);
    const char *port =
        strcmp(server.port, "0") == 0 ? "" : server.port; /* libvirt: a unix socket */

    postern_buf_reset(&conn->out);
    return postern_sasl_message_build(conn->mech, authzid, params->serverFQDN, port,
                                      postern_secret_bytes(conn->token), &conn->out, err);
}

/*
 * What the first step says when more may come.  SASL_OK with doneflag 0 works with every client but
 * libldap, which forgets the mechanism on SASL_OK and would send the next answer as a simple bind
 * (doc/decisions/0005-ldap-second-bind.md), and mbsync, which takes an error challenge for a breach
 * of protocol then and hangs (0082-mbsync-waits-for-nobody.md).  svn takes nothing else.
 */
static int first_result(const sasl_client_params_t *params)
{
    const char *service = params->service == NULL ? "" : params->service;

    return strcmp(service, "ldap") == 0 || strcmp(service, "imap") == 0 ? SASL_CONTINUE : SASL_OK;
}

static int first_step(struct client_conn *conn, sasl_client_params_t *params,
                      sasl_interact_t **prompt_need, const char **clientout, unsigned *clientoutlen,
                      sasl_out_params_t *oparams)
{
    postern_error err = { 0 };
    int code = client_gather(conn, params, prompt_need);

    if (code != SASL_OK)
        return code;
    code = set_names(conn, params, oparams);
    if (code != SASL_OK)
        return code;
    if (build_message(conn, params, &err) != POSTERN_OK) {
        plugin_set_error(params->utils, "%s", err.detail);
        return err.code == POSTERN_ERR_NOMEM ? SASL_NOMEM : SASL_BADPARAM;
    }
    postern_secret_free(POSTERN_STEAL(conn->token));
    plugin_set_oparams(oparams, 0);
    *clientout = (const char *)conn->out.ptr;
    *clientoutlen = (unsigned)conn->out.len;
    conn->state = CLIENT_SENT;
    return first_result(params);
}

static void describe_refusal(struct client_conn *conn, postern_bytes challenge)
{
    postern_sasl_error e;
    int len;

    if (postern_sasl_error_parse(challenge, &e, NULL) != POSTERN_OK)
        len = snprintf(conn->why, sizeof conn->why, "server refused the token and did not say why");
    else
        len = snprintf(conn->why, sizeof conn->why, "server refused the token: %s%s%s%s%s",
                       e.status, e.scope[0] == '\0' ? "" : ", scope ", e.scope,
                       e.ref[0] == '\0' ? "" : ", ref ", e.ref);
    (void)len; /* cut where it is too long: it is a sentence for people */
}

/*
 * Empty: the server is content.  Anything else is the error challenge (RFC 7628 §3.2.2), answered
 * so that it can end.
 */
static int second_step(struct client_conn *conn, sasl_client_params_t *params,
                       postern_bytes challenge, const char **clientout, unsigned *clientoutlen,
                       sasl_out_params_t *oparams)
{
    if (challenge.len == 0) {
        conn->state = CLIENT_FAILED; /* a step after the end is an error */
        plugin_set_oparams(oparams, 1);
        return SASL_OK;
    }
    describe_refusal(conn, challenge);
    plugin_log(params->utils, SASL_LOG_FAIL, "postern: %s: %s", postern_mech_name(conn->mech),
               conn->why);
    plugin_set_error(params->utils, "%s", conn->why);
    postern_buf_reset(&conn->out);
    postern_buf_add_byte(&conn->out, 0x01);
    if (conn->out.failed)
        return SASL_NOMEM;
    *clientout = (const char *)conn->out.ptr;
    /*
     * For XOAUTH2 too, where others send nothing: hosts take an empty answer for none
     * (doc/decisions/0005-ldap-second-bind.md).
     */
    *clientoutlen = (unsigned)conn->out.len;
    conn->state = CLIENT_REFUSED;
    return SASL_CONTINUE;
}

int plugin_client_step(void *conn_context, sasl_client_params_t *cparams, const char *serverin,
                       unsigned serverinlen, sasl_interact_t **prompt_need, const char **clientout,
                       unsigned *clientoutlen, sasl_out_params_t *oparams)
{
    struct client_conn *conn = conn_context;
    postern_bytes challenge = { (const uint8_t *)serverin, serverin == NULL ? 0 : serverinlen };

    if (clientout == NULL || clientoutlen == NULL)
        return SASL_BADPARAM;
    *clientout = NULL;
    *clientoutlen = 0;
    if (conn == NULL || cparams == NULL || cparams->utils == NULL || oparams == NULL)
        return SASL_BADPARAM;
    switch (conn->state) {
    case CLIENT_START:
        if (challenge.len != 0) {
            plugin_set_error(cparams->utils, "server spoke first");
            return SASL_BADPROT;
        }
        return first_step(conn, cparams, prompt_need, clientout, clientoutlen, oparams);
    case CLIENT_SENT:
        return second_step(conn, cparams, challenge, clientout, clientoutlen, oparams);
    case CLIENT_REFUSED:
        conn->state = CLIENT_FAILED;
        plugin_set_error(cparams->utils, "%s", conn->why);
        return SASL_BADAUTH;
    case CLIENT_FAILED:
        break;
    }
    return SASL_FAIL;
}
