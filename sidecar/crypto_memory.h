/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's memory in posternd is wiped when it is freed: its check of an ECDSA signature, for one,
 * leaves a copy of the signature behind, and a core of a child would hold it long after the login.
 * For the process, so it is the program's to call and not the library's.
 */
#ifndef POSTERN_SIDECAR_CRYPTO_MEMORY_H
#define POSTERN_SIDECAR_CRYPTO_MEMORY_H

#include <stdbool.h>

/* Before anything else of OpenSSL is called.  False: something was already. */
bool crypto_memory_wipe_freed(void);

#endif
