/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of liboauthbearer.so share.  The plugin is thin: host bytes in, one question to
 * posternd's helper, result.c maps the outcome to a SASL code.  It holds no key, checks no token,
 * starts no thread, and keeps one small cache.
 */
#ifndef SASL_PLUGIN_PLUGIN_H
#define SASL_PLUGIN_PLUGIN_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <postern/client.h>
#include <postern/oauthbearer.h>

#define PLUGIN_NAME "oauthbearer" /* of the options: what getopt is asked for */
#define PLUGIN_SECURITY_FLAGS                                                                      \
    (SASL_SEC_NOANONYMOUS |                                                                        \
     SASL_SEC_PASS_CREDENTIALS) /* never NOPLAINTEXT: a bearer token is one */

/* ---- mech.c ---- */
/* glob_context of one mechanism. */
struct plugin_mech {
    postern_mech mech;
};
extern struct plugin_mech plugin_oauthbearer, plugin_xoauth2;
/*
 * No security layer, no channel binding; the exchange is over or not.  `user` and `authid` are
 * canon_user's.
 */
void plugin_set_oparams(sasl_out_params_t *oparams, unsigned doneflag);

/* ---- log.c ---- */
/*
 * One line to the host's log; libsasl's own formatter knows a few conversions only, so the line is
 * made here.
 */
void plugin_log(const sasl_utils_t *utils, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One line for sasl_errdetail(): servers may show it to the client.  Not logged. */
void plugin_set_error(const sasl_utils_t *utils, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- result.c ---- */
struct plugin_result {
    int code;           /* of the last step */
    bool has_challenge; /* the RFC 7628 error exchange comes first */
};
struct plugin_result plugin_result_of(postern_err e);

/* ---- peer.c ---- */
#define PLUGIN_IP_MAX 64 /* bytes with NUL: INET6_ADDRSTRLEN and a scope */
struct plugin_peer {
    char ip[PLUGIN_IP_MAX]; /* "" unknown */
    char port[6];           /* "" unknown */
};
/* libsasl's "ADDRESS;PORT"; NULL or anything else gives empty fields. */
struct plugin_peer plugin_peer_parse(const char *ip_port);
bool plugin_peer_is_loopback(const struct plugin_peer *p);
/*
 * How the connection is protected: external_ssf > 1 is TLS (or what the host holds equal), two
 * loopback ends are LOCAL.
 */
postern_tls plugin_tls_state(sasl_ssf_t external_ssf, const char *iplocalport,
                             const char *ipremoteport);

/* ---- options.c ---- */
/*
 * postern_service, postern_helper_socket and postern_helper_user of the host's SASL file.
 * POSTERN_OK · CONFIG_VALUE
 */
POSTERN_MUST_USE postern_err plugin_options_read(const sasl_server_params_t *sparams,
                                                 postern_helper_place *ret, postern_error *err);

/* ---- service.c ---- */
/*
 * What the helper says of the service, at most 60 s old.  `now_s` is monotonic.
 *   POSTERN_OK (unknown services too: is_known) · what postern_client_describe_start() lists
 */
POSTERN_MUST_USE postern_err plugin_service_info(const postern_helper_place *o, int64_t now_s,
                                                 postern_service_info *ret, postern_error *err);
/*
 * The helper failed to answer for this service a few seconds ago: a list of mechanisms need not
 * wait for it again.
 */
bool plugin_service_is_down(const postern_helper_place *o, int64_t now_s);
void plugin_service_forget_all(void);

/* ---- server.c, client.c ---- */
int plugin_server_new(void *glob, sasl_server_params_t *sparams, const char *challenge,
                      unsigned challen, void **conn_context);
int plugin_server_step(void *conn_context, sasl_server_params_t *sparams, const char *clientin,
                       unsigned clientinlen, const char **serverout, unsigned *serveroutlen,
                       sasl_out_params_t *oparams);
void plugin_server_dispose(void *conn_context, const sasl_utils_t *utils);
int plugin_server_avail(void *glob, sasl_server_params_t *sparams, void **conn_context);

int plugin_client_new(void *glob, sasl_client_params_t *cparams, void **conn_context);
int plugin_client_step(void *conn_context, sasl_client_params_t *cparams, const char *serverin,
                       unsigned serverinlen, sasl_interact_t **prompt_need, const char **clientout,
                       unsigned *clientoutlen, sasl_out_params_t *oparams);
void plugin_client_dispose(void *conn_context, const sasl_utils_t *utils);

int sasl_server_plug_init(const sasl_utils_t *utils, int maxversion, int *out_version,
                          sasl_server_plug_t **pluglist, int *plugcount);
int sasl_client_plug_init(const sasl_utils_t *utils, int maxversion, int *out_version,
                          sasl_client_plug_t **pluglist, int *plugcount);

#endif
