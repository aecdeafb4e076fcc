/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two mechanisms as both sides of the plugin know them, and what both tell libsasl about the
 * connection.
 */
#include "plugin.h"

struct plugin_mech plugin_oauthbearer = { POSTERN_MECH_OAUTHBEARER };
struct plugin_mech plugin_xoauth2 = { POSTERN_MECH_XOAUTH2 };

void plugin_set_oparams(sasl_out_params_t *oparams, unsigned doneflag)
{
    oparams->doneflag = doneflag;
    oparams->mech_ssf = 0;
    oparams->maxoutbuf = 0;
    oparams->encode_context = NULL;
    oparams->encode = NULL;
    oparams->decode_context = NULL;
    oparams->decode = NULL;
    oparams->param_version = 0;
}
