/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server side of OAUTHBEARER (RFC 7628) and XOAUTH2: read the message, ask posternd's helper,
 * tell the host.  The only way to SASL_OK is a grant.  A rejection is told to the client once as
 * JSON, then fails; see result.c for the codes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "plugin.h"

enum server_state { SERVER_FAILED = 0, SERVER_START, SERVER_CHALLENGED };

struct server_conn {
    postern_mech mech;
    enum server_state state;
    int final_code; /* of the step after the challenge */
    char ref[POSTERN_REF_MAX];
    postern_buf out; /* heap: libvirt and others write into what they are given */
};

/* One login attempt, while a step runs. */
struct attempt {
    postern_helper_place options;
    postern_sasl_message message;
    postern_failure failure; /* code is the verdict */
    postern_grant *grant;
    postern_error err;
};

static int64_t monotonic_s(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return now.tv_sec;
}

int plugin_server_new(void *glob, sasl_server_params_t *sparams, const char *challenge,
                      unsigned challen, void **conn_context)
{
    struct server_conn *conn = calloc(1, sizeof *conn);

    (void)sparams, (void)challenge, (void)challen;
    if (conn == NULL)
        return SASL_NOMEM;
    conn->mech = ((const struct plugin_mech *)glob)->mech;
    conn->state = SERVER_START;
    conn->final_code = SASL_BADAUTH;
    conn->out = POSTERN_BUF_INIT(POSTERN_ERROR_JSON_MAX);
    *conn_context = conn;
    return SASL_OK;
}

void plugin_server_dispose(void *conn_context, const sasl_utils_t *utils)
{
    struct server_conn *conn = conn_context;

    (void)utils;
    if (conn == NULL)
        return;
    postern_buf_free(&conn->out);
    free(conn);
}

/* ---- is the mechanism offered? ---- */

static bool has_socket_file(const postern_helper_place *o)
{
    struct stat st;

    return stat(o->socket, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/*
 * Silent: every SASL process comes here.  Without a socket file or a service file there is nothing
 * to offer; any other trouble offers the mechanism and ends the login in SASL_UNAVAIL, because
 * libsasl remembers a NOMECH for the connection. For the same reason TLS is not looked at here: a
 * connection may still do STARTTLS.
 */
int plugin_server_avail(void *glob, sasl_server_params_t *sparams, void **conn_context)
{
    postern_mech mech = ((const struct plugin_mech *)glob)->mech;
    postern_helper_place options;
    postern_service_info info;
    int64_t now_s = monotonic_s();

    (void)conn_context;
    if (plugin_options_read(sparams, &options, NULL) != POSTERN_OK)
        return options.service[0] == '\0' ? SASL_NOMECH : SASL_OK;
    if (!has_socket_file(&options))
        return SASL_NOMECH;
    if (plugin_service_is_down(&options, now_s) ||
        plugin_service_info(&options, now_s, &info, NULL) != POSTERN_OK)
        return SASL_OK;
    if (!info.is_known || !(mech == POSTERN_MECH_XOAUTH2 ? info.has_xoauth2 : info.has_oauthbearer))
        return SASL_NOMECH;
    return SASL_OK;
}

/* ---- the verdict ---- */

/*
 * What a client is told of the service: for challenges that the helper has not made (discovery,
 * malformed messages).
 */
static postern_err describe_service(struct attempt *a)
{
    postern_service_info info;

    POSTERN_TRY(plugin_service_info(&a->options, monotonic_s(), &info, &a->err));
    if (!info.is_known)
        return POSTERN_FAIL(&a->err, SERVICE_UNKNOWN, "no service file answers \"%s\"",
                            a->options.service);
    a->failure = info.discovery;
    return POSTERN_OK;
}

static bool is_ldap(const sasl_server_params_t *sparams)
{
    return sparams->service != NULL && strcmp(sparams->service, "ldap") == 0;
}

/* LDAP writes user names as "u:NAME" (RFC 4513 §5.2.1.8); a "dn:" is nobody's name here. */
static const char *wanted_user(const sasl_server_params_t *sparams, const postern_sasl_message *m)
{
    const char *authzid = m->authzid;

    return is_ldap(sparams) && strncmp(authzid, "u:", 2) == 0 ? authzid + 2 : authzid;
}

/* The helper judges: the token, the protection of the connection, host and port, the authzid. */
static postern_err ask_helper(const sasl_server_params_t *sparams, struct attempt *a)
{
    POSTERN_AUTO(op) op = NULL;
    struct plugin_peer peer = plugin_peer_parse(sparams->ipremoteport);
    postern_request rq = {
        .size = sizeof rq,
        .service = a->options.service,
        .token = a->message.token,
        .authzid = wanted_user(sparams, &a->message),
        .carrier = POSTERN_CARRIER_SASL,
        .tls = plugin_tls_state(sparams->external_ssf, sparams->iplocalport, sparams->ipremoteport),
        .peer = peer.ip[0] == '\0' ? NULL : peer.ip,
        .message_host = a->message.host[0] == '\0' ? NULL : a->message.host,
        .message_port = a->message.port[0] == '\0' ? NULL : a->message.port,
    };
    postern_err e;

    POSTERN_TRY(postern_client_verify_start(&a->options.where, &rq, &op, &a->err));
    e = postern_op_run(op, &a->err);
    a->failure = *postern_op_failure(op);
    if (e != POSTERN_OK)
        return e;
    a->grant = postern_op_take_grant(op);
    if (a->grant == NULL || postern_grant_user(a->grant) == NULL)
        return POSTERN_FAIL(&a->err, INTERNAL, "helper proved a token but named no user");
    return POSTERN_OK;
}

static postern_err judge(const struct server_conn *conn, const sasl_server_params_t *sparams,
                         postern_bytes raw, struct attempt *a)
{
    postern_err e;

    POSTERN_TRY(plugin_options_read(sparams, &a->options, &a->err));
    e = postern_sasl_message_parse(conn->mech, raw, &a->message, &a->err);
    if (e != POSTERN_OK) {
        struct attempt scratch = { .options = a->options };

        if (describe_service(&scratch) ==
            POSTERN_OK) /* the message is bad either way; this only tells the client more */
            a->failure = scratch.failure;
        return e;
    }
    if (a->message.is_discovery) { /* RFC 7628 §4.3: same answer as for a bad token, and no attempt
                                      to log in */
        POSTERN_TRY(describe_service(a));
        return POSTERN_FAIL(&a->err, NO_TOKEN, "discovery request");
    }
    return ask_helper(sparams, a);
}

/* ---- what the host is told ---- */

static const char *or_dash(const char *text)
{
    return text[0] == '\0' ? "-" : text;
}

/*
 * A reference leads to the helper's own record; only what the helper never saw needs its detail
 * here.
 */
static void log_verdict(const struct server_conn *conn, const sasl_server_params_t *sparams,
                        const struct attempt *a)
{
    postern_err e = a->failure.code;
    postern_outcome outcome = postern_err_outcome(e);
    struct plugin_peer peer = plugin_peer_parse(sparams->ipremoteport);
    const char *detail = a->failure.ref[0] == '\0' ? a->err.detail : "";
    int level = outcome == POSTERN_REJECTED ? SASL_LOG_FAIL : SASL_LOG_ERR;

    if (e == POSTERN_ERR_NO_TOKEN)
        level = SASL_LOG_DEBUG; /* a question, not a failed login */
    plugin_log(sparams->utils, level,
               "postern: %s service=%s outcome=%s reason=%s ref=%s peer=%s: %s%s%s",
               postern_mech_name(conn->mech), or_dash(a->options.service),
               postern_outcome_name(outcome), postern_err_reason(e), or_dash(a->failure.ref),
               or_dash(peer.ip), postern_err_text(e), detail[0] == '\0' ? "" : ": ", detail);
}

/* The client may see this text (slapd, svnserve): the reference only, where there is one. */
static int fail(struct server_conn *conn, const sasl_server_params_t *sparams, int code)
{
    conn->state = SERVER_FAILED;
    if (conn->ref[0] != '\0')
        plugin_set_error(sparams->utils, "ref %s", conn->ref);
    else
        plugin_set_error(sparams->utils,
                         code == SASL_UNAVAIL ? "not decided, try again later" : "login refused");
    return code;
}

/*
 * SASL_CONTINUE with the error JSON (RFC 7628 §3.2.2), or the final code where there is no
 * exchange.
 */
static int refuse(struct server_conn *conn, const sasl_server_params_t *sparams, struct attempt *a,
                  const char **serverout, unsigned *serveroutlen)
{
    struct plugin_result result = plugin_result_of(a->failure.code);

    log_verdict(conn, sparams, a);
    memcpy(conn->ref, a->failure.ref, sizeof conn->ref);
    if (!result.has_challenge)
        return fail(conn, sparams, result.code);
    if (postern_sasl_error_build(conn->mech, &a->failure, &conn->out, &a->err) != POSTERN_OK) {
        plugin_log(sparams->utils, SASL_LOG_ERR, "postern: no error challenge: %s", a->err.detail);
        return fail(conn, sparams, SASL_UNAVAIL);
    }
    conn->state = SERVER_CHALLENGED;
    conn->final_code = result.code;
    *serverout = (const char *)conn->out.ptr;
    *serveroutlen = (unsigned)conn->out.len;
    return SASL_CONTINUE;
}

struct names {
    const char *authcid, *authzid; /* one name: the same pointer */
    char room[POSTERN_AUTHZID_MAX + 2];
};

/* False: a name longer than any host takes. */
static bool find_names(const sasl_server_params_t *sparams, const postern_grant *g,
                       struct names *ret)
{
    const char *user = postern_grant_user(g), *authcid = postern_grant_authcid(g);
    int len;

    ret->authcid = ret->authzid = user;
    if (authcid == NULL || strcmp(authcid, user) == 0)
        return true;
    len = snprintf(ret->room, sizeof ret->room, "%s%s", is_ldap(sparams) ? "u:" : "", user);
    ret->authcid = authcid;
    ret->authzid = ret->room;
    return len > 0 && (size_t)len < sizeof ret->room;
}

/*
 * One call for one name: a second with a bare name makes slapd fail (it wants "u:" or "dn:" there).
 * Two for an agent in a human's name (login_as: both): libsasl then asks the host's proxy policy,
 * which refuses where there is none.  The names are the grant's; a wanted authzid was compared by the
 * helper and is never used itself.
 */
static int tell_names(sasl_server_params_t *sparams, const struct names *n,
                      sasl_out_params_t *oparams)
{
    bool is_one = n->authcid == n->authzid;
    unsigned flags = SASL_CU_AUTHID | SASL_CU_EXTERNALLY_VERIFIED | (is_one ? SASL_CU_AUTHZID : 0);
    int code = sparams->canon_user(sparams->utils->conn, n->authcid, (unsigned)strlen(n->authcid),
                                   flags, oparams);

    if (code != SASL_OK || is_one)
        return code;
    return sparams->canon_user(sparams->utils->conn, n->authzid, (unsigned)strlen(n->authzid),
                               SASL_CU_AUTHZID | SASL_CU_EXTERNALLY_VERIFIED, oparams);
}

static int admit(struct server_conn *conn, sasl_server_params_t *sparams, const struct attempt *a,
                 sasl_out_params_t *oparams)
{
    const char *ref = postern_grant_ref(a->grant) == NULL ? "-" : postern_grant_ref(a->grant);
    const char *mech = postern_mech_name(conn->mech), *service = a->options.service;
    struct names n;
    bool is_short = find_names(sparams, a->grant, &n), is_one = n.authcid == n.authzid;
    int code = is_short ? tell_names(sparams, &n, oparams) : SASL_BUFOVER;

    if (code != SASL_OK) {
        plugin_log(sparams->utils, SASL_LOG_FAIL,
                   "postern: %s service=%s ref=%s: the host does not take user \"%s\"%s%s (SASL %d)",
                   mech, service, ref, n.authzid, is_one ? "" : " from agent ",
                   is_one ? "" : n.authcid, code);
        return fail(conn, sparams, code);
    }
    plugin_log(sparams->utils, SASL_LOG_NOTE,
               "postern: %s service=%s outcome=proved ref=%s user=%s%s%s", mech, service, ref,
               postern_grant_user(a->grant), is_one ? "" : " agent=", is_one ? "" : n.authcid);
    conn->state = SERVER_FAILED; /* libsasl calls no further step; if it did, that one would fail */
    plugin_set_oparams(oparams, 1);
    return SASL_OK;
}

static int first_step(struct server_conn *conn, sasl_server_params_t *sparams, postern_bytes raw,
                      const char **serverout, unsigned *serveroutlen, sasl_out_params_t *oparams)
{
    struct attempt a = { 0 };
    postern_err e = judge(conn, sparams, raw, &a);
    int code;

    if (e == POSTERN_OK && a.grant != NULL)
        code = admit(conn, sparams, &a, oparams);
    else {
        a.failure.code = e == POSTERN_OK ? POSTERN_ERR_INTERNAL : e;
        code = refuse(conn, sparams, &a, serverout, serveroutlen);
    }
    postern_grant_free(a.grant);
    return code;
}

/*
 * Hosts step with nothing after a line beyond their limit (imapd, pop3d), and then expect an end,
 * not a challenge.
 */
static int step_without_message(struct server_conn *conn, const sasl_server_params_t *sparams)
{
    struct attempt a = { .failure.code = POSTERN_ERR_MESSAGE_MALFORMED };

    if (plugin_options_read(sparams, &a.options, &a.err) == POSTERN_OK)
        (void)POSTERN_FAIL(&a.err, MESSAGE_MALFORMED, "empty, or cut off by the host as too long");
    log_verdict(conn, sparams, &a);
    return fail(conn, sparams, SASL_BADAUTH);
}

/* The client's %x01 (or anything else): the login fails in every case (RFC 7628 §3.2.3). */
static int last_step(struct server_conn *conn, const sasl_server_params_t *sparams,
                     postern_bytes raw)
{
    postern_error err = { 0 };

    if (postern_sasl_step2_parse(conn->mech, raw, &err) != POSTERN_OK)
        plugin_log(sparams->utils, SASL_LOG_DEBUG, "postern: %s: %s", postern_mech_name(conn->mech),
                   err.detail);
    return fail(conn, sparams, conn->final_code);
}

int plugin_server_step(void *conn_context, sasl_server_params_t *sparams, const char *clientin,
                       unsigned clientinlen, const char **serverout, unsigned *serveroutlen,
                       sasl_out_params_t *oparams)
{
    struct server_conn *conn = conn_context;
    /*
     * Some hosts decode in place and answer from the same buffer: everything is read or copied
     * before this returns.
     */
    postern_bytes raw = { (const uint8_t *)clientin, clientin == NULL ? 0 : clientinlen };

    if (serverout == NULL || serveroutlen == NULL)
        return SASL_BADPARAM;
    *serverout = NULL;
    *serveroutlen = 0;
    if (conn == NULL || sparams == NULL || sparams->utils == NULL || oparams == NULL)
        return SASL_BADPARAM;
    switch (conn->state) {
    case SERVER_START:
        if (raw.len == 0)
            return step_without_message(conn, sparams);
        return first_step(conn, sparams, raw, serverout, serveroutlen, oparams);
    case SERVER_CHALLENGED:
        return last_step(conn, sparams, raw);
    case SERVER_FAILED:
        break;
    }
    return SASL_FAIL;
}
