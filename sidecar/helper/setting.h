/* SPDX-License-Identifier: BSD-2-Clause */
/* Which line of which file decided: the answer that `postern why` gives.  Pure lookup. */
#ifndef POSTERN_SIDECAR_HELPER_SETTING_H
#define POSTERN_SIDECAR_HELPER_SETTING_H

#include <postern/config.h>

struct deciding_setting {
    const char *key;    /* static; NULL: no setting decides this reason */
    const char *origin; /* "services/imap.conf:4" or "default"; owned by the configuration */
};

/*
 *   service   NULL: no service file names it
 *   issuer    identifier of the chosen issuer, "" when none was
 */
struct deciding_setting find_deciding_setting(const postern_config *config,
                                              const postern_section *service, const char *issuer,
                                              postern_err code);

#endif
