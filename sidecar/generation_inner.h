/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by generation.c and its neighbours generation_children.c and generation_messages.c, by nobody
 * else. */
#ifndef POSTERN_SIDECAR_GENERATION_INNER_H
#define POSTERN_SIDECAR_GENERATION_INNER_H

#include "generation.h"

#define LINK_INTERVAL_MS 1000 /* telling every revocation again costs both of them work */

static inline const postern_section *daemon_section(const postern_config *c)
{
    return postern_config_section(c, POSTERN_SECTION_DAEMON, NULL);
}

static inline const postern_section *server_section(const postern_config *c)
{
    return postern_config_section(c, POSTERN_SECTION_SERVER, NULL);
}

/* It works by what it prepared last. */
void generation_commit_door(struct child *door, int64_t now_ms);

#endif
