/* SPDX-License-Identifier: BSD-2-Clause */
/* `protocol: raw`: one line or an HTTP CONNECT, then the backend's own bytes; postern-raw(7). */
#ifndef POSTERN_ADAPTERS_RAW_H
#define POSTERN_ADAPTERS_RAW_H

#include "adapter.h"

extern const struct adapter raw_adapter;

#endif
