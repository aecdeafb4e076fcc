/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire protocols of this build: one row each. */
#include "mcp.h"
#include "raw.h"
#include "redis.h"

static const struct adapter *const adapters[] = { &raw_adapter, &redis_adapter, &mcp_adapter };

const struct adapter *adapter_find(const char *protocol)
{
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++)
        if (strcmp(adapters[i]->name, protocol) == 0)
            return adapters[i];
    return NULL;
}
