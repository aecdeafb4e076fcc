/* SPDX-License-Identifier: BSD-2-Clause */
/* `protocol: redis`: a login by AUTH or HELLO, then every command judged; postern-redis(7). */
#ifndef POSTERN_ADAPTERS_REDIS_H
#define POSTERN_ADAPTERS_REDIS_H

#include "adapter.h"

extern const struct adapter redis_adapter;

#endif
