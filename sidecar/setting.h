/* SPDX-License-Identifier: BSD-2-Clause */
/* Which line of which file decided: the answer that `postern why` gives.  Pure lookup. */
#ifndef POSTERN_SIDECAR_SETTING_H
#define POSTERN_SIDECAR_SETTING_H

#include <postern/config.h>

struct deciding_setting {
    const char *key;    /* static; NULL: no setting decides this reason */
    const char *origin; /* "services/imap.conf:4" or "default"; owned by the configuration */
};

/* What kind of file `service` is. */
typedef enum deciding_kind { DECIDING_SERVICE = 0, DECIDING_DOOR } deciding_kind;

/*
 *   service   NULL: no file names it
 *   issuer    identifier of the chosen issuer, "" when none was
 */
struct deciding_setting find_deciding_setting(const postern_config *config,
                                              const postern_section *service, deciding_kind kind,
                                              const char *issuer, postern_err code);

#endif
