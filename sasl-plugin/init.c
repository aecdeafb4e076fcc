/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two symbols that libsasl looks for, and the mechanisms behind them.  Every process that uses
 * SASL runs this: it opens nothing, logs nothing and starts nothing.
 */
#include "plugin.h"

#define SERVER_MECH(name, context)                                                                 \
    {                                                                                              \
        .mech_name = (name), .max_ssf = 0, .security_flags = PLUGIN_SECURITY_FLAGS,                \
        .features = SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY,                          \
        .glob_context = &(context), .mech_new = plugin_server_new,                                 \
        .mech_step = plugin_server_step, .mech_dispose = plugin_server_dispose,                    \
        .mech_avail = plugin_server_avail,                                                         \
    }

static sasl_server_plug_t server_mechs[] = {
    SERVER_MECH("OAUTHBEARER", plugin_oauthbearer),
    SERVER_MECH("XOAUTH2", plugin_xoauth2),
};

/* An application that can give no password at all is not offered a mechanism that may need one. */
static const unsigned long client_prompts[] = { SASL_CB_PASS, SASL_CB_LIST_END };

#define CLIENT_MECH(name, context)                                                                 \
    {                                                                                              \
        .mech_name = (name), .max_ssf = 0, .security_flags = PLUGIN_SECURITY_FLAGS,                \
        .features = SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY,                          \
        .required_prompts = client_prompts, .glob_context = &(context),                            \
        .mech_new = plugin_client_new, .mech_step = plugin_client_step,                            \
        .mech_dispose = plugin_client_dispose,                                                     \
    }

static sasl_client_plug_t client_mechs[] = {
    CLIENT_MECH("OAUTHBEARER", plugin_oauthbearer),
    CLIENT_MECH("XOAUTH2", plugin_xoauth2),
};

__attribute__((visibility("default"))) int sasl_server_plug_init(const sasl_utils_t *utils,
                                                                 int maxversion, int *out_version,
                                                                 sasl_server_plug_t **pluglist,
                                                                 int *plugcount)
{
    (void)utils;
    if (maxversion < SASL_SERVER_PLUG_VERSION)
        return SASL_BADVERS;
    *out_version = SASL_SERVER_PLUG_VERSION;
    *pluglist = server_mechs;
    *plugcount = sizeof server_mechs / sizeof server_mechs[0];
    return SASL_OK;
}

__attribute__((visibility("default"))) int sasl_client_plug_init(const sasl_utils_t *utils,
                                                                 int maxversion, int *out_version,
                                                                 sasl_client_plug_t **pluglist,
                                                                 int *plugcount)
{
    (void)utils;
    if (maxversion < SASL_CLIENT_PLUG_VERSION)
        return SASL_BADVERS;
    *out_version = SASL_CLIENT_PLUG_VERSION;
    *pluglist = client_mechs;
    *plugcount = sizeof client_mechs / sizeof client_mechs[0];
    return SASL_OK;
}
