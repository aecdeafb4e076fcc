/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of the server side, from the host's own SASL file (oauthbearer(7)).  Everything about
 * tokens is in the service file that posternd reads; here stands only how to reach posternd and as
 * which service.
 */
#include "plugin.h"

/* The host's value; NULL when it has none. */
static const char *get_option(const sasl_utils_t *utils, const char *name)
{
    const char *value = NULL;
    unsigned len = 0;

    if (utils == NULL || utils->getopt == NULL)
        return NULL;
    if (utils->getopt(utils->getopt_context, PLUGIN_NAME, name, &value, &len) != SASL_OK)
        return NULL;
    return value == NULL || value[0] == '\0' ? NULL : value;
}

postern_err plugin_options_read(const sasl_server_params_t *sparams, postern_helper_place *ret,
                                postern_error *err)
{
    const char *service = get_option(sparams->utils, "postern_service");

    if (service == NULL)
        service = sparams->service;
    return postern_helper_place_read(service,
                                     get_option(sparams->utils, "postern_helper_socket"),
                                     get_option(sparams->utils, "postern_helper_user"), ret, err);
}
