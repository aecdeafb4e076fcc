/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Class of an outcome → what the SASL host is told (doc/design/outcomes.md).  Rejections go through
 * the error exchange of RFC 7628 §3.2.2 first; what could not be decided is SASL_UNAVAIL at once,
 * so that hosts answer "try again later".
 */
#include "plugin.h"

static const struct {
    postern_class class;
    struct plugin_result result;
} rows[] = {
    { POSTERN_CLASS_PROVED, { SASL_OK, false } },
    { POSTERN_CLASS_TOKEN, { SASL_BADAUTH, true } },
    { POSTERN_CLASS_SCOPE, { SASL_BADAUTH, true } },
    { POSTERN_CLASS_TRANSPORT, { SASL_BADAUTH, true } },
    { POSTERN_CLASS_IDENTITY, { SASL_NOAUTHZ, true } },
    { POSTERN_CLASS_POLICY, { SASL_NOAUTHZ, true } },
    { POSTERN_CLASS_REMOTE, { SASL_UNAVAIL, false } },
    { POSTERN_CLASS_RESOURCE, { SASL_UNAVAIL, false } },
    { POSTERN_CLASS_CONFIG, { SASL_UNAVAIL, false } },
    { POSTERN_CLASS_USAGE, { SASL_UNAVAIL, false } },
    { POSTERN_CLASS_INTERNAL, { SASL_UNAVAIL, false } },
};

struct plugin_result plugin_result_of(postern_err e)
{
    postern_class class = postern_err_class(e);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].class == class)
            return rows[i].result;
    return (struct plugin_result){ SASL_UNAVAIL, false }; /* POSTERN_AGAIN is no verdict */
}
