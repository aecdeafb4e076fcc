/* SPDX-License-Identifier: BSD-2-Clause */
/* `protocol: mcp`: JSON-RPC, a message a line, behind a login of login.h; postern-mcp(7). */
#ifndef POSTERN_ADAPTERS_MCP_H
#define POSTERN_ADAPTERS_MCP_H

#include "adapter.h"

extern const struct adapter mcp_adapter;

#endif
