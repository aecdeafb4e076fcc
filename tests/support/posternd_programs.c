/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real daemon, at whose MCP doors the raw door's protocol is spoken: so that programs behind doors
 * (backend: exec:) are tested by themselves, with whatever bytes a test likes
 * (tests/component/test_spawner.py).
 */
#include <string.h>

#include "adapters/adapter.h"

const struct adapter *__real_adapter_find(const char *protocol);
const struct adapter *__wrap_adapter_find(const char *protocol);

const struct adapter *__wrap_adapter_find(const char *protocol)
{
    return __real_adapter_find(strcmp(protocol, "mcp") == 0 ? "raw" : protocol);
}
