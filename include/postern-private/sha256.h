/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 for programs, which hash often: the method is fetched from OpenSSL once in a process.  Not
 * installed; libpostern has no globals and keeps its own where it hashes often (lib/oauth/cache.c).
 */
#ifndef POSTERN_PRIVATE_SHA256_H
#define POSTERN_PRIVATE_SHA256_H

#include <postern/bytes.h>

#define SHA256_LEN 32 /* bytes */

/* Of any thread.  False: the library has no memory, and *ret holds nothing. */
POSTERN_MUST_USE bool sha256_make(postern_bytes text, uint8_t ret[SHA256_LEN]);

#endif
